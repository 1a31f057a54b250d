//! What a metric wants, and when it says nothing.

use tideform_policies::model::{
    Adjustment, BinaryOperator, Combine, Expression, Formula, InstanceSample, MetricReading,
    OwnValue, Sample, Share, WeightedConstants,
};

use super::*;
use crate::engine::testing::{
    above, at, check_decisions, cpu_rules, decided, instance, metric, rules, seen, track,
};

fn missing(on_missing: OnMissing) -> crate::engine::Rules {
    cpu_rules(|policy| policy.metrics[0].on_missing = on_missing)
}

#[test]
fn a_sample_is_fresh_for_three_periods_and_the_delay() {
    let late = cpu_rules(|policy| {
        policy.metrics[0].delay = std::time::Duration::from_secs(120);
    });
    for (rules, minutes, fresh) in [
        (&missing(OnMissing::Hold), 3.0, true),
        (&missing(OnMissing::Hold), 3.1, false),
        (&late, 5.0, true),
        (&late, 5.1, false),
    ] {
        let seen = seen(6, &[("cpu", 90.0)], at(0.0));
        let decision = decided(rules, &seen, &Memory::default(), at(minutes));
        assert_eq!(decision.has("no_data"), !fresh, "{minutes}");
        assert_eq!(
            decision.desired.get(),
            if fresh { 9 } else { 6 },
            "{minutes}"
        );
    }
}

/// A group of ten whose only metric is weighted: a score of 1 adds six, one of -1 removes four.
fn weighted(change: impl FnOnce(&mut Metric)) -> crate::engine::Rules {
    cpu_rules(|policy| {
        policy.combine = Combine::Weighted(WeightedConstants::default());
        change(&mut policy.metrics[0]);
    })
}

#[test]
fn amounts_of_what_instances_have_become_one_percentage_for_steps() {
    // 900 of 1000 and 100 of 1000 are 50 %.
    for (above_what, desired) in [(50.0, 6), (50.1, 4)] {
        let rules = rules(|policy| {
            policy.metrics.push(metric(
                "cpu",
                Some(Rule::Steps(vec![above(
                    above_what,
                    None,
                    Adjustment::Add(2),
                )])),
            ));
        });
        let mut seen = seen(4, &[], at(0.0));
        let values = [("a", 900.0), ("b", 100.0)];
        seen.metrics.insert(
            "cpu".into(),
            MetricReading::PerInstance {
                at: at(0.0),
                values: values
                    .iter()
                    .map(|(id, value)| InstanceSample {
                        id: (*id).into(),
                        value: Some(*value),
                        of: Some(1000.0),
                    })
                    .collect(),
            },
        );
        let decision = decided(&rules, &seen, &Memory::default(), at(0.0));
        assert_eq!(decision.desired.get(), desired, "{above_what}");
    }
}

#[test]
fn the_score_is_zero_inside_the_threshold_and_without_one_inside_the_tolerance() {
    let uneven = |tolerance_out, tolerance_in| {
        Some(Rule::Track(Track {
            target: 60.0,
            tolerance_out: Share(tolerance_out),
            tolerance_in: Share(tolerance_in),
        }))
    };
    for (rule, threshold, cpu, desired) in [
        (track(60.0), None, 65.9, 10),
        (track(60.0), None, 66.1, 16),
        (track(60.0), None, 53.9, 6),
        // The threshold alone decides, inside the tolerance as well.
        (track(60.0), Some(1.0), 61.1, 16),
        (track(60.0), Some(1.0), 61.0, 10),
        (track(60.0), Some(1.0), 58.9, 6),
        (track(60.0), Some(20.0), 79.0, 10),
        // No threshold at all: the tolerance again.
        (track(60.0), Some(0.0), 65.0, 10),
        (track(60.0), Some(-1.0), 65.0, 10),
        // A tolerance of its own for each direction.
        (uneven(0.5, 0.01), None, 80.0, 10),
        (uneven(0.5, 0.01), None, 59.0, 6),
        (uneven(0.01, 0.5), None, 61.0, 16),
        (uneven(0.01, 0.5), None, 40.0, 10),
        (uneven(0.0, 0.0), None, 60.0, 10),
        (uneven(0.0, 0.0), None, 60.1, 16),
        (uneven(0.0, 0.0), None, 59.9, 6),
        // A small target has a small threshold, and its scores are whole all the same.
        (track(0.3), None, 0.4, 16),
        (track(0.3), None, 0.2, 6),
    ] {
        let rules = weighted(|metric| {
            metric.rule = rule.clone();
            metric.threshold = threshold;
        });
        let seen = seen(10, &[("cpu", cpu)], at(0.0));
        let decision = decided(&rules, &seen, &Memory::default(), at(0.0));
        assert_eq!(
            decision.desired.get(),
            desired,
            "{rule:?} {threshold:?} {cpu}: {:#?}",
            decision.reasons
        );
    }
}

