//! How steps become samples of metrics: what a step's value is, how the steps of a period are put together, and when a
//! sample can be seen.

use std::collections::VecDeque;
use std::time::Duration;

use tideform_mock::world::{millis, random};
use tideform_policies::model::Statistic;

use super::latency::{latency, latency_quantile};
use super::model::{Model, Work};
use super::served::{Queue, Served};

/// A metric that the world can say.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum WorldMetric {
    /// Utilization cut at 100, in percent, mean over the serving instances; none where nothing serves.
    Cpu,
    /// The same over all live instances, those that still start at 0: EC2 measures these too.
    CpuOfLive,
    /// Arrivals per second, of the group.
    Requests,
    /// Arrivals per second and serving instance; none where nothing serves.
    RequestsPerInstance,
    /// Jobs that wait at the step's end; only where jobs wait.
    QueueDepth,
    /// Seconds that the oldest waiting job has waited; only where jobs wait.
    OldestAge,
    /// Seconds from arrival to answer; see [`super::latency()`].
    Latency,
    /// Dropped share of what arrived, in percent.
    ErrorRate,
    /// What is dropped per second.
    Errors,
    /// Serving capacity in units.
    Capacity,
}

/// The names of the metrics in the files: the known ones first, then the clouds' own, in lower case.
const NAMES: [(&str, WorldMetric); 20] = [
    ("capacity", WorldMetric::Capacity),
    ("cpu", WorldMetric::Cpu),
    ("error_rate", WorldMetric::ErrorRate),
    ("latency", WorldMetric::Latency),
    ("oldest_age", WorldMetric::OldestAge),
    ("queue_depth", WorldMetric::QueueDepth),
    ("requests", WorldMetric::Requests),
    ("requests_per_instance", WorldMetric::RequestsPerInstance),
    ("cpuutilization", WorldMetric::Cpu),
    ("asgaveragecpuutilization", WorldMetric::Cpu),
    ("ecsserviceaveragecpuutilization", WorldMetric::Cpu),
    ("requestcount", WorldMetric::Requests),
    ("requestcountpertarget", WorldMetric::RequestsPerInstance),
    ("albrequestcountpertarget", WorldMetric::RequestsPerInstance),
    ("targetresponsetime", WorldMetric::Latency),
    ("httpcode_target_5xx_count", WorldMetric::Errors),
    ("httpcode_elb_5xx_count", WorldMetric::Errors),
    (
        "approximatenumberofmessagesvisible",
        WorldMetric::QueueDepth,
    ),
    ("approximateageofoldestmessage", WorldMetric::OldestAge),
    ("groupinserviceinstances", WorldMetric::Capacity),
];

impl WorldMetric {
    /// By its name, in any case; `None` is a metric that does not follow from load and capacity.
    pub fn named(name: &str) -> Option<WorldMetric> {
        let name = name.to_ascii_lowercase();
        NAMES
            .iter()
            .find(|(known, _)| *known == name)
            .map(|(_, metric)| *metric)
    }

    /// Whether it only exists where jobs wait.
    pub fn needs_queue(self) -> bool {
        matches!(self, WorldMetric::QueueDepth | WorldMetric::OldestAge)
    }

    /// Whether it counts things per second: its sum over a period is a number of things.
    fn is_rate(self) -> bool {
        matches!(
            self,
            WorldMetric::Requests | WorldMetric::RequestsPerInstance | WorldMetric::Errors
        )
    }

    /// Its value in one step; `None` is no sample.
    #[inline]
    fn value(
        self,
        served: &Served,
        queue: &Queue,
        model: &Model,
        statistic: Statistic,
    ) -> Option<f64> {
        // The commonest by themselves: what the others need is far from the path of a year of steps.
        if self == WorldMetric::Cpu {
            of_serving(served)
        } else if self == WorldMetric::CpuOfLive {
            of_live(served)
        } else {
            self.other_value(served, queue, model, statistic)
        }
    }

