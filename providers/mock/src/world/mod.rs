//! The kernel of the mock cloud: a world in memory that time passes over. The same kernel is what `simulate` runs.
//!
//! It reads no clock and does no I/O: callers say what time it is. Everything follows from the rules, the seed, and
//! what was asked of it and when; one long [`World::advance`] and many short ones give the same world.
//!
//! *Steps.* Time is cut into steps from the world's start. Instances change state at their own exact times; an instance
//! serves a step if it was in service, healthy and not draining when the step began. Load is served and measured step
//! by step, and a step's sample is published at its end plus `delay`.

pub mod cost;
pub mod fault;
pub mod formula;
pub mod group;
pub mod history;
pub mod instance;
pub mod load;
pub mod metric;
pub mod mix;
mod moment;
pub mod random;
mod rules;
#[cfg(test)]
mod tests;
pub mod trace;

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use serde::{Deserialize, Serialize};
use tideform_policies::model::{InstanceSample, InstanceState, Limits, Sample};
use tideform_provider::{AttributeChange, GroupSpec, LiveGroup};

use crate::launch::InstanceModel;
use cost::CostTotals;
use fault::{Call, FaultKind, ScriptedFault};
use group::{NewGroup, Stale, WorldGroup};
use history::Outcome;
use metric::{Nature, Sampling, WorldMetric};

pub use moment::{Moment, millis};
pub use rules::{CustomMetric, MetricOf, Rules};

/// The only kind of resource that the mock cloud has.
pub const KIND: &str = "asg";

/// Why the world did not do what was asked; nothing was changed.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Refusal {
    /// There is no such thing.
    #[error("{kind} `{name}` does not exist")]
    NotFound {
        /// `asg`, `instance`, `control`.
        kind: &'static str,
        /// Its name.
        name: String,
    },
    /// It is not possible.
    #[error("{0}")]
    Refused(String),
}

/// What a call meets.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Strike {
    /// It goes through.
    Nothing,
    /// It fails like so before anything is done.
    Before(FaultKind),
    /// It is done, and no answer comes.
    After,
}

/// A simulated cloud.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct World {
    /// What it runs by.
    pub rules: Rules,
    /// What was scripted for the next calls.
    pub script: Vec<ScriptedFault>,
    /// How many calls were drawn for.
    pub calls: u64,
    /// What deleted groups cost, by name.
    pub retired: BTreeMap<String, CostTotals>,
    now: Moment,
    groups: BTreeMap<Arc<str>, WorldGroup>,
    /// Groups that changed since they were last taken by [`World::take_touched`].
    #[serde(skip)]
    touched: BTreeSet<Arc<str>>,
    /// Before this nothing happens and no step ends in any group, unless somebody asks for something. The default is
    /// long ago: it is not known.
    #[serde(skip)]
    quiet_until: Quiet,
}

/// A moment that takes no part in comparing worlds.
#[derive(Clone, Copy, Debug)]
struct Quiet(Moment);

impl Default for Quiet {
    fn default() -> Quiet {
        Quiet(Moment(i64::MIN))
    }
}

impl PartialEq for Quiet {
    fn eq(&self, _: &Quiet) -> bool {
        true
    }
}

impl World {
    /// An empty world at its start.
    pub fn new(rules: Rules) -> World {
        World {
            now: rules.start,
            rules,
            script: Vec::new(),
            calls: 0,
            retired: BTreeMap::new(),
            groups: BTreeMap::new(),
            touched: BTreeSet::new(),
            quiet_until: Quiet::default(),
        }
    }

    /// A world that was taken apart; see [`World::groups`].
    pub fn assemble(rules: Rules, now: Moment, groups: Vec<WorldGroup>) -> World {
        let mut world = World::new(rules);
        world.now = now;
        for group in groups {
            world.groups.insert(group.name.clone(), group);
        }
        world
    }

    /// What time it is in the world.
    pub fn now(&self) -> Moment {
        self.now
    }

    /// Lets time pass; a time that is past already changes nothing.
    ///
    /// Costs a few instructions a group for steps in which nothing happens, whatever their number, as long as no
    /// fault strikes instances at random.
    pub fn advance(&mut self, to: Moment) {
        if to <= self.now {
            return;
        }
        self.now = to;
        if to < self.quiet_until.0 {
            return;
        }
        let hazards = self.rules.has_hazards();
        let mut quiet_until = Moment::NEVER;
        for group in self.groups.values_mut() {
            if group.advance(&self.rules, to, hazards) {
                self.touched.insert(group.name.clone());
            }
            quiet_until = quiet_until.min(group.next_event(&self.rules));
        }
        self.quiet_until = Quiet(quiet_until);
    }

