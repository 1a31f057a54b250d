//! How well the load can be predicted, judged on time that was not looked at.

use std::time::Duration;

use jiff::Timestamp;
use serde::Serialize;

use super::{DAY_S, HOUR_S, Series, WEEK_S, numbers};

/// How far simple predictions were off on the last part of the trace.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Predictability {
    /// Where the part begins that was predicted; only what was before each moment was known.
    pub from: Timestamp,
    /// For each way ahead.
    pub horizons: Vec<Horizon>,
}

/// The errors of predictions so far ahead, in percent: the sum of what they were off over the sum of the load.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Horizon {
    /// How far ahead.
    pub ahead_s: u64,
    /// The load stays as it is now.
    pub naive_percent: f64,
    /// The load is what it was a day before.
    pub day_before_percent: f64,
    /// The load is what it was a week before; nothing where no week before is known.
    pub week_before_percent: Option<f64>,
    /// The mean of the last three days, or weeks where those are better, brought to the level of the last hour.
    pub season_percent: f64,
}

impl Horizon {
    /// The smallest error of those that know days or weeks.
    pub fn best_season_percent(&self) -> f64 {
        self.week_before_percent
            .unwrap_or(f64::INFINITY)
            .min(self.day_before_percent)
            .min(self.season_percent)
    }
}

/// The first step of the part that is held back: the last 30 %, four weeks at most; nothing below three days.
pub(super) fn held_back(series: &Series) -> Option<usize> {
    let steps = series.values.len();
    let day = series.steps_in(DAY_S)?;
    if steps < 3 * day {
        return None;
    }
    Some(steps - (3 * steps / 10).max(day / 2).min(28 * day))
}

/// The load at `at`, predicted `ahead` steps before: the mean of the last seasons, at the level of the last hour.
pub(super) fn season(
    values: &[f64],
    at: usize,
    ahead: usize,
    season: usize,
    hour: usize,
) -> Option<f64> {
    let now = at.checked_sub(ahead)?;
    let level = |end: usize| {
        let from = end.checked_sub(hour)?;
        values.get(from..end).map(numbers::mean)
    };
    let level_now = level(now)?;
    let (mut sum, mut levels, mut count) = (0.0, 0.0, 0);
    // The latest seasons of which the moment itself is known.
    let first = ahead.div_ceil(season).max(1);
    for back in first..first + 3 {
        let Some(then) = at.checked_sub(back * season) else {
            break;
        };
        let Some(level_then) = now.checked_sub(back * season).and_then(level) else {
            break;
        };
        sum += values[then];
        levels += level_then;
        count += 1;
    }
    if count == 0 {
        return None;
    }
    let change = if levels > 0.0 {
        (level_now * f64::from(count) / levels).clamp(0.3, 3.0)
    } else {
        1.0
    };
    Some(sum / f64::from(count) * change)
}

pub(super) fn of(series: &Series, boot: Duration) -> Option<Predictability> {
    let from = held_back(series)?;
    let values = &series.values;
    let day = series.steps_in(DAY_S)?;
    let week = series.steps_in(WEEK_S).filter(|week| from >= 2 * week);
    let hour = (HOUR_S / series.step_s).max(1) as usize;
    let mut all: Vec<u64> = [boot.as_secs(), HOUR_S, DAY_S]
        .iter()
        .map(|ahead| ahead.div_ceil(series.step_s).max(1) * series.step_s)
        .collect();
    all.sort_unstable();
    all.dedup();
    // So many moments tell enough.
    let stride = ((values.len() - from) / 20_000).max(1);
    let error = |predict: &dyn Fn(usize) -> Option<f64>| {
        let (mut off, mut load) = (0.0, 0.0);
        for at in (from..values.len()).step_by(stride) {
            if let Some(predicted) = predict(at) {
                off += (predicted - values[at]).abs();
                load += values[at];
            }
        }
        100.0 * numbers::ratio(off, load)
    };
    let before = |at: usize, season: usize, ahead: usize| {
        let back = ahead.div_ceil(season).max(1) * season;
        at.checked_sub(back).map(|then| values[then])
    };
    let horizons = all
        .iter()
        .map(|ahead_s| {
            let ahead = (ahead_s / series.step_s) as usize;
            let of_days = error(&|at| season(values, at, ahead, day, hour));
            let of_weeks = week.map(|week| error(&|at| season(values, at, ahead, week, hour)));
            Horizon {
                ahead_s: *ahead_s,
                naive_percent: error(&|at| at.checked_sub(ahead).map(|now| values[now])),
                day_before_percent: error(&|at| before(at, day, ahead)),
                week_before_percent: week.map(|week| error(&|at| before(at, week, ahead))),
                season_percent: of_weeks.map_or(of_days, |of_weeks| of_weeks.min(of_days)),
            }
        })
        .collect();
    Some(Predictability {
        from: series.at(from),
        horizons,
    })
}
