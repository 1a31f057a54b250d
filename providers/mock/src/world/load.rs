//! Where load comes from: a trace or a formula, laid over the world's time.

use std::time::Duration;

use serde::{Deserialize, Serialize};

use super::formula::LoadFormula;
use super::moment::{Moment, millis};
use super::random;
use super::trace::Trace;

/// What happens with load that cannot be served at once.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum LoadKind {
    /// Requests: what is not served is dropped.
    #[default]
    Request,
    /// Jobs: what is not served waits in a queue.
    Queue,
}

/// How a trace lies over the world's time.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Align {
    /// The trace's first row is the world's start.
    #[default]
    Start,
    /// By time of week: whole weeks of the trace are repeated so that weekday and hour (UTC) agree; a trace shorter
    /// than a week by time of day.
    Clock,
    /// The trace's own times: the world must be started within them.
    Exact,
}

/// The shape of a load over time.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Shape {
    /// Nothing ever arrives.
    None,
    /// As recorded.
    Trace {
        /// The record.
        trace: std::sync::Arc<Trace>,
        /// How it lies over the world's time.
        align: Align,
        /// Begins anew at its end; else there is no load after it.
        repeat: bool,
        /// Where in the trace the world starts; moves it ahead.
        #[serde(with = "crate::lenient::duration")]
        offset: Duration,
    },
    /// Always the same.
    Constant(f64),
    /// As computed.
    Formula(LoadFormula),
}

impl Shape {
    /// Its mean over `[from, to)` in a world that started at `start`; a formula's value at `from`, finite or not.
    pub fn value(&self, start: Moment, from: Moment, to: Moment) -> f64 {
        match self {
            Shape::None => 0.0,
            Shape::Constant(value) => *value,
            Shape::Formula(formula) => formula.value(start, from),
            Shape::Trace {
                trace,
                align,
                repeat,
                offset,
            } => trace_value(trace, *align, *repeat, millis(*offset), start, from, to),
        }
    }
}

/// A load: arrivals per second as a function of time.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Load {
    /// What happens with what is not served.
    pub kind: LoadKind,
    /// Its shape.
    pub shape: Shape,
    /// Multiplies it; finite and not negative.
    pub scale: f64,
    /// Spreads each step evenly by so much around its value: `0.1` is 10 % to either side.
    pub noise: f64,
    /// Another name of its rate as a metric, beside `requests`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub metric: Option<String>,
    /// What the noise is drawn for; two loads with the same key have the same noise.
    pub key: u64,
}

impl Load {
    /// A load that never arrives.
    pub fn none() -> Load {
        Load {
            kind: LoadKind::Request,
            shape: Shape::None,
            scale: 1.0,
            noise: 0.0,
            metric: None,
            key: 0,
        }
    }

    /// A load by a formula.
    ///
    /// # Errors
    /// What is wrong with the formula, as [`LoadFormula::parse`] says it.
    pub fn formula(kind: LoadKind, text: &str) -> Result<Load, String> {
        Ok(Load {
            kind,
            shape: Shape::Formula(LoadFormula::parse(text)?),
            ..Load::none()
        })
    }

    /// A load as recorded, from the world's start and over again.
    pub fn trace(kind: LoadKind, trace: Trace) -> Load {
        Load {
            kind,
            shape: Shape::Trace {
                trace: trace.into(),
                align: Align::Start,
                repeat: true,
                offset: Duration::ZERO,
            },
            ..Load::none()
        }
    }

    /// Mean arrivals per second over `[from, to)` in a world that started at `start`; `step` is drawn for.
    pub fn rate(&self, seed: u64, start: Moment, step: i64, from: Moment, to: Moment) -> f64 {
        let rate = self.shape.value(start, from, to) * self.scale;
        // What is negative or not finite is no load.
        if !rate.is_finite() || rate <= 0.0 {
            return 0.0;
        }
        if self.noise == 0.0 {
            return rate;
        }
        let draw = random::unit(seed, &[random::key("noise"), self.key, step as u64]);
        rate * (1.0 + self.noise * (2.0 * draw - 1.0))
    }
}

const DAY_MS: i64 = 86_400_000;

