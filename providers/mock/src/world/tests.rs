//! The kernel's rules, in tables.

use std::collections::BTreeMap;
use std::time::Duration;

use proptest::prelude::*;
use tideform_policies::model::{
    InstanceState, InstanceType, Lifecycle, Limits, Share, VictimOrder,
};
use tideform_provider::LiveMix;

use super::fault::{Fault, FaultKind};
use super::group::{NewGroup, WorldGroup};
use super::load::{Load, LoadKind};
use super::metric::{Sampling, WorldMetric};
use super::*;
use crate::launch::InstanceModel;

const START: Moment = Moment(1_767_571_200_000);

fn after(seconds: i64) -> Moment {
    Moment(START.0 + seconds * 1000)
}

fn limits(min: u32, max: u32) -> Limits {
    match Limits::new(min.into(), max.into()) {
        Some(limits) => limits,
        None => panic!("min {min} is above max {max}"),
    }
}

fn mix(base: u32, spot: f64) -> LiveMix {
    LiveMix {
        on_demand_base: base,
        spot: Share(spot),
        types: Vec::new(),
        allocation: None,
        rebalance: None,
    }
}

/// A world with a group `web` of 0 to 100: boot 90 s, drain 30 s, 100 load per second and unit.
fn world(rules: Rules, desired: u32, prepare: impl FnOnce(&mut WorldGroup)) -> World {
    let mut world = World::new(rules);
    let done = world
        .create_unowned(NewGroup {
            name: "web".into(),
            limits: limits(0, 100),
            desired: 0,
            launch: BTreeMap::new(),
            model: InstanceModel {
                boot: Duration::from_secs(90),
                drain: Duration::from_secs(30),
                ..InstanceModel::default()
            },
            owner: None,
        })
        .and_then(|()| {
            world.edit("web", |group, _| {
                prepare(group);
                group.desired = desired;
                Ok(())
            })
        });
    assert_eq!(done, Ok(()));
    world
}

fn plain(desired: u32) -> World {
    world(Rules::new(START, 7), desired, |_| {})
}

/// `P` pending, `I` in service, `U` unhealthy, `D` draining, in the order of launch; spot in lower case.
fn states(world: &World) -> String {
    let Some(group) = world.group("web") else {
        return "gone".to_owned();
    };
    group
        .instances
        .iter()
        .filter_map(|instance| {
            let letter = match instance.state {
                InstanceState::Pending => 'P',
                InstanceState::InService => 'I',
                InstanceState::Unhealthy => 'U',
                InstanceState::Draining => 'D',
                InstanceState::Ended => return None,
            };
            Some(match instance.lifecycle {
                Lifecycle::OnDemand => letter,
                Lifecycle::Spot => letter.to_ascii_lowercase(),
            })
        })
        .collect()
}

/// The serials of the instances that count.
fn serials(world: &World) -> Vec<u64> {
    world.group("web").map_or(Vec::new(), |group| {
        group
            .instances
            .iter()
            .filter(|instance| instance.is_live())
            .map(|instance| instance.serial)
            .collect()
    })
}

fn ask(world: &mut World, desired: u32) {
    assert_eq!(world.set_desired("web", desired), Ok(()));
}

#[test]
fn instances_boot_drain_and_end_at_their_own_times() {
    let mut world = plain(2);
    for (seconds, desired, expected) in [
        (0, None, "PP"),
        (89, None, "PP"),
        (90, None, "II"),
        (100, Some(3), "IIP"),
        (130, Some(1), "DDP"),
        (159, None, "DDP"),
        (160, None, "P"),
        (190, None, "I"),
        (200, Some(0), "D"),
        (230, None, ""),
    ] {
        world.advance(after(seconds));
        if let Some(desired) = desired {
            ask(&mut world, desired);
        }
        assert_eq!(states(&world), expected, "at {seconds} s");
    }
}

#[test]
fn an_instance_serves_from_the_step_after_its_boot_and_through_the_step_of_its_drain() {
    let mut world = plain(2);
    world.rules.loads.insert(
        "web".to_owned(),
        Load::formula(LoadKind::Request, "100").unwrap_or(Load::none()),
    );
    world.advance(after(250));
    ask(&mut world, 1);
    world.advance(after(480));
    let serving: Vec<u32> = world
        .outcomes("web", 0, 100)
        .iter()
        .map(|o| o.units)
        .collect();
    // Boot ends within step 1; the drain begins within step 4.
    assert_eq!(serving, [0, 0, 2, 2, 2, 1, 1, 1]);
}

