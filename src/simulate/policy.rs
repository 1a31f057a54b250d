//! A policy as a controller: the engine's own decision, with the observation that a provider would have given.

use std::time::Duration;

use jiff::{SignedDuration, Timestamp};
use tideform_mock::world::millis;
use tideform_policies::model::{
    Capacity, Group, MetricSource, Mix, Name, OnExceed, Rule, Sample, Scope, Statistic,
};

use super::asked::Asked;
use super::controller::{At, Controller, Seen};
use super::prices::Prices;
use super::world::{Input, Target, WorldMetric};
use crate::engine::explain::{Line, explain};
use crate::engine::{
    Action, Memory, Observation, Rules, Spent, Spread, Still, Units, decide, decide_quiet,
    spot_part, still,
};

/// How the group's provider shows metrics.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Sight {
    /// Metrics tracked by instance come with a value of each instance, as on the mock cloud.
    pub per_instance: bool,
    /// Samples average also the instances that are still warming, as on AWS.
    pub counts_warming: bool,
}

impl Sight {
    /// As the provider of this kind shows them.
    pub fn of_provider(kind: &str) -> Sight {
        Sight {
            per_instance: kind == "mock",
            counts_warming: kind == "aws",
        }
    }
}

/// How an input reaches the decision.
#[derive(Clone, Copy, Debug)]
struct Place {
    /// In the policy.
    metric: usize,
    /// With a value of each instance.
    by_instance: Option<ByInstance>,
}

/// A metric with a value of each instance.
#[derive(Clone, Copy, Debug)]
struct ByInstance {
    /// The least time in service for a sample to count, in milliseconds.
    gate: i64,
    /// The length of a sample.
    period: i64,
    /// When the newest one was taken.
    newest: Option<i64>,
}

impl ByInstance {
    /// The instances by what the newest sample knows of them; `None`: all report, and count.
    fn spread(&self, seen: &Seen<'_>) -> Option<Spread> {
        let from = self.newest? - self.period.max(seen.step_ms);
        seen.fleet.spread(seen.now.ms, from, self.gate)
    }
}

/// A policy as a controller.
#[derive(Debug)]
pub struct Policy<'r> {
    rules: &'r Rules,
    seen: Observation,
    memory: Memory,
    inputs: Vec<Input>,
    places: Vec<Place>,
    /// Metrics that the world cannot say.
    unknown: Vec<Name>,
    warmup_ms: i64,
    has_fallback: bool,
    /// The live mix where the policy has none.
    live_mix: Option<Mix>,
    budget: Option<Month>,
    prices: Prices,
    asked: Asked,
    /// What the last decision that was made aloud knew.
    aloud: Option<Box<Aloud>>,
    rest: Rest,
}

/// Decisions that need not be made, since they are known to change nothing.
#[derive(Clone, Copy, Debug, Default)]
struct Rest {
    still: Option<Still>,
    /// What came since the last decision of the metric that it is about.
    newest: Option<f64>,
    /// The last of them; the memory does not know of it yet.
    since_memory: Option<Timestamp>,
}

/// What is needed to make a decision again, with its reasons; what was seen is still there.
#[derive(Debug)]
struct Aloud {
    memory: Memory,
    at: Timestamp,
}

/// The money of a month so far.
#[derive(Clone, Copy, Debug)]
struct Month {
    ends: Timestamp,
    /// What had been paid when it began.
    before_usd: f64,
}

