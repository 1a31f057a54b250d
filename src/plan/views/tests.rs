//! Snapshots of the three views of one plan that has everything in it.

use std::collections::BTreeMap;

use serde_json::json;
use tideform_policies::model::{Capacity, Limits, Schedule, Window};
use tideform_provider::{Control, ControlKind};

use super::{json, markdown, text};
use crate::plan::fixtures::{configuration, launched, live, mock, plain};
use crate::plan::{
    Applied, CostChange, Inputs, Known, Mode, NextDecision, Plan, PlanOptions, Reason, StateMark,
    compute,
};

fn plan() -> Plan {
    let mut web = plain("web");
    web.policy.limits = Limits::new(Capacity(3), Capacity(20));
    web.policy.schedules = vec![Schedule {
        name: "office".into(),
        when: Window::Recurring {
            cron: "0 8 * * MON-FRI".into(),
            timezone: "Europe/Berlin".into(),
            duration: std::time::Duration::from_secs(36_000),
            except: Vec::new(),
        },
        min: Some(Capacity(6)),
        max: None,
    }];
    if let tideform_policies::model::MetricSource::Query(query) = &mut web.policy.metrics[0].source
    {
        query.query = Some("sum(\n  rate(a)\n)\n/ 4\n".into());
    }
    let mut was = plain("web");
    if let tideform_policies::model::MetricSource::Query(query) = &mut was.policy.metrics[0].source
    {
        query.query = Some("sum(\n  rate(b)\n)\n/ 4\n".into());
    }
    let old = plain("old");
    let mut gone = launched("gone");
    gone.policy.limits = Limits::new(Capacity(1), Capacity(2));
    let fresh = launched("fresh");
    let mut live_web = live(&was, 4);
    live_web.attributes.limits = Limits::new(Capacity(2), Capacity(12)).unwrap();
    live_web.controls = vec![Control {
        name: "nightly".into(),
        kind: ControlKind::Schedule,
        enabled: true,
        summary: "min 1 at 0 22 * * *".into(),
        settings: Default::default(),
        writes: Default::default(),
        beyond: None,
    }];
    let configuration = configuration([web.clone(), fresh.clone(), plain("same"), plain("dark")]);
    let known = Known {
        mark: Some(StateMark {
            lineage: "s1".into(),
            serial: 3,
        }),
        groups: [
            was.clone(),
            old.clone(),
            plain("same"),
            gone.clone(),
            plain("dark"),
        ]
        .into_iter()
        .map(|group| {
            let created = &*group.address.name == "gone";
            let address = group.address.clone();
            (
                address,
                Applied {
                    created,
                    ..Applied::new(group)
                },
            )
        })
        .collect(),
        ..Known::default()
    };
    let seen = [
        (web.resource.clone(), Ok(Some(live_web))),
        (fresh.resource.clone(), Ok(None)),
        (old.resource.clone(), Ok(Some(live(&old, 2)))),
        (gone.resource.clone(), Ok(Some(live(&gone, 2)))),
        (plain("same").resource, Ok(Some(live(&plain("same"), 2)))),
        (
            plain("dark").resource,
            Err(tideform_provider::ProviderError::Throttled {
                request: "read_groups",
                retry_after: None,
            }),
        ),
    ]
    .into_iter()
    .map(|(resource, live)| ((mock(), resource), live))
    .collect();
    let mut plan = compute(&Inputs {
        configuration: &configuration,
        known: Some(&known),
        live: &seen,
        capabilities: &BTreeMap::new(),
        controls: &BTreeMap::new(),
        unsupported: &BTreeMap::new(),
        prices: &BTreeMap::new(),
        tagged: &[],
        options: &PlanOptions::new("shop"),
        now: "2026-11-21T12:00:00Z".parse().unwrap(),
    });
    for group in &mut plan.groups {
        group.fingerprint = group.fingerprint.as_ref().map(|_| "f".repeat(8));
        if &*group.address.name == "web" {
            group.decision = Some(NextDecision {
                current: 4,
                desired: 6,
                direction: tideform_policies::model::Direction::Out,
                cost_usd_per_hour: Some(0.192),
                reasons: vec![
                    Reason {
                        kind: "opinion".into(),
                        subject: "cpu".into(),
                        text: "82 % against a target of 60 % wants 6".into(),
                        is_decisive: true,
                    },
                    Reason {
                        kind: "within_limits".into(),
                        subject: "limits".into(),
                        text: "3 to 20, not reached".into(),
                        is_decisive: false,
                    },
                ],
                nearest: Some(crate::engine::Nearest {
                    values: vec![crate::engine::NearestValue {
                        metric: "cpu".into(),
                        side: Some(crate::engine::Side::Above),
                        value: 90.1,
                        lasting: None,
                        is_met: false,
                        desired: tideform_policies::model::Capacity(7),
                    }],
                    ..Default::default()
                }),
                otherwise: vec![crate::engine::explain::Line {
                    subject: "cpu".into(),
                    text: "at 90.1 % it would scale out to 7".into(),
                }],
            });
            group.cost = Some(CostChange {
                before_usd_per_month: Some(280.32),
                after_usd_per_month: Some(350.4),
                least_usd_per_month: Some(210.24),
                most_usd_per_month: Some(1401.6),
                metric_reads_usd_per_month: 0.0,
            });
        }
    }
    plan
}

