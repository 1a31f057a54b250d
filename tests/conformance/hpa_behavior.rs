//! The HPA's `behavior`: limits on the rate of change, stabilization, and whole decisions.

use serde_json::{Map, Value, json};
use tideform::engine::Decision;
use tideform_policies::model::{Direction, Group, RateAmount, ScaleRules, Select};

use super::hpa::{
    self, NO_MAXIMUM, actions, ago, ask_metric, group, limit_reason, now, recommendations,
    rules_hcl, wish,
};
use super::reference::hpa as reference;
use super::support::{
    Answer, File, Policy, SetAside, decide, kind, load, otherwise, shown, unknown,
};

pub(crate) static FILE: File = File {
    name: "hpa_behavior",
    json: include_str!("hpa_behavior.json"),
    set_aside: ASIDE,
    ask,
};

static ASIDE: &[SetAside] = &[
    otherwise(
        "simple-limit-shipped-factor-a",
        "5 (ScaleUpLimit)",
        &hpa::SIMPLE,
    ),
    otherwise("defaults-up", "no limit; 0 s; max", &hpa::NO_RATE),
];

fn ask(case: &Value) -> Result<Answer, String> {
    match kind(case) {
        "limit" => limit(case),
        "rate" => rate(case),
        "simple_limits" => simple_limits(case),
        "stabilize" => stabilize(case),
        "stabilize_down_only" => stabilize_down_only(case),
        "store_event" => store_event(case),
        "defaults" => defaults(case),
        "reconcile" => reconcile(case),
        _ => unknown(case),
    }
}

/// Windows of nothing, so that the wish reaches the rates as it is.
const NO_WINDOW: &str = "    stabilization = \"0s\"\n";

/// A decision on a plain wish.
fn decide_wish(
    policy: &Policy,
    current: &Value,
    wish: u32,
    limits: (u32, u32),
    memory: &Value,
) -> Result<(Decision, String), String> {
    let observation = json!({
        "now": ago(0),
        "group": { "desired": current, "limits": { "min": limits.0, "max": limits.1 } },
        "metrics": { "wish": { "samples": [{ "at": ago(0), "value": wish }] } },
        "memory": memory,
    });
    let decision = decide(policy, &observation)?;
    let shown = shown(policy, &observation, &decision);
    Ok((decision, shown))
}

fn whole(case: &Value, name: &str) -> Result<u32, String> {
    case[name]
        .as_u64()
        .and_then(|n| u32::try_from(n).ok())
        .ok_or_else(|| format!("`{name}` is no count"))
}

fn limit(case: &Value) -> Result<Answer, String> {
    let is_up = case["direction"] == "up";
    let (scale_out, scale_in, wished) = if is_up {
        (
            rules_hcl(Direction::Out, &case["rules"], 0),
            NO_WINDOW.to_owned(),
            1_000_000_000,
        )
    } else {
        (
            NO_WINDOW.to_owned(),
            rules_hcl(Direction::In, &case["rules"], 0),
            0,
        )
    };
    let policy = load(&group(&[wish()], &scale_out, &scale_in))?;
    let memory =
        json!({ "actions": actions(&case["scale_up_events"], &case["scale_down_events"]) });
    let (decision, shown) = decide_wish(
        &policy,
        &case["current_replicas"],
        wished,
        (0, NO_MAXIMUM),
        &memory,
    )?;
    Ok(Answer {
        ours: decision.desired.to_string(),
        theirs: case["expected_limit"].to_string(),
        shown,
    })
}

fn with_reason(count: &Value, reason: &Value) -> String {
    format!("{count} ({})", reason.as_str().unwrap_or_default())
}

fn rate(case: &Value) -> Result<Answer, String> {
    // The wish is the stabilized one already, and so no window is asked for.
    let mut up = case["scale_up"].clone();
    let mut down = case["scale_down"].clone();
    for rules in [&mut up, &mut down] {
        if let Some(rules) = rules.as_object_mut() {
            rules.remove("stabilization_window_s");
        }
    }
    let policy = load(&group(
        &[wish()],
        &rules_hcl(Direction::Out, &up, 0),
        &rules_hcl(Direction::In, &down, 0),
    ))?;
    let memory = json!({
        "actions": actions(&case["scale_up_events"], &case["scale_down_events"]),
    });
    limited(case, &policy, &memory)
}

