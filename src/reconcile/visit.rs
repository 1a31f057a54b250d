//! One visit of one group: settle what is open, decide, and say what is to be recorded and done. Pure.
//!
//! It reads no clock and does no I/O. A decision that panics is this group's failure and nobody else's.

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Arc;
use std::time::Duration;

use jiff::Timestamp;
use tideform_policies::model::{Change, Controller, Group, GroupAddress, Share};
use tideform_provider::{AttributeChange, LiveGroup};
use tideform_state::{EventKind, Outcome};

use super::acts::{plan_acts, plan_controls, plan_mix, within_reach};
use super::group::{
    ActAnswer, Closed, Context, GroupReport, GroupRun, GroupWrite, PlannedAct, Seen, Visit,
    VisitResult, count_ready,
};
use super::native::{NativePlan, plan_native};
use super::notes::{
    clear_condition, note, note_budget, note_failed_launches, note_failed_metrics, note_memory,
};
use super::progress::{Condition, Moved, describe_back_off};
use super::settle::{Act, OpenIntent, Settled, counts_as_action, settle};
use crate::engine::{Action, BY_TIDEFORM, Memory, decide, nearest};
use crate::observe::Observed;

/// Visits one group.
pub fn visit(mut run: GroupRun, seen: Seen, context: &Context) -> Visit {
    let mut write = GroupWrite::default();
    let every = run.group().policy.every;
    let address = run.group().address.clone();
    let observed = match seen {
        Seen::Live(observed) => Arc::new(*observed),
        Seen::Missing | Seen::Failed(_) => {
            // A group that is gone has superseded what was asked of it; one that cannot be read has not answered.
            let condition = match seen {
                Seen::Failed(message) => Condition::Failing { message },
                _ => {
                    close_known(&mut run, None, context, &mut write);
                    Condition::Missing
                }
            };
            return fail(
                run,
                condition,
                write,
                context,
                report_unseen(address),
                every,
            );
        }
    };
    let live = &observed.live;
    let mut report = report_seen(run.group(), &observed, context.now);
    write.observed = Some(Arc::clone(&observed));
    note_failed_launches(&run.progress, live, &mut write);
    note_failed_metrics(&mut run.progress, &observed, &mut write);
    note_budget(&mut run, &observed, context.now, &mut write);

    if !context.is_shadow
        && let Some(until) = close_known(&mut run, Some(live), context, &mut write)
    {
        run.progress.not_before = Some(until);
        report.result = VisitResult::Deferred(until);
        return done(run, write, Vec::new(), report, Some(until), context);
    }
    if let Some(owner) = live
        .owner
        .as_ref()
        .filter(|owner| owner.state != context.lineage)
    {
        let owner = format!("{} of workspace `{}`", owner.group, owner.workspace);
        return hold(run, Condition::Foreign { owner }, write, report, context);
    }
    if run.group().controller == Controller::Native {
        return visit_native(run, &observed, write, report, context);
    }
    // A plan has put it all back when it gave the group to the loop.
    run.progress.moved = Moved::default();

    let answer = catch_unwind(AssertUnwindSafe(|| {
        let (rules, seen, memory) = (&run.rules, &observed.observation, &run.memory);
        let mut decision = decide(rules, seen, memory, context.now);
        // Kept with the decision: later nobody has the observation, and the policy may be another one.
        let nearest = nearest(rules, seen, memory, context.now, &decision);
        decision.nearest = Some(Box::new(nearest));
        decision
    }));
    let decision = match answer {
        Ok(decision) => Arc::new(decision),
        Err(panic) => {
            let message = format!(
                "deciding failed: {}; this is a bug in tideform",
                panic_message(&*panic)
            );
            return fail(
                run,
                Condition::Failing { message },
                write,
                context,
                report,
                every,
            );
        }
    };
    note_memory(&run.memory, &decision.memory, &mut write);
    run.memory = decision.memory.clone();
    write.decision = Some(Arc::clone(&decision));
    report.decision = Some(Arc::clone(&decision));
    let change = Change {
        before: decision.current,
        after: decision.desired,
    };
    if context.is_shadow {
        if change.before != change.after {
            report.result = VisitResult::Would(change);
        }
        run.progress.visited(context.now);
        return done(run, write, Vec::new(), report, None, context);
    }
    let taken = plan_controls(live, &context.workspace, &run.group().adopt);
    // Without them and without data nobody would scale it: they stay until there is something to decide from.
    let waiting = if decision.has_basis() {
        None
    } else {
        waiting_for_data(&taken, live)
    };
    let mut acts = match &waiting {
        Some(condition) => {
            if run.progress.set_condition(Some(condition.clone())) {
                let said = note(EventKind::DataMissing, condition.summary());
                write.notes.push(said);
            }
            Vec::new()
        }
        None => {
            if matches!(run.progress.condition, Some(Condition::NoData { .. })) {
                clear_condition(&mut run.progress, &mut write);
            }
            taken
        }
    };
    acts.extend(plan_mix(run.group(), live, &decision, context.now));
    let (desired, held_back) = within_reach(live, decision.current, decision.desired);
    acts.extend(plan_acts(
        run.group(),
        live,
        &decision,
        desired,
        run.chooses_victims,
    ));
    if acts.is_empty()
        && let Some(condition) = waiting
    {
        return hold(run, condition, write, report, context);
    }
    if acts.is_empty() && !held_back.is_empty() {
        let condition = Condition::Blocked { reasons: held_back };
        return hold(run, condition, write, report, context);
    }
    if acts.is_empty() {
        clear_condition(&mut run.progress, &mut write);
        run.progress.visited(context.now);
        return done(run, write, acts, report, None, context);
    }
    if !live.blocked.is_empty() {
        let condition = Condition::Blocked {
            reasons: live.blocked.clone(),
        };
        return hold(run, condition, write, report, context);
    }
    // Whether the visit works is known when the calls are made: failures are forgotten then.
    run.progress.last_visit = Some(context.now);
    run.progress.not_before = None;
    done(run, write, acts, report, None, context)
}