    /// All groups, by name.
    pub fn groups(&self) -> impl Iterator<Item = &WorldGroup> {
        self.groups.values()
    }

    /// One group.
    pub fn group(&self, name: &str) -> Option<&WorldGroup> {
        self.groups.get(name)
    }

    /// Replaces or adds a group as it was stored, and lets it catch up.
    pub fn restore(&mut self, mut group: WorldGroup) {
        let hazards = self.rules.has_hazards();
        if group.advance(&self.rules, self.now, hazards) {
            self.touched.insert(group.name.clone());
        }
        self.groups.insert(group.name.clone(), group);
        self.quiet_until = Quiet::default();
    }

    /// The names of groups that changed since the last time; also those that are gone.
    pub fn take_touched(&mut self) -> BTreeSet<Arc<str>> {
        std::mem::take(&mut self.touched)
    }

    /// The names of groups that changed since [`World::take_touched`].
    pub fn touched(&self) -> &BTreeSet<Arc<str>> {
        &self.touched
    }

    /// A group as reads show it: what was before its last change, where a lag holds.
    pub fn view(&self, name: &str) -> Option<LiveGroup> {
        let group = self.groups.get(name)?;
        match &group.stale {
            Some(stale) if stale.until > self.now => Some(LiveGroup {
                at: self.now.timestamp(),
                ..stale.view.clone()
            }),
            _ => Some(group.view(self.now)),
        }
    }

    /// Creates a group and launches its first instances.
    ///
    /// # Errors
    /// [`Refusal`]: the name is taken, desired is outside the limits, or `launch` is wrong.
    pub fn create(&mut self, spec: &GroupSpec) -> Result<(), Refusal> {
        let name = &spec.resource.name;
        if self.groups.contains_key(name) {
            return Err(Refusal::Refused(format!("{KIND} `{name}` exists already")));
        }
        within(spec.limits, spec.desired)?;
        let new = NewGroup {
            name: name.clone(),
            limits: spec.limits,
            desired: spec.desired,
            model: model_of(&spec.launch, InstanceModel::of(spec.instance.as_ref()))?,
            launch: spec.launch.clone(),
            owner: Some(spec.owner.clone()),
        };
        let mut group = WorldGroup::new(&self.rules, new, self.now);
        group.base = InstanceModel::of(spec.instance.as_ref());
        for change in &spec.changes {
            apply(&mut group, change, self.now)?;
        }
        group.settle(&self.rules, self.now);
        self.touched.insert(group.name.clone());
        self.groups.insert(group.name.clone(), group);
        self.quiet_until = Quiet::default();
        Ok(())
    }

    /// Adds a group as somebody outside tideform would: without an owner.
    ///
    /// # Errors
    /// As [`World::create`].
    pub fn create_unowned(&mut self, new: NewGroup) -> Result<(), Refusal> {
        if self.groups.contains_key(&new.name) {
            return Err(Refusal::Refused(format!(
                "{KIND} `{}` exists already",
                new.name
            )));
        }
        within(new.limits, new.desired)?;
        let mut group = WorldGroup::new(&self.rules, new, self.now);
        group.settle(&self.rules, self.now);
        self.touched.insert(group.name.clone());
        self.groups.insert(group.name.clone(), group);
        self.quiet_until = Quiet::default();
        Ok(())
    }

    /// Changes attributes of a group: all, or none.
    ///
    /// # Errors
    /// [`Refusal`].
    pub fn update(&mut self, name: &str, changes: &[AttributeChange]) -> Result<(), Refusal> {
        self.edit(name, |group, now| {
            let mut changed = group.clone();
            for change in changes {
                apply(&mut changed, change, now)?;
            }
            *group = changed;
            Ok(())
        })
    }

    /// Asks for a capacity.
    ///
    /// # Errors
    /// [`Refusal`]: it is outside the group's limits.
    pub fn set_desired(&mut self, name: &str, desired: u32) -> Result<(), Refusal> {
        self.edit(name, |group, _| {
            within(group.limits, desired)?;
            if group.desired != desired {
                group.forget_retry();
            }
            group.desired = desired;
            Ok(())
        })
    }

