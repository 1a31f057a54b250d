//! A shorthand for the engine's tests: a policy in a closure, a table of moments.

use std::time::Duration;

use jiff::{SignedDuration, Timestamp};
use tideform_policies::model::{
    Adjustment, Adopt, Breach, Capacity, Combine, Controller, Group, GroupAddress, Instance,
    InstanceState, Lifecycle, Limits, Metric, MetricQuery, MetricReading, MetricSource, OnMissing,
    Policy, ProviderAddress, Resource, Rule, Sample, ScaleRules, Scope, Select, Share, Slo,
    Statistic, Step, StepBound, Track, VictimOrder,
};

use super::{Action, BY_TIDEFORM, Decision, Memory, Observation, Rules, decide, decide_quiet};

pub(super) fn mins(n: u64) -> Duration {
    Duration::from_secs(n * 60)
}

pub(super) fn at(minutes: f64) -> Timestamp {
    let start: Timestamp = "2026-01-05T12:00:00Z".parse().expect("a time");
    start + SignedDuration::from_secs_f64(minutes * 60.0)
}

/// A policy without cooldowns, stabilization or rates: each test adds what it is about.
pub(super) fn plain() -> Policy {
    let rules = ScaleRules {
        enabled: true,
        cooldown: Duration::ZERO,
        stabilization: Duration::ZERO,
        select: Select::Max,
        rates: Vec::new(),
        order: VictimOrder::Default,
        order_is_set: false,
        drain: None,
    };
    Policy {
        warmup: mins(3),
        warmup_is_set: false,
        every: mins(1),
        combine: Combine::Max,
        metrics: Vec::new(),
        scale_out: rules.clone(),
        scale_in: rules,
        limits: Limits::new(Capacity(0), Capacity(100)),
        schedules: Vec::new(),
        surges: Vec::new(),
        forecast: None,
        guards: Vec::new(),
        freezes: Vec::new(),
        mix: None,
        maintenance: None,
        instance: None,
        budget: None,
        slo: Slo {
            utilization: 100.0,
            objective: 99.9,
        },
    }
}

pub(super) fn metric(name: &str, rule: Option<Rule>) -> Metric {
    Metric {
        name: name.into(),
        source: MetricSource::Query(MetricQuery {
            provider: None,
            name: name.to_owned(),
            namespace: None,
            dimensions: Default::default(),
            query: None,
        }),
        statistic: Statistic::Average,
        period: mins(1),
        delay: Duration::ZERO,
        on_missing: OnMissing::Hold,
        max_age: mins(15),
        scope: Scope::Instance,
        weight: 1.0,
        threshold: None,
        initialization: None,
        rule,
        breach: Breach::Now,
        max_add: None,
        max_remove: None,
    }
}

pub(super) fn track(target: f64) -> Option<Rule> {
    Some(Rule::Track(Track {
        target,
        tolerance_out: Share(0.1),
        tolerance_in: Share(0.1),
    }))
}

pub(super) fn above(from: f64, to: Option<f64>, adjustment: Adjustment) -> Step {
    Step {
        when: StepBound::Above { from, to },
        adjustment,
        min_adjustment: None,
    }
}

pub(super) fn below(from: f64, to: Option<f64>, adjustment: Adjustment) -> Step {
    Step {
        when: StepBound::Below { from, to },
        adjustment,
        min_adjustment: None,
    }
}

pub(super) fn band(from: Option<f64>, to: Option<f64>, adjustment: Adjustment) -> Step {
    Step {
        when: StepBound::Band { from, to },
        adjustment,
        min_adjustment: None,
    }
}

pub(super) fn limits(min: u32, max: u32) -> Option<Limits> {
    Limits::new(Capacity(min), Capacity(max))
}

pub(super) fn group(policy: Policy) -> Group {
    Group {
        address: GroupAddress::new("web"),
        provider: ProviderAddress {
            kind: "mock".into(),
            alias: None,
        },
        resource: Resource {
            kind: "asg".into(),
            name: "web".into(),
        },
        controller: Controller::Tideform,
        adopt: Adopt::None,
        coexist: false,
        launch: None,
        policy,
    }
}

pub(super) fn rules(change: impl FnOnce(&mut Policy)) -> Rules {
    let mut policy = plain();
    change(&mut policy);
    Rules::new(&group(policy))
}

/// With cpu tracked at 60.
pub(super) fn cpu_rules(change: impl FnOnce(&mut Policy)) -> Rules {
    rules(|policy| {
        policy.metrics.push(metric("cpu", track(60.0)));
        change(policy);
    })
}

