//! Pins and surges of groups with adopted scheduled actions, and what somebody else has switched off: what people on call
//! do to a group that AWS scales, and what is left of it afterwards.

use super::*;

/// A window from 8 to 14 o'clock, whose actions somebody made before.
const ADOPTED: &str = "metric \"cpu\" {\n  track { target = 60 }\n}\nadopt = [\"morning\", \"evening\"]\n\
    schedule \"office\" {\n cron = \"0 8 * * MON-FRI\"\n duration = \"6h\"\n min = 4\n}";

/// The actions, as no cron of tideform's would spell them; one that is nobody's business; and how the group is at noon.
const MAKE: &str = r#"
asg = client("autoscaling")
def put(name, cron, **limits):
    asg.put_scheduled_update_group_action(AutoScalingGroupName="web-prod", ScheduledActionName=name, Recurrence=cron, TimeZone="UTC", **limits)
put("morning", "0 8 * * mon-fri", MinSize=4)
put("evening", "0 14 * * 1,2,3,4,5", MinSize=1)
put("theirs", "0 3 1 1 *", MaxSize=20)
asg.update_auto_scaling_group(AutoScalingGroupName="web-prod", MinSize=4, DesiredCapacity=4)
out = None
"#;

impl Shop {
    /// With the adopted actions, applied.
    fn adopted() -> Shop {
        let shop = Shop::new(ADOPTED);
        shop.account.boto3(MAKE);
        shop.apply();
        shop.unchanged();
        shop
    }

    fn limits(&self) -> Value {
        let seen = self.short();
        json!([seen[0], seen[1]])
    }

    /// The names of all scheduled actions, without the dated ones' times.
    fn actions(&self) -> Vec<String> {
        let seen = self.seen();
        let names = seen["actions"].as_object().into_iter().flatten();
        let mut names: Vec<String> = names
            .map(
                |(name, _)| match name.starts_with("tideform/shop/web/window-") {
                    true => "dated".to_owned(),
                    false => name.clone(),
                },
            )
            .collect();
        names.sort();
        names.dedup();
        names
    }

    #[track_caller]
    fn pin(&self, capacity: &str, span: &str) {
        let pin = [
            "scale", "web", capacity, "--for", span, "--reason", "a test",
        ];
        self.run(&pin).exits(0);
    }

    /// A run of the loop that ends, as `kill -9` would, right after its n-th commit; whether it came so far.
    fn reconcile_dies_after(&self, commit: u32) -> bool {
        let ran = self
            .directory
            .command(&["reconcile", "--once"])
            .env("TIDEFORM_TEST_EXIT_AFTER_COMMIT", commit.to_string())
            .output()
            .expect("it runs");
        ran.status.code().is_none()
    }

    fn suspend(&self, what: &str, processes: &str) {
        self.account.boto3(&format!(
            "client(\"autoscaling\").{what}_processes(AutoScalingGroupName=\"web-prod\", ScalingProcesses={processes})\nout = None"
        ));
    }
}

#[test]
fn a_pin_outlasts_adopted_actions_and_these_come_back_as_they_were() {
    let mut shop = Shop::adopted();
    let before = shop.seen()["actions"].clone();
    assert_eq!(shop.actions(), ["evening", "morning", "theirs"]);
    shop.pin("7", "4h");
    shop.unchanged();
    shop.at(NOW, "2026-11-20T12:02:00Z");
    let said = shop.reconcile();
    assert!(
        said.contains("`evening` and `morning` set aside until then"),
        "{said}"
    );
    assert_eq!(shop.actions(), ["dated", "theirs"]);
    shop.unchanged();
    let status = shop.run(&["status"]).exits(0).stdout;
    assert!(
        status.contains("set aside until then: evening, morning"),
        "{status}"
    );

    // `evening` would act at two. Nobody runs until the pin is over.
    shop.at("2026-11-20T12:02:00Z", "2026-11-20T14:05:00Z");
    assert_eq!(shop.limits(), json!([7, 7]));
    shop.unchanged();
    shop.at("2026-11-20T14:05:00Z", "2026-11-20T16:00:30Z");
    assert_eq!(shop.limits(), json!([1, 20]));
    let plan = shop.unchanged();
    assert!(
        plan.contains("is over; what it moved is brought back by the next `tideform reconcile`"),
        "{plan}"
    );
    shop.at("2026-11-20T16:00:30Z", "2026-11-20T16:03:00Z");
    shop.reconcile();
    assert_eq!(shop.seen()["actions"], before);
    // All is done, and a plan says no more of it.
    let plan = shop.unchanged();
    assert!(!plan.contains("its pin"), "{plan}");
    shop.at("2026-11-20T16:03:00Z", "2026-11-20T16:05:00Z");
    shop.reconcile();
    assert!(!shop.unchanged().contains("its pin"));
    assert_eq!(shop.account.violations(), Vec::<Value>::new());
}

