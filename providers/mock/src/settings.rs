//! The attributes of `provider "mock"`, and how they become a world's rules.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::time::Duration;

use jiff::Timestamp;
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};
use tideform_policies::model::Lifecycle;
use tideform_provider::ProviderError;

use crate::launch::nearest;
use crate::lenient::{self, When};
use crate::world::cost::TypePrices;
use crate::world::fault::{Call, Fault, FaultKind};
use crate::world::formula::LoadFormula;
use crate::world::load::{Align, Load, LoadKind, Shape};
use crate::world::trace::{Per, Trace};
use crate::world::{CustomMetric, Moment, Rules, random};

/// Where the world is kept if nothing else is said, relative to the configuration's directory.
pub const DEFAULT_WORLD: &str = ".tideform/mock.world";

/// How a world's time passes.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum ClockKind {
    /// With the machine's clock.
    #[default]
    Real,
    /// Only when it is told to.
    Stepped,
}

/// The attributes of `provider "mock"`.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct MockSettings {
    /// The world's file, relative to the configuration's directory.
    pub world: String,
    /// How its time passes; for an existing world what it was made with.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub clock: Option<ClockKind>,
    /// When it begins; default: when it is made, cut to a whole step.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub start: Option<Timestamp>,
    /// The length of a step, 1s to 1h; default 1m.
    #[serde(
        skip_serializing_if = "Option::is_none",
        with = "lenient::option_duration"
    )]
    pub step: Option<Duration>,
    /// All randomness comes from here; default 1.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub seed: Option<u64>,
    /// What it says its region is.
    pub region: String,
    /// How late samples are published.
    #[serde(with = "lenient::duration")]
    pub delay: Duration,
    /// How far back metrics can be read.
    #[serde(with = "lenient::duration")]
    pub retention: Duration,
    /// Loads by name: `load "web" { … }`.
    #[serde(skip_serializing_if = "BTreeMap::is_empty")]
    pub load: BTreeMap<String, LoadSettings>,
    /// Metrics by name that do not follow from load: `metric "orders" { … }`.
    #[serde(skip_serializing_if = "BTreeMap::is_empty")]
    pub metric: BTreeMap<String, MetricSettings>,
    /// What goes wrong, by name: `fault "throttle" { … }`.
    #[serde(skip_serializing_if = "BTreeMap::is_empty")]
    pub fault: BTreeMap<String, FaultSettings>,
    /// Prices by instance type: `price "m5.large" { … }`.
    #[serde(skip_serializing_if = "BTreeMap::is_empty")]
    pub price: BTreeMap<String, PriceSettings>,
}

/// `load "web" { … }`: exactly one of `trace` and `formula`.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct LoadSettings {
    /// A CSV file `timestamp,value`, relative to the configuration's directory.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub trace: Option<String>,
    /// An expression of time.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub formula: Option<String>,
    /// What the trace's values count.
    pub per: Per,
    /// Multiplies the load; default 1.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub scale: Option<f64>,
    /// The trace begins anew at its end; default true.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub repeat: Option<bool>,
    /// How the trace lies over the world's time.
    pub align: Align,
    /// Where in the trace the world starts.
    #[serde(
        skip_serializing_if = "Option::is_none",
        with = "lenient::option_duration"
    )]
    pub offset: Option<Duration>,
    /// Whether what is not served is dropped or waits.
    pub kind: LoadKind,
    /// Another name of the load as a metric, beside `requests`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub metric: Option<String>,
    /// Spreads each step evenly by so much to either side; default none.
    #[serde(with = "lenient::share")]
    pub noise: f64,
}

/// `metric "orders" { … }`: exactly one of `trace`, `formula` and `value`.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct MetricSettings {
    /// A CSV file `timestamp,value`, relative to the configuration's directory.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub trace: Option<String>,
    /// An expression of time.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub formula: Option<String>,
    /// Always this.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub value: Option<f64>,
    /// The resource that has it; default: all have.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub resource: Option<String>,
    /// Multiplies it; default 1.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub scale: Option<f64>,
    /// The trace begins anew at its end; default true.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub repeat: Option<bool>,
    /// How the trace lies over the world's time.
    pub align: Align,
    /// Where in the trace the world starts.
    #[serde(
        skip_serializing_if = "Option::is_none",
        with = "lenient::option_duration"
    )]
    pub offset: Option<Duration>,
}

