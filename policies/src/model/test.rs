//! `test` blocks: unit tests of policies.

use std::collections::BTreeMap;
use std::fmt;
use std::time::Duration;

use jiff::Timestamp;

use super::address::GroupAddress;
use super::formula::Formula;
use super::observed::{InstanceId, InstanceState, Lifecycle};
use super::units::{Capacity, Change, Direction, Name};
use crate::source::Span;

/// One `test` block, for one of its groups.
#[derive(Clone, Debug, PartialEq)]
pub struct Test {
    /// The label.
    pub name: String,
    /// The group under test.
    pub group: GroupAddress,
    /// The time of `at "0m"`.
    pub start: Timestamp,
    /// What is true before the first step.
    pub given: Given,
    /// In the order of their times.
    pub steps: Vec<TestStep>,
    /// Hold after every decision.
    pub always: Vec<Invariant>,
    /// Hold after no decision.
    pub never: Vec<Invariant>,
    /// Where the block stands.
    pub span: Span,
}

/// A condition of `always` or `never`.
#[derive(Clone, Debug, PartialEq)]
pub struct Invariant {
    /// Over `metric` and `self`.
    pub formula: Formula,
    /// Where it is written; of a list, where the list is.
    pub span: Span,
}

/// What is true before the first step.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Given {
    /// The capacity last asked for. `None`: the units of `instances` where there are any, else the group's `min`.
    pub desired: Option<Capacity>,
    /// How many of them are ready. `None`: all.
    pub ready: Option<Capacity>,
    /// The instances one by one. Empty: as many as are desired, all alike.
    pub instances: Vec<GivenInstance>,
    /// Changes that were made before: how long ago, and from what to what.
    pub actions: Vec<GivenAction>,
    /// Wishes before: how long ago, and how many.
    pub recommendations: Vec<GivenRecommendation>,
}

/// An instance that is there before the first step.
#[derive(Clone, Debug, PartialEq)]
pub struct GivenInstance {
    /// The label.
    pub id: InstanceId,
    /// Where it is in its life.
    pub state: InstanceState,
    /// Since its launch, and in service for as long. `None`: long ago.
    pub age: Option<Duration>,
    /// Whether it passes its readiness check. `None`: it has none.
    pub is_ready: Option<bool>,
    /// How it is paid for.
    pub lifecycle: Lifecycle,
    /// Protected from scale-in.
    pub is_protected: bool,
    /// Its type.
    pub instance_type: Option<Name>,
    /// The units that it counts as.
    pub weight: u32,
}

/// A change before the first step.
#[derive(Clone, Debug, PartialEq)]
pub struct GivenAction {
    /// Before the first step.
    pub ago: Duration,
    /// From what to what.
    pub change: Change<Capacity>,
}

/// A recommendation before the first step.
#[derive(Clone, Debug, PartialEq)]
pub struct GivenRecommendation {
    /// Before the first step.
    pub ago: Duration,
    /// How many were wished for.
    pub desired: Capacity,
}

/// One `at` block.
#[derive(Clone, Debug, PartialEq)]
pub struct TestStep {
    /// The time as it is written: `5m`, or `2026-03-29T08:00:00`.
    pub label: String,
    /// After the start.
    pub at: Duration,
    /// After the start: the step is decided again at each `every` up to here.
    pub until: Option<Duration>,
    /// Values by metric. A metric that is not named is left out of the decision.
    pub metrics: BTreeMap<Name, TestValue>,
    /// Where `metrics` is written.
    pub metrics_span: Span,
    /// How many are ready from here on. `None`: as boot and warm-up say.
    pub ready: Option<Capacity>,
    /// What people ask for at this time.
    pub overrides: Vec<TestOverride>,
    /// The money spent this month, from here on.
    pub spent_usd: Option<f64>,
    /// Spot launches that fail at this time.
    pub failed_spot_launches: u32,
    /// What must come out; after the last decision where there are several.
    pub expectations: Vec<Expectation>,
    /// Where the block stands.
    pub span: Span,
}

/// What somebody asks for at a step, beside the files.
#[derive(Clone, Debug, PartialEq)]
pub enum TestOverride {
    /// As `tideform scale GROUP N --for D`.
    Pin {
        /// The capacity.
        desired: Capacity,
        /// From the step on.
        duration: Duration,
    },
    /// As `tideform pause GROUP --for D`.
    Pause {
        /// From the step on.
        duration: Duration,
    },
    /// As `tideform surge start NAME`: the floor holds at once.
    Surge {
        /// The group's surge.
        name: Name,
        /// `None`: as the surge's block says.
        duration: Option<Duration>,
    },
}

/// The value of a metric at a step.
#[derive(Clone, Debug, PartialEq)]
pub enum TestValue {
    /// Of the whole group.
    Group(f64),
    /// One an instance, in their order; `None` where it gave no sample.
    PerInstance(Vec<Option<f64>>),
    /// By the name of the instance; `None` where it gave no sample.
    ByInstance(BTreeMap<InstanceId, Option<f64>>),
    /// `null`: the metric has no data.
    Missing,
}

/// One thing that must come out of a step.
#[derive(Clone, Debug, PartialEq)]
pub struct Expectation {
    /// What.
    pub what: Expected,
    /// Where it is written.
    pub span: Span,
}

/// What must come out.
#[derive(Clone, Debug, PartialEq)]
pub enum Expected {
    /// The number.
    Desired(Capacity),
    /// The number or more.
    AtLeast(Capacity),
    /// The number or fewer.
    AtMost(Capacity),
    /// The direction.
    Direction(Direction),
    /// How many the decision took as ready.
    Ready(Capacity),
    /// A reason that must be among the decision's.
    Reason(ReasonPattern),
    /// A reason that must not be among them.
    NoReason(ReasonPattern),
    /// What a metric by itself wants; `None`: it has no opinion.
    Want {
        /// Which.
        metric: Name,
        /// How many.
        want: Option<Capacity>,
    },
    /// The on-demand part of the mix.
    OnDemand(Capacity),
    /// The spot part of the mix.
    Spot(Capacity),
    /// The instances that end, in this order.
    Victims(Vec<InstanceId>),
}

/// A kind of reason, and perhaps what it is about: `no_data`, `no_data.cpu`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ReasonPattern {
    /// One of [`crate::schema::REASON_KINDS`].
    pub kind: &'static str,
    /// The metric, schedule, surge, guard or freeze; `limits` or `forecast` of a bound.
    pub subject: Option<Name>,
}

impl fmt::Display for ReasonPattern {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.kind)?;
        match &self.subject {
            Some(subject) => write!(f, ".{subject}"),
            None => Ok(()),
        }
    }
}
