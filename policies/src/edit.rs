//! Small changes of a file's text: a value in the place of another, an attribute more. Everything else stays, byte by byte.
//!
//! It works on tokens, so comments and spelling survive, and knows no block's meaning: whoever edits reads the result back.

use std::ops::Range;

use crate::format::format;
use crate::load::lexer::{Kind, Token, lex};

/// A block in a file: its kind, and its first label where it has one.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Step {
    /// `metric`.
    pub kind: String,
    /// Without its quotes.
    pub label: Option<String>,
}

impl Step {
    /// A block without a label.
    pub fn plain(kind: &str) -> Step {
        Step {
            kind: kind.to_owned(),
            label: None,
        }
    }

    /// A block with a label.
    pub fn named(kind: &str, label: &str) -> Step {
        Step {
            kind: kind.to_owned(),
            label: Some(label.to_owned()),
        }
    }

    fn header(&self) -> String {
        match &self.label {
            Some(label) => format!("{} \"{label}\" {{", self.kind),
            None => format!("{} {{", self.kind),
        }
    }
}

/// Puts texts in the places of others; the ranges are of bytes and must not overlap. `None` where one is not in the text.
pub fn splice(text: &str, replacements: &[(Range<usize>, String)]) -> Option<String> {
    let mut sorted: Vec<&(Range<usize>, String)> = replacements.iter().collect();
    sorted.sort_by_key(|(range, _)| range.start);
    let (mut out, mut at) = (String::with_capacity(text.len()), 0);
    for (range, new) in sorted {
        out.push_str(text.get(at..range.start)?);
        out.push_str(new);
        text.get(range.clone())?;
        at = range.end;
    }
    out.push_str(text.get(at..)?);
    Some(out)
}

/// Adds `name = value` to the block that the path leads to, from the outermost block of the file inward; blocks that are
/// not there are added at the end of the one around them. `None` where the outermost is not in the file.
///
/// The result is laid out by [`canonical`] only if the caller does so.
pub fn insert(text: &str, path: &[Step], name: &str, value: &str) -> Option<String> {
    let tokens = lex(text).tokens;
    let (outermost, inner) = path.split_first()?;
    let mut body = find(text, &tokens, 0..text.len(), outermost)?;
    for (depth, step) in inner.iter().enumerate() {
        match find(text, &tokens, body.clone(), step) {
            Some(within) => body = within,
            None => {
                let missing = inner.get(depth..).unwrap_or_default();
                let mut block = String::new();
                for step in missing {
                    block.push_str(&format!("\n{}", step.header()));
                }
                block.push_str(&format!("\n{name} = {value}\n"));
                block.push_str(&"}\n".repeat(missing.len()));
                return append(text, body, &block);
            }
        }
    }
    prepend(text, body, &format!("\n{name} = {value}"))
}

/// The canonical form of a changed text, if the text before had it; else the changed text itself. `None`: it cannot be
/// parsed.
pub fn canonical(before: &str, after: &str) -> Option<String> {
    let formatted = format(after).ok()?;
    let was_canonical = format(before).is_ok_and(|formatted| formatted == before);
    Some(if was_canonical {
        formatted
    } else {
        after.to_owned()
    })
}

/// What is between the brackets of the first such block that stands directly in a range.
fn find(text: &str, tokens: &[Token], within: Range<usize>, step: &Step) -> Option<Range<usize>> {
    let of = |token: &Token| text.get(token.start..token.end).unwrap_or("");
    let inside: Vec<&Token> = tokens
        .iter()
        .filter(|token| token.start >= within.start && token.end <= within.end)
        .filter(|token| !matches!(token.kind, Kind::LineComment | Kind::BlockComment))
        .collect();
    let mut depth = 0_usize;
    let mut line_begins = true;
    let mut found: Option<usize> = None;
    let mut at = 0;
    while let Some(token) = inside.get(at) {
        match token.kind {
            Kind::Close => {
                depth = depth.saturating_sub(1);
                if let (0, Some(start)) = (depth, found) {
                    return Some(start..token.start);
                }
            }
            Kind::Open => depth += 1,
            Kind::Word if depth == 0 && line_begins && of(token) == step.kind => {
                let label = inside.get(at + 1).filter(|next| next.kind == Kind::Quoted);
                let is_label =
                    label.map(|next| of(next).trim_matches('"')) == step.label.as_deref();
                let open = inside.get(at + 1 + usize::from(label.is_some()));
                if let Some(open) = open.filter(|open| is_label && of(open) == "{") {
                    found = Some(open.end);
                }
            }
            _ => {}
        }
        line_begins = token.kind == Kind::Newline || depth == 0 && token.kind == Kind::Close;
        at += 1;
    }
    None
}

