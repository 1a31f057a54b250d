//! Lists, sets and objects. What visits an object visits it in the order of its keys, as Terraform does.

use std::collections::HashMap;
use std::sync::Arc;

use indexmap::IndexMap;
use unicode_segmentation::UnicodeSegmentation as _;

use super::{Answer, Call, Fault, Function, Kind, fault, fixed};
use crate::load::evaluate::convert::{equal, make_set, sorted, to_bool, to_shared_text};
use crate::load::evaluate::operators::add;
use crate::value::{Number, Value};

const L: Kind = Kind::List;
const N: Kind = Kind::Number;
const O: Kind = Kind::Object;

pub(super) const FUNCTIONS: &[Function] = &[
    fixed("alltrue", "alltrue(list)", &[L], |call| {
        truths(call).map(|all| all.into_iter().all(|b| b).into())
    }),
    fixed("anytrue", "anytrue(list)", &[L], |call| {
        truths(call).map(|all| all.into_iter().any(|b| b).into())
    }),
    fixed("chunklist", "chunklist(list, size)", &[L, N], chunklist).keeps_marks(),
    fixed("coalesce", "coalesce(value, ...)", &[], coalesce).rest(Kind::Any),
    fixed("coalescelist", "coalescelist(list, ...)", &[], coalescelist).rest(Kind::Any),
    fixed("compact", "compact(list)", &[L], compact),
    fixed("concat", "concat(list, ...)", &[], concat)
        .rest(L)
        .keeps_marks(),
    fixed(
        "contains",
        "contains(list, value)",
        &[L, Kind::Any],
        contains,
    ),
    fixed("distinct", "distinct(list)", &[L], distinct),
    fixed("element", "element(list, index)", &[L, N], element).keeps_marks(),
    fixed("flatten", "flatten(list)", &[L], flatten),
    fixed("index", "index(list, value)", &[L, Kind::Any], index),
    fixed("keys", "keys(object)", &[O], keys).keeps_marks(),
    fixed("length", "length(value)", &[Kind::Something], length).keeps_marks(),
    fixed(
        "lookup",
        "lookup(object, key, default)",
        &[O, Kind::Text, Kind::Any],
        lookup,
    )
    .optional(1)
    .keeps_marks(),
    fixed(
        "matchkeys",
        "matchkeys(values, keys, search)",
        &[L, L, L],
        matchkeys,
    ),
    fixed("merge", "merge(object, ...)", &[], merge)
        .rest(Kind::Any)
        .keeps_marks(),
    fixed("one", "one(list)", &[L], one).keeps_marks(),
    fixed("range", "range(start, limit, step)", &[N, N, N], range).optional(2),
    fixed("reverse", "reverse(list)", &[L], reverse).keeps_marks(),
    fixed(
        "setintersection",
        "setintersection(set, ...)",
        &[L],
        |call| combine(call, |counts, sets| counts == sets),
    )
    .rest(L),
    fixed("setproduct", "setproduct(list, ...)", &[L, L], setproduct).rest(L),
    fixed(
        "setsubtract",
        "setsubtract(set, other)",
        &[L, L],
        setsubtract,
    ),
    fixed("setunion", "setunion(set, ...)", &[L], |call| {
        combine(call, |_, _| true)
    })
    .rest(L),
    fixed("slice", "slice(list, start, end)", &[L, N, N], slice).keeps_marks(),
    fixed("sort", "sort(list)", &[L], sort),
    fixed("transpose", "transpose(object)", &[O], transpose),
    fixed("values", "values(object)", &[O], values).keeps_marks(),
    fixed("zipmap", "zipmap(keys, values)", &[L, L], zipmap),
];

fn truths(call: &Call<'_>) -> Result<Vec<bool>, Fault> {
    call.list(0)?
        .iter()
        .map(|item| match (item, to_bool(item)) {
            (_, Some(b)) => Ok(b),
            (Value::Null, _) => Ok(false),
            (other, _) => fault(
                0,
                format!("holds {}, true and false are needed", other.type_name()),
            ),
        })
        .collect()
}

