//! Controls of the SDK's types as plain data. Pure.

use std::collections::BTreeMap;

use aws_sdk_autoscaling::types as asg;
use aws_sdk_cloudwatch::types as cw;

use super::model::{
    AlarmSpec, MathQuery, MathTerm, Measured, Native, Predicting, Scheduled, SeriesSpec, StepSpec,
    Stepping, Tracking,
};
use crate::times::timestamp;

/// Dimensions, which the SDK has as two types of one shape.
macro_rules! dimensions {
    ($list:expr) => {
        $list
            .iter()
            .filter_map(|one| Some((one.name()?.to_owned(), one.value()?.to_owned())))
            .collect::<BTreeMap<String, String>>()
    };
}

/// The queries of metric math, which the SDK has as three types of one shape; period and unit are different in each.
macro_rules! queries {
    ($list:expr, |$query:ident, $stat:ident| $period:expr, |$unit_of:ident| $unit:expr) => {
        $list
            .iter()
            .map(|$query| {
                let series = match $query.metric_stat() {
                    None => None,
                    Some($stat) => {
                        let $unit_of = $stat;
                        no_unit($unit)?;
                        let metric = $stat.metric().ok_or_else(unclear)?;
                        Some(SeriesSpec {
                            namespace: metric.namespace().ok_or_else(unclear)?.to_owned(),
                            name: metric.metric_name().ok_or_else(unclear)?.to_owned(),
                            dimensions: dimensions!(metric.dimensions()),
                            statistic: $stat.stat().ok_or_else(unclear)?.to_owned(),
                            period_s: $period.filter(|period: &i32| *period != 60),
                        })
                    }
                };
                Ok(Query {
                    id: $query.id(),
                    expression: $query.expression(),
                    series,
                    is_answer: $query.return_data().unwrap_or(true),
                })
            })
            .collect::<Result<Vec<Query<'_>>, Beyond>>()
    };
}

fn unclear() -> Beyond {
    "what it measures cannot be read".to_owned()
}

/// Why no file can say it: a lowercase fragment.
type Beyond = String;

/// A policy as plain data.
///
/// - `alarms`: those that start a step policy.
///
/// # Errors
/// What of it no file can say.
pub(crate) fn policy(
    policy: &asg::ScalingPolicy,
    alarms: &[&cw::MetricAlarm],
) -> Result<Native, Beyond> {
    let incomplete = || "the answer about it is incomplete".to_owned();
    match policy.policy_type() {
        Some("TargetTrackingScaling") => {
            let tracking = policy
                .target_tracking_configuration()
                .ok_or_else(incomplete)?;
            Ok(Native::TargetTracking(Tracking {
                metric: tracked_metric(tracking)?,
                target: tracking.target_value().ok_or_else(incomplete)?,
                scale_in: !tracking.disable_scale_in().unwrap_or(false),
            }))
        }
        Some("StepScaling") => stepping(policy, alarms),
        Some("PredictiveScaling") => predicting(
            policy
                .predictive_scaling_configuration()
                .ok_or_else(incomplete)?,
        ),
        Some("SimpleScaling") | None => Err(
            "simple scaling waits for each of its changes, which no file can ask for".to_owned(),
        ),
        Some(other) => Err(format!("there are no files for policies of type {other}")),
    }
}

fn stepping(policy: &asg::ScalingPolicy, alarms: &[&cw::MetricAlarm]) -> Result<Native, Beyond> {
    let name = policy.policy_name().unwrap_or_default();
    if let Some(aggregation) = policy.metric_aggregation_type()
        && aggregation != "Average"
    {
        return Err(format!(
            "it takes the {} of its alarm's periods, and files the average",
            aggregation.to_ascii_lowercase()
        ));
    }
    let own = alarms.iter().find(|alarm| alarm.alarm_name() == Some(name));
    let alarm = match (own, alarms) {
        (Some(alarm), _) | (None, [alarm]) => Some(alarm_spec(alarm, name)?),
        (None, []) => None,
        (None, _) => return Err("several alarms start it".to_owned()),
    };
    Ok(Native::StepScaling(Stepping {
        adjustment: policy
            .adjustment_type()
            .ok_or_else(|| "its kind of adjustment is not known".to_owned())?
            .to_owned(),
        min_adjustment: policy.min_adjustment_magnitude(),
        steps: policy
            .step_adjustments()
            .iter()
            .filter_map(|step| {
                Some(StepSpec {
                    lower: step.metric_interval_lower_bound(),
                    upper: step.metric_interval_upper_bound(),
                    adjustment: step.scaling_adjustment()?,
                })
            })
            .collect(),
        alarm,
    }))
}

