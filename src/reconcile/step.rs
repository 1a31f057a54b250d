//! The loop as a pure function: a state and an event in, the next state and effects out.
//!
//! ```text
//!                 Started / Woken
//!                       |
//!                       v   held by another
//!      +----------> Leasing ----------------> Stopped
//!      |                | Leased
//!      |                v
//!      |            Loading                   what was last applied, what is remembered
//!      |                | Loaded
//!      |                v
//!      |            Observing                 all groups that are due, in batches
//!      |                | Seen
//!      |                v
//!      |      settle, decide (visit, pure)
//!      |                |
//!      |                v   more to do, lease half used up
//!      |   +------> (round) -------> Renewing --Leased--+
//!      |   |            |                               |
//!      |   |            v <-----------------------------+
//!      |   |        Intending                 intents on the disk, before any of their calls
//!      |   |            | IntentsRecorded
//!      |   |            v
//!      |   |        Acting                    the calls, side by side, none after the deadline
//!      |   |            | Acted
//!      |   |            v
//!      |   +------- Recording                 outcomes and the events of the intents
//!      |                | Recorded, nothing more to do (or asked to stop)
//!      |                v
//!      |            Closing                   the tick's record: memory, decisions, samples
//!      |                | Recorded
//!      |                v
//!      +--Woken---- Waiting                   the next tick, or an intent that cannot be settled before
//!                       | the last tick, or asked to stop
//!                       v
//!                    Stopped
//! ```
//!
//! It reads no clock and does no I/O: the shell performs the effects, one after the other, and feeds back what came
//! of them. Every effect but `Report` and `Stop` is answered by exactly one event.

use std::collections::{BTreeMap, VecDeque};
use std::sync::Arc;
use std::time::Duration;

use jiff::Timestamp;
use tideform_policies::model::GroupAddress;
use tideform_state::IntentId;

use super::group::{
    ActAnswer, Context, GroupReport, GroupRun, GroupWrite, PlannedAct, Seen, VisitResult,
};
use super::progress::Progress;
use super::protocol::{
    Call, Effect, Event, Moment, NewIntent, Pace, Settings, StopReason, TickRecord, TickReport,
};
use super::settle::{CALL_STARTS_WITHIN, OpenIntent};
use super::visit::{after_act, visit};
use crate::engine::{Memory, Reason};
use crate::observe::after;

/// Where the loop is.
#[derive(Debug)]
enum Phase {
    Idle,
    Leasing,
    Loading,
    Observing,
    Renewing,
    Intending(Vec<Pending>),
    Acting(Vec<(Pending, OpenIntent)>),
    Recording,
    Closing,
    Waiting,
    Stopped,
}

/// A group with calls to make.
#[derive(Debug)]
struct Pending {
    group: GroupAddress,
    acts: VecDeque<PlannedAct>,
    reasons: Arc<[Reason]>,
    /// Recorded with the first intent.
    write: Option<GroupWrite>,
    /// When the intent under way was recorded: its action counts from there.
    recorded_at: Timestamp,
    not_after: Timestamp,
}

/// The loop between two events.
#[derive(Debug)]
pub struct LoopState {
    settings: Settings,
    phase: Phase,
    lease_until: Timestamp,
    groups: BTreeMap<GroupAddress, GroupRun>,
    /// What a shadow remembers: it outlives the ticks, and never reaches the state.
    shadows: BTreeMap<GroupAddress, (Memory, Progress)>,
    /// Groups that must be read again before the run is over, and when.
    deferred: BTreeMap<GroupAddress, Timestamp>,
    is_revisit: bool,
    pending: VecDeque<Pending>,
    writes: BTreeMap<GroupAddress, GroupWrite>,
    reports: BTreeMap<GroupAddress, GroupReport>,
    applied: usize,
    ticks: u64,
    began: Moment,
    next_tick: Option<Timestamp>,
    stop_asked: bool,
}

impl LoopState {
    /// A loop that has not begun.
    pub fn new(settings: Settings) -> LoopState {
        LoopState {
            settings,
            phase: Phase::Idle,
            lease_until: Timestamp::MIN,
            groups: BTreeMap::new(),
            shadows: BTreeMap::new(),
            deferred: BTreeMap::new(),
            is_revisit: false,
            pending: VecDeque::new(),
            writes: BTreeMap::new(),
            reports: BTreeMap::new(),
            applied: 0,
            ticks: 0,
            began: Moment {
                world: Timestamp::MIN,
                machine: Timestamp::MIN,
            },
            next_tick: None,
            stop_asked: false,
        }
    }

