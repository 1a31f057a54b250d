//! P01xx: blocks, attributes, types and ranges.

super::codes! {
    UNKNOWN_ATTRIBUTE = "P0101", "Unknown attribute",
        "The block has no attribute of this name. The nearest known name is suggested where there is one; `tideform schema` and the language reference list them all.",
        "limits {\n  mim = 2      # write min\n}";
    UNKNOWN_BLOCK = "P0102", "Unknown block",
        "A block of this kind cannot stand here. The nearest known kind is suggested where there is one.",
        "metric \"cpu\" {\n  trak { target = 60 }      # write track\n}";
    VALUE_TYPE = "P0103", "Wrong type",
        "The attribute takes another type of value. Durations (\"90s\") and shares of a capacity (\"70%\") are text in quotes; measured values and counts are bare numbers; references to providers, policies and groups stand without quotes.",
        "every = 60         # write \"60s\"\nmin   = \"2\"        # write 2\nuse   = [\"web\"]    # write [policy.web]";
    UNKNOWN_WORD = "P0104", "Unknown word",
        "The attribute takes one of a few words, and this is none of them. They are listed with the diagnostic, the nearest first.",
        "combine = \"maximum\"      # write \"max\"";
    MISSING_ATTRIBUTE = "P0105", "Missing attribute",
        "An attribute without which the block means nothing is in none of the layers: neither in the group nor in the policies that it uses.",
        "track { tolerance = \"5%\" }      # target is missing";
    MISSING_BLOCK = "P0106", "Missing block",
        "A group says what it scales with a `resource` block, which names the provider's kind and its name there.",
        "group \"web\" {\n  provider = provider.mock      # add: resource \"asg\" { name = \"web\" }\n}";
    TARGET_OUT_OF_RANGE = "P0107", "Target out of range",
        "A target must be greater than 0. Desired capacity is ready x observed / target, so a target of 0 has no answer. To empty a group when the metric is 0, write a `step` with `below = 0` and `set = 0` instead of `track`; to empty it at night, a `schedule` with `max = 0`. Both need `limits { min = 0 }`.",
        "track { target = 0 }      # write `target = 60`";
    NUMBER_OUT_OF_RANGE = "P0108", "Number outside of its range",
        "The attribute takes numbers of a range, and this one lies outside, or is no whole number where one is needed. Capacities are whole numbers up to a million.",
        "limits {\n  min = -1\n  max = 2.5\n}";
    DURATION = "P0109", "Duration not usable",
        "A duration is text: numbers with units, \"90s\", \"2h30m\", \"28d\". It is not negative, has no months or years (their length varies), and is at most ten years.",
        "warmup = \"3 monthz\"\nevery  = \"0s\"          # must be longer than nothing\nmax_age = \"1mo\"        # write \"30d\"";
    SHARE = "P0110", "Share not usable",
        "A share of a capacity is text with a percent sign, \"70%\", in the range that the attribute says. An amount is a whole number of instances, or such a share.",
        "spot = \"170%\"\nadd  = \"50\"      # write 50 instances or \"50%\"";
    TIME = "P0111", "Time not usable",
        "A time is RFC 3339, \"2026-11-27T06:00:00Z\", or without the offset beside a `timezone`. A date is \"2026-12-25\".",
        "start = \"2026-11-27T06:00:00\"      # add timezone, or write ...Z";
    UNKNOWN_TIMEZONE = "P0112", "Unknown time zone",
        "Time zones have the names of the IANA database, \"Europe/Berlin\". Abbreviations like PST are not among them: they do not say when the clock changes.",
        "timezone = \"Europe/Berln\"      # write \"Europe/Berlin\"";
    CRON = "P0113", "Cron expression not usable",
        "A cron expression has five fields: minute, hour, day of the month, month, weekday. Each is `*`, a number, a name (MON, JAN), a range, a list, or a step `*/15`.",
        "cron = \"0 8 * *\"            # five fields: \"0 8 * * *\"\ncron = \"0 25 * * MON\"       # hours are 0 to 23";
    NEVER_FIRES = "P0114", "Schedule never opens",
        "The cron expression is well formed, but no such day exists, or a window ends before it begins; the schedule would never do anything.",
        "cron = \"0 0 31 2 *\"      # there is no 31 February";
    STATISTIC = "P0115", "Statistic not usable",
        "A statistic is average, sum, minimum, maximum, rate (the sum per second), or a percentile from p0 to p100, as in \"p99\" or \"p99.9\".",
        "statistic = \"p101\"\nstatistic = \"avg\"      # write \"average\"";
    BREACH = "P0116", "Breach not usable",
        "A breach says how long a threshold must hold before it acts: a duration, \"2m\", or \"M of N\" periods, \"3 of 5\".",
        "breach = \"3 out of 5\"      # write \"3 of 5\"";
    DUPLICATE_BLOCK = "P0117", "Block stands twice",
        "Within one body a block of a kind, or of a kind and a label, may stand once: two of them would contradict each other. The first one is underlined too.",
        "limits { max = 4 }\nlimits { min = 2 }      # write both into one block";
    LABELS = "P0118", "Wrong labels",
        "The block takes another number of labels: a metric has its name, a resource its kind, `limits` none.",
        "metric { }            # write metric \"cpu\" { }\nlimits \"web\" { }      # write limits { }";
    NAME = "P0119", "Name not usable",
        "A name that other blocks, commands or the cloud refer to is letters, digits, `_` and `-`, begins with a letter or `_`, and has at most 64 characters.",
        "metric \"cpu load\" {}      # write \"cpu_load\"";
    EXCLUSIVE = "P0120", "Names that exclude each other",
        "Of these attributes and blocks only one may be used in a block, for each alone says the whole. In layers the stronger one drops an inherited other; within one layer it is not clear which is meant.",
        "guard \"errors\" {\n  when   = metric.errors > 5\n  blocks = \"all\"\n  cap    = 10      # one of the two\n}";
    GROUP_ONLY = "P0121", "Belongs to the group",
        "A policy says how groups scale. Who runs a group, what is scaled, and which policies it takes is the group's own: provider, resource, controller, use, for_each, adopt, coexist, launch.",
        "policy \"web\" {\n  provider = provider.mock      # move it into the group\n}";
    SHAPE = "P0122", "Attribute and block confused",
        "A block is written `name { ... }`, an attribute `name = value`. The underlined one exists in the other form.",
        "limits = { min = 2, max = 4 }      # write limits { ... }\ntarget { 60 }                      # write target = 60";
    VERSION = "P0124", "Another version of tideform needed",
        "`required_version` says which versions may run this directory, and this one is not among them; or the requirement is not readable. It is written as in Terraform: \">= 0.1\", \"~> 0.1\", \"!= 0.1.3\", several with commas.",
        "tideform { required_version = \">= 99\" }";
    ONE_NEEDED = "P0125", "One of several attributes needed",
        "The block needs at least one of a few attributes to mean anything, and none of them is in any layer.",
        "step { above = 100 }      # and add, remove or set";
    EMPTY_TEXT = "P0126", "Empty text",
        "The attribute or label needs text, and \"\" is none. Leave the attribute out, or set it to null, where nothing is meant.",
        "resource \"asg\" { name = \"\" }";
    RATE_DIRECTION = "P0127", "Rate against its direction",
        "A rate inside `scale_out` says how much may be added, one inside `scale_in` how much may be removed.",
        "scale_in {\n  rate {\n    add = 2      # write remove = 2\n    per = \"5m\"\n  }\n}";
    SECRET = "P0128", "Secret where it would be kept",
        "A sensitive value stands in a policy, a group, a test or a provider. What these hold is written to the state and shown in plans, and no secret may be: the loop opens providers from the state. Credentials come from the environment, as each provider finds them there. nonsensitive(value) says that a value is none after all.",
        "variable \"token\" { sensitive = true }\nmetric \"queue\" { query = var.token }      # leave it out, or nonsensitive(var.token)";
}
