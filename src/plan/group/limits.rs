//! The limits of this moment: under native control a window that is open moves the cloud's own limits. Pure.

use std::borrow::Cow;

use jiff::{SignedDuration, Timestamp};
use tideform_policies::calendar::{Held, TimedLimits};
use tideform_policies::model::{Capacity, Limits};
use tideform_provider::{dated_at, is_ours};

use super::controls::is_adopted_by_name;
use super::*;

/// A scheduled action of the cloud's acts this much late at most.
const LATE: SignedDuration = SignedDuration::from_mins(2);

/// The group with the limits that are to be live now; with none where the loop sees to them.
///
/// The loop keeps floors and ceilings by what it asks for, and the cloud's limits stay those of the files. The cloud's
/// own policies know no floor but the limits, so there windows, surges and pins write these.
pub(super) fn at_this_moment<'a>(
    situation: &Situation<'_>,
    group: &'a Group,
    live: &LiveGroup,
) -> Cow<'a, Group> {
    let now = match limits_now(situation, group) {
        _ if is_kept_by_loop(situation, group) => None,
        Some(now) => Some(as_others_wrote(situation, group, now, live)),
        None => None,
    };
    if now == group.policy.limits {
        return Cow::Borrowed(group);
    }
    let mut group = group.clone();
    group.policy.limits = now;
    Cow::Owned(group)
}

/// A limit that is as a scheduled action of somebody else's writes it was moved by that, and moves back by it: nobody
/// changed it by hand. One that the files change is written all the same, and so is one whose action this plan takes
/// away because the loop keeps the windows.
fn as_others_wrote(
    situation: &Situation<'_>,
    group: &Group,
    now: Limits,
    live: &LiveGroup,
) -> Limits {
    let applied = situation
        .applied
        .and_then(|applied| applied.group.policy.limits);
    let (Some(applied), Some(limits)) = (applied, group.policy.limits) else {
        return now;
    };
    let there = live.attributes.limits;
    let writes = |of: fn(&Control) -> Option<u32>, limit: Capacity| {
        live.controls.iter().any(|control| {
            of(control) == Some(limit.get())
                && !is_ours(&control.name, &situation.options.workspace)
                && (group.controller == Controller::Native
                    || !is_adopted_by_name(control, &group.adopt))
        })
    };
    let min = if applied.min() == limits.min() && writes(|c| c.writes.min, there.min()) {
        there.min()
    } else {
        now.min()
    };
    let max = if applied.max() == limits.max() && writes(|c| c.writes.max, there.max()) {
        there.max()
    } else {
        now.max()
    };
    Limits::new(min, max).unwrap_or(now)
}

/// The limits that are to be live now.
pub(super) fn limits_now(situation: &Situation<'_>, group: &Group) -> Option<Limits> {
    let limits = group.policy.limits?;
    if group.controller != Controller::Native {
        return Some(limits);
    }
    let held = situation
        .applied
        .map_or_else(Held::default, |applied| applied.held(&group.policy));
    let timed = TimedLimits::new(&group.policy, &held)?;
    // What held a moment ago may be live still, and is no change.
    let live = live(situation).map(|live| live.attributes.limits);
    let before = situation.now.checked_sub(LATE).map(|then| timed.at(then));
    match (live, before) {
        (Some(live), Ok(before)) if live == before && held.is_empty() => Some(live),
        _ => Some(timed.at(situation.now)),
    }
}

fn live<'a>(situation: &Situation<'a>) -> Option<&'a LiveGroup> {
    situation.live?.as_ref().ok()?.as_ref()
}

/// Whether the loop, and not a plan, sees to the scheduled actions and the limits of a group that the cloud scales.
///
/// It does while a pin or a surge holds, whatever the files say by now: what ends it is to stand before it begins, and
/// what it has set aside is to come back. Else it does where time moves them, and the files say of it what they said
/// when it was last applied.
pub(super) fn is_kept_by_loop(situation: &Situation<'_>, group: &Group) -> bool {
    let Some(applied) = situation.applied else {
        return false;
    };
    let (was, is) = (&applied.group.policy, &group.policy);
    let is_its_own = [&applied.group, group]
        .iter()
        .all(|group| group.controller == Controller::Native)
        && applied.group.provider == group.provider
        && applied.group.resource == group.resource;
    let is_same =
        (was.limits, &was.schedules, &was.surges) == (is.limits, &is.schedules, &is.surges);
    is_its_own && (applied.holds_limits() || is_same && (applied.is_held() || has_dated(situation)))
}

