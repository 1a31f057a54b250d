//! Units and small shared words: capacities, shares, directions, names.
//!
//! Everything here is a value that cannot be wrong once it exists. No I/O, no clock.

use std::fmt;
use std::time::Duration;

use serde::{Deserialize, Serialize};

/// A number of instances, or of weighted units where any instance type of a group has a weight.
#[derive(
    Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize,
)]
#[serde(transparent)]
pub struct Capacity(pub u32);

impl Capacity {
    /// No instances.
    pub const ZERO: Capacity = Capacity(0);

    /// The number itself.
    pub const fn get(self) -> u32 {
        self.0
    }

    /// The sum, stopping at the largest capacity instead of wrapping.
    pub const fn saturating_add(self, other: u32) -> Capacity {
        Capacity(self.0.saturating_add(other))
    }

    /// The difference, stopping at zero.
    pub const fn saturating_sub(self, other: u32) -> Capacity {
        Capacity(self.0.saturating_sub(other))
    }
}

impl fmt::Display for Capacity {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

impl From<u32> for Capacity {
    fn from(n: u32) -> Capacity {
        Capacity(n)
    }
}

/// Which way a capacity moves.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Direction {
    /// Fewer instances.
    In,
    /// No change.
    Hold,
    /// More instances.
    Out,
}

impl Direction {
    /// The direction of a move between two capacities.
    pub fn between(from: Capacity, to: Capacity) -> Direction {
        match to.cmp(&from) {
            std::cmp::Ordering::Less => Direction::In,
            std::cmp::Ordering::Equal => Direction::Hold,
            std::cmp::Ordering::Greater => Direction::Out,
        }
    }
}

impl fmt::Display for Direction {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Direction::In => "scale in",
            Direction::Hold => "hold",
            Direction::Out => "scale out",
        })
    }
}

/// A value and the value that takes its place.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Change<T> {
    /// What was.
    pub before: T,
    /// What will be.
    pub after: T,
}

/// A share of a capacity or a ratio, as a fraction: `"70%"` is `0.7`. Finite and not negative.
#[derive(Clone, Copy, Debug, PartialEq, PartialOrd, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Share(pub f64);

impl Share {
    /// The fraction: `0.7` of `"70%"`.
    pub const fn fraction(self) -> f64 {
        self.0
    }
    /// The percentage: `70.0` of `"70%"`.
    pub fn percent(self) -> f64 {
        // Written as percent in the files: undo the division without its rounding error.
        (self.0 * 100.0 * 1e9).round() / 1e9
    }
}

impl fmt::Display for Share {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}%", self.percent())
    }
}

/// A name that a user gave to a metric, schedule, surge, guard or freeze.
pub type Name = std::sync::Arc<str>;

/// Writes a duration as the files do: `90s`, `2m`, `1h30m`, `28d`; `0s` for none.
pub fn format_duration(duration: Duration) -> String {
    let mut rest = duration.as_secs();
    let millis = duration.subsec_millis();
    let mut text = String::new();
    for (unit, seconds) in [("d", 86_400), ("h", 3_600), ("m", 60), ("s", 1)] {
        let n = rest / seconds;
        rest %= seconds;
        if n > 0 {
            text.push_str(&format!("{n}{unit}"));
        }
    }
    if millis > 0 {
        text.push_str(&format!("{millis}ms"));
    }
    if text.is_empty() {
        text.push_str("0s");
    }
    text
}

/// Durations as whole and fractional seconds in JSON, for fields that end in their unit (`_s`).
pub mod seconds {
    use std::time::Duration;

    use serde::{Deserialize, Deserializer, Serializer, de::Error};

    /// Writes whole seconds as an integer, others as a float.
    pub fn serialize<S: Serializer>(duration: &Duration, s: S) -> Result<S::Ok, S::Error> {
        if duration.subsec_nanos() == 0 {
            s.serialize_u64(duration.as_secs())
        } else {
            s.serialize_f64(duration.as_secs_f64())
        }
    }

    /// Reads a number of seconds; refuses what is negative or not finite.
    pub fn deserialize<'de, D: Deserializer<'de>>(d: D) -> Result<Duration, D::Error> {
        let seconds = f64::deserialize(d)?;
        Duration::try_from_secs_f64(seconds).map_err(D::Error::custom)
    }

    /// The same for a duration that may be absent.
    pub mod option {
        use super::{Deserialize, Deserializer, Duration, Error, Serializer};

        /// Writes seconds, or null.
        pub fn serialize<S: Serializer>(d: &Option<Duration>, s: S) -> Result<S::Ok, S::Error> {
            match d {
                Some(duration) => super::serialize(duration, s),
                None => s.serialize_none(),
            }
        }

        /// Reads seconds, or null.
        pub fn deserialize<'de, D: Deserializer<'de>>(d: D) -> Result<Option<Duration>, D::Error> {
            Option::<f64>::deserialize(d)?
                .map(|s| Duration::try_from_secs_f64(s).map_err(D::Error::custom))
                .transpose()
        }
    }
}
