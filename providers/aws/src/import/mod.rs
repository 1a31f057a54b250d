//! What scales a group today, in the words of the language: [`crate::native`] the other way round. Pure.
//!
//! ```text
//! metric     a predefined name, a series or metric math -> what a `metric` block says of it
//! policy     target tracking, step and predictive scaling -> `track`, `step`, `forecast`
//! schedule   scheduled actions -> `schedule`, where two of them are a window
//! ```
//!
//! What is said here and compiled again by `native` is what is there. What the language cannot say is left, with the
//! reason.

mod metric;
mod policy;
mod schedule;

use std::collections::BTreeSet;

use tideform_provider::{Control, ControlKind, Imported, LeftControl, LiveGroup};

use crate::metrics::targets::Target;
use crate::native::model::{Measured, Native};

/// The kinds of resource that Terraform makes controls of.
const POLICY: &str = "aws_autoscaling_policy";
const ALARM: &str = "aws_cloudwatch_metric_alarm";
const SCHEDULE: &str = "aws_autoscaling_schedule";

/// A control that could be read.
struct There<'a> {
    control: &'a Control,
    native: Native,
}

/// The controls of a group in the words of the language.
///
/// - `target`: where its traffic comes from, if known.
pub(crate) fn imported(live: &LiveGroup, target: Option<&Target>) -> Imported {
    let mut imported = Imported::default();
    let mut there = Vec::new();
    for control in &live.controls {
        match readable(control) {
            Ok(native) => there.push(There { control, native }),
            Err((why, help)) => imported.left.push(left(control, why, help)),
        }
    }
    let mut labels = Labels::default();
    policy::import(&there, live, target, &mut labels, &mut imported);
    schedule::import(&there, live, &mut imported);
    imported
}

/// Whether the target group of a group must be known to say its controls.
pub(crate) fn needs_target(live: &LiveGroup) -> bool {
    let is_labelled =
        |measured: &Measured| matches!(measured, Measured::Predefined { label: Some(_), .. });
    live.controls
        .iter()
        .filter_map(|control| Native::of(&control.settings).ok())
        .any(|native| match native {
            Native::TargetTracking(tracking) => is_labelled(&tracking.metric),
            Native::PredictiveScaling(predicting) => is_labelled(&predicting.load),
            Native::StepScaling(_) | Native::Scheduled(_) => false,
        })
}

/// # Errors
/// Why it is left, and what to do.
fn readable(control: &Control) -> Result<Native, (String, Option<&'static str>)> {
    if control.name.starts_with("tideform/") {
        return Err((
            "tideform made it, and another workspace may own it".to_owned(),
            Some("Delete it where nothing owns it any more."),
        ));
    }
    if let Some(beyond) = &control.beyond {
        let help = match control.kind {
            ControlKind::Dynamic => {
                "Write a `step` or a `track` that does as much here, and delete it when that is applied."
            }
            ControlKind::Schedule => "Write a `schedule` here, and delete it.",
        };
        return Err((beyond.clone(), Some(help)));
    }
    if !control.enabled {
        return Err((
            "it is switched off".to_owned(),
            Some("Delete it, or switch it on and import again."),
        ));
    }
    Native::of(&control.settings).map_err(|_| ("it cannot be read".to_owned(), None))
}

fn left(control: &Control, why: impl Into<String>, help: Option<&str>) -> LeftControl {
    LeftControl {
        name: control.name.clone(),
        summary: control.summary.clone(),
        why: why.into(),
        help: help.map(str::to_owned),
    }
}

/// Labels of blocks: each once in a group.
#[derive(Debug, Default)]
struct Labels(BTreeSet<String>);

impl Labels {
    /// A label like this text, that is not taken yet.
    fn take(&mut self, text: &str) -> String {
        let wanted = label(text);
        let mut found = wanted.clone();
        let mut number = 2;
        while !self.0.insert(found.clone()) {
            found = format!("{wanted}_{number}");
            number += 1;
        }
        found
    }
}

/// A text as a name: `ApproximateAge` is `approximate_age`, `web-cpu (high)` is `web_cpu_high`.
fn label(text: &str) -> String {
    let mut out = String::new();
    let mut is_small = false;
    for c in text.chars() {
        if c.is_ascii_alphanumeric() {
            if c.is_ascii_uppercase() && is_small {
                out.push('_');
            }
            is_small = c.is_ascii_lowercase() || c.is_ascii_digit();
            out.push(c.to_ascii_lowercase());
        } else {
            is_small = false;
            if !out.is_empty() && !out.ends_with('_') {
                out.push('_');
            }
        }
    }
    let out = out.trim_end_matches('_');
    let out: String = out.chars().take(48).collect();
    if out.starts_with(|c: char| c.is_ascii_alphabetic()) {
        out
    } else {
        format!("m_{out}").trim_end_matches('_').to_owned()
    }
}

/// A number without the noise of sums of decimals.
fn tidy(number: f64) -> f64 {
    format!("{number:.11e}").parse().unwrap_or(number)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn labels_are_names_and_each_is_taken_once() {
        for (text, wanted) in [
            (
                "ApproximateNumberOfMessagesVisible",
                "approximate_number_of_messages_visible",
            ),
            ("web-cpu (high)", "web_cpu_high"),
            ("CPUUtilization", "cpuutilization"),
            ("5xx", "m_5xx"),
            ("über", "ber"),
            ("--", "m"),
        ] {
            assert_eq!(label(text), wanted, "{text}");
        }
        let mut labels = Labels::default();
        let taken = ["cpu", "CPU", "cpu"].map(|text| labels.take(text));
        assert_eq!(taken, ["cpu", "cpu_2", "cpu_3"]);
    }
}
