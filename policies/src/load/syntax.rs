//! From text to a syntax tree, with syntax errors that a person can use.
//!
//! The parser stops at its first error and knows nothing of brackets that stay open. So after an error
//! the file is split at its top-level blocks, each is looked at by itself, and what the lexer saw
//! unclosed is said before what the parser stumbled over.

use hcl::edit::Span as _;
use hcl::edit::expr::Expression;
use hcl::edit::parser;
use hcl::edit::structure::Body;

use super::lexer::{Fault, Kind, Lexed, Token, lex};
use crate::codes;
use crate::diagnostic::{Diagnostic, Diagnostics};
use crate::source::{SourceId, Span};

/// At most so many keys stand in one object: the parser compares each with each.
const MAX_KEYS: usize = 20_000;
/// At most so many syntax errors of one file are reported.
const MAX_ERRORS: usize = 20;

/// A span of a file.
pub(crate) fn span(source: SourceId, start: usize, end: usize) -> Span {
    let clip = |n: usize| u32::try_from(n).unwrap_or(u32::MAX);
    Span {
        source,
        start: clip(start),
        end: clip(end.max(start)),
    }
}

/// The place of a syntax node; `otherwise` where the parser kept none.
pub(crate) fn place(source: SourceId, node: &impl hcl::edit::Span, otherwise: Span) -> Span {
    node.span()
        .map_or(otherwise, |range| span(source, range.start, range.end))
}

/// The place of an expression, without the blanks around it.
pub(crate) fn expression_span(source: SourceId, expression: &Expression, otherwise: Span) -> Span {
    expression
        .span()
        .map_or(otherwise, |range| span(source, range.start, range.end))
}

/// Parses a file. Without errors, the tree is the whole file.
pub(crate) fn parse_body(source: SourceId, text: &str, out: &mut Diagnostics) -> Option<Body> {
    let lexed = lex(text);
    if let Some(open) = crowded_object(text, &lexed) {
        out.push(
            Diagnostic::error(codes::FILE_TOO_LARGE, "Object too large")
                .at(
                    span(source, open, open + 1),
                    format!("more than {MAX_KEYS} keys"),
                )
                .help("keep data in a file of its own: jsondecode(file(\"data.json\")), csvdecode(file(\"data.csv\"))."),
        );
        return None;
    }
    let error = match parser::parse_body(text) {
        Ok(body) => {
            // The parser accepts a line break in a string in quotes; HCL does not.
            let fault = lexed
                .faults
                .iter()
                .find(|fault| matches!(fault, Fault::String(_)));
            if let Some(fault) = fault {
                out.push(explain_fault(source, 0, text, fault));
                return None;
            }
            return Some(body);
        }
        Err(error) => error,
    };
    let before = out.len();
    for (start, end) in chunks(text, &lexed) {
        if out.len() - before >= MAX_ERRORS {
            break;
        }
        let chunk = &text[start..end];
        let Err(error) = parser::parse_body(chunk) else {
            continue;
        };
        match lex(chunk).faults.first() {
            Some(fault) => out.push(explain_fault(source, start, text, fault)),
            None => out.push(explain(source, start, text, chunk, &error)),
        }
    }
    if out.len() == before {
        // Each block is right by itself: blocks on one line, or an attribute between them.
        match lexed.faults.first() {
            Some(fault) => out.push(explain_fault(source, 0, text, fault)),
            None => out.push(explain(source, 0, text, text, &error)),
        }
    }
    None
}

/// The first brace of an object with too many keys.
fn crowded_object(text: &str, lexed: &Lexed) -> Option<usize> {
    let mut open: Vec<(usize, Option<usize>)> = Vec::new();
    let mut before = Kind::Newline;
    for token in &lexed.tokens {
        let last = std::mem::replace(&mut before, token.kind);
        match token.kind {
            // A brace after a word or a label opens a block, which may hold as much as it likes.
            Kind::Open => {
                let is_object = !matches!(last, Kind::Word | Kind::Quoted);
                open.push((token.start, is_object.then_some(0)));
            }
            Kind::Close => {
                open.pop();
            }
            Kind::Operator if matches!(text.as_bytes().get(token.start), Some(b'=' | b':')) => {
                if let Some((at, Some(count))) = open.last_mut() {
                    *count += 1;
                    if *count > MAX_KEYS {
                        return Some(*at);
                    }
                }
            }
            _ => {}
        }
    }
    None
}

/// Parses one expression that stands by itself.
pub(crate) fn parse_expression(
    source: SourceId,
    text: &str,
    out: &mut Diagnostics,
) -> Option<Expression> {
    match parser::parse_expr(text) {
        Ok(expression) => Some(expression),
        Err(error) => {
            match lex(text).faults.first() {
                Some(fault) => out.push(explain_fault(source, 0, text, fault)),
                None => out.push(explain(source, 0, text, text, &error)),
            }
            None
        }
    }
}

