use proptest::prelude::*;

use super::*;

fn check(before: &str, after: &str) {
    let formatted = format(before).unwrap_or_else(|problems| panic!("{before}\n{problems:?}"));
    assert_eq!(formatted, after, "\n{formatted}");
    assert_eq!(
        format(&formatted).ok().as_deref(),
        Some(after),
        "not stable"
    );
}

#[test]
fn attributes_are_indented_and_aligned() {
    check(
        "group   \"web\"{\nmin=2\n    maximum   =  var.peak*2 # most\n  x = 1 // one\n\n\n\n  other=-1\nlimits{}\n}\n",
        "group \"web\" {\n  min     = 2\n  maximum = var.peak * 2 # most\n  x       = 1            // one\n\n  other = -1\n  limits {}\n}\n",
    );
}

#[test]
fn blocks_on_one_line_stay_there() {
    check(
        "a {\n  track {target=60}\n  limits  { }\n}\n",
        "a {\n  track { target = 60 }\n  limits {}\n}\n",
    );
}

#[test]
fn expressions_over_several_lines_are_indented_by_line() {
    check(
        "a {\nx = [\n1,\n  2 ,\n]\ny = f(1,{\na=1\nbcd : 2\n})\nz = cond ?1:  -2\n}\n",
        "a {\n  x = [\n    1,\n    2,\n  ]\n  y = f(1, {\n    a = 1\n    bcd : 2\n  })\n  z = cond ? 1 : -2\n}\n",
    );
}

#[test]
fn spaces_stand_where_terraform_puts_them() {
    check(
        "a = [ for k , v in [1,2] : upper( k )  if ! (v>1&&v<  3) ]\nb = x . y [ 0 ] . z [ * ] . w\nc = max( [1,2] ... )\nd = {for k,v in m: k=>-v...}\ne = a-1\nf = a - -1\ng = -a\nh = (1+2)*3\n",
        "a = [for k, v in [1, 2] : upper(k) if !(v > 1 && v < 3)]\nb = x.y[0].z[*].w\nc = max([1, 2]...)\nd = { for k, v in m : k => -v... }\ne = a-1\nf = a - -1\ng = -a\nh = (1 + 2) * 3\n",
    );
}

#[test]
fn heredocs_and_strings_are_not_touched() {
    check(
        "a {\nlong_name = 1\nq = <<-EOT\n   x   =   1\n      ${ y }\n    EOT\nz=\"${  var.x  }\"\n}\n",
        "a {\n  long_name = 1\n  q         = <<-EOT\n   x   =   1\n      ${ y }\n    EOT\n  z = \"${  var.x  }\"\n}\n",
    );
}

#[test]
fn comments_stay_and_blank_lines_are_single() {
    check(
        "\n\n# head\n\n\n\na { # one\n# two   \nx = 1 # three\n/* four\n   five */\ny = /* six */ 2\n}\n\n\n",
        "# head\n\na { # one\n  # two\n  x = 1 # three\n  /* four\n   five */\n  y = /* six */ 2\n}\n",
    );
}

#[test]
fn line_ends_and_byte_order_marks_are_made_plain() {
    check(
        "\u{feff}a {\r\n  x = 1\r\n  # c\r\n}\r\n",
        "a {\n  x = 1\n  # c\n}\n",
    );
    check("", "");
    check("# only", "# only\n");
    check("a = 1", "a = 1\n");
}

#[test]
fn a_file_with_errors_is_refused() {
    let problems = format("a {\n  min 2\n}\n").expect_err("a syntax error");
    assert_eq!(problems.iter().next().map(|d| d.code), Some(codes::SYNTAX));
}

const PIECES: &[&str] = &[
    "a",
    "b ",
    "web",
    "\"x\"",
    "\"${ v }\"",
    "=",
    " = ",
    "{",
    "}",
    "[",
    "]",
    "(",
    ")",
    "\n",
    "\n\n\n",
    " ",
    ",",
    "1",
    "2.5",
    "-",
    "+",
    "*",
    "&&",
    "!",
    "?",
    ":",
    "=>",
    "...",
    ".",
    "# c\n",
    "/* d */",
    "<<EOT\n t\nEOT\n",
    "for x in y : x",
    "\r\n",
    "\t",
    "%",
    "x = 1\n",
    "b \"l\" {\n",
    "}\n",
    "y = [1,\n2]\n",
];

proptest! {
    #![proptest_config(ProptestConfig { cases: 600, failure_persistence: None, ..ProptestConfig::default() })]

    /// Any text: no panic; what can be formatted is stable and is never refused as meaning something else.
    #[test]
    fn formatting_is_stable_and_keeps_the_meaning(picks in prop::collection::vec(0..PIECES.len(), 0..24)) {
        let text: String = picks.iter().map(|n| PIECES[*n]).collect();
        match format(&text) {
            Ok(once) => {
                let twice = format(&once);
                prop_assert_eq!(twice.ok(), Some(once));
            }
            Err(problems) => {
                let refused = problems.iter().any(|d| d.code == codes::FORMAT_REFUSED);
                prop_assert!(!refused, "{}", text);
            }
        }
    }

    /// The same with texts that mostly parse.
    #[test]
    fn formatting_of_blocks_is_stable(
        items in prop::collection::vec((0..8usize, "[a-z]{1,8}", 0..4usize, any::<bool>()), 0..12),
    ) {
        let mut text = String::new();
        let mut names = std::collections::HashSet::new();
        for (kind, name, blanks, comment) in items {
            if !names.insert(name.clone()) {
                continue;
            }
            match kind {
                0 => text.push_str(&format!("{name}=1")),
                1 => text.push_str(&format!("  {name} = [1,\n 2 , 3]")),
                2 => text.push_str(&format!("{name} {{\n x=1\n   yy = 2}}", )),
                3 => text.push_str(&format!("{name} \"l\" {{ x=1 }}")),
                4 => text.push_str(&format!("{name} = <<E\n  x\nE")),
                5 => text.push_str(&format!("{name} = {{ a=1 , b : 2 }}")),
                6 => text.push_str(&format!("{name} = f( [{{\n a=1\n}}, {{\n b=1 }}] )")),
                _ => text.push_str(&format!("{name} {{\n b {{\n }}\n}}")),
            }
            if comment && kind != 4 {
                text.push_str("  # comment");
            }
            text.push_str(&"\n".repeat(blanks + 1));
        }
        match format(&text) {
            Ok(once) => prop_assert_eq!(format(&once).ok(), Some(once)),
            Err(problems) => {
                let refused = problems.iter().any(|d| d.code == codes::FORMAT_REFUSED);
                prop_assert!(!refused, "{}", text);
            }
        }
    }
}
