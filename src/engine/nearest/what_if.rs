//! The question with one metric's value changed, all else equal.

use std::time::Duration;

use jiff::Timestamp;
use tideform_policies::model::{
    Breach, Metric, MetricReading, MetricSource, Name, Rule, Sample, Statistic, Step, StepBound,
};

use super::Side;
use super::search::Range;
use crate::engine::moment::{Moment, Value};
use crate::engine::reason::{Basis, Reason};
use crate::engine::time::later;
use crate::engine::{Decision, Memory, Observation, Rules, decide_quiet};

/// How many times as large as what was observed a value is looked for.
const FURTHEST: f64 = 1_000.0;
/// Most samples that stand for a value that has lasted.
const MOST_SAMPLES: u64 = 2_000;

/// A metric whose value can be changed.
#[derive(Clone, Debug)]
pub(super) struct Variable {
    pub(super) name: Name,
    place: usize,
    /// What was observed; for a metric without data a value that its rule is about.
    pub(super) base: f64,
    pub(super) is_missing: bool,
    /// How long a value must last before every rule that asks for that has seen enough; `None`: none asks.
    pub(super) window: Option<Duration>,
    hints: Vec<f64>,
    /// The largest value that there can be.
    cap: Option<f64>,
}

impl Variable {
    /// Where to look on one side.
    pub(super) fn range(&self, side: Side) -> Range {
        let largest = self.hints.iter().map(|hint| hint.abs());
        let size = self.base.abs().max(largest.fold(0.0, f64::max)).max(1.0);
        let furthest = (size * FURTHEST).min(f64::MAX);
        let end = match side {
            Side::Above => match self.cap {
                Some(cap) if self.base <= cap => cap,
                _ => furthest,
            },
            Side::Below if self.base >= 0.0 => 0.0,
            Side::Below => -furthest,
        };
        Range {
            start: self.base,
            end,
            hints: self.hints.clone(),
        }
    }
}

/// A question that can be changed and asked again.
pub(super) struct WhatIf<'a> {
    pub(super) rules: &'a Rules,
    original: &'a Observation,
    seen: Observation,
    remembered: &'a Memory,
    /// What is remembered where a value is taken to have lasted: the guards have not looked yet.
    lasting: Option<Memory>,
    scratch: Memory,
    pub(super) now: Timestamp,
}

