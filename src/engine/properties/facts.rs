//! What the contract says of a moment, worked out without the engine: bounds, blocked directions, cooldowns, rates.

use std::time::Duration;

use jiff::Timestamp;
use tideform_policies::model::{
    Blocks, Capacity, Direction, ForecastMode, OnExceed, Policy, Rate, RateAmount, ScaleRules,
    Schedule, Select, Window,
};

use super::generate::Case;
use crate::engine::{Action, BY_TIDEFORM, Memory, Observation, Pin, Recommendation};

/// The pin that holds.
pub(super) fn pin(seen: &Observation, now: Timestamp) -> Option<&Pin> {
    seen.overrides.pin.as_ref().filter(|pin| now < pin.until)
}

pub(super) fn is_paused(seen: &Observation, now: Timestamp) -> bool {
    seen.overrides
        .pause
        .as_ref()
        .is_some_and(|pause| now < pause.until)
}

/// The policy's limits, or the live ones, or none.
pub(super) fn limits(policy: &Policy, seen: &Observation) -> (u32, u32) {
    match policy.limits.or(seen.limits) {
        Some(limits) => (limits.min().get(), limits.max().get()),
        None => (0, u32::MAX),
    }
}

/// Floor and ceiling, without a pin.
pub(super) fn bounds(policy: &Policy, seen: &Observation, now: Timestamp) -> (u32, u32) {
    let (min, max) = limits(policy, seen);
    let open: Vec<_> = policy
        .schedules
        .iter()
        .filter(|s| is_open(s, now))
        .collect();
    let mut floors = vec![min];
    floors.extend(
        open.iter()
            .filter_map(|schedule| schedule.min)
            .map(Capacity::get),
    );
    for surge in &seen.overrides.surges {
        if surge.from <= now && now < surge.until {
            floors.push(surge.min.get());
        }
    }
    if let (Some(forecast), Some(policy)) = (seen.forecast, &policy.forecast)
        && policy.mode == ForecastMode::Scale
    {
        floors.push(forecast.capacity.get());
    }
    let mut ceilings = vec![max];
    ceilings.extend(
        open.iter()
            .filter_map(|schedule| schedule.max)
            .map(Capacity::get),
    );
    let floor = floors.into_iter().max().unwrap_or(0).min(max);
    let ceiling = ceilings.into_iter().min().unwrap_or(u32::MAX);
    (floor, ceiling.max(floor))
}

/// Only for the schedules that `generate` makes: once, daily in UTC, or not usable.
fn is_open(schedule: &Schedule, now: Timestamp) -> bool {
    match &schedule.when {
        Window::Once { start, end, .. } => *start <= now && now < *end,
        Window::Recurring { timezone, .. } if timezone != "UTC" => false,
        Window::Recurring { cron, duration, .. } => {
            let mut fields = cron.split(' ').map(|field| field.parse::<i64>());
            let (Some(Ok(minute)), Some(Ok(hour))) = (fields.next(), fields.next()) else {
                return false;
            };
            let since = (now.as_second() - hour * 3_600 - minute * 60).rem_euclid(86_400);
            Duration::from_secs(since.unsigned_abs()) < *duration
        }
    }
}

/// The number that a group comes to when nothing else moves it.
pub(super) fn held(case: &Case, now: Timestamp) -> u32 {
    let (floor, ceiling) = bounds(&case.policy, &case.seen, now);
    case.seen.desired.get().clamp(floor, ceiling)
}

pub(super) fn rules_of(policy: &Policy, direction: Direction) -> &ScaleRules {
    match direction {
        Direction::In => &policy.scale_in,
        Direction::Hold | Direction::Out => &policy.scale_out,
    }
}

/// Until when a direction is cooling, if it is. What lies in the future counts as now.
pub(super) fn cooling(
    policy: &Policy,
    memory: &Memory,
    direction: Direction,
    now: Timestamp,
) -> Option<Timestamp> {
    let counts = |action: &&Action| {
        action.by == BY_TIDEFORM
            && match direction {
                Direction::Out => action.to > action.from,
                Direction::In => action.to != action.from,
                Direction::Hold => false,
            }
    };
    let last = memory
        .actions
        .iter()
        .filter(counts)
        .map(|a| a.at.min(now))
        .max()?;
    let cooldown = rules_of(policy, direction).cooldown;
    let until = last.checked_add(cooldown).unwrap_or(Timestamp::MAX);
    (until > now).then_some(until)
}

