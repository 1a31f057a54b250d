//! Reading directories: which files, hostile ones, blocks, groups, formulas.

use super::{codes, files, first};
use crate::model::{Expression, OwnValue};
use crate::tree::{AttributeValue, Tree};
use crate::value::Value;

/// `group.a["b"]: limits.max=5 metric(cpu).value=…` for each group.
fn groups(tree: &Tree) -> Vec<String> {
    tree.groups.iter().map(|g| g.address.to_string()).collect()
}

fn attribute<'t>(tree: &'t Tree, path: &[&str], name: &str) -> &'t AttributeValue {
    let mut block = &tree.groups.first().expect("a group").block;
    for kind in path {
        block = block
            .blocks
            .iter()
            .find(|block| block.kind.value == *kind)
            .unwrap_or_else(|| panic!("no block {kind}"));
    }
    &block.attributes.get(name).expect("an attribute").value
}

#[test]
fn all_hcl_files_but_hidden_ones_and_values_are_the_configuration() {
    let loaded = files(&[
        ("b.hcl", "group \"b\" {}\n"),
        ("a.hcl", "\u{feff}group \"a\" {}\n"),
        (".hidden.hcl", "group \"hidden\" {}\n"),
        ("x.vars.hcl", "broken ="),
        ("z.auto.vars.hcl", "n = 2\n"),
        ("y.auto.vars.hcl", "n = 1\n"),
        ("v.hcl", "variable \"n\" {}\ngroup \"c${1}\" {}\n"),
        ("notes.txt", "not a file of ours"),
    ])
    .load();
    // A template is no label.
    assert_eq!(codes(&loaded), ["P0010"]);
    let loaded = files(&[
        ("b.hcl", "group \"b\" {}\n"),
        ("a.hcl", "\u{feff}group \"a\" { n = var.n }\n"),
        (".hidden.hcl", "group \"hidden\" {}\n"),
        ("x.vars.hcl", "broken ="),
        ("z.auto.vars.hcl", "n = 2\n"),
        ("y.auto.vars.hcl", "n = 1\n"),
        ("v.hcl", "variable \"n\" {}\n"),
    ])
    .load();
    assert_eq!(codes(&loaded), Vec::<&str>::new());
    assert_eq!(groups(&loaded.tree), ["group.a", "group.b"]);
    assert_eq!(
        attribute(&loaded.tree, &[], "n"),
        &AttributeValue::Known(Value::from(2i128))
    );
}

#[test]
fn what_cannot_be_read_is_told() {
    let none = files(&[("x.txt", "")]).load();
    assert_eq!(codes(&none), ["P0002"]);
    let gone = super::load(&super::LoadInput {
        directory: "/no/such/directory".into(),
        ..super::LoadInput::default()
    });
    assert_eq!(codes(&gone), ["P0001"]);

    let directory = files(&[("ok.hcl", "")]);
    std::fs::create_dir(directory.path("dir.hcl")).expect("a directory");
    std::fs::write(directory.path("latin.hcl"), b"a {}\n# caf\xe9\n").expect("a file");
    std::fs::write(directory.path("nul.hcl"), b"a {}\n# \0\n").expect("a file");
    std::fs::write(directory.path("large.hcl"), vec![b' '; 9 << 20]).expect("a file");
    #[cfg(unix)]
    {
        use std::os::unix::fs::symlink;
        symlink(directory.path("loop.hcl"), directory.path("loop.hcl")).expect("a link");
        symlink("/no/such/file", directory.path("dangling.hcl")).expect("a link");
    }
    let loaded = directory.load();
    let found: Vec<String> = loaded
        .diagnostics
        .iter()
        .map(|d| {
            let label = d.labels.first().expect("a label");
            let (name, line, column) = loaded.sources.place(label.span).expect("a place");
            format!("{} {name}:{line}:{column} {}", d.code.0, label.text)
        })
        .collect();
    let expected = [
        "P0003 dangling.hcl:1:1 a symbolic link to a file that is not there",
        "P0003 dir.hcl:1:1 a directory, not a file; rename it",
        "P0004 large.hcl:1:1 larger than 8 MiB",
        "P0005 latin.hcl:2:6 byte 11 of the file, in line 2, is 0xe9",
        "P0003 loop.hcl:1:1 a symbolic link that cannot be followed",
        "P0006 nul.hcl:2:3 here",
    ];
    for expected in expected {
        assert!(
            found.iter().any(|f| f.starts_with(expected)),
            "{expected}\n{found:#?}"
        );
    }
}

