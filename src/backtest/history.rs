//! From what the loop has recorded to the load that there was. Pure.
//!
//! The loop keeps samples of the metrics and what the group had. A metric of the group's arrivals is the load; a mean over
//! the instances is the load once it is multiplied by the instances that served.

use std::time::Duration;

use jiff::Timestamp;
use tideform_policies::model::units::format_duration;
use tideform_policies::model::{Group, Metric, Name, Statistic};
use tideform_state::{CapacityRun, MERGE_GAP, StoredSample};

use crate::simulate::metric_of;
use crate::simulate::trace::Trace;
use crate::simulate::world::WorldMetric;

/// How far back is looked: as long as the state keeps samples as they were read.
pub const HISTORY: Duration = Duration::from_secs(14 * 86_400);

/// Where no sample is for so long at most, the load before stands in for it. A longer silence ends a history.
pub const LONGEST_HELD: Duration = Duration::from_secs(3_600);

/// A shorter history is none.
pub const SHORTEST: Duration = Duration::from_secs(3_600);

/// A step of a load is no shorter, and no longer than [`LONGEST_STEP_S`].
const SHORTEST_STEP_S: i64 = 60;
const LONGEST_STEP_S: i64 = 3_600;

/// A mean of utilization from here on says only that the load was at least so high.
const SATURATED_PERCENT: f64 = 95.0;

/// A load, and where it comes from.
#[derive(Clone, Debug, PartialEq)]
pub struct Load {
    /// The load.
    pub trace: Trace,
    /// Where it comes from, for people: a metric, a file.
    pub source: String,
    /// Steps in which the load before stands in for a missing sample.
    pub held: usize,
}

/// Why there is no history.
#[derive(Clone, Debug, PartialEq, thiserror::Error)]
pub enum NoHistory {
    /// There is no state, or it knows nothing of the group.
    #[error(
        "nothing is recorded of this group yet; let `reconcile` run, or give its load: `--trace FILE`"
    )]
    Nothing,
    /// No metric tells the load.
    #[error(
        "no metric of the applied policy tells its load; add one such as `metric \"requests\" {{}}`, or give its load: `--trace FILE`"
    )]
    NoMetric,
    /// Not enough of it.
    #[error(
        "only {} of `{metric}` without a longer gap is recorded, and it takes {}; let `reconcile` run on, or give its load: `--trace FILE`",
        format_duration(*found),
        format_duration(SHORTEST)
    )]
    TooShort {
        /// Of which metric.
        metric: Name,
        /// The longest stretch.
        found: Duration,
    },
}

/// How a metric tells the load.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Tells {
    /// It is the load.
    Load,
    /// It is the load of an instance.
    LoadOfInstance,
    /// It is the utilization of what serves, in percent.
    Utilization,
    /// It is the utilization of all that is paid for, in percent: starting instances count as idle.
    UtilizationOfLive,
}

impl Tells {
    /// Whether the instances have to be known.
    fn needs_capacity(self) -> bool {
        !matches!(self, Tells::Load)
    }
}

/// The metric of a group that tells its load best, and how.
pub fn teller(group: &Group) -> Option<(&Metric, Tells)> {
    let best = group.policy.metrics.iter().enumerate();
    let best = best.filter_map(|(place, metric)| {
        let is_mean = matches!(metric.statistic, Statistic::Average);
        let is_rate = is_mean || matches!(metric.statistic, Statistic::Sum | Statistic::Rate);
        let tells = match metric_of(group, place)? {
            WorldMetric::Requests if is_rate => Tells::Load,
            WorldMetric::RequestsPerInstance if is_rate => Tells::LoadOfInstance,
            WorldMetric::Cpu if is_mean && &*group.provider.kind == "aws" => {
                Tells::UtilizationOfLive
            }
            WorldMetric::Cpu if is_mean => Tells::Utilization,
            WorldMetric::CpuOfLive if is_mean => Tells::UtilizationOfLive,
            _ => return None,
        };
        Some((metric, tells))
    });
    best.min_by_key(|(_, tells)| match tells {
        Tells::Load => 0,
        Tells::LoadOfInstance => 1,
        Tells::Utilization | Tells::UtilizationOfLive => 2,
    })
}

/// What the load needs beside the samples.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Instances<'a> {
    /// What the group had, oldest first.
    pub runs: &'a [CapacityRun],
    /// From launch to serving.
    pub boot: Duration,
    /// Load per second that one unit carries at 100 % utilization.
    pub throughput: f64,
}

