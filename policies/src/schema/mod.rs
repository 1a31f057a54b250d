//! The language as one table: every block, its attributes, their kinds, defaults and meaning.
//!
//! The same table drives validation, the suggestions for unknown names, `tideform schema --json`, and the
//! test that the documentation leaves nothing out. It holds no logic beyond looking things up.

mod fleet;
mod group;
mod json;
mod providers;
mod reasons;
mod rules;
mod settings;
pub(crate) mod tests;
mod windows;

pub(crate) use group::GROUP_ONLY;
pub use json::{as_json, kind_name};
pub(crate) use providers::resource_kinds;
pub use reasons::REASON_KINDS;
pub(crate) use reasons::{About, about};

use std::sync::OnceLock;

use crate::defaults::Preset;

/// A kind of block.
#[derive(Debug)]
pub struct BlockSchema {
    /// `metric`.
    pub kind: &'static str,
    /// What it is for, one sentence.
    pub doc: &'static str,
    /// Its labels.
    pub labels: Labels,
    /// An unlabelled block that may stand several times; a stronger layer replaces the list as a whole.
    pub repeats: bool,
    /// It must be there once all layers are merged.
    pub required: bool,
    /// It has its defaults also where it is not written (`scale_in`).
    pub implicit: bool,
    /// Any attribute is accepted: the provider checks them.
    pub open: bool,
    /// Only in `group`, not in `policy`.
    pub group_only: bool,
    /// Attributes, in the order of the documentation.
    pub attributes: &'static [AttributeSchema],
    /// Blocks inside it.
    pub blocks: &'static [&'static BlockSchema],
    /// By the first label, blocks of this kind have further attributes and blocks.
    pub variants: &'static [BlockSchema],
    /// Sets of names of which only one may be used. A stronger layer that uses one drops an inherited other.
    pub exclusive: &'static [&'static [&'static [&'static str]]],
    /// Sets of names of which at least one must be used.
    pub one_of: &'static [&'static [&'static str]],
    /// Accepted, but without effect in this version: what is missing.
    pub inert: Option<&'static str>,
}

/// The labels of a kind of block.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Labels {
    /// None.
    None,
    /// One: a name that other blocks may use.
    Name(&'static str),
    /// One: any text.
    Text(&'static str),
    /// One of the variants' kinds.
    Variant(&'static str),
    /// One of the variants' kinds, and a name where there are several.
    VariantAndName(&'static str, &'static str),
}

impl Labels {
    /// The fewest labels that the block may have.
    pub fn least(self) -> usize {
        match self {
            Labels::None => 0,
            Labels::Name(_) | Labels::Text(_) | Labels::Variant(_) | Labels::VariantAndName(..) => {
                1
            }
        }
    }

    /// The most labels that the block may have.
    pub fn most(self) -> usize {
        match self {
            Labels::None => 0,
            Labels::Name(_) | Labels::Text(_) | Labels::Variant(_) => 1,
            Labels::VariantAndName(..) => 2,
        }
    }
}

/// An attribute of a block.
#[derive(Debug)]
pub struct AttributeSchema {
    /// `target`.
    pub name: &'static str,
    /// What it holds.
    pub kind: Kind,
    /// It must be there once all layers are merged.
    pub required: bool,
    /// What holds without it; `None` where that is nothing, or depends.
    pub default: Option<Preset>,
    /// What it means, one sentence.
    pub doc: &'static str,
    /// Accepted, but without effect in this version: what is missing.
    pub inert: Option<&'static str>,
}

/// What a number may be.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Range {
    /// The smallest.
    pub min: f64,
    /// The smallest itself is excluded.
    pub above_min: bool,
    /// The largest.
    pub max: f64,
    /// The largest itself is excluded.
    pub below_max: bool,
}

/// What an attribute holds.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Kind {
    /// Text that is not empty.
    Text,
    /// One of these words.
    Word(&'static [&'static str]),
    /// `true` or `false`.
    Bool,
    /// A finite number.
    Number(Range),
    /// A metric's target: a number above 0.
    Target,
    /// A whole number from the first to the second.
    Count(u32, u32),
    /// Any whole number of 64 bits.
    Integer,
    /// A duration of at least 0: `"90s"`.
    Duration,
    /// A duration above 0.
    PositiveDuration,
    /// A share from 0 % to this many percent: `"70%"`.
    Share(f64),
    /// A number of instances from 1, or a share above 0 %: `2`, `"50%"`.
    Amount,
    /// The same from 0 on: a change that may be none.
    Adjustment,
    /// A time: RFC 3339, or without an offset beside `timezone`.
    Instant,
    /// A list of dates: `["2026-12-25"]`.
    Dates,
    /// A cron expression of five fields.
    Cron,
    /// An IANA time zone.
    Timezone,
    /// `provider.aws`.
    Provider,
    /// A list of policies: `[policy.web]`.
    Policies,
    /// `group.web`.
    Group,
    /// A group, or a list of them.
    Groups,
    /// An expression over metrics that gives a number.
    NumberFormula,
    /// An expression over metrics that is true or false.
    TruthFormula,
    /// `"provider"` or a provider.
    Source,
    /// `"hold"`, `"last"`, `"scale_out"` or a number.
    OnMissing,
    /// `"average"` … `"p99.9"`.
    Statistic,
    /// `"2m"` or `"3 of 5"`.
    Breach,
    /// `true`, `false`, or a list of names.
    Adopt,
    /// A list of texts.
    Texts,
    /// A list of percentages, rising.
    Percents,
    /// An object whose values are texts.
    TextMap,
    /// An object of metric values: `{ cpu = 95, queue = null, load = [1, 2] }`.
    MetricValues,
    /// An object with `actions` and `recommendations`.
    Memory,
    /// A time of a test: since its start (`"5m"`), or a time by itself.
    StepTime,
    /// A list of kinds of reasons, each perhaps with its subject: `"no_data"`, `"no_data.cpu"`.
    Reasons,
    /// An object of capacities by metric: `{ cpu = 7, queue = null }`.
    Wants,
    /// A requirement: `">= 0.1"`.
    Version,
}