/// One query of metric math, of whichever of the SDK's types, and whether it is the answer.
struct Query<'a> {
    id: Option<&'a str>,
    expression: Option<&'a str>,
    series: Option<SeriesSpec>,
    is_answer: bool,
}

/// Queries with the answer last.
fn math(queries: Vec<Query<'_>>) -> Result<Measured, Beyond> {
    let answer = match queries.as_slice() {
        [_] => 0,
        list => {
            let mut answers = list.iter().enumerate().filter(|(_, query)| query.is_answer);
            match (answers.next(), answers.next()) {
                (Some((answer, _)), None) => answer,
                _ => return Err(unclear()),
            }
        }
    };
    let mut list = Vec::with_capacity(queries.len());
    for query in queries {
        let what = match (query.expression, query.series) {
            (Some(expression), _) => MathTerm::Expression(expression.to_owned()),
            (None, Some(series)) => MathTerm::Series(series),
            (None, None) => return Err(unclear()),
        };
        list.push(MathQuery {
            id: query.id.ok_or_else(unclear)?.to_owned(),
            what,
        });
    }
    let last = list.remove(answer);
    list.push(last);
    Ok(Measured::Math(list))
}

/// A unit picks some of a series' values, and no file says one.
fn no_unit(unit: Option<&str>) -> Result<(), Beyond> {
    match unit {
        None | Some("None") => Ok(()),
        Some(unit) => Err(format!("it counts only values in the unit {unit}")),
    }
}

fn tracked_metric(tracking: &asg::TargetTrackingConfiguration) -> Result<Measured, Beyond> {
    if let Some(predefined) = tracking.predefined_metric_specification() {
        return Ok(Measured::Predefined {
            name: predefined
                .predefined_metric_type()
                .ok_or_else(unclear)?
                .as_str()
                .to_owned(),
            label: predefined.resource_label().map(str::to_owned),
        });
    }
    let custom = tracking
        .customized_metric_specification()
        .ok_or_else(unclear)?;
    if custom.metrics().is_empty() {
        no_unit(custom.unit())?;
        return Ok(Measured::Series(SeriesSpec {
            namespace: custom.namespace().ok_or_else(unclear)?.to_owned(),
            name: custom.metric_name().ok_or_else(unclear)?.to_owned(),
            dimensions: dimensions!(custom.dimensions()),
            statistic: custom.statistic().ok_or_else(unclear)?.as_str().to_owned(),
            period_s: custom.period().filter(|period| *period != 60),
        }));
    }
    let measured = math(queries!(
        custom.metrics(),
        |query, stat| stat.period().or(query.period()),
        |stat| stat.unit()
    )?)?;
    Ok(match measured {
        // A series by itself, as a percentile has to be written.
        Measured::Math(list) => match list.as_slice() {
            [
                MathQuery {
                    what: MathTerm::Series(series),
                    ..
                },
            ] => Measured::Series(series.clone()),
            _ => Measured::Math(list),
        },
        other => other,
    })
}

