//! `tideform events`.

use std::collections::BTreeMap;
use std::time::Duration;

use clap::Args;
use tideform_policies::model::{Group, GroupAddress};
use tideform_state::{Event, EventFilter, EventKind, OpenMode, Outcome, State};

use super::args::{GroupArgs, Moment, parse_count, parse_moment};
use super::context::Context;
use super::error::CliError;
use super::output::{CYAN, DIM, RED, YELLOW, paint};
use super::view;
use super::{CliResult, exit};
use crate::engine::Reason;
use crate::wrap::wrapped;

/// The columns of an event's time, and the space after it.
const TIME: usize = "2026-11-27 08:00:00Z  ".len();

/// How often a followed state is looked at.
const FOLLOW_EVERY: Duration = Duration::from_millis(500);

/// Show what happened.
///
/// Shows what happened, oldest first: decisions that changed something, applies, overrides, drift, faults.
#[derive(Args, Debug)]
pub(super) struct EventsArgs {
    #[command(flatten)]
    groups: GroupArgs,

    /// Only events after this time, or of so long: `2026-11-27T08:00:00Z`, `2h`
    #[arg(long, value_name = "TIME", value_parser = parse_moment)]
    since: Option<Moment>,

    /// At most so many, the newest
    #[arg(
        long,
        value_name = "N",
        default_value_t = 50,
        allow_negative_numbers = true,
        value_parser = parse_count
    )]
    limit: usize,

    /// Go on printing events as they happen
    #[arg(long)]
    follow: bool,

    /// Print each event as a line of JSON
    #[arg(long)]
    json: bool,
}

impl EventsArgs {
    pub(super) fn run(self, cx: &Context) -> CliResult {
        let (_, state) = cx.last_state(None, OpenMode::ReadWrite)?;
        let since = match self.since {
            Some(since) => Some(since.before(cx.now_of(&state)?)),
            None => None,
        };
        let only = self.only(&state)?;
        let is_meant = |event: &Event| {
            only.as_ref().is_none_or(|only| {
                event
                    .group
                    .as_ref()
                    .is_some_and(|group| only.contains(group))
            })
        };
        let mut newest = EventFilter {
            since,
            newest_first: true,
            limit: only.is_none().then_some(self.limit),
            ..EventFilter::default()
        };
        if let Some([one]) = only.as_deref() {
            newest.group = Some(one.clone());
            newest.limit = Some(self.limit);
        }
        let mut events = state.events(&newest)?;
        events.retain(is_meant);
        events.truncate(self.limit);
        events.reverse();
        if events.is_empty() && !self.follow && !self.json {
            cx.output.note("No events.");
        }
        let policies = policies(&state)?;
        let mut last = state.last_event_id()?;
        for event in &events {
            self.print(cx, event, &policies);
        }
        while self.follow && !cx.output.is_closed() {
            std::thread::sleep(FOLLOW_EVERY);
            let news = state.events(&EventFilter {
                after_id: last,
                since,
                ..EventFilter::default()
            })?;
            for event in &news {
                last = Some(event.id);
                if is_meant(event) {
                    self.print(cx, event, &policies);
                }
            }
        }
        Ok(exit::WELL)
    }

    /// The groups that are meant, if not all are. Groups that left the state have events, too.
    fn only(&self, state: &State) -> Result<Option<Vec<GroupAddress>>, CliError> {
        if self.groups.group.is_empty() {
            return Ok(None);
        }
        let mut known = state.applied_addresses()?;
        for event in state.events(&EventFilter::default())? {
            if let Some(group) = event.group
                && !known.contains(&group)
            {
                known.push(group);
            }
        }
        self.groups.select(&known).map(Some)
    }

    fn print(&self, cx: &Context, event: &Event, policies: &BTreeMap<GroupAddress, Group>) {
        if self.json {
            cx.output.json_line(event);
        } else {
            let line = line(event, policies);
            // What goes on does so under what stands after the time.
            let (time, rest) = line.split_at_checked(TIME).unwrap_or(("", &line));
            for line in wrapped(time, rest, cx.output.wrap_width()) {
                cx.output.line(line);
            }
        }
    }
}

/// The policies of the groups, for the words about their metrics; of very many groups none, since reading them all would
/// take longer than the answer is worth.
pub(super) fn policies(state: &State) -> Result<BTreeMap<GroupAddress, Group>, CliError> {
    if state.applied_addresses()?.len() > 1_000 {
        return Ok(BTreeMap::new());
    }
    Ok(state
        .applied_groups()?
        .into_iter()
        .map(|(address, applied)| (address, applied.group))
        .collect())
}

/// `2026-11-27 08:00:00Z  web  scaled  6 -> 9  cpu: 90 % against a target of 60 % wants 9  (reconcile)`.
pub(super) fn line(event: &Event, policies: &BTreeMap<GroupAddress, Group>) -> String {
    let kind = match &event.kind {
        EventKind::Scaled | EventKind::InstanceTerminated => paint(CYAN, &event.kind),
        EventKind::ProviderFailed
        | EventKind::LaunchFailed
        | EventKind::Interruption
        | EventKind::LeaseTaken => paint(RED, &event.kind),
        EventKind::Drift
        | EventKind::GuardTripped
        | EventKind::BudgetAlert
        | EventKind::FallbackStarted
        | EventKind::DataMissing => paint(YELLOW, &event.kind),
        EventKind::ChangeApplied
        | EventKind::ApplyStarted
        | EventKind::ApplyFinished
        | EventKind::OverrideStarted
        | EventKind::OverrideEnded
        | EventKind::GuardReleased
        | EventKind::FallbackEnded
        | EventKind::ProviderRecovered
        | EventKind::GroupForgotten
        | EventKind::GroupMoved
        | EventKind::Note
        | EventKind::Other(_) => event.kind.to_string(),
    };
    let mut text = format!("{}  ", view::time(event.at));
    if let Some(group) = &event.group {
        text.push_str(&format!("{}  ", group.short()));
    }
    text.push_str(&kind);
    if let (Some(from), Some(to)) = (event.from, event.to) {
        text.push_str(&format!("  {from} -> {to}"));
    }
    let cause = event
        .group
        .as_ref()
        .and_then(|group| policies.get(group))
        .filter(|_| event.kind == EventKind::Scaled)
        .and_then(|group| {
            let reasons: Vec<Reason> = serde_json::from_value(event.reasons.clone()).ok()?;
            view::cause(group, &reasons)
        });
    let words = cause.as_deref().unwrap_or(&event.text);
    if !words.is_empty() {
        text.push_str(&format!("  {words}"));
    }
    match &event.outcome {
        None | Some(Outcome::Done) => {}
        Some(outcome) => text.push_str(&format!("  {}", paint(YELLOW, outcome.word()))),
    }
    text.push_str(&paint(DIM, format!("  ({})", event.actor)));
    text
}
