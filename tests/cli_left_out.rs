//! A group that something is wrong with in the cloud is left out of plan and apply, and the others go on.

mod common;

use common::{Directory, Ran};
use serde_json::{Value, json};

/// Three groups that somebody else made; `web` is the one that something happens to.
fn shop() -> Directory {
    let directory = Directory::empty();
    write(&directory, 10);
    for name in ["api", "jobs", "web"] {
        directory
            .run(&[
                "mock",
                "create",
                name,
                "--min",
                "1",
                "--max",
                "5",
                "--provider",
                cloud(name),
            ])
            .exits(0);
    }
    directory.run(&["apply", "--auto-approve"]).exits(0);
    directory
}

/// `web` is in a cloud of its own: reads fail by the batch.
fn cloud(name: &str) -> &'static str {
    match name {
        "web" => "mock.other",
        _ => "mock",
    }
}

/// All three with this ceiling.
fn write(directory: &Directory, max: u32) {
    let mut text = "provider \"mock\" {}\nprovider \"mock\" \"other\" {\n  world = \".tideform/other.world\"\n}\n".to_owned();
    for name in ["api", "jobs", "web"] {
        text.push_str(&format!(
            "group \"{name}\" {{\n  provider = provider.{}\n  resource \"asg\" {{ name = \"{name}\" }}\n  \
             limits {{\n    min = 1\n    max = {max}\n  }}\n}}\n",
            cloud(name)
        ));
    }
    directory.write("shop.hcl", &text);
}

/// What happens to `web`, and the code of the error that it then has.
type Trouble = (&'static str, Option<&'static str>, &'static [&'static str]);

const TROUBLES: [Trouble; 4] = [
    (
        "deleted",
        Some("P0601"),
        &["mock", "delete", "web", "--provider", "mock.other"],
    ),
    (
        "taken over",
        Some("P0604"),
        &[
            "apply",
            "--workspace",
            "other",
            "--group",
            "web",
            "--take-over",
            "--auto-approve",
        ],
    ),
    (
        "moved by a policy",
        Some("P0603"),
        &[
            "mock",
            "add-control",
            "web",
            "cpu-60",
            "--provider",
            "mock.other",
        ],
    ),
    (
        "not to be read",
        None,
        &[
            "mock",
            "fault",
            "denied",
            "--call",
            "read_groups",
            "--provider",
            "mock.other",
            "--times",
            "100",
        ],
    ),
];

/// The largest capacity of each group in the cloud.
fn ceilings(directory: &Directory) -> Value {
    let worlds = ["mock", "mock.other"].map(|provider| {
        directory
            .run(&["mock", "show", "--json", "--provider", provider])
            .exits(0)
            .json()
    });
    let groups = worlds
        .iter()
        .flat_map(|world| world["groups"].as_array().into_iter().flatten());
    groups
        .map(|group| {
            let name = group["resource"]["name"].as_str().unwrap_or_default();
            let max = group["attributes"]["limits"]["max"].clone();
            (name.to_owned(), max)
        })
        .collect::<serde_json::Map<_, _>>()
        .into()
}

/// The groups in the state.
fn listed(directory: &Directory) -> Vec<String> {
    let list = directory.run(&["state", "list", "--json"]).exits(0).json();
    let groups = list["groups"].as_array().unwrap();
    groups
        .iter()
        .map(|group| group["group"].as_str().unwrap().to_owned())
        .collect()
}

#[track_caller]
fn assert_names_web_alone(ran: &Ran, code: Option<&str>) {
    let said = &ran.stderr;
    assert!(said.contains("group.web: "), "{said}");
    assert!(!said.contains("group.api: left") && !said.contains("group.jobs: left"));
    if let Some(code) = code {
        assert!(said.contains(&format!("error[{code}]")), "{said}");
    }
}

#[test]
fn the_other_groups_are_planned_and_applied() {
    for (what, code, trouble) in TROUBLES {
        let directory = shop();
        directory.run(trouble).exits(0);
        write(&directory, 12);

        let plan = directory.run(&["plan"]).exits(1);
        let last = plan.stdout.lines().last().unwrap_or_default();
        let expected = match code {
            Some(_) => "1 of 3 groups has an error of its own, and is not in the plan.",
            None => "1 of 3 groups could not be read, and is not in the plan.",
        };
        assert_eq!(
            last,
            format!("Plan: 0 to add, 2 to change, 0 to remove. {expected}"),
            "{what}"
        );
        assert!(
            plan.stdout.contains("! group.web"),
            "{what}: {}",
            plan.stdout
        );
        assert_names_web_alone(&plan, code);

        let shown = directory.run(&["plan", "--json"]).exits(1).json();
        assert_eq!(
            shown["summary"],
            json!({
                "add": 0,
                "change": 2,
                "remove": 0,
                "unread": u8::from(code.is_none()),
                "with_errors": u8::from(code.is_some()),
            }),
            "{what}"
        );
        let web = &shown["groups"][2];
        assert_eq!(web["address"], "group.web");
        assert_eq!(web["action"], "no_op");
        assert_eq!(web["failure_code"], json!(code), "{what}");
        assert!(web["failure"].is_string(), "{what}");
        let codes: Vec<&Value> = shown["diagnostics"]
            .as_array()
            .unwrap()
            .iter()
            .map(|diagnostic| &diagnostic["code"])
            .collect();
        assert_eq!(
            codes,
            code.map(|_| &web["failure_code"]).as_slice(),
            "{what}"
        );

        let comment = directory.run(&["plan", "--markdown"]).exits(1).stdout;
        assert!(comment.contains(expected), "{what}: {comment}");
        if let Some(code) = code {
            let error = format!("> **Error {code}:** group.web: ");
            assert!(comment.contains(&error), "{what}: {comment}");
        }

        let applied = directory.run(&["apply", "--auto-approve"]).exits(1);
        assert!(
            applied
                .stdout
                .contains("Apply incomplete: 0 added, 2 changed, 0 removed; 1 failed"),
            "{what}: {}",
            applied.stdout
        );
        assert_names_web_alone(&applied, code);
        let ceilings = ceilings(&directory);
        assert_eq!(
            (&ceilings["api"], &ceilings["jobs"]),
            (&json!(12), &json!(12)),
            "{what}"
        );
        if let Some(web) = ceilings.get("web") {
            assert_eq!(web, 10, "{what}");
        }

        // Nothing else is left, and web is still told.
        let again = directory.run(&["apply", "--auto-approve"]).exits(1);
        assert!(
            again.stdout.contains("No changes to the "),
            "{what}: {}",
            again.stdout
        );
        let lines = directory.run(&["plan", "--detailed-exitcode"]).exits(1);
        assert_names_web_alone(&lines, code);
    }
}

