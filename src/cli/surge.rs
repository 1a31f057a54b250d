//! `tideform surge`.

use clap::{Args, Subcommand};
use serde_json::json;
use tideform_policies::model::units::format_duration;
use tideform_policies::model::{GroupAddress, Name, Surge};
use tideform_state::{NewOverride, OpenMode, OverrideKind, State};

use super::args::{Moment, nearest, parse_group, parse_moment, parse_name};
use super::context::{Context, actor};
use super::error::CliError;
use super::opened::is_native;
use super::output::Table;
use super::unpin::end_overrides;
use super::view;
use super::{CliResult, exit};

/// Start, stop and list planned surges.
///
/// Planned surges: a `surge` block says how many instances; these commands say when.
#[derive(Args, Debug)]
pub(super) struct SurgeArgs {
    #[command(subcommand)]
    command: SurgeCommand,
}

#[derive(Subcommand, Debug)]
enum SurgeCommand {
    /// Start a surge now or at a time; its floor holds from `lead` before it until `duration` after it
    Start {
        /// The `surge` block's name
        #[arg(value_name = "NAME", value_parser = parse_name)]
        name: Name,
        /// The group; needed where several groups have a surge of this name
        #[arg(long, value_name = "ADDR", value_parser = parse_group)]
        group: Option<GroupAddress>,
        /// When: a time, or a span from now; default: now
        #[arg(long, value_name = "TIME", value_parser = parse_moment)]
        at: Option<Moment>,
        /// Why, for those who read the events
        #[arg(long, value_name = "TEXT")]
        reason: Option<String>,
    },
    /// End a surge, or call off one that has not begun
    Stop {
        /// The `surge` block's name
        #[arg(value_name = "NAME", value_parser = parse_name)]
        name: Name,
        /// The group; needed where several groups have a surge of this name
        #[arg(long, value_name = "ADDR", value_parser = parse_group)]
        group: Option<GroupAddress>,
    },
    /// List the surges of the groups, and those that were started
    List {
        /// Print it as JSON
        #[arg(long)]
        json: bool,
    },
}

impl SurgeArgs {
    pub(super) fn run(self, cx: &Context) -> CliResult {
        match self.command {
            SurgeCommand::Start {
                name,
                group,
                at,
                reason,
            } => start(cx, &name, group.as_ref(), at, reason),
            SurgeCommand::Stop { name, group } => stop(cx, &name, group.as_ref()),
            SurgeCommand::List { json } => list(cx, json),
        }
    }
}

/// The surge of this name, and whose it is.
fn find(
    state: &State,
    name: &str,
    group: Option<&GroupAddress>,
) -> Result<(GroupAddress, Surge), CliError> {
    let surges = all(state)?;
    let mut found: Vec<(GroupAddress, Surge)> = surges
        .iter()
        .filter(|(address, surge)| &*surge.name == name && group.is_none_or(|g| g == address))
        .cloned()
        .collect();
    match found.len() {
        1 => Ok(found.remove(0)),
        0 => Err(CliError::Nothing {
            summary: "Unknown surge",
            why: match group {
                Some(group) => format!("{group} was applied without a surge `{name}`."),
                None => format!("No group was applied with a surge `{name}`."),
            },
            hint: match nearest(name, surges.iter().map(|(_, s)| s.name.to_string())) {
                Some(near) => format!("did you mean `{near}`?"),
                None => {
                    "`tideform surge list` lists them; a new `surge` block has to be applied first."
                        .to_owned()
                }
            },
        }),
        _ => Err(CliError::Nothing {
            summary: "Several groups have this surge",
            why: format!(
                "Surge `{name}` is in {}.",
                found
                    .iter()
                    .map(|(address, _)| address.short())
                    .collect::<Vec<_>>()
                    .join(", ")
            ),
            hint: "say which with `--group`.".to_owned(),
        }),
    }
}

fn all(state: &State) -> Result<Vec<(GroupAddress, Surge)>, CliError> {
    Ok(state
        .applied_groups()?
        .into_iter()
        .flat_map(|(address, applied)| {
            applied
                .group
                .policy
                .surges
                .into_iter()
                .map(move |surge| (address.clone(), surge))
        })
        .collect())
}

