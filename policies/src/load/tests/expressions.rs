//! Tables of expressions and what they give: JSON, or the code of the problem.

use super::{evaluate_in, show};

fn check(table: &[(&str, &str)]) {
    let mut wrong = Vec::new();
    // One directory for all: evaluating is what is under test.
    let loaded = super::files(&[("main.hcl", "locals {}\n")]).load();
    for (expression, expected) in table {
        let found = match loaded.evaluate(expression) {
            Ok(value) => value.to_json().to_string(),
            Err(error) => error
                .diagnostics
                .iter()
                .next()
                .map_or("none", |d| d.code.0)
                .to_owned(),
        };
        if found != *expected {
            wrong.push(format!(
                "{expression}\n   gives {found}\n  not    {expected}"
            ));
        }
    }
    assert!(wrong.is_empty(), "\n{}", wrong.join("\n"));
}

#[test]
fn arithmetic_is_exact_and_checked() {
    check(&[
        ("1 + 2 * 3", "7"),
        ("7 / 2", "3.5"),
        ("6 / 2", "3"),
        ("7 % 3", "1"),
        ("-7 % 3", "-1"),
        ("1 / 0", "P0302"),
        ("1 % 0", "P0302"),
        ("0.0 / 0", "P0302"),
        ("\"4\" + 1", "5"),
        ("\"a\" + 1", "P0301"),
        ("null + 1", "P0304"),
        ("[] + 1", "P0301"),
        ("-(-5)", "5"),
        ("9223372036854775807 * 2", "18446744073709551614"),
        ("18446744073709551615 + 0", "18446744073709551615"),
        ("18446744073709551616", "P0018"),
        ("-18446744073709551616", "P0018"),
        ("99999999999999999999999999", "P0018"),
        ("1e3", "1000"),
        ("1.5e-1", "0.15"),
        ("1e308 * 10", "P0303"),
        ("pow(10, 400)", "P0307"),
        (
            "18446744073709551615 * 18446744073709551615 * 18446744073709551615",
            "P0303",
        ),
    ]);
}

#[test]
fn logic_looks_only_at_what_decides() {
    check(&[
        ("true && false", "false"),
        ("false && [][0]", "false"),
        ("true || [][0]", "true"),
        ("true && [][0]", "P0305"),
        ("true ? 1 : [][0]", "1"),
        ("false ? [][0] : 2", "2"),
        ("!true", "false"),
        ("\"true\" && true", "true"),
        ("1 ? 2 : 3", "P0308"),
        ("null ? 2 : 3", "P0308"),
        ("!\"x\"", "P0308"),
    ]);
}

#[test]
fn comparison_is_by_type_and_value() {
    check(&[
        ("1 == 1.0", "true"),
        ("\"1\" == 1", "false"),
        ("[1, 2] == [1, 2]", "true"),
        ("{ a = 1, b = 2 } == { b = 2, a = 1 }", "true"),
        ("null == null", "true"),
        ("null != 1", "true"),
        ("2 < 10", "true"),
        ("\"2\" < \"10\"", "true"),
        ("\"a\" < 1", "P0301"),
        ("1 <= 1 && 1 >= 1", "true"),
    ]);
}

#[test]
fn collections_are_indexed_and_visited() {
    check(&[
        ("[1, 2, 3][1]", "2"),
        ("[1][5]", "P0305"),
        ("[1][-1]", "P0305"),
        ("[1][0.5]", "P0305"),
        ("[1][\"0\"]", "1"),
        ("[1][\"a\"]", "P0313"),
        ("{ a = 1 }.a", "1"),
        ("{ a = 1 }[\"a\"]", "1"),
        ("{ a = 1 }.b", "P0217"),
        ("{ (\"x${1}\") = 1 }", "{\"x1\":1}"),
        ("{ 1 = 2 }", "{\"1\":2}"),
        ("{ a: 1, b: 2 }", "{\"a\":1,\"b\":2}"),
        ("{ x = 1, \"x\" = 2 }", "P0017"),
        ("{ x = 1, x = 2 }", "P0017"),
        ("\"a\".b", "P0301"),
        ("[1, 2].a", "P0301"),
        ("[for n in [1, 2, 3] : n * 2]", "[2,4,6]"),
        ("[for i, n in [5, 6] : i]", "[0,1]"),
        ("[for n in [1, 2, 3] : n if n > 1]", "[2,3]"),
        ("[for k, v in { b = 1, a = 2 } : k]", "[\"a\",\"b\"]"),
        (
            "{ for n in [\"a\", \"b\"] : n => upper(n) }",
            "{\"a\":\"A\",\"b\":\"B\"}",
        ),
        ("{ for n in [\"a\", \"a\"] : n => 1 }", "P0310"),
        ("{ for n in [\"a\", \"a\"] : n => 1... }", "{\"a\":[1,1]}"),
        ("[for n in 5 : n]", "P0309"),
        ("[for n in null : n]", "P0309"),
        ("[{ a = 1 }, { a = 2 }][*].a", "[1,2]"),
        ("[{ a = [1] }, { a = [2] }][*].a[0]", "[1,2]"),
        ("[{ a = 1 }, { a = 2 }].*.a", "[1,2]"),
        ("[{ a = 1 }, { a = 2 }].*.a[0]", "1"),
        ("null[*]", "[]"),
        ("5[*]", "[5]"),
        ("toset([\"b\", \"a\", \"b\"])", "[\"a\",\"b\"]"),
        ("toset([\"a\"])[0]", "P0301"),
    ]);
}

