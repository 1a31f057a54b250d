//! Groups themselves: limits, mix, tags, instances as Auto Scaling sees them.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use aws_sdk_autoscaling::operation::describe_auto_scaling_groups::builders::DescribeAutoScalingGroupsFluentBuilder;
use aws_sdk_autoscaling::types::{AutoScalingGroup, Filter, LaunchTemplateSpecification};
use jiff::Timestamp;
use serde_json::{Value, json};
use tideform_policies::model::{
    Capacity, Instance, InstanceType, Limits, Maintenance, Resource, Share, VictimOrder,
};
use tideform_provider::{
    GroupFilter, ItemResult, LiveAttributes, LiveGroup, LiveMix, Owner, ProviderError, SwitchedOff,
};

use super::instances::{self, Machines};
use super::{ByGroup, all};
use crate::client::Clients;
use crate::error::describe as describe_error;
use crate::tags;
use crate::write::PAUSED;

const REQUEST: &str = "autoscaling:DescribeAutoScalingGroups";
/// Most groups of one call.
const PER_CALL: usize = 100;

/// Reads groups by name; `None` is a group that does not exist.
pub(crate) async fn describe(
    clients: &Clients,
    names: &BTreeSet<&str>,
) -> ByGroup<Option<AutoScalingGroup>> {
    let names: Vec<&str> = names.iter().copied().collect();
    let calls = names
        .chunks(PER_CALL)
        .map(|batch| describe_batch(clients, batch))
        .collect();
    let answers = all(calls).await;
    let mut found = BTreeMap::new();
    for (batch, answer) in names.chunks(PER_CALL).zip(answers) {
        match answer {
            Ok(groups) => {
                found.extend(batch.iter().map(|name| ((*name).to_owned(), Ok(None))));
                found.extend(groups.into_iter().filter_map(|group| {
                    let name = group.auto_scaling_group_name()?.to_owned();
                    Some((name, Ok(Some(group))))
                }));
            }
            Err(error) => found.extend(
                batch
                    .iter()
                    .map(|name| ((*name).to_owned(), Err(error.again()))),
            ),
        }
    }
    found
}

async fn describe_batch(
    clients: &Clients,
    names: &[&str],
) -> Result<Vec<AutoScalingGroup>, ProviderError> {
    let names = names.iter().map(|name| (*name).to_owned()).collect();
    every_page(
        clients
            .autoscaling
            .describe_auto_scaling_groups()
            .set_auto_scaling_group_names(Some(names)),
    )
    .await
}

/// Every page of a request.
async fn every_page(
    request: DescribeAutoScalingGroupsFluentBuilder,
) -> Result<Vec<AutoScalingGroup>, ProviderError> {
    let mut pages = request
        .max_records(PER_CALL as i32)
        .into_paginator()
        .items()
        .send();
    let mut groups = Vec::new();
    while let Some(group) = pages.next().await {
        groups.push(group.map_err(|error| describe_error(REQUEST, error))?);
    }
    Ok(groups)
}

/// All groups with a tag of this value.
pub(super) async fn tagged(
    clients: &Clients,
    key: &str,
    value: &str,
) -> Result<Vec<AutoScalingGroup>, ProviderError> {
    let filter = Filter::builder()
        .name(format!("tag:{key}"))
        .values(value)
        .build();
    list(clients, Some(filter)).await
}

/// All groups of the account; with a filter, only these.
async fn list(
    clients: &Clients,
    filter: Option<Filter>,
) -> Result<Vec<AutoScalingGroup>, ProviderError> {
    every_page(
        clients
            .autoscaling
            .describe_auto_scaling_groups()
            .set_filters(filter.map(|filter| vec![filter])),
    )
    .await
}

/// The names of the groups that meet every filter. AWS is asked by the first tag, or by a name without wildcards; the
/// rest is looked at here.
pub(super) async fn find(
    clients: &Clients,
    filters: &[GroupFilter],
) -> Result<BTreeSet<String>, ProviderError> {
    let tag = filters.iter().find_map(|filter| match filter {
        GroupFilter::Tag { key, value } => Some(match value {
            Some(value) => Filter::builder().name(format!("tag:{key}")).values(value),
            None => Filter::builder().name("tag-key").values(key),
        }),
        GroupFilter::Name(_) => None,
    });
    let name = filters.iter().find_map(|filter| match filter {
        GroupFilter::Name(name) if !name.contains(['*', '?']) => Some(name.as_str()),
        GroupFilter::Name(_) | GroupFilter::Tag { .. } => None,
    });
    let groups = match (name, tag) {
        (Some(name), _) => describe_batch(clients, &[name]).await?,
        (None, tag) => list(clients, tag.map(|filter| filter.build())).await?,
    };
    Ok(groups
        .iter()
        .filter(|group| {
            let tags = || {
                group
                    .tags()
                    .iter()
                    .filter_map(|tag| Some((tag.key()?, tag.value()?)))
            };
            group
                .auto_scaling_group_name()
                .is_some_and(|name| filters.iter().all(|filter| filter.matches(name, tags())))
        })
        .filter_map(|group| group.auto_scaling_group_name().map(str::to_owned))
        .collect())
}

