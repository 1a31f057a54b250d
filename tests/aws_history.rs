//! Backtests on what CloudWatch has recorded, by the built binary: the first plan of groups that nobody has watched yet.
#![cfg(feature = "aws")]

mod common;

use std::time::{SystemTime, UNIX_EPOCH};

use common::Directory;
use serde_json::{Value, json};
use tideform_aws_testserver::{Account, AwsServer};

/// Two groups that somebody else made, without policies.
const GROUPS: &str = r#"
ec2, scaling = client("ec2"), client("autoscaling")
ec2.create_launch_template(LaunchTemplateName="web", LaunchTemplateData={"ImageId": "ami-12c6146b", "InstanceType": "m5.large"})
for name in ["web-prod", "api-prod"]:
    scaling.create_auto_scaling_group(AutoScalingGroupName=name, MinSize=1, MaxSize=20, DesiredCapacity=4,
        LaunchTemplate={"LaunchTemplateName": "web", "Version": "$Default"}, AvailabilityZones=["us-east-1a"])
out = None
"#;

const FILES: &str = r#"
tideform {
  workspace = "shop"
}

provider "aws" {
  region = "us-east-1"
}

group "svc" {
  for_each = toset(["web", "api"])
  provider = provider.aws
  resource "asg" { name = "${each.key}-prod" }

  metric "cpu" {
    track { target = 60 }
  }
  limits {
    min = 2
    max = 12
  }
}
"#;

const DAYS: u64 = 14;

/// Half of what four instances can do, for more than two weeks, a sample a minute.
fn record(account: &Account<'_>, name: &str, counts: &[&str]) {
    let now = SystemTime::now().duration_since(UNIX_EPOCH);
    let minute = now.expect("after 1970").as_secs() / 60;
    let points = |value: f64| -> Vec<Value> {
        let minutes = 1..=DAYS * 24 * 60 + 10;
        minutes.map(|n| json!([(minute - n) * 60, value])).collect()
    };
    let dimensions = json!({ "AutoScalingGroupName": name });
    let mut series = vec![json!({
        "namespace": "AWS/EC2", "name": "CPUUtilization", "dimensions": dimensions, "unit": "Percent",
        "points": points(50.0),
    })];
    series.extend(counts.iter().map(|count| {
        json!({
            "namespace": "AWS/AutoScaling", "name": count, "dimensions": dimensions, "unit": "None",
            "points": points(4.0),
        })
    }));
    account.metrics(json!(series));
}

fn shop<'a>(server: &'a AwsServer, files: &str) -> (Account<'a>, Directory) {
    let account = server.account();
    account.boto3(GROUPS);
    let mut directory = Directory::with(&[("shop.hcl", files)]);
    for (name, value) in account.environment() {
        directory.set(&name, &value);
    }
    (account, directory)
}

#[test]
fn two_weeks_of_cloudwatch_stand_in_the_first_plan() {
    let (account, shop) = shop(AwsServer::shared(), FILES);
    record(
        &account,
        "web-prod",
        &["GroupInServiceCapacity", "GroupInServiceInstances"],
    );
    // Only one of the two is switched on.
    record(&account, "api-prod", &["GroupInServiceInstances"]);
    let plan = shop.run(&["plan"]).exits(0);
    let of = " of `cpu` x capacity from CloudWatch (1m), ";
    let found = plan.stdout.lines().filter(|line| line.contains(of));
    assert_eq!(found.count(), 2, "{}", plan.stdout);
    // What the first plan asked is another matter.
    account.clear_log();
    let json = shop.run(&["plan", "--json"]).exits(0).json();
    for backtest in json["backtest"].as_array().expect("backtests") {
        let hours = backtest["load"]["steps"].as_f64().unwrap_or(0.0) / 60.0;
        let optimum = backtest["optimum"][1]["instance_hours"].as_f64();
        // Half of four are two, at each moment.
        assert!(
            (optimum.unwrap_or(0.0) - 2.0 * hours).abs() < 1e-3,
            "{backtest:#}"
        );
        assert_eq!(backtest["load"]["held"], 0, "{backtest:#}");
        // Nothing scales them now.
        let now = backtest["now"]["instance_hours"].as_f64();
        assert!(
            (now.unwrap_or(0.0) - 4.0 * hours).abs() < 1e-3,
            "{backtest:#}"
        );
        let said = "now: nothing that can be simulated scales it, so it stays at 4";
        assert_eq!(backtest["notes"][0], said, "{backtest:#}");
    }
    // All groups and metrics in one call of two pages; another is the next decision's.
    assert!(account.count("cloudwatch", "GetMetricData") <= 3);
    assert_eq!(account.violations(), Vec::<Value>::new());
}

#[test]
fn what_cloudwatch_cannot_say_is_a_line_and_no_gate_passes_by_it() {
    let (account, shop) = shop(AwsServer::shared(), FILES);
    record(&account, "web-prod", &[]);
    let plan = shop.run(&["plan"]).exits(0).stdout;
    let said = plan.split_whitespace().collect::<Vec<_>>().join(" ");
    // It is some seconds old, and so are its activities.
    assert!(
        said.contains("CloudWatch has `cpu` and not how many instances it is the mean of; let the group measure itself"),
        "{said}"
    );
    assert!(
        said.contains("CloudWatch has nothing of `cpu`; give its load"),
        "{said}"
    );
    account.allow(Some(&[
        "sts:GetCallerIdentity",
        "autoscaling:Describe*",
        "ec2:Describe*",
        "cloudwatch:DescribeAlarms",
    ]));
    let plan = shop
        .run(&["plan", "--fail-if", "short > 5m"])
        .exits(3)
        .stdout;
    let said = plan.split_whitespace().collect::<Vec<_>>().join(" ");
    assert!(
        said.contains("it could not be read from CloudWatch: "),
        "{said}"
    );
    assert!(said.contains("cloudwatch:GetMetricData"), "{said}");
    assert!(
        said.contains("`short > 5m` cannot be judged for group.svc[\"web\"]"),
        "{said}"
    );
}

