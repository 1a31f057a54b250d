//! The built binary against an AWS API server on the loopback: from a template to a scaled group and away again.
#![cfg(feature = "aws")]

mod common;

use std::time::{SystemTime, UNIX_EPOCH};

use common::Directory;
use jiff::{SignedDuration, Timestamp};
use serde_json::{Value, json};
use tideform_aws_testserver::{Account, AwsServer};

const FILES: &str = r#"
tideform {
  workspace = "shop"
}

provider "aws" {
  region = "us-east-1"
}

policy "web" {
  metric "cpu" {
    track { target = 60 }
  }
  scale_in {
    stabilization = "0s"
  }
}

group "web" {
  provider = provider.aws
  use      = [policy.web]
  resource "asg" { name = "web-prod" }

  limits {
    min = 1
    max = 10
  }
  launch {
    launch_template = "web"
    subnets         = ["SUBNET"]
    tags            = { team = "shop" }
  }
}
"#;

/// A directory with these files, in an account with a launch template and a subnet.
fn shop(account: &Account<'_>, files: &str) -> Directory {
    let subnet = account.boto3(
        r#"
ec2 = client("ec2")
ec2.create_launch_template(LaunchTemplateName="web", LaunchTemplateData={"ImageId": "ami-12c6146b", "InstanceType": "m5.large"})
out = ec2.describe_subnets()["Subnets"][0]["SubnetId"]
"#,
    );
    let subnet = subnet.as_str().expect("a subnet");
    let mut directory = Directory::with(&[("shop.hcl", &files.replace("SUBNET", subnet))]);
    for (name, value) in account.environment() {
        directory.set(&name, &value);
    }
    directory
}

/// Puts the mean CPU of the last minutes.
fn cpu(account: &Account<'_>, value: f64) {
    let now = SystemTime::now()
        .duration_since(UNIX_EPOCH)
        .expect("after 1970")
        .as_secs();
    let minute = now - now % 60;
    let points: Vec<Value> = (1..=5).map(|n| json!([minute - n * 60, value])).collect();
    account.metrics(json!([{
        "namespace": "AWS/EC2",
        "name": "CPUUtilization",
        "dimensions": { "AutoScalingGroupName": "web-prod" },
        "unit": "Percent",
        "points": points,
    }]));
}

fn desired(account: &Account<'_>) -> Value {
    account.boto3(
        r#"
groups = client("autoscaling").describe_auto_scaling_groups()["AutoScalingGroups"]
out = groups[0]["DesiredCapacity"] if groups else None
"#,
    )
}

#[test]
fn a_group_is_created_scaled_both_ways_and_destroyed() {
    let account = AwsServer::shared().account();
    let shop = shop(&account, FILES);

    shop.run(&["plan", "--detailed-exitcode"]).exits(2);
    shop.run(&["apply", "--auto-approve"]).exits(0);
    assert_eq!(desired(&account), json!(1));
    let plan = shop.run(&["plan", "--detailed-exitcode"]).exits(0);
    assert!(plan.stdout.contains("No changes."), "{}", plan.stdout);

    let tags = account.boto3(
        r#"
tags = client("autoscaling").describe_tags()["Tags"]
out = {tag["Key"]: [tag["Value"], tag["PropagateAtLaunch"]] for tag in tags}
"#,
    );
    assert_eq!(tags["tideform:workspace"], json!(["shop", false]));
    assert_eq!(tags["team"], json!(["shop", true]));

    cpu(&account, 180.0);
    shop.run(&["reconcile", "--once"]).exits(0);
    assert_eq!(desired(&account), json!(3));
    let why = shop.run(&["explain", "web"]).exits(0).stdout;
    assert!(why.contains("1 -> 3"), "{why}");

    assert_eq!(account.violations(), Vec::<Value>::new());
    shop.run(&["destroy", "--auto-approve"]).exits(0);
    assert_eq!(desired(&account), Value::Null);
}

#[test]
fn wrong_credentials_and_missing_permissions_are_said_with_the_call() {
    let account = AwsServer::shared().account();
    let shop = shop(&account, FILES);
    account.allow(Some(&["sts:GetCallerIdentity"]));
    let denied = shop.run(&["plan"]).exits(1);
    let said = format!("{}{}", denied.stdout, denied.stderr);
    assert!(
        said.contains("autoscaling:DescribeAutoScalingGroups"),
        "{said}"
    );
    assert!(!said.contains("test-secret-of-no-account"), "{said}");
}

const NATIVE: &str = r#"
tideform {
  workspace = "shop"
}

provider "aws" {}

group "web" {
  provider   = provider.aws
  controller = "native"
  resource "asg" { name = "web-prod" }

  limits {
    min = 1
    max = 10
  }
  metric "cpu" {
    track { target = 60 }
  }
  metric "queue" {
    namespace  = "AWS/SQS"
    name       = "ApproximateNumberOfMessagesVisible"
    dimensions = { QueueName = "jobs" }
    scope      = "group"
    breach     = "2 of 3"
    step {
      above = 100
      add   = 2
    }
    step {
      above = 1000
      add   = 5
    }
    step {
      below  = 10
      remove = 1
    }
  }
  schedule "office" {
    cron     = "0 8 * * MON-FRI"
    timezone = "Europe/Berlin"
    duration = "10h"
    min      = 4
  }
}
"#;

