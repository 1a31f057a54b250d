//! Target tracking and step scaling of Amazon EC2 Auto Scaling, and how several policies become one capacity.
//!
//! Source: Amazon EC2 Auto Scaling User Guide, "Target tracking scaling policies", "Step and simple scaling policies" and
//! "Multiple dynamic scaling policies".

use tideform_policies::model::{Scope, Share};

use super::alarm::{Alarm, Missing, State};
use crate::engine::explain::number;
use crate::engine::{round_out, share_adjusted};

/// Data points of a minute above the target before target tracking scales out: `AlarmHigh`, 3 of 3.
///
/// Source: what AWS creates with a policy, as the guide shows it under "Target tracking and alarms".
pub const HIGH_PERIODS: u32 = 3;

/// Data points below [`LOW_OF_TARGET`] before it scales in: `AlarmLow`, 15 of 15.
pub const LOW_PERIODS: u32 = 15;

/// Of the target.
pub const LOW_OF_TARGET: f64 = 0.9;

/// What a group is to its policies, in units.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Standing {
    /// In service, with its warmup behind it.
    pub in_service: u32,
    /// Asked for so far; what is not in service is warming.
    pub desired: u32,
    /// `MinSize`.
    pub min: u32,
    /// `MaxSize`.
    pub max: u32,
}

impl Standing {
    fn is_warming(self) -> bool {
        self.in_service < self.desired
    }
}

/// A target tracking policy.
#[derive(Clone, Debug)]
pub struct Tracking {
    target: f64,
    scope: Scope,
    scales_in: bool,
    high: Alarm,
    low: Alarm,
    newest: f64,
}

impl Tracking {
    /// Holds a metric at a target above 0.
    pub fn new(target: f64, scope: Scope, scales_in: bool) -> Tracking {
        Tracking {
            target,
            scope,
            scales_in,
            high: Alarm::new(HIGH_PERIODS, HIGH_PERIODS, Missing::Missing),
            low: Alarm::new(LOW_PERIODS, LOW_PERIODS, Missing::Missing),
            newest: 0.0,
        }
    }

    /// Takes in a data point, measured with so many units. A total is divided among them, as metric math does.
    pub fn push(&mut self, value: Option<f64>, units: u32) {
        let level = value.map(|value| match self.scope {
            Scope::Instance | Scope::Shared => value,
            Scope::Group => value / f64::from(units.max(1)),
        });
        self.high.push(level.map(|level| level > self.target));
        self.low
            .push(level.map(|level| level < LOW_OF_TARGET * self.target));
        if let Some(value) = value {
            self.newest = value;
        }
    }

    /// The capacity at which the metric would be at its target: it falls in proportion as capacity grows. Rounded up:
    /// a fraction more is one more, a fraction fewer is none fewer.
    pub(crate) fn capacity(&self, in_service: u32) -> u32 {
        match self.scope {
            Scope::Instance | Scope::Shared => {
                round_out(f64::from(in_service) * self.newest / self.target)
            }
            Scope::Group => round_out(self.newest / self.target),
        }
    }

    fn opinion(&self, group: Standing) -> Opinion {
        let wanted = self.capacity(group.in_service);
        if self.high.state() == State::Alarm {
            Opinion::Out(wanted.max(group.desired))
        } else if self.scales_in && self.low.state() == State::Alarm && !group.is_warming() {
            Opinion::In(wanted.min(group.desired))
        } else {
            Opinion::None
        }
    }
}

/// The side of an alarm's threshold.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Side {
    /// At or above it.
    High,
    /// At or below it.
    Low,
}

/// What the number of a step is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Adjustment {
    /// `ChangeInCapacity`.
    Change,
    /// `ExactCapacity`.
    Exact,
    /// `PercentChangeInCapacity`, and its `MinAdjustmentMagnitude`.
    Percent(Option<u32>),
}

/// A step. Bounds are relative to the threshold; `None` is infinite.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Step {
    /// `MetricIntervalLowerBound`.
    pub lower: Option<f64>,
    /// `MetricIntervalUpperBound`.
    pub upper: Option<f64>,
    /// `ScalingAdjustment`; percent may have fractions here.
    pub adjustment: f64,
}

/// A step scaling policy and its alarm.
#[derive(Clone, Debug)]
pub struct Stepping {
    /// The side of the threshold that breaches.
    pub side: Side,
    /// The alarm's.
    pub threshold: f64,
    /// What the numbers of the steps are.
    pub adjustment: Adjustment,
    /// The steps.
    pub steps: Vec<Step>,
    /// Of the last data points so many.
    pub alarm: Alarm,
    /// The newest value.
    pub newest: f64,
    /// A total is divided among the units in service, as metric math does.
    pub is_share: bool,
}

impl Stepping {
    /// Takes in a data point, measured with so many units in service.
    pub fn push(&mut self, value: Option<f64>, units: u32) {
        let (side, threshold) = (self.side, self.threshold);
        let value = value.map(|value| match self.is_share {
            true => value / f64::from(units.max(1)),
            false => value,
        });
        self.alarm.push(value.map(|value| match side {
            Side::High => value >= threshold,
            Side::Low => value <= threshold,
        }));
        if let Some(value) = value {
            self.newest = value;
        }
    }

