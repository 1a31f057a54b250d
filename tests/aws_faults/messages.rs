//! What is said when reading fails, when it is the wrong account, and when a group is gone; and that the others go on.

use tideform_aws_testserver::{AwsServer, Fault};

use crate::common::Ran;
use crate::support::{Case, Comes, Shop, said_of};

const GROUP: &str = "
  limits {
    min = 1
    max = 3
  }
  metric \"cpu\" {
    track { target = 60 }
  }
";

/// `one` and `two`, applied.
fn shop() -> Shop {
    let shop = Shop::new();
    let cases = ["one", "two"].map(|name| Case {
        name,
        fault: None,
        comes: Comes::Done,
    });
    shop.make_groups(&cases, 1);
    shop.write(["one", "two"], GROUP);
    shop.apply().exits(0);
    shop.account.clear_log();
    shop
}

#[track_caller]
fn has(ran: &Ran, parts: &[&str]) {
    for part in parts {
        assert!(
            ran.stderr.contains(part),
            "`{part}` in\n{}{}",
            ran.stdout,
            ran.stderr
        );
    }
}

/// No request of the account changed anything.
#[track_caller]
fn nothing_was_changed(shop: &Shop) {
    for action in shop.account.actions() {
        let name = action.split(':').next_back().unwrap_or_default();
        assert!(
            ["Describe", "Get", "Assume"]
                .iter()
                .any(|read| name.starts_with(read)),
            "{action}"
        );
    }
}

#[test]
fn a_read_that_fails_once_is_made_again_and_nobody_notices() {
    let shop = shop();
    let calm = shop.directory.run(&["plan"]).exits(0);
    for fault in [
        Fault::Answer {
            status: 400,
            code: "Throttling",
        },
        Fault::CutInside,
        Fault::Page,
    ] {
        for op in [
            "GetCallerIdentity",
            "DescribeAutoScalingGroups",
            "DescribePolicies",
            "DescribeScheduledActions",
            "DescribeInstances",
            "GetMetricData",
        ] {
            // The SDK slows down by itself where many are throttled.
            if !matches!(fault, Fault::Answer { .. }) || op == "DescribePolicies" {
                shop.proxy.spoil(op, "", fault.clone());
            }
        }
        let spoiled = shop.directory.run(&["plan"]).exits(0);
        assert_eq!(shop.proxy.left(), [], "{fault:?}");
        assert_eq!(spoiled.stdout, calm.stdout, "{fault:?}");
    }
    nothing_was_changed(&shop);
}

#[test]
fn a_group_that_cannot_be_read_is_named_and_the_others_go_on() {
    let shop = shop();
    let denied = Fault::Answer {
        status: 403,
        code: "AccessDenied",
    };
    shop.proxy
        .spoil_some("DescribePolicies", "web-one", 0, 99, denied.clone());
    shop.write(["one", "two"], &GROUP.replace("max = 3", "max = 4"));
    let ran = shop.apply().exits(1);
    let said = said_of(&ran, "one").join("\n");
    assert!(
        said.contains("needs the permission autoscaling:DescribePolicies"),
        "{said}\n{}",
        ran.stderr
    );
    assert_eq!(shop.done("UpdateAutoScalingGroup", "web-one"), 0);
    assert_eq!(shop.done("UpdateAutoScalingGroup", "web-two"), 1);
    shop.proxy.heal();
    shop.apply().exits(0);
    assert_eq!(shop.done("UpdateAutoScalingGroup", "web-two"), 1);
    shop.assert_converged();
}

#[test]
fn credentials_that_run_out_and_a_wrong_clock_end_a_run_with_what_to_do() {
    let mut shop = shop();
    for (code, words) in [
        ("ExpiredToken", "log in again"),
        ("InvalidClientTokenId", "log in again"),
        ("RequestTimeTooSkewed", "clock is wrong"),
    ] {
        for op in ["GetCallerIdentity", "DescribeAutoScalingGroups"] {
            for command in [&["plan"][..], &["reconcile", "--once"]] {
                shop.proxy
                    .spoil_some(op, "", 0, 99, Fault::Answer { status: 403, code });
                shop.a_minute_later();
                let ran = shop.directory.run(command).exits(1);
                has(&ran, &[op, code, words]);
                shop.proxy.heal();
            }
        }
    }
    nothing_was_changed(&shop);
    // None of it stays: the next run is well.
    for _ in 0..2 {
        shop.a_minute_later();
        shop.directory.run(&["reconcile", "--once"]);
    }
    shop.assert_converged();
}

#[test]
fn nothing_is_done_in_another_account_or_region() {
    let mut shop = shop();
    let files = shop.directory.read("shop.hcl");
    shop.directory.write(
        "shop.hcl",
        &files.replace(
            "timeout",
            "allowed_account_ids = [\"999999999999\"]\n  timeout",
        ),
    );
    let ran = shop.apply().exits(1);
    has(&ran, &[shop.account.id(), "allowed_account_ids"]);

    shop.directory
        .write("shop.hcl", &files.replace("us-east-1", "eu-west-1"));
    let ran = shop.apply().exits(1);
    has(&ran, &["Another account", "us-east-1", "eu-west-1"]);

    shop.directory.write("shop.hcl", &files);
    let other = AwsServer::shared().account();
    shop.directory.set("AWS_ACCESS_KEY_ID", &other.access_key());
    for command in [
        &["apply", "--auto-approve"][..],
        &["reconcile", "--once"],
        &["status"],
    ] {
        let ran = shop.directory.run(command).exits(1);
        has(&ran, &["Another account", shop.account.id(), other.id()]);
    }
    nothing_was_changed(&shop);
}

#[test]
fn a_group_that_is_deleted_meanwhile_is_named_and_the_others_go_on() {
    const DELETE: &str = "client('autoscaling').delete_auto_scaling_group(AutoScalingGroupName='web-one', ForceDelete=True)";
    let mut shop = shop();
    shop.write(["one", "two"], &GROUP.replace("max = 3", "max = 4"));
    shop.directory
        .run(&["plan", "--out", "change.plan"])
        .exits(0);
    shop.account.boto3(DELETE);
    let ran = shop.directory.run(&["apply", "change.plan"]).exits(1);
    has(&ran, &["group.one: nothing was changed", "web-one"]);
    assert_eq!(shop.done("UpdateAutoScalingGroup", "web-one"), 0);
    assert_eq!(shop.done("UpdateAutoScalingGroup", "web-two"), 1);

    shop.a_minute_later();
    crate::support::cpu(&shop.account, "web-two", 180.0);
    let ran = shop.directory.run(&["reconcile", "--once"]);
    let said = format!("{}{}", ran.stdout, ran.stderr);
    assert!(said.contains("group.one"), "{said}");
    assert_eq!(shop.done("SetDesiredCapacity", "web-two"), 1);
    assert_eq!(shop.done("SetDesiredCapacity", "web-one"), 0);
}
