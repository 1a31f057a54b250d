//! What was recommended lately, for stabilization: only what can still be the largest or the smallest of a look-back.
//!
//! A number that a later one reached or passed is the extreme of no look-back that ends now, so it is not kept.
//! Logging is O(1) amortized, the extreme of a look-back O(1) where the list holds one look-back only.

use std::collections::VecDeque;
use std::time::Duration;

use jiff::Timestamp;
use serde::{Deserialize, Deserializer, Serialize, Serializer};
use tideform_policies::model::Capacity;

use super::time::is_within;

/// Most entries of a chain, whatever the windows and the clock do.
const MOST: usize = 256;

/// What the metrics together wanted at a time.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Recommendation {
    /// When.
    pub at: Timestamp,
    /// How many.
    pub desired: Capacity,
}

/// The recommendations that can still matter, by time. Stored as a list, oldest first.
///
/// Both chains rise in time and end with the newest recommendation.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Recommendations {
    /// Each smaller than all after it.
    lowest: VecDeque<Recommendation>,
    /// Each larger than all after it.
    highest: VecDeque<Recommendation>,
}

impl Recommendations {
    /// Adds one. Of the same want in a row only the newest counts.
    #[inline]
    pub fn push(&mut self, new: Recommendation) {
        let (Some(low), Some(high)) = (self.lowest.back_mut(), self.highest.back_mut()) else {
            self.lowest.push_back(new);
            self.highest.push_back(new);
            return;
        };
        if new.desired == low.desired && new.at >= low.at {
            *low = new;
            *high = new;
        } else {
            self.add(new);
        }
    }

    /// Adds one that differs from the newest.
    #[inline(never)]
    fn add(&mut self, new: Recommendation) {
        if self.last().is_some_and(|last| new.at < last.at) {
            *self = self.iter().chain([new]).collect();
            return;
        }
        extend(&mut self.lowest, new, |old| old.desired < new.desired);
        extend(&mut self.highest, new, |old| old.desired > new.desired);
    }

    /// The newest.
    #[inline]
    pub fn last(&self) -> Option<Recommendation> {
        self.lowest.back().copied()
    }

    /// Whether nothing was ever recommended.
    #[inline]
    pub fn is_empty(&self) -> bool {
        self.lowest.is_empty()
    }

    /// How many are kept.
    pub fn len(&self) -> usize {
        (self.lowest.len() + self.highest.len()).saturating_sub(1)
    }

    /// All that are kept, oldest first.
    pub fn iter(&self) -> impl Iterator<Item = Recommendation> + '_ {
        // Both chains end with the newest, and have nothing else in common.
        let older = |chain: &VecDeque<Recommendation>| chain.len().saturating_sub(1);
        let mut lowest = self.lowest.iter().take(older(&self.lowest)).peekable();
        let mut highest = self.highest.iter().take(older(&self.highest)).peekable();
        std::iter::from_fn(move || match (lowest.peek(), highest.peek()) {
            (Some(low), Some(high)) if low.at <= high.at => lowest.next(),
            (Some(_), None) => lowest.next(),
            (_, _) => highest.next(),
        })
        .copied()
        .chain(self.last())
    }

    /// The smallest of a look-back; of equal ones the newest.
    #[inline]
    pub(super) fn lowest(&self, now: Timestamp, window: Duration) -> Option<Recommendation> {
        first_within(&self.lowest, now, window)
    }

    /// The largest of a look-back; of equal ones the newest: it holds for longest.
    #[inline]
    pub(super) fn highest(&self, now: Timestamp, window: Duration) -> Option<Recommendation> {
        first_within(&self.highest, now, window)
    }

    /// Takes back what lies in the future, and forgets what the longest look-back does not see any more. The newest
    /// stays, so that a group once seen is never taken for a new one.
    #[inline]
    pub(super) fn settle(&mut self, now: Timestamp, longest: Duration) {
        let is_ahead = self.last().is_some_and(|last| last.at > now);
        for chain in [&mut self.lowest, &mut self.highest] {
            if is_ahead {
                chain.iter_mut().for_each(|r| r.at = r.at.min(now));
            }
            while chain.len() > 1
                && let Some(oldest) = chain.front()
                && !is_within(now, oldest.at, longest)
            {
                chain.pop_front();
            }
        }
    }
}

/// Adds the newest to a chain, in the place of those that it outdoes.
#[inline]
fn extend(
    chain: &mut VecDeque<Recommendation>,
    new: Recommendation,
    stays: impl Fn(&Recommendation) -> bool,
) {
    while let Some(old) = chain.back()
        && !stays(old)
    {
        chain.pop_back();
    }
    chain.push_back(new);
    // Of too many the two oldest become one that holds back longer.
    if chain.len() > MOST
        && let Some(oldest) = chain.pop_front()
        && let Some(next) = chain.front_mut()
    {
        next.desired = oldest.desired;
    }
}

