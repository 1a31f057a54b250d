//! Whether an adopted control does what the files want, in whatever spelling, and what of its spelling is kept. Pure.
//!
//! Kept are: names and order of metric math; the name of an alarm; `>` and `<` where the files' `above` and `below`
//! include their number; absent data as "not breaching" where the files hold; bounds of steps that no value reaches;
//! a limit that a scheduled action leaves alone and that never moves.

use super::math;
use super::model::{AlarmSpec, Measured, Native, Predicting, Scheduled, StepSpec, Stepping};

/// What the scheduled actions of a group never move: that side may be left out of each.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Steady {
    pub(super) min: bool,
    pub(super) max: bool,
}

/// Whether both are about the same thing, so that one can be changed into the other.
pub(super) fn is_about_the_same(there: &Native, wanted: &Native) -> bool {
    match (there, wanted) {
        (Native::TargetTracking(there), Native::TargetTracking(wanted)) => {
            math::is_same(&there.metric, &wanted.metric)
        }
        (Native::StepScaling(there), Native::StepScaling(wanted)) => {
            match (&there.alarm, &wanted.alarm) {
                (Some(there), Some(wanted)) => {
                    math::is_same(&there.metric, &wanted.metric)
                        && looks_down(&there.comparison) == looks_down(&wanted.comparison)
                }
                _ => false,
            }
        }
        (Native::PredictiveScaling(_), Native::PredictiveScaling(_)) => true,
        (Native::Scheduled(there), Native::Scheduled(wanted)) => {
            there.at == wanted.at && has_same_cron(there, wanted)
        }
        _ => false,
    }
}

/// Whether both are recurring actions that write the same limits, whenever that is; one may leave a limit alone.
pub(super) fn writes_the_same(there: &Native, wanted: &Native) -> bool {
    let same = |there: Option<i32>, wanted: Option<i32>| there.is_none() || there == wanted;
    match (there, wanted) {
        (Native::Scheduled(there), Native::Scheduled(wanted)) => {
            (there.cron.is_some() && wanted.cron.is_some())
                && same(there.min, wanted.min)
                && same(there.max, wanted.max)
        }
        _ => false,
    }
}

/// What is wanted, in the spelling of the one that is there wherever it means the same.
pub(super) fn kept(there: &Native, wanted: &Native, steady: Steady) -> Native {
    match (there, wanted) {
        (Native::TargetTracking(there), Native::TargetTracking(wanted)) => {
            let mut kept = wanted.clone();
            kept.metric = measured(&there.metric, &wanted.metric);
            kept.target = number(there.target, wanted.target);
            Native::TargetTracking(kept)
        }
        (Native::StepScaling(there), Native::StepScaling(wanted)) => {
            Native::StepScaling(stepping(there, wanted))
        }
        (Native::PredictiveScaling(there), Native::PredictiveScaling(wanted)) => {
            let of = |there: &Option<Measured>, wanted: &Option<Measured>| match (there, wanted) {
                (Some(there), Some(wanted)) => Some(measured(there, wanted)),
                _ => wanted.clone(),
            };
            Native::PredictiveScaling(Predicting {
                target: number(there.target, wanted.target),
                load: measured(&there.load, &wanted.load),
                scaling: of(&there.scaling, &wanted.scaling),
                capacity: of(&there.capacity, &wanted.capacity),
                ..wanted.clone()
            })
        }
        (Native::Scheduled(there), Native::Scheduled(wanted)) => {
            let mut kept = wanted.clone();
            if has_same_cron(there, wanted) {
                kept.cron.clone_from(&there.cron);
                kept.timezone.clone_from(&there.timezone);
            }
            if steady.min && there.min.is_none() {
                kept.min = None;
            }
            if steady.max && there.max.is_none() {
                kept.max = None;
            }
            Native::Scheduled(kept)
        }
        _ => wanted.clone(),
    }
}

fn measured(there: &Measured, wanted: &Measured) -> Measured {
    if math::is_same(there, wanted) {
        there.clone()
    } else {
        wanted.clone()
    }
}

/// Numbers that were divided and multiplied again are equal but for the last digits.
fn is_near(a: f64, b: f64) -> bool {
    a == b || (a - b).abs() <= 1e-9 * a.abs().max(b.abs())
}

fn number(there: f64, wanted: f64) -> f64 {
    if is_near(there, wanted) {
        there
    } else {
        wanted
    }
}

pub(crate) fn looks_down(comparison: &str) -> bool {
    comparison.starts_with("Less")
}

fn stepping(there: &Stepping, wanted: &Stepping) -> Stepping {
    let mut kept = wanted.clone();
    let (Some(alarm), Some(wish)) = (&there.alarm, &wanted.alarm) else {
        return kept;
    };
    if there.adjustment == wanted.adjustment && ranges(there, alarm) == ranges(wanted, wish) {
        kept.steps.clone_from(&there.steps);
    }
    let is_same_way = looks_down(&alarm.comparison) == looks_down(&wish.comparison);
    kept.alarm = Some(AlarmSpec {
        name: alarm.name.clone(),
        metric: measured(&alarm.metric, &wish.metric),
        comparison: if is_same_way {
            alarm.comparison.clone()
        } else {
            wish.comparison.clone()
        },
        threshold: number(alarm.threshold, wish.threshold),
        missing: match (alarm.missing.as_str(), wish.missing.as_str()) {
            ("notBreaching", "missing") => alarm.missing.clone(),
            _ => wish.missing.clone(),
        },
        ..wish.clone()
    });
    kept
}

