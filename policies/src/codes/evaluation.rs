//! P03xx: evaluating expressions, variables, `for_each`, `dynamic`.

super::codes! {
    WRONG_TYPE = "P0301", "Value of the wrong type",
        "An operator, a function or an argument needs a value of another type, and the one given cannot be converted to it. Strings that hold numbers or true and false convert, as in Terraform; nothing converts to a list or an object by itself.",
        "max = [1, 2] + 1      # write sum([1, 2]) + 1";
    DIVISION_BY_ZERO = "P0302", "Division by zero",
        "The right side of `/` or `%` is 0, which has no answer. Guard it with a conditional: `var.n == 0 ? 0 : 100 / var.n`. In a formula a division by zero is no data.",
        "share = 100 / 0";
    NUMBER_OVERFLOW = "P0303", "Number out of range",
        "The result of the arithmetic is too large for an exact whole number (127 bits) or is not finite as a 64-bit float. Numbers never wrap around and never become infinite here.",
        "x = pow(10, 400)";
    NULL_VALUE = "P0304", "Value is null",
        "A null value stands for an attribute that is not set. It has no attributes, cannot be calculated with, and cannot be put into text. Give a default with coalesce(value, default) or a conditional.",
        "name = \"web-${null}\"";
    INDEX_OUT_OF_RANGE = "P0305", "Index out of range",
        "The list has fewer elements than the index asks for; the first is 0. try(list[3], default) gives a default.",
        "first = [][0]";
    WRONG_ARGUMENTS = "P0306", "Wrong arguments for a function",
        "The function takes another number of arguments. Its signature is shown.",
        "max = min()      # min(number, ...)";
    FUNCTION_FAILED = "P0307", "Function failed",
        "The function has no answer for these arguments. What it says is shown with the argument that it is about.",
        "x = jsondecode(\"{\")";
    CONDITION_TYPE = "P0308", "Condition is not true or false",
        "What stands before `?`, after `if` and beside `&&`, `||` and `!` must be true or false.",
        "max = 1 ? 2 : 3      # write 1 == 1 ? 2 : 3";
    NOT_ITERABLE = "P0309", "Nothing to iterate over",
        "A `for` expression, a splat, a template's `for` and `for_each` need a list, a set, a map or an object.",
        "x = [for n in 5 : n]      # write range(5)";
    DUPLICATE_RESULT_KEY = "P0310", "for gives a key twice",
        "Two elements of the `for` expression gave the same key. To collect all values of a key in a list, write `...` after the value.",
        "x = { for name in [\"a\", \"a\"] : name => 1 }";
    NOT_TEXT = "P0311", "Value cannot be put into text",
        "A template can hold strings, numbers, true and false. Join a list with join(\", \", list), or write any value with jsonencode(value).",
        "name = \"web-${[1, 2]}\"";
    TOO_MUCH = "P0312", "Too much to evaluate",
        "Evaluating the files took more steps or more memory than any configuration should. The limits are there so that no file can hang a run: 1,000,000 elements in a value, 16 MiB in a string, and a bound on the whole.",
        "x = [for a in range(100000) : [for b in range(100000) : a * b]]";
    BAD_INDEX = "P0313", "Index of the wrong type",
        "A list is indexed with a whole number from 0, an object with a string.",
        "x = [1, 2][\"a\"]";
    BAD_TYPE = "P0320", "Unknown type",
        "The `type` of a variable is string, number, bool, any, list(T), set(T), map(T), tuple([T, ...]) or object({ name = T, other = optional(T, default) }). Types stand without quotes.",
        "variable \"peak\" {\n  type = integer      # write number\n}";
    BAD_VARIABLE_VALUE = "P0321", "Value does not fit its variable",
        "The value given for a variable cannot be converted to the variable's type. Where the value came from and the part that does not fit are shown.",
        "tideform plan --var peak=many";
    VALIDATION_FAILED = "P0322", "Value refused by a validation",
        "The value of the variable does not meet one of the conditions that its `validation` blocks state; the message is the author's.",
        "variable \"peak\" {\n  default = 300\n  validation {\n    condition     = var.peak <= 200\n    error_message = \"Ask the platform team first.\"\n  }\n}";
    BAD_VARIABLE_BLOCK = "P0323", "Variable declared wrongly",
        "A `variable` block takes type, default, description, sensitive, nullable and `validation { condition, error_message }` blocks. Defaults are constants: they may call functions and use no other names. A validation may use variables.",
        "variable \"max\" {\n  default = var.peak * 2      # a local value can do this\n}";
    NULL_VARIABLE = "P0324", "Variable must not be null",
        "The variable says `nullable = false` and has no default to take its place.",
        "variable \"peak\" {\n  nullable = false\n}";
    BAD_VARIABLE_TEXT = "P0325", "Value of a variable cannot be read",
        "A value from --var or the environment for a variable whose type is not string is read as an HCL expression: a list as '[\"a\", \"b\"]', an object as '{ a = 1 }'. It may use no names.",
        "tideform plan --var 'zones=[\"a\", \"b\"]'";
    BAD_FOR_EACH = "P0330", "for_each cannot be used",
        "`for_each` on a group takes a map, an object, or a set of strings; a list has no keys, so convert it: toset(list). It cannot be null, and it may use no address of a group.",
        "group \"svc\" {\n  for_each = toset([\"api\", \"web\"])\n}";
    BAD_KEY = "P0331", "Key cannot be used",
        "A key of `for_each` becomes part of the group's address and of names in the cloud. It has 1 to 128 characters, none of them white space, a control character, or one of / \\ [ ] * ? and the double quote.",
        "for_each = toset([\"eu west\"])      # write \"eu-west\"";
    SENSITIVE_KEY = "P0332", "Sensitive value where it would be shown",
        "A sensitive value cannot be a key of for_each, a label or part of a formula, since these are shown in every plan and kept in the state. nonsensitive(value) says that it may be shown.",
        "group \"svc\" {\n  for_each = toset([var.token])\n}";
    BAD_DYNAMIC = "P0333", "dynamic block written wrongly",
        "A `dynamic \"kind\"` block takes for_each, optionally iterator and labels, and one `content` block. The element is `kind.key` and `kind.value`, or what `iterator` names.",
        "dynamic \"step\" {\n  for_each = { 100 = 2, 1000 = 5 }\n  content {\n    above = step.key\n    add   = step.value\n  }\n}";
    FORMULA_UNSUPPORTED = "P0340", "Not possible in a formula",
        "A formula is arithmetic, comparison, logic, conditionals, and abs, ceil, floor, log, max, min, pow and signum over metrics and `self`. Everything else in it must be known when the files are read. It is evaluated at each decision, by the loop, from the state.",
        "value = length(metric.queue)";
    FORMULA_TYPE = "P0341", "Formula of the wrong type",
        "A metric's `value` is a number; `when`, `always` and `never` are conditions. Metrics are numbers, comparisons give true or false.",
        "when = metric.error_rate      # write metric.error_rate > 10";
    ADDRESS_AS_VALUE = "P0350", "Reference used as a value",
        "A reference such as policy.web or group.web stands for the block itself. It can be compared and passed on; it has no attributes, is not text and is not calculated with. Values that several blocks need go under `locals`.",
        "max = policy.web.max      # write local.peak in both places";
    PATH_OUTSIDE = "P0351", "File outside of the directory",
        "file(), fileexists() and templatefile() read only inside the directory of the configuration, links followed: so that a review of the directory has seen all that counts.",
        "query = file(\"/etc/passwd\")";
    BAD_LABEL = "P0352", "Label cannot be used",
        "A label from `labels` in a dynamic block must be a string, known and not sensitive.",
        "dynamic \"metric\" {\n  for_each = [\"cpu\"]\n  labels   = [metric.value]\n  content {}\n}";
}
