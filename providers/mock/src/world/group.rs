//! One simulated group: its instances, and how they change by themselves and when asked.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use serde::{Deserialize, Serialize};
use serde_json::Value;
use tideform_policies::model::{InstanceState, Lifecycle, Limits, Resource, VictimOrder};
use tideform_provider::{Control, FailedLaunch, LiveAttributes, LiveGroup, LiveMix, Owner};

use super::cost::CostTotals;
use super::fault::FaultKind;
use super::history::{History, Segment};
use super::instance::WorldInstance;
use super::moment::Moment;
use super::rules::Rules;
use super::{mix, random};
use crate::launch::InstanceModel;

/// How long after a failed launch the next is tried.
const RETRY: Duration = Duration::from_secs(60);

/// How long after an instance broke the health check replaces it.
const REPLACE: Duration = Duration::from_secs(120);

/// How many failed launches are remembered.
const FAILED_KEPT: usize = 32;

/// What was before the last change, for reads that lag.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Stale {
    /// Reads show it until then.
    pub until: Moment,
    /// What they show.
    pub view: LiveGroup,
}

/// One simulated group.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct WorldGroup {
    /// The resource's name.
    pub name: Arc<str>,
    /// When it was created.
    pub created_at: Moment,
    /// Its limits.
    pub limits: Limits,
    /// The capacity last asked for; within the limits.
    pub desired: u32,
    /// The warm-up attribute; the world does nothing with it.
    pub warmup: Option<Duration>,
    /// Which instances end first.
    pub order: Option<VictimOrder>,
    /// Stronger than the model's.
    pub drain: Option<Duration>,
    /// On-demand and spot; `None`: all on demand.
    pub mix: Option<LiveMix>,
    /// As it was given.
    pub launch: BTreeMap<String, Value>,
    /// What `launch` means.
    pub model: InstanceModel,
    /// What holds where `launch` says nothing.
    pub base: InstanceModel,
    /// The owner tag.
    pub owner: Option<Owner>,
    /// Foreign controls; they only stand there and do nothing.
    pub controls: Vec<Control>,
    /// No instance is launched.
    pub launch_suspended: bool,
    /// No instance is ended on scale-in.
    pub terminate_suspended: bool,
    /// By launch; ended ones until their last step is measured.
    pub instances: Vec<WorldInstance>,
    /// Newest last.
    pub failed_launches: Vec<FailedLaunch>,
    /// What ended instances cost.
    pub cost: CostTotals,
    /// What lagging reads show.
    pub stale: Option<Stale>,
    /// What its steps were.
    pub history: History,
    next_serial: u64,
    retry_at: Option<Moment>,
    /// The step that is still open.
    open_step: i64,
    /// When what serves last changed.
    changed_at: Moment,
    /// When something next happens by itself.
    next_due: Moment,
}

/// What a new group is.
#[derive(Clone, Debug, PartialEq)]
pub struct NewGroup {
    /// The resource's name.
    pub name: Arc<str>,
    /// Its limits.
    pub limits: Limits,
    /// Within the limits.
    pub desired: u32,
    /// As it was given.
    pub launch: BTreeMap<String, Value>,
    /// What `launch` means.
    pub model: InstanceModel,
    /// The owner tag.
    pub owner: Option<Owner>,
}

impl WorldGroup {
    /// A group without instances; [`WorldGroup::settle`] launches the first.
    pub fn new(rules: &Rules, new: NewGroup, now: Moment) -> WorldGroup {
        WorldGroup {
            name: new.name,
            created_at: now,
            limits: new.limits,
            desired: new.desired,
            warmup: None,
            order: None,
            drain: None,
            mix: None,
            launch: new.launch,
            base: new.model.clone(),
            model: new.model,
            owner: new.owner,
            controls: Vec::new(),
            launch_suspended: false,
            terminate_suspended: false,
            instances: Vec::new(),
            failed_launches: Vec::new(),
            cost: CostTotals::default(),
            stale: None,
            history: History::default(),
            next_serial: 0,
            retry_at: None,
            open_step: rules.steps_ended(now),
            changed_at: now,
            next_due: Moment::NEVER,
        }
    }

