//! Tracking a target by a mean, a total, and samples of instances.

mod instances;

use tideform_policies::model::{Capacity, MetricReading, Scope, Share};

use super::*;
use crate::engine::Memory;
use crate::engine::testing::{at, cpu_rules, decided, instance, metric, rules, seen, track};

fn tracking(target: f64, tolerance_in: f64, tolerance_out: f64) -> Track {
    Track {
        target,
        tolerance_in: Share(tolerance_in),
        tolerance_out: Share(tolerance_out),
    }
}

#[test]
fn a_mean_is_brought_back_to_its_target() {
    let sixty = tracking(60.0, 0.1, 0.1);
    for (observed, counted, current, want) in [
        (90.0, 6, 6, 9),
        (30.0, 6, 6, 3),
        (60.0, 6, 6, 6),
        // Both ends of the tolerance are included.
        (66.0, 10, 10, 10),
        (66.1, 10, 10, 12),
        (54.0, 10, 10, 10),
        (53.9, 10, 10, 9),
        // AWS: a fraction is always rounded out.
        (150.0, 10, 10, 25),
        (0.0, 4, 4, 0),
        (-20.0, 4, 4, 0),
        // Ready instances count; above the target never less than was asked for, below never more.
        (70.0, 4, 6, 6),
        (120.0, 4, 6, 8),
        (50.0, 9, 6, 6),
        (1e308, 6, 6, u32::MAX),
    ] {
        let tracked = average(&sixty, observed, counted, current);
        assert_eq!(
            tracked.want, want,
            "{observed} over {counted}, at {current}"
        );
    }
}

#[test]
fn amounts_of_instances_that_nobody_knows_are_no_data_where_any_lacks() {
    let amount = |id: &str| InstanceSample {
        id: id.into(),
        value: Some(600.0),
        of: Some(1000.0),
    };
    for (values, expected) in [
        (vec![amount("a"), amount("b")], Some(4)),
        (vec![amount("a")], None),
        (vec![amount("a"), amount("b"), amount("c")], Some(6)),
    ] {
        let tracked = per_instance(
            &tracking(30.0, 0.1, 0.1),
            &Pods {
                instances: None,
                values: &values,
                current: 2,
                gate: None,
                now: at(0.0),
                is_utilization: false,
            },
        );
        let got = tracked.map(|tracked| tracked.want);
        assert_eq!(got, expected, "{} of 2", values.len());
    }
}

#[test]
fn what_a_total_is_divided_among_makes_its_ratio_but_at_zero() {
    let track = tracking(25.0, 0.1, 0.1);
    for (observed, counted, current, ratio) in [
        (250.0, 4, 4, 2.5),
        // Nothing exists yet, or what exists is not wanted: the ratio is that of one.
        (250.0, 0, 4, 10.0),
        (250.0, 4, 0, 10.0),
    ] {
        let got = total(&track, observed, counted, current).ratio;
        assert_eq!(got, ratio, "{observed} among {counted} at {current}");
    }
}

#[test]
fn instances_without_a_sample_count_against_the_change_however_many() {
    for (target, is_utilization, shape, want, counted) in [
        // On the way in as all that they have, or as the target.
        (50.0, true, "r10 r10 r10 r- r-", 5, 5),
        (90.0, true, "r10 r10 r10 r10 r- r-", 3, 6),
        (50.0, false, "r10 r10 r10 r- r-", 3, 5),
        (50.0, false, "r20 r20 r20 r20 r-", 3, 5),
        // On the way out as nothing, like those that are not ready.
        (30.0, true, "r90 r90 r- r-", 6, 4),
        (30.0, true, "r90 r90 r- p-", 6, 4),
        // What turns the change around keeps: two that use everything, or two that use nothing.
        (50.0, true, "r40 r-", 2, 2),
        (50.0, true, "r60 r- r-", 3, 3),
        // At the target nothing speaks for a change.
        (50.0, true, "r50 r50 r-", 3, 2),
        (50.0, true, "r50 r50 p-", 3, 2),
    ] {
        let got = pods(target, is_utilization, shape).map(|t| (t.want, t.counted));
        assert_eq!(got, Some((want, counted)), "{shape} at {target}");
    }
}

#[test]
fn tolerance_may_differ_by_direction() {
    let track = tracking(100.0, 0.5, 0.01);
    for (observed, want) in [(101.0, 10), (101.5, 11), (51.0, 10), (50.0, 10), (49.0, 5)] {
        assert_eq!(average(&track, observed, 10, 10).want, want, "{observed}");
    }
}

