//! What is written to the state about a group: its outcome, and what is applied of it from now on.

use tideform_policies::model::Controller;
use tideform_state::JsonText;

use super::*;
use crate::reconcile::{Moved, Progress as LoopProgress};

/// The address that the state knows a group by, where the plan gives it another and it has not got that yet.
pub(super) fn moved_from<'a>(
    group: &'a GroupPlan,
    applied: &BTreeSet<GroupAddress>,
) -> Option<&'a GroupAddress> {
    group
        .moved_from
        .as_ref()
        .filter(|from| applied.contains(from))
}

pub(super) fn drift_event(
    group: &GroupPlan,
    moved_from: Option<&GroupAddress>,
    at: Timestamp,
    actor: &str,
) -> NewEvent {
    const SHOWN: usize = 5;
    let value = |value: &Json| match value {
        Json::Null => "(none)".to_owned(),
        value => value.to_string(),
    };
    let mut parts: Vec<String> = group
        .drift
        .iter()
        .take(SHOWN)
        .map(|drift| {
            let (applied, live) = (value(&drift.applied), value(&drift.live));
            format!("{} {applied} -> {live}", drift.path)
        })
        .collect();
    if let more @ 1.. = group.drift.len().saturating_sub(SHOWN) {
        parts.push(format!("and {more} more"));
    }
    NewEvent {
        group: Some(moved_from.unwrap_or(&group.address).clone()),
        reasons: serde_json::to_value(&group.drift).unwrap_or_default(),
        text: format!("changed outside tideform: {}", parts.join(", ")),
        ..NewEvent::new(at, EventKind::Drift, actor)
    }
}

/// What changes, in one line: for the event.
pub(super) fn describe(group: &GroupPlan) -> String {
    const SHOWN: usize = 3;
    let changes = || group.changes.iter().filter(|change| !change.is_the_loops());
    let mut parts: Vec<String> = changes()
        .take(SHOWN)
        .map(
            |change| match (change.before.is_null(), change.after.is_null()) {
                (true, _) => format!("{} {}", change.path, change.after),
                (_, true) => format!("{} removed", change.path),
                _ => format!("{} {} -> {}", change.path, change.before, change.after),
            },
        )
        .collect();
    if let more @ 1.. = changes().skip(SHOWN).count() {
        parts.push(format!("and {more} more"));
    }
    let action = match group.action {
        Action::NoOp => "no change",
        Action::Create => "created",
        Action::Adopt => "taken under management",
        Action::Record => "taken under management as it is",
        Action::Update => "changed",
        Action::Replace => "scales another resource",
        Action::Move => "moved",
        Action::Release => "no longer managed",
        Action::Forget => "forgotten",
        Action::Destroy => "destroyed",
    };
    if parts.is_empty() {
        action.to_owned()
    } else {
        format!("{action}: {}", parts.join(", "))
    }
}

pub(super) fn settle(
    tx: &mut Transaction<'_>,
    id: IntentId,
    outcome: Outcome,
    group: &GroupPlan,
    at: Timestamp,
) -> Result<(), StateError> {
    let text = match &outcome {
        Outcome::Done => describe(group),
        Outcome::Failed { message } => format!("{}: failed: {message}", describe(group)),
        Outcome::Unknown => format!("{}: no answer", describe(group)),
        Outcome::NotDone | Outcome::Superseded => {
            format!("{}: {}", describe(group), outcome.word())
        }
    };
    tx.settle_intent(id, &Settlement { outcome, at, text })?;
    Ok(())
}

/// Writes what is applied of a group from now on.
pub(super) fn record(
    tx: &mut Transaction<'_>,
    apply: ApplyId,
    group: &GroupPlan,
    fingerprint: &str,
    attributes: &Json,
    at: Timestamp,
    actor: &str,
) -> Result<(), StateError> {
    write_record(
        tx,
        apply,
        &Written {
            address: &group.address,
            moved_from: group.moved_from.as_ref(),
            record: &group.record,
            fingerprint,
            attributes,
        },
        at,
        actor,
    )
}

/// What is written about a group once its steps are done.
pub(super) struct Written<'a> {
    pub(super) address: &'a GroupAddress,
    pub(super) moved_from: Option<&'a GroupAddress>,
    pub(super) record: &'a Record,
    pub(super) fingerprint: &'a str,
    pub(super) attributes: &'a Json,
}

pub(super) fn write_record(
    tx: &mut Transaction<'_>,
    apply: ApplyId,
    written: &Written<'_>,
    at: Timestamp,
    actor: &str,
) -> Result<(), StateError> {
    match written.record {
        Record::Keep => Ok(()),
        Record::Forget => match tx.forget_group(written.address, at, actor) {
            // Settled before a crash, and again after it.
            Err(StateError::UnknownGroup { .. }) => Ok(()),
            answer => answer,
        },
        Record::Write {
            group,
            created,
            controls,
        } => {
            if let Some(from) = written.moved_from {
                match tx.move_group(from, written.address, at, actor) {
                    Err(StateError::UnknownGroup { .. }) => {}
                    answer => answer?,
                }
            }
            tx.record_applied_group(
                apply,
                &AppliedGroup {
                    group: (**group).clone(),
                    attributes: written.attributes.clone(),
                    fingerprint: written.fingerprint.to_owned(),
                    ownership: if *created {
                        Ownership::Created
                    } else {
                        Ownership::Managed
                    },
                    details: json!(Details {
                        controls: controls.clone()
                    }),
                    applied_at: at,
                },
            )?;
            match group.controller {
                Controller::Tideform => forget_moved(tx, written.address),
                Controller::Native => Ok(()),
            }
        }
    }
}

/// The plan that gives a group to the loop puts back what was moved of it, or keeps it away: nothing waits any more.
fn forget_moved(tx: &mut Transaction<'_>, group: &GroupAddress) -> Result<(), StateError> {
    let Some(text) = tx.progress_of(group)? else {
        return Ok(());
    };
    // What another version remembers is the loop's to judge.
    let Ok(progress) = text.read::<LoopProgress>() else {
        return Ok(());
    };
    if progress.moved == Moved::default() {
        return Ok(());
    }
    let progress = LoopProgress {
        moved: Moved::default(),
        ..progress
    };
    tx.save_progress(group, &JsonText::of(&progress)?)
}
