//! Carrying out a plan: exactly its changes, each recorded before and after, re-deciding nothing.
//!
//! ```text
//! settle what an apply that died left open -> is the plan stale? -> begin (the serial rises)
//!   -> for a few groups at a time: intents, calls side by side, outcomes and what is applied -> finish
//! ```
//!
//! The serial rises when it begins, so that an apply that dies on its way makes every plan saved before it stale. A
//! group's outcome and what is applied of it are one transaction: after a crash either both are there, or the
//! intent is open and the next run settles it. It never moves desired, except into changed limits and for a group
//! that it creates.

mod lease;
mod leftover;
mod stale;
mod step;

use std::collections::{BTreeMap, BTreeSet};
use std::sync::atomic::{AtomicBool, Ordering};

use futures::future::join_all;
use jiff::Timestamp;
use serde::Serialize;
use serde_json::{Value as Json, json};
use thiserror::Error;
use tideform_policies::model::{GroupAddress, ProviderAddress, ProviderConfiguration};
use tideform_provider::ProviderError;
use tideform_state::{
    AppliedGroup, ApplyId, ApplyOutcome, EventKind, IntentId, IntentKind, NewApply, NewEvent,
    NewIntent, Outcome, Ownership, ProviderIdentity, Settlement, State, StateError, Transaction,
};

use crate::plan::{Action, GroupPlan, Intention, Plan, Record, ResourceKey, fingerprint};
use crate::registry::Providers;

pub use lease::HeldLease;
pub use leftover::{Leftover, settle_leftovers};
pub use stale::Stale;

/// Groups whose calls are under way at once.
const GROUPS_AT_ONCE: usize = 16;

/// Groups without calls that are written in one transaction.
const RECORDS_AT_ONCE: usize = 500;

/// Why nothing was applied, or why an apply stopped.
#[derive(Debug, Error)]
pub enum ApplyError {
    /// State or cloud has moved since the plan was made. Nothing was changed.
    #[error(transparent)]
    Stale(#[from] Box<Stale>),
    /// The plan has errors. Nothing was changed.
    #[error("the plan has errors")]
    HasErrors,
    /// The cloud carries this workspace's tags, and the state is empty: it was lost. Nothing was changed.
    #[error(
        "the state is empty, but {kind} `{name}` and {more} more carry the tag of workspace `{workspace}`"
    )]
    StateLost {
        /// Of the first resource.
        kind: String,
        /// Of the first resource.
        name: String,
        /// How many others.
        more: usize,
        /// Ours.
        workspace: String,
    },
    /// The plan names a provider that was not opened. Nothing was changed.
    #[error("{0} is not configured")]
    UnknownProvider(ProviderAddress),
    /// A provider does not answer at the beginning. Nothing was changed.
    #[error("{address} does not answer")]
    Provider {
        /// Which.
        address: ProviderAddress,
        /// What it said.
        source: ProviderError,
    },
    /// The state cannot be read or written at the beginning. Nothing was changed.
    #[error("the state cannot be used")]
    State(#[from] StateError),
    /// The state, or its lease, was lost on the way. What was done until then is in the report; calls without a
    /// recorded outcome are settled by the next run.
    #[error("the apply was stopped on its way")]
    Stopped {
        /// What was done until then.
        report: Box<ApplyReport>,
        /// Why.
        source: StateError,
    },
}

/// What happens while a plan is carried out, for a progress bar.
#[derive(Clone, Debug, PartialEq)]
pub enum Progress<'a> {
    /// So many groups have something to do.
    Started {
        /// Groups.
        groups: usize,
    },
    /// The calls of a group begin.
    Begun {
        /// Which.
        address: &'a GroupAddress,
        /// What happens to it.
        action: Action,
    },
    /// A group is done, and written to the state.
    Done {
        /// Which.
        address: &'a GroupAddress,
        /// What happened to it.
        action: Action,
    },
    /// A group failed.
    Failed {
        /// Which.
        address: &'a GroupAddress,
        /// Why.
        message: &'a str,
    },
}

