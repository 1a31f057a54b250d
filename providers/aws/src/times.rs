//! Times and durations between the SDK's types and ours.

use aws_smithy_types::DateTime;
use jiff::Timestamp;

/// The SDK's time as ours; `None` beyond the years that we know.
pub(crate) fn timestamp(time: &DateTime) -> Option<Timestamp> {
    Timestamp::new(time.secs(), i32::try_from(time.subsec_nanos()).ok()?).ok()
}

/// Our time as the SDK's, cut to whole seconds: no API here has finer ones.
pub(crate) fn date_time(time: Timestamp) -> DateTime {
    DateTime::from_secs(time.as_second())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn times_survive_the_way_there_and_back() {
        let time: Timestamp = "2026-11-27T06:00:00Z".parse().unwrap();
        assert_eq!(timestamp(&date_time(time)), Some(time));
        assert_eq!(timestamp(&DateTime::from_secs(i64::MAX)), None);
    }
}
