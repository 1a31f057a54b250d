//! Commands that run from the state: reconcile, status, events, explain, cost, overrides, state; two processes at once;
//! and death at every commit.

mod common;

use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use common::{Directory, RUN_FROM_THE_STATE};

fn applied() -> Directory {
    let directory = Directory::example("web-shop");
    directory.run(&["apply", "--auto-approve"]).exits(0);
    directory
}

/// The decisions of a run with `--json`, without what may differ.
fn decisions(text: &str) -> Vec<serde_json::Value> {
    text.lines()
        .map(|line| {
            let mut decision: serde_json::Value = serde_json::from_str(line).unwrap();
            decision.as_object_mut().unwrap().remove("run");
            decision
        })
        .collect()
}

#[test]
fn twenty_single_runs_and_one_daemon_of_twenty_ticks_decide_the_same() {
    let jobs = applied();
    let mut by_jobs = Vec::new();
    for _ in 0..20 {
        by_jobs.extend(decisions(
            &jobs.run(&["reconcile", "--once", "--json"]).exits(0).stdout,
        ));
    }
    let daemon = applied();
    let ran = daemon
        .run(&["reconcile", "--interval", "1m", "--ticks", "20", "--json"])
        .exits(0);
    let by_daemon = decisions(&ran.stdout);
    assert_eq!(by_jobs.len(), 20);
    assert_eq!(by_jobs, by_daemon);
    assert!(
        by_daemon
            .iter()
            .any(|decision| decision["result"] == "moved")
    );
}

#[test]
fn a_dry_run_records_decisions_and_changes_nothing() {
    let directory = applied();
    let ran = directory
        .run(&[
            "reconcile",
            "--interval",
            "1m",
            "--ticks",
            "15",
            "--dry-run",
            "--json",
        ])
        .exits(0);
    let all = decisions(&ran.stdout);
    assert!(
        all.iter()
            .any(|decision| decision["result"] == "would_move")
    );
    let world = directory.run(&["mock", "show", "--json"]).exits(0).json();
    assert_eq!(world["groups"][0]["desired"], 3);
    let events = directory.run(&["events"]).exits(0).stdout;
    assert!(!events.contains("  scaled"), "{events}");
}

#[test]
fn overrides_are_set_carried_out_listed_and_ended_with_events() {
    let directory = applied();
    directory.run(&["reconcile", "--once"]).exits(0);
    let ran = directory
        .run(&["scale", "web", "12", "--for", "2h", "--reason", "load test"])
        .exits(0);
    assert!(ran.stdout.contains("pinned to 12"), "{}", ran.stdout);
    let ran = directory.run(&["reconcile", "--once"]).exits(0);
    assert!(ran.stdout.contains("3 -> 12"), "{}", ran.stdout);
    let overrides = directory.run(&["overrides", "--json"]).exits(0).json();
    assert_eq!(overrides["overrides"][0]["by"], "tester");
    assert_eq!(overrides["overrides"][0]["reason"], "load test");
    let ran = directory.run(&["explain", "web"]).exits(0);
    assert!(ran.stdout.contains("tester"), "{}", ran.stdout);
    directory.run(&["unpin", "web"]).exits(0);
    let ran = directory.run(&["unpin", "web"]).exits(1);
    assert!(ran.stderr.contains("not pinned"), "{}", ran.stderr);

    directory.run(&["pause", "web", "--for", "30m"]).exits(0);
    let ran = directory.run(&["status"]).exits(0);
    assert!(ran.stdout.contains("pause until"), "{}", ran.stdout);
    directory.run(&["resume", "web"]).exits(0);
    directory.run(&["resume", "web"]).exits(1);

    let ran = directory
        .run(&["surge", "start", "campaign", "--at", "20m"])
        .exits(0);
    assert!(ran.stdout.contains("at least 20"), "{}", ran.stdout);
    let ran = directory.run(&["reconcile", "--once"]).exits(0);
    assert!(ran.stdout.contains("-> 20"), "{}", ran.stdout);
    let ran = directory.run(&["surge", "list"]).exits(0);
    assert!(ran.stdout.contains("campaign"), "{}", ran.stdout);
    directory.run(&["surge", "stop", "campaign"]).exits(0);
    directory.run(&["surge", "stop", "campaign"]).exits(1);
    let ran = directory.run(&["surge", "start", "campain"]).exits(1);
    assert!(
        ran.stderr.contains("did you mean `campaign`"),
        "{}",
        ran.stderr
    );
    assert_eq!(
        directory.run(&["overrides"]).exits(0).stdout,
        "No overrides.\n"
    );

    let events = directory
        .run(&["events", "--json", "--group", "web"])
        .exits(0)
        .stdout;
    let kinds: Vec<String> = events
        .lines()
        .map(|line| serde_json::from_str::<serde_json::Value>(line).unwrap())
        .map(|event| event["kind"].as_str().unwrap().to_owned())
        .collect();
    for kind in ["override_started", "override_ended", "scaled"] {
        assert!(kinds.iter().any(|k| k == kind), "{kind}: {kinds:?}");
    }
}

