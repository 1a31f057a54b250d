//! Layers: what a group is, once its policies and its own block are laid over each other.
//!
//! Weakest first: defaults, the policies of `use` from left to right, the group. Blocks match by type and
//! label and merge attribute by attribute; `null` restores the default; unlabelled repeated blocks replace
//! the weaker list as a whole; names that exclude each other (`track`, `step`, `want`) drop an inherited
//! other; `enabled = false` takes a block away. Nothing is copied: a merged block borrows from the tree,
//! so that every value still knows where it was written. Defaults are not laid in here: the decoder reads
//! them from [`crate::defaults`] where nothing is written.

mod resolved;

use std::collections::HashMap;
use std::sync::Arc;

pub(crate) use resolved::show_value;
pub use resolved::{Layers, ResolvedValue, render};

use crate::schema::{BlockSchema, GROUP_ONLY};
use crate::source::{Span, Spanned};
use crate::tree::{Attribute, AttributeValue, Block, Tree};
use crate::value::{Address, Value};

/// A block with its layers merged.
#[derive(Clone, Debug)]
pub(crate) struct Merged<'t> {
    /// `metric`.
    pub kind: &'t str,
    /// Its labels.
    pub labels: &'t [Spanned<String>],
    /// Where the strongest layer wrote its header.
    pub span: Span,
    /// The strongest layer that wrote it, as a place in the list of layers.
    pub layer: usize,
    /// In the order in which they were first written.
    pub attributes: Vec<MergedAttribute<'t>>,
    /// In the order in which they were first written.
    pub blocks: Vec<Merged<'t>>,
}

/// An attribute and the layer that wrote it.
#[derive(Clone, Copy, Debug)]
pub(crate) struct MergedAttribute<'t> {
    /// `target`.
    pub name: &'t str,
    /// With its place.
    pub attribute: &'t Attribute,
    /// The layer, as a place in the list of layers.
    pub layer: usize,
}

/// How two blocks are known to be the same one: kind and labels.
type Key<'t> = (&'t str, Option<&'t str>, Option<&'t str>);

fn key<'t>(
    kind: &'t str,
    labels: &'t [Spanned<String>],
    schema: Option<&'static BlockSchema>,
) -> Key<'t> {
    // A label where none belongs makes no other block; it was reported.
    let most = schema.map_or(2, |schema| schema.labels.most());
    let label = |i: usize| {
        let label = labels.get(i).filter(|_| i < most)?;
        Some(label.value.as_str())
    };
    (kind, label(0), label(1))
}

/// A value without its wrapping as a secret.
pub(crate) fn plain(value: &Value) -> &Value {
    match value {
        Value::Sensitive(inner) => plain(inner),
        value => value,
    }
}

/// Whether an attribute is `null`: as if it were not there.
pub(crate) fn is_null(attribute: &Attribute) -> bool {
    matches!(&attribute.value, AttributeValue::Known(value) if matches!(plain(value), Value::Null))
}

