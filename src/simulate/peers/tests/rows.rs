//! Cases of the peers' own test suites and documents that speak of what the models do, and random ones.

use std::collections::VecDeque;

use serde_json::Value;

use super::super::aws::{
    Adjustment, Alarm, Missing, Opinion, Policy, Side, Standing, Step, Stepping, Tracking, desired,
};
use super::super::{hpa, nomad};
use super::{Draw, reference};
use tideform_policies::model::Scope;

fn cases(json: &str) -> Vec<Value> {
    let file: Value = serde_json::from_str(json).unwrap();
    file["cases"].as_array().unwrap().clone()
}

fn of_kind(cases: &[Value], kind: &str) -> Vec<Value> {
    let of_kind: Vec<Value> = cases
        .iter()
        .filter(|case| case["kind"] == kind)
        .cloned()
        .collect();
    assert!(!of_kind.is_empty(), "{kind}");
    of_kind
}

fn count(value: &Value) -> u32 {
    u32::try_from(value.as_u64().unwrap()).unwrap()
}

/// Values per pod as the model sees them, where all pods request the same.
fn pods(case: &Value) -> Option<hpa::Pods> {
    let listed = case["per_pod_values"].as_array()?;
    let is_gated = case["readiness_gated"].as_bool().unwrap_or(true);
    let request = |pod: &Value| pod["request"].as_f64().unwrap_or(100.0);
    let same = request(listed.first()?);
    if listed.iter().any(|pod| request(pod) != same) {
        return None;
    }
    let is_utilization = case["metric_kind"] == "utilization";
    let mut pods = hpa::Pods::default();
    let mut sum = 0.0;
    for pod in listed {
        match (pod["status"].as_str()?, pod["value"].as_f64()) {
            ("ignored", _) => {}
            ("pending", _) => pods.unready += 1,
            ("unready", _) if is_gated => pods.unready += 1,
            (_, Some(value)) => {
                pods.ready += 1;
                sum += if is_utilization {
                    100.0 * value / same
                } else {
                    value
                };
            }
            (_, None) => pods.missing += 1,
        }
    }
    pods.usage = sum / f64::from(pods.ready.max(1));
    Some(pods)
}

#[test]
fn the_hpa_gives_the_answers_of_its_own_tests_to_values_per_pod() {
    let cases = cases(include_str!(
        "../../../../tests/conformance/hpa_replicas.json"
    ));
    let mut asked = 0;
    for case in of_kind(&cases, "calc") {
        let kind = case["metric_kind"].as_str().unwrap();
        let is_default = case["tolerance"]["up"] == hpa::TOLERANCE
            && case["tolerance"]["down"] == hpa::TOLERANCE;
        let (true, true, Some(pods)) = (
            matches!(kind, "utilization" | "average_value"),
            is_default,
            pods(&case),
        ) else {
            continue;
        };
        let per_pod = hpa::PerPod {
            target: case["target"].as_f64().unwrap(),
            is_utilization: kind == "utilization",
        };
        let got = per_pod.replicas(pods, count(&case["current_replicas"]));
        let expected = case["expected_replicas"].as_u64();
        assert_eq!(got.map(u64::from), expected, "{}", case["name"]);
        asked += 1;
    }
    assert_eq!(asked, 13);
}

#[test]
fn the_hpas_default_behavior_gives_the_answers_of_its_own_tests() {
    let cases = cases(include_str!(
        "../../../../tests/conformance/hpa_behavior.json"
    ));
    let mut asked = 0;
    for case in of_kind(&cases, "rate") {
        if !case["scale_up"].is_null() || !case["scale_down"].is_null() {
            continue;
        }
        let got = hpa::limit(
            count(&case["desired_replicas"]),
            count(&case["current_replicas"]),
            count(&case["min_replicas"]),
            count(&case["max_replicas"]),
        );
        assert_eq!(got, count(&case["expected_replicas"]), "{}", case["name"]);
        asked += 1;
    }
    assert_eq!(asked, 5);
}

