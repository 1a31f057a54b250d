//! Conversions between primitive types, as Terraform makes them; equality and order of values.

use std::borrow::Cow;
use std::cmp::Ordering;
use std::sync::Arc;

use indexmap::IndexMap;

use crate::load::meter::{Meter, TooMuch};
use crate::value::{Number, Value};

/// A number, or a string that holds one.
pub(crate) fn to_number(value: &Value) -> Option<Number> {
    match value {
        Value::Number(number) => Some(*number),
        Value::String(text) => parse_number(text),
        _ => None,
    }
}

/// Reads a number as HCL writes it, with an optional sign; `None` for anything else and for what is not finite.
pub(crate) fn parse_number(text: &str) -> Option<Number> {
    let digits = text.strip_prefix(['-', '+']).unwrap_or(text);
    if !digits.starts_with(|c: char| c.is_ascii_digit())
        || !digits
            .bytes()
            .all(|b| b.is_ascii_digit() || matches!(b, b'.' | b'e' | b'E' | b'+' | b'-'))
    {
        return None;
    }
    if let Ok(n) = text.parse::<i128>() {
        return Some(Number::Integer(n));
    }
    Number::float(text.parse::<f64>().ok()?)
}

/// `true`, `false`, and strings that say so.
pub(crate) fn to_bool(value: &Value) -> Option<bool> {
    match value {
        Value::Bool(b) => Some(*b),
        Value::String(text) => match &**text {
            "true" | "1" => Some(true),
            "false" | "0" => Some(false),
            _ => None,
        },
        _ => None,
    }
}

/// A string, a number or a truth value as text.
pub(crate) fn to_text(value: &Value) -> Option<Cow<'_, str>> {
    match value {
        Value::String(text) => Some(Cow::Borrowed(text)),
        Value::Number(number) => Some(Cow::Owned(number.to_string())),
        Value::Bool(b) => Some(Cow::Borrowed(if *b { "true" } else { "false" })),
        _ => None,
    }
}

/// The same as a shared string, without a copy where it is one.
pub(crate) fn to_shared_text(value: &Value) -> Option<Arc<str>> {
    match value {
        Value::String(text) => Some(text.clone()),
        value => to_text(value).map(|text| text.as_ref().into()),
    }
}

/// Whether two values are equal: same type and same parts. A list equals a set of the same elements in the same order.
pub(crate) fn equal(a: &Value, b: &Value, meter: &Meter) -> Result<bool, TooMuch> {
    meter.spend(1)?;
    let (a, b) = (a.reveal().0, b.reveal().0);
    Ok(match (a, b) {
        (Value::List(a) | Value::Set(a), Value::List(b) | Value::Set(b)) => {
            if a.len() != b.len() {
                return Ok(false);
            }
            for (a, b) in a.iter().zip(b.iter()) {
                if !equal(a, b, meter)? {
                    return Ok(false);
                }
            }
            true
        }
        (Value::Object(a), Value::Object(b)) => {
            if a.len() != b.len() {
                return Ok(false);
            }
            for (key, a) in a.iter() {
                match b.get(key) {
                    Some(b) if equal(a, b, meter)? => {}
                    _ => return Ok(false),
                }
            }
            true
        }
        (a, b) => a == b,
    })
}

/// An order of all values, for sets: numbers by size, text by its bytes, else by how they are written.
fn order(a: &Value, b: &Value) -> Ordering {
    match (a, b) {
        (Value::Number(a), Value::Number(b)) => a.cmp(b),
        (Value::String(a), Value::String(b)) => a.cmp(b),
        (Value::Bool(a), Value::Bool(b)) => a.cmp(b),
        (a, b) => a
            .to_json_revealed()
            .to_string()
            .cmp(&b.to_json_revealed().to_string()),
    }
}

/// A set of these values: sorted, without duplicates. Mixed strings, numbers and truth values become strings.
pub(crate) fn make_set(mut items: Vec<Value>, meter: &Meter) -> Result<Value, TooMuch> {
    meter.elements(items.len())?;
    let has_text = items.iter().any(|item| matches!(item, Value::String(_)));
    let is_mixed = items
        .iter()
        .any(|item| matches!(item, Value::Number(_) | Value::Bool(_)));
    if has_text && is_mixed {
        for item in &mut items {
            if let (false, Some(text)) = (matches!(item, Value::String(_)), to_shared_text(item)) {
                *item = Value::String(text);
            }
        }
    }
    if items.iter().any(|item| !is_primitive(item)) {
        for item in &items {
            let weighed = meter.weigh(item)?;
            // Parts are written out for each comparison of the sort.
            meter.spend(weighed.parts * 16)?;
        }
        items.sort_by_cached_key(|item| item.to_json_revealed().to_string());
    } else {
        items.sort_by(order);
    }
    let mut unique: Vec<Value> = Vec::with_capacity(items.len());
    for item in items {
        let is_new = match unique.last() {
            Some(last) => !equal(last, &item, meter)?,
            None => true,
        };
        if is_new {
            unique.push(item);
        }
    }
    Ok(Value::Set(Arc::new(unique)))
}

fn is_primitive(value: &Value) -> bool {
    matches!(
        value,
        Value::Null | Value::Bool(_) | Value::Number(_) | Value::String(_)
    )
}

/// The entries of an object in the order in which Terraform visits them: by key.
pub(crate) fn sorted(object: &IndexMap<Arc<str>, Value>) -> Vec<(&Arc<str>, &Value)> {
    let mut entries: Vec<_> = object.iter().collect();
    if !entries.is_sorted_by(|a, b| a.0 <= b.0) {
        entries.sort_by(|a, b| a.0.cmp(b.0));
    }
    entries
}

/// The value without any mark in its depth, and whether there was one.
pub(crate) fn unmark(value: &Value, meter: &Meter) -> Result<(Value, bool), TooMuch> {
    if !meter.weigh(value)?.has_sensitive {
        return Ok((value.clone(), false));
    }
    Ok((strip(value), true))
}

fn strip(value: &Value) -> Value {
    match value {
        Value::Sensitive(inner) => strip(inner),
        Value::List(list) => Value::List(Arc::new(list.iter().map(strip).collect())),
        Value::Set(list) => Value::Set(Arc::new(list.iter().map(strip).collect())),
        Value::Object(object) => Value::Object(Arc::new(
            object
                .iter()
                .map(|(key, value)| (key.clone(), strip(value)))
                .collect(),
        )),
        value => value.clone(),
    }
}

/// The value with every set as a list, for the tree.
pub(crate) fn without_sets(value: &Value) -> Value {
    match value {
        Value::Sensitive(inner) => without_sets(inner).sensitive(),
        Value::List(list) | Value::Set(list) => {
            Value::List(Arc::new(list.iter().map(without_sets).collect()))
        }
        Value::Object(object) => Value::Object(Arc::new(
            object
                .iter()
                .map(|(key, value)| (key.clone(), without_sets(value)))
                .collect(),
        )),
        value => value.clone(),
    }
}