    /// Lets time pass up to and including `to`. Whether anything happened that does not follow from time alone.
    ///
    /// Costs nothing for steps in which nothing happens, and a look at every instance for the others.
    pub fn advance(&mut self, rules: &Rules, to: Moment, hazards: bool) -> bool {
        let mut happened = false;
        loop {
            let end = rules.step_end(self.open_step);
            // What is due at a step's very end happens after the step was measured.
            if self.next_due < end && self.next_due <= to {
                self.happen(rules, self.next_due);
                happened = true;
            } else if end <= to {
                let settled = self.changed_at <= rules.step_start(self.open_step);
                let ended = if settled && !hazards {
                    rules.steps_ended(self.next_due.min(to))
                } else {
                    self.open_step + 1
                };
                self.measure(rules, ended);
                if hazards {
                    happened |= self.strike(rules, rules.step_start(ended), ended);
                }
            } else {
                return happened;
            }
        }
    }

    /// When something next happens by itself, or the open step ends.
    pub fn next_event(&self, rules: &Rules) -> Moment {
        self.next_due.min(rules.step_end(self.open_step))
    }

    /// Records the open step and all up to `ended`, in which nothing changes.
    fn measure(&mut self, rules: &Rules, ended: i64) {
        let start = rules.step_start(self.open_step);
        let (mut units, mut instances) = (0u32, 0u32);
        for instance in &self.instances {
            if instance.serves_at(start) {
                units = units.saturating_add(instance.weight);
                instances += 1;
            }
        }
        self.history.record(Segment {
            from: self.open_step,
            units,
            instances,
            throughput: self.model.throughput,
            latency_s: self.model.latency_s,
        });
        self.open_step = ended;
        let start = rules.step_start(ended);
        if self.has_ended() {
            self.instances.retain(|instance| {
                instance.state != InstanceState::Ended
                    || instance.stopped_at.is_some_and(|at| at > start)
            });
        }
        let keep = ended - rules.remembered_steps();
        if self.history.first().is_some_and(|first| first < keep) {
            let load = rules.load_of(&self.name, self.model.load.as_deref());
            self.history.prune(rules, load, keep, ended);
        }
    }

    fn has_ended(&self) -> bool {
        self.instances
            .iter()
            .any(|instance| instance.state == InstanceState::Ended)
    }

    /// What is due now by itself.
    fn happen(&mut self, rules: &Rules, now: Moment) {
        for index in 0..self.instances.len() {
            let Some(instance) = self.instances.get_mut(index) else {
                break;
            };
            if instance.due() > now {
                continue;
            }
            if instance.taken_at.is_some_and(|at| at <= now) {
                self.end(index, now);
                continue;
            }
            match instance.state {
                InstanceState::Pending => {
                    instance.state = InstanceState::InService;
                    self.changed_at = now;
                }
                InstanceState::Draining => self.end(index, now),
                InstanceState::InService | InstanceState::Unhealthy | InstanceState::Ended => {}
            }
        }
        self.settle(rules, now);
    }

    /// Draws which instances are struck in the step that begins now.
    fn strike(&mut self, rules: &Rules, now: Moment, step: i64) -> bool {
        let mut struck = false;
        let group = random::key(&self.name);
        let hours = rules.step_seconds() / 3_600.0;
        for (index, fault) in rules.faults.iter().enumerate() {
            let interrupts = match fault.kind {
                FaultKind::InterruptSpot => true,
                FaultKind::Break => false,
                _ => continue,
            };
            if !fault.covers(Some(&self.name), rules.start, now) {
                continue;
            }
            let chance = 1.0 - (-fault.rate * hours).exp();
            for instance in &mut self.instances {
                if instance.state != InstanceState::InService
                    || instance.noticed
                    || (interrupts && instance.lifecycle != Lifecycle::Spot)
                {
                    continue;
                }
                let keys = [
                    random::key("strike"),
                    index as u64,
                    group,
                    instance.serial,
                    step as u64,
                ];
                if random::unit(rules.seed, &keys) < chance {
                    struck = true;
                    if interrupts {
                        instance.noticed = true;
                        instance.taken_at = Some(now.after(fault.notice));
                    } else {
                        sicken(instance, now);
                    }
                }
            }
        }
        if struck {
            self.changed_at = now;
            self.settle(rules, now);
        }
        struck
    }

