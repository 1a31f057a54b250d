//! `provider`, by kind.

use super::{BlockSchema, ENABLED, Kind, Labels, MOST, NOT_NEGATIVE, Range, attribute, block};
use crate::defaults;

/// A probability.
const RATE: Kind = Kind::Number(Range {
    max: 1.0,
    ..NOT_NEGATIVE
});

pub(super) static PROVIDER: BlockSchema = BlockSchema {
    attributes: &[ENABLED],
    variants: &[
        BlockSchema {
            attributes: &[
                attribute(
                    "world",
                    Kind::Text,
                    "The file that holds the simulated cloud.",
                )
                .or(defaults::MOCK_WORLD),
                attribute(
                    "clock",
                    Kind::Word(&["real", "stepped"]),
                    "Whether time passes by itself or is moved by hand.",
                )
                .or(defaults::MOCK_CLOCK),
                attribute(
                    "start",
                    Kind::Instant,
                    "The first moment of a new world with a stepped clock.",
                ),
                attribute("seed", Kind::Integer, "Decides all that is left to chance."),
                attribute(
                    "region",
                    Kind::Text,
                    "The region that prices are taken from.",
                ),
            ],
            blocks: &[&LOAD, &METRIC, &FAULT],
            ..block(
                "mock",
                Labels::None,
                "The embedded simulated cloud, in a file that all processes share.",
            )
        },
        BlockSchema {
            attributes: &[
                attribute("region", Kind::Text, "Without it, the SDK's own search."),
                attribute("profile", Kind::Text, "The profile of the credentials."),
                attribute("assume_role", Kind::Text, "The ARN of a role to take on."),
                attribute(
                    "allowed_account_ids",
                    Kind::Texts,
                    "Refuse to work in any other account.",
                ),
                attribute("endpoint_url", Kind::Text, "Another address of the API."),
            ],
            inert: Some("Auto Scaling groups cannot be planned or scaled"),
            ..block("aws", Labels::None, "Amazon Web Services.")
        },
        BlockSchema {
            attributes: &[
                attribute("url", Kind::Text, "The server's address.").required(),
                attribute("username", Kind::Text, "For basic authentication."),
                attribute(
                    "password_env",
                    Kind::Text,
                    "The environment variable that holds the password.",
                ),
                attribute(
                    "token_env",
                    Kind::Text,
                    "The environment variable that holds the bearer token.",
                ),
                attribute(
                    "timeout",
                    Kind::PositiveDuration,
                    "How long a query may take.",
                ),
            ],
            inert: Some("its metrics are never read"),
            ..block(
                "prometheus",
                Labels::None,
                "A Prometheus server: a source of metrics only.",
            )
        },
    ],
    ..block(
        "provider",
        Labels::VariantAndName("kind", "alias"),
        "A cloud or a source of metrics, and how to reach it.",
    )
};

static LOAD: BlockSchema = BlockSchema {
    attributes: &[
        ENABLED,
        attribute(
            "trace",
            Kind::Text,
            "A CSV file `timestamp,value` inside the directory.",
        ),
        attribute(
            "formula",
            Kind::Text,
            "The load as an expression of the time, in place of a trace.",
        ),
        attribute(
            "kind",
            Kind::Word(&["request", "queue"]),
            "Whether load that is not served is dropped or waits.",
        ),
        attribute(
            "per",
            Kind::Word(&["second", "minute", "hour", "step"]),
            "What the trace's values count: a rate, or the sum of a step.",
        ),
        attribute("scale", Kind::Number(NOT_NEGATIVE), "Multiplies the load."),
        attribute("repeat", Kind::Bool, "Begin again where the trace ends."),
        attribute(
            "align",
            Kind::Word(&["start", "clock"]),
            "Whether the trace begins with the world or at its own times.",
        ),
        attribute("offset", Kind::Duration, "Skips so much of the trace."),
        attribute("metric", Kind::Text, "The name of the load as a metric."),
    ],
    exclusive: &[&[&["trace"], &["formula"]]],
    one_of: &[&["trace", "formula"]],
    ..block(
        "load",
        Labels::Text("resource"),
        "The load on a resource of the mock: recorded, or computed.",
    )
};

static METRIC: BlockSchema = BlockSchema {
    attributes: &[
        ENABLED,
        attribute("trace", Kind::Text, "A CSV file `timestamp,value`."),
        attribute(
            "formula",
            Kind::Text,
            "The value as an expression of the time.",
        ),
        attribute("value", Kind::Number(super::NO_RANGE), "Always this value."),
        attribute(
            "resource",
            Kind::Text,
            "The resource that has the metric; without it all have.",
        ),
        attribute(
            "scale",
            Kind::Number(super::NO_RANGE),
            "Multiplies the value.",
        ),
        attribute("repeat", Kind::Bool, "Begin again where the trace ends."),
        attribute(
            "align",
            Kind::Word(&["start", "clock"]),
            "Whether the trace begins with the world or at its own times.",
        ),
        attribute("offset", Kind::Duration, "Skips so much of the trace."),
    ],
    exclusive: &[&[&["trace"], &["formula"], &["value"]]],
    one_of: &[&["trace", "formula", "value"]],
    ..block(
        "metric",
        Labels::Text("name"),
        "A metric of the mock that does not follow from load.",
    )
};

static FAULT: BlockSchema = BlockSchema {
    attributes: &[
        ENABLED,
        attribute("rate", RATE, "How often it strikes, from 0 to 1."),
        attribute(
            "after",
            Kind::Duration,
            "From so long after the world's start.",
        ),
        attribute("duration", Kind::PositiveDuration, "For so long."),
        attribute("delay", Kind::Duration, "How late an answer comes."),
        attribute("count", Kind::Count(1, MOST), "At most so many times."),
        attribute("resource", Kind::Text, "On this resource only."),
        attribute("call", Kind::Text, "On this call of the API only."),
    ],
    ..block(
        "fault",
        Labels::Text("kind"),
        "Something that goes wrong in the mock.",
    )
};
