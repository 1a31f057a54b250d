//! Expressions that are kept: everything in them but `metric.*` and `self.*` is folded.

use hcl::edit::expr::{
    BinaryOperator as HclBinary, Expression as Hcl, FuncCall, Traversal, TraversalOperator,
    UnaryOperator as HclUnary,
};
use hcl::edit::visit::{Visit, visit_expr};

use super::{Eval, Evaluator, Scope, convert};
use crate::codes;
use crate::diagnostic::Diagnostic;
use crate::load::syntax::{expression_span, place};
use crate::model::{BinaryOperator, Expression, Formula, FormulaFunction, OwnValue, UnaryOperator};
use crate::source::{Span, Spanned};
use crate::suggest::nearest;
use crate::value::Value;

/// What a formula must give.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Wanted {
    /// A metric's `value`.
    Number,
    /// `when`, `always`, `never`.
    Condition,
}

impl Wanted {
    fn name(self) -> &'static str {
        match self {
            Wanted::Number => "a number",
            Wanted::Condition => "true or false",
        }
    }
}

/// Names that an expression mentions.
#[derive(Default)]
pub(crate) struct Mentions {
    /// `metric.*` or `self.*`.
    pub(crate) at_decision: bool,
    /// The names of `local.*`.
    pub(crate) locals: Vec<String>,
}

impl Visit for Mentions {
    fn visit_expr(&mut self, node: &Hcl) {
        match node {
            Hcl::Variable(name) if matches!(name.as_str(), "metric" | "self") => {
                self.at_decision = true;
            }
            Hcl::Traversal(traversal) => {
                if let Hcl::Variable(root) = &traversal.expr
                    && root.as_str() == "local"
                {
                    match traversal.operators.first().map(|operator| operator.value()) {
                        Some(TraversalOperator::GetAttr(name)) => {
                            self.locals.push(name.as_str().to_owned());
                        }
                        Some(TraversalOperator::Index(Hcl::String(name))) => {
                            self.locals.push(name.as_str().to_owned());
                        }
                        _ => {}
                    }
                }
            }
            _ => {}
        }
        visit_expr(self, node);
    }
}

/// What an expression mentions.
pub(crate) fn mentions(expression: &Hcl) -> Mentions {
    let mut found = Mentions::default();
    found.visit_expr(expression);
    found
}

/// A formula and the metrics that it mentions.
#[derive(Debug)]
pub(crate) struct Kept {
    pub(crate) formula: Formula,
    pub(crate) mentions: Vec<Spanned<String>>,
}

impl Evaluator {
    /// The formula of an expression, folded.
    pub(crate) fn formula(
        &mut self,
        expression: &Hcl,
        scope: Scope<'_>,
        wanted: Wanted,
    ) -> Eval<Kept> {
        let at = expression_span(
            scope.source,
            expression,
            Span {
                source: scope.source,
                start: 0,
                end: 0,
            },
        );
        let text = self
            .text(at)
            .split_whitespace()
            .collect::<Vec<_>>()
            .join(" ");
        let mut mentions = Vec::new();
        let (expression, is) = self.fold(expression, scope, at, &mut mentions)?;
        if is != wanted {
            let help = match wanted {
                Wanted::Condition => "compare it: `metric.x > 10`.",
                Wanted::Number => "choose a number with it: `condition ? 1 : 0`.",
            };
            return Err(self.fail(
                Diagnostic::error(codes::FORMULA_TYPE, "Formula of the wrong type")
                    .at(
                        at,
                        format!("gives {}, {} is needed", is.name(), wanted.name()),
                    )
                    .help(help),
            ));
        }
        Ok(Kept {
            formula: Formula { text, expression },
            mentions,
        })
    }

