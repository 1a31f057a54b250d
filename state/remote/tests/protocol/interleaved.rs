//! Runners in any order, with answers lost and runners that die: what was said to be uploaded is never lost.

use std::collections::BTreeSet;

use proptest::prelude::*;
use tideform_state::StateError;

use crate::support::{Bucket, Fault, Runner};

#[derive(Clone, Debug)]
enum Step {
    Enter(usize),
    Note(usize),
    Publish(usize),
    Leave(usize),
    /// The runner is gone with its working copy, and a new machine comes in its place.
    Die(usize),
    Advance(u64),
    /// What happens to the next uploads.
    Faults(Vec<Fault>),
}

fn steps() -> impl Strategy<Value = Vec<Step>> {
    let who = 0..2_usize;
    let fault = prop_oneof![
        2 => Just(Fault::None),
        1 => Just(Fault::Lost),
        1 => Just(Fault::AnswerLost),
    ];
    let step = prop_oneof![
        4 => who.clone().prop_map(Step::Enter),
        4 => who.clone().prop_map(Step::Note),
        2 => who.clone().prop_map(Step::Publish),
        3 => who.clone().prop_map(Step::Leave),
        1 => who.prop_map(Step::Die),
        2 => (1..150_u64).prop_map(Step::Advance),
        2 => prop::collection::vec(fault, 1..6).prop_map(Step::Faults),
    ];
    prop::collection::vec(step, 1..40)
}

async fn run(steps: Vec<Step>) {
    let mut bucket = Bucket::new();
    let mut runners: Vec<Runner> = Vec::new();
    // What each runner wrote since its last upload, and what was said to be uploaded.
    let mut open: Vec<Vec<String>> = vec![Vec::new(); 2];
    let mut safe: BTreeSet<String> = BTreeSet::new();
    for _ in 0..2 {
        runners.push(bucket.runner().await);
    }
    for (n, step) in steps.into_iter().enumerate() {
        match step {
            Step::Enter(who) => {
                let entered = runners[who].enter().await;
                if entered.is_ok() {
                    let seen: BTreeSet<String> = runners[who].notes().into_iter().collect();
                    assert!(safe.is_subset(&seen), "{safe:?} is not all in {seen:?}");
                    open[who].retain(|note| seen.contains(note));
                }
            }
            Step::Note(who) => {
                let note = format!("{n:03} of {who}");
                if runners[who].note(&note).is_ok() {
                    open[who].push(note);
                }
            }
            Step::Publish(who) => match runners[who].state.publish().await {
                Ok(()) => safe.extend(open[who].drain(..)),
                Err(StateError::NotPublished { .. } | StateError::LeaseLost { .. }) => {}
                Err(error) => panic!("{error}"),
            },
            Step::Leave(who) => match runners[who].state.leave().await {
                // Outside it does nothing, so what is open stays open.
                Ok(()) if runners[who].note("").is_err() && open[who].is_empty() => {}
                Ok(()) => {
                    let there = bucket.runner().await.notes();
                    open[who].retain(|note| !there.contains(note));
                    safe.extend(there.into_iter().filter(|note| note.contains(" of ")));
                }
                Err(StateError::NotPublished { .. }) => {}
                Err(error) => panic!("{error}"),
            },
            Step::Die(who) => {
                runners[who] = bucket.runner().await;
                open[who].clear();
            }
            Step::Advance(seconds) => bucket.clock.advance(seconds),
            Step::Faults(faults) => *bucket.store.faults.lock().unwrap() = faults.into(),
        }
        let there: BTreeSet<String> = bucket.runner().await.notes().into_iter().collect();
        assert!(safe.is_subset(&there), "{safe:?} is not all in {there:?}");
    }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 12, ..ProptestConfig::default() })]

    #[test]
    fn nothing_that_was_uploaded_is_ever_lost(steps in steps()) {
        let runtime = tokio::runtime::Builder::new_multi_thread()
            .worker_threads(1)
            .enable_all()
            .build()
            .unwrap();
        runtime.block_on(run(steps));
    }
}
