//! Events are append only; each settled intent has exactly one.

use std::fs;

use crate::support::*;
use rusqlite::Connection;
use tideform_state::*;

fn texts(state: &State, filter: &EventFilter) -> Vec<String> {
    let events = state.events(filter).expect("read");
    events.into_iter().map(|event| event.text).collect()
}

fn note(
    second: i64,
    text: &str,
    group: Option<tideform_policies::model::GroupAddress>,
) -> NewEvent {
    NewEvent {
        group,
        text: text.to_owned(),
        ..NewEvent::new(at(second), EventKind::Note, "test")
    }
}

#[test]
fn events_are_found_by_group_time_kind_and_number() {
    let mut state = memory_state();
    let ids = state
        .write(|tx| {
            let a = tx.append_event(&note(1, "a", Some(web())))?;
            let b = tx.append_event(&note(2, "b", Some(api())))?;
            let c = tx.append_event(&NewEvent {
                kind: EventKind::Drift,
                ..note(3, "c", Some(web()))
            })?;
            let d = tx.append_event(&note(4, "d", None))?;
            Ok([a, b, c, d])
        })
        .expect("written");
    let all = EventFilter::default;
    let cases: [(&str, EventFilter, &[&str]); 8] = [
        ("all", all(), &["a", "b", "c", "d"]),
        (
            "group",
            EventFilter {
                group: Some(web()),
                ..all()
            },
            &["a", "c"],
        ),
        (
            "since is included",
            EventFilter {
                since: Some(at(3)),
                ..all()
            },
            &["c", "d"],
        ),
        (
            "until is included",
            EventFilter {
                until: Some(at(2)),
                ..all()
            },
            &["a", "b"],
        ),
        (
            "kinds",
            EventFilter {
                kinds: vec![EventKind::Drift, EventKind::Scaled],
                ..all()
            },
            &["c"],
        ),
        (
            "after",
            EventFilter {
                after_id: Some(ids[1]),
                ..all()
            },
            &["c", "d"],
        ),
        (
            "oldest two",
            EventFilter {
                limit: Some(2),
                ..all()
            },
            &["a", "b"],
        ),
        (
            "newest two",
            EventFilter {
                limit: Some(2),
                newest_first: true,
                ..all()
            },
            &["d", "c"],
        ),
    ];
    for (name, filter, expected) in cases {
        assert_eq!(texts(&state, &filter), expected, "{name}");
    }
    assert_eq!(state.last_event_id().expect("read"), Some(ids[3]));
}

#[test]
fn every_kind_has_one_word_that_reads_back() {
    for kind in EventKind::ALL {
        assert_eq!(&EventKind::from_word(kind.as_str()), kind);
    }
    let unknown = EventKind::from_word("from_the_future");
    assert_eq!(unknown, EventKind::Other("from_the_future".to_owned()));
    assert_eq!(unknown.as_str(), "from_the_future");
}

#[test]
fn an_intent_is_open_until_it_is_settled_with_exactly_one_event() {
    let mut state = memory_state();
    let ids = state
        .write(|tx| tx.record_intents(&[intent(&web(), 4, 6, 10), intent(&web(), 6, 8, 20)]))
        .expect("recorded");
    assert_eq!(state.last_event_id().expect("read"), None);
    let open: Vec<_> = state
        .open_intents()
        .expect("read")
        .into_iter()
        .map(|i| i.id)
        .collect();
    assert_eq!(open, ids);

    let failed = Settlement {
        outcome: Outcome::Failed {
            message: "the maximum is 5".to_owned(),
        },
        at: at(15),
        text: String::new(),
    };
    let event = state
        .write(|tx| tx.settle_intent(ids[0], &failed))
        .expect("settled");
    let events = state.events(&EventFilter::default()).expect("read");
    assert_eq!(events.len(), 1);
    let recorded = &events[0];
    assert_eq!((recorded.id, recorded.intent), (event, Some(ids[0])));
    assert_eq!(recorded.kind, EventKind::Scaled);
    assert_eq!(
        recorded.at,
        at(10),
        "the time of the intent, from which cooldowns run"
    );
    assert_eq!((recorded.from, recorded.to), (Some(4), Some(6)));
    assert_eq!(recorded.outcome, Some(failed.outcome.clone()));
    assert_eq!(recorded.reasons[0]["want"], 6);
    assert_eq!(recorded.text, "desired 4 -> 6: failed: the maximum is 5");
    let settled = state.intent(ids[0]).expect("read").expect("there");
    assert_eq!(
        (settled.settled_at, settled.outcome),
        (Some(at(15)), Some(failed.outcome))
    );

    let error = state
        .write(|tx| tx.settle_intent(ids[0], &done(16)))
        .expect_err("refused");
    assert!(
        matches!(error, StateError::AlreadyEnded { what: "intent", .. }),
        "{error:?}"
    );
    let error = state
        .write(|tx| tx.settle_intent(IntentId(99), &done(16)))
        .expect_err("refused");
    assert!(
        matches!(
            error,
            StateError::UnknownRecord {
                what: "intent",
                id: 99
            }
        ),
        "{error:?}"
    );
    assert_eq!(state.open_intents().expect("read").len(), 1);
    assert_eq!(state.check().expect("checked"), []);
}

