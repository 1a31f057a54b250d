//! How much load can rise before a new instance serves.

use std::time::Duration;

use serde::Serialize;

use super::{Series, numbers};

/// How much load rises within a boot, as a multiple: 1 is not at all.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Bursts {
    /// The boot delay that was asked about.
    pub boot_s: u64,
    /// What was looked at: the boot in whole steps, at least one.
    pub window_s: u64,
    /// At 1 % of all moments load rises by more.
    pub rise_p99: f64,
    /// At 0.1 % of them.
    pub rise_p999: f64,
    /// The largest rise.
    pub rise_max: f64,
    /// The largest rise from one step to the next, steps shorter than 5 minutes taken together to 5 minutes.
    pub largest_step_up: f64,
}

impl Bursts {
    /// Whether the trace is too coarse to show what happens within a boot.
    pub fn is_coarse(&self) -> bool {
        self.window_s > self.boot_s
    }
}

pub(super) fn of(series: &Series, boot: Duration, mean: f64) -> Bursts {
    let values = &series.values;
    let window = boot.as_secs().div_ceil(series.step_s).max(1) as usize;
    let floor = 0.1 * mean;
    let rise = |from: f64, to: f64| {
        let from = from.max(floor);
        if from > 0.0 {
            (to / from).max(1.0)
        } else {
            1.0
        }
    };
    // The largest of the next `window` steps, by a queue of those that none after them exceeds.
    let mut ahead: std::collections::VecDeque<usize> = std::collections::VecDeque::new();
    let mut rises = Vec::with_capacity(values.len());
    for at in (0..values.len().saturating_sub(1)).rev() {
        while ahead
            .back()
            .is_some_and(|last| values[*last] <= values[at + 1])
        {
            ahead.pop_back();
        }
        ahead.push_back(at + 1);
        while ahead.front().is_some_and(|first| *first > at + window) {
            ahead.pop_front();
        }
        let top = ahead.front().map_or(0.0, |first| values[*first]);
        rises.push(rise(values[at], top));
    }
    rises.sort_by(f64::total_cmp);
    let together = (300 / series.step_s).max(1) as usize;
    let coarse: Vec<f64> = values.chunks_exact(together).map(numbers::mean).collect();
    Bursts {
        boot_s: boot.as_secs(),
        window_s: window as u64 * series.step_s,
        rise_p99: numbers::quantile(&rises, 0.99).max(1.0),
        rise_p999: numbers::quantile(&rises, 0.999).max(1.0),
        rise_max: rises.last().copied().unwrap_or(1.0),
        largest_step_up: coarse
            .windows(2)
            .map(|pair| rise(pair[0], pair[1]))
            .fold(1.0, f64::max),
    }
}
