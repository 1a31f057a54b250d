//! Reads groups and their metrics: one round of calls over all groups, providers side by side.
//!
//! The only part of this module that does I/O. It decides nothing and stores nothing, and a failure stays with the
//! group, or with the one metric, that it is about.

use std::collections::BTreeMap;

use futures::future::join_all;
use jiff::Timestamp;
use tideform_policies::model::{Group, GroupAddress, Name, ProviderAddress};
use tideform_provider::{
    GroupRequest, LiveGroup, MetricRequest, MetricResponse, Needs, ProviderError,
};

use super::requests::requests_for;
use crate::registry::Providers;

/// What was read about one group.
#[derive(Debug)]
pub struct Read {
    /// The group itself; `None` where its resource does not exist.
    pub live: Option<LiveGroup>,
    /// By metric of the files; formulas are not among them. An error is about this metric alone.
    pub metrics: BTreeMap<Name, Result<MetricResponse, ProviderError>>,
}

/// Reads all `groups` as they are at `now`, in as few calls as the providers allow.
///
/// A group whose own read failed is an error of that group. A metric whose read failed is an error inside that
/// group's answer. A group whose resource does not exist is not asked for metrics.
///
/// - `needs`: what is read of each group.
pub async fn read(
    groups: &[&Group],
    providers: &Providers,
    now: Timestamp,
    needs: impl Fn(&Group) -> Needs,
) -> BTreeMap<GroupAddress, Result<Read, ProviderError>> {
    let answers = read_groups(groups, providers, needs).await;
    with_metrics(answers, groups, providers, now).await
}

/// Adds the metrics of `groups` to what was read of them.
pub(super) async fn with_metrics(
    mut answers: BTreeMap<GroupAddress, Result<Read, ProviderError>>,
    groups: &[&Group],
    providers: &Providers,
    now: Timestamp,
) -> BTreeMap<GroupAddress, Result<Read, ProviderError>> {
    let mut by_provider: BTreeMap<ProviderAddress, Batch> = BTreeMap::new();
    for group in groups {
        if !matches!(
            answers.get(&group.address),
            Some(Ok(Read { live: Some(_), .. }))
        ) {
            continue;
        }
        for sourced in requests_for(group, now) {
            let batch = by_provider.entry(sourced.provider).or_default();
            batch.requests.push(sourced.request);
            batch.owners.push((group.address.clone(), sourced.metric));
        }
    }
    let rounds = by_provider.into_iter().map(|(address, batch)| async move {
        let results = match providers.get(&address) {
            None => batch
                .requests
                .iter()
                .map(|_| Err(not_opened(&address)))
                .collect(),
            Some(provider) => provider.read_metrics(&batch.requests).await,
        };
        (batch.owners, results)
    });
    for (owners, results) in join_all(rounds).await {
        for ((group, metric), result) in owners.into_iter().zip(results) {
            if let Some(Ok(answer)) = answers.get_mut(&group) {
                answer.metrics.insert(metric, result);
            }
        }
    }
    answers
}

/// Reads the groups themselves, without metrics: enough to settle an intent.
pub async fn read_live(
    groups: &[&Group],
    providers: &Providers,
) -> BTreeMap<GroupAddress, Result<Read, ProviderError>> {
    read_groups(groups, providers, |group| Needs::to_decide(group, false)).await
}

async fn read_groups(
    groups: &[&Group],
    providers: &Providers,
    needs: impl Fn(&Group) -> Needs,
) -> BTreeMap<GroupAddress, Result<Read, ProviderError>> {
    let needs = &needs;
    let mut by_provider: BTreeMap<&ProviderAddress, Vec<&Group>> = BTreeMap::new();
    for group in groups {
        by_provider.entry(&group.provider).or_default().push(group);
    }
    let rounds = by_provider.into_iter().map(|(address, groups)| async move {
        let requests: Vec<GroupRequest> = groups
            .iter()
            .map(|group| GroupRequest {
                resource: group.resource.clone(),
                needs: needs(group),
            })
            .collect();
        let results = match providers.get(address) {
            None => groups.iter().map(|_| Err(not_opened(address))).collect(),
            Some(provider) => provider.read_groups(&requests).await,
        };
        (groups, results)
    });
    let mut answers = BTreeMap::new();
    for (groups, results) in join_all(rounds).await {
        for (group, result) in groups.into_iter().zip(results) {
            let read = result.map(|live| Read {
                live,
                metrics: BTreeMap::new(),
            });
            answers.insert(group.address.clone(), read);
        }
    }
    answers
}

fn not_opened(address: &ProviderAddress) -> ProviderError {
    ProviderError::Configuration {
        message: format!("{address} is not among the providers that were applied"),
    }
}

#[derive(Default)]
struct Batch {
    requests: Vec<MetricRequest>,
    owners: Vec<(GroupAddress, Name)>,
}
