//! Owner tags and names.

use serde_json::json;

use crate::aws_support::{Stage, has};
use crate::common::Directory;
use crate::{CPU, TRACKING, files};

const OWNER: &str = r#"
tags = {t["Key"]: t["Value"] for t in scaling.describe_tags()["Tags"]}
out = [tags.get("tideform:workspace"), tags.get("tideform:state", "").split(" ")[-1]]
"#;

/// Another state, in the same account.
fn other(stage: &Stage, files: &str) -> Directory {
    let mut directory = Directory::with(&[("shop.hcl", files)]);
    for (name, value) in stage.account.environment() {
        directory.set(&name, &value);
    }
    directory.set("TIDEFORM_TEST_NOW", &stage.now.to_string());
    directory
}

#[test]
fn another_states_group_is_refused_and_taken_over_only_on_purpose() {
    let mut stage = Stage::new(&files("shop", "native", CPU));
    stage.group(2, "");
    stage.apply();
    assert_eq!(stage.scaling(OWNER), json!(["shop", "group.web"]));
    assert_eq!(
        stage.scaling(TRACKING),
        json!({ "tideform/shop/web/cpu": 60.0 })
    );
    stage.account.clear_log();

    let other = other(&stage, &files("store", "native", &CPU.replace("60", "70")));
    for command in ["plan", "apply"] {
        let refused = other.run(&[command, "--input=false"]).exits(1);
        has(&refused.stderr, "P0604");
        has(&refused.stderr, "workspace `shop`");
    }
    let writes = |stage: &Stage| {
        let log = stage.account.log();
        log.iter()
            .map(|entry| entry["op"].as_str().unwrap().to_owned())
            .filter(|op| !op.starts_with("Describe") && !op.starts_with("Get"))
            .collect::<Vec<String>>()
    };
    assert_eq!(writes(&stage), Vec::<String>::new());

    let plan = other.run(&["plan", "--take-over"]).exits(0);
    has(&plan.stdout, "taken over from another state");
    other
        .run(&["apply", "--take-over", "--auto-approve"])
        .exits(0);
    assert_eq!(stage.scaling(OWNER), json!(["store", "group.web"]));
    // What the other workspace had made goes, after ours is there.
    assert_eq!(
        stage.scaling(TRACKING),
        json!({ "tideform/store/web/cpu": 70.0 })
    );
    let log = writes(&stage);
    let place = |op: &str| log.iter().position(|one| one == op).unwrap();
    assert!(place("PutScalingPolicy") < place("DeletePolicy"), "{log:?}");
    let plan = other.run(&["plan", "--detailed-exitcode"]).exits(0);
    has(&plan.stdout, "No changes.");

    // The first one sees it, keeps its hands off, and may leave.
    let refused = stage.run(&["plan"]).exits(1);
    has(&refused.stderr, "P0604");
    stage.pass(60);
    let held = stage.run(&["reconcile", "--once"]).exits(1);
    has(&held.stdout, "it belongs to group.web of workspace `store`");
    stage.account.clear_log();
    stage.write(crate::NONE);
    let gone = stage.apply();
    has(&gone.stdout, "is owned by state");
    assert_eq!(writes(&stage), Vec::<String>::new());
    assert_eq!(stage.scaling(OWNER), json!(["store", "group.web"]));
    stage.no_violations();
}

#[test]
fn a_group_that_is_moved_takes_its_names_along_and_one_that_is_forgotten_keeps_everything() {
    let mut stage = Stage::new(&files("shop", "native", CPU));
    stage.group(2, "");
    stage.apply();
    let moved = files("shop", "native", CPU).replace("group \"web\"", "group \"site\"");
    stage.write(&format!(
        "{moved}\nmoved {{\n  from = group.web\n  to   = group.site\n}}\n"
    ));
    stage.account.clear_log();
    stage.apply();
    assert_eq!(stage.scaling(OWNER), json!(["shop", "group.site"]));
    assert_eq!(
        stage.scaling(TRACKING),
        json!({ "tideform/shop/site/cpu": 60.0 })
    );
    let log = stage.account.log();
    let place = |op: &str| log.iter().position(|entry| entry["op"] == op).unwrap();
    assert!(place("PutScalingPolicy") < place("DeletePolicy"));
    stage.plans_nothing();
    // Its history is there under its new address.
    let events = stage.run(&["events", "--group", "site"]).exits(0).stdout;
    has(&events, "taken under management");

    stage.write(&format!(
        "{}\nremoved {{\n  from = group.site\n}}\n",
        crate::NONE
    ));
    // What goes on without anybody is said before it is left behind.
    let plan = stage.run(&["plan"]).exits(0).stdout;
    has(
        &plan,
        "asg web-prod is not touched: its owner's tag, 1 policy of tideform's stay there",
    );
    stage.account.clear_log();
    stage.apply();
    for op in ["DeletePolicy", "DeleteTags", "UpdateAutoScalingGroup"] {
        assert_eq!(stage.account.count("autoscaling", op), 0, "{op}");
    }
    assert_eq!(
        stage.scaling(TRACKING),
        json!({ "tideform/shop/site/cpu": 60.0 })
    );
    stage.no_violations();
}
