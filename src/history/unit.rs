//! What one unit of a group is, for making a load of what was measured. Pure.

use std::time::Duration;

use jiff::Timestamp;
use tideform_policies::model::Group;

use crate::simulate::trace::Trace;
use crate::simulate::world::WorldMetric;
use crate::simulate::{Given, Scenario, ScenarioError, metric_of};

/// What one unit of a group is.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Unit {
    /// From launch to serving.
    pub boot: Duration,
    /// Load per second that one carries at 100 % utilization; `None`: nobody knows.
    pub throughput: Option<f64>,
}

impl Unit {
    /// As the files, or somebody instead, say.
    ///
    /// # Errors
    /// [`ScenarioError::Number`]: what is said is no number. That nobody says what one carries is no error here.
    pub fn of(group: &Group, given: &Given) -> Result<Unit, ScenarioError> {
        let throughput = match Scenario::throughput(group, given) {
            Ok(throughput) => Some(throughput),
            Err(ScenarioError::NoThroughput) => None,
            Err(error) => return Err(error),
        };
        let given = Given {
            throughput: throughput.or(Some(1.0)),
            ..given.clone()
        };
        let silence = Trace::new(Timestamp::UNIX_EPOCH, Duration::from_secs(60), vec![0.0])
            .map_err(|_| ScenarioError::Number("trace"))?;
        let model = Scenario::new(group, &silence, &given)?.setup.model;
        Ok(Unit {
            boot: model.boot.mean(),
            throughput,
        })
    }
}

/// Whether all that a policy looks at is the same whatever one unit carries, so that a load can be counted in units.
pub fn is_free_of_throughput(group: &Group) -> bool {
    (0..group.policy.metrics.len()).all(|place| {
        matches!(
            metric_of(group, place),
            None | Some(
                WorldMetric::Cpu
                    | WorldMetric::CpuOfLive
                    | WorldMetric::Capacity
                    | WorldMetric::ErrorRate
            )
        )
    })
}
