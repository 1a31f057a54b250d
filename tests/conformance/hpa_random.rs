//! Random cases, of which nobody wrote down the answers: tideform against the HPA's algorithms as they are stated.
//!
//! Where tideform decides otherwise on purpose, `reference::hpa` computes tideform's side of exactly that difference,
//! and nothing else: any further disagreement fails.

use jiff::{SignedDuration, Timestamp};
use libtest_mimic::Trial;
use proptest::prelude::*;
use serde_json::{Map, Value, json};
use tideform::engine::{Action, BY_TIDEFORM, Memory};

use super::hpa::{ago, count, group, now, tracked};
use super::hpa_replicas;
use super::random::check;
use super::reference::hpa::{
    Behavior, Class, Gate, Ours, Past, PerPod, Pod, Policy, Rules, Select, Tolerance, classify,
    per_pod, reconcile, store, total_average, value,
};
use super::support::{self, decide, load, shown};

pub(crate) fn trials() -> Vec<Trial> {
    vec![
        Trial::test("hpa_random::pods_are_classified_alike", || {
            check(250, &(pod(), gate()), |(pod, gate)| same_class(pod, *gate))
        }),
        Trial::test("hpa_random::a_metric_per_pod_gives_the_same_count", || {
            check(350, &a_metric_per_pod(), same_counts)
        }),
        Trial::test(
            "hpa_random::a_value_and_a_total_give_the_same_count",
            || check(250, &totals(), same_counts_of_totals),
        ),
        Trial::test(
            "hpa_random::whole_sequences_of_decisions_are_the_same",
            || check(250, &a_sequence(), same_sequence),
        ),
    ]
}

fn tolerance() -> impl Strategy<Value = Tolerance> {
    let one = || prop_oneof![Just(100_i128), Just(0), 0..500_i128];
    (one(), one()).prop_map(|(down, up)| Tolerance { down, up })
}

fn pod() -> impl Strategy<Value = Pod> {
    let ages = || prop_oneof![0..200_i64, 100..140_i64, Just(3_600)];
    (
        prop::bool::weighted(0.1),
        prop::bool::weighted(0.1),
        prop::option::weighted(0.9, ages()),
        prop::option::weighted(0.9, (prop::bool::weighted(0.8), ages())),
        prop::option::weighted(0.85, 0..4_000_i64),
        prop::option::weighted(0.98, 1..4_000_i64),
        // Readiness often changes just after the start.
        prop::option::weighted(0.3, -2..15_i64),
    )
        .prop_map(
            |(is_gone, is_pending, started_ago, readiness, value, request, after)| Pod {
                is_gone,
                is_pending,
                started_ago,
                readiness: match (readiness, started_ago, after) {
                    (Some((is_ready, _)), Some(started), Some(after)) => {
                        Some((is_ready, (started - after).max(0)))
                    }
                    (readiness, _, _) => readiness,
                },
                value,
                request,
            },
        )
}

fn gate() -> impl Strategy<Value = Option<Gate>> {
    let gate = (
        prop::sample::select(vec![30_i64, 120, 300]),
        0..90_i64,
        30..120_i64,
    )
        .prop_map(|(initialization, sampled_ago, window)| Gate {
            initialization,
            sampled_ago,
            window,
        });
    prop::option::weighted(0.7, gate)
}

/// A pod in the words of the files.
fn pod_of_the_files(pod: &Pod, gate: Option<Gate>) -> Value {
    let phase = match (pod.is_gone, pod.is_pending) {
        (true, _) => "failed",
        (false, true) => "pending",
        (false, false) => "running",
    };
    json!({
        "pod": "a",
        "phase": phase,
        "being_deleted": false,
        "started_ago_s": pod.started_ago,
        "ready_condition": pod
            .readiness
            .map(|(ready, ago)| json!({ "ready": ready, "changed_ago_s": ago })),
        "sample": pod.value.map(|_| json!({
            "age_s": gate.map_or(0, |gate| gate.sampled_ago),
            "window_s": gate.map_or(60, |gate| gate.window),
        })),
    })
}

