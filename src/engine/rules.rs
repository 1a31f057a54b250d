//! A group's policy made ready to be asked often.

use std::time::Duration;

use tideform_policies::calendar::CompiledSchedule;
use tideform_policies::model::{Combine, Group, Metric, MetricSource, Name, Rule, Scope};

use super::reach::{freshness, reach};

/// A group's policy made ready to be asked often: schedules are parsed once, and what can be said of
/// each metric without data is said once.
#[derive(Debug)]
pub struct Rules {
    group: Group,
    pub(super) metrics: Vec<MetricRules>,
    pub(super) schedules: Vec<Result<CompiledSchedule, String>>,
    pub(super) guards: Vec<FormulaInputs>,
    /// The metrics with a rule, by place, where each is tracked by the mean over instances and the largest want counts;
    /// else `None`.
    pub(super) tracked: Option<Vec<usize>>,
    /// Neither schedules nor a forecast, guards or a mix: the metrics alone move the number, within the limits.
    pub(super) is_bare: bool,
    /// How long an action has to be remembered.
    pub(super) keep_actions: Duration,
    /// How long a recommendation has to be remembered.
    pub(super) keep_recommendations: Duration,
}

/// What can be said of a metric without data; at the metric's place in the policy.
#[derive(Debug)]
pub(super) struct MetricRules {
    /// A sample older than this is not fresh.
    pub(super) fresh: Duration,
    /// No rule looks at a sample older than this.
    pub(super) reach: Duration,
    /// A share of what an instance has, so that a missing instance may be taken to use all of it.
    pub(super) is_utilization: bool,
    /// For a formula: what it reads.
    pub(super) inputs: FormulaInputs,
}

/// The metrics that a formula reads, directly or through other formulas, as places in the policy.
#[derive(Debug, Default)]
pub(super) struct FormulaInputs {
    pub(super) queries: Vec<usize>,
    /// The shortest period among them: how long one value of the formula stands for.
    pub(super) period: Duration,
}

impl Rules {
    /// Compiles a group's policy. A schedule that cannot be computed (only an old state can hold one) is
    /// left closed, and each decision says so.
    pub fn new(group: &Group) -> Rules {
        let policy = &group.policy;
        let reach = reach(group);
        let metrics = policy
            .metrics
            .iter()
            .map(|metric| MetricRules {
                fresh: freshness(metric),
                reach: reach.get(&metric.name).copied().unwrap_or_default(),
                is_utilization: is_utilization(metric),
                inputs: match &metric.source {
                    MetricSource::Query(_) => FormulaInputs::default(),
                    MetricSource::Formula(formula) => inputs(group, &formula.metrics()),
                },
            })
            .collect();
        let longest = |rules: &tideform_policies::model::ScaleRules| {
            rules
                .rates
                .iter()
                .map(|rate| rate.per)
                .fold(rules.cooldown, Duration::max)
        };
        Rules {
            metrics,
            schedules: policy
                .schedules
                .iter()
                .map(|schedule| CompiledSchedule::new(schedule).map_err(|e| e.to_string()))
                .collect(),
            guards: policy
                .guards
                .iter()
                .map(|guard| inputs(group, &guard.when.metrics()))
                .collect(),
            tracked: tracked(group),
            is_bare: policy.schedules.is_empty()
                && policy.forecast.is_none()
                && policy.guards.is_empty()
                && policy.mix.is_none(),
            keep_actions: longest(&policy.scale_out)
                .max(longest(&policy.scale_in))
                .max(policy.warmup),
            keep_recommendations: policy
                .scale_in
                .stabilization
                .max(policy.scale_out.stabilization),
            group: group.clone(),
        }
    }

    /// The group that the rules are of.
    pub fn group(&self) -> &Group {
        &self.group
    }

    /// Whether a metric, by its place in the policy, is a percentage of what an instance has.
    pub fn is_utilization(&self, place: usize) -> bool {
        self.metrics
            .get(place)
            .is_some_and(|metric| metric.is_utilization)
    }
}

fn tracked(group: &Group) -> Option<Vec<usize>> {
    let policy = &group.policy;
    let is_tracked = |metric: &Metric| {
        matches!(metric.rule, Some(Rule::Track(_)))
            && matches!(metric.source, MetricSource::Query(_))
            && metric.scope == Scope::Instance
    };
    let ruled = policy
        .metrics
        .iter()
        .enumerate()
        .filter(|(_, metric)| metric.rule.is_some());
    let places = ruled.map(|(place, metric)| is_tracked(metric).then_some(place));
    matches!(policy.combine, Combine::Max)
        .then(|| places.collect())
        .flatten()
}

fn inputs(group: &Group, names: &[Name]) -> FormulaInputs {
    let metrics = &group.policy.metrics;
    let mut seen = vec![false; metrics.len()];
    let mut open: Vec<Name> = names.to_vec();
    while let Some(name) = open.pop() {
        let Some(place) = metrics.iter().position(|metric| metric.name == name) else {
            continue;
        };
        if std::mem::replace(&mut seen[place], true) {
            continue;
        }
        if let MetricSource::Formula(formula) = &metrics[place].source {
            open.extend(formula.metrics());
        }
    }
    let queries: Vec<usize> = seen
        .iter()
        .enumerate()
        .filter(|(_, seen)| **seen)
        .map(|(place, _)| place)
        .filter(|place| matches!(metrics[*place].source, MetricSource::Query(_)))
        .collect();
    FormulaInputs {
        period: queries
            .iter()
            .map(|place| metrics[*place].period)
            .min()
            .unwrap_or_default(),
        queries,
    }
}

/// Percent of what the instance has, as the HPA's `utilization`.
fn is_utilization(metric: &Metric) -> bool {
    let MetricSource::Query(query) = &metric.source else {
        return false;
    };
    let name = query.name.to_ascii_lowercase();
    name == "cpu" || name == "memory" || name.contains("utilization")
}

#[cfg(test)]
mod tests {
    use crate::engine::testing::{metric, rules};

    #[test]
    fn a_share_of_what_an_instance_has_is_known_by_its_name() {
        for (name, expected) in [
            ("cpu", true),
            ("CPU", true),
            ("memory", true),
            ("CPUUtilization", true),
            ("disk_utilization", true),
            ("requests", false),
            ("cpu_credits", false),
        ] {
            let rules = rules(|policy| policy.metrics.push(metric(name, None)));
            assert_eq!(rules.metrics[0].is_utilization, expected, "{name}");
        }
    }
}
