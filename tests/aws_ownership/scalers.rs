//! From the cloud's own policies to the loop and back: never a group without a scaler, whatever dies in between.

use serde_json::{Value, json};
use tideform_policies::model::{Controller, GroupAddress};

use crate::aws_support::{Stage, has};
use crate::{CPU, TRACKING, files};

fn of(controller: &str) -> String {
    files("shop", controller, CPU)
}

/// The loop's, by the state that it runs from.
fn is_the_loops(stage: &Stage) -> bool {
    let applied = stage
        .state()
        .applied_group(&GroupAddress::new("web"))
        .unwrap();
    applied.is_some_and(|applied| applied.group.controller == Controller::Tideform)
}

fn has_policy(stage: &Stage) -> bool {
    let enabled = "out = [p['PolicyName'] for p in scaling.describe_policies()['ScalingPolicies'] if p['Enabled']]";
    stage.scaling(enabled) != json!([])
}

#[track_caller]
fn is_scaled(stage: &Stage, when: &str) {
    assert!(is_the_loops(stage) || has_policy(stage), "no scaler {when}");
}

/// The writes so far, in their order: policies put and deleted.
fn policy_writes(stage: &Stage) -> Vec<String> {
    let log = stage.account.log();
    log.iter()
        .filter(|entry| entry["status"] == 200)
        .map(|entry| entry["op"].as_str().unwrap().to_owned())
        .filter(|op| op == "PutScalingPolicy" || op == "DeletePolicy")
        .collect()
}

#[test]
fn a_policy_is_put_before_the_loop_lets_go_and_taken_away_by_its_first_run() {
    let mut stage = Stage::new(&of("native"));
    stage.group(2, "");
    stage.apply();
    assert_eq!(
        stage.scaling(TRACKING),
        json!({ "tideform/shop/web/cpu": 60.0 })
    );
    stage.account.clear_log();

    stage.write(&of("tideform"));
    stage.apply();
    assert_eq!(
        policy_writes(&stage),
        Vec::<String>::new(),
        "the apply leaves it"
    );
    assert!(is_the_loops(&stage) && has_policy(&stage));
    stage.plans_nothing();
    stage.pass(60);
    stage.run(&["reconcile", "--once", "--dry-run"]).exits(0);
    assert_eq!(
        policy_writes(&stage),
        Vec::<String>::new(),
        "a dry run leaves it"
    );
    // Something stands in the way of the loop: it does not take the policy away either.
    stage.scaling("scaling.suspend_processes(AutoScalingGroupName=G, ScalingProcesses=['Launch'])");
    let ran = stage.reconcile_at(120.0);
    has(&ran.stdout, "held");
    assert!(has_policy(&stage));
    stage.scaling("scaling.resume_processes(AutoScalingGroupName=G)");
    let ran = stage.reconcile_at(120.0);
    has(&ran.stdout, "2 -> 4");
    assert_eq!(policy_writes(&stage), ["DeletePolicy"]);
    assert_eq!(stage.said("remove `tideform/shop/web/cpu`"), 1);

    stage.account.clear_log();
    stage.write(&of("native"));
    stage.apply();
    assert_eq!(policy_writes(&stage), ["PutScalingPolicy"]);
    assert!(!is_the_loops(&stage) && has_policy(&stage));
    stage.reconcile();
    assert!(has_policy(&stage));
    stage.plans_nothing();
    stage.no_violations();
}

/// An apply, ended as `kill -9` would right before its n-th commit, with all calls made until then; whether it came so
/// far.
fn dies_before(stage: &Stage, commit: u32) -> bool {
    let ran = stage
        .directory
        .command(&["apply", "--auto-approve"])
        .env("TIDEFORM_TEST_EXIT_BEFORE_COMMIT", commit.to_string())
        .output()
        .unwrap();
    ran.status.code().is_none()
}

#[test]
fn an_apply_that_dies_at_any_moment_leaves_a_scaler_and_the_next_one_goes_on() {
    let mut stage = Stage::new(&of("native"));
    stage.group(2, "");
    stage.apply();
    for commit in 1.. {
        let mut has_died = false;
        for controller in ["tideform", "native"] {
            stage.write(&of(controller));
            has_died |= dies_before(&stage, commit);
            let when = format!("to {controller}, before commit {commit}");
            is_scaled(&stage, &when);
            // The lease of the dead apply runs out, and so does the time that its calls may take. The loop has data: it
            // would take away the policies of a group that it still held for its own.
            stage.pass(60);
            stage.cpu(60.0);
            stage
                .run(&["reconcile", "--once", "--lock-timeout", "120s"])
                .exits(0);
            is_scaled(&stage, &format!("{when}, and a run of the loop"));
            stage
                .run(&["apply", "--auto-approve", "--lock-timeout", "120s"])
                .exits(0);
            is_scaled(&stage, &format!("{when}, and another apply"));
            assert_eq!(is_the_loops(&stage), controller == "tideform", "{when}");
            stage.plans_nothing();
            stage.reconcile_at(60.0);
            is_scaled(&stage, &format!("{when}, and the loop's first run"));
            assert_eq!(has_policy(&stage), controller == "native", "{when}");
        }
        if !has_died {
            // An apply has no more commits than that.
            assert!(commit > 3, "{commit}");
            break;
        }
    }
    stage.no_violations();
}

#[test]
fn a_call_of_the_change_that_is_lost_leaves_a_scaler() {
    for (op, when) in [
        ("PutScalingPolicy", "before"),
        ("PutScalingPolicy", "after"),
        ("DeletePolicy", "before"),
        ("DeletePolicy", "after"),
    ] {
        let mut stage = Stage::new(&of("native"));
        stage.group(2, "");
        stage.apply();
        for controller in ["tideform", "native"] {
            let fault: Value =
                json!([{ "service": "autoscaling", "op": op, "kind": "drop", "when": when }]);
            stage.account.faults(fault);
            stage.write(&of(controller));
            stage.run(&["apply", "--auto-approve"]);
            is_scaled(&stage, &format!("{op} lost {when}, to {controller}"));
            for _ in 0..2 {
                stage.pass(900);
                stage.cpu(60.0);
                stage.run(&["reconcile", "--once"]);
                is_scaled(
                    &stage,
                    &format!("{op} lost {when}, to {controller}, and a run"),
                );
            }
            stage.account.clear_faults();
            stage.apply();
            stage.plans_nothing();
            stage.reconcile_at(60.0);
            is_scaled(
                &stage,
                &format!("{op} lost {when}, to {controller}, settled"),
            );
            assert_eq!(has_policy(&stage), controller == "native", "{op} {when}");
        }
        stage.no_violations();
    }
}

#[test]
fn without_data_the_policy_stays_and_goes_on_scaling() {
    let mut stage = Stage::new(&of("native"));
    stage.group(2, "");
    stage.apply();
    stage.write(&of("tideform"));
    let planned = stage.run(&["plan"]).exits(0);
    has(&planned.stdout, "No metric of group.web has data now");
    stage.apply();
    for _ in 0..2 {
        let ran = stage.reconcile();
        has(&ran.stdout, "no metric has data");
        assert!(has_policy(&stage));
    }
    assert_eq!(stage.said("no metric has data"), 1);
    has(
        &stage.run(&["status"]).exits(0).stdout,
        "no metric has data",
    );
    stage.reconcile_at(60.0);
    assert!(!has_policy(&stage));
    stage.no_violations();
}
