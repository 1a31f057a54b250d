//! Slope clipping: the optimum without rates and minimum billing, by dynamic programming over time.
//!
//! `f(x)`, the least cost so far of serving with `x` now, is convex. It is kept as its slopes, `f(x + 1) - f(x)`, a
//! rising staircase over the levels `x`. Changing capacity clips the staircase: one more costs the boot, so no slope is
//! above it; one less costs the drain, so none is below minus that. A stretch of demand `d` then adds its length to each
//! slope, and below `d` takes off again what an instance there saves in penalty. What the clipping of a moment
//! leaves open, from `low` to `high`, is stored; going back in time, the path stays where it is, brought into that range.
//!
//! The levels are independent of each other, so that limits on the capacity are kept by cutting the path to them.

use super::path::Path;
use super::problem::{Exact, Stretch};

/// A rise of the staircase: from this level on, slopes are higher by so much.
#[derive(Clone, Copy, Debug)]
struct Jump {
    level: u32,
    height: f64,
}

/// The slopes of `f`.
#[derive(Debug)]
struct Staircase {
    /// The slope at level 0.
    bottom: f64,
    /// In order of level, no two alike.
    jumps: Vec<Jump>,
    /// As long as nothing can have booted: capacity cannot be above it.
    ceiling: Option<u32>,
}

/// What a moment leaves open: the best capacity before it is the one after it, brought into this range.
#[derive(Clone, Copy, Debug)]
struct Range {
    at_ms: u64,
    low: u32,
    high: u32,
}

pub(super) fn solve(exact: &Exact<'_>) -> Path {
    let mut stairs = Staircase {
        // Before the first moment capacity is what it is at the start.
        bottom: f64::NEG_INFINITY,
        jumps: Vec::new(),
        ceiling: Some(exact.start),
    };
    let mut open: Vec<Range> = Vec::new();
    let mut path = Path::default();
    let mut writer = Writer {
        path: &mut path,
        exact,
    };
    let mut part = |part: Stretch| {
        let can_rise = part.from_ms >= exact.boot_ms;
        let fall = exact.drain_ms.min(exact.end_ms - part.from_ms) as f64;
        let rise = can_rise.then_some(exact.boot_ms as f64);
        let (low, high) = stairs.clip(fall, rise);
        // The past is settled, whatever comes: it need not be kept.
        if low == high {
            writer.settle(&mut open, low);
        }
        open.push(Range {
            at_ms: part.from_ms,
            low,
            high,
        });
        stairs.serve(exact.needs(part.demand), (part.to_ms - part.from_ms) as f64);
    };
    for stretch in exact.stretches() {
        // Divided where the first launches can be ready.
        if stretch.from_ms < exact.boot_ms && exact.boot_ms < stretch.to_ms {
            part(Stretch {
                to_ms: exact.boot_ms,
                ..stretch
            });
            part(Stretch {
                from_ms: exact.boot_ms,
                ..stretch
            });
        } else {
            part(stretch);
        }
    }
    let last = stairs.lowest();
    writer.settle(&mut open, last);
    path
}

impl Staircase {
    /// Lets capacity change: falls cost `fall` an instance, rises `rise`, or are impossible. Answers which levels are
    /// settled below, and which above: levels below `low` have been on, those from `high` on have been off.
    fn clip(&mut self, fall: f64, rise: Option<f64>) -> (u32, u32) {
        let low = self.clip_falls(fall);
        match rise {
            Some(rise) => (low, self.clip_rises(rise).max(low)),
            None => (low, u32::MAX),
        }
    }

    fn clip_falls(&mut self, fall: f64) -> u32 {
        if self.bottom >= -fall {
            return 0;
        }
        let mut slope = self.bottom;
        self.bottom = -fall;
        for place in 0..self.jumps.len() {
            let jump = &mut self.jumps[place];
            slope += jump.height;
            if slope >= -fall {
                let low = jump.level;
                jump.height = slope + fall;
                let gone = if jump.height > 0.0 { place } else { place + 1 };
                self.jumps.drain(..gone);
                return low;
            }
        }
        // No slope is left; without a ceiling the last of them is at least 0.
        let last = self.jumps.last().map_or(0, |jump| jump.level);
        self.jumps.clear();
        self.ceiling.unwrap_or(last)
    }

    fn clip_rises(&mut self, rise: f64) -> u32 {
        let mut top = self.bottom + self.jumps.iter().map(|jump| jump.height).sum::<f64>();
        let mut high = u32::MAX;
        if let Some(ceiling) = self.ceiling.take() {
            high = ceiling;
            if top < rise {
                // Nothing could be above it; now a boot is the price.
                let height = rise - top;
                self.jumps.push(Jump {
                    level: ceiling,
                    height,
                });
            }
        }
        while top >= rise {
            let Some(jump) = self.jumps.last_mut() else {
                self.bottom = rise;
                return 0;
            };
            high = jump.level;
            if top - jump.height < rise {
                jump.height -= top - rise;
                break;
            }
            top -= jump.height;
            self.jumps.pop();
        }
        high
    }

    /// Adds a stretch of demand: its length for each level, less what each level up to a need saves.
    fn serve(&mut self, needs: [(u32, f64); 2], length: f64) {
        self.bottom += length;
        for (level, worth) in needs {
            if level == 0 || worth == 0.0 {
                continue;
            }
            let height = length * worth;
            self.bottom -= height;
            if self.ceiling.is_none_or(|ceiling| level < ceiling) {
                self.raise(level, height);
            }
        }
    }

    fn raise(&mut self, level: u32, height: f64) {
        let place = self.jumps.partition_point(|jump| jump.level < level);
        match self.jumps.get_mut(place) {
            Some(jump) if jump.level == level => jump.height += height,
            _ => self.jumps.insert(place, Jump { level, height }),
        }
    }

    /// The capacity of least cost: up to the first slope that is not negative.
    fn lowest(&self) -> u32 {
        let mut slope = self.bottom;
        let mut level = 0;
        for jump in &self.jumps {
            if slope >= 0.0 {
                return level;
            }
            slope += jump.height;
            level = jump.level;
        }
        if slope >= 0.0 {
            level
        } else {
            self.ceiling.unwrap_or(level)
        }
    }
}

/// Writes the path, stretch by stretch, as it is settled.
struct Writer<'a, 'b> {
    path: &'a mut Path,
    exact: &'a Exact<'b>,
}

impl Writer<'_, '_> {
    /// Writes all that is open, given the capacity after the last moment.
    fn settle(&mut self, open: &mut Vec<Range>, serving: u32) {
        let mut serving = serving;
        // Going back: `low` becomes the capacity after the moment.
        for range in open.iter_mut().rev() {
            let before = serving.clamp(range.low, range.high);
            range.low = serving;
            serving = before;
        }
        for range in open.drain(..) {
            let top = self.exact.max.unwrap_or(u32::MAX);
            self.path
                .push(range.at_ms, range.low.clamp(self.exact.min, top));
        }
    }
}
