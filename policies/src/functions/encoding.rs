//! Encodings: base64, CSV, JSON, URL.

use std::sync::Arc;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use indexmap::IndexMap;

use super::{Answer, Call, Fault, Function, Kind, fault, fixed};
use crate::load::evaluate::convert::sorted;
use crate::value::{Number, Value};

const T: Kind = Kind::Text;

pub(super) const FUNCTIONS: &[Function] = &[
    fixed("base64decode", "base64decode(text)", &[T], base64decode),
    fixed("base64encode", "base64encode(text)", &[T], |call| {
        call.made(STANDARD.encode(call.text(0)?))
    }),
    fixed("csvdecode", "csvdecode(text)", &[T], csvdecode),
    fixed("jsondecode", "jsondecode(text)", &[T], jsondecode),
    fixed("jsonencode", "jsonencode(value)", &[Kind::Any], jsonencode),
    fixed("urlencode", "urlencode(text)", &[T], urlencode),
];

fn base64decode(call: &Call<'_>) -> Answer {
    let Ok(bytes) = STANDARD.decode(call.text(0)?) else {
        return fault(0, "not base64");
    };
    match String::from_utf8(bytes) {
        Ok(text) => call.made(text),
        Err(_) => fault(0, "what is encoded is not UTF-8"),
    }
}

fn jsondecode(call: &Call<'_>) -> Answer {
    fn convert(json: serde_json::Value, call: &Call<'_>) -> Answer {
        Ok(match json {
            serde_json::Value::Null => Value::Null,
            serde_json::Value::Bool(b) => Value::Bool(b),
            serde_json::Value::Number(number) => {
                let number = number
                    .as_i128()
                    .map(Number::Integer)
                    .or_else(|| Number::float(number.as_f64()?));
                match number {
                    Some(number) => Value::Number(number),
                    None => return fault(0, "a number is out of range"),
                }
            }
            serde_json::Value::String(text) => call.made(text)?,
            serde_json::Value::Array(items) => {
                let items = items
                    .into_iter()
                    .map(|item| convert(item, call))
                    .collect::<Result<Vec<_>, Fault>>()?;
                call.made_list(items)?
            }
            serde_json::Value::Object(entries) => {
                let entries = entries
                    .into_iter()
                    .map(|(key, value)| Ok((Arc::from(key), convert(value, call)?)))
                    .collect::<Result<IndexMap<_, _>, Fault>>()?;
                call.made_object(entries)?
            }
        })
    }
    let text = call.text(0)?;
    call.meter.string(text.len())?;
    // serde_json refuses more than 128 nested levels.
    match serde_json::from_str(text) {
        Ok(json) => convert(json, call),
        Err(error) => fault(
            0,
            format!(
                "not JSON, at line {} column {}",
                error.line(),
                error.column()
            ),
        ),
    }
}

fn jsonencode(call: &Call<'_>) -> Answer {
    fn convert(value: &Value) -> Result<serde_json::Value, Fault> {
        Ok(match value {
            Value::Object(object) => serde_json::Value::Object(
                sorted(object)
                    .into_iter()
                    .map(|(key, value)| Ok((key.to_string(), convert(value)?)))
                    .collect::<Result<_, Fault>>()?,
            ),
            Value::List(list) | Value::Set(list) => list
                .iter()
                .map(convert)
                .collect::<Result<Vec<_>, Fault>>()?
                .into(),
            Value::Address(address) => {
                return fault(0, format!("`{address}` stands for a block, it is no value"));
            }
            other => other.to_json_revealed(),
        })
    }
    let value = call.value(0);
    call.meter.weigh(value)?;
    let text = convert(value)?.to_string();
    // Terraform escapes these, so that the text can stand in HTML.
    let text = text
        .replace('<', "\\u003c")
        .replace('>', "\\u003e")
        .replace('&', "\\u0026");
    call.made(text)
}

fn urlencode(call: &Call<'_>) -> Answer {
    let text = call.text(0)?;
    let mut out = String::with_capacity(text.len());
    for byte in text.bytes() {
        match byte {
            b'a'..=b'z' | b'A'..=b'Z' | b'0'..=b'9' | b'-' | b'_' | b'.' | b'~' => {
                out.push(char::from(byte));
            }
            b' ' => out.push('+'),
            byte => out.push_str(&format!("%{byte:02X}")),
        }
    }
    call.made(out)
}

fn csvdecode(call: &Call<'_>) -> Answer {
    let text = call.text(0)?;
    call.meter.string(text.len())?;
    let mut rows = match csv_rows(text) {
        Ok(rows) => rows.into_iter(),
        Err(message) => return fault(0, message),
    };
    let Some(header) = rows.next() else {
        return fault(0, "has no line with names");
    };
    let header: Vec<Arc<str>> = header.into_iter().map(Arc::from).collect();
    for (n, name) in header.iter().enumerate() {
        if header.iter().take(n).any(|other| other == name) {
            return fault(0, "a column name is there twice");
        }
    }
    let mut out = Vec::new();
    for (n, row) in rows.enumerate() {
        if row.len() != header.len() {
            return fault(
                0,
                format!(
                    "record {} has {} fields, the header {}",
                    n + 1,
                    row.len(),
                    header.len()
                ),
            );
        }
        call.meter.elements(row.len())?;
        let object: IndexMap<Arc<str>, Value> = header
            .iter()
            .cloned()
            .zip(row.into_iter().map(Value::from))
            .collect();
        out.push(Value::from(object));
    }
    call.made_list(out)
}

/// Records of RFC 4180; empty lines are skipped.
fn csv_rows(text: &str) -> Result<Vec<Vec<String>>, &'static str> {
    let mut rows = Vec::new();
    let mut row: Vec<String> = Vec::new();
    let mut field = String::new();
    let mut was_quoted = false;
    let mut chars = text.chars().peekable();
    loop {
        match chars.next() {
            Some('"') if field.is_empty() && !was_quoted => {
                was_quoted = true;
                loop {
                    match chars.next() {
                        Some('"') if chars.peek() == Some(&'"') => {
                            chars.next();
                            field.push('"');
                        }
                        Some('"') => break,
                        Some(c) => field.push(c),
                        None => return Err("a quoted field has no end"),
                    }
                }
            }
            Some('"') => return Err("a quote stands inside of a field"),
            Some(',') => {
                row.push(std::mem::take(&mut field));
                was_quoted = false;
            }
            Some('\r') if chars.peek() == Some(&'\n') => {}
            end @ (Some('\n') | None) => {
                if !row.is_empty() || !field.is_empty() || was_quoted {
                    row.push(std::mem::take(&mut field));
                    rows.push(std::mem::take(&mut row));
                }
                was_quoted = false;
                if end.is_none() {
                    return Ok(rows);
                }
            }
            Some(_) if was_quoted => return Err("text follows the end of a quoted field"),
            Some(c) => field.push(c),
        }
    }
}
