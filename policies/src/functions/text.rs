//! Text: case, trimming, joining, searching, regular expressions. Positions count what people see as characters.

use std::cell::RefCell;
use std::collections::HashMap;
use std::sync::Arc;

use indexmap::IndexMap;
use regex::{Captures, Regex, RegexBuilder};
use unicode_segmentation::UnicodeSegmentation as _;

use super::{Answer, Call, Fault, Function, Kind, fault, fixed, format_text};
use crate::value::Value;

const T: Kind = Kind::Text;

pub(super) const FUNCTIONS: &[Function] = &[
    fixed("basename", "basename(path)", &[T], |call| {
        let path = call.text(0)?.trim_end_matches('/');
        call.made(path.rsplit('/').next().unwrap_or("").to_owned())
    }),
    fixed("dirname", "dirname(path)", &[T], |call| {
        let path = call.text(0)?.trim_end_matches('/');
        let directory = path
            .rsplit_once('/')
            .map_or(".", |(directory, _)| directory);
        call.made(if directory.is_empty() { "/" } else { directory }.to_owned())
    }),
    fixed("chomp", "chomp(text)", &[T], |call| {
        call.made(call.text(0)?.trim_end_matches(['\n', '\r']).to_owned())
    }),
    fixed("endswith", "endswith(text, suffix)", &[T, T], |call| {
        Ok(call.text(0)?.ends_with(call.text(1)?).into())
    }),
    fixed("format", "format(template, value, ...)", &[T], format).rest(Kind::Any),
    fixed(
        "formatlist",
        "formatlist(template, value, ...)",
        &[T],
        formatlist,
    )
    .rest(Kind::Any),
    fixed("indent", "indent(spaces, text)", &[Kind::Number, T], indent),
    fixed("join", "join(separator, list, ...)", &[T, Kind::List], join).rest(Kind::List),
    fixed("lower", "lower(text)", &[T], |call| {
        call.made(call.text(0)?.to_lowercase())
    }),
    fixed("regex", "regex(pattern, text)", &[T, T], regex_first),
    fixed("regexall", "regexall(pattern, text)", &[T, T], regex_all),
    fixed(
        "replace",
        "replace(text, search, replacement)",
        &[T, T, T],
        replace,
    ),
    fixed("split", "split(separator, text)", &[T, T], split),
    fixed("startswith", "startswith(text, prefix)", &[T, T], |call| {
        Ok(call.text(0)?.starts_with(call.text(1)?).into())
    }),
    fixed("strcontains", "strcontains(text, part)", &[T, T], |call| {
        Ok(call.text(0)?.contains(call.text(1)?).into())
    }),
    fixed("strrev", "strrev(text)", &[T], |call| {
        call.made(call.text(0)?.graphemes(true).rev().collect())
    }),
    fixed(
        "substr",
        "substr(text, offset, length)",
        &[T, Kind::Number, Kind::Number],
        substr,
    ),
    fixed("title", "title(text)", &[T], title),
    fixed("trim", "trim(text, characters)", &[T, T], |call| {
        let cut: Vec<char> = call.text(1)?.chars().collect();
        call.made(call.text(0)?.trim_matches(cut.as_slice()).to_owned())
    }),
    fixed("trimprefix", "trimprefix(text, prefix)", &[T, T], |call| {
        let text = call.text(0)?;
        call.made(text.strip_prefix(call.text(1)?).unwrap_or(text).to_owned())
    }),
    fixed("trimspace", "trimspace(text)", &[T], |call| {
        call.made(call.text(0)?.trim().to_owned())
    }),
    fixed("trimsuffix", "trimsuffix(text, suffix)", &[T, T], |call| {
        let text = call.text(0)?;
        call.made(text.strip_suffix(call.text(1)?).unwrap_or(text).to_owned())
    }),
    fixed("upper", "upper(text)", &[T], |call| {
        call.made(call.text(0)?.to_uppercase())
    }),
];

