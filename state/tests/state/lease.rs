//! One writer per state; who waits is served in order; a dead holder is not waited for.

use std::path::PathBuf;
use std::time::Duration;

use crate::support::*;
use tempfile::TempDir;
use tideform_state::*;

const TTL: Duration = Duration::from_secs(60);

fn shared() -> (TempDir, PathBuf) {
    let directory = tempfile::tempdir().expect("a directory");
    let path = directory.path().join("shop.db");
    drop(State::create(&path, &new_state()).expect("created"));
    (directory, path)
}

fn open(path: &PathBuf) -> State {
    State::open(path, OpenMode::ReadWrite).expect("opened")
}

fn held_by(result: Result<Lease, StateError>) -> (String, bool) {
    match result {
        Err(StateError::LeaseHeld {
            holder, waiting, ..
        }) => (holder.id, waiting),
        other => panic!("{other:?}"),
    }
}

#[test]
fn the_second_is_told_who_holds_the_lease_and_gets_it_when_it_is_given_back() {
    let (_directory, path) = shared();
    let (mut one, mut two) = (open(&path), open(&path));
    let lease = one
        .acquire_lease(&holder("one", "box"), at(0), TTL)
        .expect("free");
    assert_eq!((lease.acquired_at, lease.until), (at(0), at(60)));
    let error = two
        .acquire_lease(&holder("two", "box"), at(1), TTL)
        .expect_err("held");
    assert_eq!(
        error.to_string(),
        format!(
            "the lease is held by `tideform one` (process 7 on box) until {}",
            at(60)
        )
    );
    assert_eq!(two.lease().expect("read").expect("held").holder.id, "one");
    one.release_lease(&lease).expect("released");
    assert_eq!(two.lease().expect("read"), None);
    let next = two
        .acquire_lease(&holder("two", "box"), at(2), TTL)
        .expect("free");
    assert!(next.generation > lease.generation);
}

#[test]
fn a_living_holders_lease_is_taken_only_when_it_expired() {
    let (_directory, path) = shared();
    let (mut one, mut two) = (open(&path), open(&path));
    let lease = one
        .acquire_lease(&holder("one", "box"), at(0), TTL)
        .expect("free");
    let lease = one.renew_lease(&lease, at(30), TTL).expect("ours");
    held_by(two.acquire_lease(&holder("two", "box"), at(89), TTL));
    two.acquire_lease(&holder("two", "box"), at(90), TTL)
        .expect("expired");
    let error = one.renew_lease(&lease, at(91), TTL).expect_err("lost");
    assert!(
        matches!(error, StateError::LeaseLost { to: Some(_) }),
        "{error:?}"
    );
    let error = one.write(|tx| tx.ensure_lease(&lease)).expect_err("lost");
    assert!(matches!(error, StateError::LeaseLost { .. }), "{error:?}");
    one.release_lease(&lease).expect("nothing to do");
    assert_eq!(two.lease().expect("read").expect("held").holder.id, "two");
    let texts: Vec<_> = two
        .events(&EventFilter::default())
        .expect("read")
        .into_iter()
        .map(|e| e.text)
        .collect();
    assert_eq!(
        texts,
        ["the lease was taken from `tideform one` (process 7 on box)"]
    );
}

#[test]
fn the_lease_of_a_process_that_died_on_this_machine_is_free_at_once() {
    let (_directory, path) = shared();
    let mut one = open(&path);
    one.acquire_lease(&holder("one", "box"), at(0), TTL)
        .expect("free");
    drop(one); // Without releasing, as a killed process: the system frees its lock.
    open(&path)
        .acquire_lease(&holder("two", "box"), at(1), TTL)
        .expect("taken over");
}

#[test]
fn a_stalled_holder_that_comes_back_does_not_take_its_successor_for_dead() {
    let (_directory, path) = shared();
    let (mut one, mut two) = (open(&path), open(&path));
    one.acquire_lease(&holder("one", "box"), at(0), TTL)
        .expect("free");
    two.acquire_lease(&holder("two", "box"), at(60), TTL)
        .expect("expired");
    // `one` still has the lock file, which says nothing about `two`.
    held_by(one.acquire_lease(&holder("one", "box"), at(61), TTL));
    drop(one);
    held_by(open(&path).acquire_lease(&holder("three", "box"), at(62), TTL));
}

#[test]
fn the_lease_of_another_machine_is_waited_for() {
    let (_directory, path) = shared();
    let mut one = open(&path);
    one.acquire_lease(&holder("one", "elsewhere"), at(0), TTL)
        .expect("free");
    drop(one);
    let mut two = open(&path);
    held_by(two.acquire_lease(&holder("two", "box"), at(59), TTL));
    two.acquire_lease(&holder("two", "box"), at(60), TTL)
        .expect("expired");
}

