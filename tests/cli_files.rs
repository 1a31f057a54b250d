//! Commands that read the files alone: validate, fmt, test, console, decide, schema, explain.

mod common;

use common::Directory;

const SHOP: &str = r#"
provider "mock" {}

variable "peak" {
  type    = number
  default = 10
}

policy "web" {
  metric "cpu" {
    track { target = 60 }
  }
  scale_in {
    cooldown      = "10m"
    stabilization = "5m"
  }
}

group "web" {
  provider = provider.mock
  use      = [policy.web]
  resource "asg" { name = "web" }
  limits {
    min = 2
    max = var.peak
  }
}

test "hot" {
  group = group.web
  given { desired = 6 }
  at "0m" {
    metrics = { cpu = 90 }
    expect { desired = 9 }
  }
}
"#;

#[test]
fn a_good_directory_is_valid_and_a_bad_one_gets_all_its_problems_at_once() {
    let directory = Directory::with(&[("shop.hcl", SHOP)]);
    let ran = directory.run(&["validate"]).exits(0);
    assert!(ran.stdout.contains("1 group, 1 test"), "{}", ran.stdout);

    let bad = SHOP
        .replace("target = 60", "target = 0")
        .replace("cooldown ", "cooldwon ");
    directory.write("shop.hcl", &bad);
    let ran = directory.run(&["validate"]).exits(1);
    assert_eq!(ran.stdout, "");
    for words in [
        "shop.hcl:11",
        "target",
        "shop.hcl:14",
        "cooldown",
        "2 errors",
    ] {
        assert!(ran.stderr.contains(words), "{words}: {}", ran.stderr);
    }
    let ran = directory.run(&["validate", "--json"]).exits(1);
    let document = ran.json();
    assert_eq!(document["valid"], false);
    assert_eq!(document["diagnostics"].as_array().unwrap().len(), 2);
    // Nothing with errors is carried out.
    for command in [&["plan"][..], &["apply", "--auto-approve"], &["test"]] {
        directory.run(command).exits(1);
    }
    assert!(!directory.file(".tideform/default.db").exists());
}

#[test]
fn resolved_shows_each_value_and_where_it_was_written() {
    let directory = Directory::with(&[("shop.hcl", SHOP)]);
    let ran = directory.run(&["validate", "--resolved", "web"]).exits(0);
    let line = |path: &str| {
        ran.stdout
            .lines()
            .find(|line| line.trim_start().starts_with(path))
            .unwrap_or_else(|| panic!("{path}: {}", ran.stdout))
            .to_owned()
    };
    assert!(line("metric.cpu.track.target").contains("policy.web, shop.hcl:11"));
    assert!(line("limits.max").contains("group.web, shop.hcl:25"));
    assert!(line("resource.kind").contains("group.web, shop.hcl:22"));
    assert!(line("resource.name").contains("group.web, shop.hcl:22"));
    assert!(!ran.stdout.contains("scale_in.enabled"), "{}", ran.stdout);
    assert!(!ran.stdout.contains("default"), "{}", ran.stdout);
    let ran = directory
        .run(&["validate", "--resolved", "--show-defaults"])
        .exits(0);
    assert!(ran.stdout.contains("warmup"), "{}", ran.stdout);
    let enabled = ran
        .stdout
        .lines()
        .find(|line| line.contains("scale_in.enabled"));
    assert!(
        enabled.is_some_and(|line| line.ends_with("# default")),
        "{enabled:?}"
    );
    let ran = directory.run(&["validate", "--show-defaults"]).exits(0);
    let line = |start: &str| {
        let found = ran.stdout.lines().find(|line| line.starts_with(start));
        found.unwrap_or_else(|| panic!("{start}: {}", ran.stdout))
    };
    assert!(line("every ").contains("in all groups   Amazon CloudWatch"));
    // The group says it.
    assert!(!line("scale_in.stabilization").contains("in all groups"));
    assert!(line("a sample is fresh for").contains("3 periods"));
    let ran = directory
        .run(&["validate", "--show-defaults", "--json"])
        .exits(0);
    let json: serde_json::Value = serde_json::from_str(&ran.stdout).expect("JSON");
    let every = json["defaults"].as_array().and_then(|list| {
        let mut list = list.iter();
        list.find(|row| row["setting"] == "every")
    });
    assert_eq!(every.expect("every")["groups_in_force"], 1);
    assert!(json["fixed"].as_array().is_some_and(|list| list.len() > 10));
    let ran = directory.run(&["validate", "--resolved", "wbe"]).exits(1);
    assert!(ran.stderr.contains("did you mean `web`"), "{}", ran.stderr);
}

