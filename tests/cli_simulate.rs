//! `tideform simulate` as a user meets it.

mod common;

use common::Directory;

const GROUP: &str = r#"
provider "mock" {}
group "web" {
  provider = provider.mock
  resource "asg" { name = "web" }
  metric "cpu" {
    track { target = 60 }
  }
  metric "memory" {
    track { target = 70 }
  }
  limits {
    min = 2
    max = 20
  }
  instance {
    boot               = "90s"
    throughput         = 10
    price_usd_per_hour = 0.1
  }
  slo { utilization = 80 }
}
group "bare" {
  provider = provider.mock
  resource "asg" { name = "bare" }
  metric "cpu" {
    track { target = 60 }
  }
  limits {
    min = 2
    max = 20
  }
}
"#;

/// A day of five-minute steps: a quiet night, and a plateau with a burst.
fn trace() -> String {
    let mut text = "timestamp,value\n".to_owned();
    for n in 0..288 {
        let (hour, minute) = (n / 12, n % 12 * 5);
        let load = match n {
            0..100 => 20.0,
            150..156 => 120.0,
            _ => 60.0 + f64::from(n % 7),
        };
        text += &format!("2026-01-05T{hour:02}:{minute:02}:00Z,{load}\n");
    }
    text
}

fn directory() -> Directory {
    Directory::with(&[("web.hcl", GROUP), ("day.csv", &trace())])
}

#[test]
fn a_day_is_drawn_measured_and_compared_with_the_optimum() {
    let directory = directory();
    let ran = directory
        .run(&["simulate", "web", "--trace", "day.csv"])
        .exits(0);
    for part in [
        "group.web   2026-01-05 00:00Z to 2026-01-06 00:00Z\n  288 steps of 5m; decides every 1m; boot 1m30s, 10 per second and unit\n",
        "━",
        "\n  cost ",
        "of a fleet fixed at the peak demand of 15 (36.00 USD)",
        "% of minutes at or below 80 % utilization",
        "against the clairvoyant optimum",
        "note: bursts inside a step are invisible: the trace has a value every 5m, and",
        "note: left out of the decisions, since they do not follow from load and",
    ] {
        assert!(ran.stdout.contains(part), "no {part:?} in\n{}", ran.stdout);
    }
    for line in ran.stdout.lines() {
        assert!(line.chars().count() <= 80, "{line}");
    }
    let again = directory
        .run(&["simulate", "web", "--trace", "day.csv"])
        .exits(0);
    assert_eq!(
        ran.stdout, again.stdout,
        "the same input gives the same bytes"
    );
}

#[test]
fn the_same_seed_gives_the_same_bytes_and_another_one_another_run() {
    let directory = directory();
    let run = |seed: &str| {
        let flags = [
            "simulate", "web", "--trace", "day.csv", "--json", "--seed", seed,
        ];
        let faults = [
            "--failed-launches",
            "40",
            "--noise",
            "10",
            "--boot",
            "p50=60s,p95=240s",
        ];
        let all: Vec<&str> = flags.into_iter().chain(faults).collect();
        directory.run(&all).exits(0).stdout
    };
    assert_eq!(run("7"), run("7"));
    assert_ne!(run("7"), run("8"));
}

#[test]
fn json_says_the_same_with_a_format_version() {
    let directory = directory();
    let json = directory
        .run(&[
            "simulate",
            "web",
            "--trace",
            "day.csv",
            "--json",
            "--from",
            "2026-01-05T08:00:00Z",
        ])
        .exits(0)
        .json();
    assert_eq!(json["format_version"], 1);
    assert_eq!(json["trace"]["steps"], 192);
    assert_eq!(json["measures"]["steps"], 16 * 60);
    assert_eq!(json["world"]["boot_s"], 90.0);
    let regret = json["regret"].as_array().map_or(&[][..], Vec::as_slice);
    assert_eq!(regret.len(), 3);
    for of in regret {
        assert!(
            of["regret"].as_f64().is_some_and(|regret| regret >= 1.0),
            "{of}"
        );
    }
}

