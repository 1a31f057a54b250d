//! `tideform unpin`.

use clap::Args;
use tideform_policies::model::GroupAddress;

use super::CliResult;
use super::args::parse_group;
use super::context::Context;

/// Ends a pin before its time: the group's metrics decide again from the next run on.
#[derive(Args, Debug)]
pub(super) struct UnpinArgs {
    /// The group
    #[arg(value_name = "GROUP", value_parser = parse_group)]
    group: GroupAddress,
}

impl UnpinArgs {
    pub(super) fn run(self, cx: &Context) -> CliResult {
        cx.not_supported_yet("unpin")
    }
}
