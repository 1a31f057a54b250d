//! How many instances a group had, from its scaling activities: for histories of groups that do not measure themselves.
//!
//! Auto Scaling keeps the activities of six weeks. What is in service now, less what came since, plus what went since, is
//! what was there. Source: Amazon EC2 Auto Scaling User Guide, "Verify a scaling activity for an Auto Scaling group".

use aws_sdk_autoscaling::types::{
    Activity, AutoScalingGroup, LifecycleState, ScalingActivityStatusCode,
};
use jiff::{SignedDuration, Timestamp};
use tideform_policies::model::Sample;
use tideform_provider::{ItemResult, MetricRequest};

use crate::client::Clients;
use crate::error::describe;
use crate::times::timestamp;

const REQUEST: &str = "autoscaling:DescribeScalingActivities";
/// Most activities of a call.
const PER_PAGE: i32 = 100;
/// Pages that are read of one group; where it has more, the time before them is not known.
const MOST_PAGES: usize = 20;
/// How long activities are kept.
const KEPT: SignedDuration = SignedDuration::from_hours(42 * 24);

/// A change of how many there are.
type Change = (Timestamp, i64);

/// The mean of the instances in service in each period of a request; nothing where the group does not exist.
pub(super) async fn samples(
    clients: &Clients,
    live: Option<&ItemResult<Option<AutoScalingGroup>>>,
    request: &MetricRequest,
) -> ItemResult<Vec<Sample>> {
    let live = match live {
        Some(Ok(Some(live))) => live,
        Some(Err(error)) => return Err(error.again()),
        Some(Ok(None)) | None => return Ok(Vec::new()),
    };
    let mut pages = clients
        .autoscaling
        .describe_scaling_activities()
        .set_auto_scaling_group_name(live.auto_scaling_group_name.clone())
        .max_records(PER_PAGE)
        .into_paginator()
        .send();
    let mut changes: Vec<Change> = Vec::new();
    let mut known_from = request.to.saturating_sub(KEPT).unwrap_or(Timestamp::MIN);
    for page in 1..=MOST_PAGES {
        let Some(answer) = pages.next().await else {
            break;
        };
        let answer = answer.map_err(|error| describe(REQUEST, error))?;
        changes.extend(answer.activities().iter().filter_map(change));
        // Newest first, by their start; an end is later.
        let oldest = answer
            .activities()
            .last()
            .and_then(|last| last.start_time());
        let oldest = oldest.and_then(timestamp).unwrap_or(request.from);
        if oldest < request.from {
            break;
        }
        if page == MOST_PAGES {
            known_from = known_from.max(oldest);
        }
    }
    let created = live.created_time().and_then(timestamp);
    let known_from = known_from.max(created.unwrap_or(Timestamp::MIN));
    Ok(means(in_service(live), changes, known_from, request))
}

fn in_service(group: &AutoScalingGroup) -> i64 {
    let instances = group.instances().iter();
    let in_service = instances.filter(|i| i.lifecycle_state() == Some(&LifecycleState::InService));
    i64::try_from(in_service.count()).unwrap_or(0)
}

/// What an activity did to the number in service, and when; `None`: nothing.
fn change(activity: &Activity) -> Option<Change> {
    /// How descriptions begin. What goes into a warm pool, or comes from there, has other words.
    const COME: [&str; 3] = [
        "Launching a new EC2 instance:",
        "Attaching an existing EC2 instance:",
        "Moving EC2 instance out of Standby:",
    ];
    const GO: [&str; 3] = [
        "Terminating EC2 instance:",
        "Detaching EC2 instance:",
        "Moving EC2 instance to Standby:",
    ];
    let text = activity.description()?;
    let begins = |words: [&str; 3]| words.iter().any(|words| text.starts_with(words));
    match activity.status_code()? {
        ScalingActivityStatusCode::Failed | ScalingActivityStatusCode::Cancelled => None,
        ScalingActivityStatusCode::Successful if begins(COME) => {
            Some((timestamp(activity.end_time()?)?, 1))
        }
        // It serves no more as soon as that begins.
        _ if begins(GO) => Some((timestamp(activity.start_time()?)?, -1)),
        _ => None,
    }
}