/// The owner that the group's tags name.
pub(super) fn owner(group: &AutoScalingGroup) -> Option<Owner> {
    tags::owner(
        group
            .tags()
            .iter()
            .filter_map(|tag| Some((tag.key()?, tag.value()?))),
    )
}

/// What AWS said, in our words.
///
/// # Errors
/// `Unavailable`: an answer without what every group has.
pub(super) fn live(
    group: &AutoScalingGroup,
    resource: &Resource,
    now: Timestamp,
    machines: Result<&Machines, &ProviderError>,
) -> ItemResult<LiveGroup> {
    let machines = machines.map_err(ProviderError::again)?;
    let count = |field: &str, number: Option<i32>| {
        number
            .and_then(|number| u32::try_from(number).ok())
            .ok_or_else(|| ProviderError::Unavailable {
                request: REQUEST,
                message: format!("the answer about `{}` has no {field}", resource.name),
            })
    };
    let min = count("MinSize", group.min_size())?;
    let max = count("MaxSize", group.max_size())?;
    let limits =
        Limits::new(Capacity(min), Capacity(max)).ok_or_else(|| ProviderError::Unavailable {
            request: REQUEST,
            message: format!("`{}` has MinSize {min} above MaxSize {max}", resource.name),
        })?;
    let instances: Vec<Instance> = group
        .instances()
        .iter()
        .filter_map(|instance| instances::instance(instance, machines))
        .collect();
    Ok(LiveGroup {
        resource: resource.clone(),
        at: now,
        desired: count("DesiredCapacity", group.desired_capacity())?,
        attributes: LiveAttributes {
            limits,
            warmup: group
                .default_instance_warmup()
                .and_then(|seconds| u64::try_from(seconds).ok())
                .map(Duration::from_secs),
            order: order(group.termination_policies()),
            drain: None,
            mix: mix(group),
            maintenance: maintenance(group),
            launch: launch(group),
            launch_also: launch_also(group),
        },
        instances,
        owner: owner(group),
        controls: Vec::new(),
        is_paused: is_paused(group),
        switched_off: switched_off(group),
        blocked: blocked(group),
        failed_launches: Vec::new(),
        deregistration: Vec::new(),
    })
}

/// What keeps capacity changes from being carried out.
fn blocked(group: &AutoScalingGroup) -> Vec<String> {
    let mut reasons: Vec<String> = group
        .suspended_processes()
        .iter()
        .filter_map(|process| {
            let name = process.process_name()?;
            // The other processes act on what a change leaves behind, not on the change.
            matches!(name, "Launch" | "Terminate").then(|| match process.suspension_reason() {
                Some(reason) if !reason.is_empty() => {
                    format!("the process {name} is suspended ({reason})")
                }
                _ => format!("the process {name} is suspended"),
            })
        })
        .collect();
    if let Some(status) = group.status() {
        reasons.push(format!("the group is being deleted ({status})"));
    }
    reasons
}

/// What a suspended process keeps from happening. The others act on what a change leaves behind, not on the change.
/// Source: Amazon EC2 Auto Scaling user guide, "Types of processes".
const EFFECTS: [(&str, &str); 4] = [
    ("AlarmNotification", "its scaling policies do nothing"),
    (
        "ScheduledActions",
        "its scheduled actions do nothing, and no window, pin or surge ends by itself",
    ),
    ("Launch", "no instance starts"),
    ("Terminate", "no instance ends"),
];

/// The suspended processes that keep AWS from scaling the group.
fn switched_off(group: &AutoScalingGroup) -> Vec<SwitchedOff> {
    EFFECTS
        .iter()
        .filter_map(|(name, effect)| {
            let suspended = group
                .suspended_processes()
                .iter()
                .find(|process| process.process_name() == Some(name))?;
            let why = match suspended.suspension_reason() {
                Some(reason) if !reason.is_empty() => format!(" ({reason})"),
                _ => String::new(),
            };
            Some(SwitchedOff {
                name: (*name).to_owned(),
                effect: format!("the process {name} is suspended{why}: {effect}"),
                resume: format!(
                    "aws autoscaling resume-processes --auto-scaling-group-name {} --scaling-processes {name}",
                    group.auto_scaling_group_name().unwrap_or_default()
                ),
                by_pause: PAUSED.contains(name),
            })
        })
        .collect()
}

/// The order that the termination policies say, if it is one that the language has.
fn order(policies: &[String]) -> Option<VictimOrder> {
    match policies.first().map(String::as_str) {
        Some("NewestInstance") => Some(VictimOrder::Newest),
        Some("OldestInstance") => Some(VictimOrder::Oldest),
        Some("Default") | None => Some(VictimOrder::Default),
        Some(_) => None,
    }
}