fn limited(case: &Value, policy: &Policy, memory: &Value) -> Result<Answer, String> {
    let limits = (whole(case, "min_replicas")?, whole(case, "max_replicas")?);
    let (decision, shown) = decide_wish(
        policy,
        &case["current_replicas"],
        whole(case, "desired_replicas")?,
        limits,
        memory,
    )?;
    let reason = limit_reason(&decision, limits.0, limits.1);
    Ok(Answer {
        ours: format!("{} ({reason})", decision.desired),
        theirs: with_reason(&case["expected_replicas"], &case["expected_reason"]),
        shown,
    })
}

/// Without rules: as rates, a share and a count.
fn simple_rates(case: &Value) -> String {
    let factor = case["scale_up_factor"].as_u64().expect("a factor");
    format!(
        "{NO_WINDOW}    rate {{\n      add = \"{}%\"\n      per = \"15s\"\n    }}\n    rate {{\n      add = {}\n      \
         per = \"15s\"\n    }}\n",
        (factor - 1) * 100,
        case["scale_up_floor"]
    )
}

fn simple_limits(case: &Value) -> Result<Answer, String> {
    let policy = load(&group(&[wish()], &simple_rates(case), NO_WINDOW))?;
    limited(case, &policy, &json!({}))
}

fn stabilize(case: &Value) -> Result<Answer, String> {
    let windows = (
        case["scale_up_window_s"].as_i64().ok_or("no window")?,
        case["scale_down_window_s"].as_i64().ok_or("no window")?,
    );
    let current = case["current_replicas"].as_i64().ok_or("no count")?;
    stabilized(case, windows, current)
}

/// One window, downward. The present count is not given; it is what the largest proposal asked for.
fn stabilize_down_only(case: &Value) -> Result<Answer, String> {
    let window = case["window_s"].as_i64().ok_or("no window")?;
    let current = case["history"]
        .as_array()
        .into_iter()
        .flatten()
        .filter_map(|entry| entry["replicas"].as_i64())
        .chain(case["desired_replicas"].as_i64())
        .max()
        .ok_or("no count")?;
    stabilized(case, (0, window), current)
}

/// The answer; and the log, as the peer keeps it and by what later decisions make of it.
fn stabilized(case: &Value, windows: (i64, i64), current: i64) -> Result<Answer, String> {
    let policy = load(&group(
        &[wish()],
        &format!("    stabilization = \"{}s\"\n", windows.0),
        &format!("    stabilization = \"{}s\"\n", windows.1),
    ))?;
    let memory = json!({ "recommendations": recommendations(&case["history"]) });
    let (decision, shown) = decide_wish(
        &policy,
        &current.into(),
        whole(case, "desired_replicas")?,
        (0, NO_MAXIMUM),
        &memory,
    )?;

    let free = |window| reference::Rules {
        select: reference::Select::Max,
        policies: vec![reference::Policy {
            is_percent: false,
            value: 1_000_000,
            period: 1,
        }],
        window,
    };
    let behavior = reference::Behavior {
        up: free(windows.0),
        down: free(windows.1),
        min: 0,
        max: 1_000_000,
    };
    let mut past = reference::Past {
        is_seen: true,
        ..reference::Past::default()
    };
    for entry in case["history"].as_array().into_iter().flatten() {
        past.proposals.push(reference::Proposal {
            replicas: entry["replicas"].as_i64().ok_or("no count")?,
            at: -entry["age_s"].as_i64().ok_or("no age")?,
        });
    }
    let wished = case["desired_replicas"].as_i64().ok_or("no wish")?;
    reference::stabilize(wished, &behavior, &mut past, current, 0);
    let log: Vec<i64> = past.proposals.iter().map(|entry| entry.replicas).collect();
    for (name, is_same) in [
        ("expected_history", case["expected_history"] == json!(log)),
        (
            "expected_history_length",
            case["expected_history_length"] == json!(log.len()),
        ),
    ] {
        if !case[name].is_null() && !is_same {
            return Err(format!("the rules as stated leave the log {log:?}"));
        }
    }
    later_decisions_agree(&policy, &behavior, &past, &decision)?;
    Ok(Answer {
        ours: decision.desired.to_string(),
        theirs: case["expected_replicas"].to_string(),
        shown,
    })
}