/// The mean of each period that ends in the request's time and is known as a whole.
fn means(
    now: i64,
    mut changes: Vec<Change>,
    known_from: Timestamp,
    request: &MetricRequest,
) -> Vec<Sample> {
    changes.sort_unstable();
    let step = i64::try_from(request.period.as_secs())
        .unwrap_or(i64::MAX)
        .max(1);
    let first = known_from.max(request.from).as_second();
    let begin = first + (-first).rem_euclid(step);
    let mut start = begin;
    let mut count = now
        - changes
            .iter()
            .filter(|(at, _)| at.as_second() >= begin)
            .map(|(_, by)| by)
            .sum::<i64>();
    let mut left = changes
        .iter()
        .skip_while(|(at, _)| at.as_second() < begin)
        .peekable();
    let mut samples = Vec::new();
    while start.saturating_add(step) <= request.to.as_second() {
        let end = start + step;
        let (mut sum, mut from) = (0, start);
        while let Some((at, by)) = left.next_if(|(at, _)| at.as_second() < end) {
            sum += count.max(0) * (at.as_second() - from);
            from = at.as_second();
            count += by;
        }
        sum += count.max(0) * (end - from);
        if let Ok(at) = Timestamp::from_second(end) {
            let value = sum as f64 / step as f64;
            samples.push(Sample { at, value });
        }
        start = end;
    }
    samples
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use tideform_policies::model::{MetricQuery, Statistic};

    use super::*;

    fn at(second: i64) -> Timestamp {
        Timestamp::from_second(second).unwrap()
    }

    fn request(from: i64, to: i64) -> MetricRequest {
        MetricRequest {
            resource: None,
            query: MetricQuery {
                provider: None,
                name: "instances".to_owned(),
                namespace: None,
                dimensions: std::collections::BTreeMap::new(),
                query: None,
            },
            statistic: Statistic::Average,
            period: Duration::from_secs(60),
            from: at(from),
            to: at(to),
            per_instance: false,
        }
    }

    fn values(now: i64, changes: &[(i64, i64)], known: i64, from: i64, to: i64) -> Vec<(i64, f64)> {
        let changes = changes.iter().map(|(second, by)| (at(*second), *by));
        means(now, changes.collect(), at(known), &request(from, to))
            .into_iter()
            .map(|sample| (sample.at.as_second(), sample.value))
            .collect()
    }

    #[test]
    fn what_was_there_is_what_is_there_without_what_came_since() {
        // Two came at 90 s, one went at 180 s; four are there now.
        let changes = [(180, -1), (90, 1), (90, 1)];
        assert_eq!(
            values(4, &changes, 0, 0, 300),
            [(60, 3.0), (120, 4.0), (180, 5.0), (240, 4.0), (300, 4.0)]
        );
        // Later than what was asked for counts too; a period that is cut is none.
        assert_eq!(values(4, &changes, 0, 0, 110), [(60, 3.0)]);
        assert_eq!(values(4, &changes, 61, 0, 240), [(180, 5.0), (240, 4.0)]);
        // Records that do not fit together are never fewer than none.
        assert_eq!(values(0, &[(70, 1)], 0, 0, 60), [(60, 0.0)]);
    }

    #[test]
    fn what_failed_or_concerns_a_warm_pool_changes_nothing() {
        let activity = |text: &str, status: ScalingActivityStatusCode| {
            let time = aws_smithy_types::DateTime::from_secs;
            let activity = Activity::builder()
                .description(text)
                .status_code(status)
                .start_time(time(100))
                .end_time(time(160));
            change(&activity.build()).map(|(at, by)| (at.as_second(), by))
        };
        use ScalingActivityStatusCode::{Failed, InProgress, Successful};
        for (text, status, expected) in [
            (
                "Launching a new EC2 instance: i-1",
                Successful,
                Some((160, 1)),
            ),
            ("Launching a new EC2 instance: i-1", InProgress, None),
            (
                "Launching a new EC2 instance.  Status Reason: none",
                Failed,
                None,
            ),
            (
                "Launching a new EC2 instance into warm pool: i-1",
                Successful,
                None,
            ),
            ("Terminating EC2 instance: i-1", InProgress, Some((100, -1))),
            ("Terminating EC2 instance: i-1", Failed, None),
            (
                "Moving EC2 instance to Standby: i-1",
                Successful,
                Some((100, -1)),
            ),
        ] {
            assert_eq!(activity(text, status), expected, "{text}");
        }
    }
}
