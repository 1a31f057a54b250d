//! Whether a threshold has been breached for long enough, from the times of the samples.
//!
//! The times of decisions play no part: twenty runs of a scheduled job and one daemon see the same.

use std::time::Duration;

use jiff::Timestamp;
use tideform_policies::model::{Breach, MetricSource, Sample};

use super::moment::{Moment, Value};
use super::time::age;

/// Whether the metric's values breach for as long as its policy asks. `value` is the one that is decided from.
pub(super) fn is_breached(
    moment: &Moment<'_>,
    place: usize,
    value: Value,
    breaches: impl Fn(f64) -> bool,
) -> bool {
    let metric = &moment.policy.metrics[place];
    let period = match &metric.source {
        MetricSource::Query(_) => metric.period,
        MetricSource::Formula(_) => moment.rules.metrics[place].inputs.period,
    };
    let longest_gap = moment.rules.metrics[place].fresh;
    let (window, needed) = match metric.breach {
        Breach::Now => return true,
        Breach::For(time) if time.is_zero() => return true,
        Breach::For(time) => (time, None),
        Breach::Of { breaching, periods } => (period.saturating_mul(periods), Some(breaching)),
    };
    if let Value::Number(_) = value {
        // Absent data has this value for as long as it has been absent.
        let mut newest = None;
        moment.walk_back(place, |at, _| {
            newest = Some(at);
            false
        });
        let absent = needed.map_or(window, |n| period.saturating_mul(n));
        return newest.is_none_or(|at| age(moment.now, at) >= absent);
    }
    let mut run = Run::default();
    match needed {
        None => {
            moment.walk_back(place, |at, value| {
                run.extend(Sample { at, value }, period, longest_gap, &breaches);
                run.is_open && run.length < window
            });
            run.length >= window
        }
        Some(needed) => {
            let mut newest: Option<Timestamp> = None;
            let mut count = 0;
            moment.walk_back(place, |at, value| {
                let newest = *newest.get_or_insert(at);
                if age(newest, at) >= window {
                    return false;
                }
                count += u32::from(breaches(value));
                count < needed
            });
            count >= needed
        }
    }
}

/// A run of breaching samples, walked from the newest back.
#[derive(Debug)]
struct Run {
    newest: Option<Timestamp>,
    earliest: Option<Timestamp>,
    /// From the start of the earliest sample's period to the newest sample.
    length: Duration,
    is_open: bool,
}

impl Default for Run {
    fn default() -> Run {
        Run {
            newest: None,
            earliest: None,
            length: Duration::ZERO,
            is_open: true,
        }
    }
}

impl Run {
    fn extend(
        &mut self,
        sample: Sample,
        period: Duration,
        longest_gap: Duration,
        breaches: impl Fn(f64) -> bool,
    ) {
        let is_after_gap = self
            .earliest
            .is_some_and(|earliest| age(earliest, sample.at) > longest_gap);
        if is_after_gap || !breaches(sample.value) {
            self.is_open = false;
            return;
        }
        let newest = *self.newest.get_or_insert(sample.at);
        self.earliest = Some(sample.at);
        self.length = age(newest, sample.at).saturating_add(period);
    }
}

#[cfg(test)]
mod tests {
    use tideform_policies::model::{
        Adjustment, Capacity, Expression, Formula, MetricReading, OnMissing, Rule,
    };

    use super::*;
    use crate::engine::testing::{above, at, decided, metric, mins, rules, seen};
    use crate::engine::{Memory, Rules};

    fn queue(breach: Breach) -> Rules {
        rules(|policy| {
            let mut queue = metric(
                "queue",
                Some(Rule::Steps(vec![
                    above(100.0, Some(1000.0), Adjustment::Add(2)),
                    above(1000.0, None, Adjustment::Add(5)),
                ])),
            );
            queue.breach = breach;
            policy.metrics.push(queue);
        })
    }

    /// Samples of a metric, by the minute.
    fn sampled(samples: &[(f64, f64)]) -> MetricReading {
        let samples = samples.iter().map(|(minutes, value)| Sample {
            at: at(*minutes),
            value: *value,
        });
        MetricReading::Group(samples.collect())
    }

    fn decided_from(rules: &Rules, samples: &[(f64, f64)]) -> u32 {
        let mut seen = seen(4, &[], at(0.0));
        seen.metrics.insert("queue".into(), sampled(samples));
        decided(rules, &seen, &Memory::default(), at(0.0))
            .desired
            .get()
    }

    #[test]
    fn a_breach_must_hold_in_every_sample_of_its_time() {
        let rules = queue(Breach::For(mins(3)));
        for (samples, desired) in [
            (vec![(-2.0, 150.0), (-1.0, 150.0), (0.0, 150.0)], 6),
            // A sample covers the period before it: two of them are two minutes.
            (vec![(-1.0, 150.0), (0.0, 150.0)], 4),
            (vec![(-2.0, 150.0), (-1.0, 99.0), (0.0, 150.0)], 4),
            (vec![(-9.0, 150.0), (-2.0, 150.0), (0.0, 99.0)], 4),
            // The threshold is the nearest step's, the step the newest sample's.
            (vec![(-2.0, 150.0), (-1.0, 150.0), (0.0, 1000.0)], 9),
            // One that is missing does not break a run, a gap too long for data to be fresh does.
            (vec![(-2.0, 150.0), (0.0, 150.0)], 6),
            (vec![(-4.0, 150.0), (0.0, 150.0)], 4),
            // Read late, but sampled in time.
            (vec![(-4.0, 150.0), (-3.0, 150.0), (-2.0, 150.0)], 6),
        ] {
            assert_eq!(decided_from(&rules, &samples), desired, "{samples:?}");
        }
    }

