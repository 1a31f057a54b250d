//! The provider against the AWS API server of `tests/aws/`: what it asks AWS for, and what it makes of the answers.

mod conformance;
mod identity;
mod metrics;
mod native;
mod prices;
mod read;
mod support;
mod wire;
mod write;
