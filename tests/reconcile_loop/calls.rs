//! Changes: carried out, lost, throttled, held back.

use super::*;

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
