//! The opinions become one number: the largest, the majority's, or a weighted one.

use tideform_policies::model::{Capacity, Combine, WeightedConstants};

use super::memory::Memory;
use super::moment::{Moment, Sink};
use super::numbers::round_in;
use super::opinion::{Opinion, opinion};
use super::reason::{Combination, Reason};

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
