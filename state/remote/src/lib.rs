//! The state as one object in an object store, for runners without a lasting disk: pull, lock, push.
//!
//! Pure of any cloud: it speaks to the [`object_store::ObjectStore`] trait alone.

mod lock;

pub use lock::LockFile;
