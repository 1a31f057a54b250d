//! Makes, changes and removes controls.

use std::collections::BTreeSet;

use tideform_policies::model::Resource;
use tideform_provider::{ControlSpec, ProviderError};

use super::model::{AlarmSpec, MathTerm, Measured, Native, Scheduled, SeriesSpec};
use super::to_sdk;
use crate::client::Clients;
use crate::error::{describe, describe_write};
use crate::write::write;

const PUT_POLICY: &str = "autoscaling:PutScalingPolicy";
const DELETE_POLICY: &str = "autoscaling:DeletePolicy";
const PUT_SCHEDULE: &str = "autoscaling:PutScheduledUpdateGroupAction";
const DELETE_SCHEDULE: &str = "autoscaling:DeleteScheduledAction";
const PUT_ALARM: &str = "cloudwatch:PutMetricAlarm";
const DELETE_ALARMS: &str = "cloudwatch:DeleteAlarms";
const ENABLE_METRICS: &str = "autoscaling:EnableMetricsCollection";

/// Makes a control, or changes it to say this.
pub(crate) async fn put(
    clients: &Clients,
    resource: &Resource,
    spec: &ControlSpec,
) -> Result<(), ProviderError> {
    let native = Native::of(&spec.settings).map_err(|error| ProviderError::Refused {
        request: PUT_POLICY,
        message: format!(
            "the plan's `{}` cannot be read: {error}; plan again",
            spec.name
        ),
    })?;
    if let Native::Scheduled(scheduled) = &native {
        return put_schedule(clients, resource, &spec.name, scheduled).await;
    }
    let names = own_metrics(&native);
    if !names.is_empty() {
        enable_metrics(clients, resource, names).await?;
    }
    let request = clients
        .autoscaling_writer
        .put_scaling_policy()
        .auto_scaling_group_name(&*resource.name)
        .policy_name(&spec.name)
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

async fn put_alarm(
    clients: &Clients,
    name: &str,
    action: &str,
    alarm: &AlarmSpec,
) -> Result<(), ProviderError> {
    let request = clients
        .cloudwatch_writer
        .put_metric_alarm()
        .alarm_name(name)
        .alarm_description("Made by tideform: change it in its files.")
        .alarm_actions(action)
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

async fn put_schedule(
    clients: &Clients,
    resource: &Resource,
    name: &str,
    scheduled: &Scheduled,
) -> Result<(), ProviderError> {
    write(clients, || async {
        clients
            .autoscaling_writer
            .put_scheduled_update_group_action()
            .auto_scaling_group_name(&*resource.name)
            .scheduled_action_name(name)
            .set_recurrence(scheduled.cron.clone())
            .set_time_zone(scheduled.timezone.clone())
            .set_start_time(to_sdk::start(scheduled))
            .min_size(scheduled.min)
            .max_size(scheduled.max)
            .send()
            .await
            .map_err(|error| describe_write(PUT_SCHEDULE, error))
    })
    .await?;
    Ok(())
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

/// Removes a policy with its alarm, or a scheduled action, by name. One that is not there any more is removed.
pub(crate) async fn remove(
    clients: &Clients,
    resource: &Resource,
    name: &str,
) -> Result<(), ProviderError> {
    let policies = clients
        .autoscaling
        .describe_policies()
        .auto_scaling_group_name(&*resource.name)
        .policy_names(name)
        .send()
        .await
        .map_err(|error| describe("autoscaling:DescribePolicies", error))?;
    if let Some(policy) = policies.scaling_policies().first() {
        let is_step = policy.policy_type() == Some("StepScaling");
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
        // The alarm of our own step policy has its name; others' alarms are theirs.
        if is_step && name.starts_with("tideform/") {
            write(clients, || async {
                clients
                    .cloudwatch_writer
                    .delete_alarms()
                    .alarm_names(name)
                    .send()
                    .await
                    .map_err(|error| describe_write(DELETE_ALARMS, error))
            })
            .await?;
        }
        return Ok(());
    }
    let schedules = clients
        .autoscaling
        .describe_scheduled_actions()
        .auto_scaling_group_name(&*resource.name)
        .scheduled_action_names(name)
        .send()
        .await
        .map_err(|error| describe("autoscaling:DescribeScheduledActions", error))?;
    if schedules.scheduled_update_group_actions().is_empty() {
        return Ok(());
    }
    write(clients, || async {
        clients
            .autoscaling_writer
            .delete_scheduled_action()
            .auto_scaling_group_name(&*resource.name)
            .scheduled_action_name(name)
            .send()
            .await
            .map(|_| ())
            .map_err(|error| describe_write(DELETE_SCHEDULE, error))
    })
    .await
}
