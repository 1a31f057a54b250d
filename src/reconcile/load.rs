//! What was last applied and what is remembered of it, from the state. Reads only.

use std::collections::{BTreeMap, HashMap};
use std::sync::Arc;

use jiff::Timestamp;
use tideform_policies::model::{Capacity, Change, Controller, Group, GroupAddress};
use tideform_provider::ControlSpec;
use tideform_state::{Intent, Override, OverrideKind, State, StateError};

use super::group::GroupRun;
use super::progress::{Moved, Progress};
use super::settle::{Act, OpenIntent};
use crate::engine::{ActiveSurge, Memory, Overrides, Pause, Pin, Rules};
use crate::plan::Details;

/// The applied groups, compiled; kept while the serial stays the same.
#[derive(Debug, Default)]
pub(super) struct Compiled {
    serial: Option<u64>,
    rules: BTreeMap<GroupAddress, Arc<Rules>>,
    /// The cloud's own controls as last applied, where something was recorded of them.
    controls: BTreeMap<GroupAddress, Vec<ControlSpec>>,
}

impl Compiled {
    /// Reads the groups again where an apply has changed them; says whether it did.
    pub(super) fn refresh(&mut self, state: &State) -> Result<bool, StateError> {
        let serial = state.meta()?.serial;
        if self.serial == Some(serial) {
            return Ok(false);
        }
        let mut before = std::mem::take(&mut self.rules);
        self.controls.clear();
        for (address, applied) in state.applied_groups()? {
            if let Some(controls) = Details::of(&applied.details).controls {
                self.controls.insert(address.clone(), controls);
            }
            let rules = match before.remove(&address) {
                Some(rules) if *rules.group() == applied.group => rules,
                _ => Arc::new(Rules::new(&applied.group)),
            };
            self.rules.insert(address, rules);
        }
        self.serial = Some(serial);
        Ok(true)
    }

    pub(super) fn is_empty(&self) -> bool {
        self.rules.is_empty()
    }

    pub(super) fn group(&self, address: &GroupAddress) -> Option<&Group> {
        self.rules.get(address).map(|rules| rules.group())
    }

    /// The cloud's own controls of a group as last applied; none where nothing was recorded of them.
    pub(super) fn controls(&self, address: &GroupAddress) -> &[ControlSpec] {
        self.controls.get(address).map_or(&[], Vec::as_slice)
    }

    /// The groups with what the state remembers of them.
    ///
    /// - `chooses_victims`: whether a group's provider can be told which instance to end.
    pub(super) fn runs(
        &self,
        state: &State,
        chooses_victims: impl Fn(&Group) -> bool,
    ) -> Result<Vec<GroupRun>, StateError> {
        let mut memories = state.memories()?;
        let mut progress = state.progress()?;
        let mut open: HashMap<GroupAddress, Vec<OpenIntent>> = HashMap::new();
        for intent in state.open_intents()? {
            if let Some((address, intent)) = open_intent(intent) {
                open.entry(address).or_default().push(intent);
            }
        }
        let mut oldest = Timestamp::MAX;
        for address in self.rules.keys() {
            let last_visit = match progress.get(address) {
                Some(text) => text.read::<Progress>()?.last_visit,
                None => None,
            };
            oldest = oldest.min(last_visit.unwrap_or(Timestamp::MIN));
        }
        let mut asked: HashMap<GroupAddress, Vec<Override>> = HashMap::new();
        for set in state.overrides_since(oldest)? {
            asked.entry(set.group.clone()).or_default().push(set);
        }
        let applied_at = state.applies(1)?.first().map(|apply| apply.at);
        let mut runs = Vec::with_capacity(self.rules.len());
        for (address, rules) in &self.rules {
            let memory = match memories.remove(address) {
                Some(text) => text.read::<Memory>()?,
                None => Memory::default(),
            };
            let mut progress = match progress.remove(address) {
                Some(text) => text.read::<Progress>()?,
                None => Progress::default(),
            };
            let asked = asked.remove(address).unwrap_or_default();
            progress.moved.limits |= rules.group().controller == Controller::Native
                && is_moved_by_apply(&asked, progress.last_visit, applied_at);
            runs.push(GroupRun {
                asked_at: asked_at(&asked),
                over_at: (progress.moved != Moved::default())
                    .then(|| over_at(&asked, progress.last_visit))
                    .flatten(),
                moved_after: None,
                rules: Arc::clone(rules),
                memory,
                progress,
                open: open.remove(address).unwrap_or_default(),
                chooses_victims: chooses_victims(rules.group()),
            });
        }
        Ok(runs)
    }
}

