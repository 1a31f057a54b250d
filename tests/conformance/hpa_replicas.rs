//! The HPA's replica calculation: what one metric makes of pods and samples, before any bound.

use serde_json::{Value, json};
use tideform::engine::{Decision, Reason};

use super::hpa::{self, ago, ask_metric, count, group};
use super::support::{Answer, File, SetAside, decide, kind, load, otherwise, shown, unknown};

pub(crate) static FILE: File = File {
    name: "hpa_replicas",
    json: include_str!("hpa_replicas.json"),
    set_aside: ASIDE,
    ask,
};

static ASIDE: &[SetAside] = &[
    otherwise("util-scale-down-unready-excluded", "5", &hpa::WARMING),
    otherwise("util-scale-down-pending-excluded", "5", &hpa::WARMING),
    otherwise("total-average-overflow", "4294967295", &hpa::LARGEST),
];

/// No stabilization, so that the metric's own answer is seen.
const AT_ONCE: &str = "    stabilization = \"0s\"\n";

fn ask(case: &Value) -> Result<Answer, String> {
    match kind(case) {
        "calc" => calculate(case),
        "ratio" => ratio(case),
        "classify" => classify(case),
        _ => unknown(case),
    }
}

fn calculate(case: &Value) -> Result<Answer, String> {
    let asked = ask_metric("load", case, &case["tolerance"])?.ok_or("a metric that failed")?;
    let policy = load(&group(&[asked.hcl], AT_ONCE, AT_ONCE))?;
    let observation = json!({
        "now": ago(0),
        "group": { "desired": case["current_replicas"], "instances": asked.instances },
        "metrics": { "load": asked.reading },
    });
    let decision = decide(&policy, &observation)?;
    let shown = shown(&policy, &observation, &decision);
    if let Some((observed, _)) = first_pass(&decision)
        && let Some(usage) = case["expected_usage"].as_f64()
        && matches!(
            case["metric_kind"].as_str(),
            Some("utilization" | "average_value")
        )
        && observed.floor() != usage
    {
        return Err(format!(
            "tideform sees a usage of {observed}, the peer one of {usage}\n{shown}"
        ));
    }
    Ok(Answer {
        ours: count(&decision),
        theirs: match &case["expected_replicas"] {
            Value::Null => "no recommendation".to_owned(),
            replicas => replicas.to_string(),
        },
        shown,
    })
}

/// Usage and ratio, where all pods counted at once.
fn first_pass(decision: &Decision) -> Option<(f64, f64)> {
    decision.reasons.iter().find_map(|reason| match reason {
        Reason::Opinion {
            observed,
            ratio,
            missing: 0,
            unready: 0,
            ..
        } => Some((*observed, *ratio)),
        _ => None,
    })
}

fn ratio(case: &Value) -> Result<Answer, String> {
    let samples = case["samples_by_pod"].as_object().ok_or("no samples")?;
    let pods: Vec<Value> = samples
        .iter()
        .map(|(pod, value)| {
            let request = &case["requests_by_pod"][pod];
            json!({ "pod": pod, "value": value, "request": request, "status": "ready" })
        })
        .collect();
    let metric = json!({
        "metric_kind": case["metric_kind"], "target": case["target"], "per_pod_values": pods,
    });
    let tolerance = json!({ "down": 0.1, "up": 0.1 });
    let asked = ask_metric("load", &metric, &tolerance)?.ok_or("a metric that failed")?;
    let policy = load(&group(&[asked.hcl], AT_ONCE, AT_ONCE))?;
    let observation = json!({
        "now": ago(0),
        "group": { "desired": pods.len(), "instances": asked.instances },
        "metrics": { "load": asked.reading },
    });
    let decision = decide(&policy, &observation)?;
    let (usage, ratio) = first_pass(&decision).ok_or("tideform has no opinion")?;
    Ok(Answer {
        ours: format!("{ratio} at {usage}"),
        theirs: format!("{} at {}", case["expected_ratio"], case["expected_usage"]),
        shown: shown(&policy, &observation, &decision),
    })
}

