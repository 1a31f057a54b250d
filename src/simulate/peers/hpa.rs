//! The Kubernetes HorizontalPodAutoscaler, `autoscaling/v2`, with the defaults of a cluster.
//!
//! Pods are the instances of the world: one that boots is pending, and so not ready. Every pod has the same request and
//! use, so that samples per pod and their mean are the same.
//!
//! Source: Kubernetes, "Horizontal Pod Autoscaling" ("Algorithm details", "Configurable scaling behavior"), and the
//! replica calculator of `kube-controller-manager`. Metrics are never older here than their source says, which the
//! metrics server's are by up to its own resolution.

use std::collections::VecDeque;
use std::time::Duration;

use tideform_mock::world::millis;
use tideform_policies::model::Scope;

use super::common::Common;
use crate::engine::{cut, round_out};
use crate::simulate::controller::{At, Controller, Seen};
use crate::simulate::world::{Input, Target, WorldMetric};

/// `--horizontal-pod-autoscaler-sync-period`.
pub const SYNC: Duration = Duration::from_secs(15);

/// `--metric-resolution` of the metrics server as it is shipped.
pub const RESOLUTION: Duration = Duration::from_secs(15);

/// `--horizontal-pod-autoscaler-tolerance`.
pub const TOLERANCE: f64 = 0.1;

/// `--horizontal-pod-autoscaler-downscale-stabilization`.
pub const DOWNSCALE_STABILIZATION: Duration = Duration::from_secs(300);

/// `--horizontal-pod-autoscaler-cpu-initialization-period`.
pub const CPU_INITIALIZATION: Duration = Duration::from_secs(300);

/// `behavior.scaleUp`: so many pods in a period, or so much, whichever is more.
pub const SCALE_UP_PODS: u32 = 4;

/// In percent. See [`SCALE_UP_PODS`].
pub const SCALE_UP_PERCENT: u32 = 100;

// `behavior.scaleDown` allows 100 % a period: all. The period of all three is 15 s; a sync comes every 15 s, and only what
// is younger than the period counts, so that the size at the start of a period is always the present one.

/// It.
#[derive(Clone, Debug)]
pub struct Hpa {
    common: Common,
    newest: Option<(At, Option<f64>)>,
    proposals: VecDeque<(i64, u32)>,
}

/// The pods by what they are to the replica calculation.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub(crate) struct Pods {
    /// Mean of the ready ones.
    pub(crate) usage: f64,
    pub(crate) ready: u32,
    /// Without a sample.
    pub(crate) missing: u32,
    /// Pending, not ready, or with a sample from before they were.
    pub(crate) unready: u32,
}

/// What the replica calculation needs to know of a metric with values per pod.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) struct PerPod {
    pub(crate) target: f64,
    /// Percent of a request.
    pub(crate) is_utilization: bool,
}

fn is_within_tolerance(ratio: f64) -> bool {
    // Both ends are included.
    (1.0 - TOLERANCE - 1e-9..=1.0 + TOLERANCE + 1e-9).contains(&ratio)
}

impl PerPod {
    /// The replica calculation; `None`: no recommendation.
    pub(crate) fn replicas(self, pods: Pods, current: u32) -> Option<u32> {
        if pods.ready == 0 {
            return None;
        }
        let ratio = cut(pods.usage) / self.target;
        if pods.missing == 0 && (ratio <= 1.0 || pods.unready == 0) {
            return Some(if is_within_tolerance(ratio) {
                current
            } else {
                round_out(ratio * f64::from(pods.ready))
            });
        }
        let (filled, counted) = if ratio < 1.0 {
            let stands_in = if self.is_utilization {
                self.target.max(100.0)
            } else {
                self.target
            };
            (
                f64::from(pods.missing) * stands_in,
                pods.ready + pods.missing,
            )
        } else if ratio > 1.0 {
            (0.0, pods.ready + pods.missing + pods.unready)
        } else {
            (0.0, pods.ready)
        };
        let sum = pods.usage * f64::from(pods.ready) + filled;
        let second = cut(sum / f64::from(counted)) / self.target;
        let is_turned = (ratio < 1.0 && second > 1.0) || (ratio > 1.0 && second < 1.0);
        if is_turned || is_within_tolerance(second) {
            return Some(current);
        }
        let answer = round_out(second * f64::from(counted));
        Some(if second < 1.0 {
            answer.min(current)
        } else {
            answer.max(current)
        })
    }
}

