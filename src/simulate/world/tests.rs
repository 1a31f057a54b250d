//! The world's rules in tables, and against the mock cloud's own kernel.

use std::collections::BTreeMap;
use std::time::Duration;

use tideform_mock::launch::InstanceModel;
use tideform_mock::world::group::NewGroup;
use tideform_mock::world::{Moment, Rules, World, random};
use tideform_policies::model::{InstanceType, Lifecycle, Limits, Share, Statistic, VictimOrder};
use tideform_provider::LiveMix;

use super::latency::erlang_c;
use super::*;

const MINUTE: i64 = 60_000;

fn seconds(n: u64) -> Duration {
    Duration::from_secs(n)
}

/// Boot 90 s, drain 30 s.
fn model() -> Model {
    Model {
        boot: Boot::Fixed(seconds(90)),
        drain: seconds(30),
        ..Model::default()
    }
}

fn new_fleet(model: &Model, desired: u32) -> Fleet {
    Fleet::new(model, Target::on_demand(desired), true, seconds(60))
}

#[test]
fn instances_boot_drain_and_end_at_their_own_times() {
    let mut fleet = new_fleet(&model(), 2);
    for (second, desired, serving, pending, billed) in [
        (0, None, 0, 2, 120),
        (89, None, 0, 2, 178),
        (90, None, 2, 0, 180),
        (100, Some(3), 2, 1, 260),
        // The two that serve drain, the third still boots.
        (130, Some(1), 0, 1, 320),
        (159, None, 0, 1, 378),
        (160, None, 0, 1, 380),
        (190, None, 1, 0, 410),
        (200, Some(0), 0, 0, 420),
        (230, None, 0, 0, 450),
        (900, None, 0, 0, 450),
    ] {
        let now = second * 1000;
        fleet.advance(now);
        if let Some(desired) = desired {
            fleet.ask(Target::on_demand(desired), now);
        }
        let seen = (
            fleet.serving(),
            fleet.pending(),
            fleet.billed(now)[0] / 1000,
        );
        assert_eq!(seen, (serving, pending, billed), "at {second} s");
    }
}

#[test]
fn an_instance_is_paid_for_a_minute_at_least() {
    let mut fleet = new_fleet(&model(), 0);
    fleet.ask(Target::on_demand(1), 1_000);
    fleet.ask(Target::on_demand(0), 11_000);
    assert_eq!(fleet.billed(11_000), [60_000, 0]);
    assert_eq!(fleet.billed(MINUTE * 10), [60_000, 0]);
}

#[test]
fn an_instance_is_ready_once_it_was_in_service_for_the_warm_up() {
    let mut fleet = Fleet::new(&model(), Target::on_demand(2), false, seconds(60));
    fleet.ask(Target::on_demand(5), 0);
    let units = |fleet: &mut Fleet, second: i64| {
        fleet.advance(second * 1000);
        let units = fleet.units(second * 1000, 3 * MINUTE);
        (units.ready, units.warming)
    };
    assert_eq!(units(&mut fleet, 0), (2, 3));
    assert_eq!(units(&mut fleet, 90), (2, 3));
    assert_eq!(units(&mut fleet, 269), (2, 3));
    assert_eq!(units(&mut fleet, 270), (5, 0));
}

#[test]
fn a_spread_says_who_reports() {
    let mut fleet = Fleet::new(&model(), Target::on_demand(2), false, seconds(60));
    assert_eq!(fleet.spread(0, -MINUTE, 3 * MINUTE), None);
    fleet.ask(Target::on_demand(5), 0);
    for (second, step_start, spread) in [
        (60, 0, Some((2, 0, 3))),
        // In service, and not yet through a whole step.
        (120, 60, Some((2, 3, 0))),
        // Sampled, and too young to count.
        (180, 120, Some((2, 0, 3))),
        (300, 240, None),
    ] {
        let (now, from) = (second * 1000, step_start * 1000);
        fleet.advance(now);
        let seen = fleet.spread(now, from, 3 * MINUTE);
        let seen = seen.map(|s| (s.reported, s.missing, s.unready));
        assert_eq!(seen, spread, "at {second} s");
    }
}

