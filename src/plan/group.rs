//! The plan of one group: what the files say against what was last applied and what is live. Pure.
//!
//! ```text
//!            in the files                         not in the files
//!   live     Adopt, Update, Move, NoOp, Replace   Release, Destroy, Forget
//!   gone     Create, or an error                  Forget
//!   unread   a failure, and nothing planned       a failure, and nothing planned
//! ```

use std::collections::BTreeMap;
use std::sync::Arc;

use jiff::Timestamp;
use serde_json::{Value as Json, json};
use tideform_policies::codes;
use tideform_policies::diagnostic::{Diagnostic, Diagnostics};
use tideform_policies::model::{Adopt, Controller, Group, GroupAddress, ProviderAddress};
use tideform_provider::{
    AttributeChange, Capabilities, Control, ControlKind, GroupChange, GroupSpec, ItemResult,
    LiveGroup, Owner, Unsupported,
};

use super::PlanOptions;
use super::calendar;
use super::cost::{ProviderPrices, cost_change};
use super::fingerprint::fingerprint;
use super::flatten::{HIDDEN, flatten};
use super::known::Applied;
use super::places::Places;
use super::types::{
    Action, ChangeAction, Drift, DriftOutcome, GroupPlan, Mode, OldResource, PlannedChange, Record,
    Step, Target, Unmanaged,
};
use super::wanted::{self, Comparison};

/// Everything about one group that its plan depends on.
pub(super) struct Situation<'a> {
    pub(super) address: &'a GroupAddress,
    /// `None`: not in the files, or all is to be destroyed.
    pub(super) configured: Option<&'a Group>,
    pub(super) applied: Option<&'a Applied>,
    /// The group of the files that now scales the resource that was last applied here.
    pub(super) heir: Option<&'a GroupAddress>,
    /// A group that leaves had created the resource that is now this one's.
    pub(super) inherits_created: bool,
    /// What an apply that died was about to record of it.
    pub(super) unfinished: Option<&'a Record>,
    pub(super) moved_from: Option<GroupAddress>,
    /// A `removed` block names it.
    pub(super) is_forgotten: bool,
    /// Of our state; `None`: there is no state yet.
    pub(super) lineage: Option<&'a str>,
    /// Of the configured resource.
    pub(super) live: Option<&'a ItemResult<Option<LiveGroup>>>,
    /// Of the resource that was last applied; the same one unless the files name another.
    pub(super) applied_live: Option<&'a ItemResult<Option<LiveGroup>>>,
    pub(super) capabilities: Option<&'a Capabilities>,
    pub(super) unsupported: &'a [Unsupported],
    pub(super) prices: &'a BTreeMap<ProviderAddress, ProviderPrices>,
    pub(super) options: &'a PlanOptions,
    pub(super) now: Timestamp,
}

/// The plan of a group; `None` where there is nothing to plan about (it is neither in the files nor in the state).
pub(super) fn plan(
    situation: &Situation<'_>,
    places: &Places<'_>,
    diagnostics: &mut Diagnostics,
) -> Option<GroupPlan> {
    match (situation.configured, situation.applied) {
        (Some(group), _) => Some(plan_configured(situation, group, places, diagnostics)),
        (None, Some(applied)) => Some(plan_leaving(situation, applied)),
        (None, None) => None,
    }
}

fn empty(situation: &Situation<'_>, group: &Group) -> GroupPlan {
    GroupPlan {
        address: situation.address.clone(),
        moved_from: situation.moved_from.clone(),
        provider: group.provider.clone(),
        resource: group.resource.clone(),
        action: Action::NoOp,
        changes: Vec::new(),
        drift: Vec::new(),
        unmanaged: Vec::new(),
        decision: None,
        calendar: Vec::new(),
        cost: None,
        fingerprint: None,
        before: None,
        live: None,
        old: None,
        steps: Vec::new(),
        record: Record::Keep,
        failure: None,
    }
}

