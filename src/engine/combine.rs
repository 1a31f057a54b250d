//! The opinions become one number: the largest, the majority's, or a weighted one.

use tideform_policies::model::{Capacity, Combine, MetricReading, Rule, WeightedConstants};

use super::memory::Memory;
use super::moment::{Moment, Sink};
use super::numbers::round_in;
use super::opinion::{Opinion, most, opinion};
use super::reason::{Combination, Reason};
use super::time::{age, is_within};
use super::track::average_want;

/// All opinions, added up as they come.
#[derive(Clone, Copy, Debug, Default)]
struct Tally {
    /// Metrics with a rule that take part.
    metrics: u32,
    /// Of these, the ones that did not abstain.
    wants: u32,
    has_no_data: bool,
    largest: u32,
    out: u32,
    smallest_out: u32,
    r#in: u32,
    largest_in: u32,
    scores: f64,
    weights: f64,
}

impl Tally {
    fn add(&mut self, opinion: Opinion, weight: f64, current: u32) {
        self.metrics += 1;
        let (want, score) = match opinion {
            Opinion::Abstain => return,
            Opinion::NoData => {
                self.has_no_data = true;
                return;
            }
            Opinion::Want { want, score } => (want, score),
            Opinion::Added { want } => {
                self.has_no_data = true;
                (want, 1.0)
            }
        };
        self.wants += 1;
        self.largest = self.largest.max(want);
        if want > current {
            self.smallest_out = if self.out == 0 {
                want
            } else {
                self.smallest_out.min(want)
            };
            self.out += 1;
        } else if want < current {
            self.largest_in = self.largest_in.max(want);
            self.r#in += 1;
        }
        if weight.is_finite() && weight > 0.0 {
            self.scores += weight * score;
            self.weights += weight;
        }
    }
}

/// Asks every metric with a rule, and makes one number of what they say.
pub(super) fn combine(
    moment: &Moment<'_>,
    floor: u32,
    memory: &mut Memory,
    sink: &mut impl Sink,
) -> u32 {
    let mut tally = Tally::default();
    let mut has_rule = false;
    for (place, metric) in moment.policy.metrics.iter().enumerate() {
        let Some(rule) = &metric.rule else { continue };
        has_rule = true;
        let left_out = &moment.seen.left_out;
        if !left_out.is_empty() && left_out.contains(&metric.name) {
            continue;
        }
        let opinion = opinion(moment, place, rule, memory, sink);
        tally.add(opinion, metric.weight, moment.current);
    }
    let (after, combination) = if has_rule {
        decide_from(&tally, moment.policy.combine, moment.current)
    } else {
        (floor, Combination::Floor)
    };
    sink.say(|| Reason::Combined {
        combination,
        before: Capacity(moment.current),
        after: Capacity(after),
    });
    after
}

/// The number of [`combine`] in the commonest case, for when nobody asks for the reasons: every metric with a rule is
/// tracked by the mean over instances that are all ready, and has just been sampled, and the largest want counts.
#[inline]
pub(super) fn plain(moment: &Moment<'_>, memory: &Memory) -> Option<u32> {
    let (policy, seen, current) = (moment.policy, moment.seen, moment.current);
    let is_settled = current > 0 && moment.units.ready == current && moment.units.warming == 0;
    if !is_settled || !memory.missing.is_empty() || !seen.left_out.is_empty() {
        return None;
    }
    let mut largest = None;
    for place in moment.rules.tracked.as_deref()? {
        let metric = policy.metrics.get(*place)?;
        let Some(Rule::Track(track)) = &metric.rule else {
            return None;
        };
        if let Some(Some(_)) = seen.spreads.get(*place) {
            return None;
        }
        let Some(MetricReading::Group(samples)) = seen.metrics.at(*place, &metric.name) else {
            return None;
        };
        let newest = samples.last()?;
        let fresh = moment.rules.metrics.get(*place)?.fresh;
        let is_fresh =
            is_within(moment.now, newest.at, fresh) || age(moment.now, newest.at) == fresh;
        if !newest.value.is_finite() || newest.at > moment.now || !is_fresh {
            return None;
        }
        let (_, want) = average_want(track, newest.value, current, current);
        let want = want.map_or(current, |want| most(metric, want, current).unwrap_or(want));
        largest = largest.max(Some(want));
    }
    largest
}

