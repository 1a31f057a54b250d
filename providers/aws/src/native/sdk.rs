//! Controls between our plain data and the SDK's types. Pure.

use std::collections::BTreeMap;

use aws_sdk_autoscaling::types as asg;
use aws_sdk_cloudwatch::types as cw;

use super::model::{
    AlarmSpec, MathQuery, MathTerm, Measured, Native, Predicting, Scheduled, SeriesSpec, StepSpec,
    Stepping, Tracking,
};
use crate::times::{date_time, timestamp};

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
            dimensions: dimensions(custom.dimensions()),
            statistic: custom.statistic()?.as_str().to_owned(),
            period_s: custom.period().filter(|period| *period != 60),
        }));
    }
    let queries = custom
        .metrics()
        .iter()
        .map(|query| {
            let what = match (query.expression(), query.metric_stat()) {
                (Some(expression), _) => MathTerm::Expression(expression.to_owned()),
                (None, Some(stat)) => {
                    let metric = stat.metric()?;
                    MathTerm::Series(SeriesSpec {
                        namespace: metric.namespace()?.to_owned(),
                        name: metric.metric_name()?.to_owned(),
                        dimensions: dimensions(metric.dimensions()),
                        statistic: stat.stat()?.to_owned(),
                        period_s: stat
                            .period()
                            .or(query.period())
                            .filter(|period| *period != 60),
                    })
                }
                (None, None) => return None,
            };
            Some(MathQuery {
                id: query.id()?.to_owned(),
                what,
            })
        })
        .collect::<Option<Vec<_>>>()?;
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

fn dimensions(list: &[asg::MetricDimension]) -> BTreeMap<String, String> {
    list.iter()
        .filter_map(|one| Some((one.name()?.to_owned(), one.value()?.to_owned())))
        .collect()
}