#[test]
fn the_digest_follows_files_variables_and_what_functions_read() {
    let text = "variable \"x\" {\n  default = 1\n}\ngroup \"a\" { q = file(\"q.txt\") }\n";
    let base = [("a.hcl", text), ("q.txt", "up")];
    let digest = files(&base).load().digest;
    assert_eq!(digest.len(), 64);
    assert_eq!(files(&base).load().digest, digest);
    assert_ne!(files(&base).var("x", "2").load().digest, digest);
    assert_ne!(files(&[base[0], ("q.txt", "down")]).load().digest, digest);
    assert_ne!(files(&[("b.hcl", text), base[1]]).load().digest, digest);
    let secret = "variable \"x\" {\n  sensitive = true\n  default = 1\n}\n";
    assert_ne!(
        files(&[("a.hcl", secret)]).var("x", "a").load().digest,
        files(&[("a.hcl", secret)]).var("x", "b").load().digest
    );
}

#[test]
fn for_each_makes_a_group_of_each_key() {
    let loaded = files(&[(
        "a.hcl",
        r#"
locals { sizes = { b = { max = 5 }, a = { max = 3 } } }
group "svc" {
  for_each = local.sizes
  limits { max = each.value.max }
  label = each.key
}
group "set" { for_each = toset(["x", "y"]) }
group "one" {}
test "t" { group = group.svc["b"] }
"#,
    )])
    .load();
    assert_eq!(codes(&loaded), Vec::<&str>::new());
    assert_eq!(
        groups(&loaded.tree),
        [
            "group.svc[\"a\"]",
            "group.svc[\"b\"]",
            "group.set[\"x\"]",
            "group.set[\"y\"]",
            "group.one"
        ]
    );
    assert_eq!(
        attribute(&loaded.tree, &["limits"], "max"),
        &AttributeValue::Known(Value::from(3i128))
    );
    assert!(
        loaded
            .tree
            .groups
            .iter()
            .all(|g| !g.block.attributes.contains_key("for_each"))
    );
}

