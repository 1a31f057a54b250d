//! A decision in words: a headline, a line for each reason, and what would have to change for another answer.
//!
//! Pure string building from the reasons. It prints nothing, computes no decision, and nothing reads it back.

use tideform_policies::model::units::format_duration;
use tideform_policies::model::{
    Adjustment, Capacity, Direction, Group, GuardEffect, MetricSource, RateAmount, Rule, Share,
    StepBound, VictimOrder,
};

use super::decision::Decision;
use super::reason::{Abstention, Basis, Bound, Combination, Reason, Substitute};

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

/// What a reason is about, and what it says.
pub fn sentence(group: &Group, reason: &Reason) -> (String, String) {
    let value = |metric: &str, x: f64| with_unit(group, metric, x);
    let (subject, text) = match reason {
        Reason::Opinion {
            metric,
            observed,
            target,
            basis,
            missing,
            unready,
            is_within_tolerance,
            want,
            ..
        } => {
            let observed = value(metric, *observed);
            let target = value(metric, *target);
            let mut aside = Vec::new();
            if *missing > 0 {
                aside.push(format!("{missing} without a sample"));
            }
            if *unready > 0 {
                aside.push(format!("{unready} not ready"));
            }
            let aside = if aside.is_empty() {
                String::new()
            } else {
                format!(" ({})", aside.join(", "))
            };
            let against = match basis {
                Basis::Average | Basis::PerInstance => {
                    format!("{observed}{aside} against a target of {target}")
                }
                Basis::Total => format!("a total of {observed} against {target} an instance"),
            };
            let text = if *is_within_tolerance {
                format!("{against} is near enough, wants {want}")
            } else {
                format!("{against} wants {want}")
            };
            (metric.to_string(), text)
        }
        Reason::Want {
            metric,
            observed,
            want,
        } => (
            metric.to_string(),
            format!("is {}, wants {want}", number(*observed)),
        ),
        Reason::Step {
            metric,
            observed,
            when,
            adjustment,
            ready,
            want,
        } => (
            metric.to_string(),
            format!(
                "{} is {}: {} with {ready} ready wants {want}",
                value(metric, *observed),
                bound_text(when, &|x| value(metric, x)),
                adjustment_text(adjustment)
            ),
        ),
        Reason::Abstained {
            metric,
            observed,
            why,
        } => {
            let observed = observed.map_or_else(String::new, |x| format!("{} ", value(metric, x)));
            (
                metric.to_string(),
                match why {
                    Abstention::NoStep => format!("{observed}is in no step, no opinion"),
                    Abstention::BreachTooShort => {
                        format!("{observed}is not breached for long enough yet, no opinion")
                    }
                    Abstention::AtZero => {
                        "has no opinion: there is no instance that it could describe".to_owned()
                    }
                },
            )
        }
        Reason::NoData { metric, newest_at } => (
            metric.to_string(),
            match newest_at {
                Some(at) => format!("has no data to go by since {at}"),
                None => "has no data".to_owned(),
            },
        ),
        Reason::Substituted {
            metric,
            by,
            value: x,
            sampled_at,
        } => {
            let x = value(metric, *x);
            (
                metric.to_string(),
                match (by, sampled_at) {
                    (Substitute::Last, Some(at)) => {
                        format!("has no data, taken as {x} as last at {at}")
                    }
                    (Substitute::Last | Substitute::Number, _) => {
                        format!("has no data, taken as {x}")
                    }
                },
            )
        }
        Reason::AddedOnMissing {
            metric,
            since,
            want,
        } => (
            metric.to_string(),
            format!("has had no data since {since} and adds one, once: wants {want}"),
        ),
        Reason::Warming {
            metric,
            wanted,
            want,
            ready,
        } => (
            metric.to_string(),
            format!(
                "would want {wanted}, but only {ready} of {want} are ready and the rest is warming: wants {want}"
            ),
        ),
        Reason::Combined {
            combination,
            before,
            after,
        } => (
            "combined".to_owned(),
            combined(combination, *before, *after),
        ),
        Reason::Stabilized {
            window,
            recommended_at,
            before,
            after,
            ..
        } => (
            "stabilization".to_owned(),
            format!(
                "{}: {after} was recommended at {recommended_at}, within the last {}",
                arrow(*before, *after),
                format_duration(*window)
            ),
        ),
        Reason::RateLimited {
            direction,
            amount,
            per,
            base,
            before,
            after,
            ..
        } => (
            "rate".to_owned(),
            format!(
                "{}: {direction} is at most {} in {}, from {base}",
                arrow(*before, *after),
                match amount {
                    RateAmount::Count(n) => n.to_string(),
                    RateAmount::Share(share) => percent(*share),
                },
                format_duration(*per)
            ),
        ),
        Reason::DirectionDisabled {
            direction,
            before,
            after,
        } => (
            direction.to_string(),
            format!("{}: is switched off", arrow(*before, *after)),
        ),
        Reason::InCooldown {
            direction,
            after_direction,
            changed_at,
            until,
            before,
            after,
        } => (
            "cooldown".to_owned(),
            format!(
                "{}: {direction} waits until {until}, after the {after_direction} at {changed_at}",
                arrow(*before, *after)
            ),
        ),
        Reason::GuardTripped {
            guard,
            effect,
            releases_at,
        } => (
            format!("guard {guard}"),
            match releases_at {
                Some(at) => format!("is tripped, {}, until {at}", effect_text(effect)),
                None => format!("is tripped, {}", effect_text(effect)),
            },
        ),
        Reason::Guarded {
            guard,
            effect,
            before,
            after,
        } => (
            format!("guard {guard}"),
            format!("{}: {}", arrow(*before, *after), effect_text(effect)),
        ),
        Reason::Frozen {
            freeze,
            until,
            reason,
            before,
            after,
        } => (
            format!("freeze {freeze}"),
            format!(
                "{}: until {until}{}",
                arrow(*before, *after),
                because(reason)
            ),
        ),
        Reason::OverBudget {
            spent_usd,
            monthly_usd,
            before,
            after,
        } => (
            "budget".to_owned(),
            format!(
                "{}: {spent_usd:.2} USD of {monthly_usd:.2} USD are spent this month",
                arrow(*before, *after)
            ),
        ),
        Reason::Pinned {
            until,
            by,
            reason,
            before,
            after,
        } => (
            "pin".to_owned(),
            format!(
                "{}: pinned by {by} until {until}{}",
                arrow(*before, *after),
                because(reason)
            ),
        ),
        Reason::RaisedToFloor {
            bound,
            before,
            after,
        } => (
            bound_name(bound),
            format!("{}: at least {after}", arrow(*before, *after)),
        ),
        Reason::LoweredToCeiling {
            bound,
            before,
            after,
        } => (
            bound_name(bound),
            format!("{}: at most {after}", arrow(*before, *after)),
        ),
        Reason::WithinLimits { floor, ceiling } => (
            "limits".to_owned(),
            match ceiling {
                Some(ceiling) => format!("{floor} to {ceiling}, not reached"),
                None => format!("{floor} and more, not reached"),
            },
        ),
        Reason::ForecastObserved { capacity, quantile } => (
            "forecast".to_owned(),
            format!(
                "asks for {capacity} (quantile {}), and only observes",
                number(*quantile)
            ),
        ),
        Reason::ScheduleUnusable { schedule, problem } => (
            format!("schedule {schedule}"),
            format!("is taken as closed: {problem}"),
        ),
        Reason::Paused {
            until,
            by,
            reason,
            before,
            after,
        } => (
            "pause".to_owned(),
            format!(
                "{}: paused by {by} until {until}{}",
                arrow(*before, *after),
                because(reason)
            ),
        ),
        Reason::MixSplit { on_demand, spot } => (
            "mix".to_owned(),
            format!("{on_demand} on demand, {spot} spot"),
        ),
        Reason::Fallback { until, moved, .. } => (
            "fallback".to_owned(),
            format!("spot does not launch: {moved} on demand instead, until {until}"),
        ),
        Reason::Victims {
            instances,
            order,
            left,
            ..
        } => {
            let order = match order {
                VictimOrder::Newest => ", the newest first",
                VictimOrder::Oldest => ", the oldest first",
                VictimOrder::Default => "",
            };
            let rest = match (left.get(), instances) {
                (0, _) => String::new(),
                (left, _) => format!("; {left} left to the backend"),
            };
            (
                "victims".to_owned(),
                format!("{instances} named, unhealthy ones first{order}{rest}"),
            )
        }
    };
    (subject, text)
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
                    |step: &tideform_policies::model::Step| (start_of(&step.when) - observed).abs();
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

fn start_of(when: &StepBound) -> f64 {
    match when {
        StepBound::Above { from, .. } | StepBound::Below { from, .. } => *from,
    }
}

fn bound_text(when: &StepBound, value: &dyn Fn(f64) -> String) -> String {
    match when {
        StepBound::Above { from, .. } => format!("at or above {}", value(*from)),
        StepBound::Below { from, .. } => format!("at or below {}", value(*from)),
    }
}

fn adjustment_text(adjustment: &Adjustment) -> String {
    match adjustment {
        Adjustment::Add(n) => format!("add {n}"),
        Adjustment::Remove(n) => format!("remove {n}"),
        Adjustment::AddShare(share) => format!("add {}", percent(*share)),
        Adjustment::RemoveShare(share) => format!("remove {}", percent(*share)),
        Adjustment::Set(n) => format!("set {n}"),
    }
}

fn effect_text(effect: &GuardEffect) -> String {
    use tideform_policies::model::Blocks;
    match effect {
        GuardEffect::Block(Blocks::ScaleIn) => "no scale in".to_owned(),
        GuardEffect::Block(Blocks::ScaleOut) => "no scale out".to_owned(),
        GuardEffect::Block(Blocks::All) => "no move".to_owned(),
        GuardEffect::Cap(cap) => format!("no growth past {cap}"),
    }
}

fn bound_name(bound: &Bound) -> String {
    match bound {
        Bound::Limits => "limits".to_owned(),
        Bound::Schedule(name) => format!("schedule {name}"),
        Bound::Surge(name) => format!("surge {name}"),
        Bound::Forecast => "forecast".to_owned(),
    }
}

fn combined(combination: &Combination, before: Capacity, after: Capacity) -> String {
    match combination {
        Combination::Max {
            is_held_by_missing_data: true,
        }
        | Combination::Weighted {
            is_held_by_missing_data: true,
            ..
        } => format!("stays at {after}: nothing is removed while a metric has no data"),
        Combination::Max { .. } => format!("the largest want is {after}"),
        Combination::Majority { out, r#in, of } => {
            let text = format!("of {of} metrics {out} want more and {} want fewer", r#in);
            if before == after {
                format!("{text}: stays at {after}")
            } else {
                format!("{text}: {after}")
            }
        }
        Combination::Weighted { score, .. } => {
            format!("the weighted score is {}: {after}", number(*score))
        }
        Combination::NoOpinion => format!("no metric has an opinion: stays at {after}"),
        Combination::Floor => format!("no metric has a rule: the floor of {after}"),
    }
}

fn because(reason: &Option<String>) -> String {
    reason
        .as_ref()
        .map_or_else(String::new, |reason| format!(" ({reason})"))
}

fn percent(share: Share) -> String {
    format!("{} %", number(share.percent()))
}

/// A value with the unit of the known metrics: percent, seconds.
fn with_unit(group: &Group, metric: &str, value: f64) -> String {
    let name = match group.metric(metric).map(|metric| &metric.source) {
        Some(MetricSource::Query(query)) => query.name.to_ascii_lowercase(),
        _ => String::new(),
    };
    let unit = if name == "cpu"
        || name == "memory"
        || name == "error_rate"
        || name.contains("utilization")
    {
        " %"
    } else if name == "latency" {
        " s"
    } else {
        ""
    };
    format!("{}{unit}", number(value))
}

/// At most three decimals; what is tiny or huge in powers of ten.
pub fn number(x: f64) -> String {
    let size = x.abs();
    if x == 0.0 {
        return "0".to_owned();
    }
    if !(1e-3..1e15).contains(&size) {
        return format!("{x:.2e}");
    }
    let text = format!("{x:.3}");
    let text = text.trim_end_matches('0').trim_end_matches('.');
    text.to_owned()
}

#[cfg(test)]
mod tests {
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
            ["cpu would want 10 above 90 %, and 8 at 80 % or less"]
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
            by: "tideform".to_owned(),
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
            "queue      1000 is at or above 1000: add 50 % with 4 ready wants 6"
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
