//! The group that a test runs against: its instances, its samples so far, what people asked for, and the memory
//! between the steps.
//!
//! Simple on purpose, and documented in `docs/language.md`: an accepted scale-out launches its instances at once,
//! they boot for `instance.boot` and then warm up; an accepted scale-in ends its instances at once.

use std::cmp::Ordering;
use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use jiff::{SignedDuration, Timestamp};
use tideform_policies::model::{
    Capacity, Given, Group, Instance, InstanceId, InstanceSample, InstanceState, Lifecycle,
    MetricReading, MetricSource, Name, Sample, Scope, Test, TestOverride, TestStep, TestValue,
};

use super::check::Mismatch;
use super::later;
use crate::engine::{
    Action, ActiveSurge, BY_TIDEFORM, Decision, Memory, Observation, Overrides, Pause, Pin,
    Recommendation, Spent, freshness, reach,
};

/// Beyond this a test runs without single instances: all are ready.
const MOST_INSTANCES: u32 = 20_000;
/// Who pins and pauses in a test.
const BY_TEST: &str = "the test";

/// The group between two decisions.
pub(super) struct World {
    group: Group,
    desired: Capacity,
    /// `None`: too many to list.
    instances: Option<Vec<Instance>>,
    /// How many are ready, where a step has said so.
    ready: Option<Capacity>,
    samples: BTreeMap<Name, Vec<Sample>>,
    /// How long the samples of a metric are kept.
    kept_for: BTreeMap<Name, Duration>,
    overrides: Overrides,
    spent: Option<Spent>,
    failed_spot_launches: Vec<Timestamp>,
    launched: u64,
    pub(super) memory: Memory,
}

/// What a step shows to the engine.
pub(super) struct Seen {
    pub(super) observation: Observation,
    /// Samples of instances that are not there.
    pub(super) misplaced: Vec<Mismatch>,
}

impl World {
    /// Why the test cannot begin as it says, which is known only with the group.
    pub(super) fn impossible(group: &Group, test: &Test) -> Option<String> {
        let ready = test.given.ready?;
        let desired = given_desired(group, test, &[]);
        (ready > desired).then(|| {
            format!("`given` has {ready} ready, and the capacity that it begins with is {desired}: add `desired`")
        })
    }

    pub(super) fn new(group: &Group, test: &Test) -> World {
        let given = &test.given;
        let instances = given_instances(given, test.start);
        let desired = given_desired(group, test, &instances);
        let mut world = World {
            group: group.clone(),
            desired,
            instances: (desired.get() <= MOST_INSTANCES).then_some(instances),
            ready: None,
            samples: BTreeMap::new(),
            kept_for: reach(group),
            overrides: Overrides::default(),
            spent: None,
            failed_spot_launches: Vec::new(),
            launched: 0,
            memory: remembered(given, test.start),
        };
        if given.instances.is_empty() {
            let ready = given.ready.unwrap_or(desired).min(desired);
            world.launch(ready.get(), None);
            world.launch(desired.get() - ready.get(), Some(test.start));
        }
        world
    }

    /// Launches instances; those without a time have been in service for long.
    fn launch(&mut self, count: u32, at: Option<Timestamp>) {
        let Some(instances) = &mut self.instances else {
            return;
        };
        let taken: BTreeSet<InstanceId> = instances.iter().map(|i| i.id.clone()).collect();
        for _ in 0..count {
            let id = loop {
                self.launched += 1;
                let id: InstanceId = format!("i-{}", self.launched).into();
                if !taken.contains(&id) {
                    break id;
                }
            };
            instances.push(Instance {
                id,
                state: InstanceState::InService,
                launched_at: at,
                in_service_at: at,
                ready: None,
                ready_changed_at: None,
                lifecycle: Lifecycle::OnDemand,
                protected: false,
                instance_type: None,
                weight: 1,
            });
        }
    }

