//! The mock cloud as a provider.

use std::collections::BTreeSet;
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use serde_json::{Map, Value};
use tideform_policies::model::{
    Controller, Group, InstanceId, MetricQuery, MetricSource, Resource,
};
use tideform_provider::{
    Capabilities, Clock, ControlContext, ControlSpec, GroupChange, GroupFilter, GroupRequest,
    GroupSpec, Identity, Imported, ItemResult, Kept, LeftControl, LiveGroup, MetricHistory,
    MetricRequest, MetricResponse, Owner, PriceRequest, Prices, Provider, ProviderError,
    Unsupported,
};

use crate::admin::Admin;
use crate::clock::SteppedClock;
use crate::launch::{self, nearest};
use crate::settings::{ClockKind, MockSettings};
use crate::store::Store;
use crate::world::fault::{Call, FaultKind};
use crate::world::metric::{METRICS, Sampling, WorldMetric};
use crate::world::{KIND, Refusal, Strike, World};

/// The most groups or metrics that one call reads, as AWS's: one draw of a fault strikes them together.
const PER_READ: usize = 100;

/// The shortest sample whose history is told.
const LEAST_PERIOD: Duration = Duration::from_secs(60);

/// How spot capacity may be chosen: AWS's words. The mock only keeps them.
const ALLOCATIONS: [&str; 5] = [
    "capacity-optimized",
    "capacity-optimized-prioritized",
    "lowest-price",
    "price-capacity-optimized",
    "prioritized",
];

/// The embedded mock cloud. Calls block for the length of a SQLite transaction, well under a millisecond.
#[derive(Clone, Debug)]
pub struct MockProvider {
    store: Arc<Store>,
    region: String,
    loads: BTreeSet<String>,
    /// Names of metrics beside those that all worlds have.
    metrics: BTreeSet<String>,
    /// How long samples are kept.
    retention: Duration,
}

impl MockProvider {
    /// Opens the world of a `provider "mock"` block, or makes it.
    ///
    /// - `settings`: the attributes, as [`tideform_policies::model::ProviderConfiguration`] has them.
    /// - `directory`: the configuration's; relative paths begin there.
    ///
    /// # Errors
    /// `Configuration`: wrong settings, an unreadable trace, or a file that is no world.
    pub fn open(
        settings: &Map<String, Value>,
        directory: &Path,
    ) -> Result<MockProvider, ProviderError> {
        let settings = MockSettings::from_attributes(settings)?;
        Ok(MockProvider {
            store: Arc::new(Store::open(&settings, directory)?),
            metrics: settings.metric_names().map(str::to_owned).collect(),
            retention: settings.retention,
            region: settings.region,
            loads: settings.load.into_keys().collect(),
        })
    }

    /// Hands in the world: what somebody could do there outside tideform.
    pub fn admin(&self) -> Admin {
        Admin::new(self.store.clone())
    }

    /// Does a write, as faults let it.
    fn change(
        &self,
        call: Call,
        group: &Resource,
        change: impl FnOnce(&mut World) -> Result<(), Refusal>,
    ) -> Result<(), ProviderError> {
        if &*group.kind != KIND {
            return Err(ProviderError::Refused {
                request: call.name(),
                message: format!("the mock cloud has no `{}`, only `{KIND}`", group.kind),
            });
        }
        self.store.write(|world| {
            let strike = if world.strikes_calls() {
                world.strike(call, Some(&group.name))
            } else {
                Strike::Nothing
            };
            match strike {
                Strike::Nothing => change(world).map_err(|refusal| refused(call, refusal)),
                Strike::Before(kind) => Err(struck(call, kind)),
                Strike::After => {
                    // Whatever the answer was, it does not arrive.
                    let _ = change(world);
                    Err(struck(call, FaultKind::TimeoutAfter))
                }
            }
        })?
    }