#[test]
fn spot_instances_serve_through_their_notice_and_are_replaced() {
    for (rebalance, at_notice, at_end) in [(false, (10, 0), (0, 10)), (true, (10, 10), (0, 10))] {
        let model = Model {
            faults: Faults {
                // Every one of them, at once.
                interruptions_per_hour: 1e9,
                ..Faults::default()
            },
            rebalance,
            ..model()
        };
        let target = Target {
            desired: 10,
            spot: 10,
        };
        let mut fleet = Fleet::new(&model, target, false, seconds(60));
        fleet.strike(0, 0);
        assert_eq!((fleet.serving(), fleet.pending()), at_notice, "{rebalance}");
        fleet.advance(2 * MINUTE);
        let seen = (fleet.serving(), fleet.pending());
        // Those launched ahead have booted for two minutes.
        let expected = if rebalance { (10, 0) } else { at_end };
        assert_eq!(seen, expected, "{rebalance}");
        assert_eq!(fleet.happened().interruptions, 10);
    }
}

#[test]
fn what_is_broken_serves_no_more_and_is_replaced_after_the_health_check() {
    let faulty = |breakdowns_per_hour| Model {
        faults: Faults {
            breakdowns_per_hour,
            ..Faults::default()
        },
        drain: seconds(600),
        ..model()
    };
    // Every one of them, at once.
    let mut fleet = Fleet::new(&faulty(1e9), Target::on_demand(4), false, seconds(60));
    fleet.strike(0, 0);
    let seen = |fleet: &Fleet| (fleet.serving(), fleet.pending());
    assert_eq!((seen(&fleet), fleet.live()), ((0, 0), 0));
    assert_eq!(fleet.happened().breakdowns, 4);
    fleet.advance(2 * MINUTE - 1);
    assert_eq!(seen(&fleet), (0, 0), "nobody has noticed");
    fleet.advance(2 * MINUTE);
    assert_eq!((seen(&fleet), fleet.happened().launches), ((0, 4), 4));
    // They are paid for until they are taken away, and drain nothing; the new ones for a minute at least.
    assert_eq!(fleet.billed(2 * MINUTE)[0], 4 * 2 * 60_000 + 4 * 60_000);
    // On scale-in a broken one goes first, at once.
    let mut fleet = Fleet::new(&faulty(0.5), Target::on_demand(40), false, seconds(60));
    let mut step = 0;
    while fleet.happened().breakdowns == 0 {
        fleet.strike(0, step);
        step += 1;
    }
    let broken = fleet.happened().breakdowns as u32;
    assert_eq!(fleet.serving(), 40 - broken);
    fleet.ask(Target::on_demand(40 - broken), 1_000);
    assert_eq!(
        (seen(&fleet), fleet.live()),
        ((40 - broken, 0), 40 - broken)
    );
    fleet.advance(5 * MINUTE);
    assert_eq!(fleet.happened().launches, 0);
}

#[test]
fn interruptions_come_as_often_as_asked_for() {
    let model = Model {
        faults: Faults {
            interruptions_per_hour: 0.1,
            notice: seconds(0),
            ..Faults::default()
        },
        boot: Boot::Fixed(seconds(0)),
        seed: 11,
        ..Model::default()
    };
    let target = Target {
        desired: 50,
        spot: 20,
    };
    let mut fleet = Fleet::new(&model, target, false, seconds(60));
    for step in 0..60_000_i64 {
        fleet.advance(step * MINUTE);
        fleet.strike(step * MINUTE, step as u64);
        fleet.advance(step * MINUTE);
        assert_eq!(fleet.serving(), 50);
    }
    // 20 instances, 1,000 hours, 0.1 an hour: 2,000, with a deviation of 45.
    let taken = fleet.happened().interruptions;
    assert!((1_850..2_150).contains(&taken), "{taken}");
}

