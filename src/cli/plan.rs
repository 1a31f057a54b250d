//! `tideform plan`.

use std::path::PathBuf;
use std::time::Duration;

use clap::Args;

use super::CliResult;
use super::args::{GroupArgs, VariableArgs, parse_duration};
use super::context::Context;

/// What plan, apply and destroy have in common.
#[derive(Args, Clone, Debug)]
pub(super) struct PlanningArgs {
    #[command(flatten)]
    pub(super) groups: GroupArgs,

    #[command(flatten)]
    pub(super) variables: VariableArgs,

    /// How long to wait for another process that holds the state's lease
    #[arg(long, value_name = "DURATION", default_value = "0s", value_parser = parse_duration)]
    pub(super) lock_timeout: Duration,

    /// Use this state file instead of the backend's
    #[arg(long, value_name = "FILE")]
    pub(super) state: Option<PathBuf>,

    /// Take over groups that another state owns
    #[arg(long)]
    pub(super) take_over: bool,
}

/// Compares the files with what was last applied and with what is live, and shows what `apply` would change, what was
/// changed outside tideform, the next decision of each group with its reasons, the coming schedules, and the change in
/// monthly cost. Changes nothing.
#[derive(Args, Debug)]
pub(super) struct PlanArgs {
    #[command(flatten)]
    planning: PlanningArgs,

    /// Only show what was changed outside tideform
    #[arg(long, conflicts_with = "destroy")]
    refresh_only: bool,

    /// Plan to take away all that tideform made
    #[arg(long)]
    destroy: bool,

    /// Save the plan, for `tideform apply FILE`
    #[arg(long, value_name = "FILE")]
    out: Option<PathBuf>,

    /// Exit with 2 if there are changes, with 0 if there are none
    #[arg(long)]
    detailed_exitcode: bool,

    /// Print the plan as one JSON document
    #[arg(long, conflicts_with = "markdown")]
    json: bool,

    /// Print the plan as Markdown, for a pull request
    #[arg(long)]
    markdown: bool,
}

impl PlanArgs {
    pub(super) fn run(self, cx: &Context, matches: Option<&clap::ArgMatches>) -> CliResult {
        let _ = matches;
        cx.not_supported_yet("plan")
    }
}
