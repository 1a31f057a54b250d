//! The peers' algorithms as README.md states them, written down a second time and nothing else: plain, exact, slow.
//!
//! They know nothing of tideform, but that a flag of the HPA's says which side of a known difference is computed.
//! Numbers of a metric are hundredths in the other two, so that every quotient is exact.

pub(crate) mod aws;
pub(crate) mod hpa;
pub(crate) mod nomad;

/// `a / b`, rounded up. `b` is above 0.
fn ceil(a: i128, b: i128) -> i128 {
    a.div_euclid(b) + i128::from(a.rem_euclid(b) != 0)
}
