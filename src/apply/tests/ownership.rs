//! Whose a resource is, and what is never touched.

use super::*;

#[tokio::test]
async fn another_states_tag_is_refused_without_take_over() {
    let mut world = world();
    world.apply([launched("web")]).await;
    world
        .admin
        .edit("edit", "web", |group, _| {
            if let Some(owner) = &mut group.owner {
                owner.state = "s2".into();
            }
            Ok(())
        })
        .unwrap();
    let plan = world.plan([launched("web")]).await;
    assert!(said(&plan)[0].starts_with("P0604"), "{:?}", said(&plan));
    let report = world.carry(&plan).await.unwrap();
    assert!(
        report.done.is_empty() && report.failed.len() == 1,
        "{report:?}"
    );
    assert_eq!(world.group("web").unwrap().live.owner.unwrap().state, "s2");
    let options = PlanOptions {
        take_over: true,
        ..PlanOptions::new("shop")
    };
    let configuration = configuration(&world, [launched("web")]);
    let plan = world.plan_with(&configuration, &options).await;
    assert_eq!(said(&plan), Vec::<String>::new());
    assert_eq!(plan.groups[0].changes[0].action, ChangeAction::Adopt);
    world.carry(&plan).await.unwrap();
    assert_eq!(world.group("web").unwrap().live.owner.unwrap().state, "s1");
}

#[tokio::test]
async fn tags_without_a_state_refuse_the_apply() {
    let mut world = world();
    world.apply([launched("web")]).await;
    let mut state = State::in_memory(&NewState {
        workspace: "shop".into(),
        lineage: "s9".into(),
        created_at: START.parse().unwrap(),
    })
    .unwrap();
    world.lease = HeldLease::take(&mut state, &world.lease.lease().holder.clone()).unwrap();
    world.state = state;
    let plan = world.plan([launched("api")]).await;
    assert_eq!(plan.lost.len(), 1);
    assert!(matches!(
        world.carry(&plan).await,
        Err(ApplyError::StateLost { .. })
    ));
}

fn foreign() -> Control {
    Control {
        name: "cpu-60".into(),
        kind: ControlKind::Dynamic,
        enabled: true,
        summary: "target tracking, cpu at 60".into(),
        settings: Default::default(),
        writes: Default::default(),
        beyond: None,
    }
}

#[tokio::test]
async fn a_foreign_policy_is_an_error_until_it_is_adopted_or_may_coexist() {
    let mut world = world();
    world.apply([launched("web")]).await;
    world.admin.put_control("web", foreign()).unwrap();
    let plan = world.plan([launched("web")]).await;
    assert!(said(&plan)[0].starts_with("P0603"), "{:?}", said(&plan));
    assert_eq!(plan.groups[0].unmanaged.len(), 1);

    let mut coexisting = launched("web");
    coexisting.coexist = true;
    let plan = world.plan([coexisting]).await;
    assert_eq!(said(&plan), Vec::<String>::new());

    let mut adopting = launched("web");
    adopting.adopt = Adopt::Named(vec!["cpu-60".into()]);
    let plan = world.plan([adopting.clone()]).await;
    assert_eq!(
        changes(&plan),
        [
            "<= cpu-60 \"target tracking, cpu at 60\" -> \"adopted\"",
            "~ adopt false -> [\"cpu-60\"]"
        ]
    );
    world.carry(&plan).await.unwrap();
    assert!(!world.plan([adopting]).await.has_changes());
}

#[tokio::test]
async fn a_resource_without_our_tag_is_never_deleted() {
    for owner in [Some("s2"), None] {
        for mode in [Mode::Apply, Mode::Destroy] {
            let mut world = world();
            world.apply([launched("web")]).await;
            set_owner(&world, "web", owner);
            let options = PlanOptions {
                mode,
                ..PlanOptions::new("shop")
            };
            let configuration = configuration(&world, []);
            let plan = world.plan_with(&configuration, &options).await;
            assert_eq!(plan.groups[0].action, Action::Forget, "{owner:?} {mode:?}");
            let why = plan.groups[0].changes[0].reason.clone().unwrap_or_default();
            assert!(why.contains("not touched") && why.contains("tag") == owner.is_none());
            world.carry(&plan).await.unwrap();
            let view = world.group("web").unwrap();
            assert_eq!(view.live.owner.map(|o| o.state).as_deref(), owner);
        }
    }
}

#[tokio::test]
async fn an_old_resource_without_our_tag_is_left_when_the_group_takes_another() {
    for owner in [Some("s2"), None] {
        let mut world = world();
        world.apply([launched("web")]).await;
        set_owner(&world, "web", owner);
        let mut other = launched("web");
        other.resource.name = "web-2".into();
        let plan = world.plan([other]).await;
        assert_eq!(plan.groups[0].action, Action::Replace);
        world.carry(&plan).await.unwrap();
        assert!(world.group("web-2").is_some());
        let left = world.group("web").unwrap().live.owner;
        assert_eq!(left.map(|o| o.state).as_deref(), owner);
    }
}

#[tokio::test]
async fn a_resource_that_was_tagged_anew_is_managed_and_not_destroyed() {
    let mut world = world();
    world.apply([launched("web")]).await;
    set_owner(&world, "web", None);
    world.apply([launched("web")]).await;
    let plan = world.plan([]).await;
    assert_eq!(plan.groups[0].action, Action::Release);
}
