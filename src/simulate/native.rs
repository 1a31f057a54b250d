//! What the cloud's own policies do with a group that has `controller = "native"`, as a controller.
//!
//! The files' policy is taken as it is written for Amazon EC2 Auto Scaling: a target tracking policy for each tracked
//! metric, a step policy with its alarm for each direction and kind of adjustment, schedules on minimum and maximum. What
//! AWS cannot say never comes here: `plan` refuses it. Predictive scaling is left out ([`Native::leaves_out_forecast`]).
//!
//! The rules are those of [`super::peers::aws`], which name their sources.

use std::time::Duration;

use tideform_mock::world::millis;
use tideform_policies::model::{
    Adjustment as Written, Breach, Capacity, ForecastMode, Limits, Metric, MetricSource, Mix, Name,
    OnMissing, Rule, Sample, Select, Step as WrittenStep, StepBound,
};

use super::asked::Asked;
use super::controller::{At, Controller, Seen};
use super::peers::aws::{
    ACTS_EVERY, Adjustment, Alarm, Missing, Policy, Side, Standing, Step, Stepping, Tracking,
    WARMUP, desired,
};
use super::policy::metric_of;
use super::world::{Input, Target};
use crate::engine::explain::{Line, unit};
use crate::engine::{self, Observation, Rules, Units, spot_part};

/// Where the data points of a policy come from.
#[derive(Clone, Copy, Debug)]
enum Points {
    /// An input, by its place.
    Input(usize),
    /// A formula, by its metric's place: computed at the end of each period.
    Formula {
        metric: usize,
        period_ms: i64,
        next_ms: i64,
    },
}

/// A policy of the cloud's.
#[derive(Clone, Debug)]
struct Watched {
    policy: Policy,
    points: Points,
    /// What absent data points are filled with.
    fill: Option<f64>,
    new: Vec<Option<f64>>,
}

/// The cloud's own policies of a group.
#[derive(Debug)]
pub struct Native<'r> {
    rules: &'r Rules,
    /// What formulas and limits look at.
    seen: Observation,
    inputs: Vec<Input>,
    /// The metric of each input, by its place in the policy.
    metrics: Vec<usize>,
    watched: Vec<Watched>,
    unknown: Vec<Name>,
    warmup_ms: i64,
    live_mix: Option<Mix>,
    asked: Asked,
    /// What the group was to its policies at the last decision.
    standing: Option<Standing>,
}

impl<'r> Native<'r> {
    /// The policies that `apply` writes for these rules. Metrics that do not follow from load and capacity are left out,
    /// see [`Native::unknown`].
    pub fn new(rules: &'r Rules) -> Native<'r> {
        let group = rules.group();
        let policy = &group.policy;
        let (mut inputs, mut metrics, mut unknown) = (Vec::new(), Vec::new(), Vec::new());
        for (place, metric) in policy.metrics.iter().enumerate() {
            let MetricSource::Query(_) = &metric.source else {
                continue;
            };
            match metric_of(group, place) {
                Some(known) => {
                    inputs.push(Input {
                        metric: known,
                        statistic: metric.statistic,
                        period: metric.period,
                        delay: metric.delay,
                    });
                    metrics.push(place);
                }
                None => unknown.push(metric.name.clone()),
            }
        }
        let scales_in = policy.scale_in.enabled && policy.scale_in.select != Select::Disabled;
        let mut watched = Vec::new();
        for (place, metric) in policy.metrics.iter().enumerate() {
            let points = match &metric.source {
                MetricSource::Query(_) => match metrics.iter().position(|of| *of == place) {
                    Some(input) => Points::Input(input),
                    None => continue,
                },
                MetricSource::Formula(_) => Points::Formula {
                    metric: place,
                    period_ms: millis(metric.period).max(1000),
                    next_ms: 0,
                },
            };
            for (policy, fill) in policies(metric, scales_in) {
                watched.push(Watched {
                    policy,
                    points,
                    fill,
                    new: Vec::new(),
                });
            }
        }
        let warmup = if policy.warmup_is_set {
            policy.warmup
        } else {
            WARMUP
        };
        Native {
            rules,
            seen: Observation::of(rules),
            inputs,
            metrics,
            watched,
            unknown,
            warmup_ms: millis(warmup),
            live_mix: None,
            asked: Asked::default(),
            standing: None,
        }
    }

    /// With what people ask for while it runs: a pin is a minimum and maximum, a surge a minimum.
    #[must_use]
    pub fn with_asked(mut self, asked: Asked) -> Native<'r> {
        self.seen.overrides.surges.clone_from(&asked.surges);
        self.asked = asked;
        self
    }

