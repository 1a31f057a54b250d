//! The table as JSON, for editors and for `tideform schema --json`.

use serde_json::{Map, Value, json};

use super::{AttributeSchema, BlockSchema, Kind, Labels, REASON_KINDS, TOP};

/// The language as one JSON document: `{"format_version", "blocks": {"group": {…}}}`. Attributes carry their
/// type in the words of JSON Schema beside the kind of the language.
pub fn as_json() -> Value {
    let blocks: Map<String, Value> = TOP
        .iter()
        .map(|block| (block.kind.to_owned(), of_block(block)))
        .collect();
    json!({ "format_version": 1, "blocks": blocks })
}

fn of_block(block: &BlockSchema) -> Value {
    let mut out = Map::new();
    out.insert("description".into(), block.doc.into());
    let labels: Vec<&str> = match block.labels {
        Labels::None => vec![],
        Labels::Name(a) | Labels::Text(a) | Labels::Variant(a) => vec![a],
        Labels::VariantAndName(a, b) => vec![a, b],
    };
    if !labels.is_empty() {
        out.insert("labels".into(), json!(labels));
    }
    let repeatable = block.repeats || !labels.is_empty();
    out.insert("repeatable".into(), repeatable.into());
    out.insert("required".into(), block.required.into());
    if block.open {
        out.insert("any_attribute".into(), true.into());
    }
    if let Some(missing) = block.inert {
        out.insert("does_nothing_yet".into(), missing.into());
    }
    if !block.attributes.is_empty() {
        let attributes: Map<String, Value> = block
            .attributes
            .iter()
            .map(|attribute| (attribute.name.to_owned(), of_attribute(attribute)))
            .collect();
        out.insert("attributes".into(), attributes.into());
    }
    let nested = |list: &mut dyn Iterator<Item = &BlockSchema>| -> Map<String, Value> {
        list.map(|inner| (inner.kind.to_owned(), of_block(inner)))
            .collect()
    };
    if !block.blocks.is_empty() {
        let blocks = nested(&mut block.blocks.iter().copied());
        out.insert("blocks".into(), blocks.into());
    }
    if !block.variants.is_empty() {
        let variants = nested(&mut block.variants.iter());
        out.insert("by_first_label".into(), variants.into());
    }
    if !block.exclusive.is_empty() {
        out.insert("only_one_of".into(), json!(block.exclusive));
    }
    if !block.one_of.is_empty() {
        out.insert("at_least_one_of".into(), json!(block.one_of));
    }
    out.into()
}

fn of_attribute(attribute: &AttributeSchema) -> Value {
    let mut out = match of_kind(attribute.kind) {
        Value::Object(map) => map,
        _ => Map::new(),
    };
    out.insert("kind".into(), kind_name(attribute.kind).into());
    out.insert("description".into(), attribute.doc.into());
    out.insert("required".into(), attribute.required.into());
    if let Some(default) = attribute.default {
        let value = serde_json::from_str(default.text).unwrap_or_else(|_| default.text.into());
        out.insert("default".into(), value);
        out.insert("default_source".into(), default.source.into());
    }
    if let Some(missing) = attribute.inert {
        out.insert("does_nothing_yet".into(), missing.into());
    }
    out.into()
}

