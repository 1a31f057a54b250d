//! The question before changes.

use std::io::{BufRead, IsTerminal};

use super::context::Context;
use super::error::CliError;

/// Asks a person to agree to changes. `Ok` is a yes.
///
/// - `question`: "Do you want to apply this plan?".
/// - `consequence`: what a yes does.
///
/// # Errors
/// [`CliError::NotApproved`] for any other answer, and [`CliError::CannotAsk`] where nobody can be asked. In either case
/// nothing was changed.
pub(super) fn approve(cx: &Context, question: &str, consequence: &str) -> Result<(), CliError> {
    if !cx.global.input || !std::io::stdin().is_terminal() {
        return Err(CliError::CannotAsk);
    }
    cx.output.print_error(&format!(
        "\n{question}\n  {consequence}\n  Only 'yes' will be accepted.\n\n  Answer: "
    ));
    let mut answer = String::new();
    std::io::stdin()
        .lock()
        .read_line(&mut answer)
        .map_err(CliError::Input)?;
    cx.output.print_error("\n");
    if answer.trim() == "yes" {
        Ok(())
    } else {
        Err(CliError::NotApproved)
    }
}
