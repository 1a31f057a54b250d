use std::collections::BTreeMap;

use serde_json::{Value as Json, json};
use tideform_policies::model::{Adopt, Capacity, Controller, Group, Limits};
use tideform_provider::{AttributeChange, Control, ControlKind, ControlSpec, Writes};

use crate::plan::fixtures::{configuration, live, mock, plain};
use crate::plan::known::{Applied, Details, Known};
use crate::plan::{
    DriftOutcome, GroupPlan, Inputs, Mode, PlanOptions, Record, StateMark, Step, WantedControls,
    compute,
};

fn spec(name: &str, settings: Json) -> ControlSpec {
    ControlSpec {
        name: name.to_owned(),
        kind: match settings["type"].as_str() {
            Some("scheduled") => ControlKind::Schedule,
            _ => ControlKind::Dynamic,
        },
        path: "metric.cpu".to_owned(),
        summary: format!("{settings}"),
        settings: settings.as_object().unwrap().clone().into_iter().collect(),
    }
}

fn track(target: u32) -> ControlSpec {
    spec(CPU, json!({ "type": "tracking", "target": target }))
}

const CPU: &str = "tideform/shop/web/cpu";

/// As it is in the cloud.
fn there(spec: &ControlSpec) -> Control {
    Control {
        name: spec.name.clone(),
        kind: spec.kind,
        enabled: true,
        summary: spec.summary.clone(),
        settings: spec.settings.clone(),
        writes: Default::default(),
        beyond: None,
    }
}

/// `web`, scaled by the cloud.
fn web() -> Group {
    Group {
        controller: Controller::Native,
        ..plain("web")
    }
}

/// What is known, what is live and what is wanted of `web`.
struct Case {
    /// In the files.
    group: Group,
    limits: Limits,
    applied: Applied,
    unfinished: Option<Record>,
    live: Vec<Control>,
    wanted: Vec<ControlSpec>,
}

impl Case {
    fn new(recorded: Option<&[ControlSpec]>, live: &[Control], wanted: &[ControlSpec]) -> Case {
        Case {
            group: web(),
            limits: web().policy.limits.unwrap(),
            applied: Applied {
                controls: recorded.map(<[_]>::to_vec),
                ..Applied::new(web())
            },
            unfinished: None,
            live: live.to_vec(),
            wanted: wanted.to_vec(),
        }
    }

    fn plan(&self, mode: Mode) -> GroupPlan {
        let group = self.group.clone();
        let mut seen = live(&group, 2);
        seen.attributes.limits = self.limits;
        seen.controls.clone_from(&self.live);
        let address = group.address.clone();
        let known = Known {
            mark: Some(StateMark {
                lineage: "s1".into(),
                serial: 7,
            }),
            groups: BTreeMap::from([(address.clone(), self.applied.clone())]),
            unfinished: self
                .unfinished
                .iter()
                .map(|record| (address.clone(), record.clone()))
                .collect(),
            ..Known::default()
        };
        let wanted = WantedControls {
            now: self.wanted.clone(),
            lasting: None,
        };
        let mut options = PlanOptions::new("shop");
        options.mode = mode;
        let mut plan = compute(&Inputs {
            configuration: &configuration([group.clone()]),
            known: Some(&known),
            live: &BTreeMap::from([((mock(), group.resource), Ok(Some(seen)))]),
            capabilities: &BTreeMap::new(),
            controls: &BTreeMap::from([(address, wanted)]),
            unsupported: &BTreeMap::new(),
            prices: &BTreeMap::new(),
            tagged: &[],
            options: &options,
            now: "2026-11-21T12:00:00Z".parse().unwrap(),
        });
        plan.groups.remove(0)
    }

    /// `path: applied -> live, outcome`.
    fn drift(&self) -> Vec<String> {
        let lines = |plan: GroupPlan| -> Vec<String> {
            let drift = plan.drift.iter();
            drift
                .map(|drift| {
                    let outcome = match drift.outcome {
                        DriftOutcome::Undone => "undone",
                        DriftOutcome::Kept => "kept",
                    };
                    format!(
                        "{} {} -> {}, {outcome}",
                        drift.path, drift.applied, drift.live
                    )
                })
                .collect()
        };
        let drift = lines(self.plan(Mode::Apply));
        assert_eq!(drift, lines(self.plan(Mode::RefreshOnly)));
        drift
    }

