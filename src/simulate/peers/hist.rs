//! Hist: what the hour of the day has needed before, and a correction where that is short.
//!
//! Source: B. Urgaonkar, P. Shenoy, A. Chandra, P. Goyal and T. Wood, "Agile Dynamic Provisioning of Multi-Tier Internet
//! Applications" (2008), as restated in A. Bauer et al., "Chameleon" (2019).

use std::collections::{BTreeMap, VecDeque};

use jiff::tz::TimeZone;

use super::by_load::{Moment, Rule};
use crate::engine::round_out;

/// Of what the hour has needed.
pub const PERCENTILE: f64 = 0.9;

/// So many slots have to be known of an hour before it says anything.
pub const LEAST_KNOWN: u64 = 4;

/// Of so many past slots ...
pub const WATCHED: usize = 10;

/// ... more than so many were short: the demand of now counts, too.
pub const SHORT: usize = 5;

/// With so much head room.
pub const HEAD_ROOM: f64 = 1.05;

/// It.
#[derive(Clone, Debug, Default)]
pub struct Hist {
    /// How often an hour (UTC) has needed so many.
    hours: [BTreeMap<u32, u64>; 24],
    was_short: VecDeque<bool>,
}

impl Rule for Hist {
    const SLOTS: usize = 1;

    fn want(&mut self, moment: &Moment<'_>) -> u32 {
        let hour = |at: jiff::Timestamp| at.to_zoned(TimeZone::UTC).hour().unsigned_abs() as usize;
        let need = round_out(moment.demand);
        if let Some(known) = self.hours.get_mut(hour(moment.before)) {
            *known.entry(need).or_default() += 1;
        }
        if self.was_short.len() >= WATCHED {
            self.was_short.pop_front();
        }
        self.was_short.push_back(moment.serving < need);
        let known = self.hours.get(hour(moment.now));
        let want = known.and_then(percentile).unwrap_or(need);
        if self.was_short.iter().filter(|short| **short).count() > SHORT {
            want.max(round_out(HEAD_ROOM * moment.demand))
        } else {
            want
        }
    }
}

fn percentile(known: &BTreeMap<u32, u64>) -> Option<u32> {
    let all: u64 = known.values().sum();
    if all < LEAST_KNOWN {
        return None;
    }
    let rank = ((PERCENTILE * all as f64) as u64).min(all - 1);
    let mut below = 0;
    known.iter().find_map(|(need, times)| {
        below += times;
        (below > rank).then_some(*need)
    })
}