#[test]
fn a_total_is_divided_by_its_target_also_from_zero() {
    let track = tracking(25.0, 0.1, 0.1);
    for (total_value, counted, current, want) in [
        (250.0, 4, 4, 10),
        (251.0, 4, 4, 11),
        (0.0, 4, 4, 0),
        (1.0, 0, 0, 1),
        (0.0, 0, 0, 0),
        (75.0, 0, 0, 3),
        // Within tolerance of 4 x 25.
        (109.0, 4, 4, 4),
        (111.0, 4, 4, 5),
        (9.3e18, 1, 1, u32::MAX),
    ] {
        let tracked = total(&track, total_value, counted, current);
        assert_eq!(tracked.want, want, "{total_value} at {current}");
    }
}

#[test]
fn a_shared_value_is_multiplied_by_what_is_ready_and_leaves_zero() {
    let track = tracking(30.0, 0.1, 0.1);
    for (observed, ready, current, want) in [
        (45.0, 4, 4, Some(6)),
        (15.0, 4, 4, Some(2)),
        (33.0, 4, 4, Some(4)),
        // Fewer are ready: never less than was asked for above the target.
        (45.0, 2, 4, Some(4)),
        (90.0, 2, 4, Some(6)),
        (45.0, 0, 4, None),
        // From zero without a tolerance.
        (33.0, 0, 0, Some(2)),
        (1.0, 0, 0, Some(1)),
        (0.0, 0, 0, Some(0)),
        (1e308, 0, 0, Some(u32::MAX)),
    ] {
        let got = shared(&track, observed, ready, current);
        assert_eq!(
            got.map(|tracked| tracked.want),
            want,
            "{observed}, {ready} of {current}"
        );
        assert!(
            current > 0 || got.is_some_and(|tracked| !tracked.is_within_tolerance),
            "{observed} from zero"
        );
    }
}

#[test]
fn a_source_that_counts_all_is_multiplied_by_all() {
    let rules = cpu_rules(|policy| policy.warmup = Duration::from_secs(180));
    let now = at(0.0);
    let mut seen = seen(6, &[("cpu", 90.0)], now);
    seen.instances = Some(
        (0..6)
            .map(|n| instance(&n.to_string(), if n < 4 { 60.0 } else { 1.0 }))
            .collect(),
    );
    assert_eq!(
        decided(&rules, &seen, &Memory::default(), now).desired,
        Capacity(6)
    );
    seen.counts_warming.insert("cpu".into());
    assert_eq!(
        decided(&rules, &seen, &Memory::default(), now).desired,
        Capacity(9)
    );
}

#[test]
fn an_instance_metric_has_no_opinion_at_zero_and_a_total_has() {
    let both = rules(|policy| {
        policy.metrics.push(metric("cpu", track(60.0)));
        let mut queue = metric("queue", track(25.0));
        queue.scope = Scope::Group;
        policy.metrics.push(queue);
    });
    let now = at(0.0);
    let decision = decided(
        &both,
        &seen(0, &[("cpu", 99.0), ("queue", 30.0)], now),
        &Memory::default(),
        now,
    );
    assert_eq!(decision.desired, Capacity(2));
    assert!(decision.has("abstained"));
    let decision = decided(
        &both,
        &seen(0, &[("cpu", 99.0)], now),
        &Memory::default(),
        now,
    );
    assert_eq!(decision.desired, Capacity(0));
}

#[test]
fn a_mean_over_no_ready_instance_is_no_data() {
    let rules = cpu_rules(|_| {});
    let now = at(0.0);
    let mut seen = seen(4, &[("cpu", 10.0)], now);
    let mut failed = instance("a", 60.0);
    failed.state = InstanceState::Unhealthy;
    seen.instances = Some(vec![failed]);
    let decision = decided(&rules, &seen, &Memory::default(), now);
    assert_eq!(decision.desired, Capacity(4));
    assert!(decision.has("no_data"));
}

/// `r`: ready; `u`: still initializing; `p`: pending; `x`: failed. A value or `-` for no sample.
fn pods(target: f64, is_utilization: bool, pods: &str) -> Option<Tracked> {
    let mut instances = Vec::new();
    let mut values = Vec::new();
    for (n, word) in pods.split_whitespace().enumerate() {
        let (kind, value) = word.split_at(1);
        let id = format!("i-{n}");
        let mut instance = instance(
            &id,
            match kind {
                "u" => 1.0,
                "p" => -1.0,
                _ => 60.0,
            },
        );
        if kind == "x" {
            instance.state = InstanceState::Unhealthy;
        }
        instances.push(instance);
        values.push(InstanceSample {
            id: id.as_str().into(),
            value: value.parse().ok(),
            of: None,
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
            is_utilization,
        },
    )
}
