//! The loop on the mock cloud, in stepped time, and the simulator take the same path: the same policy, world and load.

mod loop_support;

use std::time::Duration;

use jiff::Timestamp;
use loop_support::{START, Stage, group, metric};
use serde_json::{Value, json};
use tideform::engine::Rules;
use tideform::simulate::trace::{Reading, Trace};
use tideform::simulate::world::{Boot, Input, Model, Target, Work};
use tideform::simulate::{At, Controller, Policy, Prices, Run, Seen, Setup, Sight, Step, Watch};
use tideform_mock::launch;
use tideform_mock::world::group::NewGroup;
use tideform_policies::model::{Capacity, Group, Limits};

/// Minutes that are compared.
const MINUTES: usize = 300;
/// Minutes until the loop begins: the first instances boot. A multiple of the time between decisions.
const BEFORE: usize = 6;

/// A policy that begins to decide when the loop does.
struct Late<C>(C);

impl<C: Controller> Controller for Late<C> {
    fn every(&self) -> Duration {
        self.0.every()
    }
    fn inputs(&self) -> Vec<Input> {
        self.0.inputs()
    }
    fn sample(&mut self, input: usize, at: At, value: Option<f64>) {
        self.0.sample(input, at, value);
    }
    fn decide(&mut self, seen: &Seen<'_>) -> Target {
        if seen.now.ms < BEFORE as i64 * 60_000 {
            return seen.fleet.target();
        }
        self.0.decide(seen)
    }
}

/// What is asked for in each step.
#[derive(Default)]
struct Path(Vec<u32>);

impl Watch for Path {
    fn step(&mut self, step: &Step) {
        self.0.push(step.desired);
    }
}

/// Waves, a step and a burst; at most 1,400 a second.
fn csv() -> String {
    let start: Timestamp = START.parse().unwrap();
    let mut text = "timestamp,value\n".to_owned();
    for minute in 0..MINUTES + BEFORE + 10 {
        let at = start + jiff::SignedDuration::from_mins(minute as i64);
        let wave =
            300.0 + 250.0 * (minute as f64 / 37.0).sin() + 40.0 * (minute as f64 / 3.0).sin();
        let load = match minute {
            100..=160 => wave + 450.0,
            200..=203 => wave + 900.0,
            _ => wave,
        };
        text += &format!("{at},{load:.3}\n");
    }
    text
}

struct World {
    boot_s: u64,
    drain_s: u64,
    kind: &'static str,
}

async fn looped(group: &Group, world: &World) -> Vec<u32> {
    let csv = tempfile::NamedTempFile::new().unwrap();
    std::fs::write(csv.path(), self::csv()).unwrap();
    let settings = json!({
        "world": "mock.world", "clock": "stepped", "start": START, "step": "1m",
        "load": { "default": { "trace": csv.path(), "kind": world.kind } },
    });
    let Value::Object(settings) = settings else {
        panic!("settings are an object")
    };
    let attributes = serde_json::from_value(json!({
        "boot": format!("{}s", world.boot_s), "drain": format!("{}s", world.drain_s), "throughput": 100,
    }))
    .unwrap();
    let new = NewGroup {
        name: group.resource.name.clone(),
        limits: Limits::new(Capacity(0), Capacity(100)).unwrap(),
        desired: 4,
        model: launch::parse(&attributes).unwrap(),
        launch: attributes,
        owner: None,
    };
    let mut stage = Stage::with_new(settings, std::slice::from_ref(group), new);
    // The stage has let five of them pass.
    stage.pass(60);
    let mut path = Vec::new();
    for _ in 0..MINUTES {
        stage.tick().await;
        path.push(stage.desired("web"));
        stage.pass(60);
    }
    path
}

fn simulated(group: &Group, world: &World) -> Vec<u32> {
    let trace = Trace::parse(csv().as_bytes(), Reading::default()).unwrap();
    let prices = Prices {
        on_demand: 0.1,
        spot: 0.05,
    };
    let rules = Rules::new(group);
    let setup = Setup {
        start: trace.start(),
        step: trace.step(),
        model: Model {
            boot: Boot::Fixed(Duration::from_secs(world.boot_s)),
            drain: Duration::from_secs(world.drain_s),
            throughput: 100.0,
            work: if world.kind == "queue" {
                Work::Queue
            } else {
                Work::Requests
            },
            ..Model::default()
        },
        initial: Target::on_demand(4),
        is_new: true,
        slo_utilization: 100.0,
        mix: None,
        prices,
    };
    let policy = Late(Policy::new(&rules, Sight::of_provider("mock"), prices));
    let mut run = Run::watched(setup, policy, Path::default());
    run.extend(trace.values());
    let (_, _, Path(path)) = run.finish();
    path.into_iter().skip(BEFORE).take(MINUTES).collect()
}

