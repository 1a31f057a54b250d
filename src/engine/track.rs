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
mod tests {
    use tideform_policies::model::{Capacity, MetricReading, Scope, Share};

    use super::*;
    use crate::engine::Memory;
    use crate::engine::testing::{at, cpu_rules, decided, instance, metric, rules, seen, track};

    fn tracking(target: f64, tolerance_in: f64, tolerance_out: f64) -> Track {
        Track {
            target,
            tolerance_in: Share(tolerance_in),
            tolerance_out: Share(tolerance_out),
        }
    }

    #[test]
    fn a_mean_is_brought_back_to_its_target() {
        let sixty = tracking(60.0, 0.1, 0.1);
        for (observed, counted, current, want) in [
            (90.0, 6, 6, 9),
            (30.0, 6, 6, 3),
            (60.0, 6, 6, 6),
            // Both ends of the tolerance are included.
            (66.0, 10, 10, 10),
            (66.1, 10, 10, 12),
            (54.0, 10, 10, 10),
            (53.9, 10, 10, 9),
            // AWS: a fraction is always rounded out.
            (150.0, 10, 10, 25),
            (0.0, 4, 4, 0),
            (-20.0, 4, 4, 0),
            // Ready instances count; above the target never less than was asked for, below never more.
            (70.0, 4, 6, 6),
            (120.0, 4, 6, 8),
            (50.0, 9, 6, 6),
            (1e308, 6, 6, u32::MAX),
        ] {
            let tracked = average(&sixty, observed, counted, current);
            assert_eq!(
                tracked.want, want,
                "{observed} over {counted}, at {current}"
            );
        }
    }

    #[test]
    fn amounts_of_instances_that_nobody_knows_are_no_data_where_any_lacks() {
        let amount = |id: &str| InstanceSample {
            id: id.into(),
            value: Some(600.0),
            of: Some(1000.0),
        };
        for (values, expected) in [
            (vec![amount("a"), amount("b")], Some(4)),
            (vec![amount("a")], None),
            (vec![amount("a"), amount("b"), amount("c")], Some(6)),
        ] {
            let tracked = per_instance(
                &tracking(30.0, 0.1, 0.1),
                &Pods {
                    instances: None,
                    values: &values,
                    current: 2,
                    gate: None,
                    now: at(0.0),
                    is_utilization: false,
                },
            );
            let got = tracked.map(|tracked| tracked.want);
            assert_eq!(got, expected, "{} of 2", values.len());
        }
    }

    #[test]
    fn what_a_total_is_divided_among_makes_its_ratio_but_at_zero() {
        let track = tracking(25.0, 0.1, 0.1);
        for (observed, counted, current, ratio) in [
            (250.0, 4, 4, 2.5),
            // Nothing exists yet, or what exists is not wanted: the ratio is that of one.
            (250.0, 0, 4, 10.0),
            (250.0, 4, 0, 10.0),
        ] {
            let got = total(&track, observed, counted, current).ratio;
            assert_eq!(got, ratio, "{observed} among {counted} at {current}");
        }
    }

    #[test]
    fn instances_without_a_sample_count_against_the_change_however_many() {
        for (target, is_utilization, shape, want, counted) in [
            // On the way in as all that they have, or as the target.
            (50.0, true, "r10 r10 r10 r- r-", 5, 5),
            (90.0, true, "r10 r10 r10 r10 r- r-", 3, 6),
            (50.0, false, "r10 r10 r10 r- r-", 3, 5),
            (50.0, false, "r20 r20 r20 r20 r-", 3, 5),
            // On the way out as nothing, like those that are not ready.
            (30.0, true, "r90 r90 r- r-", 6, 4),
            (30.0, true, "r90 r90 r- p-", 6, 4),
            // What turns the change around keeps: two that use everything, or two that use nothing.
            (50.0, true, "r40 r-", 2, 2),
            (50.0, true, "r60 r- r-", 3, 3),
            // At the target nothing speaks for a change.
            (50.0, true, "r50 r50 r-", 3, 2),
            (50.0, true, "r50 r50 p-", 3, 2),
        ] {
            let got = pods(target, is_utilization, shape).map(|t| (t.want, t.counted));
            assert_eq!(got, Some((want, counted)), "{shape} at {target}");
        }
    }

