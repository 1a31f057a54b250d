//! The instances of a group, in cohorts: those that were launched together, in the same way, and boot as long.
//!
//! A cohort that is partly ended becomes smaller; nothing is done for an instance alone, so that a step in which
//! nothing happens costs a comparison. The rules are the mock cloud's, `tests/agreement.rs` compares them.

use std::sync::Arc;
use std::time::Duration;

use jiff::{SignedDuration, Timestamp};
use tideform_mock::world::{millis, random};
use tideform_policies::model::{Instance, InstanceState, Lifecycle, VictimOrder};

use crate::engine::{Spread, Units};

use super::model::Model;

/// How long after a failed launch the next is tried.
const RETRY_MS: i64 = 60_000;

/// The least that an instance is paid for.
const LEAST_BILLED_MS: i64 = 60_000;

/// How many failed launches are remembered.
const FAILED_KEPT: usize = 32;

const NEVER: i64 = i64::MAX;

/// What is asked of the fleet.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Target {
    /// In units.
    pub desired: u32,
    /// Of these on spot, at most `desired`.
    pub spot: u32,
}

impl Target {
    /// All on demand.
    pub fn on_demand(desired: u32) -> Target {
        Target { desired, spot: 0 }
    }
}

/// Instances that were launched together and are in service at the same time.
#[derive(Clone, Debug, PartialEq)]
struct Cohort {
    launched: i64,
    /// When the boot ends, or ended.
    serves_from: i64,
    /// When it is taken back or away; [`NEVER`] without a notice.
    taken: i64,
    /// It serves no more, and the health check takes it away.
    is_broken: bool,
    /// Of the first of them.
    serial: u64,
    instances: u32,
    lifecycle: Lifecycle,
}

/// Instances that end, finishing their work.
#[derive(Clone, Debug, PartialEq)]
struct Draining {
    launched: i64,
    serves_from: i64,
    ends: i64,
    instances: u32,
    lifecycle: Lifecycle,
}

/// What happened to a fleet.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Happened {
    /// Instances that were launched after the start.
    pub launches: u64,
    /// Launches that failed.
    pub failed_launches: u64,
    /// Instances that were taken back.
    pub interruptions: u64,
    /// Instances that broke.
    pub breakdowns: u64,
}

/// What strikes instances in service.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Blow {
    /// Spot is taken back, after a notice.
    Interruption,
    /// Any breaks.
    Breakdown,
}

impl Blow {
    fn key(self) -> u64 {
        random::key(match self {
            Blow::Interruption => "strike",
            Blow::Breakdown => "break",
        })
    }

    /// Whether it can strike a cohort now.
    fn can_strike(self, cohort: &Cohort, now: i64) -> bool {
        let is_exposed = self == Blow::Breakdown || cohort.lifecycle == Lifecycle::Spot;
        is_exposed && cohort.taken == NEVER && cohort.serves_from <= now
    }
}

/// The instances of a group.
#[derive(Clone, Debug)]
pub struct Fleet {
    model: Model,
    target: Target,
    cohorts: Vec<Cohort>,
    draining: Vec<Draining>,
    next_serial: u64,
    retry_at: i64,
    failed_spot: Vec<i64>,
    /// When something next happens by itself.
    next_due: i64,
    /// When an instance next ends by itself, or a launch is tried again; a boot that ends changes nothing else.
    next_change: i64,
    has_spot: bool,
    has_notice: bool,
    /// Instances in service.
    serving: u32,
    /// Live instances: in service or starting; broken ones are not.
    live: u32,
    /// Since when every live instance is in service; [`NEVER`] while one starts.
    settled_since: i64,
    /// Ended instances: what they were paid for, on demand and on spot, in milliseconds.
    billed: [u64; 2],
    happened: Happened,
    /// The chance that one spot instance is struck in a step, and that none of so many is.
    strike: Strike,
    /// The same of breaking.
    breaking: Strike,
}

/// A chance that is computed once for each number of instances.
#[derive(Clone, Copy, Debug, Default)]
struct Strike {
    chance: f64,
    instances: u32,
    none: f64,
}

impl Strike {
    fn of(times: f64) -> Strike {
        Strike {
            chance: -(-times).exp_m1(),
            ..Strike::default()
        }
    }
}

const fn slot(lifecycle: Lifecycle) -> usize {
    match lifecycle {
        Lifecycle::OnDemand => 0,
        Lifecycle::Spot => 1,
    }
}

