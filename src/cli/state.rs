//! `tideform state`.

use std::path::{Path, PathBuf};
use std::time::Duration;

use clap::{Args, Subcommand};
use serde_json::{Value as Json, json};
use tideform_policies::model::GroupAddress;
use tideform_remote::{ObjectRemote, RemoteError};
use tideform_state::{OpenMode, Ownership, Remote, Retention, State, StateError};

use super::args::{parse_group, parse_positive_duration};
use super::ask::approve;
use super::context::{Context, actor};
use super::error::CliError;
use super::opened::{applied_address, lease_holder};
use super::output::{BOLD, GREEN, Table, paint};
use super::place::{Place, Where};
use super::view;
use super::{CliResult, exit};

/// Look into the state and mend it.
///
/// Looks into the state, and mends it.
#[derive(Args, Debug)]
pub(super) struct StateArgs {
    /// Use this state file instead of the backend's
    #[arg(long, value_name = "FILE", global = true)]
    state: Option<PathBuf>,

    #[command(subcommand)]
    command: StateCommand,
}

#[derive(Subcommand, Debug)]
enum StateCommand {
    /// List the groups in the state
    List {
        /// Print it as JSON
        #[arg(long)]
        json: bool,
    },
    /// Show what the state holds of a group
    Show {
        /// The group
        #[arg(value_name = "GROUP", value_parser = parse_group)]
        group: GroupAddress,
        /// Print it as JSON
        #[arg(long)]
        json: bool,
    },
    /// Give a group's memory and history a new address
    Mv {
        /// The old address
        #[arg(value_name = "FROM", value_parser = parse_group)]
        from: GroupAddress,
        /// The new address
        #[arg(value_name = "TO", value_parser = parse_group)]
        to: GroupAddress,
    },
    /// Forget a group, without touching what it scales
    Rm {
        /// The group
        #[arg(value_name = "GROUP", value_parser = parse_group)]
        group: GroupAddress,
        /// Do not ask
        #[arg(long)]
        auto_approve: bool,
    },
    /// Print the whole state as JSON
    Pull,
    /// Put a copy of the state into the bucket: one that could not be uploaded, or a backup
    Push {
        /// The copy
        #[arg(value_name = "FILE")]
        file: PathBuf,
        /// Replace what is there, whatever it is
        #[arg(long)]
        force: bool,
    },
    /// Take the lease away from a process that is gone
    Unlock {
        /// Do not ask
        #[arg(long)]
        auto_approve: bool,
    },
    /// Copy the state to a file, also while the loop runs
    Backup {
        /// The new file; it must not exist
        #[arg(value_name = "FILE")]
        file: PathBuf,
    },
    /// Drop old samples and decisions; events stay
    Prune {
        /// Keep what is younger than this; default: as the loop itself keeps it
        #[arg(long, value_name = "DURATION", value_parser = parse_positive_duration)]
        keep: Option<Duration>,
        /// Do not ask
        #[arg(long)]
        auto_approve: bool,
    },
    /// Check the state's integrity
    Check {
        /// Print it as JSON
        #[arg(long)]
        json: bool,
    },
}

impl StateArgs {
    pub(super) fn run(self, cx: &Context) -> CliResult {
        let place = match &self.state {
            // A state file named by hand says itself whose it is.
            Some(path) => Place {
                workspace: match &cx.global.workspace {
                    Some(workspace) => workspace.clone(),
                    None => State::open(path, OpenMode::ReadWrite)?.meta()?.workspace,
                },
                at: Where::File(path.clone()),
            },
            None => cx.last_place(None)?,
        };
        // What mends a shared state must work where it cannot be opened.
        match (&self.command, &place.at) {
            (StateCommand::Push { file, force }, at) => return push(cx, &place, at, file, *force),
            (StateCommand::Unlock { auto_approve }, Where::Shared(address)) => {
                return unlock_shared(cx, &cx.remote(address, &place)?, *auto_approve);
            }
            _ => {}
        }
        let mut state = cx.open_state(&place, OpenMode::ReadWrite)?;
        match self.command {
            StateCommand::List { json } => list(cx, &state, json),
            StateCommand::Show { group, json } => show(cx, &state, &group, json),
            StateCommand::Mv { from, to } => {
                let from = applied_address(&state, &from)?;
                let now = cx.now_of(&state)?;
                cx.writing(&mut state, |state| {
                    Ok(state.write(|tx| tx.move_group(&from, &to, now, &actor()))?)
                })?;
                cx.output.line(format!("{from} is now {to}."));
                cx.output
                    .note("Rename the block in the files too, or the next plan releases it.");
                Ok(exit::WELL)
            }
            StateCommand::Rm {
                group,
                auto_approve,
            } => {
                let group = applied_address(&state, &group)?;
                if !auto_approve {
                    approve(
                        cx,
                        &format!("Do you want the state to forget {group}?"),
                        "What it scales is not touched, and no longer scaled by tideform.",
                    )?;
                }
                let now = cx.now_of(&state)?;
                cx.writing(&mut state, |state| {
                    Ok(state.write(|tx| tx.forget_group(&group, now, &actor()))?)
                })?;
                cx.output.line(format!(
                    "{group} is forgotten; what it scaled was not touched."
                ));
                Ok(exit::WELL)
            }
            StateCommand::Pull => {
                cx.output.json(&state.export()?);
                Ok(exit::WELL)
            }
            StateCommand::Push { file, force } => push(cx, &place, &place.at, &file, force),
            StateCommand::Unlock { auto_approve } => unlock(cx, &mut state, auto_approve),
            StateCommand::Backup { file } => {
                state.backup(&file)?;
                cx.output
                    .line(format!("The state was copied to {}", file.display()));
                Ok(exit::WELL)
            }
            StateCommand::Prune { keep, auto_approve } => prune(cx, &mut state, keep, auto_approve),
            StateCommand::Check { json } => check(cx, &state, json),
        }
    }
}

