//! The canonical form of a file, as `terraform fmt` writes it: what `tideform fmt` makes of it.
//!
//! It works on tokens and bytes, never on the syntax tree, so comments, heredocs and the spelling of
//! numbers and strings survive as they are. Only white space changes. Before it answers, it reads the
//! result again and compares what both mean.
//!
//! The rules are those of Terraform's `hclwrite` (`hclwrite/format.go`): two spaces for each line that
//! leaves brackets open, `=` and trailing comments aligned over consecutive lines. Beyond Terraform: at
//! most one blank line in a row, none at the start, line ends are `\n`.

mod spacing;

use hcl::edit::parser;
use unicode_segmentation::UnicodeSegmentation as _;

use crate::codes;
use crate::diagnostic::{Diagnostic, Diagnostics};
use crate::load::lexer::{Kind, Token, lex};
use crate::load::syntax::{parse_body, span};
use crate::load::with_large_stack;
use crate::source::SourceId;
use spacing::space_between;

/// The canonical form of a file's text. Formatting it again changes nothing.
///
/// # Errors
///
/// The text has syntax errors; a form could not be found that means the same. The diagnostics point into
/// `SourceId(0)`: show them with a [`crate::source::SourceMap`] that holds this text alone.
pub fn format(text: &str) -> Result<String, Diagnostics> {
    with_large_stack(|| format_here(text))
}

fn format_here(text: &str) -> Result<String, Diagnostics> {
    let text = text.strip_prefix('\u{feff}').unwrap_or(text);
    let source = SourceId(0);
    let mut problems = Diagnostics::default();
    if parse_body(source, text, &mut problems).is_none() {
        return Err(problems);
    }
    let formatted = lay_out(text);
    if !means_the_same(text, &formatted) {
        problems.push(
            Diagnostic::error(codes::FORMAT_REFUSED, "File could not be formatted")
                .at(span(source, 0, 0), "the result would mean something else")
                .why("This is a bug in tideform. The file is left as it is."),
        );
        return Err(problems);
    }
    Ok(formatted)
}

/// One line of tokens; a heredoc or a comment in it may have several lines of its own.
#[derive(Default)]
struct Line {
    tokens: Vec<Token>,
    /// The first token of the trailing comment; the number of tokens where there is none.
    comment: usize,
    /// The `=` whose value ends in this line; `comment` where there is none.
    assign: usize,
    /// Spaces before each token.
    spaces: Vec<usize>,
}

impl Line {
    fn new(tokens: Vec<Token>, text: &str) -> Line {
        let mut comment = tokens.len();
        if tokens.len() > 1
            && tokens
                .last()
                .is_some_and(|last| last.kind == Kind::LineComment)
        {
            comment -= 1;
        }
        let mut assign = comment;
        let equals = tokens
            .iter()
            .take(comment)
            .position(|token| token.kind == Kind::Operator && of(text, *token) == "=");
        if let Some(at) = equals.filter(|at| *at > 0)
            && net(tokens.get(at..comment).unwrap_or(&[])) == 0
        {
            assign = at;
        }
        Line {
            spaces: vec![0; tokens.len()],
            tokens,
            comment,
            assign,
        }
    }

    fn has_assign(&self) -> bool {
        self.assign < self.comment
    }

    fn has_comment(&self) -> bool {
        self.comment < self.tokens.len()
    }

    fn has_heredoc(&self) -> bool {
        self.tokens.iter().any(|token| token.kind == Kind::Heredoc)
    }

    /// Columns up to a token.
    fn columns(&self, text: &str, end: usize) -> usize {
        self.tokens
            .iter()
            .zip(&self.spaces)
            .take(end)
            .map(|(token, spaces)| spaces + of(text, *token).graphemes(true).count())
            .sum()
    }
}

fn of(text: &str, token: Token) -> &str {
    text.get(token.start..token.end).unwrap_or("")
}

/// Brackets opened less brackets closed.
fn net(tokens: &[Token]) -> isize {
    tokens
        .iter()
        .map(|token| match token.kind {
            Kind::Open => 1,
            Kind::Close => -1,
            _ => 0,
        })
        .sum()
}

