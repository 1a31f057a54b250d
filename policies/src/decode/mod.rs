//! From the evaluated tree to the typed model: layers, schema, checks.
//!
//! ```text
//! a block as written -> validate (names, shapes, each value by itself)
//! a group's layers   -> layers::merge -> required (what must be there) -> decode -> checks (what fits together)
//! ```
//!
//! Every problem is reported once, at the place that must change; a value that was reported is left out of
//! all that follows, so that one mistake gives one diagnostic. A group with errors does not stop the others.

mod context;
mod fields;
mod group;
mod metric;
mod policy;
pub(crate) mod read;
mod required;
mod settings;
mod tests;
mod validate;
mod version;
mod windows;

pub(crate) use context::Context;
pub(crate) use group::metric_names;
pub use read::{DurationError, parse_duration, parse_share};
pub(crate) use tests::unknown_metric;

use std::collections::{BTreeMap, HashMap};
use std::sync::Arc;

use crate::codes;
use crate::diagnostic::{Diagnostic, Diagnostics};
use crate::layers::{self, Layers};
use crate::model::{Configuration, Group, GroupAddress, ProviderAddress, Resource};
use crate::schema;
use crate::source::{SourceMap, Span};
use crate::tree::Tree;

/// Gives an evaluated directory its meaning. Problems are added to `diagnostics`; a configuration with errors
/// holds what could be understood and must change nothing.
///
/// - `sources`: the files, kept in the configuration for pointing into them.
/// - `digest`: of all files and variables, see [`Configuration::digest`].
///
/// Cost: some tens of microseconds a group.
pub fn configuration(
    tree: Tree,
    sources: SourceMap,
    digest: String,
    diagnostics: Diagnostics,
) -> (Configuration, Diagnostics) {
    let mut cx = Context::new(diagnostics);
    let settings = settings::settings(&tree, &mut cx);
    let providers = settings::providers(&tree, &mut cx);
    policies(&tree, &mut cx);
    let around = group::Surroundings {
        policies: layers::policies(&tree),
        providers,
    };
    let groups = groups(&tree, &around, &mut cx);
    let addresses = settings::Addresses::new(&tree);
    let moved = settings::moved(&tree, &addresses, &mut cx);
    let removed = settings::removed(&tree, &addresses, &mut cx);
    let places: HashMap<&GroupAddress, usize> = tree
        .groups
        .iter()
        .enumerate()
        .map(|(i, group)| (&group.address, i))
        .collect();
    let tests = tests::tests(
        &tree,
        &mut |address| {
            let block = places
                .get(address)
                .and_then(|place| tree.groups.get(*place));
            let Some((block, merged)) =
                block.and_then(|block| Some((block, group::merged(block, &around.policies)?)))
            else {
                return tests::Subjects::NoGroup;
            };
            if layers::is_incomplete(&block.block, &around.policies) {
                return tests::Subjects::Incomplete;
            }
            tests::Subjects::Known(tests::Names::of(&merged))
        },
        &mut cx,
    );
    let providers = around.providers.list;
    let configuration = Configuration {
        settings,
        providers,
        groups,
        tests,
        moved,
        removed,
        sources,
        layers: Layers::new(Arc::new(tree)),
        digest,
    };
    (configuration, cx.diagnostics)
}

/// Checks the `policy` blocks by themselves; groups merge them later.
fn policies(tree: &Tree, cx: &mut Context) {
    let Some(schema) = schema::top("policy") else {
        return;
    };
    let mut names: HashMap<&str, Span> = HashMap::new();
    for block in &tree.policies {
        validate::block(block, schema, cx);
        if let Some(label) = block.labels.first() {
            if let Some(first) = names.get(label.value.as_str()) {
                cx.push(
                    settings::used_twice(block.span, *first).help("give one of them another name"),
                );
            } else {
                names.insert(&label.value, block.span);
            }
        }
    }
}

fn groups(
    tree: &Tree,
    around: &group::Surroundings<'_>,
    cx: &mut Context,
) -> BTreeMap<GroupAddress, Group> {
    let mut list: Vec<(GroupAddress, Group)> = Vec::with_capacity(tree.groups.len());
    let mut places: HashMap<&GroupAddress, Span> = HashMap::with_capacity(tree.groups.len());
    let mut claims: HashMap<(ProviderAddress, Resource), Span> =
        HashMap::with_capacity(tree.groups.len());
    for block in &tree.groups {
        if let Some(first) = places.get(&block.address) {
            cx.push(
                settings::used_twice(block.block.span, *first)
                    .help("give one of them another name"),
            );
            continue;
        }
        places.insert(&block.address, block.block.span);
        let Some(decoded) = group::group(block, around, cx) else {
            continue;
        };
        let claim = (
            decoded.group.provider.clone(),
            decoded.group.resource.clone(),
        );
        if let Some(first) = claims.get(&claim) {
            // Members of one `for_each` share their place; then the name must vary with the key.
            let help = if *first == decoded.resource {
                "let the name hold `each.key`"
            } else {
                "give one of them another resource, or write both into one group"
            };
            let mut diagnostic =
                Diagnostic::error(codes::CLAIMED_TWICE, "Resource claimed by two groups").at(
                    decoded.resource,
                    format!("{} \"{}\"", claim.1.kind, claim.1.name),
                );
            if *first != decoded.resource {
                diagnostic = diagnostic.at(*first, "is claimed here, too");
            }
            cx.push(diagnostic.help(help));
        } else {
            claims.insert(claim, decoded.resource);
        }
        list.push((block.address.clone(), decoded.group));
    }
    // Building the map at once from a list is faster than one by one.
    list.into_iter().collect()
}
