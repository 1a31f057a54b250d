//! P04xx: checks across blocks.

super::codes! {}