    /// What a step shows to the engine. What happens once happens at its first decision.
    pub(super) fn observe(&mut self, step: &TestStep, is_first: bool, now: Timestamp) -> Seen {
        if is_first {
            self.begin(step, now);
        }
        let instances = self.seen_instances(now);
        let mut misplaced = Vec::new();
        let mut seen = Observation {
            desired: self.desired,
            left_out: left_out(&self.group, step),
            overrides: self.overrides.clone(),
            spent: self.spent,
            failed_spot_launches: self.failed_spot_launches.clone(),
            ..Observation::default()
        };
        for (name, value) in &step.metrics {
            let reading = match value {
                TestValue::Group(value) => MetricReading::Group(self.sampled(name, *value, now)),
                TestValue::PerInstance(values) => {
                    misplaced.extend(self.not_per_instance(name));
                    if let Some(instances) = &instances {
                        misplaced.extend(wrong_number(name, values.len(), instances.len()));
                    }
                    let ids = instances.iter().flatten().map(|i| i.id.clone());
                    per_instance(ids.zip(values.iter().copied()), now)
                }
                TestValue::ByInstance(values) => {
                    misplaced.extend(self.not_per_instance(name));
                    let ids = values.iter().map(|(id, value)| (id.clone(), *value));
                    if let Some(instances) = &instances {
                        let is_there = |id: &InstanceId| instances.iter().any(|i| i.id == *id);
                        misplaced.extend(values.keys().filter(|id| !is_there(id)).map(|id| {
                            Mismatch::UnknownInstance {
                                metric: name.clone(),
                                id: id.clone(),
                                known: instances.iter().map(|i| i.id.clone()).collect(),
                            }
                        }));
                    }
                    per_instance(ids, now)
                }
                TestValue::Missing => MetricReading::Group(self.outdated(name, now)),
            };
            seen.metrics.insert(name.clone(), reading);
        }
        // What earlier steps said is still there for formulas and guards, as long as it is fresh.
        for (name, samples) in &self.samples {
            if !seen.metrics.contains_key(name) {
                seen.metrics
                    .insert(name.clone(), MetricReading::Group(samples.clone()));
            }
        }
        seen.instances = instances;
        Seen {
            observation: seen,
            misplaced,
        }
    }

    /// What is wrong with values by instance of a metric that is not about single instances.
    fn not_per_instance(&self, name: &Name) -> Option<Mismatch> {
        let scope = self.group.metric(name)?.scope;
        (scope != Scope::Instance).then(|| Mismatch::NotPerInstance {
            metric: name.clone(),
            scope,
        })
    }

    /// What a step says once: how many are ready from here on, and what people ask for.
    fn begin(&mut self, step: &TestStep, now: Timestamp) {
        if step.ready.is_some() {
            self.ready = step.ready;
        }
        if let Some(cost_usd) = step.spent_usd {
            self.spent = Some(Spent { cost_usd });
        }
        let failed = usize::try_from(step.failed_spot_launches).unwrap_or(usize::MAX);
        self.failed_spot_launches
            .extend(std::iter::repeat_n(now, failed));
        for asked in &step.overrides {
            match asked {
                TestOverride::Pin { desired, duration } => {
                    self.overrides.pin = Some(Pin {
                        capacity: *desired,
                        until: later(now, *duration),
                        reason: None,
                        by: BY_TEST.to_owned(),
                    });
                }
                TestOverride::Pause { duration } => {
                    self.overrides.pause = Some(Pause {
                        until: later(now, *duration),
                        reason: None,
                        by: BY_TEST.to_owned(),
                    });
                }
                TestOverride::Surge { name, duration } => {
                    let surges = &self.group.policy.surges;
                    if let Some(surge) = surges.iter().find(|surge| surge.name == *name) {
                        self.overrides.surges.push(ActiveSurge {
                            name: name.clone(),
                            min: surge.min,
                            from: now,
                            until: later(now, duration.unwrap_or(surge.duration)),
                        });
                    }
                }
            }
        }
    }

