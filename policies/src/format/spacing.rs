//! Whether a space stands between two tokens of a line.
//!
//! Source: `hclwrite/format.go: spaceAfterToken`, where strings and heredocs are one token here.

use super::of;
use crate::load::lexer::{Kind, Token};

/// Whether a space follows `subject`, given the token before it and the one after it.
pub(super) fn space_between(
    text: &str,
    before: Option<&Token>,
    subject: &Token,
    after: &Token,
) -> bool {
    let (left, right) = (of(text, *subject), of(text, *after));
    let is_keyword = subject.kind == Kind::Word
        && matches!(left, "in" | "if")
        && before.is_some_and(|before| before.kind != Kind::Operator);
    if is_keyword && matches!(right, "(" | "[") {
        return true;
    }
    if subject.kind == Kind::Word && right == "(" {
        return false;
    }
    if left == "." || right == "." || right == "," || right == "..." {
        return false;
    }
    if left == "," {
        return true;
    }
    if right == "["
        && matches!(
            subject.kind,
            Kind::Word | Kind::Number | Kind::Close | Kind::Quoted
        )
    {
        return false;
    }
    if left == "!" {
        return false;
    }
    if left == "-" {
        // A sign stands at its number; a minus between two operands has spaces.
        return match before {
            None => false,
            Some(before) => !matches!(before.kind, Kind::Open | Kind::Operator),
        };
    }
    if left == "{" || right == "}" {
        return !(left == "{" && right == "}");
    }
    subject.kind != Kind::Open && after.kind != Kind::Close
}
