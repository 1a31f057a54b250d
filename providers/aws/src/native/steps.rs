//! Step scaling: a policy and an alarm for each direction and kind of adjustment. Pure.

use tideform_policies::model::{
    Adjustment, Breach, Group, Metric, OnMissing, Select, Share, Step, StepBound,
};

use super::compile::Compiled;
use super::model::{AlarmSpec, Measured, Native, StepSpec, Stepping};

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

/// The policies of a metric with steps.
///
/// # Errors
/// What AWS cannot say: a lowercase fragment.
pub(super) fn stepping(
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
                    name: None,
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
