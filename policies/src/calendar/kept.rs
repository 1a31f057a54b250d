//! The newest answer of a schedule, kept so that any thread reads it without waiting.

use std::sync::atomic::{AtomicI64, AtomicU64, Ordering, fence};

use jiff::Timestamp;

/// Whether a schedule is open, from a time up to a time; both in whole seconds from 1970 on.
///
/// A sequence lock. The number is odd while an answer is written; a reader that meets an odd one, or two different
/// ones around its reading, has read nothing.
#[derive(Debug, Default)]
pub(super) struct Kept {
    number: AtomicU64,
    from: AtomicI64,
    until: AtomicI64,
    /// 0 or 1.
    is_open: AtomicI64,
}

impl Kept {
    /// Whether the schedule is open at `now`, if what is kept tells.
    #[inline]
    pub(super) fn is_open_at(&self, now: Timestamp) -> Option<bool> {
        let number = self.number.load(Ordering::Acquire);
        let from = self.from.load(Ordering::Relaxed);
        let until = self.until.load(Ordering::Relaxed);
        let is_open = self.is_open.load(Ordering::Relaxed) == 1;
        fence(Ordering::Acquire);
        let is_whole = number.is_multiple_of(2) && number == self.number.load(Ordering::Relaxed);
        let second = now.as_second();
        (is_whole && from <= second && second < until).then_some(is_open)
    }

    /// Keeps an answer, cut to whole seconds. One writer at a time: the caller holds a lock.
    pub(super) fn keep(&self, from: Timestamp, until: Timestamp, is_open: bool) {
        let first_whole = from.as_second() + i64::from(from.subsec_nanosecond() > 0);
        let number = self.number.load(Ordering::Relaxed);
        self.number.store(number.wrapping_add(1), Ordering::Relaxed);
        fence(Ordering::Release);
        // Seconds before 1970 are cut the other way, so none is kept.
        self.from.store(first_whole.max(1), Ordering::Relaxed);
        self.until.store(until.as_second(), Ordering::Relaxed);
        self.is_open.store(i64::from(is_open), Ordering::Relaxed);
        self.number.store(number.wrapping_add(2), Ordering::Release);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(second: i64, nano: i32) -> Timestamp {
        Timestamp::new(second, nano).expect("a time")
    }

    #[test]
    fn an_answer_is_kept_for_the_whole_seconds_that_it_surely_holds() {
        let kept = Kept::default();
        assert_eq!(kept.is_open_at(at(5, 0)), None);
        kept.keep(at(10, 1), at(20, 5), true);
        for (now, want) in [
            (at(10, 0), None),
            (at(10, 999_999_999), None),
            (at(11, 0), Some(true)),
            (at(19, 999_999_999), Some(true)),
            (at(20, 0), None),
        ] {
            assert_eq!(kept.is_open_at(now), want, "{now}");
        }
        kept.keep(Timestamp::MIN, at(7, 0), false);
        assert_eq!(kept.is_open_at(at(6, 0)), Some(false));
        assert_eq!(kept.is_open_at(at(-6, 0)), None);
        assert_eq!(kept.is_open_at(at(11, 0)), None);
    }

    #[test]
    fn a_reader_beside_a_writer_never_sees_half_an_answer() {
        let kept = Kept::default();
        std::thread::scope(|scope| {
            scope.spawn(|| {
                for n in 1..20_000 {
                    // Open in even thousands only.
                    kept.keep(at(n * 1_000, 0), at((n + 1) * 1_000, 0), n % 2 == 0);
                }
            });
            for n in 1..20_000 {
                if let Some(is_open) = kept.is_open_at(at(n * 1_000 + 500, 0)) {
                    assert_eq!(is_open, n % 2 == 0);
                }
            }
        });
    }
}