#[test]
fn counts_are_divided_by_the_step() {
    let directory = directory();
    let peak = |flags: &[&str]| {
        let arguments = ["simulate", "web", "--trace", "day.csv", "--json"];
        let all: Vec<&str> = arguments.into_iter().chain(flags.iter().copied()).collect();
        directory.run(&all).exits(0).json()["measures"]["peak_demand"].clone()
    };
    assert_eq!(peak(&[]), 15);
    // 120 in five minutes are 0.4 a second; with 0.1 a second and unit that takes 5.
    assert_eq!(peak(&["--per", "step", "--throughput", "0.1"]), 5);
}

#[test]
fn what_cannot_be_replayed_is_said_with_its_line() {
    let directory = directory();
    directory.write(
        "gap.csv",
        "timestamp,value\n2026-01-05T00:00:00Z,1\n2026-01-05T00:01:00Z,1\n2026-01-05T00:04:00Z,1\n",
    );
    for (arguments, part) in [
        (
            &["web", "--trace", "gap.csv"][..],
            "line 4: 2 steps are missing before 2026-01-05T00:04:00Z",
        ),
        (
            &["web", "--trace", "web.hcl"],
            "line 1: the first line must be `timestamp,value`",
        ),
        (&["web", "--trace", "none.csv"], "none.csv"),
        (&["bare", "--trace", "day.csv"], "instance { throughput }"),
        (&["wbe", "--trace", "day.csv"], "web"),
        (&["web", "--trace", "day.csv", "--noise", "200"], "--noise"),
        (
            &[
                "web",
                "--trace",
                "day.csv",
                "--from",
                "2027-01-05T08:00:00Z",
            ],
            "no step of the trace begins in that time",
        ),
        (
            &["web", "--trace", "day.csv", "--boot", "3m..1m"],
            "must not be longer than the second",
        ),
    ] {
        let all: Vec<&str> = std::iter::once("simulate")
            .chain(arguments.iter().copied())
            .collect();
        let ran = directory.run(&all).exits(1);
        assert!(
            ran.stderr.contains(part),
            "{all:?}: no {part:?} in\n{}",
            ran.stderr
        );
        assert_eq!(ran.stdout, "");
    }
    let filled = directory
        .run(&[
            "simulate", "web", "--trace", "gap.csv", "--gaps", "hold", "--json",
        ])
        .exits(0)
        .json();
    assert_eq!(filled["trace"]["filled"], 2);
}

const RECORDED: &str = r#"
provider "mock" {
  clock = "stepped"
  start = "2026-01-05T06:00:00Z"
  load "web" { formula = "300 + t / 20" }
}
group "web" {
  provider = provider.mock
  resource "asg" { name = "web" }
  launch {
    boot       = "60s"
    throughput = 100
  }
  metric "cpu" {
    track { target = 60 }
  }
  limits {
    min = 4
    max = 20
  }
}
"#;

#[test]
fn without_a_file_what_the_state_has_recorded_is_replayed() {
    let directory = Directory::with(&[("web.hcl", RECORDED)]);
    let ran = directory.run(&["simulate", "web"]).exits(1);
    assert!(!ran.stderr.contains("bug"), "{}", ran.stderr);
    directory.run(&["apply", "--auto-approve"]).exits(0);
    let none = directory.run(&["simulate", "web"]).exits(1);
    assert!(none.stderr.contains("No recorded load"), "{}", none.stderr);
    directory
        .run(&["reconcile", "--interval", "1m", "--ticks", "76"])
        .exits(0);
    let json = directory
        .run(&["simulate", "web", "--json"])
        .exits(0)
        .json();
    let steps = json["trace"]["steps"].as_u64().unwrap_or(0);
    assert!((70..=76).contains(&steps), "{json}");
    // 300 a second and more, on units of 100; some more where capacity was there and did not serve yet.
    let load = json["measures"]["load_total"].as_f64().unwrap_or(0.0) / (60.0 * steps as f64);
    assert!((300.0..520.0).contains(&load), "{load}");
}

