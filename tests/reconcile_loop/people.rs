//! What people ask for between runs: pause, pin, surge.

use super::*;

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