fn trace_value(
    trace: &Trace,
    align: Align,
    repeat: bool,
    offset: i64,
    start: Moment,
    from: Moment,
    to: Moment,
) -> f64 {
    let zero = match align {
        Align::Start => start,
        Align::Clock | Align::Exact => trace.first(),
    };
    let position = from.0 - zero.0 + offset;
    let length = to.0 - from.0;
    let cycle = match align {
        // A cycle that is no whole number of weeks or days would move the hours.
        Align::Clock => whole(trace.length_ms(), 7 * DAY_MS)
            .or_else(|| whole(trace.length_ms(), DAY_MS))
            .unwrap_or(trace.length_ms()),
        Align::Start | Align::Exact => trace.length_ms(),
    };
    if !repeat && align != Align::Clock {
        return trace.mean(position, position + length);
    }
    let position = position.rem_euclid(cycle.max(1));
    let end = position + length;
    if end <= cycle {
        return trace.mean(position, end);
    }
    // The step reaches over the end of the record: whole rounds, then the beginning again.
    let per_round = trace.integral(cycle);
    let rounds = end / cycle;
    let sum = rounds as f64 * per_round + trace.integral(end % cycle) - trace.integral(position);
    sum * 1000.0 / length.max(1) as f64
}

fn whole(length: i64, unit: i64) -> Option<i64> {
    (length >= unit).then(|| length - length % unit)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::world::trace::Per;

    const HOUR: i64 = 3_600_000;
    const MINUTE: i64 = 60_000;

    fn at(load: &Load, start: i64, from: i64) -> f64 {
        load.rate(1, Moment(start), 0, Moment(from), Moment(from + MINUTE))
    }

    /// Rows an hour apart that count the hours, from a Monday at midnight.
    fn hours(n: i64) -> Result<Trace, String> {
        let monday = 1_767_571_200_000;
        let times: Vec<i64> = (0..n).map(|hour| monday + hour * HOUR).collect();
        Trace::from_rows(
            &times,
            (0..n).map(|hour| hour as f64).collect(),
            Per::Second,
        )
    }

    fn traced(align: Align, repeat: bool, offset: Duration, rows: i64) -> Result<Load, String> {
        Ok(Load {
            shape: Shape::Trace {
                trace: hours(rows)?.into(),
                align,
                repeat,
                offset,
            },
            ..Load::none()
        })
    }

    #[test]
    fn from_the_start_the_first_row_is_the_worlds_start() -> Result<(), String> {
        let start = 1_000_000_020_000;
        let load = traced(Align::Start, true, Duration::ZERO, 10)?;
        assert_eq!(at(&load, start, start), 0.0);
        assert_eq!(at(&load, start, start + 3 * HOUR), 3.0);
        assert_eq!(at(&load, start, start + 13 * HOUR), 3.0);
        let once = traced(Align::Start, false, Duration::ZERO, 10)?;
        assert_eq!(at(&once, start, start + 13 * HOUR), 0.0);
        let later = traced(Align::Start, true, Duration::from_secs(7_200), 10)?;
        assert_eq!(at(&later, start, start), 2.0);
        Ok(())
    }

    #[test]
    fn by_the_clock_hour_and_weekday_agree() -> Result<(), String> {
        // Nine days of record: one whole week is repeated.
        let load = traced(Align::Clock, true, Duration::ZERO, 9 * 24)?;
        let wednesday_noon = 1_767_571_200_000 + 30 * 7 * DAY_MS + 2 * DAY_MS + 12 * HOUR;
        assert_eq!(at(&load, 0, wednesday_noon), 60.0);
        // Thirty hours: one whole day.
        let day = traced(Align::Clock, true, Duration::ZERO, 30)?;
        assert_eq!(at(&day, 0, wednesday_noon), 12.0);
        Ok(())
    }

    #[test]
    fn a_step_over_the_end_of_a_repeated_trace_keeps_its_load() -> Result<(), String> {
        let load = traced(Align::Start, true, Duration::ZERO, 3)?;
        let day = load.rate(1, Moment(0), 0, Moment(0), Moment(DAY_MS));
        assert!((day - 1.0).abs() < 1e-9, "{day}");
        Ok(())
    }

    #[test]
    fn what_is_negative_or_not_finite_is_no_load() -> Result<(), String> {
        for text in ["-5", "1 / 0", "0 / 0", "sqrt(-1)", "log(0)", "5 % 0"] {
            assert_eq!(
                at(&Load::formula(LoadKind::Request, text)?, 0, 0),
                0.0,
                "{text}"
            );
        }
        Ok(())
    }

    #[test]
    fn noise_is_the_same_for_the_same_seed_and_bounded() -> Result<(), String> {
        let mut load = Load::formula(LoadKind::Request, "100")?;
        load.noise = 0.1;
        for step in 0..100 {
            let rate = |seed| load.rate(seed, Moment(0), step, Moment(0), Moment(MINUTE));
            assert!((90.0..=110.0).contains(&rate(1)));
            assert_eq!(rate(1), rate(1));
            assert_ne!(rate(1), rate(2));
        }
        Ok(())
    }
}
