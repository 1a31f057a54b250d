//! What stands in the way of a change: the loop holds, says so, and goes on when it is over.

use serde_json::json;

use crate::aws_support::{Stage, has};
use crate::files;

/// What somebody does to the group, what the loop says of it, and how it ends.
struct Hold {
    what: &'static str,
    cpu: f64,
    begin: &'static str,
    words: &'static str,
    end: &'static str,
    after: u32,
}

const HOLDS: [Hold; 6] = [
    Hold {
        what: "Launch is suspended",
        cpu: 120.0,
        begin: "scaling.suspend_processes(AutoScalingGroupName=G, ScalingProcesses=['Launch'])",
        words: "the process Launch is suspended",
        end: "scaling.resume_processes(AutoScalingGroupName=G)",
        after: 8,
    },
    Hold {
        what: "Terminate is suspended",
        cpu: 30.0,
        begin: "scaling.suspend_processes(AutoScalingGroupName=G, ScalingProcesses=['Terminate'])",
        words: "the process Terminate is suspended",
        end: "scaling.resume_processes(AutoScalingGroupName=G)",
        after: 2,
    },
    Hold {
        what: "an instance refresh",
        cpu: 120.0,
        begin: "scaling.start_instance_refresh(AutoScalingGroupName=G)",
        words: "an instance refresh is under way",
        end: "scaling.cancel_instance_refresh(AutoScalingGroupName=G)",
        after: 8,
    },
    Hold {
        what: "all are protected",
        cpu: 30.0,
        begin: "ids = [i['InstanceId'] for i in scaling.describe_auto_scaling_instances()['AutoScalingInstances']]
scaling.set_instance_protection(AutoScalingGroupName=G, InstanceIds=ids, ProtectedFromScaleIn=True)",
        words: "4 of 4 are protected from scale-in, and 2 is wanted",
        end: "ids = [i['InstanceId'] for i in scaling.describe_auto_scaling_instances()['AutoScalingInstances']]
scaling.set_instance_protection(AutoScalingGroupName=G, InstanceIds=ids, ProtectedFromScaleIn=False)",
        after: 2,
    },
    Hold {
        what: "the minimum size was raised by hand",
        cpu: 30.0,
        begin: "scaling.update_auto_scaling_group(AutoScalingGroupName=G, MinSize=4)",
        words: "2 is outside the group's own limits, 4 to 10",
        end: "scaling.update_auto_scaling_group(AutoScalingGroupName=G, MinSize=1)",
        after: 2,
    },
    Hold {
        what: "the maximum size was lowered by hand",
        cpu: 120.0,
        begin: "scaling.update_auto_scaling_group(AutoScalingGroupName=G, MaxSize=4)",
        words: "8 is outside the group's own limits, 1 to 4",
        end: "scaling.update_auto_scaling_group(AutoScalingGroupName=G, MaxSize=10)",
        after: 8,
    },
];

#[test]
fn the_loop_holds_says_so_once_and_goes_on_when_it_is_over() {
    for hold in HOLDS {
        let mut stage = Stage::new(&files(""));
        // Long enough for everything below.
        stage.account.settings(json!({ "refresh_s": 100_000 }));
        stage.group(4, "");
        stage.apply();
        stage.scaling(hold.begin);
        stage.account.clear_log();
        for run in 1..=3 {
            let ran = stage.reconcile_at(hold.cpu);
            has(&ran.stdout, "held: ");
            has(&ran.stdout, hold.words);
            let explained = stage.run(&["explain", "web"]).exits(0).stdout;
            has(&explained, hold.words);
            assert_eq!(stage.desired(), json!(4), "{}: run {run}", hold.what);
        }
        for op in ["SetDesiredCapacity", "TerminateInstanceInAutoScalingGroup"] {
            assert_eq!(stage.account.count("autoscaling", op), 0, "{}", hold.what);
        }
        let begun = format!("held: {}", hold.words);
        assert_eq!(
            stage.said(&begun),
            1,
            "{}: {:#?}",
            hold.what,
            stage.events()
        );
        // What only shows with the change itself is looked for before the next one: one attempt is recorded.
        assert!(stage.said("not done") <= 1, "{}", hold.what);
        let shown = stage.run(&["events"]).exits(0).stdout;
        has(&shown, hold.words);

        stage.scaling(hold.end);
        let ran = stage.reconcile_at(hold.cpu);
        has(&ran.stdout, &format!("4 -> {}", hold.after));
        assert_eq!(stage.desired(), json!(hold.after), "{}", hold.what);
        assert_eq!(stage.said("no longer held"), 1, "{}", hold.what);
        stage.no_violations();
    }
}

#[test]
fn a_group_goes_as_far_as_its_protected_instances_let_it() {
    let mut stage = Stage::new(&files(""));
    stage.group(4, "");
    stage.apply();
    stage.scaling(
        "ids = [i['InstanceId'] for i in scaling.describe_auto_scaling_instances()['AutoScalingInstances']]
scaling.set_instance_protection(AutoScalingGroupName=G, InstanceIds=ids[:3], ProtectedFromScaleIn=True)",
    );
    let ran = stage.reconcile_at(15.0);
    has(&ran.stdout, "4 -> 3");
    assert_eq!(stage.desired(), json!(3));
    let ran = stage.reconcile_at(20.0);
    has(&ran.stdout, "3 of 3 are protected from scale-in");
    assert_eq!(
        stage.asked("SetDesiredCapacity", "DesiredCapacity"),
        [json!(3)]
    );
    stage.no_violations();
}