fn mix(group: &AutoScalingGroup) -> Option<LiveMix> {
    let policy = group.mixed_instances_policy()?;
    let distribution = policy.instances_distribution();
    // AWS: on demand 0 as a base, and 100 % above it, where nothing is said.
    let base = distribution
        .and_then(|d| d.on_demand_base_capacity())
        .unwrap_or(0);
    let on_demand = distribution
        .and_then(|d| d.on_demand_percentage_above_base_capacity())
        .unwrap_or(100);
    Some(LiveMix {
        on_demand_base: u32::try_from(base).unwrap_or(0),
        spot: Share(f64::from(100 - on_demand.clamp(0, 100)) / 100.0),
        types: policy
            .launch_template()
            .map(|template| template.overrides())
            .unwrap_or_default()
            .iter()
            .filter_map(|one| {
                Some(InstanceType {
                    name: one.instance_type()?.to_owned(),
                    weight: one.weighted_capacity().and_then(|text| text.parse().ok()),
                })
            })
            .collect(),
        allocation: distribution
            .and_then(|d| d.spot_allocation_strategy())
            .map(str::to_owned),
        rebalance: Some(group.capacity_rebalance().unwrap_or(false)),
    })
}

/// Whether the processes that carry out policies and scheduled actions are suspended, both of them.
fn is_paused(group: &AutoScalingGroup) -> bool {
    PAUSED.iter().all(|name| {
        group
            .suspended_processes()
            .iter()
            .any(|process| process.process_name() == Some(name))
    })
}

/// AWS shows -1 for what was taken away again.
fn maintenance(group: &AutoScalingGroup) -> Option<Maintenance> {
    let policy = group.instance_maintenance_policy()?;
    let share = |percent: i32| (percent >= 0).then(|| Share(f64::from(percent) / 100.0));
    Some(Maintenance {
        min_healthy: share(policy.min_healthy_percentage()?)?,
        max_healthy: share(policy.max_healthy_percentage()?)?,
    })
}

fn template(group: &AutoScalingGroup) -> Option<&LaunchTemplateSpecification> {
    group.launch_template().or_else(|| {
        group
            .mixed_instances_policy()?
            .launch_template()?
            .launch_template_specification()
    })
}

/// The template by its id: the files may say it so.
fn launch_also(group: &AutoScalingGroup) -> BTreeMap<String, Value> {
    template(group)
        .and_then(|template| Some((template.launch_template_id()?, template.version())))
        .map(|(id, version)| ("launch_template".to_owned(), with_version(id, version)))
        .into_iter()
        .collect()
}

/// What a `launch` block says, as it is live.
fn launch(group: &AutoScalingGroup) -> BTreeMap<String, Value> {
    let mut attributes = BTreeMap::new();
    if let Some(template) = template(group) {
        attributes.insert("launch_template".to_owned(), template_value(template));
    }
    if let Some(subnets) = group.vpc_zone_identifier().filter(|text| !text.is_empty()) {
        let mut list: Vec<&str> = subnets.split(',').map(str::trim).collect();
        list.sort_unstable();
        attributes.insert("subnets".to_owned(), json!(list));
    }
    // Also where there are none: the files may say so.
    let mut arns: Vec<&String> = group.target_group_arns().iter().collect();
    arns.sort();
    attributes.insert("target_groups".to_owned(), json!(arns));
    let own: BTreeMap<&str, &str> = group
        .tags()
        .iter()
        .filter_map(|tag| Some((tag.key()?, tag.value()?)))
        .filter(|(key, _)| !key.starts_with("tideform:") && !key.starts_with("aws:"))
        .collect();
    attributes.insert("tags".to_owned(), json!(own));
    attributes
}

fn template_value(template: &LaunchTemplateSpecification) -> Value {
    let name = template
        .launch_template_name()
        .or_else(|| template.launch_template_id())
        .unwrap_or_default();
    with_version(name, template.version())
}

fn with_version(name: &str, version: Option<&str>) -> Value {
    match version {
        None | Some("$Default") => json!(name),
        Some(version) => json!(format!("{name}:{version}")),
    }
}

#[cfg(test)]
mod tests {
    use aws_sdk_autoscaling::types::SuspendedProcess;

    use super::*;

    #[test]
    fn only_suspended_launch_and_terminate_stand_in_the_way() {
        let suspended = |name: &str| {
            AutoScalingGroup::builder()
                .suspended_processes(SuspendedProcess::builder().process_name(name).build())
                .build()
        };
        assert_eq!(
            blocked(&suspended("Launch")),
            ["the process Launch is suspended"]
        );
        assert_eq!(blocked(&suspended("Terminate")).len(), 1);
        assert_eq!(blocked(&suspended("AZRebalance")), Vec::<String>::new());
    }

    #[test]
    fn the_first_termination_policy_is_the_order() {
        let of = |list: &[&str]| order(&list.iter().map(|s| (*s).to_owned()).collect::<Vec<_>>());
        assert_eq!(of(&[]), Some(VictimOrder::Default));
        assert_eq!(of(&["Default"]), Some(VictimOrder::Default));
        assert_eq!(of(&["NewestInstance"]), Some(VictimOrder::Newest));
        assert_eq!(
            of(&["OldestInstance", "Default"]),
            Some(VictimOrder::Oldest)
        );
        assert_eq!(of(&["OldestLaunchTemplate"]), None);
    }
}
