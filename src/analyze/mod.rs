//! What a load is like: its level, patterns, trend, spikes and bursts, how well it can be predicted, and which kind of
//! policy that asks for.
//!
//! In: a [`Trace`] and [`Options`]. Out: an [`Analysis`], the numbers and an advice with its evidence; `view` makes text
//! of it. Reads no clock and no file. What every number means, and how it is computed, is in `docs/analyze.md`.
//!
//! - `numbers`: means, quantiles, correlation.
//! - `hours`: the load by local hour, which patterns are found in.
//! - `pattern`, `trend`, `spikes`, `days`, `bursts`, `predict`: one question each.
//! - `windows`: busy times of the day, for a schedule.
//! - `replay`: what each kind of policy would have cost, on time that it was not chosen on.
//! - `advice`: the kind of policy, why, and a policy to begin with.

mod advice;
mod bursts;
mod days;
mod hours;
mod numbers;
mod pattern;
mod predict;
mod replay;
mod spikes;
#[cfg(test)]
mod tests;
mod trend;
mod view;
mod windows;

use std::time::Duration;

use jiff::Timestamp;
use jiff::tz::TimeZone;
use serde::Serialize;

pub use advice::Advice;
pub use bursts::Bursts;
pub use days::Anomaly;
pub use pattern::{Autocorrelation, Daily, Weekly};
pub use predict::{Horizon, Predictability};
pub use replay::{Kind, Played, Replay};
pub use spikes::{Recurring, Spike, Spikes};
pub use trend::{Shift, Trend};
pub use view::render;
pub use windows::{Days, Window};

use crate::simulate::trace::Trace;
use hours::Hours;

/// Where the hour explains less of the variance, there is no pattern to go by.
const REGULAR: f64 = 0.2;

/// The format of the JSON form.
const FORMAT_VERSION: u32 = 1;

/// What is known beside the trace.
#[derive(Clone, Debug)]
pub struct Options {
    /// The zone whose days and hours the people behind the load live by.
    pub timezone: TimeZone,
    /// From launch until an instance serves.
    pub boot: Duration,
    /// The load that one instance carries at 100 %, where known.
    pub throughput: Option<f64>,
}

impl Default for Options {
    fn default() -> Options {
        Options {
            timezone: TimeZone::UTC,
            boot: Duration::from_secs(180),
            throughput: None,
        }
    }
}

/// What a trace is like.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Analysis {
    /// The version of this form.
    pub format_version: u32,
    /// What was looked at.
    pub trace: Span,
    /// How much load there is.
    pub level: Level,
    /// How much a day is like the day before, and a week like the week before.
    pub autocorrelation: Autocorrelation,
    /// The shape of a day; nothing where the trace has fewer than two.
    pub daily: Option<Daily>,
    /// The shape of a week; nothing where the trace has fewer than two.
    pub weekly: Option<Weekly>,
    /// Slow change; nothing below two weeks.
    pub trend: Option<Trend>,
    /// Short peaks far above what was to be expected.
    pub spikes: Spikes,
    /// Days unlike their like, and times without load.
    pub anomalies: Vec<Anomaly>,
    /// How much load can rise before a new instance serves.
    pub bursts: Bursts,
    /// How well the load can be predicted; nothing below three days.
    pub predictability: Option<Predictability>,
    /// The load that one instance carries within the SLO; nothing where there is no load and no throughput is given.
    #[serde(skip)]
    pub load_per_instance: Option<f64>,
    /// What each kind of policy would have cost; nothing below three days.
    pub replay: Option<Replay>,
    /// Busy times of the day, that a schedule could raise floors in.
    pub busy: Vec<Window>,
    /// The kind of policy for it.
    pub advice: Advice,
}

/// What was looked at.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Span {
    /// The start of its first step.
    pub from: Timestamp,
    /// The end of its last.
    pub to: Timestamp,
    /// The length of a step.
    pub step_s: u64,
    /// How many steps.
    pub steps: usize,
    /// Steps that something stood in for.
    pub filled: usize,
    /// The zone of hours and days.
    pub timezone: String,
}

/// How much load there is.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Level {
    /// What the load is above for 95 % of the time.
    pub base: f64,
    /// Its mean.
    pub mean: f64,
    /// Its median.
    pub p50: f64,
    /// Above it for 5 % of the time.
    pub p95: f64,
    /// Above it for 0.1 % of the time.
    pub p999: f64,
    /// Its largest value.
    pub max: f64,
    /// `max / mean`.
    pub peak_to_mean: f64,
    /// Standard deviation / mean.
    pub variation: f64,
    /// The share of steps without any load.
    pub zeros_percent: f64,
}