#[test]
fn the_hpa_decides_as_its_rules_written_down_a_second_time() {
    use reference::hpa as theirs;
    let policy = |is_percent, value| theirs::Policy {
        is_percent,
        value,
        period: 15,
    };
    let rules = |policies, window| theirs::Rules {
        select: theirs::Select::Max,
        policies,
        window,
    };
    let mut draw = Draw(7);
    for _ in 0..500 {
        let (min, max) = (draw.between(1, 4), draw.between(5, 60));
        let behavior = theirs::Behavior {
            up: rules(vec![policy(true, 100), policy(false, 4)], 0),
            down: rules(vec![policy(true, 100)], 300),
            min: i64::from(min),
            max: i64::from(max),
        };
        let mut past = theirs::Past::default();
        let mut proposals = VecDeque::new();
        let mut current = draw.between(min, max);
        for sync in 0..60 {
            let now = 15 * sync;
            let wish = draw.between(0, 80);
            let expected = theirs::reconcile(
                &[Some(i64::from(wish))],
                &behavior,
                &mut past,
                i64::from(current),
                now,
            );
            theirs::store(i64::from(current), expected, &behavior, &mut past, now);
            let stable = hpa::stabilize(&mut proposals, wish, current, 1000 * now);
            let got = hpa::limit(stable, current, min, max);
            assert_eq!(i64::from(got), expected, "{current} wishes {wish} at {now}");
            current = got;
        }
    }
}

#[test]
fn the_hpa_counts_as_its_rules_written_down_a_second_time() {
    use reference::hpa as theirs;
    let mut draw = Draw(11);
    for _ in 0..20_000 {
        let target = draw.between(20, 120);
        let (ready, missing, unready) =
            (draw.between(0, 6), draw.between(0, 2), draw.between(0, 4));
        let is_utilization = draw.below(2) == 0;
        let value = draw.between(0, 200);
        let pod = |value: Option<i64>, is_pending| theirs::Pod {
            is_gone: false,
            is_pending,
            started_ago: Some(1000),
            readiness: Some((true, 900)),
            value,
            request: Some(100),
        };
        let mut all = vec![pod(Some(i64::from(value)), false); ready as usize];
        all.extend(vec![pod(None, false); missing as usize]);
        all.extend(vec![pod(None, true); unready as usize]);
        let current = ready + missing + unready;
        let asked = theirs::PerPod {
            is_utilization,
            current: i64::from(current),
            target: i128::from(target),
            tolerance: theirs::Tolerance { down: 100, up: 100 },
            pods: all,
            gate: None,
        };
        let expected = theirs::per_pod(&asked, theirs::Ours::default());
        let got = hpa::PerPod {
            target: f64::from(target),
            is_utilization,
        }
        .replicas(
            hpa::Pods {
                usage: f64::from(value),
                ready,
                missing,
                unready,
            },
            current,
        );
        assert_eq!(got.map(i64::from), expected, "{asked:?}");
    }
}

#[test]
fn nomads_strategy_gives_the_answers_of_its_own_tests() {
    let cases = cases(include_str!(
        "../../../../tests/conformance/nomad_strategies.json"
    ));
    let mut asked = 0;
    for case in of_kind(&cases, "target_value") {
        let config = &case["config"];
        let (Some(target), Some(newest), true) = (
            config["target"].as_f64(),
            case["metrics"].as_array().unwrap().last(),
            config.get("max_scale_up").is_none(),
        ) else {
            continue;
        };
        let newest = newest.as_f64().unwrap();
        let factor = if target == 0.0 {
            newest
        } else {
            newest / target
        };
        let got = nomad::target_value(factor, count(&case["current_count"]));
        let expected = &case["expected"]["count"];
        assert_eq!(got.map(u64::from), expected.as_u64(), "{}", case["name"]);
        asked += 1;
    }
    assert_eq!(asked, 4);
}

#[test]
fn nomads_strategy_counts_as_its_rules_written_down_a_second_time() {
    use reference::nomad as theirs;
    let mut draw = Draw(13);
    for _ in 0..20_000 {
        let (count, target) = (draw.between(0, 30), draw.between(1, 100));
        let newest = draw.between(0, 300);
        let strategy = theirs::Strategy::TargetValue {
            target: 100 * i128::from(target),
            threshold: 100,
            limits: theirs::ChangeLimits {
                up: None,
                down: None,
            },
        };
        let expected = theirs::run(&strategy, i128::from(count), &[100 * i128::from(newest)]);
        let expected = theirs::count_after(i128::from(count), expected);
        let factor = f64::from(newest) / f64::from(target);
        let got = nomad::target_value(factor, count).unwrap_or(count);
        assert_eq!(i128::from(got), expected, "{count} x {newest} / {target}");
    }
}