fn format(call: &Call<'_>) -> Answer {
    let values = call.arguments.get(1..).unwrap_or(&[]);
    call.made(format_text::format(call.text(0)?, values, call.meter)?)
}

fn formatlist(call: &Call<'_>) -> Answer {
    let template = call.text(0)?;
    let values = call.arguments.get(1..).unwrap_or(&[]);
    let mut length = None;
    for (n, value) in values.iter().enumerate() {
        if let Value::List(list) | Value::Set(list) = value {
            match length {
                None => length = Some(list.len()),
                Some(length) if length != list.len() => {
                    return fault(
                        n + 1,
                        format!("has {} elements, a list before it {length}", list.len()),
                    );
                }
                Some(_) => {}
            }
        }
    }
    let length = length.unwrap_or(1);
    call.meter.elements(length)?;
    let mut out = Vec::with_capacity(length);
    for n in 0..length {
        let row: Vec<Value> = values
            .iter()
            .map(|value| match value {
                Value::List(list) | Value::Set(list) => list.get(n).cloned().unwrap_or(Value::Null),
                other => other.clone(),
            })
            .collect();
        let text = format_text::format(template, &row, call.meter)?;
        call.meter.string(text.len())?;
        out.push(Value::from(text));
    }
    Ok(Value::from(out))
}

fn indent(call: &Call<'_>) -> Answer {
    let spaces = call.count(0)?;
    let text = call.text(1)?;
    let lines = text.matches('\n').count();
    call.meter
        .string(text.len().saturating_add(lines.saturating_mul(spaces)))?;
    Ok(Value::from(
        text.replace('\n', &format!("\n{}", " ".repeat(spaces))),
    ))
}

fn join(call: &Call<'_>) -> Answer {
    let separator = call.text(0)?;
    let mut parts = Vec::new();
    for n in 1..call.arguments.len() {
        parts.extend(call.texts(n)?);
    }
    let bytes = parts
        .iter()
        .map(|part| part.len() + separator.len())
        .fold(0usize, usize::saturating_add);
    call.meter.string(bytes)?;
    call.meter.spend(parts.len())?;
    Ok(Value::from(parts.join(separator)))
}

fn split(call: &Call<'_>) -> Answer {
    let (separator, text) = (call.text(0)?, call.text(1)?);
    call.meter.string(text.len())?;
    if text.is_empty() {
        return Ok(Value::from(vec![Value::from("")]));
    }
    let parts: Vec<Value> = if separator.is_empty() {
        text.graphemes(true).map(Value::from).collect()
    } else {
        text.split(separator).map(Value::from).collect()
    };
    call.made_list(parts)
}

fn substr(call: &Call<'_>) -> Answer {
    let text = call.text(0)?;
    call.meter.string(text.len())?;
    let characters: Vec<&str> = text.graphemes(true).collect();
    let count = characters.len() as i128;
    let (offset, length) = (call.whole(1)?, call.whole(2)?);
    let start = if offset < 0 {
        (count + offset).max(0)
    } else {
        offset.min(count)
    };
    let end = if length < 0 {
        count
    } else {
        start.saturating_add(length).min(count)
    };
    let range = usize::try_from(start).unwrap_or(0)..usize::try_from(end).unwrap_or(0);
    Ok(Value::from(characters.get(range).unwrap_or(&[]).concat()))
}

fn title(call: &Call<'_>) -> Answer {
    let text = call.text(0)?;
    let mut out = String::with_capacity(text.len());
    let mut is_start = true;
    for c in text.chars() {
        if is_start && c.is_alphabetic() {
            out.extend(c.to_uppercase());
        } else {
            out.push(c);
        }
        is_start = !(c.is_alphanumeric() || matches!(c, '\'' | '_'));
    }
    call.made(out)
}

