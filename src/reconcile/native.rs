//! A group that the cloud's own controls scale: what time and people move of it is carried out here. Pure.
//!
//! ```text
//! windows that no cron says   the coming dated actions, and the limits of now
//! pin, surge                  the same, with them compiled in; afterwards as without
//! pause                       the controls switched off; afterwards on again
//! ```
//!
//! Adopted scheduled actions know nothing of a pin or a surge: while one holds they are set aside, remembered before they
//! are taken away, and what they do is compiled in with all else. Afterwards they come back under their own names.
//!
//! It looks at what is live and at what should be, and never at what was done last: a run that was missed, or that died
//! half-way, is made good by the next. What only files and drift change is a plan's, and left alone.

use jiff::Timestamp;
use tideform_policies::calendar::{Floor, Held, TimedLimits};
use tideform_policies::model::{Adopt, Capacity, Change, Group};
use tideform_provider::{
    AttributeChange, Control, ControlKind, ControlSpec, LiveGroup, dated_at, is_ours,
};

use super::acts::unmoved;
use super::group::PlannedAct;
use super::progress::Moved;
use super::settle::Act;
use crate::engine::{Bound, Overrides, Reason};
use crate::observe::{NativeControls, Observed};

/// What is to be done about a group.
#[derive(Debug, Default)]
pub(super) struct NativePlan {
    /// In this order.
    pub(super) acts: Vec<PlannedAct>,
    /// Why.
    pub(super) reasons: Vec<Reason>,
    /// What the loop has to bring back from before the first of them on.
    pub(super) moved: Moved,
    /// The same once all of them have succeeded.
    pub(super) moved_after: Moved,
}

/// What people have asked for, as the limits by time take it.
pub(super) fn held(overrides: &Overrides, now: Timestamp) -> Held {
    let pin = overrides.pin.as_ref().filter(|pin| now < pin.until);
    Held {
        pin: pin.map(|pin| (pin.capacity, pin.until)),
        floors: overrides
            .surges
            .iter()
            .filter(|surge| now < surge.until)
            .map(|surge| Floor {
                min: surge.min,
                from: surge.from,
                until: surge.until,
            })
            .collect(),
    }
}

/// Whether the loop needs to know the scheduled actions of a group.
pub(super) fn needs_schedules(group: &Group, overrides: &Overrides, moved: &Moved) -> bool {
    !group.policy.schedules.is_empty()
        || *overrides != Overrides::default()
        || *moved != Moved::default()
}

/// What is to be done.
pub(super) fn plan_native(
    group: &Group,
    observed: &Observed,
    wanted: &NativeControls,
    moved: &Moved,
    workspace: &str,
    now: Timestamp,
) -> NativePlan {
    let live = &observed.live;
    let overrides = &observed.observation.overrides;
    let mut plan = NativePlan {
        moved: moved.clone(),
        ..NativePlan::default()
    };
    let stopped = wanted
        .pausable
        .iter()
        .filter(|spec| find(live, spec).is_some_and(|there| there.settings != spec.settings))
        .map(|spec| AttributeChange::PutControl(spec.clone()));
    if let Some(pause) = overrides.pause.as_ref().filter(|pause| now < pause.until) {
        let mut changes: Vec<AttributeChange> = stopped.collect();
        if !live.is_paused {
            changes.push(AttributeChange::Pause(true));
        }
        if !changes.is_empty() && !moved.paused {
            let off = live.switched_off.iter().filter(|off| off.by_pause);
            plan.moved.off_before = off.map(|off| off.name.clone()).collect();
            plan.moved.paused = true;
        }
        plan.reasons.push(Reason::Paused {
            until: pause.until,
            by: pause.by.clone(),
            reason: pause.reason.clone(),
            before: Capacity(live.desired),
            after: Capacity(live.desired),
        });
        plan.moved_after = plan.moved.clone();
        plan.act(live, &format!("paused until {:.0}", pause.until), changes);
        return plan;
    }
    let held = held(overrides, now);
    let schedules = || {
        live.controls.iter().filter(|control| {
            control.kind == ControlKind::Schedule && is_ours(&control.name, workspace)
        })
    };
    let is_adopted = |control: &&Control| {
        control.kind == ControlKind::Schedule
            && !is_ours(&control.name, workspace)
            && (wanted.usual.contains(&control.name)
                || is_named(&group.adopt, &control.name)
                || moved.has_set_aside(&control.name))
    };
    let has_dated = wanted
        .schedules
        .iter()
        .map(|spec| &spec.name)
        .chain(schedules().map(|control| &control.name))
        .any(|name| dated_at(name).is_some());
    if held.is_empty() && *moved == Moved::default() && !has_dated {
        return plan;
    }
    plan.say(overrides, &held, live);
    let mut why = plan.why(&held);
    let (mut first, mut then) = (Vec::new(), Vec::new());
    if let Some(timed) = TimedLimits::new(&group.policy, &held) {
        let is_wanted = |name: &str| wanted.schedules.iter().any(|spec| spec.name == name);
        let is_over = |control: &Control| {
            // One that has run is forgotten by the cloud itself.
            !is_wanted(&control.name) && dated_at(&control.name).is_none_or(|at| now < at)
        };
        if held.is_empty() {
            // Let go of meanwhile: somebody else's again, and as it was. What the files have comes with them.
            first.extend(
                moved
                    .set_aside
                    .iter()
                    .filter(|control| {
                        !is_wanted(&control.name) && !is_named(&group.adopt, &control.name)
                    })
                    .map(as_it_was)
                    .filter(|spec| find(live, spec).is_none())
                    .map(AttributeChange::PutControl),
            );
        } else {
            let adopted = live.controls.iter().filter(is_adopted);
            let mut aside: Vec<&Control> = adopted.filter(|one| is_over(one)).collect();
            aside.sort_by(|a, b| a.name.cmp(&b.name));
            let mut names = Vec::new();
            for control in aside {
                plan.moved.set_aside(control);
                names.push(format!("`{}`", control.name));
                first.push(AttributeChange::RemoveControl(control.name.clone()));
            }
            if !names.is_empty() {
                why.push_str(&format!(", {} set aside until then", names.join(" and ")));
            }
            let others: Vec<String> = live
                .controls
                .iter()
                .filter(|control| writes_limits(control) && !is_adopted(control))
                .filter(|control| !is_ours(&control.name, workspace))
                .map(|control| format!("`{}`", control.name))
                .collect();
            if !others.is_empty() {
                why.push_str(&format!(
                    " (not adopted, and may end it early: {})",
                    others.join(", ")
                ));
            }
        }
        // First: two actions cannot act at the same time, and a group has room for so many.
        first.extend(
            schedules()
                .filter(|control| is_over(control))
                .map(|control| AttributeChange::RemoveControl(control.name.clone())),
        );
        first.extend(
            wanted
                .schedules
                .iter()
                .filter(|spec| find(live, spec).is_none_or(|there| there.settings != spec.settings))
                .map(|spec| AttributeChange::PutControl(spec.clone())),
        );
        let limits = timed.at(now);
        if live.attributes.limits != limits {
            then.push(AttributeChange::Limits(limits));
        }
    }
    if moved.paused {
        then.extend(stopped);
        then.extend(moved.resume(live));
    }
    plan.moved.limits = moved.limits || !held.is_empty();
    if !held.is_empty() {
        plan.moved_after = Moved {
            limits: true,
            set_aside: plan.moved.set_aside.clone(),
            ..Moved::default()
        };
    }
    if first.is_empty() && then.is_empty() {
        plan.moved = plan.moved_after.clone();
    } else if then.is_empty() {
        plan.moved.paused = false;
        plan.moved.off_before.clear();
    }
    // What ends a pin stands before it begins.
    plan.act(live, &why, first);
    plan.act(live, &why, then);
    plan
}

