//! What a page shows of a run, kept while the run goes: columns of time, the decisions, the short periods.
//!
//! A column is a step of the world; in runs of more than [`MOST_COLUMNS`] steps it is as many of them as it takes, with
//! the least and the most of each, so that no peak and no short step is lost.

use crate::engine::explain::Line;
use crate::simulate::At;
use crate::simulate::optimum::Path;
use crate::simulate::run::{Step, Watch};
use crate::simulate::world::Target;

/// Columns that are kept at most.
pub(super) const MOST_COLUMNS: i64 = 100_000;

/// The least and the most of a value over a time.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct Between<T> {
    /// The least.
    pub least: T,
    /// The most.
    pub most: T,
}

impl<T: Copy + PartialOrd> Between<T> {
    /// One value.
    pub fn one(value: T) -> Between<T> {
        Between {
            least: value,
            most: value,
        }
    }

    /// Both times together.
    #[must_use]
    pub fn and(self, other: Between<T>) -> Between<T> {
        Between {
            least: if other.least < self.least {
                other.least
            } else {
                self.least
            },
            most: if other.most > self.most {
                other.most
            } else {
                self.most
            },
        }
    }
}

/// What was, in a column's time.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct Column {
    /// Arrivals per second.
    pub load: Between<f64>,
    /// Units that the load needed.
    pub needed: Between<u32>,
    /// Units in service.
    pub ready: Between<u32>,
    /// Units that were starting.
    pub pending: Between<u32>,
    /// Units in service or starting.
    pub live: Between<u32>,
    /// Units asked for.
    pub desired: Between<u32>,
    /// Units that the optimum has in service.
    pub optimum: Between<u32>,
    /// Percent of what was in service; infinite where there was load and nothing in service.
    pub used: Between<f64>,
    /// Jobs that waited.
    pub backlog: Between<f64>,
    /// Units that were missing at most.
    pub missing: u32,
    /// Units that were in service then.
    pub short_of: u32,
}

impl Column {
    fn of(step: &Step) -> Column {
        let served = &step.served;
        let idle = if served.to_do > 0.0 {
            f64::INFINITY
        } else {
            0.0
        };
        Column {
            load: Between::one(served.load),
            needed: Between::one(step.demand),
            ready: Between::one(served.units),
            pending: Between::one(served.live.saturating_sub(served.units)),
            live: Between::one(served.live),
            desired: Between::one(step.desired),
            optimum: Between::default(),
            used: Between::one(served.utilization_percent().unwrap_or(idle)),
            backlog: Between::one(served.backlog),
            missing: step.demand.saturating_sub(served.units),
            short_of: served.units,
        }
    }

    /// Both times together.
    #[must_use]
    pub fn and(self, other: &Column) -> Column {
        let worst = if other.missing > self.missing {
            other
        } else {
            &self
        };
        Column {
            load: self.load.and(other.load),
            needed: self.needed.and(other.needed),
            ready: self.ready.and(other.ready),
            pending: self.pending.and(other.pending),
            live: self.live.and(other.live),
            desired: self.desired.and(other.desired),
            optimum: self.optimum.and(other.optimum),
            used: self.used.and(other.used),
            backlog: self.backlog.and(other.backlog),
            missing: worst.missing,
            short_of: worst.short_of,
        }
    }
}

/// A decision.
#[derive(Clone, Debug, PartialEq)]
pub struct Decided {
    /// Milliseconds since the run began.
    pub at_ms: i64,
    /// The capacity asked for before.
    pub from: u32,
    /// The capacity asked for from then on.
    pub to: u32,
    /// The reasons, in the words of `explain`.
    pub why: Vec<Line>,
}

impl Decided {
    /// By how much.
    pub fn size(&self) -> u32 {
        self.from.abs_diff(self.to)
    }
}

/// A time in which the load needed more than was in service.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Short {
    /// Milliseconds since the run began.
    pub from_ms: i64,
    /// The same; excluded.
    pub to_ms: i64,
    /// Units that were missing at most.
    pub most_missing: u32,
    /// Units that were missing, over time.
    pub missing_unit_ms: u64,
    /// The first decision after it began.
    pub decided: Option<Decided>,
}

impl Short {
    /// How long it was.
    pub fn length_ms(&self) -> i64 {
        self.to_ms - self.from_ms
    }

    /// What was missing, over time.
    pub fn missing_unit_hours(&self) -> f64 {
        self.missing_unit_ms as f64 / 3_600_000.0
    }
}

