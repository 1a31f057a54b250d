//! `metric` with `track` and `step`; `scale_out`, `scale_in`, `rate`; `guard`.

use super::{
    BlockSchema, ENABLED, Kind, Labels, MOST, NO_RANGE, NOT_NEGATIVE, POSITIVE, attribute, block,
};
use crate::defaults;

pub(super) static METRIC: BlockSchema = BlockSchema {
    attributes: &[
        ENABLED,
        attribute(
            "source",
            Kind::Source,
            "Who is asked: the group's own provider, or another one.",
        )
        .or(defaults::SOURCE),
        attribute(
            "name",
            Kind::Text,
            "The metric's name there; without it, the label.",
        ),
        attribute("namespace", Kind::Text, "The backend's own namespace."),
        attribute("dimensions", Kind::TextMap, "The backend's own dimensions."),
        attribute("query", Kind::Text, "A query in the source's own language."),
        attribute(
            "value",
            Kind::NumberFormula,
            "A formula over other metrics and `self`, in place of a source.",
        ),
        attribute(
            "statistic",
            Kind::Statistic,
            "How samples are put together: average, sum, minimum, maximum, p50 to p99.9, rate.",
        )
        .or(defaults::STATISTIC),
        attribute(
            "period",
            Kind::PositiveDuration,
            "The length of one sample.",
        )
        .or(defaults::PERIOD),
        attribute("delay", Kind::Duration, "How late the source publishes.").or(defaults::DELAY),
        attribute(
            "on_missing",
            Kind::OnMissing,
            "What absent data means: hold, last, scale_out, or a number.",
        )
        .or(defaults::ON_MISSING),
        attribute(
            "max_age",
            Kind::PositiveDuration,
            "With `on_missing = \"last\"`, how old the newest sample may be.",
        )
        .or(defaults::MAX_AGE),
        attribute(
            "scope",
            Kind::Word(&["instance", "group", "shared"]),
            "A mean over instances, a total of the group, or one value that all its instances share.",
        )
        .or(defaults::SCOPE),
        attribute(
            "weight",
            Kind::Number(NOT_NEGATIVE),
            "Its say under `combine = \"weighted\"`.",
        )
        .or(defaults::WEIGHT),
        attribute(
            "threshold",
            Kind::Number(POSITIVE),
            "Half the width of its score under `combine = \"weighted\"`, in the metric's unit; without it, the target's tolerance.",
        ),
        attribute(
            "initialization",
            Kind::Duration,
            "A new instance's sample does not count before this age; without it, `warmup` for utilizations. `\"0s\"`: every sample counts, of instances that are not ready too.",
        ),
        attribute(
            "breach",
            Kind::Breach,
            "How long a step must be breached before it acts: `\"2m\"`, or `\"3 of 5\"` periods.",
        )
        .or(defaults::BREACH),
        attribute(
            "want",
            Kind::Bool,
            "The value itself is the capacity that is wanted.",
        )
        .or(defaults::WANT),
        attribute(
            "max_add",
            Kind::Count(0, MOST),
            "Its rule wants at most so many more than the current capacity in one decision.",
        ),
        attribute(
            "max_remove",
            Kind::Count(0, MOST),
            "Its rule wants at most so many fewer in one decision; 0: this metric removes nothing.",
        ),
    ],
    blocks: &[&TRACK, &STEP],
    exclusive: &[
        &[&["track"], &["step"], &["want"]],
        &[
            &["value"],
            &["source", "name", "namespace", "dimensions", "query"],
        ],
    ],
    ..block(
        "metric",
        Labels::Name("name"),
        "Something measured, and with `track`, `step` or `want` what follows from it.",
    )
};

static TRACK: BlockSchema = BlockSchema {
    attributes: &[
        ENABLED,
        attribute("target", Kind::Target, "What the metric is held at.").required(),
        attribute(
            "tolerance",
            Kind::Share(99.0),
            "Deviations up to this share of the target are ignored.",
        )
        .or(defaults::TOLERANCE),
        attribute(
            "tolerance_out",
            Kind::Share(1_000.0),
            "The same above the target only.",
        ),
        attribute(
            "tolerance_in",
            Kind::Share(99.0),
            "The same below the target only.",
        ),
    ],
    ..block("track", Labels::None, "Target tracking.")
};

