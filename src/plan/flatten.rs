//! A resolved group as a flat list of values in the words of the files: `metric.cpu.track.target` is `60`.
//!
//! It walks the group's JSON, so that a new field of the model shows up in plans without anybody thinking of it;
//! only what the files write differently from the model has a rule here. Paths are those of
//! [`Configuration::origins`](tideform_policies::model::Configuration::origins). Durations become `"5m"`, shares
//! `"70%"`, formulas their text.

use std::collections::BTreeMap;
use std::time::Duration;

use jiff::Timestamp;
use jiff::tz::TimeZone;
use serde_json::{Map, Value as Json};
use tideform_policies::model::Group;
use tideform_policies::model::units::format_duration;

/// Values by path. A path that ends in [`HIDDEN`] holds what a formula evaluates to beside its text.
pub(super) type Flat = BTreeMap<String, Json>;

/// The end of a path whose value is not for people: it only says that something differs.
pub(super) const HIDDEN: &str = "#evaluated";

/// The values of a resolved group by path, in the words of the files: what `show` and `validate --resolved` print.
pub fn flat_values(group: &Group) -> BTreeMap<String, Json> {
    let mut flat = flatten(group);
    flat.retain(|path, _| !path.ends_with(HIDDEN));
    flat
}

/// All values of a group.
pub(super) fn flatten(group: &Group) -> Flat {
    let mut flat = Flat::new();
    // Plain data without maps of odd keys: it always becomes JSON.
    let Ok(Json::Object(mut whole)) = serde_json::to_value(group) else {
        return flat;
    };
    let policy = whole.remove("policy");
    whole.remove("address");
    flat.insert(
        "provider".to_owned(),
        Json::from(group.provider.to_string()),
    );
    whole.remove("provider");
    if let Some(Json::Object(mut launch)) = whole.remove("launch") {
        let attributes = launch.remove("attributes").unwrap_or(Json::Null);
        flat.insert("launch".to_owned(), Json::Bool(true));
        walk("launch", &attributes, &mut flat);
    }
    match whole.remove("adopt") {
        Some(Json::Object(mut named)) => {
            if let Some(names) = named.remove("named") {
                flat.insert("adopt".to_owned(), names);
            }
        }
        Some(Json::String(word)) => {
            flat.insert("adopt".to_owned(), Json::Bool(word == "all"));
        }
        _ => {}
    }
    walk_object("", &whole, &mut flat);
    if let Some(policy) = policy {
        walk("", &policy, &mut flat);
    }
    // `order` and `drain` are read on scale-in only, and a metric's name is its label unless it says otherwise.
    flat.retain(|path, value| {
        let is_label = path
            .strip_prefix("metric.")
            .and_then(|path| path.strip_suffix(".name"))
            .is_some_and(|label| value == label);
        !is_label && path != "scale_out.order" && path != "scale_out.drain"
    });
    for value in flat.values_mut() {
        as_written(value);
    }
    merge_tolerances(&mut flat);
    local_windows(&mut flat);
    flat
}

/// The window of a schedule that opens once, in the zone that it was written in: `2026-11-27T08:00:00+01:00`.
fn local_windows(flat: &mut Flat) {
    let zones: Vec<(String, TimeZone)> = flat
        .iter()
        .filter(|(path, _)| path.starts_with("schedule."))
        .filter_map(|(path, zone)| {
            let schedule = path.strip_suffix(".timezone")?;
            Some((schedule.to_owned(), TimeZone::get(zone.as_str()?).ok()?))
        })
        .collect();
    for (schedule, zone) in zones {
        for edge in ["start", "end"] {
            if let Some(value) = flat.get_mut(&format!("{schedule}.{edge}"))
                && let Some(time) = value
                    .as_str()
                    .and_then(|text| text.parse::<Timestamp>().ok())
            {
                let local = time.to_zoned(zone.clone());
                *value = Json::from(local.strftime("%Y-%m-%dT%H:%M:%S%:z").to_string());
            }
        }
    }
}

