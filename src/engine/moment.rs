//! One moment of one group: the rules, what was seen, the time, and what follows from these at once.
//!
//! It answers what a metric's value is, now or at an earlier time; it decides nothing.

use std::time::Duration;

use jiff::Timestamp;
use tideform_policies::model::{
    FormulaScope, Instance, InstanceSample, InstanceState, Limits, Metric, MetricReading,
    MetricSource, OnMissing, OwnValue, Policy, Sample, Scope,
};

use super::numbers;
use super::observation::{Observation, Units};
use super::reason::Reason;
use super::rules::{FormulaInputs, Rules};
use super::time::{age, earlier, later};

/// Where reasons go. The quiet decision drops them before they are made.
pub(super) trait Sink {
    /// Whether all reasons are dropped: what only makes reasons need not be done.
    const IS_QUIET: bool = false;

    /// Takes a reason.
    fn say(&mut self, reason: impl FnOnce() -> Reason);
}

/// Keeps the reasons.
impl Sink for Vec<Reason> {
    fn say(&mut self, reason: impl FnOnce() -> Reason) {
        self.push(reason());
    }
}

/// Drops them.
pub(super) struct Quiet;

impl Sink for Quiet {
    const IS_QUIET: bool = true;

    #[inline]
    fn say(&mut self, _: impl FnOnce() -> Reason) {}
}

/// One moment of one group.
pub(super) struct Moment<'a> {
    pub(super) rules: &'a Rules,
    pub(super) policy: &'a Policy,
    pub(super) seen: &'a Observation,
    pub(super) now: Timestamp,
    /// The capacity last asked for.
    pub(super) current: u32,
    pub(super) units: Units,
    /// The policy's limits or the live ones.
    pub(super) limits: Option<Limits>,
}

/// The value of a metric.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) enum Value {
    /// Sampled lately.
    Fresh { value: f64, at: Timestamp },
    /// Sampled a while ago, and allowed to stand in.
    Last { value: f64, at: Timestamp },
    /// The policy's own number for absent data.
    Number(f64),
    /// No data; the newest sample is too old.
    Missing { newest_at: Option<Timestamp> },
}

impl Value {
    pub(super) fn number(self) -> Option<f64> {
        match self {
            Value::Fresh { value, .. } | Value::Last { value, .. } | Value::Number(value) => {
                Some(value)
            }
            Value::Missing { .. } => None,
        }
    }
}

/// The deepest chain of formulas; chains without an end are refused on load.
const DEEPEST: u8 = 32;

