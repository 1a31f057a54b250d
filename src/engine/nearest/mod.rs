//! What would have to differ for another answer: the nearest values of the metrics, the time, and what binds.
//!
//! The engine itself is asked: one thing of the question is changed, all else stays, and the decision is made again.
//! So whatever is said here is true of [`super::decide`], whatever the rules. Pure, bounded, and never part of a
//! decision: it looks at one that was made.

mod levers;
mod search;
mod time;
mod what_if;

use std::time::Duration;

use jiff::Timestamp;
use serde::{Deserialize, Serialize};
use tideform_policies::model::units::seconds;
use tideform_policies::model::{Capacity, Direction, Name};

pub use super::next::Edge;
use super::reason::{Combination, Reason};
use super::{Decision, Memory, Observation, Rules};
use what_if::{Variable, WhatIf};

/// What would have to differ for another answer, everything else as it was.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Nearest {
    /// The nearest values of the metrics that give another answer: of each at most one above and one below.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub values: Vec<NearestValue>,
    /// Directions in which no value of any metric moves the group, and the rule that holds it.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub held: Vec<Held>,
    /// When the answer becomes another one by itself, the metrics being as they are.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub by_time: Option<ByTime>,
    /// Rules that bind, with what the answer would be without each.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub levers: Vec<Lever>,
}

/// On which side of what was observed.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Side {
    /// A larger value.
    Above,
    /// A smaller one.
    Below,
}

/// A value of a metric that gives another answer. Between it and what was observed the answer stays as it is.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct NearestValue {
    /// Which metric. Of a formula the metrics that it reads are named.
    pub metric: Name,
    /// Where it lies; `None`: the metric has no data, and this value of it would give the answer.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub side: Option<Side>,
    /// In the metric's own unit, rounded; this very number gives the answer. With samples per instance: their mean,
    /// each being larger or smaller in proportion.
    pub value: f64,
    /// How long it must have been so, where the newest sample alone is not enough.
    #[serde(
        default,
        rename = "lasting_s",
        with = "seconds::option",
        skip_serializing_if = "Option::is_none"
    )]
    pub lasting: Option<Duration>,
    /// The answer.
    pub desired: Capacity,
}

/// A direction in which no value of any one metric moves the group.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Held {
    /// Which.
    pub direction: Direction,
    /// What holds it: the reason that a decision would give for the most extreme value of a metric, or the opinion of
    /// another metric that counts for more.
    pub by: Reason,
}

/// Another answer by time alone.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct ByTime {
    /// When.
    pub at: Timestamp,
    /// What ends or begins then.
    #[serde(flatten)]
    pub edge: Edge,
    /// The answer.
    pub desired: Capacity,
}

/// A rule that binds.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Lever {
    /// Its place among the decision's reasons, from 0.
    pub reason: usize,
    /// The answer without the rule.
    pub desired: Capacity,
}

/// Finds what would have to differ for another answer than `decision`, which is that of [`super::decide`] to the same
/// question.
///
/// At most a few hundred quiet decisions; about twenty for a group that holds with one tracked metric.
pub fn nearest(
    rules: &Rules,
    seen: &Observation,
    memory: &Memory,
    now: Timestamp,
    decision: &Decision,
) -> Nearest {
    let mut what_if = WhatIf::new(rules, seen, memory, now);
    let variables = what_if.variables(decision);
    let mut values = Vec::new();
    for variable in &variables {
        nearest_values(&mut what_if, variable, decision, &mut values);
    }
    let held = held(&mut what_if, &variables, decision, &values);
    Nearest {
        by_time: (decision.direction == Direction::Hold)
            .then(|| time::by_time(rules, seen, decision, now))
            .flatten(),
        levers: levers::levers(rules, seen, memory, now, decision),
        values,
        held,
    }
}

fn nearest_values(
    what_if: &mut WhatIf<'_>,
    variable: &Variable,
    decision: &Decision,
    values: &mut Vec<NearestValue>,
) {
    let mut say = |value: f64, side, lasting, desired| {
        values.push(NearestValue {
            metric: variable.name.clone(),
            side,
            value,
            lasting,
            desired: Capacity(desired),
        });
    };
    let answer = decision.desired.get();
    if variable.is_missing {
        let lasting = variable.window;
        let desired = what_if.with(variable, variable.base, lasting);
        if desired != answer {
            what_if.restore(variable);
            return say(variable.base, None, lasting, desired);
        }
    }
    for side in [Side::Above, Side::Below] {
        let mut best: Option<(f64, u32, Option<Duration>)> = None;
        for lasting in [None, variable.window] {
            if lasting.is_none()
                && best.is_none()
                && variable.is_missing
                && variable.window.is_some()
            {
                continue;
            }
            let found = search::nearest(&variable.range(side), answer, |x| {
                what_if.with(variable, x, lasting)
            });
            if let Some((value, desired)) = found {
                let distance = |x: f64| (x - variable.base).abs();
                if best.is_none_or(|(x, _, _)| distance(value) < distance(x)) {
                    best = Some((value, desired, lasting));
                }
            }
            if variable.window.is_none() {
                break;
            }
        }
        if let Some((value, desired, lasting)) = best {
            let side = (!variable.is_missing).then_some(side);
            say(value, side, lasting, desired);
        }
    }
    what_if.restore(variable);
}

/// The directions that nothing measured moves the group in, with the rule that a most extreme value runs into.
fn held(
    what_if: &mut WhatIf<'_>,
    variables: &[Variable],
    decision: &Decision,
    values: &[NearestValue],
) -> Vec<Held> {
    let current = decision.current;
    let mut held = Vec::new();
    for direction in [Direction::Out, Direction::In] {
        let goes_there = |desired: Capacity| Direction::between(current, desired) == direction;
        if goes_there(decision.desired) || values.iter().any(|value| goes_there(value.desired)) {
            continue;
        }
        let by = variables.iter().find_map(|variable| {
            let by = [Side::Above, Side::Below].into_iter().find_map(|side| {
                let reasons =
                    what_if.reasons_with(variable, variable.range(side).end, variable.window);
                holder(&reasons, direction, current)
            });
            what_if.restore(variable);
            by
        });
        let by = by.or_else(|| {
            // Each metric alone would; together they do not.
            variables.iter().find_map(|variable| {
                let by = [Side::Above, Side::Below].into_iter().find_map(|side| {
                    let reasons =
                        what_if.reasons_with(variable, variable.range(side).end, variable.window);
                    outvoter(&reasons, &variable.name, direction, current)
                });
                what_if.restore(variable);
                by
            })
        });
        held.extend(by.map(|by| Held { direction, by }));
    }
    held
}

/// The rule that takes back a move in a direction.
fn holder(reasons: &[Reason], direction: Direction, current: Capacity) -> Option<Reason> {
    let goes_there = |n: Capacity| Direction::between(current, n) == direction;
    reasons
        .iter()
        .find(|reason| match reason {
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
        })
        .cloned()
}

/// Where one metric wants to go in a direction: the other one that does not, and whose word counts.
fn outvoter(
    reasons: &[Reason],
    metric: &Name,
    direction: Direction,
    current: Capacity,
) -> Option<Reason> {
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

#[cfg(test)]
mod tests;