#[test]
fn templates_hold_text_and_strip_blanks() {
    check(&[
        ("\"a${1 + 1}b\"", "\"a2b\""),
        ("\"${[1, 2]}\"", "[1,2]"),
        ("\"x${[1, 2]}\"", "P0311"),
        ("\"x${null}\"", "P0304"),
        ("\"x${true}\"", "\"xtrue\""),
        ("\"$${x} %%{y}\"", "\"${x} %{y}\""),
        ("\"%{ if true }yes%{ else }no%{ endif }\"", "\"yes\""),
        ("\"%{ for n in [1, 2] }<${n}>%{ endfor }\"", "\"<1><2>\""),
        ("\"a ${~ 1 ~} b\"", "\"a1b\""),
        ("<<EOT\na\n  b\nEOT\n", "\"a\\n  b\\n\""),
        ("<<-EOT\n  a\n    b\n  EOT\n", "\"a\\n  b\\n\""),
        (
            "<<EOT\n%{ for n in [1, 2] ~}\nn=${n}\n%{ endfor ~}\nEOT\n",
            "\"n=1\\nn=2\\n\"",
        ),
    ]);
}

#[test]
fn names_that_are_not_there_are_told() {
    check(&[
        ("foo", "P0201"),
        ("foo.bar", "P0201"),
        ("var", "P0207"),
        ("var.x", "P0202"),
        ("local.x", "P0203"),
        ("each.key", "P0208"),
        ("metric.cpu", "P0209"),
        ("self.ready", "P0209"),
        ("policy.x", "P0206"),
        ("provider.x", "P0206"),
        ("group.x", "P0206"),
        ("nope(1)", "P0204"),
        ("uuid()", "P0205"),
        ("timestamp()", "P0205"),
        ("upper()", "P0306"),
        ("upper(1, 2)", "P0306"),
        ("upper([])", "P0301"),
        ("upper(null)", "P0304"),
        ("max([1, 2]...)", "2"),
        ("max([1, 2])", "P0301"),
    ]);
}

#[test]
fn errors_can_be_tried() {
    check(&[
        ("try([][0], 5)", "5"),
        ("try([][0], {}.a, \"x\")", "\"x\""),
        ("try([][0], {}.a)", "P0217"),
        ("can([][0])", "false"),
        ("can(1)", "true"),
        ("can(regex(\"^a\", \"abc\"))", "true"),
    ]);
}

#[test]
fn functions_of_numbers() {
    check(&[
        ("abs(-3)", "3"),
        ("ceil(1.2)", "2"),
        ("floor(-1.2)", "-2"),
        ("log(8, 2)", "3"),
        ("log(0, 2)", "P0307"),
        ("max(1, 5, 3)", "5"),
        ("min(4, 2.5)", "2.5"),
        ("parseint(\"ff\", 16)", "255"),
        ("parseint(\"x\", 16)", "P0307"),
        ("pow(2, 10)", "1024"),
        ("pow(2, -1)", "0.5"),
        ("signum(-9)", "-1"),
        ("sum([1, \"2\", 3.5])", "6.5"),
        ("sum([])", "P0307"),
    ]);
}

