//! What can be observed of a group: its instances and the samples of its metrics.
//!
//! Shared words between providers, which read them, and the engine, which decides from them.

use std::sync::Arc;

use jiff::Timestamp;
use serde::{Deserialize, Serialize};

/// The provider's own name of an instance.
pub type InstanceId = Arc<str>;

/// How an instance is paid for.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Lifecycle {
    /// Kept until we end it.
    #[default]
    OnDemand,
    /// Cheaper; the provider may take it back.
    Spot,
}

/// Where an instance is in its life.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum InstanceState {
    /// Launched, not yet in service.
    Pending,
    /// Serves, or has begun to warm up.
    #[default]
    InService,
    /// In service, but the provider's health check says it is broken.
    Unhealthy,
    /// Ends: takes no new work, finishes what it has.
    Draining,
    /// Gone, or never came up. Counts nowhere.
    Ended,
}

/// One instance of a group, as last observed.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Instance {
    /// The provider's name of it.
    pub id: InstanceId,
    /// Where it is in its life.
    #[serde(default)]
    pub state: InstanceState,
    /// When it was launched. Absent: long ago.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub launched_at: Option<Timestamp>,
    /// When it came into service; `warmup` counts from here. Absent: at launch.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub in_service_at: Option<Timestamp>,
    /// Whether it passes its readiness check. Absent: it has none, and is ready once it is in service.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub ready: Option<bool>,
    /// When `ready` last changed.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub ready_changed_at: Option<Timestamp>,
    /// How it is paid for.
    #[serde(default)]
    pub lifecycle: Lifecycle,
    /// Protected from scale-in.
    #[serde(default)]
    pub protected: bool,
    /// The instance type, where the provider has types.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub instance_type: Option<Arc<str>>,
    /// The units that it counts as; 1 without weights.
    #[serde(default = "one")]
    pub weight: u32,
}

fn one() -> u32 {
    1
}

/// One value of a metric at a time. `value` is finite: readers drop what is not.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Sample {
    /// The end of the period that the value is about.
    pub at: Timestamp,
    /// In the metric's own unit.
    pub value: f64,
}

/// The value of one instance; `None` where the instance gave no sample.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct InstanceSample {
    /// Which instance.
    pub id: InstanceId,
    /// In the metric's own unit; where `of` is given, in the unit of that.
    pub value: Option<f64>,
    /// What the instance has, or has asked for, of what the value measures; above 0. Where any instance of a reading
    /// says it, all values of the reading are amounts, and the metric is the percentage that they are of this: an
    /// instance that does not say it then makes the reading no data.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub of: Option<f64>,
}

impl InstanceSample {
    /// The value where it is a number.
    pub fn number(&self) -> Option<f64> {
        self.value.filter(|value| value.is_finite())
    }

    /// What the value is measured against, where that is a number above 0.
    pub fn whole(&self) -> Option<f64> {
        self.of.filter(|of| of.is_finite() && *of > 0.0)
    }
}

/// What was read of one metric.
#[derive(Clone, Debug, PartialEq)]
pub enum MetricReading {
    /// Values of the whole group, oldest first, times strictly rising.
    Group(Vec<Sample>),
    /// The newest value of each instance.
    PerInstance {
        /// When the values were taken.
        at: Timestamp,
        /// One entry an instance.
        values: Vec<InstanceSample>,
    },
}