#[test]
fn names_and_keys_that_cannot_be_are_told() {
    let table = [
        (
            "group \"g\" { for_each = [\"a\"] }",
            "P0330 at a.hcl:1:24: this is a list, which has no keys",
        ),
        (
            "group \"g\" { for_each = null }",
            "P0330 at a.hcl:1:24: this is null",
        ),
        (
            "group \"g\" { for_each = toset([1]) }",
            "P0330 at a.hcl:1:24: the set holds a number, strings are needed",
        ),
        (
            "group \"g\" { for_each = toset([\"a b\"]) }",
            "P0331 at a.hcl:1:24: the key \"a b\" holds white space or one of / \\ [ ] * ? \"",
        ),
        (
            "group \"g\" { for_each = sensitive({ a = 1 }) }",
            "P0332 at a.hcl:1:24: keys are part of addresses, which every plan shows",
        ),
        (
            "group \"g\" { x = each.key }",
            "P0208 at a.hcl:1:17: there is no `for_each` around this",
        ),
        (
            "group \"g\" { x = policy.wbe }\npolicy \"web\" {}",
            "P0206 at a.hcl:1:23: no such policy",
        ),
        (
            "group \"g\" { x = provider.mock }",
            "P0206 at a.hcl:1:25: no such provider",
        ),
        (
            "provider \"aws\" \"us\" {}\ngroup \"g\" { x = provider.aws }",
            "P0206 at a.hcl:2:25: each provider of this kind has a second name",
        ),
        (
            "group \"g\" { for_each = { a = 1 } }\ntest \"t\" { x = group.g }",
            "P0216 at a.hcl:2:21: this group has `for_each`: it is many",
        ),
        (
            "group \"g\" { for_each = { a = 1 } }\ntest \"t\" { x = group.g[\"b\"] }",
            "P0206 at a.hcl:2:23: the group has no such key",
        ),
        (
            "group \"g\" {}\ntest \"t\" { x = group.g[\"b\"] }",
            "P0216 at a.hcl:2:23: this group has no `for_each`",
        ),
        ("group {}", "P0220 at a.hcl:1:1: the name is missing"),
        (
            "groups \"g\" {}",
            "P0219 at a.hcl:1:1: no such kind at the top level",
        ),
        (
            "peak = 1",
            "P0021 at a.hcl:1:1: the top level holds blocks only",
        ),
        (
            "group \"g\" {\n  limits = 1\n  limits {}\n}",
            "P0019 at a.hcl:3:3: a block of this name",
        ),
        (
            "locals {\n  a = local.b\n  b = local.c + 1\n  c = local.a\n}",
            "P0210 at a.hcl:2:3: `local.a` needs `local.b`",
        ),
        (
            "locals { a = local.a }",
            "P0210 at a.hcl:1:10: `local.a` needs itself",
        ),
        (
            "locals { a = 1 }\nlocals { a = 2 }",
            "P0211 at a.hcl:2:10: set again here",
        ),
        (
            "locals { a = metric.cpu }",
            "P0209 at a.hcl:1:14: known only when a decision is made",
        ),
        (
            "group \"g\" { x = policy.web.max }\npolicy \"web\" {}",
            "P0350 at a.hcl:1:27: `policy.web` has no attributes",
        ),
        (
            "group \"g\" { x = \"${policy.web}-a\" }\npolicy \"web\" {}",
            "P0350 at a.hcl:1:20: `policy.web` stands for a block, it is no text",
        ),
        (
            "group \"g\" { x = 5m }",
            "P0010 at a.hcl:1:17: a number with a unit is a string",
        ),
    ];
    for (text, expected) in table {
        let loaded = files(&[("a.hcl", &format!("{text}\n"))]).load();
        assert_eq!(first(&loaded), expected, "{text}");
    }
}

#[test]
fn an_error_is_said_once_and_what_depends_on_it_is_silent() {
    let loaded = files(&[(
        "a.hcl",
        r#"
locals {
  bad  = 1 / 0
  more = local.bad + 1
}
group "svc" {
  for_each = toset(["a", "b", "c"])
  x = local.more
  y = [][0]
}
"#,
    )])
    .load();
    assert_eq!(codes(&loaded), ["P0302", "P0305"]);
    assert_eq!(loaded.tree.groups.len(), 3);
    assert_eq!(attribute(&loaded.tree, &[], "x"), &AttributeValue::Poisoned);
}

#[test]
fn references_are_addresses() {
    let loaded = files(&[(
        "a.hcl",
        r#"
provider "mock" {}
provider "mock" "b" {}
policy "web" {}
group "g" {
  provider = provider.mock
  other    = provider.mock.b
  use      = [policy.web]
  chosen   = true ? policy.web : null
  is_web   = policy.web == policy.web
}
moved {
  from = group.old["x"]
  to   = group.g
}
removed { from = group.gone }
"#,
    )])
    .load();
    assert_eq!(codes(&loaded), Vec::<&str>::new());
    let show = |name| match attribute(&loaded.tree, &[], name) {
        AttributeValue::Known(value) => value.to_json().to_string(),
        other => format!("{other:?}"),
    };
    assert_eq!(show("provider"), "\"provider.mock\"");
    assert_eq!(show("other"), "\"provider.mock.b\"");
    assert_eq!(show("use"), "[\"policy.web\"]");
    assert_eq!(show("chosen"), "\"policy.web\"");
    assert_eq!(show("is_web"), "true");
    let from = &loaded.tree.moved[0].attributes["from"].value;
    assert!(
        matches!(from, AttributeValue::Known(Value::Address(a)) if a.to_string() == "group.old[\"x\"]")
    );
}

