//! P04xx: checks across blocks.

super::codes! {
    MIN_ABOVE_MAX = "P0401", "Minimum above maximum",
        "The smallest capacity allowed is larger than the largest. Both may come from different layers; each is underlined where it was written.",
        "limits {\n  min = 8\n  max = 4\n}";
    CONTRADICTION = "P0402", "Schedules that contradict each other",
        "Two schedules are open at the same time, and the floor of one is above the ceiling of the other. A floor would win; if that is meant, raise the ceiling or shorten the window.",
        "schedule \"day\"   { min = 6 }      # 08:00 to 18:00\nschedule \"lunch\" { max = 4 }      # 12:00 to 13:00";
    EMPTY_WINDOW = "P0403", "Window that ends before it begins",
        "`end` is not after `start`, so the window is never open. Times without an offset are read in `timezone`.",
        "start = \"2026-11-28T02:00:00Z\"\nend   = \"2026-11-27T06:00:00Z\"";
    METRIC_CYCLE = "P0404", "Metrics that need each other",
        "The formula of a metric needs, perhaps by way of others, its own value, so it has none.",
        "metric \"a\" { value = metric.b + 1 }\nmetric \"b\" { value = metric.a - 1 }";
    OVERLAPPING_STEPS = "P0405", "Steps that overlap",
        "For some value of the metric two steps apply: two with the same bound, or one that says `above` a number below another's `below`.",
        "step {\n  above = 50\n  add   = 1\n}\nstep {\n  below  = 60\n  remove = 1\n}";
    NEVER_MET = "P0406", "Threshold that can never be met",
        "What the block waits for cannot happen: more breaching periods than are looked at, a breach longer than a day, or a threshold above what the metric can show.",
        "breach = \"5 of 3\"";
    CANNOT_LEAVE_ZERO = "P0407", "Nothing can leave zero",
        "With `min = 0` the group may be empty, and an empty group has no instances to measure: a metric with `scope = \"instance\"` has no opinion there. A metric with `scope = \"group\"` or `\"shared\"`, a schedule, a surge or a forecast with a floor can bring it back. Under `controller = \"native\"` a group without any rule or schedule may have it: only people scale it.",
        "limits {\n  min = 0\n  max = 10\n}\nmetric \"cpu\" {\n  track { target = 60 }\n}";
    WEIGHTS = "P0408", "Weights for some types only",
        "Where one type of a mix has a weight, all capacities of the group are in units, and every type needs one.",
        "mix {\n  type \"m6i.large\" { weight = 1 }\n  type \"m6i.xlarge\" {}      # weight = 2\n}";
    QUERY = "P0409", "Query and source do not fit",
        "A query is written in its source's own language: Prometheus needs one, clouds take a metric's name.",
        "metric \"queue\" {\n  source = provider.prometheus      # add query = \"sum(...)\"\n}";
    STEP_ORDER = "P0410", "Steps of a test out of order",
        "The steps of a test follow each other in time; each `at` is later than the one before it.",
        "at \"5m\" {}\nat \"1m\" {}";
    EMPTY_STEP = "P0411", "Step that holds no value",
        "A step reaches from `above` or `from` up to `to`, or from `below` down to it, and the value of `to` itself is not in it. Here no value is left.",
        "step {\n  from = 20\n  to   = 10      # 30\n  add  = 1\n}";
    TEST_CONTRADICTION = "P0412", "Test that contradicts itself",
        "Two things that a test says cannot both be true: no decision gives what it expects, or what it begins with is not possible.",
        "expect {\n  at_least = 6\n  at_most  = 4      # 6 or more\n}";
}
