//! Moving a state to where the files now say that it is: `init --migrate-state`.

use std::path::{Path, PathBuf};

use jiff::Timestamp;
use tideform_state::{OpenMode, State, StateError};

use super::context::Context;
use super::error::CliError;
use super::opened::lease_holder;
use super::place::{Place, Where};
use crate::apply::HeldLease;

/// Moves the state of `old` to `new`. Nobody else works with either meanwhile. Answers where the old one was put aside;
/// a shared one stays where it is.
///
/// # Errors
/// Somebody works with one of them; there is a state at `new` already; what reading and writing them says. The old state
/// is as it was then.
pub(super) fn migrate(cx: &Context, old: &Place, new: &Place) -> Result<Option<PathBuf>, CliError> {
    let holder = lease_holder();
    let mut from = cx.open_state(old, OpenMode::ReadWrite)?;
    cx.enter(&mut from, &holder, std::time::Duration::ZERO)?;
    let moved = copy(cx, &mut from, new);
    let left = cx.block_on(from.leave())?;
    drop(from);
    moved?;
    left?;
    match &old.at {
        Where::Shared(_) => Ok(None),
        Where::File(path) => put_aside(path).map(Some),
    }
}

fn copy(cx: &Context, from: &mut State, new: &Place) -> Result<(), CliError> {
    // A loop that runs on this machine is not to go on with a state that others no longer see.
    let lease = HeldLease::take(from, &lease_holder())?;
    let copied = match &new.at {
        Where::File(path) => file_copy(from, path, &lease),
        Where::Shared(address) => upload(cx, from, &cx.remote(address, new)?.name(), new, address),
    };
    let released = lease.release(from);
    copied?;
    released?;
    Ok(())
}

/// Copies into a file, where nobody holds the lease.
fn file_copy(from: &State, path: &Path, lease: &HeldLease) -> Result<(), CliError> {
    from.backup(path)?;
    State::open(path, OpenMode::ReadWrite)?.release_lease(lease.lease())?;
    Ok(())
}

fn upload(
    cx: &Context,
    from: &State,
    name: &str,
    new: &Place,
    address: &crate::backend::Address,
) -> Result<(), CliError> {
    let taken = || {
        CliError::Nothing {
        summary: "There is a state already",
        why: format!("{name} holds a state. Nothing was moved."),
        hint: "if it is the right one, `tideform init --reconfigure` goes on with it; else name another `key`."
            .to_owned(),
    }
    };
    let mut remote = cx.remote(address, new)?;
    if cx.block_on(remote.fetch())??.is_some() {
        return Err(taken());
    }
    let copy = remote.path_for_new();
    from.backup(&copy)?;
    let mut state = State::open(&copy, OpenMode::ReadWrite)?;
    let lineage = state.meta()?.lineage;
    state.share(Box::new(remote), true);
    cx.enter(&mut state, &lease_holder(), std::time::Duration::ZERO)?;
    if state.meta()?.lineage != lineage {
        // Somebody made one at the same moment; nothing of ours is written into it.
        cx.block_on(state.leave())??;
        return Err(taken());
    }
    Ok(cx.block_on(state.leave())??)
}

/// Renames a file that nobody is to work with any more.
fn put_aside(path: &Path) -> Result<PathBuf, CliError> {
    let mut name = path.as_os_str().to_owned();
    name.push(format!(
        ".moved-{}",
        Timestamp::now().strftime("%Y%m%dT%H%M%SZ")
    ));
    let aside = PathBuf::from(name);
    std::fs::rename(path, &aside).map_err(|source| {
        CliError::State(StateError::Io {
            path: path.to_owned(),
            source,
        })
    })?;
    // Of the file that was just closed; a backup is whole without them.
    for suffix in ["-wal", "-shm", ".lock"] {
        let mut beside = path.as_os_str().to_owned();
        beside.push(suffix);
        let _ = std::fs::remove_file(PathBuf::from(beside));
    }
    Ok(aside)
}
