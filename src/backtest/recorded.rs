//! Reads from the state what the loop has recorded of a group.

use std::time::Duration;

use jiff::{SignedDuration, Timestamp};
use tideform_policies::model::{Group, GroupAddress};
use tideform_state::{CapacityRun, State, StateError, StoredSample};

use super::NoBacktest;
use super::history::{HISTORY, Instances, Load, NoHistory, Tells, load, teller};
use crate::simulate::trace::Trace;
use crate::simulate::world::Model;
use crate::simulate::{Given, Scenario};

/// What the loop has recorded of a group.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Recorded {
    /// What it had.
    pub runs: Vec<CapacityRun>,
    /// Samples of the metric that tells its load.
    pub samples: Vec<StoredSample>,
}

impl Recorded {
    /// The last 14 days of a group: of the metric that tells its load ([`teller`]), and of what it had.
    ///
    /// # Errors
    /// Only where the state cannot be read.
    pub fn read(
        state: &State,
        address: &GroupAddress,
        group: &Group,
        now: Timestamp,
    ) -> Result<Recorded, StateError> {
        let Some((metric, tells)) = teller(group) else {
            return Ok(Recorded::default());
        };
        let from = now - SignedDuration::try_from(HISTORY).unwrap_or(SignedDuration::ZERO);
        Ok(Recorded {
            samples: state.metric_samples(address, &metric.name, from, now)?,
            runs: match tells {
                Tells::Load => Vec::new(),
                _ => state.capacity_runs(address, from, now)?,
            },
        })
    }

    /// The load that this tells.
    ///
    /// - `was`: what was last applied: it says what its metrics mean.
    /// - `planned`: says what an instance carries, and how long it boots.
    ///
    /// # Errors
    /// [`NoBacktest`]: what is missing for it.
    pub fn load(&self, was: &Group, planned: &Group) -> Result<Load, NoBacktest> {
        let model = world(planned)?;
        let (metric, tells) = teller(was).ok_or(NoHistory::NoMetric)?;
        let instances = Instances {
            runs: &self.runs,
            boot: model.boot.mean(),
            throughput: model.throughput,
        };
        Ok(load(metric, tells, &self.samples, &instances)?)
    }
}

/// What one instance of a group is, whatever the load.
fn world(group: &Group) -> Result<Model, NoBacktest> {
    let minute = Duration::from_secs(60);
    let silence = Trace::new(Timestamp::UNIX_EPOCH, minute, vec![0.0]);
    let silence = silence.map_err(|_| NoBacktest::NoThroughput)?;
    Ok(Scenario::new(group, &silence, &Given::default())?
        .setup
        .model)
}
