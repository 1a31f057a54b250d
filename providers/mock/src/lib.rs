//! The embedded mock cloud: a persistent simulated world with a clock of its own.