#[test]
fn what_the_loop_has_not_seen_is_read_from_the_provider_and_said() {
    let directory = Directory::with(&[("web.hcl", RECORDED)]);
    directory.run(&["apply", "--auto-approve"]).exits(0);
    directory.run(&["mock", "advance", "3h"]).exits(0);
    let ran = directory.run(&["simulate", "web"]).exits(0);
    let said = ran.stdout.split_whitespace().collect::<Vec<_>>().join(" ");
    assert!(
        said.contains("the load is `cpu` x capacity from the mock cloud (1m), as it was recorded"),
        "{said}"
    );
    let none = directory
        .run(&["simulate", "web", "--history", "state"])
        .exits(1);
    assert!(none.stderr.contains("No recorded load"), "{}", none.stderr);
    directory
        .run(&["simulate", "web", "--history", "state", "--trace", "x.csv"])
        .exits(1);
}

#[test]
fn others_are_compared_in_one_table_with_the_policy_and_the_optimum() {
    let directory = directory();
    let compared = |names: &str, more: &[&str]| {
        let flags = ["simulate", "web", "--trace", "day.csv", "--compare", names];
        let all: Vec<&str> = flags.into_iter().chain(more.iter().copied()).collect();
        directory.run(&all).exits(0).stdout
    };
    let text = compared("hpa,fixed,hpa", &[]);
    let (_, table) = text
        .split_once("compared, all in steps of 5s")
        .expect("a table");
    let firsts: Vec<&str> = table
        .lines()
        .filter_map(|line| line.split_whitespace().next())
        .collect();
    let expected = [
        "cost,", "USD", "policy", "hpa", "fixed", "optimum", "regret", "policy", "hpa", "fixed",
        "hpa:", "fixed:",
    ];
    assert_eq!(firsts[firsts.len() - expected.len()..], expected, "{text}");
    assert!(text.contains("\n  hpa: cpu at 60; every 15s, "), "{text}");
    assert!(
        text.contains("\n  fixed: 15 instances at all times\n"),
        "{text}"
    );
    for line in compared("all", &[]).lines() {
        assert!(line.chars().count() <= 80, "{line}");
    }
    let json = compared("all", &["--json"]);
    let json: serde_json::Value = serde_json::from_str(&json).expect("JSON");
    let rows = json["comparison"]["rows"].as_array().expect("rows");
    assert_eq!(rows.len(), 11);
    assert_eq!(rows[0]["name"], "policy");
    assert!(
        rows[1]["regret"][2]["regret"]
            .as_f64()
            .is_some_and(|regret| regret >= 1.0)
    );
    assert_eq!(json["measures"]["peak_demand"], 15);
}

#[test]
fn a_fixed_fleet_is_one_figure_and_has_the_groups_mix() {
    let mixed = GROUP.replacen(
        "  slo { utilization = 80 }",
        "  mix {\n    on_demand_base = 3\n    spot           = \"100%\"\n    types          = [\"m5.large\"]\n  }\n  slo { utilization = 80 }",
        1,
    );
    let mixed = mixed.replacen(
        "price_usd_per_hour = 0.1",
        "price_usd_per_hour = 0.1\n    spot_price_usd_per_hour = 0.05",
        1,
    );
    let directory = Directory::with(&[("web.hcl", &mixed), ("day.csv", &trace())]);
    let ran = directory
        .run(&[
            "simulate",
            "web",
            "--trace",
            "day.csv",
            "--compare",
            "fixed",
        ])
        .exits(0);
    // Fifteen units, three of them on demand: 24 h x (3 x 0.1 + 12 x 0.05).
    for part in [
        "fixed at the peak demand of 15 (21.60 USD)",
        "both with the group's mix; that fleet all on demand: 36.00 USD",
        "21.60",
    ] {
        assert!(ran.stdout.contains(part), "no {part:?} in\n{}", ran.stdout);
    }
    let table = ran
        .stdout
        .lines()
        .find(|line| line.trim_start().starts_with("fixed"));
    assert!(table.is_some_and(|line| line.contains("21.6")), "{table:?}");
}