    #[test]
    fn an_instance_counts_from_the_age_of_its_initialization_on() {
        for (seconds, want) in [(179.0, 2), (180.0, 4)] {
            let instances = [instance("a", 60.0), instance("b", seconds / 60.0)];
            let values = ["a", "b"].map(|id| InstanceSample {
                id: id.into(),
                value: Some(100.0),
                of: None,
            });
            let tracked = per_instance(
                &tracking(50.0, 0.1, 0.1),
                &Pods {
                    instances: Some(&instances),
                    values: &values,
                    current: 2,
                    gate: Some(Gate {
                        initialization: Duration::from_secs(180),
                        sampled_at: at(0.0),
                        period: Duration::from_secs(60),
                    }),
                    now: at(0.0),
                    is_utilization: true,
                },
            );
            assert_eq!(tracked.map(|tracked| tracked.want), Some(want), "{seconds}");
        }
    }

    #[test]
    fn values_of_fewer_than_were_asked_for_leave_the_others_without_a_sample() {
        let rules = cpu_rules(|_| {});
        let now = at(0.0);
        // The group's instances are not known: three of five have a value.
        for (value, desired) in [(120.0, 6), (70.0, 5), (30.0, 5), (0.0, 4)] {
            let mut seen = seen(5, &[], now);
            let values = ["a", "b", "c"].map(|id| InstanceSample {
                id: id.into(),
                value: Some(value),
                of: None,
            });
            seen.metrics.insert(
                "cpu".into(),
                MetricReading::PerInstance {
                    at: now,
                    values: values.to_vec(),
                },
            );
            let decision = decided(&rules, &seen, &Memory::default(), now);
            assert_eq!(
                decision.desired.get(),
                desired,
                "{value}: {:#?}",
                decision.reasons
            );
        }
    }

    #[test]
    fn tolerance_may_differ_by_direction() {
        let track = tracking(100.0, 0.5, 0.01);
        for (observed, want) in [(101.0, 10), (101.5, 11), (51.0, 10), (50.0, 10), (49.0, 5)] {
            assert_eq!(average(&track, observed, 10, 10).want, want, "{observed}");
        }
    }

    #[test]
    fn a_total_is_divided_by_its_target_also_from_zero() {
        let track = tracking(25.0, 0.1, 0.1);
        for (total_value, counted, current, want) in [
            (250.0, 4, 4, 10),
            (251.0, 4, 4, 11),
            (0.0, 4, 4, 0),
            (1.0, 0, 0, 1),
            (0.0, 0, 0, 0),
            (75.0, 0, 0, 3),
            // Within tolerance of 4 x 25.
            (109.0, 4, 4, 4),
            (111.0, 4, 4, 5),
            (9.3e18, 1, 1, u32::MAX),
        ] {
            let tracked = total(&track, total_value, counted, current);
            assert_eq!(tracked.want, want, "{total_value} at {current}");
        }
    }

