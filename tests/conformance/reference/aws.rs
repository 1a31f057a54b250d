//! Algorithm 5: AWS's step scaling and target tracking.

use super::ceil;

/// The side of the alarm's threshold.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Alarm {
    High,
    Low,
}

#[derive(Clone, Copy, Debug)]
pub(crate) enum Adjustment {
    Change(i128),
    Exact(i128),
    /// Hundredths of a percent, and the smallest change.
    Percent(i128, Option<i128>),
}

/// Bounds in hundredths, relative to the threshold; `None`: infinite.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Step {
    pub(crate) lower: Option<i128>,
    pub(crate) upper: Option<i128>,
    pub(crate) adjustment: Adjustment,
}

#[derive(Clone, Debug)]
pub(crate) enum Policy {
    Steps {
        alarm: Alarm,
        /// Hundredths.
        threshold: i128,
        steps: Vec<Step>,
    },
    /// The target in hundredths.
    Target(i128),
}

#[derive(Clone, Copy, Debug)]
pub(crate) struct Group {
    /// Finished warming up.
    pub(crate) in_service: i128,
    /// Asked for so far; what is not in service is warming.
    pub(crate) desired: i128,
    pub(crate) min: i128,
    pub(crate) max: i128,
}

/// The step that a metric is in.
pub(crate) fn step(alarm: Alarm, threshold: i128, steps: &[Step], metric: i128) -> Option<&Step> {
    let over = metric - threshold;
    steps.iter().find(|step| match alarm {
        Alarm::High => {
            step.lower.is_none_or(|lower| lower <= over)
                && step.upper.is_none_or(|upper| over < upper)
        }
        Alarm::Low => {
            step.lower.is_none_or(|lower| lower < over)
                && step.upper.is_none_or(|upper| over <= upper)
        }
    })
}

/// A capacity after an adjustment.
pub(crate) fn adjusted(capacity: i128, adjustment: Adjustment) -> i128 {
    match adjustment {
        Adjustment::Change(change) => capacity + change,
        Adjustment::Exact(exact) => exact,
        Adjustment::Percent(percent, least) => {
            let raw = capacity * percent; // of 10 000
            let whole = if raw == 0 {
                0
            } else if raw.abs() < 10_000 {
                raw.signum()
            } else {
                raw / 10_000 // toward zero
            };
            let change = match least {
                Some(least) if whole != 0 && whole.abs() < least => least * whole.signum(),
                _ => whole,
            };
            capacity + change
        }
    }
}

/// What one policy makes of a metric in hundredths; `None`: it has no say.
fn proposal(policy: &Policy, group: Group, metric: i128) -> Option<i128> {
    match policy {
        Policy::Target(target) => Some(ceil(group.in_service * metric, *target)),
        Policy::Steps {
            alarm,
            threshold,
            steps,
        } => {
            let step = step(*alarm, *threshold, steps, metric)?;
            let result = adjusted(group.in_service, step.adjustment).clamp(group.min, group.max);
            let is_out = match step.adjustment {
                Adjustment::Change(by) | Adjustment::Percent(by, _) if by != 0 => by > 0,
                Adjustment::Exact(exact) if *alarm == Alarm::Low => exact > group.desired,
                _ => *alarm == Alarm::High,
            };
            let is_warming = group.in_service < group.desired;
            Some(if is_out {
                result.max(group.desired)
            } else if is_warming {
                group.desired
            } else {
                result.min(group.desired)
            })
        }
    }
}

/// During a scale-out cooldown: a later increase, less the one that started it, where it is larger.
pub(crate) fn during_cooldown(capacity: i128, started: i128, increase: i128) -> i128 {
    capacity + (increase - started).max(0)
}

/// The desired capacity after all policies, each with its metric.
pub(crate) fn desired(policies: &[(Policy, i128)], group: Group) -> i128 {
    policies
        .iter()
        .filter_map(|(policy, metric)| proposal(policy, group, *metric))
        .max()
        .map_or(group.desired, |capacity| {
            capacity.clamp(group.min, group.max)
        })
}