const NO_RANGE: Range = Range {
    min: f64::MIN,
    above_min: false,
    max: f64::MAX,
    below_max: false,
};
const POSITIVE: Range = Range {
    min: 0.0,
    above_min: true,
    ..NO_RANGE
};
const NOT_NEGATIVE: Range = Range {
    min: 0.0,
    ..NO_RANGE
};
/// Largest capacity; above it a number in a file is a mistake.
const MOST: u32 = 1_000_000;

const fn block(kind: &'static str, labels: Labels, doc: &'static str) -> BlockSchema {
    BlockSchema {
        kind,
        doc,
        labels,
        repeats: false,
        required: false,
        implicit: false,
        open: false,
        group_only: false,
        attributes: &[],
        blocks: &[],
        variants: &[],
        exclusive: &[],
        one_of: &[],
        inert: None,
    }
}

const fn attribute(name: &'static str, kind: Kind, doc: &'static str) -> AttributeSchema {
    AttributeSchema {
        name,
        kind,
        required: false,
        default: None,
        doc,
        inert: None,
    }
}

impl AttributeSchema {
    const fn required(mut self) -> AttributeSchema {
        self.required = true;
        self
    }
    const fn or(mut self, default: Preset) -> AttributeSchema {
        self.default = Some(default);
        self
    }
}

/// `enabled`, which every block of a policy or group takes.
const ENABLED: AttributeSchema = attribute(
    "enabled",
    Kind::Bool,
    "`false` takes the block away, as if it were not written.",
)
.or(crate::defaults::ENABLED);

impl BlockSchema {
    /// The attribute of this name, among a variant's too where the first label says which.
    pub fn attribute(&self, name: &str, label: Option<&str>) -> Option<&'static AttributeSchema> {
        self.attributes
            .iter()
            .chain(self.variant(label).map_or(&[][..], |v| v.attributes))
            .find(|attribute| attribute.name == name)
    }

    /// The nested block of this kind, among a variant's too where the first label says which.
    pub fn block(&self, kind: &str, label: Option<&str>) -> Option<&'static BlockSchema> {
        self.blocks
            .iter()
            .chain(self.variant(label).map_or(&[][..], |v| v.blocks))
            .find(|block| block.kind == kind)
            .copied()
    }

    /// The variant that a first label chooses.
    pub fn variant(&self, label: Option<&str>) -> Option<&'static BlockSchema> {
        self.variants
            .iter()
            .find(|variant| Some(variant.kind) == label)
    }

    /// The names of all attributes, with a variant's.
    pub fn attribute_names(&self, label: Option<&str>) -> impl Iterator<Item = &'static str> {
        self.attributes
            .iter()
            .chain(self.variant(label).map_or(&[][..], |v| v.attributes))
            .map(|attribute| attribute.name)
    }

    /// The kinds of all nested blocks, with a variant's.
    pub fn block_kinds(&self, label: Option<&str>) -> impl Iterator<Item = &'static str> {
        self.blocks
            .iter()
            .chain(self.variant(label).map_or(&[][..], |v| v.blocks))
            .map(|block| block.kind)
    }
}

