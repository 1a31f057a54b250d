use proptest::prelude::*;
use tideform_policies::model::{
    Adjustment, BinaryOperator, Blocks, Breach, Expression, Formula, Freeze, Guard, GuardEffect,
    Instance, InstanceSample, MetricReading, MetricSource, OnMissing, Rate, RateAmount, Rule,
    Sample, Scope, Share,
};

use super::*;
use crate::engine::properties::{case, cases};
use crate::engine::testing::{
    above, at, below, cpu_rules, decided, group, instance, limits, metric, mins, rules, seen, track,
};
use crate::engine::time::later;
use crate::engine::{Action, BY_TIDEFORM, Pause, Pin, Recommendation, decide};

fn found(rules: &Rules, seen: &Observation, memory: &Memory) -> Nearest {
    let decision = decided(rules, seen, memory, at(0.0));
    nearest(rules, seen, memory, at(0.0), &decision)
}

/// `cpu >66.1 7, cpu <53.9 5`: metric, side, value, how long, answer.
fn values(nearest: &Nearest) -> String {
    let said: Vec<String> = nearest
        .values
        .iter()
        .map(|value| {
            let side = match value.side {
                Some(Side::Above) => ">",
                Some(Side::Below) => "<",
                None => "=",
            };
            let lasting = value.lasting.map_or_else(String::new, |lasting| {
                format!(" for {}m", lasting.as_secs() / 60)
            });
            let NearestValue {
                metric,
                value,
                desired,
                ..
            } = value;
            format!("{metric} {side}{value}{lasting} {desired}")
        })
        .collect();
    said.join(", ")
}

fn last_change(minutes: f64, from: u32, to: u32) -> Memory {
    let mut memory = Memory {
        recommendations: [Recommendation {
            at: at(-60.0),
            desired: Capacity(to),
        }]
        .into(),
        ..Memory::default()
    };
    memory.record(Action {
        at: at(minutes),
        from: Capacity(from),
        to: Capacity(to),
        by: BY_TIDEFORM.into(),
    });
    memory
}

#[test]
fn a_tracked_mean_changes_at_its_tolerance_or_at_the_next_whole_instance() {
    let rules = cpu_rules(|policy| policy.limits = limits(2, 12));
    for (current, cpu, expected) in [
        (6, 60.0, "cpu >66.1 7, cpu <50 5"),
        (10, 60.0, "cpu >66.1 12, cpu <53.9 9"),
        (6, 82.0, "cpu >90.1 10, cpu <80 8, cpu <50 5"),
        (6, 30.0, "cpu >30.1 4, cpu <20 2, cpu >66.1 7"),
        // The limits bound both; a machine's utilization ends at 100 %.
        (12, 99.0, "cpu <53.9 11"),
        (6, 130.0, "cpu <110 11, cpu <50 5"),
        (2, 30.0, "cpu >66.1 3"),
    ] {
        let nearest = found(
            &rules,
            &seen(current, &[("cpu", cpu)], at(0.0)),
            &Memory::default(),
        );
        assert_eq!(values(&nearest), expected, "{current} at {cpu}");
    }
}

#[test]
fn totals_wants_and_formulas_are_asked_alike() {
    let rules = rules(|policy| {
        let mut backlog = metric("backlog", track(25.0));
        backlog.scope = Scope::Group;
        backlog.source = MetricSource::Formula(Formula {
            text: "metric.queue * 2".to_owned(),
            expression: Expression::Binary(
                BinaryOperator::Multiply,
                Box::new(Expression::Metric("queue".into())),
                Box::new(Expression::Number(2.0)),
            ),
        });
        policy.metrics.push(backlog);
        policy.metrics.push(metric("queue", None));
        policy.metrics.push(metric("unread", None));
    });
    let metrics = [("queue", 50.0), ("unread", 5.0)];
    let nearest = found(&rules, &seen(4, &metrics, at(0.0)), &Memory::default());
    assert_eq!(values(&nearest), "queue >55.1 5, queue <37.5 3");

    let rules = self::rules(|policy| policy.metrics.push(metric("wanted", Some(Rule::Want))));
    let nearest = found(
        &rules,
        &seen(4, &[("wanted", 4.0)], at(0.0)),
        &Memory::default(),
    );
    assert_eq!(values(&nearest), "wanted >4.01 5, wanted <3 3");
}

fn queue(breach: Breach) -> Rules {
    rules(|policy| {
        let mut queue = metric(
            "queue",
            Some(Rule::Steps(vec![
                above(100.0, Some(1000.0), Adjustment::Add(2)),
                above(1000.0, None, Adjustment::AddShare(Share(0.5))),
                below(10.0, None, Adjustment::Remove(1)),
            ])),
        );
        queue.breach = breach;
        policy.metrics.push(queue);
    })
}

