//! What can go wrong with a state in an object store.

use std::path::PathBuf;

use thiserror::Error;

/// What can go wrong. Unless a variant says otherwise, nothing was written.
#[derive(Debug, Error)]
pub enum RemoteError {
    /// The store refused us: credentials, or permissions.
    #[error("{action} of {object} was refused: {message}")]
    Denied {
        /// `s3:GetObject`, `s3:PutObject`: also the permission that it needs.
        action: &'static str,
        /// `s3://bucket/key`.
        object: String,
        /// What the store said.
        message: String,
    },
    /// There is no such bucket.
    #[error("{object}: there is no such bucket")]
    NoBucket {
        /// `s3://bucket/key`.
        object: String,
    },
    /// The store cannot be reached, or failed. After an upload its outcome is unknown.
    #[error("{action} of {object} failed: {message}")]
    Unreachable {
        /// `s3:GetObject`, `s3:PutObject`.
        action: &'static str,
        /// `s3://bucket/key`.
        object: String,
        /// What was said last.
        message: String,
    },
    /// Another process has uploaded since ours was fetched.
    #[error("{object} was changed by another process since it was fetched; it was not overwritten")]
    Moved {
        /// `s3://bucket/key`.
        object: String,
    },
    /// The object is gone since it was fetched.
    #[error("{object} was there when this run began, and is gone; it was not made anew")]
    Gone {
        /// `s3://bucket/key`.
        object: String,
    },
    /// Another process works with the state.
    #[error("it is locked by {}", .0.holder)]
    Held(Box<crate::lock::LockView>),
    /// The lock could not be renewed in time, or was taken away.
    #[error("the lock {object} is lost: it was taken away, or could not be renewed in time")]
    LockLost {
        /// `s3://bucket/key.lock`.
        object: String,
    },
    /// What was fetched is damaged.
    #[error("{object} is damaged: {problem}")]
    Damaged {
        /// `s3://bucket/key`.
        object: String,
        /// What is wrong.
        problem: String,
    },
    /// The store takes uploads whose condition does not hold.
    #[error(
        "{object}: the store ignores {condition} of an upload, so two processes could overwrite each other"
    )]
    Unconditional {
        /// `s3://bucket/key`.
        object: String,
        /// `If-None-Match`, `If-Match`.
        condition: &'static str,
    },
    /// A file of the working copy cannot be used.
    #[error("{} cannot be used", path.display())]
    File {
        /// Which.
        path: PathBuf,
        /// Why.
        source: std::io::Error,
    },
    /// The upload was cut short by the end of its runtime.
    #[error("it was interrupted")]
    Interrupted,
}
