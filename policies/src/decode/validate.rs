//! Checks one block as it was written against the schema: names, labels, shapes, and every value by itself.
//!
//! It runs once over each block of the files, before layers are merged. What must be there, and what excludes
//! what, is asked of the merged block in [`super::required`].

use std::collections::HashMap;

use super::context::Context;
use super::read::{self, Problem};
use crate::codes;
use crate::diagnostic::Diagnostic;
use crate::layers::{is_null, plain};
use crate::model::{Formula, FormulaValue};
use crate::schema::{self, BlockSchema, GROUP_ONLY, Kind, Labels, nearest};
use crate::source::Span;
use crate::tree::{Attribute, AttributeValue, Block};
use crate::value::{Address, Value, is_identifier};

/// Checks a block and all that is in it.
pub(crate) fn block(block: &Block, schema: &'static BlockSchema, cx: &mut Context) {
    let label = block.labels.first().map(|label| label.value.as_str());
    labels(block, schema, cx);
    let in_policy = schema.kind == "policy";
    for (name, attribute) in &block.attributes {
        match schema.attribute(name, label) {
            Some(known) => value(attribute, known.kind, cx),
            None if schema.open || (schema.variants_unknown(label)) => match &attribute.value {
                AttributeValue::Known(value) => {
                    secret(value, attribute.span, cx);
                }
                _ => cx.mark(attribute.span),
            },
            None => unknown_attribute(name, attribute, block, schema, in_policy, cx),
        }
    }
    let mut first: HashMap<(&str, Option<&str>, Option<&str>), Span> = HashMap::new();
    for inner in &block.blocks {
        let kind = inner.kind.value.as_str();
        let Some(known) = schema.block(kind, label) else {
            unknown_block(inner, block, schema, in_policy, cx);
            continue;
        };
        let most = known.labels.most();
        let inner_label = |i: usize| {
            let label = inner.labels.get(i).filter(|_| i < most)?;
            Some(label.value.as_str())
        };
        if !known.repeats {
            let key = (kind, inner_label(0), inner_label(1));
            if let Some(place) = first.get(&key) {
                cx.push(
                    Diagnostic::error(codes::DUPLICATE_BLOCK, "Block stands twice")
                        .at(inner.span, "a second time")
                        .at(*place, "the first one")
                        .help("write both into one block, or give one another name"),
                );
            } else {
                first.insert(key, inner.span);
            }
        }
        self::block(inner, known, cx);
    }
}

impl BlockSchema {
    /// The first label chooses a variant that is not known; that was reported.
    fn variants_unknown(&self, label: Option<&str>) -> bool {
        !self.variants.is_empty() && self.variant(label).is_none()
    }
}

fn labels(block: &Block, schema: &'static BlockSchema, cx: &mut Context) {
    let (least, most) = (schema.labels.least(), schema.labels.most());
    let n = block.labels.len();
    if n < least || n > most {
        let header = match schema.labels {
            Labels::None => format!("{} {{ }}", schema.kind),
            Labels::Name(a) | Labels::Text(a) | Labels::Variant(a) => {
                format!("{} \"{}\" {{ }}", schema.kind, a.to_uppercase())
            }
            Labels::VariantAndName(a, b) => format!(
                "{} \"{}\" {{ }}, or with a name {} \"{}\" \"{}\" {{ }}",
                schema.kind,
                a.to_uppercase(),
                schema.kind,
                a.to_uppercase(),
                b.to_uppercase()
            ),
        };
        let extra = block.labels.get(most).map(|label| label.span);
        cx.push(
            Diagnostic::error(codes::LABELS, "Wrong labels")
                .at(
                    extra.unwrap_or(block.span),
                    match (n < least, most) {
                        (true, _) => "has no label",
                        (false, 0) => "takes no label",
                        (false, _) => "one label too many",
                    },
                )
                .help(format!("write {header}")),
        );
    }
    for (i, label) in block.labels.iter().take(most).enumerate() {
        let text = label.value.as_str();
        let is_name = matches!(schema.labels, Labels::Name(_))
            || (matches!(schema.labels, Labels::VariantAndName(..)) && i == 1);
        if is_name {
            if !is_identifier(text) || text.len() > 64 {
                cx.push(
                    Diagnostic::error(codes::NAME, "Name not usable")
                        .at(label.span, "is no name")
                        .help("names are letters, digits, `_` and `-`, begin with a letter or `_`, and have at most 64 characters"),
                );
            }
        } else if text.trim().is_empty() {
            cx.push(
                Diagnostic::error(codes::EMPTY_TEXT, "Empty text")
                    .at(label.span, "must not be empty"),
            );
        } else if !schema.variants.is_empty() && schema.variant(Some(text)).is_none() {
            let known = || schema.variants.iter().map(|variant| variant.kind);
            cx.push(unknown_kind(label.span, text, known()));
        }
    }
}

