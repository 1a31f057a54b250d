//! `tideform explain`.

use clap::Args;
use serde_json::json;
use tideform_policies::codes;
use tideform_state::OpenMode;

use super::args::{Moment, parse_group, parse_moment};
use super::context::Context;
use super::error::CliError;
use super::output::{BOLD, CYAN, paint};
use super::place::applied_address;
use super::view;
use super::{CliResult, exit};
use crate::engine::{Decision, explain};

/// Explain a decision, or a diagnostic's code.
///
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
        self.explain_group(cx)
    }

    fn explain_group(&self, cx: &Context) -> CliResult {
        let address = parse_group(&self.what).map_err(CliError::Usage)?;
        let (_, state) = cx.last_state(None, OpenMode::ReadWrite)?;
        let address = applied_address(&state, &address)?;
        let now = cx.now_of(&state)?;
        let at = self.at.map_or(now, |at| at.before(now));
        let stored = state.decision_at(&address, at)?;
        let (Some(applied), Some(stored)) = (state.applied_group(&address)?, stored) else {
            return Err(CliError::Nothing {
                summary: "No decision",
                why: format!(
                    "No decision about {address} is kept from {} or before.",
                    view::time(at)
                ),
                hint: "`tideform reconcile --once` makes one.".to_owned(),
            });
        };
        let decision: Decision = stored.decision.read()?;
        if self.json {
            cx.output.json(&json!({
                "format_version": 1,
                "group": address,
                "at": stored.at,
                "dry_run": stored.shadow,
                "changed": stored.changed,
                "decision": decision,
                "explanation": explain::lines(
                    &applied.group,
                    decision.current,
                    decision.desired,
                    &decision.reasons,
                    None,
                ),
            }));
            return Ok(exit::WELL);
        }
        let note = if stored.shadow {
            "dry run: nothing was changed"
        } else {
            ""
        };
        cx.output
            .line(format!("Decided at {}:", view::time(stored.at)));
        cx.output.print(&view::decision(
            &applied.group,
            &decision,
            Some(note).filter(|note| !note.is_empty()),
        ));
        Ok(exit::WELL)
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
