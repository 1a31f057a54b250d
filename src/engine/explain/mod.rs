//! A decision in words: a headline, a line for each reason, and what would have to change for another answer.
//!
//! Pure string building from the decision. It prints nothing, decides nothing, and nothing reads it back.

mod numbers;
mod otherwise;
mod short;
mod times;
mod words;

use jiff::Timestamp;
use serde::{Deserialize, Serialize};
use tideform_policies::model::{Capacity, Direction, Group};

use super::decision::Decision;
use super::reason::Reason;
use crate::wrap::wrapped;
pub use numbers::{number, unit, usd_per_hour};
pub use short::short_form;
pub use times::Times;
use words::Words;

/// One line: what it is about, and what it says of it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Line {
    /// A metric, or a rule.
    pub subject: String,
    /// A sentence without its subject.
    pub text: String,
}

impl Line {
    fn new(subject: impl ToString, text: impl Into<String>) -> Line {
        Line {
            subject: subject.to_string(),
            text: text.into(),
        }
    }
}

/// A decision in words.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Explanation {
    /// `group.checkout   6 -> 9   scale out by 3`.
    pub headline: String,
    /// A line a reason, in the order of the rules.
    pub reasons: Vec<Line>,
    /// What would have to differ for another answer.
    pub otherwise: Vec<Line>,
}

/// Puts a decision into words.
///
/// - `now`: when it was made.
/// - `note`: stands at the end of the headline: `+0.29 USD/h`.
pub fn explain(
    group: &Group,
    decision: &Decision,
    now: Timestamp,
    note: Option<&str>,
) -> Explanation {
    let words = Words {
        group,
        times: Times::of(decision, now),
        current: Some(decision.current),
        bounded: bounded(decision),
    };
    Explanation {
        headline: headline(group, decision.current, decision.desired, note),
        reasons: decision
            .reasons
            .iter()
            .map(|reason| words.line(reason))
            .collect(),
        otherwise: otherwise::lines(&words, decision),
    }
}

/// The number that floor and ceiling were held against.
fn bounded(decision: &Decision) -> Option<Capacity> {
    let before = decision
        .reasons
        .iter()
        .take_while(|reason| !matches!(reason, Reason::WithinLimits { .. }))
        .filter_map(Reason::change);
    let last = before.last();
    Some(last.map_or(decision.current, |change| change.after))
}

/// What a reason is about, and what it says, for a line that stands alone: with full times.
pub fn sentence(group: &Group, reason: &Reason) -> (String, String) {
    let words = Words {
        group,
        times: Times::full(),
        current: None,
        bounded: None,
    };
    let Line { subject, text } = words.line(reason);
    (subject, text)
}

impl Explanation {
    /// The headline and the reasons under it, aligned.
    pub fn lines(&self) -> Vec<String> {
        let mut lines = vec![self.headline.clone()];
        lines.extend(layout(&self.reasons, 4, subject_width(&self.reasons), None));
        lines
    }

    /// The width of all subjects, so that the reasons and what would differ stand in the same columns.
    pub fn subject_width(&self) -> usize {
        subject_width(self.reasons.iter().chain(&self.otherwise))
    }
}

/// The width of the widest subject.
pub fn subject_width<'a>(lines: impl IntoIterator<Item = &'a Line>) -> usize {
    let widths = lines.into_iter().map(|line| line.subject.chars().count());
    widths.max().unwrap_or(0)
}

/// Lines with their subjects aligned: `cpu      82 % against a target of 60 % wants 9`.
///
/// - `indent`: spaces in front.
/// - `subjects`: the width of the subjects' column.
/// - `width`: of the whole line; longer texts go on in the next line, under their beginning. `None`: no end.
pub fn layout(lines: &[Line], indent: usize, subjects: usize, width: Option<usize>) -> Vec<String> {
    let wrapped = |line: &Line| {
        let head = format!("{:indent$}{:<subjects$}   ", "", line.subject);
        wrapped(&head, &line.text, width)
    };
    lines.iter().flat_map(wrapped).collect()
}

/// `group.checkout   6 -> 9   scale out by 3`.
fn headline(group: &Group, current: Capacity, desired: Capacity, note: Option<&str>) -> String {
    let mut line = format!(
        "{}   {}   {}",
        group.address,
        arrow(current, desired),
        movement(current, desired)
    );
    if let Some(note) = note {
        line.push_str("   ");
        line.push_str(note);
    }
    line
}

/// `6 -> 9`, or `6` where nothing changes.
pub fn arrow(current: Capacity, desired: Capacity) -> String {
    if current == desired {
        current.to_string()
    } else {
        format!("{current} -> {desired}")
    }
}

/// `scale out by 3`, `scale in by 2`, `hold`.
pub fn movement(current: Capacity, desired: Capacity) -> String {
    match Direction::between(current, desired) {
        Direction::Hold => "hold".to_owned(),
        direction => format!("{direction} by {}", current.get().abs_diff(desired.get())),
    }
}

#[cfg(test)]
mod tests;
#[cfg(test)]
mod truth;
