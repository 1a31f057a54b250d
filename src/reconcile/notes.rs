//! What is news about a group: said once, when it begins and when it ends, not with every visit. Pure.

use std::collections::BTreeSet;

use jiff::Timestamp;
use tideform_provider::LiveGroup;
use tideform_state::EventKind;

use super::group::{GroupRun, GroupWrite, Note};
use super::progress::{Condition, Progress};
use crate::engine::Memory;
use crate::observe::Observed;

pub(super) fn note(kind: EventKind, text: String) -> Note {
    Note { kind, text }
}

/// Guards that trip or let go, and the fallback to on demand, are news by themselves.
pub(super) fn note_memory(before: &Memory, after: &Memory, write: &mut GroupWrite) {
    for guard in &after.guards {
        let was_tripped = before
            .guards
            .iter()
            .any(|earlier| earlier.guard == guard.guard && earlier.is_tripped);
        if guard.is_tripped && !was_tripped {
            write.notes.push(note(
                EventKind::GuardTripped,
                format!("guard `{}` tripped", guard.guard),
            ));
        }
    }
    for guard in before.guards.iter().filter(|guard| guard.is_tripped) {
        let is_tripped = after
            .guards
            .iter()
            .any(|later| later.guard == guard.guard && later.is_tripped);
        if !is_tripped {
            write.notes.push(note(
                EventKind::GuardReleased,
                format!("guard `{}` let go", guard.guard),
            ));
        }
    }
    if let Some(fallback) = after.fallback
        && before
            .fallback
            .is_none_or(|earlier| earlier.until < fallback.until)
    {
        let text = format!(
            "spot launches failed: on demand until {:.0}",
            fallback.until
        );
        write.notes.push(note(EventKind::FallbackStarted, text));
    }
}

/// Launches that failed since the last visit.
pub(super) fn note_failed_launches(progress: &Progress, live: &LiveGroup, write: &mut GroupWrite) {
    let news: Vec<_> = live
        .failed_launches
        .iter()
        .filter(|failed| progress.last_visit.is_none_or(|last| failed.at > last))
        .collect();
    if let Some(last) = news.last() {
        let text = match news.len() {
            1 => format!("a launch failed: {}", last.message),
            n => format!("{n} launches failed, the last: {}", last.message),
        };
        write.notes.push(note(EventKind::LaunchFailed, text));
    }
}

pub(super) fn note_failed_metrics(
    progress: &mut Progress,
    observed: &Observed,
    write: &mut GroupWrite,
) {
    let failing: BTreeSet<String> = observed
        .failed_metrics
        .keys()
        .map(|name| name.to_string())
        .collect();
    for (name, message) in &observed.failed_metrics {
        if !progress.failing_metrics.contains(&**name) {
            write.notes.push(note(
                EventKind::DataMissing,
                format!("metric `{name}` has no data: {message}"),
            ));
        }
    }
    for name in progress.failing_metrics.difference(&failing) {
        write.notes.push(note(
            EventKind::ProviderRecovered,
            format!("metric `{name}` is read again"),
        ));
    }
    progress.failing_metrics = failing;
}

pub(super) fn note_budget(
    run: &mut GroupRun,
    observed: &Observed,
    now: Timestamp,
    write: &mut GroupWrite,
) {
    let Some(budget) = run.rules.group().policy.budget.clone() else {
        return;
    };
    let Some(spent) = observed.observation.spent else {
        return;
    };
    if budget.monthly_usd <= 0.0 {
        return;
    }
    let month = now
        .to_zoned(jiff::tz::TimeZone::UTC)
        .strftime("%Y-%m")
        .to_string();
    let used = spent.cost_usd / budget.monthly_usd * 100.0;
    for alert in run.progress.new_alerts(&month, used, &budget.alert) {
        write.notes.push(note(
            EventKind::BudgetAlert,
            format!(
                "{alert} % of the month's budget is used: {:.2} of {:.2} USD",
                spent.cost_usd, budget.monthly_usd
            ),
        ));
    }
}

pub(super) fn clear_condition(progress: &mut Progress, write: &mut GroupWrite) {
    if let Some(condition) = progress.condition.clone()
        && progress.set_condition(None)
    {
        let message = match condition {
            Condition::Missing => "the resource is there again".to_owned(),
            Condition::Blocked { .. } => "no longer held by the provider".to_owned(),
            Condition::SwitchedOff { .. } => {
                "the cloud is no longer kept from scaling it".to_owned()
            }
            Condition::Foreign { .. } => "no longer held by another state".to_owned(),
            Condition::NoData { .. } => {
                "there is data to decide from: the cloud's own policies go".to_owned()
            }
            Condition::Failing { .. } => "works again".to_owned(),
        };
        write
            .notes
            .push(note(EventKind::ProviderRecovered, message));
    }
}