fn start(
    cx: &Context,
    name: &str,
    group: Option<&GroupAddress>,
    at: Option<Moment>,
    reason: Option<String>,
) -> CliResult {
    let (_, mut state) = cx.last_state(None, OpenMode::ReadWrite)?;
    let (group, surge) = find(&state, name, group)?;
    let is_native = is_native(&state, &group, true)?;
    let now = cx.now_of(&state)?;
    let begins = view::second(at.map_or(now, |at| at.after(now)));
    let from = begins.checked_sub(surge.lead).unwrap_or(begins);
    let until = begins.checked_add(surge.duration).unwrap_or(begins);
    if until <= now {
        return Err(CliError::Nothing {
            summary: "Surge in the past",
            why: format!(
                "It would be over at {}, and now it is {}.",
                view::time(until),
                view::time(now)
            ),
            hint: "give a later `--at`, with its offset.".to_owned(),
        });
    }
    let new = NewOverride {
        group: group.clone(),
        kind: OverrideKind::Surge {
            name: surge.name.clone(),
            start: begins,
        },
        from,
        until: Some(until),
        reason,
        by: actor(),
        created_at: now,
    };
    cx.writing(&mut state, |state| {
        Ok(state.write(|tx| tx.add_override(&new))?)
    })?;
    cx.output.line(format!(
        "{group} keeps at least {} from {} until {}: surge {}.",
        surge.min,
        view::time(from.max(now)),
        view::time(until),
        surge.name
    ));
    if is_native {
        cx.output.note(
            "The next run of `tideform reconcile` makes the cloud's own actions that begin and end it.",
        );
    }
    Ok(exit::WELL)
}

fn stop(cx: &Context, name: &str, group: Option<&GroupAddress>) -> CliResult {
    let (_, mut state) = cx.last_state(None, OpenMode::ReadWrite)?;
    let (group, surge) = find(&state, name, group)?;
    let ended = end_overrides(
        cx,
        &mut state,
        &group,
        |kind| matches!(kind, OverrideKind::Surge { name, .. } if *name == surge.name),
    )?;
    if ended == 0 {
        return Err(CliError::Nothing {
            summary: "Surge not started",
            why: format!("Surge `{name}` of {group} is neither under way nor to come."),
            hint: "`tideform overrides` lists what is.".to_owned(),
        });
    }
    cx.output
        .line(format!("Surge {} of {group} is over.", surge.name));
    Ok(exit::WELL)
}

fn list(cx: &Context, as_json: bool) -> CliResult {
    let (_, state) = cx.last_state(None, OpenMode::ReadWrite)?;
    let now = cx.now_of(&state)?;
    let open = state.open_overrides(now)?;
    let surges = all(&state)?;
    let started = |address: &GroupAddress, surge: &Surge| {
        open.iter()
            .filter(|o| {
                o.group == *address
                    && matches!(&o.kind, OverrideKind::Surge { name, .. } if *name == surge.name)
            })
            .collect::<Vec<_>>()
    };
    if as_json {
        let surges: Vec<_> = surges
            .iter()
            .map(|(address, surge)| {
                json!({ "group": address, "surge": surge, "started": started(address, surge) })
            })
            .collect();
        cx.output
            .json(&json!({ "format_version": 1, "surges": surges }));
        return Ok(exit::WELL);
    }
    if surges.is_empty() {
        cx.output.line("No group was applied with a `surge` block.");
        return Ok(exit::WELL);
    }
    let mut table = Table::new(&["SURGE", "GROUP", "MIN", "LEAD", "DURATION", "STARTED FOR"]);
    for (address, surge) in &surges {
        let times: Vec<String> = started(address, surge)
            .iter()
            .map(|o| match &o.kind {
                OverrideKind::Surge { start, .. } => view::time(*start),
                OverrideKind::Pin { .. } | OverrideKind::Pause => String::new(),
            })
            .collect();
        table.row([
            surge.name.to_string(),
            address.short(),
            surge.min.to_string(),
            format_duration(surge.lead),
            format_duration(surge.duration),
            if times.is_empty() {
                "-".to_owned()
            } else {
                times.join(", ")
            },
        ]);
    }
    cx.output.print(&table.render());
    Ok(exit::WELL)
}
