//! `test`.

use super::{BlockSchema, ENABLED, Kind, Labels, MOST, NOT_NEGATIVE, attribute, block};
use crate::defaults;

pub(super) static TEST: BlockSchema = BlockSchema {
    attributes: &[
        ENABLED,
        attribute(
            "group",
            Kind::Groups,
            "The group under test; of a list, each by itself.",
        )
        .required(),
        attribute(
            "always",
            Kind::TruthFormula,
            "Holds after every decision, over `metric` and `self`; one condition, or a list.",
        ),
        attribute("never", Kind::TruthFormula, "Holds after no decision."),
    ],
    blocks: &[&GIVEN, &AT],
    ..block(
        "test",
        Labels::Text("name"),
        "A unit test of a group's rules, run by `tideform test`.",
    )
};

static GIVEN: BlockSchema = BlockSchema {
    attributes: &[
        attribute(
            "desired",
            Kind::Count(0, MOST),
            "The capacity last asked for; without it that of the `instance` blocks, or the group's `min`.",
        ),
        attribute(
            "ready",
            Kind::Count(0, MOST),
            "How many are ready, the rest having come into service at the start; without it all are.",
        ),
        attribute(
            "time",
            Kind::Instant,
            "The time of `at \"0m\"`; where the first step has a time of its own, that one.",
        )
        .or(defaults::TEST_TIME),
        attribute(
            "timezone",
            Kind::Timezone,
            "The IANA zone of times without an offset, here and in the steps.",
        ),
        attribute(
            "memory",
            Kind::Memory,
            "Changes and wishes before: `{ actions = [{ ago, from, to }], recommendations = [{ ago, desired }] }`.",
        ),
    ],
    blocks: &[&INSTANCE],
    exclusive: &[&[&["ready"], &["instance"]]],
    ..block("given", Labels::None, "What is true before the first step.")
};

/// The words of an instance's state.
pub(crate) const STATES: &[&str] = &["pending", "in_service", "unhealthy", "draining", "ended"];
/// The words of an instance's lifecycle.
pub(crate) const LIFECYCLES: &[&str] = &["on_demand", "spot"];

static INSTANCE: BlockSchema = BlockSchema {
    attributes: &[
        ENABLED,
        attribute("state", Kind::Word(STATES), "Where it is in its life.").or(defaults::TEST_STATE),
        attribute(
            "age",
            Kind::Duration,
            "Since its launch, and in service for as long; without it long ago.",
        ),
        attribute(
            "ready",
            Kind::Bool,
            "Whether it passes its readiness check, for as long as its age; without it it has none.",
        ),
        attribute("lifecycle", Kind::Word(LIFECYCLES), "How it is paid for.")
            .or(defaults::TEST_LIFECYCLE),
        attribute("protected", Kind::Bool, "It must not end on scale-in.")
            .or(defaults::TEST_PROTECTED),
        attribute("type", Kind::Text, "Its type."),
        attribute(
            "weight",
            Kind::Count(1, 1000),
            "The units that it counts as.",
        )
        .or(defaults::TEST_WEIGHT),
    ],
    ..block(
        "instance",
        Labels::Text("id"),
        "One of the instances that are there; with any, there are no others.",
    )
};

static AT: BlockSchema = BlockSchema {
    attributes: &[
        attribute(
            "until",
            Kind::StepTime,
            "The same is seen, and decided again at each `every`, until this time; `expect` is about the last decision.",
        ),
        attribute(
            "metrics",
            Kind::MetricValues,
            "Values by metric: a number, `null` for no data, a list of one an instance, or a map by instance.",
        ),
        attribute(
            "ready",
            Kind::Count(0, MOST),
            "How many are ready from here on; without it as boot and warm-up say.",
        ),
        attribute(
            "spent_usd",
            Kind::Number(NOT_NEGATIVE),
            "The money spent this month, from here on; without it it is not known.",
        ),
        attribute(
            "failed_spot_launches",
            Kind::Count(0, 1000),
            "Spot launches that fail at this time.",
        ),
    ],
    blocks: &[&PIN, &PAUSE, &SURGE, &EXPECT],
    ..block(
        "at",
        Labels::Text("time"),
        "One decision: so long after the start, or at a time.",
    )
};

static PIN: BlockSchema = BlockSchema {
    attributes: &[
        attribute("desired", Kind::Count(0, MOST), "The pinned capacity.").required(),
        attribute(
            "duration",
            Kind::PositiveDuration,
            "How long it lasts, from this step on.",
        )
        .required(),
    ],
    ..block(
        "pin",
        Labels::None,
        "Somebody pins the capacity, as `tideform scale` does.",
    )
};

static PAUSE: BlockSchema = BlockSchema {
    attributes: &[attribute(
        "duration",
        Kind::PositiveDuration,
        "How long it lasts, from this step on.",
    )
    .required()],
    ..block(
        "pause",
        Labels::None,
        "Somebody pauses the group, as `tideform pause` does.",
    )
};

static SURGE: BlockSchema = BlockSchema {
    attributes: &[attribute(
        "duration",
        Kind::PositiveDuration,
        "How long it lasts, from this step on; without it as the group's `surge` says.",
    )],
    ..block(
        "surge",
        Labels::Name("name"),
        "A surge of the group starts, as by `tideform surge start`; its floor holds from this step on.",
    )
};

static EXPECT: BlockSchema = BlockSchema {
    attributes: &[
        attribute("desired", Kind::Count(0, MOST), "The decision's capacity."),
        attribute(
            "at_least",
            Kind::Count(0, MOST),
            "The decision's capacity, or more.",
        ),
        attribute(
            "at_most",
            Kind::Count(0, MOST),
            "The decision's capacity, or fewer.",
        ),
        attribute(
            "direction",
            Kind::Word(&["out", "in", "hold"]),
            "The decision's direction.",
        ),
        attribute(
            "reasons",
            Kind::Reasons,
            "Reasons that are among the decision's: a kind, `\"no_data\"`, or with its subject, `\"no_data.cpu\"`.",
        ),
        attribute(
            "without",
            Kind::Reasons,
            "Reasons that are not among the decision's.",
        ),
        attribute(
            "wants",
            Kind::Wants,
            "What metrics want, each by itself: `{ cpu = 7 }`; `null` where it has no opinion.",
        ),
        attribute(
            "ready",
            Kind::Count(0, MOST),
            "How many the decision took as ready.",
        ),
        attribute(
            "on_demand",
            Kind::Count(0, MOST),
            "The on-demand part of the `mix`.",
        ),
        attribute("spot", Kind::Count(0, MOST), "The spot part of the `mix`."),
        attribute(
            "victims",
            Kind::Texts,
            "The instances that the decision ends, by their names and in this order.",
        ),
    ],
    one_of: &[&[
        "desired",
        "at_least",
        "at_most",
        "direction",
        "reasons",
        "without",
        "wants",
        "ready",
        "on_demand",
        "spot",
        "victims",
    ]],
    ..block("expect", Labels::None, "What must come out.")
};