/// Where the top-level items of a file begin and end: at words in the first column, and at words that
/// begin a line outside of all brackets.
fn chunks(text: &str, lexed: &Lexed) -> Vec<(usize, usize)> {
    let mut starts = Vec::new();
    let mut depth = 0usize;
    let mut line_start = true;
    for Token { kind, start, .. } in &lexed.tokens {
        let first_column = *start == 0 || text.as_bytes().get(start - 1) == Some(&b'\n');
        match kind {
            Kind::Newline => {
                line_start = true;
                continue;
            }
            Kind::Open => depth += 1,
            Kind::Close => depth = depth.saturating_sub(1),
            Kind::Word if first_column || (line_start && depth == 0) => {
                starts.push(*start);
                depth = 0;
            }
            _ => {}
        }
        line_start = false;
    }
    let first = starts.first().copied().unwrap_or(text.len());
    let mut chunks = Vec::with_capacity(starts.len() + 1);
    if !text[..first].trim().is_empty() {
        chunks.push((0, first));
    }
    for (n, start) in starts.iter().enumerate() {
        chunks.push((*start, starts.get(n + 1).copied().unwrap_or(text.len())));
    }
    chunks
}

fn explain_fault(source: SourceId, base: usize, text: &str, fault: &Fault) -> Diagnostic {
    let at = |start: usize, end: usize| span(source, base + start, base + end);
    match fault {
        Fault::String(range) => Diagnostic::error(codes::UNCLOSED_STRING, "String not closed")
            .at(
                at(range.start, range.end),
                "no closing quote before the end of the line",
            )
            .help("add the quote; for text of several lines write `\\n`, or a heredoc (`<<EOT`)."),
        Fault::Template(range) => {
            Diagnostic::error(codes::UNCLOSED_TEMPLATE, "Template not closed")
                .at(at(range.start, range.end), "no closing brace for this")
                .help("add the `}`; to write the characters themselves, double the first: `$${`.")
        }
        Fault::Heredoc { open, delimiter } => {
            Diagnostic::error(codes::UNCLOSED_HEREDOC, "Heredoc not closed")
                .at(
                    at(open.start, open.end),
                    format!("no line that holds `{delimiter}` alone follows"),
                )
                .help(format!("end the text with a line `{delimiter}`."))
        }
        Fault::Bracket { open, suspect } => {
            let name = |at: usize| match text.as_bytes().get(base + at) {
                Some(b'[') => "bracket",
                Some(b'(') => "parenthesis",
                _ => "brace",
            };
            let diagnostic = Diagnostic::error(codes::UNCLOSED_BRACKET, "Bracket not closed");
            match suspect {
                Some(suspect) => diagnostic
                    .at(
                        at(*suspect, suspect + 1),
                        "probably this one: what closes it stands further left than it",
                    )
                    .at(
                        at(*open, open + 1),
                        format!("this {} is not closed when the text ends", name(*open)),
                    ),
                None => diagnostic.at(
                    at(*open, open + 1),
                    format!("this {} is not closed", name(*open)),
                ),
            }
        }
        Fault::Mismatch { close, open } => {
            let diagnostic = Diagnostic::error(codes::UNCLOSED_BRACKET, "Bracket not closed");
            match open {
                Some(open) => diagnostic.at(at(*open, open + 1), "this is not closed").at(
                    at(*close, close + 1),
                    "before this closes what is around it",
                ),
                None => diagnostic
                    .at(at(*close, close + 1), "there is no open bracket for this")
                    .help("remove it, or look for a bracket that was closed too early."),
            }
        }
        Fault::Comment(range) => Diagnostic::error(codes::SYNTAX, "Comment not closed")
            .at(at(range.start, range.end), "no `*/` follows"),
    }
}

