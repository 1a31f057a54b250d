//! Guards: circuit breakers for scaling itself.
//!
//! A guard steps through the times of its samples, not of the decisions, so that it trips and lets go at the same
//! moments however often anyone looks. Where its condition has no data it stays where it stands: silence is no proof
//! that the trouble has passed.

use std::time::Duration;

use jiff::Timestamp;
use tideform_policies::model::{Breach, Capacity, Direction, Guard, GuardEffect};

use super::memory::{GuardMemory, Memory};
use super::moment::{Moment, Sink};
use super::reason::Reason;
use super::rules::FormulaInputs;
use super::time::{age, earlier, later};

/// Where a guard stands while it steps.
#[derive(Clone, Copy, Debug, Default)]
struct Standing {
    is_tripped: bool,
    /// Since when the condition has been the contrary of where the guard stands.
    since: Option<Timestamp>,
}

/// Brings all guards up to now, and lets the tripped ones act on the number.
pub(super) fn hold(
    moment: &Moment<'_>,
    mut number: u32,
    memory: &mut Memory,
    sink: &mut impl Sink,
) -> u32 {
    for (place, guard) in moment.policy.guards.iter().enumerate() {
        let inputs = &moment.rules.guards[place];
        let standing = update(moment, guard, inputs, memory);
        if !standing.is_tripped {
            continue;
        }
        sink.say(|| Reason::GuardTripped {
            guard: guard.name.clone(),
            effect: guard.effect,
            releases_at: standing.since.map(|since| later(since, guard.release)),
        });
        let kept = blocked(guard.effect, moment.current, number);
        if kept != number {
            sink.say(|| Reason::Guarded {
                guard: guard.name.clone(),
                effect: guard.effect,
                before: Capacity(number),
                after: Capacity(kept),
            });
            number = kept;
        }
    }
    if !memory.guards.is_empty() {
        let guards = &moment.policy.guards;
        memory
            .guards
            .retain(|memory| guards.iter().any(|guard| guard.name == memory.guard));
    }
    number
}

/// A blocked move becomes `current`; a cap stops growth and removes nothing.
fn blocked(effect: GuardEffect, current: u32, number: u32) -> u32 {
    match effect {
        GuardEffect::Block(blocks) => {
            let direction = Direction::between(Capacity(current), Capacity(number));
            if blocks.covers(direction) {
                current
            } else {
                number
            }
        }
        GuardEffect::Cap(cap) if number > current => number.min(cap.get().max(current)),
        GuardEffect::Cap(_) => number,
    }
}

fn update(
    moment: &Moment<'_>,
    guard: &Guard,
    inputs: &FormulaInputs,
    memory: &mut Memory,
) -> Standing {
    let remembered = memory.guard(&guard.name);
    let mut standing = remembered.map_or_else(Standing::default, |memory| Standing {
        is_tripped: memory.is_tripped,
        since: memory.since,
    });
    let trips_after = match guard.breach {
        Breach::Now => Duration::ZERO,
        Breach::For(time) => time,
        Breach::Of { periods, .. } => inputs.period.saturating_mul(periods),
    };
    // What is older than this cannot matter any more.
    let reach = trips_after
        .saturating_add(guard.release)
        .saturating_add(inputs.period.saturating_mul(4));
    let earliest = earlier(moment.now, reach);
    let mut last = remembered.map_or(earliest, |memory| memory.seen);
    let mut seen = last.max(earliest);
    while let Some(at) = moment.time_after(inputs, seen) {
        flip_if_due(moment, guard, &mut standing, at);
        // A silence that nobody looked at counts as one that somebody did.
        if age(at, last) > inputs.period
            && let Ok(before) = at.checked_sub(Duration::from_nanos(1))
            && guard.when.truth(&moment.at(before)).is_none()
        {
            standing.since = None;
        }
        let holds = guard.when.truth(&moment.at(at));
        step(
            moment,
            guard,
            inputs,
            &mut standing,
            at,
            holds,
            inputs.period,
        );
        last = at;
        seen = at;
    }
    flip_if_due(moment, guard, &mut standing, moment.now);
    let holds = guard.when.truth(&moment.at(moment.now));
    step(
        moment,
        guard,
        inputs,
        &mut standing,
        moment.now,
        holds,
        Duration::ZERO,
    );
    remember(guard, standing, seen, memory);
    standing
}

