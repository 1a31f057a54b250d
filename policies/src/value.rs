//! Values of the language while files are evaluated.
//!
//! Lists and objects are shared, so cloning a value is cheap. Two values that show a secret to nobody
//! stay that way: [`Value::Sensitive`] is shown as `(sensitive value)` everywhere.

use std::cmp::Ordering;
use std::fmt;
use std::sync::Arc;

use indexmap::IndexMap;

use crate::model::{GroupAddress, ProviderAddress};

/// An evaluated expression.
#[derive(Clone, Debug, PartialEq)]
pub enum Value {
    /// `null`: as if the attribute were not there.
    Null,
    /// `true`, `false`.
    Bool(bool),
    /// A number.
    Number(Number),
    /// Text.
    String(Arc<str>),
    /// A list or a tuple.
    List(Arc<Vec<Value>>),
    /// A set, without duplicates, in order. Never in a [`crate::tree::Tree`]: there it is a list.
    Set(Arc<Vec<Value>>),
    /// An object or a map, in the order of the file.
    Object(Arc<IndexMap<Arc<str>, Value>>),
    /// An opaque reference to a block.
    Address(Address),
    /// Any of the above, which must not be shown.
    Sensitive(Arc<Value>),
}

/// A number: exact while it is an integer of at most 127 bits, a finite float otherwise.
#[derive(Clone, Copy, Debug)]
pub enum Number {
    /// Exact.
    Integer(i128),
    /// Finite.
    Float(f64),
}

/// What a reference points to.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub enum Address {
    /// `provider.aws.us`.
    Provider(ProviderAddress),
    /// `policy.web`.
    Policy(Arc<str>),
    /// `group.web`, `group.svc["api"]`.
    Group(GroupAddress),
}

/// Below this every whole float is exact.
const EXACT: f64 = 9_007_199_254_740_992.0;

impl Number {
    /// A float; a whole one that is exact becomes an integer. `None` where it is not finite.
    pub fn float(x: f64) -> Option<Number> {
        if !x.is_finite() {
            None
        } else if x.fract() == 0.0 && x.abs() <= EXACT {
            #[allow(clippy::cast_possible_truncation, reason = "whole and below 2^53")]
            Some(Number::Integer(x as i128))
        } else {
            Some(Number::Float(x))
        }
    }

    /// As a float, rounded where the integer has more than 53 bits.
    pub fn as_f64(self) -> f64 {
        match self {
            #[allow(clippy::cast_precision_loss, reason = "documented")]
            Number::Integer(n) => n as f64,
            Number::Float(x) => x,
        }
    }

    /// As a whole number, where it is one.
    pub fn as_integer(self) -> Option<i128> {
        match self {
            Number::Integer(n) => Some(n),
            Number::Float(x) if x.fract() == 0.0 && x.abs() < 1e38 =>
            {
                #[allow(clippy::cast_possible_truncation, reason = "whole and below 2^127")]
                Some(x as i128)
            }
            Number::Float(_) => None,
        }
    }

    /// As an index or a count, where it is a whole number of at least 0.
    pub fn as_usize(self) -> Option<usize> {
        usize::try_from(self.as_integer()?).ok()
    }
}

impl PartialEq for Number {
    fn eq(&self, other: &Number) -> bool {
        self.cmp(other) == Ordering::Equal
    }
}

impl Eq for Number {}

impl PartialOrd for Number {
    fn partial_cmp(&self, other: &Number) -> Option<Ordering> {
        Some(self.cmp(other))
    }
}

impl Ord for Number {
    fn cmp(&self, other: &Number) -> Ordering {
        match (self, other) {
            (Number::Integer(a), Number::Integer(b)) => a.cmp(b),
            // Both are finite, so `total_cmp` differs from `<` in the sign of zero alone, and a zero is an integer.
            (a, b) => a.as_f64().total_cmp(&b.as_f64()),
        }
    }
}

impl fmt::Display for Number {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Number::Integer(n) => n.fmt(f),
            Number::Float(x) => x.fmt(f),
        }
    }
}

impl From<i128> for Number {
    fn from(n: i128) -> Number {
        Number::Integer(n)
    }
}

