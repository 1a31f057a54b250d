//! `tideform explain`.

use clap::Args;
use jiff::Timestamp;
use serde_json::json;
use tideform_policies::codes;
use tideform_policies::model::{Controller, Direction, Group, GroupAddress};
use tideform_state::{
    Event, EventFilter, EventKind, Intent, IntentKind, OpenMode, Outcome, State, StoredDecision,
};

use super::args::{Moment, parse_group, parse_moment};
use super::context::Context;
use super::error::CliError;
use super::opened::applied_address;
use super::output::{BOLD, CYAN, DIM, paint};
use super::view;
use super::{CliResult, exit};
use crate::cost::{GroupPrices, hourly_cost};
use crate::engine::Decision;
use crate::engine::explain::{self, Line};
use crate::reconcile::{Condition, Progress};
use crate::wrap::wrapped;

/// Explain a decision, or a diagnostic's code.
///
/// Explains why a group was scaled as it was: the recorded decision with every reason. Or explains a diagnostic's code.
#[derive(Args, Debug)]
pub(super) struct ExplainArgs {
    /// A group's address (`web`, `svc.api`) or a code (`P0107`)
    #[arg(value_name = "GROUP|CODE")]
    what: String,

    /// The decision that was in force at this time, or so long ago: `2026-11-27T08:00:00Z`, `2h`
    #[arg(long, value_name = "TIME", value_parser = parse_moment)]
    at: Option<Moment>,

    /// The last decision of a dry run, and not the last that was carried out
    #[arg(long)]
    dry_run: bool,

    /// Print it as JSON
    #[arg(long)]
    json: bool,
}

impl ExplainArgs {
    pub(super) fn run(self, cx: &Context) -> CliResult {
        if is_code(&self.what) {
            return self.explain_code(cx);
        }
        self.explain_group(cx)
    }

    fn explain_group(&self, cx: &Context) -> CliResult {
        let address = parse_group(&self.what).map_err(CliError::Usage)?;
        let (_, state) = cx.last_state(None, OpenMode::ReadWrite)?;
        let address = applied_address(&state, &address)?;
        let now = cx.now_of(&state)?;
        let at = self.at.map_or(now, |at| at.before(now));
        if at > now {
            return Err(CliError::Nothing {
                summary: "Time in the future",
                why: format!("{} has not come yet: it is {}.", view::time(at), view::time(now)),
                hint: "Without `--at` the last decision is explained; `tideform plan` tells the next one."
                    .to_owned(),
            });
        }
        let tried = state.decision_of_at(&address, at, true)?;
        let real = match self.dry_run {
            true => None,
            false => state.decision_of_at(&address, at, false)?,
        };
        // Dry runs that were made since what is explained.
        let tried_at = tried.as_ref().map(|tried| tried.at);
        let tried_since =
            tried_at.filter(|tried| real.as_ref().is_some_and(|real| real.at < *tried));
        let stored = real.or(tried);
        let (Some(applied), Some(stored)) = (state.applied_group(&address)?, stored) else {
            if self.dry_run {
                return Err(no_dry_run(&address, at));
            }
            return Err(nothing(&state, &address, at)?);
        };
        let group = &applied.group;
        let mut decision: Decision = stored.decision.read()?;
        let recorded = self.json.then(|| decision.clone());
        let is_between = self.at.is_some() && stored.at < at;
        if let Some(nearest) = decision.nearest.as_mut().filter(|_| is_between) {
            nearest.leave_out_past(at);
        }
        let next = state.next_decision_of_at(&address, stored.at, stored.shadow)?;
        let intents = if stored.shadow {
            Vec::new()
        } else {
            let mut intents = state.intents_at(&address, stored.at)?;
            // An apply of the same moment is not the decision's doing.
            intents.retain(|intent| intent.apply.is_none());
            intents
        };
        let until = next.map_or(at, |next| next.min(at));
        let (own, since) = events_since(&state, &address, stored.at, until, &intents)?;
        let cost = cost_change(&state, group, &decision, stored.at)?;
        let mut notes: Vec<String> = cost.map(explain::usd_per_hour).into_iter().collect();
        if stored.shadow {
            notes.push("dry run: nothing was changed".to_owned());
        }
        let note = Some(notes.join("   ")).filter(|note| !note.is_empty());
        if self.json {
            let explanation = explain::explain(group, &decision, stored.at, note.as_deref());
            cx.output.json(&json!({
                "format_version": 1,
                "group": address,
                "at": stored.at,
                "in_force_at": at,
                "next_decision_at": next,
                "dry_run": stored.shadow,
                "dry_run_since": tried_since,
                "changed": stored.changed,
                "cost_usd_per_hour": cost,
                "decision": recorded,
                "explanation": explanation.lines(),
                "otherwise": explanation.otherwise,
                "intents": intents,
                "events_since": since,
            }));
            return Ok(exit::WELL);
        }
        let decided = view::time(stored.at);
        cx.output.line(match self.at {
            Some(_) if is_between => {
                format!("Decided at {decided}, and in force at {}:", view::time(at))
            }
            _ => format!("Decided at {decided}:"),
        });
        if is_between {
            cx.output.line(paint(
                DIM,
                format!(
                    "  (the values are those of {decided}; runs after it changed nothing for the same kinds of reasons)"
                ),
            ));
        }
        let width = cx.output.wrap_width();
        let text = view::decision(group, &decision, stored.at, note.as_deref(), width);
        cx.output.print(&text);
        let times = explain::Times::of(&decision, stored.at);
        // What stands in the way is said once, when it begins: perhaps with an earlier run.
        let condition = match (self.at, state.progress()?.remove(&address)) {
            (None, Some(progress)) => progress.read::<Progress>()?.condition,
            _ => None,
        };
        let came = Came {
            own: &own,
            since: &since,
            condition: condition.as_ref(),
        };
        let done = carried_out(&decision, &stored, &intents, came, times);
        block(cx, "what came of it:", &done);
        let shown: Vec<Line> = since
            .iter()
            .filter(|event| stored.at < event.at)
            .take(MOST_EVENTS)
            .map(|event| happened(event, times))
            .collect();
        block(cx, "since then:", &shown);
        if since.iter().filter(|event| stored.at < event.at).count() > MOST_EVENTS {
            let all = format!("tideform events --group {}", address.short());
            cx.output.line(format!("    and more: `{all}`"));
        }
        if let Some(tried) = tried_since {
            let at = self.at.map_or_else(String::new, |_| format!(" --at {at}"));
            cx.output.line(format!(
                "A dry run was made since, at {}: `tideform explain {} --dry-run{at}` explains it",
                view::time(tried),
                address.short()
            ));
        }
        if let Some(next) = next.filter(|_| self.at.is_some()) {
            cx.output.line(format!(
                "The next decision that differs was made at {}",
                view::time(next)
            ));
        }
        Ok(exit::WELL)
    }

