//! Policies, alarms and scheduled actions of ours that somebody changes by hand.

use serde_json::{Value, json};

use crate::aws_support::{Stage, has};
use crate::{CPU, files};

/// A step policy, and a window that a cron says.
const MORE: &str = r#"
  metric "jobs" {
    namespace  = "AWS/SQS"
    name       = "ApproximateNumberOfMessagesVisible"
    dimensions = { QueueName = "jobs" }
    scope      = "group"
    step {
      above = 70
      add   = 2
    }
  }
  schedule "office" {
    cron     = "0 8 * * MON-FRI"
    timezone = "Europe/Berlin"
    duration = "10h"
    min      = 4
  }
"#;

const WEB: &str = "tideform/shop/web";

/// Names for the scripts: our policies and actions, and what is put anew of them.
const OURS: &str = r#"
W = "tideform/shop/web/"
def policy(name, **new):
    p = [p for p in scaling.describe_policies()["ScalingPolicies"] if p["PolicyName"] == name][0]
    keep = ["AutoScalingGroupName", "PolicyName", "PolicyType", "AdjustmentType", "StepAdjustments", "TargetTrackingConfiguration", "MinAdjustmentMagnitude", "MetricAggregationType"]
    scaling.put_scaling_policy(**({k: p[k] for k in keep if p.get(k) is not None} | new))
def alarm(name, **new):
    a = cloudwatch.describe_alarms(AlarmNames=[name])["MetricAlarms"][0]
    drop = {"AlarmArn", "AlarmConfigurationUpdatedTimestamp", "StateValue", "StateReason", "StateReasonData", "StateUpdatedTimestamp", "StateTransitionedTimestamp"}
    cloudwatch.put_metric_alarm(**({k: v for k, v in a.items() if k not in drop} | new))
def action(name, **new):
    a = [a for a in scaling.describe_scheduled_actions()["ScheduledUpdateGroupActions"] if a["ScheduledActionName"] == name][0]
    keep = ["AutoScalingGroupName", "ScheduledActionName", "Recurrence", "TimeZone", "MinSize", "MaxSize"]
    scaling.put_scheduled_update_group_action(**({k: a[k] for k in keep if k in a} | new))
"#;

fn stage() -> Stage {
    let mut stage = Stage::new(&files("shop", "native", &format!("{CPU}{MORE}")));
    stage.group(2, "");
    // A window may be open at this hour.
    stage.apply();
    stage.plans_nothing();
    stage
}

fn by_hand(stage: &Stage, script: &str) -> Value {
    stage.scaling(&format!("{OURS}{script}"))
}

/// What `plan --json` says of drift: path, applied, live, outcome.
fn drift(stage: &Stage) -> Vec<Value> {
    let plan = stage.run(&["plan", "--json"]).exits(0).json();
    let drift = plan["drift"].as_array().into_iter().flatten();
    drift
        .map(|drift| {
            json!([
                drift["path"],
                drift["applied"],
                drift["live"],
                drift["outcome"]
            ])
        })
        .collect()
}

