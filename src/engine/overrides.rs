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
