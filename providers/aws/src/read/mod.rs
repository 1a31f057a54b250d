//! Reads groups: everything about many of them in few calls.
//!
//! Groups come 100 a call. Policies and scheduled actions are listed for the whole account, 100 a page, where many
//! groups are asked for, and group by group where few are; activities in the same way. Lifecycle hooks cost a call a
//! group, and deregistration delays one a target group: they are only read where they are needed.

mod activities;
mod controls;
mod deregistration;
mod groups;
mod hooks;
mod instances;
mod refreshes;

use std::collections::{BTreeMap, BTreeSet};

use aws_sdk_autoscaling::types::AutoScalingGroup;
use futures::StreamExt;
use futures::stream;
use jiff::Timestamp;
use tideform_policies::model::Resource;
use tideform_provider::{GroupFilter, GroupRequest, ItemResult, LiveGroup, Owner, ProviderError};

use crate::client::Clients;
use crate::{KIND, tags};

pub(crate) use groups::describe as describe_groups;
pub(crate) use hooks::DRAIN_HOOK;
pub(crate) use instances::state as instance_state;
pub(crate) use refreshes::refresh_under_way;

/// Calls at the same time: the API's bucket of describe calls is small, and the SDK slows down by itself.
const AT_ONCE: usize = 4;

/// Up to so many groups are asked for one by one; beyond, the account is listed.
pub(crate) const ONE_BY_ONE: usize = 10;

/// What was found by name, or why it could not be read.
type ByGroup<T> = BTreeMap<String, ItemResult<T>>;

/// Reads all of them, in the order of the requests.
pub(crate) async fn groups(
    clients: &Clients,
    requests: &[GroupRequest],
    now: Timestamp,
) -> Vec<ItemResult<Option<LiveGroup>>> {
    let names: BTreeSet<&str> = requests
        .iter()
        .filter(|request| &*request.resource.kind == KIND)
        .map(|request| &*request.resource.name)
        .collect();
    let found = groups::describe(clients, &names).await;
    let there: Vec<&AutoScalingGroup> = found
        .values()
        .filter_map(|answer| answer.as_ref().ok()?.as_ref())
        .collect();

    let wanting = |needs: fn(&GroupRequest) -> bool| -> BTreeSet<&str> {
        requests
            .iter()
            .filter(|request| needs(request))
            .map(|request| &*request.resource.name)
            .filter(|name| matches!(found.get(*name), Some(Ok(Some(_)))))
            .collect()
    };
    let behind_balancers: Vec<&AutoScalingGroup> = wanting(|request| request.needs.deregistration)
        .into_iter()
        .filter_map(|name| found.get(name)?.as_ref().ok()?.as_ref())
        .collect();
    let (policies, schedules, drains, delays, failed, refreshes, machines) = futures::join!(
        controls::policies(clients, wanting(|request| request.needs.policies)),
        controls::schedules(clients, wanting(|request| request.needs.schedules)),
        hooks::drains(clients, wanting(|request| request.needs.drain)),
        deregistration::delays(clients, &behind_balancers),
        activities::launches(
            clients,
            wanting(|request| request.needs.failed_launches),
            now
        ),
        refreshes::under_way(clients, wanting(|request| request.needs.obstacles)),
        instances::machines(clients, &there),
    );

    requests
        .iter()
        .map(|request| {
            let name = &*request.resource.name;
            if &*request.resource.kind != KIND {
                return Err(ProviderError::Refused {
                    request: "autoscaling:DescribeAutoScalingGroups",
                    message: format!("AWS has no `{}`, only `{KIND}`", request.resource.kind),
                });
            }
            let group = match found.get(name) {
                Some(Ok(Some(group))) => group,
                Some(Ok(None)) | None => return Ok(None),
                Some(Err(error)) => return Err(error.again()),
            };
            let mut live = groups::live(group, &request.resource, now, machines.as_ref())?;
            live.controls.extend(taken(&policies, name)?);
            live.controls.extend(taken(&schedules, name)?);
            live.attributes.drain = taken(&drains, name)?.into_iter().next();
            live.blocked.extend(taken(&refreshes, name)?);
            live.deregistration = deregistration::of(group, &delays);
            live.failed_launches = activities::failures(
                &taken(&failed, name)?,
                live.attributes.mix.as_ref(),
                &live.instances,
            );
            Ok(Some(live))
        })
        .collect()
}

fn taken<T: Clone>(found: &ByGroup<Vec<T>>, name: &str) -> ItemResult<Vec<T>> {
    match found.get(name) {
        None => Ok(Vec::new()),
        Some(Ok(list)) => Ok(list.clone()),
        Some(Err(error)) => Err(error.again()),
    }
}

/// The groups that meet every filter, by name.
pub(crate) async fn find(
    clients: &Clients,
    filters: &[GroupFilter],
) -> Result<Vec<Resource>, ProviderError> {
    let names: BTreeSet<String> = groups::find(clients, filters).await?;
    Ok(names
        .into_iter()
        .map(|name| Resource {
            kind: KIND.into(),
            name: name.into(),
        })
        .collect())
}

/// All groups that carry this workspace's tag.
pub(crate) async fn owned(
    clients: &Clients,
    workspace: &str,
) -> Result<Vec<(Resource, Owner)>, ProviderError> {
    let groups = groups::tagged(clients, tags::WORKSPACE, workspace).await?;
    Ok(groups
        .iter()
        .filter_map(|group| {
            let resource = Resource {
                kind: KIND.into(),
                name: group.auto_scaling_group_name()?.into(),
            };
            Some((resource, groups::owner(group)?))
        })
        .filter(|(_, owner)| owner.workspace == workspace)
        .collect())
}

/// Waits for calls, a few at a time; answers in their order.
pub(crate) async fn all<F: Future>(calls: Vec<F>) -> Vec<F::Output> {
    stream::iter(calls).buffered(AT_ONCE).collect().await
}

/// Asks for each name by itself, a few at a time.
async fn one_by_one<'a, T, F>(
    names: BTreeSet<&'a str>,
    ask: impl Fn(&'a str) -> F,
) -> ByGroup<Vec<T>>
where
    F: Future<Output = ItemResult<Vec<T>>>,
{
    let calls = names.iter().map(|name| ask(name)).collect();
    let answers = all(calls).await;
    names.into_iter().map(str::to_owned).zip(answers).collect()
}
