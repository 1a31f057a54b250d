//! Pins, pauses and surges: when they hold, what replaces them, what is written down.

use crate::support::*;
use tideform_state::*;

fn active(state: &State, second: i64) -> Vec<String> {
    let overrides = state.active_overrides(at(second)).expect("read");
    overrides.iter().map(|o| o.kind.to_string()).collect()
}

fn log(state: &State) -> Vec<String> {
    let filter = EventFilter {
        kinds: vec![EventKind::OverrideStarted, EventKind::OverrideEnded],
        ..EventFilter::default()
    };
    let events = state.events(&filter).expect("read");
    events.into_iter().map(|event| event.text).collect()
}

fn applied_state() -> State {
    let mut state = memory_state();
    apply(&mut state, 0, &[web(), api()]);
    state
}

#[test]
fn an_override_holds_from_its_start_to_before_its_end() {
    let mut state = applied_state();
    state
        .write(|tx| tx.add_override(&pin(&web(), 100, Some(200), 9)))
        .expect("set");
    for (second, holds) in [(99, false), (100, true), (199, true), (200, false)] {
        assert_eq!(active(&state, second) == ["pin at 9"], holds, "at {second}");
    }
    assert_eq!(state.open_overrides(at(0)).expect("read").len(), 1);
    assert_eq!(state.open_overrides(at(200)).expect("read").len(), 0);
}

#[test]
fn a_second_pin_replaces_the_first_and_leaves_pauses_and_other_groups_alone() {
    let mut state = applied_state();
    let pause = NewOverride {
        kind: OverrideKind::Pause,
        until: None,
        ..pin(&web(), 10, None, 0)
    };
    state
        .write(|tx| tx.add_override(&pin(&web(), 10, None, 9)))
        .expect("set");
    state
        .write(|tx| tx.add_override(&pin(&api(), 10, None, 3)))
        .expect("set");
    state.write(|tx| tx.add_override(&pause)).expect("set");
    state
        .write(|tx| tx.add_override(&pin(&web(), 20, Some(90), 12)))
        .expect("set");
    assert_eq!(
        active(&state, 15),
        ["pin at 9", "pin at 3", "pause"],
        "the past stays"
    );
    assert_eq!(active(&state, 20), ["pin at 3", "pause", "pin at 12"]);
    let log = log(&state);
    assert_eq!(log[3], "pin at 9 replaced");
    assert_eq!(log[4], format!("pin at 12 until {}: sale", at(90)));
}

#[test]
fn surges_of_another_start_stand_beside_each_other() {
    let mut state = applied_state();
    for start in [1000, 5000, 5000] {
        let surge = NewOverride {
            kind: OverrideKind::Surge {
                name: "campaign".into(),
                start: at(start),
            },
            from: at(start - 100),
            until: Some(at(start + 300)),
            created_at: at(10),
            ..pin(&web(), 0, None, 0)
        };
        state.write(|tx| tx.add_override(&surge)).expect("set");
    }
    assert_eq!(state.open_overrides(at(10)).expect("read").len(), 2);
    assert_eq!(active(&state, 950), ["surge campaign"]);
}

#[test]
fn ending_is_recorded_once_and_running_out_when_it_ran_out() {
    let mut state = applied_state();
    let first = state
        .write(|tx| tx.add_override(&pin(&web(), 10, None, 9)))
        .expect("set");
    state
        .write(|tx| tx.add_override(&pin(&api(), 10, Some(50), 3)))
        .expect("set");
    state
        .write(|tx| tx.end_override(first, at(30), "bob"))
        .expect("ended");
    let error = state
        .write(|tx| tx.end_override(first, at(31), "bob"))
        .expect_err("refused");
    assert!(
        matches!(
            error,
            StateError::AlreadyEnded {
                what: "override",
                ..
            }
        ),
        "{error:?}"
    );
    let error = state
        .write(|tx| tx.end_override(OverrideId(77), at(31), "bob"))
        .expect_err("refused");
    assert!(
        matches!(
            error,
            StateError::UnknownRecord {
                what: "override",
                id: 77
            }
        ),
        "{error:?}"
    );
    assert_eq!(
        state
            .write(|tx| tx.expire_overrides(at(49), "reconcile"))
            .expect("looked"),
        0
    );
    assert_eq!(
        state
            .write(|tx| tx.expire_overrides(at(80), "reconcile"))
            .expect("looked"),
        1
    );
    assert_eq!(
        state
            .write(|tx| tx.expire_overrides(at(90), "reconcile"))
            .expect("looked"),
        0
    );
    let all = state.all_overrides().expect("read");
    assert_eq!(
        all.iter().map(|o| o.ended_at).collect::<Vec<_>>(),
        [Some(at(30)), Some(at(50))]
    );
    assert_eq!(log(&state)[2..], ["pin at 9 ended", "pin at 3 ran out"]);
}

#[test]
fn an_empty_window_and_a_group_that_is_not_applied_are_refused() {
    let mut state = applied_state();
    let error = state
        .write(|tx| tx.add_override(&pin(&web(), 10, Some(10), 9)))
        .expect_err("refused");
    assert!(
        matches!(error, StateError::Unrecordable { .. }),
        "{error:?}"
    );
    let stranger = tideform_policies::model::GroupAddress::new("wbe");
    let error = state
        .write(|tx| tx.add_override(&pin(&stranger, 10, None, 9)))
        .expect_err("refused");
    assert!(
        matches!(error, StateError::UnknownGroup { .. }),
        "{error:?}"
    );
    assert_eq!(log(&state), Vec::<String>::new());
}
