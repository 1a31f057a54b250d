//! `for` expressions, indexes, attributes and splats.

use std::sync::Arc;

use hcl::edit::expr::{Expression, ForExpr, Traversal, TraversalOperator};
use indexmap::IndexMap;

use super::convert::{sorted, to_shared_text};
use super::{Eval, Evaluator, Frame, Poisoned, Scope, mark};
use crate::codes;
use crate::diagnostic::Diagnostic;
use crate::load::syntax::{expression_span, place};
use crate::source::Span;
use crate::value::{Number, Value};

impl Evaluator {
    /// The keys and values of a collection, in the order in which it is visited, and whether it is sensitive.
    pub(crate) fn entries(&mut self, value: &Value, at: Span) -> Eval<(Vec<(Value, Value)>, bool)> {
        let (value, marked) = value.reveal();
        let entries: Vec<(Value, Value)> = match value {
            Value::List(list) => list
                .iter()
                .enumerate()
                .map(|(n, item)| (Value::from(n), item.clone()))
                .collect(),
            Value::Set(list) => list
                .iter()
                .map(|item| (item.clone(), item.clone()))
                .collect(),
            Value::Object(object) => sorted(object)
                .into_iter()
                .map(|(key, item)| (Value::String(key.clone()), item.clone()))
                .collect(),
            other => {
                let mut diagnostic =
                    Diagnostic::error(codes::NOT_ITERABLE, "Nothing to iterate over")
                        .at(at, format!("this is {}", other.type_name()));
                if let Value::Number(_) = other {
                    diagnostic = diagnostic.help("range(n) gives the numbers from 0 to n - 1.");
                }
                return Err(self.fail(diagnostic));
            }
        };
        let result = self.meter.elements(entries.len());
        self.bounded(result, at)?;
        Ok((entries, marked))
    }

    pub(super) fn for_expression(
        &mut self,
        expression: &ForExpr,
        scope: Scope<'_>,
        here: Span,
    ) -> Eval {
        let intro = &expression.intro;
        let collection_at = expression_span(scope.source, &intro.collection_expr, here);
        let collection = self.evaluate(&intro.collection_expr, scope)?;
        let (entries, mut marked) = self.entries(&collection, collection_at)?;
        let key_name = intro.key_var.as_ref().map(|name| name.as_str());
        let value_name = intro.value_var.as_str();

        let mut list = Vec::new();
        let mut object: IndexMap<Arc<str>, Value> = IndexMap::new();
        let mut groups: IndexMap<Arc<str>, Vec<Value>> = IndexMap::new();
        for (key, value) in entries {
            let mut names = Vec::with_capacity(2);
            if let Some(key_name) = key_name {
                names.push((key_name, key));
            }
            names.push((value_name, value));
            let frame = Frame {
                parent: scope.frame,
                names,
            };
            let inner = Scope {
                frame: Some(&frame),
                ..scope
            };
            if let Some(condition) = &expression.cond {
                let (is_wanted, condition_marked) = self.condition(&condition.expr, inner)?;
                marked |= condition_marked;
                if !is_wanted {
                    continue;
                }
            }
            let Some(key_expression) = &expression.key_expr else {
                list.push(self.evaluate(&expression.value_expr, inner)?);
                continue;
            };
            let key_at = expression_span(scope.source, key_expression, here);
            let (key, key_marked) = self.key(key_expression, inner)?;
            marked |= key_marked;
            let value = self.evaluate(&expression.value_expr, inner)?;
            if expression.grouping {
                groups.entry(key).or_default().push(value);
            } else if object.contains_key(&key) {
                let label = if marked {
                    "gives a key a second time".to_owned()
                } else {
                    format!("gives {} a second time", crate::value::quote(&key))
                };
                return Err(self.fail(
                    Diagnostic::error(codes::DUPLICATE_RESULT_KEY, "for gives a key twice")
                        .at(key_at, label)
                        .help(
                            "write `...` after the value to collect all values of a key in a list.",
                        ),
                ));
            } else {
                object.insert(key, value);
            }
        }
        let result = self
            .meter
            .elements(list.len() + object.len() + groups.len());
        self.bounded(result, here)?;
        let value = if expression.key_expr.is_none() {
            Value::from(list)
        } else if expression.grouping {
            Value::from(
                groups
                    .into_iter()
                    .map(|(key, values)| (key, Value::from(values)))
                    .collect::<IndexMap<_, _>>(),
            )
        } else {
            Value::from(object)
        };
        Ok(mark(value, marked))
    }

