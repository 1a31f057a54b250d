//! The JSON of `tideform decide`: an observation in, a decision out.
//!
//! Readers get the path of what is wrong and what was expected there. Nothing here decides.

use std::collections::{BTreeMap, BTreeSet};

use jiff::Timestamp;
use serde::de::DeserializeOwned;
use serde_json::{Map, Value, json};
use thiserror::Error;
use tideform_policies::model::{
    Capacity, Group, Instance, InstanceSample, Limits, MetricReading, Name, Sample,
};

use tideform_policies::suggest::nearest;

use super::decision::Decision;
use super::memory::Memory;
use super::observation::{ForecastFloor, Observation, Overrides, Spent};
use super::readings::Readings;

/// The version of both forms.
pub const FORMAT_VERSION: u32 = 1;

/// Why an observation cannot be read.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
pub enum ObserveError {
    /// It is no JSON.
    #[error("the observation is not JSON: {message}")]
    Syntax {
        /// With line and column.
        message: String,
    },
    /// Something else stands where a value of this shape was expected.
    #[error("`{path}` must be {expected}, not {found}")]
    Shape {
        /// As in `metrics.cpu.samples[0].value`.
        path: String,
        /// In words.
        expected: &'static str,
        /// In words.
        found: String,
    },
    /// A part cannot be read.
    #[error("`{path}`: {message}")]
    Invalid {
        /// As in `group.instances[0]`.
        path: String,
        /// What is wrong.
        message: String,
    },
    /// A field that must be there is not.
    #[error("`{path}` is missing; it must be {expected}")]
    Missing {
        /// As in `group.desired`.
        path: String,
        /// In words.
        expected: &'static str,
    },
    /// A field or a metric that does not exist.
    #[error("`{path}`: unknown {what} `{name}`{}", known_names(.nearest, .known))]
    Unknown {
        /// Of what holds it.
        path: String,
        /// `field` or `metric`.
        what: &'static str,
        /// As written.
        name: String,
        /// The most similar one that exists.
        nearest: Option<String>,
        /// All that exist.
        known: Vec<String>,
    },
}

fn known_names(nearest: &Option<String>, known: &[String]) -> String {
    match nearest {
        Some(nearest) => format!("; did you mean `{nearest}`?"),
        None if known.is_empty() => "; there are none".to_owned(),
        None => format!("; known are {}", known.join(", ")),
    }
}

/// What `tideform decide` is asked.
#[derive(Clone, Debug, PartialEq)]
pub struct Question {
    /// The time of the decision.
    pub now: Timestamp,
    /// What was seen.
    pub seen: Observation,
    /// What is remembered.
    pub memory: Memory,
}

/// Reads an observation of `group`.
///
/// # Errors
/// [`ObserveError`], with the path of the first thing that is wrong. A metric that the group does not have is one;
/// absent data is not.
pub fn read(text: &str, group: &Group) -> Result<Question, ObserveError> {
    let value: Value = serde_json::from_str(text).map_err(|error| ObserveError::Syntax {
        message: error.to_string(),
    })?;
    let root = Place::root(&value);
    let fields = root.object(&[
        "format_version",
        "now",
        "group",
        "metrics",
        "memory",
        "overrides",
        "spent",
        "forecast",
        "failed_spot_launches",
    ])?;
    let now = root.required(fields, "now", "a time like 2026-01-05T12:00:00Z")?;
    let now = now.timestamp()?;
    let group_place = root.required(fields, "group", "an object with `desired`")?;
    let group_fields = group_place.object(&["desired", "instances", "limits"])?;
    let desired = group_place
        .required(group_fields, "desired", "a capacity")?
        .capacity()?;

    let mut seen = Observation {
        desired,
        ..Observation::default()
    };
    if let Some(instances) = group_place.optional(group_fields, "instances") {
        seen.instances = Some(instances.each(read_instance)?);
    }
    if let Some(limits) = group_place.optional(group_fields, "limits") {
        seen.limits = Some(limits.typed::<Limits>()?);
    }
    if let Some(metrics) = root.optional(fields, "metrics") {
        (seen.metrics, seen.counts_warming) = read_metrics(&metrics, group)?;
    }
    if let Some(overrides) = root.optional(fields, "overrides") {
        seen.overrides = overrides.typed::<Overrides>()?;
    }
    if let Some(spent) = root.optional(fields, "spent") {
        seen.spent = Some(spent.typed::<Spent>()?);
    }
    if let Some(forecast) = root.optional(fields, "forecast") {
        seen.forecast = Some(forecast.typed::<ForecastFloor>()?);
    }
    if let Some(failed) = root.optional(fields, "failed_spot_launches") {
        seen.failed_spot_launches = failed.each(Place::timestamp)?;
    }
    let memory = match root.optional(fields, "memory") {
        Some(memory) => read_memory(&memory)?,
        None => Memory::default(),
    };
    Ok(Question { now, seen, memory })
}