#[test]
fn a_decision_at_the_start_of_a_step_acts_on_that_step() {
    let mut world = plain(2);
    world.advance(after(300));
    ask(&mut world, 1);
    world.advance(after(360));
    assert_eq!(
        world.outcomes("web", 5, 6).first().map(|o| o.units),
        Some(1)
    );
}

#[test]
fn scale_in_chooses_by_health_share_and_order_and_never_the_protected() {
    // Five instances a minute apart, serials 0 to 4; the fifth is pending.
    for (order, unhealthy, protected, desired, left) in [
        (None, None, None, 3, vec![2, 3, 4]),
        (Some(VictimOrder::Oldest), None, None, 3, vec![2, 3, 4]),
        (Some(VictimOrder::Newest), None, None, 3, vec![0, 1, 2]),
        (Some(VictimOrder::Newest), Some(1), None, 3, vec![0, 2, 3]),
        (Some(VictimOrder::Oldest), None, Some(0), 2, vec![0, 4]),
        (Some(VictimOrder::Newest), Some(2), Some(2), 2, vec![0, 2]),
    ] {
        let mut world = plain(1);
        for n in 2..=5 {
            world.advance(after(60 * i64::from(n)));
            ask(&mut world, n);
        }
        let done = world.edit("web", |group, now| {
            group.order = order;
            if let Some(index) = unhealthy {
                group.sicken(index, now);
            }
            if let Some(instance) = protected.and_then(|index| group.instances.get_mut(index)) {
                instance.protected = true;
            }
            group.desired = desired;
            Ok(())
        });
        assert_eq!(done, Ok(()));
        assert_eq!(
            serials(&world),
            left,
            "{order:?} {unhealthy:?} {protected:?}"
        );
    }
}

#[test]
fn protected_instances_stay_until_they_are_no_longer() {
    let mut world = plain(3);
    let protect = |world: &mut World, protected| {
        let done = world.edit("web", |group, _| {
            for instance in &mut group.instances {
                instance.protected = protected;
            }
            Ok(())
        });
        assert_eq!(done, Ok(()));
    };
    protect(&mut world, true);
    ask(&mut world, 1);
    assert_eq!(states(&world), "PPP");
    protect(&mut world, false);
    assert_eq!(states(&world), "P");
}

#[test]
fn launches_and_scale_in_follow_the_mix() {
    let mut world = world(Rules::new(START, 7), 2, |group| {
        group.mix = Some(mix(2, 0.7))
    });
    assert_eq!(states(&world), "PP");
    ask(&mut world, 12);
    // 2 + ceil(10 x 30 %) on demand.
    assert_eq!(states(&world), "PPPPPppppppp");
    ask(&mut world, 7);
    // 2 + ceil(5 x 30 %) = 4 on demand, 3 on spot.
    assert_eq!(states(&world), "PPPPppp");
    // Another mix is only for launches and for who ends first.
    let done = world.edit("web", |group, _| {
        group.mix = Some(mix(0, 1.0));
        group.desired = 8;
        Ok(())
    });
    assert_eq!(done, Ok(()));
    assert_eq!(states(&world), "PPPPpppp");
    ask(&mut world, 5);
    assert_eq!(states(&world), "Ppppp");
}

#[test]
fn weighted_types_fill_units_and_never_end_more_than_is_too_many() {
    let mut weighted = mix(0, 0.0);
    weighted.types = vec![InstanceType {
        name: "m6i.xlarge".to_owned(),
        weight: Some(2),
    }];
    let mut world = world(Rules::new(START, 7), 5, |group| group.mix = Some(weighted));
    assert_eq!(states(&world), "PPP");
    ask(&mut world, 5);
    assert_eq!(states(&world), "PPP");
    ask(&mut world, 4);
    assert_eq!(states(&world), "PP");
    ask(&mut world, 3);
    assert_eq!(states(&world), "PP");
}

#[test]
fn an_interrupted_instance_serves_through_its_notice_and_is_replaced() {
    for (rebalance, at_notice, at_end) in [(false, "ii", "ip"), (true, "iip", "ip")] {
        let mut spot = mix(0, 1.0);
        spot.rebalance = Some(rebalance);
        let mut world = world(Rules::new(START, 7), 2, |group| group.mix = Some(spot));
        world.advance(after(120));
        let done = world.edit("web", |group, now| {
            if let Some(instance) = group.instances.get_mut(0) {
                instance.noticed = true;
                instance.taken_at = Some(now.after(Duration::from_secs(60)));
            }
            Ok(())
        });
        assert_eq!(done, Ok(()));
        assert_eq!(states(&world), at_notice, "rebalance {rebalance}");
        world.advance(after(180));
        assert_eq!(states(&world), at_end, "rebalance {rebalance}");
    }
}

