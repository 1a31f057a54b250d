//! The tideform binary.
fn main() {}
