//! P01xx: blocks, attributes, types and ranges.

super::codes! {
    TARGET_OUT_OF_RANGE = "P0107", "Target out of range",
        "A target must be greater than 0. Desired capacity is ready x observed / target, so a target of 0 has no answer. To empty a group at night, set `limits { min = 0 }` and a `schedule` with `max = 0`.",
        "track { target = 0 }      # write `target = 60`";
}
