//! `explain`, and the nearest answers in `decide` and `plan`, through the built binary.

mod common;

use common::Directory;
use serde_json::{Value, json};

fn applied() -> Directory {
    let directory = Directory::example("web-shop");
    directory.run(&["apply", "--auto-approve"]).exits(0);
    directory
}

fn ticks(directory: &Directory, count: &str) {
    directory
        .run(&["reconcile", "--interval", "1m", "--ticks", count])
        .exits(0);
}

fn decided(directory: &Directory, cpu: f64) -> Value {
    let observation = json!({
        "now": "2017-12-19T00:00:00Z",
        "group": { "desired": 6 },
        "metrics": {
            "cpu": { "samples": [{ "at": "2017-12-19T00:00:00Z", "value": cpu }] },
            "requests_per_instance": { "samples": [{ "at": "2017-12-19T00:00:00Z", "value": 3.0 }] },
        },
    });
    directory
        .run_with_input(
            &["decide", "web", "--observe", "-", "--json"],
            &observation.to_string(),
        )
        .exits(0)
        .json()
}

#[test]
fn the_values_that_decide_names_give_the_answers_that_it_names() {
    let directory = Directory::example("web-shop");
    let decision = decided(&directory, 82.0);
    let values = decision["nearest"]["values"].as_array().unwrap();
    let of_cpu: Vec<&Value> = values.iter().filter(|v| v["metric"] == "cpu").collect();
    assert_eq!(of_cpu.len(), 2, "{values:#?}");
    for value in of_cpu {
        let other = decided(&directory, value["value"].as_f64().unwrap());
        assert_eq!(other["desired"], value["desired"]);
        assert_ne!(other["desired"], decision["desired"]);
    }
}

#[test]
fn a_recorded_decision_says_what_would_change_it_and_what_became_of_it() {
    let directory = applied();
    ticks(&directory, "4");
    let ran = directory
        .run(&["explain", "web", "--at", "2017-12-18T08:03:00Z"])
        .exits(0);
    let lines: Vec<&str> = ran.stdout.lines().collect();
    assert_eq!(lines[0], "Decided at 2017-12-18 08:03:00Z:");
    assert!(
        lines[1].starts_with("group.web   3 -> 6   scale out by 3   +0.")
            && lines[1].ends_with(" USD/h"),
        "{}",
        ran.stdout
    );
    for part in [
        "  for another answer:",
        "binds: without it scale out to",
        "  what came of it:",
        "3 -> 6   carried out at 08:03Z",
    ] {
        assert!(ran.stdout.contains(part), "no `{part}` in\n{}", ran.stdout);
    }
    let explained = directory
        .run(&["explain", "web", "--at", "2017-12-18T08:03:00Z", "--json"])
        .exits(0)
        .json();
    assert_eq!(explained["intents"][0]["outcome"]["outcome"], "done");
    assert!(explained["cost_usd_per_hour"].as_f64().unwrap() > 0.0);
    assert!(explained["decision"]["nearest"]["levers"].is_array());
}

#[test]
fn a_time_between_two_decisions_is_answered_by_the_one_in_force() {
    let directory = applied();
    ticks(&directory, "30");
    let explained = |at: &str| directory.run(&["explain", "web", "--at", at]);
    let all = directory
        .run(&["explain", "web", "--at", "2017-12-18T08:03:30Z"])
        .exits(0)
        .stdout;
    assert!(
        all.starts_with("Decided at 2017-12-18 08:03:00Z, and in force at 2017-12-18 08:03:30Z:\n"),
        "{all}"
    );
    assert!(
        all.contains("the values are those of 2017-12-18 08:03:00Z"),
        "{all}"
    );
    assert!(
        all.contains("The next decision that differs was made at 2017-12-18 08:05:00Z"),
        "{all}"
    );
    let ran = explained("2017-12-17T00:00:00Z").exits(1);
    assert!(
        ran.stderr
            .contains("the first decision is of 2017-12-18 08:0"),
        "{}",
        ran.stderr
    );
    assert!(
        ran.stderr
            .contains("tideform explain web --at 2017-12-18T08:0"),
        "{}",
        ran.stderr
    );
    let ran = explained("2030-01-01T00:00:00Z").exits(1);
    assert!(ran.stderr.contains("has not come yet"), "{}", ran.stderr);
}