#[test]
fn instances_without_a_say_take_from_the_score_only_what_they_turn_around() {
    for (values, desired) in [
        // 90, and nothing of the third, is still more than the target.
        (vec![Some(120.0), Some(120.0), None], 9),
        (vec![Some(78.0), None], 2),
        // What is missing may use everything: 20 and 20 and 100 are less than 60, 25 and 100 are more.
        (vec![Some(20.0), Some(20.0), Some(20.0), None], 0),
        (vec![Some(25.0), None], 2),
    ] {
        let count = u32::try_from(values.len()).expect("a few");
        let mut seen = seen(count, &[], at(0.0));
        let ids: Vec<String> = (0..count).map(|n| format!("i-{n}")).collect();
        seen.instances = Some(ids.iter().map(|id| instance(id, 60.0)).collect());
        seen.metrics.insert(
            "cpu".into(),
            MetricReading::PerInstance {
                at: at(0.0),
                values: ids
                    .iter()
                    .zip(&values)
                    .map(|(id, value)| InstanceSample {
                        id: id.as_str().into(),
                        value: *value,
                        of: None,
                    })
                    .collect(),
            },
        );
        let decision = decided(&weighted(|_| {}), &seen, &Memory::default(), at(0.0));
        assert_eq!(
            decision.desired.get(),
            desired,
            "{values:?}: {:#?}",
            decision.reasons
        );
    }
}

#[test]
fn a_number_that_is_none_stands_in_for_nothing() {
    for value in [f64::NAN, f64::INFINITY, f64::NEG_INFINITY] {
        let rules = missing(OnMissing::Value(value));
        let decision = decided(&rules, &seen(6, &[], at(0.0)), &Memory::default(), at(0.0));
        assert_eq!(decision.desired.get(), 6, "{value}");
        assert!(decision.has("no_data"), "{value}");
    }
}

#[test]
fn samples_of_instances_become_one_value_for_steps_and_totals() {
    for (scope, rule, desired) in [
        // The mean of 150 and 50; the value without a sample and the absurd one count nowhere.
        (
            Scope::Instance,
            Rule::Steps(vec![above(100.0, None, Adjustment::Add(2))]),
            6,
        ),
        (
            Scope::Instance,
            Rule::Steps(vec![above(100.1, None, Adjustment::Add(2))]),
            4,
        ),
        // Their sum.
        (Scope::Group, Rule::Want, 200),
    ] {
        let rules = rules(|policy| {
            let mut queue = metric("queue", Some(rule.clone()));
            queue.scope = scope;
            policy.metrics.push(queue);
            policy.limits = crate::engine::testing::limits(0, 1_000);
        });
        let mut seen = seen(4, &[], at(0.0));
        let values = [Some(150.0), None, Some(f64::INFINITY), Some(50.0)];
        seen.metrics.insert(
            "queue".into(),
            MetricReading::PerInstance {
                at: at(0.0),
                values: values
                    .iter()
                    .enumerate()
                    .map(|(n, value)| InstanceSample {
                        id: format!("i-{n}").into(),
                        value: *value,
                        of: None,
                    })
                    .collect(),
            },
        );
        let decision = decided(&rules, &seen, &Memory::default(), at(0.0));
        assert_eq!(
            decision.desired.get(),
            desired,
            "{scope:?}: {:#?}",
            decision.reasons
        );
    }
}

#[test]
fn absent_data_holds_unless_the_policy_says_otherwise() {
    check_decisions(
        &missing(OnMissing::Hold),
        6,
        "| at | cpu | desired | kinds    |
         | 0  | 60  | 6       | opinion  |
         | 9  | -   | 6       | no_data  |",
    );
    check_decisions(
        &missing(OnMissing::Last),
        6,
        "| at | cpu | desired | kinds                |
         | 0  | 90  | 9       | opinion !substituted |
         | 9  | -   | 14      | substituted opinion  |
         | 15 | -   | 21      | substituted          |
         | 16 | -   | 21      | no_data !substituted |",
    );
    check_decisions(
        &missing(OnMissing::Value(0.0)),
        6,
        "| at | cpu | desired | kinds                |
         | 0  | 60  | 6       | opinion              |
         | 9  | -   | 0       | substituted opinion  |",
    );
}