fn lay_out(text: &str) -> String {
    let mut lines: Vec<Line> = Vec::new();
    let mut current = Vec::new();
    for token in lex(text).tokens {
        if token.kind == Kind::Newline {
            lines.push(Line::new(std::mem::take(&mut current), text));
        } else {
            current.push(token);
        }
    }
    lines.push(Line::new(current, text));

    for line in &mut lines {
        for n in 1..line.tokens.len() {
            let before = n.checked_sub(2).and_then(|n| line.tokens.get(n));
            let pair = (line.tokens.get(n - 1), line.tokens.get(n));
            if let ((Some(subject), Some(after)), Some(spaces)) = (pair, line.spaces.get_mut(n)) {
                let is_comment = after.kind == Kind::LineComment;
                *spaces = usize::from(is_comment || space_between(text, before, subject, after));
            }
        }
    }
    indent(&mut lines);
    align(
        &mut lines,
        text,
        |line| line.has_assign(),
        |line| line.assign,
    );
    align(
        &mut lines,
        text,
        |line| line.has_comment(),
        |line| line.comment,
    );
    write(&lines, text)
}

/// Two spaces for each line that leaves brackets open, however many.
fn indent(lines: &mut [Line]) {
    let mut open: Vec<isize> = Vec::new();
    for line in lines {
        let Some(first) = line.spaces.first_mut() else {
            continue;
        };
        let net = net(&line.tokens);
        if net < 0 {
            let mut closed = -net;
            while closed > 0
                && let Some(last) = open.last_mut()
            {
                if closed < *last {
                    *last -= closed;
                    break;
                }
                closed -= *last;
                open.pop();
            }
        }
        *first = 2 * open.len();
        if net > 0 {
            open.push(net);
        }
    }
}

/// Brings a part of consecutive lines under each other.
fn align(lines: &mut [Line], text: &str, has: impl Fn(&Line) -> bool, at: impl Fn(&Line) -> usize) {
    let mut start = 0;
    while start < lines.len() {
        let mut end = start;
        while end < lines.len() && has(&lines[end]) {
            end += 1;
            // What follows a heredoc does not stand under what is before it.
            if lines[end - 1].has_heredoc() {
                break;
            }
        }
        let chain = &mut lines[start..end];
        let widest = chain
            .iter()
            .map(|line| line.columns(text, at(line)))
            .max()
            .unwrap_or(0);
        for line in chain {
            let column = at(line);
            let spaces = widest - line.columns(text, column) + 1;
            if let Some(slot) = line.spaces.get_mut(column) {
                *slot = spaces;
            }
        }
        start = end.max(start + 1);
    }
}

fn write(lines: &[Line], text: &str) -> String {
    let mut out = String::with_capacity(text.len() + text.len() / 8);
    let mut is_blank_pending = false;
    for line in lines {
        if line.tokens.is_empty() {
            is_blank_pending = !out.is_empty();
            continue;
        }
        if std::mem::take(&mut is_blank_pending) {
            out.push('\n');
        }
        for (token, spaces) in line.tokens.iter().zip(&line.spaces) {
            out.extend(std::iter::repeat_n(' ', *spaces));
            let bytes = of(text, *token);
            match token.kind {
                Kind::LineComment => out.push_str(bytes.trim_end()),
                Kind::BlockComment => out.push_str(&bytes.replace("\r\n", "\n")),
                _ => out.push_str(bytes),
            }
        }
        out.push('\n');
    }
    out
}

/// Whether two texts have the same tokens, comments included, and the same meaning.
fn means_the_same(before: &str, after: &str) -> bool {
    let tokens = |text: &str| -> Vec<(Kind, String)> {
        lex(text)
            .tokens
            .into_iter()
            .filter(|token| token.kind != Kind::Newline)
            .map(|token| {
                let bytes = of(text, token);
                let bytes = match token.kind {
                    Kind::LineComment | Kind::BlockComment => {
                        bytes.replace("\r\n", "\n").trim_end().to_owned()
                    }
                    _ => bytes.to_owned(),
                };
                (token.kind, bytes)
            })
            .collect()
    };
    if tokens(before) != tokens(after) {
        return false;
    }
    match (parser::parse_body(before), parser::parse_body(after)) {
        (Ok(before), Ok(after)) => hcl::Body::from(before) == hcl::Body::from(after),
        _ => false,
    }
}

#[cfg(test)]
mod tests;
