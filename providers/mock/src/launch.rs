//! The attributes of `launch` that the mock cloud understands: what one instance of a group is.
//!
//! | attribute | meaning | default |
//! |---|---|---|
//! | `boot` | from launch to in service | `"60s"` |
//! | `drain` | how long an ending instance finishes its work; `scale_in.drain` is stronger | `"0s"` |
//! | `throughput` | load per second that one unit carries at 100 % utilization | 100 |
//! | `latency` | seconds that one request or job takes on an idle instance | 0.1 |
//! | `load` | the provider's `load` block that falls on the group | the resource's name, else `default` |
//! | `type` | the instance type where the group has no mix | `"m5.large"` |
//! | `price_usd_per_hour`, `spot_price_usd_per_hour` | what an instance costs | the provider's `price` of the type |

use std::collections::BTreeMap;
use std::time::Duration;

use serde::{Deserialize, Serialize};
use serde_json::Value;

use crate::lenient::duration_of;

/// The attributes that `launch` may have here.
pub const ATTRIBUTES: [&str; 8] = [
    "boot",
    "drain",
    "latency",
    "load",
    "price_usd_per_hour",
    "spot_price_usd_per_hour",
    "throughput",
    "type",
];

/// What one instance of a group is.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct InstanceModel {
    /// From launch to in service.
    #[serde(with = "crate::lenient::duration")]
    pub boot: Duration,
    /// How long an ending instance finishes its work.
    #[serde(with = "crate::lenient::duration")]
    pub drain: Duration,
    /// Load per second that one unit carries at 100 % utilization; above 0 and finite.
    pub throughput: f64,
    /// Seconds that one request or job takes on an idle instance.
    pub latency_s: f64,
    /// The `load` block that falls on the group; `None`: the resource's name, else `default`.
    pub load: Option<String>,
    /// The instance type where the group has no mix.
    pub instance_type: String,
    /// On demand; `None`: the provider's price of the type.
    pub price_usd_per_hour: Option<f64>,
    /// Spot; `None`: the provider's price of the type.
    pub spot_price_usd_per_hour: Option<f64>,
}

impl Default for InstanceModel {
    fn default() -> InstanceModel {
        InstanceModel {
            boot: Duration::from_secs(60),
            drain: Duration::ZERO,
            throughput: 100.0,
            latency_s: 0.1,
            load: None,
            instance_type: "m5.large".to_owned(),
            price_usd_per_hour: None,
            spot_price_usd_per_hour: None,
        }
    }
}

/// An attribute of `launch` that is wrong.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct LaunchProblem {
    /// Its name.
    pub attribute: String,
    /// A lowercase fragment.
    pub what: String,
    /// What to do.
    pub help: String,
}

impl InstanceModel {
    /// What the group's `instance` block says, and else the defaults.
    pub fn of(instance: Option<&tideform_policies::model::InstanceModel>) -> InstanceModel {
        let default = InstanceModel::default();
        let Some(instance) = instance else {
            return default;
        };
        InstanceModel {
            boot: instance.boot.unwrap_or(default.boot),
            throughput: instance
                .throughput
                .filter(|throughput| throughput.is_finite() && *throughput > 0.0)
                .unwrap_or(default.throughput),
            price_usd_per_hour: instance.price_usd_per_hour,
            spot_price_usd_per_hour: instance.spot_price_usd_per_hour,
            ..default
        }
    }
}

/// Reads the attributes of `launch` over the defaults. `null` says nothing.
///
/// # Errors
/// Every attribute that is unknown or has a wrong value.
pub fn parse(attributes: &BTreeMap<String, Value>) -> Result<InstanceModel, Vec<LaunchProblem>> {
    parse_over(attributes, InstanceModel::default())
}