    /// Does a batch of reads, as faults let it: they strike `PER_READ` items together.
    fn read<I, T>(
        &self,
        call: Call,
        items: &[I],
        mut read: impl FnMut(&mut World, &I) -> Result<T, ProviderError>,
    ) -> Vec<ItemResult<T>> {
        // Without faults the whole list is one look at one moment.
        let whole = !self
            .store
            .read(|world| world.strikes_calls())
            .unwrap_or(true);
        let size = if whole { items.len() } else { PER_READ };
        let mut answers = Vec::with_capacity(items.len());
        for batch in items.chunks(size.max(1)) {
            let answer = self.look(call, |world| {
                batch
                    .iter()
                    .map(|item| read(world, item))
                    .collect::<Vec<ItemResult<T>>>()
            });
            match answer {
                Ok(list) => answers.extend(list),
                Err(error) => {
                    answers.extend(batch.iter().map(|_| Err(error.again())));
                }
            }
        }
        answers
    }

    fn unknown_metric(&self, name: &str) -> Option<(String, String)> {
        if WorldMetric::named(name).is_some() || self.metrics.contains(name) {
            return None;
        }
        let known: Vec<&str> = METRICS
            .iter()
            .map(|(name, _)| *name)
            .chain(self.metrics.iter().map(String::as_str))
            .collect();
        Some((
            format!("the mock cloud has no metric `{name}`"),
            nearest(name, &known),
        ))
    }

    fn look<T>(&self, call: Call, look: impl FnOnce(&mut World) -> T) -> Result<T, ProviderError> {
        if !self.store.read(|world| world.strikes_calls())? {
            return self.store.read(look);
        }
        self.store.write(|world| match world.strike(call, None) {
            Strike::Nothing | Strike::After => Ok(look(world)),
            Strike::Before(kind) => Err(struck(call, kind)),
        })?
    }
}

fn refused(call: Call, refusal: Refusal) -> ProviderError {
    match refusal {
        Refusal::NotFound { kind, name } => ProviderError::NotFound {
            kind: kind.to_owned(),
            name,
        },
        Refusal::Refused(message) => ProviderError::Refused {
            request: call.name(),
            message,
        },
    }
}

fn struck(call: Call, kind: FaultKind) -> ProviderError {
    let request = call.name();
    match kind {
        FaultKind::Throttle => ProviderError::Throttled {
            request,
            retry_after: None,
        },
        FaultKind::Denied => ProviderError::Denied {
            request,
            message: format!("the mock cloud's faults do not let you `{request}`"),
        },
        FaultKind::TimeoutBefore | FaultKind::TimeoutAfter => ProviderError::OutcomeUnknown {
            request,
            source: "the mock cloud timed out".into(),
        },
        FaultKind::Unavailable
        | FaultKind::Lag
        | FaultKind::NoCapacity
        | FaultKind::InterruptSpot
        | FaultKind::Break => ProviderError::Unavailable {
            request,
            message: "the mock cloud is not there".to_owned(),
        },
    }
}

fn read_metric(
    world: &mut World,
    request: &MetricRequest,
) -> Result<MetricResponse, ProviderError> {
    let refuse = |message: String| {
        Err(ProviderError::Refused {
            request: Call::ReadMetrics.name(),
            message,
        })
    };
    let Some(resource) = &request.resource else {
        return refuse("the mock cloud has metrics of groups only".to_owned());
    };
    if let Some((what, help)) = beyond(&request.query) {
        return refuse(format!("{what}; {help}"));
    }
    let metric = &request.query.name;
    let sampling = Sampling {
        statistic: request.statistic,
        period: request.period,
        from: request.from.into(),
        to: request.to.into(),
    };
    Ok(MetricResponse {
        samples: world.samples(&resource.name, metric, &sampling),
        per_instance: request
            .per_instance
            .then(|| world.per_instance(&resource.name, metric))
            .flatten()
            .map(|(at, values)| (at.timestamp(), values)),
        counts_warming: true,
    })
}

