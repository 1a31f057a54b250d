//! The protocol against a store in memory that loses answers, refuses, and has a clock that tests turn.

mod interleaved;
mod support;
mod takeover;
mod uploads;
