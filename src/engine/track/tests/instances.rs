//! Samples of instances: who counts, for how much, and how they are matched.

use super::*;

#[test]
fn an_instance_counts_from_the_age_of_its_initialization_on() {
    for (seconds, want) in [(179.0, 2), (180.0, 4)] {
        let instances = [instance("a", 60.0), instance("b", seconds / 60.0)];
        let values = ["a", "b"].map(|id| InstanceSample {
            id: id.into(),
            value: Some(100.0),
            of: None,
        });
        let tracked = per_instance(
            &tracking(50.0, 0.1, 0.1),
            &Pods {
                instances: Some(&instances),
                values: &values,
                current: 2,
                gate: Some(Gate {
                    initialization: Duration::from_secs(180),
                    sampled_at: at(0.0),
                    period: Duration::from_secs(60),
                }),
                now: at(0.0),
                is_utilization: true,
            },
        );
        assert_eq!(tracked.map(|tracked| tracked.want), Some(want), "{seconds}");
    }
}

#[test]
fn values_of_fewer_than_were_asked_for_leave_the_others_without_a_sample() {
    let rules = cpu_rules(|_| {});
    let now = at(0.0);
    // The group's instances are not known: three of five have a value.
    for (value, desired) in [(120.0, 6), (70.0, 5), (30.0, 5), (0.0, 4)] {
        let mut seen = seen(5, &[], now);
        let values = ["a", "b", "c"].map(|id| InstanceSample {
            id: id.into(),
            value: Some(value),
            of: None,
        });
        seen.metrics.insert(
            "cpu".into(),
            MetricReading::PerInstance {
                at: now,
                values: values.to_vec(),
            },
        );
        let decision = decided(&rules, &seen, &Memory::default(), now);
        assert_eq!(
            decision.desired.get(),
            desired,
            "{value}: {:#?}",
            decision.reasons
        );
    }
}

#[test]
fn samples_per_instance_are_weighed_as_the_hpa_weighs_them() {
    for (target, is_utilization, shape, want) in [
        (30.0, true, "r30 r50 r70", Some(5)),
        // Not ready ones are left out of the first ratio and count as 0 in the second.
        (30.0, true, "u30 r50 r70", Some(4)),
        (30.0, true, "r30 u50 u70", Some(3)),
        (50.0, true, "r10 r30 r50 r25 r25", Some(3)),
        // Pending ones hold a scale-out back too.
        (30.0, true, "r50 r50 p-", Some(4)),
        // A missing one counts as 0 on the way out ...
        (30.0, true, "r60 r60 r-", Some(4)),
        (50.0, true, "r100 r-", Some(2)),
        // ... and on the way in as using all that it has, or as its target.
        (50.0, true, "r10 r10 r10 r-", Some(3)),
        (50.0, false, "r10 r10 r10 r-", Some(2)),
        (50.0, true, "r10 r-", Some(2)),
        (120.0, true, "r30 r30 r30 r-", Some(2)),
        // Failed ones count nowhere.
        (30.0, true, "r45 r45 x99", Some(3)),
        (30.0, true, "r- r- r-", None),
        (30.0, true, "u90 p-", None),
        // Within tolerance.
        (100.0, true, "r101 r103 r102", Some(3)),
    ] {
        let got = pods(target, is_utilization, shape).map(|tracked| tracked.want);
        assert_eq!(got, want, "{shape} at {target}");
    }
}

/// An instance in service with its readiness: launched and changed so many seconds ago.
fn checked(id: &str, launched: Option<i64>, ready: bool, changed: Option<i64>) -> Instance {
    let ago = |seconds: i64| at(-(seconds as f64) / 60.0);
    Instance {
        launched_at: launched.map(ago),
        in_service_at: None,
        ready: Some(ready),
        ready_changed_at: changed.map(ago),
        ..instance(id, 0.0)
    }
}

