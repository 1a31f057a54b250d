//! Policy suites: HCL in Markdown under `tests/policies/`, with the expected codes as trailing comments.
//!
//! ````text
//! ```hcl in group
//! metric "cpu" {
//!   track { target = 0 }  # error[P0107]
//! }
//! ```
//! ````
//!
//! A block is one directory. `hcl in group` stands inside a group on the mock. Each expected code must appear
//! on its line, and no other.

use std::collections::BTreeSet;
use std::fmt::Write as _;
use std::path::Path;

use tideform_policies::diagnostic::Severity;
use tideform_policies::load::LoadInput;

const BEFORE: &str = "provider \"mock\" {}\ngroup \"web\" {\n  provider = provider.mock\n  resource \"asg\" { name = \"web\" }\n";

/// One fenced block.
struct Case {
    /// Line of the Markdown file at which the text begins, from 1.
    line: usize,
    /// Lines before it that the file does not show.
    hidden: usize,
    text: String,
}

fn cases(markdown: &str) -> Vec<Case> {
    let mut cases = Vec::new();
    let mut open: Option<(usize, bool, String)> = None;
    for (i, line) in markdown.lines().enumerate() {
        match &mut open {
            None if line.trim_end() == "```hcl" => open = Some((i + 2, false, String::new())),
            None if line.trim_end() == "```hcl in group" => {
                open = Some((i + 2, true, String::new()));
            }
            None => {}
            Some(_) if line.starts_with("```") => {
                if let Some((line, in_group, text)) = open.take() {
                    cases.push(Case {
                        line,
                        hidden: if in_group { BEFORE.lines().count() } else { 0 },
                        text: if in_group {
                            format!("{BEFORE}{text}}}\n")
                        } else {
                            text
                        },
                    });
                }
            }
            Some((_, _, text)) => {
                text.push_str(line);
                text.push('\n');
            }
        }
    }
    cases
}

/// `(line, "error[P0107]")` of the text's trailing comments.
fn expected(text: &str) -> BTreeSet<(usize, String)> {
    let mut out = BTreeSet::new();
    for (i, line) in text.lines().enumerate() {
        let Some((_, comment)) = line.rsplit_once('#') else {
            continue;
        };
        for word in comment.split_whitespace() {
            if word.starts_with("error[") || word.starts_with("warning[") {
                out.insert((i + 1, word.to_owned()));
            }
        }
    }
    out
}

/// What the reader says, in the same form, with the words for people.
fn found(text: &str) -> Vec<((usize, String), String)> {
    let folder = tempfile::tempdir().expect("a folder");
    std::fs::write(folder.path().join("suite.hcl"), text).expect("a file");
    let (configuration, diagnostics) = tideform_policies::read(&LoadInput {
        directory: folder.path().to_owned(),
        ..LoadInput::default()
    });
    diagnostics
        .iter()
        .map(|d| {
            let line = d
                .labels
                .first()
                .and_then(|label| configuration.sources.place(label.span))
                .map_or(0, |(_, line, _)| line);
            let severity = match d.severity {
                Severity::Warning => "warning",
                Severity::Error => "error",
            };
            let words: Vec<&str> = d.labels.iter().map(|label| &*label.text).collect();
            (
                (line, format!("{severity}[{}]", d.code.0)),
                format!("{}: {} ({:?})", d.summary, words.join("; "), d.help),
            )
        })
        .collect()
}

#[test]
fn every_suite_gives_the_codes_that_it_names() {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("../tests/policies");
    let mut failures = String::new();
    let mut files: Vec<_> = std::fs::read_dir(&folder)
        .expect("the folder of suites")
        .map(|entry| entry.expect("an entry").path())
        .filter(|path| path.extension().is_some_and(|e| e == "md"))
        .collect();
    files.sort();
    assert!(!files.is_empty());
    for file in files {
        let markdown = std::fs::read_to_string(&file).expect("a suite");
        for case in cases(&markdown) {
            let expected = expected(&case.text);
            let found = found(&case.text);
            let place = |line: usize| {
                let name = file.file_name().unwrap_or_default().to_string_lossy();
                format!("{name}:{}", line + case.line - 1 - case.hidden.min(line))
            };
            for (what, words) in &found {
                if !expected.contains(what) {
                    let _ = writeln!(
                        failures,
                        "{}: not expected: {} {words}",
                        place(what.0),
                        what.1
                    );
                }
            }
            for what in &expected {
                if !found.iter().any(|(f, _)| f == what) {
                    let _ = writeln!(failures, "{}: expected: {}", place(what.0), what.1);
                }
            }
        }
    }
    assert!(failures.is_empty(), "\n{failures}");
}

#[test]
fn every_code_of_blocks_names_checks_and_warnings_has_a_case() {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("../tests/policies");
    let mut named = BTreeSet::new();
    for entry in std::fs::read_dir(&folder).expect("the folder of suites") {
        let path = entry.expect("an entry").path();
        if path.extension().is_some_and(|e| e == "md") {
            let markdown = std::fs::read_to_string(path).expect("a suite");
            for case in cases(&markdown) {
                named.extend(expected(&case.text).into_iter().map(|(_, code)| {
                    code.trim_start_matches("error[")
                        .trim_start_matches("warning[")
                        .trim_end_matches(']')
                        .to_owned()
                }));
            }
        }
    }
    let missing: Vec<&str> = tideform_policies::codes::all()
        .map(|entry| entry.code.0)
        .filter(|code| {
            code.starts_with("P01")
                || code.starts_with("P04")
                || (code.starts_with("P02") && *code >= "P0240")
                || (code.starts_with("P05") && *code >= "P0520")
        })
        .filter(|code| !named.contains(*code))
        .collect();
    assert!(missing.is_empty(), "no case for {missing:?}");
}
