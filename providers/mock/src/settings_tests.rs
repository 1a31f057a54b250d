//! What settings may say, and what is said of those that may not.

use super::*;
use serde_json::json;

fn read(value: Value) -> Result<MockSettings, String> {
    MockSettings::from_attributes(&value.as_object().cloned().unwrap_or_default())
        .map_err(|error| error.to_string())
}

#[test]
fn nothing_is_needed() {
    assert_eq!(read(json!({})), Ok(MockSettings::default()));
    assert_eq!(
        read(json!({ "clock": null, "load": {} })),
        Ok(MockSettings::default())
    );
}

#[test]
fn what_was_read_is_read_again_the_same() -> Result<(), Box<dyn std::error::Error>> {
    let settings = read(filled())?;
    let text = serde_json::to_string(&settings)?;
    assert_eq!(serde_json::from_str::<MockSettings>(&text)?, settings);
    Ok(())
}

#[test]
fn mistakes_name_their_path() {
    for (value, part) in [
        (
            json!({ "clok": "real" }),
            "no attribute `clok`; did you mean `clock`?",
        ),
        (json!({ "clock": "fast" }), "clock: unknown variant `fast`"),
        (
            json!({ "step": "2h" }),
            "step must be whole seconds, from 1s to 1h",
        ),
        (json!({ "step": "soon" }), "step: `soon` is no duration"),
        (
            json!({ "load": { "web": {} } }),
            "load \"web\" needs `trace` or `formula`",
        ),
        (
            json!({ "load": { "web": { "trace": "a", "formula": "b" } } }),
            "both `trace` and `formula`",
        ),
        (
            json!({ "load": { "web": { "formula": "1", "noise": "200%" } } }),
            "load \"web\": \"200%\" is no share",
        ),
        (
            json!({ "load": { "web": { "tracee": "1" } } }),
            "load \"web\": unknown field `tracee`",
        ),
        (
            json!({ "fault": { "throtle": {} } }),
            "did you mean `throttle`?",
        ),
        (
            json!({ "fault": { "throttle": { "rate": 2 } } }),
            "rate must be between 0 and 1",
        ),
        (
            json!({ "fault": { "throttle": { "calls": ["x"] } } }),
            "unknown variant `x`",
        ),
        (
            json!({ "price": { "a": { "on_demand_usd_per_hour": -1 } } }),
            "prices must be 0 or more",
        ),
    ] {
        let error = read(value.clone()).err().unwrap_or_default();
        assert!(error.contains(part), "{value}: {error}");
    }
}

/// All fields of each block, filled.
fn filled() -> Value {
    json!({
        "world": "w", "clock": "stepped", "start": "2026-01-05T00:00:00Z", "step": "30s", "seed": 7,
        "region": "here", "delay": "2m", "retention": "1d",
        "load": { "web": {
            "trace": "a.csv", "per": "step", "kind": "queue", "noise": "5%", "scale": 2, "repeat": false,
            "align": "clock", "offset": "1h", "metric": "jobs"
        } },
        "metric": { "orders": {
            "formula": "t", "resource": "web", "scale": 2, "repeat": true, "align": "exact", "offset": "1h"
        } },
        "fault": { "spot": {
            "kind": "no_capacity", "rate": 0.5, "calls": ["set_desired"], "groups": ["web"], "from": "10m",
            "until": "2026-01-06T00:00:00Z", "lifecycle": "spot", "notice": "1m", "lag": "10s"
        } },
        "price": { "m5.large": { "on_demand_usd_per_hour": 0.1, "spot_usd_per_hour": 0.02 } }
    })
}

#[test]
fn the_language_and_the_settings_have_the_same_names() -> Result<(), String> {
    use std::collections::BTreeSet;
    let provider = tideform_policies::schema::top("provider").ok_or("no provider block")?;
    let mock = provider.variant(Some("mock")).ok_or("no mock variant")?;
    let mut written = filled();
    // The alternatives that exclude each other.
    written["load"]["web"]["formula"] = "t".into();
    written["metric"]["orders"]["trace"] = "a.csv".into();
    written["metric"]["orders"]["value"] = 1.into();
    let read = serde_json::to_value(
        serde_json::from_value::<MockSettings>(written).map_err(|error| error.to_string())?,
    )
    .map_err(|error| error.to_string())?;
    let names = |value: &Value| -> BTreeSet<String> {
        value
            .as_object()
            .map(|fields| fields.keys().cloned().collect())
            .unwrap_or_default()
    };
    let known: BTreeSet<String> = mock
        .attribute_names(None)
        .chain(mock.block_kinds(None))
        .map(str::to_owned)
        .collect();
    assert_eq!(names(&read), known);
    for (kind, label) in [
        ("load", "web"),
        ("metric", "orders"),
        ("fault", "spot"),
        ("price", "m5.large"),
    ] {
        let block = mock.block(kind, None).ok_or(kind)?;
        let known: BTreeSet<String> = block
            .attribute_names(None)
            .filter(|name| *name != "enabled")
            .map(str::to_owned)
            .collect();
        assert_eq!(names(&read[kind][label]), known, "{kind}");
    }
    Ok(())
}