#[test]
fn a_gated_sample_counts_once_a_whole_period_was_taken_while_ready() {
    let gate = |initialization, sampled: f64| Gate {
        initialization: Duration::from_secs(initialization),
        sampled_at: at(-sampled / 60.0),
        period: Duration::from_secs(60),
    };
    for (launched, ready, changed, initialization, sampled, is_shut) in [
        // Young: not ready, or sampled too early.
        (Some(90), false, Some(90), 120, 0.0, true),
        (Some(90), true, Some(60), 120, 0.0, false),
        (Some(90), true, Some(59), 120, 0.0, true),
        (Some(90), true, Some(70), 120, 11.0, true),
        (Some(90), true, None, 120, 0.0, true),
        // Later: only what has never been ready.
        (Some(120), true, Some(1), 120, 0.0, false),
        (Some(120), false, Some(1), 120, 0.0, false),
        (Some(120), false, Some(110), 120, 0.0, false),
        (Some(120), false, Some(111), 120, 0.0, true),
        (Some(120), false, None, 120, 0.0, true),
        // Nobody knows when it began: it has not.
        (None, true, Some(500), 120, 0.0, true),
    ] {
        let instance = checked("a", launched, ready, changed);
        assert_eq!(
            gate(initialization, sampled).is_shut(&instance, at(0.0)),
            is_shut,
            "{launched:?} {ready} {changed:?} {sampled}"
        );
    }
}

/// Amounts of what each instance has: `r600/2000`, `r-/2000`, `r600/-`; kinds as in [`pods`].
fn amounts(target: f64, shape: &str) -> Option<Tracked> {
    let mut instances = Vec::new();
    let mut values = Vec::new();
    for (n, word) in shape.split_whitespace().enumerate() {
        let (kind, rest) = word.split_at(1);
        let (value, of) = rest.split_once('/').expect("an amount of something");
        let id = format!("i-{n}");
        let mut instance = instance(&id, if kind == "p" { -1.0 } else { 60.0 });
        if kind == "x" {
            instance.state = InstanceState::Unhealthy;
        }
        if kind == "u" {
            instance = checked(&id, Some(60), false, None);
        }
        instances.push(instance);
        values.push(InstanceSample {
            id: id.as_str().into(),
            value: value.parse().ok(),
            of: of.parse().ok(),
        });
    }
    per_instance(
        &tracking(target, 0.1, 0.1),
        &Pods {
            current: instances.len() as u32,
            instances: Some(&instances),
            values: &values,
            gate: Some(Gate {
                initialization: Duration::from_secs(180),
                sampled_at: at(0.0),
                period: Duration::from_secs(60),
            }),
            now: at(0.0),
            is_utilization: false,
        },
    )
}

#[test]
fn amounts_are_made_one_percentage_of_what_the_instances_have() {
    for (target, shape, want) in [
        (30.0, "r600/2000 r1000/2000 r1400/2000", Some((5, 50.0))),
        // One percentage of the sums, not the mean of the percentages.
        (50.0, "r300/800 r100/100", Some((2, 44.0))),
        // Cut to a whole percent: 56.9 is within the tolerance of 52.
        (52.0, "r569/1000 r569/1000", Some((2, 56.0))),
        (30.0, "u600/2000 r1000/2000 r1400/2000", Some((4, 40.0))),
        (
            100.0,
            "r800/2000 r190/2000 r-/2000 r-/2000",
            Some((3, 62.0)),
        ),
        // Above 100 the target itself stands in.
        (120.0, "r200/1000 r-/1000", Some((2, 70.0))),
        (50.0, "u200/2000 r4000/2000 r-/2000", Some((4, 66.0))),
        // One that does not say what it has, even one that is still starting.
        (30.0, "r600/2000 r600/-", None),
        (30.0, "r600/2000 r-/-", None),
        (30.0, "r600/2000 p-/-", None),
        (30.0, "r600/0 r600/2000", None),
        // What failed counts nowhere.
        (30.0, "r600/2000 r600/2000 x-/-", Some((3, 30.0))),
        (30.0, "r-/2000 r-/2000", None),
    ] {
        let got = amounts(target, shape).map(|tracked| (tracked.want, tracked.observed));
        assert_eq!(got, want, "{shape} at {target}");
    }
}

#[test]
fn samples_are_matched_by_id_in_any_order_and_strangers_are_dropped() {
    let rules = cpu_rules(|_| {});
    let now = at(0.0);
    let mut seen = seen(2, &[], now);
    seen.instances = Some(vec![instance("a", 60.0), instance("b", 60.0)]);
    let values = |list: &[(&str, f64)]| MetricReading::PerInstance {
        at: now,
        values: list
            .iter()
            .map(|(id, value)| InstanceSample {
                id: (*id).into(),
                value: Some(*value),
                of: None,
            })
            .collect(),
    };
    seen.metrics.insert(
        "cpu".into(),
        values(&[("z", 0.0), ("b", 120.0), ("a", 60.0)]),
    );
    assert_eq!(
        decided(&rules, &seen, &Memory::default(), now).desired,
        Capacity(3)
    );
    seen.metrics.insert("cpu".into(), values(&[("z", 200.0)]));
    let decision = decided(&rules, &seen, &Memory::default(), now);
    assert_eq!(decision.desired, Capacity(2));
    assert!(decision.has("no_data"));
}