    /// Whether the loop is over.
    pub fn is_stopped(&self) -> bool {
        matches!(self.phase, Phase::Stopped)
    }

    /// No call for an intent recorded now starts later.
    fn deadline(&self, now: Moment) -> Timestamp {
        before(self.lease_until, self.settings.lease_margin)
            .min(after(now.machine, CALL_STARTS_WITHIN))
    }

    fn stop(mut self, reason: StopReason) -> (LoopState, Vec<Effect>) {
        self.phase = Phase::Stopped;
        (self, vec![Effect::Stop(reason)])
    }
}

fn before(at: Timestamp, span: Duration) -> Timestamp {
    jiff::SignedDuration::try_from(span)
        .ok()
        .and_then(|span| at.checked_sub(span).ok())
        .unwrap_or(Timestamp::MIN)
}

/// Takes one event.
///
/// # Panics
/// Where the shell answers an effect that was not asked for, or with another number of answers: a bug in tideform.
pub fn step(mut state: LoopState, event: Event, now: Moment) -> (LoopState, Vec<Effect>) {
    let phase = std::mem::replace(&mut state.phase, Phase::Idle);
    match (phase, event) {
        (phase, Event::StopAsked) => {
            state.stop_asked = true;
            match phase {
                // Between ticks there is nothing in hand.
                Phase::Idle | Phase::Waiting | Phase::Stopped => state.stop(StopReason::Asked),
                busy => {
                    state.phase = busy;
                    (state, Vec::new())
                }
            }
        }
        (Phase::Idle, Event::Started) | (Phase::Waiting, Event::Woken) => begin_tick(state, now),
        (Phase::Leasing, Event::Leased(until)) => {
            state.lease_until = until;
            if state.stop_asked {
                return state.stop(StopReason::Asked);
            }
            state.phase = Phase::Loading;
            (state, vec![Effect::Load])
        }
        (Phase::Leasing | Phase::Renewing, Event::LeaseHeld(holder)) => {
            // What was decided but not begun is dropped: whoever has the lease decides afresh.
            state.pending.clear();
            state.stop(StopReason::LeaseHeld(holder))
        }
        (Phase::Loading, Event::Loaded(runs)) => loaded(state, runs, now),
        (Phase::Observing, Event::Seen(seen)) => observed(state, seen, now),
        (Phase::Renewing, Event::Leased(until)) => {
            state.lease_until = until;
            intend(state, now)
        }
        (Phase::Intending(round), Event::IntentsRecorded(ids)) => act(state, round, &ids),
        (Phase::Acting(round), Event::Acted(answers)) => acted(state, round, &answers, now),
        (Phase::Recording, Event::Recorded) => round(state, now),
        (Phase::Closing, Event::Recorded) => closed(state, now),
        (phase, event) => panic!("{event:?} came while {phase:?}; this is a bug in tideform"),
    }
}

fn begin_tick(mut state: LoopState, now: Moment) -> (LoopState, Vec<Effect>) {
    if state.settings.stop_at.is_some_and(|at| at <= now.world) {
        return state.stop(StopReason::Finished);
    }
    // Woken for a group that was deferred, before the next tick: only that group is visited.
    state.is_revisit = state.next_tick.is_some_and(|next| now.world < next);
    if !state.is_revisit
        && let Pace::Every(interval) = state.settings.pace
    {
        // From the tick before, not from its end: ticks do not drift. A tick that took too long skips some.
        let mut next = state.next_tick.map_or(now.world, |at| at);
        if interval.is_zero() {
            next = now.world;
        } else {
            let late = Duration::try_from(now.world.duration_since(next)).unwrap_or_default();
            let skipped = u32::try_from(late.as_nanos() / interval.as_nanos()).unwrap_or(u32::MAX);
            next = after(next, interval.saturating_mul(skipped));
            next = after(next, interval);
        }
        state.next_tick = Some(next);
    }
    state.began = now;
    state.reports.clear();
    state.writes.clear();
    state.pending.clear();
    if state.settings.is_shadow {
        // A shadow changes nothing, so it needs no lease and disturbs nobody who has it.
        state.lease_until = Timestamp::MAX;
        state.phase = Phase::Loading;
        return (state, vec![Effect::Load]);
    }
    state.phase = Phase::Leasing;
    (state, vec![Effect::TakeLease])
}

