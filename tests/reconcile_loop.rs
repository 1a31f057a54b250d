//! The loop against the mock cloud, in process, in stepped time.

mod loop_support;

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use async_trait::async_trait;
use jiff::Timestamp;
use loop_support::{Stage, group, holder, metric, of, told};
use serde_json::json;
use tideform::reconcile::{
    Options, Pace, ReconcileError, TickReport, Watcher, run_loop, stop_pair,
};
use tideform_mock::admin::Process;
use tideform_mock::world::fault::{Call, FaultKind, ScriptedFault};
use tideform_policies::model::{
    Capacity, GroupAddress, InstanceState, InstanceType, Limits, Share,
};
use tideform_provider::{Clock, Control, ControlKind, LiveMix, Owner};
use tideform_state::{ApplyOutcome, NewApply, NewOverride, OverrideKind, State};

fn fault(kind: FaultKind, call: Call, times: u32) -> ScriptedFault {
    ScriptedFault {
        kind,
        call: Some(call),
        group: None,
        skip: 0,
        times,
    }
}

fn web() -> tideform_policies::model::Group {
    group("web", |_| {})
}

#[tokio::test]
async fn a_group_grows_with_its_load_and_shrinks_after_it() {
    let mut stage = Stage::new("(t < 600) ? 360 : 120", &[(web(), 4)]);
    let mut desired = Vec::new();
    for _ in 0..10 {
        stage.tick().await;
        desired.push(stage.desired("web"));
        stage.pass(60);
    }
    // 360 a second over 4 instances are 90 %: six bring that to 60. After ten minutes two are enough.
    assert_eq!(desired.first(), Some(&6));
    assert_eq!(desired.last(), Some(&2));
    assert_eq!(
        stage.told(),
        ["scaled: desired 4 -> 6", "scaled: desired 6 -> 2"]
    );
    stage.assert_settled();
}

#[tokio::test]
async fn a_cooldown_is_remembered_across_runs() {
    let slow = group("web", |g| {
        g["policy"]["scale_out"]["cooldown_s"] = json!(300)
    });
    let mut stage = Stage::new("(t < 330) ? 120 : ((t < 390) ? 360 : 900)", &[(slow, 2)]);
    let mut seen = Vec::new();
    for _ in 0..8 {
        let report = stage.tick().await;
        seen.push(told(&of(&report, "web").result));
        stage.pass(60);
    }
    let moves: Vec<usize> = seen
        .iter()
        .enumerate()
        .filter(|(_, told)| told.contains("->"))
        .map(|(minute, _)| minute)
        .collect();
    assert_eq!(moves.len(), 2, "{seen:?}");
    assert_eq!(moves[1] - moves[0], 5, "{seen:?}");
}

#[tokio::test]
async fn twenty_runs_decide_what_one_daemon_of_twenty_ticks_decides() {
    let policy = |g: &mut serde_json::Value| {
        g["policy"]["scale_out"]["cooldown_s"] = json!(120);
        g["policy"]["scale_in"]["cooldown_s"] = json!(180);
        g["policy"]["scale_in"]["stabilization_s"] = json!(240);
        g["policy"]["warmup_s"] = json!(90);
    };
    let slow = |g: &mut serde_json::Value| g["policy"]["every_s"] = json!(180);
    let load = "300 + 250 * sin(t / 240)";
    let stage = || Stage::new(load, &[(group("web", policy), 4), (group("slow", slow), 3)]);

    let mut jobs = stage();
    for _ in 0..20 {
        jobs.tick().await;
        jobs.pass(60);
    }
    let mut daemon = stage();
    let options = Options {
        stop_after_ticks: Some(20),
        ..Options::every(Duration::from_secs(60), holder("daemon"), daemon.source())
    };
    let (finished, reports) = daemon.run(options).await.unwrap();
    assert_eq!((finished.ticks, reports.len()), (20, 20));

    let story = |stage: &Stage| -> Vec<_> {
        stage
            .events()
            .into_iter()
            .map(|e| (e.at, e.group, e.kind, e.from, e.to, e.reasons, e.text))
            .collect()
    };
    assert_eq!(story(&jobs), story(&daemon));
    assert!(
        story(&jobs).len() > 5,
        "something happened: {:?}",
        jobs.told()
    );
    assert_eq!(
        jobs.state.memories().unwrap(),
        daemon.state.memories().unwrap()
    );
    assert_eq!(
        jobs.state.progress().unwrap(),
        daemon.state.progress().unwrap()
    );
    assert_eq!(jobs.desired("web"), daemon.desired("web"));
    // Only every third tick is the slow group's.
    let visits = reports
        .iter()
        .filter(|r| {
            r.groups
                .iter()
                .any(|g| g.group == GroupAddress::new("slow"))
        })
        .count();
    assert_eq!(visits, 7);
}

