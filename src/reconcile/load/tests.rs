//! What people have asked for, as a run finds it in the state.

use tideform_state::{
    AppliedGroup, ApplyOutcome, JsonText, NewApply, NewOverride, NewState, OverrideId, Ownership,
};

use super::*;
use crate::reconcile::progress::Moved;
use crate::reconcile::testing::tracking_group;

fn at(minutes: i64) -> Timestamp {
    Timestamp::from_second(1_700_000_000 + 60 * minutes).expect("a time")
}

/// A state with one group.
struct Story(State);

impl Story {
    /// The group is applied at minute 0, and visited in the same minute.
    fn new(controller: Controller) -> Story {
        let state = State::in_memory(&NewState {
            workspace: "shop".into(),
            lineage: "s1".into(),
            created_at: at(0),
        })
        .expect("a state");
        let mut story = Story(state);
        let mut group = tracking_group("web");
        group.controller = controller;
        story.applied(0, Some(&group));
        story.visited(0, &Progress::default());
        story
    }

    /// An apply, of this group or of none.
    fn applied(&mut self, minute: i64, group: Option<&Group>) {
        let apply = NewApply {
            at: at(minute),
            actor: "ann".into(),
            digest: String::new(),
            details: serde_json::Value::Null,
        };
        self.0
            .write(|tx| {
                let id = tx.begin_apply(&apply)?;
                if let Some(group) = group {
                    let applied = AppliedGroup {
                        group: group.clone(),
                        attributes: serde_json::Value::Null,
                        fingerprint: String::new(),
                        ownership: Ownership::Managed,
                        details: serde_json::Value::Null,
                        applied_at: at(minute),
                    };
                    tx.record_applied_group(id, &applied)?;
                }
                tx.finish_apply(id, &ApplyOutcome::Done, at(minute))
            })
            .expect("written");
    }

    fn visited(&mut self, minute: i64, progress: &Progress) {
        let progress = Progress {
            last_visit: Some(at(minute)),
            ..progress.clone()
        };
        let text = JsonText::of(&progress).expect("JSON");
        self.0
            .write(|tx| tx.save_progress(&GroupAddress::new("web"), &text))
            .expect("written");
    }

    /// For an hour.
    fn asked(&mut self, minute: i64, kind: OverrideKind) -> OverrideId {
        let new = NewOverride {
            group: GroupAddress::new("web"),
            kind,
            from: at(minute),
            until: Some(at(minute + 60)),
            reason: None,
            by: "ann".into(),
            created_at: at(minute),
        };
        self.0.write(|tx| tx.add_override(&new)).expect("written")
    }

    fn ended(&mut self, minute: i64, id: OverrideId) {
        self.0
            .write(|tx| tx.end_override(id, at(minute), "ann"))
            .expect("written");
    }

    fn run(&self) -> GroupRun {
        let mut compiled = Compiled::default();
        compiled.refresh(&self.0).expect("read");
        let runs = compiled.runs(&self.0, |_| true).expect("read");
        runs.into_iter().next().expect("a group")
    }

    fn moved(&self) -> Moved {
        self.run().progress.moved
    }
}

const PIN: OverrideKind = OverrideKind::Pin { capacity: 6 };
const LIMITS: Moved = Moved {
    limits: true,
    paused: false,
    set_aside: Vec::new(),
    off_before: std::collections::BTreeSet::new(),
};

#[test]
fn a_pin_that_an_apply_carried_out_and_no_visit_saw_is_to_be_brought_back() {
    let mut story = Story::new(Controller::Native);
    let pin = story.asked(1, PIN);
    story.applied(2, None);
    story.ended(3, pin);
    assert_eq!(story.moved(), LIMITS);
    // Another apply does not make it forgotten, and neither does its end's having been long ago.
    story.applied(500, None);
    assert_eq!(story.moved(), LIMITS);
    // A visit has seen its end.
    story.visited(501, &Progress::default());
    assert_eq!(story.moved(), Moved::default());
}

#[test]
fn a_pin_that_ran_out_is_brought_back_like_one_that_was_ended() {
    let mut story = Story::new(Controller::Native);
    story.asked(1, PIN);
    story.applied(2, None);
    story
        .0
        .write(|tx| tx.expire_overrides(at(61), "ann"))
        .expect("written");
    assert_eq!(story.moved(), LIMITS);
    story.visited(62, &Progress::default());
    assert_eq!(story.moved(), Moved::default());
}

#[test]
fn what_no_apply_carried_out_is_not_undone() {
    let mut story = Story::new(Controller::Native);
    let pin = story.asked(1, PIN);
    story.ended(3, pin);
    assert_eq!(story.moved(), Moved::default(), "no apply since the pin");
    let mut story = Story::new(Controller::Native);
    story.asked(1, OverrideKind::Pause);
    story.applied(2, None);
    assert_eq!(story.moved(), Moved::default(), "a pause moves no limits");
    let mut story = Story::new(Controller::Tideform);
    story.asked(1, PIN);
    story.applied(2, None);
    assert_eq!(story.moved(), Moved::default(), "the loop writes no limits");
}

#[test]
fn a_group_is_asked_once_for_what_people_set_or_end_by_hand() {
    for controller in [Controller::Native, Controller::Tideform] {
        let mut story = Story::new(controller);
        assert!(!story.run().is_asked(at(1)));
        let pin = story.asked(1, PIN);
        assert!(story.run().is_asked(at(1)));
        story.visited(2, &Progress::default());
        assert!(!story.run().is_asked(at(3)));
        story.ended(3, pin);
        assert!(story.run().is_asked(at(3)));
        story.visited(4, &Progress::default());
        assert!(!story.run().is_asked(at(5)));
        // One that runs out is ended when the group is next due.
        story.asked(5, OverrideKind::Pause);
        story.visited(6, &Progress::default());
        story
            .0
            .write(|tx| tx.expire_overrides(at(65), "ann"))
            .expect("written");
        assert!(!story.run().is_asked(at(65)));
        // A group that fails backs off all the same.
        story.asked(66, PIN);
        story.visited(
            6,
            &Progress {
                not_before: Some(at(70)),
                ..Progress::default()
            },
        );
        assert!(!story.run().is_asked(at(69)));
        assert!(story.run().is_asked(at(70)));
    }
}

#[test]
fn a_group_is_due_when_what_moved_it_runs_out_and_until_it_was_visited() {
    let mut story = Story::new(Controller::Native);
    story.asked(1, PIN);
    let moved = Progress {
        moved: LIMITS,
        ..Progress::default()
    };
    story.visited(2, &moved);
    assert!(!story.run().is_asked(at(60)));
    assert!(story.run().is_asked(at(61)));
    story
        .0
        .write(|tx| tx.expire_overrides(at(61), "ann"))
        .expect("written");
    assert!(story.run().is_asked(at(62)));
    story.visited(63, &moved);
    assert!(!story.run().is_asked(at(64)));
}
