//! How long a request takes: a queue with as many servers as the fleet can work on requests at once.
//!
//! A unit that carries `throughput` a second and takes `S` seconds for each works on `throughput x S` at once (Little's
//! law); the fleet is an M/M/c queue with `c` = units x throughput x S servers, at least one an instance, each of rate
//! 1 / S. Sources: A. K. Erlang (1917), the C formula; L. Kleinrock, "Queueing Systems" 1 (1975), 3.5; the tail of the
//! sojourn time: D. Gross et al., "Fundamentals of Queueing Theory", 2.3.

use super::model::{Model, Work};
use super::served::Served;

/// Above this utilization the queue is taken to be at it: what does not fit is dropped, so that the wait is finite.
const FULLEST: f64 = 0.99;

/// Larger fleets are taken to have so many servers, each as much faster; waits are then next to none below
/// [`FULLEST`] anyway.
const MOST_SERVERS: f64 = 4_096.0;

/// The queue of one step.
#[derive(Clone, Copy, Debug)]
struct Station {
    servers: f64,
    /// Requests that one server does a second.
    rate: f64,
    /// Arrivals a second.
    arrivals: f64,
    /// The chance that a request waits.
    waits: f64,
}

/// Mean seconds from arrival to answer: `S + C / (c / S - arrivals)` for requests, `S + backlog / carried` for jobs.
/// `None` where nothing serves.
pub fn latency(served: &Served, model: &Model) -> Option<f64> {
    if served.carried <= 0.0 {
        return None;
    }
    match model.work {
        Work::Queue => Some(model.latency_s + served.backlog / served.carried),
        Work::Requests => {
            let Some(station) = Station::of(served, model) else {
                return Some(0.0);
            };
            Some(
                1.0 / station.rate
                    + station.waits / (station.servers * station.rate - station.arrivals),
            )
        }
    }
}

/// The time within which this share of requests is answered, 0 to 1; for jobs the mean, since their wait hardly varies
/// within a step.
pub fn latency_quantile(served: &Served, model: &Model, share: f64) -> Option<f64> {
    let mean = latency(served, model)?;
    if model.work == Work::Queue || mean == 0.0 {
        return Some(mean);
    }
    let Some(station) = Station::of(served, model) else {
        return Some(0.0);
    };
    let wanted = 1.0 - share.clamp(0.0, 0.999_999);
    let (mut low, mut high) = (0.0, mean);
    while station.longer_than(high) > wanted {
        high *= 2.0;
    }
    for _ in 0..60 {
        let middle = f64::midpoint(low, high);
        if station.longer_than(middle) > wanted {
            low = middle;
        } else {
            high = middle;
        }
    }
    Some(high)
}

impl Station {
    /// `None` where a request takes no time.
    fn of(served: &Served, model: &Model) -> Option<Station> {
        if model.latency_s <= 0.0 {
            return None;
        }
        let at_once = (served.carried * model.latency_s).round();
        let servers = at_once
            .max(f64::from(served.instances))
            .clamp(1.0, MOST_SERVERS);
        // What the fleet carries at full load is what its servers carry.
        let rate = served.carried / servers;
        let arrivals = served.load.min(FULLEST * served.carried);
        Some(Station {
            servers,
            rate,
            arrivals,
            waits: erlang_c(servers as u32, arrivals / rate),
        })
    }

    /// The chance that a request takes longer.
    fn longer_than(&self, seconds: f64) -> f64 {
        let idle = self.servers - 1.0 - self.arrivals / self.rate;
        let alone = (-self.rate * seconds).exp();
        let queued = if idle.abs() < 1e-9 {
            self.rate * seconds
        } else {
            -(-self.rate * idle * seconds).exp_m1() / idle
        };
        alone * (1.0 + self.waits * queued)
    }
}

/// The chance that a request has to wait: `servers` of them, and `load` in units of what one server carries, below
/// `servers`. By Erlang's B, in `servers` steps.
pub(super) fn erlang_c(servers: u32, load: f64) -> f64 {
    if load <= 0.0 {
        return 0.0;
    }
    let mut blocked = 1.0;
    for n in 1..=servers {
        blocked = load * blocked / (f64::from(n) + load * blocked);
    }
    let servers = f64::from(servers);
    servers * blocked / (servers - load * (1.0 - blocked))
}