impl<'a> Moment<'a> {
    #[inline]
    pub(super) fn new(rules: &'a Rules, seen: &'a Observation, now: Timestamp) -> Moment<'a> {
        let policy = &rules.group().policy;
        Moment {
            units: match (seen.units, &seen.instances) {
                (Some(units), _) => units,
                (None, None) => Units {
                    ready: seen.desired.get(),
                    warming: 0,
                },
                (None, Some(instances)) => units(instances, policy.warmup, now),
            },
            rules,
            policy,
            seen,
            now,
            current: seen.desired.get(),
            limits: policy.limits.or(seen.limits),
        }
    }

    /// The units that exist: ready or warming.
    pub(super) fn live(&self) -> u32 {
        self.units.ready.saturating_add(self.units.warming)
    }

    /// The value of a metric at a time, with what stands in for absent data.
    pub(super) fn value(&self, place: usize, at: Timestamp) -> Value {
        self.value_within(place, at, 0)
    }

    fn value_within(&self, place: usize, at: Timestamp, depth: u8) -> Value {
        let (Some(metric), Some(rules)) = (
            self.policy.metrics.get(place),
            self.rules.metrics.get(place),
        ) else {
            return Value::Missing { newest_at: None };
        };
        let newest = match self.seen.metrics.at(place, &metric.name) {
            Some(reading) => self.newest(metric, reading, at),
            None => match &metric.source {
                MetricSource::Formula(formula) if depth < DEEPEST => formula
                    .number(&Within {
                        moment: self,
                        at,
                        depth: depth + 1,
                    })
                    .map(|value| Sample { at, value }),
                MetricSource::Formula(_) | MetricSource::Query(_) => None,
            },
        };
        if let Some(Sample { at: sampled, value }) = newest {
            let old = age(at, sampled);
            if old <= rules.fresh {
                return Value::Fresh { value, at: sampled };
            }
            if metric.on_missing == OnMissing::Last && old <= metric.max_age {
                return Value::Last { value, at: sampled };
            }
        }
        match metric.on_missing {
            OnMissing::Value(number) if number.is_finite() => Value::Number(number),
            _ => Value::Missing {
                newest_at: newest.map(|sample| sample.at),
            },
        }
    }

    /// The newest sample time that counts at a time. A little past now is a clock that is a little ahead of ours;
    /// further on, and past an earlier time, nothing counts.
    fn until(&self, metric: &Metric, at: Timestamp) -> Timestamp {
        if at == self.now {
            later(at, metric.period)
        } else {
            at
        }
    }

    /// The newest usable sample at a time.
    fn newest(&self, metric: &Metric, reading: &MetricReading, at: Timestamp) -> Option<Sample> {
        match reading {
            // Nearly always the last one.
            MetricReading::Group(samples) => match samples.last() {
                Some(last) if usable(last, at) => Some(*last),
                Some(_) => newest(metric, reading, self.until(metric, at)),
                None => None,
            },
            MetricReading::PerInstance { .. } => newest(metric, reading, self.until(metric, at)),
        }
    }

    /// A formula's inputs as they were at a time.
    pub(super) fn at(&'a self, at: Timestamp) -> Within<'a> {
        Within {
            moment: self,
            at,
            depth: 0,
        }
    }

    /// Walks back over the values of a metric, newest first, until told to stop. What stands in for absent data
    /// is no value here.
    pub(super) fn walk_back(&self, place: usize, mut look: impl FnMut(Timestamp, f64) -> bool) {
        let Some(metric) = self.policy.metrics.get(place) else {
            return;
        };
        match (self.seen.metrics.at(place, &metric.name), &metric.source) {
            (Some(MetricReading::Group(samples)), _) => {
                let until = self.until(metric, self.now);
                for sample in samples.iter().rev().filter(|s| usable(s, until)) {
                    if !look(sample.at, sample.value) {
                        return;
                    }
                }
            }
            (Some(reading), _) => {
                if let Some(sample) = self.newest(metric, reading, self.now) {
                    look(sample.at, sample.value);
                }
            }
            (None, MetricSource::Query(_)) => {}
            (None, MetricSource::Formula(formula)) => {
                let inputs = &self.rules.metrics[place].inputs;
                let mut before = None;
                while let Some(at) = self.time_before(inputs, before) {
                    if let Some(value) = formula.number(&self.at(at))
                        && !look(at, value)
                    {
                        return;
                    }
                    before = Some(at);
                }
            }
        }
    }

    /// The newest sample time of a formula's inputs, before a time or at all.
    pub(super) fn time_before(
        &self,
        inputs: &FormulaInputs,
        before: Option<Timestamp>,
    ) -> Option<Timestamp> {
        self.input_times(inputs, |samples| {
            let end = match before {
                Some(before) => samples.partition_point(|sample| sample.at < before),
                None => samples.partition_point(|sample| sample.at <= self.now),
            };
            end.checked_sub(1)
        })
        .filter(|at| before.is_none_or(|before| *at < before) && *at <= self.now)
        .max()
    }

    /// The oldest sample time of a formula's inputs after a time, up to now.
    pub(super) fn time_after(&self, inputs: &FormulaInputs, after: Timestamp) -> Option<Timestamp> {
        self.input_times(inputs, |samples| {
            Some(samples.partition_point(|sample| sample.at <= after))
        })
        .filter(|at| *at > after && *at <= self.now)
        .min()
    }

    fn input_times(
        &self,
        inputs: &FormulaInputs,
        pick: impl Fn(&[Sample]) -> Option<usize>,
    ) -> impl Iterator<Item = Timestamp> {
        inputs.queries.iter().filter_map(move |place| {
            let metric = self.policy.metrics.get(*place)?;
            match self.seen.metrics.at(*place, &metric.name)? {
                MetricReading::Group(samples) => {
                    pick(samples).and_then(|i| samples.get(i)).map(|s| s.at)
                }
                MetricReading::PerInstance { at, .. } => Some(*at),
            }
        })
    }
}

