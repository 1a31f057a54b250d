//! What can go wrong with a state, by what the caller can do about it.

use std::path::PathBuf;

use jiff::Timestamp;
use rusqlite::ErrorCode;
use thiserror::Error;
use tideform_policies::model::GroupAddress;

use crate::identity::ProviderIdentity;
use crate::lease::LeaseHolder;

/// A cause that is only for people.
pub type BoxError = Box<dyn std::error::Error + Send + Sync>;

/// What can go wrong with a state. Unless a variant says otherwise, nothing was written.
#[derive(Debug, Error)]
pub enum StateError {
    /// There is no state at this path: `init` or `apply` makes one.
    #[error("there is no state at {}", path.display())]
    NotFound {
        /// Where it was looked for.
        path: PathBuf,
    },
    /// There is a state at this path already.
    #[error("there is a state at {} already", path.display())]
    AlreadyExists {
        /// Where.
        path: PathBuf,
    },
    /// The file is not a state of tideform: the path is wrong, or the file was overwritten.
    #[error("{} is not a tideform state: {reason}", path.display())]
    NotAState {
        /// Which file.
        path: PathBuf,
        /// What it looks like.
        reason: String,
    },
    /// It was written by a newer tideform: use that version, or one that is newer still.
    #[error("the state has schema version {found}, and this program knows up to {supported}")]
    Newer {
        /// The version in the file.
        found: u32,
        /// The newest that this program knows.
        supported: u32,
    },
    /// The file is damaged: restore a backup.
    #[error("the state is damaged: {problem}")]
    Corrupt {
        /// What SQLite or our own checks say.
        problem: String,
    },
    /// Another process was writing all the time that we waited (5 s): try again.
    #[error("another process is writing to the state")]
    Busy,
    /// It was opened for reading only, or the file system does not allow writing.
    #[error("the state is open for reading only")]
    ReadOnly,
    /// It belongs to another workspace.
    #[error("the state belongs to workspace `{recorded}`, not to `{expected}`")]
    WrongWorkspace {
        /// Whose it is.
        recorded: String,
        /// Whose it should be.
        expected: String,
    },
    /// A provider now answers from another account or region than when it was first used with this state.
    #[error(
        "{} was {} in {}, and is now {} in {}",
        .recorded.provider, .recorded.account, .recorded.region, .found.account, .found.region
    )]
    AccountMoved {
        /// Who we were when the provider was first used.
        recorded: Box<ProviderIdentity>,
        /// Who we are now.
        found: Box<ProviderIdentity>,
    },
    /// The group is not in the state.
    #[error("{group} is not in the state")]
    UnknownGroup {
        /// Which.
        group: GroupAddress,
    },
    /// There is a group of this address in the state already.
    #[error("{group} is in the state already")]
    GroupExists {
        /// Which.
        group: GroupAddress,
    },
    /// Somebody else works with this state, or waits for it before us: wait, or see who it is.
    #[error("the lease is {} {holder} until {until:.0}", if *waiting { "awaited by" } else { "held by" })]
    LeaseHeld {
        /// Who.
        holder: LeaseHolder,
        /// Until when, unless renewed.
        until: Timestamp,
        /// It is free or about to be, but this one asked for it first.
        waiting: bool,
    },
    /// The lease expired and was taken by somebody else, or was released: stop acting at once.
    #[error("the lease is lost{}", .to.as_ref().map(|holder| format!(" to {holder}")).unwrap_or_default())]
    LeaseLost {
        /// Who has it now.
        to: Option<LeaseHolder>,
    },
    /// There is no such record: an intent, an override, an apply.
    #[error("there is no {what} {id}")]
    UnknownRecord {
        /// `intent`, `override`, `apply`.
        what: &'static str,
        /// Its number.
        id: i64,
    },
    /// It has ended already: an intent that is settled, an override that has ended, an apply that is finished.
    #[error("{what} {id} has ended already")]
    AlreadyEnded {
        /// `intent`, `override`, `apply`.
        what: &'static str,
        /// Its number.
        id: i64,
    },
    /// A value cannot be kept: a number that is not finite, a time out of range, an empty window.
    #[error("{what} cannot be recorded: {why}")]
    Unrecordable {
        /// What.
        what: String,
        /// Why.
        why: String,
    },
    /// A record cannot be understood by this version: it was written by another one, or by hand.
    #[error("{what} in the state cannot be read")]
    Unreadable {
        /// What.
        what: String,
        /// Why.
        source: serde_json::Error,
    },
    /// The shared state, or its lock, cannot be reached or used.
    #[error("the shared state cannot be used")]
    Remote {
        /// Why.
        source: BoxError,
    },
    /// Another state took the place of the shared one since it was read.
    #[error("the shared state is another one than before: its lineage differs")]
    Replaced,
    /// What was recorded here cannot be known to be in the shared state.
    #[error("what this run recorded is not in the shared state")]
    NotPublished {
        /// The copy that has it.
        kept: Option<PathBuf>,
        /// Why.
        source: BoxError,
    },
    /// The file system failed.
    #[error("{} cannot be used", path.display())]
    Io {
        /// Which file.
        path: PathBuf,
        /// Why.
        source: std::io::Error,
    },
    /// SQLite failed in a way that has no name of its own here: a full disk, or a bug in tideform.
    #[error("the state cannot be read or written")]
    Sql {
        /// What SQLite says.
        source: BoxError,
    },
}

impl From<rusqlite::Error> for StateError {
    fn from(error: rusqlite::Error) -> StateError {
        match error.sqlite_error_code() {
            Some(ErrorCode::DatabaseBusy | ErrorCode::DatabaseLocked) => StateError::Busy,
            Some(ErrorCode::ReadOnly) => StateError::ReadOnly,
            Some(ErrorCode::DatabaseCorrupt | ErrorCode::NotADatabase) => StateError::Corrupt {
                problem: error.to_string(),
            },
            _ => StateError::Sql {
                source: error.into(),
            },
        }
    }
}
