//! Predictive scaling. Pure.

use tideform_policies::model::{Forecast, ForecastMode, Group};
use tideform_provider::Unsupported;

use super::compile::loop_does_this;
use super::metric;
use super::model::{MathQuery, MathTerm, Measured, Predicting, SeriesSpec};
use crate::metrics::targets::Target;

/// The forecast of a group.
///
/// # Errors
/// All that AWS cannot say.
pub(super) fn predicting(
    group: &Group,
    forecast: &Forecast,
    target: Option<&Target>,
) -> Result<Predicting, Vec<Unsupported>> {
    let mut problems = Vec::new();
    for (path, is_default) in [
        ("forecast.model", forecast.model == "auto"),
        ("forecast.quantile", (forecast.quantile - 0.9).abs() < 1e-9),
        (
            "forecast.history",
            forecast.history.as_secs() == 28 * 86_400,
        ),
    ] {
        if !is_default {
            problems.push(loop_does_this(path, "choice of it in predictive scaling"));
        }
    }
    // Source: Amazon EC2 Auto Scaling API, PredictiveScalingConfiguration, SchedulingBufferTime.
    if forecast.lead.as_secs() > 3600 {
        problems.push(Unsupported {
            path: "forecast.lead".to_owned(),
            what: "predictive scaling launches one hour ahead at most".to_owned(),
            help: "Write `\"1h\"` or less.".to_owned(),
        });
    }
    let Some(metric) = group.metric(&forecast.metric) else {
        return Err(problems);
    };
    // Source: Amazon EC2 Auto Scaling API, PredictiveScaling's MetricStat has none.
    if metric.period.as_secs() != 60 {
        problems.push(Unsupported {
            path: "forecast.metric".to_owned(),
            what: "predictive scaling has no choice of a metric's period".to_owned(),
            help: format!("Leave out `period` of metric `{}`.", metric.name),
        });
    }
    let mode = match forecast.mode {
        ForecastMode::Scale => "ForecastAndScale",
        ForecastMode::Observe => "ForecastOnly",
    };
    let buffer_s = i32::try_from(forecast.lead.as_secs()).unwrap_or(3600);
    // A mean of the instances is no load: AWS pairs it with the total that it belongs to.
    if problems.is_empty()
        && let Some((pair, factor)) = metric::pair(metric, target)
    {
        return Ok(Predicting {
            target: forecast.per_instance * factor,
            load: pair,
            scaling: None,
            capacity: None,
            mode: mode.to_owned(),
            buffer_s,
        });
    }
    let watched = match metric::watched(group, metric, target) {
        Ok(watched) if problems.is_empty() => watched,
        Ok(_) => return Err(problems),
        Err((what, help)) => {
            problems.push(Unsupported {
                path: "forecast.metric".to_owned(),
                what,
                help,
            });
            return Err(problems);
        }
    };
    let capacity = capacity(&group.resource.name);
    Ok(Predicting {
        target: forecast.per_instance,
        scaling: Some(per_instance(&watched, &group.resource.name)),
        load: as_math(watched),
        capacity: Some(capacity),
        mode: mode.to_owned(),
        buffer_s,
    })
}

fn instances(group: &str) -> MathTerm {
    MathTerm::Series(SeriesSpec {
        namespace: "AWS/AutoScaling".to_owned(),
        name: "GroupInServiceInstances".to_owned(),
        dimensions: [("AutoScalingGroupName".to_owned(), group.to_owned())].into(),
        statistic: "Average".to_owned(),
        period_s: None,
    })
}

fn capacity(group: &str) -> Measured {
    Measured::Math(vec![MathQuery {
        id: "instances".to_owned(),
        what: instances(group),
    }])
}

fn as_math(measured: Measured) -> Measured {
    match measured {
        Measured::Series(series) => Measured::Math(vec![MathQuery {
            id: "load".to_owned(),
            what: MathTerm::Series(series),
        }]),
        other => other,
    }
}

fn per_instance(measured: &Measured, group: &str) -> Measured {
    let Measured::Math(mut queries) = as_math(measured.clone()) else {
        return measured.clone();
    };
    let load = queries
        .last()
        .map_or_else(|| "load".to_owned(), |query| query.id.clone());
    queries.push(MathQuery {
        id: "instances".to_owned(),
        what: instances(group),
    });
    queries.push(MathQuery {
        id: "each".to_owned(),
        what: MathTerm::Expression(format!("{load} / instances")),
    });
    Measured::Math(queries)
}
