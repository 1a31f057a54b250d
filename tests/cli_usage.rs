//! Wrong use of every command: a clear message on standard error, nothing on standard output, exit code 1.

mod common;

use common::Directory;

/// What nobody should type, and words of the answer.
const WRONG: &[(&[&str], &str)] = &[
    (&[], "Usage"),
    (&["frobnicate"], "unrecognized subcommand"),
    (&["plam"], "plan"),
    (&["--frobnicate"], "unexpected argument"),
    (&["-C", "no-such-directory", "plan"], "no-such-directory"),
    (&["init", "--example", "bank"], "web"),
    (&["init", "extra"], "unexpected argument"),
    (&["validate", "extra"], "unexpected argument"),
    (&["fmt", "no-such-file.hcl"], "no-such-file.hcl"),
    (&["test", "--junit"], "value is required"),
    (&["console", "1", "2"], "unexpected argument"),
    (&["plan", "--lock-timeout", "soon"], "90s"),
    (&["plan", "--json", "--markdown"], "cannot be used with"),
    (
        &["plan", "--refresh-only", "--destroy"],
        "cannot be used with",
    ),
    (&["plan", "extra"], "unexpected argument"),
    (
        &["apply", "p.tfplan", "--var", "a=1"],
        "cannot be used with",
    ),
    (&["apply", "no-such-file.tfplan"], "no-such-file.tfplan"),
    (
        &["apply", "no-such-file.tfplan"],
        "tideform plan --out FILE",
    ),
    (&["destroy", "extra"], "unexpected argument"),
    (&["show", "no-such-file.tfplan"], "no-such-file.tfplan"),
    (&["reconcile"], "--once"),
    (
        &["reconcile", "--once", "--interval", "30s"],
        "cannot be used with",
    ),
    (&["reconcile", "--interval", "0s"], "longer than 0s"),
    (
        &["reconcile", "--once", "--ticks", "3"],
        "cannot be used with",
    ),
    (
        &["reconcile", "--interval", "1s", "--listen", "nowhere"],
        "--listen",
    ),
    (&["status", "extra"], "unexpected argument"),
    (&["events", "--since", "yesterday"], "2h"),
    (&["events", "--since", "7days"], "did you mean `7d`?"),
    (&["events", "--limit", "-3"], "not a whole number"),
    (&["events", "--limit", "many"], "not a whole number"),
    (&["explain"], "GROUP"),
    (&["explain", "P9999"], "P9999"),
    (&["cost", "--by", "hour"], "day"),
    (&["cost", "--json", "--csv"], "cannot be used with"),
    (&["scale", "web", "3"], "--for"),
    (&["scale", "web", "3"], "scale web 12 --for 2h --reason"),
    (
        &["scale", "web", "twelve", "--for", "1h", "--reason", "r"],
        "`twelve` is not a number of instances, like 12",
    ),
    (
        &["scale", "web", "-3", "--for", "1h", "--reason", "r"],
        "-3",
    ),
    (&["scale", "web", "3", "--for", "1h"], "--reason"),
    (
        &["scale", "[", "3", "--for", "1h", "--reason", "r"],
        "svc.api",
    ),
    (&["unpin"], "GROUP"),
    (&["pause"], "GROUP"),
    (&["resume"], "GROUP"),
    (&["surge"], "start"),
    (&["surge", "start"], "NAME"),
    (&["surge", "start", "web", "campaign"], "name comes first"),
    (&["surge", "begin", "x"], "unrecognized subcommand"),
    (&["overrides", "extra"], "unexpected argument"),
    (&["decide", "web"], "--observe"),
    (&["schema", "everything"], "language"),
    (&["state"], "list"),
    (&["state", "mv", "web"], "TO"),
    (&["state", "frobnicate"], "unrecognized subcommand"),
    (&["demo", "--speed", "0"], "--speed"),
    (&["demo", "--speed", "3", "--fast"], "cannot be used with"),
    (&["completions"], "SHELL"),
    (&["completions", "dos"], "bash"),
    (&["version", "extra"], "unexpected argument"),
    (&["mock"], "advance"),
    (&["mock", "advance", "soon"], "90s"),
    (&["import"], "PROVIDER"),
    (&["import", "aws", "--filter", "team=shop"], "tag:team=shop"),
    (&["import", "aws."], "aws.us"),
    (&["import", "aws.us"], "no provider.aws.us"),
    (
        &["import", "mock", "--no-terraform", "--terraform-out", "x"],
        "cannot be used with",
    ),
    (&["simulate"], "GROUP"),
    (&["simulate", "web", "--per", "day"], "second"),
    (&["tune"], "--trace"),
    (
        &["tune", "web", "--trace", "x.csv", "--budget", "0"],
        "budget",
    ),
    (&["forecast"], "later version"),
    (&["analyze"], "<TRACE>"),
    (&["analyze", "x.csv", "--timezone", "Mars"], "Europe/Berlin"),
];

#[test]
fn wrong_use_of_every_command_is_a_message_on_stderr_and_exit_1() {
    let directory = Directory::empty();
    for (arguments, words) in WRONG {
        let ran = directory.run(arguments);
        assert_eq!(ran.code, Some(1), "{arguments:?}: {ran:?}");
        assert_eq!(ran.stdout, "", "{arguments:?}");
        assert!(ran.stderr.contains(words), "{arguments:?}: {}", ran.stderr);
        assert!(
            !ran.stderr.contains('\u{1b}'),
            "{arguments:?}: color in a pipe"
        );
        assert!(
            !ran.stderr.contains("bug in tideform"),
            "{arguments:?}: {}",
            ran.stderr
        );
    }
}

#[test]
fn every_command_is_tried_wrongly() {
    for command in tideform::cli::command().get_subcommands() {
        let name = command.get_name();
        assert!(
            WRONG
                .iter()
                .any(|(arguments, _)| arguments.first() == Some(&name)),
            "no wrong use of `{name}` in this table"
        );
    }
}

#[test]
fn an_error_is_json_where_json_is_asked_for() {
    let ran = Directory::empty().run(&["-C", "nowhere", "plan", "--json"]);
    assert_eq!(ran.code, Some(1));
    let document: serde_json::Value = serde_json::from_str(&ran.stderr).unwrap();
    assert_eq!(document["error"]["exit_code"], 1);
    assert_eq!(document["error"]["summary"], "Directory not found");
}

#[test]
fn help_and_version_are_results() {
    let directory = Directory::empty();
    for arguments in [
        &["--help"][..],
        &["--version"],
        &["plan", "--help"],
        &["version"],
    ] {
        let ran = directory.run(arguments);
        assert_eq!(ran.code, Some(0), "{arguments:?}");
        assert!(
            ran.stdout.contains("tideform") && ran.stderr.is_empty(),
            "{ran:?}"
        );
    }
}

#[test]
fn completions_are_printed_for_every_shell() {
    let directory = Directory::empty();
    for shell in ["bash", "zsh", "fish", "elvish", "powershell"] {
        let ran = directory.run(&["completions", shell]);
        assert_eq!(ran.code, Some(0));
        assert!(ran.stdout.contains("reconcile"), "{shell}");
    }
}
