//! The built binary scales groups of an AWS API server by its own loop: whose turn it is to end, what holds it, drain,
//! spot and the way back, metrics.
#![cfg(feature = "aws")]

#[path = "../aws_support/mod.rs"]
mod aws_support;
#[path = "../common/mod.rs"]
mod common;
mod drain;
mod holds;
mod metrics;
mod spot;
mod victims;

/// `group.web`, scaled by the loop: tracks cpu at 60, settles at once. `more` joins the group.
fn files(more: &str) -> String {
    format!(
        r#"
tideform {{
  workspace = "shop"
}}
provider "aws" {{}}

policy "web" {{
  warmup = "0s"
  metric "cpu" {{
    track {{ target = 60 }}
  }}
  scale_in {{
    stabilization = "0s"
  }}
}}

group "web" {{
  provider = provider.aws
  use      = [policy.web]
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