#[test]
fn what_somebody_changes_of_our_controls_is_drift_and_apply_puts_it_back() {
    let mut stage = stage();
    let jobs = format!("{WEB}/jobs-out");
    for (script, expected) in [
        (
            "policy(W + 'cpu', TargetTrackingConfiguration={'PredefinedMetricSpecification': {'PredefinedMetricType': 'ASGAverageCPUUtilization'}, 'TargetValue': 50.0, 'DisableScaleIn': True})",
            vec![
                json!([format!("{WEB}/cpu: scale_in"), true, false, "undone"]),
                json!([format!("{WEB}/cpu: target"), 60, 50, "undone"]),
            ],
        ),
        (
            "policy(W + 'cpu', Enabled=False)",
            vec![json!([
                format!("{WEB}/cpu: enabled"),
                true,
                false,
                "undone"
            ])],
        ),
        (
            "scaling.delete_policy(AutoScalingGroupName=G, PolicyName=W + 'cpu')",
            vec![json!([
                format!("{WEB}/cpu"),
                "target tracking, cpu at 60",
                null,
                "undone"
            ])],
        ),
        (
            "alarm(W + 'jobs-out', Threshold=80.0, EvaluationPeriods=3, DatapointsToAlarm=2)",
            vec![
                json!([format!("{jobs}: alarm.breaching"), 1, 2, "undone"]),
                json!([format!("{jobs}: alarm.periods"), 1, 3, "undone"]),
                json!([format!("{jobs}: alarm.threshold"), 70, 80, "undone"]),
            ],
        ),
        (
            "cloudwatch.disable_alarm_actions(AlarmNames=[W + 'jobs-out'])",
            vec![json!([format!("{jobs}: enabled"), true, false, "undone"])],
        ),
        (
            "cloudwatch.delete_alarms(AlarmNames=[W + 'jobs-out'])",
            vec![json!([
                format!("{jobs}: alarm"),
                "step scaling, 1 step, AWS/SQS ApproximateNumberOfMessagesVisible at or above 70",
                null,
                "undone"
            ])],
        ),
        (
            "policy(W + 'jobs-out', StepAdjustments=[{'MetricIntervalLowerBound': 0.0, 'MetricIntervalUpperBound': 10.0, 'ScalingAdjustment': 1}, {'MetricIntervalLowerBound': 10.0, 'ScalingAdjustment': 5}])",
            vec![
                json!([format!("{jobs}: steps[0].adjustment"), 2, 1, "undone"]),
                json!([format!("{jobs}: steps[0].upper"), null, 10, "undone"]),
                json!([
                    format!("{jobs}: steps[1]"),
                    null,
                    "lower 10, adjustment 5",
                    "undone"
                ]),
            ],
        ),
        (
            "action(W + 'office-open', Recurrence='0 7 * * *', MinSize=3, DesiredCapacity=9)",
            vec![
                json!([
                    format!("{WEB}/office-open: cron"),
                    "0 8 * * MON-FRI",
                    "0 7 * * *",
                    "undone"
                ]),
                json!([format!("{WEB}/office-open: desired"), null, 9, "undone"]),
                json!([format!("{WEB}/office-open: min"), 4, 3, "undone"]),
            ],
        ),
        (
            "scaling.delete_scheduled_action(AutoScalingGroupName=G, ScheduledActionName=W + 'office-close')",
            vec![json!([
                format!("{WEB}/office-close"),
                "`0 18 * * MON-FRI` Europe/Berlin: min 1, max 10",
                null,
                "undone"
            ])],
        ),
        (
            "scaling.put_scheduled_update_group_action(AutoScalingGroupName=G, ScheduledActionName=W + 'more', Recurrence='0 3 * * *', MinSize=2)",
            vec![json!([
                format!("{WEB}/more"),
                null,
                "`0 3 * * *` UTC, min 2",
                "undone"
            ])],
        ),
    ] {
        by_hand(&stage, script);
        assert_eq!(drift(&stage), expected, "{script}");
        let refreshed = stage
            .run(&["plan", "--refresh-only", "--detailed-exitcode"])
            .exits(2)
            .stdout;
        has(&refreshed, "Changed outside tideform");
        has(&refreshed, "1 of 1 groups changed outside tideform");
        let plan = stage.run(&["plan"]).exits(0).stdout;
        // In the text a setting stands under the name of its control.
        for part in expected[0][0].as_str().unwrap().split(": ") {
            has(&plan, part);
        }
        has(&plan, "(changed outside tideform");
        if script.starts_with("alarm(") {
            let markdown = stage.run(&["plan", "--markdown"]).exits(0).stdout;
            has(&markdown, "#### Changed outside tideform");
            has(&markdown, "alarm.threshold` | 70 was applied, 80 is live");
        }
        // No line is a blob to compare by eye.
        for line in plan.lines() {
            assert!(line.chars().count() < 200 && !line.contains('{'), "{line}");
        }
        stage.apply();
        stage.plans_nothing();
        stage.pass(60);
    }
    let events = stage.events();
    let said: Vec<&str> = events
        .iter()
        .filter(|event| event.text.starts_with("changed outside tideform: "))
        .map(|event| event.text.as_str())
        .collect();
    assert_eq!(said.len(), 10, "{said:#?}");
    assert!(
        said[3].ends_with(&format!("{jobs}: alarm.threshold 70 -> 80")),
        "{}",
        said[3]
    );
    stage.no_violations();
}

