//! A state that other machines share: the file is a working copy of what a [`Remote`] keeps.
//!
//! ```text
//! open a copy -> read                                      nothing is locked, nothing is written
//! open a copy -> enter -> write ... publish -> ... leave   one machine at a time
//! ```
//!
//! [`State::enter`] takes the remote's lock and brings the copy up to date; [`State::publish`] uploads what was committed
//! since; [`State::leave`] does so too and gives the lock back. In between the lease of [`State::acquire_lease`] never
//! reaches past what the lock guarantees. Outside of it every write is refused: it would be lost with the copy. For a
//! state that is a file of its own all of this does nothing.

use std::path::{Path, PathBuf};

use async_trait::async_trait;
use jiff::Timestamp;
use rusqlite::Connection;

use crate::error::{BoxError, StateError};
use crate::events::{EventKind, NewEvent};
use crate::lease::LeaseHolder;
use crate::open::{OpenMode, State, copy_into};

/// What keeps a state in step with the copy that all machines see. One writer at a time holds its lock.
#[async_trait]
pub trait Remote: Send + Sync + std::fmt::Debug {
    /// Takes the lock, then looks whether the copy that was fetched last is still the newest.
    ///
    /// # Errors
    /// [`StateError::LeaseHeld`]; [`StateError::Remote`]. The lock is not held then.
    async fn enter(&mut self, holder: &LeaseHolder) -> Result<Entered, StateError>;

    /// Until when this process alone may write, by the machine's clock; renewed by itself. `None`: not, or no longer.
    fn held_until(&self) -> Option<Timestamp>;

    /// A file name for the next copy that is to be uploaded.
    fn next_copy(&mut self) -> PathBuf;

    /// Uploads a copy, if the remote still holds what this one was made from.
    ///
    /// # Errors
    /// Why it cannot be known to be there. Another process's upload is never overwritten.
    async fn upload(&mut self, copy: &Path) -> Result<(), BoxError>;

    /// Puts a copy that could not be uploaded where a person finds it; `None`: that failed too.
    fn keep(&mut self, copy: &Path) -> Option<PathBuf>;

    /// Gives the lock back; one that cannot be given back runs out by itself.
    async fn leave(&mut self);
}

/// What taking the lock has shown.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Entered {
    /// A newer copy than the one fetched before, complete and checked.
    pub newer: Option<PathBuf>,
    /// Whose lock had expired.
    pub taken_from: Option<LeaseHolder>,
    /// Now, by the machine's clock.
    pub at: Option<Timestamp>,
}

/// The remote of a state, and how far it has got.
pub(crate) struct RemoteSide {
    remote: Box<dyn Remote>,
    is_entered: bool,
    /// The commits that were in the last upload; `None`: this state was never uploaded.
    published: Option<u64>,
}

impl State {
    /// Makes this file the working copy of a remote.
    ///
    /// - `is_new`: the remote has no copy yet, so that the first upload makes it.
    pub fn share(&mut self, remote: Box<dyn Remote>, is_new: bool) {
        let published = (!is_new).then_some(self.commits());
        self.remote = Some(RemoteSide {
            remote,
            is_entered: false,
            published,
        });
    }

    /// Whether it is the working copy of a remote.
    pub fn is_shared(&self) -> bool {
        self.remote.is_some()
    }

    /// Whether writes are refused because the remote's lock is not held.
    pub(crate) fn is_outside(&self) -> bool {
        self.remote.as_ref().is_some_and(|side| !side.is_entered)
    }

    /// The longest that a lease may hold.
    ///
    /// # Errors
    /// [`StateError::LeaseLost`] without the remote's lock.
    pub(crate) fn lease_limit(&self) -> Result<Option<Timestamp>, StateError> {
        match &self.remote {
            None => Ok(None),
            Some(side) => match side.remote.held_until().filter(|_| side.is_entered) {
                Some(until) => Ok(Some(until)),
                None => Err(StateError::LeaseLost { to: None }),
            },
        }
    }

