//! The lease, and a daemon among others that want it.

use super::*;

#[tokio::test]
async fn only_one_holds_the_lease_and_the_other_leaves_without_harm() {
    let mut stage = Stage::new("360", &[(web(), 4)]);
    let mut other = stage.other_state();
    let now = Timestamp::now();
    let lease = other
        .acquire_lease(&holder("first"), now, Duration::from_secs(60))
        .unwrap();
    let options = stage.once();
    let error = stage.run(options).await.unwrap_err();
    let ReconcileError::LeaseHeld { holder } = &error else {
        panic!("{error:?}")
    };
    assert_eq!(holder, "`tideform first` (process 1 on test)");
    assert_eq!(stage.desired("web"), 4);
    assert_eq!(stage.told(), [] as [&str; 0]);
    other.release_lease(&lease).unwrap();
    stage.tick().await;
    assert_eq!(stage.desired("web"), 6);
    assert_eq!(stage.state.lease().unwrap(), None, "given back");
}

/// A machine clock that others act by while somebody waits.
#[derive(Clone)]
struct BusyClock {
    now: Arc<Mutex<Timestamp>>,
    others: Arc<Mutex<dyn FnMut(Timestamp) + Send>>,
}

#[async_trait]
impl Clock for BusyClock {
    fn now(&self) -> Timestamp {
        *self.now.lock().unwrap()
    }

    async fn wait(&self, duration: Duration) {
        let now = {
            let mut now = self.now.lock().unwrap();
            *now += duration;
            *now
        };
        (self.others.lock().unwrap())(now);
    }

    fn is_stepped(&self) -> bool {
        true
    }
}

struct Asker {
    state: State,
    clock: BusyClock,
    ticks: usize,
}

#[async_trait]
impl Watcher for Asker {
    fn tick(&mut self, _: &TickReport) {
        self.ticks += 1;
        if self.ticks == 2 {
            let now = self.clock.now();
            self.state
                .request_lease(&holder("apply"), now, Duration::from_secs(5))
                .unwrap();
        }
    }
}

#[tokio::test]
async fn a_daemon_lets_an_apply_in_between_its_ticks_and_goes_on_after_it() {
    let mut stage = Stage::new("240", &[(web(), 4)]);
    let mut applying = stage.other_state();
    let got_in = Arc::new(Mutex::new(Vec::new()));
    let log = Arc::clone(&got_in);
    let mut lease = None;
    let others = move |now: Timestamp| match lease.take() {
        // The daemon waits for the lease: the apply takes it, and gives it back the next time.
        None if log.lock().unwrap().is_empty() => {
            lease = applying
                .acquire_lease(&holder("apply"), now, Duration::from_secs(60))
                .ok();
            log.lock().unwrap().push("in");
        }
        None => {}
        Some(held) => {
            applying.release_lease(&held).unwrap();
            log.lock().unwrap().push("out");
        }
    };
    let clock = BusyClock {
        now: Arc::new(Mutex::new("2026-01-01T00:00:00Z".parse().unwrap())),
        others: Arc::new(Mutex::new(others)),
    };
    let mut watcher = Asker {
        state: stage.other_state(),
        clock: clock.clone(),
        ticks: 0,
    };
    let options = Options {
        stop_after_ticks: Some(4),
        machine_clock: Arc::new(clock),
        ..Options::every(Duration::from_secs(60), holder("daemon"), stage.source())
    };
    let (_, stop) = stop_pair();
    let finished = run_loop(&mut stage.state, options, stop, &mut watcher)
        .await
        .unwrap();
    assert_eq!(finished.ticks, 4);
    assert_eq!(*got_in.lock().unwrap(), ["in", "out"]);
}

struct Stopper(tideform::reconcile::StopHandle);

#[async_trait]
impl Watcher for Stopper {
    fn tick(&mut self, _: &TickReport) {
        self.0.ask();
    }
}

#[tokio::test]
async fn a_daemon_that_is_asked_to_stop_leaves_and_gives_back_the_lease() {
    let mut stage = Stage::new("360", &[(web(), 4)]);
    let (handle, stop) = stop_pair();
    let options = Options::every(Duration::from_secs(60), holder("daemon"), stage.source());
    let finished = run_loop(&mut stage.state, options, stop, &mut Stopper(handle))
        .await
        .unwrap();
    assert!(finished.was_asked);
    assert_eq!(finished.ticks, 1);
    assert_eq!(stage.desired("web"), 6, "what was in hand was finished");
    assert_eq!(stage.state.lease().unwrap(), None);
    stage.assert_settled();
}

#[tokio::test]
async fn what_was_applied_between_two_ticks_is_what_the_next_one_runs() {
    let mut stage = Stage::new("360", &[(web(), 4)]);
    stage.tick().await;
    assert_eq!(stage.desired("web"), 6);
    let capped = group("web", |g| {
        g["policy"]["limits"] = json!({ "min": 1, "max": 5 })
    });
    stage.apply(&[capped]);
    stage.pass(60);
    stage.tick().await;
    assert_eq!(stage.desired("web"), 5);
    assert!(matches!(stage.once().pace, Pace::Once));
}
