//! `tideform events`.

use clap::Args;

use super::CliResult;
use super::args::{GroupArgs, Moment, parse_moment};
use super::context::Context;

/// Shows what happened, oldest first: decisions that changed something, applies, overrides, drift, faults.
#[derive(Args, Debug)]
pub(super) struct EventsArgs {
    #[command(flatten)]
    groups: GroupArgs,

    /// Only events after this time, or of so long: `2026-11-27T08:00:00Z`, `2h`
    #[arg(long, value_name = "TIME", value_parser = parse_moment)]
    since: Option<Moment>,

    /// At most so many, the newest
    #[arg(long, value_name = "N", default_value_t = 50)]
    limit: usize,

    /// Go on printing events as they happen
    #[arg(long)]
    follow: bool,

    /// Print each event as a line of JSON
    #[arg(long)]
    json: bool,
}

impl EventsArgs {
    pub(super) fn run(self, cx: &Context) -> CliResult {
        cx.not_supported_yet("events")
    }
}
