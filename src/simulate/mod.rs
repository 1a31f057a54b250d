//! What a policy does with a load, in virtual time: the engine, a world, and what came of it.
//!
//! Everything here is pure: it reads no clock and no file, and the same input and seed give the same bytes. The rules
//! of a step, and each measure with its formula and source, are in `docs/simulation.md`.
//!
//! - [`optimum`]: what anybody could have done at best, who had known the load.
//! - [`trace`]: load over time, and reading it from CSV.
//! - [`world`]: the instances, what they serve, and the metrics of that.
//! - [`Controller`]: who decides: a [`Policy`], or a model of something else.
//! - [`peers`]: what a user would use instead; [`native`]: what the cloud's own policies do; [`compare`]: all on one load.
//! - [`Scenario`]: a group and its world, from the files; [`play`] runs it and makes the [`Report`].
//! - [`page`]: all of it as one HTML page, for a review.
//! - [`Run`]: a load through a world under a controller, measured ([`measure`]).

mod asked;
pub mod compare;
mod controller;
pub mod measure;
pub mod native;
pub mod optimum;
mod own;
pub mod page;
pub mod peers;
mod policy;
mod prices;
pub mod render;
mod report;
mod run;
mod scenario;
pub mod trace;
pub mod world;

pub use asked::{Asked, Pinned};
pub use controller::{At, Controller, Fixed, Seen};
pub use measure::Measures;
pub use own::Own;
pub use policy::{Policy, Sight, metric_of};
pub use prices::Prices;
pub use report::{PENALTIES, Regret, Report, Yardstick, play, play_beside_optimum};
pub use run::{Run, Setup, Step, Watch, simulate};
pub use scenario::{Given, Note, Scenario, ScenarioError};
