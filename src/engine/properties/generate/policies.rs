//! Whole policies: every kind of rule, of formula and of block.

use std::time::Duration;

use proptest::collection::vec;
use proptest::option;
use proptest::prelude::*;
use proptest::sample::select;
use tideform_policies::model::{
    Adjustment, BinaryOperator, Blocks, Breach, Budget, Capacity, Combine, Expression, Fallback,
    Forecast, ForecastMode, Formula, FormulaFunction, Freeze, Guard, GuardEffect, Limits, Metric,
    MetricSource, Mix, OnExceed, OnMissing, OwnValue, Policy, Rate, RateAmount, Rule, ScaleRules,
    Schedule, Scope, Select, Share, Step, Track, UnaryOperator, VictimOrder, WeightedConstants,
    Window,
};

use super::{capacity, length, near, share, value};
use crate::engine::testing::{above, band, below, metric, plain};

fn scale_rules() -> BoxedStrategy<ScaleRules> {
    let amount = prop_oneof![
        capacity().prop_map(RateAmount::Count),
        share().prop_map(RateAmount::Share)
    ];
    let rate = (amount, length()).prop_map(|(amount, per)| Rate { amount, per });
    (
        prop::bool::weighted(0.93),
        prop_oneof![Just(Duration::ZERO), length()],
        length(),
        select(vec![
            Select::Max,
            Select::Min,
            Select::Max,
            Select::Max,
            Select::Min,
            Select::Disabled,
        ]),
        vec(rate, 0..3),
        select(vec![
            VictimOrder::Newest,
            VictimOrder::Oldest,
            VictimOrder::Default,
        ]),
    )
        .prop_map(|(enabled, cooldown, stabilization, select, rates, order)| {
            let mut rules = plain().scale_out;
            rules.enabled = enabled;
            rules.cooldown = cooldown;
            rules.stabilization = stabilization;
            rules.select = select;
            rules.rates = rates;
            rules.order = order;
            rules
        })
        .boxed()
}

