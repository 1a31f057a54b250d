//! JUnit XML, as CI systems read it: a `testsuite` a file, a `testcase` a test, its failing steps in one `failure`.
//!
//! Elements and attributes are those of the schema that Jenkins, GitLab and GitHub's readers share, with `file` and
//! `line` beside them, which others skip.

use std::fmt::Write as _;
use std::time::Duration;

use super::super::{StepReport, SuiteReport, TestReport};
use super::failed_test;

/// The document.
pub fn junit(report: &SuiteReport) -> String {
    let mut out = String::from("<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n");
    let all: Vec<&TestReport> = report.tests.iter().collect();
    let _ = writeln!(
        out,
        "<testsuites name=\"tideform\" {}>",
        counts(&all, false)
    );
    let mut files: Vec<&str> = Vec::new();
    for test in &all {
        if !files.contains(&file(test)) {
            files.push(file(test));
        }
    }
    for name in files {
        let tests: Vec<&TestReport> = all
            .iter()
            .copied()
            .filter(|test| file(test) == name)
            .collect();
        let _ = writeln!(
            out,
            "  <testsuite name=\"{}\" {}>",
            escape(name, Place::Attribute),
            counts(&tests, true)
        );
        for test in tests {
            case(&mut out, test);
        }
        out.push_str("  </testsuite>\n");
    }
    out.push_str("</testsuites>\n");
    out
}

fn file(test: &TestReport) -> &str {
    test.place.as_ref().map_or("tideform", |place| &place.file)
}

fn counts(tests: &[&TestReport], is_suite: bool) -> String {
    let errors = tests.iter().filter(|test| test.problem.is_some()).count();
    let failures = tests.iter().filter(|test| !test.is_success()).count() - errors;
    let took = tests.iter().filter_map(|test| test.took).sum();
    let skipped = if is_suite { " skipped=\"0\"" } else { "" };
    format!(
        "tests=\"{}\" failures=\"{failures}\" errors=\"{errors}\"{skipped} time=\"{}\"",
        tests.len(),
        seconds(took)
    )
}

fn seconds(time: Duration) -> String {
    format!("{:.6}", time.as_secs_f64())
}

fn case(out: &mut String, test: &TestReport) {
    let _ = write!(
        out,
        "    <testcase name=\"{}\" classname=\"{}\" time=\"{}\"",
        escape(&test.name, Place::Attribute),
        escape(&test.group.to_string(), Place::Attribute),
        seconds(test.took.unwrap_or_default())
    );
    if let Some(place) = &test.place {
        let file = escape(&place.file, Place::Attribute);
        let _ = write!(out, " file=\"{file}\" line=\"{}\"", place.line);
    }
    if test.is_success() {
        out.push_str("/>\n");
        return;
    }
    let mut body = String::new();
    failed_test(&mut body, test);
    let body = anstream::adapter::strip_str(&body).to_string();
    let (element, kind) = match test.problem {
        Some(_) => ("error", "not run"),
        None => ("failure", "not as expected"),
    };
    let _ = writeln!(
        out,
        ">\n      <{element} message=\"{}\" type=\"{kind}\">{}</{element}>\n    </testcase>",
        escape(&first(test), Place::Attribute),
        escape(body.trim_end(), Place::Text)
    );
}

/// The first thing that is wrong.
fn first(test: &TestReport) -> String {
    let of_step = |step: &StepReport| {
        let failure = step.failures.first()?;
        Some(format!("at {}: {}", step.label, failure.what))
    };
    let of_test = || {
        test.failures
            .first()
            .map(|failure| failure.what.to_string())
    };
    test.problem
        .clone()
        .or_else(|| test.steps.iter().find_map(of_step))
        .or_else(of_test)
        .unwrap_or_default()
}

/// Where a text stands in XML.
#[derive(Clone, Copy, PartialEq)]
enum Place {
    Attribute,
    Text,
}

/// Text in XML. Characters that XML cannot hold become the replacement character.
fn escape(text: &str, place: Place) -> String {
    let mut out = String::with_capacity(text.len());
    for c in text.chars() {
        match c {
            '&' => out.push_str("&amp;"),
            '<' => out.push_str("&lt;"),
            '>' => out.push_str("&gt;"),
            '"' => out.push_str("&quot;"),
            '\r' => out.push_str("&#13;"),
            // A reader turns these into blanks in an attribute.
            '\n' if place == Place::Attribute => out.push_str("&#10;"),
            '\t' if place == Place::Attribute => out.push_str("&#9;"),
            '\n' | '\t' => out.push(c),
            '\u{0}'..='\u{1f}' | '\u{fffe}' | '\u{ffff}' => out.push('\u{fffd}'),
            c => out.push(c),
        }
    }
    out
}
