//! `tideform simulate`.

mod asked;
mod chart;
mod written;

use std::path::{Path, PathBuf};
use std::time::Duration;

use clap::{Args, ValueEnum};
use jiff::Timestamp;
use tideform_mock::world::cost::DEFAULT_PRICES;
use tideform_policies::layers;
use tideform_policies::model::{Configuration, Group, GroupAddress, Lifecycle};
use tideform_provider::Prices as ProviderPrices;
use tideform_state::OpenMode;

use super::args::{VariableArgs, nearest, parse_duration, parse_group, parse_positive_duration};
use super::context::Context;
use super::error::CliError;
use super::output::{BOLD, paint};
use super::plan::open_providers;
use super::records::{HistoryFrom, Sources, Wanted, is_weighted};
use super::trace::TraceArgs;
use super::{CliResult, exit};
use crate::cost::PriceBook;

use crate::history::{HISTORY, Load, NoHistory, Unit, is_free_of_throughput};
use crate::observe::before;
use crate::simulate::compare::{self, Comparison};
use crate::simulate::page::{self, Origin, Page, Recorder, Setting};
use crate::simulate::peers::Peer;
use crate::simulate::trace::Trace;
use crate::simulate::world::{Boot, Faults, Work};
use crate::simulate::{
    Given, Note, Pinned, Prices, Report, Scenario, play, play_beside_optimum, render,
};

/// Replay a load through a group's policy, and measure what comes of it.
///
/// Replays a recorded load through a group's policy and a simulated cloud, in virtual time, and says what came of it: cost,
/// shortage, changes, elasticity, and the regret against the best that anybody could have done. It reads the policy from the
/// files, and changes nothing. The same seed and input give the same output.
#[derive(Args, Debug)]
pub(super) struct SimulateArgs {
    /// The group
    #[arg(value_name = "GROUP", value_parser = parse_group)]
    group: GroupAddress,

    /// The load: a CSV file `timestamp,value` with a regular step, or `-` for standard input; default: what was recorded
    /// of the group
    #[arg(long, value_name = "FILE")]
    trace: Option<PathBuf>,

    #[command(flatten)]
    reading: TraceArgs,

    /// Whose records are replayed without `--trace`: the state's, the provider's own metrics, or the state's where they
    /// are of a day or more
    #[arg(
        long,
        value_name = "FROM",
        value_enum,
        default_value_t,
        conflicts_with = "trace"
    )]
    history: HistoryFrom,

    /// Only the steps from this time on
    #[arg(long, value_name = "TIME")]
    from: Option<Timestamp>,

    /// Only the steps before this time
    #[arg(long, value_name = "TIME")]
    to: Option<Timestamp>,

    /// Where all randomness comes from
    #[arg(long, value_name = "N", default_value_t = 0)]
    seed: u64,

    /// The capacity at the start; default: what the first load needs
    #[arg(long, value_name = "N")]
    initial: Option<u32>,

    /// What one unit carries per second at 100 % utilization; default: the group's `instance` block
    #[arg(long, value_name = "N")]
    throughput: Option<f64>,

    /// From launch to serving: `90s`; evenly between two, `60s..180s`; or skewed, `p50=60s,p95=150s`
    #[arg(long, value_name = "TIME", value_parser = parse_boot)]
    boot: Option<Boot>,

    /// How long an ending instance finishes its work; default: the policy's
    #[arg(long, value_name = "DURATION", value_parser = parse_duration)]
    drain: Option<Duration>,

    /// Seconds that a request takes on an idle instance
    #[arg(long, value_name = "SECONDS")]
    latency: Option<f64>,

    /// What cannot be served at once: dropped (`requests`), or waits (`queue`); default: as the metrics say
    #[arg(long, value_enum)]
    work: Option<WorkArg>,

    /// How late samples of metrics can be seen; default: as the source publishes
    #[arg(long, value_name = "DURATION", value_parser = parse_duration)]
    metric_delay: Option<Duration>,

    /// Spreads each sample of a metric by up to so many percent
    #[arg(long, value_name = "PERCENT", default_value_t = 0.0)]
    noise: f64,

    /// How many times an hour each spot instance is taken back
    #[arg(long, value_name = "N", default_value_t = 0.0)]
    interruptions: f64,

    /// How long before it is taken back a spot instance is told
    #[arg(long, value_name = "DURATION", default_value = "2m", value_parser = parse_duration)]
    notice: Duration,

    /// How many times an hour each instance breaks, so that it serves no more
    #[arg(long, value_name = "N", default_value_t = 0.0)]
    breakdowns: f64,

    /// How long after it broke an instance is replaced
    #[arg(long, value_name = "DURATION", default_value = "2m", value_parser = parse_duration)]
    health_check: Duration,

    /// Percent of launches that fail
    #[arg(long, value_name = "PERCENT", default_value_t = 0.0)]
    failed_launches: f64,

    /// Percent of spot launches that fail
    #[arg(long, value_name = "PERCENT", default_value_t = 0.0)]
    failed_spot_launches: f64,

    /// Pin the capacity for a time, as `scale` does: `12@2026-01-05T08:00:00Z..2026-01-05T10:00:00Z`; may be repeated
    #[arg(long, value_name = "N@FROM..TO", value_parser = asked::parse_pin)]
    pin: Vec<Pinned>,

    /// Start a surge of the files at a time, as `surge start` does: `campaign@2026-01-05T08:00:00Z`; may be repeated
    #[arg(long, value_name = "NAME@TIME", value_parser = asked::parse_surge)]
    surge: Vec<(String, Timestamp)>,

    /// Compare with other scalers on the same load: their names, or `all`
    #[arg(long, value_name = "NAMES", value_delimiter = ',', value_parser = parse_compared)]
    compare: Vec<Compared>,

    /// Write a report as one self-contained HTML page into this file
    #[arg(long, value_name = "FILE")]
    report: Option<PathBuf>,

    #[command(flatten)]
    variables: VariableArgs,

    /// Print it as JSON
    #[arg(long)]
    json: bool,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
