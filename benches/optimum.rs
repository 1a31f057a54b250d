//! How long the clairvoyant optimum takes: a year of minutes by slope clipping, a week of them with rates by the flow.

use std::hint::black_box;
use std::time::Duration;

use criterion::{Criterion, criterion_group, criterion_main};
use tideform::simulate::optimum::{Demand, Method, Problem, RateLimit, solve};

const MINUTE: Duration = Duration::from_secs(60);
const DAY: usize = 1440;

/// Days with a peak in the afternoon, and noise that lasts some ten minutes.
fn demand(days: usize, peak: f64) -> Vec<u32> {
    let mut state = 7_u64;
    let mut noise = 0.0;
    (0..days * DAY)
        .map(|minute| {
            state ^= state << 13;
            state ^= state >> 7;
            state ^= state << 17;
            noise = 0.9 * noise + 0.3 * ((state >> 11) as f64 / (1_u64 << 53) as f64 - 0.5);
            let turn = minute as f64 / DAY as f64 * std::f64::consts::TAU;
            let load = peak * (0.5 - 0.4 * turn.cos()) * (1.0 + 0.3 * noise);
            load.max(0.0).ceil() as u32
        })
        .collect()
}

fn problem(demand: &[u32]) -> Problem<'_> {
    Problem {
        demand: Demand::Steps(demand),
        weight: 1,
        step: MINUTE,
        boot: 5 * MINUTE,
        drain: MINUTE,
        minimum_billing: MINUTE,
        start: demand[0],
        min: 1,
        max: Some(2000),
        rate_out: None,
        rate_in: None,
        price_usd_per_hour: 0.1,
        on_demand_usd_per_hour: 0.1,
        penalty: 10.0,
    }
}

fn measure(criterion: &mut Criterion, name: &str, problem: Problem<'_>, method: Method) {
    let solution = solve(&problem).expect("the problem is sound");
    assert_eq!(solution.method, method, "{name}");
    criterion.bench_function(name, |bencher| {
        bencher.iter(|| black_box(solve(&problem)));
    });
}

fn benchmark(criterion: &mut Criterion) {
    for peak in [60.0, 1000.0] {
        let year = demand(365, peak);
        let name = format!("a year of minutes, up to {peak} instances");
        measure(criterion, &name, problem(&year), Method::SlopeClipping);
    }
    let rate = |instances, per| Some(RateLimit { instances, per });
    for (days, name) in [
        (7, "a week of minutes, with rates"),
        (30, "30 days of minutes, with rates"),
    ] {
        let demand = demand(days, 60.0);
        let with_rates = Problem {
            rate_out: rate(4, 5 * MINUTE),
            rate_in: rate(2, 5 * MINUTE),
            ..problem(&demand)
        };
        measure(criterion, name, with_rates, Method::MinimumCostFlow);
    }
}

criterion_group! {
    name = benches;
    config = Criterion::default().sample_size(10);
    targets = benchmark
}
criterion_main!(benches);
