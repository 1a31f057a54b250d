//! Reads CSV as it comes, piece by piece, so that a file of any length needs no more memory than its values.

use std::time::Duration;

use jiff::{SignedDuration, Timestamp};
use tideform_policies::model::units::format_duration;

use super::time::{self, Expected, LENGTH};
use super::{Gaps, LONGEST_STEP, Per, Problem, Reading, Trace, TraceError};

/// When a trace begins, and how long its steps are.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Head {
    /// The first row's time.
    pub start: Timestamp,
    /// The distance between the first two rows.
    pub step: Duration,
}

/// Reads a CSV file piece by piece: [`Reader::feed`] for each, then [`Reader::finish`].
#[derive(Debug)]
pub struct Reader {
    reading: Reading,
    /// The line that was read last.
    line: u64,
    /// The beginning of a line whose end has not come.
    carry: Vec<u8>,
    has_header: bool,
    empty_line: Option<u64>,
    first: Option<(i64, f64)>,
    grid: Option<Grid>,
    previous: f64,
    filled: usize,
}

/// What the first two rows make.
#[derive(Debug)]
struct Grid {
    head: Head,
    step_s: u32,
    /// Divides the values.
    divisor: f64,
    next: Expected,
}

impl Reader {
    /// Reads from the beginning of a file.
    pub fn new(reading: Reading) -> Reader {
        Reader {
            reading,
            line: 0,
            carry: Vec::new(),
            has_header: false,
            empty_line: None,
            first: None,
            grid: None,
            previous: 0.0,
            filled: 0,
        }
    }

    /// Known once two rows were read, and so always once there are values.
    pub fn head(&self) -> Option<Head> {
        self.grid.as_ref().map(|grid| grid.head)
    }

    /// The line that was read last, counted from 1.
    pub fn line(&self) -> u64 {
        self.line
    }

    /// How many steps were filled in so far.
    pub fn filled(&self) -> usize {
        self.filled
    }

    /// Reads the next piece, and appends the rates in it.
    ///
    /// # Errors
    /// [`TraceError`] for the first line that is wrong.
    pub fn feed(&mut self, mut piece: &[u8], values: &mut Vec<f64>) -> Result<(), TraceError> {
        if !self.carry.is_empty() {
            let Some(end) = piece.iter().position(|byte| *byte == b'\n') else {
                self.carry.extend_from_slice(piece);
                return Ok(());
            };
            let (head, rest) = piece.split_at(end);
            let mut line = std::mem::take(&mut self.carry);
            line.extend_from_slice(head);
            self.one(&line, values)?;
            line.clear();
            self.carry = line;
            piece = rest.get(1..).unwrap_or_default();
        }
        let whole = piece
            .iter()
            .rposition(|byte| *byte == b'\n')
            .map_or(0, |end| end + 1);
        let (lines, rest) = piece.split_at(whole);
        self.carry.extend_from_slice(rest);
        self.lines(lines, values)
    }

    /// Reads what is left of the last line.
    ///
    /// # Errors
    /// [`TraceError`]: the last line is wrong, or there were not enough.
    pub fn finish(&mut self, values: &mut Vec<f64>) -> Result<Head, TraceError> {
        if !self.carry.is_empty() {
            let line = std::mem::take(&mut self.carry);
            self.one(&line, values)?;
        }
        let line = self.line.max(1);
        let fail = |problem| Err(TraceError { line, problem });
        match (&self.grid, self.first) {
            (Some(grid), _) => Ok(grid.head),
            (None, Some(_)) => fail(Problem::OneRow),
            (None, None) if self.has_header => fail(Problem::Empty),
            (None, None) => fail(Problem::Header(String::new())),
        }
    }

    /// The trace of all that was fed, whose rates are in `values`.
    ///
    /// # Errors
    /// As [`Reader::finish`].
    pub fn trace(&mut self, mut values: Vec<f64>) -> Result<Trace, TraceError> {
        let head = self.finish(&mut values)?;
        let (line, filled) = (self.line, self.filled);
        let trace = Trace::of_checked(head.start, head.step, values)
            .map_err(|problem| TraceError { line, problem })?;
        Ok(Trace { filled, ..trace })
    }