    fn fold(
        &mut self,
        expression: &Hcl,
        scope: Scope<'_>,
        outer: Span,
        out: &mut Vec<Spanned<String>>,
    ) -> Eval<(Expression, Wanted)> {
        let here = expression_span(scope.source, expression, outer);
        if self.meter.spend(1).is_err() {
            return Err(self.too_much(here));
        }
        if !mentions(expression).at_decision {
            let value = self.evaluate(expression, scope)?;
            return self.constant(&value, here);
        }
        match expression {
            Hcl::Parenthesis(inner) => self.fold(inner.inner(), scope, here, out),
            Hcl::Traversal(traversal) => self.live(traversal, scope, here, out),
            Hcl::UnaryOp(operation) => {
                let (inner, is) = self.fold(&operation.expr, scope, here, out)?;
                let (operator, wanted) = match operation.operator.value() {
                    HclUnary::Neg => (UnaryOperator::Negate, Wanted::Number),
                    HclUnary::Not => (UnaryOperator::Not, Wanted::Condition),
                };
                self.check(
                    is,
                    wanted,
                    expression_span(scope.source, &operation.expr, here),
                )?;
                Ok((Expression::Unary(operator, Box::new(inner)), wanted))
            }
            Hcl::BinaryOp(operation) => {
                let operator = *operation.operator.value();
                let left_at = expression_span(scope.source, &operation.lhs_expr, here);
                let right_at = expression_span(scope.source, &operation.rhs_expr, here);
                let left = self.fold(&operation.lhs_expr, scope, here, out);
                // As in all of the language, the right side does not count where the left side decides.
                if let (
                    Ok((Expression::Bool(b), Wanted::Condition)),
                    HclBinary::And | HclBinary::Or,
                ) = (&left, operator)
                {
                    if *b == (operator == HclBinary::Or) {
                        return Ok((Expression::Bool(*b), Wanted::Condition));
                    }
                    let (right, is) = self.fold(&operation.rhs_expr, scope, here, out)?;
                    self.check(is, Wanted::Condition, right_at)?;
                    return Ok((right, Wanted::Condition));
                }
                let right = self.fold(&operation.rhs_expr, scope, here, out);
                let ((left, left_is), (right, right_is)) = (left?, right?);
                let (operator, operands, result) = kept_operator(operator);
                match operands {
                    Some(operands) => {
                        let first = self.check(left_is, operands, left_at);
                        self.check(right_is, operands, right_at)?;
                        first?;
                    }
                    None => self.check(right_is, left_is, right_at)?,
                }
                if let (BinaryOperator::Divide | BinaryOperator::Modulo, Expression::Number(0.0)) =
                    (operator, &right)
                {
                    return Err(self.fail(
                        Diagnostic::error(codes::DIVISION_BY_ZERO, "Division by zero")
                            .at(right_at, "this is always 0"),
                    ));
                }
                Ok((
                    Expression::Binary(operator, Box::new(left), Box::new(right)),
                    result,
                ))
            }
            Hcl::Conditional(conditional) => {
                if !mentions(&conditional.cond_expr).at_decision {
                    let (condition, marked) = self.condition(&conditional.cond_expr, scope)?;
                    let at = expression_span(scope.source, &conditional.cond_expr, here);
                    if marked {
                        return Err(self.sensitive_in_formula(at));
                    }
                    let branch = if condition {
                        &conditional.true_expr
                    } else {
                        &conditional.false_expr
                    };
                    return self.fold(branch, scope, here, out);
                }
                let (condition, is) = self.fold(&conditional.cond_expr, scope, here, out)?;
                let at = expression_span(scope.source, &conditional.cond_expr, here);
                self.check(is, Wanted::Condition, at)?;
                let then = self.fold(&conditional.true_expr, scope, here, out);
                let otherwise = self.fold(&conditional.false_expr, scope, here, out);
                let ((then, then_is), (otherwise, otherwise_is)) = (then?, otherwise?);
                let at = expression_span(scope.source, &conditional.false_expr, here);
                self.check(otherwise_is, then_is, at)?;
                Ok((
                    Expression::Conditional(
                        Box::new(condition),
                        Box::new(then),
                        Box::new(otherwise),
                    ),
                    then_is,
                ))
            }
            Hcl::FuncCall(call) => self.kept_call(call, scope, here, out),
            _ => Err(self.unsupported(
                here,
                "only arithmetic, comparison, logic and numeric functions can wait for a decision",
            )),
        }
    }

    fn unsupported(&mut self, at: Span, label: &'static str) -> super::Poisoned {
        self.fail(
            Diagnostic::error(codes::FORMULA_UNSUPPORTED, "Not possible in a formula")
                .at(at, label)
                .help("a formula may use + - * / %, comparisons, && || !, ?:, and abs, ceil, floor, log, max, min, pow, signum."),
        )
    }

