//! Both methods against exhaustive search, and rules that any optimum obeys.

use std::time::Duration;

use proptest::prelude::*;

use super::problem::Exact;
use super::{Account, Demand, LeftOut, Method, Path, Problem, ProblemError, RateLimit, Run};
use super::{clipping, network, solve};

/// A problem of its own demand, in ticks: every time is a multiple of one, so that the search can try every path.
#[derive(Clone, Debug)]
struct Small {
    demand: Vec<u32>,
    weight: u32,
    step: u64,
    boot: u64,
    drain: u64,
    billing: u64,
    start: u32,
    min: u32,
    max: u32,
    out: Option<(u32, u64)>,
    back: Option<(u32, u64)>,
    price: f64,
    penalty: f64,
}

const TICK: Duration = Duration::from_secs(10);

impl Small {
    fn problem(&self) -> Problem<'_> {
        let ticks = |n: u64| TICK * u32::try_from(n).expect("small");
        let rate = |rate: Option<(u32, u64)>| {
            rate.map(|(instances, per)| RateLimit {
                instances,
                per: ticks(per),
            })
        };
        Problem {
            demand: Demand::Steps(&self.demand),
            weight: self.weight,
            step: ticks(self.step),
            boot: ticks(self.boot),
            drain: ticks(self.drain),
            minimum_billing: ticks(self.billing),
            start: self.start,
            min: self.min,
            max: Some(self.max),
            rate_out: rate(self.out),
            rate_in: rate(self.back),
            price_usd_per_hour: self.price * 360.0,
            on_demand_usd_per_hour: 360.0,
            penalty: self.penalty,
        }
    }

    fn ticks(&self) -> u64 {
        self.demand.len() as u64 * self.step
    }

    /// The least objective of all paths: each tick any number of launches and terminations, each instance on its own.
    fn exhaustive(&self) -> f64 {
        let fleet = vec![
            Instance {
                launched: None,
                gone: None
            };
            self.start as usize
        ];
        let mut best = f64::INFINITY;
        self.search(0, &fleet, 0.0, &mut best);
        best
    }

    fn search(&self, tick: u64, fleet: &[Instance], so_far: f64, best: &mut f64) {
        if so_far >= *best {
            return;
        }
        if tick == self.ticks() {
            let paid: u64 = fleet.iter().map(|instance| self.paid(instance)).sum();
            *best = best.min(so_far + self.price * paid as f64);
            return;
        }
        let min = self.min.min(self.start) as usize;
        let max = self.max.max(self.start) as usize;
        let serves = |instance: &&Instance| {
            instance.gone.is_none()
                && instance
                    .launched
                    .is_none_or(|launched| launched + self.boot <= tick)
        };
        let within = |at: Option<u64>, per: u64| at.is_some_and(|at| at + per > tick);
        for launches in 0..=max {
            if let Some((most, per)) = self.out
                && launches + fleet.iter().filter(|i| within(i.launched, per)).count()
                    > most as usize
            {
                break;
            }
            for ends in 0..=max {
                if let Some((most, per)) = self.back
                    && ends + fleet.iter().filter(|i| within(i.gone, per)).count() > most as usize
                {
                    break;
                }
                let mut fleet = fleet.to_vec();
                fleet.extend((0..launches).map(|_| Instance {
                    launched: Some(tick),
                    gone: None,
                }));
                // The oldest first: they are alike but for what they still have to pay.
                let mut ended = 0;
                for instance in &mut fleet {
                    if ended < ends && serves(&&*instance) {
                        instance.gone = Some(tick);
                        ended += 1;
                    }
                }
                let serving = fleet.iter().filter(serves).count();
                if ended < ends || serving < min || serving > max {
                    continue;
                }
                let demand = self.demand[(tick / self.step) as usize] as usize;
                let weight = self.weight as usize;
                let missing =
                    demand.saturating_sub(serving * weight) as f64 / f64::from(self.weight);
                self.search(tick + 1, &fleet, so_far + self.penalty * missing, best);
            }
        }
    }

    fn paid(&self, instance: &Instance) -> u64 {
        let end = instance.gone.map_or(self.ticks(), |gone| gone + self.drain);
        match instance.launched {
            None => end.min(self.ticks()),
            Some(launched) => end.max(launched + self.billing).min(self.ticks()) - launched,
        }
    }
}