#[test]
fn overrides_need_an_end_and_a_number_inside_the_limits() {
    let directory = applied();
    let ran = directory
        .run(&["scale", "web", "41", "--for", "2h", "--reason", "r"])
        .exits(1);
    assert!(ran.stderr.contains("from 3 to 40"), "{}", ran.stderr);
    let ran = directory
        .run(&["scale", "web", "12", "--for", "60d", "--reason", "r"])
        .exits(1);
    assert!(ran.stderr.contains("30d"), "{}", ran.stderr);
    let ran = directory
        .run(&["scale", "wbe", "12", "--for", "1h", "--reason", "r"])
        .exits(1);
    assert!(ran.stderr.contains("did you mean `web`"), "{}", ran.stderr);
    assert_eq!(
        directory.run(&["overrides"]).exits(0).stdout,
        "No overrides.\n"
    );
}

#[test]
fn status_events_explain_and_cost_tell_what_the_loop_did() {
    let directory = applied();
    directory
        .run(&["reconcile", "--interval", "1m", "--ticks", "120"])
        .exits(0);
    let status = directory.run(&["status", "--json"]).exits(0).json();
    let group = &status["groups"][0];
    assert_eq!(group["group"], "group.web");
    assert_eq!(group["live"]["min"], 3);
    assert!(group["month_cost_usd"].as_f64().unwrap() > 0.0);
    let ran = directory.run(&["status"]).exits(0);
    assert!(
        ran.stdout.contains("web") && ran.stdout.contains("3 to 40"),
        "{}",
        ran.stdout
    );

    let ran = directory.run(&["events", "--limit", "2"]).exits(0);
    assert_eq!(ran.stdout.lines().count(), 2);
    let explained = directory.run(&["explain", "web", "--json"]).exits(0).json();
    assert!(
        explained["decision"]["reasons"]
            .as_array()
            .is_some_and(|r| !r.is_empty())
    );
    let ran = directory
        .run(&["explain", "web", "--at", "2017-12-18T08:30:00Z"])
        .exits(0);
    assert!(
        ran.stdout.contains("Decided at 2017-12-18 08:"),
        "{}",
        ran.stdout
    );
    let ran = directory
        .run(&["explain", "web", "--at", "2000-01-01"])
        .exits(1);
    assert!(ran.stderr.contains("No decision"), "{}", ran.stderr);
    directory.run(&["explain", "wbe"]).exits(1);

    let cost = directory.run(&["cost", "--json"]).exits(0).json();
    assert!(cost["total"]["cost_usd"].as_f64().unwrap() > 0.0);
    let ran = directory.run(&["cost", "--csv", "--by", "day"]).exits(0);
    assert_eq!(ran.stdout.lines().count(), 2, "{}", ran.stdout);
    let ran = directory.run(&["cost"]).exits(0);
    assert!(
        ran.stdout.contains("budget of 800.00 USD"),
        "{}",
        ran.stdout
    );
    let ran = directory
        .run(&["cost", "--since", "1h", "--until", "2h"])
        .exits(1);
    assert!(ran.stderr.contains("--since"), "{}", ran.stderr);
}

#[test]
fn the_state_is_listed_shown_moved_copied_checked_and_forgotten() {
    let directory = applied();
    directory.run(&["reconcile", "--once"]).exits(0);
    let ran = directory.run(&["state", "show", "web"]).exits(0);
    assert!(ran.stdout.contains("limits.max = 40"), "{}", ran.stdout);
    let pulled = directory.run(&["state", "pull"]).exits(0).json();
    assert!(pulled["format_version"].is_number());
    directory.run(&["state", "backup", "copy.db"]).exits(0);
    directory.run(&["state", "backup", "copy.db"]).exits(1);
    directory
        .run(&["state", "--state", "copy.db", "list"])
        .exits(0);
    directory.run(&["state", "mv", "web", "shop"]).exits(0);
    let ran = directory.run(&["state", "list"]).exits(0);
    assert!(ran.stdout.contains("shop"), "{}", ran.stdout);
    directory.run(&["state", "mv", "shop", "web"]).exits(0);
    directory.run(&["state", "prune"]).exits(1);
    directory
        .run(&["state", "prune", "--auto-approve"])
        .exits(0);
    let ran = directory
        .run(&["state", "unlock", "--auto-approve"])
        .exits(0);
    assert!(ran.stdout.contains("Nobody"), "{}", ran.stdout);
    assert_eq!(
        directory.run(&["state", "check", "--json"]).exits(0).json()["problems"],
        serde_json::json!([])
    );
    directory.run(&["state", "rm", "web"]).exits(1);
    directory
        .run(&["state", "rm", "web", "--auto-approve"])
        .exits(0);
    let world = directory.run(&["mock", "show", "--json"]).exits(0).json();
    assert_eq!(world["groups"].as_array().unwrap().len(), 1);
    std::fs::write(
        directory.file("no.db"),
        "this is no database, and long enough to be read as one",
    )
    .unwrap();
    let ran = directory
        .run(&["state", "--state", "no.db", "list"])
        .exits(1);
    assert!(ran.stderr.contains("not"), "{}", ran.stderr);
}