#[test]
fn functions_of_text() {
    check(&[
        ("basename(\"a/b.txt\")", "\"b.txt\""),
        ("dirname(\"a/b.txt\")", "\"a\""),
        ("dirname(\"b.txt\")", "\".\""),
        ("dirname(\"/b\")", "\"/\""),
        ("chomp(\"a\\n\\n\")", "\"a\""),
        ("endswith(\"abc\", \"bc\")", "true"),
        ("startswith(\"abc\", \"ab\")", "true"),
        ("strcontains(\"abc\", \"b\")", "true"),
        (
            "format(\"%s-%03d-%.2f-%q-%t-%v%%\", \"a\", 7, 1.5, \"x\", true, [1])",
            "\"a-007-1.50-\\\"x\\\"-true-[1]%\"",
        ),
        (
            "format(\"%5s|%-5s|%+d|%x\", \"a\", \"b\", 3, 255)",
            "\"    a|b    |+3|ff\"",
        ),
        ("format(\"%[2]s %[1]s\", \"a\", \"b\")", "\"b a\""),
        ("format(\"%d\", \"x\")", "P0307"),
        ("format(\"%s\")", "P0307"),
        ("format(\"a\", 1)", "P0307"),
        (
            "formatlist(\"%s-%s\", [\"a\", \"b\"], \"x\")",
            "[\"a-x\",\"b-x\"]",
        ),
        ("indent(2, \"a\\nb\")", "\"a\\n  b\""),
        ("join(\", \", [\"a\", 1], [\"b\"])", "\"a, 1, b\""),
        ("lower(\"ÄB\")", "\"äb\""),
        ("upper(\"äb\")", "\"ÄB\""),
        ("title(\"hello world\")", "\"Hello World\""),
        ("regex(\"[a-z]+\", \"123abc\")", "\"abc\""),
        ("regex(\"(\\\\d)(\\\\d)\", \"x12\")", "[\"1\",\"2\"]"),
        ("regex(\"(?P<n>\\\\d)\", \"x1\")", "{\"n\":\"1\"}"),
        ("regex(\"z\", \"abc\")", "P0307"),
        ("regex(\"(\", \"abc\")", "P0307"),
        ("regexall(\"\\\\d\", \"a1b2\")", "[\"1\",\"2\"]"),
        ("replace(\"a-b-c\", \"-\", \"+\")", "\"a+b+c\""),
        ("replace(\"abc\", \"/[ab]/\", \"x\")", "\"xxc\""),
        ("split(\",\", \"a,b\")", "[\"a\",\"b\"]"),
        ("strrev(\"abc\")", "\"cba\""),
        ("substr(\"hello\", 1, 3)", "\"ell\""),
        ("substr(\"hello\", -2, -1)", "\"lo\""),
        ("substr(\"hello\", 9, 1)", "\"\""),
        ("trim(\"?!a?!\", \"!?\")", "\"a\""),
        ("trimprefix(\"abc\", \"a\")", "\"bc\""),
        ("trimsuffix(\"abc\", \"c\")", "\"ab\""),
        ("trimspace(\" a \\n\")", "\"a\""),
        ("length(\"👨‍👩‍👧\")", "1"),
    ]);
}

