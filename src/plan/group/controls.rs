//! Policies and schedules of the cloud's own: ours, adopted, and those left alone. Pure.

use tideform_policies::calendar::{Held, TimedLimits};
use tideform_policies::model::Limits;
use tideform_provider::dated_at;

use super::control_drift::{Drifted, moved_by_pause};
use super::*;
use crate::plan::types::Place;
use crate::reconcile::{Moved, as_it_was};

pub(super) fn is_ours(control: &Control, workspace: &str) -> bool {
    tideform_provider::is_ours(&control.name, workspace)
}

/// Whether a control was made by the workspace that this plan takes the group over from.
pub(super) fn is_taken_over(
    control: &Control,
    situation: &Situation<'_>,
    live: &LiveGroup,
) -> bool {
    situation.options.take_over
        && live
            .owner
            .as_ref()
            .is_some_and(|owner| is_ours(control, &owner.workspace))
}

pub(super) fn is_adopted(control: &Control, adopt: &Adopt) -> bool {
    match adopt {
        Adopt::None => false,
        Adopt::All => true,
        Adopt::Named(names) => names.contains(&control.name),
    }
}

/// Adopted by its own name. `adopt = true` is for policies: a schedule that the files do not say stays.
pub(super) fn is_adopted_by_name(control: &Control, adopt: &Adopt) -> bool {
    matches!(adopt, Adopt::Named(_)) && is_adopted(control, adopt)
}

pub(super) fn unmanaged(
    live: Option<&LiveGroup>,
    workspace: &str,
    adopt: &Adopt,
) -> Vec<Unmanaged> {
    live.iter()
        .flat_map(|live| &live.controls)
        .filter(|control| !is_ours(control, workspace) && !is_adopted(control, adopt))
        .map(|control| Unmanaged {
            name: control.name.clone(),
            kind: control.kind,
            enabled: control.enabled,
            summary: control.summary.clone(),
        })
        .collect()
}

/// Controls that the files adopt and that were not adopted before.
pub(super) fn adopted_now<'a>(
    situation: &Situation<'_>,
    group: &'a Group,
    live: &'a LiveGroup,
) -> impl Iterator<Item = &'a Control> {
    let before = situation
        .applied
        .map_or(Adopt::None, |applied| applied.group.adopt.clone());
    let workspace = situation.options.workspace.clone();
    live.controls.iter().filter(move |control| {
        !is_ours(control, &workspace)
            && is_adopted(control, &group.adopt)
            && !is_adopted(control, &before)
    })
}

/// Policies that the loop's first run takes away where the loop did not scale the resource before. What is adopted only
/// now has a line of its own, and what waits for that run since an earlier apply was told of then.
pub(super) fn taken_by_loop(
    situation: &Situation<'_>,
    group: &Group,
    live: &LiveGroup,
    is_replaced: bool,
) -> Vec<PlannedChange> {
    let was_the_loops = situation
        .applied
        .is_some_and(|applied| applied.group.controller == Controller::Tideform && !is_replaced);
    if group.controller != Controller::Tideform || was_the_loops {
        return Vec::new();
    }
    let is_told: Vec<&Control> = adopted_now(situation, group, live).collect();
    live.controls
        .iter()
        .filter(|control| control.kind == ControlKind::Dynamic)
        .filter(|control| {
            is_ours(control, &situation.options.workspace) || is_adopted(control, &group.adopt)
        })
        .filter(|control| !is_told.contains(control))
        .map(|control| PlannedChange {
            reason: Some(PlannedChange::AT_FIRST_RUN.to_owned()),
            ..cloud(
                &control.name,
                ChangeAction::Remove,
                Json::from(control.summary.as_str()),
                Json::Null,
            )
        })
        .collect()
}

/// All controls of a group that is still to be created.
pub(super) fn new_controls(
    situation: &Situation<'_>,
    places: &Places<'_>,
) -> (Vec<AttributeChange>, Vec<PlannedChange>) {
    let mut found = Found::default();
    for control in situation.controls {
        let source = places.of(situation.address, &control.path);
        found.add(control, source, None);
    }
    found.done(None)
}

