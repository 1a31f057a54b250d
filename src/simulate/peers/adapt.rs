//! Adapt: out at once, in by a part of the excess at a time.
//!
//! Source: A. Ali-Eldin, J. Tordsson and E. Elmroth, "An adaptive hybrid elasticity controller for cloud infrastructures"
//! (2012), as restated in A. Bauer et al., "Chameleon" (2019).

use super::by_load::{Moment, Rule};
use crate::engine::round_out;

/// How much more than the demand is launched.
pub const HEAD_ROOM: f64 = 1.1;

/// The share of the excess that ends in a slot.
pub const PART: f64 = 0.25;

/// It.
#[derive(Clone, Copy, Debug, Default)]
pub struct Adapt {
    /// What should have ended and is less than one unit; not above 0.
    left: f64,
}

impl Rule for Adapt {
    const SLOTS: usize = 1;

    fn want(&mut self, moment: &Moment<'_>) -> u32 {
        let (need, has) = (round_out(moment.demand), moment.asked);
        if need > has {
            self.left = 0.0;
            return round_out(HEAD_ROOM * moment.demand);
        }
        self.left += f64::from(has - need) * PART;
        let whole = self.left.trunc();
        self.left -= whole;
        has.saturating_sub(whole as u32).max(need)
    }
}
