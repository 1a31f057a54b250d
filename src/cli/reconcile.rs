//! `tideform reconcile`.

use std::net::SocketAddr;
use std::path::PathBuf;
use std::time::Duration;

use clap::Args;

use super::CliResult;
use super::args::{GroupArgs, VariableArgs, parse_duration, parse_positive_duration};
use super::context::Context;

/// Runs the scaling loop over what was last applied: observe, decide, record, act, record. It never reads the files,
/// unless --follow says so.
#[derive(Args, Debug)]
pub(super) struct ReconcileArgs {
    /// One run, as a scheduled job does it
    #[arg(
        long,
        required_unless_present = "interval",
        conflicts_with = "interval"
    )]
    once: bool,

    /// Run until stopped, with this long between the starts of two runs
    #[arg(long, value_name = "DURATION", value_parser = parse_positive_duration)]
    interval: Option<Duration>,

    /// Stop after this many runs
    #[arg(long, value_name = "N", requires = "interval", value_parser = clap::value_parser!(u64).range(1..))]
    ticks: Option<u64>,

    /// Plan and apply this directory whenever it changes
    #[arg(long, value_name = "DIR", requires = "interval")]
    follow: Option<PathBuf>,

    /// Shadow mode: record decisions as such, change nothing
    #[arg(long)]
    dry_run: bool,

    /// Serve /metrics, /healthz and /readyz here: `127.0.0.1:9464`
    #[arg(long, value_name = "ADDRESS", requires = "interval")]
    listen: Option<SocketAddr>,

    #[command(flatten)]
    groups: GroupArgs,

    #[command(flatten)]
    variables: VariableArgs,

    /// How long to wait for another process that holds the state's lease
    #[arg(long, value_name = "DURATION", default_value = "0s", value_parser = parse_duration)]
    lock_timeout: Duration,

    /// Print each decision as a line of JSON
    #[arg(long)]
    json: bool,
}

impl ReconcileArgs {
    pub(super) fn run(self, cx: &Context, matches: Option<&clap::ArgMatches>) -> CliResult {
        let _ = matches;
        cx.not_supported_yet("reconcile")
    }
}
