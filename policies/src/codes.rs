//! Every diagnostic code, with what `tideform explain P0107` says about it.
//!
//! A code is stable: once released it keeps its meaning, and a code that is no longer used is never
//! given to something else. P00xx: reading and syntax. P01xx: blocks, values, ranges. P02xx: names
//! and references. P03xx: evaluation. P04xx: checks across blocks. P05xx: warnings.
//! P06xx: found by `plan`. One file each.
//!
//! A new code is one entry in the file of its hundred; [`crate::diagnostic::Diagnostic::error`] takes
//! the constant: `Diagnostic::error(codes::TARGET_OUT_OF_RANGE, "Target out of range")`.

use crate::diagnostic::Code;

mod checks;
mod evaluation;
mod names;
mod plan;
mod reading;
mod values;
mod warnings;

pub use checks::*;
pub use evaluation::*;
pub use names::*;
pub use plan::*;
pub use reading::*;
pub use values::*;
pub use warnings::*;

/// What is said about a code.
#[derive(Clone, Copy, Debug)]
pub struct Entry {
    /// `P0107`.
    pub code: Code,
    /// The usual summary: "Target out of range".
    pub title: &'static str,
    /// One paragraph: what is wrong, why it is not accepted, and what to write.
    pub explanation: &'static str,
    /// A few lines of HCL (or a command) that give this diagnostic, and what is right instead.
    pub example: &'static str,
}

/// Declares the codes of one hundred: a public constant each, and the table `ENTRIES`.
macro_rules! codes {
    ($($(#[$doc:meta])* $name:ident = $code:literal, $title:literal, $explanation:literal, $example:literal;)*) => {
        $(
            #[doc = concat!($code, ": ", $title, ".")]
            $(#[$doc])*
            pub const $name: $crate::diagnostic::Code = $crate::diagnostic::Code($code);
        )*
        pub(super) const ENTRIES: &[super::Entry] = &[$(super::Entry {
            code: $name,
            title: $title,
            explanation: $explanation,
            example: $example,
        }),*];
    };
}
use codes;

/// All codes, in their order.
pub fn all() -> impl Iterator<Item = &'static Entry> {
    [
        reading::ENTRIES,
        values::ENTRIES,
        names::ENTRIES,
        evaluation::ENTRIES,
        checks::ENTRIES,
        warnings::ENTRIES,
        plan::ENTRIES,
    ]
    .into_iter()
    .flatten()
}

/// The entry of a code as a person types it: `P0107`, `p0107`, `error[P0107]`.
pub fn find(text: &str) -> Option<&'static Entry> {
    let text = text.trim();
    let text = text
        .strip_prefix("error[")
        .or_else(|| text.strip_prefix("warning["))
        .map_or(text, |rest| rest.trim_end_matches(']'));
    all().find(|entry| entry.code.0.eq_ignore_ascii_case(text))
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::*;

    #[test]
    fn codes_are_unique_in_order_and_documented() {
        let mut seen = BTreeSet::new();
        let mut titles = BTreeSet::new();
        let mut last = "";
        for entry in all() {
            let code = entry.code.0;
            assert!(seen.insert(code), "{code} is there twice");
            assert!(titles.insert(entry.title), "{code}: title is there twice");
            assert!(code > last, "{code} stands after {last}");
            last = code;
            assert!(
                code.len() == 5
                    && code.starts_with("P0")
                    && code[1..].chars().all(|c| c.is_ascii_digit()),
                "{code} has the wrong form"
            );
            assert!(!entry.title.is_empty(), "{code} has no title");
            assert!(
                !entry.title.ends_with('.'),
                "{code}: title ends in a period"
            );
            assert!(
                entry.explanation.len() > 60,
                "{code}: the explanation is too short"
            );
            assert!(
                entry.explanation.ends_with('.'),
                "{code}: the explanation is no sentence"
            );
            assert!(!entry.example.is_empty(), "{code} has no example");
        }
    }

    #[test]
    fn each_hundred_has_its_file() {
        for (entries, prefix) in [
            (reading::ENTRIES, "P00"),
            (values::ENTRIES, "P01"),
            (names::ENTRIES, "P02"),
            (evaluation::ENTRIES, "P03"),
            (checks::ENTRIES, "P04"),
            (warnings::ENTRIES, "P05"),
            (plan::ENTRIES, "P06"),
        ] {
            for entry in entries {
                assert!(entry.code.0.starts_with(prefix), "{}", entry.code.0);
            }
        }
    }

    #[test]
    fn a_code_is_found_however_it_is_copied() {
        for text in ["P0001", "p0001", "error[P0001]", " P0001 "] {
            assert_eq!(find(text).map(|entry| entry.code.0), Some("P0001"));
        }
        assert!(find("P9999").is_none());
    }
}
