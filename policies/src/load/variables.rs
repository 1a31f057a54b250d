//! `variable` blocks and the values that are given for them.

use std::sync::Arc;

use hcl::edit::expr::Expression;
use hcl::edit::structure::{Block, Body, Structure};
use indexmap::IndexMap;

use super::evaluate::{Allowed, Eval, Evaluator, Poisoned, Scope, convert};
use super::syntax::{expression_span, parse_expression, place, span};
use super::types::{Refused, Type};
use crate::codes;
use crate::diagnostic::{Diagnostic, Diagnostics};
use crate::source::{SourceId, Span};
use crate::suggest::nearest;
use crate::value::{Value, is_identifier};

/// A declared variable.
struct Declared<'b> {
    name_at: Span,
    source: SourceId,
    /// `None` where the block gives no type.
    of: Option<Type>,
    default: Option<(Value, Span)>,
    is_sensitive: bool,
    is_nullable: bool,
    /// Its declaration has errors: a value for it says nothing more.
    is_poisoned: bool,
    validations: Vec<&'b Block>,
}

/// A value that was given.
#[derive(Clone)]
pub(crate) struct Given {
    pub(crate) name: String,
    pub(crate) value: GivenValue,
    /// Where it was given; for a text, a source that holds the text.
    pub(crate) at: Span,
    pub(crate) from: Origin,
}

/// How a value was given.
#[derive(Clone)]
pub(crate) enum GivenValue {
    /// Read from a file.
    Known(Value),
    /// Text from the environment or the command line.
    Text(String),
    /// It has errors, which have been reported.
    Poisoned,
}

/// Where a value came from.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Origin {
    Environment,
    File,
    CommandLine,
}

/// The values of a file of variables.
pub(crate) fn read_values(evaluator: &mut Evaluator, source: SourceId, body: &Body) -> Vec<Given> {
    let mut given = Vec::new();
    for structure in body.iter() {
        match structure {
            Structure::Attribute(attribute) => {
                let name_at = place(source, &attribute.key, span(source, 0, 0));
                let scope = Scope::limited(source, Allowed::ValuesFile);
                let value = match evaluator.evaluate(&attribute.value, scope) {
                    Ok(value) => GivenValue::Known(value),
                    Err(Poisoned) => GivenValue::Poisoned,
                };
                given.push(Given {
                    name: attribute.key.as_str().to_owned(),
                    value,
                    at: expression_span(source, &attribute.value, name_at),
                    from: Origin::File,
                });
            }
            Structure::Block(block) => {
                let at = place(source, &block.ident, span(source, 0, 0));
                evaluator.fail(
                    Diagnostic::error(codes::STRAY_IN_VARIABLES, "Block in a file of variables")
                        .at(at, "only `name = value` lines can stand here")
                        .help("blocks go into a file whose name does not end in .vars.hcl."),
                );
            }
        }
    }
    given
}

/// Declares all variables and gives them their values, the last of `given` being the strongest.
pub(crate) fn evaluate_variables(
    evaluator: &mut Evaluator,
    blocks: &[(SourceId, &Block)],
    given: Vec<Given>,
) {
    let mut declared: IndexMap<Arc<str>, Declared<'_>> = IndexMap::new();
    for (source, block) in blocks {
        let Some((name, variable)) = declare(evaluator, *source, block) else {
            continue;
        };
        if let Some(first) = declared.get(&name) {
            let first_at = first.name_at;
            evaluator.fail(
                Diagnostic::error(codes::DUPLICATE_VARIABLE, "Variable declared twice")
                    .at(variable.name_at, "declared again here")
                    .at(first_at, "declared here first")
                    .help("remove one of the two."),
            );
            continue;
        }
        evaluator.has_sensitive |= variable.is_sensitive;
        declared.insert(name, variable);
    }

    let mut strongest: IndexMap<Arc<str>, Given> = IndexMap::new();
    for given in given {
        if let Some((name, _)) = declared.get_key_value(given.name.as_str()) {
            strongest.insert(name.clone(), given);
        } else {
            report_undeclared(evaluator, &declared, &given);
        }
    }

    let mut places: IndexMap<Arc<str>, Option<Span>> = IndexMap::new();
    for (name, variable) in &declared {
        let given = strongest.swap_remove(name);
        let at = given.as_ref().map(|given| given.at);
        let value = value_of(evaluator, name, variable, given).ok();
        let value = value.and_then(|value| {
            let result = evaluator.meter.weigh(&value);
            evaluator
                .bounded(result, at.unwrap_or(variable.name_at))
                .ok()
                .map(|_| value)
        });
        let value = value.map(|value| {
            if variable.is_sensitive {
                value.sensitive()
            } else {
                value
            }
        });
        evaluator.names.variables.insert(name.clone(), value);
        places.insert(name.clone(), at);
    }

    for (name, variable) in &declared {
        // Where the value itself has errors, the conditions say nothing more.
        if !matches!(evaluator.names.variables.get(name), Some(Some(_))) {
            continue;
        }
        let given_at = places.get(name).copied().flatten();
        let mut is_valid = true;
        for validation in &variable.validations {
            is_valid &= validate(evaluator, variable, validation, given_at).is_ok();
        }
        if !is_valid {
            evaluator.names.variables.insert(name.clone(), None);
        }
    }
}