#[test]
fn scale_out_on_missing_adds_once_until_the_data_comes_back() {
    check_decisions(
        &missing(OnMissing::ScaleOut),
        6,
        "| at | cpu | desired | kinds            |
         | 0  | 60  | 6       | opinion          |
         | 9  | -   | 7       | added_on_missing |
         | 10 | -   | 7       | no_data !added_on_missing |
         | 99 | -   | 7       | no_data          |
         | 100| 60  | 7       | opinion          |
         | 109| -   | 8       | added_on_missing |",
    );
}

#[test]
fn what_was_added_on_missing_but_not_accepted_is_asked_for_again() {
    let rules = missing(OnMissing::ScaleOut);
    let first = decided(&rules, &seen(6, &[], at(0.0)), &Memory::default(), at(0.0));
    assert_eq!(first.desired.get(), 7);
    let second = decided(&rules, &seen(6, &[], at(1.0)), &first.memory, at(1.0));
    assert_eq!(second.desired.get(), 7);
}

#[test]
fn samples_from_the_future_or_without_a_number_are_dropped() {
    let rules = missing(OnMissing::Hold);
    let mut seen = seen(6, &[], at(0.0));
    let samples = |list: &[(f64, f64)]| {
        MetricReading::Group(
            list.iter()
                .map(|(minutes, value)| Sample {
                    at: at(*minutes),
                    value: *value,
                })
                .collect(),
        )
    };
    for (list, desired) in [
        (vec![(0.0, 90.0), (500.0, 600.0)], 9),
        (vec![(0.0, 90.0), (0.5, 120.0)], 12),
        (vec![(-1.0, 90.0), (0.0, f64::NAN)], 9),
        (vec![(-1.0, 90.0), (0.0, f64::INFINITY)], 9),
        (vec![(0.0, f64::NEG_INFINITY)], 6),
    ] {
        seen.metrics.insert("cpu".into(), samples(&list));
        let decision = decided(&rules, &seen, &Memory::default(), at(0.0));
        assert_eq!(decision.desired.get(), desired, "{list:?}");
    }
}

#[test]
fn while_a_scale_out_is_warming_no_metric_wants_less() {
    let rules = cpu_rules(|_| {});
    let with = |cpu: f64, ages: &[f64]| {
        let mut seen = seen(4, &[("cpu", cpu)], at(0.0));
        seen.instances = Some(
            ages.iter()
                .enumerate()
                .map(|(n, age)| instance(&n.to_string(), *age))
                .collect(),
        );
        let memory = Memory {
            recommendations: [crate::engine::Recommendation {
                at: at(-9.0),
                desired: Capacity(4),
            }]
            .into(),
            ..Memory::default()
        };
        decided(&rules, &seen, &memory, at(0.0))
    };
    for (cpu, ages, desired, warming) in [
        (30.0, vec![9.0, 9.0, 9.0, 9.0], 2, false),
        (30.0, vec![9.0, 9.0, 9.0, 2.9], 4, true),
        (30.0, vec![9.0, 9.0, 9.0, 3.0], 2, false),
        (30.0, vec![9.0, 9.0, 9.0, -1.0], 4, true),
        // More wanted is never held.
        (120.0, vec![9.0, 9.0, 9.0, -1.0], 6, false),
        // Enough are ready: one more that warms up is no scale-out of ours.
        (30.0, vec![9.0, 9.0, 9.0, 9.0, 1.0], 2, false),
        // One failed long ago, and nothing is on its way.
        (30.0, vec![9.0, 9.0, 9.0], 2, false),
    ] {
        let decision = with(cpu, &ages);
        assert_eq!(decision.desired.get(), desired, "{cpu} {ages:?}");
        assert_eq!(decision.has("warming"), warming, "{cpu} {ages:?}");
    }
}

#[test]
fn what_was_asked_for_just_now_and_is_not_listed_yet_is_warming_too() {
    let rules = cpu_rules(|_| {});
    let mut seen = seen(6, &[("cpu", 30.0)], at(0.0));
    seen.instances = Some(vec![instance("a", 60.0), instance("b", 60.0)]);
    let mut memory = Memory::default();
    memory.record(crate::engine::Action {
        at: at(-1.0),
        from: Capacity(2),
        to: Capacity(6),
        by: "tideform".into(),
    });
    assert!(decided(&rules, &seen, &memory, at(0.0)).has("warming"));
    // After `warmup` the launches have failed, and nothing holds the number up.
    let later = at(2.0);
    seen.metrics.insert(
        "cpu".into(),
        MetricReading::Group(vec![Sample {
            at: later,
            value: 30.0,
        }]),
    );
    assert!(!decided(&rules, &seen, &memory, later).has("warming"));
}