#[derive(Clone, Debug)]
struct Instance {
    launched: Option<u64>,
    gone: Option<u64>,
}

fn rate() -> impl Strategy<Value = Option<(u32, u64)>> {
    proptest::option::of((0_u32..3, 1_u64..4))
}

prop_compose! {
    fn small()(
        demand in proptest::collection::vec(0_u32..4, 1..5),
        weight in 1_u32..4,
        step in 1_u64..3,
        boot in 0_u64..4,
        drain in 0_u64..3,
        billing in 0_u64..6,
        start in 0_u32..3,
        limits in (0_u32..3, 0_u32..3),
        out in rate(),
        back in rate(),
        price in prop_oneof![Just(1.0), Just(0.5)],
        penalty in prop_oneof![Just(0.0), Just(0.6), Just(1.5), Just(3.0), Just(10.0)],
    ) -> Small {
        Small {
            // Five ticks or six are what can be searched.
            demand: demand.into_iter().take(if step == 1 { 5 } else { 3 }).map(|d| d * weight.min(2)).collect(),
            weight, step, boot, drain, billing, start,
            min: limits.0.min(limits.1),
            max: limits.0.max(limits.1),
            out, back, price, penalty,
        }
    }
}

fn agree(left: f64, right: f64) -> bool {
    (left - right).abs() <= 1e-9 * left.abs().max(right.abs()).max(1.0)
}

/// The objective of a path, in prices of a tick.
fn objective(exact: &Exact<'_>, path: &Path) -> f64 {
    let account = Account::of(exact, path);
    exact.price_usd_per_hour * account.instance_hours()
        + exact.penalty_usd_per_hour * account.missing_unit_hours() / f64::from(exact.weight)
}

prop_compose! {
    /// Too large to search, large enough for long interplay.
    fn large()(
        demand in proptest::collection::vec(0_u32..40, 1..120),
        weight in 1_u32..4,
        holds in proptest::collection::vec(1_usize..6, 120),
        times in (1_u64..9, 0_u64..40, 0_u64..20),
        start in 0_u32..50,
        limits in (0_u32..40, 0_u32..40),
        price in prop_oneof![Just(1.0), Just(0.4)],
        penalty in prop_oneof![Just(0.6), Just(1.5), Just(3.0), Just(10.0), Just(30.0)],
    ) -> Small {
        let demand = demand.iter().zip(holds).flat_map(|(d, many)| vec![*d; many]).collect();
        Small {
            demand, weight,
            step: times.0, boot: times.1, drain: times.2, billing: 0, start,
            min: limits.0.min(limits.1),
            max: limits.0.max(limits.1),
            out: None, back: None, price, penalty,
        }
    }
}

