//! Busy times of the day, as the windows of a schedule.

use std::ops::Range;

use serde::Serialize;

use super::hours::{Cell, Hours};
use super::numbers;

/// The days that a window opens on.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Days {
    /// Every day.
    All,
    /// Monday to Friday.
    Workdays,
    /// Saturday and Sunday.
    Weekend,
}

impl Days {
    /// The field of a cron expression.
    pub fn cron(self) -> &'static str {
        match self {
            Days::All => "*",
            Days::Workdays => "MON-FRI",
            Days::Weekend => "SAT,SUN",
        }
    }

    fn has(self, weekday: u8) -> bool {
        match self {
            Days::All => true,
            Days::Workdays => weekday < 5,
            Days::Weekend => weekday >= 5,
        }
    }
}

/// A busy time.
#[derive(Clone, Copy, Debug, PartialEq, Serialize)]
pub struct Window {
    /// On which days it opens.
    pub days: Days,
    /// The local hour at which it opens.
    pub from_hour: u8,
    /// How many hours it is open.
    pub hours: u8,
    /// The load that it needs: of the medians of its hours, the smallest.
    pub load: f64,
}

impl Window {
    pub(super) fn holds(&self, cell: &Cell) -> bool {
        let since = (i32::from(cell.hour) - i32::from(self.from_hour)).rem_euclid(24);
        let yesterday = cell.hour < self.from_hour;
        let opened = if yesterday {
            (cell.weekday + 6) % 7
        } else {
            cell.weekday
        };
        since < i32::from(self.hours) && self.days.has(opened)
    }
}

/// The busy times of these hours: the two levels that divide the day best, for workdays and weekends if those differ.
pub(super) fn of(hours: &Hours, cells: Range<usize>, by_weekday: bool) -> Vec<Window> {
    let kinds: &[Days] = if by_weekday {
        &[Days::Workdays, Days::Weekend]
    } else {
        &[Days::All]
    };
    let cells = hours.cells.get(cells).unwrap_or_default();
    let windows: Vec<Window> = kinds
        .iter()
        .flat_map(|days| {
            let medians: Vec<f64> = (0..24)
                .map(|hour| {
                    let alike: Vec<f64> = cells
                        .iter()
                        .filter(|cell| cell.hour == hour && days.has(cell.weekday))
                        .map(|cell| cell.mean)
                        .collect();
                    numbers::median(&alike)
                })
                .collect();
            busy(&medians, *days)
        })
        .collect();
    // The same window on all days is one.
    match windows.as_slice() {
        [a, b]
            if (a.from_hour, a.hours) == (b.from_hour, b.hours)
                && a.load.max(b.load) < 1.15 * a.load.min(b.load) =>
        {
            vec![Window {
                days: Days::All,
                load: a.load.min(b.load),
                ..*a
            }]
        }
        _ => windows,
    }
}

fn busy(medians: &[f64], days: Days) -> Vec<Window> {
    let sorted = numbers::sorted(medians);
    let between = |split: usize| {
        let (low, high) = sorted.split_at(split);
        let apart = numbers::mean(high) - numbers::mean(low);
        (low.len() * high.len()) as f64 * apart * apart
    };
    let Some(split) = (1..sorted.len()).max_by(|a, b| between(*a).total_cmp(&between(*b))) else {
        return Vec::new();
    };
    let least = sorted[split];
    let quiet = numbers::mean(&sorted[..split]);
    // A window that asks for hardly more than the quiet hours is of no use.
    if least < 1.2 * quiet {
        return Vec::new();
    }
    let is_busy = |hour: usize| medians[hour % 24] >= least;
    (0..24)
        .filter(|hour| is_busy(*hour) && !is_busy(hour + 23))
        .map(|from| Window {
            days,
            from_hour: from as u8,
            hours: (from..from + 24).take_while(|hour| is_busy(*hour)).count() as u8,
            load: least,
        })
        .filter(|window| window.hours >= 2)
        .collect()
}
