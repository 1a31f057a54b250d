//! React: thresholds with head room on both sides.
//!
//! Source: T. Chieu, A. Mohindra, A. Karve and A. Segal, "Dynamic Scaling of Web Applications in a Virtualized Cloud
//! Computing Environment" (2009), as restated in A. Bauer et al., "Chameleon" (2019).

use super::by_load::{Moment, Rule};
use crate::engine::round_out;

/// How much more than the demand is launched.
pub const HEAD_ROOM: f64 = 1.2;

/// Nothing ends while the demand and a tenth fill what there is.
pub const FULL: f64 = 1.1;

/// It.
#[derive(Clone, Copy, Debug, Default)]
pub struct React;

impl Rule for React {
    const SLOTS: usize = 1;

    fn want(&mut self, moment: &Moment<'_>) -> u32 {
        let (need, has) = (round_out(moment.demand), moment.asked);
        if need > has {
            has + round_out(f64::from(need - has) * HEAD_ROOM)
        } else if FULL * moment.demand < f64::from(has) {
            round_out(f64::from(need) * HEAD_ROOM)
        } else {
            has
        }
    }
}
