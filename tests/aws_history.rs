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
    record(&account, "web-prod", &["GroupInServiceCapacity", "GroupInServiceInstances"]);
    // Only one of the two is switched on.
    record(&account, "api-prod", &["GroupInServiceInstances"]);
    let plan = shop.run(&["plan"]).exits(0);
    let line = "    backtest: 13d23h";
    let of = "of `cpu` x capacity from CloudWatch (1m), ";
    let lines: Vec<&str> = plan.stdout.lines().collect();
    let found = lines.iter().filter(|text| text.starts_with(line) && text.contains(of));
    assert_eq!(found.count(), 2, "{}", plan.stdout);
    account.clear_log();
    let json = shop.run(&["plan", "--json"]).exits(0).json();
    for backtest in json["backtest"].as_array().expect("backtests") {
        let hours = backtest["load"]["steps"].as_f64().unwrap_or(0.0) / 60.0;
        let optimum = backtest["optimum"][1]["instance_hours"].as_f64();
        // Half of four are two, at each moment.
        assert!((optimum.unwrap_or(0.0) - 2.0 * hours).abs() < 1e-3, "{backtest:#}");
        assert_eq!(backtest["load"]["held"], 0, "{backtest:#}");
    }
    // All groups and metrics in one call of two pages; another is the next decision's.
    let calls = account.log("GetMetricData");
    assert!(calls.len() <= 3, "{calls:#?}");
    assert_eq!(account.violations(), Vec::<Value>::new());
}

#[test]
fn what_cloudwatch_cannot_say_is_a_line_and_no_gate_passes_by_it() {
    let (account, shop) = shop(AwsServer::shared(), FILES);
    record(&account, "web-prod", &[]);
    let plan = shop.run(&["plan"]).exits(0).stdout;
    let said = plan.split_whitespace().collect::<Vec<_>>().join(" ");
    assert!(
        said.contains("CloudWatch has `cpu` and not how many instances it is the mean of; let the group measure itself"),
        "{said}"
    );
    assert!(said.contains("CloudWatch has nothing of `cpu`; give its load"), "{said}");
    account.allow(Some(&["sts:GetCallerIdentity", "autoscaling:Describe*", "ec2:Describe*", "cloudwatch:DescribeAlarms"]));
    let plan = shop.run(&["plan", "--fail-if", "short > 5m"]).exits(3).stdout;
    let said = plan.split_whitespace().collect::<Vec<_>>().join(" ");
    assert!(said.contains("it could not be read from CloudWatch: "), "{said}");
    assert!(said.contains("cloudwatch:GetMetricData"), "{said}");
    assert!(said.contains("`short > 5m` cannot be judged for group.svc[\"web\"]"), "{said}");
}
