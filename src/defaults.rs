//! Every number that holds where nobody says otherwise: the defaults of the language, and what no file can change.
//!
//! It names no number itself: each stands once, where it is used, and is read from there. `docs/defaults.md` is
//! [`markdown`]; a test compares them.

use std::fmt::Write as _;
use std::time::Duration;

use serde::Serialize;
use tideform_policies::defaults::{FRESH_PERIODS, LONGEST_BREACH};
use tideform_policies::model::units::format_duration;
use tideform_policies::schema;
use tideform_state::{MERGE_GAP, ROLLUP_PERIOD, Retention};

use crate::cost::{BILLING_MINIMUM, HOURS_PER_MONTH, PROJECTION_WINDOW};
use crate::plan::CLOUDWATCH_USD_PER_METRIC_READ;
use crate::reconcile::numbers;
use crate::registry::RetryPolicy;

/// The longest that an override may hold.
pub const LONGEST_OVERRIDE: Duration = Duration::from_secs(30 * 24 * 60 * 60);

/// A default of the language.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct LanguageDefault {
    /// The block and its attribute: `metric.track.tolerance`; of a group or policy itself, `every`.
    pub setting: String,
    /// As a file would write it: `"10%"`, `true`.
    pub default: &'static str,
    /// The document that it is taken from, or why tideform chose it.
    pub source: &'static str,
}

/// A number that no file can change.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct FixedNumber {
    /// What it is.
    pub name: &'static str,
    /// In words: `3 periods`, `2m`.
    pub value: String,
    /// The document that it is taken from, or why tideform chose it.
    pub source: &'static str,
}

/// The defaults of the language, in the order of its documentation.
pub fn of_language() -> Vec<LanguageDefault> {
    let mut list: Vec<LanguageDefault> = Vec::new();
    for (path, block) in schema::blocks() {
        for attribute in block.attributes {
            // Every block of a policy or group takes `enabled`; once is enough.
            let name = match (path.as_str(), attribute.name) {
                ("policy" | "group", name) => name.to_owned(),
                (_, "enabled") => continue,
                (path, name) => format!("{path}.{name}"),
            };
            if let Some(preset) = attribute.default
                && !list.iter().any(|known| known.setting == name)
            {
                list.push(LanguageDefault {
                    setting: name,
                    default: preset.text,
                    source: preset.source,
                });
            }
        }
    }
    list
}