impl<'t> Merged<'t> {
    /// One block by itself, as a single layer.
    pub(crate) fn single(block: &'t Block, schema: &'static BlockSchema) -> Merged<'t> {
        let mut merged = Merged::empty(block, 0);
        merged.lay(block, Some(schema), 0);
        merged.drop_disabled();
        merged
    }

    fn empty(block: &'t Block, layer: usize) -> Merged<'t> {
        Merged {
            kind: &block.kind.value,
            labels: &block.labels,
            span: block.span,
            layer,
            attributes: Vec::new(),
            blocks: Vec::new(),
        }
    }

    /// The first label.
    pub(crate) fn label(&self) -> Option<&'t str> {
        self.labels.first().map(|label| label.value.as_str())
    }

    /// The attribute of this name, unless it is `null`.
    pub(crate) fn get(&self, name: &str) -> Option<&'t Attribute> {
        self.attributes
            .iter()
            .find(|entry| entry.name == name)
            .map(|entry| entry.attribute)
    }

    /// Where an attribute's value stands; the block's header where it is not written.
    pub(crate) fn span_of(&self, name: &str) -> Span {
        self.get(name).map_or(self.span, |attribute| attribute.span)
    }

    /// The first block of a kind.
    pub(crate) fn block(&self, kind: &str) -> Option<&Merged<'t>> {
        self.blocks.iter().find(|block| block.kind == kind)
    }

    /// All blocks of a kind, in order.
    pub(crate) fn blocks_of<'a>(
        &'a self,
        kind: &'a str,
    ) -> impl Iterator<Item = &'a Merged<'t>> + 'a {
        self.blocks.iter().filter(move |block| block.kind == kind)
    }

    /// Lays a stronger block over this one.
    fn lay(&mut self, stronger: &'t Block, schema: Option<&'static BlockSchema>, layer: usize) {
        self.layer = layer;
        self.span = stronger.span;
        if let Some(schema) = schema {
            self.drop_excluded(stronger, schema);
        }
        for (name, attribute) in &stronger.attributes {
            let known = self.attributes.iter().position(|entry| entry.name == name);
            match (known, is_null(attribute)) {
                (Some(i), true) => {
                    self.attributes.remove(i);
                }
                (None, true) => {}
                (known, false) => {
                    let entry = MergedAttribute {
                        name,
                        attribute,
                        layer,
                    };
                    match known.and_then(|i| self.attributes.get_mut(i)) {
                        Some(weaker) => *weaker = entry,
                        None => self.attributes.push(entry),
                    }
                }
            }
        }
        let label = stronger.labels.first().map(|label| label.value.as_str());
        let inner = |kind: &str| schema.and_then(|schema| schema.block(kind, label));
        // Unlabelled repeated blocks replace the weaker list as a whole.
        let mut replaced: Vec<&str> = Vec::new();
        for block in &stronger.blocks {
            let kind = block.kind.value.as_str();
            if inner(kind).is_some_and(|schema| schema.repeats) && !replaced.contains(&kind) {
                replaced.push(kind);
            }
        }
        self.blocks.retain(|block| !replaced.contains(&block.kind));
        let mut places: HashMap<Key<'t>, usize> = self
            .blocks
            .iter()
            .enumerate()
            .map(|(i, block)| (key(block.kind, block.labels, inner(block.kind)), i))
            .collect();
        for block in &stronger.blocks {
            let kind = block.kind.value.as_str();
            let schema = inner(kind);
            let repeats = schema.is_some_and(|schema| schema.repeats);
            let place = match places.get(&key(kind, &block.labels, schema)) {
                Some(place) if !repeats => *place,
                _ => {
                    self.blocks.push(Merged::empty(block, layer));
                    let place = self.blocks.len() - 1;
                    places.insert(key(kind, &block.labels, schema), place);
                    place
                }
            };
            if let Some(merged) = self.blocks.get_mut(place) {
                merged.lay(block, schema, layer);
            }
        }
    }

    /// Drops what the stronger block's names exclude: its `step` an inherited `track`.
    fn drop_excluded(&mut self, stronger: &Block, schema: &'static BlockSchema) {
        if self.attributes.is_empty() && self.blocks.is_empty() {
            return;
        }
        for sets in schema.exclusive {
            let Some(used) = sets
                .iter()
                .position(|set| set.iter().any(|name| writes(stronger, name)))
            else {
                continue;
            };
            for (i, set) in sets.iter().enumerate() {
                // What the stronger block writes itself is not inherited; both are then a problem of its own.
                if i != used {
                    self.attributes.retain(|entry| !set.contains(&entry.name));
                    self.blocks.retain(|block| !set.contains(&block.kind));
                }
            }
        }
    }

    /// Takes away all blocks that `enabled = false` takes away. The two directions keep theirs: it says that
    /// they never move.
    fn drop_disabled(&mut self) {
        self.blocks
            .retain(|block| matches!(block.kind, "scale_out" | "scale_in") || !block.is_disabled());
        for block in &mut self.blocks {
            block.drop_disabled();
        }
    }

    /// Whether `enabled = false` stands in the block.
    pub(crate) fn is_disabled(&self) -> bool {
        self.get("enabled").is_some_and(is_false)
    }
}

