//! The kinds of reasons that a decision may give, as far as the language names them: in a test's `expect`.
//!
//! The engine stands above this crate and has the reasons themselves. A test of the root package compares its list
//! with this one.

/// The names of all kinds, in the order of the rules.
pub const REASON_KINDS: &[&str] = &[
    "opinion",
    "want",
    "step",
    "abstained",
    "no_data",
    "substituted",
    "added_on_missing",
    "cut",
    "warming",
    "combined",
    "stabilized",
    "rate_limited",
    "direction_disabled",
    "in_cooldown",
    "guard_tripped",
    "guarded",
    "frozen",
    "over_budget",
    "pinned",
    "raised_to_floor",
    "lowered_to_ceiling",
    "within_limits",
    "forecast_observed",
    "schedule_unusable",
    "paused",
    "mix_split",
    "fallback",
    "victims",
];