#[tokio::test]
async fn only_one_holds_the_lease_and_the_other_leaves_without_harm() {
    let mut stage = Stage::new("360", &[(web(), 4)]);
    let mut other = stage.other_state();
    let now = Timestamp::now();
    let lease = other
        .acquire_lease(&holder("first"), now, Duration::from_secs(60))
        .unwrap();
    let options = stage.once();
    let error = stage.run(options).await.unwrap_err();
    let ReconcileError::LeaseHeld { holder } = &error else {
        panic!("{error:?}")
    };
    assert_eq!(holder, "`tideform first` (process 1 on test)");
    assert_eq!(stage.desired("web"), 4);
    assert_eq!(stage.told(), [] as [&str; 0]);
    other.release_lease(&lease).unwrap();
    stage.tick().await;
    assert_eq!(stage.desired("web"), 6);
    assert_eq!(stage.state.lease().unwrap(), None, "given back");
}

#[tokio::test]
async fn a_call_without_an_answer_that_worked_is_found_done() {
    let slow = group("web", |g| {
        g["policy"]["scale_out"]["cooldown_s"] = json!(300)
    });
    let mut stage = Stage::new("(t < 330) ? 360 : 900", &[(slow, 4)]);
    stage
        .admin
        .add_fault(fault(FaultKind::TimeoutAfter, Call::SetDesired, 1))
        .unwrap();
    let began = stage.admin.now().unwrap();
    assert_eq!(told(&of(&stage.tick().await, "web").result), "unknown");
    assert_eq!(stage.state.open_intents().unwrap().len(), 1);
    assert_eq!(stage.told(), [] as [&str; 0], "not known yet");
    stage.pass(60);
    let report = stage.tick().await;
    assert_eq!(stage.told(), ["scaled: desired 4 -> 6: found done"]);
    stage.assert_settled();
    // The cooldown runs from the intent's time, not from when it was settled.
    assert_eq!(told(&of(&report, "web").result), "held");
    assert_eq!(
        stage.memory("web").actions.first().map(|action| action.at),
        Some(began)
    );
    stage.pass(240);
    assert_eq!(told(&of(&stage.tick().await, "web").result), "6 -> 10");
}

#[tokio::test]
async fn a_call_without_an_answer_that_did_not_work_is_waited_out_and_not_done() {
    let mut stage = Stage::new("360", &[(web(), 4)]);
    stage
        .admin
        .add_fault(fault(FaultKind::TimeoutBefore, Call::SetDesired, 1))
        .unwrap();
    let began = stage.admin.now().unwrap();
    assert_eq!(told(&of(&stage.tick().await, "web").result), "unknown");
    stage.pass(10);
    // Ten seconds later the call may still be under way: the run waits until it cannot be, and then decides afresh.
    let options = stage.once();
    let (_, reports) = stage.run(options).await.unwrap();
    let results: Vec<_> = reports
        .iter()
        .map(|report| told(&of(report, "web").result))
        .collect();
    assert_eq!(results, ["deferred", "4 -> 6"]);
    assert_eq!(reports[1].at, began + Duration::from_secs(30));
    assert_eq!(
        stage.told(),
        [
            "scaled: desired 4 -> 6: the call had no effect",
            "scaled: desired 4 -> 6"
        ]
    );
    assert_eq!(
        stage.memory("web").actions.len(),
        1,
        "what was not done starts no cooldown"
    );
    stage.assert_settled();
}

