//! What the loop does about a group that the cloud scales, by what is live and what people have asked for.

use serde_json::json;
use tideform_policies::model::{Limits, Schedule, Surge, Window};
use tideform_provider::{Settings, SwitchedOff, dated_block};

use super::*;
use crate::engine::{ActiveSurge, Memory, Observation, Pause, Pin, Rules};
use crate::reconcile::group::{ActAnswer, Context, GroupRun, GroupWrite, Seen};
use crate::reconcile::progress::Progress;
use crate::reconcile::settle::OpenIntent;
use crate::reconcile::testing::{live_group, tracking_group};
use crate::reconcile::{after_act, visit};

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
    off: Vec<SwitchedOff>,
    overrides: Overrides,
    wanted: Vec<ControlSpec>,
    usual: Vec<ControlSpec>,
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
            off: Vec::new(),
            overrides: Overrides::default(),
            wanted: Vec::new(),
            usual: Vec::new(),
            pausable: Vec::new(),
            moved: Moved::default(),
        }
    }

    fn observed(&self) -> Observed {
        let mut live = live_group("web", 4, at(NOW));
        live.attributes.limits = self.limits;
        live.controls = self.there.iter().map(made).collect();
        live.is_paused = self.is_paused;
        live.switched_off = self.off.clone();
        Observed {
            observation: Observation {
                overrides: self.overrides.clone(),
                ..Observation::default()
            },
            live,
            failed_metrics: Default::default(),
            samples: Default::default(),
            load: None,
            native: Some(Ok(self.controls())),
        }
    }

    fn controls(&self) -> NativeControls {
        NativeControls {
            schedules: self.wanted.clone(),
            usual: self.usual.iter().map(|spec| spec.name.clone()).collect(),
            pausable: self.pausable.clone(),
        }
    }

    fn plan(&self) -> NativePlan {
        plan_native(
            &self.group,
            &self.observed(),
            &self.controls(),
            &self.moved,
            "shop",
            at(NOW),
        )
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
            ..Moved::default()
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
        ..Moved::default()
    };
    let over = Case {
        limits: limits(5, 5),
        wanted: vec![spec("office-open", 6)],
        moved: moved.clone(),
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
fn what_was_brought_back_is_forgotten_with_the_outcome_of_the_last_call_and_not_before() {
    let aside = spec("office-open", 6);
    let moved = Moved {
        limits: true,
        set_aside: vec![made(&aside)],
        ..Moved::default()
    };
    let over = Case {
        limits: limits(5, 5),
        wanted: vec![aside],
        moved: moved.clone(),
        ..Case::new()
    };
    let run = GroupRun {
        rules: std::sync::Arc::new(Rules::new(&over.group)),
        memory: Memory::default(),
        progress: Progress {
            moved: moved.clone(),
            ..Progress::default()
        },
        open: Vec::new(),
        chooses_victims: false,
        asked_at: None,
        over_at: None,
        moved_after: None,
    };
    let context = Context {
        now: at(NOW),
        is_shadow: false,
        lineage: "0123".to_owned(),
        workspace: "shop".to_owned(),
    };
    let visit = visit(run, Seen::Live(Box::new(over.observed())), &context);
    let kept = |write: GroupWrite| write.progress.map(|progress| progress.moved);
    // Recorded before the first call: whoever is killed from here on goes on with it.
    assert_eq!(kept(visit.write), Some(moved.clone()));
    assert_eq!(visit.acts.len(), 2);
    let answers = |answers: [ActAnswer; 2]| {
        let mut run = visit.run.clone();
        let mut last = None;
        for (n, answer) in answers.iter().enumerate() {
            let intent = OpenIntent {
                id: tideform_state::IntentId(1),
                at: at(NOW),
                change: visit.acts[n].change.clone(),
                act: visit.acts[n].act.clone(),
            };
            let (write, _) = after_act(&mut run, &intent, answer, n == 1, at(NOW));
            last = kept(write).or(last);
        }
        last
    };
    let (done, not_done) = (ActAnswer::Done, ActAnswer::NotDone("no".to_owned()));
    assert_eq!(
        answers([done.clone(), done.clone()]),
        Some(Moved::default())
    );
    assert_eq!(answers([done, not_done]), Some(moved));
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

#[test]
fn what_somebody_else_had_switched_off_before_a_pause_stays_off_after_it() {
    let off = |name: &str| SwitchedOff {
        name: name.to_owned(),
        effect: String::new(),
        resume: String::new(),
        by_pause: true,
    };
    let begins = Case {
        overrides: pause(),
        off: vec![off("AlarmNotification")],
        ..Case::new()
    };
    let moved = begins.plan().moved;
    assert!(moved.paused);
    let ends = Case {
        is_paused: true,
        off: vec![off("AlarmNotification"), off("ScheduledActions")],
        moved: moved.clone(),
        ..Case::new()
    };
    assert_eq!(
        ends.said(),
        [
            "what was asked for by hand is over: ScheduledActions switched on, and nothing that was off before"
        ]
    );
    let settled = Case {
        off: vec![off("AlarmNotification")],
        moved,
        ..Case::new()
    };
    assert_eq!(settled.plan().moved, Moved::default());
    // One that somebody resumed meanwhile does not keep the other one off.
    let half = Case {
        off: vec![off("ScheduledActions")],
        moved: Moved {
            paused: true,
            ..Moved::default()
        },
        ..Case::new()
    };
    assert_eq!(half.said().len(), 1);
}

/// A group with the two adopted actions of a window, through a pin that comes and goes, and a process that is killed.
struct World {
    group: Group,
    live: LiveGroup,
    moved: Moved,
}

/// What the files' window is as two actions, whoever made them.
fn edges() -> [ControlSpec; 2] {
    [spec("office-open", 6), spec("office-close", 1)]
}

impl World {
    fn new(adopt: Adopt) -> World {
        let mut group = native();
        group.adopt = adopt;
        let mut live = live_group("web", 4, at(NOW));
        live.controls = edges()
            .iter()
            .zip(["morning", "evening"])
            .map(|(edge, name)| Control {
                name: name.to_owned(),
                ..made(edge)
            })
            .collect();
        live.controls.push(Control {
            name: "nightly".to_owned(),
            ..made(&spec("nightly", 9))
        });
        World {
            group,
            live,
            moved: Moved::default(),
        }
    }

    /// The files' windows under the names that they have here, as a provider says it.
    fn usual(&self) -> Vec<ControlSpec> {
        let whole = Moved::with_set_aside(&self.moved.set_aside, &self.live);
        let is_adopted = |control: &&Control| match &self.group.adopt {
            Adopt::None => false,
            Adopt::All => !control.name.starts_with("tideform/"),
            Adopt::Named(names) => names.contains(&control.name),
        };
        edges()
            .into_iter()
            .map(|edge| {
                let mut adopted = whole.controls.iter().filter(is_adopted);
                let same = adopted.find(|control| control.settings == edge.settings);
                let name = same.map_or(edge.name.clone(), |control| control.name.clone());
                ControlSpec { name, ..edge }
            })
            .collect()
    }

    /// One run of the loop, killed once it has made so many changes: what it moved is recorded before.
    fn run(&mut self, overrides: &Overrides, changes: usize) {
        let is_held = overrides.pin.is_some();
        let usual = self.usual();
        let wanted = NativeControls {
            usual: match is_held {
                true => usual.iter().map(|spec| spec.name.clone()).collect(),
                false => Default::default(),
            },
            schedules: match is_held {
                true => vec![dated("14:00:00", 1)],
                false => usual,
            },
            pausable: Vec::new(),
        };
        let observed = Observed {
            observation: Observation {
                overrides: overrides.clone(),
                ..Observation::default()
            },
            live: self.live.clone(),
            failed_metrics: Default::default(),
            samples: Default::default(),
            load: None,
            native: None,
        };
        let plan = plan_native(
            &self.group,
            &observed,
            &wanted,
            &self.moved,
            "shop",
            at(NOW),
        );
        let all = plan.acts.into_iter().flat_map(|act| match act.act {
            Act::Changes { changes, .. } => changes,
            _ => Vec::new(),
        });
        let all: Vec<AttributeChange> = all.collect();
        self.moved = match all.len() <= changes {
            true => plan.moved_after,
            false => plan.moved,
        };
        for change in all.into_iter().take(changes) {
            let controls = &mut self.live.controls;
            match change {
                AttributeChange::Limits(limits) => self.live.attributes.limits = limits,
                AttributeChange::RemoveControl(name) => {
                    controls.retain(|control| control.name != name);
                }
                AttributeChange::PutControl(spec) => {
                    controls.retain(|control| control.name != spec.name);
                    controls.push(made(&spec));
                }
                other => panic!("{other:?}"),
            }
        }
    }

    fn names(&self) -> Vec<&str> {
        let mut names: Vec<&str> = self.live.controls.iter().map(|c| c.name.as_str()).collect();
        names.sort_unstable();
        names
    }
}

const ALL: usize = usize::MAX;

#[test]
fn adopted_actions_are_set_aside_for_a_pin_and_come_back_as_they_were_wherever_the_loop_is_killed()
{
    let named = Adopt::Named(vec!["morning".into(), "evening".into()]);
    for adopt in [named, Adopt::All] {
        for (coming, going) in (0..6).flat_map(|a| (0..6).map(move |b| (a, b))) {
            let mut world = World::new(adopt.clone());
            let before = world.live.clone();
            world.run(&pin(), coming);
            world.run(&pin(), ALL);
            assert_eq!(
                world.names(),
                ["nightly", "tideform/shop/web/window-20261120T140000Z"],
                "{adopt:?}, killed after {coming}"
            );
            assert_eq!(world.live.attributes.limits, limits(5, 5));
            // Nothing is left to do, and nothing is forgotten.
            world.run(&pin(), 0);
            world.run(&Overrides::default(), going);
            world.run(&Overrides::default(), ALL);
            let mut after = world.live.clone();
            after.controls.sort_by(|a, b| a.name.cmp(&b.name));
            let mut controls = before.controls.clone();
            controls.sort_by(|a, b| a.name.cmp(&b.name));
            assert_eq!(
                after.controls, controls,
                "{adopt:?}, killed after {coming}, {going}"
            );
            assert_eq!(after.attributes.limits, limits(1, 20));
            assert_eq!(world.moved, Moved::default());
        }
    }
}

#[test]
fn a_pin_that_is_taken_back_before_all_of_it_was_done_leaves_nothing() {
    for coming in 0..6 {
        let mut world = World::new(Adopt::All);
        let names: Vec<String> = world.names().into_iter().map(str::to_owned).collect();
        world.run(&pin(), coming);
        world.run(&Overrides::default(), ALL);
        assert_eq!(world.names(), names, "killed after {coming}");
        assert_eq!(world.moved, Moved::default());
    }
}

#[test]
fn an_action_made_by_hand_under_the_name_of_one_set_aside_goes_and_does_not_replace_it() {
    let named = Adopt::Named(vec!["morning".into(), "evening".into()]);
    for adopt in [named, Adopt::All] {
        let mut world = World::new(adopt);
        let before: Vec<String> = world.names().into_iter().map(str::to_owned).collect();
        world.run(&pin(), ALL);
        let remembered = world.moved.clone();
        world.live.controls.push(Control {
            name: "morning".to_owned(),
            ..made(&spec("", 15))
        });
        world.run(&pin(), ALL);
        assert_eq!(world.moved, remembered);
        assert!(!world.names().contains(&"morning"));
        world.run(&Overrides::default(), ALL);
        assert_eq!(world.names(), before);
        let morning = world.live.controls.iter().find(|c| c.name == "morning");
        assert_eq!(morning.expect("back").settings, edges()[0].settings);
    }
}

#[test]
fn what_the_files_let_go_of_while_a_pin_holds_comes_back_as_it_was() {
    let mut world = World::new(Adopt::Named(vec!["morning".into(), "evening".into()]));
    world.run(&pin(), ALL);
    world.group.adopt = Adopt::None;
    world.run(&pin(), ALL);
    world.run(&Overrides::default(), ALL);
    assert_eq!(
        world.names(),
        [
            "evening",
            "morning",
            "nightly",
            "tideform/shop/web/office-close",
            "tideform/shop/web/office-open",
        ]
    );
}

#[test]
fn an_event_names_what_may_end_a_pin_early() {
    let mut world = World::new(Adopt::None);
    for control in &mut world.live.controls {
        control.writes.min = (control.name == "nightly").then_some(9);
    }
    let mut observed = Observed {
        observation: Observation {
            overrides: pin(),
            ..Observation::default()
        },
        live: world.live.clone(),
        failed_metrics: Default::default(),
        samples: Default::default(),
        load: None,
        native: None,
    };
    let said = |group: &Group, observed: &Observed| {
        let nothing = (NativeControls::default(), Moved::default());
        let plan = plan_native(group, observed, &nothing.0, &nothing.1, "shop", at(NOW));
        plan.acts[0].act.summary(&plan.acts[0].change)
    };
    assert_eq!(
        said(&world.group, &observed),
        "pinned to 5 until 2026-11-20T14:00:00Z (not adopted, and may end it early: `nightly`): limits 5 to 5"
    );
    // Adopted, it is set aside.
    world.group.adopt = Adopt::Named(vec!["nightly".into()]);
    assert!(!said(&world.group, &observed).contains("early"));
    observed.observation.overrides = Overrides::default();
    let plan = plan_native(
        &world.group,
        &observed,
        &NativeControls::default(),
        &Moved::default(),
        "shop",
        at(NOW),
    );
    assert!(plan.acts.is_empty());
}

#[test]
fn an_event_names_what_is_set_aside() {
    let mut group = native();
    group.adopt = Adopt::Named(vec!["morning".into()]);
    let adopted = ControlSpec {
        name: "morning".to_owned(),
        ..spec("", 6)
    };
    let case = Case {
        group,
        overrides: pin(),
        there: vec![adopted.clone()],
        wanted: vec![dated("14:00:00", 1)],
        usual: vec![adopted],
        ..Case::new()
    };
    assert_eq!(
        case.said()[0],
        "pinned to 5 until 2026-11-20T14:00:00Z, `morning` set aside until then: 1 scheduled action removed, 1 scheduled action put"
    );
}
