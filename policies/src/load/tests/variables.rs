//! Variables: where values come from, types, validation, secrets.

use super::{codes, files, first};
use crate::render;

fn value(loaded: &super::Loaded, expression: &str) -> String {
    match loaded.evaluate(expression) {
        Ok(value) => value.to_json().to_string(),
        Err(error) => error
            .diagnostics
            .iter()
            .next()
            .map_or("none", |d| d.code.0)
            .to_owned(),
    }
}

#[test]
fn the_strongest_value_counts() {
    let main = (
        "main.hcl",
        "variable \"n\" {\n  type    = number\n  default = 1\n}\n",
    );
    let auto = ("a.auto.vars.hcl", "n = 3\n");
    let later = ("b.auto.vars.hcl", "n = 4\n");
    let file = ("prod.vars.hcl", "n = 5\n");
    let load = |files: super::Files| value(&files.load(), "var.n");
    assert_eq!(load(files(&[main])), "1");
    assert_eq!(load(files(&[main]).environment("n", "2")), "2");
    assert_eq!(load(files(&[main, auto]).environment("n", "2")), "3");
    assert_eq!(load(files(&[main, auto, later])), "4");
    let all = || files(&[main, auto, later, file]);
    assert_eq!(load(all().var_file("prod.vars.hcl")), "5");
    assert_eq!(load(all().var_file("prod.vars.hcl").var("n", "6")), "6");
    assert_eq!(load(all().var("n", "6").var_file("prod.vars.hcl")), "5");
}

#[test]
fn text_from_outside_is_read_by_the_type() {
    for (of, text, expected) in [
        ("string", "[1]", "\"[1]\""),
        ("number", "4.5", "4.5"),
        ("number", "many", "P0321"),
        ("bool", "true", "true"),
        ("list(number)", "[1, \"2\"]", "[1,2]"),
        ("list(number)", "[1, \"x\"]", "P0321"),
        ("list(number)", "[1", "P0325"),
        ("list(number)", "[var.a]", "P0325"),
        ("any", "{ a = 1 }", "{\"a\":1}"),
        ("set(string)", "[\"b\", \"a\", \"b\"]", "[\"a\",\"b\"]"),
        ("map(bool)", "{ a = \"true\" }", "{\"a\":true}"),
        ("tuple([string, number])", "[1, 2]", "[\"1\",2]"),
        ("tuple([string, number])", "[1]", "P0321"),
        (
            "object({ a = number, b = optional(string), c = optional(number, 7) })",
            "{ a = 1 }",
            "{\"a\":1,\"b\":null,\"c\":7}",
        ),
        ("object({ a = number })", "{}", "P0321"),
        (
            "object({ a = number, long_name = optional(string) })",
            "{ a = 1, long_nam = \"x\" }",
            "P0321",
        ),
    ] {
        let text_of = format!("variable \"n\" {{\n  type = {of}\n}}\n");
        let loaded = files(&[("main.hcl", &text_of)]).var("n", text).load();
        let found = match loaded.diagnostics.iter().next() {
            Some(d) => d.code.0.to_owned(),
            None => value(&loaded, "var.n"),
        };
        assert_eq!(found, expected, "{of} {text}");
    }
    let untyped = files(&[("main.hcl", "variable \"n\" {}\n")])
        .var("n", "[1]")
        .load();
    assert_eq!(value(&untyped, "var.n"), "\"[1]\"");
}

#[test]
fn declarations_that_cannot_be_are_told() {
    for (text, expected) in [
        (
            "variable \"n\" {\n  type = integer\n}",
            "P0320 at main.hcl:2:10: not a type",
        ),
        (
            "variable \"n\" {\n  type = \"number\"\n}",
            "P0320 at main.hcl:2:10: a type stands without quotes",
        ),
        (
            "variable \"n\" {\n  type = optional(number)\n}",
            "P0320 at main.hcl:2:10: `optional` stands in `object({ … })` only",
        ),
        (
            "variable \"n\" {\n  default = var.m\n}",
            "P0323 at main.hcl:2:13: a default is a constant",
        ),
        (
            "variable \"n\" {\n  type = number\n  default = \"x\"\n}",
            "P0321 at main.hcl:3:13: the default: this is a string, a number is needed",
        ),
        (
            "variable \"n\" {\n  typ = number\n}",
            "P0323 at main.hcl:2:3: not part of a variable",
        ),
        (
            "variable \"n\" {}",
            "P0214 at main.hcl:1:10: has no default, and no value is given",
        ),
        ("variable {}", "P0218 at main.hcl:1:1: the name is missing"),
        (
            "variable \"2n\" {}",
            "P0218 at main.hcl:1:10: one name of letters, digits, `_` and `-` is needed",
        ),
        (
            "variable \"n\" {\n default = 1\n}\nvariable \"n\" {\n default = 1\n}",
            "P0212 at main.hcl:4:10: declared again here",
        ),
        (
            "variable \"n\" {\n  default  = null\n  nullable = false\n}",
            "P0324 at main.hcl:2:14: this is null",
        ),
        (
            "variable \"n\" {\n  default = 1\n  validation {}\n}",
            "P0323 at main.hcl:3:3: a validation needs `condition` and `error_message`",
        ),
        (
            "variable \"n\" {\n  default = 1\n  validation {\n    condition = local.x\n    error_message = \"x\"\n  }\n}",
            "P0323 at main.hcl:4:17: a validation may use variables only",
        ),
    ] {
        let loaded = files(&[("main.hcl", &format!("{text}\n"))]).load();
        assert_eq!(first(&loaded), expected, "{text}");
    }
}

