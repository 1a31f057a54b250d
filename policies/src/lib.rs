//! The policy language of tideform: parse, evaluate, merge, validate, format; and the typed model.
//!
//! ```text
//! files -> load (syntax, values, functions) -> tree -> decode (layers, schema, checks) -> model
//! ```
//!
//! It reads files of a directory and nothing else: no clock, no network, no environment (variables
//! are handed in). Every problem is a [`diagnostic::Diagnostic`] that points into the source.

pub mod calendar;
mod checks;
pub mod codes;
pub mod decode;
pub mod defaults;
pub mod diagnostic;
pub mod edit;
pub mod format;
pub mod functions;
pub mod layers;
pub mod load;
pub mod model;
pub mod render;
pub mod schema;
pub mod source;
pub mod suggest;
pub mod tree;
pub mod value;
pub mod write;

pub use decode::configuration;

use diagnostic::Diagnostics;
use load::LoadInput;
use model::Configuration;

/// Reads a directory: files, variables, layers, checks. It does not fail: what is wrong is in the diagnostics,
/// and a configuration with errors must change nothing.
pub fn read(input: &LoadInput) -> (Configuration, Diagnostics) {
    decoded(load::load(input))
}

/// Reads one text as if it were the only file of a directory, without variables from outside.
pub fn read_text(name: &str, text: &str) -> (Configuration, Diagnostics) {
    decoded(load::load_text(name, text))
}

fn decoded(loaded: load::Loaded) -> (Configuration, Diagnostics) {
    configuration(
        loaded.tree,
        loaded.sources,
        loaded.digest,
        loaded.diagnostics,
    )
}