    /// `path before -> after`, with a `!` where somebody else is the reason.
    fn changes(&self) -> Vec<String> {
        let plan = self.plan(Mode::Apply);
        let changes = plan.changes.iter();
        changes
            .map(|change| {
                let reason = match change.reason.as_deref() {
                    Some("changed outside tideform") => "!",
                    Some(other) => other,
                    None => "",
                };
                format!(
                    "{} {} -> {}{reason}",
                    change.path, change.before, change.after
                )
            })
            .collect()
    }
}

fn text(spec: &ControlSpec) -> Json {
    Json::from(spec.summary.as_str())
}

#[test]
fn what_somebody_changed_is_told_from_what_the_files_changed() {
    let (was, by_hand, wanted) = (track(60), track(50), track(70));
    let target = format!("{CPU}: target");
    for (live, wanted, drift, changes) in [
        (there(&was), &was, vec![], vec![]),
        (
            there(&was),
            &wanted,
            vec![],
            vec![format!("{target} 60 -> 70")],
        ),
        (
            there(&by_hand),
            &was,
            vec![format!("{target} 60 -> 50, undone")],
            vec![format!("{target} 50 -> 60!")],
        ),
        (
            there(&by_hand),
            &wanted,
            vec![format!("{target} 60 -> 50, undone")],
            vec![format!("{target} 50 -> 70!")],
        ),
        (
            there(&by_hand),
            &by_hand,
            vec![format!("{target} 60 -> 50, kept")],
            vec![],
        ),
        (
            Control {
                enabled: false,
                ..there(&was)
            },
            &was,
            vec![format!("{CPU}: enabled true -> false, undone")],
            vec![format!("{CPU}: enabled false -> true!")],
        ),
    ] {
        let case = Case::new(
            Some(std::slice::from_ref(&was)),
            &[live],
            std::slice::from_ref(wanted),
        );
        assert_eq!(case.drift(), drift);
        assert_eq!(case.changes(), changes);
    }
}

#[test]
fn what_somebody_deleted_is_put_back_and_what_somebody_made_is_taken_away() {
    let was = [track(60)];
    let gone = Case::new(Some(&was), &[], &was);
    let summary = text(&was[0]);
    assert_eq!(gone.drift(), [format!("{CPU} {summary} -> null, undone")]);
    assert_eq!(gone.changes(), [format!("{CPU} null -> {summary}!")]);

    let more = spec("tideform/shop/web/more", json!({ "type": "tracking" }));
    let made = Case::new(Some(&was), &[there(&was[0]), there(&more)], &was);
    let summary = text(&more);
    assert_eq!(
        made.drift(),
        [format!("{} null -> {summary}, undone", more.name)]
    );
    assert_eq!(
        made.changes(),
        [format!("{} {summary} -> null!", more.name)]
    );
    // One of another workspace, and one of nobody's that is not adopted, are none of ours.
    for name in ["tideform/stage/web/more", "theirs"] {
        let other = spec(name, json!({ "type": "tracking" }));
        let case = Case::new(Some(&was), &[there(&was[0]), there(&other)], &was);
        assert_eq!(case.drift(), Vec::<String>::new(), "{name}");
    }
}

#[test]
fn a_control_that_leaves_the_files_goes_whatever_somebody_made_of_it() {
    let was = [track(60)];
    let changed = Case::new(Some(&was), &[there(&track(50))], &[]);
    assert_eq!(changed.drift(), [format!("{CPU}: target 60 -> 50, undone")]);
    let gone = Case::new(Some(&was), &[], &[]);
    let summary = text(&was[0]);
    assert_eq!(gone.drift(), [format!("{CPU} {summary} -> null, kept")]);
    assert_eq!(gone.changes(), Vec::<String>::new());
}