/// A guard whose time was over before `until`, while its data still said so, has flipped then, though nobody looked.
fn flip_if_due(moment: &Moment<'_>, guard: &Guard, standing: &mut Standing, until: Timestamp) {
    let lasts = match guard.breach {
        _ if standing.is_tripped => guard.release,
        Breach::For(time) => time,
        // These flip at a sample.
        Breach::Now | Breach::Of { .. } => return,
    };
    let Some(due) = standing.since.map(|since| later(since, lasts)) else {
        return;
    };
    if due < until && guard.when.truth(&moment.at(due)) == Some(!standing.is_tripped) {
        standing.is_tripped = !standing.is_tripped;
        standing.since = None;
    }
}

/// One step: `covers` is how long before `at` the condition has been so; `None` is no data.
fn step(
    moment: &Moment<'_>,
    guard: &Guard,
    inputs: &FormulaInputs,
    standing: &mut Standing,
    at: Timestamp,
    holds: Option<bool>,
    covers: Duration,
) {
    if holds.is_none_or(|holds| holds == standing.is_tripped) {
        standing.since = None;
        return;
    }
    let since = *standing.since.get_or_insert_with(|| earlier(at, covers));
    let flips = if standing.is_tripped {
        age(at, since) >= guard.release
    } else {
        match guard.breach {
            Breach::Now => true,
            Breach::For(time) => age(at, since) >= time,
            Breach::Of { breaching, periods } => {
                held_before(moment, guard, inputs, at, periods) >= breaching
            }
        }
    };
    if flips {
        standing.is_tripped = !standing.is_tripped;
        standing.since = None;
    }
}

/// In how many of the last periods the condition held.
fn held_before(
    moment: &Moment<'_>,
    guard: &Guard,
    inputs: &FormulaInputs,
    at: Timestamp,
    periods: u32,
) -> u32 {
    let window = inputs.period.saturating_mul(periods);
    let mut count = 0;
    let mut newest = None;
    // One past `at`, so that a sample at `at` itself is among them.
    let mut before = at.checked_add(Duration::from_nanos(1)).ok();
    while let Some(sampled) = moment.time_before(inputs, before) {
        if age(*newest.get_or_insert(sampled), sampled) >= window {
            break;
        }
        count += u32::from(guard.when.truth(&moment.at(sampled)).unwrap_or(false));
        before = Some(sampled);
    }
    count
}

fn remember(guard: &Guard, standing: Standing, seen: Timestamp, memory: &mut Memory) {
    let place = memory.guards.iter().position(|m| m.guard == guard.name);
    // A guard at rest needs no memory: its samples say the same again.
    if !standing.is_tripped && standing.since.is_none() {
        if let Some(place) = place {
            memory.guards.remove(place);
        }
        return;
    }
    match place.and_then(|place| memory.guards.get_mut(place)) {
        Some(memory) => {
            memory.is_tripped = standing.is_tripped;
            memory.since = standing.since;
            memory.seen = seen;
        }
        None => memory.guards.push(GuardMemory {
            guard: guard.name.clone(),
            is_tripped: standing.is_tripped,
            since: standing.since,
            seen,
        }),
    }
}

#[cfg(test)]
mod tests {
    use tideform_policies::model::{
        BinaryOperator, Blocks, Expression, Formula, MetricReading, Sample,
    };

    use super::*;
    use crate::engine::testing::{at, cpu_rules, decided, metric, mins, seen};
    use crate::engine::{Decision, Observation, Rules};

    fn guarded(breach: Breach, effect: GuardEffect) -> Rules {
        cpu_rules(|policy| {
            policy.metrics.push(metric("errors", None));
            policy.guards.push(Guard {
                name: "errors".into(),
                when: Formula {
                    text: "metric.errors > 10".to_owned(),
                    expression: Expression::Binary(
                        BinaryOperator::Greater,
                        Box::new(Expression::Metric("errors".into())),
                        Box::new(Expression::Number(10.0)),
                    ),
                },
                breach,
                effect,
                release: mins(5),
            });
        })
    }

