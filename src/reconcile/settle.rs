//! What became of an intent without an outcome: read from what is live now, never guessed. Pure.

use std::time::Duration;

use jiff::Timestamp;
use serde::{Deserialize, Serialize};
use tideform_policies::model::{Capacity, Change, InstanceId, InstanceState};
use tideform_provider::{AttributeChange, ControlKind, LiveGroup, SwitchedOff, dated_at};
use tideform_state::{IntentId, IntentKind, Outcome};

use crate::observe::after;

/// A call, or its repetition, that has not begun this long after its intent was recorded does not begin any more.
pub const CALL_STARTS_WITHIN: Duration = Duration::from_secs(10);

/// A call that has not been answered for this long is given up: its outcome is unknown.
pub const CALL_TAKES_AT_MOST: Duration = Duration::from_secs(20);

/// The longest that a call may be under way after its intent was recorded. An intent this old whose change is not
/// live will not become so by our call.
pub const LONGEST_CALL: Duration =
    Duration::from_secs(CALL_STARTS_WITHIN.as_secs() + CALL_TAKES_AT_MOST.as_secs());

/// What a recorded intent asks of the provider.
#[derive(Clone, Debug, PartialEq)]
pub enum Act {
    /// Asks for a capacity.
    SetDesired,
    /// Ends one instance, and lowers the desired capacity by its weight.
    Terminate {
        /// Which.
        instance: InstanceId,
    },
    /// Changes an attribute that the loop moves: the mix while a fallback runs, a native control that is no longer
    /// ours to keep.
    Change(AttributeChange),
    /// The same, several in one call, of a group that the cloud's own controls scale.
    Changes {
        /// Why, for people.
        why: String,
        /// In this order.
        changes: Vec<AttributeChange>,
    },
}

/// How the state keeps [`Act::Changes`].
#[derive(Serialize, Deserialize)]
struct Several {
    why: String,
    changes: Vec<AttributeChange>,
}

impl Act {
    /// As the state keeps it.
    pub fn kind(&self) -> IntentKind {
        match self {
            Act::SetDesired => IntentKind::SetDesired,
            Act::Terminate { instance } => IntentKind::Terminate {
                instance: instance.clone(),
            },
            Act::Change(change) => IntentKind::ApplyChange {
                change: serde_json::to_value(change).unwrap_or_default(),
            },
            Act::Changes { why, changes } => IntentKind::ApplyChange {
                change: serde_json::to_value(Several {
                    why: why.clone(),
                    changes: changes.clone(),
                })
                .unwrap_or_default(),
            },
        }
    }

    /// From what the state keeps of an intent of the loop's; `None` for what this version does not understand.
    pub fn from_kind(kind: &IntentKind) -> Option<Act> {
        match kind {
            IntentKind::SetDesired => Some(Act::SetDesired),
            IntentKind::Terminate { instance } => Some(Act::Terminate {
                instance: instance.clone(),
            }),
            IntentKind::ApplyChange { change } => {
                if let Ok(Several { why, changes }) = serde_json::from_value(change.clone()) {
                    return Some(Act::Changes { why, changes });
                }
                serde_json::from_value(change.clone()).ok().map(Act::Change)
            }
        }
    }

    /// For people: `desired 4 -> 6`.
    pub fn summary(&self, change: &Change<Capacity>) -> String {
        match self {
            Act::SetDesired => format!("desired {} -> {}", change.before, change.after),
            Act::Terminate { instance } => format!("terminate {instance}"),
            Act::Change(AttributeChange::Mix(mix)) => format!("spot share {}", mix.spot),
            Act::Change(AttributeChange::PutControl(spec)) => format!("put `{}`", spec.name),
            Act::Change(AttributeChange::RemoveControl(name)) => format!("remove `{name}`"),
            Act::Change(_) => "change".to_owned(),
            Act::Changes { why, changes } => format!("{why}: {}", in_words(changes)),
        }
    }
}

