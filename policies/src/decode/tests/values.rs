//! The values of `test` blocks that are more than one number or word: metrics, memory, reasons, wants, times.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use crate::codes;
use crate::decode::read::{self, Instant, Problem};
use crate::layers::plain;
use crate::model::{
    Capacity, Change, GivenAction, GivenRecommendation, Name, ReasonPattern, TestValue,
};
use crate::schema::{REASON_KINDS, nearest};
use crate::value::Value;

/// `{ cpu = 95, queue = null, load = [1, null], heap = { i-1 = 40 } }`.
pub(crate) fn metric_values(value: &Value) -> Result<BTreeMap<Name, TestValue>, Problem> {
    let want = "an object of numbers: { cpu = 95 }";
    let Value::Object(map) = plain(value) else {
        return Err(read::wrong_type(value, want));
    };
    map.iter()
        .map(|(name, value)| {
            let value = match plain(value) {
                Value::Null => TestValue::Missing,
                Value::Number(n) => TestValue::Group(n.as_f64()),
                Value::List(list) => {
                    TestValue::PerInstance(list.iter().map(sample).collect::<Result<_, _>>()?)
                }
                Value::Object(map) => TestValue::ByInstance(
                    map.iter()
                        .map(|(id, item)| Ok((id.clone(), sample(item)?)))
                        .collect::<Result<_, Problem>>()?,
                ),
                other => {
                    return Err(Problem::new(
                        codes::VALUE_TYPE,
                        "Wrong type",
                        format!(
                            "`{name}` must be a number, null, or a list or map of these, not {}",
                            other.type_name()
                        ),
                    ));
                }
            };
            Ok((name.clone(), value))
        })
        .collect()
}

fn sample(item: &Value) -> Result<Option<f64>, Problem> {
    match plain(item) {
        Value::Null => Ok(None),
        Value::Number(n) => Ok(Some(n.as_f64())),
        _ => Err(read::wrong_type(item, "a number or null, one an instance")),
    }
}

/// `{ cpu = 7, queue = null }`.
pub(crate) fn wants(value: &Value) -> Result<BTreeMap<Name, Option<Capacity>>, Problem> {
    let Value::Object(map) = plain(value) else {
        return Err(read::wrong_type(
            value,
            "an object of capacities: { cpu = 7 }",
        ));
    };
    map.iter()
        .map(|(name, value)| {
            let want = match plain(value) {
                Value::Null => None,
                _ => Some(Capacity(read::count(value, 0, 1_000_000)?)),
            };
            Ok((name.clone(), want))
        })
        .collect()
}

/// `["in_cooldown", "no_data.cpu"]`.
pub(crate) fn reasons(value: &Value) -> Result<Vec<ReasonPattern>, Problem> {
    read::texts(value)?
        .iter()
        .map(|text| {
            let (kind, subject) = match text.split_once('.') {
                Some((kind, subject)) => (kind, Some(subject)),
                None => (text.as_str(), None),
            };
            let known = REASON_KINDS.iter().find(|known| **known == kind);
            let Some(kind) = known.copied() else {
                let problem = Problem::new(
                    codes::UNKNOWN_WORD,
                    "Unknown word",
                    format!("there is no kind of reason \"{kind}\""),
                );
                return Err(match nearest(kind, REASON_KINDS.iter().copied()) {
                    Some(near) => problem.help(format!("did you mean \"{near}\"?")),
                    None => problem.help(format!("known are {}", REASON_KINDS.join(", "))),
                });
            };
            Ok(ReasonPattern {
                kind,
                subject: subject.map(Arc::from),
            })
        })
        .collect()
}

/// A time of a test.
#[derive(Clone, Copy, Debug)]
pub(crate) enum StepTime {
    /// Since the start.
    After(Duration),
    /// By itself.
    At(Instant),
}

/// `5m`, `2026-03-29T08:00:00`.
pub(crate) fn step_time(text: &str) -> Result<StepTime, Problem> {
    read::parse_duration(text)
        .map(StepTime::After)
        .or_else(|error| {
            read::instant(&Value::from(text))
                .map(StepTime::At)
                .map_err(|_| {
                    Problem::new(codes::DURATION, "Duration not usable", error.label).help(format!(
                        "{}; a time is written \"2026-03-29T08:00:00Z\"",
                        error.help
                    ))
                })
        })
}

type Remembered = (Vec<GivenAction>, Vec<GivenRecommendation>);

/// `{ actions = [{ ago = "5m", from = 4, to = 8 }], recommendations = [{ ago = "2m", desired = 8 }] }`.
pub(crate) fn memory(value: &Value) -> Result<Remembered, Problem> {
    const WANT: &str = "{ actions = [{ ago, from, to }], recommendations = [{ ago, desired }] }";
    fn field<'v>(entry: &'v Value, name: &str, names: &[&str]) -> Result<&'v Value, Problem> {
        let Value::Object(map) = plain(entry) else {
            return Err(read::wrong_type(entry, WANT));
        };
        known_keys(map.keys(), names)?;
        map.get(name).ok_or_else(|| {
            Problem::new(
                codes::MISSING_ATTRIBUTE,
                "Missing attribute",
                format!("an entry needs `{name}`"),
            )
        })
    }
    fn known_keys<'k>(
        keys: impl Iterator<Item = &'k Arc<str>>,
        names: &[&str],
    ) -> Result<(), Problem> {
        for key in keys {
            if !names.contains(&&**key) {
                return Err(Problem::new(
                    codes::UNKNOWN_ATTRIBUTE,
                    "Unknown attribute",
                    format!("has no `{key}`"),
                )
                .help(format!("write {WANT}")));
            }
        }
        Ok(())
    }
    let capacity = |value: &Value| read::count(value, 0, 1_000_000).map(Capacity);
    let Value::Object(map) = plain(value) else {
        return Err(read::wrong_type(value, WANT));
    };
    known_keys(map.keys(), &["actions", "recommendations"])?;
    let entries = |name: &str| -> Result<Vec<Value>, Problem> {
        match map.get(name).map(plain) {
            None | Some(Value::Null) => Ok(Vec::new()),
            Some(Value::List(list)) => Ok(list.to_vec()),
            Some(other) => Err(read::wrong_type(other, WANT)),
        }
    };
    let mut actions = Vec::new();
    for entry in entries("actions")? {
        let get = |name: &str| field(&entry, name, &["ago", "from", "to"]);
        actions.push(GivenAction {
            ago: read::duration(get("ago")?)?,
            change: Change {
                before: capacity(get("from")?)?,
                after: capacity(get("to")?)?,
            },
        });
    }
    let mut recommendations = Vec::new();
    for entry in entries("recommendations")? {
        let get = |name: &str| field(&entry, name, &["ago", "desired"]);
        recommendations.push(GivenRecommendation {
            ago: read::duration(get("ago")?)?,
            desired: capacity(get("desired")?)?,
        });
    }
    Ok((actions, recommendations))
}
