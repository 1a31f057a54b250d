//! `tideform overrides`.

use clap::Args;
use serde_json::json;
use tideform_state::OpenMode;

use super::context::Context;
use super::output::Table;
use super::view;
use super::{CliResult, exit};

/// List the overrides: pins, pauses and surges.
///
/// Lists what overrides the policies: pins, pauses and surges, each with its end, who set it, and why.
#[derive(Args, Debug)]
pub(super) struct OverridesArgs {
    /// Also those that are over
    #[arg(long)]
    all: bool,

    /// Print it as JSON
    #[arg(long)]
    json: bool,
}

impl OverridesArgs {
    pub(super) fn run(self, cx: &Context) -> CliResult {
        let (_, state) = cx.last_state(None, OpenMode::ReadWrite)?;
        let now = cx.now_of(&state)?;
        let overrides = if self.all {
            state.all_overrides()?
        } else {
            state.open_overrides(now)?
        };
        if self.json {
            cx.output.json(
                &json!({ "format_version": 1, "at": view::second(now), "overrides": overrides }),
            );
            return Ok(exit::WELL);
        }
        if overrides.is_empty() {
            cx.output.line("No overrides.");
            return Ok(exit::WELL);
        }
        let mut table = Table::new(&["GROUP", "OVERRIDE", "FROM", "UNTIL", "BY", "REASON"]);
        for one in &overrides {
            let until = match (one.ended_at, one.until) {
                (Some(ended), _) => format!("{} (ended)", view::time(ended)),
                (None, Some(until)) => view::time(until),
                (None, None) => "until ended".to_owned(),
            };
            table.row([
                one.group.short(),
                one.kind.to_string(),
                view::time(one.from),
                until,
                one.by.clone(),
                one.reason.clone().unwrap_or_else(|| "-".to_owned()),
            ]);
        }
        cx.output.print(&table.render());
        Ok(exit::WELL)
    }
}