pub(in crate::engine::properties) fn any_track() -> BoxedStrategy<Track> {
    (
        select(vec![60.0, 60.0, 60.0, 25.0, 0.3, 1e-300, 1e300]),
        select(vec![0.1, 0.1, 0.0, 0.5, 3.0]),
        select(vec![0.1, 0.1, 0.0, 0.5, 1.0]),
    )
        .prop_map(|(target, out, r#in)| Track {
            target,
            tolerance_out: Share(out),
            tolerance_in: Share(r#in),
        })
        .boxed()
}

fn steps() -> BoxedStrategy<Vec<Step>> {
    let least = || option::of(0..4_u32);
    (
        (capacity(), share(), least(), any::<bool>()),
        (capacity(), share(), least(), any::<bool>()),
        option::of(capacity()),
        any::<bool>(),
    )
        .prop_map(
            |((add, more, least, is_set), (remove, fewer, most, has_gap), set, has_outer)| {
                let share = |mut step: Step, least| {
                    step.min_adjustment = least;
                    step
                };
                let mut steps = vec![
                    above(80.0, Some(120.0), Adjustment::Add(add)),
                    match set {
                        Some(set) if is_set => above(120.0, None, Adjustment::Set(set)),
                        _ => share(above(120.0, None, Adjustment::AddShare(more)), least),
                    },
                    below(20.0, Some(5.0), Adjustment::Remove(remove)),
                ];
                if has_gap {
                    steps.remove(0);
                }
                if has_outer {
                    steps.push(match set {
                        Some(set) if !is_set => below(5.0, None, Adjustment::Set(set)),
                        _ => share(below(5.0, None, Adjustment::RemoveShare(fewer)), most),
                    });
                }
                steps
            },
        )
        .boxed()
}

fn bands() -> BoxedStrategy<Vec<Step>> {
    (capacity(), share(), capacity())
        .prop_map(|(set, by, remove)| {
            vec![
                band(None, Some(5.0), Adjustment::Set(set)),
                band(Some(5.0), Some(20.0), Adjustment::Remove(remove)),
                band(Some(80.0), None, Adjustment::AddShare(by)),
            ]
        })
        .boxed()
}

fn rule() -> BoxedStrategy<Option<Rule>> {
    prop_oneof![
        1 => bands().prop_map(|steps| Some(Rule::Steps(steps))),
        5 => any_track().prop_map(|track| Some(Rule::Track(track))),
        2 => steps().prop_map(|steps| Some(Rule::Steps(steps))),
        1 => Just(Some(Rule::Want)),
        1 => Just(None),
    ]
    .boxed()
}

pub(in crate::engine::properties) fn breach() -> BoxedStrategy<Breach> {
    prop_oneof![
        3 => Just(Breach::Now),
        2 => length().prop_map(Breach::For),
        2 => (1..4_u32, 0..3_u32).prop_map(|(breaching, more)| Breach::Of {
            breaching,
            periods: breaching + more,
        }),
    ]
    .boxed()
}

fn any_metric(name: &'static str) -> BoxedStrategy<Metric> {
    let on_missing = prop_oneof![
        3 => Just(OnMissing::Hold),
        2 => Just(OnMissing::Last),
        2 => Just(OnMissing::ScaleOut),
        2 => value().prop_map(OnMissing::Value),
    ];
    let scope =
        prop_oneof![6 => Just(Scope::Instance), 3 => Just(Scope::Group), 1 => Just(Scope::Shared)];
    (
        (rule(), on_missing, breach(), scope),
        (
            select(vec![1.0, 1.0, 0.0, 2.5, -1.0]),
            option::of(0.0..30.0_f64),
            option::weighted(0.15, capacity()),
            option::weighted(0.15, capacity()),
        ),
        (
            select(vec![30, 60, 60, 300_u64]),
            select(vec![0, 0, 120_u64]),
            length(),
            option::of(length()),
        ),
    )
        .prop_map(
            move |((rule, on_missing, breach, scope), weighing, times)| {
                let mut metric = metric(name, rule);
                metric.on_missing = on_missing;
                metric.breach = breach;
                (
                    metric.weight,
                    metric.threshold,
                    metric.max_add,
                    metric.max_remove,
                ) = weighing;
                metric.period = Duration::from_secs(times.0);
                metric.delay = Duration::from_secs(times.1);
                metric.max_age = times.2;
                metric.initialization = times.3;
                metric.scope = scope;
                metric
            },
        )
        .boxed()
}

/// A number from metrics and the group's own capacities.
fn number() -> BoxedStrategy<Expression> {
    let leaf = prop_oneof![
        5 => select(vec!["cpu", "queue", "errors", "nothing"]).prop_map(|m| Expression::Metric(m.into())),
        2 => select(vec![
            OwnValue::Ready, OwnValue::Live, OwnValue::Desired, OwnValue::Min, OwnValue::Max,
        ])
        .prop_map(Expression::Own),
        2 => select(vec![-3.0, 0.0, 0.5, 2.0, 10.0, 60.0]).prop_map(Expression::Number),
    ];
    leaf.prop_recursive(3, 8, 2, |inner| {
        let pair = (inner.clone(), inner.clone());
        prop_oneof![
            3 => (
                select(vec![
                    BinaryOperator::Add, BinaryOperator::Subtract, BinaryOperator::Multiply,
                    BinaryOperator::Divide, BinaryOperator::Modulo,
                ]),
                pair.clone(),
            )
                .prop_map(|(operator, (a, b))| Expression::Binary(operator, a.into(), b.into())),
            1 => inner.prop_map(|a| Expression::Unary(UnaryOperator::Negate, a.into())),
            1 => (select(vec![FormulaFunction::Max, FormulaFunction::Min]), pair.clone())
                .prop_map(|(function, (a, b))| Expression::Call(function, vec![a, b])),
            1 => (condition_of(pair.0.clone().boxed()), pair)
                .prop_map(|(when, (a, b))| Expression::Conditional(when.into(), a.into(), b.into())),
        ]
    })
    .boxed()
}

fn condition_of(number: BoxedStrategy<Expression>) -> BoxedStrategy<Expression> {
    (
        select(vec![
            BinaryOperator::Less,
            BinaryOperator::LessOrEqual,
            BinaryOperator::Greater,
            BinaryOperator::GreaterOrEqual,
            BinaryOperator::NotEqual,
        ]),
        number.clone(),
        number,
        0..6_u8,
    )
        .prop_map(|(operator, a, b, how)| {
            let plain = Expression::Binary(operator, a.clone().into(), b.into());
            let ten = Expression::Binary(
                BinaryOperator::Greater,
                a.into(),
                Expression::Number(10.0).into(),
            );
            match how {
                0 => Expression::Unary(UnaryOperator::Not, plain.into()),
                1 => Expression::Binary(BinaryOperator::And, plain.into(), ten.into()),
                2 => Expression::Binary(BinaryOperator::Or, plain.into(), ten.into()),
                3 => plain,
                _ => ten,
            }
        })
        .boxed()
}

pub(in crate::engine::properties) fn formula(expression: Expression) -> Formula {
    Formula {
        text: "generated".to_owned(),
        expression,
    }
}

fn guard() -> BoxedStrategy<Guard> {
    let effect = prop_oneof![
        3 => select(vec![Blocks::ScaleIn, Blocks::ScaleOut, Blocks::All]).prop_map(GuardEffect::Block),
        2 => capacity().prop_map(|cap| GuardEffect::Cap(Capacity(cap))),
    ];
    (condition_of(number().boxed()), breach(), effect, length())
        .prop_map(|(when, breach, effect, release)| Guard {
            name: "g".into(),
            when: formula(when),
            breach,
            effect,
            release,
        })
        .boxed()
}

fn schedule() -> BoxedStrategy<Schedule> {
    let daily = (0..24_u8, select(vec![0, 1, 30, 59_u8]), 1..2_000_u64).prop_map(
        |(hour, minute, minutes)| Window::Recurring {
            cron: format!("{minute} {hour} * * *"),
            timezone: "UTC".to_owned(),
            duration: Duration::from_secs(minutes * 60),
            except: Vec::new(),
        },
    );
    let once = (near(), near()).prop_map(|(a, b)| Window::Once {
        start: a.min(b),
        end: a.max(b),
        timezone: None,
    });
    let unusable = Just(Window::Recurring {
        cron: "0 0 31 2 *".to_owned(),
        timezone: "Nowhere/At_All".to_owned(),
        duration: Duration::from_secs(60),
        except: Vec::new(),
    });
    (
        prop_oneof![4 => once, 4 => daily, 1 => unusable],
        option::weighted(0.7, capacity()),
        option::weighted(0.4, capacity()),
    )
        .prop_map(|(when, min, max)| Schedule {
            name: "s".into(),
            when,
            min: min.map(Capacity),
            max: max.map(Capacity),
        })
        .boxed()
}

fn freeze() -> BoxedStrategy<Freeze> {
    (
        near(),
        near(),
        select(vec![Blocks::ScaleIn, Blocks::ScaleOut, Blocks::All]),
    )
        .prop_map(|(a, b, blocks)| Freeze {
            name: "f".into(),
            start: a.min(b),
            end: a.max(b),
            blocks,
            reason: None,
        })
        .boxed()
}

fn mix() -> BoxedStrategy<Mix> {
    (
        capacity(),
        select(vec![0.0, 0.3, 0.5, 0.7, 1.0]),
        option::of((0..4_u32, length())),
    )
        .prop_map(|(on_demand_base, spot, fallback)| Mix {
            on_demand_base,
            spot: Share(spot),
            types: Vec::new(),
            allocation: None,
            rebalance: None,
            fallback: fallback.map(|(after, duration)| Fallback { after, duration }),
        })
        .boxed()
}

fn combine() -> BoxedStrategy<Combine> {
    let weighted = (0.0..0.9_f64, 0.0..0.9_f64, 0.0..9.0_f64, 0.0..9.0_f64).prop_map(
        |(out_above, in_below, out_step, in_step)| {
            Combine::Weighted(WeightedConstants {
                out_above,
                in_below,
                out_step,
                in_step,
            })
        },
    );
    prop_oneof![
        5 => Just(Combine::Max),
        2 => Just(Combine::Majority),
        2 => Just(Combine::Weighted(WeightedConstants::default())),
        1 => weighted,
    ]
    .boxed()
}

pub(in crate::engine::properties) fn policy() -> BoxedStrategy<Policy> {
    let backlog = (any_metric("backlog"), number()).prop_map(|(mut metric, number)| {
        metric.source = MetricSource::Formula(formula(number));
        metric
    });
    let metrics = (
        any_metric("cpu"),
        option::weighted(0.5, any_metric("queue")),
        option::weighted(0.4, any_metric("errors")),
        option::weighted(0.3, backlog),
    )
        .prop_map(|(cpu, queue, errors, backlog)| {
            [Some(cpu), queue, errors, backlog]
                .into_iter()
                .flatten()
                .collect::<Vec<_>>()
        });
    let forecast = select(vec![
        ForecastMode::Scale,
        ForecastMode::Scale,
        ForecastMode::Observe,
    ])
    .prop_map(|mode| Forecast {
        metric: "queue".into(),
        per_instance: 10.0,
        model: "auto".to_owned(),
        quantile: 0.9,
        lead: Duration::from_secs(600),
        history: Duration::from_secs(86_400),
        mode,
    });
    let budget =
        select(vec![OnExceed::Warn, OnExceed::BlockScaleOut]).prop_map(|on_exceed| Budget {
            monthly_usd: 100.0,
            alert: Vec::new(),
            on_exceed,
        });
    (
        (metrics, combine(), scale_rules(), scale_rules()),
        (option::weighted(0.7, (capacity(), capacity())), length()),
        (
            vec(schedule(), 0..3),
            vec(guard(), 0..3),
            prop_oneof![3 => Just(Vec::new()), 1 => vec(freeze(), 1..3)],
        ),
        (
            option::weighted(0.3, forecast),
            option::weighted(0.3, budget),
            option::weighted(0.4, mix()),
        ),
    )
        .prop_map(
            |(
                (metrics, combine, out, r#in),
                (limits, warmup),
                (schedules, guards, freezes),
                rest,
            )| {
                let mut policy = plain();
                policy.metrics = metrics;
                policy.combine = combine;
                policy.scale_out = out;
                policy.scale_in = r#in;
                policy.limits =
                    limits.and_then(|(a, b)| Limits::new(Capacity(a.min(b)), Capacity(a.max(b))));
                policy.warmup = warmup;
                policy.schedules = schedules;
                policy.guards = guards;
                for (place, guard) in policy.guards.iter_mut().enumerate() {
                    guard.name = format!("g{place}").into();
                }
                policy.freezes = freezes;
                (policy.forecast, policy.budget, policy.mix) = rest;
                policy
            },
        )
        .boxed()
}
