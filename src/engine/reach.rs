//! How far back decisions look: what has to be read of a metric, and what a simulation has to keep.

use std::collections::BTreeMap;
use std::time::Duration;

use tideform_policies::defaults::FRESH_PERIODS;
use tideform_policies::model::{Breach, Group, Metric, MetricSource, Name, OnMissing, Rule};

/// How long a sample counts as fresh: [`FRESH_PERIODS`] and the source's delay.
pub fn freshness(metric: &Metric) -> Duration {
    let periods = metric.period.saturating_mul(FRESH_PERIODS);
    periods.saturating_add(metric.delay)
}

/// How far back each metric is looked at: far enough for its own breach, `last`, and every formula and guard over it.
pub fn reach(group: &Group) -> BTreeMap<Name, Duration> {
    let metrics = &group.policy.metrics;
    let mut spans: BTreeMap<Name, Duration> = metrics
        .iter()
        .map(|metric| {
            let mut span = freshness(metric);
            if matches!(metric.rule, Some(Rule::Steps(_))) {
                span = span.max(breach_span(&metric.breach, metric));
            }
            if metric.on_missing == OnMissing::Last {
                span = span.max(metric.max_age.saturating_add(metric.delay));
            }
            (metric.name.clone(), span)
        })
        .collect();
    for guard in &group.policy.guards {
        for name in guard.when.metrics() {
            if let Some(metric) = group.metric(&name) {
                // A tripped guard lets go once its condition has failed for `release`: both windows are read.
                let span = breach_span(&guard.breach, metric).saturating_add(guard.release);
                raise(&mut spans, &name, span);
            }
        }
    }
    // Formulas may be built on formulas. Loading refuses cycles, so as many rounds as metrics settle it.
    for _ in 0..metrics.len() {
        let mut changed = false;
        for metric in metrics {
            let MetricSource::Formula(formula) = &metric.source else {
                continue;
            };
            let Some(span) = spans.get(&metric.name).copied() else {
                continue;
            };
            for input in formula.metrics() {
                changed |= raise(&mut spans, &input, span);
            }
        }
        if !changed {
            break;
        }
    }
    spans
}

/// Raises the span of `name` to at least `span`; says whether it rose.
fn raise(spans: &mut BTreeMap<Name, Duration>, name: &Name, span: Duration) -> bool {
    match spans.get_mut(name) {
        Some(current) if *current < span => {
            *current = span;
            true
        }
        _ => false,
    }
}

/// The time that a breach looks at, and one freshness more so that its oldest period is complete.
fn breach_span(breach: &Breach, metric: &Metric) -> Duration {
    let window = match *breach {
        Breach::Now => Duration::ZERO,
        Breach::For(duration) => duration,
        Breach::Of { periods, .. } => metric.period.saturating_mul(periods),
    };
    window.saturating_add(freshness(metric))
}

#[cfg(test)]
mod tests {
    use tideform_policies::model::{
        Adjustment, BinaryOperator, Blocks, Expression, Formula, Guard, GuardEffect,
    };

    use super::*;
    use crate::engine::testing::{above, cpu_rules, metric, mins};

    fn formula(input: &str) -> Formula {
        Formula {
            text: format!("metric.{input} > 1"),
            expression: Expression::Binary(
                BinaryOperator::Greater,
                Box::new(Expression::Metric(input.into())),
                Box::new(Expression::Number(1.0)),
            ),
        }
    }

    #[test]
    fn each_metric_is_read_as_far_back_as_any_rule_looks() {
        let steps = || Some(Rule::Steps(vec![above(80.0, None, Adjustment::Add(1))]));
        let rules = cpu_rules(|policy| {
            // Built on one another, the last first: a breach of 30 minutes reaches through both.
            let mut top = metric("top", steps());
            top.breach = Breach::For(mins(30));
            top.source = MetricSource::Formula(formula("middle"));
            let mut middle = metric("middle", None);
            middle.source = MetricSource::Formula(formula("bottom"));
            policy.metrics.insert(0, middle);
            policy.metrics.push(top);
            policy.metrics.push(metric("bottom", None));
            let mut counted = metric("counted", steps());
            counted.breach = Breach::Of {
                breaching: 2,
                periods: 5,
            };
            counted.delay = mins(2);
            policy.metrics.push(counted);
            let mut last = metric("last", None);
            last.on_missing = OnMissing::Last;
            last.max_age = mins(15);
            last.delay = mins(1);
            policy.metrics.push(last);
            // A breach without steps is not looked at.
            let mut idle = metric("idle", None);
            idle.breach = Breach::For(mins(99));
            policy.metrics.push(idle);
            for name in ["errors", "faults"] {
                policy.metrics.push(metric(name, None));
            }
            for (input, breach, release) in [
                ("errors", 4, 5),
                ("faults", 20, 1),
                ("faults", 1, 2),
                ("cpu", 0, 0),
            ] {
                policy.guards.push(Guard {
                    name: format!("{input}-{breach}").into(),
                    when: formula(input),
                    breach: Breach::For(mins(breach)),
                    effect: GuardEffect::Block(Blocks::All),
                    release: mins(release),
                });
            }
        });
        let spans = reach(rules.group());
        for (name, minutes) in [
            ("cpu", 3),
            ("top", 33),
            ("middle", 33),
            ("bottom", 33),
            ("counted", 5 + 3 + 2),
            ("last", 16),
            ("idle", 3),
            ("errors", 4 + 3 + 5),
            ("faults", 20 + 3 + 1),
        ] {
            assert_eq!(spans.get(name), Some(&mins(minutes)), "{name}");
        }
    }
}