#[tokio::test]
async fn an_intent_that_somebody_else_overtook_is_superseded() {
    let mut stage = Stage::new("360", &[(web(), 4)]);
    stage
        .admin
        .add_fault(fault(FaultKind::TimeoutAfter, Call::SetDesired, 1))
        .unwrap();
    stage.tick().await;
    stage.admin.set_desired("web", 9).unwrap();
    stage.pass(60);
    stage.tick().await;
    assert_eq!(
        stage.told()[0],
        "scaled: desired 4 -> 6: superseded, desired is 9 now"
    );
    assert_eq!(
        stage.memory("web").actions[0].to.get(),
        6,
        "it counts as an action"
    );
    stage.assert_settled();
}

#[tokio::test]
async fn a_throttled_call_is_repeated_and_a_hopeless_one_starts_no_cooldown() {
    let mut stage = Stage::new("360", &[(web(), 4)]);
    stage
        .admin
        .add_fault(fault(FaultKind::Throttle, Call::SetDesired, 2))
        .unwrap();
    assert_eq!(told(&of(&stage.tick().await, "web").result), "4 -> 6");
    stage.assert_settled();

    let mut stage = Stage::new("360", &[(web(), 4), (group("other", |_| {}), 4)]);
    let strike = ScriptedFault {
        group: Some("web".to_owned()),
        ..fault(FaultKind::Throttle, Call::SetDesired, 9)
    };
    stage.admin.add_fault(strike).unwrap();
    let mut visits = Vec::new();
    for _ in 0..9 {
        let report = stage.tick().await;
        visits.push(
            report
                .groups
                .iter()
                .any(|g| g.group == GroupAddress::new("web")),
        );
        stage.pass(60);
    }
    // Three failing visits, then pauses of one, two and four periods; the other group is visited all the time.
    assert_eq!(
        visits,
        [true, true, false, true, false, false, false, true, true]
    );
    assert_eq!(stage.desired("other"), 6);
    assert_eq!(stage.desired("web"), 6);
    let failed: Vec<_> = stage
        .told()
        .into_iter()
        .filter(|t| t.contains("failed:"))
        .collect();
    assert_eq!(failed.len(), 3, "{failed:?}");
    assert_eq!(stage.memory("web").actions.len(), 1);
    stage.assert_settled();
}

#[tokio::test]
async fn a_group_that_is_gone_is_said_once_and_the_others_go_on() {
    let mut stage = Stage::new("360", &[(web(), 4), (group("other", |_| {}), 4)]);
    stage.admin.delete_group("web").unwrap();
    for _ in 0..4 {
        stage.tick().await;
        stage.pass(60);
    }
    assert_eq!(stage.desired("other"), 6);
    let about_web: Vec<_> = stage
        .events()
        .into_iter()
        .filter(|e| e.group == Some(GroupAddress::new("web")))
        .map(|e| format!("{}: {}", e.kind, e.text))
        .collect();
    assert_eq!(
        about_web,
        ["provider_failed: the resource does not exist (failed 1 times in a row; next try in 1m)"]
    );
    stage.create(&web(), 4);
    stage.pass(900);
    stage.tick().await;
    assert!(
        stage
            .told()
            .iter()
            .any(|t| t == "provider_recovered: the resource is there again"),
        "{:?}",
        stage.told()
    );
}

