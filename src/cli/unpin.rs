//! `tideform unpin`.

use clap::Args;
use tideform_policies::model::GroupAddress;
use tideform_state::{OpenMode, OverrideKind, State};

use super::args::parse_group;
use super::context::{Context, actor};
use super::error::CliError;
use super::opened::applied_address;
use super::{CliResult, exit};

/// End a pin.
///
/// Ends a pin before its time: the group's metrics decide again from the next run on.
#[derive(Args, Debug)]
pub(super) struct UnpinArgs {
    /// The group
    #[arg(value_name = "GROUP", value_parser = parse_group)]
    group: GroupAddress,
}

impl UnpinArgs {
    pub(super) fn run(self, cx: &Context) -> CliResult {
        let (_, mut state) = cx.last_state(None, OpenMode::ReadWrite)?;
        let group = applied_address(&state, &self.group)?;
        let ended = end_overrides(cx, &mut state, &group, |kind| {
            matches!(kind, OverrideKind::Pin { .. })
        })?;
        if ended == 0 {
            return Err(CliError::Nothing {
                summary: "No pin",
                why: format!("{group} is not pinned."),
                hint: "`tideform overrides` lists what is.".to_owned(),
            });
        }
        cx.output.line(format!(
            "{group} is no longer pinned: its metrics decide from the next run on."
        ));
        Ok(exit::WELL)
    }
}

/// Ends the open overrides of a group that are meant; says how many.
pub(super) fn end_overrides(
    cx: &Context,
    state: &mut State,
    group: &GroupAddress,
    is_meant: impl Fn(&OverrideKind) -> bool,
) -> Result<usize, CliError> {
    let now = cx.now_of(state)?;
    let meant = |state: &State| -> Result<Vec<_>, CliError> {
        let open = state.open_overrides(now)?;
        Ok(open
            .into_iter()
            .filter(|o| o.group == *group && is_meant(&o.kind))
            .collect())
    };
    if meant(state)?.is_empty() {
        return Ok(0);
    }
    let by = actor();
    cx.writing(state, |state| {
        let meant = meant(state)?;
        state.write(|tx| {
            for found in &meant {
                tx.end_override(found.id, now, &by)?;
            }
            Ok(())
        })?;
        Ok(meant.len())
    })
}
