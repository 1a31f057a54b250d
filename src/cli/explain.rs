//! `tideform explain`.

use clap::Args;
use serde_json::json;
use tideform_policies::codes;

use super::args::{Moment, parse_moment};
use super::context::Context;
use super::error::CliError;
use super::output::{BOLD, CYAN, paint};
use super::{CliResult, exit};

/// Explains why a group was scaled as it was: the recorded decision with every reason. Or explains a diagnostic's code.
#[derive(Args, Debug)]
pub(super) struct ExplainArgs {
    /// A group's address (`web`, `svc.api`) or a code (`P0107`)
    #[arg(value_name = "GROUP|CODE")]
    what: String,

    /// The decision that was in force at this time, or so long ago: `2026-11-27T08:00:00Z`, `2h`
    #[arg(long, value_name = "TIME", value_parser = parse_moment)]
    at: Option<Moment>,

    /// Print it as JSON
    #[arg(long)]
    json: bool,
}

impl ExplainArgs {
    pub(super) fn run(self, cx: &Context) -> CliResult {
        if is_code(&self.what) {
            return self.explain_code(cx);
        }
        cx.not_supported_yet("explain")
    }

    fn explain_code(&self, cx: &Context) -> CliResult {
        let entry =
            codes::find(&self.what).ok_or_else(|| CliError::NoSuchCode(self.what.clone()))?;
        if self.json {
            cx.output.json(&json!({
                "format_version": 1,
                "code": entry.code.0,
                "title": entry.title,
                "explanation": entry.explanation,
                "example": entry.example,
            }));
            return Ok(exit::WELL);
        }
        cx.output.line(format!(
            "{} {}\n",
            paint(CYAN.bold(), entry.code.0),
            paint(BOLD, entry.title)
        ));
        cx.output.print(&wrap(entry.explanation, cx.output.width()));
        if !entry.example.trim().is_empty() {
            cx.output.line("");
            for line in entry.example.trim_end().lines() {
                cx.output.line(format!("    {line}"));
            }
        }
        Ok(exit::WELL)
    }
}

/// `P0107`, `p107` and the like; a group may be called `P1`.
fn is_code(text: &str) -> bool {
    text.strip_prefix(['P', 'p'])
        .is_some_and(|digits| digits.len() == 4 && digits.bytes().all(|b| b.is_ascii_digit()))
}

/// Breaks a paragraph into lines of at most `width` columns.
pub(super) fn wrap(text: &str, width: usize) -> String {
    let mut out = String::new();
    for paragraph in text.lines() {
        let mut column = 0;
        for word in paragraph.split_whitespace() {
            let length = word.chars().count();
            if column > 0 && column + 1 + length > width {
                out.push('\n');
                column = 0;
            } else if column > 0 {
                out.push(' ');
                column += 1;
            }
            out.push_str(word);
            column += length;
        }
        out.push('\n');
    }
    out
}
