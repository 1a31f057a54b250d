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

/// The recommended limits of a load at each minute of some days.
fn limits(hours: u32, load: impl Fn(f64) -> f64, flags: &[&str]) -> (u32, u32, String) {
    let start: jiff::Timestamp = "2026-01-05T00:00:00Z".parse().expect("a time");
    let rows: String = (0..i64::from(hours) * 60)
        .map(|minute| {
            let at = start + jiff::SignedDuration::from_mins(minute);
            format!("{at},{}\n", load(minute as f64 / 1440.0))
        })
        .collect();
    let directory = Directory::with(&[("load.csv", &format!("timestamp,value\n{rows}"))]);
    let ran = directory
        .run(&[&["analyze", "load.csv"], flags].concat())
        .exits(0);
    let of = |name: &str| {
        let line = ran
            .stdout
            .lines()
            .find_map(|line| line.trim().strip_prefix(name)?.strip_prefix(" = "));
        line.and_then(|number| number.parse().ok()).expect("limits")
    };
    (of("min"), of("max"), ran.stdout.clone())
}

#[test]
fn a_short_trace_gets_its_limits_by_the_same_rule_as_a_long_one() {
    let wave = |day: f64| 500.0 - 400.0 * (day * std::f64::consts::TAU).cos();
    let assumed = "assume that the peak needs about 20";
    // 80 % of 10 is 8 an instance: ceil(105 / 8) of the base, ceil(900 / 8) = 113 of the peak, and half again.
    for hours in [48, 96] {
        let (min, max, text) = limits(hours, wave, &["--throughput", "10"]);
        assert_eq!((min, max), (14, 170), "{hours} h:\n{text}");
        assert!(!text.contains(assumed), "{hours} h:\n{text}");
        // The 99.9th percentile is 20 instances, the peak a little more.
        let (min, max, text) = limits(hours, wave, &[]);
        assert_eq!((min, max), (3, 32), "{hours} h:\n{text}");
        assert!(text.contains(assumed), "{hours} h:\n{text}");
    }
    for hours in [24, 120] {
        let (min, max, text) = limits(hours, |_| 5.0, &["--throughput", "1"]);
        assert_eq!((min, max), (7, 7), "{hours} h:\n{text}");
    }
}
