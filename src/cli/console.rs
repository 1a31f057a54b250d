//! `tideform console`.

use clap::Args;

use super::CliResult;
use super::args::VariableArgs;
use super::context::Context;

/// Evaluates expressions of the language with the directory's variables and locals: the one in the argument, or one a
/// line from a pipe or a terminal.
#[derive(Args, Debug)]
pub(super) struct ConsoleArgs {
    /// The expression: `var.peak * 2`
    #[arg(value_name = "EXPRESSION")]
    expression: Option<String>,

    #[command(flatten)]
    variables: VariableArgs,

    /// Print each result as JSON
    #[arg(long)]
    json: bool,
}

impl ConsoleArgs {
    pub(super) fn run(self, cx: &Context, matches: Option<&clap::ArgMatches>) -> CliResult {
        let _ = matches;
        cx.not_supported_yet("console")
    }
}