/// The memory that a decision leaves says the same as the peer's log, at any later time and for any wish.
fn later_decisions_agree(
    policy: &Policy,
    behavior: &reference::Behavior,
    past: &reference::Past,
    decision: &Decision,
) -> Result<(), String> {
    let memory = serde_json::to_value(&decision.memory).map_err(|error| error.to_string())?;
    for later in [
        0, 1, 30, 59, 60, 61, 119, 120, 179, 180, 181, 299, 300, 301, 599, 600, 900,
    ] {
        for (current, wished) in [(100, 0), (0, 100), (6, 3), (3, 6), (5, 5)] {
            let theirs = reference::stabilize(wished, behavior, &mut past.clone(), current, later);
            let observation = json!({
                "now": ago(-later),
                "group": { "desired": current, "limits": { "min": 0, "max": NO_MAXIMUM } },
                "metrics": { "wish": { "samples": [{ "at": ago(-later), "value": wished }] } },
                "memory": memory,
            });
            let next = decide(policy, &observation)?;
            if i64::from(next.desired.get()) != theirs {
                return Err(format!(
                    "{later} s later tideform makes {} of a wish for {wished} at {current}, the peer {theirs}\n{}",
                    next.desired,
                    shown(policy, &observation, &next)
                ));
            }
        }
    }
    Ok(())
}

/// A change is recorded, in either direction: what the rates then allow says what the log holds.
fn store_event(case: &Value) -> Result<Answer, String> {
    let current = 1_000_i64;
    let change = case["replica_change"].as_i64().ok_or("no change")?;
    let rules = &case["rules"];
    let young = |events: &Value| -> i64 {
        events
            .as_array()
            .into_iter()
            .flatten()
            .filter(|event| event["outdated"] != true)
            .filter_map(|event| event["change"].as_i64())
            .sum()
    };
    let (mut ours, mut theirs) = (Vec::new(), Vec::new());
    let mut all_shown = String::new();
    for sign in [1, -1] {
        let is_up = sign > 0;
        let (scale_out, scale_in, wished) = match (rules.is_null(), is_up) {
            (true, _) => (NO_WINDOW.to_owned(), NO_WINDOW.to_owned(), 5_000),
            (false, true) => (
                rules_hcl(Direction::Out, rules, 0),
                NO_WINDOW.to_owned(),
                1_000_000,
            ),
            (false, false) => (NO_WINDOW.to_owned(), rules_hcl(Direction::In, rules, 0), 0),
        };
        // Of the two rates only the count is followed here; the share goes further in both directions.
        let scale_out = scale_out.replace("\"max\"", "\"min\"");
        let scale_in = scale_in.replace("\"max\"", "\"min\"");
        let policy = load(&group(&[wish()], &scale_out, &scale_in))?;
        let (none, events) = (json!([]), &case["events"]);
        let past = if is_up {
            actions(events, &none)
        } else {
            actions(&none, events)
        };
        let mut memory = json!({ "actions": past });
        let limits = (0, NO_MAXIMUM);
        let (decision, shown) = decide_wish(&policy, &current.into(), wished, limits, &memory)?;
        ours.push(decision.desired.to_string());
        all_shown.push_str(&shown);
        // The change is carried out and recorded, and another decision made at once.
        let after = current + sign * change;
        let mut remembered = decision.memory.clone();
        remembered.record(tideform::engine::Action {
            at: now(),
            from: tideform_policies::model::Capacity(1_000),
            to: tideform_policies::model::Capacity(u32::try_from(after).unwrap_or_default()),
            by: tideform::engine::BY_TIDEFORM.into(),
        });
        memory["actions"] =
            serde_json::to_value(&remembered.actions).map_err(|error| error.to_string())?;
        let (decision, shown) = decide_wish(&policy, &after.into(), wished, limits, &memory)?;
        ours.push(decision.desired.to_string());
        all_shown.push_str(&shown);
        let step = rules["policies"][0]["value"].as_i64();
        let reached = |from: i64, counted: i64| match step {
            Some(step) => from - sign * counted + sign * step,
            None => i64::from(wished),
        };
        let counted = case["expected_change_last_60s"].as_i64().ok_or("no sum")?;
        theirs.push(reached(current, counted).to_string());
        theirs.push(reached(after, young(&case["expected_events"])).to_string());
    }
    Ok(Answer {
        ours: ours.join(", "),
        theirs: theirs.join(", "),
        shown: all_shown,
    })
}