fn report_undeclared(
    evaluator: &mut Evaluator,
    declared: &IndexMap<Arc<str>, Declared<'_>>,
    given: &Given,
) {
    let near = nearest(&given.name, declared.keys().map(|name| &**name));
    let help = match near {
        Some(near) => format!("did you mean `{near}`?"),
        None => format!("declare it: variable \"{}\" {{}}", given.name),
    };
    let label = "no `variable` block declares this name";
    match given.from {
        // The environment is shared with other configurations.
        Origin::Environment => {}
        Origin::File => {
            evaluator.fail(
                Diagnostic::warning(
                    codes::UNDECLARED_IN_FILE,
                    "Value for a variable that is not declared",
                )
                .at(given.at, label)
                .help(help),
            );
        }
        Origin::CommandLine => {
            evaluator.fail(
                Diagnostic::error(
                    codes::UNDECLARED_VARIABLE,
                    "Value for an undeclared variable",
                )
                .at(given.at, label)
                .help(help),
            );
        }
    }
}

/// Reads a `variable` block.
fn declare<'b>(
    evaluator: &mut Evaluator,
    source: SourceId,
    block: &'b Block,
) -> Option<(Arc<str>, Declared<'b>)> {
    let whole = place(source, &block.ident, span(source, 0, 0));
    let name = match block.labels.as_slice() {
        [label] if is_identifier(label.as_str()) => label,
        [label, ..] => {
            evaluator.fail(
                Diagnostic::error(codes::VARIABLE_NAME, "Variable name not usable").at(
                    place(source, label, whole),
                    "one name of letters, digits, `_` and `-` is needed",
                ),
            );
            return None;
        }
        [] => {
            evaluator.fail(
                Diagnostic::error(codes::VARIABLE_NAME, "Variable name not usable")
                    .at(whole, "the name is missing")
                    .help("write variable \"name\" { … }."),
            );
            return None;
        }
    };
    let mut variable = Declared {
        name_at: place(source, name, whole),
        source,
        of: None,
        default: None,
        is_sensitive: false,
        is_nullable: true,
        is_poisoned: false,
        validations: Vec::new(),
    };
    let mut default: Option<&Expression> = None;
    let constant = Scope::limited(source, Allowed::Nothing("this must be a constant"));
    for structure in block.body.iter() {
        match structure {
            Structure::Attribute(attribute) => {
                let at = place(source, &attribute.key, whole);
                let value = &attribute.value;
                let result = match attribute.key.as_str() {
                    "type" => evaluator
                        .read_type(value, constant)
                        .map(|of| variable.of = Some(of)),
                    "default" => {
                        default = Some(value);
                        Ok(())
                    }
                    "description" => evaluator.evaluate(value, constant).map(|_| ()),
                    "sensitive" => evaluator
                        .condition(value, constant)
                        .map(|(b, _)| variable.is_sensitive = b),
                    "nullable" => evaluator
                        .condition(value, constant)
                        .map(|(b, _)| variable.is_nullable = b),
                    other => Err(unknown(evaluator, other, at)),
                };
                variable.is_poisoned |= result.is_err();
            }
            Structure::Block(inner) => {
                if inner.ident.as_str() == "validation" {
                    variable.validations.push(inner);
                } else {
                    let at = place(source, &inner.ident, whole);
                    unknown(evaluator, inner.ident.as_str(), at);
                    variable.is_poisoned = true;
                }
            }
        }
    }
    if let Some(expression) = default {
        let at = expression_span(source, expression, whole);
        let scope = Scope::limited(source, Allowed::Nothing("a default is a constant"));
        let value = evaluator
            .evaluate(expression, scope)
            .and_then(|value| fit(evaluator, &variable, value, at, "the default"));
        match value {
            Ok(value) => variable.default = Some((value, at)),
            Err(Poisoned) => variable.is_poisoned = true,
        }
    }
    Some((name.as_str().into(), variable))
}

