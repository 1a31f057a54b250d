//! Applies that died, and answers that got lost.

use super::*;

#[tokio::test]
async fn an_answer_that_got_lost_is_read_again() {
    let mut world = world();
    world.apply([launched("web")]).await;
    let mut web = launched("web");
    limits(&mut web, 3, 20);
    let plan = world.plan([web.clone()]).await;
    world
        .admin
        .add_fault(fault(FaultKind::TimeoutAfter, None, 1))
        .unwrap();
    let report = world.carry(&plan).await.unwrap();
    assert!(report.is_complete(), "{report:?}");
    assert!(!world.plan([web]).await.has_changes());
}

/// As an apply leaves the state that dies after it has recorded the intents of `plan`'s first group; the calls that
/// it had still made are the caller's.
fn die_after_the_intent(world: &mut World, plan: &Plan) -> Vec<crate::plan::Step> {
    let lineage = world.state.meta().unwrap().lineage;
    let group = &plan.groups[0];
    let mut steps = group.steps.clone();
    for step in &mut steps {
        step::fill_lineage(step, &lineage);
    }
    let at = world.providers.clock().now();
    let intention = Intention {
        address: group.address.clone(),
        moved_from: group.moved_from.clone(),
        steps: steps.clone(),
        record: group.record.clone(),
        text: "created".into(),
    };
    let providers = world.providers.configurations().to_vec();
    world
        .state
        .write(|tx| {
            let apply = tx.begin_apply(&NewApply {
                at,
                actor: "bob@desk".into(),
                digest: "d1".into(),
                details: Json::Null,
            })?;
            tx.record_applied_providers(apply, &providers)?;
            tx.record_intents(&[NewIntent {
                group: Some(group.moved_from.as_ref().unwrap_or(&group.address).clone()),
                apply: Some(apply),
                kind: IntentKind::ApplyChange {
                    change: serde_json::to_value(&intention).unwrap(),
                },
                actor: "bob@desk".into(),
                from: None,
                to: None,
                at,
                not_after: at,
                reasons: Json::Null,
            }])
        })
        .unwrap();
    steps
}

/// As the loop does.
async fn settle_open(world: &mut World) -> Result<Vec<Leftover>, StateError> {
    let (state, lease) = (&mut world.state, &mut world.lease);
    let mut keep = |state: &mut State| lease.keep(state);
    settle_leftovers(state, &world.providers, &mut keep, "reconcile", false).await
}

async fn create(world: &World, steps: &[crate::plan::Step]) {
    let [crate::plan::Step::Create { spec, provider }] = steps else {
        panic!("not a creation");
    };
    let mock = world.providers.get(provider).unwrap().clone();
    mock.create_group(spec).await.unwrap();
}

#[tokio::test]
async fn an_apply_that_died_is_settled_by_the_next_one() {
    let mut world = world();
    let plan = world.plan([launched("web")]).await;
    let steps = die_after_the_intent(&mut world, &plan);
    create(&world, &steps).await;

    // The plan from before is stale, the next one understands what is there.
    assert!(matches!(
        world.carry(&plan).await,
        Err(ApplyError::Stale(_))
    ));
    let mut wider = launched("web");
    limits(&mut wider, 2, 20);
    let next = world.plan([wider.clone()]).await;
    assert!(!next.has_drift());
    let report = world.carry(&next).await.unwrap();
    assert_eq!(report.settled.len(), 1);
    assert_eq!(report.settled[0].outcome, Outcome::Done);
    assert!(world.state.open_intents().unwrap().is_empty());
    let applied = world.state.applied_groups().unwrap();
    assert_eq!(
        applied[&GroupAddress::new("web")].ownership,
        Ownership::Created
    );
    assert!(!world.plan([wider]).await.has_changes());
}

#[tokio::test]
async fn the_loop_records_what_an_apply_that_died_had_done() {
    let mut world = world();
    let plan = world.plan([launched("web")]).await;
    let steps = die_after_the_intent(&mut world, &plan);
    create(&world, &steps).await;
    let settled = settle_open(&mut world).await.unwrap();
    assert_eq!(settled[0].outcome, Outcome::Done);
    assert!(!world.plan([launched("web")]).await.has_changes());
}