#[test]
fn validations_refuse_values_with_the_authors_words() {
    let text = "variable \"peak\" {\n  default = 40\n  validation {\n    condition     = var.peak <= 200\n    error_message = \"Ask the platform team about ${var.peak}.\"\n  }\n  validation {\n    condition     = var.peak % 2 == 0\n    error_message = \"Even.\"\n  }\n}\nlocals { x = var.peak + 1 }\n";
    let ok = files(&[("main.hcl", text)]).load();
    assert!(ok.diagnostics.is_empty());
    let bad = files(&[("main.hcl", text)]).var("peak", "301").load();
    assert_eq!(codes(&bad), ["P0322", "P0322"]);
    assert_eq!(
        first(&bad),
        "P0322 at --var peak:1:1: Ask the platform team about 301."
    );
}

#[test]
fn undeclared_values_are_errors_warnings_or_nothing() {
    let main = ("main.hcl", "variable \"peak\" {\n  default = 1\n}\n");
    let loaded = files(&[main]).var("paek", "1").load();
    assert_eq!(codes(&loaded), ["P0213"]);
    let help = loaded
        .diagnostics
        .iter()
        .next()
        .and_then(|d| d.help.clone());
    assert_eq!(help.as_deref(), Some("did you mean `peak`?"));
    let loaded = files(&[main, ("x.auto.vars.hcl", "paek = 1\n")]).load();
    assert_eq!(codes(&loaded), ["P0501"]);
    assert!(!loaded.diagnostics.has_errors());
    let loaded = files(&[main]).environment("paek", "1").load();
    assert!(loaded.diagnostics.is_empty());
    let loaded = files(&[main, ("x.auto.vars.hcl", "peak {}\n")]).load();
    assert_eq!(codes(&loaded), ["P0022"]);
    let loaded = files(&[main, ("x.auto.vars.hcl", "peak = var.peak\n")]).load();
    assert_eq!(codes(&loaded), ["P0221"]);
    let loaded = files(&[main]).var_file("gone.vars.hcl").load();
    assert_eq!(codes(&loaded), ["P0003"]);
}

#[test]
fn a_secret_is_in_no_diagnostic() {
    let text = "variable \"token\" {\n  type      = map(number)\n  sensitive = true\n  validation {\n    condition     = length(var.token) > 5\n    error_message = \"bad: ${jsonencode(var.token)}\"\n  }\n}\nlocals {\n  a = var.token.x + \"y\"\n  b = jsondecode(jsonencode(var.token).z)\n  c = regex(\"^x\", jsonencode(var.token))\n  d = { for k in keys(var.token) : \"same\" => k }\n  e = var.token[\"nope\"]\n  f = parseint(jsonencode(var.token), 10)\n}\n";
    for value in [
        "{ x = hunter2 }",
        "{ x = \"hunter2\" }",
        "{ hunter2 = 1, b = 2 }",
        "hunter2",
        "{ x = 4711, hunter2 = 4711, c = 1, d = 1, e = 1, f = 1 }",
    ] {
        let loaded = files(&[("main.hcl", text)]).var("token", value).load();
        assert!(!loaded.diagnostics.is_empty(), "{value}");
        let shown = [
            render::plain(&loaded.diagnostics, &loaded.sources),
            render::terminal(
                &loaded.diagnostics,
                &loaded.sources,
                render::Style::default(),
            ),
            render::json(&loaded.diagnostics, &loaded.sources).to_string(),
        ]
        .join("\n");
        assert!(
            !shown.contains("hunter2") && !shown.contains("4711"),
            "{value}\n{shown}"
        );
    }
}
