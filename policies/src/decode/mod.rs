//! From the evaluated tree to the typed model: layers, schema, checks.

use std::sync::Arc;

use crate::diagnostic::Diagnostics;
use crate::layers::Layers;
use crate::model::Configuration;
use crate::source::SourceMap;
use crate::tree::Tree;

/// Gives an evaluated directory its meaning. Problems are added to `diagnostics`; a configuration with errors
/// holds what could be understood and must change nothing.
///
/// - `sources`: the files, kept in the configuration for pointing into them.
/// - `digest`: of all files and variables, see [`Configuration::digest`].
pub fn configuration(
    tree: Tree,
    sources: SourceMap,
    digest: String,
    diagnostics: Diagnostics,
) -> (Configuration, Diagnostics) {
    let configuration = Configuration {
        layers: Layers::new(Arc::new(tree)),
        sources,
        digest,
        ..Configuration::default()
    };
    (configuration, diagnostics)
}
