//! Step scaling, as AWS does it: which step a value is in, and what the step makes of the ready capacity.

use tideform_policies::model::{Adjustment, Step, StepBound};

use super::numbers::share_adjusted;

/// The step that a value is in; of several (none overlap, once checked) the outermost.
pub(super) fn find(steps: &[Step], value: f64) -> Option<&Step> {
    steps.iter().rev().find(|step| step.when.contains(value))
}

/// Whether a value breaches the threshold of the side that `step` is on: that of its nearest step. A band is breached
/// by the values in it.
pub(super) fn breaches(steps: &[Step], step: &Step, value: f64) -> bool {
    match step.when {
        StepBound::Above { .. } => steps
            .iter()
            .any(|other| matches!(other.when, StepBound::Above { from, .. } if value >= from)),
        StepBound::Below { .. } => steps
            .iter()
            .any(|other| matches!(other.when, StepBound::Below { from, .. } if value <= from)),
        StepBound::Band { .. } => step.when.contains(value),
    }
}

/// What a step wants.
///
/// The adjustment is applied to the `ready` capacity. On the way out what is still warming counts as asked for
/// already, so the want is never below `current`; on the way in never above it: where more is ready than was asked
/// for, a removal smaller than the difference does nothing. Nor is the want ever further below `current` than the
/// removal says: what failed, or never came, is not removed a second time. A number that is set is no less than
/// `current` on an `above` step, since a high value never removes; on a `below` step and in a band it is exact.
pub(super) fn want(step: &Step, ready: u32, current: u32) -> u32 {
    let at_least = |change: u32| match step.min_adjustment {
        Some(least) if change > 0 => change.max(least),
        _ => change,
    };
    match step.adjustment {
        Adjustment::Add(n) => ready.saturating_add(n).max(current),
        Adjustment::AddShare(share) => ready
            .saturating_add(at_least(share_adjusted(ready, share)))
            .max(current),
        Adjustment::Remove(n) => removed(ready, current, |_| n),
        Adjustment::RemoveShare(share) => {
            removed(ready, current, |of| at_least(share_adjusted(of, share)))
        }
        Adjustment::Set(n) => match step.when {
            StepBound::Above { .. } => n.max(current),
            StepBound::Below { .. } | StepBound::Band { .. } => n,
        },
    }
}

/// A removal from what is ready that takes from `current` at most its own size.
fn removed(ready: u32, current: u32, size: impl Fn(u32) -> u32) -> u32 {
    let least = current.saturating_sub(size(current));
    ready.saturating_sub(size(ready)).clamp(least, current)
}

#[cfg(test)]
mod tests {
    use tideform_policies::model::{Breach, Capacity, MetricReading, Rule, Sample, Scope, Share};

    use super::*;
    use crate::engine::Memory;
    use crate::engine::testing::{
        above, at, band, below, decided, instance, metric, mins, rules, seen,
    };

    /// The example of the AWS user guide: a threshold of 50, 10 % at 60, 30 % at 70, and the same downward.
    fn aws() -> Vec<Step> {
        vec![
            above(50.0, Some(60.0), Adjustment::AddShare(Share(0.0))),
            above(60.0, Some(70.0), Adjustment::AddShare(Share(0.1))),
            above(70.0, None, Adjustment::AddShare(Share(0.3))),
            below(50.0, Some(40.0), Adjustment::RemoveShare(Share(0.0))),
            below(40.0, Some(30.0), Adjustment::RemoveShare(Share(0.1))),
            below(30.0, None, Adjustment::RemoveShare(Share(0.3))),
        ]
    }

