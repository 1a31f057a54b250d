//! What a step expects against what the decision says.

use std::fmt;

use jiff::Timestamp;
use serde::Serialize;
use tideform_policies::model::{
    Capacity, Direction, Expected, Formula, FormulaScope, InstanceId, Invariant, Name, OwnValue,
    Scope, Test, TestStep,
};
use tideform_policies::source::{SourceMap, Span};

use super::Place;
use super::world::Seen;
use crate::engine::{Decision, Observation, Reason, Rules, explain, metric_value, own_value};

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
    /// Fewer.
    AtLeast {
        /// In the file.
        expected: Capacity,
        /// Decided.
        actual: Capacity,
    },
    /// More.
    AtMost {
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
    /// The decision took another number as ready.
    Ready {
        /// In the file.
        expected: Capacity,
        /// Taken.
        actual: Capacity,
    },
    /// A reason that is not among the decision's.
    Reason {
        /// In the file.
        expected: String,
        /// All of the decision's, written alike.
        actual: Vec<String>,
    },
    /// A reason that is among the decision's, and must not be.
    UnwantedReason {
        /// In the file.
        unwanted: String,
    },
    /// A metric wants another number.
    Want {
        /// Which.
        metric: Name,
        /// In the file; none: no opinion.
        expected: Option<Capacity>,
        /// What it wants; none: it has no opinion.
        actual: Option<Capacity>,
    },
    /// Another on-demand part.
    OnDemand {
        /// In the file.
        expected: Capacity,
        /// Decided; none: the group has no mix.
        actual: Option<Capacity>,
    },
    /// Another spot part.
    Spot {
        /// In the file.
        expected: Capacity,
        /// Decided; none: the group has no mix.
        actual: Option<Capacity>,
    },
    /// Other instances end.
    Victims {
        /// In the file.
        expected: Vec<InstanceId>,
        /// Decided.
        actual: Vec<InstanceId>,
    },
    /// An `always` that does not hold.
    Always {
        /// As written.
        formula: String,
        /// What it mentions.
        values: Vec<Mentioned>,
    },
    /// A `never` that holds.
    Never {
        /// As written.
        formula: String,
        /// What it mentions.
        values: Vec<Mentioned>,
    },
    /// An `always` or `never` that had no data after any decision.
    NeverChecked {
        /// As written.
        formula: String,
        /// What of it has no data.
        without_data: Vec<String>,
    },
    /// A list of samples that is longer than there are instances.
    TooManySamples {
        /// Of which metric.
        metric: Name,
        /// How many values the list has.
        samples: usize,
        /// How many instances there are.
        instances: usize,
    },
    /// A list of samples that is shorter than there are instances.
    TooFewSamples {
        /// Of which metric.
        metric: Name,
        /// How many values the list has.
        samples: usize,
        /// How many instances there are.
        instances: usize,
    },
    /// Values by instance of a metric that is not about single instances.
    NotPerInstance {
        /// Which metric.
        metric: Name,
        /// What it is about.
        scope: Scope,
    },
    /// A sample of an instance that is not there.
    UnknownInstance {
        /// Of which metric.
        metric: Name,
        /// As written.
        id: InstanceId,
        /// The instances that are there.
        known: Vec<InstanceId>,
    },
}

/// A value that a formula mentions.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Mentioned {
    /// `metric.cpu`, `self.desired`.
    pub name: String,
    /// None: no data.
    pub value: Option<f64>,
}

