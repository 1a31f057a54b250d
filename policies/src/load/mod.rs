//! Reading a directory: files, syntax, variables, evaluation, into a [`Tree`].
//!
//! It knows no block's meaning beyond what evaluation needs: `variable`, `locals`, `for_each`,
//! `dynamic`, and where formulas may stand. It reads the files of one directory and what is handed in
//! with [`LoadInput`]: no clock, no network, no environment.
//!
//! ```text
//! directory -> syntax (lexer explains what the parser cannot) -> variables -> locals -> blocks -> Tree
//! ```
//!
//! After a syntax error nothing is evaluated: names would be missing, and what is said about them wrong.

mod blocks;
mod console;
mod directory;
pub(crate) mod evaluate;
pub(crate) mod lexer;
mod locals;
pub(crate) mod meter;
pub(crate) mod syntax;
mod types;
mod variables;

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use sha2::{Digest as _, Sha256};

use crate::codes;
use crate::diagnostic::{Diagnostic, Diagnostics};
use crate::functions::Files;
use crate::source::{SourceId, SourceMap};
use crate::tree::Tree;

pub use console::EvaluationError;
use console::Names;
use directory::{Directory, read_directory, read_file};
use evaluate::Evaluator;
use meter::Meter;
use variables::{Given, GivenValue, Origin};

/// What to read.
#[derive(Clone, Debug, Default)]
pub struct LoadInput {
    /// The directory whose `*.hcl` files are the configuration.
    pub directory: PathBuf,
    /// Values from the environment: the names without `TIDEFORM_VAR_`.
    pub environment: Vec<(String, String)>,
    /// `--var` and `--var-file`, in their order.
    pub arguments: Vec<VariableArgument>,
}

/// A value of a variable from the command line.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum VariableArgument {
    /// `--var name=value`.
    Value {
        /// Before the first `=`.
        name: String,
        /// After it.
        value: String,
    },
    /// `--var-file path`, relative to the working directory.
    File(PathBuf),
}

/// A directory that was read.
#[derive(Debug, Default)]
pub struct Loaded {
    /// The evaluated blocks; incomplete where there are errors, and empty after a syntax error.
    pub tree: Tree,
    /// The files, for pointing into them.
    pub sources: SourceMap,
    /// What is wrong.
    pub diagnostics: Diagnostics,
    /// SHA-256 over the names and bytes of all files and the values of all variables, in hex.
    pub digest: String,
    names: Names,
}

/// Reads and evaluates a directory. It does not fail: what is wrong is in `diagnostics`.
///
/// It runs on a thread with a large stack, since syntax trees are walked recursively.
pub fn load(input: &LoadInput) -> Loaded {
    load_with(input, Meter::default)
}

/// Evaluates one text as if it were the only file of a directory. As [`load`] else.
pub fn load_text(name: &str, text: &str) -> Loaded {
    with_large_stack(|| {
        let mut sources = SourceMap::default();
        let directory = Directory {
            configuration: vec![sources.add(name, text)],
            values: Vec::new(),
        };
        load_files(
            &LoadInput::default(),
            &directory,
            sources,
            Diagnostics::default(),
            Meter::default(),
        )
    })
}

/// As [`load`], with other texts in the place of some of the directory's files, by name: what they would mean.
pub fn load_replaced(input: &LoadInput, texts: &BTreeMap<String, String>) -> Loaded {
    with_large_stack(|| {
        let mut read = SourceMap::default();
        let mut diagnostics = Diagnostics::default();
        let directory = read_directory(&input.directory, &mut read, &mut diagnostics);
        // The same files in the same order, so that they keep their places.
        let mut sources = SourceMap::default();
        for (_, source) in read.iter() {
            let text = texts
                .get(&*source.name)
                .map_or(&*source.text, String::as_str);
            sources.add(&source.name, text);
        }
        load_files(input, &directory, sources, diagnostics, Meter::default())
    })
}

fn load_with(input: &LoadInput, meter: impl FnOnce() -> Meter + Send) -> Loaded {
    with_large_stack(|| load_here(input, meter()))
}

/// Runs on a thread with a large stack; right here, where no thread can be had.
pub(crate) fn with_large_stack<T: Send>(work: impl FnOnce() -> T + Send) -> T {
    let slot = std::sync::Mutex::new(Some(work));
    let take = || slot.lock().ok().and_then(|mut slot| slot.take());
    let ran = std::thread::scope(|threads| {
        std::thread::Builder::new()
            .name("load".to_owned())
            .stack_size(64 << 20)
            .spawn_scoped(threads, || take().map(|work| work()))
            .ok()
            .and_then(|thread| match thread.join() {
                Ok(result) => result,
                Err(panic) => std::panic::resume_unwind(panic),
            })
    });
    match ran {
        Some(result) => result,
        None => match take() {
            Some(work) => work(),
            None => unreachable!("the work was neither done nor is it left"),
        },
    }
}

fn load_here(input: &LoadInput, meter: Meter) -> Loaded {
    let mut sources = SourceMap::default();
    let mut diagnostics = Diagnostics::default();
    let directory = read_directory(&input.directory, &mut sources, &mut diagnostics);
    load_files(input, &directory, sources, diagnostics, meter)
}

