//! Diagnostics as text for a terminal, as plain text, and as JSON.
//!
//! It computes text and prints nothing. For people at most [`LIMIT`] diagnostics are shown, errors first; the
//! rest are counted.

use std::borrow::Cow;
use std::fmt;

use miette::{GraphicalReportHandler, GraphicalTheme, LabeledSpan, NamedSource, SourceCode};

use crate::diagnostic::{Diagnostic, Diagnostics, Label, Severity};
use crate::source::{Source, SourceId, SourceMap};

/// How many diagnostics are shown to people.
pub const LIMIT: usize = 50;

/// How a terminal shows diagnostics.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Style {
    /// With escape sequences for color.
    pub color: bool,
    /// With box-drawing characters; without, ASCII.
    pub unicode: bool,
    /// Columns.
    pub width: usize,
}

impl Default for Style {
    /// What a file or a pipe gets.
    fn default() -> Style {
        Style {
            color: false,
            unicode: false,
            width: 100,
        }
    }
}

/// Errors before warnings, else in the order in which they were found.
fn in_order(diagnostics: &Diagnostics) -> Vec<&Diagnostic> {
    let mut all: Vec<&Diagnostic> = diagnostics.iter().collect();
    all.sort_by_key(|d| std::cmp::Reverse(d.severity));
    all
}

fn more(total: usize) -> Option<String> {
    let hidden = total.saturating_sub(LIMIT);
    (hidden > 0).then(|| format!("... and {hidden} more.\n"))
}

fn head(d: &Diagnostic) -> String {
    let severity = match d.severity {
        Severity::Error => "error",
        Severity::Warning => "warning",
    };
    format!("{severity}[{}]", d.code.0)
}

/// Diagnostics with the source underlined, a blank line between them. Ends in a newline, unless there are none.
pub fn terminal(diagnostics: &Diagnostics, sources: &SourceMap, style: Style) -> String {
    let mut out = String::new();
    for d in in_order(diagnostics).into_iter().take(LIMIT) {
        if !out.is_empty() {
            out.push('\n');
        }
        one(d, sources, style, &mut out);
    }
    if let Some(more) = more(diagnostics.len()) {
        out.push('\n');
        out.push_str(&more);
    }
    out
}

/// One diagnostic for the library that draws the snippet: the places of one file.
struct Drawn<'d> {
    title: Cow<'d, str>,
    severity: miette::Severity,
    labels: Vec<&'d Label>,
    code: NamedSource<std::sync::Arc<str>>,
    length: usize,
}

impl fmt::Debug for Drawn<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.title)
    }
}

impl fmt::Display for Drawn<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.title)
    }
}

impl std::error::Error for Drawn<'_> {}

impl miette::Diagnostic for Drawn<'_> {
    fn severity(&self) -> Option<miette::Severity> {
        Some(self.severity)
    }

    fn source_code(&self) -> Option<&dyn SourceCode> {
        Some(&self.code)
    }

    fn labels(&self) -> Option<Box<dyn Iterator<Item = LabeledSpan> + '_>> {
        Some(Box::new(self.labels.iter().enumerate().map(
            |(n, label)| {
                let start = (label.span.start as usize).min(self.length);
                let end = (label.span.end as usize).clamp(start, self.length);
                let text = (!label.text.is_empty()).then(|| label.text.to_string());
                if n == 0 {
                    LabeledSpan::new_primary_with_span(text, (start, end - start))
                } else {
                    LabeledSpan::new(text, start, end - start)
                }
            },
        )))
    }
}

