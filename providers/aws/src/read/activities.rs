//! Scaling activities: launches that failed.

use std::collections::BTreeSet;

use aws_sdk_autoscaling::types::{Activity, ScalingActivityStatusCode};
use tideform_policies::model::Lifecycle;
use tideform_provider::FailedLaunch;

use super::{ByGroup, one_by_one};
use crate::client::Clients;
use crate::error::describe;
use crate::times::timestamp;

const REQUEST: &str = "autoscaling:DescribeScalingActivities";

/// The failed launches among the last 100 activities of each group, newest last.
///
/// A launch that worked ends a row of failures: those before it are left out.
pub(super) async fn failed_launches(
    clients: &Clients,
    names: BTreeSet<&str>,
) -> ByGroup<Vec<FailedLaunch>> {
    one_by_one(names, |name| async move {
        let answer = clients
            .autoscaling
            .describe_scaling_activities()
            .auto_scaling_group_name(name)
            .max_records(100)
            .send()
            .await
            .map_err(|error| describe(REQUEST, error))?;
        Ok(failures(answer.activities()))
    })
    .await
}

/// - `activities`: newest first, as the API gives them.
fn failures(activities: &[Activity]) -> Vec<FailedLaunch> {
    let mut failures: Vec<FailedLaunch> = activities
        .iter()
        .filter(|activity| is_launch(activity))
        .take_while(|activity| {
            activity.status_code() != Some(&ScalingActivityStatusCode::Successful)
        })
        .filter(|activity| activity.status_code() == Some(&ScalingActivityStatusCode::Failed))
        .filter_map(|activity| {
            let message = activity.status_message().unwrap_or_default();
            Some(FailedLaunch {
                at: timestamp(activity.start_time()?)?,
                lifecycle: lifecycle(message),
                message: message.to_owned(),
            })
        })
        .collect();
    failures.reverse();
    failures
}

fn is_launch(activity: &Activity) -> bool {
    activity
        .description()
        .is_some_and(|text| text.starts_with("Launching a new EC2 instance"))
}

/// AWS does not say how a launch that failed would have been paid for; its messages name spot where it is about spot.
fn lifecycle(message: &str) -> Lifecycle {
    let text = message.to_ascii_lowercase();
    if text.contains("spot") {
        Lifecycle::Spot
    } else {
        Lifecycle::OnDemand
    }
}

#[cfg(test)]
mod tests {
    use aws_smithy_types::DateTime;

    use super::*;

    fn activity(second: i64, status: &str, description: &str, message: &str) -> Activity {
        Activity::builder()
            .start_time(DateTime::from_secs(second))
            .status_code(status.into())
            .description(description)
            .status_message(message)
            .build()
    }

    #[test]
    fn failures_since_the_last_success_come_newest_last() {
        let launch = "Launching a new EC2 instance";
        let spot = "There is no Spot capacity available that matches your request.";
        let found = failures(&[
            activity(50, "InProgress", launch, ""),
            activity(40, "Failed", launch, spot),
            activity(30, "Successful", "Terminating EC2 instance: i-1", ""),
            activity(
                20,
                "Failed",
                launch,
                "We currently do not have sufficient m5.large capacity",
            ),
            activity(10, "Successful", launch, ""),
            activity(5, "Failed", launch, spot),
        ]);
        let short: Vec<_> = found
            .iter()
            .map(|failure| (failure.at.as_second(), failure.lifecycle))
            .collect();
        assert_eq!(short, [(20, Lifecycle::OnDemand), (40, Lifecycle::Spot)]);
    }
}