    /// Errors of each minute from 0 on, seen up to now; cpu as given.
    fn observed(errors: &str, now: f64, cpu: f64) -> Observation {
        let samples = errors
            .split_whitespace()
            .enumerate()
            .map(|(minute, value)| Sample {
                at: at(minute as f64),
                value: value.parse().expect("a value"),
            })
            .filter(|sample| sample.at <= at(now))
            .collect();
        let mut seen = seen(6, &[("cpu", cpu)], at(now));
        seen.metrics
            .insert("errors".into(), MetricReading::Group(samples));
        seen
    }

    fn before() -> Memory {
        Memory {
            recommendations: [crate::engine::Recommendation {
                at: at(-60.0),
                desired: Capacity(6),
            }]
            .into(),
            ..Memory::default()
        }
    }

    fn block_in() -> GuardEffect {
        GuardEffect::Block(Blocks::ScaleIn)
    }

    #[test]
    fn a_guard_trips_after_its_breach_and_lets_go_after_its_release() {
        let rules = guarded(Breach::For(mins(2)), block_in());
        // Bad from minute 2 to 5: trips at 3; good from 6 on (its sample covers minute 5 to 6): lets go at 10.
        let errors = "0 0 50 50 50 50 0 0 0 0 0 0 0";
        let tripped = [3.0, 4.0, 5.0, 6.0, 7.0, 8.0, 9.0];
        let mut memory = before();
        for minute in 0..=12 {
            let now = f64::from(minute);
            let decision = decided(&rules, &observed(errors, now, 30.0), &memory, at(now));
            let is_tripped = tripped.contains(&now);
            assert_eq!(decision.has("guard_tripped"), is_tripped, "at {now}");
            assert_eq!(decision.has("guarded"), is_tripped, "at {now}");
            assert_eq!(
                decision.desired.get(),
                if is_tripped { 6 } else { 3 },
                "at {now}"
            );
            memory = decision.memory;
        }
        assert!(memory.guards.is_empty());
    }

    #[test]
    fn a_guard_trips_once_so_many_of_so_many_periods_were_bad() {
        let of = Breach::Of {
            breaching: 3,
            periods: 5,
        };
        let rules = guarded(of, block_in());
        for (errors, is_tripped) in [
            ("0 0 0 50 50", false),
            ("0 0 50 50 50", true),
            ("50 50 0 0 50", true),
            // The first is out of the window.
            ("50 50 0 0 0 50", false),
            // The newest decides whether the guard may trip at all.
            ("50 0 0 0 0", false),
        ] {
            let now = errors.split_whitespace().count() as f64 - 1.0;
            let decision = decided(&rules, &observed(errors, now, 60.0), &before(), at(now));
            assert_eq!(decision.has("guard_tripped"), is_tripped, "{errors}");
        }
    }

    #[test]
    fn what_is_remembered_of_a_guard_goes_with_it() {
        let rules = guarded(Breach::Now, block_in());
        let seen = observed("50", 0.0, 60.0);
        let tripped = decided(&rules, &seen, &before(), at(0.0)).memory;
        assert_eq!(tripped.guards.len(), 1);
        let kept = decided(&rules, &seen, &tripped, at(0.0)).memory;
        assert_eq!(kept.guards, tripped.guards);
        let without = cpu_rules(|policy| policy.metrics.push(metric("errors", None)));
        let gone = decided(&without, &seen, &tripped, at(0.0)).memory;
        assert!(gone.guards.is_empty());
    }

    #[test]
    fn a_release_does_not_go_on_in_a_silence_that_nobody_looked_at() {
        let rules = guarded(Breach::Now, block_in());
        // Good at 3, nothing until 60, then good again: what was good before the silence counts no more.
        let seen =
            |now: f64| {
                let mut seen = observed("0 50 50 0", now, 30.0);
                if let Some(MetricReading::Group(samples)) = seen.metrics.get_mut("errors") {
                    samples.extend((60..=70).map(f64::from).filter(|n| *n <= now).map(|n| {
                        Sample {
                            at: at(n),
                            value: 0.0,
                        }
                    }));
                }
                seen
            };
        for (looks, is_tripped) in [
            (vec![3.0, 61.0], true),
            // So late that what came right after the silence is the oldest that can matter.
            (vec![3.0, 68.5], false),
            (vec![3.0, 63.9], true),
            (vec![3.0, 64.0], false),
        ] {
            let mut memory = before();
            let mut last = None;
            for now in &looks {
                let decision = decided(&rules, &seen(*now), &memory, at(*now));
                last = Some(decision.has("guard_tripped"));
                memory = decision.memory;
            }
            assert_eq!(last, Some(is_tripped), "{looks:?}");
        }
    }

