//! What is carried out, and what one failure leaves of the rest.

use super::*;

#[tokio::test]
async fn what_is_created_plans_to_no_changes() {
    let mut world = world();
    let plan = world.plan([launched("web"), launched("api")]).await;
    assert_eq!(
        plan.summary_line(),
        "Plan: 2 to add, 0 to change, 0 to remove."
    );
    let report = world.carry(&plan).await.unwrap();
    assert_eq!(
        report.summary_line(),
        "Apply complete: 2 added, 0 changed, 0 removed."
    );
    assert_eq!(world.group("web").unwrap().live.desired, 2);

    let again = world.plan([launched("web"), launched("api")]).await;
    assert_eq!(changes(&again), Vec::<String>::new());
    assert_eq!(again.summary_line(), "No changes.");
    assert!(!again.has_drift());
    let applied = world.state.applied_groups().unwrap();
    assert!(
        applied
            .values()
            .all(|group| group.ownership == Ownership::Created)
    );
}

#[tokio::test]
async fn a_policy_change_touches_only_the_state() {
    let mut world = world();
    world.apply([launched("web")]).await;
    let mut other = launched("web");
    other.policy.metrics[0].rule = Some(fixtures::track(55.0));
    let plan = world.plan([other.clone()]).await;
    assert_eq!(changes(&plan), ["~ metric.cpu.track.target 60 -> 55"]);
    assert!(plan.groups[0].steps.is_empty());
    assert_eq!(plan.groups[0].changes[0].target, Target::Policy);
    world.carry(&plan).await.unwrap();
    let web = GroupAddress::new("web");
    let applied = world.state.applied_group(&web).unwrap().unwrap();
    assert_eq!(applied.group, other);
    assert!(!world.plan([other]).await.has_changes());
}

#[tokio::test]
async fn a_resource_that_is_not_there_is_an_error_without_launch() {
    let world = world();
    let plan = world.plan([plain("web")]).await;
    assert!(said(&plan)[0].starts_with("P0601"), "{:?}", said(&plan));
    assert!(!plan.has_changes());
}

#[tokio::test]
async fn one_groups_failure_does_not_stop_the_others() {
    let mut world = world();
    world.apply([launched("web"), launched("api")]).await;
    let (mut web, mut api) = (launched("web"), launched("api"));
    limits(&mut web, 3, 20);
    limits(&mut api, 3, 20);
    let plan = world.plan([web.clone(), api.clone()]).await;
    world
        .admin
        .add_fault(fault(FaultKind::Throttle, Some("web"), 100))
        .unwrap();
    let report = world.carry(&plan).await.unwrap();
    assert_eq!(report.done.len(), 1);
    assert_eq!(report.failed[0].address, GroupAddress::new("web"));
    world.admin.clear_faults().unwrap();
    let plan = world.plan([web.clone(), api.clone()]).await;
    assert_eq!(
        changes(&plan),
        [
            "~ limits.min 2 -> 3",
            "~ limits.max 10 -> 20",
            "~ desired 2 -> 3"
        ]
    );
    world.carry(&plan).await.unwrap();
    assert!(!world.plan([web, api]).await.has_changes());
}

#[tokio::test]
async fn a_group_that_cannot_be_read_fails_alone() {
    let mut world = world();
    world.apply([launched("web"), launched("api")]).await;
    let (mut web, mut api) = (launched("web"), launched("api"));
    limits(&mut web, 3, 20);
    limits(&mut api, 3, 20);
    let mut plan = world.plan([web, api]).await;
    for group in &mut plan.groups {
        if &*group.address.name == "web" {
            // As the plan has a group whose read failed.
            group.failure = Some("not allowed".into());
            group.action = Action::NoOp;
            group.steps.clear();
            group.changes.clear();
            group.record = Record::Keep;
        }
    }
    let report = world.carry(&plan).await.unwrap();
    assert_eq!(report.done.len(), 1);
    assert_eq!(report.failed[0].address, GroupAddress::new("web"));
}

