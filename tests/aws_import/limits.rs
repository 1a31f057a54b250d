//! Limits that somebody has moved, and limits down to nothing.

use serde_json::{Value, json};
use tideform_aws_testserver::AwsServer;

use crate::support::account_with;

/// Windows that are open, and shut, at any hour but the last minutes of a day.
const WINDOWS: &str = r#"
group("open", low=3, desired=3)
action("open", "up", Recurrence="0 0 * * *", MinSize=4, MaxSize=20)
action("open", "down", Recurrence="55 23 * * *", MinSize=2, MaxSize=20)
group("shut", low=5, high=9, desired=6)
action("shut", "up", Recurrence="55 23 * * *", MinSize=8, MaxSize=20)
action("shut", "down", Recurrence="59 23 * * *", MinSize=2, MaxSize=20)
group("right", low=4, desired=4)
action("right", "up", Recurrence="0 0 * * *", MinSize=4, MaxSize=20)
action("right", "down", Recurrence="55 23 * * *", MinSize=2, MaxSize=20)
"#;

#[test]
fn limits_that_somebody_moved_in_a_window_are_written_as_scheduled_with_what_they_change() {
    let (account, mut directory) = account_with(AwsServer::shared(), WINDOWS);
    directory.set("TIDEFORM_TEST_NOW", "2026-11-24T12:00:00Z");
    let imported = directory
        .run(&["import", "aws", "--out", "shop.hcl"])
        .exits(0);
    let file = directory.read("shop.hcl");
    directory.run(&["fmt", "--check"]).exits(0);
    for part in [
        "# But for limits that somebody has moved by hand: see group.open, group.shut.\n",
        "  adopt      = [\"down\", \"up\"]\n\n  resource \"asg\" { name = \"open\" }\n\n  # Planning it changes `limits.min` from 3 to 4 and `desired` from 3 to 4.\n",
        "  # Planning it changes `limits.min` from 5 to 2 and `limits.max` from 9 to 20.\n",
        "  schedule \"up\" {\n    cron     = \"0 0 * * *\"\n    timezone = \"UTC\"\n    duration = \"23h55m\"\n    min      = 4\n  }\n",
    ] {
        assert!(file.contains(part), "{part}\n{file}");
    }
    assert_eq!(
        file.matches("  limits {\n    min = 2\n    max = 20\n")
            .count(),
        3
    );
    assert!(!file.contains("not managed:"), "{file}");
    for words in [
        "group.open: planning it changes `limits.min` from 3 to 4 and `desired` from 3 to 4:",
        "with 6 controls of the cloud's own",
    ] {
        assert!(
            imported.stderr.contains(words),
            "{words}\n{}",
            imported.stderr
        );
    }
    let plan = directory
        .run(&["plan", "--detailed-exitcode", "--json"])
        .exits(2);
    let changes: Vec<Value> = plan.json()["changes"]
        .as_array()
        .expect("changes")
        .iter()
        .filter(|change| change["target"] == "cloud" && change["action"] == "change")
        .map(|change| {
            json!([
                change["group"],
                change["path"],
                change["before"],
                change["after"]
            ])
        })
        .collect();
    assert_eq!(
        json!(changes),
        json!([
            ["group.open", "limits.min", 3, 4],
            ["group.open", "desired", 3, 4],
            ["group.shut", "limits.min", 5, 2],
            ["group.shut", "limits.max", 9, 20],
        ])
    );
    directory.run(&["apply", "--auto-approve"]).exits(0);
    directory.run(&["plan", "--detailed-exitcode"]).exits(0);
    assert_eq!(account.violations(), Vec::<Value>::new());
}

#[test]
fn a_group_that_may_be_empty_keeps_its_limits_where_nothing_empties_it() {
    let (_account, directory) = account_with(
        AwsServer::shared(),
        r#"
group("hands", low=0, high=3, desired=1)
group("lost", low=0, high=3, desired=1)
track("lost", "cpu", 60.0, **predefined("ASGAverageCPUUtilization"))
"#,
    );
    let imported = directory
        .run(&["import", "aws", "--out", "shop.hcl"])
        .exits(0);
    let file = directory.read("shop.hcl");
    let (hands, lost) = file.split_once("group \"lost\"").expect("both groups");
    assert!(
        hands.contains("limits {\n    min = 0\n    max = 3\n"),
        "{hands}"
    );
    assert!(!lost.contains("limits {"), "{lost}");
    for words in [
        "Its limits are not managed: they let it become empty, and nothing that scales it could then start it again. They are 0 to 3 now.",
        "Write `min = 1`, or add a metric",
    ] {
        assert!(lost.contains(words), "{words}\n{lost}");
    }
    assert!(
        !imported.stderr.contains("stays empty"),
        "{}",
        imported.stderr
    );
    directory.run(&["plan", "--detailed-exitcode"]).exits(0);
}
