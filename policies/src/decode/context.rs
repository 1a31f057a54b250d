//! What a run of the decoder remembers: problems, which places are bad, and what is costly to read twice.

use std::collections::{HashMap, HashSet};
use std::rc::Rc;

use jiff::tz::TimeZone;

use super::read::{Problem, unknown_timezone};
use crate::calendar::{CronError, CronExpression};
use crate::codes;
use crate::diagnostic::{Diagnostic, Diagnostics};
use crate::source::Span;

/// What a run of the decoder remembers.
#[derive(Default)]
pub(crate) struct Context {
    /// All that was found.
    pub diagnostics: Diagnostics,
    /// Values that have been reported already: nothing more is said of them or of what follows from them.
    bad: HashSet<Span>,
    crons: HashMap<String, Result<Rc<CronExpression>, Problem>>,
    zones: HashMap<String, Result<TimeZone, Problem>>,
    suggestions: u32,
    /// A year of each recurring window that was compared with another.
    pub calendars: crate::checks::Calendars,
}

/// After so many suggestions a run makes no more: looking for near names is slow where thousands are unknown, and
/// nobody reads them.
const MOST_SUGGESTIONS: u32 = 500;

impl Context {
    /// Whether there may be another suggestion in this run.
    pub(crate) fn may_suggest(&mut self) -> bool {
        self.suggestions += 1;
        self.suggestions <= MOST_SUGGESTIONS
    }

    pub(crate) fn new(diagnostics: Diagnostics) -> Context {
        Context {
            diagnostics,
            ..Context::default()
        }
    }

    /// Reports a problem.
    pub(crate) fn push(&mut self, diagnostic: Diagnostic) {
        self.diagnostics.push(diagnostic);
    }

    /// Reports what is wrong with a value, and marks it.
    pub(crate) fn bad_value(&mut self, problem: Problem, span: Span) {
        self.bad.insert(span);
        self.diagnostics.push(problem.at(span));
    }

    /// Marks a value whose problem was reported elsewhere.
    pub(crate) fn mark(&mut self, span: Span) {
        self.bad.insert(span);
    }

    /// Whether the value at a place has been reported.
    pub(crate) fn is_bad(&self, span: Span) -> bool {
        self.bad.contains(&span)
    }

    /// A cron expression; each text is read once.
    pub(crate) fn cron(&mut self, text: &str) -> Result<Rc<CronExpression>, Problem> {
        if let Some(known) = self.crons.get(text) {
            return known.clone();
        }
        let read = CronExpression::parse(text)
            .map(Rc::new)
            .map_err(cron_problem);
        self.crons.insert(text.to_owned(), read.clone());
        read
    }

    /// A time zone; each name is read once.
    pub(crate) fn zone(&mut self, name: &str) -> Result<TimeZone, Problem> {
        if let Some(known) = self.zones.get(name) {
            return known.clone();
        }
        let read = TimeZone::get(name).map_err(|_| unknown_timezone(name));
        self.zones.insert(name.to_owned(), read.clone());
        read
    }
}

fn cron_problem(error: CronError) -> Problem {
    if error == CronError::NeverFires {
        return Problem::new(
            codes::NEVER_FIRES,
            "Schedule never opens",
            error.to_string(),
        );
    }
    let hint = match &error {
        CronError::Unknown { hint, .. } => hint.clone(),
        CronError::Fields { .. } => {
            Some("minute hour day month weekday, as in \"0 8 * * MON-FRI\"".to_owned())
        }
        CronError::BackwardStep { .. } => Some("list the values: \"22,0,2,4,6\"".to_owned()),
        CronError::EmptyItem { .. } => Some("take the extra comma out".to_owned()),
        _ => None,
    };
    let problem = Problem::new(codes::CRON, "Cron expression not usable", error.to_string());
    match hint {
        Some(hint) => problem.help(hint),
        None => problem,
    }
}