fn decide_from(tally: &Tally, combine: Combine, current: u32) -> (u32, Combination) {
    if tally.wants == 0 {
        return (current, Combination::NoOpinion);
    }
    // Absent data never removes an instance.
    let hold = |number: u32| {
        let is_held = tally.has_no_data && number < current;
        (if is_held { current } else { number }, is_held)
    };
    match combine {
        Combine::Max => {
            let (number, is_held_by_missing_data) = hold(tally.largest);
            (
                number,
                Combination::Max {
                    is_held_by_missing_data,
                },
            )
        }
        Combine::Majority => {
            let more_than_half = |votes: u32| u64::from(votes) * 2 > u64::from(tally.metrics);
            let number = if more_than_half(tally.out) {
                tally.smallest_out
            } else if more_than_half(tally.r#in) {
                tally.largest_in
            } else {
                current
            };
            (
                number,
                Combination::Majority {
                    out: tally.out,
                    r#in: tally.r#in,
                    of: tally.metrics,
                },
            )
        }
        Combine::Weighted(constants) => {
            let score = if tally.weights > 0.0 && tally.weights.is_finite() {
                tally.scores / tally.weights
            } else {
                0.0
            };
            let (number, is_held_by_missing_data) = hold(weighted(constants, score, current));
            (
                number,
                Combination::Weighted {
                    score,
                    is_held_by_missing_data,
                },
            )
        }
    }
}

/// `1 + floor(step x |score|)` more or fewer, once the score leaves the band.
fn weighted(constants: WeightedConstants, score: f64, current: u32) -> u32 {
    if score > constants.out_above {
        current.saturating_add(round_in(constants.out_step * score).saturating_add(1))
    } else if score < -constants.in_below {
        current.saturating_sub(round_in(constants.in_step * -score).saturating_add(1))
    } else {
        current
    }
}

#[cfg(test)]
mod tests {
    use tideform_policies::model::{Adjustment, Combine, OnMissing, Rule};

    use super::*;
    use crate::engine::testing::{
        above, at, below, cpu_rules, decided, instance, limits, metric, rules, seen, track,
    };
    use crate::engine::{Recommendation, Rules};

    /// Three tracked metrics, a step metric and one without a rule; at 10, seen before.
    fn four(combine: Combine) -> Rules {
        rules(|policy| {
            policy.combine = combine;
            for name in ["a", "b", "c"] {
                policy.metrics.push(metric(name, track(50.0)));
            }
            policy.metrics.push(metric(
                "s",
                Some(Rule::Steps(vec![
                    above(100.0, None, Adjustment::Add(3)),
                    below(10.0, None, Adjustment::Remove(3)),
                ])),
            ));
            policy.metrics.push(metric("watched", None));
        })
    }

    fn want(rules: &Rules, metrics: &[(&str, f64)]) -> u32 {
        let memory = Memory {
            recommendations: [Recommendation {
                at: at(-60.0),
                desired: Capacity(10),
            }]
            .into(),
            ..Memory::default()
        };
        decided(rules, &seen(10, metrics, at(0.0)), &memory, at(0.0))
            .desired
            .get()
    }

    #[test]
    fn max_takes_the_largest_want_and_absent_data_removes_nothing() {
        let rules = four(Combine::Max);
        for (metrics, expected) in [
            (vec![("a", 60.0), ("b", 75.0), ("c", 20.0), ("s", 50.0)], 15),
            (vec![("a", 20.0), ("b", 30.0), ("c", 25.0), ("s", 50.0)], 6),
            (vec![("a", 20.0), ("b", 30.0), ("c", 25.0), ("s", 5.0)], 7),
            (vec![("a", 20.0), ("b", 30.0), ("s", 5.0)], 10),
            (vec![("a", 20.0), ("b", 75.0), ("s", 5.0)], 15),
            (vec![("watched", 99.0)], 10),
            (vec![], 10),
        ] {
            assert_eq!(want(&rules, &metrics), expected, "{metrics:?}");
        }
    }

