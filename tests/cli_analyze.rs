//! `tideform analyze`: recorded loads in, a description and a policy out.

mod common;

use common::Directory;

const MONGO: &str = include_str!("../examples/environments/traffic/mongo-app.csv");

#[test]
fn a_recorded_load_gets_a_description_and_a_policy_that_is_valid() {
    let directory = Directory::with(&[("load.csv", MONGO)]);
    let ran = directory
        .run(&[
            "analyze",
            "load.csv",
            "--timezone",
            "Europe/Berlin",
            "--throughput",
            "900",
        ])
        .exits(0);
    for part in [
        "4320 steps of 1m; hours and days in Europe/Berlin",
        "peak to mean 2.3",
        "very regular: the hour explains",
        "Advice: target tracking",
        "per_instance = 720",
    ] {
        assert!(ran.stdout.contains(part), "{part}:\n{}", ran.stdout);
    }
    assert!(ran.stdout.lines().all(|line| line.chars().count() <= 80));
    let policy = ran.stdout.split("A policy to begin with\n").nth(1);
    let group = "\nprovider \"mock\" {}\ngroup \"web\" {\n  provider = provider.mock\n  use = [policy.recommended]\n  \
                 resource \"asg\" { name = \"web\" }\n}\n";
    let file = format!("{}{group}", policy.expect("a policy"));
    Directory::with(&[("web.hcl", &file)])
        .run(&["validate"])
        .exits(0);
}

#[test]
fn the_same_numbers_come_as_json() {
    let directory = Directory::with(&[("load.csv", MONGO)]);
    let ran = directory.run(&["analyze", "load.csv", "--json"]).exits(0);
    let json: serde_json::Value = serde_json::from_str(&ran.stdout).expect("JSON");
    assert_eq!(json["format_version"], 1);
    assert_eq!(json["trace"]["steps"], 4320);
    assert_eq!(json["replay"]["kinds"].as_array().map(Vec::len), Some(5));
    let again = directory.run(&["analyze", "load.csv", "--json"]).exits(0);
    assert_eq!(ran.stdout, again.stdout);
}

#[test]
fn what_is_no_trace_is_refused_with_its_line() {
    let directory = Directory::with(&[(
        "load.csv",
        "timestamp,value\n2026-01-05T00:00:00Z,1\n2026-01-05T00:01:00Z,many\n",
    )]);
    let ran = directory.run(&["analyze", "load.csv"]).exits(1);
    assert!(
        ran.stderr.contains("line 3: `many` is no number"),
        "{}",
        ran.stderr
    );
    let ran = directory.run(&["analyze", "none.csv"]).exits(1);
    assert!(ran.stderr.contains("none.csv"), "{}", ran.stderr);
}
