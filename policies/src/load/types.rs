//! Type constraints of variables: reading them, and converting values to them.

use std::sync::Arc;

use hcl::edit::expr::{Expression, FuncCall, ObjectKey};
use indexmap::IndexMap;

use super::evaluate::convert::{make_set, to_bool, to_number, to_shared_text};
use super::evaluate::{Allowed, Eval, Evaluator, Poisoned, Scope};
use super::meter::{Meter, TooMuch};
use super::syntax::{expression_span, place};
use crate::codes;
use crate::diagnostic::Diagnostic;
use crate::source::Span;
use crate::suggest::nearest;
use crate::value::Value;

/// The type of a variable.
#[derive(Clone, Debug, PartialEq)]
pub(crate) enum Type {
    Any,
    String,
    Number,
    Bool,
    List(Box<Type>),
    Set(Box<Type>),
    Map(Box<Type>),
    Tuple(Vec<Type>),
    Object(IndexMap<Arc<str>, Field>),
}

/// An attribute of an object type.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Field {
    of: Type,
    /// `optional(T)`; null where it has no default.
    default: Option<Value>,
}

/// Why a value does not fit: where in it, and what is wrong.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Misfit {
    /// `.limits["api"][0]`, empty for the whole.
    pub(crate) path: String,
    pub(crate) text: String,
}

pub(crate) enum Refused {
    Misfit(Misfit),
    TooMuch,
}

impl From<TooMuch> for Refused {
    fn from(TooMuch: TooMuch) -> Refused {
        Refused::TooMuch
    }
}

const NAMES: [&str; 10] = [
    "string", "number", "bool", "any", "list", "set", "map", "tuple", "object", "optional",
];

impl Evaluator {
    /// Reads a type constraint.
    pub(crate) fn read_type(&mut self, expression: &Expression, scope: Scope<'_>) -> Eval<Type> {
        let here = expression_span(
            scope.source,
            expression,
            Span {
                source: scope.source,
                start: 0,
                end: 0,
            },
        );
        match expression {
            Expression::Parenthesis(inner) => self.read_type(inner.inner(), scope),
            Expression::Variable(name) => match name.as_str() {
                "string" => Ok(Type::String),
                "number" => Ok(Type::Number),
                "bool" => Ok(Type::Bool),
                "any" => Ok(Type::Any),
                "list" => Ok(Type::List(Box::new(Type::Any))),
                "set" => Ok(Type::Set(Box::new(Type::Any))),
                "map" => Ok(Type::Map(Box::new(Type::Any))),
                other => Err(self.bad_type(other, here)),
            },
            Expression::FuncCall(call) => self.read_constructor(call, scope, here),
            Expression::String(text) => {
                let help = format!("write it without quotes: `type = {}`.", text.as_str());
                Err(self.fail(
                    Diagnostic::error(codes::BAD_TYPE, "Unknown type")
                        .at(here, "a type stands without quotes")
                        .help(help),
                ))
            }
            _ => Err(self.bad_type("", here)),
        }
    }

    fn bad_type(&mut self, name: &str, at: Span) -> Poisoned {
        let help = match nearest(name, NAMES) {
            Some(near) => format!("did you mean `{near}`?"),
            None => "types are string, number, bool, any, list(T), set(T), map(T), tuple([T, …]), object({ name = T })."
                .to_owned(),
        };
        self.fail(
            Diagnostic::error(codes::BAD_TYPE, "Unknown type")
                .at(at, "not a type")
                .help(help),
        )
    }

