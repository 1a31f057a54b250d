//! `tideform apply`.

use std::path::PathBuf;

use clap::Args;

use super::CliResult;
use super::context::Context;
use super::plan::PlanningArgs;

/// Plans, asks, and carries the plan out. With a plan file it carries out exactly that plan and asks nothing; it refuses
/// if the state or the cloud has moved since the plan was saved.
#[derive(Args, Debug)]
pub(super) struct ApplyArgs {
    /// A plan saved by `tideform plan --out`
    #[arg(value_name = "PLANFILE", conflicts_with_all = ["group", "var", "var_file", "refresh_only", "destroy"])]
    plan_file: Option<PathBuf>,

    #[command(flatten)]
    planning: PlanningArgs,

    /// Only take note of what was changed outside tideform
    #[arg(long, conflicts_with = "destroy")]
    refresh_only: bool,

    /// Take away all that tideform made
    #[arg(long)]
    destroy: bool,

    /// Do not ask
    #[arg(long)]
    auto_approve: bool,

    /// Print the result as one JSON document
    #[arg(long)]
    json: bool,
}

impl ApplyArgs {
    pub(super) fn run(self, cx: &Context, matches: Option<&clap::ArgMatches>) -> CliResult {
        let _ = matches;
        cx.not_supported_yet("apply")
    }
}