    /// Reads whole lines.
    fn lines(&mut self, mut lines: &[u8], values: &mut Vec<f64>) -> Result<(), TraceError> {
        while !lines.is_empty() {
            lines = self.quickly(lines, values);
            let Some(end) = lines.iter().position(|byte| *byte == b'\n') else {
                return Ok(());
            };
            let (line, rest) = lines.split_at(end);
            self.one(line, values)?;
            lines = rest.get(1..).unwrap_or_default();
        }
        Ok(())
    }

    /// Reads rows as long as they have the time that must come next in its usual form, and a plain number; gives back
    /// the rest.
    fn quickly<'a>(&mut self, mut lines: &'a [u8], values: &mut Vec<f64>) -> &'a [u8] {
        let (Some(grid), None) = (&mut self.grid, self.empty_line) else {
            return lines;
        };
        // A local copy stays in registers.
        let mut next = grid.next.clone();
        let (step, divisor) = (grid.step_s, grid.divisor);
        let mut rows = 0;
        while let Some((time, rest)) = lines.split_first_chunk::<LENGTH>()
            && next.begins(time)
            && let Some((value, rest)) = plain_number(rest)
        {
            let rate = if divisor == 1.0 {
                value
            } else {
                value / divisor
            };
            values.push(rate);
            self.previous = rate;
            next.advance(step);
            rows += 1;
            lines = rest;
        }
        grid.next = next;
        self.line += rows;
        lines
    }

    /// Reads any line, without its end.
    fn one(&mut self, line: &[u8], values: &mut Vec<f64>) -> Result<(), TraceError> {
        self.line += 1;
        let number = self.line;
        self.row(line, values).map_err(|problem| match problem {
            Problem::EmptyLine => TraceError {
                line: self.empty_line.unwrap_or(number),
                problem,
            },
            other => TraceError {
                line: number,
                problem: other,
            },
        })
    }

    fn row(&mut self, line: &[u8], values: &mut Vec<f64>) -> Result<(), Problem> {
        let line = line.trim_ascii();
        if !self.has_header {
            let header = line.strip_prefix("\u{feff}".as_bytes()).unwrap_or(line);
            if header != b"timestamp,value" {
                return Err(Problem::Header(quoted(header)));
            }
            self.has_header = true;
            return Ok(());
        }
        if line.is_empty() {
            self.empty_line.get_or_insert(self.line);
            return Ok(());
        }
        if self.empty_line.is_some() {
            return Err(Problem::EmptyLine);
        }
        let Some(comma) = line.iter().position(|byte| *byte == b',') else {
            return Err(Problem::Row(quoted(line)));
        };
        let (time, value) = line.split_at(comma);
        let (time, value) = (time.trim_ascii(), value[1..].trim_ascii());
        let at = match time::parse(time) {
            Some(Ok(seconds)) => seconds,
            Some(Err(())) => return Err(Problem::Fraction(quoted(time))),
            None => return Err(Problem::Time(quoted(time))),
        };
        let amount = self.amount(value, at)?;
        self.place(at, amount, values)
    }

    /// The number in a row; `None` is no value, and allowed.
    fn amount(&self, value: &[u8], at: i64) -> Result<Option<f64>, Problem> {
        if value.is_empty() {
            return match self.reading.gaps {
                Gaps::Refuse => Err(Problem::NoValue(timestamp(at))),
                Gaps::Zero | Gaps::Hold => Ok(None),
            };
        }
        let wrong = || Problem::Value(quoted(value));
        let text = std::str::from_utf8(value).map_err(|_| wrong())?;
        let amount: f64 = text.parse().map_err(|_| wrong())?;
        if !amount.is_finite() {
            return Err(wrong());
        }
        // -0 is 0.
        if amount < 0.0 {
            return Err(Problem::Negative(amount));
        }
        Ok(Some(amount.abs()))
    }

    /// Puts a row where it belongs.
    fn place(
        &mut self,
        at: i64,
        amount: Option<f64>,
        values: &mut Vec<f64>,
    ) -> Result<(), Problem> {
        let Some(grid) = &mut self.grid else {
            let Some((first, before)) = self.first else {
                self.filled += usize::from(amount.is_none());
                self.first = Some((at, amount.unwrap_or(0.0)));
                return Ok(());
            };
            let step_s = distance(first, at)?;
            let head = Head {
                start: timestamp(first),
                step: Duration::from_secs(u64::from(step_s)),
            };
            let divisor = match self.reading.per {
                Per::Second => 1.0,
                Per::Minute => 60.0,
                Per::Hour => 3_600.0,
                Per::Step => f64::from(step_s),
            };
            self.previous = before / divisor;
            values.push(self.previous);
            let mut next = Expected::at(first);
            next.advance(step_s);
            self.grid = Some(Grid {
                head,
                step_s,
                divisor,
                next,
            });
            return self.place(at, amount, values);
        };
        let step = i64::from(grid.step_s);
        let before = grid.next.seconds() - step;
        let late = at - grid.next.seconds();
        if at <= before {
            return Err(Problem::Disorder {
                found: timestamp(at),
                before: timestamp(before),
            });
        }
        if late % step != 0 {
            return Err(Problem::Irregular {
                found: timestamp(at),
                distance: said(at - before),
                step: said(step),
            });
        }
        let missing = late / step;
        if missing > 0 && self.reading.gaps == Gaps::Refuse {
            return Err(Problem::Gap {
                missing: missing.unsigned_abs(),
                found: timestamp(at),
                before: timestamp(before),
                step: said(step),
            });
        }
        let stand_in = match self.reading.gaps {
            Gaps::Hold => self.previous,
            Gaps::Refuse | Gaps::Zero => 0.0,
        };
        let missing = usize::try_from(missing).unwrap_or(0);
        if values.len().saturating_add(missing) >= u32::MAX as usize {
            return Err(Problem::TooLong);
        }
        values.resize(values.len() + missing, stand_in);
        self.filled += missing + usize::from(amount.is_none());
        let rate = amount.map_or(stand_in, |amount| amount / grid.divisor);
        self.previous = rate;
        values.push(rate);
        grid.next = Expected::at(at);
        grid.next.advance(grid.step_s);
        Ok(())
    }
}