#[tokio::test]
async fn a_dry_run_leaves_no_trace_but_its_decisions() {
    let mut stage = Stage::new("360", &[(web(), 4)]);
    let mut options = stage.once();
    options.is_shadow = true;
    let (_, reports) = stage.run(options).await.unwrap();
    assert_eq!(told(&of(&reports[0], "web").result), "would 4 -> 6");
    assert_eq!(stage.desired("web"), 4);
    assert_eq!(stage.told(), [] as [&str; 0]);
    assert_eq!(stage.state.memories().unwrap(), BTreeMap::new());
    assert_eq!(stage.state.progress().unwrap(), BTreeMap::new());
    assert!(stage.state.open_intents().unwrap().is_empty());
    let web = GroupAddress::new("web");
    let decision = stage
        .state
        .decision_at(&web, Timestamp::MAX)
        .unwrap()
        .unwrap();
    assert!(decision.shadow && decision.changed);
    assert!(
        stage.state.last_decisions().unwrap().is_empty(),
        "not among the real ones"
    );
    // A shadow runs beside whoever holds the lease.
    let mut other = stage.other_state();
    other
        .acquire_lease(&holder("real"), Timestamp::now(), Duration::from_secs(60))
        .unwrap();
    stage.pass(60);
    let mut options = stage.once();
    options.is_shadow = true;
    stage.run(options).await.unwrap();
}

#[tokio::test]
async fn pause_pin_and_surge_work_between_runs_and_end_by_themselves() {
    let surging = group("web", |g| {
        g["policy"]["surges"] =
            json!([{ "name": "sale", "min": 9, "lead_s": 0, "duration_s": 120 }]);
    });
    let mut stage = Stage::new("240", &[(surging, 4)]);
    let now = stage.admin.now().unwrap();
    let at = |minutes: i64| now + jiff::SignedDuration::from_mins(minutes);
    let web = GroupAddress::new("web");
    let set = |stage: &mut Stage, kind: OverrideKind, from: i64, until: i64| {
        let new = NewOverride {
            group: web.clone(),
            kind,
            from: at(from),
            until: Some(at(until)),
            reason: None,
            by: "alice".to_owned(),
            created_at: at(from),
        };
        stage.state.write(|tx| tx.add_override(&new)).unwrap();
    };
    set(&mut stage, OverrideKind::Pin { capacity: 12 }, 0, 2);
    set(
        &mut stage,
        OverrideKind::Surge {
            name: "sale".into(),
            start: at(3),
        },
        3,
        5,
    );
    let mut desired = Vec::new();
    for minute in 0..10 {
        if minute == 6 {
            set(&mut stage, OverrideKind::Pause, 6, 8);
            stage.admin.set_desired("web", 7).unwrap();
        }
        stage.tick().await;
        desired.push(stage.desired("web"));
        stage.pass(60);
    }
    assert_eq!(desired[..2], [12, 12], "pinned: {desired:?}");
    assert_eq!(desired[3..5], [9, 9], "the surge's floor: {desired:?}");
    assert_eq!(desired[6..8], [7, 7], "paused: {desired:?}");
    assert_eq!(desired[9], 4, "as the metric wants: {desired:?}");
    let ended: Vec<_> = stage
        .told()
        .into_iter()
        .filter(|t| t.starts_with("override_ended"))
        .collect();
    assert_eq!(
        ended,
        [
            "override_ended: pin at 12 ran out",
            "override_ended: surge sale ran out",
            "override_ended: pause ran out"
        ]
    );
}

#[tokio::test]
async fn a_native_group_gets_its_limits_back_after_a_pin_that_an_apply_carried_out() {
    let native = group("web", |g| g["controller"] = json!("native"));
    let mut stage = Stage::new("240", &[(native, 4)]);
    let limits = |stage: &Stage| {
        let web = stage.admin.show_group("web").unwrap().unwrap();
        web.live.attributes.limits
    };
    stage.tick().await;
    stage.pass(1);
    let now = stage.admin.now().unwrap();
    let pin = NewOverride {
        group: GroupAddress::new("web"),
        kind: OverrideKind::Pin { capacity: 6 },
        from: now,
        until: Some(now + jiff::SignedDuration::from_hours(2)),
        reason: None,
        by: "alice".to_owned(),
        created_at: now,
    };
    let pin = stage.state.write(|tx| tx.add_override(&pin)).unwrap();
    stage.pass(1);
    let apply = NewApply {
        at: stage.admin.now().unwrap(),
        actor: "alice".to_owned(),
        digest: String::new(),
        details: json!(null),
    };
    stage
        .state
        .write(|tx| {
            let id = tx.begin_apply(&apply)?;
            tx.finish_apply(id, &ApplyOutcome::Done, apply.at)
        })
        .unwrap();
    let pinned = Limits::new(Capacity(6), Capacity(6)).unwrap();
    stage.admin.set_limits("web", pinned).unwrap();
    stage.pass(1);
    let now = stage.admin.now().unwrap();
    stage
        .state
        .write(|tx| tx.end_override(pin, now, "alice"))
        .unwrap();
    // Long before the group's `every` is over.
    stage.pass(1);
    stage.tick().await;
    let files = Limits::new(Capacity(1), Capacity(20)).unwrap();
    assert_eq!(limits(&stage), files);
    // What is changed by hand from now on is a plan's.
    stage.admin.set_limits("web", pinned).unwrap();
    stage.pass(60);
    stage.tick().await;
    stage.pass(60);
    stage.tick().await;
    stage.admin.set_limits("web", pinned).unwrap();
    stage.pass(60);
    stage.tick().await;
    assert_eq!(limits(&stage), pinned);
}

