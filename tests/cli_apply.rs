//! plan, apply, destroy, show: on the examples, with drift, saved plans, stale plans, and no approval.

mod common;

use common::{Directory, RUN_FROM_THE_STATE};

#[test]
fn every_example_is_created_and_then_has_no_changes() {
    for (name, arguments) in [
        ("web-shop", &[][..]),
        ("queue-worker", &[]),
        ("environments", &["--var-file", "production.vars.hcl"]),
        ("environments", &["--var-file", "staging.vars.hcl"]),
    ] {
        let directory = Directory::example(name);
        let run = |command: &[&str]| directory.run(&[command, arguments].concat());
        run(&["validate"]).exits(0);
        run(&["test"]).exits(0);
        let ran = directory.run(&["fmt", "--check"]).exits(0);
        assert_eq!(ran.stdout, "", "{name}");
        let ran = run(&["plan", "--detailed-exitcode"]).exits(2);
        assert!(
            ran.stdout.contains("to add, 0 to change, 0 to remove."),
            "{}",
            ran.stdout
        );
        let ran = run(&["apply", "--auto-approve"]).exits(0);
        assert!(ran.stdout.contains("Apply complete"), "{}", ran.stdout);
        let ran = run(&["plan", "--detailed-exitcode"]).exits(0);
        assert!(ran.stdout.contains("No changes."), "{name}: {}", ran.stdout);
        // Applying again changes nothing and needs nobody's approval.
        run(&["apply"]).exits(0);
        directory.run(&["state", "check"]).exits(0);
    }
}

#[test]
fn without_approval_nothing_is_changed_and_the_flag_is_named() {
    let directory = Directory::example("web-shop");
    for arguments in [&["apply"][..], &["apply", "--input=false"]] {
        let ran = directory.run(arguments).exits(1);
        assert!(ran.stderr.contains("--auto-approve"), "{}", ran.stderr);
    }
    // A yes in a pipe is nobody's yes.
    directory.run_with_input(&["apply"], "yes\n").exits(1);
    assert!(!directory.file(".tideform/shop.db").exists());
    directory.run(&["plan", "--detailed-exitcode"]).exits(2);
}

#[test]
fn a_change_by_hand_is_drift_and_apply_undoes_it() {
    let directory = Directory::example("web-shop");
    directory.run(&["apply", "--auto-approve"]).exits(0);
    directory
        .run(&["mock", "set", "shop-web", "--max", "10"])
        .exits(0);
    let ran = directory.run(&["plan", "--detailed-exitcode"]).exits(2);
    assert!(
        ran.stdout.contains("Changed outside tideform") && ran.stdout.contains("limits.max"),
        "{}",
        ran.stdout
    );
    directory
        .run(&["plan", "--refresh-only", "--detailed-exitcode"])
        .exits(2);
    directory.run(&["apply", "--auto-approve"]).exits(0);
    directory.run(&["plan", "--detailed-exitcode"]).exits(0);
    let world = directory.run(&["mock", "show", "--json"]).exits(0).json();
    assert_eq!(world["groups"][0]["attributes"]["limits"]["max"], 40);
    let events = directory.run(&["events"]).exits(0).stdout;
    assert!(events.contains("drift"), "{events}");
}

#[test]
fn a_saved_plan_is_applied_as_it_is_shown_and_asks_nothing() {
    let directory = Directory::example("web-shop");
    let ran = directory.run(&["plan", "--out", "shop.plan"]).exits(0);
    let shown = directory.run(&["show", "shop.plan"]).exits(0);
    assert_eq!(ran.stdout, shown.stdout);
    let document = directory
        .run(&["show", "shop.plan", "--json"])
        .exits(0)
        .json();
    assert!(document["format_version"].is_number());
    directory.run(&["apply", "shop.plan"]).exits(0);
    directory.run(&["plan", "--detailed-exitcode"]).exits(0);
    // It was made before that apply.
    let ran = directory.run(&["apply", "shop.plan"]).exits(5);
    assert!(ran.stderr.contains("out of date"), "{}", ran.stderr);
}

#[test]
fn a_saved_plan_is_refused_after_a_change_by_hand_or_of_a_byte() {
    let directory = Directory::example("web-shop");
    directory.run(&["apply", "--auto-approve"]).exits(0);
    let files = directory
        .read("shop.hcl")
        .replace("max = var.peak", "max = 30");
    directory.write("shop.hcl", &files);
    directory.run(&["plan", "--out", "p.plan"]).exits(0);
    let plan = directory.read("p.plan");
    for place in [3, plan.len() / 4, plan.len() / 2, plan.len() - 3] {
        let mut bytes = plan.clone().into_bytes();
        bytes[place] = if bytes[place] == b'1' { b'2' } else { b'1' };
        std::fs::write(directory.file("changed.plan"), bytes).unwrap();
        let ran = directory.run(&["apply", "changed.plan"]).exits(1);
        assert!(ran.stderr.contains("Nothing was changed"), "{}", ran.stderr);
    }
    directory
        .run(&["mock", "set", "shop-web", "--max", "12"])
        .exits(0);
    let ran = directory.run(&["apply", "p.plan"]).exits(5);
    assert!(ran.stderr.contains("limits.max"), "{}", ran.stderr);
    directory
        .run(&["mock", "set", "shop-web", "--max", "40"])
        .exits(0);
    directory.run(&["apply", "p.plan"]).exits(0);
}