    #[test]
    fn a_metric_that_is_left_out_leaves_the_others_in() {
        let rules = four(Combine::Max);
        let mut seen = seen(10, &[("a", 75.0), ("b", 60.0)], at(0.0));
        seen.left_out.insert("a".into());
        for left_out in ["c", "s"] {
            seen.left_out.insert(left_out.into());
        }
        let decision = decided(&rules, &seen, &Memory::default(), at(0.0));
        assert_eq!(decision.desired.get(), 12, "{:#?}", decision.reasons);
    }

    fn combination(rules: &Rules, metrics: &[(&str, f64)]) -> Combination {
        let seen = seen(10, metrics, at(0.0));
        let decision = decided(rules, &seen, &Memory::default(), at(0.0));
        let said = decision.reasons.iter().find_map(|reason| match reason {
            Reason::Combined { combination, .. } => Some(*combination),
            _ => None,
        });
        said.expect("a combination")
    }

    #[test]
    fn absent_data_is_named_only_where_it_held_something() {
        for (metrics, is_held_by_missing_data) in [
            (vec![("a", 30.0)], true),
            (vec![("a", 50.0)], false),
            (vec![("a", 90.0)], false),
        ] {
            assert_eq!(
                combination(&four(Combine::Max), &metrics),
                Combination::Max {
                    is_held_by_missing_data
                },
                "{metrics:?}"
            );
        }
    }

    #[test]
    fn a_weight_that_is_no_positive_number_counts_nothing() {
        for (weights, score) in [
            ([1.0, 1.0], 0.0),
            ([1.0, 0.0], 1.0),
            ([1.0, -1.0], 1.0),
            ([1.0, f64::INFINITY], 1.0),
            ([1.0, f64::NAN], 1.0),
            ([0.0, 0.0], 0.0),
            // Too much to add up: no score.
            ([1e308, 1e308], 0.0),
        ] {
            let rules = rules(|policy| {
                policy.combine = Combine::Weighted(WeightedConstants::default());
                for (name, weight) in ["a", "b"].into_iter().zip(weights) {
                    let mut metric = metric(name, track(50.0));
                    metric.weight = weight;
                    policy.metrics.push(metric);
                }
            });
            let metrics = match weights {
                [1e308, 1e308] => [("a", 90.0), ("b", 90.0)],
                _ => [("a", 90.0), ("b", 10.0)],
            };
            assert_eq!(
                combination(&rules, &metrics),
                Combination::Weighted {
                    score,
                    is_held_by_missing_data: false
                },
                "{weights:?}"
            );
        }
    }

    #[test]
    fn a_score_at_the_end_of_the_band_moves_nothing() {
        for (end, metrics, expected) in [
            (0.5, [("a", 90.0), ("b", 50.0)], 10),
            (0.49, [("a", 90.0), ("b", 50.0)], 13),
            (0.5, [("a", 10.0), ("b", 50.0)], 10),
            (0.49, [("a", 10.0), ("b", 50.0)], 8),
        ] {
            let rules = rules(|policy| {
                policy.combine = Combine::Weighted(WeightedConstants {
                    out_above: end,
                    in_below: end,
                    ..WeightedConstants::default()
                });
                for name in ["a", "b"] {
                    policy.metrics.push(metric(name, track(50.0)));
                }
            });
            assert_eq!(want(&rules, &metrics), expected, "{end} {metrics:?}");
        }
    }

    #[test]
    fn majority_needs_more_than_half_and_takes_the_smallest_step() {
        let rules = four(Combine::Majority);
        for (metrics, expected) in [
            // Three of four out: 12, 15, 13.
            (
                vec![("a", 60.0), ("b", 75.0), ("c", 50.0), ("s", 100.0)],
                12,
            ),
            // Two of four are not more than half; abstaining counts against.
            (vec![("a", 60.0), ("b", 75.0), ("c", 50.0), ("s", 50.0)], 10),
            (vec![("a", 60.0), ("b", 75.0), ("c", 90.0), ("s", 50.0)], 12),
            // So does no data.
            (vec![("a", 60.0), ("b", 75.0), ("s", 50.0)], 10),
            // Three of four in: 5, 6, 7, of which the smallest step is to 7.
            (vec![("a", 25.0), ("b", 30.0), ("c", 50.0), ("s", 5.0)], 7),
            (
                vec![("a", 25.0), ("b", 30.0), ("c", 75.0), ("s", 100.0)],
                10,
            ),
        ] {
            assert_eq!(want(&rules, &metrics), expected, "{metrics:?}");
        }
    }