fn best(small: &Small) -> super::Solution {
    solve(&small.problem()).expect("a sound problem")
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(250))]

    #[test]
    fn no_path_is_below_the_optimum_and_one_is_at_it(small in small()) {
        let solution = best(&small);
        prop_assert!(solution.method.is_exact());
        let found = small.exhaustive();
        prop_assert!(
            agree(solution.objective_usd, found),
            "{:?} answered {}, the best path costs {}", solution, solution.objective_usd, found
        );
    }

    #[test]
    fn the_flow_alone_finds_what_the_search_finds(small in small()) {
        let problem = small.problem();
        let exact = Exact::new(&problem).expect("a sound problem");
        let path = network::solve(&exact, &clipping::solve(&exact), u64::MAX).expect("small");
        prop_assert!(!path.breaks_rates(&exact));
        let (found, best) = (objective(&exact, &path), small.exhaustive());
        prop_assert!(agree(found, best), "{path:?} costs {found}, the best path {best}");
    }

    #[test]
    fn without_work_the_objective_is_a_lower_bound(small in small()) {
        let bound = super::solve_within(&small.problem(), 0).expect("a sound problem");
        let best = small.exhaustive();
        match bound.method {
            Method::LowerBound(_) => prop_assert!(bound.objective_usd <= best * (1.0 + 1e-9) + 1e-9),
            _ => prop_assert!(agree(bound.objective_usd, best)),
        }
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(60))]

    #[test]
    fn both_methods_find_the_same_objective(large in large()) {
        let demand = large.demand.iter().copied().take(60).collect();
        let large = Small { demand, ..large };
        let problem = large.problem();
        let exact = Exact::new(&problem).expect("a sound problem");
        let clipped = clipping::solve(&exact);
        let mut still = Path::default();
        still.push(0, large.start);
        let flow = network::solve(&exact, &still, u64::MAX).expect("small enough");
        let (clipped, flow) = (objective(&exact, &clipped), objective(&exact, &flow));
        prop_assert!(agree(clipped, flow), "clipping {clipped}, flow {flow}");
    }

    #[test]
    fn runs_and_steps_are_the_same_demand(large in large()) {
        let runs: Vec<Run> = large
            .demand
            .chunk_by(|a, b| a == b)
            .map(|run| Run { demand: run[0], steps: u32::try_from(run.len()).expect("short") })
            .collect();
        let by_runs = solve(&Problem { demand: Demand::Runs(&runs), ..large.problem() });
        prop_assert_eq!(by_runs, solve(&large.problem()));
    }

    #[test]
    fn a_larger_penalty_misses_no_more_and_costs_no_less(large in large(), more in 1.0_f64..5.0) {
        let strict = best(&Small { penalty: large.penalty * more, ..large.clone() });
        let loose = best(&large);
        prop_assert!(strict.account.missing_ms <= loose.account.missing_ms);
        prop_assert!(strict.objective_usd >= loose.objective_usd * (1.0 - 1e-9));
    }

    #[test]
    fn wider_limits_and_quicker_boots_are_never_worse(large in large()) {
        let as_it_is = best(&large).objective_usd * (1.0 + 1e-9);
        for easier in [
            Small { max: large.max + 3, ..large.clone() },
            Small { min: large.min / 2, ..large.clone() },
            Small { boot: large.boot / 2, ..large.clone() },
            Small { drain: large.drain / 2, ..large.clone() },
        ] {
            prop_assert!(best(&easier).objective_usd <= as_it_is, "{easier:?}");
        }
    }

    #[test]
    fn looser_rates_and_shorter_bills_are_never_worse(
        large in large(), out in 1_u32..6, back in 1_u32..6, billing in 0_u64..80,
    ) {
        let demand: Vec<u32> = large.demand.iter().copied().take(60).collect();
        let strict = Small {
            demand, out: Some((out, 3)), back: Some((back, 2)), billing, ..large
        };
        let solution = best(&strict);
        prop_assert!(solution.method.is_exact());
        let as_it_is = solution.objective_usd * (1.0 + 1e-9);
        for easier in [
            Small { out: Some((out + 1, 3)), ..strict.clone() },
            Small { back: None, ..strict.clone() },
            Small { billing: billing / 2, ..strict.clone() },
        ] {
            prop_assert!(best(&easier).objective_usd <= as_it_is, "{easier:?}");
        }
    }

    #[test]
    fn a_path_stays_within_the_limits_and_the_first_boot(large in large()) {
        let solution = best(&large);
        let boot_ms = large.boot * 10_000;
        for moment in solution.path.moments() {
            prop_assert!(moment.serving >= large.min.min(large.start));
            prop_assert!(moment.serving <= large.max.max(large.start));
            if moment.at_ms < boot_ms {
                prop_assert!(moment.serving <= large.start);
            }
        }
    }
}

/// An hour in steps of a minute, with prices of 1 an instance-minute.
fn hour(demand: &[u32]) -> Problem<'_> {
    Problem {
        demand: Demand::Steps(demand),
        weight: 1,
        step: Duration::from_secs(60),
        boot: Duration::from_secs(120),
        drain: Duration::ZERO,
        minimum_billing: Duration::from_secs(60),
        start: 1,
        min: 1,
        max: None,
        rate_out: None,
        rate_in: None,
        price_usd_per_hour: 60.0,
        on_demand_usd_per_hour: 60.0,
        penalty: 3.0,
    }
}

#[test]
fn the_examples_of_the_documentation_come_out_as_written() {
    // A spike of one minute: its instance would pay 2 minutes of boot and 1 of service, as much as missing it costs.
    let spike = [1, 1, 1, 2, 1, 1];
    let solution = solve(&hour(&spike)).expect("sound");
    assert_eq!(solution.objective_usd, 6.0 + 3.0);
    // Two minutes of it: 4 minutes are paid, against 6 for missing them.
    let longer = [1, 1, 1, 2, 2, 1];
    let solution = solve(&hour(&longer)).expect("sound");
    assert_eq!(solution.objective_usd, 6.0 + 4.0);
    assert_eq!(solution.account.missing_ms, 0);
    assert_eq!(solution.account.launches, 1);
    assert_eq!(solution.method, Method::SlopeClipping);
    // What comes before the first boot can be ready is missed at any penalty.
    let early = [1, 2, 2, 2, 2, 2, 2];
    let solution = solve(&hour(&early)).expect("sound");
    assert_eq!(solution.account.missing_ms, 60_000);
    assert_eq!(solution.objective_usd, 7.0 + 7.0 + 3.0);
}

