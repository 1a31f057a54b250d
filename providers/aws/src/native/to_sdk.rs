//! Controls of plain data as the SDK's types. Pure.

use std::collections::BTreeMap;

use aws_sdk_autoscaling::types as asg;
use aws_sdk_cloudwatch::types as cw;

use super::model::{
    MathQuery, MathTerm, Measured, Predicting, Scheduled, SeriesSpec, Stepping, Tracking,
};
use crate::times::date_time;

/// Dimensions, which the SDK has as two types of one shape.
macro_rules! dimensions {
    ($dimensions:expr, $type:ty) => {
        $dimensions
            .iter()
            .map(|(name, value)| <$type>::builder().name(name).value(value).build())
            .collect::<Vec<$type>>()
    };
}

/// A metric, which the SDK has as two types of one shape.
macro_rules! metric {
    ($series:expr, $type:ty, $dimensions:expr) => {
        <$type>::builder()
            .namespace(&$series.namespace)
            .metric_name(&$series.name)
            .set_dimensions(Some($dimensions(&$series.dimensions)))
            .build()
    };
}

/// The queries of metric math, the answer last. The SDK has three types of one shape; only the period differs.
macro_rules! queries {
    ($queries:expr, $query:ty, $stat:ty, $metric:expr, |$series:ident, $built:ident| $period:expr) => {{
        let queries: &[MathQuery] = $queries;
        let last = queries.len().saturating_sub(1);
        queries
            .iter()
            .enumerate()
            .map(|(n, query)| {
                let builder = <$query>::builder().id(&query.id).return_data(n == last);
                match &query.what {
                    MathTerm::Expression(expression) => builder.expression(expression),
                    MathTerm::Series($series) => {
                        let $built = <$stat>::builder()
                            .metric($metric($series))
                            .stat(&$series.statistic);
                        builder.metric_stat($period.build())
                    }
                }
                .build()
            })
            .collect::<Vec<$query>>()
    }};
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
        Measured::Series(series) => {
            let query = MathQuery {
                id: "m1".to_owned(),
                what: MathTerm::Series(series.clone()),
            };
            builder.customized_metric_specification(tracked(&[query]))
        }
        Measured::Math(queries) => builder.customized_metric_specification(tracked(queries)),
    }
    .build()
}

fn tracked(queries: &[MathQuery]) -> asg::CustomizedMetricSpecification {
    let queries = queries!(
        queries,
        asg::TargetTrackingMetricDataQuery,
        asg::TargetTrackingMetricStat,
        asg_metric,
        |series, stat| stat.set_period(series.period_s)
    );
    asg::CustomizedMetricSpecification::builder()
        .set_metrics(Some(queries))
        .build()
}

fn is_standard(statistic: &str) -> bool {
    matches!(
        statistic,
        "Average" | "Sum" | "Minimum" | "Maximum" | "SampleCount"
    )
}

fn asg_metric(series: &SeriesSpec) -> asg::Metric {
    metric!(series, asg::Metric, asg_dimensions)
}

fn asg_dimensions(dimensions: &BTreeMap<String, String>) -> Vec<asg::MetricDimension> {
    dimensions!(dimensions, asg::MetricDimension)
}

fn cw_metric(series: &SeriesSpec) -> cw::Metric {
    metric!(series, cw::Metric, cw_dimensions)
}

/// Dimensions as CloudWatch has them.
pub(crate) fn cw_dimensions(dimensions: &BTreeMap<String, String>) -> Vec<cw::Dimension> {
    dimensions!(dimensions, cw::Dimension)
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
    queries!(
        queries,
        cw::MetricDataQuery,
        cw::MetricStat,
        cw_metric,
        |series, stat| stat.period(series.period_s.unwrap_or(60))
    )
}

fn forecast_queries(measured: &Measured) -> Vec<asg::MetricDataQuery> {
    match measured {
        Measured::Math(queries) => queries!(
            queries,
            asg::MetricDataQuery,
            asg::MetricStat,
            asg_metric,
            |series, stat| stat
        ),
        Measured::Predefined { .. } | Measured::Series(_) => Vec::new(),
    }
}

/// The configuration of predictive scaling.
pub(crate) fn prediction(predicting: &Predicting) -> asg::PredictiveScalingConfiguration {
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
                .set_metric_data_queries(Some(forecast_queries(load)))
                .build(),
        ),
    };
    if let Some(scaling) = &predicting.scaling {
        specification = specification.customized_scaling_metric_specification(
            asg::PredictiveScalingCustomizedScalingMetric::builder()
                .set_metric_data_queries(Some(forecast_queries(scaling)))
                .build(),
        );
    }
    if let Some(capacity) = &predicting.capacity {
        specification = specification.customized_capacity_metric_specification(
            asg::PredictiveScalingCustomizedCapacityMetric::builder()
                .set_metric_data_queries(Some(forecast_queries(capacity)))
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
