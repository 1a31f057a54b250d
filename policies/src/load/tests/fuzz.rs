//! Random and broken files: never a panic, and the same answers as `hcl::eval` where both have one.

use hcl::eval::{Context, Evaluate as _};
use proptest::prelude::*;
use proptest::strategy::ValueTree as _;

use super::files;
use crate::value::Value;

const SAMPLE: &str = r#"
variable "peak" {
  type    = number
  default = 40
  validation {
    condition     = var.peak <= 200
    error_message = "Ask ${var.peak}."
  }
}
locals {
  sizes = { for k, v in { a = 1, b = 2 } : k => { max = v * 2, name = "x-${k}" } if v > 0 }
  list  = [1, 2, 3][*]
  text  = <<-EOT
    %{ for n in local.list ~}
    n=${n}
    %{ endfor ~}
  EOT
}
provider "mock" {}
policy "web" {
  metric "cpu" {
    track { target = min(60, var.peak) }
  }
  metric "backlog" {
    value = metric.cpu * 2 / max(self.ready, 1)
  }
  guard "errors" {
    when = metric.cpu > 10 && true
  }
  dynamic "metric" {
    for_each = toset(["x", "y"])
    labels   = [metric.value]
    content {}
  }
}
group "svc" {
  for_each = local.sizes
  provider = provider.mock
  use      = [policy.web]
  limits {
    max = each.value.max
    min = try(each.value.min, -1) + 1
  }
}
test "t" {
  group  = group.svc["a"]
  always = [self.desired <= self.max]
  at "0m" {
    metrics = { cpu = null, "queue" = 5 % 3 }
  }
}
"#;

const TOKENS: &[&str] = &[
    "{",
    "}",
    "[",
    "]",
    "(",
    ")",
    "\"",
    "${",
    "%{",
    "~}",
    "<<E\n",
    "\nE\n",
    "\n",
    " ",
    ",",
    "=",
    "==",
    "=>",
    "...",
    ".",
    "[*]",
    "?",
    ":",
    "-",
    "+",
    "/",
    "%",
    "&&",
    "||",
    "!",
    "#",
    "/*",
    "*/",
    "for ",
    " in ",
    "if ",
    "null",
    "true",
    "var.peak",
    "local.sizes",
    "metric.cpu",
    "self.ready",
    "each.key",
    "group.svc",
    "policy.web",
    "provider.mock",
    "0",
    "1e308",
    "99999999999999999999",
    "\u{0}",
    "\u{feff}",
    "é",
    "\\",
    "\"x\"",
    "try(",
    "toset(",
    "jsonencode(",
    "variable \"v\" {",
    "locals {",
    "dynamic \"a\" {",
    "for_each = ",
    "sensitive(",
];

fn load_text(text: &str) {
    let loaded = files(&[("a.hcl", text)]).load();
    // What is wrong can be shown, whatever it is.
    let _ = crate::render::terminal(
        &loaded.diagnostics,
        &loaded.sources,
        crate::render::Style::default(),
    );
    for diagnostic in loaded.diagnostics.iter() {
        assert!(crate::codes::find(diagnostic.code.0).is_some());
        for label in &diagnostic.labels {
            let source = loaded.sources.get(label.span.source).expect("a source");
            let range = label.span.start as usize..label.span.end as usize;
            assert!(source.text.get(range).is_some(), "{diagnostic:?}");
        }
    }
}

#[test]
fn the_sample_has_no_problems() {
    let loaded = files(&[("a.hcl", SAMPLE)]).load();
    let found: Vec<_> = loaded.diagnostics.iter().collect();
    assert!(found.is_empty(), "{found:#?}");
    assert_eq!(loaded.tree.groups.len(), 2);
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 400, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn a_file_with_random_tokens_never_panics(
        edits in prop::collection::vec((any::<prop::sample::Index>(), 0..TOKENS.len(), 0..12usize), 1..6),
    ) {
        let mut text = SAMPLE.to_owned();
        for (at, token, remove) in edits {
            let mut start = at.index(text.len() + 1);
            while !text.is_char_boundary(start) {
                start -= 1;
            }
            let mut end = (start + remove).min(text.len());
            while !text.is_char_boundary(end) {
                end += 1;
            }
            text.replace_range(start..end, TOKENS[token]);
        }
        load_text(&text);
        let _ = crate::format::format(&text);
    }

    #[test]
    fn a_file_with_random_bytes_never_panics(
        edits in prop::collection::vec((any::<prop::sample::Index>(), any::<u8>()), 1..8),
    ) {
        let mut bytes = SAMPLE.as_bytes().to_vec();
        for (at, byte) in edits {
            let at = at.index(bytes.len());
            bytes[at] = byte;
        }
        match String::from_utf8(bytes) {
            Ok(text) => load_text(&text),
            Err(error) => {
                let directory = files(&[]);
                std::fs::write(directory.path("a.hcl"), error.as_bytes()).expect("a file");
                prop_assert!(!directory.load().diagnostics.is_empty());
            }
        }
    }

    #[test]
    fn random_tokens_alone_never_panic(picks in prop::collection::vec(0..TOKENS.len(), 0..30)) {
        let text: String = picks.iter().map(|n| TOKENS[*n]).collect();
        load_text(&text);
    }
}