enum WorkArg {
    Requests,
    Queue,
}

/// Whom to compare with.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Compared {
    All,
    One(Peer),
}

fn parse_compared(text: &str) -> Result<Compared, String> {
    let text = text.trim();
    if text == "all" {
        return Ok(Compared::All);
    }
    let names = Peer::ALL.map(Peer::name);
    Peer::named(text).map(Compared::One).ok_or_else(|| {
        let near = nearest(text, names.map(str::to_owned));
        let meant = near.map_or_else(String::new, |near| format!(", did you mean `{near}`?"));
        let known = names.join(", ");
        format!("there is no such scaler{meant} (known are {known}, and all)")
    })
}

/// A report with a comparison, as JSON.
#[derive(serde::Serialize)]
struct WithComparison<'a> {
    #[serde(flatten)]
    report: &'a Report,
    #[serde(skip_serializing_if = "Option::is_none")]
    comparison: Option<&'a Comparison>,
}

impl SimulateArgs {
    pub(super) fn run(self, cx: &Context, matches: Option<&clap::ArgMatches>) -> CliResult {
        let given = self.given()?;
        if let Some(file) = &self.report {
            written::check(file, self.trace.as_deref())?;
        }
        let configuration = cx.configuration(&self.variables, matches)?;
        let group = configuration.groups.get(&self.group).ok_or_else(|| {
            let known = configuration.groups.keys().map(GroupAddress::short);
            CliError::NoSuchGroup {
                text: self.group.short(),
                nearest: nearest(&self.group.short(), known),
            }
        })?;
        let given = Given {
            prices: prices(group),
            asked: asked::asked(&self.pin, &self.surge, group)?,
            ..given
        };
        let load = match &self.trace {
            Some(file) => Load::given(self.reading.read(file)?, file.display().to_string()),
            None => self.recorded(cx, &configuration, group, &given)?,
        };
        let given = Given {
            throughput: (load.is_in_units && is_free_of_throughput(group))
                .then_some(1.0)
                .or(given.throughput),
            ..given
        };
        let trace = self.cut(load.trace)?;
        asked::check_times(&given.asked, &trace)?;
        let mut scenario = Scenario::new(group, &trace, &given).map_err(CliError::Scenario)?;
        let named = match &self.trace {
            Some(file) if file == Path::new("-") => "standard input".to_owned(),
            Some(file) => file.display().to_string(),
            None => format!("recorded, {}", load.source),
        };
        if self.trace.is_none() {
            scenario.notes.insert(0, Note::Recorded(load.source));
        }
        let said = asked::notes(&given.asked, scenario.limits());
        scenario.notes.extend(said.into_iter().map(Note::Said));
        if load.is_in_units {
            scenario.notes.push(Note::InUnits);
        }
        scenario
            .notes
            .extend(load.notes.into_iter().map(Note::Said));
        let chart = chart::Chart::new(&trace, !self.json);
        let (report, chart, record) = if self.report.is_some() {
            let length_ms = i64::try_from(trace.length().as_millis()).unwrap_or(i64::MAX);
            let watch = (chart, Recorder::new(length_ms));
            let (report, (chart, recorder), optimum) =
                play_beside_optimum(&scenario, &trace, watch).map_err(CliError::Optimum)?;
            let path = page::shown_path(&optimum);
            let record = recorder.finish(path, scenario.setup.model.weight.max(1));
            (report, chart, Some(record))
        } else {
            let (report, chart) = play(&scenario, &trace, chart).map_err(CliError::Optimum)?;
            (report, chart, None)
        };
        let peers = self.peers();
        let comparison = (!peers.is_empty())
            .then(|| compare::compare(&scenario, &trace, &peers))
            .transpose()
            .map_err(CliError::Optimum)?;
        if let (Some(file), Some(record)) = (&self.report, &record) {
            let text = page::render(&Page {
                report: &report,
                record,
                scenario: &scenario,
                trace: &trace,
                comparison: comparison.as_ref(),
                origin: &self.origin(&configuration, named),
            });
            written::write_whole(file, &text).map_err(|source| CliError::File {
                verb: "written",
                path: file.clone(),
                source,
            })?;
            let size = text.len().div_ceil(1000);
            cx.output
                .note(format!("Wrote {} ({size} kB)", file.display()));
        }
        if self.json {
            cx.output.json(&WithComparison {
                report: &report,
                comparison: comparison.as_ref(),
            });
        } else {
            let heading = render::heading(&report);
            let (first, rest) = heading.split_once('\n').unwrap_or((&heading, ""));
            cx.output.line(paint(BOLD, first));
            cx.output.print(rest);
            cx.output.print(&format!("\n{}\n", chart.text(&trace)));
            cx.output.print(&render::table(&report));
            if let Some(comparison) = &comparison {
                cx.output
                    .print(&format!("\n{}", compare::table(comparison)));
            }
        }
        Ok(exit::WELL)
    }

