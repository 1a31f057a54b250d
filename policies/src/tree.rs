//! The evaluated tree: blocks and attributes whose expressions have become values, with their places.
//!
//! It stands between the two halves of this crate: [`crate::load`] reads, parses and evaluates files
//! into it and knows no block's meaning; [`crate::decode`] gives it its meaning. Layers are merged here,
//! before decoding, so that every attribute still knows where it was written.

use indexmap::IndexMap;

use crate::model::{Formula, GroupAddress};
use crate::source::{Span, Spanned};
use crate::value::Value;

/// A block with its body evaluated.
#[derive(Clone, Debug, PartialEq)]
pub struct Block {
    /// `metric`.
    pub kind: Spanned<String>,
    /// `"cpu"`.
    pub labels: Vec<Spanned<String>>,
    /// In the order of the file. Names are unique.
    pub attributes: IndexMap<String, Attribute>,
    /// In the order of the file, `dynamic` blocks unrolled.
    pub blocks: Vec<Block>,
    /// From the kind to the end of the header.
    pub span: Span,
}

/// An attribute with its expression evaluated.
#[derive(Clone, Debug, PartialEq)]
pub struct Attribute {
    /// Where the name stands.
    pub name: Span,
    /// What the expression gave.
    pub value: AttributeValue,
    /// Where the expression stands.
    pub span: Span,
    /// The metrics that a formula mentions, each time; empty for anything else.
    pub mentions: Vec<Spanned<String>>,
    /// Where the items of a list stand; empty where the expression is not itself a list.
    pub items: Vec<Span>,
}

impl Attribute {
    /// Where an item of a list stands; of a list that is not written out, where the list is.
    pub fn item_span(&self, i: usize) -> Span {
        self.items.get(i).copied().unwrap_or(self.span)
    }
}

/// What an expression gave.
#[derive(Clone, Debug, PartialEq)]
pub enum AttributeValue {
    /// A value.
    Known(Value),
    /// An expression that is evaluated at each decision.
    Formula(Formula),
    /// Several of them: a list in a test's `always` or `never`.
    Formulas(Vec<Formula>),
    /// Nothing: its error has been reported. Ask no more of it.
    Poisoned,
}

/// One member of a `group` block.
#[derive(Clone, Debug, PartialEq)]
pub struct GroupBlock {
    /// With its key, where the block has `for_each`.
    pub address: GroupAddress,
    /// Without `for_each`.
    pub block: Block,
}

/// A directory, evaluated.
#[derive(Clone, Debug, Default)]
pub struct Tree {
    /// `tideform` blocks (at most one is legal).
    pub settings: Vec<Block>,
    /// `provider` blocks.
    pub providers: Vec<Block>,
    /// `policy` blocks.
    pub policies: Vec<Block>,
    /// `group` blocks, a `for_each` unrolled.
    pub groups: Vec<GroupBlock>,
    /// `test` blocks.
    pub tests: Vec<Block>,
    /// `moved` blocks.
    pub moved: Vec<Block>,
    /// `removed` blocks.
    pub removed: Vec<Block>,
}