    #[test]
    fn steps_include_their_own_number_and_work_on_what_is_ready() {
        for (value, ready, current, expected) in [
            (55.0, 10, 10, Some(10)),
            (60.0, 10, 10, Some(11)),
            (69.9, 10, 10, Some(11)),
            (70.0, 10, 10, Some(13)),
            // What is still warming counts as asked for: the same step asks for nothing more ...
            (60.0, 10, 11, Some(11)),
            // ... and a larger one for the difference.
            (75.0, 10, 11, Some(13)),
            (40.0, 14, 14, Some(13)),
            (30.0, 13, 13, Some(10)),
            (30.1, 13, 13, Some(12)),
            (0.0, 1, 1, Some(0)),
            // Where more is ready than was asked for, a removal smaller than the difference does nothing.
            (40.0, 14, 10, Some(10)),
        ] {
            let steps = aws();
            let got = find(&steps, value).map(|step| want(step, ready, current));
            assert_eq!(got, expected, "{value} with {ready} of {current}");
        }
        assert_eq!(find(&aws()[1..3], 55.0), None);
    }

    #[test]
    fn of_steps_that_want_the_same_the_newest_values_own_is_named() {
        let low = band(Some(10.0), Some(20.0), Adjustment::Add(1));
        let high = band(Some(20.0), Some(30.0), Adjustment::Add(1));
        let of = Breach::Of {
            breaching: 2,
            periods: 4,
        };
        for (samples, expected) in [
            ([25.0, 25.0, 15.0, 15.0], low.when),
            ([15.0, 15.0, 25.0, 25.0], high.when),
        ] {
            let decision = from_samples(vec![low, high], of, &samples);
            let said = decision.reasons.iter().find_map(|reason| match reason {
                crate::engine::Reason::Step { when, .. } => Some(*when),
                _ => None,
            });
            assert_eq!(said, Some(expected), "{samples:?}");
        }
    }

    #[test]
    fn a_steps_far_end_is_no_part_of_it() {
        let steps = aws();
        for (place, inside, outside) in [(0, 59.9, 60.0), (3, 40.1, 40.0)] {
            let one = &steps[place..=place];
            assert!(find(one, inside).is_some(), "{inside}");
            assert!(find(one, outside).is_none(), "{outside}");
        }
    }

    #[test]
    fn a_step_that_wants_what_there_is_speaks_also_with_none_ready() {
        let queue = rules(|policy| {
            policy.metrics.push(metric(
                "queue",
                Some(Rule::Steps(vec![above(100.0, None, Adjustment::Add(2))])),
            ));
        });
        let mut seen = seen(4, &[("queue", 500.0)], at(0.0));
        let mut failed = instance("a", 60.0);
        failed.state = tideform_policies::model::InstanceState::Unhealthy;
        seen.instances = Some(vec![failed]);
        let decision = decided(&queue, &seen, &Memory::default(), at(0.0));
        assert_eq!(decision.desired, Capacity(4));
        assert!(decision.has("step"), "{:#?}", decision.reasons);
    }

    #[test]
    fn the_reason_names_the_capacity_only_where_less_is_ready() {
        let queue = rules(|policy| {
            policy.metrics.push(metric(
                "queue",
                Some(Rule::Steps(vec![above(100.0, None, Adjustment::Add(2))])),
            ));
        });
        for (ready, expected) in [(3, Some(Capacity(4))), (4, None), (5, None)] {
            let mut seen = seen(4, &[("queue", 500.0)], at(0.0));
            seen.instances = Some((0..ready).map(|n| instance(&n.to_string(), 60.0)).collect());
            let decision = decided(&queue, &seen, &Memory::default(), at(0.0));
            let said = decision.reasons.iter().find_map(|reason| match reason {
                crate::engine::Reason::Step { current, .. } => Some(*current),
                _ => None,
            });
            assert_eq!(said, Some(expected), "{ready} ready");
        }
    }

    #[test]
    fn a_removal_never_takes_more_than_it_says() {
        for (adjustment, ready, current, expected) in [
            (Adjustment::Remove(1), 1, 10, 9),
            (Adjustment::Remove(1), 0, 10, 9),
            (Adjustment::Remove(3), 9, 10, 7),
            (Adjustment::Remove(3), 12, 10, 9),
            (Adjustment::RemoveShare(Share(0.2)), 1, 10, 8),
            (Adjustment::RemoveShare(Share(0.3)), 9, 10, 7),
            (Adjustment::RemoveShare(Share(0.0)), 1, 10, 10),
            (Adjustment::RemoveShare(Share(3.0)), 1, 10, 0),
        ] {
            let step = below(10.0, None, adjustment);
            let got = want(&step, ready, current);
            assert_eq!(got, expected, "{adjustment:?} with {ready} of {current}");
        }
    }

