//! The models against the peers' own cases, against a second writing of the same rules, and in the world.

mod rows;
mod world;

/// The peers' algorithms, written down a second time for the conformance tests.
#[path = "../../../tests/conformance/reference/mod.rs"]
#[allow(
    dead_code,
    clippy::expect_used,
    reason = "shared with the conformance tests, which use all of it"
)]
mod reference;

/// Draws for random cases; the same on every run.
struct Draw(u64);

impl Draw {
    fn below(&mut self, n: u64) -> u64 {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        (self.0 >> 11) % n
    }

    fn between(&mut self, from: u32, to: u32) -> u32 {
        from + u32::try_from(self.below(u64::from(to - from) + 1)).unwrap_or_default()
    }
}