    /// Brings the instances to what is desired, and notes when something next happens by itself.
    pub fn settle(&mut self, rules: &Rules, now: Moment) {
        if !self.terminate_suspended {
            while let Some(victim) = self.victim() {
                self.begin_end(victim, now);
            }
        }
        let may_try = self.retry_at.is_none_or(|at| at <= now);
        if self.live_units(None) < self.desired && !self.launch_suspended && may_try {
            self.launch_missing(rules, now);
        } else if self.live_units(None) >= self.desired || self.launch_suspended {
            self.retry_at = None;
        }
        self.next_due = self
            .instances
            .iter()
            .map(WorldInstance::due)
            .min()
            .unwrap_or(Moment::NEVER)
            .min(self.retry_at.unwrap_or(Moment::NEVER));
    }

    /// Whether it counts towards the desired capacity: one that is about to be taken back does not, where the mix asks
    /// for its replacement ahead.
    fn counts(&self, instance: &WorldInstance) -> bool {
        let replaced_ahead =
            instance.noticed && self.mix.as_ref().is_some_and(|m| m.rebalance == Some(true));
        instance.is_live() && !replaced_ahead
    }

    /// Units that count towards the desired capacity; of one lifecycle, or of both.
    pub fn live_units(&self, only: Option<Lifecycle>) -> u32 {
        self.instances
            .iter()
            .filter(|i| self.counts(i) && only.is_none_or(|lifecycle| i.lifecycle == lifecycle))
            .fold(0, |sum, i| sum.saturating_add(i.weight))
    }

    /// The instance that ends next on scale-in, if one has to: unhealthy ones and those about to be taken first, then
    /// of the lifecycle that has more than its share, then by `order`; the mock's own choice is the oldest. Never a
    /// protected one, and never one with more units than are too many.
    fn victim(&self) -> Option<usize> {
        let live = self.live_units(None);
        let excess = live
            .checked_sub(self.desired)
            .filter(|excess| *excess > 0)?;
        let on_demand = mix::on_demand_units(self.mix.as_ref(), self.desired);
        let of = |lifecycle| self.live_units(Some(lifecycle));
        let surplus = if of(Lifecycle::OnDemand) > on_demand {
            Some(Lifecycle::OnDemand)
        } else if of(Lifecycle::Spot) > self.desired - on_demand {
            Some(Lifecycle::Spot)
        } else {
            None
        };
        let order = self.order.unwrap_or_default();
        self.instances
            .iter()
            .enumerate()
            .filter(|(_, i)| self.counts(i) && !i.protected && i.weight <= excess)
            .min_by_key(|(_, i)| {
                let age = (i.launched_at.0, i.serial as i64);
                let by_age = match order {
                    VictimOrder::Newest => (-age.0, -age.1),
                    VictimOrder::Oldest | VictimOrder::Default => age,
                };
                (
                    i.state != InstanceState::Unhealthy,
                    !i.noticed,
                    surplus.is_some_and(|lifecycle| i.lifecycle != lifecycle),
                    by_age,
                )
            })
            .map(|(index, _)| index)
    }

    /// Ends an instance as scale-in does: it drains first, if it serves.
    pub fn begin_end(&mut self, index: usize, now: Moment) {
        let drain = self.drain.unwrap_or(self.model.drain);
        let Some(instance) = self.instances.get_mut(index) else {
            return;
        };
        if instance.state == InstanceState::InService && !drain.is_zero() {
            instance.state = InstanceState::Draining;
            instance.stopped_at = Some(now);
            instance.drained_at = Some(now.after(drain));
            self.changed_at = now;
        } else if instance.state != InstanceState::Ended {
            self.end(index, now);
        }
    }

    /// Ends an instance at once.
    pub fn end(&mut self, index: usize, now: Moment) {
        let Some(instance) = self.instances.get_mut(index) else {
            return;
        };
        instance.state = InstanceState::Ended;
        instance.taken_at = None;
        instance.stopped_at.get_or_insert(now);
        self.cost.add(instance, now);
        self.changed_at = now;
    }

    /// Marks an instance as broken: it stops serving, and the health check replaces it two minutes later.
    pub fn sicken(&mut self, index: usize, now: Moment) {
        if let Some(instance) = self.instances.get_mut(index) {
            sicken(instance, now);
            self.changed_at = now;
        }
    }

