//! Policies and schedules of the cloud's own: ours, adopted, and those left alone. Pure.

use super::*;

pub(super) fn is_ours(control: &Control, workspace: &str) -> bool {
    control
        .name
        .strip_prefix("tideform/")
        .and_then(|rest| rest.strip_prefix(workspace))
        .is_some_and(|rest| rest.starts_with('/'))
}

pub(super) fn is_adopted(control: &Control, adopt: &Adopt) -> bool {
    match adopt {
        Adopt::None => false,
        Adopt::All => true,
        Adopt::Named(names) => names.contains(&control.name),
    }
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

/// Dated actions end so, with their time: the loop renews them, and the cloud forgets each once it has run.
const DATED: &str = "/window-";

/// Whether a control is one of the dated actions.
pub(in crate::plan) fn is_dated(name: &str) -> bool {
    name.contains(DATED)
}

/// All controls of a group that is still to be created.
pub(super) fn new_controls<'a>(
    situation: &'a Situation<'_>,
) -> impl Iterator<Item = AttributeChange> + 'a {
    situation
        .controls
        .iter()
        .map(|control| AttributeChange::PutControl(control.clone()))
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
    let (mut attributes, mut changes) = (Vec::new(), Vec::new());
    if group.controller != Controller::Native {
        // The loop keeps floors by itself, and a scheduled action of ours would go on moving the limits.
        for control in &live.controls {
            if is_ours(control, &situation.options.workspace)
                && control.kind == ControlKind::Schedule
            {
                attributes.push(AttributeChange::RemoveControl(control.name.clone()));
                changes.push(cloud(
                    &control.name,
                    ChangeAction::Remove,
                    Json::from(control.summary.as_str()),
                    Json::Null,
                ));
            }
        }
        return (attributes, changes);
    }
    // Nothing in the files has changed: then somebody else changed it in the cloud.
    let has_drifted = situation
        .applied
        .is_some_and(|applied| applied.group == *group);
    let reason = has_drifted.then(|| "changed outside tideform".to_owned());
    let last_dated = live
        .controls
        .iter()
        .map(|control| control.name.as_str())
        .filter(|name| is_dated(name))
        .max();
    for wanted in situation.controls {
        let there = live
            .controls
            .iter()
            .find(|control| control.name == wanted.name);
        let source = places.of(situation.address, &wanted.path);
        let Some(there) = there else {
            // Time has gone on: the loop adds it.
            if is_dated(&wanted.name) && last_dated.is_some_and(|last| last < wanted.name.as_str())
            {
                continue;
            }
            attributes.push(AttributeChange::PutControl(wanted.clone()));
            changes.push(PlannedChange {
                source,
                reason: reason.clone(),
                ..cloud(
                    &wanted.name,
                    ChangeAction::Add,
                    Json::Null,
                    Json::from(wanted.summary.as_str()),
                )
            });
            continue;
        };
        let differing: Vec<&String> = wanted
            .settings
            .keys()
            .chain(there.settings.keys())
            .collect::<std::collections::BTreeSet<_>>()
            .into_iter()
            .filter(|name| {
                let of = |settings: &tideform_provider::Settings| {
                    settings.get(*name).cloned().unwrap_or(Json::Null)
                };
                !wanted::same_value(&of(&there.settings), &of(&wanted.settings))
            })
            .collect();
        if differing.is_empty() && there.enabled {
            continue;
        }
        attributes.push(AttributeChange::PutControl(wanted.clone()));
        if !there.enabled {
            changes.push(PlannedChange {
                source: source.clone(),
                reason: reason.clone(),
                ..cloud(
                    &format!("{}: enabled", wanted.name),
                    ChangeAction::Change,
                    Json::Bool(false),
                    Json::Bool(true),
                )
            });
        }
        for name in differing {
            let of = |settings: &tideform_provider::Settings| {
                settings.get(name).cloned().unwrap_or(Json::Null)
            };
            changes.push(PlannedChange {
                source: source.clone(),
                reason: reason.clone(),
                ..cloud(
                    &format!("{}: {name}", wanted.name),
                    ChangeAction::Change,
                    of(&there.settings),
                    of(&wanted.settings),
                )
            });
        }
    }
    let past = format!("{DATED}{}", situation.now.strftime("%Y%m%dT%H%M%SZ"));
    for control in &live.controls {
        let is_managed = is_ours(control, &situation.options.workspace)
            || is_adopted(control, &group.adopt)
                && control.kind == tideform_provider::ControlKind::Dynamic;
        let is_wanted = situation
            .controls
            .iter()
            .any(|wanted| wanted.name == control.name);
        // One that has run is forgotten by the cloud itself.
        let has_run = control
            .name
            .rfind(DATED)
            .is_some_and(|at| control.name[at..] <= *past);
        if !is_managed || is_wanted || has_run {
            continue;
        }
        attributes.push(AttributeChange::RemoveControl(control.name.clone()));
        changes.push(cloud(
            &control.name,
            ChangeAction::Remove,
            Json::from(control.summary.as_str()),
            Json::Null,
        ));
    }
    (attributes, changes)
}
