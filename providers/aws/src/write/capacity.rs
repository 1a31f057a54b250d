//! Capacity: an absolute number, or one chosen victim less.

use aws_sdk_autoscaling::types::AutoScalingGroup;
use tideform_policies::model::{InstanceId, InstanceState, Resource};
use tideform_provider::ProviderError;

use super::{fresh, number, unless_gone, write};
use crate::KIND;
use crate::client::Clients;
use crate::error::describe_write;
use crate::read::{instance_state, refresh_under_way};

const SET: &str = "autoscaling:SetDesiredCapacity";
const TERMINATE: &str = "autoscaling:TerminateInstanceInAutoScalingGroup";

/// Asks for a capacity, where nothing stands in the way of it.
pub(crate) async fn set_desired(
    clients: &Clients,
    resource: &Resource,
    desired: u32,
) -> Result<(), ProviderError> {
    let group = fresh(clients, resource).await?;
    let current = group.desired_capacity().unwrap_or(0);
    let wanted = number(desired);
    let (min, max) = (group.min_size().unwrap_or(0), group.max_size().unwrap_or(0));
    if wanted < min || wanted > max {
        return Err(ProviderError::Refused {
            request: SET,
            message: format!(
                "capacity {desired} is outside the group's own limits, {min} to {max}; \
                 `tideform plan` shows who changed them"
            ),
        });
    }
    let process = if wanted > current {
        "Launch"
    } else {
        "Terminate"
    };
    look(clients, &group, resource, SET, process).await?;
    let answer = write(clients, || async {
        clients
            .autoscaling_writer
            .set_desired_capacity()
            .auto_scaling_group_name(&*resource.name)
            .desired_capacity(wanted)
            // Cooldowns are ours; the group's own is about simple scaling policies.
            .honor_cooldown(false)
            .send()
            .await
            .map_err(|error| describe_write(SET, error))
    })
    .await;
    unless_gone(clients, resource, answer).await.map(|_| ())
}

/// Ends one instance and lowers desired by its weight.
pub(crate) async fn terminate_instance(
    clients: &Clients,
    resource: &Resource,
    instance: &InstanceId,
) -> Result<(), ProviderError> {
    let group = fresh(clients, resource).await?;
    let not_found = || ProviderError::NotFound {
        kind: "instance".to_owned(),
        name: instance.to_string(),
    };
    let refused = |message: String| ProviderError::Refused {
        request: TERMINATE,
        message,
    };
    let member = group
        .instances()
        .iter()
        .find(|member| member.instance_id() == Some(&**instance))
        .ok_or_else(not_found)?;
    let state = member
        .lifecycle_state()
        .and_then(|state| instance_state(state, member.health_status()));
    if matches!(state, None | Some(InstanceState::Ended)) {
        return Err(not_found());
    }
    if state == Some(InstanceState::Draining) {
        return Err(refused(format!("{instance} is ending already")));
    }
    if member.protected_from_scale_in() == Some(true) {
        return Err(refused(format!("{instance} is protected from scale-in")));
    }
    let weight: i32 = member
        .weighted_capacity()
        .and_then(|text| text.parse().ok())
        .unwrap_or(1);
    let left = group.desired_capacity().unwrap_or(0) - weight;
    let min = group.min_size().unwrap_or(0);
    if left < min {
        return Err(refused(format!(
            "without {instance} the group would have {left}, below its MinSize of {min}"
        )));
    }
    look(clients, &group, resource, TERMINATE, "Terminate").await?;
    let answer = write(clients, || async {
        clients
            .autoscaling_writer
            .terminate_instance_in_auto_scaling_group()
            .instance_id(&**instance)
            .should_decrement_desired_capacity(true)
            .send()
            .await
            .map_err(|error| describe_write(TERMINATE, error))
    })
    .await;
    unless_gone(clients, resource, answer).await.map(|_| ())
}

/// Looks for what would keep a change from being carried out, or would fight with it.
async fn look(
    clients: &Clients,
    group: &AutoScalingGroup,
    resource: &Resource,
    request: &'static str,
    process: &str,
) -> Result<(), ProviderError> {
    let blocked = |why: String| Err(ProviderError::Blocked { request, why });
    if let Some(status) = group.status() {
        return blocked(format!("the group is being deleted ({status})"));
    }
    let suspended = group
        .suspended_processes()
        .iter()
        .find(|suspended| suspended.process_name() == Some(process));
    if suspended.is_some() {
        return blocked(format!(
            "the process {process} of {KIND} `{}` is suspended; resume it in AWS",
            resource.name
        ));
    }
    match refresh_under_way(clients, &resource.name).await? {
        Some(why) => blocked(why),
        None => Ok(()),
    }
}
