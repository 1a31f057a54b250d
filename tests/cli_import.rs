//! `import mock`: a cloud without controls of its own.

mod common;

use common::Directory;

#[test]
fn a_group_without_a_rule_is_imported_so_that_the_loop_leaves_it_as_it_is() {
    let shop = Directory::with(&[(
        "cloud.hcl",
        "provider \"mock\" {\n  clock = \"stepped\"\n}\n",
    )]);
    shop.run(&[
        "mock",
        "create",
        "web.prod",
        "--min",
        "2",
        "--max",
        "8",
        "--desired",
        "3",
    ])
    .exits(0);
    shop.run(&["mock", "add-control", "web.prod", "theirs"])
        .exits(0);
    let imported = shop
        .run(&["import", "mock", "--filter", "name=web*"])
        .exits(0);
    for part in [
        "group \"web-prod\" {",
        "coexist  = true",
        "    enabled = false\n",
        "# Left as it is, not managed: theirs (made by hand).",
    ] {
        assert!(
            imported.stdout.contains(part),
            "{part}\n{}",
            imported.stdout
        );
    }
    assert!(
        !imported.stderr.contains("removed {"),
        "{}",
        imported.stderr
    );
    shop.write("web.hcl", &imported.stdout);
    shop.run(&["fmt", "--check"]).exits(0);
    let plan = shop.run(&["plan", "--detailed-exitcode"]).exits(0);
    assert!(plan.stdout.ends_with("No changes.\n"), "{}", plan.stdout);
    shop.run(&["apply", "--auto-approve"]).exits(0);
    let ran = shop
        .run(&["reconcile", "--interval", "1m", "--ticks", "15"])
        .exits(0);
    let said = format!("{}{}", ran.stdout, ran.stderr);
    assert!(said.contains("no changes"), "{said}");

    let again = shop.run(&["import", "mock"]).exits(1);
    assert!(
        again
            .stderr
            .contains("it is group.web-prod in these files already"),
        "{}",
        again.stderr
    );
}
