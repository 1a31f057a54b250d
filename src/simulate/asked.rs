//! What people would have asked for while a load goes by: pins and surges, at times of the run.

use jiff::Timestamp;
use tideform_policies::model::Capacity;

use crate::engine::{ActiveSurge, Overrides, Pin};

/// A capacity that is pinned for a time.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Pinned {
    /// In units.
    pub capacity: Capacity,
    /// Included.
    pub from: Timestamp,
    /// Excluded.
    pub until: Timestamp,
}

/// What is asked for in a run.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Asked {
    /// Pins; of several at a time the last one that began.
    pub pins: Vec<Pinned>,
    /// Surges; they know their own time.
    pub surges: Vec<ActiveSurge>,
}

impl Asked {
    /// Whether nothing is.
    pub fn is_empty(&self) -> bool {
        self.pins.is_empty() && self.surges.is_empty()
    }

    /// The pin of a time.
    pub(super) fn pin_at(&self, now: Timestamp) -> Option<Pinned> {
        let holds = |pin: &&Pinned| pin.from <= now && now < pin.until;
        self.pins
            .iter()
            .filter(holds)
            .max_by_key(|pin| pin.from)
            .copied()
    }

    /// Brings what a decision sees up to a time; surges are seen as a whole, since decisions know when they begin.
    pub(super) fn show(&self, now: Timestamp, seen: &mut Overrides) {
        if self.pins.is_empty() {
            return;
        }
        seen.pin = self.pin_at(now).map(|pin| Pin {
            capacity: pin.capacity,
            until: pin.until,
            reason: None,
            by: "simulate".to_owned(),
        });
    }
}