/// `3 scheduled actions put, limits 5 to 5`.
fn in_words(changes: &[AttributeChange]) -> String {
    let actions = |count: usize, what: &str| match count {
        0 => None,
        1 => Some(format!("1 scheduled action {what}")),
        count => Some(format!("{count} scheduled actions {what}")),
    };
    let count = |is_meant: &dyn Fn(&AttributeChange) -> bool| {
        changes.iter().filter(|change| is_meant(change)).count()
    };
    let removed = count(&|change| matches!(change, AttributeChange::RemoveControl(_)));
    let put = count(
        &|change| matches!(change, AttributeChange::PutControl(spec) if spec.kind == ControlKind::Schedule),
    );
    let others = changes.iter().filter_map(|change| match change {
        AttributeChange::Limits(limits) => {
            Some(format!("limits {} to {}", limits.min(), limits.max()))
        }
        AttributeChange::Pause(true) => Some("the cloud's own policies switched off".to_owned()),
        AttributeChange::Pause(false) => Some("the cloud's own policies switched on".to_owned()),
        AttributeChange::SwitchOn(names) => Some(format!(
            "{} switched on, and nothing that was off before",
            names.join(" and ")
        )),
        AttributeChange::PutControl(spec) if spec.kind == ControlKind::Dynamic => {
            Some(spec.summary.clone())
        }
        _ => None,
    });
    [actions(removed, "removed"), actions(put, "put")]
        .into_iter()
        .flatten()
        .chain(others)
        .collect::<Vec<_>>()
        .join(", ")
}

/// Whether cooldown and warming run from the intent's time: always, unless it is known to have had no effect.
pub fn counts_as_action(outcome: &Outcome) -> bool {
    match outcome {
        Outcome::Done | Outcome::Superseded | Outcome::Unknown => true,
        Outcome::NotDone | Outcome::Failed { .. } => false,
    }
}

/// An intent that has no outcome yet.
#[derive(Clone, Debug, PartialEq)]
pub struct OpenIntent {
    /// The state's number of it.
    pub id: IntentId,
    /// When it was recorded.
    pub at: Timestamp,
    /// From what to what.
    pub change: Change<Capacity>,
    /// How.
    pub act: Act,
}

/// The answer about one open intent.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Settled {
    /// It is known.
    Known(Outcome),
    /// Not live yet, and the call may still be under way: read again then.
    NotBefore(Timestamp),
}

/// What became of `intent`, by what is live at `now`.
///
/// Live = `to`: done. Live = `from`: not done, once the longest call time has passed. Else: superseded. Of several
/// changes some may be live: then it failed, and which is said. A group that is no longer there has superseded everything.
pub fn settle(intent: &OpenIntent, live: Option<&LiveGroup>, now: Timestamp) -> Settled {
    let Some(live) = live else {
        return Settled::Known(Outcome::Superseded);
    };
    let desired = Capacity(live.desired);
    let is_live = match &intent.act {
        Act::SetDesired if desired == intent.change.after => true,
        Act::SetDesired if desired == intent.change.before => false,
        Act::SetDesired => return Settled::Known(Outcome::Superseded),
        // The id says it better than a number that others move too.
        Act::Terminate { instance } => !live.instances.iter().any(|other| {
            other.id == *instance
                && !matches!(other.state, InstanceState::Draining | InstanceState::Ended)
        }),
        Act::Changes { changes, .. } => {
            let done: Vec<AttributeChange> = changes
                .iter()
                .filter(|change| is_in_effect(change, live, now))
                .cloned()
                .collect();
            if !done.is_empty() && done.len() < changes.len() {
                // Each is judged by itself: the next visit asks for the others alone.
                return match not_done(intent, now) {
                    Settled::Known(_) => Settled::Known(Outcome::Failed {
                        message: format!(
                            "interrupted: {} of {} parts done: {}",
                            done.len(),
                            changes.len(),
                            in_words(&done)
                        ),
                    }),
                    later => later,
                };
            }
            done.len() == changes.len()
        }
        Act::Change(AttributeChange::Mix(mix)) => live
            .attributes
            .mix
            .as_ref()
            .is_some_and(|live| live.spot == mix.spot),
        Act::Change(AttributeChange::PutControl(spec)) => live
            .controls
            .iter()
            .any(|control| control.name == spec.name && control.settings == spec.settings),
        Act::Change(AttributeChange::RemoveControl(name)) => {
            !live.controls.iter().any(|control| control.name == *name)
        }
        // The loop asks for no others.
        Act::Change(_) => return Settled::Known(Outcome::Unknown),
    };
    if is_live {
        Settled::Known(Outcome::Done)
    } else {
        not_done(intent, now)
    }
}