#[test]
fn adopted_actions_come_back_wherever_a_run_of_the_loop_is_killed() {
    let mut shop = Shop::adopted();
    let before = shop.seen()["actions"].clone();
    let mut then = NOW.to_owned();
    for commit in 1.. {
        let mut has_died = false;
        for is_coming in [true, false] {
            match is_coming {
                true => shop.pin("7", "1d"),
                false => drop(shop.run(&["unpin", "web"]).exits(0)),
            }
            has_died |= shop.reconcile_dies_after(commit);
            // Its lease runs out, and what it had begun is seen to.
            for _ in 0..3 {
                let next: jiff::Timestamp = then.parse().expect("a time");
                let next = (next + jiff::SignedDuration::from_secs(70)).to_string();
                shop.at(&then, &next);
                then = next;
                shop.reconcile();
            }
            shop.unchanged();
            if is_coming {
                assert_eq!(shop.limits(), json!([7, 7]), "after commit {commit}");
                assert_eq!(shop.actions(), ["dated", "theirs"], "after commit {commit}");
            } else {
                assert_eq!(shop.limits(), json!([4, 20]), "after commit {commit}");
                assert_eq!(shop.seen()["actions"], before, "after commit {commit}");
            }
        }
        if !has_died {
            break;
        }
    }
    assert_eq!(shop.account.violations(), Vec::<Value>::new());
}

#[test]
fn a_pinned_group_that_leaves_gets_its_adopted_actions_back_and_removed_waits_for_the_end() {
    let mut shop = Shop::adopted();
    let before = shop.seen()["actions"].clone();
    shop.pin("7", "4h");
    shop.at(NOW, "2026-11-20T12:02:00Z");
    shop.reconcile();
    let files =
        "tideform {\n  workspace = \"shop\"\n}\nprovider \"aws\" {\n  region = \"us-east-1\"\n}\n";
    let removed = format!("{files}removed {{\n  from = group.web\n}}\n");
    shop.directory.write("shop.hcl", &removed);
    let refused = shop.run(&["plan"]).exits(1).stderr;
    assert!(
        refused.contains("error[P0612]") && refused.contains("tideform unpin"),
        "{refused}"
    );
    shop.directory.write("shop.hcl", files);
    let plan = shop.run(&["plan"]).exits(0).stdout;
    assert!(
        plan.contains("set aside for a pin or surge: back as it was"),
        "{plan}"
    );
    shop.apply();
    assert_eq!(shop.seen()["actions"], before);
    // The window of the adopted actions is open until two.
    assert_eq!(shop.limits(), json!([4, 20]));
    assert_eq!(shop.account.violations(), Vec::<Value>::new());
}

#[test]
fn a_surge_leaves_adopted_actions_as_they_were() {
    let mut shop = Shop::new(&format!(
        "{ADOPTED}\nsurge \"launch\" {{\n min = 8\n duration = \"3h\"\n}}"
    ));
    shop.account.boto3(MAKE);
    shop.apply();
    let before = shop.seen()["actions"].clone();
    shop.run(&["surge", "start", "launch"]).exits(0);
    shop.at(NOW, "2026-11-20T12:02:00Z");
    shop.reconcile();
    assert_eq!(shop.limits(), json!([8, 20]));
    // A second one at the same time: the pin holds, then the surge's floor again.
    shop.pin("9", "1h");
    shop.at("2026-11-20T12:02:00Z", "2026-11-20T12:04:00Z");
    shop.reconcile();
    assert_eq!(shop.limits(), json!([9, 9]));
    shop.at("2026-11-20T12:04:00Z", "2026-11-20T14:10:00Z");
    assert_eq!(shop.limits(), json!([8, 20]));
    shop.at("2026-11-20T14:10:00Z", "2026-11-20T15:10:00Z");
    assert_eq!(shop.limits(), json!([1, 20]));
    for (from, to) in [
        ("2026-11-20T15:10:00Z", "2026-11-20T15:12:00Z"),
        ("2026-11-20T15:12:00Z", "2026-11-20T15:14:00Z"),
    ] {
        shop.at(from, to);
        shop.reconcile();
    }
    assert_eq!(shop.seen()["actions"], before);
    shop.unchanged();
}

