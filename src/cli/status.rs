//! `tideform status`.

use std::collections::BTreeMap;

use clap::Args;
use jiff::Timestamp;
use serde_json::{Value as Json, json};
use tideform_policies::model::{Controller, Group, GroupAddress};
use tideform_provider::SwitchedOff;
use tideform_state::{OpenMode, Override, OverrideKind, ProviderIdentity, State, StoredDecision};

use super::args::GroupArgs;
use super::context::Context;
use super::cost::histories;
use super::error::CliError;
use super::output::Table;
use super::view;
use super::{CliResult, exit};
use crate::cost::{Spending, Timeline, month_start};
use crate::engine::{Decision, explain};
use crate::observe::{Read, read_live};
use crate::reconcile::{Condition, Moved, Progress, count_ready};
use crate::registry::Providers;
use crate::wrap::wrapped;

/// Show the groups as they are now.
///
/// Shows each group as it is now: live, ready and desired capacity, limits, the last decision, overrides, month's cost.
#[derive(Args, Debug)]
pub(super) struct StatusArgs {
    #[command(flatten)]
    groups: GroupArgs,

    /// Print it as JSON
    #[arg(long)]
    json: bool,
}

/// One group as it is shown.
struct Row {
    address: GroupAddress,
    group: Group,
    /// `Err`: it could not be read, and why. `Ok(None)`: it is not there.
    live: Result<Option<Live>, String>,
    decision: Option<StoredDecision>,
    overrides: Vec<Override>,
    /// What stood in the way at the loop's latest visit, and when that was.
    condition: Option<(Condition, Option<Timestamp>)>,
    /// What the loop has moved for people, and brings back.
    moved: Moved,
    cost_usd: Option<f64>,
}

struct Live {
    desired: u32,
    ready: u32,
    instances: usize,
    min: u32,
    max: u32,
    blocked: Vec<String>,
    is_paused: bool,
    /// Whose it is, where it is another state's.
    foreign: Option<String>,
    /// What somebody else has switched off of what scales it in the cloud.
    off: Vec<SwitchedOff>,
}

impl StatusArgs {
    pub(super) fn run(self, cx: &Context) -> CliResult {
        let (place, state) = cx.last_state(None, OpenMode::ReadWrite)?;
        let providers = cx.providers_of(&state)?;
        let now = cx.clock_of(&providers).now();
        let mut applied = state.applied_groups()?;
        let all: Vec<GroupAddress> = applied.keys().cloned().collect();
        let chosen = self.groups.select(&all)?;
        applied.retain(|address, _| chosen.contains(address));
        let groups: Vec<&Group> = applied.values().map(|applied| &applied.group).collect();
        // In another account no group would be there. A provider that does not say who we are fails its groups below.
        state.verify_identities(&cx.block_on(identities(&providers))?)?;
        let mut live = cx.block_on(read_live(&groups, &providers))?;
        let mut decisions = state.last_decisions()?;
        let mut progress = state.progress()?;
        let mut overrides: BTreeMap<GroupAddress, Vec<Override>> = BTreeMap::new();
        for one in state.open_overrides(now)? {
            overrides.entry(one.group.clone()).or_default().push(one);
        }
        let lineage = state.meta()?.lineage;
        let mut spent = spent(&state, &self.groups, now)?;
        let mut rows = Vec::with_capacity(applied.len());
        for (address, applied) in applied {
            let progress = match progress.remove(&address) {
                Some(text) => text.read::<Progress>()?,
                None => Progress::default(),
            };
            let live = match live.remove(&address) {
                Some(Ok(read)) => {
                    let moved = &progress.moved;
                    Ok(view_live(&read, &applied.group, moved, &lineage, now))
                }
                Some(Err(error)) => Err(super::error::sentence(&error)),
                None => Ok(None),
            };
            rows.push(Row {
                decision: decisions.remove(&address),
                overrides: overrides.remove(&address).unwrap_or_default(),
                condition: condition(&progress, &live),
                moved: progress.moved,
                live,
                cost_usd: spent.remove(&address),
                group: applied.group,
                address,
            });
        }
        if self.json {
            let meta = state.meta()?;
            let lease = match cx.shared_lock(&place)? {
                Some(lock) => Some(json!({
                    "holder": lock.holder,
                    "acquired_at": lock.since,
                    "until": lock.until,
                })),
                None => state.lease()?.map(|lease| json!(lease)),
            };
            cx.output.json(&json!({
                "format_version": 1,
                "at": view::second(now),
                "workspace": place.workspace,
                "serial": meta.serial,
                "lease": lease,
                "groups": rows.iter().map(as_json).collect::<Vec<_>>(),
            }));
        } else {
            print(cx, &rows, now);
        }
        let failed: Vec<(String, String)> = rows
            .iter()
            .filter_map(|row| Some((row.address.to_string(), row.live.as_ref().err()?.clone())))
            .collect();
        if failed.is_empty() {
            Ok(exit::WELL)
        } else {
            Err(CliError::GroupsFailed {
                what: "read",
                others: failed.len() < rows.len(),
                failed,
            })
        }
    }
}

