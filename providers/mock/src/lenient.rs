//! Values as people write them in settings and `launch`: `"90s"`, `"70%"`, RFC 3339 or a time since the world's start.
//!
//! Bare numbers are accepted too: seconds for durations, fractions for shares.

use std::fmt;
use std::str::FromStr;
use std::time::Duration;

use jiff::Timestamp;
use serde::{Deserialize, Deserializer, Serialize, Serializer, de};
use serde_json::Value;
use tideform_policies::model::units::format_duration;

use crate::world::Moment;

/// Reads `90s`, `2h30m`, `1.5h`, `28d`; units `ms s m h d w`.
///
/// # Errors
/// A lowercase fragment that says what is wrong.
pub fn parse_duration(text: &str) -> Result<Duration, String> {
    let wrong = || format!("`{text}` is no duration; write for example \"90s\" or \"2h30m\"");
    let mut rest = text.trim();
    if rest.is_empty() {
        return Err(wrong());
    }
    let mut seconds = 0.0;
    while !rest.is_empty() {
        let digits = rest
            .find(|c: char| !c.is_ascii_digit() && c != '.')
            .ok_or_else(wrong)?;
        let (number, tail) = rest.split_at(digits);
        let number: f64 = number.parse().map_err(|_| wrong())?;
        let letters = tail
            .find(|c: char| !c.is_ascii_alphabetic())
            .unwrap_or(tail.len());
        let (unit, tail) = tail.split_at(letters);
        seconds += number
            * match unit {
                "ms" => 0.001,
                "s" => 1.0,
                "m" => 60.0,
                "h" => 3_600.0,
                "d" => 86_400.0,
                "w" => 604_800.0,
                _ => return Err(wrong()),
            };
        rest = tail.trim_start();
    }
    bounded(seconds).ok_or_else(wrong)
}

/// Reads a JSON value as a duration: a string as in the files, or a number of seconds.
///
/// # Errors
/// A lowercase fragment that says what is wrong.
pub fn duration_of(value: &Value) -> Result<Duration, String> {
    match value {
        Value::String(text) => parse_duration(text),
        Value::Number(number) => number
            .as_f64()
            .and_then(bounded)
            .ok_or_else(|| format!("{number} is no duration")),
        other => Err(format!("{other} is no duration; write for example \"90s\"")),
    }
}

/// Reads a JSON value as a share: `"70%"`, or a fraction.
///
/// # Errors
/// A lowercase fragment that says what is wrong.
pub fn share_of(value: &Value) -> Result<f64, String> {
    let fraction = match value {
        Value::String(text) => text
            .trim()
            .strip_suffix('%')
            .and_then(|percent| percent.trim().parse::<f64>().ok())
            .map(|percent| percent / 100.0),
        Value::Number(number) => number.as_f64(),
        _ => None,
    };
    fraction
        .filter(|fraction| (0.0..=1.0).contains(fraction))
        .ok_or_else(|| {
            format!("{value} is no share; write for example \"10%\", between 0% and 100%")
        })
}

/// A thousand years are enough, and keep every sum within 64 bits.
fn bounded(seconds: f64) -> Option<Duration> {
    (seconds.is_finite() && (0.0..=3.2e10).contains(&seconds))
        .then(|| Duration::from_millis((seconds * 1000.0).round() as u64))
}

/// Serde for a duration as in the files.
pub mod duration {
    use super::*;

    /// Writes `1m30s`.
    pub fn serialize<S: Serializer>(duration: &Duration, s: S) -> Result<S::Ok, S::Error> {
        s.serialize_str(&format_duration(*duration))
    }

    /// Reads a string as in the files, or seconds.
    pub fn deserialize<'de, D: Deserializer<'de>>(d: D) -> Result<Duration, D::Error> {
        duration_of(&Value::deserialize(d)?).map_err(de::Error::custom)
    }
}

/// Serde for a duration that may be absent.
pub mod option_duration {
    use super::*;

