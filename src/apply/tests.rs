//! Plans carried out against the mock cloud, in process, by a stepped clock.

use std::sync::Arc;
use std::time::Duration;

use tideform_mock::world::fault::{Call, FaultKind, ScriptedFault};
use tideform_mock::{MockProvider, admin::Admin};
use tideform_policies::model::{
    Adopt, Capacity, Configuration, Group, GroupAddress, Limits, Moved,
};
use tideform_provider::{Control, ControlKind, Provider};
use tideform_state::{EventFilter, EventKind, LeaseHolder, NewState, Ownership, State};

use super::*;
use crate::plan::fixtures::{self, launched, plain};
use crate::plan::{
    ChangeAction, DriftOutcome, GroupPattern, Known, Mode, PlanOptions, Target, make,
    saved::{SavedPlanError, read_saved, save},
};

struct World {
    state: State,
    providers: Providers,
    admin: Admin,
    lease: HeldLease,
    _directory: tempfile::TempDir,
}

const START: &str = "2026-11-21T12:00:00Z";

fn world() -> World {
    let directory = tempfile::tempdir().unwrap();
    let settings = serde_json::json!({ "clock": "stepped", "start": START });
    let settings = settings.as_object().unwrap();
    let mock = Arc::new(MockProvider::open(settings, directory.path()).unwrap());
    let admin = mock.admin();
    let configuration = ProviderConfiguration {
        address: fixtures::mock(),
        settings: settings.clone(),
        span: None,
    };
    let providers = Providers::of(vec![(configuration, mock as Arc<dyn Provider>)]).unwrap();
    let mut state = State::in_memory(&NewState {
        workspace: "shop".into(),
        lineage: "s1".into(),
        created_at: START.parse().unwrap(),
    })
    .unwrap();
    let holder = LeaseHolder {
        id: "h1".into(),
        pid: std::process::id(),
        host: "here".into(),
        command: "test".into(),
    };
    let lease = HeldLease::take(&mut state, &holder).unwrap();
    World {
        state,
        providers,
        admin,
        lease,
        _directory: directory,
    }
}

fn configuration(world: &World, groups: impl IntoIterator<Item = Group>) -> Configuration {
    Configuration {
        providers: world.providers.configurations().to_vec(),
        ..fixtures::configuration(groups)
    }
}

impl World {
    async fn plan_with(&self, configuration: &Configuration, options: &PlanOptions) -> Plan {
        let now = self.providers.clock().now();
        let known = Known::read(&self.state, now).unwrap();
        make(configuration, Some(&known), &self.providers, options)
            .await
            .unwrap()
    }

    async fn plan(&self, groups: impl IntoIterator<Item = Group>) -> Plan {
        let configuration = configuration(self, groups);
        self.plan_with(&configuration, &PlanOptions::new("shop"))
            .await
    }

    async fn carry(&mut self, plan: &Plan) -> Result<ApplyReport, ApplyError> {
        let options = ApplyOptions {
            actor: "alice@laptop",
            stop: None,
        };
        carry_out(
            plan,
            &mut self.state,
            &self.providers,
            &mut self.lease,
            options,
            &mut |_| {},
        )
        .await
    }

    async fn apply(&mut self, groups: impl IntoIterator<Item = Group>) -> ApplyReport {
        let plan = self.plan(groups).await;
        assert_eq!(said(&plan), Vec::<String>::new());
        let report = self.carry(&plan).await.unwrap();
        assert!(report.is_complete(), "{report:?}");
        report
    }

    fn group(&self, name: &str) -> Option<tideform_mock::admin::GroupView> {
        self.admin.show_group(name).unwrap()
    }
}

/// The codes and reasons of a plan's problems.
fn said(plan: &Plan) -> Vec<String> {
    plan.diagnostics
        .iter()
        .map(|d| format!("{} {}", d.code.0, d.why.as_deref().unwrap_or_default()))
        .collect()
}

fn changes(plan: &Plan) -> Vec<String> {
    plan.groups
        .iter()
        .flat_map(|group| &group.changes)
        .map(|c| format!("{} {} {} -> {}", c.action.sign(), c.path, c.before, c.after))
        .collect()
}

fn limits(group: &mut Group, min: u32, max: u32) {
    group.policy.limits = Limits::new(Capacity(min), Capacity(max));
}

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
async fn an_apply_without_changes_keeps_older_plans_usable() {
    let mut world = world();
    world.apply([launched("web")]).await;
    let serial = world.state.meta().unwrap().serial;
    world.apply([launched("web")]).await;
    assert_eq!(world.state.meta().unwrap().serial, serial);
}

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
    assert!(matches!(
        world.carry(&plan).await,
        Err(ApplyError::HasErrors)
    ));
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

fn fault(kind: FaultKind, group: Option<&str>, times: u32) -> ScriptedFault {
    ScriptedFault {
        kind,
        call: Some(Call::UpdateGroup),
        group: group.map(str::to_owned),
        skip: 0,
        times,
    }
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

fn set_owner(world: &World, name: &str, state: Option<&str>) {
    world
        .admin
        .edit("edit", name, |group, _| {
            group.owner = state.map(|state| tideform_provider::Owner {
                workspace: "shop".into(),
                state: state.into(),
                group: format!("group.{name}"),
            });
            Ok(())
        })
        .unwrap();
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
        step::is_in_effect(&step, &seen.into(), "s1").unwrap()
    };
    assert!(!is_done(json!(2), None), "it does not show");
    assert!(!is_done(json!(2), Some(json!(3))));
    assert!(is_done(json!(2), Some(json!(2.0))), "one number");
    assert!(is_done(Json::Null, None), "taken away");
    assert!(!is_done(Json::Null, Some(json!(2))));
}

fn renamed() -> Group {
    Group {
        address: GroupAddress::new("shop"),
        ..launched("web")
    }
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

fn on_another_resource() -> Group {
    let mut group = launched("web");
    group.resource.name = "web-2".into();
    group
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

fn moved_configuration(world: &World, group: Group) -> Configuration {
    let mut configuration = configuration(world, [group]);
    configuration.moved.push(Moved {
        from: GroupAddress::new("web"),
        to: GroupAddress::new("shop"),
    });
    configuration
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

fn set_owner_group(world: &World, name: &str, owner: &str) {
    world
        .admin
        .edit("edit", name, |group, _| {
            if let Some(tag) = &mut group.owner {
                tag.group = owner.into();
            }
            Ok(())
        })
        .unwrap();
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