/// A group that was done.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct AppliedChange {
    /// Which.
    pub address: GroupAddress,
    /// What happened to it.
    pub action: Action,
    /// Of so many values.
    pub changes: usize,
}

/// A group that was not done.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct FailedChange {
    /// Which.
    pub address: GroupAddress,
    /// Why, and whether anything may have been changed.
    pub message: String,
}

/// What an apply did.
#[derive(Clone, Debug, Default, PartialEq, Serialize)]
pub struct ApplyReport {
    /// Done, in the order in which they were.
    pub done: Vec<AppliedChange>,
    /// Not done.
    pub failed: Vec<FailedChange>,
    /// Not begun, because the apply was stopped.
    pub left: Vec<GroupAddress>,
    /// Changes of an earlier apply that died, now settled.
    pub settled: Vec<Leftover>,
}

impl ApplyReport {
    /// Whether everything that the plan says is so now.
    pub fn is_complete(&self) -> bool {
        self.failed.is_empty() && self.left.is_empty()
    }

    /// `Apply complete: 2 added, 1 changed, 0 removed.`, or what is missing.
    pub fn summary_line(&self) -> String {
        let count = |actions: &[Action]| {
            self.done
                .iter()
                .filter(|done| actions.contains(&done.action))
                .count()
        };
        let added = count(&[Action::Create, Action::Adopt]);
        let changed = count(&[Action::Update, Action::Replace, Action::Move]);
        let removed = count(&[Action::Release, Action::Forget, Action::Destroy]);
        let what = format!("{added} added, {changed} changed, {removed} removed");
        if self.is_complete() {
            format!("Apply complete: {what}.")
        } else {
            format!(
                "Apply incomplete: {what}; {} failed, {} not begun.",
                self.failed.len(),
                self.left.len()
            )
        }
    }
}

/// How a plan is carried out.
#[derive(Clone, Copy, Debug)]
pub struct ApplyOptions<'a> {
    /// Who: `alice@laptop`.
    pub actor: &'a str,
    /// Set by another thread: finish the calls that are under way, then stop.
    pub stop: Option<&'a AtomicBool>,
}

