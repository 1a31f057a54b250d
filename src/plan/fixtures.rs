//! Groups, live groups and configurations for the tests of this module.

use std::collections::BTreeMap;
use std::time::Duration;

use tideform_policies::model::{
    Adjustment, Adopt, Blocks, Breach, Budget, Capacity, Combine, Configuration, Controller,
    Expression, Fallback, Formula, Group, GroupAddress, Guard, GuardEffect, InstanceModel,
    InstanceType, Launch, Limits, Metric, MetricQuery, MetricSource, Mix, OnExceed, OnMissing,
    Policy, ProviderAddress, ProviderConfiguration, Rate, RateAmount, Resource, Rule, ScaleRules,
    Schedule, Scope, Select, Share, Slo, Statistic, Step, StepBound, Surge, Track, VictimOrder,
    Window,
};
use tideform_provider::{LiveAttributes, LiveGroup, Owner};

pub(crate) fn mock() -> ProviderAddress {
    ProviderAddress {
        kind: "mock".into(),
        alias: None,
    }
}

fn rules() -> ScaleRules {
    ScaleRules {
        enabled: true,
        cooldown: Duration::ZERO,
        stabilization: Duration::ZERO,
        select: Select::Max,
        rates: Vec::new(),
        order: VictimOrder::Default,
        order_is_set: false,
        drain: None,
    }
}

pub(crate) fn metric(name: &str) -> Metric {
    Metric {
        name: name.into(),
        source: MetricSource::Query(MetricQuery {
            provider: None,
            name: name.to_owned(),
            namespace: None,
            dimensions: BTreeMap::new(),
            query: None,
        }),
        statistic: Statistic::Average,
        period: Duration::from_secs(60),
        delay: Duration::ZERO,
        on_missing: OnMissing::Hold,
        max_age: Duration::from_secs(900),
        scope: Scope::Instance,
        weight: 1.0,
        threshold: None,
        initialization: None,
        rule: None,
        breach: Breach::Now,
        max_add: None,
        max_remove: None,
    }
}

pub(crate) fn track(target: f64) -> Rule {
    Rule::Track(Track {
        target,
        tolerance_out: Share(0.1),
        tolerance_in: Share(0.1),
    })
}

/// `limits 2..=10`, `cpu` tracked at 60, on `asg NAME` of the mock.
pub(crate) fn plain(name: &str) -> Group {
    let address = GroupAddress::new(name);
    Group {
        resource: Resource {
            kind: "asg".into(),
            name: name.into(),
        },
        address,
        provider: mock(),
        controller: Controller::Tideform,
        adopt: Adopt::None,
        coexist: false,
        launch: None,
        policy: Policy {
            warmup: Duration::from_secs(180),
            warmup_is_set: false,
            every: Duration::from_secs(60),
            combine: Combine::Max,
            metrics: vec![Metric {
                rule: Some(track(60.0)),
                ..metric("cpu")
            }],
            scale_out: rules(),
            scale_in: rules(),
            limits: Limits::new(Capacity(2), Capacity(10)),
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
        },
    }
}

/// The same with `launch`.
pub(crate) fn launched(name: &str) -> Group {
    Group {
        launch: Some(Launch::default()),
        ..plain(name)
    }
}