    #[inline(never)]
    fn other_value(
        self,
        served: &Served,
        queue: &Queue,
        model: &Model,
        statistic: Statistic,
    ) -> Option<f64> {
        match self {
            WorldMetric::Cpu => of_serving(served),
            WorldMetric::CpuOfLive => of_live(served),
            WorldMetric::Requests => Some(served.load),
            WorldMetric::RequestsPerInstance => {
                (served.instances > 0).then(|| served.load / f64::from(served.instances))
            }
            WorldMetric::QueueDepth => (model.work == Work::Queue).then_some(served.backlog),
            WorldMetric::OldestAge => (model.work == Work::Queue).then(|| queue.oldest_age_s()),
            WorldMetric::Latency => match statistic {
                Statistic::Percentile(percent) => latency_quantile(served, model, percent / 100.0),
                _ => latency(served, model),
            },
            WorldMetric::ErrorRate => Some(if served.load > 0.0 {
                100.0 * served.unserved / served.load
            } else {
                0.0
            }),
            WorldMetric::Errors => Some(served.unserved),
            WorldMetric::Capacity => Some(f64::from(served.units)),
        }
    }
}

/// Utilization over the serving instances, cut at 100.
#[inline]
fn of_serving(served: &Served) -> Option<f64> {
    served
        .utilization_percent()
        .map(|percent| percent.min(100.0))
}

/// The same over all live instances, those that still start at 0.
#[inline]
fn of_live(served: &Served) -> Option<f64> {
    let of_serving = of_serving(served)?;
    if served.live <= served.units {
        return Some(of_serving);
    }
    Some(of_serving * f64::from(served.units) / f64::from(served.live))
}

/// A metric that a controller reads.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Input {
    /// Which.
    pub metric: WorldMetric,
    /// How the steps of a period are put together. A percentile of a latency is the mean of the steps' percentiles.
    pub statistic: Statistic,
    /// The length of one sample; periods are aligned to 1970. Shorter than a step: a sample a step.
    pub period: Duration,
    /// How late a sample can be seen.
    pub delay: Duration,
}

/// The samples of the inputs of one controller.
#[derive(Clone, Debug)]
pub struct Feed {
    series: Vec<Series>,
    /// Samples that cannot be seen yet, by when they can.
    hidden: VecDeque<Hidden>,
    step_ms: i64,
    /// Milliseconds since 1970 at 0.
    origin_ms: i64,
}

#[derive(Clone, Debug)]
struct Series {
    input: Input,
    /// A sample is one step.
    is_plain: bool,
    /// And it can be seen at once, as it is.
    is_direct: bool,
    period_ms: i64,
    delay_ms: i64,
    /// The end of the open period, or 0 before the first step.
    closes: i64,
    count: u32,
    sum: f64,
    least: f64,
    most: f64,
    /// Only where a percentile is asked for.
    values: Vec<f64>,
    drawn: u64,
}

#[derive(Clone, Copy, Debug)]
struct Hidden {
    input: usize,
    until: i64,
    at: i64,
    value: Option<f64>,
}

impl Feed {
    /// For these inputs, in steps of so long, in a run that begins so many milliseconds after 1970.
    pub fn new(inputs: &[Input], model: &Model, step_ms: i64, origin_ms: i64) -> Feed {
        let series = inputs.iter().map(|input| {
            let period_ms = millis(input.period).max(step_ms);
            let is_plain = period_ms == step_ms
                && matches!(
                    input.statistic,
                    Statistic::Average
                        | Statistic::Minimum
                        | Statistic::Maximum
                        | Statistic::Percentile(_)
                );
            Series {
                input: *input,
                is_plain,
                is_direct: is_plain && input.delay.is_zero() && model.noise <= 0.0,
                period_ms,
                delay_ms: millis(input.delay),
                closes: i64::MIN,
                count: 0,
                sum: 0.0,
                least: f64::INFINITY,
                most: f64::NEG_INFINITY,
                values: Vec::new(),
                drawn: 0,
            }
        });
        Feed {
            series: series.collect(),
            hidden: VecDeque::new(),
            step_ms,
            origin_ms,
        }
    }

    /// Takes in a step that ends at `end`, and hands out the samples of this step alone that can be seen at once: the
    /// input, and its value, where there is one. The others are handed out by [`Feed::publish`].
    #[inline]
    pub fn step(
        &mut self,
        served: &Served,
        queue: &Queue,
        model: &Model,
        end: i64,
        mut see: impl FnMut(usize, Option<f64>),
    ) {
        let mut place = 0;
        while let Some(series) = self.series.get(place) {
            let value = series
                .input
                .metric
                .value(served, queue, model, series.input.statistic);
            if series.is_direct {
                see(place, value);
            } else {
                self.collect(place, value, model, end);
            }
            place += 1;
        }
    }

