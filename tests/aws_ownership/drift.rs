//! Who moved it: a schedule's doing is no drift, a hand's is.

use jiff::SignedDuration;
use jiff::tz::TimeZone;
use serde_json::{Value, json};

use crate::aws_support::{Stage, has};
use crate::{CPU, NONE, files};

const SIZES: &str = "g = scaling.describe_auto_scaling_groups()['AutoScalingGroups'][0]
out = [g['MinSize'], g['MaxSize'], g['DesiredCapacity']]";

/// Lets two hours pass, in which the scheduled actions that are due run.
fn two_hours(stage: &mut Stage) {
    let from = stage.now;
    stage.pass(7200);
    stage
        .account
        .run_schedules(&from.to_string(), &stage.now.to_string());
}

/// A cron for so many minutes from now, every day.
fn daily(stage: &Stage, minutes: i64) -> String {
    let at = stage.now + SignedDuration::from_mins(minutes);
    at.to_zoned(TimeZone::UTC)
        .strftime("%-M %-H * * *")
        .to_string()
}

#[test]
fn what_a_native_schedule_of_ours_moves_is_no_drift_and_a_hand_made_maximum_is() {
    let mut stage = Stage::new(NONE);
    stage.group(2, "");
    let schedule = format!(
        "  schedule \"rush\" {{\n    cron     = \"{}\"\n    timezone = \"UTC\"\n    duration = \"5h\"\n    min      = 4\n  }}\n",
        daily(&stage, 60)
    );
    stage.write(&files("shop", "native", &format!("{CPU}{schedule}")));
    stage.apply();
    assert_eq!(stage.scaling(SIZES), json!([1, 10, 2]));
    stage.plans_nothing();
    two_hours(&mut stage);
    assert_eq!(
        stage.scaling(SIZES),
        json!([4, 10, 4]),
        "the window is open"
    );
    stage.plans_nothing();
    // AWS's own policies move desired.
    stage.scaling("scaling.set_desired_capacity(AutoScalingGroupName=G, DesiredCapacity=7)");
    stage.plans_nothing();

    stage.scaling("scaling.update_auto_scaling_group(AutoScalingGroupName=G, MaxSize=12)");
    let plan = stage.run(&["plan"]).exits(0).stdout;
    has(&plan, "limits.max");
    has(&plan, "changed outside tideform");
    assert!(!plan.contains("limits.min"), "{plan}");
    stage.apply();
    assert_eq!(
        stage.scaling(SIZES),
        json!([4, 10, 7]),
        "the window stays open"
    );
    stage.plans_nothing();
    // And closes.
    two_hours(&mut stage);
    two_hours(&mut stage);
    assert_eq!(stage.scaling(SIZES), json!([1, 10, 7]));
    stage.plans_nothing();
    stage.no_violations();
}

#[test]
fn what_a_schedule_of_somebody_else_moves_is_no_drift_either() {
    for controller in ["native", "tideform"] {
        let mut stage = Stage::new(&files("shop", controller, CPU));
        stage.group(2, "");
        stage.apply();
        let put = format!(
            "scaling.put_scheduled_update_group_action(AutoScalingGroupName=G, ScheduledActionName='rush', Recurrence='{}', MinSize=3, DesiredCapacity=5)",
            daily(&stage, 60)
        );
        stage.scaling(&put);
        two_hours(&mut stage);
        assert_eq!(stage.scaling(SIZES), json!([3, 10, 5]));
        stage.plans_nothing();
        let drifted = |stage: &Stage| -> Vec<Value> {
            let plan = stage.run(&["plan", "--json"]).exits(0).json();
            plan["drift"]
                .as_array()
                .into_iter()
                .flatten()
                .map(|drift| drift["path"].clone())
                .collect()
        };
        assert_eq!(drifted(&stage), Vec::<Value>::new(), "{controller}");
        // A number that no schedule writes is somebody's.
        stage.scaling(
            "scaling.update_auto_scaling_group(AutoScalingGroupName=G, MinSize=2, MaxSize=12)",
        );
        assert_eq!(
            drifted(&stage),
            [json!("limits.min"), json!("limits.max")],
            "{controller}"
        );
        stage.scaling(
            "scaling.update_auto_scaling_group(AutoScalingGroupName=G, MinSize=3, MaxSize=12)",
        );
        assert_eq!(drifted(&stage), [json!("limits.max")], "{controller}");
        stage.apply();
        assert_eq!(stage.scaling(SIZES), json!([3, 10, 5]), "{controller}");
        // What the files change is written, whatever the schedule says.
        stage.write(&files("shop", controller, CPU).replace("min = 1", "min = 2"));
        stage.apply();
        assert_eq!(stage.scaling(SIZES), json!([2, 10, 5]), "{controller}");
        stage.no_violations();
    }
}