impl fmt::Display for Address {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Address::Provider(address) => address.fmt(f),
            Address::Policy(name) => write!(f, "policy.{name}"),
            Address::Group(address) => address.fmt(f),
        }
    }
}

impl From<&str> for Value {
    fn from(text: &str) -> Value {
        Value::String(text.into())
    }
}

impl From<String> for Value {
    fn from(text: String) -> Value {
        Value::String(text.into())
    }
}

impl From<bool> for Value {
    fn from(b: bool) -> Value {
        Value::Bool(b)
    }
}

impl From<i128> for Value {
    fn from(n: i128) -> Value {
        Value::Number(Number::Integer(n))
    }
}

impl From<usize> for Value {
    fn from(n: usize) -> Value {
        Value::Number(Number::Integer(n as i128))
    }
}

impl From<Vec<Value>> for Value {
    fn from(list: Vec<Value>) -> Value {
        Value::List(Arc::new(list))
    }
}

impl From<IndexMap<Arc<str>, Value>> for Value {
    fn from(object: IndexMap<Arc<str>, Value>) -> Value {
        Value::Object(Arc::new(object))
    }
}

impl Value {
    /// A word for its type, with an article: "a number".
    pub fn type_name(&self) -> &'static str {
        match self {
            Value::Null => "null",
            Value::Bool(_) => "a truth value",
            Value::Number(_) => "a number",
            Value::String(_) => "a string",
            Value::List(_) => "a list",
            Value::Set(_) => "a set",
            Value::Object(_) => "an object",
            Value::Address(Address::Provider(_)) => "a provider",
            Value::Address(Address::Policy(_)) => "a policy",
            Value::Address(Address::Group(_)) => "a group",
            Value::Sensitive(inner) => inner.type_name(),
        }
    }

    /// Marks it as sensitive, once.
    #[must_use]
    pub fn sensitive(self) -> Value {
        match self {
            Value::Sensitive(_) => self,
            value => Value::Sensitive(Arc::new(value)),
        }
    }

    /// The value itself, and whether it was marked as sensitive as a whole.
    pub fn reveal(&self) -> (&Value, bool) {
        let mut value = self;
        let mut marked = false;
        while let Value::Sensitive(inner) = value {
            value = inner;
            marked = true;
        }
        (value, marked)
    }

    /// Whether it is marked as sensitive as a whole.
    pub fn is_sensitive(&self) -> bool {
        matches!(self, Value::Sensitive(_))
    }

    /// As JSON, sets as lists, addresses as their text. `secret` says what stands for a sensitive value: given the
    /// value, it answers with what to write. Numbers that JSON cannot hold exactly become floats.
    fn as_json(&self, secret: &dyn Fn(&Value) -> serde_json::Value) -> serde_json::Value {
        use serde_json::Value as Json;
        match self {
            Value::Null => Json::Null,
            Value::Bool(b) => Json::Bool(*b),
            Value::Number(number) => number_to_json(*number),
            Value::String(text) => Json::String(text.to_string()),
            Value::List(list) | Value::Set(list) => {
                list.iter().map(|value| value.as_json(secret)).collect()
            }
            Value::Object(object) => Json::Object(
                object
                    .iter()
                    .map(|(key, value)| (key.to_string(), value.as_json(secret)))
                    .collect(),
            ),
            Value::Address(address) => Json::String(address.to_string()),
            Value::Sensitive(inner) => secret(inner),
        }
    }

    /// As JSON for people: a sensitive value is the text `(sensitive value)`.
    pub fn to_json(&self) -> serde_json::Value {
        self.as_json(&|_| serde_json::Value::String("(sensitive value)".to_owned()))
    }

    /// As JSON with sensitive values in the clear. For a hash, and for what is handed to a provider; never shown or
    /// stored.
    pub fn to_json_revealed(&self) -> serde_json::Value {
        self.as_json(&Value::to_json_revealed)
    }
}

fn number_to_json(number: Number) -> serde_json::Value {
    match number {
        Number::Integer(n) => {
            if let Ok(n) = i64::try_from(n) {
                serde_json::Value::from(n)
            } else if let Ok(n) = u64::try_from(n) {
                serde_json::Value::from(n)
            } else {
                serde_json::Value::from(number.as_f64())
            }
        }
        Number::Float(x) => serde_json::Value::from(x),
    }
}

