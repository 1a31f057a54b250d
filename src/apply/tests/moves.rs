//! Groups that leave the files, or take another name or resource.

use super::*;

#[tokio::test]
async fn a_group_taken_out_keeps_its_resource_and_loses_the_tag() {
    let mut world = world();
    // Made by somebody else, and then managed.
    world.apply([launched("web")]).await;
    world
        .admin
        .edit("edit", "web", |group, _| {
            group.owner = None;
            Ok(())
        })
        .unwrap();
    let mut state = State::in_memory(&NewState {
        workspace: "shop".into(),
        lineage: "s1".into(),
        created_at: START.parse().unwrap(),
    })
    .unwrap();
    world.lease = HeldLease::take(&mut state, &world.lease.lease().holder.clone()).unwrap();
    world.state = state;
    let plan = world.plan([plain("web")]).await;
    assert_eq!(plan.groups[0].action, Action::Adopt);
    world.carry(&plan).await.unwrap();
    assert!(world.group("web").unwrap().live.owner.is_some());

    let plan = world.plan([]).await;
    assert_eq!(
        plan.summary_line(),
        "Plan: 0 to add, 0 to change, 1 to remove."
    );
    assert_eq!(plan.groups[0].action, Action::Release);
    world.carry(&plan).await.unwrap();
    let view = world.group("web").unwrap();
    assert_eq!((view.live.owner, view.live.desired), (None, 2));
    assert!(world.state.applied_groups().unwrap().is_empty());
}

#[tokio::test]
async fn a_group_that_tideform_created_is_destroyed_when_taken_out_or_by_destroy() {
    let mut world = world();
    world.apply([launched("web"), launched("api")]).await;
    let plan = world.plan([launched("api")]).await;
    assert_eq!(plan.groups[1].action, Action::Destroy);
    world.carry(&plan).await.unwrap();
    assert!(world.group("web").is_none());
    let options = PlanOptions {
        mode: Mode::Destroy,
        ..PlanOptions::new("shop")
    };
    let configuration = configuration(&world, [launched("api")]);
    let plan = world.plan_with(&configuration, &options).await;
    world.carry(&plan).await.unwrap();
    assert!(world.group("api").is_none());
    assert!(world.state.applied_groups().unwrap().is_empty());
}

#[tokio::test]
async fn a_removed_block_forgets_without_touching() {
    let mut world = world();
    world.apply([launched("web")]).await;
    let mut configuration = configuration(&world, []);
    configuration.removed.push(GroupAddress::new("web"));
    let plan = world
        .plan_with(&configuration, &PlanOptions::new("shop"))
        .await;
    assert_eq!(plan.groups[0].action, Action::Forget);
    world.carry(&plan).await.unwrap();
    assert!(world.group("web").is_some());
    assert!(world.state.applied_groups().unwrap().is_empty());
}

#[tokio::test]
async fn a_moved_block_keeps_history_and_retags() {
    let mut world = world();
    world.apply([launched("web")]).await;
    let mut group = launched("web");
    group.address = GroupAddress::new("shop");
    let mut configuration = configuration(&world, [group.clone()]);
    configuration.moved.push(Moved {
        from: GroupAddress::new("web"),
        to: GroupAddress::new("shop"),
    });
    let plan = world
        .plan_with(&configuration, &PlanOptions::new("shop"))
        .await;
    assert_eq!(
        plan.summary_line(),
        "Plan: 0 to add, 1 to change, 0 to remove."
    );
    world.carry(&plan).await.unwrap();
    let owner = world.group("web").unwrap().live.owner.unwrap();
    assert_eq!(owner.group, "group.shop");
    let again = world
        .plan_with(&configuration, &PlanOptions::new("shop"))
        .await;
    assert_eq!(changes(&again), Vec::<String>::new());
    let filter = EventFilter {
        group: Some(GroupAddress::new("shop")),
        ..EventFilter::default()
    };
    assert!(world.state.events(&filter).unwrap().len() >= 2);
}

#[tokio::test]
async fn a_renamed_group_without_moved_does_not_lose_its_resource() {
    let mut world = world();
    world.apply([launched("web")]).await;
    let mut group = launched("web");
    group.address = GroupAddress::new("shop");
    world.apply([group.clone()]).await;
    assert!(world.group("web").is_some());
    let applied = world.state.applied_groups().unwrap();
    let shop = &applied[&GroupAddress::new("shop")];
    assert_eq!((applied.len(), shop.ownership), (1, Ownership::Created));
    assert!(!world.plan([group]).await.has_changes());
}

#[tokio::test]
async fn a_group_stays_until_its_heir_is_recorded() {
    let mut world = world();
    world.apply([launched("web")]).await;
    let plan = world.plan([renamed()]).await;
    world
        .admin
        .add_fault(fault(FaultKind::Denied, Some("web"), 1))
        .unwrap();
    let report = world.carry(&plan).await.unwrap();
    assert_eq!(report.failed.len(), 2, "{report:?}");
    let web = GroupAddress::new("web");
    assert!(world.state.applied_group(&web).unwrap().is_some());
    // Who created the resource is still known.
    world.apply([renamed()]).await;
    let applied = world.state.applied_groups().unwrap();
    let shop = &applied[&GroupAddress::new("shop")];
    assert_eq!((applied.len(), shop.ownership), (1, Ownership::Created));
    assert_eq!(world.plan([]).await.groups[0].action, Action::Destroy);
}

#[tokio::test]
async fn group_plans_a_group_and_its_heir_together_or_neither() {
    let mut world = world();
    world.apply([launched("web")]).await;
    let configuration = configuration(&world, [renamed()]);
    let only = |name: &str| PlanOptions {
        only: vec![GroupPattern::new(name)],
        ..PlanOptions::new("shop")
    };
    let plan = world.plan_with(&configuration, &only("web")).await;
    assert!(!plan.has_changes());
    let plan = world.plan_with(&configuration, &only("shop")).await;
    let actions: Vec<Action> = plan.groups.iter().map(|group| group.action).collect();
    assert_eq!(actions, [Action::Adopt, Action::Forget]);
}

#[tokio::test]
async fn a_move_whose_tag_is_written_already_has_no_line_of_its_own() {
    let mut world = world();
    world.apply([launched("web")]).await;
    set_owner_group(&world, "web", "group.shop");
    let configuration = moved_configuration(&world, renamed());
    let plan = world
        .plan_with(&configuration, &PlanOptions::new("shop"))
        .await;
    assert_eq!(changes(&plan), Vec::<String>::new());
    assert_eq!(plan.groups[0].action, Action::Move);
}

#[tokio::test]
async fn a_chain_of_moves_leads_to_its_end_from_wherever_the_state_is() {
    for at in ["first", "web"] {
        let mut world = world();
        let mut group = launched("web");
        group.address = GroupAddress::new(at);
        world.apply([group]).await;
        let mut configuration = moved_configuration(&world, renamed());
        configuration.moved.insert(
            0,
            Moved {
                from: GroupAddress::new("first"),
                to: GroupAddress::new("web"),
            },
        );
        let options = PlanOptions::new("shop");
        let plan = world.plan_with(&configuration, &options).await;
        assert_eq!(plan.groups.len(), 1);
        assert_eq!(plan.groups[0].moved_from, Some(GroupAddress::new(at)));
        world.carry(&plan).await.unwrap();
        assert!(
            !world
                .plan_with(&configuration, &options)
                .await
                .has_changes()
        );
        let addresses = world.state.applied_addresses().unwrap();
        assert_eq!(addresses, [GroupAddress::new("shop")]);
    }
}
