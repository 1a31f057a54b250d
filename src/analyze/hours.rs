//! The load by local hour.

use jiff::Timestamp;
use jiff::civil::Date;
use jiff::tz::TimeZone;

use super::{DAY_S, HOUR_S, Series, numbers};

/// The hours of a trace, by the clock of a zone.
#[derive(Clone, Debug)]
pub(super) struct Hours {
    /// In order of time. An hour that the clock shows twice is one cell.
    pub(super) cells: Vec<Cell>,
    /// For each step of the series, its cell.
    pub(super) of_step: Vec<u32>,
    pub(super) timezone: TimeZone,
}

/// An hour.
#[derive(Clone, Copy, Debug)]
pub(super) struct Cell {
    pub(super) date: Date,
    /// Days since the first of the trace.
    pub(super) day: u32,
    /// 0 is Monday.
    pub(super) weekday: u8,
    pub(super) hour: u8,
    /// The mean load of its steps.
    pub(super) mean: f64,
    /// Their median.
    pub(super) median: f64,
    /// Whether the trace covers most of it.
    pub(super) is_whole: bool,
}

/// A day.
#[derive(Clone, Copy, Debug)]
pub(super) struct Day {
    pub(super) date: Date,
    pub(super) weekday: u8,
    pub(super) mean: f64,
}

impl Hours {
    pub(super) fn of(series: &Series, timezone: &TimeZone) -> Hours {
        let mut hours = Hours {
            cells: Vec::new(),
            of_step: Vec::with_capacity(series.values.len()),
            timezone: timezone.clone(),
        };
        let whole = (HOUR_S / series.step_s).max(1) as usize;
        let mut first: Option<Date> = None;
        let mut from = 0;
        let mut begun: Option<(Date, u8)> = None;
        for index in 0..=series.values.len() {
            let here = (index < series.values.len()).then(|| {
                let local = timezone.to_datetime(series.at(index));
                (local.date(), local.hour() as u8)
            });
            if here == begun && here.is_some() {
                continue;
            }
            if let Some((date, hour)) = begun {
                let first = *first.get_or_insert(date);
                let steps = &series.values[from..index];
                let day = date.since(first).map_or(0, |span| span.get_days());
                hours
                    .of_step
                    .extend(steps.iter().map(|_| hours.cells.len() as u32));
                hours.cells.push(Cell {
                    date,
                    day: u32::try_from(day).unwrap_or(0),
                    weekday: date.weekday().to_monday_zero_offset() as u8,
                    hour,
                    mean: numbers::mean(steps),
                    median: numbers::median(steps),
                    is_whole: 2 * steps.len() > whole || steps.len() >= whole,
                });
            }
            from = index;
            begun = here;
        }
        hours
    }

    /// The days that the trace covers from one end to the other, but for an hour.
    pub(super) fn days(&self, step_s: u64) -> Vec<Day> {
        let whole = (DAY_S / step_s.max(HOUR_S)) as usize;
        self.cells
            .chunk_by(|a, b| a.date == b.date)
            .filter(|cells| cells.len() + 1 >= whole)
            .filter_map(|cells| {
                let first = cells.first()?;
                let means: Vec<f64> = cells.iter().map(|cell| cell.mean).collect();
                Some(Day {
                    date: first.date,
                    weekday: first.weekday,
                    mean: numbers::mean(&means),
                })
            })
            .collect()
    }

    /// The local time of day, in minutes.
    pub(super) fn minute_of_day(&self, at: Timestamp) -> u32 {
        let local = self.timezone.to_datetime(at);
        u32::from(local.hour().unsigned_abs()) * 60 + u32::from(local.minute().unsigned_abs())
    }
}
