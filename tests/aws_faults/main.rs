//! The built binary against an AWS that fails: on the wire, by its answers, by what it permits.
//!
//! A proxy before the API server of the tests spoils single calls. After the spoiled run and the next one without faults
//! nothing was done twice, nothing is lost, and every message names the group, the call and the cause.
#![cfg(feature = "aws")]

#[path = "../common/mod.rs"]
mod common;

mod apply;
mod login;
mod messages;
mod permissions;
mod reconcile;
mod secrets;
mod support;
