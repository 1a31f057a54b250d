//! Makes, changes and removes controls.

use std::collections::BTreeSet;

use aws_sdk_autoscaling::types::{ScalingPolicy, ScheduledUpdateGroupActionRequest};
use aws_sdk_cloudwatch::types::MetricAlarm;
use tideform_policies::model::Resource;
use tideform_provider::{AttributeChange, ControlKind, ControlSpec, ProviderError};

use super::model::{AlarmSpec, MathTerm, Measured, Native, Scheduled, SeriesSpec};
use super::to_sdk;
use crate::client::Clients;
use crate::error::{describe, describe_write};
use crate::write::write;

const PUT_POLICY: &str = "autoscaling:PutScalingPolicy";
const DELETE_POLICY: &str = "autoscaling:DeletePolicy";
const PUT_SCHEDULES: &str = "autoscaling:BatchPutScheduledUpdateGroupAction";
const DELETE_SCHEDULES: &str = "autoscaling:BatchDeleteScheduledAction";
/// Most scheduled actions of one call, and most names of one question. Source: Amazon EC2 Auto Scaling API.
const SCHEDULES_PER_CALL: usize = 50;
/// Most of either on a page.
const PER_PAGE: i32 = 100;
const PUT_ALARM: &str = "cloudwatch:PutMetricAlarm";
const DELETE_ALARMS: &str = "cloudwatch:DeleteAlarms";
const DESCRIBE_POLICIES: &str = "autoscaling:DescribePolicies";
const DESCRIBE_ALARMS: &str = "cloudwatch:DescribeAlarms";
const ENABLE_METRICS: &str = "autoscaling:EnableMetricsCollection";

fn said(spec: &ControlSpec) -> Result<Native, ProviderError> {
    Native::of(&spec.settings).map_err(|error| ProviderError::Refused {
        request: PUT_POLICY,
        message: format!(
            "the plan's `{}` cannot be read: {error}; plan again",
            spec.name
        ),
    })
}

/// Carries out the changes that are controls, in their order; neighbors of a kind go together.
pub(crate) async fn change(
    clients: &Clients,
    resource: &Resource,
    changes: &[AttributeChange],
) -> Result<(), ProviderError> {
    let mut rest = changes;
    while let Some(first) = rest.first() {
        let mut count = 1;
        match first {
            AttributeChange::PutControl(spec) if spec.kind == ControlKind::Schedule => {
                let mut actions = Vec::new();
                for change in rest {
                    match change {
                        AttributeChange::PutControl(spec) => match said(spec)? {
                            Native::Scheduled(scheduled) => {
                                actions.push((spec.name.as_str(), scheduled));
                            }
                            _ => break,
                        },
                        _ => break,
                    }
                }
                count = actions.len().max(1);
                put_schedules(clients, resource, &actions).await?;
            }
            AttributeChange::PutControl(spec) => put(clients, resource, spec).await?,
            AttributeChange::RemoveControl(_) => {
                let names: Vec<&str> = rest
                    .iter()
                    .map_while(|change| match change {
                        AttributeChange::RemoveControl(name) => Some(name.as_str()),
                        _ => None,
                    })
                    .collect();
                count = names.len();
                remove(clients, resource, &names).await?;
            }
            _ => {}
        }
        rest = rest.get(count..).unwrap_or_default();
    }
    Ok(())
}

