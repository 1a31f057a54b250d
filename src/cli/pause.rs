//! `tideform pause` and `tideform resume`.

use std::time::Duration;

use clap::Args;
use tideform_policies::model::GroupAddress;

use super::CliResult;
use super::args::{parse_group, parse_positive_duration};
use super::context::Context;

/// Stops all scaling of a group: the loop goes on deciding and recording, and changes nothing. Works at any time, also
/// while the loop runs.
#[derive(Args, Debug)]
pub(super) struct PauseArgs {
    /// The group
    #[arg(value_name = "GROUP", value_parser = parse_group)]
    group: GroupAddress,

    /// How long; at most 30 days
    #[arg(long = "for", value_name = "DURATION", default_value = "1d", value_parser = parse_positive_duration)]
    duration: Duration,

    /// Why, for those who read the events
    #[arg(long, value_name = "TEXT")]
    reason: Option<String>,
}

/// Ends a pause before its time.
#[derive(Args, Debug)]
pub(super) struct ResumeArgs {
    /// The group
    #[arg(value_name = "GROUP", value_parser = parse_group)]
    group: GroupAddress,
}

impl PauseArgs {
    pub(super) fn run(self, cx: &Context) -> CliResult {
        cx.not_supported_yet("pause")
    }
}

impl ResumeArgs {
    pub(super) fn run(self, cx: &Context) -> CliResult {
        cx.not_supported_yet("resume")
    }
}