/// An alarm as plain data.
fn alarm_spec(alarm: &cw::MetricAlarm) -> Option<AlarmSpec> {
    let of = |list: &[cw::Dimension]| {
        list.iter()
            .filter_map(|one| Some((one.name()?.to_owned(), one.value()?.to_owned())))
            .collect::<BTreeMap<_, _>>()
    };
    let statistic = |standard: Option<&cw::Statistic>, extended: Option<&str>| {
        standard
            .map(|standard| standard.as_str().to_owned())
            .or_else(|| extended.map(str::to_owned))
    };
    let metric = if alarm.metrics().is_empty() {
        Measured::Series(SeriesSpec {
            namespace: alarm.namespace()?.to_owned(),
            name: alarm.metric_name()?.to_owned(),
            dimensions: of(alarm.dimensions()),
            statistic: statistic(alarm.statistic(), alarm.extended_statistic())?,
            period_s: alarm.period().filter(|period| *period != 60),
        })
    } else {
        let queries = alarm
            .metrics()
            .iter()
            .map(|query| {
                let what = match (query.expression(), query.metric_stat()) {
                    (Some(expression), _) => MathTerm::Expression(expression.to_owned()),
                    (None, Some(stat)) => {
                        let metric = stat.metric()?;
                        MathTerm::Series(SeriesSpec {
                            namespace: metric.namespace()?.to_owned(),
                            name: metric.metric_name()?.to_owned(),
                            dimensions: of(metric.dimensions()),
                            statistic: stat.stat()?.to_owned(),
                            period_s: stat.period().filter(|period| *period != 60),
                        })
                    }
                    (None, None) => return None,
                };
                Some(MathQuery {
                    id: query.id()?.to_owned(),
                    what,
                })
            })
            .collect::<Option<Vec<_>>>()?;
        Measured::Math(queries)
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

fn predicting(configuration: &asg::PredictiveScalingConfiguration) -> Option<Native> {
    let specification = configuration.metric_specifications().first()?;
    let math = |queries: &[asg::MetricDataQuery]| -> Option<Measured> {
        queries
            .iter()
            .map(|query| {
                let what = match (query.expression(), query.metric_stat()) {
                    (Some(expression), _) => MathTerm::Expression(expression.to_owned()),
                    (None, Some(stat)) => {
                        let metric = stat.metric()?;
                        MathTerm::Series(SeriesSpec {
                            namespace: metric.namespace()?.to_owned(),
                            name: metric.metric_name()?.to_owned(),
                            dimensions: dimensions(metric.dimensions()),
                            statistic: stat.stat()?.to_owned(),
                            period_s: None,
                        })
                    }
                    (None, None) => return None,
                };
                Some(MathQuery {
                    id: query.id()?.to_owned(),
                    what,
                })
            })
            .collect::<Option<Vec<_>>>()
            .map(Measured::Math)
    };
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

/// The configuration of a target tracking policy.
pub(crate) fn tracking(tracking: &Tracking) -> asg::TargetTrackingConfiguration {
    let builder = asg::TargetTrackingConfiguration::builder()
        .target_value(tracking.target)
        .disable_scale_in(!tracking.scale_in);
    match &tracking.metric {
        Measured::Predefined { name, label } => builder.predefined_metric_specification(
            asg::PredefinedMetricSpecification::builder()
                .predefined_metric_type(name.as_str().into())
                .set_resource_label(label.clone())
                .build(),
        ),
        Measured::Series(series) if is_standard(&series.statistic) => builder
            .customized_metric_specification(
                asg::CustomizedMetricSpecification::builder()
                    .namespace(&series.namespace)
                    .metric_name(&series.name)
                    .set_dimensions(Some(asg_dimensions(&series.dimensions)))
                    .statistic(series.statistic.as_str().into())
                    .set_period(series.period_s)
                    .build(),
            ),
        // A percentile is only possible as a query.
        Measured::Series(series) => builder.customized_metric_specification(
            asg::CustomizedMetricSpecification::builder()
                .metrics(tracking_query(
                    "m1",
                    &MathTerm::Series(series.clone()),
                    true,
                ))
                .build(),
        ),
        Measured::Math(queries) => {
            let last = queries.len().saturating_sub(1);
            let queries = queries
                .iter()
                .enumerate()
                .map(|(n, query)| tracking_query(&query.id, &query.what, n == last))
                .collect();
            builder.customized_metric_specification(
                asg::CustomizedMetricSpecification::builder()
                    .set_metrics(Some(queries))
                    .build(),
            )
        }
    }
    .build()
}

fn is_standard(statistic: &str) -> bool {
    matches!(
        statistic,
        "Average" | "Sum" | "Minimum" | "Maximum" | "SampleCount"
    )
}

fn tracking_query(
    id: &str,
    term: &MathTerm,
    is_answer: bool,
) -> asg::TargetTrackingMetricDataQuery {
    let builder = asg::TargetTrackingMetricDataQuery::builder()
        .id(id)
        .return_data(is_answer);
    match term {
        MathTerm::Expression(expression) => builder.expression(expression),
        MathTerm::Series(series) => builder.metric_stat(
            asg::TargetTrackingMetricStat::builder()
                .metric(asg_metric(series))
                .stat(&series.statistic)
                .set_period(series.period_s)
                .build(),
        ),
    }
    .build()
}

fn asg_metric(series: &SeriesSpec) -> asg::Metric {
    asg::Metric::builder()
        .namespace(&series.namespace)
        .metric_name(&series.name)
        .set_dimensions(Some(asg_dimensions(&series.dimensions)))
        .build()
}

fn asg_dimensions(dimensions: &BTreeMap<String, String>) -> Vec<asg::MetricDimension> {
    dimensions
        .iter()
        .map(|(name, value)| {
            asg::MetricDimension::builder()
                .name(name)
                .value(value)
                .build()
        })
        .collect()
}

/// The steps of a step policy.
pub(crate) fn steps(stepping: &Stepping) -> Vec<asg::StepAdjustment> {
    stepping
        .steps
        .iter()
        .map(|step| {
            asg::StepAdjustment::builder()
                .set_metric_interval_lower_bound(step.lower)
                .set_metric_interval_upper_bound(step.upper)
                .scaling_adjustment(step.adjustment)
                .build()
        })
        .collect()
}

/// The queries of an alarm over metric math, the answer last.
pub(crate) fn alarm_queries(queries: &[MathQuery]) -> Vec<cw::MetricDataQuery> {
    let last = queries.len().saturating_sub(1);
    queries
        .iter()
        .enumerate()
        .map(|(n, query)| {
            let builder = cw::MetricDataQuery::builder()
                .id(&query.id)
                .return_data(n == last);
            match &query.what {
                MathTerm::Expression(expression) => builder.expression(expression),
                MathTerm::Series(series) => builder.metric_stat(
                    cw::MetricStat::builder()
                        .metric(
                            cw::Metric::builder()
                                .namespace(&series.namespace)
                                .metric_name(&series.name)
                                .set_dimensions(Some(cw_dimensions(&series.dimensions)))
                                .build(),
                        )
                        .stat(&series.statistic)
                        .period(series.period_s.unwrap_or(60))
                        .build(),
                ),
            }
            .build()
        })
        .collect()
}

/// Dimensions as CloudWatch has them.
pub(crate) fn cw_dimensions(dimensions: &BTreeMap<String, String>) -> Vec<cw::Dimension> {
    dimensions
        .iter()
        .map(|(name, value)| cw::Dimension::builder().name(name).value(value).build())
        .collect()
}

/// The configuration of predictive scaling.
pub(crate) fn prediction(predicting: &Predicting) -> asg::PredictiveScalingConfiguration {
    let queries = |measured: &Measured| -> Vec<asg::MetricDataQuery> {
        let Measured::Math(queries) = measured else {
            return Vec::new();
        };
        let last = queries.len().saturating_sub(1);
        queries
            .iter()
            .enumerate()
            .map(|(n, query)| {
                let builder = asg::MetricDataQuery::builder()
                    .id(&query.id)
                    .return_data(n == last);
                match &query.what {
                    MathTerm::Expression(expression) => builder.expression(expression),
                    MathTerm::Series(series) => builder.metric_stat(
                        asg::MetricStat::builder()
                            .metric(asg_metric(series))
                            .stat(&series.statistic)
                            .build(),
                    ),
                }
                .build()
            })
            .collect()
    };
    let mut specification =
        asg::PredictiveScalingMetricSpecification::builder().target_value(predicting.target);
    specification = match &predicting.load {
        Measured::Predefined { name, label } => specification.predefined_metric_pair_specification(
            asg::PredictiveScalingPredefinedMetricPair::builder()
                .predefined_metric_type(name.as_str().into())
                .set_resource_label(label.clone())
                .build(),
        ),
        load => specification.customized_load_metric_specification(
            asg::PredictiveScalingCustomizedLoadMetric::builder()
                .set_metric_data_queries(Some(queries(load)))
                .build(),
        ),
    };
    if let Some(scaling) = &predicting.scaling {
        specification = specification.customized_scaling_metric_specification(
            asg::PredictiveScalingCustomizedScalingMetric::builder()
                .set_metric_data_queries(Some(queries(scaling)))
                .build(),
        );
    }
    if let Some(capacity) = &predicting.capacity {
        specification = specification.customized_capacity_metric_specification(
            asg::PredictiveScalingCustomizedCapacityMetric::builder()
                .set_metric_data_queries(Some(queries(capacity)))
                .build(),
        );
    }
    asg::PredictiveScalingConfiguration::builder()
        .metric_specifications(specification.build())
        .mode(predicting.mode.as_str().into())
        .scheduling_buffer_time(predicting.buffer_s)
        .build()
}

/// The start of a dated action.
pub(crate) fn start(scheduled: &Scheduled) -> Option<aws_smithy_types::DateTime> {
    scheduled.at.map(date_time)
}
