//! One row: a policy, an observation, a decision, and the two answers side by side.

use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::sync::{Arc, Mutex};

use jiff::Timestamp;
use libtest_mimic::{Failed, Trial};
use serde_json::Value;
use tideform::engine::{self, Decision, Rules, explain, observe_json};
use tideform_policies::diagnostic::Severity;
use tideform_policies::load::LoadInput;
use tideform_policies::model::{Configuration, Group};

/// A file of cases, and how tideform is asked about them.
pub(crate) struct File {
    /// Without its ending.
    pub(crate) name: &'static str,
    pub(crate) json: &'static str,
    /// The rows on which tideform's answer is not the peer's, each once.
    pub(crate) set_aside: &'static [SetAside],
    /// Asks tideform about one case. An error is a failure: a kind of case that no code knows is one.
    pub(crate) ask: fn(&Value) -> Result<Answer, String>,
}

/// A row on which tideform's answer is not the peer's.
pub(crate) struct SetAside {
    pub(crate) row: &'static str,
    /// What tideform answers instead, which is checked; `None`: it has no counterpart of the question. Then what can be
    /// checked of it is checked by `ask`, and the answers are not compared.
    pub(crate) ours: Option<&'static str>,
    pub(crate) because: &'static Because,
}

/// Why, for the page of the documentation: one reason for all rows that it holds for.
pub(crate) struct Because {
    /// A few words.
    pub(crate) what: &'static str,
    /// A sentence or two.
    pub(crate) why: &'static str,
}

/// tideform decides otherwise on purpose.
pub(crate) const fn otherwise(
    row: &'static str,
    ours: &'static str,
    because: &'static Because,
) -> SetAside {
    SetAside {
        row,
        ours: Some(ours),
        because,
    }
}

/// There is nothing in tideform that the row could be asked of.
pub(crate) const fn without(row: &'static str, because: &'static Because) -> SetAside {
    SetAside {
        row,
        ours: None,
        because,
    }
}

/// Two answers to one question, in the same words.
pub(crate) struct Answer {
    pub(crate) ours: String,
    pub(crate) theirs: String,
    /// The question and tideform's reasons, for whoever reads a failure.
    pub(crate) shown: String,
}

/// A group of a policy, and the HCL that it was read from.
pub(crate) struct Policy {
    pub(crate) hcl: String,
    pub(crate) group: Group,
}

/// Reads a configuration as every command does. The error lists what is wrong.
///
/// - `hcl`: the group is the only one, or the first by name.
pub(crate) fn load(hcl: &str) -> Result<Policy, String> {
    let (configuration, problems) = read(hcl)?;
    if !problems.is_empty() {
        let lines: Vec<String> = problems
            .into_iter()
            .map(|(code, summary)| format!("error[{code}]: {summary}"))
            .collect();
        return Err(format!("{}\n{hcl}", lines.join("\n")));
    }
    let group = configuration
        .groups
        .into_values()
        .next()
        .ok_or_else(|| format!("no group in\n{hcl}"))?;
    Ok(Policy {
        hcl: hcl.to_owned(),
        group,
    })
}

/// The codes of what is wrong with a configuration: `P0107`.
pub(crate) fn refusals(hcl: &str) -> Result<Vec<&'static str>, String> {
    let (_, problems) = read(hcl)?;
    Ok(problems.into_iter().map(|(code, _)| code).collect())
}

