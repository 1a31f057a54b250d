//! Words that the text and the Markdown view share.

use serde_json::Value as Json;

use crate::engine::explain::{self, Line};
use crate::plan::types::{
    Action, CalendarEntry, CalendarKind, CostChange, Drift, DriftOutcome, GroupPlan, NextDecision,
    Plan,
};

/// A value on one line: text in quotes, lists in brackets.
pub(super) fn value(value: &Json) -> String {
    match value {
        Json::Null => "(none)".to_owned(),
        Json::Array(items) => {
            let items: Vec<String> = items.iter().map(self::value).collect();
            format!("[{}]", items.join(", "))
        }
        _ => value.to_string(),
    }
}

/// Text of several lines, which is shown as a difference and not beside an arrow.
pub(super) fn lines(value: &Json) -> Option<&str> {
    value.as_str().filter(|text| text.contains('\n'))
}

/// The sign in front of a group; `!` for one that is left out.
pub(super) fn sign(group: &GroupPlan) -> &'static str {
    match group.failure {
        Some(_) => "!",
        None => group.action.sign(),
    }
}

/// What happens to a group: after its address.
pub(super) fn action(group: &GroupPlan) -> String {
    let resource = format!("{} {}", group.resource.kind, group.resource.name);
    match group.action {
        Action::NoOp => match &group.failure {
            Some(failure) => match &group.failure_code {
                Some(code) => format!("error {code}, left out: {failure}"),
                None => format!("cannot be read: {failure}"),
            },
            None => "no changes".to_owned(),
        },
        Action::Create => format!("creates {resource}"),
        Action::Adopt => format!("takes {resource} under management"),
        Action::Record => format!("takes {resource} under management as it is"),
        Action::Update => match &group.moved_from {
            Some(from) => format!("moves from {from} and changes"),
            None => "changes".to_owned(),
        },
        Action::Replace => format!("scales {resource} instead"),
        Action::Move => match &group.moved_from {
            Some(from) => format!("moves from {from}, with memory and history"),
            None => "moves".to_owned(),
        },
        Action::Release => format!("is no longer managed; {resource} and its capacity stay"),
        Action::Forget => format!("is forgotten; {resource} is not touched"),
        Action::Destroy => format!("DESTROYS {resource} and its instances"),
    }
}

/// `4 -> 6   scale out by 2   +0.19 USD/h`.
pub(super) fn decision(decision: &NextDecision) -> String {
    let NextDecision {
        current, desired, ..
    } = decision;
    if current == desired {
        return format!("stays at {current}");
    }
    let by = current.abs_diff(*desired);
    let mut line = format!("{current} -> {desired}   {} by {by}", decision.direction);
    if let Some(cost) = decision.cost_usd_per_hour {
        line.push_str("   ");
        line.push_str(&explain::usd_per_hour(cost));
    }
    line
}

/// The reasons that matter, as lines.
pub(super) fn reasons(decision: &NextDecision) -> Vec<Line> {
    decision
        .reasons
        .iter()
        .filter(|reason| reason.is_decisive)
        .map(|reason| Line {
            subject: reason.subject.clone(),
            text: reason.text.clone(),
        })
        .collect()
}

/// The entries of a calendar, at most two of a block: `schedule office   Mon 2026-11-23 08:00 to 18:00 …`.
pub(super) fn calendar(entries: &[CalendarEntry]) -> Vec<String> {
    let mut shown: Vec<(CalendarKind, &str, usize)> = Vec::new();
    let mut lines = Vec::new();
    for entry in entries {
        let seen = shown
            .iter_mut()
            .find(|(kind, name, _)| *kind == entry.kind && *name == entry.name);
        match seen {
            Some((_, _, count)) => {
                *count += 1;
                if *count > 2 {
                    continue;
                }
            }
            None => shown.push((entry.kind, &entry.name, 1)),
        }
        lines.push(calendar_entry(entry));
    }
    for (kind, name, count) in shown {
        if count > 2 {
            let more = count - 2;
            lines.push(format!("{} {name}   and {more} more", kind_word(kind)));
        }
    }
    lines
}

