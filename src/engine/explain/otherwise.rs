//! What would have to differ for another answer, in words.

use jiff::Timestamp;
use tideform_policies::model::units::format_duration;
use tideform_policies::model::{Capacity, Direction, RateAmount};

use super::Line;
use super::numbers::{exact, percent, unit};
use super::words::{Words, bound_name};
use crate::engine::decision::Decision;
use crate::engine::nearest::{Edge, Held, Nearest, NearestValue, Side};
use crate::engine::reason::{Basis, Bound, Reason};

/// A line a metric, a line for the time, a line for each rule that binds.
pub(super) fn lines(words: &Words<'_>, decision: &Decision) -> Vec<Line> {
    let Some(nearest) = &decision.nearest else {
        // Decided by a version that did not ask: only the time is known.
        let at = decision.next_change.map(|at| words.times.text(at));
        return at
            .map(|at| Line::new("time alone", format!("may change it at {at}")))
            .into_iter()
            .collect();
    };
    let mut lines = values(words, decision, &nearest.values);
    lines.extend(held(words, decision, nearest));
    if let Some(by_time) = &nearest.by_time {
        lines.push(Line::new(
            "time alone",
            format!(
                "at {} it would {} if the metrics stay as they are: {}",
                words.times.text(by_time.at),
                would(decision.current, by_time.desired),
                edge(&by_time.edge)
            ),
        ));
    }
    for lever in &nearest.levers {
        if let Some(reason) = decision.reasons.get(lever.reason) {
            lines.push(Line::new(
                holder(reason),
                format!(
                    "binds: without it {}",
                    would(decision.current, lever.desired)
                ),
            ));
        }
    }
    lines
}

/// `cpu   at 66.1 % it would scale out to 7; at 53.9 % scale in to 5`.
fn values(words: &Words<'_>, decision: &Decision, values: &[NearestValue]) -> Vec<Line> {
    let mut lines: Vec<Line> = Vec::new();
    for (place, value) in values.iter().enumerate() {
        let unit = unit(words.group, &value.metric);
        let lasting = value.lasting.map_or_else(String::new, |lasting| {
            format!(" for {}", format_duration(lasting))
        });
        let mean = if is_a_mean_of_some(decision, &value.metric) {
            "a measured mean of "
        } else {
            ""
        };
        let is_pair =
            |other: &NearestValue| other.is_met && value.is_met && other.metric == value.metric;
        let number = exact(value.value);
        let others = match value.side {
            _ if !value.is_met => "",
            Some(Side::Below) => " or more",
            Some(Side::Above) | None => " or less",
        };
        // Of a value between two ends one line tells both.
        let met_below = values
            .get(place + 1..)
            .unwrap_or_default()
            .iter()
            .find(|other| is_pair(other));
        let met_above = values.get(..place).unwrap_or_default().iter().any(is_pair);
        if met_above {
            continue;
        }
        let where_to = match met_below {
            Some(low) => format!("from {}{unit} to {number}{unit}", exact(low.value)),
            None => format!("at {mean}{number}{unit}{others}"),
        };
        let text = format!(
            "{where_to}{lasting} it would {}",
            would(decision.current, value.desired)
        );
        match lines.last_mut() {
            Some(line) if line.subject == *value.metric => {
                line.text.push_str("; ");
                line.text.push_str(&text);
            }
            _ => {
                let data = if value.side.is_none() {
                    "with data: "
                } else {
                    ""
                };
                lines.push(Line::new(&value.metric, format!("{data}{text}")));
            }
        }
    }
    lines
}

/// The want follows from another number than the mean of the samples, since some have a say without a sample.
fn is_a_mean_of_some(decision: &Decision, metric: &str) -> bool {
    decision.reasons.iter().any(|reason| {
        matches!(
            reason,
            Reason::Opinion { metric: name, basis: Basis::PerInstance, missing, unready, .. }
                if **name == *metric && (*missing > 0 || *unready > 0)
        )
    })
}

fn held(words: &Words<'_>, decision: &Decision, nearest: &Nearest) -> Vec<Line> {
    let until = |until: Option<Timestamp>| {
        until.map_or_else(String::new, |at| format!(" until {}", words.times.text(at)))
    };
    // What people have asked for holds whatever is measured.
    let asked = decision
        .reasons
        .iter()
        .rev()
        .find(|reason| matches!(reason, Reason::Paused { .. } | Reason::Pinned { .. }));
    if let Some(asked) = asked.filter(|_| nearest.values.is_empty()) {
        return vec![Line::new(
            "metrics",
            format!(
                "no value changes this{}: {}",
                until(asked.ends()),
                holder(asked)
            ),
        )];
    }
    if nearest.values.is_empty() && nearest.held.len() == 2 {
        let mut names: Vec<String> = nearest.held.iter().map(holder_of).collect();
        names.dedup();
        // Either direction may be let go first.
        let ends = nearest.held.iter().filter_map(Held::ends).min();
        return vec![Line::new(
            "metrics",
            format!("no value changes this{}: {}", until(ends), names.join(", ")),
        )];
    }
    nearest
        .held
        .iter()
        .map(|held| {
            Line::new(
                held.direction,
                format!(
                    "at no value of {}{}: {}",
                    if is_opinion(&held.by) {
                        "one metric alone"
                    } else {
                        "any metric"
                    },
                    until(held.ends()),
                    holder_of(held)
                ),
            )
        })
        .collect()
}

