//! Suites from real files, through the reader of the language.

mod instances;
mod reports;
mod steps;

use tideform_policies::load::LoadInput;

use super::{SuiteReport, render, run};

const GROUP: &str = r#"
provider "mock" {}

group "web" {
  provider = provider.mock
  resource "asg" { name = "web" }
  warmup = "3m"
  metric "cpu" {
    track { target = 60 }
  }
  metric "queue" {
    scope = "group"
    step {
      above = 100
      add   = 2
    }
  }
  metric "double" {
    value = metric.queue * 2
  }
  scale_out { cooldown = "0s" }
  scale_in {
    cooldown      = "10m"
    stabilization = "5m"
  }
  schedule "office" {
    cron     = "0 8 * * *"
    timezone = "Europe/Berlin"
    duration = "1h"
    min      = 6
  }
  surge "campaign" {
    min      = 12
    duration = "30m"
  }
  limits {
    min = 2
    max = 40
  }
}

group "shop" {
  for_each = toset(["a", "b"])
  provider = provider.mock
  resource "asg" { name = "shop-${each.key}" }
  warmup = "1m"
  metric "cpu" {
    track { target = 50 }
  }
  scale_in {
    order         = "oldest"
    stabilization = "0s"
  }
  instance { boot = "90s" }
  mix {
    on_demand_base = 2
    spot           = "50%"
    types          = ["m6i.large"]
    fallback {
      after    = 2
      duration = "10m"
    }
  }
  budget {
    monthly_usd = 100
    on_exceed   = "block_scale_out"
  }
  limits {
    min = 1
    max = each.key == "a" ? 10 : 20
  }
}
"#;

/// The sentences of all failures.
fn failures(report: &SuiteReport) -> Vec<String> {
    let mut all = Vec::new();
    for test in &report.tests {
        all.extend(test.problem.clone());
        let of_steps = test.steps.iter().flat_map(|step| &step.failures);
        all.extend(of_steps.chain(&test.failures).map(|f| f.what.to_string()));
    }
    all
}

fn suite(tests: &str) -> SuiteReport {
    let directory = tempfile::tempdir().expect("a directory");
    std::fs::write(directory.path().join("a.hcl"), GROUP).expect("a file");
    std::fs::write(directory.path().join("b.hcl"), tests).expect("a file");
    let (configuration, diagnostics) = tideform_policies::read(&LoadInput {
        directory: directory.path().to_owned(),
        ..LoadInput::default()
    });
    assert!(
        !diagnostics.has_errors(),
        "{}",
        tideform_policies::render::plain(&diagnostics, &configuration.sources)
    );
    run(&configuration)
}
