//! A load from what was recorded of a group: the samples of its load metric, or utilization times capacity. Pure.
//!
//! A sample is about the period that ends at its time. Where utilization was at its limit the group may have been asked
//! for more than it could carry, so there the load is a lower bound, and marked.

use std::time::Duration;

use jiff::{SignedDuration, Timestamp};

use super::trace::{Problem, Trace};

/// From this utilization on a load that follows from it is a lower bound.
pub const SATURATED_PERCENT: f64 = 95.0;

/// One recorded sample.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Recorded {
    /// The end of what it is about.
    pub at: Timestamp,
    /// How long that was; a roll-up is about more than a period.
    pub length: Duration,
    /// The value.
    pub value: f64,
}

/// From a time on, so many units were live.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Capacity {
    /// Since when.
    pub from: Timestamp,
    /// How many.
    pub units: u32,
}

/// Why a record is no load.
#[derive(Clone, Debug, PartialEq, thiserror::Error)]
pub enum HistoryError {
    /// There is no sample.
    #[error("nothing was recorded of the group's load in that time")]
    Empty,
    /// There are samples of utilization, and nobody knows how many instances there were.
    #[error("nothing was recorded of the group's capacity in that time")]
    NoCapacity,
    /// The samples make no trace.
    #[error(transparent)]
    Trace(#[from] Problem),
}

/// The load that was recorded itself, as a rate: samples oldest first, a step of so long.
///
/// A step without a sample has the value of the one before, and is counted as filled.
///
/// # Errors
/// [`HistoryError`].
pub fn of_load(samples: &[Recorded], step: Duration) -> Result<Trace, HistoryError> {
    laid_out(
        samples.iter().map(|sample| (*sample, sample.value, false)),
        step,
    )
}

/// The load that a utilization was of: `value / 100 x units x throughput`, in a step of so long. Both oldest first.
///
/// # Errors
/// [`HistoryError`].
pub fn of_utilization(
    samples: &[Recorded],
    capacity: &[Capacity],
    throughput: f64,
    step: Duration,
) -> Result<Trace, HistoryError> {
    if capacity.is_empty() {
        return Err(HistoryError::NoCapacity);
    }
    let loads = samples.iter().map(|sample| {
        // What a sample is about began before its end: the capacity then.
        let began = earlier(sample.at, sample.length);
        let place = capacity.partition_point(|of| of.from <= began);
        let units = capacity
            .get(place.saturating_sub(1))
            .map_or(0, |of| of.units);
        let load = sample.value / 100.0 * f64::from(units) * throughput;
        (*sample, load, sample.value >= SATURATED_PERCENT)
    });
    laid_out(loads, step)
}

fn earlier(at: Timestamp, by: Duration) -> Timestamp {
    SignedDuration::try_from(by)
        .ok()
        .and_then(|by| at.checked_sub(by).ok())
        .unwrap_or(Timestamp::MIN)
}

/// Lays samples out on a grid that the first of them begins.
fn laid_out(
    samples: impl Iterator<Item = (Recorded, f64, bool)>,
    step: Duration,
) -> Result<Trace, HistoryError> {
    let step_s = i64::try_from(step.as_secs()).unwrap_or(i64::MAX).max(1);
    let mut start = None;
    let mut values: Vec<f64> = Vec::new();
    let (mut marks, mut filled) = (Vec::new(), 0);
    for (sample, load, is_bound) in samples {
        let load = if load.is_finite() {
            load.max(0.0)
        } else {
            continue;
        };
        let began = earlier(sample.at, sample.length.max(step)).as_second();
        let start = *start.get_or_insert(began);
        let index = |at: i64| usize::try_from((at - start) / step_s).unwrap_or(0);
        let (first, end) = (index(began), index(sample.at.as_second()));
        if let Some(last) = values.last().copied()
            && first > values.len()
        {
            filled += first - values.len();
            values.resize(first, last);
        }
        for place in values.len()..end {
            values.push(load);
            if is_bound {
                marks.extend(u32::try_from(place));
            }
        }
    }
    let start = start.ok_or(HistoryError::Empty)?;
    let start = Timestamp::from_second(start).map_err(|_| HistoryError::Empty)?;
    if values.is_empty() {
        return Err(HistoryError::Empty);
    }
    let trace = Trace::new(start, step, values)?;
    Ok(trace.with_lower_bounds(marks).with_filled(filled))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn minute(n: i64) -> Timestamp {
        Timestamp::from_second(1_767_614_400 + 60 * n).unwrap_or_default()
    }

    fn samples(all: &[(i64, u64, f64)]) -> Vec<Recorded> {
        let sample = |(at, minutes, value): &(i64, u64, f64)| Recorded {
            at: minute(*at),
            length: Duration::from_secs(60 * minutes),
            value: *value,
        };
        all.iter().map(sample).collect()
    }

    const STEP: Duration = Duration::from_secs(60);

    #[test]
    fn samples_lie_where_their_periods_are_and_gaps_are_counted() -> Result<(), HistoryError> {
        // A roll-up of five minutes, three samples, two minutes of nothing, a sample.
        let recorded = samples(&[(5, 5, 10.0), (6, 1, 20.0), (7, 1, 30.0), (10, 1, 40.0)]);
        let trace = of_load(&recorded, STEP)?;
        assert_eq!(trace.start(), minute(0));
        assert_eq!(
            trace.values(),
            [10.0, 10.0, 10.0, 10.0, 10.0, 20.0, 30.0, 30.0, 30.0, 40.0]
        );
        assert_eq!(trace.filled(), 2);
        assert!(trace.lower_bounds().is_empty());
        Ok(())
    }

    #[test]
    fn utilization_times_capacity_is_a_lower_bound_where_it_was_saturated()
    -> Result<(), HistoryError> {
        let capacity = [(0, 2), (2, 4)].map(|(from, units)| Capacity {
            from: minute(from),
            units,
        });
        let recorded = samples(&[(1, 1, 50.0), (2, 1, 95.0), (3, 1, 94.9), (4, 1, 100.0)]);
        let trace = of_utilization(&recorded, &capacity, 10.0, STEP)?;
        let rounded: Vec<f64> = trace
            .values()
            .iter()
            .map(|v| (v * 1e6).round() / 1e6)
            .collect();
        assert_eq!(rounded, [10.0, 19.0, 37.96, 40.0]);
        assert_eq!(trace.lower_bounds(), [1, 3]);
        Ok(())
    }

    #[test]
    fn nothing_recorded_is_said_so() {
        assert_eq!(of_load(&[], STEP).err(), Some(HistoryError::Empty));
        let recorded = samples(&[(1, 1, 50.0)]);
        let none = of_utilization(&recorded, &[], 10.0, STEP);
        assert_eq!(none.err(), Some(HistoryError::NoCapacity));
    }
}