#[test]
fn a_policy_becomes_the_clouds_own_and_leaves_what_others_made() {
    let account = AwsServer::shared().account();
    let shop = shop(&account, NATIVE);
    account.boto3(
        r#"
scaling = client("autoscaling")
scaling.create_auto_scaling_group(AutoScalingGroupName="web-prod", MinSize=1, MaxSize=10, DesiredCapacity=2,
    LaunchTemplate={"LaunchTemplateName": "web", "Version": "$Default"}, AvailabilityZones=["us-east-1a"])
scaling.put_scaling_policy(AutoScalingGroupName="web-prod", PolicyName="theirs", PolicyType="TargetTrackingScaling",
    TargetTrackingConfiguration={"PredefinedMetricSpecification": {"PredefinedMetricType": "ASGAverageNetworkIn"}, "TargetValue": 1000000.0})
"#,
    );
    shop.run(&["apply", "--auto-approve"]).exits(0);
    let made = account.boto3(
        r#"
scaling, cloudwatch = client("autoscaling"), client("cloudwatch")
policies = {p["PolicyName"]: p for p in scaling.describe_policies()["ScalingPolicies"]}
alarms = {a["AlarmName"]: a for a in cloudwatch.describe_alarms()["MetricAlarms"]}
actions = {a["ScheduledActionName"]: a for a in scaling.describe_scheduled_actions()["ScheduledUpdateGroupActions"]}
cpu = policies["tideform/shop/web/cpu"]["TargetTrackingConfiguration"]
out_ = policies["tideform/shop/web/queue-out"]
alarm = alarms["tideform/shop/web/queue-out"]
opened, closed = actions["tideform/shop/web/office-open"], actions["tideform/shop/web/office-close"]
out = {
    "policies": sorted(policies),
    "cpu": [cpu["PredefinedMetricSpecification"]["PredefinedMetricType"], cpu["TargetValue"], cpu["DisableScaleIn"]],
    "steps": [[s.get("MetricIntervalLowerBound"), s.get("MetricIntervalUpperBound"), s["ScalingAdjustment"]] for s in out_["StepAdjustments"]],
    "alarm": [alarm["Threshold"], alarm["ComparisonOperator"], alarm["EvaluationPeriods"], alarm["DatapointsToAlarm"], alarm["AlarmActions"] == [out_["PolicyARN"]]],
    "open": [opened["Recurrence"], opened["TimeZone"], opened["MinSize"], opened["MaxSize"]],
    "close": [closed["Recurrence"], closed["MinSize"], closed["MaxSize"]],
}
"#,
    );
    assert_eq!(
        made,
        json!({
            "policies": ["theirs", "tideform/shop/web/cpu", "tideform/shop/web/queue-in", "tideform/shop/web/queue-out"],
            "cpu": ["ASGAverageCPUUtilization", 60.0, false],
            "steps": [[0.0, 900.0, 2], [900.0, null, 5]],
            "alarm": [100.0, "GreaterThanOrEqualToThreshold", 3, 2, true],
            "open": ["0 8 * * MON-FRI", "Europe/Berlin", 4, 10],
            "close": ["0 18 * * MON-FRI", 1, 10],
        })
    );
    let plan = shop.run(&["plan", "--detailed-exitcode"]).exits(0);
    assert!(plan.stdout.contains("No changes."), "{}", plan.stdout);
    shop.write(
        "shop.hcl",
        "tideform {\n  workspace = \"shop\"\n}\nprovider \"aws\" {}\n",
    );
    shop.run(&["apply", "--auto-approve"]).exits(0);
    let left = account.boto3(
        r#"
scaling, cloudwatch = client("autoscaling"), client("cloudwatch")
out = [
    [p["PolicyName"] for p in scaling.describe_policies()["ScalingPolicies"]],
    [a["AlarmName"] for a in cloudwatch.describe_alarms()["MetricAlarms"] if a["AlarmName"].startswith("tideform/")],
    len(scaling.describe_scheduled_actions()["ScheduledUpdateGroupActions"]),
    [g["DesiredCapacity"] for g in scaling.describe_auto_scaling_groups()["AutoScalingGroups"]],
]
"#,
    );
    assert_eq!(left, json!([["theirs"], [], 0, [2]]));
    assert_eq!(account.violations(), Vec::<Value>::new());
}