fn stepping(case: &Value, side: Side, steps: &Value) -> Stepping {
    let steps = steps.as_array().unwrap().iter().map(|step| Step {
        lower: step["lower"].as_f64(),
        upper: step["upper"].as_f64(),
        adjustment: step["adjustment"].as_f64().unwrap(),
    });
    Stepping {
        side,
        threshold: case["threshold"].as_f64().unwrap_or_default(),
        adjustment: Adjustment::Percent(None),
        steps: steps.collect(),
        alarm: Alarm::new(1, 1, Missing::Missing),
        newest: 0.0,
        is_share: false,
    }
}

#[test]
fn awss_steps_give_the_answers_of_its_guide() {
    let cases = cases(include_str!(
        "../../../../tests/conformance/aws_step_scaling.json"
    ));
    for case in of_kind(&cases, "select_step") {
        let side = if case["breach"] == "above" {
            Side::High
        } else {
            Side::Low
        };
        let stepping = stepping(&case, side, &case["steps"]);
        let got = stepping.step(case["metric"].as_f64().unwrap());
        let expected = case["expected_adjustment"].as_f64();
        assert_eq!(
            got.map(|step| step.adjustment),
            expected,
            "{}",
            case["name"]
        );
    }
    for case in of_kind(&cases, "adjustment") {
        let mut policy = stepping(&case, Side::High, &Value::Array(Vec::new()));
        let least = case["min_adjustment_magnitude"].as_u64();
        policy.adjustment = match case["adjustment_type"].as_str().unwrap() {
            "change" => Adjustment::Change,
            "exact" => Adjustment::Exact,
            _ => Adjustment::Percent(least.and_then(|n| u32::try_from(n).ok())),
        };
        let got = policy.adjusted(
            count(&case["current_capacity"]),
            case["adjustment"].as_f64().unwrap(),
        );
        assert_eq!(got, count(&case["expected_capacity"]), "{}", case["name"]);
    }
    for case in of_kind(&cases, "step_policy") {
        let group = Standing {
            in_service: count(&case["in_service_capacity"]),
            desired: count(&case["desired_capacity"]),
            min: 0,
            max: 100,
        };
        let sides = [
            (Side::High, &case["scale_out_steps"]),
            (Side::Low, &case["scale_in_steps"]),
        ];
        let policies: Vec<Policy> = sides
            .into_iter()
            .map(|(side, steps)| {
                let mut policy = stepping(&case, side, steps);
                policy.push(case["metric"].as_f64(), group.in_service);
                Policy::Stepping(policy)
            })
            .collect();
        let got = desired(policies.iter(), group);
        let expected = count(&case["expected_desired_capacity"]);
        assert_eq!(got, expected, "{}", case["name"]);
    }
}

#[test]
fn awss_target_tracking_gives_the_answer_of_its_guide() {
    let cases = cases(include_str!(
        "../../../../tests/conformance/aws_step_scaling.json"
    ));
    for case in of_kind(&cases, "target_tracking") {
        let target = case["target"].as_f64().unwrap();
        let mut tracking = Tracking::new(target, Scope::Instance, true);
        tracking.push(case["metric"].as_f64(), 1);
        let got = tracking.capacity(count(&case["current_capacity"]));
        assert_eq!(got, count(&case["expected_capacity"]), "{}", case["name"]);
    }
}

