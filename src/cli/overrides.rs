//! `tideform overrides`.

use clap::Args;

use super::CliResult;
use super::context::Context;

/// Lists what overrides the policies: pins, pauses and surges, each with its end, who set it, and why.
#[derive(Args, Debug)]
pub(super) struct OverridesArgs {
    /// Also those that are over
    #[arg(long)]
    all: bool,

    /// Print it as JSON
    #[arg(long)]
    json: bool,
}

impl OverridesArgs {
    pub(super) fn run(self, cx: &Context) -> CliResult {
        cx.not_supported_yet("overrides")
    }
}
