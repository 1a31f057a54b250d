//! What the loop does about a group that the cloud scales, by what is live and what people have asked for.

use serde_json::json;
use tideform_policies::model::{Limits, Schedule, Surge, Window};
use tideform_provider::{Settings, dated_block};

use super::*;
use crate::engine::{ActiveSurge, Observation, Pause, Pin};
use crate::reconcile::testing::{live_group, tracking_group};

fn at(text: &str) -> Timestamp {
    format!("2026-11-20T{text}Z").parse().expect("a time")
}

const NOW: &str = "12:00:00";

fn limits(min: u32, max: u32) -> Limits {
    Limits::new(Capacity(min), Capacity(max)).expect("limits")
}

/// 1 to 20, with a surge to 8.
fn native() -> Group {
    let mut group = tracking_group("web");
    group.controller = tideform_policies::model::Controller::Native;
    group.policy.surges = vec![Surge {
        name: "launch".into(),
        min: Capacity(8),
        lead: std::time::Duration::ZERO,
        duration: std::time::Duration::from_secs(3600),
    }];
    group
}

fn spec(block: &str, min: u32) -> ControlSpec {
    ControlSpec {
        name: format!("tideform/shop/web/{block}"),
        kind: ControlKind::Schedule,
        path: "schedule".into(),
        summary: String::new(),
        settings: Settings::from([("min".to_owned(), json!(min))]),
    }
}

fn dated(time: &str, min: u32) -> ControlSpec {
    spec(&dated_block(at(time)), min)
}

fn made(spec: &ControlSpec) -> Control {
    Control {
        name: spec.name.clone(),
        kind: spec.kind,
        enabled: true,
        summary: String::new(),
        settings: spec.settings.clone(),
        writes: Default::default(),
        beyond: None,
    }
}

/// A group at 4, with these limits and actions, paused or not.
struct Case {
    group: Group,
    limits: Limits,
    there: Vec<ControlSpec>,
    is_paused: bool,
    overrides: Overrides,
    wanted: Vec<ControlSpec>,
    pausable: Vec<ControlSpec>,
    moved: Moved,
}

impl Case {
    fn new() -> Case {
        Case {
            group: native(),
            limits: limits(1, 20),
            there: Vec::new(),
            is_paused: false,
            overrides: Overrides::default(),
            wanted: Vec::new(),
            pausable: Vec::new(),
            moved: Moved::default(),
        }
    }

    fn plan(&self) -> NativePlan {
        let mut live = live_group("web", 4, at(NOW));
        live.attributes.limits = self.limits;
        live.controls = self.there.iter().map(made).collect();
        live.is_paused = self.is_paused;
        let observed = Observed {
            observation: Observation {
                overrides: self.overrides.clone(),
                ..Observation::default()
            },
            live,
            failed_metrics: Default::default(),
            samples: Default::default(),
            load: None,
            native: None,
        };
        let wanted = NativeControls {
            schedules: self.wanted.clone(),
            pausable: self.pausable.clone(),
        };
        plan_native(&self.group, &observed, &wanted, self.moved, "shop", at(NOW))
    }

    /// The acts in words.
    fn said(&self) -> Vec<String> {
        let plan = self.plan();
        let word = |act: &PlannedAct| act.act.summary(&act.change);
        plan.acts.iter().map(word).collect()
    }
}

fn pin() -> Overrides {
    Overrides {
        pin: Some(Pin {
            capacity: Capacity(5),
            until: at("14:00:00"),
            reason: None,
            by: "ann".into(),
        }),
        ..Overrides::default()
    }
}

fn pause() -> Overrides {
    Overrides {
        pause: Some(Pause {
            until: at("14:00:00"),
            reason: None,
            by: "ann".into(),
        }),
        ..Overrides::default()
    }
}

#[test]
fn a_group_that_nothing_moves_is_left_alone_whatever_was_changed_by_hand() {
    let case = Case {
        limits: limits(3, 7),
        there: vec![spec("office-open", 6)],
        wanted: vec![spec("office-open", 4)],
        ..Case::new()
    };
    assert_eq!(case.said(), [] as [&str; 0]);
    assert_eq!(case.plan().moved, Moved::default());
}

#[test]
fn a_pin_is_written_after_the_action_that_ends_it() {
    let case = Case {
        overrides: pin(),
        there: vec![spec("office-open", 6)],
        wanted: vec![dated("14:00:00", 1)],
        ..Case::new()
    };
    assert_eq!(
        case.said(),
        [
            "pinned to 5 until 2026-11-20T14:00:00Z: 1 scheduled action removed, 1 scheduled action put",
            "pinned to 5 until 2026-11-20T14:00:00Z: limits 5 to 5",
        ]
    );
    let plan = case.plan();
    assert_eq!(plan.acts[1].change.after, Capacity(5));
    assert!(plan.moved.limits);
    assert!(matches!(plan.reasons[..], [Reason::Pinned { .. }]));
}