/// Of one total: `AverageValue` of an external metric.
fn total_average(common: &Common, total: f64, current: u32) -> u32 {
    if current > 0 && is_within_tolerance(common.ratio(total, current)) {
        current
    } else {
        round_out(total / common.target)
    }
}

/// Of one value: `Value` of an object or external metric.
fn value(common: &Common, value: f64, current: u32, ready: u32) -> u32 {
    let ratio = value / common.target;
    if current == 0 {
        round_out(ratio)
    } else if is_within_tolerance(ratio) {
        current
    } else {
        round_out(ratio * f64::from(ready))
    }
}

/// Holds the count inside the band of recent proposals, and logs the new one.
pub(crate) fn stabilize(
    proposals: &mut VecDeque<(i64, u32)>,
    proposal: u32,
    current: u32,
    now_ms: i64,
) -> u32 {
    if proposals.is_empty() {
        proposals.push_back((now_ms, current));
    }
    let window = millis(DOWNSCALE_STABILIZATION);
    while proposals
        .front()
        .is_some_and(|(at, _)| now_ms - at >= window)
    {
        proposals.pop_front();
    }
    let highest = proposals
        .iter()
        .map(|(_, logged)| *logged)
        .fold(proposal, u32::max);
    proposals.push_back((now_ms, proposal));
    // Without a window on the way up the lowest is the proposal itself.
    current.max(proposal).min(highest)
}

/// Cuts a change to the limits and to what the default behavior allows.
pub(crate) fn limit(wish: u32, current: u32, min: u32, max: u32) -> u32 {
    if wish > current {
        let share = round_out(f64::from(current) * f64::from(SCALE_UP_PERCENT) / 100.0);
        let most = current.saturating_add(share.max(SCALE_UP_PODS));
        wish.min(max).min(most)
    } else if wish < current {
        wish.max(min)
    } else {
        wish
    }
}

impl Hpa {
    /// It, for a group.
    pub fn new(common: Common) -> Hpa {
        // Without the feature gate HPAScaleToZero a minimum is 1 at least.
        let min = common.min.max(1);
        Hpa {
            common: Common { min, ..common },
            newest: None,
            proposals: VecDeque::new(),
        }
    }

    /// What the metric proposes; `None`: no recommendation.
    fn proposal(&self, seen: &Seen<'_>) -> Option<u32> {
        let (at, sample) = self.newest?;
        let sample = sample?;
        let (fleet, current) = (seen.fleet, seen.fleet.desired());
        match self.common.scope {
            Scope::Group => Some(total_average(&self.common, sample, current)),
            Scope::Shared => Some(value(&self.common, sample, current, fleet.serving())),
            Scope::Instance => {
                let is_gated = self.common.metric == WorldMetric::Cpu;
                let is_initializing = self.common.boot < CPU_INITIALIZATION;
                // A whole sample has to be taken since a pod became ready, for as long as it initializes.
                let ready = if is_gated && is_initializing {
                    fleet.units(at.ms, millis(RESOLUTION)).ready
                } else {
                    fleet.serving()
                };
                let per_pod = PerPod {
                    target: self.common.target,
                    is_utilization: is_gated,
                };
                let pods = Pods {
                    usage: sample,
                    ready,
                    missing: 0,
                    unready: fleet.live().saturating_sub(ready),
                };
                per_pod.replicas(pods, current)
            }
        }
    }
}

impl Controller for Hpa {
    fn every(&self) -> Duration {
        SYNC
    }

    fn inputs(&self) -> Vec<Input> {
        vec![self.common.input(RESOLUTION)]
    }

    fn sample(&mut self, _: usize, at: At, value: Option<f64>) {
        self.newest = Some((at, value));
    }

    fn decide(&mut self, seen: &Seen<'_>) -> Target {
        let current = seen.fleet.desired();
        let (min, max) = (self.common.min, self.common.max);
        if current > max || current < min {
            return self.common.ask(current);
        }
        let Some(proposal) = self.proposal(seen) else {
            return self.common.ask(current);
        };
        let wish = stabilize(&mut self.proposals, proposal, current, seen.now.ms);
        self.common.ask(limit(wish, current, min, max))
    }
}

/// Its settings, in a line.
pub(super) fn settings(common: &Common) -> String {
    format!(
        "{}; every 15s, tolerance 10%, out by 100% or 4 in 15s, in after 5m",
        common.aim()
    )
}
