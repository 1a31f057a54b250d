//! Source files and places in them.

use std::sync::Arc;

use serde::{Deserialize, Serialize};

/// Which file of a [`SourceMap`].
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct SourceId(pub u32);

/// A range of bytes in a file.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct Span {
    /// The file.
    pub source: SourceId,
    /// First byte.
    pub start: u32,
    /// One past the last byte.
    pub end: u32,
}

/// A value and where it stands.
#[derive(Clone, Debug, PartialEq)]
pub struct Spanned<T> {
    /// The value.
    pub value: T,
    /// Its place.
    pub span: Span,
}

/// One file's name and text.
#[derive(Clone, Debug)]
pub struct Source {
    /// The path relative to the configuration's directory, with `/`; or `--var x`, `TIDEFORM_VAR_x`.
    pub name: Arc<str>,
    /// The text, without a byte order mark.
    pub text: Arc<str>,
    /// Where its lines begin.
    lines: Arc<[u32]>,
}

impl Source {
    /// The text of a line, counted from 1, without its end; empty where there is none.
    pub fn line(&self, line: usize) -> &str {
        let start = line.checked_sub(1).and_then(|n| self.lines.get(n));
        let Some(start) = start.map(|start| *start as usize) else {
            return "";
        };
        let end = self
            .lines
            .get(line)
            .map_or(self.text.len(), |end| *end as usize);
        self.text
            .get(start..end)
            .unwrap_or("")
            .trim_end_matches(['\n', '\r'])
    }

    /// The line and column of a byte, counted from 1; columns in characters. Behind the end: the end.
    pub fn line_and_column(&self, byte: u32) -> (usize, usize) {
        let line = self.lines.partition_point(|start| *start <= byte).max(1);
        let start = self.lines.get(line - 1).copied().unwrap_or(0) as usize;
        let mut end = (byte as usize).clamp(start, self.text.len());
        while !self.text.is_char_boundary(end) {
            end -= 1;
        }
        let before = self.text.get(start..end).unwrap_or("");
        (line, before.chars().count() + 1)
    }
}

/// All the files of a run. Files are only added.
#[derive(Clone, Debug, Default)]
pub struct SourceMap {
    sources: Vec<Source>,
}

impl SourceMap {
    /// Adds a file.
    pub fn add(&mut self, name: &str, text: &str) -> SourceId {
        let id = SourceId(u32::try_from(self.sources.len()).unwrap_or(u32::MAX));
        let starts = text
            .bytes()
            .enumerate()
            .filter(|(_, byte)| *byte == b'\n')
            .map(|(at, _)| u32::try_from(at + 1).unwrap_or(u32::MAX));
        self.sources.push(Source {
            name: name.into(),
            text: text.into(),
            lines: std::iter::once(0).chain(starts).collect(),
        });
        id
    }

    /// The file of a span.
    pub fn get(&self, id: SourceId) -> Option<&Source> {
        self.sources.get(id.0 as usize)
    }

    /// The name, line and column of a place, counted from 1; columns in characters.
    pub fn place(&self, span: Span) -> Option<(Arc<str>, usize, usize)> {
        let source = self.get(span.source)?;
        let (line, column) = source.line_and_column(span.start);
        Some((source.name.clone(), line, column))
    }

    /// All files, in the order in which they were added.
    pub fn iter(&self) -> impl Iterator<Item = (SourceId, &Source)> {
        self.sources
            .iter()
            .enumerate()
            .map(|(i, source)| (SourceId(u32::try_from(i).unwrap_or(u32::MAX)), source))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn places_count_lines_and_characters_from_one() {
        let mut sources = SourceMap::default();
        let source = sources.add("a.hcl", "a\n\u{e9}b\n");
        for (start, line, column) in [
            (0, 1, 1),
            (1, 1, 2),
            (2, 2, 1),
            (4, 2, 2),
            (6, 3, 1),
            (99, 3, 1),
        ] {
            let span = Span {
                source,
                start,
                end: start,
            };
            assert_eq!(
                sources.place(span),
                Some(("a.hcl".into(), line, column)),
                "{start}"
            );
        }
    }
}
