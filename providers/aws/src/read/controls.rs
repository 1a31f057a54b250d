//! Policies and scheduled actions of a group, for people and for ownership.

use std::collections::{BTreeMap, BTreeSet};

use aws_sdk_autoscaling::types::{
    MetricType, ScalingPolicy, ScheduledUpdateGroupAction, TargetTrackingConfiguration,
};
use aws_sdk_cloudwatch::types::MetricAlarm;
use tideform_provider::{Control, ControlKind, ItemResult, ProviderError, Settings, Writes};

use super::{ByGroup, ONE_BY_ONE, all, one_by_one};
use crate::client::Clients;
use crate::error::describe;
use crate::native::from_sdk;
use crate::native::model::Native;

const POLICIES: &str = "autoscaling:DescribePolicies";
const ALARMS: &str = "cloudwatch:DescribeAlarms";
/// Most alarms of one call. Source: Amazon CloudWatch API, DescribeAlarms.
const ALARMS_PER_CALL: usize = 100;
const SCHEDULES: &str = "autoscaling:DescribeScheduledActions";
/// Most of either on a page.
const PER_PAGE: i32 = 100;

/// The scaling policies of these groups.
///
/// The alarms of step policies are read with them, 100 a call: a step policy says nothing without its alarm.
pub(super) async fn policies(clients: &Clients, names: BTreeSet<&str>) -> ByGroup<Vec<Control>> {
    if names.len() > ONE_BY_ONE {
        let policies = with_alarms(clients, list_policies(clients, None).await, &names).await;
        return sorted(policies, &names, |(policy, alarms)| {
            Some((
                policy.auto_scaling_group_name()?.to_owned(),
                policy_control(policy, alarms)?,
            ))
        });
    }
    one_by_one(names, |name| async move {
        let policies = list_policies(clients, Some(name)).await;
        let policies = with_alarms(clients, policies, &BTreeSet::from([name])).await?;
        Ok(policies
            .iter()
            .filter_map(|(policy, alarms)| policy_control(policy, alarms))
            .collect())
    })
    .await
}

/// The scheduled actions of these groups.
pub(super) async fn schedules(clients: &Clients, names: BTreeSet<&str>) -> ByGroup<Vec<Control>> {
    if names.len() > ONE_BY_ONE {
        let all = list_schedules(clients, None).await;
        return sorted(all, &names, |action| {
            Some((
                action.auto_scaling_group_name()?.to_owned(),
                schedule_control(action)?,
            ))
        });
    }
    one_by_one(names, |name| async move {
        let actions = list_schedules(clients, Some(name)).await?;
        Ok(actions.iter().filter_map(schedule_control).collect())
    })
    .await
}

/// One listing of the account, by group; a failure is each group's.
fn sorted<T>(
    all: Result<Vec<T>, ProviderError>,
    names: &BTreeSet<&str>,
    control: impl Fn(&T) -> Option<(String, Control)>,
) -> ByGroup<Vec<Control>> {
    let mut found: BTreeMap<String, ItemResult<Vec<Control>>> = BTreeMap::new();
    match all {
        Ok(all) => {
            for (name, control) in all.iter().filter_map(control) {
                if names.contains(name.as_str())
                    && let Ok(list) = found.entry(name).or_insert_with(|| Ok(Vec::new()))
                {
                    list.push(control);
                }
            }
        }
        Err(error) => found.extend(
            names
                .iter()
                .map(|name| ((*name).to_owned(), Err(error.again()))),
        ),
    }
    found
}

/// Each policy of these groups with the alarms that start it, where it is a step policy.
async fn with_alarms(
    clients: &Clients,
    policies: Result<Vec<ScalingPolicy>, ProviderError>,
    groups: &BTreeSet<&str>,
) -> Result<Vec<(ScalingPolicy, Vec<MetricAlarm>)>, ProviderError> {
    let policies: Vec<ScalingPolicy> = policies?
        .into_iter()
        .filter(|policy| {
            policy
                .auto_scaling_group_name()
                .is_some_and(|group| groups.contains(group))
        })
        .collect();
    let names: BTreeSet<String> = policies
        .iter()
        .flat_map(alarm_names)
        .map(str::to_owned)
        .collect();
    let names: Vec<String> = names.into_iter().collect();
    let calls = names
        .chunks(ALARMS_PER_CALL)
        .map(|names| describe_alarms(clients, names))
        .collect();
    let mut alarms: BTreeMap<String, MetricAlarm> = BTreeMap::new();
    for answer in all(calls).await {
        alarms.extend(
            answer?
                .into_iter()
                .filter_map(|alarm| Some((alarm.alarm_name()?.to_owned(), alarm))),
        );
    }
    Ok(policies
        .into_iter()
        .map(|policy| {
            let own = alarm_names(&policy)
                .filter_map(|name| alarms.get(name).cloned())
                .collect();
            (policy, own)
        })
        .collect())
}

/// The alarms of a step policy. Those of target tracking are AWS's own.
fn alarm_names(policy: &ScalingPolicy) -> impl Iterator<Item = &str> {
    let is_step = policy.policy_type() == Some("StepScaling");
    policy
        .alarms()
        .iter()
        .filter_map(|alarm| alarm.alarm_name())
        .filter(move |_| is_step)
}

async fn describe_alarms(
    clients: &Clients,
    names: &[String],
) -> Result<Vec<MetricAlarm>, ProviderError> {
    let answer = clients
        .cloudwatch
        .describe_alarms()
        .set_alarm_names(Some(names.to_vec()))
        .max_records(ALARMS_PER_CALL as i32)
        .send()
        .await
        .map_err(|error| describe(ALARMS, error))?;
    Ok(answer.metric_alarms.unwrap_or_default())
}