#[tokio::test]
async fn group_plans_only_what_it_names_and_leaves_the_rest() {
    let mut world = world();
    world.apply([launched("web"), launched("api")]).await;
    let options = PlanOptions {
        only: vec![GroupPattern::new("web")],
        ..PlanOptions::new("shop")
    };
    let configuration = configuration(&world, [launched("web"), launched("new")]);
    let plan = world.plan_with(&configuration, &options).await;
    assert_eq!(plan.groups.len(), 1);
    assert!(!plan.has_changes());
    let options = PlanOptions {
        only: vec![GroupPattern::new("wbe")],
        ..PlanOptions::new("shop")
    };
    let known = Known::read(&world.state, START.parse().unwrap()).unwrap();
    let error = make(&configuration, Some(&known), &world.providers, &options)
        .await
        .unwrap_err();
    assert_eq!(
        error.to_string(),
        "no group matches `wbe`; did you mean `web`?"
    );
}

#[tokio::test]
async fn a_plan_shows_the_next_decision_with_its_reasons() {
    let mut world = world();
    world.apply([launched("web")]).await;
    world.admin.advance(Duration::from_secs(600)).unwrap();
    let plan = world.plan([launched("web")]).await;
    let decision = plan.groups[0].decision.as_ref().unwrap();
    assert_eq!(decision.current, 2);
    assert!(!decision.reasons.is_empty());
}

#[tokio::test]
async fn a_changed_provider_setting_is_a_change() {
    let mut world = world();
    world.apply([launched("web")]).await;
    let mut configuration = configuration(&world, [launched("web")]);
    configuration.providers[0]
        .settings
        .insert("region".into(), "here".into());
    let plan = world
        .plan_with(&configuration, &PlanOptions::new("shop"))
        .await;
    assert_eq!(
        plan.summary_line(),
        "Plan: 0 to add, 1 to change, 0 to remove."
    );
    world.carry(&plan).await.unwrap();
    let applied = world.state.applied_providers().unwrap();
    assert_eq!(applied[0].settings["region"], "here");
}

#[tokio::test]
async fn a_policy_is_not_changed_where_the_resource_cannot_be_read() {
    let mut world = world();
    world.apply([launched("web")]).await;
    let mut other = launched("web");
    other.policy.metrics[0].rule = Some(fixtures::track(55.0));
    let plan = world.plan([other]).await;
    world
        .admin
        .add_fault(ScriptedFault {
            call: Some(Call::ReadGroups),
            ..fault(FaultKind::Denied, None, 1)
        })
        .unwrap();
    let report = world.carry(&plan).await.unwrap();
    assert!(report.done.is_empty(), "{report:?}");
    assert!(report.failed[0].message.contains("cannot be read"));
}

#[tokio::test]
async fn a_launch_attribute_taken_out_of_the_files_leaves_the_cloud() {
    let with = |attributes: &[(&str, Json)]| {
        let mut group = launched("web");
        if let Some(launch) = &mut group.launch {
            let attributes = attributes.iter().map(|(k, v)| ((*k).into(), v.clone()));
            launch.attributes = attributes.collect();
        }
        group
    };
    let mut world = world();
    world
        .apply([with(&[("throughput", json!(12)), ("boot", json!("90s"))])])
        .await;
    let plan = world.plan([with(&[("boot", json!("90s"))])]).await;
    assert_eq!(changes(&plan), ["- launch.throughput 12 -> null"]);
    assert_eq!(plan.groups[0].changes[0].target, Target::Cloud);
    world.carry(&plan).await.unwrap();
    let left = world.group("web").unwrap().live.attributes.launch;
    assert_eq!(left.keys().collect::<Vec<_>>(), ["boot"]);
    assert!(
        !world
            .plan([with(&[("boot", json!("90s"))])])
            .await
            .has_changes()
    );
    // Without the block nothing of it is ours any more.
    let plan = world.plan([plain("web")]).await;
    let said: Vec<_> = plan.groups[0]
        .changes
        .iter()
        .map(|c| c.reason.as_deref())
        .collect();
    assert_eq!(said, [Some("stays as it is in the cloud"); 2]);
}