/// What no mock cloud has in a query, and what to do.
fn beyond(query: &MetricQuery) -> Option<(String, String)> {
    let help = "name one of its metrics".to_owned();
    if query.query.is_some() {
        return Some(("the mock cloud has no query language".to_owned(), help));
    }
    if query.namespace.is_some() || !query.dimensions.is_empty() {
        let what = "the mock cloud's metrics have no namespace and no dimensions";
        return Some((what.to_owned(), help));
    }
    None
}

#[async_trait]
impl Provider for MockProvider {
    fn capabilities(&self) -> Capabilities {
        Capabilities {
            resource_kinds: vec![KIND.to_owned()],
            metric_names: METRICS
                .iter()
                .map(|(name, _)| (*name).to_owned())
                .chain(self.metrics.iter().cloned())
                .collect(),
            per_instance_metrics: true,
            chooses_victims: true,
            has_lifecycles: true,
            native_control: false,
            creates: true,
            groups_per_read: PER_READ,
            metrics_per_read: PER_READ,
            metric_history: Some(MetricHistory {
                source: "the mock cloud".to_owned(),
                kept: vec![Kept {
                    period: LEAST_PERIOD,
                    age: self.retention,
                }],
                without_capacity: "it knows no such group".to_owned(),
            }),
        }
    }

    fn clock(&self) -> Option<Arc<dyn Clock>> {
        match self.store.clock() {
            ClockKind::Real => None,
            ClockKind::Stepped => Some(Arc::new(SteppedClock::new(self.store.clone()))),
        }
    }

    async fn identity(&self) -> Result<Identity, ProviderError> {
        self.look(Call::Identity, |_| Identity {
            account: self.store.id().to_owned(),
            region: self.region.clone(),
        })
    }

    fn check(&self, group: &Group) -> Vec<Unsupported> {
        let mut problems = Vec::new();
        let mut add = |path: &str, what: String, help: String| {
            problems.push(Unsupported {
                path: path.to_owned(),
                what,
                help,
            });
        };
        if &*group.resource.kind != KIND {
            add(
                "resource",
                format!("the mock cloud has no `{}`", group.resource.kind),
                format!("write `resource \"{KIND}\" {{ … }}`"),
            );
        }
        if group.controller == Controller::Native {
            add(
                "controller",
                "the mock cloud has no controls of its own".to_owned(),
                "`controller = \"tideform\"` does this".to_owned(),
            );
        }
        if group.policy.maintenance.is_some() {
            add(
                "maintenance",
                "the mock cloud replaces no instances by itself".to_owned(),
                "Take the block out.".to_owned(),
            );
        }
        if let Some(launch) = &group.launch {
            match launch::parse(&launch.attributes) {
                Ok(model) => {
                    if let Some(load) = model.load.filter(|load| !self.loads.contains(load)) {
                        let known: Vec<&str> = self.loads.iter().map(String::as_str).collect();
                        add(
                            "launch.load",
                            format!("provider \"mock\" has no load \"{load}\""),
                            if known.is_empty() {
                                format!("add `load \"{load}\" {{ … }}` to the provider")
                            } else {
                                nearest(&load, &known)
                            },
                        );
                    }
                }
                Err(list) => {
                    for problem in list {
                        add(
                            &format!("launch.{}", problem.attribute),
                            problem.what,
                            problem.help,
                        );
                    }
                }
            }
        }
        if let Some(allocation) = group
            .policy
            .mix
            .as_ref()
            .and_then(|mix| mix.allocation.as_deref())
            && !ALLOCATIONS.contains(&allocation)
        {
            add(
                "mix.allocation",
                format!("the mock cloud has no allocation `{allocation}`"),
                nearest(allocation, &ALLOCATIONS),
            );
        }
        for metric in &group.policy.metrics {
            let MetricSource::Query(query) = &metric.source else {
                continue;
            };
            let elsewhere = query
                .provider
                .as_ref()
                .is_some_and(|provider| *provider != group.provider);
            if elsewhere {
                continue;
            }
            if let Some((what, help)) = beyond(query).or_else(|| self.unknown_metric(&query.name)) {
                add(&format!("metric.{}", metric.name), what, help);
            }
        }
        problems
    }