/// Whether a change of a group that the cloud scales is live.
fn is_in_effect(change: &AttributeChange, live: &LiveGroup, now: Timestamp) -> bool {
    let find = |name: &str| live.controls.iter().find(|control| control.name == name);
    match change {
        AttributeChange::Limits(limits) => live.attributes.limits == *limits,
        AttributeChange::Pause(is_paused) => live.is_paused == *is_paused,
        AttributeChange::SwitchOn(names) => {
            let is_meant = |off: &SwitchedOff| names.contains(&off.name);
            !live.switched_off.iter().any(is_meant)
        }
        AttributeChange::RemoveControl(name) => find(name).is_none(),
        AttributeChange::PutControl(spec) => {
            // One that has run is forgotten by the cloud itself.
            dated_at(&spec.name).is_some_and(|at| at <= now)
                || find(&spec.name).is_some_and(|there| there.settings == spec.settings)
        }
        // The loop asks for no others.
        _ => false,
    }
}

fn not_done(intent: &OpenIntent, now: Timestamp) -> Settled {
    let known_at = after(intent.at, LONGEST_CALL);
    if now < known_at {
        Settled::NotBefore(known_at)
    } else {
        Settled::Known(Outcome::NotDone)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::reconcile::testing::{instance, live_group};

    fn at(seconds: i64) -> Timestamp {
        Timestamp::from_second(1_700_000_000 + seconds).unwrap()
    }

    fn intent(act: Act) -> OpenIntent {
        OpenIntent {
            id: IntentId(1),
            at: at(0),
            change: Change {
                before: Capacity(4),
                after: Capacity(6),
            },
            act,
        }
    }

    #[test]
    fn live_decides_what_became_of_a_capacity_that_was_asked_for() {
        for (live, seconds, expected) in [
            (Some(6), 0, Settled::Known(Outcome::Done)),
            (Some(4), 0, Settled::NotBefore(at(30))),
            (Some(4), 29, Settled::NotBefore(at(30))),
            (Some(4), 30, Settled::Known(Outcome::NotDone)),
            (Some(5), 0, Settled::Known(Outcome::Superseded)),
            (Some(7), 90, Settled::Known(Outcome::Superseded)),
            (None, 0, Settled::Known(Outcome::Superseded)),
        ] {
            let live = live.map(|desired| live_group("web", desired, at(seconds)));
            assert_eq!(
                settle(&intent(Act::SetDesired), live.as_ref(), at(seconds)),
                expected,
                "{live:?}"
            );
        }
    }

    #[test]
    fn of_several_changes_each_is_judged_by_itself() {
        use tideform_policies::model::Limits;
        let limits = |min| Limits::new(Capacity(min), Capacity(20)).expect("in order");
        let intent = intent(Act::Changes {
            why: "pinned".into(),
            changes: vec![
                AttributeChange::Limits(limits(3)),
                AttributeChange::Pause(true),
            ],
        });
        let interrupted = |what: &str| Outcome::Failed {
            message: format!("interrupted: 1 of 2 parts done: {what}"),
        };
        for (min, is_paused, expected) in [
            (1, false, Outcome::NotDone),
            (3, false, interrupted("limits 3 to 20")),
            (
                1,
                true,
                interrupted("the cloud's own policies switched off"),
            ),
            (3, true, Outcome::Done),
        ] {
            let mut live = live_group("web", 4, at(60));
            live.attributes.limits = limits(min);
            live.is_paused = is_paused;
            let found = settle(&intent, Some(&live), at(60));
            assert_eq!(found, Settled::Known(expected), "{min} {is_paused}");
        }
    }

    #[test]
    fn an_instance_that_is_gone_or_drains_was_terminated() {
        let intent = intent(Act::Terminate {
            instance: "i-1".into(),
        });
        for (state, seconds, expected) in [
            (None, 0, Settled::Known(Outcome::Done)),
            (
                Some(InstanceState::Draining),
                0,
                Settled::Known(Outcome::Done),
            ),
            (
                Some(InstanceState::InService),
                10,
                Settled::NotBefore(at(30)),
            ),
            (
                Some(InstanceState::InService),
                31,
                Settled::Known(Outcome::NotDone),
            ),
        ] {
            let mut live = live_group("web", 6, at(0));
            live.instances = state
                .map(|state| instance("i-1", state, at(-600)))
                .into_iter()
                .collect();
            assert_eq!(
                settle(&intent, Some(&live), at(seconds)),
                expected,
                "{state:?}"
            );
        }
    }
}