#[test]
fn what_the_files_change_at_the_same_time_is_told_apart() {
    let stage = stage();
    by_hand(&stage, "alarm(W + 'jobs-out', Threshold=80.0)");
    let now = format!("{CPU}{MORE}").replace("target = 60", "target = 65");
    stage.write(&files("shop", "native", &now));
    let plan = stage.run(&["plan", "--json"]).exits(0).json();
    let reasons: Vec<Value> = plan["changes"]
        .as_array()
        .into_iter()
        .flatten()
        .filter(|change| change["target"] == "cloud")
        .map(|change| {
            json!([
                change["path"],
                change["before"],
                change["after"],
                change["reason"]
            ])
        })
        .collect();
    assert_eq!(
        reasons,
        [
            json!([format!("{WEB}/cpu: target"), 60, 65, null]),
            json!([
                format!("{WEB}/jobs-out: alarm.threshold"),
                80,
                70,
                "changed outside tideform"
            ]),
        ]
    );
    // Files that say what somebody did: it stays.
    stage.write(&files(
        "shop",
        "native",
        &format!("{CPU}{MORE}").replace("above = 70", "above = 80"),
    ));
    assert_eq!(
        drift(&stage),
        [json!([
            format!("{WEB}/jobs-out: alarm.threshold"),
            70,
            80,
            "kept"
        ])]
    );
    stage.apply();
    stage.plans_nothing();
    assert_eq!(drift(&stage), Vec::<Value>::new());
    stage.no_violations();
}

/// Two actions that somebody else made.
const WINDOW: &str = r#"
for name, cron, least in [("morning", "0 8 * * MON-FRI", 4), ("evening", "0 18 * * MON-FRI", 1)]:
    scaling.put_scheduled_update_group_action(AutoScalingGroupName=G, ScheduledActionName=name, Recurrence=cron,
        TimeZone="Europe/Berlin", MinSize=least, MaxSize=10)
"#;

/// Names, crons and smallest capacities of all scheduled actions.
const ACTIONS: &str = r#"
out = {a["ScheduledActionName"]: [a["Recurrence"], a.get("TimeZone"), a.get("MinSize"), a.get("MaxSize"), a.get("DesiredCapacity")]
    for a in scaling.describe_scheduled_actions()["ScheduledUpdateGroupActions"]}
"#;

#[test]
fn adopted_controls_that_somebody_changes_or_deletes_come_back_under_their_own_names() {
    let adopting = format!("  adopt = [\"cpu-50\", \"evening\", \"morning\"]\n{CPU}{MORE}");
    let web = files("shop", "native", &adopting);
    let mut stage = Stage::new(&web);
    stage.group(2, "");
    stage.scaling(&format!("{WINDOW}{}", crate::THEIRS));
    stage.apply();
    stage.plans_nothing();
    let applied = json!({
        "morning": ["0 8 * * MON-FRI", "Europe/Berlin", 4, 10, null],
        "evening": ["0 18 * * MON-FRI", "Europe/Berlin", 1, 10, null],
    });
    assert_eq!(stage.scaling(ACTIONS), applied);
    for (script, paths) in [
        (
            "action('morning', Recurrence='30 6 * * *', TimeZone='UTC', MinSize=5)",
            vec!["morning: cron", "morning: min", "morning: timezone"],
        ),
        ("action('evening', MaxSize=30)", vec!["evening: max"]),
        (
            "action('evening', DesiredCapacity=3)",
            vec!["evening: desired"],
        ),
        (
            "scaling.delete_scheduled_action(AutoScalingGroupName=G, ScheduledActionName='morning')",
            vec!["morning"],
        ),
        (
            "scaling.delete_policy(AutoScalingGroupName=G, PolicyName='cpu-50')",
            vec!["cpu-50"],
        ),
        ("policy('cpu-50', Enabled=False)", vec!["cpu-50: enabled"]),
    ] {
        by_hand(&stage, script);
        let found: Vec<Value> = drift(&stage).iter().map(|line| line[0].clone()).collect();
        assert_eq!(found, paths, "{script}");
        let plan = stage.run(&["plan"]).exits(0);
        assert!(!plan.stderr.contains("P0606"), "{}", plan.stderr);
        stage.apply();
        assert_eq!(stage.scaling(ACTIONS), applied, "{script}");
        assert_eq!(
            stage.scaling(crate::TRACKING),
            json!({ "cpu-50": 60.0 }),
            "{script}"
        );
        stage.plans_nothing();
    }
    // Another time in the files is another time of the same action.
    stage.write(&web.replace("0 8 * *", "0 9 * *").replace("10h", "9h"));
    stage.apply();
    assert_eq!(
        stage.scaling(ACTIONS),
        json!({
            "morning": ["0 9 * * MON-FRI", "Europe/Berlin", 4, 10, null],
            "evening": ["0 18 * * MON-FRI", "Europe/Berlin", 1, 10, null],
        })
    );
    stage.plans_nothing();
    stage.no_violations();
}