/// What was kept of a run.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Record {
    /// How long the run is.
    pub length_ms: i64,
    /// How long a step of the world is.
    pub step_ms: i64,
    /// How long a column is.
    pub column_ms: i64,
    /// In the order of time, without a gap.
    pub columns: Vec<Column>,
    /// The decisions that changed what was asked for.
    pub changes: Vec<Decided>,
    /// In the order of time.
    pub shorts: Vec<Short>,
}

/// Keeps the [`Record`] of a run.
#[derive(Debug)]
pub struct Recorder {
    record: Record,
    open: Option<Short>,
}

impl Recorder {
    /// For a run of so many milliseconds.
    pub fn new(length_ms: i64) -> Recorder {
        Recorder {
            record: Record {
                length_ms: length_ms.max(1),
                ..Record::default()
            },
            open: None,
        }
    }

    /// What was kept, with the optimum's path, of instances that count as `weight` units.
    pub fn finish(mut self, optimum: &Path, weight: u32) -> Record {
        self.record.shorts.extend(self.open.take());
        let column_ms = self.record.column_ms.max(1);
        let moments = optimum.moments();
        let mut next = 0;
        let mut serving = 0;
        for (place, column) in self.record.columns.iter_mut().enumerate() {
            let end = (place as i64 + 1) * column_ms;
            let begin = end - column_ms;
            let mut seen: Option<Between<u32>> = None;
            while let Some(moment) = moments.get(next)
                && i64::try_from(moment.at_ms).unwrap_or(i64::MAX) < end
            {
                // What was before counts where the moment lies inside the column.
                if i64::try_from(moment.at_ms).unwrap_or(i64::MAX) > begin {
                    let before = Between::one(serving);
                    seen = Some(seen.map_or(before, |seen| seen.and(before)));
                }
                serving = moment.serving.saturating_mul(weight);
                next += 1;
            }
            let last = Between::one(serving);
            column.optimum = seen.map_or(last, |seen| seen.and(last));
        }
        self.record
    }
}

impl Watch for Recorder {
    const ASKS_WHY: bool = true;

    fn decided(&mut self, at: At, from: Target, to: Target, why: &dyn Fn() -> Vec<Line>) {
        let changes = from.desired != to.desired;
        let open = self.open.as_mut().filter(|open| open.decided.is_none());
        if !changes && open.is_none() {
            return;
        }
        let decided = Decided {
            at_ms: at.ms,
            from: from.desired,
            to: to.desired,
            why: why(),
        };
        if let Some(open) = open {
            open.decided = Some(decided.clone());
        }
        if changes {
            self.record.changes.push(decided);
        }
    }

    fn step(&mut self, step: &Step) {
        let record = &mut self.record;
        if record.column_ms == 0 {
            record.step_ms = step.length_ms.max(1);
            let steps = record.length_ms / record.step_ms + 1;
            let each = (steps + MOST_COLUMNS - 1) / MOST_COLUMNS;
            record.column_ms = record.step_ms * each.max(1);
        }
        let column = Column::of(step);
        let place = usize::try_from(step.at_ms / record.column_ms).unwrap_or(usize::MAX);
        match record.columns.get_mut(place) {
            Some(known) => *known = known.and(&column),
            None => record.columns.push(column),
        }
        if column.missing == 0 {
            record.shorts.extend(self.open.take());
            return;
        }
        let open = self.open.get_or_insert_with(|| Short {
            from_ms: step.at_ms,
            ..Short::default()
        });
        open.to_ms = step.at_ms + step.length_ms;
        open.most_missing = open.most_missing.max(column.missing);
        open.missing_unit_ms += u64::from(column.missing) * step.length_ms.unsigned_abs();
    }
}

/// Columns for so many places side by side; each has all that was in its time. Where there are fewer columns than
/// places they stay as they are.
pub(super) fn reduced(columns: &[Column], places: usize) -> Vec<Column> {
    let places = places.max(1);
    if columns.len() <= places {
        return columns.to_vec();
    }
    (0..places)
        .filter_map(|place| {
            let from = place * columns.len() / places;
            let to = ((place + 1) * columns.len() / places).max(from + 1);
            let mut within = columns.get(from..to)?.iter();
            let first = *within.next()?;
            Some(within.fold(first, |all, column| all.and(column)))
        })
        .collect()
}