#[test]
fn a_state_that_recorded_no_controls_knows_of_no_drift_and_the_plan_still_mends_it() {
    let was = [track(60)];
    let case = Case::new(None, &[there(&track(50))], &was);
    assert_eq!(case.drift(), Vec::<String>::new());
    assert_eq!(case.changes(), [format!("{CPU}: target 50 -> 60!")]);
    for details in [Json::Null, json!({}), json!({ "controls": 7 }), json!([1])] {
        assert_eq!(Details::of(&details), Details::default(), "{details}");
    }
    let kept = Details {
        controls: Some(was.to_vec()),
    };
    assert_eq!(Details::of(&json!(kept)), kept);
}

#[test]
fn what_the_loop_moves_is_no_drift() {
    let dated = |hour: u32| {
        spec(
            &format!("tideform/shop/web/window-20261122T{hour:02}0000Z"),
            json!({ "type": "scheduled", "min": hour }),
        )
    };
    let forecast = |mode: &str| {
        spec(
            "tideform/shop/web/forecast",
            json!({ "type": "predictive_scaling", "mode": mode }),
        )
    };
    // Dated actions come and go; those that recur stand back for them.
    let recurring = spec("tideform/shop/web/open", json!({ "type": "scheduled" }));
    let case = Case::new(
        Some(&[recurring]),
        &[there(&dated(8)), there(&dated(9))],
        &[dated(9), dated(10)],
    );
    assert_eq!(case.drift(), Vec::<String>::new());
    assert_eq!(case.changes(), Vec::<String>::new());
    // A pause lets predictive scaling only forecast, until it is taken back.
    let acting = [forecast("ForecastAndScale")];
    let mut case = Case::new(Some(&acting), &[there(&forecast("ForecastOnly"))], &acting);
    assert_eq!(case.drift().len(), 1);
    case.applied.is_paused = true;
    assert_eq!(case.drift(), Vec::<String>::new());
    assert_eq!(case.changes(), Vec::<String>::new());
    case.applied.is_paused = false;
    case.applied.moved.paused = true;
    assert_eq!(case.drift(), Vec::<String>::new());
}

/// The adopted action that opens a window with a floor of 4.
fn day() -> ControlSpec {
    spec("day", json!({ "type": "scheduled" }))
}

/// `web` of a file that adopts [`day`].
fn adopting(controller: Controller) -> Group {
    Group {
        controller,
        adopt: Adopt::Named(vec!["day".into()]),
        ..web()
    }
}

fn handed_over(live: &[Control], min: u32) -> Case {
    let mut case = Case::new(Some(&[day()]), live, &[]);
    case.applied.group = adopting(Controller::Native);
    case.group = adopting(Controller::Tideform);
    case.limits = Limits::new(Capacity(min), Capacity(10)).unwrap();
    case
}

#[test]
fn the_limits_that_a_window_moved_are_the_files_again_when_the_loop_takes_over() {
    let open = Control {
        writes: Writes {
            min: Some(4),
            max: None,
        },
        ..there(&day())
    };
    let case = handed_over(std::slice::from_ref(&open), 4);
    assert_eq!(case.drift(), Vec::<String>::new());
    let plan = case.plan(Mode::Apply);
    let min = plan.changes.iter().find(|one| one.path == "limits.min");
    let min = min.expect("a line for the limit");
    assert_eq!((&min.before, &min.after), (&json!(4), &json!(2)));
    assert_eq!(
        min.reason.as_deref(),
        Some("from now on the loop keeps the windows")
    );
    let [Step::Update { change, .. }] = plan.steps.as_slice() else {
        panic!("{:?}", plan.steps);
    };
    let files = Limits::new(Capacity(2), Capacity(10)).unwrap();
    assert!(change.changes.contains(&AttributeChange::Limits(files)));
    let removal = AttributeChange::RemoveControl("day".to_owned());
    assert!(change.changes.contains(&removal));
    // After this apply nothing is left to do, and nothing is told of.
    let mut after = handed_over(&[], 2);
    after.applied = Applied::new(adopting(Controller::Tideform));
    assert_eq!(after.drift(), Vec::<String>::new());
    assert_eq!(after.changes(), Vec::<String>::new());
    // Under the cloud's control the action moves the limit back by itself.
    let mut stays = handed_over(&[open], 4);
    stays.group = adopting(Controller::Native);
    stays.wanted = vec![day()];
    assert_eq!(stays.drift(), Vec::<String>::new());
    assert_eq!(stays.changes(), Vec::<String>::new());
}