/// The JSON of a decision. Its `memory` can be fed back in.
pub fn render(group: &Group, decision: &Decision) -> Value {
    json!({
        "format_version": FORMAT_VERSION,
        "group": group.address,
        "current": decision.current,
        "desired": decision.desired,
        "direction": decision.direction,
        "reasons": decision.reasons,
        "mix": decision.mix,
        "victims": decision.victims,
        "next_change": decision.next_change,
        "nearest": decision.nearest,
        "memory": decision.memory,
    })
}

fn read_instance(place: &Place<'_>) -> Result<Instance, ObserveError> {
    let instance = place.typed::<Instance>()?;
    if instance.weight == 0 {
        return Err(ObserveError::Shape {
            path: format!("{}.weight", place.path),
            expected: "a whole number from 1",
            found: "0".to_owned(),
        });
    }
    Ok(instance)
}

type Metrics = (Readings, BTreeSet<Name>);

fn read_metrics(metrics: &Place<'_>, group: &Group) -> Result<Metrics, ObserveError> {
    let mut readings = Readings::default();
    let mut counts_warming = BTreeSet::new();
    for (name, value) in metrics.map("an object of metrics")? {
        let Some(metric) = group.metric(name) else {
            let known: Vec<String> = group
                .policy
                .metrics
                .iter()
                .map(|metric| metric.name.to_string())
                .collect();
            return Err(metrics.unknown("metric", name, known.iter().map(String::as_str)));
        };
        let place = metrics.child(name, value);
        let fields = place.object(&["samples", "per_instance", "of", "at", "counts_warming"])?;
        if let Some(flag) = place.optional(fields, "counts_warming")
            && flag.bool()?
        {
            counts_warming.insert(metric.name.clone());
        }
        let reading = match (
            place.optional(fields, "samples"),
            place.optional(fields, "per_instance"),
        ) {
            (Some(samples), None) if place.optional(fields, "of").is_none() => {
                MetricReading::Group(read_samples(&samples)?)
            }
            (None, Some(values)) => MetricReading::PerInstance {
                at: place
                    .required(fields, "at", "the time of the values")?
                    .timestamp()?,
                values: read_values(&values, place.optional(fields, "of").as_ref())?,
            },
            _ => {
                return Err(ObserveError::Invalid {
                    path: place.path,
                    message: "expected either `samples`, or `per_instance` with `at` (and `of`)"
                        .to_owned(),
                });
            }
        };
        readings.insert(metric.name.clone(), reading);
    }
    Ok((readings, counts_warming))
}

/// In the order of their times; of two at one time the later in the list. A null is no sample.
fn read_samples(samples: &Place<'_>) -> Result<Vec<Sample>, ObserveError> {
    let mut read = BTreeMap::new();
    for sample in samples.items()? {
        let fields = sample.object(&["at", "value"])?;
        let at = sample.required(fields, "at", "a time")?.timestamp()?;
        if let Some(value) = sample.optional(fields, "value") {
            read.insert(at, value.number()?);
        }
    }
    Ok(read
        .into_iter()
        .map(|(at, value)| Sample { at, value })
        .collect())
}

/// Where `of` is given the values are amounts of it. If it says nothing of any instance, no amount means anything.
fn read_values(
    values: &Place<'_>,
    of: Option<&Place<'_>>,
) -> Result<Vec<InstanceSample>, ObserveError> {
    let mut read: Vec<InstanceSample> = Vec::new();
    for (id, value) in values.map("an object of instances")? {
        let value = match value {
            Value::Null => None,
            value => Some(values.child(id, value).number()?),
        };
        read.push(InstanceSample {
            id: id.as_str().into(),
            value,
            of: None,
        });
    }
    let Some(of) = of else { return Ok(read) };
    let mut is_said = false;
    let places: BTreeMap<String, usize> = read
        .iter()
        .enumerate()
        .map(|(place, sample)| (sample.id.to_string(), place))
        .collect();
    for (id, whole) in of.map("an object of instances")? {
        if whole.is_null() {
            continue;
        }
        let whole = Some(of.child(id, whole).above_zero()?);
        is_said = true;
        match places.get(id).and_then(|place| read.get_mut(*place)) {
            Some(sample) => sample.of = whole,
            None => read.push(InstanceSample {
                id: id.as_str().into(),
                value: None,
                of: whole,
            }),
        }
    }
    if !is_said {
        read.clear();
    }
    Ok(read)
}

fn read_memory(memory: &Place<'_>) -> Result<Memory, ObserveError> {
    // Lists one by one, so that an error has the path of the entry.
    let fields = memory.object(&[
        "actions",
        "recommendations",
        "guards",
        "missing",
        "fallback",
    ])?;
    let list = |name| memory.optional(fields, name);
    Ok(Memory {
        actions: entries(list("actions"))?.into_iter().collect(),
        recommendations: entries(list("recommendations"))?.into_iter().collect(),
        guards: entries(list("guards"))?,
        missing: entries(list("missing"))?,
        fallback: list("fallback").map(|place| place.typed()).transpose()?,
    })
}

