//! Exit codes: what a script may rely on.
//!
//! A number never changes its meaning. Wrong usage is a failure like any other: 2 is only for changes.

/// All is well; with `--detailed-exitcode` also: there are no changes.
pub const WELL: u8 = 0;
/// It failed: wrong usage, a broken file, a provider that said no, a bug.
pub const FAILURE: u8 = 1;
/// `plan --detailed-exitcode`: the plan has changes.
pub const CHANGES: u8 = 2;
/// A check found something: `fmt --check`, a gate of `plan --fail-if`.
pub const FOUND: u8 = 3;
/// Another process holds the lease of the state. Nothing was changed.
pub const LEASE_HELD: u8 = 4;
/// The plan file is out of date: the state or the cloud has moved since. Nothing was changed.
pub const PLAN_STALE: u8 = 5;
