//! The files' policy as AWS's own controls, or what of it AWS cannot say. Pure.
//!
//! ```text
//! track     -> target tracking         forecast  -> predictive scaling
//! step      -> step policy and alarm   schedule  -> scheduled actions
//! ```

use std::time::Duration;

use tideform_policies::model::{
    Adjustment, Breach, Combine, Forecast, ForecastMode, Group, Metric, OnMissing, Rule,
    ScaleRules, Select, Share, Step, StepBound,
};
use tideform_provider::Unsupported;

use super::metric::{self, Problem};
use super::model::{
    AlarmSpec, MathQuery, MathTerm, Measured, Native, Predicting, StepSpec, Stepping, Tracking,
};
use crate::metrics::targets::Target;

/// Most characters of a policy's name. Source: Amazon EC2 Auto Scaling API, PutScalingPolicy.
const LONGEST_NAME: usize = 255;

/// A control before it has its name's first parts.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct Compiled {
    /// The last part of the name.
    pub(super) block: String,
    /// Where the files say so.
    pub(super) path: String,
    pub(super) native: Native,
}

/// The policies of a group; scheduled actions are [`super::schedule`]'s.
///
/// # Errors
/// All that AWS cannot say.
pub(super) fn policies(
    group: &Group,
    target: Option<&Target>,
) -> Result<Vec<Compiled>, Vec<Unsupported>> {
    let mut problems = limits_of_native(group);
    let mut compiled = Vec::new();
    for metric in &group.policy.metrics {
        match of_metric(group, metric, target) {
            Ok(list) => compiled.extend(list),
            Err(more) => problems.extend(more),
        }
    }
    if let Some(forecast) = &group.policy.forecast {
        match predicting(group, forecast, target) {
            Ok(predicting) => compiled.push(Compiled {
                block: "forecast".to_owned(),
                path: "forecast".to_owned(),
                native: Native::PredictiveScaling(predicting),
            }),
            Err(more) => problems.extend(more),
        }
    }
    if problems.is_empty() {
        Ok(compiled)
    } else {
        Err(problems)
    }
}

/// The whole name of a control, cut where AWS ends it.
pub(super) fn name(workspace: &str, group: &Group, block: &str) -> String {
    let address = group.address.to_string();
    let address = address.strip_prefix("group.").unwrap_or(&address);
    // `:` is not allowed in names of policies.
    format!("tideform/{workspace}/{address}/{block}")
        .replace(':', "-")
        .chars()
        .take(LONGEST_NAME)
        .collect()
}

fn loop_does_this(path: &str, what: &str) -> Unsupported {
    Unsupported {
        path: path.to_owned(),
        what: format!("AWS's own policies have no {what}"),
        help: "Take it out, or use `controller = \"tideform\"`, which does this.".to_owned(),
    }
}

/// What no policy of AWS's can say.
fn limits_of_native(group: &Group) -> Vec<Unsupported> {
    let policy = &group.policy;
    let mut problems = Vec::new();
    if !matches!(policy.combine, Combine::Max) {
        problems.push(loop_does_this(
            "combine",
            "other way than the largest capacity",
        ));
    }
    for guard in &policy.guards {
        problems.push(loop_does_this(&format!("guard.{}", guard.name), "guards"));
    }
    for (n, _) in policy.freezes.iter().enumerate() {
        problems.push(loop_does_this(&format!("freeze.{n}"), "freezes"));
    }
    if policy
        .mix
        .as_ref()
        .is_some_and(|mix| mix.fallback.is_some())
    {
        problems.push(loop_does_this("mix.fallback", "fallback to on-demand"));
    }
    problems.extend(direction("scale_out", &policy.scale_out, Duration::ZERO));
    problems.extend(direction(
        "scale_in",
        &policy.scale_in,
        // The default, which AWS replaces by its own slow scale-in.
        Duration::from_secs(300),
    ));
    if !policy.scale_out.enabled || policy.scale_out.select == Select::Disabled {
        problems.push(loop_does_this("scale_out.enabled", "switch for growing"));
    }
    problems
}