/// Whether anything but guards forbids that metrics move the group this way.
pub(super) fn is_blocked(case: &Case, direction: Direction, now: Timestamp) -> bool {
    let policy = &case.policy;
    let rules = rules_of(policy, direction);
    let freezes = policy
        .freezes
        .iter()
        .any(|freeze| freeze.start <= now && now < freeze.end && covers(freeze.blocks, direction));
    let is_over_budget = match (&policy.budget, case.seen.spent) {
        (Some(budget), Some(spent)) => {
            direction == Direction::Out
                && budget.on_exceed == OnExceed::BlockScaleOut
                && spent.cost_usd >= budget.monthly_usd
        }
        _ => false,
    };
    !rules.enabled
        || rules.select == Select::Disabled
        || cooling(policy, &case.memory, direction, now).is_some()
        || freezes
        || is_over_budget
}

pub(super) fn covers(blocks: Blocks, direction: Direction) -> bool {
    match direction {
        Direction::Hold => false,
        Direction::In => blocks != Blocks::ScaleOut,
        Direction::Out => blocks != Blocks::ScaleIn,
    }
}

/// The capacity at the start of a rate's period: the changes since, by anyone, undone.
pub(super) fn size_before(current: u32, memory: &Memory, per: Duration, now: Timestamp) -> u32 {
    let mut size = i128::from(current);
    for action in memory.actions.iter() {
        if age(now, action.at) < per {
            size += i128::from(action.from.get()) - i128::from(action.to.get());
        }
    }
    u32::try_from(size.max(0)).unwrap_or(u32::MAX)
}

/// Nearest and furthest that rounding may allow a rate to go.
pub(super) fn allowed(rate: &Rate, base: u32, direction: Direction) -> (u32, u32) {
    let (least, most) = match rate.amount {
        RateAmount::Count(n) => (n, n),
        // Ten billion percent is the most that has a meaning.
        RateAmount::Share(share) => whole(f64::from(base) * share.fraction().min(1e8)),
    };
    match direction {
        Direction::In => (base.saturating_sub(least), base.saturating_sub(most)),
        Direction::Hold | Direction::Out => (base.saturating_add(least), base.saturating_add(most)),
    }
}

/// The furthest capacity that the rates of a direction allow; `None`: there are none.
pub(super) fn furthest(case: &Case, direction: Direction, now: Timestamp) -> Option<u32> {
    let rules = rules_of(&case.policy, direction);
    let limits = rules.rates.iter().map(|rate| {
        let base = size_before(case.seen.desired.get(), &case.memory, rate.per, now);
        allowed(rate, base, direction).1
    });
    match (direction, rules.select) {
        (Direction::In, Select::Min) | (Direction::Out, Select::Max) => limits.max(),
        _ => limits.min(),
    }
}

/// Lowest and highest of the number and the recommendations of the windows.
pub(super) fn band(
    policy: &Policy,
    memory: &Memory,
    current: u32,
    number: u32,
    now: Timestamp,
) -> (u32, u32) {
    let mut known: Vec<Recommendation> = memory.recommendations.iter().collect();
    if known.is_empty() {
        known.push(Recommendation {
            at: now,
            desired: Capacity(current),
        });
    }
    let within = |window: Duration| {
        let lately = known.iter().filter(move |r| age(now, r.at) < window);
        lately.map(|r| r.desired.get())
    };
    (
        within(policy.scale_out.stabilization).fold(number, u32::min),
        within(policy.scale_in.stabilization).fold(number, u32::max),
    )
}

/// How long ago; what lies in the future is now.
pub(super) fn age(now: Timestamp, at: Timestamp) -> Duration {
    let nanoseconds = now.as_nanosecond() - at.as_nanosecond();
    let seconds = u64::try_from(nanoseconds.max(0) / 1_000_000_000).unwrap_or(u64::MAX);
    let rest = u32::try_from(nanoseconds.max(0) % 1_000_000_000).unwrap_or(0);
    Duration::new(seconds, rest)
}

/// Rounded up, with a little less and a little more for the arithmetic's own error.
pub(super) fn whole(x: f64) -> (u32, u32) {
    let error = x.abs() * 1e-9;
    // The cast stops at both ends.
    ((x - error).ceil() as u32, (x + error).ceil() as u32)
}