impl<'a> WhatIf<'a> {
    pub(super) fn new(
        rules: &'a Rules,
        seen: &'a Observation,
        memory: &'a Memory,
        now: Timestamp,
    ) -> WhatIf<'a> {
        WhatIf {
            rules,
            original: seen,
            seen: seen.clone(),
            remembered: memory,
            lasting: None,
            scratch: Memory::default(),
            now,
        }
    }

    /// The metrics that a rule or a guard goes by, directly or through a formula.
    pub(super) fn variables(&self, decision: &Decision) -> Vec<Variable> {
        let moment = Moment::new(self.rules, self.original, self.now);
        let metrics = &self.rules.group().policy.metrics;
        (0..metrics.len())
            .filter_map(|place| self.variable(&moment, place, decision))
            .collect()
    }

    fn variable(&self, moment: &Moment<'_>, place: usize, decision: &Decision) -> Option<Variable> {
        let policy = moment.policy;
        let metric = policy.metrics.get(place)?;
        let reading = self.original.metrics.get(&metric.name);
        if matches!(metric.source, MetricSource::Formula(_)) && reading.is_none() {
            return None;
        }
        let takes_part = |metric: &Metric| {
            metric.rule.is_some() && !self.original.left_out.contains(&metric.name)
        };
        let mut window = Duration::ZERO;
        let mut matters = takes_part(metric);
        if matters && let Some(Rule::Steps(_)) = metric.rule {
            window = breach_window(metric.breach, metric.period);
        }
        for (other, rules) in policy.metrics.iter().zip(&self.rules.metrics) {
            let reads = rules.inputs.queries.contains(&place)
                && !self.original.metrics.contains_key(&other.name);
            if reads && takes_part(other) {
                matters = true;
                if let Some(Rule::Steps(_)) = other.rule {
                    window = window.max(breach_window(other.breach, rules.inputs.period));
                }
            }
        }
        for (guard, inputs) in policy.guards.iter().zip(&self.rules.guards) {
            if inputs.queries.contains(&place) {
                matters = true;
                window = window
                    .max(breach_window(guard.breach, inputs.period))
                    .max(guard.release);
            }
        }
        if !matters {
            return None;
        }
        let hints = hints(metric, decision);
        let value = moment.value(place, self.now);
        let is_missing = !matches!(value, Value::Fresh { .. } | Value::Last { .. });
        let base = if is_missing {
            hints.first().copied().unwrap_or(0.0)
        } else {
            tracked_mean(metric, decision).or(value.number())?
        };
        let is_per_instance = matches!(reading, Some(MetricReading::PerInstance { .. }));
        if is_per_instance && is_missing {
            // Which instance would have which value is anyone's guess.
            return None;
        }
        Some(Variable {
            name: metric.name.clone(),
            place,
            base,
            is_missing,
            window: (!window.is_zero() && !is_per_instance).then_some(window),
            hints,
            cap: cap(&self.rules.group().resource.kind, metric),
        })
    }

    /// The answer if the metric's newest value were `x`, or had been `x` for so long.
    pub(super) fn with(&mut self, variable: &Variable, x: f64, lasting: Option<Duration>) -> u32 {
        self.change(variable, x, lasting);
        let mut memory = std::mem::take(&mut self.scratch);
        memory.clone_from(self.remembered(lasting));
        let outcome = decide_quiet(self.rules, &self.seen, &mut memory, self.now);
        self.scratch = memory;
        outcome.desired.get()
    }

    /// The observation and the memory of that question.
    pub(super) fn question_with(
        &mut self,
        variable: &Variable,
        x: f64,
        lasting: Option<Duration>,
    ) -> (Observation, Memory) {
        self.change(variable, x, lasting);
        (self.seen.clone(), self.remembered(lasting).clone())
    }

    fn remembered(&self, lasting: Option<Duration>) -> &Memory {
        match (&self.lasting, lasting) {
            (Some(memory), Some(_)) => memory,
            _ => self.remembered,
        }
    }

    /// Puts back what was observed.
    pub(super) fn restore(&mut self, variable: &Variable) {
        self.lasting = None;
        match self.original.metrics.get(&variable.name) {
            Some(reading) => {
                self.seen
                    .metrics
                    .insert(variable.name.clone(), reading.clone());
            }
            None => {
                self.seen.metrics.remove(&variable.name);
            }
        }
    }

    fn change(&mut self, variable: &Variable, x: f64, lasting: Option<Duration>) {
        let original = self.original.metrics.get(&variable.name);
        let metric = &self.rules.group().policy.metrics[variable.place];
        let until = later(self.now, metric.period);
        if let Some(MetricReading::PerInstance { values, .. }) = original {
            if let Some(MetricReading::PerInstance {
                values: changed, ..
            }) = self.seen.metrics.get_mut(&variable.name)
            {
                for (changed, value) in changed.iter_mut().zip(values) {
                    changed.value = value.value.map(|amount| match value.of {
                        _ if variable.base != 0.0 => amount * (x / variable.base),
                        // The metric is a percentage of what the instance has.
                        Some(of) => of * (x / 100.0),
                        None => x,
                    });
                }
            }
            return;
        }
        let samples: &[Sample] = match original {
            Some(MetricReading::Group(samples)) => samples,
            _ => &[],
        };
        let reading = self.seen.metrics.get_or_empty(&variable.name);
        let MetricReading::Group(changed) = reading else {
            return;
        };
        let end = samples.partition_point(|sample| sample.at <= until);
        let newest = samples
            .get(..end)
            .and_then(|known| known.iter().rposition(|sample| sample.value.is_finite()))
            .filter(|_| !variable.is_missing);
        changed.clear();
        let Some(lasting) = lasting else {
            changed.extend_from_slice(samples);
            match newest {
                Some(place) => changed[place].value = x,
                None => {
                    let place = changed.partition_point(|sample| sample.at < self.now);
                    changed.insert(
                        place,
                        Sample {
                            at: self.now,
                            value: x,
                        },
                    );
                }
            }
            return;
        };
        let last = newest.map_or(self.now, |place| samples[place].at);
        let period = metric.period.max(Duration::from_secs(1));
        let count = (lasting.as_nanos() / period.as_nanos().max(1)).min(u128::from(MOST_SAMPLES));
        for n in (0..=count).rev() {
            let back = period.saturating_mul(u32::try_from(n).unwrap_or(u32::MAX));
            if let Ok(at) = last.checked_sub(back) {
                changed.push(Sample { at, value: x });
            }
        }
        if self.lasting.is_none() {
            self.lasting = Some(self.before_guards_looked());
        }
    }

    /// The memory as if no guard had looked at the samples that are changed.
    fn before_guards_looked(&self) -> Memory {
        let mut memory = self.remembered.clone();
        for guard in &mut memory.guards {
            guard.seen = Timestamp::MIN;
            guard.since = None;
        }
        memory
    }
}