#[test]
fn awss_steps_count_as_its_rules_written_down_a_second_time() {
    use reference::aws as theirs;
    let mut draw = Draw(17);
    for _ in 0..20_000 {
        let side = [Side::High, Side::Low][usize::try_from(draw.below(2)).unwrap()];
        let kind = draw.below(3);
        let least = (draw.below(3) == 0).then(|| draw.between(1, 4));
        let by = |n: i64| match (kind, side) {
            // A number is set; else the sign follows the side.
            (1, _) | (_, Side::High) => n,
            (_, Side::Low) => -n,
        };
        let (near, far) = (draw.between(0, 30), draw.between(0, 60));
        let mut policy = Stepping {
            side,
            threshold: 50.0,
            adjustment: match kind {
                0 => Adjustment::Change,
                1 => Adjustment::Exact,
                _ => Adjustment::Percent(least),
            },
            steps: Vec::new(),
            alarm: Alarm::new(1, 1, Missing::Missing),
            newest: 0.0,
            is_share: false,
        };
        let adjusts = |n: i64| match kind {
            0 => theirs::Adjustment::Change(n.into()),
            1 => theirs::Adjustment::Exact(n.into()),
            _ => theirs::Adjustment::Percent(i128::from(n) * 100, least.map(i128::from)),
        };
        let bounds: [(Option<i64>, Option<i64>); 2] = match side {
            Side::High => [(Some(0), Some(10)), (Some(10), None)],
            Side::Low => [(Some(-10), Some(0)), (None, Some(-10))],
        };
        let mut steps = Vec::new();
        for ((lower, upper), n) in bounds.into_iter().zip([near, far]) {
            let n = by(i64::from(n));
            policy.steps.push(Step {
                lower: lower.map(|bound| bound as f64),
                upper: upper.map(|bound| bound as f64),
                adjustment: n as f64,
            });
            steps.push(theirs::Step {
                lower: lower.map(|bound| 100 * i128::from(bound)),
                upper: upper.map(|bound| 100 * i128::from(bound)),
                adjustment: adjusts(n),
            });
        }
        let metric = draw.between(20, 80);
        let wants = draw.between(1, 40);
        let group = Standing {
            in_service: if draw.below(2) == 0 {
                wants
            } else {
                draw.between(1, wants)
            },
            desired: wants,
            min: 1,
            max: 50,
        };
        policy.push(Some(f64::from(metric)), group.in_service);
        let got = desired([Policy::Stepping(policy.clone())].iter(), group);
        let alarm = match side {
            Side::High => theirs::Alarm::High,
            Side::Low => theirs::Alarm::Low,
        };
        let written = theirs::Policy::Steps {
            alarm,
            threshold: 5_000,
            steps,
        };
        let expected = theirs::desired(
            &[(written, 100 * i128::from(metric))],
            theirs::Group {
                in_service: group.in_service.into(),
                desired: group.desired.into(),
                min: 1,
                max: 50,
            },
        );
        assert_eq!(i128::from(got), expected, "{policy:?} {group:?} {metric}");
    }
}

#[test]
fn of_several_policies_of_aws_the_largest_wins_and_tracking_waits_for_all_tracking() {
    let group = Standing {
        in_service: 10,
        desired: 10,
        min: 1,
        max: 100,
    };
    let tracking = |value: f64, scales_in| {
        let mut tracking = Tracking::new(60.0, Scope::Instance, scales_in);
        (0..15).for_each(|_| tracking.push(Some(value), 10));
        Policy::Tracking(tracking)
    };
    let step = |by: f64| {
        let side = if by > 0.0 { Side::High } else { Side::Low };
        let mut policy = Stepping {
            side,
            threshold: 50.0,
            adjustment: Adjustment::Change,
            steps: vec![Step {
                lower: None,
                upper: None,
                adjustment: by,
            }],
            alarm: Alarm::new(1, 1, Missing::Missing),
            newest: 0.0,
            is_share: false,
        };
        policy.push(Some(50.0), 10);
        Policy::Stepping(policy)
    };
    for (policies, expected) in [
        (vec![tracking(90.0, true), tracking(72.0, true)], 15),
        (vec![tracking(90.0, true), tracking(30.0, true)], 15),
        (vec![tracking(30.0, true), tracking(42.0, true)], 7),
        (vec![tracking(30.0, true), tracking(57.0, true)], 10),
        // One that may not scale in has no say in it.
        (vec![tracking(30.0, true), tracking(57.0, false)], 5),
        (vec![tracking(30.0, false)], 10),
        // Steps do not wait for target tracking.
        (vec![tracking(57.0, true), step(-2.0)], 8),
        (vec![tracking(30.0, true), step(-2.0)], 8),
        (vec![tracking(90.0, true), step(8.0)], 18),
        (vec![step(1.0), step(2.0)], 12),
    ] {
        assert_eq!(desired(policies.iter(), group), expected, "{policies:?}");
    }
    let opinion = |policy: &Policy, group| match policy {
        Policy::Stepping(stepping) => stepping.opinion(group),
        Policy::Tracking(_) => Opinion::None,
    };
    let warming = Standing {
        in_service: 8,
        ..group
    };
    assert_eq!(opinion(&step(-2.0), warming), Opinion::In(10));
    assert_eq!(desired([tracking(30.0, true)].iter(), warming), 10);
}