/// `fault "throttle" { … }`.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct FaultSettings {
    /// What goes wrong; default: the block's label.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub kind: Option<FaultKind>,
    /// For calls and launches the share that is struck; for instances how many times an hour each is; default 1.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub rate: Option<f64>,
    /// Only these calls.
    pub calls: Vec<Call>,
    /// Only these groups, by the resource's name.
    pub groups: Vec<String>,
    /// Only from then on: a time, or a duration since the world's start.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub from: Option<When>,
    /// Only before then.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub until: Option<When>,
    /// `no_capacity`: only launches of this kind.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub lifecycle: Option<Lifecycle>,
    /// `interrupt_spot`: how long before; default 2m.
    #[serde(
        skip_serializing_if = "Option::is_none",
        with = "lenient::option_duration"
    )]
    pub notice: Option<Duration>,
    /// `lag`: how long reads show the old state; default 30s.
    #[serde(
        skip_serializing_if = "Option::is_none",
        with = "lenient::option_duration"
    )]
    pub lag: Option<Duration>,
}

/// `price "m5.large" { … }`.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct PriceSettings {
    /// On demand.
    pub on_demand_usd_per_hour: f64,
    /// Spot; default: 0.37 of on demand.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub spot_usd_per_hour: Option<f64>,
}

impl Default for MockSettings {
    fn default() -> MockSettings {
        MockSettings {
            world: DEFAULT_WORLD.to_owned(),
            clock: None,
            start: None,
            step: None,
            seed: None,
            region: "mock-1".to_owned(),
            delay: Duration::ZERO,
            retention: Duration::from_secs(15 * 86_400),
            load: BTreeMap::new(),
            metric: BTreeMap::new(),
            fault: BTreeMap::new(),
            price: BTreeMap::new(),
        }
    }
}

fn wrong(message: String) -> ProviderError {
    ProviderError::Configuration { message }
}

/// Reads one value, naming the path to it in the message.
fn read<T: serde::de::DeserializeOwned>(path: &str, value: &Value) -> Result<T, ProviderError> {
    T::deserialize(value).map_err(|error| wrong(format!("provider \"mock\": {path}: {error}")))
}

impl MockSettings {
    /// Reads the attributes as [`tideform_policies::model::ProviderConfiguration`] has them. `null` is the default.
    ///
    /// # Errors
    /// `Configuration`: the first attribute that is unknown or wrong, by its path.
    pub fn from_attributes(attributes: &Map<String, Value>) -> Result<MockSettings, ProviderError> {
        let mut settings = MockSettings::default();
        for (name, value) in attributes {
            if value.is_null() {
                continue;
            }
            match name.as_str() {
                "enabled" => {}
                "world" => settings.world = read(name, value)?,
                "clock" => settings.clock = read(name, value)?,
                "start" => settings.start = read(name, value)?,
                "step" => settings.step = Some(duration(name, value)?),
                "seed" => settings.seed = read(name, value)?,
                "region" => settings.region = read(name, value)?,
                "delay" => settings.delay = duration(name, value)?,
                "retention" => settings.retention = duration(name, value)?,
                "load" => settings.load = blocks(name, value)?,
                "metric" => settings.metric = blocks(name, value)?,
                "fault" => settings.fault = blocks(name, value)?,
                "price" => settings.price = blocks(name, value)?,
                other => {
                    let known = [
                        "clock",
                        "delay",
                        "fault",
                        "load",
                        "price",
                        "region",
                        "retention",
                        "seed",
                        "start",
                        "step",
                        "world",
                    ];
                    return Err(wrong(format!(
                        "provider \"mock\" has no attribute `{other}`; {}",
                        nearest(other, &known)
                    )));
                }
            }
        }
        settings.check()?;
        Ok(settings)
    }

