//! Texts that several commands print: decisions, numbers, times.

use jiff::{RoundMode, Timestamp, TimestampRound, Unit};
use tideform_policies::model::Group;

use super::output::{BOLD, DIM, paint};
use crate::engine::{Decision, Reason, explain};

/// A decision with its reasons, a line each, and what would have to change for another answer.
///
/// - `now`: when it was made.
/// - `note`: stands at the end of the headline.
/// - `width`: of the lines; `None`: no end.
pub(super) fn decision(
    group: &Group,
    decision: &Decision,
    now: Timestamp,
    note: Option<&str>,
    width: Option<usize>,
) -> String {
    let explanation = explain::explain(group, decision, now, note);
    let subjects = explanation.subject_width();
    let mut text = paint(BOLD, &explanation.headline);
    text.push('\n');
    let block = |lines: &[explain::Line]| -> String {
        explain::layout(lines, 4, subjects, width)
            .into_iter()
            .map(|line| line + "\n")
            .collect()
    };
    text.push_str(&block(&explanation.reasons));
    if !explanation.otherwise.is_empty() {
        text.push_str(&paint(DIM, "  for another answer:"));
        text.push('\n');
        text.push_str(&block(&explanation.otherwise));
    }
    text
}

/// The one reason that says most of why the number changed, in a few words: an override, a floor or a ceiling that
/// moved it, else the metric that wanted most.
///
/// - `group`: for the metrics' units.
pub(super) fn cause(group: &Group, reasons: &[Reason]) -> Option<String> {
    // What people asked for is named also where the metrics want the same number.
    let asked = reasons
        .iter()
        .rev()
        .find(|reason| matches!(reason, Reason::Paused { .. } | Reason::Pinned { .. }));
    let moved_by = reasons.iter().rev().find(|reason| {
        matches!(
            reason,
            Reason::RaisedToFloor { .. } | Reason::LoweredToCeiling { .. }
        ) && reason
            .change()
            .is_some_and(|change| change.before != change.after)
    });
    let wanted_by = || {
        reasons
            .iter()
            .filter_map(|reason| match reason {
                Reason::Opinion { want, .. }
                | Reason::Want { want, .. }
                | Reason::Step { want, .. } => Some((*want, reason)),
                _ => None,
            })
            .max_by_key(|(want, _)| *want)
            .map(|(_, reason)| reason)
    };
    let (subject, text) = explain::sentence(group, asked.or(moved_by).or_else(wanted_by)?);
    // The change itself stands before it already.
    let words = match text.split_once(": ") {
        Some((change, words)) if change.contains("->") => words,
        _ => &text,
    };
    Some(format!("{subject}: {words}"))
}

/// `paused until 2026-11-27 08:00:00Z`, where an override holds the group; a pause before a pin.
pub(super) fn override_words(reasons: &[Reason]) -> Option<String> {
    reasons.iter().rev().find_map(|reason| match reason {
        Reason::Paused { until, .. } => Some(format!("paused until {}", time(*until))),
        Reason::Pinned { until, after, .. } => {
            Some(format!("pinned to {after} until {}", time(*until)))
        }
        _ => None,
    })
}

/// The last whole second at or before a time: what people set begins there.
pub(super) fn second(at: Timestamp) -> Timestamp {
    whole(at, RoundMode::Floor)
}

/// The first whole second at or after a time: what people set ends there, and never before they asked.
pub(super) fn next_second(at: Timestamp) -> Timestamp {
    whole(at, RoundMode::Ceil)
}

fn whole(at: Timestamp, mode: RoundMode) -> Timestamp {
    let to = TimestampRound::new().smallest(Unit::Second).mode(mode);
    // At the end of time there is no next one.
    at.round(to).unwrap_or(at)
}

/// `2026-11-27 08:00:00Z`, to the second.
pub(super) fn time(at: Timestamp) -> String {
    at.strftime("%Y-%m-%d %H:%M:%SZ").to_string()
}

/// `1,234.50 USD`.
pub(super) fn usd(amount: f64) -> String {
    let cents = format!("{:.2}", amount.abs());
    let (whole, rest) = cents.split_once('.').unwrap_or((&cents, "00"));
    let mut grouped = String::new();
    for (i, digit) in whole.chars().enumerate() {
        if i > 0 && (whole.len() - i) % 3 == 0 {
            grouped.push(',');
        }
        grouped.push(digit);
    }
    let sign = if amount < 0.0 && amount.abs() >= 0.005 {
        "-"
    } else {
        ""
    };
    format!("{sign}{grouped}.{rest} USD")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_people_set_begins_and_ends_with_whole_seconds_and_ends_no_sooner_than_they_said() {
        for (at, begins, ends) in [
            ("12:00:00Z", "12:00:00Z", "12:00:00Z"),
            ("12:00:00.000000001Z", "12:00:00Z", "12:00:01Z"),
            ("12:00:59.999Z", "12:00:59Z", "12:01:00Z"),
        ] {
            let time = |text: &str| format!("2026-11-20T{text}").parse::<Timestamp>().unwrap();
            assert_eq!(second(time(at)), time(begins), "{at}");
            assert_eq!(next_second(time(at)), time(ends), "{at}");
        }
        assert_eq!(next_second(Timestamp::MAX), Timestamp::MAX);
    }

    #[test]
    fn money_is_grouped_by_thousands_and_never_minus_zero() {
        for (amount, text) in [
            (0.0, "0.00 USD"),
            (-0.001, "0.00 USD"),
            (-12.5, "-12.50 USD"),
            (999.999, "1,000.00 USD"),
            (1_234_567.891, "1,234,567.89 USD"),
        ] {
            assert_eq!(usd(amount), text);
        }
    }
}