    /// `r`: ready; `u`: still initializing; `p`: pending; `x`: failed. A value or `-` for no sample.
    fn pods(target: f64, is_utilization: bool, pods: &str) -> Option<Tracked> {
        let mut instances = Vec::new();
        let mut values = Vec::new();
        for (n, word) in pods.split_whitespace().enumerate() {
            let (kind, value) = word.split_at(1);
            let id = format!("i-{n}");
            let mut instance = instance(
                &id,
                match kind {
                    "u" => 1.0,
                    "p" => -1.0,
                    _ => 60.0,
                },
            );
            if kind == "x" {
                instance.state = InstanceState::Unhealthy;
            }
            instances.push(instance);
            values.push(InstanceSample {
                id: id.as_str().into(),
                value: value.parse().ok(),
                of: None,
            });
        }
        per_instance(
            &tracking(target, 0.1, 0.1),
            &Pods {
                current: instances.len() as u32,
                instances: Some(&instances),
                values: &values,
                gate: Some(Gate {
                    initialization: Duration::from_secs(180),
                    sampled_at: at(0.0),
                    period: Duration::from_secs(60),
                }),
                now: at(0.0),
                is_utilization,
            },
        )
    }

    #[test]
    fn samples_per_instance_are_weighed_as_the_hpa_weighs_them() {
        for (target, is_utilization, shape, want) in [
            (30.0, true, "r30 r50 r70", Some(5)),
            // Not ready ones are left out of the first ratio and count as 0 in the second.
            (30.0, true, "u30 r50 r70", Some(4)),
            (30.0, true, "r30 u50 u70", Some(3)),
            (50.0, true, "r10 r30 r50 r25 r25", Some(3)),
            // Pending ones hold a scale-out back too.
            (30.0, true, "r50 r50 p-", Some(4)),
            // A missing one counts as 0 on the way out ...
            (30.0, true, "r60 r60 r-", Some(4)),
            (50.0, true, "r100 r-", Some(2)),
            // ... and on the way in as using all that it has, or as its target.
            (50.0, true, "r10 r10 r10 r-", Some(3)),
            (50.0, false, "r10 r10 r10 r-", Some(2)),
            (50.0, true, "r10 r-", Some(2)),
            (120.0, true, "r30 r30 r30 r-", Some(2)),
            // Failed ones count nowhere.
            (30.0, true, "r45 r45 x99", Some(3)),
            (30.0, true, "r- r- r-", None),
            (30.0, true, "u90 p-", None),
            // Within tolerance.
            (100.0, true, "r101 r103 r102", Some(3)),
        ] {
            let got = pods(target, is_utilization, shape).map(|tracked| tracked.want);
            assert_eq!(got, want, "{shape} at {target}");
        }
    }

    /// An instance in service with its readiness: launched and changed so many seconds ago.
    fn checked(id: &str, launched: Option<i64>, ready: bool, changed: Option<i64>) -> Instance {
        let ago = |seconds: i64| at(-(seconds as f64) / 60.0);
        Instance {
            launched_at: launched.map(ago),
            in_service_at: None,
            ready: Some(ready),
            ready_changed_at: changed.map(ago),
            ..instance(id, 0.0)
        }
    }

    #[test]
    fn a_gated_sample_counts_once_a_whole_period_was_taken_while_ready() {
        let gate = |initialization, sampled: f64| Gate {
            initialization: Duration::from_secs(initialization),
            sampled_at: at(-sampled / 60.0),
            period: Duration::from_secs(60),
        };
        for (launched, ready, changed, initialization, sampled, is_shut) in [
            // Young: not ready, or sampled too early.
            (Some(90), false, Some(90), 120, 0.0, true),
            (Some(90), true, Some(60), 120, 0.0, false),
            (Some(90), true, Some(59), 120, 0.0, true),
            (Some(90), true, Some(70), 120, 11.0, true),
            (Some(90), true, None, 120, 0.0, true),
            // Later: only what has never been ready.
            (Some(120), true, Some(1), 120, 0.0, false),
            (Some(120), false, Some(1), 120, 0.0, false),
            (Some(120), false, Some(110), 120, 0.0, false),
            (Some(120), false, Some(111), 120, 0.0, true),
            (Some(120), false, None, 120, 0.0, true),
            // Nobody knows when it began: it has not.
            (None, true, Some(500), 120, 0.0, true),
        ] {
            let instance = checked("a", launched, ready, changed);
            assert_eq!(
                gate(initialization, sampled).is_shut(&instance, at(0.0)),
                is_shut,
                "{launched:?} {ready} {changed:?} {sampled}"
            );
        }
    }

