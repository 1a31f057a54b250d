//! The problem, as it is asked and as it is computed with.

use std::time::Duration;

/// Steps of equal demand in a row.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Run {
    /// Units needed.
    pub demand: u32,
    /// For how many steps.
    pub steps: u32,
}

/// Units needed, over time.
#[derive(Clone, Copy, Debug)]
pub enum Demand<'a> {
    /// For each step.
    Steps(&'a [u32]),
    /// Run by run; lighter where demand seldom changes.
    Runs(&'a [Run]),
}

/// At most so many launches, or terminations, in any window of a length.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct RateLimit {
    /// Instances.
    pub instances: u32,
    /// The length of the window, which is open at its start and closed at its end.
    pub per: Duration,
}

/// What the optimum is asked for. Times are whole milliseconds.
#[derive(Clone, Copy, Debug)]
pub struct Problem<'a> {
    /// Units needed.
    pub demand: Demand<'a>,
    /// The units that one instance counts as; 1 where instances are counted.
    pub weight: u32,
    /// The length of a step of the demand.
    pub step: Duration,
    /// From the launch of an instance until it serves. Paid.
    pub boot: Duration,
    /// From the end of its service until its end. Paid.
    pub drain: Duration,
    /// What each instance pays for at least, from its launch.
    pub minimum_billing: Duration,
    /// Instances that serve at the start; older than the minimum billing.
    pub start: u32,
    /// The fewest that may serve; a `start` below it lowers it.
    pub min: u32,
    /// The most that may serve; a `start` above it raises it.
    pub max: Option<u32>,
    /// Limit on launches.
    pub rate_out: Option<RateLimit>,
    /// Limit on terminations.
    pub rate_in: Option<RateLimit>,
    /// What an instance costs.
    pub price_usd_per_hour: f64,
    /// The price that the penalty counts in.
    pub on_demand_usd_per_hour: f64,
    /// For each instance missing, in on-demand prices; for a unit, its share of that.
    pub penalty: f64,
}

/// What is wrong with a problem.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum ProblemError {
    /// No step at all.
    #[error("the demand has no steps")]
    NoDemand,
    /// The step is empty.
    #[error("a step must last at least a millisecond")]
    NoStep,
    /// A time that cannot be computed with.
    #[error("the {0} is longer than a hundred years in all")]
    TooLong(&'static str),
    /// A price or the penalty is negative, or no number.
    #[error("the {0} must be a number, and not negative")]
    Number(&'static str),
    /// A rate without a window.
    #[error("the window of a rate must last at least a millisecond")]
    NoWindow,
    /// The smallest limit is above the largest.
    #[error("the smallest capacity is above the largest")]
    Limits,
    /// An instance of no units.
    #[error("an instance must count as a unit at least")]
    NoWeight,
}

/// A hundred years.
const LONGEST_MS: u64 = 100 * 366 * 86_400_000;

/// A rate, in milliseconds.
#[derive(Clone, Copy, Debug)]
pub(super) struct Window {
    pub(super) instances: u32,
    pub(super) per_ms: u64,
}

/// A problem in whole milliseconds, checked.
#[derive(Clone, Debug)]
pub(super) struct Exact<'a> {
    demand: Demand<'a>,
    pub(super) weight: u32,
    pub(super) step_ms: u64,
    pub(super) boot_ms: u64,
    pub(super) drain_ms: u64,
    pub(super) minimum_billing_ms: u64,
    pub(super) end_ms: u64,
    pub(super) start: u32,
    pub(super) min: u32,
    pub(super) max: Option<u32>,
    pub(super) rate_out: Option<Window>,
    pub(super) rate_in: Option<Window>,
    pub(super) price_usd_per_hour: f64,
    /// For an instance's worth of units.
    pub(super) penalty_usd_per_hour: f64,
}

/// A stretch of equal demand.
#[derive(Clone, Copy, Debug)]
pub(super) struct Stretch {
    pub(super) from_ms: u64,
    pub(super) to_ms: u64,
    pub(super) demand: u32,
}

