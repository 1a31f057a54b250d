//! What is said of another answer, of the limits and of filled-in means must be so.

use tideform_policies::model::{
    Adjustment, Breach, Instance, InstanceSample, MetricReading, Rule, Sample, Share,
};

use super::*;
use crate::engine::testing::{
    above, at, cpu_rules, decided, instance, limits, metric, mins, rules, seen, track,
};
use crate::engine::{ActiveSurge, Memory, Observation, Recommendation, Rules, nearest};

/// The reasons and what would differ, as `subject: text`.
fn said(rules: &Rules, seen: &Observation, memory: &Memory) -> Vec<String> {
    let mut decision = decided(rules, seen, memory, at(0.0));
    let nearest = nearest(rules, seen, memory, at(0.0), &decision);
    decision.nearest = Some(Box::new(nearest));
    let explanation = explain(rules.group(), &decision, at(0.0), None);
    let lines = explanation.reasons.iter().chain(&explanation.otherwise);
    lines
        .map(|line| format!("{}: {}", line.subject, line.text))
        .collect()
}

#[track_caller]
fn check(said: &[String], has: &[&str], has_not: &[&str]) {
    for line in has {
        assert!(
            said.iter().any(|said| said == line),
            "no `{line}` in {said:#?}"
        );
    }
    for part in has_not {
        assert!(
            !said.iter().any(|said| said.contains(part)),
            "`{part}` in {said:#?}"
        );
    }
}

#[test]
fn a_direction_is_held_only_where_no_value_at_all_moves_the_group_there() {
    // At 6 with a want of 4: the nearest other answers are 5 and 3, and still cpu scales out further up.
    let rules = cpu_rules(|policy| {
        policy.limits = limits(1, 20);
        policy.metrics.push(metric("requests", track(60.0)));
    });
    let both = seen(6, &[("cpu", 40.0), ("requests", 10.0)], at(0.0));
    check(
        &said(&rules, &both, &Memory::default()),
        &[
            "cpu: at 40.1 % it would scale in to 5; at 30 % it would scale in to 3; at 66.1 % it would scale out to 7",
        ],
        &["at no value", "requests wants"],
    );
    // The other way round: it scales out, and further down cpu scales in.
    let rules = cpu_rules(|policy| policy.limits = limits(1, 20));
    let high = seen(6, &[("cpu", 82.0)], at(0.0));
    let high = said(&rules, &high, &Memory::default());
    assert!(
        high.iter().any(|line| line.contains("scale in to 5")),
        "{high:#?}"
    );
    check(&high, &[], &["at no value"]);
}

#[test]
fn the_limits_say_at_which_end_the_number_is_who_sets_it_and_until_when() {
    let surge = |min, until| ActiveSurge {
        name: "campaign".into(),
        min: Capacity(min),
        from: at(-30.0),
        until: at(until),
    };
    for (current, cpu, surges, expected) in [
        (6, 60.0, vec![], "limits: 2 to 40, not reached"),
        (
            2,
            60.0,
            vec![],
            "limits: at the floor: 2 (limits.min); the ceiling is 40",
        ),
        (
            40,
            60.0,
            vec![],
            "limits: at the ceiling: 40 (limits.max); the floor is 2",
        ),
        (
            20,
            60.0,
            vec![surge(20, 110.0)],
            "limits: at the floor: 20 (surge campaign, until 13:50Z); the ceiling is 40",
        ),
        (
            24,
            60.0,
            vec![surge(20, 110.0)],
            "limits: 20 (surge campaign, until 13:50Z) to 40, not reached",
        ),
        (
            40,
            60.0,
            vec![surge(60, 110.0)],
            "limits: at the floor and the ceiling: 40 (surge campaign, until 13:50Z; limits.max)",
        ),
        (
            20,
            10.0,
            vec![surge(20, 110.0)],
            "surge campaign: 4 -> 20: at least 20, until 13:50Z",
        ),
    ] {
        let rules = cpu_rules(|policy| policy.limits = limits(2, 40));
        let mut seen = seen(current, &[("cpu", cpu)], at(0.0));
        seen.overrides.surges = surges;
        check(&said(&rules, &seen, &Memory::default()), &[expected], &[]);
    }
}