type Problems = Vec<(&'static str, String)>;

/// A configuration, and the code and summary of each error in it.
fn read(hcl: &str) -> Result<(Configuration, Problems), String> {
    let folder = tempfile::tempdir().map_err(|error| error.to_string())?;
    std::fs::write(folder.path().join("main.hcl"), hcl).map_err(|error| error.to_string())?;
    let (configuration, diagnostics) = tideform_policies::read(&LoadInput {
        directory: folder.path().to_owned(),
        ..LoadInput::default()
    });
    let problems = diagnostics
        .iter()
        .filter(|diagnostic| diagnostic.severity == Severity::Error)
        .map(|diagnostic| (diagnostic.code.0, diagnostic.summary.to_string()))
        .collect();
    Ok((configuration, problems))
}

/// One decision from an observation as `tideform decide --observe` reads it.
pub(crate) fn decide(policy: &Policy, observation: &Value) -> Result<Decision, String> {
    let question = observe_json::read(&observation.to_string(), &policy.group)
        .map_err(|error| format!("{error}\n{observation:#}"))?;
    Ok(engine::decide(
        &Rules::new(&policy.group),
        &question.seen,
        &question.memory,
        question.now,
    ))
}

/// The policy, the observation and tideform's explanation, as a failure shows them.
pub(crate) fn shown(policy: &Policy, observation: &Value, decision: &Decision) -> String {
    let explanation = explain::explain(&policy.group, decision, Timestamp::UNIX_EPOCH, None)
        .lines()
        .join("\n");
    format!("{}\n{observation:#}\n{explanation}", policy.hcl)
}

/// How the rows of a run went.
#[derive(Default)]
pub(crate) struct Tally {
    /// By file and row.
    rows: BTreeMap<(&'static str, String), Went>,
}

enum Went {
    Alike,
    Otherwise { ours: String, theirs: String },
    Without,
    Failed,
}

impl File {
    fn cases(&self) -> Vec<Value> {
        let file: Value = serde_json::from_str(self.json).expect("the cases are JSON");
        file["cases"].as_array().expect("a list of cases").clone()
    }

    /// A test for each row, and one for the list of those set aside.
    pub(crate) fn trials(&'static self, tally: &Arc<Mutex<Tally>>) -> Vec<Trial> {
        let cases = self.cases();
        let names: Vec<String> = cases.iter().map(|case| name(case).to_owned()).collect();
        let mut trials = vec![Trial::test(
            format!("{}::every_row_set_aside_is_in_the_file_once", self.name),
            move || self.check_list(&names),
        )];
        trials.extend(cases.into_iter().map(|case| {
            let tally = Arc::clone(tally);
            Trial::test(format!("{}::{}", self.name, name(&case)), move || {
                let row = name(&case).to_owned();
                // A panic is a failure too.
                let result = std::panic::catch_unwind(|| self.judge(&case))
                    .unwrap_or_else(|_| Err("it panicked".to_owned()));
                let (went, result) = match result {
                    Ok(went) => (went, Ok(())),
                    Err(message) => (Went::Failed, Err(Failed::from(format!("{row}: {message}")))),
                };
                if let Ok(mut tally) = tally.lock() {
                    tally.rows.insert((self.name, row), went);
                }
                result
            })
        }));
        trials
    }

    fn check_list(&self, names: &[String]) -> Result<(), Failed> {
        for (place, aside) in self.set_aside.iter().enumerate() {
            if names.iter().filter(|name| *name == aside.row).count() != 1 {
                return Err(format!("`{}` is no row of {}.json", aside.row, self.name).into());
            }
            if self.set_aside[..place]
                .iter()
                .any(|earlier| earlier.row == aside.row)
            {
                return Err(format!("`{}` is set aside twice", aside.row).into());
            }
        }
        for (place, name) in names.iter().enumerate() {
            if names[..place].contains(name) {
                return Err(format!("`{name}` is there twice in {}.json", self.name).into());
            }
        }
        Ok(())
    }

    fn judge(&self, case: &Value) -> Result<Went, String> {
        let Answer {
            ours,
            theirs,
            shown,
        } = (self.ask)(case)?;
        let aside = self.set_aside.iter().find(|aside| aside.row == name(case));
        let Some(aside) = aside else {
            return if ours == theirs {
                Ok(Went::Alike)
            } else {
                Err(format!("tideform says {ours}, the peer {theirs}\n{shown}"))
            };
        };
        let Some(stated) = aside.ours else {
            return Ok(Went::Without);
        };
        if ours == theirs {
            Err(format!(
                "both say {ours}, and so tideform no longer decides otherwise: take the row off the list\n{shown}"
            ))
        } else if ours == stated {
            Ok(Went::Otherwise { ours, theirs })
        } else {
            Err(format!(
                "tideform says {ours}; it is listed as saying {stated}, the peer says {theirs}\n{shown}"
            ))
        }
    }
}

impl Tally {
    /// The rows of each file in a line, and those that are not the peer's in one each.
    #[allow(clippy::print_stdout, reason = "the summary of a test run")]
    pub(crate) fn print(&self, files: &[&File]) {
        let mut text = String::new();
        for file in files {
            let rows = || {
                self.rows
                    .iter()
                    .filter(|((name, _), _)| *name == file.name)
                    .map(|((_, row), went)| (row, went))
            };
            let count = |is: fn(&Went) -> bool| rows().filter(|(_, went)| is(went)).count();
            let _ = writeln!(
                text,
                "{}: {} rows, {} run, {} as the peer, {} otherwise on purpose, {} without counterpart, {} failed",
                file.name,
                file.cases().len(),
                rows().count(),
                count(|went| matches!(went, Went::Alike)),
                count(|went| matches!(went, Went::Otherwise { .. })),
                count(|went| matches!(went, Went::Without)),
                count(|went| matches!(went, Went::Failed)),
            );
            for (row, went) in rows() {
                let why = || {
                    file.set_aside
                        .iter()
                        .find(|aside| aside.row == row)
                        .map_or("", |aside| aside.because.what)
                };
                match went {
                    Went::Alike | Went::Failed => {}
                    Went::Otherwise { ours, theirs } => {
                        let _ = writeln!(text, "  {row}: {ours}, the peer {theirs}: {}", why());
                    }
                    Went::Without => {
                        let _ = writeln!(text, "  {row}: no counterpart: {}", why());
                    }
                }
            }
        }
        print!("{text}");
    }
}

/// The name of a case.
pub(crate) fn name(case: &Value) -> &str {
    case["name"].as_str().expect("a case has a name")
}

/// The kind of a case.
pub(crate) fn kind(case: &Value) -> &str {
    case["kind"].as_str().expect("a case has a kind")
}

/// For a kind of case that nobody has taught the tests.
pub(crate) fn unknown(case: &Value) -> Result<Answer, String> {
    Err(format!(
        "no test knows what to do with the kind `{}`",
        kind(case)
    ))
}