    /// The step that a value is in.
    pub(crate) fn step(&self, value: f64) -> Option<&Step> {
        let over = value - self.threshold;
        // Differences of decimal fractions are not exact; bounds are meant to be.
        let below = |a: f64, b: f64| a < b - 1e-9 * b.abs().max(1.0);
        self.steps.iter().find(|step| match self.side {
            Side::High => {
                step.lower.is_none_or(|lower| !below(over, lower))
                    && step.upper.is_none_or(|upper| below(over, upper))
            }
            Side::Low => {
                step.lower.is_none_or(|lower| below(lower, over))
                    && step.upper.is_none_or(|upper| !below(upper, over))
            }
        })
    }

    /// A capacity after an adjustment.
    pub(crate) fn adjusted(&self, capacity: u32, by: f64) -> u32 {
        let change = |size: u32| {
            if by < 0.0 {
                capacity.saturating_sub(size)
            } else {
                capacity.saturating_add(size)
            }
        };
        match self.adjustment {
            Adjustment::Change => change(by.abs() as u32),
            Adjustment::Exact => by.max(0.0) as u32,
            Adjustment::Percent(least) => {
                if by == 0.0 || capacity == 0 {
                    return capacity;
                }
                let size = share_adjusted(capacity, Share(by.abs() / 100.0));
                change(size.max(least.unwrap_or_default()))
            }
        }
    }

    pub(crate) fn opinion(&self, group: Standing) -> Opinion {
        if self.alarm.state() != State::Alarm {
            return Opinion::None;
        }
        let Some(step) = self.step(self.newest) else {
            return Opinion::None;
        };
        let by = step.adjustment;
        let result = self
            .adjusted(group.in_service, by)
            .clamp(group.min.min(group.max), group.max);
        let is_out = match self.adjustment {
            Adjustment::Exact if self.side == Side::Low => by > f64::from(group.desired),
            Adjustment::Exact => true,
            _ if by != 0.0 => by > 0.0,
            _ => self.side == Side::High,
        };
        if is_out {
            Opinion::Out(result.max(group.desired))
        } else if group.is_warming() {
            Opinion::In(group.desired)
        } else {
            Opinion::In(result.min(group.desired))
        }
    }
}

/// What a policy asks for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Opinion {
    None,
    /// No less than is desired.
    Out(u32),
    /// No more.
    In(u32),
}

/// A policy.
#[derive(Clone, Debug)]
pub enum Policy {
    /// Target tracking.
    Tracking(Tracking),
    /// Step scaling.
    Stepping(Stepping),
}

impl Policy {
    /// Takes in a data point, measured with so many units in service.
    pub fn push(&mut self, value: Option<f64>, units: u32) {
        match self {
            Policy::Tracking(tracking) => tracking.push(value, units),
            Policy::Stepping(stepping) => stepping.push(value, units),
        }
    }

    /// What it asks for, in words; `None`: nothing. `unit` stands behind values: ` %`, or nothing.
    pub fn says(&self, group: Standing, unit: &str) -> Option<String> {
        let value = |value: f64| format!("{}{unit}", number(value));
        let (opinion, newest, rule) = match self {
            Policy::Tracking(tracking) => (
                tracking.opinion(group),
                tracking.newest,
                format!("against a target of {}", value(tracking.target)),
            ),
            Policy::Stepping(stepping) => {
                let side = match stepping.side {
                    Side::High => "at or above",
                    Side::Low => "at or below",
                };
                (
                    stepping.opinion(group),
                    stepping.newest,
                    format!("{side} its threshold of {}", value(stepping.threshold)),
                )
            }
        };
        let want = match opinion {
            Opinion::None => return None,
            Opinion::Out(want) | Opinion::In(want) => want,
        };
        Some(format!("in alarm: {} {rule} wants {want}", value(newest)))
    }
}

/// The desired capacity after all policies.
///
/// The largest wins, on the way out and on the way in. Target tracking scales in only where all target tracking policies
/// that may are ready to; a step policy that removes does not wait for them.
pub fn desired<'p>(policies: impl Iterator<Item = &'p Policy>, group: Standing) -> u32 {
    let (mut out, mut steps_in) = (None, None);
    // The largest want of target tracking on the way in, while all agree.
    let mut tracking_in = None;
    let mut all_agree = true;
    for policy in policies {
        let opinion = match policy {
            Policy::Tracking(tracking) => tracking.opinion(group),
            Policy::Stepping(stepping) => stepping.opinion(group),
        };
        match (policy, opinion) {
            (_, Opinion::Out(n)) => out = out.max(Some(n)),
            (Policy::Tracking(_), Opinion::In(n)) => tracking_in = tracking_in.max(Some(n)),
            (Policy::Stepping(_), Opinion::In(n)) => steps_in = steps_in.max(Some(n)),
            (Policy::Tracking(tracking), Opinion::None) => all_agree &= !tracking.scales_in,
            (Policy::Stepping(_), Opinion::None) => {}
        }
    }
    let down = if all_agree {
        tracking_in.max(steps_in)
    } else {
        steps_in
    };
    out.or(down)
        .unwrap_or(group.desired)
        .clamp(group.min.min(group.max), group.max)
}