/// The blocks that stand at the top of a file, in the order of the documentation.
pub const TOP: &[&BlockSchema] = &[
    &settings::TIDEFORM,
    &providers::PROVIDER,
    &settings::VARIABLE,
    &settings::LOCALS,
    &group::POLICY,
    &group::GROUP,
    &tests::TEST,
    &settings::MOVED,
    &settings::REMOVED,
];

/// The top-level block of this kind.
pub fn top(kind: &str) -> Option<&'static BlockSchema> {
    TOP.iter().find(|block| block.kind == kind).copied()
}

/// All blocks with the path to them: `metric`, `metric.track`, `provider "aws"`, in the order of the
/// documentation. Blocks that policies and groups share come once, without their parent.
pub fn blocks() -> &'static [(String, &'static BlockSchema)] {
    static BLOCKS: OnceLock<Vec<(String, &'static BlockSchema)>> = OnceLock::new();
    BLOCKS.get_or_init(list_blocks)
}

fn list_blocks() -> Vec<(String, &'static BlockSchema)> {
    fn walk(
        path: String,
        block: &'static BlockSchema,
        shared: bool,
        list: &mut Vec<(String, &'static BlockSchema)>,
    ) {
        if list.iter().any(|(_, known)| std::ptr::eq(*known, block)) {
            return;
        }
        list.push((path.clone(), block));
        for inner in block.blocks {
            let inner_path = if shared {
                inner.kind.to_owned()
            } else {
                format!("{path}.{}", inner.kind)
            };
            walk(inner_path, inner, false, list);
        }
        for variant in block.variants {
            walk(format!("{path} \"{}\"", variant.kind), variant, false, list);
        }
    }
    let mut list = Vec::new();
    for block in TOP {
        let shared = matches!(block.kind, "policy" | "group");
        walk(block.kind.to_owned(), block, shared, &mut list);
    }
    list
}

/// The known name that is nearest to `name`, if any is near.
pub fn nearest<'a>(name: &str, known: impl IntoIterator<Item = &'a str>) -> Option<&'a str> {
    // Hostile names are long; nothing that we know is.
    if name.len() > 64 {
        return None;
    }
    let lower = name.to_lowercase().replace('-', "_");
    known
        .into_iter()
        .filter_map(|candidate| {
            let plain = candidate.to_lowercase().replace('-', "_");
            let distance = strsim::damerau_levenshtein(&lower, &plain);
            // "maximum" for "max" and the other way round.
            let shortened = lower.len().min(plain.len()) >= 3
                && (lower.starts_with(&plain) || plain.starts_with(&lower));
            let is_near = distance <= (candidate.len().min(name.len()) / 3).max(1);
            (is_near || shortened).then_some((distance, candidate))
        })
        .min_by_key(|(distance, _)| *distance)
        .map(|(_, candidate)| candidate)
}

#[cfg(test)]
mod checks {
    use std::collections::BTreeSet;

    use super::*;

    #[test]
    fn every_block_and_attribute_is_described_once() {
        for (path, block) in blocks() {
            assert!(block.doc.ends_with('.'), "{path}: {}", block.doc);
            let mut names = BTreeSet::new();
            for attribute in block.attributes {
                assert!(
                    names.insert(attribute.name),
                    "{path}.{} twice",
                    attribute.name
                );
                assert!(
                    attribute.doc.ends_with('.'),
                    "{path}.{}: {}",
                    attribute.name,
                    attribute.doc
                );
                assert!(
                    !(attribute.required && attribute.default.is_some()),
                    "{path}.{}: required and with a default",
                    attribute.name
                );
            }
            for inner in block.blocks {
                assert!(names.insert(inner.kind), "{path}.{} twice", inner.kind);
            }
            for set in block
                .exclusive
                .iter()
                .copied()
                .flatten()
                .chain(block.one_of)
            {
                for name in *set {
                    assert!(names.contains(name), "{path}: {name} is unknown");
                }
            }
        }
    }

    #[test]
    fn suggestions_are_near_or_absent() {
        let known = ["target", "tolerance", "min", "max"];
        assert_eq!(nearest("tagret", known), Some("target"));
        assert_eq!(nearest("tolerence", known), Some("tolerance"));
        assert_eq!(nearest("Min", known), Some("min"));
        assert_eq!(nearest("maximum", known), Some("max"));
        assert_eq!(nearest("replicas", known), None);
    }
}
