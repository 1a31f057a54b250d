//! Every error that ends a command, how it is printed, and its exit code. What it means to a person is in `explain`.

mod explain;

use std::io;
use std::net::SocketAddr;
use std::panic::PanicHookInfo;
use std::path::PathBuf;

use tideform_policies::diagnostic::Diagnostics;
use tideform_policies::render;
use tideform_policies::source::SourceMap;
use tideform_provider::{BoxError, ProviderError};
use tideform_remote::RemoteError;
use tideform_state::StateError;

use super::output::{CYAN, Output, RED, paint};
use crate::apply::ApplyError;
use crate::backend::BackendError;
use crate::engine::observe_json::ObserveError;
use crate::history::NoHistory;
use crate::plan::saved::{SaveError, SavedPlanError};
use crate::plan::{PlanError, Unmatched};
use crate::reconcile::ReconcileError;
use crate::registry::RegistryError;
use crate::simulate::ScenarioError;
use crate::simulate::optimum::ProblemError;
use crate::wrap::wrapped;

/// Anything that ends a command.
#[derive(Debug)]
pub(super) enum CliError {
    /// The arguments are wrong; clap's own text.
    Usage(String),
    /// A command of a later version.
    LaterVersion(&'static str),
    /// `-C` names no directory.
    NoDirectory(PathBuf),
    /// The workspace's name cannot be used.
    BadWorkspace(String),
    /// No group of this name.
    NoSuchGroup {
        /// As typed.
        text: String,
        /// The known one that is most like it.
        nearest: Option<String>,
    },
    /// No `test` block is meant.
    NoSuchTest {
        /// As typed, several with `` `, ` `` between them.
        filter: String,
        /// The name of a test that is most like it.
        nearest: Option<String>,
        /// How many tests there are.
        tests: usize,
    },
    /// Errors in the files.
    Problems(Box<Problems>),
    /// An expression of the console.
    Expression(Box<Problems>),
    /// A file of the command line cannot be read or written.
    File {
        /// `read`, `written`.
        verb: &'static str,
        /// Which.
        path: PathBuf,
        /// Why.
        source: io::Error,
    },
    /// A file of the command line holds no load trace.
    Trace {
        /// Which.
        path: PathBuf,
        /// What is wrong, and where.
        error: crate::simulate::trace::TraceError,
    },
    /// No block of this kind.
    NoSuchBlock {
        /// As typed.
        text: String,
        /// The known one that is most like it.
        nearest: Option<String>,
    },
    /// `init --example` in a directory that has files already.
    NotEmpty {
        /// Where.
        directory: PathBuf,
        /// What is there.
        found: String,
    },
    /// A code that no diagnostic has.
    NoSuchCode(String),
    /// No state, and nothing that says where one would be.
    NothingApplied(PathBuf),
    /// The pointer file is broken.
    BadPointer(PathBuf),
    /// A backend of a later version.
    Backend(BackendError),
    /// The files name another place for the state than the one that was used here.
    BackendChanged {
        /// The one that was used.
        old: String,
        /// The one that the files name.
        new: String,
    },
    /// There is no shared state yet.
    NoSharedState(String),
    /// The shared state.
    Remote(RemoteError),
    /// The state.
    State(StateError),
    /// Opening providers.
    Registry(RegistryError),
    /// No plan can be made.
    Plan(PlanError),
    /// A plan cannot be saved.
    Save(SaveError),
    /// A file cannot be used as a plan.
    SavedPlan {
        /// Which.
        path: PathBuf,
        /// Why.
        error: SavedPlanError,
    },
    /// Some groups failed.
    GroupsFailed {
        /// `read`, `planned`, `changed`.
        what: &'static str,
        /// Address and reason.
        failed: Vec<(String, String)>,
        /// There were other groups, which went on.
        others: bool,
    },
    /// Another state owns every group of the plan.
    OwnedElsewhere {
        /// How many.
        groups: usize,
    },
    /// A group that a surge, an override or a flag asks for has no such thing.
    Nothing {
        /// `No pin`, `Unknown surge`.
        summary: &'static str,
        /// A sentence.
        why: String,
        /// What to do.
        hint: String,
    },
    /// Carrying out a plan.
    Apply(ApplyError),
    /// An apply was asked to stop.
    Interrupted {
        /// Groups that were not begun.
        left: usize,
    },
    /// A hand in the simulated cloud.
    Mock(ProviderError),
    /// The loop.
    Reconcile(ReconcileError),
    /// The followed directory.
    Follow(BoxError),
    /// The address of `--listen`.
    Listen {
        /// Which.
        address: SocketAddr,
        /// Why.
        source: io::Error,
    },
    /// An observation that cannot be used.
    Observation(ObserveError),
    /// Nothing was recorded that could be replayed.
    History {
        /// The group.
        group: String,
        /// What is missing.
        error: NoHistory,
    },
    /// A group that cannot be simulated.
    Scenario(ScenarioError),
    /// Numbers that the optimum cannot be computed with.
    Optimum(ProblemError),
    /// No runtime.
    Runtime(io::Error),
    /// Standard output cannot be written.
    Output(io::Error),
    /// Standard input cannot be read.
    Input(io::Error),
    /// A question was answered with anything but yes.
    NotApproved,
    /// There is nobody to ask.
    CannotAsk,
}

/// Errors in the files, with the files.
#[derive(Debug)]
pub(super) struct Problems {
    /// At least one error.
    pub(super) diagnostics: Diagnostics,
    /// For pointing into.
    pub(super) sources: SourceMap,
}

impl From<ApplyError> for CliError {
    fn from(error: ApplyError) -> CliError {
        CliError::Apply(error)
    }
}

impl From<PlanError> for CliError {
    fn from(error: PlanError) -> CliError {
        CliError::Plan(error)
    }
}

impl From<Unmatched> for CliError {
    fn from(error: Unmatched) -> CliError {
        CliError::NoSuchGroup {
            text: error.pattern,
            nearest: error.nearest,
        }
    }
}

impl From<SaveError> for CliError {
    fn from(error: SaveError) -> CliError {
        CliError::Save(error)
    }
}

impl From<BackendError> for CliError {
    fn from(error: BackendError) -> CliError {
        CliError::Backend(error)
    }
}

impl From<RemoteError> for CliError {
    fn from(error: RemoteError) -> CliError {
        CliError::Remote(error)
    }
}

impl From<StateError> for CliError {
    fn from(error: StateError) -> CliError {
        CliError::State(error)
    }
}

/// `1 error`, `2 errors`, `no errors`.
pub(super) fn plural(n: usize, noun: &str) -> String {
    match n {
        0 => format!("no {noun}s"),
        1 => format!("1 {noun}"),
        n => format!("{n} {noun}s"),
    }
}

/// A cause and what is behind it, each once, as a sentence.
pub(super) fn sentence(error: &(dyn std::error::Error + 'static)) -> String {
    let text = lower_sentence(error);
    // A name stays as people have to write it.
    let word = text.split(' ').next().unwrap_or_default();
    if !word.chars().all(char::is_alphabetic) {
        return text;
    }
    let mut characters = text.chars();
    match characters.next() {
        Some(first) => first.to_uppercase().chain(characters).collect(),
        None => text,
    }
}

/// A line as far in as it stands, broken between its words.
fn broken(line: &str, width: Option<usize>) -> String {
    let words = line.trim_start();
    let inset = " ".repeat(2 + line.len() - words.len());
    let lines = wrapped(&inset, words, width);
    lines
        .iter()
        .map(|line| format!("{}\n", line.trim_end()))
        .collect()
}

/// Prints an error to standard error and gives its exit code.
pub(super) fn report(error: &CliError, output: &Output, json: bool) -> u8 {
    let explained = explain::explain(error);
    if json {
        let mut document = serde_json::json!({
            "format_version": 1,
            "error": {
                "summary": explained.summary,
                "why": explained.why.join("\n"),
                "hint": explained.hint,
                "exit_code": explained.code,
            },
        });
        if let (CliError::Problems(problems) | CliError::Expression(problems), Some(object)) =
            (error, document.as_object_mut())
        {
            let diagnostics = render::json(&problems.diagnostics, &problems.sources);
            object.insert("diagnostics".to_owned(), diagnostics);
        }
        output.note(document);
        return explained.code;
    }
    let mut text = String::new();
    if let CliError::Problems(problems) | CliError::Expression(problems) = error {
        text.push_str(&render::terminal(
            &problems.diagnostics,
            &problems.sources,
            render::Style {
                color: output.has_error_color(),
                unicode: output.error_is_terminal(),
                width: output.width(),
            },
        ));
        // What is wrong with an expression says already that it has no value.
        if matches!(error, CliError::Expression(_)) && !problems.diagnostics.is_empty() {
            output.print_error(&text);
            return explained.code;
        }
        text.push('\n');
    }
    text.push_str(&format!(
        "{} {}\n",
        paint(RED.bold(), "error:"),
        explained.summary
    ));
    // A program wants lines whole.
    let width = output.error_is_terminal().then(|| output.width());
    for line in explained.why.iter().flat_map(|why| why.lines()) {
        text.push_str(&broken(line, width));
    }
    if let Some(hint) = &explained.hint {
        let head = format!("  {} ", paint(CYAN, "help:"));
        for line in wrapped(&head, hint, width) {
            text.push_str(&format!("{line}\n"));
        }
    }
    output.print_error(&text);
    explained.code
}

/// Makes a panic say whose fault it is. The exit code is then [`exit::FAILURE`].
pub(super) fn install_panic_hook() {
    std::panic::set_hook(Box::new(|info: &PanicHookInfo<'_>| {
        let place = info
            .location()
            .map_or_else(|| "an unknown place".to_owned(), ToString::to_string);
        let words = info
            .payload()
            .downcast_ref::<&str>()
            .map(|text| (*text).to_owned())
            .or_else(|| info.payload().downcast_ref::<String>().cloned())
            .unwrap_or_default();
        Output::new(false).print_error(&format!(
            "{} This is a bug in tideform.\n  tideform {} failed at {place}: {words}\n  {} please report it with this \
             text and what you did: {}/issues\n",
            paint(RED.bold(), "error:"),
            env!("CARGO_PKG_VERSION"),
            paint(CYAN, "help:"),
            env!("CARGO_PKG_REPOSITORY"),
        ));
    }));
}

/// The same as it goes on after a colon.
fn lower_sentence(error: &(dyn std::error::Error + 'static)) -> String {
    let mut text = error.to_string();
    let mut cause = error.source();
    while let Some(error) = cause {
        let words = error.to_string();
        if !text.contains(&words) {
            text.push_str(": ");
            text.push_str(&words);
        }
        cause = error.source();
    }
    if text.ends_with(['.', '!', '?', '`']) {
        text
    } else {
        text + "."
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lines_break_on_a_terminal_and_stay_whole_for_programs() {
        let line = "group.web: `ec2:DescribeInstances` is not allowed: the role needs it";
        assert_eq!(broken(line, None), format!("  {line}\n"));
        assert_eq!(broken(line, Some(100)), format!("  {line}\n"));
        assert_eq!(
            broken(&format!("  {line}"), Some(46)),
            "    group.web: `ec2:DescribeInstances` is not\n    allowed: the role needs it\n"
        );
        assert_eq!(broken("", Some(40)), "\n");
    }

    #[test]
    fn what_stands_in_the_way_of_many_groups_is_said_once() {
        let failed = |group: &str, why: &str| (group.to_owned(), why.to_owned());
        let explained = explain::explain(&CliError::GroupsFailed {
            what: "read",
            failed: vec![
                failed("group.a", "denied"),
                failed("group.b", "gone"),
                failed("group.c", "denied"),
            ],
            others: false,
        });
        assert_eq!(explained.why, ["group.a, group.c: denied", "group.b: gone"]);
        let many = (0..30).map(|n| failed(&format!("group.g{n}"), "denied"));
        let explained = explain::explain(&CliError::GroupsFailed {
            what: "read",
            failed: many.collect(),
            others: false,
        });
        assert_eq!(explained.why.len(), 1);
        assert!(
            explained.why[0].contains("group.g9 and 20 more: denied"),
            "{:?}",
            explained.why
        );
    }
}
