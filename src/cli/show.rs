//! `tideform show`.

use std::path::{Path, PathBuf};

use clap::Args;
use serde_json::{Map, Value as Json, json};
use tideform_state::OpenMode;

use super::context::Context;
use super::error::CliError;
use super::output::{BOLD, DIM, paint};
use super::view;
use super::{CliResult, exit};
use crate::plan::{Plan, flat_values, saved, views};

/// Show what was last applied, or a saved plan.
///
/// Shows a saved plan, or without a file what was last applied: the policies that `reconcile` runs.
#[derive(Args, Debug)]
pub(super) struct ShowArgs {
    /// A plan saved by `tideform plan --out`
    #[arg(value_name = "PLANFILE")]
    plan_file: Option<PathBuf>,

    /// Print it as JSON
    #[arg(long, conflicts_with = "markdown")]
    json: bool,

    /// Print a saved plan as Markdown
    #[arg(long, requires = "plan_file")]
    markdown: bool,
}

/// Reads a saved plan.
///
/// # Errors
/// The file cannot be read, or is no plan.
pub(super) fn read_plan(path: &Path) -> Result<Plan, CliError> {
    let text = std::fs::read(path).map_err(|source| match source.kind() {
        std::io::ErrorKind::NotFound => CliError::Nothing {
            summary: "No such plan file",
            why: format!("There is no file `{}`.", path.display()),
            hint: "`tideform plan --out FILE` makes a saved plan; `tideform apply` without a file makes its own."
                .to_owned(),
        },
        _ => CliError::File {
            verb: "read",
            path: path.to_owned(),
            source,
        },
    })?;
    // What is not text is not a plan either, and says so.
    let text = String::from_utf8_lossy(&text);
    saved::read_saved(&text).map_err(|error| CliError::SavedPlan {
        path: path.to_owned(),
        error,
    })
}

impl ShowArgs {
    pub(super) fn run(self, cx: &Context) -> CliResult {
        if let Some(path) = &self.plan_file {
            let plan = read_plan(path)?;
            if self.json {
                cx.output.json(&views::json(&plan));
            } else if self.markdown {
                cx.output.print(&views::markdown(&plan));
            } else {
                cx.output.print(&views::text(&plan, cx.output.wrap_width()));
            }
            return Ok(exit::WELL);
        }
        let (place, state) = cx.last_state(None, OpenMode::ReadWrite)?;
        let meta = state.meta()?;
        let groups = state.applied_groups()?;
        if self.json {
            let groups: Map<String, Json> = groups
                .iter()
                .map(|(address, applied)| (address.to_string(), json!(applied)))
                .collect();
            cx.output.json(&json!({
                "format_version": 1,
                "workspace": place.workspace,
                "lineage": meta.lineage,
                "serial": meta.serial,
                "groups": groups,
            }));
            return Ok(exit::WELL);
        }
        cx.output.line(paint(
            DIM,
            format!("# workspace {}, serial {}", place.workspace, meta.serial),
        ));
        for (address, applied) in &groups {
            cx.output.line(format!(
                "\n{}  {}",
                paint(BOLD, address),
                paint(DIM, format!("applied {}", view::time(applied.applied_at)))
            ));
            for (path, value) in flat_values(&applied.group) {
                cx.output.line(format!("  {path} = {value}"));
            }
        }
        Ok(exit::WELL)
    }
}
