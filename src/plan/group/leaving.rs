//! A group that is not in the files any more, or whose resource becomes another one. Pure.

use super::*;
use crate::reconcile::Moved;

pub(super) fn plan_leaving(
    situation: &Situation<'_>,
    applied: &Applied,
    diagnostics: &mut Diagnostics,
) -> GroupPlan {
    let group = &applied.group;
    let mut plan = empty(situation, group);
    let live = match situation.applied_live {
        Some(Err(error)) => return failed(plan, error),
        Some(Ok(live)) => live.as_ref(),
        None => None,
    };
    plan.fingerprint = live.map(|live| fingerprint(live, Some(group)));
    // What was adopted was there before tideform, and stays.
    plan.unmanaged = unmanaged(live, &situation.options.workspace, &Adopt::None);
    if situation.options.mode == Mode::RefreshOnly {
        return plan;
    }
    // Without its heir it stays: what it has to hand over (who created the resource) would be lost.
    if situation.heir.is_some() && !situation.heir_is_planned {
        return plan;
    }
    plan.record = Record::Forget;
    plan.heir = situation.heir.cloned();
    let is_destruction = situation.options.mode == Mode::Destroy;
    plan.live = live.map(|live| live.attributes.clone());
    plan.before = Some(Arc::new(group.clone()));
    plan.action = match live {
        _ if situation.is_forgotten && !is_destruction => Action::Forget,
        _ if situation.heir.is_some() => Action::Forget,
        None => Action::Forget,
        Some(live) if strangers(situation, applied, live).is_some() => Action::Forget,
        Some(_) if applied.created => Action::Destroy,
        Some(_) => Action::Release,
    };
    let resource = format!("{} {}", group.resource.kind, group.resource.name);
    if situation.is_forgotten && plan.action == Action::Forget && situation.heir.is_none() {
        report_override(situation, applied, live, diagnostics);
    }
    match plan.action {
        Action::Destroy => {
            let (steps, change) = destroy(group, live);
            plan.steps = steps;
            plan.changes.push(change);
        }
        Action::Release => {
            let (steps, changes) = release(situation, group, live);
            plan.steps = steps;
            plan.changes = changes;
        }
        _ => {
            let reason = if live.is_none() {
                format!("{resource} is gone")
            } else if let Some(heir) = situation.heir {
                format!(
                    "{heir} now scales {resource}; a `moved` block would keep memory and history"
                )
            } else if let Some(whose) = live
                .filter(|_| is_destruction || !situation.is_forgotten)
                .and_then(|live| strangers(situation, applied, live))
            {
                format!("{resource} {whose}: it is not touched")
            } else {
                let stays = live.map(|live| left_behind(situation, live));
                format!(
                    "a `removed` block says so; {resource} is not touched{}",
                    stays.unwrap_or_default()
                )
            };
            plan.changes.push(PlannedChange {
                target: Target::Policy,
                reason: Some(reason),
                ..cloud(
                    "state",
                    ChangeAction::Remove,
                    Json::from("managed"),
                    Json::Null,
                )
            });
        }
    }
    plan
}

/// What tideform has made of a resource that it forgets, and that goes on by itself.
fn left_behind(situation: &Situation<'_>, live: &LiveGroup) -> String {
    let ours: Vec<&Control> = live
        .controls
        .iter()
        .filter(|control| is_ours(control, &situation.options.workspace))
        .collect();
    let count = |kind: ControlKind| ours.iter().filter(|control| control.kind == kind).count();
    let mut what = Vec::new();
    if is_tagged_ours(situation, live) {
        what.push("its owner's tag".to_owned());
    }
    for (n, one, many) in [
        (count(ControlKind::Dynamic), "policy", "policies"),
        (
            count(ControlKind::Schedule),
            "scheduled action",
            "scheduled actions",
        ),
    ] {
        match n {
            0 => {}
            1 => what.push(format!("1 {one} of tideform's")),
            n => what.push(format!("{n} {many} of tideform's")),
        }
    }
    if what.is_empty() {
        String::new()
    } else {
        format!(": {} stay there", what.join(", "))
    }
}

/// What the loop has moved for people of a group that nobody would bring back.
fn report_override(
    situation: &Situation<'_>,
    applied: &Applied,
    live: Option<&LiveGroup>,
    diagnostics: &mut Diagnostics,
) {
    let is_left = live.is_some_and(|live| strangers(situation, applied, live).is_none());
    if !is_left || applied.moved == Moved::default() {
        return;
    }
    let address = situation.address;
    let aside: Vec<String> = (applied.moved.set_aside.iter())
        .map(|control| format!("`{}`", control.name))
        .collect();
    let aside = match aside.as_slice() {
        [] => String::new(),
        names => format!(" It has set {} aside.", names.join(", ")),
    };
    diagnostics.push(
        Diagnostic::error(
            codes::OVERRIDE_IN_FORCE,
            "A pin, surge or pause would stay for ever",
        )
        .why(format!(
            "{address} is let go by a `removed` block, and what a pin, surge or pause has moved of {} `{}` is not brought \
             back yet.{aside}",
            applied.group.resource.kind, applied.group.resource.name
        ))
        .help(format!(
            "end it (`tideform unpin`, `surge stop`, `resume`), and let `tideform reconcile --once` bring all of {} back.",
            address.short()
        )),
    );
}

