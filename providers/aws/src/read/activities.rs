//! Scaling activities: launches that failed, for the spot fallback.

use std::collections::{BTreeMap, BTreeSet};

use aws_sdk_autoscaling::types::{Activity, Filter, ScalingActivityStatusCode};
use jiff::{SignedDuration, Timestamp};
use tideform_policies::model::{Instance, Lifecycle};
use tideform_provider::{FailedLaunch, ItemResult, LiveMix};

use super::{ByGroup, ONE_BY_ONE, one_by_one};
use crate::client::Clients;
use crate::error::describe;
use crate::times::timestamp;

const REQUEST: &str = "autoscaling:DescribeScalingActivities";
/// Most activities of a call.
const PER_PAGE: i32 = 100;
/// How far the listing of an account goes back. Auto Scaling tries a launch that failed again within minutes.
const LOOK_BACK: SignedDuration = SignedDuration::from_hours(1);
/// One page of the account's listing for so many groups, at most: a busy account costs no more calls than asking for
/// a few groups at a time would.
const GROUPS_PER_PAGE: usize = 10;

/// A launch that has ended.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Launch {
    at: Timestamp,
    /// The instance's id, if its description names one, or why there is none.
    outcome: Result<String, String>,
}

/// The last launches of each group, newest first.
///
/// Few groups are asked for one by one, 100 activities each. For many the whole account is listed: newest first, an hour
/// back, and no further than the calls that it saves.
pub(super) async fn launches(
    clients: &Clients,
    names: BTreeSet<&str>,
    now: Timestamp,
) -> ByGroup<Vec<Launch>> {
    if names.len() > ONE_BY_ONE {
        return list(clients, &names, now).await;
    }
    one_by_one(names, |name| async move {
        let answer = clients
            .autoscaling
            .describe_scaling_activities()
            .auto_scaling_group_name(name)
            .max_records(PER_PAGE)
            .send()
            .await
            .map_err(|error| describe(REQUEST, error))?;
        Ok(answer.activities().iter().filter_map(launch).collect())
    })
    .await
}

async fn list(clients: &Clients, names: &BTreeSet<&str>, now: Timestamp) -> ByGroup<Vec<Launch>> {
    let since = now.saturating_sub(LOOK_BACK).unwrap_or(Timestamp::MIN);
    let filter = Filter::builder()
        .name("StartTimeLowerBound")
        .values(format!("{since:.0}"))
        .build();
    let mut pages = clients
        .autoscaling
        .describe_scaling_activities()
        .filters(filter)
        .max_records(PER_PAGE)
        .into_paginator()
        .send();
    let mut found: BTreeMap<String, ItemResult<Vec<Launch>>> = BTreeMap::new();
    for _ in 0..names.len().div_ceil(GROUPS_PER_PAGE) {
        let Some(page) = pages.next().await else {
            break;
        };
        let page = match page {
            Ok(page) => page,
            Err(error) => {
                let error = describe(REQUEST, error);
                return names
                    .iter()
                    .map(|name| ((*name).to_owned(), Err(error.again())))
                    .collect();
            }
        };
        for activity in page.activities() {
            if let Some(name) = activity.auto_scaling_group_name()
                && names.contains(name)
                && let Some(launch) = launch(activity)
                && let Ok(list) = found
                    .entry(name.to_owned())
                    .or_insert_with(|| Ok(Vec::new()))
            {
                list.push(launch);
            }
        }
    }
    found
}

fn launch(activity: &Activity) -> Option<Launch> {
    let text = activity
        .description()?
        .strip_prefix("Launching a new EC2 instance")?;
    let outcome = match activity.status_code()? {
        ScalingActivityStatusCode::Successful => Ok(text.trim_start_matches(':').trim().to_owned()),
        ScalingActivityStatusCode::Failed => {
            Err(activity.status_message().unwrap_or_default().to_owned())
        }
        _ => return None,
    };
    Some(Launch {
        at: timestamp(activity.start_time()?)?,
        outcome,
    })
}

/// The failures in a row, newest last.
///
/// A launch that worked ends the row: those before it are left out. One that is known to have been on demand does not:
/// a group's on-demand part goes on growing while its spot part fails.
///
/// - `launches`: newest first.
/// - `mix`: the group's, as it is live.
pub(super) fn failures(
    launches: &[Launch],
    mix: Option<&LiveMix>,
    instances: &[Instance],
) -> Vec<FailedLaunch> {
    let on_demand: BTreeSet<&str> = instances
        .iter()
        .filter(|instance| instance.lifecycle == Lifecycle::OnDemand)
        .map(|instance| &*instance.id)
        .collect();
    let has_spot = mix.is_some_and(|mix| mix.spot.fraction() > 0.0);
    let mut failures: Vec<FailedLaunch> = launches
        .iter()
        .take_while(|launch| match &launch.outcome {
            Ok(id) => has_spot && on_demand.contains(id.as_str()),
            Err(_) => true,
        })
        .filter_map(|launch| {
            let message = launch.outcome.as_ref().err()?;
            Some(FailedLaunch {
                at: launch.at,
                lifecycle: lifecycle(message, mix),
                message: message.clone(),
            })
        })
        .collect();
    failures.reverse();
    failures
}