impl fmt::Display for Mismatch {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Mismatch::Desired { expected, actual } => {
                write!(f, "expected desired {expected}, got {actual}")
            }
            Mismatch::AtLeast { expected, actual } => {
                write!(f, "expected desired at least {expected}, got {actual}")
            }
            Mismatch::AtMost { expected, actual } => {
                write!(f, "expected desired at most {expected}, got {actual}")
            }
            Mismatch::Direction { expected, actual } => {
                let (expected, actual) = (word(*expected), word(*actual));
                write!(f, "expected direction \"{expected}\", got \"{actual}\"")
            }
            Mismatch::Ready { expected, actual } => {
                write!(f, "expected {expected} ready, got {actual}")
            }
            Mismatch::Reason { expected, actual } => {
                let actual = listed(actual);
                write!(f, "expected a reason \"{expected}\", got {actual}")
            }
            Mismatch::UnwantedReason { unwanted } => {
                write!(f, "expected no reason \"{unwanted}\", and there is one")
            }
            Mismatch::Want {
                metric,
                expected: Some(expected),
                actual,
            } => {
                write!(f, "expected {metric} to want {expected}, got ")?;
                match actual {
                    Some(actual) => write!(f, "{actual}"),
                    None => f.write_str("no opinion"),
                }
            }
            Mismatch::Want {
                metric,
                expected: None,
                actual,
            } => {
                let actual = actual.unwrap_or_default();
                write!(f, "expected {metric} to have no opinion, it wants {actual}")
            }
            Mismatch::OnDemand { expected, actual } => {
                write!(f, "expected {expected} on demand, got {}", part(*actual))
            }
            Mismatch::Spot { expected, actual } => {
                write!(f, "expected {expected} spot, got {}", part(*actual))
            }
            Mismatch::Victims { expected, actual } => {
                let (expected, actual) = (listed(expected), listed(actual));
                write!(f, "expected the victims {expected}, got {actual}")
            }
            Mismatch::Always { formula, values } => {
                write!(
                    f,
                    "`{formula}` must always hold, and does not{}",
                    with(values)
                )
            }
            Mismatch::Never { formula, values } => {
                write!(f, "`{formula}` must never hold, and does{}", with(values))
            }
            Mismatch::NeverChecked {
                formula,
                without_data,
            } => {
                write!(f, "`{formula}` was never checked: ")?;
                match without_data.as_slice() {
                    [] => f.write_str("its value is no number after any decision"),
                    names => write!(f, "{} has no data at any step", names.join(", ")),
                }
            }
            Mismatch::TooManySamples {
                metric,
                samples,
                instances,
            } => {
                write!(f, "{metric} has {}", values_for(*samples, *instances))
            }
            Mismatch::TooFewSamples {
                metric,
                samples,
                instances,
            } => {
                let said = values_for(*samples, *instances);
                write!(
                    f,
                    "{metric} has {said}; write null for one without a sample"
                )
            }
            Mismatch::NotPerInstance { metric, scope } => {
                let (scope, what) = match scope {
                    Scope::Group => ("group", "a total of the group"),
                    _ => ("shared", "one value that all instances share"),
                };
                write!(
                    f,
                    "{metric} has values by instance, and with scope = \"{scope}\" it is {what}: write one number"
                )
            }
            Mismatch::UnknownInstance { metric, id, known } => write!(
                f,
                "{metric} has a value of instance {id}, which is not there; there are {}",
                listed(known)
            ),
        }
    }
}

/// `2 values, and there are 3 instances`.
fn values_for(samples: usize, instances: usize) -> String {
    let values = if samples == 1 { "value" } else { "values" };
    let are = match instances {
        1 => "is 1 instance".to_owned(),
        n => format!("are {n} instances"),
    };
    format!("{samples} {values}, and there {are}")
}

fn word(direction: Direction) -> &'static str {
    match direction {
        Direction::In => "in",
        Direction::Hold => "hold",
        Direction::Out => "out",
    }
}

fn listed<T: AsRef<str>>(items: &[T]) -> String {
    const SHOWN: usize = 12;
    let shown: Vec<&str> = items.iter().take(SHOWN).map(AsRef::as_ref).collect();
    match (shown.is_empty(), items.len().saturating_sub(SHOWN)) {
        (true, _) => "none".to_owned(),
        (false, 0) => shown.join(", "),
        (false, more) => format!("{} and {more} more", shown.join(", ")),
    }
}

fn part(part: Option<Capacity>) -> String {
    part.map_or_else(|| "no mix".to_owned(), |part| part.to_string())
}

