//! What was read of a group: instances in every state, samples of the group and of each instance, overrides.

use proptest::collection::vec;
use proptest::option;
use proptest::prelude::*;
use proptest::sample::select;
use tideform_policies::model::{
    Capacity, Instance, InstanceSample, InstanceState, Lifecycle, Limits, MetricReading, Sample,
};

use super::{capacity, near, value};
use crate::engine::testing::at;
use crate::engine::{ActiveSurge, ForecastFloor, Observation, Pause, Pin, Spent};

pub(in crate::engine::properties) fn instances() -> BoxedStrategy<Vec<Instance>> {
    let one = (
        select(vec![
            InstanceState::InService,
            InstanceState::InService,
            InstanceState::InService,
            InstanceState::Pending,
            InstanceState::Unhealthy,
            InstanceState::Draining,
            InstanceState::Ended,
        ]),
        (option::weighted(0.8, near()), option::weighted(0.8, near())),
        (prop::bool::weighted(0.2), prop::bool::weighted(0.4)),
        prop_oneof![8 => Just(1_u32), 1 => capacity()],
        (option::weighted(0.2, any::<bool>()), option::of(near())),
    );
    vec(one, 0..8)
        .prop_map(|list| {
            list.into_iter()
                .enumerate()
                .map(
                    |(
                        place,
                        (
                            state,
                            (launched_at, in_service_at),
                            (protected, is_spot),
                            weight,
                            readiness,
                        ),
                    )| Instance {
                        id: format!("i-{place}").into(),
                        state,
                        launched_at,
                        in_service_at,
                        lifecycle: if is_spot {
                            Lifecycle::Spot
                        } else {
                            Lifecycle::OnDemand
                        },
                        protected,
                        instance_type: None,
                        ready: readiness.0,
                        ready_changed_at: readiness.1,
                        weight,
                    },
                )
                .collect()
        })
        .boxed()
}

/// Samples of the group: times strictly rising, as every reader gives them.
fn samples() -> BoxedStrategy<MetricReading> {
    let fresh = prop_oneof![3 => Just(at(0.0)), 1 => near()];
    (
        vec((near(), value()), 0..6),
        option::weighted(0.7, (fresh, value())),
    )
        .prop_map(|(mut list, newest)| {
            list.extend(newest);
            list.sort_by_key(|sample| sample.0);
            list.dedup_by_key(|sample| sample.0);
            MetricReading::Group(
                list.into_iter()
                    .map(|(at, value)| Sample { at, value })
                    .collect(),
            )
        })
        .boxed()
}

pub(in crate::engine::properties) fn reading() -> BoxedStrategy<MetricReading> {
    let each = (
        prop_oneof![3 => Just(at(0.0)), 1 => near()],
        vec(option::weighted(0.8, value()), 0..8),
        any::<bool>(),
        option::weighted(
            0.15,
            vec(
                option::weighted(0.95, select(vec![50.0, 100.0, 8.0, 0.0])),
                8,
            ),
        ),
    )
        .prop_map(|(at, values, is_reversed, wholes)| {
            let mut values: Vec<_> = values
                .into_iter()
                .enumerate()
                .map(|(place, value)| InstanceSample {
                    id: format!("i-{place}").into(),
                    value,
                    of: wholes.as_ref().and_then(|wholes| wholes[place]),
                })
                .collect();
            if is_reversed {
                values.reverse();
            }
            MetricReading::PerInstance { at, values }
        });
    prop_oneof![2 => samples(), 1 => each].boxed()
}

pub(in crate::engine::properties) fn observation() -> BoxedStrategy<Observation> {
    let pin = (capacity(), near());
    let surge = (capacity(), near(), near());
    (
        (capacity(), option::of(instances())),
        (
            option::weighted(0.85, reading()),
            option::weighted(0.85, reading()),
            option::weighted(0.85, reading()),
            option::weighted(0.05, reading()),
        ),
        (
            option::weighted(0.25, pin),
            option::weighted(0.1, near()),
            vec(surge, 0..2),
        ),
        (
            option::of(select(vec![0.0, 99.99, 100.0, 500.0])),
            option::of(capacity()),
            vec(near(), 0..4),
            option::weighted(0.3, (capacity(), capacity())),
            prop::bool::weighted(0.2),
            prop::bool::weighted(0.05),
        ),
    )
        .prop_map(
            |(
                (desired, instances),
                readings,
                (pin, pause, surges),
                (spent, forecast, failed, live, all, out),
            )| {
                let mut seen = Observation {
                    desired: Capacity(desired),
                    instances,
                    ..Observation::default()
                };
                for (name, reading) in [
                    ("cpu", readings.0),
                    ("queue", readings.1),
                    ("errors", readings.2),
                    ("backlog", readings.3),
                ] {
                    if let Some(reading) = reading {
                        seen.metrics.insert(name.into(), reading);
                    }
                }
                let by = || "ada".to_owned();
                seen.overrides.pin = pin.map(|(capacity, until)| Pin {
                    capacity: Capacity(capacity),
                    until,
                    reason: None,
                    by: by(),
                });
                seen.overrides.pause = pause.map(|until| Pause {
                    until,
                    reason: None,
                    by: by(),
                });
                seen.overrides.surges = surges
                    .into_iter()
                    .map(|(min, a, b)| ActiveSurge {
                        name: "campaign".into(),
                        min: Capacity(min),
                        from: a.min(b),
                        until: a.max(b),
                    })
                    .collect();
                seen.spent = spent.map(|cost_usd| Spent { cost_usd });
                seen.forecast = forecast.map(|capacity| ForecastFloor {
                    capacity: Capacity(capacity),
                    quantile: 0.9,
                    at: at(10.0),
                });
                seen.failed_spot_launches = failed;
                seen.failed_spot_launches.sort();
                seen.limits =
                    live.and_then(|(a, b)| Limits::new(Capacity(a.min(b)), Capacity(a.max(b))));
                if all {
                    seen.counts_warming.insert("cpu".into());
                }
                if out {
                    seen.left_out.insert("queue".into());
                }
                seen
            },
        )
        .boxed()
}
