//! What the answer would be without each of the rules that bind.

use jiff::Timestamp;
use tideform_policies::model::{Capacity, Direction, Limits, Policy, ScaleRules};

use super::Lever;
use crate::engine::reason::{Bound, Reason};
use crate::engine::{Decision, Memory, Observation, Rules, decide_quiet};

/// The rules that changed the number and without which the answer is another one.
pub(super) fn levers(
    rules: &Rules,
    seen: &Observation,
    memory: &Memory,
    now: Timestamp,
    decision: &Decision,
) -> Vec<Lever> {
    let binds = |reason: &Reason| {
        reason
            .change()
            .is_some_and(|change| change.before != change.after)
            // With an override the metrics' number is told beside it, whether it is the same or not.
            && !matches!(reason, Reason::Combined { .. })
    };
    decision
        .reasons
        .iter()
        .enumerate()
        .filter(|(_, reason)| binds(reason))
        .filter_map(|(place, reason)| {
            let mut group = rules.group().clone();
            let mut seen = seen.clone();
            if !take_away(reason, &mut group.policy, &mut seen) {
                return None;
            }
            let desired =
                decide_quiet(&Rules::new(&group), &seen, &mut memory.clone(), now).desired;
            (desired != decision.desired).then_some(Lever {
                reason: place,
                desired,
            })
        })
        .collect()
}

/// Takes away what a reason speaks of; says whether it could.
pub(super) fn take_away(reason: &Reason, policy: &mut Policy, seen: &mut Observation) -> bool {
    match reason {
        // Without instances all are taken as ready.
        Reason::Warming { .. } => seen.instances = None,
        Reason::NoData { metric, .. } => {
            seen.left_out.insert(metric.clone());
        }
        Reason::Stabilized { direction, .. } => {
            if let Some(rules) = scale_rules(policy, *direction) {
                rules.stabilization = std::time::Duration::ZERO;
            }
        }
        Reason::RateLimited { direction, .. } => {
            if let Some(rules) = scale_rules(policy, *direction) {
                rules.rates.clear();
            }
        }
        Reason::DirectionDisabled { direction, .. } => {
            if let Some(rules) = scale_rules(policy, *direction) {
                rules.enabled = true;
                rules.select = tideform_policies::model::Select::Max;
            }
        }
        Reason::InCooldown { direction, .. } => {
            if let Some(rules) = scale_rules(policy, *direction) {
                rules.cooldown = std::time::Duration::ZERO;
            }
        }
        Reason::Guarded { guard, .. } => policy.guards.retain(|known| known.name != *guard),
        Reason::Frozen { freeze, .. } => policy.freezes.retain(|known| known.name != *freeze),
        Reason::OverBudget { .. } => seen.spent = None,
        Reason::Pinned { .. } => seen.overrides.pin = None,
        Reason::Paused { .. } => seen.overrides.pause = None,
        Reason::RaisedToFloor { bound, .. } => match bound {
            Bound::Limits => {
                let max = policy.limits.or(seen.limits).map(|limits| limits.max());
                policy.limits = Limits::new(Capacity(0), max.unwrap_or(Capacity(u32::MAX)));
            }
            bound => without_bound(bound, policy, seen),
        },
        Reason::LoweredToCeiling { bound, .. } => match bound {
            Bound::Limits => {
                let min = policy.limits.or(seen.limits).map(|limits| limits.min());
                policy.limits = Limits::new(min.unwrap_or(Capacity(0)), Capacity(u32::MAX));
            }
            bound => without_bound(bound, policy, seen),
        },
        Reason::Opinion { .. }
        | Reason::Want { .. }
        | Reason::Step { .. }
        | Reason::Abstained { .. }
        | Reason::Substituted { .. }
        | Reason::AddedOnMissing { .. }
        | Reason::Cut { .. }
        | Reason::Combined { .. }
        | Reason::GuardTripped { .. }
        | Reason::WithinLimits { .. }
        | Reason::ForecastObserved { .. }
        | Reason::ScheduleUnusable { .. }
        | Reason::MixSplit { .. }
        | Reason::Fallback { .. }
        | Reason::Victims { .. } => return false,
    }
    true
}

/// Takes away the floor, or the ceiling.
pub(super) fn without_end(
    bound: &Bound,
    direction: Direction,
    policy: &mut Policy,
    seen: &mut Observation,
) {
    let (before, after) = (Capacity::ZERO, Capacity::ZERO);
    let (bound, until) = (bound.clone(), None);
    let reason = if direction == Direction::In {
        Reason::RaisedToFloor {
            bound,
            until,
            before,
            after,
        }
    } else {
        Reason::LoweredToCeiling {
            bound,
            until,
            before,
            after,
        }
    };
    take_away(&reason, policy, seen);
}

fn without_bound(bound: &Bound, policy: &mut Policy, seen: &mut Observation) {
    match bound {
        Bound::Limits => {}
        Bound::Schedule(name) => policy.schedules.retain(|schedule| schedule.name != *name),
        Bound::Surge(name) => seen.overrides.surges.retain(|surge| surge.name != *name),
        Bound::Forecast => seen.forecast = None,
    }
}

fn scale_rules(policy: &mut Policy, direction: Direction) -> Option<&mut ScaleRules> {
    match direction {
        Direction::Out => Some(&mut policy.scale_out),
        Direction::In => Some(&mut policy.scale_in),
        Direction::Hold => None,
    }
}
