//! What the pure loop and its shell say to each other: events in, effects out. Plain data.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;
use std::time::Duration;

use jiff::Timestamp;
use tideform_policies::model::{Direction, GroupAddress, Resource};
use tideform_state::IntentId;

use super::group::{ActAnswer, GroupReport, GroupRun, GroupWrite, PlannedAct, Seen};
use super::settle::Act;
use crate::engine::Reason;

/// The two times of a moment.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Moment {
    /// By the loop's clock: the stepped world's, where there is one. Everything decided and recorded uses it.
    pub world: Timestamp,
    /// By the machine's clock: leases are between processes, and run by it.
    pub machine: Timestamp,
}

/// How a loop runs.
#[derive(Clone, Debug)]
pub struct Settings {
    /// One run, or a run each so often.
    pub pace: Pace,
    /// Decide, but touch nothing.
    pub is_shadow: bool,
    /// The lineage of our state.
    pub lineage: String,
    /// Our workspace.
    pub workspace: String,
    /// How long a lease lasts without renewal.
    pub lease_time: Duration,
    /// No call starts later than the lease's end less this: the longest call and a clock's fault.
    pub lease_margin: Duration,
    /// Calls that are recorded, and made side by side, in one round.
    pub round_size: usize,
    /// Stop by itself after so many ticks.
    pub stop_after_ticks: Option<u64>,
    /// Stop by itself at the first tick that would begin at or after this, by the loop's clock.
    pub stop_at: Option<Timestamp>,
    /// Only these groups; `None`: all.
    pub only: Option<BTreeSet<GroupAddress>>,
}

/// How often the loop runs.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Pace {
    /// Once: a scheduled job's run.
    Once,
    /// A daemon.
    Every(Duration),
}

/// What came of an effect, or from outside.
#[derive(Debug)]
pub enum Event {
    /// The first event of all.
    Started,
    /// `TakeLease`: we have it until then, by the machine's clock.
    Leased(Timestamp),
    /// `TakeLease`: somebody else has it.
    LeaseHeld(String),
    /// `Load`: what was last applied, with what is remembered of it.
    Loaded(Vec<GroupRun>),
    /// `Observe`.
    Seen(BTreeMap<GroupAddress, Seen>),
    /// `RecordIntents`: the numbers, in the order of the intents.
    IntentsRecorded(Vec<IntentId>),
    /// `Act`: the answers, in the order of the calls.
    Acted(Vec<ActAnswer>),
    /// `RecordOutcomes` or `RecordTick`.
    Recorded,
    /// `WakeAt`: it is then, or earlier for a reason.
    Woken,
    /// Somebody asked the loop to stop. May come at any time.
    StopAsked,
}

/// What the shell is to do.
#[derive(Debug)]
pub enum Effect {
    /// Take the lease, or renew it.
    TakeLease,
    /// Read what was last applied and what is remembered.
    Load,
    /// Read these groups and their metrics.
    Observe(Vec<GroupAddress>),
    /// Record these intents, and what goes with them, in one transaction.
    RecordIntents(Vec<NewIntent>),
    /// Make these calls; none starts later than the deadline, by the machine's clock.
    Act {
        /// Which.
        calls: Vec<Call>,
        /// The lease's end less the margin.
        deadline: Timestamp,
    },
    /// Record what became of the calls, in one transaction.
    RecordOutcomes(Vec<(GroupAddress, GroupWrite)>),
    /// Record the tick, in one transaction.
    RecordTick(TickRecord),
    /// Tell whoever watches.
    Report(TickReport),
    /// Wake up then, by the loop's clock. The lease is kept, unless somebody asks for it.
    WakeAt(Timestamp),
    /// The loop is over: give back the lease.
    Stop(StopReason),
}

/// Why a loop is over.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum StopReason {
    /// It did what it was to do.
    Finished,
    /// It was asked to.
    Asked,
    /// Somebody else holds the lease: nothing was changed since.
    LeaseHeld(String),
}

/// An intent to record, and what goes with it.
#[derive(Clone, Debug)]
pub struct NewIntent {
    /// Whose.
    pub group: GroupAddress,
    /// From what to what, and how.
    pub planned: PlannedAct,
    /// Cooldowns run from here, if it takes effect.
    pub at: Timestamp,
    /// No call for it starts later, by the machine's clock.
    pub not_after: Timestamp,
    /// Why.
    pub reasons: Arc<[Reason]>,
    /// What is recorded with it; empty but for the first intent of a decision.
    pub write: GroupWrite,
}

/// A call to make.
#[derive(Clone, Debug, PartialEq)]
pub struct Call {
    /// Whose.
    pub group: GroupAddress,
    /// What is scaled.
    pub resource: Resource,
    /// How.
    pub act: Act,
    /// The capacity asked for.
    pub desired: u32,
}

/// What is recorded at the end of a tick.
#[derive(Clone, Debug)]
pub struct TickRecord {
    /// By the loop's clock.
    pub at: Timestamp,
    /// The groups that were visited, apart from what was recorded with their intents.
    pub groups: Vec<(GroupAddress, GroupWrite)>,
    /// Decisions of shadow mode.
    pub is_shadow: bool,
}

/// A tick, for whoever watches.
#[derive(Clone, Debug)]
pub struct TickReport {
    /// From 1.
    pub number: u64,
    /// When it began, by the loop's clock.
    pub at: Timestamp,
    /// How long it took, by the machine's clock.
    pub took: Duration,
    /// The groups that were due, by address.
    pub groups: Vec<GroupReport>,
    /// Groups that were applied, due or not.
    pub applied: usize,
    /// Nothing was touched.
    pub is_shadow: bool,
}

impl TickReport {
    /// How many decisions went this way.
    pub fn decisions(&self, direction: Direction) -> usize {
        self.groups
            .iter()
            .filter_map(|group| group.decision.as_ref())
            .filter(|decision| decision.direction == direction)
            .count()
    }

    /// The groups whose visit failed.
    pub fn failed(&self) -> impl Iterator<Item = &GroupReport> {
        self.groups.iter().filter(|group| group.result.is_error())
    }
}
