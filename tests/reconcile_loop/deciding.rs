//! What the loop decides from what it sees, run by run.

use super::*;

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
