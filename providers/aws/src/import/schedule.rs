//! Scheduled actions as windows: one that opens, one that closes, each day alike. Pure.

use std::time::Duration;

use tideform_policies::model::units::format_duration;
use tideform_policies::model::{Capacity, Limits};
use tideform_policies::write::{Block, Item};
use tideform_provider::{Imported, ImportedPart, LiveGroup};

use super::{Labels, SCHEDULE, There, left};
use crate::native::model::{Native, Scheduled};
use crate::native::schedule::minutes_between;

/// An action that recurs and moves limits, and nothing else.
struct Action<'a> {
    there: &'a There<'a>,
    cron: &'a str,
    timezone: &'a str,
    /// Both sides, what it leaves alone filled in.
    limits: (u32, u32),
}

/// Says the scheduled actions of a group, or leaves them all; and the limits that hold outside of windows.
pub(super) fn import(there: &[There<'_>], live: &LiveGroup, imported: &mut Imported) {
    let limits = live.attributes.limits;
    let actions: Vec<(&There<'_>, &Scheduled)> = there
        .iter()
        .filter_map(|one| match &one.native {
            Native::Scheduled(scheduled) => Some((one, scheduled)),
            _ => None,
        })
        .collect();
    // One that could not be read at all may move anything.
    let is_unknown = imported.left.iter().any(|left| {
        live.controls.iter().any(|control| {
            control.name == left.name && control.kind == tideform_provider::ControlKind::Schedule
        })
    });
    // What only asks for a capacity leaves the limits alone.
    let (asking, moving): (Vec<_>, Vec<_>) = actions
        .into_iter()
        .partition(|(_, scheduled)| scheduled.min.is_none() && scheduled.max.is_none());
    for (one, _) in asking {
        imported.left.push(left(
            one.control,
            "it asks for a capacity, and windows of the files move the limits",
            Some("Write a `schedule` with a floor here, and delete it when that is applied."),
        ));
    }
    if moving.is_empty() {
        imported.limits = (!is_unknown).then_some(limits);
        return;
    }
    let windows = if is_unknown {
        Err("another action of the group cannot be read".to_owned())
    } else {
        windows(&moving, limits)
    };
    match windows {
        Ok((outside, parts)) => {
            imported.limits = Some(outside);
            imported.parts.extend(parts);
        }
        Err(why) => {
            for (one, _) in moving {
                imported.left.push(left(
                    one.control,
                    why.clone(),
                    Some("Write `limits` and a `schedule` here, and delete it when they are applied."),
                ));
            }
        }
    }
}

fn windows(
    moving: &[(&There<'_>, &Scheduled)],
    live: Limits,
) -> Result<(Limits, Vec<ImportedPart>), String> {
    let side = |of: fn(&Scheduled) -> Option<i32>, live: u32| -> Result<Vec<u32>, String> {
        let numbers: Vec<Option<u32>> = moving
            .iter()
            .map(|(_, scheduled)| of(scheduled).and_then(|n| u32::try_from(n).ok()))
            .collect();
        if numbers.iter().all(Option::is_none) {
            return Ok(vec![live; numbers.len()]);
        }
        numbers
            .into_iter()
            .collect::<Option<Vec<u32>>>()
            .ok_or_else(|| {
                "some actions of the group set a limit that others leave alone".to_owned()
            })
    };
    let least = side(|scheduled| scheduled.min, live.min().get())?;
    let most = side(|scheduled| scheduled.max, live.max().get())?;
    let mut actions = Vec::with_capacity(moving.len());
    for ((there, scheduled), limits) in moving.iter().zip(least.iter().copied().zip(most)) {
        if scheduled.desired.is_some() {
            return Err("an action of the group also asks for a capacity".to_owned());
        }
        if scheduled.until.is_some() {
            return Err("an action of the group ends some day".to_owned());
        }
        let Some(cron) = scheduled.cron.as_deref() else {
            return Err("an action of the group acts once".to_owned());
        };
        actions.push(Action {
            there,
            cron,
            timezone: scheduled.timezone.as_deref().unwrap_or("UTC"),
            limits,
        });
    }
    // A floor can only raise and a ceiling only lower: outside is the widest of all.
    let widest = (
        actions.iter().map(|action| action.limits.0).min(),
        actions.iter().map(|action| action.limits.1).max(),
    );
    let (Some(least), Some(most)) = widest else {
        return Err("there are no actions".to_owned());
    };
    let outside = Limits::new(Capacity(least), Capacity(most))
        .ok_or_else(|| "its limits contradict each other".to_owned())?;
    let (mut closing, opening): (Vec<&Action<'_>>, Vec<&Action<'_>>) = actions
        .iter()
        .partition(|action| action.limits == (least, most));
    if closing.is_empty() {
        return Err(format!(
            "no action of the group sets {least} to {most} again, the widest of their limits, as one that closes a window \
             does"
        ));
    }
    let mut labels = Labels::default();
    let mut parts = Vec::new();
    for open in opening {
        let found = closing
            .iter()
            .enumerate()
            .filter(|(_, close)| close.timezone == open.timezone)
            .filter_map(|(n, close)| Some((minutes_between(open.cron, close.cron)?, n)))
            .min();
        let Some((minutes, n)) = found else {
            return Err(
                "the actions of the group are no windows: one that opens, and one a fixed time later that closes"
                    .to_owned(),
            );
        };
        let close = closing.remove(n);
        parts.push(window(open, close, minutes, (least, most), &mut labels));
    }
    if closing.is_empty() {
        Ok((outside, parts))
    } else {
        Err("an action of the group closes no window".to_owned())
    }
}

fn window(
    open: &Action<'_>,
    close: &Action<'_>,
    minutes: u64,
    (least, most): (u32, u32),
    labels: &mut Labels,
) -> ImportedPart {
    let mut items = vec![
        Item::attribute("cron", open.cron),
        Item::attribute("timezone", open.timezone),
        Item::attribute(
            "duration",
            format_duration(Duration::from_secs(minutes * 60)),
        ),
    ];
    if open.limits.0 > least {
        items.push(Item::attribute("min", open.limits.0));
    }
    if open.limits.1 < most {
        items.push(Item::attribute("max", open.limits.1));
    }
    let names = [open, close].map(|action| action.there.control.name.clone());
    ImportedPart {
        blocks: vec![Block::named("schedule", &labels.take(&names[0]), items)],
        made_of: names
            .iter()
            .map(|name| (SCHEDULE.to_owned(), name.clone()))
            .collect(),
        controls: names.to_vec(),
    }
}