    /// The load that was recorded of a group: of the last two weeks, or of the time that was asked for.
    fn recorded(
        &self,
        cx: &Context,
        configuration: &Configuration,
        group: &Group,
        given: &Given,
    ) -> Result<Load, CliError> {
        let place = cx.place_of(&configuration.settings, None)?;
        let state = cx.open_state_if_any(&place, OpenMode::ReadOnly)?;
        let unit = Unit::of(group, given).map_err(CliError::Scenario)?;
        let wanted = |now: Timestamp| Wanted {
            address: &group.address,
            group,
            unit,
            is_weighted: is_weighted(group.policy.mix.as_ref()),
            from: self.from.unwrap_or_else(|| before(now, HISTORY)),
            to: self.to.unwrap_or(now),
        };
        let fail = |error| CliError::History {
            group: group.address.short(),
            error,
        };
        let sources = |now| Sources {
            cx,
            state: state.as_ref(),
            from: self.history,
            now,
        };
        // Only its provider knows what time it is: a stepped cloud has its own.
        let providers = open_providers(cx, configuration)?;
        let now = cx.clock_of(&providers).now();
        let (sources, wanted) = (sources(now), wanted(now));
        let load = sources.of_state(&wanted)?;
        if !sources.asks_provider(&load) {
            return load.map_err(fail);
        }
        let mut found = None;
        sources.of_providers(&providers, vec![((), wanted, load)], |(), load| {
            found = Some(load)
        })?;
        found.unwrap_or(Err(NoHistory::Nothing)).map_err(fail)
    }

    /// Where a report says that it comes from.
    fn origin(&self, configuration: &Configuration, load: String) -> Origin {
        let settings: Vec<Setting> = layers::render(configuration, &self.group)
            .into_iter()
            .filter(|setting| !setting.origin.starts_with("default"))
            .map(|setting| Setting {
                path: setting.path,
                value: setting.value,
                origin: setting.origin,
            })
            .collect();
        let mut files: Vec<String> = Vec::new();
        for origin in configuration.origins(&self.group).into_values() {
            let place = origin
                .span
                .and_then(|span| configuration.sources.place(span));
            if let Some((file, _, _)) = place
                && !files.iter().any(|known| **known == *file)
            {
                files.push(file.to_string());
            }
        }
        files.sort();
        Origin {
            files,
            digest: configuration.digest.clone(),
            settings,
            load,
            version: env!("CARGO_PKG_VERSION").to_owned(),
        }
    }

    /// Whom to compare with, each once, in the order in which they were named.
    fn peers(&self) -> Vec<Peer> {
        let mut peers: Vec<Peer> = Vec::new();
        for compared in &self.compare {
            let named: &[Peer] = match compared {
                Compared::All => &Peer::ALL,
                Compared::One(peer) => std::slice::from_ref(peer),
            };
            for peer in named {
                if !peers.contains(peer) {
                    peers.push(*peer);
                }
            }
        }
        peers
    }

