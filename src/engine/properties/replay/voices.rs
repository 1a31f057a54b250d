//! What each metric says, from the numbers of its reasons.

use std::cmp::Ordering;

use tideform_policies::model::{Adjustment, Breach, Rule, Share, Step, StepBound};

use super::Paper;
use crate::engine::properties::facts::whole;
use crate::engine::{Basis, Reason};

impl Paper<'_> {
    /// What a metric wanted becomes another want of its own.
    pub(super) fn changes_its_mind(
        &mut self,
        metric: &str,
        wanted: u32,
        want: u32,
    ) -> Result<(), String> {
        let last = self
            .voices
            .last_mut()
            .filter(|voice| voice.metric == metric);
        let Some((said, _)) = last.and_then(|voice| voice.says.as_mut()) else {
            return Err("nothing was wanted".to_owned());
        };
        must!(*said == wanted, "it wanted {said}");
        *said = want;
        Ok(())
    }

    /// A metric whose value was substituted decides from that value.
    pub(super) fn uses_stand_in(&mut self, metric: &str, observed: f64) -> Result<(), String> {
        if let Some((name, value)) = self.stand_in.take() {
            must!(name == metric, "the value stood in for {name}");
            must!(value == observed, "{value} stood in");
        }
        Ok(())
    }

    pub(super) fn tracked(&mut self, reason: &Reason) -> Result<(), String> {
        let Reason::Opinion {
            metric: name,
            observed,
            target,
            ratio,
            basis,
            counted,
            missing,
            unready,
            filled,
            is_within_tolerance,
            is_turned_round,
            want,
        } = reason
        else {
            return Ok(());
        };
        if *basis == Basis::PerInstance {
            self.stand_in = None;
        } else {
            self.uses_stand_in(name, *observed)?;
        }
        let (current, want) = (self.current, want.get());
        let metric = self.metric(name)?;
        let Some(Rule::Track(track)) = metric.rule else {
            return Err("nothing is tracked".to_owned());
        };
        must!(*target == track.target, "another target");
        let n = f64::from(counted.get());
        let is_from_zero = current == 0;
        let plain = (observed / target).clamp(f64::MIN, f64::MAX);
        let expected = match basis {
            Basis::Total if !is_from_zero && n > 0.0 => plain / n,
            _ => plain,
        };
        must!(is_near(*ratio, expected), "the ratio is {expected}");
        let (low, high) = (
            1.0 - track.tolerance_in.fraction(),
            1.0 + track.tolerance_out.fraction(),
        );
        if *is_within_tolerance {
            let is_inside = *ratio >= low - 1e-9 && *ratio <= high + 1e-9;
            must!(is_inside, "not within tolerance");
            must!(want == current, "within tolerance it wants current");
        } else if *is_turned_round {
            let filled = filled.as_ref().ok_or("nothing was filled in")?;
            must!(missing + unready > 0, "nothing is missing");
            must!(
                (filled.measured > *target) != (*ratio > 1.0),
                "it is not turned round"
            );
            must!(want == current, "turned round it wants current");
        } else {
            let is_inside = *ratio > low + 1e-9 && *ratio < high - 1e-9;
            must!(is_from_zero || !is_inside, "within tolerance");
            let exact = match basis {
                Basis::Total => plain,
                // Past the largest number the order of the operations matters.
                _ if (n * observed).is_finite() => n * observed / target,
                _ => n * (observed / target),
            };
            let (least, most) = whole(exact);
            let one_way = |answer: u32| match ratio.partial_cmp(&1.0) {
                _ if is_from_zero => answer,
                Some(Ordering::Greater) => answer.max(current),
                Some(Ordering::Less) => answer.min(current),
                _ => current,
            };
            let answers = one_way(least)..=one_way(most);
            must!(answers.contains(&want), "it comes to {answers:?}");
        }
        let score = if current == 0 {
            self.sign(want)
        } else if (*is_within_tolerance || *is_turned_round) && missing + unready > 0 {
            0.0
        } else {
            let deviation = target * (ratio - 1.0);
            let tolerance = if deviation > 0.0 {
                track.tolerance_out
            } else {
                track.tolerance_in
            };
            let own = metric.threshold.filter(|threshold| *threshold > 0.0);
            let threshold = own.unwrap_or(target * tolerance.fraction());
            if deviation.abs() <= threshold * (1.0 + 1e-10) {
                0.0
            } else {
                deviation.signum()
            }
        };
        self.speak(name, want, score);
        Ok(())
    }

    pub(super) fn stepped(&mut self, reason: &Reason) -> Result<(), String> {
        let Reason::Step {
            metric: name,
            observed,
            when,
            adjustment,
            min_adjustment,
            ready,
            want,
            ..
        } = reason
        else {
            return Ok(());
        };
        self.uses_stand_in(name, *observed)?;
        let said = Step {
            when: *when,
            adjustment: *adjustment,
            min_adjustment: *min_adjustment,
        };
        let is_known =
            matches!(&self.metric(name)?.rule, Some(Rule::Steps(steps)) if steps.contains(&said));
        must!(is_known, "no such step");
        let is_inside = match when {
            StepBound::Above { from, to } => observed >= from && to.is_none_or(|to| *observed < to),
            StepBound::Below { from, to } => observed <= from && to.is_none_or(|to| *observed > to),
            StepBound::Band { from, to } => {
                // Of a band enough of the samples count, wherever the newest is.
                matches!(self.metric(name)?.breach, Breach::Of { .. })
                    || from.is_none_or(|from| *observed >= from)
                        && to.is_none_or(|to| *observed < to)
            }
        };
        must!(is_inside, "the value is not in the step");
        let (ready, current) = (ready.get(), self.current);
        let share = |of: u32, share: Share| match as_aws(of, share) {
            0 => 0,
            change => change.max(min_adjustment.unwrap_or(0)),
        };
        let expected = match *adjustment {
            Adjustment::Add(n) => ready.saturating_add(n).max(current),
            Adjustment::AddShare(part) => ready.saturating_add(share(ready, part)).max(current),
            Adjustment::Remove(n) => ready
                .saturating_sub(n)
                .max(current.saturating_sub(n))
                .min(current),
            Adjustment::RemoveShare(part) => ready
                .saturating_sub(share(ready, part))
                .max(current.saturating_sub(share(current, part)))
                .min(current),
            Adjustment::Set(n) => match when {
                StepBound::Above { .. } => n.max(current),
                StepBound::Below { .. } | StepBound::Band { .. } => n,
            },
        };
        must!(want.get() == expected, "it comes to {expected}");
        self.speak(name, expected, self.sign(expected));
        Ok(())
    }
}

/// Of an empty group a share is 1; what is above 1 is cut, what is below becomes 1.
fn as_aws(of: u32, share: Share) -> u32 {
    let percent = share.fraction() * 100.0;
    if percent < 1e-9 {
        return 0;
    }
    let exact = f64::from(of) * share.fraction().min(1e8);
    ((exact * (1.0 + 1e-12)).floor() as u32).max(1)
}

fn is_near(a: f64, b: f64) -> bool {
    a == b || (a - b).abs() <= 1e-12 * a.abs().max(b.abs())
}
