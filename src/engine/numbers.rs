//! Arithmetic that gives whole capacities: rounding that is exact where the numbers are.
//!
//! A value that is mathematically whole never becomes the next one because of binary fractions.

use tideform_policies::model::Share;

/// Relative error that is taken for a rounding error of the arithmetic, not for a part of the value.
const EPSILON: f64 = 1e-10;

/// Rounds up to a capacity: nothing below 0, nothing above the largest capacity. What is whole but for a
/// rounding error stays whole.
#[inline]
pub(crate) fn round_out(x: f64) -> u32 {
    let (whole, rest) = split(x);
    if rest > EPSILON * x.abs() {
        whole.saturating_add(1)
    } else {
        whole
    }
}

/// Rounds down, in the same way.
#[inline]
pub(super) fn round_in(x: f64) -> u32 {
    let (whole, rest) = split(x);
    if 1.0 - rest <= EPSILON * x {
        whole.saturating_add(1)
    } else {
        whole
    }
}

/// The whole part and the rest, from 0 up to 1. Below 0, and of what is no number, both are 0; above the largest
/// capacity there is no rest.
///
/// Not by `floor` and `round`: without newer instructions than the oldest 64-bit processors have, these are calls.
#[inline]
fn split(x: f64) -> (u32, f64) {
    // The cast stops at both ends.
    let whole = x as u32;
    let rest = x - f64::from(whole);
    (whole, if rest > 0.0 && rest < 1.0 { rest } else { 0.0 })
}

/// Cuts a number of 0 or more to a whole one. What is whole but for a rounding error stays whole.
pub(crate) fn cut(x: f64) -> f64 {
    let nearest = x.round();
    if (x - nearest).abs() <= EPSILON * x.abs() {
        nearest
    } else {
        x.trunc()
    }
}

/// `a <= b`, a rounding error aside.
#[inline]
pub(super) fn at_most(a: f64, b: f64) -> bool {
    // Of what is infinite no rounding error is a part.
    a <= b || a.is_finite() && (a - b).abs() <= EPSILON * a.abs().max(b.abs())
}

/// Billionths of a percent: a share as a whole number, so that percentages of capacities are exact.
fn parts(share: Share) -> u128 {
    // Enough for ten billion percent; more has no meaning.
    ((share.percent() * 1e9).round() as u128).min(10_u128.pow(19))
}

const PARTS_OF_ONE: u128 = 100_000_000_000;

/// The share of a capacity, rounded down. Exact.
pub(super) fn share_rounded_in(capacity: u32, share: Share) -> u32 {
    saturate(u128::from(capacity) * parts(share) / PARTS_OF_ONE)
}

/// The share of a capacity, rounded up. Exact.
pub(super) fn share_rounded_out(capacity: u32, share: Share) -> u32 {
    saturate((u128::from(capacity) * parts(share)).div_ceil(PARTS_OF_ONE))
}

/// The share of a capacity as AWS makes a percentage whole: what is above 1 is cut, what is between 0 and 1
/// becomes 1. Of an empty group a share is 1.
pub(crate) fn share_adjusted(capacity: u32, share: Share) -> u32 {
    if parts(share) == 0 {
        return 0;
    }
    share_rounded_in(capacity, share).max(1)
}

/// A weighted mean without overflow. `weights` is above 0.
pub(super) fn mean(sum: f64, weights: f64) -> f64 {
    if sum.is_finite() {
        sum / weights
    } else {
        // Only where values reach the end of what a number can hold.
        f64::MAX.copysign(sum)
    }
}

/// `a x b / c`, finite unless the answer is not.
#[inline]
pub(super) fn scaled(a: f64, b: f64, c: f64) -> f64 {
    let product = a * b;
    if product.is_finite() {
        product / c
    } else {
        a * (b / c)
    }
}

