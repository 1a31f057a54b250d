//! The group that a test runs against: its instances, its samples so far, and the memory between the steps.

use std::collections::{BTreeMap, BTreeSet};

use jiff::{SignedDuration, Timestamp};
use tideform_policies::model::{
    Capacity, Given, Group, Instance, InstanceSample, InstanceState, Lifecycle, MetricReading,
    MetricSource, Name, Sample, TestStep, TestValue,
};

use crate::engine::{Action, BY_TIDEFORM, Decision, Memory, Observation, Recommendation, Rules};

/// Beyond this a test runs without single instances: all are ready.
const MOST_INSTANCES: u32 = 20_000;

/// The group between two steps.
pub(super) struct World {
    desired: Capacity,
    /// `None`: too many to list.
    instances: Option<Vec<Instance>>,
    /// How many are ready, where a step has said so.
    ready: Option<Capacity>,
    samples: BTreeMap<Name, Vec<Sample>>,
    launched: u64,
    pub(super) memory: Memory,
}

impl World {
    pub(super) fn new(rules: &Rules, given: &Given, start: Timestamp) -> World {
        let policy = &rules.group().policy;
        let least = policy.limits.map_or(Capacity::ZERO, |limits| limits.min());
        let desired = given.desired.unwrap_or(least);
        let before = |ago: std::time::Duration| {
            SignedDuration::try_from(ago)
                .ok()
                .and_then(|ago| start.checked_sub(ago).ok())
                .unwrap_or(Timestamp::MIN)
        };
        let mut memory = Memory::default();
        for action in &given.actions {
            memory.record(Action {
                at: before(action.ago),
                from: action.change.before,
                to: action.change.after,
                by: BY_TIDEFORM.into(),
            });
        }
        memory.recommendations = given
            .recommendations
            .iter()
            .map(|recommendation| Recommendation {
                at: before(recommendation.ago),
                desired: recommendation.desired,
            })
            .collect();
        let mut world = World {
            desired,
            instances: (desired.get() <= MOST_INSTANCES).then(Vec::new),
            ready: None,
            samples: BTreeMap::new(),
            launched: 0,
            memory,
        };
        let ready = given.ready.unwrap_or(desired).min(desired);
        world.launch(ready.get(), None);
        world.launch(desired.get() - ready.get(), Some(start));
        world
    }

    fn launch(&mut self, count: u32, at: Option<Timestamp>) {
        let Some(instances) = &mut self.instances else {
            return;
        };
        for _ in 0..count {
            self.launched += 1;
            instances.push(Instance {
                id: format!("i-{}", self.launched).into(),
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

    /// What a step shows to the engine.
    pub(super) fn observe(
        &mut self,
        rules: &Rules,
        step: &TestStep,
        now: Timestamp,
    ) -> Observation {
        let group = rules.group();
        if step.ready.is_some() {
            self.ready = step.ready;
        }
        let instances = self.seen_instances(now);
        let mut seen = Observation {
            desired: self.desired,
            left_out: left_out(group, step),
            ..Observation::default()
        };
        for (name, value) in &step.metrics {
            let reading = match value {
                TestValue::Group(value) => {
                    let samples = self.samples.entry(name.clone()).or_default();
                    if value.is_finite() {
                        samples.push(Sample {
                            at: now,
                            value: *value,
                        });
                    }
                    MetricReading::Group(samples.clone())
                }
                TestValue::PerInstance(values) => per_instance(&instances, values, now),
                TestValue::Missing => MetricReading::Group(self.outdated(group, name, now)),
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
        seen
    }

    fn seen_instances(&self, now: Timestamp) -> Option<Vec<Instance>> {
        let mut instances = self.instances.clone()?;
        if let Some(ready) = self.ready {
            for (place, instance) in (0_u32..).zip(&mut instances) {
                instance.in_service_at = (place >= ready.get()).then_some(now);
                instance.launched_at = instance.in_service_at;
            }
        }
        Some(instances)
    }

    /// The samples so far, moved back until the newest is no longer fresh: `null` says that there is no data now.
    fn outdated(&self, group: &Group, name: &Name, now: Timestamp) -> Vec<Sample> {
        let (Some(samples), Some(metric)) = (self.samples.get(name), group.metric(name)) else {
            return Vec::new();
        };
        let Some(newest) = samples.last() else {
            return Vec::new();
        };
        let stale =
            SignedDuration::try_from(metric.period.saturating_mul(3).saturating_add(metric.delay))
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
            self.launch(to.get() - from.get(), Some(now));
        } else if let Some(instances) = &mut self.instances {
            let named: BTreeSet<_> = decision.victims.iter().collect();
            instances.retain(|instance| !named.contains(&instance.id));
            // The backend's choice: the newest.
            instances.truncate(usize::try_from(to.get()).unwrap_or(usize::MAX));
        }
    }
}

/// One value an instance, in the order of the instances. Values beyond these belong to nobody.
fn per_instance(
    instances: &Option<Vec<Instance>>,
    values: &[Option<f64>],
    now: Timestamp,
) -> MetricReading {
    let ids = instances
        .iter()
        .flatten()
        .map(|instance| instance.id.clone());
    let unknown = (1_u64..).map(|n| format!("unknown-{n}").into());
    MetricReading::PerInstance {
        at: now,
        values: values
            .iter()
            .zip(ids.chain(unknown))
            .map(|(value, id)| InstanceSample {
                id,
                value: *value,
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
