//! Load over time: a regular series of rates, read from CSV.
//!
//! A value stands for its whole step, `[time, time + step)`, and is a rate in the unit of `throughput`; counts a step
//! are divided on reading ([`Per::Step`]). Nothing is guessed: a step that is missing is an error, unless the caller
//! says what stands in for it ([`Gaps`]), and then it is counted.

mod read;
#[cfg(test)]
mod tests;
mod time;

use std::time::Duration;

use jiff::{SignedDuration, Timestamp};

pub use read::{Head, Reader};
pub use tideform_mock::world::trace::Per;

/// The longest step of a trace.
pub const LONGEST_STEP: Duration = Duration::from_secs(86_400);

/// What stands in for steps that are not in the file, and for rows without a value.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Gaps {
    /// Nothing: they are an error.
    #[default]
    Refuse,
    /// No load; right for counts that leave out what is 0.
    Zero,
    /// The value before.
    Hold,
}

/// How a file is to be read.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Reading {
    /// What its values count.
    pub per: Per,
    /// What stands in for what is missing.
    pub gaps: Gaps,
}

/// Load over time: one rate for each step. Invariants: at least one value, all finite and not negative; the step is
/// whole seconds, from 1 s to [`LONGEST_STEP`]; the end can be said as a time.
#[derive(Clone, Debug, PartialEq)]
pub struct Trace {
    start: Timestamp,
    step: Duration,
    values: Vec<f64>,
    filled: usize,
    lower_bounds: Vec<u32>,
}

/// Why a series is no trace, and where.
#[derive(Clone, Debug, PartialEq, thiserror::Error)]
#[error("line {line}: {problem}")]
pub struct TraceError {
    /// Counted from 1.
    pub line: u64,
    /// What is wrong there.
    pub problem: Problem,
}

/// What is wrong with a series.
#[derive(Clone, Debug, PartialEq, thiserror::Error)]
pub enum Problem {
    /// The first line is another.
    #[error("the first line must be `timestamp,value`, found `{0}`")]
    Header(String),
    /// A line is no row.
    #[error("expected `timestamp,value`, found `{0}`")]
    Row(String),
    /// An empty line with rows after it.
    #[error("an empty line between rows")]
    EmptyLine,
    /// The time cannot be read.
    #[error("`{0}` is no RFC 3339 time such as 2026-01-31T08:00:00Z")]
    Time(String),
    /// The time lies between seconds.
    #[error("`{0}` lies between whole seconds; the shortest step is 1s")]
    Fraction(String),
    /// The value cannot be read.
    #[error("`{0}` is no number")]
    Value(String),
    /// A row without a value.
    #[error("no value for {0}; say what stands for it: `--gaps zero` or `--gaps hold`")]
    NoValue(Timestamp),
    /// Load below 0.
    #[error("the load {0} is negative")]
    Negative(f64),
    /// A time that is not later than the one before.
    #[error("the time {found} is not after {before}, the row before it")]
    Disorder {
        /// The row's.
        found: Timestamp,
        /// The row's before it.
        before: Timestamp,
    },
    /// Steps are missing.
    #[error(
        "{missing} {} missing before {found}: the row before is of {before}, and a step is {step}; say what stands \
         for them: `--gaps zero` or `--gaps hold`",
        if *missing == 1 { "step is" } else { "steps are" }
    )]
    Gap {
        /// How many.
        missing: u64,
        /// The time after them.
        found: Timestamp,
        /// The time before them.
        before: Timestamp,
        /// The step, for people.
        step: String,
    },
    /// A time off the grid that the first two rows make.
    #[error(
        "the time {found} is {distance} after the row before it, and the first two rows are {step} apart"
    )]
    Irregular {
        /// The row's.
        found: Timestamp,
        /// From the row before, for people.
        distance: String,
        /// The step, for people.
        step: String,
    },
    /// A step that is too long, or none.
    #[error("a step of {0}; it must be whole seconds, from 1s to 1d")]
    Step(String),
    /// A single row, so that its length is not known.
    #[error("a trace needs at least two rows, to know how long one lasts")]
    OneRow,
    /// No row at all.
    #[error("a trace needs rows")]
    Empty,
    /// Filling the gaps would make more steps than fit.
    #[error("too many steps")]
    TooLong,
}

impl Trace {
    /// A trace of these rates, the first of them at `start`.
    ///
    /// # Errors
    /// [`Problem`]: what the invariants forbid.
    pub fn new(start: Timestamp, step: Duration, values: Vec<f64>) -> Result<Trace, Problem> {
        match values
            .iter()
            .find(|value| !(value.is_finite() && **value >= 0.0))
        {
            Some(value) if value.is_finite() => Err(Problem::Negative(*value)),
            Some(value) => Err(Problem::Value(value.to_string())),
            None => Trace::of_checked(start, step, values),
        }
    }