    fn explain_code(&self, cx: &Context) -> CliResult {
        let entry =
            codes::find(&self.what).ok_or_else(|| CliError::NoSuchCode(self.what.clone()))?;
        if self.json {
            cx.output.json(&json!({
                "format_version": 1,
                "code": entry.code.0,
                "title": entry.title,
                "explanation": entry.explanation,
                "example": entry.example,
            }));
            return Ok(exit::WELL);
        }
        cx.output.line(format!(
            "{} {}\n",
            paint(CYAN.bold(), entry.code.0),
            paint(BOLD, entry.title)
        ));
        for paragraph in entry.explanation.lines() {
            for line in wrapped("", paragraph, Some(cx.output.width())) {
                cx.output.line(line);
            }
        }
        if !entry.example.trim().is_empty() {
            cx.output.line("");
            for line in entry.example.trim_end().lines() {
                cx.output.line(format!("    {line}"));
            }
        }
        Ok(exit::WELL)
    }
}

/// Most events that are shown after a decision.
const MOST_EVENTS: usize = 5;

/// That no dry run was made until a time.
fn no_dry_run(address: &GroupAddress, at: Timestamp) -> CliError {
    CliError::Nothing {
        summary: "No dry run",
        why: format!(
            "No decision about {address} by a dry run is kept from {} or before.",
            view::time(at)
        ),
        hint: format!(
            "`tideform explain {}` explains the last decision that was carried out.",
            address.short()
        ),
    }
}

/// Why there is no decision to explain.
fn nothing(state: &State, address: &GroupAddress, at: Timestamp) -> Result<CliError, CliError> {
    let native = state
        .applied_group(address)?
        .is_some_and(|applied| applied.group.controller == Controller::Native);
    let first = state.next_decision_at(address, at)?;
    Ok(match first {
        Some(first) => CliError::Nothing {
            summary: "No decision",
            why: format!(
                "Nothing was decided about {address} at {} or before, as far as is kept: the first decision is of {}.",
                view::time(at),
                view::time(first)
            ),
            hint: format!(
                "`tideform explain {} --at {first}` explains that one.",
                address.short()
            ),
        },
        None if native => CliError::Nothing {
            summary: "No decision",
            why: format!(
                "{address} has `controller = \"native\"`: its provider scales it, and tideform decides nothing."
            ),
            hint: format!(
                "`tideform events --group {}` shows what happened.",
                address.short()
            ),
        },
        None => CliError::Nothing {
            summary: "No decision",
            why: format!(
                "No decision about {address} is kept from {} or before.",
                view::time(at)
            ),
            hint: "`tideform reconcile --once` makes one.".to_owned(),
        },
    })
}

/// What happened to the group from a decision on until the next one: of its own calls, and beside them.
fn events_since(
    state: &State,
    address: &GroupAddress,
    from: Timestamp,
    until: Timestamp,
    intents: &[Intent],
) -> Result<(Vec<Event>, Vec<Event>), CliError> {
    let events = state.events(&EventFilter {
        group: Some(address.clone()),
        since: Some(from),
        until: Some(until),
        ..EventFilter::default()
    })?;
    let is_own = |event: &Event| intents.iter().any(|intent| Some(intent.id) == event.intent);
    let (own, mut since): (Vec<Event>, Vec<Event>) = events.into_iter().partition(is_own);
    since.retain(|event| event.kind != EventKind::ApplyStarted);
    Ok((own, since))
}