#[test]
fn taking_it_again_makes_it_longer() {
    let mut state = memory_state();
    let first = state
        .acquire_lease(&holder("one", "box"), at(0), TTL)
        .expect("free");
    let again = state
        .acquire_lease(&holder("one", "box"), at(10), TTL)
        .expect("ours");
    assert_eq!((again.generation, again.until), (first.generation, at(70)));
}

#[test]
fn whoever_waits_goes_first_in_the_order_of_asking() {
    let (_directory, path) = shared();
    let (mut daemon, mut apply, mut other) = (open(&path), open(&path), open(&path));
    let lease = daemon
        .acquire_lease(&holder("daemon", "box"), at(0), TTL)
        .expect("free");
    let wait = Duration::from_secs(5);
    apply
        .request_lease(&holder("apply", "box"), at(1), wait)
        .expect("asked");
    other
        .request_lease(&holder("other", "box"), at(2), wait)
        .expect("asked");
    apply
        .request_lease(&holder("apply", "box"), at(3), wait)
        .expect("asked again");
    let waiting: Vec<_> = daemon
        .lease_requests(at(3))
        .expect("read")
        .into_iter()
        .map(|r| r.holder.id)
        .collect();
    assert_eq!(waiting, ["apply", "other"]);

    daemon.release_lease(&lease).expect("released");
    assert_eq!(
        held_by(daemon.acquire_lease(&holder("daemon", "box"), at(4), TTL)),
        ("apply".into(), true)
    );
    assert_eq!(
        held_by(other.acquire_lease(&holder("other", "box"), at(4), TTL)),
        ("apply".into(), true)
    );
    let lease = apply
        .acquire_lease(&holder("apply", "box"), at(4), TTL)
        .expect("its turn");
    apply.release_lease(&lease).expect("released");
    assert_eq!(
        held_by(daemon.acquire_lease(&holder("daemon", "box"), at(5), TTL)),
        ("other".into(), true)
    );
    // A waiter that died is forgotten when its request runs out.
    daemon
        .acquire_lease(&holder("daemon", "box"), at(7), TTL)
        .expect("nobody waits");
}

#[test]
fn a_request_can_be_taken_back() {
    let mut state = memory_state();
    state
        .request_lease(&holder("apply", "box"), at(0), TTL)
        .expect("asked");
    state
        .withdraw_lease_request(&holder("apply", "box"))
        .expect("withdrawn");
    assert_eq!(state.lease_requests(at(1)).expect("read"), []);
}

#[test]
fn a_broken_lease_is_lost_to_its_holder_and_an_event_says_who_broke_it() {
    let mut state = memory_state();
    assert_eq!(state.break_lease(at(0), "alice").expect("nothing"), None);
    let lease = state
        .acquire_lease(&holder("one", "box"), at(0), TTL)
        .expect("free");
    assert_eq!(
        state.break_lease(at(1), "alice").expect("broken"),
        Some(lease.clone())
    );
    let error = state.renew_lease(&lease, at(2), TTL).expect_err("lost");
    assert!(
        matches!(error, StateError::LeaseLost { to: None }),
        "{error:?}"
    );
    let events = state.events(&EventFilter::default()).expect("read");
    assert_eq!(
        (events[0].kind.clone(), events[0].actor.as_str()),
        (EventKind::LeaseTaken, "alice")
    );
}

#[test]
fn an_override_needs_no_lease() {
    let (_directory, path) = shared();
    let (mut one, mut two) = (open(&path), open(&path));
    apply(&mut one, 0, &[web()]);
    one.acquire_lease(&holder("one", "box"), at(0), TTL)
        .expect("free");
    two.write(|tx| tx.add_override(&pin(&web(), 1, None, 3)))
        .expect("set");
    assert_eq!(one.active_overrides(at(2)).expect("read").len(), 1);
}

#[test]
fn a_group_that_another_process_moved_is_found_under_its_new_address() {
    let (_directory, path) = shared();
    let (mut one, mut two) = (open(&path), open(&path));
    apply(&mut one, 0, &[web()]);
    one.write(|tx| tx.record_capacity(&[capacity(&web(), 1, 4)]))
        .expect("recorded");
    two.write(|tx| tx.move_group(&web(), &api(), at(2), "alice"))
        .expect("moved");
    one.write(|tx| tx.record_capacity(&[capacity(&api(), 3, 5), capacity(&web(), 3, 9)]))
        .expect("recorded");
    let moved = two.capacity_runs(&api(), at(0), at(9)).expect("read");
    assert_eq!(
        moved
            .iter()
            .map(|run| run.sample.desired)
            .collect::<Vec<_>>(),
        [4, 5]
    );
    assert_eq!(
        two.capacity_runs(&web(), at(0), at(9)).expect("read").len(),
        1
    );
}