fn saturate(n: u128) -> u32 {
    u32::try_from(n).unwrap_or(u32::MAX)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_infinite_is_at_most_nothing_finite() {
        assert!(at_most(1.0 + 1e-12, 1.0) && !at_most(1.0 + 1e-9, 1.0));
        assert!(!at_most(f64::INFINITY, 6.0) && at_most(6.0, f64::INFINITY));
        assert!(at_most(f64::NEG_INFINITY, 6.0) && !at_most(f64::NAN, 6.0));
    }

    #[test]
    fn cutting_forgives_a_rounding_error_and_nothing_else() {
        for (x, whole) in [
            (56.9, 56.0),
            (57.0, 57.0),
            (28.999_999_999_999_996, 29.0),
            (29.000_000_000_000_004, 29.0),
            (999_999.999_99, 1_000_000.0),
            (999_999.99, 999_999.0),
            (0.5, 0.0),
            (0.0, 0.0),
        ] {
            assert_eq!(cut(x), whole, "{x}");
        }
    }

    #[test]
    fn what_is_whole_but_for_a_rounding_error_stays_whole() {
        for (a, b, c, want) in [
            (3.0, 90.0, 60.0, 5),
            (6.0, 90.0, 60.0, 9),
            (3.0, 0.7, 0.3, 7),
            (3.0, 1.1, 1.1, 3),
            (10.0, 0.1 + 0.2, 0.3, 10),
            (7.0, 60.0 * 1.1, 60.0, 8),
            (1.0, 1e-300, 1.0, 1),
            (1.0, 0.0, 60.0, 0),
            (1.0, -5.0, 60.0, 0),
            (f64::from(u32::MAX), 1e308, 1e-300, u32::MAX),
            (f64::from(u32::MAX), 1.0, 1.0, u32::MAX),
            (49.0, 1.0, 49.0, 1),
            (1000.0, 0.001, 1.0, 1),
        ] {
            assert_eq!(round_out(scaled(a, b, c)), want, "{a} x {b} / {c}");
        }
        // Every whole quotient in a table of decimal fractions.
        for n in 1..200_u32 {
            for tenth in 1..200_u32 {
                let value = f64::from(tenth) / 10.0;
                let got = round_out(scaled(f64::from(n), value, 0.1));
                assert_eq!(got, n * tenth, "{n} x {value} / 0.1");
            }
        }
    }

    #[test]
    fn both_ways_of_rounding_agree_with_the_library_s() {
        let near = |x: f64| {
            let nearest = x.round();
            ((x - nearest).abs() <= EPSILON * x.abs()).then_some(nearest)
        };
        let wholes = [
            0.0,
            1.0,
            2.0,
            7.0,
            999.0,
            1e6,
            4_294_967_294.0,
            4_294_967_295.0,
        ];
        let rests = [
            0.0,
            1e-12,
            1e-10,
            3e-8,
            1e-3,
            0.4,
            0.45,
            0.5,
            0.6,
            1.0 - 1e-7,
        ];
        let odd = [
            f64::NAN,
            f64::INFINITY,
            f64::NEG_INFINITY,
            1e308,
            5e-324,
            4_294_967_295.5,
        ];
        let sums = wholes
            .iter()
            .flat_map(|w| rests.map(|r| [w + r, w - r, -w - r]));
        for x in sums.flatten().chain(odd) {
            assert_eq!(round_out(x), near(x).unwrap_or(x.ceil()) as u32, "{x} out");
            assert_eq!(round_in(x), near(x).unwrap_or(x.floor()) as u32, "{x} in");
        }
    }

    #[test]
    fn rounding_in_and_comparing_forgive_a_rounding_error_of_any_size_of_number() {
        for (x, whole) in [
            (7.999_999_999_999_999, 8),
            (7.9, 7),
            (8.0, 8),
            (8.1, 8),
            (999_999.999_99, 1_000_000),
            (999_999.99, 999_999),
            (0.5, 0),
            (-3.0, 0),
            (1e300, u32::MAX),
        ] {
            assert_eq!(round_in(x), whole, "{x}");
        }
        for (a, b, expected) in [
            (0.1 + 0.2, 0.3, true),
            (0.300_000_1, 0.3, false),
            (1_000_000.000_01, 1_000_000.0, true),
            (1_000_000.01, 1_000_000.0, false),
            (-0.3, -(0.1 + 0.2), true),
            (1.0, 2.0, true),
            (2.0, 1.0, false),
        ] {
            assert_eq!(at_most(a, b), expected, "{a} <= {b}");
        }
    }

    #[test]
    fn a_product_too_large_for_a_number_is_divided_first() {
        for (a, b, c, expected) in [
            (10.0, 1e308, 1e308, 10.0),
            (10.0, 1e308, 1e307, 100.0),
            (3.0, 90.0, 60.0, 4.5),
        ] {
            assert_eq!(scaled(a, b, c), expected, "{a} x {b} / {c}");
        }
    }

    #[test]
    fn percentages_are_exact() {
        for (capacity, percent, cut, up, aws) in [
            (10, 10.0, 1, 1, 1),
            (10, 7.0, 0, 1, 1),
            (127, 10.0, 12, 13, 12),
            (3, 33.3, 0, 1, 1),
            (1000, 33.3, 333, 333, 333),
            (0, 50.0, 0, 0, 1),
            (10, 0.0, 0, 0, 0),
            (29, 100.0, 29, 29, 29),
            (7, 300.0, 21, 21, 21),
            (u32::MAX, 1e12, u32::MAX, u32::MAX, u32::MAX),
        ] {
            let share = Share(percent / 100.0);
            assert_eq!(
                share_rounded_in(capacity, share),
                cut,
                "{capacity} {percent}"
            );
            assert_eq!(
                share_rounded_out(capacity, share),
                up,
                "{capacity} {percent}"
            );
            assert_eq!(share_adjusted(capacity, share), aws, "{capacity} {percent}");
        }
    }
}