/// The group as a formula sees it at a time.
pub(super) struct Within<'a> {
    moment: &'a Moment<'a>,
    at: Timestamp,
    depth: u8,
}

impl FormulaScope for Within<'_> {
    fn metric(&self, name: &str) -> Option<f64> {
        let place = self
            .moment
            .policy
            .metrics
            .iter()
            .position(|metric| &*metric.name == name)?;
        self.moment
            .value_within(place, self.at, self.depth)
            .number()
    }

    fn own(&self, value: OwnValue) -> Option<f64> {
        let limits = self.moment.limits;
        Some(f64::from(match value {
            OwnValue::Ready => self.moment.units.ready,
            OwnValue::Live => self.moment.live(),
            OwnValue::Desired => self.moment.current,
            OwnValue::Min => limits?.min().get(),
            OwnValue::Max => limits?.max().get(),
        }))
    }
}

fn usable(sample: &Sample, until: Timestamp) -> bool {
    sample.value.is_finite() && sample.at <= until
}

/// The newest usable sample up to a time. Samples per instance become their sum or their mean, as the scope says.
fn newest(metric: &Metric, reading: &MetricReading, until: Timestamp) -> Option<Sample> {
    match reading {
        // Oldest first: a replay asks this for every sample, and must not walk over all the later ones.
        MetricReading::Group(samples) => samples
            .get(..samples.partition_point(|sample| sample.at <= until))?
            .iter()
            .rev()
            .find(|sample| usable(sample, until))
            .copied(),
        MetricReading::PerInstance {
            at: sampled,
            values,
        } => {
            let are_amounts = are_amounts(values);
            let mut sum = 0.0;
            let mut count = 0.0;
            for sample in values {
                let weight = if are_amounts {
                    sample.whole()
                } else {
                    Some(1.0)
                };
                if let (Some(value), Some(weight)) = (sample.number(), weight) {
                    sum += value;
                    count += weight;
                }
            }
            if count == 0.0 {
                return None;
            }
            let sample = Sample {
                at: *sampled,
                value: match metric.scope {
                    Scope::Instance | Scope::Shared if are_amounts => {
                        numbers::mean(sum * 100.0, count)
                    }
                    Scope::Instance | Scope::Shared => numbers::mean(sum, count),
                    Scope::Group => numbers::mean(sum, 1.0),
                },
            };
            usable(&sample, until).then_some(sample)
        }
    }
}

/// Whether the values are amounts of what the instances have, and not the metric itself.
pub(super) fn are_amounts(values: &[InstanceSample]) -> bool {
    values.iter().any(|sample| sample.of.is_some())
}

/// How long after its launch an instance's readiness may change for the first time, from ready to not ready, and
/// still not have been ready.
///
/// Source: Kubernetes HorizontalPodAutoscaler, the initial readiness delay of its test suite.
const INITIAL_READINESS: Duration = Duration::from_secs(10);

/// When an instance was launched, as far as anyone knows.
pub(super) fn launched_at(instance: &Instance) -> Option<Timestamp> {
    instance.launched_at.or(instance.in_service_at)
}

/// Not ready, and never been since its launch. Where an instance has a readiness check but no launch, it has not begun.
pub(super) fn has_never_been_ready(instance: &Instance) -> bool {
    instance.ready == Some(false)
        && match (launched_at(instance), instance.ready_changed_at) {
            (Some(launched), Some(changed)) => changed < later(launched, INITIAL_READINESS),
            (None, _) | (_, None) => true,
        }
}

/// How long an instance has been in service; for ever where nobody knows.
pub(super) fn in_service_for(instance: &Instance, now: Timestamp) -> Duration {
    instance
        .in_service_at
        .or(instance.launched_at)
        .map_or(Duration::MAX, |since| age(now, since))
}