    /// Ends one instance and lowers desired by its weight.
    ///
    /// # Errors
    /// [`Refusal`]: it is not there, ends already, is protected, or min would be broken.
    pub fn terminate(&mut self, name: &str, instance: &str) -> Result<(), Refusal> {
        self.edit(name, |group, now| {
            let index = position(group, instance)?;
            let found = group.instances.get(index);
            let (weight, live, protected) =
                found.map_or((1, false, false), |i| (i.weight, i.is_live(), i.protected));
            if !live {
                return Err(Refusal::Refused(format!(
                    "instance `{instance}` is ending already"
                )));
            }
            if protected {
                return Err(Refusal::Refused(format!(
                    "instance `{instance}` is protected from scale-in"
                )));
            }
            let desired = group.desired.saturating_sub(weight);
            if desired < group.limits.min().get() {
                return Err(Refusal::Refused(format!(
                    "ending instance `{instance}` would bring desired to {desired}, below min {}",
                    group.limits.min()
                )));
            }
            group.desired = desired;
            group.begin_end(index, now);
            Ok(())
        })
    }

    /// Deletes a group with its instances.
    ///
    /// # Errors
    /// [`Refusal::NotFound`].
    pub fn delete(&mut self, name: &str) -> Result<(), Refusal> {
        let Some(group) = self.groups.remove(name) else {
            return Err(missing(name));
        };
        let cost = group.cost_at(self.now);
        self.retired
            .entry(name.to_owned())
            .or_default()
            .add_totals(&cost);
        self.touched.insert(group.name);
        Ok(())
    }

    /// Changes a group by hand, and lets it settle. Nothing is kept where `change` refuses, as long as it refuses
    /// before it changes.
    ///
    /// # Errors
    /// [`Refusal`]: there is no such group, or what `change` says.
    pub fn edit<T>(
        &mut self,
        name: &str,
        change: impl FnOnce(&mut WorldGroup, Moment) -> Result<T, Refusal>,
    ) -> Result<T, Refusal> {
        let now = self.now;
        let lag = self
            .rules
            .faults
            .iter()
            .filter(|fault| {
                fault.kind == FaultKind::Lag && fault.covers(Some(name), self.rules.start, now)
            })
            .map(|fault| fault.lag)
            .max();
        let Some(group) = self.groups.get_mut(name) else {
            return Err(missing(name));
        };
        let before = match (lag, &group.stale) {
            (Some(_), Some(stale)) if stale.until > now => Some(stale.view.clone()),
            (Some(_), _) => Some(group.view(now)),
            (None, _) => None,
        };
        self.quiet_until = Quiet::default();
        let answer = change(group, now)?;
        group.settle(&self.rules, now);
        group.stale = match (lag, before) {
            (Some(lag), Some(view)) => Some(Stale {
                until: now.after(lag),
                view,
            }),
            _ => None,
        };
        self.touched.insert(group.name.clone());
        Ok(answer)
    }

    /// The steps of a group that have been published, of `[from, to)` counted from the world's start.
    pub fn outcomes(&mut self, name: &str, from: i64, to: i64) -> Vec<Outcome> {
        let published = self.rules.steps_ended(self.now.before(self.rules.delay));
        let Some(group) = self.groups.get_mut(name) else {
            return Vec::new();
        };
        let load = self.rules.load_of(name, group.model.load.as_deref());
        let kept = published - self.rules.kept_steps();
        group
            .history
            .outcomes(&self.rules, load, from.max(kept), to.min(published))
    }

