//! Where lines of the grid lie: round numbers upward, round times along.

use jiff::tz::TimeZone;
use jiff::{Span, Timestamp};

/// From 0 to a round number.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) struct Scale {
    /// The upper end.
    pub(super) top: f64,
    /// Between two lines.
    pub(super) step: f64,
}

impl Scale {
    /// Up to at least `most`, in some `lines` steps of 1, 2 or 5; of whole numbers where `is_whole`.
    pub(super) fn up_to(most: f64, is_whole: bool, lines: f64) -> Scale {
        let most = if most.is_finite() && most > 0.0 {
            most
        } else {
            1.0
        };
        let rough = most / lines;
        let power = 10_f64.powf(rough.log10().floor());
        let found = [1.0, 2.0, 5.0, 10.0].map(|n| n * power);
        let mut step = found
            .into_iter()
            .find(|step| *step >= rough * 0.999_999)
            .unwrap_or(power * 10.0);
        if is_whole {
            step = step.max(1.0);
        }
        Scale {
            top: step * (most / step).ceil().max(1.0),
            step,
        }
    }

    /// The lines above 0.
    pub(super) fn lines(&self) -> Vec<f64> {
        let n = (self.top / self.step).round() as u32;
        (1..=n).map(|n| f64::from(n) * self.step).collect()
    }
}

/// A line at a time.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct Tick {
    /// Milliseconds since the run began.
    pub(super) ms: i64,
    /// `08:00`, `Nov 27`, `2027`.
    pub(super) label: String,
}

const DAY: i64 = 86_400;

/// Seconds between two lines; from a day on they lie on the calendar's days.
const STEPS: [i64; 18] = [
    1, 2, 5, 10, 15, 30, 60, 120, 300, 600, 900, 1_800, 3_600, 7_200, 10_800, 21_600, 43_200, DAY,
];

/// At most so many lines at round times, UTC.
pub(super) fn ticks(start: Timestamp, length_ms: i64, most: i64) -> Vec<Tick> {
    let most = most.max(1);
    let length = (length_ms / 1000).max(1);
    if let Some(step) = STEPS.into_iter().find(|step| length / step <= most) {
        return even(start, length_ms, step, 0);
    }
    // Two days, or a week that begins on Monday; 1970 began on a Thursday.
    for (step, first) in [(2 * DAY, 0), (7 * DAY, 4 * DAY)] {
        if length / step <= most {
            return even(start, length_ms, step, first);
        }
    }
    let months = [1, 2, 3, 6, 12, 24, 60, 120, 1_200];
    let step = months
        .into_iter()
        .find(|months| length / (months * 30 * DAY) <= most);
    by_month(start, length_ms, step.unwrap_or(1_200))
}

fn even(start: Timestamp, length_ms: i64, step: i64, first: i64) -> Vec<Tick> {
    let start_ms = start.as_millisecond();
    let step_ms = step * 1000;
    let offset = (start_ms - first * 1000).rem_euclid(step_ms);
    let mut ms = if offset == 0 { 0 } else { step_ms - offset };
    let mut ticks = Vec::new();
    while ms <= length_ms {
        let time = super::html::at(start, ms);
        let is_midnight = time.as_second().rem_euclid(DAY) == 0;
        let format = match step {
            _ if is_midnight => "%b %-d",
            ..60 => "%H:%M:%S",
            _ => "%H:%M",
        };
        ticks.push(Tick {
            ms,
            label: time.strftime(format).to_string(),
        });
        ms += step_ms;
    }
    ticks
}

fn by_month(start: Timestamp, length_ms: i64, step: i64) -> Vec<Tick> {
    let zoned = start.to_zoned(TimeZone::UTC);
    let start_ms = start.as_millisecond();
    let mut ticks = Vec::new();
    let first = zoned
        .with()
        .month(1)
        .day(1)
        .build()
        .and_then(|first| first.start_of_day());
    let Ok(mut next) = first else {
        return ticks;
    };
    loop {
        let ms = next.timestamp().as_millisecond() - start_ms;
        if ms > length_ms {
            break;
        }
        if ms >= 0 {
            let format = if next.month() == 1 { "%Y" } else { "%b" };
            ticks.push(Tick {
                ms,
                label: next.strftime(format).to_string(),
            });
        }
        match next.checked_add(Span::new().months(step)) {
            Ok(later) => next = later,
            Err(_) => break,
        }
    }
    ticks
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn scales_end_on_round_numbers_not_below_what_they_show() {
        for (most, is_whole, top, step) in [
            (37.0, true, 40.0, 10.0),
            (40.0, true, 40.0, 10.0),
            (41.0, true, 50.0, 10.0),
            (3.0, true, 3.0, 1.0),
            (0.0, true, 1.0, 1.0),
            (0.07, false, 0.08, 0.02),
            (f64::INFINITY, true, 1.0, 1.0),
        ] {
            let scale = Scale::up_to(most, is_whole, 5.0);
            assert!((scale.top - top).abs() < 1e-9, "{most}: {scale:?}");
            assert!((scale.step - step).abs() < 1e-9, "{most}: {scale:?}");
        }
    }

    #[test]
    fn lines_of_time_lie_on_the_calendar() {
        let start: Timestamp = "2026-01-30T22:30:00Z".parse().expect("a time");
        for (hours, most, said) in [
            (3, 8, "22:30 23:00 23:30 Jan 31 00:30 01:00 01:30"),
            (12, 6, "Jan 31 02:00 04:00 06:00 08:00 10:00"),
            (24 * 10, 6, "Jan 31 Feb 2 Feb 4 Feb 6 Feb 8"),
            (24 * 30, 6, "Feb 2 Feb 9 Feb 16 Feb 23"),
            (24 * 365, 7, "Mar May Jul Sep Nov 2027"),
            (24 * 365 * 9, 5, "2028 2030 2032 2034"),
        ] {
            let found = ticks(start, hours * 3_600_000, most);
            let labels: Vec<&str> = found.iter().map(|tick| tick.label.as_str()).collect();
            assert_eq!(labels.join(" "), said, "{hours} h");
        }
    }
}