#[test]
fn an_edit_while_a_pin_holds_is_shown_remembered_and_takes_effect_after_it() {
    let mut shop = Shop::adopted();
    shop.pin("7", "4h");
    shop.at(NOW, "2026-11-20T12:02:00Z");
    shop.reconcile();
    shop.write(&format!(
        "limits {{\n min = 2\n max = 30\n}}\n{}",
        ADOPTED.replace("min = 4", "min = 5")
    ));
    let plan = shop.run(&["plan", "--detailed-exitcode"]).exits(2).stdout;
    for (path, change) in [
        ("limits.max", "20 -> 30"),
        ("limits.min", "1 -> 2"),
        ("schedule.office.min", "4 -> 5"),
    ] {
        let line = plan.lines().find(|line| line.contains(path));
        assert!(
            line.is_some_and(|line| line.contains(change)),
            "{path}: {plan}"
        );
    }
    assert!(
        plan.contains("the pin to 7 holds until 2026-11-20T16:00:00Z"),
        "{plan}"
    );
    assert!(!plan.contains("-> 7"), "{plan}");
    shop.apply();
    shop.unchanged();
    assert_eq!(shop.limits(), json!([7, 7]));
    shop.at("2026-11-20T12:02:00Z", "2026-11-20T12:04:00Z");
    shop.reconcile();
    assert_eq!(shop.limits(), json!([7, 7]));
    shop.at("2026-11-20T12:04:00Z", "2026-11-20T16:01:00Z");
    assert_eq!(shop.limits(), json!([2, 30]));
    for (from, to) in [
        ("2026-11-20T16:01:00Z", "2026-11-20T16:03:00Z"),
        ("2026-11-20T16:03:00Z", "2026-11-20T16:05:00Z"),
    ] {
        shop.at(from, to);
        shop.reconcile();
    }
    assert_eq!(shop.actions(), ["evening", "morning", "theirs"]);
    let actions = shop.seen()["actions"].clone();
    assert_eq!(
        [
            &actions["morning"]["MinSize"],
            &actions["evening"]["MinSize"]
        ],
        [&json!(5), &json!(2)]
    );
    shop.unchanged();
    assert_eq!(shop.account.violations(), Vec::<Value>::new());
}

#[test]
fn limits_below_a_pin_bound_it_and_the_plan_says_so() {
    let mut shop = Shop::new(CPU);
    shop.apply();
    shop.pin("7", "4h");
    shop.at(NOW, "2026-11-20T12:02:00Z");
    shop.reconcile();
    shop.write(&format!("limits {{\n min = 1\n max = 5\n}}\n{CPU}"));
    let plan = shop.run(&["plan"]).exits(0).stdout;
    let plan = plan.split_whitespace().collect::<Vec<_>>().join(" ");
    assert!(
        plan.contains("the pin to 7 is outside of these limits")
            && plan.contains("makes it 5, until 2026-11-20T16:00:00Z"),
        "{plan}"
    );
    shop.apply();
    shop.at("2026-11-20T12:02:00Z", "2026-11-20T12:04:00Z");
    shop.reconcile();
    assert_eq!(shop.limits(), json!([5, 5]));
    let status = shop.run(&["status"]).exits(0).stdout;
    assert!(!status.contains("to be carried out"), "{status}");
    shop.unchanged();
}

#[test]
fn an_edit_before_the_pin_is_carried_out_loses_no_adopted_action() {
    let mut shop = Shop::adopted();
    shop.pin("7", "1h");
    shop.write(&ADOPTED.replace("min = 4", "min = 5"));
    shop.apply();
    assert_eq!(shop.actions(), ["evening", "morning", "theirs"]);
    shop.at(NOW, "2026-11-20T12:02:00Z");
    shop.reconcile();
    assert_eq!(shop.limits(), json!([7, 7]));
    shop.run(&["unpin", "web"]).exits(0);
    shop.at("2026-11-20T12:02:00Z", "2026-11-20T12:04:00Z");
    shop.reconcile();
    assert_eq!(shop.limits(), json!([5, 20]));
    assert_eq!(shop.actions(), ["evening", "morning", "theirs"]);
    shop.unchanged();
}

