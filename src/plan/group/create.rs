//! A group whose resource does not exist. Pure.

use super::*;

/// Creating the resource; `None` where that is not possible, which has been reported.
pub(super) fn create(
    situation: &Situation<'_>,
    group: &Group,
    places: &Places<'_>,
    diagnostics: &mut Diagnostics,
) -> Option<(Step, Vec<PlannedChange>)> {
    let address = situation.address;
    let at = |mut diagnostic: Diagnostic, path: &str, text: &'static str| {
        if let Some(span) = places.span(address, path) {
            diagnostic = diagnostic.at(span, text);
        }
        diagnostic
    };
    let Some(launch) = &group.launch else {
        let diagnostic = Diagnostic::error(codes::RESOURCE_NOT_FOUND, "Resource does not exist")
            .why(format!(
                "{} has no {} named `{}`, and {address} has no `launch` block, so tideform may not create it.",
                group.provider, group.resource.kind, group.resource.name
            ))
            .help(
                "create the resource, correct the name, add a `launch` block, or take the group out of the files. Until then it is left out, and the other groups go on.",
            );
        diagnostics.push(at(diagnostic, "resource.name", "not found"));
        return None;
    };
    if situation.capabilities.is_some_and(|can| !can.creates) {
        let diagnostic = Diagnostic::error(
            codes::CREATION_NOT_POSSIBLE,
            "Provider cannot create resources",
        )
        .why(format!(
            "{} `{}` does not exist, and {} only scales what is there.",
            group.resource.kind, group.resource.name, group.provider
        ))
        .help("create the resource elsewhere and take the `launch` block out.");
        diagnostics.push(at(diagnostic, "launch", "cannot be done"));
        return None;
    }
    let Some(limits) = group.policy.limits else {
        let diagnostic = Diagnostic::error(
            codes::LIMITS_TO_CREATE,
            "Limits are needed to create a resource",
        )
        .why(format!(
            "{} `{}` does not exist yet, so there are no live limits that could hold.",
            group.resource.kind, group.resource.name
        ))
        .help("add `limits { min = … max = … }` to the group or a policy it uses.");
        diagnostics.push(at(diagnostic, "launch", "created with which limits?"));
        return None;
    };
    // Under native control a window that is open now is in them.
    let limits = limits_now(situation, group).unwrap_or(limits);
    let floor = floor_at(group, &started_surges(situation, group), situation.now);
    let desired = wanted::between(floor, limits);
    let mut spec = GroupSpec {
        resource: group.resource.clone(),
        limits,
        desired,
        owner: owner(situation),
        changes: wanted::at_creation(group),
        launch: launch.attributes.clone(),
        instance: group.policy.instance.clone(),
    };
    let mut changes = vec![
        PlannedChange {
            source: places.of(address, "resource"),
            reason: situation
                .applied
                .map(|_| "it is gone from the cloud".to_owned()),
            ..cloud(
                "resource",
                ChangeAction::Add,
                Json::Null,
                Json::from(format!("{} {}", group.resource.kind, group.resource.name)),
            )
        },
        PlannedChange {
            reason: Some("the floor of now".to_owned()),
            ..cloud(
                "desired",
                ChangeAction::Add,
                Json::Null,
                Json::from(desired),
            )
        },
        cloud(
            "owner",
            ChangeAction::Add,
            Json::Null,
            owner_text(&spec.owner),
        ),
    ];
    let mut new = |path: &str, value: Json| {
        changes.push(PlannedChange {
            source: places.of(address, path),
            ..cloud(path, ChangeAction::Add, Json::Null, value)
        });
    };
    new("limits.min", json!(limits.min()));
    new("limits.max", json!(limits.max()));
    let maintenance = group.policy.maintenance;
    for (name, share) in [
        ("min_healthy", maintenance.map(|m| m.min_healthy)),
        ("max_healthy", maintenance.map(|m| m.max_healthy)),
    ] {
        if let Some(share) = share {
            new(&format!("maintenance.{name}"), json!(share.to_string()));
        }
    }
    for (name, value) in &launch.attributes {
        new(&format!("launch.{name}"), value.clone());
    }
    let (controls, made) = new_controls(situation, places);
    spec.changes.extend(controls);
    changes.extend(made);
    Some((
        Step::Create {
            provider: group.provider.clone(),
            spec,
        },
        changes,
    ))
}

/// The floor of this moment: the largest of the limits' min and the minimums of open schedules and surges.
pub(super) fn floor_at(
    group: &Group,
    surges: &[(&tideform_policies::model::Surge, Timestamp)],
    now: Timestamp,
) -> u32 {
    let base = group.policy.limits.map_or(0, |limits| limits.min().get());
    calendar::week(group, surges, now)
        .iter()
        .filter(|entry| entry.start <= now && now < entry.end)
        .filter_map(|entry| entry.min)
        .fold(base, u32::max)
}