fn chunklist(call: &Call<'_>) -> Answer {
    let list = call.list(0)?;
    let size = call.count(1)?;
    if size == 0 {
        return call.made_list(vec![Value::from(list.to_vec())]);
    }
    call.meter.elements(list.len())?;
    Ok(Value::from(
        list.chunks(size)
            .map(|chunk| Value::from(chunk.to_vec()))
            .collect::<Vec<_>>(),
    ))
}

fn coalesce(call: &Call<'_>) -> Answer {
    call.arguments
        .iter()
        .find(|value| match value {
            Value::Null => false,
            Value::String(text) => !text.is_empty(),
            _ => true,
        })
        .cloned()
        .map_or_else(|| fault(0, "every value is null or empty"), Ok)
}

fn coalescelist(call: &Call<'_>) -> Answer {
    call.arguments
        .iter()
        .find(|value| matches!(value, Value::List(list) | Value::Set(list) if !list.is_empty()))
        .cloned()
        .map_or_else(|| fault(0, "every list is null or empty"), Ok)
}

fn compact(call: &Call<'_>) -> Answer {
    let kept = call
        .list(0)?
        .iter()
        .filter(|item| !matches!(item, Value::Null))
        .filter(|item| !matches!(item, Value::String(text) if text.is_empty()))
        .cloned()
        .collect();
    call.made_list(kept)
}

fn concat(call: &Call<'_>) -> Answer {
    let mut all = Vec::new();
    for n in 0..call.arguments.len() {
        let list = call.list(n)?;
        call.meter.elements(all.len() + list.len())?;
        all.extend_from_slice(list);
    }
    Ok(Value::from(all))
}

fn position(call: &Call<'_>) -> Result<Option<usize>, Fault> {
    let wanted = call.value(1);
    for (n, item) in call.list(0)?.iter().enumerate() {
        if equal(item, wanted, call.meter)? {
            return Ok(Some(n));
        }
    }
    Ok(None)
}

fn contains(call: &Call<'_>) -> Answer {
    Ok(position(call)?.is_some().into())
}

fn index(call: &Call<'_>) -> Answer {
    match position(call)? {
        Some(n) => Ok(Value::from(n)),
        None => fault(1, "is not in the list"),
    }
}

/// What a value is equal by, as text: for sets of any values without comparing each with each.
fn fingerprint(value: &Value) -> String {
    match value {
        Value::Number(number) => format!("n{number}"),
        other => other.to_json_revealed().to_string(),
    }
}

fn distinct(call: &Call<'_>) -> Answer {
    let list = call.list(0)?;
    let mut seen = std::collections::HashSet::with_capacity(list.len());
    let mut kept = Vec::new();
    for item in list {
        call.meter.spend(call.meter.weigh(item)?.parts)?;
        if seen.insert(fingerprint(item)) {
            kept.push(item.clone());
        }
    }
    call.made_list(kept)
}

fn element(call: &Call<'_>) -> Answer {
    let list = call.list(0)?;
    if list.is_empty() {
        return fault(0, "the list is empty");
    }
    let position = call.whole(1)?.rem_euclid(list.len() as i128);
    let item = usize::try_from(position).ok().and_then(|n| list.get(n));
    Ok(item.cloned().unwrap_or(Value::Null))
}

fn flatten(call: &Call<'_>) -> Answer {
    fn walk(list: &[Value], out: &mut Vec<Value>, call: &Call<'_>) -> Result<(), Fault> {
        for item in list {
            call.meter.spend(1)?;
            match item {
                Value::List(inner) | Value::Set(inner) => walk(inner, out, call)?,
                other => {
                    if out.len() >= crate::load::meter::MAX_ELEMENTS {
                        return Err(Fault::TooMuch);
                    }
                    out.push(other.clone());
                }
            }
        }
        Ok(())
    }
    let mut out = Vec::new();
    walk(call.list(0)?, &mut out, call)?;
    call.made_list(out)
}