    /// Amounts of what each instance has: `r600/2000`, `r-/2000`, `r600/-`; kinds as in [`pods`].
    fn amounts(target: f64, shape: &str) -> Option<Tracked> {
        let mut instances = Vec::new();
        let mut values = Vec::new();
        for (n, word) in shape.split_whitespace().enumerate() {
            let (kind, rest) = word.split_at(1);
            let (value, of) = rest.split_once('/').expect("an amount of something");
            let id = format!("i-{n}");
            let mut instance = instance(&id, if kind == "p" { -1.0 } else { 60.0 });
            if kind == "x" {
                instance.state = InstanceState::Unhealthy;
            }
            if kind == "u" {
                instance = checked(&id, Some(60), false, None);
            }
            instances.push(instance);
            values.push(InstanceSample {
                id: id.as_str().into(),
                value: value.parse().ok(),
                of: of.parse().ok(),
            });
        }
        per_instance(
            &tracking(target, 0.1, 0.1),
            &Pods {
                current: instances.len() as u32,
                instances: Some(&instances),
                values: &values,
                gate: Some(Gate {
                    initialization: Duration::from_secs(180),
                    sampled_at: at(0.0),
                    period: Duration::from_secs(60),
                }),
                now: at(0.0),
                is_utilization: false,
            },
        )
    }

    #[test]
    fn amounts_are_made_one_percentage_of_what_the_instances_have() {
        for (target, shape, want) in [
            (30.0, "r600/2000 r1000/2000 r1400/2000", Some((5, 50.0))),
            // One percentage of the sums, not the mean of the percentages.
            (50.0, "r300/800 r100/100", Some((2, 44.0))),
            // Cut to a whole percent: 56.9 is within the tolerance of 52.
            (52.0, "r569/1000 r569/1000", Some((2, 56.0))),
            (30.0, "u600/2000 r1000/2000 r1400/2000", Some((4, 40.0))),
            (
                100.0,
                "r800/2000 r190/2000 r-/2000 r-/2000",
                Some((3, 62.0)),
            ),
            // Above 100 the target itself stands in.
            (120.0, "r200/1000 r-/1000", Some((2, 70.0))),
            (50.0, "u200/2000 r4000/2000 r-/2000", Some((4, 66.0))),
            // One that does not say what it has, even one that is still starting.
            (30.0, "r600/2000 r600/-", None),
            (30.0, "r600/2000 r-/-", None),
            (30.0, "r600/2000 p-/-", None),
            (30.0, "r600/0 r600/2000", None),
            // What failed counts nowhere.
            (30.0, "r600/2000 r600/2000 x-/-", Some((3, 30.0))),
            (30.0, "r-/2000 r-/2000", None),
        ] {
            let got = amounts(target, shape).map(|tracked| (tracked.want, tracked.observed));
            assert_eq!(got, want, "{shape} at {target}");
        }
    }

    #[test]
    fn a_shared_value_is_multiplied_by_what_is_ready_and_leaves_zero() {
        let track = tracking(30.0, 0.1, 0.1);
        for (observed, ready, current, want) in [
            (45.0, 4, 4, Some(6)),
            (15.0, 4, 4, Some(2)),
            (33.0, 4, 4, Some(4)),
            // Fewer are ready: never less than was asked for above the target.
            (45.0, 2, 4, Some(4)),
            (90.0, 2, 4, Some(6)),
            (45.0, 0, 4, None),
            // From zero without a tolerance.
            (33.0, 0, 0, Some(2)),
            (1.0, 0, 0, Some(1)),
            (0.0, 0, 0, Some(0)),
            (1e308, 0, 0, Some(u32::MAX)),
        ] {
            let got = shared(&track, observed, ready, current);
            assert_eq!(
                got.map(|tracked| tracked.want),
                want,
                "{observed}, {ready} of {current}"
            );
            assert!(
                current > 0 || got.is_some_and(|tracked| !tracked.is_within_tolerance),
                "{observed} from zero"
            );
        }
    }