/// What is to change of the cloud's own controls, under native control. Under the loop's there is nothing to make: the
/// scheduled actions of ours go, and the policies are taken away by the loop's first run, so that the group never is
/// without a scaler.
pub(super) fn control_changes(
    situation: &Situation<'_>,
    group: &Group,
    live: &LiveGroup,
    places: &Places<'_>,
) -> (Vec<AttributeChange>, Vec<PlannedChange>) {
    let mut found = Found::default();
    if group.controller != Controller::Native {
        // The loop keeps floors by itself, and a scheduled action of ours would go on moving the limits.
        for control in &live.controls {
            let is_made_here = is_ours(control, &situation.options.workspace)
                || is_taken_over(control, situation, live)
                || is_adopted_by_name(control, &group.adopt);
            if is_made_here && control.kind == ControlKind::Schedule {
                found.remove(control);
            }
        }
        let has_paused = situation.applied.filter(|applied| applied.moved.paused);
        if let Some(resume) = has_paused.and_then(|applied| applied.moved.resume(live)) {
            found.attributes.push(resume);
            found.changes.push(PlannedChange {
                reason: Some("the loop carries the pause out now".to_owned()),
                ..cloud(
                    "paused",
                    ChangeAction::Change,
                    Json::Bool(true),
                    Json::Bool(false),
                )
            });
        }
        bring_back(situation, &group.adopt, live, &mut found);
        return found.done(None);
    }
    let drifted = Drifted::new(situation, group, live);
    let is_kept = is_kept_by_loop(situation, group);
    let is_left = |kind: ControlKind| is_kept && kind == ControlKind::Schedule;
    for wanted in situation.controls {
        if is_left(wanted.kind) {
            continue;
        }
        let there = live
            .controls
            .iter()
            .find(|control| control.name == wanted.name);
        let source = places.of(situation.address, &wanted.path);
        if there.is_none() {
            found.add(wanted, source, drifted.reason(&wanted.name));
            continue;
        }
        let mut differences = settings::differences(there, wanted);
        differences.retain(|difference| !moved_by_pause(situation, &difference.path));
        if differences.is_empty() {
            continue;
        }
        if dated_at(&wanted.name).is_some() {
            found.change_dated(wanted);
            continue;
        }
        // AWS keeps of an action what a request leaves out.
        let is_cleared = differences.iter().any(|d| d.wanted.is_null());
        if wanted.kind == ControlKind::Schedule && is_cleared {
            found.replace(wanted);
        } else {
            found.put(wanted);
        }
        for difference in differences {
            let action = match (difference.live.is_null(), difference.wanted.is_null()) {
                (true, _) => ChangeAction::Add,
                (_, true) => ChangeAction::Remove,
                _ => ChangeAction::Change,
            };
            found.changes.push(PlannedChange {
                source: source.clone(),
                reason: drifted.reason(&difference.path),
                ..cloud(&difference.path, action, difference.live, difference.wanted)
            });
        }
    }
    for control in &live.controls {
        let is_managed = is_ours(control, &situation.options.workspace)
            || is_taken_over(control, situation, live)
            || is_adopted(control, &group.adopt) && control.kind == ControlKind::Dynamic
            || is_adopted_by_name(control, &group.adopt);
        let is_wanted = situation
            .controls
            .iter()
            .any(|wanted| wanted.name == control.name);
        // One that has run is forgotten by the cloud itself.
        let has_run = dated_at(&control.name).is_some_and(|at| at <= situation.now);
        // The loop sets these aside, and remembers them.
        let is_the_loops = control.kind == ControlKind::Schedule
            && !is_ours(control, &situation.options.workspace)
            && situation.applied.is_some_and(Applied::holds_limits);
        if !is_managed || is_wanted || has_run || is_the_loops || is_left(control.kind) {
            continue;
        }
        found.remove(control);
        if let Some(change) = found.changes.last_mut()
            && change.path == control.name
        {
            change.reason = drifted.reason(&control.name);
        }
    }
    if !is_kept {
        bring_back(situation, &group.adopt, live, &mut found);
    }
    found.done(places.of(situation.address, "schedule").or_else(|| {
        let first = group.policy.schedules.first()?;
        places.of(situation.address, &format!("schedule.{}", first.name))
    }))
}

/// All controls of ours go, and what windows and people have moved of the group goes back.
pub(super) fn release_controls(
    situation: &Situation<'_>,
    group: &Group,
    live: &LiveGroup,
) -> (Vec<AttributeChange>, Vec<PlannedChange>) {
    let mut found = Found::default();
    for control in &live.controls {
        if is_ours(control, &situation.options.workspace) {
            found.remove(control);
        }
    }
    let nothing = Moved::default();
    let moved = situation.applied.map_or(&nothing, |applied| &applied.moved);
    for control in &moved.set_aside {
        found.bring_back(control, live);
    }
    let is_native = group.controller == Controller::Native;
    let has_windows = moved.limits || !group.policy.schedules.is_empty();
    // Windows whose actions stay are open still.
    let stays = |control: &&Control| {
        control.kind == ControlKind::Schedule && !is_ours(control, &situation.options.workspace)
    };
    let has_adopted = is_adopted_by_any(&group.adopt)
        && (!moved.set_aside.is_empty() || live.controls.iter().any(|one| stays(&one)));
    let limits_after = match TimedLimits::new(&group.policy, &Held::default()) {
        Some(timed) if has_adopted => Some(timed.at(situation.now)),
        _ => group.policy.limits,
    };
    if let Some(limits) = limits_after
        && is_native
        && has_windows
        && live.attributes.limits != limits
    {
        let shown = |limits: Limits| Json::from(format!("{} to {}", limits.min(), limits.max()));
        found.attributes.push(AttributeChange::Limits(limits));
        found.changes.push(PlannedChange {
            reason: Some(if has_adopted {
                "as its windows have it now".to_owned()
            } else {
                "as outside of all windows".to_owned()
            }),
            ..cloud(
                "limits",
                ChangeAction::Change,
                shown(live.attributes.limits),
                shown(limits),
            )
        });
    }
    if is_native
        && moved.paused
        && let Some(resume) = moved.resume(live)
    {
        found.attributes.push(resume);
        found.changes.push(cloud(
            "paused",
            ChangeAction::Change,
            Json::Bool(true),
            Json::Bool(false),
        ));
    }
    found.done(None)
}