    /// Writes `1m30s`, or null.
    pub fn serialize<S: Serializer>(duration: &Option<Duration>, s: S) -> Result<S::Ok, S::Error> {
        duration.map(format_duration).serialize(s)
    }

    /// Reads a string as in the files, seconds, or null.
    pub fn deserialize<'de, D: Deserializer<'de>>(d: D) -> Result<Option<Duration>, D::Error> {
        match Value::deserialize(d)? {
            Value::Null => Ok(None),
            value => duration_of(&value).map(Some).map_err(de::Error::custom),
        }
    }
}

/// Serde for a share between 0 and 1.
pub mod share {
    use super::*;

    /// Writes the fraction.
    pub fn serialize<S: Serializer>(share: &f64, s: S) -> Result<S::Ok, S::Error> {
        s.serialize_f64(*share)
    }

    /// Reads `"70%"`, or a fraction.
    pub fn deserialize<'de, D: Deserializer<'de>>(d: D) -> Result<f64, D::Error> {
        share_of(&Value::deserialize(d)?).map_err(de::Error::custom)
    }
}

/// A time in the world: a date, or so long after its start.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum When {
    /// This very time.
    At(Moment),
    /// So long after the world's start.
    After(Duration),
}

impl When {
    /// The moment that it means in a world that started then.
    pub fn moment(self, start: Moment) -> Moment {
        match self {
            When::At(moment) => moment,
            When::After(duration) => start.after(duration),
        }
    }
}

impl FromStr for When {
    type Err = String;
    fn from_str(text: &str) -> Result<When, String> {
        if let Ok(timestamp) = text.parse::<Timestamp>() {
            return Ok(When::At(timestamp.into()));
        }
        parse_duration(text).map(When::After).map_err(|_| {
            format!("`{text}` is neither an RFC 3339 time nor a duration since the world's start")
        })
    }
}

impl fmt::Display for When {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            When::At(moment) => moment.timestamp().fmt(f),
            When::After(duration) => f.write_str(&format_duration(*duration)),
        }
    }
}

impl Serialize for When {
    fn serialize<S: Serializer>(&self, s: S) -> Result<S::Ok, S::Error> {
        s.collect_str(self)
    }
}

impl<'de> Deserialize<'de> for When {
    fn deserialize<D: Deserializer<'de>>(d: D) -> Result<When, D::Error> {
        match Value::deserialize(d)? {
            Value::String(text) => text.parse().map_err(de::Error::custom),
            other => duration_of(&other)
                .map(When::After)
                .map_err(de::Error::custom),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn durations_are_read_as_in_the_files_and_nothing_else() {
        for (text, seconds) in [
            ("90s", 90.0),
            ("2h30m", 9_000.0),
            ("1.5h", 5_400.0),
            ("28d", 2_419_200.0),
            ("250ms", 0.25),
            ("0s", 0.0),
        ] {
            assert_eq!(
                parse_duration(text).map(|d| d.as_secs_f64()),
                Ok(seconds),
                "{text}"
            );
        }
        for text in [
            "",
            "5",
            "5 years",
            "-3s",
            "1e400s",
            "s",
            "9999999999999w",
            "1..2s",
        ] {
            assert!(parse_duration(text).is_err(), "{text}");
        }
    }

    #[test]
    fn shares_stay_between_nothing_and_all() {
        assert_eq!(share_of(&Value::from("10%")), Ok(0.1));
        assert_eq!(share_of(&Value::from(0.25)), Ok(0.25));
        for wrong in [Value::from("10"), Value::from("101%"), Value::from(-0.1)] {
            assert!(share_of(&wrong).is_err(), "{wrong}");
        }
    }

    #[test]
    fn a_time_is_a_date_or_a_distance_from_the_start() {
        let start = Moment(1_000);
        let at = |text: &str| text.parse::<When>().map(|when| when.moment(start));
        assert_eq!(at("2s"), Ok(Moment(3_000)));
        assert_eq!(at("1970-01-01T00:00:05Z"), Ok(Moment(5_000)));
        assert!(at("soon").is_err());
    }
}
