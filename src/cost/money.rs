//! Money that adds up: whole numbers of a very small unit.
//!
//! Prices are taken in billionths of a dollar per hour and times in milliseconds, so that a cost is a whole number of
//! dollars x 1e-9 x ms/h. Sums are exact in every order: a month is its days, a total is its groups.

use std::iter::Sum;
use std::ops::{Add, AddAssign, Mul};

/// The units of a dollar.
const PER_USD: i128 = 1_000_000_000 * 3_600_000;

/// An amount of US dollars, exact.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord)]
pub struct Money(i128);

impl Money {
    /// Nothing.
    pub const ZERO: Money = Money(0);

    /// One instance for so long at this price. The price is rounded to a billionth of a dollar; one that is negative
    /// or not finite counts as 0.
    pub fn of(usd_per_hour: f64, milliseconds: i64) -> Money {
        let nano = (usd_per_hour * 1e9).round();
        // The cast stops at both ends, and makes 0 of what is no number.
        Money(
            i128::from((nano.max(0.0) as u64).min(i64::MAX as u64))
                * i128::from(milliseconds.max(0)),
        )
    }

    /// In dollars; the nearest float.
    pub fn usd(self) -> f64 {
        self.0 as f64 / PER_USD as f64
    }

    /// The number of whole units, for exact apportioning.
    pub(super) fn units(self) -> i128 {
        self.0
    }

    /// The units of a cent.
    pub(super) const CENT: i128 = PER_USD / 100;
}

impl Add for Money {
    type Output = Money;
    fn add(self, other: Money) -> Money {
        Money(self.0.saturating_add(other.0))
    }
}

impl AddAssign for Money {
    fn add_assign(&mut self, other: Money) {
        *self = *self + other;
    }
}

impl Mul<u32> for Money {
    type Output = Money;
    fn mul(self, times: u32) -> Money {
        Money(self.0.saturating_mul(i128::from(times)))
    }
}

impl Sum for Money {
    fn sum<I: Iterator<Item = Money>>(amounts: I) -> Money {
        amounts.fold(Money::ZERO, Add::add)
    }
}

/// Rounds amounts to whole `unit`s such that they add up to their rounded total (largest remainder): each is off by
/// less than one unit. Amounts are not negative. Answers the rounded amounts and the total, in units.
pub(super) fn apportion(amounts: &[i128], unit: i128) -> (Vec<i128>, i128) {
    let sum: i128 = amounts.iter().sum();
    let total = (sum + unit / 2).div_euclid(unit);
    let mut rounded: Vec<i128> = amounts
        .iter()
        .map(|amount| amount.div_euclid(unit))
        .collect();
    let mut left = total - rounded.iter().sum::<i128>();
    let mut order: Vec<(i128, usize)> = amounts
        .iter()
        .enumerate()
        .map(|(i, amount)| (amount.rem_euclid(unit), i))
        .collect();
    order.sort_by(|a, b| b.0.cmp(&a.0).then(a.1.cmp(&b.1)));
    for (_, i) in order {
        if left <= 0 {
            break;
        }
        if let Some(amount) = rounded.get_mut(i) {
            *amount += 1;
            left -= 1;
        }
    }
    (rounded, total)
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn an_hour_at_a_price_costs_the_price() {
        assert_eq!(Money::of(0.096, 3_600_000).usd(), 0.096);
        assert_eq!((Money::of(0.096, 1_800_000) * 4).usd(), 0.192);
        for price in [f64::NAN, f64::INFINITY, -1.0] {
            let money = Money::of(price, 1);
            assert!(money >= Money::ZERO, "{price}");
        }
        assert_eq!(Money::of(f64::NAN, 1), Money::ZERO);
        assert_eq!(Money::of(1.0, -5), Money::ZERO);
    }

    #[test]
    fn rounded_rows_add_up_to_the_rounded_total() {
        // Three thirds of a dollar in cents: 33 + 33 + 33 would be 99.
        assert_eq!(apportion(&[333, 333, 334], 10), (vec![33, 33, 34], 100));
        assert_eq!(apportion(&[4, 4, 4], 10), (vec![1, 0, 0], 1));
        assert_eq!(apportion(&[], 10), (vec![], 0));
    }

    proptest! {
        #[test]
        fn apportioning_is_never_off_by_a_whole_unit(
            amounts in prop::collection::vec(0i128..1_000_000, 0..40), unit in 1i128..5_000
        ) {
            let (rounded, total) = apportion(&amounts, unit);
            prop_assert_eq!(rounded.iter().sum::<i128>(), total);
            for (amount, rounded) in amounts.iter().zip(rounded) {
                prop_assert!((rounded * unit - amount).abs() < unit);
            }
        }
    }
}
