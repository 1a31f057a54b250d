//! What must hold of every decision, whatever the policy, the observation and the past.
//!
//! `generate` makes whole policies, observations and memories, sane and absurd; `facts` works out on its own what the
//! contract says (bounds, blocks, cooldowns, rates), and `replay` follows the reasons with a pencil. Neither calls the
//! engine's rules. The other files are families of invariants; each property states one.
//!
//! `PROPTEST_CASES=20000 cargo test --lib engine::properties` looks harder. A failure prints the smallest
//! case that it found and a seed; `TIDEFORM_SEED="cc ..."` runs that one first.

mod absurd;
mod blocks;
mod bounds;
mod facts;
mod generate;
mod load;
mod memory;
mod missing;
mod next;
mod quiet;
mod reasons;
mod replay;
mod split;
mod time;

use std::any::Any;

use proptest::test_runner::{Config, FailurePersistence, PersistedSeed};

pub(super) use generate::case;

/// So many cases, or as many as `PROPTEST_CASES` says.
pub(super) fn cases(usual: u32) -> Config {
    Config {
        cases: asked_for("PROPTEST_CASES").unwrap_or(usual),
        failure_persistence: Some(Box::new(PrintedSeed)),
        ..Config::default()
    }
}

/// For a property that runs long at each case: a fraction of them.
fn few_cases(usual: u32) -> Config {
    Config {
        cases: asked_for("PROPTEST_CASES").map_or(usual, |cases: u32| (cases / 1_000).max(usual)),
        ..cases(usual)
    }
}

fn asked_for<T: std::str::FromStr>(variable: &str) -> Option<T> {
    std::env::var(variable).ok()?.trim().parse().ok()
}

/// Prints the seed of a failure, and runs the one that it is given; it writes no file.
#[derive(Clone, Debug, PartialEq)]
struct PrintedSeed;

impl FailurePersistence for PrintedSeed {
    fn load_persisted_failures2(&self, _: Option<&'static str>) -> Vec<PersistedSeed> {
        asked_for("TIDEFORM_SEED").into_iter().collect()
    }

    #[allow(
        clippy::print_stderr,
        reason = "the seed is for the reader of the failed test"
    )]
    fn save_persisted_failure2(
        &mut self,
        _: Option<&'static str>,
        seed: PersistedSeed,
        _: &dyn std::fmt::Debug,
    ) {
        eprintln!(
            "to run this case again: TIDEFORM_SEED=\"{seed}\" cargo test --lib engine::properties"
        );
    }

    fn box_clone(&self) -> Box<dyn FailurePersistence> {
        Box::new(self.clone())
    }

    fn eq(&self, other: &dyn FailurePersistence) -> bool {
        other.as_any().is::<PrintedSeed>()
    }

    fn as_any(&self) -> &dyn Any {
        self
    }
}