#[tokio::test]
async fn a_suspended_group_is_held_and_said_once() {
    let mut stage = Stage::new("360", &[(web(), 4)]);
    stage.admin.suspend("web", Process::Launch, true).unwrap();
    for _ in 0..3 {
        let report = stage.tick().await;
        assert!(
            told(&of(&report, "web").result).starts_with("held: "),
            "{:?}",
            of(&report, "web").result
        );
        stage.pass(60);
    }
    assert_eq!(stage.desired("web"), 4);
    assert_eq!(stage.told().len(), 1, "{:?}", stage.told());
    stage.admin.suspend("web", Process::Launch, false).unwrap();
    stage.tick().await;
    assert_eq!(stage.desired("web"), 6);
    assert_eq!(
        stage.told()[1..],
        [
            "scaled: desired 4 -> 6",
            "provider_recovered: no longer held by the provider"
        ]
    );
}

#[tokio::test]
async fn another_states_group_is_not_touched() {
    let mut stage = Stage::new("360", &[(web(), 4)]);
    let owner = Owner {
        workspace: "theirs".to_owned(),
        state: "4567".to_owned(),
        group: "group.x".to_owned(),
    };
    stage
        .admin
        .edit("owner", "web", |group, _| {
            group.owner = Some(owner);
            Ok(())
        })
        .unwrap();
    for _ in 0..3 {
        stage.tick().await;
        stage.pass(60);
    }
    assert_eq!(stage.desired("web"), 4);
    assert_eq!(
        stage.told(),
        ["note: held: it belongs to group.x of workspace `theirs`"]
    );
}

#[tokio::test]
async fn a_metric_that_cannot_be_read_is_no_data_and_is_said_once() {
    let both = group("web", |g| {
        let requests = metric("requests", None);
        g["policy"]["metrics"]
            .as_array_mut()
            .unwrap()
            .push(requests);
    });
    let mut stage = Stage::new("360", &[(both, 4)]);
    stage
        .admin
        .add_fault(fault(FaultKind::Denied, Call::ReadMetrics, 2))
        .unwrap();
    for _ in 0..2 {
        let report = stage.tick().await;
        assert_eq!(told(&of(&report, "web").result), "held");
        stage.pass(60);
    }
    let said = stage.told();
    assert_eq!(said.len(), 2, "once for each metric: {said:?}");
    assert!(
        said[0]
            .starts_with("data_missing: metric `cpu` has no data: `read_metrics` is not allowed"),
        "{said:?}"
    );
    stage.tick().await;
    assert_eq!(stage.desired("web"), 6);
}

