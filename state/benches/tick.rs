//! A tick over 10,000 groups: reading what it needs, and recording what it decided.

use criterion::{Criterion, criterion_group, criterion_main};
use jiff::Timestamp;
use tideform_policies::model::GroupAddress;
use tideform_state::{
    CapacitySample, DecisionRecord, JsonText, MetricSample, NewState, State, TickRecord,
};

const GROUPS: usize = 10_000;

fn time(second: i64) -> Timestamp {
    Timestamp::from_second(1_800_000_000 + second).expect("in range")
}

fn tick(second: i64) -> TickRecord {
    // About what a decision with four reasons and a memory with an hour of recommendations take.
    let decision = JsonText::of(&"r".repeat(900)).expect("JSON");
    let mut tick = TickRecord::default();
    for i in 0..GROUPS {
        let group = GroupAddress::keyed("svc", &format!("g{i}"));
        let memory = JsonText::of(&vec![second; 60]).expect("JSON");
        tick.decisions.push(DecisionRecord {
            group: group.clone(),
            at: time(second),
            decision: decision.clone(),
            signature: "opinion,limits".to_owned(),
            changed: i % 50 == 0,
            shadow: false,
            memory: Some(memory),
        });
        tick.capacity.push(CapacitySample {
            group: group.clone(),
            at: time(second),
            desired: 4,
            ready: 4,
            on_demand: 2,
            spot: 2,
            units: 4,
            on_demand_usd_per_hour: Some(0.096),
            spot_usd_per_hour: Some(0.037),
        });
        for metric in ["cpu", "requests"] {
            tick.metrics.push(MetricSample {
                group: group.clone(),
                metric: metric.into(),
                at: time(second),
                value: 61.5,
            });
        }
    }
    tick
}

fn bench(criterion: &mut Criterion) {
    let directory = tempfile::tempdir().expect("a directory");
    let new = NewState {
        workspace: "bench".to_owned(),
        lineage: "0".to_owned(),
        created_at: time(0),
    };
    let mut state = State::create(directory.path().join("bench.db"), &new).expect("created");
    let mut second = 0;
    state
        .write(|tx| tx.record_tick(&tick(second)))
        .expect("recorded");
    let mut group = criterion.benchmark_group("10,000 groups");
    group.sample_size(10);
    group.bench_function("record a tick", |bencher| {
        bencher.iter_batched(
            || {
                second += 60;
                tick(second)
            },
            |tick| state.write(|tx| tx.record_tick(&tick)).expect("recorded"),
            criterion::BatchSize::PerIteration,
        );
    });
    group.bench_function("read all memories", |bencher| {
        bencher.iter(|| state.memories().expect("read").len());
    });
    group.finish();
}

criterion_group!(benches, bench);
criterion_main!(benches);