    #[test]
    fn the_reason_of_a_step_says_its_smallest_adjustment() {
        let mut more = above(80.0, None, Adjustment::AddShare(Share(0.1)));
        more.min_adjustment = Some(3);
        let cpu = rules(|policy| {
            policy
                .metrics
                .push(metric("cpu", Some(Rule::Steps(vec![more]))));
        });
        let decision = decided(
            &cpu,
            &seen(6, &[("cpu", 90.0)], at(0.0)),
            &Memory::default(),
            at(0.0),
        );
        assert_eq!(decision.desired, Capacity(9));
        let (_, text) = crate::engine::explain::sentence(cpu.group(), &decision.reasons[0]);
        assert!(text.contains("(at least 3)"), "{text}");
    }

    #[test]
    fn instances_that_failed_are_not_removed_a_second_time() {
        let queue = rules(|policy| {
            policy.metrics.push(metric(
                "queue",
                Some(Rule::Steps(vec![below(10.0, None, Adjustment::Remove(1))])),
            ));
        });
        let now = at(0.0);
        let mut seen = seen(10, &[("queue", 0.0)], now);
        let unhealthy = |id: &str| {
            let mut instance = instance(id, 60.0);
            instance.state = tideform_policies::model::InstanceState::Unhealthy;
            instance
        };
        seen.instances = Some(vec![instance("a", 60.0), unhealthy("b"), unhealthy("c")]);
        let memory = Memory {
            recommendations: [crate::engine::Recommendation {
                at: at(-60.0),
                desired: Capacity(10),
            }]
            .into(),
            ..Memory::default()
        };
        let decision = decided(&queue, &seen, &memory, now);
        assert_eq!(decision.desired, Capacity(9));
        let texts: Vec<String> = decision
            .reasons
            .iter()
            .map(|reason| crate::engine::explain::sentence(queue.group(), reason).1)
            .collect();
        assert!(
            texts
                .iter()
                .any(|text| text.contains("with 1 ready of 10, wants 9")),
            "{texts:?}"
        );
        // With none ready nobody knows what may go.
        seen.instances = Some(vec![unhealthy("b"), unhealthy("c")]);
        let decision = decided(&queue, &seen, &memory, now);
        assert_eq!(decision.desired, Capacity(10));
        assert!(decision.has("abstained"));
    }

    #[test]
    fn percentages_are_made_whole_as_aws_makes_them() {
        for (percent, least, ready, expected) in [
            // 12.7 -> 12, 0.67 -> 1.
            (10.0, None, 127, 139),
            (6.7, None, 10, 11),
            (50.0, None, 0, 1),
            (10.0, Some(2), 10, 12),
            (25.0, Some(2), 10, 12),
            (30.0, Some(2), 10, 13),
            (0.0, Some(2), 10, 10),
        ] {
            let mut step = above(0.0, None, Adjustment::AddShare(Share(percent / 100.0)));
            step.min_adjustment = least;
            assert_eq!(
                want(&step, ready, ready),
                expected,
                "{percent} % of {ready}"
            );
        }
        for (percent, least, ready, expected) in [
            // -6.67 -> -6, -0.58 -> -1.
            (66.7, None, 10, 4),
            (5.8, None, 10, 9),
            (1.0, Some(3), 10, 7),
            (100.0, None, 10, 0),
            (300.0, None, 10, 0),
        ] {
            let mut step = below(0.0, None, Adjustment::RemoveShare(Share(percent / 100.0)));
            step.min_adjustment = least;
            assert_eq!(
                want(&step, ready, ready),
                expected,
                "-{percent} % of {ready}"
            );
        }
    }

    #[test]
    fn numbers_at_the_end_of_their_range_do_no_harm() {
        assert_eq!(
            want(&above(0.0, None, Adjustment::Add(u32::MAX)), u32::MAX, 5),
            u32::MAX
        );
        assert_eq!(
            want(&below(0.0, None, Adjustment::Remove(u32::MAX)), 7, 7),
            0
        );
    }

