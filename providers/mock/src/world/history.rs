//! What a group's past steps were: kept as the changes of its serving capacity, so that a step costs nothing.
//!
//! Load is a function of time, and backlog follows from load and capacity: both are computed when they are read. So a
//! world's file says what was done in it, never what was measured.

use serde::{Deserialize, Serialize};

use super::Rules;
use super::load::{Load, LoadKind};

/// From this step on, so much served. Stored as its fields in a row, since there are many.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
#[serde(from = "SegmentRow", into = "SegmentRow")]
pub struct Segment {
    /// The first step.
    pub from: i64,
    /// Serving capacity in units.
    pub units: u32,
    /// Serving instances.
    pub instances: u32,
    /// Load per second that one unit carries.
    pub throughput: f64,
    /// Seconds that one request or job takes on an idle instance.
    pub latency_s: f64,
}

type SegmentRow = (i64, u32, u32, f64, f64);

impl From<SegmentRow> for Segment {
    fn from((from, units, instances, throughput, latency_s): SegmentRow) -> Segment {
        Segment {
            from,
            units,
            instances,
            throughput,
            latency_s,
        }
    }
}

impl From<Segment> for SegmentRow {
    fn from(s: Segment) -> SegmentRow {
        (s.from, s.units, s.instances, s.throughput, s.latency_s)
    }
}

/// The past steps of a group.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct History {
    /// Changes, by rising step; none: nothing was measured yet.
    segments: Vec<Segment>,
    /// Jobs that waited when the first segment began.
    base_backlog: f64,
    /// Jobs that waited at the end of each step since then: computed as far as it was needed.
    #[serde(skip)]
    backlog: Vec<f64>,
}

/// One step of a group.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Outcome {
    /// Which step, from the world's start.
    pub step: i64,
    /// Arrivals per second.
    pub load: f64,
    /// Serving capacity in units.
    pub units: u32,
    /// Serving instances.
    pub instances: u32,
    /// Load per second that the serving capacity carries.
    pub carried: f64,
    /// Served per second.
    pub served: f64,
    /// Dropped per second; always 0 in a queue world.
    pub unserved: f64,
    /// Jobs that wait at the end of the step; `None` where there is no queue.
    pub backlog: Option<f64>,
    /// 100 x what could be done / what the serving capacity carries, not cut; `None` where nothing serves.
    pub utilization_percent: Option<f64>,
    /// Seconds that one request or job takes on an idle instance.
    pub latency_s: f64,
}

impl History {
    /// Records that these steps went like so; `step` is not before what is recorded.
    pub fn record(&mut self, segment: Segment) {
        match self.segments.last() {
            Some(last)
                if (Segment {
                    from: last.from,
                    ..segment
                }) == *last => {}
            _ => self.segments.push(segment),
        }
    }

    /// The first step that is known; `None` before any.
    pub fn first(&self) -> Option<i64> {
        self.segments.first().map(|segment| segment.from)
    }

    /// Forgets everything: the load became another.
    pub fn clear(&mut self) {
        *self = History::default();
    }

    /// Forgets steps before `keep`, once they are a quarter more than what is kept; `measured` is the next step.
    pub fn prune(&mut self, rules: &Rules, load: &Load, keep: i64, measured: i64) {
        let Some(first) = self.first() else { return };
        if keep <= first || (keep - first) * 4 < measured - keep {
            return;
        }
        if load.kind == LoadKind::Queue {
            self.fill_backlog(rules, load, keep - 1);
            let index = usize::try_from(keep - 1 - first).unwrap_or(0);
            self.base_backlog = self.backlog.get(index).copied().unwrap_or(0.0);
            self.backlog
                .drain(..=index.min(self.backlog.len().saturating_sub(1)));
        }
        let covering = self.segments.partition_point(|s| s.from <= keep) - 1;
        self.segments.drain(..covering);
        if let Some(segment) = self.segments.first_mut() {
            segment.from = keep;
        }
    }

