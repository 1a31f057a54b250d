//! `tideform cost`.

use clap::{Args, ValueEnum};

use super::CliResult;
use super::args::{GroupArgs, Moment, parse_moment};
use super::context::Context;

/// Reports what the groups cost, from the recorded capacity: cost, instance-hours, mean and peak capacity, savings
/// against a fixed fleet at peak and against all on demand, the budget used, and the month's projection.
#[derive(Args, Debug)]
pub(super) struct CostArgs {
    #[command(flatten)]
    groups: GroupArgs,

    /// From this time, or so long ago; default: 7 days
    #[arg(long, value_name = "TIME", default_value = "7d", value_parser = parse_moment)]
    since: Moment,

    /// Up to this time; default: now
    #[arg(long, value_name = "TIME", value_parser = parse_moment)]
    until: Option<Moment>,

    /// A row per group, or a row per group and day
    #[arg(long, value_enum, default_value = "group")]
    by: By,

    /// Print it as JSON
    #[arg(long, conflicts_with = "csv")]
    json: bool,

    /// Print it as CSV
    #[arg(long)]
    csv: bool,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
enum By {
    Day,
    Group,
}

impl CostArgs {
    pub(super) fn run(self, cx: &Context) -> CliResult {
        cx.not_supported_yet("cost")
    }
}