/// A block's body with something before what it holds. A body in one line gets lines.
fn prepend(text: &str, body: Range<usize>, new: &str) -> Option<String> {
    let inside = text.get(body.clone())?;
    let changed = if inside.contains('\n') {
        format!("{new}{inside}")
    } else if inside.trim().is_empty() {
        format!("{new}\n")
    } else {
        format!("{new}\n{}\n", inside.trim())
    };
    splice(text, &[(body, changed)])
}

/// A block's body with something after what it holds.
fn append(text: &str, body: Range<usize>, new: &str) -> Option<String> {
    let inside = text.get(body.clone())?.trim_end();
    let before = if inside.is_empty() { "" } else { "\n" };
    splice(
        text,
        &[(
            body.clone(),
            format!("{before}{}{before}{new}", trim_one(inside)),
        )],
    )
}

/// Without the blanks that a body in one line begins with.
fn trim_one(inside: &str) -> &str {
    if inside.contains('\n') {
        inside
    } else {
        inside.trim()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const FILE: &str = "# a shop\ngroup \"web\" {\n  metric \"cpu\" {\n    track { target = 60 } # busy\n  }\n  scale_in { cooldown = \"5m\" }\n}\n";

    #[test]
    fn an_attribute_goes_into_the_block_that_is_there_and_blocks_are_made_that_are_not() {
        let web = Step::named("group", "web");
        for (path, name, value, wanted) in [
            (
                vec![
                    web.clone(),
                    Step::named("metric", "cpu"),
                    Step::plain("track"),
                ],
                "tolerance",
                "\"5%\"",
                "    track {\n      tolerance = \"5%\"\n      target    = 60\n    } # busy\n",
            ),
            (
                vec![web.clone(), Step::plain("scale_in")],
                "stabilization",
                "\"2m\"",
                "  scale_in {\n    stabilization = \"2m\"\n    cooldown      = \"5m\"\n  }\n",
            ),
            (
                vec![
                    web.clone(),
                    Step::named("metric", "rps"),
                    Step::plain("track"),
                ],
                "target",
                "7",
                "  metric \"rps\" {\n    track {\n      target = 7\n    }\n  }\n}\n",
            ),
            (
                vec![web.clone()],
                "every",
                "\"1m\"",
                "group \"web\" {\n  every = \"1m\"\n",
            ),
        ] {
            let inserted = insert(FILE, &path, name, value).unwrap();
            let after = canonical(FILE, &inserted).unwrap();
            assert!(after.contains(wanted), "no {wanted:?} in\n{after}");
            assert_eq!(format(&after).unwrap(), after, "fmt leaves it alone");
            assert!(after.starts_with("# a shop\n"));
        }
        let other = [Step::named("group", "other")];
        assert_eq!(insert(FILE, &other, "a", "1"), None);
    }

    #[test]
    fn texts_take_the_places_of_others_and_nothing_else_moves() {
        let swapped = splice(
            "a = 1 # x\nb = 2\n",
            &[(14..15, "20".into()), (4..5, "10".into())],
        );
        assert_eq!(swapped.as_deref(), Some("a = 10 # x\nb = 20\n"));
        assert_eq!(splice("ab", &[(1..9, String::new())]), None);
    }
}