fn entries<T: DeserializeOwned>(list: Option<Place<'_>>) -> Result<Vec<T>, ObserveError> {
    match list {
        Some(list) => list.each(Place::typed),
        None => Ok(Vec::new()),
    }
}

/// A value and its path.
struct Place<'v> {
    path: String,
    value: &'v Value,
}

impl<'v> Place<'v> {
    fn root(value: &'v Value) -> Place<'v> {
        Place {
            path: String::new(),
            value,
        }
    }

    fn named(&self) -> String {
        if self.path.is_empty() {
            "the observation".to_owned()
        } else {
            self.path.clone()
        }
    }

    fn child(&self, name: &str, value: &'v Value) -> Place<'v> {
        let path = if self.path.is_empty() {
            name.to_owned()
        } else {
            format!("{}.{name}", self.path)
        };
        Place { path, value }
    }

    fn shape(&self, expected: &'static str) -> ObserveError {
        ObserveError::Shape {
            path: self.named(),
            expected,
            found: describe(self.value),
        }
    }

    fn unknown<'n>(
        &self,
        what: &'static str,
        name: &str,
        known: impl Iterator<Item = &'n str> + Clone,
    ) -> ObserveError {
        ObserveError::Unknown {
            path: self.named(),
            what,
            name: name.to_owned(),
            nearest: nearest(name, known.clone()).map(str::to_owned),
            known: known.map(str::to_owned).collect(),
        }
    }

    fn map(&self, expected: &'static str) -> Result<&'v Map<String, Value>, ObserveError> {
        self.value.as_object().ok_or_else(|| self.shape(expected))
    }

    /// An object with these fields and no others.
    fn object(&self, known: &[&'static str]) -> Result<&'v Map<String, Value>, ObserveError> {
        let fields = self.map("an object")?;
        match fields.keys().find(|name| !known.contains(&name.as_str())) {
            Some(name) => Err(self.unknown("field", name, known.iter().copied())),
            None => Ok(fields),
        }
    }

    /// `null` is as absent.
    fn optional(&self, fields: &'v Map<String, Value>, name: &str) -> Option<Place<'v>> {
        fields
            .get(name)
            .filter(|value| !value.is_null())
            .map(|value| self.child(name, value))
    }

    fn required(
        &self,
        fields: &'v Map<String, Value>,
        name: &str,
        expected: &'static str,
    ) -> Result<Place<'v>, ObserveError> {
        self.optional(fields, name)
            .ok_or_else(|| ObserveError::Missing {
                path: self.child(name, self.value).path,
                expected,
            })
    }

    fn items(&self) -> Result<Vec<Place<'v>>, ObserveError> {
        let list = self.value.as_array().ok_or_else(|| self.shape("a list"))?;
        Ok(list
            .iter()
            .enumerate()
            .map(|(i, value)| Place {
                path: format!("{}[{i}]", self.path),
                value,
            })
            .collect())
    }

    fn each<T>(
        &self,
        read: impl Fn(&Place<'v>) -> Result<T, ObserveError>,
    ) -> Result<Vec<T>, ObserveError> {
        self.items()?.iter().map(read).collect()
    }

    fn typed<T: DeserializeOwned>(&self) -> Result<T, ObserveError> {
        T::deserialize(self.value).map_err(|error| ObserveError::Invalid {
            path: self.named(),
            message: error.to_string(),
        })
    }

    fn timestamp(&self) -> Result<Timestamp, ObserveError> {
        self.value
            .as_str()
            .and_then(|text| text.parse().ok())
            .ok_or_else(|| self.shape("a time like 2026-01-05T12:00:00Z"))
    }

    fn number(&self) -> Result<f64, ObserveError> {
        self.value
            .as_f64()
            .filter(|number| number.is_finite())
            .ok_or_else(|| self.shape("a number"))
    }

    fn above_zero(&self) -> Result<f64, ObserveError> {
        self.value
            .as_f64()
            .filter(|number| number.is_finite() && *number > 0.0)
            .ok_or_else(|| self.shape("a number above 0"))
    }

    fn bool(&self) -> Result<bool, ObserveError> {
        self.value
            .as_bool()
            .ok_or_else(|| self.shape("true or false"))
    }

    fn capacity(&self) -> Result<Capacity, ObserveError> {
        self.value
            .as_u64()
            .and_then(|n| u32::try_from(n).ok())
            .map(Capacity)
            .ok_or_else(|| self.shape("a whole number from 0 to 4294967295"))
    }
}

fn describe(value: &Value) -> String {
    match value {
        Value::Null => "null".to_owned(),
        Value::Bool(flag) => flag.to_string(),
        Value::Number(number) => number.to_string(),
        Value::String(text) => {
            let short: String = text.chars().take(40).collect();
            format!("the text {}", Value::from(short))
        }
        Value::Array(_) => "a list".to_owned(),
        Value::Object(_) => "an object".to_owned(),
    }
}

#[cfg(test)]
mod tests;