    fn check(&mut self, is: Wanted, wanted: Wanted, at: Span) -> Eval<()> {
        if is == wanted {
            return Ok(());
        }
        Err(self.fail(
            Diagnostic::error(codes::FORMULA_TYPE, "Formula of the wrong type").at(
                at,
                format!("gives {}, {} is needed here", is.name(), wanted.name()),
            ),
        ))
    }

    fn sensitive_in_formula(&mut self, at: Span) -> super::Poisoned {
        self.fail(
            Diagnostic::error(
                codes::SENSITIVE_KEY,
                "Sensitive value where it would be shown",
            )
            .at(at, "a formula is kept in the state and shown by `explain`")
            .help("nonsensitive(value) says that it may be shown."),
        )
    }

    fn constant(&mut self, value: &Value, at: Span) -> Eval<(Expression, Wanted)> {
        let (value, marked) = value.reveal();
        if marked {
            return Err(self.sensitive_in_formula(at));
        }
        if let Value::Bool(b) = value {
            return Ok((Expression::Bool(*b), Wanted::Condition));
        }
        if let Some(number) = convert::to_number(value) {
            return Ok((Expression::Number(number.as_f64()), Wanted::Number));
        }
        if let Some(b) = convert::to_bool(value) {
            return Ok((Expression::Bool(b), Wanted::Condition));
        }
        Err(self.fail(
            Diagnostic::error(codes::FORMULA_TYPE, "Formula of the wrong type").at(
                at,
                format!(
                    "this is {}, a formula knows numbers and conditions",
                    value.type_name()
                ),
            ),
        ))
    }

    /// `metric.NAME`, `self.NAME`.
    fn live(
        &mut self,
        traversal: &Traversal,
        scope: Scope<'_>,
        here: Span,
        out: &mut Vec<Spanned<String>>,
    ) -> Eval<(Expression, Wanted)> {
        let Hcl::Variable(root) = &traversal.expr else {
            return Err(self.unsupported(
                here,
                "no attribute or index of this can wait for a decision",
            ));
        };
        if !matches!(root.as_str(), "metric" | "self") {
            return Err(self.unsupported(here, "an index must be known when the files are read"));
        }
        let first = traversal.operators.first();
        let name = match first.map(|operator| operator.value()) {
            Some(TraversalOperator::GetAttr(name)) => name.as_str().to_owned(),
            Some(TraversalOperator::Index(Hcl::String(name))) => name.as_str().to_owned(),
            Some(TraversalOperator::Index(index)) if !mentions(index).at_decision => {
                let at = expression_span(scope.source, index, here);
                let value = self.evaluate(index, scope)?;
                match value {
                    Value::String(name) => name.to_string(),
                    other => {
                        let label = format!("this is {}, a name is a string", other.type_name());
                        return Err(self.wrong_type(at, label));
                    }
                }
            }
            _ => {
                let label = format!("a name follows after `{}.`", root.as_str());
                return Err(self.fail(
                    Diagnostic::error(codes::INCOMPLETE_REFERENCE, "Incomplete reference")
                        .at(here, label),
                ));
            }
        };
        let name_at = first.map_or(here, |operator| place(scope.source, operator, here));
        if let Some(more) = traversal.operators.get(1) {
            let at = place(scope.source, more, here);
            return Err(self.unsupported(at, "a metric is a number, it has no attributes"));
        }
        if root.as_str() == "metric" {
            out.push(Spanned {
                value: name.clone(),
                span: here,
            });
            return Ok((Expression::Metric(name.into()), Wanted::Number));
        }
        let own = match name.as_str() {
            "ready" => OwnValue::Ready,
            "live" => OwnValue::Live,
            "desired" => OwnValue::Desired,
            "min" => OwnValue::Min,
            "max" => OwnValue::Max,
            other => {
                let known = ["ready", "live", "desired", "min", "max"];
                let help = match nearest(other, known) {
                    Some(near) => format!("did you mean `self.{near}`?"),
                    None => "`self` has ready, live, desired, min and max.".to_owned(),
                };
                return Err(self.fail(
                    Diagnostic::error(codes::UNKNOWN_SELF, "Unknown value of a group")
                        .at(name_at, "not a value of `self`")
                        .help(help),
                ));
            }
        };
        Ok((Expression::Own(own), Wanted::Number))
    }