    pub(super) fn traversal(
        &mut self,
        traversal: &Traversal,
        scope: Scope<'_>,
        here: Span,
    ) -> Eval {
        let (value, used) = match self.reference(traversal, scope, here)? {
            Some(found) => found,
            None => (self.evaluate(&traversal.expr, scope)?, 0),
        };
        let rest = traversal.operators.get(used..).unwrap_or(&[]);
        self.operators(value, rest, scope, here)
    }

    /// Applies indexes, attributes and splats one after the other.
    fn operators(
        &mut self,
        mut value: Value,
        operators: &[hcl::edit::Decorated<TraversalOperator>],
        scope: Scope<'_>,
        here: Span,
    ) -> Eval {
        for (n, operator) in operators.iter().enumerate() {
            let at = place(scope.source, operator, here);
            if self.meter.spend(1).is_err() {
                return Err(self.too_much(at));
            }
            value = match operator.value() {
                TraversalOperator::GetAttr(name) => self.attribute(&value, name.as_str(), at)?,
                TraversalOperator::LegacyIndex(index) => {
                    let index = Value::Number(Number::Integer(i128::from(*index.value())));
                    self.index(&value, &index, at)?
                }
                TraversalOperator::Index(expression) => {
                    let index_at = expression_span(scope.source, expression, at);
                    let index = self.evaluate(expression, scope)?;
                    self.index(&value, &index, index_at)?
                }
                TraversalOperator::FullSplat(_) => {
                    let rest = operators.get(n + 1..).unwrap_or(&[]);
                    return self.splat(&value, rest, scope, at);
                }
                TraversalOperator::AttrSplat(_) => {
                    // Only the attributes that follow belong to each element.
                    let rest = operators.get(n + 1..).unwrap_or(&[]);
                    let attributes = rest
                        .iter()
                        .take_while(|operator| {
                            matches!(
                                operator.value(),
                                TraversalOperator::GetAttr(_) | TraversalOperator::LegacyIndex(_)
                            )
                        })
                        .count();
                    let (each, after) = rest.split_at(attributes);
                    let list = self.splat(&value, each, scope, at)?;
                    return self.operators(list, after, scope, here);
                }
            };
        }
        Ok(value)
    }

    fn splat(
        &mut self,
        value: &Value,
        rest: &[hcl::edit::Decorated<TraversalOperator>],
        scope: Scope<'_>,
        at: Span,
    ) -> Eval {
        let (value, marked) = value.reveal();
        let items: Vec<Value> = match value {
            Value::List(list) | Value::Set(list) => list.to_vec(),
            Value::Null => Vec::new(),
            other => vec![other.clone()],
        };
        let result = self.meter.elements(items.len());
        self.bounded(result, at)?;
        let mut list = Vec::with_capacity(items.len());
        for item in items {
            list.push(self.operators(item, rest, scope, at)?);
        }
        Ok(mark(Value::from(list), marked))
    }

    /// `value.name`.
    fn attribute(&mut self, value: &Value, name: &str, at: Span) -> Eval {
        let (value, marked) = value.reveal();
        match value {
            Value::Object(object) => match object.get(name) {
                Some(item) => Ok(mark(item.clone(), marked)),
                None => Err(self.no_attribute(object, name, marked, at)),
            },
            Value::Null => Err(self.null(at, "what stands before this is null")),
            Value::Address(address) => {
                let label = format!("`{address}` has no attributes");
                Err(self.fail(
                    Diagnostic::error(codes::ADDRESS_AS_VALUE, "Reference used as a value")
                        .at(at, label)
                        .help("values that several blocks need go under `locals`."),
                ))
            }
            Value::List(_) | Value::Set(_) => {
                let label = format!("{} has no attributes", value.type_name());
                Err(self.fail(
                    Diagnostic::error(codes::WRONG_TYPE, "Value of the wrong type")
                        .at(at, label)
                        .help(format!(
                            "`[*].{name}` gives the attribute of each element, `[0].{name}` that of the first."
                        )),
                ))
            }
            other => {
                let label = format!("{} has no attributes", other.type_name());
                Err(self.wrong_type(at, label))
            }
        }
    }

