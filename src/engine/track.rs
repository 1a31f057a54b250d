//! Target tracking: the capacity that would bring a metric back to its target.
//!
//! Sources: Kubernetes HorizontalPodAutoscaler, "Algorithm details" and its replica calculator;
//! AWS Auto Scaling, target tracking. The next steps of a decision hold back; these functions only compute.

use std::collections::HashMap;
use std::time::Duration;

use jiff::Timestamp;
use tideform_policies::model::{Instance, InstanceSample, InstanceState, Track};

use super::moment::{are_amounts, has_never_been_ready, in_service_for, launched_at};
use super::numbers::{at_most, cut, mean, round_out, scaled};
use super::observation::Spread;
use super::reason::{Basis, FilledIn};
use super::time::{age, later};

/// What tracking a metric comes to.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) struct Tracked {
    pub(super) basis: Basis,
    /// The value that the want follows from.
    pub(super) observed: f64,
    pub(super) ratio: f64,
    /// The units that the ratio is multiplied by.
    pub(super) counted: u32,
    /// Instances without a sample.
    pub(super) missing: u32,
    /// Instances that are not ready.
    pub(super) unready: u32,
    /// What instances without a say were taken to have.
    pub(super) filled: Option<FilledIn>,
    pub(super) is_within_tolerance: bool,
    /// Filled in it speaks for the other direction.
    pub(super) is_turned_round: bool,
    pub(super) want: u32,
}

/// One value for the group, the mean over `counted` units: `ceil(counted x observed / target)`.
///
/// - `observed`: finite; the target is above 0.
/// - `counted` is above 0: a mean over nothing says nothing.
/// - Within tolerance it wants `current`; above the target never less than `current`, below never more.
pub(super) fn average(track: &Track, observed: f64, counted: u32, current: u32) -> Tracked {
    let (ratio, want) = average_want(track, observed, counted, current);
    Tracked {
        basis: Basis::Average,
        observed,
        ratio,
        counted,
        missing: 0,
        unready: 0,
        filled: None,
        is_within_tolerance: want.is_none(),
        is_turned_round: false,
        want: want.unwrap_or(current),
    }
}

/// The ratio to the target, and what follows from it; `None` within tolerance.
#[inline]
pub(super) fn average_want(
    track: &Track,
    observed: f64,
    counted: u32,
    current: u32,
) -> (f64, Option<u32>) {
    let ratio = ratio(observed, track.target);
    let answer = || round_out(scaled(f64::from(counted), observed, track.target));
    let want = (!within(track, ratio)).then(|| one_way(ratio, answer(), current));
    (ratio, want)
}

/// A total of the group: `ceil(total / target)`, also from 0.
///
/// `counted` is what the total is divided among, for the tolerance; from 0 there is none.
pub(super) fn total(track: &Track, observed: f64, counted: u32, current: u32) -> Tracked {
    let from_zero = current == 0;
    let ratio = if from_zero || counted == 0 {
        ratio(observed, track.target)
    } else {
        ratio(observed, track.target) / f64::from(counted)
    };
    let is_within_tolerance = !from_zero && within(track, ratio);
    let answer = round_out(observed / track.target);
    Tracked {
        basis: Basis::Total,
        observed,
        ratio,
        counted,
        missing: 0,
        unready: 0,
        filled: None,
        is_within_tolerance,
        is_turned_round: false,
        want: if from_zero {
            answer
        } else if is_within_tolerance {
            current
        } else {
            one_way(ratio, answer, current)
        },
    }
}

/// One value that all instances share: `ceil(ready x value / target)`, and from 0 `ceil(value / target)` without a
/// tolerance. `None` where none of those asked for is ready.
///
/// Source: Kubernetes HorizontalPodAutoscaler, targets of type `Value`.
pub(super) fn shared(track: &Track, observed: f64, ready: u32, current: u32) -> Option<Tracked> {
    if current > 0 {
        return (ready > 0).then(|| average(track, observed, ready, current));
    }
    Some(Tracked {
        is_within_tolerance: false,
        want: round_out(observed / track.target),
        ..average(track, observed, 1, 0)
    })
}

/// The instances whose samples are read, and when these count.
pub(super) struct Pods<'a> {
    /// `None`: `current` instances, all ready.
    pub(super) instances: Option<&'a [Instance]>,
    pub(super) values: &'a [InstanceSample],
    pub(super) current: u32,
    /// What keeps the sample of an instance from counting; `None` for what is not gated by readiness.
    pub(super) gate: Option<Gate>,
    pub(super) now: Timestamp,
    /// The metric is a percentage of what an instance has: one without a sample may use all of it.
    pub(super) is_utilization: bool,
}

/// When the sample of an instance in service does not count.
#[derive(Clone, Copy, Debug)]
pub(super) struct Gate {
    /// A new instance's does not before this age, or, where it has a readiness check, before a whole sample of it
    /// was taken while it was ready.
    pub(super) initialization: Duration,
    /// When the samples were taken.
    pub(super) sampled_at: Timestamp,
    /// The length of a sample.
    pub(super) period: Duration,
}

