//! Step scaling of Amazon EC2 Auto Scaling, with the steps of its user guide around the policy's own target.
//!
//! The guide's example has a threshold of 50: from 60 on 10 % more, from 70 on 30 % more; at 40 and below 10 % fewer, at
//! 30 and below 30 % fewer. Here 50 is the target, and all else in proportion. Its alarms are those of the guide's tutorial
//! for the command line: two periods of two minutes.
//!
//! Source: Amazon EC2 Auto Scaling User Guide, "Step and simple scaling policies", "Step adjustments" and "Create step
//! scaling policies ... AWS CLI".

use std::time::Duration;

use tideform_policies::model::Scope;

use super::aws::{Adjustment, Alarm, Missing, OneMetric, Policy, Side, Step, Stepping};
use super::common::Common;

/// The steps out: from so much of the target on, so many percent more.
pub const OUT: [(f64, f64); 2] = [(1.2, 10.0), (1.4, 30.0)];

/// The steps in: from so much of the target down, so many percent fewer.
pub const IN: [(f64, f64); 2] = [(0.8, 10.0), (0.6, 30.0)];

/// The period of its alarms.
pub const PERIOD: Duration = Duration::from_secs(120);

/// Data points that have to breach, all of as many.
pub const PERIODS: u32 = 2;

/// It, for a group.
pub fn new(common: &Common) -> OneMetric {
    let policies = [Side::High, Side::Low].map(|side| Policy::Stepping(stepping(common, side)));
    OneMetric::new(common.clone(), PERIOD, policies.to_vec())
}

fn stepping(common: &Common, side: Side) -> Stepping {
    let target = common.target;
    let (near, far) = match side {
        Side::High => (OUT[0], OUT[1]),
        Side::Low => (IN[0], IN[1]),
    };
    let threshold = near.0 * target;
    let between = (far.0 - near.0) * target;
    let steps = match side {
        Side::High => vec![
            step(Some(0.0), Some(between), near.1),
            step(Some(between), None, far.1),
        ],
        Side::Low => vec![
            step(Some(between), Some(0.0), -near.1),
            step(None, Some(between), -far.1),
        ],
    };
    Stepping {
        side,
        threshold,
        adjustment: Adjustment::Percent(None),
        steps,
        alarm: Alarm::new(PERIODS, PERIODS, Missing::Missing),
        newest: 0.0,
        is_share: common.scope == Scope::Group,
    }
}

fn step(lower: Option<f64>, upper: Option<f64>, adjustment: f64) -> Step {
    Step {
        lower,
        upper,
        adjustment,
    }
}

/// Its settings, in a line.
pub(super) fn settings(common: &Common) -> String {
    let at = |of: f64| (of * common.target * 1000.0).round() / 1000.0;
    let [out_near, out_far] = OUT;
    let [in_near, in_far] = IN;
    format!(
        "{}; +{}% from {}, +{}% from {}, -{}% to {}, -{}% to {}",
        common.aim(),
        out_near.1,
        at(out_near.0),
        out_far.1,
        at(out_far.0),
        in_near.1,
        at(in_near.0),
        in_far.1,
        at(in_far.0),
    )
}