pub(super) fn seen(desired: u32, metrics: &[(&str, f64)], now: Timestamp) -> Observation {
    let mut seen = Observation {
        desired: Capacity(desired),
        ..Observation::default()
    };
    for (name, value) in metrics {
        seen.metrics.insert(
            (*name).into(),
            MetricReading::Group(vec![Sample {
                at: now,
                value: *value,
            }]),
        );
    }
    seen
}

/// An instance in service for so many minutes before `at(0.0)`; below 0 it is pending.
pub(super) fn instance(id: &str, minutes: f64) -> Instance {
    Instance {
        id: id.into(),
        state: if minutes < 0.0 {
            InstanceState::Pending
        } else {
            InstanceState::InService
        },
        launched_at: Some(at(-minutes.abs())),
        in_service_at: (minutes >= 0.0).then(|| at(-minutes)),
        ready: None,
        ready_changed_at: None,
        lifecycle: Lifecycle::OnDemand,
        protected: false,
        instance_type: None,
        weight: 1,
    }
}

/// Decides loudly and quietly, and checks what must hold of every decision.
pub(super) fn decided(
    rules: &Rules,
    seen: &Observation,
    memory: &Memory,
    now: Timestamp,
) -> Decision {
    let decision = decide(rules, seen, memory, now);
    let mut quiet_memory = memory.clone();
    let quiet = decide_quiet(rules, seen, &mut quiet_memory, now);
    assert_eq!(quiet.desired, decision.desired);
    assert_eq!(quiet.direction, decision.direction);
    assert_eq!(quiet.mix, decision.mix);
    assert_eq!(quiet_memory, decision.memory);
    assert_eq!(
        followed(&decision),
        decision.desired,
        "{:#?}",
        decision.reasons
    );
    decision
}

/// Follows the reasons from `current`.
pub(super) fn followed(decision: &Decision) -> Capacity {
    let mut number = decision.current;
    for change in decision.reasons.iter().filter_map(|reason| reason.change()) {
        assert_eq!(change.before, number, "{:#?}", decision.reasons);
        number = change.after;
    }
    number
}

/// Replays a table of moments. Columns: `at` in minutes; metrics by name (`-`: no sample); `desired`; and, where
/// given, `kinds` that must be among the reasons (`!kind`: must not). Each change is accepted, and ready at once.
pub(super) fn check_decisions(rules: &Rules, start: u32, table: &str) {
    let mut rows = table
        .lines()
        .map(str::trim)
        .filter(|line| !line.is_empty())
        .map(|line| {
            line.trim_matches('|')
                .split('|')
                .map(|cell| cell.trim().to_owned())
                .collect::<Vec<_>>()
        });
    let header = rows.next().expect("a header");
    let mut current = start;
    let mut memory = Memory::default();
    let mut seen = seen(start, &[], at(0.0));
    for row in rows {
        let minutes: f64 = row[0].parse().expect("minutes");
        let now = at(minutes);
        let mut wanted = None;
        let mut kinds = Vec::new();
        for (name, cell) in header.iter().zip(&row).skip(1) {
            match name.as_str() {
                "desired" => wanted = Some(cell.parse::<u32>().expect("a capacity")),
                "kinds" => kinds.extend(cell.split_whitespace().map(str::to_owned)),
                metric if cell != "-" => {
                    let sample = Sample {
                        at: now,
                        value: cell.parse().expect("a value"),
                    };
                    match seen.metrics.get_mut(metric) {
                        Some(MetricReading::Group(samples)) => samples.push(sample),
                        _ => {
                            let reading = MetricReading::Group(vec![sample]);
                            seen.metrics.insert(metric.into(), reading);
                        }
                    }
                }
                _ => {}
            }
        }
        seen.desired = Capacity(current);
        let decision = decided(rules, &seen, &memory, now);
        assert_eq!(
            Some(decision.desired.get()),
            wanted,
            "at {minutes}m: {:#?}",
            decision.reasons
        );
        for kind in kinds {
            let (kind, expected) = match kind.strip_prefix('!') {
                Some(kind) => (kind.to_owned(), false),
                None => (kind, true),
            };
            assert_eq!(
                decision.has(&kind),
                expected,
                "{kind} at {minutes}m: {:#?}",
                decision.reasons
            );
        }
        memory = decision.memory.clone();
        memory.record(Action {
            at: now,
            from: decision.current,
            to: decision.desired,
            by: BY_TIDEFORM.into(),
        });
        current = decision.desired.get();
    }
}
