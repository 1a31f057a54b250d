//! Cooldowns: for a while after a change no move in a direction.

use jiff::Timestamp;
use tideform_policies::model::{Capacity, Direction};

use super::memory::{Action, Memory, later};
use super::moment::{Moment, Sink};
use super::reason::Reason;

/// Holds a move whose direction is cooling. Only tideform's own accepted changes count; a scale-in also waits its
/// cooldown after a scale-out.
pub(super) fn hold(moment: &Moment<'_>, number: u32, memory: &Memory, sink: &mut impl Sink) -> u32 {
    let current = moment.current;
    let direction = Direction::between(Capacity(current), Capacity(number));
    let Some((action, until)) = cooling(moment, direction, memory) else {
        return number;
    };
    sink.say(|| Reason::InCooldown {
        direction,
        after_direction: action.direction(),
        changed_at: action.at,
        until,
        before: Capacity(number),
        after: Capacity(current),
    });
    current
}

/// The change after which this direction is cooling, and until when.
fn cooling<'m>(
    moment: &Moment<'_>,
    direction: Direction,
    memory: &'m Memory,
) -> Option<(&'m Action, Timestamp)> {
    let (cooldown, counts): (_, fn(Direction) -> bool) = match direction {
        Direction::Hold => return None,
        Direction::Out => (moment.policy.scale_out.cooldown, |of| of == Direction::Out),
        Direction::In => (moment.policy.scale_in.cooldown, |of| of != Direction::Hold),
    };
    let action = memory
        .actions
        .iter()
        .rev()
        .find(|action| action.is_by_tideform() && counts(action.direction()))?;
    let until = later(action.at, cooldown);
    (moment.now < until).then_some((action, until))
}