#[test]
fn functions_of_collections() {
    check(&[
        ("alltrue([true, \"true\"])", "true"),
        ("anytrue([])", "false"),
        ("chunklist([1, 2, 3], 2)", "[[1,2],[3]]"),
        ("coalesce(null, \"\", \"a\")", "\"a\""),
        ("coalesce(null)", "P0307"),
        ("coalescelist([], [1])", "[1]"),
        ("compact([\"a\", \"\", null])", "[\"a\"]"),
        ("concat([1], [2, 3])", "[1,2,3]"),
        ("contains([1, 2], 2)", "true"),
        ("distinct([1, 2, 1])", "[1,2]"),
        ("element([1, 2], 3)", "2"),
        ("element([], 0)", "P0307"),
        ("flatten([1, [2, [3]]])", "[1,2,3]"),
        ("index([\"a\", \"b\"], \"b\")", "1"),
        ("index([\"a\"], \"b\")", "P0307"),
        ("keys({ b = 1, a = 2 })", "[\"a\",\"b\"]"),
        ("values({ b = 1, a = 2 })", "[2,1]"),
        ("length({ a = 1 })", "1"),
        ("length(5)", "P0307"),
        ("lookup({ a = 1 }, \"a\")", "1"),
        ("lookup({ a = 1 }, \"b\", 2)", "2"),
        ("lookup({ a = 1 }, \"b\")", "P0307"),
        ("matchkeys([1, 2], [\"a\", \"b\"], [\"b\"])", "[2]"),
        (
            "merge({ a = 1 }, null, { a = 2, b = 3 })",
            "{\"a\":2,\"b\":3}",
        ),
        ("one([])", "null"),
        ("one([1])", "1"),
        ("one([1, 2])", "P0307"),
        ("range(3)", "[0,1,2]"),
        ("range(1, 4)", "[1,2,3]"),
        ("range(0, 1, 0.5)", "[0,0.5]"),
        ("range(3, 0)", "[3,2,1]"),
        ("range(0, 1, 0)", "P0307"),
        ("reverse([1, 2])", "[2,1]"),
        ("setintersection([1, 2], [2, 3])", "[2]"),
        ("setunion([1, 2], [2, 3])", "[1,2,3]"),
        ("setsubtract([1, 2], [2])", "[1]"),
        ("setproduct([1, 2], [\"a\"])", "[[1,\"a\"],[2,\"a\"]]"),
        ("slice([1, 2, 3], 1, 3)", "[2,3]"),
        ("slice([1], 1, 3)", "P0307"),
        ("sort([\"b\", \"a\"])", "[\"a\",\"b\"]"),
        (
            "transpose({ a = [\"x\", \"y\"], b = [\"y\"] })",
            "{\"x\":[\"a\"],\"y\":[\"a\",\"b\"]}",
        ),
        ("zipmap([\"a\"], [1])", "{\"a\":1}"),
    ]);
}

#[test]
fn functions_of_encodings_hashes_and_dates() {
    check(&[
        ("base64encode(\"hé\")", "\"aMOp\""),
        ("base64decode(\"aMOp\")", "\"hé\""),
        ("base64decode(\"!\")", "P0307"),
        (
            "csvdecode(\"a,b\\n1,\\\"x,\\\"\\\"y\\\"\\n\")",
            "[{\"a\":\"1\",\"b\":\"x,\\\"y\"}]",
        ),
        ("csvdecode(\"a,b\\n1\")", "P0307"),
        (
            "jsondecode(\"{\\\"a\\\": [1, 2.5, null]}\")",
            "{\"a\":[1,2.5,null]}",
        ),
        ("jsondecode(\"{\")", "P0307"),
        (
            "jsonencode({ b = [1, true], a = null })",
            "\"{\\\"a\\\":null,\\\"b\\\":[1,true]}\"",
        ),
        ("urlencode(\"a b/ü\")", "\"a+b%2F%C3%BC\""),
        (
            "sha256(\"abc\")",
            "\"ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad\"",
        ),
        (
            "base64sha256(\"\")",
            "\"47DEQpj8HBSa+/TImW+5JCeuQeRkm5NMpJWZG3hSuFU=\"",
        ),
        (
            "timeadd(\"2026-01-01T00:00:00Z\", \"1h30m\")",
            "\"2026-01-01T01:30:00Z\"",
        ),
        (
            "timeadd(\"2026-01-01T00:00:00+02:00\", \"-10s\")",
            "\"2025-12-31T23:59:50+02:00\"",
        ),
        ("timeadd(\"soon\", \"1h\")", "P0307"),
        (
            "timecmp(\"2026-01-01T00:00:00Z\", \"2026-01-01T01:00:00+01:00\")",
            "0",
        ),
        (
            "formatdate(\"EEE, DD MMM YYYY 'at' hh:mm ZZZ\", \"2026-11-27T06:05:00Z\")",
            "\"Fri, 27 Nov 2026 at 06:05 UTC\"",
        ),
        ("formatdate(\"x\", \"2026-11-27T06:05:00Z\")", "P0307"),
    ]);
}

#[test]
fn functions_that_convert() {
    check(&[
        ("tobool(\"true\")", "true"),
        ("tobool(\"x\")", "P0307"),
        ("tonumber(\"1.50\")", "1.5"),
        ("tonumber(null)", "null"),
        ("tostring(1.5)", "\"1.5\""),
        ("tostring([])", "P0307"),
        ("tolist(toset([2, 1]))", "[1,2]"),
        ("tomap({ a = 1 })", "{\"a\":1}"),
        ("type([1, \"a\"])", "\"tuple([number, string])\""),
        ("sensitive(\"x\")", "\"(sensitive value)\""),
        ("nonsensitive(sensitive(\"x\"))", "\"x\""),
        ("issensitive(sensitive(1))", "true"),
    ]);
}