#[test]
fn a_saved_plan_of_the_other_groups_is_carried_out() {
    for (what, code, trouble) in TROUBLES {
        let directory = shop();
        directory.run(trouble).exits(0);
        write(&directory, 12);
        let gate = "cost > +1000";
        let saved = directory
            .run(&["plan", "--out", "shop.plan", "--fail-if", gate])
            .exits(1);
        assert!(
            saved.stderr.contains("Saved the plan of the other groups."),
            "{what}: {}",
            saved.stderr
        );
        let shown = directory.run(&["show", "shop.plan"]).exits(0);
        assert!(
            shown.stdout.contains("! group.web"),
            "{what}: {}",
            shown.stdout
        );
        let applied = directory.run(&["apply", "shop.plan"]).exits(1);
        assert!(
            applied.stderr.contains("group.web: "),
            "{what}: {}",
            applied.stderr
        );
        if let Some(code) = code {
            assert!(applied.stderr.contains(code), "{what}: {}", applied.stderr);
        }
        assert_eq!(ceilings(&directory)["api"], 12, "{what}");
    }
}

#[test]
fn what_happens_to_a_group_after_the_plan_does_not_stop_the_others() {
    for (what, _, trouble) in TROUBLES {
        let directory = shop();
        write(&directory, 12);
        directory.run(&["plan", "--out", "shop.plan"]).exits(0);
        directory.run(trouble).exits(0);
        // A policy by hand is a change of what was planned, as a limit is: everything is to be planned again.
        if what == "moved by a policy" {
            let refused = directory.run(&["apply", "shop.plan"]).exits(5);
            assert!(refused.stderr.contains("out of date"), "{}", refused.stderr);
            continue;
        }
        let applied = directory.run(&["apply", "shop.plan"]).exits(1);
        assert!(
            applied.stderr.contains("group.web: "),
            "{what}: {}",
            applied.stderr
        );
        let ceilings = ceilings(&directory);
        assert_eq!(
            (&ceilings["api"], &ceilings["jobs"]),
            (&json!(12), &json!(12)),
            "{what}"
        );
        // Who took it over has applied the same files.
        let is_taken = what == "taken over";
        assert_eq!(ceilings.get("web") == Some(&json!(12)), is_taken, "{what}");
    }
}

#[test]
fn a_plan_of_nothing_that_is_still_there_is_out_of_date() {
    let directory = shop();
    write(&directory, 12);
    directory
        .run(&["plan", "--group", "web", "--out", "web.plan"])
        .exits(0);
    directory
        .run(&["mock", "delete", "web", "--provider", "mock.other"])
        .exits(0);
    let refused = directory.run(&["apply", "web.plan"]).exits(5);
    assert!(refused.stderr.contains("gone"), "{}", refused.stderr);
}

#[test]
fn destroy_forgets_a_group_that_is_gone_and_leaves_out_one_that_cannot_be_read() {
    for (what, _, trouble) in TROUBLES {
        let directory = shop();
        directory.run(trouble).exits(0);
        let left: &[&str] = if what == "not to be read" {
            directory.run(&["destroy", "--auto-approve"]).exits(1);
            &["group.web"]
        } else {
            directory.run(&["destroy", "--auto-approve"]).exits(0);
            &[]
        };
        assert_eq!(listed(&directory), left, "{what}");
    }
}

#[test]
fn a_group_whose_heir_is_left_out_stays() {
    let directory = shop();
    let files = directory
        .read("shop.hcl")
        .replace("group \"web\"", "group \"shop\"");
    directory.write("shop.hcl", &files);
    directory
        .run(&[
            "mock",
            "add-control",
            "web",
            "cpu-60",
            "--provider",
            "mock.other",
        ])
        .exits(0);
    let plan = directory.run(&["plan"]).exits(1);
    let last = plan.stdout.lines().last().unwrap_or_default();
    assert_eq!(
        last,
        "No changes to the other groups. 2 of 4 groups have errors of their own, and are not in the plan."
    );
    assert!(
        plan.stdout
            .contains("it stays until group.shop has taken its resource over"),
        "{}",
        plan.stdout
    );
    directory.run(&["apply", "--auto-approve"]).exits(1);
    assert_eq!(listed(&directory), ["group.api", "group.jobs", "group.web"]);
}