#[test]
fn a_launch_that_fails_is_tried_again_after_a_minute() {
    let mut model = model();
    model.faults.failed_spot_launches = 1.0;
    let mut fleet = Fleet::new(&model, Target::on_demand(2), false, seconds(60));
    let target = Target {
        desired: 5,
        spot: 2,
    };
    fleet.ask(target, 0);
    assert_eq!((fleet.live(), fleet.happened().failed_launches), (3, 1));
    assert_eq!(fleet.next_due(), MINUTE);
    fleet.advance(MINUTE);
    assert_eq!((fleet.live(), fleet.happened().failed_launches), (3, 2));
    assert_eq!(fleet.failed_spot_launches(), [0, MINUTE]);
    // On demand they succeed.
    fleet.ask(Target::on_demand(5), MINUTE + 1);
    assert_eq!(fleet.live(), 3, "the next try is due in a minute");
    fleet.advance(2 * MINUTE);
    assert_eq!(fleet.live(), 5);
}

#[test]
fn a_fleet_does_what_the_mock_cloud_does() {
    for (case, (base, spot, weight, order, drain)) in [
        (0, 0.0, 1, None, 30),
        (0, 0.0, 1, Some(VictimOrder::Newest), 150),
        (2, 0.7, 1, None, 0),
        (1, 0.5, 1, Some(VictimOrder::Newest), 90),
        (0, 0.0, 3, Some(VictimOrder::Oldest), 30),
    ]
    .into_iter()
    .enumerate()
    {
        let mock_model = InstanceModel {
            boot: seconds(90),
            drain: seconds(drain),
            ..InstanceModel::default()
        };
        let mix = LiveMix {
            on_demand_base: base,
            spot: Share(spot),
            types: vec![InstanceType {
                name: "m5.large".to_owned(),
                weight: Some(weight),
            }],
            allocation: None,
            rebalance: None,
        };
        let mut world = World::new(Rules::new(Moment(0), 7));
        let limits = Limits::new(0.into(), 100.into()).unwrap_or_else(|| panic!("0 is above 100"));
        let made = world
            .create_unowned(NewGroup {
                name: "web".into(),
                limits,
                desired: 0,
                launch: BTreeMap::new(),
                model: mock_model,
                owner: None,
            })
            .and_then(|()| {
                world.edit("web", |group, _| {
                    group.order = order;
                    group.mix = Some(mix.clone());
                    Ok(())
                })
            });
        assert_eq!(made, Ok(()));
        let model = Model {
            drain: seconds(drain),
            weight,
            order: order.unwrap_or_default(),
            ..model()
        };
        let split = |desired: u32| Target {
            desired,
            spot: desired - tideform_mock::world::mix::on_demand_units(Some(&mix), desired),
        };
        let mut fleet = Fleet::new(&model, split(0), true, seconds(60));
        let draw = |step: i64, n: u64| random::unit(case as u64, &[step as u64, n]);
        for step in 0..600_i64 {
            let now = step * MINUTE;
            world.advance(Moment(now));
            fleet.advance(now);
            if draw(step, 0) < 0.3 {
                let desired = (draw(step, 1) * 24.0) as u32;
                assert_eq!(world.set_desired("web", desired), Ok(()));
                fleet.ask(split(desired), now);
            }
            let group = world
                .group("web")
                .unwrap_or_else(|| panic!("the group is gone"));
            assert_eq!(
                fleet.live(),
                group.live_units(None),
                "case {case}, step {step}"
            );
            let spot = group.live_units(Some(Lifecycle::Spot));
            let instances = fleet.instances(now, jiff::Timestamp::UNIX_EPOCH);
            let live_spot: u32 = instances
                .iter()
                .filter(|i| {
                    i.lifecycle == Lifecycle::Spot
                        && i.state != tideform_policies::model::InstanceState::Draining
                })
                .map(|i| i.weight)
                .sum();
            assert_eq!(live_spot, spot, "case {case}, step {step}");
            let cost = group.cost_at(Moment(now));
            let billed = fleet.billed(now).map(|ms| ms as f64 / 1000.0);
            assert_eq!(
                billed,
                [cost.on_demand_s, cost.spot_s],
                "case {case}, step {step}"
            );
            let serving = fleet.serving();
            world.advance(Moment(now + MINUTE));
            let outcome = world.outcomes("web", step, step + 1);
            assert_eq!(
                outcome.first().map(|o| o.units),
                Some(serving),
                "case {case}, step {step}"
            );
        }
    }
}

