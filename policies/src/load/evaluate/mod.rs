//! Evaluating expressions into values.
//!
//! Errors are reported where they arise, with the innermost place, and the result is [`Poisoned`]: what
//! depends on it says nothing more. Every node costs a step of the [`Meter`], so nothing runs for ever.

mod calls;
mod collections;
pub(crate) mod convert;
mod formula;
mod names;
pub(crate) mod operators;
mod template;

use std::collections::HashMap;
use std::path::PathBuf;
use std::rc::Rc;
use std::sync::Arc;

use hcl::edit::expr::{BinaryOperator, Expression, ObjectKey, UnaryOperator};
use hcl::edit::template::Template;
use indexmap::{IndexMap, IndexSet};

use super::meter::{Meter, TooMuch};
use super::syntax::{expression_span, place, span};
use crate::codes;
use crate::diagnostic::{Diagnostic, Diagnostics};
use crate::functions::Files;
use crate::source::{SourceId, SourceMap, Span};
use crate::suggest::nearest;
use crate::value::{Number, Value};

pub(crate) use formula::{Wanted, mentions};

/// There is no value: why has been reported.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Poisoned;

/// A value, or nothing more to say.
pub(crate) type Eval<T = Value> = Result<T, Poisoned>;

/// The names that expressions can use.
#[derive(Clone, Debug, Default)]
pub(crate) struct Names {
    /// `var.x`; `None` where it has no usable value.
    pub(crate) variables: IndexMap<Arc<str>, Option<Value>>,
    /// `local.x`; `None` where it has no usable value.
    pub(crate) locals: IndexMap<Arc<str>, Option<Value>>,
    /// `provider.kind`, and the aliases: `None` for the one without.
    pub(crate) providers: IndexMap<Arc<str>, IndexSet<Option<Arc<str>>>>,
    /// `policy.x`.
    pub(crate) policies: IndexSet<Arc<str>>,
    /// `group.x`.
    pub(crate) groups: IndexMap<Arc<str>, Keys>,
}

/// The keys of a group.
#[derive(Clone, Debug)]
pub(crate) enum Keys {
    /// It has no `for_each`.
    Single,
    /// They are not known yet, or could not be found out.
    Unknown,
    /// Those of its `for_each`.
    Known(IndexSet<Arc<str>>),
}

/// Which names an expression may use.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Allowed {
    /// None: only constants and functions.
    Nothing(&'static str),
    /// None: a file of variables.
    ValuesFile,
    /// `var.*`.
    Variables,
    /// All.
    All,
}

/// Names that a `for`, a `dynamic` or a template file introduces.
pub(crate) struct Frame<'s> {
    pub(crate) parent: Option<&'s Frame<'s>>,
    pub(crate) names: Vec<(&'s str, Value)>,
}

/// `each.key`, `each.value`.
#[derive(Clone, Debug)]
pub(crate) struct Each {
    pub(crate) key: Value,
    pub(crate) value: Value,
}

/// Where an expression stands.
#[derive(Clone, Copy)]
pub(crate) struct Scope<'s> {
    pub(crate) source: SourceId,
    pub(crate) allowed: Allowed,
    pub(crate) frame: Option<&'s Frame<'s>>,
    pub(crate) each: Option<&'s Each>,
    /// Addresses need not exist: in `moved` and `removed`.
    pub(crate) is_lenient: bool,
}

impl<'s> Scope<'s> {
    pub(crate) fn top(source: SourceId) -> Scope<'s> {
        Scope {
            source,
            allowed: Allowed::All,
            frame: None,
            each: None,
            is_lenient: false,
        }
    }

    pub(crate) fn limited(source: SourceId, allowed: Allowed) -> Scope<'s> {
        Scope {
            allowed,
            ..Scope::top(source)
        }
    }

    /// A name that a frame introduces, from the inside out.
    fn find(&self, name: &str) -> Option<&'s Value> {
        let mut frame = self.frame;
        while let Some(current) = frame {
            if let Some((_, value)) = current.names.iter().rev().find(|(n, _)| *n == name) {
                return Some(value);
            }
            frame = current.parent;
        }
        None
    }

    fn frame_names(&self) -> Vec<&'s str> {
        let mut names = Vec::new();
        let mut frame = self.frame;
        while let Some(current) = frame {
            names.extend(current.names.iter().map(|(name, _)| *name));
            frame = current.parent;
        }
        names
    }
}

/// Evaluates expressions: names, what is left to spend, and where problems go.
pub(crate) struct Evaluator {
    pub(crate) names: Names,
    pub(crate) meter: Meter,
    pub(crate) sources: SourceMap,
    pub(crate) files: Files,
    pub(crate) diagnostics: Diagnostics,
    /// Whether anything in these files is sensitive: if nothing is, no value is searched for marks.
    pub(crate) has_sensitive: bool,
    /// Template files that were parsed, by path.
    templates: HashMap<PathBuf, Option<(SourceId, Rc<Template>)>>,
    is_in_template_file: bool,
    /// Inside of `try` or `can`: nobody will read what is said.
    is_trying: bool,
    told_exhausted: bool,
}