/// Turns the parser's error into a diagnostic: by what stands in the line, else by what it expected.
fn explain(
    source: SourceId,
    base: usize,
    text: &str,
    chunk: &str,
    error: &parser::Error,
) -> Diagnostic {
    let offset = error.location().offset().min(chunk.len());
    let mut start = offset;
    while !chunk.is_char_boundary(start) {
        start -= 1;
    }
    let rest = &chunk[start..];
    let width = rest.chars().next().map_or(0, |c| {
        if c.is_alphanumeric() || c == '_' {
            rest.find(|c: char| !(c.is_alphanumeric() || c == '_' || c == '-'))
                .unwrap_or(rest.len())
        } else if c == '\n' || c == '\r' {
            0
        } else {
            c.len_utf8()
        }
    });
    let here = span(source, base + start, base + start + width);
    let message = error.message();
    let line_start = chunk[..start].rfind('\n').map_or(0, |n| n + 1);
    let line_end = chunk[start..].find('\n').map_or(chunk.len(), |n| start + n);
    let line = chunk[line_start..line_end].trim_end();

    if message.contains("at most 64 nested levels") || message.contains("at most 128 chained") {
        let what = if message.contains("64") {
            "more than 64 levels deep"
        } else {
            "more than 128 operators in one expression"
        };
        return Diagnostic::error(codes::NESTED_TOO_DEEP, "Nested too deep")
            .at(here, what)
            .help("give parts of the expression names under `locals`.");
    }
    if message.contains("redefined attribute")
        && let Some(diagnostic) = duplicate_attribute(source, base, chunk, start)
    {
        return diagnostic;
    }
    if message.contains("redefined object key") {
        return Diagnostic::error(codes::DUPLICATE_KEY, "Key given twice")
            .at(here, "this key is there before")
            .help("remove one of the two.");
    }
    if message.contains("escape sequence") || message.contains("hex code") {
        return Diagnostic::error(codes::BAD_ESCAPE, "Unknown escape sequence")
            .at(here, "not one of \\n \\r \\t \\\" \\\\ \\uNNNN \\UNNNNNNNN")
            .help("to write a backslash, double it.");
    }
    // A directive without its end is blamed on the start of the statement.
    let statement_end = statement_end(chunk, start);
    let statement = &chunk[start..statement_end];
    if let Some(n) = unclosed_directive(statement) {
        let at = base + start + n;
        return Diagnostic::error(codes::UNCLOSED_TEMPLATE, "Template not closed")
            .at(
                span(source, at, at + 2),
                "no `%{ endif }` or `%{ endfor }` for this",
            )
            .help("add it; to write the characters themselves, double the first: `%%{`.");
    }
    let diagnostic = Diagnostic::error(codes::SYNTAX, "Syntax error");
    if let Some((column, length, label, help)) = slip(line, start - line_start) {
        let at = base + line_start + column;
        return diagnostic
            .at(span(source, at, at + length), label)
            .help(help);
    }
    if base + start >= text.trim_end().len() {
        return diagnostic.at(here, "the file ends here in the middle of something");
    }
    diagnostic.at(here, expected(message))
}

/// The parser's own words, where they help.
fn expected(message: &str) -> String {
    let Some(list) = message.rsplit("expected ").next().filter(|l| *l != message) else {
        return "this was not expected here".to_owned();
    };
    if list.contains("letter") && list.contains("digit") {
        return "a value is missing here".to_owned();
    }
    let list = list
        .replace("`\n`", "the end of the line")
        .replace("eof", "the end of the file");
    format!("expected {list}")
}

fn duplicate_attribute(
    source: SourceId,
    base: usize,
    chunk: &str,
    start: usize,
) -> Option<Diagnostic> {
    // The parser names the second one only, at its start or just behind it: find both by their line.
    let line_start = chunk[..start].rfind('\n').map_or(0, |n| n + 1);
    let tokens = lex(chunk).tokens;
    let mut bodies: Vec<Vec<Token>> = vec![Vec::new()];
    let mut found = None;
    for pair in tokens.windows(2) {
        let [token, next] = pair else { continue };
        match token.kind {
            Kind::Open => bodies.push(Vec::new()),
            Kind::Close => {
                bodies.pop();
                if bodies.is_empty() {
                    bodies.push(Vec::new());
                }
            }
            Kind::Word if next.kind == Kind::Operator && &chunk[next.start..next.end] == "=" => {
                let name = &chunk[token.start..token.end];
                let body = bodies.last_mut()?;
                let first = body.iter().find(|t| &chunk[t.start..t.end] == name);
                if let (Some(first), true) = (first, token.end >= line_start) {
                    found = Some((*first, *token));
                    break;
                }
                body.push(*token);
            }
            _ => {}
        }
    }
    let (first, second) = found?;
    let at = |token: Token| span(source, base + token.start, base + token.end);
    Some(
        Diagnostic::error(codes::DUPLICATE_ATTRIBUTE, "Attribute set twice")
            .at(at(second), "set again here")
            .at(at(first), "set here first")
            .help("remove one of the two."),
    )
}

/// Where the statement that begins at a place ends: at the line's end outside of strings and brackets.
fn statement_end(chunk: &str, start: usize) -> usize {
    let rest = &chunk[start..];
    let mut depth = 0usize;
    for token in lex(rest).tokens {
        match token.kind {
            Kind::Open => depth += 1,
            Kind::Close => depth = depth.saturating_sub(1),
            Kind::Newline if depth == 0 => return start + token.start,
            _ => {}
        }
    }
    chunk.len()
}