/// The visit of a group that the cloud's own controls scale: nothing is decided about its capacity.
fn visit_native(
    mut run: GroupRun,
    observed: &Observed,
    mut write: GroupWrite,
    mut report: GroupReport,
    context: &Context,
) -> Visit {
    report.result = VisitResult::Native;
    let plan = match &observed.native {
        _ if context.is_shadow => NativePlan::default(),
        None => NativePlan::default(),
        Some(Ok(wanted)) => plan_native(
            run.group(),
            observed,
            wanted,
            &run.progress.moved,
            &context.workspace,
            context.now,
        ),
        Some(Err(message)) => {
            let (message, every) = (message.clone(), run.group().policy.every);
            return fail(
                run,
                Condition::Failing { message },
                write,
                context,
                report,
                every,
            );
        }
    };
    if !context.is_shadow && observed.native.is_some() {
        run.progress.moved = plan.moved;
        run.moved_after = Some(plan.moved_after);
    }
    let off = run.progress.moved.off_by_others(&observed.live);
    let hindrance = Condition::of_switched_off(&off);
    // Whether calls that failed work again is known when they are made.
    let is_failing = matches!(run.progress.condition, Some(Condition::Failing { .. }));
    if plan.acts.is_empty() || !is_failing {
        match &hindrance {
            None => clear_condition(&mut run.progress, &mut write),
            Some(condition) => {
                if run.progress.set_condition(hindrance.clone()) {
                    write.notes.push(note(EventKind::Note, condition.summary()));
                }
            }
        }
    }
    if plan.acts.is_empty() {
        if let Some(condition) = hindrance {
            report.result = VisitResult::Condition(condition);
        }
        run.progress.visited(context.now);
        return done(run, write, Vec::new(), report, None, context);
    }
    run.progress.last_visit = Some(context.now);
    run.progress.not_before = None;
    let mut visit = done(run, write, plan.acts, report, None, context);
    visit.reasons = plan.reasons.into();
    visit
}