/// Whether an apply may have carried out a pin or a surge whose end no visit has seen: it is brought back like what the
/// loop has moved itself.
///
/// - `applied_at`: when the newest apply began.
fn is_moved_by_apply(
    asked: &[Override],
    last_visit: Option<Timestamp>,
    applied_at: Option<Timestamp>,
) -> bool {
    asked.iter().any(|set| {
        let ended = [set.ended_at, set.until].into_iter().flatten().min();
        let is_unseen = ended.is_none_or(|end| last_visit.is_none_or(|last| last <= end));
        !matches!(set.kind, OverrideKind::Pause)
            && is_unseen
            && applied_at.is_some_and(|applied| set.created_at <= applied)
    })
}

/// When people last set an override, or ended one before its time.
fn asked_at(asked: &[Override]) -> Option<Timestamp> {
    let ended_by_hand = |set: &Override| {
        set.ended_at
            .filter(|at| set.until.is_none_or(|until| *at < until))
    };
    asked
        .iter()
        .flat_map(|set| [Some(set.created_at), ended_by_hand(set)])
        .flatten()
        .max()
}

/// When the first override that had not ended at the last visit runs out, or ended.
fn over_at(asked: &[Override], last_visit: Option<Timestamp>) -> Option<Timestamp> {
    asked
        .iter()
        .filter_map(|set| [set.ended_at, set.until].into_iter().flatten().min())
        .filter(|end| last_visit.is_none_or(|last| last < *end))
        .min()
}

/// An intent of the loop's; the changes of a plan are settled by the next plan.
fn open_intent(intent: Intent) -> Option<(GroupAddress, OpenIntent)> {
    if intent.apply.is_some() {
        return None;
    }
    let act = Act::from_kind(&intent.kind)?;
    let change = Change {
        before: Capacity(intent.from?),
        after: Capacity(intent.to?),
    };
    Some((
        intent.group?,
        OpenIntent {
            id: intent.id,
            at: intent.at,
            change,
            act,
        },
    ))
}

/// What people have asked for, as decisions at `at` take it, by group: pins and pauses that hold then, and surges also
/// before they begin.
///
/// - `group`: finds a group; a surge that its policy no longer has is left out.
pub fn overrides_by_group<'a>(
    overrides: Vec<Override>,
    at: Timestamp,
    group: impl Fn(&GroupAddress) -> Option<&'a Group>,
) -> BTreeMap<GroupAddress, Overrides> {
    let mut by_group: BTreeMap<GroupAddress, Overrides> = BTreeMap::new();
    for set in overrides {
        let held = by_group.entry(set.group.clone()).or_default();
        let until = set.until.unwrap_or(Timestamp::MAX);
        match &set.kind {
            OverrideKind::Pin { .. } | OverrideKind::Pause if !set.is_active(at) => {}
            OverrideKind::Pin { capacity } => {
                held.pin = Some(Pin {
                    capacity: Capacity(*capacity),
                    until,
                    reason: set.reason,
                    by: set.by,
                });
            }
            OverrideKind::Pause => {
                held.pause = Some(Pause {
                    until,
                    reason: set.reason,
                    by: set.by,
                });
            }
            OverrideKind::Surge { name, .. } => {
                let surge = group(&set.group)
                    .and_then(|group| group.policy.surges.iter().find(|surge| surge.name == *name));
                if let Some(surge) = surge {
                    held.surges.push(ActiveSurge {
                        name: name.clone(),
                        min: surge.min,
                        from: set.from,
                        until,
                    });
                }
            }
        }
    }
    by_group
}

#[cfg(test)]
mod tests;