fn list(cx: &Context, state: &State, as_json: bool) -> CliResult {
    let groups = state.applied_groups()?;
    if as_json {
        let groups: Vec<Json> = groups
            .iter()
            .map(|(address, applied)| {
                json!({
                    "group": address,
                    "provider": applied.group.provider.to_string(),
                    "resource": applied.group.resource,
                    "ownership": applied.ownership,
                    "applied_at": applied.applied_at,
                })
            })
            .collect();
        cx.output.json(&json!({
            "format_version": 1,
            "meta": state.meta()?,
            "groups": groups,
        }));
        return Ok(exit::WELL);
    }
    if groups.is_empty() {
        cx.output.note("No groups.");
        return Ok(exit::WELL);
    }
    let mut table = Table::new(&["GROUP", "PROVIDER", "RESOURCE", "OWNERSHIP", "APPLIED"]);
    for (address, applied) in &groups {
        let ownership = match applied.ownership {
            Ownership::Managed => "managed",
            Ownership::Created => "created",
            Ownership::Adopted => "adopted",
        };
        table.row([
            address.short(),
            applied.group.provider.to_string(),
            format!(
                "{} {}",
                applied.group.resource.kind, applied.group.resource.name
            ),
            ownership.to_owned(),
            view::time(applied.applied_at),
        ]);
    }
    cx.output.print(&table.render());
    Ok(exit::WELL)
}

fn show(cx: &Context, state: &State, group: &GroupAddress, as_json: bool) -> CliResult {
    let group = applied_address(state, group)?;
    let applied = state.applied_group(&group)?;
    let memory: Option<Json> = state.memory(&group)?.map(|text| text.read()).transpose()?;
    if as_json {
        cx.output.json(&json!({
            "format_version": 1,
            "group": group,
            "applied": applied,
            "memory": memory,
            "last_capacity": state.last_capacity(&group)?,
        }));
        return Ok(exit::WELL);
    }
    cx.output.line(paint(BOLD, &group));
    if let Some(applied) = &applied {
        cx.output.line(format!(
            "  {} {} at {}, applied {}",
            applied.group.resource.kind,
            applied.group.resource.name,
            applied.group.provider,
            view::time(applied.applied_at)
        ));
        for (path, value) in crate::plan::flat_values(&applied.group) {
            cx.output.line(format!("  {path} = {value}"));
        }
    }
    Ok(exit::WELL)
}

fn unlock(cx: &Context, state: &mut State, auto_approve: bool) -> CliResult {
    let Some(lease) = state.lease()? else {
        cx.output.line("Nobody holds the lease.");
        return Ok(exit::WELL);
    };
    cx.output.note(format!(
        "The lease is held by {} since {}, until {} unless renewed.",
        lease.holder,
        view::time(lease.acquired_at),
        view::time(lease.until)
    ));
    approve_taking_away(cx, auto_approve)?;
    let now = cx.now_of(state)?;
    state.break_lease(now, &actor())?;
    cx.output.line("The lease is free.");
    Ok(exit::WELL)
}

fn approve_taking_away(cx: &Context, auto_approve: bool) -> Result<(), CliError> {
    if auto_approve {
        return Ok(());
    }
    approve(
        cx,
        "Do you want to take it away?",
        "Do so only if that process is gone: two that act at once work against each other.",
    )
}