static STEP: BlockSchema = BlockSchema {
    repeats: true,
    attributes: &[
        ENABLED,
        attribute(
            "above",
            Kind::Number(NO_RANGE),
            "At this value and above it, up to `to` or the next step.",
        ),
        attribute(
            "below",
            Kind::Number(NO_RANGE),
            "At this value and below it, down to `to` or the next step.",
        ),
        attribute(
            "from",
            Kind::Number(NO_RANGE),
            "A band: at this value and above it, up to `to`; without it, all below `to`.",
        ),
        attribute(
            "to",
            Kind::Number(NO_RANGE),
            "Where the step ends; this value itself is not in it.",
        ),
        attribute(
            "add",
            Kind::Adjustment,
            "Instances to add, or a share of the capacity; 0 keeps it.",
        ),
        attribute(
            "remove",
            Kind::Adjustment,
            "Instances to remove, or a share of the capacity; 0 keeps it.",
        ),
        attribute("set", Kind::Count(0, MOST), "Exactly this capacity."),
        attribute(
            "min_adjustment",
            Kind::Count(1, MOST),
            "A smaller change by a share becomes this.",
        ),
    ],
    exclusive: &[
        &[&["above"], &["below"], &["from"]],
        &[&["add"], &["remove"], &["set"]],
    ],
    one_of: &[&["above", "below", "from", "to"], &["add", "remove", "set"]],
    ..block("step", Labels::None, "One step of step scaling.")
};

pub(super) static SCALE_OUT: BlockSchema = BlockSchema {
    implicit: true,
    attributes: &[
        attribute(
            "enabled",
            Kind::Bool,
            "`false`: metrics never add instances.",
        )
        .or(defaults::ENABLED),
        attribute(
            "cooldown",
            Kind::Duration,
            "After a scale-out, further ones wait this long.",
        )
        .or(defaults::COOLDOWN),
        attribute(
            "stabilization",
            Kind::Duration,
            "The smallest wish of this long is taken.",
        )
        .or(defaults::STABILIZATION_OUT),
        attribute(
            "select",
            Kind::Word(&["max", "min", "disabled"]),
            "Of several rates, which binds.",
        )
        .or(defaults::SELECT),
    ],
    blocks: &[&RATE_OUT],
    ..block("scale_out", Labels::None, "The rules of growing.")
};

pub(super) static SCALE_IN: BlockSchema = BlockSchema {
    implicit: true,
    attributes: &[
        attribute(
            "enabled",
            Kind::Bool,
            "`false`: metrics never remove instances.",
        )
        .or(defaults::ENABLED),
        attribute(
            "cooldown",
            Kind::Duration,
            "After a scale-in or a scale-out, further scale-ins wait this long.",
        )
        .or(defaults::COOLDOWN),
        attribute(
            "stabilization",
            Kind::Duration,
            "The largest wish of this long is taken.",
        )
        .or(defaults::STABILIZATION_IN),
        attribute(
            "select",
            Kind::Word(&["max", "min", "disabled"]),
            "Of several rates, which binds.",
        )
        .or(defaults::SELECT),
        attribute(
            "order",
            Kind::Word(&["newest", "oldest", "default"]),
            "Which instances end first.",
        )
        .or(defaults::ORDER),
        attribute(
            "drain",
            Kind::Duration,
            "How long an ending instance may finish its work.",
        ),
    ],
    blocks: &[&RATE_IN],
    ..block("scale_in", Labels::None, "The rules of shrinking.")
};

static RATE_OUT: BlockSchema = BlockSchema {
    repeats: true,
    attributes: &[
        ENABLED,
        attribute("add", Kind::Amount, "At most so many, or such a share.").required(),
        attribute("per", Kind::PositiveDuration, "Within so long.").required(),
    ],
    ..block("rate", Labels::None, "A limit on the rate of growing.")
};

static RATE_IN: BlockSchema = BlockSchema {
    repeats: true,
    attributes: &[
        ENABLED,
        attribute("remove", Kind::Amount, "At most so many, or such a share.").required(),
        attribute("per", Kind::PositiveDuration, "Within so long.").required(),
    ],
    ..block("rate", Labels::None, "A limit on the rate of shrinking.")
};

pub(super) static GUARD: BlockSchema = BlockSchema {
    attributes: &[
        ENABLED,
        attribute(
            "when",
            Kind::TruthFormula,
            "While this holds, the guard is tripped.",
        )
        .required(),
        attribute("breach", Kind::Breach, "How long it must hold first.").or(defaults::BREACH),
        attribute(
            "blocks",
            Kind::Word(super::windows::BLOCKS),
            "Which moves become no move.",
        ),
        attribute(
            "cap",
            Kind::Count(0, MOST),
            "No growth past this capacity; removes nothing.",
        ),
        attribute(
            "release",
            Kind::Duration,
            "How long it must not hold before the guard lets go.",
        )
        .or(defaults::RELEASE),
    ],
    exclusive: &[&[&["blocks"], &["cap"]]],
    one_of: &[&["blocks", "cap"]],
    ..block(
        "guard",
        Labels::Name("name"),
        "A circuit breaker for scaling itself.",
    )
};
