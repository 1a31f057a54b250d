//! One visit of one group: settle what is open, decide, and say what is to be recorded and done. Pure.
//!
//! It reads no clock and does no I/O. A decision that panics is this group's failure and nobody else's.

use std::collections::{BTreeMap, BTreeSet};
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Arc;
use std::time::Duration;

use jiff::Timestamp;
use tideform_policies::model::{
    Adopt, Capacity, Change, Controller, Group, GroupAddress, Instance, InstanceState, Share,
    VictimOrder,
};
use tideform_provider::{AttributeChange, ControlKind, LiveGroup, LiveMix};
use tideform_state::{EventKind, IntentId, Outcome};

use super::progress::{Condition, Progress, describe_back_off};
use super::settle::{Act, OpenIntent, Settled, counts_as_action, settle};
use crate::engine::{Action, BY_TIDEFORM, Decision, Memory, Rules, decide};
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
}

impl GroupRun {
    /// The group itself.
    pub fn group(&self) -> &Group {
        self.rules.group()
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
        report.result = VisitResult::Native;
        clear_condition(&mut run.progress, &mut write);
        run.progress.visited(context.now);
        return done(run, write, Vec::new(), report, None, context);
    }

    let answer = catch_unwind(AssertUnwindSafe(|| {
        decide(&run.rules, &observed.observation, &run.memory, context.now)
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
    let mut acts = plan_controls(live, &context.workspace, &run.group().adopt);
    acts.extend(plan_mix(run.group(), live, &decision, context.now));
    acts.extend(plan_acts(run.group(), live, &decision, run.chooses_victims));
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

/// What a call's answer means for the group: the outcome to record, and the memory after it.
///
/// - `intent`: the intent that the call carried out.
/// - `answer`: what the provider said.
pub fn after_act(
    run: &mut GroupRun,
    intent: &OpenIntent,
    answer: &ActAnswer,
    now: Timestamp,
) -> (GroupWrite, VisitResult) {
    let mut write = GroupWrite::default();
    let every = run.group().policy.every;
    let result = match answer {
        ActAnswer::Done => {
            record_action(&mut run.memory, intent);
            clear_condition(&mut run.progress, &mut write);
            run.progress.visited(now);
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
                Act::Change(_) => VisitResult::Changed(intent.act.summary(&intent.change)),
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
    later
}

/// From the intent's time on, cooldown and warming run.
fn record_action(memory: &mut Memory, intent: &OpenIntent) {
    memory.record(Action {
        at: intent.at,
        from: intent.change.before,
        to: intent.change.after,
        by: BY_TIDEFORM.to_owned(),
    });
}

/// Takes away what tideform made, or took over, when the cloud scaled the group: two must not.
fn plan_controls(live: &LiveGroup, workspace: &str, adopt: &Adopt) -> Vec<PlannedAct> {
    let ours = format!("tideform/{workspace}/");
    let is_ours = |name: &String| {
        name.starts_with(&ours)
            || match adopt {
                Adopt::None => false,
                Adopt::All => true,
                Adopt::Named(names) => names.contains(name),
            }
    };
    live.controls
        .iter()
        .filter(|control| control.kind == ControlKind::Dynamic && is_ours(&control.name))
        .map(|control| PlannedAct {
            act: Act::Change(AttributeChange::RemoveControl(control.name.clone())),
            change: unmoved(live),
        })
        .collect()
}

/// Spot or on demand, where a fallback begins or ends. Apart from fallbacks the mix is `apply`'s.
fn plan_mix(
    group: &Group,
    live: &LiveGroup,
    decision: &Decision,
    now: Timestamp,
) -> Option<PlannedAct> {
    let mix = group.policy.mix.as_ref()?;
    let fallback = decision
        .memory
        .fallback
        .filter(|_| mix.fallback.is_some())?;
    let is_falling_back = now < fallback.until;
    let wanted = if is_falling_back {
        Share(0.0)
    } else {
        mix.spot
    };
    let live_mix = live.attributes.mix.as_ref()?;
    // After a fallback only its own doing is undone: any other share is somebody's change, and drift.
    let is_ours = is_falling_back || live_mix.spot == Share(0.0);
    if live_mix.spot == wanted || !is_ours {
        return None;
    }
    let changed = LiveMix {
        spot: wanted,
        ..live_mix.clone()
    };
    Some(PlannedAct {
        act: Act::Change(AttributeChange::Mix(changed)),
        change: unmoved(live),
    })
}

fn unmoved(live: &LiveGroup) -> Change<Capacity> {
    Change {
        before: Capacity(live.desired),
        after: Capacity(live.desired),
    }
}

/// The calls that carry out a decision.
///
/// One absolute number, wherever the provider then ends the right instances by itself: when it grows, when it cannot
/// be told, and when the group's own attribute says the order. A victim that the attribute cannot say (an unhealthy
/// one, or any where the live order is another) is ended by its id, before the number is set.
fn plan_acts(
    group: &Group,
    live: &LiveGroup,
    decision: &Decision,
    chooses_victims: bool,
) -> Vec<PlannedAct> {
    let mut acts = Vec::new();
    let mut current = decision.current;
    if decision.desired < current && chooses_victims {
        let order = group.policy.scale_in.order;
        let attribute_says_it =
            order == VictimOrder::Default || live.attributes.order == Some(order);
        let by_id: BTreeMap<&str, &Instance> = live
            .instances
            .iter()
            .map(|instance| (&*instance.id, instance))
            .collect();
        for id in &decision.victims {
            let Some(instance) = by_id.get(&**id) else {
                continue;
            };
            if attribute_says_it && instance.state != InstanceState::Unhealthy {
                break;
            }
            let next = current.saturating_sub(instance.weight);
            if next < decision.desired {
                break;
            }
            acts.push(PlannedAct {
                act: Act::Terminate {
                    instance: id.clone(),
                },
                change: Change {
                    before: current,
                    after: next,
                },
            });
            current = next;
        }
    }
    if current != decision.desired {
        acts.push(PlannedAct {
            act: Act::SetDesired,
            change: Change {
                before: current,
                after: decision.desired,
            },
        });
    }
    acts
}

fn note(kind: EventKind, text: String) -> Note {
    Note { kind, text }
}

/// Guards that trip or let go, and the fallback to on demand, are news by themselves.
fn note_memory(before: &Memory, after: &Memory, write: &mut GroupWrite) {
    for guard in &after.guards {
        let was_tripped = before
            .guards
            .iter()
            .any(|earlier| earlier.guard == guard.guard && earlier.is_tripped);
        if guard.is_tripped && !was_tripped {
            write.notes.push(note(
                EventKind::GuardTripped,
                format!("guard `{}` tripped", guard.guard),
            ));
        }
    }
    for guard in before.guards.iter().filter(|guard| guard.is_tripped) {
        let is_tripped = after
            .guards
            .iter()
            .any(|later| later.guard == guard.guard && later.is_tripped);
        if !is_tripped {
            write.notes.push(note(
                EventKind::GuardReleased,
                format!("guard `{}` let go", guard.guard),
            ));
        }
    }
    if let Some(fallback) = after.fallback
        && before
            .fallback
            .is_none_or(|earlier| earlier.until < fallback.until)
    {
        let text = format!("spot launches failed: on demand until {}", fallback.until);
        write.notes.push(note(EventKind::FallbackStarted, text));
    }
}

/// Launches that failed since the last visit.
fn note_failed_launches(progress: &Progress, live: &LiveGroup, write: &mut GroupWrite) {
    let news: Vec<_> = live
        .failed_launches
        .iter()
        .filter(|failed| progress.last_visit.is_none_or(|last| failed.at > last))
        .collect();
    if let Some(last) = news.last() {
        let text = match news.len() {
            1 => format!("a launch failed: {}", last.message),
            n => format!("{n} launches failed, the last: {}", last.message),
        };
        write.notes.push(note(EventKind::LaunchFailed, text));
    }
}

fn note_failed_metrics(progress: &mut Progress, observed: &Observed, write: &mut GroupWrite) {
    let failing: BTreeSet<String> = observed
        .failed_metrics
        .keys()
        .map(|name| name.to_string())
        .collect();
    for (name, message) in &observed.failed_metrics {
        if !progress.failing_metrics.contains(&**name) {
            write.notes.push(note(
                EventKind::DataMissing,
                format!("metric `{name}` has no data: {message}"),
            ));
        }
    }
    for name in progress.failing_metrics.difference(&failing) {
        write.notes.push(note(
            EventKind::ProviderRecovered,
            format!("metric `{name}` is read again"),
        ));
    }
    progress.failing_metrics = failing;
}

fn note_budget(run: &mut GroupRun, observed: &Observed, now: Timestamp, write: &mut GroupWrite) {
    let Some(budget) = run.rules.group().policy.budget.clone() else {
        return;
    };
    let Some(spent) = observed.observation.spent else {
        return;
    };
    if budget.monthly_usd <= 0.0 {
        return;
    }
    let month = now
        .to_zoned(jiff::tz::TimeZone::UTC)
        .strftime("%Y-%m")
        .to_string();
    let used = spent.cost_usd / budget.monthly_usd * 100.0;
    for alert in run.progress.new_alerts(&month, used, &budget.alert) {
        write.notes.push(note(
            EventKind::BudgetAlert,
            format!(
                "{alert} % of the month's budget is used: {:.2} of {:.2} USD",
                spent.cost_usd, budget.monthly_usd
            ),
        ));
    }
}

fn clear_condition(progress: &mut Progress, write: &mut GroupWrite) {
    if let Some(condition) = progress.condition.clone()
        && progress.set_condition(None)
    {
        let message = match condition {
            Condition::Missing => "the resource is there again".to_owned(),
            Condition::Blocked { .. } => "no longer held by the provider".to_owned(),
            Condition::Foreign { .. } => "no longer held by another state".to_owned(),
            Condition::Failing { .. } => "works again".to_owned(),
        };
        write
            .notes
            .push(note(EventKind::ProviderRecovered, message));
    }
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
            Condition::Blocked { .. } | Condition::Foreign { .. } => EventKind::Note,
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
    Visit {
        write,
        acts,
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
        result: VisitResult::Held,
    }
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

fn panic_message(panic: &(dyn std::any::Any + Send)) -> String {
    panic
        .downcast_ref::<String>()
        .cloned()
        .or_else(|| panic.downcast_ref::<&str>().map(|text| (*text).to_owned()))
        .unwrap_or_else(|| "no message".to_owned())
}

#[cfg(test)]
mod tests {
    use tideform_provider::Control;

    use super::*;
    use crate::reconcile::testing::live_group;

    #[test]
    fn the_loop_takes_away_our_dynamic_policies_and_adopted_ones_and_no_others() {
        let mut live = live_group("web", 2, Timestamp::UNIX_EPOCH);
        for (name, kind) in [
            ("tideform/shop/web/cpu", ControlKind::Dynamic),
            ("tideform/other/web/cpu", ControlKind::Dynamic),
            ("cpu-60", ControlKind::Dynamic),
            ("nightly", ControlKind::Schedule),
        ] {
            live.controls.push(Control {
                name: name.into(),
                kind,
                enabled: true,
                summary: String::new(),
            });
        }
        for (adopt, expected) in [
            (Adopt::None, vec!["tideform/shop/web/cpu"]),
            (
                Adopt::Named(vec!["cpu-60".into(), "nightly".into()]),
                vec!["tideform/shop/web/cpu", "cpu-60"],
            ),
        ] {
            let removed: Vec<String> = plan_controls(&live, "shop", &adopt)
                .into_iter()
                .filter_map(|planned| match planned.act {
                    Act::Change(AttributeChange::RemoveControl(name)) => Some(name),
                    _ => None,
                })
                .collect();
            assert_eq!(removed, expected, "{adopt:?}");
        }
    }
}
