//! Algorithm 4: the strategies of the Nomad Autoscaler, and the choice between checks.

use super::ceil;

#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Direction {
    // In the order in which they beat each other.
    Down,
    None,
    Up,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Action {
    pub(crate) direction: Direction,
    pub(crate) count: i128,
}

#[derive(Clone, Debug)]
pub(crate) enum Strategy {
    TargetValue {
        /// Hundredths.
        target: i128,
        /// Ten-thousandths.
        threshold: i128,
        limits: ChangeLimits,
    },
    Threshold {
        /// Hundredths, included.
        lower: Option<i128>,
        /// Hundredths, excluded.
        upper: Option<i128>,
        trigger: usize,
        change: Change,
    },
    PassThrough {
        limits: ChangeLimits,
    },
    FixedValue {
        value: i128,
    },
}

#[derive(Clone, Copy, Debug)]
pub(crate) struct ChangeLimits {
    pub(crate) up: Option<i128>,
    pub(crate) down: Option<i128>,
}

#[derive(Clone, Copy, Debug)]
pub(crate) enum Change {
    Delta(i128),
    Percentage(i128),
    Value(i128),
}

impl ChangeLimits {
    fn apply(self, count: i128, new: i128) -> i128 {
        let new = self.down.map_or(new, |most| new.max(count - most));
        self.up.map_or(new, |most| new.min(count + most))
    }
}

fn toward(count: i128, new: i128) -> Action {
    Action {
        direction: match new.cmp(&count) {
            std::cmp::Ordering::Less => Direction::Down,
            std::cmp::Ordering::Equal => Direction::None,
            std::cmp::Ordering::Greater => Direction::Up,
        },
        count: new,
    }
}

/// What one check says of samples in hundredths, oldest first; `None`: no result.
pub(crate) fn run(strategy: &Strategy, count: i128, samples: &[i128]) -> Option<Action> {
    match strategy {
        Strategy::TargetValue {
            target,
            threshold,
            limits,
        } => {
            let newest = *samples.last()?;
            // factor = over / under
            let (over, under) = if *target == 0 {
                (newest, 100)
            } else {
                (newest, *target)
            };
            let direction = if count == 0 {
                if over > 0 {
                    Direction::Up
                } else {
                    Direction::None
                }
            } else if over * 10_000 < under * (10_000 - threshold) {
                Direction::Down
            } else if over * 10_000 > under * (10_000 + threshold) {
                Direction::Up
            } else {
                Direction::None
            };
            let new = match (direction, count) {
                (Direction::None, _) => count,
                (_, 0) => ceil(over, under),
                _ => ceil(count * over, under),
            };
            let new = limits.apply(count, new);
            Some(Action {
                direction: if new == count {
                    Direction::None
                } else {
                    direction
                },
                count: new,
            })
        }
        Strategy::Threshold {
            lower,
            upper,
            trigger,
            change,
        } => {
            let within = samples.iter().filter(|sample| {
                lower.is_none_or(|lower| **sample >= lower)
                    && upper.is_none_or(|upper| **sample < upper)
            });
            if within.count() < *trigger {
                return None;
            }
            let new = match change {
                Change::Delta(delta) => count + delta,
                Change::Percentage(percentage) => ceil(count * (100 + percentage), 100),
                Change::Value(value) => *value,
            };
            Some(toward(count, new.max(0)))
        }
        Strategy::PassThrough { limits } => {
            let newest = *samples.last()?;
            // Cut to an integer.
            Some(toward(count, limits.apply(count, newest / 100)))
        }
        Strategy::FixedValue { value } => Some(toward(count, *value)),
    }
}

/// The better one of two actions.
fn preempt(a: Action, b: Action) -> Action {
    match b.direction.cmp(&a.direction) {
        std::cmp::Ordering::Greater => b,
        std::cmp::Ordering::Equal if b.count > a.count => b,
        _ => a,
    }
}

/// A check: the group that it is in, if any, and what it says.
pub(crate) type Check = (Option<&'static str>, Option<Action>);

/// The action that wins over all checks, each forced into the bounds.
pub(crate) fn winner(checks: &[Check], min: i128, max: i128) -> Option<Action> {
    let capped = |action: Action| Action {
        count: action.count.clamp(min, max),
        ..action
    };
    let mut names: Vec<&str> = checks.iter().filter_map(|(group, _)| *group).collect();
    names.sort_unstable();
    names.dedup();
    let mut competing: Vec<Action> = checks
        .iter()
        .filter(|(group, _)| group.is_none())
        .filter_map(|(_, action)| action.map(capped))
        .collect();
    for name in names {
        let votes: Vec<Action> = checks
            .iter()
            .filter(|(group, _)| *group == Some(name))
            .filter_map(|(_, action)| action.map(capped))
            .collect();
        let all_say_none = votes.iter().all(|vote| vote.direction == Direction::None);
        let counted = votes
            .into_iter()
            .filter(|vote| all_say_none || vote.direction != Direction::None);
        competing.extend(counted.reduce(preempt));
    }
    competing.into_iter().reduce(preempt)
}

/// The count after all.
pub(crate) fn count_after(count: i128, winner: Option<Action>) -> i128 {
    match winner {
        Some(action) if action.direction != Direction::None => action.count,
        _ => count,
    }
}