/// From the first row to the second: the step.
fn distance(first: i64, second: i64) -> Result<u32, Problem> {
    if second <= first {
        return Err(Problem::Disorder {
            found: timestamp(second),
            before: timestamp(first),
        });
    }
    u32::try_from(second - first)
        .ok()
        .filter(|step| u64::from(*step) <= LONGEST_STEP.as_secs())
        .ok_or_else(|| Problem::Step(said(second - first)))
}

/// `,` and a number of digits and at most one point up to the end of the line; the rest behind it. `None` is left to
/// the general parser.
#[inline]
fn plain_number(text: &[u8]) -> Option<(f64, &[u8])> {
    /// Powers of ten that a double says exactly.
    const TENS: [f64; 16] = [
        1.0, 1e1, 1e2, 1e3, 1e4, 1e5, 1e6, 1e7, 1e8, 1e9, 1e10, 1e11, 1e12, 1e13, 1e14, 1e15,
    ];
    let [b',', text @ ..] = text else {
        return None;
    };
    // Fifteen digits are exact as a double, and so is the quotient with an exact power of ten, rounded once (Clinger).
    let (whole, digits) = digits_of(text, 0);
    let (decimals, digits, text) = match text.get(whole..)? {
        [b'.', rest @ ..] => {
            let (decimals, digits) = digits_of(rest, digits);
            (decimals, digits, rest.get(decimals..)?)
        }
        rest => (0, digits, rest),
    };
    let rest = match text {
        [b'\n', rest @ ..] | [b'\r', b'\n', rest @ ..] => rest,
        _ => return None,
    };
    if !(1..=15).contains(&(whole + decimals)) {
        return None;
    }
    let value = if decimals == 0 {
        digits as f64
    } else {
        digits as f64 / TENS.get(decimals)?
    };
    Some((value, rest))
}

/// How many digits a text begins with, and the number that they append to another; it wraps where there are too many.
#[inline]
fn digits_of(text: &[u8], before: u64) -> (usize, u64) {
    let (mut count, mut number) = (0, before);
    for byte in text {
        let digit = byte.wrapping_sub(b'0');
        if digit > 9 {
            break;
        }
        number = number.wrapping_mul(10).wrapping_add(u64::from(digit));
        count += 1;
    }
    (count, number)
}

fn timestamp(seconds: i64) -> Timestamp {
    Timestamp::from_second(seconds).unwrap_or(Timestamp::MAX)
}

fn said(seconds: i64) -> String {
    let duration = SignedDuration::from_secs(seconds).unsigned_abs();
    format_duration(duration)
}

/// The beginning of a text for a message.
fn quoted(text: &[u8]) -> String {
    String::from_utf8_lossy(text).chars().take(40).collect()
}