/// Puts the CPU of some of the last minutes: `ago` is how many minutes each lies back.
fn cpu_ago(account: &Account<'_>, ago: std::ops::RangeInclusive<u64>, value: f64) {
    let now = SystemTime::now()
        .duration_since(UNIX_EPOCH)
        .expect("after 1970")
        .as_secs();
    let minute = now - now % 60;
    let points: Vec<Value> = ago.map(|n| json!([minute - n * 60, value])).collect();
    account.metrics(json!([{
        "namespace": "AWS/EC2",
        "name": "CPUUtilization",
        "dimensions": { "AutoScalingGroupName": "web-prod" },
        "unit": "Percent",
        "points": points,
    }]));
}

#[test]
fn a_group_of_somebody_else_is_imported_handed_to_the_loop_scaled_both_ways_and_given_back() {
    let account = AwsServer::shared().account();
    let mut directory = Directory::empty();
    for (name, value) in account.environment() {
        directory.set(&name, &value);
    }
    account.boto3(
        r#"
client("ec2").create_launch_template(LaunchTemplateName="web", LaunchTemplateData={"ImageId": "ami-12c6146b", "InstanceType": "m5.large"})
scaling = client("autoscaling")
scaling.create_auto_scaling_group(AutoScalingGroupName="web-prod", MinSize=1, MaxSize=10, DesiredCapacity=2,
    LaunchTemplate={"LaunchTemplateName": "web", "Version": "$Default"}, AvailabilityZones=["us-east-1a"])
scaling.put_scaling_policy(AutoScalingGroupName="web-prod", PolicyName="cpu-60", PolicyType="TargetTrackingScaling",
    TargetTrackingConfiguration={"PredefinedMetricSpecification": {"PredefinedMetricType": "ASGAverageCPUUtilization"}, "TargetValue": 60.0})
"#,
    );
    let policies = || {
        account.boto3(
            r#"
out = [p["PolicyName"] for p in client("autoscaling").describe_policies()["ScalingPolicies"]]
"#,
        )
    };

    // As it is: nothing changes, before apply or after.
    directory
        .run(&[
            "import",
            "aws",
            "--filter",
            "name=web-*",
            "--out",
            "shop.hcl",
        ])
        .exits(0);
    let plan = directory.run(&["plan", "--detailed-exitcode"]).exits(0);
    assert!(
        plan.stdout.ends_with(
            "Apply would take ownership of 1 group with 1 control of the cloud's own, and change nothing that scales.\nNo changes.\n"
        ),
        "{}",
        plan.stdout
    );
    let applied = directory.run(&["apply", "--auto-approve"]).exits(0);
    assert!(
        applied.stdout.ends_with(
            "Apply complete: 0 added, 0 changed, 0 removed, 1 taken under management as they are.\n"
        ),
        "{}",
        applied.stdout
    );
    let plan = directory.run(&["plan", "--detailed-exitcode"]).exits(0);
    assert!(plan.stdout.contains("No changes."), "{}", plan.stdout);
    assert_eq!(
        (desired(&account), policies()),
        (json!(2), json!(["cpu-60"]))
    );

    // To the loop: its first run that holds the group takes the policy away.
    let file = directory
        .read("shop.hcl")
        .replace("controller = \"native\"", "controller = \"tideform\"")
        .replace(
            "  limits {",
            "  every  = \"1s\"\n  warmup = \"0s\"\n  scale_in { stabilization = \"0s\" }\n\n  limits {",
        );
    directory.write("shop.hcl", &file);
    directory.run(&["plan", "--detailed-exitcode"]).exits(2);
    directory.run(&["apply", "--auto-approve"]).exits(0);
    assert_eq!(policies(), json!(["cpu-60"]));
    cpu_ago(&account, 2..=5, 180.0);
    directory.run(&["reconcile", "--once"]).exits(0);
    assert_eq!((desired(&account), policies()), (json!(6), json!([])));
    cpu_ago(&account, 1..=1, 20.0);
    // The group is due again a second after its last decision, however fast this machine is.
    let due = Timestamp::now() + SignedDuration::from_secs(2);
    directory.set("TIDEFORM_TEST_NOW", &due.to_string());
    directory.run(&["reconcile", "--once"]).exits(0);
    assert_eq!(desired(&account), json!(2));

    let events = directory.run(&["events"]).exits(0).stdout;
    for words in ["2 -> 6", "6 -> 2"] {
        assert!(events.contains(words), "{words}: {events}");
    }
    let why = directory.run(&["explain", "web-prod"]).exits(0).stdout;
    assert!(why.contains("20 % against a target of 60 %"), "{why}");
    let cost = directory.run(&["cost"]).exits(0).stdout;
    assert!(cost.contains("web-prod      0.00"), "{cost}");

    // Given back: the group stays as it is, without our tags.
    directory.run(&["destroy", "--auto-approve"]).exits(0);
    let left = account.boto3(
        r#"
group = client("autoscaling").describe_auto_scaling_groups()["AutoScalingGroups"][0]
out = [group["DesiredCapacity"], group["MinSize"], group["MaxSize"], [t["Key"] for t in group["Tags"]]]
"#,
    );
    assert_eq!(left, json!([2, 1, 10, []]));
    assert_eq!(account.violations(), Vec::<Value>::new());
}
