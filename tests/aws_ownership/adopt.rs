//! Policies of others beside ours: refused, taken over, or let be.

use serde_json::json;

use crate::aws_support::{Stage, has};
use crate::{CPU, THEIRS, TRACKING, files};

#[test]
fn beside_the_loop_an_enabled_policy_is_an_error_until_it_is_adopted() {
    let mut stage = Stage::new(&files("shop", "tideform", CPU));
    stage.group(2, "");
    stage.scaling(THEIRS);
    let refused = stage.run(&["plan"]).exits(1);
    has(&refused.stderr, "P0603");
    has(&refused.stderr, "`cpu-50` (target tracking, cpu at 50)");

    stage.write(&files(
        "shop",
        "tideform",
        &format!("  adopt = [\"cpu-50\"]\n{CPU}"),
    ));
    let plan = stage.run(&["plan"]).exits(0).stdout;
    has(&plan, "<= cpu-50");
    stage.apply();
    assert_eq!(
        stage.scaling(TRACKING),
        json!({ "cpu-50": 50.0 }),
        "until the loop holds it"
    );
    let ran = stage.reconcile_at(60.0);
    has(&ran.stdout, "remove `cpu-50`");
    assert_eq!(stage.scaling(TRACKING), json!({}));
    stage.plans_nothing();
    stage.no_violations();
}

#[test]
fn a_policy_that_is_switched_off_stands_in_nobodys_way() {
    let mut stage = Stage::new(&files("shop", "tideform", CPU));
    stage.group(2, "");
    stage.scaling(&THEIRS.replace("50.0})", "50.0}, Enabled=False)"));
    let plan = stage.run(&["plan"]).exits(0).stdout;
    has(&plan, "cpu-50");
    stage.apply();
    stage.reconcile();
    assert_eq!(stage.scaling(TRACKING), json!({ "cpu-50": 50.0 }));
}

#[test]
fn under_native_control_an_adopted_policy_keeps_its_name_and_follows_the_files() {
    let adopting = |adopt: &str, metric: &str| {
        files("shop", "native", &format!("  adopt = {adopt}\n{metric}"))
    };
    let mut stage = Stage::new(&adopting("[\"cpu-50\"]", CPU));
    stage.group(2, "");
    stage.scaling(THEIRS);
    let plan = stage.run(&["plan"]).exits(0).stdout;
    has(&plan, "<= cpu-50");
    has(&plan, "kept under its own name");
    stage.apply();
    assert_eq!(stage.scaling(TRACKING), json!({ "cpu-50": 60.0 }));
    stage.plans_nothing();

    stage.write(&adopting("[\"cpu-50\"]", &CPU.replace("60", "70")));
    stage.apply();
    assert_eq!(stage.scaling(TRACKING), json!({ "cpu-50": 70.0 }));
    stage.plans_nothing();

    // Another metric instead: the adopted policy goes after the new one is there.
    let network = CPU.replace("cpu", "network_in").replace("60", "1000");
    stage.write(&adopting("[\"cpu-50\"]", &network));
    stage.account.clear_log();
    stage.apply();
    assert_eq!(
        stage.scaling(TRACKING),
        json!({ "tideform/shop/web/network_in": 1000.0 })
    );
    let log = stage.account.log();
    let place = |op: &str| log.iter().position(|entry| entry["op"] == op).unwrap();
    assert!(place("PutScalingPolicy") < place("DeletePolicy"));
    stage.plans_nothing();
    stage.no_violations();
}

#[test]
fn adopting_all_takes_every_policy_over_and_what_was_adopted_stays_when_the_group_leaves() {
    let all = files("shop", "native", &format!("  adopt = true\n{CPU}"));
    let mut stage = Stage::new(&all);
    stage.group(2, "");
    stage.scaling(THEIRS);
    stage.scaling(
        &THEIRS
            .replace("cpu-50", "network")
            .replace("ASGAverageCPUUtilization", "ASGAverageNetworkIn"),
    );
    let plan = stage.run(&["plan"]).exits(0).stdout;
    has(&plan, "<= cpu-50");
    has(&plan, "- network");
    stage.apply();
    assert_eq!(stage.scaling(TRACKING), json!({ "cpu-50": 60.0 }));
    stage.plans_nothing();

    stage.write(crate::NONE);
    let plan = stage.run(&["plan"]).exits(0).stdout;
    has(&plan, "cpu-50");
    stage.apply();
    assert_eq!(
        stage.scaling(TRACKING),
        json!({ "cpu-50": 60.0 }),
        "it was there before"
    );
    stage.no_violations();
}