#[tokio::test]
async fn an_unhealthy_victim_is_ended_by_its_id_before_the_number_is_set() {
    let mut stage = Stage::new("120", &[(web(), 4)]);
    let sick = stage
        .admin
        .show_group("web")
        .unwrap()
        .unwrap()
        .live
        .instances[1]
        .id
        .clone();
    stage.admin.mark_unhealthy("web", &sick).unwrap();
    let report = stage.tick().await;
    let after = stage.admin.show_group("web").unwrap().unwrap().live;
    let is_gone = after
        .instances
        .iter()
        .all(|i| i.id != sick || i.state == InstanceState::Draining);
    assert!(is_gone, "{:?}", after.instances);
    let events = stage.told();
    assert_eq!(
        events[0],
        format!("instance_terminated: terminate {sick}"),
        "{events:?}"
    );
    assert_eq!(stage.desired("web"), of(&report, "web").desired);
    assert_eq!(events.len(), 2, "{events:?}");
    stage.assert_settled();
}

#[tokio::test]
async fn what_a_tick_saw_is_recorded_with_it() {
    let both = group("web", |g| {
        g["policy"]["metrics"]
            .as_array_mut()
            .unwrap()
            .push(metric("requests", None));
        g["policy"]["instance"] = json!({ "price_usd_per_hour": 0.5 });
    });
    let mut stage = Stage::new("240", &[(both, 4)]);
    for _ in 0..3 {
        stage.tick().await;
        stage.pass(60);
    }
    let web = GroupAddress::new("web");
    let runs = stage
        .state
        .capacity_runs(&web, Timestamp::MIN, Timestamp::MAX)
        .unwrap();
    assert_eq!(runs.len(), 1, "three equal samples are one run: {runs:?}");
    assert_eq!(
        (
            runs[0].sample.on_demand,
            runs[0].sample.spot,
            runs[0].sample.ready
        ),
        (4, 0, 4)
    );
    assert_eq!(runs[0].sample.on_demand_usd_per_hour, Some(0.5));
    let requests = stage
        .state
        .metric_samples(&web, "requests", Timestamp::MIN, Timestamp::MAX)
        .unwrap();
    assert!(
        requests.len() >= 3 && requests.iter().all(|sample| sample.value == 240.0),
        "{requests:?}"
    );
    assert!(stage.state.last_decisions().unwrap().contains_key(&web));
}

/// A machine clock that others act by while somebody waits.
#[derive(Clone)]
struct BusyClock {
    now: Arc<Mutex<Timestamp>>,
    others: Arc<Mutex<dyn FnMut(Timestamp) + Send>>,
}

#[async_trait]
impl Clock for BusyClock {
    fn now(&self) -> Timestamp {
        *self.now.lock().unwrap()
    }

    async fn wait(&self, duration: Duration) {
        let now = {
            let mut now = self.now.lock().unwrap();
            *now += duration;
            *now
        };
        (self.others.lock().unwrap())(now);
    }

    fn is_stepped(&self) -> bool {
        true
    }
}

struct Asker {
    state: State,
    clock: BusyClock,
    ticks: usize,
}

#[async_trait]
impl Watcher for Asker {
    fn tick(&mut self, _: &TickReport) {
        self.ticks += 1;
        if self.ticks == 2 {
            let now = self.clock.now();
            self.state
                .request_lease(&holder("apply"), now, Duration::from_secs(5))
                .unwrap();
        }
    }
}

#[tokio::test]
async fn a_daemon_lets_an_apply_in_between_its_ticks_and_goes_on_after_it() {
    let mut stage = Stage::new("240", &[(web(), 4)]);
    let mut applying = stage.other_state();
    let got_in = Arc::new(Mutex::new(Vec::new()));
    let log = Arc::clone(&got_in);
    let mut lease = None;
    let others = move |now: Timestamp| match lease.take() {
        // The daemon waits for the lease: the apply takes it, and gives it back the next time.
        None if log.lock().unwrap().is_empty() => {
            lease = applying
                .acquire_lease(&holder("apply"), now, Duration::from_secs(60))
                .ok();
            log.lock().unwrap().push("in");
        }
        None => {}
        Some(held) => {
            applying.release_lease(&held).unwrap();
            log.lock().unwrap().push("out");
        }
    };
    let clock = BusyClock {
        now: Arc::new(Mutex::new("2026-01-01T00:00:00Z".parse().unwrap())),
        others: Arc::new(Mutex::new(others)),
    };
    let mut watcher = Asker {
        state: stage.other_state(),
        clock: clock.clone(),
        ticks: 0,
    };
    let options = Options {
        stop_after_ticks: Some(4),
        machine_clock: Arc::new(clock),
        ..Options::every(Duration::from_secs(60), holder("daemon"), stage.source())
    };
    let (_, stop) = stop_pair();
    let finished = run_loop(&mut stage.state, options, stop, &mut watcher)
        .await
        .unwrap();
    assert_eq!(finished.ticks, 4);
    assert_eq!(*got_in.lock().unwrap(), ["in", "out"]);
}

