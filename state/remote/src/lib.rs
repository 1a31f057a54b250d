//! The state as one object in an object store, for runners without a lasting disk: fetch, lock, upload.
//!
//! ```text
//! KEY         the SQLite database, compact and checked; replaced on its ETag alone
//! KEY.lock    who works with it: made with If-None-Match, replaced on its ETag
//! KEY.clock   written to learn the store's time, when somebody else holds the lock
//! ```
//!
//! Pure of any cloud: it speaks to the [`object_store::ObjectStore`] trait alone, and finds credentials nowhere. It knows
//! nothing of what the database holds.

mod error;
mod kept;
mod lock;
mod remote;
mod store;
mod time;
mod work;

pub use error::RemoteError;
pub use lock::{LockFile, LockView};
pub use remote::{LOCK_TIME, ObjectRemote, RemoteOptions, runtime};
pub use store::NO_CREDENTIALS;
pub use time::{SystemTime, Time};
