//! The file: creating, opening, refusing.

use std::fs;
use std::path::Path;

use crate::support::{at, new_state as new};
use tempfile::TempDir;
use tideform_state::{OpenMode, SCHEMA_VERSION, State, StateError};

fn directory() -> TempDir {
    tempfile::tempdir().expect("a directory")
}

fn overwrite(path: &Path, bytes: &[u8]) {
    for suffix in ["-wal", "-shm"] {
        let _ = fs::remove_file(format!("{}{suffix}", path.display()));
    }
    fs::write(path, bytes).expect("written");
}

#[test]
fn a_new_state_says_whose_it_is_after_reopening() {
    let directory = directory();
    let path = directory.path().join("deep/er/shop.db");
    drop(State::create(&path, &new()).expect("created"));
    let meta = State::open(&path, OpenMode::ReadOnly)
        .expect("opened")
        .meta()
        .expect("read");
    assert_eq!(meta.workspace, "shop");
    assert_eq!(meta.lineage, "c0ffee");
    assert_eq!(meta.serial, 0);
    assert_eq!(meta.created_at, at(0));
    assert_eq!(meta.schema_version, SCHEMA_VERSION);
}

#[cfg(unix)]
#[test]
fn only_the_owner_may_read_the_file_and_its_directory() {
    use std::os::unix::fs::PermissionsExt;
    let directory = directory();
    let path = directory.path().join(".tideform/shop.db");
    let mut state = State::create(&path, &new()).expect("created");
    state
        .write(|tx| tx.check_identities(&[], at(0)))
        .expect("written");
    let mode = |path: &Path| fs::metadata(path).expect("there").permissions().mode() & 0o777;
    assert_eq!(mode(&path), 0o600);
    assert_eq!(mode(&directory.path().join(".tideform")), 0o700);
    assert_eq!(mode(&directory.path().join(".tideform/shop.db-wal")), 0o600);
}

#[test]
fn a_state_is_not_made_twice() {
    let directory = directory();
    let path = directory.path().join("shop.db");
    drop(State::create(&path, &new()).expect("created"));
    let error = State::create(&path, &new()).expect_err("refused");
    assert!(
        matches!(error, StateError::AlreadyExists { .. }),
        "{error:?}"
    );
    State::open_or_create(&path, &new()).expect("opened");
}

#[test]
fn what_is_missing_or_was_never_finished_is_not_found() {
    let directory = directory();
    let path = directory.path().join("shop.db");
    for mode in [OpenMode::ReadWrite, OpenMode::ReadOnly] {
        let error = State::open(&path, mode).expect_err("refused");
        assert!(matches!(error, StateError::NotFound { .. }), "{error:?}");
    }
    assert!(!path.exists(), "opening makes no file");
    fs::write(&path, b"").expect("written");
    let error = State::open(&path, OpenMode::ReadWrite).expect_err("refused");
    assert!(matches!(error, StateError::NotFound { .. }), "{error:?}");
    State::open_or_create(&path, &new()).expect("created");
}

#[test]
fn what_is_not_a_state_is_refused() {
    let directory = directory();
    let path = directory.path().join("shop.db");
    overwrite(&path, "resource \"x\" {}\n".repeat(100).as_bytes());
    for result in [
        State::open(&path, OpenMode::ReadWrite),
        State::open(&path, OpenMode::ReadOnly),
        State::create(&path, &new()),
        State::open(directory.path(), OpenMode::ReadWrite),
    ] {
        let error = result.expect_err("refused");
        assert!(matches!(error, StateError::NotAState { .. }), "{error:?}");
    }
}

#[test]
fn the_database_of_another_program_is_refused_and_left_as_it_is() {
    let directory = directory();
    let path = directory.path().join("shop.db");
    let other = rusqlite::Connection::open(&path).expect("opened");
    other.execute_batch("CREATE TABLE t (x)").expect("written");
    drop(other);
    let before = fs::read(&path).expect("read");
    let error = State::open(&path, OpenMode::ReadWrite).expect_err("refused");
    assert!(matches!(error, StateError::NotAState { .. }), "{error:?}");
    let error = State::create(&path, &new()).expect_err("refused");
    assert!(matches!(error, StateError::NotAState { .. }), "{error:?}");
    assert_eq!(fs::read(&path).expect("read"), before);
}

