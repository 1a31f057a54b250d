//! The metrics of the mock cloud, and how steps become samples.

use std::time::Duration;

use tideform_policies::model::{Sample, Statistic};

use super::history::Outcome;
use super::moment::{Moment, millis};

/// A metric that every group has.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum WorldMetric {
    /// Utilization cut at 100, in percent, mean over the serving instances; none where nothing serves.
    Cpu,
    /// Arrivals per second, of the group; also without instances.
    Requests,
    /// Arrivals per second and serving instance; none where nothing serves.
    RequestsPerInstance,
    /// Jobs that wait at the step's end; only in queue worlds, also without instances.
    QueueDepth,
    /// Seconds that the oldest waiting job has waited; only in queue worlds, also without instances.
    OldestAge,
    /// Seconds from arrival to answer, the mean; see [`latency`].
    Latency,
    /// Dropped share of what arrived, in percent; 0 where nothing arrived.
    ErrorRate,
    /// Serving capacity in units.
    Capacity,
}

/// All of them, by name.
pub const METRICS: [(&str, WorldMetric); 8] = [
    ("capacity", WorldMetric::Capacity),
    ("cpu", WorldMetric::Cpu),
    ("error_rate", WorldMetric::ErrorRate),
    ("latency", WorldMetric::Latency),
    ("oldest_age", WorldMetric::OldestAge),
    ("queue_depth", WorldMetric::QueueDepth),
    ("requests", WorldMetric::Requests),
    ("requests_per_instance", WorldMetric::RequestsPerInstance),
];

impl WorldMetric {
    /// By its name in the files.
    pub fn named(name: &str) -> Option<WorldMetric> {
        METRICS
            .iter()
            .find(|(known, _)| *known == name)
            .map(|(_, metric)| *metric)
    }

    /// Its value in one step; `None` is no sample. `oldest_age_s` is only read for that metric.
    pub fn value(self, outcome: &Outcome, oldest_age_s: Option<f64>) -> Option<f64> {
        match self {
            WorldMetric::Cpu => outcome
                .utilization_percent
                .map(|percent| percent.min(100.0)),
            WorldMetric::Requests => Some(outcome.load),
            WorldMetric::RequestsPerInstance => {
                (outcome.instances > 0).then(|| outcome.load / f64::from(outcome.instances))
            }
            WorldMetric::QueueDepth => outcome.backlog,
            WorldMetric::OldestAge => oldest_age_s,
            WorldMetric::Latency => latency(outcome),
            WorldMetric::ErrorRate => Some(if outcome.load > 0.0 {
                100.0 * outcome.unserved / outcome.load
            } else {
                0.0
            }),
            WorldMetric::Capacity => Some(f64::from(outcome.units)),
        }
    }

    /// How its steps are put together.
    pub fn nature(self) -> Nature {
        match self {
            WorldMetric::Requests | WorldMetric::RequestsPerInstance => Nature::PerSecond,
            WorldMetric::Latency => Nature::Exponential,
            WorldMetric::Cpu
            | WorldMetric::QueueDepth
            | WorldMetric::OldestAge
            | WorldMetric::ErrorRate
            | WorldMetric::Capacity => Nature::Gauge,
        }
    }
}

/// How the steps of a metric are put together.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Nature {
    /// Each step is a value that was read.
    Gauge,
    /// It counts things per second: its sum over a period is a number of things.
    PerSecond,
    /// Each step is the mean of an exponential distribution.
    Exponential,
}

/// Mean seconds from arrival to answer, `S / (1 - u)` with `u` cut at 0.99: S on an idle instance, 100 S at most.
///
/// In a queue world the wait for what is before it comes on top: backlog / capacity. The mean sojourn time of an M/M/1
/// queue (Kleinrock, "Queueing Systems", 1975); where nothing serves there is no sample.
pub fn latency(outcome: &Outcome) -> Option<f64> {
    let utilization = (outcome.utilization_percent? / 100.0).min(0.99);
    let queued = outcome
        .backlog
        .map_or(0.0, |backlog| backlog / outcome.carried);
    Some(match outcome.backlog {
        None => outcome.latency_s / (1.0 - utilization),
        Some(_) => outcome.latency_s + queued,
    })
}

/// How samples are asked for.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Sampling {
    /// How steps are put together.
    pub statistic: Statistic,
    /// The length of one sample; periods are aligned to 1970. Shorter than a step: a sample a step.
    pub period: Duration,
    /// Only samples that end after this.
    pub from: Moment,
    /// Only samples that end at or before this.
    pub to: Moment,
}

