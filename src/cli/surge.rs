//! `tideform surge`.

use clap::{Args, Subcommand};
use tideform_policies::model::{GroupAddress, Name};

use super::CliResult;
use super::args::{Moment, parse_group, parse_moment, parse_name};
use super::context::Context;

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
        let _ = self.command;
        cx.not_supported_yet("surge")
    }
}