#[test]
fn where_nothing_was_applied_the_commands_say_so() {
    let directory = Directory::empty();
    for command in RUN_FROM_THE_STATE {
        let ran = directory.run(command).exits(1);
        assert!(
            ran.stderr.contains("tideform apply"),
            "{command:?}: {}",
            ran.stderr
        );
    }
}

#[test]
fn a_reader_that_goes_away_is_no_failure() {
    let directory = applied();
    directory
        .run(&["reconcile", "--interval", "1m", "--ticks", "60"])
        .exits(0);
    for command in [
        &["schema"][..],
        &["plan"],
        &["events", "--json"],
        &["state", "pull"],
    ] {
        let mut child = directory.command(command).spawn().unwrap();
        drop(child.stdout.take());
        let output = child.wait_with_output().unwrap();
        let stderr = String::from_utf8(output.stderr).unwrap();
        assert_eq!(output.status.code(), Some(0), "{command:?}: {stderr}");
        assert!(!stderr.contains("bug"), "{command:?}: {stderr}");
    }
}

/// Ends a daemon when the test does.
struct Daemon(Child);

impl Drop for Daemon {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

fn wait_until(what: &str, mut is_so: impl FnMut() -> bool) {
    let began = Instant::now();
    while !is_so() {
        assert!(began.elapsed() < Duration::from_secs(60), "{what}");
        std::thread::sleep(Duration::from_millis(50));
    }
}

/// The shop on a clock that runs, with a daemon whose ticks are an hour apart.
fn with_daemon() -> (Directory, Daemon) {
    let directory = Directory::example("web-shop");
    let files = directory
        .read("shop.hcl")
        .replace("clock = \"stepped\"", "clock = \"real\"")
        .replace("  start = \"2017-12-18T08:00:00Z\"\n", "")
        .replace("align = \"exact\"", "align = \"start\"");
    directory.write("shop.hcl", &files);
    directory.run(&["apply", "--auto-approve"]).exits(0);
    let child = directory
        .command(&["reconcile", "--interval", "1h"])
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .spawn()
        .unwrap();
    let daemon = Daemon(child);
    wait_until("the daemon's first tick", || {
        let status = directory.run(&["status", "--json"]);
        status.code == Some(0) && !status.json()["groups"][0]["last_decision"].is_null()
    });
    (directory, daemon)
}

#[test]
fn of_two_loops_one_works_and_apply_and_pause_get_in_between() {
    let (directory, mut daemon) = with_daemon();
    let ran = directory.run(&["reconcile", "--once"]).exits(4);
    assert!(
        ran.stderr.contains("reconcile --interval 1h") && ran.stderr.contains("--lock-timeout"),
        "{}",
        ran.stderr
    );
    directory.run(&["pause", "web"]).exits(0);
    directory.run(&["status"]).exits(0);
    let files = directory
        .read("shop.hcl")
        .replace("max = var.peak", "max = 30");
    directory.write("shop.hcl", &files);
    directory.run(&["plan", "--detailed-exitcode"]).exits(2);
    directory
        .run(&["apply", "--auto-approve", "--lock-timeout", "30s"])
        .exits(0);
    directory.run(&["plan", "--detailed-exitcode"]).exits(0);
    // The daemon goes on, and leaves when it is asked to.
    assert!(daemon.0.try_wait().unwrap().is_none());
    let asked = Command::new("kill")
        .arg(daemon.0.id().to_string())
        .status()
        .unwrap();
    assert!(asked.success());
    let began = Instant::now();
    let status = daemon.0.wait().unwrap();
    assert_eq!(status.code(), Some(0));
    assert!(began.elapsed() < Duration::from_secs(20));
    directory.run(&["reconcile", "--once"]).exits(0);
    directory.run(&["state", "check"]).exits(0);
}

#[test]
fn a_loop_killed_after_any_commit_is_settled_by_the_next_and_no_event_is_lost_or_doubled() {
    // The fifth run scales out: it has the intent, the call and the outcome.
    let reference = applied();
    for _ in 0..8 {
        reference.run(&["reconcile", "--once"]).exits(0);
    }
    let scaled = |directory: &Directory| -> Vec<(String, i64, i64)> {
        directory
            .run(&["events", "--json", "--limit", "1000"])
            .exits(0)
            .stdout
            .lines()
            .map(|line| serde_json::from_str::<serde_json::Value>(line).unwrap())
            .filter(|event| event["kind"] == "scaled")
            .map(|event| {
                (
                    event["outcome"].to_string(),
                    event["from"].as_i64().unwrap(),
                    event["to"].as_i64().unwrap(),
                )
            })
            .collect()
    };
    assert!(
        !scaled(&reference).is_empty(),
        "the example scales out in its first minutes"
    );
    let mut was_killed = 0;
    for commit in 1..12 {
        let directory = applied();
        let mut killed_here = false;
        for _ in 0..8 {
            let output = directory
                .command(&["reconcile", "--once"])
                .env("TIDEFORM_TEST_EXIT_AFTER_COMMIT", commit.to_string())
                .output()
                .unwrap();
            if !output.status.success() {
                killed_here = true;
                was_killed += 1;
                // The next run settles what was open.
                directory.run(&["reconcile", "--once"]).exits(0);
            }
            directory.run(&["state", "check"]).exits(0);
        }
        let events = scaled(&directory);
        let world = directory.run(&["mock", "show", "--json"]).exits(0).json();
        let desired = world["groups"][0]["desired"].as_i64().unwrap();
        // The events tell the whole way from the start to what is live, each step once.
        let mut at = 3;
        for (outcome, from, to) in &events {
            if outcome.contains("done") && !outcome.contains("not_done") {
                assert_eq!(*from, at, "commit {commit}: {events:?}");
                at = *to;
            }
        }
        assert_eq!(at, desired, "commit {commit}: {events:?}");
        if !killed_here {
            break;
        }
    }
    assert!(was_killed > 3, "the loop has several commits");
}

#[test]
fn the_demo_tells_the_whole_story() {
    let directory = Directory::empty();
    let ran = directory
        .run(&["demo", "--fast", "--days", "1", "--dir", "played"])
        .exits(0);
    for words in [
        "$ tideform plan",
        "Plan: 1 to add",
        "Apply complete",
        "$ tideform reconcile",
        "load",
        "scaled",
        "COST USD",
        "tideform -C played",
    ] {
        assert!(ran.stdout.contains(words), "{words}: {}", ran.stdout);
    }
    assert!(!ran.stdout.contains('\u{1b}'), "no color in a pipe");
    directory
        .run(&["-C", "played", "plan", "--detailed-exitcode"])
        .exits(0);
    let ran = directory.run(&["demo", "--dir", "played"]).exits(1);
    assert!(
        ran.stderr.contains("not empty") || ran.stderr.contains("Nothing was written"),
        "{}",
        ran.stderr
    );
    // A temporary one leaves nothing behind.
    directory.run(&["demo", "--fast", "--days", "1"]).exits(0);
    assert!(!directory.file("tideform-demo").exists());
}

#[test]
fn a_followed_directory_is_applied_when_it_changes() {
    let directory = Directory::example("web-shop");
    directory
        .run(&[
            "reconcile",
            "--interval",
            "1m",
            "--ticks",
            "2",
            "--follow",
            ".",
        ])
        .exits(0);
    let ran = directory.run(&["plan", "--detailed-exitcode"]).exits(0);
    assert!(ran.stdout.contains("No changes."));
    let files = directory
        .read("shop.hcl")
        .replace("max = var.peak", "max = 30");
    directory.write("shop.hcl", &files);
    directory
        .run(&[
            "reconcile",
            "--interval",
            "1m",
            "--ticks",
            "2",
            "--follow",
            ".",
        ])
        .exits(0);
    directory.run(&["plan", "--detailed-exitcode"]).exits(0);
    // Files with errors are reported, and the loop goes on with what was applied.
    directory.write("shop.hcl", "broken {");
    let ran = directory
        .run(&[
            "reconcile",
            "--interval",
            "1m",
            "--ticks",
            "2",
            "--follow",
            ".",
        ])
        .exits(0);
    assert!(ran.stderr.contains("goes on"), "{}", ran.stderr);
}
