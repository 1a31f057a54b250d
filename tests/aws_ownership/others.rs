//! What others made stays as it is, through everything that tideform does.

use crate::aws_support::Stage;
use crate::{CPU, NONE, files};

/// Policies of each kind with their alarms, schedules and a hook, made by somebody else.
const MADE: &str = r#"
scaling.put_scaling_policy(AutoScalingGroupName=G, PolicyName="network", PolicyType="TargetTrackingScaling",
    TargetTrackingConfiguration={"PredefinedMetricSpecification": {"PredefinedMetricType": "ASGAverageNetworkIn"}, "TargetValue": 1000000.0})
step = scaling.put_scaling_policy(AutoScalingGroupName=G, PolicyName="burst", PolicyType="StepScaling", AdjustmentType="ChangeInCapacity",
    StepAdjustments=[{"MetricIntervalLowerBound": 0.0, "ScalingAdjustment": 2}])["PolicyARN"]
cloudwatch.put_metric_alarm(AlarmName="burst", Namespace="AWS/SQS", MetricName="ApproximateNumberOfMessagesVisible",
    Dimensions=[{"Name": "QueueName", "Value": "jobs"}], Statistic="Average", Period=60, EvaluationPeriods=1,
    Threshold=1000.0, ComparisonOperator="GreaterThanThreshold", AlarmActions=[step])
scaling.put_scaling_policy(AutoScalingGroupName=G, PolicyName="simple", PolicyType="SimpleScaling", AdjustmentType="ChangeInCapacity", ScalingAdjustment=1)
scaling.put_scheduled_update_group_action(AutoScalingGroupName=G, ScheduledActionName="morning", Recurrence="0 8 * * MON-FRI",
    TimeZone="Europe/Berlin", MinSize=3)
scaling.put_lifecycle_hook(AutoScalingGroupName=G, LifecycleHookName="warm-caches",
    LifecycleTransition="autoscaling:EC2_INSTANCE_LAUNCHING", HeartbeatTimeout=60, DefaultResult="CONTINUE")
scaling.create_or_update_tags(Tags=[{"ResourceId": G, "ResourceType": "auto-scaling-group", "Key": "team", "Value": "shop", "PropagateAtLaunch": True}])
"#;

/// All of it that is not tideform's, field by field.
const DUMP: &str = r#"
def theirs(rows, name):
    return sorted((r for r in rows if not r[name].startswith("tideform")), key=lambda r: r[name])
alarms = cloudwatch.describe_alarms()["MetricAlarms"]
out = {
    "policies": theirs(scaling.describe_policies()["ScalingPolicies"], "PolicyName"),
    "actions": theirs(scaling.describe_scheduled_actions()["ScheduledUpdateGroupActions"], "ScheduledActionName"),
    "hooks": theirs(scaling.describe_lifecycle_hooks(AutoScalingGroupName=G)["LifecycleHooks"], "LifecycleHookName"),
    "tags": theirs(scaling.describe_tags()["Tags"], "Key"),
    "alarms": sorted(({k: v for k, v in a.items() if not k.startswith("State")} for a in alarms
        if not any("policyName/tideform/" in action for action in a["AlarmActions"])), key=lambda a: a["AlarmName"]),
}
"#;

/// Everything that tideform can make of its own.
const OURS: &str = r#"
  metric "queue" {
    namespace  = "AWS/SQS"
    name       = "ApproximateNumberOfMessagesVisible"
    dimensions = { QueueName = "jobs" }
    scope      = "group"
    step {
      above = 100
      add   = 2
    }
  }
  schedule "office" {
    cron     = "0 9 * * MON-FRI"
    timezone = "Europe/Berlin"
    duration = "8h"
    min      = 4
  }
  scale_in { drain = "2m" }
"#;

fn made() -> Stage {
    let mut stage = Stage::new(NONE);
    stage.group(2, "");
    stage.scaling(MADE);
    stage
}

#[test]
fn native_control_of_ours_comes_changes_and_goes_beside_what_others_made() {
    let mut stage = made();
    let before = stage.scaling(DUMP);
    assert_eq!(before["policies"].as_array().map(Vec::len), Some(3));
    assert_eq!(
        before["alarms"].as_array().map(Vec::len),
        Some(3),
        "AWS's own two, and one"
    );
    let steps: [(&str, String); 3] = [
        ("applied", files("shop", "native", &format!("{CPU}{OURS}"))),
        (
            "changed",
            files(
                "shop",
                "native",
                &format!("{CPU}{OURS}")
                    .replace("60", "70")
                    .replace("above = 100", "above = 200"),
            ),
        ),
        ("gone", NONE.to_owned()),
    ];
    for (what, text) in steps {
        stage.write(&text);
        stage.apply();
        assert_eq!(stage.scaling(DUMP), before, "{what}");
        stage.reconcile();
        assert_eq!(stage.scaling(DUMP), before, "{what}, and the loop ran");
    }
    let left = stage.scaling(
        "out = [p['PolicyName'] for p in scaling.describe_policies()['ScalingPolicies'] if p['PolicyName'].startswith('tideform')]
out += [a['AlarmName'] for a in cloudwatch.describe_alarms()['MetricAlarms'] if a['AlarmName'].startswith('tideform')]
out += [h['LifecycleHookName'] for h in scaling.describe_lifecycle_hooks(AutoScalingGroupName=G)['LifecycleHooks'] if h['LifecycleHookName'].startswith('tideform')]
out += [a['ScheduledActionName'] for a in scaling.describe_scheduled_actions()['ScheduledUpdateGroupActions'] if a['ScheduledActionName'].startswith('tideform')]
out += [t['Key'] for t in scaling.describe_tags()['Tags'] if t['Key'].startswith('tideform')]",
    );
    assert_eq!(left, serde_json::json!([]));
    stage.no_violations();
}

#[test]
fn the_loop_that_may_coexist_leaves_what_others_made() {
    let mut stage = made();
    let before = stage.scaling(DUMP);
    let coexisting = files(
        "shop",
        "tideform",
        &format!("  coexist = true\n{CPU}  scale_in {{ drain = \"2m\" }}\n"),
    );
    stage.write(&coexisting);
    stage.apply();
    stage.plans_nothing();
    stage.reconcile_at(120.0);
    assert_eq!(stage.desired(), serde_json::json!(4));
    assert_eq!(stage.scaling(DUMP), before);
    stage.run(&["destroy", "--auto-approve"]).exits(0);
    assert_eq!(stage.scaling(DUMP), before);
    assert_eq!(
        stage.desired(),
        serde_json::json!(4),
        "a group that others made stays"
    );
    stage.no_violations();
}
