//! The limits of this moment: under native control a window that is open moves the cloud's own limits. Pure.

use std::borrow::Cow;

use tideform_policies::model::{Capacity, Limits};

use super::*;

/// The group with the limits that are to be live now.
///
/// The loop keeps floors and ceilings by what it asks for, and the cloud's limits stay those of the files. The cloud's
/// own policies know no floor but the limits, so there schedules and surges write these.
pub(super) fn at_this_moment<'a>(situation: &Situation<'_>, group: &'a Group) -> Cow<'a, Group> {
    let Some(limits) = group.policy.limits else {
        return Cow::Borrowed(group);
    };
    if group.controller != Controller::Native {
        return Cow::Borrowed(group);
    }
    let (least, most) = (limits.min().get(), limits.max().get());
    let week = calendar::week(group, &started_surges(situation, group), situation.now);
    let open = || {
        week.iter()
            .filter(|entry| entry.start <= situation.now && situation.now < entry.end)
    };
    let floor = open()
        .filter_map(|entry| entry.min)
        .fold(least, u32::max)
        .min(most);
    let ceiling = open()
        .filter_map(|entry| entry.max)
        .fold(most, u32::min)
        .max(floor);
    match Limits::new(Capacity(floor), Capacity(ceiling)) {
        Some(now) if now != limits => {
            let mut group = group.clone();
            group.policy.limits = Some(now);
            Cow::Owned(group)
        }
        _ => Cow::Borrowed(group),
    }
}