#[test]
fn pins_surges_and_broken_instances_are_played_and_never_ignored() {
    let surge = "  surge \"sale\" {\n    min      = 12\n    lead     = \"30m\"\n    duration = \"1h\"\n  }\n";
    for controller in ["", "  controller = \"native\"\n"] {
        let files = GROUP.replacen("  limits {", &format!("{controller}{surge}  limits {{"), 1);
        let directory = Directory::with(&[("web.hcl", &files), ("day.csv", &trace())]);
        let run = |flags: &[&str]| {
            let all = ["simulate", "web", "--trace", "day.csv", "--json"];
            let all: Vec<&str> = all.iter().chain(flags).copied().collect();
            directory.run(&all)
        };
        let figure = |flags: &[&str], name: &str| {
            let json = run(flags).exits(0).json();
            json["measures"][name].as_f64().unwrap_or(f64::NAN)
        };
        let hours = |flags: &[&str]| figure(flags, "on_demand_hours");
        let plain = hours(&[]);
        // At night the load takes some three; for an hour and a half there are nine more.
        let surged = hours(&["--surge", "sale@2026-01-05T03:00:00Z"]) - plain;
        assert!((10.0..20.0).contains(&surged), "{controller}: {surged}");
        let pinned = hours(&["--pin", "20@2026-01-05T02:00:00Z..2026-01-05T04:00:00Z"]) - plain;
        assert!((25.0..45.0).contains(&pinned), "{controller}: {pinned}");
        let broken = ["--breakdowns", "0.5", "--health-check", "10m"];
        assert!(figure(&broken, "breakdowns") > 10.0);
        assert!(figure(&broken, "short_minutes") > figure(&[], "short_minutes"));
        for (flags, part) in [
            (
                ["--surge", "sales@2026-01-05T03:00:00Z"],
                "did you mean `sale`?",
            ),
            (
                ["--surge", "sale@2027-01-05T03:00:00Z"],
                "and the load is of",
            ),
            (["--pin", "20@2026-01-05T02:00:00Z"], "write it as"),
        ] {
            let ran = run(&flags).exits(1);
            assert!(ran.stderr.contains(part), "{flags:?}: {}", ran.stderr);
        }
    }
}

#[test]
fn a_pin_beyond_the_limits_says_where_it_runs() {
    let pin = "50@2026-01-05T02:00:00Z..2026-01-05T04:00:00Z";
    let ran = directory().run(&[
        "simulate", "web", "--trace", "day.csv", "--json", "--pin", pin,
    ]);
    let notes = ran.exits(0).json()["notes"].to_string();
    let said = "the pin at 50 holds from 2026-01-05T02:00:00Z to 2026-01-05T04:00:00Z, at 20: the limits are 2 to 20";
    assert!(notes.contains(said), "{notes}");
}

/// Jobs per second: nothing, half an hour that three workers carry, and nothing.
fn rush() -> String {
    let mut text = "timestamp,value\n".to_owned();
    for n in 0..360 {
        let load = if (30..60).contains(&n) { 1.2 } else { 0.0 };
        text += &format!("2018-03-15T{:02}:{:02}:00Z,{load}\n", n / 60, n % 60);
    }
    text
}

