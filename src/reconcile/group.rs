//! The words of a visit: a group as the loop knows it, what was seen of it, what is to be recorded, done and told. Plain
//! data.

use std::sync::Arc;
use std::time::Duration;

use jiff::Timestamp;
use tideform_policies::model::{Capacity, Change, Group, GroupAddress, Instance, InstanceState};
use tideform_state::{EventKind, IntentId, Outcome};

use super::progress::{Condition, Moved, Progress};
use super::settle::{Act, OpenIntent};
use crate::engine::{Decision, Memory, Reason, Rules};
use crate::observe::{Observed, after};

/// One applied group, with what the state remembers of it.
#[derive(Clone, Debug)]
pub struct GroupRun {
    /// The group's policy, made ready.
    pub rules: Arc<Rules>,
    /// The engine's memory.
    pub memory: Memory,
    /// The loop's own memory.
    pub progress: Progress,
    /// Intents without an outcome, oldest first.
    pub open: Vec<OpenIntent>,
    /// The provider can be told which instance to end.
    pub chooses_victims: bool,
    /// When people last asked for something of it by hand, or ended that before its time.
    pub asked_at: Option<Timestamp>,
    /// When the first of what people asked for since the last visit runs out, of a group of which something was moved for
    /// it.
    pub over_at: Option<Timestamp>,
    /// What is still to be brought back once all calls of this visit have succeeded.
    pub moved_after: Option<Moved>,
}

impl GroupRun {
    /// The group itself.
    pub fn group(&self) -> &Group {
        self.rules.group()
    }

    /// Whether people have asked for something since it was last visited, or that is over and was not brought back. A
    /// group that backs off goes on doing so.
    pub fn is_asked(&self, now: Timestamp) -> bool {
        let is_news = match (self.asked_at, self.progress.last_visit) {
            (Some(asked), Some(last)) => last < asked && asked <= now,
            (asked, _) => asked.is_some(),
        };
        let is_over = self.over_at.is_some_and(|over| over <= now);
        (is_news || is_over) && self.progress.not_before.is_none_or(|at| at <= now)
    }
}

/// What was seen of a group.
#[derive(Debug)]
pub enum Seen {
    /// As it is.
    Live(Box<Observed>),
    /// Its resource does not exist.
    Missing,
    /// It could not be read: the error with its causes.
    Failed(String),
}

/// What is the same for all visits of a tick.
#[derive(Clone, Debug)]
pub struct Context {
    /// The time of the tick, by the loop's clock.
    pub now: Timestamp,
    /// Decide, but touch nothing.
    pub is_shadow: bool,
    /// The lineage of our state: another one's tag on a group is refused.
    pub lineage: String,
    /// Our workspace: what we made is named after it.
    pub workspace: String,
}

/// What is to be recorded, what is to be done, and what to report.
#[derive(Debug)]
pub struct Visit {
    /// To be recorded.
    pub write: GroupWrite,
    /// To be done, in this order, each only after the one before has succeeded.
    pub acts: Vec<PlannedAct>,
    /// Why.
    pub reasons: Arc<[Reason]>,
    /// For whoever watches.
    pub report: GroupReport,
    /// The group as it is remembered after the visit.
    pub run: GroupRun,
    /// Read the group again then: an intent cannot be settled before.
    pub deferred_until: Option<Timestamp>,
}

/// One call that is to be made.
#[derive(Clone, Debug, PartialEq)]
pub struct PlannedAct {
    /// How.
    pub act: Act,
    /// From what to what.
    pub change: Change<Capacity>,
}

