//! Changes to a group's attributes, each only if it is named.

use aws_sdk_autoscaling::types::{AutoScalingGroup, InstanceMaintenancePolicy, Tag};
use tideform_policies::model::{Maintenance, Resource, Share, VictimOrder};
use tideform_provider::{AttributeChange, GroupChange, Owner, ProviderError};

use super::create::{launch_tags, strings, template};
use super::{fresh, hooks, mix, number, seconds, unless_gone, write};
use crate::client::Clients;
use crate::error::describe_write;
use crate::native::put;
use crate::tags;

const UPDATE: &str = "autoscaling:UpdateAutoScalingGroup";
const TAG: &str = "autoscaling:CreateOrUpdateTags";
const UNTAG: &str = "autoscaling:DeleteTags";
const ATTACH: &str = "autoscaling:AttachLoadBalancerTargetGroups";
const SUSPEND: &str = "autoscaling:SuspendProcesses";
const RESUME: &str = "autoscaling:ResumeProcesses";
const DETACH: &str = "autoscaling:DetachLoadBalancerTargetGroups";

/// Carries the changes out: whose the group is, its own fields in one call, then what has calls of its own.
pub(crate) async fn update(clients: &Clients, change: &GroupChange) -> Result<(), ProviderError> {
    let resource = &change.resource;
    let group = fresh(clients, resource).await?;
    let refused = |message: String| ProviderError::Refused {
        request: UPDATE,
        message,
    };
    let new_template = change
        .changes
        .iter()
        .find_map(|attribute| match attribute {
            AttributeChange::Launch(launch) => launch.get("launch_template"),
            _ => None,
        })
        .map(template)
        .transpose()
        .map_err(refused)?;
    let has_mix = change
        .changes
        .iter()
        .any(|attribute| matches!(attribute, AttributeChange::Mix(_)));
    let mut request = clients
        .autoscaling_writer
        .update_auto_scaling_group()
        .auto_scaling_group_name(&*resource.name);
    let mut has_fields = false;
    for attribute in &change.changes {
        request = match attribute {
            AttributeChange::Limits(limits) => {
                // AWS brings desired between them by itself.
                request
                    .min_size(number(limits.min().get()))
                    .max_size(number(limits.max().get()))
            }
            AttributeChange::Warmup(warmup) => request.default_instance_warmup(seconds(*warmup)),
            AttributeChange::Order(order) => {
                request.set_termination_policies(Some(vec![termination_policy(*order).to_owned()]))
            }
            AttributeChange::Mix(wanted) => request
                .mixed_instances_policy(
                    mix::policy(&group, new_template.as_ref(), wanted).map_err(refused)?,
                )
                .set_capacity_rebalance(wanted.rebalance),
            AttributeChange::Maintenance(wanted) => {
                request.instance_maintenance_policy(maintenance(*wanted))
            }
            AttributeChange::Launch(launch) => {
                let mut request = request;
                if let Some(template) = new_template.clone() {
                    request = match group.mixed_instances_policy() {
                        _ if has_mix => request,
                        Some(live) => {
                            request.mixed_instances_policy(mix::with_template(live, template))
                        }
                        None => request.launch_template(template),
                    };
                }
                if let Some(subnets) = launch.get("subnets") {
                    request = request.vpc_zone_identifier(
                        strings("subnets", subnets).map_err(refused)?.join(","),
                    );
                }
                has_fields |=
                    launch.contains_key("launch_template") || launch.contains_key("subnets");
                request
            }
            AttributeChange::Drain(_)
            | AttributeChange::Owner(_)
            | AttributeChange::PutControl(_)
            | AttributeChange::RemoveControl(_)
            | AttributeChange::Pause(_)
            | AttributeChange::SwitchOn(_) => request,
        };
        has_fields |= matches!(
            attribute,
            AttributeChange::Limits(_)
                | AttributeChange::Warmup(_)
                | AttributeChange::Order(_)
                | AttributeChange::Mix(_)
                | AttributeChange::Maintenance(_)
        );
    }
    // First, so that a permission that is given by the tag allows the rest.
    for attribute in &change.changes {
        if let AttributeChange::Owner(Some(owner)) = attribute {
            let answer = tag(clients, resource, owner).await;
            unless_gone(clients, resource, answer).await?;
        }
    }
    if has_fields {
        let answer = write(clients, || async {
            request
                .clone()
                .send()
                .await
                .map_err(|error| describe_write(UPDATE, error))
        })
        .await;
        unless_gone(clients, resource, answer).await?;
    }
    for attribute in &change.changes {
        match attribute {
            AttributeChange::Drain(Some(drain)) => hooks::put(clients, resource, *drain).await?,
            AttributeChange::Drain(None) => hooks::remove(clients, resource).await?,
            AttributeChange::Launch(launch) => {
                if let Some(wanted) = launch.get("target_groups") {
                    let wanted = strings("target_groups", wanted).map_err(refused)?;
                    target_groups(clients, resource, group.target_group_arns(), &wanted).await?;
                }
                if let Some(wanted) = launch.get("tags") {
                    let tags = launch_tags(&resource.name, wanted).map_err(refused)?;
                    let surplus = surplus_tags(&group, &tags);
                    put_tags(clients, tags).await?;
                    delete_tags(clients, resource, &surplus).await?;
                }
            }
            AttributeChange::Limits(_)
            | AttributeChange::Warmup(_)
            | AttributeChange::Order(_)
            | AttributeChange::Mix(_)
            | AttributeChange::Maintenance(_)
            | AttributeChange::Owner(_)
            | AttributeChange::PutControl(_)
            | AttributeChange::RemoveControl(_)
            | AttributeChange::Pause(_)
            | AttributeChange::SwitchOn(_) => {}
        }
    }
    put::change(clients, resource, &change.changes).await?;
    for attribute in &change.changes {
        // After them: what acts again finds everything in its place.
        let all = || PAUSED.iter().map(|&name| name.to_owned()).collect();
        match attribute {
            AttributeChange::Pause(true) => suspend(clients, resource, all()).await?,
            AttributeChange::Pause(false) => resume(clients, resource, all()).await?,
            AttributeChange::SwitchOn(names) => resume(clients, resource, names.clone()).await?,
            _ => {}
        }
    }
    // Last, for the same reason.
    if change.changes.contains(&AttributeChange::Owner(None)) {
        untag(clients, resource).await?;
    }
    Ok(())
}