#[test]
fn a_secret_stays_one_through_whatever_is_made_of_it() {
    for expression in [
        "var.token",
        "\"a${var.token}\"",
        "upper(var.token)",
        "length(var.token)",
        "var.token == \"x\"",
        "var.token == \"x\" ? 1 : 2",
        "[for c in split(\"\", var.token) : c]",
        "{ (var.token) = 1 }",
        "join(\"\", [var.token, \"a\"])",
        "jsonencode({ a = var.token })",
        "[var.token] == [\"x\"]",
        "merge({ a = 1 }, { b = var.token }).b",
        "format(\"%s\", var.token)",
        "try(var.token, 1)",
        "-var.number",
        "var.number + 1",
        "!(var.number > 1)",
        "lookup(var.object, \"a\")",
        "var.object.a",
        "var.object[\"a\"]",
        "values(var.object)[0]",
        "[for k, v in var.object : v][0]",
        "sha256(var.token)",
    ] {
        let text = "variable \"token\" {\n  default = \"hunter2\"\n  sensitive = true\n}\n\
                    variable \"number\" {\n  default = 4711\n  sensitive = true\n}\n\
                    variable \"object\" {\n  default = { a = \"hunter2\" }\n  sensitive = true\n}\n";
        let value =
            evaluate_in(text, expression).unwrap_or_else(|code| panic!("{expression}: {code}"));
        assert!(value.is_sensitive(), "{expression} gives {value}");
        assert!(!value.to_string().contains("hunter2"));
    }
    let text = "variable \"token\" {\n  default = \"hunter2\"\n  sensitive = true\n}\n";
    assert!(!evaluate_in(text, "{ a = 1, b = var.token }.a").is_ok_and(|v| v.is_sensitive()));
}

#[test]
fn no_expression_can_hang_or_exhaust_memory() {
    for expression in [
        "[for a in range(100000) : [for b in range(100000) : a * b]]",
        "range(1e9)",
        "range(0, 1, 1e-12)",
        "join(\"\", [for a in range(1000000) : \"xxxxxxxxxxxxxxxxxxxxxxxxxxxxxx\"])",
        "setproduct(range(10000), range(10000))",
        "indent(1000000000, \"a\\nb\")",
        "format(\"%999999999d\", 1)",
        "replace(join(\"\", range(100000)), \"\", join(\"\", range(100000)))",
    ] {
        let result = show(expression);
        assert!(
            matches!(result.as_str(), "P0312" | "P0307"),
            "{expression}: {result}"
        );
    }
}

#[test]
fn files_are_read_only_inside_the_directory() {
    let files = super::files(&[
        ("main.hcl", "locals {}\n"),
        ("query.txt", "up"),
        ("hello.tpl", "Hello ${name}%{ if loud }!%{ endif }"),
    ]);
    let secret = tempfile::NamedTempFile::new().expect("a file");
    #[cfg(unix)]
    std::os::unix::fs::symlink(secret.path(), files.path("link.txt")).expect("a link");
    let loaded = files.load();
    let show = |expression: &str| match loaded.evaluate(expression) {
        Ok(value) => value.to_json().to_string(),
        Err(error) => error
            .diagnostics
            .iter()
            .next()
            .map_or("none", |d| d.code.0)
            .to_owned(),
    };
    assert_eq!(show("file(\"query.txt\")"), "\"up\"");
    assert_eq!(show("fileexists(\"query.txt\")"), "true");
    assert_eq!(show("fileexists(\"other.txt\")"), "false");
    assert_eq!(show("file(\"other.txt\")"), "P0307");
    assert_eq!(show("file(\"/etc/passwd\")"), "P0351");
    assert_eq!(show("file(\"../x\")"), "P0351");
    #[cfg(unix)]
    assert_eq!(show("file(\"link.txt\")"), "P0351");
    assert_eq!(
        show("templatefile(\"hello.tpl\", { name = \"you\", loud = true })"),
        "\"Hello you!\""
    );
    assert_eq!(
        show("templatefile(\"hello.tpl\", { name = \"you\" })"),
        "P0201"
    );
}
