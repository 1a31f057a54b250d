//! The JSON forms, read and written.

use super::*;
use crate::engine::testing::{cpu_rules, metric, mins};
use crate::engine::{Rules, decide};

fn rules() -> Rules {
    cpu_rules(|policy| {
        policy.metrics.push(metric("queue", None));
        policy.scale_in.cooldown = mins(10);
        policy.scale_in.stabilization = mins(5);
    })
}

fn observed(cpu: f64, memory: &str) -> String {
    format!(
        r#"{{"now": "2026-01-05T12:00:00Z", "group": {{"desired": 6}},
            "metrics": {{"cpu": {{"samples": [{{"at": "2026-01-05T12:00:00Z", "value": {cpu}}}]}}}},
            "memory": {memory}}}"#
    )
}

fn answer(text: &str) -> Value {
    let rules = rules();
    let question = read(text, rules.group()).expect("an observation");
    let decision = decide(&rules, &question.seen, &question.memory, question.now);
    render(rules.group(), &decision)
}

fn kinds_of(answer: &Value) -> Vec<&str> {
    let reasons = answer["reasons"].as_array().expect("reasons");
    reasons
        .iter()
        .filter_map(|reason| reason["kind"].as_str())
        .collect()
}

#[test]
fn six_at_ninety_want_nine_and_at_thirty_are_held_by_stabilization_then_by_the_cooldown() {
    let out = answer(&observed(90.0, "null"));
    assert_eq!(
        (&out["desired"], &out["direction"]),
        (&json!(9), &json!("out"))
    );
    let held = answer(&observed(30.0, "null"));
    assert_eq!(held["desired"], 6);
    assert!(kinds_of(&held).contains(&"stabilized"), "{held:#}");
    let cooling = answer(&observed(
        30.0,
        r#"{"actions": [{"at": "2026-01-05T11:51:00Z", "from": 4, "to": 6, "by": "tideform"}],
            "recommendations": [{"at": "2026-01-05T11:51:00Z", "desired": 6}]}"#,
    ));
    assert_eq!(cooling["desired"], 6);
    assert!(kinds_of(&cooling).contains(&"in_cooldown"), "{cooling:#}");
    assert!(!kinds_of(&cooling).contains(&"stabilized"), "{cooling:#}");
}

#[test]
fn the_printed_memory_can_be_fed_back_in() {
    let first = answer(&observed(30.0, "null"));
    let second = answer(&observed(30.0, &first["memory"].to_string()));
    assert_eq!(first["memory"]["recommendations"][0]["desired"], 6);
    assert_eq!(second["desired"], first["desired"]);
}

#[test]
fn the_documented_example_reads() {
    const DOCS: &str = include_str!("../../../docs/decisions.md");
    let rules = rules();
    let mut blocks = DOCS.split("```json\n").skip(1);
    let example = blocks
        .next()
        .and_then(|rest| rest.split("```").next())
        .expect("an example");
    let question = read(example, rules.group()).expect("an observation");
    assert_eq!(question.seen.instances.as_ref().map(Vec::len), Some(2));
    assert_eq!(question.memory.actions.len(), 1);
    let decision = decide(&rules, &question.seen, &question.memory, question.now);
    let printed = render(rules.group(), &decision);
    let documented: Value = blocks
        .next()
        .and_then(|rest| rest.split("```").next())
        .and_then(|text| serde_json::from_str(text).ok())
        .expect("an answer");
    let fields = |value: &Value| -> Vec<String> {
        value
            .as_object()
            .expect("an object")
            .keys()
            .cloned()
            .collect()
    };
    assert_eq!(fields(&printed), fields(&documented));
}

#[test]
fn samples_are_sorted_and_of_two_at_one_time_the_last_counts() {
    let rules = rules();
    let text = r#"{"now": "2026-01-05T12:00:00Z", "group": {"desired": 6}, "metrics": {"cpu": {"samples": [
        {"at": "2026-01-05T12:00:00Z", "value": 1}, {"at": "2026-01-05T11:58:00Z", "value": 2},
        {"at": "2026-01-05T12:00:00Z", "value": 3}, {"at": "2026-01-05T11:59:00Z", "value": null}]}}}"#;
    let question = read(text, rules.group()).expect("an observation");
    let Some(MetricReading::Group(samples)) = question.seen.metrics.get("cpu") else {
        panic!("samples");
    };
    let values: Vec<f64> = samples.iter().map(|sample| sample.value).collect();
    assert_eq!(values, [2.0, 3.0]);
}