/// What is recorded of one group, in one transaction.
#[derive(Clone, Debug, Default)]
pub struct GroupWrite {
    /// The engine's memory; `None`: as it was.
    pub memory: Option<Memory>,
    /// The engine's memory right after open intents were settled: what stays if the decision is dropped.
    pub settled_memory: Option<Memory>,
    /// The loop's memory; `None`: as it was.
    pub progress: Option<Progress>,
    /// The decision of this visit.
    pub decision: Option<Arc<Decision>>,
    /// Intents whose outcome is known now.
    pub closed: Vec<Closed>,
    /// What happened.
    pub notes: Vec<Note>,
    /// What was seen, for the samples.
    pub observed: Option<Arc<Observed>>,
}

/// An intent whose outcome is known.
#[derive(Clone, Debug, PartialEq)]
pub struct Closed {
    /// The state's number of it.
    pub id: IntentId,
    /// What became of it.
    pub outcome: Outcome,
    /// One sentence for its event; empty: the state makes one.
    pub text: String,
}

/// Something that happened beside intents, for the events.
#[derive(Clone, Debug, PartialEq)]
pub struct Note {
    /// What kind.
    pub kind: EventKind,
    /// One sentence for people.
    pub text: String,
}

/// What became of one visit, for whoever watches.
#[derive(Clone, Debug)]
pub struct GroupReport {
    /// Which.
    pub group: GroupAddress,
    /// The newest value of its load metric.
    pub load: Option<f64>,
    /// The capacity last asked for, this visit's change included.
    pub desired: u32,
    /// Past its warm-up, in units.
    pub ready: u32,
    /// Starting or in service but not ready yet, in units.
    pub warming: u32,
    /// What was decided; `None` where nothing could be.
    pub decision: Option<Arc<Decision>>,
    /// What was changed beside the capacity, in order: a policy of the cloud's own that went, the mix.
    pub changed: Vec<String>,
    /// What became of it.
    pub result: VisitResult,
}

/// What became of one visit.
#[derive(Clone, Debug, PartialEq)]
pub enum VisitResult {
    /// No change.
    Held,
    /// The capacity was changed.
    Moved(Change<Capacity>),
    /// Something else was changed: the mix.
    Changed(String),
    /// The capacity would have been changed: shadow mode.
    Would(Change<Capacity>),
    /// The change was not made.
    NotDone(String),
    /// It is not known yet whether the change was made; the next visit settles it.
    Unknown(String),
    /// Something stands in the way.
    Condition(Condition),
    /// An open intent is waited for.
    Deferred(Timestamp),
    /// The cloud's own controls scale it: only samples were taken.
    Native,
    /// The run was asked to stop before the change was made.
    Stopped,
}

impl VisitResult {
    /// Whether the visit failed.
    pub fn is_error(&self) -> bool {
        matches!(
            self,
            VisitResult::NotDone(_)
                | VisitResult::Unknown(_)
                | VisitResult::Condition(
                    Condition::Missing | Condition::Failing { .. } | Condition::Foreign { .. }
                )
        )
    }
}

/// What a provider said to a call.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum ActAnswer {
    /// It is done.
    Done,
    /// Nothing was changed, and why.
    NotDone(String),
    /// It may or may not have been done.
    Unknown(String),
    /// The call was not made: the lease was about to end.
    NotStarted(String),
    /// Something there stands in the way for now; nothing was done.
    Blocked(String),
}

/// Units in service for at least `warmup`, and units starting or in service for less.
pub fn count_ready(instances: &[Instance], warmup: Duration, now: Timestamp) -> (u32, u32) {
    let mut ready = 0_u32;
    let mut warming = 0_u32;
    for instance in instances {
        match instance.state {
            InstanceState::InService => {
                let since = instance.in_service_at.or(instance.launched_at);
                if since.is_none_or(|since| after(since, warmup) <= now) {
                    ready = ready.saturating_add(instance.weight);
                } else {
                    warming = warming.saturating_add(instance.weight);
                }
            }
            InstanceState::Pending => warming = warming.saturating_add(instance.weight),
            InstanceState::Unhealthy | InstanceState::Draining | InstanceState::Ended => {}
        }
    }
    (ready, warming)
}
