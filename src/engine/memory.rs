//! What a decision must remember of the past: a bounded value, kept by the caller.
//!
//! It survives time that stands still, jumps back or leaps: what lies in the future counts as now,
//! and what no rule can see any more is dropped.

use jiff::Timestamp;
use serde::{Deserialize, Serialize};
use tideform_policies::model::{Capacity, Name, OnMissing};

use super::actions::{Action, Actions};
use super::recommendations::{Recommendation, Recommendations};
use super::rules::Rules;

/// What a decision must remember. An empty one is a group never seen before.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Memory {
    /// Accepted changes, oldest first.
    #[serde(default)]
    pub actions: Actions,
    /// What the metrics together wanted, before stabilization; oldest first, and only what can still matter.
    #[serde(default)]
    pub recommendations: Recommendations,
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
        if action.from != action.to {
            self.actions.record(action);
        }
    }

    /// Takes back what lies in the future, and forgets what no rule sees any more.
    #[inline]
    pub(super) fn settle(&mut self, rules: &Rules, now: Timestamp) {
        self.actions.settle(now, rules.keep_actions);
        self.recommendations.settle(now, rules.keep_recommendations);
        for guard in &mut self.guards {
            guard.seen = guard.seen.min(now);
            guard.since = guard.since.map(|since| since.min(now));
        }
        if self.missing.is_empty() {
            return;
        }
        for missing in &mut self.missing {
            missing.since = missing.since.min(now);
        }
        // What no metric of the policy asks about any more would never be taken back.
        self.missing.retain(|missing| {
            rules.group().policy.metrics.iter().any(|metric| {
                metric.name == missing.metric
                    && metric.rule.is_some()
                    && metric.on_missing == OnMissing::ScaleOut
            })
        });
    }

    /// Logs what the metrics want now.
    #[inline]
    pub(super) fn log(&mut self, now: Timestamp, desired: Capacity) {
        self.recommendations
            .push(Recommendation { at: now, desired });
    }

    /// The last growth, by anyone.
    pub(super) fn last_out(&self) -> Option<&Action> {
        self.actions.last_out()
    }

    /// Where a guard stands.
    pub(super) fn guard(&self, name: &str) -> Option<&GuardMemory> {
        self.guards.iter().find(|guard| &*guard.guard == name)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::engine::testing::{at, cpu_rules, mins};

    fn action(minutes: f64, from: u32, to: u32) -> Action {
        Action::by_tideform(at(minutes), Capacity(from), Capacity(to))
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
    fn a_stored_change_without_a_name_is_tideforms_own() {
        let text = r#"{"at":"2026-01-05T12:00:00Z","from":4,"to":5}"#;
        let action: Action = serde_json::from_str(text).expect("an action");
        assert!(action.is_by_tideform());
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
        assert_eq!(memory.actions.len(), 512);
        let sum: u32 = memory.actions.iter().map(Action::size).sum();
        assert_eq!(sum, 5_000);
    }

    #[test]
    fn what_lies_in_the_future_counts_as_now() {
        let rules = cpu_rules(|_| {});
        let mut memory = Memory::default();
        memory.record(action(900.0, 4, 5));
        memory.log(at(901.0), Capacity(5));
        memory.settle(&rules, at(0.0));
        assert_eq!(memory.actions[0].at, at(0.0));
        assert_eq!(memory.recommendations.last().map(|r| r.at), Some(at(0.0)));
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
