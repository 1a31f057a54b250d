//! Numbers: abs, ceil, floor, log, max, min, parseint, pow, signum, sum.

use super::{Answer, Call, Fault, Function, Kind, fault, fixed};
use crate::load::evaluate::convert::to_number;
use crate::load::evaluate::operators::{add, negate};
use crate::value::{Number, Value};

pub(super) const FUNCTIONS: &[Function] = &[
    fixed("abs", "abs(number)", &[Kind::Number], abs),
    fixed("ceil", "ceil(number)", &[Kind::Number], |call| {
        rounded(call, f64::ceil)
    }),
    fixed("floor", "floor(number)", &[Kind::Number], |call| {
        rounded(call, f64::floor)
    }),
    fixed(
        "log",
        "log(number, base)",
        &[Kind::Number, Kind::Number],
        log,
    ),
    fixed("max", "max(number, ...)", &[Kind::Number], max).rest(Kind::Number),
    fixed("min", "min(number, ...)", &[Kind::Number], min).rest(Kind::Number),
    fixed(
        "parseint",
        "parseint(text, base)",
        &[Kind::Text, Kind::Number],
        parseint,
    ),
    fixed(
        "pow",
        "pow(number, exponent)",
        &[Kind::Number, Kind::Number],
        pow,
    ),
    fixed("signum", "signum(number)", &[Kind::Number], signum),
    fixed("sum", "sum(list)", &[Kind::List], sum),
];

fn finite(x: f64) -> Answer {
    match Number::float(x) {
        Some(number) => Ok(Value::Number(number)),
        None => fault(0, "the result is not a finite number"),
    }
}

fn abs(call: &Call<'_>) -> Answer {
    let number = call.number(0)?;
    if number.as_f64() >= 0.0 {
        return Ok(Value::Number(number));
    }
    match negate(number) {
        Ok(number) => Ok(Value::Number(number)),
        Err(_) => fault(0, "the result is too large"),
    }
}

fn rounded(call: &Call<'_>, round: fn(f64) -> f64) -> Answer {
    match call.number(0)? {
        Number::Integer(n) => Ok(Value::from(n)),
        Number::Float(x) => finite(round(x)),
    }
}

fn log(call: &Call<'_>) -> Answer {
    let (x, base) = (call.number(0)?.as_f64(), call.number(1)?.as_f64());
    if x <= 0.0 {
        return fault(0, "must be greater than 0");
    }
    if base <= 0.0 || base == 1.0 {
        return fault(1, "must be greater than 0 and not 1");
    }
    finite(x.ln() / base.ln())
}

fn max(call: &Call<'_>) -> Answer {
    extreme(call, |a, b| a > b)
}

fn min(call: &Call<'_>) -> Answer {
    extreme(call, |a, b| a < b)
}

fn extreme(call: &Call<'_>, is_better: fn(Number, Number) -> bool) -> Answer {
    let mut best = call.number(0)?;
    for n in 1..call.arguments.len() {
        let number = call.number(n)?;
        if is_better(number, best) {
            best = number;
        }
    }
    Ok(Value::Number(best))
}

fn parseint(call: &Call<'_>) -> Answer {
    let base = match u32::try_from(call.whole(1)?) {
        Ok(base @ 2..=36) => base,
        _ => return fault(1, "a base is a whole number from 2 to 36"),
    };
    match i128::from_str_radix(call.text(0)?, base) {
        Ok(n) => Ok(Value::from(n)),
        Err(_) => fault(0, format!("not a whole number in base {base}")),
    }
}

fn pow(call: &Call<'_>) -> Answer {
    let (x, y) = (call.number(0)?, call.number(1)?);
    if let (Number::Integer(x), Some(y)) = (x, y.as_integer())
        && let Ok(y) = u32::try_from(y)
        && let Some(exact) = x.checked_pow(y)
    {
        return Ok(Value::from(exact));
    }
    finite(x.as_f64().powf(y.as_f64()))
}

fn signum(call: &Call<'_>) -> Answer {
    let x = call.number(0)?.as_f64();
    Ok(Value::from(if x > 0.0 {
        1i128
    } else if x < 0.0 {
        -1
    } else {
        0
    }))
}

fn sum(call: &Call<'_>) -> Answer {
    let list = call.list(0)?;
    if list.is_empty() {
        return fault(0, "the list is empty");
    }
    call.meter.spend(list.len())?;
    let mut total = Number::Integer(0);
    for item in list {
        let Some(number) = to_number(item) else {
            return fault(0, format!("holds {}, numbers are needed", item.type_name()));
        };
        total = add(total, number)
            .map_err(|_| Fault::Argument(0, "the sum is too large for a number".into()))?;
    }
    Ok(Value::Number(total))
}
