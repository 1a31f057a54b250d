//! A decision in words: a headline, a line for each reason, and what would have to change for another answer.
//!
//! Pure string building from the reasons. It prints nothing, computes no decision, and nothing reads it back.

mod words;

use tideform_policies::model::{Capacity, Direction, Group, Rule, StepBound};

use super::decision::Decision;
use super::reason::{Abstention, Basis, Reason};
use words::{adjustment_text, bound_text, with_unit};
pub use words::{number, sentence};

/// The whole explanation: the headline and the reasons under it, aligned.
///
/// `note` stands at the end of the headline: `+0.29 USD/h`.
pub fn lines(
    group: &Group,
    current: Capacity,
    desired: Capacity,
    reasons: &[Reason],
    note: Option<&str>,
) -> Vec<String> {
    let mut lines = vec![headline(group, current, desired, note)];
    lines.extend(
        reason_lines(group, reasons)
            .into_iter()
            .map(|line| format!("    {line}")),
    );
    lines
}

/// `group.checkout   6 -> 9   scale out by 3`.
pub fn headline(group: &Group, current: Capacity, desired: Capacity, note: Option<&str>) -> String {
    let mut line = format!(
        "{}   {}   {}",
        group.address,
        arrow(current, desired),
        movement(current, desired)
    );
    if let Some(note) = note {
        line.push_str("   ");
        line.push_str(note);
    }
    line
}

/// `6 -> 9`, or `6` where nothing changes.
pub fn arrow(current: Capacity, desired: Capacity) -> String {
    if current == desired {
        current.to_string()
    } else {
        format!("{current} -> {desired}")
    }
}

/// `scale out by 3`, `scale in by 2`, `hold`.
pub fn movement(current: Capacity, desired: Capacity) -> String {
    match Direction::between(current, desired) {
        Direction::Hold => "hold".to_owned(),
        direction => format!("{direction} by {}", current.get().abs_diff(desired.get())),
    }
}

/// One line a reason, subjects aligned: `cpu      82 % against a target of 60 % wants 9`.
pub fn reason_lines(group: &Group, reasons: &[Reason]) -> Vec<String> {
    let said: Vec<(String, String)> = reasons
        .iter()
        .map(|reason| sentence(group, reason))
        .collect();
    let width = said
        .iter()
        .map(|(subject, _)| subject.chars().count())
        .max()
        .unwrap_or(0);
    said.into_iter()
        .map(|(subject, text)| format!("{subject:<width$}   {text}"))
        .collect()
}

/// What would have to change for another answer, where it can be computed: one line a metric, and the time at which
/// the answer may change by itself.
pub fn nearest_changes(group: &Group, decision: &Decision) -> Vec<String> {
    let mut lines = Vec::new();
    for reason in &decision.reasons {
        if let Some(line) = nearest_change(group, decision.current, reason) {
            lines.push(line);
        }
    }
    if let Some(at) = decision.next_change {
        // Data becomes too old a nanosecond after its last good moment; nobody waits for that.
        let at = jiff::Timestamp::from_second(at.as_second()).unwrap_or(at);
        lines.push(format!("by time alone it may change at {at}"));
    }
    lines
}

fn nearest_change(group: &Group, current: Capacity, reason: &Reason) -> Option<String> {
    match reason {
        Reason::Opinion {
            metric,
            target,
            basis: Basis::Average | Basis::Total,
            counted,
            is_within_tolerance,
            want,
            ..
        } => {
            let value = |x: f64| with_unit(group, metric, x);
            // What one unit of capacity stands for in the metric.
            let unit = match reason {
                Reason::Opinion {
                    basis: Basis::Total,
                    ..
                } => *target,
                _ if counted.get() == 0 => return None,
                _ => *target / f64::from(counted.get()),
            };
            if *is_within_tolerance {
                let Some(Rule::Track(track)) = &group.metric(metric)?.rule else {
                    return None;
                };
                let middle = match reason {
                    Reason::Opinion {
                        basis: Basis::Total,
                        ..
                    } => *target * f64::from(counted.get()),
                    _ => *target,
                };
                return Some(format!(
                    "{metric} above {} would want more than {current}, below {} fewer",
                    value(middle * (1.0 + track.tolerance_out.fraction())),
                    value(middle * (1.0 - track.tolerance_in.fraction())),
                ));
            }
            let most = unit * f64::from(want.get());
            let text = match want.get().checked_sub(1) {
                Some(fewer) => format!(
                    "{metric} would want {} above {}, and {fewer} at {} or less",
                    u64::from(want.get()) + 1,
                    value(most),
                    value(unit * f64::from(fewer)),
                ),
                None => format!("{metric} would want more above {}", value(most)),
            };
            Some(text)
        }
        Reason::Abstained {
            metric,
            observed: Some(observed),
            why: Abstention::NoStep,
        } => {
            let Some(Rule::Steps(steps)) = &group.metric(metric)?.rule else {
                return None;
            };
            let value = |x: f64| with_unit(group, metric, x);
            let nearest = steps.iter().min_by(|a, b| {
                let distance =
                    |step: &tideform_policies::model::Step| distance_to(&step.when, *observed);
                distance(a).total_cmp(&distance(b))
            })?;
            Some(format!(
                "{metric} {} would {}",
                bound_text(&nearest.when, &value),
                adjustment_text(&nearest.adjustment)
            ))
        }
        _ => None,
    }
}