fn failed(mut plan: GroupPlan, error: &tideform_provider::ProviderError) -> GroupPlan {
    plan.failure = Some(error.to_string());
    plan
}

/// A cloud change that no line of the files says.
fn cloud(path: &str, action: ChangeAction, before: Json, after: Json) -> PlannedChange {
    PlannedChange {
        path: path.to_owned(),
        action,
        before,
        after,
        target: Target::Cloud,
        source: None,
        reason: None,
    }
}

// --- a group that is not in the files any more ---------------------------------------------------------------------

fn plan_leaving(situation: &Situation<'_>, applied: &Applied) -> GroupPlan {
    let group = &applied.group;
    let mut plan = empty(situation, group);
    let live = match situation.applied_live {
        Some(Err(error)) => return failed(plan, error),
        Some(Ok(live)) => live.as_ref(),
        None => None,
    };
    plan.fingerprint = live.map(|live| fingerprint(live, Some(group)));
    plan.unmanaged = unmanaged(live, &situation.options.workspace, &group.adopt);
    if situation.options.mode == Mode::RefreshOnly {
        return plan;
    }
    plan.record = Record::Forget;
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
                format!("a `removed` block says so; {resource} is not touched")
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

/// Whether a live resource carries the tag of our state.
fn is_tagged_ours(situation: &Situation<'_>, live: &LiveGroup) -> bool {
    live.owner
        .as_ref()
        .is_some_and(|owner| situation.lineage == Some(owner.state.as_str()))
}

/// Why a resource that was last applied here is not ours any more; `None`: it is.
///
/// A resource that tideform created, and that carries no tag, may be another one of the same name: it is not deleted.
fn strangers(situation: &Situation<'_>, applied: &Applied, live: &LiveGroup) -> Option<String> {
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
fn destroy(group: &Group, live: Option<&LiveGroup>) -> (Vec<Step>, PlannedChange) {
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
fn release(
    situation: &Situation<'_>,
    group: &Group,
    live: Option<&LiveGroup>,
) -> (Vec<Step>, Vec<PlannedChange>) {
    let mut changes = Vec::new();
    let mut attributes = Vec::new();
    let Some(live) = live else {
        return (Vec::new(), changes);
    };
    for control in &live.controls {
        if is_ours(control, &situation.options.workspace) {
            attributes.push(AttributeChange::RemoveControl(control.name.clone()));
            changes.push(cloud(
                &control.name,
                ChangeAction::Remove,
                Json::from(control.summary.as_str()),
                Json::Null,
            ));
        }
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

// --- a group in the files ------------------------------------------------------------------------------------------

fn plan_configured(
    situation: &Situation<'_>,
    group: &Group,
    places: &Places<'_>,
    diagnostics: &mut Diagnostics,
) -> GroupPlan {
    let mut plan = empty(situation, group);
    plan.calendar = calendar::week(group, &started_surges(situation, group), situation.now);
    let is_refresh = situation.options.mode == Mode::RefreshOnly;
    let errors_before = diagnostics.len();
    if !is_refresh {
        report_unsupported(situation, group, places, diagnostics);
    }
    let live = match situation.live {
        Some(Err(error)) => return failed(plan, error),
        Some(Ok(live)) => live.as_ref(),
        None => None,
    };
    let applied = situation.applied;
    let was = applied.map(|applied| &applied.group);
    let is_replaced =
        was.is_some_and(|was| was.provider != group.provider || was.resource != group.resource);
    if is_replaced
        && !is_refresh
        && let Some(Err(error)) = situation.applied_live
    {
        return failed(plan, error);
    }
    plan.fingerprint = live.map(|live| fingerprint(live, was));
    plan.unmanaged = unmanaged(live, &situation.options.workspace, &group.adopt);
    plan.drift = drift(situation, group);
    if is_refresh {
        return plan;
    }
    if let Some(live) = live {
        report_owner(situation, group, live, places, diagnostics);
        report_foreign_controls(situation, group, live, places, diagnostics);
    }
    // What an error stands in the way of is not planned: the error says what to mend first.
    if diagnostics
        .iter()
        .skip(errors_before)
        .any(|d| d.severity == tideform_policies::diagnostic::Severity::Error)
    {
        return plan;
    }

    let mut steps = Vec::new();
    let mut changes = Vec::new();
    // Without our tag it may be another resource of the same name: managed from now on, and never deleted.
    let is_ours = live.is_some_and(|live| is_tagged_ours(situation, live));
    let was_created = applied.is_some_and(|applied| applied.created) && !is_replaced;
    let mut created = is_ours
        && (was_created || situation.inherits_created || was_just_created(situation, group));
    if is_replaced && let Some(applied) = applied {
        let (more, change) = leave_old_resource(situation, applied, group);
        steps.extend(more);
        changes.extend(change);
        let old = situation
            .applied_live
            .and_then(|live| live.as_ref().ok()?.as_ref());
        plan.old = Some(OldResource {
            provider: applied.group.provider.clone(),
            resource: applied.group.resource.clone(),
            fingerprint: old.map(|live| fingerprint(live, was)),
        });
    }
    let is_created = match live {
        Some(live) => {
            let (step, more) = update(situation, group, live, is_replaced, places);
            steps.extend(step);
            changes.extend(more);
            false
        }
        None => match create(situation, group, places, diagnostics) {
            Some((step, more)) => {
                steps.push(step);
                changes.extend(more);
                created = true;
                true
            }
            None => return plan,
        },
    };
    changes.extend(policy_changes(situation, group, &changes, places));
    plan.action = match (was, live) {
        (Some(_), _) if is_replaced => Action::Replace,
        (_, None) if is_created => Action::Create,
        (None, _) => Action::Adopt,
        (Some(_), _) if !changes.is_empty() || !steps.is_empty() => Action::Update,
        (Some(_), _) if situation.moved_from.is_some() => Action::Move,
        (Some(_), _) => Action::NoOp,
    };
    if plan.action != Action::NoOp {
        plan.live = live.map(|live| live.attributes.clone());
        plan.before = was.cloned().map(Arc::new);
        plan.record = Record::Write {
            group: Arc::new(group.clone()),
            created,
        };
    }
    let created_at = steps
        .iter()
        .find_map(|step| match step {
            Step::Create { spec, .. } => Some(spec.desired),
            Step::Update { .. } | Step::Delete { .. } => None,
        })
        .unwrap_or_default();
    plan.cost = cost_change(
        plan.action,
        was.filter(|_| !is_replaced),
        group,
        live,
        created_at,
        situation.prices,
        situation.now,
    );
    plan.steps = steps;
    plan.changes = changes;
    plan
}

fn started_surges<'a>(
    situation: &'a Situation<'_>,
    group: &'a Group,
) -> Vec<(&'a tideform_policies::model::Surge, Timestamp)> {
    situation
        .applied
        .iter()
        .flat_map(|applied| &applied.surges)
        .filter_map(|(name, at)| {
            let surge = group
                .policy
                .surges
                .iter()
                .find(|surge| surge.name == *name)?;
            Some((surge, *at))
        })
        .collect()
}

/// An apply that died after it had created the resource did not come to write so.
fn was_just_created(situation: &Situation<'_>, group: &Group) -> bool {
    matches!(
        situation.unfinished,
        Some(Record::Write { group: unfinished, created: true })
            if unfinished.resource == group.resource && unfinished.provider == group.provider
    )
}

/// What differs between live and last applied, where that is managed.
fn drift(situation: &Situation<'_>, group: &Group) -> Vec<Drift> {
    let Some(applied) = situation.applied else {
        return Vec::new();
    };
    let was = &applied.group;
    let Some(Ok(live)) = situation.applied_live else {
        return Vec::new();
    };
    let launch = was.launch.as_ref().map(|launch| &launch.attributes);
    let Some(live) = live else {
        return vec![Drift {
            path: "resource".to_owned(),
            applied: Json::from(format!("{} {}", was.resource.kind, was.resource.name)),
            live: Json::Null,
            outcome: if group.launch.is_some() {
                DriftOutcome::Undone
            } else {
                DriftOutcome::Kept
            },
        }];
    };
    let found = wanted::compare(was, &live.attributes, applied.fallback_is_active, launch);
    let now = wanted::compare(group, &live.attributes, applied.fallback_is_active, launch);
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
            outcome: if now.differences.iter().any(|d| d.path == difference.path) {
                DriftOutcome::Undone
            } else {
                DriftOutcome::Kept
            },
            path: difference.path,
            applied: difference.wanted,
            live: difference.live,
        })
        .collect();
    // A tag of another state is an error of its own.
    if live.owner.is_none() {
        drift.push(Drift {
            path: "owner".to_owned(),
            applied: Json::from(format!("workspace {}", situation.options.workspace)),
            live: Json::Null,
            outcome: DriftOutcome::Undone,
        });
    }
    drift
}

/// The old resource of a group that now scales another one.
fn leave_old_resource(
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

/// Bringing a live group to what the files say.
fn update(
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
    let Comparison {
        differences,
        changes: mut attributes,
    } = wanted::compare(group, &live.attributes, fallback, launch);
    let was = applied.map(|applied| {
        wanted::compare(&applied.group, &live.attributes, fallback, launch).differences
    });
    let mut changes: Vec<PlannedChange> = differences
        .into_iter()
        .map(|difference| {
            // Live is not what was last applied, and that is why there is something to change.
            let has_drifted = was.iter().flatten().any(|d| d.path == difference.path);
            PlannedChange {
                source: places.of(situation.address, &difference.path),
                reason: has_drifted.then(|| "changed outside tideform".to_owned()),
                ..cloud(
                    &difference.path,
                    if difference.live.is_null() {
                        ChangeAction::Add
                    } else {
                        ChangeAction::Change
                    },
                    difference.live,
                    difference.wanted,
                )
            }
        })
        .collect();
    if let Some(limits) = group.policy.limits {
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
    if let Some(change) = owner_change(situation, live) {
        attributes.push(AttributeChange::Owner(Some(owner(situation))));
        changes.push(change);
    }
    for control in adopted_now(situation, group, live) {
        changes.push(PlannedChange {
            source: places.of(situation.address, "adopt"),
            reason: Some(match group.controller {
                Controller::Tideform => {
                    "the loop takes it away at its first run that holds the group".to_owned()
                }
                Controller::Native => "kept under its own name".to_owned(),
            }),
            ..cloud(
                &control.name,
                ChangeAction::Adopt,
                Json::from(control.summary.as_str()),
                Json::from("adopted"),
            )
        });
    }
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
fn owner(situation: &Situation<'_>) -> Owner {
    Owner {
        workspace: situation.options.workspace.clone(),
        state: situation.lineage.unwrap_or_default().to_owned(),
        group: situation.address.to_string(),
    }
}

fn owner_text(owner: &Owner) -> Json {
    Json::from(format!("workspace {}, {}", owner.workspace, owner.group))
}

fn owner_change(situation: &Situation<'_>, live: &LiveGroup) -> Option<PlannedChange> {
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

/// Creating the resource; `None` where that is not possible, which has been reported.
fn create(
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
            .help("correct the name, create the resource first, or add a `launch` block.");
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
    let floor = floor_at(group, &started_surges(situation, group), situation.now);
    let desired = wanted::between(floor, limits);
    let spec = GroupSpec {
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
    for (name, value) in &launch.attributes {
        new(&format!("launch.{name}"), value.clone());
    }
    Some((
        Step::Create {
            provider: group.provider.clone(),
            spec,
        },
        changes,
    ))
}

/// The floor of this moment: the largest of the limits' min and the minimums of open schedules and surges.
fn floor_at(
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

/// What the loop will run differently, where it is not a cloud change already.
fn policy_changes(
    situation: &Situation<'_>,
    group: &Group,
    listed: &[PlannedChange],
    places: &Places<'_>,
) -> Vec<PlannedChange> {
    let before = match situation.applied {
        // Equal groups have equal lists: ten thousand of them need not be made.
        Some(applied) if applied.group == *group => return Vec::new(),
        Some(applied) => flatten(&applied.group),
        None => Default::default(),
    };
    let is_new = situation.applied.is_none();
    let after = flatten(group);
    let mut changes = Vec::new();
    let paths: std::collections::BTreeSet<&String> = before.keys().chain(after.keys()).collect();
    for path in paths {
        let (old, new) = (before.get(path), after.get(path));
        if old == new || listed.iter().any(|change| change.path == *path) {
            continue;
        }
        // A replaced resource has a line of its own.
        if path.starts_with("resource.") {
            continue;
        }
        // What a new group says by being there.
        let is_plain = path == "provider"
            || path == "launch"
            || (path.ends_with(".enabled") && new == Some(&Json::Bool(true)));
        if is_new && is_plain {
            continue;
        }
        // Of a new group only what the files say is shown; the defaults would hide it.
        if is_new
            && places
                .origin(situation.address, path)
                .is_some_and(|origin| &*origin.layer == "default")
        {
            continue;
        }
        let (shown, reason) = match path.strip_suffix(HIDDEN) {
            None => (path.as_str(), None),
            // Only worth a line where the text says nothing of it.
            Some(text) if before.get(text) != after.get(text) => continue,
            Some(text) => (text, Some("a value inside the formula".to_owned())),
        };
        let shown_value =
            |flat: &super::flatten::Flat| flat.get(shown).cloned().unwrap_or(Json::Null);
        changes.push(PlannedChange {
            path: shown.to_owned(),
            action: match (old, new) {
                (None, _) => ChangeAction::Add,
                (_, None) => ChangeAction::Remove,
                _ => ChangeAction::Change,
            },
            before: shown_value(&before),
            after: shown_value(&after),
            target: Target::Policy,
            source: new.and_then(|_| places.of(situation.address, shown)),
            reason,
        });
    }
    if changes.is_empty() && listed.is_empty() && !is_new {
        // Groups that differ in nothing that people write differ in something that we fail to show.
        changes.push(PlannedChange {
            target: Target::Policy,
            reason: Some(
                "the order of metrics or blocks, or a value that has no line of its own".to_owned(),
            ),
            ..cloud("policy", ChangeAction::Change, Json::Null, Json::Null)
        });
    }
    changes
}

// --- controls of the cloud's own -----------------------------------------------------------------------------------

fn is_ours(control: &Control, workspace: &str) -> bool {
    control
        .name
        .strip_prefix("tideform/")
        .and_then(|rest| rest.strip_prefix(workspace))
        .is_some_and(|rest| rest.starts_with('/'))
}

fn is_adopted(control: &Control, adopt: &Adopt) -> bool {
    match adopt {
        Adopt::None => false,
        Adopt::All => true,
        Adopt::Named(names) => names.contains(&control.name),
    }
}

fn unmanaged(live: Option<&LiveGroup>, workspace: &str, adopt: &Adopt) -> Vec<Unmanaged> {
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
fn adopted_now<'a>(
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

// --- problems ------------------------------------------------------------------------------------------------------

fn report_unsupported(
    situation: &Situation<'_>,
    group: &Group,
    places: &Places<'_>,
    diagnostics: &mut Diagnostics,
) {
    let at = |mut diagnostic: Diagnostic, path: &str, text: String| {
        if let Some(span) = places.span(situation.address, path) {
            diagnostic = diagnostic.at(span, text);
        }
        diagnostic
    };
    if let Some(can) = situation.capabilities
        && !can
            .resource_kinds
            .iter()
            .any(|kind| **kind == *group.resource.kind)
    {
        let why = if can.resource_kinds.is_empty() {
            format!("{} is a source of metrics only.", group.provider)
        } else {
            format!(
                "{} scales: {}.",
                group.provider,
                can.resource_kinds.join(", ")
            )
        };
        let diagnostic = Diagnostic::error(
            codes::RESOURCE_KIND_UNKNOWN,
            "Provider has no such kind of resource",
        )
        .why(why);
        diagnostics.push(at(diagnostic, "resource", "not there".to_owned()));
        return;
    }
    for problem in situation.unsupported {
        let diagnostic = Diagnostic::error(codes::NOT_EXPRESSIBLE, "Provider cannot do this")
            .why(format!(
                "{}, {}: {}.",
                situation.address, problem.path, problem.what
            ))
            .help(problem.help.clone());
        diagnostics.push(at(diagnostic, &problem.path, problem.what.clone()));
    }
}

fn report_owner(
    situation: &Situation<'_>,
    group: &Group,
    live: &LiveGroup,
    places: &Places<'_>,
    diagnostics: &mut Diagnostics,
) {
    let Some(owner) = &live.owner else { return };
    if situation.lineage == Some(owner.state.as_str()) || situation.options.take_over {
        return;
    }
    let mut diagnostic = Diagnostic::error(codes::OWNED_ELSEWHERE, "Another state owns the resource")
        .why(format!(
            "{} `{}` carries the tag of workspace `{}`, {}, state {}. Two states that manage one resource undo each other's work.",
            group.resource.kind, group.resource.name, owner.workspace, owner.group, owner.state
        ))
        .help(if owner.workspace == situation.options.workspace {
            "if this workspace's state was lost, restore it; else take the resource over with --take-over."
        } else {
            "take the group out of the other configuration and apply it there, or use --take-over."
        });
    if let Some(span) = places.span(situation.address, "resource.name") {
        diagnostic = diagnostic.at(span, "owned elsewhere");
    }
    diagnostics.push(diagnostic);
}

fn report_foreign_controls(
    situation: &Situation<'_>,
    group: &Group,
    live: &LiveGroup,
    places: &Places<'_>,
    diagnostics: &mut Diagnostics,
) {
    let workspace = &situation.options.workspace;
    if group.controller == Controller::Tideform && !group.coexist {
        let foreign: Vec<String> = live
            .controls
            .iter()
            .filter(|control| {
                control.enabled
                    && control.kind == ControlKind::Dynamic
                    && !is_ours(control, workspace)
                    && !is_adopted(control, &group.adopt)
            })
            .map(|control| format!("`{}` ({})", control.name, control.summary))
            .collect();
        if !foreign.is_empty() {
            let mut diagnostic = Diagnostic::error(
                codes::FOREIGN_CONTROL,
                "Another policy moves the capacity",
            )
            .why(format!(
                "{} `{}` has {} enabled. It would work against tideform's loop.",
                group.resource.kind,
                group.resource.name,
                foreign.join(", ")
            ))
            .help(
                "take it over with `adopt`, disable it where it was made, or say `coexist = true`.",
            );
            if let Some(span) = places.span(situation.address, "resource.name") {
                diagnostic = diagnostic.at(span, "moved by another policy");
            }
            diagnostics.push(diagnostic);
        }
    }
    let Adopt::Named(names) = &group.adopt else {
        return;
    };
    let before = situation.applied.map(|applied| &applied.group.adopt);
    for name in names {
        let is_there = live.controls.iter().any(|control| control.name == *name);
        // Once adopted it may have been taken away by the loop.
        let was_adopted = matches!(before, Some(Adopt::Named(names)) if names.contains(name));
        if is_there || was_adopted {
            continue;
        }
        let mut diagnostic =
            Diagnostic::warning(codes::NOTHING_TO_ADOPT, "No such policy to adopt").why(format!(
                "{} `{}` has no policy named `{name}`.",
                group.resource.kind, group.resource.name
            ));
        if let Some(span) = places.span(situation.address, "adopt") {
            diagnostic = diagnostic.at(span, "not found");
        }
        diagnostics.push(diagnostic);
    }
}
