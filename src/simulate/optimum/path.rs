//! A capacity path: how many instances serve, and since when.

use super::problem::{Exact, Window};

/// A moment at which the serving capacity changes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Moment {
    /// Milliseconds since the start.
    pub at_ms: u64,
    /// How many serve from then on.
    pub serving: u32,
}

/// Serving capacity over time: constant between moments. The first moment is 0.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Path {
    moments: Vec<Moment>,
}

impl Path {
    /// No instance, ever.
    pub const NONE: Path = Path {
        moments: Vec::new(),
    };

    /// Its moments, in order of time; two in a row differ in capacity.
    pub fn moments(&self) -> &[Moment] {
        &self.moments
    }

    /// How many serve at a time.
    pub fn at(&self, at_ms: u64) -> u32 {
        let after = self.moments.partition_point(|m| m.at_ms <= at_ms);
        after
            .checked_sub(1)
            .and_then(|last| self.moments.get(last))
            .map_or(0, |moment| moment.serving)
    }

    /// Appends a moment that is not before the last.
    pub(super) fn push(&mut self, at_ms: u64, serving: u32) {
        match self.moments.last() {
            Some(last) if last.serving == serving => {}
            _ => self.moments.push(Moment { at_ms, serving }),
        }
    }

    /// Rises, with the time of launch, and falls, in order of time: (launched or ended at, instances).
    pub(super) fn changes(&self, start: u32) -> impl Iterator<Item = (u64, Step)> + '_ {
        let mut before = start;
        self.moments.iter().filter_map(move |moment| {
            let step = if moment.serving > before {
                Step::Rise(moment.serving - before)
            } else {
                Step::Fall(before - moment.serving)
            };
            let changes = moment.serving != before;
            before = moment.serving;
            changes.then_some((moment.at_ms, step))
        })
    }

    /// Whether a window holds more launches or terminations than a rate allows.
    pub(super) fn breaks_rates(&self, exact: &Exact<'_>) -> bool {
        let rises = |step: Step| match step {
            Step::Rise(instances) => instances,
            Step::Fall(_) => 0,
        };
        let falls = |step: Step| match step {
            Step::Fall(instances) => instances,
            Step::Rise(_) => 0,
        };
        exact
            .rate_out
            .is_some_and(|rate| self.breaks(exact, rate, rises))
            || exact
                .rate_in
                .is_some_and(|rate| self.breaks(exact, rate, falls))
    }

    fn breaks(&self, exact: &Exact<'_>, rate: Window, of: impl Fn(Step) -> u32) -> bool {
        let mut old = self.changes(exact.start).map(|(at, step)| (at, of(step)));
        let mut oldest = old.next();
        let mut within = 0_u64;
        for (at, step) in self.changes(exact.start) {
            within += u64::from(of(step));
            while let Some((then, instances)) = oldest
                && then + rate.per_ms <= at
            {
                within -= u64::from(instances);
                oldest = old.next();
            }
            if within > u64::from(rate.instances) {
                return true;
            }
        }
        false
    }
}

/// A change of the serving capacity.
#[derive(Clone, Copy, Debug)]
pub(super) enum Step {
    Rise(u32),
    Fall(u32),
}