    #[test]
    fn a_formula_over_samples_of_instances_breaches_by_the_one_time_that_is_known() {
        for (breach, sampled, desired) in [
            (Breach::For(mins(1)), 0.0, 6),
            (Breach::For(mins(2)), 0.0, 4),
            (Breach::For(mins(1)), -1.0, 6),
            (
                Breach::Of {
                    breaching: 1,
                    periods: 2,
                },
                0.0,
                6,
            ),
            (
                Breach::Of {
                    breaching: 2,
                    periods: 2,
                },
                0.0,
                4,
            ),
        ] {
            let rules = rules(|policy| {
                policy.metrics.push(metric("queue", None));
                let mut same = metric(
                    "same",
                    Some(Rule::Steps(vec![above(100.0, None, Adjustment::Add(2))])),
                );
                same.source = MetricSource::Formula(Formula {
                    text: "metric.queue".to_owned(),
                    expression: Expression::Metric("queue".into()),
                });
                same.breach = breach;
                policy.metrics.push(same);
            });
            let mut seen = seen(4, &[], at(0.0));
            seen.metrics.insert(
                "queue".into(),
                MetricReading::PerInstance {
                    at: at(sampled),
                    values: vec![tideform_policies::model::InstanceSample {
                        id: "a".into(),
                        value: Some(150.0),
                        of: None,
                    }],
                },
            );
            let decision = decided(&rules, &seen, &Memory::default(), at(0.0));
            assert_eq!(
                decision.desired.get(),
                desired,
                "{breach:?} at {sampled}: {:#?}",
                decision.reasons
            );
        }
    }

    #[test]
    fn a_gap_as_long_as_data_stays_fresh_does_not_break_a_breach() {
        let rules = queue(Breach::For(mins(3)));
        for (samples, desired) in [
            (vec![(-3.0, 150.0), (0.0, 150.0)], 6),
            (vec![(-3.1, 150.0), (0.0, 150.0)], 4),
        ] {
            assert_eq!(decided_from(&rules, &samples), desired, "{samples:?}");
        }
    }

    #[test]
    fn so_many_of_so_many_periods_must_breach() {
        let rules = queue(Breach::Of {
            breaching: 3,
            periods: 5,
        });
        let of = |shape: &str| {
            let count = shape.len();
            let samples: Vec<(f64, f64)> = shape
                .chars()
                .enumerate()
                .filter(|(_, c)| *c != '-')
                .map(|(i, c)| {
                    (
                        i as f64 + 1.0 - count as f64,
                        if c == 'x' { 150.0 } else { 50.0 },
                    )
                })
                .collect();
            decided_from(&rules, &samples)
        };
        for (shape, desired) in [
            ("xxx", 6),
            ("xx", 4),
            ("xx..x", 6),
            ("xx...x", 4),
            ("x-x-x", 6),
            // The newest is in no step.
            ("xxxx.", 4),
        ] {
            assert_eq!(of(shape), desired, "{shape}");
        }
    }

    #[test]
    fn a_number_for_absent_data_breaches_for_as_long_as_data_is_absent() {
        let silent = |breach| {
            let rules = rules(|policy| {
                let mut queue = metric(
                    "queue",
                    Some(Rule::Steps(vec![crate::engine::testing::below(
                        10.0,
                        None,
                        Adjustment::Remove(1),
                    )])),
                );
                queue.on_missing = OnMissing::Value(0.0);
                queue.breach = breach;
                policy.metrics.push(queue);
            });
            move |samples: &[(f64, f64)]| {
                let mut memory = Memory::default();
                memory.recommendations.push(crate::engine::Recommendation {
                    at: at(-60.0),
                    desired: Capacity(4),
                });
                let mut seen = seen(4, &[], at(0.0));
                seen.metrics.insert("queue".into(), sampled(samples));
                decided(&rules, &seen, &memory, at(0.0)).desired.get()
            }
        };
        let ten = silent(Breach::For(mins(10)));
        assert_eq!(ten(&[]), 3);
        assert_eq!(ten(&[(-9.0, 50.0)]), 4);
        assert_eq!(ten(&[(-10.0, 50.0)]), 3);
    }

    #[test]
    fn a_formula_breaches_by_the_times_of_what_it_reads() {
        let rules = rules(|policy| {
            policy.metrics.push(metric("queue", None));
            let mut doubled = metric(
                "doubled",
                Some(Rule::Steps(vec![above(100.0, None, Adjustment::Add(2))])),
            );
            doubled.source = MetricSource::Formula(Formula {
                text: "metric.queue * 2".to_owned(),
                expression: Expression::Binary(
                    tideform_policies::model::BinaryOperator::Multiply,
                    Box::new(Expression::Metric("queue".into())),
                    Box::new(Expression::Number(2.0)),
                ),
            });
            doubled.breach = Breach::For(mins(2));
            policy.metrics.push(doubled);
        });
        assert_eq!(decided_from(&rules, &[(-1.0, 60.0), (0.0, 60.0)]), 6);
        assert_eq!(decided_from(&rules, &[(-1.0, 40.0), (0.0, 60.0)]), 4);
        assert_eq!(decided_from(&rules, &[(0.0, 60.0)]), 4);
    }
}