    #[test]
    fn weighted_adds_and_removes_by_the_mean_score() {
        let rules = four(Combine::Weighted(WeightedConstants::default()));
        for (metrics, expected) in [
            // All out: a score of 1 adds 1 + 5.
            (
                vec![("a", 90.0), ("b", 90.0), ("c", 90.0), ("s", 100.0)],
                16,
            ),
            // A score of 2/3 adds 1 + floor(10/3).
            (vec![("a", 90.0), ("b", 90.0), ("c", 50.0), ("s", 50.0)], 14),
            // A score of 1/3 is above 0.3.
            (vec![("a", 90.0), ("b", 50.0), ("c", 50.0), ("s", 50.0)], 12),
            (vec![("a", 90.0), ("b", 50.0), ("c", 10.0), ("s", 50.0)], 10),
            // -1 removes 1 + 3; -2/3 removes 1 + 2.
            (vec![("a", 10.0), ("b", 10.0), ("c", 10.0), ("s", 5.0)], 6),
            (vec![("a", 10.0), ("b", 10.0), ("c", 50.0), ("s", 50.0)], 7),
            (vec![("a", 10.0), ("b", 10.0), ("s", 5.0)], 10),
            (vec![], 10),
        ] {
            assert_eq!(want(&rules, &metrics), expected, "{metrics:?}");
        }
    }

    #[test]
    fn weights_and_thresholds_shape_the_score() {
        let rules = rules(|policy| {
            policy.combine = Combine::Weighted(WeightedConstants::default());
            let mut heavy = metric("heavy", track(50.0));
            heavy.weight = 3.0;
            heavy.threshold = Some(20.0);
            policy.metrics.push(heavy);
            policy.metrics.push(metric("light", track(50.0)));
        });
        // Inside its threshold the heavy one scores 0, and the light one alone is a quarter.
        assert_eq!(want(&rules, &[("heavy", 70.0), ("light", 90.0)]), 10);
        assert_eq!(want(&rules, &[("heavy", 71.0), ("light", 50.0)]), 14);
        assert_eq!(want(&rules, &[("heavy", 71.0), ("light", 10.0)]), 13);
    }

    #[test]
    fn weighted_leaves_zero_for_any_work_and_stays_there_without() {
        let queue = rules(|policy| {
            policy.combine = Combine::Weighted(WeightedConstants::default());
            let mut queue = metric("queue", track(25.0));
            queue.scope = tideform_policies::model::Scope::Group;
            policy.metrics.push(queue);
        });
        for (total, expected) in [(0.0, 0), (1.0, 6), (20.0, 6), (25.0, 6), (200.0, 6)] {
            let seen = seen(0, &[("queue", total)], at(0.0));
            let decision = decided(&queue, &seen, &Memory::default(), at(0.0));
            assert_eq!(decision.desired.get(), expected, "{total}");
        }
    }

    #[test]
    fn weighted_removes_nothing_where_an_instance_that_is_not_ready_turns_the_ratio_around() {
        use tideform_policies::model::{InstanceSample, MetricReading};
        let rules = rules(|policy| {
            policy.combine = Combine::Weighted(WeightedConstants::default());
            policy.metrics.push(metric("cpu", track(60.0)));
        });
        let mut seen = seen(2, &[], at(0.0));
        seen.instances = Some(vec![instance("i-1", 60.0), instance("i-2", -1.0)]);
        // 78 % of one, and nothing of the other, is 39 % of a target of 60: more than the target, then less.
        seen.metrics.insert(
            "cpu".into(),
            MetricReading::PerInstance {
                at: at(0.0),
                values: vec![InstanceSample {
                    id: "i-1".into(),
                    value: Some(78.0),
                    of: None,
                }],
            },
        );
        let decision = decided(&rules, &seen, &Memory::default(), at(0.0));
        assert_eq!(decision.desired.get(), 2, "{:#?}", decision.reasons);
    }

