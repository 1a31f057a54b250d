//! The backtest in `plan` and its gates, through the built binary on the mock cloud.

mod common;

use common::Directory;

/// The web shop after so many minutes of the loop.
fn shop(minutes: &str) -> Directory {
    let directory = Directory::example("web-shop");
    directory.run(&["apply", "--auto-approve"]).exits(0);
    if minutes != "0" {
        directory
            .run(&["reconcile", "--interval", "1m", "--ticks", minutes])
            .exits(0);
    }
    directory
}

fn edit(directory: &Directory, from: &str, to: &str) {
    let text = directory.read("shop.hcl");
    assert!(text.contains(from), "{from}");
    directory.write("shop.hcl", &text.replacen(from, to, 1));
}

#[test]
fn a_plan_shows_now_planned_and_the_optimum_on_the_recorded_load() {
    let directory = shop("120");
    edit(&directory, "min = 3", "min = 20");
    let ran = directory.run(&["plan"]).exits(0);
    let lines: Vec<&str> = ran.stdout.lines().collect();
    let place = lines
        .iter()
        .position(|line| line.starts_with("    backtest: "))
        .unwrap_or_else(|| panic!("{}", ran.stdout));
    assert!(
        lines[place].contains("of `requests`, 2017-12-18 08:"),
        "{}",
        lines[place]
    );
    for (line, start) in lines[place + 1..]
        .iter()
        .zip(["       ", "now", "planned", "optimum"])
    {
        assert!(
            line.strip_prefix("      ")
                .is_some_and(|line| line.starts_with(start)),
            "{line}"
        );
        assert!(line.chars().count() <= 80, "{line}");
    }
    // More instances cost more and are short less.
    let json = directory.run(&["plan", "--json"]).exits(0);
    let backtest = json.json()["backtest"][0].clone();
    assert_eq!(backtest["group"], "group.web");
    let of = |whose: &str, what: &str| backtest[whose][what].as_f64().unwrap();
    assert!(
        of("planned", "instance_hours") > of("now", "instance_hours"),
        "{backtest:#}"
    );
    assert!(of("planned", "cost_usd_per_month") > of("now", "cost_usd_per_month"));
    assert!(of("planned", "short_minutes") <= of("now", "short_minutes"));
    assert!(backtest["now"]["regret"][1].as_f64().unwrap() >= 1.0);
    assert_eq!(backtest["optimum"].as_array().unwrap().len(), 3);
    let markdown = directory.run(&["plan", "--markdown"]).exits(0).stdout;
    assert!(markdown.contains("#### On the recorded load"), "{markdown}");
    assert!(
        markdown.contains("| `group.web` | planned | "),
        "{markdown}"
    );
    assert_eq!(
        json.stdout,
        directory.run(&["plan", "--json"]).exits(0).stdout
    );
}

#[test]
fn gates_stop_a_plan_with_exit_code_3_and_nothing_is_saved() {
    let directory = shop("120");
    edit(&directory, "min = 3", "min = 20");
    let ran = directory
        .run(&[
            "plan",
            "--fail-if",
            "cost > +10%",
            "--fail-if",
            "slo < 1",
            "--out",
            "shop.plan",
        ])
        .exits(3);
    assert!(
        ran.stdout.contains("`cost > +10%` holds for group.web: "),
        "{}",
        ran.stdout
    );
    assert!(!ran.stdout.contains("`slo < 1`"), "{}", ran.stdout);
    assert!(
        ran.stderr.contains("stopped by 1 gate of --fail-if"),
        "{}",
        ran.stderr
    );
    assert!(!directory.file("shop.plan").exists());
    let json = directory
        .run(&["plan", "--fail-if", "cost > +10%", "--json"])
        .exits(3)
        .json();
    assert_eq!(json["gates"][0]["outcome"], "stopped");
    let markdown = directory
        .run(&["plan", "--fail-if", "cost > +10%", "--markdown"])
        .exits(3);
    assert!(
        markdown.stdout.contains("> **Stopped:** "),
        "{}",
        markdown.stdout
    );
    directory
        .run(&["plan", "--fail-if", "cost > +10000%", "--out", "shop.plan"])
        .exits(0);
    let shown = directory.run(&["show", "shop.plan"]).exits(0);
    assert!(shown.stdout.contains("    backtest: "), "{}", shown.stdout);
    directory.run(&["apply", "shop.plan"]).exits(0);
    // Nothing changes: nothing to judge.
    directory.run(&["plan", "--fail-if", "slo < 100"]).exits(0);
}

