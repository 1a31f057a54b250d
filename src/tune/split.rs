//! Cutting a load in two by time: what is learned from, and what judges.

use std::time::Duration;

use crate::simulate::trace::Trace;

const DAY: u64 = 86_400;
const WEEK: u64 = 7 * DAY;
/// Less than so many steps on either side say nothing.
const FEWEST: usize = 12;

/// A load, cut in two.
#[derive(Clone, Debug, PartialEq)]
pub struct Split {
    /// The earlier part, which candidates are tried on.
    pub train: Trace,
    /// The later part, which the recommended one is judged on.
    pub held_out: Trace,
}

/// Holds out the last third: whole weeks where there are two or more, else whole days where there are two or more, else
/// steps. What is left over by the whole ones is learned from. `None`: too short.
pub fn split(trace: &Trace) -> Option<Split> {
    let step = trace.step().as_secs().max(1);
    let length = trace.length().as_secs();
    let held_out = [WEEK, DAY, step]
        .into_iter()
        .find(|unit| length / unit >= 2)
        .map(|unit| third(length / unit) * unit)?;
    let cut = trace.end() - jiff::SignedDuration::from_secs(i64::try_from(held_out).ok()?);
    let split = Split {
        train: trace.between(None, Some(cut))?,
        held_out: trace.between(Some(cut), None)?,
    };
    let is_long = |part: &Trace| part.values().len() >= FEWEST;
    (is_long(&split.train) && is_long(&split.held_out)).then_some(split)
}

/// A third, rounded, at least one.
fn third(of: u64) -> u64 {
    ((of + 1) / 3).max(1)
}

/// Whether a part is so short that a day in it is not like another.
pub fn is_short(split: &Split) -> bool {
    let shorter = split.train.length().min(split.held_out.length());
    shorter < Duration::from_secs(DAY)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_last_third_is_held_out_in_whole_weeks_or_days() {
        for (step, steps, train, held_out) in [
            // Two weeks of minutes; three, four, five and a bit.
            (60, 20_160, 10_080, 10_080),
            (60, 30_240, 20_160, 10_080),
            (3_600, 672, 504, 168),
            (3_600, 900, 900 - 336, 336),
            // Nine days, two days and a bit, a day, an hour.
            (60, 9 * 1_440, 6 * 1_440, 3 * 1_440),
            (60, 3_000, 1_560, 1_440),
            (60, 1_440, 960, 480),
            (60, 60, 40, 20),
        ] {
            let trace = Trace::new(
                jiff::Timestamp::UNIX_EPOCH,
                Duration::from_secs(step),
                (0..steps).map(|n| n as f64).collect(),
            )
            .unwrap();
            let split = split(&trace).unwrap();
            let lengths = (split.train.values().len(), split.held_out.values().len());
            assert_eq!(lengths, (train, held_out), "{steps} steps of {step} s");
            assert_eq!(split.train.end(), split.held_out.start());
            assert_eq!(split.held_out.values()[0], train as f64);
        }
        let short = Trace::new(
            jiff::Timestamp::UNIX_EPOCH,
            Duration::from_secs(60),
            vec![1.0; 20],
        );
        assert_eq!(split(&short.unwrap()), None);
    }
}
