//! Arithmetic on times: whole seconds and nanoseconds as integers, without errors to make.

use std::time::Duration;

use jiff::Timestamp;

const NANOS: i32 = 1_000_000_000;

/// How long ago; none for what lies in the future.
#[inline]
pub(super) fn age(now: Timestamp, at: Timestamp) -> Duration {
    let mut seconds = now.as_second() - at.as_second();
    // Before 1970 the nanoseconds are negative.
    let mut nanos = now.subsec_nanosecond() - at.subsec_nanosecond();
    if nanos < 0 {
        nanos += NANOS;
        seconds -= 1;
        if nanos < 0 {
            nanos += NANOS;
            seconds -= 1;
        }
    }
    match (u64::try_from(seconds), u32::try_from(nanos)) {
        (Ok(seconds), Ok(nanos)) => Duration::new(seconds, nanos),
        (Err(_), _) | (_, Err(_)) => Duration::ZERO,
    }
}

/// Whether something is less than so long ago: `age(now, at) < span`, at one comparison unless it is about as long.
#[inline]
pub(super) fn is_within(now: Timestamp, at: Timestamp, span: Duration) -> bool {
    // The nanoseconds make less than two seconds of difference.
    const SLACK: i64 = 2;
    let seconds = now.as_second() - at.as_second();
    let span_s = i64::try_from(span.as_secs()).unwrap_or(i64::MAX);
    if seconds < span_s.saturating_sub(SLACK) {
        return !span.is_zero();
    }
    seconds <= span_s.saturating_add(SLACK) && age(now, at) < span
}

/// A time so much later, stopping at the end of time.
#[inline]
pub(super) fn later(at: Timestamp, by: Duration) -> Timestamp {
    if by > age(Timestamp::MAX, at) {
        return Timestamp::MAX;
    }
    at.checked_add(by).unwrap_or(Timestamp::MAX)
}

/// A time so much earlier, stopping at the beginning of time.
#[inline]
pub(super) fn earlier(at: Timestamp, by: Duration) -> Timestamp {
    if by > age(at, Timestamp::MIN) {
        return Timestamp::MIN;
    }
    at.checked_sub(by).unwrap_or(Timestamp::MIN)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ages_and_sums_are_the_calendar_s_own_and_stop_at_both_ends_of_time() {
        let nanos = [0, 1, 400_000_000, 999_999_999];
        let times: Vec<Timestamp> = [-377_705_023_201, -86_400, -1, 0, 1, 1_767_571_200]
            .into_iter()
            .flat_map(|second| nanos.map(|nano| (second, nano)))
            .flat_map(|(second, nano)| [(second, nano), (second, -nano)])
            .filter_map(|(second, nano)| Timestamp::new(second, nano).ok())
            .chain([Timestamp::MIN, Timestamp::MAX])
            .collect();
        let spans = [
            Duration::ZERO,
            Duration::from_nanos(1),
            Duration::from_millis(1_500),
            Duration::from_secs(600),
            Duration::from_secs(400_000_000_000),
            Duration::MAX,
        ];
        for a in &times {
            for b in &times {
                let want = Duration::try_from(a.duration_since(*b)).unwrap_or(Duration::ZERO);
                assert_eq!(age(*a, *b), want, "{a} after {b}");
            }
            for span in spans {
                let sum = a.checked_add(span).unwrap_or(Timestamp::MAX);
                assert_eq!(later(*a, span), sum, "{a} + {span:?}");
                let difference = a.checked_sub(span).unwrap_or(Timestamp::MIN);
                assert_eq!(earlier(*a, span), difference, "{a} - {span:?}");
                for b in &times {
                    let want = age(*a, *b) < span;
                    assert_eq!(is_within(*a, *b, span), want, "{a} after {b} by {span:?}");
                }
            }
        }
    }
}
