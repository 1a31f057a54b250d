//! What the two files of the HPA share: its words put into HCL and into an observation, and the reasons why tideform
//! decides otherwise.

use std::fmt::Write as _;

use jiff::{SignedDuration, Timestamp};
use serde_json::{Map, Value, json};
use tideform::engine::{Decision, Reason};
use tideform_policies::model::Direction;

use super::support::Because;

pub(crate) static WARMING: Because = Because {
    what: "While a scale-out is warming nothing is removed",
    why: "The HPA leaves pods that are pending or have never been ready out of the count, and removes others meanwhile. \
          Capacity that is on its way was asked for because it was needed; with part of the group not yet in service, \
          the rest is kept.",
};
pub(crate) static LARGEST: Because = Because {
    what: "The largest capacity is 4294967295",
    why: "Counts are 32 bits without a sign; the HPA's stop at 2147483647. Both stop, and neither wraps around.",
};
pub(crate) static SIMPLE: Because = Because {
    what: "Adding four is not growing to four",
    why: "Without `behavior` the HPA grows a small group to at most four. As rates that is `add = \"100%\"` and `add = 4`, \
          the HPA's own `behavior` defaults, and these allow four more.",
};
pub(crate) static NO_RATE: Because = Because {
    what: "Without a rate there is no limit on the rate of change",
    why: "The HPA fills in 4 pods or 100 % in 15 seconds upward. Here a limit is what somebody wrote: `rate` blocks in \
          `scale_out`. Downward the HPA's default limits nothing, and the two agree.",
};
/// Far above any case: where a case has no maximum.
pub(crate) const NO_MAXIMUM: u32 = u32::MAX;

/// The time of every decision on a case.
pub(crate) fn now() -> Timestamp {
    "2026-01-05T12:00:00Z".parse().expect("a time")
}

/// So many seconds before it.
pub(crate) fn ago(seconds: i64) -> String {
    (now() - SignedDuration::from_secs(seconds)).to_string()
}

/// A group with these metrics and rules.
pub(crate) fn group(metrics: &[String], scale_out: &str, scale_in: &str) -> String {
    format!(
        "provider \"mock\" {{}}\n\ngroup \"web\" {{\n  provider = provider.mock\n  resource \"asg\" {{ name = \"web\" }}\n\n\
         {}\n  scale_out {{\n{scale_out}  }}\n  scale_in {{\n{scale_in}  }}\n}}\n",
        metrics.join("\n")
    )
}

/// A tracked metric.
///
/// - `more`: further attributes, a line each.
pub(crate) fn tracked(name: &str, more: &str, target: i64, tolerance: &Value) -> String {
    let percent = |direction: &str| {
        let share = tolerance[direction].as_f64().expect("a tolerance") * 100.0;
        (share * 1e6).round() / 1e6
    };
    format!(
        "  metric \"{name}\" {{\n    {more}\n    track {{\n      target        = {target}\n      \
         tolerance_out = \"{}%\"\n      tolerance_in  = \"{}%\"\n    }}\n  }}\n",
        percent("up"),
        percent("down")
    )
}

/// The wish itself, for what comes after the metrics.
pub(crate) fn wish() -> String {
    "  metric \"wish\" {\n    want = true\n  }\n".to_owned()
}

/// One metric of a case: its HCL, its reading, and the instances that it says there are.
pub(crate) struct Asked {
    pub(crate) hcl: String,
    pub(crate) reading: Value,
    pub(crate) instances: Option<Value>,
}

/// A metric of a case in tideform's words. `None`: it cannot be read.
pub(crate) fn ask_metric(
    name: &str,
    metric: &Value,
    tolerance: &Value,
) -> Result<Option<Asked>, String> {
    let target = metric["target"].as_i64();
    let metric_kind = metric["metric_kind"].as_str().unwrap_or_default();
    let gate = match metric["readiness_gated"].as_bool() {
        Some(true) => "initialization = \"120s\"",
        Some(false) | None => "initialization = \"0s\"",
    };
    let scope = match metric_kind {
        "failed" => return Ok(None),
        "utilization" | "average_value" => gate,
        "value" => "scope = \"shared\"",
        "total_average_value" => "scope = \"group\"",
        other => return Err(format!("no test knows the metric kind `{other}`")),
    };
    let hcl = tracked(
        name,
        scope,
        target.ok_or("the metric has no target")?,
        tolerance,
    );
    let (reading, instances) = match metric_kind {
        "utilization" | "average_value" => {
            let (reading, instances) = per_pod(metric, metric_kind == "utilization")?;
            (reading, Some(instances))
        }
        _ => {
            let samples = metric["samples"].as_array().ok_or("no samples")?;
            let total: f64 = samples.iter().filter_map(Value::as_f64).sum();
            let instances = metric["ready_pods"].as_u64().map(|ready| {
                (0..ready)
                    .map(|n| json!({ "id": format!("p{n}") }))
                    .collect()
            });
            (
                json!({ "samples": [{ "at": ago(0), "value": total }] }),
                instances,
            )
        }
    };
    Ok(Some(Asked {
        hcl,
        reading,
        instances,
    }))
}