    /// Reads a metric of a group; no such group or metric is no data.
    pub fn samples(&mut self, name: &str, metric: &str, sampling: &Sampling) -> Vec<Sample> {
        let published = self.now.before(self.rules.delay);
        let sampling = Sampling {
            to: sampling.to.min(published),
            ..*sampling
        };
        let from = self
            .rules
            .steps_ended(sampling.from.before(sampling.period));
        let to = self.rules.steps_ended(sampling.to);
        let outcomes = self.outcomes(name, from, to);
        let Some(group) = self.groups.get_mut(name) else {
            return Vec::new();
        };
        let rules = &self.rules;
        let load = rules.load_of(name, group.model.load.as_deref());
        let Some(meaning) = rules.metric_of(name, load, metric) else {
            return Vec::new();
        };
        let mut values = Vec::with_capacity(outcomes.len());
        for outcome in &outcomes {
            let (start, end) = (rules.step_start(outcome.step), rules.step_end(outcome.step));
            let value = match meaning {
                MetricOf::World(WorldMetric::OldestAge) => {
                    group.history.oldest_age_s(rules, load, outcome.step)
                }
                MetricOf::World(metric) => metric.value(outcome, None),
                MetricOf::Custom(custom) => {
                    let value = custom.shape.value(rules.start, start, end) * custom.scale;
                    Some(value).filter(|value| value.is_finite())
                }
            };
            if let Some(value) = value {
                values.push((end, value));
            }
        }
        let nature = match meaning {
            MetricOf::World(metric) => metric.nature(),
            MetricOf::Custom(_) => Nature::Gauge,
        };
        metric::samples(nature, &values, rules.step_ms, &sampling)
    }

    /// The newest published value of each live instance and its time. An instance that did not serve then has none.
    /// Only metrics that are about instances have them.
    pub fn per_instance(
        &mut self,
        name: &str,
        metric: &str,
    ) -> Option<(Moment, Vec<InstanceSample>)> {
        let published = self.rules.steps_ended(self.now.before(self.rules.delay));
        let newest = self.outcomes(name, published - 1, published);
        let outcome = newest.first()?;
        let group = self.groups.get(name)?;
        let load = self.rules.load_of(name, group.model.load.as_deref());
        let value = match self.rules.metric_of(name, load, metric)? {
            MetricOf::World(metric @ (WorldMetric::Cpu | WorldMetric::RequestsPerInstance)) => {
                metric.value(outcome, None)
            }
            MetricOf::World(WorldMetric::Requests) => {
                WorldMetric::RequestsPerInstance.value(outcome, None)
            }
            MetricOf::World(
                WorldMetric::QueueDepth
                | WorldMetric::OldestAge
                | WorldMetric::Latency
                | WorldMetric::ErrorRate
                | WorldMetric::Capacity,
            )
            | MetricOf::Custom(_) => return None,
        };
        let start = self.rules.step_start(outcome.step);
        let values = group
            .instances
            .iter()
            .filter(|instance| instance.is_live() && instance.state != InstanceState::Unhealthy)
            .map(|instance| InstanceSample {
                id: instance.id.clone(),
                value: value.filter(|_| instance.serves_at(start)),
                of: None,
            })
            .collect();
        Some((self.rules.step_end(outcome.step), values))
    }

    /// Forgets the past of all groups whose load differs under other rules, and runs by those from now on.
    pub fn change_rules(&mut self, rules: Rules) {
        for group in self.groups.values_mut() {
            let named = group.model.load.clone();
            let before = self.rules.load_of(&group.name, named.as_deref());
            if before != rules.load_of(&group.name, named.as_deref()) {
                group.history.clear();
                self.touched.insert(group.name.clone());
            }
        }
        self.rules = rules;
        self.quiet_until = Quiet::default();
    }

    /// Whether calls have to be drawn for: then each one is counted.
    pub fn strikes_calls(&self) -> bool {
        !self.script.is_empty()
            || self
                .rules
                .faults
                .iter()
                .any(|fault| fault.kind.strikes_calls())
    }

    /// What the next call meets: what is scripted first, then what is drawn.
    pub fn strike(&mut self, call: Call, group: Option<&str>) -> Strike {
        let scripted = self.script.iter().position(|fault| {
            fault.call.is_none_or(|only| only == call)
                && fault
                    .group
                    .as_deref()
                    .is_none_or(|only| Some(only) == group)
        });
        if let Some(index) = scripted
            && let Some(fault) = self.script.get_mut(index)
        {
            if fault.skip > 0 {
                fault.skip -= 1;
            } else {
                let kind = fault.kind;
                fault.times = fault.times.saturating_sub(1);
                if fault.times == 0 {
                    self.script.remove(index);
                }
                return strike_of(kind, call);
            }
        }
        self.calls += 1;
        let drawn = self.rules.faults.iter().enumerate().find(|(index, fault)| {
            fault.covers_call(call)
                && fault.covers(group, self.rules.start, self.now)
                && random::unit(
                    self.rules.seed,
                    &[random::key("call"), *index as u64, self.calls],
                ) < fault.rate
        });
        drawn.map_or(Strike::Nothing, |(_, fault)| strike_of(fault.kind, call))
    }
}

