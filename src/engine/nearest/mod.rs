//! What would have to differ for another answer: the nearest values of the metrics, the time, and what binds.
//!
//! The engine itself is asked: one thing of the question is changed, all else stays, and the decision is made again.
//! So whatever is said here is true of [`super::decide`], whatever the rules. Pure, bounded, and never part of a
//! decision: it looks at one that was made.

mod held;
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
use super::reason::Reason;
use super::{Decision, Memory, Observation, Rules};
use what_if::{Variable, WhatIf};

/// What would have to differ for another answer, everything else as it was.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Nearest {
    /// The nearest values of the metrics that give another answer: of each one above and one below, and further ones
    /// in a direction that none of these moves the group in.
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

/// A value of a metric that gives another answer.
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
    /// What was observed need only last to give the answer; so does all from there to `value`.
    #[serde(default, skip_serializing_if = "is_false")]
    pub is_met: bool,
    /// The answer.
    pub desired: Capacity,
}

fn is_false(flag: &bool) -> bool {
    !flag
}

/// A direction in which no value of any one metric moves the group.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Held {
    /// Which.
    pub direction: Direction,
    /// What holds it, of several the one that lasts longest: the reason that a decision would give for the most extreme
    /// value of a metric, the limits where the group is at that end, or the opinion of another metric that counts for
    /// more.
    pub by: Reason,
}

impl Held {
    /// When what holds it ends, where that is known.
    pub fn ends(&self) -> Option<Timestamp> {
        match (&self.by, self.direction) {
            (Reason::WithinLimits { floor_until, .. }, Direction::In) => *floor_until,
            (Reason::WithinLimits { ceiling_until, .. }, Direction::Out) => *ceiling_until,
            (by, _) => by.ends(),
        }
    }
}

impl Nearest {
    /// Leaves out what is over at a time: directions that were held until then, and what came by time alone.
    pub fn leave_out_past(&mut self, now: Timestamp) {
        self.held
            .retain(|held| held.ends().is_none_or(|at| at > now));
        if self
            .by_time
            .as_ref()
            .is_some_and(|by_time| by_time.at <= now)
        {
            self.by_time = None;
        }
    }
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
    let held = held::held(&mut what_if, &variables, decision, &mut values);
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
    let answer = decision.desired.get();
    let value = |value: f64, side, lasting, desired| NearestValue {
        metric: variable.name.clone(),
        side,
        value,
        lasting,
        is_met: false,
        desired: Capacity(desired),
    };
    if variable.is_missing {
        let lasting = variable.window;
        let desired = what_if.with(variable, variable.base, lasting);
        if desired != answer {
            what_if.restore(variable);
            return values.push(value(variable.base, None, lasting, desired));
        }
    }
    // What the present value gives once it has lasted.
    let met = variable
        .window
        .map(|_| what_if.with(variable, variable.base, variable.window))
        .filter(|met| *met != answer && !variable.is_missing);
    for side in [Side::Above, Side::Below] {
        let range = variable.range(side);
        if let Some(met) = met
            && let Some(end) = search::furthest(
                &range,
                |n| n == answer,
                |x| what_if.with(variable, x, variable.window),
            )
            && what_if.with(variable, end, variable.window) == met
        {
            values.push(NearestValue {
                is_met: true,
                ..value(end, Some(side), variable.window, met)
            });
        }
        let is_sought = |n: u32| n != answer && Some(n) != met;
        if let Some((x, desired, lasting)) = nearest_of(what_if, variable, side, is_sought) {
            let side = (!variable.is_missing).then_some(side);
            values.push(value(x, side, lasting, desired));
        }
    }
    what_if.restore(variable);
}

/// The nearest value on a side whose answer is one that is sought: by the newest sample alone, or where that has lasted.
fn nearest_of(
    what_if: &mut WhatIf<'_>,
    variable: &Variable,
    side: Side,
    is_sought: impl Fn(u32) -> bool + Copy,
) -> Option<(f64, u32, Option<Duration>)> {
    let mut best: Option<(f64, u32, Option<Duration>)> = None;
    for lasting in [None, variable.window] {
        if lasting.is_none() && variable.is_missing && variable.window.is_some() {
            continue;
        }
        let found = search::nearest(&variable.range(side), is_sought, |x| {
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
    best
}

#[cfg(test)]
mod tests;
