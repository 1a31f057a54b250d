//! The built binary against an AWS API server on the loopback: from a template to a scaled group and away again.
#![cfg(feature = "aws")]

mod common;

use std::time::{SystemTime, UNIX_EPOCH};

use common::Directory;
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