fn unlock_shared(cx: &Context, remote: &ObjectRemote, auto_approve: bool) -> CliResult {
    let Some(lock) = cx.block_on(remote.holder())?? else {
        cx.output.line("Nobody holds the lock.");
        return Ok(exit::WELL);
    };
    cx.output.note(format!(
        "The lock of {} is held by {} since {}; without renewal it ends by itself before {}.",
        remote.name(),
        lock.holder,
        view::time(lock.since),
        view::time(lock.until)
    ));
    approve_taking_away(cx, auto_approve)?;
    let line = match cx.block_on(remote.unlock(&lock.holder))?? {
        true => "The lock is free.",
        false => "That process has given it back meanwhile.",
    };
    cx.output.line(line);
    Ok(exit::WELL)
}

/// Makes a copy the shared state, under the lock.
fn push(cx: &Context, place: &Place, at: &Where, file: &Path, force: bool) -> CliResult {
    let Where::Shared(address) = at else {
        return Err(CliError::Nothing {
            summary: "State not shared",
            why: format!(
                "The state of workspace {} is the file {at}.",
                place.workspace
            ),
            hint: "stop what works with it, and copy the file there.".to_owned(),
        });
    };
    let copy = State::open(file, OpenMode::ReadOnly)?;
    copy.check_workspace(&place.workspace)?;
    let problems = copy.check()?;
    if let Some(problem) = problems.first() {
        return Err(CliError::State(StateError::Corrupt {
            problem: problem.message.clone(),
        }));
    }
    let lineage = copy.meta()?.lineage;
    drop(copy);
    let mut remote = cx.remote(address, place)?;
    let there = match cx.block_on(remote.fetch())? {
        Ok(Some(path)) => match State::open(path, OpenMode::ReadWrite) {
            Ok(state) => Some(state.meta()?.lineage),
            Err(_) if force => None,
            Err(error) => return Err(error.into()),
        },
        Ok(None) => None,
        Err(RemoteError::Damaged { .. }) if force => None,
        Err(error) => return Err(error.into()),
    };
    if let Some(there) = there
        && there != lineage
        && !force
    {
        return Err(CliError::State(StateError::Replaced));
    }
    let holder = lease_holder();
    cx.block_on(remote.lock(&holder))??;
    let pushed = cx.block_on(remote.push(file, force));
    cx.block_on(remote.leave())?;
    match pushed? {
        Ok(()) => {}
        Err(RemoteError::Moved { object }) => {
            return Err(CliError::Nothing {
                summary: "Shared state moved on",
                why: format!(
                    "{object} is not the version that {} was made from: somebody has worked with it since, or this is a backup. It was not touched.",
                    file.display()
                ),
                hint: "the run that came after has settled what was open, so there is nothing to do for a copy that could not be uploaded. `--force` puts a backup in its place, and forgets what came after."
                    .to_owned(),
            });
        }
        Err(error) => return Err(error.into()),
    }
    cx.output
        .line(format!("{} is now {}", remote.name(), file.display()));
    Ok(exit::WELL)
}

fn prune(cx: &Context, state: &mut State, keep: Option<Duration>, auto_approve: bool) -> CliResult {
    let retention = match keep {
        Some(keep) => Retention {
            metrics: keep,
            rollups: keep,
            capacity: keep,
            decisions: keep,
        },
        None => Retention::default(),
    };
    if !auto_approve {
        approve(
            cx,
            "Do you want to drop old samples and decisions?",
            "Costs and explanations of that time are gone with them; events stay.",
        )?;
    }
    let now = cx.now_of(state)?;
    let pruned = cx.writing(state, |state| {
        Ok(state.write(|tx| tx.prune(now, &retention))?)
    })?;
    cx.output.line(format!(
        "Dropped {} metric samples, {} roll-ups, {} capacity samples and {} decisions.",
        pruned.metric_samples, pruned.metric_rollups, pruned.capacity_samples, pruned.decisions
    ));
    Ok(exit::WELL)
}

fn check(cx: &Context, state: &State, as_json: bool) -> CliResult {
    let problems = state.check()?;
    let meta = state.meta()?;
    let statistics = state.statistics()?;
    if as_json {
        let messages: Vec<&str> = problems.iter().map(|p| p.message.as_str()).collect();
        let rows: serde_json::Map<String, Json> = statistics
            .rows
            .iter()
            .map(|(table, n)| (table.clone(), Json::from(*n)))
            .collect();
        cx.output.json(&json!({
            "format_version": 1,
            "problems": messages,
            "meta": meta,
            "rows": rows,
            "size_bytes": statistics.size_bytes,
        }));
    } else {
        for problem in &problems {
            cx.output.line(&problem.message);
        }
        cx.output.line(format!(
            "workspace {}, serial {}, schema {}, {} kB",
            meta.workspace,
            meta.serial,
            meta.schema_version,
            statistics.size_bytes.div_ceil(1000)
        ));
        if problems.is_empty() {
            cx.output.line(paint(GREEN, "The state is sound."));
        }
    }
    if problems.is_empty() {
        Ok(exit::WELL)
    } else {
        Ok(exit::FOUND)
    }
}
