//! Recorded load: a CSV file `timestamp,value` as a step function of time.
//!
//! A value holds from its row's time to the next row's; the last one holds for the trace's step, the commonest distance
//! between rows. Reading is exact over any interval: the mean of the function, not a sample of it.

use std::fmt;
use std::path::Path;

use jiff::Timestamp;
use serde::{Deserialize, Serialize};

use super::moment::Moment;

/// What a trace's values count.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Per {
    /// Already a rate per second.
    #[default]
    Second,
    /// A rate per minute.
    Minute,
    /// A rate per hour.
    Hour,
    /// A count within the trace's step.
    Step,
}

/// A trace in memory: rates per second, as a step function that starts at 0.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Trace {
    /// The time of the first row.
    first: Moment,
    /// Milliseconds from the first row to the start of each row; rising, begins with 0.
    offsets: Vec<i64>,
    /// The rate from each row's start, per second.
    rates: Vec<f64>,
    /// The integral of the rate up to each row's start, in units of load.
    integrals: Vec<f64>,
    /// The distance between rows where they are all equal; then rows are found without a search.
    even_step: Option<i64>,
    /// Milliseconds from the first row to the end of the last.
    length: i64,
}

/// Why a trace cannot be used.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{file}:{line}: {what}")]
pub struct TraceError {
    /// The file's name as it was given.
    pub file: String,
    /// Counted from 1; 0 where the file as a whole is meant.
    pub line: usize,
    /// A lowercase fragment.
    pub what: String,
}

impl Trace {
    /// Reads a file.
    ///
    /// # Errors
    /// [`TraceError`], also for a file that cannot be read.
    pub fn read(path: &Path, per: Per) -> Result<Trace, TraceError> {
        let file = path.display().to_string();
        let bytes = std::fs::read(path).map_err(|error| TraceError {
            file: file.clone(),
            line: 0,
            what: error.to_string(),
        })?;
        let text = String::from_utf8(bytes).map_err(|error| {
            let valid = error.utf8_error().valid_up_to();
            let line = error.as_bytes().iter().take(valid);
            TraceError {
                file: file.clone(),
                line: line.filter(|byte| **byte == b'\n').count() + 1,
                what: "is not UTF-8 text".to_owned(),
            }
        })?;
        Trace::parse(&file, &text, per)
    }

    /// Parses CSV text: a header `timestamp,value`, then rows with RFC 3339 times, strictly rising, and finite values
    /// that are not negative. Empty lines at the end are fine. Further columns are refused.
    ///
    /// # Errors
    /// [`TraceError`] for the first line that is wrong.
    pub fn parse(file: &str, text: &str, per: Per) -> Result<Trace, TraceError> {
        let wrong = |line: usize, what: String| TraceError {
            file: file.to_owned(),
            line,
            what,
        };
        let text = text.strip_prefix('\u{feff}').unwrap_or(text);
        let mut lines = text.lines().enumerate();
        let header = lines.next().map_or("", |(_, line)| line.trim());
        if header != "timestamp,value" {
            return Err(wrong(
                1,
                format!(
                    "the first line must be `timestamp,value`, found `{}`",
                    cut(header)
                ),
            ));
        }
        let mut times: Vec<i64> = Vec::new();
        let mut values: Vec<f64> = Vec::new();
        let mut last_line = 1;
        let mut empty_line = None;
        for (index, line) in lines {
            let number = index + 1;
            if line.trim().is_empty() {
                empty_line.get_or_insert(number);
                continue;
            }
            if let Some(empty) = empty_line {
                return Err(wrong(empty, "an empty line between rows".to_owned()));
            }
            let Some((time, value)) = line.split_once(',') else {
                return Err(wrong(
                    number,
                    format!("expected `timestamp,value`, found `{}`", cut(line)),
                ));
            };
            let at = parse_time(time.trim()).ok_or_else(|| {
                wrong(
                    number,
                    format!(
                        "`{}` is no RFC 3339 time such as 2026-01-31T08:00:00Z",
                        cut(time)
                    ),
                )
            })?;
            let amount: f64 = value
                .trim()
                .parse()
                .ok()
                .filter(|amount: &f64| amount.is_finite())
                .ok_or_else(|| wrong(number, format!("`{}` is no number", cut(value))))?;
            if amount < 0.0 {
                return Err(wrong(number, format!("the load {amount} is negative")));
            }
            if let Some(previous) = times.last()
                && at.0 <= *previous
            {
                return Err(wrong(
                    number,
                    format!(
                        "the time {} is not after the one on line {last_line}",
                        cut(time)
                    ),
                ));
            }
            times.push(at.0);
            values.push(amount);
            last_line = number;
        }
        Trace::from_rows(&times, values, per).map_err(|what| wrong(last_line, what))
    }