/// An unknown kind of provider, backend or resource.
pub(crate) fn unknown_kind<'a>(
    span: Span,
    text: &str,
    known: impl Iterator<Item = &'a str> + Clone,
) -> Diagnostic {
    let list: Vec<String> = known.clone().map(|kind| format!("\"{kind}\"")).collect();
    let diagnostic =
        Diagnostic::error(codes::UNKNOWN_KIND, "Unknown kind").at(span, "is not known");
    match nearest(text, known) {
        Some(near) => diagnostic.help(format!("did you mean \"{near}\"?")),
        None => diagnostic.help(format!("known are {}", list.join(", "))),
    }
}

fn unknown_attribute(
    name: &str,
    attribute: &Attribute,
    block: &Block,
    schema: &'static BlockSchema,
    in_policy: bool,
    cx: &mut Context,
) {
    let label = block.labels.first().map(|label| label.value.as_str());
    if in_policy && GROUP_ONLY.contains(&name) {
        cx.push(
            Diagnostic::error(codes::GROUP_ONLY, "Belongs to the group")
                .at(attribute.name, "a policy cannot have this")
                .help("move it into the groups that use the policy"),
        );
        return;
    }
    if let Some(inner) = schema.block(name, label) {
        let example = match inner.labels {
            Labels::None => format!("{name} {{ ... }}"),
            _ => format!("{name} \"NAME\" {{ ... }}"),
        };
        cx.push(
            Diagnostic::error(codes::SHAPE, "Attribute and block confused")
                .at(attribute.name, "is a block")
                .help(format!("write {example}, without `=`")),
        );
        return;
    }
    // A rate names its amount by its direction.
    if schema.kind == "rate" && matches!(name, "add" | "remove") {
        let right = if name == "add" { "remove" } else { "add" };
        cx.push(
            Diagnostic::error(codes::RATE_DIRECTION, "Rate against its direction")
                .at(attribute.name, format!("must be `{right}` here"))
                .help(format!("write {right} = ..., or move the rate")),
        );
        return;
    }
    let diagnostic = Diagnostic::error(codes::UNKNOWN_ATTRIBUTE, "Unknown attribute").at(
        attribute.name,
        format!("`{}` has no such attribute", schema.kind),
    );
    if !cx.may_suggest() {
        return cx.push(diagnostic);
    }
    let near = nearest(
        name,
        schema
            .attribute_names(label)
            .chain(schema.block_kinds(label)),
    );
    cx.push(match near {
        Some(near) if schema.block(near, label).is_some() => {
            diagnostic.help(format!("did you mean the block `{near} {{ ... }}`?"))
        }
        Some(near) => diagnostic.help(format!("did you mean `{near}`?")),
        None => match (other_word(name), elsewhere(name)) {
            (Some(word), _) => diagnostic.help(format!("here it is {word}")),
            (None, Some(place)) => diagnostic.help(format!("`{name}` is an attribute of {place}")),
            (None, None) => diagnostic,
        },
    });
}

/// What other tools call what we have under another name.
fn other_word(name: &str) -> Option<&'static str> {
    Some(match name {
        "min_size" | "max_size" | "min_replicas" | "max_replicas" | "min_capacity"
        | "max_capacity" | "replicas" | "size" => "`limits { min = ... max = ... }`",
        "desired" | "desired_capacity" | "desired_count" => {
            "decided by the rules; `tideform scale GROUP N` pins it"
        }
        "target_value" | "target_utilization" | "targetvalue" => "`track { target = ... }`",
        "stabilization_window" | "stabilization_window_seconds" => "`stabilization`",
        "interval" | "evaluation_interval" | "sync_period" => "`every`",
        "recurrence" => "`cron`",
        "time_zone" => "`timezone`",
        "on_demand_base_capacity" => "`on_demand_base`",
        _ => return None,
    })
}

