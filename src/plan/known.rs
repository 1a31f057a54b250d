//! What the state knows, as plain data: read once, before anything is awaited.

use std::collections::BTreeMap;
use std::time::Duration;

use jiff::Timestamp;
use serde::{Deserialize, Serialize};
use serde_json::Value as Json;
use tideform_policies::calendar::Held;
use tideform_policies::model::{
    Capacity, Group, GroupAddress, Name, Policy, ProviderConfiguration,
};
use tideform_provider::{ControlSpec, GroupChange};
use tideform_state::{
    IntentKind, JsonText, Override, OverrideKind, Ownership, ProviderIdentity, State, StateError,
};

use super::types::{Intention, Record, StateMark, Step};
use crate::engine::Memory;
use crate::reconcile::{Moved, Progress};

/// What the state knows.
#[derive(Clone, Debug, Default)]
pub struct Known {
    /// Which state.
    pub mark: Option<StateMark>,
    /// What was last applied.
    pub groups: BTreeMap<GroupAddress, Applied>,
    /// What an apply that died, or the newest one that failed between two calls, was about to record: its changes may
    /// be in the cloud, and are no drift.
    pub unfinished: BTreeMap<GroupAddress, Record>,
    /// What the engine remembers of each group, as JSON.
    pub memories: BTreeMap<GroupAddress, JsonText>,
    /// Pins, pauses and surges that hold or are to come.
    pub overrides: Vec<Override>,
    /// The providers as last applied.
    pub providers: Vec<ProviderConfiguration>,
    /// Who we were at each provider when it was first used.
    pub identities: Vec<ProviderIdentity>,
}

/// What was last applied to a group, and what moves it at this moment.
#[derive(Clone, Debug)]
pub struct Applied {
    /// The resolved group.
    pub group: Group,
    /// Tideform created the resource.
    pub created: bool,
    /// The spot fallback is on: the live mix is on demand only, and that is no drift.
    pub fallback_is_active: bool,
    /// The surges that were started, and when each begins (its lead before that).
    pub surges: Vec<(Name, Timestamp)>,
    /// The capacity that it is pinned to, and until when.
    pub pin: Option<(Capacity, Timestamp)>,
    /// A pause holds.
    pub is_paused: bool,
    /// What the loop has moved for people, and brings back, of a group that the cloud scales.
    pub moved: Moved,
    /// The cloud's own controls as last applied, dated ones aside; `None`: nothing was recorded of them.
    pub controls: Option<Vec<ControlSpec>>,
}

/// What the state keeps of an applied group beside its policy and attributes.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub(crate) struct Details {
    /// See [`Applied::controls`].
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) controls: Option<Vec<ControlSpec>>,
}

impl Details {
    /// Those of a group that was applied before there were any, or by another version, say nothing.
    pub(crate) fn of(details: &Json) -> Details {
        Details::deserialize(details).unwrap_or_default()
    }
}

impl Applied {
    /// As last applied, with nothing that moves it.
    pub fn new(group: Group) -> Applied {
        Applied {
            group,
            created: false,
            fallback_is_active: false,
            surges: Vec::new(),
            pin: None,
            is_paused: false,
            moved: Moved::default(),
            controls: None,
        }
    }

    /// What people have asked for beside the files, as a policy has it.
    pub(super) fn held(&self, policy: &Policy) -> Held {
        Held {
            pin: self.pin,
            floors: Held::surges(policy, &self.surges),
        }
    }

    /// Whether a pin or a surge, and not a plan, says which limits are live, or did so and is to be brought back.
    pub(super) fn holds_limits(&self) -> bool {
        self.pin.is_some() || !self.surges.is_empty() || self.moved.limits
    }

    /// Whether people have asked for anything, or the loop has still to bring back what they did.
    pub(super) fn is_held(&self) -> bool {
        self.pin.is_some()
            || self.is_paused
            || !self.surges.is_empty()
            || self.moved != Moved::default()
    }
}

/// Whether the spot fallback moves the mix now: until it ends, and until the loop's next ticks have put the mix back.
fn fallback_is_active(memory: &Memory, every: Duration, now: Timestamp) -> bool {
    memory.fallback.is_some_and(|fallback| {
        let restored = fallback.until.checked_add(every.saturating_mul(2));
        now < restored.unwrap_or(Timestamp::MAX)
    })
}

