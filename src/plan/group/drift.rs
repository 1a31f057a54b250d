//! What was changed outside tideform. Pure.

use super::*;

/// Whether a live resource carries the tag of our state.
pub(super) fn is_tagged_ours(situation: &Situation<'_>, live: &LiveGroup) -> bool {
    live.owner
        .as_ref()
        .is_some_and(|owner| situation.lineage == Some(owner.state.as_str()))
}

/// An apply that died after it had created the resource did not come to write so.
pub(super) fn was_just_created(situation: &Situation<'_>, group: &Group) -> bool {
    matches!(
        situation.unfinished,
        Some(Record::Write { group: unfinished, created: true, .. })
            if unfinished.resource == group.resource && unfinished.provider == group.provider
    )
}

/// What differs between live and last applied, where that is managed.
pub(super) fn drift(situation: &Situation<'_>, group: &Group) -> Vec<Drift> {
    let Some(applied) = situation.applied else {
        return Vec::new();
    };
    let was = &applied.group;
    let Some(Ok(live)) = situation.applied_live else {
        return Vec::new();
    };
    let is_another =
        |group: &Group| group.provider != was.provider || group.resource != was.resource;
    // What an apply did to a resource that it was leaving is no drift.
    let was_leaving = match situation.unfinished {
        Some(Record::Forget) => true,
        Some(Record::Write { group, .. }) => is_another(group),
        Some(Record::Keep) | None => false,
    };
    // What the files let go of stays as it is.
    let is_replaced = is_another(group);
    let launch = was.launch.as_ref().map(|launch| &launch.attributes);
    let Some(live) = live else {
        if was_leaving {
            return Vec::new();
        }
        return vec![Drift {
            path: "resource".to_owned(),
            applied: Json::from(format!("{} {}", was.resource.kind, was.resource.name)),
            live: Json::Null,
            outcome: if group.launch.is_some() && !is_replaced {
                DriftOutcome::Undone
            } else {
                DriftOutcome::Kept
            },
        }];
    };
    let found = wanted::compare(
        &at_this_moment(situation, was, live),
        &live.attributes,
        applied.fallback_is_active,
        launch,
    );
    let now = wanted::compare(
        &at_this_moment(situation, group, live),
        &live.attributes,
        applied.fallback_is_active,
        launch,
    );
    // What an apply that died had already written is ours.
    let unfinished = match situation.unfinished {
        Some(Record::Write { group, .. }) => Some(wanted::compare(
            group,
            &live.attributes,
            applied.fallback_is_active,
            launch,
        )),
        _ => None,
    };
    let was_written = |path: &str| {
        unfinished
            .as_ref()
            .is_some_and(|found| found.differences.iter().all(|d| d.path != path))
    };
    let mut drift: Vec<Drift> = found
        .differences
        .into_iter()
        .filter(|difference| !was_written(&difference.path))
        .map(|difference| Drift {
            outcome: if !is_replaced && now.differences.iter().any(|d| d.path == difference.path) {
                DriftOutcome::Undone
            } else {
                DriftOutcome::Kept
            },
            path: difference.path,
            applied: difference.wanted,
            live: difference.live,
        })
        .collect();
    drift.extend(control_drift(situation, group, live));
    // A tag of another state is an error of its own.
    if live.owner.is_none() && !is_replaced && !was_leaving {
        drift.push(Drift {
            path: "owner".to_owned(),
            applied: Json::from(format!("workspace {}", situation.options.workspace)),
            live: Json::Null,
            outcome: DriftOutcome::Undone,
        });
    }
    drift
}