#[test]
fn a_step_changes_at_its_bound_and_says_how_long_it_must_last() {
    let of = |breach, samples: &[f64]| {
        let mut seen = seen(6, &[], at(0.0));
        let count = samples.len();
        let samples = samples
            .iter()
            .enumerate()
            .map(|(n, value)| Sample {
                at: at(n as f64 - (count - 1) as f64),
                value: *value,
            })
            .collect();
        seen.metrics
            .insert("queue".into(), MetricReading::Group(samples));
        values(&found(&queue(breach), &seen, &Memory::default()))
    };
    assert_eq!(of(Breach::Now, &[50.0]), "queue >100 8, queue <10 5");
    assert_eq!(
        of(Breach::Now, &[100.0]),
        "queue >1000 9, queue <99.9 6, queue <10 5"
    );
    assert_eq!(
        of(Breach::For(mins(2)), &[50.0, 50.0, 50.0]),
        "queue >100 for 2m 8, queue <10 for 2m 5"
    );
    // It has breached for long enough, but for the newest sample.
    assert_eq!(
        of(Breach::For(mins(2)), &[150.0, 150.0, 50.0]),
        "queue >100 8, queue <10 for 2m 5"
    );
    assert_eq!(
        of(
            Breach::Of {
                breaching: 3,
                periods: 5
            },
            &[50.0; 5]
        ),
        "queue >100 for 3m 8, queue <10 for 3m 5"
    );
}

#[test]
fn samples_per_instance_move_together() {
    let rules = cpu_rules(|policy| policy.limits = limits(2, 12));
    let mut seen = seen(3, &[], at(0.0));
    let instances: Vec<Instance> = (0..3).map(|n| instance(&n.to_string(), 60.0)).collect();
    let values_of = |x: [Option<f64>; 3]| MetricReading::PerInstance {
        at: at(0.0),
        values: instances
            .iter()
            .zip(x)
            .map(|(instance, value)| InstanceSample {
                id: instance.id.clone(),
                value,
                of: None,
            })
            .collect(),
    };
    seen.instances = Some(instances.clone());
    let all = values_of([Some(50.0), Some(60.0), Some(70.0)]);
    seen.metrics.insert("cpu".into(), all);
    let nearest = found(&rules, &seen, &Memory::default());
    assert_eq!(values(&nearest), "cpu >66.1 4, cpu <40 2");
    // The one without a sample counts against the change.
    let some = values_of([Some(60.0), Some(60.0), None]);
    seen.metrics.insert("cpu".into(), some);
    let nearest = found(&rules, &seen, &Memory::default());
    assert_eq!(values(&nearest), "cpu >99.1 4, cpu <10 2");
}

#[test]
fn absent_data_says_what_data_would_do() {
    let mut rules = cpu_rules(|policy| policy.limits = limits(2, 12));
    let nearest = found(&rules, &seen(6, &[], at(0.0)), &Memory::default());
    assert_eq!(values(&nearest), "cpu =66.1 7, cpu =50 5");
    // A number stands in for it and scales in: any usual value would not.
    rules = cpu_rules(|policy| policy.metrics[0].on_missing = OnMissing::Value(0.0));
    let nearest = found(&rules, &seen(6, &[], at(0.0)), &Memory::default());
    assert_eq!(values(&nearest), "cpu =60 6, cpu =66.1 7");
}

#[test]
fn what_holds_a_direction_is_named_and_the_time_at_which_it_lets_go() {
    let rules = cpu_rules(|policy| {
        policy.scale_in.cooldown = mins(10);
        policy.limits = limits(2, 6);
    });
    let nearest = found(
        &rules,
        &seen(6, &[("cpu", 30.0)], at(0.0)),
        &last_change(-6.0, 4, 6),
    );
    assert_eq!(values(&nearest), "");
    let held: Vec<(Direction, &str)> = nearest
        .held
        .iter()
        .map(|held| (held.direction, held.by.kind()))
        .collect();
    assert_eq!(
        held,
        [
            (Direction::Out, "lowered_to_ceiling"),
            (Direction::In, "in_cooldown")
        ]
    );
    let by_time = nearest.by_time.expect("a time");
    assert_eq!(
        (by_time.at, by_time.edge, by_time.desired.get()),
        (at(4.0), Edge::Cooldown, 3)
    );
    assert_eq!(
        nearest.levers,
        [Lever {
            reason: 2,
            desired: Capacity(3)
        }]
    );
}