impl Gate {
    fn is_shut(&self, instance: &Instance, now: Timestamp) -> bool {
        let Some(is_ready) = instance.ready else {
            return in_service_for(instance, now) < self.initialization;
        };
        let Some(launched) = launched_at(instance) else {
            return true;
        };
        if age(now, launched) >= self.initialization {
            return has_never_been_ready(instance);
        }
        !is_ready
            || instance
                .ready_changed_at
                .is_none_or(|changed| self.sampled_at < later(changed, self.period))
    }
}

/// Units and samples by what they are to the HPA's calculation.
#[derive(Clone, Copy, Debug, Default)]
struct Sorted {
    /// The values are amounts of what the instances have, and not the metric itself.
    are_amounts: bool,
    sum: f64,
    ready: Counted,
    missing: Counted,
    unready: Counted,
    /// An instance does not say what it has, where the values are amounts of that.
    lacks_whole: bool,
}

/// Instances of one kind.
#[derive(Clone, Copy, Debug, Default)]
struct Counted {
    instances: u32,
    units: u64,
    /// What the sum is divided by: the units, or what the instances have where the values are amounts.
    whole: f64,
}

impl Counted {
    fn add(&mut self, weight: u32, whole: f64) {
        self.instances = self.instances.saturating_add(1);
        self.units += u64::from(weight);
        self.whole += whole;
    }
}

impl Pods<'_> {
    fn sort(&self) -> Sorted {
        let are_amounts = are_amounts(self.values);
        let sorted = Sorted {
            are_amounts,
            ..Sorted::default()
        };
        let Some(instances) = self.instances else {
            return self.sort_without_instances(sorted);
        };
        self.sort_in_order(instances, sorted)
            .unwrap_or_else(|| self.sort_by_id(instances, sorted))
    }

    fn sort_without_instances(&self, mut sorted: Sorted) -> Sorted {
        for sample in self.values {
            sorted.take(sample.number(), 1, sorted.whole(Some(sample), 1));
        }
        let count = u32::try_from(self.values.len()).unwrap_or(u32::MAX);
        let absent = self.current.saturating_sub(count);
        sorted.missing.instances = sorted.missing.instances.saturating_add(absent);
        sorted.missing.units += u64::from(absent);
        sorted.missing.whole += f64::from(absent);
        sorted.lacks_whole |= sorted.are_amounts && absent > 0;
        sorted
    }

    /// Samples mostly come in the order of the instances, some of which have none. `None` where a sample is left
    /// over: it comes out of order, or its instance is gone.
    fn sort_in_order(&self, instances: &[Instance], mut sorted: Sorted) -> Option<Sorted> {
        let mut samples = self.values.iter().peekable();
        for instance in instances {
            let sample = samples.next_if(|sample| sample.id == instance.id);
            self.sort_one(instance, sample, &mut sorted);
        }
        samples.next().is_none().then_some(sorted)
    }

    /// The only way that allocates.
    fn sort_by_id(&self, instances: &[Instance], mut sorted: Sorted) -> Sorted {
        let by_id: HashMap<&str, &InstanceSample> =
            self.values.iter().map(|s| (&*s.id, s)).collect();
        for instance in instances {
            self.sort_one(instance, by_id.get(&*instance.id).copied(), &mut sorted);
        }
        sorted
    }

    fn sort_one(&self, instance: &Instance, sample: Option<&InstanceSample>, sorted: &mut Sorted) {
        let is_pending = match instance.state {
            InstanceState::Unhealthy | InstanceState::Draining | InstanceState::Ended => return,
            InstanceState::Pending => true,
            InstanceState::InService => false,
        };
        let weight = instance.weight;
        let whole = sorted.whole(sample, weight);
        let value = sample.and_then(InstanceSample::number);
        let is_shut = |gate: Gate| value.is_some() && gate.is_shut(instance, self.now);
        if is_pending || self.gate.is_some_and(is_shut) {
            sorted.unready.add(weight, whole.unwrap_or_default());
            sorted.lacks_whole |= whole.is_none();
        } else {
            sorted.take(value, weight, whole);
        }
    }
}

impl Sorted {
    /// What the value of a sample is a part of.
    fn whole(&self, sample: Option<&InstanceSample>, weight: u32) -> Option<f64> {
        if self.are_amounts {
            sample.and_then(InstanceSample::whole)
        } else {
            Some(f64::from(weight))
        }
    }

    fn take(&mut self, value: Option<f64>, weight: u32, whole: Option<f64>) {
        self.lacks_whole |= whole.is_none();
        let whole = whole.unwrap_or_default();
        match value {
            Some(value) => {
                // A value describes the instance; an amount is one already.
                self.sum += if self.are_amounts {
                    value
                } else {
                    value * f64::from(weight)
                };
                self.ready.add(weight, whole);
            }
            None => self.missing.add(weight, whole),
        }
    }
}

