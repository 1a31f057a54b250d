//! Groups that somebody else made, and what is promised of each import.

use serde_json::Value;
use tideform_aws_testserver::{Account, AwsServer};

use crate::common::Directory;

/// What somebody else made: helpers for the scripts below.
pub(crate) const MAKE: &str = r#"
ec2, scaling, cloudwatch = client("ec2"), client("autoscaling"), client("cloudwatch")
ec2.create_launch_template(LaunchTemplateName="web", LaunchTemplateData={"ImageId": "ami-12c6146b", "InstanceType": "m5.large"})
TEMPLATE = {"LaunchTemplateName": "web", "Version": "$Default"}
def group(name, low=2, high=20, desired=4, **more):
    if "MixedInstancesPolicy" not in more:
        more["LaunchTemplate"] = TEMPLATE
    scaling.create_auto_scaling_group(AutoScalingGroupName=name, MinSize=low, MaxSize=high, DesiredCapacity=desired,
        AvailabilityZones=["us-east-1a"], Tags=[{"Key": "team", "Value": "shop", "PropagateAtLaunch": True}], **more)
def track(name, policy, target, **more):
    metric = {k: more.pop(k) for k in list(more) if k.endswith("Specification")}
    scaling.put_scaling_policy(AutoScalingGroupName=name, PolicyName=policy, PolicyType="TargetTrackingScaling",
        TargetTrackingConfiguration={"TargetValue": target, "DisableScaleIn": more.pop("DisableScaleIn", False), **metric}, **more)
def predefined(kind):
    return {"PredefinedMetricSpecification": {"PredefinedMetricType": kind}}
def step(name, policy, alarm, steps, kind="ChangeInCapacity", least=None, actions=(), **spec):
    more = {"MinAdjustmentMagnitude": least} if least else {}
    arn = scaling.put_scaling_policy(AutoScalingGroupName=name, PolicyName=policy, PolicyType="StepScaling", AdjustmentType=kind,
        StepAdjustments=[{k: v for k, v in zip(["MetricIntervalLowerBound", "MetricIntervalUpperBound", "ScalingAdjustment"], s) if v is not None} for s in steps], **more)["PolicyARN"]
    if alarm:
        cloudwatch.put_metric_alarm(AlarmName=alarm, AlarmActions=[arn, *actions], **spec)
def cpu(name, **more):
    return {"Namespace": "AWS/EC2", "MetricName": "CPUUtilization", "Statistic": "Average",
        "Dimensions": [{"Name": "AutoScalingGroupName", "Value": name}], "Period": 300, "EvaluationPeriods": 2, **more}
def series(id, namespace, name, stat, dimensions, answer=False):
    return {"Id": id, "ReturnData": answer, "MetricStat": {"Stat": stat, "Metric": {"Namespace": namespace, "MetricName": name,
        "Dimensions": [{"Name": k, "Value": v} for k, v in dimensions.items()]}}}
def in_service(id, name, answer=False):
    return series(id, "AWS/AutoScaling", "GroupInServiceInstances", "Average", {"AutoScalingGroupName": name}, answer)
def action(name, called, **more):
    scaling.put_scheduled_update_group_action(AutoScalingGroupName=name, ScheduledActionName=called, **more)
"#;

/// Everything that scales the groups of an account; of the groups all but their tags.
pub(crate) const SNAPSHOT: &str = r#"
scaling, cloudwatch = client("autoscaling"), client("cloudwatch")
def plain(thing):
    return {k: v for k, v in thing.items() if k not in ("StateUpdatedTimestamp", "StateTransitionedTimestamp", "AlarmConfigurationUpdatedTimestamp", "StateReason", "StateReasonData", "StateValue", "Tags", "Instances")}
groups = [plain(g) for g in scaling.describe_auto_scaling_groups()["AutoScalingGroups"]]
policies = [plain(p) for p in scaling.describe_policies()["ScalingPolicies"]]
alarms = [plain(a) for a in cloudwatch.describe_alarms()["MetricAlarms"]]
actions = [plain(a) for a in scaling.describe_scheduled_actions()["ScheduledUpdateGroupActions"]]
hooks = [h for g in groups for h in scaling.describe_lifecycle_hooks(AutoScalingGroupName=g["AutoScalingGroupName"])["LifecycleHooks"]]
import json
out = json.loads(json.dumps([groups, policies, alarms, actions, hooks], default=str))
"#;

/// An account with these groups, and an empty directory that reaches it.
pub(crate) fn account_with<'a>(server: &'a AwsServer, script: &str) -> (Account<'a>, Directory) {
    let account = server.account();
    account.boto3(&format!("{MAKE}\n{script}\nout = None"));
    let mut directory = Directory::empty();
    for (name, value) in account.environment() {
        directory.set(&name, &value);
    }
    (account, directory)
}

/// Imports, and holds the file to what is promised of it: formatted, no changes before and after apply, nothing else
/// than tags written.
pub(crate) fn import(account: &Account<'_>, directory: &Directory) -> (String, String) {
    let before = account.boto3(SNAPSHOT);
    let imported = directory
        .run(&[
            "import",
            "aws",
            "--out",
            "shop.hcl",
            "--filter",
            "tag:team=shop",
        ])
        .exits(0);
    let file = directory.read("shop.hcl");
    directory.run(&["fmt", "--check"]).exits(0);
    let plan = directory.run(&["plan", "--detailed-exitcode"]);
    assert_eq!(plan.code, Some(0), "{file}\n{}{}", plan.stdout, plan.stderr);
    assert!(plan.stdout.ends_with("No changes.\n"), "{}", plan.stdout);
    assert!(
        plan.stdout.contains("Apply would take ownership of"),
        "{}",
        plan.stdout
    );
    assert_eq!(account.boto3(SNAPSHOT), before, "before apply");
    directory.run(&["apply", "--auto-approve"]).exits(0);
    assert_eq!(account.boto3(SNAPSHOT), before, "{file}");
    let plan = directory.run(&["plan", "--detailed-exitcode"]).exits(0);
    assert!(plan.stdout.contains("No changes."), "{}", plan.stdout);
    assert!(!plan.stdout.contains("ownership"), "{}", plan.stdout);
    assert_eq!(account.violations(), Vec::<Value>::new());
    (file, imported.stderr)
}
