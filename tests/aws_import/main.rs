//! `import aws` with the built binary: whatever scales groups today is written down, plans to no changes, and goes on
//! as it is.
#![cfg(feature = "aws")]

#[path = "../common/mod.rs"]
mod common;

mod command;
mod fleet;
mod limits;
mod support;
mod written;
