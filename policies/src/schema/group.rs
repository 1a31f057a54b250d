//! `policy` and `group`: the blocks that they share, and those of the group.

use super::{BlockSchema, ENABLED, Kind, Labels, POSITIVE, attribute, block};
use super::{fleet, rules, windows};
use crate::defaults;

const WARMUP: super::AttributeSchema = attribute(
    "warmup",
    Kind::Duration,
    "In service this long before an instance counts as ready.",
)
.or(defaults::WARMUP);
const EVERY: super::AttributeSchema = attribute(
    "every",
    Kind::PositiveDuration,
    "How often the loop decides.",
)
.or(defaults::EVERY);
const COMBINE: super::AttributeSchema = attribute(
    "combine",
    Kind::Word(&["max", "majority", "weighted"]),
    "How the metrics' opinions become one.",
)
.or(defaults::COMBINE);
const OUT_ABOVE: super::AttributeSchema = attribute(
    "out_above",
    Kind::Number(POSITIVE),
    "With `combine = \"weighted\"`: the mean score above which the group grows.",
)
.or(defaults::OUT_ABOVE);
const IN_BELOW: super::AttributeSchema = attribute(
    "in_below",
    Kind::Number(POSITIVE),
    "With `combine = \"weighted\"`: the mean score below minus which it shrinks.",
)
.or(defaults::IN_BELOW);
const OUT_STEP: super::AttributeSchema = attribute(
    "out_step",
    Kind::Number(super::NOT_NEGATIVE),
    "With `combine = \"weighted\"`: growing adds 1 + floor(out_step x score).",
)
.or(defaults::OUT_STEP);
const IN_STEP: super::AttributeSchema = attribute(
    "in_step",
    Kind::Number(super::NOT_NEGATIVE),
    "With `combine = \"weighted\"`: shrinking removes 1 + floor(in_step x |score|).",
)
.or(defaults::IN_STEP);

pub(super) static POLICY: BlockSchema = BlockSchema {
    attributes: &[
        ENABLED, WARMUP, EVERY, COMBINE, OUT_ABOVE, IN_BELOW, OUT_STEP, IN_STEP,
    ],
    blocks: &[
        &rules::METRIC,
        &rules::SCALE_OUT,
        &rules::SCALE_IN,
        &windows::SCHEDULE,
        &windows::SURGE,
        &windows::FORECAST,
        &rules::GUARD,
        &windows::FREEZE,
        &fleet::LIMITS,
        &fleet::MIX,
        &fleet::MAINTENANCE,
        &fleet::INSTANCE,
        &fleet::BUDGET,
        &fleet::SLO,
    ],
    ..block(
        "policy",
        Labels::Name("name"),
        "How groups scale, for several of them; groups take it with `use`.",
    )
};

pub(super) static GROUP: BlockSchema = BlockSchema {
    attributes: &[
        attribute("provider", Kind::Provider, "Who runs it.").required(),
        attribute(
            "use",
            Kind::Policies,
            "Policies that it takes, from the weakest to the strongest.",
        ),
        attribute(
            "controller",
            Kind::Word(&["tideform", "native"]),
            "Who scales it: tideform's loop, or the cloud's own policies.",
        )
        .or(defaults::CONTROLLER),
        attribute(
            "adopt",
            Kind::Adopt,
            "Existing policies of the cloud that tideform takes over: names, or `true` for all.",
        )
        .or(defaults::ADOPT),
        attribute(
            "coexist",
            Kind::Bool,
            "Foreign dynamic policies may act beside the loop.",
        )
        .or(defaults::COEXIST),
        ENABLED,
        WARMUP,
        EVERY,
        COMBINE,
        OUT_ABOVE,
        IN_BELOW,
        OUT_STEP,
        IN_STEP,
    ],
    blocks: &[
        &fleet::RESOURCE,
        &fleet::LAUNCH,
        &rules::METRIC,
        &rules::SCALE_OUT,
        &rules::SCALE_IN,
        &windows::SCHEDULE,
        &windows::SURGE,
        &windows::FORECAST,
        &rules::GUARD,
        &windows::FREEZE,
        &fleet::LIMITS,
        &fleet::MIX,
        &fleet::MAINTENANCE,
        &fleet::INSTANCE,
        &fleet::BUDGET,
        &fleet::SLO,
    ],
    ..block(
        "group",
        Labels::Name("name"),
        "Interchangeable instances scaled as one; with `for_each`, one for each key.",
    )
};

/// Attributes of a group that a policy cannot have.
pub(crate) const GROUP_ONLY: &[&str] = &[
    "provider",
    "use",
    "controller",
    "adopt",
    "coexist",
    "for_each",
];
