//! Measures of runs so small that they can be computed by hand.

use std::time::Duration;

use jiff::Timestamp;

use super::*;
use crate::simulate::world::{Boot, Input, Model, Target};
use crate::simulate::{At, Controller, Prices, Run, Seen, Setup};

/// Asks for these capacities, one at each decision.
struct Script(Vec<u32>, Duration);

impl Controller for Script {
    fn every(&self) -> Duration {
        self.1
    }
    fn inputs(&self) -> Vec<Input> {
        Vec::new()
    }
    fn sample(&mut self, _: usize, _: At, _: Option<f64>) {}
    fn decide(&mut self, seen: &Seen<'_>) -> Target {
        let place = usize::try_from(seen.now.ms / self.1.as_millis() as i64).unwrap_or(0);
        let desired = self.0.get(place).or(self.0.last()).copied().unwrap_or(0);
        Target::on_demand(desired)
    }
}

/// Units of 100 a second that boot at once and cost a dollar an hour; steps of so many seconds from noon on.
fn measured(step_s: u64, loads: &[f64], script: &[u32]) -> Measures {
    let start = Timestamp::from_second(1_767_614_400).unwrap_or_default();
    let setup = Setup {
        start,
        step: Duration::from_secs(step_s),
        model: Model {
            boot: Boot::Fixed(Duration::ZERO),
            throughput: 100.0,
            ..Model::default()
        },
        initial: Target::on_demand(script.first().copied().unwrap_or(0)),
        is_new: false,
        slo_utilization: 100.0,
        mix: None,
        prices: Prices {
            on_demand: 1.0,
            spot: 0.5,
        },
    };
    let every = Duration::from_secs(step_s);
    let mut run = Run::new(setup, Script(script.to_vec(), every));
    run.extend(loads);
    run.finish().0
}

fn near(got: f64, want: f64, what: &str) {
    assert!(
        (got - want).abs() < 1e-9 * want.abs().max(1.0),
        "{what}: {got} is not {want}"
    );
}

#[test]
fn four_hours_of_a_fleet_that_does_not_scale() {
    let m = measured(3_600, &[100.0, 200.0, 300.0, 400.0], &[2]);
    for (what, got, want) in [
        ("hours", m.duration_s / 3_600.0, 4.0),
        ("cost", m.cost_usd, 8.0),
        ("instance-hours", m.on_demand_hours, 8.0),
        ("missing", m.missing_unit_hours, 1.0 + 2.0),
        ("surplus", m.surplus_unit_hours, 1.0),
        ("unserved", m.unserved_total, (100.0 + 200.0) * 3_600.0),
        ("unserved %", m.unserved_percent(), 30.0),
        ("short minutes", m.short_minutes, 120.0),
        ("attainment", m.slo_attainment_percent, 50.0),
        (
            "theta U",
            m.elasticity.under_accuracy_percent,
            25.0 * (1.0 / 3.0 + 2.0 / 4.0),
        ),
        (
            "theta O",
            m.elasticity.over_accuracy_percent,
            25.0 * (1.0 / 1.0),
        ),
        ("tau U", m.elasticity.under_timeshare_percent, 50.0),
        ("tau O", m.elasticity.over_timeshare_percent, 25.0),
        // Demand grows three times, capacity never.
        ("upsilon", m.elasticity.instability_percent, 100.0),
        ("jitter", m.elasticity.jitter_per_hour, -0.75),
        ("mean demand", m.mean_demand, 2.5),
        ("peak demand", f64::from(m.peak_demand), 4.0),
        ("mean capacity", m.mean_capacity, 2.0),
        ("fixed at peak", m.fixed_fleet_usd, 16.0),
        (
            "share of that",
            m.cost_of_fixed_percent().unwrap_or(0.0),
            50.0,
        ),
        // Fixed at 3: 6.25, 62.5, 25, 50 against 125/6, 25, 50, 25.
        (
            "speedup",
            m.elastic_speedup.unwrap_or(0.0),
            (0.3_f64 * 2.5 * 0.5 * 2.0).powf(0.25),
        ),
        ("J", m.objective_usd(10.0, 1.0), 8.0 + 30.0),
        ("moves a day", m.moves_per_day(), 0.0),
    ] {
        near(got, want, what);
    }
}

#[test]
fn a_fleet_that_follows_exactly_has_nothing_to_improve() {
    let m = measured(3_600, &[100.0, 200.0, 300.0, 100.0], &[1, 2, 3, 1]);
    assert_eq!(
        m.elasticity,
        Elasticity::default(),
        "capacity moves with demand"
    );
    assert_eq!(m.elastic_speedup, None, "a measure is 0");
    near(m.cost_usd, 7.0, "cost");
    near(m.slo_attainment_percent, 100.0, "attainment");
    assert_eq!((m.moves.out, m.moves.r#in, m.moves.reversals), (2, 1, 0));
    near(m.moves_per_day(), 3.0 * 6.0, "moves a day");
    assert_eq!(m.peak_capacity, 3);
}

#[test]
fn a_reversal_within_a_quarter_of_an_hour_is_flapping() {
    // Out at 10, in at 20 and out at 30: two reversals; in at 60 comes later.
    let script = [1, 2, 1, 2, 2, 2, 1];
    let m = measured(600, &[100.0; 7], &script);
    assert_eq!((m.moves.out, m.moves.r#in, m.moves.reversals), (2, 2, 2));
    // Four changes of capacity and none of demand, in 70 minutes.
    near(m.elasticity.jitter_per_hour, 4.0 * 60.0 / 70.0, "jitter");
}

#[test]
fn a_minute_is_short_where_any_of_its_steps_is() {
    let mut loads = [100.0; 18];
    loads[7] = 101.0;
    loads[8] = 101.0;
    let m = measured(10, &loads, &[1]);
    near(m.short_minutes, 1.0, "short minutes");
    near(m.slo_attainment_percent, 100.0 * 2.0 / 3.0, "attainment");
    near(
        m.elasticity.under_timeshare_percent,
        100.0 * 2.0 / 18.0,
        "tau U",
    );
}

#[test]
fn nothing_needed_and_nothing_there_is_no_shortage() {
    let m = measured(60, &[0.0; 60], &[0]);
    assert_eq!(
        (m.cost_usd, m.missing_unit_hours, m.slo_attainment_percent),
        (0.0, 0.0, 100.0)
    );
    assert_eq!(m.cost_of_fixed_percent(), None);
    let m = measured(60, &[10.0; 60], &[0]);
    assert_eq!((m.missing_unit_hours, m.slo_attainment_percent), (1.0, 0.0));
    // Where nothing is needed, what is there counts against one unit.
    let m = measured(60, &[0.0; 60], &[3]);
    near(m.elasticity.over_accuracy_percent, 300.0, "theta O");
}

#[test]
fn large_demands_are_counted_as_small_ones() {
    let m = measured(3_600, &[1e6, 2e6], &[15_000]);
    near(m.missing_unit_hours, 5_000.0, "missing");
    near(m.surplus_unit_hours, 5_000.0, "surplus");
    assert_eq!(m.peak_demand, 20_000);
    near(m.mean_demand, 15_000.0, "mean demand");
}