impl Fleet {
    /// A fleet of this capacity that is paid for from now on: new, so that it boots, or in service for long. `step` is
    /// how often [`Fleet::strike`] will be asked.
    pub fn new(model: &Model, target: Target, is_new: bool, step: Duration) -> Fleet {
        let hours = step.as_secs_f64() / 3_600.0;
        let mut fleet = Fleet {
            model: model.clone(),
            target,
            cohorts: Vec::new(),
            draining: Vec::new(),
            next_serial: 0,
            retry_at: NEVER,
            failed_spot: Vec::new(),
            next_due: NEVER,
            next_change: NEVER,
            has_spot: false,
            has_notice: false,
            serving: 0,
            live: 0,
            settled_since: 0,
            billed: [0; 2],
            happened: Happened::default(),
            strike: Strike::of(model.faults.interruptions_per_hour * hours),
            breaking: Strike::of(model.faults.breakdowns_per_hour * hours),
        };
        fleet.has_spot = target.spot > 0;
        if is_new {
            fleet.settle(0);
            return fleet;
        }
        for (lifecycle, units) in fleet.shares() {
            let instances = units.div_ceil(model.weight.max(1));
            if instances > 0 {
                fleet.add(Cohort {
                    launched: 0,
                    serves_from: -millis(Duration::from_secs(365 * 86_400)),
                    taken: NEVER,
                    is_broken: false,
                    serial: fleet.next_serial,
                    instances,
                    lifecycle,
                });
            }
        }
        fleet.happened.launches = 0;
        fleet.refresh(0);
        fleet
    }

    /// The capacity last asked for.
    #[inline]
    pub fn desired(&self) -> u32 {
        self.target.desired
    }

    /// What was last asked for.
    pub fn target(&self) -> Target {
        self.target
    }

    /// Units in service; they serve the step that begins now.
    #[inline]
    pub fn serving(&self) -> u32 {
        self.serving * self.model.weight
    }

    /// Instances in service.
    #[inline]
    pub fn serving_instances(&self) -> u32 {
        self.serving
    }

    /// Live units: in service or starting.
    #[inline]
    pub fn live(&self) -> u32 {
        self.live * self.model.weight
    }

    /// Units that are starting.
    pub fn pending(&self) -> u32 {
        (self.live - self.serving) * self.model.weight
    }

    /// What happened so far.
    pub fn happened(&self) -> Happened {
        self.happened
    }

    /// When spot launches failed lately, in milliseconds.
    pub fn failed_spot_launches(&self) -> &[i64] {
        &self.failed_spot
    }

    /// The units by what they are to a decision: in service for at least `warmup`, and the rest.
    #[inline]
    pub fn units(&self, now: i64, warmup: i64) -> Units {
        let live = self.live();
        if now - warmup >= self.settled_since {
            return Units {
                ready: live,
                warming: 0,
            };
        }
        let warm = self
            .cohorts
            .iter()
            .filter(|cohort| cohort.serves_from <= now - warmup && !cohort.is_broken);
        let ready = warm.map(|cohort| cohort.instances).sum::<u32>() * self.model.weight;
        Units {
            ready,
            warming: live - ready,
        }
    }

    /// What a per-instance metric knows, sampled over a step that began then; the sample of an instance in service for
    /// less than `gate` does not count. `None` where all live instances report, and count.
    pub fn spread(&self, now: i64, step_start: i64, gate: i64) -> Option<Spread> {
        if self.settled_since <= step_start.min(now - gate) {
            return None;
        }
        let mut spread = Spread::default();
        for cohort in self.cohorts.iter().filter(|cohort| !cohort.is_broken) {
            let units = cohort.instances * self.model.weight;
            if cohort.serves_from > now {
                spread.unready += units;
            } else if cohort.serves_from > step_start {
                spread.missing += units;
            } else if now - cohort.serves_from < gate {
                spread.unready += units;
            } else {
                spread.reported += units;
            }
        }
        Some(spread)
    }