#[test]
fn where_one_metric_alone_moves_nothing_the_other_one_is_named() {
    let rules = cpu_rules(|policy| policy.metrics.push(metric("memory", track(60.0))));
    let seen = seen(6, &[("cpu", 60.0), ("memory", 60.0)], at(0.0));
    let nearest = found(&rules, &seen, &Memory::default());
    assert_eq!(values(&nearest), "cpu >66.1 7, memory >66.1 7");
    assert_eq!(nearest.held[0].direction, Direction::In);
    assert!(
        matches!(&nearest.held[0].by, Reason::Opinion { metric, .. } if **metric == *"memory"),
        "{:?}",
        nearest.held
    );
}

#[test]
fn a_pause_a_pin_and_a_freeze_leave_nothing_to_the_metrics() {
    let paused = cpu_rules(|_| {});
    let mut seen = seen(6, &[("cpu", 90.0)], at(0.0));
    seen.overrides.pause = Some(Pause {
        until: at(60.0),
        reason: None,
        by: "ada".to_owned(),
    });
    let nearest = found(&paused, &seen, &Memory::default());
    assert!(nearest.values.is_empty());
    assert!(nearest.held.iter().all(|held| held.by.kind() == "paused"));
    assert_eq!(nearest.held.len(), 2);
    let by_time = nearest.by_time.expect("a time");
    assert_eq!((by_time.at, by_time.desired.get()), (at(60.0), 9));

    seen.overrides.pause = None;
    seen.overrides.pin = Some(Pin {
        capacity: Capacity(8),
        until: at(30.0),
        reason: None,
        by: "ada".to_owned(),
    });
    let nearest = found(&paused, &seen, &Memory::default());
    assert!(nearest.values.is_empty());
    assert_eq!(
        nearest.levers,
        [Lever {
            reason: 2,
            desired: Capacity(9)
        }]
    );

    seen.overrides.pin = None;
    let frozen = cpu_rules(|policy| {
        policy.freezes.push(Freeze {
            name: "release".into(),
            start: at(-1.0),
            end: at(9.0),
            blocks: Blocks::ScaleOut,
            reason: None,
        });
    });
    let nearest = found(&frozen, &seen, &Memory::default());
    assert_eq!(values(&nearest), "cpu <50 5");
    assert_eq!(nearest.held[0].by.kind(), "frozen");
    assert_eq!(nearest.by_time.map(|time| time.at), Some(at(9.0)));
}

#[test]
fn a_guards_metric_counts_with_the_time_that_it_must_last() {
    let rules = cpu_rules(|policy| {
        policy.metrics.push(metric("errors", None));
        policy.guards.push(Guard {
            name: "errors".into(),
            when: Formula {
                text: "metric.errors > 10".to_owned(),
                expression: Expression::Binary(
                    BinaryOperator::Greater,
                    Box::new(Expression::Metric("errors".into())),
                    Box::new(Expression::Number(10.0)),
                ),
            },
            breach: Breach::For(mins(2)),
            effect: GuardEffect::Block(Blocks::ScaleIn),
            release: mins(0),
        });
    });
    let nearest = found(
        &rules,
        &seen(6, &[("cpu", 30.0), ("errors", 1.0)], at(0.0)),
        &last_change(-60.0, 4, 6),
    );
    assert_eq!(
        values(&nearest),
        "cpu >30.1 4, cpu <20 2, cpu >66.1 7, errors >10.1 for 2m 6"
    );
}

#[test]
fn the_limit_and_the_rate_that_bind_say_what_would_be_without_them() {
    let rules = cpu_rules(|policy| {
        policy.limits = limits(2, 8);
        policy.scale_out.rates.push(Rate {
            amount: RateAmount::Share(Share(0.5)),
            per: mins(1),
        });
    });
    let nearest = found(
        &rules,
        &seen(6, &[("cpu", 96.0)], at(0.0)),
        &Memory::default(),
    );
    // The limit alone: the rate then allows 9. The rate alone: the limit holds.
    assert_eq!(
        nearest.levers,
        [Lever {
            reason: 3,
            desired: Capacity(9)
        }]
    );
}

#[test]
fn a_breach_that_has_begun_acts_by_time_alone() {
    let rules = queue(Breach::For(mins(3)));
    let mut seen = seen(6, &[], at(0.0));
    let samples = [(-2.0, 50.0), (-1.0, 50.0), (0.0, 150.0)];
    let samples = samples.map(|(minutes, value)| Sample {
        at: at(minutes),
        value,
    });
    seen.metrics
        .insert("queue".into(), MetricReading::Group(samples.to_vec()));
    let by_time = found(&rules, &seen, &Memory::default())
        .by_time
        .expect("a time");
    assert_eq!(
        (by_time.at, by_time.edge, by_time.desired.get()),
        (at(2.0), Edge::Breach("queue".into()), 8)
    );
}