/// Carries out a plan. The caller holds the lease, and the plan was confirmed.
///
/// A plan without changes only settles what an earlier apply left open, and does not raise the serial.
///
/// # Errors
/// [`ApplyError`]; only [`ApplyError::Stopped`] after something was changed. A group that fails is not an error: it
/// is in the report, and the others go on.
pub async fn carry_out(
    plan: &Plan,
    state: &mut State,
    providers: &Providers,
    lease: &mut HeldLease,
    options: ApplyOptions<'_>,
    progress: &mut (dyn FnMut(Progress<'_>) + Send),
) -> Result<ApplyReport, ApplyError> {
    if plan.diagnostics.has_errors() {
        return Err(ApplyError::HasErrors);
    }
    if let Some((resource, owner)) = plan.lost.first() {
        return Err(ApplyError::StateLost {
            kind: resource.kind.to_string(),
            name: resource.name.to_string(),
            more: plan.lost.len() - 1,
            workspace: owner.workspace.clone(),
        });
    }
    // Before settling: that writes to the state, and a stale plan is to change nothing at all.
    stale::check_state(plan, state)?;
    // Nothing is planned for a group that could not be read; the others go on without it.
    let unread: Vec<FailedChange> = plan
        .failures()
        .map(|(address, why)| FailedChange {
            address: address.clone(),
            message: format!("it could not be read, nothing was changed: {why}"),
        })
        .collect();
    if !plan.has_changes() {
        let settled = settle_leftovers(state, providers, options.actor, true).await?;
        return Ok(ApplyReport {
            settled,
            failed: unread,
            ..ApplyReport::default()
        });
    }
    let identities = identities(plan, providers).await?;
    let seen = read_all(plan, providers).await?;
    stale::check_cloud(plan, &seen)?;

    let clock = providers.clock().clone();
    lease.keep(state)?;
    let settled = settle_leftovers(state, providers, options.actor, true).await?;
    let lineage = state.meta()?.lineage;
    let old_providers = state.applied_providers()?;
    let apply = state.write(|tx| {
        tx.check_identities(&identities, clock.now())?;
        let apply = tx.begin_apply(&NewApply {
            at: clock.now(),
            actor: options.actor.to_owned(),
            digest: plan.configuration_digest.clone(),
            details: json!({ "summary": plan.summary(), "mode": plan.mode }),
        })?;
        // Both: what is not applied yet still runs by the old ones.
        tx.record_applied_providers(apply, &union(&plan.providers, &old_providers))?;
        for group in plan.groups.iter().filter(|group| !group.drift.is_empty()) {
            tx.append_event(&drift_event(group, clock.now(), options.actor))?;
        }
        Ok(apply)
    })?;
    let mut run = Run {
        state,
        providers,
        lease,
        options,
        apply,
        lineage,
        report: ApplyReport {
            settled,
            failed: unread,
            ..ApplyReport::default()
        },
    };
    match run.all(plan, progress).await {
        Ok(()) => Ok(run.report),
        Err(source) => Err(ApplyError::Stopped {
            report: Box::new(run.report),
            source,
        }),
    }
}

/// The providers by address: those of `first`, then those that only `second` has.
fn union(
    first: &[ProviderConfiguration],
    second: &[ProviderConfiguration],
) -> Vec<ProviderConfiguration> {
    let mut all = first.to_vec();
    for provider in second {
        if all.iter().all(|other| other.address != provider.address) {
            all.push(provider.clone());
        }
    }
    all
}

fn drift_event(group: &GroupPlan, at: Timestamp, actor: &str) -> NewEvent {
    let paths: Vec<&str> = group
        .drift
        .iter()
        .map(|drift| drift.path.as_str())
        .collect();
    NewEvent {
        group: Some(
            group
                .moved_from
                .clone()
                .unwrap_or_else(|| group.address.clone()),
        ),
        reasons: serde_json::to_value(&group.drift).unwrap_or_default(),
        text: format!("{} changed outside tideform", paths.join(", ")),
        ..NewEvent::new(at, EventKind::Drift, actor)
    }
}

async fn identities(
    plan: &Plan,
    providers: &Providers,
) -> Result<Vec<ProviderIdentity>, ApplyError> {
    let used: BTreeSet<&ProviderAddress> = plan
        .groups
        .iter()
        .filter(|group| group.has_changes())
        .map(|group| &group.provider)
        .collect();
    let mut identities = Vec::new();
    for address in used {
        let provider = providers
            .get(address)
            .ok_or_else(|| ApplyError::UnknownProvider(address.clone()))?;
        let identity = provider
            .identity()
            .await
            .map_err(|source| ApplyError::Provider {
                address: address.clone(),
                source,
            })?;
        identities.push(ProviderIdentity {
            provider: address.clone(),
            account: identity.account,
            region: identity.region,
        });
    }
    Ok(identities)
}

/// The resources that a group's steps touch.
fn touched(group: &GroupPlan) -> impl Iterator<Item = ResourceKey> {
    group
        .steps
        .iter()
        .map(|step| (step.provider().clone(), step.resource().clone()))
}

/// Reads every resource that has a step, in batches.
async fn read_all(plan: &Plan, providers: &Providers) -> Result<step::Seen, ApplyError> {
    let keys: BTreeSet<ResourceKey> = plan.groups.iter().flat_map(touched).collect();
    for (address, _) in &keys {
        if providers.get(address).is_none() {
            return Err(ApplyError::UnknownProvider(address.clone()));
        }
    }
    Ok(step::read(&keys, providers).await)
}

struct Run<'a> {
    state: &'a mut State,
    providers: &'a Providers,
    lease: &'a mut HeldLease,
    options: ApplyOptions<'a>,
    apply: ApplyId,
    lineage: String,
    report: ApplyReport,
}

impl Run<'_> {
    async fn all(
        &mut self,
        plan: &Plan,
        progress: &mut (dyn FnMut(Progress<'_>) + Send),
    ) -> Result<(), StateError> {
        // Groups that leave go first: what they let go of, others may take.
        let (leaving, staying): (Vec<&GroupPlan>, Vec<&GroupPlan>) = plan
            .groups
            .iter()
            .filter(|group| group.has_changes())
            .partition(|group| matches!(group.record, Record::Forget));
        progress(Progress::Started {
            groups: leaving.len() + staying.len(),
        });
        for phase in [leaving, staying] {
            let (with_calls, without): (Vec<&GroupPlan>, Vec<&GroupPlan>) =
                phase.into_iter().partition(|group| !group.steps.is_empty());
            for (groups, at_once) in [(without, RECORDS_AT_ONCE), (with_calls, GROUPS_AT_ONCE)] {
                for chunk in groups.chunks(at_once) {
                    let is_stopped = self
                        .options
                        .stop
                        .is_some_and(|stop| stop.load(Ordering::Relaxed));
                    if is_stopped {
                        let left = chunk.iter().map(|group| group.address.clone());
                        self.report.left.extend(left);
                        continue;
                    }
                    self.chunk(chunk, progress).await?;
                }
            }
        }
        self.finish(plan)
    }

    /// A few groups: intents, calls, outcomes.
    async fn chunk(
        &mut self,
        groups: &[&GroupPlan],
        progress: &mut (dyn FnMut(Progress<'_>) + Send),
    ) -> Result<(), StateError> {
        self.lease.keep(self.state)?;
        let clock = self.providers.clock().clone();
        let at = clock.now();
        let not_after = self.lease.call_deadline();
        let intents: Vec<NewIntent> = groups
            .iter()
            .map(|group| self.intent(group, at, not_after))
            .collect::<Result<_, _>>()?;
        let has_calls = groups.iter().any(|group| !group.steps.is_empty());
        if !has_calls {
            let ids = self.state.write(|tx| {
                let ids = tx.record_intents(&intents)?;
                for (group, id) in groups.iter().zip(&ids) {
                    settle(tx, *id, Outcome::Done, group, at)?;
                    let found = group.fingerprint.clone().unwrap_or_default();
                    record(
                        tx,
                        self.apply,
                        group,
                        &found,
                        &Json::Null,
                        at,
                        self.options.actor,
                    )?;
                }
                Ok(ids)
            })?;
            debug_assert_eq!(ids.len(), groups.len());
            for group in groups {
                self.done(group, progress);
            }
            return Ok(());
        }
        // Read afresh right before the calls: what has moved since the plan is not touched.
        let keys: BTreeSet<ResourceKey> = groups.iter().flat_map(|group| touched(group)).collect();
        let seen = step::read(&keys, self.providers).await;
        let ids = self.state.write(|tx| tx.record_intents(&intents))?;
        for group in groups {
            progress(Progress::Begun {
                address: &group.address,
                action: group.action,
            });
        }
        let deadline = self.lease.deadline();
        let calls = groups
            .iter()
            .map(|group| step::perform(group, &seen, self.providers, &self.lineage, deadline));
        let outcomes = join_all(calls).await;
        let after = step::read(&keys, self.providers).await;
        let now = clock.now();
        let mut settled: Vec<(&GroupPlan, IntentId, step::Performed)> = Vec::new();
        for ((group, id), performed) in groups.iter().zip(ids).zip(outcomes) {
            let performed = step::resolve(group, performed, &after, &self.lineage);
            settled.push((group, id, performed));
        }
        let (apply, actor) = (self.apply, self.options.actor);
        self.state.write(|tx| {
            for (group, id, performed) in &settled {
                match performed {
                    step::Performed::Done => {
                        settle(tx, *id, Outcome::Done, group, now)?;
                        let live = after
                            .get(&(group.provider.clone(), group.resource.clone()))
                            .and_then(|live| live.as_ref().ok()?.as_ref());
                        let found = live.map(|live| {
                            let applied = match &group.record {
                                Record::Write { group, .. } => Some(&**group),
                                Record::Keep | Record::Forget => None,
                            };
                            fingerprint(live, applied)
                        });
                        let attributes = live
                            .and_then(|live| serde_json::to_value(&live.attributes).ok())
                            .unwrap_or_default();
                        let found = found.unwrap_or_default();
                        record(tx, apply, group, &found, &attributes, now, actor)?;
                    }
                    // Left open: the next run looks again, when the call can no longer be under way.
                    step::Performed::Unknown { .. } => {}
                    step::Performed::Failed { message } => {
                        let outcome = Outcome::Failed {
                            message: message.clone(),
                        };
                        settle(tx, *id, outcome, group, now)?;
                    }
                }
            }
            Ok(())
        })?;
        for (group, _, performed) in settled {
            match performed {
                step::Performed::Done => self.done(group, progress),
                step::Performed::Unknown { message } | step::Performed::Failed { message } => {
                    progress(Progress::Failed {
                        address: &group.address,
                        message: &message,
                    });
                    self.report.failed.push(FailedChange {
                        address: group.address.clone(),
                        message,
                    });
                }
            }
        }
        Ok(())
    }

    fn done(&mut self, group: &GroupPlan, progress: &mut (dyn FnMut(Progress<'_>) + Send)) {
        progress(Progress::Done {
            address: &group.address,
            action: group.action,
        });
        self.report.done.push(AppliedChange {
            address: group.address.clone(),
            action: group.action,
            changes: group.changes.len(),
        });
    }

    fn intent(
        &self,
        group: &GroupPlan,
        at: Timestamp,
        not_after: Timestamp,
    ) -> Result<NewIntent, StateError> {
        let mut steps = group.steps.clone();
        for step in &mut steps {
            step::fill_lineage(step, &self.lineage);
        }
        let intention = Intention {
            address: group.address.clone(),
            moved_from: group.moved_from.clone(),
            steps,
            record: group.record.clone(),
            text: describe(group),
        };
        // Under the address that the state knows until it is done.
        let address = group.moved_from.as_ref().unwrap_or(&group.address);
        Ok(NewIntent {
            group: Some(address.clone()),
            apply: Some(self.apply),
            kind: IntentKind::ApplyChange {
                change: serde_json::to_value(&intention).map_err(|error| {
                    StateError::Unrecordable {
                        what: "an intent".to_owned(),
                        why: error.to_string(),
                    }
                })?,
            },
            actor: self.options.actor.to_owned(),
            from: None,
            to: None,
            at,
            not_after,
            reasons: Json::Null,
        })
    }

    fn finish(&mut self, plan: &Plan) -> Result<(), StateError> {
        let now = self.providers.clock().now();
        let outcome = if self.report.is_complete() {
            ApplyOutcome::Done
        } else {
            ApplyOutcome::Failed {
                message: self.report.summary_line(),
            }
        };
        // Providers that left the files stay as long as a group in the state needs them.
        let needed: BTreeSet<ProviderAddress> = self
            .state
            .applied_groups()?
            .into_values()
            .flat_map(|applied| providers_of(&applied.group))
            .collect();
        let recorded = self.state.applied_providers()?;
        let kept: Vec<ProviderConfiguration> = recorded
            .iter()
            .filter(|provider| {
                needed.contains(&provider.address)
                    || plan.providers.iter().any(|p| p.address == provider.address)
            })
            .cloned()
            .collect();
        let apply = self.apply;
        self.state.write(|tx| {
            if kept.len() != recorded.len() {
                tx.record_applied_providers(apply, &kept)?;
            }
            tx.finish_apply(apply, &outcome, now)
        })
    }
}

/// The provider that runs a group, and those that its metrics come from.
fn providers_of(group: &tideform_policies::model::Group) -> Vec<ProviderAddress> {
    use tideform_policies::model::MetricSource;
    let mut all = vec![group.provider.clone()];
    for metric in &group.policy.metrics {
        if let MetricSource::Query(query) = &metric.source {
            all.extend(query.provider.clone());
        }
    }
    all
}

/// What changes, in one line: for the event.
fn describe(group: &GroupPlan) -> String {
    const SHOWN: usize = 3;
    let mut parts: Vec<String> = group
        .changes
        .iter()
        .take(SHOWN)
        .map(
            |change| match (change.before.is_null(), change.after.is_null()) {
                (true, _) => format!("{} {}", change.path, change.after),
                (_, true) => format!("{} removed", change.path),
                _ => format!("{} {} -> {}", change.path, change.before, change.after),
            },
        )
        .collect();
    if group.changes.len() > SHOWN {
        parts.push(format!("and {} more", group.changes.len() - SHOWN));
    }
    let action = match group.action {
        Action::NoOp => "no change",
        Action::Create => "created",
        Action::Adopt => "taken under management",
        Action::Update => "changed",
        Action::Replace => "scales another resource",
        Action::Move => "moved",
        Action::Release => "no longer managed",
        Action::Forget => "forgotten",
        Action::Destroy => "destroyed",
    };
    if parts.is_empty() {
        action.to_owned()
    } else {
        format!("{action}: {}", parts.join(", "))
    }
}

fn settle(
    tx: &mut Transaction<'_>,
    id: IntentId,
    outcome: Outcome,
    group: &GroupPlan,
    at: Timestamp,
) -> Result<(), StateError> {
    let text = match &outcome {
        Outcome::Done => describe(group),
        Outcome::Failed { message } => format!("{}: failed: {message}", describe(group)),
        Outcome::Unknown => format!("{}: no answer", describe(group)),
        Outcome::NotDone | Outcome::Superseded => {
            format!("{}: {}", describe(group), outcome.word())
        }
    };
    tx.settle_intent(id, &Settlement { outcome, at, text })?;
    Ok(())
}

/// Writes what is applied of a group from now on.
fn record(
    tx: &mut Transaction<'_>,
    apply: ApplyId,
    group: &GroupPlan,
    fingerprint: &str,
    attributes: &Json,
    at: Timestamp,
    actor: &str,
) -> Result<(), StateError> {
    write_record(
        tx,
        apply,
        &Written {
            address: &group.address,
            moved_from: group.moved_from.as_ref(),
            record: &group.record,
            fingerprint,
            attributes,
        },
        at,
        actor,
    )
}

/// What is written about a group once its steps are done.
struct Written<'a> {
    address: &'a GroupAddress,
    moved_from: Option<&'a GroupAddress>,
    record: &'a Record,
    fingerprint: &'a str,
    attributes: &'a Json,
}

fn write_record(
    tx: &mut Transaction<'_>,
    apply: ApplyId,
    written: &Written<'_>,
    at: Timestamp,
    actor: &str,
) -> Result<(), StateError> {
    match written.record {
        Record::Keep => Ok(()),
        Record::Forget => match tx.forget_group(written.address, at, actor) {
            // Settled before a crash, and again after it.
            Err(StateError::UnknownGroup { .. }) => Ok(()),
            answer => answer,
        },
        Record::Write { group, created } => {
            if let Some(from) = written.moved_from {
                match tx.move_group(from, written.address, at, actor) {
                    Err(StateError::UnknownGroup { .. }) => {}
                    answer => answer?,
                }
            }
            tx.record_applied_group(
                apply,
                &AppliedGroup {
                    group: (**group).clone(),
                    attributes: written.attributes.clone(),
                    fingerprint: written.fingerprint.to_owned(),
                    ownership: if *created {
                        Ownership::Created
                    } else {
                        Ownership::Managed
                    },
                    details: Json::Null,
                    applied_at: at,
                },
            )
        }
    }
}

/// The live group of each resource, where it could be read.
type ByResource<T> = BTreeMap<ResourceKey, T>;

#[cfg(test)]
mod tests;