    #[test]
    fn weighted_removes_nothing_while_a_scale_out_is_warming_where_the_want_is_the_present_count() {
        let rules = rules(|policy| {
            policy.combine = Combine::Weighted(WeightedConstants::default());
            let mut queue = metric("queue", track(60.0));
            queue.scope = tideform_policies::model::Scope::Group;
            policy.metrics.push(queue);
        });
        // 590 / 60 is 10, and among 11 it is 11 % below the target.
        let mut seen = seen(10, &[("queue", 590.0)], at(0.0));
        let mut big = instance("b", -1.0);
        big.weight = 9;
        seen.instances = Some(vec![instance("a", 60.0), instance("c", 60.0), big]);
        let decision = decided(&rules, &seen, &Memory::default(), at(0.0));
        assert_eq!(decision.desired.get(), 10, "{:#?}", decision.reasons);
        assert!(decision.has("warming"));
    }

    #[test]
    fn weighted_removes_nothing_where_a_metric_without_data_asked_for_one_more_in_vain() {
        for (weight, desired) in [(0.0, 10), (0.1, 10), (9.0, 14)] {
            let rules = adding(weight);
            let seen = seen(10, &[("a", 10.0), ("b", 10.0)], at(0.0));
            let decision = decided(&rules, &seen, &Memory::default(), at(0.0));
            assert_eq!(decision.desired.get(), desired, "{weight}");
        }
    }

    /// Two that want less, and one without data that adds.
    fn adding(weight: f64) -> crate::engine::Rules {
        rules(|policy| {
            policy.combine = Combine::Weighted(WeightedConstants::default());
            for name in ["a", "b", "silent"] {
                policy.metrics.push(metric(name, track(60.0)));
            }
            policy.metrics[2].on_missing = OnMissing::ScaleOut;
            policy.metrics[2].weight = weight;
        })
    }

    #[test]
    fn nothing_combined_wants_less_while_a_scale_out_is_warming() {
        for combine in [
            Combine::Max,
            Combine::Majority,
            Combine::Weighted(WeightedConstants::default()),
        ] {
            let rules = cpu_rules(|policy| policy.combine = combine);
            let mut seen = seen(2, &[("cpu", 5.0)], at(0.0));
            seen.instances = Some(vec![instance("a", 60.0), instance("b", -1.0)]);
            let decision = decided(&rules, &seen, &Memory::default(), at(0.0));
            assert_eq!(decision.desired.get(), 2, "{combine:?}");
            assert!(decision.has("warming"));
        }
    }

    #[test]
    fn a_group_without_any_rule_wants_its_floor() {
        let none = rules(|policy| {
            policy.metrics.push(metric("watched", None));
            policy.limits = limits(3, 9);
        });
        assert_eq!(want(&none, &[("watched", 1.0)]), 3);
        // With rules that take no part it wants what it has.
        let left = cpu_rules(|policy| policy.limits = limits(3, 90));
        let mut seen = seen(10, &[("cpu", 5.0)], at(0.0));
        seen.left_out.insert("cpu".into());
        let decision = decided(&left, &seen, &Memory::default(), at(0.0));
        assert_eq!(decision.desired.get(), 10);
    }

    #[test]
    fn a_number_for_absent_data_is_the_only_way_for_it_to_remove() {
        for (on_missing, expected) in [
            (OnMissing::Hold, 10),
            (OnMissing::Last, 10),
            (OnMissing::Value(0.0), 5),
        ] {
            let rules = rules(|policy| {
                policy.metrics.push(metric("a", track(50.0)));
                let mut silent = metric("silent", track(50.0));
                silent.on_missing = on_missing;
                policy.metrics.push(silent);
            });
            assert_eq!(want(&rules, &[("a", 25.0)]), expected, "{on_missing:?}");
        }
    }
}
