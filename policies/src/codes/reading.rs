//! P00xx: reading files, and syntax.

super::codes! {
    DIRECTORY_UNREADABLE = "P0001", "Directory cannot be read",
        "The directory of the configuration does not exist, is not a directory, or may not be read by this user. Nothing was read. Name another directory with -C, or mend its permissions.",
        "tideform -C no-such-directory plan";
    NO_FILES = "P0002", "No configuration files",
        "The directory holds no file that ends in .hcl. Hidden files and *.vars.hcl files do not count: the latter hold values of variables. `tideform init` in an empty directory offers a starter.",
        "tideform -C /tmp plan";
    FILE_UNREADABLE = "P0003", "File cannot be read",
        "A file of the directory could not be opened or read: permissions, a symbolic link to nothing, or links in a circle. A file that cannot be read might hold anything, so the rest is not used either.",
        "ln -s web.hcl web.hcl        # a link to itself";
    FILE_TOO_LARGE = "P0004", "File too large",
        "A file of the configuration may have at most 8 MiB, and all of them together 64 MiB in 4,096 files. Larger ones are nearly always data or a mistake. Split the file, or generate fewer blocks with for_each.",
        "head -c 50000000 /dev/zero > web.hcl";
    NOT_UTF8 = "P0005", "File is not UTF-8",
        "Configuration files are text in UTF-8. The place of the first byte that is not is named. Save the file as UTF-8; a compressed or binary file must not end in .hcl.",
        "iconv -f latin1 -t utf8 old.hcl > web.hcl";
    NUL_BYTE = "P0006", "File holds a NUL byte",
        "A NUL byte cannot be part of a configuration: it is nearly always the sign of a binary file, of UTF-16, or of a disk fault. Save the file as UTF-8 text.",
        "iconv -f utf-16 -t utf-8 old.hcl > web.hcl";
    SYNTAX = "P0010", "Syntax error",
        "The text is not HCL. The place where reading stopped is underlined, and what could have stood there is named. Other files and other blocks are read all the same, so that all errors are reported in one run.",
        "limits {\n  min 2      # write `min = 2`\n}";
    UNCLOSED_STRING = "P0011", "String not closed",
        "A string begins on this line and does not end on it. A string in quotes stays on one line: write \\n for a line break, or use a heredoc for text of several lines.",
        "every = \"1m     # write `every = \"1m\"`";
    UNCLOSED_BRACKET = "P0012", "Bracket not closed",
        "An opening brace, bracket or parenthesis has no partner, or has one of another kind. Both places are underlined where both are known.",
        "group \"web\" {\n  limits {\n    min = 2\n}              # closes `limits`; `group` stays open";
    UNCLOSED_HEREDOC = "P0013", "Heredoc not closed",
        "A heredoc (`<<EOT`) ends with a line that holds its delimiter alone, indented as you like. No such line follows.",
        "query = <<EOT\n  sum(rate(requests[5m]))\nEOT";
    UNCLOSED_TEMPLATE = "P0014", "Template not closed",
        "A template sequence `${` or `%{` has no closing brace, or a directive `%{ if }` or `%{ for }` has no `%{ endif }` or `%{ endfor }`. To write the characters themselves, double the first: `$${`.",
        "name = \"web-${var.env\"      # write \"web-${var.env}\"";
    NESTED_TOO_DEEP = "P0015", "Nested too deep",
        "Blocks, brackets and templates may be nested 64 levels deep, and an expression may chain 128 operators. Give parts of the expression names under `locals`, or use functions such as sum() and concat().",
        "x = ((((((((((1))))))))))      # more than 64 of them";
    DUPLICATE_ATTRIBUTE = "P0016", "Attribute set twice",
        "A block may set each of its attributes once. Which of the two should count is not for the order of lines to decide: remove one.",
        "limits {\n  min = 2\n  min = 3      # remove one\n}";
    DUPLICATE_KEY = "P0017", "Key given twice",
        "An object may hold each key once; `x` and `\"x\"` are the same key. Remove one of the two.",
        "metrics = { cpu = 90, \"cpu\" = 20 }";
    NUMBER_TOO_LARGE = "P0018", "Number too large",
        "A whole number in a file may have at most 64 bits, and any number must be finite as a 64-bit float. Larger ones would silently lose their last digits.",
        "max = 99999999999999999999";
    ATTRIBUTE_AND_BLOCK = "P0019", "Attribute and block of one name",
        "A body holds an attribute and a block of the same name. Only one of the two can be meant: `limits = { ... }` sets an attribute, `limits { ... }` is a block.",
        "limits = { min = 2 }\nlimits {       # remove the other one\n  min = 3\n}";
    BAD_ESCAPE = "P0020", "Unknown escape sequence",
        "In a string in quotes a backslash begins one of \\n, \\r, \\t, \\\", \\\\, \\uNNNN and \\UNNNNNNNN. To write a backslash, double it; a regular expression needs `\"\\\\d+\"`.",
        "pattern = \"\\d+\"      # write \"\\\\d+\"";
    STRAY_TOP_LEVEL = "P0021", "Attribute outside of a block",
        "The top level of a file holds blocks only. Values that several blocks use go under `locals`; values of variables go into a file that ends in .auto.vars.hcl.",
        "peak = 40      # write `locals { peak = 40 }`";
    STRAY_IN_VARIABLES = "P0022", "Block in a file of variables",
        "A *.vars.hcl file holds `name = value` lines only. Blocks, `variable` among them, go into a file that ends in .hcl and not in .vars.hcl.",
        "# prod.auto.vars.hcl\npeak = 80";
    FORMAT_REFUSED = "P0023", "File could not be formatted",
        "The formatted text would not mean the same as the file. The file is left as it is. This is a bug in tideform: please report it with the file.",
        "tideform fmt web.hcl";
}