    /// The instances one by one, as a provider shows them; `start` is the time of 0.
    pub fn instances(&self, now: i64, start: Timestamp) -> Vec<Instance> {
        let time = |at: i64| {
            start
                .checked_add(SignedDuration::from_millis(at))
                .unwrap_or(Timestamp::MIN)
        };
        let one = |id: String, state, launched, serves_from: i64, lifecycle| Instance {
            id: Arc::from(id),
            state,
            launched_at: Some(time(launched)),
            in_service_at: (serves_from <= now).then(|| time(serves_from)),
            ready: None,
            ready_changed_at: None,
            lifecycle,
            protected: false,
            instance_type: None,
            weight: self.model.weight,
        };
        let live = self.cohorts.iter().flat_map(|cohort| {
            let state = if cohort.is_broken {
                InstanceState::Unhealthy
            } else if cohort.serves_from <= now {
                InstanceState::InService
            } else {
                InstanceState::Pending
            };
            (0..cohort.instances).map(move |n| {
                let id = format!("i-{:08x}", cohort.serial + u64::from(n));
                one(
                    id,
                    state,
                    cohort.launched,
                    cohort.serves_from,
                    cohort.lifecycle,
                )
            })
        });
        let draining = self.draining.iter().enumerate().flat_map(|(place, of)| {
            (0..of.instances).map(move |n| {
                let id = format!("d-{place:08x}-{n}");
                one(
                    id,
                    InstanceState::Draining,
                    of.launched,
                    of.serves_from,
                    of.lifecycle,
                )
            })
        });
        live.chain(draining).collect()
    }

    /// When something next happens by itself.
    #[inline]
    pub fn next_due(&self) -> i64 {
        self.next_due
    }

    /// Lets happen what is due by then.
    pub fn advance(&mut self, to: i64) {
        while self.next_due <= to {
            let now = self.next_due;
            if self.next_change > now {
                self.refresh(now);
                continue;
            }
            for place in (0..self.draining.len()).rev() {
                if self.draining[place].ends <= now {
                    let ended = self.draining.remove(place);
                    self.bill(ended.launched, ended.instances, ended.lifecycle, now);
                }
            }
            if self.has_notice {
                for place in (0..self.cohorts.len()).rev() {
                    if self.cohorts[place].taken <= now {
                        let taken = self.cohorts.remove(place);
                        self.bill(taken.launched, taken.instances, taken.lifecycle, now);
                    }
                }
            }
            self.settle(now);
        }
    }

    /// Asks for a capacity.
    pub fn ask(&mut self, target: Target, now: i64) {
        if target.desired != self.target.desired {
            self.retry_at = NEVER;
        }
        self.has_spot |= target.spot > 0;
        self.target = target;
        self.settle(now);
    }

    /// Draws which spot instances are told that they will be taken back, and which instances break, in the step of this
    /// number that begins now.
    pub fn strike(&mut self, now: i64, step: u64) {
        self.strike = self.blow(Blow::Interruption, self.strike, now, step);
        self.breaking = self.blow(Blow::Breakdown, self.breaking, now, step);
    }

    fn blow(&mut self, blow: Blow, mut strike: Strike, now: i64, step: u64) -> Strike {
        if strike.chance <= 0.0 {
            return strike;
        }
        let exposed: u32 = self
            .cohorts
            .iter()
            .filter(|cohort| blow.can_strike(cohort, now))
            .map(|c| c.instances)
            .sum();
        if exposed == 0 {
            return strike;
        }
        if exposed != strike.instances {
            strike.instances = exposed;
            strike.none = (1.0 - strike.chance).powf(f64::from(exposed));
        }
        let seed = self.model.seed;
        let draw = |n: u64| random::unit(seed, &[blow.key(), step, n]);
        // How many: the inverse of the binomial distribution.
        let (mut left, mut chance, mut struck) = (draw(0), strike.none, 0);
        let odds = strike.chance / (1.0 - strike.chance).max(1e-15);
        while left >= chance && struck < exposed {
            left -= chance;
            struck += 1;
            chance *= odds * f64::from(exposed - struck + 1) / f64::from(struck);
        }
        let faults = &self.model.faults;
        let (after, is_broken) = match blow {
            Blow::Interruption => (faults.notice, false),
            Blow::Breakdown => (faults.health_check, true),
        };
        let taken = now.saturating_add(millis(after));
        for n in 0..struck {
            let mut place = (draw(1 + u64::from(n)) * f64::from(exposed - n)) as u32;
            let found = self.cohorts.iter().position(|cohort| {
                if !blow.can_strike(cohort, now) {
                    return false;
                }
                let is_here = place < cohort.instances;
                place = place.saturating_sub(cohort.instances);
                is_here
            });
            if let Some(found) = found {
                self.split_off(found, 1, |cohort| {
                    cohort.taken = taken;
                    cohort.is_broken = is_broken;
                });
                self.has_notice = true;
                match blow {
                    Blow::Interruption => self.happened.interruptions += 1,
                    Blow::Breakdown => self.happened.breakdowns += 1,
                }
            }
        }
        if struck > 0 {
            self.settle(now);
        }
        strike
    }

