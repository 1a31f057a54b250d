//! `tideform mock`: hands in the simulated cloud, for tutorials and tests.

use std::time::Duration;

use clap::{ArgAction, Args, Subcommand};

use super::CliResult;
use super::args::parse_positive_duration;
use super::context::Context;

/// Lays hands on the simulated cloud of provider "mock", as somebody outside tideform would: shows it, moves its clock,
/// changes groups, protects and breaks instances, makes calls fail.
#[derive(Args, Debug)]
pub(super) struct MockArgs {
    /// The provider block, where there are several: `mock.other`
    #[arg(long, value_name = "ADDR", global = true)]
    provider: Option<String>,

    #[command(subcommand)]
    command: MockCommand,
}

#[derive(Subcommand, Debug)]
enum MockCommand {
    /// Show the groups and instances of the world
    Show {
        /// Print it as JSON
        #[arg(long)]
        json: bool,
    },
    /// Move a stepped clock ahead
    Advance {
        /// How far
        #[arg(value_name = "DURATION", value_parser = parse_positive_duration)]
        duration: Duration,
    },
    /// Change a group by hand
    Set {
        /// The resource's name there
        #[arg(value_name = "NAME")]
        name: String,
        /// Smallest capacity
        #[arg(long, value_name = "N")]
        min: Option<u32>,
        /// Largest capacity
        #[arg(long, value_name = "N")]
        max: Option<u32>,
        /// Desired capacity
        #[arg(long, value_name = "N")]
        desired: Option<u32>,
    },
    /// Protect an instance from scale-in, or no longer
    Protect {
        /// The instance's id
        #[arg(value_name = "INSTANCE")]
        instance: String,
        /// Whether it is protected
        #[arg(long, value_name = "BOOL", default_value_t = true, action = ArgAction::Set)]
        on: bool,
    },
}

impl MockArgs {
    pub(super) fn run(self, cx: &Context) -> CliResult {
        let _ = (self.provider, self.command);
        cx.not_supported_yet("mock")
    }
}
