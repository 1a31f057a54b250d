//! What was last applied, under which serial, and what becomes of it when groups move.

use crate::support::*;
use serde_json::json;
use tideform_policies::model::{GroupAddress, ProviderAddress};
use tideform_state::*;

#[test]
fn what_was_applied_is_read_as_it_was_written() {
    let mut state = memory_state();
    apply(&mut state, 10, &[web(), api()]);
    let groups = state.applied_groups().expect("read");
    assert_eq!(groups.keys().collect::<Vec<_>>(), [&api(), &web()]);
    assert_eq!(groups[&api()], applied(&api(), 10));
    assert_eq!(
        state.applied_group(&web()).expect("read"),
        Some(applied(&web(), 10))
    );
    assert_eq!(state.applied_addresses().expect("read"), [api(), web()]);
    let providers = state.applied_providers().expect("read");
    assert_eq!(providers.len(), 1);
    assert_eq!(providers[0].address, mock());
}

#[test]
fn the_serial_counts_applies_moves_and_removals_and_nothing_else() {
    let mut state = memory_state();
    let serial = |state: &State| state.meta().expect("read").serial;
    apply(&mut state, 10, &[web()]);
    assert_eq!(serial(&state), 1);
    state
        .write(|tx| {
            tx.record_tick(&TickRecord {
                decisions: vec![decision(&web(), 60, "x", true)],
                ..TickRecord::default()
            })?;
            tx.add_override(&pin(&web(), 60, None, 3))
        })
        .expect("written");
    assert_eq!(serial(&state), 1);
    state
        .write(|tx| tx.move_group(&web(), &GroupAddress::new("site"), at(70), "alice"))
        .expect("moved");
    assert_eq!(serial(&state), 2);
    state
        .write(|tx| tx.forget_group(&GroupAddress::new("site"), at(80), "alice"))
        .expect("forgotten");
    assert_eq!(serial(&state), 3);
}

#[test]
fn an_apply_that_died_made_plans_stale_and_is_called_interrupted_by_the_next() {
    let mut state = memory_state();
    let died = state
        .write(|tx| tx.begin_apply(&new_apply(10)))
        .expect("begun");
    state
        .write(|tx| tx.record_applied_group(died, &applied(&web(), 10)))
        .expect("recorded");
    assert_eq!(state.meta().expect("read").serial, 1);
    assert_eq!(
        state.applies(9).expect("read")[0].outcome,
        RunningOutcome::Running
    );
    apply(&mut state, 20, &[web()]);
    let outcomes: Vec<_> = state
        .applies(9)
        .expect("read")
        .into_iter()
        .map(|a| a.outcome)
        .collect();
    assert_eq!(
        outcomes,
        [
            RunningOutcome::Finished(ApplyOutcome::Done),
            RunningOutcome::Interrupted
        ]
    );
    let error = state
        .write(|tx| tx.record_applied_group(died, &applied(&web(), 30)))
        .expect_err("refused");
    assert!(
        matches!(error, StateError::AlreadyEnded { what: "apply", .. }),
        "{error:?}"
    );
}

#[test]
fn a_failed_apply_keeps_what_it_recorded_and_says_why() {
    let mut state = memory_state();
    let id = state
        .write(|tx| tx.begin_apply(&new_apply(10)))
        .expect("begun");
    state
        .write(|tx| tx.record_applied_group(id, &applied(&web(), 10)))
        .expect("recorded");
    let outcome = ApplyOutcome::Failed {
        message: "1 of 2 changes".to_owned(),
    };
    state
        .write(|tx| tx.finish_apply(id, &outcome, at(12)))
        .expect("finished");
    assert!(state.applied_group(&web()).expect("read").is_some());
    let record = &state.applies(1).expect("read")[0];
    assert_eq!(record.outcome, RunningOutcome::Finished(outcome));
    assert_eq!(record.finished_at, Some(at(12)));
}

#[test]
fn a_moved_group_takes_memory_history_and_events_along() {
    let mut state = memory_state();
    populate(&mut state).expect("populated");
    let site = GroupAddress::new("site");
    let before = state
        .events(&EventFilter {
            group: Some(web()),
            ..EventFilter::default()
        })
        .expect("read");
    state
        .write(|tx| tx.move_group(&web(), &site, at(500), "alice"))
        .expect("moved");

    assert_eq!(state.applied_group(&web()).expect("read"), None);
    let moved = state.applied_group(&site).expect("read").expect("there");
    assert_eq!(moved.group.address, site);
    assert!(state.memory(&web()).expect("read").is_none());
    assert!(state.memory(&site).expect("read").is_some());
    assert_eq!(
        state
            .capacity_runs(&site, at(0), at(99))
            .expect("read")
            .len(),
        1
    );
    assert_eq!(
        state
            .metric_samples(&site, "cpu", at(-300), at(99))
            .expect("read")
            .len(),
        2
    );
    assert_eq!(
        state.active_overrides(at(100)).expect("read")[0].group,
        site
    );
    let after = state
        .events(&EventFilter {
            group: Some(site.clone()),
            ..EventFilter::default()
        })
        .expect("read");
    assert_eq!(after.len(), before.len() + 1);
    assert_eq!(state.check().expect("checked"), []);

    // The old address is free for a group that knows nothing of the other.
    apply(&mut state, 600, &[web()]);
    assert!(state.memory(&web()).expect("read").is_none());
    assert!(state.memory(&site).expect("read").is_some());
    assert_eq!(state.check().expect("checked"), []);
}

