//! Target tracking of Amazon EC2 Auto Scaling on the policy's own metric and target.
//!
//! Its alarms are AWS's own: data points of a minute, 3 of 3 above the target scale out, 15 of 15 below 90 % of it scale
//! in; it never scales in while capacity warms up. The guide calls scale-in gradual and says no more of it: here it goes to
//! the capacity that the newest data point asks for, which makes this model leaner than AWS may be.
//!
//! Source: Amazon EC2 Auto Scaling User Guide, "Target tracking scaling policies".

use std::time::Duration;

use super::aws::{OneMetric, Policy, Tracking, WARMUP};
use super::common::{Common, short};

/// The period of its alarms.
pub const PERIOD: Duration = Duration::from_secs(60);

/// It, for a group.
pub fn new(common: &Common) -> OneMetric {
    let tracking = Tracking::new(common.target, common.scope, true);
    OneMetric::new(common.clone(), PERIOD, vec![Policy::Tracking(tracking)])
}

/// Its settings, in a line.
pub(super) fn settings(common: &Common) -> String {
    format!(
        "{}; out 3 of 3 min, in 15 of 15 at 90%, warmup {}",
        common.aim(),
        short(common.warmup.unwrap_or(WARMUP))
    )
}
