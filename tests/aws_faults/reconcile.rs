//! Changes of the loop: a capacity that is asked for, an instance that is ended.

use std::collections::BTreeMap;

use serde_json::Value;
use tideform_policies::model::GroupAddress;
use tideform_state::{EventKind, Outcome};

use crate::common::Ran;
use crate::support::{Case, Comes, Shop, cases, cpu};

const GROUP: &str = "
  limits {
    min = 1
    max = 3
  }
  metric \"cpu\" {
    track { target = 60 }
  }
  scale_in {
    stabilization = \"0s\"
  }
";

/// Desired capacity by group.
fn desired(shop: &Shop) -> BTreeMap<String, u64> {
    let answer = shop.account.boto3(
        "
groups = client('autoscaling').describe_auto_scaling_groups(MaxRecords=100)['AutoScalingGroups']
out = {group['AutoScalingGroupName'][4:]: group['DesiredCapacity'] for group in groups}
",
    );
    serde_json::from_value(answer).expect("names and numbers")
}

/// What became of a group's scalings, in their order.
fn outcomes(shop: &Shop, group: &str) -> Vec<(Option<u32>, Option<u32>, Option<Outcome>)> {
    let address = GroupAddress::new(group);
    shop.events()
        .into_iter()
        .filter(|event| {
            matches!(
                event.kind,
                EventKind::Scaled | EventKind::InstanceTerminated
            )
        })
        .filter(|event| event.group.as_ref() == Some(&address))
        .map(|event| (event.from, event.to, event.outcome))
        .collect()
}

/// Spoils a call of each group in one tick, and lets two more ticks pass.
#[track_caller]
fn check(shop: &mut Shop, cases: &[Case], op: &str, part: impl Fn(&Case) -> String, to: u64) {
    shop.account.clear_log();
    for case in cases {
        if let Some(fault) = &case.fault {
            shop.proxy.spoil(op, &part(case), fault.clone());
        }
    }
    let request = format!("autoscaling:{op}");
    let spoiled = shop.directory.run(&["reconcile", "--once"]).exits(1);
    assert_eq!(shop.proxy.left(), [], "calls that were never made");
    for case in cases {
        // Standard error names the first ten.
        let said = said_of(&spoiled, case.name);
        let (words, count) = match case.comes {
            Comes::Done => ("", 1),
            Comes::Seen => ("no answer", 1),
            Comes::Open => ("no answer", 0),
            Comes::Refused(words) => (words, 0),
        };
        assert!(
            said.contains(words) && (words.is_empty() || said.contains(&request)),
            "{}: {said}\n{}{}",
            case.name,
            spoiled.stdout,
            spoiled.stderr
        );
        assert_eq!(shop.done(op, &part(case)), count, "{}", case.name);
    }
    let open = cases
        .iter()
        .filter(|case| matches!(case.comes, Comes::Open | Comes::Seen));
    assert_eq!(shop.state().open_intents().unwrap().len(), open.count());

    assert_eq!(shop.proxy.deliver_late(), 1);
    for _ in 0..2 {
        shop.a_minute_later();
        shop.directory.run(&["reconcile", "--once"]).exits(0);
    }
    shop.assert_settled();
    let desired = desired(shop);
    for case in cases {
        assert_eq!(shop.done(op, &part(case)), 1, "{}", case.name);
        let effective = outcomes(shop, case.name)
            .into_iter()
            .filter(|(_, _, outcome)| *outcome == Some(Outcome::Done));
        assert_eq!(
            effective.count(),
            1,
            "{}: {:?}",
            case.name,
            outcomes(shop, case.name)
        );
        assert_eq!(desired.get(case.name), Some(&to), "{}", case.name);
    }
    assert_eq!(shop.account.violations(), Vec::<Value>::new());
}

/// What the run printed about a group.
fn said_of(ran: &Ran, group: &str) -> String {
    let address = format!("group.{group}");
    let lines = ran.stdout.lines().chain(ran.stderr.lines());
    let ours = lines.filter(|line| line.split([' ', ':']).any(|word| word == address));
    ours.collect::<Vec<_>>().join("\n")
}

#[test]
fn a_capacity_is_asked_for_once() {
    let (mut shop, cases) = (Shop::new(), cases());
    shop.make_groups(&cases, 1);
    shop.write(cases.iter().map(|case| case.name), GROUP);
    shop.apply().exits(0);
    for case in &cases {
        cpu(&shop.account, &format!("web-{}", case.name), 180.0);
    }
    check(
        &mut shop,
        &cases,
        "SetDesiredCapacity",
        |case| format!("web-{}", case.name),
        3,
    );
}

#[test]
fn an_instance_is_ended_once() {
    let (mut shop, cases) = (Shop::new(), cases());
    shop.make_groups(&cases, 3);
    shop.write(cases.iter().map(|case| case.name), GROUP);
    shop.apply().exits(0);
    let victims = shop.account.boto3(
        "
scaling = client('autoscaling')
out = {}
for group in scaling.describe_auto_scaling_groups(MaxRecords=100)['AutoScalingGroups']:
    name, victim = group['AutoScalingGroupName'], group['Instances'][0]['InstanceId']
    scaling.suspend_processes(AutoScalingGroupName=name, ScalingProcesses=['ReplaceUnhealthy'])
    scaling.set_instance_health(InstanceId=victim, HealthStatus='Unhealthy', ShouldRespectGracePeriod=False)
    out[name[4:]] = victim
",
    );
    for case in &cases {
        cpu(&shop.account, &format!("web-{}", case.name), 40.0);
    }
    check(
        &mut shop,
        &cases,
        "TerminateInstanceInAutoScalingGroup",
        |case| victims[case.name].as_str().unwrap_or_default().to_owned(),
        2,
    );
}
