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

/// The queries of metric math, which the SDK has as three types of one shape; only the period is elsewhere in each.
macro_rules! queries {
    ($list:expr, |$query:ident, $stat:ident| $period:expr) => {
        $list
            .iter()
            .map(|$query| {
                let what = match ($query.expression(), $query.metric_stat()) {
                    (Some(expression), _) => MathTerm::Expression(expression.to_owned()),
                    (None, Some($stat)) => {
                        let metric = $stat.metric()?;
                        MathTerm::Series(SeriesSpec {
                            namespace: metric.namespace()?.to_owned(),
                            name: metric.metric_name()?.to_owned(),
                            dimensions: dimensions!(metric.dimensions()),
                            statistic: $stat.stat()?.to_owned(),
                            period_s: $period.filter(|period: &i32| *period != 60),
                        })
                    }
                    (None, None) => return None,
                };
                Some(MathQuery {
                    id: $query.id()?.to_owned(),
                    what,
                })
            })
            .collect::<Option<Vec<_>>>()
    };
}

/// A policy as plain data; `None` for one of a kind that tideform never makes.
pub(crate) fn policy(
    policy: &asg::ScalingPolicy,
    alarm: Option<&cw::MetricAlarm>,
) -> Option<Native> {
    match policy.policy_type()? {
        "TargetTrackingScaling" => {
            let tracking = policy.target_tracking_configuration()?;
            Some(Native::TargetTracking(Tracking {
                metric: tracked_metric(tracking)?,
                target: tracking.target_value()?,
                scale_in: !tracking.disable_scale_in().unwrap_or(false),
            }))
        }
        "StepScaling" => Some(Native::StepScaling(Stepping {
            adjustment: policy.adjustment_type()?.to_owned(),
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
            alarm: match alarm {
                Some(alarm) => Some(alarm_spec(alarm)?),
                None => None,
            },
        })),
        "PredictiveScaling" => predicting(policy.predictive_scaling_configuration()?),
        _ => None,
    }
}

fn tracked_metric(tracking: &asg::TargetTrackingConfiguration) -> Option<Measured> {
    if let Some(predefined) = tracking.predefined_metric_specification() {
        return Some(Measured::Predefined {
            name: predefined.predefined_metric_type()?.as_str().to_owned(),
            label: predefined.resource_label().map(str::to_owned),
        });
    }
    let custom = tracking.customized_metric_specification()?;
    if custom.metrics().is_empty() {
        return Some(Measured::Series(SeriesSpec {
            namespace: custom.namespace()?.to_owned(),
            name: custom.metric_name()?.to_owned(),
            dimensions: dimensions!(custom.dimensions()),
            statistic: custom.statistic()?.as_str().to_owned(),
            period_s: custom.period().filter(|period| *period != 60),
        }));
    }
    let queries = queries!(custom.metrics(), |query, stat| stat
        .period()
        .or(query.period()))?;
    Some(match queries.as_slice() {
        // A series by itself, as a percentile has to be written.
        [
            MathQuery {
                what: MathTerm::Series(series),
                ..
            },
        ] => Measured::Series(series.clone()),
        _ => Measured::Math(queries),
    })
}

/// An alarm as plain data.
fn alarm_spec(alarm: &cw::MetricAlarm) -> Option<AlarmSpec> {
    let metric = if alarm.metrics().is_empty() {
        let statistic = match alarm.statistic() {
            Some(standard) => standard.as_str(),
            None => alarm.extended_statistic()?,
        };
        Measured::Series(SeriesSpec {
            namespace: alarm.namespace()?.to_owned(),
            name: alarm.metric_name()?.to_owned(),
            dimensions: dimensions!(alarm.dimensions()),
            statistic: statistic.to_owned(),
            period_s: alarm.period().filter(|period| *period != 60),
        })
    } else {
        Measured::Math(queries!(alarm.metrics(), |query, stat| stat.period())?)
    };
    let periods = alarm.evaluation_periods()?;
    Some(AlarmSpec {
        metric,
        comparison: alarm.comparison_operator()?.as_str().to_owned(),
        threshold: alarm.threshold()?,
        periods,
        breaching: alarm.datapoints_to_alarm().unwrap_or(periods),
        missing: alarm.treat_missing_data().unwrap_or("missing").to_owned(),
    })
}

fn math(queries: &[asg::MetricDataQuery]) -> Option<Measured> {
    queries!(queries, |query, stat| None).map(Measured::Math)
}

fn predicting(configuration: &asg::PredictiveScalingConfiguration) -> Option<Native> {
    let specification = configuration.metric_specifications().first()?;
    let load = match specification.predefined_metric_pair_specification() {
        Some(pair) => Measured::Predefined {
            name: pair.predefined_metric_type()?.as_str().to_owned(),
            label: pair.resource_label().map(str::to_owned),
        },
        None => math(
            specification
                .customized_load_metric_specification()?
                .metric_data_queries(),
        )?,
    };
    Some(Native::PredictiveScaling(Predicting {
        target: specification.target_value()?,
        load,
        scaling: match specification.customized_scaling_metric_specification() {
            Some(custom) => Some(math(custom.metric_data_queries())?),
            None => None,
        },
        capacity: match specification.customized_capacity_metric_specification() {
            Some(custom) => Some(math(custom.metric_data_queries())?),
            None => None,
        },
        mode: configuration
            .mode()
            .map_or("ForecastOnly", |mode| mode.as_str())
            .to_owned(),
        buffer_s: configuration.scheduling_buffer_time().unwrap_or(300),
    }))
}

/// A scheduled action as plain data; `None` for one that tideform never makes: it sets desired, or has an end.
pub(crate) fn scheduled(action: &asg::ScheduledUpdateGroupAction) -> Option<Native> {
    if action.desired_capacity().is_some() || action.end_time().is_some() {
        return None;
    }
    let cron = action.recurrence().map(str::to_owned);
    Some(Native::Scheduled(Scheduled {
        timezone: cron
            .is_some()
            .then(|| action.time_zone().unwrap_or("UTC").to_owned()),
        // Of a recurring one AWS shows the next start.
        at: match cron {
            Some(_) => None,
            None => Some(timestamp(action.start_time()?)?),
        },
        cron,
        min: action.min_size()?,
        max: action.max_size()?,
    }))
}