    #[test]
    fn a_number_that_is_set_is_exact_but_for_a_high_value_that_never_removes() {
        for (n, expected_above) in [(4, 7), (7, 7), (9, 9)] {
            let set = Adjustment::Set(n);
            assert_eq!(want(&above(5.0, None, set), 7, 7), expected_above, "{n}");
            assert_eq!(want(&below(5.0, None, set), 7, 7), n);
            assert_eq!(want(&band(None, Some(5.0), set), 7, 7), n);
        }
    }

    #[test]
    fn a_band_holds_its_lower_end_and_not_its_upper_one() {
        for (from, to, inside, outside) in [
            (Some(10.0), Some(20.0), vec![10.0, 19.9], vec![9.9, 20.0]),
            (Some(10.0), None, vec![10.0, 1e308], vec![9.9, -1e308]),
            (None, Some(20.0), vec![-1e308, 19.9], vec![20.0]),
        ] {
            let steps = [band(from, to, Adjustment::Add(1))];
            for value in inside {
                assert!(
                    find(&steps, value).is_some(),
                    "{value} in {from:?} to {to:?}"
                );
            }
            for value in outside {
                assert!(
                    find(&steps, value).is_none(),
                    "{value} in {from:?} to {to:?}"
                );
            }
        }
    }

    /// Samples a minute apart, the newest last, at a capacity of 10.
    fn from_samples(steps: Vec<Step>, breach: Breach, samples: &[f64]) -> crate::engine::Decision {
        let queue = rules(|policy| {
            let mut queue = metric("queue", Some(Rule::Steps(steps)));
            queue.breach = breach;
            policy.metrics.push(queue);
        });
        let mut seen = seen(10, &[], at(0.0));
        let first = 1.0 - samples.len() as f64;
        let list = samples.iter().enumerate().map(|(i, value)| Sample {
            at: at(first + i as f64),
            value: *value,
        });
        seen.metrics
            .insert("queue".into(), MetricReading::Group(list.collect()));
        let memory = Memory {
            recommendations: [crate::engine::Recommendation {
                at: at(-60.0),
                desired: Capacity(10),
            }]
            .into(),
            ..Memory::default()
        };
        decided(&queue, &seen, &memory, at(0.0))
    }

    #[test]
    fn a_band_acts_on_the_samples_that_were_in_it_wherever_the_newest_is() {
        let of = |breaching, periods| Breach::Of { breaching, periods };
        let (low, high) = (
            band(Some(10.0), Some(20.0), Adjustment::Remove(1)),
            band(Some(20.0), Some(30.0), Adjustment::Add(1)),
        );
        for (steps, breach, samples, desired, kind) in [
            (
                vec![high],
                of(2, 5),
                vec![25.0, 25.0, 9.0, 9.0, 9.0],
                11,
                "step",
            ),
            (
                vec![high],
                of(3, 5),
                vec![25.0, 25.0, 9.0, 9.0, 9.0],
                10,
                "abstained",
            ),
            // Those above the band are not in it.
            (
                vec![high],
                of(2, 3),
                vec![30.0, 25.0, 30.0],
                10,
                "abstained",
            ),
            // Too old to count.
            (
                vec![high],
                of(2, 3),
                vec![25.0, 25.0, 9.0, 9.0],
                10,
                "abstained",
            ),
            // Of two the larger want.
            (
                vec![low, high],
                of(2, 4),
                vec![25.0, 25.0, 15.0, 15.0],
                11,
                "step",
            ),
            (
                vec![low, high],
                of(2, 4),
                vec![25.0, 15.0, 15.0, 15.0],
                9,
                "step",
            ),
            // A time asks for all of its samples, and so for the newest one.
            (
                vec![high],
                Breach::For(mins(2)),
                vec![25.0, 25.0],
                11,
                "step",
            ),
            (
                vec![high],
                Breach::For(mins(2)),
                vec![25.0, 30.0],
                10,
                "abstained",
            ),
            (vec![high], Breach::Now, vec![9.0, 25.0], 11, "step"),
            (vec![high], Breach::Now, vec![25.0, 9.0], 10, "abstained"),
            // Beside a step above, whose breach counts from its own threshold.
            (
                vec![above(100.0, None, Adjustment::Add(4)), high],
                of(2, 4),
                vec![25.0, 25.0, 100.0, 100.0],
                14,
                "step",
            ),
            (
                vec![above(100.0, None, Adjustment::Add(4)), high],
                of(2, 4),
                vec![25.0, 25.0, 9.0, 100.0],
                11,
                "step",
            ),
        ] {
            let decision = from_samples(steps, breach, &samples);
            assert_eq!(
                decision.desired,
                Capacity(desired),
                "{breach:?} {samples:?}"
            );
            assert!(decision.has(kind), "{breach:?} {samples:?}");
        }
    }

