//! `tideform status`.

use clap::Args;

use super::CliResult;
use super::args::GroupArgs;
use super::context::Context;

/// Shows each group as it is now: live, ready and desired capacity, limits, the last decision, overrides, month's cost.
#[derive(Args, Debug)]
pub(super) struct StatusArgs {
    #[command(flatten)]
    groups: GroupArgs,

    /// Print it as JSON
    #[arg(long)]
    json: bool,
}

impl StatusArgs {
    pub(super) fn run(self, cx: &Context) -> CliResult {
        cx.not_supported_yet("status")
    }
}
