//! Changes groups: only the fields that are named, each write after a fresh look at what it changes.
//!
//! Every write is one attempt of the SDK. A throttled one changed nothing and is tried again for a short time; one
//! without an answer is not: it may have happened.

mod capacity;
mod create;
mod hooks;
mod mix;
mod update;

use std::collections::BTreeSet;
use std::time::Duration;

use aws_sdk_autoscaling::types::AutoScalingGroup;
use tideform_policies::model::Resource;
use tideform_provider::ProviderError;

use crate::KIND;
use crate::client::Clients;
use crate::read::describe_groups;

pub(crate) use capacity::{set_desired, terminate_instance};
pub(crate) use create::{LAUNCH_ATTRIBUTES, create, delete};
pub(crate) use update::{PAUSED, update};

/// Waits between tries of a throttled write; about seven seconds in all, so that a lease never runs out over them.
const WAITS: [Duration; 4] = [
    Duration::from_millis(500),
    Duration::from_secs(1),
    Duration::from_secs(2),
    Duration::from_secs(3),
];

/// Makes a write, again while it is throttled. It waits by the clock of `clients`.
pub(crate) async fn write<T, F>(clients: &Clients, call: impl Fn() -> F) -> Result<T, ProviderError>
where
    F: Future<Output = Result<T, ProviderError>>,
{
    for wait in WAITS {
        match call().await {
            Err(ProviderError::Throttled { .. }) => clients.clock.wait(wait).await,
            answer => return answer,
        }
    }
    call().await
}

/// The group as it is now.
///
/// # Errors
/// `NotFound`, or what the read said.
async fn fresh(clients: &Clients, resource: &Resource) -> Result<AutoScalingGroup, ProviderError> {
    if &*resource.kind != KIND {
        return Err(ProviderError::Refused {
            request: "autoscaling:DescribeAutoScalingGroups",
            message: format!("AWS has no `{}`, only `{KIND}`", resource.kind),
        });
    }
    let names = BTreeSet::from([&*resource.name]);
    let found = describe_groups(clients, &names).await;
    match found.into_values().next() {
        Some(Ok(Some(group))) => Ok(group),
        Some(Err(error)) => Err(error),
        Some(Ok(None)) | None => Err(ProviderError::NotFound {
            kind: KIND.to_owned(),
            name: resource.name.to_string(),
        }),
    }
}

/// What a write answered; where it was refused because the group is gone by now, that. AWS says so in words only, so the
/// group is looked for once more.
async fn unless_gone<T>(
    clients: &Clients,
    resource: &Resource,
    answer: Result<T, ProviderError>,
) -> Result<T, ProviderError> {
    if matches!(answer, Err(ProviderError::Refused { .. }))
        && let Err(gone @ ProviderError::NotFound { .. }) = fresh(clients, resource).await
    {
        return Err(gone);
    }
    answer
}

/// A capacity as the API takes it.
fn number(capacity: u32) -> i32 {
    i32::try_from(capacity).unwrap_or(i32::MAX)
}

/// A duration in whole seconds, up.
fn seconds(duration: Duration) -> i32 {
    let whole = duration.as_secs() + u64::from(duration.subsec_nanos() > 0);
    i32::try_from(whole).unwrap_or(i32::MAX)
}