#[test]
fn a_boot_between_steps_is_ready_within_one() {
    let demand = [1, 2, 2, 2];
    let problem = Problem {
        boot: Duration::from_secs(90),
        penalty: 30.0,
        ..hour(&demand)
    };
    let solution = solve(&problem).expect("sound");
    assert_eq!(solution.account.missing_ms, 30_000);
    assert_eq!(solution.path.at(89_999), 1);
    assert_eq!(solution.path.at(90_000), 2);
}

#[test]
fn the_method_says_what_answered() {
    let demand = [1, 1, 1, 5, 5, 5, 1, 1];
    let rate = Some(RateLimit {
        instances: 1,
        per: Duration::from_secs(60),
    });
    let cases = [
        (hour(&demand), Method::SlopeClipping),
        // The oldest is terminated first, so that no bill is longer than a life.
        (
            Problem {
                minimum_billing: Duration::from_secs(240),
                ..hour(&demand)
            },
            Method::SlopeClipping,
        ),
        (
            Problem {
                rate_out: rate,
                ..hour(&demand)
            },
            Method::MinimumCostFlow,
        ),
        (
            Problem {
                rate_in: rate,
                ..hour(&demand)
            },
            Method::MinimumCostFlow,
        ),
        // Started at 1m, gone at 6m: an hour to pay, of which 7 minutes are in the trace.
        (
            Problem {
                minimum_billing: Duration::from_secs(3600),
                ..hour(&demand)
            },
            Method::MinimumCostFlow,
        ),
    ];
    for (problem, method) in cases {
        let solution = solve(&problem).expect("sound");
        assert_eq!(solution.method, method, "{problem:?}");
    }
    let bound = super::solve_within(
        &Problem {
            rate_out: rate,
            ..hour(&demand)
        },
        0,
    );
    let bound = bound.expect("sound");
    assert_eq!(bound.method, Method::LowerBound(LeftOut::Rates));
}

#[test]
fn a_problem_that_makes_no_sense_is_refused() {
    let demand = [1, 2];
    let sound = hour(&demand);
    let second = Duration::from_secs(1);
    let cases = [
        (
            Problem {
                demand: Demand::Steps(&[]),
                ..sound
            },
            ProblemError::NoDemand,
        ),
        (
            Problem {
                step: Duration::ZERO,
                ..sound
            },
            ProblemError::NoStep,
        ),
        (
            Problem {
                boot: Duration::MAX,
                ..sound
            },
            ProblemError::TooLong("boot delay"),
        ),
        (
            Problem {
                step: second * (60 * 366 * 86_400),
                ..sound
            },
            ProblemError::TooLong("demand"),
        ),
        (
            Problem {
                penalty: f64::NAN,
                ..sound
            },
            ProblemError::Number("penalty"),
        ),
        (
            Problem {
                price_usd_per_hour: -1.0,
                ..sound
            },
            ProblemError::Number("price"),
        ),
        (
            Problem {
                rate_in: Some(RateLimit {
                    instances: 1,
                    per: Duration::ZERO,
                }),
                ..sound
            },
            ProblemError::NoWindow,
        ),
        (
            Problem {
                min: 5,
                max: Some(4),
                ..sound
            },
            ProblemError::Limits,
        ),
        (Problem { weight: 0, ..sound }, ProblemError::NoWeight),
    ];
    for (problem, error) in cases {
        assert_eq!(solve(&problem), Err(error));
    }
}

#[test]
fn free_instances_leave_nothing_missing() {
    let demand = [0, 3, 1, 4, 1];
    let problem = Problem {
        price_usd_per_hour: 0.0,
        boot: Duration::ZERO,
        ..hour(&demand)
    };
    let solution = solve(&problem).expect("sound");
    assert_eq!(solution.account.missing_ms, 0);
    assert_eq!(solution.objective_usd, 0.0);
}
