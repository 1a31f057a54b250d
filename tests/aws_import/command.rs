//! The command itself: which groups, which file, and what it says.

use serde_json::json;
use tideform_aws_testserver::AwsServer;

use crate::common::Directory;
use crate::support::account_with;

#[test]
fn many_groups_are_found_and_read_in_few_calls() {
    let account = AwsServer::shared().account();
    account.seed_groups(json!({ "count": 150, "prefix": "web", "tags": { "team": "shop" } }));
    let mut directory = Directory::empty();
    for (name, value) in account.environment() {
        directory.set(&name, &value);
    }
    let imported = directory
        .run(&[
            "import",
            "aws",
            "--filter",
            "name=web-000*",
            "--no-terraform",
        ])
        .exits(0);
    assert_eq!(imported.stdout.matches("\ngroup \"").count(), 99);
    assert!(
        !imported.stderr.contains("removed {"),
        "{}",
        imported.stderr
    );
    // Two pages of groups, one call for the 99 that are read, three pages each of policies and actions.
    for (op, calls) in [
        ("DescribeAutoScalingGroups", 3),
        ("DescribePolicies", 3),
        ("DescribeScheduledActions", 3),
        ("DescribeInstanceRefreshes", 0),
    ] {
        assert_eq!(account.count("autoscaling", op), calls, "{op}");
    }
    directory.write("shop.hcl", &imported.stdout);
    let plan = directory.run(&["plan", "--detailed-exitcode"]).exits(0);
    assert!(plan.stdout.contains("99 groups"), "{}", plan.stdout);
}

#[test]
fn import_reads_the_region_where_it_is_said_and_overwrites_nothing() {
    let (_account, directory) = account_with(AwsServer::shared(), "group(\"web\")");
    directory.write(
        "there.hcl",
        "provider \"aws\" {\n  region = \"us-east-1\"\n}\n",
    );
    let imported = directory.run(&["import", "aws"]).exits(0);
    assert!(
        !imported.stdout.contains("provider \"aws\""),
        "{}",
        imported.stdout
    );
    let refused = directory
        .run(&["import", "aws", "--region", "eu-west-1"])
        .exits(1);
    assert!(
        refused.stderr.contains("Provider is in the files"),
        "{}",
        refused.stderr
    );
    let refused = directory
        .run(&["import", "aws", "--out", "there.hcl"])
        .exits(1);
    assert!(
        refused.stderr.contains("not overwritten"),
        "{}",
        refused.stderr
    );
    let none = directory
        .run(&["import", "aws", "--filter", "tag:team=nobody"])
        .exits(1);
    assert!(
        none.stderr.contains("No group in account"),
        "{}",
        none.stderr
    );
    std::fs::remove_file(directory.file("there.hcl")).unwrap();
    let elsewhere = directory
        .run(&["import", "aws", "--region", "eu-west-1"])
        .exits(1);
    assert!(
        elsewhere.stderr.contains("eu-west-1"),
        "{}",
        elsewhere.stderr
    );
    let json = directory.run(&["import", "aws", "--json"]).exits(0).json();
    assert_eq!(json["groups"][0]["address"], "group.web");
    assert!(json["hcl"].as_str().unwrap().contains("group \"web\""));
}

#[test]
fn the_file_names_a_workspace_where_no_other_does() {
    let (_account, mut directory) = account_with(AwsServer::shared(), "group(\"web\")");
    let name = directory
        .path()
        .file_name()
        .expect("a name")
        .to_string_lossy();
    let name = name.trim_start_matches('.').to_owned();
    let block = |name: &str| format!("\ntideform {{ workspace = \"{name}\" }}\n");
    let printed = directory.run(&["import", "aws"]).exits(0);
    assert!(printed.stdout.contains(&block(&name)), "{}", printed.stdout);
    for words in [
        "Printed 1 group, with no controls",
        "no file was written. Save it as a file of this directory",
    ] {
        assert!(
            printed.stderr.contains(words),
            "{words}: {}",
            printed.stderr
        );
    }
    let named = directory
        .run(&["import", "aws", "--workspace", "shop"])
        .exits(0);
    assert!(named.stdout.contains(&block("shop")), "{}", named.stdout);
    directory.set("TIDEFORM_WORKSPACE", "fleet");
    let named = directory.run(&["import", "aws"]).exits(0);
    assert!(named.stdout.contains(&block("fleet")), "{}", named.stdout);
    directory.set("TIDEFORM_WORKSPACE", "");

    // A block that is there says it, or should.
    directory.write(
        "settings.hcl",
        "tideform { required_version = \">= 0.1\" }\n",
    );
    let unnamed = directory.run(&["import", "aws"]).exits(0);
    assert!(!unnamed.stdout.contains("tideform {"), "{}", unnamed.stdout);
    assert!(
        unnamed
            .stderr
            .contains("The files name no workspace, so theirs is `default`"),
        "{}",
        unnamed.stderr
    );
    directory.write("settings.hcl", "tideform { workspace = \"theirs\" }\n");
    let there = directory.run(&["import", "aws"]).exits(0);
    assert!(!there.stdout.contains("tideform {"), "{}", there.stdout);
    assert!(!there.stderr.contains("`default`"), "{}", there.stderr);
}

#[test]
fn a_second_directory_of_the_same_workspace_is_told_that_there_may_be_two() {
    let (account, first) = account_with(AwsServer::shared(), "group(\"web\")");
    let import = ["import", "aws", "--workspace", "shop", "--out", "shop.hcl"];
    first.run(&import).exits(0);
    first.run(&["apply", "--auto-approve"]).exits(0);

    let mut second = Directory::with(&[("shop.hcl", &first.read("shop.hcl"))]);
    for (name, value) in account.environment() {
        second.set(&name, &value);
    }
    for command in [&["plan"][..], &["apply", "--auto-approve"]] {
        let ran = second.run(command).exits(1);
        let said = format!("{}{}", ran.stdout, ran.stderr);
        let told = said.find("nother directory may use this workspace's name too");
        let take_over = said.find("--take-over");
        assert!(told.is_some() && told < take_over, "{command:?}\n{said}");
    }
    let mut empty = Directory::empty();
    for (name, value) in account.environment() {
        empty.set(&name, &value);
    }
    let nothing = empty.run(&["import", "aws"]).exits(1);
    for words in [
        "The group that was found is managed already:\n",
        "web: it carries the owner's tag of workspace `shop`, group.web, state ",
    ] {
        assert!(
            nothing.stderr.contains(words),
            "{words}\n{}",
            nothing.stderr
        );
    }
}

#[test]
fn where_no_group_can_be_read_no_file_is_written() {
    let (account, directory) = account_with(AwsServer::shared(), "group(\"one\")\ngroup(\"two\")");
    account.allow(Some(&["autoscaling:DescribeAutoScalingGroups"]));
    let denied = directory
        .run(&["import", "aws", "--out", "shop.hcl"])
        .exits(1);
    assert!(!directory.file("shop.hcl").exists());
    assert!(!denied.stderr.contains("Wrote"), "{}", denied.stderr);
    assert_eq!(
        denied.stderr.matches("needs the permission").count(),
        1,
        "{}",
        denied.stderr
    );
    account.allow(None);
    directory
        .run(&["import", "aws", "--out", "shop.hcl"])
        .exits(0);
}