/// The pods of a case as a reading per instance, and as instances.
fn per_pod(metric: &Value, is_utilization: bool) -> Result<(Value, Value), String> {
    let mut values = Map::new();
    let mut requests = Map::new();
    let mut instances = Vec::new();
    for pod in metric["per_pod_values"].as_array().ok_or("no pods")? {
        let id = pod["pod"].as_str().ok_or("a pod without a name")?;
        values.insert(id.to_owned(), pod["value"].clone());
        if is_utilization {
            requests.insert(id.to_owned(), pod["request"].clone());
        }
        instances.push(match pod["status"].as_str() {
            Some("ready") => json!({ "id": id }),
            // An hour old, and never been ready.
            Some("unready") => json!({
                "id": id, "launched_at": ago(3600), "ready": false, "ready_changed_at": ago(3600),
            }),
            Some("pending") => json!({ "id": id, "state": "pending" }),
            Some("ignored") => json!({ "id": id, "state": "unhealthy" }),
            other => return Err(format!("no test knows the status {other:?}")),
        });
    }
    for (n, value) in metric["unmatched_values"]
        .as_array()
        .into_iter()
        .flatten()
        .enumerate()
    {
        values.insert(format!("stranger-{n}"), value.clone());
    }
    let mut reading = json!({ "at": ago(0), "per_instance": values });
    if is_utilization {
        reading["of"] = Value::Object(requests);
    }
    Ok((reading, Value::Array(instances)))
}

/// The rules of a direction, with what the HPA fills in.
///
/// - `rules`: null for its defaults.
/// - `window_s`: where the rules name none.
pub(crate) fn rules_hcl(direction: Direction, rules: &Value, window_s: u64) -> String {
    let verb = if direction == Direction::Out {
        "add"
    } else {
        "remove"
    };
    let window = rules["stabilization_window_s"].as_u64().unwrap_or(window_s);
    let select = rules["select_policy"].as_str().unwrap_or("max");
    let mut text = format!("    stabilization = \"{window}s\"\n    select        = \"{select}\"\n");
    let hpa_default = match direction {
        Direction::Out => json!([
            { "type": "count", "value": 4, "period_s": 15 },
            { "type": "percent", "value": 100, "period_s": 15 },
        ]),
        Direction::In | Direction::Hold => {
            json!([{ "type": "percent", "value": 100, "period_s": 15 }])
        }
    };
    let policies = rules["policies"]
        .as_array()
        .unwrap_or_else(|| hpa_default.as_array().expect("a list"));
    for policy in policies {
        let (value, period) = (&policy["value"], &policy["period_s"]);
        let amount = match policy["type"].as_str() {
            Some("percent") => format!("\"{value}%\""),
            _ => value.to_string(),
        };
        let _ = write!(
            text,
            "    rate {{\n      {verb} = {amount}\n      per = \"{period}s\"\n    }}\n"
        );
    }
    text
}

/// Past changes as what is remembered, oldest first.
pub(crate) fn actions(ups: &Value, downs: &Value) -> Value {
    let mut list: Vec<(i64, Value)> = Vec::new();
    for (events, sign) in [(ups, 1_i64), (downs, -1)] {
        for event in events.as_array().into_iter().flatten() {
            let age = event["age_s"].as_i64().expect("an age");
            let change = event["change"].as_i64().expect("a change");
            // Only the difference is ever read.
            let from = 1_000_000;
            list.push((
                age,
                json!({ "at": ago(age), "from": from, "to": from + sign * change }),
            ));
        }
    }
    list.sort_by_key(|(age, _)| -age);
    list.into_iter().map(|(_, action)| action).collect()
}

/// A log of earlier proposals as what is remembered. An empty log is not a group never seen: it gets an entry too old
/// for any window.
pub(crate) fn recommendations(history: &Value) -> Value {
    let Some(list) = history.as_array() else {
        return json!([]);
    };
    let mut entries: Vec<(i64, Value)> = list
        .iter()
        .map(|entry| {
            let age = entry["age_s"].as_i64().expect("an age");
            (age, json!({ "at": ago(age), "desired": entry["replicas"] }))
        })
        .collect();
    entries.push((1_000_000, json!({ "at": ago(1_000_000), "desired": 1 })));
    entries.sort_by_key(|(age, _)| -age);
    entries.into_iter().map(|(_, entry)| entry).collect()
}

/// The decision's number, or that the metrics could not say any.
pub(crate) fn count(decision: &Decision) -> String {
    let is_asked = |reason: &Reason| matches!(reason, Reason::Opinion { .. } | Reason::Want { .. });
    if decision.reasons.iter().any(is_asked) {
        decision.desired.to_string()
    } else {
        "no recommendation".to_owned()
    }
}

/// Why the count is what it is, in the HPA's words: the last limit that bound. Where a rate stops at the very count
/// at which a bound lies, the HPA names the bound.
pub(crate) fn limit_reason(decision: &Decision, min: u32, max: u32) -> &'static str {
    let mut reason = "DesiredWithinRange";
    for each in &decision.reasons {
        match each {
            Reason::RateLimited {
                direction, after, ..
            } => {
                reason = match direction {
                    Direction::Out if after.get() == max => "TooManyReplicas",
                    Direction::In if after.get() == min => "TooFewReplicas",
                    Direction::Out => "ScaleUpLimit",
                    Direction::In | Direction::Hold => "ScaleDownLimit",
                }
            }
            Reason::RaisedToFloor { .. } => reason = "TooFewReplicas",
            Reason::LoweredToCeiling { .. } => reason = "TooManyReplicas",
            _ => {}
        }
    }
    reason
}
