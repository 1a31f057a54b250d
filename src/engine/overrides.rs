//! What people have asked for: a pin takes the number's place, a pause undoes everything.

use tideform_policies::model::Capacity;

use super::moment::{Moment, Sink};
use super::observation::{Pause, Pin};
use super::reason::Reason;

/// The pin that holds now.
pub(super) fn pin<'a>(moment: &Moment<'a>) -> Option<&'a Pin> {
    let pin = moment.seen.overrides.pin.as_ref();
    pin.filter(|pin| moment.now < pin.until)
}

/// The pause that holds now.
fn pause<'a>(moment: &Moment<'a>) -> Option<&'a Pause> {
    let pause = moment.seen.overrides.pause.as_ref();
    pause.filter(|pause| moment.now < pause.until)
}

/// Puts a pinned capacity in the number's place.
pub(super) fn apply_pin(moment: &Moment<'_>, number: u32, sink: &mut impl Sink) -> u32 {
    let Some(pin) = pin(moment) else {
        return number;
    };
    sink.say(|| Reason::Pinned {
        until: pin.until,
        by: pin.by.clone(),
        reason: pin.reason.clone(),
        before: Capacity(number),
        after: pin.capacity,
    });
    pin.capacity.get()
}

/// Leaves the capacity as it is while the group is paused.
pub(super) fn apply_pause(moment: &Moment<'_>, number: u32, sink: &mut impl Sink) -> u32 {
    let Some(pause) = pause(moment) else {
        return number;
    };
    sink.say(|| Reason::Paused {
        until: pause.until,
        by: pause.by.clone(),
        reason: pause.reason.clone(),
        before: Capacity(number),
        after: Capacity(moment.current),
    });
    moment.current
}

#[cfg(test)]
mod tests {
    use tideform_policies::model::{Capacity, Schedule, Window};

    use super::*;
    use crate::engine::Memory;
    use crate::engine::testing::{at, cpu_rules, decided, limits, mins, seen};

    #[test]
    fn a_pin_takes_the_numbers_place_inside_the_limits_alone() {
        let rules = cpu_rules(|policy| {
            policy.limits = limits(2, 20);
            policy.scale_out.cooldown = mins(10);
            policy.scale_out.enabled = false;
            policy.schedules.push(Schedule {
                name: "office".into(),
                when: Window::Once {
                    start: at(-10.0),
                    end: at(10.0),
                    timezone: None,
                },
                min: Some(Capacity(10)),
                max: Some(Capacity(12)),
            });
        });
        for (capacity, until, desired) in [
            (15, 1.0, 15),
            (4, 1.0, 4),
            (99, 1.0, 20),
            (0, 1.0, 2),
            // Over: the schedule's floor holds again.
            (4, 0.0, 10),
        ] {
            let mut seen = seen(6, &[("cpu", 60.0)], at(0.0));
            seen.overrides.pin = Some(Pin {
                capacity: Capacity(capacity),
                until: at(until),
                reason: None,
                by: "ada".to_owned(),
            });
            let decision = decided(&rules, &seen, &Memory::default(), at(0.0));
            assert_eq!(decision.desired.get(), desired, "{capacity} until {until}");
            assert_eq!(decision.has("pinned"), until > 0.0);
        }
    }

    #[test]
    fn a_pause_leaves_everything_as_it_is_even_outside_the_limits() {
        let rules = cpu_rules(|policy| policy.limits = limits(8, 20));
        let mut seen = seen(6, &[("cpu", 90.0)], at(0.0));
        seen.overrides.pause = Some(Pause {
            until: at(1.0),
            reason: Some("maintenance".to_owned()),
            by: "ada".to_owned(),
        });
        let decision = decided(&rules, &seen, &Memory::default(), at(0.0));
        assert_eq!(decision.desired.get(), 6);
        assert!(decision.has("paused") && decision.has("opinion"));
        assert_eq!(
            decided(&rules, &seen, &Memory::default(), at(1.0))
                .desired
                .get(),
            9
        );
    }
}
