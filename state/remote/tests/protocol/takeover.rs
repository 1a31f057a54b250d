//! Who has the lock, and when it passes on.

use jiff::SignedDuration;
use tideform_state::{Remote, StateError};

use crate::support::Bucket;

#[tokio::test(flavor = "multi_thread")]
async fn one_at_a_time_has_the_lock_and_the_next_sees_what_it_wrote() {
    let mut bucket = Bucket::new();
    let mut first = bucket.runner().await;
    let mut second = bucket.runner().await;
    first.enter().await.unwrap();
    first.note("first").unwrap();
    let Err(StateError::LeaseHeld { holder, .. }) = second.enter().await else {
        panic!("the lock is taken");
    };
    assert_eq!(holder, first.holder);
    first.state.leave().await.unwrap();
    second.enter().await.unwrap();
    assert_eq!(second.notes(), ["first"]);
    second.note("second").unwrap();
    second.state.leave().await.unwrap();
    assert_eq!(bucket.runner().await.notes(), ["first", "second"]);
}

#[tokio::test(flavor = "multi_thread")]
async fn without_the_lock_nothing_can_be_written() {
    let mut bucket = Bucket::new();
    let mut runner = bucket.runner().await;
    assert!(matches!(runner.note("lost"), Err(StateError::ReadOnly)));
    runner.writes("kept").await;
    assert!(matches!(runner.note("lost"), Err(StateError::ReadOnly)));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_lock_passes_on_by_the_stores_clock_whatever_the_runners_clocks_say() {
    for hours in [-5, 0, 5] {
        let mut bucket = Bucket::new();
        let mut dead = bucket.runner().await;
        dead.enter().await.unwrap();
        dead.note("before it died").unwrap();
        dead.state.publish().await.unwrap();
        let mut next = bucket
            .runner_with_clock(SignedDuration::from_hours(hours))
            .await;
        for seconds in [0, 60, 59, 3] {
            bucket.clock.advance(seconds);
            assert!(
                matches!(next.enter().await, Err(StateError::LeaseHeld { .. })),
                "{hours} h, {seconds} s"
            );
        }
        bucket.clock.advance(2);
        next.enter().await.unwrap();
        let notes = next.notes();
        assert!(notes.contains(&"before it died".to_owned()), "{notes:?}");
        assert!(
            notes.iter().any(|note| note.contains("taken from")),
            "{notes:?}"
        );
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_run_that_stalled_past_its_lock_writes_nothing_more() {
    let mut bucket = Bucket::new();
    let mut stalled = bucket.runner().await;
    stalled.enter().await.unwrap();
    stalled.note("too late").unwrap();
    bucket.clock.advance(200);
    let mut next = bucket.runner().await;
    next.writes("next").await;
    assert!(matches!(
        stalled.state.publish().await,
        Err(StateError::NotPublished { .. })
    ));
    let Err(StateError::NotPublished {
        kept: Some(kept), ..
    }) = stalled.state.leave().await
    else {
        panic!("it is told, and kept");
    };
    assert!(kept.starts_with(bucket.folder()) && kept.exists());
    // Nor is the lock of another one given back.
    let mut third = bucket.runner().await;
    third.enter().await.unwrap();
    assert!(!third.notes().contains(&"too late".to_owned()));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_lease_never_reaches_past_the_lock() {
    let mut bucket = Bucket::new();
    let mut runner = bucket.runner().await;
    let now = jiff::Timestamp::UNIX_EPOCH + SignedDuration::from_secs(1_800_000_000);
    let day = std::time::Duration::from_secs(86_400);
    assert!(matches!(
        runner.state.acquire_lease(&runner.holder, now, day),
        Err(StateError::LeaseLost { .. })
    ));
    runner.enter().await.unwrap();
    let lease = runner
        .state
        .acquire_lease(&runner.holder, now, day)
        .unwrap();
    assert_eq!(lease.until, now + SignedDuration::from_secs(120));
    bucket.clock.advance(121);
    let late = now + SignedDuration::from_secs(121);
    assert!(matches!(
        runner.state.renew_lease(&lease, late, day),
        Err(StateError::LeaseLost { .. })
    ));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_lock_is_taken_away_from_the_holder_that_was_shown_and_no_other() {
    let mut bucket = Bucket::new();
    let mut runner = bucket.runner().await;
    let (tool, _) = bucket.remote(SignedDuration::ZERO);
    assert_eq!(tool.holder().await.unwrap(), None);
    runner.enter().await.unwrap();
    let shown = tool.holder().await.unwrap().unwrap().holder;
    assert_eq!(shown, runner.holder);
    runner.state.leave().await.unwrap();
    let mut next = bucket.runner().await;
    next.enter().await.unwrap();
    assert!(!tool.unlock(&shown).await.unwrap());
    assert!(tool.unlock(&next.holder).await.unwrap());
    bucket.runner().await.enter().await.unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn a_copy_is_pushed_only_over_the_version_that_it_was_made_from() {
    let mut bucket = Bucket::new();
    let mut runner = bucket.runner().await;
    runner.enter().await.unwrap();
    runner.note("one").unwrap();
    runner.state.publish().await.unwrap();
    runner.note("two").unwrap();
    let kept = bucket.cut_off(&mut runner).await;

    let (mut tool, holder) = bucket.remote(SignedDuration::ZERO);
    tool.lock(&holder).await.unwrap();
    tool.push(&kept, false).await.unwrap();
    assert_eq!(bucket.runner().await.notes(), ["one", "two"]);
    let again = tool.push(&kept, false).await.unwrap_err();
    assert!(again.to_string().contains("not overwritten"), "{again}");
    tool.push(&kept, true).await.unwrap();
    tool.leave().await;
}
