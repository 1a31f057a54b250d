//! Random cases: one seed for a run, printed at its end; `TIDEFORM_SEED` repeats it.

use std::hash::{BuildHasher, Hasher, RandomState};
use std::sync::OnceLock;

use libtest_mimic::Failed;
use proptest::strategy::Strategy;
use proptest::test_runner::{Config, RngAlgorithm, TestCaseError, TestError, TestRng, TestRunner};

/// The seed of this run.
pub(crate) fn seed() -> u64 {
    static SEED: OnceLock<u64> = OnceLock::new();
    *SEED.get_or_init(|| {
        std::env::var("TIDEFORM_SEED")
            .ok()
            .and_then(|text| text.parse().ok())
            .unwrap_or_else(|| RandomState::new().build_hasher().finish())
    })
}

/// The last line of a run.
#[allow(clippy::print_stdout, reason = "the summary of a test run")]
pub(crate) fn print_seed() {
    println!("random cases: TIDEFORM_SEED={} repeats them", seed());
}

/// Tries so many cases, or as many as `TIDEFORM_CASES` says; the error holds the smallest one that fails, and the seed.
pub(crate) fn check<S: Strategy>(
    cases: u32,
    strategy: &S,
    agree: impl Fn(&S::Value) -> Result<(), String>,
) -> Result<(), Failed> {
    let mut bytes = [0; 32];
    bytes[..8].copy_from_slice(&seed().to_le_bytes());
    let asked = std::env::var("TIDEFORM_CASES").ok();
    let config = Config {
        cases: asked.and_then(|n| n.parse().ok()).unwrap_or(cases),
        failure_persistence: None,
        max_shrink_iters: 300,
        ..Config::default()
    };
    let mut runner =
        TestRunner::new_with_rng(config, TestRng::from_seed(RngAlgorithm::ChaCha, &bytes));
    let result = runner.run(strategy, |case| agree(&case).map_err(TestCaseError::fail));
    result.map_err(|error| {
        let message = match error {
            TestError::Fail(reason, case) => format!("{case:#?}\n{}", reason.message()),
            TestError::Abort(reason) => reason.message().to_owned(),
        };
        Failed::from(format!("TIDEFORM_SEED={} repeats this\n{message}", seed()))
    })
}