fn unknown_block(
    inner: &Block,
    block: &Block,
    schema: &'static BlockSchema,
    in_policy: bool,
    cx: &mut Context,
) {
    let label = block.labels.first().map(|label| label.value.as_str());
    let kind = inner.kind.value.as_str();
    if schema.variants_unknown(label) {
        return;
    }
    let group_only = in_policy
        && schema::top("group")
            .and_then(|group| group.block(kind, None))
            .is_some_and(|block| block.group_only);
    if group_only {
        cx.push(
            Diagnostic::error(codes::GROUP_ONLY, "Belongs to the group")
                .at(inner.span, "a policy cannot have this")
                .help("move it into the groups that use the policy"),
        );
        return;
    }
    if schema.attribute(kind, label).is_some() || schema.open {
        cx.push(
            Diagnostic::error(codes::SHAPE, "Attribute and block confused")
                .at(inner.kind.span, "is an attribute")
                .help(format!("write {kind} = ...")),
        );
        return;
    }
    let diagnostic = Diagnostic::error(codes::UNKNOWN_BLOCK, "Unknown block").at(
        inner.kind.span,
        format!("`{}` has no such block", schema.kind),
    );
    if !cx.may_suggest() {
        return cx.push(diagnostic);
    }
    let near = nearest(
        kind,
        schema
            .block_kinds(label)
            .chain(schema.attribute_names(label)),
    );
    cx.push(match near {
        Some(near) if schema.attribute(near, label).is_some() => {
            diagnostic.help(format!("did you mean the attribute `{near} = ...`?"))
        }
        Some(near) => diagnostic.help(format!("did you mean `{near}`?")),
        None => match elsewhere(kind) {
            Some(place) => diagnostic.help(format!("`{kind}` stands in {place}")),
            None => diagnostic,
        },
    });
}

/// Where a name would be right.
fn elsewhere(name: &str) -> Option<String> {
    let places: Vec<String> = schema::blocks()
        .iter()
        .filter(|(_, block)| {
            block.attributes.iter().any(|a| a.name == name)
                || block.blocks.iter().any(|b| b.kind == name)
        })
        .map(|(path, _)| format!("`{path}`"))
        .collect();
    match places.as_slice() {
        [] => None,
        [first @ .., last] if !first.is_empty() && places.len() <= 3 => {
            Some(format!("{} and {last}", first.join(", ")))
        }
        [only] => Some(only.clone()),
        _ => None,
    }
}

/// Checks one value by its kind.
fn value(attribute: &Attribute, kind: Kind, cx: &mut Context) {
    let span = attribute.span;
    let known = match &attribute.value {
        AttributeValue::Poisoned => return cx.mark(span),
        AttributeValue::Known(_) if is_null(attribute) => return,
        AttributeValue::Known(known) => known,
        AttributeValue::Formula(formula) => {
            return match kind {
                Kind::NumberFormula => formula_type(formula, Type::Number, span, cx),
                Kind::TruthFormula => formula_type(formula, Type::Truth, span, cx),
                // The evaluator keeps formulas only where they may stand, so this is for its mistakes.
                _ => cx.bad_value(
                    Problem::new(
                        codes::METRIC_OUTSIDE,
                        "metric or self outside of a formula",
                        "is not known before a decision is made",
                    ),
                    span,
                ),
            };
        }
        AttributeValue::Formulas(list) => {
            for formula in list {
                formula_type(formula, Type::Truth, span, cx);
            }
            return;
        }
    };
    if secret(known, span, cx) {
        return;
    }
    // Of a list whose items have nothing to do with each other, each bad one is reported where it stands.
    if matches!(
        kind,
        Kind::Reasons | Kind::Texts | Kind::Dates | Kind::Groups | Kind::Policies
    ) && let Value::List(items) = plain(known)
        && !items.is_empty()
        && items.len() == attribute.items.len()
    {
        for (i, item) in items.iter().enumerate() {
            let alone = Value::List(vec![item.clone()].into());
            if let Err(problem) = known_value(&alone, kind, span, cx) {
                cx.bad_value(problem, attribute.item_span(i));
                cx.mark(span);
            }
        }
        return;
    }
    if let Err(problem) = known_value(known, kind, span, cx) {
        cx.bad_value(problem, span);
    }
}

/// Reports a sensitive value where it would be written to the state.
fn secret(value: &Value, span: Span, cx: &mut Context) -> bool {
    let found = holds_secret(value);
    if found {
        cx.bad_value(
            Problem::new(
                codes::SECRET,
                "Secret where it would be kept",
                "is sensitive",
            )
            .why("This value is written to the state and shown in plans.")
            .help("leave it out, or write nonsensitive(...) if it is no secret"),
            span,
        );
    }
    found
}