/// As HCL: what `tideform console` prints.
impl fmt::Display for Value {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write_value(self, 0, f)
    }
}

fn write_value(value: &Value, indent: usize, f: &mut fmt::Formatter<'_>) -> fmt::Result {
    let newline = |f: &mut fmt::Formatter<'_>, indent: usize| write!(f, "\n{:1$}", "", indent * 2);
    match value {
        Value::Null => f.write_str("null"),
        Value::Bool(b) => write!(f, "{b}"),
        Value::Number(number) => write!(f, "{number}"),
        Value::String(text) => f.write_str(&quote(text)),
        Value::Address(address) => write!(f, "{address}"),
        Value::Sensitive(_) => f.write_str("(sensitive value)"),
        Value::Set(list) => {
            f.write_str("toset(")?;
            write_value(&Value::List(list.clone()), indent, f)?;
            f.write_str(")")
        }
        Value::List(list) => {
            f.write_str("[")?;
            for item in list.iter() {
                newline(f, indent + 1)?;
                write_value(item, indent + 1, f)?;
                f.write_str(",")?;
            }
            if !list.is_empty() {
                newline(f, indent)?;
            }
            f.write_str("]")
        }
        Value::Object(object) => {
            f.write_str("{")?;
            for (key, item) in object.iter() {
                newline(f, indent + 1)?;
                if is_identifier(key) {
                    f.write_str(key)?;
                } else {
                    f.write_str(&quote(key))?;
                }
                f.write_str(" = ")?;
                write_value(item, indent + 1, f)?;
            }
            if !object.is_empty() {
                newline(f, indent)?;
            }
            f.write_str("}")
        }
    }
}

/// Whether a text can stand in HCL as a bare name: a letter or `_`, then letters, digits, `_` and `-`.
pub fn is_identifier(text: &str) -> bool {
    let mut chars = text.chars();
    chars.next().is_some_and(|c| c.is_alphabetic() || c == '_')
        && chars.all(|c| c.is_alphanumeric() || c == '_' || c == '-')
}

/// A text as a string of HCL, with its quotes: template sequences and control characters escaped.
pub fn quote(text: &str) -> String {
    let mut out = String::with_capacity(text.len() + 2);
    out.push('"');
    let mut chars = text.chars().peekable();
    while let Some(c) = chars.next() {
        match c {
            '"' => out.push_str("\\\""),
            '\\' => out.push_str("\\\\"),
            '\n' => out.push_str("\\n"),
            '\r' => out.push_str("\\r"),
            '\t' => out.push_str("\\t"),
            '$' | '%' if chars.peek() == Some(&'{') => {
                out.push(c);
                out.push(c);
            }
            c if c.is_control() => out.push_str(&format!("\\u{:04x}", c as u32)),
            c => out.push(c),
        }
    }
    out.push('"');
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn whole_floats_are_integers_and_equal_them() {
        assert!(matches!(Number::float(3.0), Some(Number::Integer(3))));
        assert!(Number::float(f64::NAN).is_none());
        assert!(Number::float(f64::INFINITY).is_none());
        assert_eq!(Number::Float(1e20), Number::Integer(10i128.pow(20)));
        assert!(Number::Float(0.5) < Number::Integer(1));
        assert!(matches!(Number::float(-0.0), Some(Number::Integer(0))));
    }

    #[test]
    fn a_sensitive_value_is_shown_nowhere() {
        let value = Value::from(vec![
            Value::from("open"),
            Value::from("hunter2").sensitive(),
        ]);
        for text in [value.to_string(), value.to_json().to_string()] {
            assert!(!text.contains("hunter2"), "{text}");
            assert!(text.contains("(sensitive value)"), "{text}");
        }
        assert!(value.to_json_revealed().to_string().contains("hunter2"));
    }

    #[test]
    fn strings_are_quoted_so_that_they_read_back() {
        assert_eq!(
            quote("a\"b\\c\n${x} %{y} $z"),
            r#""a\"b\\c\n$${x} %%{y} $z""#
        );
    }
}
