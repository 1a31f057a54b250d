//! `test` blocks: unit tests of policies.

use std::collections::BTreeMap;
use std::time::Duration;

use jiff::Timestamp;

use super::address::GroupAddress;
use super::formula::Formula;
use super::units::{Capacity, Change, Direction, Name};
use crate::source::Span;

/// One `test` block.
#[derive(Clone, Debug, PartialEq)]
pub struct Test {
    /// The label.
    pub name: String,
    /// The group under test.
    pub group: GroupAddress,
    /// What is true before the first step.
    pub given: Given,
    /// In the order of their times.
    pub steps: Vec<TestStep>,
    /// Hold at every step.
    pub always: Vec<Formula>,
    /// Hold at no step.
    pub never: Vec<Formula>,
    /// Where the block stands.
    pub span: Span,
}

/// What is true before the first step.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Given {
    /// The capacity last asked for. `None`: the group's `min`.
    pub desired: Option<Capacity>,
    /// How many of them are ready. `None`: all.
    pub ready: Option<Capacity>,
    /// The time of `at "0m"`. `None`: a fixed Monday, 2026-01-05T12:00:00Z.
    pub time: Option<Timestamp>,
    /// Changes that were made before: how long ago, and from what to what.
    pub actions: Vec<GivenAction>,
    /// Wishes before: how long ago, and how many.
    pub recommendations: Vec<GivenRecommendation>,
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
    /// After the first.
    pub at: Duration,
    /// Values by metric. A metric that is not named is left out of the decision.
    pub metrics: BTreeMap<Name, TestValue>,
    /// How many are ready from here on. `None`: as the warm-up says.
    pub ready: Option<Capacity>,
    /// What must come out.
    pub expect: Option<Expect>,
    /// Where the block stands.
    pub span: Span,
}

/// The value of a metric at a step.
#[derive(Clone, Debug, PartialEq)]
pub enum TestValue {
    /// Of the whole group.
    Group(f64),
    /// One an instance; `None` where it gave no sample.
    PerInstance(Vec<Option<f64>>),
    /// `null`: the metric has no data.
    Missing,
}

/// What must come out of a step.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Expect {
    /// The number.
    pub desired: Option<Capacity>,
    /// The direction.
    pub direction: Option<Direction>,
    /// Kinds of reasons that must be among the decision's.
    pub reasons: Vec<String>,
    /// Where the block stands.
    pub span: Option<Span>,
}
