//! The shape of a day and of a week, and how much of the load they explain.

use serde::Serialize;

use super::hours::{Cell, Hours};
use super::{DAY_S, Series, WEEK_S, numbers};

/// Pearson's correlation of the load with itself.
#[derive(Clone, Copy, Debug, PartialEq, Serialize)]
pub struct Autocorrelation {
    /// With that of a day earlier; nothing where the trace is shorter, or always the same.
    pub day: Option<f64>,
    /// With that of a week earlier.
    pub week: Option<f64>,
}

/// The shape of a day.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Daily {
    /// The share of the variance that the same hour of other days explains, 0 to 1. Noise explains nothing.
    pub strength: f64,
    /// The mean load of each local hour; nothing for an hour that the trace never shows.
    pub hours: Vec<Option<f64>>,
    /// The hour of the largest mean.
    pub peak_hour: u8,
    /// The hour of the smallest.
    pub quiet_hour: u8,
}

/// The shape of a week.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Weekly {
    /// As for the day, of the same hour of the same weekday of other weeks.
    pub strength: f64,
    /// What that explains beyond the shape of the day.
    pub gain: f64,
    /// The mean load of each weekday, Monday first.
    pub weekdays: [Option<f64>; 7],
}

pub(super) fn autocorrelation(series: &Series) -> Autocorrelation {
    let with = |season| {
        let lag = series.steps_in(season)?;
        numbers::autocorrelation(&series.values, lag)
    };
    Autocorrelation {
        day: with(DAY_S),
        week: with(WEEK_S),
    }
}

pub(super) fn daily(series: &Series, hours: &Hours) -> Option<Daily> {
    if series.step_s * series.values.len() as u64 + series.step_s < 2 * DAY_S {
        return None;
    }
    let shape = |hour: usize| {
        let means: Vec<f64> = hours
            .cells
            .iter()
            .filter(|cell| cell.is_whole && usize::from(cell.hour) == hour)
            .map(|cell| cell.mean)
            .collect();
        (!means.is_empty()).then(|| numbers::mean(&means))
    };
    let shape: Vec<Option<f64>> = (0..24).map(shape).collect();
    let known = || {
        shape
            .iter()
            .enumerate()
            .filter_map(|(hour, mean)| mean.map(|mean| (hour as u8, mean)))
    };
    let peak = known().max_by(|a, b| a.1.total_cmp(&b.1))?;
    let quiet = known().min_by(|a, b| a.1.total_cmp(&b.1))?;
    Some(Daily {
        strength: strength(hours, 24, |cell| usize::from(cell.hour)),
        peak_hour: peak.0,
        quiet_hour: quiet.0,
        hours: shape,
    })
}

pub(super) fn weekly(series: &Series, hours: &Hours, daily: Option<&Daily>) -> Option<Weekly> {
    let length = series.step_s * series.values.len() as u64;
    // Two hours may be missing: a trace of two weeks often stops short of them.
    if length + 2 * 3600 < 2 * WEEK_S {
        return None;
    }
    let mut weekdays = [None; 7];
    for (weekday, place) in weekdays.iter_mut().enumerate() {
        let means: Vec<f64> = hours
            .cells
            .iter()
            .filter(|cell| cell.is_whole && usize::from(cell.weekday) == weekday)
            .map(|cell| cell.mean)
            .collect();
        *place = (!means.is_empty()).then(|| numbers::mean(&means));
    }
    let strength = strength(hours, 168, |cell| {
        usize::from(cell.weekday) * 24 + usize::from(cell.hour)
    });
    Some(Weekly {
        strength,
        gain: (strength - daily.map_or(0.0, |daily| daily.strength)).max(0.0),
        weekdays,
    })
}

/// The share of the variance that cells of the same phase explain, each foretold by the others of its phase alone.
///
/// Load is taken relative to its mean around, so that a trend hides nothing, and cut at its 99th
/// percentile, so that one spike does not decide.
fn strength(hours: &Hours, phases: usize, phase: impl Fn(&Cell) -> usize) -> f64 {
    let cells: Vec<&Cell> = hours.cells.iter().filter(|cell| cell.is_whole).collect();
    let means: Vec<f64> = cells.iter().map(|cell| cell.mean).collect();
    let cut = numbers::quantile(&numbers::sorted(&means), 0.99);
    let values: Vec<f64> = means.iter().map(|value| value.min(cut)).collect();
    let level = level(&values);
    let values: Vec<f64> = values
        .iter()
        .zip(&level)
        .map(|(value, level)| numbers::ratio(*value, *level))
        .collect();
    let mut sums = vec![(0.0, 0_usize); phases];
    for (cell, value) in cells.iter().zip(&values) {
        if let Some((sum, count)) = sums.get_mut(phase(cell)) {
            *sum += value;
            *count += 1;
        }
    }
    let mean = numbers::mean(&values);
    let (mut left, mut all) = (0.0, 0.0);
    for (cell, value) in cells.iter().zip(&values) {
        let Some((sum, count)) = sums.get(phase(cell)).filter(|(_, count)| *count > 1) else {
            continue;
        };
        let foretold = (sum - value) / (*count - 1) as f64;
        left += (value - foretold) * (value - foretold);
        all += (value - mean) * (value - mean);
    }
    if all > 0.0 {
        (1.0 - left / all).max(0.0)
    } else {
        0.0
    }
}

/// The mean around each hour: over a week, or over a day where the trace is shorter than three weeks.
fn level(values: &[f64]) -> Vec<f64> {
    const DAY: usize = 24;
    const WEEK: usize = 7 * DAY;
    let around = if values.len() >= 3 * WEEK { WEEK } else { DAY };
    if values.len() < around {
        return vec![numbers::mean(values); values.len()];
    }
    let mut sum = 0.0;
    let sums: Vec<f64> = std::iter::once(0.0)
        .chain(values.iter().map(|value| {
            sum += value;
            sum
        }))
        .collect();
    (0..values.len())
        .map(|at| {
            // As much also at the ends.
            let from = at.saturating_sub(around / 2).min(values.len() - around);
            (sums[from + around] - sums[from]) / around as f64
        })
        .collect()
}
