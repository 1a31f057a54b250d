//! The AWS provider of tideform: EC2 Auto Scaling groups, CloudWatch's metrics, through the SDK.
//!
//! ```text
//! provider   the trait's calls            check      what AWS cannot do, at plan
//! read/      groups, instances, controls  metrics/   GetMetricData
//! write/     changes, capacity, create    client     credentials, retries, time limits
//! native/    AWS's own policies: `controller = "native"`
//! import/    the same the other way round: what is there, in the words of the files
//! login      why there are no credentials, and what to do
//! ```
//!
//! Nothing outside this crate knows the SDK. It decides nothing and keeps no state; every write is preceded by a fresh
//! look at what it changes.

mod answers;
mod check;
mod client;
mod credentials;
mod error;
mod import;
mod login;
mod metrics;
mod native;
mod prices;
mod provider;
mod read;
mod settings;
mod tags;
mod times;
mod write;

pub use credentials::{Credentials, Keys};
pub use provider::AwsProvider;

/// The kind of resource: an Auto Scaling group.
pub(crate) const KIND: &str = "asg";
