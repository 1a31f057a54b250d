//! From the cloud's own policies to the loop: they go when there is something to decide from, and not before.

mod common;

use common::Directory;
use serde_json::json;

const WEB: &str = r#"
provider "mock" {
  clock = "stepped"
  start = "2026-01-05T12:00:00Z"
  load "default" { formula = "100" }
}
group "web" {
  provider = provider.mock
  resource "asg" { name = "web" }
  adopt = ["cpu-50", "memory-50", "queue"]
  limits {
    min = 1
    max = 5
  }
  METRIC
}
"#;

const CPU: &str = "metric \"cpu\" {\n    track { target = 60 }\n  }";

/// A group with three policies of the cloud's own, applied as the loop's.
fn handed_over(metric: &str) -> Directory {
    let directory = Directory::empty();
    directory.write("shop.hcl", &WEB.replace("METRIC", metric));
    let mock = |arguments: &[&str]| {
        directory.run(&[&["mock"], arguments].concat()).exits(0);
    };
    mock(&[
        "create",
        "web",
        "--min",
        "1",
        "--max",
        "5",
        "--desired",
        "2",
    ]);
    for policy in ["cpu-50", "memory-50", "queue"] {
        mock(&["add-control", "web", policy]);
    }
    mock(&["advance", "10m"]);
    directory
}

/// The policies that the cloud has.
fn policies(directory: &Directory) -> Vec<String> {
    let world = directory.run(&["mock", "show", "--json"]).exits(0).json();
    let controls = world["groups"][0]["controls"].as_array().unwrap();
    controls
        .iter()
        .map(|control| control["name"].as_str().unwrap().to_owned())
        .collect()
}

fn silence(directory: &Directory) {
    directory
        .run(&[
            "mock",
            "fault",
            "denied",
            "--call",
            "read_metrics",
            "--times",
            "1000",
        ])
        .exits(0);
}

const STAY: &str =
    "`cpu-50`, `memory-50`, `queue` stay, and go on scaling it in the cloud until one has";

#[test]
fn policies_of_the_cloud_stay_until_a_metric_has_data_and_then_all_of_them_go() {
    let directory = handed_over(CPU);
    silence(&directory);
    let plan = directory.run(&["plan"]).exits(0).stdout;
    let note = "No metric of group.web has data now: its policies in the cloud stay";
    assert!(plan.contains(note), "{plan}");
    directory.run(&["apply", "--auto-approve"]).exits(0);
    for _ in 0..3 {
        let run = directory.run(&["reconcile", "--once"]).exits(0);
        assert!(run.stdout.contains(STAY), "{}", run.stdout);
        assert_eq!(policies(&directory).len(), 3);
    }
    let events = directory.run(&["events", "--json"]).exits(0).stdout;
    assert_eq!(events.matches("go on scaling it").count(), 1, "{events}");
    let status = directory.run(&["status"]).exits(0).stdout;
    assert!(status.contains(STAY), "{status}");
    let explained = directory.run(&["explain", "web"]).exits(0).stdout;
    let words: Vec<&str> = explained.split_whitespace().collect();
    assert!(words.join(" ").contains(STAY), "{explained}");

    directory.run(&["mock", "clear-faults"]).exits(0);
    let run = directory.run(&["reconcile", "--once"]).exits(0);
    assert!(
        run.stdout
            .contains("remove `cpu-50`, remove `memory-50`, remove `queue`"),
        "{}",
        run.stdout
    );
    assert_eq!(policies(&directory), Vec::<String>::new());
    let status = directory.run(&["status"]).exits(0).stdout;
    assert!(!status.contains("go on scaling it"), "{status}");
}

