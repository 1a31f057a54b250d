//! P05xx: warnings.

super::codes! {
    UNDECLARED_IN_FILE = "P0501", "Value for a variable that is not declared",
        "A file of variables sets a name that no `variable` block declares. The value is not used. Shared files of variables are common, so this is a warning; --var for an undeclared name is an error.",
        "# prod.auto.vars.hcl\npaek = 80      # variable \"peak\" is declared";
}
