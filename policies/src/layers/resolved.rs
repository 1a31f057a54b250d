//! Where each value of a resolved group comes from, for `validate --resolved` and for plans.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use super::{Merged, layers_of, merge, policies};
use crate::model::{Configuration, GroupAddress, Origin};
use crate::schema::{self, BlockSchema};
use crate::source::Span;
use crate::tree::{Attribute, AttributeValue, Tree};
use crate::value::Value;

/// The evaluated tree, kept to answer where a value was written.
#[derive(Clone, Debug, Default)]
pub struct Layers {
    tree: Option<Arc<Tree>>,
    places: Arc<BTreeMap<GroupAddress, usize>>,
}

/// One line of a resolved group.
#[derive(Clone, Debug, PartialEq)]
pub struct ResolvedValue {
    /// `metric.cpu.track.target`.
    pub path: String,
    /// As it would be written: `60`, `"10%"`.
    pub value: String,
    /// `group.web, shop.hcl:14:22`; `default (AWS: …)`.
    pub origin: String,
}

impl Layers {
    pub(crate) fn new(tree: Arc<Tree>) -> Layers {
        let mut places = BTreeMap::new();
        for (i, group) in tree.groups.iter().enumerate() {
            places.entry(group.address.clone()).or_insert(i);
        }
        Layers {
            tree: Some(tree),
            places: Arc::new(places),
        }
    }

    /// See [`Configuration::origins`].
    pub(crate) fn origins(&self, address: &GroupAddress) -> BTreeMap<String, Origin> {
        let mut origins = BTreeMap::new();
        self.walk(address, &mut |path, line| {
            if let Line::Written(attribute, layer) = &line {
                for (i, span) in attribute.items.iter().enumerate() {
                    let origin = Origin {
                        span: Some(*span),
                        layer: layer.clone(),
                    };
                    origins.insert(format!("{path}[{i}]"), origin);
                }
            }
            let origin = match line {
                Line::Written(attribute, layer) => Origin {
                    span: Some(attribute.span),
                    layer,
                },
                Line::Block(span, layer) => Origin {
                    span: Some(span),
                    layer,
                },
                Line::Default(..) => Origin {
                    span: None,
                    layer: "default".into(),
                },
            };
            origins.insert(path, origin);
        });
        origins
    }

    /// See [`Configuration::label`].
    pub(crate) fn label(&self, address: &GroupAddress) -> Option<Span> {
        let tree = self.tree.as_ref()?;
        let group = tree.groups.get(*self.places.get(address)?)?;
        Some(match group.block.labels.first() {
            Some(label) => label.span,
            None => group.block.span,
        })
    }

    /// See [`Configuration::defaults_in_force`].
    pub(crate) fn defaults_in_force(&self, address: &GroupAddress) -> BTreeSet<String> {
        let mut settings = BTreeSet::new();
        self.walk(address, &mut |_, line| {
            if let Line::Default(_, setting) = line {
                settings.insert(setting);
            }
        });
        settings
    }

