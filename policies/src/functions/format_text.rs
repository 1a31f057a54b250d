//! The verbs of `format`: Terraform's, which are Go's.

use super::{Fault, fault};
use crate::load::evaluate::convert::{to_bool, to_number, to_text};
use crate::load::meter::{MAX_STRING, Meter};
use crate::value::{Number, Value};

/// What stands between `%` and the verb.
#[derive(Default)]
struct Spec {
    plus: bool,
    minus: bool,
    zero: bool,
    space: bool,
    hash: bool,
    width: usize,
    precision: Option<usize>,
}

/// Fills a template. The first argument of `format` is the template, so value 0 is argument 1.
pub(super) fn format(template: &str, values: &[Value], meter: &Meter) -> Result<String, Fault> {
    let mut out = String::with_capacity(template.len());
    let mut chars = template.chars().peekable();
    let mut next = 0usize;
    let mut highest = 0usize;
    while let Some(c) = chars.next() {
        if c != '%' {
            out.push(c);
            continue;
        }
        let mut spec = Spec::default();
        loop {
            match chars.peek() {
                Some('+') => spec.plus = true,
                Some('-') => spec.minus = true,
                Some('0') => spec.zero = true,
                Some(' ') => spec.space = true,
                Some('#') => spec.hash = true,
                _ => break,
            }
            chars.next();
        }
        let digits = |chars: &mut std::iter::Peekable<std::str::Chars<'_>>| {
            let mut n: Option<usize> = None;
            while let Some(digit) = chars.peek().and_then(|c| c.to_digit(10)) {
                n = Some(
                    n.unwrap_or(0)
                        .saturating_mul(10)
                        .saturating_add(digit as usize),
                );
                chars.next();
            }
            n
        };
        spec.width = digits(&mut chars).unwrap_or(0);
        if chars.peek() == Some(&'.') {
            chars.next();
            spec.precision = Some(digits(&mut chars).unwrap_or(0));
        }
        if spec.width > 4096 || spec.precision.is_some_and(|p| p > 4096) {
            return fault(0, "a width or a precision is larger than 4096");
        }
        if chars.peek() == Some(&'[') {
            chars.next();
            let n = digits(&mut chars).unwrap_or(0);
            if n == 0 || chars.next() != Some(']') {
                return fault(0, "`[` in a verb is followed by a number from 1 and `]`");
            }
            next = n - 1;
        }
        let Some(verb) = chars.next() else {
            return fault(
                0,
                "ends in the middle of a verb; write %% for a percent sign",
            );
        };
        if verb == '%' {
            out.push('%');
            continue;
        }
        let argument = next;
        next += 1;
        highest = highest.max(next);
        let Some(value) = values.get(argument) else {
            return fault(
                0,
                format!("verb %{verb} has no value: {} are given", values.len()),
            );
        };
        let text = fill(verb, &spec, value, argument + 1)?;
        pad(&mut out, &text, &spec);
        if out.len() > MAX_STRING {
            return Err(Fault::TooMuch);
        }
        meter.spend(1)?;
    }
    if highest < values.len() {
        return fault(highest + 1, "no verb uses this value");
    }
    Ok(out)
}

fn fill(verb: char, spec: &Spec, value: &Value, argument: usize) -> Result<String, Fault> {
    let number = || match to_number(value) {
        Some(number) => Ok(number),
        None => fault(
            argument,
            format!("this is {}, %{verb} needs a number", value.type_name()),
        ),
    };
    let whole = || match number()?.as_integer() {
        Some(n) => Ok(n),
        None => fault(argument, format!("%{verb} needs a whole number")),
    };
    let text = || match to_text(value) {
        Some(text) => Ok(text.into_owned()),
        None => fault(
            argument,
            format!("this is {}, %{verb} needs a string", value.type_name()),
        ),
    };
    let cut = |text: String| match spec.precision {
        Some(precision) => text.chars().take(precision).collect(),
        None => text,
    };
    let sign = |is_negative: bool| {
        if is_negative {
            "-"
        } else if spec.plus {
            "+"
        } else if spec.space {
            " "
        } else {
            ""
        }
    };
    let float = |make: &dyn Fn(f64) -> String| {
        let x = number()?.as_f64();
        Ok::<_, Fault>(format!("{}{}", sign(x < 0.0), make(x.abs())))
    };
    let integer = |make: &dyn Fn(u128) -> String| {
        let n = whole()?;
        Ok::<_, Fault>(format!("{}{}", sign(n < 0), make(n.unsigned_abs())))
    };
    Ok(match verb {
        'v' => match value {
            Value::String(_) | Value::Bool(_) => text()?,
            Value::Number(Number::Integer(n)) => {
                format!("{}{}", sign(*n < 0), n.unsigned_abs())
            }
            Value::Number(Number::Float(x)) => format!("{}{}", sign(*x < 0.0), x.abs()),
            other => other.to_json().to_string(),
        },
        's' => cut(text()?),
        'q' => crate::value::quote(&text()?),
        't' => match to_bool(value) {
            Some(b) => b.to_string(),
            None => {
                return fault(
                    argument,
                    format!("this is {}, %t needs true or false", value.type_name()),
                );
            }
        },
        'd' => integer(&|n| n.to_string())?,
        'b' => integer(&|n| format!("{n:b}"))?,
        'o' => integer(&|n| format!("{n:o}"))?,
        'x' => integer(&|n| {
            if spec.hash {
                format!("{n:#x}")
            } else {
                format!("{n:x}")
            }
        })?,
        'X' => integer(&|n| format!("{n:X}"))?,
        'f' | 'F' => float(&|x| format!("{x:.*}", spec.precision.unwrap_or(6)))?,
        'e' | 'E' => {
            let text = float(&|x| exponent(&format!("{x:.*e}", spec.precision.unwrap_or(6))))?;
            if verb == 'E' {
                text.to_uppercase()
            } else {
                text
            }
        }
        'g' | 'G' => float(&|x| match spec.precision {
            Some(precision) => {
                let digits = precision.max(1) - 1;
                let rounded: f64 = format!("{x:.digits$e}").parse().unwrap_or(x);
                general(rounded)
            }
            None => general(x),
        })?,
        other => return fault(0, format!("there is no verb %{other}")),
    })
}

/// `%g`: an exponent where it is below -4 or at least 21, as Go does with the shortest form.
fn general(x: f64) -> String {
    if x != 0.0 && !(1e-4..1e21).contains(&x) {
        exponent(&format!("{x:e}"))
    } else {
        x.to_string()
    }
}

/// Go writes exponents with a sign and two digits.
fn exponent(text: &str) -> String {
    match text.split_once('e') {
        Some((mantissa, power)) => {
            let (sign, digits) = match power.strip_prefix('-') {
                Some(digits) => ('-', digits),
                None => ('+', power),
            };
            format!("{mantissa}e{sign}{digits:0>2}")
        }
        None => text.to_owned(),
    }
}

fn pad(out: &mut String, text: &str, spec: &Spec) {
    let missing = spec.width.saturating_sub(text.chars().count());
    if spec.minus {
        out.push_str(text);
        out.extend(std::iter::repeat_n(' ', missing));
    } else if spec.zero && missing > 0 {
        let (sign, digits) = match text.strip_prefix(['-', '+']) {
            Some(digits) => text.split_at(text.len() - digits.len()),
            None => ("", text),
        };
        out.push_str(sign);
        out.extend(std::iter::repeat_n('0', missing));
        out.push_str(digits);
    } else {
        out.extend(std::iter::repeat_n(' ', missing));
        out.push_str(text);
    }
}