    #[test]
    fn one_good_sample_after_a_silence_is_no_release_however_late_anyone_looks() {
        let rules = guarded(Breach::Now, block_in());
        let seen = |now: f64| {
            let mut seen = observed("0 50 50 0", now, 30.0);
            if let Some(MetricReading::Group(samples)) = seen.metrics.get_mut("errors")
                && now > 53.0
            {
                samples.push(Sample {
                    at: at(53.0),
                    value: 0.0,
                });
            }
            seen
        };
        for late in [54.0, 58.0, 61.0, 61.5, 62.0, 70.0, 500.0] {
            let first = decided(&rules, &seen(3.0), &before(), at(3.0));
            assert!(first.has("guard_tripped"));
            let decision = decided(&rules, &seen(late), &first.memory, at(late));
            assert!(decision.has("guard_tripped"), "{late}");
        }
    }

    #[test]
    fn a_guard_reads_what_is_sampled_per_instance() {
        let rules = guarded(Breach::Now, block_in());
        for (value, sampled, is_tripped) in [
            (50.0, 0.0, true),
            (5.0, 0.0, false),
            // It was bad when it was sampled, and silence does not mend it.
            (50.0, -4.0, true),
        ] {
            let mut seen = seen(6, &[("cpu", 30.0)], at(0.0));
            seen.metrics.insert(
                "errors".into(),
                MetricReading::PerInstance {
                    at: at(sampled),
                    values: vec![tideform_policies::model::InstanceSample {
                        id: "a".into(),
                        value: Some(value),
                        of: None,
                    }],
                },
            );
            let decision = decided(&rules, &seen, &before(), at(0.0));
            assert_eq!(
                decision.has("guard_tripped"),
                is_tripped,
                "{value} at {sampled}"
            );
        }
    }

    #[test]
    fn how_often_anyone_looks_makes_no_difference() {
        let errors = "0 50 50 0 50 50 50 0 0 0 50 0 0 0 0 0 0 50 50 50 0 0 0 0 0 0 0";
        for breach in [
            Breach::Now,
            Breach::For(mins(2)),
            Breach::Of {
                breaching: 2,
                periods: 4,
            },
        ] {
            let rules = guarded(breach, block_in());
            let states = |step: usize| -> Vec<(usize, bool)> {
                let mut memory = before();
                (0..27)
                    .step_by(step)
                    .map(|minute| {
                        let now = minute as f64;
                        let decision =
                            decided(&rules, &observed(errors, now, 30.0), &memory, at(now));
                        memory = decision.memory.clone();
                        (minute, decision.has("guard_tripped"))
                    })
                    .collect()
            };
            let every = states(1);
            assert!(every.iter().any(|(_, tripped)| *tripped), "{breach:?}");
            for step in [2, 3, 5, 7] {
                for (minute, tripped) in states(step) {
                    assert_eq!(
                        every[minute].1, tripped,
                        "{breach:?} at {minute}, every {step}"
                    );
                }
            }
        }
    }

    #[test]
    fn a_guard_about_to_trip_is_a_next_change() {
        let rules = guarded(Breach::For(mins(4)), block_in());
        let decision = decided(&rules, &observed("0 50", 1.0, 60.0), &before(), at(1.0));
        assert!(!decision.has("guard_tripped"));
        assert_eq!(decision.next_change, Some(at(4.0)));
    }

    /// Silence from minute 4 on: who looked before and who looks only at 10 see the same.
    #[test]
    fn a_guard_flips_when_its_time_is_over_though_nobody_looks_before_the_data_falls_silent() {
        for (breach, release, errors, is_tripped) in [
            // Tripped by the sample at 0, good from 0 on: lets go at 2.
            (Breach::Now, 2, "50 0", false),
            // Would let go at 5, when nobody knows any more.
            (Breach::Now, 5, "50 0", true),
            // Bad from 0 on: trips at 3, and stays tripped.
            (Breach::For(mins(3)), 1, "0 50", true),
            (Breach::For(mins(5)), 1, "0 50", false),
        ] {
            let mut rules = guarded(breach, block_in());
            let mut group = rules.group().clone();
            group.policy.guards[0].release = mins(release);
            rules = Rules::new(&group);
            for looks in [
                vec![0.0, 1.0, 10.0],
                vec![0.0, 1.0, 2.0, 3.0, 3.5, 4.0, 10.0],
            ] {
                let mut memory = before();
                let mut last = None;
                for now in &looks {
                    let decision =
                        decided(&rules, &observed(errors, *now, 60.0), &memory, at(*now));
                    last = Some(decision.has("guard_tripped"));
                    memory = decision.memory;
                }
                assert_eq!(last, Some(is_tripped), "{breach:?} {release} {looks:?}");
            }
        }
    }

