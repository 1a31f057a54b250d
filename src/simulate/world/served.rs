//! What comes of the load in one step.

use std::collections::VecDeque;

use super::model::{Model, Work};

/// What serves a step.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Supply {
    /// Units in service.
    pub units: u32,
    /// Instances in service.
    pub instances: u32,
    /// Live units: in service or starting.
    pub live: u32,
}

/// One step: what arrived, and what became of it.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Served {
    /// Arrivals per second.
    pub load: f64,
    /// Serving capacity in units.
    pub units: u32,
    /// Serving instances.
    pub instances: u32,
    /// Live units: in service or starting.
    pub live: u32,
    /// Load per second that the serving capacity carries.
    pub carried: f64,
    /// Dropped per second; always 0 where jobs wait.
    pub unserved: f64,
    /// What could be done per second: arrivals, and what waited.
    pub to_do: f64,
    /// Jobs that wait at the end of the step; 0 where none do.
    pub backlog: f64,
}

impl Served {
    /// What comes of requests in a step.
    #[inline]
    pub fn requests(load: f64, on: Supply, throughput: f64) -> Served {
        let carried = f64::from(on.units) * throughput;
        Served {
            load,
            units: on.units,
            instances: on.instances,
            live: on.live,
            carried,
            unserved: (load - carried).max(0.0),
            to_do: load,
            backlog: 0.0,
        }
    }

    /// Percent of what the serving capacity carries, not cut; `None` where nothing serves.
    #[inline]
    pub fn utilization_percent(&self) -> Option<f64> {
        (self.carried > 0.0).then(|| 100.0 * self.to_do / self.carried)
    }
}

/// Jobs that wait, done in the order in which they came.
#[derive(Clone, Debug, Default)]
pub struct Queue {
    backlog: f64,
    /// What arrived in the steps of which jobs still wait, oldest first, and what of it still waits.
    waiting: VecDeque<(f64, f64)>,
    step_s: f64,
}

impl Queue {
    /// An empty one.
    pub fn new(step_s: f64) -> Queue {
        Queue {
            backlog: 0.0,
            waiting: VecDeque::new(),
            step_s,
        }
    }

    /// What comes of jobs in a step.
    pub fn step(&mut self, load: f64, on: Supply, model: &Model) -> Served {
        debug_assert_eq!(model.work, Work::Queue);
        let carried = f64::from(on.units) * model.throughput;
        let arrived = load * self.step_s;
        let to_do = load + self.backlog / self.step_s;
        let mut done = to_do.min(carried) * self.step_s;
        self.backlog = (self.backlog + arrived - carried * self.step_s).max(0.0);
        self.waiting.push_back((arrived, arrived));
        if self.backlog == 0.0 {
            self.waiting.clear();
        }
        while let Some((_, oldest)) = self.waiting.front_mut() {
            if *oldest > done {
                *oldest -= done;
                break;
            }
            done -= *oldest;
            self.waiting.pop_front();
        }
        Served {
            load,
            units: on.units,
            instances: on.instances,
            live: on.live,
            carried,
            unserved: 0.0,
            to_do,
            backlog: self.backlog,
        }
    }

    /// Seconds that the oldest waiting job has waited at the end of the last step; 0 where none waits. The arrivals of
    /// a step are spread evenly over it.
    pub fn oldest_age_s(&self) -> f64 {
        match self.waiting.front() {
            Some((arrived, rest)) if self.backlog > 1e-9 && *arrived > 0.0 => {
                self.step_s * ((self.waiting.len() - 1) as f64 + (rest / arrived).min(1.0))
            }
            Some(_) | None => 0.0,
        }
    }
}
