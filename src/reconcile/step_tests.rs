//! The loop's states, event by event, without a provider and without a state.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use jiff::{SignedDuration, Timestamp};
use tideform_policies::model::{
    Capacity, Group, GroupAddress, InstanceState, MetricReading, Sample,
};
use tideform_state::IntentId;

use super::group::{ActAnswer, GroupRun, Seen, VisitResult};
use super::progress::Progress;
use super::protocol::{Effect, Event, Moment, Pace, Settings, StopReason, TickReport};
use super::step::{LoopState, step};
use super::testing::{instance, live_group, tracking_group};
use crate::engine::{Memory, Observation, Rules};
use crate::observe::Observed;

const MINUTE: Duration = Duration::from_secs(60);

fn at(seconds: i64) -> Timestamp {
    Timestamp::from_second(1_700_000_000 + seconds).unwrap()
}

fn now(seconds: i64) -> Moment {
    Moment {
        world: at(seconds),
        machine: at(seconds),
    }
}

fn settings() -> Settings {
    Settings {
        pace: Pace::Every(MINUTE),
        is_shadow: false,
        lineage: "0123".to_owned(),
        workspace: "test".to_owned(),
        lease_time: Duration::from_secs(120),
        lease_margin: Duration::from_secs(35),
        round_size: 2,
        stop_after_ticks: None,
        stop_at: None,
        only: None,
    }
}

fn run(group: &Group) -> GroupRun {
    GroupRun {
        rules: Arc::new(Rules::new(group)),
        memory: Memory::default(),
        progress: Progress::default(),
        open: Vec::new(),
        asked_at: None,
        over_at: None,
        moved_after: None,
        chooses_victims: true,
    }
}

/// Four instances at this cpu.
fn seen(name: &str, cpu: f64, seconds: i64) -> Seen {
    let mut live = live_group(name, 4, at(seconds));
    live.instances = (0..4)
        .map(|n| instance(&format!("i-{n}"), InstanceState::InService, at(-3600)))
        .collect();
    let sample = Sample {
        at: at(seconds),
        value: cpu,
    };
    let observation = Observation {
        desired: Capacity(4),
        limits: Some(live.attributes.limits),
        instances: Some(live.instances.clone()),
        metrics: [("cpu".into(), MetricReading::Group(vec![sample]))].into(),
        ..Observation::default()
    };
    Seen::Live(Box::new(Observed {
        live,
        observation,
        failed_metrics: BTreeMap::new(),
        samples: BTreeMap::new(),
        load: None,
        native: None,
    }))
}

fn word(effect: &Effect) -> String {
    match effect {
        Effect::TakeLease => "take lease".to_owned(),
        Effect::Load => "load".to_owned(),
        Effect::Observe(groups) => format!("observe {}", groups.len()),
        Effect::RecordIntents(intents) => format!("record {} intents", intents.len()),
        Effect::Act { calls, .. } => format!("make {} calls", calls.len()),
        Effect::RecordOutcomes(outcomes) => format!("record {} outcomes", outcomes.len()),
        Effect::RecordTick(record) => format!("record tick of {}", record.groups.len()),
        Effect::Report(_) => "report".to_owned(),
        Effect::WakeAt(until) => format!("wake at {}s", until.duration_since(at(0)).as_secs()),
        Effect::Stop(reason) => format!("stop: {reason:?}"),
    }
}

/// A loop that is driven by hand: every effect but those that `interfere` answers is answered as if all went well.
struct Driver {
    state: Option<LoopState>,
    groups: Vec<Group>,
    cpu: f64,
    log: Vec<String>,
    reports: Vec<TickReport>,
    deadlines: Vec<Timestamp>,
    next_id: i64,
    seconds: i64,
}

impl Driver {
    fn new(settings: Settings, groups: usize, cpu: f64) -> Driver {
        Driver {
            state: Some(LoopState::new(settings)),
            groups: (0..groups)
                .map(|n| tracking_group(&format!("g{n}")))
                .collect(),
            cpu,
            log: Vec::new(),
            reports: Vec::new(),
            deadlines: Vec::new(),
            next_id: 1,
            seconds: 0,
        }
    }

    /// Feeds an event, and goes on until the loop waits or is over.
    fn go(&mut self, event: Event, mut interfere: impl FnMut(&str, &mut Driver) -> Option<Event>) {
        let mut events = vec![event];
        while let Some(event) = events.pop() {
            let state = self.state.take().unwrap();
            let (state, effects) = step(state, event, now(self.seconds));
            self.state = Some(state);
            for effect in effects {
                let word = word(&effect);
                self.log.push(word.clone());
                if let Effect::Act { deadline, .. } = &effect {
                    self.deadlines.push(*deadline);
                }
                let answer = interfere(&word, self).or_else(|| self.answer(effect));
                events.extend(answer);
            }
        }
    }

