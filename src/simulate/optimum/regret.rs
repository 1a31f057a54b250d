//! Regret is never below 1: whatever a controller does in the simulated world, the optimum costs no more.

use std::time::Duration;

use jiff::Timestamp;
use proptest::prelude::*;
use tideform_policies::model::VictimOrder;

use super::{Demand, Problem, solve};
use crate::cost::BILLING_MINIMUM;

use crate::simulate::world::{Boot, Input, Model, Target};
use crate::simulate::{At, Controller, Prices, Run, Seen, Setup};

/// Asks for one capacity after the other, whatever it sees.
#[derive(Debug)]
struct Wild {
    wishes: Vec<u32>,
    next: usize,
    every: Duration,
}

impl Controller for Wild {
    fn every(&self) -> Duration {
        self.every
    }

    fn inputs(&self) -> Vec<Input> {
        Vec::new()
    }

    fn sample(&mut self, _: usize, _: At, _: Option<f64>) {}

    fn decide(&mut self, _: &Seen<'_>) -> Target {
        let wish = self.wishes[self.next % self.wishes.len()];
        self.next += 1;
        Target::on_demand(wish)
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(300))]

    #[test]
    fn no_run_is_below_the_optimum(
        loads in proptest::collection::vec(0_u32..12, 1..40),
        wishes in proptest::collection::vec(0_u32..12, 1..40),
        weight in 1_u32..4,
        initial in 0_u32..12,
        seconds in (1_u64..90, 1_u64..90, 0_u64..200, 0_u64..100),
        order in prop_oneof![Just(VictimOrder::Default), Just(VictimOrder::Newest), Just(VictimOrder::Oldest)],
        penalty in prop_oneof![Just(0.5), Just(3.0), Just(10.0), Just(30.0)],
    ) {
        let (step, every, boot, drain) = seconds;
        let second = Duration::from_secs(1);
        let step = second * u32::try_from(step).expect("short");
        let model = Model {
            boot: Boot::Fixed(second * u32::try_from(boot).expect("short")),
            drain: second * u32::try_from(drain).expect("short"),
            throughput: 100.0,
            weight,
            order,
            ..Model::default()
        };
        let setup = Setup {
            start: Timestamp::UNIX_EPOCH,
            step,
            model: model.clone(),
            initial: Target::on_demand(initial),
            // As the problem has it: an instance that still boots may be ended without a drain.
            is_new: false,
            slo_utilization: 80.0,
            mix: None,
            prices: Prices { on_demand: 0.1, spot: 0.1 },
        };
        // In units within the SLO, somewhere below the next.
        let rates: Vec<f64> = loads.iter().map(|units| f64::from(*units) * 79.0).collect();
        let demand: Vec<u32> = rates.iter().map(|rate| setup.demand(*rate)).collect();
        let every = second * u32::try_from(every).expect("short");
        let mut run = Run::new(setup, Wild { wishes: wishes.clone(), next: 0, every });
        run.extend(&rates);
        let (measures, _, _) = run.finish();
        let best = solve(&Problem {
            demand: Demand::Steps(&demand),
            weight,
            step,
            boot: second * u32::try_from(boot).expect("short"),
            drain: model.drain,
            minimum_billing: BILLING_MINIMUM,
            start: initial.div_ceil(weight),
            min: 0,
            max: wishes.iter().max().map(|most| most.div_ceil(weight)),
            rate_out: None,
            rate_in: None,
            price_usd_per_hour: 0.1,
            on_demand_usd_per_hour: 0.1,
            penalty,
        })
        .expect("a sound problem");
        let policy = measures.objective_usd(penalty, 0.1 / f64::from(weight));
        prop_assert!(
            policy >= best.objective_usd * (1.0 - 1e-9),
            "the run costs {policy}, the optimum {}: {best:?}", best.objective_usd
        );
    }
}