/// What no file can change, as it is in the code.
pub fn fixed() -> Vec<FixedNumber> {
    let retry = RetryPolicy::default();
    let kept = Retention::default();
    let days = |time: Duration| format_duration(time);
    let one = |name, value: String, source| FixedNumber {
        name,
        value,
        source,
    };
    vec![
        one(
            "a sample is fresh for",
            format!("{FRESH_PERIODS} periods and the source's delay"),
            "tideform's own: one sample may come late and one be lost",
        ),
        one(
            "longest `breach`",
            days(LONGEST_BREACH),
            "Amazon CloudWatch: an alarm with periods below an hour evaluates at most one day",
        ),
        one(
            "tries of a read, in all",
            retry.attempts.to_string(),
            "tideform's own: about six seconds in all",
        ),
        one(
            "first wait between reads; it doubles, with jitter",
            format!("{} ms", retry.first.as_millis()),
            "tideform's own: a busy cloud recovers within seconds",
        ),
        one(
            "longest wait between reads",
            days(retry.longest),
            "tideform's own: a busy cloud recovers within seconds",
        ),
        one(
            "tries of a change, in all",
            numbers::TRIES.to_string(),
            "tideform's own: all of them before the intent is too old to begin",
        ),
        one(
            "a change begins at the latest after its intent",
            days(numbers::CALL_STARTS_WITHIN),
            "tideform's own: a later one would be decided anew",
        ),
        one(
            "a change is given up, its outcome unknown, after",
            days(numbers::CALL_TAKES_AT_MOST),
            "tideform's own: time enough for a slow answer",
        ),
        one(
            "calls under way at once",
            numbers::CALLS_AT_ONCE.to_string(),
            "tideform's own: enough for thousands of groups, few for a cloud's request rate",
        ),
        one(
            "longest pause of a group that fails",
            days(numbers::LONGEST_BACK_OFF),
            "tideform's own; longer only where the group's `every` is",
        ),
        one(
            "the loop's lease lasts without renewal",
            days(numbers::LEASE_TIME),
            "tideform's own: a machine that died is replaced within two minutes",
        ),
        one(
            "the lease of `apply` lasts without renewal",
            days(crate::apply::HeldLease::TIME),
            "tideform's own: an apply that died blocks others for no longer",
        ),
        one(
            "no change begins later than the lease's end less",
            days(crate::apply::HeldLease::MARGIN),
            "tideform's own: the longest call and 5 s for a clock's fault",
        ),
        one(
            "prices are read again after",
            days(numbers::PRICES_LAST),
            "tideform's own: list prices change a few times a year, spot prices within hours",
        ),
        one(
            "metric samples are kept for",
            days(kept.metrics),
            "tideform's own: two weeks of every minute",
        ),
        one(
            "their means are kept for",
            days(kept.rollups),
            "tideform's own: a quarter",
        ),
        one(
            "length of such a mean",
            days(ROLLUP_PERIOD),
            "Amazon CloudWatch: after 15 days it keeps 5 minutes",
        ),
        one(
            "decisions are kept for",
            days(kept.decisions),
            "tideform's own: a quarter; the last of each group always",
        ),
        one(
            "capacity samples, and with them costs, are kept for",
            days(kept.capacity),
            "tideform's own: a year and a month, to compare with the year before",
        ),
        one(
            "a gap in the capacity samples longer than this is a gap",
            days(MERGE_GAP),
            "tideform's own: nobody looked in between",
        ),
        one(
            "hours of a month, for costs",
            HOURS_PER_MONTH.to_string(),
            "AWS Pricing Calculator: 730 hours a month",
        ),
        one(
            "the rest of a month is projected from the last",
            days(PROJECTION_WINDOW.unsigned_abs()),
            "tideform's own: one of every weekday",
        ),
        one(
            "an instance is billed for at least",
            days(BILLING_MINIMUM),
            "Amazon EC2: per second, with a minimum of 60 seconds",
        ),
        one(
            "asking CloudWatch for a metric once",
            format!("{CLOUDWATCH_USD_PER_METRIC_READ} USD"),
            "Amazon CloudWatch pricing: GetMetricData, 0.01 USD per 1,000 metrics",
        ),
        one(
            "longest override",
            days(LONGEST_OVERRIDE),
            "tideform's own: a pin that nobody remembers is an outage in waiting",
        ),
    ]
}

/// Both tables as Markdown.
pub fn markdown() -> String {
    let mut out = String::from("| setting | default | source |\n|---|---|---|\n");
    for row in of_language() {
        let _ = writeln!(
            out,
            "| `{}` | `{}` | {} |",
            row.setting, row.default, row.source
        );
    }
    out.push_str("\nWhat no file can change:\n\n| number | value | source |\n|---|---|---|\n");
    for row in fixed() {
        let _ = writeln!(out, "| {} | {} | {} |", row.name, row.value, row.source);
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_default_names_its_source() {
        for row in of_language() {
            assert!(row.source.len() > 14, "{}: {}", row.setting, row.source);
            assert!(
                !row.source.contains("DESIGN"),
                "{}: {}",
                row.setting,
                row.source
            );
        }
        for row in fixed() {
            assert!(row.source.len() > 13, "{}: {}", row.name, row.source);
        }
    }

    #[test]
    fn a_setting_is_listed_once_under_the_name_that_the_resolved_group_gives_it() {
        let list = of_language();
        for name in [
            "every",
            "metric.period",
            "metric.track.tolerance",
            "scale_in.stabilization",
        ] {
            let found = list.iter().filter(|row| row.setting == name).count();
            assert_eq!(found, 1, "{name}");
        }
    }
}
