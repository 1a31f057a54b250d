//! `test`.

use super::{BlockSchema, ENABLED, Kind, Labels, MOST, attribute, block};

pub(super) static TEST: BlockSchema = BlockSchema {
    attributes: &[
        ENABLED,
        attribute("group", Kind::Group, "The group under test.").required(),
        attribute(
            "always",
            Kind::TruthFormula,
            "Holds after every step, over `metric` and `self`.",
        ),
        attribute("never", Kind::TruthFormula, "Holds after no step."),
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
            "The capacity last asked for; without it the group's `min`.",
        ),
        attribute(
            "ready",
            Kind::Count(0, MOST),
            "How many are ready; without it all are.",
        ),
        attribute(
            "time",
            Kind::Instant,
            "The time of `at \"0m\"`; without it Monday, 2026-01-05T12:00:00Z.",
        ),
        attribute(
            "timezone",
            Kind::Timezone,
            "The IANA zone of a `time` without an offset.",
        ),
        attribute(
            "memory",
            Kind::Memory,
            "Changes and wishes before: `{ actions = [{ ago, from, to }], recommendations = [{ ago, desired }] }`.",
        ),
    ],
    ..block("given", Labels::None, "What is true before the first step.")
};

static AT: BlockSchema = BlockSchema {
    attributes: &[
        attribute(
            "metrics",
            Kind::MetricValues,
            "Values by metric: a number, a list of one an instance, or `null` for no data.",
        ),
        attribute(
            "ready",
            Kind::Count(0, MOST),
            "How many are ready from here on.",
        ),
    ],
    blocks: &[&EXPECT],
    ..block(
        "at",
        Labels::Text("time"),
        "One decision, so long after the first.",
    )
};

static EXPECT: BlockSchema = BlockSchema {
    attributes: &[
        attribute("desired", Kind::Count(0, MOST), "The decision's capacity."),
        attribute(
            "direction",
            Kind::Word(&["out", "in", "hold"]),
            "The decision's direction.",
        ),
        attribute(
            "reasons",
            Kind::Texts,
            "Kinds of reasons that are among the decision's.",
        ),
    ],
    one_of: &[&["desired", "direction", "reasons"]],
    ..block("expect", Labels::None, "What must come out.")
};
