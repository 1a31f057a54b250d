//! Tests of the front half of the language.

mod directory;
mod expressions;
mod fuzz;
mod variables;

use std::path::PathBuf;

use super::{LoadInput, Loaded, VariableArgument, load};
use crate::value::Value;

/// A directory of files that exists as long as the test.
pub(super) struct Files {
    directory: tempfile::TempDir,
    input: LoadInput,
}

pub(super) fn files(files: &[(&str, &str)]) -> Files {
    let directory = tempfile::tempdir().expect("a temporary directory");
    for (name, text) in files {
        std::fs::write(directory.path().join(name), text).expect("a file");
    }
    let input = LoadInput {
        directory: directory.path().to_owned(),
        ..LoadInput::default()
    };
    Files { directory, input }
}

impl Files {
    pub(super) fn path(&self, name: &str) -> PathBuf {
        self.directory.path().join(name)
    }

    pub(super) fn var(mut self, name: &str, value: &str) -> Files {
        self.input.arguments.push(VariableArgument::Value {
            name: name.to_owned(),
            value: value.to_owned(),
        });
        self
    }

    pub(super) fn var_file(mut self, name: &str) -> Files {
        let path = self.path(name);
        self.input.arguments.push(VariableArgument::File(path));
        self
    }

    pub(super) fn environment(mut self, name: &str, value: &str) -> Files {
        self.input
            .environment
            .push((name.to_owned(), value.to_owned()));
        self
    }

    pub(super) fn load(&self) -> Loaded {
        load(&self.input)
    }
}

/// The codes of all problems, in order.
pub(super) fn codes(loaded: &Loaded) -> Vec<&'static str> {
    loaded.diagnostics.iter().map(|d| d.code.0).collect()
}

/// The first problem as `P0107 at web.hcl:3:5: words`.
pub(super) fn first(loaded: &Loaded) -> String {
    let Some(d) = loaded.diagnostics.iter().next() else {
        return "no problem".to_owned();
    };
    let label = d.labels.first();
    let place = label.and_then(|label| loaded.sources.place(label.span));
    let words = label.map_or("", |label| &label.text);
    match place {
        Some((name, line, column)) => format!("{} at {name}:{line}:{column}: {words}", d.code.0),
        None => format!("{}: {}", d.code.0, d.summary),
    }
}

/// The value of an expression beside some text, or its first code.
pub(super) fn evaluate_in(text: &str, expression: &str) -> Result<Value, &'static str> {
    let loaded = files(&[("main.hcl", text)]).load();
    assert!(
        !loaded.diagnostics.has_errors(),
        "{:?}",
        loaded.diagnostics.iter().collect::<Vec<_>>()
    );
    loaded
        .evaluate(expression)
        .map_err(|error| error.diagnostics.iter().next().map_or("none", |d| d.code.0))
}

/// The value of an expression as compact JSON, or its first code.
pub(super) fn show(expression: &str) -> String {
    match evaluate_in("locals {}\n", expression) {
        Ok(value) => value.to_json().to_string(),
        Err(code) => code.to_owned(),
    }
}