/// One of everything.
pub(crate) fn rich() -> Group {
    let mut group = launched("shop");
    group.adopt = Adopt::Named(vec!["cpu-60".into()]);
    let policy = &mut group.policy;
    policy.warmup_is_set = true;
    policy.metrics.push(Metric {
        source: MetricSource::Query(MetricQuery {
            provider: Some(ProviderAddress {
                kind: "prometheus".into(),
                alias: None,
            }),
            name: "queue".into(),
            namespace: None,
            dimensions: BTreeMap::from([("Queue".to_owned(), "jobs".to_owned())]),
            query: Some("sum(jobs)".into()),
        }),
        statistic: Statistic::Percentile(99.9),
        on_missing: OnMissing::Value(0.0),
        rule: Some(Rule::Steps(vec![
            Step {
                when: StepBound::Above {
                    from: 100.0,
                    to: Some(1000.0),
                },
                adjustment: Adjustment::Add(2),
                min_adjustment: None,
            },
            Step {
                when: StepBound::Above {
                    from: 1000.0,
                    to: None,
                },
                adjustment: Adjustment::AddShare(Share(0.5)),
                min_adjustment: Some(1),
            },
        ])),
        breach: Breach::Of {
            breaching: 3,
            periods: 5,
        },
        ..metric("queue")
    });
    policy.metrics.push(Metric {
        source: MetricSource::Formula(Formula {
            text: "metric.queue / 2".into(),
            expression: Expression::Metric("queue".into()),
        }),
        scope: Scope::Group,
        ..metric("backlog")
    });
    policy.scale_in.rates = vec![Rate {
        amount: RateAmount::Share(Share(0.5)),
        per: Duration::from_secs(300),
    }];
    policy.scale_out.rates = vec![Rate {
        amount: RateAmount::Count(4),
        per: Duration::from_secs(60),
    }];
    policy.scale_in.order = VictimOrder::Newest;
    policy.scale_in.order_is_set = true;
    policy.scale_in.drain = Some(Duration::from_secs(120));
    policy.schedules = vec![Schedule {
        name: "office".into(),
        when: Window::Recurring {
            cron: "0 8 * * MON-FRI".into(),
            timezone: "Europe/Berlin".into(),
            duration: Duration::from_secs(36_000),
            except: Vec::new(),
        },
        min: Some(Capacity(6)),
        max: None,
    }];
    policy.surges = vec![Surge {
        name: "campaign".into(),
        min: Capacity(8),
        lead: Duration::from_secs(1800),
        duration: Duration::from_secs(7200),
    }];
    policy.guards = vec![Guard {
        name: "errors".into(),
        when: Formula {
            text: "metric.queue > 10".into(),
            expression: Expression::Bool(true),
        },
        breach: Breach::For(Duration::from_secs(60)),
        effect: GuardEffect::Block(Blocks::ScaleIn),
        release: Duration::from_secs(300),
    }];
    policy.mix = Some(Mix {
        on_demand_base: 2,
        spot: Share(0.7),
        types: vec![InstanceType {
            name: "m6i.large".into(),
            weight: None,
        }],
        allocation: None,
        rebalance: Some(true),
        fallback: Some(Fallback {
            after: 3,
            duration: Duration::from_secs(1800),
        }),
    });
    policy.instance = Some(InstanceModel {
        boot: Some(Duration::from_secs(90)),
        price_usd_per_hour: Some(0.096),
        ..InstanceModel::default()
    });
    policy.budget = Some(Budget {
        monthly_usd: 4000.0,
        alert: vec![50.0, 100.0],
        on_exceed: OnExceed::Warn,
    });
    group
}

pub(crate) fn configuration(groups: impl IntoIterator<Item = Group>) -> Configuration {
    Configuration {
        providers: vec![ProviderConfiguration {
            address: mock(),
            settings: serde_json::Map::new(),
            span: None,
        }],
        groups: groups
            .into_iter()
            .map(|group| (group.address.clone(), group))
            .collect(),
        digest: "d1".into(),
        ..Configuration::default()
    }
}

/// As `group` asks, at `desired`, owned by state `s1` of workspace `shop`.
pub(crate) fn live(group: &Group, desired: u32) -> LiveGroup {
    let policy = &group.policy;
    LiveGroup {
        resource: group.resource.clone(),
        at: "2026-11-21T12:00:00Z".parse().unwrap_or_default(),
        desired,
        attributes: LiveAttributes {
            limits: policy
                .limits
                .or(Limits::new(Capacity(0), Capacity(100)))
                .unwrap_or_else(|| unreachable!("0 is not above 100")),
            warmup: policy.warmup_is_set.then_some(policy.warmup),
            order: policy
                .scale_in
                .order_is_set
                .then_some(policy.scale_in.order),
            drain: policy.scale_in.drain,
            mix: policy
                .mix
                .as_ref()
                .map(|mix| super::wanted::live_mix(mix, None)),
            maintenance: policy.maintenance,
            launch_also: BTreeMap::new(),
            launch: group
                .launch
                .as_ref()
                .map(|launch| launch.attributes.clone())
                .unwrap_or_default(),
        },
        instances: Vec::new(),
        owner: Some(Owner {
            workspace: "shop".into(),
            state: "s1".into(),
            group: group.address.to_string(),
        }),
        controls: Vec::new(),
        is_paused: false,
        switched_off: Vec::new(),
        blocked: Vec::new(),
        failed_launches: Vec::new(),
        deregistration: Vec::new(),
    }
}
