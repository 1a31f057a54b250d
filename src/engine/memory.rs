//! What a decision must remember of the past: a bounded value, kept by the caller.
//!
//! It survives time that stands still, jumps back or leaps: what lies in the future counts as now,
//! and what no rule can see any more is dropped.

use std::time::Duration;

use jiff::Timestamp;
use serde::{Deserialize, Serialize};
use tideform_policies::model::{Capacity, Direction, Name, OnMissing};

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

    /// Makes one action of the two oldest of a direction: the same sum, at the later time. Cooldowns stay as they
    /// are, and rates of that direction become stricter. A rate of the other direction counts the older change for
    /// longer too, and may allow as much more as that change was; only a `per` that sees this many changes can tell.
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
        // What no metric of the policy asks about any more would never be taken back.
        self.missing.retain(|missing| {
            policy.metrics.iter().any(|metric| {
                metric.name == missing.metric
                    && metric.rule.is_some()
                    && metric.on_missing == OnMissing::ScaleOut
            })
        });
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

#[cfg(test)]
mod tests {
    use super::*;
    use crate::engine::testing::{at, cpu_rules, mins};

    fn action(minutes: f64, from: u32, to: u32) -> Action {
        Action {
            at: at(minutes),
            from: Capacity(from),
            to: Capacity(to),
            by: BY_TIDEFORM.to_owned(),
        }
    }

    #[test]
    fn what_no_rule_sees_any_more_is_forgotten_but_the_last_of_each_direction() {
        let rules = cpu_rules(|policy| {
            policy.scale_in.cooldown = mins(10);
            policy.warmup = mins(3);
        });
        let mut memory = Memory::default();
        for (minutes, from, to) in [
            (-60.0, 2, 3),
            (-50.0, 3, 4),
            (-40.0, 4, 3),
            (-30.0, 3, 2),
            (-10.0, 2, 1),
            (-1.0, 1, 0),
        ] {
            memory.record(action(minutes, from, to));
        }
        memory.settle(&rules, at(0.0));
        let times: Vec<Timestamp> = memory.actions.iter().map(|action| action.at).collect();
        assert_eq!(times, [at(-50.0), at(-10.0), at(-1.0)]);
    }

    #[test]
    fn what_was_missing_is_kept_only_for_metrics_that_still_ask() {
        let rules = cpu_rules(|policy| {
            policy.metrics[0].on_missing = OnMissing::ScaleOut;
            let mut held = policy.metrics[0].clone();
            held.name = "held".into();
            held.on_missing = OnMissing::Hold;
            policy.metrics.push(held);
        });
        let mut memory = Memory::default();
        for name in ["cpu", "held", "gone"] {
            memory.missing.push(MissingSince {
                metric: name.into(),
                since: at(-1.0),
            });
        }
        memory.settle(&rules, at(0.0));
        let names: Vec<&str> = memory.missing.iter().map(|m| &*m.metric).collect();
        assert_eq!(names, ["cpu"]);
    }

    #[test]
    fn a_change_to_the_same_number_is_none() {
        let mut memory = Memory::default();
        memory.record(action(0.0, 4, 4));
        assert_eq!(memory, Memory::default());
    }

    #[test]
    fn actions_are_bounded_and_their_sum_is_kept() {
        let mut memory = Memory::default();
        for n in 0..5_000_u32 {
            memory.record(action(f64::from(n) / 60.0, n, n + 1));
        }
        assert_eq!(memory.actions.len(), MOST);
        let sum: u32 = memory.actions.iter().map(Action::size).sum();
        assert_eq!(sum, 5_000);
    }

    #[test]
    fn recommendations_are_bounded_and_keep_the_extremes_of_any_window() {
        let rules = cpu_rules(|policy| policy.scale_in.stabilization = mins(100_000));
        let mut memory = Memory::default();
        let mut all = Vec::new();
        for n in 0..3_000_u32 {
            // A triangle wave: every tenth a new extreme.
            let desired = Capacity(if n % 2 == 0 { n % 97 } else { 200 - n % 89 });
            memory.settle(&rules, at(f64::from(n)));
            memory.log(at(f64::from(n)), desired);
            all.push(Recommendation {
                at: at(f64::from(n)),
                desired,
            });
        }
        assert!(memory.recommendations.len() <= MOST);
        for from in [0, 100, 2_000, 2_900, 2_990, 2_999] {
            let extremes = |list: &[Recommendation]| {
                let values = || {
                    list.iter()
                        .filter(|r| r.at >= at(f64::from(from)))
                        .map(|r| r.desired)
                };
                (values().min(), values().max())
            };
            assert_eq!(
                extremes(&memory.recommendations),
                extremes(&all),
                "from {from}"
            );
        }
    }

    #[test]
    fn even_a_ramp_without_end_is_bounded_and_holds_back() {
        let mut memory = Memory::default();
        for n in 0..20_000_u32 {
            memory.log(at(f64::from(n)), Capacity(30_000 - n));
        }
        assert!(memory.recommendations.len() <= MOST);
        let highest = memory.recommendations.iter().map(|r| r.desired).max();
        assert!(highest >= Some(Capacity(30_000)), "{highest:?}");
    }

    #[test]
    fn what_lies_in_the_future_counts_as_now() {
        let rules = cpu_rules(|_| {});
        let mut memory = Memory::default();
        memory.record(action(900.0, 4, 5));
        memory.log(at(901.0), Capacity(5));
        memory.settle(&rules, at(0.0));
        assert_eq!(memory.actions[0].at, at(0.0));
        assert_eq!(memory.recommendations[0].at, at(0.0));
    }

    #[test]
    fn the_stored_form_reads_back_and_unknown_fields_are_refused() {
        let mut memory = Memory::default();
        memory.record(action(0.0, 4, 5));
        memory.log(at(0.0), Capacity(5));
        let text = serde_json::to_string(&memory).expect("JSON");
        assert_eq!(
            text,
            r#"{"actions":[{"at":"2026-01-05T12:00:00Z","from":4,"to":5,"by":"tideform"}],"recommendations":[{"at":"2026-01-05T12:00:00Z","desired":5}]}"#
        );
        assert_eq!(
            serde_json::from_str::<Memory>(&text).expect("memory"),
            memory
        );
        assert!(serde_json::from_str::<Memory>(r#"{"action":[]}"#).is_err());
    }
}