/// Makes a control, or changes it to say this.
async fn put(
    clients: &Clients,
    resource: &Resource,
    spec: &ControlSpec,
) -> Result<(), ProviderError> {
    let native = said(spec)?;
    if let Native::Scheduled(scheduled) = native {
        return put_schedules(clients, resource, &[(&spec.name, scheduled)]).await;
    }
    let names = own_metrics(&native);
    if !names.is_empty() {
        enable_metrics(clients, resource, names).await?;
    }
    // An adopted policy keeps what no file says of it.
    let there = if is_ours(&spec.name) {
        None
    } else {
        find_policy(clients, resource, &spec.name).await?
    };
    let request = clients
        .autoscaling_writer
        .put_scaling_policy()
        .auto_scaling_group_name(&*resource.name)
        .policy_name(&spec.name)
        .set_estimated_instance_warmup(
            there
                .filter(|_| !matches!(native, Native::PredictiveScaling(_)))
                .and_then(|policy| policy.estimated_instance_warmup()),
        )
        .enabled(true);
    let request = match &native {
        Native::TargetTracking(tracking) => request
            .policy_type("TargetTrackingScaling")
            .target_tracking_configuration(to_sdk::tracking(tracking)),
        Native::StepScaling(stepping) => request
            .policy_type("StepScaling")
            .adjustment_type(&stepping.adjustment)
            .set_min_adjustment_magnitude(stepping.min_adjustment)
            .metric_aggregation_type("Average")
            .set_step_adjustments(Some(to_sdk::steps(stepping))),
        Native::PredictiveScaling(predicting) => request
            .policy_type("PredictiveScaling")
            .predictive_scaling_configuration(to_sdk::prediction(predicting)),
        Native::Scheduled(_) => return Ok(()),
    };
    let answer = write(clients, || async {
        request
            .clone()
            .send()
            .await
            .map_err(|error| describe_write(PUT_POLICY, error))
    })
    .await?;
    if let Native::StepScaling(stepping) = &native
        && let Some(alarm) = &stepping.alarm
    {
        let arn = answer
            .policy_arn()
            .ok_or_else(|| ProviderError::OutcomeUnknown {
                request: PUT_POLICY,
                source: "the answer has no ARN of the policy".into(),
            })?;
        put_alarm(clients, &spec.name, arn, alarm).await?;
    }
    Ok(())
}

/// Whether tideform made what has this name.
fn is_ours(name: &str) -> bool {
    name.starts_with("tideform/")
}

async fn find_policy(
    clients: &Clients,
    resource: &Resource,
    name: &str,
) -> Result<Option<ScalingPolicy>, ProviderError> {
    let answer = clients
        .autoscaling
        .describe_policies()
        .auto_scaling_group_name(&*resource.name)
        .policy_names(name)
        .send()
        .await
        .map_err(|error| describe(DESCRIBE_POLICIES, error))?;
    Ok(answer
        .scaling_policies
        .unwrap_or_default()
        .into_iter()
        .next())
}

async fn find_alarms(
    clients: &Clients,
    names: Vec<String>,
) -> Result<Vec<MetricAlarm>, ProviderError> {
    if names.is_empty() {
        return Ok(Vec::new());
    }
    let answer = clients
        .cloudwatch
        .describe_alarms()
        .set_alarm_names(Some(names))
        .send()
        .await
        .map_err(|error| describe(DESCRIBE_ALARMS, error))?;
    Ok(answer.metric_alarms.unwrap_or_default())
}

async fn put_alarm(
    clients: &Clients,
    policy: &str,
    action: &str,
    alarm: &AlarmSpec,
) -> Result<(), ProviderError> {
    let name = alarm.name.as_deref().unwrap_or(policy);
    // A request replaces the whole alarm: what else an adopted one does, as telling somebody, stays.
    let there = if is_ours(name) {
        None
    } else {
        find_alarms(clients, vec![name.to_owned()]).await?.pop()
    };
    let mut actions = vec![action.to_owned()];
    let request = clients
        .cloudwatch_writer
        .put_metric_alarm()
        .alarm_name(name);
    let request = match there {
        None => request.alarm_description("Made by tideform: change it in its files."),
        Some(there) => {
            actions.extend(
                there
                    .alarm_actions()
                    .iter()
                    .filter(|known| *known != action)
                    .cloned(),
            );
            request
                .set_alarm_description(there.alarm_description)
                .set_ok_actions(there.ok_actions)
                .set_insufficient_data_actions(there.insufficient_data_actions)
                .set_evaluate_low_sample_count_percentile(
                    there.evaluate_low_sample_count_percentile,
                )
        }
    };
    let request = request
        .set_alarm_actions(Some(actions))
        .actions_enabled(true)
        .comparison_operator(alarm.comparison.as_str().into())
        .threshold(alarm.threshold)
        .evaluation_periods(alarm.periods)
        .datapoints_to_alarm(alarm.breaching)
        .treat_missing_data(&alarm.missing);
    let request = match &alarm.metric {
        Measured::Series(series) => {
            let request = request
                .namespace(&series.namespace)
                .metric_name(&series.name)
                .set_dimensions(Some(to_sdk::cw_dimensions(&series.dimensions)))
                .period(series.period_s.unwrap_or(60));
            if series.statistic.starts_with('p') {
                request.extended_statistic(&series.statistic)
            } else {
                request.statistic(series.statistic.as_str().into())
            }
        }
        Measured::Math(queries) => request.set_metrics(Some(to_sdk::alarm_queries(queries))),
        Measured::Predefined { name, .. } => {
            return Err(ProviderError::Refused {
                request: PUT_ALARM,
                message: format!("an alarm cannot look at the predefined metric {name}"),
            });
        }
    };
    write(clients, || async {
        request
            .clone()
            .send()
            .await
            .map_err(|error| describe_write(PUT_ALARM, error))
    })
    .await?;
    Ok(())
}

