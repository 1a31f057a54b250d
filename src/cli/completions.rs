//! `tideform completions`.

use clap::Args;
use clap_complete::Shell;

use super::context::Context;
use super::{CliResult, exit};

/// Print a completion script for a shell.
///
/// Prints a completion script: `tideform completions bash > /etc/bash_completion.d/tideform`.
#[derive(Args, Debug)]
pub(super) struct CompletionsArgs {
    /// The shell
    #[arg(value_enum, value_name = "SHELL")]
    shell: Shell,
}

impl CompletionsArgs {
    pub(super) fn run(self, cx: &Context) -> CliResult {
        let mut script = Vec::new();
        clap_complete::generate(self.shell, &mut super::command(), "tideform", &mut script);
        cx.output.print(&String::from_utf8_lossy(&script));
        Ok(exit::WELL)
    }
}