    fn answer(&mut self, effect: Effect) -> Option<Event> {
        Some(match effect {
            Effect::TakeLease => Event::Leased(at(self.seconds) + Duration::from_secs(120)),
            Effect::Load => Event::Loaded(self.groups.iter().map(run).collect()),
            Effect::Observe(groups) => {
                let seen = |group: GroupAddress| {
                    let seen = seen(&group.name, self.cpu, self.seconds);
                    (group, seen)
                };
                Event::Seen(groups.into_iter().map(seen).collect())
            }
            Effect::RecordIntents(intents) => {
                let first = self.next_id;
                self.next_id += i64::try_from(intents.len()).unwrap();
                Event::IntentsRecorded((first..self.next_id).map(IntentId).collect())
            }
            Effect::Act { calls, .. } => {
                Event::Acted(calls.iter().map(|_| ActAnswer::Done).collect())
            }
            Effect::RecordOutcomes(_) | Effect::RecordTick(_) => Event::Recorded,
            Effect::Report(report) => {
                self.reports.push(report);
                return None;
            }
            Effect::WakeAt(_) | Effect::Stop(_) => return None,
        })
    }
}

#[test]
fn a_tick_records_each_intent_before_its_call_and_the_outcome_after() {
    let mut driver = Driver::new(settings(), 3, 90.0);
    driver.go(Event::Started, |_, _| None);
    assert_eq!(
        driver.log,
        [
            "take lease",
            "load",
            "observe 3",
            "record 2 intents",
            "make 2 calls",
            "record 2 outcomes",
            "record 1 intents",
            "make 1 calls",
            "record 1 outcomes",
            "record tick of 0",
            "report",
            "wake at 60s",
        ]
    );
}

#[test]
fn a_tick_in_which_nothing_moves_records_and_waits() {
    let mut driver = Driver::new(settings(), 3, 60.0);
    driver.go(Event::Started, |_, _| None);
    assert_eq!(
        driver.log[3..],
        ["record tick of 3", "report", "wake at 60s"]
    );
}

#[test]
fn a_group_that_people_asked_something_of_is_due_before_its_time() {
    let visited = |asked_at: Option<i64>| {
        let mut driver = Driver::new(settings(), 2, 60.0);
        driver.seconds = 5;
        driver.go(Event::Started, |word, driver| {
            (word == "load").then(|| {
                let mut runs: Vec<GroupRun> = driver.groups.iter().map(run).collect();
                for run in &mut runs {
                    run.progress.last_visit = Some(at(0));
                }
                runs[1].asked_at = asked_at.map(at);
                Event::Loaded(runs)
            })
        });
        driver.log.contains(&"observe 1".to_owned())
    };
    assert!(visited(Some(3)));
    assert!(!visited(Some(-3)));
    assert!(!visited(None));
}

#[test]
fn a_run_of_one_tick_stops_after_it() {
    let once = Settings {
        pace: Pace::Once,
        ..settings()
    };
    let mut driver = Driver::new(once, 1, 60.0);
    driver.go(Event::Started, |_, _| None);
    assert_eq!(driver.log.last().unwrap(), "stop: Finished");
    assert!(driver.state.unwrap().is_stopped());
}

#[test]
fn while_another_holds_the_lease_nothing_else_happens() {
    let mut driver = Driver::new(settings(), 1, 90.0);
    driver.go(Event::Started, |word, _| {
        (word == "take lease").then(|| Event::LeaseHeld("somebody".to_owned()))
    });
    let held = StopReason::LeaseHeld("somebody".to_owned());
    assert_eq!(
        driver.log,
        ["take lease".to_owned(), format!("stop: {held:?}")]
    );
}

#[test]
fn a_lease_half_used_up_is_renewed_before_the_next_round_and_a_lost_one_ends_it() {
    let slow_observation = |driver: &mut Driver, word: &str| {
        if word == "observe 3" {
            driver.seconds += 61;
        }
    };
    let mut driver = Driver::new(settings(), 3, 90.0);
    driver.go(Event::Started, |word, driver| {
        slow_observation(driver, word);
        None
    });
    assert_eq!(
        driver.log[2..5],
        ["observe 3", "take lease", "record 2 intents"]
    );

    let mut driver = Driver::new(settings(), 3, 90.0);
    driver.go(Event::Started, |word, driver| {
        slow_observation(driver, word);
        (word == "take lease" && driver.log.len() > 1)
            .then(|| Event::LeaseHeld("somebody".to_owned()))
    });
    assert!(
        !driver.log.iter().any(|word| word.starts_with("make")),
        "{:?}",
        driver.log
    );
}