    /// All samples of a metric with a new one, without those that no rule looks back to.
    fn sampled(&mut self, name: &Name, value: f64, now: Timestamp) -> Vec<Sample> {
        let samples = self.samples.entry(name.clone()).or_default();
        if value.is_finite() {
            samples.push(Sample { at: now, value });
        }
        if let Some(oldest) = self
            .kept_for
            .get(name)
            .and_then(|span| SignedDuration::try_from(*span).ok())
            .and_then(|span| now.checked_sub(span).ok())
        {
            samples.retain(|sample| sample.at >= oldest);
        }
        samples.clone()
    }

    fn seen_instances(&self, now: Timestamp) -> Option<Vec<Instance>> {
        let mut instances = self.instances.clone()?;
        if let Some(ready) = self.ready {
            for (place, instance) in (0_u32..).zip(&mut instances) {
                instance.in_service_at = (place >= ready.get()).then_some(now);
                instance.launched_at = instance.in_service_at;
            }
            return Some(instances);
        }
        for instance in &mut instances {
            if instance.state == InstanceState::InService
                && instance.in_service_at.is_some_and(|at| now < at)
            {
                instance.state = InstanceState::Pending;
                instance.in_service_at = None;
            }
        }
        Some(instances)
    }

    /// The samples so far, moved back until the newest is no longer fresh: `null` says that there is no data now.
    fn outdated(&self, name: &Name, now: Timestamp) -> Vec<Sample> {
        let (Some(samples), Some(metric)) = (self.samples.get(name), self.group.metric(name))
        else {
            return Vec::new();
        };
        let Some(newest) = samples.last() else {
            return Vec::new();
        };
        let stale = SignedDuration::try_from(freshness(metric))
            .ok()
            .and_then(|fresh| fresh.checked_add(SignedDuration::from_secs(1)))
            .and_then(|age| now.checked_sub(age).ok());
        let Some(stale) = stale else {
            return Vec::new();
        };
        let by = newest.at.duration_since(stale).max(SignedDuration::ZERO);
        samples
            .iter()
            .filter_map(|sample| {
                Some(Sample {
                    at: sample.at.checked_sub(by).ok()?,
                    value: sample.value,
                })
            })
            .collect()
    }

    /// Carries the decision out: the change is recorded, instances start or end.
    pub(super) fn accept(&mut self, decision: &Decision, now: Timestamp) {
        self.memory = decision.memory.clone();
        let (from, to) = (decision.current, decision.desired);
        if from == to {
            return;
        }
        self.memory.record(Action {
            at: now,
            from,
            to,
            by: BY_TIDEFORM.into(),
        });
        self.desired = to;
        if to.get() > MOST_INSTANCES {
            self.instances = None;
        }
        if to > from {
            let instance = self.group.policy.instance.as_ref();
            let boot = instance
                .and_then(|instance| instance.boot)
                .unwrap_or_default();
            let before = self.instances.as_ref().map_or(0, Vec::len);
            self.launch(to.get() - from.get(), Some(now));
            let launched = self.instances.iter_mut().flatten().skip(before);
            for instance in launched {
                instance.in_service_at = Some(later(now, boot));
            }
        } else if let Some(instances) = &mut self.instances {
            let named: BTreeSet<_> = decision.victims.iter().collect();
            instances.retain(|instance| !named.contains(&instance.id));
            // The backend's choice: the newest that may end.
            let mut left = units(instances);
            while left > to.get() {
                let last = instances.iter().rposition(|instance| {
                    exists(instance)
                        && !instance.protected
                        && left - instance.weight.min(left) >= to.get()
                });
                let Some(last) = last else { break };
                left -= instances.remove(last).weight.max(1).min(left);
            }
        }
    }
}