/// The load that the samples of a metric tell: the longest stretch without a gap of more than [`LONGEST_HELD`], the
/// newest of equal ones.
///
/// A step is as long as the samples are usually apart, in whole minutes; several samples in one are averaged. A mean
/// over instances is multiplied by the mean of what served in its period; samples of a time whose
/// instances nobody has recorded are left out.
///
/// # Errors
/// [`NoHistory`].
pub fn load(
    metric: &Metric,
    tells: Tells,
    samples: &[StoredSample],
    instances: &Instances<'_>,
) -> Result<Load, NoHistory> {
    let divisor = match metric.statistic {
        Statistic::Sum => metric.period.as_secs_f64().max(1.0),
        _ => 1.0,
    };
    // Roll-ups are older than what is looked at.
    let samples: Vec<&StoredSample> = samples.iter().filter(|s| s.rolled_up.is_none()).collect();
    if samples.is_empty() || (tells.needs_capacity() && instances.runs.is_empty()) {
        return Err(NoHistory::Nothing);
    }
    let step_s = usual_step(&samples);
    let mut served = Served::new(instances, tells);
    let mut steps: Vec<Step> = Vec::new();
    for sample in samples {
        let factor = match tells {
            Tells::Load => Some(1.0),
            Tells::LoadOfInstance => served.mean(sample.at, metric.period),
            Tells::Utilization | Tells::UtilizationOfLive => served
                .mean(sample.at, metric.period)
                .map(|units| units * instances.throughput / 100.0),
        };
        let Some(factor) = factor else {
            continue;
        };
        let load = (sample.value / divisor * factor).max(0.0);
        if !load.is_finite() {
            continue;
        }
        // A sample is about the time before it.
        let index = (sample.at.as_second() - 1).div_euclid(step_s);
        let is_bound = matches!(tells, Tells::Utilization | Tells::UtilizationOfLive)
            && sample.value >= SATURATED_PERCENT;
        match steps.last_mut() {
            Some(last) if last.index == index => last.add(load, is_bound),
            _ => steps.push(Step {
                index,
                sum: load,
                count: 1,
                is_bound,
            }),
        }
    }
    let stretch = longest_stretch(&steps, step_s);
    let (Some(first), Some(last)) = (stretch.first(), stretch.last()) else {
        return Err(NoHistory::Nothing);
    };
    let length_s = (last.index - first.index + 1) * step_s;
    let found = Duration::from_secs(length_s.unsigned_abs());
    if found < SHORTEST {
        return Err(NoHistory::TooShort {
            metric: metric.name.clone(),
            found,
        });
    }
    let mut values: Vec<f64> = Vec::with_capacity((last.index - first.index + 1) as usize);
    let mut bounds = Vec::new();
    let mut held = 0;
    for step in stretch {
        let before = values.last().copied().unwrap_or(0.0);
        while first.index + (values.len() as i64) < step.index {
            values.push(before);
            held += 1;
        }
        if step.is_bound {
            bounds.push(values.len() as u32);
        }
        values.push(step.sum / f64::from(step.count));
    }
    let start = Timestamp::from_second(first.index * step_s).unwrap_or(Timestamp::UNIX_EPOCH);
    let step = Duration::from_secs(step_s.unsigned_abs());
    let trace = Trace::new(start, step, values).map_err(|_| NoHistory::Nothing)?;
    Ok(Load {
        trace: trace.with_lower_bounds(bounds),
        source: format!("`{}`", metric.name),
        held,
    })
}

/// The samples of one step.
#[derive(Clone, Copy, Debug)]
struct Step {
    /// Steps since 1970.
    index: i64,
    sum: f64,
    count: u32,
    is_bound: bool,
}

impl Step {
    fn add(&mut self, load: f64, is_bound: bool) {
        self.sum += load;
        self.count += 1;
        self.is_bound |= is_bound;
    }
}

/// How far apart samples usually are, in whole minutes: the median.
fn usual_step(samples: &[&StoredSample]) -> i64 {
    let mut apart: Vec<i64> = samples
        .iter()
        .zip(samples.iter().skip(1))
        .map(|(a, b)| b.at.as_second() - a.at.as_second())
        .collect();
    let middle = apart.len() / 2;
    if apart.is_empty() {
        return SHORTEST_STEP_S;
    }
    let (_, median, _) = apart.select_nth_unstable(middle);
    let minutes = (*median + SHORTEST_STEP_S / 2) / SHORTEST_STEP_S;
    (minutes * SHORTEST_STEP_S).clamp(SHORTEST_STEP_S, LONGEST_STEP_S)
}