#[test]
fn it_reads_back_from_json_and_fields_end_in_their_unit() {
    let nearest = Nearest {
        values: vec![NearestValue {
            metric: "queue".into(),
            side: Some(Side::Above),
            value: 100.0,
            lasting: Some(mins(2)),
            is_met: false,
            desired: Capacity(8),
        }],
        by_time: Some(ByTime {
            at: at(2.0),
            edge: Edge::Schedule("office".into()),
            desired: Capacity(8),
        }),
        ..Nearest::default()
    };
    let json = serde_json::to_string(&nearest).expect("JSON");
    assert_eq!(
        json,
        r#"{"values":[{"metric":"queue","side":"above","value":100.0,"lasting_s":120,"desired":8}],"by_time":{"at":"2026-01-05T12:02:00Z","edge":"schedule","name":"office","desired":8}}"#
    );
    assert_eq!(
        serde_json::from_str::<Nearest>(&json).expect("read"),
        nearest
    );
}

/// Changes the newest sample that counts, by other means than the search does.
fn changed(rules: &Rules, seen: &Observation, value: &NearestValue, base: f64) -> Observation {
    let metric = rules.group().metric(&value.metric).expect("known");
    let mut seen = seen.clone();
    let insert = Sample {
        at: at(0.0),
        value: value.value,
    };
    match seen.metrics.get_or_empty(&value.metric) {
        MetricReading::Group(samples) => {
            let newest = samples.iter_mut().rev().find(|sample| {
                sample.value.is_finite() && sample.at <= later(at(0.0), metric.period)
            });
            match newest {
                Some(sample) if value.side.is_some() => sample.value = value.value,
                _ => {
                    let place = samples.partition_point(|sample| sample.at < insert.at);
                    samples.insert(place, insert);
                }
            }
        }
        MetricReading::PerInstance { values, .. } => {
            for one in values {
                one.value = one.value.map(|x| match one.of {
                    _ if base != 0.0 => x * (value.value / base),
                    Some(of) => of * (value.value / 100.0),
                    None => value.value,
                });
            }
        }
    }
    seen
}

proptest! {
    #![proptest_config(cases(100))]

    /// Whatever the policy, the observation and the past: each value that is told gives the answer that is told, and
    /// that is another one than the decision's; looking changes nothing, twice gives the same, and it reads back.
    #[test]
    fn what_is_told_is_true_of_the_engine(case in case()) {
        let rules = Rules::new(&group(case.policy));
        let (seen, memory) = (case.seen, case.memory);
        let now = at(0.0);
        let decision = decide(&rules, &seen, &memory, now);
        let told = nearest(&rules, &seen, &memory, now, &decision);
        prop_assert_eq!(&nearest(&rules, &seen, &memory, now, &decision), &told);
        let text = serde_json::to_string(&told).expect("JSON");
        prop_assert_eq!(&serde_json::from_str::<Nearest>(&text).expect("read"), &told);
        let what_if = WhatIf::new(&rules, &seen, &memory, now);
        let variables = what_if.variables(&decision);
        for value in &told.values {
            prop_assert_ne!(value.desired, decision.desired);
            prop_assert!(value.value.is_finite());
            let variable = variables.iter().find(|v| v.name == value.metric).expect("known");
            match value.side {
                Some(Side::Above) => prop_assert!(
                    value.value > variable.base || value.is_met && value.value == variable.base
                ),
                Some(Side::Below) => prop_assert!(
                    value.value < variable.base || value.is_met && value.value == variable.base
                ),
                None => {}
            }
            // Of numbers at the end of what a float can say, samples in proportion are not to be had.
            if value.lasting.is_some() || value.value.abs() < 1e-200 {
                continue;
            }
            let answer = decide(&rules, &changed(&rules, &seen, value, variable.base), &memory, now);
            prop_assert_eq!(answer.desired, value.desired, "{:?}", value);
        }
        if let Some(by_time) = &told.by_time {
            prop_assert!(by_time.at > now);
            prop_assert_ne!(by_time.desired, decision.desired);
        }
        for lever in &told.levers {
            prop_assert!(decision.reasons[lever.reason].change().is_some());
            prop_assert_ne!(lever.desired, decision.desired);
        }
    }
}