    /// The same of values that are known to be finite and not negative.
    fn of_checked(start: Timestamp, step: Duration, values: Vec<f64>) -> Result<Trace, Problem> {
        if values.is_empty() {
            return Err(Problem::Empty);
        }
        if step.subsec_nanos() != 0 || step.is_zero() || step > LONGEST_STEP {
            return Err(Problem::Step(format!("{}s", step.as_secs_f64())));
        }
        if u32::try_from(values.len()).is_err() {
            return Err(Problem::TooLong);
        }
        let length = SignedDuration::from_secs(step.as_secs() as i64 * values.len() as i64);
        if start.checked_add(length).is_err() {
            return Err(Problem::TooLong);
        }
        Ok(Trace {
            start,
            step,
            values,
            filled: 0,
            lower_bounds: Vec::new(),
        })
    }

    /// Reads CSV text: a header `timestamp,value`, then a row for each step in the order of time. Times are RFC 3339 and
    /// say when a step begins; the first two rows say how long it is.
    ///
    /// Costs some nanoseconds a row where times are written as `2026-01-31T08:00:00Z`.
    ///
    /// # Errors
    /// [`TraceError`] for the first line that is wrong.
    pub fn parse(text: &[u8], reading: Reading) -> Result<Trace, TraceError> {
        let mut reader = Reader::new(reading);
        // Rows have 25 bytes or so; more room than needed is given back by nobody, so guess low.
        let mut values = Vec::with_capacity(text.len() / 32);
        reader.feed(text, &mut values)?;
        reader.trace(values)
    }

    /// When the first step begins.
    pub fn start(&self) -> Timestamp {
        self.start
    }

    /// How long one step is.
    pub fn step(&self) -> Duration {
        self.step
    }

    /// The rate in each step.
    pub fn values(&self) -> &[f64] {
        &self.values
    }

    /// When a step begins; of the number of values, when the trace ends.
    pub fn at(&self, index: usize) -> Timestamp {
        let seconds = self.step.as_secs() as i64 * index.min(self.values.len()) as i64;
        self.start + SignedDuration::from_secs(seconds)
    }

    /// When the last step ends.
    pub fn end(&self) -> Timestamp {
        self.at(self.values.len())
    }

    /// How long it is.
    pub fn length(&self) -> Duration {
        Duration::from_secs(self.step.as_secs() * self.values.len() as u64)
    }

    /// How many steps were not in the file, and were filled in.
    pub fn filled(&self) -> usize {
        self.filled
    }

    /// The steps whose value is a lower bound of the load: where it was recorded, the group was at its limit.
    pub fn lower_bounds(&self) -> &[u32] {
        &self.lower_bounds
    }

    /// Says how many steps were filled in.
    #[must_use]
    pub fn with_filled(mut self, filled: usize) -> Trace {
        self.filled = filled;
        self
    }

    /// Marks steps whose value is a lower bound; others than those that exist are left out.
    #[must_use]
    pub fn with_lower_bounds(mut self, mut steps: Vec<u32>) -> Trace {
        steps.retain(|step| (*step as usize) < self.values.len());
        steps.sort_unstable();
        steps.dedup();
        self.lower_bounds = steps;
        self
    }

    /// The steps that begin in `[from, to)`; `None` where there are none.
    pub fn between(&self, from: Option<Timestamp>, to: Option<Timestamp>) -> Option<Trace> {
        let step = self.step.as_secs() as i64;
        let index = |at: Timestamp| {
            let nanoseconds = (at.as_nanosecond() - self.start.as_nanosecond()).max(0);
            let index = nanoseconds.div_euclid(i128::from(step) * 1_000_000_000)
                + i128::from(nanoseconds % (i128::from(step) * 1_000_000_000) != 0);
            usize::try_from(index)
                .unwrap_or(usize::MAX)
                .min(self.values.len())
        };
        let (first, end) = (from.map_or(0, index), to.map_or(self.values.len(), index));
        let values = self
            .values
            .get(first..end)
            .filter(|values| !values.is_empty())?;
        let marks = self.lower_bounds.iter().map(|mark| *mark as usize);
        let marks = marks.filter(|mark| (first..end).contains(mark));
        Some(Trace {
            start: self.at(first),
            step: self.step,
            values: values.to_vec(),
            filled: self.filled,
            lower_bounds: marks
                .filter_map(|mark| u32::try_from(mark - first).ok())
                .collect(),
        })
    }
}