fn one(d: &Diagnostic, sources: &SourceMap, style: Style, out: &mut String) {
    // The file of the first label comes first, related places in other files follow.
    let mut files: Vec<(SourceId, Vec<&Label>)> = Vec::new();
    for label in &d.labels {
        match files.iter_mut().find(|(id, _)| *id == label.span.source) {
            Some((_, labels)) => labels.push(label),
            None => files.push((label.span.source, vec![label])),
        }
    }
    let mut theme = match (style.color, style.unicode) {
        (true, true) => GraphicalTheme::unicode(),
        (false, true) => GraphicalTheme::unicode_nocolor(),
        (_, false) => GraphicalTheme {
            characters: miette::ThemeCharacters::ascii(),
            styles: if style.color {
                miette::ThemeStyles::ansi()
            } else {
                miette::ThemeStyles::none()
            },
        },
    };
    theme.characters.error = format!("{}:", head(d));
    theme.characters.warning = format!("{}:", head(d));
    theme.characters.advice = "see also:".to_owned();
    let handler = GraphicalReportHandler::new_themed(theme)
        .with_links(false)
        .with_context_lines(1)
        .with_wrap_lines(false);
    let mut is_drawn = false;
    for (n, (id, labels)) in files.into_iter().enumerate() {
        let Some(source) = sources.get(id) else {
            continue;
        };
        if source.text.is_empty() {
            // A file that could not be read: there is nothing to underline.
            if n == 0 {
                out.push_str(&format!("  {}: {}\n", head(d), d.summary));
            }
            for label in labels {
                out.push_str(&format!("  {}: {}\n", source.name, label.text));
            }
            is_drawn = true;
            continue;
        }
        if labels.iter().any(|label| is_too_wide(source, label)) {
            if n == 0 {
                out.push_str(&format!("  {}: {}\n", head(d), d.summary));
            }
            for label in labels {
                excerpt(source, label, out);
            }
            is_drawn = true;
            continue;
        }
        let drawn = Drawn {
            title: if n == 0 {
                d.summary.clone()
            } else {
                Cow::Borrowed("another file")
            },
            severity: match d.severity {
                _ if n > 0 => miette::Severity::Advice,
                Severity::Error => miette::Severity::Error,
                Severity::Warning => miette::Severity::Warning,
            },
            labels,
            code: NamedSource::new(&*source.name, source.text.clone()),
            length: source.text.len(),
        };
        let mut text = String::new();
        if handler.render_report(&mut text, &drawn).is_ok() {
            is_drawn = true;
            for line in text.trim_matches('\n').lines() {
                out.push_str(line.trim_end());
                out.push('\n');
            }
        }
    }
    if !is_drawn {
        out.push_str(&format!("  {}: {}\n", head(d), d.summary));
    }
    if let Some(why) = &d.why {
        wrap(out, "", why, style.width);
    }
    if let Some(help) = &d.help {
        wrap(out, "help: ", help, style.width);
    }
}

/// Lines up to here are drawn whole.
const WIDEST: usize = 1_000;

/// Whether a line that would be drawn for a label is too long for the library, and for anybody to read.
fn is_too_wide(source: &Source, label: &Label) -> bool {
    let (first, _) = source.line_and_column(label.span.start);
    let (last, _) = source.line_and_column(label.span.end);
    last - first > 50
        || (first.saturating_sub(1)..=last + 1).any(|line| source.line(line).len() > WIDEST)
}

/// A label of a very long line: its place, and a part of the line around it.
fn excerpt(source: &Source, label: &Label, out: &mut String) {
    let (line, column) = source.line_and_column(label.span.start);
    let text = source.line(line);
    let start = column.saturating_sub(30).max(1);
    let part: String = text.chars().skip(start - 1).take(70).collect();
    out.push_str(&format!(
        "  {}:{line}:{column}: {}\n",
        source.name, label.text
    ));
    out.push_str(&format!("    {}\n", part.trim_end()));
    out.push_str(&format!("    {:1$}^\n", "", column - start));
}

/// A paragraph under the snippet, indented and broken between words.
fn wrap(out: &mut String, prefix: &str, text: &str, width: usize) {
    let width = width.max(40);
    for (n, paragraph) in text.lines().enumerate() {
        let mut line = format!("  {}", if n == 0 { prefix } else { "" });
        let mut has_word = false;
        for word in paragraph.split(' ') {
            if has_word && line.chars().count() + 1 + word.chars().count() > width {
                out.push_str(&line);
                out.push('\n');
                line = format!("  {:1$}", "", prefix.len());
                has_word = false;
            }
            if has_word {
                line.push(' ');
            }
            line.push_str(word);
            has_word = true;
        }
        out.push_str(line.trim_end());
        out.push('\n');
    }
}

/// One line each, for editors and logs: `web.hcl:14:22: error[P0107]: Target out of range: must be greater than 0`.
pub fn plain(diagnostics: &Diagnostics, sources: &SourceMap) -> String {
    let mut out = String::new();
    for d in in_order(diagnostics).into_iter().take(LIMIT) {
        let label = d.labels.first();
        if let Some((name, line, column)) = label.and_then(|label| sources.place(label.span)) {
            out.push_str(&format!("{name}:{line}:{column}: "));
        }
        out.push_str(&format!("{}: {}", head(d), d.summary));
        match label {
            Some(label) if !label.text.is_empty() => out.push_str(&format!(": {}", label.text)),
            _ => {
                if let Some(why) = &d.why {
                    out.push_str(&format!(": {why}"));
                }
            }
        }
        out.push('\n');
    }
    if let Some(more) = more(diagnostics.len()) {
        out.push_str(&more);
    }
    out
}

