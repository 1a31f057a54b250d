//! The built binary and whose is what: names, tags, policies of others, adoption, drift, and never a group without a
//! scaler.
#![cfg(feature = "aws")]

mod adopt;
#[path = "../aws_support/mod.rs"]
mod aws_support;
#[path = "../common/mod.rs"]
mod common;
mod controls;
mod drift;
mod others;
mod scalers;
mod tags;

/// `group.web` in a workspace, with this controller; `more` joins the group.
fn files(workspace: &str, controller: &str, more: &str) -> String {
    format!(
        r#"
tideform {{
  workspace = "{workspace}"
}}
provider "aws" {{}}

group "web" {{
  provider   = provider.aws
  controller = "{controller}"
  resource "asg" {{ name = "web-prod" }}
  limits {{
    min = 1
    max = 10
  }}
{more}
}}
"#
    )
}

/// A metric `cpu` that is tracked.
const CPU: &str = "  metric \"cpu\" {\n    track { target = 60 }\n  }\n";

/// No group any more.
const NONE: &str = "tideform {\n  workspace = \"shop\"\n}\nprovider \"aws\" {}\n";

/// A target tracking policy that somebody else made.
const THEIRS: &str = r#"
scaling.put_scaling_policy(AutoScalingGroupName=G, PolicyName="cpu-50", PolicyType="TargetTrackingScaling",
    TargetTrackingConfiguration={"PredefinedMetricSpecification": {"PredefinedMetricType": "ASGAverageCPUUtilization"}, "TargetValue": 50.0})
"#;

/// Names and targets of all target tracking policies.
const TRACKING: &str = r#"
out = {p["PolicyName"]: p["TargetTrackingConfiguration"]["TargetValue"]
    for p in scaling.describe_policies()["ScalingPolicies"] if p["PolicyType"] == "TargetTrackingScaling"}
"#;
