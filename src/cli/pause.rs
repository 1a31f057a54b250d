//! `tideform pause` and `tideform resume`.

use std::time::Duration;

use clap::Args;
use tideform_policies::model::GroupAddress;
use tideform_state::{NewOverride, OpenMode, OverrideKind};

use super::args::parse_group;
use super::context::{Context, actor};
use super::error::CliError;
use super::opened::{applied_address, is_native};
use super::scale::parse_override_duration;
use super::unpin::end_overrides;
use super::view;
use super::{CliResult, exit};

/// Stop all scaling of a group for a while.
///
/// Stops all scaling of a group: the loop goes on deciding and recording, and changes nothing. Works at any time, also
/// while the loop runs.
#[derive(Args, Debug)]
pub(super) struct PauseArgs {
    /// The group
    #[arg(value_name = "GROUP", value_parser = parse_group)]
    group: GroupAddress,

    /// How long; at most 30 days
    #[arg(long = "for", value_name = "DURATION", default_value = "1d", value_parser = parse_override_duration)]
    duration: Duration,

    /// Why, for those who read the events
    #[arg(long, value_name = "TEXT")]
    reason: Option<String>,
}

/// End a pause.
///
/// Ends a pause before its time.
#[derive(Args, Debug)]
pub(super) struct ResumeArgs {
    /// The group
    #[arg(value_name = "GROUP", value_parser = parse_group)]
    group: GroupAddress,
}

impl PauseArgs {
    pub(super) fn run(self, cx: &Context) -> CliResult {
        let (_, mut state) = cx.last_state(None, OpenMode::ReadWrite)?;
        let group = applied_address(&state, &self.group)?;
        let is_native = is_native(&state, &group, false)?;
        let now = cx.now_of(&state)?;
        let until = view::next_second(
            now.checked_add(self.duration)
                .unwrap_or(jiff::Timestamp::MAX),
        );
        let pause = NewOverride {
            group: group.clone(),
            kind: OverrideKind::Pause,
            from: now,
            until: Some(until),
            reason: self.reason.clone(),
            by: actor(),
            created_at: now,
        };
        cx.writing(&mut state, |state| {
            Ok(state.write(|tx| tx.add_override(&pause))?)
        })?;
        cx.output
            .line(format!("{group} is paused until {}.", view::time(until)));
        cx.output.note(if is_native {
            "The next run of `tideform reconcile` switches the cloud's own policies off, and the first one after the pause switches them on; `tideform resume` ends the pause before its time."
        } else {
            "Nothing scales it until then; `tideform resume` ends the pause before its time."
        });
        Ok(exit::WELL)
    }
}

impl ResumeArgs {
    pub(super) fn run(self, cx: &Context) -> CliResult {
        let (_, mut state) = cx.last_state(None, OpenMode::ReadWrite)?;
        let group = applied_address(&state, &self.group)?;
        let ended = end_overrides(cx, &mut state, &group, |kind| {
            matches!(kind, OverrideKind::Pause)
        })?;
        if ended == 0 {
            return Err(CliError::Nothing {
                summary: "No pause",
                why: format!("{group} is not paused."),
                hint: "`tideform overrides` lists what is.".to_owned(),
            });
        }
        cx.output
            .line(format!("{group} is scaled again from the next run on."));
        Ok(exit::WELL)
    }
}