impl Level {
    fn of(values: &[f64]) -> Level {
        let sorted = numbers::sorted(values);
        let mean = numbers::mean(values);
        let max = sorted.last().copied().unwrap_or(0.0);
        let zeros = values.iter().filter(|value| **value == 0.0).count();
        Level {
            base: numbers::quantile(&sorted, 0.05),
            mean,
            p50: numbers::quantile(&sorted, 0.5),
            p95: numbers::quantile(&sorted, 0.95),
            p999: numbers::quantile(&sorted, 0.999),
            max,
            peak_to_mean: numbers::ratio(max, mean),
            variation: numbers::ratio(numbers::deviation(values), mean),
            zeros_percent: 100.0 * zeros as f64 / values.len() as f64,
        }
    }
}

/// A series to work with: a load for each step.
#[derive(Clone, Debug)]
struct Series {
    start: Timestamp,
    step_s: u64,
    values: Vec<f64>,
}

impl Series {
    /// The trace, or means of it where its steps are shorter than `least_s`.
    fn of(trace: &Trace, least_s: u64) -> Series {
        let step_s = trace.step().as_secs().max(1);
        let together = (least_s / step_s).max(1) as usize;
        Series {
            start: trace.start(),
            step_s: step_s * together as u64,
            values: trace
                .values()
                .chunks(together)
                .filter(|chunk| chunk.len() == together || trace.values().len() < together)
                .map(numbers::mean)
                .collect(),
        }
    }

    fn at(&self, index: usize) -> Timestamp {
        let seconds = i64::try_from(index as u64 * self.step_s).unwrap_or(i64::MAX);
        self.start
            .checked_add(jiff::SignedDuration::from_secs(seconds))
            .unwrap_or(self.start)
    }

    /// How many steps a length of time is; nothing where it is no whole number of them.
    fn steps_in(&self, seconds: u64) -> Option<usize> {
        seconds
            .is_multiple_of(self.step_s)
            .then_some((seconds / self.step_s) as usize)
    }
}

const HOUR_S: u64 = 3600;
const DAY_S: u64 = 86_400;
const WEEK_S: u64 = 7 * DAY_S;

/// Looks at a trace from all sides, and says which kind of policy it asks for.
///
/// Cost: some thirty passes over the trace.
pub fn analyze(trace: &Trace, options: &Options) -> Analysis {
    let raw = Series::of(trace, 1);
    let series = Series::of(trace, 60);
    let hours = Hours::of(&series, &options.timezone);
    let level = Level::of(&raw.values);
    let daily = pattern::daily(&raw, &hours);
    let weekly = pattern::weekly(&raw, &hours, daily.as_ref());
    let trend = trend::of(&raw, &hours);
    let spikes = spikes::of(&series, &hours, level.mean);
    let anomalies = days::of(&hours);
    let bursts = bursts::of(&raw, options.boot, level.mean);
    let predictability = predict::of(&series, options.boot);
    let by_weekday = weekly.as_ref().is_some_and(|weekly| weekly.gain >= 0.05);
    let busy = match &daily {
        Some(daily) if daily.strength >= REGULAR => {
            windows::of(&hours, 0..hours.cells.len(), by_weekday)
        }
        _ => Vec::new(),
    };
    let is_regular = daily.iter().any(|daily| daily.strength >= REGULAR)
        || weekly.iter().any(|weekly| weekly.strength >= REGULAR);
    let load_per_instance = replay::load_per_instance(&series, options);
    let replay =
        load_per_instance.and_then(|load| replay::of(&series, &hours, options, load, is_regular));
    let mut analysis = Analysis {
        format_version: FORMAT_VERSION,
        trace: Span {
            from: trace.start(),
            to: trace.end(),
            step_s: raw.step_s,
            steps: raw.values.len(),
            filled: trace.filled(),
            timezone: options.timezone.iana_name().unwrap_or("UTC").to_owned(),
        },
        level,
        autocorrelation: pattern::autocorrelation(&raw),
        daily,
        weekly,
        trend,
        spikes,
        anomalies,
        bursts,
        predictability,
        load_per_instance,
        replay,
        busy,
        advice: Advice::default(),
    };
    analysis.advice = advice::of(&analysis, options);
    analysis
}
