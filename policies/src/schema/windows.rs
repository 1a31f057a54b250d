//! `schedule`, `surge`, `freeze`, `forecast`.

use super::{BlockSchema, ENABLED, Kind, Labels, MOST, POSITIVE, Range, attribute, block};
use crate::defaults;

/// The directions that a guard or a freeze can block.
pub(super) const BLOCKS: &[&str] = &["scale_in", "scale_out", "all"];

pub(super) static SCHEDULE: BlockSchema = BlockSchema {
    attributes: &[
        ENABLED,
        attribute("cron", Kind::Cron, "When it opens, again and again."),
        attribute(
            "duration",
            Kind::PositiveDuration,
            "How long it stays open, by the clock on the wall.",
        ),
        attribute(
            "except",
            Kind::Dates,
            "Local dates on which it does not open.",
        ),
        attribute("start", Kind::Instant, "When it opens, once."),
        attribute("end", Kind::Instant, "When it closes."),
        attribute(
            "timezone",
            Kind::Timezone,
            "The IANA zone of `cron`, and of times without an offset.",
        )
        .or(defaults::TIMEZONE),
        attribute("min", Kind::Count(0, MOST), "The floor while it is open."),
        attribute("max", Kind::Count(0, MOST), "The ceiling while it is open."),
    ],
    exclusive: &[&[&["cron", "duration", "except"], &["start", "end"]]],
    one_of: &[&["cron", "start"], &["min", "max"]],
    ..block(
        "schedule",
        Labels::Name("name"),
        "A window with a floor and, with `max`, a ceiling.",
    )
};

pub(super) static SURGE: BlockSchema = BlockSchema {
    attributes: &[
        ENABLED,
        attribute("min", Kind::Count(1, MOST), "The floor.").required(),
        attribute(
            "lead",
            Kind::Duration,
            "How long before the start the floor holds.",
        )
        .or(defaults::SURGE_LEAD),
        attribute(
            "duration",
            Kind::PositiveDuration,
            "How long after the start the floor holds.",
        )
        .or(defaults::SURGE_DURATION),
    ],
    ..block(
        "surge",
        Labels::Name("name"),
        "A planned surge, started with `tideform surge start NAME --at TIME`.",
    )
};

pub(super) static FREEZE: BlockSchema = BlockSchema {
    attributes: &[
        ENABLED,
        attribute("start", Kind::Instant, "From here on.").required(),
        attribute("end", Kind::Instant, "Until here.").required(),
        attribute(
            "timezone",
            Kind::Timezone,
            "The IANA zone of times without an offset.",
        ),
        attribute("blocks", Kind::Word(BLOCKS), "Which moves become no move.")
            .or(defaults::FREEZE_BLOCKS),
        attribute("reason", Kind::Text, "Why, for people."),
    ],
    ..block(
        "freeze",
        Labels::Name("name"),
        "A time in which moves by metrics are blocked.",
    )
};

pub(super) static FORECAST: BlockSchema = BlockSchema {
    attributes: &[
        ENABLED,
        attribute("metric", Kind::Text, "The metric that is the demand.").required(),
        attribute(
            "per_instance",
            Kind::Number(POSITIVE),
            "What one instance carries: capacity = demand / per_instance.",
        )
        .required(),
        attribute("model", Kind::Text, "`auto`, or a model's name.").or(defaults::MODEL),
        attribute(
            "quantile",
            Kind::Number(Range {
                min: 0.0,
                above_min: true,
                max: 1.0,
                below_max: true,
            }),
            "Of the predicted distribution, between 0 and 1.",
        )
        .or(defaults::QUANTILE),
        attribute(
            "lead",
            Kind::Duration,
            "How far ahead the capacity must be there.",
        )
        .or(defaults::FORECAST_LEAD),
        attribute(
            "history",
            Kind::PositiveDuration,
            "How much history is learned from.",
        )
        .or(defaults::HISTORY),
        attribute(
            "mode",
            Kind::Word(&["scale", "observe"]),
            "Whether it is a floor, or only recorded.",
        )
        .or(defaults::FORECAST_MODE),
    ],
    inert: Some("demand is not predicted, and the floor is that of the other rules"),
    ..block("forecast", Labels::None, "Predicted demand as a floor.")
};