fn is_named(adopt: &Adopt, name: &str) -> bool {
    matches!(adopt, Adopt::Named(names) if names.iter().any(|other| other == name))
}

/// Whether the cloud moves the limits by it when its time comes.
fn writes_limits(control: &Control) -> bool {
    control.kind == ControlKind::Schedule
        && control.enabled
        && (control.writes.min.is_some() || control.writes.max.is_some())
}

/// What makes a scheduled action anew.
pub(crate) fn as_it_was(control: &Control) -> ControlSpec {
    ControlSpec {
        name: control.name.clone(),
        kind: control.kind,
        path: "schedule".to_owned(),
        summary: control.summary.clone(),
        settings: control.settings.clone(),
    }
}

fn find<'a>(live: &'a LiveGroup, spec: &ControlSpec) -> Option<&'a Control> {
    live.controls
        .iter()
        .find(|control| control.name == spec.name)
}

impl NativePlan {
    fn act(&mut self, live: &LiveGroup, why: &str, changes: Vec<AttributeChange>) {
        if changes.is_empty() {
            return;
        }
        let mut change = unmoved(live);
        for one in &changes {
            if let AttributeChange::Limits(limits) = one {
                // The provider brings desired between them, and no further.
                let after = Capacity(live.desired).clamp(limits.min(), limits.max());
                change = Change {
                    before: change.before,
                    after,
                };
            }
        }
        self.acts.push(PlannedAct {
            act: Act::Changes {
                why: why.to_owned(),
                changes,
            },
            change,
        });
    }

    fn say(&mut self, overrides: &Overrides, held: &Held, live: &LiveGroup) {
        let before = Capacity(live.desired);
        if let Some(pin) = overrides.pin.as_ref().filter(|_| held.pin.is_some()) {
            self.reasons.push(Reason::Pinned {
                until: pin.until,
                by: pin.by.clone(),
                reason: pin.reason.clone(),
                before,
                after: pin.capacity,
            });
        }
        for surge in &overrides.surges {
            self.reasons.push(Reason::RaisedToFloor {
                bound: Bound::Surge(surge.name.clone()),
                until: Some(surge.until),
                before,
                after: before.max(surge.min),
            });
        }
    }

    fn why(&self, held: &Held) -> String {
        let mut parts = Vec::new();
        if let Some((capacity, until)) = held.pin {
            parts.push(format!("pinned to {capacity} until {until:.0}"));
        }
        for reason in &self.reasons {
            if let Reason::RaisedToFloor {
                bound: Bound::Surge(name),
                until: Some(until),
                ..
            } = reason
            {
                parts.push(format!("surge {name} until {until:.0}"));
            }
        }
        if parts.is_empty() {
            parts.push(if self.moved == Moved::default() {
                "windows renewed".to_owned()
            } else {
                "what was asked for by hand is over".to_owned()
            });
        }
        parts.join(", ")
    }
}

#[cfg(test)]
mod tests;