/// An alarm as plain data.
fn alarm_spec(alarm: &cw::MetricAlarm, policy: &str) -> Result<AlarmSpec, Beyond> {
    let metric = if alarm.metrics().is_empty() {
        no_unit(alarm.unit().map(cw::StandardUnit::as_str))?;
        Measured::Series(SeriesSpec {
            namespace: alarm.namespace().ok_or_else(unclear)?.to_owned(),
            name: alarm.metric_name().ok_or_else(unclear)?.to_owned(),
            dimensions: dimensions!(alarm.dimensions()),
            statistic: alarm
                .statistic()
                .map(|standard| standard.as_str().to_owned())
                .or_else(|| alarm.extended_statistic().map(str::to_owned))
                .ok_or_else(unclear)?,
            period_s: alarm.period().filter(|period| *period != 60),
        })
    } else {
        math(queries!(
            alarm.metrics(),
            |query, stat| stat.period(),
            |stat| stat.unit().map(cw::StandardUnit::as_str)
        )?)?
    };
    let periods = alarm.evaluation_periods().ok_or_else(unclear)?;
    let name = alarm.alarm_name().ok_or_else(unclear)?;
    Ok(AlarmSpec {
        name: (name != policy).then(|| name.to_owned()),
        metric,
        comparison: alarm
            .comparison_operator()
            .ok_or_else(unclear)?
            .as_str()
            .to_owned(),
        threshold: alarm
            .threshold()
            .ok_or_else(|| "its alarm has no fixed threshold".to_owned())?,
        periods,
        breaching: alarm.datapoints_to_alarm().unwrap_or(periods),
        missing: alarm.treat_missing_data().unwrap_or("missing").to_owned(),
    })
}

fn predicting(configuration: &asg::PredictiveScalingConfiguration) -> Result<Native, Beyond> {
    if configuration
        .max_capacity_breach_behavior()
        .is_some_and(|behavior| behavior.as_str() == "IncreaseMaxCapacity")
    {
        return Err("it may go above the group's largest capacity".to_owned());
    }
    let specification = configuration
        .metric_specifications()
        .first()
        .ok_or_else(unclear)?;
    let queries = |list: &[asg::MetricDataQuery]| -> Result<Measured, Beyond> {
        math(queries!(list, |query, stat| None, |stat| stat.unit())?)
    };
    let load = match specification.predefined_metric_pair_specification() {
        Some(pair) => Measured::Predefined {
            name: pair
                .predefined_metric_type()
                .ok_or_else(unclear)?
                .as_str()
                .to_owned(),
            label: pair.resource_label().map(str::to_owned),
        },
        None => queries(
            specification
                .customized_load_metric_specification()
                .ok_or_else(|| {
                    "it takes its load and its metric from two different names of AWS's".to_owned()
                })?
                .metric_data_queries(),
        )?,
    };
    Ok(Native::PredictiveScaling(Predicting {
        target: specification.target_value().ok_or_else(unclear)?,
        load,
        scaling: match specification.customized_scaling_metric_specification() {
            Some(custom) => Some(queries(custom.metric_data_queries())?),
            None => None,
        },
        capacity: match specification.customized_capacity_metric_specification() {
            Some(custom) => Some(queries(custom.metric_data_queries())?),
            None => None,
        },
        mode: configuration
            .mode()
            .map_or("ForecastOnly", |mode| mode.as_str())
            .to_owned(),
        buffer_s: configuration.scheduling_buffer_time().unwrap_or(300),
    }))
}

/// A scheduled action as plain data.
///
/// # Errors
/// It has no time that can be read.
pub(crate) fn scheduled(action: &asg::ScheduledUpdateGroupAction) -> Result<Native, Beyond> {
    let cron = action.recurrence().map(str::to_owned);
    Ok(Native::Scheduled(Scheduled {
        timezone: cron
            .is_some()
            .then(|| action.time_zone().unwrap_or("UTC").to_owned()),
        // Of a recurring one AWS shows the next start.
        at: match cron {
            Some(_) => None,
            None => Some(
                action
                    .start_time()
                    .and_then(timestamp)
                    .ok_or_else(|| "its time cannot be read".to_owned())?,
            ),
        },
        cron,
        min: action.min_size(),
        max: action.max_size(),
        desired: action.desired_capacity(),
        until: action.end_time().and_then(timestamp),
    }))
}