#[test]
fn a_group_moves_onto_a_forgotten_one_but_not_onto_an_applied_one() {
    let mut state = memory_state();
    apply(&mut state, 10, &[web(), api()]);
    let error = state
        .write(|tx| tx.move_group(&web(), &api(), at(20), "alice"))
        .expect_err("refused");
    assert!(matches!(error, StateError::GroupExists { .. }), "{error:?}");
    state
        .write(|tx| tx.forget_group(&api(), at(21), "alice"))
        .expect("forgotten");
    state
        .write(|tx| tx.move_group(&web(), &api(), at(22), "alice"))
        .expect("moved");
    assert_eq!(state.applied_addresses().expect("read"), [api()]);
    let error = state
        .write(|tx| tx.move_group(&web(), &api(), at(23), "alice"))
        .expect_err("refused");
    assert!(
        matches!(error, StateError::UnknownGroup { .. }),
        "{error:?}"
    );
    assert_eq!(state.check().expect("checked"), []);
}

#[test]
fn a_forgotten_group_loses_its_memory_and_overrides_and_keeps_its_events() {
    let mut state = memory_state();
    populate(&mut state).expect("populated");
    state
        .write(|tx| tx.forget_group(&web(), at(500), "alice"))
        .expect("forgotten");
    assert!(state.memory(&web()).expect("read").is_none());
    assert_eq!(state.open_overrides(at(501)).expect("read"), []);
    let filter = EventFilter {
        group: Some(web()),
        ..EventFilter::default()
    };
    let kinds: Vec<_> = state
        .events(&filter)
        .expect("read")
        .into_iter()
        .map(|e| e.kind)
        .collect();
    assert_eq!(
        kinds,
        [
            EventKind::Scaled,
            EventKind::OverrideStarted,
            EventKind::GroupForgotten
        ]
    );
    let error = state
        .write(|tx| tx.forget_group(&web(), at(501), "alice"))
        .expect_err("refused");
    assert!(
        matches!(error, StateError::UnknownGroup { .. }),
        "{error:?}"
    );
}

#[test]
fn another_account_or_region_is_refused_and_nothing_is_recorded_with_it() {
    let mut state = memory_state();
    let us = ProviderAddress {
        kind: "aws".into(),
        alias: Some("us".into()),
    };
    let identity = |provider: &ProviderAddress, account: &str, region: &str| ProviderIdentity {
        provider: provider.clone(),
        account: account.to_owned(),
        region: region.to_owned(),
    };
    let first = [identity(&us, "111", "us-east-1")];
    state.verify_identities(&first).expect("unknown ones pass");
    state
        .write(|tx| tx.check_identities(&first, at(1)))
        .expect("first sight");
    state
        .write(|tx| tx.check_identities(&first, at(2)))
        .expect("the same");
    for moved in [
        identity(&us, "222", "us-east-1"),
        identity(&us, "111", "eu-west-1"),
    ] {
        let found = [identity(&mock(), "w", "x"), moved];
        let error = state
            .write(|tx| tx.check_identities(&found, at(3)))
            .expect_err("refused");
        assert!(
            matches!(error, StateError::AccountMoved { .. }),
            "{error:?}"
        );
        assert!(
            error
                .to_string()
                .starts_with("provider.aws.us was 111 in us-east-1"),
            "{error}"
        );
        state.verify_identities(&found).expect_err("refused");
    }
    assert_eq!(state.identities().expect("read"), first);
}

#[test]
fn the_export_holds_everything_but_samples() {
    let mut state = memory_state();
    populate(&mut state).expect("populated");
    let document = state.export().expect("exported");
    assert_eq!(document["format_version"], 1);
    assert_eq!(document["meta"]["lineage"], "c0ffee");
    assert_eq!(document["groups"][1]["group"]["address"], "group.web");
    assert_eq!(document["memory"]["group.web"], json!({ "actions": [60] }));
    assert_eq!(document["overrides"][0]["capacity"], 9);
    assert_eq!(document["open_intents"][0]["group"], api().to_string());
}

#[test]
fn what_the_loop_left_open_of_a_forgotten_group_gets_its_one_event() {
    let mut state = memory_state();
    apply(&mut state, 10, &[web()]);
    state
        .write(|tx| tx.record_intents(&[intent(&web(), 4, 6, 20)]))
        .expect("recorded");
    state
        .write(|tx| tx.forget_group(&web(), at(500), "alice"))
        .expect("forgotten");
    assert_eq!(state.open_intents().expect("read"), []);
    let events = state.events(&EventFilter::default()).expect("read");
    let scaled: Vec<_> = events
        .iter()
        .filter(|event| event.kind == EventKind::Scaled)
        .collect();
    assert_eq!(scaled.len(), 1, "{events:?}");
    assert_eq!(scaled[0].outcome, Some(Outcome::Unknown));
}
