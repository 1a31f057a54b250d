//! The calls of one group, and what became of them.

use std::collections::BTreeMap;

use futures::future::join_all;
use tideform_policies::model::ProviderAddress;
use tideform_provider::{
    AttributeChange, GroupRequest, ItemResult, LiveGroup, Needs, Provider, ProviderError,
};

use super::ByResource;
use super::lease::Deadline;
use super::{parts, stale};
use crate::plan::{GroupPlan, Record, ResourceKey, Step};
use crate::registry::{Providers, RetryPolicy};

/// What was read of the resources that a plan rests on.
pub(super) type Seen = ByResource<ItemResult<Option<LiveGroup>>>;

/// How a group's calls ended.
#[derive(Debug)]
pub(super) enum Performed {
    /// All of them worked.
    Done,
    /// One had no answer.
    Unknown { message: String },
    /// One did not work.
    Failed { message: String },
    /// None was made.
    NotBegun { message: String },
}

/// The resources to read, and how much of each.
pub(super) type Wanted = BTreeMap<ResourceKey, Needs>;

/// What is to be seen of the resources that a plan's group rests on: what the plan compared, and what its steps change.
pub(super) fn needs(group: &GroupPlan) -> Needs {
    let written = match &group.record {
        Record::Write { group, .. } => Some(&**group),
        Record::Keep | Record::Forget => None,
    };
    [group.before.as_deref(), written]
        .into_iter()
        .flatten()
        .fold(needs_of_steps(&group.steps), |needs, group| {
            needs.and(Needs::to_apply(group))
        })
}

/// What shows whether steps are in effect, and policies and schedules for the fingerprint.
pub(super) fn needs_of_steps(steps: &[Step]) -> Needs {
    let changes = steps.iter().flat_map(|step| match step {
        Step::Create { spec, .. } => spec.changes.as_slice(),
        Step::Update { change, .. } => change.changes.as_slice(),
        Step::Delete { .. } => &[],
    });
    Needs {
        policies: true,
        schedules: true,
        drain: changes
            .into_iter()
            .any(|change| matches!(change, AttributeChange::Drain(_))),
        ..Needs::default()
    }
}

/// Reads resources, in batches and providers side by side.
pub(super) async fn read(wanted: &Wanted, providers: &Providers) -> Seen {
    let mut by_provider: BTreeMap<&ProviderAddress, Vec<GroupRequest>> = BTreeMap::new();
    for ((address, resource), needs) in wanted {
        by_provider.entry(address).or_default().push(GroupRequest {
            resource: resource.clone(),
            needs: *needs,
        });
    }
    let rounds = by_provider
        .into_iter()
        .filter_map(|(address, requests)| Some((address, providers.get(address)?, requests)))
        .map(|(address, provider, requests)| async move {
            let live = provider.read_groups(&requests).await;
            (address, requests, live)
        });
    let mut seen = Seen::new();
    for (address, requests, live) in join_all(rounds).await {
        for (request, live) in requests.into_iter().zip(live) {
            seen.insert((address.clone(), request.resource), live);
        }
    }
    seen
}

/// A plan that was made before the state existed does not know its lineage.
pub(super) fn fill_lineage(step: &mut Step, lineage: &str) {
    match step {
        Step::Create { spec, .. } => lineage.clone_into(&mut spec.owner.state),
        Step::Update { change, .. } => {
            for attribute in &mut change.changes {
                if let AttributeChange::Owner(Some(owner)) = attribute {
                    lineage.clone_into(&mut owner.state);
                }
            }
        }
        Step::Delete { .. } => {}
    }
}

