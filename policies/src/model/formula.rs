//! Formulas: the expressions that are kept and evaluated at each decision.
//!
//! `metric.value`, `guard.when`, and a test's `always` and `never` may mention `metric.*` and `self.*`.
//! Everything else in them was folded when the files were loaded. A formula is plain data: it is
//! stored in the state with the policy, and evaluating it does no I/O.
//!
//! "No data" is an answer: a metric without a fresh sample, a division by zero and a result that is
//! not finite all give `None`, never an error and never a NaN.

use serde::{Deserialize, Serialize};

use super::units::Name;

/// An expression over metrics and the group's own capacities.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Formula {
    /// As written in the file, for people.
    pub text: String,
    /// What is evaluated.
    pub expression: Expression,
}

/// `self.ready`, `self.live`, `self.desired`, `self.min`, `self.max`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum OwnValue {
    /// Instances past `warmup`, in units.
    Ready,
    /// Instances that exist, starting or in service, in units.
    Live,
    /// The desired capacity last asked for.
    Desired,
    /// The smallest capacity allowed.
    Min,
    /// The largest capacity allowed.
    Max,
}

/// An operator of one operand.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
#[allow(missing_docs, reason = "the operators of HCL")]
pub enum UnaryOperator {
    Negate,
    Not,
}

/// An operator of two operands.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
#[allow(missing_docs, reason = "the operators of HCL")]
pub enum BinaryOperator {
    Add,
    Subtract,
    Multiply,
    Divide,
    Modulo,
    Equal,
    NotEqual,
    Less,
    LessOrEqual,
    Greater,
    GreaterOrEqual,
    And,
    Or,
}

/// A numeric function that is allowed in a formula.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
#[allow(missing_docs, reason = "Terraform's functions of the same name")]
pub enum FormulaFunction {
    Abs,
    Ceil,
    Floor,
    Log,
    Max,
    Min,
    Pow,
    Signum,
}

/// A node of a formula.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Expression {
    /// A number folded at load; finite.
    Number(f64),
    /// A truth value folded at load.
    Bool(bool),
    /// `metric.NAME`: the metric's current value.
    Metric(Name),
    /// `self.NAME`.
    Own(OwnValue),
    /// Negation.
    Unary(UnaryOperator, Box<Expression>),
    /// Arithmetic, comparison, logic.
    Binary(BinaryOperator, Box<Expression>, Box<Expression>),
    /// `condition ? then : otherwise`.
    Conditional(Box<Expression>, Box<Expression>, Box<Expression>),
    /// A function call.
    Call(FormulaFunction, Vec<Expression>),
}

/// A formula's answer.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum FormulaValue {
    /// Finite.
    Number(f64),
    /// True or false.
    Bool(bool),
}

/// What a formula can ask for while it is evaluated.
pub trait FormulaScope {
    /// The metric's current value; `None` is no data.
    fn metric(&self, name: &str) -> Option<f64>;
    /// One of the group's own capacities.
    fn own(&self, value: OwnValue) -> Option<f64>;
}

impl Formula {
    /// The number that the formula gives, or `None` where there is no data.
    pub fn number(&self, scope: &dyn FormulaScope) -> Option<f64> {
        match self.expression.evaluate(scope)? {
            FormulaValue::Number(n) => Some(n),
            FormulaValue::Bool(_) => None,
        }
    }

    /// The truth value that the formula gives, or `None` where there is no data.
    pub fn truth(&self, scope: &dyn FormulaScope) -> Option<bool> {
        match self.expression.evaluate(scope)? {
            FormulaValue::Bool(b) => Some(b),
            FormulaValue::Number(_) => None,
        }
    }

    /// The group's own capacities that it mentions, in order of first mention.
    pub fn own_values(&self) -> Vec<OwnValue> {
        let mut values = Vec::new();
        self.expression.visit(&mut |node| {
            if let Expression::Own(value) = node
                && !values.contains(value)
            {
                values.push(*value);
            }
        });
        values
    }

    /// The names of the metrics that it mentions, in order of first mention.
    pub fn metrics(&self) -> Vec<Name> {
        let mut names = Vec::new();
        self.expression.visit(&mut |node| {
            if let Expression::Metric(name) = node
                && !names.contains(name)
            {
                names.push(name.clone());
            }
        });
        names
    }
}

impl OwnValue {
    /// As in a formula, behind `self.`.
    pub fn name(self) -> &'static str {
        match self {
            OwnValue::Ready => "ready",
            OwnValue::Live => "live",
            OwnValue::Desired => "desired",
            OwnValue::Min => "min",
            OwnValue::Max => "max",
        }
    }
}

