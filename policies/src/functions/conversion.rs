//! Conversions: tobool, tolist, tomap, tonumber, toset, tostring, type. Null stays null.

use super::{Function, Kind, fault, fixed};
use crate::load::evaluate::convert::{make_set, sorted, to_bool, to_number, to_shared_text};
use crate::value::Value;

pub(super) const FUNCTIONS: &[Function] = &[
    fixed("tobool", "tobool(value)", &[Kind::Any], |call| {
        match (call.value(0), to_bool(call.value(0))) {
            (Value::Null, _) => Ok(Value::Null),
            (_, Some(b)) => Ok(b.into()),
            (other, None) => fault(
                0,
                format!("this is {}, and not true or false", other.type_name()),
            ),
        }
    }),
    fixed("tolist", "tolist(value)", &[Kind::Any], |call| {
        match call.value(0) {
            Value::Set(list) => Ok(Value::List(list.clone())),
            same @ (Value::List(_) | Value::Null) => Ok(same.clone()),
            other => fault(
                0,
                format!("this is {}, and no list or set", other.type_name()),
            ),
        }
    })
    .keeps_marks(),
    fixed("tomap", "tomap(value)", &[Kind::Any], |call| {
        match call.value(0) {
            same @ (Value::Object(_) | Value::Null) => Ok(same.clone()),
            other => fault(0, format!("this is {}, and no object", other.type_name())),
        }
    })
    .keeps_marks(),
    fixed("tonumber", "tonumber(value)", &[Kind::Any], |call| {
        match (call.value(0), to_number(call.value(0))) {
            (Value::Null, _) => Ok(Value::Null),
            (_, Some(number)) => Ok(Value::Number(number)),
            (other, None) => fault(0, format!("this is {}, and no number", other.type_name())),
        }
    }),
    fixed("toset", "toset(list)", &[Kind::Any], |call| {
        match call.value(0) {
            same @ (Value::Set(_) | Value::Null) => Ok(same.clone()),
            Value::List(list) => {
                call.meter.elements(list.len())?;
                Ok(make_set(list.to_vec(), call.meter)?)
            }
            other => fault(0, format!("this is {}, and no list", other.type_name())),
        }
    }),
    fixed("tostring", "tostring(value)", &[Kind::Any], |call| {
        match (call.value(0), to_shared_text(call.value(0))) {
            (Value::Null, _) => Ok(Value::Null),
            (_, Some(text)) => Ok(Value::String(text)),
            (other, None) => fault(
                0,
                format!("this is {}, write it with jsonencode()", other.type_name()),
            ),
        }
    }),
    fixed("type", "type(value)", &[Kind::Any], |call| {
        call.meter.weigh(call.value(0))?;
        let name = type_of(call.value(0));
        call.made(name)
    }),
];

/// A type as it would be written.
fn type_of(value: &Value) -> String {
    match value {
        Value::Null => "null".to_owned(),
        Value::Bool(_) => "bool".to_owned(),
        Value::Number(_) => "number".to_owned(),
        Value::String(_) => "string".to_owned(),
        Value::Address(address) => address.to_string(),
        Value::Set(list) => match list.first() {
            Some(first) => format!("set({})", type_of(first)),
            None => "set(any)".to_owned(),
        },
        Value::List(list) => {
            let types: Vec<String> = list.iter().map(type_of).collect();
            format!("tuple([{}])", types.join(", "))
        }
        Value::Object(object) => {
            let types: Vec<String> = sorted(object)
                .into_iter()
                .map(|(key, value)| format!("{key} = {}", type_of(value)))
                .collect();
            format!("object({{ {} }})", types.join(", "))
        }
        Value::Sensitive(inner) => type_of(inner),
    }
}
