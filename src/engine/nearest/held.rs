//! The directions that nothing measured moves the group in, and what holds it there.

use jiff::Timestamp;
use tideform_policies::model::{Capacity, Direction, Name};

use super::levers::{take_away, without_end};
use super::what_if::{Variable, WhatIf};
use super::{Held, NearestValue, Side, nearest_of};
use crate::engine::reason::{Combination, Reason};
use crate::engine::time::later;
use crate::engine::{Decision, Memory, Observation, Rules, decide};

/// Most rules that are lifted one after the other.
const MOST_HOLDS: usize = 12;

/// Looks for each direction in which neither the decision nor a value found so far moves the group: over all values of
/// each metric for one that does, which is added to `values`; where there is none, for what holds.
pub(super) fn held(
    what_if: &mut WhatIf<'_>,
    variables: &[Variable],
    decision: &Decision,
    values: &mut Vec<NearestValue>,
) -> Vec<Held> {
    let current = decision.current;
    let mut held = Vec::new();
    for direction in [Direction::Out, Direction::In] {
        let goes_there = |desired: Capacity| Direction::between(current, desired) == direction;
        if goes_there(decision.desired) || values.iter().any(|value| goes_there(value.desired)) {
            continue;
        }
        let further = further(what_if, variables, values, |n| goes_there(Capacity(n)));
        if !further.is_empty() {
            for value in further {
                // Beside the others of its metric.
                let place = values.iter().rposition(|v| v.metric == value.metric);
                values.insert(place.map_or(values.len(), |place| place + 1), value);
            }
            continue;
        }
        let mut by: Option<Reason> = None;
        for variable in variables {
            let (holder, is_all) = holder(what_if, variable, direction, current);
            what_if.restore(variable);
            if is_all || by.is_none() {
                by = holder.or(by);
            }
            if is_all && by.is_some() {
                break;
            }
        }
        held.extend(by.map(|by| Held { direction, by }));
    }
    held
}

/// Values beyond the nearest ones whose answer is sought.
fn further(
    what_if: &mut WhatIf<'_>,
    variables: &[Variable],
    values: &[NearestValue],
    is_sought: impl Fn(u32) -> bool + Copy,
) -> Vec<NearestValue> {
    let mut further = Vec::new();
    for variable in variables {
        for side in [Side::Above, Side::Below] {
            // Where no other answer was found, there is none of this direction either.
            let has_others = values.iter().any(|value| {
                value.metric == variable.name && value.side.is_none_or(|known| known == side)
            });
            if !has_others {
                continue;
            }
            if let Some((value, desired, lasting)) = nearest_of(what_if, variable, side, is_sought)
            {
                further.push(NearestValue {
                    metric: variable.name.clone(),
                    side: (!variable.is_missing).then_some(side),
                    value,
                    lasting,
                    is_met: false,
                    desired: Capacity(desired),
                });
            }
        }
        what_if.restore(variable);
    }
    further
}

/// What holds against the most extreme values of a metric, and whether without it they would move the group.
///
/// One rule after the other is lifted until they do; of these the one that lasts longest binds.
fn holder(
    what_if: &mut WhatIf<'_>,
    variable: &Variable,
    direction: Direction,
    current: Capacity,
) -> (Option<Reason>, bool) {
    let now = what_if.now;
    let goes_there = |n: Capacity| Direction::between(current, n) == direction;
    let mut best = None;
    for side in [Side::Above, Side::Below] {
        let end = variable.range(side).end;
        let (mut seen, memory) = what_if.question_with(variable, end, variable.window);
        let mut group = what_if.rules.group().clone();
        let mut holds: Vec<Reason> = Vec::new();
        for _ in 0..MOST_HOLDS {
            let (desired, reasons) = asked(&Rules::new(&group), &seen, &memory, now);
            if goes_there(desired) {
                if let Some(by) = longest(&holds, direction, &group, now) {
                    return (Some(by), true);
                }
                break;
            }
            let Some(hold) = first_hold(&reasons, direction, current) else {
                // Without the holds it would still have to be agreed with.
                let other = outvoter(&reasons, &variable.name, direction, current);
                let longest = longest(&holds, direction, &group, now);
                let lasts = longest
                    .as_ref()
                    .is_some_and(|by| lasts_until(by, direction, &group, now) == Timestamp::MAX);
                let by = if lasts { longest } else { other.or(longest) };
                best = best.or(by);
                break;
            };
            let policy = &mut group.policy;
            let is_lifted = match &hold {
                Reason::WithinLimits {
                    floor_by,
                    ceiling_by,
                    ..
                } => {
                    let bound = if direction == Direction::In {
                        floor_by
                    } else {
                        ceiling_by
                    };
                    without_end(bound, direction, policy, &mut seen);
                    true
                }
                Reason::Combined { .. } => {
                    let silent = reasons
                        .iter()
                        .filter(|reason| matches!(reason, Reason::NoData { .. }));
                    let lifted = silent.filter(|silent| take_away(silent, policy, &mut seen));
                    lifted.count() > 0
                }
                hold => take_away(hold, policy, &mut seen),
            };
            holds.push(hold);
            if !is_lifted {
                best = best.or_else(|| longest(&holds, direction, &group, now));
                break;
            }
        }
    }
    (best, false)
}