fn strike_of(kind: FaultKind, call: Call) -> Strike {
    match kind {
        // A read that is not answered can simply be repeated.
        FaultKind::TimeoutBefore | FaultKind::TimeoutAfter if !call.is_write() => {
            Strike::Before(FaultKind::Unavailable)
        }
        FaultKind::TimeoutAfter => Strike::After,
        FaultKind::Throttle
        | FaultKind::Unavailable
        | FaultKind::Denied
        | FaultKind::TimeoutBefore => Strike::Before(kind),
        FaultKind::Lag | FaultKind::NoCapacity | FaultKind::InterruptSpot | FaultKind::Break => {
            Strike::Nothing
        }
    }
}

/// The position of an instance that has not ended.
pub(crate) fn position(group: &WorldGroup, instance: &str) -> Result<usize, Refusal> {
    group
        .instances
        .iter()
        .position(|i| &*i.id == instance && i.state != InstanceState::Ended)
        .ok_or_else(|| Refusal::NotFound {
            kind: "instance",
            name: instance.to_owned(),
        })
}

fn missing(name: &str) -> Refusal {
    Refusal::NotFound {
        kind: KIND,
        name: name.to_owned(),
    }
}

fn within(limits: Limits, desired: u32) -> Result<(), Refusal> {
    if desired > limits.max().get() {
        return Err(Refusal::Refused(format!(
            "desired {desired} is above max {}",
            limits.max()
        )));
    }
    if desired < limits.min().get() {
        return Err(Refusal::Refused(format!(
            "desired {desired} is below min {}",
            limits.min()
        )));
    }
    Ok(())
}

fn model_of(
    launch: &BTreeMap<String, serde_json::Value>,
    base: InstanceModel,
) -> Result<InstanceModel, Refusal> {
    crate::launch::parse_over(launch, base).map_err(|problems| {
        let list: Vec<String> = problems
            .iter()
            .map(|problem| format!("{}: {}", problem.attribute, problem.what))
            .collect();
        Refusal::Refused(format!("launch: {}", list.join("; ")))
    })
}

fn apply(group: &mut WorldGroup, change: &AttributeChange, now: Moment) -> Result<(), Refusal> {
    match change {
        AttributeChange::Limits(limits) => {
            group.limits = *limits;
            group.desired = group.desired.clamp(limits.min().get(), limits.max().get());
        }
        AttributeChange::Warmup(warmup) => group.warmup = Some(*warmup),
        AttributeChange::Order(order) => group.order = Some(*order),
        AttributeChange::Drain(drain) => group.drain = *drain,
        AttributeChange::Mix(mix) => {
            group.mix = Some(mix.clone());
            group.forget_retry();
        }
        AttributeChange::Launch(attributes) => {
            let mut launch = group.launch.clone();
            for (name, value) in attributes {
                if value.is_null() {
                    launch.remove(name);
                } else {
                    launch.insert(name.clone(), value.clone());
                }
            }
            let model = model_of(&launch, group.base.clone())?;
            if model.load != group.model.load {
                // What was measured was of another load.
                group.history.clear();
            }
            group.launch = launch;
            group.model = model;
            group.model_changed(now);
        }
        AttributeChange::Owner(owner) => group.owner.clone_from(owner),
        AttributeChange::PutControl(spec) => {
            group.controls.retain(|control| control.name != spec.name);
            group.controls.push(tideform_provider::Control {
                name: spec.name.clone(),
                kind: spec.kind,
                enabled: true,
                summary: spec.summary.clone(),
                settings: spec.settings.clone(),
                writes: Default::default(),
                beyond: None,
            });
        }
        // Refused at plan: the mock replaces nothing, and has no controls of its own to switch off.
        AttributeChange::Maintenance(_)
        | AttributeChange::Pause(_)
        | AttributeChange::SwitchOn(_) => {}
        AttributeChange::RemoveControl(name) => {
            let Some(index) = group.controls.iter().position(|c| c.name == *name) else {
                return Err(Refusal::NotFound {
                    kind: "control",
                    name: name.clone(),
                });
            };
            group.controls.remove(index);
        }
    }
    Ok(())
}