fn holds_secret(value: &Value) -> bool {
    match value {
        Value::Sensitive(_) => true,
        Value::List(list) | Value::Set(list) => list.iter().any(holds_secret),
        Value::Object(map) => map.values().any(holds_secret),
        Value::Null | Value::Bool(_) | Value::Number(_) | Value::String(_) | Value::Address(_) => {
            false
        }
    }
}

fn known_value(value: &Value, kind: Kind, span: Span, cx: &mut Context) -> Result<(), Problem> {
    match kind {
        Kind::Text => read::text(value).map(drop),
        Kind::Word(words) => read::word(value, words).map(drop),
        Kind::Bool => read::boolean(value).map(drop),
        Kind::Number(range) => read::number(value, range).map(drop),
        Kind::Target => read::target(value).map(drop),
        Kind::Count(min, max) => read::count(value, min, max).map(drop),
        Kind::Integer => read::integer(value).map(drop),
        Kind::Duration => read::duration(value).map(drop),
        Kind::PositiveDuration => read::positive_duration(value).map(drop),
        Kind::Share(most) => read::share(value, most).map(drop),
        Kind::Amount => read::amount(value).map(drop),
        Kind::Adjustment => read::adjustment(value).map(drop),
        Kind::Instant => read::instant(value).map(drop),
        Kind::Dates => read::dates(value).map(drop),
        Kind::Cron => {
            let cron = cx.cron(read::text(value)?)?;
            for warning in cron.warnings() {
                cx.push(
                    Diagnostic::warning(codes::CRON_STEP, "Cron step longer than its field")
                        .at(span, warning.clone()),
                );
            }
            Ok(())
        }
        Kind::Timezone => cx.zone(read::text(value)?).map(drop),
        Kind::Provider => match plain(value) {
            Value::Address(Address::Provider(_)) => Ok(()),
            other => Err(address_problem(other, "a provider", "provider.")),
        },
        Kind::Group => match plain(value) {
            Value::Address(Address::Group(_)) => Ok(()),
            other => Err(address_problem(other, "a group", "group.")),
        },
        Kind::Groups => match plain(value) {
            Value::List(list) | Value::Set(list) if !list.is_empty() => {
                list.iter().try_for_each(|item| {
                    if matches!(plain(item), Value::Address(Address::Group(_))) {
                        Ok(())
                    } else {
                        Err(address_problem(item, "a list of groups", "group."))
                    }
                })
            }
            Value::Address(Address::Group(_)) => Ok(()),
            other => Err(address_problem(
                other,
                "a group, or a list of groups",
                "group.",
            )),
        },
        Kind::Policies => match plain(value) {
            Value::Address(Address::Policy(_)) => Ok(()),
            Value::List(list) | Value::Set(list) => list.iter().try_for_each(|item| {
                if matches!(plain(item), Value::Address(Address::Policy(_))) {
                    Ok(())
                } else {
                    Err(address_problem(item, "a list of policies", "policy."))
                }
            }),
            other => Err(address_problem(other, "a list of policies", "policy.")),
        },
        Kind::Source => match plain(value) {
            Value::Address(Address::Provider(_)) => Ok(()),
            Value::String(text) if &**text == "provider" => Ok(()),
            other => Err(address_problem(
                other,
                "\"provider\" for the group's own, or a provider",
                "provider.",
            )),
        },
        Kind::NumberFormula => match plain(value) {
            Value::Number(_) => Ok(()),
            other => Err(formula_problem("a number", other.type_name())),
        },
        Kind::TruthFormula => match plain(value) {
            Value::Bool(_) => Ok(()),
            Value::List(list)
                if list
                    .iter()
                    .all(|item| matches!(plain(item), Value::Bool(_))) =>
            {
                Ok(())
            }
            other => Err(formula_problem("true or false", other.type_name())),
        },
        Kind::OnMissing => match plain(value) {
            Value::Number(_) => Ok(()),
            Value::String(_) => read::word(value, &["hold", "last", "scale_out"]).map(drop),
            _ => Err(read::wrong_type(
                value,
                "\"hold\", \"last\", \"scale_out\" or a number",
            )),
        },
        Kind::Statistic => read::statistic(value).map(drop),
        Kind::Breach => read::breach(value).map(drop),
        Kind::Adopt => match plain(value) {
            Value::Bool(_) => Ok(()),
            _ => read::texts(value).map(drop),
        },
        Kind::Texts => read::texts(value).map(drop),
        Kind::Percents => read::percents(value).map(drop),
        Kind::TextMap => read::text_map(value).map(drop),
        Kind::MetricValues => super::tests::metric_values(value).map(drop),
        Kind::Memory => super::tests::memory(value).map(drop),
        Kind::StepTime => super::tests::step_time(read::text(value)?).map(drop),
        Kind::Reasons => super::tests::reasons(value).map(drop),
        Kind::Wants => super::tests::wants(value).map(drop),
        Kind::Version => super::version::check(read::text(value)?),
    }
}