async fn agree(name: &str, world: World, edit: impl FnOnce(&mut Value)) {
    let group = group("web", |value| {
        value["policy"]["limits"] = json!({ "min": 1, "max": 30 });
        edit(value);
    });
    let (looped, simulated) = (looped(&group, &world).await, simulated(&group, &world));
    let differs = looped.iter().zip(&simulated).position(|(a, b)| a != b);
    assert_eq!(
        differs, None,
        "{name}: minute {differs:?}\nloop      {looped:?}\nsimulator {simulated:?}"
    );
    let changes = looped.windows(2).filter(|pair| pair[0] != pair[1]).count();
    assert!(changes > 5, "{name}: only {changes} changes: {looped:?}");
}

const PLAIN: World = World {
    boot_s: 90,
    drain_s: 0,
    kind: "request",
};

#[tokio::test]
async fn with_target_tracking_alone() {
    agree("plain", PLAIN, |_| {}).await;
}

#[tokio::test]
async fn with_warm_up_cooldowns_stabilization_rates_and_drain() {
    let world = World {
        boot_s: 150,
        drain_s: 400,
        kind: "request",
    };
    agree("all of it", world, |value| {
        let policy = &mut value["policy"];
        policy["warmup_s"] = json!(180);
        policy["scale_out"]["cooldown_s"] = json!(120);
        policy["scale_out"]["rates"] = json!([{ "amount": { "count": 3 }, "per_s": 60 }]);
        policy["scale_in"]["cooldown_s"] = json!(300);
        policy["scale_in"]["stabilization_s"] = json!(300);
        policy["scale_in"]["rates"] = json!([{ "amount": { "count": 2 }, "per_s": 300 }]);
    })
    .await;
}

#[tokio::test]
async fn with_schedules() {
    agree("schedules", PLAIN, |value| {
        let policy = &mut value["policy"];
        policy["warmup_s"] = json!(60);
        policy["schedules"] = json!([
            { "name": "floor", "min": 9, "when": { "once": {
                "start": "2026-01-05T13:00:00Z", "end": "2026-01-05T13:25:00Z" } } },
            { "name": "ceiling", "max": 6, "when": { "recurring": {
                "cron": "30 14 * * *", "timezone": "Europe/Berlin", "duration_s": 2400 } } },
        ]);
    })
    .await;
}

#[tokio::test]
async fn with_steps_of_a_total_that_must_be_breached() {
    agree("steps", PLAIN, |value| {
        let rule = json!({ "steps": [
            { "when": { "above": { "from": 700.0, "to": null } }, "adjustment": { "add": 3 } },
            { "when": { "above": { "from": 450.0, "to": 700.0 } }, "adjustment": { "add": 1 } },
            { "when": { "below": { "from": 250.0, "to": null } }, "adjustment": { "remove": 1 } },
        ] });
        let mut requests = metric("requests", Some(rule));
        requests["scope"] = json!("group");
        requests["breach"] = json!({ "for": 180.0 });
        value["policy"]["warmup_s"] = json!(120);
        value["policy"]["metrics"] = json!([requests]);
    })
    .await;
}

#[tokio::test]
async fn with_a_queue_decided_every_two_minutes() {
    let world = World {
        boot_s: 60,
        drain_s: 60,
        kind: "queue",
    };
    agree("queue", world, |value| {
        let rule =
            json!({ "track": { "target": 2000.0, "tolerance_out": 0.1, "tolerance_in": 0.1 } });
        let mut depth = metric("queue_depth", Some(rule));
        depth["scope"] = json!("group");
        depth["period_s"] = json!(120);
        value["policy"]["metrics"]
            .as_array_mut()
            .unwrap()
            .push(depth);
        value["policy"]["every_s"] = json!(120);
        value["policy"]["warmup_s"] = json!(60);
    })
    .await;
}