impl Known {
    /// Reads all of it.
    ///
    /// # Errors
    /// [`StateError`] where the file, or a group in it, cannot be read.
    pub fn read(state: &State, now: Timestamp) -> Result<Known, StateError> {
        let meta = state.meta()?;
        let memories = state.memories()?;
        let overrides = state.open_overrides(now)?;
        let mut groups = BTreeMap::new();
        let mut progress = state.progress()?;
        for (address, applied) in state.applied_groups()? {
            let has_fallback = applied
                .group
                .policy
                .mix
                .as_ref()
                .is_some_and(|mix| mix.fallback.is_some());
            let fallback_is_active = has_fallback
                && memories.get(&address).is_some_and(|memory| {
                    // A memory of another version says nothing, as if there were none.
                    serde_json::from_str::<Memory>(memory.as_str()).is_ok_and(|memory| {
                        fallback_is_active(&memory, applied.group.policy.every, now)
                    })
                });
            groups.insert(
                address.clone(),
                Applied {
                    created: applied.ownership == Ownership::Created,
                    controls: Details::of(&applied.details).controls,
                    fallback_is_active,
                    moved: progress
                        .remove(&address)
                        // A memory of another version says nothing, as if there were none.
                        .and_then(|text| text.read::<Progress>().ok())
                        .unwrap_or_default()
                        .moved,
                    ..Applied::new(applied.group.clone())
                },
            );
        }
        for set in &overrides {
            let Some(applied) = groups.get_mut(&set.group) else {
                continue;
            };
            match &set.kind {
                OverrideKind::Surge { name, start } => applied.surges.push((name.clone(), *start)),
                OverrideKind::Pin { capacity } if set.is_active(now) => {
                    let until = set.until.unwrap_or(Timestamp::MAX);
                    applied.pin = Some((Capacity(*capacity), until));
                }
                OverrideKind::Pause if set.is_active(now) => applied.is_paused = true,
                OverrideKind::Pin { .. } | OverrideKind::Pause => {}
            }
        }
        let mut unfinished = BTreeMap::new();
        let newest = state.applies(1)?.first().map(|apply| apply.id);
        let failed = match newest {
            Some(apply) => state.failed_intents(apply)?,
            None => Vec::new(),
        };
        for intent in failed.into_iter().chain(state.open_intents()?) {
            if intent.apply.is_some()
                && let IntentKind::ApplyChange { change } = intent.kind
                && let Ok(intention) = serde_json::from_value::<Intention>(change)
                // One change that failed has changed nothing; of several the first may have worked.
                && (intent.outcome.is_none() || changes(&intention) > 1)
            {
                unfinished.insert(intention.address, intention.record);
            }
        }
        Ok(Known {
            mark: Some(StateMark {
                lineage: meta.lineage,
                serial: meta.serial,
            }),
            groups,
            unfinished,
            memories,
            overrides,
            providers: state.applied_providers()?,
            identities: state.identities()?,
        })
    }
}

/// How many changes an intention asks for: a provider makes one or more calls of each.
fn changes(intention: &Intention) -> usize {
    let of_step = |step: &Step| match step {
        Step::Update {
            change: GroupChange { changes, .. },
            ..
        } => changes.len(),
        Step::Create { spec, .. } => 1 + spec.changes.len(),
        Step::Delete { .. } => 1,
    };
    intention.steps.iter().map(of_step).sum()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::engine::FallbackMemory;

    #[test]
    fn a_fallback_moves_the_mix_until_the_loop_has_put_it_back() {
        let memory = Memory {
            fallback: Some(FallbackMemory {
                until: "2026-11-21T12:30:00Z".parse().unwrap(),
            }),
            ..Memory::default()
        };
        let every = Duration::from_secs(60);
        for (now, is_active) in [
            ("2026-11-21T12:29:00Z", true),
            ("2026-11-21T12:31:00Z", true),
            ("2026-11-21T12:33:00Z", false),
            ("2027-11-21T12:00:00Z", false),
        ] {
            let found = fallback_is_active(&memory, every, now.parse().unwrap());
            assert_eq!(found, is_active, "{now}");
        }
        let never = Memory::default();
        assert!(!fallback_is_active(&never, every, Timestamp::UNIX_EPOCH));
    }
}