fn address_problem(value: &Value, want: &str, prefix: &str) -> Problem {
    let problem = read::wrong_type(value, want);
    let Value::String(text) = value else {
        return problem;
    };
    let name = text.strip_prefix(prefix).unwrap_or(text);
    // Of `svc["api"]` the name is `svc`; of `aws.us` each part is one.
    let head = name.split_once('[').map_or(name, |(head, _)| head);
    if head.split('.').all(is_identifier) {
        problem.help(format!("write {prefix}{name}, without quotes"))
    } else {
        problem
    }
}

fn formula_problem(want: &str, found: &str) -> Problem {
    Problem::new(
        codes::FORMULA_TYPE,
        "Formula of the wrong type",
        format!("must be {want}, not {found}"),
    )
}

#[derive(Clone, Copy, PartialEq)]
enum Type {
    Number,
    Truth,
}

fn formula_type(formula: &Formula, want: Type, span: Span, cx: &mut Context) {
    let problem = match type_of(&formula.expression) {
        Ok(found) if found == want => return,
        Ok(Type::Number) => formula_problem("true or false", "a number")
            .help(format!("compare it: {} > 5", formula.text)),
        Ok(Type::Truth) => formula_problem("a number", "true or false")
            .help(format!("write {} ? 1 : 0", formula.text)),
        Err(label) => Problem::new(codes::FORMULA_TYPE, "Formula of the wrong type", label),
    };
    cx.bad_value(problem, span);
}

/// The type of a formula, or what does not fit.
fn type_of(expression: &crate::model::Expression) -> Result<Type, String> {
    use crate::model::{BinaryOperator as Op, Expression as E, UnaryOperator};
    let want = |expression: &E, want: Type, of: &str| match type_of(expression)? {
        found if found == want => Ok(want),
        Type::Number => Err(format!("{of} needs true or false, not a number")),
        Type::Truth => Err(format!("{of} needs numbers, not true or false")),
    };
    match expression {
        E::Number(_) | E::Metric(_) | E::Own(_) => Ok(Type::Number),
        E::Bool(_) => Ok(Type::Truth),
        E::Unary(UnaryOperator::Negate, a) => want(a, Type::Number, "`-`"),
        E::Unary(UnaryOperator::Not, a) => want(a, Type::Truth, "`!`"),
        E::Binary(operator, a, b) => match operator {
            Op::Add | Op::Subtract | Op::Multiply | Op::Divide | Op::Modulo => {
                want(a, Type::Number, "arithmetic")?;
                want(b, Type::Number, "arithmetic")
            }
            Op::Less | Op::LessOrEqual | Op::Greater | Op::GreaterOrEqual => {
                want(a, Type::Number, "a comparison")?;
                want(b, Type::Number, "a comparison")?;
                Ok(Type::Truth)
            }
            Op::And | Op::Or => {
                want(a, Type::Truth, "`&&` or `||`")?;
                want(b, Type::Truth, "`&&` or `||`")
            }
            Op::Equal | Op::NotEqual => {
                if type_of(a)? != type_of(b)? {
                    return Err("`==` and `!=` need two of a kind".to_owned());
                }
                Ok(Type::Truth)
            }
        },
        E::Conditional(condition, then, otherwise) => {
            want(condition, Type::Truth, "a condition")?;
            let found = type_of(then)?;
            if found != type_of(otherwise)? {
                return Err("both sides of `:` must be of one type".to_owned());
            }
            Ok(found)
        }
        E::Call(_, arguments) => {
            for argument in arguments {
                want(argument, Type::Number, "a function")?;
            }
            Ok(Type::Number)
        }
    }
}

/// A constant where a formula may stand, as a formula.
pub(crate) fn constant(value: &Value) -> Option<Formula> {
    let (text, answer) = match plain(value) {
        Value::Number(n) => (n.to_string(), FormulaValue::Number(n.as_f64())),
        Value::Bool(b) => (b.to_string(), FormulaValue::Bool(*b)),
        _ => return None,
    };
    Some(Formula {
        text,
        expression: match answer {
            FormulaValue::Number(n) => crate::model::Expression::Number(n),
            FormulaValue::Bool(b) => crate::model::Expression::Bool(b),
        },
    })
}
