//! Reg: out at once, in by a quadratic fit of the last slots.
//!
//! Source: W. Iqbal, M. Dailey, D. Carrera and P. Janecek, "Adaptive resource provisioning for read intensive multi-tier
//! applications in the cloud" (2011), as restated in A. Bauer et al., "Chameleon" (2019).

use std::collections::VecDeque;

use super::by_load::{Moment, Rule};
use crate::engine::round_out;

/// Slots that are fitted.
pub const WINDOW: usize = 60;

/// Fewer say nothing.
pub const LEAST: usize = 5;

/// How much more than the demand is launched.
pub const HEAD_ROOM_OUT: f64 = 1.05;

/// How much more than what is predicted is kept.
pub const HEAD_ROOM_IN: f64 = 1.2;

/// It.
#[derive(Clone, Copy, Debug, Default)]
pub struct Reg;

impl Rule for Reg {
    const SLOTS: usize = WINDOW;

    fn want(&mut self, moment: &Moment<'_>) -> u32 {
        let (need, has) = (round_out(moment.demand), moment.asked);
        if need >= has {
            return round_out(HEAD_ROOM_OUT * moment.demand);
        }
        if moment.demands.len() < LEAST {
            return has;
        }
        let next = quadratic_next(moment.demands).max(0.0);
        has.min(round_out(next * HEAD_ROOM_IN).max(1))
    }
}

/// The next value of the quadratic that fits best, by least squares.
pub(super) fn quadratic_next(values: &VecDeque<f64>) -> f64 {
    // Around the middle of the window the sums of odd powers are 0.
    let n = values.len() as f64;
    let middle = (n - 1.0) / 2.0;
    let (mut s2, mut s4) = (0.0, 0.0);
    let (mut y0, mut y1, mut y2) = (0.0, 0.0, 0.0);
    for (place, value) in values.iter().enumerate() {
        let x = place as f64 - middle;
        s2 += x * x;
        s4 += x.powi(4);
        y0 += value;
        y1 += x * value;
        y2 += x * x * value;
    }
    let square = (n * y2 - s2 * y0) / (n * s4 - s2 * s2);
    let slope = y1 / s2;
    let level = (y0 - square * s2) / n;
    let x = n - middle;
    level + slope * x + square * x * x
}