fn is_adopted_by_any(adopt: &Adopt) -> bool {
    *adopt != Adopt::None
}

/// What a pin or a surge has set aside and the files neither have nor take away: it is somebody else's again.
fn bring_back(situation: &Situation<'_>, adopt: &Adopt, live: &LiveGroup, found: &mut Found) {
    for control in &situation.set_aside {
        let is_wanted = situation
            .controls
            .iter()
            .any(|wanted| wanted.name == control.name);
        if !is_wanted && !is_adopted_by_name(control, adopt) {
            found.bring_back(control, live);
        }
    }
}

/// What was found to change. Dated actions are many: they are told of in one line.
#[derive(Default)]
struct Found {
    removals: Vec<AttributeChange>,
    attributes: Vec<AttributeChange>,
    changes: Vec<PlannedChange>,
    /// Dated ones that come, change and go, with the last that comes.
    dated: [usize; 3],
    last: Option<Timestamp>,
}

impl Found {
    fn put(&mut self, wanted: &ControlSpec) {
        self.attributes
            .push(AttributeChange::PutControl(wanted.clone()));
    }

    /// The same, after it was taken away: nothing of what it says stays.
    fn replace(&mut self, wanted: &ControlSpec) {
        self.removals
            .push(AttributeChange::RemoveControl(wanted.name.clone()));
        self.put(wanted);
    }

    fn add(&mut self, wanted: &ControlSpec, source: Option<Place>, reason: Option<String>) {
        self.put(wanted);
        if let Some(at) = dated_at(&wanted.name) {
            self.dated[0] += 1;
            self.last = self.last.max(Some(at));
            return;
        }
        self.changes.push(PlannedChange {
            source,
            reason,
            ..cloud(
                &wanted.name,
                ChangeAction::Add,
                Json::Null,
                Json::from(wanted.summary.as_str()),
            )
        });
    }

    /// A scheduled action that was set aside, as it was.
    fn bring_back(&mut self, control: &Control, live: &LiveGroup) {
        if live.controls.iter().any(|there| there.name == control.name) {
            return;
        }
        self.attributes
            .push(AttributeChange::PutControl(as_it_was(control)));
        self.changes.push(PlannedChange {
            reason: Some("set aside for a pin or surge: back as it was".to_owned()),
            ..cloud(
                &control.name,
                ChangeAction::Add,
                Json::Null,
                Json::from(control.summary.as_str()),
            )
        });
    }

    fn change_dated(&mut self, wanted: &ControlSpec) {
        self.put(wanted);
        self.dated[1] += 1;
        self.last = self.last.max(dated_at(&wanted.name));
    }

    fn remove(&mut self, control: &Control) {
        let removal = AttributeChange::RemoveControl(control.name.clone());
        match control.kind {
            // First: two scheduled actions cannot act at the same time, and a group has room for so many.
            ControlKind::Schedule => self.removals.push(removal),
            ControlKind::Dynamic => self.attributes.push(removal),
        }
        if dated_at(&control.name).is_some() {
            self.dated[2] += 1;
            return;
        }
        self.changes.push(cloud(
            &control.name,
            ChangeAction::Remove,
            Json::from(control.summary.as_str()),
            Json::Null,
        ));
    }

    fn done(mut self, source: Option<Place>) -> (Vec<AttributeChange>, Vec<PlannedChange>) {
        let [come, change, go] = self.dated;
        if come + change + go > 0 {
            let actions = |count: usize| match count {
                0 => Json::Null,
                1 => Json::from("1 scheduled action"),
                count => Json::from(format!("{count} scheduled actions")),
            };
            let after = match (self.last, actions(come + change)) {
                (Some(last), Json::String(text)) => Json::from(format!("{text}, until {last}")),
                (_, after) => after,
            };
            self.changes.push(PlannedChange {
                source,
                reason: (come + change > 0).then(|| {
                    "no cron says these windows: `tideform reconcile` must run, and renews them"
                        .to_owned()
                }),
                ..cloud(
                    "dated windows",
                    match (come, change, go) {
                        (_, 0, 0) => ChangeAction::Add,
                        (0, 0, _) => ChangeAction::Remove,
                        _ => ChangeAction::Change,
                    },
                    actions(change + go),
                    after,
                )
            });
        }
        self.removals.extend(self.attributes);
        (self.removals, self.changes)
    }
}
