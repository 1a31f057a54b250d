//! `tideform show`.

use std::path::PathBuf;

use clap::Args;

use super::CliResult;
use super::context::Context;

/// Shows a saved plan, or without a file what was last applied: the policies that `reconcile` runs.
#[derive(Args, Debug)]
pub(super) struct ShowArgs {
    /// A plan saved by `tideform plan --out`
    #[arg(value_name = "PLANFILE")]
    plan_file: Option<PathBuf>,

    /// Print it as JSON
    #[arg(long, conflicts_with = "markdown")]
    json: bool,

    /// Print a saved plan as Markdown
    #[arg(long, requires = "plan_file")]
    markdown: bool,
}

impl ShowArgs {
    pub(super) fn run(self, cx: &Context) -> CliResult {
        cx.not_supported_yet("show")
    }
}
