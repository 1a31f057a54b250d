//! What a step expects against what the decision says.

use std::fmt;

use jiff::Timestamp;
use serde::Serialize;
use tideform_policies::model::{Capacity, Direction, FormulaScope, OwnValue, Test, TestStep};
use tideform_policies::source::SourceMap;
use tideform_policies::suggest::nearest;

use super::Place;
use crate::engine::{Decision, Observation, Rules, kinds, metric_value, own_value};

/// One thing that is not as expected.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Failure {
    /// What.
    pub what: Mismatch,
    /// Where it was expected.
    pub place: Option<Place>,
}

/// What is not as expected.
#[derive(Clone, Debug, PartialEq, Serialize)]
#[serde(tag = "kind", rename_all = "snake_case")]
pub enum Mismatch {
    /// Another number.
    Desired {
        /// In the file.
        expected: Capacity,
        /// Decided.
        actual: Capacity,
    },
    /// Another direction.
    Direction {
        /// In the file.
        expected: Direction,
        /// Decided.
        actual: Direction,
    },
    /// A kind of reason that is not among the decision's.
    Reason {
        /// In the file.
        expected: String,
        /// All kinds of the decision.
        actual: Vec<String>,
    },
    /// There is no such kind of reason.
    UnknownReason {
        /// In the file.
        expected: String,
        /// The kind that is most like it.
        nearest: Option<String>,
    },
    /// An `always` that does not hold.
    Always {
        /// As written.
        formula: String,
    },
    /// A `never` that holds.
    Never {
        /// As written.
        formula: String,
    },
}

impl fmt::Display for Mismatch {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Mismatch::Desired { expected, actual } => {
                write!(f, "expected desired {expected}, got {actual}")
            }
            Mismatch::Direction { expected, actual } => {
                write!(
                    f,
                    "expected direction \"{}\", got \"{}\"",
                    word(*expected),
                    word(*actual)
                )
            }
            Mismatch::Reason { expected, actual } => {
                write!(
                    f,
                    "expected a reason \"{expected}\", got {}",
                    actual.join(", ")
                )
            }
            Mismatch::UnknownReason { expected, nearest } => {
                write!(f, "there is no kind of reason \"{expected}\"")?;
                match nearest {
                    Some(nearest) => write!(f, "; did you mean \"{nearest}\"?"),
                    None => Ok(()),
                }
            }
            Mismatch::Always { formula } => write!(f, "`{formula}` must always hold, and does not"),
            Mismatch::Never { formula } => write!(f, "`{formula}` must never hold, and does"),
        }
    }
}

/// All that is not as expected at a step. A formula without data holds neither way, and is not checked.
pub(super) fn check(
    sources: &SourceMap,
    test: &Test,
    step: &TestStep,
    rules: &Rules,
    seen: &Observation,
    decision: &Decision,
    now: Timestamp,
) -> Vec<Failure> {
    let mut failures = Vec::new();
    if let Some(expect) = &step.expect {
        let place = || Place::of(sources, expect.span.unwrap_or(step.span));
        let mut fail = |what| {
            failures.push(Failure {
                what,
                place: place(),
            });
        };
        if let Some(expected) = expect.desired
            && expected != decision.desired
        {
            fail(Mismatch::Desired {
                expected,
                actual: decision.desired,
            });
        }
        if let Some(expected) = expect.direction
            && expected != decision.direction
        {
            fail(Mismatch::Direction {
                expected,
                actual: decision.direction,
            });
        }
        for expected in &expect.reasons {
            if !kinds().iter().any(|kind| kind.name == expected) {
                fail(Mismatch::UnknownReason {
                    expected: expected.clone(),
                    nearest: nearest_kind(expected),
                });
            } else if !decision.has(expected) {
                fail(Mismatch::Reason {
                    expected: expected.clone(),
                    actual: kinds_of(decision),
                });
            }
        }
    }
    let scope = After {
        rules,
        seen,
        decision,
        now,
    };
    let mut invariant = |what| {
        failures.push(Failure {
            what,
            place: Place::of(sources, test.span),
        });
    };
    for formula in &test.always {
        if formula.truth(&scope) == Some(false) {
            invariant(Mismatch::Always {
                formula: formula.text.clone(),
            });
        }
    }
    for formula in &test.never {
        if formula.truth(&scope) == Some(true) {
            invariant(Mismatch::Never {
                formula: formula.text.clone(),
            });
        }
    }
    failures
}

fn kinds_of(decision: &Decision) -> Vec<String> {
    let mut kinds: Vec<String> = Vec::new();
    for reason in &decision.reasons {
        if !kinds.iter().any(|kind| kind == reason.kind()) {
            kinds.push(reason.kind().to_owned());
        }
    }
    kinds
}

fn nearest_kind(name: &str) -> Option<String> {
    nearest(name, kinds().iter().map(|kind| kind.name)).map(str::to_owned)
}

fn word(direction: Direction) -> &'static str {
    match direction {
        Direction::In => "in",
        Direction::Hold => "hold",
        Direction::Out => "out",
    }
}

/// The group right after the decision: `self.desired` is what was decided.
struct After<'a> {
    rules: &'a Rules,
    seen: &'a Observation,
    decision: &'a Decision,
    now: Timestamp,
}

impl FormulaScope for After<'_> {
    fn metric(&self, name: &str) -> Option<f64> {
        metric_value(self.rules, self.seen, name, self.now)
    }

    fn own(&self, value: OwnValue) -> Option<f64> {
        match value {
            OwnValue::Desired => Some(f64::from(self.decision.desired.get())),
            OwnValue::Ready | OwnValue::Live | OwnValue::Min | OwnValue::Max => {
                own_value(self.rules, self.seen, value, self.now)
            }
        }
    }
}