#[test]
fn what_alone_decides_is_enough_to_take_the_policies_away() {
    // What stands in the files, what is asked for by hand, and whether the policies go without any data.
    let pin: &[&str] = &["scale", "web", "3", "--for", "1h", "--reason", "test"];
    let pause: &[&str] = &["pause", "web", "--for", "1h", "--reason", "test"];
    let floor = "schedule \"day\" {\n    cron     = \"0 0 * * *\"\n    duration = \"24h\"\n    min      = 3\n  }";
    let fixed = "schedule \"day\" {\n    cron     = \"0 0 * * *\"\n    duration = \"24h\"\n    min      = 2\n    max      = 2\n  }";
    let number = CPU.replace("{\n", "{\n    on_missing = 0\n");
    for (files, by_hand, goes) in [
        (CPU.to_owned(), &[][..], false),
        (CPU.to_owned(), pin, true),
        (CPU.to_owned(), pause, true),
        (format!("{CPU}\n  {floor}"), &[], false),
        (format!("{CPU}\n  {fixed}"), &[], true),
        (number, &[], true),
        (String::new(), &[], true),
    ] {
        let directory = handed_over(&files);
        silence(&directory);
        directory.run(&["apply", "--auto-approve"]).exits(0);
        if !by_hand.is_empty() {
            directory.run(by_hand).exits(0);
        }
        directory.run(&["reconcile", "--once"]).exits(0);
        let expected = if goes { 0 } else { 3 };
        assert_eq!(policies(&directory).len(), expected, "{files} {by_hand:?}");
        // A floor holds also while they stay.
        if files.contains(floor) {
            let world = directory.run(&["mock", "show", "--json"]).exits(0).json();
            assert_eq!(world["groups"][0]["desired"], json!(3));
            let status = directory.run(&["status"]).exits(0).stdout;
            assert!(status.contains(STAY), "{status}");
        }
    }
}

#[test]
fn every_change_of_a_run_is_in_its_line_as_json() {
    let directory = handed_over(CPU);
    directory.run(&["apply", "--auto-approve"]).exits(0);
    let run = directory.run(&["reconcile", "--once", "--json"]).exits(0);
    let line = run.json();
    assert_eq!(
        line["changed"],
        json!(["remove `cpu-50`", "remove `memory-50`", "remove `queue`"]),
        "{line}"
    );
}

#[test]
fn status_tells_what_failed_at_the_latest_visit_with_its_time_and_not_what_is_over() {
    let directory = handed_over(&CPU.replace("60", "10"));
    directory.run(&["apply", "--auto-approve"]).exits(0);
    let status = || directory.run(&["status"]).exits(0).stdout;
    directory
        .run(&["mock", "fault", "denied", "--call", "set_desired"])
        .exits(0);
    directory.run(&["reconcile", "--once"]).exits(1);
    let told = status();
    let json = directory.run(&["status", "--json"]).exits(0).json();
    let at = json["groups"][0]["condition_at"].as_str().unwrap();
    assert!(at.starts_with("2026-01-05T12:"), "{json}");
    let at = at.replace('T', " ");
    assert!(told.contains(&format!("(at {at})")), "{told}");
    // The next visit works.
    directory.run(&["reconcile", "--once"]).exits(0);
    assert!(!status().contains("(at "), "{}", status());

    directory.run(&["mock", "delete", "web"]).exits(0);
    directory.run(&["reconcile", "--once"]).exits(1);
    assert_eq!(
        status().matches("does not exist").count(),
        1,
        "{}",
        status()
    );
    directory
        .run(&["mock", "create", "web", "--min", "1", "--max", "5"])
        .exits(0);
    assert!(!status().contains("does not exist"), "{}", status());
}

#[test]
fn a_name_that_no_group_has_is_refused_with_the_nearest_one_by_every_command() {
    let directory = handed_over(CPU);
    directory.run(&["apply", "--auto-approve"]).exits(0);
    for command in [
        &["status"][..],
        &["events"],
        &["cost"],
        &["plan"],
        &["apply", "--auto-approve"],
        &["destroy", "--auto-approve"],
        &["reconcile", "--once"],
        &["test"],
    ] {
        let ran = directory
            .run(&[command, &["--group", "wbe"]].concat())
            .exits(1);
        assert!(
            ran.stderr.contains("No group matches `wbe`.")
                && ran.stderr.contains("did you mean `web`?"),
            "{command:?}: {}",
            ran.stderr
        );
    }
}