    /// With the limits that the group has, where the policy manages none.
    #[must_use]
    pub fn with_live_limits(mut self, limits: Option<Limits>) -> Native<'r> {
        self.seen.limits = limits;
        self
    }

    /// With the mix that the group has, where the policy manages none.
    #[must_use]
    pub fn with_live_mix(mut self, mix: Option<Mix>) -> Native<'r> {
        self.live_mix = mix;
        self
    }

    /// Metrics that do not follow from load and capacity: their policies are left out.
    pub fn unknown(&self) -> &[Name] {
        &self.unknown
    }

    /// Whether the group has predictive scaling that acts, which is not simulated.
    pub fn leaves_out_forecast(&self) -> bool {
        let forecast = &self.rules.group().policy.forecast;
        forecast
            .as_ref()
            .is_some_and(|forecast| forecast.mode == ForecastMode::Scale)
    }

    /// How a capacity is split.
    pub fn split(&self, desired: u32) -> Target {
        let mix = &self.rules.group().policy.mix;
        let mix = mix.as_ref().or(self.live_mix.as_ref());
        Target {
            desired,
            spot: mix.map_or(0, |mix| spot_part(mix, desired)),
        }
    }
}

/// The policies that a metric becomes, each with what fills its gaps.
fn policies(metric: &Metric, scales_in: bool) -> Vec<(Policy, Option<f64>)> {
    match &metric.rule {
        Some(Rule::Track(track)) => {
            let tracking = Tracking::new(track.target, metric.scope, scales_in);
            vec![(Policy::Tracking(tracking), None)]
        }
        Some(Rule::Steps(steps)) => {
            let fill = match metric.on_missing {
                OnMissing::Value(value) => Some(value),
                OnMissing::Hold | OnMissing::Last | OnMissing::ScaleOut => None,
            };
            let policies = stepping(metric, steps, scales_in).into_iter();
            policies
                .map(|stepping| (Policy::Stepping(stepping), fill))
                .collect()
        }
        Some(Rule::Want) | None => Vec::new(),
    }
}

/// A step by the side it looks to, as distance from zero outward, and with a signed number.
fn placed(step: &WrittenStep) -> Option<(Side, f64, Option<f64>)> {
    match step.when {
        StepBound::Above { from, to } => Some((Side::High, from, to)),
        StepBound::Below { from, to } => Some((Side::Low, from, to)),
        // An alarm has one threshold: `plan` refuses a band.
        StepBound::Band { .. } => None,
    }
}

fn adjustment(step: &WrittenStep) -> (Adjustment, f64) {
    match step.adjustment {
        Written::Add(n) => (Adjustment::Change, f64::from(n)),
        Written::Remove(n) => (Adjustment::Change, -f64::from(n)),
        Written::AddShare(share) => (Adjustment::Percent(step.min_adjustment), share.percent()),
        Written::RemoveShare(share) => (Adjustment::Percent(step.min_adjustment), -share.percent()),
        Written::Set(n) => (Adjustment::Exact, f64::from(n)),
    }
}

/// A policy and an alarm for each side and kind of adjustment.
fn stepping(metric: &Metric, steps: &[WrittenStep], scales_in: bool) -> Vec<Stepping> {
    let mut kinds: Vec<(Side, Adjustment)> = Vec::new();
    for step in steps {
        if let Some((side, _, _)) = placed(step)
            && (side == Side::High || scales_in)
            && !kinds.contains(&(side, adjustment(step).0))
        {
            kinds.push((side, adjustment(step).0));
        }
    }
    kinds
        .into_iter()
        .filter_map(|(side, kind)| {
            let of_kind: Vec<(f64, Option<f64>, f64)> = steps
                .iter()
                .filter_map(|step| {
                    let (at, from, to) = placed(step)?;
                    let (adjusts, by) = adjustment(step);
                    (at == side && adjusts == kind).then_some((from, to, by))
                })
                .collect();
            let nearest = |a: f64, b: f64| match side {
                Side::High => a.min(b),
                Side::Low => a.max(b),
            };
            let threshold = of_kind.iter().map(|step| step.0).reduce(nearest)?;
            Some(Stepping {
                side,
                threshold,
                adjustment: kind,
                steps: relative(&of_kind, threshold, side),
                alarm: alarm(metric, side),
                newest: 0.0,
                is_share: false,
            })
        })
        .collect()
}

/// Bounds relative to the threshold; each step ends where the next one begins, at the latest.
fn relative(steps: &[(f64, Option<f64>, f64)], threshold: f64, side: Side) -> Vec<Step> {
    steps
        .iter()
        .map(|(from, to, by)| {
            let others = steps.iter().map(|step| step.0);
            let (near, far) = match side {
                Side::High => {
                    let next = others.filter(|other| other > from).reduce(f64::min);
                    (*from, to.iter().copied().chain(next).reduce(f64::min))
                }
                Side::Low => {
                    let next = others.filter(|other| other < from).reduce(f64::max);
                    (*from, to.iter().copied().chain(next).reduce(f64::max))
                }
            };
            let (near, far) = (near - threshold, far.map(|far| far - threshold));
            let (lower, upper) = match side {
                Side::High => (Some(near), far),
                Side::Low => (far, Some(near)),
            };
            Step {
                lower,
                upper,
                adjustment: *by,
            }
        })
        .collect()
}