/// What carries out dynamic policies, and what scheduled actions. Source: Amazon EC2 Auto Scaling user guide, "Types of
/// processes". Predictive scaling heeds neither.
pub(crate) const PAUSED: [&str; 2] = ["AlarmNotification", "ScheduledActions"];

async fn suspend(
    clients: &Clients,
    resource: &Resource,
    names: Vec<String>,
) -> Result<(), ProviderError> {
    write(clients, || async {
        clients
            .autoscaling_writer
            .suspend_processes()
            .auto_scaling_group_name(&*resource.name)
            .set_scaling_processes(Some(names.clone()))
            .send()
            .await
            .map(|_| ())
            .map_err(|error| describe_write(SUSPEND, error))
    })
    .await
}

/// - `names`: none would be all of them to AWS, and is none here.
async fn resume(
    clients: &Clients,
    resource: &Resource,
    names: Vec<String>,
) -> Result<(), ProviderError> {
    if names.is_empty() {
        return Ok(());
    }
    write(clients, || async {
        clients
            .autoscaling_writer
            .resume_processes()
            .auto_scaling_group_name(&*resource.name)
            .set_scaling_processes(Some(names.clone()))
            .send()
            .await
            .map(|_| ())
            .map_err(|error| describe_write(RESUME, error))
    })
    .await
}

/// In whole percent: checked at plan.
pub(super) fn maintenance(wanted: Maintenance) -> InstanceMaintenancePolicy {
    #[allow(clippy::cast_possible_truncation, reason = "0 to 200")]
    let percent = |share: Share| share.percent().round() as i32;
    InstanceMaintenancePolicy::builder()
        .min_healthy_percentage(percent(wanted.min_healthy))
        .max_healthy_percentage(percent(wanted.max_healthy))
        .build()
}