#[test]
fn no_call_starts_after_the_leases_end_less_the_margin() {
    let short = Settings {
        lease_margin: Duration::from_secs(115),
        ..settings()
    };
    let mut driver = Driver::new(short, 1, 90.0);
    driver.go(Event::Started, |_, _| None);
    assert_eq!(driver.deadlines, [at(5)]);
    // Else ten seconds after the intent was recorded: settling counts on it.
    let mut driver = Driver::new(settings(), 1, 90.0);
    driver.go(Event::Started, |_, _| None);
    assert_eq!(driver.deadlines, [at(10)]);
}

#[test]
fn asked_to_stop_it_finishes_the_round_in_hand_and_begins_no_other() {
    let mut driver = Driver::new(settings(), 3, 90.0);
    let mut asked = false;
    driver.go(Event::Started, |word, driver| {
        if word == "make 2 calls" && !asked {
            asked = true;
            // While the calls are under way.
            let (state, effects) = step(driver.state.take().unwrap(), Event::StopAsked, now(0));
            assert!(effects.is_empty(), "it finishes what is in hand");
            driver.state = Some(state);
        }
        None
    });
    assert_eq!(
        driver.log[4..],
        [
            "make 2 calls",
            "record 2 outcomes",
            "record tick of 1",
            "report",
            "stop: Asked"
        ]
    );
    let report = &driver.reports[0];
    let stopped = report
        .groups
        .iter()
        .filter(|group| group.result == VisitResult::Stopped)
        .count();
    assert_eq!(stopped, 1);
    assert_eq!(
        report.decisions(tideform_policies::model::Direction::Out),
        3
    );
}

#[test]
fn asked_to_stop_while_waiting_it_stops_at_once() {
    let mut driver = Driver::new(settings(), 1, 60.0);
    driver.go(Event::Started, |_, _| None);
    driver.go(Event::StopAsked, |_, _| None);
    assert_eq!(driver.log.last().unwrap(), "stop: Asked");
}

#[test]
fn ticks_do_not_drift_and_one_that_took_too_long_skips_some() {
    let mut driver = Driver::new(settings(), 1, 60.0);
    let mut wakes = Vec::new();
    // When each tick begins, and how long it takes.
    for (begins, takes) in [(0, 5), (60, 20), (125, 1), (180, 150), (330, 1), (360, 1)] {
        driver.seconds = begins;
        let event = if begins == 0 {
            Event::Started
        } else {
            Event::Woken
        };
        driver.go(event, |word, driver| {
            if word == "load" {
                driver.seconds += takes;
            }
            None
        });
        wakes.push(driver.log.last().unwrap().clone());
    }
    assert_eq!(
        wakes,
        [
            "wake at 60s",
            "wake at 120s",
            "wake at 180s",
            "wake at 240s",
            "wake at 360s",
            "wake at 420s"
        ]
    );
}

#[test]
fn a_call_whose_outcome_is_unknown_is_recorded_without_one() {
    let once = Settings {
        pace: Pace::Once,
        ..settings()
    };
    let mut driver = Driver::new(once, 1, 90.0);
    driver.go(Event::Started, |word, _| {
        (word == "make 1 calls")
            .then(|| Event::Acted(vec![ActAnswer::Unknown("no answer".to_owned())]))
    });
    assert_eq!(
        driver.reports[0].groups[0].result,
        VisitResult::Unknown("no answer".to_owned())
    );
    assert_eq!(
        driver.log.last().unwrap(),
        "stop: Finished",
        "the next run settles it"
    );
}

#[test]
fn a_shadow_takes_no_lease_and_makes_no_call() {
    let shadow = Settings {
        is_shadow: true,
        ..settings()
    };
    let mut driver = Driver::new(shadow, 2, 90.0);
    driver.go(Event::Started, |word, _| {
        assert!(
            !word.starts_with("take") && !word.starts_with("make"),
            "{word}"
        );
        None
    });
    assert_eq!(
        driver.log,
        [
            "load",
            "observe 2",
            "record tick of 2",
            "report",
            "wake at 60s"
        ]
    );
    let change = |group: &super::group::GroupReport| group.result.clone();
    assert!(
        driver.reports[0]
            .groups
            .iter()
            .all(|g| matches!(change(g), VisitResult::Would(_)))
    );
}

#[test]
fn a_tick_that_would_begin_at_its_end_does_not() {
    let bounded = Settings {
        stop_at: Some(at(60)),
        ..settings()
    };
    let mut driver = Driver::new(bounded, 1, 60.0);
    driver.go(Event::Started, |_, _| None);
    driver.seconds = 60;
    driver.go(Event::Woken, |_, _| None);
    assert_eq!(driver.log.last().unwrap(), "stop: Finished");
    assert_eq!(driver.reports.len(), 1);
    assert_eq!(at(60).duration_since(at(0)), SignedDuration::from_mins(1));
}
