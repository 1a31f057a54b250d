//! `tideform scale`.

use std::time::Duration;

use clap::Args;
use tideform_policies::model::GroupAddress;
use tideform_state::{NewOverride, OpenMode, OverrideKind};

use super::args::{parse_group, parse_instances, parse_positive_duration};
use super::context::{Context, actor};
use super::error::CliError;
use super::opened::{applied_address, is_native};
use super::view;
use super::{CliResult, exit};
use crate::defaults::LONGEST_OVERRIDE;

/// Pin a group to a number of instances for a while.
///
/// Pins a group to a number: whatever its metrics say, the loop holds it there, inside the group's limits, until the
/// time is over. The next run of the loop carries it out.
#[derive(Args, Debug)]
pub(super) struct ScaleArgs {
    /// The group
    #[arg(value_name = "GROUP", value_parser = parse_group)]
    group: GroupAddress,

    /// The capacity, in units
    #[arg(value_name = "N", allow_negative_numbers = true, value_parser = parse_instances)]
    desired: u32,

    /// How long; at most 30 days
    #[arg(long = "for", value_name = "DURATION", value_parser = parse_override_duration)]
    duration: Duration,

    /// Why, for those who read the events
    #[arg(long, value_name = "TEXT")]
    reason: String,
}

/// A duration above 0 and at most [`LONGEST_OVERRIDE`].
pub(super) fn parse_override_duration(text: &str) -> Result<Duration, String> {
    let duration = parse_positive_duration(text)?;
    if duration > LONGEST_OVERRIDE {
        return Err("an override holds for at most 30d".to_owned());
    }
    Ok(duration)
}

impl ScaleArgs {
    pub(super) fn run(self, cx: &Context) -> CliResult {
        let (_, mut state) = cx.last_state(None, OpenMode::ReadWrite)?;
        let group = applied_address(&state, &self.group)?;
        let is_native = is_native(&state, &group, true)?;
        let applied = state.applied_group(&group)?;
        let limits = applied.and_then(|applied| applied.group.policy.limits);
        if let Some(limits) = limits
            && (self.desired < limits.min().get() || self.desired > limits.max().get())
        {
            return Err(CliError::Nothing {
                summary: "Capacity outside the limits",
                why: format!(
                    "{group} was applied with limits from {} to {}; {} would be cut. Nothing was changed.",
                    limits.min(),
                    limits.max(),
                    self.desired
                ),
                hint: "pin it inside the limits, or change `limits` in the files and apply."
                    .to_owned(),
            });
        }
        let now = cx.now_of(&state)?;
        let until = view::next_second(
            now.checked_add(self.duration)
                .unwrap_or(jiff::Timestamp::MAX),
        );
        let pin = NewOverride {
            group: group.clone(),
            kind: OverrideKind::Pin {
                capacity: self.desired,
            },
            from: now,
            until: Some(until),
            reason: Some(self.reason.clone()),
            by: actor(),
            created_at: now,
        };
        cx.writing(&mut state, |state| {
            Ok(state.write(|tx| tx.add_override(&pin))?)
        })?;
        cx.output.line(format!(
            "{group} is pinned to {} until {}.",
            self.desired,
            view::time(until)
        ));
        cx.output.note(if is_native {
            "The next run of `tideform reconcile` writes it into the group's own limits, with an action of the cloud's that ends it; `tideform unpin` ends it before its time."
        } else {
            "The next run of `tideform reconcile` carries it out; `tideform unpin` ends it before its time."
        });
        Ok(exit::WELL)
    }
}