/// Makes scheduled actions, or changes them, many a call.
///
/// # Errors
/// The first that AWS refused. One whose time has passed meanwhile is none: there is nothing left for it to do.
async fn put_schedules(
    clients: &Clients,
    resource: &Resource,
    actions: &[(&str, Scheduled)],
) -> Result<(), ProviderError> {
    for actions in actions.chunks(SCHEDULES_PER_CALL) {
        let requests: Vec<ScheduledUpdateGroupActionRequest> = actions
            .iter()
            .map(|(name, scheduled)| {
                ScheduledUpdateGroupActionRequest::builder()
                    .scheduled_action_name(*name)
                    .set_recurrence(scheduled.cron.clone())
                    .set_time_zone(scheduled.timezone.clone())
                    .set_start_time(to_sdk::start(scheduled))
                    .set_min_size(scheduled.min)
                    .set_max_size(scheduled.max)
                    .build()
            })
            .collect();
        let answer = write(clients, || async {
            clients
                .autoscaling_writer
                .batch_put_scheduled_update_group_action()
                .auto_scaling_group_name(&*resource.name)
                .set_scheduled_update_group_actions(Some(requests.clone()))
                .send()
                .await
                .map_err(|error| describe_write(PUT_SCHEDULES, error))
        })
        .await?;
        let is_past = |name: &str| {
            actions.iter().any(|(other, scheduled)| {
                *other == name && scheduled.at.is_some_and(|at| at <= clients.clock.now())
            })
        };
        let refused = answer
            .failed_scheduled_update_group_actions()
            .iter()
            .find(|failed| !failed.scheduled_action_name().is_some_and(is_past));
        if let Some(refused) = refused {
            return Err(ProviderError::Refused {
                request: PUT_SCHEDULES,
                message: format!(
                    "`{}` of `{}`: {}",
                    refused.scheduled_action_name().unwrap_or_default(),
                    resource.name,
                    refused
                        .error_message()
                        .or(refused.error_code())
                        .unwrap_or("no reason given"),
                ),
            });
        }
    }
    Ok(())
}

/// The alarms that only start this step policy.
async fn alarms_of(
    clients: &Clients,
    policy: &ScalingPolicy,
) -> Result<Vec<String>, ProviderError> {
    if policy.policy_type() != Some("StepScaling") {
        return Ok(Vec::new());
    }
    let names: Vec<String> = policy
        .alarms()
        .iter()
        .filter_map(|alarm| alarm.alarm_name().map(str::to_owned))
        .collect();
    let alarms = find_alarms(clients, names).await?;
    Ok(alarms
        .iter()
        .filter(|alarm| {
            let does_nothing_else = alarm.ok_actions().is_empty()
                && alarm.insufficient_data_actions().is_empty()
                && alarm
                    .alarm_actions()
                    .iter()
                    .all(|action| Some(action.as_str()) == policy.policy_arn());
            does_nothing_else || alarm.alarm_name().is_some_and(is_ours)
        })
        .filter_map(|alarm| alarm.alarm_name().map(str::to_owned))
        .collect())
}