#[test]
fn young_instances_are_left_out_only_of_utilizations_and_where_the_metric_says_so() {
    for (name, initialization, expected) in [
        ("requests_per_instance", None, 20),
        ("requests_per_instance", Some(Duration::from_secs(180)), 10),
        ("cpu", None, 10),
        ("cpu", Some(Duration::ZERO), 20),
    ] {
        let rules = rules(|policy| {
            let mut metric = metric(name, track(60.0));
            metric.initialization = initialization;
            policy.metrics.push(metric);
        });
        let now = at(0.0);
        let mut seen = seen(10, &[], now);
        let ids: Vec<String> = (0..10).map(|n| format!("i-{n}")).collect();
        seen.instances = Some(
            ids.iter()
                .enumerate()
                .map(|(n, id)| instance(id, if n < 5 { 60.0 } else { 1.0 }))
                .collect(),
        );
        let values = ids.iter().map(|id| InstanceSample {
            id: id.as_str().into(),
            value: Some(120.0),
            of: None,
        });
        seen.metrics.insert(
            name.into(),
            MetricReading::PerInstance {
                at: now,
                values: values.collect(),
            },
        );
        let decision = decided(&rules, &seen, &Memory::default(), now);
        assert_eq!(
            decision.desired.get(),
            expected,
            "{name} {initialization:?}"
        );
    }
}

#[test]
fn weights_count_in_units() {
    let rules = cpu_rules(|_| {});
    let now = at(0.0);
    let mut seen = seen(6, &[("cpu", 90.0)], now);
    let mut big = instance("a", 60.0);
    big.weight = 4;
    let mut small = instance("b", 60.0);
    small.weight = 2;
    seen.instances = Some(vec![big, small]);
    assert_eq!(
        decided(&rules, &seen, &Memory::default(), now).desired,
        Capacity(9)
    );
    // (4 x 75 + 2 x 30) / 6 = 60.
    seen.metrics.insert(
        "cpu".into(),
        MetricReading::PerInstance {
            at: now,
            values: vec![
                InstanceSample {
                    id: "a".into(),
                    value: Some(75.0),
                    of: None,
                },
                InstanceSample {
                    id: "b".into(),
                    value: Some(30.0),
                    of: None,
                },
            ],
        },
    );
    assert_eq!(
        decided(&rules, &seen, &Memory::default(), now).desired,
        Capacity(6)
    );
}

#[test]
fn a_spread_is_the_instances_counted() {
    let ids: Vec<String> = (0..12).map(|n| format!("i-{n}")).collect();
    for (reported, missing, unready) in [
        (4, 0, 0),
        (4, 2, 0),
        (4, 0, 3),
        (4, 2, 3),
        (0, 2, 1),
        (1, 5, 5),
    ] {
        for (value, is_utilization) in [
            (20.0, true),
            (59.0, false),
            (70.0, true),
            (95.0, false),
            (0.0, true),
        ] {
            let instances: Vec<Instance> = ids
                .iter()
                .take(reported + missing + unready)
                .enumerate()
                .map(|(n, id)| instance(id, if n < reported + missing { 60.0 } else { -1.0 }))
                .collect();
            let values: Vec<InstanceSample> = instances
                .iter()
                .enumerate()
                .map(|(n, instance)| InstanceSample {
                    id: instance.id.clone(),
                    value: (n < reported).then_some(value),
                    of: None,
                })
                .collect();
            for current in [4, 6, 7, 9] {
                let one_by_one = per_instance(
                    &tracking(60.0, 0.1, 0.1),
                    &Pods {
                        instances: Some(&instances),
                        values: &values,
                        current,
                        gate: None,
                        now: at(0.0),
                        is_utilization,
                    },
                );
                let units = |n: usize| u32::try_from(n).unwrap_or(0);
                let counted = spread(
                    &tracking(60.0, 0.1, 0.1),
                    value,
                    Spread {
                        reported: units(reported),
                        missing: units(missing),
                        unready: units(unready),
                    },
                    current,
                    is_utilization,
                );
                assert_eq!(
                    counted, one_by_one,
                    "{value} of {reported} {missing} {unready}, {current}"
                );
            }
        }
    }
}