/// AWS does not say how a launch that failed would have been paid for. A group without spot can only have failed on
/// demand, and one of spot alone only on spot; in others the messages name spot where it is about spot.
fn lifecycle(message: &str, mix: Option<&LiveMix>) -> Lifecycle {
    match mix {
        None => Lifecycle::OnDemand,
        Some(mix) if mix.spot.fraction() <= 0.0 => Lifecycle::OnDemand,
        Some(mix) if mix.spot.fraction() >= 1.0 && mix.on_demand_base == 0 => Lifecycle::Spot,
        Some(_) if message.to_ascii_lowercase().contains("spot") => Lifecycle::Spot,
        Some(_) => Lifecycle::OnDemand,
    }
}

#[cfg(test)]
mod tests {
    use aws_smithy_types::DateTime;
    use tideform_policies::model::{InstanceState, Share};

    use super::*;

    const SPOT: &str = "There is no Spot capacity available that matches your request.";
    const DEMAND: &str = "We currently do not have sufficient m5.large capacity";

    fn activity(second: i64, status: &str, description: &str, message: &str) -> Option<Launch> {
        launch(
            &Activity::builder()
                .start_time(DateTime::from_secs(second))
                .status_code(status.into())
                .description(description)
                .status_message(message)
                .build(),
        )
    }

    fn mix(base: u32, spot: f64) -> LiveMix {
        LiveMix {
            on_demand_base: base,
            spot: Share(spot),
            types: Vec::new(),
            allocation: None,
            rebalance: None,
        }
    }

    fn instance(id: &str, lifecycle: Lifecycle) -> Instance {
        Instance {
            id: id.into(),
            state: InstanceState::InService,
            launched_at: None,
            in_service_at: None,
            ready: None,
            ready_changed_at: None,
            lifecycle,
            protected: false,
            instance_type: None,
            weight: 1,
        }
    }

    fn short(launches: &[Launch], mix: Option<&LiveMix>) -> Vec<(i64, Lifecycle)> {
        let instances = [
            instance("i-demand", Lifecycle::OnDemand),
            instance("i-spot", Lifecycle::Spot),
        ];
        failures(launches, mix, &instances)
            .iter()
            .map(|failure| (failure.at.as_second(), failure.lifecycle))
            .collect()
    }

    #[test]
    fn failures_since_the_last_success_come_newest_last() {
        const LAUNCH: &str = "Launching a new EC2 instance";
        let seen: Vec<Launch> = [
            activity(50, "InProgress", LAUNCH, ""),
            activity(40, "Failed", LAUNCH, SPOT),
            activity(30, "Successful", "Terminating EC2 instance: i-1", ""),
            activity(20, "Failed", LAUNCH, DEMAND),
            activity(10, "Successful", LAUNCH, ""),
            activity(5, "Failed", LAUNCH, SPOT),
        ]
        .into_iter()
        .flatten()
        .collect();
        use Lifecycle::{OnDemand, Spot};
        for (mix, expected) in [
            (None, [(20, OnDemand), (40, OnDemand)]),
            (Some(mix(1, 0.0)), [(20, OnDemand), (40, OnDemand)]),
            (Some(mix(1, 0.5)), [(20, OnDemand), (40, Spot)]),
            (Some(mix(1, 1.0)), [(20, OnDemand), (40, Spot)]),
            (Some(mix(0, 1.0)), [(20, Spot), (40, Spot)]),
        ] {
            assert_eq!(short(&seen, mix.as_ref()), expected, "{mix:?}");
        }
    }

    #[test]
    fn a_launch_on_demand_does_not_end_a_row_of_failures_on_spot() {
        let row = |worked: &str| -> Vec<Launch> {
            let worked = format!("Launching a new EC2 instance: {worked}");
            [
                activity(30, "Failed", "Launching a new EC2 instance.", SPOT),
                activity(20, "Successful", &worked, ""),
                activity(10, "Failed", "Launching a new EC2 instance.", SPOT),
            ]
            .into_iter()
            .flatten()
            .collect()
        };
        for (worked, expected) in [
            ("i-demand", vec![10, 30]),
            ("i-spot", vec![30]),
            // Gone by now: nobody knows.
            ("i-gone", vec![30]),
        ] {
            let found = short(&row(worked), Some(&mix(1, 0.5)));
            let times: Vec<i64> = found.iter().map(|(at, _)| *at).collect();
            assert_eq!(times, expected, "{worked}");
        }
    }
}
