//! A stage for tests of the loop: a stepped mock world and a state with applied groups, in a directory of their own.

#![allow(
    dead_code,
    unreachable_pub,
    reason = "every test file uses its own part of the stage"
)]

use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use jiff::Timestamp;
use serde_json::{Map, Value, json};
use tempfile::TempDir;
use tideform::engine::Memory;
use tideform::reconcile::{
    Finished, GroupReport, Options, ProviderSource, ReconcileError, Stop, TickReport, VisitResult,
    Watcher, run_loop,
};
use tideform::registry::Providers;
use tideform_mock::MockProvider;
use tideform_mock::admin::Admin;
use tideform_mock::launch;
use tideform_mock::world::group::NewGroup;
use tideform_policies::model::{
    Capacity, Group, GroupAddress, Limits, ProviderAddress, ProviderConfiguration,
};
use tideform_provider::Provider;
use tideform_state::{
    AppliedGroup, ApplyOutcome, Event, EventFilter, LeaseHolder, NewApply, NewState, OpenMode,
    Ownership, State,
};

/// When every world begins: a Monday.
pub const START: &str = "2026-01-05T12:00:00Z";

/// The settings of a stepped world whose load is this formula.
pub fn world_settings(load: &str) -> Map<String, Value> {
    let settings = json!({
        "world": "mock.world",
        "clock": "stepped",
        "start": START,
        "step": "1m",
        "load": { "default": { "formula": load } },
    });
    settings.as_object().cloned().unwrap_or_default()
}

/// A group that tracks cpu at 60 between 1 and 20, without any cooldown, stabilization or warm-up, changed by `edit`.
pub fn group(name: &str, edit: impl FnOnce(&mut Value)) -> Group {
    let rules = json!({
        "enabled": true, "cooldown_s": 0, "stabilization_s": 0, "select": "max", "rates": [],
        "order": "default", "order_is_set": false,
    });
    let mut value = json!({
        "address": format!("group.{name}"),
        "provider": { "kind": "mock" },
        "resource": { "kind": "asg", "name": name },
        "controller": "tideform",
        "adopt": "none",
        "coexist": false,
        "policy": {
            "warmup_s": 0, "warmup_is_set": false, "every_s": 60, "combine": "max",
            "metrics": [metric("cpu", Some(json!({
                "track": { "target": 60.0, "tolerance_out": 0.1, "tolerance_in": 0.1 }
            })))],
            "scale_out": rules, "scale_in": rules,
            "limits": { "min": 1, "max": 20 },
            "schedules": [], "surges": [], "guards": [], "freezes": [],
            "slo": { "utilization": 100.0, "objective": 99.9 },
        },
    });
    edit(&mut value);
    serde_json::from_value(value).expect("a group of the test's own")
}

/// A metric of the mock's, with this rule.
pub fn metric(name: &str, rule: Option<Value>) -> Value {
    let mut metric = json!({
        "name": name, "source": { "query": { "name": name } }, "statistic": "average", "period_s": 60, "delay_s": 0,
        "on_missing": "hold", "max_age_s": 900, "scope": "instance", "weight": 1.0, "breach": "now",
    });
    if let (Some(rule), Some(metric)) = (rule, metric.as_object_mut()) {
        metric.insert("rule".to_owned(), rule);
    }
    metric
}

/// A holder of the lease.
pub fn holder(id: &str) -> LeaseHolder {
    LeaseHolder {
        id: id.to_owned(),
        pid: 1,
        host: "test".to_owned(),
        command: format!("tideform {id}"),
    }
}

/// A directory with a world and a state.
pub struct Stage {
    pub directory: TempDir,
    pub configuration: ProviderConfiguration,
    pub provider: Arc<MockProvider>,
    pub providers: Providers,
    pub admin: Admin,
    pub state: State,
    runs: usize,
}

impl Stage {
    /// A world with this load, and groups at `desired` of which each instance carries 100 a second and boots in 60 s.
    pub fn new(load: &str, groups: &[(Group, u32)]) -> Stage {
        Stage::with(world_settings(load), groups, |provider| provider)
    }

    /// A world with these settings, and the groups whose one resource is this from the start.
    pub fn with_new(settings: Map<String, Value>, groups: &[Group], new: NewGroup) -> Stage {
        let mut stage = Stage::begun(settings, |provider| provider);
        stage.admin.create_group(new).expect("a group");
        stage.apply(groups);
        stage.pass(300);
        stage
    }

    /// The same, with the provider wrapped.
    pub fn with(
        settings: Map<String, Value>,
        groups: &[(Group, u32)],
        wrap: impl FnOnce(Arc<dyn Provider>) -> Arc<dyn Provider>,
    ) -> Stage {
        let mut stage = Stage::begun(settings, wrap);
        for (group, desired) in groups {
            stage.create(group, *desired);
        }
        let groups: Vec<Group> = groups.iter().map(|(group, _)| group.clone()).collect();
        stage.apply(&groups);
        // Long enough for the first instances to boot, and for the first samples.
        stage.pass(300);
        stage
    }

    /// A world at its start, and a state without anything applied.
    fn begun(
        settings: Map<String, Value>,
        wrap: impl FnOnce(Arc<dyn Provider>) -> Arc<dyn Provider>,
    ) -> Stage {
        let directory = tempfile::tempdir().expect("a directory");
        let configuration = ProviderConfiguration {
            address: ProviderAddress {
                kind: "mock".into(),
                alias: None,
            },
            settings,
            span: None,
        };
        let provider = Arc::new(
            MockProvider::open(&configuration.settings, directory.path()).expect("a world"),
        );
        let providers = Providers::of(vec![(configuration.clone(), wrap(provider.clone()))])
            .expect("one provider");
        let admin = provider.admin();
        let new = NewState {
            workspace: "test".to_owned(),
            lineage: "0123".to_owned(),
            created_at: START.parse().expect("a time"),
        };
        let state = State::create(directory.path().join("test.db"), &new).expect("a state");
        Stage {
            directory,
            configuration,
            provider,
            providers,
            admin,
            state,
            runs: 0,
        }
    }