fn direction(path: &str, rules: &ScaleRules, default: Duration) -> Vec<Unsupported> {
    let mut problems = Vec::new();
    if !rules.cooldown.is_zero() {
        problems.push(loop_does_this(
            &format!("{path}.cooldown"),
            "cooldown (their instance warmup takes its place)",
        ));
    }
    if rules.stabilization != default && !rules.stabilization.is_zero() {
        problems.push(loop_does_this(
            &format!("{path}.stabilization"),
            "stabilization window",
        ));
    }
    if !rules.rates.is_empty() {
        problems.push(loop_does_this(
            &format!("{path}.rate"),
            "limits on the rate of change",
        ));
    }
    problems
}

fn of_metric(
    group: &Group,
    metric: &Metric,
    target: Option<&Target>,
) -> Result<Vec<Compiled>, Vec<Unsupported>> {
    let path = format!("metric.{}", metric.name);
    let unsupported = |(what, help): Problem| {
        vec![Unsupported {
            path: path.clone(),
            what,
            help,
        }]
    };
    match &metric.rule {
        None => Ok(Vec::new()),
        Some(Rule::Want) => Err(vec![loop_does_this(
            &path,
            "metric that is the capacity itself",
        )]),
        Some(Rule::Track(track)) => {
            let mut problems = Vec::new();
            if metric.breach != Breach::Now {
                problems.push(loop_does_this(
                    &format!("{path}.breach"),
                    "choice of breach: AWS owns the alarms of target tracking",
                ));
            }
            if metric.on_missing != OnMissing::Hold {
                problems.push(loop_does_this(
                    &format!("{path}.on_missing"),
                    "choice for absent data: AWS owns the alarms of target tracking",
                ));
            }
            if track.tolerance_out != Share(0.1) || track.tolerance_in != Share(0.1) {
                problems.push(loop_does_this(
                    &format!("{path}.track.tolerance"),
                    "choice of tolerance: AWS owns the alarms of target tracking",
                ));
            }
            if metric.max_add.is_some() || metric.max_remove.is_some() {
                problems.push(loop_does_this(
                    &format!("{path}.max_add"),
                    "largest change of target tracking",
                ));
            }
            // Source: Amazon EC2 Auto Scaling API, TargetTrackingMetricStat, Period.
            if !matches!(metric.period.as_secs(), 10 | 30 | 60) {
                problems.push(Unsupported {
                    path: format!("{path}.period"),
                    what: "target tracking of AWS has periods of 10s, 30s and 1m".to_owned(),
                    help: "Write one of these, or use `controller = \"tideform\"`.".to_owned(),
                });
            }
            if !problems.is_empty() {
                return Err(problems);
            }
            let tracked = metric::tracked(group, metric, target).map_err(unsupported)?;
            let scale_in =
                group.policy.scale_in.enabled && group.policy.scale_in.select != Select::Disabled;
            Ok(vec![Compiled {
                block: metric.name.to_string(),
                path: path.clone(),
                native: Native::TargetTracking(Tracking {
                    metric: tracked.measured,
                    target: track.target * tracked.factor,
                    scale_in,
                }),
            }])
        }
        Some(Rule::Steps(steps)) => {
            let watched = metric::watched(group, metric, target).map_err(unsupported)?;
            stepping(group, metric, steps, &watched).map_err(|what| {
                vec![Unsupported {
                    path: path.clone(),
                    what,
                    help: "Change the steps, or use `controller = \"tideform\"`.".to_owned(),
                }]
            })
        }
    }
}

/// Which way a step looks, and in which terms it adjusts: one policy for each pair.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Side {
    Out,
    In,
}

fn adjustment(step: &Step) -> Result<(&'static str, i32), String> {
    let whole = |share: Share| {
        let percent = share.fraction() * 100.0;
        if (percent - percent.round()).abs() > 1e-9 || percent > 1e6 {
            return Err("AWS adjusts by whole percent".to_owned());
        }
        #[allow(clippy::cast_possible_truncation, reason = "whole and small")]
        Ok(percent.round() as i32)
    };
    let count = |n: u32| i32::try_from(n).map_err(|_| "the adjustment is too large".to_owned());
    Ok(match step.adjustment {
        Adjustment::Add(n) => ("ChangeInCapacity", count(n)?),
        Adjustment::Remove(n) => ("ChangeInCapacity", -count(n)?),
        Adjustment::AddShare(share) => ("PercentChangeInCapacity", whole(share)?),
        Adjustment::RemoveShare(share) => ("PercentChangeInCapacity", -whole(share)?),
        Adjustment::Set(n) => ("ExactCapacity", count(n)?),
    })
}