#[test]
fn text_shows_drift_changes_decision_calendar_cost_and_the_summary_last() {
    insta::assert_snapshot!(anstream::adapter::strip_str(&text(&plan(), None)).to_string());
}

#[test]
fn in_a_terminal_no_line_is_longer_than_it_and_no_word_is_broken() {
    let mut plan = plan();
    let group = plan
        .groups
        .iter_mut()
        .find(|group| !group.changes.is_empty());
    let change = group.and_then(|group| group.changes.first_mut()).unwrap();
    change.path = "tideform/shop/web/orders_per_instance-out: alarm.metric.series.statistic".into();
    change.reason = Some("changed outside tideform, and said at some length".into());
    let words = |text: &str| text.split_whitespace().collect::<Vec<_>>().join(" ");
    let whole = anstream::adapter::strip_str(&text(&plan, None)).to_string();
    for width in [80, 100, 120] {
        let shown = anstream::adapter::strip_str(&text(&plan, Some(width))).to_string();
        assert_eq!(words(&shown), words(&whole));
        for line in shown.lines() {
            // One word may have no room; the backtest's table and the calendar's times are fixed.
            let is_word = line.split_whitespace().count() <= 3;
            assert!(is_word || line.chars().count() <= width, "{width}: {line}");
        }
    }
}

#[test]
fn markdown_shows_the_summary_first_and_folds_each_group() {
    insta::assert_snapshot!(markdown(&plan()));
}

#[test]
fn json_is_one_document_with_lists_that_name_their_group() {
    insta::assert_json_snapshot!(json(&plan()), { ".tideform_version" => "[version]" });
}

#[test]
fn ten_thousand_groups_without_changes_print_only_the_summary() {
    let groups: Vec<_> = (0..10_000).map(|i| plain(&format!("g{i}"))).collect();
    let seen = groups
        .iter()
        .map(|group| ((mock(), group.resource.clone()), Ok(Some(live(group, 2)))))
        .collect();
    let known = Known {
        mark: Some(StateMark {
            lineage: "s1".into(),
            serial: 3,
        }),
        groups: groups
            .iter()
            .map(|group| (group.address.clone(), Applied::new(group.clone())))
            .collect(),
        ..Known::default()
    };
    let plan = compute(&Inputs {
        configuration: &configuration(groups),
        known: Some(&known),
        live: &seen,
        capabilities: &BTreeMap::new(),
        controls: &BTreeMap::new(),
        unsupported: &BTreeMap::new(),
        prices: &BTreeMap::new(),
        tagged: &[],
        options: &PlanOptions::new("shop"),
        now: "2026-11-21T12:00:00Z".parse().unwrap(),
    });
    assert_eq!(
        anstream::adapter::strip_str(&text(&plan, None)).to_string(),
        "No changes.\n"
    );
    assert_eq!(json(&plan)["changes"], json!([]));
}

#[test]
fn markdown_cannot_be_broken_by_what_the_cloud_says() {
    let mut plan = plan();
    for group in &mut plan.groups {
        group.failure = Some("<script> | `x` @everyone\n# no".into());
    }
    let shown = markdown(&plan);
    assert!(!shown.contains("<script>"));
    assert!(!shown.contains("@everyone"));
    let cells = shown.lines().filter(|line| line.starts_with("| `"));
    for line in cells {
        assert!(line.ends_with('|'), "{line}");
    }
}