fn same_class(pod: &Pod, gate: Option<Gate>) -> Result<(), String> {
    let case = json!({
        "readiness_gated": gate.is_some(),
        "initialization_period_s": gate.map(|gate| gate.initialization),
    });
    let (ours, shown) = hpa_replicas::class(&case, &pod_of_the_files(pod, gate))?;
    let theirs = match classify(pod, gate) {
        Class::Ready => hpa_replicas::Class::Ready,
        Class::Unready => hpa_replicas::Class::Unready,
        Class::Missing => hpa_replicas::Class::Missing,
        Class::Ignored => hpa_replicas::Class::Ignored,
    };
    if ours == theirs {
        Ok(())
    } else {
        Err(format!(
            "tideform says {ours:?}, the peer {theirs:?}\n{shown}"
        ))
    }
}

/// A metric, and groups of pods that it is asked of: how many are asked for, the pods, samples of strangers.
#[derive(Clone, Debug)]
struct AMetricPerPod {
    is_utilization: bool,
    target: i128,
    tolerance: Tolerance,
    gate: Option<Gate>,
    groups: Vec<(i64, Vec<Pod>, Vec<i64>)>,
}

fn a_metric_per_pod() -> impl Strategy<Value = AMetricPerPod> {
    let target = prop_oneof![1..200_i128, Just(50), Just(100), 1..4_000_i128];
    let group = (
        1..16_i64,
        prop::collection::vec(pod(), 0..9),
        // Often all alike, so that the ends of the tolerance are hit.
        prop::option::weighted(0.3, 0..100_i64),
        prop::collection::vec(0..4_000_i64, 0..2),
    )
        .prop_map(|(current, mut pods, value, strangers)| {
            if let Some(value) = value {
                for pod in &mut pods {
                    pod.value = pod.value.map(|_| value);
                    pod.request = pod.request.map(|_| 100);
                }
            }
            (current, pods, strangers)
        });
    (
        any::<bool>(),
        target,
        tolerance(),
        gate(),
        prop::collection::vec(group, 8),
    )
        .prop_map(
            |(is_utilization, target, tolerance, gate, groups)| AMetricPerPod {
                is_utilization,
                target,
                tolerance,
                gate,
                groups,
            },
        )
}

fn tolerance_json(tolerance: Tolerance) -> Value {
    json!({ "down": tolerance.down as f64 / 1000.0, "up": tolerance.up as f64 / 1000.0 })
}

fn same_counts(metric: &AMetricPerPod) -> Result<(), String> {
    let gate = metric.gate.unwrap_or(Gate {
        initialization: 0,
        sampled_ago: 0,
        window: 60,
    });
    let more = format!(
        "initialization = \"{}s\"\n    period = \"{}s\"",
        gate.initialization, gate.window
    );
    let target = i64::try_from(metric.target).map_err(|error| error.to_string())?;
    let hcl = tracked("load", &more, target, &tolerance_json(metric.tolerance));
    let policy = load(&group(&[hcl], AT_ONCE, AT_ONCE))?;
    for (current, pods, strangers) in &metric.groups {
        let asked = PerPod {
            is_utilization: metric.is_utilization,
            current: *current,
            target: metric.target,
            tolerance: metric.tolerance,
            pods: pods.clone(),
            gate: metric.gate,
        };
        same_count(&policy, &asked, gate.sampled_ago, strangers)?;
    }
    Ok(())
}

fn same_count(
    policy: &support::Policy,
    asked: &PerPod,
    sampled_ago: i64,
    strangers: &[i64],
) -> Result<(), String> {
    let (mut values, mut requests, mut instances) = (Map::new(), Map::new(), Vec::new());
    for (n, pod) in asked.pods.iter().enumerate() {
        let id = format!("p{n}");
        let state = match (pod.is_gone, pod.is_pending) {
            (true, _) => "unhealthy",
            (false, true) => "pending",
            (false, false) => "in_service",
        };
        let mut instance = json!({ "id": id, "state": state });
        instance["ready"] = pod.readiness.is_some_and(|(ready, _)| ready).into();
        if let Some(started) = pod.started_ago {
            instance["launched_at"] = ago(started).into();
        }
        if let Some((_, changed)) = pod.readiness {
            instance["ready_changed_at"] = ago(changed).into();
        }
        instances.push(instance);
        values.insert(id.clone(), pod.value.into());
        requests.insert(id, pod.request.into());
    }
    for (n, value) in strangers.iter().enumerate() {
        values.insert(format!("stranger-{n}"), (*value).into());
    }
    let mut reading = json!({ "at": ago(sampled_ago), "per_instance": values });
    if asked.is_utilization {
        reading["of"] = Value::Object(requests);
    }
    let observation = json!({
        "now": ago(0),
        "group": { "desired": asked.current, "instances": instances },
        "metrics": { "load": reading },
    });
    let decision = decide(policy, &observation)?;
    let wanted = per_pod(
        asked,
        Ours {
            exact_means: true,
            one_way: true,
            failed_need_no_request: true,
        },
    );
    let expected = match wanted {
        None => "no recommendation".to_owned(),
        Some(count) if is_warming(asked) => count.max(asked.current).to_string(),
        Some(count) => count.to_string(),
    };
    let ours = count(&decision);
    if ours == expected {
        Ok(())
    } else {
        Err(format!(
            "tideform says {ours}; expected {expected}; the HPA says {:?}\n{}",
            per_pod(asked, Ours::default()),
            shown(policy, &observation, &decision)
        ))
    }
}

