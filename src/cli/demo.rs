//! `tideform demo`.

use std::path::PathBuf;

use clap::Args;

use super::CliResult;
use super::context::Context;

/// Takes the recorded traffic of an example web shop through plan, apply and the scaling loop on a simulated cloud: a
/// normal week and a sale day, with a live picture, then the events, one explained decision, and the costs. No account,
/// no server, nothing outside the demo's own directory.
#[derive(Args, Debug)]
pub(super) struct DemoArgs {
    /// Play in this directory, which must be empty, and keep it; default: a temporary one
    #[arg(long, value_name = "DIR")]
    dir: Option<PathBuf>,

    /// Keep the directory: ./tideform-demo, unless --dir names another
    #[arg(long)]
    keep: bool,

    /// How many simulated minutes a second of the picture shows; default: so that the demo takes about a minute
    #[arg(long, value_name = "MINUTES", value_parser = clap::value_parser!(u32).range(1..))]
    speed: Option<u32>,

    /// As fast as the machine allows
    #[arg(long, conflicts_with = "speed")]
    fast: bool,
}

impl DemoArgs {
    pub(super) fn run(self, cx: &Context) -> CliResult {
        cx.not_supported_yet("demo")
    }
}
