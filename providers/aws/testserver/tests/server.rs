//! The server as the tests of the AWS provider use it, and its own tests in Python.

use std::process::Command;

use serde_json::json;
use tideform_aws_testserver::{AwsServer, python, server_directory};

#[test]
fn what_the_readme_of_the_server_claims_holds() {
    let run = Command::new(server_directory().join("run_server_tests.sh"))
        .arg(python())
        .output()
        .unwrap();
    let said = String::from_utf8_lossy(&run.stderr);
    assert!(
        run.status.success(),
        "{said}{}",
        String::from_utf8_lossy(&run.stdout)
    );
    assert!(said.contains("Ran "), "{said}");
}

#[test]
fn accounts_see_their_own_groups_log_faults_and_clock() {
    let server = AwsServer::shared();
    let (mine, other) = (server.account(), server.account());
    assert_ne!(mine.id(), other.id());
    mine.seed_groups(json!({ "count": 2, "prefix": "web" }));
    mine.faults(json!([{ "service": "autoscaling", "op": "DescribeTags", "kind": "throttling" }]));
    mine.stop_clock("2026-03-02T12:00:00Z");
    let names = "out = [g['AutoScalingGroupName'] for g in client('autoscaling').describe_auto_scaling_groups()['AutoScalingGroups']]";
    assert_eq!(mine.boto3(names), json!(["web-00001", "web-00002"]));
    assert_eq!(other.boto3(names), json!([]));
    assert_eq!(mine.count("autoscaling", "DescribeAutoScalingGroups"), 1);
    assert_eq!(mine.count("*", "*"), 1);
    assert_eq!(other.count("autoscaling", "*"), 1);
    let actions: Vec<String> = mine.actions().into_iter().collect();
    assert_eq!(actions, ["autoscaling:DescribeAutoScalingGroups"]);
    mine.clear_log();
    assert_eq!(mine.log().len(), 0);
    assert!(mine.violations().is_empty());
    let now = |account: &tideform_aws_testserver::Account<'_>| {
        account.tell("clock", json!({}))["now"].to_string()
    };
    assert!(now(&mine).contains("2026-03-02T12:00:00"), "{}", now(&mine));
    assert!(
        !now(&other).contains("2026-03-02T12:00:00"),
        "{}",
        now(&other)
    );
}

#[test]
fn faults_stubs_and_permissions_reach_the_client() {
    let account = AwsServer::shared().account();
    let describe = "
try:
    out = len(client('autoscaling', config=botocore.config.Config(retries={'total_max_attempts': 1})).describe_tags()['Tags'])
except botocore.exceptions.ClientError as error:
    out = error.response['Error']['Code']
";
    account.faults(json!([{ "op": "DescribeTags", "kind": "throttling" }]));
    assert_eq!(account.boto3(describe), json!("Throttling"));
    assert_eq!(account.boto3(describe), json!(0));
    account.allow(Some(&["ec2:*"]));
    assert_eq!(account.boto3(describe), json!("AccessDenied"));
    account.allow(None);
    account.stub(
        "autoscaling",
        "DescribeTags",
        json!({ "Tags": [{ "Key": "a" }] }),
    );
    assert_eq!(account.boto3(describe), json!(1));
    account.stub("autoscaling", "DescribeTags", json!(null));
    assert_eq!(account.boto3(describe), json!(0));
}

#[test]
fn a_reset_forgets_everything_and_a_server_ends_when_it_is_dropped() {
    let server = AwsServer::start();
    let account = server.account();
    let groups =
        "out = len(client('autoscaling').describe_auto_scaling_groups()['AutoScalingGroups'])";
    account.seed_groups(json!({ "count": 2 }));
    assert_eq!(account.boto3(groups), json!(2));
    server.control("reset", &json!({}));
    assert_eq!(account.boto3(groups), json!(0));
    assert_eq!(account.log().len(), 1);
    let address = server.url().trim_start_matches("http://").to_owned();
    assert!(std::net::TcpStream::connect(&address).is_ok());
    drop(server);
    assert!(std::net::TcpStream::connect(&address).is_err());
}

#[test]
#[should_panic(expected = "no such endpoint")]
fn a_refusal_of_the_server_fails_the_test_with_its_reason() {
    AwsServer::shared().account().tell("nonsense", json!({}));
}
