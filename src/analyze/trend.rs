//! Slow change: growth over weeks, and a level that has shifted for good.

use jiff::civil::Date;
use serde::Serialize;

use super::hours::{Day, Hours};
use super::{Series, WEEK_S, numbers};

/// Slow change.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Trend {
    /// Growth a week, in percent of the mean: the median over all pairs of equal weekdays.
    pub percent_per_week: f64,
    /// Whether that is more than chance (seasonal Kendall test, 1 %) and at least a tenth of the mean in all.
    pub is_clear: bool,
    /// The mean of the last seven days over that of the first.
    pub last_to_first_week: f64,
    /// A day since which the load is at another level.
    pub shift: Option<Shift>,
}

/// A shift of level.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Shift {
    /// The first day at the new level.
    pub date: Date,
    /// The median of the days before.
    pub before: f64,
    /// The median from then on.
    pub after: f64,
}

pub(super) fn of(series: &Series, hours: &Hours) -> Option<Trend> {
    let week = series.steps_in(WEEK_S)?;
    let values = &series.values;
    if values.len() < 2 * week {
        return None;
    }
    let last_to_first_week = numbers::ratio(
        numbers::mean(&values[values.len() - week..]),
        numbers::mean(&values[..week]),
    );
    let days = hours.days(series.step_s);
    let mean = numbers::mean(values);
    let mut slopes = Vec::new();
    let mut rises = 0.0_f64;
    let mut variance = 0.0_f64;
    for weekday in 0..7 {
        let alike: Vec<f64> = days
            .iter()
            .filter(|day| day.weekday == weekday)
            .map(|day| day.mean)
            .collect();
        let n = alike.len() as f64;
        variance += n * (n - 1.0) * (2.0 * n + 5.0) / 18.0;
        for (early, a) in alike.iter().enumerate() {
            for (late, b) in alike.iter().enumerate().skip(early + 1) {
                slopes.push((b - a) / (late - early) as f64);
                rises += if b > a {
                    1.0
                } else if b < a {
                    -1.0
                } else {
                    0.0
                };
            }
        }
    }
    let slope = numbers::median(&slopes);
    let weeks = values.len() as f64 / week as f64;
    let is_chance = variance <= 0.0 || (rises.abs() - 1.0).max(0.0) / variance.sqrt() < 2.58;
    Some(Trend {
        percent_per_week: 100.0 * numbers::ratio(slope, mean),
        is_clear: !is_chance && (slope * weeks).abs() > 0.1 * mean,
        last_to_first_week,
        shift: shift(&days),
    })
}

/// The day that divides the trace best into two levels, if they are far apart and each is steady.
fn shift(days: &[Day]) -> Option<Shift> {
    const LEAST: usize = 3;
    let means: Vec<f64> = days.iter().map(|day| day.mean).collect();
    let off = |part: &[f64]| {
        let middle = numbers::median(part);
        part.iter().map(|mean| (mean - middle).abs()).sum::<f64>()
    };
    let split = (LEAST..means.len().checked_sub(LEAST)?)
        .map(|split| (split, off(&means[..split]) + off(&means[split..])))
        .min_by(|a, b| a.1.total_cmp(&b.1))?
        .0;
    let (early, late) = means.split_at(split);
    let (before, after) = (numbers::median(early), numbers::median(late));
    let far = before.max(after) > 1.3 * before.min(after);
    let steady = numbers::spread(early).max(numbers::spread(late));
    // A slope is divided in the middle too; but then each half still leans by as much as the halves differ.
    let is_level = (after - before).abs() > 4.0 * steady
        && early.len().min(late.len()) >= LEAST
        && late
            .iter()
            .filter(|mean| (**mean > before) == (after > before))
            .count()
            * 10
            >= late.len() * 9;
    (far && is_level).then(|| Shift {
        date: days[split].date,
        before,
        after,
    })
}
