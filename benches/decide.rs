//! How long one decision takes: quiet (as a simulation calls it) and loud (as the loop does), over some policies.
//!
//! Feeding the observation is measured by itself: it is a part of the other figures.

mod cases;

use std::hint::black_box;

use criterion::{Criterion, criterion_group, criterion_main};

use cases::{Case, MEASURED};

fn benchmark(criterion: &mut Criterion) {
    for name in MEASURED {
        let mut group = criterion.benchmark_group(name);
        let mut case = Case::new(name);
        group.bench_function("feed", |bencher| {
            bencher.iter(|| {
                case.feed();
                black_box(&case);
            });
        });
        let mut case = Case::new(name);
        group.bench_function("quiet", |bencher| {
            bencher.iter(|| {
                case.feed();
                black_box(case.decide_quiet())
            });
        });
        let mut case = Case::new(name);
        group.bench_function("loud", |bencher| {
            bencher.iter(|| {
                case.feed();
                black_box(case.decide())
            });
        });
        let mut case = Case::new(name);
        group.bench_function("explained", |bencher| {
            bencher.iter(|| {
                case.feed();
                black_box(case.explain())
            });
        });
        group.finish();
    }
}

criterion_group!(benches, benchmark);
criterion_main!(benches);