/// The HPA's replica calculation. `None` where no ready instance has a sample, or where the values are amounts and an
/// instance does not say what it has: no data.
///
/// Instances without a sample count against the change: on the way in as at their target (a utilization: as
/// using all they have), on the way out as 0. Those not ready count as 0 on the way out. If that turns the change
/// round, or brings it within tolerance, nothing should change.
///
/// Amounts are made a percentage, cut to a whole one as the HPA does; values that are percentages are taken as they are.
pub(super) fn per_instance(track: &Track, pods: &Pods<'_>) -> Option<Tracked> {
    by_instance(track, &pods.sort(), pods.current, pods.is_utilization)
}

/// The same where all instances that report have one value, and were counted already.
pub(super) fn spread(
    track: &Track,
    value: f64,
    spread: Spread,
    current: u32,
    is_utilization: bool,
) -> Option<Tracked> {
    let counted = |units: u32| Counted {
        instances: units,
        units: u64::from(units),
        whole: f64::from(units),
    };
    let sorted = Sorted {
        are_amounts: false,
        sum: value * f64::from(spread.reported),
        ready: counted(spread.reported),
        missing: counted(spread.missing),
        unready: counted(spread.unready),
        lacks_whole: false,
    };
    by_instance(track, &sorted, current, is_utilization)
}

fn by_instance(
    track: &Track,
    sorted: &Sorted,
    current: u32,
    is_utilization: bool,
) -> Option<Tracked> {
    if sorted.ready.units == 0 || sorted.lacks_whole {
        return None;
    }
    let target = track.target;
    let observed = sorted.observed(sorted.sum, sorted.ready.whole);
    let first = ratio(observed, target);
    let tracked = |observed: f64, counted: u64, want: Option<u32>| {
        let ratio = ratio(observed, target);
        Tracked {
            basis: Basis::PerInstance,
            observed,
            ratio,
            counted: u32::try_from(counted).unwrap_or(u32::MAX),
            missing: sorted.missing.instances,
            unready: sorted.unready.instances,
            filled: None,
            is_within_tolerance: want.is_none(),
            is_turned_round: false,
            want: want.map_or(current, |want| one_way(ratio, want, current)),
        }
    };
    // More units than a capacity can say are as many as it can.
    let answer = |observed: f64, counted: u64| {
        let counted = counted.min(u64::from(u32::MAX));
        round_out(scaled(counted as f64, observed, target))
    };

    if sorted.missing.units == 0 && !(first > 1.0 && sorted.unready.units > 0) {
        let want = (!within(track, first)).then(|| answer(observed, sorted.ready.units));
        return Some(tracked(observed, sorted.ready.units, want));
    }
    let measured = observed;
    let mut stand_in = None;
    let (mut sum, mut whole, mut counted) = (sorted.sum, sorted.ready.whole, sorted.ready.units);
    if first < 1.0 {
        let stands_in = if is_utilization || sorted.are_amounts {
            target.max(100.0)
        } else {
            target
        };
        sum += sorted.missing.whole * sorted.amount(stands_in);
        whole += sorted.missing.whole;
        counted += sorted.missing.units;
        stand_in = Some(stands_in);
    } else if first > 1.0 {
        whole += sorted.missing.whole + sorted.unready.whole;
        counted += sorted.missing.units + sorted.unready.units;
        stand_in = Some(0.0);
    }
    let observed = sorted.observed(sum, whole);
    let second = ratio(observed, target);
    let turned = (first < 1.0 && second > 1.0) || (first > 1.0 && second < 1.0);
    let want = (!turned && !within(track, second)).then(|| answer(observed, counted));
    let is_within_tolerance = within(track, second);
    Some(Tracked {
        filled: stand_in.map(|stand_in| FilledIn {
            measured,
            reported: sorted.ready.instances,
            stand_in,
        }),
        is_within_tolerance,
        is_turned_round: turned && !is_within_tolerance,
        ..tracked(observed, counted, want)
    })
}

impl Sorted {
    /// The metric over so much.
    fn observed(&self, sum: f64, whole: f64) -> f64 {
        if self.are_amounts {
            cut(mean(sum * 100.0, whole))
        } else {
            mean(sum, whole)
        }
    }

    /// What one of `whole` uses at this value of the metric.
    fn amount(&self, value: f64) -> f64 {
        if self.are_amounts {
            value / 100.0
        } else {
            value
        }
    }
}

/// The ratio, stopping at the largest number.
#[inline]
fn ratio(observed: f64, target: f64) -> f64 {
    (observed / target).clamp(f64::MIN, f64::MAX)
}

/// Whether the ratio is so near to 1 that nothing should change; both ends are included.
#[inline]
fn within(track: &Track, ratio: f64) -> bool {
    at_most(1.0 - track.tolerance_in.fraction(), ratio)
        && at_most(ratio, 1.0 + track.tolerance_out.fraction())
}

/// A ratio above 1 never wants less than `current`, one below 1 never more.
#[inline]
fn one_way(ratio: f64, answer: u32, current: u32) -> u32 {
    if ratio > 1.0 {
        answer.max(current)
    } else if ratio < 1.0 {
        answer.min(current)
    } else {
        current
    }
}

#[cfg(test)]
mod tests;
