//! What came of a run: cost, shortage, elasticity, changes. Formulas and sources: `docs/simulation.md`.
//!
//! [`Tally`] counts in whole numbers as steps pass, and needs no more memory for a longer run; [`Measures`] is the answer.

mod measures;
mod tally;
#[cfg(test)]
mod tests;

pub use measures::{Elasticity, Measures, elastic_speedup};
pub use tally::Tally;