    /// The steps of `[from, to)` that are known, oldest first.
    pub fn outcomes(&mut self, rules: &Rules, load: &Load, from: i64, to: i64) -> Vec<Outcome> {
        let Some(first) = self.first() else {
            return Vec::new();
        };
        let from = from.max(first);
        if from >= to {
            return Vec::new();
        }
        if load.kind == LoadKind::Queue {
            self.fill_backlog(rules, load, to - 1);
        }
        let mut index = self
            .segments
            .partition_point(|s| s.from <= from)
            .saturating_sub(1);
        (from..to)
            .filter_map(|step| {
                while self.segments.get(index + 1).is_some_and(|s| s.from <= step) {
                    index += 1;
                }
                let segment = self.segments.get(index)?;
                Some(self.outcome(rules, load, step, segment))
            })
            .collect()
    }

    /// Seconds that the oldest waiting job has waited at the end of a step; 0 where none waits. Jobs are done in the
    /// order in which they came.
    pub fn oldest_age_s(&mut self, rules: &Rules, load: &Load, step: i64) -> Option<f64> {
        let first = self.first()?;
        if load.kind != LoadKind::Queue || step < first {
            return None;
        }
        self.fill_backlog(rules, load, step);
        let mut waiting = self.backlog_at(first, step);
        let seconds = rules.step_seconds();
        let mut age = 0.0;
        let mut arrived_in = step;
        while waiting > 1e-9 && arrived_in >= first {
            let arrived = rules.load_in_step(load, arrived_in) * seconds;
            if arrived >= waiting {
                return Some(age + seconds * waiting / arrived);
            }
            waiting -= arrived;
            age += seconds;
            arrived_in -= 1;
        }
        Some(age)
    }

    fn backlog_at(&self, first: i64, step: i64) -> f64 {
        match usize::try_from(step - first) {
            Ok(index) => self.backlog.get(index).copied().unwrap_or(0.0),
            Err(_) => self.base_backlog,
        }
    }

    fn fill_backlog(&mut self, rules: &Rules, load: &Load, last: i64) {
        let Some(first) = self.first() else { return };
        let seconds = rules.step_seconds();
        let mut step = first + self.backlog.len() as i64;
        let mut index = self
            .segments
            .partition_point(|s| s.from <= step)
            .saturating_sub(1);
        let mut waiting = self.backlog.last().copied().unwrap_or(self.base_backlog);
        while step <= last {
            while self.segments.get(index + 1).is_some_and(|s| s.from <= step) {
                index += 1;
            }
            let Some(segment) = self.segments.get(index) else {
                return;
            };
            let capacity = f64::from(segment.units) * segment.throughput * seconds;
            waiting = (waiting + rules.load_in_step(load, step) * seconds - capacity).max(0.0);
            self.backlog.push(waiting);
            step += 1;
        }
    }

    fn outcome(&self, rules: &Rules, load: &Load, step: i64, segment: &Segment) -> Outcome {
        let arrivals = rules.load_in_step(load, step);
        let carried = f64::from(segment.units) * segment.throughput;
        let seconds = rules.step_seconds();
        let first = self.first().unwrap_or(step);
        let (to_do, backlog) = match load.kind {
            LoadKind::Request => (arrivals, None),
            LoadKind::Queue => (
                arrivals + self.backlog_at(first, step - 1) / seconds,
                Some(self.backlog_at(first, step)),
            ),
        };
        let served = to_do.min(carried);
        Outcome {
            step,
            load: arrivals,
            units: segment.units,
            instances: segment.instances,
            carried,
            served,
            unserved: match load.kind {
                LoadKind::Request => to_do - served,
                LoadKind::Queue => 0.0,
            },
            backlog,
            utilization_percent: (carried > 0.0).then(|| 100.0 * to_do / carried),
            latency_s: segment.latency_s,
        }
    }
}