#[test]
fn the_defaults_are_shown_before_there_is_a_file() {
    let directory = Directory::with(&[]);
    let ran = directory.run(&["validate", "--show-defaults"]).exits(0);
    assert!(
        ran.stdout.contains("metric.track.tolerance"),
        "{}",
        ran.stdout
    );
    assert!(!ran.stdout.contains("in force"), "{}", ran.stdout);
    directory.run(&["validate"]).exits(1);
}

#[test]
fn variables_take_the_strongest_value() {
    let mut directory = Directory::with(&[("shop.hcl", SHOP)]);
    let peak = |directory: &Directory, arguments: &[&str]| {
        let mut all = vec!["console", "var.peak"];
        all.extend(arguments);
        directory.run(&all).exits(0).stdout.trim().to_owned()
    };
    assert_eq!(peak(&directory, &[]), "10");
    directory.set("TIDEFORM_VAR_peak", "11");
    assert_eq!(peak(&directory, &[]), "11");
    directory.write("x.auto.vars.hcl", "peak = 12\n");
    assert_eq!(peak(&directory, &[]), "12");
    directory.write("own.vars.hcl", "peak = 13\n");
    assert_eq!(peak(&directory, &["--var-file", "own.vars.hcl"]), "13");
    // In the order of the command line, whatever kind.
    assert_eq!(
        peak(
            &directory,
            &["--var", "peak=14", "--var-file", "own.vars.hcl"]
        ),
        "13"
    );
    assert_eq!(
        peak(
            &directory,
            &["--var-file", "own.vars.hcl", "--var", "peak=14"]
        ),
        "14"
    );
    let ran = directory.run(&["plan", "--var", "peak"]).exits(1);
    assert!(ran.stderr.contains("name=value"), "{}", ran.stderr);
    let ran = directory
        .run(&["plan", "--var-file", "none.vars.hcl"])
        .exits(1);
    assert!(ran.stderr.contains("none.vars.hcl"), "{}", ran.stderr);
}

#[test]
fn fmt_rewrites_once_keeps_comments_and_check_changes_nothing() {
    let ugly =
        "# hands off\ngroup \"web\" {\n      every=\"1m\" # why\n  warmup    =   \"3m\"\n}\n";
    let directory = Directory::with(&[("a.hcl", ugly), ("b.hcl", "locals {}\n")]);
    let ran = directory.run(&["fmt", "--check", "--diff"]).exits(3);
    assert!(
        ran.stdout.contains("-      every=\"1m\" # why"),
        "{}",
        ran.stdout
    );
    assert_eq!(directory.read("a.hcl"), ugly);
    let ran = directory.run(&["fmt", "--check"]).exits(3);
    assert_eq!(ran.stdout, "a.hcl\n");
    assert!(
        ran.stderr.contains("run `tideform fmt` to lay them out"),
        "{}",
        ran.stderr
    );
    let ran = directory.run(&["fmt"]).exits(0);
    assert_eq!(ran.stdout, "a.hcl\n");
    let formatted = directory.read("a.hcl");
    assert!(formatted.contains("# hands off") && formatted.contains("# why"));
    let ran = directory.run(&["fmt", "--check"]).exits(0);
    assert_eq!(ran.stdout, "");
    let ran = directory.run_with_input(&["fmt", "-"], ugly).exits(0);
    assert_eq!(ran.stdout, formatted);
    directory
        .run_with_input(&["fmt", "--check", "-"], ugly)
        .exits(3);
}

#[test]
fn a_wrong_expression_gives_one_error_and_exit_ends_the_console() {
    let directory = Directory::with(&[("a.hcl", "locals {}\n")]);
    let ran = directory.run(&["console", "foo"]).exits(1);
    assert_eq!(ran.stderr.matches("error").count(), 1, "{}", ran.stderr);
    let ran = directory
        .run_with_input(&["console"], "1 + 1\nexit\n2 + 2\n")
        .exits(0);
    assert_eq!(ran.stdout, "2\n");
}