/// The place of the first `%{ if` or `%{ for` that has no end.
fn unclosed_directive(text: &str) -> Option<usize> {
    let mut open = Vec::new();
    let mut at = 0;
    while let Some(n) = text[at..].find("%{") {
        let place = at + n;
        at = place + 2;
        if text[..place].ends_with('%') {
            continue;
        }
        let word = text[at..].trim_start_matches('~').trim_start();
        if word.starts_with("if ") || word.starts_with("for ") {
            open.push(place);
        } else if word.starts_with("endif") || word.starts_with("endfor") {
            open.pop();
        }
    }
    open.pop()
}

/// Common slips, by the line in which the parser stopped: column, length, label, help.
fn slip(line: &str, column: usize) -> Option<(usize, usize, &'static str, String)> {
    let tokens = lex(line).tokens;
    let text = |token: &Token| &line[token.start..token.end];
    // A quote of another kind.
    for quote in ['\'', '\u{201c}', '\u{201d}', '\u{2018}', '\u{2019}', '`'] {
        if let Some(token) = tokens
            .iter()
            .find(|token| token.kind == Kind::Other && text(token).starts_with(quote))
        {
            return Some((
                token.start,
                token.end - token.start,
                "not a quote of HCL",
                "strings stand in double quotes: \"text\".".to_owned(),
            ));
        }
    }
    if let Some(token) = tokens
        .iter()
        .find(|token| token.kind == Kind::Other && text(token) == ";")
    {
        return Some((
            token.start,
            1,
            "not a separator of HCL",
            "write each attribute on a line of its own.".to_owned(),
        ));
    }
    // 5m, 70%: a number with a unit.
    for pair in tokens.windows(2) {
        let [number, unit] = pair else { continue };
        let is_unit = unit.kind == Kind::Word || text(unit) == "%";
        let last = tokens.last().is_some_and(|last| last.start == unit.start);
        if number.kind == Kind::Number
            && number.end == unit.start
            && is_unit
            && (unit.kind == Kind::Word || last)
        {
            return Some((
                number.start,
                unit.end - number.start,
                "a number with a unit is a string",
                format!("write \"{}\".", &line[number.start..unit.end]),
            ));
        }
    }
    // `a = 1, b = 2`, also in a block on one line.
    if let [first, .., _] = tokens.as_slice() {
        let in_block = tokens
            .iter()
            .take_while(|token| token.start < column.max(1))
            .any(|token| text(token) == "{");
        let comma = tokens
            .iter()
            .find(|token| text(token) == "," && token.start + 1 >= column);
        if let (Some(comma), true) = (comma, first.kind == Kind::Word) {
            let is_block = in_block && !line[..comma.start].contains("= {");
            if is_block || !in_block && text(&tokens[1]) == "=" && !line.contains(['[', '(', '{']) {
                return Some((
                    comma.start,
                    1,
                    "attributes are not separated by commas",
                    "write each attribute on a line of its own; a block on one line holds one."
                        .to_owned(),
                ));
            }
        }
    }
    // `name value`, `name: value`.
    match tokens.as_slice() {
        [name, value]
            if name.kind == Kind::Word
                && matches!(value.kind, Kind::Number | Kind::Word | Kind::Quoted) =>
        {
            Some((
                name.start,
                value.end - name.start,
                "neither an attribute nor a block",
                format!(
                    "write `{} = {}`, or open a block with a brace.",
                    text(name),
                    text(value)
                ),
            ))
        }
        [name, colon, rest @ ..] if name.kind == Kind::Word && text(colon) == ":" => Some((
            colon.start,
            1,
            "an attribute is set with `=`",
            match rest.last() {
                Some(last) => format!(
                    "write `{} = {}`.",
                    text(name),
                    &line[rest[0].start..last.end]
                ),
                None => format!("write `{} = value`.", text(name)),
            },
        )),
        [name] if name.kind == Kind::Word => Some((
            name.start,
            name.end - name.start,
            "a name alone is neither an attribute nor a block",
            format!("write `{0} = value` or `{0} {{ … }}`.", text(name)),
        )),
        [name, equals] if name.kind == Kind::Word && text(equals) == "=" => Some((
            equals.start,
            1,
            "the value is missing",
            format!("write `{} = value`.", text(name)),
        )),
        [name, .., open]
            if name.kind == Kind::Word
                && text(open) == "{"
                && tokens[1..].iter().any(|t| text(t) == "=")
                && text(&tokens[1]) != "=" =>
        {
            None
        }
        _ => None,
    }
}

#[cfg(test)]
#[path = "syntax_tests.rs"]
mod tests;
