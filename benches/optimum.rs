//! How long the clairvoyant optimum takes: a year of minutes by slope clipping, a week of them with rates by the flow.

#[path = "cases/demand.rs"]
mod demand;

use std::hint::black_box;

use criterion::{Criterion, criterion_group, criterion_main};
use demand::{MINUTE, demand, problem};
use tideform::simulate::optimum::{Method, Problem, RateLimit, solve};

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
