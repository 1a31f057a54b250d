//! The arithmetic of the reasons, done again with a pencil: from `current`, reason by reason, to `desired`.
//!
//! It reads the policy, the observation and the memory as plain data, and calls none of the engine's rules.

/// Says what the first reason that does not follow is.
macro_rules! must {
    ($condition:expr, $($why:tt)*) => {
        match $condition {
            true => {}
            false => return Err(format!($($why)*)),
        }
    };
}

mod voices;

use std::collections::BTreeSet;

use jiff::Timestamp;
use tideform_policies::model::{
    Blocks, Combine, Direction, GuardEffect, Metric, Policy, Rate, Select,
};

use super::facts::{self, age, whole};
use super::generate::Case;
use crate::engine::{Abstention, Combination, Decision, Reason};

/// One metric's voice, as its reasons tell.
#[derive(Clone, Debug)]
struct Voice {
    metric: String,
    /// `None`: it abstained.
    says: Option<(u32, f64)>,
    has_no_data: bool,
}

/// Follows the reasons; the error says which one is wrong.
pub(super) fn replay(case: &Case, decision: &Decision, now: Timestamp) -> Result<(), String> {
    let mut paper = Paper {
        case,
        now,
        current: case.seen.desired.get(),
        number: case.seen.desired.get(),
        voices: Vec::new(),
        stand_in: None,
        tripped: BTreeSet::new(),
        is_combined: false,
        is_stabilized: false,
    };
    must!(decision.current.get() == paper.current, "current");
    for reason in &decision.reasons {
        paper
            .follow(reason)
            .map_err(|why| format!("{why}: {reason:?}"))?;
    }
    must!(paper.is_combined, "no number was made of the opinions");
    must!(
        decision.desired.get() == paper.number,
        "the reasons come to {}",
        paper.number
    );
    Ok(())
}

struct Paper<'a> {
    case: &'a Case,
    now: Timestamp,
    current: u32,
    number: u32,
    voices: Vec<Voice>,
    stand_in: Option<(String, f64)>,
    tripped: BTreeSet<String>,
    is_combined: bool,
    is_stabilized: bool,
}