/// What the change costs more for an hour, at the prices of that time; `None` where it changes nothing or nobody knows.
fn cost_change(
    state: &State,
    group: &Group,
    decision: &Decision,
    at: Timestamp,
) -> Result<Option<f64>, CliError> {
    if decision.current == decision.desired {
        return Ok(None);
    }
    let runs = state.capacity_runs(&group.address, at, at)?;
    let Some(run) = runs.last() else {
        return Ok(None);
    };
    let prices = GroupPrices::of_sample(&run.sample);
    let cost = |capacity: u32| hourly_cost(capacity, group.policy.mix.as_ref(), &prices);
    let (before, after) = (decision.current.get(), decision.desired.get());
    Ok(cost(before)
        .zip(cost(after))
        .map(|(before, after)| after - before))
}

/// What is known of what came of a decision, beside its intents.
#[derive(Clone, Copy)]
struct Came<'a> {
    /// Events of its own calls.
    own: &'a [Event],
    /// Other events until the next decision.
    since: &'a [Event],
    /// What stands in the way now.
    condition: Option<&'a Condition>,
}

/// What became of what was decided: a line for each call.
fn carried_out(
    decision: &Decision,
    stored: &StoredDecision,
    intents: &[Intent],
    came: Came<'_>,
    times: explain::Times,
) -> Vec<Line> {
    // `desired 3 -> 4: not done: why` of the event that settled it.
    let not_done = |intent: &Intent| {
        came.own
            .iter()
            .filter(|event| event.intent == Some(intent.id))
            .find_map(|event| event.text.split_once(": not done: "))
            .map(|(_, why)| why)
    };
    let mut lines: Vec<Line> = intents
        .iter()
        .map(|intent| {
            let subject = match (&intent.kind, intent.from, intent.to) {
                (IntentKind::SetDesired, Some(from), Some(to)) => format!("{from} -> {to}"),
                (IntentKind::SetDesired, ..) => "capacity".to_owned(),
                (IntentKind::Terminate { instance }, ..) => format!("end {instance}"),
                (IntentKind::ApplyChange { .. }, ..) => "change".to_owned(),
            };
            let settled = intent
                .settled_at
                .map_or_else(String::new, |at| times.text(at));
            let text = match &intent.outcome {
                None => "asked for, no answer yet: the next run of the loop finds out".to_owned(),
                Some(Outcome::Done) => format!("carried out at {settled}"),
                Some(Outcome::NotDone) => match not_done(intent) {
                    Some(why) => format!("not done: {why}"),
                    None => format!("had no effect, as was found at {settled}"),
                },
                Some(Outcome::Superseded) => {
                    format!("superseded by another change, as was found at {settled}")
                }
                Some(Outcome::Failed { message }) => format!("failed at {settled}: {message}"),
                Some(Outcome::Unknown) => "nobody can tell whether it took effect".to_owned(),
            };
            Line { subject, text }
        })
        .collect();
    if let (Some(condition @ Condition::NoData { .. }), false) = (came.condition, stored.shadow) {
        lines.push(Line {
            subject: "policies".to_owned(),
            text: condition.summary(),
        });
        return lines;
    }
    if intents.is_empty() && decision.direction != Direction::Hold && !stored.shadow {
        let why = came
            .since
            .iter()
            .find(|event| event.at == stored.at && !event.text.is_empty())
            .map(|event| event.text.clone())
            .or_else(|| came.condition.map(Condition::summary))
            .map_or_else(String::new, |why| format!(": {why}"));
        lines.push(Line {
            subject: explain::arrow(decision.current, decision.desired),
            text: format!("was not asked of the provider{why}"),
        });
    }
    lines
}

fn happened(event: &Event, times: explain::Times) -> Line {
    let mut text = event.kind.to_string();
    if let (Some(from), Some(to)) = (event.from, event.to) {
        text.push_str(&format!(", {from} -> {to}"));
    }
    if !event.text.is_empty() {
        text.push_str(&format!(": {}", event.text));
    }
    text.push_str(&format!(" ({})", event.actor));
    Line {
        subject: times.text(event.at),
        text,
    }
}

fn block(cx: &Context, title: &str, lines: &[Line]) {
    if lines.is_empty() {
        return;
    }
    cx.output.line(paint(DIM, format!("  {title}")));
    let subjects = explain::subject_width(lines);
    for line in explain::layout(lines, 4, subjects, cx.output.wrap_width()) {
        cx.output.line(line);
    }
}

/// `P0107`, `p107` and the like; a group may be called `P1`.
fn is_code(text: &str) -> bool {
    text.strip_prefix(['P', 'p'])
        .is_some_and(|digits| digits.len() == 4 && digits.bytes().all(|b| b.is_ascii_digit()))
}