/// Why a resource that was last applied here is not ours any more; `None`: it is.
///
/// A resource that tideform created, and that carries no tag, may be another one of the same name: it is not deleted.
pub(super) fn strangers(
    situation: &Situation<'_>,
    applied: &Applied,
    live: &LiveGroup,
) -> Option<String> {
    match &live.owner {
        _ if is_tagged_ours(situation, live) => None,
        Some(owner) => Some(format!(
            "is owned by state {} of workspace {} now",
            owner.state, owner.workspace
        )),
        None => applied.created.then(|| {
            "carries no owner tag any more, and may not be what tideform created".to_owned()
        }),
    }
}

/// Deleting a resource that tideform created.
pub(super) fn destroy(group: &Group, live: Option<&LiveGroup>) -> (Vec<Step>, PlannedChange) {
    let step = Step::Delete {
        provider: group.provider.clone(),
        resource: group.resource.clone(),
    };
    let instances = live.map_or(0, |live| live.instances.len());
    let change = PlannedChange {
        reason: Some(format!(
            "tideform created it; its {instances} instances end with it"
        )),
        ..cloud(
            "resource",
            ChangeAction::Remove,
            Json::from(format!("{} {}", group.resource.kind, group.resource.name)),
            Json::Null,
        )
    };
    (vec![step], change)
}

/// Taking away what tideform owns of a resource, which itself stays as it is.
pub(super) fn release(
    situation: &Situation<'_>,
    group: &Group,
    live: Option<&LiveGroup>,
) -> (Vec<Step>, Vec<PlannedChange>) {
    let mut changes = Vec::new();
    let mut attributes = Vec::new();
    let Some(live) = live else {
        return (Vec::new(), changes);
    };
    let (more, said) = release_controls(situation, group, live);
    attributes.extend(more);
    changes.extend(said);
    if let Some(drain) = live.attributes.drain
        && group.policy.scale_in.drain.is_some()
    {
        attributes.push(AttributeChange::Drain(None));
        changes.push(cloud(
            "scale_in.drain",
            ChangeAction::Remove,
            Json::from(format_duration(drain)),
            Json::Null,
        ));
    }
    if let Some(owner) = &live.owner
        && is_tagged_ours(situation, live)
    {
        attributes.push(AttributeChange::Owner(None));
        changes.push(PlannedChange {
            reason: Some("resource and capacity stay as they are".to_owned()),
            ..cloud("owner", ChangeAction::Remove, owner_text(owner), Json::Null)
        });
    }
    if changes.is_empty() {
        changes.push(PlannedChange {
            target: Target::Policy,
            reason: Some("nothing of it in the cloud is ours".to_owned()),
            ..cloud(
                "state",
                ChangeAction::Remove,
                Json::from("managed"),
                Json::Null,
            )
        });
    }
    let steps = if attributes.is_empty() {
        Vec::new()
    } else {
        vec![Step::Update {
            provider: group.provider.clone(),
            change: GroupChange {
                resource: group.resource.clone(),
                changes: attributes,
            },
        }]
    };
    (steps, changes)
}

/// The old resource of a group that now scales another one.
pub(super) fn leave_old_resource(
    situation: &Situation<'_>,
    applied: &Applied,
    group: &Group,
) -> (Vec<Step>, Vec<PlannedChange>) {
    let was = &applied.group;
    let text =
        |group: &Group| Json::from(format!("{} {}", group.resource.kind, group.resource.name));
    let old = match situation.applied_live {
        Some(Ok(live)) => live.as_ref(),
        _ => None,
    };
    let let_alone = old.and_then(|live| strangers(situation, applied, live));
    let (steps, reason) = match old {
        _ if situation.heir.is_some() => {
            (Vec::new(), "another group scales the old one".to_owned())
        }
        None => (Vec::new(), "the old one is gone".to_owned()),
        Some(_) if let_alone.is_some() => {
            let whose = let_alone.unwrap_or_default();
            (
                Vec::new(),
                format!("the old one {whose}: it is not touched"),
            )
        }
        Some(live) if applied.created => (
            destroy(was, Some(live)).0,
            format!(
                "tideform created the old one: it is destroyed with its {} instances",
                live.instances.len()
            ),
        ),
        Some(live) => (
            release(situation, was, Some(live)).0,
            "the old one loses its owner tag and stays as it is".to_owned(),
        ),
    };
    let change = PlannedChange {
        reason: Some(reason),
        ..cloud("resource", ChangeAction::Replace, text(was), text(group))
    };
    (steps, vec![change])
}