/// Puts the values of steps, `(end of the step, value)` by rising time, together into samples.
///
/// Average, sum, minimum, maximum as CloudWatch has them; the sum of a metric that is a rate is the number of things in
/// the period, and `rate` is the sum per second. Percentiles are by nearest rank over the period's steps, but those of
/// `latency` follow the exponential distribution that M/M/1 has: `-ln(1 - p)` times the mean.
pub fn samples(
    nature: Nature,
    values: &[(Moment, f64)],
    step_ms: i64,
    sampling: &Sampling,
) -> Vec<Sample> {
    let period = millis(sampling.period).max(step_ms).max(1);
    let step_s = step_ms as f64 / 1000.0;
    let mut samples = Vec::new();
    let mut rest = values;
    while let Some((at, _)) = rest.first() {
        // A step belongs to the period in which it ends; at exactly its end to the one that closes.
        let end = if period == step_ms {
            *at
        } else {
            Moment(((at.0 - 1).div_euclid(period) + 1) * period)
        };
        let length = rest.partition_point(|(at, _)| *at <= end).max(1);
        let (inside, after) = rest.split_at(length);
        rest = after;
        if end > sampling.from && end <= sampling.to {
            let value = aggregate(nature, inside, step_s, period, sampling.statistic);
            if value.is_finite() {
                samples.push(Sample {
                    at: end.timestamp(),
                    value,
                });
            }
        }
    }
    samples
}

fn aggregate(
    nature: Nature,
    values: &[(Moment, f64)],
    step_s: f64,
    period_ms: i64,
    statistic: Statistic,
) -> f64 {
    let numbers = || values.iter().map(|(_, value)| *value);
    let mean = || numbers().sum::<f64>() / values.len().max(1) as f64;
    let total = || {
        let sum = numbers().sum::<f64>();
        if nature == Nature::PerSecond {
            sum * step_s
        } else {
            sum
        }
    };
    match statistic {
        Statistic::Average => mean(),
        Statistic::Sum => total(),
        Statistic::Rate => total() / (period_ms as f64 / 1000.0),
        Statistic::Minimum => numbers().fold(f64::INFINITY, f64::min),
        Statistic::Maximum => numbers().fold(f64::NEG_INFINITY, f64::max),
        Statistic::Percentile(percent) if nature == Nature::Exponential => {
            -(1.0 - (percent / 100.0).clamp(0.0, 0.999_999)).ln() * mean()
        }
        Statistic::Percentile(percent) => {
            let mut sorted: Vec<f64> = numbers().collect();
            sorted.sort_by(f64::total_cmp);
            let rank = (percent / 100.0 * sorted.len() as f64).ceil().max(1.0) as usize;
            sorted
                .get(rank.min(sorted.len()) - 1)
                .copied()
                .unwrap_or(f64::NAN)
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(metric: WorldMetric, statistic: Statistic, period_s: u64) -> Vec<(i64, f64)> {
        let values: Vec<(Moment, f64)> = [10.0, 20.0, 30.0, 60.0, 80.0]
            .iter()
            .zip(1..)
            .map(|(value, minute)| (Moment(minute * 60_000), *value))
            .collect();
        let sampling = Sampling {
            statistic,
            period: Duration::from_secs(period_s),
            from: Moment(0),
            to: Moment(5 * 60_000),
        };
        samples(metric.nature(), &values, 60_000, &sampling)
            .iter()
            .map(|sample| (sample.at.as_second() / 60, sample.value))
            .collect()
    }

    #[test]
    fn statistics_put_the_steps_of_a_period_together() {
        use WorldMetric::{Cpu, Requests};
        for (metric, statistic, expected) in [
            (Cpu, Statistic::Average, [(2, 15.0), (4, 45.0)]),
            (Cpu, Statistic::Sum, [(2, 30.0), (4, 90.0)]),
            (Cpu, Statistic::Minimum, [(2, 10.0), (4, 30.0)]),
            (Cpu, Statistic::Maximum, [(2, 20.0), (4, 60.0)]),
            (Cpu, Statistic::Percentile(50.0), [(2, 10.0), (4, 30.0)]),
            (Cpu, Statistic::Percentile(99.0), [(2, 20.0), (4, 60.0)]),
            (Requests, Statistic::Sum, [(2, 1_800.0), (4, 5_400.0)]),
            (Requests, Statistic::Rate, [(2, 15.0), (4, 45.0)]),
        ] {
            assert_eq!(read(metric, statistic, 120), expected, "{statistic:?}");
        }
    }

    #[test]
    fn a_period_still_open_is_left_out_and_short_ones_are_steps() {
        assert_eq!(
            read(WorldMetric::Cpu, Statistic::Average, 120).last(),
            Some(&(4, 45.0))
        );
        assert_eq!(read(WorldMetric::Cpu, Statistic::Average, 10).len(), 5);
        assert_eq!(read(WorldMetric::Cpu, Statistic::Average, 600), []);
    }

    #[test]
    fn latency_grows_with_utilization_up_to_a_hundredfold() {
        let outcome = |percent: Option<f64>, backlog: Option<f64>| Outcome {
            step: 0,
            load: 1.0,
            units: 1,
            instances: 1,
            carried: 50.0,
            served: 1.0,
            unserved: 0.0,
            backlog,
            utilization_percent: percent,
            latency_s: 0.1,
        };
        let rounded = |o: &Outcome| latency(o).map(|s| (s * 1e6).round() / 1e6);
        assert_eq!(rounded(&outcome(Some(50.0), None)), Some(0.2));
        assert_eq!(rounded(&outcome(Some(300.0), None)), Some(10.0));
        assert_eq!(rounded(&outcome(Some(100.0), Some(500.0))), Some(10.1));
        assert_eq!(latency(&outcome(None, None)), None);
    }
}