#[test]
fn dynamic_blocks_are_unrolled_at_any_depth() {
    let loaded = files(&[(
        "a.hcl",
        r#"
group "g" {
  dynamic "metric" {
    for_each = { cpu = [1, 2], queue = [3] }
    iterator = m
    labels   = [m.key]
    content {
      dynamic "step" {
        for_each = m.value
        content { above = step.value * 10 }
      }
    }
  }
  metric "last" {}
}
"#,
    )])
    .load();
    assert_eq!(codes(&loaded), Vec::<&str>::new());
    let block = &loaded.tree.groups[0].block;
    let shown: Vec<String> = block
        .blocks
        .iter()
        .map(|metric| {
            let above: Vec<String> = metric
                .blocks
                .iter()
                .map(|step| match &step.attributes["above"].value {
                    AttributeValue::Known(value) => value.to_string(),
                    other => format!("{other:?}"),
                })
                .collect();
            format!(
                "{} {} {}",
                metric.kind.value,
                metric.labels[0].value,
                above.join(",")
            )
        })
        .collect();
    assert_eq!(
        shown,
        ["metric cpu 10,20", "metric queue 30", "metric last "]
    );
    for (text, expected) in [
        ("dynamic {}", "P0333"),
        ("dynamic \"a\" { for_each = [] }", "P0333"),
        ("dynamic \"a\" {\n for_each = 5\n content {}\n }", "P0309"),
        (
            "dynamic \"a\" {\n for_each = [1]\n x = 1\n content {}\n }",
            "P0333",
        ),
        (
            "dynamic \"a\" {\n for_each = [1]\n labels = [[]]\n content {}\n }",
            "P0352",
        ),
        (
            "dynamic \"a\" {\n for_each = sensitive([1])\n content {}\n }",
            "P0332",
        ),
    ] {
        let loaded = files(&[("a.hcl", &format!("group \"g\" {{\n{text}\n}}\n"))]).load();
        assert_eq!(codes(&loaded), [expected], "{text}");
    }
}

#[test]
fn formulas_are_kept_and_folded() {
    let loaded = files(&[(
        "a.hcl",
        r#"
variable "factor" {
  type    = number
  default = 2
}
group "g" {
  metric "backlog" {
    value = metric.queue * (var.factor + 1) / max(self.ready, 1)
  }
  guard "errors" {
    when = var.factor > 1 && metric.error_rate > 10
  }
}
test "t" {
  always = [self.desired <= self.max, true]
  never  = self.desired == 0
}
"#,
    )])
    .load();
    assert_eq!(codes(&loaded), Vec::<&str>::new());
    let AttributeValue::Formula(formula) = attribute(&loaded.tree, &["metric"], "value") else {
        panic!("no formula");
    };
    assert_eq!(
        formula.text,
        "metric.queue * (var.factor + 1) / max(self.ready, 1)"
    );
    let mut constants = Vec::new();
    fn numbers(expression: &Expression, out: &mut Vec<f64>) {
        match expression {
            Expression::Number(n) => out.push(*n),
            Expression::Binary(_, a, b) => {
                numbers(a, out);
                numbers(b, out);
            }
            Expression::Call(_, arguments) => arguments.iter().for_each(|a| numbers(a, out)),
            _ => {}
        }
    }
    numbers(&formula.expression, &mut constants);
    assert_eq!(constants, [3.0, 1.0]);
    assert_eq!(
        formula.metrics().iter().map(|m| &**m).collect::<Vec<_>>(),
        ["queue"]
    );
    // The side that is true at load falls away.
    let AttributeValue::Formula(when) = attribute(&loaded.tree, &["guard"], "when") else {
        panic!("no formula");
    };
    assert!(
        matches!(&when.expression, Expression::Binary(_, left, _) if matches!(**left, Expression::Metric(_)))
    );
    let test = &loaded.tree.tests[0].attributes;
    let AttributeValue::Formulas(always) = &test["always"].value else {
        panic!("no formulas");
    };
    assert_eq!(always.len(), 2);
    assert_eq!(always[1].expression, Expression::Bool(true));
    let AttributeValue::Formula(never) = &test["never"].value else {
        panic!("no formula");
    };
    assert!(
        matches!(&never.expression, Expression::Binary(_, left, _) if **left == Expression::Own(OwnValue::Desired))
    );
    let mentions = &loaded.tree.groups[0].block.blocks[0].attributes["value"].mentions;
    assert_eq!(mentions[0].value, "queue");
    let (_, line, column) = loaded.sources.place(mentions[0].span).expect("a place");
    assert_eq!((line, column), (8, 13));
}