/// Reads the attributes of `launch` over what holds where they say nothing. `null` says nothing.
///
/// # Errors
/// Every attribute that is unknown or has a wrong value.
pub fn parse_over(
    attributes: &BTreeMap<String, Value>,
    base: InstanceModel,
) -> Result<InstanceModel, Vec<LaunchProblem>> {
    let mut model = base;
    let mut problems = Vec::new();
    for (name, value) in attributes {
        if value.is_null() {
            continue;
        }
        if let Err((what, help)) = set(&mut model, name, value) {
            problems.push(LaunchProblem {
                attribute: name.clone(),
                what,
                help,
            });
        }
    }
    if problems.is_empty() {
        Ok(model)
    } else {
        Err(problems)
    }
}

fn set(model: &mut InstanceModel, name: &str, value: &Value) -> Result<(), (String, String)> {
    let duration = || duration_of(value).map_err(|what| (what, "for example \"90s\"".to_owned()));
    let number = |least: f64, included: bool| {
        value
            .as_f64()
            .filter(|n| n.is_finite() && (*n > least || (included && *n == least)))
            .ok_or_else(|| {
                let bound = if included { "at least" } else { "above" };
                (
                    format!("{value} is not a number {bound} {least}"),
                    format!("give a number {bound} {least}"),
                )
            })
    };
    let text = || {
        value
            .as_str()
            .filter(|text| !text.is_empty())
            .map(str::to_owned)
            .ok_or_else(|| (format!("{value} is no name"), "give a string".to_owned()))
    };
    match name {
        "boot" => model.boot = duration()?,
        "drain" => model.drain = duration()?,
        "throughput" => model.throughput = number(0.0, false)?,
        "latency" => model.latency_s = number(0.0, true)?,
        "load" => model.load = Some(text()?),
        "type" => model.instance_type = text()?,
        "price_usd_per_hour" => model.price_usd_per_hour = Some(number(0.0, true)?),
        "spot_price_usd_per_hour" => model.spot_price_usd_per_hour = Some(number(0.0, true)?),
        other => {
            return Err((
                format!("the mock cloud has no launch attribute `{other}`"),
                nearest(other, &ATTRIBUTES),
            ));
        }
    }
    Ok(())
}

/// "did you mean `x`?", or all that there are.
pub fn nearest(name: &str, known: &[&str]) -> String {
    let best = known
        .iter()
        .map(|other| (strsim::damerau_levenshtein(name, other), other))
        .min();
    match best {
        Some((distance, other)) if distance <= name.len().max(other.len()) / 3 + 1 => {
            format!("did you mean `{other}`?")
        }
        _ => format!("known are {}", known.join(", ")),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    fn parsed(value: Value) -> Result<InstanceModel, Vec<LaunchProblem>> {
        let attributes = value.as_object().cloned().unwrap_or_default();
        parse(&attributes.into_iter().collect())
    }

    #[test]
    fn attributes_are_read_and_null_is_the_default() {
        let model = parsed(json!({
            "boot": "90s", "drain": 30, "throughput": 120, "load": "shop", "type": "m6i.large",
            "price_usd_per_hour": 0.1, "spot_price_usd_per_hour": null
        }));
        assert_eq!(
            model,
            Ok(InstanceModel {
                boot: Duration::from_secs(90),
                drain: Duration::from_secs(30),
                throughput: 120.0,
                load: Some("shop".to_owned()),
                instance_type: "m6i.large".to_owned(),
                price_usd_per_hour: Some(0.1),
                ..InstanceModel::default()
            })
        );
    }

    #[test]
    fn all_mistakes_are_named_together_with_help() {
        let problems = parsed(json!({
            "throughputt": 1, "subnets": ["a"], "throughput": 0, "boot": "soon", "load": 5
        }))
        .err()
        .unwrap_or_default();
        let said: Vec<(&str, &str)> = problems
            .iter()
            .map(|p| (p.attribute.as_str(), p.help.as_str()))
            .collect();
        assert_eq!(
            said,
            [
                ("boot", "for example \"90s\""),
                ("load", "give a string"),
                (
                    "subnets",
                    "known are boot, drain, latency, load, price_usd_per_hour, spot_price_usd_per_hour, throughput, \
                     type"
                ),
                ("throughput", "give a number above 0"),
                ("throughputt", "did you mean `throughput`?"),
            ]
        );
    }
}