#[test]
fn what_is_wrong_is_said_with_its_path() {
    let rules = rules();
    let now = r#""now": "2026-01-05T12:00:00Z""#;
    for (text, wanted) in [
        ("{", "not JSON"),
        ("[]", "`the observation` must be an object, not a list"),
        (r#"{"group": {"desired": 1}}"#, "`now` is missing"),
        (
            r#"{"now": "noon", "group": {"desired": 1}}"#,
            "`now` must be a time",
        ),
        (&format!("{{{now}}}"), "`group` is missing"),
        (
            &format!(r#"{{{now}, "group": {{}}}}"#),
            "`group.desired` is missing",
        ),
        (
            &format!(r#"{{{now}, "group": {{"desired": -1}}}}"#),
            "`group.desired` must be a whole number from 0 to 4294967295, not -1",
        ),
        (
            &format!(r#"{{{now}, "group": {{"desired": 1, "instance": []}}}}"#),
            "unknown field `instance`; did you mean `instances`?",
        ),
        (
            &format!(
                r#"{{{now}, "group": {{"desired": 1, "instances": [{{"id": "a"}}, {{"id": 4}}]}}}}"#
            ),
            "`group.instances[1]`",
        ),
        (
            &format!(
                r#"{{{now}, "group": {{"desired": 1, "instances": [{{"id": "a", "state": "in_service", "lifecycle": "spot", "weight": 0}}]}}}}"#
            ),
            "`group.instances[0].weight` must be a whole number from 1, not 0",
        ),
        (
            &format!(
                r#"{{{now}, "group": {{"desired": 1}}, "metrics": {{"cpuu": {{"samples": []}}}}}}"#
            ),
            "unknown metric `cpuu`; did you mean `cpu`?",
        ),
        (
            &format!(
                r#"{{{now}, "group": {{"desired": 1}}, "metrics": {{"cpu": {{"samples": [{{"at": "2026-01-05T12:00:00Z", "value": "9"}}]}}}}}}"#
            ),
            "`metrics.cpu.samples[0].value` must be a number",
        ),
        (
            &format!(
                r#"{{{now}, "group": {{"desired": 1}}, "metrics": {{"cpu": {{"per_instance": {{"a": 1}}}}}}}}"#
            ),
            "`metrics.cpu.at` is missing",
        ),
        (
            &format!(r#"{{{now}, "group": {{"desired": 1}}, "metrics": {{"cpu": {{}}}}}}"#),
            "expected either `samples`, or `per_instance` with `at`",
        ),
        (
            &format!(
                r#"{{{now}, "group": {{"desired": 1}}, "memory": {{"actions": [{{"at": 3}}]}}}}"#
            ),
            "`memory.actions[0]`",
        ),
    ] {
        let error = read(text, rules.group()).expect_err(text).to_string();
        assert!(error.contains(wanted), "{error:?} lacks {wanted:?}");
    }
}

#[test]
fn amounts_are_read_with_what_the_instances_have() {
    let with = |of: &str| {
        format!(
            r#"{{"now": "2026-01-05T12:00:00Z", "group": {{"desired": 2, "instances": [{{"id": "a"}}, {{"id": "b"}}]}},
                "metrics": {{"cpu": {{"at": "2026-01-05T12:00:00Z", "per_instance": {{"a": 900}}, "of": {of}}}}}}}"#
        )
    };
    // 90 % of one, 0 % of the other: 45 % of both is below the target of 60, and the ratio has turned.
    let held = answer(&with(r#"{"a": 1000, "b": 1000}"#));
    assert_eq!(held["desired"], 2);
    assert!(kinds_of(&held).contains(&"opinion"), "{held:#}");
    for of in [r#"{"a": 1000}"#, r#"{"a": 1000, "b": null}"#, "{}"] {
        let none = answer(&with(of));
        assert!(kinds_of(&none).contains(&"no_data"), "{of} {none:#}");
    }
    let rules = rules();
    let error = read(&with(r#"{"a": 0}"#), rules.group()).expect_err("no whole");
    assert_eq!(
        error.to_string(),
        "`metrics.cpu.of.a` must be a number above 0, not 0"
    );
}

#[test]
fn values_of_instances_and_what_they_count_are_read() {
    let text = |flag: bool| {
        format!(
            r#"{{"now": "2026-01-05T12:00:00Z",
                "group": {{"desired": 2, "instances": [
                    {{"id": "a", "state": "in_service", "lifecycle": "spot", "protected": {flag}}}]}},
                "metrics": {{"cpu": {{"at": "2026-01-05T12:00:00Z", "counts_warming": {flag},
                    "per_instance": {{"a": 90, "b": null}}}}}}}}"#
        )
    };
    for flag in [true, false] {
        let question = read(&text(flag), rules().group()).expect("an observation");
        assert_eq!(question.seen.counts_warming.contains("cpu"), flag);
        let instances = question.seen.instances.expect("instances");
        assert_eq!(instances[0].protected, flag);
        let Some(MetricReading::PerInstance { values, .. }) = question.seen.metrics.get("cpu")
        else {
            panic!("{:?}", question.seen.metrics);
        };
        let read: Vec<(&str, Option<f64>)> = values.iter().map(|v| (&*v.id, v.value)).collect();
        assert_eq!(read, [("a", Some(90.0)), ("b", None)]);
    }
}

#[test]
fn an_unknown_metric_is_told_which_exist() {
    for (metrics, wanted) in [
        (vec![], "unknown metric `zzzzzz`; there are none"),
        (
            vec!["cpu", "queue"],
            "unknown metric `zzzzzz`; known are cpu, queue",
        ),
        (
            vec!["zzzzzx"],
            "unknown metric `zzzzzz`; did you mean `zzzzzx`?",
        ),
    ] {
        let rules = crate::engine::testing::rules(|policy| {
            policy.metrics = metrics.iter().map(|name| metric(name, None)).collect();
        });
        let text = r#"{"now": "2026-01-05T12:00:00Z", "group": {"desired": 1},
            "metrics": {"zzzzzz": {"samples": []}}}"#;
        let error = read(text, rules.group()).expect_err(text).to_string();
        assert!(error.contains(wanted), "{error:?} lacks {wanted:?}");
    }
}

#[test]
fn what_instances_have_goes_with_values_of_instances_only() {
    let text = r#"{"now": "2026-01-05T12:00:00Z", "group": {"desired": 1},
        "metrics": {"cpu": {"samples": [], "of": {"a": 1000}}}}"#;
    let error = read(text, rules().group()).expect_err(text).to_string();
    assert!(error.contains("`metrics.cpu`"), "{error}");
}
