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
  always = [self.desired <= self.max, metric.double < 300, self.min == 2 || metric.cpu > 0]
  never  = [self.desired > 5]
  given { desired = 4 }
  at "0m" { metrics = { queue = 99 } }
}
"#,
    );
    assert!(report.is_success(), "{}", render::text(&report));
    assert_eq!(report.passed(), 4);
}

#[test]
fn what_people_ask_for_lasts_as_long_as_they_say() {
    let report = suite(
        r#"
test "overrides" {
  group = group.web
  given { desired = 4 }
  at "0m" {
    metrics = { cpu = 60 }
    pin {
      desired  = 9
      duration = "5m"
    }
    expect {
      desired = 9
      reasons = ["pinned"]
    }
  }
  at "5m" {
    metrics = { cpu = 90 }
    pause { duration = "2m" }
    expect {
      desired = 9
      reasons = ["paused"]
      without = ["pinned"]
      wants   = { cpu = 14, queue = null }
    }
  }
  at "7m" {
    metrics = { cpu = 60 }
    surge "campaign" {}
    expect {
      desired = 12
      reasons = ["raised_to_floor.campaign"]
      without = ["raised_to_floor.office", "paused"]
    }
  }
  at "37m" {
    metrics = { cpu = 20 }
    expect { at_most = 11 }
  }
}
"#,
    );
    assert!(report.is_success(), "{}", render::text(&report));
}

#[test]
fn a_step_is_decided_again_until_its_end() {
    let report = suite(
        r#"
test "the queue drains over ten minutes" {
  group = group.web
  given { desired = 4 }
  at "0m" {
    until   = "10m"
    metrics = { cpu = 20 }
    expect {
      at_least = 2
      at_most  = 3
    }
  }
  at "11m" { metrics = { cpu = 60 } }
}

test "growth stays below twenty" {
  group = group.web
  never = self.desired > 20
  given { desired = 4 }
  at "0m" {
    until   = "1h"
    metrics = { cpu = 90 }
    expect { desired = 40 }
  }
}
"#,
    );
    let [drain, growth] = &report.tests[..] else {
        panic!("two tests");
    };
    assert!(drain.is_success(), "{}", render::text(&report));
    assert_eq!(drain.steps[0].at, "10m");
    // The first decision that broke the rule, and the last one.
    let broken: Vec<&str> = growth.steps.iter().map(|step| step.at.as_str()).collect();
    assert_eq!(broken.len(), 2, "{broken:?}");
    assert_eq!(broken[1], "1h");
    let first = growth.steps[0].failures[0].what.to_string();
    assert_eq!(
        first,
        "`self.desired > 20` must never hold, and does: self.desired is 21"
    );
}

#[test]
fn steps_may_name_their_time_and_follow_the_clock_of_a_zone() {
    // The clocks go forward in the night to the 29th: 08:00 is 07:00Z before, 06:00Z after.
    let report = suite(
        r#"
test "the office opens at eight, in winter and in summer" {
  group = group.web
  given { timezone = "Europe/Berlin" }
  at "2026-03-28T08:00:00" {
    metrics = { cpu = 60 }
    expect {
      desired = 6
      reasons = ["raised_to_floor.office"]
    }
  }
  at "2026-03-29T07:59:59" {
    metrics = { cpu = 20 }
    expect {
      desired = 2
      without = ["raised_to_floor"]
    }
  }
  at "2026-03-29T08:00:00" {
    metrics = { cpu = 20 }
    expect { desired = 6 }
  }
  at "2d" {
    metrics = { cpu = 20 }
    expect { desired = 2 }
  }
}
"#,
    );
    assert!(report.is_success(), "{}", render::text(&report));
    let times: Vec<String> = report.tests[0]
        .steps
        .iter()
        .map(|step| step.time.to_string())
        .collect();
    assert_eq!(
        times,
        [
            "2026-03-28T07:00:00Z",
            "2026-03-29T05:59:59Z",
            "2026-03-29T06:00:00Z",
            "2026-03-30T07:00:00Z"
        ]
    );
}

#[test]
fn a_test_of_several_groups_runs_for_each() {
    let report = suite(
        r#"
test "load scales out to the limit" {
  group = [group.shop["a"], group.shop["b"]]
  given { desired = 9 }
  at "0m" {
    metrics = { cpu = 100 }
    expect { desired = 10 }
  }
}
"#,
    );
    let titles: Vec<(String, bool)> = report
        .tests
        .iter()
        .map(|test| (test.title(), test.is_success()))
        .collect();
    assert_eq!(
        titles,
        [
            (
                "load scales out to the limit (group.shop[\"a\"])".to_owned(),
                true
            ),
            (
                "load scales out to the limit (group.shop[\"b\"])".to_owned(),
                false
            ),
        ]
    );
}

