//! The clairvoyant optimum: the cheapest capacity path for a demand that is known in advance.
//!
//! In: a [`Problem`], a demand for each step with a boot delay, billing, limits and prices. Out: a [`Solution`], the
//! path that minimises cost + penalty for what is missing, and which method found it. Never looks at a policy, and
//! never at what could fail: it is the yardstick that policies are held against. The problem is stated in
//! `docs/simulation.md`, "The clairvoyant optimum".
//!
//! - `clipping`: one-dimensional dynamic programming, exact where instances neither wait for a rate nor pay for time
//!   that they are not there; linear in the length of the trace.
//! - `network`: the whole problem as the dual of a minimum-cost flow; exact always, and slower.
//! - `account`: what a path costs; both methods are measured by it.

mod account;
mod clipping;
mod network;
mod path;
mod problem;
#[cfg(test)]
mod regret;
#[cfg(test)]
mod tests;

pub use account::Account;
pub use path::{Moment, Path};
pub use problem::{Demand, Problem, ProblemError, RateLimit, Run};

use problem::Exact;

/// The work that the flow may take, in arcs looked at: ten seconds or so.
const MOST_WORK: u64 = 500_000_000;

/// Which method answered.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Method {
    /// Slope clipping; its path breaks nothing that the method leaves out, so that it is the optimum.
    SlopeClipping,
    /// The dual of a minimum-cost flow; the optimum.
    MinimumCostFlow,
    /// Slope clipping, and its path breaks something that the method leaves out, in a problem that would take the flow too long:
    /// the objective is a lower bound, which no path can be below.
    LowerBound(LeftOut),
}

/// What slope clipping leaves out and its path breaks.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum LeftOut {
    /// Instances that end before their shortest bill does.
    MinimumBilling,
    /// More launches or terminations in a window than a rate allows.
    Rates,
}

impl Method {
    /// Whether the solution is the optimum, not only a bound of it.
    pub fn is_exact(self) -> bool {
        !matches!(self, Method::LowerBound(_))
    }

    /// The method, as reports call it.
    pub fn name(self) -> &'static str {
        match self {
            Method::SlopeClipping => "slope clipping",
            Method::MinimumCostFlow => "minimum-cost flow",
            Method::LowerBound(LeftOut::MinimumBilling) => {
                "slope clipping, a lower bound: the minimum billing is left out"
            }
            Method::LowerBound(LeftOut::Rates) => {
                "slope clipping, a lower bound: the rate limits are left out"
            }
        }
    }
}

/// The optimum of a problem.
#[derive(Clone, Debug, PartialEq)]
pub struct Solution {
    /// Serving capacity over time.
    pub path: Path,
    /// What the path pays and misses.
    pub account: Account,
    /// What the path costs.
    pub cost_usd: f64,
    /// The penalty for what it misses.
    pub penalty_usd: f64,
    /// J*: cost and penalty.
    pub objective_usd: f64,
    /// Which method answered.
    pub method: Method,
}

/// The path that minimises cost and penalty.
///
/// Cost: linear in the number of runs of equal demand where slope clipping is enough; see [`Method`].
///
/// # Errors
/// [`ProblemError`]: what is wrong with the numbers.
pub fn solve(problem: &Problem<'_>) -> Result<Solution, ProblemError> {
    solve_within(problem, MOST_WORK)
}

/// The same with a bound on the work of minimum-cost flow, in arcs that are looked at; beyond it a lower bound answers.
///
/// # Errors
/// [`ProblemError`]: what is wrong with the numbers.
pub fn solve_within(problem: &Problem<'_>, work: u64) -> Result<Solution, ProblemError> {
    let exact = Exact::new(problem)?;
    let path = clipping::solve(&exact);
    let account = Account::of(&exact, &path);
    let Some(left_out) = broken(&exact, &path, &account) else {
        return Ok(finish(&exact, path, account, Method::SlopeClipping));
    };
    if let Some(path) = network::solve(&exact, &path, work) {
        let account = Account::of(&exact, &path);
        return Ok(finish(&exact, path, account, Method::MinimumCostFlow));
    }
    let account = account.without_minimum_billing();
    Ok(finish(&exact, path, account, Method::LowerBound(left_out)))
}

fn broken(exact: &Exact<'_>, path: &Path, account: &Account) -> Option<LeftOut> {
    if path.breaks_rates(exact) {
        Some(LeftOut::Rates)
    } else if account.beyond_life_ms > 0 {
        Some(LeftOut::MinimumBilling)
    } else {
        None
    }
}

fn finish(exact: &Exact<'_>, path: Path, account: Account, method: Method) -> Solution {
    let cost_usd = exact.price_usd_per_hour * account.instance_hours();
    let missing = account.missing_unit_hours() / f64::from(exact.weight);
    let penalty_usd = exact.penalty_usd_per_hour * missing;
    Solution {
        path,
        account,
        cost_usd,
        penalty_usd,
        objective_usd: cost_usd + penalty_usd,
        method,
    }
}
