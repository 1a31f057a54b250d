//! Instances: their state as Auto Scaling sees it, their launch time and lifecycle as EC2 does.

use std::collections::HashMap;

use aws_sdk_autoscaling::types::{AutoScalingGroup, Instance as Member, LifecycleState};
use aws_sdk_ec2::types::{Filter, Instance as Machine, InstanceLifecycleType};
use jiff::Timestamp;
use tideform_policies::model::{Instance, InstanceState, Lifecycle};
use tideform_provider::ProviderError;

use super::all;
use crate::client::Clients;
use crate::error::describe;
use crate::times::timestamp;

const REQUEST: &str = "ec2:DescribeInstances";
/// Most values of one filter. Source: Amazon EC2 API, "Filtering".
const PER_FILTER: usize = 200;
/// Beyond so many instances, all members of groups in the account are listed, 1,000 a page.
const BY_ID: usize = 600;

/// What EC2 knows of an instance.
#[derive(Clone, Copy, Debug)]
pub(super) struct Facts {
    launched_at: Option<Timestamp>,
    lifecycle: Lifecycle,
}

/// By instance id.
pub(super) type Machines = HashMap<String, Facts>;

/// Asks EC2 about the members of these groups.
pub(super) async fn machines(
    clients: &Clients,
    groups: &[&AutoScalingGroup],
) -> Result<Machines, ProviderError> {
    let ids: Vec<String> = groups
        .iter()
        .flat_map(|group| group.instances())
        .filter_map(|instance| Some(instance.instance_id()?.to_owned()))
        .collect();
    let filters: Vec<Filter> = if ids.len() > BY_ID {
        vec![
            Filter::builder()
                .name("tag-key")
                .values("aws:autoscaling:groupName")
                .build(),
        ]
    } else {
        ids.chunks(PER_FILTER)
            .map(|ids| {
                Filter::builder()
                    .name("instance-id")
                    .set_values(Some(ids.to_vec()))
                    .build()
            })
            .collect()
    };
    let answers = all(filters
        .into_iter()
        .map(|filter| list(clients, filter))
        .collect())
    .await;
    let mut machines = Machines::with_capacity(ids.len());
    for answer in answers {
        for machine in answer? {
            let Some(id) = machine.instance_id() else {
                continue;
            };
            let facts = Facts {
                launched_at: machine.launch_time().and_then(timestamp),
                lifecycle: match machine.instance_lifecycle() {
                    Some(InstanceLifecycleType::Spot) => Lifecycle::Spot,
                    _ => Lifecycle::OnDemand,
                },
            };
            machines.insert(id.to_owned(), facts);
        }
    }
    Ok(machines)
}

async fn list(clients: &Clients, filter: Filter) -> Result<Vec<Machine>, ProviderError> {
    let mut pages = clients
        .ec2
        .describe_instances()
        .filters(filter)
        .max_results(1000)
        .into_paginator()
        .send();
    let mut machines = Vec::new();
    while let Some(page) = pages.next().await {
        let page = page.map_err(|error| describe(REQUEST, error))?;
        for reservation in page.reservations.unwrap_or_default() {
            machines.extend(reservation.instances.unwrap_or_default());
        }
    }
    Ok(machines)
}

/// A member in our words; `None` for one that does not count: in standby or in the warm pool.
pub(super) fn instance(member: &Member, machines: &Machines) -> Option<Instance> {
    let id = member.instance_id()?;
    let state = state(member.lifecycle_state()?, member.health_status())?;
    let facts = machines.get(id);
    Some(Instance {
        id: id.into(),
        state,
        launched_at: facts.and_then(|facts| facts.launched_at),
        in_service_at: None,
        ready: None,
        ready_changed_at: None,
        lifecycle: facts.map(|facts| facts.lifecycle).unwrap_or_default(),
        protected: member.protected_from_scale_in().unwrap_or(false),
        instance_type: member.instance_type().map(Into::into),
        weight: member
            .weighted_capacity()
            .and_then(|text| text.parse().ok())
            .unwrap_or(1),
    })
}

/// Where a member is in its life; `None`: it is no part of the capacity.
///
/// Source: Amazon EC2 Auto Scaling User Guide, "Amazon EC2 Auto Scaling instance lifecycle".
pub(crate) fn state(state: &LifecycleState, health: Option<&str>) -> Option<InstanceState> {
    let is_healthy = health.is_none_or(|health| health.eq_ignore_ascii_case("healthy"));
    Some(match state {
        LifecycleState::Pending | LifecycleState::PendingWait | LifecycleState::PendingProceed => {
            InstanceState::Pending
        }
        LifecycleState::InService if is_healthy => InstanceState::InService,
        LifecycleState::InService | LifecycleState::Quarantined => InstanceState::Unhealthy,
        LifecycleState::Terminating
        | LifecycleState::TerminatingWait
        | LifecycleState::TerminatingProceed
        | LifecycleState::Detaching => InstanceState::Draining,
        LifecycleState::Terminated | LifecycleState::Detached => InstanceState::Ended,
        // Standby, and all of the warm pool: not in service, and not part of desired.
        _ => return None,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_lifecycle_state_is_one_of_ours_or_does_not_count() {
        for (theirs, health, ours) in [
            ("Pending", None, Some(InstanceState::Pending)),
            ("Pending:Wait", None, Some(InstanceState::Pending)),
            ("InService", Some("Healthy"), Some(InstanceState::InService)),
            ("InService", Some("HEALTHY"), Some(InstanceState::InService)),
            (
                "InService",
                Some("Unhealthy"),
                Some(InstanceState::Unhealthy),
            ),
            ("Terminating:Wait", None, Some(InstanceState::Draining)),
            ("Detaching", None, Some(InstanceState::Draining)),
            ("Terminated", None, Some(InstanceState::Ended)),
            ("Standby", None, None),
            ("Warmed:Stopped", None, None),
            ("SomethingNew", None, None),
        ] {
            assert_eq!(state(&theirs.into(), health), ours, "{theirs}");
        }
    }
}