#[test]
fn a_gate_that_nobody_can_judge_fails_and_says_what_to_add() {
    let directory = shop("0");
    edit(&directory, "target = 60", "target = 50");
    let ran = directory.run(&["plan"]).exits(0);
    assert!(
        ran.stdout.contains(
            "    no backtest: nothing is recorded of this group yet; the mock cloud has nothing of"
        ),
        "{}",
        ran.stdout
    );
    let ran = directory.run(&["plan", "--fail-if", "slo < 99"]).exits(3);
    assert!(
        ran.stdout
            .contains("`slo < 99` cannot be judged for group.web"),
        "{}",
        ran.stdout
    );
    // The plan itself says what the capacity of now costs.
    directory
        .run(&["plan", "--fail-if", "cost > +10%"])
        .exits(0);
}

#[test]
fn wrong_gates_and_traces_are_refused() {
    let directory = shop("0");
    edit(&directory, "target = 60", "target = 50");
    for (arguments, part) in [
        (["--fail-if", "price > 5"], "`cost`, `hours`, `slo`"),
        (["--fail-if", "cost ! 5"], "`>`, `>=`, `<`, `<=`"),
        (["--trace", "wob=load.csv"], "wob"),
        (["--trace", "missing.csv"], "missing.csv"),
    ] {
        let ran = directory
            .run(&["plan", arguments[0], arguments[1]])
            .exits(1);
        assert!(ran.stderr.contains(part), "{}", ran.stderr);
    }
}

#[test]
fn a_trace_stands_in_for_what_was_not_recorded() {
    let directory = shop("0");
    edit(&directory, "target = 60", "target = 30");
    let mut csv = "timestamp,value\n".to_owned();
    for minute in 0..180 {
        let load = 20 + (minute * 7) % 60;
        csv.push_str(&format!(
            "2026-01-05T{:02}:{:02}:00Z,{load}\n",
            minute / 60,
            minute % 60
        ));
    }
    directory.write("load.csv", &csv);
    for trace in ["load.csv", "web=load.csv"] {
        let ran = directory.run(&["plan", "--trace", trace]).exits(0);
        assert!(
            ran.stdout
                .contains("    backtest: 3h of load.csv, 2026-01-05 00:00Z"),
            "{}",
            ran.stdout
        );
    }
}

/// A group that only looks at its cpu, under 250 a second, which take three instances.
const CPU: &str = r#"
provider "mock" {
  clock = "stepped"
  start = "2026-01-05T12:00:00Z"
  load "web" { formula = "250" }
}

group "web" {
  provider = provider.mock
  resource "asg" { name = "web" }
  launch {
    boot       = "90s"
    throughput = 100
  }
  warmup = "5m"
  metric "cpu" {
    track { target = 60 }
  }
  limits {
    min = 3
    max = 10
  }
}
"#;

#[test]
fn utilization_and_what_served_tell_the_load_also_while_capacity_changes() {
    let directory = Directory::with(&[("web.hcl", CPU)]);
    directory.run(&["apply", "--auto-approve"]).exits(0);
    directory
        .run(&["reconcile", "--interval", "1m", "--ticks", "90"])
        .exits(0);
    directory.write("web.hcl", &CPU.replace("target = 60", "target = 45"));
    let backtest = directory.run(&["plan", "--json"]).exits(0).json()["backtest"][0].clone();
    assert_eq!(backtest["load"]["source"], "`cpu`", "{backtest:#}");
    let hours = backtest["load"]["steps"].as_f64().unwrap() / 60.0;
    let optimum = backtest["optimum"][1]["instance_hours"].as_f64().unwrap();
    // A step that was read as much as a fifth too high or too low would take another number of instances.
    assert!((optimum - 3.0 * hours).abs() < 1e-5, "{backtest:#}");
    assert_eq!(backtest["load"]["lower_bounds"], 0);
}