/// One `tolerance`, where that of both directions is the same.
fn merge_tolerances(flat: &mut Flat) {
    let same: Vec<(String, Json)> = flat
        .iter()
        .filter_map(|(path, value)| {
            let track = path.strip_suffix(".tolerance_in")?;
            let is_same = flat.get(&format!("{track}.tolerance_out")) == Some(value);
            is_same.then(|| (track.to_owned(), value.clone()))
        })
        .collect();
    for (track, value) in same {
        flat.remove(&format!("{track}.tolerance_in"));
        flat.remove(&format!("{track}.tolerance_out"));
        flat.insert(format!("{track}.tolerance"), value);
    }
}

/// Whole numbers without a fraction: `60`, where the model has `60.0`.
fn as_written(value: &mut Json) {
    match value {
        Json::Number(number) => {
            if let Some(float) = number.as_f64()
                && float.fract() == 0.0
                && float.abs() < 9e15
            {
                *value = Json::from(float as i64);
            }
        }
        Json::Array(items) => items.iter_mut().for_each(as_written),
        _ => {}
    }
}

/// Lists of named blocks: the model's field, and the block's kind.
const NAMED: [(&str, &str); 5] = [
    ("metrics", "metric"),
    ("schedules", "schedule"),
    ("surges", "surge"),
    ("guards", "guard"),
    ("freezes", "freeze"),
];

/// Fields that hold a share of something.
const SHARES: [&str; 5] = [
    "spot",
    "tolerance_out",
    "tolerance_in",
    "min_healthy",
    "max_healthy",
];

fn join(path: &str, key: &str) -> String {
    if path.is_empty() {
        key.to_owned()
    } else {
        format!("{path}.{key}")
    }
}

fn walk(path: &str, value: &Json, flat: &mut Flat) {
    match value {
        Json::Object(object) => walk_object(path, object, flat),
        Json::Array(items) if items.iter().any(Json::is_object) => {
            for (i, item) in items.iter().enumerate() {
                walk(&format!("{path}[{i}]"), item, flat);
            }
        }
        Json::Null => {}
        Json::Array(items) if items.is_empty() => {}
        _ => {
            flat.insert(path.to_owned(), value.clone());
        }
    }
}

fn walk_object(path: &str, object: &Map<String, Json>, flat: &mut Flat) {
    for (key, value) in object {
        if key.ends_with("_is_set") {
            continue;
        }
        if let Some((_, kind)) = NAMED.iter().find(|(field, _)| field == key) {
            walk_named(&join(path, kind), value, flat);
            continue;
        }
        if let Some(name) = key.strip_suffix("_s")
            && value.is_number()
        {
            flat.insert(join(path, name), duration(value));
            continue;
        }
        if SHARES.contains(&key.as_str()) {
            flat.insert(join(path, key), share(value));
            continue;
        }
        match key.as_str() {
            "source" => walk_source(path, value, flat),
            "rule" => walk_rule(path, value, flat),
            "breach" => {
                flat.insert(join(path, "breach"), breach(value));
            }
            "rates" => {
                for (i, rate) in items(value).iter().enumerate() {
                    walk_rate(path, i, rate, flat);
                }
            }
            "when" => walk_when(path, value, flat),
            "effect" => walk_tagged(path, value, flat),
            "types" => {
                flat.insert(join(path, "types"), types(value));
            }
            "statistic" => {
                flat.insert(join(path, "statistic"), statistic(value));
            }
            "on_missing" => {
                let written = value.get("value").unwrap_or(value);
                flat.insert(join(path, "on_missing"), written.clone());
            }
            "combine" => match value.get("weighted") {
                Some(constants) => {
                    flat.insert(join(path, "combine"), Json::from("weighted"));
                    walk(&join(path, "combine"), constants, flat);
                }
                None => {
                    flat.insert(join(path, "combine"), value.clone());
                }
            },
            "name" if is_named_block(path) => {}
            _ => walk(&join(path, key), value, flat),
        }
    }
}