/// `DatapointsToAlarm` of `EvaluationPeriods`, and `TreatMissingData`, as `apply` writes them.
fn alarm(metric: &Metric, side: Side) -> Alarm {
    let (breaching, periods) = match metric.breach {
        Breach::Now => (1, 1),
        Breach::For(time) => {
            let periods = time.as_secs().div_ceil(metric.period.as_secs().max(1));
            let periods = u32::try_from(periods).unwrap_or(u32::MAX).max(1);
            (periods, periods)
        }
        Breach::Of { breaching, periods } => (breaching, periods),
    };
    let missing = match (metric.on_missing, side) {
        (OnMissing::Hold | OnMissing::Value(_), _) | (OnMissing::ScaleOut, Side::Low) => {
            Missing::Missing
        }
        (OnMissing::Last, _) => Missing::Ignore,
        (OnMissing::ScaleOut, Side::High) => Missing::Breaching,
    };
    Alarm::new(breaching, periods, missing)
}

impl Controller for Native<'_> {
    fn every(&self) -> Duration {
        let metrics = self.rules.group().policy.metrics.iter();
        let with_rule = metrics.filter(|metric| metric.rule.is_some());
        with_rule
            .map(|metric| metric.period)
            .fold(ACTS_EVERY, Duration::min)
            .max(Duration::from_secs(1))
    }

    fn inputs(&self) -> Vec<Input> {
        self.inputs.clone()
    }

    fn sample(&mut self, input: usize, at: At, value: Option<f64>) {
        if let (Some(metric), Some(value)) = (self.metrics.get(input), value) {
            let sample = Sample { at: at.time, value };
            self.seen.metrics.record(self.rules, *metric, sample);
        }
        for watched in &mut self.watched {
            if matches!(watched.points, Points::Input(of) if of == input) {
                watched.new.push(value.or(watched.fill));
            }
        }
    }

    fn decide(&mut self, seen: &Seen<'_>) -> Target {
        let (now, fleet) = (seen.now, seen.fleet);
        self.seen.desired = Capacity(fleet.desired());
        // Metric math counts what is in service, warm or not.
        self.seen.units = Some(Units {
            ready: fleet.serving(),
            warming: fleet.pending(),
        });
        for watched in &mut self.watched {
            if let Points::Formula {
                metric,
                period_ms,
                next_ms,
            } = &mut watched.points
                && now.ms >= *next_ms
            {
                *next_ms = now.ms + *period_ms;
                let value = self
                    .rules
                    .group()
                    .policy
                    .metrics
                    .get(*metric)
                    .and_then(|metric| {
                        engine::metric_value(self.rules, &self.seen, &metric.name, now.time)
                    });
                watched.new.push(value.or(watched.fill));
            }
            for value in watched.new.drain(..) {
                watched.policy.push(value, fleet.serving());
            }
        }
        let (mut min, mut max) = engine::limits_at(self.rules, &self.seen, now.time);
        if let Some(pin) = self.asked.pin_at(now.time) {
            // The limits of the group alone bound it.
            let limits = self.rules.group().policy.limits.or(self.seen.limits);
            let capacity = limits.map_or(pin.capacity, |limits| {
                pin.capacity.clamp(limits.min(), limits.max())
            });
            (min, max) = (capacity, capacity);
        }
        let standing = Standing {
            in_service: fleet.units(now.ms, self.warmup_ms).ready,
            desired: fleet.desired(),
            min: min.get(),
            max: max.get(),
        };
        self.standing = Some(standing);
        let policies = self.watched.iter().map(|watched| &watched.policy);
        self.split(desired(policies, standing))
    }

    fn why(&self) -> Vec<Line> {
        let Some(standing) = self.standing else {
            return Vec::new();
        };
        let name = |points: Points| {
            let place = match points {
                Points::Input(input) => self.metrics.get(input).copied(),
                Points::Formula { metric, .. } => Some(metric),
            };
            let metrics = &self.rules.group().policy.metrics;
            place.and_then(|place| metrics.get(place))
        };
        let mut lines: Vec<Line> = self
            .watched
            .iter()
            .filter_map(|watched| {
                let metric = name(watched.points)?;
                Some(Line {
                    subject: metric.name.to_string(),
                    text: watched
                        .policy
                        .says(standing, unit(self.rules.group(), &metric.name))?,
                })
            })
            .collect();
        lines.push(Line {
            subject: "limits".to_owned(),
            text: format!("{} to {}", standing.min, standing.max),
        });
        lines
    }
}