    /// Takes the remote's lock and brings the copy up to date, in one try. Nothing happens where it is held already.
    ///
    /// # Errors
    /// [`StateError::LeaseHeld`]; [`StateError::Remote`]; [`StateError::Replaced`].
    pub async fn enter(&mut self, holder: &LeaseHolder) -> Result<(), StateError> {
        let Some(side) = self.remote.as_mut().filter(|side| !side.is_entered) else {
            return Ok(());
        };
        let entered = side.remote.enter(holder).await?;
        side.is_entered = true;
        let begun = self.begin(entered, holder);
        if begun.is_err()
            && let Some(side) = &mut self.remote
        {
            side.is_entered = false;
            side.remote.leave().await;
        }
        begun
    }

    fn begin(&mut self, entered: Entered, holder: &LeaseHolder) -> Result<(), StateError> {
        if let Some(path) = &entered.newer {
            let was_uploaded = self
                .remote
                .as_ref()
                .is_some_and(|side| side.published.is_some());
            let before = self.meta()?;
            let newer = State::open(path, OpenMode::ReadWrite)?;
            let after = newer.meta()?;
            newer.check_workspace(&before.workspace)?;
            // One that was only made here, and never uploaded, gives way to the one that is there by now.
            if was_uploaded && before.lineage != after.lineage {
                return Err(StateError::Replaced);
            }
            self.replace_with(newer);
            let commits = self.commits();
            if let Some(side) = &mut self.remote {
                side.published = Some(commits);
            }
        }
        if let (Some(from), Some(at)) = (entered.taken_from, entered.at) {
            self.write(|tx| {
                tx.append_event(&NewEvent {
                    text: format!("the lock of the shared state was taken from {from}"),
                    ..NewEvent::new(at, EventKind::LeaseTaken, &holder.command)
                })
            })?;
        }
        Ok(())
    }

    /// Uploads what was committed since the last upload: when this returns, every other machine finds it.
    ///
    /// # Errors
    /// [`StateError::NotPublished`]; [`StateError::LeaseLost`] without the lock.
    pub async fn publish(&mut self) -> Result<(), StateError> {
        let commits = self.commits();
        let Some(side) = &mut self.remote else {
            return Ok(());
        };
        if side.published == Some(commits) {
            return Ok(());
        }
        if !side.is_entered {
            return Err(StateError::LeaseLost { to: None });
        }
        let copy = side.remote.next_copy();
        prepare(&self.connection, &copy)?;
        let uploaded = side.remote.upload(&copy).await;
        match uploaded {
            Ok(()) => {
                let _ = std::fs::remove_file(&copy);
                side.published = Some(commits);
                Ok(())
            }
            Err(source) => Err(StateError::NotPublished {
                kept: Some(copy),
                source,
            }),
        }
    }

    /// Uploads what was committed, and gives the lock back. A copy that cannot be uploaded is kept for a person.
    ///
    /// # Errors
    /// [`StateError::NotPublished`]. The lock is given back all the same.
    pub async fn leave(&mut self) -> Result<(), StateError> {
        if self.remote.as_ref().is_none_or(|side| !side.is_entered) {
            return Ok(());
        }
        let published = self.publish().await;
        let Some(side) = &mut self.remote else {
            return published;
        };
        side.is_entered = false;
        let published = match published {
            Err(StateError::NotPublished {
                kept: Some(copy),
                source,
            }) => Err(StateError::NotPublished {
                kept: side.remote.keep(&copy),
                source,
            }),
            other => other,
        };
        side.remote.leave().await;
        published
    }
}

/// Writes the copy that is uploaded: compact, checked, and without a lease, which means nothing to other machines.
fn prepare(connection: &Connection, copy: &Path) -> Result<(), StateError> {
    copy_into(connection, copy)?;
    let copied = Connection::open(copy)?;
    copied.execute(
        "UPDATE lease SET holder = NULL, holder_id = NULL, acquired_at = NULL, until_at = NULL, locked = 0",
        [],
    )?;
    copied.execute("DELETE FROM lease_requests", [])?;
    let answer: String = copied.query_row("PRAGMA integrity_check(1)", [], |row| row.get(0))?;
    if answer != "ok" {
        return Err(StateError::Corrupt { problem: answer });
    }
    copied.close().map_err(|(_, error)| error.into())
}
