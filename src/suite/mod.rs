//! Runs the `test` blocks of a configuration through the engine.