#[test]
fn a_scale_out_boots_and_then_warms_up() {
    let report = suite(
        r#"
test "boot and warm-up" {
  group = group.shop["b"]
  given { desired = 4 }
  at "0m" {
    metrics = { cpu = 75 }
    expect {
      desired   = 6
      ready     = 4
      on_demand = 4
      spot      = 2
    }
  }
  at "2m" {
    metrics = { cpu = 75 }
    expect {
      ready   = 4
      desired = 6
    }
  }
  at "2m29s" {
    metrics = { cpu = 50 }
    expect { ready = 4 }
  }
  at "2m30s" {
    metrics = { cpu = 50 }
    expect {
      ready   = 6
      desired = 6
    }
  }
}
"#,
    );
    assert!(report.is_success(), "{}", render::text(&report));
}

#[test]
fn instances_have_names_states_and_samples_of_their_own() {
    let report = suite(
        r#"
test "the broken and the oldest end, the protected stays" {
  group = group.shop["b"]
  given {
    instance "old" { age = "3h" }
    instance "kept" {
      age       = "9h"
      protected = true
    }
    instance "young" { age = "1h" }
    instance "broken" {
      age   = "1m"
      state = "unhealthy"
    }
    instance "gone" { state = "ended" }
  }
  at "0m" {
    metrics = { cpu = { old = 25, kept = 25, young = 25, broken = 25 } }
    expect {
      desired = 2
      victims = ["broken", "old"]
    }
  }
  at "5m" {
    metrics = { cpu = { kept = 50, young = 50 } }
    expect {
      desired   = 2
      direction = "hold"
    }
  }
}

test "samples of instances that are not there" {
  group = group.shop["b"]
  given {
    instance "one" {}
  }
  at "0m" { metrics = { cpu = { won = 50 } } }
  at "1m" {
    metrics = { cpu = [50, 50, 50, 50, 50, 50, 50, 50, 50, 50, 50, 50] }
    expect { at_least = 1 }
  }
}
"#,
    );
    assert!(report.tests[0].is_success(), "{}", render::text(&report));
    assert_eq!(
        failures(&report),
        [
            "cpu has a value of instance won, which is not there; there are one",
            "cpu has 12 values, and there is 1 instance",
        ]
    );
}

#[test]
fn values_by_instance_are_for_all_instances_of_a_metric_that_has_them() {
    let report = suite(
        r#"
test "lists" {
  group = group.web
  given { desired = 3 }
  at "0m" {
    metrics = { cpu = [60, null] }
    expect { direction = "hold" }
  }
  at "1m" {
    metrics = { cpu = [60, null, 60], queue = [5, 5, 5] }
    expect { direction = "hold" }
  }
  at "2m" {
    metrics = { cpu = [60, null, 60], queue = 15 }
    expect { direction = "hold" }
  }
}
"#,
    );
    assert_eq!(
        failures(&report),
        [
            "cpu has 2 values, and there are 3 instances; write null for one without a sample",
            "queue has values by instance, and with scope = \"group\" it is a total of the group: write one number",
        ]
    );
}

#[test]
fn more_ready_than_the_group_begins_with_is_refused() {
    let report = suite(
        r#"
test "ready" {
  group = group.web
  given { ready = 3 }
  at "0m" {
    expect { at_least = 2 }
  }
}
"#,
    );
    assert_eq!(
        failures(&report),
        ["`given` has 3 ready, and the capacity that it begins with is 2: add `desired`"]
    );
}

#[test]
fn a_repeated_step_is_named_as_it_is_written() {
    let report = suite(
        r#"
test "repeats" {
  group  = group.web
  always = [
    self.desired < 100,
    self.desired < 1,
  ]
  given { desired = 3 }
  at "0m" {
    until   = "5m"
    metrics = { cpu = 60 }
    expect { desired = 4 }
  }
}
"#,
    );
    let text = plain(&render::text(&report));
    assert!(
        text.contains("at 0m until 5m (5m): expected desired 4, got 3"),
        "{text}"
    );
    assert!(
        text.contains("at 0m until 5m (0s): `self.desired < 1`"),
        "{text}"
    );
    // Of several conditions, the one that does not hold is underlined.
    assert!(
        text.contains("6 |     self.desired < 1,\n    |     ^^^^^^^^^^^^^^^^\n"),
        "{text}"
    );
}

