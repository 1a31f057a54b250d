//! What all peers are told of a group: what its policy says.

use std::time::Duration;

use tideform_policies::model::{Group, Limits, MetricSource, Mix, Rule, Scope, Statistic};

use crate::engine::spot_part;
use crate::simulate::policy::metric_of;
use crate::simulate::run::Setup;
use crate::simulate::world::{Input, Target, WorldMetric};

/// What peers hold `cpu` at where the policy tracks nothing that follows from load and capacity.
///
/// Source: tideform's own, the target of the examples.
pub const TARGET_WITHOUT_TRACK: f64 = 60.0;

/// Where metric and target of the peers come from.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Source {
    /// The policy's metric of this name, the first that it tracks.
    Tracked(String),
    /// The policy tracks nothing that can be simulated: [`TARGET_WITHOUT_TRACK`].
    Assumed,
}

/// What all peers are told of a group.
#[derive(Clone, Debug, PartialEq)]
pub struct Common {
    /// What is measured.
    pub metric: WorldMetric,
    /// How.
    pub statistic: Statistic,
    /// How late samples can be seen.
    pub delay: Duration,
    /// What the metric describes.
    pub scope: Scope,
    /// What it is held at; above 0.
    pub target: f64,
    /// Where these come from.
    pub source: Source,
    /// The policy's warmup, where it says one.
    pub warmup: Option<Duration>,
    /// The fewest units.
    pub min: u32,
    /// The most.
    pub max: u32,
    /// How units are split.
    pub mix: Option<Mix>,
    /// The load that one unit carries within the SLO.
    pub per_unit: f64,
    /// From launch to serving, mean.
    pub boot: Duration,
    /// How often the policy decides; the published rules decide as often.
    pub every: Duration,
    /// The largest demand of the trace.
    pub peak_demand: u32,
}

impl Common {
    /// What the policy of a group says. `live` are the limits that hold where it has none, `mix` likewise.
    pub fn of(
        group: &Group,
        setup: &Setup,
        live: Option<Limits>,
        mix: Option<&Mix>,
        peak_demand: u32,
    ) -> Common {
        let policy = &group.policy;
        let tracked = policy
            .metrics
            .iter()
            .enumerate()
            .find_map(|(place, metric)| {
                let Some(Rule::Track(track)) = &metric.rule else {
                    return None;
                };
                let MetricSource::Query(_) = &metric.source else {
                    return None;
                };
                Some((metric, metric_of(group, place)?, track.target))
            });
        let limits = policy.limits.or(live);
        let common = Common {
            metric: WorldMetric::Cpu,
            statistic: Statistic::Average,
            delay: Duration::ZERO,
            scope: Scope::Instance,
            target: TARGET_WITHOUT_TRACK,
            source: Source::Assumed,
            warmup: policy.warmup_is_set.then_some(policy.warmup),
            min: limits.map_or(0, |limits| limits.min().get()),
            max: limits.map_or(u32::MAX, |limits| limits.max().get()),
            mix: policy.mix.as_ref().or(mix).cloned(),
            per_unit: setup.per_unit(),
            boot: setup.model.boot.mean(),
            every: policy.every,
            peak_demand,
        };
        match tracked {
            Some((metric, known, target)) => Common {
                metric: known,
                statistic: metric.statistic,
                delay: metric.delay,
                scope: metric.scope,
                target,
                source: Source::Tracked(metric.name.to_string()),
                ..common
            },
            None => common,
        }
    }

    /// The metric in samples of this length.
    pub(super) fn input(&self, period: Duration) -> Input {
        Input {
            metric: self.metric,
            statistic: self.statistic,
            period,
            delay: self.delay,
        }
    }

    /// What is asked for: within the limits, and split as the mix says.
    pub(in crate::simulate) fn ask(&self, desired: u32) -> Target {
        let desired = desired.clamp(self.min.min(self.max), self.max);
        Target {
            desired,
            spot: self.mix.as_ref().map_or(0, |mix| spot_part(mix, desired)),
        }
    }

    /// What a value is as a share of the target, with so many units.
    pub(super) fn ratio(&self, value: f64, units: u32) -> f64 {
        match self.scope {
            Scope::Instance | Scope::Shared => value / self.target,
            Scope::Group => value / self.target / f64::from(units.max(1)),
        }
    }

    /// The metric and its target, for people.
    pub(super) fn aim(&self) -> String {
        let name = match &self.source {
            Source::Tracked(name) => name,
            Source::Assumed => "cpu (assumed)",
        };
        format!("{name} at {}", self.target)
    }
}

/// A time, for people.
pub(super) fn short(time: Duration) -> String {
    tideform_policies::model::units::format_duration(time)
}