/// How long a breach must have lasted.
fn breach_window(breach: Breach, period: Duration) -> Duration {
    match breach {
        Breach::Now => Duration::ZERO,
        Breach::For(time) => time,
        Breach::Of { breaching, .. } => period.saturating_mul(breaching),
    }
}

/// The mean that a tracked metric's want follows from, where every instance has a say.
fn tracked_mean(metric: &Metric, decision: &Decision) -> Option<f64> {
    decision.reasons.iter().find_map(|reason| match reason {
        Reason::Opinion {
            metric: name,
            observed,
            basis: Basis::PerInstance,
            missing: 0,
            unready: 0,
            ..
        } if *name == metric.name => Some(*observed),
        _ => None,
    })
}

/// Where the metric's own rule says that something changes. The first is what its rule is about.
fn hints(metric: &Metric, decision: &Decision) -> Vec<f64> {
    let mut hints = Vec::new();
    match &metric.rule {
        Some(Rule::Track(track)) => {
            let (total, counted) = decision
                .reasons
                .iter()
                .find_map(|reason| match reason {
                    Reason::Opinion {
                        metric: name,
                        basis,
                        counted,
                        ..
                    } if *name == metric.name => Some((*basis == Basis::Total, counted.get())),
                    _ => None,
                })
                .unwrap_or((false, decision.current.get()));
            let counted = f64::from(counted.max(1));
            // What one unit of capacity stands for.
            let unit = if total {
                track.target
            } else {
                track.target / counted
            };
            let middle = unit * counted;
            hints.push(middle);
            hints.push(middle * (1.0 + track.tolerance_out.fraction()));
            hints.push(middle * (1.0 - track.tolerance_in.fraction()));
            let desired = decision.desired.get();
            for n in [desired, desired.saturating_sub(1)] {
                hints.push(unit * f64::from(n));
            }
        }
        Some(Rule::Steps(steps)) => hints.extend(steps.iter().flat_map(bounds)),
        Some(Rule::Want) => {
            let desired = decision.desired.get();
            hints.push(f64::from(desired));
            hints.push(f64::from(desired.saturating_sub(1)));
        }
        None => {}
    }
    hints.retain(|hint| hint.is_finite());
    hints
}

fn bounds(step: &Step) -> impl Iterator<Item = f64> {
    let (from, to) = match step.when {
        StepBound::Above { from, to } | StepBound::Below { from, to } => (Some(from), to),
        StepBound::Band { from, to } => (from, to),
    };
    from.into_iter().chain(to)
}

/// A machine's utilization ends at 100 %; that of a container, relative to what it asked for, does not.
fn cap(resource: &str, metric: &Metric) -> Option<f64> {
    let MetricSource::Query(query) = &metric.source else {
        return None;
    };
    let is_utilization = matches!(
        query.name.as_str(),
        "cpu" | "memory" | "CPUUtilization" | "MemoryUtilization" | "mem_used_percent"
    );
    let is_mean = !matches!(metric.statistic, Statistic::Sum | Statistic::Rate);
    (is_utilization
        && is_mean
        && resource == "asg"
        && query.provider.is_none()
        && query.query.is_none())
    .then_some(100.0)
}