    /// Instance-milliseconds that are paid for if all ended now: on demand, and on spot.
    pub fn billed(&self, now: i64) -> [u64; 2] {
        let mut billed = self.billed;
        let live = self
            .cohorts
            .iter()
            .map(|c| (c.launched, c.instances, c.lifecycle));
        let draining = self
            .draining
            .iter()
            .map(|d| (d.launched, d.instances, d.lifecycle));
        for (launched, instances, lifecycle) in live.chain(draining) {
            billed[slot(lifecycle)] += paid(launched, now) * u64::from(instances);
        }
        billed
    }

    fn bill(&mut self, launched: i64, instances: u32, lifecycle: Lifecycle, now: i64) {
        self.billed[slot(lifecycle)] += paid(launched, now) * u64::from(instances);
    }

    fn shares(&self) -> [(Lifecycle, u32); 2] {
        let spot = self.target.spot.min(self.target.desired);
        [
            (Lifecycle::OnDemand, self.target.desired - spot),
            (Lifecycle::Spot, spot),
        ]
    }

    fn add(&mut self, cohort: Cohort) {
        self.next_serial += u64::from(cohort.instances);
        self.happened.launches += u64::from(cohort.instances);
        self.cohorts.push(cohort);
    }

    /// Changes some of a cohort's instances, which become a cohort of their own.
    fn split_off(&mut self, place: usize, instances: u32, change: impl FnOnce(&mut Cohort)) {
        let Some(cohort) = self.cohorts.get_mut(place) else {
            return;
        };
        if cohort.instances <= instances {
            change(cohort);
            return;
        }
        cohort.instances -= instances;
        let mut part = Cohort {
            serial: cohort.serial + u64::from(cohort.instances),
            instances,
            ..cohort.clone()
        };
        change(&mut part);
        self.cohorts.insert(place + 1, part);
    }

    /// Whether it counts towards the desired capacity.
    fn counts(&self, cohort: &Cohort) -> bool {
        cohort.taken == NEVER || cohort.is_broken || !self.model.rebalance
    }

    /// Units that count towards the desired capacity, on demand and on spot.
    fn counted(&self) -> [u32; 2] {
        if !self.has_spot && !self.has_notice {
            let all = self.cohorts.iter().map(|c| c.instances).sum::<u32>();
            return [all.saturating_mul(self.model.weight), 0];
        }
        let mut counted = [0; 2];
        for cohort in self.cohorts.iter().filter(|cohort| self.counts(cohort)) {
            counted[slot(cohort.lifecycle)] += cohort.instances;
        }
        counted.map(|instances: u32| instances.saturating_mul(self.model.weight))
    }

    /// Brings the instances to what is desired, and notes when something next happens by itself.
    fn settle(&mut self, now: i64) {
        let mut counted = self.counted();
        while let Some((place, instances)) = self.victims(counted) {
            let ended = instances.saturating_mul(self.model.weight);
            if let Some(cohort) = self.cohorts.get(place) {
                counted[slot(cohort.lifecycle)] -= ended;
            }
            self.begin_end(place, instances, now);
        }
        if counted[0] + counted[1] >= self.target.desired {
            self.retry_at = NEVER;
        } else if self.retry_at == NEVER || self.retry_at <= now {
            self.launch_missing(counted, now);
        }
        self.refresh(now);
    }

    /// The instances that end next on scale-in, of one cohort: those about to be taken first, then of the lifecycle
    /// that has more than its share, then by order. Never more units than are too many.
    fn victims(&self, counted: [u32; 2]) -> Option<(usize, u32)> {
        let weight = self.model.weight;
        let excess = (counted[0] + counted[1]).checked_sub(self.target.desired)?;
        let too_many = excess / weight;
        if too_many == 0 {
            return None;
        }
        if !self.has_spot && !self.has_notice {
            // Cohorts are in the order of their launch.
            let place = match self.model.order {
                VictimOrder::Newest => self.cohorts.len().checked_sub(1)?,
                VictimOrder::Oldest | VictimOrder::Default => 0,
            };
            return Some((place, self.cohorts.get(place)?.instances.min(too_many)));
        }
        let surplus = self.shares().into_iter().find_map(|(lifecycle, share)| {
            let over = counted[slot(lifecycle)].checked_sub(share)?;
            (over > 0).then_some((lifecycle, over))
        });
        let (place, cohort) = self
            .cohorts
            .iter()
            .enumerate()
            .filter(|(_, cohort)| self.counts(cohort))
            .min_by_key(|(_, cohort)| {
                let (age, serial) = (cohort.launched, cohort.serial as i64);
                let by_age = match self.model.order {
                    VictimOrder::Newest => (-age, -serial),
                    VictimOrder::Oldest | VictimOrder::Default => (age, serial),
                };
                let is_surplus = surplus.is_none_or(|(lifecycle, _)| lifecycle == cohort.lifecycle);
                (
                    !cohort.is_broken,
                    cohort.taken == NEVER,
                    !is_surplus,
                    by_age,
                )
            })?;
        let most = match surplus {
            Some((lifecycle, over)) if lifecycle == cohort.lifecycle => over.div_ceil(weight),
            Some(_) => 1,
            None => too_many,
        };
        Some((place, cohort.instances.min(too_many).min(most)))
    }