fn loaded(mut state: LoopState, runs: Vec<GroupRun>, now: Moment) -> (LoopState, Vec<Effect>) {
    state.applied = runs.len();
    state.groups.clear();
    let mut due = Vec::new();
    let deferred = std::mem::take(&mut state.deferred);
    for mut run in runs {
        let address = run.group().address.clone();
        if state
            .settings
            .only
            .as_ref()
            .is_some_and(|only| !only.contains(&address))
        {
            continue;
        }
        if state.settings.is_shadow {
            run.open.clear();
            if let Some((memory, progress)) = state.shadows.get(&address) {
                run.memory = memory.clone();
                run.progress = progress.clone();
            }
        }
        let is_due = if state.is_revisit {
            deferred.get(&address).is_some_and(|at| *at <= now.world)
        } else {
            let is_open =
                !run.open.is_empty() && run.progress.not_before.is_none_or(|at| at <= now.world);
            is_open
                || run.is_asked(now.world)
                || run.progress.is_due(run.group().policy.every, now.world)
        };
        if is_due {
            due.push(address.clone());
            state.groups.insert(address, run);
        } else if let Some(at) = deferred.get(&address) {
            state.deferred.insert(address, *at);
        }
    }
    if due.is_empty() {
        return close(state, now);
    }
    state.phase = Phase::Observing;
    (state, vec![Effect::Observe(due)])
}

fn observed(
    mut state: LoopState,
    mut seen: BTreeMap<GroupAddress, Seen>,
    now: Moment,
) -> (LoopState, Vec<Effect>) {
    let context = Context {
        now: now.world,
        is_shadow: state.settings.is_shadow,
        lineage: state.settings.lineage.clone(),
        workspace: state.settings.workspace.clone(),
    };
    for (address, run) in std::mem::take(&mut state.groups) {
        let seen = seen.remove(&address).unwrap_or_else(|| {
            Seen::Failed("the provider gave no answer about this group".to_owned())
        });
        let visit = visit(run, seen, &context);
        if let Some(until) = visit.deferred_until {
            state.deferred.insert(address.clone(), until);
        }
        if state.settings.is_shadow {
            state.shadows.insert(
                address.clone(),
                (visit.run.memory.clone(), visit.run.progress.clone()),
            );
        }
        if visit.acts.is_empty() {
            state.writes.insert(address.clone(), visit.write);
        } else {
            state.pending.push_back(Pending {
                group: address.clone(),
                acts: visit.acts.into(),
                reasons: visit.reasons,
                write: Some(visit.write),
                recorded_at: now.world,
                not_after: now.machine,
            });
        }
        state.reports.insert(address.clone(), visit.report);
        state.groups.insert(address, visit.run);
    }
    round(state, now)
}

/// The next round of calls, or the end of the tick.
fn round(mut state: LoopState, now: Moment) -> (LoopState, Vec<Effect>) {
    if state.pending.is_empty() {
        return close(state, now);
    }
    if state.stop_asked {
        // Not begun, so not decided: what was read is kept, what was decided is not.
        for pending in std::mem::take(&mut state.pending) {
            if let Some(report) = state.reports.get_mut(&pending.group)
                && pending.write.is_some()
            {
                report.result = VisitResult::Stopped;
            }
            if let Some(write) = pending.write {
                let seen = GroupWrite {
                    // A settled intent is never found again: the cooldown that it starts goes with it.
                    memory: write.settled_memory,
                    closed: write.closed,
                    observed: write.observed,
                    ..GroupWrite::default()
                };
                state.writes.insert(pending.group, seen);
            }
        }
        return close(state, now);
    }
    if now.machine > before(state.lease_until, state.settings.lease_time / 2) {
        state.phase = Phase::Renewing;
        return (state, vec![Effect::TakeLease]);
    }
    intend(state, now)
}

fn intend(mut state: LoopState, now: Moment) -> (LoopState, Vec<Effect>) {
    let size = state.settings.round_size.max(1).min(state.pending.len());
    let mut round: Vec<Pending> = state.pending.drain(..size).collect();
    let not_after = state.deadline(now);
    let intents = round
        .iter_mut()
        .filter_map(|pending| {
            pending.recorded_at = now.world;
            pending.not_after = not_after;
            Some(NewIntent {
                group: pending.group.clone(),
                planned: pending.acts.front()?.clone(),
                at: now.world,
                not_after,
                reasons: Arc::clone(&pending.reasons),
                write: pending.write.take().unwrap_or_default(),
            })
        })
        .collect();
    state.phase = Phase::Intending(round);
    (state, vec![Effect::RecordIntents(intents)])
}

