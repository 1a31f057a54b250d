//! Target tracking: the capacity that would bring a metric back to its target.
//!
//! Sources: Kubernetes HorizontalPodAutoscaler, "Algorithm details" and its replica calculator;
//! AWS Auto Scaling, target tracking. The next steps of a decision hold back; these functions only compute.

use std::collections::HashMap;
use std::time::Duration;

use jiff::Timestamp;
use tideform_policies::model::{Instance, InstanceSample, InstanceState, Track};

use super::moment::in_service_for;
use super::numbers::{at_most, mean, round_out, scaled};
use super::reason::Basis;

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
    pub(super) is_within_tolerance: bool,
    pub(super) want: u32,
}

/// One value for the group, the mean over `counted` units: `ceil(counted x observed / target)`.
///
/// - `observed`: finite; the target is above 0.
/// - `counted` is above 0: a mean over nothing says nothing.
/// - Within tolerance it wants `current`; above the target never less than `current`, below never more.
pub(super) fn average(track: &Track, observed: f64, counted: u32, current: u32) -> Tracked {
    let ratio = observed / track.target;
    let is_within_tolerance = within(track, ratio);
    let answer = round_out(scaled(f64::from(counted), observed, track.target));
    Tracked {
        basis: Basis::Average,
        observed,
        ratio,
        counted,
        missing: 0,
        unready: 0,
        is_within_tolerance,
        want: if is_within_tolerance {
            current
        } else {
            one_way(ratio, answer, current)
        },
    }
}

/// A total of the group: `ceil(total / target)`, also from 0.
///
/// `counted` is what the total is divided among, for the tolerance; from 0 there is none.
pub(super) fn total(track: &Track, observed: f64, counted: u32, current: u32) -> Tracked {
    let from_zero = current == 0;
    let ratio = if from_zero || counted == 0 {
        observed / track.target
    } else {
        observed / track.target / f64::from(counted)
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
        is_within_tolerance,
        want: if from_zero {
            answer
        } else if is_within_tolerance {
            current
        } else {
            one_way(ratio, answer, current)
        },
    }
}

/// The instances whose samples are read, and when these count.
pub(super) struct Pods<'a> {
    /// `None`: `current` instances, all ready.
    pub(super) instances: Option<&'a [Instance]>,
    pub(super) values: &'a [InstanceSample],
    pub(super) current: u32,
    /// A new instance's sample does not count before this age.
    pub(super) initialization: Duration,
    pub(super) now: Timestamp,
    /// The metric is a percentage of what an instance has: one without a sample may use all of it.
    pub(super) is_utilization: bool,
}

/// Units and samples by what they are to the HPA's calculation.
#[derive(Clone, Copy, Debug, Default)]
struct Sorted {
    sum: f64,
    ready: u64,
    missing: u64,
    missing_instances: u32,
    unready: u64,
    unready_instances: u32,
}

impl Pods<'_> {
    fn sort(&self) -> Sorted {
        let mut sorted = Sorted::default();
        let Some(instances) = self.instances else {
            for sample in self.values {
                sorted.take(finite(sample.value), 1);
            }
            let count = u32::try_from(self.values.len()).unwrap_or(u32::MAX);
            let absent = self.current.saturating_sub(count);
            sorted.missing += u64::from(absent);
            sorted.missing_instances = sorted.missing_instances.saturating_add(absent);
            return sorted;
        };
        let mut by_id: Option<HashMap<&str, Option<f64>>> = None;
        for (place, instance) in instances.iter().enumerate() {
            match instance.state {
                InstanceState::Unhealthy | InstanceState::Draining | InstanceState::Ended => {}
                InstanceState::Pending => sorted.unready(instance.weight),
                InstanceState::InService => {
                    // Samples mostly come in the order of the instances.
                    let value = match self.values.get(place) {
                        Some(sample) if sample.id == instance.id => sample.value,
                        _ => by_id
                            .get_or_insert_with(|| {
                                self.values.iter().map(|s| (&*s.id, s.value)).collect()
                            })
                            .get(&*instance.id)
                            .copied()
                            .flatten(),
                    };
                    let value = finite(value);
                    if value.is_some() && in_service_for(instance, self.now) < self.initialization {
                        sorted.unready(instance.weight);
                    } else {
                        sorted.take(value, instance.weight);
                    }
                }
            }
        }
        sorted
    }
}

impl Sorted {
    fn take(&mut self, value: Option<f64>, weight: u32) {
        match value {
            Some(value) => {
                self.sum += value * f64::from(weight);
                self.ready += u64::from(weight);
            }
            None => {
                self.missing += u64::from(weight);
                self.missing_instances = self.missing_instances.saturating_add(1);
            }
        }
    }

    fn unready(&mut self, weight: u32) {
        self.unready += u64::from(weight);
        self.unready_instances = self.unready_instances.saturating_add(1);
    }
}

/// The HPA's replica calculation. `None` where no ready instance has a sample: no data.
///
/// Instances without a sample count against the change: on the way in as at their target (a utilization: as
/// using all they have), on the way out as 0. Those not ready count as 0 on the way out. If that turns the change
/// round, or brings it within tolerance, nothing should change.
pub(super) fn per_instance(track: &Track, pods: &Pods<'_>) -> Option<Tracked> {
    let sorted = pods.sort();
    if sorted.ready == 0 {
        return None;
    }
    let current = pods.current;
    let target = track.target;
    let observed = mean(sorted.sum, sorted.ready as f64);
    let ratio = observed / target;
    let tracked = |observed: f64, counted: u64, want: Option<u32>| {
        let ratio = observed / target;
        Tracked {
            basis: Basis::PerInstance,
            observed,
            ratio,
            counted: u32::try_from(counted).unwrap_or(u32::MAX),
            missing: sorted.missing_instances,
            unready: sorted.unready_instances,
            is_within_tolerance: want.is_none(),
            want: want.map_or(current, |want| one_way(ratio, want, current)),
        }
    };
    let answer = |observed: f64, counted: u64| round_out(scaled(counted as f64, observed, target));

    if sorted.missing == 0 && !(ratio > 1.0 && sorted.unready > 0) {
        let want = (!within(track, ratio)).then(|| answer(observed, sorted.ready));
        return Some(tracked(observed, sorted.ready, want));
    }
    let mut sum = sorted.sum;
    let mut counted = sorted.ready;
    if ratio < 1.0 {
        let stands_in = if pods.is_utilization {
            target.max(100.0)
        } else {
            target
        };
        sum += stands_in * sorted.missing as f64;
        counted += sorted.missing;
    } else if ratio > 1.0 {
        counted += sorted.missing + sorted.unready;
    }
    let observed = mean(sum, counted as f64);
    let second = observed / target;
    let turned = (ratio < 1.0 && second > 1.0) || (ratio > 1.0 && second < 1.0);
    let want = (!turned && !within(track, second)).then(|| answer(observed, counted));
    Some(tracked(observed, counted, want))
}

fn finite(value: Option<f64>) -> Option<f64> {
    value.filter(|value| value.is_finite())
}

/// Whether the ratio is so near to 1 that nothing should change; both ends are included.
fn within(track: &Track, ratio: f64) -> bool {
    at_most(1.0 - track.tolerance_in.fraction(), ratio)
        && at_most(ratio, 1.0 + track.tolerance_out.fraction())
}

/// A ratio above 1 never wants less than `current`, one below 1 never more.
fn one_way(ratio: f64, answer: u32, current: u32) -> u32 {
    if ratio > 1.0 {
        answer.max(current)
    } else if ratio < 1.0 {
        answer.min(current)
    } else {
        current
    }
}
