//! `tideform scale`.

use std::time::Duration;

use clap::Args;
use tideform_policies::model::GroupAddress;

use super::CliResult;
use super::args::{parse_group, parse_positive_duration};
use super::context::Context;

/// Pins a group to a number: whatever its metrics say, the loop holds it there, inside the group's limits, until the
/// time is over. The next run of the loop carries it out.
#[derive(Args, Debug)]
pub(super) struct ScaleArgs {
    /// The group
    #[arg(value_name = "GROUP", value_parser = parse_group)]
    group: GroupAddress,

    /// The capacity, in units
    #[arg(value_name = "N")]
    desired: u32,

    /// How long; at most 30 days
    #[arg(long = "for", value_name = "DURATION", value_parser = parse_positive_duration)]
    duration: Duration,

    /// Why, for those who read the events
    #[arg(long, value_name = "TEXT")]
    reason: String,
}

impl ScaleArgs {
    pub(super) fn run(self, cx: &Context) -> CliResult {
        cx.not_supported_yet("scale")
    }
}