    async fn controls(
        &self,
        _: &Group,
        _: &ControlContext<'_>,
    ) -> Result<Vec<ControlSpec>, Vec<Unsupported>> {
        Ok(Vec::new())
    }

    async fn read_groups(&self, requests: &[GroupRequest]) -> Vec<ItemResult<Option<LiveGroup>>> {
        self.read(
            Call::ReadGroups,
            requests,
            |world, GroupRequest { resource, .. }| {
                if &*resource.kind != KIND {
                    return Err(ProviderError::Refused {
                        request: Call::ReadGroups.name(),
                        message: format!(
                            "the mock cloud has no `{}`, only `{KIND}`",
                            resource.kind
                        ),
                    });
                }
                Ok(world.view(&resource.name))
            },
        )
    }

    /// The mock cloud's only tags are those of the owner.
    async fn find_groups(&self, filters: &[GroupFilter]) -> Result<Vec<Resource>, ProviderError> {
        self.look(Call::FindGroups, |world| {
            world
                .groups()
                .filter(|group| {
                    let workspace = group.owner.as_ref().map(|owner| owner.workspace.as_str());
                    filters.iter().all(|filter| {
                        let tags = workspace.map(|workspace| ("tideform:workspace", workspace));
                        filter.matches(&group.name, tags)
                    })
                })
                .map(|group| Resource {
                    kind: KIND.into(),
                    name: group.name.clone(),
                })
                .collect()
        })
    }

    async fn import_controls(&self, live: &LiveGroup) -> Result<Imported, ProviderError> {
        Ok(Imported {
            left: live
                .controls
                .iter()
                .map(|control| LeftControl {
                    name: control.name.clone(),
                    summary: control.summary.clone(),
                    why: "the mock cloud's controls say nothing".to_owned(),
                    help: None,
                })
                .collect(),
            limits: Some(live.attributes.limits),
            ..Imported::default()
        })
    }

    async fn owned_groups(&self, workspace: &str) -> Result<Vec<(Resource, Owner)>, ProviderError> {
        self.look(Call::OwnedGroups, |world| {
            world
                .groups()
                .filter_map(|group| {
                    let owner = group.owner.clone().filter(|o| o.workspace == workspace)?;
                    let resource = Resource {
                        kind: KIND.into(),
                        name: group.name.clone(),
                    };
                    Some((resource, owner))
                })
                .collect()
        })
    }

    async fn read_metrics(&self, requests: &[MetricRequest]) -> Vec<ItemResult<MetricResponse>> {
        self.read(Call::ReadMetrics, requests, read_metric)
    }

    async fn create_group(&self, spec: &GroupSpec) -> Result<(), ProviderError> {
        self.change(Call::CreateGroup, &spec.resource, |world| {
            world.create(spec)
        })
    }

    async fn update_group(&self, change: &GroupChange) -> Result<(), ProviderError> {
        self.change(Call::UpdateGroup, &change.resource, |world| {
            world.update(&change.resource.name, &change.changes)
        })
    }

    async fn delete_group(&self, resource: &Resource) -> Result<(), ProviderError> {
        self.change(Call::DeleteGroup, resource, |world| {
            world.delete(&resource.name)
        })
    }

    async fn set_desired(&self, resource: &Resource, desired: u32) -> Result<(), ProviderError> {
        self.change(Call::SetDesired, resource, |world| {
            world.set_desired(&resource.name, desired)
        })
    }

    async fn terminate_instance(
        &self,
        resource: &Resource,
        instance: &InstanceId,
    ) -> Result<(), ProviderError> {
        self.change(Call::TerminateInstance, resource, |world| {
            world.terminate(&resource.name, instance)
        })
    }

    async fn prices(&self, requests: &[PriceRequest]) -> Vec<ItemResult<Option<Prices>>> {
        self.read(Call::Prices, requests, |world, request| {
            Ok(Some(world.rules.prices_of(&request.instance_type).into()))
        })
    }
}
