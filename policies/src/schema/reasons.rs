//! The kinds of reasons that a decision may give, as far as the language names them: in a test's `expect`.
//!
//! The engine stands above this crate and has the reasons themselves. A test of the root package compares its list
//! with this one.

/// What a reason of a kind may be about.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum About {
    /// One of the group's metrics.
    Metric,
    /// One of its guards.
    Guard,
    /// One of its freezes.
    Freeze,
    /// One of its schedules.
    Schedule,
    /// What sets a floor or ceiling: `limits`, `forecast`, or one of its schedules and surges.
    Bound,
    /// The group itself: such a reason has no subject.
    Group,
}

/// What reasons of a kind are about.
pub(crate) fn about(kind: &str) -> About {
    match kind {
        "opinion" | "want" | "step" | "abstained" | "no_data" | "substituted"
        | "added_on_missing" | "cut" | "warming" => About::Metric,
        "guard_tripped" | "guarded" => About::Guard,
        "frozen" => About::Freeze,
        "schedule_unusable" => About::Schedule,
        "raised_to_floor" | "lowered_to_ceiling" => About::Bound,
        _ => About::Group,
    }
}

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