fn unknown(evaluator: &mut Evaluator, name: &str, at: Span) -> Poisoned {
    let known = [
        "type",
        "default",
        "description",
        "sensitive",
        "nullable",
        "validation",
    ];
    let help = match nearest(name, known) {
        Some(near) => format!("did you mean `{near}`?"),
        None => format!("a variable takes {}.", known.join(", ")),
    };
    evaluator.fail(
        Diagnostic::error(codes::BAD_VARIABLE_BLOCK, "Variable declared wrongly")
            .at(at, "not part of a variable")
            .help(help),
    )
}

/// The value as the variable's type.
fn fit(
    evaluator: &mut Evaluator,
    variable: &Declared<'_>,
    value: Value,
    at: Span,
    what: &str,
) -> Eval {
    let Some(of) = &variable.of else {
        return Ok(value);
    };
    match of.convert(&value, &evaluator.meter) {
        Ok(value) => Ok(value),
        Err(Refused::TooMuch) => Err(evaluator.too_much(at)),
        Err(Refused::Misfit(misfit)) => {
            let diagnostic =
                Diagnostic::error(codes::BAD_VARIABLE_VALUE, "Value does not fit its variable");
            let label = format!("{what}{}: {}", misfit.path, misfit.text);
            // The line in which a sensitive value was given would show it.
            let diagnostic = if variable.is_sensitive {
                diagnostic.at(variable.name_at, label)
            } else if at == variable.name_at {
                diagnostic.at(at, label)
            } else {
                diagnostic
                    .at(at, label)
                    .at(variable.name_at, "declared here")
            };
            Err(evaluator.fail(diagnostic))
        }
    }
}

fn value_of(
    evaluator: &mut Evaluator,
    name: &str,
    variable: &Declared<'_>,
    given: Option<Given>,
) -> Eval {
    if variable.is_poisoned {
        return Err(Poisoned);
    }
    let (value, at) = match given {
        None => match &variable.default {
            Some((value, at)) => (value.clone(), *at),
            None => {
                return Err(evaluator.fail(
                    Diagnostic::error(codes::MISSING_VARIABLE, "Variable without a value")
                        .at(variable.name_at, "has no default, and no value is given")
                        .help(format!(
                            "give it with --var {name}=…, a line `{name} = …` in a file *.auto.vars.hcl, or TIDEFORM_VAR_{name}."
                        )),
                ));
            }
        },
        Some(given) => {
            let value = match given.value {
                GivenValue::Poisoned => return Err(Poisoned),
                GivenValue::Known(value) => value,
                GivenValue::Text(text) => read_text(evaluator, variable, &text, given.at)?,
            };
            (
                fit(evaluator, variable, value, given.at, "the value")?,
                given.at,
            )
        }
    };
    if *value.reveal().0 == Value::Null && !variable.is_nullable {
        return match &variable.default {
            Some((default, _)) if *default.reveal().0 != Value::Null => Ok(default.clone()),
            _ => Err(evaluator.fail(
                Diagnostic::error(codes::NULL_VARIABLE, "Variable must not be null")
                    .at(at, "this is null")
                    .at(variable.name_at, "says `nullable = false`"),
            )),
        };
    }
    Ok(value)
}

