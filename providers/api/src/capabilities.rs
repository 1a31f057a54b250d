//! What a provider can do.

use std::time::Duration;

use serde::{Deserialize, Serialize};

/// What a provider can do; asked before a plan, so that what it cannot is an error at the line that asked.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Capabilities {
    /// The resource kinds it scales: `asg`. Empty: a source of metrics only.
    pub resource_kinds: Vec<String>,
    /// The metric names it knows: `cpu`, `requests`, …. Others need the backend's own name.
    pub metric_names: Vec<String>,
    /// It gives metrics one sample an instance.
    pub per_instance_metrics: bool,
    /// It can be told which instance to end.
    pub chooses_victims: bool,
    /// It has on-demand and spot.
    pub has_lifecycles: bool,
    /// It has controls of its own (`controller = "native"`).
    pub native_control: bool,
    /// It creates resources (`launch`).
    pub creates: bool,
    /// Most groups in one read call.
    pub groups_per_read: usize,
    /// Most metrics in one read call.
    pub metrics_per_read: usize,
    /// How long its metrics can be read back; `None`: only the newest of them.
    pub metric_history: Option<MetricHistory>,
}

/// How long a provider keeps the metrics that it measures.
///
/// Under the names `capacity` and `instances` it tells what was in service, in units and in instances; one that knows
/// only one of them has no samples of the other.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct MetricHistory {
    /// Where they are, for people: `CloudWatch`.
    pub source: String,
    /// For so long samples of this period can be read, the finest first.
    pub kept: Vec<Kept>,
    /// What to do where it has no samples of what was in service: a lowercase fragment.
    pub without_capacity: String,
}

/// For how long samples of a period can be read.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Kept {
    /// How long one sample is about.
    pub period: Duration,
    /// How old one may be.
    pub age: Duration,
}

impl MetricHistory {
    /// How the samples of the last `length` are read: in the finest period, of `wanted` or more, that is kept so long;
    /// where none is, in the one that is kept longest, and only its time. `None`: nothing is kept.
    pub fn reach(&self, length: Duration, wanted: Duration) -> Option<Kept> {
        let kept = self.kept.iter().find(|kept| length <= kept.age);
        let kept = kept.or(self.kept.last())?;
        let (each, wanted) = (kept.period.as_secs().max(1), wanted.as_secs());
        Some(Kept {
            // Coarser samples are made of whole finer ones.
            period: Duration::from_secs(wanted.div_ceil(each).max(1) * each),
            age: length.min(kept.age),
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn samples_are_read_as_fine_as_they_are_kept_for_so_long() {
        const DAY: u64 = 86_400;
        let kept = [(60, 15), (300, 63), (3_600, 455)].map(|(period, days)| Kept {
            period: Duration::from_secs(period),
            age: Duration::from_secs(days * DAY),
        });
        let history = MetricHistory {
            source: "CloudWatch".to_owned(),
            kept: kept.to_vec(),
            without_capacity: String::new(),
        };
        for (days, wanted, period, reached) in [
            (14, 60, 60, 14),
            (15, 10, 60, 15),
            (14, 90, 120, 14),
            (14, 300, 300, 14),
            (16, 60, 300, 16),
            (100, 60, 3_600, 100),
            (1_000, 60, 3_600, 455),
        ] {
            let length = Duration::from_secs(days * DAY);
            let reach = history.reach(length, Duration::from_secs(wanted));
            let expected = Kept {
                period: Duration::from_secs(period),
                age: Duration::from_secs(reached * DAY),
            };
            assert_eq!(reach, Some(expected), "{days} days at {wanted} s");
        }
        let nothing = MetricHistory {
            kept: Vec::new(),
            ..history
        };
        assert_eq!(nothing.reach(Duration::ZERO, Duration::ZERO), None);
    }
}
