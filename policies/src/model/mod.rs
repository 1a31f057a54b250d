//! The typed model: what the files mean, once they are evaluated, merged and checked.
//!
//! Plain data without behaviour that needs I/O or a clock. After it exists no code asks again
//! whether a value is legal.

mod address;
mod configuration;
mod formula;
mod group;
mod observed;
mod schedule;
mod test;
pub mod units;

pub use address::{GroupAddress, ProviderAddress};
pub use configuration::{Backend, Configuration, Moved, Origin, ProviderConfiguration, Settings};
pub use formula::{
    BinaryOperator, Expression, Formula, FormulaFunction, FormulaScope, FormulaValue, OwnValue,
    UnaryOperator,
};
pub use group::{
    Adjustment, Adopt, Blocks, Breach, Budget, Combine, Controller, Fallback, Forecast,
    ForecastMode, Group, Guard, GuardEffect, InstanceModel, InstanceType, Launch, Limits,
    Maintenance, Metric, MetricQuery, MetricSource, Mix, OnExceed, OnMissing, Policy, Rate,
    RateAmount, Resource, Rule, ScaleRules, Scope, Select, Slo, Statistic, Step, StepBound, Track,
    VictimOrder, WeightedConstants,
};
pub use observed::{
    Instance, InstanceId, InstanceSample, InstanceState, Lifecycle, MetricReading, Sample,
};
pub use schedule::{Freeze, Schedule, Surge, Window};
pub use test::{
    Expectation, Expected, Given, GivenAction, GivenInstance, GivenRecommendation, Invariant,
    ReasonPattern, Test, TestOverride, TestStep, TestValue,
};
pub use units::{Capacity, Change, Direction, Name, Share};
