//! What a decision must remember of the past: a bounded value, kept by the caller.
//!
//! It survives time that stands still, jumps back or leaps: what lies in the future counts as now,
//! and what no rule can see any more is dropped.

use std::time::Duration;

use jiff::Timestamp;
use serde::{Deserialize, Serialize};
use tideform_policies::model::{Capacity, Direction, Name};

use super::rules::Rules;

/// `by` of the changes that tideform's own decisions made; only these start cooldowns.
pub const BY_TIDEFORM: &str = "tideform";

/// Most entries that any list keeps, whatever the windows and the clock do.
const MOST: usize = 512;

/// What a decision must remember. An empty one is a group never seen before.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Memory {
    /// Accepted changes, oldest first.
    #[serde(default)]
    pub actions: Vec<Action>,
    /// What the metrics together wanted, before stabilization; oldest first.
    #[serde(default)]
    pub recommendations: Vec<Recommendation>,
    /// The guards that are tripped or about to trip or let go.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub guards: Vec<GuardMemory>,
    /// Metrics with `on_missing = "scale_out"` that have no data.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub missing: Vec<MissingSince>,
    /// The last fallback to on demand.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub fallback: Option<FallbackMemory>,
}

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
    pub by: String,
}

fn by_tideform() -> String {
    BY_TIDEFORM.to_owned()
}

impl Action {
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

/// What the metrics together wanted at a time.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Recommendation {
    /// When.
    pub at: Timestamp,
    /// How many.
    pub desired: Capacity,
}

/// Where a guard stands.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct GuardMemory {
    /// The label of its block.
    pub guard: Name,
    /// It acts.
    pub is_tripped: bool,
    /// Since when its condition has been what it takes to trip it, or to let go.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub since: Option<Timestamp>,
    /// The newest time that was looked at.
    pub seen: Timestamp,
}

/// Since when a metric has had no data.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct MissingSince {
    /// Which.
    pub metric: Name,
    /// The first decision without data.
    pub since: Timestamp,
}

/// A fallback to on demand.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct FallbackMemory {
    /// When it ends or ended. Spot launches that failed before are not counted again.
    pub until: Timestamp,
}

impl Memory {
    /// Records a change that was accepted: it starts cooldowns and counts against rates. A change to the same
    /// number is none, and is not recorded.
    pub fn record(&mut self, action: Action) {
        if action.from == action.to {
            return;
        }
        let place = self
            .actions
            .partition_point(|earlier| earlier.at <= action.at);
        self.actions.insert(place, action);
        while self.actions.len() > MOST {
            self.merge_oldest_actions();
        }
    }

    /// Makes one action of the two oldest of a direction: the same sum, at the later time. Rates and cooldowns
    /// become stricter by it, never looser.
    fn merge_oldest_actions(&mut self) {
        for direction in [Direction::Out, Direction::In] {
            let mut places = (0..self.actions.len())
                .filter(|place| self.actions[*place].direction() == direction);
            let (Some(first), Some(second)) = (places.next(), places.next()) else {
                continue;
            };
            let size = self.actions[first].size();
            let later = &mut self.actions[second];
            match direction {
                Direction::Out => later.to = later.to.saturating_add(size),
                Direction::In => later.from = later.from.saturating_add(size),
                Direction::Hold => {}
            }
            self.actions.remove(first);
            return;
        }
        self.actions.remove(0);
    }

    /// Takes back what lies in the future, and forgets what no rule sees any more.
    pub(super) fn settle(&mut self, rules: &Rules, now: Timestamp) {
        if !self.actions.is_sorted_by_key(|action| action.at) {
            self.actions.sort_by_key(|action| action.at);
        }
        if !self.recommendations.is_sorted_by_key(|r| r.at) {
            self.recommendations.sort_by_key(|r| r.at);
        }
        for action in self.actions.iter_mut().rev() {
            if action.at <= now {
                break;
            }
            action.at = now;
        }
        for recommendation in self.recommendations.iter_mut().rev() {
            if recommendation.at <= now {
                break;
            }
            recommendation.at = now;
        }
        for missing in &mut self.missing {
            missing.since = missing.since.min(now);
        }
        for guard in &mut self.guards {
            guard.seen = guard.seen.min(now);
            guard.since = guard.since.map(|since| since.min(now));
        }
        let policy = &rules.group().policy;
        if self.actions.len() > 2 {
            // The newest of each direction stays: what has been done since a metric went missing is asked
            // however long ago it was.
            let newest = |direction| {
                self.actions
                    .iter()
                    .rposition(|action| action.direction() == direction)
            };
            let kept = [newest(Direction::Out), newest(Direction::In)];
            let mut place = 0;
            self.actions.retain(|action| {
                let keep = kept.contains(&Some(place)) || age(now, action.at) <= rules.keep_actions;
                place += 1;
                keep
            });
        }
        // The newest stays, so that a group once seen is never taken for a new one.
        let window = policy
            .scale_in
            .stabilization
            .max(policy.scale_out.stabilization);
        if let Some(last) = self.recommendations.len().checked_sub(1) {
            let outdated = self
                .recommendations
                .iter()
                .take(last)
                .take_while(|recommendation| age(now, recommendation.at) >= window)
                .count();
            self.recommendations.drain(..outdated);
        }
    }

    /// Logs what the metrics want now.
    pub(super) fn log(&mut self, now: Timestamp, desired: Capacity) {
        match self.recommendations.last_mut() {
            // Of the same want only the newest counts in any window.
            Some(last) if last.desired == desired => {
                last.at = now;
            }
            _ => self
                .recommendations
                .push(Recommendation { at: now, desired }),
        }
        if self.recommendations.len() > MOST {
            self.thin_recommendations();
        }
    }

    /// Keeps of the recommendations only those that can still be the largest or the smallest of a window;
    /// if these are too many, the two oldest become one that holds back longer.
    fn thin_recommendations(&mut self) {
        let mut smallest = u32::MAX;
        let mut largest = 0;
        let mut kept: Vec<Recommendation> = Vec::with_capacity(self.recommendations.len());
        for recommendation in self.recommendations.iter().rev() {
            let n = recommendation.desired.get();
            if kept.is_empty() || n < smallest || n > largest {
                kept.push(*recommendation);
                smallest = smallest.min(n);
                largest = largest.max(n);
            }
        }
        kept.reverse();
        if kept.len() > MOST / 2 {
            let cut = kept.len() - MOST / 2;
            // Every one that is left is an extreme of all after it, so the extremes of the cut stand for it.
            let at = kept[cut].at;
            let low = kept[..cut].iter().map(|r| r.desired).min();
            let high = kept[..cut].iter().map(|r| r.desired).max();
            kept.drain(..cut);
            for desired in [low, high].into_iter().flatten() {
                kept.insert(0, Recommendation { at, desired });
            }
        }
        self.recommendations = kept;
    }

    /// The last growth, by anyone.
    pub(super) fn last_out(&self) -> Option<&Action> {
        self.actions
            .iter()
            .rev()
            .find(|action| action.direction() == Direction::Out)
    }

    /// Where a guard stands.
    pub(super) fn guard(&self, name: &str) -> Option<&GuardMemory> {
        self.guards.iter().find(|guard| &*guard.guard == name)
    }
}

/// How long ago; none for what lies in the future.
pub(super) fn age(now: Timestamp, at: Timestamp) -> Duration {
    Duration::try_from(now.duration_since(at)).unwrap_or(Duration::ZERO)
}

/// A time so much later, stopping at the end of time.
pub(super) fn later(at: Timestamp, by: Duration) -> Timestamp {
    at.checked_add(by).unwrap_or(Timestamp::MAX)
}