#[test]
fn the_loop_may_scale_between_a_plan_and_its_apply() {
    let directory = Directory::example("web-shop");
    directory.run(&["apply", "--auto-approve"]).exits(0);
    let files = directory
        .read("shop.hcl")
        .replace("max = var.peak", "max = 30");
    directory.write("shop.hcl", &files);
    directory.run(&["plan", "--out", "p.plan"]).exits(0);
    let ran = directory
        .run(&["reconcile", "--interval", "1m", "--ticks", "15"])
        .exits(0);
    assert!(ran.stdout.contains("scale out"), "{}", ran.stdout);
    directory.run(&["apply", "p.plan"]).exits(0);
}

#[test]
fn an_edit_without_apply_changes_nothing_that_the_loop_does() {
    let directory = Directory::example("web-shop");
    directory.run(&["apply", "--auto-approve"]).exits(0);
    directory.write("shop.hcl", "this is { not HCL");
    for command in RUN_FROM_THE_STATE {
        directory.run(command).exits(0);
    }
    std::fs::remove_file(directory.file("shop.hcl")).unwrap();
    directory.run(&["reconcile", "--once"]).exits(0);
    directory.run(&["plan"]).exits(1);
}

#[test]
fn views_of_a_plan_are_json_and_markdown() {
    let directory = Directory::example("queue-worker");
    let plan = directory.run(&["plan", "--json"]).exits(0).json();
    assert!(plan["format_version"].is_number());
    let ran = directory.run(&["plan", "--markdown"]).exits(0);
    assert!(ran.stdout.contains("group.worker"), "{}", ran.stdout);
    let ran = directory.run(&["plan", "--group", "wroker"]).exits(1);
    assert!(ran.stderr.contains("worker"), "{}", ran.stderr);
    let done = directory
        .run(&["apply", "--auto-approve", "--json"])
        .exits(0)
        .json();
    assert_eq!(done["complete"], true);
}

#[test]
fn only_the_named_groups_are_applied() {
    let directory = Directory::example("environments");
    let files = &["--var-file", "production.vars.hcl"];
    let run = |command: &[&str]| directory.run(&[command, files].concat());
    run(&[
        "apply",
        "--auto-approve",
        "--group",
        "service.api",
        "--group",
        "s*.im*",
    ])
    .exits(0);
    let groups = directory.run(&["state", "list", "--json"]).exits(0).json();
    let names: Vec<&str> = groups["groups"]
        .as_array()
        .unwrap()
        .iter()
        .filter_map(|group| group["group"].as_str())
        .collect();
    assert_eq!(
        names,
        ["group.service[\"api\"]", "group.service[\"images\"]"]
    );
}

#[test]
fn destroy_takes_everything_away_that_tideform_made() {
    let directory = Directory::example("web-shop");
    directory.run(&["apply", "--auto-approve"]).exits(0);
    directory.run(&["destroy"]).exits(1);
    directory
        .run(&["plan", "--destroy", "--detailed-exitcode"])
        .exits(2);
    directory.run(&["destroy", "--auto-approve"]).exits(0);
    let world = directory.run(&["mock", "show", "--json"]).exits(0).json();
    assert_eq!(world["groups"].as_array().unwrap().len(), 0);
    let ran = directory.run(&["state", "list"]).exits(0);
    assert_eq!(ran.stdout, "");
}

#[test]
fn a_lost_state_is_noticed() {
    let directory = Directory::example("web-shop");
    directory.run(&["apply", "--auto-approve"]).exits(0);
    for file in ["shop.db", "shop.db-wal", "shop.db-shm", "shop.db.lock"] {
        let _ = std::fs::remove_file(directory.file(&format!(".tideform/{file}")));
    }
    let ran = directory.run(&["apply", "--auto-approve"]).exits(1);
    assert!(ran.stderr.contains("state"), "{}", ran.stderr);
    let world = directory.run(&["mock", "show", "--json"]).exits(0).json();
    assert_eq!(world["groups"].as_array().unwrap().len(), 1);
}

