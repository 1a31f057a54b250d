//! The embedded mock cloud: a persistent simulated world with a clock of its own.
//!
//! - [`world`]: the kernel, in memory: groups, instances, loads, metrics, faults. No clock, no I/O.
//! - [`store`]: the world in a file, which several processes share.
//! - [`MockProvider`]: the world as a provider; [`settings`] and [`launch`] are what the files may say.
//! - [`admin`]: hands in the world, for `tideform mock …` and for tests.

pub mod admin;
mod clock;
pub mod launch;
pub mod lenient;
mod provider;
pub mod settings;
pub mod store;
pub mod world;

pub use clock::SteppedClock;
pub use provider::MockProvider;
pub use settings::MockSettings;