#[test]
fn the_chance_to_wait_is_erlangs() {
    for (servers, load, chance) in [
        (1, 0.5, 0.5),
        (2, 1.0, 1.0 / 3.0),
        (5, 4.0, 0.554_113),
        (10, 8.0, 0.409_180),
        (3, 0.0, 0.0),
    ] {
        let got = erlang_c(servers, load);
        assert!((got - chance).abs() < 1e-6, "{servers} {load}: {got}");
    }
}

fn served(load: f64, units: u32, throughput: f64) -> Served {
    let on = Supply {
        units,
        instances: units,
        live: units,
    };
    Served::requests(load, on, throughput)
}

#[test]
fn latency_is_that_of_a_queue_with_as_many_servers_as_work_at_once() {
    // One server of 10 a second: M/M/1, S / (1 - u), and an exponential tail.
    let model = Model {
        throughput: 10.0,
        latency_s: 0.1,
        ..Model::default()
    };
    let near = |got: Option<f64>, want: f64| {
        assert!(
            got.is_some_and(|got| (got / want - 1.0).abs() < 1e-6),
            "{got:?} is not {want}"
        );
    };
    near(latency(&served(5.0, 1, 10.0), &model), 0.2);
    near(
        latency_quantile(&served(5.0, 1, 10.0), &model, 0.5),
        0.2 * std::f64::consts::LN_2,
    );
    near(
        latency_quantile(&served(5.0, 1, 10.0), &model, 0.99),
        0.2 * 100_f64.ln(),
    );
    // Two servers at half load: a third waits, for 1 / (20 - 10) s.
    near(latency(&served(10.0, 2, 10.0), &model), 0.1 + 0.1 / 3.0);
    // Without load it takes as long as on an idle instance; overloaded as long as at 99 %.
    near(latency(&served(0.0, 1, 10.0), &model), 0.1);
    near(latency(&served(50.0, 1, 10.0), &model), 10.0);
    assert_eq!(latency(&served(5.0, 0, 10.0), &model), None);
    let free = Model {
        latency_s: 0.0,
        ..model
    };
    assert_eq!(latency(&served(5.0, 1, 10.0), &free), Some(0.0));
    assert_eq!(
        latency_quantile(&served(5.0, 1, 10.0), &free, 0.9),
        Some(0.0)
    );
}

#[test]
fn jobs_wait_in_the_order_in_which_they_came() {
    let model = Model {
        throughput: 1.0,
        latency_s: 0.5,
        work: Work::Queue,
        ..Model::default()
    };
    let mut queue = Queue::new(60.0);
    let mut seen = Vec::new();
    for (load, units) in [(2.0, 1), (1.0, 1), (0.0, 1), (0.0, 1), (1.0, 0), (0.0, 2)] {
        let on = Supply {
            units,
            instances: units,
            live: units,
        };
        let served = queue.step(load, on, &model);
        seen.push((
            served.backlog,
            queue.oldest_age_s(),
            latency(&served, &model),
        ));
    }
    assert_eq!(
        seen,
        [
            (60.0, 30.0, Some(60.5)),
            // Half of the first step's jobs are done; the last of them came just now, a step ago.
            (60.0, 60.0, Some(60.5)),
            (0.0, 0.0, Some(0.5)),
            (0.0, 0.0, Some(0.5)),
            (60.0, 60.0, None),
            (0.0, 0.0, Some(0.5)),
        ]
    );
}