#[test]
fn a_name_that_is_adopted_and_is_not_there_is_a_warning_at_that_name() {
    let adopting = |adopt: &str| {
        files(
            "shop",
            "native",
            &format!("  adopt = [\"cpu-50\", {adopt}]\n{CPU}"),
        )
    };
    let mut stage = Stage::new(&adopting("\"cpu-55\""));
    stage.group(2, "");
    stage.scaling(crate::THEIRS);
    stage.scaling(
        &crate::THEIRS
            .replace("cpu-50", "network")
            .replace("ASGAverageCPUUtilization", "ASGAverageNetworkIn"),
    );
    let said = stage.run(&["plan"]).exits(0).stderr;
    has(&said, "warning[P0606]: No such policy to adopt");
    has(&said, "shop.hcl:15:22");
    has(&said, "has no policy or scheduled action named `cpu-55`");
    has(&said, "the group has `network`");
    // One that tideform took away itself.
    stage.write(&adopting("\"network\""));
    stage.apply();
    let said = stage.run(&["plan"]).exits(0).stderr;
    has(&said, "warning[P0606]: No such policy to adopt");
    has(&said, "named `network`");
    has(&said, "where there was one, it was taken away since");
    has(&said, "take `network` out of `adopt`");
    stage.write(&adopting("\"cpu-50\"").replace(", \"cpu-50\"", ""));
    let plan = stage.run(&["plan"]).exits(0);
    assert!(!plan.stderr.contains("P0606"), "{}", plan.stderr);
    stage.no_violations();
}

#[test]
fn what_stands_in_the_way_is_shown_at_the_groups_name() {
    let web = files("shop", "tideform", CPU);
    let mut stage = Stage::new(&web);
    let missing = stage.run(&["plan"]).exits(1).stderr;
    has(&missing, "error[P0601]");
    has(&missing, "resource \"asg\" { name = \"web-prod\" }");
    stage.group(2, "");
    stage.scaling(crate::THEIRS);
    let foreign = stage.run(&["plan"]).exits(1).stderr;
    has(&foreign, "error[P0603]");
    has(&foreign, "resource \"asg\" { name = \"web-prod\" }");
}

#[test]
fn an_apply_that_only_takes_ownership_does_not_say_that_it_changes_things() {
    let mut stage = Stage::new(&files(
        "shop",
        "native",
        "  adopt = [\"cpu-50\"]\n  metric \"cpu\" {\n    track { target = 50 }\n  }\n",
    ));
    stage.group(2, "");
    stage.scaling(crate::THEIRS);
    let asked = stage.run(&["apply"]).exits(1);
    has(&asked.stdout, "No changes.");
    has(&asked.stderr, "Approval needed");
    assert!(!asked.stderr.contains("change things"), "{}", asked.stderr);
}
