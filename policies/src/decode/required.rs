//! Checks a merged block against the schema: what must be there, what excludes what, what does nothing yet.

use super::context::Context;
use crate::codes;
use crate::diagnostic::Diagnostic;
use crate::layers::{Merged, is_false};
use crate::schema::{BlockSchema, Labels};
use crate::source::Span;
use crate::tree::AttributeValue;
use crate::value::Value;

/// Checks a merged block and all that is in it. Answers whether all that is needed is there and readable.
pub(crate) fn block(merged: &Merged<'_>, schema: &'static BlockSchema, cx: &mut Context) -> bool {
    check(merged, schema, cx, false)
}

/// - `clouds_do`: what is inert here is the cloud's to do.
fn check(
    merged: &Merged<'_>,
    schema: &'static BlockSchema,
    cx: &mut Context,
    clouds_do: bool,
) -> bool {
    let label = merged.label();
    let variant = schema.variant(label);
    let mut sound = merged
        .attributes
        .iter()
        .all(|entry| !cx.is_bad(entry.attribute.span));
    let all = || {
        schema
            .attributes
            .iter()
            .chain(variant.map_or(&[][..], |v| v.attributes))
    };
    for attribute in all() {
        let written = merged.attributes.iter().any(|e| e.name == attribute.name);
        if attribute.required && !written {
            sound = false;
            cx.push(
                Diagnostic::error(codes::MISSING_ATTRIBUTE, "Missing attribute")
                    .at(merged.span, format!("needs `{}`", attribute.name))
                    .help(format!(
                        "add {} = ...: {}",
                        attribute.name,
                        lower(attribute.doc)
                    )),
            );
        }
        if let Some(missing) = attribute.inert.filter(|_| written) {
            cx.push(does_nothing(
                merged.span_of(attribute.name),
                attribute.name,
                missing,
            ));
        }
    }
    for inner in schema.blocks.iter().filter(|inner| inner.required) {
        if merged.block(inner.kind).is_none() {
            sound = false;
            let header = match inner.labels {
                Labels::None => format!("{} {{ ... }}", inner.kind),
                _ => format!("{} \"KIND\" {{ name = \"...\" }}", inner.kind),
            };
            cx.push(
                Diagnostic::error(codes::MISSING_BLOCK, "Missing block")
                    .at(merged.span, format!("needs a `{}` block", inner.kind))
                    .help(format!("add {header}")),
            );
        }
    }
    for sets in schema
        .exclusive
        .iter()
        .chain(variant.map_or(&[][..], |v| v.exclusive))
    {
        let mut used = sets.iter().filter_map(|set| {
            set.iter()
                .find_map(|name| Some((*name, place(merged, name)?)))
        });
        if let (Some(a), Some(b)) = (used.next(), used.next()) {
            sound = false;
            // The one that was written later is the mistake.
            let ((a, first), (b, second)) = if a.1 <= b.1 { (a, b) } else { (b, a) };
            cx.push(
                Diagnostic::error(codes::EXCLUSIVE, "Names that exclude each other")
                    .at(second, format!("`{b}` cannot stand beside `{a}`"))
                    .at(first, format!("`{a}`"))
                    .help("keep one of them"),
            );
        }
    }
    for names in schema
        .one_of
        .iter()
        .chain(variant.map_or(&[][..], |v| v.one_of))
    {
        if names.iter().all(|name| place(merged, name).is_none()) {
            sound = false;
            let list: Vec<String> = names.iter().map(|name| format!("`{name}`")).collect();
            cx.push(
                Diagnostic::error(codes::ONE_NEEDED, "One of several attributes needed")
                    .at(merged.span, format!("needs {}", list.join(" or "))),
            );
        }
    }
    if let Some(missing) = schema.inert.filter(|_| !clouds_do) {
        cx.push(does_nothing(merged.span, schema.kind, missing));
    }
    if let (Some(variant), Some(missing)) = (variant, variant.and_then(|v| v.inert)) {
        cx.push(does_nothing(merged.span, variant.kind, missing));
    }
    for inner in &merged.blocks {
        if let Some(inner_schema) = schema.block(inner.kind, label) {
            // Predictive scaling is the cloud's own under native control.
            let clouds_do = inner.kind == "forecast" && is_native(merged);
            sound &= check(inner, inner_schema, cx, clouds_do);
        }
    }
    sound
}

/// Whether a group says that the cloud scales it.
fn is_native(group: &Merged<'_>) -> bool {
    group
        .attributes
        .iter()
        .filter(|entry| entry.name == "controller")
        .any(|entry| {
            matches!(&entry.attribute.value, AttributeValue::Known(Value::String(text)) if **text == *"native")
        })
}

/// Where a name is used in a block, as an attribute or as a block.
fn place(merged: &Merged<'_>, name: &str) -> Option<Span> {
    match merged.attributes.iter().find(|entry| entry.name == name) {
        Some(entry) => (!is_false(entry.attribute)).then_some(entry.attribute.name),
        None => merged.block(name).map(|block| block.span),
    }
}

/// The warning for what the language has and this version does not do.
pub(crate) fn does_nothing(span: Span, what: &str, missing: &str) -> Diagnostic {
    Diagnostic::warning(codes::DOES_NOTHING_YET, "Does nothing yet")
        .at(span, format!("`{what}` does nothing yet"))
        .why(format!("In this version {missing}."))
}

fn lower(doc: &str) -> String {
    let mut chars = doc.chars();
    match chars.next() {
        Some(first) => format!(
            "{}{}",
            first.to_lowercase(),
            chars.as_str().trim_end_matches('.')
        ),
        None => String::new(),
    }
}
