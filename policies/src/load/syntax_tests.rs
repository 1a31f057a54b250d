use super::*;

/// The problems of a text as `code line:column words`, one a line.
fn problems(text: &str) -> String {
    let mut sources = crate::source::SourceMap::default();
    let source = sources.add("a.hcl", text);
    let mut out = Diagnostics::default();
    let body = parse_body(source, text, &mut out);
    assert_eq!(body.is_some(), !out.has_errors(), "{text}");
    out.iter()
        .map(|d| {
            let label = d.labels.first();
            let place = label.and_then(|label| sources.place(label.span));
            let (line, column) = place.map_or((0, 0), |(_, line, column)| (line, column));
            let words = label.map_or("", |label| label.text.as_ref());
            format!("{} {line}:{column} {words}", d.code.0)
        })
        .collect::<Vec<_>>()
        .join("\n")
}

#[test]
fn syntax_errors_are_explained() {
    let mut out = String::new();
    for text in [
        "a {\n  every = \"1m\n  b = 1\n}\n",
        "a {\n  name = \"web-${var.env\"\n}\n",
        "a {\n  b {\n    min = 2\n}\n",
        "a {\n  x = [1, 2\n}\n",
        "a {\n  x = 1\n}}\n",
        "a {\n  q = <<EOT\n text\n}\n",
        "a {\n  min 2\n}\n",
        "a {\n  min: 2\n}\n",
        "a {\n  every = 5m\n}\n",
        "a {\n  spot = 70%\n}\n",
        "a {\n  x = 'text'\n}\n",
        "a { b = 1, c = 2 }\n",
        "a {\n  b = 1;\n}\n",
        "a {\n  b =\n}\n",
        "a {\n  b\n}\n",
        "a {\n  min = 1\n  max = 2\n  min = 3\n}\n",
        "a {\n  x = { k = 1, k = 2 }\n}\n",
        "a {\n  x = \"\\d\"\n}\n",
        "a {\n  x = \"%{ if true }yes\"\n}\n",
        "a {\n  x = 1 +\n}\n",
        "a {\n  x = f(1\n}\n",
        "a \"b\" {\n",
        "a\n",
        "a {\n  on-demand! = 1\n}\n",
        "a {\n  x = \"one\ntwo\"\n}\n",
        "/* open\n",
        "a = 1\nb { x = ] }\nc = 2\nd { y = 'z' }\ne {}\n",
    ] {
        out.push_str(text);
        out.push_str("  => ");
        out.push_str(&problems(text).replace('\n', "\n  => "));
        out.push_str("\n\n");
    }
    insta::assert_snapshot!(out);
}

#[test]
fn hostile_texts_get_a_diagnostic() {
    let n = 100_000;
    for text in [
        format!("a = {}", "(".repeat(n)),
        format!("a = {}1{}", "(".repeat(n), ")".repeat(n)),
        format!("a = {}", "[".repeat(n)),
        format!("a = {}", "{a=".repeat(n)),
        format!("a = {}", "f(".repeat(n)),
        format!("a = {}", "\"${".repeat(n)),
        format!("a = {}1", "!".repeat(n)),
        format!("a = {}1", "-".repeat(n)),
        format!("a = {}", "true ? ".repeat(n)),
        "a {\n".repeat(n),
        format!("a = 1{}", " + 1".repeat(n)),
        "\"\n".repeat(n),
        "}".repeat(n),
        "a = <<E\n".repeat(n),
        "a {\nb = \"${\n}\n".repeat(n / 10),
    ] {
        let found = problems(&text);
        assert!(!found.is_empty(), "{}", &text[..20]);
    }
}