fn stepping(
    group: &Group,
    metric: &Metric,
    steps: &[Step],
    watched: &Measured,
) -> Result<Vec<Compiled>, String> {
    let mut policies: Vec<(Side, &'static str, Vec<&Step>)> = Vec::new();
    for step in steps {
        let side = match step.when {
            StepBound::Above { .. } => Side::Out,
            StepBound::Below { .. } => Side::In,
            StepBound::Band { .. } => {
                return Err("an alarm of AWS has one threshold, and no band".to_owned());
            }
        };
        let (kind, _) = adjustment(step)?;
        match policies
            .iter_mut()
            .find(|(s, k, _)| *s == side && *k == kind)
        {
            Some((_, _, list)) => list.push(step),
            None => policies.push((side, kind, vec![step])),
        }
    }
    let (periods, breaching) = periods(metric)?;
    let mut compiled = Vec::new();
    for (side, kind, list) in policies {
        // An alarm that looks down never removes where scale-in is switched off.
        if side == Side::In
            && (!group.policy.scale_in.enabled || group.policy.scale_in.select == Select::Disabled)
        {
            continue;
        }
        let (threshold, specs) = relative(side, &list)?;
        let least: Vec<Option<u32>> = list.iter().map(|step| step.min_adjustment).collect();
        if least.windows(2).any(|pair| pair[0] != pair[1]) {
            return Err("one policy of AWS has one `min_adjustment` for all its steps".to_owned());
        }
        let direction = match side {
            Side::Out => "out",
            Side::In => "in",
        };
        let suffix = match kind {
            "PercentChangeInCapacity" => "-percent",
            "ExactCapacity" => "-exact",
            _ => "",
        };
        compiled.push(Compiled {
            block: format!("{}-{direction}{suffix}", metric.name),
            path: format!("metric.{}", metric.name),
            native: Native::StepScaling(Stepping {
                adjustment: kind.to_owned(),
                min_adjustment: least
                    .first()
                    .copied()
                    .flatten()
                    .and_then(|n| i32::try_from(n).ok()),
                steps: specs,
                alarm: Some(AlarmSpec {
                    metric: watched.clone(),
                    comparison: match side {
                        Side::Out => "GreaterThanOrEqualToThreshold",
                        Side::In => "LessThanOrEqualToThreshold",
                    }
                    .to_owned(),
                    threshold,
                    periods,
                    breaching,
                    missing: match (metric.on_missing, side) {
                        (OnMissing::Hold | OnMissing::Value(_), _)
                        | (OnMissing::ScaleOut, Side::In) => "missing",
                        (OnMissing::Last, _) => "ignore",
                        (OnMissing::ScaleOut, Side::Out) => "breaching",
                    }
                    .to_owned(),
                }),
            }),
        });
    }
    Ok(compiled)
}

/// M of N periods. Source: Amazon CloudWatch API, PutMetricAlarm: at most a day.
fn periods(metric: &Metric) -> Result<(i32, i32), String> {
    let seconds = metric.period.as_secs().max(1);
    if seconds < 10 {
        return Err("an alarm of AWS has a period of 10s at least".to_owned());
    }
    let (periods, breaching) = match metric.breach {
        Breach::Now => (1, 1),
        Breach::For(time) => {
            let n = time.as_secs().div_ceil(seconds).max(1);
            (n, n)
        }
        Breach::Of { breaching, periods } => (u64::from(periods), u64::from(breaching)),
    };
    if periods.saturating_mul(seconds) > 86_400 {
        return Err("an alarm of AWS looks back one day at most".to_owned());
    }
    let number = |n: u64| i32::try_from(n).map_err(|_| "too many periods".to_owned());
    Ok((number(periods)?, number(breaching)?))
}

/// The threshold nearest to normal, and all bounds relative to it, without gaps: in a gap a step of nothing stands.
fn relative(side: Side, steps: &[&Step]) -> Result<(f64, Vec<StepSpec>), String> {
    // As distances from zero outward: below is above, mirrored.
    let mirror = if side == Side::Out { 1.0 } else { -1.0 };
    let mut spans: Vec<(f64, Option<f64>, i32)> = Vec::new();
    for step in steps {
        let (from, to) = match step.when {
            StepBound::Above { from, to } | StepBound::Below { from, to } => (from, to),
            StepBound::Band { .. } => return Err("an alarm of AWS has no band".to_owned()),
        };
        spans.push((from * mirror, to.map(|to| to * mirror), adjustment(step)?.1));
    }
    spans.sort_by(|a, b| a.0.total_cmp(&b.0));
    let Some(threshold) = spans.first().map(|span| span.0) else {
        return Err("there are no steps".to_owned());
    };
    let mut specs: Vec<(f64, Option<f64>, i32)> = Vec::new();
    for (n, (from, to, adjustment)) in spans.iter().enumerate() {
        let next = spans.get(n + 1).map(|span| span.0);
        let end = match (*to, next) {
            (Some(to), Some(next)) => Some(to.min(next)),
            (None, next) => next,
            (to, None) => to,
        };
        specs.push((*from, end, *adjustment));
        if let Some(end) = end
            && next.is_none_or(|next| end < next)
        {
            specs.push((end, next, 0));
        }
    }
    let specs = specs
        .into_iter()
        .map(|(from, to, adjustment)| {
            let (near, far) = (
                (from - threshold) * mirror,
                to.map(|to| (to - threshold) * mirror),
            );
            match side {
                Side::Out => StepSpec {
                    lower: Some(near),
                    upper: far,
                    adjustment,
                },
                Side::In => StepSpec {
                    lower: far,
                    upper: Some(near),
                    adjustment,
                },
            }
        })
        .map(|spec| StepSpec {
            // -0 is 0 to people and to AWS.
            lower: spec.lower.map(|bound| bound + 0.0),
            upper: spec.upper.map(|bound| bound + 0.0),
            ..spec
        })
        .collect();
    Ok((threshold * mirror + 0.0, specs))
}

fn predicting(
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
        mode: match forecast.mode {
            ForecastMode::Scale => "ForecastAndScale",
            ForecastMode::Observe => "ForecastOnly",
        }
        .to_owned(),
        buffer_s: i32::try_from(forecast.lead.as_secs()).unwrap_or(3600),
    })
}