#[inline]
fn first_within(
    chain: &VecDeque<Recommendation>,
    now: Timestamp,
    window: Duration,
) -> Option<Recommendation> {
    if window.is_zero() {
        return None;
    }
    let is_seen = |r: &Recommendation| is_within(now, r.at, window);
    match chain.front() {
        Some(oldest) if is_seen(oldest) => Some(*oldest),
        // Where the other direction looks back further.
        Some(_) => chain.get(chain.partition_point(|r| !is_seen(r))).copied(),
        None => None,
    }
}

impl FromIterator<Recommendation> for Recommendations {
    fn from_iter<T: IntoIterator<Item = Recommendation>>(all: T) -> Recommendations {
        let mut all: Vec<Recommendation> = all.into_iter().collect();
        all.sort_by_key(|recommendation| recommendation.at);
        let mut kept = Recommendations::default();
        for recommendation in all {
            kept.push(recommendation);
        }
        kept
    }
}

impl<const N: usize> From<[Recommendation; N]> for Recommendations {
    fn from(all: [Recommendation; N]) -> Recommendations {
        Recommendations::from_iter(all)
    }
}

impl Serialize for Recommendations {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_seq(self.iter())
    }
}

impl<'de> Deserialize<'de> for Recommendations {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Recommendations, D::Error> {
        Vec::deserialize(deserializer).map(Recommendations::from_iter)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::engine::testing::{at, mins};

    fn recommendation(minutes: u32, desired: u32) -> Recommendation {
        Recommendation {
            at: at(f64::from(minutes)),
            desired: Capacity(desired),
        }
    }

    /// A wave, every third number a repetition, with new extremes now and then.
    fn wave(minutes: u32) -> u32 {
        let n = minutes / 3 * 2;
        if n.is_multiple_of(4) {
            n % 97
        } else {
            200 - n % 89
        }
    }

    #[test]
    fn the_extremes_of_every_look_back_are_those_of_all_that_was_recommended() {
        let mut kept = Recommendations::default();
        let mut all = Vec::new();
        for minute in 0..2_000 {
            let now = at(f64::from(minute));
            kept.settle(now, mins(300));
            kept.push(recommendation(minute, wave(minute)));
            all.push(recommendation(minute, wave(minute)));
            for window in [0, 1, 2, 7, 60, 299, 300] {
                let seen = || all.iter().rev().take(window as usize);
                let low = kept.lowest(now, mins(window)).map(|r| r.desired);
                assert_eq!(low, seen().map(|r| r.desired).min(), "{minute} {window}");
                let high = kept.highest(now, mins(window));
                // Of equal ones the newest.
                let want = seen().rev().max_by_key(|r| r.desired);
                assert_eq!(high, want.copied(), "{minute} {window}");
            }
        }
    }

    #[test]
    fn what_is_stored_reads_back_as_it_was() {
        let mut kept = Recommendations::default();
        for minute in 0..500 {
            // Three at each time.
            kept.push(recommendation(minute / 3, wave(minute)));
            let list: Vec<Recommendation> = kept.iter().collect();
            assert!(list.is_sorted_by_key(|r| r.at));
            assert_eq!(list.len(), kept.len());
            assert_eq!(list.last().copied(), kept.last());
            assert_eq!(list.into_iter().collect::<Recommendations>(), kept);
        }
        let text = serde_json::to_string(&kept).expect("JSON");
        let read: Recommendations = serde_json::from_str(&text).expect("a list");
        assert_eq!(read, kept);
    }

    #[test]
    fn one_that_comes_late_takes_its_place_in_time() {
        let mut kept = Recommendations::default();
        for (minute, desired) in [(0, 5), (2, 3), (1, 9)] {
            kept.push(recommendation(minute, desired));
        }
        let list: Vec<Recommendation> = kept.iter().collect();
        assert_eq!(list, [recommendation(1, 9), recommendation(2, 3)]);
    }

    #[test]
    fn a_ramp_without_end_is_bounded_and_holds_back() {
        for rises in [false, true] {
            let mut kept = Recommendations::default();
            for n in 0..20_000_u32 {
                kept.push(recommendation(n, if rises { n } else { 30_000 - n }));
            }
            assert!(kept.len() <= 2 * MOST);
            let now = at(20_000.0);
            let (low, high) = (
                kept.lowest(now, mins(99_999)),
                kept.highest(now, mins(99_999)),
            );
            let held = if rises { low } else { high };
            let first = if rises { 0 } else { 30_000 };
            assert_eq!(held.map(|r| r.desired), Some(Capacity(first)));
        }
    }

    #[test]
    fn the_newest_stays_and_what_lies_in_the_future_counts_as_now() {
        let mut kept = Recommendations::default();
        kept.push(recommendation(900, 7));
        kept.push(recommendation(901, 5));
        kept.settle(at(0.0), mins(5));
        let times: Vec<Timestamp> = kept.iter().map(|r| r.at).collect();
        assert_eq!(times, [at(0.0), at(0.0)]);
        kept.settle(at(600.0), mins(5));
        assert_eq!(kept.iter().collect::<Vec<_>>(), [recommendation(0, 5)]);
    }
}