fn with(values: &[Mentioned]) -> String {
    let said: Vec<String> = values
        .iter()
        .map(|mentioned| match mentioned.value {
            Some(value) => format!("{} is {}", mentioned.name, explain::number(value)),
            None => format!("{} has no data", mentioned.name),
        })
        .collect();
    if said.is_empty() {
        String::new()
    } else {
        format!(": {}", said.join(", "))
    }
}

/// A decision and what it was made from.
pub(super) struct Moment<'a> {
    pub(super) sources: &'a SourceMap,
    pub(super) rules: &'a Rules,
    pub(super) seen: &'a Observation,
    pub(super) decision: &'a Decision,
    pub(super) now: Timestamp,
}

impl Moment<'_> {
    fn failure(&self, what: Mismatch, span: Span) -> Failure {
        Failure {
            what,
            place: Place::of(self.sources, span),
        }
    }
}

/// Samples of instances that are not there: the test does not say what its writer thinks.
pub(super) fn samples(step: &TestStep, seen: &Seen, moment: &Moment<'_>) -> Vec<Failure> {
    seen.misplaced
        .iter()
        .map(|what| moment.failure(what.clone(), step.metrics_span))
        .collect()
}

/// All that a step expects and the decision does not give.
pub(super) fn expectations(step: &TestStep, moment: &Moment<'_>) -> Vec<Failure> {
    step.expectations
        .iter()
        .filter_map(|expectation| {
            let what = mismatch(&expectation.what, moment)?;
            Some(moment.failure(what, expectation.span))
        })
        .collect()
}

fn mismatch(expected: &Expected, moment: &Moment<'_>) -> Option<Mismatch> {
    let decision = moment.decision;
    let desired = decision.desired;
    match expected {
        Expected::Desired(expected) => (*expected != desired).then_some(Mismatch::Desired {
            expected: *expected,
            actual: desired,
        }),
        Expected::AtLeast(expected) => (desired < *expected).then_some(Mismatch::AtLeast {
            expected: *expected,
            actual: desired,
        }),
        Expected::AtMost(expected) => (desired > *expected).then_some(Mismatch::AtMost {
            expected: *expected,
            actual: desired,
        }),
        Expected::Direction(expected) => {
            (*expected != decision.direction).then_some(Mismatch::Direction {
                expected: *expected,
                actual: decision.direction,
            })
        }
        Expected::Ready(expected) => {
            let ready = own_value(moment.rules, moment.seen, OwnValue::Ready, moment.now)?;
            (f64::from(expected.get()) != ready).then_some(Mismatch::Ready {
                expected: *expected,
                // Whole and within a capacity: the engine counts units.
                actual: Capacity(ready as u32),
            })
        }
        Expected::Reason(pattern) => {
            let names = |reason: &Reason| match (&pattern.subject, reason.subject()) {
                (Some(_), Some(subject)) => format!("{}.{subject}", reason.kind()),
                _ => reason.kind().to_owned(),
            };
            let mut actual: Vec<String> = Vec::new();
            for reason in &decision.reasons {
                let name = names(reason);
                if !actual.contains(&name) {
                    actual.push(name);
                }
            }
            let expected = pattern.to_string();
            (!actual.contains(&expected)).then_some(Mismatch::Reason { expected, actual })
        }
        Expected::NoReason(pattern) => {
            let is_meant = |reason: &Reason| {
                reason.kind() == pattern.kind
                    && pattern
                        .subject
                        .as_ref()
                        .is_none_or(|subject| reason.subject() == Some(&**subject))
            };
            let unwanted = decision.reasons.iter().any(is_meant);
            unwanted.then(|| Mismatch::UnwantedReason {
                unwanted: pattern.to_string(),
            })
        }
        Expected::Want { metric, want } => {
            // A later reason of the metric takes the place of an earlier one.
            let mut wants = decision.reasons.iter().rev().filter_map(Reason::want);
            let actual = wants
                .find(|(name, _)| *name == metric)
                .map(|(_, want)| want);
            (actual != *want).then(|| Mismatch::Want {
                metric: metric.clone(),
                expected: *want,
                actual,
            })
        }
        Expected::OnDemand(expected) => {
            let actual = decision.mix.map(|mix| mix.on_demand);
            (actual != Some(*expected)).then_some(Mismatch::OnDemand {
                expected: *expected,
                actual,
            })
        }
        Expected::Spot(expected) => {
            let actual = decision.mix.map(|mix| mix.spot);
            (actual != Some(*expected)).then_some(Mismatch::Spot {
                expected: *expected,
                actual,
            })
        }
        Expected::Victims(expected) => (*expected != decision.victims).then(|| Mismatch::Victims {
            expected: expected.clone(),
            actual: decision.victims.clone(),
        }),
    }
}