#[test]
fn a_file_that_is_no_plan_is_named_without_the_parsers_words() {
    let directory = Directory::with(&[("a.hcl", "locals {}\n")]);
    let ran = directory.run(&["apply", "a.hcl"]).exits(1);
    assert!(
        ran.stderr.contains("`a.hcl` is not a saved plan"),
        "{}",
        ran.stderr
    );
    assert!(!ran.stderr.contains("column"), "{}", ran.stderr);
}

#[test]
fn a_group_that_the_simulated_cloud_does_not_have_is_named_with_the_nearest() {
    let directory = Directory::with(&[("a.hcl", "provider \"mock\" {}\n")]);
    directory
        .run(&["mock", "create", "shop-web", "--min", "1", "--max", "3"])
        .exits(0);
    let ran = directory
        .run(&["mock", "set", "shop-wbe", "--min", "2"])
        .exits(1);
    assert!(
        ran.stderr.contains("did you mean `shop-web`?"),
        "{}",
        ran.stderr
    );
}

#[test]
fn a_broken_file_is_reported_and_the_others_are_formatted() {
    let directory = Directory::with(&[("a.hcl", "group {\n"), ("b.hcl", "locals {\n x=1\n}\n")]);
    let ran = directory.run(&["fmt"]).exits(1);
    assert!(ran.stderr.contains("a.hcl"), "{}", ran.stderr);
    assert_eq!(directory.read("a.hcl"), "group {\n");
    assert_eq!(directory.read("b.hcl"), "locals {\n  x = 1\n}\n");
}

#[test]
fn a_failing_test_is_exit_1_with_its_decision_and_a_junit_report() {
    let directory = Directory::with(&[("shop.hcl", SHOP)]);
    directory.run(&["test"]).exits(0);
    directory.write("shop.hcl", &SHOP.replace("desired = 9", "desired = 8"));
    let ran = directory.run(&["test", "--junit", "report.xml"]).exits(1);
    assert!(
        ran.stdout.contains("hot") && ran.stdout.contains("wants 9"),
        "{}",
        ran.stdout
    );
    assert!(directory.read("report.xml").contains("<failure"));
    let document = directory.run(&["test", "--json"]).exits(1).json();
    assert!(document.to_string().contains("hot"));
    assert!(ran.stdout.contains("expected desired 8, got 9\n"));
}

#[test]
fn tests_are_chosen_by_name_and_group_and_a_choice_of_none_fails() {
    let directory = Directory::with(&[("shop.hcl", SHOP)]);
    let ran = directory.run(&["test", "--list"]).exits(0);
    assert_eq!(ran.stdout, "hot (group.web): test\n\n1 test\n");
    let listed = directory.run(&["test", "--list", "--json"]).exits(0).json();
    assert_eq!(listed["tests"][0]["name"], "hot");
    assert_eq!(listed["tests"][0]["group"], "group.web");
    assert_eq!(listed["tests"][0]["place"]["file"], "shop.hcl");
    for chosen in [&["test", "ot", "x"][..], &["test", "--group", "w*"]] {
        let ran = directory.run(chosen).exits(0);
        assert!(ran.stdout.contains("1 passed"), "{}", ran.stdout);
    }
    for (none, said) in [
        (&["test", "hit"][..], "No test to run"),
        (&["test", "hot", "--group", "api"], "No group matches `api`"),
    ] {
        let ran = directory.run(none).exits(1);
        assert_eq!(ran.stdout, "");
        assert!(ran.stderr.contains(said), "{}", ran.stderr);
    }
    let ran = directory.run(&["test", "hit"]).exits(1);
    assert!(ran.stderr.contains("did you mean `hot`"), "{}", ran.stderr);
}

#[test]
fn the_console_evaluates_an_argument_and_lines_of_a_pipe() {
    let directory = Directory::with(&[("shop.hcl", SHOP)]);
    let ran = directory.run(&["console", "min(var.peak, 7) * 2"]).exits(0);
    assert_eq!(ran.stdout, "14\n");
    let ran = directory
        .run_with_input(
            &["console", "--json"],
            "[var.peak, \"a\"]\n\nupper(\"b\")\n",
        )
        .exits(0);
    assert_eq!(ran.stdout, "[10,\"a\"]\n\"B\"\n");
    let ran = directory
        .run_with_input(&["console"], "nope(1)\n1 + 1\n")
        .exits(1);
    assert_eq!(ran.stdout, "2\n");
    assert!(ran.stderr.contains("nope"), "{}", ran.stderr);
    directory.run(&["console", "1 +"]).exits(1);
}

