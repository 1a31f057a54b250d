//! What the state's tests share: a time line, a group, a state with something of everything.
#![allow(
    dead_code,
    unreachable_pub,
    reason = "shared with examples/fixture.rs, which uses a part"
)]

use std::time::Duration;

use jiff::Timestamp;
use serde_json::{Value, json};
use tideform_policies::model::{Group, GroupAddress, ProviderAddress, ProviderConfiguration};
use tideform_state::*;

pub fn at(second: i64) -> Timestamp {
    Timestamp::from_second(1_800_000_000 + second).expect("in range")
}

pub fn new_state() -> NewState {
    NewState {
        workspace: "shop".to_owned(),
        lineage: "c0ffee".to_owned(),
        created_at: at(0),
    }
}

pub fn memory_state() -> State {
    State::in_memory(&new_state()).expect("created")
}

pub fn web() -> GroupAddress {
    GroupAddress::new("web")
}

pub fn api() -> GroupAddress {
    GroupAddress::keyed("svc", "a \"p\".i")
}

pub fn mock() -> ProviderAddress {
    ProviderAddress {
        kind: "mock".into(),
        alias: None,
    }
}

pub fn group(address: &GroupAddress) -> Group {
    let rules = json!({
        "enabled": true, "cooldown_s": 120, "stabilization_s": 0, "select": "max", "rates": [],
        "order": "default", "order_is_set": false
    });
    serde_json::from_value(json!({
        "address": address.to_string(),
        "provider": { "kind": "mock" },
        "resource": { "kind": "asg", "name": address.short() },
        "controller": "tideform",
        "adopt": "none",
        "coexist": false,
        "policy": {
            "warmup_s": 180, "warmup_is_set": true, "every_s": 60, "combine": "max", "metrics": [],
            "scale_out": rules, "scale_in": rules, "limits": { "min": 2, "max": 40 },
            "schedules": [], "surges": [], "guards": [], "freezes": [],
            "slo": { "utilization": 100.0, "objective": 99.9 }
        }
    }))
    .expect("a group")
}

pub fn applied(address: &GroupAddress, second: i64) -> AppliedGroup {
    AppliedGroup {
        group: group(address),
        attributes: json!({ "limits": { "min": 2, "max": 40 } }),
        fingerprint: format!("f{second}"),
        ownership: Ownership::Managed,
        details: Value::Null,
        applied_at: at(second),
    }
}

pub fn new_apply(second: i64) -> NewApply {
    NewApply {
        at: at(second),
        actor: "alice@laptop".to_owned(),
        digest: "d1".to_owned(),
        details: json!({ "add": 1 }),
    }
}

/// Applies groups.
pub fn apply(state: &mut State, second: i64, groups: &[GroupAddress]) {
    state
        .write(|tx| {
            let id = tx.begin_apply(&new_apply(second))?;
            for address in groups {
                tx.record_applied_group(id, &applied(address, second))?;
            }
            tx.record_applied_providers(
                id,
                &[ProviderConfiguration {
                    address: mock(),
                    settings: serde_json::Map::new(),
                    span: None,
                }],
            )?;
            tx.finish_apply(id, &ApplyOutcome::Done, at(second + 1))
        })
        .expect("applied");
}

pub fn intent(address: &GroupAddress, from: u32, to: u32, second: i64) -> NewIntent {
    NewIntent {
        group: Some(address.clone()),
        apply: None,
        kind: IntentKind::SetDesired,
        actor: "reconcile".to_owned(),
        from: Some(from),
        to: Some(to),
        at: at(second),
        not_after: at(second + 50),
        reasons: json!([{ "kind": "opinion", "want": to }]),
    }
}

pub fn done(second: i64) -> Settlement {
    Settlement {
        outcome: Outcome::Done,
        at: at(second),
        text: String::new(),
    }
}

pub fn capacity(address: &GroupAddress, second: i64, desired: u32) -> CapacitySample {
    CapacitySample {
        group: address.clone(),
        at: at(second),
        desired,
        ready: desired,
        on_demand: desired.min(2),
        spot: desired.saturating_sub(2),
        units: desired,
        on_demand_usd_per_hour: Some(0.096),
        spot_usd_per_hour: Some(0.037),
    }
}

pub fn decision(
    address: &GroupAddress,
    second: i64,
    signature: &str,
    changed: bool,
) -> DecisionRecord {
    DecisionRecord {
        group: address.clone(),
        at: at(second),
        decision: JsonText::of(&json!({ "at_s": second })).expect("JSON"),
        signature: signature.to_owned(),
        changed,
        shadow: false,
        memory: Some(JsonText::of(&json!({ "actions": [second] })).expect("JSON")),
    }
}

pub fn pin(address: &GroupAddress, from: i64, until: Option<i64>, capacity: u32) -> NewOverride {
    NewOverride {
        group: address.clone(),
        kind: OverrideKind::Pin { capacity },
        from: at(from),
        until: until.map(at),
        reason: Some("sale".to_owned()),
        by: "alice".to_owned(),
        created_at: at(from),
    }
}

pub fn holder(id: &str, host: &str) -> LeaseHolder {
    LeaseHolder {
        id: id.to_owned(),
        pid: 7,
        host: host.to_owned(),
        command: format!("tideform {id}"),
    }
}

/// Puts something into every table.
pub fn populate(state: &mut State) -> Result<(), StateError> {
    let identity = ProviderIdentity {
        provider: mock(),
        account: "world-1".to_owned(),
        region: "nowhere".to_owned(),
    };
    state.write(|tx| tx.check_identities(&[identity], at(1)))?;
    apply(state, 10, &[web(), api()]);
    let ids = state.write(|tx| {
        tx.record_tick(&TickRecord {
            decisions: vec![decision(&web(), 60, "opinion", true)],
            capacity: vec![capacity(&web(), 60, 4), capacity(&api(), 60, 2)],
            metrics: vec![
                MetricSample {
                    group: web(),
                    metric: "cpu".into(),
                    at: at(0),
                    value: 50.0,
                },
                MetricSample {
                    group: web(),
                    metric: "cpu".into(),
                    at: at(60),
                    value: 70.5,
                },
            ],
        })?;
        tx.save_progress(&web(), &JsonText::of(&json!({ "failures": 1 }))?)?;
        tx.prune(
            at(400),
            &Retention {
                metrics: Duration::from_secs(360),
                ..Retention::default()
            },
        )?;
        tx.record_intents(&[intent(&web(), 4, 6, 60), intent(&api(), 2, 3, 60)])
    })?;
    state.write(|tx| tx.settle_intent(ids[0], &done(61)))?;
    state.write(|tx| tx.add_override(&pin(&web(), 70, Some(700), 9)))?;
    let lease =
        state.acquire_lease(&holder("reconcile", "box"), at(80), Duration::from_secs(60))?;
    state.request_lease(&holder("apply", "box"), at(81), Duration::from_secs(60))?;
    state.renew_lease(&lease, at(82), Duration::from_secs(60))?;
    Ok(())
}
