//! Views of a report: text in the manner of `cargo test`, JSON, and JUnit XML. Pure string building.

use std::fmt::Write as _;

use serde_json::{Value, json};

use super::{Place, StepReport, SuiteReport, TestReport};

/// As `cargo test` writes it; a failing step with its whole explanation and the source line.
pub fn text(report: &SuiteReport) -> String {
    let mut out = String::new();
    let count = report.tests.len();
    let plural = if count == 1 { "" } else { "s" };
    let _ = writeln!(out, "running {count} test{plural}");
    for test in &report.tests {
        let verdict = if test.is_success() { "ok" } else { "FAILED" };
        let _ = writeln!(out, "test {} ... {verdict}", test.name);
    }
    let failed: Vec<&TestReport> = report
        .tests
        .iter()
        .filter(|test| !test.is_success())
        .collect();
    if !failed.is_empty() {
        out.push_str("\nfailures:\n");
        for test in &failed {
            failed_test(&mut out, test);
        }
        out.push_str("\nfailures:\n");
        for test in &failed {
            let _ = writeln!(out, "    {}", test.name);
        }
    }
    let _ = writeln!(
        out,
        "\ntest result: {}. {} passed; {} failed; {} filtered out",
        if failed.is_empty() { "ok" } else { "FAILED" },
        report.passed(),
        report.failed(),
        report.filtered_out
    );
    out
}

fn failed_test(out: &mut String, test: &TestReport) {
    let _ = writeln!(out, "\n---- {}{} ----", test.name, at_place(&test.place));
    if let Some(problem) = &test.problem {
        let _ = writeln!(out, "{problem}");
    }
    for step in test.steps.iter().filter(|step| !step.failures.is_empty()) {
        for failure in &step.failures {
            let _ = writeln!(
                out,
                "at {}{}: {}",
                step.at,
                at_place(&failure.place),
                failure.what
            );
            if let Some(place) = &failure.place {
                let _ = writeln!(out, "  {} | {}", place.line, place.text);
            }
        }
        for line in &step.explanation {
            let _ = writeln!(out, "  {line}");
        }
    }
}

fn at_place(place: &Option<Place>) -> String {
    place.as_ref().map_or_else(String::new, |place| {
        format!(" ({}:{})", place.file, place.line)
    })
}

/// One document: every test with every step and its decision.
pub fn json(report: &SuiteReport) -> Value {
    json!({
        "format_version": 1,
        "passed": report.passed(),
        "failed": report.failed(),
        "filtered_out": report.filtered_out,
        "tests": report.tests.iter().map(|test| json!({
            "name": test.name,
            "group": test.group,
            "place": test.place,
            "is_success": test.is_success(),
            "problem": test.problem,
            "steps": test.steps,
        })).collect::<Vec<_>>(),
    })
}

/// JUnit XML, as CI systems read it: a `testcase` a test, its failing steps in one `failure`.
pub fn junit(report: &SuiteReport) -> String {
    let mut out = String::from("<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n");
    let counts = format!(
        "tests=\"{}\" failures=\"{}\" errors=\"0\"",
        report.tests.len(),
        report.failed()
    );
    let _ = writeln!(out, "<testsuites {counts}>");
    let _ = writeln!(out, "  <testsuite name=\"tideform\" {counts}>");
    for test in &report.tests {
        let mut case = format!(
            "    <testcase name=\"{}\" classname=\"{}\"",
            escape(&test.name),
            escape(&test.group.to_string())
        );
        if let Some(place) = &test.place {
            let _ = write!(
                case,
                " file=\"{}\" line=\"{}\"",
                escape(&place.file),
                place.line
            );
        }
        out.push_str(&case);
        if test.is_success() {
            out.push_str("/>\n");
            continue;
        }
        let mut body = String::new();
        failed_test(&mut body, test);
        let _ = writeln!(
            out,
            ">\n      <failure message=\"{}\">{}</failure>\n    </testcase>",
            escape(&summary(test)),
            escape(body.trim())
        );
    }
    out.push_str("  </testsuite>\n</testsuites>\n");
    out
}

fn summary(test: &TestReport) -> String {
    let first = |step: &StepReport| {
        step.failures
            .first()
            .map(|failure| format!("at {}: {}", step.at, failure.what))
    };
    test.problem
        .clone()
        .or_else(|| test.steps.iter().find_map(first))
        .unwrap_or_default()
}

/// Text in XML. Characters that XML cannot hold become the replacement character.
fn escape(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    for c in text.chars() {
        match c {
            '&' => out.push_str("&amp;"),
            '<' => out.push_str("&lt;"),
            '>' => out.push_str("&gt;"),
            '"' => out.push_str("&quot;"),
            '\n' | '\t' => out.push(c),
            c if c.is_control() || c == '\u{fffe}' || c == '\u{ffff}' => out.push('\u{fffd}'),
            c => out.push(c),
        }
    }
    out
}
