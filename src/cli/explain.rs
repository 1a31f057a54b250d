//! `tideform explain`.

use clap::Args;

use super::CliResult;
use super::args::{Moment, parse_moment};
use super::context::Context;

/// Explains why a group was scaled as it was: the recorded decision with every reason. Or explains a diagnostic's code.
#[derive(Args, Debug)]
pub(super) struct ExplainArgs {
    /// A group's address (`web`, `svc.api`) or a code (`P0107`)
    #[arg(value_name = "GROUP|CODE")]
    what: String,

    /// The decision that was in force at this time, or so long ago: `2026-11-27T08:00:00Z`, `2h`
    #[arg(long, value_name = "TIME", value_parser = parse_moment)]
    at: Option<Moment>,

    /// Print it as JSON
    #[arg(long)]
    json: bool,
}

impl ExplainArgs {
    pub(super) fn run(self, cx: &Context) -> CliResult {
        cx.not_supported_yet("explain")
    }
}
