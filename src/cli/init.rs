//! `tideform init`.

use clap::Args;

use super::CliResult;
use super::context::Context;

/// Prepares a directory: checks that this version, the files and the providers fit together, and makes the state.
/// With --example, writes a starter into an empty directory first.
#[derive(Args, Debug)]
pub(super) struct InitArgs {
    /// Write this starter into the directory first, which must have no .hcl files
    #[arg(long, value_name = "NAME", value_parser = ["web", "queue", "environments"])]
    example: Option<String>,

    #[command(flatten)]
    variables: super::args::VariableArgs,

    /// Print the result as JSON
    #[arg(long)]
    json: bool,
}

impl InitArgs {
    pub(super) fn run(self, cx: &Context) -> CliResult {
        cx.not_supported_yet("init")
    }
}