thread_local! {
    /// Compiled patterns: a group's expressions are evaluated once for each of its keys.
    static PATTERNS: RefCell<HashMap<String, Regex>> = RefCell::new(HashMap::new());
}

/// The pattern of an argument, compiled. The `regex` crate runs in linear time and bounds its memory.
fn pattern(call: &Call<'_>, n: usize, text: &str) -> Result<Regex, Fault> {
    call.meter.spend(text.len())?;
    if let Some(regex) = PATTERNS.with_borrow(|patterns| patterns.get(text).cloned()) {
        return Ok(regex);
    }
    // Compiling is dear compared with matching.
    call.meter.spend(3_000)?;
    match RegexBuilder::new(text).size_limit(1 << 20).build() {
        Ok(regex) => {
            PATTERNS.with_borrow_mut(|patterns| {
                if patterns.len() >= 128 {
                    patterns.clear();
                }
                patterns.insert(text.to_owned(), regex.clone());
            });
            Ok(regex)
        }
        Err(error) => {
            let text = error.to_string();
            let reason = text
                .lines()
                .last()
                .unwrap_or("")
                .trim()
                .trim_start_matches("error: ")
                .to_owned();
            fault(n, format!("not a regular expression: {reason}"))
        }
    }
}

/// A match: its text, a list of its groups, or an object of its named groups.
fn captured(regex: &Regex, captures: &Captures<'_>) -> Value {
    let text = |found: Option<regex::Match<'_>>| found.map_or(Value::Null, |m| m.as_str().into());
    if regex.captures_len() == 1 {
        return text(captures.get(0));
    }
    let names: Vec<&str> = regex.capture_names().flatten().collect();
    if names.is_empty() {
        let groups: Vec<Value> = captures.iter().skip(1).map(text).collect();
        return Value::from(groups);
    }
    let object: IndexMap<Arc<str>, Value> = names
        .into_iter()
        .map(|name| (Arc::from(name), text(captures.name(name))))
        .collect();
    Value::from(object)
}

fn regex_first(call: &Call<'_>) -> Answer {
    let regex = pattern(call, 0, call.text(0)?)?;
    let text = call.text(1)?;
    call.meter.string(text.len())?;
    match regex.captures(text) {
        Some(captures) => Ok(captured(&regex, &captures)),
        None => fault(1, "the pattern does not match this"),
    }
}

fn regex_all(call: &Call<'_>) -> Answer {
    let regex = pattern(call, 0, call.text(0)?)?;
    let text = call.text(1)?;
    call.meter.string(text.len())?;
    let mut found = Vec::new();
    for captures in regex.captures_iter(text) {
        call.meter.spend(1)?;
        found.push(captured(&regex, &captures));
    }
    call.made_list(found)
}

fn replace(call: &Call<'_>) -> Answer {
    let (text, search, replacement) = (call.text(0)?, call.text(1)?, call.text(2)?);
    // As in Terraform, a search between slashes is a regular expression.
    let inner = search
        .strip_prefix('/')
        .and_then(|rest| rest.strip_suffix('/'));
    if let Some(inner) = inner.filter(|inner| !inner.is_empty()) {
        let regex = pattern(call, 1, inner)?;
        let count = regex.find_iter(text).count();
        call.meter.spend(count)?;
        // Groups in the replacement repeat at most the match each: a bound on the result.
        let groups = replacement.matches('$').count();
        call.meter.string(
            text.len()
                .saturating_mul(groups.saturating_add(1))
                .saturating_add(count.saturating_mul(replacement.len())),
        )?;
        return Ok(Value::from(
            regex.replace_all(text, replacement).into_owned(),
        ));
    }
    let count = if search.is_empty() {
        text.chars().count() + 1
    } else {
        text.matches(search).count()
    };
    call.meter.string(
        text.len()
            .saturating_add(count.saturating_mul(replacement.len())),
    )?;
    Ok(Value::from(text.replace(search, replacement)))
}