#[test]
fn a_metric_wants_no_larger_change_than_it_may() {
    for (cpu, max_add, max_remove, desired, cut) in [
        (
            120.0,
            Some(2),
            None,
            12,
            Some("20, but may add at most 2 at once: wants 12"),
        ),
        (72.0, Some(2), None, 12, None),
        (
            66.5,
            Some(1),
            None,
            11,
            Some("12, but may add at most 1 at once: wants 11"),
        ),
        (120.0, None, Some(0), 20, None),
        (
            30.0,
            Some(2),
            Some(3),
            7,
            Some("5, but may remove at most 3 at once: wants 7"),
        ),
        (30.0, Some(2), None, 5, None),
        (
            30.0,
            None,
            Some(0),
            10,
            Some("5, but may remove none: wants 10"),
        ),
        (0.0, None, Some(u32::MAX), 0, None),
    ] {
        let rules = cpu_rules(|policy| {
            policy.metrics[0].max_add = max_add;
            policy.metrics[0].max_remove = max_remove;
        });
        let memory = Memory {
            recommendations: [crate::engine::Recommendation {
                at: at(-60.0),
                desired: Capacity(10),
            }]
            .into(),
            ..Memory::default()
        };
        let seen = seen(10, &[("cpu", cpu)], at(0.0));
        let decision = decided(&rules, &seen, &memory, at(0.0));
        let case = format!("{cpu} {max_add:?} {max_remove:?}");
        assert_eq!(decision.desired.get(), desired, "{case}");
        let said = decision
            .reasons
            .iter()
            .find(|reason| reason.kind() == "cut")
            .map(|reason| crate::engine::explain::sentence(rules.group(), reason).1);
        assert_eq!(said, cut.map(|cut| format!("would want {cut}")), "{case}");
    }
}

fn formula(text: &str, expression: Expression) -> MetricSource {
    MetricSource::Formula(Formula {
        text: text.to_owned(),
        expression,
    })
}

#[test]
fn a_formula_is_computed_from_other_metrics_and_may_have_no_data() {
    let metrics = |x: &str| Box::new(Expression::Metric(x.into()));
    let divided = rules(|policy| {
        policy.metrics.push(metric("queue", None));
        policy.metrics.push(metric("workers", None));
        let mut each = metric("each", track(10.0));
        each.source = formula(
            "metric.queue / metric.workers",
            Expression::Binary(BinaryOperator::Divide, metrics("queue"), metrics("workers")),
        );
        policy.metrics.push(each);
    });
    for (queue, workers, desired, no_data) in [
        (100.0, Some(5.0), 8, false),
        (100.0, Some(0.0), 4, true),
        (100.0, None, 4, true),
    ] {
        let mut list = vec![("queue", queue)];
        list.extend(workers.map(|workers| ("workers", workers)));
        let seen = seen(4, &list, at(0.0));
        let decision = decided(&divided, &seen, &Memory::default(), at(0.0));
        assert_eq!(decision.desired.get(), desired, "{queue} {workers:?}");
        assert_eq!(decision.has("no_data"), no_data, "{queue} {workers:?}");
    }
}

#[test]
fn formulas_that_read_each_other_are_no_data() {
    let circle = rules(|policy| {
        for (name, other) in [("a", "b"), ("b", "a")] {
            let mut metric = metric(name, track(10.0));
            metric.source = formula(other, Expression::Metric(other.into()));
            policy.metrics.push(metric);
        }
    });
    let decision = decided(&circle, &seen(4, &[], at(0.0)), &Memory::default(), at(0.0));
    assert_eq!(decision.desired.get(), 4);
}

#[test]
fn a_want_is_rounded_out_and_speaks_also_at_zero() {
    let wish = rules(|policy| {
        let mut wish = metric("wish", Some(Rule::Want));
        wish.source = formula(
            "self.max / 8",
            Expression::Binary(
                BinaryOperator::Divide,
                Box::new(Expression::Own(OwnValue::Max)),
                Box::new(Expression::Number(8.0)),
            ),
        );
        policy.metrics.push(wish);
    });
    let decision = decided(&wish, &seen(0, &[], at(0.0)), &Memory::default(), at(0.0));
    assert_eq!(decision.desired.get(), 13);
    assert!(decision.has("want"));
}