#[test]
fn money_and_failed_launches_are_given() {
    let report = suite(
        r#"
test "the budget is spent" {
  group = group.shop["b"]
  given { desired = 4 }
  at "0m" {
    metrics   = { cpu = 100 }
    spent_usd = 101
    expect {
      desired = 4
      reasons = ["over_budget"]
    }
  }
}

test "spot does not launch" {
  group = group.shop["b"]
  given { desired = 6 }
  at "0m" {
    metrics              = { cpu = 50 }
    failed_spot_launches = 1
    expect {
      spot    = 2
      without = ["fallback"]
    }
  }
  at "1m" {
    metrics              = { cpu = 50 }
    failed_spot_launches = 1
    expect {
      spot      = 0
      on_demand = 6
      reasons   = ["fallback"]
    }
  }
}
"#,
    );
    assert!(report.is_success(), "{}", render::text(&report));
}

#[test]
fn what_is_not_as_expected_is_said() {
    let report = suite(
        r#"
test "all wrong" {
  group  = group.web
  always = [self.desired < 7, metric.double > 0, metric.queue > 60]
  given { desired = 4 }
  at "0m" {
    metrics = { cpu = 95, queue = 50 }
    expect {
      desired   = 6
      at_most   = 6
      direction = "in"
      ready     = 3
      reasons   = ["no_data.cpu", "stabilized"]
      without   = ["opinion.cpu", "opinion.queue"]
      wants     = { cpu = null, queue = 9 }
      spot      = 1
      victims   = ["i-1"]
    }
  }
}

test "too few" {
  group = group.web
  given { desired = 4 }
  at "0m" {
    metrics = { cpu = 95 }
    expect { at_least = 8 }
  }
}

test "nothing to check" {
  group = group.web
  never = metric.double > 0
  given { desired = 4 }
  at "0m" { metrics = { cpu = 60 } }
}

test "too long" {
  group = group.web
  at "0m" {
    until   = "3650d"
    metrics = { cpu = 60 }
    expect { desired = 2 }
  }
}
"#,
    );
    assert_eq!(
        failures(&report),
        [
            "expected desired 6, got 7",
            "expected desired at most 6, got 7",
            "expected 3 ready, got 4",
            "expected 1 spot, got no mix",
            "expected direction \"in\", got \"out\"",
            "expected a reason \"no_data.cpu\", got opinion.cpu, abstained.queue, combined, within_limits",
            "expected a reason \"stabilized\", got opinion, abstained, combined, within_limits",
            "expected no reason \"opinion.cpu\", and there is one",
            "expected cpu to have no opinion, it wants 7",
            "expected queue to want 9, got no opinion",
            "expected the victims i-1, got none",
            "`self.desired < 7` must always hold, and does not: self.desired is 7",
            "`metric.queue > 60` must always hold, and does not: metric.queue is 50",
            "expected desired at least 8, got 7",
            "`metric.double > 0` was never checked: metric.double has no data at any step",
            "it would make 5256001 decisions, and the most is 200000",
        ]
    );
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

fn plain(text: &str) -> String {
    anstream::adapter::strip_str(text).to_string()
}

#[test]
fn a_failing_step_shows_the_whole_explanation_and_the_source_line() {
    let report = suite(FAILING);
    insta::assert_snapshot!(plain(&render::text(&report)), @r#"
    running 2 tests
    test fails ... FAILED
    test is <fine> & "quoted" ... ok

    failures:

    ---- fails (b.hcl:2) ----
    at 0m: expected desired 6, got 7
       --> b.hcl:8:14
      8 |     expect { desired = 6 }
        |              ^^^^^^^^^^^
    at 0m: `self.desired > 5` must never hold, and does: self.desired is 7
       --> b.hcl:4:12
      4 |   never = [self.desired > 5]
        |            ^^^^^^^^^^^^^^^^
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
fn a_failing_test_shows_how_it_came_to_the_step() {
    let report = suite(
        r#"
test "a dip after a spike" {
  group = group.web
  given { desired = 4 }
  at "0m" {
    metrics = { cpu = 95 }
    expect { desired = 7 }
  }
  at "10m" {
    metrics = { cpu = 20 }
    expect { desired = 7 }
  }
}
"#,
    );
    insta::assert_snapshot!(plain(&render::summary(&report)).trim_start(), @r"
    failures:

    ---- a dip after a spike (b.hcl:2) ----
      at 0m    4 -> 7   scale out by 3   ok
      at 10m   7 -> 3   scale in by 4    FAILED

    at 10m: expected desired 7, got 3
        --> b.hcl:11:14
      11 |     expect { desired = 7 }
         |              ^^^^^^^^^^^
      group.web   7 -> 3   scale in by 4
          cpu        20 % against a target of 60 % wants 3
          combined   the largest want is 3
          limits     2 to 40, not reached
          victims    0 named: unhealthy ones first; 4 left to the backend

    failures:
        a dip after a spike

    test result: FAILED. 0 passed; 1 failed; 0 filtered out
    ");
}

#[test]
fn the_junit_report_has_a_case_a_test_and_escapes_its_text() {
    let report = suite(FAILING);
    insta::assert_snapshot!(render::junit(&report), @r#"
    <?xml version="1.0" encoding="UTF-8"?>
    <testsuites name="tideform" tests="2" failures="1" errors="0" time="0.000000">
      <testsuite name="b.hcl" tests="2" failures="1" errors="0" skipped="0" time="0.000000">
        <testcase name="fails" classname="group.web" time="0.000000" file="b.hcl" line="2">
          <failure message="at 0m: expected desired 6, got 7" type="not as expected">at 0m: expected desired 6, got 7
       --&gt; b.hcl:8:14
      8 |     expect { desired = 6 }
        |              ^^^^^^^^^^^
    at 0m: `self.desired &gt; 5` must never hold, and does: self.desired is 7
       --&gt; b.hcl:4:12
      4 |   never = [self.desired &gt; 5]
        |            ^^^^^^^^^^^^^^^^
      group.web   4 -&gt; 7   scale out by 3
          cpu        95 % against a target of 60 % wants 7
          combined   the largest want is 7
          limits     2 to 40, not reached</failure>
        </testcase>
        <testcase name="is &lt;fine&gt; &amp; &quot;quoted&quot;" classname="group.web" time="0.000000" file="b.hcl" line="12"/>
      </testsuite>
    </testsuites>
    "#);
}

#[test]
fn the_junit_report_is_xml_that_a_reader_takes_back() {
    let mut report = suite(FAILING);
    let odd = "a\u{0}b\u{1b}[31m\u{ffff} <&\"'> ]]> \r\n\t\u{1f980}";
    for test in &mut report.tests {
        test.name = odd.to_owned();
        test.took = Some(std::time::Duration::from_micros(1500));
    }
    report.tests[1].problem = Some(odd.to_owned());
    report.tests[1].place = None;
    let text = render::junit(&report);
    let document = roxmltree::Document::parse(&text).expect("XML");
    let suites: Vec<_> = document
        .root_element()
        .children()
        .filter(|node| node.is_element())
        .collect();
    let names: Vec<_> = suites.iter().map(|suite| suite.attribute("name")).collect();
    assert_eq!(names, [Some("b.hcl"), Some("tideform")]);
    let as_read = "a\u{fffd}b\u{fffd}[31m\u{fffd} <&\"'> ]]> \r\n\t\u{1f980}";
    for (suite, what) in suites.iter().zip(["failure", "error"]) {
        assert_eq!(suite.attribute("tests"), Some("1"));
        assert_eq!(suite.attribute("time"), Some("0.001500"));
        let count = suite.attribute(if what == "error" {
            "errors"
        } else {
            "failures"
        });
        assert_eq!(count, Some("1"), "{what}");
        let case = suite.first_element_child().expect("a case");
        assert_eq!(case.attribute("name"), Some(as_read));
        assert_eq!(case.attribute("classname"), Some("group.web"));
        let child = case.first_element_child().expect("what is wrong");
        assert!(child.has_tag_name(what));
        assert!(child.attribute("message").is_some() && child.attribute("type").is_some());
    }
}

#[test]
fn json_has_every_step_with_its_decision() {
    let report = suite(FAILING);
    let json = render::json(&report);
    assert_eq!((&json["passed"], &json["failed"]), (&1.into(), &1.into()));
    let step = &json["tests"][0]["steps"][0];
    assert_eq!(step["desired"], 7);
    assert_eq!(step["failures"][0]["what"]["kind"], "desired");
    assert_eq!(step["failures"][0]["message"], "expected desired 6, got 7");
    assert_eq!(step["failures"][0]["place"]["line"], 8);
    assert_eq!(step["failures"][1]["what"]["values"][0]["value"], 7.0);
    assert_eq!(step["decision"]["reasons"][0]["kind"], "opinion");
}

#[test]
fn the_mark_stands_under_what_is_meant_whatever_is_before_it() {
    use tideform_policies::source::{SourceMap, Span};
    let mut sources = SourceMap::default();
    let source = sources.add("a.hcl", "x\n\t\u{1f980}\u{e9} bad\n  wrong\n");
    let place = |start, end| {
        let span = Span { source, start, end };
        super::Place::of(&sources, span).expect("a place")
    };
    let bad = place(10, 13);
    assert_eq!((bad.line, bad.column), (2, 5));
    assert_eq!((bad.mark.before.as_str(), bad.mark.width), ("\t    ", 3));
    // Of several lines the first is marked, and nothing is never marked.
    assert_eq!(place(10, 22).mark.width, 3);
    assert_eq!(place(14, 14).mark.width, 1);
}
