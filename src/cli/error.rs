//! Every error of the library as a person reads it: summary, why, what to do, and the exit code.
//!
//! The mapping is exhaustive: a new variant anywhere does not compile until somebody has thought about it here.

use std::io;
use std::panic::PanicHookInfo;
use std::path::PathBuf;

use super::exit;
use super::output::{CYAN, Output, RED, paint};

/// Anything that ends a command.
#[derive(Debug)]
pub(super) enum CliError {
    /// The arguments are wrong; clap's own text.
    Usage(String),
    /// A command of a later version.
    LaterVersion(&'static str),
    /// `-C` names no directory.
    NoDirectory(PathBuf),
    /// Standard output cannot be written.
    Output(io::Error),
    /// Standard input cannot be read.
    Input(io::Error),
    /// A question was answered with anything but yes.
    NotApproved,
    /// There is nobody to ask.
    CannotAsk,
    /// A piece that is not there.
    NotSupportedYet(&'static str),
}

/// An error as it is shown.
#[derive(Debug, Default)]
pub(super) struct Explained {
    /// Short, and free of the user's names.
    pub(super) summary: String,
    /// What is wrong, and why if not obvious; a line each.
    pub(super) why: Vec<String>,
    /// What to do.
    pub(super) hint: Option<String>,
    /// See [`exit`].
    pub(super) code: u8,
}

impl Explained {
    fn new(summary: impl Into<String>) -> Explained {
        Explained {
            summary: summary.into(),
            code: exit::FAILURE,
            ..Explained::default()
        }
    }

    fn why(mut self, line: impl Into<String>) -> Explained {
        self.why.push(line.into());
        self
    }

    fn hint(mut self, text: impl Into<String>) -> Explained {
        self.hint = Some(text.into());
        self
    }
}

/// Says what an error means.
pub(super) fn explain(error: &CliError) -> Explained {
    match error {
        CliError::Usage(text) => Explained::new("Wrong usage").why(text.trim()),
        CliError::LaterVersion(name) => Explained::new("Command not in this version")
            .why(format!("`tideform {name}` comes with a later version."))
            .hint("`tideform --help` lists the commands of this one."),
        CliError::NoDirectory(path) => Explained::new("Directory not found")
            .why(format!("There is no directory `{}`.", path.display()))
            .hint("name the configuration's directory with `-C DIR`."),
        CliError::Output(fault) => Explained::new("Cannot write the output").why(sentence(fault)),
        CliError::Input(fault) => Explained::new("Cannot read the answer").why(sentence(fault)),
        CliError::NotApproved => Explained::new("Not approved")
            .why("The answer was not `yes`. Nothing was changed."),
        CliError::CannotAsk => Explained::new("Approval needed")
            .why("This would change things, and there is no terminal to ask at. Nothing was changed.")
            .hint("pass `--auto-approve` to go ahead without a question."),
        CliError::NotSupportedYet(what) => {
            Explained::new("Not supported yet").why(format!("not supported yet: {what}"))
        }
    }
}

/// A cause and what is behind it, each once, as a sentence.
pub(super) fn sentence(error: &(dyn std::error::Error + 'static)) -> String {
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
    let mut characters = text.chars();
    let text = match characters.next() {
        Some(first) => first.to_uppercase().chain(characters).collect(),
        None => text,
    };
    if text.ends_with(['.', '!', '?', '`']) {
        text
    } else {
        text + "."
    }
}

/// Prints an error to standard error and gives its exit code.
pub(super) fn report(error: &CliError, output: &Output, json: bool) -> u8 {
    let explained = explain(error);
    if json {
        let document = serde_json::json!({
            "format_version": 1,
            "error": {
                "summary": explained.summary,
                "why": explained.why.join("\n"),
                "hint": explained.hint,
                "exit_code": explained.code,
            },
        });
        output.note(document);
        return explained.code;
    }
    let mut text = format!("{} {}\n", paint(RED.bold(), "error:"), explained.summary);
    for line in explained.why.iter().flat_map(|why| why.lines()) {
        text.push_str(if line.is_empty() { "" } else { "  " });
        text.push_str(line);
        text.push('\n');
    }
    if let Some(hint) = &explained.hint {
        text.push_str(&format!("  {} {hint}\n", paint(CYAN, "help:")));
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