/// Fewer are in service and ready than asked for, and others are pending or have never been ready.
fn is_warming(asked: &PerPod) -> bool {
    let live = || asked.pods.iter().filter(|pod| !pod.is_gone);
    let is_ready = |pod: &&Pod| !pod.is_pending && pod.readiness.is_some_and(|(ready, _)| ready);
    let has_never_been_ready = |pod: &Pod| match (pod.readiness, pod.started_ago) {
        (Some((true, _)), _) => false,
        (Some((false, changed)), Some(started)) => -changed < -started + 10,
        (None, _) | (_, None) => true,
    };
    let ready = i64::try_from(live().filter(is_ready).count()).unwrap_or(i64::MAX);
    ready < asked.current && live().any(|pod| pod.is_pending || has_never_been_ready(pod))
}

const AT_ONCE: &str = "    stabilization = \"0s\"\n";

/// A metric, and the groups that it is asked of: a total, how many are asked for, how many are ready.
#[derive(Clone, Debug)]
struct Totals {
    is_average: bool,
    target: i64,
    tolerance: Tolerance,
    groups: Vec<(i64, i64, i64)>,
}

fn totals() -> impl Strategy<Value = Totals> {
    let group = (
        prop_oneof![0..100_000_i64, 0..200_i64],
        0..16_i64,
        0..16_i64,
    );
    (
        any::<bool>(),
        1..4_000_i64,
        tolerance(),
        prop::collection::vec(group, 12),
    )
        .prop_map(|(is_average, target, tolerance, mut groups)| {
            for (_, current, ready) in &mut groups {
                // Nothing is divided among no replicas.
                *ready = match (is_average, *current) {
                    (true, 0) => 0,
                    (true, _) => (*ready).max(1),
                    (false, _) => *ready,
                };
            }
            Totals {
                is_average,
                target,
                tolerance,
                groups,
            }
        })
}

fn same_counts_of_totals(metric: &Totals) -> Result<(), String> {
    let scope = if metric.is_average { "group" } else { "shared" };
    let hcl = tracked(
        "load",
        &format!("scope = \"{scope}\""),
        metric.target,
        &tolerance_json(metric.tolerance),
    );
    let policy = load(&group(&[hcl], AT_ONCE, AT_ONCE))?;
    for group in &metric.groups {
        same_count_of_total(&policy, metric, *group)?;
    }
    Ok(())
}

fn same_count_of_total(
    policy: &support::Policy,
    metric: &Totals,
    (total, current, ready): (i64, i64, i64),
) -> Result<(), String> {
    let instances: Vec<Value> = (0..ready)
        .map(|n| json!({ "id": format!("p{n}") }))
        .collect();
    let observation = json!({
        "now": ago(0),
        "group": { "desired": current, "instances": instances },
        "metrics": { "load": { "samples": [{ "at": ago(0), "value": total }] } },
    });
    let decision = decide(policy, &observation)?;
    let compute = if metric.is_average {
        total_average
    } else {
        value
    };
    let of = |is_one_way| {
        compute(
            i128::from(total),
            i128::from(metric.target),
            metric.tolerance,
            current,
            ready,
            is_one_way,
        )
    };
    let expected = if !metric.is_average && current > 0 && ready == 0 {
        "no recommendation".to_owned()
    } else {
        of(true).to_string()
    };
    let ours = count(&decision);
    if ours == expected {
        Ok(())
    } else {
        Err(format!(
            "tideform says {ours}; expected {expected}; the HPA says {}\n{}",
            of(false),
            shown(policy, &observation, &decision)
        ))
    }
}

#[derive(Clone, Debug)]
struct Sequence {
    behavior: Behavior,
    current: i64,
    /// Seconds since the step before, and what each metric wants, if it can be read.
    steps: Vec<(i64, Vec<Option<i64>>)>,
}