async fn identities(providers: &Providers) -> Vec<ProviderIdentity> {
    let mut found = Vec::new();
    for (address, provider) in providers.iter() {
        if let Ok(identity) = provider.identity().await {
            found.push(ProviderIdentity {
                provider: address.clone(),
                account: identity.account,
                region: identity.region,
            });
        }
    }
    found
}

fn view_live(
    read: &Read,
    group: &Group,
    moved: &Moved,
    lineage: &str,
    now: Timestamp,
) -> Option<Live> {
    let live = read.live.as_ref()?;
    let off = match group.controller {
        Controller::Native => moved.off_by_others(live).into_iter().cloned().collect(),
        // What stands in its way, the loop finds by itself.
        Controller::Tideform => Vec::new(),
    };
    Some(Live {
        desired: live.desired,
        ready: count_ready(&live.instances, group.policy.warmup, now).0,
        instances: live.instances.len(),
        min: live.attributes.limits.min().get(),
        max: live.attributes.limits.max().get(),
        blocked: live.blocked.clone(),
        is_paused: live.is_paused,
        foreign: live
            .owner
            .as_ref()
            .filter(|owner| owner.state != lineage)
            .map(|owner| format!("{} of workspace `{}`", owner.group, owner.workspace)),
        off,
    })
}

/// Whether an override is to be seen in the cloud; `None`: the loop carries it out by what it decides.
fn is_carried_out(row: &Row, set: &Override, now: Timestamp) -> Option<bool> {
    let Ok(Some(live)) = &row.live else {
        return None;
    };
    if row.group.controller != Controller::Native || !set.is_active(now) {
        return None;
    }
    Some(match &set.kind {
        OverrideKind::Pin { capacity } => {
            // The limits bound a pin too, also those that were applied after it.
            let pinned = match row.group.policy.limits {
                Some(limits) => (*capacity).clamp(limits.min().get(), limits.max().get()),
                None => *capacity,
            };
            (live.min, live.max) == (pinned, pinned)
        }
        OverrideKind::Pause => live.is_paused,
        OverrideKind::Surge { name, .. } => {
            let surges = &row.group.policy.surges;
            let surge = surges.iter().find(|surge| surge.name == *name);
            surge.is_some_and(|surge| live.min >= surge.min.get())
        }
    })
}

/// What the groups have cost since the first of the month, UTC; those of which nothing was recorded are left out.
fn spent(
    state: &State,
    groups: &GroupArgs,
    now: Timestamp,
) -> Result<BTreeMap<GroupAddress, f64>, CliError> {
    let histories = histories(state, groups, month_start(now), now)?;
    Ok(histories
        .into_iter()
        .filter(|history| !history.runs.is_empty())
        .map(|history| {
            let timeline = Timeline::new(&history.runs, now, history.rules);
            let spent = Spending::of_month(&timeline, now).spent_usd;
            (history.group, spent)
        })
        .collect())
}

/// What stood in the way of scaling at the loop's latest visit, and when that was. What is seen to be over is not told.
fn condition(
    progress: &Progress,
    live: &Result<Option<Live>, String>,
) -> Option<(Condition, Option<Timestamp>)> {
    let is_over = |condition: &Condition| match (condition, live) {
        // The resource is there: whatever is wrong with it, it is not that it is missing.
        (Condition::Missing, Ok(Some(_))) => true,
        (Condition::Foreign { owner }, Ok(Some(live))) => live.foreign.as_ref() != Some(owner),
        // As it is now is said by what is live.
        (Condition::SwitchedOff { .. }, Ok(Some(_))) => true,
        _ => false,
    };
    let condition = progress.condition.clone();
    condition
        .filter(|condition| !is_over(condition))
        .map(|condition| (condition, progress.last_visit))
}

fn as_json(row: &Row) -> Json {
    let live = match &row.live {
        Ok(Some(live)) => json!({
            "desired": live.desired,
            "ready": live.ready,
            "instances": live.instances,
            "min": live.min,
            "max": live.max,
            "blocked": live.blocked,
            "paused": live.is_paused,
            "switched_off": live.off.iter().map(|off| json!({
                "name": off.name,
                "effect": off.effect,
                "resume": off.resume,
            })).collect::<Vec<_>>(),
        }),
        Ok(None) | Err(_) => Json::Null,
    };
    let decision: Option<Decision> = row
        .decision
        .as_ref()
        .and_then(|stored| stored.decision.read().ok());
    json!({
        "group": row.address,
        "provider": row.group.provider.to_string(),
        "resource": row.group.resource,
        "controller": row.group.controller,
        "live": live,
        "error": row.live.as_ref().err(),
        "last_decision": row.decision.as_ref().map(|stored| json!({
            "at": stored.at,
            "current": decision.as_ref().map(|d| d.current),
            "desired": decision.as_ref().map(|d| d.desired),
            "direction": decision.as_ref().map(|d| d.direction),
            "reasons": decision.as_ref().map(|d| &d.reasons),
        })),
        "condition": row.condition.as_ref().map(|(condition, _)| condition.summary()),
        "condition_at": row.condition.as_ref().and_then(|(_, at)| *at),
        "set_aside": row.moved.set_aside.iter().map(|control| &control.name).collect::<Vec<_>>(),
        "overrides": row.overrides,
        "month_cost_usd": row.cost_usd,
    })
}

