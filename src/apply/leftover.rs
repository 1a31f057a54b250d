//! What an apply that died left open: settled from what is live now, never guessed, before anything new begins.

use std::time::Duration;

use jiff::Timestamp;
use serde::Serialize;
use serde_json::Value as Json;
use tideform_policies::model::GroupAddress;
use tideform_provider::Needs;
use tideform_state::{
    ApplyId, Intent, IntentKind, NewApply, Outcome, RunningOutcome, Settlement, State, StateError,
};

use super::parts::{in_words, is_in_effect, parts};
use super::step::{self, Seen};
use super::{Part, Written, write_record};
use crate::plan::{Intention, Record, fingerprint};
use crate::reconcile::LONGEST_CALL;
use crate::registry::Providers;

/// A change of an apply that died, and what became of it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Leftover {
    /// Which group.
    pub address: GroupAddress,
    /// For people: what was to change.
    pub text: String,
    /// What became of it as a whole.
    pub outcome: Outcome,
    /// What became of each part, in the order in which they are carried out.
    pub parts: Vec<Part>,
}

/// Settles the planned changes that have no outcome: done where all their parts are live, and then what is applied is
/// written as the apply would have done; not done where none is, once the longest call time has passed; else failed, and
/// which parts are done is said. One whose resource cannot be read stays open. Nothing is changed in the cloud.
///
/// - `keep`: proves, before every write, that the lease is still ours.
/// - `waits`: whether to wait out the longest call where one may still be under way; else that one stays open.
///
/// # Errors
/// [`StateError`] where the state cannot be read or written, and what `keep` says.
pub async fn settle_leftovers(
    state: &mut State,
    providers: &Providers,
    keep: &mut (dyn FnMut(&mut State) -> Result<(), StateError> + Send),
    actor: &str,
    waits: bool,
) -> Result<Vec<Leftover>, StateError> {
    let mut open: Vec<(Intent, Intention)> = Vec::new();
    for intent in state.open_intents()? {
        // Those without an apply are the loop's own; it settles them itself.
        let (IntentKind::ApplyChange { change }, Some(_)) = (&intent.kind, intent.apply) else {
            continue;
        };
        match serde_json::from_value::<Intention>(change.clone()) {
            Ok(intention) => open.push((intent, intention)),
            // Of another version: nobody can tell any more.
            Err(_) => {
                keep(state)?;
                settle_as(state, providers, &intent, Outcome::Unknown, "")?;
            }
        }
    }
    if open.is_empty() {
        return Ok(Vec::new());
    }
    let lineage = state.meta()?.lineage;
    let mut keys = step::Wanted::new();
    for (_, intention) in &open {
        let mut wanted = step::needs_of_steps(&intention.steps);
        if let Record::Write { group, .. } = &intention.record {
            wanted = wanted.and(Needs::to_apply(group));
        }
        for step in &intention.steps {
            let needs = keys
                .entry((step.provider().clone(), step.resource().clone()))
                .or_default();
            *needs = needs.and(wanted);
        }
    }
    let mut seen = step::read(&keys, providers).await;
    let clock = providers.clock();
    let youngest = open.iter().map(|(intent, _)| intent.at).max();
    let left = |now: Timestamp, at: Timestamp| {
        let passed = Duration::try_from(now.duration_since(at)).unwrap_or_default();
        LONGEST_CALL.saturating_sub(passed)
    };
    let is_unclear = open.iter().any(|(_, intention)| {
        intention
            .steps
            .iter()
            .any(|step| is_in_effect(step, &seen, &lineage) == Some(false))
    });
    if waits
        && is_unclear
        && let Some(youngest) = youngest
    {
        // A call may still be under way: wait out the longest, then look again.
        let left = left(clock.now(), youngest);
        if !left.is_zero() {
            clock.wait(left).await;
            seen = step::read(&keys, providers).await;
        }
    }
    let now = clock.now();
    let mut settled = Vec::new();
    for (intent, intention) in open {
        let Some(parts) = parts(&intention.steps, &seen, &lineage) else {
            continue;
        };
        let done = parts.iter().filter(|part| part.is_done).count();
        if done < parts.len() && !left(now, intent.at).is_zero() {
            continue;
        }
        let outcome = if done == parts.len() {
            Outcome::Done
        } else if done == 0 {
            Outcome::NotDone
        } else {
            Outcome::Failed {
                message: format!("interrupted: {}", in_words(&parts)),
            }
        };
        // Reads and the wait take their time: who lost the lease must not write any more.
        keep(state)?;
        // What a later apply has recorded of the group holds, whatever this one was about to.
        let later = state.applied_by(&intention.address)?;
        let outcome = if intent.apply.is_some() && later > intent.apply {
            Outcome::Superseded
        } else {
            outcome
        };
        if outcome == Outcome::Done {
            finish(state, providers, &intent, &intention, &seen, actor)?;
        } else {
            settle_as(state, providers, &intent, outcome.clone(), &intention.text)?;
        }
        settled.push(Leftover {
            address: intention.address,
            text: intention.text,
            outcome,
            parts,
        });
    }
    Ok(settled)
}

fn settle_as(
    state: &mut State,
    providers: &Providers,
    intent: &Intent,
    outcome: Outcome,
    text: &str,
) -> Result<(), StateError> {
    let text = match text {
        "" => String::new(),
        text => match &outcome {
            Outcome::Failed { message } => {
                format!("{text}: {message}, settled after an interruption")
            }
            outcome => format!("{text}: {}, settled after an interruption", outcome.word()),
        },
    };
    let at = providers.clock().now();
    state.write(|tx| tx.settle_intent(intent.id, &Settlement { outcome, at, text }))?;
    Ok(())
}

/// Writes what the apply that died would have written.
fn finish(
    state: &mut State,
    providers: &Providers,
    intent: &Intent,
    intention: &Intention,
    seen: &Seen,
    actor: &str,
) -> Result<(), StateError> {
    let at = providers.clock().now();
    let running = state
        .applies(1)?
        .first()
        .filter(|apply| apply.outcome == RunningOutcome::Running)
        .map(|apply| apply.id);
    let (found, attributes) = found(intention, seen);
    state.write(|tx| {
        tx.settle_intent(
            intent.id,
            &Settlement {
                outcome: Outcome::Done,
                at,
                text: format!("{}: done, settled after an interruption", intention.text),
            },
        )?;
        let apply: ApplyId = match running {
            Some(apply) => {
                // Whoever has read what was applied before this reads it again: a loop, and a saved plan.
                tx.raise_serial()?;
                apply
            }
            // Another apply has begun and ended since, without being able to read this group.
            None => tx.begin_apply(&NewApply {
                at,
                actor: actor.to_owned(),
                digest: String::new(),
                details: Json::Null,
            })?,
        };
        write_record(
            tx,
            apply,
            &Written {
                address: &intention.address,
                moved_from: intention.moved_from.as_ref(),
                record: &intention.record,
                fingerprint: &found,
                attributes: &attributes,
            },
            at,
            actor,
        )?;
        if running.is_none() {
            tx.finish_apply(apply, &tideform_state::ApplyOutcome::Done, at)?;
        }
        Ok(())
    })
}

fn found(intention: &Intention, seen: &Seen) -> (String, Json) {
    let Record::Write { group, .. } = &intention.record else {
        return (String::new(), Json::Null);
    };
    let key = (group.provider.clone(), group.resource.clone());
    match seen.get(&key) {
        Some(Ok(Some(live))) => (
            fingerprint(live, Some(&**group)),
            serde_json::to_value(&live.attributes).unwrap_or_default(),
        ),
        _ => (String::new(), Json::Null),
    }
}
