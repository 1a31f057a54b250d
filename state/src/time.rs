//! Times as the database keeps them: whole milliseconds since 1970 in UTC.
//!
//! Milliseconds cover every time that `Timestamp` can hold, and are read by any SQLite tool.

use std::time::Duration;

use jiff::Timestamp;

use crate::error::StateError;

/// The column's value; what is finer than a millisecond is cut off.
pub(crate) fn millis(time: Timestamp) -> i64 {
    time.as_millisecond()
}

/// A duration in milliseconds, stopping at the largest.
pub(crate) fn millis_of(duration: Duration) -> i64 {
    i64::try_from(duration.as_millis()).unwrap_or(i64::MAX)
}

/// The time of a column.
pub(crate) fn timestamp(millis: i64) -> Result<Timestamp, StateError> {
    Timestamp::from_millisecond(millis).map_err(|error| StateError::Corrupt {
        problem: format!("{millis} is no time in milliseconds: {error}"),
    })
}

/// The same for a column that may be absent.
pub(crate) fn optional(millis: Option<i64>) -> Result<Option<Timestamp>, StateError> {
    millis.map(timestamp).transpose()
}

/// `time` cut to what the state keeps.
pub(crate) fn kept(time: Timestamp) -> Timestamp {
    // A time that was a timestamp stays one when its fraction is cut off.
    Timestamp::from_millisecond(time.as_millisecond()).unwrap_or(time)
}
