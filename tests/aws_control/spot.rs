//! The mix, the fallback to on-demand, and the way back.

use serde_json::json;

use crate::aws_support::{Stage, has};
use crate::files;

const MIX: &str = r#"
  mix {
    on_demand_base = 1
    spot           = "50%"
    types          = ["m5.large", "m5.xlarge"]
    fallback {
      after    = 3
      duration = "30m"
    }
  }
"#;

const SEEN: &str = r#"
group = scaling.describe_auto_scaling_groups()["AutoScalingGroups"][0]
ids = [i["InstanceId"] for i in group["Instances"] if i["LifecycleState"] == "InService"]
machines = [i for r in client("ec2").describe_instances(InstanceIds=ids)["Reservations"] for i in r["Instances"]]
distribution = group["MixedInstancesPolicy"]["InstancesDistribution"]
spot = sum(i.get("InstanceLifecycle") == "spot" for i in machines)
out = [distribution["OnDemandPercentageAboveBaseCapacity"], group["DesiredCapacity"], len(ids) - spot, spot]
"#;

#[test]
fn failed_spot_launches_move_the_group_to_on_demand_for_a_while_and_back() {
    let mut stage = Stage::new(&files(MIX));
    stage.group(1, "");
    stage.apply();
    stage.plans_nothing();
    stage.reconcile_at(60.0);

    // The on-demand part grows, the spot part fails again and again.
    stage
        .account
        .launch_failures(json!([{ "lifecycle": "spot" }]));
    stage.reconcile_at(290.0);
    assert_eq!(stage.scaling(SEEN), json!([50, 5, 3, 0]));
    for _ in 0..3 {
        stage.pass(90);
        stage.scaling("scaling.describe_scaling_activities()");
    }
    let group = json!({ "AutoScalingGroupName": "web-prod" });
    stage.metric("AWS/EC2", "CPUUtilization", &group, 60.0);
    let ran = stage.reconcile();
    has(&ran.stdout, "spot share 0%");
    assert_eq!(stage.said("spot launches failed: on demand until"), 1);
    // Auto Scaling tries again by itself.
    stage.pass(90);
    assert_eq!(stage.scaling(SEEN), json!([100, 5, 5, 0]));
    // The loop's own doing is no drift.
    stage.plans_nothing();
    let explained = stage.run(&["explain", "web"]).exits(0).stdout;
    has(&explained, "on demand");

    // Spot is there again, and so is the share when the half hour is over.
    stage.account.launch_failures(json!([]));
    stage.reconcile_at(60.0);
    assert_eq!(stage.scaling(SEEN)[0], json!(100), "a quarter of an hour");
    stage.reconcile_at(60.0);
    let ran = stage.reconcile_at(60.0);
    assert_eq!(stage.scaling(SEEN)[0], json!(50), "{}", ran.stdout);
    assert_eq!(stage.said("back to a spot share of 50%"), 1);
    stage.plans_nothing();
    let writes = stage.asked("UpdateAutoScalingGroup", "MixedInstancesPolicy");
    assert_eq!(writes.len(), 3, "the apply, the fallback, the way back");
    stage.no_violations();
}