struct Stopper(tideform::reconcile::StopHandle);

#[async_trait]
impl Watcher for Stopper {
    fn tick(&mut self, _: &TickReport) {
        self.0.ask();
    }
}

#[tokio::test]
async fn a_daemon_that_is_asked_to_stop_leaves_and_gives_back_the_lease() {
    let mut stage = Stage::new("360", &[(web(), 4)]);
    let (handle, stop) = stop_pair();
    let options = Options::every(Duration::from_secs(60), holder("daemon"), stage.source());
    let finished = run_loop(&mut stage.state, options, stop, &mut Stopper(handle))
        .await
        .unwrap();
    assert!(finished.was_asked);
    assert_eq!(finished.ticks, 1);
    assert_eq!(stage.desired("web"), 6, "what was in hand was finished");
    assert_eq!(stage.state.lease().unwrap(), None);
    stage.assert_settled();
}

#[tokio::test]
async fn what_was_applied_between_two_ticks_is_what_the_next_one_runs() {
    let mut stage = Stage::new("360", &[(web(), 4)]);
    stage.tick().await;
    assert_eq!(stage.desired("web"), 6);
    let capped = group("web", |g| {
        g["policy"]["limits"] = json!({ "min": 1, "max": 5 })
    });
    stage.apply(&[capped]);
    stage.pass(60);
    stage.tick().await;
    assert_eq!(stage.desired("web"), 5);
    assert!(matches!(stage.once().pace, Pace::Once));
}

#[tokio::test]
async fn failed_spot_launches_move_the_mix_to_on_demand_for_a_while_and_back() {
    let mixed = group("web", |g| {
        g["policy"]["mix"] = json!({
            "on_demand_base": 1, "spot": 0.5, "types": [{ "name": "m5.large" }],
            "fallback": { "after": 2, "duration_s": 600 },
        });
    });
    let mut settings = loop_support::world_settings("(t < 330) ? 240 : 480");
    settings.insert(
        "fault".to_owned(),
        json!({ "no_capacity": { "lifecycle": "spot", "from": "5m", "until": "12m" } }),
    );
    let mut stage = Stage::with(settings, &[(mixed, 4)], |provider| provider);
    let mix = LiveMix {
        on_demand_base: 1,
        spot: Share(0.5),
        types: vec![InstanceType {
            name: "m5.large".to_owned(),
            weight: None,
        }],
        allocation: None,
        rebalance: None,
    };
    stage.admin.set_mix("web", Some(mix)).unwrap();
    let spot = |stage: &Stage| {
        let live = stage.admin.show_group("web").unwrap().unwrap().live;
        live.attributes.mix.map(|mix| mix.spot.percent())
    };
    let mut seen = Vec::new();
    for _ in 0..25 {
        stage.tick().await;
        seen.push(spot(&stage));
        stage.pass(60);
    }
    seen.dedup();
    assert_eq!(
        seen,
        [Some(50.0), Some(0.0), Some(50.0)],
        "{:?}",
        stage.told()
    );
    let told = stage.told();
    for start in [
        "launch_failed:",
        "fallback_started:",
        "change_applied: spot share 0%",
        "fallback_ended:",
    ] {
        assert!(
            told.iter().any(|t| t.starts_with(start)),
            "{start} in {told:?}"
        );
    }
    stage.assert_settled();
}