#[test]
fn a_newer_schema_is_refused_with_both_versions() {
    let directory = directory();
    let path = directory.path().join("shop.db");
    drop(State::create(&path, &new()).expect("created"));
    let raw = rusqlite::Connection::open(&path).expect("opened");
    raw.pragma_update(None, "user_version", SCHEMA_VERSION + 1)
        .expect("written");
    drop(raw);
    let error = State::open(&path, OpenMode::ReadWrite).expect_err("refused");
    assert!(
        matches!(error, StateError::Newer { found, supported }
            if found == SCHEMA_VERSION + 1 && supported == SCHEMA_VERSION),
        "{error:?}"
    );
}

#[test]
fn a_damaged_or_cut_file_is_refused() {
    let directory = directory();
    let path = directory.path().join("shop.db");
    drop(State::create(&path, &new()).expect("created"));
    let whole = fs::read(&path).expect("read");
    assert!(whole.len() > 8192);
    let mut scribbled = whole.clone();
    for byte in scribbled.iter_mut().skip(4096) {
        *byte = 0xA5;
    }
    for bytes in [
        &whole[..whole.len() / 2 + 7],
        &whole[..4096],
        &scribbled[..],
    ] {
        overwrite(&path, bytes);
        for mode in [OpenMode::ReadWrite, OpenMode::ReadOnly] {
            let error = State::open(&path, mode).expect_err("refused");
            assert!(matches!(error, StateError::Corrupt { .. }), "{error:?}");
        }
    }
}

#[test]
fn a_reader_sees_a_writers_commits_and_cannot_write() {
    let directory = directory();
    let path = directory.path().join("shop.db");
    let mut writer = State::create(&path, &new()).expect("created");
    let mut reader = State::open(&path, OpenMode::ReadOnly).expect("opened");
    assert_eq!(reader.last_event_id().expect("read"), None);
    writer
        .write(|tx| {
            tx.append_event(&tideform_state::NewEvent::new(
                at(1),
                tideform_state::EventKind::Note,
                "test",
            ))
        })
        .expect("written");
    assert!(reader.last_event_id().expect("read").is_some());
    let error = reader.write(|_| Ok(())).expect_err("refused");
    assert!(matches!(error, StateError::ReadOnly), "{error:?}");
}

#[test]
fn another_workspace_is_refused() {
    let state = State::in_memory(&new()).expect("created");
    state.check_workspace("shop").expect("the same");
    let error = state.check_workspace("blog").expect_err("refused");
    assert_eq!(
        error.to_string(),
        "the state belongs to workspace `shop`, not to `blog`"
    );
}

#[test]
fn a_backup_is_a_whole_state_and_overwrites_nothing() {
    let directory = directory();
    let state = State::create(directory.path().join("shop.db"), &new()).expect("created");
    let copy = directory.path().join("copy.db");
    state.backup(&copy).expect("copied");
    let error = state.backup(&copy).expect_err("refused");
    assert!(
        matches!(error, StateError::AlreadyExists { .. }),
        "{error:?}"
    );
    let restored = State::open(&copy, OpenMode::ReadWrite).expect("opened");
    assert_eq!(restored.meta().expect("read"), state.meta().expect("read"));
    assert_eq!(restored.check().expect("checked"), []);
}

#[test]
fn commits_are_counted_and_announced_when_they_are_on_the_disk() {
    use std::sync::Arc;
    use std::sync::atomic::{AtomicU64, Ordering};
    let mut state = State::in_memory(&new()).expect("created");
    let seen = Arc::new(AtomicU64::new(0));
    let count = Arc::clone(&seen);
    state.on_commit(move |commits| count.store(commits, Ordering::SeqCst));
    let _ = state.write(|tx| tx.check_identities(&[], at(0)));
    let failed = state.write(|_| -> Result<(), _> { Err(StateError::Busy) });
    assert!(failed.is_err());
    let _ = state.write(|tx| tx.check_identities(&[], at(0)));
    assert_eq!(state.commits(), 2);
    assert_eq!(seen.load(Ordering::SeqCst), 2);
}