impl<'r> Policy<'r> {
    /// The policy of these rules, without any memory. Metrics that do not follow from load and capacity are left out of
    /// its decisions; see [`Policy::unknown`].
    pub fn new(rules: &'r Rules, sight: Sight, prices: Prices) -> Policy<'r> {
        let group = rules.group();
        let mut seen = Observation::of(rules);
        let (mut inputs, mut places, mut unknown) = (Vec::new(), Vec::new(), Vec::new());
        for (place, metric) in group.policy.metrics.iter().enumerate() {
            let MetricSource::Query(query) = &metric.source else {
                continue;
            };
            let Some(known) = metric_of(group, place) else {
                unknown.push(metric.name.clone());
                if metric.rule.is_some() {
                    seen.left_out.insert(metric.name.clone());
                }
                continue;
            };
            let is_own = query
                .provider
                .as_ref()
                .is_none_or(|provider| *provider == group.provider);
            let by_instance = sight.per_instance
                && is_own
                && metric.scope == Scope::Instance
                && matches!(metric.rule, Some(Rule::Track(_)))
                && matches!(
                    known,
                    WorldMetric::Cpu | WorldMetric::RequestsPerInstance | WorldMetric::Requests
                );
            let gate = match metric.initialization {
                Some(initialization) => millis(initialization),
                None if rules.is_utilization(place) => millis(group.policy.warmup),
                None => 0,
            };
            if sight.counts_warming && is_own {
                seen.counts_warming.insert(metric.name.clone());
            }
            let known = match known {
                WorldMetric::Cpu if sight.counts_warming && is_own => WorldMetric::CpuOfLive,
                other => other,
            };
            // The value of an instance is that of the newest step, whatever the period of the group's samples.
            let input = Input {
                metric: known,
                statistic: metric.statistic,
                period: metric.period,
                delay: metric.delay,
            };
            inputs.push(match (by_instance, known) {
                (false, _) => input,
                (true, WorldMetric::Requests) => Input {
                    metric: WorldMetric::RequestsPerInstance,
                    ..newest_step(input)
                },
                (true, _) => newest_step(input),
            });
            places.push(Place {
                metric: place,
                by_instance: by_instance.then(|| ByInstance {
                    gate,
                    period: millis(newest_step(input).period),
                    newest: None,
                }),
            });
        }
        if places.iter().any(|place| place.by_instance.is_some()) {
            seen.spreads = vec![None; group.policy.metrics.len()];
        }
        let mix = &group.policy.mix;
        let blocks = group.policy.budget.as_ref().map(|budget| budget.on_exceed);
        Policy {
            rules,
            seen,
            memory: Memory::default(),
            inputs,
            places,
            unknown,
            warmup_ms: millis(group.policy.warmup),
            has_fallback: mix.as_ref().is_some_and(|mix| mix.fallback.is_some()),
            live_mix: None,
            budget: (blocks == Some(OnExceed::BlockScaleOut)).then_some(Month {
                ends: Timestamp::MIN,
                before_usd: 0.0,
            }),
            prices,
            asked: Asked::default(),
            aloud: None,
            rest: Rest::default(),
        }
    }

    /// With what people ask for while it runs.
    #[must_use]
    pub fn with_asked(mut self, asked: Asked) -> Policy<'r> {
        self.seen.overrides.surges.clone_from(&asked.surges);
        self.asked = asked;
        self
    }

    /// With the mix that the group has, where the policy manages none.
    #[must_use]
    pub fn with_live_mix(mut self, mix: Option<Mix>) -> Policy<'r> {
        self.live_mix = mix;
        self
    }

    /// With the limits that the group has, where the policy manages none.
    #[must_use]
    pub fn with_live_limits(
        mut self,
        limits: Option<tideform_policies::model::Limits>,
    ) -> Policy<'r> {
        self.seen.limits = limits;
        self
    }

    /// Metrics that do not follow from load and capacity: without data, and left out of the decisions.
    pub fn unknown(&self) -> &[Name] {
        &self.unknown
    }

    /// How a capacity is split, apart from a fallback.
    pub fn split(&self, desired: u32) -> Target {
        let mix = self
            .rules
            .group()
            .policy
            .mix
            .as_ref()
            .or(self.live_mix.as_ref());
        Target {
            desired,
            spot: mix.map_or(0, |mix| spot_part(mix, desired)),
        }
    }

    fn spent(&mut self, seen: &Seen<'_>) {
        let Some(month) = &mut self.budget else {
            return;
        };
        let paid = self.prices.cost_usd(seen.fleet.billed(seen.now.ms));
        if seen.now.time >= month.ends {
            month.before_usd = paid;
            month.ends = next_month(seen.now.time);
        }
        self.seen.spent = Some(Spent {
            cost_usd: paid - month.before_usd,
        });
    }
}

/// The mean of the newest minute.
fn newest_step(input: Input) -> Input {
    Input {
        statistic: Statistic::Average,
        period: input.period.min(Duration::from_secs(60)),
        ..input
    }
}

/// What a metric of a group is in the world; `None`: it does not follow from load and capacity. What waits is a backlog,
/// and never the load, whatever `instance { load }` says.
pub fn metric_of(group: &Group, place: usize) -> Option<WorldMetric> {
    let metric = group.policy.metrics.get(place)?;
    let MetricSource::Query(query) = &metric.source else {
        return None;
    };
    let known = if query.query.is_some() {
        WorldMetric::named(&metric.name)
    } else {
        WorldMetric::named(&query.name)
    };
    let is_backlog = known.is_some_and(WorldMetric::needs_queue);
    if is_load(group, &metric.name) && !is_backlog {
        return Some(WorldMetric::Requests);
    }
    known
}

/// The metric that the group's `instance { load }` names though it tells what waits, and not what arrives.
pub(super) fn backlog_as_load(group: &Group) -> Option<&Name> {
    let mut metrics = group.policy.metrics.iter().enumerate();
    metrics.find_map(|(place, metric)| {
        let is_backlog = metric_of(group, place).is_some_and(WorldMetric::needs_queue);
        (is_backlog && is_load(group, &metric.name)).then_some(&metric.name)
    })
}

fn is_load(group: &Group, metric: &Name) -> bool {
    let instance = group.policy.instance.as_ref();
    instance.and_then(|instance| instance.load.as_ref()) == Some(metric)
}

/// The first moment of the next month, UTC.
fn next_month(now: Timestamp) -> Timestamp {
    let zoned = now.to_zoned(jiff::tz::TimeZone::UTC);
    zoned
        .first_of_month()
        .and_then(|first| first.start_of_day())
        .and_then(|first| first.checked_add(jiff::Span::new().months(1)))
        .map_or(Timestamp::MAX, |next| next.timestamp())
}