    /// Puts the value of a step to those of its period, and hides the sample that is complete.
    #[inline(never)]
    fn collect(&mut self, place: usize, value: Option<f64>, model: &Model, end: i64) {
        let (step_ms, origin_ms) = (self.step_ms, self.origin_ms);
        let Some(series) = self.series.get_mut(place) else {
            return;
        };
        let delay_ms = series.delay_ms;
        let mut hide = |at: i64, value: Option<f64>| {
            let until = at + delay_ms;
            let hidden = Hidden {
                input: place,
                until,
                at,
                value,
            };
            let later = self.hidden.partition_point(|other| other.until <= until);
            self.hidden.insert(later, hidden);
        };
        if series.is_plain {
            hide(end, series.with_noise(value, model, place));
            return;
        }
        if end > series.closes {
            if series.closes != i64::MIN {
                let closed = series.closes;
                let value = series.close(step_ms);
                hide(closed, series.with_noise(value, model, place));
            }
            series.open(end, step_ms, origin_ms);
        }
        series.add(value);
        if end == series.closes {
            let value = series.close(step_ms);
            hide(end, series.with_noise(value, model, place));
            series.closes = i64::MIN;
        }
    }

    /// Hands out the samples that can be seen by now.
    #[inline]
    pub fn publish(&mut self, now: i64, mut see: impl FnMut(usize, i64, Option<f64>)) {
        while let Some(hidden) = self.hidden.front()
            && hidden.until <= now
        {
            see(hidden.input, hidden.at, hidden.value);
            self.hidden.pop_front();
        }
    }
}

impl Series {
    /// Opens the period that a step belongs to: the one in which it ends, at exactly its end the one that closes.
    fn open(&mut self, end: i64, step_ms: i64, origin_ms: i64) {
        self.closes = if self.period_ms == step_ms {
            end
        } else {
            ((origin_ms + end - 1).div_euclid(self.period_ms) + 1) * self.period_ms - origin_ms
        };
        self.count = 0;
        self.sum = 0.0;
        self.least = f64::INFINITY;
        self.most = f64::NEG_INFINITY;
        self.values.clear();
    }

    fn add(&mut self, value: Option<f64>) {
        let Some(value) = value else { return };
        self.count += 1;
        self.sum += value;
        self.least = self.least.min(value);
        self.most = self.most.max(value);
        if matches!(self.input.statistic, Statistic::Percentile(_)) {
            self.values.push(value);
        }
    }

    fn close(&mut self, step_ms: i64) -> Option<f64> {
        if self.count == 0 {
            return None;
        }
        let mean = self.sum / f64::from(self.count);
        let total = if self.input.metric.is_rate() {
            self.sum * (step_ms as f64 / 1000.0)
        } else {
            self.sum
        };
        Some(match self.input.statistic {
            Statistic::Average => mean,
            Statistic::Sum => total,
            Statistic::Rate => total / (self.period_ms as f64 / 1000.0),
            Statistic::Minimum => self.least,
            Statistic::Maximum => self.most,
            Statistic::Percentile(_) if self.input.metric == WorldMetric::Latency => mean,
            Statistic::Percentile(percent) => {
                self.values.sort_by(f64::total_cmp);
                let rank = (percent / 100.0 * self.values.len() as f64).ceil().max(1.0) as usize;
                let rank = rank.min(self.values.len()) - 1;
                self.values.get(rank).copied().unwrap_or(mean)
            }
        })
    }

    fn with_noise(&mut self, value: Option<f64>, model: &Model, place: usize) -> Option<f64> {
        if model.noise <= 0.0 {
            return value;
        }
        self.drawn += 1;
        value.map(|value| noisy(value, self.input.metric, model, place, self.drawn))
    }
}

/// The value with the model's noise; a percentage stays one.
fn noisy(value: f64, metric: WorldMetric, model: &Model, place: usize, sample: u64) -> f64 {
    let draw = random::unit(model.seed, &[random::key("noise"), place as u64, sample]);
    let value = value * (1.0 + model.noise * (2.0 * draw - 1.0));
    match metric {
        WorldMetric::Cpu | WorldMetric::CpuOfLive | WorldMetric::ErrorRate => {
            value.clamp(0.0, 100.0)
        }
        _ => value.max(0.0),
    }
}