fn kind_word(kind: CalendarKind) -> &'static str {
    match kind {
        CalendarKind::Schedule => "schedule",
        CalendarKind::Surge => "surge",
        CalendarKind::Freeze => "freeze",
    }
}

fn calendar_entry(entry: &CalendarEntry) -> String {
    // The end's date is left out where it is the start's.
    let (date, _) = entry.local_start.rsplit_once(' ').unwrap_or_default();
    let end = entry
        .local_end
        .strip_prefix(date)
        .map_or(entry.local_end.as_str(), str::trim_start);
    let mut line = format!(
        "{} {}   {} to {end} {}",
        kind_word(entry.kind),
        entry.name,
        entry.local_start,
        entry.timezone
    );
    if let Some(min) = entry.min {
        line.push_str(&format!("   min {min}"));
    }
    if let Some(max) = entry.max {
        line.push_str(&format!("   max {max}"));
    }
    if let Some(note) = &entry.note {
        line.push_str(&format!("   {note}"));
    }
    line
}

/// `120.00 -> 160.00 USD a month (+40.00)`; `None` where no price is known.
pub(super) fn cost(cost: &CostChange) -> Option<String> {
    let after = cost.after_usd_per_month?;
    let mut line = match cost.difference() {
        Some(difference) => format!(
            "{:.2} -> {after:.2} USD a month ({difference:+.2})",
            after - difference
        ),
        None => format!("{after:.2} USD a month"),
    };
    if let (Some(least), Some(most)) = (cost.least_usd_per_month, cost.most_usd_per_month) {
        line.push_str(&format!("; between {least:.2} and {most:.2} by the limits"));
    }
    if cost.metric_reads_usd_per_month > 0.0 {
        line.push_str(&format!(
            "; {:.2} of it for reading metrics",
            cost.metric_reads_usd_per_month
        ));
    }
    Some(line)
}

/// `10 was applied, 12 is live: apply sets what the files say`.
pub(super) fn drift(drift: &Drift) -> String {
    let (applied, live) = (value(&drift.applied), value(&drift.live));
    match (drift.applied.is_null(), drift.live.is_null(), drift.outcome) {
        (true, _, DriftOutcome::Undone) => {
            format!("{live} is live, and was not applied: apply takes it away")
        }
        (true, _, DriftOutcome::Kept) => format!("{live} is live, and was not applied: stays"),
        (_, true, DriftOutcome::Undone) => {
            format!("{applied} was applied, and is gone: apply puts it back")
        }
        (_, true, DriftOutcome::Kept) => format!("{applied} was applied, and is gone: stays so"),
        (_, _, DriftOutcome::Undone) => {
            format!("{applied} was applied, {live} is live: apply sets what the files say")
        }
        (_, _, DriftOutcome::Kept) => format!("{applied} was applied, {live} is live: stays"),
    }
}

/// The sum of the groups' changes in cost, over the groups whose change is known.
pub(super) fn total_cost(plan: &Plan) -> Option<f64> {
    let mut total = None;
    for group in &plan.groups {
        if let Some(difference) = group.cost.as_ref().and_then(CostChange::difference) {
            *total.get_or_insert(0.0) += difference;
        }
    }
    total
}

/// What follows the summary where something stands in the way of apply.
pub(super) fn lost(plan: &Plan) -> Option<String> {
    let (resource, owner) = plan.lost.first()?;
    let more = match plan.lost.len() {
        1 => String::new(),
        n => format!(" and {} more", n - 1),
    };
    Some(format!(
        "The cloud carries the tag of workspace `{}` on {} `{}`{more}, and the state here is empty: apply will refuse. \
         Another directory may use this workspace's name too: then give this one a name of its own, `tideform {{ workspace \
         = \"...\" }}`. If the state was lost, restore it. Only where nobody uses the other state any more: --take-over.",
        owner.workspace, resource.kind, resource.name
    ))
}