    fn given(&self) -> Result<Given, CliError> {
        let share = |percent: f64, flag: &str| {
            let is_share = (0.0..=100.0).contains(&percent);
            is_share.then_some(percent / 100.0).ok_or_else(|| {
                CliError::Usage(format!(
                    "`--{flag} {percent}` must be a percentage from 0 to 100"
                ))
            })
        };
        let number = |value: Option<f64>, flag: &str, least: f64| match value {
            Some(value) if !(value.is_finite() && value >= least) => Err(CliError::Usage(format!(
                "`--{flag} {value}` must be a number of {least} or more"
            ))),
            other => Ok(other),
        };
        if let (Some(from), Some(to)) = (self.from, self.to)
            && from >= to
        {
            return Err(CliError::Usage(format!(
                "`--from {from}` must be before `--to {to}`"
            )));
        }
        Ok(Given {
            boot: self.boot,
            drain: self.drain,
            throughput: number(self.throughput, "throughput", 0.0)?,
            latency_s: number(self.latency, "latency", 0.0)?,
            work: self.work.map(|work| match work {
                WorkArg::Requests => Work::Requests,
                WorkArg::Queue => Work::Queue,
            }),
            metric_delay: self.metric_delay,
            noise: share(self.noise, "noise")?,
            faults: Faults {
                interruptions_per_hour: number(Some(self.interruptions), "interruptions", 0.0)?
                    .unwrap_or(0.0),
                notice: self.notice,
                breakdowns_per_hour: number(Some(self.breakdowns), "breakdowns", 0.0)?
                    .unwrap_or(0.0),
                health_check: self.health_check,
                failed_launches: share(self.failed_launches, "failed-launches")?,
                failed_spot_launches: share(self.failed_spot_launches, "failed-spot-launches")?,
            },
            seed: self.seed,
            initial: self.initial,
            ..Given::default()
        })
    }

    fn cut(&self, trace: Trace) -> Result<Trace, CliError> {
        if self.from.is_none() && self.to.is_none() {
            return Ok(trace);
        }
        trace.between(self.from, self.to).ok_or_else(|| {
            CliError::Usage(format!(
                "no step of the trace begins in that time: it is of {} to {}",
                trace.start(),
                trace.end()
            ))
        })
    }
}

/// What instances of a group cost, without asking its provider: the files, the bundled list, the mock cloud's own.
pub(super) fn prices(group: &Group) -> Option<Prices> {
    let instance = group.policy.instance.as_ref();
    let mix_type = group.policy.mix.as_ref().and_then(|mix| mix.types.first());
    let launch = group.launch.as_ref();
    let launch_type = launch.and_then(|launch| {
        let named = ["type", "instance_type"].map(|name| launch.attributes.get(name));
        named.into_iter().flatten().next()?.as_str()
    });
    let kind = mix_type.map(|of| of.name.as_str()).or(launch_type);
    let is_mock = group.provider.kind.as_ref() == "mock";
    let kind = kind.or(is_mock.then_some("m5.large"));
    let attribute = |name: &str| launch.and_then(|launch| launch.attributes.get(name)?.as_f64());
    let own = ProviderPrices {
        on_demand_usd_per_hour: attribute("price_usd_per_hour")
            .or(Some(DEFAULT_PRICES.on_demand_usd_per_hour))
            .filter(|_| is_mock),
        spot_usd_per_hour: attribute("spot_price_usd_per_hour")
            .or(Some(DEFAULT_PRICES.spot_usd_per_hour))
            .filter(|_| is_mock),
    };
    let provider = kind.filter(|_| is_mock).map(|kind| (kind.to_owned(), own));
    let book = PriceBook::new(instance, provider.into_iter().collect(), None);
    let on_demand = book.price(kind, Lifecycle::OnDemand)?.usd_per_hour;
    let spot = book.price(kind, Lifecycle::Spot)?.usd_per_hour;
    Some(Prices { on_demand, spot })
}

pub(super) fn parse_boot(text: &str) -> Result<Boot, String> {
    let positive = |text: &str| parse_positive_duration(text.trim());
    if let Some((from, to)) = text.split_once("..") {
        let (from, to) = (parse_duration(from.trim())?, positive(to)?);
        return if from <= to {
            Ok(Boot::Between(from, to))
        } else {
            Err("the first duration must not be longer than the second".to_owned())
        };
    }
    if let Some((median, p95)) = text.split_once(',') {
        let of = |part: &str, name: &str| {
            let value = part
                .trim()
                .strip_prefix(name)
                .and_then(|rest| rest.strip_prefix('='));
            value
                .ok_or_else(|| "write it as `p50=60s,p95=150s`".to_owned())
                .and_then(positive)
        };
        let (median, p95) = (of(median, "p50")?, of(p95, "p95")?);
        return if median <= p95 {
            Ok(Boot::Skewed { median, p95 })
        } else {
            Err("p50 must not be longer than p95".to_owned())
        };
    }
    parse_duration(text).map(Boot::Fixed)
}