#[test]
fn the_event_of_an_intent_follows_a_group_that_moved_meanwhile() {
    let mut state = memory_state();
    apply(&mut state, 1, &[web()]);
    let ids = state
        .write(|tx| tx.record_intents(&[intent(&web(), 4, 6, 10)]))
        .expect("recorded");
    state
        .write(|tx| tx.move_group(&web(), &api(), at(11), "alice"))
        .expect("moved");
    state
        .write(|tx| tx.settle_intent(ids[0], &done(12)))
        .expect("settled");
    let events = state
        .events(&EventFilter {
            kinds: vec![EventKind::Scaled],
            ..EventFilter::default()
        })
        .expect("read");
    assert_eq!(events[0].group, Some(api()));
    assert_eq!(state.check().expect("checked"), []);
}

#[test]
fn a_failed_transaction_leaves_nothing_and_the_next_one_works() {
    let mut state = memory_state();
    let failed = state.write(|tx| {
        tx.record_intents(&[intent(&web(), 4, 6, 10)])?;
        tx.append_event(&note(1, "a", Some(web())))?;
        tx.settle_intent(IntentId(99), &done(1))
    });
    assert!(failed.is_err());
    assert_eq!(state.open_intents().expect("read"), []);
    assert_eq!(state.last_event_id().expect("read"), None);
    state
        .write(|tx| tx.append_event(&note(1, "b", Some(web()))))
        .expect("written");
    assert_eq!(texts(&state, &EventFilter::default()), ["b"]);
}

#[test]
fn events_and_settled_intents_cannot_be_changed_from_outside_either() {
    let directory = tempfile::tempdir().expect("a directory");
    let path = directory.path().join("shop.db");
    let mut state = State::create(&path, &new_state()).expect("created");
    populate(&mut state).expect("populated");
    let raw = Connection::open(&path).expect("opened");
    for sql in [
        "UPDATE events SET text = 'nothing happened'",
        "DELETE FROM events",
        "UPDATE intents SET outcome = 'not_done' WHERE outcome = 'done'",
        "DELETE FROM intents",
    ] {
        raw.execute_batch(sql).expect_err(sql);
    }
    assert!(fs::metadata(&path).is_ok());
}

#[test]
fn check_names_what_does_not_fit_together() {
    let directory = tempfile::tempdir().expect("a directory");
    let path = directory.path().join("shop.db");
    let mut state = State::create(&path, &new_state()).expect("created");
    populate(&mut state).expect("populated");
    assert_eq!(state.check().expect("checked"), []);
    let raw = Connection::open(&path).expect("opened");
    raw.execute_batch(
        "PRAGMA foreign_keys = OFF;
         DROP TRIGGER events_stay; DELETE FROM events WHERE intent_id IS NOT NULL;
         UPDATE meta SET serial = 0;
         UPDATE memories SET memory = '{';
         DELETE FROM applies;",
    )
    .expect("broken");
    let problems: Vec<_> = state
        .check()
        .expect("checked")
        .into_iter()
        .map(|p| p.message)
        .collect();
    for part in [
        "a settled intent without its event: intent 1",
        "memory or a decision that is not JSON: group 1",
        "a row of applied_groups refers to a row of applies that is not there",
    ] {
        assert!(
            problems.iter().any(|problem| problem == part),
            "{part}: {problems:#?}"
        );
    }
}

#[test]
fn writers_beside_each_other_lose_nothing() {
    let directory = tempfile::tempdir().expect("a directory");
    let path = directory.path().join("shop.db");
    drop(State::create(&path, &new_state()).expect("created"));
    std::thread::scope(|scope| {
        for writer in 0..4 {
            let path = &path;
            scope.spawn(move || {
                let mut state = State::open(path, OpenMode::ReadWrite).expect("opened");
                for i in 0..25 {
                    let group = tideform_policies::model::GroupAddress::new(&format!("g{i}"));
                    let text = format!("{writer} {i}");
                    state
                        .write(|tx| tx.append_event(&note(i, &text, Some(group))))
                        .expect("written");
                }
            });
        }
    });
    let state = State::open(&path, OpenMode::ReadOnly).expect("opened");
    let mut texts = texts(&state, &EventFilter::default());
    texts.sort();
    texts.dedup();
    assert_eq!(texts.len(), 100);
    let g7 = tideform_policies::model::GroupAddress::new("g7");
    let filter = EventFilter {
        group: Some(g7),
        ..EventFilter::default()
    };
    assert_eq!(state.events(&filter).expect("read").len(), 4);
    assert_eq!(state.check().expect("checked"), []);
}