/// The longest run of steps without a long gap between them.
fn longest_stretch(steps: &[Step], step_s: i64) -> &[Step] {
    let longest_held = LONGEST_HELD.as_secs() as i64 / step_s;
    let length = |steps: &[Step]| match (steps.first(), steps.last()) {
        (Some(first), Some(last)) => last.index - first.index + 1,
        _ => 0,
    };
    let stretches = steps.chunk_by(|a, b| b.index - a.index - 1 <= longest_held);
    stretches
        .max_by_key(|steps| length(steps))
        .unwrap_or_default()
}

/// What served, over time.
struct Served<'a> {
    runs: &'a [CapacityRun],
    tells: Tells,
    boot_ms: i64,
    /// The first run that can still matter: samples come in the order of time.
    first: usize,
}

impl<'a> Served<'a> {
    fn new(instances: &Instances<'a>, tells: Tells) -> Served<'a> {
        Served {
            runs: instances.runs,
            tells,
            boot_ms: i64::try_from(instances.boot.as_millis()).unwrap_or(i64::MAX),
            first: 0,
        }
    }

    /// The mean over a period that ends at a time; `None`: nobody has recorded all of it.
    fn mean(&mut self, end: Timestamp, period: Duration) -> Option<f64> {
        let end_ms = end.as_millisecond();
        let from_ms = end_ms - i64::try_from(period.as_millis()).ok()?.max(1);
        let needed = from_ms.saturating_sub(self.boot_ms);
        while let Some(next) = self.runs.get(self.first + 1)
            && next.sample.at.as_millisecond() <= needed
        {
            self.first += 1;
        }
        let (mut sum, mut known) = (0.0, 0_i64);
        for (i, run) in self.runs.iter().enumerate().skip(self.first) {
            let at = run.sample.at.as_millisecond();
            if at >= end_ms {
                break;
            }
            let (mut from, to) = (at.max(from_ms), self.ends(i).min(end_ms));
            while from < to {
                let (units, until) = self.units(i, from);
                let until = until.min(to);
                sum += units * (until - from) as f64;
                known += until - from;
                from = until;
            }
        }
        // The first tick after a start knows only its own end of the period.
        (known * 2 >= end_ms - from_ms).then(|| sum / known as f64)
    }

    /// Until when a run is taken to hold: to the next one, unless nobody looked for longer than the state merges.
    fn ends(&self, i: usize) -> i64 {
        let Some(run) = self.runs.get(i) else {
            return i64::MIN;
        };
        let until = run.until.as_millisecond();
        let patience = i64::try_from(MERGE_GAP.as_millis()).unwrap_or(i64::MAX);
        let next = self
            .runs
            .get(i + 1)
            .map(|next| next.sample.at.as_millisecond());
        next.unwrap_or(i64::MAX).min(until.saturating_add(patience))
    }

    /// What served at a time while a run held, and until when that is so: see `serving`.
    fn units(&self, i: usize, at_ms: i64) -> (f64, i64) {
        let Some(run) = self.runs.get(i) else {
            return (0.0, i64::MAX);
        };
        let sample = &run.sample;
        match self.tells {
            Tells::Load => (1.0, i64::MAX),
            Tells::UtilizationOfLive => (f64::from(sample.units), i64::MAX),
            Tells::Utilization => {
                let (units, until) = serving(self.runs, i, at_ms, self.boot_ms);
                (f64::from(units), until)
            }
            Tells::LoadOfInstance => {
                let (units, until) = serving(self.runs, i, at_ms, self.boot_ms);
                let instances = f64::from(sample.on_demand.saturating_add(sample.spot));
                let each = f64::from(sample.units.max(1));
                (f64::from(units) * instances / each, until)
            }
        }
    }
}

/// The units that served at a time while run `i` held, as far as records tell, and until when that is so.
///
/// Records say what is paid for, what was asked for and what is past its warm-up. An instance serves from its boot on,
/// which is before its warm-up ends; so what serves is what was there a boot ago already, and is not on its way out: the
/// least of `min(units, desired)` since then, and never less than `ready`.
fn serving(runs: &[CapacityRun], i: usize, at_ms: i64, boot_ms: i64) -> (u32, i64) {
    let Some(run) = runs.get(i) else {
        return (0, i64::MAX);
    };
    let kept = |run: &CapacityRun| run.sample.units.min(run.sample.desired);
    let (mut least, mut until) = (kept(run), i64::MAX);
    let earlier = runs.get(..i).unwrap_or_default().iter().rev();
    let later = runs.get(..=i).unwrap_or_default().iter().rev();
    for (earlier, later) in earlier.zip(later) {
        // It held until the later one began, and matters for a boot more.
        let matters = later.sample.at.as_millisecond().saturating_add(boot_ms);
        if matters <= at_ms {
            break;
        }
        least = least.min(kept(earlier));
        until = matters;
    }
    (least.max(run.sample.ready), until)
}
