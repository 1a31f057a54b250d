//! Plans carried out against the mock cloud, in process, by a stepped clock.

mod changes;
mod crashes;
mod drift;
mod moves;
mod ownership;
mod saved;

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
    plan.all_diagnostics()
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

fn fault(kind: FaultKind, group: Option<&str>, times: u32) -> ScriptedFault {
    ScriptedFault {
        kind,
        call: Some(Call::UpdateGroup),
        group: group.map(str::to_owned),
        skip: 0,
        times,
    }
}

fn on_another_resource() -> Group {
    let mut group = launched("web");
    group.resource.name = "web-2".into();
    group
}

fn moved_configuration(world: &World, group: Group) -> Configuration {
    let mut configuration = configuration(world, [group]);
    configuration.moved.push(Moved {
        from: GroupAddress::new("web"),
        to: GroupAddress::new("shop"),
    });
    configuration
}

fn renamed() -> Group {
    Group {
        address: GroupAddress::new("shop"),
        ..launched("web")
    }
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
