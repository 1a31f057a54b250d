//! The state, through its public interface.

mod applied;
mod events;
mod file;
mod lease;
mod migrations;
mod overrides;
mod samples;
mod support;