#[test]
fn pins_pauses_and_dry_runs_say_so() {
    let directory = applied();
    directory
        .run(&["scale", "web", "12", "--for", "2h", "--reason", "load test"])
        .exits(0);
    ticks(&directory, "1");
    let pinned = directory.run(&["explain", "web"]).exits(0).stdout;
    assert!(pinned.contains("the pin holds 12 until"), "{pinned}");
    assert!(pinned.contains("by tester (load test)"), "{pinned}");
    assert!(pinned.contains("3 -> 12   carried out at"), "{pinned}");
    assert!(!pinned.contains("change "), "{pinned}");

    directory.run(&["pause", "web", "--for", "30m"]).exits(0);
    ticks(&directory, "2");
    let paused = directory.run(&["explain", "web"]).exits(0).stdout;
    assert!(paused.contains("no value changes this until"), "{paused}");
    assert!(!paused.contains("carried out"), "{paused}");

    let directory = applied();
    directory
        .run(&["reconcile", "--interval", "1m", "--ticks", "6", "--dry-run"])
        .exits(0);
    let dry = directory.run(&["explain", "web"]).exits(0).stdout;
    assert!(dry.contains("dry run: nothing was changed"), "{dry}");
    assert!(!dry.contains("carried out"), "{dry}");
    assert!(!dry.contains("A dry run was made since"), "{dry}");
}

#[test]
fn the_last_decision_that_was_carried_out_is_explained_and_a_dry_run_since_is_named() {
    let directory = applied();
    let none = directory
        .run(&["explain", "web", "--dry-run"])
        .exits(1)
        .stderr;
    assert!(none.contains("by a dry run"), "{none}");
    ticks(&directory, "4");
    directory
        .run(&["reconcile", "--interval", "1m", "--ticks", "2", "--dry-run"])
        .exits(0);
    let real = directory.run(&["explain", "web"]).exits(0).stdout;
    assert!(!real.contains("dry run: nothing was changed"), "{real}");
    assert!(real.contains("A dry run was made since, at "), "{real}");
    assert!(
        real.contains("`tideform explain web --dry-run` explains it"),
        "{real}"
    );
    let dry = directory
        .run(&["explain", "web", "--dry-run"])
        .exits(0)
        .stdout;
    assert!(dry.contains("dry run: nothing was changed"), "{dry}");
    let json = directory.run(&["explain", "web", "--json"]).exits(0).json();
    assert_eq!(json["dry_run"], false);
    assert!(json["dry_run_since"].is_string(), "{json}");
}

#[test]
fn a_call_that_fails_and_a_change_by_somebody_else_are_told() {
    let directory = applied();
    directory
        .run(&["mock", "fault", "denied", "--call", "set_desired"])
        .exits(0);
    directory
        .run(&["scale", "web", "12", "--for", "2h", "--reason", "x"])
        .exits(0);
    directory.run(&["reconcile", "--once"]);
    let failed = directory.run(&["explain", "web"]).exits(0).stdout;
    assert!(failed.contains("3 -> 12   failed at 08:0"), "{failed}");
}

#[test]
fn the_plan_tells_the_reasons_that_matter_and_what_would_differ() {
    let directory = applied();
    ticks(&directory, "90");
    let text = directory
        .read("shop.hcl")
        .replace("target = 60", "target = 50");
    directory.write("shop.hcl", &text);
    let plan = directory.run(&["plan", "--json"]).exits(0).json();
    let decision = &plan["decisions"][0];
    assert!(decision["nearest"]["values"].is_array(), "{decision:#}");
    let reasons = decision["reasons"].as_array().unwrap();
    assert!(reasons.iter().any(|reason| reason["is_decisive"] == true));
    assert!(reasons.iter().any(|reason| reason["is_decisive"] == false));
    let told = directory.run(&["plan"]).exits(0).stdout;
    assert!(told.contains("      for another answer:\n"), "{told}");
    assert!(!told.contains("not reached"), "{told}");
    let markdown = directory.run(&["plan", "--markdown"]).exits(0).stdout;
    assert!(markdown.contains("**For another answer**"), "{markdown}");
}