    fn now_with(effect: GuardEffect, cpu: f64) -> Decision {
        let rules = guarded(Breach::Now, effect);
        decided(&rules, &observed("50", 0.0, cpu), &before(), at(0.0))
    }

    #[test]
    fn blocks_hold_their_direction_and_a_cap_stops_growth_and_removes_nothing() {
        use Blocks::{All, ScaleIn, ScaleOut};
        for (effect, cpu, desired) in [
            (GuardEffect::Block(ScaleIn), 30.0, 6),
            (GuardEffect::Block(ScaleIn), 90.0, 9),
            (GuardEffect::Block(ScaleOut), 90.0, 6),
            (GuardEffect::Block(ScaleOut), 30.0, 3),
            (GuardEffect::Block(All), 90.0, 6),
            (GuardEffect::Block(All), 30.0, 6),
            (GuardEffect::Cap(Capacity(8)), 90.0, 8),
            (GuardEffect::Cap(Capacity(4)), 90.0, 6),
            (GuardEffect::Cap(Capacity(4)), 30.0, 3),
        ] {
            assert_eq!(
                now_with(effect, cpu).desired.get(),
                desired,
                "{effect:?} {cpu}"
            );
        }
    }

    /// Quadratic work took minutes for this; linear work takes well under a second, also unoptimized.
    #[test]
    fn a_long_history_is_followed_in_linear_time() {
        let rules = guarded(Breach::For(mins(60 * 24 * 365)), block_in());
        let count = 50_000;
        let samples = (0..count)
            .map(|n| Sample {
                at: at(f64::from(n)),
                value: 50.0,
            })
            .collect();
        let now = at(f64::from(count - 1));
        let mut seen = seen(6, &[("cpu", 30.0)], now);
        seen.metrics
            .insert("errors".into(), MetricReading::Group(samples));
        let decision = crate::engine::decide(&rules, &seen, &before(), now);
        assert!(!decision.has("guard_tripped"));
        assert_eq!(decision.memory.guards[0].since, Some(at(-1.0)));
    }

    #[test]
    fn no_data_is_not_tripped() {
        let rules = guarded(Breach::Now, block_in());
        let decision = decided(&rules, &observed("", 0.0, 30.0), &before(), at(0.0));
        assert!(!decision.has("guard_tripped"));
        assert_eq!(decision.desired.get(), 3);
    }

    #[test]
    fn a_tripped_guard_whose_metric_falls_silent_stays_tripped_until_it_speaks_well_again() {
        let rules = guarded(Breach::Now, block_in());
        let silent = "0 50 50 0";
        let back =
            |now: f64| {
                let mut seen = observed(silent, now, 30.0);
                if let Some(MetricReading::Group(samples)) = seen.metrics.get_mut("errors") {
                    samples.extend((60..=70).map(f64::from).filter(|n| *n <= now).map(|n| {
                        Sample {
                            at: at(n),
                            value: 0.0,
                        }
                    }));
                }
                seen
            };
        let every = |step: usize| -> Vec<(usize, bool)> {
            let mut memory = before();
            (0..=70)
                .step_by(step)
                .map(|minute| {
                    let now = minute as f64;
                    let decision = decided(&rules, &back(now), &memory, at(now));
                    memory = decision.memory.clone();
                    (minute, decision.has("guard_tripped"))
                })
                .collect()
        };
        for step in [1, 2, 3] {
            for (minute, is_tripped) in every(step) {
                // Trips at 1; the good minutes from 59 on (the sample at 60 covers it) let go at 64.
                let expected = (1..64).contains(&minute);
                assert_eq!(is_tripped, expected, "at {minute}, every {step}");
            }
        }
    }
}