pub(crate) fn is_false(attribute: &Attribute) -> bool {
    matches!(&attribute.value, AttributeValue::Known(value) if matches!(plain(value), Value::Bool(false)))
}

/// Whether a block sets a name: as an attribute that is neither `null` nor `false`, or as a block that is not
/// disabled.
fn writes(block: &Block, name: &str) -> bool {
    block
        .attributes
        .get(name)
        .is_some_and(|attribute| !is_null(attribute) && !is_false(attribute))
        || block.blocks.iter().any(|inner| {
            inner.kind.value == name && !inner.attributes.get("enabled").is_some_and(is_false)
        })
}

/// The policies of a tree by name. Of two with one name the first counts; that there are two is reported
/// elsewhere.
pub(crate) fn policies(tree: &Tree) -> HashMap<&str, &Block> {
    let mut map = HashMap::new();
    for block in &tree.policies {
        if let Some(label) = block.labels.first() {
            map.entry(label.value.as_str()).or_insert(block);
        }
    }
    map
}

/// A group's layers, from the weakest to the strongest, with their names: its policies, then itself.
pub(crate) fn layers_of<'t>(
    group: &'t Block,
    address: &str,
    policies: &HashMap<&str, &'t Block>,
) -> Vec<(Arc<str>, &'t Block)> {
    let mut layers: Vec<(Arc<str>, &'t Block)> = Vec::new();
    for name in used_policies(group) {
        if let Some(block) = policies.get(name)
            && !block.attributes.get("enabled").is_some_and(is_false)
        {
            layers.push((format!("policy.{name}").into(), block));
        }
    }
    layers.push((address.into(), group));
    layers
}

/// The names in a group's `use`: a policy, or a list of them.
pub(crate) fn used_policies(group: &Block) -> Vec<&str> {
    fn collect<'t>(value: &'t Value, names: &mut Vec<&'t str>) {
        match plain(value) {
            Value::Address(Address::Policy(name)) => names.push(name),
            Value::List(list) => list.iter().for_each(|value| collect(value, names)),
            _ => {}
        }
    }
    let mut names = Vec::new();
    if let Some(Attribute {
        value: AttributeValue::Known(value),
        ..
    }) = group.attributes.get("use")
    {
        collect(value, &mut names);
    }
    names
}

/// Whether layers of a group are missing: its `use` has an error, or names a policy that is not there. What such a
/// group lacks or does not know says nothing.
pub(crate) fn is_incomplete(group: &Block, policies: &HashMap<&str, &Block>) -> bool {
    let Some(attribute) = group.attributes.get("use") else {
        return false;
    };
    matches!(attribute.value, AttributeValue::Poisoned)
        || used_policies(group)
            .iter()
            .any(|name| !policies.contains_key(name))
}

/// Lays a group's layers over each other.
pub(crate) fn merge<'t>(
    layers: &[(Arc<str>, &'t Block)],
    schema: &'static BlockSchema,
) -> Option<Merged<'t>> {
    let (_, group) = layers.last()?;
    let mut merged = Merged::empty(group, 0);
    for (i, (_, block)) in layers.iter().enumerate() {
        merged.lay(block, Some(schema), i);
    }
    // What is the group's own counts only there, and a policy's `enabled` is about the policy.
    let own = layers.len() - 1;
    merged.attributes.retain(|entry| {
        entry.layer == own || (entry.name != "enabled" && !GROUP_ONLY.contains(&entry.name))
    });
    merged.blocks.retain(|block| {
        block.layer == own || !schema.block(block.kind, None).is_some_and(|s| s.group_only)
    });
    merged.drop_disabled();
    Some(merged)
}