#[test]
fn a_pin_that_is_carried_out_is_left_as_it_is() {
    let case = Case {
        overrides: pin(),
        limits: limits(5, 5),
        there: vec![dated("14:00:00", 1)],
        wanted: vec![dated("14:00:00", 1)],
        moved: Moved {
            limits: true,
            paused: false,
        },
        ..Case::new()
    };
    assert_eq!(case.said(), [] as [&str; 0]);
    assert!(case.plan().moved.limits);
}

#[test]
fn after_a_pin_all_is_as_the_files_say_and_then_no_more_is_done() {
    let moved = Moved {
        limits: true,
        paused: false,
    };
    let over = Case {
        limits: limits(5, 5),
        wanted: vec![spec("office-open", 6)],
        moved,
        ..Case::new()
    };
    assert_eq!(
        over.said(),
        [
            "what was asked for by hand is over: 1 scheduled action put",
            "what was asked for by hand is over: limits 1 to 20",
        ]
    );
    assert_eq!(over.plan().moved, moved);
    let settled = Case {
        there: vec![spec("office-open", 6)],
        wanted: vec![spec("office-open", 6)],
        moved,
        ..Case::new()
    };
    assert_eq!(settled.said(), [] as [&str; 0]);
    assert_eq!(settled.plan().moved, Moved::default());
}

#[test]
fn dated_actions_are_renewed_and_those_that_acted_are_not_missed() {
    let mut group = native();
    group.policy.schedules = vec![Schedule {
        name: "once".into(),
        when: Window::Once {
            start: at("11:00:00"),
            end: at("13:00:00"),
            timezone: None,
        },
        min: Some(Capacity(6)),
        max: None,
    }];
    let case = Case {
        group,
        limits: limits(1, 20),
        there: vec![dated("11:00:00", 6), dated("12:30:00", 9)],
        wanted: vec![dated("13:00:00", 1)],
        ..Case::new()
    };
    // The one at 11:00 has acted, or is about to: the limits of now are written all the same.
    assert_eq!(
        case.said(),
        [
            "windows renewed: 1 scheduled action removed, 1 scheduled action put",
            "windows renewed: limits 6 to 20",
        ]
    );
    let plan = case.plan();
    let Act::Changes { changes, .. } = &plan.acts[0].act else {
        panic!("{plan:?}");
    };
    assert!(
        matches!(&changes[0], AttributeChange::RemoveControl(name) if name.ends_with("T123000Z"))
    );
    assert_eq!(plan.moved, Moved::default());
}

#[test]
fn a_surge_to_come_is_an_action_and_no_limits_yet() {
    let case = Case {
        overrides: Overrides {
            surges: vec![ActiveSurge {
                name: "launch".into(),
                min: Capacity(8),
                from: at("13:00:00"),
                until: at("14:00:00"),
            }],
            ..Overrides::default()
        },
        wanted: vec![dated("13:00:00", 8), dated("14:00:00", 1)],
        ..Case::new()
    };
    assert_eq!(
        case.said(),
        ["surge launch until 2026-11-20T14:00:00Z: 2 scheduled actions put"]
    );
    assert!(case.plan().moved.limits);
}

#[test]
fn a_pause_switches_off_and_nothing_else_is_touched_until_its_end() {
    let forecast = ControlSpec {
        kind: ControlKind::Dynamic,
        summary: "predictive scaling, only observing".into(),
        ..spec("forecast", 1)
    };
    let acting = ControlSpec {
        summary: "predictive scaling".into(),
        settings: Settings::from([("min".to_owned(), json!(2))]),
        ..forecast.clone()
    };
    let begins = Case {
        overrides: Overrides {
            pin: pin().pin,
            ..pause()
        },
        limits: limits(3, 7),
        there: vec![acting.clone()],
        pausable: vec![forecast.clone()],
        ..Case::new()
    };
    assert_eq!(
        begins.said(),
        [
            "paused until 2026-11-20T14:00:00Z: predictive scaling, only observing, the cloud's own policies switched off"
        ]
    );
    assert!(begins.plan().moved.paused);
    let ends = Case {
        is_paused: true,
        limits: limits(6, 20),
        there: vec![forecast],
        pausable: vec![acting],
        moved: begins.plan().moved,
        ..Case::new()
    };
    // A window that closed meanwhile did not write its limits.
    assert_eq!(
        ends.said(),
        [
            "what was asked for by hand is over: limits 1 to 20, predictive scaling, the cloud's own policies switched on"
        ]
    );
}

#[test]
fn a_group_that_somebody_else_switched_off_stays_so() {
    let paused = Case {
        is_paused: true,
        overrides: pause(),
        ..Case::new()
    };
    assert_eq!(paused.said(), [] as [&str; 0]);
    assert!(!paused.plan().moved.paused);
    let after = Case {
        is_paused: true,
        ..Case::new()
    };
    assert_eq!(after.said(), [] as [&str; 0]);
}