#[tokio::test]
async fn a_call_that_may_still_be_under_way_is_not_called_undone() {
    let mut world = world();
    let plan = world.plan([launched("web")]).await;
    die_after_the_intent(&mut world, &plan);
    let settle = settle_open(&mut world).await;
    assert_eq!(settle.unwrap(), []);
    assert_eq!(world.state.open_intents().unwrap().len(), 1);
    world.admin.advance(Duration::from_secs(60)).unwrap();
    let settle = settle_open(&mut world).await;
    assert_eq!(settle.unwrap()[0].outcome, Outcome::NotDone);
    assert!(world.plan([launched("web")]).await.has_changes());
}

#[tokio::test]
async fn what_a_later_apply_recorded_is_not_overwritten_by_a_leftover() {
    let mut world = world();
    world.apply([launched("web")]).await;
    let mut wider = launched("web");
    limits(&mut wider, 2, 20);
    wider.policy.metrics[0].rule = Some(fixtures::track(40.0));
    let plan = world.plan([wider.clone()]).await;
    for step in die_after_the_intent(&mut world, &plan) {
        let crate::plan::Step::Update { change, provider } = step else {
            panic!("not a change");
        };
        let mock = world.providers.get(&provider).unwrap().clone();
        mock.update_group(&change).await.unwrap();
    }
    // A later one did not see it: it could not read the resource, and wrote another policy later.
    wider.policy.metrics[0].rule = Some(fixtures::track(55.0));
    let at = world.providers.clock().now();
    let newer = wider.clone();
    world
        .state
        .write(|tx| {
            let apply = tx.begin_apply(&NewApply {
                at,
                actor: "bob@desk".into(),
                digest: "d2".into(),
                details: Json::Null,
            })?;
            tx.record_applied_group(
                apply,
                &AppliedGroup {
                    group: newer,
                    attributes: Json::Null,
                    fingerprint: String::new(),
                    ownership: Ownership::Created,
                    details: Json::Null,
                    applied_at: at,
                },
            )?;
            tx.finish_apply(apply, &ApplyOutcome::Done, at)
        })
        .unwrap();
    let settled = settle_open(&mut world).await.unwrap();
    assert_eq!(settled[0].outcome, Outcome::Superseded);
    let web = GroupAddress::new("web");
    let applied = world.state.applied_group(&web).unwrap().unwrap();
    assert_eq!(applied.group, wider);
}

#[tokio::test]
async fn what_is_settled_after_a_crash_is_news_to_whoever_has_read_the_state() {
    let mut world = world();
    let plan = world.plan([launched("web")]).await;
    let steps = die_after_the_intent(&mut world, &plan);
    create(&world, &steps).await;
    let before = world.state.meta().unwrap().serial;
    let settled = settle_open(&mut world).await.unwrap();
    assert_eq!(settled[0].outcome, Outcome::Done);
    assert!(world.state.meta().unwrap().serial > before);
}

#[test]
fn a_launch_attribute_counts_as_done_only_where_it_shows() {
    let web = launched("web");
    let is_done = |wanted: Json, shown: Option<Json>| {
        let mut live = fixtures::live(&web, 2);
        if let Some(shown) = shown {
            live.attributes.launch.insert("throughput".into(), shown);
        }
        let seen = [((web.provider.clone(), web.resource.clone()), Ok(Some(live)))];
        let step = crate::plan::Step::Update {
            provider: web.provider.clone(),
            change: tideform_provider::GroupChange {
                resource: web.resource.clone(),
                changes: vec![tideform_provider::AttributeChange::Launch(
                    [("throughput".to_owned(), wanted)].into(),
                )],
            },
        };
        parts::is_in_effect(&step, &seen.into(), "s1").unwrap()
    };
    assert!(!is_done(json!(2), None), "it does not show");
    assert!(!is_done(json!(2), Some(json!(3))));
    assert!(is_done(json!(2), Some(json!(2.0))), "one number");
    assert!(is_done(Json::Null, None), "taken away");
    assert!(!is_done(Json::Null, Some(json!(2))));
}

#[tokio::test]
async fn who_lost_the_lease_settles_nothing() {
    let mut world = world();
    let plan = world.plan([launched("web")]).await;
    let steps = die_after_the_intent(&mut world, &plan);
    create(&world, &steps).await;
    let mut old = world.lease.lease().clone();
    world.state.break_lease(old.until, "bob@desk").unwrap();
    old.until = Timestamp::now();
    world.lease = HeldLease::of(old);
    let lost = settle_open(&mut world).await;
    assert!(
        matches!(lost, Err(StateError::LeaseLost { .. })),
        "{lost:?}"
    );
    assert_eq!(world.state.open_intents().unwrap().len(), 1);
}

