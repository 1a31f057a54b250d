//! What differs between a control of the cloud's own and what it is to be, setting by setting. Pure.
//!
//! The settings are the provider's own words and may nest: what differs inside is a line of its own, so that a reader
//! sees `alarm.threshold 70 -> 80` and not two alarms to compare by eye.

use std::collections::BTreeSet;

use serde_json::{Map, Value as Json};
use tideform_provider::{Control, ControlSpec};

use super::wanted::{Difference, same_value};

/// What is live of a control that is not as `wanted`. The path of one setting is `<name>: alarm.threshold`; a control
/// that is not there, is of another type, or says what no file can say, differs as a whole: its path is its name.
pub(super) fn differences(there: Option<&Control>, wanted: &ControlSpec) -> Vec<Difference> {
    let whole = |live: Json| {
        vec![Difference {
            path: wanted.name.clone(),
            live,
            wanted: Json::from(wanted.summary.as_str()),
        }]
    };
    let Some(there) = there else {
        return whole(Json::Null);
    };
    if let Some(beyond) = &there.beyond {
        return whole(Json::from(format!("{}; {beyond}", there.summary)));
    }
    let kind = |settings: &tideform_provider::Settings| settings.get("type").cloned();
    if kind(&there.settings) != kind(&wanted.settings) {
        return whole(Json::from(there.summary.as_str()));
    }
    let mut found = Found(Vec::new());
    if !there.enabled {
        found.note("enabled".to_owned(), Json::Bool(false), Json::Bool(true));
    }
    let names: BTreeSet<&String> = there
        .settings
        .keys()
        .chain(wanted.settings.keys())
        .collect();
    for name in names {
        let live = there.settings.get(name).unwrap_or(&Json::Null);
        let want = wanted.settings.get(name).unwrap_or(&Json::Null);
        match (live, want) {
            // The summary says it in fewer words: `..., jobs at or above 70`.
            (Json::Null, Json::Object(_)) => found.note(
                name.clone(),
                Json::Null,
                Json::from(wanted.summary.as_str()),
            ),
            (Json::Object(_), Json::Null) => {
                found.note(name.clone(), Json::from(there.summary.as_str()), Json::Null);
            }
            _ => found.compare(name.clone(), live, want),
        }
    }
    for difference in &mut found.0 {
        difference.path = format!("{}: {}", wanted.name, difference.path);
    }
    found.0
}

struct Found(Vec<Difference>);

impl Found {
    fn note(&mut self, path: String, live: Json, wanted: Json) {
        self.0.push(Difference { path, live, wanted });
    }

    fn compare(&mut self, path: String, live: &Json, wanted: &Json) {
        if same_value(live, wanted) {
            return;
        }
        match (live, wanted) {
            // One of several kinds, each under its own name: a metric by its name, or a series.
            (Json::Object(a), Json::Object(b)) if is_another_kind(a, b) => {
                self.note(path, shown(live), shown(wanted));
            }
            (Json::Object(a), Json::Object(b)) => {
                let names: BTreeSet<&String> = a.keys().chain(b.keys()).collect();
                for name in names {
                    let of = |object: &Map<String, Json>| object.get(name).cloned();
                    self.compare(
                        format!("{path}.{name}"),
                        &of(a).unwrap_or_default(),
                        &of(b).unwrap_or_default(),
                    );
                }
            }
            (Json::Array(a), Json::Array(b)) if are_objects(a) && are_objects(b) => {
                match (by_id(a), by_id(b)) {
                    (Some(a), Some(b)) => {
                        self.compare(path, &Json::Object(a), &Json::Object(b));
                    }
                    _ => {
                        for i in 0..a.len().max(b.len()) {
                            let of = |list: &[Json]| list.get(i).cloned().unwrap_or_default();
                            self.compare(format!("{path}[{i}]"), &of(a), &of(b));
                        }
                    }
                }
            }
            _ => self.note(path, shown(live), shown(wanted)),
        }
    }
}

fn is_another_kind(a: &Map<String, Json>, b: &Map<String, Json>) -> bool {
    a.len() == 1 && b.len() == 1 && a.keys().ne(b.keys())
}

fn are_objects(list: &[Json]) -> bool {
    list.iter().all(Json::is_object)
}

/// The objects of a list under their ids, where each has one of its own.
fn by_id(list: &[Json]) -> Option<Map<String, Json>> {
    let mut found = Map::new();
    for item in list {
        let mut rest = item.as_object()?.clone();
        let id = rest.remove("id")?.as_str()?.to_owned();
        if found.insert(id, Json::Object(rest)).is_some() {
            return None;
        }
    }
    Some(found)
}

/// For people: whole numbers without a point, and what nests in words.
fn shown(value: &Json) -> Json {
    match value {
        Json::Number(_) => whole_number(value).map_or_else(|| value.clone(), Json::from),
        Json::Object(_) => Json::from(words(value)),
        Json::Array(items) if items.iter().any(|item| item.is_object() || item.is_array()) => {
            Json::from(words(value))
        }
        Json::Null | Json::Bool(_) | Json::String(_) | Json::Array(_) => value.clone(),
    }
}

fn whole_number(value: &Json) -> Option<i64> {
    let number = value.as_f64()?;
    // Above this a float says no whole number exactly.
    (number.fract() == 0.0 && number.abs() < 9e15).then_some(number as i64)
}