    fn walk(&self, address: &GroupAddress, visit: &mut dyn FnMut(String, Line<'_>)) {
        let Some(tree) = &self.tree else { return };
        let Some(group) = self.places.get(address).and_then(|i| tree.groups.get(*i)) else {
            return;
        };
        let Some(schema) = schema::top("group") else {
            return;
        };
        let layers = layers_of(&group.block, &address.to_string(), &policies(tree));
        let names: Vec<Arc<str>> = layers.iter().map(|(name, _)| name.clone()).collect();
        if let Some(merged) = merge(&layers, schema) {
            walk_block("", "", &merged, schema, &names, visit);
        }
    }
}

enum Line<'a> {
    Written(&'a Attribute, Arc<str>),
    Block(Span, Arc<str>),
    /// With the name of the setting, `metric.track.tolerance`.
    Default(crate::defaults::Preset, String),
}

fn join(path: &str, name: &str) -> String {
    if path.is_empty() {
        name.to_owned()
    } else {
        format!("{path}.{name}")
    }
}

fn walk_block(
    path: &str,
    kind: &str,
    block: &Merged<'_>,
    schema: &'static BlockSchema,
    layers: &[Arc<str>],
    visit: &mut dyn FnMut(String, Line<'_>),
) {
    let layer = |i: usize| layers.get(i).cloned().unwrap_or_else(|| "default".into());
    for attribute in schema.attributes {
        if attribute.name == "enabled" && block.get("enabled").is_none() {
            continue;
        }
        // The constants of a weighted mean say nothing elsewhere.
        let is_constant = matches!(
            attribute.name,
            "out_above" | "in_below" | "out_step" | "in_step"
        );
        match (
            block.attributes.iter().find(|e| e.name == attribute.name),
            attribute.default,
        ) {
            (Some(entry), _) => visit(
                join(path, attribute.name),
                Line::Written(entry.attribute, layer(entry.layer)),
            ),
            (None, Some(default)) if !is_constant => {
                let setting = join(kind, attribute.name);
                visit(join(path, attribute.name), Line::Default(default, setting));
            }
            (None, _) => {}
        }
    }
    for entry in &block.attributes {
        if schema.attribute(entry.name, None).is_none() {
            visit(
                join(path, entry.name),
                Line::Written(entry.attribute, layer(entry.layer)),
            );
        }
    }
    let mut counts: BTreeMap<&str, usize> = BTreeMap::new();
    for inner in &block.blocks {
        let Some(inner_schema) = schema.block(inner.kind, block.label()) else {
            continue;
        };
        let mut inner_path = join(path, inner.kind);
        if inner_schema.repeats {
            let n = counts.entry(inner.kind).or_default();
            inner_path.push_str(&format!("[{n}]"));
            *n += 1;
        }
        for label in inner.labels {
            inner_path = join(&inner_path, &label.value);
        }
        visit(
            inner_path.clone(),
            Line::Block(inner.span, layer(inner.layer)),
        );
        let inner_kind = join(kind, inner.kind);
        walk_block(&inner_path, &inner_kind, inner, inner_schema, layers, visit);
    }
    for inner in schema.blocks.iter().filter(|inner| inner.implicit) {
        if block.block(inner.kind).is_none() {
            for attribute in inner.attributes {
                if let Some(default) = attribute.default
                    && attribute.name != "enabled"
                {
                    let inner_path = join(path, inner.kind);
                    let setting = join(&join(kind, inner.kind), attribute.name);
                    visit(
                        join(&inner_path, attribute.name),
                        Line::Default(default, setting),
                    );
                }
            }
        }
    }
}

/// A group as its layers leave it: every value that is written or has a default, with where it comes from, in
/// the order of the documentation. Empty for an unknown group.
pub fn render(configuration: &Configuration, group: &GroupAddress) -> Vec<ResolvedValue> {
    let mut lines = Vec::new();
    configuration.layers.walk(group, &mut |path, line| {
        let (value, origin) = match line {
            Line::Written(attribute, layer) => {
                let place = configuration
                    .sources
                    .place(attribute.span)
                    .map_or(String::new(), |(file, line, column)| {
                        format!(", {file}:{line}:{column}")
                    });
                (show(attribute), format!("{layer}{place}"))
            }
            // A block is shown by its values.
            Line::Block(..) => return,
            Line::Default(default, _) => (
                default.text.to_owned(),
                format!("default ({})", default.source),
            ),
        };
        lines.push(ResolvedValue {
            path,
            value,
            origin,
        });
    });
    lines
}

fn show(attribute: &Attribute) -> String {
    match &attribute.value {
        AttributeValue::Formula(formula) => formula.text.clone(),
        AttributeValue::Formulas(list) => {
            let texts: Vec<&str> = list.iter().map(|formula| formula.text.as_str()).collect();
            format!("[{}]", texts.join(", "))
        }
        AttributeValue::Known(value) => show_value(value),
        AttributeValue::Poisoned => "(not known)".to_owned(),
    }
}

/// A value as it would be written; secrets are not shown.
pub(crate) fn show_value(value: &Value) -> String {
    match value {
        Value::Sensitive(_) => "(sensitive value)".to_owned(),
        Value::Null => "null".to_owned(),
        Value::Bool(b) => b.to_string(),
        Value::Number(n) => n.to_string(),
        Value::String(text) => crate::value::quote(text),
        Value::List(list) | Value::Set(list) => {
            let items: Vec<String> = list.iter().map(show_value).collect();
            format!("[{}]", items.join(", "))
        }
        Value::Object(map) => {
            let items: Vec<String> = map
                .iter()
                .map(|(key, value)| format!("{key} = {}", show_value(value)))
                .collect();
            if items.is_empty() {
                "{}".to_owned()
            } else {
                format!("{{ {} }}", items.join(", "))
            }
        }
        Value::Address(address) => address.to_string(),
    }
}