#[tokio::test]
async fn a_leftover_move_leaves_no_group_behind_at_the_old_address() {
    let mut world = world();
    world.apply([launched("web")]).await;
    let options = PlanOptions::new("shop");
    let configuration = moved_configuration(&world, renamed());
    let plan = world.plan_with(&configuration, &options).await;
    die_after_the_intent(&mut world, &plan);
    set_owner_group(&world, "web", "group.shop");
    let mut wider = renamed();
    limits(&mut wider, 2, 20);
    let configuration = moved_configuration(&world, wider);
    let plan = world.plan_with(&configuration, &options).await;
    let report = world.carry(&plan).await.unwrap();
    assert_eq!(report.settled[0].outcome, Outcome::Done);
    let at = |name: &str| {
        let filter = EventFilter {
            group: Some(GroupAddress::new(name)),
            ..EventFilter::default()
        };
        world.state.events(&filter).map_or(0, |events| events.len())
    };
    assert_eq!(at("web"), 0);
    assert!(at("shop") > 2);
}

#[tokio::test]
async fn each_part_of_a_change_that_died_is_judged_by_itself_and_in_order() {
    use tideform_provider::{AttributeChange, GroupChange};
    // How many of the parts were carried out -> what became of the whole, and what its event says.
    for (made, outcome, said) in [
        (
            0,
            Outcome::NotDone,
            "created: not_done, settled after an interruption",
        ),
        (
            1,
            Outcome::Failed {
                message: "interrupted: 1 of 3 parts is done: limits 3 to 20".into(),
            },
            "created: interrupted: 1 of 3 parts is done: limits 3 to 20, settled after an interruption",
        ),
        (
            2,
            Outcome::Failed {
                message: "interrupted: 2 of 3 parts are done: limits 3 to 20, warmup 4m".into(),
            },
            "created: interrupted: 2 of 3 parts are done: limits 3 to 20, warmup 4m, settled after an interruption",
        ),
        (
            3,
            Outcome::Done,
            "created: done, settled after an interruption",
        ),
    ] {
        let mut world = world();
        world.apply([launched("web")]).await;
        let mut web = launched("web");
        limits(&mut web, 3, 20);
        web.policy.warmup = Duration::from_secs(240);
        web.policy.warmup_is_set = true;
        web.policy.scale_in.drain = Some(Duration::from_secs(60));
        let plan = world.plan([web.clone()]).await;
        let steps = die_after_the_intent(&mut world, &plan);
        let [crate::plan::Step::Update { provider, change }] = steps.as_slice() else {
            panic!("not one update: {steps:?}");
        };
        let is_made = |change: &AttributeChange| match change {
            AttributeChange::Limits(_) => made > 0,
            AttributeChange::Warmup(_) => made > 1,
            _ => made > 2,
        };
        let call = GroupChange {
            resource: change.resource.clone(),
            changes: change
                .changes
                .iter()
                .filter(|one| is_made(one))
                .cloned()
                .collect(),
        };
        let mock = world.providers.get(provider).unwrap().clone();
        mock.update_group(&call).await.unwrap();
        world.admin.advance(Duration::from_secs(60)).unwrap();
        let settled = settle_open(&mut world).await.unwrap();
        assert_eq!(settled[0].outcome, outcome, "{made}");
        let parts: Vec<(&str, bool)> = settled[0]
            .parts
            .iter()
            .map(|part| (part.text.as_str(), part.is_done))
            .collect();
        assert_eq!(
            parts,
            [
                ("limits 3 to 20", made > 0),
                ("warmup 4m", made > 1),
                ("scale_in.drain 1m", made > 2)
            ]
        );
        let events = world.state.events(&EventFilter::default()).unwrap();
        assert!(
            events.iter().any(|event| event.text == said),
            "{made}: {events:?}"
        );
        // What is done is no drift, and what is left is what the next apply does.
        let next = world.plan([web.clone()]).await;
        assert!(!next.has_drift(), "{made}: {:?}", next.groups[0].drift);
        world.carry(&next).await.unwrap();
        assert!(!world.plan([web]).await.has_changes(), "{made}");
    }
}