#[test]
fn a_backtest_without_a_difference_has_its_table_where_the_slo_changes_or_a_gate_stops_the_group() {
    use crate::plan::gates::{Outcome, Verdict};
    let figures = json!({
        "instance_hours": 4.0, "cost_usd_per_month": 146.0, "slo_percent": 12.5, "short_minutes": 105.0,
        "actions_per_day": 0.0, "flapping": 0, "missing_unit_hours": 2.0, "mean_capacity": 2.0, "peak_capacity": 2,
        "regret": [1.0, 1.0, 1.0],
    });
    let best = json!({
        "penalty": 10.0, "instance_hours": 4.0, "cost_usd_per_month": 146.0, "slo_percent": 100.0, "short_minutes": 0.0,
        "missing_unit_hours": 0.0, "method": "exact",
    });
    let played = json!({
        "load": {
            "source": "a test", "start": "2026-11-02T00:00:00Z", "end": "2026-11-02T02:00:00Z", "step_s": 60, "steps": 120,
            "held": 0, "lower_bounds": 0,
        },
        "now": figures, "planned": figures, "optimum": [best, best, best], "notes": [],
    });
    for (slo, outcome, has_table) in [
        (false, None, false),
        (false, Some(Outcome::Passed), false),
        (false, Some(Outcome::Stopped), true),
        (true, None, true),
    ] {
        let mut plan = plan();
        let web = plan
            .groups
            .iter_mut()
            .find(|group| &*group.address.name == "web");
        let web = web.unwrap();
        web.backtest = Some(serde_json::from_value(played.clone()).unwrap());
        if slo {
            web.changes[0].path = "slo.utilization".into();
        }
        let group = web.address.clone();
        plan.verdicts.extend(outcome.map(|outcome| Verdict {
            group,
            gate: "slo < 99.9".into(),
            outcome,
            now: None,
            planned: Some(12.5),
            text: "12.500 % of minutes within the SLO planned".into(),
        }));
        for shown in [text(&plan, None), markdown(&plan)] {
            let case = format!("{slo} {outcome:?}\n{shown}");
            assert_eq!(shown.contains("no difference"), !has_table, "{case}");
            assert_eq!(
                shown.contains("12.500  ") || shown.contains("| 12.500 |"),
                has_table,
                "{case}"
            );
        }
    }
}

#[test]
fn groups_that_could_not_be_read_are_counted_and_are_not_called_unchanged() {
    // Of three groups: whose file changes, which cannot be read, and what the last line says.
    for (changed, unread, expected) in [
        (false, 0, "No changes."),
        (
            false,
            1,
            "No changes to the groups that could be read. 1 of 3 groups could not be read, and is not in the plan.",
        ),
        (
            true,
            2,
            "Plan: 0 to add, 1 to change, 0 to remove. 2 of 3 groups could not be read, and are not in the plan.",
        ),
        (
            false,
            3,
            "Nothing is planned. 3 of 3 groups could not be read, and are not in the plan.",
        ),
    ] {
        let was: Vec<_> = ["a", "b", "c"].map(plain).into();
        let mut now = was.clone();
        if changed {
            now[2].policy.limits = Limits::new(Capacity(3), Capacity(10));
        }
        let seen = was.iter().enumerate().map(|(i, group)| {
            let answer = if i < unread {
                Err(tideform_provider::ProviderError::Throttled {
                    request: "read_groups",
                    retry_after: None,
                })
            } else {
                Ok(Some(live(group, 4)))
            };
            ((mock(), group.resource.clone()), answer)
        });
        let applied = was
            .iter()
            .map(|group| (group.address.clone(), Applied::new(group.clone())));
        let known = Known {
            mark: Some(StateMark {
                lineage: "s1".into(),
                serial: 3,
            }),
            groups: applied.collect(),
            ..Known::default()
        };
        let plan_in = |mode| {
            compute(&Inputs {
                configuration: &configuration(now.clone()),
                known: Some(&known),
                live: &seen.clone().collect(),
                capabilities: &BTreeMap::new(),
                controls: &BTreeMap::new(),
                unsupported: &BTreeMap::new(),
                prices: &BTreeMap::new(),
                tagged: &[],
                options: &PlanOptions {
                    mode,
                    ..PlanOptions::new("shop")
                },
                now: "2026-11-21T12:00:00Z".parse().unwrap(),
            })
        };
        let plan = plan_in(Mode::Apply);
        let shown = anstream::adapter::strip_str(&text(&plan, None)).to_string();
        assert_eq!(shown.lines().last(), Some(expected));
        assert!(markdown(&plan).contains(&format!("**{expected}**")));
        assert_eq!(json(&plan)["summary"]["unread"], json!(unread));
        let refresh = plan_in(Mode::RefreshOnly);
        for shown in [text(&refresh, None), markdown(&refresh)] {
            assert_eq!(
                shown.contains("of 3 groups could not"),
                unread > 0,
                "{shown}"
            );
        }
    }
}

