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
    let ratio = ratio(observed, track.target);
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
    /// A new instance's sample does not count before this age; 0 for what is not gated by readiness.
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
    let first = ratio(observed, target);
    let tracked = |observed: f64, counted: u64, want: Option<u32>| {
        let ratio = ratio(observed, target);
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

    if sorted.missing == 0 && !(first > 1.0 && sorted.unready > 0) {
        let want = (!within(track, first)).then(|| answer(observed, sorted.ready));
        return Some(tracked(observed, sorted.ready, want));
    }
    let mut sum = sorted.sum;
    let mut counted = sorted.ready;
    if first < 1.0 {
        let stands_in = if pods.is_utilization {
            target.max(100.0)
        } else {
            target
        };
        sum += stands_in * sorted.missing as f64;
        counted += sorted.missing;
    } else if first > 1.0 {
        counted += sorted.missing + sorted.unready;
    }
    let observed = mean(sum, counted as f64);
    let second = ratio(observed, target);
    let turned = (first < 1.0 && second > 1.0) || (first > 1.0 && second < 1.0);
    let want = (!turned && !within(track, second)).then(|| answer(observed, counted));
    Some(tracked(observed, counted, want))
}

/// The ratio, stopping at the largest number.
fn ratio(observed: f64, target: f64) -> f64 {
    (observed / target).clamp(f64::MIN, f64::MAX)
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
            });
        }
        per_instance(
            &tracking(target, 0.1, 0.1),
            &Pods {
                current: instances.len() as u32,
                instances: Some(&instances),
                values: &values,
                initialization: Duration::from_secs(180),
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
                    },
                    InstanceSample {
                        id: "b".into(),
                        value: Some(30.0),
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
}
