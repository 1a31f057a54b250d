//! Every older version opens, with everything in it.

use std::fs;
use std::path::PathBuf;

use crate::support::{at, web};
use rusqlite::Connection;
use tideform_state::{EventFilter, OpenMode, SCHEMA_VERSION, State};

fn fixture(version: u32) -> String {
    let path =
        PathBuf::from(env!("CARGO_MANIFEST_DIR")).join(format!("fixtures/v{version:04}.sql"));
    fs::read_to_string(path).expect("a fixture for every schema version")
}

fn schema(connection: &Connection) -> Vec<(String, String)> {
    connection
        .prepare("SELECT name, sql FROM sqlite_schema WHERE sql IS NOT NULL AND name NOT LIKE 'sqlite_%' ORDER BY name")
        .and_then(|mut statement| {
            statement
                .query_map([], |row| Ok((row.get(0)?, row.get(1)?)))?
                .collect()
        })
        .expect("read")
}

#[test]
fn a_state_of_every_version_opens_whole_and_can_be_used() {
    for version in 1..=SCHEMA_VERSION {
        let directory = tempfile::tempdir().expect("a directory");
        let path = directory.path().join("old.db");
        let raw = Connection::open(&path).expect("opened");
        raw.execute_batch(&fixture(version)).expect("loaded");
        drop(raw);

        let mut state = State::open(&path, OpenMode::ReadWrite).expect("opened");
        assert_eq!(state.check().expect("checked"), []);
        for (table, rows) in state.statistics().expect("counted").rows {
            assert!(rows > 0, "version {version}: {table} is empty");
        }
        let meta = state.meta().expect("read");
        assert_eq!(
            (meta.workspace.as_str(), meta.schema_version),
            ("shop", SCHEMA_VERSION)
        );
        assert_eq!(state.applied_groups().expect("read").len(), 2);
        assert_eq!(state.open_intents().expect("read").len(), 1);
        assert_eq!(state.active_overrides(at(100)).expect("read").len(), 1);
        assert!(state.memory(&web()).expect("read").is_some());
        assert!(
            !state
                .events(&EventFilter::default())
                .expect("read")
                .is_empty()
        );
        state.export().expect("exported");
        crate::support::apply(&mut state, 1000, &[web()]);
        assert_eq!(state.check().expect("checked"), []);
    }
}

#[test]
fn released_migrations_never_change() {
    // The newest fixture was dumped from the schema that the migrations make.
    let directory = tempfile::tempdir().expect("a directory");
    let fresh = directory.path().join("fresh.db");
    drop(State::create(&fresh, &crate::support::new_state()).expect("created"));
    let fixture_db = Connection::open_in_memory().expect("opened");
    fixture_db
        .execute_batch(&fixture(SCHEMA_VERSION))
        .expect("loaded");
    assert_eq!(
        schema(&Connection::open(&fresh).expect("opened")),
        schema(&fixture_db)
    );
}
