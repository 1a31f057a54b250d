//! Saved plans, and when they are refused.

use super::*;

#[tokio::test]
async fn an_apply_without_changes_keeps_older_plans_usable() {
    let mut world = world();
    world.apply([launched("web")]).await;
    let serial = world.state.meta().unwrap().serial;
    world.apply([launched("web")]).await;
    assert_eq!(world.state.meta().unwrap().serial, serial);
}

#[tokio::test]
async fn a_saved_plan_is_refused_after_a_change_in_the_cloud() {
    let mut world = world();
    world.apply([launched("web")]).await;
    let mut wider = launched("web");
    limits(&mut wider, 2, 20);
    let saved = save(&world.plan([wider]).await).unwrap();
    world
        .admin
        .set_limits("web", Limits::new(Capacity(2), Capacity(12)).unwrap())
        .unwrap();
    let serial = world.state.meta().unwrap().serial;
    let error = world.carry(&read_saved(&saved).unwrap()).await.unwrap_err();
    assert_eq!(
        error.to_string(),
        "the plan is stale: limits.max of group.web was 10 when it was made, and is 12 now"
    );
    assert_eq!(
        world.state.meta().unwrap().serial,
        serial,
        "nothing was changed"
    );
}

#[tokio::test]
async fn a_saved_plan_is_refused_after_another_apply() {
    let mut world = world();
    world.apply([launched("web")]).await;
    let mut wider = launched("web");
    limits(&mut wider, 2, 20);
    let saved = save(&world.plan([wider]).await).unwrap();
    world.apply([launched("web"), launched("api")]).await;
    let error = world.carry(&read_saved(&saved).unwrap()).await.unwrap_err();
    assert!(matches!(error, ApplyError::Stale(_)), "{error}");
    assert!(error.to_string().contains("serial"), "{error}");
}

#[tokio::test]
async fn a_plan_made_without_a_state_applies_to_a_new_one_only() {
    let mut world = world();
    let configuration = configuration(&world, [launched("web")]);
    let plan = make(
        &configuration,
        None,
        &world.providers,
        &PlanOptions::new("shop"),
    )
    .await
    .unwrap();
    world.carry(&plan).await.unwrap();
    let owner = world.group("web").unwrap().live.owner.unwrap();
    assert_eq!(owner.state, "s1");
    let error = world.carry(&plan).await.unwrap_err();
    assert!(matches!(error, ApplyError::Stale(_)), "{error}");
}

#[test]
fn a_saved_plan_with_one_byte_changed_is_refused() {
    let runtime = tokio::runtime::Builder::new_current_thread()
        .build()
        .unwrap();
    let saved = runtime.block_on(async {
        let world = world();
        save(&world.plan([launched("web")]).await).unwrap()
    });
    assert!(read_saved(&saved).is_ok());
    let mut refused = 0;
    // Every 97th byte and all of the first 300: enough to meet each kind of place.
    for at in (0..saved.len()).filter(|at| at % 97 == 0 || *at < 300) {
        let mut bytes = saved.clone().into_bytes();
        bytes[at] = if bytes[at] == b'1' { b'2' } else { b'1' };
        let text = String::from_utf8_lossy(&bytes);
        if text == saved {
            continue;
        }
        assert!(
            read_saved(&text).is_err(),
            "byte {at} was changed unnoticed"
        );
        refused += 1;
    }
    assert!(refused > 300);
    let spaced = saved.replacen(':', ": ", 1);
    assert!(matches!(read_saved(&spaced), Err(SavedPlanError::Changed)));
    let newer = saved.replacen("\"format_version\":1", "\"format_version\":2", 1);
    assert!(matches!(
        read_saved(&newer),
        Err(SavedPlanError::Newer { found: 2, .. })
    ));
    assert!(matches!(read_saved("{}"), Err(SavedPlanError::NotAPlan(_))));
}

#[tokio::test]
async fn a_saved_policy_change_is_refused_after_a_change_in_the_cloud() {
    for change in ["gone", "max", "owner"] {
        let mut world = world();
        world.apply([launched("web")]).await;
        let mut other = launched("web");
        other.policy.metrics[0].rule = Some(fixtures::track(55.0));
        let saved = save(&world.plan([other]).await).unwrap();
        match change {
            "gone" => world.admin.delete_group("web").unwrap(),
            "max" => world
                .admin
                .set_limits("web", Limits::new(Capacity(2), Capacity(12)).unwrap())
                .unwrap(),
            _ => set_owner(&world, "web", Some("s2")),
        }
        let carried = world.carry(&read_saved(&saved).unwrap()).await;
        assert!(
            matches!(carried, Err(ApplyError::Stale(_))),
            "{change}: {carried:?}"
        );
    }
}