    /// Builds a trace from rows in memory: rising times in milliseconds and their values.
    ///
    /// # Errors
    /// A lowercase fragment: there are fewer than two rows, so that no step is known.
    pub fn from_rows(times: &[i64], mut values: Vec<f64>, per: Per) -> Result<Trace, String> {
        let (Some(first), true) = (times.first().copied(), times.len() == values.len()) else {
            return Err("a trace needs rows".to_owned());
        };
        if times.len() < 2 {
            return Err("a trace needs at least two rows, to know how long one lasts".to_owned());
        }
        let mut distances: Vec<i64> = times.windows(2).map(|pair| pair[1] - pair[0]).collect();
        let even = distances.windows(2).all(|pair| pair[0] == pair[1]);
        let middle = distances.len() / 2;
        // The median is the commonest distance in every trace with few gaps, and cannot be 0.
        let (_, step, _) = distances.select_nth_unstable(middle);
        let step = (*step).max(1);
        let divisor = match per {
            Per::Second => 1.0,
            Per::Minute => 60.0,
            Per::Hour => 3_600.0,
            Per::Step => step as f64 / 1000.0,
        };
        for value in &mut values {
            *value /= divisor;
        }
        let offsets: Vec<i64> = times.iter().map(|time| time - first).collect();
        let mut integrals = Vec::with_capacity(offsets.len());
        let mut sum = 0.0;
        for (index, offset) in offsets.iter().enumerate() {
            integrals.push(sum);
            if let (Some(next), Some(rate)) = (offsets.get(index + 1), values.get(index)) {
                sum += rate * (next - offset) as f64 / 1000.0;
            }
        }
        let length = offsets.last().copied().unwrap_or(0) + step;
        Ok(Trace {
            first: Moment(first),
            offsets,
            rates: values,
            integrals,
            even_step: even.then_some(step),
            length,
        })
    }

    /// The time of the first row.
    pub fn first(&self) -> Moment {
        self.first
    }

    /// Milliseconds from the first row to the end of the last.
    pub fn length_ms(&self) -> i64 {
        self.length
    }

    /// How many rows it has.
    pub fn rows(&self) -> usize {
        self.rates.len()
    }

    /// The mean rate over `[from, to)`, in milliseconds from the first row; nothing outside the trace.
    pub fn mean(&self, from: i64, to: i64) -> f64 {
        if to <= from {
            return 0.0;
        }
        // Within one row the rate is the answer, free of the rounding of a difference of integrals.
        let (inside_from, inside_to) = (from.clamp(0, self.length), to.clamp(0, self.length));
        if inside_to <= inside_from {
            return 0.0;
        }
        let row = self.row(inside_from);
        if row == self.row(inside_to - 1) {
            let rate = self.rates.get(row).copied().unwrap_or(0.0);
            return rate * ((inside_to - inside_from) as f64 / (to - from) as f64);
        }
        (self.integral(inside_to) - self.integral(inside_from)) * 1000.0 / (to - from) as f64
    }

