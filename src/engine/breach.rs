//! Whether a threshold has been breached for long enough, from the times of the samples.
//!
//! The times of decisions play no part: twenty runs of a scheduled job and one daemon see the same.

use std::time::Duration;

use jiff::Timestamp;
use tideform_policies::model::{Breach, MetricSource, Sample};

use super::memory::age;
use super::moment::{Moment, Value};

/// Whether the metric's values breach for as long as its policy asks. `value` is the one that is decided from.
pub(super) fn is_breached(
    moment: &Moment<'_>,
    place: usize,
    value: Value,
    breaches: impl Fn(f64) -> bool,
) -> bool {
    let metric = &moment.policy.metrics[place];
    let period = match &metric.source {
        MetricSource::Query(_) => metric.period,
        MetricSource::Formula(_) => moment.rules.metrics[place].inputs.period,
    };
    let longest_gap = moment.rules.metrics[place].fresh;
    let (window, needed) = match metric.breach {
        Breach::Now => return true,
        Breach::For(time) if time.is_zero() => return true,
        Breach::For(time) => (time, None),
        Breach::Of { breaching, periods } => (period.saturating_mul(periods), Some(breaching)),
    };
    if let Value::Number(_) = value {
        // Absent data has this value for as long as it has been absent.
        let mut newest = None;
        moment.walk_back(place, |at, _| {
            newest = Some(at);
            false
        });
        let absent = needed.map_or(window, |n| period.saturating_mul(n));
        return newest.is_none_or(|at| age(moment.now, at) >= absent);
    }
    let mut run = Run::default();
    match needed {
        None => {
            moment.walk_back(place, |at, value| {
                run.extend(Sample { at, value }, period, longest_gap, &breaches);
                run.is_open && run.length < window
            });
            run.length >= window
        }
        Some(needed) => {
            let mut newest: Option<Timestamp> = None;
            let mut count = 0;
            moment.walk_back(place, |at, value| {
                let newest = *newest.get_or_insert(at);
                if age(newest, at) >= window {
                    return false;
                }
                count += u32::from(breaches(value));
                count < needed
            });
            count >= needed
        }
    }
}

/// A run of breaching samples, walked from the newest back.
#[derive(Debug)]
struct Run {
    newest: Option<Timestamp>,
    earliest: Option<Timestamp>,
    /// From the start of the earliest sample's period to the newest sample.
    length: Duration,
    is_open: bool,
}

impl Default for Run {
    fn default() -> Run {
        Run {
            newest: None,
            earliest: None,
            length: Duration::ZERO,
            is_open: true,
        }
    }
}

impl Run {
    fn extend(
        &mut self,
        sample: Sample,
        period: Duration,
        longest_gap: Duration,
        breaches: impl Fn(f64) -> bool,
    ) {
        let is_after_gap = self
            .earliest
            .is_some_and(|earliest| age(earliest, sample.at) > longest_gap);
        if is_after_gap || !breaches(sample.value) {
            self.is_open = false;
            return;
        }
        let newest = *self.newest.get_or_insert(sample.at);
        self.earliest = Some(sample.at);
        self.length = age(newest, sample.at).saturating_add(period);
    }
}