#[tokio::test]
async fn a_native_control_of_ours_is_taken_away_by_the_first_run_that_holds_the_group() {
    let mut stage = Stage::new("240", &[(web(), 4)]);
    for name in ["tideform/test/web/cpu", "cpu-60"] {
        let control = Control {
            name: name.to_owned(),
            kind: ControlKind::Dynamic,
            enabled: true,
            summary: "target tracking".to_owned(),
            settings: Default::default(),
            writes: Default::default(),
            beyond: None,
        };
        stage.admin.put_control("web", control).unwrap();
    }
    stage.tick().await;
    let left = stage
        .admin
        .show_group("web")
        .unwrap()
        .unwrap()
        .live
        .controls;
    let left: Vec<_> = left.iter().map(|control| &*control.name).collect();
    assert_eq!(left, ["cpu-60"]);
    assert!(
        stage.told()[0].starts_with("change_applied:"),
        "{:?}",
        stage.told()
    );
    stage.assert_settled();
}

#[tokio::test]
async fn a_budgets_alerts_come_once_and_in_daemons_as_in_jobs() {
    let dear = |g: &mut serde_json::Value| {
        g["policy"]["instance"] = json!({ "price_usd_per_hour": 30.0 });
        g["policy"]["budget"] =
            json!({ "monthly_usd": 40.0, "alert": [50.0, 80.0], "on_exceed": "warn" });
    };
    // Four instances at 30 USD an hour are 2 USD a minute: half of the budget after ten minutes.
    let mut jobs = Stage::new("240", &[(group("web", dear), 4)]);
    for _ in 0..20 {
        jobs.tick().await;
        jobs.pass(60);
    }
    let alerts: Vec<_> = jobs
        .told()
        .into_iter()
        .filter(|t| t.starts_with("budget_alert"))
        .collect();
    assert_eq!(
        alerts,
        [
            "budget_alert: 50 % of the month's budget is used: 20.00 of 40.00 USD",
            "budget_alert: 80 % of the month's budget is used: 32.00 of 40.00 USD",
        ]
    );
    let mut daemon = Stage::new("240", &[(group("web", dear), 4)]);
    let options = Options {
        stop_after_ticks: Some(20),
        ..Options::every(Duration::from_secs(60), holder("daemon"), daemon.source())
    };
    daemon.run(options).await.unwrap();
    assert_eq!(daemon.told(), jobs.told());
}

#[tokio::test]
async fn a_pin_of_later_does_not_hold_yet() {
    let mut stage = Stage::new("240", &[(web(), 4)]);
    let now = stage.admin.now().unwrap();
    let new = NewOverride {
        group: GroupAddress::new("web"),
        kind: OverrideKind::Pin { capacity: 12 },
        from: now + Duration::from_secs(60),
        until: Some(now + Duration::from_secs(180)),
        reason: None,
        by: "alice".to_owned(),
        created_at: now,
    };
    stage.state.write(|tx| tx.add_override(&new)).unwrap();
    let mut desired = Vec::new();
    for _ in 0..2 {
        stage.tick().await;
        desired.push(stage.desired("web"));
        stage.pass(60);
    }
    assert_eq!(desired, [4, 12]);
}

#[tokio::test]
async fn the_first_tick_of_a_day_rolls_up_what_is_old() {
    let mut stage = Stage::new("240", &[(web(), 4)]);
    let web = GroupAddress::new("web");
    let raw = |stage: &Stage| {
        let samples = stage
            .state
            .metric_samples(&web, "cpu", Timestamp::MIN, Timestamp::MAX)
            .unwrap();
        samples
            .iter()
            .filter(|sample| sample.rolled_up.is_none())
            .count()
    };
    stage.tick().await;
    let first = raw(&stage);
    assert!(first > 0);
    stage.pass(15 * 86_400);
    stage.tick().await;
    let samples = stage
        .state
        .metric_samples(&web, "cpu", Timestamp::MIN, Timestamp::MAX)
        .unwrap();
    assert!(
        samples.iter().any(|sample| sample.rolled_up.is_some()),
        "{samples:?}"
    );
    assert!(
        raw(&stage) <= 4,
        "only those of today are as they were read"
    );
}