#[test]
fn what_is_set_aside_for_a_pin_is_no_drift_of_the_plan_that_gives_the_group_to_the_loop() {
    let mut case = handed_over(&[], 5);
    assert_eq!(case.drift().len(), 2, "{:?}", case.drift());
    let until = "2026-11-21T13:00:00Z".parse().unwrap();
    case.applied.pin = Some((Capacity(5), until));
    case.applied.moved.limits = true;
    case.applied.moved.set_aside = vec![there(&day())];
    assert_eq!(case.drift(), Vec::<String>::new());
    let changes = case.changes();
    let back = "limits.min 5 -> 2from now on the loop keeps pins and surges".to_owned();
    assert!(changes.contains(&back), "{changes:?}");
}

#[test]
fn what_an_apply_that_died_had_written_is_no_drift() {
    let (was, new) = ([track(60)], [track(70)]);
    let mut case = Case::new(Some(&was), &[there(&new[0])], &new);
    assert_eq!(case.drift().len(), 1);
    case.unfinished = Some(Record::Write {
        group: std::sync::Arc::new(web()),
        created: false,
        controls: Some(new.to_vec()),
    });
    assert_eq!(case.drift(), Vec::<String>::new());
    // And what it had taken away.
    let mut case = Case::new(Some(&was), &[], &[]);
    case.unfinished = Some(Record::Write {
        group: std::sync::Arc::new(web()),
        created: false,
        controls: Some(Vec::new()),
    });
    assert_eq!(case.drift(), Vec::<String>::new());
}

#[test]
fn one_that_somebody_makes_again_after_its_adoption_is_drift() {
    let theirs = spec("theirs", json!({ "type": "tracking" }));
    for adopt in [Adopt::All, Adopt::Named(vec!["theirs".into()])] {
        let was = [track(60)];
        let mut case = Case::new(Some(&was), &[there(&was[0]), there(&theirs)], &was);
        case.applied.group.adopt = adopt;
        assert_eq!(
            case.drift(),
            [format!("theirs null -> {}, undone", text(&theirs))]
        );
    }
}

#[test]
fn a_setting_that_the_files_do_not_have_goes_with_its_action() {
    let was = spec(
        "tideform/shop/web/open",
        json!({ "type": "scheduled", "min": 4 }),
    );
    let by_hand = spec(
        &was.name,
        json!({ "type": "scheduled", "min": 5, "desired": 9 }),
    );
    let case = Case::new(
        Some(std::slice::from_ref(&was)),
        &[there(&by_hand)],
        std::slice::from_ref(&was),
    );
    let plan = case.plan(Mode::Apply);
    let Some(Step::Update { change, .. }) = plan.steps.first() else {
        panic!("{:?}", plan.steps);
    };
    let name = |change: &AttributeChange| match change {
        AttributeChange::RemoveControl(name) => format!("- {name}"),
        AttributeChange::PutControl(spec) => format!("+ {}", spec.name),
        other => format!("{other:?}"),
    };
    assert_eq!(
        change.changes.iter().map(name).collect::<Vec<_>>(),
        [format!("- {}", was.name), format!("+ {}", was.name)]
    );
}

#[test]
fn what_is_recorded_is_without_what_acts_once() {
    let was = [
        track(60),
        spec(
            "tideform/shop/web/window-20261122T080000Z",
            json!({ "type": "scheduled" }),
        ),
    ];
    let case = Case::new(None, &[], &was);
    let Record::Write { controls, .. } = case.plan(Mode::Apply).record else {
        panic!("it changes");
    };
    assert_eq!(controls, Some(vec![track(60)]));
}
