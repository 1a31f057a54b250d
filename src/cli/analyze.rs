//! `tideform analyze`.

use std::path::PathBuf;
use std::time::Duration;

use clap::Args;
use jiff::tz::TimeZone;

use super::args::parse_duration;
use super::context::Context;
use super::trace::TraceArgs;
use super::{CliResult, exit};
use crate::analyze::{self, Options};

/// Describe a load, and say which kind of policy it asks for.
///
/// Describes a recorded load: its level, the shape of its days and weeks, trend, spikes, anomalies and bursts, and how
/// well it can be predicted. Then says which kind of policy it asks for, with the evidence and a policy to begin with.
/// Touches neither cloud nor state. `docs/analyze.md` says what each number means.
#[derive(Args, Debug)]
pub(super) struct AnalyzeArgs {
    /// The trace: a CSV file `timestamp,value`, or `-` for standard input
    #[arg(value_name = "TRACE")]
    file: PathBuf,

    #[command(flatten)]
    trace: TraceArgs,

    /// The time zone whose hours and days are meant, such as Europe/Berlin
    #[arg(long, value_name = "ZONE", default_value = "UTC", value_parser = parse_zone)]
    timezone: TimeZone,

    /// From launch until an instance serves
    #[arg(long, value_name = "DURATION", default_value = "3m", value_parser = parse_duration)]
    boot: Duration,

    /// The load that one instance carries at 100 %; without it, 20 instances at the peak are assumed
    #[arg(long, value_name = "LOAD", value_parser = parse_throughput)]
    throughput: Option<f64>,

    /// Print the numbers as JSON
    #[arg(long)]
    json: bool,
}

impl AnalyzeArgs {
    pub(super) fn run(self, cx: &Context) -> CliResult {
        let trace = self.trace.read(&self.file)?;
        let options = Options {
            timezone: self.timezone,
            boot: self.boot,
            throughput: self.throughput,
        };
        let analysis = analyze::analyze(&trace, &options);
        if self.json {
            cx.output.json(&analysis);
        } else {
            cx.output.print(&analyze::render(&analysis));
        }
        Ok(exit::WELL)
    }
}

fn parse_zone(text: &str) -> Result<TimeZone, String> {
    TimeZone::get(text)
        .map_err(|_| "no such time zone; write an IANA name such as Europe/Berlin".to_owned())
}

fn parse_throughput(text: &str) -> Result<f64, String> {
    text.parse()
        .ok()
        .filter(|load: &f64| load.is_finite() && *load > 0.0)
        .ok_or_else(|| "must be a number above 0".to_owned())
}