#[test]
fn a_state_of_another_workspace_or_another_world_is_refused() {
    let directory = Directory::example("web-shop");
    directory.run(&["apply", "--auto-approve"]).exits(0);
    let ran = directory
        .run(&[
            "plan",
            "--workspace",
            "other",
            "--state",
            ".tideform/shop.db",
        ])
        .exits(1);
    assert!(
        ran.stderr.contains("`shop`") && ran.stderr.contains("`other`"),
        "{}",
        ran.stderr
    );
    // Another account: a new world under the old state.
    std::fs::remove_file(directory.file(".tideform/mock.world")).unwrap();
    let ran = directory.run(&["plan"]).exits(1);
    assert!(
        ran.stderr.contains("account") || ran.stderr.contains("mock-"),
        "{}",
        ran.stderr
    );
    directory.run(&["reconcile", "--once"]).exits(1);
}

#[test]
fn init_makes_the_directory_and_the_state_and_refuses_to_overwrite() {
    let directory = Directory::empty();
    let ran = directory.run(&["init"]).exits(1);
    assert!(ran.stderr.contains("--example"), "{}", ran.stderr);
    for example in ["web", "queue", "environments"] {
        directory
            .run(&["init", "--example", example, "-C", example])
            .exits(0);
        directory.run(&["-C", example, "plan"]).exits(0);
        directory.run(&["-C", example, "init"]).exits(0);
        let ran = directory
            .run(&["init", "--example", example, "-C", example])
            .exits(1);
        assert!(ran.stderr.contains(".hcl"), "{}", ran.stderr);
    }
    let document = directory
        .run(&["-C", "web", "init", "--json"])
        .exits(0)
        .json();
    assert_eq!(document["workspace"], "shop");
    assert_eq!(document["state_is_new"], false);
}

#[test]
fn an_apply_killed_after_any_commit_is_completed_by_the_next_one() {
    for commit in 1..20 {
        let mut directory = Directory::example("environments");
        directory.set("TIDEFORM_VAR_env", "staging");
        let killed = directory
            .command(&["apply", "--auto-approve"])
            .env("TIDEFORM_TEST_EXIT_AFTER_COMMIT", commit.to_string())
            .output()
            .unwrap();
        if killed.status.success() {
            assert!(commit > 4, "an apply of two groups has several commits");
            return;
        }
        directory.run(&["apply", "--auto-approve"]).exits(0);
        directory.run(&["plan", "--detailed-exitcode"]).exits(0);
        directory.run(&["state", "check"]).exits(0);
        let groups = directory.run(&["state", "list", "--json"]).exits(0).json();
        assert_eq!(
            groups["groups"].as_array().unwrap().len(),
            2,
            "commit {commit}"
        );
        let world = directory.run(&["mock", "show", "--json"]).exits(0).json();
        assert_eq!(
            world["groups"].as_array().unwrap().len(),
            2,
            "commit {commit}"
        );
    }
    panic!("the apply never came to its end");
}

#[test]
fn a_lost_state_is_told_from_files_with_errors() {
    let directory = Directory::example("web-shop");
    directory.run(&["apply", "--auto-approve"]).exits(0);
    for name in ["shop.db", "shop.db-wal", "shop.db-shm", "shop.db.lock"] {
        let _ = std::fs::remove_file(directory.file(&format!(".tideform/{name}")));
    }
    let ran = directory.run(&["apply", "--auto-approve"]).exits(1);
    assert!(ran.stderr.contains("P0604"), "{}", ran.stderr);
    assert!(ran.stderr.contains("Restore its backup"), "{}", ran.stderr);
    assert!(
        !ran.stderr.contains("The files have errors"),
        "{}",
        ran.stderr
    );
}

#[test]
fn an_apply_of_nothing_does_not_mind_who_holds_the_lease() {
    use tideform_state::{LeaseHolder, OpenMode, State};
    let directory = Directory::example("web-shop");
    directory.run(&["apply", "--auto-approve"]).exits(0);
    let mut state =
        State::open(directory.file(".tideform/shop.db"), OpenMode::ReadWrite).expect("the state");
    let holder = LeaseHolder {
        id: "other".to_owned(),
        pid: std::process::id(),
        host: "here".to_owned(),
        command: "a daemon".to_owned(),
    };
    // As far in the future as any clock of this test's machine.
    let now = "2100-01-01T00:00:00Z".parse().expect("a time");
    state
        .acquire_lease(&holder, now, std::time::Duration::from_secs(60))
        .expect("the lease");
    directory.run(&["apply"]).exits(0);
    let shop = directory.read("shop.hcl");
    directory.write("shop.hcl", &shop.replace("target = 60", "target = 50"));
    let ran = directory.run(&["apply", "--auto-approve"]).exits(4);
    assert!(ran.stderr.contains("--lock-timeout 1m"), "{}", ran.stderr);
}
