//! `tideform tune` as a user meets it.

mod common;

use common::Directory;

const FILE: &str = r#"provider "mock" {}

group "web" {
  provider = provider.mock
  resource "asg" { name = "web" }
  metric "cpu" {
    # far too careful
    track { target = 30 } # ask the shop team
  }
  scale_in {
    cooldown = "30m"
  }
  limits {
    min = 2
    max = 40
  }
  instance {
    boot               = "90s"
    throughput         = 10
    price_usd_per_hour = 0.1
  }
  slo { utilization = 85 }
}
"#;

/// Six hours of minutes: the first four of one load, the last two of another.
fn trace(first: impl Fn(u32) -> f64, last: impl Fn(u32) -> f64) -> String {
    let mut text = "timestamp,value\n".to_owned();
    for n in 0..360_u32 {
        let load = if n < 240 { first(n) } else { last(n) };
        text += &format!("2026-01-05T{:02}:{:02}:00Z,{load:.3}\n", n / 60, n % 60);
    }
    text
}

fn wave(n: u32) -> f64 {
    100.0 + 60.0 * (f64::from(n) / 60.0 * std::f64::consts::PI).sin()
}

fn directory() -> Directory {
    Directory::with(&[("web.hcl", FILE), ("load.csv", &trace(wave, wave))])
}

const TUNE: [&str; 6] = ["tune", "web", "--trace", "load.csv", "--budget", "60"];

fn tune<'a>(more: &[&'a str]) -> Vec<&'a str> {
    TUNE.iter().chain(more).copied().collect()
}

#[test]
fn a_better_policy_is_proposed_as_a_diff_and_written_where_that_is_asked_for() {
    let directory = directory();
    let ran = directory.run(&TUNE).exits(0);
    for part in [
        "group.web   60 candidates, seed 0\n  searched  2026-01-05 00:00Z to 2026-01-05 04:00Z\n",
        "  held out  2026-01-05 04:00Z to 2026-01-05 06:00Z\n",
        "  metric.cpu.track.target  ",
        "cost + 10 x missing, USD",
        "cost against shortage",
        "In the time that the search has not seen: cost -",
        "(group.web, web.hcl:8:22)",
        "--- web.hcl\n+++ web.hcl\n@@ ",
        "\n-    track { target = 30 } # ask the shop team\n+    track { target = ",
        "`--write` makes the change.",
        "note: the trace is short",
    ] {
        assert!(ran.stdout.contains(part), "no {part:?} in\n{}", ran.stdout);
    }
    assert_eq!(
        directory.read("web.hcl"),
        FILE,
        "nothing is written unasked"
    );

    let json = directory.run(&tune(&["--json"])).exits(0).json();
    assert_eq!(json["format_version"], 1);
    assert_eq!(json["verdict"], "better");
    assert_eq!(json["proposal"]["is_written"], false);
    let best = json["settings"][0]["best"].as_str().unwrap().to_owned();

    directory.run(&tune(&["--write"])).exits(0);
    let written = directory.read("web.hcl");
    assert!(
        written.contains(&format!(
            "    track {{ target = {best} }} # ask the shop team\n"
        )),
        "{written}"
    );
    assert!(written.contains("    # far too careful\n"), "{written}");
    directory.run(&["fmt", "--check"]).exits(0);
    directory.run(&["validate"]).exits(0);
}

#[test]
fn the_same_seed_gives_the_same_bytes_in_any_number_of_threads() {
    let directory = directory();
    let run = |jobs: &str, seed: &str| {
        let flags = tune(&["--json", "--jobs", jobs, "--seed", seed]);
        directory.run(&flags).exits(0).stdout
    };
    let one = run("1", "4");
    assert_eq!(one, run("2", "4"));
    assert_ne!(one, run("2", "5"));
}

#[test]
fn what_is_not_confirmed_by_the_time_held_out_is_not_proposed() {
    // Steady for four hours, so that the least that carries it is best; then jumps that it cannot answer.
    let steady = |_| 100.0;
    let jumps = |n: u32| if n % 20 < 10 { 100.0 } else { 160.0 };
    let directory = Directory::with(&[("web.hcl", FILE), ("load.csv", &trace(steady, jumps))]);
    let flags = tune(&[
        "--range",
        "metric.cpu.track.target=30..85",
        "--penalty",
        "30",
    ]);
    let ran = directory.run(&flags).exits(0);
    assert!(
        ran.stdout
            .contains("Nothing is proposed: in the time that the search has not seen"),
        "{}",
        ran.stdout
    );
    assert!(!ran.stdout.contains("+++ web.hcl"), "{}", ran.stdout);
    let flags = tune(&["--range", "metric.cpu.track.target=30..30"]);
    let ran = directory.run(&flags).exits(0);
    let nothing = "Nothing is proposed: no candidate was worth a change";
    assert!(ran.stdout.contains(nothing), "{}", ran.stdout);
}

#[test]
fn the_targets_of_the_example_are_searched_as_a_whole_and_the_files_stay_in_form() {
    let directory = Directory::example("web-shop");
    let ran = directory
        .run(&[
            "tune",
            "web",
            "--trace",
            "traffic/ecommerce-api.csv",
            "--range",
            "metric.requests_per_instance.track.target=7..8/1",
            "--range",
            "metric.cpu.track.target=60..66/6",
            "--write",
        ])
        .exits(0);
    for part in [
        "group.web   all 4 candidates",
        "  searched  2017-12-17 00:00Z to 2017-12-25 00:00Z\n",
        "  metric.requests_per_instance.track.target  7 -> 8  (policy.web, shop.hcl:45:19)\n",
        "The files are changed.",
        "note: bursts inside a step are invisible",
    ] {
        assert!(ran.stdout.contains(part), "no {part:?} in\n{}", ran.stdout);
    }
    let written = directory.read("shop.hcl");
    assert!(written.contains("      target    = 8\n"), "{written}");
    let comment = "  # 12 requests a second fill one instance; 7 keep it comfortable.\n";
    assert!(written.contains(comment), "{written}");
    directory.run(&["fmt", "--check"]).exits(0);
    directory.run(&["validate"]).exits(0);
}

#[test]
fn wrong_ranges_say_what_the_group_has() {
    let directory = directory();
    for (range, part) in [
        (
            "metric.cpu.track.targets=1..2",
            "did you mean `metric.cpu.track.target`?",
        ),
        ("metric.cpu.track.target", "must be like"),
        ("metric.cpu.track.target=80..40", "must not be above"),
        ("scale_in.cooldown=5..10", "the unit is missing"),
        ("limits.min=1.5..3", "not a number of instances"),
    ] {
        let ran = directory.run(&tune(&["--range", range])).exits(1);
        assert!(ran.stderr.contains(part), "no {part:?} in\n{}", ran.stderr);
    }
    let short = "timestamp,value\n2026-01-05T00:00:00Z,1\n2026-01-05T00:01:00Z,1\n";
    directory.write("load.csv", short);
    let ran = directory.run(&TUNE).exits(1);
    assert!(ran.stderr.contains("36 or more"), "{}", ran.stderr);
}