/// Why a limit that a window, a pin or a surge had moved is what the files say again: the group goes from the cloud to
/// the loop, which keeps them by what it asks for. `None`: it does not, or they had not moved this one.
pub(super) fn handed_over(
    situation: &Situation<'_>,
    group: &Group,
    live: &LiveGroup,
    path: &str,
) -> Option<String> {
    let applied = situation.applied?;
    let was = applied.group.policy.limits?;
    let there = live.attributes.limits;
    let is_moved = match path {
        "limits.min" => was.min() != there.min(),
        "limits.max" => was.max() != there.max(),
        _ => false,
    };
    let is_handed_over =
        applied.group.controller == Controller::Native && group.controller == Controller::Tideform;
    let what = match applied.holds_limits() {
        true => "pins and surges",
        false => "the windows",
    };
    (is_moved && is_handed_over).then(|| format!("from now on the loop keeps {what}"))
}

/// Why an edit of the limits or windows is not written by this plan; `None`: it is.
pub(super) fn held_back(situation: &Situation<'_>, group: &Group, path: &str) -> Option<String> {
    let is_timed = ["limits.", "schedule.", "surge."]
        .iter()
        .any(|block| path.starts_with(block));
    let applied = situation.applied.filter(|applied| applied.holds_limits())?;
    if !is_timed || !is_kept_by_loop(situation, group) {
        return None;
    }
    Some(match applied.pin {
        Some((capacity, until)) => {
            let inside = group.policy.limits.map_or(capacity, |limits| {
                capacity.clamp(limits.min(), limits.max())
            });
            if inside == capacity {
                format!(
                    "the pin to {capacity} holds until {until:.0}, and this from then on: `tideform reconcile` writes it"
                )
            } else {
                format!(
                    "the pin to {capacity} is outside of these limits: the next `tideform reconcile` makes it {inside}, until {until:.0}"
                )
            }
        }
        None => "written by the next `tideform reconcile`".to_owned(),
    })
}

/// Whether no cron says the group's windows.
fn has_dated(situation: &Situation<'_>) -> bool {
    let wanted = situation.controls.iter().map(|control| &control.name);
    let there = live(situation)
        .into_iter()
        .flat_map(|live| &live.controls)
        .map(|control| &control.name)
        .filter(|name| is_ours(name, &situation.options.workspace));
    wanted.chain(there).any(|name| dated_at(name).is_some())
}

/// What a group with dated actions needs: somebody who renews them.
pub(super) fn renewal_note(situation: &Situation<'_>, group: &Group) -> Option<String> {
    if group.controller != Controller::Native || situation.unsupported.iter().len() > 0 {
        return None;
    }
    let address = situation.address;
    if let Some(applied) = situation.applied.filter(|applied| applied.is_held()) {
        let is_asked_for = applied.pin.is_some() || applied.is_paused || !applied.surges.is_empty();
        if is_asked_for {
            return Some(format!(
                "{address}: its pin, pause or surge is carried out and ended by `tideform reconcile`, and is no part of this plan."
            ));
        }
        if !is_brought_back(situation, group, applied) {
            return Some(format!(
                "{address}: its pin, pause or surge is over; what it moved is brought back by the next `tideform reconcile`."
            ));
        }
    }
    let until: Option<Timestamp> = situation
        .controls
        .iter()
        .filter_map(|control| dated_at(&control.name))
        .max();
    until.map(|until| {
        format!(
            "{address}: its limits are moved by dated scheduled actions, made ahead until {until}. Let `tideform reconcile` run \
             at least once a day: it renews them."
        )
    })
}

/// Whether nothing is left of an override that is over: the loop has done all of it, and is only to see so.
fn is_brought_back(situation: &Situation<'_>, group: &Group, applied: &Applied) -> bool {
    let Some(live) = live(situation) else {
        return false;
    };
    let is_schedule = |kind: ControlKind| kind == ControlKind::Schedule;
    let find = |name: &str| live.controls.iter().find(|control| control.name == name);
    let wanted = || {
        situation
            .controls
            .iter()
            .filter(|spec| is_schedule(spec.kind))
    };
    let is_there =
        |spec: &ControlSpec| find(&spec.name).is_some_and(|there| there.settings == spec.settings);
    let is_left_over = |control: &Control| {
        is_schedule(control.kind)
            && is_ours(&control.name, &situation.options.workspace)
            && dated_at(&control.name).is_none_or(|at| situation.now < at)
            && wanted().all(|spec| spec.name != control.name)
    };
    let is_off = applied.moved.paused && applied.moved.resume(live).is_some();
    wanted().all(is_there)
        && !live.controls.iter().any(is_left_over)
        && !is_off
        && limits_now(situation, group).is_none_or(|limits| limits == live.attributes.limits)
}