    /// Ends instances as scale-in does: those that serve drain first.
    fn begin_end(&mut self, place: usize, instances: u32, now: i64) {
        let Some(cohort) = self.cohorts.get_mut(place) else {
            return;
        };
        cohort.instances -= instances;
        let cohort = cohort.clone();
        if cohort.instances == 0 {
            self.cohorts.remove(place);
        } else if self.model.order != VictimOrder::Newest
            && let Some(left) = self.cohorts.get_mut(place)
        {
            left.serial += u64::from(instances);
        }
        let drain = millis(self.model.drain);
        // What is broken has no work to finish.
        if cohort.serves_from <= now && drain > 0 && !cohort.is_broken {
            self.draining.push(Draining {
                launched: cohort.launched,
                serves_from: cohort.serves_from,
                ends: now.saturating_add(drain).min(cohort.taken),
                instances,
                lifecycle: cohort.lifecycle,
            });
        } else {
            self.bill(cohort.launched, instances, cohort.lifecycle, now);
        }
    }

    fn launch_missing(&mut self, mut counted: [u32; 2], now: i64) {
        self.retry_at = NEVER;
        let weight = self.model.weight;
        for (lifecycle, share) in self.shares() {
            let of_all = self.target.desired.saturating_sub(counted[0] + counted[1]);
            let missing = share.saturating_sub(counted[slot(lifecycle)]).min(of_all);
            let mut missing = missing.div_ceil(weight);
            let failing = self.model.faults.failing(lifecycle);
            if failing <= 0.0 && !self.model.boot.is_drawn() {
                self.launch(lifecycle, missing, now);
                counted[slot(lifecycle)] += missing * weight;
                continue;
            }
            while missing > 0 {
                let keys = [random::key("launch"), self.next_serial, now as u64];
                if failing > 0.0 && random::unit(self.model.seed, &keys) < failing {
                    self.happened.failed_launches += 1;
                    self.retry_at = now + RETRY_MS;
                    if lifecycle == Lifecycle::Spot {
                        if self.failed_spot.len() >= FAILED_KEPT {
                            self.failed_spot.remove(0);
                        }
                        self.failed_spot.push(now);
                    }
                    break;
                }
                self.launch(lifecycle, 1, now);
                counted[slot(lifecycle)] += weight;
                missing -= 1;
            }
        }
    }

    fn launch(&mut self, lifecycle: Lifecycle, instances: u32, now: i64) {
        if instances == 0 {
            return;
        }
        let boot = self.model.boot.draw(self.model.seed, self.next_serial);
        self.add(Cohort {
            launched: now,
            serves_from: now.saturating_add(boot),
            taken: NEVER,
            is_broken: false,
            serial: self.next_serial,
            instances,
            lifecycle,
        });
    }

    /// Counts again, and finds what is due next.
    fn refresh(&mut self, now: i64) {
        let (mut serving, mut live, mut youngest) = (0, 0, i64::MIN);
        let (mut ends, mut boots) = (self.retry_at, NEVER);
        let (mut has_spot, mut has_notice) = (false, false);
        for cohort in &self.cohorts {
            ends = ends.min(cohort.taken);
            has_notice |= cohort.taken != NEVER;
            has_spot |= cohort.lifecycle == Lifecycle::Spot;
            if cohort.is_broken {
                continue;
            }
            live += cohort.instances;
            youngest = youngest.max(cohort.serves_from);
            if cohort.serves_from <= now {
                serving += cohort.instances;
            } else {
                boots = boots.min(cohort.serves_from);
            }
        }
        for draining in &self.draining {
            ends = ends.min(draining.ends);
        }
        self.next_change = ends;
        self.next_due = ends.min(boots);
        self.has_spot = has_spot || self.target.spot > 0;
        self.has_notice = has_notice;
        self.serving = serving;
        self.live = live;
        self.settled_since = if serving < live { NEVER } else { youngest };
    }
}

fn paid(launched: i64, now: i64) -> u64 {
    (now - launched).max(LEAST_BILLED_MS).unsigned_abs()
}