fn asked(
    rules: &Rules,
    seen: &Observation,
    memory: &Memory,
    now: Timestamp,
) -> (Capacity, Vec<Reason>) {
    let decision = decide(rules, seen, memory, now);
    (decision.desired, decision.reasons)
}

/// Of several the one that lasts longest; of equal ones the first.
fn longest(
    holds: &[Reason],
    direction: Direction,
    group: &tideform_policies::model::Group,
    now: Timestamp,
) -> Option<Reason> {
    let ends = |hold: &Reason| lasts_until(hold, direction, group, now);
    let most = holds.iter().map(ends).max()?;
    holds.iter().find(|hold| ends(hold) == most).cloned()
}

/// At the latest; the end of time where nobody knows.
fn lasts_until(
    hold: &Reason,
    direction: Direction,
    group: &tideform_policies::model::Group,
    now: Timestamp,
) -> Timestamp {
    match hold {
        Reason::RateLimited { per, .. } => later(now, *per),
        Reason::Warming { .. } => later(now, group.policy.warmup),
        hold => {
            let by = hold.clone();
            Held { direction, by }.ends().unwrap_or(Timestamp::MAX)
        }
    }
}

/// The first rule that takes back a move in a direction, or the limits where the group is at that end.
fn first_hold(reasons: &[Reason], direction: Direction, current: Capacity) -> Option<Reason> {
    let goes_there = |n: Capacity| Direction::between(current, n) == direction;
    let takes_back = |reason: &&Reason| match reason {
        Reason::Warming { .. }
        | Reason::Combined {
            combination:
                Combination::Max {
                    is_held_by_missing_data: true,
                }
                | Combination::Weighted {
                    is_held_by_missing_data: true,
                    ..
                },
            ..
        } => direction == Direction::In,
        reason => reason
            .change()
            .is_some_and(|change| goes_there(change.before) && !goes_there(change.after)),
    };
    let is_end = |reason: &&Reason| match reason {
        Reason::WithinLimits { floor, ceiling, .. } => match direction {
            Direction::In => *floor == current && current > Capacity::ZERO,
            Direction::Out => *ceiling == Some(current),
            Direction::Hold => false,
        },
        _ => false,
    };
    let found = reasons.iter().find(takes_back);
    found.or_else(|| reasons.iter().find(is_end)).cloned()
}

/// Where one metric wants to go in a direction: the other one that does not, and whose word counts.
fn outvoter(
    reasons: &[Reason],
    metric: &Name,
    direction: Direction,
    current: Capacity,
) -> Option<Reason> {
    // Of the largest want nobody else's takes anything away.
    let is_max = |reason: &Reason| {
        matches!(
            reason,
            Reason::Combined {
                combination: Combination::Max { .. },
                ..
            }
        )
    };
    if direction == Direction::Out && reasons.iter().any(is_max) {
        return None;
    }
    let goes_there = |n: Capacity| Direction::between(current, n) == direction;
    let said = |reason: &Reason| match reason {
        Reason::Opinion { metric, want, .. }
        | Reason::Want { metric, want, .. }
        | Reason::Step { metric, want, .. } => Some((metric.clone(), *want)),
        _ => None,
    };
    let opinions = || reasons.iter().filter_map(|r| Some((r, said(r)?)));
    opinions().find(|(_, (of, want))| of == metric && goes_there(*want))?;
    opinions()
        .filter(|(_, (of, want))| of != metric && !goes_there(*want))
        .max_by_key(|(_, (_, want))| *want)
        .map(|(reason, _)| reason.clone())
}
