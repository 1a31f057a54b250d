//! What a lock object says: who holds the state, and until when it counts without a renewal.

use jiff::Timestamp;
use serde::{Deserialize, Serialize};

/// The contents of a lock object.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct LockFile {
    /// The version of this format.
    pub format_version: u32,
    /// Names the holding among all others; drawn by the holder.
    pub token: String,
    /// The holder's host.
    pub host: String,
    /// The holder's process.
    pub pid: u32,
    /// What the holder runs, without the values of variables.
    pub command: String,
    /// When it was taken, by the holder's clock.
    pub acquired_at: Timestamp,
    /// How long it holds after it was last written, in seconds.
    pub lease_s: u64,
}
