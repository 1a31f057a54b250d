//! What a world runs by: constant while it is advanced.

use std::collections::BTreeMap;
use std::time::Duration;

use serde::{Deserialize, Serialize};
use tideform_policies::model::Lifecycle;

use super::cost::{DEFAULT_PRICES, TypePrices};
use super::fault::{Fault, FaultKind};
use super::load::{Load, LoadKind, Shape};
use super::metric::WorldMetric;
use super::moment::{Moment, millis};
use super::random;

/// What a world runs by.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Rules {
    /// All randomness comes from here.
    pub seed: u64,
    /// When the world began; steps are counted from here.
    pub start: Moment,
    /// The length of a step in milliseconds; above 0.
    pub step_ms: i64,
    /// Loads by name.
    pub loads: BTreeMap<String, Load>,
    /// Metrics by name that do not follow from load.
    pub metrics: BTreeMap<String, CustomMetric>,
    /// What goes wrong.
    pub faults: Vec<Fault>,
    /// Prices by instance type; others cost [`DEFAULT_PRICES`].
    pub prices: BTreeMap<String, TypePrices>,
    /// How late samples are published.
    #[serde(with = "crate::lenient::duration")]
    pub delay: Duration,
    /// How far back metrics can be read.
    #[serde(with = "crate::lenient::duration")]
    pub retention: Duration,
}

/// A metric that does not follow from load.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct CustomMetric {
    /// Its shape; where that is not finite there is no sample.
    pub shape: Shape,
    /// Multiplies it.
    pub scale: f64,
    /// The group that has it; `None`: all have.
    pub group: Option<String>,
}

/// What a name means as a metric of a group.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum MetricOf<'a> {
    /// It follows from load and capacity.
    World(WorldMetric),
    /// It does not.
    Custom(&'a CustomMetric),
}

static NO_LOAD: Load = Load {
    kind: LoadKind::Request,
    shape: Shape::None,
    scale: 1.0,
    noise: 0.0,
    metric: None,
    key: 0,
};

impl Rules {
    /// A world without load and faults, with steps of a minute, 15 days of metrics, no delay.
    pub fn new(start: Moment, seed: u64) -> Rules {
        Rules {
            seed,
            start,
            step_ms: 60_000,
            loads: BTreeMap::new(),
            metrics: BTreeMap::new(),
            faults: Vec::new(),
            prices: BTreeMap::new(),
            delay: Duration::ZERO,
            retention: Duration::from_secs(15 * 86_400),
        }
    }

    /// The length of a step in seconds.
    pub fn step_seconds(&self) -> f64 {
        self.step_ms as f64 / 1000.0
    }

    /// When a step begins.
    pub fn step_start(&self, step: i64) -> Moment {
        Moment(
            self.start
                .0
                .saturating_add(step.saturating_mul(self.step_ms)),
        )
    }

    /// When a step ends.
    pub fn step_end(&self, step: i64) -> Moment {
        self.step_start(step.saturating_add(1))
    }

    /// How many steps have ended by then: the number of the step that is still open.
    pub fn steps_ended(&self, at: Moment) -> i64 {
        at.0.saturating_sub(self.start.0).div_euclid(self.step_ms)
    }

    /// How many published steps can be read.
    pub fn kept_steps(&self) -> i64 {
        millis(self.retention) / self.step_ms + 1
    }

    /// How many steps are kept: those that can be read, and those not yet published.
    pub fn remembered_steps(&self) -> i64 {
        self.kept_steps() + millis(self.delay) / self.step_ms + 1
    }

    /// The load that falls on a group: the one that it names; else the one of its own name; else `default`.
    pub fn load_of(&self, group: &str, named: Option<&str>) -> &Load {
        let found = match named {
            Some(name) => self.loads.get(name),
            None => self.loads.get(group).or_else(|| self.loads.get("default")),
        };
        found.unwrap_or(&NO_LOAD)
    }

    /// What a name means as a metric of a group: one that is set, the load's own name, or one that all have.
    pub fn metric_of(&self, group: &str, load: &Load, name: &str) -> Option<MetricOf<'_>> {
        let custom = self
            .metrics
            .get(name)
            .filter(|metric| metric.group.as_deref().is_none_or(|only| only == group));
        if let Some(metric) = custom {
            return Some(MetricOf::Custom(metric));
        }
        if load.metric.as_deref() == Some(name) {
            return Some(MetricOf::World(WorldMetric::Requests));
        }
        WorldMetric::named(name).map(MetricOf::World)
    }

    /// Mean arrivals per second in a step.
    pub fn load_in_step(&self, load: &Load, step: i64) -> f64 {
        load.rate(
            self.seed,
            self.start,
            step,
            self.step_start(step),
            self.step_end(step),
        )
    }

    /// The prices of a type.
    pub fn prices_of(&self, instance_type: &str) -> TypePrices {
        self.prices
            .get(instance_type)
            .copied()
            .unwrap_or(DEFAULT_PRICES)
    }

    /// Whether instances can be struck at all in this group: then every step is looked at.
    pub fn has_hazards(&self) -> bool {
        self.faults
            .iter()
            .any(|fault| matches!(fault.kind, FaultKind::InterruptSpot | FaultKind::Break))
    }

    /// Whether a launch fails now; `attempt` is drawn for.
    pub fn launch_fails(
        &self,
        group: &str,
        lifecycle: Lifecycle,
        at: Moment,
        attempt: u64,
    ) -> bool {
        self.faults.iter().enumerate().any(|(index, fault)| {
            fault.kind == FaultKind::NoCapacity
                && fault.lifecycle.is_none_or(|only| only == lifecycle)
                && fault.covers(Some(group), self.start, at)
                && random::unit(
                    self.seed,
                    &[
                        random::key("launch"),
                        index as u64,
                        random::key(group),
                        attempt,
                        at.0 as u64,
                    ],
                ) < fault.rate
        })
    }
}