/// Random pure expressions, without what the two are known to differ in: conversions, division, large numbers.
fn expression() -> impl Strategy<Value = String> {
    let number = prop_oneof![
        (0..100i64).prop_map(|n| n.to_string()),
        (0..8i64).prop_map(|n| format!("{n}.5")),
    ];
    let leaf = prop_oneof![
        number.clone(),
        Just("true".to_owned()),
        Just("false".to_owned()),
        "[a-z]{0,4}".prop_map(|text| format!("\"{text}\"")),
        Just("[1, 2, 3]".to_owned()),
        Just("{ a = 1, b = [2] }".to_owned()),
    ];
    leaf.prop_recursive(4, 40, 4, move |inner| {
        prop_oneof![
            (inner.clone(), "[+*-]", inner.clone())
                .prop_map(|(a, op, b)| format!("({a} {op} {b})")),
            (
                inner.clone(),
                prop_oneof!["<", ">", "==", "!="],
                inner.clone()
            )
                .prop_map(|(a, op, b)| format!("({a} {op} {b})")),
            (inner.clone(), inner.clone(), inner.clone())
                .prop_map(|(c, a, b)| format!("({c} ? {a} : {b})")),
            (inner.clone(), inner.clone()).prop_map(|(a, b)| format!("[{a}, {b}]")),
            (inner.clone(), inner.clone()).prop_map(|(a, b)| format!("{{ a = {a}, b = {b} }}")),
            inner.clone().prop_map(|a| format!("{a}[0]")),
            inner.clone().prop_map(|a| format!("{a}.a")),
            inner
                .clone()
                .prop_map(|a| format!("[for x in {a} : [x] if x != 2]")),
            inner
                .clone()
                .prop_map(|a| format!("{{ for k, v in {a} : \"k${{k}}\" => v }}")),
            inner
                .clone()
                .prop_map(|a| format!("\"<${{{a}}}%{{ if true }}y%{{ else }}n%{{ endif }}>\"")),
            inner.clone().prop_map(|a| format!("!({a})")),
            inner.clone().prop_map(|a| format!("{a}[*]")),
        ]
    })
}

/// Numbers as floats, so that 1 and 1.0 are the same.
fn plain(json: serde_json::Value) -> serde_json::Value {
    match json {
        serde_json::Value::Number(n) => serde_json::json!(n.as_f64()),
        serde_json::Value::Array(items) => items.into_iter().map(plain).collect(),
        serde_json::Value::Object(entries) => {
            serde_json::Value::Object(entries.into_iter().map(|(k, v)| (k, plain(v))).collect())
        }
        other => other,
    }
}

/// Whether our evaluator would convert text here, which the other does not.
fn converts(error_free: &Value) -> bool {
    // Text that is a number or a truth value can only come from templates here.
    let text = error_free.to_json().to_string();
    text.contains("\"<") || text.contains("\"true\"")
}

#[test]
fn answers_agree_with_the_other_evaluator() {
    let loaded = files(&[("a.hcl", "locals {}\n")]).load();
    let mut runner = proptest::test_runner::TestRunner::deterministic();
    let strategy = expression();
    let (mut both, mut different) = (0, Vec::new());
    for _ in 0..3_000 {
        let text = match strategy.new_tree(&mut runner) {
            Ok(tree) => tree.current(),
            Err(error) => panic!("{error}"),
        };
        let Ok(ours) = loaded.evaluate(&text) else {
            continue;
        };
        let Ok(parsed) = text.parse::<hcl::Expression>() else {
            continue;
        };
        let Ok(theirs) = parsed.evaluate(&Context::new()) else {
            continue;
        };
        let theirs = serde_json::to_value(&theirs).expect("JSON");
        both += 1;
        let ours_json = plain(ours.to_json());
        if ours_json != plain(theirs.clone()) && !converts(&ours) {
            different.push(format!(
                "{text}\n  ours   {ours_json}\n  theirs {}",
                plain(theirs)
            ));
        }
    }
    assert!(both > 300, "only {both} expressions have an answer in both");
    assert!(different.is_empty(), "{both}\n{}", different.join("\n"));
}
