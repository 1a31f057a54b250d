//! ConPaaS: of three predictors the one that was best last time.
//!
//! Source: H. Fernandez, G. Pierre and T. Kielmann, "Autoscaling Web Applications in Heterogeneous Cloud Infrastructures"
//! (2014), as restated in A. Bauer et al., "Chameleon" (2019).

use std::collections::VecDeque;

use super::by_load::{Moment, Rule};
use crate::engine::round_out;

/// Slots that are fitted.
pub const WINDOW: usize = 20;

/// The utilization at which instances are to run.
pub const UTILIZATION: f64 = 0.8;

/// Of exponential smoothing.
pub const SMOOTHING: f64 = 0.5;

/// It.
#[derive(Clone, Copy, Debug, Default)]
pub struct ConPaas {
    predicted: Option<[f64; 3]>,
    best: usize,
}

impl Rule for ConPaas {
    const SLOTS: usize = WINDOW;

    fn want(&mut self, moment: &Moment<'_>) -> u32 {
        let values = moment.demands;
        if values.len() < WINDOW {
            return round_out(moment.demand / UTILIZATION);
        }
        let predicted = [
            autoregression(values),
            line(values, f64::from(moment.boot_slots)),
            smoothed(values),
        ];
        if let Some(last) = self.predicted {
            let error = |place: usize| (last[place] - moment.demand).abs();
            self.best = (1..last.len()).fold(0, |best, place| {
                if error(place) < error(best) {
                    place
                } else {
                    best
                }
            });
        }
        self.predicted = Some(predicted);
        let next = predicted.get(self.best).copied().unwrap_or(moment.demand);
        round_out(next / UTILIZATION).max(1)
    }
}

/// Each value from the one before.
pub(super) fn autoregression(values: &VecDeque<f64>) -> f64 {
    let pairs = || values.iter().zip(values.iter().skip(1));
    let n = (values.len() - 1) as f64;
    let (before, after) = pairs().fold((0.0, 0.0), |(a, b), (x, y)| (a + x / n, b + y / n));
    let spread: f64 = pairs().map(|(x, _)| (x - before).powi(2)).sum();
    let together: f64 = pairs().map(|(x, y)| (x - before) * (y - after)).sum();
    // As published, the covariance is that of a sample and the variance that of a population.
    let factor = if spread / n > 1e-9 {
        together / (n - 1.0) / (spread / n)
    } else {
        0.0
    };
    let newest = values.back().copied().unwrap_or_default();
    after + factor * (newest - before)
}

/// A straight line, so many slots after the next.
pub(super) fn line(values: &VecDeque<f64>, ahead: f64) -> f64 {
    let n = values.len() as f64;
    let middle = (n - 1.0) / 2.0;
    let mean = values.iter().sum::<f64>() / n;
    let (mut spread, mut together) = (0.0, 0.0);
    for (place, value) in values.iter().enumerate() {
        let x = place as f64 - middle;
        spread += x * x;
        together += x * value;
    }
    mean + together / spread * (n + ahead - middle)
}

fn smoothed(values: &VecDeque<f64>) -> f64 {
    let mut values = values.iter();
    let first = values.next().copied().unwrap_or_default();
    values.fold(first, |so_far, value| {
        SMOOTHING * value + (1.0 - SMOOTHING) * so_far
    })
}