/// AWS's word for an order. Balance between zones comes before it.
pub(super) fn termination_policy(order: VictimOrder) -> &'static str {
    match order {
        VictimOrder::Newest => "NewestInstance",
        VictimOrder::Oldest => "OldestInstance",
        VictimOrder::Default => "Default",
    }
}

/// The owner tags as the API takes them.
pub(super) fn owner_tags(name: &str, owner: &Owner) -> Vec<Tag> {
    tags::of(owner)
        .into_iter()
        .map(|(key, value)| one_tag(name, key, &value, false))
        .collect()
}

pub(super) fn one_tag(name: &str, key: &str, value: &str, propagate: bool) -> Tag {
    Tag::builder()
        .resource_id(name)
        .resource_type("auto-scaling-group")
        .key(key)
        .value(value)
        .propagate_at_launch(propagate)
        .build()
}

async fn tag(clients: &Clients, resource: &Resource, owner: &Owner) -> Result<(), ProviderError> {
    put_tags(clients, owner_tags(&resource.name, owner)).await
}

async fn put_tags(clients: &Clients, tags: Vec<Tag>) -> Result<(), ProviderError> {
    if tags.is_empty() {
        return Ok(());
    }
    write(clients, || async {
        clients
            .autoscaling_writer
            .create_or_update_tags()
            .set_tags(Some(tags.clone()))
            .send()
            .await
            .map_err(|error| describe_write(TAG, error))
    })
    .await?;
    Ok(())
}

async fn untag(clients: &Clients, resource: &Resource) -> Result<(), ProviderError> {
    delete_tags(clients, resource, &[tags::WORKSPACE, tags::STATE]).await
}

/// The keys that the group has and the files do not say; the owner's and AWS's own are neither.
fn surplus_tags<'a>(group: &'a AutoScalingGroup, wanted: &[Tag]) -> Vec<&'a str> {
    group
        .tags()
        .iter()
        .filter_map(|tag| tag.key())
        .filter(|key| !key.starts_with("tideform:") && !key.starts_with("aws:"))
        .filter(|key| !wanted.iter().any(|tag| tag.key() == Some(*key)))
        .collect()
}

async fn delete_tags(
    clients: &Clients,
    resource: &Resource,
    keys: &[&str],
) -> Result<(), ProviderError> {
    if keys.is_empty() {
        return Ok(());
    }
    let tags: Vec<Tag> = keys
        .iter()
        .map(|key| {
            Tag::builder()
                .resource_id(&*resource.name)
                .resource_type("auto-scaling-group")
                .key(*key)
                .build()
        })
        .collect();
    write(clients, || async {
        clients
            .autoscaling_writer
            .delete_tags()
            .set_tags(Some(tags.clone()))
            .send()
            .await
            .map_err(|error| describe_write(UNTAG, error))
    })
    .await?;
    Ok(())
}

/// Attaches what is missing before it detaches what is too much: traffic always has somewhere to go.
async fn target_groups(
    clients: &Clients,
    resource: &Resource,
    live: &[String],
    wanted: &[String],
) -> Result<(), ProviderError> {
    let missing: Vec<String> = wanted
        .iter()
        .filter(|arn| !live.contains(arn))
        .cloned()
        .collect();
    let surplus: Vec<String> = live
        .iter()
        .filter(|arn| !wanted.contains(arn))
        .cloned()
        .collect();
    if !missing.is_empty() {
        write(clients, || async {
            clients
                .autoscaling_writer
                .attach_load_balancer_target_groups()
                .auto_scaling_group_name(&*resource.name)
                .set_target_group_arns(Some(missing.clone()))
                .send()
                .await
                .map_err(|error| describe_write(ATTACH, error))
        })
        .await?;
    }
    if !surplus.is_empty() {
        write(clients, || async {
            clients
                .autoscaling_writer
                .detach_load_balancer_target_groups()
                .auto_scaling_group_name(&*resource.name)
                .set_target_group_arns(Some(surplus.clone()))
                .send()
                .await
                .map_err(|error| describe_write(DETACH, error))
        })
        .await?;
    }
    Ok(())
}
