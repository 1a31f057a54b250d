//! What was changed outside tideform of the cloud's own controls: live against what was last applied. Pure.
//!
//! What the loop moves is none of it: dated actions, the recurring ones while it keeps the windows, and what a pause
//! switches to forecasting only.

use tideform_provider::dated_at;

use super::controls::{is_adopted_by_name, is_ours};
use super::*;
use crate::plan::wanted::Difference;

/// The controls to write to the state: as the files want them while nobody holds the group, without those that act
/// once; `None` where the cloud does not scale it.
pub(super) fn controls_to_record(
    situation: &Situation<'_>,
    group: &Group,
) -> Option<Vec<ControlSpec>> {
    let lasting = || {
        situation
            .lasting_controls
            .iter()
            .filter(|spec| dated_at(&spec.name).is_none())
            .cloned()
            .collect()
    };
    (group.controller == Controller::Native).then(lasting)
}

/// What was last applied to this resource, where the cloud scaled it then and something was recorded.
fn recorded<'a>(situation: &Situation<'a>, group: &Group) -> Option<&'a [ControlSpec]> {
    let applied = situation.applied?;
    let was = &applied.group;
    let is_same = was.provider == group.provider && was.resource == group.resource;
    match was.controller {
        Controller::Native if is_same => applied.controls.as_deref(),
        Controller::Native | Controller::Tideform => None,
    }
}

/// Whether a setting is one that a pause moves, and a pause holds or is still to be taken back: no suspended process
/// stops predictive scaling.
pub(super) fn moved_by_pause(situation: &Situation<'_>, path: &str) -> bool {
    path.ends_with(": mode")
        && situation
            .applied
            .is_some_and(|applied| applied.is_paused || applied.moved.paused)
}

/// What differs between the live controls and those last applied.
pub(super) fn control_drift(
    situation: &Situation<'_>,
    group: &Group,
    live: &LiveGroup,
) -> Vec<Drift> {
    let Some(recorded) = recorded(situation, group) else {
        return Vec::new();
    };
    let unfinished: &[ControlSpec] = match situation.unfinished {
        Some(Record::Write { controls, .. }) => controls.as_deref().unwrap_or_default(),
        _ => &[],
    };
    let is_unfinished = matches!(situation.unfinished, Some(Record::Write { .. }));
    let find = |list: &'_ [ControlSpec], name: &str| -> Option<ControlSpec> {
        list.iter().find(|spec| spec.name == name).cloned()
    };
    // A plan that gives the group to the loop sees what a pin or a surge has moved of it till now.
    let is_given = group.controller == Controller::Tideform;
    let is_kept = is_kept_by_loop(situation, group)
        || situation
            .applied
            .is_some_and(|applied| is_given && is_kept_by_loop(situation, &applied.group));
    let is_set_aside = |name: &str| {
        let aside = situation
            .applied
            .map(|applied| applied.moved.set_aside.iter());
        aside.into_iter().flatten().any(|other| other.name == name)
    };
    let is_the_loops = |name: &str, kind: ControlKind| {
        dated_at(name).is_some() || kind == ControlKind::Schedule && (is_kept || is_set_aside(name))
    };
    // With something in the files that the cloud cannot say nothing is known of what they want.
    let is_planned = situation.unsupported.is_empty();
    let undone = |is_undone: bool| match is_undone && is_planned {
        true => DriftOutcome::Undone,
        false => DriftOutcome::Kept,
    };
    let mut drift = Vec::new();
    for applied in recorded {
        if is_the_loops(&applied.name, applied.kind) {
            continue;
        }
        let there = live
            .controls
            .iter()
            .find(|control| control.name == applied.name);
        let wanted = find(situation.controls, &applied.name);
        // What an apply that died had already written is ours.
        let written = is_unfinished.then(|| find(unfinished, &applied.name));
        let was_written = |path: &str| match &written {
            None => false,
            Some(None) => there.is_none(),
            Some(Some(written)) => has_not(&settings::differences(there, written), path),
        };
        drift.extend(
            settings::differences(there, applied)
                .into_iter()
                .filter(|difference| !moved_by_pause(situation, &difference.path))
                .filter(|difference| !was_written(&difference.path))
                .map(|difference| Drift {
                    outcome: undone(match &wanted {
                        Some(wanted) => {
                            !has_not(&settings::differences(there, wanted), &difference.path)
                        }
                        // It goes, whatever somebody made of it.
                        None => there.is_some(),
                    }),
                    path: difference.path,
                    applied: difference.wanted,
                    live: difference.live,
                })
                // Whoever made the alarm of an adopted policy anew chose its name: it is taken as it is.
                .filter(|drift| !(drift.outcome == DriftOutcome::Kept && is_alarm(&drift.path))),
        );
    }
    let was = situation.applied.map(|applied| &applied.group.adopt);
    for control in &live.controls {
        let was_managed = is_ours(control, &situation.options.workspace)
            || was.is_some_and(|was| {
                is_adopted_by_name(control, was)
                    || is_adopted(control, was) && control.kind == ControlKind::Dynamic
            });
        let is_known = recorded
            .iter()
            .chain(unfinished)
            .any(|spec| spec.name == control.name);
        // One that the files want by now may be the loop's, made as soon as a cron could say the windows.
        let is_wanted = situation
            .controls
            .iter()
            .any(|wanted| wanted.name == control.name);
        if !was_managed || is_known || is_wanted || is_the_loops(&control.name, control.kind) {
            continue;
        }
        drift.push(Drift {
            path: control.name.clone(),
            applied: Json::Null,
            live: Json::from(control.summary.as_str()),
            outcome: undone(true),
        });
    }
    drift
}

fn is_alarm(path: &str) -> bool {
    path.ends_with(": alarm.name")
}

fn has_not(differences: &[Difference], path: &str) -> bool {
    differences.iter().all(|difference| difference.path != path)
}

/// Why a control changes.
pub(super) struct Drifted {
    /// What is not as it was last applied; `None`: that is not known.
    paths: Option<Vec<String>>,
    /// Nothing in the files has changed: then somebody else changed it in the cloud.
    is_same: bool,
}

impl Drifted {
    pub(super) fn new(situation: &Situation<'_>, group: &Group, live: &LiveGroup) -> Drifted {
        Drifted {
            paths: recorded(situation, group).map(|_| {
                let drift = control_drift(situation, group, live).into_iter();
                drift.map(|drift| drift.path).collect()
            }),
            is_same: situation
                .applied
                .is_some_and(|applied| applied.group == *group),
        }
    }

    /// The reason of the change of this path, where it is not that the files say so.
    pub(super) fn reason(&self, path: &str) -> Option<String> {
        let has_drifted = match &self.paths {
            Some(paths) => paths.iter().any(|drifted| drifted == path),
            None => self.is_same,
        };
        has_drifted.then(|| "changed outside tideform".to_owned())
    }
}

#[cfg(test)]
mod tests;
