//! What was read of a group before a decision. Plain data; reading it is the caller's work.

use std::collections::BTreeSet;

use jiff::Timestamp;
use serde::{Deserialize, Serialize};
use tideform_policies::model::{Capacity, Instance, Limits, Name};

use super::readings::Readings;
use super::rules::Rules;

/// What was read of a group.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Observation {
    /// The capacity last asked for, by anyone; in units.
    pub desired: Capacity,
    /// The live limits, used where the policy has none.
    pub limits: Option<Limits>,
    /// `None`: all `desired` are ready.
    pub instances: Option<Vec<Instance>>,
    /// The units of these instances, where they are counted already: no instance is then looked at to count them. A
    /// simulation may give them without the instances, but for groups with a mix, whose spot instances have to be seen.
    pub units: Option<Units>,
    /// In place of samples per instance, where all that report have the metric's value: how many do, by the metric's
    /// place in the policy. For simulations, which count instances without looking at each. Empty: none.
    pub spreads: Vec<Option<Spread>>,
    /// By the metric's name in the policy. A metric that is not here has no data. A reading for a
    /// formula metric takes the place of the formula.
    pub metrics: Readings,
    /// Metrics whose samples average all instances in service, also those still warming.
    pub counts_warming: BTreeSet<Name>,
    /// Metrics that take no part in this decision: those that a `test` step does not name.
    pub left_out: BTreeSet<Name>,
    /// What people have asked for.
    pub overrides: Overrides,
    /// Money spent this month. `None`: not known, and the budget blocks nothing.
    pub spent: Option<Spent>,
    /// Predicted demand as a floor.
    pub forecast: Option<ForecastFloor>,
    /// When spot launches failed, oldest first. Those before the last spot launch that worked are not counted.
    pub failed_spot_launches: Vec<Timestamp>,
}

impl Observation {
    /// An observation to be filled in, again and again, for decisions by these rules: its metrics have their places.
    pub fn of(rules: &Rules) -> Observation {
        Observation {
            metrics: Readings::of(rules),
            ..Observation::default()
        }
    }
}

/// The units of a group by where their instances are in their lives. Failed and ending instances count nowhere.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Units {
    /// In service for at least `warmup`.
    pub ready: u32,
    /// What else is starting or in service.
    pub warming: u32,
}

/// The live units by what a metric with samples per instance knows of them.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Spread {
    /// With a sample that counts.
    pub reported: u32,
    /// In service, without a sample.
    pub missing: u32,
    /// Starting, or in service for too short a time for the sample to count.
    pub unready: u32,
}

/// What people have asked for, beside the files. Those that have ended are ignored.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Overrides {
    /// A fixed capacity.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub pin: Option<Pin>,
    /// No change at all.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub pause: Option<Pause>,
    /// Floors for a while.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub surges: Vec<ActiveSurge>,
}

/// A capacity that takes the place of what the metrics want; the limits still bound it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Pin {
    /// In units.
    pub capacity: Capacity,
    /// Excluded.
    pub until: Timestamp,
    /// Why, for people.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub reason: Option<String>,
    /// Who asked for it.
    pub by: String,
}

/// No change until then.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Pause {
    /// Excluded.
    pub until: Timestamp,
    /// Why, for people.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub reason: Option<String>,
    /// Who asked for it.
    pub by: String,
}

/// A surge that was started.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct ActiveSurge {
    /// The label of its block.
    pub name: Name,
    /// The floor.
    pub min: Capacity,
    /// Included; the lead is already taken off.
    pub from: Timestamp,
    /// Excluded.
    pub until: Timestamp,
}

/// Money spent this month.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
pub struct Spent {
    /// Since the first of the month, UTC.
    pub cost_usd: f64,
}

/// What the forecast asks for now.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
pub struct ForecastFloor {
    /// In units.
    pub capacity: Capacity,
    /// Of the predicted distribution; 0 to 1.
    pub quantile: f64,
    /// The time that it is needed for.
    pub at: Timestamp,
}

#[cfg(test)]
mod tests {
    use tideform_policies::model::Sample;

    use super::*;
    use crate::engine::testing::{at, cpu_rules};

    #[test]
    fn an_observation_for_rules_has_a_place_for_each_metric() {
        let rules = cpu_rules(|_| {});
        let mut seen = Observation::of(&rules);
        assert_eq!(seen, Observation::default());
        seen.metrics.record(
            &rules,
            0,
            Sample {
                at: at(0.0),
                value: 1.0,
            },
        );
        assert!(seen.metrics.contains_key("cpu"));
        assert!(!seen.metrics.contains_key("queue"));
    }
}