/// Asks for each pod alone, beside one that is surely ready: the opinion says how many were missing and not ready.
fn classify(case: &Value) -> Result<Answer, String> {
    let pods = case["pods"].as_array().ok_or("no pods")?;
    let (mut ready, mut unready, mut missing, mut ignored) =
        (0, Vec::new(), Vec::new(), Vec::new());
    let mut all_shown = String::new();
    for pod in pods {
        let (class, shown) = class(case, pod)?;
        all_shown.push_str(&shown);
        match class {
            Class::Ready => ready += 1,
            Class::Unready => unready.push(pod["pod"].clone()),
            Class::Missing => missing.push(pod["pod"].clone()),
            Class::Ignored => ignored.push(pod["pod"].clone()),
        }
    }
    let ours = json!({
        "ready_count": ready, "unready": unready, "missing": missing, "ignored": ignored,
    });
    Ok(Answer {
        ours: ours.to_string(),
        theirs: case["expected"].to_string(),
        shown: all_shown,
    })
}

/// What a pod is to the calculation.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Class {
    Ready,
    Unready,
    Missing,
    Ignored,
}

pub(crate) fn class(case: &Value, pod: &Value) -> Result<(Class, String), String> {
    let initialization = match case["readiness_gated"].as_bool() {
        Some(true) => case["initialization_period_s"].as_u64().unwrap_or(120),
        _ => 0,
    };
    let sample = &pod["sample"];
    // A sample of unknown age is of now: it says nothing of its age.
    let age = sample["age_s"].as_i64().unwrap_or(0);
    let period = sample["window_s"].as_u64().filter(|s| *s > 0).unwrap_or(60);
    let more = format!("initialization = \"{initialization}s\"\n    period = \"{period}s\"");
    // At its target, so that nothing is added up in a second pass.
    let hcl = hpa::tracked("load", &more, 50, &json!({ "down": 0.1, "up": 0.1 }));
    let policy = load(&group(&[hcl], AT_ONCE, AT_ONCE))?;
    let state = match (pod["being_deleted"].as_bool(), pod["phase"].as_str()) {
        (Some(true), _) => "draining",
        (_, Some("failed")) => "unhealthy",
        (_, Some("pending")) => "pending",
        _ => "in_service",
    };
    let mut instance = json!({ "id": "pod", "state": state });
    if let Some(started) = pod["started_ago_s"].as_i64() {
        instance["launched_at"] = ago(started).into();
    }
    instance["ready"] = pod["ready_condition"]["ready"]
        .as_bool()
        .unwrap_or(false)
        .into();
    if let Some(changed) = pod["ready_condition"]["changed_ago_s"].as_i64() {
        instance["ready_changed_at"] = ago(changed).into();
    }
    let value = if sample.is_null() {
        Value::Null
    } else {
        50.into()
    };
    let observation = json!({
        "now": ago(0),
        "group": { "desired": 2, "instances": [{ "id": "anchor" }, instance] },
        "metrics": { "load": { "at": ago(age), "per_instance": { "anchor": 50, "pod": value } } },
    });
    let decision = decide(&policy, &observation)?;
    let shown = shown(&policy, &observation, &decision);
    let class = decision.reasons.iter().find_map(|reason| match reason {
        Reason::Opinion {
            counted,
            missing,
            unready,
            ..
        } => match (counted.get(), missing, unready) {
            (2, 0, 0) => Some(Class::Ready),
            (1, 0, 1) => Some(Class::Unready),
            (1, 1, 0) => Some(Class::Missing),
            (1, 0, 0) => Some(Class::Ignored),
            _ => None,
        },
        _ => None,
    });
    match class {
        Some(class) => Ok((class, shown)),
        None => Err(format!(
            "the opinion says of no class that the pod is in\n{shown}"
        )),
    }
}
