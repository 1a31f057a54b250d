//! Changes of an apply, each by a call that is spoiled in every way.

use tideform_aws_testserver::Fault;

use crate::support::{Case, Comes, Shop, cases, said_of};

/// A kind of change: what is applied before, what after, and the call that it takes.
struct Change<'a> {
    /// The call that is spoiled.
    op: &'a str,
    /// As messages name it.
    request: &'a str,
    /// What is in the request of a group; `NAME` is replaced.
    part: &'a str,
    /// The same in the log of the server.
    logged: &'a str,
    /// In each group before; `None`: it is not in the files.
    before: Option<&'a str>,
    /// In each group after.
    after: Option<&'a str>,
    /// Another call follows it: a look shows that this one was done, and that the change was not.
    is_followed: bool,
}

/// Applies `before`, then `after` with a fault for each group, then `after` once more.
#[track_caller]
fn check(shop: &mut Shop, change: &Change<'_>) {
    let cases = cases();
    let names = || cases.iter().map(|case| case.name);
    if let Some(before) = change.before {
        shop.write(names(), before);
        shop.apply().exits(0);
    }
    match change.after {
        Some(after) => shop.write(names(), after),
        None => shop.write([], ""),
    }
    shop.account.clear_log();
    for case in &cases {
        if let Some(fault) = &case.fault {
            let part = change.part.replace("NAME", case.name);
            shop.proxy.spoil(change.op, &part, fault.clone());
        }
    }
    let spoiled = shop.apply().exits(1);
    assert_eq!(shop.proxy.left(), [], "calls that were never made");
    for case in &cases {
        check_message(case, change, &spoiled);
        let part = change.logged.replace("NAME", case.name);
        let expected = usize::from(matches!(case.comes, Comes::Done | Comes::Seen));
        assert_eq!(shop.done(change.op, &part), expected, "{}", case.name);
    }
    let open = cases.iter().filter(|case| {
        case.comes == Comes::Open || (case.comes == Comes::Seen && change.is_followed)
    });
    assert_eq!(
        shop.state().open_intents().unwrap().len(),
        open.count(),
        "only what may have happened is left open"
    );

    assert_eq!(shop.proxy.deliver_late(), 1);
    shop.a_minute_later();
    shop.apply().exits(0);
    for case in &cases {
        let part = change.logged.replace("NAME", case.name);
        assert_eq!(shop.done(change.op, &part), 1, "{}", case.name);
    }
    shop.assert_converged();
}

#[track_caller]
fn check_message(case: &Case, change: &Change<'_>, ran: &crate::common::Ran) {
    let request = change.request;
    let said = said_of(ran, case.name);
    let cause = match case.comes {
        Comes::Seen if change.is_followed => "no answer",
        Comes::Done | Comes::Seen => {
            let is_bad = said.iter().any(|line| line.contains('`'));
            assert!(!is_bad && said.len() == 1, "{}: {said:?}", case.name);
            return;
        }
        Comes::Open => match &case.fault {
            Some(Fault::Answer { code, .. }) => code,
            Some(Fault::CutBefore) => "connection closed",
            _ => "timeout",
        },
        Comes::Refused(words) => words,
    };
    assert!(
        said.iter()
            .any(|line| line.contains(request) && line.contains(cause)),
        "{}: `{cause}` of {request}: {said:?}\n{}",
        case.name,
        ran.stderr
    );
}

