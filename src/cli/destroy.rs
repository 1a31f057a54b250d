//! `tideform destroy`.

use clap::Args;

use super::CliResult;
use super::apply::plan_and_apply;
use super::context::Context;
use super::plan::PlanningArgs;
use crate::plan::Mode;

/// Take away all that tideform made.
///
/// Takes away all that tideform made: controls, tags, and the resources of groups with `launch`. Resources that were
/// there before stay, with their capacity. The same as `tideform apply --destroy`.
#[derive(Args, Debug)]
pub(super) struct DestroyArgs {
    #[command(flatten)]
    planning: PlanningArgs,

    /// Do not ask
    #[arg(long)]
    auto_approve: bool,

    /// Print the result as one JSON document
    #[arg(long)]
    json: bool,
}

impl DestroyArgs {
    pub(super) fn run(self, cx: &Context, matches: Option<&clap::ArgMatches>) -> CliResult {
        plan_and_apply(
            cx,
            matches,
            &self.planning,
            Mode::Destroy,
            None,
            self.auto_approve,
            self.json,
        )
    }
}