    fn read_constructor(&mut self, call: &FuncCall, scope: Scope<'_>, here: Span) -> Eval<Type> {
        let name = call.name.name.as_str();
        let name_at = place(scope.source, &call.name.name, here);
        let argument = match (call.args.len(), call.args.get(0)) {
            (1, Some(argument)) => argument,
            _ if NAMES.contains(&name) => {
                return Err(self.fail(
                    Diagnostic::error(codes::BAD_TYPE, "Unknown type")
                        .at(here, format!("`{name}` takes one type")),
                ));
            }
            _ => return Err(self.bad_type(name, name_at)),
        };
        match (name, argument) {
            ("list", inner) => Ok(Type::List(Box::new(self.read_type(inner, scope)?))),
            ("set", inner) => Ok(Type::Set(Box::new(self.read_type(inner, scope)?))),
            ("map", inner) => Ok(Type::Map(Box::new(self.read_type(inner, scope)?))),
            ("tuple", Expression::Array(items)) => {
                let mut types = Vec::with_capacity(items.len());
                for item in items.iter() {
                    types.push(self.read_type(item, scope)?);
                }
                Ok(Type::Tuple(types))
            }
            ("object", Expression::Object(object)) => {
                let mut fields = IndexMap::with_capacity(object.len());
                for (key, value) in object.iter() {
                    let key: Arc<str> = match key {
                        ObjectKey::Ident(name) => name.as_str().into(),
                        ObjectKey::Expression(Expression::String(text)) => text.as_str().into(),
                        ObjectKey::Expression(Expression::Variable(name)) => name.as_str().into(),
                        ObjectKey::Expression(other) => {
                            let at = expression_span(scope.source, other, here);
                            return Err(self.bad_type("", at));
                        }
                    };
                    let field = self.read_field(value.expr(), scope)?;
                    fields.insert(key, field);
                }
                Ok(Type::Object(fields))
            }
            ("tuple" | "object", _) => Err(self.fail(
                Diagnostic::error(codes::BAD_TYPE, "Unknown type")
                    .at(here, "write tuple([T, …]) or object({ name = T })"),
            )),
            ("optional", _) => Err(self.fail(
                Diagnostic::error(codes::BAD_TYPE, "Unknown type")
                    .at(here, "`optional` stands in `object({ … })` only"),
            )),
            _ => Err(self.bad_type(name, name_at)),
        }
    }

    fn read_field(&mut self, expression: &Expression, scope: Scope<'_>) -> Eval<Field> {
        let Expression::FuncCall(call) = expression else {
            let of = self.read_type(expression, scope)?;
            return Ok(Field { of, default: None });
        };
        if call.name.name.as_str() != "optional" {
            let of = self.read_type(expression, scope)?;
            return Ok(Field { of, default: None });
        }
        let here = expression_span(
            scope.source,
            expression,
            Span {
                source: scope.source,
                start: 0,
                end: 0,
            },
        );
        let (Some(of), 1..=2) = (call.args.get(0), call.args.len()) else {
            return Err(self.fail(
                Diagnostic::error(codes::BAD_TYPE, "Unknown type")
                    .at(here, "write optional(T) or optional(T, default)"),
            ));
        };
        let of = self.read_type(of, scope)?;
        let default = match call.args.get(1) {
            None => Value::Null,
            Some(default) => {
                let at = expression_span(scope.source, default, here);
                let inner = Scope {
                    allowed: Allowed::Nothing("a default is a constant"),
                    ..scope
                };
                let value = self.evaluate(default, inner)?;
                match of.convert(&value, &self.meter) {
                    Ok(value) => value,
                    Err(Refused::TooMuch) => return Err(self.too_much(at)),
                    Err(Refused::Misfit(misfit)) => {
                        return Err(self.fail(
                            Diagnostic::error(
                                codes::BAD_VARIABLE_VALUE,
                                "Value does not fit its variable",
                            )
                            .at(at, format!("the default{}: {}", misfit.path, misfit.text)),
                        ));
                    }
                }
            }
        };
        Ok(Field {
            of,
            default: Some(default),
        })
    }
}

impl Type {
    /// The value as this type. Null fits every type.
    pub(crate) fn convert(&self, value: &Value, meter: &Meter) -> Result<Value, Refused> {
        self.convert_at(value, meter, &mut String::new())
    }