fn act(mut state: LoopState, round: Vec<Pending>, ids: &[IntentId]) -> (LoopState, Vec<Effect>) {
    assert_eq!(round.len(), ids.len(), "an intent has a number");
    let mut acting = Vec::with_capacity(round.len());
    let mut calls = Vec::with_capacity(round.len());
    let deadline = round
        .iter()
        .map(|pending| pending.not_after)
        .min()
        .unwrap_or(state.lease_until);
    for (mut pending, id) in round.into_iter().zip(ids) {
        let Some(planned) = pending.acts.pop_front() else {
            continue;
        };
        let Some(run) = state.groups.get(&pending.group) else {
            continue;
        };
        calls.push(Call {
            group: pending.group.clone(),
            resource: run.group().resource.clone(),
            act: planned.act.clone(),
            desired: planned.change.after.get(),
        });
        let intent = OpenIntent {
            id: *id,
            at: pending.recorded_at,
            change: planned.change,
            act: planned.act,
        };
        acting.push((pending, intent));
    }
    state.phase = Phase::Acting(acting);
    (state, vec![Effect::Act { calls, deadline }])
}

fn acted(
    mut state: LoopState,
    round: Vec<(Pending, OpenIntent)>,
    answers: &[ActAnswer],
    now: Moment,
) -> (LoopState, Vec<Effect>) {
    assert_eq!(round.len(), answers.len(), "a call has an answer");
    let mut writes = Vec::with_capacity(round.len());
    for ((pending, intent), answer) in round.into_iter().zip(answers) {
        let Some(run) = state.groups.get_mut(&pending.group) else {
            continue;
        };
        let (write, result) = after_act(run, &intent, answer, pending.acts.is_empty(), now.world);
        let goes_on = matches!(result, VisitResult::Moved(_) | VisitResult::Changed(_));
        if let Some(report) = state.reports.get_mut(&pending.group) {
            if goes_on {
                report.desired = intent.change.after.get();
            }
            if let VisitResult::Changed(what) = &result {
                report.changed.push(what.clone());
            }
            // Of several calls for one decision, the whole way is told.
            report.result = match (&report.result, result) {
                (VisitResult::Moved(first), VisitResult::Moved(mut last)) => {
                    last.before = first.before;
                    VisitResult::Moved(last)
                }
                (_, result) => result,
            };
        }
        writes.push((pending.group.clone(), write));
        if goes_on && !pending.acts.is_empty() {
            state.pending.push_back(pending);
        }
    }
    state.phase = Phase::Recording;
    (state, vec![Effect::RecordOutcomes(writes)])
}

fn close(mut state: LoopState, now: Moment) -> (LoopState, Vec<Effect>) {
    let groups: Vec<_> = std::mem::take(&mut state.writes).into_iter().collect();
    if groups.is_empty() && state.settings.is_shadow {
        return closed(state, now);
    }
    state.phase = Phase::Closing;
    let record = TickRecord {
        at: state.began.world,
        groups,
        is_shadow: state.settings.is_shadow,
    };
    (state, vec![Effect::RecordTick(record)])
}

fn closed(mut state: LoopState, now: Moment) -> (LoopState, Vec<Effect>) {
    if !state.is_revisit {
        state.ticks += 1;
    }
    let report = TickReport {
        number: state.ticks,
        at: state.began.world,
        took: Duration::try_from(now.machine.duration_since(state.began.machine))
            .unwrap_or_default(),
        groups: std::mem::take(&mut state.reports).into_values().collect(),
        applied: state.applied,
        is_shadow: state.settings.is_shadow,
    };
    let mut effects = vec![Effect::Report(report)];
    let stop = if state.stop_asked {
        Some(StopReason::Asked)
    } else if state
        .settings
        .stop_after_ticks
        .is_some_and(|ticks| state.ticks >= ticks)
        && state.deferred.is_empty()
    {
        Some(StopReason::Finished)
    } else {
        None
    };
    if let Some(reason) = stop {
        let (state, stopping) = state.stop(reason);
        effects.extend(stopping);
        return (state, effects);
    }
    let deferred = state.deferred.values().min().copied();
    let wake = match (state.settings.pace, deferred) {
        (Pace::Once, None) => {
            let (state, stopping) = state.stop(StopReason::Finished);
            effects.extend(stopping);
            return (state, effects);
        }
        (Pace::Once, Some(at)) => {
            // The run is not over before every open intent is settled.
            state.next_tick = Some(Timestamp::MAX);
            at
        }
        (Pace::Every(_), deferred) => {
            let next = state.next_tick.unwrap_or(now.world);
            deferred.map_or(next, |at| at.min(next))
        }
    };
    state.phase = Phase::Waiting;
    effects.push(Effect::WakeAt(wake));
    (state, effects)
}