/// The conditions of `always` and `never`, and which of them ever had an answer.
pub(super) struct Invariants<'a> {
    always: Vec<(&'a Invariant, bool)>,
    never: Vec<(&'a Invariant, bool)>,
    has_decided: bool,
}

impl<'a> Invariants<'a> {
    pub(super) fn new(test: &'a Test) -> Invariants<'a> {
        let unchecked = |list: &'a [Invariant]| list.iter().map(|one| (one, false)).collect();
        Invariants {
            always: unchecked(&test.always),
            never: unchecked(&test.never),
            has_decided: false,
        }
    }

    /// Those that a decision breaks. A formula without data holds neither way.
    pub(super) fn check(&mut self, moment: &Moment<'_>) -> Vec<Failure> {
        self.has_decided = true;
        let after = After(moment);
        let mut failures = Vec::new();
        let always = self.always.iter_mut().map(|entry| (entry, true));
        let never = self.never.iter_mut().map(|entry| (entry, false));
        for ((invariant, is_checked), should_hold) in always.chain(never) {
            let Some(holds) = invariant.formula.truth(&after) else {
                continue;
            };
            *is_checked = true;
            if holds == should_hold {
                continue;
            }
            let formula = invariant.formula.text.clone();
            let values = mentioned(&invariant.formula, &after);
            let what = if should_hold {
                Mismatch::Always { formula, values }
            } else {
                Mismatch::Never { formula, values }
            };
            failures.push(moment.failure(what, invariant.span));
        }
        failures
    }

    /// Those that had no data after any decision: they cannot fail, and their writer should know.
    pub(super) fn never_checked(&self, sources: &SourceMap) -> Vec<Failure> {
        if !self.has_decided {
            return Vec::new();
        }
        let unchecked = self.always.iter().chain(&self.never);
        unchecked
            .filter(|(_, is_checked)| !is_checked)
            .map(|(invariant, _)| Failure {
                what: Mismatch::NeverChecked {
                    formula: invariant.formula.text.clone(),
                    without_data: invariant
                        .formula
                        .metrics()
                        .iter()
                        .map(|name| format!("metric.{name}"))
                        .collect(),
                },
                place: Place::of(sources, invariant.span),
            })
            .collect()
    }
}

/// The values that a formula mentions.
fn mentioned(formula: &Formula, scope: &dyn FormulaScope) -> Vec<Mentioned> {
    let own = formula.own_values().into_iter().map(|value| Mentioned {
        name: format!("self.{}", value.name()),
        value: scope.own(value),
    });
    let metrics = formula.metrics().into_iter().map(|name| Mentioned {
        value: scope.metric(&name),
        name: format!("metric.{name}"),
    });
    own.chain(metrics).collect()
}

/// The group right after the decision: `self.desired` is what was decided.
struct After<'a>(&'a Moment<'a>);

impl FormulaScope for After<'_> {
    fn metric(&self, name: &str) -> Option<f64> {
        let moment = self.0;
        metric_value(moment.rules, moment.seen, name, moment.now)
    }

    fn own(&self, value: OwnValue) -> Option<f64> {
        let moment = self.0;
        match value {
            OwnValue::Desired => Some(f64::from(moment.decision.desired.get())),
            OwnValue::Ready | OwnValue::Live | OwnValue::Min | OwnValue::Max => {
                own_value(moment.rules, moment.seen, value, moment.now)
            }
        }
    }
}
