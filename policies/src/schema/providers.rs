//! `provider`, by kind.

use super::{BlockSchema, ENABLED, Kind, Labels, NOT_NEGATIVE, attribute, block};
use crate::defaults;

/// The kinds of resources that a kind of provider can scale; empty for sources of metrics.
pub(crate) fn resource_kinds(provider: &str) -> &'static [&'static str] {
    match provider {
        "mock" | "aws" => &["asg"],
        _ => &[],
    }
}

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
                    "What the simulated cloud says its region is.",
                ),
                attribute(
                    "step",
                    Kind::PositiveDuration,
                    "The length of a step in which load is served and measured, from 1s to 1h; by itself 1m.",
                ),
                attribute("delay", Kind::Duration, "How late samples are published."),
                attribute(
                    "retention",
                    Kind::PositiveDuration,
                    "How far back metrics can be read; by itself 15d.",
                ),
            ],
            blocks: &[&LOAD, &METRIC, &FAULT, &PRICE],
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
                    "external_id",
                    Kind::Text,
                    "The external id that the role asks for.",
                ),
                attribute(
                    "session_name",
                    Kind::Text,
                    "The name of the role's session, as CloudTrail shows it; by itself `tideform`.",
                ),
                attribute(
                    "allowed_account_ids",
                    Kind::Texts,
                    "Refuse to work in any other account.",
                ),
                attribute("endpoint_url", Kind::Text, "Another address of the API."),
                attribute(
                    "timeout",
                    Kind::PositiveDuration,
                    "The longest time for a call with all its tries, from 1s to 30s; by itself 30s. A try gets half of it.",
                ),
                attribute(
                    "max_attempts",
                    Kind::Count(1, 20),
                    "Tries of a read; by itself `AWS_MAX_ATTEMPTS`, or 4. A change is tried once.",
                ),
            ],
            ..block(
                "aws",
                Labels::None,
                "Amazon Web Services: EC2 Auto Scaling groups and CloudWatch.",
            )
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
            Kind::Word(&["start", "clock", "exact"]),
            "Whether the trace begins with the world, is read by the time of the week, or at its own times.",
        ),
        attribute("offset", Kind::Duration, "Skips so much of the trace."),
        attribute(
            "metric",
            Kind::Text,
            "Another name of the load as a metric, beside `requests`.",
        ),
        attribute(
            "noise",
            Kind::Share(100.0),
            "Spreads each step evenly by so much to either side.",
        ),
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
            Kind::Word(&["start", "clock", "exact"]),
            "Whether the trace begins with the world, is read by the time of the week, or at its own times.",
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
        attribute(
            "kind",
            Kind::Word(&[
                "throttle",
                "unavailable",
                "denied",
                "timeout_before",
                "timeout_after",
                "lag",
                "no_capacity",
                "interrupt_spot",
                "break",
            ]),
            "What goes wrong; by itself what the label says.",
        ),
        attribute(
            "rate",
            Kind::Number(NOT_NEGATIVE),
            "The share of calls or launches that it strikes; for `interrupt_spot` and `break` how often an hour each \
             instance is struck; by itself 1.",
        ),
        attribute(
            "calls",
            Kind::Texts,
            "Only these calls: `set_desired`, `read_groups`, ….",
        ),
        attribute("groups", Kind::Texts, "Only these resources, by name."),
        attribute(
            "from",
            Kind::Text,
            "Only from then on: a time, or so long after the world's start.",
        ),
        attribute(
            "until",
            Kind::Text,
            "Only before then: a time, or so long after the world's start.",
        ),
        attribute(
            "lifecycle",
            Kind::Word(&["on_demand", "spot"]),
            "With `no_capacity`, only launches of this kind.",
        ),
        attribute(
            "notice",
            Kind::Duration,
            "With `interrupt_spot`, how long before it an instance is told; by itself 2m.",
        ),
        attribute(
            "lag",
            Kind::Duration,
            "With `lag`, how long reads show what was before a change; by itself 30s.",
        ),
    ],
    ..block(
        "fault",
        Labels::Text("name"),
        "Something that goes wrong in the mock.",
    )
};

static PRICE: BlockSchema = BlockSchema {
    attributes: &[
        ENABLED,
        attribute(
            "on_demand_usd_per_hour",
            Kind::Number(NOT_NEGATIVE),
            "What an instance of the type costs on demand.",
        )
        .required(),
        attribute(
            "spot_usd_per_hour",
            Kind::Number(NOT_NEGATIVE),
            "What it costs on spot; by itself 37 % of on demand.",
        ),
    ],
    ..block(
        "price",
        Labels::Text("type"),
        "What the mock charges for an instance type; others cost as m5.large.",
    )
};