/// The same group, with the world's load over six hours and no loop: only the mock cloud knows what there was.
fn unwatched() -> Directory {
    let directory = Directory::with(&[("web.hcl", CPU)]);
    directory.run(&["apply", "--auto-approve"]).exits(0);
    directory.run(&["mock", "advance", "6h"]).exits(0);
    directory.write("web.hcl", &CPU.replace("target = 60", "target = 45"));
    directory
}

#[test]
fn what_the_loop_has_not_recorded_its_provider_has() {
    let directory = unwatched();
    let json = directory.run(&["plan", "--json"]).exits(0).json();
    let backtest = json["backtest"][0].clone();
    assert_eq!(
        backtest["load"]["source"], "`cpu` x capacity from the mock cloud (1m)",
        "{backtest:#}"
    );
    let hours = backtest["load"]["steps"].as_f64().unwrap() / 60.0;
    assert!((5.8..6.1).contains(&hours), "{hours}");
    // 250 a second: three instances, all the time.
    let optimum = backtest["optimum"][1]["instance_hours"].as_f64().unwrap();
    assert!((optimum - 3.0 * hours).abs() < 1e-5, "{backtest:#}");
    // Another fault than a missing record: it is said, and no gate passes by it.
    let state = directory.run(&["plan", "--history", "state"]).exits(0);
    assert!(
        state
            .stdout
            .contains("no backtest: nothing is recorded of this group yet; give its load"),
        "{}",
        state.stdout
    );
}

#[test]
fn a_provider_that_cannot_be_read_is_a_note_and_stops_a_gate() {
    let directory = unwatched();
    let fault = [
        "mock",
        "fault",
        "denied",
        "--call",
        "read_metrics",
        "--times",
        "100",
    ];
    directory.run(&fault).exits(0);
    let ran = directory.run(&["plan"]).exits(0);
    let said = ran.stdout.split_whitespace().collect::<Vec<_>>().join(" ");
    assert!(
        said.contains("it could not be read from the mock cloud: `read_metrics` is not allowed"),
        "{said}"
    );
    let ran = directory.run(&["plan", "--fail-if", "slo < 50"]).exits(3);
    assert!(
        ran.stdout
            .contains("`slo < 50` cannot be judged for group.web"),
        "{}",
        ran.stdout
    );
}

#[test]
fn apply_shows_the_same_backtest_and_is_stopped_by_the_same_gates() {
    let directory = unwatched();
    let table = |text: &str| -> Vec<String> {
        let lines = text
            .lines()
            .skip_while(|line| !line.starts_with("    backtest: "));
        lines.take(5).map(str::to_owned).collect()
    };
    let planned = table(&directory.run(&["plan"]).exits(0).stdout);
    assert_eq!(planned.len(), 5);
    // Nobody answers: the plan was shown, and nothing is changed.
    let asked = directory.run(&["apply"]).exits(1);
    assert_eq!(table(&asked.stdout), planned);
    let stopped = directory
        .run(&["apply", "--auto-approve", "--fail-if", "hours > +1%"])
        .exits(3);
    assert_eq!(table(&stopped.stdout), planned);
    assert!(
        stopped.stderr.contains("Nothing was changed"),
        "{}",
        stopped.stderr
    );
    directory.run(&["plan", "--detailed-exitcode"]).exits(2);
    let json = directory
        .run(&[
            "apply",
            "--auto-approve",
            "--json",
            "--fail-if",
            "hours > +1%",
        ])
        .exits(3)
        .json();
    assert_eq!(json["complete"], false);
    assert_eq!(json["plan"]["gates"][0]["outcome"], "stopped");
    // Nobody reads it and no gate looks at it: no backtest.
    let done = directory.run(&["apply", "--auto-approve"]).exits(0);
    assert!(!done.stdout.contains("backtest"), "{}", done.stdout);
    directory.run(&["plan", "--detailed-exitcode"]).exits(0);
}