fn load_files(
    input: &LoadInput,
    directory: &Directory,
    mut sources: SourceMap,
    mut diagnostics: Diagnostics,
    meter: Meter,
) -> Loaded {
    let parse = |ids: &[SourceId], sources: &SourceMap, out: &mut Diagnostics| {
        let mut bodies = Vec::with_capacity(ids.len());
        for id in ids {
            let text = sources.get(*id).map(|source| source.text.clone());
            let body = text.and_then(|text| syntax::parse_body(*id, &text, out));
            bodies.extend(body.map(|body| (*id, body)));
        }
        bodies
    };
    let bodies = parse(&directory.configuration, &sources, &mut diagnostics);
    let values = parse(&directory.values, &sources, &mut diagnostics);

    // The command line: a file of variables is read here, a single value is a source of its own.
    let mut arguments: Vec<Argument> = Vec::new();
    for argument in &input.arguments {
        match argument {
            VariableArgument::Value { name, value } => {
                let id = sources.add(&format!("--var {name}"), value);
                arguments.push(Argument::Value(given(name, value, id, Origin::CommandLine)));
            }
            VariableArgument::File(path) => {
                let name = path.to_string_lossy();
                if let Some(id) = read_file(&name, path, &mut sources, &mut diagnostics) {
                    let bodies = parse(&[id], &sources, &mut diagnostics);
                    arguments.extend(
                        bodies
                            .into_iter()
                            .map(|(id, body)| Argument::File(id, body)),
                    );
                }
            }
        }
    }
    let mut loaded = Loaded {
        digest: digest_files(directory, &sources),
        ..Loaded::default()
    };
    if diagnostics.has_errors() {
        loaded.sources = sources;
        loaded.diagnostics = diagnostics;
        return loaded;
    }

    let mut evaluator = Evaluator::new(sources, Files::new(&input.directory), meter);
    evaluator.diagnostics = diagnostics;
    let mut all = Vec::new();
    for (name, value) in &input.environment {
        let id = evaluator
            .sources
            .add(&format!("TIDEFORM_VAR_{name}"), value);
        all.push(given(name, value, id, Origin::Environment));
    }
    for (id, body) in &values {
        all.extend(variables::read_values(&mut evaluator, *id, body));
    }
    for argument in arguments {
        match argument {
            Argument::Value(given) => all.push(given),
            Argument::File(id, body) => {
                all.extend(variables::read_values(&mut evaluator, id, &body));
            }
        }
    }

    let top = blocks::collect(&mut evaluator, &bodies);
    blocks::register(&mut evaluator, &top);
    variables::evaluate_variables(&mut evaluator, &top.variables, all);
    locals::evaluate_locals(&mut evaluator, &top.locals);
    loaded.tree = blocks::build(&mut evaluator, &top);
    loaded.digest = digest(directory, &evaluator);
    loaded.sources = evaluator.sources;
    loaded.diagnostics = evaluator.diagnostics;
    loaded.names = Names {
        names: evaluator.names,
        has_sensitive: evaluator.has_sensitive,
        directory: input.directory.clone(),
    };
    loaded
}

enum Argument {
    Value(Given),
    File(SourceId, hcl::edit::structure::Body),
}

fn given(name: &str, value: &str, id: SourceId, from: Origin) -> Given {
    Given {
        name: name.to_owned(),
        value: GivenValue::Text(value.to_owned()),
        at: syntax::span(id, 0, value.len()),
        from,
    }
}

/// The names and bytes of the files, each with its length before it.
fn hash_files(directory: &Directory, sources: &SourceMap) -> Sha256 {
    let mut hash = Sha256::new();
    for id in directory.configuration.iter().chain(&directory.values) {
        if let Some(source) = sources.get(*id) {
            hash_part(&mut hash, &source.name);
            hash_part(&mut hash, &source.text);
        }
    }
    hash
}

fn hash_part(hash: &mut Sha256, text: &str) {
    hash.update((text.len() as u64).to_le_bytes());
    hash.update(text.as_bytes());
}

fn digest_files(directory: &Directory, sources: &SourceMap) -> String {
    crate::functions::hex(&hash_files(directory, sources).finalize())
}

fn digest(directory: &Directory, evaluator: &Evaluator) -> String {
    let mut hash = hash_files(directory, &evaluator.sources);
    for (name, text) in evaluator.files.read() {
        hash_part(&mut hash, &name);
        hash_part(&mut hash, &text);
    }
    let mut variables: Vec<_> = evaluator.names.variables.iter().collect();
    variables.sort_by(|a, b| a.0.cmp(b.0));
    for (name, value) in variables {
        hash_part(&mut hash, name);
        let value = value
            .as_ref()
            .map_or(serde_json::Value::Null, |value| value.to_json_revealed());
        hash_part(&mut hash, &value.to_string());
    }
    crate::functions::hex(&hash.finalize())
}

/// The text of a file for formatting: the same checks as [`load`] makes of it.
///
/// # Errors
///
/// The file cannot be read, is too large, or is not text; the diagnostics point into the sources beside them.
pub fn read_text(name: &str, path: &Path) -> Result<String, (Diagnostics, SourceMap)> {
    let mut sources = SourceMap::default();
    let mut diagnostics = Diagnostics::default();
    match read_file(name, path, &mut sources, &mut diagnostics).and_then(|id| sources.get(id)) {
        Some(source) => Ok(source.text.to_string()),
        None => {
            if diagnostics.is_empty() {
                diagnostics.push(Diagnostic::error(
                    codes::FILE_UNREADABLE,
                    "File cannot be read",
                ));
            }
            Err((diagnostics, sources))
        }
    }
}

#[cfg(test)]
#[path = "tests/mod.rs"]
mod tests;