#[test]
fn the_queue_worker_is_a_queue_and_its_steps_act() {
    let directory = Directory::example("queue-worker");
    directory.write("rush.csv", &rush());
    let run = || {
        let flags = ["simulate", "worker", "--trace", "rush.csv", "--json"];
        directory.run(&flags).exits(0).json()
    };
    let named = run();
    let notes = named["notes"].to_string();
    assert!(notes.contains("waits in a queue"), "{notes}");
    assert!(!notes.contains("is no load"), "{notes}");
    let (waited, capacity) = ("peak_backlog", "peak_capacity");
    assert!(named["measures"][waited].as_f64() > Some(60.0), "{named}");
    assert_eq!(named["measures"][capacity], 4, "the step adds to the three");
    // What is named as the load though it waits is the queue's all the same.
    let files = directory.read("worker.hcl");
    for backlog in ["queue_depth", "ApproximateNumberOfMessagesVisible"] {
        let files = files.replace(
            "\"requests\"\n    price",
            &format!("\"{backlog}\"\n    price"),
        );
        directory.write("worker.hcl", &files.replace("queue_depth", backlog));
        let wrong = run();
        assert_eq!(wrong["measures"], named["measures"], "{backlog}");
        let notes = wrong["notes"].to_string();
        let said = format!("`{backlog}` is what waits, and not what arrives");
        assert!(notes.contains(&said), "{notes}");
    }
}

#[test]
fn a_report_is_written_over_earlier_pages_alone() {
    let directory = directory();
    directory.write("shop.tf", "resource {}\n");
    directory.write("empty.html", "");
    directory.write("day", &trace());
    for (trace, report, part) in [
        ("day.csv", "day.csv", "would be written over the trace"),
        ("day", "./day", "would be written over the trace"),
        ("day.csv", "web.hcl", "(`.hcl`)"),
        ("day.csv", "new.HCL", "(`.hcl`)"),
        ("day.csv", "other.csv", "(`.csv`)"),
        ("day.csv", "state.db", "(`.db`)"),
        ("day.csv", "shop.tf", "a file that is no page"),
    ] {
        let before = std::fs::read(directory.file(report)).ok();
        let ran = directory.run(&["simulate", "web", "--trace", trace, "--report", report]);
        let ran = ran.exits(1);
        assert!(ran.stderr.contains(part), "{report}: {}", ran.stderr);
        assert_eq!(ran.stdout, "", "{report}");
        assert_eq!(
            std::fs::read(directory.file(report)).ok(),
            before,
            "{report}"
        );
    }
    for report in ["empty.html", "new.html", "new.html"] {
        let flags = ["simulate", "web", "--trace", "day.csv", "--report", report];
        directory.run(&flags).exits(0);
        assert!(directory.read(report).starts_with("<!doctype html>"));
    }
}

#[test]
fn a_scaler_that_nobody_knows_is_refused_with_those_that_are_known() {
    let ran = directory()
        .run(&["simulate", "web", "--trace", "day.csv", "--compare", "hpb"])
        .exits(1);
    assert!(ran.stderr.contains("did you mean `hpa`?"), "{}", ran.stderr);
    assert!(ran.stderr.contains("aws-target-tracking"), "{}", ran.stderr);
}

#[test]
fn of_a_native_group_the_clouds_own_policies_are_simulated() {
    let native = GROUP.replacen(
        "provider = provider.mock",
        "provider = provider.mock\n  controller = \"native\"",
        1,
    );
    let directory = Directory::with(&[("web.hcl", &native), ("day.csv", &trace())]);
    let flags = ["simulate", "web", "--trace", "day.csv", "--json"];
    let compare = ["--compare", "aws-target-tracking"];
    let all: Vec<&str> = flags.into_iter().chain(compare).collect();
    let json = directory.run(&all).exits(0).stdout;
    let json: serde_json::Value = serde_json::from_str(&json).expect("JSON");
    let rows = json["comparison"]["rows"].as_array().expect("rows");
    assert_eq!(rows[0]["measures"], rows[1]["measures"]);
    assert!(
        json["notes"]
            .to_string()
            .contains("the cloud's own policies")
    );
}