    fn convert_at(
        &self,
        value: &Value,
        meter: &Meter,
        path: &mut String,
    ) -> Result<Value, Refused> {
        meter.spend(1)?;
        let (inner, marked) = value.reveal();
        if marked {
            return self.convert_at(inner, meter, path).map(Value::sensitive);
        }
        if *value == Value::Null {
            return Ok(Value::Null);
        }
        let misfit = |path: &str, text: String| {
            Err(Refused::Misfit(Misfit {
                path: path.to_owned(),
                text,
            }))
        };
        let type_name = value.type_name();
        let wrong = |path: &str, needs: &str| {
            misfit(path, format!("this is {type_name}, {needs} is needed"))
        };
        match self {
            Type::Any => Ok(value.clone()),
            Type::String => match to_shared_text(value) {
                Some(text) => Ok(Value::String(text)),
                None => wrong(path, "a string"),
            },
            Type::Number => match to_number(value) {
                Some(number) => Ok(Value::Number(number)),
                None => wrong(path, "a number"),
            },
            Type::Bool => match to_bool(value) {
                Some(b) => Ok(Value::Bool(b)),
                None => wrong(path, "true or false"),
            },
            Type::List(of) | Type::Set(of) => {
                let (Value::List(items) | Value::Set(items)) = value else {
                    return wrong(
                        path,
                        if matches!(self, Type::List(_)) {
                            "a list"
                        } else {
                            "a set"
                        },
                    );
                };
                let mut converted = Vec::with_capacity(items.len());
                for (n, item) in items.iter().enumerate() {
                    converted.push(of.inside(item, meter, path, &format!("[{n}]"))?);
                }
                if let Type::Set(_) = self {
                    return Ok(make_set(converted, meter)?);
                }
                Ok(Value::from(converted))
            }
            Type::Map(of) => {
                let Value::Object(object) = value else {
                    return wrong(path, "a map");
                };
                let mut converted = IndexMap::with_capacity(object.len());
                for (key, item) in object.iter() {
                    let part = format!("[{}]", crate::value::quote(key));
                    converted.insert(key.clone(), of.inside(item, meter, path, &part)?);
                }
                Ok(Value::from(converted))
            }
            Type::Tuple(types) => {
                let Value::List(items) = value else {
                    return wrong(path, "a tuple");
                };
                if items.len() != types.len() {
                    return misfit(
                        path,
                        format!("has {} elements, {} are needed", items.len(), types.len()),
                    );
                }
                let mut converted = Vec::with_capacity(items.len());
                for (n, (item, of)) in items.iter().zip(types).enumerate() {
                    converted.push(of.inside(item, meter, path, &format!("[{n}]"))?);
                }
                Ok(Value::from(converted))
            }
            Type::Object(fields) => {
                let Value::Object(object) = value else {
                    return wrong(path, "an object");
                };
                let mut converted = IndexMap::with_capacity(fields.len());
                for (name, field) in fields {
                    let item = match (object.get(name), &field.default) {
                        (Some(Value::Null) | None, Some(default)) => default.clone(),
                        (Some(item), _) => {
                            field.of.inside(item, meter, path, &format!(".{name}"))?
                        }
                        (None, None) => {
                            return misfit(path, format!("the attribute `{name}` is missing"));
                        }
                    };
                    converted.insert(name.clone(), item);
                }
                // Terraform drops attributes that the type does not name; a name that is nearly one of
                // the type's is a mistake all the same.
                for name in object.keys() {
                    if !fields.contains_key(name)
                        && let Some(near) = nearest(name, fields.keys().map(|name| &**name))
                        && !object.contains_key(near)
                    {
                        return misfit(
                            path,
                            format!("`{name}` is no attribute, did you mean `{near}`?"),
                        );
                    }
                }
                Ok(Value::from(converted))
            }
        }
    }

    fn inside(
        &self,
        value: &Value,
        meter: &Meter,
        path: &mut String,
        part: &str,
    ) -> Result<Value, Refused> {
        let length = path.len();
        path.push_str(part);
        let result = self.convert_at(value, meter, path);
        path.truncate(length);
        result
    }
}
