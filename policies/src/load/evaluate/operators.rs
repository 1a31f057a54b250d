//! Arithmetic and comparison: checked, never wrapping, never infinite.

use std::cmp::Ordering;

use hcl::edit::expr::BinaryOperator;

use super::convert::to_number;
use crate::value::{Number, Value};

/// Why an operator has no answer.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Refused {
    /// The left operand is no number.
    Left,
    /// The right operand is no number.
    Right,
    /// `/` or `%` by zero.
    DivisionByZero,
    /// Larger than 127 bits, or not finite.
    Overflow,
}

/// Applies any operator but `==`, `!=`, `&&` and `||` to two values without marks.
pub(crate) fn apply(operator: BinaryOperator, a: &Value, b: &Value) -> Result<Value, Refused> {
    let a = to_number(a).ok_or(Refused::Left)?;
    let b = to_number(b).ok_or(Refused::Right)?;
    Ok(match operator {
        BinaryOperator::Plus => Value::Number(add(a, b)?),
        BinaryOperator::Minus => Value::Number(subtract(a, b)?),
        BinaryOperator::Mul => Value::Number(multiply(a, b)?),
        BinaryOperator::Div => Value::Number(divide(a, b)?),
        BinaryOperator::Mod => Value::Number(remainder(a, b)?),
        BinaryOperator::Less => Value::Bool(a.cmp(&b) == Ordering::Less),
        BinaryOperator::LessEq => Value::Bool(a.cmp(&b) != Ordering::Greater),
        BinaryOperator::Greater => Value::Bool(a.cmp(&b) == Ordering::Greater),
        BinaryOperator::GreaterEq => Value::Bool(a.cmp(&b) != Ordering::Less),
        BinaryOperator::Eq => Value::Bool(a == b),
        BinaryOperator::NotEq => Value::Bool(a != b),
        BinaryOperator::And | BinaryOperator::Or => return Err(Refused::Left),
    })
}

fn finite(x: f64) -> Result<Number, Refused> {
    Number::float(x).ok_or(Refused::Overflow)
}

/// The sum.
pub(crate) fn add(a: Number, b: Number) -> Result<Number, Refused> {
    match (a, b) {
        (Number::Integer(a), Number::Integer(b)) => a
            .checked_add(b)
            .map(Number::Integer)
            .ok_or(Refused::Overflow),
        (a, b) => finite(a.as_f64() + b.as_f64()),
    }
}

/// The difference.
pub(crate) fn subtract(a: Number, b: Number) -> Result<Number, Refused> {
    match (a, b) {
        (Number::Integer(a), Number::Integer(b)) => a
            .checked_sub(b)
            .map(Number::Integer)
            .ok_or(Refused::Overflow),
        (a, b) => finite(a.as_f64() - b.as_f64()),
    }
}

/// The product.
pub(crate) fn multiply(a: Number, b: Number) -> Result<Number, Refused> {
    match (a, b) {
        (Number::Integer(a), Number::Integer(b)) => a
            .checked_mul(b)
            .map(Number::Integer)
            .ok_or(Refused::Overflow),
        (a, b) => finite(a.as_f64() * b.as_f64()),
    }
}

/// The quotient; exact where both are whole and it is.
pub(crate) fn divide(a: Number, b: Number) -> Result<Number, Refused> {
    if b.as_f64() == 0.0 {
        return Err(Refused::DivisionByZero);
    }
    if let (Number::Integer(a), Number::Integer(b)) = (a, b)
        && a.checked_rem(b) == Some(0)
    {
        return a
            .checked_div(b)
            .map(Number::Integer)
            .ok_or(Refused::Overflow);
    }
    finite(a.as_f64() / b.as_f64())
}

/// The remainder, with the sign of the left side.
pub(crate) fn remainder(a: Number, b: Number) -> Result<Number, Refused> {
    if b.as_f64() == 0.0 {
        return Err(Refused::DivisionByZero);
    }
    match (a, b) {
        // The smallest integer by -1 overflows, and leaves 0.
        (Number::Integer(a), Number::Integer(b)) => {
            Ok(Number::Integer(a.checked_rem(b).unwrap_or(0)))
        }
        (a, b) => finite(a.as_f64() % b.as_f64()),
    }
}

/// The number with its sign turned.
pub(crate) fn negate(a: Number) -> Result<Number, Refused> {
    match a {
        Number::Integer(n) => n
            .checked_neg()
            .map(Number::Integer)
            .ok_or(Refused::Overflow),
        Number::Float(x) => finite(-x),
    }
}
