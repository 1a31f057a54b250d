//! Diagnostics: what is wrong in the files, where, why, and how to mend it.

use std::borrow::Cow;
use std::collections::HashSet;

use crate::source::Span;

/// How bad it is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, serde::Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Severity {
    /// The configuration can be used.
    Warning,
    /// It cannot.
    Error,
}

/// A stable code, `P0107`; [`crate::codes`] holds them all with their texts.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Code(pub &'static str);

/// An underlined place with a few words.
#[derive(Clone, Debug, PartialEq)]
pub struct Label {
    /// Where.
    pub span: Span,
    /// The words beside the underline: "must be greater than 0".
    pub text: Cow<'static, str>,
}

/// One problem. The summary is short and free of the user's names.
#[derive(Clone, Debug, PartialEq)]
pub struct Diagnostic {
    /// How bad.
    pub severity: Severity,
    /// Stable.
    pub code: Code,
    /// "Target out of range".
    pub summary: Cow<'static, str>,
    /// The first is where the mistake is; others are related places. Empty only where there is no file.
    pub labels: Vec<Label>,
    /// Why, if not obvious.
    pub why: Option<Cow<'static, str>>,
    /// What to do.
    pub help: Option<Cow<'static, str>>,
}

impl Diagnostic {
    /// An error at a place.
    pub fn error(code: Code, summary: impl Into<Cow<'static, str>>) -> Diagnostic {
        Diagnostic {
            severity: Severity::Error,
            code,
            summary: summary.into(),
            labels: Vec::new(),
            why: None,
            help: None,
        }
    }

    /// A warning at a place.
    pub fn warning(code: Code, summary: impl Into<Cow<'static, str>>) -> Diagnostic {
        Diagnostic {
            severity: Severity::Warning,
            ..Diagnostic::error(code, summary)
        }
    }

    /// Adds an underlined place; the first one is where the mistake is.
    #[must_use]
    pub fn at(mut self, span: Span, text: impl Into<Cow<'static, str>>) -> Diagnostic {
        self.labels.push(Label {
            span,
            text: text.into(),
        });
        self
    }

    /// Says why.
    #[must_use]
    pub fn why(mut self, text: impl Into<Cow<'static, str>>) -> Diagnostic {
        self.why = Some(text.into());
        self
    }

    /// Says what to do.
    #[must_use]
    pub fn help(mut self, text: impl Into<Cow<'static, str>>) -> Diagnostic {
        self.help = Some(text.into());
        self
    }
}

/// The problems of a run, in the order in which they were found.
#[derive(Clone, Debug, Default)]
pub struct Diagnostics {
    list: Vec<Diagnostic>,
    seen: HashSet<(Code, Span, Cow<'static, str>)>,
}

impl Diagnostics {
    /// Adds one; a second one of the same code and words at the same place is dropped.
    pub fn push(&mut self, diagnostic: Diagnostic) {
        // A policy's problem is found again for every group that uses it.
        if let Some(label) = diagnostic.labels.first()
            && !self
                .seen
                .insert((diagnostic.code, label.span, label.text.clone()))
        {
            return;
        }
        self.list.push(diagnostic);
    }

    /// Adds one that is about one group, also where another group of the same block has the same problem.
    pub fn push_of_group(&mut self, diagnostic: Diagnostic) {
        self.list.push(diagnostic);
    }

    /// Whether any of them is an error.
    pub fn has_errors(&self) -> bool {
        self.list.iter().any(|d| d.severity == Severity::Error)
    }

    /// All of them.
    pub fn iter(&self) -> impl Iterator<Item = &Diagnostic> {
        self.list.iter()
    }

    /// Whether there are none.
    pub fn is_empty(&self) -> bool {
        self.list.is_empty()
    }

    /// How many.
    pub fn len(&self) -> usize {
        self.list.len()
    }
}

impl Extend<Diagnostic> for Diagnostics {
    fn extend<T: IntoIterator<Item = Diagnostic>>(&mut self, iter: T) {
        for diagnostic in iter {
            self.push(diagnostic);
        }
    }
}
