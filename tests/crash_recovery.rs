//! `kill -9` at every recorded step: the next run settles what was open, and no event is lost or doubled.
//!
//! The process ends itself right before and right after the n-th commit, for every n that there is.

mod common;

use std::collections::BTreeMap;
use std::path::Path;
use std::time::Duration;

use common::{Directory, Ran};
use tideform_mock::admin::Admin;
use tideform_policies::model::GroupAddress;
use tideform_state::{Event, EventFilter, EventKind, OpenMode, Outcome, State};

const SHOP: &str = r#"
provider "mock" {
  clock = "stepped"
  start = "2026-01-05T12:00:00Z"
  load "default" { formula = "360" }
}

policy "service" {
  warmup = "0s"
  metric "cpu" {
    track { target = 60 }
  }
  scale_in {
    stabilization = "0s"
    cooldown      = "0s"
  }
  scale_out {
    cooldown = "5m"
  }
}

group "svc" {
  for_each = toset(["api", "web"])
  provider = provider.mock
  use      = [policy.service]
  resource "asg" { name = "svc-${each.key}" }
  launch {
    boot       = "60s"
    throughput = 100
  }
  limits {
    min = 4
    max = 20
  }
}
"#;

const MOMENTS: [&str; 2] = [
    "TIDEFORM_TEST_EXIT_BEFORE_COMMIT",
    "TIDEFORM_TEST_EXIT_AFTER_COMMIT",
];

/// Enough commits for anything here; a run that never ends by itself fails the test.
const MOST_COMMITS: u64 = 60;

fn run_until_commit(
    directory: &Directory,
    moment: &str,
    n: u64,
    arguments: &[&str],
) -> Option<Ran> {
    let output = directory
        .command(arguments)
        .env(moment, n.to_string())
        .output()
        .unwrap();
    let ran = Ran {
        code: output.status.code(),
        stdout: String::from_utf8_lossy(&output.stdout).into_owned(),
        stderr: String::from_utf8_lossy(&output.stderr).into_owned(),
    };
    // A process that ended itself has no exit code.
    ran.code.is_some().then_some(ran)
}

fn admin(directory: &Path) -> Admin {
    Admin::open(&directory.join(".tideform/mock.world")).unwrap()
}

fn state(directory: &Path) -> State {
    State::open(directory.join(".tideform/default.db"), OpenMode::ReadOnly).unwrap()
}

fn events(directory: &Path) -> Vec<Event> {
    state(directory).events(&EventFilter::default()).unwrap()
}

/// Every intent is settled, and has exactly one event.
#[track_caller]
fn assert_settled(directory: &Path, when: &str) {
    let state = state(directory);
    assert_eq!(state.open_intents().unwrap(), [], "{when}");
    assert_eq!(state.check().unwrap(), [], "{when}");
    let mut of_intents: BTreeMap<_, usize> = BTreeMap::new();
    for event in events(directory) {
        if let Some(intent) = event.intent {
            *of_intents.entry(intent).or_default() += 1;
        }
    }
    assert!(
        of_intents.values().all(|n| *n == 1),
        "{when}: {of_intents:?}"
    );
    // Intents are numbered without gaps: one without an event would be missing here.
    let newest = of_intents.keys().last().map_or(0, |id| id.0);
    assert_eq!(
        i64::try_from(of_intents.len()).unwrap(),
        newest,
        "{when}: {of_intents:?}"
    );
}

fn applied() -> Directory {
    let directory = Directory::with(&[("shop.hcl", SHOP)]);
    directory.run(&["apply", "--auto-approve"]).exits(0);
    admin(directory.path())
        .advance(Duration::from_secs(300))
        .unwrap();
    directory
}

fn copy_of(from: &Directory) -> Directory {
    let copy = Directory::empty();
    common::copy(from.path(), copy.path());
    copy
}

#[test]
fn a_reconcile_that_dies_anywhere_is_settled_by_the_next_one() {
    let before = applied();
    for moment in MOMENTS {
        let mut n = 1;
        loop {
            let when = format!("{moment}={n}");
            let directory = copy_of(&before);
            let ended = run_until_commit(&directory, moment, n, &["reconcile", "--once"]);
            if let Some(ran) = &ended {
                assert_eq!(ran.code, Some(0), "{when}: {}", ran.stderr);
            }
            // The dead one's lease holds nobody up.
            directory.run(&["reconcile", "--once"]).exits(0);
            assert_settled(directory.path(), &when);
            // If the first died before its groups were due again, the second has only settled what it left.
            admin(directory.path())
                .advance(Duration::from_secs(60))
                .unwrap();
            directory.run(&["reconcile", "--once"]).exits(0);
            assert_settled(directory.path(), &when);
            for group in ["api", "web"] {
                let address = GroupAddress::keyed("svc", group);
                let scaled: Vec<_> = events(directory.path())
                    .into_iter()
                    .filter(|event| event.kind == EventKind::Scaled)
                    .filter(|event| event.group.as_ref() == Some(&address))
                    .collect();
                let done: Vec<_> = scaled
                    .iter()
                    .filter(|event| event.outcome == Some(Outcome::Done))
                    .map(|event| (event.from, event.to))
                    .collect();
                assert_eq!(
                    done,
                    [(Some(4), Some(6))],
                    "{when}: one effective action: {scaled:?}"
                );
                // What had no effect is said too, and was decided again.
                let rest = scaled
                    .iter()
                    .filter(|event| event.outcome != Some(Outcome::Done));
                for event in rest {
                    assert_eq!(event.outcome, Some(Outcome::NotDone), "{when}: {scaled:?}");
                }
                assert!(scaled.len() <= 2, "{when}: {scaled:?}");
                let live = admin(directory.path())
                    .show_group(&format!("svc-{group}"))
                    .unwrap()
                    .unwrap();
                assert_eq!(live.live.desired, 6, "{when}");
            }
            if ended.is_some() {
                break;
            }
            n += 1;
            assert!(n < MOST_COMMITS, "the run never comes to its end");
        }
        assert!(
            n > 4,
            "a run has its lease, its intents, its outcomes and its record: {n}"
        );
    }
}

#[test]
fn an_apply_that_dies_anywhere_is_understood_by_the_next_one() {
    for moment in MOMENTS {
        let mut n = 1;
        loop {
            let when = format!("{moment}={n}");
            let directory = Directory::with(&[("shop.hcl", SHOP)]);
            let ended = run_until_commit(&directory, moment, n, &["apply", "--auto-approve"]);
            if let Some(ran) = &ended {
                assert_eq!(ran.code, Some(0), "{when}: {}", ran.stderr);
            }
            let again = directory.run(&["apply", "--auto-approve"]);
            assert_eq!(
                again.code,
                Some(0),
                "{when}: {}{}",
                again.stdout,
                again.stderr
            );
            assert_settled(directory.path(), &when);
            let plan = directory.run(&["plan", "--detailed-exitcode"]);
            assert_eq!(plan.code, Some(0), "{when}: {}{}", plan.stdout, plan.stderr);
            assert_eq!(
                admin(directory.path()).show().unwrap().groups.len(),
                2,
                "{when}"
            );
            directory.run(&["reconcile", "--once"]).exits(0);
            if ended.is_some() {
                break;
            }
            n += 1;
            assert!(n < MOST_COMMITS, "the apply never comes to its end");
        }
        assert!(
            n > 4,
            "an apply has its lease, its beginning, its changes and its end: {n}"
        );
    }
}