/// A block with gaps, and what is in force.
fn defaults(case: &Value) -> Result<Answer, String> {
    let direction = if case["direction"] == "up" {
        Direction::Out
    } else {
        Direction::In
    };
    let given = &case["given"];
    let mut attributes = String::new();
    if given["policies"].is_array() {
        let only_policies = json!({ "policies": given["policies"] });
        let text = rules_hcl(direction, &only_policies, 0);
        let rates = text.split_once("    rate").map_or("", |(_, rates)| rates);
        attributes.push_str(&format!("    rate{rates}"));
    }
    if let Some(select) = given["select_policy"].as_str() {
        attributes.push_str(&format!("    select = \"{select}\"\n"));
    }
    if let Some(window) = given["stabilization_window_s"].as_u64() {
        attributes.push_str(&format!("    stabilization = \"{window}s\"\n"));
    }
    let (scale_out, scale_in) = match direction {
        Direction::Out => (attributes, String::new()),
        Direction::In | Direction::Hold => (String::new(), attributes),
    };
    let policy = load(&group(&[wish()], &scale_out, &scale_in))?;
    Ok(Answer {
        ours: in_force(&policy.group, direction),
        theirs: completed(&case["expected"], direction),
        shown: policy.hcl,
    })
}

/// The rules of a direction in a line. A share of all that may be removed is no limit.
fn in_force(group: &Group, direction: Direction) -> String {
    let rules: &ScaleRules = match direction {
        Direction::Out => &group.policy.scale_out,
        Direction::In | Direction::Hold => &group.policy.scale_in,
    };
    let rates: Vec<String> = rules
        .rates
        .iter()
        .map(|rate| {
            let per = rate.per.as_secs();
            match rate.amount {
                RateAmount::Count(n) => format!("{n} in {per} s"),
                RateAmount::Share(share) => format!("{} % in {per} s", share.percent()),
            }
        })
        .collect();
    line(
        rates,
        rules.stabilization.as_secs(),
        match rules.select {
            Select::Max => "max",
            Select::Min => "min",
            Select::Disabled => "disabled",
        },
    )
}

fn line(rates: Vec<String>, window_s: u64, select: &str) -> String {
    let rates = if rates.is_empty() {
        "no limit".to_owned()
    } else {
        rates.join(", ")
    };
    format!("{rates}; {window_s} s; {select}")
}

fn completed(expected: &Value, direction: Direction) -> String {
    let rates = expected["policies"]
        .as_array()
        .into_iter()
        .flatten()
        .map(|policy| {
            let unit = if policy["type"] == "percent" {
                " %"
            } else {
                ""
            };
            format!("{}{unit} in {} s", policy["value"], policy["period_s"])
        })
        .filter(|rate| direction == Direction::Out || !rate.starts_with("100 %"))
        .collect();
    line(
        rates,
        expected["stabilization_window_s"].as_u64().unwrap_or(300),
        expected["select_policy"].as_str().unwrap_or_default(),
    )
}

fn reconcile(case: &Value) -> Result<Answer, String> {
    let window_s = case["default_scale_down_window_s"].as_u64().unwrap_or(300);
    let behavior = &case["behavior"];
    let (scale_out, scale_in) = if behavior.is_null() {
        (
            simple_rates(case),
            format!("    stabilization = \"{window_s}s\"\n"),
        )
    } else {
        (
            rules_hcl(Direction::Out, &behavior["scale_up"], 0),
            rules_hcl(Direction::In, &behavior["scale_down"], window_s),
        )
    };
    let mut blocks = Vec::new();
    let mut readings = Map::new();
    let mut instances = Value::Null;
    for (n, metric) in case["metrics"].as_array().into_iter().flatten().enumerate() {
        let name = format!("metric_{n}");
        match ask_metric(&name, metric, &case["tolerance"])? {
            Some(asked) => {
                blocks.push(asked.hcl);
                readings.insert(name, asked.reading);
                if let Some(seen) = asked.instances {
                    instances = seen;
                }
            }
            // It has a rule, and nothing was read.
            None => blocks.push(hpa::tracked(
                &name,
                "scope = \"group\"",
                1,
                &case["tolerance"],
            )),
        }
    }
    let policy = load(&group(&blocks, &scale_out, &scale_in))?;
    let limits = (whole(case, "min_replicas")?, whole(case, "max_replicas")?);
    let observation = json!({
        "now": ago(0),
        "group": {
            "desired": case["current_replicas"],
            "instances": instances,
            "limits": { "min": limits.0, "max": limits.1 },
        },
        "metrics": readings,
        "memory": { "recommendations": recommendations(&case["history"]) },
    });
    let decision = decide(&policy, &observation)?;
    let shown = shown(&policy, &observation, &decision);
    let mut ours = decision.desired.to_string();
    let mut theirs = case["expected_replicas"].to_string();
    if !case["expected_reason"].is_null() {
        ours = format!("{ours} ({})", limit_reason(&decision, limits.0, limits.1));
        theirs = with_reason(&case["expected_replicas"], &case["expected_reason"]);
    }
    Ok(Answer {
        ours,
        theirs,
        shown,
    })
}