/// Whether a path is that of a labelled block, whose `name` is its label.
fn is_named_block(path: &str) -> bool {
    NAMED.iter().any(|(_, kind)| {
        path.strip_prefix(kind)
            .and_then(|rest| rest.strip_prefix('.'))
            .is_some_and(|name| !name.is_empty())
    })
}

fn items(value: &Json) -> &[Json] {
    value.as_array().map_or(&[], Vec::as_slice)
}

fn walk_named(path: &str, list: &Json, flat: &mut Flat) {
    for block in items(list) {
        let name = block.get("name").and_then(Json::as_str).unwrap_or("?");
        walk(&join(path, name), block, flat);
    }
}

fn walk_source(path: &str, source: &Json, flat: &mut Flat) {
    if let Some(formula) = source.get("formula") {
        walk_formula(&join(path, "value"), formula, flat);
    }
    let Some(Json::Object(query)) = source.get("query") else {
        return;
    };
    for (key, value) in query {
        match key.as_str() {
            "provider" => {
                let address = serde_json::from_value::<tideform_policies::model::ProviderAddress>(
                    value.clone(),
                );
                if let Ok(address) = address {
                    flat.insert(join(path, "source"), Json::from(address.to_string()));
                }
            }
            _ => walk(&join(path, key), value, flat),
        }
    }
}

fn walk_formula(path: &str, formula: &Json, flat: &mut Flat) {
    if let Some(text) = formula.get("text") {
        flat.insert(path.to_owned(), text.clone());
    }
    if let Some(expression) = formula.get("expression") {
        flat.insert(format!("{path}{HIDDEN}"), expression.clone());
    }
}

fn walk_rule(path: &str, rule: &Json, flat: &mut Flat) {
    if let Some(steps) = rule.get("steps") {
        for (i, step) in items(steps).iter().enumerate() {
            walk_step(&format!("{path}.step[{i}]"), step, flat);
        }
    } else if rule.is_string() {
        flat.insert(join(path, "rule"), rule.clone());
    } else {
        walk(path, rule, flat);
    }
}

fn walk_step(path: &str, step: &Json, flat: &mut Flat) {
    for (key, value) in step.as_object().into_iter().flatten() {
        match (key.as_str(), value.as_object()) {
            ("when", Some(bound)) => {
                for (side, ends) in bound {
                    let start = if side == "band" { "from" } else { side };
                    for (name, end) in [(start, "from"), ("to", "to")] {
                        if let Some(x) = ends.get(end).filter(|x| !x.is_null()) {
                            flat.insert(join(path, name), x.clone());
                        }
                    }
                }
            }
            ("adjustment", Some(adjustment)) => {
                for (kind, amount) in adjustment {
                    match kind.strip_suffix("_share") {
                        Some(kind) => flat.insert(join(path, kind), share(amount)),
                        None => flat.insert(join(path, kind), amount.clone()),
                    };
                }
            }
            _ => walk(&join(path, key), value, flat),
        }
    }
}

fn walk_rate(path: &str, i: usize, rate: &Json, flat: &mut Flat) {
    let word = if path.ends_with("scale_in") {
        "remove"
    } else {
        "add"
    };
    let path = format!("{path}.rate[{i}]");
    for (key, value) in rate.as_object().into_iter().flatten() {
        match (key.as_str(), value.get("share"), value.get("count")) {
            ("amount", Some(amount), _) => {
                flat.insert(join(&path, word), share(amount));
            }
            ("amount", _, Some(count)) => {
                flat.insert(join(&path, word), count.clone());
            }
            ("per_s", ..) => {
                flat.insert(join(&path, "per"), duration(value));
            }
            _ => walk(&join(&path, key), value, flat),
        }
    }
}

