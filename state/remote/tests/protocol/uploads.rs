//! Uploads and downloads that go wrong.

use jiff::SignedDuration;
use tideform_state::StateError;

use crate::support::{Bucket, Fault};

fn chain(error: &dyn std::error::Error) -> String {
    match error.source() {
        Some(cause) => format!("{error}: {}", chain(cause)),
        None => error.to_string(),
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_lost_request_and_a_lost_answer_make_one_upload() {
    // The lock, the state, the lock given back: each of them, either way.
    for lost in 0..3 {
        for fault in [Fault::Lost, Fault::AnswerLost] {
            let mut bucket = Bucket::new();
            let mut runner = bucket.runner().await;
            let mut faults = vec![Fault::None; 3];
            faults[lost] = fault;
            *bucket.store.faults.lock().unwrap() = faults.into();
            runner.writes("once").await;
            let mut next = bucket.runner().await;
            next.enter().await.unwrap();
            assert_eq!(next.notes(), ["once"], "{fault:?} of request {lost}");
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn another_upload_is_never_overwritten() {
    let mut bucket = Bucket::new();
    let mut runner = bucket.runner().await;
    runner.writes("first").await;
    runner.enter().await.unwrap();
    runner.note("second").unwrap();
    bucket.replace(b"somebody else's").await;
    let error = runner.state.leave().await.unwrap_err();
    assert!(
        chain(&error).contains("not overwritten"),
        "{}",
        chain(&error)
    );
    let (mut tool, _) = bucket.remote(SignedDuration::ZERO);
    let there = tool.fetch().await.unwrap().unwrap();
    assert_eq!(std::fs::read(there).unwrap(), b"somebody else's");
}

#[tokio::test(flavor = "multi_thread")]
async fn an_object_that_is_gone_is_not_made_anew() {
    let mut bucket = Bucket::new();
    let mut runner = bucket.runner().await;
    runner.writes("first").await;
    bucket.delete().await;
    let error = runner.enter().await.unwrap_err();
    assert!(chain(&error).contains("is gone"), "{}", chain(&error));

    let mut other = bucket.runner().await;
    other.writes("anew").await;
    // The first one's state is another one by now.
    assert!(matches!(runner.enter().await, Err(StateError::Replaced)));
}

#[tokio::test(flavor = "multi_thread")]
async fn of_two_that_begin_at_once_the_second_goes_on_with_the_firsts_state() {
    let mut bucket = Bucket::new();
    let mut first = bucket.runner().await;
    let mut second = bucket.runner().await;
    first.writes("first").await;
    second.writes("second").await;
    let third = bucket.runner().await;
    assert_eq!(third.notes(), ["first", "second"]);
    assert_eq!(third.state.meta().unwrap().lineage, first.holder.id);
}

#[tokio::test(flavor = "multi_thread")]
async fn what_could_not_be_uploaded_goes_with_the_next_upload() {
    let mut bucket = Bucket::new();
    let mut runner = bucket.runner().await;
    runner.writes("first").await;
    runner.enter().await.unwrap();
    runner.note("second").unwrap();
    let kept = bucket.cut_off(&mut runner).await;
    runner.enter().await.unwrap();
    runner.state.leave().await.unwrap();
    assert_eq!(
        bucket.runner().await.notes().len(),
        3,
        "with the lock taken from itself"
    );
    assert!(!kept.exists(), "it is in the bucket now");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_store_is_checked_for_its_conditions() {
    let mut bucket = Bucket::new();
    let (tool, _) = bucket.remote(SignedDuration::ZERO);
    tool.check().await.unwrap();
    tool.check().await.unwrap();
}