/// A value from the command line or the environment: text for primitive types, HCL for others.
fn read_text(evaluator: &mut Evaluator, variable: &Declared<'_>, text: &str, at: Span) -> Eval {
    match &variable.of {
        None | Some(Type::String | Type::Number | Type::Bool) => return Ok(Value::from(text)),
        Some(_) => {}
    }
    let saved = std::mem::take(&mut evaluator.diagnostics);
    let mut problems = Diagnostics::default();
    let scope = Scope::limited(
        at.source,
        Allowed::Nothing("a value from the command line is a constant"),
    );
    let value = parse_expression(at.source, text, &mut problems)
        .ok_or(Poisoned)
        .and_then(|expression| evaluator.evaluate(&expression, scope));
    problems.extend(
        std::mem::replace(&mut evaluator.diagnostics, saved)
            .iter()
            .cloned(),
    );
    if value.is_err() {
        let diagnostic = Diagnostic::error(
            codes::BAD_VARIABLE_TEXT,
            "Value of a variable cannot be read",
        );
        // What is said about the text may quote it.
        let diagnostic = if variable.is_sensitive {
            diagnostic.at(variable.name_at, "the value that is given is not HCL")
        } else {
            match problems
                .iter()
                .next()
                .and_then(|p| p.labels.first().cloned())
            {
                Some(label) => diagnostic.at(label.span, label.text),
                None => diagnostic.at(at, "not HCL"),
            }
        };
        evaluator.fail(
            diagnostic.help(
                "its type is not string, so it is read as HCL: '[\"a\", \"b\"]', '{ a = 1 }'.",
            ),
        );
    }
    value
}

/// Checks one `validation` block.
fn validate(
    evaluator: &mut Evaluator,
    variable: &Declared<'_>,
    block: &Block,
    given_at: Option<Span>,
) -> Eval<()> {
    let source = variable.source;
    let whole = place(source, &block.ident, span(source, 0, 0));
    let scope = Scope::limited(source, Allowed::Variables);
    let (mut condition, mut message) = (None, None);
    for structure in block.body.iter() {
        match structure {
            Structure::Attribute(attribute) if attribute.key.as_str() == "condition" => {
                condition = Some(&attribute.value);
            }
            Structure::Attribute(attribute) if attribute.key.as_str() == "error_message" => {
                message = Some(&attribute.value);
            }
            Structure::Attribute(attribute) => {
                let at = place(source, &attribute.key, whole);
                evaluator.fail(
                    Diagnostic::error(codes::BAD_VARIABLE_BLOCK, "Variable declared wrongly")
                        .at(at, "a validation takes `condition` and `error_message`"),
                );
            }
            Structure::Block(inner) => {
                let at = place(source, &inner.ident, whole);
                evaluator.fail(
                    Diagnostic::error(codes::BAD_VARIABLE_BLOCK, "Variable declared wrongly")
                        .at(at, "a validation takes `condition` and `error_message`"),
                );
            }
        }
    }
    let (Some(condition), Some(message)) = (condition, message) else {
        return Err(evaluator.fail(
            Diagnostic::error(codes::BAD_VARIABLE_BLOCK, "Variable declared wrongly")
                .at(whole, "a validation needs `condition` and `error_message`"),
        ));
    };
    let condition_at = expression_span(source, condition, whole);
    let (is_met, _) = evaluator.condition(condition, scope)?;
    if is_met {
        return Ok(());
    }
    let message = evaluator.evaluate(message, scope)?;
    let message = match message.reveal() {
        (_, true) => "the message holds a sensitive value".to_owned(),
        (value, false) => match convert::to_text(value) {
            Some(text) => text.into_owned(),
            None => "the message is no text".to_owned(),
        },
    };
    let diagnostic = Diagnostic::error(codes::VALIDATION_FAILED, "Value refused by a validation");
    let value_at = given_at
        .or(variable.default.as_ref().map(|(_, at)| *at))
        .filter(|_| !variable.is_sensitive)
        .unwrap_or(variable.name_at);
    Err(evaluator.fail(
        diagnostic
            .at(value_at, message)
            .at(condition_at, "this condition is not met"),
    ))
}
