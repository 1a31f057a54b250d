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