/// What a call's answer means for the group: the outcome to record, and the memory after it.
///
/// - `intent`: the intent that the call carried out.
/// - `answer`: what the provider said.
/// - `is_last`: no other call of the visit follows.
pub fn after_act(
    run: &mut GroupRun,
    intent: &OpenIntent,
    answer: &ActAnswer,
    is_last: bool,
    now: Timestamp,
) -> (GroupWrite, VisitResult) {
    let mut write = GroupWrite::default();
    let every = run.group().policy.every;
    let result = match answer {
        ActAnswer::Done => {
            record_action(&mut run.memory, intent);
            // Whether there is data, and what somebody has switched off, is said by the visit, and not by what a call came to.
            if !matches!(
                run.progress.condition,
                Some(Condition::NoData { .. } | Condition::SwitchedOff { .. })
            ) {
                clear_condition(&mut run.progress, &mut write);
            }
            run.progress.visited(now);
            // All of it is back: what the next visit finds changed was changed since, and is drift.
            if is_last && let Some(moved) = run.moved_after.take() {
                run.progress.moved = moved;
            }
            write.memory = Some(run.memory.clone());
            write.progress = Some(run.progress.clone());
            write.closed.push(Closed {
                id: intent.id,
                outcome: Outcome::Done,
                text: intent.act.summary(&intent.change),
            });
            if let Act::Change(AttributeChange::Mix(mix)) = &intent.act
                && mix.spot > Share(0.0)
            {
                let text = format!("back to a spot share of {}", mix.spot);
                write.notes.push(note(EventKind::FallbackEnded, text));
            }
            match &intent.act {
                Act::SetDesired | Act::Terminate { .. } => {
                    VisitResult::Moved(intent.change.clone())
                }
                Act::Change(_) | Act::Changes { .. } => {
                    VisitResult::Changed(intent.act.summary(&intent.change))
                }
            }
        }
        ActAnswer::NotDone(message) => {
            run.progress.failed(every, now);
            // The intent's own event says it; the condition is kept so that its end is said too.
            run.progress.condition = Some(Condition::Failing {
                message: message.clone(),
            });
            write.progress = Some(run.progress.clone());
            write.closed.push(Closed {
                id: intent.id,
                outcome: Outcome::Failed {
                    message: message.clone(),
                },
                text: String::new(),
            });
            VisitResult::NotDone(message.clone())
        }
        ActAnswer::Unknown(message) => {
            // The intent stays open: the next visit reads what is live and settles it.
            run.open.push(intent.clone());
            VisitResult::Unknown(message.clone())
        }
        ActAnswer::Blocked(why) => {
            let text = format!("{}: not done: {why}", intent.act.summary(&intent.change));
            write.closed.push(Closed {
                id: intent.id,
                outcome: Outcome::NotDone,
                text,
            });
            let condition = Condition::Blocked {
                reasons: vec![why.clone()],
            };
            if run.progress.set_condition(Some(condition.clone())) {
                write.notes.push(note(EventKind::Note, condition.summary()));
            }
            run.progress.visited(now);
            write.progress = Some(run.progress.clone());
            VisitResult::Condition(condition)
        }
        ActAnswer::NotStarted(message) => {
            let text = format!(
                "{}: not done: {message}",
                intent.act.summary(&intent.change)
            );
            write.closed.push(Closed {
                id: intent.id,
                outcome: Outcome::NotDone,
                text,
            });
            VisitResult::NotDone(message.clone())
        }
    };
    (write, result)
}

/// Settles open intents. Answers when to read again, if one cannot be settled yet.
fn close_known(
    run: &mut GroupRun,
    live: Option<&LiveGroup>,
    context: &Context,
    write: &mut GroupWrite,
) -> Option<Timestamp> {
    let mut later = None;
    for intent in std::mem::take(&mut run.open) {
        match settle(&intent, live, context.now) {
            Settled::Known(outcome) => {
                if counts_as_action(&outcome) {
                    record_action(&mut run.memory, &intent);
                }
                let what = intent.act.summary(&intent.change);
                let text = match (&outcome, live) {
                    (Outcome::NotDone, _) => format!("{what}: the call had no effect"),
                    (Outcome::Superseded, None) => {
                        format!("{what}: the resource does not exist any more")
                    }
                    (Outcome::Superseded, Some(live)) => {
                        format!("{what}: superseded, desired is {} now", live.desired)
                    }
                    (Outcome::Failed { message }, _) => format!("{what}: {message}"),
                    _ => format!("{what}: found done"),
                };
                write.closed.push(Closed {
                    id: intent.id,
                    outcome,
                    text,
                });
            }
            Settled::NotBefore(at) => {
                later = later.max(Some(at));
                run.open.push(intent);
            }
        }
    }
    if !write.closed.is_empty() {
        write.settled_memory = Some(run.memory.clone());
    }
    later
}