impl<'a> Exact<'a> {
    pub(super) fn new(problem: &Problem<'a>) -> Result<Exact<'a>, ProblemError> {
        let step_ms = milliseconds(problem.step, "step")?;
        let steps: u64 = match problem.demand {
            Demand::Steps(steps) => steps.len() as u64,
            Demand::Runs(runs) => runs.iter().map(|run| u64::from(run.steps)).sum(),
        };
        if step_ms == 0 {
            return Err(ProblemError::NoStep);
        }
        if steps == 0 {
            return Err(ProblemError::NoDemand);
        }
        let end_ms = steps
            .checked_mul(step_ms)
            .filter(|end| *end <= LONGEST_MS)
            .ok_or(ProblemError::TooLong("demand"))?;
        if problem.weight == 0 {
            return Err(ProblemError::NoWeight);
        }
        if problem.max.is_some_and(|max| max < problem.min) {
            return Err(ProblemError::Limits);
        }
        for (name, number) in [
            ("price", problem.price_usd_per_hour),
            ("on-demand price", problem.on_demand_usd_per_hour),
            ("penalty", problem.penalty),
        ] {
            if !number.is_finite() || number < 0.0 {
                return Err(ProblemError::Number(name));
            }
        }
        Ok(Exact {
            demand: problem.demand,
            weight: problem.weight,
            step_ms,
            boot_ms: milliseconds(problem.boot, "boot delay")?,
            drain_ms: milliseconds(problem.drain, "drain")?,
            minimum_billing_ms: milliseconds(problem.minimum_billing, "minimum billing")?,
            end_ms,
            start: problem.start,
            min: problem.min.min(problem.start),
            max: problem.max.map(|max| max.max(problem.start)),
            rate_out: problem.rate_out.map(window).transpose()?,
            rate_in: problem.rate_in.map(window).transpose()?,
            price_usd_per_hour: problem.price_usd_per_hour,
            penalty_usd_per_hour: problem.penalty * problem.on_demand_usd_per_hour,
        })
    }

    /// The penalty as levels see it: up to a level, of instances, how much an instance there saves; the rest of a
    /// demand that fills no instance is a second, smaller level.
    pub(super) fn needs(&self, demand: u32) -> [(u32, f64); 2] {
        let full = self.worth();
        let whole = demand / self.weight;
        match demand % self.weight {
            0 => [(whole, full), (0, 0.0)],
            rest => {
                let rest = f64::from(rest) / f64::from(self.weight);
                [(whole, full * (1.0 - rest)), (whole + 1, full * rest)]
            }
        }
    }

    /// What an instance missing for a time costs, against an instance there for that time.
    fn worth(&self) -> f64 {
        // Without a price nothing is saved by missing anything; any large number says so.
        if self.price_usd_per_hour > 0.0 {
            self.penalty_usd_per_hour / self.price_usd_per_hour
        } else if self.penalty_usd_per_hour > 0.0 {
            1e6
        } else {
            0.0
        }
    }

    /// The demand, in stretches without a gap.
    pub(super) fn stretches(&self) -> impl Iterator<Item = Stretch> + '_ {
        let (steps, runs): (&[u32], &[Run]) = match self.demand {
            Demand::Steps(steps) => (steps, &[]),
            Demand::Runs(runs) => (&[], runs),
        };
        let mut from_ms = 0;
        steps
            .chunk_by(|a, b| a == b)
            .filter_map(|same| Some((*same.first()?, same.len() as u64)))
            .chain(
                runs.iter()
                    .filter(|run| run.steps > 0)
                    .map(|run| (run.demand, u64::from(run.steps))),
            )
            .map(move |(demand, steps)| {
                let stretch = Stretch {
                    from_ms,
                    to_ms: from_ms + steps * self.step_ms,
                    demand,
                };
                from_ms = stretch.to_ms;
                stretch
            })
    }
}

fn window(rate: RateLimit) -> Result<Window, ProblemError> {
    let per_ms = milliseconds(rate.per, "window of a rate")?;
    if per_ms == 0 {
        return Err(ProblemError::NoWindow);
    }
    Ok(Window {
        instances: rate.instances,
        per_ms,
    })
}

fn milliseconds(time: Duration, name: &'static str) -> Result<u64, ProblemError> {
    u64::try_from(time.as_millis())
        .ok()
        .filter(|ms| *ms <= LONGEST_MS)
        .ok_or(ProblemError::TooLong(name))
}
