//! A place in a file, with the line that stands there: what a failure shows and underlines.

use serde::Serialize;
use tideform_policies::source::{SourceMap, Span};
use unicode_width::UnicodeWidthStr;

/// A place in a file, and the line that stands there.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Place {
    /// The file.
    pub file: String,
    /// From 1.
    pub line: usize,
    /// From 1, in characters.
    pub column: usize,
    /// The text of the line.
    pub text: String,
    /// What is meant in the line.
    #[serde(skip)]
    pub mark: Mark,
}

/// What is underlined in a line.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Mark {
    /// What stands under the text before the mark: blanks as wide, tabs as tabs.
    pub before: String,
    /// How wide it is on a screen; at least 1.
    pub width: usize,
}

impl Place {
    /// The beginning of a span. A span of several lines is marked to the end of its first one.
    pub(super) fn of(sources: &SourceMap, span: Span) -> Option<Place> {
        let (file, line, column) = sources.place(span)?;
        let source = sources.get(span.source)?;
        let text = source.line(line);
        let (last, end) = source.line_and_column(span.end);
        let marked: String = text
            .chars()
            .skip(column - 1)
            .take(if last == line {
                end.saturating_sub(column)
            } else {
                usize::MAX
            })
            .collect();
        let before = text
            .chars()
            .take(column - 1)
            .fold(String::new(), |mut out, c| {
                if c == '\t' {
                    out.push(c);
                } else {
                    let mut bytes = [0; 4];
                    let width = c.encode_utf8(&mut bytes).width();
                    out.extend(std::iter::repeat_n(' ', width));
                }
                out
            });
        Some(Place {
            file: file.to_string(),
            line,
            column,
            text: text.to_owned(),
            mark: Mark {
                before,
                width: marked.trim_end().width().max(1),
            },
        })
    }
}
