//! P02xx: names and references. P0201 to P0239 are found while evaluating, P0240 and up while decoding.

super::codes! {
    UNKNOWN_NAME = "P0201", "Unknown name",
        "A bare word in an expression must be a name: `var.x`, `local.x`, `each.key`, `provider.x`, `policy.x`, `group.x`, or a name that a `for` introduces. A word that is meant as text stands in quotes.",
        "every = 1m      # write \"1m\"\norder = newest  # write \"newest\"";
    UNKNOWN_VARIABLE = "P0202", "Unknown variable",
        "The expression uses a variable that no `variable` block declares. The nearest declared name is suggested where there is one.",
        "variable \"peak\" {}\ngroup \"web\" {\n  limits { max = var.paek }      # write var.peak\n}";
    UNKNOWN_LOCAL = "P0203", "Unknown local",
        "The expression uses a local value that no `locals` block sets. The nearest name is suggested where there is one.",
        "locals { peak = 40 }\ngroup \"web\" {\n  limits { max = local.paek }\n}";
    UNKNOWN_FUNCTION = "P0204", "Unknown function",
        "There is no function of this name. Functions are Terraform's pure ones; `tideform schema` lists them.",
        "max = ceiling(1.5)      # write ceil(1.5)";
    IMPURE_FUNCTION = "P0205", "Function that gives another answer each time",
        "timestamp(), uuid(), bcrypt() and the like give another answer at each call, so what was reviewed would not be what runs. Dates and times of schedules are written out; what must vary is a variable.",
        "start = timestamp()      # write \"2026-11-27T06:00:00Z\"";
    UNKNOWN_ADDRESS = "P0206", "Unknown reference",
        "`provider.x`, `policy.x` and `group.x` name blocks of this directory, and there is no such block. The nearest name is suggested where there is one.",
        "group \"web\" {\n  use = [policy.wbe]      # write policy.web\n}";
    INCOMPLETE_REFERENCE = "P0207", "Incomplete reference",
        "`var`, `local`, `each`, `provider`, `policy`, `group`, `metric` and `self` are not values by themselves: a name follows after a dot.",
        "max = var      # write var.peak";
    EACH_OUTSIDE = "P0208", "each outside of for_each",
        "`each.key` and `each.value` exist inside a `group` that has `for_each`. Inside a `dynamic` block the name is the block's kind, or what `iterator` says.",
        "group \"svc\" {\n  for_each = var.services\n  limits { max = each.value.max }\n}";
    METRIC_OUTSIDE = "P0209", "metric or self outside of a formula",
        "`metric.*` and `self.*` are known only when a decision is made. They may stand in a metric's `value`, a guard's `when`, and a test's `always` and `never`, and nowhere else; not in `locals` either.",
        "metric \"backlog\" {\n  value = metric.queue / self.ready\n}";
    CYCLE = "P0210", "Values that need each other",
        "A local value needs, perhaps by way of others, its own result. Each step of the circle is underlined: break it at one of them.",
        "locals {\n  a = local.b + 1\n  b = local.a\n}";
    DUPLICATE_LOCAL = "P0211", "Local set twice",
        "All `locals` blocks of a directory share one set of names, and each name may be set once.",
        "locals { peak = 40 }\nlocals { peak = 50 }";
    DUPLICATE_VARIABLE = "P0212", "Variable declared twice",
        "All files of a directory share their variables, and each may be declared once.",
        "variable \"peak\" {}\nvariable \"peak\" {}";
    UNDECLARED_VARIABLE = "P0213", "Value for an undeclared variable",
        "A value was given with --var for a variable that no `variable` block declares. A value from the environment for an undeclared one is ignored, one from a file of variables is a warning.",
        "tideform plan --var paek=50      # write --var peak=50";
    MISSING_VARIABLE = "P0214", "Variable without a value",
        "A variable without a `default` needs a value: --var name=value, a line in a file that ends in .auto.vars.hcl, a file given with --var-file, or TIDEFORM_VAR_name in the environment.",
        "tideform plan --var env=prod";
    UNKNOWN_SELF = "P0215", "Unknown value of a group",
        "`self` has `ready` (past warmup), `live` (starting or in service), `desired`, `min` and `max`.",
        "value = metric.queue / self.count      # write self.ready";
    GROUP_KEY = "P0216", "Group needs a key",
        "A group with `for_each` is many groups: say which one, `group.svc[\"api\"]`. A group without `for_each` takes no key.",
        "test \"api\" {\n  group = group.svc[\"api\"]\n}";
    UNKNOWN_ATTRIBUTE_OF_VALUE = "P0217", "Object has no such attribute",
        "The object has no attribute or key of this name. The nearest one is suggested where there is one; lookup(object, \"key\", default) and try() give a default.",
        "locals { sizes = { small = 1, large = 4 } }\nmax = local.sizes.smal      # write local.sizes.small";
    VARIABLE_NAME = "P0218", "Variable name not usable",
        "The name of a variable is letters, digits, `_` and `-`, begins with a letter or `_`, and is given as the block's only label.",
        "variable \"2nd\" {}      # write \"second\"";
    UNKNOWN_TOP_LEVEL = "P0219", "Unknown kind of block",
        "The top level of a file takes tideform, provider, variable, locals, policy, group, test, moved and removed blocks. Everything else stands inside one of these.",
        "groups \"web\" {}      # write group \"web\" {}";
    MISSING_LABEL = "P0220", "Block without its name",
        "The block needs a label: its name, by which everything else refers to it. It stands in quotes before the brace.",
        "group {      # write group \"web\" {\n}";
    NOT_A_VALUES_FILE = "P0221", "Value in a file of variables is not constant",
        "A file of variables holds constants: it may call functions, and it may use no names. What is calculated from variables is a local value.",
        "# prod.auto.vars.hcl\npeak = var.base * 2      # not here: locals { peak = var.base * 2 }";
    UNKNOWN_METRIC = "P0240", "Unknown metric",
        "A formula, a guard, a forecast or a test names a metric for which the group has no `metric` block. A metric that is only observed still needs its block: `metric \"requests\" {}`. The nearest name is suggested where there is one.",
        "guard \"errors\" {\n  when   = metric.eror_rate > 5      # write metric.error_rate\n  blocks = \"scale_in\"\n}";
    UNKNOWN_KIND = "P0241", "Unknown kind",
        "There is no provider, backend, or resource of this kind in this version. The known ones are listed, the nearest first.",
        "provider \"mok\" {}      # write \"mock\"";
    DUPLICATE_ADDRESS = "P0242", "Address used twice",
        "All files of a directory share their addresses: two groups, policies, providers or tests cannot have the same name. A second provider of a kind takes an alias as its second label.",
        "provider \"aws\" {}\nprovider \"aws\" {}      # write provider \"aws\" \"us\" {}";
    METRICS_ONLY = "P0243", "Provider that scales nothing",
        "Prometheus is a source of metrics: it can stand in a metric's `source`, not in a group's `provider`.",
        "group \"web\" {\n  provider = provider.prometheus      # write provider.mock\n}";
    CLAIMED_TWICE = "P0244", "Resource claimed by two groups",
        "Two groups with the same provider and the same resource would both move its capacity, each undoing what the other does.",
        "group \"a\" {\n  provider = provider.mock\n  resource \"asg\" { name = \"web\" }\n}\ngroup \"b\" {\n  provider = provider.mock\n  resource \"asg\" { name = \"web\" }\n}";
    MOVED = "P0245", "Move that cannot be made",
        "`moved` says that a group which is gone from the files lives on under another address: `from` must not be in the files any more, `to` must be, and an address moves once.",
        "moved {\n  from = group.shop      # still in the files\n  to   = group.web\n}";
    REMOVED = "P0246", "Removed group is still there",
        "`removed` forgets a group that is gone from the files. While its block is there, it is not clear what is meant.",
        "removed { from = group.web }      # and take the group \"web\" out";
    DISABLED = "P0247", "Reference to a disabled block",
        "The block that is referred to has `enabled = false`, so it is as if it were not written.",
        "provider \"mock\" { enabled = false }\ngroup \"web\" { provider = provider.mock }";
}
