//! What a policy does with a load, in virtual time: the engine, a world, and what came of it.
//!
//! Everything here is pure: it reads no clock and no file, and the same input and seed give the same bytes. The rules
//! of a step, and each measure with its formula and source, are in `docs/simulation.md`.
//!
//! - [`optimum`]: what anybody could have done at best, who had known the load.
//! - [`trace`]: load over time, and reading it from CSV.

pub mod optimum;
pub mod trace;