    /// The load from the start up to this offset.
    pub fn integral(&self, offset: i64) -> f64 {
        let offset = offset.clamp(0, self.length);
        let row = self.row(offset);
        match (
            self.integrals.get(row),
            self.offsets.get(row),
            self.rates.get(row),
        ) {
            (Some(sum), Some(start), Some(rate)) => sum + rate * (offset - start) as f64 / 1000.0,
            _ => 0.0,
        }
    }

    fn row(&self, offset: i64) -> usize {
        let last = self.rates.len().saturating_sub(1);
        match self.even_step {
            Some(step) => usize::try_from(offset / step).unwrap_or(0).min(last),
            None => self
                .offsets
                .partition_point(|start| *start <= offset)
                .saturating_sub(1),
        }
    }
}

/// The beginning of a text for a message.
fn cut(text: &str) -> impl fmt::Display + '_ {
    let end = text
        .char_indices()
        .nth(40)
        .map_or(text.len(), |(index, _)| index);
    text.get(..end).unwrap_or(text)
}

/// Reads a time; the usual form `2026-01-31T08:00:00Z` without the general parser, since traces are long.
fn parse_time(text: &str) -> Option<Moment> {
    let general = || text.parse::<Timestamp>().ok().map(Moment::from);
    let bytes = text.as_bytes();
    let &[
        y1,
        y2,
        y3,
        y4,
        b'-',
        m1,
        m2,
        b'-',
        d1,
        d2,
        b'T',
        h1,
        h2,
        b':',
        n1,
        n2,
        b':',
        s1,
        s2,
        b'Z',
    ] = bytes
    else {
        return general();
    };
    let number = |digits: &[u8]| {
        digits.iter().try_fold(0i64, |sum, digit| {
            digit
                .is_ascii_digit()
                .then(|| sum * 10 + i64::from(digit - b'0'))
        })
    };
    let (year, month, day) = (
        number(&[y1, y2, y3, y4])?,
        number(&[m1, m2])?,
        number(&[d1, d2])?,
    );
    let (hour, minute, second) = (number(&[h1, h2])?, number(&[n1, n2])?, number(&[s1, s2])?);
    // Days 29 to 31 and the leap second need the calendar.
    if !(1..=12).contains(&month) || !(1..=28).contains(&day) {
        return general();
    }
    if hour > 23 || minute > 59 || second > 59 {
        return general();
    }
    // Days from the civil date: H. Hinnant, "chrono-Compatible Low-Level Date Algorithms".
    let shifted = if month <= 2 { year - 1 } else { year };
    let era = shifted.div_euclid(400);
    let of_era = shifted.rem_euclid(400);
    let day_of_year = (153 * ((month + 9) % 12) + 2) / 5 + day - 1;
    let days = era * 146_097 + of_era * 365 + of_era / 4 - of_era / 100 + day_of_year - 719_468;
    Some(Moment(
        (days * 86_400 + hour * 3_600 + minute * 60 + second) * 1000,
    ))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parse(text: &str, per: Per) -> Result<Trace, String> {
        Trace::parse("traces/web.csv", text, per).map_err(|error| error.to_string())
    }

    #[test]
    fn mistakes_name_the_file_the_line_and_what_is_wrong() {
        let row = "2026-01-01T00:00:00Z,1";
        for (rows, part) in [
            ("", ":1: the first line must be `timestamp,value`"),
            ("time,load\n", "found `time,load`"),
            ("timestamp,value\n", ":1: a trace needs rows"),
            (
                &format!("timestamp,value\n{row}\n"),
                ":2: a trace needs at least two rows",
            ),
            (
                &format!("timestamp,value\n{row}\nnoon,2\n"),
                ":3: `noon` is no RFC 3339 time",
            ),
            (
                &format!("timestamp,value\n{row}\n2026-01-01T00:01:00Z\n"),
                ":3: expected `timestamp,value`",
            ),
            (
                &format!("timestamp,value\n{row}\n2026-01-01T00:01:00Z,x\n"),
                ":3: `x` is no number",
            ),
            (
                &format!("timestamp,value\n{row}\n2026-01-01T00:01:00Z,NaN\n"),
                ":3: `NaN` is no number",
            ),
            (
                &format!("timestamp,value\n{row}\n2026-01-01T00:01:00Z,-2\n"),
                ":3: the load -2 is negative",
            ),
            (
                &format!("timestamp,value\n{row}\n{row}\n"),
                ":3: the time 2026-01-01T00:00:00Z is not after the one on line 2",
            ),
            (
                &format!("timestamp,value\n{row}\n\n2026-01-01T00:01:00Z,2\n"),
                ":3: an empty line between rows",
            ),
            (
                &format!("timestamp,value\n{row}\n2026-02-31T00:01:00Z,2\n"),
                ":3: `2026-02-31T00:01:00Z` is no RFC 3339",
            ),
            (
                &format!("timestamp,value\n{row}\n2026-01-01T00:01:00Z,1,2\n"),
                ":3: `1,2` is no number",
            ),
        ] {
            let error = parse(rows, Per::Second).err().unwrap_or_default();
            assert!(
                error.contains(part) && error.starts_with("traces/web.csv:"),
                "{rows}: {error}"
            );
        }
    }

    #[test]
    fn the_quick_time_parser_agrees_with_the_general_one() {
        for text in [
            "2026-01-05T06:30:00Z",
            "2024-02-29T23:59:59Z",
            "1998-06-27T00:00:00Z",
            "2000-03-01T12:00:00Z",
            "1969-12-28T00:00:00Z",
            "2026-01-05T06:30:00+02:00",
            "2026-01-05T06:30:00.250Z",
        ] {
            let general: Option<Timestamp> = text.parse().ok();
            assert_eq!(parse_time(text), general.map(Moment::from), "{text}");
        }
        assert_eq!(parse_time("2026-13-05T06:30:00Z"), None);
        assert_eq!(parse_time("2026-01-05T24:30:00Z"), None);
    }

    #[test]
    fn counts_become_rates_per_second() -> Result<(), String> {
        let rows = "timestamp,value\n2026-01-01T00:00:00Z,600\n2026-01-01T00:05:00Z,1200\n";
        for (per, first, second) in [
            (Per::Second, 600.0, 1200.0),
            (Per::Minute, 10.0, 20.0),
            (Per::Hour, 600.0 / 3_600.0, 1200.0 / 3_600.0),
            (Per::Step, 2.0, 4.0),
        ] {
            let trace = parse(rows, per)?;
            assert_eq!(trace.mean(0, 60_000), first, "{per:?}");
            assert_eq!(trace.mean(300_000, 600_000), second, "{per:?}");
        }
        Ok(())
    }

    #[test]
    fn reading_is_the_mean_over_the_interval_whatever_its_length() -> Result<(), String> {
        let even = parse(
            "timestamp,value\n2026-01-01T00:00:00Z,10\n2026-01-01T00:01:00Z,20\n2026-01-01T00:02:00Z,60\n",
            Per::Second,
        )?;
        for (from, to, mean) in [
            (0, 60_000, 10.0),
            (0, 180_000, 30.0),
            (30_000, 90_000, 15.0),
            (120_000, 240_000, 30.0),
            (-60_000, 60_000, 5.0),
            (180_000, 240_000, 0.0),
            (-2, -1, 0.0),
        ] {
            assert_eq!(even.mean(from, to), mean, "{from}..{to}");
        }
        let with_gap = parse(
            "timestamp,value\n2026-01-01T00:00:00Z,10\n2026-01-01T00:01:00Z,20\n2026-01-01T00:05:00Z,60\n\
             2026-01-01T00:06:00Z,60\n",
            Per::Second,
        )?;
        assert_eq!(with_gap.length_ms(), 420_000);
        assert_eq!(with_gap.mean(240_000, 300_000), 20.0);
        assert_eq!(with_gap.mean(240_000, 360_000), 40.0);
        Ok(())
    }
}