fn decide(directory: &Directory, observation: &serde_json::Value) -> serde_json::Value {
    directory
        .run_with_input(
            &["decide", "web", "--observe", "-", "--json"],
            &observation.to_string(),
        )
        .exits(0)
        .json()
}

fn kinds(decision: &serde_json::Value) -> Vec<String> {
    decision["reasons"]
        .as_array()
        .unwrap()
        .iter()
        .map(|reason| reason["kind"].as_str().unwrap().to_owned())
        .collect()
}

#[test]
fn decide_scales_out_at_once_and_holds_scale_in_by_stabilization_then_by_the_cooldown() {
    let directory = Directory::with(&[("shop.hcl", SHOP)]);
    let hot = serde_json::json!({
        "now": "2026-01-05T12:00:00Z",
        "group": { "desired": 6 },
        "metrics": { "cpu": { "samples": [{ "at": "2026-01-05T12:00:00Z", "value": 90 }] } },
    });
    let decision = decide(&directory, &hot);
    assert_eq!(decision["format_version"], 1);
    assert_eq!(decision["group"], "group.web");
    assert_eq!(
        (&decision["current"], &decision["desired"]),
        (&6.into(), &9.into())
    );
    assert_eq!(decision["direction"], "out");
    assert!(decision["memory"].is_object() && decision["victims"].is_array());

    // Ten minutes ago it was still needed: the window holds it back.
    let cold = |memory: serde_json::Value| {
        serde_json::json!({
            "now": "2026-01-05T12:10:00Z",
            "group": { "desired": 6 },
            "metrics": { "cpu": { "samples": [{ "at": "2026-01-05T12:10:00Z", "value": 30 }] } },
            "memory": memory,
        })
    };
    let decision = decide(
        &directory,
        &cold(serde_json::json!({
            "recommendations": [{ "at": "2026-01-05T12:07:00Z", "desired": 6 }],
        })),
    );
    assert_eq!(decision["desired"], 6);
    let reasons = decision["reasons"].to_string();
    assert!(
        kinds(&decision).contains(&"stabilized".to_owned()),
        "{reasons}"
    );
    assert!(reasons.contains("\"want\":3"), "{reasons}");

    let decision = decide(
        &directory,
        &cold(serde_json::json!({
            "actions": [{ "at": "2026-01-05T12:05:00Z", "from": 7, "to": 6, "by": "tideform" }],
            "recommendations": [{ "at": "2026-01-05T12:05:00Z", "desired": 3 }],
        })),
    );
    assert_eq!(decision["desired"], 6);
    assert!(kinds(&decision).contains(&"in_cooldown".to_owned()));

    let decision = decide(
        &directory,
        &cold(serde_json::json!({
            "recommendations": [{ "at": "2026-01-05T12:05:00Z", "desired": 3 }],
        })),
    );
    assert_eq!(decision["desired"], 3);
    assert_eq!(decision["direction"], "in");
}

#[test]
fn decide_prints_words_and_refuses_what_it_does_not_know() {
    let directory = Directory::with(&[("shop.hcl", SHOP)]);
    directory.write(
        "seen.json",
        r#"{"now": "2026-01-05T12:00:00Z", "group": {"desired": 6}, "metrics": {"cpu": {"per_instance": {"i-1": 90, "i-2": null}, "at": "2026-01-05T12:00:00Z"}}}"#,
    );
    let ran = directory
        .run(&["decide", "web", "--observe", "seen.json"])
        .exits(0);
    assert!(ran.stdout.starts_with("group.web   6"), "{}", ran.stdout);
    for (text, words) in [
        ("{", "JSON"),
        ("{\"now\": \"noon\", \"group\": {\"desired\": 1}}", "now"),
        (
            "{\"now\": \"2026-01-05T12:00:00Z\", \"group\": {}}",
            "desired",
        ),
        (
            "{\"now\": \"2026-01-05T12:00:00Z\", \"group\": {\"desired\": 1}, \"metrics\": {\"cpuu\": {\"samples\": []}}}",
            "did you mean `cpu`",
        ),
    ] {
        let ran = directory
            .run_with_input(&["decide", "web", "--observe", "-"], text)
            .exits(1);
        assert!(ran.stderr.contains(words), "{words}: {}", ran.stderr);
    }
    let ran = directory
        .run(&["decide", "wbe", "--observe", "seen.json"])
        .exits(1);
    assert!(ran.stderr.contains("did you mean `web`"), "{}", ran.stderr);
}