    fn check(&self) -> Result<(), ProviderError> {
        if let Some(step) = self.step {
            let whole = step.as_millis() % 1000 == 0;
            if !whole || !(1..=3_600).contains(&step.as_secs()) {
                return Err(wrong(
                    "provider \"mock\": step must be whole seconds, from 1s to 1h".to_owned(),
                ));
            }
        }
        if self.world.is_empty() {
            return Err(wrong(
                "provider \"mock\": world must name a file".to_owned(),
            ));
        }
        for (name, load) in &self.load {
            let path = format!("provider \"mock\": load \"{name}\"");
            match (&load.trace, &load.formula) {
                (Some(_), Some(_)) => {
                    return Err(wrong(format!("{path} has both `trace` and `formula`")));
                }
                (None, None) => {
                    return Err(wrong(format!("{path} needs `trace` or `formula`")));
                }
                _ => {}
            }
            if let Some(scale) = load.scale
                && !(scale.is_finite() && scale >= 0.0)
            {
                return Err(wrong(format!("{path}: scale must be 0 or more")));
            }
        }
        for (name, metric) in &self.metric {
            let given = [
                metric.trace.is_some(),
                metric.formula.is_some(),
                metric.value.is_some(),
            ];
            if given.iter().filter(|given| **given).count() != 1 {
                return Err(wrong(format!(
                    "provider \"mock\": metric \"{name}\" needs one of `trace`, `formula` and `value`"
                )));
            }
        }
        for (name, fault) in &self.fault {
            let path = format!("provider \"mock\": fault \"{name}\"");
            let kind = fault_kind(name, fault)?;
            let rate = fault.rate.unwrap_or(1.0);
            let hourly = matches!(kind, FaultKind::InterruptSpot | FaultKind::Break);
            if !(rate.is_finite() && rate >= 0.0 && (hourly || rate <= 1.0)) {
                return Err(wrong(format!(
                    "{path}: rate must be {}",
                    if hourly {
                        "0 or more"
                    } else {
                        "between 0 and 1"
                    }
                )));
            }
        }
        for (name, price) in &self.price {
            let prices = [Some(price.on_demand_usd_per_hour), price.spot_usd_per_hour];
            if prices
                .iter()
                .flatten()
                .any(|p| !(p.is_finite() && *p >= 0.0))
            {
                return Err(wrong(format!(
                    "provider \"mock\": price \"{name}\": prices must be 0 or more"
                )));
            }
        }
        Ok(())
    }

    /// The world's file.
    pub fn path(&self, directory: &Path) -> PathBuf {
        directory.join(&self.world)
    }

    /// The same with traces by their absolute path, so that it can be read again from anywhere.
    #[must_use]
    pub fn anchored(&self, directory: &Path) -> MockSettings {
        let mut settings = self.clone();
        let loads = settings.load.values_mut().map(|load| &mut load.trace);
        let metrics = settings.metric.values_mut().map(|metric| &mut metric.trace);
        for trace in loads.chain(metrics).flatten() {
            let path = directory.join(&*trace);
            let path = std::path::absolute(&path).unwrap_or(path);
            *trace = path.to_string_lossy().into_owned();
        }
        settings
    }

    /// The files of all traces.
    pub fn traces(&self) -> impl Iterator<Item = &str> {
        let loads = self.load.values().map(|load| &load.trace);
        let metrics = self.metric.values().map(|metric| &metric.trace);
        loads.chain(metrics).flatten().map(String::as_str)
    }

    /// The names that metrics have here beside those that all worlds have.
    pub fn metric_names(&self) -> impl Iterator<Item = &str> {
        let of_loads = self.load.values().filter_map(|load| load.metric.as_deref());
        of_loads.chain(self.metric.keys().map(String::as_str))
    }

    /// What a world with these settings runs by. Reads the traces.
    ///
    /// # Errors
    /// `Configuration`: a trace or a formula that cannot be used.
    pub fn rules(&self, seed: u64, start: Moment, step_ms: i64) -> Result<Rules, ProviderError> {
        let mut rules = Rules::new(start, seed);
        rules.step_ms = step_ms;
        rules.delay = self.delay;
        rules.retention = self.retention;
        for (name, load) in &self.load {
            rules.loads.insert(name.clone(), load.load(name)?);
        }
        for (name, metric) in &self.metric {
            rules.metrics.insert(name.clone(), metric.metric(name)?);
        }
        for (name, fault) in &self.fault {
            rules.faults.push(fault.fault(name)?);
        }
        for (name, price) in &self.price {
            rules.prices.insert(name.clone(), price.prices());
        }
        Ok(rules)
    }
}

fn duration(path: &str, value: &Value) -> Result<Duration, ProviderError> {
    lenient::duration_of(value).map_err(|what| wrong(format!("provider \"mock\": {path}: {what}")))
}