fn rules(most_percent: i64) -> impl Strategy<Value = Rules> {
    let policy = (
        any::<bool>(),
        1..=most_percent,
        1..12_i64,
        prop::sample::select(vec![15_i64, 60, 120, 600]),
    )
        .prop_map(|(is_percent, percent, count, period)| Policy {
            is_percent,
            value: if is_percent { percent } else { count },
            period,
        });
    (
        prop_oneof![
            6 => Just(Select::Max),
            3 => Just(Select::Min),
            1 => Just(Select::Disabled),
        ],
        prop::collection::vec(policy, 1..4),
        prop::sample::select(vec![0_i64, 0, 60, 300, 600]),
    )
        .prop_map(|(select, policies, window)| Rules {
            select,
            policies,
            window,
        })
}

fn a_sequence() -> impl Strategy<Value = Sequence> {
    let wish = || prop::option::weighted(0.9, prop_oneof![0..40_i64, 0..300_i64]);
    let step = (
        prop_oneof![Just(15_i64), Just(30), Just(60), 1..700_i64],
        prop::collection::vec(wish(), 2),
    );
    (
        rules(300),
        rules(100),
        0..5_i64,
        5..200_i64,
        0..200_i64,
        1..3_usize,
        prop::collection::vec(step, 1..25),
    )
        .prop_map(|(up, down, min, more, current, metrics, mut steps)| {
            for (_, wishes) in &mut steps {
                wishes.truncate(metrics);
            }
            Sequence {
                behavior: Behavior {
                    up,
                    down,
                    min,
                    max: min + more,
                },
                current: min + current % (more + 1),
                steps,
            }
        })
}

fn rules_hcl(rules: &Rules, verb: &str) -> String {
    let select = match rules.select {
        Select::Max => "max",
        Select::Min => "min",
        Select::Disabled => "disabled",
    };
    let rates: String = rules
        .policies
        .iter()
        .map(|policy| {
            let amount = if policy.is_percent {
                format!("\"{}%\"", policy.value)
            } else {
                policy.value.to_string()
            };
            format!(
                "    rate {{\n      {verb} = {amount}\n      per = \"{}s\"\n    }}\n",
                policy.period
            )
        })
        .collect();
    format!(
        "    stabilization = \"{}s\"\n    select = \"{select}\"\n{rates}",
        rules.window
    )
}

fn same_sequence(sequence: &Sequence) -> Result<(), String> {
    let behavior = &sequence.behavior;
    let metrics = sequence.steps.first().map_or(1, |(_, wishes)| wishes.len());
    let blocks: Vec<String> = (0..metrics)
        .map(|n| format!("  metric \"wish_{n}\" {{\n    want = true\n  }}\n"))
        .collect();
    let policy = load(&group(
        &blocks,
        &rules_hcl(&behavior.up, "add"),
        &rules_hcl(&behavior.down, "remove"),
    ))?;
    let mut past = Past {
        is_ours: true,
        ..Past::default()
    };
    let mut memory = Memory::default();
    let (mut current, mut seconds) = (sequence.current, 0);
    for (after, wishes) in &sequence.steps {
        seconds += after;
        let expected = reconcile(wishes, behavior, &mut past, current, seconds);
        let at: Timestamp = now() + SignedDuration::from_secs(seconds);
        let readings: Map<String, Value> = wishes
            .iter()
            .enumerate()
            .filter_map(|(n, wish)| {
                let wish = (*wish)?;
                let reading = json!({ "samples": [{ "at": at.to_string(), "value": wish }] });
                Some((format!("wish_{n}"), reading))
            })
            .collect();
        let observation = json!({
            "now": at.to_string(),
            "group": { "desired": current, "limits": { "min": behavior.min, "max": behavior.max } },
            "metrics": readings,
            "memory": serde_json::to_value(&memory).map_err(|error| error.to_string())?,
        });
        let decision = decide(&policy, &observation)?;
        let ours = i64::from(decision.desired.get());
        if ours != expected {
            return Err(format!(
                "after {seconds} s tideform says {ours}, expected {expected}; remembered is {past:?}\n{}",
                shown(&policy, &observation, &decision)
            ));
        }
        store(current, ours, behavior, &mut past, seconds);
        memory = decision.memory;
        memory.record(Action {
            at,
            from: decision.current,
            to: decision.desired,
            by: BY_TIDEFORM.into(),
        });
        current = ours;
    }
    Ok(())
}
