//! Snapshots of the three views of one plan that has everything in it.

use std::collections::BTreeMap;

use serde_json::json;
use tideform_policies::model::{Capacity, Limits, Schedule, Window};
use tideform_provider::{Control, ControlKind};

use super::{json, markdown, text};
use crate::plan::fixtures::{configuration, launched, live, mock, plain};
use crate::plan::{
    Applied, CostChange, Inputs, Known, NextDecision, Plan, PlanOptions, Reason, StateMark, compute,
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