/// The same group with a policy of somebody's, taken over and changed.
const ADOPTED: &str = r#"
tideform {
  workspace = "shop"
}

provider "aws" {
  region = "us-east-1"
}

group "web" {
  provider   = provider.aws
  controller = "native"
  adopt      = ["cpu-50"]
  resource "asg" { name = "web-prod" }

  metric "cpu" {
    track { target = 80 }
  }
  limits {
    min = 1
    max = 20
  }
}
"#;

#[test]
fn the_clouds_own_policies_are_now_when_they_are_taken_over() {
    let (account, shop) = shop(AwsServer::shared(), ADOPTED);
    account.boto3(
        r#"
scaling = client("autoscaling")
scaling.put_scaling_policy(AutoScalingGroupName="web-prod", PolicyName="cpu-50", PolicyType="TargetTrackingScaling",
    TargetTrackingConfiguration={"TargetValue": 50, "PredefinedMetricSpecification": {"PredefinedMetricType": "ASGAverageCPUUtilization"}})
out = None
"#,
    );
    record(&account, "web-prod", &["GroupInServiceCapacity"]);
    let by_loop = ADOPTED.replace("\"native\"", "\"tideform\"");
    for files in [ADOPTED, &by_loop] {
        shop.write("shop.hcl", files);
        let json = shop.run(&["plan", "--json"]).exits(0).json();
        let backtest = &json["backtest"][0];
        assert_eq!(
            backtest["notes"][0], "now: `cpu-50`, as live",
            "{backtest:#}"
        );
        let mean = |whose: &str| backtest[whose]["mean_capacity"].as_f64().unwrap_or(0.0);
        // The load is two at full use: four of them are at 50 %, three at 67 %.
        assert!((3.9..=4.0).contains(&mean("now")), "{backtest:#}");
        assert!((2.9..=3.0).contains(&mean("planned")), "{backtest:#}");
    }
    // Once it is applied, that is what now is, until somebody changes it.
    shop.write("shop.hcl", ADOPTED);
    shop.run(&["apply", "--auto-approve"]).exits(0);
    shop.write("shop.hcl", &ADOPTED.replace("target = 80", "target = 50"));
    let now = |directory: &Directory| {
        let json = directory.run(&["plan", "--json"]).exits(0).json();
        json["backtest"][0]["now"]["mean_capacity"]
            .as_f64()
            .unwrap_or(0.0)
    };
    assert!((2.9..=3.0).contains(&now(&shop)));
    account.boto3(
        r#"
scaling = client("autoscaling")
scaling.put_scaling_policy(AutoScalingGroupName="web-prod", PolicyName="by-hand", PolicyType="TargetTrackingScaling",
    TargetTrackingConfiguration={"TargetValue": 25, "PredefinedMetricSpecification": {"PredefinedMetricType": "ASGAverageCPUUtilization"}})
out = None
"#,
    );
    assert!((7.9..=8.0).contains(&now(&shop)));
    assert_eq!(account.violations(), Vec::<Value>::new());
}

#[test]
fn of_a_group_that_does_not_measure_itself_its_activities_tell_how_many_there_were() {
    let account = AwsServer::shared().account();
    // It was made eight days ago with four, and had eight from three days ago on.
    let now = jiff::Timestamp::now();
    let days_ago = |days: i64| (now - jiff::SignedDuration::from_hours(24 * days)).to_string();
    account.stop_clock(&days_ago(8));
    account.boto3(
        &GROUPS
            .replace("out = None", "")
            .replace(", \"api-prod\"", ""),
    );
    account.advance(5 * 24 * 3_600);
    account.boto3(
        r#"
client("autoscaling").set_desired_capacity(AutoScalingGroupName="web-prod", DesiredCapacity=8)
out = None
"#,
    );
    account.tell("clock", json!({ "now": now.to_string(), "stopped": false }));
    record(&account, "web-prod", &[]);
    let mut shop = Directory::with(&[("shop.hcl", &FILES.replace(", \"api\"", ""))]);
    for (name, value) in account.environment() {
        shop.set(&name, &value);
    }
    let json = shop.run(&["plan", "--json"]).exits(0).json();
    let backtest = &json["backtest"][0];
    let hours = backtest["load"]["steps"].as_f64().unwrap_or(0.0) / 60.0;
    assert!((191.0..=192.0).contains(&hours), "{backtest:#}");
    // Half of four for five days, half of eight for three, less what booting takes.
    let optimum = backtest["optimum"][1]["instance_hours"]
        .as_f64()
        .unwrap_or(0.0);
    assert!(
        (optimum - 24.0 * (5.0 * 2.0 + 3.0 * 4.0)).abs() < 2.0,
        "{backtest:#}"
    );
    assert_eq!(account.violations(), Vec::<Value>::new());
}
