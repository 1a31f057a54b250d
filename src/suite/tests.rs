//! Suites from real files, through the reader of the language.

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
  limits {
    min = 2
    max = 40
  }
}
"#;

fn suite(tests: &str) -> SuiteReport {
    suite_with(tests, None)
}

fn suite_with(tests: &str, filter: Option<&str>) -> SuiteReport {
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
    run(&configuration, filter)
}

#[test]
fn the_designs_example_passes() {
    let report = suite(
        r#"
test "a spike scales out and a dip does not scale in" {
  group = group.web
  given { desired = 4 }
  at "0m" {
    metrics = { cpu = 95, queue = 50 }
    expect { desired = 7 }
  }
  at "1m" {
    metrics = { cpu = 20, queue = 50 }
    expect {
      desired = 7
      reasons = ["warming"]
    }
  }
}
"#,
    );
    assert!(report.is_success(), "{}", render::text(&report));
}

#[test]
fn steps_share_instances_samples_and_memory() {
    let report = suite(
        r#"
test "a dip waits for stabilization and the cooldown" {
  group = group.web
  given { desired = 4 }
  at "0m" {
    metrics = { cpu = 95, queue = 50 }
    expect { desired = 7 }
  }
  at "3m" {
    metrics = { cpu = 20, queue = 50 }
    expect {
      desired   = 7
      direction = "hold"
      reasons   = ["stabilized"]
    }
  }
  at "9m" {
    metrics = { cpu = 20, queue = 50 }
    expect {
      desired = 7
      reasons = ["in_cooldown"]
    }
  }
  at "10m" {
    metrics = { cpu = 20, queue = 50 }
    expect {
      desired   = 3
      direction = "in"
    }
  }
}

test "a metric that a step does not name is left out" {
  group = group.web
  given { desired = 4 }
  at "0m" {
    metrics = { queue = 100 }
    expect { desired = 6 }
  }
  at "9m" {
    metrics = { cpu = null, queue = 50 }
    expect {
      desired = 6
      reasons = ["no_data", "abstained"]
    }
  }
}

test "instances have samples of their own" {
  group = group.web
  given { desired = 3 }
  at "0m" {
    metrics = { cpu = [90, 90, null] }
    expect { desired = 3 }
  }
  at "1m" {
    metrics = { cpu = [90, 90, 90] }
    expect { desired = 5 }
  }
}

test "formulas hold at every step" {
  group  = group.web
  always = [self.desired <= self.max, metric.double < 300]
  never  = [self.desired > 5]
  given { desired = 4 }
  at "0m" { metrics = { queue = 99 } }
}
"#,
    );
    assert!(report.is_success(), "{}", render::text(&report));
    assert_eq!(report.passed(), 4);
}

const FAILING: &str = r#"
test "fails" {
  group = group.web
  never = [self.desired > 5]
  given { desired = 4 }
  at "0m" {
    metrics = { cpu = 95 }
    expect { desired = 6 }
  }
}

test "is <fine> & \"quoted\"" {
  group = group.web
  given { desired = 4 }
  at "0m" {
    metrics = { cpu = 60 }
    expect { direction = "hold" }
  }
}
"#;

#[test]
fn a_failing_step_shows_the_whole_explanation_and_the_source_line() {
    let report = suite(FAILING);
    insta::assert_snapshot!(render::text(&report), @r#"
    running 2 tests
    test fails ... FAILED
    test is <fine> & "quoted" ... ok

    failures:

    ---- fails (b.hcl:2) ----
    at 0s (b.hcl:8): expected desired 6, got 7
      8 |     expect { desired = 6 }
    at 0s (b.hcl:2): `self.desired > 5` must never hold, and does
      2 | test "fails" {
      group.web   4 -> 7   scale out by 3
          cpu        95 % against a target of 60 % wants 7
          combined   the largest want is 7
          limits     2 to 40, not reached

    failures:
        fails

    test result: FAILED. 1 passed; 1 failed; 0 filtered out
    "#);
}

#[test]
fn the_junit_report_has_a_case_a_test_and_escapes_its_text() {
    let report = suite(FAILING);
    insta::assert_snapshot!(render::junit(&report), @r#"
    <?xml version="1.0" encoding="UTF-8"?>
    <testsuites tests="2" failures="1" errors="0">
      <testsuite name="tideform" tests="2" failures="1" errors="0">
        <testcase name="fails" classname="group.web" file="b.hcl" line="2">
          <failure message="at 0s: expected desired 6, got 7">---- fails (b.hcl:2) ----
    at 0s (b.hcl:8): expected desired 6, got 7
      8 |     expect { desired = 6 }
    at 0s (b.hcl:2): `self.desired &gt; 5` must never hold, and does
      2 | test &quot;fails&quot; {
      group.web   4 -&gt; 7   scale out by 3
          cpu        95 % against a target of 60 % wants 7
          combined   the largest want is 7
          limits     2 to 40, not reached</failure>
        </testcase>
        <testcase name="is &lt;fine&gt; &amp; &quot;quoted&quot;" classname="group.web" file="b.hcl" line="12"/>
      </testsuite>
    </testsuites>
    "#);
}

#[test]
fn json_has_every_step_with_its_decision() {
    let report = suite(FAILING);
    let json = render::json(&report);
    assert_eq!((&json["passed"], &json["failed"]), (&1.into(), &1.into()));
    let step = &json["tests"][0]["steps"][0];
    assert_eq!(step["desired"], 7);
    assert_eq!(step["failures"][0]["what"]["kind"], "desired");
    assert_eq!(step["failures"][0]["place"]["line"], 8);
    assert_eq!(step["decision"]["reasons"][0]["kind"], "opinion");
}

#[test]
fn a_filter_picks_tests_by_their_name() {
    let report = suite_with(FAILING, Some("fine"));
    assert_eq!(
        (report.passed(), report.failed(), report.filtered_out),
        (1, 0, 1)
    );
}