    #[test]
    fn samples_are_matched_by_id_in_any_order_and_strangers_are_dropped() {
        let rules = cpu_rules(|_| {});
        let now = at(0.0);
        let mut seen = seen(2, &[], now);
        seen.instances = Some(vec![instance("a", 60.0), instance("b", 60.0)]);
        let values = |list: &[(&str, f64)]| MetricReading::PerInstance {
            at: now,
            values: list
                .iter()
                .map(|(id, value)| InstanceSample {
                    id: (*id).into(),
                    value: Some(*value),
                    of: None,
                })
                .collect(),
        };
        seen.metrics.insert(
            "cpu".into(),
            values(&[("z", 0.0), ("b", 120.0), ("a", 60.0)]),
        );
        assert_eq!(
            decided(&rules, &seen, &Memory::default(), now).desired,
            Capacity(3)
        );
        seen.metrics.insert("cpu".into(), values(&[("z", 200.0)]));
        let decision = decided(&rules, &seen, &Memory::default(), now);
        assert_eq!(decision.desired, Capacity(2));
        assert!(decision.has("no_data"));
    }

    #[test]
    fn young_instances_are_left_out_only_of_utilizations_and_where_the_metric_says_so() {
        for (name, initialization, expected) in [
            ("requests_per_instance", None, 20),
            ("requests_per_instance", Some(Duration::from_secs(180)), 10),
            ("cpu", None, 10),
            ("cpu", Some(Duration::ZERO), 20),
        ] {
            let rules = rules(|policy| {
                let mut metric = metric(name, track(60.0));
                metric.initialization = initialization;
                policy.metrics.push(metric);
            });
            let now = at(0.0);
            let mut seen = seen(10, &[], now);
            let ids: Vec<String> = (0..10).map(|n| format!("i-{n}")).collect();
            seen.instances = Some(
                ids.iter()
                    .enumerate()
                    .map(|(n, id)| instance(id, if n < 5 { 60.0 } else { 1.0 }))
                    .collect(),
            );
            let values = ids.iter().map(|id| InstanceSample {
                id: id.as_str().into(),
                value: Some(120.0),
                of: None,
            });
            seen.metrics.insert(
                name.into(),
                MetricReading::PerInstance {
                    at: now,
                    values: values.collect(),
                },
            );
            let decision = decided(&rules, &seen, &Memory::default(), now);
            assert_eq!(
                decision.desired.get(),
                expected,
                "{name} {initialization:?}"
            );
        }
    }

    #[test]
    fn weights_count_in_units() {
        let rules = cpu_rules(|_| {});
        let now = at(0.0);
        let mut seen = seen(6, &[("cpu", 90.0)], now);
        let mut big = instance("a", 60.0);
        big.weight = 4;
        let mut small = instance("b", 60.0);
        small.weight = 2;
        seen.instances = Some(vec![big, small]);
        assert_eq!(
            decided(&rules, &seen, &Memory::default(), now).desired,
            Capacity(9)
        );
        // (4 x 75 + 2 x 30) / 6 = 60.
        seen.metrics.insert(
            "cpu".into(),
            MetricReading::PerInstance {
                at: now,
                values: vec![
                    InstanceSample {
                        id: "a".into(),
                        value: Some(75.0),
                        of: None,
                    },
                    InstanceSample {
                        id: "b".into(),
                        value: Some(30.0),
                        of: None,
                    },
                ],
            },
        );
        assert_eq!(
            decided(&rules, &seen, &Memory::default(), now).desired,
            Capacity(6)
        );
    }

