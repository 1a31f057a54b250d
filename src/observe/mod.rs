//! From a group to what a decision needs to see of it: which metrics to ask for, reading them, putting them together.
//!
//! Requests and assembly are pure; only [`read()`] does I/O. Nothing here decides, changes or stores anything.

mod read;
mod requests;

pub use read::{Read, read, read_live};
pub(crate) use requests::after;
pub use requests::{SourcedRequest, freshness, requests_for};