#[test]
fn a_schedule_raises_the_floor_at_its_own_hour_on_both_sides_of_a_clock_change() {
    let files = SHOP.replace(
        "  limits {",
        "  schedule \"office\" {\n    cron     = \"0 8 * * *\"\n    timezone = \"Europe/Berlin\"\n    duration = \"10h\"\n    min      = 5\n  }\n  limits {",
    );
    let directory = Directory::with(&[("shop.hcl", &files)]);
    // 2026-03-29: from UTC+1 to UTC+2.
    for (now, desired) in [
        ("2026-03-28T06:59:00Z", 2),
        ("2026-03-28T07:00:00Z", 5),
        ("2026-03-29T05:59:00Z", 2),
        ("2026-03-29T06:00:00Z", 5),
    ] {
        let decision = decide(
            &directory,
            &serde_json::json!({
                "now": now,
                "group": { "desired": 2 },
                "metrics": { "cpu": { "samples": [{ "at": now, "value": 60 }] } },
            }),
        );
        assert_eq!(decision["desired"], desired, "{now}");
    }
}

#[test]
fn schemas_are_json_and_every_code_is_explained() {
    let directory = Directory::empty();
    for what in ["plan", "decision", "observation", "event"] {
        let schema = directory.run(&["schema", what]).exits(0).json();
        assert!(schema["title"].is_string(), "{what}");
    }
    let language = directory.run(&["schema", "--json"]).exits(0).json();
    assert!(language["blocks"]["group"]["blocks"]["limits"].is_object());
    let ran = directory.run(&["schema", "--block", "scale_in"]).exits(0);
    assert!(ran.stdout.contains("cooldown"), "{}", ran.stdout);
    directory.run(&["schema", "--block", "scale_inn"]).exits(1);
    let codes = directory
        .run(&["schema", "codes", "--json"])
        .exits(0)
        .json();
    for code in codes["codes"].as_array().unwrap() {
        assert!(!code["explanation"].as_str().unwrap().is_empty());
    }
    let first = codes["codes"][0]["code"].as_str().unwrap();
    let ran = directory.run(&["explain", first]).exits(0);
    assert!(ran.stdout.starts_with(first), "{}", ran.stdout);
}

#[test]
fn hostile_directories_get_a_diagnostic() {
    let directory = Directory::empty();
    std::fs::write(directory.file("bytes.hcl"), b"group \"\xff\xfe\" {}\n").unwrap();
    directory.write("nul.hcl", "locals { a = \"\0\" }\n");
    directory.write(
        "deep.hcl",
        &format!(
            "locals {{ a = {}1{} }}\n",
            "[".repeat(100_000),
            "]".repeat(100_000)
        ),
    );
    #[cfg(unix)]
    std::os::unix::fs::symlink("loop.hcl", directory.file("loop.hcl")).unwrap();
    for command in [
        &["validate"][..],
        &["fmt", "--check"],
        &["plan"],
        &["console", "1"],
    ] {
        let ran = directory.run(command);
        assert!(
            !ran.stderr.contains("bug in tideform"),
            "{command:?}: {}",
            ran.stderr
        );
        assert!(matches!(ran.code, Some(0 | 1)), "{command:?}: {ran:?}");
    }
    directory.run(&["validate"]).exits(1);
}

#[test]
fn the_sample_of_a_failing_test_in_the_docs_is_what_is_printed() {
    let directory = Directory::with(&[]);
    directory.run(&["init", "--example", "web"]).exits(0);
    let ran = directory.run(&["test", "--var", "peak=20"]).exits(1);
    let docs = include_str!("../docs/commands.md");
    assert!(docs.contains(&ran.stdout), "{}", ran.stdout);
}