    /// Creates a group's resource in the world.
    pub fn create(&self, group: &Group, desired: u32) {
        let attributes = serde_json::from_value(json!({ "boot": "60s", "throughput": 100 }))
            .expect("attributes");
        let new = NewGroup {
            name: group.resource.name.clone(),
            limits: Limits::new(Capacity(0), Capacity(100)).expect("limits"),
            desired,
            model: launch::parse(&attributes).expect("a model"),
            launch: attributes,
            owner: None,
        };
        self.admin.create_group(new).expect("a group");
    }

    /// Writes groups to the state, as `apply` does.
    pub fn apply(&mut self, groups: &[Group]) {
        let at: Timestamp = START.parse().expect("a time");
        let configuration = self.configuration.clone();
        self.state
            .write(|tx| {
                let apply = tx.begin_apply(&NewApply {
                    at,
                    actor: "test".to_owned(),
                    digest: "digest".to_owned(),
                    details: Value::Null,
                })?;
                tx.record_applied_providers(apply, &[configuration])?;
                for group in groups {
                    tx.record_applied_group(
                        apply,
                        &AppliedGroup {
                            group: group.clone(),
                            attributes: Value::Null,
                            fingerprint: String::new(),
                            ownership: Ownership::Managed,
                            details: Value::Null,
                            applied_at: at,
                        },
                    )?;
                }
                tx.finish_apply(apply, &ApplyOutcome::Done, at)
            })
            .expect("an apply");
    }

    pub fn path(&self) -> PathBuf {
        self.directory.path().join("test.db")
    }

    /// Another process's view of the state.
    pub fn other_state(&self) -> State {
        State::open(self.path(), OpenMode::ReadWrite).expect("the state")
    }

    pub fn source(&self) -> ProviderSource {
        ProviderSource::Fixed(self.providers.clone())
    }

    /// Options of the next run, which is another process than the last.
    pub fn once(&mut self) -> Options {
        self.runs += 1;
        Options::once(holder(&format!("once-{}", self.runs)), self.source())
    }

    pub async fn run(
        &mut self,
        options: Options,
    ) -> Result<(Finished, Vec<TickReport>), ReconcileError> {
        let mut watcher = Collector::default();
        let finished = run_loop(&mut self.state, options, Stop::never(), &mut watcher).await?;
        Ok((finished, watcher.reports))
    }

    /// One `--once` run.
    pub async fn tick(&mut self) -> TickReport {
        let options = self.once();
        let (_, mut reports) = self.run(options).await.expect("a run");
        reports.remove(0)
    }

    /// Time passes in the world.
    pub fn pass(&self, seconds: u64) {
        self.admin
            .advance(Duration::from_secs(seconds))
            .expect("a stepped world");
    }

    pub fn desired(&self, name: &str) -> u32 {
        self.admin
            .show_group(name)
            .expect("the world")
            .map_or(0, |view| view.live.desired)
    }

    pub fn events(&self) -> Vec<Event> {
        self.state.events(&EventFilter::default()).expect("events")
    }

    /// The events that are not about applies, as `kind: text`.
    pub fn told(&self) -> Vec<String> {
        self.events()
            .into_iter()
            .filter(|event| !event.kind.as_str().starts_with("apply"))
            .map(|event| format!("{}: {}", event.kind, event.text))
            .collect()
    }

    pub fn memory(&self, name: &str) -> Memory {
        match self
            .state
            .memory(&GroupAddress::new(name))
            .expect("the state")
        {
            Some(text) => text.read().expect("a memory"),
            None => Memory::default(),
        }
    }

    /// Every intent is settled, and has exactly one event.
    pub fn assert_settled(&self) {
        assert_eq!(self.state.open_intents().expect("intents"), []);
        let mut intents: Vec<_> = self
            .events()
            .iter()
            .filter_map(|event| event.intent)
            .collect();
        let count = intents.len();
        intents.sort();
        intents.dedup();
        assert_eq!(intents.len(), count, "an intent has one event");
        for id in &intents {
            let intent = self
                .state
                .intent(*id)
                .expect("the state")
                .expect("an intent");
            assert!(intent.outcome.is_some());
        }
    }
}

/// Keeps what it is told.
#[derive(Default)]
pub struct Collector {
    pub reports: Vec<TickReport>,
}

#[async_trait::async_trait]
impl Watcher for Collector {
    fn tick(&mut self, report: &TickReport) {
        self.reports.push(report.clone());
    }
}

/// The report of a group.
pub fn of<'a>(report: &'a TickReport, name: &str) -> &'a GroupReport {
    report
        .groups
        .iter()
        .find(|group| group.group == GroupAddress::new(name))
        .expect("a report of the group")
}

/// `4 -> 6`, `held`, or what else became of a visit.
pub fn told(result: &VisitResult) -> String {
    match result {
        VisitResult::Held => "held".to_owned(),
        VisitResult::Moved(change) => format!("{} -> {}", change.before, change.after),
        VisitResult::Changed(what) => what.clone(),
        VisitResult::Would(change) => format!("would {} -> {}", change.before, change.after),
        VisitResult::NotDone(_) => "not done".to_owned(),
        VisitResult::Unknown(_) => "unknown".to_owned(),
        VisitResult::Condition(condition) => condition.summary(),
        VisitResult::Deferred(_) => "deferred".to_owned(),
        VisitResult::Native => "native".to_owned(),
        VisitResult::Stopped => "stopped".to_owned(),
    }
}
