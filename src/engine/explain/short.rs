//! Which reasons are told where space is dear: those without which the answer would be another one, or a surprise.

use crate::engine::reason::{Abstention, Combination, Reason};

/// Whether each reason belongs into the short form; never none of them.
pub fn short_form(reasons: &[Reason]) -> Vec<bool> {
    let combination = reasons.iter().find_map(|reason| match reason {
        Reason::Combined {
            combination, after, ..
        } => Some((*combination, *after)),
        _ => None,
    });
    let mut kept: Vec<bool> = reasons
        .iter()
        .map(|reason| match reason {
            // Of the largest want the others' do not matter.
            Reason::Opinion { want, .. }
            | Reason::Want { want, .. }
            | Reason::Step { want, .. } => match combination {
                Some((
                    Combination::Max {
                        is_held_by_missing_data: false,
                    },
                    after,
                )) => *want == after,
                _ => true,
            },
            Reason::Abstained { why, .. } => match why {
                Abstention::BreachTooShort | Abstention::NoneReady => true,
                Abstention::NoStep | Abstention::AtZero => !matches!(
                    combination,
                    Some((Combination::Max { .. } | Combination::Weighted { .. }, _))
                ),
            },
            Reason::Combined { combination, .. } => match combination {
                Combination::Max {
                    is_held_by_missing_data,
                } => *is_held_by_missing_data,
                Combination::NoOpinion => false,
                Combination::Majority { .. }
                | Combination::Weighted { .. }
                | Combination::Floor => true,
            },
            Reason::GuardTripped { guard, .. } => !reasons.iter().any(
                |other| matches!(other, Reason::Guarded { guard: acted, .. } if acted == guard),
            ),
            Reason::WithinLimits { .. }
            | Reason::ForecastObserved { .. }
            | Reason::MixSplit { .. }
            | Reason::Victims { .. } => false,
            Reason::NoData { .. }
            | Reason::Substituted { .. }
            | Reason::AddedOnMissing { .. }
            | Reason::Cut { .. }
            | Reason::Warming { .. }
            | Reason::Stabilized { .. }
            | Reason::RateLimited { .. }
            | Reason::DirectionDisabled { .. }
            | Reason::InCooldown { .. }
            | Reason::Guarded { .. }
            | Reason::Frozen { .. }
            | Reason::OverBudget { .. }
            | Reason::Pinned { .. }
            | Reason::RaisedToFloor { .. }
            | Reason::LoweredToCeiling { .. }
            | Reason::ScheduleUnusable { .. }
            | Reason::Paused { .. }
            | Reason::Fallback { .. } => true,
        })
        .collect();
    // What warming or a cut takes back was not the largest want: its metric's line says what of.
    for (place, reason) in reasons.iter().enumerate() {
        if let Reason::Warming { metric, .. } | Reason::Cut { metric, .. } = reason {
            for (earlier, kept) in reasons.iter().zip(&mut kept).take(place) {
                if let Reason::Opinion { metric: of, .. }
                | Reason::Want { metric: of, .. }
                | Reason::Step { metric: of, .. } = earlier
                {
                    *kept |= of == metric;
                }
            }
        }
    }
    if !kept.contains(&true) {
        let combined = |reason: &Reason| matches!(reason, Reason::Combined { .. });
        if let Some(place) = reasons.iter().position(combined) {
            kept[place] = true;
        }
    }
    kept
}