#[test]
fn policies_that_the_loops_first_run_takes_away_are_told_when_the_loop_takes_a_group_over() {
    use tideform_policies::model::{Adopt, Controller};
    let control = |name: &str, kind| Control {
        name: name.into(),
        kind,
        enabled: true,
        summary: "cpu at 50".into(),
        settings: Default::default(),
        writes: Default::default(),
        beyond: None,
    };
    let named = || Adopt::Named(vec!["cpu-50".into()]);
    let (native, loops) = (Controller::Native, Controller::Tideform);
    let cases: [(&str, _, _, _, _, &[&str]); 6] = [
        (
            "ours",
            native,
            Adopt::None,
            loops,
            Adopt::None,
            &["tideform/shop/web/cpu"],
        ),
        (
            "ours and adopted",
            native,
            named(),
            loops,
            named(),
            &["cpu-50", "tideform/shop/web/cpu"],
        ),
        (
            "all",
            native,
            Adopt::All,
            loops,
            Adopt::All,
            &["cpu-50", "tideform/shop/web/cpu"],
        ),
        // What is adopted in the same plan has a line of its own.
        (
            "adopted now",
            native,
            Adopt::None,
            loops,
            named(),
            &["tideform/shop/web/cpu"],
        ),
        ("already the loop's", loops, named(), loops, named(), &[]),
        ("to native", loops, named(), native, named(), &[]),
    ];
    for (name, before, adopted, after, adopt, expected) in cases {
        let mut was = plain("web");
        was.controller = before;
        was.adopt = adopted;
        was.coexist = true;
        let mut now = was.clone();
        now.controller = after;
        now.adopt = adopt;
        let mut there = live(&was, 4);
        there.controls = vec![
            control("cpu-50", ControlKind::Dynamic),
            control("by-hand", ControlKind::Dynamic),
            control("nightly", ControlKind::Schedule),
            control("tideform/shop/web/cpu", ControlKind::Dynamic),
        ];
        if now.adopt == Adopt::All {
            there.controls.remove(1);
        }
        let known = Known {
            mark: Some(StateMark {
                lineage: "s1".into(),
                serial: 3,
            }),
            groups: [(was.address.clone(), Applied::new(was.clone()))].into(),
            ..Known::default()
        };
        let plan = compute(&Inputs {
            configuration: &configuration([now.clone()]),
            known: Some(&known),
            live: &[((mock(), now.resource.clone()), Ok(Some(there)))].into(),
            capabilities: &BTreeMap::new(),
            controls: &BTreeMap::new(),
            unsupported: &BTreeMap::new(),
            prices: &BTreeMap::new(),
            tagged: &[],
            options: &PlanOptions::new("shop"),
            now: "2026-11-21T12:00:00Z".parse().unwrap(),
        });
        let group = &plan.groups[0];
        let told: Vec<&str> = group
            .changes
            .iter()
            .filter(|change| change.is_the_loops())
            .map(|change| &*change.path)
            .collect();
        assert_eq!(told, expected, "{name}");
        if after == loops {
            // Apply itself takes nothing away.
            assert!(group.steps.is_empty(), "{name}: {:?}", group.steps);
        }
        let shown = text(&plan, None);
        let lines = shown
            .lines()
            .filter(|line| line.contains("first run that has data to decide from"));
        let adopted_now = usize::from(name == "adopted now");
        assert_eq!(
            lines.count(),
            expected.len() + adopted_now,
            "{name}\n{shown}"
        );
    }
}
