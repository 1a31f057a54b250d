//! Evaluating one expression in the scope of a directory: `tideform console`.

use std::path::PathBuf;

use super::evaluate::{self, Evaluator, Scope};
use super::meter::Meter;
use super::{Loaded, syntax, with_large_stack};
use crate::diagnostic::Diagnostics;
use crate::functions::Files;
use crate::source::SourceMap;
use crate::value::Value;

/// What a directory's expressions can name, kept after it was read.
#[derive(Clone, Debug, Default)]
pub(super) struct Names {
    pub(super) names: evaluate::Names,
    pub(super) has_sensitive: bool,
    pub(super) directory: PathBuf,
}

/// Why an expression has no value.
#[derive(Clone, Debug)]
pub struct EvaluationError {
    /// What is wrong.
    pub diagnostics: Diagnostics,
    /// The directory's files and the expression, under the name `console`.
    pub sources: SourceMap,
}

impl std::fmt::Display for EvaluationError {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self.diagnostics.iter().next() {
            Some(first) => f.write_str(&first.summary),
            None => f.write_str("the expression has no value"),
        }
    }
}

impl std::error::Error for EvaluationError {}

impl Loaded {
    /// The value of an expression, with the directory's variables, locals and references.
    ///
    /// # Errors
    ///
    /// The text is not one expression, or it has no value; also where it needs a value that itself has errors.
    pub fn evaluate(&self, text: &str) -> Result<Value, EvaluationError> {
        let text = text.trim();
        with_large_stack(|| {
            let mut sources = self.sources.clone();
            let id = sources.add("console", text);
            let mut evaluator =
                Evaluator::new(sources, Files::new(&self.names.directory), Meter::default());
            evaluator.names = self.names.names.clone();
            evaluator.has_sensitive = self.names.has_sensitive;
            let mut problems = Diagnostics::default();
            let value = syntax::parse_expression(id, text, &mut problems)
                .and_then(|expression| evaluator.evaluate(&expression, Scope::top(id)).ok());
            problems.extend(evaluator.diagnostics.iter().cloned());
            match value {
                Some(value) => Ok(value),
                None => {
                    // A poisoned value says nothing: its problems were reported when the directory was read.
                    if problems.is_empty() {
                        problems = self.diagnostics.clone();
                    }
                    Err(EvaluationError {
                        diagnostics: problems,
                        sources: evaluator.sources,
                    })
                }
            }
        })
    }
}