const LAUNCH: &str = "
  limits {
    min = 1
    max = 10
  }
  launch {
    launch_template = \"web\"
    subnets         = [\"SUBNET\"]
  }
";

#[test]
fn a_group_is_created_once() {
    check(
        &mut Shop::new(),
        &Change {
            op: "CreateAutoScalingGroup",
            request: "autoscaling:CreateAutoScalingGroup",
            part: "web-NAME",
            logged: "web-NAME",
            before: None,
            after: Some(LAUNCH),
            is_followed: false,
        },
    );
}

#[test]
fn limits_are_changed_once() {
    check(
        &mut Shop::new(),
        &Change {
            op: "UpdateAutoScalingGroup",
            request: "autoscaling:UpdateAutoScalingGroup",
            part: "web-NAME",
            logged: "web-NAME",
            before: Some(LAUNCH),
            after: Some(&LAUNCH.replace("max = 10", "max = 12")),
            is_followed: false,
        },
    );
}

#[test]
fn a_group_is_taken_under_management_once() {
    let mut shop = Shop::new();
    shop.make_groups(&cases(), 1);
    check(
        &mut shop,
        &Change {
            op: "CreateOrUpdateTags",
            request: "autoscaling:CreateOrUpdateTags",
            part: "web-NAME",
            logged: "web-NAME",
            before: None,
            after: Some("  limits {\n    min = 1\n    max = 10\n  }\n"),
            is_followed: false,
        },
    );
}

#[test]
fn a_hook_is_put_once() {
    check(
        &mut Shop::new(),
        &Change {
            op: "PutLifecycleHook",
            request: "autoscaling:PutLifecycleHook",
            part: "web-NAME",
            logged: "web-NAME",
            before: Some(LAUNCH),
            after: Some(&format!(
                "{LAUNCH}\n  scale_in {{\n    drain = \"2m\"\n  }}\n"
            )),
            is_followed: false,
        },
    );
}

#[test]
fn a_group_is_destroyed_once() {
    check(
        &mut Shop::new(),
        &Change {
            op: "DeleteAutoScalingGroup",
            request: "autoscaling:DeleteAutoScalingGroup",
            part: "web-NAME",
            logged: "web-NAME",
            before: Some(LAUNCH),
            after: None,
            is_followed: false,
        },
    );
}

const NATIVE: &str = "
  controller = \"native\"
  limits {
    min = 1
    max = 10
  }
  launch {
    launch_template = \"web\"
    subnets         = [\"SUBNET\"]
  }
";

#[test]
fn a_policy_is_put_once() {
    let before = format!("{NATIVE}\n  metric \"cpu\" {{\n    track {{ target = 60 }}\n  }}\n");
    check(
        &mut Shop::new(),
        &Change {
            op: "PutScalingPolicy",
            request: "autoscaling:PutScalingPolicy",
            part: "web-NAME",
            logged: "web-NAME",
            before: Some(&before),
            after: Some(&before.replace("target = 60", "target = 70")),
            is_followed: false,
        },
    );
}

#[test]
fn an_alarm_is_put_once() {
    let before = steps(NATIVE);
    check(
        &mut Shop::new(),
        &Change {
            op: "PutMetricAlarm",
            request: "cloudwatch:PutMetricAlarm",
            part: "tideform/shop/NAME/",
            logged: "tideform/shop/NAME/",
            before: Some(&before),
            after: Some(&before.replace("above = 100", "above = 200")),
            is_followed: false,
        },
    );
}

#[test]
fn a_policy_is_deleted_once() {
    let before = format!("{NATIVE}\n  metric \"cpu\" {{\n    track {{ target = 60 }}\n  }}\n");
    check(
        &mut Shop::new(),
        &Change {
            op: "DeletePolicy",
            request: "autoscaling:DeletePolicy",
            part: "web-NAME",
            logged: "web-NAME",
            before: Some(&before),
            after: Some(NATIVE),
            is_followed: false,
        },
    );
}

#[test]
fn the_alarms_of_a_policy_are_deleted_once_and_none_is_left_behind() {
    let mut shop = Shop::new();
    check(
        &mut shop,
        &Change {
            op: "DeleteAlarms",
            request: "cloudwatch:DeleteAlarms",
            part: "tideform/shop/NAME/",
            logged: "tideform/shop/NAME/",
            before: Some(&steps(NATIVE)),
            after: Some(NATIVE),
            is_followed: true,
        },
    );
    let left =
        "out = [a['AlarmName'] for a in client('cloudwatch').describe_alarms()['MetricAlarms']]";
    assert_eq!(shop.account.boto3(left), serde_json::json!([]));
}

#[test]
fn no_alarm_is_left_behind_by_a_policy_whose_deletion_had_no_answer() {
    let mut shop = Shop::new();
    check(
        &mut shop,
        &Change {
            op: "DeletePolicy",
            request: "autoscaling:DeletePolicy",
            part: "web-NAME",
            logged: "web-NAME",
            before: Some(&steps(NATIVE)),
            after: Some(NATIVE),
            is_followed: false,
        },
    );
    let left =
        "out = [a['AlarmName'] for a in client('cloudwatch').describe_alarms()['MetricAlarms']]";
    assert_eq!(shop.account.boto3(left), serde_json::json!([]));
}

/// A group with a step policy, which has an alarm.
fn steps(group: &str) -> String {
    format!(
        "{group}
  metric \"queue\" {{
    namespace  = \"AWS/SQS\"
    name       = \"ApproximateNumberOfMessagesVisible\"
    dimensions = {{ QueueName = \"jobs\" }}
    scope      = \"group\"
    step {{
      above = 100
      add   = 2
    }}
  }}
"
    )
}

#[test]
fn a_schedule_is_put_once() {
    let scheduled = format!(
        "{NATIVE}\n  schedule \"office\" {{\n    cron     = \"0 8 * * MON-FRI\"\n    duration = \"10h\"\n    min      = 2\n  }}\n"
    );
    let mut shop = Shop::new();
    check(
        &mut shop,
        &Change {
            op: "BatchPutScheduledUpdateGroupAction",
            request: "autoscaling:BatchPutScheduledUpdateGroupAction",
            part: "web-NAME",
            logged: "web-NAME",
            before: Some(NATIVE),
            after: Some(&scheduled),
            is_followed: false,
        },
    );
}