/// The metrics of the group itself that a policy looks at: they are only there where they were switched on.
fn own_metrics(native: &Native) -> BTreeSet<String> {
    fn of(measured: &Measured) -> Vec<&SeriesSpec> {
        match measured {
            Measured::Predefined { .. } => Vec::new(),
            Measured::Series(series) => vec![series],
            Measured::Math(queries) => queries
                .iter()
                .filter_map(|query| match &query.what {
                    MathTerm::Series(series) => Some(series),
                    MathTerm::Expression(_) => None,
                })
                .collect(),
        }
    }
    let all = match native {
        Native::TargetTracking(tracking) => of(&tracking.metric),
        Native::StepScaling(stepping) => stepping
            .alarm
            .as_ref()
            .map(|alarm| of(&alarm.metric))
            .unwrap_or_default(),
        Native::PredictiveScaling(predicting) => [
            Some(&predicting.load),
            predicting.scaling.as_ref(),
            predicting.capacity.as_ref(),
        ]
        .into_iter()
        .flatten()
        .flat_map(of)
        .collect(),
        Native::Scheduled(_) => Vec::new(),
    };
    all.into_iter()
        .filter(|series| series.namespace == "AWS/AutoScaling")
        .map(|series| series.name.clone())
        .collect()
}

async fn enable_metrics(
    clients: &Clients,
    resource: &Resource,
    names: BTreeSet<String>,
) -> Result<(), ProviderError> {
    write(clients, || async {
        clients
            .autoscaling_writer
            .enable_metrics_collection()
            .auto_scaling_group_name(&*resource.name)
            .granularity("1Minute")
            .set_metrics(Some(names.iter().cloned().collect()))
            .send()
            .await
            .map_err(|error| describe_write(ENABLE_METRICS, error))
    })
    .await?;
    Ok(())
}

/// Removes policies with their alarms, and scheduled actions, by name. What is not there any more is removed.
async fn remove(
    clients: &Clients,
    resource: &Resource,
    names: &[&str],
) -> Result<(), ProviderError> {
    for names in names.chunks(SCHEDULES_PER_CALL) {
        let wanted = || Some(names.iter().map(|&name| name.to_owned()).collect());
        let policies = clients
            .autoscaling
            .describe_policies()
            .auto_scaling_group_name(&*resource.name)
            .set_policy_names(wanted())
            .max_records(PER_PAGE)
            .send()
            .await
            .map_err(|error| describe(DESCRIBE_POLICIES, error))?;
        for policy in policies.scaling_policies() {
            remove_policy(clients, resource, policy).await?;
        }
        if policies.scaling_policies().len() == names.len() {
            continue;
        }
        let schedules = clients
            .autoscaling
            .describe_scheduled_actions()
            .auto_scaling_group_name(&*resource.name)
            .set_scheduled_action_names(wanted())
            .max_records(PER_PAGE)
            .send()
            .await
            .map_err(|error| describe("autoscaling:DescribeScheduledActions", error))?;
        let there: Vec<String> = schedules
            .scheduled_update_group_actions()
            .iter()
            .filter_map(|action| action.scheduled_action_name().map(str::to_owned))
            .collect();
        if !there.is_empty() {
            // One that acts for the last time meanwhile is gone too, so what could not be removed is removed.
            write(clients, || async {
                clients
                    .autoscaling_writer
                    .batch_delete_scheduled_action()
                    .auto_scaling_group_name(&*resource.name)
                    .set_scheduled_action_names(Some(there.clone()))
                    .send()
                    .await
                    .map_err(|error| describe_write(DELETE_SCHEDULES, error))
            })
            .await?;
        }
    }
    Ok(())
}

/// An alarm goes with its policy where it does nothing else; one that also tells somebody stays.
///
/// The alarms go first: without the policy nobody would find them again, after a call that was lost.
async fn remove_policy(
    clients: &Clients,
    resource: &Resource,
    policy: &ScalingPolicy,
) -> Result<(), ProviderError> {
    let Some(name) = policy.policy_name() else {
        return Ok(());
    };
    let alarms = alarms_of(clients, policy).await?;
    if !alarms.is_empty() {
        write(clients, || async {
            clients
                .cloudwatch_writer
                .delete_alarms()
                .set_alarm_names(Some(alarms.clone()))
                .send()
                .await
                .map_err(|error| describe_write(DELETE_ALARMS, error))
        })
        .await?;
    }
    write(clients, || async {
        clients
            .autoscaling_writer
            .delete_policy()
            .auto_scaling_group_name(&*resource.name)
            .policy_name(name)
            .send()
            .await
            .map_err(|error| describe_write(DELETE_POLICY, error))
    })
    .await?;
    Ok(())
}