fn keys(call: &Call<'_>) -> Answer {
    let keys = sorted(call.object(0)?)
        .into_iter()
        .map(|(key, _)| Value::String(key.clone()))
        .collect();
    call.made_list(keys)
}

fn values(call: &Call<'_>) -> Answer {
    let values = sorted(call.object(0)?)
        .into_iter()
        .map(|(_, value)| value.clone())
        .collect();
    call.made_list(values)
}

fn length(call: &Call<'_>) -> Answer {
    match call.value(0) {
        Value::List(list) | Value::Set(list) => Ok(Value::from(list.len())),
        Value::Object(object) => Ok(Value::from(object.len())),
        Value::String(text) => {
            call.meter.spend(text.len() / 64)?;
            Ok(Value::from(text.graphemes(true).count()))
        }
        other => fault(
            0,
            format!("this is {}, which has no length", other.type_name()),
        ),
    }
}

fn lookup(call: &Call<'_>) -> Answer {
    match call.object(0)?.get(call.text(1)?) {
        Some(value) => Ok(value.clone()),
        None if call.arguments.len() > 2 => Ok(call.value(2).clone()),
        None => fault(1, "the object has no such key, and there is no default"),
    }
}

fn matchkeys(call: &Call<'_>) -> Answer {
    let (values, keys, search) = (call.list(0)?, call.list(1)?, call.list(2)?);
    if values.len() != keys.len() {
        return fault(
            1,
            format!(
                "has {} elements, the values are {}",
                keys.len(),
                values.len()
            ),
        );
    }
    let mut kept = Vec::new();
    for (value, key) in values.iter().zip(keys) {
        for wanted in search {
            if equal(key, wanted, call.meter)? {
                kept.push(value.clone());
                break;
            }
        }
    }
    call.made_list(kept)
}

fn merge(call: &Call<'_>) -> Answer {
    let mut merged: IndexMap<Arc<str>, Value> = IndexMap::new();
    for n in 0..call.arguments.len() {
        if *call.value(n) == Value::Null {
            continue;
        }
        let object = call.object(n)?;
        call.meter.elements(object.len())?;
        for (key, value) in object {
            merged.insert(key.clone(), value.clone());
        }
    }
    Ok(Value::from(merged))
}

fn one(call: &Call<'_>) -> Answer {
    match call.list(0)? {
        [] => Ok(Value::Null),
        [item] => Ok(item.clone()),
        more => fault(
            0,
            format!("has {} elements, at most one is allowed", more.len()),
        ),
    }
}

fn range(call: &Call<'_>) -> Answer {
    let zero = Number::Integer(0);
    let (start, limit) = match call.arguments.len() {
        1 => (zero, call.number(0)?),
        _ => (call.number(0)?, call.number(1)?),
    };
    let step = match call.arguments.len() {
        3 => call.number(2)?,
        _ if limit < start => Number::Integer(-1),
        _ => Number::Integer(1),
    };
    if step == zero {
        return fault(2, "a step of 0 never arrives");
    }
    let mut out = Vec::new();
    let mut at = start;
    while if step > zero { at < limit } else { at > limit } {
        if out.len() >= crate::load::meter::MAX_ELEMENTS {
            return Err(Fault::TooMuch);
        }
        call.meter.spend(1)?;
        out.push(Value::Number(at));
        let next = add(at, step).unwrap_or(limit);
        if next == at {
            return fault(2, "is too small to change the number");
        }
        at = next;
    }
    call.made_list(out)
}

fn reverse(call: &Call<'_>) -> Answer {
    call.made_list(call.list(0)?.iter().rev().cloned().collect())
}