/// What a metric's samples are, for loads of 10 to 50 in steps of a minute on one unit of 100.
fn samples(input: Input, origin_ms: i64) -> Vec<(i64, Option<f64>)> {
    let model = Model::default();
    let mut feed = Feed::new(&[input], &model, MINUTE, origin_ms);
    let queue = Queue::new(60.0);
    let mut seen = Vec::new();
    for (n, load) in (1..).zip([10.0, 20.0, 30.0, 40.0, 50.0]) {
        let end = n * MINUTE;
        feed.step(&served(load, 1, 100.0), &queue, &model, end, |_, value| {
            seen.push((end, value))
        });
        feed.publish(end, |_, at, value| seen.push((at, value)));
    }
    seen.into_iter()
        .map(|(at, value)| (at / 1000, value))
        .collect()
}

#[test]
fn the_steps_of_a_period_become_one_sample() {
    use WorldMetric::{Cpu, Requests};
    let input = |metric, statistic, period| Input {
        metric,
        statistic,
        period: seconds(period),
        delay: Duration::ZERO,
    };
    for (metric, statistic, expected) in [
        (Cpu, Statistic::Average, [15.0, 35.0]),
        (Cpu, Statistic::Maximum, [20.0, 40.0]),
        (Cpu, Statistic::Minimum, [10.0, 30.0]),
        (Cpu, Statistic::Percentile(50.0), [10.0, 30.0]),
        (Requests, Statistic::Sum, [1_800.0, 4_200.0]),
        (Requests, Statistic::Rate, [15.0, 35.0]),
    ] {
        let got = samples(input(metric, statistic, 120), 0);
        let expected = [(120, Some(expected[0])), (240, Some(expected[1]))];
        assert_eq!(got, expected, "{statistic:?}");
    }
    // Periods are those of the clock: here the run begins in the middle of one.
    let got = samples(input(Cpu, Statistic::Average, 120), MINUTE);
    assert_eq!(
        got,
        [(60, Some(10.0)), (180, Some(25.0)), (300, Some(45.0))]
    );
    // Shorter than a step: a sample a step.
    let got = samples(input(Requests, Statistic::Sum, 10), 0);
    assert_eq!(got.len(), 5);
    assert_eq!(got[0], (60, Some(600.0)));
}

#[test]
fn a_sample_is_seen_once_its_delay_has_passed() {
    let input = Input {
        metric: WorldMetric::Cpu,
        statistic: Statistic::Average,
        period: seconds(60),
        delay: seconds(120),
    };
    let got = samples(input, 0);
    assert_eq!(
        got,
        [(60, Some(10.0)), (120, Some(20.0)), (180, Some(30.0))]
    );
}

#[test]
fn noise_is_bounded_and_the_same_for_the_same_seed() {
    let run = |seed| {
        let model = Model {
            noise: 0.1,
            seed,
            ..Model::default()
        };
        let input = Input {
            metric: WorldMetric::Cpu,
            statistic: Statistic::Average,
            period: seconds(60),
            delay: Duration::ZERO,
        };
        let mut feed = Feed::new(&[input], &model, MINUTE, 0);
        let queue = Queue::new(60.0);
        let mut seen = Vec::new();
        for n in 1..200 {
            let served = served(95.0, 1, 100.0);
            feed.step(&served, &queue, &model, n * MINUTE, |_, _| {});
            feed.publish(n * MINUTE, |_, _, value| {
                seen.push(value.unwrap_or(f64::NAN))
            });
        }
        seen
    };
    let values = run(1);
    assert!(values.iter().all(|value| (85.5..=100.0).contains(value)));
    assert_eq!(values, run(1));
    assert_ne!(values, run(2));
}

#[test]
fn metrics_are_known_by_the_names_that_the_files_and_the_clouds_give_them() {
    for (name, metric) in [
        ("cpu", Some(WorldMetric::Cpu)),
        ("CPUUtilization", Some(WorldMetric::Cpu)),
        (
            "ALBRequestCountPerTarget",
            Some(WorldMetric::RequestsPerInstance),
        ),
        (
            "ApproximateNumberOfMessagesVisible",
            Some(WorldMetric::QueueDepth),
        ),
        ("memory", None),
    ] {
        assert_eq!(WorldMetric::named(name), metric, "{name}");
    }
    for (name, _) in tideform_mock::world::metric::METRICS {
        assert!(WorldMetric::named(name).is_some(), "{name}");
    }
}
