//! `test` blocks.

use std::collections::{BTreeMap, HashMap};
use std::sync::Arc;

use super::context::Context;
use super::read::{self, Problem};
use super::{required, settings, validate, windows};
use crate::codes;
use crate::diagnostic::Diagnostic;
use crate::layers::{Merged, plain};
use crate::model::{
    Capacity, Change, Direction, Expect, Given, GivenAction, GivenRecommendation, GroupAddress,
    Name, Test, TestStep, TestValue,
};
use crate::schema;
use crate::source::Span;
use crate::tree::Tree;
use crate::value::{Address, Value};

/// What is known of a group's metrics.
pub(crate) enum Metrics {
    /// There is no such group.
    NoGroup,
    /// A policy that the group uses is not there, which was reported: nothing can be said of its metrics.
    Incomplete,
    /// Their names.
    Known(Vec<Arc<str>>),
}

/// The names of a group's metrics.
pub(crate) type MetricNames<'a> = dyn FnMut(&GroupAddress) -> Metrics + 'a;

/// The `test` blocks.
pub(crate) fn tests(tree: &Tree, metrics_of: &mut MetricNames<'_>, cx: &mut Context) -> Vec<Test> {
    let mut list = Vec::new();
    let Some(schema) = schema::top("test") else {
        return list;
    };
    let mut names: HashMap<&str, Span> = HashMap::new();
    for block in &tree.tests {
        validate::block(block, schema, cx);
        if let Some(label) = block.labels.first()
            && let Some(first) = names.insert(&label.value, block.span)
        {
            cx.push(settings::used_twice(block.span, first).help("give one of them another name"));
        }
        let merged = Merged::single(block, schema);
        if merged.is_disabled() {
            continue;
        }
        let sound = required::block(&merged, schema, cx);
        if let Some(test) = test(&merged, metrics_of, cx)
            && sound
        {
            list.push(test);
        }
    }
    list
}

fn test(block: &Merged<'_>, metrics_of: &mut MetricNames<'_>, cx: &mut Context) -> Option<Test> {
    let group = match plain(block.known("group", cx)?) {
        Value::Address(Address::Group(address)) => address.clone(),
        _ => return None,
    };
    let metrics = match metrics_of(&group) {
        Metrics::Known(metrics) => metrics,
        Metrics::Incomplete => return None,
        Metrics::NoGroup => {
            cx.push(
                Diagnostic::error(codes::UNKNOWN_ADDRESS, "Unknown reference")
                    .at(block.span_of("group"), format!("there is no {group}")),
            );
            return None;
        }
    };
    for name in ["always", "never"] {
        if let Some(attribute) = block.get(name) {
            for mention in &attribute.mentions {
                if !metrics.iter().any(|metric| **metric == *mention.value) {
                    let problem = unknown_metric(mention.span, &mention.value, names(&metrics), cx);
                    cx.push(problem);
                }
            }
        }
    }
    let given = match block.block("given") {
        Some(given) => self::given(given, cx),
        None => Given::default(),
    };
    let mut steps = Vec::new();
    for at in block.blocks_of("at") {
        steps.extend(step(at, &metrics, cx));
    }
    for pair in steps.windows(2) {
        if let [before, after] = pair
            && after.at <= before.at
        {
            cx.push(
                Diagnostic::error(codes::STEP_ORDER, "Steps of a test out of order")
                    .at(after.span, "is not later than the step before it")
                    .at(before.span, "the step before it")
                    .help("write the steps in the order of their times"),
            );
        }
    }
    let test = Test {
        name: block.label().unwrap_or_default().to_owned(),
        group,
        given,
        always: block.formulas("always", cx),
        never: block.formulas("never", cx),
        span: block.span,
        steps,
    };
    if test.always.is_empty()
        && test.never.is_empty()
        && block.get("always").is_none()
        && block.get("never").is_none()
        && block.blocks_of("at").all(|at| at.block("expect").is_none())
    {
        cx.push(
            Diagnostic::warning(codes::EXPECTS_NOTHING, "Test that expects nothing")
                .at(block.span, "cannot fail")
                .help("add `expect { desired = ... }` to a step, or `always = ...`"),
        );
    }
    Some(test)
}

/// An unknown metric, with the nearest known one.
pub(crate) fn unknown_metric<'n>(
    span: Span,
    name: &str,
    known: impl IntoIterator<Item = &'n str>,
    cx: &mut Context,
) -> Diagnostic {
    let diagnostic = Diagnostic::error(codes::UNKNOWN_METRIC, "Unknown metric")
        .at(span, format!("the group has no metric `{name}`"));
    if !cx.may_suggest() {
        return diagnostic;
    }
    // Of a generated group with thousands of metrics, some are enough to look through.
    match schema::nearest(name, known.into_iter().take(500)) {
        Some(near) => diagnostic.help(format!("did you mean `{near}`?")),
        None => diagnostic.help(format!(
            "add metric \"{name}\" {{}} to the group or to a policy that it uses"
        )),
    }
}

fn names(metrics: &[Arc<str>]) -> impl Iterator<Item = &str> {
    metrics.iter().map(|name| &**name)
}

fn given(block: &Merged<'_>, cx: &mut Context) -> Given {
    let time = windows::instant(block, "time", cx);
    let (actions, recommendations) = block
        .known("memory", cx)
        .and_then(|value| memory(value).ok())
        .unwrap_or_default();
    Given {
        desired: block.capacity("desired", cx),
        ready: block.capacity("ready", cx),
        time,
        actions,
        recommendations,
    }
}

fn step(block: &Merged<'_>, metrics: &[Arc<str>], cx: &mut Context) -> Option<TestStep> {
    let label = block.labels.first()?;
    let at = match read::parse_duration(&label.value) {
        Ok(at) => Some(at),
        Err(error) => {
            cx.push(
                Problem::new(codes::DURATION, "Duration not usable", error.label)
                    .help(error.help)
                    .at(label.span),
            );
            None
        }
    };
    let values = block
        .known("metrics", cx)
        .and_then(|value| metric_values(value).ok())
        .unwrap_or_default();
    for name in values.keys() {
        if !metrics.contains(name) {
            let problem = unknown_metric(block.span_of("metrics"), name, names(metrics), cx);
            cx.push(problem);
        }
    }
    Some(TestStep {
        at: at?,
        metrics: values,
        ready: block.capacity("ready", cx),
        expect: block.block("expect").map(|expect| Expect {
            desired: expect.capacity("desired", cx),
            direction: expect.word("direction", &["out", "in", "hold"], cx).map(
                |word| match word {
                    "out" => Direction::Out,
                    "in" => Direction::In,
                    _ => Direction::Hold,
                },
            ),
            reasons: expect
                .known("reasons", cx)
                .and_then(|value| read::texts(value).ok())
                .unwrap_or_default(),
            span: Some(expect.span),
        }),
        span: block.span,
    })
}

/// `{ cpu = 95, queue = null, load = [1, null] }`.
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
                Value::List(list) => TestValue::PerInstance(
                    list.iter()
                        .map(|item| match plain(item) {
                            Value::Null => Ok(None),
                            Value::Number(n) => Ok(Some(n.as_f64())),
                            _ => Err(read::wrong_type(item, "a number or null, one an instance")),
                        })
                        .collect::<Result<_, _>>()?,
                ),
                other => {
                    return Err(Problem::new(
                        codes::VALUE_TYPE,
                        "Wrong type",
                        format!(
                            "`{name}` must be a number, a list of numbers or null, not {}",
                            other.type_name()
                        ),
                    ));
                }
            };
            Ok((name.clone(), value))
        })
        .collect()
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