fn instances(group: &str) -> MathTerm {
    MathTerm::Series(super::model::SeriesSpec {
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

#[cfg(test)]
mod tests {
    use super::*;

    fn above(from: f64, to: Option<f64>, adjustment: Adjustment) -> Step {
        Step {
            when: StepBound::Above { from, to },
            adjustment,
            min_adjustment: None,
        }
    }

    fn below(from: f64, to: Option<f64>, adjustment: Adjustment) -> Step {
        Step {
            when: StepBound::Below { from, to },
            adjustment,
            min_adjustment: None,
        }
    }

    fn spec(lower: Option<f64>, upper: Option<f64>, adjustment: i32) -> StepSpec {
        StepSpec {
            lower,
            upper,
            adjustment,
        }
    }

    #[test]
    fn steps_out_are_relative_to_the_lowest_and_have_no_gaps() {
        let (low, high) = (
            above(100.0, Some(1000.0), Adjustment::Add(2)),
            above(1000.0, None, Adjustment::Add(5)),
        );
        assert_eq!(
            relative(Side::Out, &[&high, &low]).unwrap(),
            (
                100.0,
                vec![spec(Some(0.0), Some(900.0), 2), spec(Some(900.0), None, 5)]
            )
        );
        let gap = above(100.0, Some(200.0), Adjustment::Add(2));
        let far = above(300.0, Some(400.0), Adjustment::Add(4));
        assert_eq!(
            relative(Side::Out, &[&gap, &far]).unwrap().1,
            [
                spec(Some(0.0), Some(100.0), 2),
                spec(Some(100.0), Some(200.0), 0),
                spec(Some(200.0), Some(300.0), 4),
                spec(Some(300.0), None, 0),
            ]
        );
    }

    #[test]
    fn steps_in_are_relative_to_the_highest() {
        let near = below(10.0, Some(5.0), Adjustment::Remove(1));
        let far = below(5.0, None, Adjustment::Remove(3));
        assert_eq!(
            relative(Side::In, &[&near, &far]).unwrap(),
            (
                10.0,
                vec![spec(Some(-5.0), Some(0.0), -1), spec(None, Some(-5.0), -3)]
            )
        );
    }
}