fn units(instances: &[Instance], warmup: Duration, now: Timestamp) -> Units {
    let mut units = Units::default();
    // As `in_service_for(instance, now) >= warmup`, at two comparisons an instance.
    let warm_since = earlier(now, warmup);
    let is_warm = |instance: &Instance| {
        let since = instance.in_service_at.or(instance.launched_at);
        since.is_none_or(|since| since <= warm_since) || warmup.is_zero()
    };
    for instance in instances {
        match instance.state {
            // One that was ready and is no longer is neither: it has failed.
            InstanceState::InService
                if instance.ready == Some(false) && !has_never_been_ready(instance) => {}
            InstanceState::InService if instance.ready == Some(false) => {
                units.warming = units.warming.saturating_add(instance.weight);
            }
            InstanceState::InService if is_warm(instance) => {
                units.ready = units.ready.saturating_add(instance.weight);
            }
            InstanceState::InService | InstanceState::Pending => {
                units.warming = units.warming.saturating_add(instance.weight);
            }
            InstanceState::Unhealthy | InstanceState::Draining | InstanceState::Ended => {}
        }
    }
    units
}

#[cfg(test)]
mod tests {
    use tideform_policies::model::{OnMissing, OwnValue};

    use crate::engine::testing::{at, cpu_rules, instance, limits, metric, seen};
    use crate::engine::{metric_value, own_value};

    #[test]
    fn a_metric_has_the_value_that_the_decision_sees() {
        let rules = cpu_rules(|policy| {
            let mut silent = metric("silent", None);
            silent.on_missing = OnMissing::Value(7.0);
            policy.metrics.push(silent);
        });
        let seen = seen(6, &[("cpu", 82.0)], at(0.0));
        for (name, minutes, expected) in [
            ("cpu", 0.0, Some(82.0)),
            ("cpu", 3.0, Some(82.0)),
            ("cpu", 3.1, None),
            ("silent", 0.0, Some(7.0)),
            ("stranger", 0.0, None),
        ] {
            let got = metric_value(&rules, &seen, name, at(minutes));
            assert_eq!(got, expected, "{name} at {minutes}");
        }
    }

    #[test]
    fn an_instance_that_was_ready_and_is_no_longer_counts_nowhere() {
        let rules = cpu_rules(|_| {});
        for (ready, changed, expected) in [
            (None, None, (1.0, 1.0)),
            (Some(true), Some(-30.0), (1.0, 1.0)),
            // Never ready since its launch an hour ago: still starting.
            (Some(false), None, (0.0, 1.0)),
            (Some(false), Some(-60.0), (0.0, 1.0)),
            // Ready once: it has failed.
            (Some(false), Some(-30.0), (0.0, 0.0)),
        ] {
            let mut checked = instance("a", 60.0);
            checked.ready = ready;
            checked.ready_changed_at = changed.map(at);
            let mut seen = seen(1, &[], at(0.0));
            seen.instances = Some(vec![checked]);
            let own = |value| own_value(&rules, &seen, value, at(0.0)).unwrap_or(f64::NAN);
            let got = (own(OwnValue::Ready), own(OwnValue::Live));
            assert_eq!(got, expected, "{ready:?} since {changed:?}");
        }
    }

    #[test]
    fn a_formula_knows_the_groups_own_capacities() {
        let rules = cpu_rules(|policy| policy.limits = limits(2, 9));
        let mut seen = seen(6, &[], at(0.0));
        seen.instances = Some(vec![
            instance("a", 60.0),
            instance("b", 60.0),
            instance("c", 1.0),
        ]);
        for (value, expected) in [
            (OwnValue::Ready, 2.0),
            (OwnValue::Live, 3.0),
            (OwnValue::Desired, 6.0),
            (OwnValue::Min, 2.0),
            (OwnValue::Max, 9.0),
        ] {
            let got = own_value(&rules, &seen, value, at(0.0));
            assert_eq!(got, Some(expected), "{value:?}");
        }
        let unlimited = cpu_rules(|policy| policy.limits = None);
        assert_eq!(own_value(&unlimited, &seen, OwnValue::Min, at(0.0)), None);
    }
}