/// Carries out a group's steps in order; the first that does not work ends it.
pub(super) async fn perform(
    group: &GroupPlan,
    seen: &Seen,
    providers: &Providers,
    lineage: &str,
    deadline: Deadline,
) -> Performed {
    if let Some(message) = super::unreadable(group, seen) {
        return Performed::NotBegun { message };
    }
    if let Some(stale) = stale::difference(group, seen, lineage) {
        return Performed::NotBegun {
            message: format!("nothing was changed: {stale}"),
        };
    }
    for step in &group.steps {
        let mut step = step.clone();
        fill_lineage(&mut step, lineage);
        let Some(provider) = providers.get(step.provider()) else {
            return Performed::Failed {
                message: format!("{} is not configured", step.provider()),
            };
        };
        match call_with_retries(&**provider, &step, providers, deadline).await {
            Ok(()) => {}
            Err(Failure::TooLate) => {
                return Performed::Failed {
                    message: "the lease ended before the call".to_owned(),
                };
            }
            Err(Failure::NoAnswer) => {
                return Performed::Unknown {
                    message: "no answer before the lease ended".to_owned(),
                };
            }
            Err(Failure::Provider(error @ ProviderError::OutcomeUnknown { .. })) => {
                return Performed::Unknown {
                    message: chain(&error),
                };
            }
            Err(Failure::Provider(error)) => {
                return Performed::Failed {
                    message: chain(&error),
                };
            }
        }
    }
    Performed::Done
}

enum Failure {
    TooLate,
    NoAnswer,
    Provider(ProviderError),
}

/// An error with its causes.
pub(super) fn chain(error: &dyn std::error::Error) -> String {
    let mut text = error.to_string();
    let mut cause = error.source();
    while let Some(error) = cause {
        text.push_str(": ");
        text.push_str(&error.to_string());
        cause = error.source();
    }
    text
}

/// Repeats a call while its failure is transient (nothing was changed), but starts none after the deadline.
async fn call_with_retries(
    provider: &dyn Provider,
    step: &Step,
    providers: &Providers,
    deadline: Deadline,
) -> Result<(), Failure> {
    let policy = RetryPolicy::default();
    let mut attempt = 1;
    loop {
        if deadline.has_passed() {
            return Err(Failure::TooLate);
        }
        // A step may be many calls: none of them may be made under a lease that another has by now.
        let error = match tokio::time::timeout(deadline.left(), call(provider, step)).await {
            Err(_) => return Err(Failure::NoAnswer),
            Ok(Ok(())) => return Ok(()),
            Ok(Err(error)) => error,
        };
        let asked = match &error {
            ProviderError::Throttled { retry_after, .. } => *retry_after,
            ProviderError::Unavailable { .. } => None,
            // Also a conflict: what was planned on is no longer so.
            _ => return Err(Failure::Provider(error)),
        };
        if attempt == policy.attempts {
            return Err(Failure::Provider(error));
        }
        let draw = u64::from(attempt);
        providers
            .clock()
            .wait(policy.wait_before(attempt, draw, asked))
            .await;
        attempt += 1;
    }
}

async fn call(provider: &dyn Provider, step: &Step) -> Result<(), ProviderError> {
    match step {
        Step::Create { spec, .. } => provider.create_group(spec).await,
        Step::Update { change, .. } => provider.update_group(change).await,
        Step::Delete { resource, .. } => match provider.delete_group(resource).await {
            Err(ProviderError::NotFound { .. }) => Ok(()),
            answer => answer,
        },
    }
}

/// Looks at what is live now where a call had no answer, or one of several did not work.
pub(super) fn resolve(
    group: &GroupPlan,
    performed: Performed,
    after: &Seen,
    lineage: &str,
) -> Performed {
    let found = parts::parts(&group.steps, after, lineage);
    let said = |message: String| {
        let done = match &found {
            Some(parts) if parts.iter().all(|part| !part.is_done) => {
                "nothing was changed".to_owned()
            }
            Some(parts) => parts::in_words(parts),
            None => "what of it is done could not be read".to_owned(),
        };
        format!("{message} ({done})")
    };
    match performed {
        Performed::Done | Performed::NotBegun { .. } => performed,
        Performed::Failed { message } => Performed::Failed {
            message: said(message),
        },
        Performed::Unknown { message } => match &found {
            Some(parts) if parts.iter().all(|part| part.is_done) => Performed::Done,
            Some(parts) if parts.iter().any(|part| part.is_done) => Performed::Unknown {
                message: said(message),
            },
            _ => Performed::Unknown { message },
        },
    }
}