async fn list_policies(
    clients: &Clients,
    group: Option<&str>,
) -> Result<Vec<ScalingPolicy>, ProviderError> {
    let mut pages = clients
        .autoscaling
        .describe_policies()
        .set_auto_scaling_group_name(group.map(str::to_owned))
        .max_records(PER_PAGE)
        .into_paginator()
        .items()
        .send();
    let mut policies = Vec::new();
    while let Some(policy) = pages.next().await {
        policies.push(policy.map_err(|error| describe(POLICIES, error))?);
    }
    Ok(policies)
}

async fn list_schedules(
    clients: &Clients,
    group: Option<&str>,
) -> Result<Vec<ScheduledUpdateGroupAction>, ProviderError> {
    let mut pages = clients
        .autoscaling
        .describe_scheduled_actions()
        .set_auto_scaling_group_name(group.map(str::to_owned))
        .max_records(PER_PAGE)
        .into_paginator()
        .items()
        .send();
    let mut actions = Vec::new();
    while let Some(action) = pages.next().await {
        actions.push(action.map_err(|error| describe(SCHEDULES, error))?);
    }
    Ok(actions)
}

fn policy_control(policy: &ScalingPolicy, alarms: &[MetricAlarm]) -> Option<Control> {
    let list: Vec<&MetricAlarm> = alarms.iter().collect();
    // An alarm whose actions are off starts nothing.
    let is_started = policy.policy_type() != Some("StepScaling")
        || alarms.is_empty()
        || alarms
            .iter()
            .any(|alarm| alarm.actions_enabled().unwrap_or(true));
    Some(said(
        Control {
            name: policy.policy_name()?.to_owned(),
            kind: ControlKind::Dynamic,
            enabled: policy.enabled().unwrap_or(true) && is_started,
            summary: policy_summary(policy),
            settings: Settings::new(),
            writes: Writes::default(),
            beyond: None,
        },
        from_sdk::policy(policy, &list),
    ))
}

/// A control with what it says, or why no file can say it.
fn said(control: Control, native: Result<Native, String>) -> Control {
    match native {
        Ok(native) => Control {
            settings: native.settings(),
            ..control
        },
        Err(beyond) => Control {
            beyond: Some(beyond),
            ..control
        },
    }
}

fn policy_summary(policy: &ScalingPolicy) -> String {
    match policy.policy_type() {
        Some("TargetTrackingScaling") => match policy.target_tracking_configuration() {
            Some(tracking) => format!(
                "target tracking, {} at {}",
                tracked_metric(tracking),
                tracking.target_value().unwrap_or_default()
            ),
            None => "target tracking".to_owned(),
        },
        Some("StepScaling") => match policy.step_adjustments().len() {
            1 => "step scaling, 1 step".to_owned(),
            steps => format!("step scaling, {steps} steps"),
        },
        Some("PredictiveScaling") => "predictive scaling".to_owned(),
        Some("SimpleScaling") | None => match policy.scaling_adjustment() {
            Some(adjustment) => format!("simple scaling, {adjustment:+}"),
            None => "simple scaling".to_owned(),
        },
        Some(other) => other.to_owned(),
    }
}

fn tracked_metric(tracking: &TargetTrackingConfiguration) -> String {
    if let Some(predefined) = tracking.predefined_metric_specification() {
        return match predefined.predefined_metric_type() {
            Some(MetricType::AsgAverageCpuUtilization) => "cpu".to_owned(),
            Some(MetricType::AsgAverageNetworkIn) => "network_in".to_owned(),
            Some(MetricType::AsgAverageNetworkOut) => "network_out".to_owned(),
            Some(MetricType::AlbRequestCountPerTarget) => "requests_per_instance".to_owned(),
            Some(other) => other.as_str().to_owned(),
            None => "a metric".to_owned(),
        };
    }
    match tracking.customized_metric_specification() {
        Some(custom) => match (custom.namespace(), custom.metric_name()) {
            (Some(namespace), Some(name)) => format!("{namespace} {name}"),
            _ => "metric math".to_owned(),
        },
        None => "a metric".to_owned(),
    }
}

fn schedule_control(action: &ScheduledUpdateGroupAction) -> Option<Control> {
    Some(said(
        Control {
            name: action.scheduled_action_name()?.to_owned(),
            kind: ControlKind::Schedule,
            enabled: true,
            summary: schedule_summary(action),
            settings: Settings::new(),
            writes: Writes {
                min: action.min_size().and_then(|n| u32::try_from(n).ok()),
                max: action.max_size().and_then(|n| u32::try_from(n).ok()),
            },
            beyond: None,
        },
        from_sdk::scheduled(action),
    ))
}

fn schedule_summary(action: &ScheduledUpdateGroupAction) -> String {
    let mut parts = Vec::new();
    match (action.recurrence(), action.start_time()) {
        (Some(cron), _) => parts.push(format!("`{cron}` {}", action.time_zone().unwrap_or("UTC"))),
        (None, Some(start)) => match crate::times::timestamp(start) {
            Some(start) => parts.push(format!("at {start}")),
            None => parts.push("once".to_owned()),
        },
        (None, None) => {}
    }
    for (name, number) in [
        ("min", action.min_size()),
        ("max", action.max_size()),
        ("desired", action.desired_capacity()),
    ] {
        if let Some(number) = number {
            parts.push(format!("{name} {number}"));
        }
    }
    parts.join(", ")
}