#[test]
fn formulas_that_cannot_be_are_told() {
    for (value, expected) in [
        ("length(metric.a)", "P0340"),
        ("\"${metric.a}\"", "P0340"),
        ("[for x in [1] : metric.a]", "P0340"),
        ("metric.a > 1", "P0341"),
        ("metric.a ? 1 : 2", "P0341"),
        ("metric.a + true", "P0341"),
        ("metric.a + \"x\"", "P0341"),
        ("metric.a / 0", "P0302"),
        ("self.count", "P0215"),
        ("metric", "P0340"),
        ("metric.a.b", "P0340"),
        ("metric.a + var.nope", "P0202"),
        ("metric.a + sensitive(1)", "P0332"),
        ("pow(metric.a)", "P0306"),
        ("true", "P0341"),
    ] {
        let text = format!("group \"g\" {{\n  metric \"m\" {{\n    value = {value}\n  }}\n}}\n");
        let loaded = files(&[("a.hcl", &text)]).load();
        assert_eq!(codes(&loaded), [expected], "{value}");
    }
    let loaded = files(&[(
        "a.hcl",
        "group \"g\" {\n  metric \"m\" {\n    value = null\n  }\n}\n",
    )])
    .load();
    assert_eq!(
        attribute(&loaded.tree, &["metric"], "value"),
        &AttributeValue::Known(Value::Null)
    );
}

#[test]
fn values_that_grow_without_bound_are_stopped() {
    let mut doubling = String::from("locals {\n  s0 = \"xxxxxxxxxxxxxxxx\"\n  l0 = [1]\n");
    for n in 1..60 {
        doubling.push_str(&format!(
            "  s{n} = \"${{local.s{0}}}${{local.s{0}}}\"\n  l{n} = [local.l{0}, local.l{0}]\n",
            n - 1
        ));
    }
    doubling.push_str("}\n");
    let loaded = files(&[("a.hcl", &doubling)]).load();
    assert!(!loaded.diagnostics.is_empty());
    assert!(
        codes(&loaded).iter().all(|code| *code == "P0312"),
        "{:?}",
        codes(&loaded)
    );

    // Deep rather than wide.
    let mut deep = String::from("locals {\n  a0 = 1\n");
    for n in 1..20_000 {
        deep.push_str(&format!("  a{n} = [local.a{}]\n", n - 1));
    }
    deep.push_str("}\n");
    let loaded = files(&[("a.hcl", &deep)]).load();
    assert_eq!(codes(&loaded), ["P0312"]);
}

#[test]
fn circles_of_thousands_are_found_quickly() {
    let n = 20_000;
    let mut text = String::from("locals {\n");
    for i in 0..n {
        text.push_str(&format!("  a{i} = local.a{} + local.a0\n", (i + 1) % n));
    }
    text.push_str("}\n");
    let loaded = files(&[("a.hcl", &text)]).load();
    assert!(codes(&loaded).iter().all(|code| *code == "P0210"));
    assert!(!loaded.diagnostics.is_empty());
}

#[test]
fn thousands_of_groups_are_read() {
    let mut text = String::from("variable \"n\" {\n  default = 4\n}\n");
    for n in 0..2_000 {
        text.push_str(&format!(
            "group \"g{n}\" {{\n  limits {{\n    min = 1\n    max = var.n * 2\n  }}\n  name = \"svc-{n}-${{var.n}}\"\n}}\n"
        ));
    }
    text.push_str(
        "locals { sizes = { for n in range(2000) : \"k${n}\" => { max = n } } }\n\
         group \"each\" {\n  for_each = local.sizes\n  limits { max = local.sizes[each.key].max }\n}\n",
    );
    let loaded = files(&[("a.hcl", &text)]).load();
    assert_eq!(codes(&loaded), Vec::<&str>::new());
    assert_eq!(loaded.tree.groups.len(), 4_000);
}