fn is_opinion(reason: &Reason) -> bool {
    matches!(
        reason,
        Reason::Opinion { .. } | Reason::Want { .. } | Reason::Step { .. }
    )
}

/// `scale out to 7`, `scale in to 5`, `stay at 6`.
pub(super) fn would(current: Capacity, desired: Capacity) -> String {
    match Direction::between(current, desired) {
        Direction::Hold => format!("stay at {desired}"),
        direction => format!("{direction} to {desired}"),
    }
}

/// What holds a direction, by name: `the floor of 20 (surge campaign)`.
fn holder_of(held: &Held) -> String {
    let end = |bound: &Bound, end: &str, what: &str, number: Capacity| match bound {
        Bound::Limits => format!("limits.{end} {number}"),
        bound => format!("the {what} of {number} ({})", bound_name(bound)),
    };
    match (&held.by, held.direction) {
        (
            Reason::WithinLimits {
                floor, floor_by, ..
            },
            Direction::In,
        ) => end(floor_by, "min", "floor", *floor),
        (
            Reason::WithinLimits {
                ceiling: Some(ceiling),
                ceiling_by,
                ..
            },
            Direction::Out,
        ) => end(ceiling_by, "max", "ceiling", *ceiling),
        (Reason::RaisedToFloor { bound, after, .. }, _) => end(bound, "min", "floor", *after),
        (Reason::LoweredToCeiling { bound, after, .. }, _) => end(bound, "max", "ceiling", *after),
        (by, _) => holder(by),
    }
}

/// The rule that a reason is about, by name: `limits.max 12`, `cooldown`.
fn holder(reason: &Reason) -> String {
    let bound = |bound: &Bound, end: &str, number: Capacity| match bound {
        Bound::Limits => format!("limits.{end} {number}"),
        Bound::Schedule(name) => format!("schedule {name}"),
        Bound::Surge(name) => format!("surge {name}"),
        Bound::Forecast => "forecast".to_owned(),
    };
    match reason {
        Reason::RaisedToFloor {
            bound: by, after, ..
        } => bound(by, "min", *after),
        Reason::LoweredToCeiling {
            bound: by, after, ..
        } => bound(by, "max", *after),
        Reason::Stabilized { .. } => "stabilization".to_owned(),
        Reason::RateLimited { amount, per, .. } => {
            let amount = match amount {
                RateAmount::Count(n) => n.to_string(),
                RateAmount::Share(share) => percent(*share),
            };
            format!("rate {amount} in {}", format_duration(*per))
        }
        Reason::DirectionDisabled { direction, .. } => format!("{direction} is switched off"),
        Reason::InCooldown { .. } => "cooldown".to_owned(),
        Reason::Guarded { guard, .. } | Reason::GuardTripped { guard, .. } => {
            format!("guard {guard}")
        }
        Reason::Frozen { freeze, .. } => format!("freeze {freeze}"),
        Reason::OverBudget { .. } => "budget".to_owned(),
        Reason::Pinned { .. } => "pin".to_owned(),
        Reason::Paused { .. } => "pause".to_owned(),
        Reason::Warming { .. } => "instances are warming up".to_owned(),
        Reason::Combined { .. } => "a metric has no data".to_owned(),
        Reason::Opinion { metric, want, .. }
        | Reason::Want { metric, want, .. }
        | Reason::Step { metric, want, .. } => format!("{metric} wants {want}"),
        Reason::Abstained { metric, .. }
        | Reason::NoData { metric, .. }
        | Reason::Substituted { metric, .. }
        | Reason::AddedOnMissing { metric, .. }
        | Reason::Cut { metric, .. } => metric.to_string(),
        Reason::WithinLimits { .. } => "limits".to_owned(),
        Reason::ForecastObserved { .. } => "forecast".to_owned(),
        Reason::ScheduleUnusable { schedule, .. } => format!("schedule {schedule}"),
        Reason::MixSplit { .. } => "mix".to_owned(),
        Reason::Fallback { .. } => "fallback".to_owned(),
        Reason::Victims { .. } => "victims".to_owned(),
    }
}

/// What happens at a time.
fn edge(edge: &Edge) -> String {
    match edge {
        Edge::Stabilization => "the stabilization window has passed".to_owned(),
        Edge::Rate => "a change ceases to count against the rate".to_owned(),
        Edge::Cooldown => "the cooldown ends".to_owned(),
        Edge::Pin => "the pin ends".to_owned(),
        Edge::Pause => "the pause ends".to_owned(),
        Edge::Fallback => "spot is tried again".to_owned(),
        Edge::Warmup => "an instance has warmed up".to_owned(),
        Edge::Breach(metric) => format!("{metric} has then been breached for long enough"),
        Edge::DataTooOld(metric) => format!("the last sample of {metric} is then too old"),
        Edge::DataDue(metric) => format!("a sample of {metric} comes to count"),
        Edge::Guard(guard) => format!("guard {guard} has then seen enough"),
        Edge::Schedule(schedule) => format!("schedule {schedule} opens or closes"),
        Edge::Surge(surge) => format!("surge {surge} begins or ends"),
        Edge::Freeze(freeze) => format!("freeze {freeze} begins or ends"),
    }
}