impl Paper<'_> {
    fn policy(&self) -> &Policy {
        &self.case.policy
    }

    fn metric(&self, name: &str) -> Result<&Metric, String> {
        let found = self
            .policy()
            .metrics
            .iter()
            .find(|metric| &*metric.name == name);
        found.ok_or_else(|| format!("no metric {name}"))
    }

    fn speak(&mut self, metric: &str, want: u32, score: f64) {
        self.voices.push(Voice {
            metric: metric.to_owned(),
            says: Some((want, score)),
            has_no_data: false,
        });
    }

    fn direction(&self) -> Direction {
        match self.number.cmp(&self.current) {
            std::cmp::Ordering::Less => Direction::In,
            std::cmp::Ordering::Equal => Direction::Hold,
            std::cmp::Ordering::Greater => Direction::Out,
        }
    }

    fn sign(&self, want: u32) -> f64 {
        f64::from(i8::from(want > self.current) - i8::from(want < self.current))
    }

    fn follow(&mut self, reason: &Reason) -> Result<(), String> {
        if let Some(change) = reason.change() {
            must!(
                change.before.get() == self.number,
                "before is not {}",
                self.number
            );
            if !self.is_stabilized && !matches!(reason, Reason::Combined { .. }) {
                self.stabilize(reason)?;
            }
        }
        match reason {
            Reason::Opinion { .. } => self.tracked(reason)?,
            Reason::Want {
                metric,
                observed,
                want,
            } => {
                self.uses_stand_in(metric, *observed)?;
                let (least, most) = whole(*observed);
                must!((least..=most).contains(&want.get()), "not rounded up");
                self.speak(metric, want.get(), self.sign(want.get()));
            }
            Reason::Step { .. } => self.stepped(reason)?,
            Reason::Abstained { metric, why, .. } => {
                let is_at_zero = *why == Abstention::AtZero;
                must!(!is_at_zero || self.current == 0, "not at zero");
                self.stand_in = None;
                self.voices.push(Voice {
                    metric: metric.to_string(),
                    says: None,
                    has_no_data: false,
                });
            }
            Reason::NoData { metric, .. } => {
                self.stand_in = None;
                self.voices.push(Voice {
                    metric: metric.to_string(),
                    says: None,
                    has_no_data: true,
                });
            }
            Reason::Substituted { metric, value, .. } => {
                self.stand_in = Some((metric.to_string(), *value));
            }
            Reason::AddedOnMissing { metric, want, .. } => {
                must!(want.get() == self.current.saturating_add(1), "not one more");
                self.speak(metric, want.get(), 1.0);
                if let Some(voice) = self.voices.last_mut() {
                    voice.has_no_data = true;
                }
            }
            Reason::Cut {
                metric,
                most,
                wanted,
                want,
            } => {
                let current = self.current;
                let rules = self.metric(metric)?;
                let (allowed, cut) = if wanted.get() > current {
                    (rules.max_add, current.saturating_add(*most))
                } else {
                    (rules.max_remove, current.saturating_sub(*most))
                };
                must!(allowed == Some(*most), "it may {allowed:?}");
                must!(
                    want.get() == cut && cut.abs_diff(current) < wanted.get().abs_diff(current),
                    "cut to {cut}"
                );
                self.changes_its_mind(metric, wanted.get(), cut)?;
            }
            Reason::Warming {
                metric,
                wanted,
                want,
                ..
            } => {
                let current = self.current;
                must!(
                    wanted.get() <= current && want.get() == current,
                    "not held at current"
                );
                self.changes_its_mind(metric, wanted.get(), current)?;
                if let Some((_, score)) =
                    self.voices.last_mut().and_then(|voice| voice.says.as_mut())
                {
                    *score = score.max(0.0);
                }
            }
            Reason::Combined {
                combination, after, ..
            } => {
                must!(!self.is_combined, "combined twice");
                self.combined(combination, after.get())?;
                self.is_combined = true;
            }
            _ => self.moved(reason)?,
        }
        if let Some(change) = reason.change() {
            self.number = change.after.get();
        }
        Ok(())
    }

    fn combined(&self, combination: &Combination, after: u32) -> Result<(), String> {
        let current = self.current;
        let has_rule = self
            .policy()
            .metrics
            .iter()
            .any(|metric| metric.rule.is_some());
        let wants: Vec<u32> = self
            .voices
            .iter()
            .filter_map(|voice| voice.says)
            .map(|s| s.0)
            .collect();
        let has_no_data = self.voices.iter().any(|voice| voice.has_no_data);
        let hold = |number: u32| {
            if has_no_data {
                number.max(current)
            } else {
                number
            }
        };
        let expected = match combination {
            Combination::Floor => {
                must!(!has_rule, "there is a rule");
                let is_pinned = facts::pin(&self.case.seen, self.now).is_some();
                match is_pinned {
                    true => facts::limits(self.policy(), &self.case.seen).0,
                    false => facts::bounds(self.policy(), &self.case.seen, self.now).0,
                }
            }
            Combination::NoOpinion => {
                must!(has_rule && wants.is_empty(), "there are opinions");
                current
            }
            Combination::Max { .. } => {
                must!(self.policy().combine == Combine::Max, "not combined so");
                hold(wants.iter().copied().max().unwrap_or(current))
            }
            Combination::Majority { out, r#in, of } => {
                must!(
                    self.policy().combine == Combine::Majority,
                    "not combined so"
                );
                let outs: Vec<u32> = wants.iter().copied().filter(|n| *n > current).collect();
                let ins: Vec<u32> = wants.iter().copied().filter(|n| *n < current).collect();
                must!(
                    outs.len() == *out as usize && ins.len() == *r#in as usize,
                    "miscounted"
                );
                must!(self.voices.len() == *of as usize, "miscounted");
                let half = self.voices.len() / 2;
                if outs.len() > half {
                    outs.into_iter().min().unwrap_or(current)
                } else if ins.len() > half {
                    ins.into_iter().max().unwrap_or(current)
                } else {
                    current
                }
            }
            Combination::Weighted { score, .. } => {
                let Combine::Weighted(constants) = self.policy().combine else {
                    return Err("not combined so".to_owned());
                };
                let (mut sum, mut weights) = (0.0, 0.0);
                for voice in &self.voices {
                    let weight = self.metric(&voice.metric)?.weight.max(0.0);
                    if let Some((_, score)) = voice.says {
                        sum += weight * score;
                        weights += weight;
                    }
                }
                let mean = if weights > 0.0 { sum / weights } else { 0.0 };
                must!((mean - score).abs() <= 1e-9, "the score is {mean}");
                hold(if *score > constants.out_above {
                    current.saturating_add(1 + (constants.out_step * score + 1e-9).floor() as u32)
                } else if *score < -constants.in_below {
                    current.saturating_sub(1 + (constants.in_step * -score + 1e-9).floor() as u32)
                } else {
                    current
                })
            }
        };
        must!(after == expected, "it comes to {expected}");
        Ok(())
    }

    /// The windows of the past hold the number back, and a reason says so; or they do not, and none does.
    fn stabilize(&mut self, reason: &Reason) -> Result<(), String> {
        self.is_stabilized = true;
        let (policy, memory) = (self.policy(), &self.case.memory);
        let (low, high) = facts::band(policy, memory, self.current, self.number, self.now);
        let kept = self.current.max(low).min(high);
        match reason {
            Reason::Stabilized {
                direction,
                window,
                recommended_at,
                after,
                ..
            } => {
                must!(*direction == self.direction(), "another direction");
                must!(after.get() == kept, "the window comes to {kept}");
                must!(
                    *window == facts::rules_of(policy, *direction).stabilization,
                    "another window"
                );
                must!(
                    age(self.now, *recommended_at) < *window,
                    "out of the window"
                );
            }
            _ => must!(kept == self.number, "the window holds it at {kept}"),
        }
        Ok(())
    }

    /// The rules after the opinions.
    fn moved(&mut self, reason: &Reason) -> Result<(), String> {
        let (policy, seen, now) = (&self.case.policy, &self.case.seen, self.now);
        let direction = self.direction();
        let rules = facts::rules_of(policy, direction);
        let expected = match reason {
            Reason::RateLimited {
                amount,
                per,
                base,
                limit,
                ..
            } => {
                let rate = Rate {
                    amount: *amount,
                    per: *per,
                };
                must!(rules.rates.contains(&rate), "no such rate");
                let size = facts::size_before(self.current, &self.case.memory, *per, now);
                must!(base.get() == size, "the base is {size}");
                let (near, far) = facts::allowed(&rate, size, direction);
                let allowed = near.min(far)..=near.max(far);
                must!(allowed.contains(&limit.get()), "it allows {allowed:?}");
                Some(match direction {
                    Direction::In => limit.get().min(self.current),
                    Direction::Hold | Direction::Out => limit.get().max(self.current),
                })
            }
            Reason::DirectionDisabled { .. } => {
                must!(
                    !rules.enabled || rules.select == Select::Disabled,
                    "it is enabled"
                );
                Some(self.current)
            }
            Reason::InCooldown {
                until, changed_at, ..
            } => {
                let cooling = facts::cooling(policy, &self.case.memory, direction, now);
                must!(cooling == Some(*until), "cooling until {cooling:?}");
                let end = changed_at
                    .checked_add(rules.cooldown)
                    .unwrap_or(Timestamp::MAX);
                must!(end == *until, "a longer cooldown than written");
                Some(self.current)
            }
            Reason::GuardTripped { guard, .. } => {
                self.tripped.insert(guard.to_string());
                None
            }
            Reason::Guarded { guard, effect, .. } => {
                must!(self.tripped.contains(&**guard), "it is not tripped");
                Some(match effect {
                    GuardEffect::Block(blocks) => {
                        must!(
                            facts::covers(*blocks, direction),
                            "it blocks another direction"
                        );
                        self.current
                    }
                    GuardEffect::Cap(cap) => {
                        must!(
                            direction == Direction::Out && cap.get() < self.number,
                            "no cap"
                        );
                        cap.get().max(self.current)
                    }
                })
            }
            Reason::Frozen { freeze, until, .. } => {
                let is_known = policy.freezes.iter().any(|known| {
                    known.name == *freeze
                        && known.start <= now
                        && now < known.end
                        && known.end == *until
                        && (known.blocks == Blocks::All || facts::covers(known.blocks, direction))
                });
                must!(
                    is_known && direction != Direction::Hold,
                    "nothing is frozen"
                );
                Some(self.current)
            }
            Reason::OverBudget {
                spent_usd,
                monthly_usd,
                ..
            } => {
                must!(
                    direction == Direction::Out && spent_usd >= monthly_usd,
                    "within the budget"
                );
                Some(self.current)
            }
            Reason::Pinned { .. } => {
                let pin = facts::pin(seen, now).ok_or("there is no pin")?;
                Some(pin.capacity.get())
            }
            Reason::RaisedToFloor { .. } | Reason::LoweredToCeiling { .. } => {
                let (floor, ceiling) = self.bounds();
                Some(self.number.clamp(floor, ceiling))
            }
            Reason::WithinLimits { floor, ceiling, .. } => {
                let (low, high) = self.bounds();
                must!(floor.get() == low, "the floor is {low}");
                must!(
                    ceiling.map_or(u32::MAX, |c| c.get()) == high,
                    "the ceiling is {high}"
                );
                must!((low..=high).contains(&self.number), "it is not within");
                None
            }
            Reason::Paused { .. } => {
                must!(facts::is_paused(seen, now), "there is no pause");
                Some(self.current)
            }
            Reason::MixSplit { on_demand, spot } => {
                let sum = u64::from(on_demand.get()) + u64::from(spot.get());
                must!(sum == u64::from(self.number), "the parts are {sum}");
                None
            }
            _ => None,
        };
        if let (Some(expected), Some(change)) = (expected, reason.change()) {
            must!(change.after.get() == expected, "it comes to {expected}");
            let is_override = matches!(reason, Reason::Pinned { .. } | Reason::Paused { .. });
            must!(
                is_override || change.before != change.after,
                "it changes nothing"
            );
        }
        Ok(())
    }

    fn bounds(&self) -> (u32, u32) {
        let (policy, seen) = (self.policy(), &self.case.seen);
        match facts::pin(seen, self.now) {
            Some(_) => facts::limits(policy, seen),
            None => facts::bounds(policy, seen, self.now),
        }
    }
}