    fn no_attribute(
        &mut self,
        object: &IndexMap<Arc<str>, Value>,
        name: &str,
        marked: bool,
        at: Span,
    ) -> Poisoned {
        let mut diagnostic = Diagnostic::error(
            codes::UNKNOWN_ATTRIBUTE_OF_VALUE,
            "Object has no such attribute",
        )
        .at(at, "not in the object");
        if !marked {
            let known = object.keys().map(|key| &**key);
            if let Some(near) = self.near(name, known) {
                diagnostic = diagnostic.help(format!("did you mean `{near}`?"));
            } else if !object.is_empty() && object.len() <= 12 {
                let names: Vec<&str> = object.keys().map(|key| &**key).collect();
                diagnostic = diagnostic.help(format!("it has: {}.", names.join(", ")));
            }
        }
        self.fail(diagnostic)
    }

    /// `value[index]`.
    fn index(&mut self, value: &Value, index: &Value, at: Span) -> Eval {
        let ((value, marked), (index, marked_too)) = (value.reveal(), index.reveal());
        let marked = marked || marked_too;
        match value {
            Value::List(list) => {
                let position = match Evaluator::index_of(index) {
                    Some(Ok(position)) => position,
                    Some(Err(_)) => usize::MAX,
                    None => {
                        let label = format!(
                            "this is {}, a list is indexed with a number",
                            index.type_name()
                        );
                        return Err(self.fail(
                            Diagnostic::error(codes::BAD_INDEX, "Index of the wrong type")
                                .at(at, label),
                        ));
                    }
                };
                match list.get(position) {
                    Some(item) => Ok(mark(item.clone(), marked)),
                    None => {
                        let label = match list.len() {
                            0 => "the list is empty".to_owned(),
                            1 => "the list has one element, [0]".to_owned(),
                            n => format!("the list has {n} elements, [0] to [{}]", n - 1),
                        };
                        Err(self.fail(
                            Diagnostic::error(codes::INDEX_OUT_OF_RANGE, "Index out of range")
                                .at(at, label)
                                .help("try(list[n], default) gives a default."),
                        ))
                    }
                }
            }
            Value::Object(object) => match to_shared_text(index) {
                Some(key) => match object.get(&*key) {
                    Some(item) => Ok(mark(item.clone(), marked)),
                    None => Err(self.no_attribute(object, &key, marked, at)),
                },
                None => {
                    let label = format!(
                        "this is {}, an object is indexed with a string",
                        index.type_name()
                    );
                    Err(self.fail(
                        Diagnostic::error(codes::BAD_INDEX, "Index of the wrong type")
                            .at(at, label),
                    ))
                }
            },
            Value::Set(_) => Err(self.fail(
                Diagnostic::error(codes::WRONG_TYPE, "Value of the wrong type")
                    .at(at, "a set has no positions")
                    .help("tolist(set)[0] is its first element in order."),
            )),
            Value::Null => Err(self.null(at, "what stands before this is null")),
            other => {
                let label = format!("{} cannot be indexed", other.type_name());
                Err(self.wrong_type(at, label))
            }
        }
    }

    /// Whether an expression is a plain list, and its items: for lists of formulas.
    pub(crate) fn list_items(expression: &Expression) -> Option<Vec<&Expression>> {
        match expression {
            Expression::Array(array) => Some(array.iter().collect()),
            Expression::Parenthesis(inner) => Evaluator::list_items(inner.inner()),
            _ => None,
        }
    }
}
