//! The plan of one group: what the files say against what was last applied and what is live. Pure.
//!
//! ```text
//!            in the files                         not in the files
//!   live     Adopt, Update, Move, NoOp, Replace   Release, Destroy, Forget
//!   gone     Create, or an error of its own       Forget
//!   unread   a failure, and nothing planned       a failure, and nothing planned
//! ```
//!
//! What the cloud shows to be wrong with a group (it is gone, another state owns it, another policy moves it) leaves
//! out that group alone. What the files say wrong is a problem of the whole plan.

mod control_drift;
mod controls;
mod create;
mod drift;
mod leaving;
mod limits;
mod policy;
mod problems;
mod record;
mod update;

use std::collections::BTreeMap;
use std::sync::Arc;

use jiff::Timestamp;
use serde_json::{Value as Json, json};
use tideform_policies::codes;
use tideform_policies::diagnostic::{Diagnostic, Diagnostics, Severity};
use tideform_policies::model::units::format_duration;
use tideform_policies::model::{Adopt, Controller, Group, GroupAddress, ProviderAddress};
use tideform_provider::{
    AttributeChange, Capabilities, Control, ControlKind, ControlSpec, GroupChange, GroupSpec,
    ItemResult, LiveGroup, Owner, Unsupported,
};

use super::PlanOptions;
use super::calendar;
use super::cost::{ProviderPrices, cost_change};
use super::fingerprint::fingerprint;
use super::flatten::{HIDDEN, flatten};
use super::known::Applied;
use super::places::Places;
use super::settings;
use super::types::{
    Action, ChangeAction, Drift, DriftOutcome, GroupPlan, Mode, OldResource, PlannedChange, Record,
    Step, Target, Unmanaged,
};
use super::wanted::{self, Comparison};

use control_drift::{control_drift, controls_to_record};
use controls::{
    adopted_now, control_changes, is_adopted, is_ours, new_controls, release_controls,
    taken_by_loop, unmanaged,
};
use create::create;
use drift::{drift, is_tagged_ours, was_just_created};
use leaving::{leave_old_resource, plan_leaving};
use limits::{at_this_moment, handed_over, held_back, is_kept_by_loop, limits_now, renewal_note};
use policy::policy_changes;
use problems::{
    report_deregistration, report_foreign_controls, report_owner, report_switched_off,
    report_unsupported,
};
use update::{owner, owner_text, update};

/// Everything about one group that its plan depends on.
pub(super) struct Situation<'a> {
    pub(super) address: &'a GroupAddress,
    /// `None`: not in the files, or all is to be destroyed.
    pub(super) configured: Option<&'a Group>,
    pub(super) applied: Option<&'a Applied>,
    /// The group of the files that now scales the resource that was last applied here.
    pub(super) heir: Option<&'a GroupAddress>,
    /// Whether the heir is in this plan: `--group` may leave it out.
    pub(super) heir_is_planned: bool,
    /// A group that leaves had created the resource that is now this one's.
    pub(super) inherits_created: bool,
    /// What an apply that died was about to record of it.
    pub(super) unfinished: Option<&'a Record>,
    pub(super) moved_from: Option<GroupAddress>,
    /// A `removed` block names it.
    pub(super) is_forgotten: bool,
    /// Of our state; `None`: there is no state yet.
    pub(super) lineage: Option<&'a str>,
    /// Adopted scheduled actions of the configured resource that the loop has set aside for a while.
    pub(super) set_aside: Vec<&'a Control>,
    /// Of the configured resource.
    pub(super) live: Option<&'a ItemResult<Option<LiveGroup>>>,
    /// Of the resource that was last applied; the same one unless the files name another.
    pub(super) applied_live: Option<&'a ItemResult<Option<LiveGroup>>>,
    pub(super) capabilities: Option<&'a Capabilities>,
    pub(super) unsupported: &'a [Unsupported],
    /// The cloud's own controls that the group is to have.
    pub(super) controls: &'a [ControlSpec],
    /// The same, without what people have asked for beside the files.
    pub(super) lasting_controls: &'a [ControlSpec],
    pub(super) prices: &'a BTreeMap<ProviderAddress, ProviderPrices>,
    pub(super) options: &'a PlanOptions,
    pub(super) now: Timestamp,
}

/// The plan of a group; `None` where there is nothing to plan about (it is neither in the files nor in the state).
pub(super) fn plan(
    situation: &Situation<'_>,
    places: &Places<'_>,
    diagnostics: &mut Diagnostics,
    group_errors: &mut Diagnostics,
) -> Option<GroupPlan> {
    let mut own = Diagnostics::default();
    let mut plan = match (situation.configured, situation.applied) {
        (Some(group), _) => plan_configured(situation, group, places, diagnostics, &mut own),
        (None, Some(applied)) => plan_leaving(situation, applied, &mut own),
        (None, None) => return None,
    };
    let (errors, warnings): (Vec<_>, Vec<_>) = own
        .iter()
        .cloned()
        .partition(|problem| problem.severity == Severity::Error);
    diagnostics.extend(warnings);
    if let Some(first) = errors.first() {
        let said = errors.iter().map(|error| match &error.why {
            Some(why) => why.clone(),
            None => error.summary.clone(),
        });
        let why = said.collect::<Vec<_>>().join(" ");
        plan.leave_out(why, Some(first.code.0));
    }
    for error in errors {
        group_errors.push_of_group(error);
    }
    Some(plan)
}

fn empty(situation: &Situation<'_>, group: &Group) -> GroupPlan {
    GroupPlan {
        address: situation.address.clone(),
        moved_from: situation.moved_from.clone(),
        heir: None,
        provider: group.provider.clone(),
        resource: group.resource.clone(),
        action: Action::NoOp,
        note: None,
        changes: Vec::new(),
        drift: Vec::new(),
        unmanaged: Vec::new(),
        decision: None,
        calendar: Vec::new(),
        cost: None,
        backtest: None,
        fingerprint: None,
        before: None,
        live: None,
        old: None,
        steps: Vec::new(),
        record: Record::Keep,
        failure: None,
        failure_code: None,
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

fn plan_configured(
    situation: &Situation<'_>,
    group: &Group,
    places: &Places<'_>,
    diagnostics: &mut Diagnostics,
    own: &mut Diagnostics,
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
    plan.note = renewal_note(situation, group);
    if is_refresh {
        return plan;
    }
    if let Some(live) = live {
        report_owner(situation, group, live, places, own);
        report_foreign_controls(situation, group, live, places, own);
        report_deregistration(situation, group, live, places, diagnostics);
        report_switched_off(situation, group, live, places, diagnostics);
    }
    // What an error stands in the way of is not planned: the error says what to mend first.
    if diagnostics
        .iter()
        .skip(errors_before)
        .any(|problem| problem.severity == Severity::Error)
        || own.has_errors()
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
        None => match create(situation, group, places, own) {
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
    if plan.action == Action::Adopt && record::changes_nothing(situation, group, live, &steps) {
        plan.action = Action::Record;
        record::keep_what_is_taken(&mut changes);
    }
    if plan.action != Action::NoOp {
        plan.live = live.map(|live| live.attributes.clone());
        plan.before = was.cloned().map(Arc::new);
        plan.record = Record::Write {
            group: Arc::new(group.clone()),
            created,
            controls: controls_to_record(situation, group),
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