/// The kind in the words of JSON Schema.
fn of_kind(kind: Kind) -> Value {
    match kind {
        Kind::Word(words) => json!({ "type": "string", "enum": words }),
        Kind::Bool => json!({ "type": "boolean" }),
        Kind::Number(range) => {
            let mut out = json!({ "type": "number" });
            if range.min > f64::MIN {
                let key = if range.above_min {
                    "exclusiveMinimum"
                } else {
                    "minimum"
                };
                out[key] = range.min.into();
            }
            if range.max < f64::MAX {
                let key = if range.below_max {
                    "exclusiveMaximum"
                } else {
                    "maximum"
                };
                out[key] = range.max.into();
            }
            out
        }
        Kind::Target => json!({ "type": "number", "exclusiveMinimum": 0 }),
        Kind::Count(min, max) => json!({ "type": "integer", "minimum": min, "maximum": max }),
        Kind::Integer => json!({ "type": "integer" }),
        Kind::Amount | Kind::Adjustment => json!({ "type": ["integer", "string"] }),
        Kind::OnMissing => json!({ "type": ["string", "number"] }),
        Kind::Adopt => {
            json!({ "type": ["boolean", "array"], "items": { "type": "string" } })
        }
        Kind::Dates => json!({ "type": "array", "items": { "type": "string", "format": "date" } }),
        Kind::Reasons => {
            // A subject may follow after a point.
            let kinds = REASON_KINDS.join("|");
            let items = json!({ "type": "string", "pattern": format!("^({kinds})(\\..+)?$") });
            json!({ "type": "array", "items": items })
        }
        Kind::Texts | Kind::Policies => json!({ "type": "array", "items": { "type": "string" } }),
        Kind::Percents => json!({ "type": "array", "items": { "type": "number" } }),
        Kind::TextMap => {
            json!({ "type": "object", "additionalProperties": { "type": "string" } })
        }
        Kind::MetricValues | Kind::Memory | Kind::Wants => json!({ "type": "object" }),
        Kind::Groups => json!({ "type": ["string", "array"], "items": { "type": "string" } }),
        Kind::NumberFormula | Kind::TruthFormula => json!({}),
        Kind::Text
        | Kind::Duration
        | Kind::PositiveDuration
        | Kind::Share(_)
        | Kind::Instant
        | Kind::Cron
        | Kind::Timezone
        | Kind::Provider
        | Kind::Group
        | Kind::Source
        | Kind::Statistic
        | Kind::Breach
        | Kind::StepTime
        | Kind::Version => json!({ "type": "string" }),
    }
}

/// The kind in the words of the documentation.
pub fn kind_name(kind: Kind) -> &'static str {
    match kind {
        Kind::Text => "text",
        Kind::Word(_) => "one of several words",
        Kind::Bool => "true or false",
        Kind::Number(_) | Kind::Target => "number",
        Kind::Count(..) => "count",
        Kind::Integer => "whole number",
        Kind::Duration | Kind::PositiveDuration => "duration",
        Kind::Share(_) => "share",
        Kind::Amount | Kind::Adjustment => "count or share",
        Kind::Instant => "time",
        Kind::Dates => "list of dates",
        Kind::Cron => "cron expression",
        Kind::Timezone => "time zone",
        Kind::Provider => "provider",
        Kind::Policies => "list of policies",
        Kind::Group => "group",
        Kind::Groups => "group or list of groups",
        Kind::NumberFormula | Kind::TruthFormula => "formula",
        Kind::Source => "\"provider\" or a provider",
        Kind::OnMissing => "a word or a number",
        Kind::Statistic => "statistic",
        Kind::Breach => "duration or \"M of N\"",
        Kind::Adopt => "true, false or a list of names",
        Kind::Texts => "list of texts",
        Kind::Percents => "list of percentages",
        Kind::TextMap => "map of texts",
        Kind::MetricValues => "map of metric values",
        Kind::Memory => "object",
        Kind::StepTime => "duration or time",
        Kind::Reasons => "list of reasons",
        Kind::Wants => "map of counts",
        Kind::Version => "version requirement",
    }
}

#[cfg(test)]
mod tests {
    #[test]
    fn the_document_names_blocks_attributes_and_defaults() {
        let json = super::as_json();
        let target = &json["blocks"]["policy"]["blocks"]["metric"]["blocks"]["track"]["attributes"]
            ["target"];
        assert_eq!(target["exclusiveMinimum"], 0);
        assert_eq!(target["required"], true);
        let every = &json["blocks"]["group"]["attributes"]["every"];
        assert_eq!(every["default"], "1m");
        assert!(json["blocks"]["provider"]["by_first_label"]["mock"]["blocks"]["load"].is_object());
    }
}