/// A guard's formula, or a schedule's window, whose fields stand in the block itself.
fn walk_when(path: &str, when: &Json, flat: &mut Flat) {
    if when.get("text").is_some() {
        walk_formula(&join(path, "when"), when, flat);
        return;
    }
    for window in when.as_object().into_iter().flat_map(Map::values) {
        walk(path, window, flat);
    }
}

/// `{ "block": "scale_in" }` and `{ "cap": 4 }`, which the files write as `blocks` and `cap`.
fn walk_tagged(path: &str, effect: &Json, flat: &mut Flat) {
    for (key, value) in effect.as_object().into_iter().flatten() {
        let key = if key == "block" { "blocks" } else { key };
        flat.insert(join(path, key), value.clone());
    }
}

fn duration(value: &Json) -> Json {
    value
        .as_f64()
        .and_then(|s| Duration::try_from_secs_f64(s).ok())
        .map_or_else(|| value.clone(), |d| Json::from(format_duration(d)))
}

fn share(value: &Json) -> Json {
    value.as_f64().map_or_else(
        || value.clone(),
        |fraction| Json::from(tideform_policies::model::Share(fraction).to_string()),
    )
}

fn statistic(value: &Json) -> Json {
    match value.get("percentile").and_then(Json::as_f64) {
        Some(p) => Json::from(format!("p{p}")),
        None => value.clone(),
    }
}

fn breach(value: &Json) -> Json {
    if let Some(seconds) = value.get("for") {
        return duration(seconds);
    }
    match value.get("of") {
        Some(of) => {
            let n = |key| of.get(key).and_then(Json::as_u64).unwrap_or(0);
            Json::from(format!("{} of {}", n("breaching"), n("periods")))
        }
        None => Json::from("0s"),
    }
}

/// `["m6i.large"]`, or `["m6i.large x 2"]` where types have weights.
fn types(value: &Json) -> Json {
    items(value)
        .iter()
        .map(|one| {
            let name = one.get("name").and_then(Json::as_str).unwrap_or("?");
            match one.get("weight").and_then(Json::as_u64) {
                Some(weight) => Json::from(format!("{name} x {weight}")),
                None => Json::from(name),
            }
        })
        .collect()
}

#[cfg(test)]
mod tests {
    use super::super::fixtures;
    use super::*;

    #[test]
    fn a_group_reads_as_the_files_would_write_it() {
        let flat = flatten(&fixtures::rich());
        let text: Vec<String> = flat
            .iter()
            .filter(|(path, _)| !path.ends_with(HIDDEN))
            .map(|(path, value)| format!("{path} = {value}"))
            .collect();
        insta::assert_snapshot!(text.join("\n"));
    }

    #[test]
    fn a_value_folded_into_a_formula_differs_though_its_text_does_not() {
        use tideform_policies::model::{Expression, MetricSource};
        let before = fixtures::rich();
        let mut after = before.clone();
        for metric in &mut after.policy.metrics {
            if let MetricSource::Formula(formula) = &mut metric.source {
                formula.expression = Expression::Number(7.0);
            }
        }
        assert_ne!(flatten(&before), flatten(&after));
    }

    #[test]
    fn a_window_that_opens_once_reads_in_its_own_zone() {
        use tideform_policies::model::Window;
        let mut group = fixtures::rich();
        let mut once = |timezone: Option<&str>| {
            group.policy.schedules[0].when = Window::Once {
                start: "2026-03-28T12:00:00Z".parse().unwrap(),
                end: "2026-03-29T12:00:00Z".parse().unwrap(),
                timezone: timezone.map(str::to_owned),
            };
            let flat = flatten(&group);
            ["start", "end"].map(|edge| flat[&format!("schedule.office.{edge}")].clone())
        };
        // The clocks of Berlin go forward in between.
        assert_eq!(
            once(Some("Europe/Berlin")),
            ["2026-03-28T13:00:00+01:00", "2026-03-29T14:00:00+02:00"]
        );
        assert_eq!(once(None), ["2026-03-28T12:00:00Z", "2026-03-29T12:00:00Z"]);
    }
}