/// From the intent's time on, cooldown and warming run.
fn record_action(memory: &mut Memory, intent: &OpenIntent) {
    memory.record(Action {
        at: intent.at,
        from: intent.change.before,
        to: intent.change.after,
        by: BY_TIDEFORM.into(),
    });
}

/// That the group's policies in the cloud stay, where there are any to take away that act.
fn waiting_for_data(taken: &[PlannedAct], live: &LiveGroup) -> Option<Condition> {
    let acts = |name: &str| {
        live.controls
            .iter()
            .any(|control| control.enabled && control.name == *name)
    };
    let policies: Vec<String> = taken
        .iter()
        .filter_map(|planned| match &planned.act {
            Act::Change(AttributeChange::RemoveControl(name)) if acts(name) => Some(name.clone()),
            _ => None,
        })
        .collect();
    (!policies.is_empty()).then_some(Condition::NoData { policies })
}

/// The group was read, and something stands in the way of a change.
fn hold(
    mut run: GroupRun,
    condition: Condition,
    mut write: GroupWrite,
    mut report: GroupReport,
    context: &Context,
) -> Visit {
    if run.progress.set_condition(Some(condition.clone())) {
        write.notes.push(note(EventKind::Note, condition.summary()));
    }
    run.progress.visited(context.now);
    report.result = VisitResult::Condition(condition);
    done(run, write, Vec::new(), report, None, context)
}

/// The group could not be read or decided about: it backs off by itself.
fn fail(
    mut run: GroupRun,
    condition: Condition,
    mut write: GroupWrite,
    context: &Context,
    mut report: GroupReport,
    every: Duration,
) -> Visit {
    run.progress.failed(every, context.now);
    if run.progress.set_condition(Some(condition.clone())) {
        let kind = match condition {
            Condition::Missing | Condition::Failing { .. } => EventKind::ProviderFailed,
            Condition::Blocked { .. }
            | Condition::SwitchedOff { .. }
            | Condition::Foreign { .. }
            | Condition::NoData { .. } => EventKind::Note,
        };
        let tries = describe_back_off(every, run.progress.failures);
        write
            .notes
            .push(note(kind, format!("{} ({tries})", condition.summary())));
    }
    report.result = VisitResult::Condition(condition);
    done(run, write, Vec::new(), report, None, context)
}

fn done(
    run: GroupRun,
    mut write: GroupWrite,
    acts: Vec<PlannedAct>,
    report: GroupReport,
    deferred_until: Option<Timestamp>,
    context: &Context,
) -> Visit {
    if context.is_shadow {
        // What a shadow remembers is its own: it never reaches the state.
        write.memory = None;
        write.progress = None;
        write.notes.clear();
    } else {
        write.memory = Some(run.memory.clone());
        write.progress = Some(run.progress.clone());
    }
    let reasons = match &write.decision {
        Some(decision) if !acts.is_empty() => decision.reasons.clone().into(),
        _ => Arc::default(),
    };
    Visit {
        write,
        acts,
        reasons,
        report,
        run,
        deferred_until,
    }
}

fn report_unseen(group: GroupAddress) -> GroupReport {
    GroupReport {
        group,
        load: None,
        desired: 0,
        ready: 0,
        warming: 0,
        decision: None,
        changed: Vec::new(),
        result: VisitResult::Held,
    }
}

fn report_seen(group: &Group, observed: &Observed, now: Timestamp) -> GroupReport {
    let (ready, warming) = count_ready(&observed.live.instances, group.policy.warmup, now);
    GroupReport {
        group: group.address.clone(),
        load: observed.load,
        desired: observed.live.desired,
        ready,
        warming,
        decision: None,
        changed: Vec::new(),
        result: VisitResult::Held,
    }
}

fn panic_message(panic: &(dyn std::any::Any + Send)) -> String {
    panic
        .downcast_ref::<String>()
        .cloned()
        .or_else(|| panic.downcast_ref::<&str>().map(|text| (*text).to_owned()))
        .unwrap_or_else(|| "no message".to_owned())
}