#[test]
fn of_several_holds_the_one_that_lasts_longest_is_named() {
    let memory = Memory {
        recommendations: [Recommendation {
            at: at(-2.0),
            desired: Capacity(20),
        }]
        .into(),
        ..Memory::default()
    };
    for (cpu, floor, until, expected) in [
        (
            10.0,
            20,
            110.0,
            "in: at no value of any metric until 13:50Z: the floor of 20 (surge campaign)",
        ),
        (
            60.0,
            20,
            110.0,
            "in: at no value of any metric until 13:50Z: the floor of 20 (surge campaign)",
        ),
        // The window outlasts the surge; the surge is no floor here.
        (
            10.0,
            20,
            1.0,
            "in: at no value of any metric until 12:03Z: stabilization",
        ),
        (
            10.0,
            5,
            110.0,
            "in: at no value of any metric until 12:03Z: stabilization",
        ),
    ] {
        let rules = cpu_rules(|policy| {
            policy.limits = limits(2, 40);
            policy.scale_in.stabilization = mins(5);
        });
        let mut seen = seen(20, &[("cpu", cpu)], at(0.0));
        seen.overrides.surges = vec![ActiveSurge {
            name: "campaign".into(),
            min: Capacity(floor),
            from: at(-30.0),
            until: at(until),
        }];
        let expected = format!("scale {expected}");
        check(&said(&rules, &seen, &memory), &[&expected], &[]);
    }
    // At the smallest limit no end is known.
    let rules = cpu_rules(|policy| {
        policy.limits = limits(20, 40);
        policy.scale_in.stabilization = mins(5);
    });
    check(
        &said(&rules, &seen(20, &[("cpu", 60.0)], at(0.0)), &memory),
        &["scale in: at no value of any metric: limits.min 20"],
        &[],
    );
}

fn per_instance(current: u32, values: &[Option<f64>]) -> Observation {
    let mut seen = seen(current, &[], at(0.0));
    let instances: Vec<Instance> = (0..values.len())
        .map(|n| instance(&n.to_string(), 60.0))
        .collect();
    seen.metrics.insert(
        "cpu".into(),
        MetricReading::PerInstance {
            at: at(0.0),
            values: instances
                .iter()
                .zip(values)
                .map(|(instance, value)| InstanceSample {
                    id: instance.id.clone(),
                    value: *value,
                    of: None,
                })
                .collect(),
        },
    );
    seen.instances = Some(instances);
    seen
}

#[test]
fn a_mean_that_was_filled_in_says_what_was_measured_and_what_came_of_it() {
    let some = |n: usize, x: f64, missing: usize| {
        let mut values = vec![Some(x); n];
        values.extend(vec![None; missing]);
        values
    };
    for (values, expected) in [
        (
            some(2, 94.6, 1),
            "cpu: 94.6 % on 2 of 3, 63.1 % with the missing one as 0 %, against a target of 60 % is within the tolerance of 10 %: wants 3",
        ),
        (
            some(3, 20.0, 3),
            "cpu: 20 % on 3 of 6, 60 % with the 3 missing ones as 100 %, against a target of 60 % is within the tolerance of 10 %: wants 6",
        ),
        (
            some(3, 40.0, 3),
            "cpu: 40 % on 3 of 6, 70 % with the 3 missing ones as 100 %, against a target of 60 %: the missing samples turn the change round, wants 6",
        ),
        (
            some(2, 78.0, 1),
            "cpu: 78 % on 2 of 3, 52 % with the missing one as 0 %, against a target of 60 %: the missing sample turns the change round, wants 3",
        ),
        (
            some(3, 61.0, 0),
            "cpu: 61 % against a target of 60 % is within the tolerance of 10 %: wants 3",
        ),
    ] {
        let rules = cpu_rules(|_| {});
        let seen = per_instance(values.len() as u32, &values);
        check(&said(&rules, &seen, &Memory::default()), &[expected], &[]);
    }
    let rules = cpu_rules(|policy| {
        if let Some(Rule::Track(track)) = &mut policy.metrics[0].rule {
            track.tolerance_out = Share(0.05);
            track.tolerance_in = Share(0.2);
        }
    });
    check(
        &said(
            &rules,
            &seen(6, &[("cpu", 50.0)], at(0.0)),
            &Memory::default(),
        ),
        &["cpu: 50 % against a target of 60 % is within the tolerance of +5/-20 %: wants 6"],
        &[],
    );
}

#[test]
fn a_value_that_need_only_last_names_the_bound_of_its_step_and_no_neighbors() {
    for (newest, expected) in [
        (
            150.0,
            "queue: at 1000 for 3m it would scale out to 9; at 100 or more for 3m it would scale out to 8",
        ),
        (50.0, "queue: at 100 for 3m it would scale out to 8"),
    ] {
        let rules = rules(|policy| {
            let mut queue = metric(
                "queue",
                Some(Rule::Steps(vec![
                    above(100.0, Some(1000.0), Adjustment::Add(2)),
                    above(1000.0, None, Adjustment::AddShare(Share(0.5))),
                ])),
            );
            queue.breach = Breach::For(mins(3));
            policy.metrics.push(queue);
        });
        let mut seen = seen(6, &[], at(0.0));
        let samples = [(-2.0, 50.0), (-1.0, 50.0), (0.0, newest)];
        seen.metrics.insert(
            "queue".into(),
            MetricReading::Group(
                samples
                    .map(|(minutes, value)| Sample {
                        at: at(minutes),
                        value,
                    })
                    .to_vec(),
            ),
        );
        check(
            &said(&rules, &seen, &Memory::default()),
            &[expected],
            &["151", "149"],
        );
    }
}