#[test]
fn a_pin_by_a_clock_with_fractions_is_made_once_and_printed_in_seconds() {
    let mut shop = Shop::new(CPU);
    shop.apply();
    shop.directory
        .set("TIDEFORM_TEST_NOW", "2026-11-20T12:00:00.123456789Z");
    let said = shop
        .run(&["scale", "web", "7", "--for", "1h", "--reason", "a test"])
        .exits(0);
    assert!(
        said.stdout.contains("until 2026-11-20 13:00:01Z"),
        "{}",
        said.stdout
    );
    shop.at(NOW, "2026-11-20T12:02:00Z");
    let said = shop.reconcile();
    assert!(
        said.contains("pinned to 7 until 2026-11-20T13:00:01Z,")
            || said.contains("pinned to 7 until 2026-11-20T13:00:01Z:"),
        "{said}"
    );
    shop.account.clear_log();
    shop.at("2026-11-20T12:02:00Z", "2026-11-20T12:04:00Z");
    shop.reconcile();
    assert_eq!(
        shop.account
            .count("autoscaling", "BatchPutScheduledUpdateGroupAction"),
        0
    );
    let events = shop.run(&["events"]).exits(0).stdout;
    assert!(
        events.contains("until 2026-11-20T13:00:01Z") && !events.contains("01.0"),
        "{events}"
    );
}

#[test]
fn what_somebody_else_has_suspended_is_said_by_plan_status_and_once_by_the_loop() {
    let mut shop = Shop::new(CPU);
    shop.apply();
    shop.suspend("suspend", "[\"AlarmNotification\", \"Launch\"]");
    let command = "aws autoscaling resume-processes --auto-scaling-group-name web-prod --scaling-processes AlarmNotification";
    let plan = shop.run(&["plan", "--detailed-exitcode"]).exits(0).stderr;
    let plan = plan.split_whitespace().collect::<Vec<_>>().join(" ");
    for text in [
        "warning[P0611]",
        "its scaling policies do nothing",
        "no instance starts",
        command,
    ] {
        assert!(plan.contains(text), "{text}: {plan}");
    }
    let status = shop.run(&["status"]).exits(0).stdout;
    assert!(
        status.contains(
            "the cloud is kept from scaling it: the process AlarmNotification is suspended"
        ) && status.contains(command)
            && status.matches("Launch is suspended").count() == 1,
        "{status}"
    );
    let mut then = NOW.to_owned();
    let mut next = |shop: &mut Shop, to: &str| {
        shop.at(&then, to);
        then = to.to_owned();
        shop.reconcile()
    };
    let said = next(&mut shop, "2026-11-20T12:02:00Z");
    assert!(said.contains("its scaling policies do nothing"), "{said}");
    next(&mut shop, "2026-11-20T12:04:00Z");
    let events = |shop: &Shop| shop.run(&["events"]).exits(0).stdout;
    let count = |text: &str, of: &str| of.matches(text).count();
    assert_eq!(
        count("the cloud is kept from scaling it", &events(&shop)),
        1
    );

    // A pause leaves it so, and is no news.
    shop.run(&["pause", "web", "--for", "10m"]).exits(0);
    next(&mut shop, "2026-11-20T12:06:00Z");
    assert_eq!(
        shop.short()[3],
        json!(["AlarmNotification", "Launch", "ScheduledActions"])
    );
    assert_eq!(
        count("the cloud is kept from scaling it", &events(&shop)),
        1
    );
    let plan = shop.run(&["plan", "--detailed-exitcode"]).exits(0).stderr;
    assert!(!plan.contains("its scheduled actions do nothing"), "{plan}");
    next(&mut shop, "2026-11-20T12:20:00Z");
    next(&mut shop, "2026-11-20T12:22:00Z");
    assert_eq!(shop.short()[3], json!(["AlarmNotification", "Launch"]));

    shop.suspend("resume", "[\"AlarmNotification\", \"Launch\"]");
    next(&mut shop, "2026-11-20T12:24:00Z");
    next(&mut shop, "2026-11-20T12:26:00Z");
    assert_eq!(
        count(
            "the cloud is no longer kept from scaling it",
            &events(&shop)
        ),
        1
    );
    let plan = shop.run(&["plan", "--detailed-exitcode"]).exits(0).stderr;
    assert!(!plan.contains("P0611"), "{plan}");
    assert_eq!(shop.account.violations(), Vec::<Value>::new());
}
