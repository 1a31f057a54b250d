//! `tideform state`.

use std::path::PathBuf;
use std::time::Duration;

use clap::{Args, Subcommand};
use tideform_policies::model::GroupAddress;

use super::CliResult;
use super::args::{parse_group, parse_positive_duration};
use super::context::Context;

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
    /// Remove old samples, decisions and events
    Prune {
        /// Keep what is younger than this
        #[arg(long, value_name = "DURATION", default_value = "400d", value_parser = parse_positive_duration)]
        keep: Duration,
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
        let _ = (self.state, self.command);
        cx.not_supported_yet("state")
    }
}
