//! Dates: RFC 3339 timestamps that are written in the files. None of these reads a clock.

use std::str::FromStr as _;

use jiff::tz::Offset;
use jiff::{SignedDuration, Timestamp, Zoned};

use super::{Answer, Call, Fault, Function, Kind, fault, fixed};
use crate::value::Value;

const T: Kind = Kind::Text;

pub(super) const FUNCTIONS: &[Function] = &[
    fixed(
        "formatdate",
        "formatdate(format, timestamp)",
        &[T, T],
        formatdate,
    ),
    fixed("timeadd", "timeadd(timestamp, duration)", &[T, T], timeadd),
    fixed("timecmp", "timecmp(timestamp, timestamp)", &[T, T], timecmp),
];

/// The moment, and the offset in which it was written.
fn moment(call: &Call<'_>, n: usize) -> Result<(Timestamp, Offset), Fault> {
    let text = call.text(n)?;
    let wrong = "not an RFC 3339 timestamp such as \"2026-11-27T06:00:00Z\"";
    let Ok(timestamp) = Timestamp::from_str(text) else {
        return fault(n, wrong);
    };
    let offset = jiff::fmt::strtime::parse("%Y-%m-%dT%H:%M:%S%.f%:z", text)
        .ok()
        .and_then(|parsed| parsed.offset())
        .unwrap_or(Offset::UTC);
    Ok((timestamp, offset))
}

fn zoned(timestamp: Timestamp, offset: Offset) -> Zoned {
    timestamp.to_zoned(offset.to_time_zone())
}

/// As RFC 3339: `Z` for an offset of 0.
fn write(timestamp: Timestamp, offset: Offset) -> String {
    if offset == Offset::UTC {
        return timestamp.to_string();
    }
    zoned(timestamp, offset)
        .strftime("%Y-%m-%dT%H:%M:%S%.f%:z")
        .to_string()
}

/// `1h30m`, `-10s`, `1.5h`, `250ms`: as Go reads durations.
fn duration(call: &Call<'_>, n: usize) -> Result<SignedDuration, Fault> {
    let text = call.text(n)?;
    let wrong = || fault(n, "not a duration such as \"1h30m\"");
    let (is_negative, mut rest) = match text.strip_prefix('-') {
        Some(rest) => (true, rest),
        None => (false, text.strip_prefix('+').unwrap_or(text)),
    };
    if rest == "0" {
        return Ok(SignedDuration::ZERO);
    }
    if rest.is_empty() {
        return wrong();
    }
    let mut total = 0.0f64;
    while !rest.is_empty() {
        let digits = rest
            .find(|c: char| !c.is_ascii_digit() && c != '.')
            .unwrap_or(rest.len());
        let (number, after) = rest.split_at(digits);
        let Ok(number) = number.parse::<f64>() else {
            return wrong();
        };
        let length = after
            .find(|c: char| c.is_ascii_digit())
            .unwrap_or(after.len());
        let (unit, after) = after.split_at(length);
        total += number
            * match unit {
                "h" => 3600.0,
                "m" => 60.0,
                "s" => 1.0,
                "ms" => 1e-3,
                "us" | "µs" => 1e-6,
                "ns" => 1e-9,
                _ => return wrong(),
            };
        rest = after;
    }
    match SignedDuration::try_from_secs_f64(total) {
        Ok(duration) => Ok(if is_negative { -duration } else { duration }),
        Err(_) => fault(n, "too long"),
    }
}

fn timeadd(call: &Call<'_>) -> Answer {
    let (timestamp, offset) = moment(call, 0)?;
    match timestamp.checked_add(duration(call, 1)?) {
        Ok(sum) => call.made(write(sum, offset)),
        Err(_) => fault(1, "leads out of the years that can be written"),
    }
}

fn timecmp(call: &Call<'_>) -> Answer {
    let (a, _) = moment(call, 0)?;
    let (b, _) = moment(call, 1)?;
    Ok(Value::from(a.cmp(&b) as i128))
}

fn formatdate(call: &Call<'_>) -> Answer {
    let format = call.text(0)?;
    let (timestamp, offset) = moment(call, 1)?;
    let time = zoned(timestamp, offset);
    let mut out = String::new();
    let mut rest = format;
    while let Some(c) = rest.chars().next() {
        if c == '\'' {
            // Text between quotes; two quotes are one.
            rest = &rest[1..];
            loop {
                match rest.find('\'') {
                    Some(end) => {
                        out.push_str(&rest[..end]);
                        rest = &rest[end + 1..];
                        if !rest.starts_with('\'') {
                            break;
                        }
                        out.push('\'');
                        rest = &rest[1..];
                    }
                    None => return fault(0, "a quote is not closed"),
                }
            }
            continue;
        }
        let length = rest.find(|other| other != c).unwrap_or(rest.len());
        let (token, after) = rest.split_at(length);
        rest = after;
        if !c.is_ascii_alphabetic() {
            out.push_str(token);
            continue;
        }
        let pattern = match token {
            "YYYY" => "%Y",
            "YY" => "%y",
            "MMMM" => "%B",
            "MMM" => "%b",
            "MM" => "%m",
            "M" => "%-m",
            "DD" => "%d",
            "D" => "%-d",
            "EEEE" => "%A",
            "EEE" => "%a",
            "hh" => "%H",
            "h" => "%-H",
            "HH" => "%I",
            "H" => "%-I",
            "AA" => "%p",
            "aa" => "%P",
            "mm" => "%M",
            "m" => "%-M",
            "ss" => "%S",
            "s" => "%-S",
            "ZZZZZ" => "%:z",
            "ZZZZ" => "%z",
            "ZZZ" if offset == Offset::UTC => "UTC",
            "ZZZ" => "%z",
            "Z" if offset == Offset::UTC => "Z",
            "Z" => "%:z",
            other => {
                return fault(
                    0,
                    format!("`{other}` is no part of a date; text stands in single quotes"),
                );
            }
        };
        out.push_str(&time.strftime(pattern).to_string());
    }
    call.made(out)
}