#[test]
fn cost_runs_from_launch_to_the_end_of_the_drain_with_a_least_of_a_minute() {
    let mut world = plain(1);
    let cost = |world: &World| {
        let group = world.group("web");
        group.map_or(0.0, |group| {
            group.cost_at(world.now()).cost_usd * 3_600.0 / 0.096
        })
    };
    let near = |a: f64, b: f64| assert!((a - b).abs() < 1e-6, "{a} is not {b}");
    world.advance(after(10));
    near(cost(&world), 60.0);
    world.advance(after(300));
    near(cost(&world), 300.0);
    ask(&mut world, 0);
    world.advance(after(1_000));
    near(cost(&world), 330.0);
    // A launch that is taken back at once costs its minute.
    ask(&mut world, 1);
    ask(&mut world, 0);
    near(cost(&world), 390.0);
    assert_eq!(world.delete("web"), Ok(()));
    near(
        world
            .retired
            .get("web")
            .map_or(0.0, |total| total.on_demand_s),
        390.0,
    );
}

#[test]
fn the_same_seed_gives_the_same_world_and_another_seed_another() {
    let run = |seed| {
        let mut rules = Rules::new(START, seed);
        rules.faults = vec![Fault {
            rate: 2.0,
            ..Fault::new(FaultKind::InterruptSpot)
        }];
        let mut world = world(rules, 10, |group| group.mix = Some(mix(0, 1.0)));
        world.advance(after(6 * 3_600));
        world
    };
    assert_eq!(run(1), run(1));
    assert_ne!(serials(&run(1)), serials(&run(2)));
}

#[test]
fn a_year_of_minutes_with_a_change_every_hour_keeps_only_a_day() {
    let mut world = plain(2);
    world.rules.retention = Duration::from_secs(86_400);
    world.rules.loads.insert(
        "web".to_owned(),
        Load::formula(LoadKind::Queue, "100 + 50 * sin(t / 10000)").unwrap_or(Load::none()),
    );
    for minute in 1..=525_600 {
        world.advance(after(minute * 60));
        if minute % 60 == 0 {
            ask(&mut world, 1 + u32::try_from(minute / 60 % 5).unwrap_or(0));
        }
    }
    // Only what is kept is there.
    let kept = world.outcomes("web", 0, 525_600).len();
    assert!((1_440..=1_442).contains(&kept), "{kept}");
}

#[test]
fn what_is_forgotten_does_not_change_what_is_remembered() {
    let run = |retention_s| {
        let mut world = plain(2);
        world.rules.retention = Duration::from_secs(retention_s);
        world.rules.loads.insert(
            "web".to_owned(),
            Load::formula(LoadKind::Queue, "190 + 100 * sin(t / 1000)").unwrap_or(Load::none()),
        );
        for hour in 1..=48 {
            world.advance(after(hour * 3_600));
            ask(&mut world, 2 + u32::try_from(hour % 2).unwrap_or(0));
        }
        let sampling = Sampling {
            statistic: tideform_policies::model::Statistic::Average,
            period: Duration::from_secs(60),
            from: after(47 * 3_600),
            to: after(48 * 3_600),
        };
        world.samples("web", "queue_depth", &sampling)
    };
    let (short, long) = (run(3_600), run(1_000_000));
    assert_eq!(short.len(), 60);
    for (a, b) in short.iter().zip(&long) {
        assert!(
            a.at == b.at && (a.value - b.value).abs() < 1e-6,
            "{a:?} {b:?}"
        );
    }
}

#[test]
fn a_world_survives_being_written_and_read() -> Result<(), serde_json::Error> {
    let mut world = world(Rules::new(START, 7), 4, |group| {
        group.mix = Some(mix(1, 0.5))
    });
    world.rules.loads.insert(
        "web".to_owned(),
        Load::formula(LoadKind::Request, "100 * hour").unwrap_or(Load::none()),
    );
    world.advance(after(1_000));
    ask(&mut world, 6);
    let text = serde_json::to_string(&world)?;
    let mut read: World = serde_json::from_str(&text)?;
    world.take_touched();
    assert_eq!(read, world);
    read.advance(after(5_000));
    world.advance(after(5_000));
    assert_eq!(read.outcomes("web", 0, 100), world.outcomes("web", 0, 100));
    Ok(())
}