    #[test]
    fn a_band_says_whether_the_newest_sample_is_in_it() {
        let any = rules(|_| {});
        for (samples, expected) in [
            (vec![15.0, 15.0], "15 is from 10 to below 20: add 1"),
            (
                vec![15.0, 15.0, 25.0],
                "25 is the newest, and enough samples were from 10 to below 20: add 1",
            ),
        ] {
            let steps = vec![band(Some(10.0), Some(20.0), Adjustment::Add(1))];
            let breach = Breach::Of {
                breaching: 2,
                periods: 5,
            };
            let decision = from_samples(steps, breach, &samples);
            let texts: Vec<String> = decision
                .reasons
                .iter()
                .map(|reason| crate::engine::explain::sentence(any.group(), reason).1)
                .collect();
            assert!(
                texts.iter().any(|text| text.starts_with(expected)),
                "{texts:?}"
            );
        }
    }

    #[test]
    fn between_the_steps_and_at_zero_there_is_no_opinion() {
        let queue = rules(|policy| {
            policy.metrics.push(metric(
                "queue",
                Some(Rule::Steps(vec![
                    above(100.0, None, Adjustment::Add(2)),
                    below(10.0, None, Adjustment::Remove(1)),
                ])),
            ));
        });
        let now = at(0.0);
        for (value, current, desired, kind) in [
            (50.0, 4, 4, "abstained"),
            (100.0, 4, 6, "step"),
            (10.0, 4, 3, "step"),
            (500.0, 0, 0, "abstained"),
        ] {
            let memory = Memory {
                recommendations: [crate::engine::Recommendation {
                    at: at(-60.0),
                    desired: Capacity(current),
                }]
                .into(),
                ..Memory::default()
            };
            let decision = decided(
                &queue,
                &seen(current, &[("queue", value)], now),
                &memory,
                now,
            );
            assert_eq!(decision.desired, Capacity(desired), "{value} at {current}");
            assert!(decision.has(kind), "{value} at {current}");
        }
    }

    #[test]
    fn a_percentage_of_nothing_is_one() {
        let queue = rules(|policy| {
            let mut queue = metric(
                "queue",
                Some(Rule::Steps(vec![above(
                    1.0,
                    None,
                    Adjustment::AddShare(Share(0.5)),
                )])),
            );
            queue.scope = Scope::Group;
            policy.metrics.push(queue);
        });
        let now = at(0.0);
        let decision = decided(
            &queue,
            &seen(0, &[("queue", 3.0)], now),
            &Memory::default(),
            now,
        );
        assert_eq!(decision.desired, Capacity(1));
    }

    #[test]
    fn nothing_is_removed_while_capacity_is_warming() {
        let queue = rules(|policy| {
            policy.metrics.push(metric(
                "queue",
                Some(Rule::Steps(vec![below(10.0, None, Adjustment::Remove(1))])),
            ));
        });
        let now = at(0.0);
        let mut seen = seen(3, &[("queue", 0.0)], now);
        seen.instances = Some(vec![
            instance("a", 60.0),
            instance("b", 60.0),
            instance("c", 1.0),
        ]);
        let decision = decided(&queue, &seen, &Memory::default(), now);
        assert_eq!(decision.desired, Capacity(3));
        assert!(decision.has("warming"));
        assert_eq!(decision.next_change, Some(at(2.0)));
    }
}
