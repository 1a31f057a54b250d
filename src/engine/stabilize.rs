//! Stabilization: of the recommendations in the look-back, the one that moves least.
//!
//! Source: Kubernetes HorizontalPodAutoscaler, `behavior`. A move held back never becomes one the other way.

use tideform_policies::model::{Capacity, Direction};

use super::memory::{Memory, Recommendation, age};
use super::moment::{Moment, Sink};
use super::reason::Reason;

/// Holds the number inside the band of what was recommended lately, and logs it.
pub(super) fn stabilize(
    moment: &Moment<'_>,
    number: u32,
    memory: &mut Memory,
    sink: &mut impl Sink,
) -> u32 {
    let (now, current) = (moment.now, moment.current);
    if memory.recommendations.is_empty() {
        // Seen for the first time: what is there counts as recommended.
        memory.log(now, Capacity(current));
    }
    let window_out = moment.policy.scale_out.stabilization;
    let window_in = moment.policy.scale_in.stabilization;
    let this = Recommendation {
        at: now,
        desired: Capacity(number),
    };
    let (mut lowest, mut highest) = (this, this);
    for recommendation in &memory.recommendations {
        let age = age(now, recommendation.at);
        if age < window_out && recommendation.desired < lowest.desired {
            lowest = *recommendation;
        }
        // Of equal ones the newest: it holds for longest.
        if age < window_in && recommendation.desired >= highest.desired {
            highest = *recommendation;
        }
    }
    let raised = current.max(lowest.desired.get());
    let kept = raised.min(highest.desired.get());
    memory.log(now, Capacity(number));
    if kept != number {
        let direction = Direction::between(Capacity(current), Capacity(number));
        let (window, by) = match direction {
            Direction::In => (window_in, highest),
            Direction::Hold | Direction::Out => (window_out, lowest),
        };
        sink.say(|| Reason::Stabilized {
            direction,
            window,
            recommended_at: by.at,
            before: Capacity(number),
            after: Capacity(kept),
        });
    }
    kept
}