impl Expression {
    /// Calls `see` for the node and all below it, from left to right.
    fn visit<'a>(&'a self, see: &mut impl FnMut(&'a Expression)) {
        see(self);
        match self {
            Expression::Number(_)
            | Expression::Bool(_)
            | Expression::Metric(_)
            | Expression::Own(_) => {}
            Expression::Unary(_, a) => a.visit(see),
            Expression::Binary(_, a, b) => {
                a.visit(see);
                b.visit(see);
            }
            Expression::Conditional(a, b, c) => {
                a.visit(see);
                b.visit(see);
                c.visit(see);
            }
            Expression::Call(_, arguments) => {
                for argument in arguments {
                    argument.visit(see);
                }
            }
        }
    }

    /// Evaluates the node. `&&`, `||` and `?:` look only at the operands that decide.
    pub fn evaluate(&self, scope: &dyn FormulaScope) -> Option<FormulaValue> {
        let number = |e: &Expression| match e.evaluate(scope)? {
            FormulaValue::Number(n) => Some(n),
            FormulaValue::Bool(_) => None,
        };
        let truth = |e: &Expression| match e.evaluate(scope)? {
            FormulaValue::Bool(b) => Some(b),
            FormulaValue::Number(_) => None,
        };
        let value = match self {
            Expression::Number(n) => FormulaValue::Number(*n),
            Expression::Bool(b) => FormulaValue::Bool(*b),
            Expression::Metric(name) => FormulaValue::Number(scope.metric(name)?),
            Expression::Own(own) => FormulaValue::Number(scope.own(*own)?),
            Expression::Unary(UnaryOperator::Negate, a) => FormulaValue::Number(-number(a)?),
            Expression::Unary(UnaryOperator::Not, a) => FormulaValue::Bool(!truth(a)?),
            Expression::Binary(BinaryOperator::And, a, b) => {
                FormulaValue::Bool(truth(a)? && truth(b)?)
            }
            Expression::Binary(BinaryOperator::Or, a, b) => {
                FormulaValue::Bool(truth(a)? || truth(b)?)
            }
            Expression::Binary(operator, a, b) => {
                binary(*operator, a.evaluate(scope)?, b.evaluate(scope)?)?
            }
            Expression::Conditional(condition, then, otherwise) => {
                (if truth(condition)? { then } else { otherwise }).evaluate(scope)?
            }
            Expression::Call(function, arguments) => {
                FormulaValue::Number(call(*function, arguments, number)?)
            }
        };
        match value {
            FormulaValue::Number(n) if !n.is_finite() => None,
            value => Some(value),
        }
    }
}

fn binary(operator: BinaryOperator, a: FormulaValue, b: FormulaValue) -> Option<FormulaValue> {
    use BinaryOperator as Op;
    match operator {
        Op::Equal => return Some(FormulaValue::Bool(a == b)),
        Op::NotEqual => return Some(FormulaValue::Bool(a != b)),
        _ => {}
    }
    let (FormulaValue::Number(a), FormulaValue::Number(b)) = (a, b) else {
        return None;
    };
    Some(match operator {
        Op::Add => FormulaValue::Number(a + b),
        Op::Subtract => FormulaValue::Number(a - b),
        Op::Multiply => FormulaValue::Number(a * b),
        // A division by zero is not finite, and so no data.
        Op::Divide => FormulaValue::Number(a / b),
        Op::Modulo => FormulaValue::Number(a % b),
        Op::Less => FormulaValue::Bool(a < b),
        Op::LessOrEqual => FormulaValue::Bool(a <= b),
        Op::Greater => FormulaValue::Bool(a > b),
        Op::GreaterOrEqual => FormulaValue::Bool(a >= b),
        Op::Equal | Op::NotEqual | Op::And | Op::Or => return None,
    })
}

/// Every argument must be a number, also where another would decide.
fn call(
    function: FormulaFunction,
    arguments: &[Expression],
    number: impl Fn(&Expression) -> Option<f64>,
) -> Option<f64> {
    let fold = |first: &Expression, rest: &[Expression], pick: fn(f64, f64) -> f64| {
        rest.iter().try_fold(number(first)?, |so_far, next| {
            Some(pick(so_far, number(next)?))
        })
    };
    Some(match (function, arguments) {
        (FormulaFunction::Abs, [x]) => number(x)?.abs(),
        (FormulaFunction::Ceil, [x]) => number(x)?.ceil(),
        (FormulaFunction::Floor, [x]) => number(x)?.floor(),
        (FormulaFunction::Signum, [x]) => {
            let x = number(x)?;
            if x == 0.0 { 0.0 } else { x.signum() }
        }
        (FormulaFunction::Log, [x, base]) => number(x)?.ln() / number(base)?.ln(),
        (FormulaFunction::Pow, [x, y]) => number(x)?.powf(number(y)?),
        (FormulaFunction::Max, [first, rest @ ..]) => fold(first, rest, f64::max)?,
        (FormulaFunction::Min, [first, rest @ ..]) => fold(first, rest, f64::min)?,
        _ => return None,
    })
}
