//! `limits`, `mix`, `maintenance`, `instance`, `budget`, `slo`, `resource`, `launch`.

use super::{
    BlockSchema, ENABLED, Kind, Labels, MOST, NOT_NEGATIVE, POSITIVE, Range, attribute, block,
};
use crate::defaults;

pub(super) static LIMITS: BlockSchema = BlockSchema {
    attributes: &[
        ENABLED,
        attribute("min", Kind::Count(0, MOST), "The smallest capacity.").required(),
        attribute("max", Kind::Count(0, MOST), "The largest capacity.").required(),
    ],
    ..block(
        "limits",
        Labels::None,
        "Smallest and largest capacity; without it the live ones hold.",
    )
};

pub(super) static MIX: BlockSchema = BlockSchema {
    attributes: &[
        ENABLED,
        attribute(
            "on_demand_base",
            Kind::Count(0, MOST),
            "These first, on demand.",
        )
        .or(defaults::ON_DEMAND_BASE),
        attribute(
            "spot",
            Kind::Share(100.0),
            "The share of what is above the base that is spot.",
        )
        .or(defaults::SPOT),
        attribute(
            "types",
            Kind::Texts,
            "Instance types in order of preference; with weights, `type` blocks.",
        ),
        attribute(
            "allocation",
            Kind::Text,
            "How spot capacity is chosen, in the provider's words.",
        ),
        attribute(
            "rebalance",
            Kind::Bool,
            "Replace spot instances that are about to be taken back.",
        ),
    ],
    blocks: &[&TYPE, &FALLBACK],
    exclusive: &[&[&["types"], &["type"]]],
    ..block(
        "mix",
        Labels::None,
        "On-demand and spot, and instance types.",
    )
};

static TYPE: BlockSchema = BlockSchema {
    attributes: &[
        ENABLED,
        attribute(
            "weight",
            Kind::Count(1, 999),
            "The units that an instance of it counts as.",
        ),
    ],
    ..block("type", Labels::Text("instance type"), "One instance type.")
};

static FALLBACK: BlockSchema = BlockSchema {
    attributes: &[
        ENABLED,
        attribute("after", Kind::Count(1, 1_000), "Failed launches in a row.")
            .or(defaults::FALLBACK_AFTER),
        attribute("duration", Kind::PositiveDuration, "How long on demand.")
            .or(defaults::FALLBACK_DURATION),
    ],
    ..block(
        "fallback",
        Labels::None,
        "On demand for a while where spot fails to launch.",
    )
};

pub(super) static MAINTENANCE: BlockSchema = BlockSchema {
    attributes: &[
        ENABLED,
        attribute(
            "min_healthy",
            Kind::Share(100.0),
            "Never fewer healthy instances than this share of desired.",
        )
        .required(),
        attribute(
            "max_healthy",
            Kind::Share(200.0),
            "Never more instances than this share of desired, from `\"100%\"` on; at most 100 % above `min_healthy`.",
        )
        .required(),
    ],
    ..block(
        "maintenance",
        Labels::None,
        "How many instances there are while the provider replaces some.",
    )
};

pub(super) static INSTANCE: BlockSchema = BlockSchema {
    attributes: &[
        ENABLED,
        attribute("boot", Kind::Duration, "From launch to serving."),
        attribute(
            "throughput",
            Kind::Number(POSITIVE),
            "Load that it carries at 100 % utilization, in the unit of `load`.",
        ),
        attribute("load", Kind::Text, "The metric that is the load."),
        attribute(
            "price_usd_per_hour",
            Kind::Number(NOT_NEGATIVE),
            "On demand; without it the provider's prices.",
        ),
        attribute(
            "spot_price_usd_per_hour",
            Kind::Number(NOT_NEGATIVE),
            "Spot; without it the provider's prices.",
        ),
    ],
    ..block(
        "instance",
        Labels::None,
        "What one instance is, for cost and simulation.",
    )
};

pub(super) static BUDGET: BlockSchema = BlockSchema {
    attributes: &[
        ENABLED,
        attribute(
            "monthly_usd",
            Kind::Number(POSITIVE),
            "Per calendar month, UTC.",
        )
        .required(),
        attribute(
            "alert",
            Kind::Percents,
            "Percentages at which an event is recorded.",
        )
        .or(defaults::ALERT),
        attribute(
            "on_exceed",
            Kind::Word(&["warn", "block_scale_out"]),
            "What happens when it is used up.",
        )
        .or(defaults::ON_EXCEED),
    ],
    ..block("budget", Labels::None, "Money per month.")
};

pub(super) static SLO: BlockSchema = BlockSchema {
    implicit: true,
    attributes: &[
        ENABLED,
        attribute(
            "utilization",
            Kind::Number(Range {
                max: 100.0,
                ..POSITIVE
            }),
            "Above it, in percent, users feel it.",
        )
        .or(defaults::UTILIZATION),
        attribute(
            "objective",
            Kind::Number(Range {
                max: 100.0,
                ..POSITIVE
            }),
            "The percentage of minutes in which they do not.",
        )
        .or(defaults::OBJECTIVE),
    ],
    ..block("slo", Labels::None, "When users feel it.")
};

/// The kinds of resources of all providers.
pub(super) static RESOURCE: BlockSchema = BlockSchema {
    group_only: true,
    required: true,
    attributes: &[attribute("name", Kind::Text, "The provider's name of it.").required()],
    ..block(
        "resource",
        Labels::Text("kind"),
        "What is scaled; the kinds are the provider's.",
    )
};

pub(super) static LAUNCH: BlockSchema = BlockSchema {
    group_only: true,
    open: true,
    attributes: &[ENABLED],
    ..block(
        "launch",
        Labels::None,
        "How to create the resource; without it tideform neither creates nor destroys one.",
    )
};