fn print(cx: &Context, rows: &[Row], now: Timestamp) {
    if rows.is_empty() {
        cx.output.note("No groups.");
        return;
    }
    let mut table = Table::new(&[
        "GROUP",
        "DESIRED",
        "READY",
        "LIVE",
        "LIMITS",
        "LAST DECISION",
        "MONTH",
    ]);
    table.right(&[1, 2, 3, 6]);
    for row in rows {
        let (desired, ready, live, limits) = match &row.live {
            Ok(Some(live)) => (
                live.desired.to_string(),
                live.ready.to_string(),
                live.instances.to_string(),
                format!("{} to {}", live.min, live.max),
            ),
            Ok(None) | Err(_) => ("-".into(), "-".into(), "-".into(), "-".into()),
        };
        table.row([
            row.address.short(),
            desired,
            ready,
            live,
            limits,
            last_decision(row),
            row.cost_usd.map_or_else(|| "-".to_owned(), view::usd),
        ]);
    }
    // The head, then a line a row; what there is to say of a group stands below its own.
    for (n, line) in table.render().lines().enumerate() {
        cx.output.line(line);
        let row = n.checked_sub(1).and_then(|n| rows.get(n));
        for note in row.map(|row| notes(row, now)).unwrap_or_default() {
            for line in wrapped("  ", &note, cx.output.wrap_width()) {
                cx.output.line(line);
            }
        }
    }
    cx.output.note(format!("At {}.", view::time(now)));
}

fn last_decision(row: &Row) -> String {
    let Some(stored) = &row.decision else {
        return "none yet".to_owned();
    };
    match stored.decision.read::<Decision>() {
        Ok(decision) => {
            let asked = view::override_words(&decision.reasons)
                .map_or_else(String::new, |words| format!(" ({words})"));
            format!(
                "{}{asked}, {}",
                explain::movement(decision.current, decision.desired),
                view::time(stored.at)
            )
        }
        Err(_) => view::time(stored.at),
    }
}

fn notes(row: &Row, now: Timestamp) -> Vec<String> {
    let mut notes: Vec<String> = row
        .overrides
        .iter()
        .map(|one| {
            let text = match one.until {
                Some(until) => format!("{} until {}", one.kind, view::time(until)),
                None => one.kind.to_string(),
            };
            match is_carried_out(row, one, now) {
                Some(false) => format!("{text}, to be carried out by `tideform reconcile`"),
                Some(true) | None => text,
            }
        })
        .collect();
    match &row.live {
        Ok(Some(live)) => {
            let is_said = |reason: &&String| {
                let said = |off: &SwitchedOff| off.effect.starts_with(reason.as_str());
                live.off.iter().any(said)
            };
            notes.extend(live.blocked.iter().filter(|one| !is_said(one)).cloned());
            let is_asked_for = row
                .overrides
                .iter()
                .any(|one| one.kind == OverrideKind::Pause);
            if live.is_paused && !is_asked_for && row.moved.paused {
                notes.push(
                    "the cloud's own policies are switched off, until `tideform reconcile` ends its pause".to_owned(),
                );
            }
            notes.extend(
                Condition::of_switched_off(&live.off.iter().collect::<Vec<_>>())
                    .map(|off| off.summary()),
            );
        }
        Ok(None) => notes.push("the resource does not exist".to_owned()),
        Err(_) => notes.push("cannot be read".to_owned()),
    }
    if !row.moved.set_aside.is_empty() {
        let names: Vec<&str> = (row.moved.set_aside.iter())
            .map(|control| control.name.as_str())
            .collect();
        notes.push(format!("set aside until then: {}", names.join(", ")));
    }
    if let Some((condition, at)) = &row.condition {
        let is_told = match condition {
            Condition::Missing => matches!(row.live, Ok(None)),
            Condition::Blocked { reasons } => reasons.iter().all(|reason| notes.contains(reason)),
            _ => false,
        };
        let at = at.map_or_else(String::new, |at| format!(" (at {})", view::time(at)));
        if !is_told {
            notes.push(format!("{}{at}", condition.summary()));
        }
    }
    notes
}
