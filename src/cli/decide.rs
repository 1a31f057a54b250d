//! `tideform decide`.

use clap::Args;
use tideform_policies::model::GroupAddress;

use super::CliResult;
use super::args::{VariableArgs, parse_group};
use super::context::Context;

/// Makes one decision for a group of the files from an observation in JSON, and prints it with its reasons. Touches
/// neither cloud nor state: plumbing for scripts, tests and other tools. `tideform schema observation` describes the input.
#[derive(Args, Debug)]
pub(super) struct DecideArgs {
    /// The group
    #[arg(value_name = "GROUP", value_parser = parse_group)]
    group: GroupAddress,

    /// The observation: a file, or `-` for standard input
    #[arg(long, value_name = "FILE")]
    observe: String,

    #[command(flatten)]
    variables: VariableArgs,

    /// Print the decision as JSON
    #[arg(long)]
    json: bool,
}

impl DecideArgs {
    pub(super) fn run(self, cx: &Context, matches: Option<&clap::ArgMatches>) -> CliResult {
        let _ = matches;
        cx.not_supported_yet("decide")
    }
}
