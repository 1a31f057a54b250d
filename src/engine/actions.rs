//! Accepted changes, for cooldowns and rates: a short list, always in the order of time.

use std::borrow::Cow;
use std::ops::Deref;
use std::time::Duration;

use jiff::Timestamp;
use serde::{Deserialize, Deserializer, Serialize};
use tideform_policies::model::{Capacity, Direction};

use super::time::{age, is_within};

/// `by` of the changes that tideform's own decisions made; only these start cooldowns.
pub const BY_TIDEFORM: &str = "tideform";

/// Most changes that are kept, whatever the windows and the clock do.
const MOST: usize = 512;

/// An accepted change of the desired capacity.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Action {
    /// When it was accepted.
    pub at: Timestamp,
    /// The capacity before.
    pub from: Capacity,
    /// The capacity after.
    pub to: Capacity,
    /// Who: [`BY_TIDEFORM`], or somebody else.
    #[serde(default = "by_tideform")]
    pub by: Cow<'static, str>,
}

fn by_tideform() -> Cow<'static, str> {
    BY_TIDEFORM.into()
}

impl Action {
    /// A change by one of tideform's decisions.
    pub fn by_tideform(at: Timestamp, from: Capacity, to: Capacity) -> Action {
        Action {
            at,
            from,
            to,
            by: by_tideform(),
        }
    }

    /// Which way it went.
    pub fn direction(&self) -> Direction {
        Direction::between(self.from, self.to)
    }

    /// By how many units.
    pub fn size(&self) -> u32 {
        self.from.get().abs_diff(self.to.get())
    }

    /// A decision of tideform's, which starts cooldowns.
    pub fn is_by_tideform(&self) -> bool {
        self.by == BY_TIDEFORM
    }
}

/// Accepted changes, oldest first.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize)]
#[serde(transparent)]
pub struct Actions(Vec<Action>);

impl Deref for Actions {
    type Target = [Action];

    fn deref(&self) -> &[Action] {
        &self.0
    }
}

impl FromIterator<Action> for Actions {
    fn from_iter<T: IntoIterator<Item = Action>>(all: T) -> Actions {
        let mut all: Vec<Action> = all.into_iter().collect();
        all.sort_by_key(|action| action.at);
        Actions(all)
    }
}

impl<'de> Deserialize<'de> for Actions {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Actions, D::Error> {
        Vec::deserialize(deserializer).map(Actions::from_iter)
    }
}

impl Actions {
    /// Adds a change at its place in time.
    pub(super) fn record(&mut self, action: Action) {
        let place = self.partition_point(|earlier| earlier.at <= action.at);
        self.0.insert(place, action);
        while self.len() > MOST {
            self.merge_oldest();
        }
    }

    /// Makes one action of the two oldest of a direction: the same sum, at the later time. Cooldowns stay as they
    /// are, and rates of that direction become stricter. A rate of the other direction counts the older change for
    /// longer too, and may allow as much more as that change was; only a `per` that sees this many changes can tell.
    fn merge_oldest(&mut self) {
        for direction in [Direction::Out, Direction::In] {
            let mut places =
                (0..self.len()).filter(|place| self.0[*place].direction() == direction);
            let (Some(first), Some(second)) = (places.next(), places.next()) else {
                continue;
            };
            let size = self.0[first].size();
            let later = &mut self.0[second];
            match direction {
                Direction::Out => later.to = later.to.saturating_add(size),
                Direction::In => later.from = later.from.saturating_add(size),
                Direction::Hold => {}
            }
            self.0.remove(first);
            return;
        }
        self.0.remove(0);
    }

    /// Takes back what lies in the future, and forgets what no rule sees any more.
    #[inline]
    pub(super) fn settle(&mut self, now: Timestamp, keep: Duration) {
        if self.last().is_some_and(|last| last.at > now) {
            for action in &mut self.0 {
                action.at = action.at.min(now);
            }
        }
        if self.len() > 2
            && self
                .first()
                .is_some_and(|oldest| !is_within(now, oldest.at, keep))
        {
            self.forget(now, keep);
        }
    }

    /// The newest of each direction stays: what has been done since a metric went missing is asked however long ago
    /// it was.
    fn forget(&mut self, now: Timestamp, keep: Duration) {
        let newest = |direction| {
            self.iter()
                .rposition(|action| action.direction() == direction)
        };
        let kept = [newest(Direction::Out), newest(Direction::In)];
        let mut place = 0;
        self.0.retain(|action| {
            let stays = kept.contains(&Some(place)) || age(now, action.at) <= keep;
            place += 1;
            stays
        });
    }

    /// The last growth, by anyone.
    pub(super) fn last_out(&self) -> Option<&Action> {
        self.iter()
            .rev()
            .find(|action| action.direction() == Direction::Out)
    }
}