/// The instances that a test lists.
fn given_instances(given: &Given, start: Timestamp) -> Vec<Instance> {
    given
        .instances
        .iter()
        .map(|instance| {
            let since = instance
                .age
                .and_then(|age| SignedDuration::try_from(age).ok())
                .and_then(|age| start.checked_sub(age).ok());
            let is_pending = instance.state == InstanceState::Pending;
            Instance {
                id: instance.id.clone(),
                state: instance.state,
                launched_at: since.or(is_pending.then_some(start)),
                in_service_at: since.filter(|_| !is_pending),
                ready: instance.is_ready,
                ready_changed_at: instance.is_ready.and(since),
                lifecycle: instance.lifecycle,
                protected: instance.is_protected,
                instance_type: instance.instance_type.clone(),
                weight: instance.weight,
            }
        })
        .collect()
}

fn exists(instance: &Instance) -> bool {
    match instance.state {
        InstanceState::Pending | InstanceState::InService | InstanceState::Unhealthy => true,
        InstanceState::Draining | InstanceState::Ended => false,
    }
}

/// What the instances that exist count together.
fn units(instances: &[Instance]) -> u32 {
    instances
        .iter()
        .filter(|instance| exists(instance))
        .fold(0, |sum, instance| sum.saturating_add(instance.weight))
}

/// What is remembered before the first step.
fn remembered(given: &Given, start: Timestamp) -> Memory {
    let before = |ago: Duration| {
        SignedDuration::try_from(ago)
            .ok()
            .and_then(|ago| start.checked_sub(ago).ok())
            .unwrap_or(Timestamp::MIN)
    };
    let mut memory = Memory::default();
    let mut actions: Vec<_> = given.actions.iter().collect();
    actions.sort_by_key(|action| std::cmp::Reverse(action.ago));
    for action in actions {
        memory.record(Action {
            at: before(action.ago),
            from: action.change.before,
            to: action.change.after,
            by: BY_TIDEFORM.into(),
        });
    }
    let mut recommendations: Vec<_> = given.recommendations.iter().collect();
    recommendations.sort_by_key(|recommendation| std::cmp::Reverse(recommendation.ago));
    memory.recommendations = recommendations
        .into_iter()
        .map(|recommendation| Recommendation {
            at: before(recommendation.ago),
            desired: recommendation.desired,
        })
        .collect();
    memory
}

/// One value an instance.
fn per_instance(
    values: impl Iterator<Item = (InstanceId, Option<f64>)>,
    now: Timestamp,
) -> MetricReading {
    MetricReading::PerInstance {
        at: now,
        values: values
            .map(|(id, value)| InstanceSample {
                id,
                value,
                of: None,
            })
            .collect(),
    }
}

/// The metrics that a step does not name. A formula is named by what it reads.
fn left_out(group: &Group, step: &TestStep) -> BTreeSet<Name> {
    let metrics = &group.policy.metrics;
    let mut named: BTreeSet<&str> = step.metrics.keys().map(|name| &**name).collect();
    // Formulas may read formulas: as many rounds as there are metrics settle it.
    for _ in 0..metrics.len() {
        let before = named.len();
        for metric in metrics {
            if let MetricSource::Formula(formula) = &metric.source
                && formula
                    .metrics()
                    .iter()
                    .all(|input| named.contains(&**input))
            {
                named.insert(&metric.name);
            }
        }
        if named.len() == before {
            break;
        }
    }
    metrics
        .iter()
        .filter(|metric| !named.contains(&*metric.name))
        .map(|metric| metric.name.clone())
        .collect()
}

/// The capacity before the first step.
fn given_desired(group: &Group, test: &Test, instances: &[Instance]) -> Capacity {
    test.given.desired.unwrap_or_else(|| match instances {
        [] => group
            .policy
            .limits
            .map_or(Capacity::ZERO, |limits| limits.min()),
        instances => Capacity(units(instances)),
    })
}

/// A list of samples that does not have one for each instance.
fn wrong_number(metric: &Name, samples: usize, instances: usize) -> Option<Mismatch> {
    let metric = metric.clone();
    match samples.cmp(&instances) {
        Ordering::Equal => None,
        Ordering::Greater => Some(Mismatch::TooManySamples {
            metric,
            samples,
            instances,
        }),
        Ordering::Less => Some(Mismatch::TooFewSamples {
            metric,
            samples,
            instances,
        }),
    }
}
