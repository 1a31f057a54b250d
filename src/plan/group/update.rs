//! A group whose resource is there: its attributes, its tag. Pure.

use super::*;

/// Bringing a live group to what the files say.
pub(super) fn update(
    situation: &Situation<'_>,
    group: &Group,
    live: &LiveGroup,
    is_replaced: bool,
    places: &Places<'_>,
) -> (Option<Step>, Vec<PlannedChange>) {
    let applied = situation.applied.filter(|_| !is_replaced);
    let fallback = applied.is_some_and(|applied| applied.fallback_is_active);
    let launch = applied
        .and_then(|applied| applied.group.launch.as_ref())
        .map(|launch| &launch.attributes);
    let moment = at_this_moment(situation, group, live);
    let Comparison {
        differences,
        changes: mut attributes,
    } = wanted::compare(&moment, &live.attributes, fallback, launch);
    let was = applied.map(|applied| {
        let was = at_this_moment(situation, &applied.group, live);
        wanted::compare(&was, &live.attributes, fallback, launch).differences
    });
    let mut changes: Vec<PlannedChange> = differences
        .into_iter()
        .map(|difference| {
            // Live is not what was last applied, and that is why there is something to change.
            let has_drifted = was.iter().flatten().any(|d| d.path == difference.path);
            PlannedChange {
                source: places.of(situation.address, &difference.path),
                reason: match has_drifted {
                    true => Some("changed outside tideform".to_owned()),
                    false if applied.is_some() => {
                        handed_over(situation, group, live, &difference.path)
                    }
                    false => None,
                },
                ..cloud(
                    &difference.path,
                    match (difference.live.is_null(), difference.wanted.is_null()) {
                        (true, _) => ChangeAction::Add,
                        (_, true) => ChangeAction::Remove,
                        _ => ChangeAction::Change,
                    },
                    difference.live,
                    difference.wanted,
                )
            }
        })
        .collect();
    // What tideform made goes with the line that asked for it.
    let had_drain = applied.is_some_and(|applied| applied.group.policy.scale_in.drain.is_some());
    if let Some(drain) = live.attributes.drain
        && had_drain
        && group.policy.scale_in.drain.is_none()
    {
        attributes.push(AttributeChange::Drain(None));
        changes.push(cloud(
            "scale_in.drain",
            ChangeAction::Remove,
            Json::from(format_duration(drain)),
            Json::Null,
        ));
    }
    if let Some(limits) = moment.policy.limits {
        let desired = wanted::between(live.desired, limits);
        if desired != live.desired && limits != live.attributes.limits {
            changes.push(PlannedChange {
                reason: Some("brought into the limits, and no further".to_owned()),
                ..cloud(
                    "desired",
                    ChangeAction::Change,
                    Json::from(live.desired),
                    Json::from(desired),
                )
            });
        }
    }
    let (more, said) = control_changes(situation, group, live, places);
    attributes.extend(more);
    changes.extend(said);
    if let Some(change) = owner_change(situation, live) {
        attributes.push(AttributeChange::Owner(Some(owner(situation))));
        changes.push(change);
    }
    for control in adopted_now(situation, group, live) {
        changes.push(PlannedChange {
            source: places.of(situation.address, "adopt"),
            reason: Some(match (group.controller, control.kind) {
                (Controller::Tideform, ControlKind::Dynamic) => {
                    PlannedChange::AT_FIRST_RUN.to_owned()
                }
                (Controller::Tideform, ControlKind::Schedule) => {
                    "the loop keeps windows by itself".to_owned()
                }
                (Controller::Native, _) => "kept under its own name".to_owned(),
            }),
            ..cloud(
                &control.name,
                ChangeAction::Adopt,
                Json::from(control.summary.as_str()),
                Json::from("adopted"),
            )
        });
    }
    changes.extend(taken_by_loop(situation, group, live, is_replaced));
    let step = (!attributes.is_empty()).then(|| Step::Update {
        provider: group.provider.clone(),
        change: GroupChange {
            resource: group.resource.clone(),
            changes: attributes,
        },
    });
    (step, changes)
}

/// The tag that the group is to carry. Without a state its lineage is not known yet; apply fills it in.
pub(super) fn owner(situation: &Situation<'_>) -> Owner {
    Owner {
        workspace: situation.options.workspace.clone(),
        state: situation.lineage.unwrap_or_default().to_owned(),
        group: situation.address.to_string(),
    }
}

pub(super) fn owner_text(owner: &Owner) -> Json {
    Json::from(format!("workspace {}, {}", owner.workspace, owner.group))
}

pub(super) fn owner_change(situation: &Situation<'_>, live: &LiveGroup) -> Option<PlannedChange> {
    let wanted = owner(situation);
    let before = live.owner.as_ref();
    if before == Some(&wanted) && situation.lineage.is_some() {
        return None;
    }
    let is_taken_over = before.is_some_and(|owner| situation.lineage != Some(owner.state.as_str()));
    let was_created = situation.applied.is_some_and(|applied| applied.created);
    Some(PlannedChange {
        reason: if is_taken_over {
            Some("taken over from another state".to_owned())
        } else {
            (before.is_none() && was_created).then(|| {
                "without its tag it may be another one: tideform will not delete it".to_owned()
            })
        },
        ..cloud(
            "owner",
            match before {
                None => ChangeAction::Add,
                Some(_) if is_taken_over => ChangeAction::Adopt,
                Some(_) => ChangeAction::Change,
            },
            before.map_or(Json::Null, owner_text),
            owner_text(&wanted),
        )
    })
}
