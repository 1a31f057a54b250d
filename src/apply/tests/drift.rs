//! What others changed in the cloud.

use tideform_policies::model::Controller;
use tideform_state::JsonText;

use super::*;
use crate::reconcile::{Moved as LoopMoved, Progress as LoopProgress};

#[tokio::test]
async fn a_change_by_hand_shows_as_drift_and_is_undone() {
    let mut world = world();
    world.apply([launched("web")]).await;
    world
        .admin
        .set_limits("web", Limits::new(Capacity(1), Capacity(50)).unwrap())
        .unwrap();
    let plan = world.plan([launched("web")]).await;
    let drift: Vec<_> = plan.groups[0]
        .drift
        .iter()
        .map(|d| {
            (
                d.path.as_str(),
                d.applied.to_string(),
                d.live.to_string(),
                d.outcome,
            )
        })
        .collect();
    assert_eq!(
        drift,
        [
            ("limits.min", "2".into(), "1".into(), DriftOutcome::Undone),
            ("limits.max", "10".into(), "50".into(), DriftOutcome::Undone),
        ]
    );
    assert_eq!(
        changes(&plan),
        ["~ limits.min 1 -> 2", "~ limits.max 50 -> 10"]
    );
    world.carry(&plan).await.unwrap();
    assert!(!world.plan([launched("web")]).await.has_changes());
    let filter = EventFilter {
        kinds: vec![EventKind::Drift],
        ..EventFilter::default()
    };
    assert_eq!(world.state.events(&filter).unwrap().len(), 1);
}

#[tokio::test]
async fn desired_moved_by_anyone_is_neither_drift_nor_stale() {
    let mut world = world();
    world.apply([launched("web")]).await;
    let mut wider = launched("web");
    limits(&mut wider, 2, 20);
    let plan = world.plan([wider.clone()]).await;
    let saved = save(&plan).unwrap();
    world.admin.set_desired("web", 7).unwrap();
    world.admin.advance(Duration::from_secs(300)).unwrap();
    assert!(!world.plan([launched("web")]).await.has_drift());
    world.carry(&read_saved(&saved).unwrap()).await.unwrap();
    let view = world.group("web").unwrap();
    assert_eq!(view.live.desired, 7);
    assert!(!world.plan([wider]).await.has_changes());
}

#[tokio::test]
async fn drift_of_a_resource_that_the_files_let_go_of_is_kept() {
    let mut world = world();
    world.apply([launched("web")]).await;
    world
        .admin
        .set_limits("web", Limits::new(Capacity(1), Capacity(50)).unwrap())
        .unwrap();
    set_owner(&world, "web", None);
    let plan = world.plan([on_another_resource()]).await;
    let drift: Vec<_> = plan.groups[0]
        .drift
        .iter()
        .map(|d| (d.path.as_str(), d.outcome))
        .collect();
    assert_eq!(
        drift,
        [
            ("limits.min", DriftOutcome::Kept),
            ("limits.max", DriftOutcome::Kept)
        ]
    );
}

#[tokio::test]
async fn what_a_half_failed_replacement_took_away_is_no_drift() {
    let mut world = world();
    world.apply([launched("web")]).await;
    let plan = world.plan([on_another_resource()]).await;
    world
        .admin
        .add_fault(ScriptedFault {
            call: Some(Call::CreateGroup),
            ..fault(FaultKind::Denied, None, 1)
        })
        .unwrap();
    let report = world.carry(&plan).await.unwrap();
    assert_eq!(report.failed.len(), 1, "{report:?}");
    assert!(world.group("web").is_none());
    let plan = world.plan([on_another_resource()]).await;
    assert_eq!(plan.groups[0].drift, []);
    world.carry(&plan).await.unwrap();
    assert!(!world.plan([on_another_resource()]).await.has_changes());
}

#[tokio::test]
async fn nothing_stays_set_aside_of_a_group_that_an_apply_gives_to_the_loop() {
    let mut world = world();
    world.apply([launched("web")]).await;
    let address = GroupAddress::new("web");
    let day = Control {
        name: "day".into(),
        kind: ControlKind::Schedule,
        enabled: true,
        summary: "4 at least from 8".into(),
        settings: Default::default(),
        writes: Default::default(),
        beyond: None,
    };
    let progress = LoopProgress {
        failures: 1,
        moved: LoopMoved {
            limits: true,
            set_aside: vec![day],
            ..LoopMoved::default()
        },
        ..LoopProgress::default()
    };
    let text = JsonText::of(&progress).unwrap();
    let mut applied = world.state.applied_groups().unwrap().remove(&address);
    let applied = applied.as_mut().unwrap();
    applied.group.controller = Controller::Native;
    let apply = NewApply {
        at: START.parse().unwrap(),
        actor: "ann".into(),
        digest: String::new(),
        details: serde_json::Value::Null,
    };
    world
        .state
        .write(|tx| {
            let id = tx.begin_apply(&apply)?;
            tx.record_applied_group(id, applied)?;
            tx.save_progress(&address, &text)?;
            tx.finish_apply(id, &tideform_state::ApplyOutcome::Done, apply.at)
        })
        .unwrap();
    world.apply([launched("web")]).await;
    let left = world.state.progress().unwrap().remove(&address).unwrap();
    let left: LoopProgress = left.read().unwrap();
    assert_eq!(left.moved, LoopMoved::default());
    assert_eq!(left.failures, 1);
}
