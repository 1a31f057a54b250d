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
mod parts;
mod record;
mod report;
mod run;
mod stale;
mod step;

use std::collections::{BTreeMap, BTreeSet};
use std::sync::atomic::{AtomicBool, Ordering};

use futures::future::join_all;
use jiff::Timestamp;
use serde_json::{Value as Json, json};
use thiserror::Error;
use tideform_policies::model::{GroupAddress, ProviderAddress, ProviderConfiguration};
use tideform_provider::ProviderError;
use tideform_state::{
    AppliedGroup, ApplyId, ApplyOutcome, EventKind, IntentId, IntentKind, NewApply, NewEvent,
    NewIntent, Outcome, Ownership, ProviderIdentity, Settlement, State, StateError, Transaction,
};

use crate::plan::{Action, Details, GroupPlan, Intention, Plan, Record, ResourceKey, fingerprint};
use crate::registry::Providers;

pub use lease::HeldLease;
pub use leftover::{Leftover, settle_leftovers};
pub use parts::Part;
use record::{Written, describe, drift_event, moved_from, record, settle, write_record};
pub use report::{AppliedChange, ApplyReport, FailedChange, Progress};
use run::Run;
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
    // Nothing is planned for a group that could not be read or has an error of its own; the others go on without it.
    let mut left_out: Vec<FailedChange> = plan
        .groups
        .iter()
        .filter_map(|group| {
            let why = group.failure.as_ref()?;
            Some(FailedChange {
                address: group.address.clone(),
                message: match &group.failure_code {
                    Some(code) => format!("left out, nothing was changed: {why} ({code})"),
                    None => format!("it could not be read, nothing was changed: {why}"),
                },
            })
        })
        .collect();
    if !plan.has_work() {
        let mut keep = |state: &mut State| lease.keep(state);
        let settled = settle_leftovers(state, providers, &mut keep, options.actor, true).await?;
        return Ok(ApplyReport {
            settled,
            failed: left_out,
            ..ApplyReport::default()
        });
    }
    let identities = identities(plan, providers).await?;
    let seen = read_all(plan, providers).await?;
    left_out.extend(stale::check_cloud(plan, &seen, &state.meta()?.lineage)?);
    // A group with calls finds out right before them; nothing looks again for one that only changes its policy.
    let unchecked = plan
        .groups
        .iter()
        .filter(|group| group.has_work() && group.steps.is_empty())
        .filter_map(|group| {
            Some(FailedChange {
                address: group.address.clone(),
                message: unreadable(group, &seen)?,
            })
        });
    left_out.extend(unchecked);

    let clock = providers.clock().clone();
    lease.keep(state)?;
    let mut keep = |state: &mut State| lease.keep(state);
    let settled = settle_leftovers(state, providers, &mut keep, options.actor, true).await?;
    lease.keep(state)?;
    let lineage = state.meta()?.lineage;
    let old_providers = state.applied_providers()?;
    let applied: BTreeSet<GroupAddress> = state.applied_addresses()?.into_iter().collect();
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
            let from = moved_from(group, &applied);
            tx.append_event(&drift_event(group, from, clock.now(), options.actor))?;
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
        applied,
        report: ApplyReport {
            settled,
            failed: left_out,
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

async fn identities(
    plan: &Plan,
    providers: &Providers,
) -> Result<Vec<ProviderIdentity>, ApplyError> {
    let used: BTreeSet<&ProviderAddress> = plan
        .groups
        .iter()
        .filter(|group| group.has_work())
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

/// The resources that a group's plan rests on: those that its steps touch, and its own where its policy is written.
fn touched(group: &GroupPlan) -> impl Iterator<Item = ResourceKey> {
    let own = matches!(group.record, Record::Write { .. })
        .then(|| (group.provider.clone(), group.resource.clone()));
    group
        .steps
        .iter()
        .map(|step| (step.provider().clone(), step.resource().clone()))
        .chain(own)
}

/// The resources that groups' plans rest on, and how much of each.
fn wanted<'a>(groups: impl IntoIterator<Item = &'a GroupPlan>) -> step::Wanted {
    let mut wanted = step::Wanted::new();
    for group in groups {
        for key in touched(group) {
            let needs = wanted.entry(key).or_default();
            *needs = needs.and(step::needs(group));
        }
    }
    wanted
}

/// The first of a group's resources that could not be read, as a sentence about the group.
fn unreadable(group: &GroupPlan, seen: &step::Seen) -> Option<String> {
    touched(group).find_map(|key| {
        let error = seen.get(&key)?.as_ref().err()?;
        Some(format!(
            "it cannot be read, nothing was changed: {}",
            step::chain(error)
        ))
    })
}

/// Reads every resource that the plan rests on, in batches.
async fn read_all(plan: &Plan, providers: &Providers) -> Result<step::Seen, ApplyError> {
    let keys = wanted(&plan.groups);
    for (address, _) in keys.keys() {
        if providers.get(address).is_none() {
            return Err(ApplyError::UnknownProvider(address.clone()));
        }
    }
    Ok(step::read(&keys, providers).await)
}

/// The live group of each resource, where it could be read.
type ByResource<T> = BTreeMap<ResourceKey, T>;

#[cfg(test)]
mod tests;
