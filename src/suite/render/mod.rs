//! Views of a report: text in the manner of `cargo test`, JSON, and JUnit XML. Pure string building.

mod junit;

use std::fmt::Write as _;

use anstyle::{AnsiColor, Style};
use serde_json::{Value, json};
use tideform_policies::model::Test;
use tideform_policies::source::SourceMap;

use super::{Failure, Place, StepReport, SuiteReport, TestReport};
use crate::engine::explain;
pub use junit::junit;

const OK: Style = AnsiColor::Green.on_default();
const FAILED: Style = AnsiColor::Red.on_default().bold();
const MARK: Style = AnsiColor::Red.on_default();
const HEAD: Style = Style::new().bold();
const QUIET: Style = Style::new().dimmed();

/// The version of the JSON document.
pub const FORMAT_VERSION: u32 = 1;

/// The first line: `running 3 tests`.
pub fn heading(count: usize) -> String {
    let plural = if count == 1 { "" } else { "s" };
    format!("running {count} test{plural}\n")
}

/// A test's line: `test a spike scales out ... ok`.
pub fn verdict(test: &TestReport) -> String {
    let verdict = if test.is_success() {
        format!("{OK}ok{OK:#}")
    } else {
        format!("{FAILED}FAILED{FAILED:#}")
    };
    format!("test {} ... {verdict}\n", test.title())
}

/// What follows the tests' lines: each failure with its whole explanation and the source line, and the counts.
pub fn summary(report: &SuiteReport) -> String {
    let mut out = String::new();
    let failed: Vec<&TestReport> = report
        .tests
        .iter()
        .filter(|test| !test.is_success())
        .collect();
    if !failed.is_empty() {
        out.push_str("\nfailures:\n");
        for test in &failed {
            let at = shown_place(&test.place);
            let _ = writeln!(out, "\n{HEAD}---- {}{at} ----{HEAD:#}", test.title());
            failed_test(&mut out, test);
        }
        out.push_str("\nfailures:\n");
        for test in &failed {
            let _ = writeln!(out, "    {}", test.title());
        }
    }
    let verdict = if failed.is_empty() {
        format!("{OK}ok{OK:#}")
    } else {
        format!("{FAILED}FAILED{FAILED:#}")
    };
    let _ = writeln!(
        out,
        "\ntest result: {verdict}. {} passed; {} failed; {} filtered out",
        report.passed(),
        report.failed(),
        report.filtered_out
    );
    out
}

/// The whole report at once.
pub fn text(report: &SuiteReport) -> String {
    let mut out = heading(report.tests.len());
    for test in &report.tests {
        out.push_str(&verdict(test));
    }
    out.push_str(&summary(report));
    out
}

fn failed_test(out: &mut String, test: &TestReport) {
    if let Some(problem) = &test.problem {
        let _ = writeln!(out, "{problem}");
    }
    let mut is_first = true;
    let mut part = |out: &mut String| {
        if !std::mem::take(&mut is_first) {
            out.push('\n');
        }
    };
    if test.steps.len() > 1 {
        part(out);
        course(out, &test.steps);
    }
    for failure in &test.failures {
        part(out);
        let _ = writeln!(out, "{}", failure.what);
        source_line(out, failure);
    }
    for step in test.steps.iter().filter(|step| !step.failures.is_empty()) {
        part(out);
        for failure in &step.failures {
            if test.has_own_time {
                let _ = writeln!(out, "at {} ({}): {}", step.label, step.time, failure.what);
            } else {
                let _ = writeln!(out, "at {}: {}", step.label, failure.what);
            }
            source_line(out, failure);
        }
        for line in &step.explanation {
            let _ = writeln!(out, "  {line}");
        }
    }
}

/// The steps in a line each: how the group came to the one that failed.
fn course(out: &mut String, steps: &[StepReport]) {
    let width = steps
        .iter()
        .map(|step| step.label.chars().count())
        .max()
        .unwrap_or(0);
    let rows: Vec<(String, String)> = steps
        .iter()
        .map(|step| {
            (
                explain::arrow(step.current, step.desired),
                explain::movement(step.current, step.desired),
            )
        })
        .collect();
    let first = rows.iter().map(|row| row.0.len()).max().unwrap_or(0);
    let second = rows.iter().map(|row| row.1.len()).max().unwrap_or(0);
    for (step, (arrow, movement)) in steps.iter().zip(&rows) {
        let verdict = if step.failures.is_empty() {
            "ok"
        } else {
            "FAILED"
        };
        let _ = writeln!(
            out,
            "  at {:width$}   {arrow:first$}   {movement:second$}   {verdict}",
            step.label
        );
    }
}

/// Where it was expected, underlined.
fn source_line(out: &mut String, failure: &Failure) {
    let Some(place) = &failure.place else { return };
    let margin = " ".repeat(place.line.to_string().len());
    let (before, mark) = (&place.mark.before, "^".repeat(place.mark.width));
    let _ = writeln!(
        out,
        "  {margin}{QUIET}-->{QUIET:#} {}:{}:{}",
        place.file, place.line, place.column
    );
    let _ = writeln!(out, "  {QUIET}{} |{QUIET:#} {}", place.line, place.text);
    let _ = writeln!(
        out,
        "  {margin} {QUIET}|{QUIET:#} {before}{MARK}{mark}{MARK:#}"
    );
}

fn shown_place(place: &Option<Place>) -> String {
    place.as_ref().map_or_else(String::new, |place| {
        format!(" ({}:{})", place.file, place.line)
    })
}

/// One document: every test with every step and its decision.
pub fn json(report: &SuiteReport) -> Value {
    json!({
        "format_version": FORMAT_VERSION,
        "passed": report.passed(),
        "failed": report.failed(),
        "filtered_out": report.filtered_out,
        "tests": report.tests.iter().map(|test| json!({
            "name": test.name,
            "group": test.group,
            "place": test.place,
            "is_success": test.is_success(),
            "problem": test.problem,
            "failures": messages(&test.failures),
            "steps": test.steps.iter().map(of_step).collect::<Vec<_>>(),
        })).collect::<Vec<_>>(),
    })
}

fn of_step(step: &StepReport) -> Value {
    json!({
        "at": step.at,
        "time": step.time,
        "place": step.place,
        "current": step.current,
        "desired": step.desired,
        "failures": messages(&step.failures),
        "explanation": step.explanation,
        "decision": step.decision,
    })
}

/// Failures with their sentence beside the data.
fn messages(failures: &[Failure]) -> Vec<Value> {
    failures
        .iter()
        .map(|failure| {
            json!({
                "message": failure.what.to_string(),
                "what": failure.what,
                "place": failure.place,
            })
        })
        .collect()
}

/// The names of tests with their groups, for `--list`: `a spike scales out (group.web): test`, as
/// `cargo test -- --list` writes them.
pub fn list(tests: &[&Test]) -> String {
    let mut out = String::new();
    for test in tests {
        let _ = writeln!(out, "{} ({}): test", test.name, test.group);
    }
    let plural = if tests.len() == 1 { "" } else { "s" };
    let _ = writeln!(out, "\n{} test{plural}", tests.len());
    out
}

/// The same as a document.
pub fn list_json(tests: &[&Test], sources: &SourceMap) -> Value {
    json!({
        "format_version": FORMAT_VERSION,
        "tests": tests.iter().map(|test| json!({
            "name": test.name,
            "group": test.group,
            "place": Place::of(sources, test.span),
        })).collect::<Vec<_>>(),
    })
}