impl Controller for Policy<'_> {
    fn every(&self) -> Duration {
        self.rules.group().policy.every
    }

    fn inputs(&self) -> Vec<Input> {
        self.inputs.clone()
    }

    #[inline]
    fn sample(&mut self, input: usize, at: At, value: Option<f64>) {
        let Some(place) = self.places.get_mut(input) else {
            return;
        };
        if let Some(by_instance) = &mut place.by_instance {
            by_instance.newest = Some(at.ms);
        }
        if let Some(still) = &self.rest.still
            && still.metric == place.metric
        {
            self.rest.newest = value;
        }
        let sample = value.map(|value| Sample { at: at.time, value });
        match (place.by_instance, sample) {
            (None, Some(sample)) => self.seen.metrics.record(self.rules, place.metric, sample),
            (None, None) => {}
            // A value of each instance is only ever the newest.
            (Some(_), sample) => self.seen.metrics.replace(place.metric, sample),
        }
    }

    #[inline]
    fn decide(&mut self, seen: &Seen<'_>) -> Target {
        if self.stays(seen) {
            self.rest.since_memory = Some(seen.now.time);
            return Target::on_demand(seen.fleet.desired());
        }
        self.decide_in_full(seen)
    }

    fn decide_aloud(&mut self, seen: &Seen<'_>) -> Target {
        self.catch_up();
        self.aloud = Some(Box::new(Aloud {
            memory: self.memory.clone(),
            at: seen.now.time,
        }));
        self.decide_in_full(seen)
    }

    fn why(&self) -> Vec<Line> {
        let Some(aloud) = &self.aloud else {
            return Vec::new();
        };
        let decision = decide(self.rules, &self.seen, &aloud.memory, aloud.at);
        explain(self.rules.group(), &decision, aloud.at, None).reasons
    }
}

impl Policy<'_> {
    /// Whether the decision is known beforehand to change nothing.
    #[inline]
    fn stays(&mut self, seen: &Seen<'_>) -> bool {
        // A value counts once: without a new one, the old one may be too old.
        let (Some(still), Some(value)) = (&self.rest.still, self.rest.newest.take()) else {
            return false;
        };
        let (now, fleet) = (seen.now.ms, seen.fleet);
        let ready = Units {
            ready: still.current.get(),
            warming: 0,
        };
        still.holds_at(value)
            && fleet.desired() == still.current.get()
            && fleet.units(now, self.warmup_ms) == ready
            && self.places.iter().all(|place| match place.by_instance {
                Some(of) => of.spread(seen).is_none(),
                None => true,
            })
    }

    /// Tells the memory of the decisions that were not made.
    #[inline]
    fn catch_up(&mut self) {
        if let (Some(at), Some(still)) = (self.rest.since_memory.take(), &self.rest.still) {
            self.memory.stayed(at, still.current);
        }
    }

    fn decide_in_full(&mut self, seen: &Seen<'_>) -> Target {
        self.catch_up();
        let (now, fleet) = (seen.now, seen.fleet);
        let current = fleet.desired();
        self.seen.desired = Capacity(current);
        self.seen.units = Some(fleet.units(now.ms, self.warmup_ms));
        for place in &self.places {
            if let Some(of) = place.by_instance
                && of.newest.is_some()
                && let Some(spread) = self.seen.spreads.get_mut(place.metric)
            {
                *spread = of.spread(seen);
            }
        }
        if self.has_fallback {
            let start = now.time - SignedDuration::from_millis(now.ms);
            self.seen.instances = Some(fleet.instances(now.ms, start));
            let failed = fleet.failed_spot_launches().iter();
            let time = |at: &i64| start + SignedDuration::from_millis(*at);
            self.seen.failed_spot_launches = failed.map(time).collect();
        }
        if self.budget.is_some() {
            self.spent(seen);
        }
        self.asked.show(now.time, &mut self.seen.overrides);
        let outcome = decide_quiet(self.rules, &self.seen, &mut self.memory, now.time);
        let desired = outcome.desired.get();
        self.rest.newest = None;
        self.rest.still = if desired == current && self.can_rest() {
            still(self.rules, &self.seen, &self.memory)
        } else {
            None
        };
        if desired != current {
            let action = Action::by_tideform(now.time, outcome.current, outcome.desired);
            self.memory.record(action);
        }
        match (outcome.mix, &self.live_mix) {
            (Some(mix), _) => Target {
                desired,
                spot: mix.spot.get(),
            },
            (None, None) => Target::on_demand(desired),
            (None, Some(_)) => self.split(desired),
        }
    }

    /// Whether nothing but the metrics is told at a decision.
    fn can_rest(&self) -> bool {
        self.budget.is_none()
            && !self.has_fallback
            && self.live_mix.is_none()
            && self.asked.is_empty()
    }
}

#[cfg(test)]
mod tests;