/// `lower 20, adjustment 2`; an object that is alone in its name is only its name: `predefined name ...`.
fn words(value: &Json) -> String {
    match value {
        Json::Object(fields) => {
            let parts: Vec<String> = fields
                .iter()
                .map(|(name, value)| format!("{name} {}", words(value)))
                .collect();
            parts.join(", ")
        }
        Json::Array(items) => {
            let parts: Vec<String> = items.iter().map(words).collect();
            parts.join("; ")
        }
        Json::String(text) => text.clone(),
        Json::Null => "(none)".to_owned(),
        Json::Bool(_) | Json::Number(_) => {
            whole_number(value).map_or_else(|| value.to_string(), |number| number.to_string())
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;
    use tideform_provider::{ControlKind, Settings};

    fn settings(value: Json) -> Settings {
        value.as_object().unwrap().clone().into_iter().collect()
    }

    fn control(value: Json) -> Control {
        Control {
            name: "jobs-out".to_owned(),
            kind: ControlKind::Dynamic,
            enabled: true,
            summary: "as it is".to_owned(),
            settings: settings(value),
            writes: Default::default(),
            beyond: None,
        }
    }

    fn spec(value: Json) -> ControlSpec {
        ControlSpec {
            name: "jobs-out".to_owned(),
            kind: ControlKind::Dynamic,
            path: "metric.jobs".to_owned(),
            summary: "as wanted".to_owned(),
            settings: settings(value),
        }
    }

    fn lines(there: Option<&Control>, wanted: &ControlSpec) -> Vec<String> {
        differences(there, wanted)
            .into_iter()
            .map(|d| format!("{}   {} -> {}", d.path, d.live, d.wanted))
            .collect()
    }

    #[test]
    fn each_setting_that_differs_is_a_line_however_deep_it_lies() {
        let alarm = |threshold: f64, queue: &str| {
            json!({ "threshold": threshold, "periods": 3, "metric": { "series": {
                "name": "Visible", "dimensions": { "QueueName": queue } } } })
        };
        let wanted = spec(
            json!({ "type": "step_scaling", "alarm": alarm(80.0, "jobs"),
            "steps": [{ "lower": 0.0, "adjustment": 1 }] }),
        );
        for (there, expected) in [
            (wanted.settings.clone(), Vec::new()),
            (
                settings(
                    json!({ "type": "step_scaling", "alarm": alarm(70.0, "work"),
                    "steps": [{ "lower": 0, "adjustment": 2 }, { "lower": 20.0, "adjustment": 4 }] }),
                ),
                vec![
                    "jobs-out: alarm.metric.series.dimensions.QueueName   \"work\" -> \"jobs\"",
                    "jobs-out: alarm.threshold   70 -> 80",
                    "jobs-out: steps[0].adjustment   2 -> 1",
                    "jobs-out: steps[1]   \"lower 20, adjustment 4\" -> null",
                ],
            ),
            (
                settings(json!({ "type": "step_scaling", "alarm": null,
                    "steps": [{ "lower": 0.0, "adjustment": 1 }] })),
                vec!["jobs-out: alarm   null -> \"as wanted\""],
            ),
            (
                settings(json!({ "type": "target_tracking", "target": 50 })),
                vec!["jobs-out   \"as it is\" -> \"as wanted\""],
            ),
        ] {
            let there = Control {
                settings: there,
                ..control(json!({}))
            };
            assert_eq!(lines(Some(&there), &wanted), expected);
        }
        assert_eq!(lines(None, &wanted), ["jobs-out   null -> \"as wanted\""]);
    }

    #[test]
    fn one_that_is_switched_off_and_one_that_no_file_can_say_differ() {
        let wanted = spec(json!({ "type": "target_tracking", "target": 60.0 }));
        let off = Control {
            enabled: false,
            ..control(json!({ "type": "target_tracking", "target": 60 }))
        };
        assert_eq!(
            lines(Some(&off), &wanted),
            ["jobs-out: enabled   false -> true"]
        );
        let beyond = Control {
            beyond: Some("it counts only values in the unit Percent".to_owned()),
            ..control(json!({}))
        };
        assert_eq!(
            lines(Some(&beyond), &wanted),
            ["jobs-out   \"as it is; it counts only values in the unit Percent\" -> \"as wanted\""]
        );
    }

    #[test]
    fn terms_of_metric_math_are_told_by_their_ids_and_a_metric_of_another_kind_as_a_whole() {
        let wanted = spec(json!({ "metric": { "math": [
            { "id": "m1", "expression": "m2 / 2" }, { "id": "m2", "series": { "name": "X" } } ] } }));
        let there = control(json!({ "metric": { "math": [
            { "id": "m2", "series": { "name": "X" } }, { "id": "m1", "expression": "m2" } ] } }));
        assert_eq!(
            lines(Some(&there), &wanted),
            ["jobs-out: metric.math.m1.expression   \"m2\" -> \"m2 / 2\""]
        );
        let there = control(json!({ "metric": { "series": { "name": "X" } } }));
        let wanted = spec(json!({ "metric": { "predefined": { "name": "Cpu" } } }));
        assert_eq!(
            lines(Some(&there), &wanted),
            ["jobs-out: metric   \"series name X\" -> \"predefined name Cpu\""]
        );
    }
}
