//! `tideform test`.

use std::path::PathBuf;

use clap::Args;

use super::CliResult;
use super::args::VariableArgs;
use super::context::Context;

/// Runs the `test` blocks of the directory: each feeds metrics to a group's policy, step by step, through the same
/// decision function as the loop, and checks what comes out.
#[derive(Args, Debug)]
pub(super) struct TestArgs {
    /// Only tests whose name contains this text
    #[arg(value_name = "FILTER")]
    filter: Option<String>,

    #[command(flatten)]
    variables: VariableArgs,

    /// Print the result as JSON
    #[arg(long)]
    json: bool,

    /// Also write a JUnit report to this file
    #[arg(long, value_name = "FILE")]
    junit: Option<PathBuf>,
}

impl TestArgs {
    pub(super) fn run(self, cx: &Context, matches: Option<&clap::ArgMatches>) -> CliResult {
        let _ = matches;
        cx.not_supported_yet("test")
    }
}
