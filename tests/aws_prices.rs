//! What a mix on AWS costs: on demand by the list prices, spot by the prices of this hour, shared out by weight.
#![cfg(feature = "aws")]

mod common;

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

group "web" {
  provider = provider.aws
  resource "asg" { name = "web-prod" }

  limits {
    min = 5
    max = 5
  }
  mix {
    on_demand_base = 1
    spot           = "70%"
    type "m5.large" { weight = 1 }
    type "m5.xlarge" { weight = 2 }
  }
  launch {
    launch_template = "web"
    subnets         = ["SUBNET"]
  }
}
"#;

fn shop(account: &Account<'_>) -> Directory {
    let subnet = account.boto3(
        r#"
ec2 = client("ec2")
ec2.create_launch_template(LaunchTemplateName="web", LaunchTemplateData={"ImageId": "ami-12c6146b", "InstanceType": "m5.large"})
out = ec2.describe_subnets()["Subnets"][0]["SubnetId"]
"#,
    );
    let subnet = subnet.as_str().expect("a subnet");
    let mut directory = Directory::with(&[("shop.hcl", &FILES.replace("SUBNET", subnet))]);
    for (name, value) in account.environment() {
        directory.set(&name, &value);
    }
    account.spot_prices(json!([
        { "type": "m5.large", "az": "us-east-1a", "price": 0.03 },
        { "type": "m5.large", "az": "us-east-1b", "price": 0.05 },
        { "type": "m5.xlarge", "az": "us-east-1a", "price": 0.06 },
    ]));
    directory
}

/// Dollars a month of three units on demand and two of spot: a type each, 1.5 units an instance.
fn month(on_demand: [f64; 2], spot: [f64; 2]) -> f64 {
    let unit = |[large, xlarge]: [f64; 2]| (large + xlarge) / 2.0 / 1.5;
    (3.0 * unit(on_demand) + 2.0 * unit(spot)) * 730.0
}

fn after(plan: &Value) -> f64 {
    plan["cost"]["groups"][0]["after_usd_per_month"]
        .as_f64()
        .unwrap_or_else(|| panic!("no cost: {plan}"))
}

#[test]
fn a_mix_costs_the_spot_prices_of_this_hour_and_without_leave_to_read_them_the_list_prices() {
    let account = AwsServer::shared().account();
    let shop = shop(&account);
    let on_demand = [0.096, 0.192];

    let plan = shop.run(&["plan", "--json"]).exits(0).json();
    let expected = month(on_demand, [0.04, 0.06]);
    assert!((after(&plan) - expected).abs() < 0.01, "{expected} {plan}");
    assert!(!plan["notes"].to_string().contains("prices"), "{plan}");

    account.allow(Some(&["sts:*", "autoscaling:*"]));
    let plan = shop.run(&["plan", "--json"]).exits(0).json();
    let listed = month(on_demand, [0.03264, 0.06528]);
    assert!((after(&plan) - listed).abs() < 0.01, "{listed} {plan}");
    let notes = plan["notes"].to_string();
    assert!(notes.contains("ec2:DescribeSpotPriceHistory"), "{notes}");
    account.allow(None);

    // The ledger knows what runs, and its prices.
    shop.run(&["apply", "--auto-approve"]).exits(0);
    shop.run(&["reconcile", "--once"]).exits(0);
    let cost = shop.run(&["cost", "--json"]).exits(0).json();
    assert!(
        cost["months"][0]["projected_usd"].as_f64() > Some(0.0),
        "{cost}"
    );
    assert_eq!(account.violations(), Vec::<Value>::new());
}