    fn launch_missing(&mut self, rules: &Rules, now: Moment) {
        self.retry_at = None;
        let on_demand = mix::on_demand_units(self.mix.as_ref(), self.desired);
        for (lifecycle, share) in [
            (Lifecycle::OnDemand, on_demand),
            (Lifecycle::Spot, self.desired - on_demand),
        ] {
            while self.live_units(Some(lifecycle)) < share && self.live_units(None) < self.desired {
                if rules.launch_fails(&self.name, lifecycle, now, self.next_serial) {
                    self.retry_at = Some(now.after(RETRY));
                    if self.failed_launches.len() >= FAILED_KEPT {
                        self.failed_launches.remove(0);
                    }
                    self.failed_launches.push(FailedLaunch {
                        at: now.timestamp(),
                        lifecycle,
                        message: "there is no capacity for the type in this zone".to_owned(),
                    });
                    break;
                }
                self.launch(rules, lifecycle, now);
            }
        }
    }

    fn launch(&mut self, rules: &Rules, lifecycle: Lifecycle, now: Moment) {
        let preferred = self.mix.as_ref().and_then(|mix| mix.types.first());
        let (name, weight) = match preferred {
            Some(preferred) => (
                preferred.name.as_str(),
                preferred.weight.unwrap_or(1).max(1),
            ),
            None => (self.model.instance_type.as_str(), 1),
        };
        let prices = rules.prices_of(name);
        let price = match lifecycle {
            Lifecycle::OnDemand => self
                .model
                .price_usd_per_hour
                .unwrap_or(prices.on_demand_usd_per_hour),
            Lifecycle::Spot => self
                .model
                .spot_price_usd_per_hour
                .unwrap_or(prices.spot_usd_per_hour),
        };
        let id = random::draw(
            rules.seed,
            &[
                random::key("instance"),
                random::key(&self.name),
                self.created_at.0 as u64,
                self.next_serial,
            ],
        );
        let boot = self.model.boot;
        let instance = WorldInstance {
            id: format!("i-{id:016x}").into(),
            serial: self.next_serial,
            state: if boot.is_zero() {
                InstanceState::InService
            } else {
                InstanceState::Pending
            },
            launched_at: now,
            in_service_at: now.after(boot),
            stopped_at: None,
            drained_at: None,
            taken_at: None,
            noticed: false,
            lifecycle,
            instance_type: name.into(),
            weight,
            protected: false,
            price_usd_per_hour: price,
        };
        self.next_serial += 1;
        self.instances.push(instance);
        self.changed_at = now;
    }

    /// Tries a failed launch again at the next [`WorldGroup::settle`], without waiting.
    pub fn forget_retry(&mut self) {
        self.retry_at = None;
    }

    /// The model became another: steps from the open one on are measured with it.
    pub fn model_changed(&mut self, now: Moment) {
        self.changed_at = now;
    }

    /// What it has cost up to now, with what is running.
    pub fn cost_at(&self, now: Moment) -> CostTotals {
        let mut total = self.cost;
        for instance in &self.instances {
            if instance.state != InstanceState::Ended {
                total.add(instance, now);
            }
        }
        total
    }

    /// The group as it really is.
    pub fn view(&self, now: Moment) -> LiveGroup {
        let mut blocked = Vec::new();
        if self.launch_suspended {
            blocked.push("launch suspended".to_owned());
        }
        if self.terminate_suspended {
            blocked.push("terminate suspended".to_owned());
        }
        LiveGroup {
            resource: Resource {
                kind: super::KIND.into(),
                name: self.name.clone(),
            },
            at: now.timestamp(),
            desired: self.desired,
            attributes: LiveAttributes {
                limits: self.limits,
                warmup: self.warmup,
                order: self.order,
                drain: self.drain,
                mix: self.mix.clone(),
                maintenance: None,
                launch: self.launch.clone(),
                launch_also: BTreeMap::new(),
            },
            instances: self
                .instances
                .iter()
                .filter(|instance| instance.state != InstanceState::Ended)
                .map(WorldInstance::view)
                .collect(),
            owner: self.owner.clone(),
            controls: self.controls.clone(),
            is_paused: false,
            switched_off: Vec::new(),
            blocked,
            failed_launches: self.failed_launches.clone(),
            deregistration: Vec::new(),
        }
    }
}

fn sicken(instance: &mut WorldInstance, now: Moment) {
    match instance.state {
        InstanceState::Pending | InstanceState::InService => {
            instance.state = InstanceState::Unhealthy;
            instance.stopped_at = Some(now);
            let replaced = now.after(REPLACE);
            instance.taken_at = Some(instance.taken_at.map_or(replaced, |at| at.min(replaced)));
        }
        InstanceState::Unhealthy | InstanceState::Draining | InstanceState::Ended => {}
    }
}