impl Evaluator {
    pub(crate) fn new(sources: SourceMap, files: Files, meter: Meter) -> Evaluator {
        Evaluator {
            names: Names::default(),
            meter,
            sources,
            files,
            diagnostics: Diagnostics::default(),
            has_sensitive: false,
            templates: HashMap::new(),
            is_in_template_file: false,
            is_trying: false,
            told_exhausted: false,
        }
    }

    /// Reports a problem.
    pub(crate) fn fail(&mut self, diagnostic: Diagnostic) -> Poisoned {
        self.diagnostics.push(diagnostic);
        Poisoned
    }

    /// The nearest known name. Not where nobody reads it, and not after dozens of problems: with many names, looking
    /// for it takes longer than all the rest.
    pub(crate) fn near<'n>(
        &self,
        name: &str,
        known: impl IntoIterator<Item = &'n str>,
    ) -> Option<&'n str> {
        if self.is_trying || self.diagnostics.len() >= 50 {
            return None;
        }
        nearest(name, known)
    }

    /// Reports that a bound was reached; the bound on the whole only once.
    pub(crate) fn too_much(&mut self, at: Span) -> Poisoned {
        if self.meter.is_exhausted() {
            if std::mem::replace(&mut self.told_exhausted, true) {
                return Poisoned;
            }
            return self.fail(
                Diagnostic::error(codes::TOO_MUCH, "Too much to evaluate")
                    .at(at, "the bound on the whole directory was reached here")
                    .why("Evaluating these files takes more steps or memory than any configuration should.")
                    .help("look for a `for` inside a `for` over large lists, and for text that is doubled again and again."),
            );
        }
        self.fail(
            Diagnostic::error(codes::TOO_MUCH, "Too much to evaluate")
                .at(at, "this value is too large or nested too deep")
                .why("A value may have 1,000,000 parts, be nested 128 levels deep, and a string may have 16 MiB."),
        )
    }

    pub(crate) fn bounded<T>(&mut self, result: Result<T, TooMuch>, at: Span) -> Eval<T> {
        result.map_err(|TooMuch| self.too_much(at))
    }

    fn wrong_type(&mut self, at: Span, label: String) -> Poisoned {
        self.fail(Diagnostic::error(codes::WRONG_TYPE, "Value of the wrong type").at(at, label))
    }

    fn null(&mut self, at: Span, label: &'static str) -> Poisoned {
        self.fail(
            Diagnostic::error(codes::NULL_VALUE, "Value is null")
                .at(at, label)
                .help("give a default with coalesce(value, default), or use a conditional."),
        )
    }

    /// The value of an expression.
    pub(crate) fn evaluate(&mut self, expression: &Expression, scope: Scope<'_>) -> Eval {
        let whole = span(scope.source, 0, 0);
        let here = expression_span(scope.source, expression, whole);
        if self.meter.spend(1).is_err() {
            return Err(self.too_much(here));
        }
        match expression {
            Expression::Null(_) => Ok(Value::Null),
            Expression::Bool(b) => Ok(Value::Bool(*b.value())),
            Expression::Number(_) => self.number(here),
            Expression::String(text) => {
                let result = self.meter.string(text.len());
                self.bounded(result, here)?;
                Ok(Value::from(text.as_str()))
            }
            Expression::Array(array) => {
                let mut items = Vec::with_capacity(array.len());
                let mut poisoned = false;
                for item in array.iter() {
                    match self.evaluate(item, scope) {
                        Ok(value) => items.push(value),
                        Err(Poisoned) => poisoned = true,
                    }
                }
                if poisoned {
                    return Err(Poisoned);
                }
                let result = self.meter.elements(items.len());
                self.bounded(result, here)?;
                Ok(Value::from(items))
            }
            Expression::Object(object) => self.object(object, scope, here),
            Expression::StringTemplate(template) => {
                self.template(template.iter().collect(), scope, here)
            }
            Expression::HeredocTemplate(heredoc) => {
                self.template(heredoc.template.iter().collect(), scope, here)
            }
            Expression::Parenthesis(inner) => self.evaluate(inner.inner(), scope),
            Expression::Variable(name) => self.variable(name.as_str(), scope, here),
            Expression::Conditional(conditional) => {
                let (condition, marked) = self.condition(&conditional.cond_expr, scope)?;
                let branch = if condition {
                    &conditional.true_expr
                } else {
                    &conditional.false_expr
                };
                let value = self.evaluate(branch, scope)?;
                Ok(mark(value, marked))
            }
            Expression::FuncCall(call) => self.call(call, scope, here),
            Expression::Traversal(traversal) => self.traversal(traversal, scope, here),
            Expression::UnaryOp(operation) => {
                let inner = expression_span(scope.source, &operation.expr, here);
                match operation.operator.value() {
                    UnaryOperator::Not => {
                        let (condition, marked) = self.condition(&operation.expr, scope)?;
                        Ok(mark(Value::Bool(!condition), marked))
                    }
                    UnaryOperator::Neg => {
                        let value = self.evaluate(&operation.expr, scope)?;
                        let (value, marked) = value.reveal();
                        if *value == Value::Null {
                            return Err(self.null(inner, "this is null"));
                        }
                        let Some(number) = convert::to_number(value) else {
                            let label =
                                format!("this is {}, a number is needed", value.type_name());
                            return Err(self.wrong_type(inner, label));
                        };
                        match operators::negate(number) {
                            Ok(number) => Ok(mark(Value::Number(number), marked)),
                            Err(_) => Err(self.overflow(here)),
                        }
                    }
                }
            }
            Expression::BinaryOp(operation) => {
                let operator = *operation.operator.value();
                let operator_at = place(scope.source, &operation.operator, here);
                self.binary(
                    operator,
                    operator_at,
                    (&operation.lhs_expr, &operation.rhs_expr),
                    scope,
                    here,
                )
            }
            Expression::ForExpr(for_expr) => self.for_expression(for_expr, scope, here),
        }
    }

    fn overflow(&mut self, at: Span) -> Poisoned {
        self.fail(
            Diagnostic::error(codes::NUMBER_OVERFLOW, "Number out of range")
                .at(at, "the result is too large for a number"),
        )
    }

    /// A number is read from its text: the parser turns integers beyond 64 bits into floats.
    fn number(&mut self, at: Span) -> Eval {
        let text = self.text(at);
        let compact: String = text.chars().filter(|c| !c.is_whitespace()).collect();
        let digits = compact.trim_start_matches('-');
        let is_whole = digits.bytes().all(|b| b.is_ascii_digit());
        if is_whole && digits.parse::<u64>().is_err() {
            return Err(self.fail(
                Diagnostic::error(codes::NUMBER_TOO_LARGE, "Number too large")
                    .at(at, "more than 64 bits")
                    .why("A larger number would silently lose its last digits."),
            ));
        }
        match convert::parse_number(&compact) {
            Some(number) => Ok(Value::Number(number)),
            None => Err(self.fail(
                Diagnostic::error(codes::NUMBER_TOO_LARGE, "Number too large")
                    .at(at, "not finite as a 64-bit float"),
            )),
        }
    }

    /// The text of a place.
    pub(crate) fn text(&self, at: Span) -> String {
        self.sources
            .get(at.source)
            .and_then(|source| source.text.get(at.start as usize..at.end as usize))
            .unwrap_or("")
            .to_owned()
    }

    /// A condition, and whether it was sensitive.
    pub(crate) fn condition(
        &mut self,
        expression: &Expression,
        scope: Scope<'_>,
    ) -> Eval<(bool, bool)> {
        let here = expression_span(scope.source, expression, span(scope.source, 0, 0));
        let value = self.evaluate(expression, scope)?;
        let (value, marked) = value.reveal();
        match convert::to_bool(value) {
            Some(condition) => Ok((condition, marked)),
            None => Err(self.fail(
                Diagnostic::error(codes::CONDITION_TYPE, "Condition is not true or false")
                    .at(here, format!("this is {}", value.type_name())),
            )),
        }
    }

    fn binary(
        &mut self,
        operator: BinaryOperator,
        operator_at: Span,
        (left, right): (&Expression, &Expression),
        scope: Scope<'_>,
        here: Span,
    ) -> Eval {
        if let BinaryOperator::And | BinaryOperator::Or = operator {
            let (a, marked) = self.condition(left, scope)?;
            if a == (operator == BinaryOperator::Or) {
                return Ok(mark(Value::Bool(a), marked));
            }
            let (b, marked_too) = self.condition(right, scope)?;
            return Ok(mark(Value::Bool(b), marked || marked_too));
        }
        let a = self.evaluate(left, scope);
        let b = self.evaluate(right, scope);
        let (a, b) = (a?, b?);
        if let BinaryOperator::Eq | BinaryOperator::NotEq = operator {
            let deep = |value: &Value, meter: &Meter| {
                Ok::<_, TooMuch>(value.is_sensitive() || meter.weigh(value)?.has_sensitive)
            };
            let marked = if self.has_sensitive {
                let result = deep(&a, &self.meter).and_then(|x| Ok(x | deep(&b, &self.meter)?));
                self.bounded(result, here)?
            } else {
                false
            };
            let result = convert::equal(&a, &b, &self.meter);
            let is_equal = self.bounded(result, here)?;
            let answer = is_equal == (operator == BinaryOperator::Eq);
            return Ok(mark(Value::Bool(answer), marked));
        }
        let ((a, marked), (b, marked_too)) = (a.reveal(), b.reveal());
        match operators::apply(operator, a, b) {
            Ok(value) => Ok(mark(value, marked || marked_too)),
            Err(refused) => Err(self.refused(
                refused,
                operator_at,
                (expression_span(scope.source, left, here), a),
                (expression_span(scope.source, right, here), b),
                here,
            )),
        }
    }

    pub(crate) fn refused(
        &mut self,
        refused: operators::Refused,
        operator_at: Span,
        (left, a): (Span, &Value),
        (right, b): (Span, &Value),
        here: Span,
    ) -> Poisoned {
        let operator = self.text(operator_at);
        let (at, value) = match refused {
            operators::Refused::Left => (left, a),
            operators::Refused::Right => (right, b),
            operators::Refused::DivisionByZero => {
                return self.fail(
                    Diagnostic::error(codes::DIVISION_BY_ZERO, "Division by zero")
                        .at(right, "this is 0"),
                );
            }
            operators::Refused::Overflow => return self.overflow(here),
        };
        if *value == Value::Null {
            return self.null(at, "this is null");
        }
        let label = format!("this is {}, `{operator}` needs numbers", value.type_name());
        let mut diagnostic =
            Diagnostic::error(codes::WRONG_TYPE, "Value of the wrong type").at(at, label);
        if let (Value::String(_), "+") = (value, operator.as_str()) {
            diagnostic = diagnostic.help("text is put together with a template: \"${a}${b}\".");
        }
        self.fail(diagnostic)
    }

    fn object(&mut self, object: &hcl::edit::expr::Object, scope: Scope<'_>, here: Span) -> Eval {
        let result = self.meter.elements(object.len());
        self.bounded(result, here)?;
        let mut entries: IndexMap<Arc<str>, Value> = IndexMap::with_capacity(object.len());
        let mut places: Vec<Span> = Vec::with_capacity(object.len());
        let (mut poisoned, mut marked) = (false, false);
        for (key, value) in object.iter() {
            let key_at = match key {
                ObjectKey::Ident(ident) => place(scope.source, ident, here),
                ObjectKey::Expression(e) => expression_span(scope.source, e, here),
            };
            let key = match key {
                ObjectKey::Ident(ident) => Ok((Arc::from(ident.as_str()), false)),
                // `{ foo.bar = 1 }` is a reference in Terraform too; a bare name is text.
                ObjectKey::Expression(Expression::Variable(name)) => {
                    Ok((Arc::from(name.as_str()), false))
                }
                ObjectKey::Expression(e) => self.key(e, scope),
            };
            let value = self.evaluate(value.expr(), scope);
            let (Ok((key, key_marked)), Ok(value)) = (key, value) else {
                poisoned = true;
                continue;
            };
            marked |= key_marked;
            if let Some((first, _, _)) = entries.get_full(&key) {
                let first = places.get(first).copied().unwrap_or(here);
                self.fail(
                    Diagnostic::error(codes::DUPLICATE_KEY, "Key given twice")
                        .at(key_at, "given again here")
                        .at(first, "given here first")
                        .help("remove one of the two."),
                );
                poisoned = true;
                continue;
            }
            entries.insert(key, value);
            places.push(key_at);
        }
        if poisoned {
            return Err(Poisoned);
        }
        Ok(mark(Value::from(entries), marked))
    }

    /// A key of an object: text, and whether it was sensitive.
    fn key(&mut self, expression: &Expression, scope: Scope<'_>) -> Eval<(Arc<str>, bool)> {
        let at = expression_span(scope.source, expression, span(scope.source, 0, 0));
        let value = self.evaluate(expression, scope)?;
        let (value, marked) = value.reveal();
        if *value == Value::Null {
            return Err(self.null(at, "a key cannot be null"));
        }
        match convert::to_shared_text(value) {
            Some(text) => Ok((text, marked)),
            None => {
                let label = format!("this is {}, a key is a string", value.type_name());
                Err(self.wrong_type(at, label))
            }
        }
    }

    /// A whole number as an index, or `None` where the value is none.
    pub(crate) fn index_of(value: &Value) -> Option<Result<usize, Number>> {
        let number = convert::to_number(value)?;
        Some(number.as_usize().ok_or(number))
    }
}

/// Marks a value as sensitive where something that it was made from is.
pub(crate) fn mark(value: Value, marked: bool) -> Value {
    if marked { value.sensitive() } else { value }
}