/// A set of the elements for which `keep` says so, given in how many of the sets an element is.
fn combine(call: &Call<'_>, keep: fn(usize, usize) -> bool) -> Answer {
    let sets = call.arguments.len();
    let mut counts: IndexMap<String, (usize, Value)> = IndexMap::new();
    for n in 0..sets {
        let mut seen = std::collections::HashSet::new();
        for item in call.list(n)? {
            call.meter.spend(call.meter.weigh(item)?.parts)?;
            let key = fingerprint(item);
            if seen.insert(key.clone()) {
                counts.entry(key).or_insert((0, item.clone())).0 += 1;
            }
        }
    }
    let kept = counts
        .into_values()
        .filter(|(count, _)| keep(*count, sets))
        .map(|(_, item)| item)
        .collect();
    Ok(make_set(kept, call.meter)?)
}

fn setsubtract(call: &Call<'_>) -> Answer {
    let mut taken = std::collections::HashSet::new();
    for item in call.list(1)? {
        call.meter.spend(call.meter.weigh(item)?.parts)?;
        taken.insert(fingerprint(item));
    }
    let mut kept = Vec::new();
    for item in call.list(0)? {
        call.meter.spend(call.meter.weigh(item)?.parts)?;
        if !taken.contains(&fingerprint(item)) {
            kept.push(item.clone());
        }
    }
    Ok(make_set(kept, call.meter)?)
}

fn setproduct(call: &Call<'_>) -> Answer {
    let mut rows: Vec<Vec<Value>> = vec![Vec::new()];
    for n in 0..call.arguments.len() {
        let list = call.list(n)?;
        let count = rows.len().saturating_mul(list.len());
        call.meter.elements(count.saturating_mul(n + 1))?;
        let mut longer = Vec::with_capacity(count);
        for row in &rows {
            for item in list {
                let mut row = row.clone();
                row.push(item.clone());
                longer.push(row);
            }
        }
        rows = longer;
    }
    let rows: Vec<Value> = rows.into_iter().map(Value::from).collect();
    let are_sets = call.arguments.iter().all(|a| matches!(a, Value::Set(_)));
    if are_sets {
        return Ok(Value::Set(Arc::new(rows)));
    }
    Ok(Value::from(rows))
}

fn slice(call: &Call<'_>) -> Answer {
    let list = call.list(0)?;
    let (start, end) = (call.count(1)?, call.count(2)?);
    if end > list.len() {
        return fault(2, format!("the list has {} elements", list.len()));
    }
    match list.get(start..end) {
        Some(part) => call.made_list(part.to_vec()),
        None => fault(1, "the start is behind the end"),
    }
}

fn sort(call: &Call<'_>) -> Answer {
    let mut texts = call.texts(0)?;
    call.meter.spend(texts.len())?;
    texts.sort_unstable();
    call.made_list(texts.into_iter().map(Value::String).collect())
}

fn transpose(call: &Call<'_>) -> Answer {
    let mut out: HashMap<Arc<str>, Vec<Value>> = HashMap::new();
    for (key, list) in sorted(call.object(0)?) {
        let (Value::List(list) | Value::Set(list)) = list else {
            return fault(0, "every value must be a list of strings");
        };
        for item in list.iter() {
            call.meter.spend(1)?;
            let Some(text) = to_shared_text(item) else {
                return fault(0, "every value must be a list of strings");
            };
            out.entry(text)
                .or_default()
                .push(Value::String(key.clone()));
        }
    }
    let mut out: Vec<_> = out.into_iter().collect();
    out.sort_by(|a, b| a.0.cmp(&b.0));
    call.made_object(
        out.into_iter()
            .map(|(key, list)| (key, Value::from(list)))
            .collect(),
    )
}

fn zipmap(call: &Call<'_>) -> Answer {
    let (keys, values) = (call.texts(0)?, call.list(1)?);
    if keys.len() != values.len() {
        return fault(
            1,
            format!("has {} elements, the keys are {}", values.len(), keys.len()),
        );
    }
    call.made_object(keys.into_iter().zip(values.iter().cloned()).collect())
}
