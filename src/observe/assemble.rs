//! Puts together what was read of a group into what a decision sees. Pure.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use tideform_policies::model::{
    Capacity, Group, Lifecycle, MetricReading, MetricSource, Name, Rule, Sample, Scope,
};
use tideform_provider::{ControlSpec, LiveGroup};

use super::read::Read;
use crate::engine::{ForecastFloor, Observation, Overrides, Readings, Spent};

/// What is known of a group beside what its provider says.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Beside {
    /// What people have asked for.
    pub overrides: Overrides,
    /// Money spent this month; `None`: not known.
    pub spent: Option<Spent>,
    /// Predicted demand as a floor.
    pub forecast: Option<ForecastFloor>,
    /// Something stood in the way of its last change.
    pub was_held: bool,
    /// The scheduled actions of a group that the cloud scales are read with it.
    pub needs_schedules: bool,
}

/// What a group that the cloud's own controls scale is to have at this moment, of what time and people move.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct NativeControls {
    /// All its scheduled actions.
    pub schedules: Vec<ControlSpec>,
    /// The names of those that it has while nothing that people ask for holds; empty while nothing does.
    pub usual: BTreeSet<String>,
    /// What a pause moves beside switching the controls off, as it is to be now.
    pub pausable: Vec<ControlSpec>,
}

/// A group as it was observed.
#[derive(Clone, Debug, PartialEq)]
pub struct Observed {
    /// As the provider shows it.
    pub live: LiveGroup,
    /// As a decision sees it.
    pub observation: Observation,
    /// Metrics whose read failed, and why: to a decision they have no data.
    pub failed_metrics: BTreeMap<Name, Arc<str>>,
    /// The samples of the whole group that were read, by metric: for the record.
    pub samples: BTreeMap<Name, Vec<Sample>>,
    /// The newest value of the metric that is the group's load, where there is one.
    pub load: Option<f64>,
    /// What the cloud's own controls are to be, where the loop keeps them; else why nobody can say.
    pub native: Option<Result<NativeControls, String>>,
}

/// What a decision sees of a group that was read. `None` where its resource does not exist.
pub fn assemble(group: &Group, read: Read, beside: Beside) -> Option<Observed> {
    let live = read.live?;
    let mut metrics = Readings::default();
    let mut counts_warming = BTreeSet::new();
    let mut failed_metrics = BTreeMap::new();
    let mut samples = BTreeMap::new();
    for (name, result) in read.metrics {
        let response = match result {
            Ok(response) => response,
            Err(error) => {
                failed_metrics.insert(name, Arc::from(chain(&error)));
                continue;
            }
        };
        if response.counts_warming {
            counts_warming.insert(name.clone());
        }
        let reading = match response.per_instance {
            Some((at, values)) if is_tracked_by_instance(group, &name) => {
                MetricReading::PerInstance { at, values }
            }
            _ => MetricReading::Group(response.samples.clone()),
        };
        metrics.insert(name.clone(), reading);
        samples.insert(name, response.samples);
    }
    let load = load_metric(group)
        .and_then(|name| samples.get(&name))
        .and_then(|samples| samples.last())
        .map(|sample| sample.value);
    let observation = Observation {
        desired: Capacity(live.desired),
        limits: Some(live.attributes.limits),
        instances: Some(live.instances.clone()),
        units: None,
        spreads: Vec::new(),
        metrics,
        counts_warming,
        left_out: BTreeSet::new(),
        overrides: beside.overrides,
        spent: beside.spent,
        forecast: beside.forecast,
        failed_spot_launches: live
            .failed_launches
            .iter()
            .filter(|failed| failed.lifecycle == Lifecycle::Spot)
            .map(|failed| failed.at)
            .collect(),
    };
    Some(Observed {
        live,
        observation,
        failed_metrics,
        samples,
        load,
        native: None,
    })
}

fn is_tracked_by_instance(group: &Group, name: &str) -> bool {
    group.metric(name).is_some_and(|metric| {
        metric.scope == Scope::Instance && matches!(metric.rule, Some(Rule::Track(_)))
    })
}

/// The metric that is the group's load: as `instance.load` says, else the forecast's, else one that is called
/// `requests` or `load`.
pub fn load_metric(group: &Group) -> Option<Name> {
    let policy = &group.policy;
    let named = policy
        .instance
        .as_ref()
        .and_then(|instance| instance.load.clone());
    let forecast = policy
        .forecast
        .as_ref()
        .map(|forecast| forecast.metric.clone());
    named.or(forecast).or_else(|| {
        policy
            .metrics
            .iter()
            .filter(|metric| matches!(metric.source, MetricSource::Query(_)))
            .map(|metric| &metric.name)
            .find(|name| matches!(&***name, "requests" | "load"))
            .cloned()
    })
}

/// An error with its causes, as one line.
pub(crate) fn chain(error: &(dyn std::error::Error + 'static)) -> String {
    let mut text = error.to_string();
    let mut source = error.source();
    while let Some(cause) = source {
        text.push_str(": ");
        text.push_str(&cause.to_string());
        source = cause.source();
    }
    text
}
