//! How long target groups let an ending instance finish its requests: to be compared with `scale_in.drain`.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use aws_sdk_autoscaling::types::AutoScalingGroup;
use tideform_provider::{Deregistration, ItemResult};

use super::all;
use crate::client::Clients;
use crate::error::describe;

const REQUEST: &str = "elasticloadbalancing:DescribeTargetGroupAttributes";
const DELAY: &str = "deregistration_delay.timeout_seconds";

/// What was found by ARN, or why it could not be read; `None`: the target group has no such delay.
pub(super) type Delays = BTreeMap<String, ItemResult<Option<Duration>>>;

/// The delays of the target groups of these groups. AWS tells them one target group a call; each is asked for once.
pub(super) async fn delays(clients: &Clients, groups: &[&AutoScalingGroup]) -> Delays {
    let arns: BTreeSet<&str> = groups
        .iter()
        .flat_map(|group| group.target_group_arns())
        .map(String::as_str)
        .collect();
    let calls = arns.iter().map(|arn| delay(clients, arn)).collect();
    let answers = all(calls).await;
    arns.into_iter().map(str::to_owned).zip(answers).collect()
}

async fn delay(clients: &Clients, arn: &str) -> ItemResult<Option<Duration>> {
    let answer = clients
        .elb
        .describe_target_group_attributes()
        .target_group_arn(arn)
        .send()
        .await
        .map_err(|error| describe(REQUEST, error))?;
    Ok(answer
        .attributes()
        .iter()
        .find(|attribute| attribute.key() == Some(DELAY))
        .and_then(|attribute| attribute.value()?.parse().ok())
        .map(Duration::from_secs))
}

/// Those of one group. A delay that cannot be read is said, and stops nothing: nothing but a warning rests on it.
pub(super) fn of(group: &AutoScalingGroup, delays: &Delays) -> Vec<Deregistration> {
    group
        .target_group_arns()
        .iter()
        .filter_map(|arn| {
            let delay = match delays.get(arn)? {
                Ok(delay) => Ok((*delay)?),
                Err(error) => Err(error.to_string()),
            };
            Some(Deregistration {
                target: format!("target group `{}`", name(arn)),
                delay,
            })
        })
        .collect()
}

/// `web` of `arn:aws:elasticloadbalancing:eu-west-1:123456789012:targetgroup/web/73e2d6bc24d8a067`.
fn name(arn: &str) -> &str {
    arn.split('/').nth(1).unwrap_or(arn)
}