    #[test]
    fn a_source_that_counts_all_is_multiplied_by_all() {
        let rules = cpu_rules(|policy| policy.warmup = Duration::from_secs(180));
        let now = at(0.0);
        let mut seen = seen(6, &[("cpu", 90.0)], now);
        seen.instances = Some(
            (0..6)
                .map(|n| instance(&n.to_string(), if n < 4 { 60.0 } else { 1.0 }))
                .collect(),
        );
        assert_eq!(
            decided(&rules, &seen, &Memory::default(), now).desired,
            Capacity(6)
        );
        seen.counts_warming.insert("cpu".into());
        assert_eq!(
            decided(&rules, &seen, &Memory::default(), now).desired,
            Capacity(9)
        );
    }

    #[test]
    fn an_instance_metric_has_no_opinion_at_zero_and_a_total_has() {
        let both = rules(|policy| {
            policy.metrics.push(metric("cpu", track(60.0)));
            let mut queue = metric("queue", track(25.0));
            queue.scope = Scope::Group;
            policy.metrics.push(queue);
        });
        let now = at(0.0);
        let decision = decided(
            &both,
            &seen(0, &[("cpu", 99.0), ("queue", 30.0)], now),
            &Memory::default(),
            now,
        );
        assert_eq!(decision.desired, Capacity(2));
        assert!(decision.has("abstained"));
        let decision = decided(
            &both,
            &seen(0, &[("cpu", 99.0)], now),
            &Memory::default(),
            now,
        );
        assert_eq!(decision.desired, Capacity(0));
    }

    #[test]
    fn a_mean_over_no_ready_instance_is_no_data() {
        let rules = cpu_rules(|_| {});
        let now = at(0.0);
        let mut seen = seen(4, &[("cpu", 10.0)], now);
        let mut failed = instance("a", 60.0);
        failed.state = InstanceState::Unhealthy;
        seen.instances = Some(vec![failed]);
        let decision = decided(&rules, &seen, &Memory::default(), now);
        assert_eq!(decision.desired, Capacity(4));
        assert!(decision.has("no_data"));
    }

    #[test]
    fn a_spread_is_the_instances_counted() {
        let ids: Vec<String> = (0..12).map(|n| format!("i-{n}")).collect();
        for (reported, missing, unready) in [
            (4, 0, 0),
            (4, 2, 0),
            (4, 0, 3),
            (4, 2, 3),
            (0, 2, 1),
            (1, 5, 5),
        ] {
            for (value, is_utilization) in [
                (20.0, true),
                (59.0, false),
                (70.0, true),
                (95.0, false),
                (0.0, true),
            ] {
                let instances: Vec<Instance> = ids
                    .iter()
                    .take(reported + missing + unready)
                    .enumerate()
                    .map(|(n, id)| instance(id, if n < reported + missing { 60.0 } else { -1.0 }))
                    .collect();
                let values: Vec<InstanceSample> = instances
                    .iter()
                    .enumerate()
                    .map(|(n, instance)| InstanceSample {
                        id: instance.id.clone(),
                        value: (n < reported).then_some(value),
                        of: None,
                    })
                    .collect();
                for current in [4, 6, 7, 9] {
                    let one_by_one = per_instance(
                        &tracking(60.0, 0.1, 0.1),
                        &Pods {
                            instances: Some(&instances),
                            values: &values,
                            current,
                            gate: None,
                            now: at(0.0),
                            is_utilization,
                        },
                    );
                    let units = |n: usize| u32::try_from(n).unwrap_or(0);
                    let counted = spread(
                        &tracking(60.0, 0.1, 0.1),
                        value,
                        Spread {
                            reported: units(reported),
                            missing: units(missing),
                            unready: units(unready),
                        },
                        current,
                        is_utilization,
                    );
                    assert_eq!(
                        counted, one_by_one,
                        "{value} of {reported} {missing} {unready}, {current}"
                    );
                }
            }
        }
    }
}