/// How far a value that is in no step would have to move to be in this one.
fn distance_to(when: &StepBound, value: f64) -> f64 {
    let ends = match when {
        StepBound::Above { from, to } | StepBound::Below { from, to } => [Some(*from), *to],
        StepBound::Band { from, to } => [*from, *to],
    };
    ends.into_iter()
        .flatten()
        .map(|end| (end - value).abs())
        .fold(f64::INFINITY, f64::min)
}

#[cfg(test)]
mod tests {
    use tideform_policies::model::{Adjustment, Share};

    use super::*;
    use crate::engine::testing::{
        above, at, cpu_rules, decided, group, instance, limits, metric, mins, plain, seen,
    };
    use crate::engine::{Action, Memory, Recommendation};

    #[test]
    fn a_decision_reads_as_a_headline_and_a_line_for_each_reason() {
        let rules = cpu_rules(|policy| policy.limits = limits(2, 12));
        let decision = decided(
            &rules,
            &seen(6, &[("cpu", 82.0)], at(0.0)),
            &Memory::default(),
            at(0.0),
        );
        let lines = lines(
            rules.group(),
            decision.current,
            decision.desired,
            &decision.reasons,
            Some("+0.29 USD/h"),
        );
        assert_eq!(
            lines,
            [
                "group.web   6 -> 9   scale out by 3   +0.29 USD/h",
                "    cpu        82 % against a target of 60 % wants 9",
                "    combined   the largest want is 9",
                "    limits     2 to 12, not reached",
            ]
        );
        assert_eq!(
            nearest_changes(rules.group(), &decision),
            [
                "cpu would want 10 above 90 %, and 8 at 80 % or less",
                // The sample is too old then.
                "by time alone it may change at 2026-01-05T12:03:00Z",
            ]
        );
    }

    #[test]
    fn what_holds_a_decision_is_said_with_its_end() {
        let rules = cpu_rules(|policy| {
            policy.scale_in.cooldown = mins(10);
            policy.scale_in.stabilization = mins(5);
        });
        let mut memory = Memory::default();
        memory.record(Action {
            at: at(-6.0),
            from: Capacity(4),
            to: Capacity(6),
            by: "tideform".into(),
        });
        memory.recommendations.push(Recommendation {
            at: at(-2.0),
            desired: Capacity(5),
        });
        let decision = decided(
            &rules,
            &seen(6, &[("cpu", 30.0)], at(0.0)),
            &memory,
            at(0.0),
        );
        let lines = reason_lines(rules.group(), &decision.reasons);
        assert_eq!(
            lines[2..4],
            [
                "stabilization   3 -> 5: 5 was recommended at 2026-01-05T11:58:00Z, within the last 5m",
                "cooldown        5 -> 6: scale in waits until 2026-01-05T12:04:00Z, after the scale out at 2026-01-05T11:54:00Z",
            ]
        );
        assert!(
            nearest_changes(rules.group(), &decision)
                .contains(&"by time alone it may change at 2026-01-05T12:03:00Z".to_owned())
        );
    }

    #[test]
    fn a_metric_in_no_step_says_which_is_nearest() {
        let mut policy = plain();
        policy.metrics.push(metric(
            "queue",
            Some(Rule::Steps(vec![
                above(100.0, Some(1000.0), Adjustment::Add(2)),
                above(1000.0, None, Adjustment::AddShare(Share(0.5))),
            ])),
        ));
        let rules = crate::engine::Rules::new(&group(policy));
        let decision = decided(
            &rules,
            &seen(6, &[("queue", 50.0)], at(0.0)),
            &Memory::default(),
            at(0.0),
        );
        assert_eq!(
            nearest_changes(rules.group(), &decision),
            ["queue at or above 100 would add 2"]
        );
        let mut seen = seen(6, &[("queue", 1000.0)], at(0.0));
        seen.instances = Some((0..4).map(|n| instance(&n.to_string(), 60.0)).collect());
        let decision = decided(&rules, &seen, &Memory::default(), at(0.0));
        assert_eq!(
            reason_lines(rules.group(), &decision.reasons)[0],
            "queue      1000 is at or above 1000: add 50 % with 4 ready of 6 wants 6"
        );
    }

    #[test]
    fn numbers_are_short() {
        for (x, text) in [
            (82.0, "82"),
            (83.25, "83.25"),
            (1.0 / 3.0, "0.333"),
            (0.0, "0"),
            (-0.5, "-0.5"),
            (1e-9, "1.00e-9"),
            (1e300, "1.00e300"),
        ] {
            assert_eq!(number(x), text);
        }
    }
}