fn blocks<T: serde::de::DeserializeOwned>(
    kind: &str,
    value: &Value,
) -> Result<BTreeMap<String, T>, ProviderError> {
    let Value::Object(labelled) = value else {
        return Err(wrong(format!(
            "provider \"mock\": {kind} must be blocks with a label"
        )));
    };
    labelled
        .iter()
        .filter(|(_, body)| !body.is_null() && body.get("enabled") != Some(&Value::Bool(false)))
        .map(|(label, body)| {
            let body = match body {
                // `null` is the default, also within a block.
                Value::Object(fields) => Value::Object(
                    fields
                        .iter()
                        .filter(|(name, field)| !field.is_null() && *name != "enabled")
                        .map(|(name, field)| (name.clone(), field.clone()))
                        .collect(),
                ),
                other => other.clone(),
            };
            Ok((label.clone(), read(&format!("{kind} \"{label}\""), &body)?))
        })
        .collect()
}

impl LoadSettings {
    fn load(&self, name: &str) -> Result<Load, ProviderError> {
        let place = format!("load \"{name}\"");
        Ok(Load {
            kind: self.kind,
            shape: match (&self.trace, &self.formula) {
                (Some(trace), _) => traced(
                    &place,
                    trace,
                    self.per,
                    self.align,
                    self.repeat,
                    self.offset,
                )?,
                (None, Some(formula)) => computed(&place, formula)?,
                (None, None) => Shape::None,
            },
            scale: self.scale.unwrap_or(1.0),
            noise: self.noise,
            metric: self.metric.clone(),
            key: random::key(name),
        })
    }
}

impl MetricSettings {
    fn metric(&self, name: &str) -> Result<CustomMetric, ProviderError> {
        let place = format!("metric \"{name}\"");
        Ok(CustomMetric {
            shape: match (&self.trace, &self.formula, self.value) {
                (Some(trace), _, _) => traced(
                    &place,
                    trace,
                    Per::Second,
                    self.align,
                    self.repeat,
                    self.offset,
                )?,
                (None, Some(formula), _) => computed(&place, formula)?,
                (None, None, value) => Shape::Constant(value.unwrap_or(f64::NAN)),
            },
            scale: self.scale.unwrap_or(1.0),
            group: self.resource.clone(),
        })
    }
}

fn traced(
    place: &str,
    file: &str,
    per: Per,
    align: Align,
    repeat: Option<bool>,
    offset: Option<Duration>,
) -> Result<Shape, ProviderError> {
    Ok(Shape::Trace {
        trace: Trace::read(Path::new(file), per)
            .map_err(|error| wrong(format!("provider \"mock\": {place}: {error}")))?
            .into(),
        align,
        repeat: repeat.unwrap_or(true),
        offset: offset.unwrap_or_default(),
    })
}

fn computed(place: &str, formula: &str) -> Result<Shape, ProviderError> {
    LoadFormula::parse(formula)
        .map(Shape::Formula)
        .map_err(|what| wrong(format!("provider \"mock\": {place}: formula: {what}")))
}

fn fault_kind(name: &str, fault: &FaultSettings) -> Result<FaultKind, ProviderError> {
    match fault.kind {
        Some(kind) => Ok(kind),
        None => FaultKind::deserialize(Value::from(name)).map_err(|_| {
            let known = [
                "break",
                "denied",
                "interrupt_spot",
                "lag",
                "no_capacity",
                "throttle",
                "timeout_after",
                "timeout_before",
                "unavailable",
            ];
            wrong(format!(
                "provider \"mock\": fault \"{name}\" needs a `kind`; {}",
                nearest(name, &known)
            ))
        }),
    }
}

impl FaultSettings {
    fn fault(&self, name: &str) -> Result<Fault, ProviderError> {
        let fault = Fault::new(fault_kind(name, self)?);
        Ok(Fault {
            rate: self.rate.unwrap_or(fault.rate),
            calls: self.calls.clone(),
            groups: self.groups.clone(),
            from: self.from,
            until: self.until,
            lifecycle: self.lifecycle,
            notice: self.notice.unwrap_or(fault.notice),
            lag: self.lag.unwrap_or(fault.lag),
            ..fault
        })
    }
}

impl PriceSettings {
    fn prices(&self) -> TypePrices {
        TypePrices {
            on_demand_usd_per_hour: self.on_demand_usd_per_hour,
            spot_usd_per_hour: self
                .spot_usd_per_hour
                .unwrap_or(self.on_demand_usd_per_hour * 0.37),
        }
    }
}

#[cfg(test)]
#[path = "settings_tests.rs"]
mod tests;
