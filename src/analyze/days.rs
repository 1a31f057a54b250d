//! Days unlike their like, and times without load where there should be some.

use jiff::civil::Date;
use serde::Serialize;

use super::hours::Hours;
use super::{HOUR_S, numbers};

/// Something out of the ordinary.
#[derive(Clone, Debug, PartialEq, Serialize)]
#[serde(tag = "kind", rename_all = "snake_case")]
pub enum Anomaly {
    /// A day far from the days it should be like.
    Day {
        /// Which.
        date: Date,
        /// Its mean load.
        mean: f64,
        /// The median of the days that it should be like.
        expected: f64,
    },
    /// Hours with hardly any load.
    Silence {
        /// On which day they begin.
        date: Date,
        /// At which hour.
        hour: u8,
        /// How many hours.
        hours: usize,
    },
}

impl Anomaly {
    fn date(&self) -> Date {
        match self {
            Anomaly::Day { date, .. } | Anomaly::Silence { date, .. } => *date,
        }
    }
}

/// Silence is out of the ordinary where it is at most one hour in so many.
const MOST_SILENT: usize = 50;

/// A day is compared with the same weekday this many weeks around.
const WEEKS: usize = 4;

pub(super) fn of(hours: &Hours) -> Vec<Anomaly> {
    let mut all = days(hours);
    all.extend(silences(hours));
    all.sort_by_key(Anomaly::date);
    all
}

fn days(hours: &Hours) -> Vec<Anomaly> {
    let days = hours.days(HOUR_S);
    if days.len() < 14 {
        return Vec::new();
    }
    let expected: Vec<f64> = (0..days.len())
        .map(|at| {
            let others = |apart: usize, every: usize| {
                let near = |other: usize| {
                    other != at
                        && other.abs_diff(at) <= apart
                        && other.abs_diff(at).is_multiple_of(every)
                };
                (0..days.len())
                    .filter(|other| near(*other))
                    .map(|other| days[other].mean)
                    .collect::<Vec<f64>>()
            };
            let alike = others(7 * WEEKS, 7);
            numbers::median(&if alike.len() >= 3 {
                alike
            } else {
                others(7, 1)
            })
        })
        .collect();
    let logs: Vec<f64> = days
        .iter()
        .zip(&expected)
        .map(|(day, expected)| (numbers::ratio(day.mean, *expected).max(1e-3)).ln())
        .collect();
    let usual = numbers::spread(&logs).max(0.02);
    days.iter()
        .zip(expected)
        .zip(logs)
        .filter(|((_, expected), log)| {
            *expected > 0.0 && log.abs() > 4.0 * usual && !(0.75..=1.33).contains(&log.exp())
        })
        .map(|((day, expected), _)| Anomaly::Day {
            date: day.date,
            mean: day.mean,
            expected,
        })
        .collect()
}

/// Hours with less than a tenth of the load of the same hour of other days, where that is much.
fn silences(hours: &Hours) -> Vec<Anomaly> {
    let mut by_hour: Vec<Vec<f64>> = vec![Vec::new(); 24];
    for cell in hours.cells.iter().filter(|cell| cell.is_whole) {
        if let Some(alike) = by_hour.get_mut(usize::from(cell.hour)) {
            alike.push(cell.mean);
        }
    }
    let expected: Vec<f64> = by_hour.iter().map(|alike| numbers::median(alike)).collect();
    let mean = numbers::mean(&expected);
    let is_silent = |cell: &super::hours::Cell| {
        let expected = expected.get(usize::from(cell.hour)).copied().unwrap_or(0.0);
        cell.is_whole && expected > 0.3 * mean && cell.mean < 0.1 * expected
    };
    let silent = hours.cells.iter().filter(|cell| is_silent(cell)).count();
    // Where that is nothing special, the load comes and goes by itself.
    if silent * MOST_SILENT > hours.cells.len() {
        return Vec::new();
    }
    hours
        .cells
        .chunk_by(|a, b| is_silent(a) == is_silent(b))
        .filter_map(|run| {
            let first = run.first().filter(|cell| is_silent(cell))?;
            Some(Anomaly::Silence {
                date: first.date,
                hour: first.hour,
                hours: run.len(),
            })
        })
        .collect()
}