/// All diagnostics as a JSON array, in the order in which they were found: `severity`, `code`, `summary`, `labels`
/// (`file`, `start` and `end` with `line`, `column`, `byte`, and `text`), `why`, `help`.
pub fn json(diagnostics: &Diagnostics, sources: &SourceMap) -> serde_json::Value {
    diagnostics
        .iter()
        .map(|d| {
            let labels: Vec<serde_json::Value> = d
                .labels
                .iter()
                .filter_map(|label| {
                    let source = sources.get(label.span.source)?;
                    let place = |byte: u32| {
                        let (line, column) = source.line_and_column(byte);
                        serde_json::json!({ "line": line, "column": column, "byte": byte })
                    };
                    Some(serde_json::json!({
                        "file": &*source.name,
                        "start": place(label.span.start),
                        "end": place(label.span.end),
                        "text": label.text,
                    }))
                })
                .collect();
            serde_json::json!({
                "severity": d.severity,
                "code": d.code.0,
                "summary": d.summary,
                "labels": labels,
                "why": d.why,
                "help": d.help,
            })
        })
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::codes;
    use crate::source::Span;

    fn sample() -> (Diagnostics, SourceMap) {
        let mut sources = SourceMap::default();
        let a = sources.add(
            "checkout.hcl",
            "policy \"web\" {\n\tmetric \"cpu\" {\n    track { target = 0 }\n  }\n}\n",
        );
        let b = sources.add("values.hcl", "x = 1\n");
        let c = sources.add("gone.hcl", "");
        let at = |source, start, end| Span { source, start, end };
        let mut diagnostics = Diagnostics::default();
        diagnostics.push(
            Diagnostic::warning(
                codes::UNDECLARED_IN_FILE,
                "Value for a variable that is not declared",
            )
            .at(at(b, 0, 1), "no `variable` block declares this name"),
        );
        diagnostics.push(
            Diagnostic::error(codes::TARGET_OUT_OF_RANGE, "Target out of range")
                .at(at(a, 52, 53), "must be greater than 0")
                .at(at(b, 4, 5), "comes from here")
                .why("Desired capacity is ready x observed / target, so a target of 0 has no answer.")
                .help("to empty the group at night, set `limits { min = 0 }` and a `schedule` with `max = 0`."),
        );
        diagnostics.push(
            Diagnostic::error(codes::FILE_UNREADABLE, "File cannot be read")
                .at(at(c, 0, 0), "permission denied"),
        );
        diagnostics.push(
            Diagnostic::error(codes::NO_FILES, "No configuration files")
                .why("/tmp holds no *.hcl file."),
        );
        (diagnostics, sources)
    }

    #[test]
    fn a_terminal_shows_the_source_underlined() {
        let (diagnostics, sources) = sample();
        let ascii = terminal(&diagnostics, &sources, Style::default());
        insta::assert_snapshot!("ascii", ascii);
        let unicode = terminal(
            &diagnostics,
            &sources,
            Style {
                unicode: true,
                width: 60,
                color: false,
            },
        );
        insta::assert_snapshot!("unicode", unicode);
        assert!(!ascii.contains('\u{1b}') && !unicode.contains('\u{1b}'));
        let colored = terminal(
            &diagnostics,
            &sources,
            Style {
                color: true,
                ..Style::default()
            },
        );
        assert!(colored.contains('\u{1b}'));
    }

    #[test]
    fn plain_text_is_one_line_each_and_json_has_it_all() {
        let (diagnostics, sources) = sample();
        insta::assert_snapshot!("plain", plain(&diagnostics, &sources));
        insta::assert_json_snapshot!("json", json(&diagnostics, &sources));
    }

    #[test]
    fn a_very_long_line_is_shown_in_part() {
        let mut sources = SourceMap::default();
        let text = format!("{}oops{}\n", "x".repeat(100_000), "y".repeat(100_000));
        let source = sources.add("a.hcl", &text);
        let mut diagnostics = Diagnostics::default();
        let span = Span {
            source,
            start: 100_000,
            end: 100_004,
        };
        diagnostics.push(Diagnostic::error(codes::SYNTAX, "Syntax error").at(span, "here"));
        let shown = terminal(&diagnostics, &sources, Style::default());
        assert!(
            shown.contains("a.hcl:1:100001: here") && shown.contains("xoops"),
            "{shown}"
        );
        assert!(shown.len() < 400, "{shown}");
    }

    #[test]
    fn many_diagnostics_are_counted_not_shown() {
        let mut sources = SourceMap::default();
        let source = sources.add("a.hcl", &"x\n".repeat(200));
        let mut diagnostics = Diagnostics::default();
        for n in 0..120 {
            let span = Span {
                source,
                start: n * 2,
                end: n * 2 + 1,
            };
            diagnostics.push(Diagnostic::error(codes::SYNTAX, "Syntax error").at(span, ""));
        }
        for text in [
            plain(&diagnostics, &sources),
            terminal(&diagnostics, &sources, Style::default()),
        ] {
            assert!(text.ends_with("... and 70 more.\n"), "{text}");
            assert_eq!(text.matches("error[P0010]").count(), LIMIT);
        }
        assert_eq!(
            json(&diagnostics, &sources).as_array().map(Vec::len),
            Some(120)
        );
    }
}