/// Where each step that does something acts, as far as the alarm lets it: from the threshold outward, in millionths of
/// the numbers' size, so that sums of decimals are equal.
fn ranges(stepping: &Stepping, alarm: &AlarmSpec) -> Vec<(String, String, i32)> {
    let down = looks_down(&alarm.comparison);
    let mut ranges: Vec<(f64, f64, i32)> = spans(&stepping.steps, down)
        .into_iter()
        .filter(|(_, _, adjustment)| *adjustment != 0)
        .collect();
    ranges.sort_by(|a, b| a.0.total_cmp(&b.0));
    let sign = if down { -1.0 } else { 1.0 };
    ranges
        .into_iter()
        .map(|(near, far, adjustment)| {
            let text = |distance: f64| format!("{:.9e}", alarm.threshold + sign * distance + 0.0);
            (text(near), text(far), adjustment)
        })
        .collect()
}

/// Each step as distances from the threshold outward, cut where the alarm is silent.
pub(crate) fn spans(steps: &[StepSpec], down: bool) -> Vec<(f64, f64, i32)> {
    steps
        .iter()
        .filter_map(|step| {
            let (near, far) = if down {
                (
                    step.upper.map(|bound| -bound),
                    step.lower.map(|bound| -bound),
                )
            } else {
                (step.lower, step.upper)
            };
            let near = near.unwrap_or(f64::NEG_INFINITY).max(0.0);
            let far = far.unwrap_or(f64::INFINITY);
            (far > near).then_some((near + 0.0, far, step.adjustment))
        })
        .collect()
}

fn has_same_cron(a: &Scheduled, b: &Scheduled) -> bool {
    let zone = |scheduled: &Scheduled| match scheduled.timezone.as_deref() {
        None | Some("UTC" | "Etc/UTC") => "UTC".to_owned(),
        Some(other) => other.to_owned(),
    };
    let cron = |scheduled: &Scheduled| scheduled.cron.as_deref().map(super::schedule::normal_cron);
    cron(a) == cron(b) && (a.cron.is_none() || zone(a) == zone(b))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn spec(lower: Option<f64>, upper: Option<f64>, adjustment: i32) -> StepSpec {
        StepSpec {
            lower,
            upper,
            adjustment,
        }
    }

    fn native(
        comparison: &str,
        threshold: f64,
        missing: &str,
        name: Option<&str>,
        steps: &[StepSpec],
    ) -> Native {
        Native::StepScaling(Stepping {
            adjustment: "ChangeInCapacity".to_owned(),
            min_adjustment: None,
            steps: steps.to_vec(),
            alarm: Some(AlarmSpec {
                name: name.map(str::to_owned),
                metric: Measured::Predefined {
                    name: "x".to_owned(),
                    label: None,
                },
                comparison: comparison.to_owned(),
                threshold,
                periods: 3,
                breaching: 2,
                missing: missing.to_owned(),
            }),
        })
    }

    #[test]
    fn a_step_policy_that_does_the_same_keeps_its_spelling() {
        let wanted = native(
            "GreaterThanOrEqualToThreshold",
            0.1,
            "missing",
            None,
            &[spec(Some(0.0), Some(0.2), 1), spec(Some(0.2), None, 2)],
        );
        let there = native(
            "GreaterThanThreshold",
            0.1,
            "notBreaching",
            Some("cpu-high"),
            &[
                spec(Some(0.30000000000000004 - 0.1), None, 2),
                spec(None, Some(0.2), 1),
            ],
        );
        assert_eq!(kept(&there, &wanted, Steady::default()), there);
        let more = native(
            "GreaterThanThreshold",
            0.1,
            "breaching",
            Some("cpu-high"),
            &[spec(Some(0.0), Some(0.2), 1), spec(Some(0.2), None, 3)],
        );
        let Native::StepScaling(changed) = kept(&more, &wanted, Steady::default()) else {
            panic!("a step policy");
        };
        assert_eq!(changed.steps[1].adjustment, 2);
        let alarm = changed.alarm.expect("an alarm");
        assert_eq!(alarm.name.as_deref(), Some("cpu-high"));
        assert_eq!(alarm.missing, "missing");
        assert_eq!(alarm.comparison, "GreaterThanThreshold");
    }

    #[test]
    fn an_action_may_leave_a_limit_alone_that_never_moves() {
        let action = |cron: &str, min: Option<i32>, max: Option<i32>| {
            Native::Scheduled(Scheduled {
                cron: Some(cron.to_owned()),
                timezone: Some("UTC".to_owned()),
                at: None,
                min,
                max,
                desired: None,
                until: None,
            })
        };
        let there = action("0 8 * * mon-fri", Some(2), None);
        let wanted = action("0 8 * * 1,2,3,4,5", Some(2), Some(10));
        assert!(is_about_the_same(&there, &wanted));
        let steady = Steady {
            min: false,
            max: true,
        };
        assert_eq!(kept(&there, &wanted, steady), there);
        assert_ne!(kept(&there, &wanted, Steady::default()), there);
    }
}