    fn kept_call(
        &mut self,
        call: &FuncCall,
        scope: Scope<'_>,
        here: Span,
        out: &mut Vec<Spanned<String>>,
    ) -> Eval<(Expression, Wanted)> {
        let (function, least, most) = match call.name.name.as_str() {
            "abs" => (FormulaFunction::Abs, 1, 1),
            "ceil" => (FormulaFunction::Ceil, 1, 1),
            "floor" => (FormulaFunction::Floor, 1, 1),
            "signum" => (FormulaFunction::Signum, 1, 1),
            "log" => (FormulaFunction::Log, 2, 2),
            "pow" => (FormulaFunction::Pow, 2, 2),
            "max" => (FormulaFunction::Max, 1, usize::MAX),
            "min" => (FormulaFunction::Min, 1, usize::MAX),
            _ => {
                let at = place(scope.source, &call.name.name, here);
                return Err(self.unsupported(at, "this function cannot wait for a decision"));
            }
        };
        let mut arguments = Vec::with_capacity(call.args.len());
        let last = call.args.len().saturating_sub(1);
        for (n, argument) in call.args.iter().enumerate() {
            let at = expression_span(scope.source, argument, here);
            if n == last && call.args.expand_final() {
                if let Some(items) = Evaluator::list_items(argument) {
                    for item in items {
                        let (item, is) = self.fold(item, scope, at, out)?;
                        self.check(is, Wanted::Number, at)?;
                        arguments.push(item);
                    }
                    continue;
                }
                if mentions(argument).at_decision {
                    return Err(
                        self.unsupported(at, "this list must be known when the files are read")
                    );
                }
                let value = self.evaluate(argument, scope)?;
                let (entries, marked) = self.entries(&value, at)?;
                if marked {
                    return Err(self.sensitive_in_formula(at));
                }
                for (_, item) in entries {
                    let (item, is) = self.constant(&item, at)?;
                    self.check(is, Wanted::Number, at)?;
                    arguments.push(item);
                }
                continue;
            }
            let (argument, is) = self.fold(argument, scope, here, out)?;
            self.check(is, Wanted::Number, at)?;
            arguments.push(argument);
        }
        if arguments.len() < least || arguments.len() > most {
            let signature = crate::functions::find(call.name.name.as_str())
                .map_or("", |function| function.signature);
            return Err(self.fail(
                Diagnostic::error(codes::WRONG_ARGUMENTS, "Wrong arguments for a function")
                    .at(here, format!("{} are given", arguments.len()))
                    .help(format!("the function is {signature}.")),
            ));
        }
        Ok((Expression::Call(function, arguments), Wanted::Number))
    }
}

/// The operator, what its operands are (`None`: both the same), and what it gives.
fn kept_operator(operator: HclBinary) -> (BinaryOperator, Option<Wanted>, Wanted) {
    use Wanted::{Condition, Number};
    match operator {
        HclBinary::Plus => (BinaryOperator::Add, Some(Number), Number),
        HclBinary::Minus => (BinaryOperator::Subtract, Some(Number), Number),
        HclBinary::Mul => (BinaryOperator::Multiply, Some(Number), Number),
        HclBinary::Div => (BinaryOperator::Divide, Some(Number), Number),
        HclBinary::Mod => (BinaryOperator::Modulo, Some(Number), Number),
        HclBinary::Eq => (BinaryOperator::Equal, None, Condition),
        HclBinary::NotEq => (BinaryOperator::NotEqual, None, Condition),
        HclBinary::Less => (BinaryOperator::Less, Some(Number), Condition),
        HclBinary::LessEq => (BinaryOperator::LessOrEqual, Some(Number), Condition),
        HclBinary::Greater => (BinaryOperator::Greater, Some(Number), Condition),
        HclBinary::GreaterEq => (BinaryOperator::GreaterOrEqual, Some(Number), Condition),
        HclBinary::And => (BinaryOperator::And, Some(Condition), Condition),
        HclBinary::Or => (BinaryOperator::Or, Some(Condition), Condition),
    }
}
