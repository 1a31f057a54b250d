//! What a report says of steps that fail, in text, JUnit and JSON.

use super::*;

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
        crate::suite::Place::of(&sources, span).expect("a place")
    };
    let bad = place(10, 13);
    assert_eq!((bad.line, bad.column), (2, 5));
    assert_eq!((bad.mark.before.as_str(), bad.mark.width), ("\t    ", 3));
    // Of several lines the first is marked, and nothing is never marked.
    assert_eq!(place(10, 22).mark.width, 3);
    assert_eq!(place(14, 14).mark.width, 1);
}