#[test]
fn error_rate_and_cpu_follow_the_model() {
    let mut world = plain(1);
    world.rules.loads.insert(
        "web".to_owned(),
        Load::formula(LoadKind::Request, "400").unwrap_or(Load::none()),
    );
    world.advance(after(240));
    let outcomes = world.outcomes("web", 3, 4);
    let of = |metric: WorldMetric| outcomes.first().and_then(|o| metric.value(o, None));
    assert_eq!(of(WorldMetric::Cpu), Some(100.0));
    assert_eq!(of(WorldMetric::ErrorRate), Some(75.0));
    assert_eq!(
        of(WorldMetric::Latency).map(|s| (s * 1e6).round()),
        Some(1e7)
    );
    assert_eq!(
        outcomes.first().and_then(|o| o.utilization_percent),
        Some(400.0)
    );
}

/// What a test does to a world, and when.
#[derive(Clone, Debug)]
enum Act {
    Desired(u32),
    Sicken(usize),
    Interrupt(usize),
    Mix(u32, f64),
    Terminate(usize),
}

fn act() -> impl Strategy<Value = Act> {
    prop_oneof![
        4 => (0u32..12).prop_map(Act::Desired),
        1 => (0usize..6).prop_map(Act::Sicken),
        1 => (0usize..6).prop_map(Act::Interrupt),
        1 => (0u32..3, 0u8..=4).prop_map(|(base, quarters)| Act::Mix(base, f64::from(quarters) / 4.0)),
        1 => (0usize..6).prop_map(Act::Terminate),
    ]
}

fn perform(world: &mut World, act: &Act) {
    // What cannot be done is not done, alike in both worlds.
    let _ = match act {
        Act::Desired(n) => world.set_desired("web", *n),
        Act::Sicken(index) => world.edit("web", |group, now| {
            group.sicken(*index, now);
            Ok(())
        }),
        Act::Interrupt(index) => world.edit("web", |group, now| {
            if let Some(instance) = group.instances.get_mut(*index) {
                instance.noticed = true;
                instance.taken_at = Some(now.after(Duration::from_secs(45)));
            }
            Ok(())
        }),
        Act::Mix(base, spot) => world.edit("web", |group, _| {
            group.mix = Some(mix(*base, *spot));
            Ok(())
        }),
        Act::Terminate(index) => {
            let id = world
                .group("web")
                .and_then(|group| group.instances.get(*index))
                .map(|instance| instance.id.clone());
            id.map_or(Ok(()), |id| world.terminate("web", &id))
        }
    };
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]

    #[test]
    fn one_leap_is_many_steps(
        acts in prop::collection::vec((0i64..2_000, act()), 0..12),
        stops in prop::collection::vec(0i64..20_000, 0..40),
        hazards in any::<bool>(),
        queue in any::<bool>(),
        step_s in prop_oneof![Just(1i64), Just(60), Just(300)],
    ) {
        let mut rules = Rules::new(START, 3);
        rules.step_ms = step_s * 1000;
        if hazards {
            rules.faults = vec![
                Fault { rate: 2.0, ..Fault::new(FaultKind::InterruptSpot) },
                Fault { rate: 1.0, ..Fault::new(FaultKind::Break) },
                Fault { rate: 0.3, ..Fault::new(FaultKind::NoCapacity) },
            ];
        }
        let kind = if queue { LoadKind::Queue } else { LoadKind::Request };
        if let Ok(load) = Load::formula(kind, "300 + 200 * sin(t / 500)") {
            rules.loads.insert("web".to_owned(), load);
        }
        let mut leaping = world(rules, 3, |group| group.mix = Some(mix(1, 0.5)));
        let mut stepping = leaping.clone();
        let mut now = 0;
        let mut stops = stops;
        stops.sort_unstable();
        for (wait, act) in acts.iter().chain([&(5_000, Act::Desired(2))]) {
            let next = now + wait;
            leaping.advance(after(next));
            for stop in stops.iter().filter(|stop| (now..next).contains(*stop)) {
                stepping.advance(after(*stop));
            }
            stepping.advance(after(next));
            perform(&mut leaping, act);
            perform(&mut stepping, act);
            now = next;
        }
        let last = rules_steps(&leaping);
        prop_assert_eq!(leaping.outcomes("web", 0, last), stepping.outcomes("web", 0, last));
        leaping.take_touched();
        stepping.take_touched();
        prop_assert_eq!(leaping, stepping);
    }

    #[test]
    fn live_capacity_is_what_is_desired_and_limits_hold(
        acts in prop::collection::vec((0i64..500, act()), 0..20),
    ) {
        let mut world = plain(3);
        let mut now = 0;
        for (wait, act) in &acts {
            now += wait;
            world.advance(after(now));
            perform(&mut world, act);
            let group = world.group("web");
            prop_assert_eq!(group.map(|g| g.live_units(None)), group.map(|g| g.desired));
        }
    }
}

fn rules_steps(world: &World) -> i64 {
    world.rules.steps_ended(world.now())
}
