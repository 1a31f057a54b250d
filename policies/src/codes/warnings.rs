//! P05xx: warnings.

super::codes! {
    UNDECLARED_IN_FILE = "P0501", "Value for a variable that is not declared",
        "A file of variables sets a name that no `variable` block declares. The value is not used. Shared files of variables are common, so this is a warning; --var for an undeclared name is an error.",
        "# prod.auto.vars.hcl\npaek = 80      # variable \"peak\" is declared";
    SHORT_COOLDOWN = "P0520", "Cooldown shorter than boot",
        "New instances boot longer than the group waits: neither `warmup` nor the cooldown of `scale_out` covers `instance.boot`. The load that they are meant to take is still on the others, and the next decisions add more.",
        "instance { boot = \"5m\" }\nscale_out { cooldown = \"1m\" }";
    FIGHT = "P0521", "Metrics that fight",
        "For some values one rule wants more instances while another, on the same measurement, wants fewer. One of them is never heard, or the group goes back and forth.",
        "metric \"cpu\" {\n  step {\n    above = 70\n    add   = 1\n  }\n}\nmetric \"cpu_low\" {\n  name = \"cpu\"\n  step {\n    below  = 80\n    remove = 1\n  }\n}";
    SHORT_WINDOW = "P0522", "Window shorter than three decisions",
        "The group decides only every so often; a window that is open for less than three decisions may be over before its capacity has booted.",
        "every = \"5m\"\nschedule \"burst\" {\n  cron     = \"0 9 * * *\"\n  duration = \"10m\"\n  min      = 6\n}";
    FLOOR_ABOVE_MAX = "P0523", "Floor above the maximum",
        "The floor of a schedule or surge is above `limits.max`. The limits win, so the floor is never reached.",
        "limits { max = 10 }\nschedule \"sale\" { min = 30 }";
    CAPPED = "P0524", "Growth limited by a capped metric",
        "The only rules of the group track a utilization, which cannot show more than 100 %. However large the overload, one decision grows the group by at most 100 / target; a metric of the load itself (requests) sees the whole of it. Said for targets above 50, and not of groups that the cloud's own policies scale.",
        "metric \"cpu\" {\n  track { target = 80 }      # at most 25 % a round\n}";
    DOES_NOTHING_YET = "P0525", "Does nothing yet",
        "The language has this and it was read and checked, but this version of tideform does not act on it.",
        "forecast {\n  metric       = \"requests\"\n  per_instance = 120\n}";
    NO_EFFECT = "P0526", "Setting without effect",
        "The setting is legal, but nothing else in the group makes use of it.",
        "combine = \"max\"\nmetric \"cpu\" { weight = 2 }      # needs combine = \"weighted\"";
    CRON_STEP = "P0527", "Cron step longer than its field",
        "A step that is longer than its field never reaches a second value: `*/70` in the minutes fires once an hour, not every 70 minutes.",
        "cron = \"*/70 * * * *\"";
    EXPECTS_NOTHING = "P0528", "Test that expects nothing",
        "No step of the test has an `expect`, and it has neither `always` nor `never`: it cannot fail.",
        "test \"works\" {\n  group = group.web\n  at \"0m\" {}\n}";
}
