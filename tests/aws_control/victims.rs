//! Who ends on scale-in.

use serde_json::{Value, json};
use tideform_policies::model::GroupAddress;
use tideform_state::{IntentKind, Outcome};

use crate::aws_support::{NAME, Stage, has};
use crate::files;

/// Four instances, five minutes apart.
fn four(order: &str) -> Stage {
    let mut stage = Stage::new(&files(&format!("  scale_in {{ order = \"{order}\" }}")));
    stage.group(1, "");
    for desired in 2..=4 {
        stage.scaling(&format!(
            "scaling.set_desired_capacity(AutoScalingGroupName=G, DesiredCapacity={desired})"
        ));
        stage.pass(300);
    }
    stage
}

const TERMINATE: &str = "TerminateInstanceInAutoScalingGroup";

#[test]
fn an_order_is_said_by_the_groups_termination_policy_and_one_number() {
    for (order, policy, left) in [
        ("newest", "NewestInstance", [0, 1]),
        ("oldest", "OldestInstance", [2, 3]),
        ("default", "Default", [2, 3]),
    ] {
        let mut stage = four(order);
        let before = stage.instances();
        stage.apply();
        let policies = stage.scaling(
            "out = scaling.describe_auto_scaling_groups()['AutoScalingGroups'][0]['TerminationPolicies']",
        );
        assert_eq!(policies, json!([policy]));
        stage.plans_nothing();
        stage.account.clear_log();

        let ran = stage.reconcile_at(30.0);
        has(&ran.stdout, "4 -> 2");
        let left: Vec<&String> = left.iter().map(|n| &before[*n]).collect();
        assert_eq!(
            stage.instances().iter().collect::<Vec<_>>(),
            left,
            "{order}"
        );
        let asked = stage.asked("SetDesiredCapacity", "DesiredCapacity");
        assert_eq!(asked, [json!(2)], "{order}");
        assert_eq!(stage.account.count("autoscaling", TERMINATE), 0);
        assert_eq!(stage.said("desired 4 -> 2"), 1);
        stage.no_violations();
    }
}

/// The ends by id that were asked for, with whether the capacity went down with them.
fn ended(stage: &Stage) -> Vec<(String, bool)> {
    let ids = stage.asked(TERMINATE, "InstanceId");
    let lowered = stage.asked(TERMINATE, "ShouldDecrementDesiredCapacity");
    let text = |id: Value| id.as_str().unwrap().to_owned();
    ids.into_iter()
        .map(text)
        .zip(lowered.into_iter().map(|flag| flag == json!(true)))
        .collect()
}

/// The intents of the last decision: what was asked for, and that it is done.
fn intents(stage: &Stage) -> Vec<String> {
    let state = stage.state();
    let address = GroupAddress::new("web");
    let intents = state.intents_at(&address, stage.now).unwrap();
    intents
        .iter()
        .map(|intent| {
            assert_eq!(intent.outcome, Some(Outcome::Done), "{intent:?}");
            match &intent.kind {
                IntentKind::Terminate { instance } => instance.to_string(),
                IntentKind::SetDesired => format!("desired {}", intent.to.unwrap()),
                IntentKind::ApplyChange { .. } => "change".to_owned(),
            }
        })
        .collect()
}

#[test]
fn an_unhealthy_instance_ends_first_by_its_id_and_the_number_says_the_rest() {
    let mut stage = four("newest");
    let before = stage.instances();
    stage.apply();
    // Auto Scaling would replace it by itself.
    stage.scaling(&format!(
        "scaling.suspend_processes(AutoScalingGroupName=G, ScalingProcesses=['ReplaceUnhealthy'])
scaling.set_instance_health(InstanceId='{}', HealthStatus='Unhealthy')",
        before[1]
    ));
    stage.account.clear_log();
    // Three of four are well: at 40 % two are enough.
    let ran = stage.reconcile_at(40.0);
    has(&ran.stdout, "4 -> ");
    assert_eq!(ended(&stage), [(before[1].clone(), true)]);
    assert_eq!(
        stage.asked("SetDesiredCapacity", "DesiredCapacity"),
        [json!(2)]
    );
    assert_eq!(intents(&stage), [before[1].clone(), "desired 2".to_owned()]);
    assert_eq!(stage.instances(), [before[0].clone(), before[2].clone()]);
    stage.no_violations();
}

#[test]
fn victims_that_the_termination_policy_does_not_say_end_one_by_one_and_protected_ones_never() {
    let mut stage = four("newest");
    let before = stage.instances();
    stage.apply();
    stage.scaling(&format!(
        "scaling.update_auto_scaling_group(AutoScalingGroupName=G, TerminationPolicies=['ClosestToNextInstanceHour'])
scaling.set_instance_protection(AutoScalingGroupName=G, InstanceIds=['{}'], ProtectedFromScaleIn=True)",
        before[3]
    ));
    stage.account.clear_log();
    stage.reconcile_at(30.0);
    let victims = [before[2].clone(), before[1].clone()];
    assert_eq!(
        ended(&stage),
        victims.clone().map(|id| (id, true)),
        "the newest is protected"
    );
    assert_eq!(stage.account.count("autoscaling", "SetDesiredCapacity"), 0);
    assert_eq!(intents(&stage), victims);
    assert_eq!(stage.desired(), json!(2));
    assert_eq!(stage.instances(), [before[0].clone(), before[3].clone()]);
    for id in victims {
        assert_eq!(stage.said(&format!("terminate {id}")), 1);
    }
    // A change of the group's own policy by hand is drift.
    let plan = stage.run(&["plan"]).exits(0).stdout;
    has(&plan, "scale_in.order");
    stage.no_violations();
    assert_eq!(NAME, "web-prod");
}
