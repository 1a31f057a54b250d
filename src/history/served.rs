//! What served at each time, as far as records tell. Pure.

use std::time::Duration;

use jiff::Timestamp;
use tideform_policies::model::Sample;
use tideform_state::{CapacityRun, MERGE_GAP};

use super::{Counted, Tells};

/// The units, or instances, that a metric is a mean of, over time.
pub(super) enum Served<'a> {
    /// As the loop saw them.
    Seen(Seen<'a>),
    /// As they were measured.
    Measured(Measured<'a>),
}

impl<'a> Served<'a> {
    pub(super) fn new(counted: &'a Counted, boot: Duration, tells: Tells) -> Served<'a> {
        match counted {
            Counted::Runs(runs) => Served::Seen(Seen {
                runs,
                tells,
                boot_ms: i64::try_from(boot.as_millis()).unwrap_or(i64::MAX),
                first: 0,
            }),
            Counted::Samples(samples, period) => Served::Measured(Measured {
                samples,
                period: *period,
                first: 0,
            }),
        }
    }

    /// The mean over a period that ends at a time; `None`: nobody has recorded enough of it. Times must rise.
    pub(super) fn mean(&mut self, end: Timestamp, period: Duration) -> Option<f64> {
        match self {
            Served::Seen(seen) => seen.mean(end, period),
            Served::Measured(measured) => measured.mean(end, period),
        }
    }
}

/// Samples of what was in service.
pub(super) struct Measured<'a> {
    samples: &'a [Sample],
    /// How long each of them is about.
    period: Duration,
    /// The first that can still matter.
    first: usize,
}

impl Measured<'_> {
    fn mean(&mut self, end: Timestamp, period: Duration) -> Option<f64> {
        let ms = |at: Timestamp| at.as_millisecond();
        let of = |time: Duration| i64::try_from(time.as_millis()).unwrap_or(i64::MAX);
        let from_ms = ms(end).saturating_sub(of(period));
        // A sample that ends after the period began and began before it ended is about a part of it.
        while let Some(sample) = self.samples.get(self.first)
            && ms(sample.at) <= from_ms
        {
            self.first += 1;
        }
        let (mut sum, mut weight) = (0.0, 0_i64);
        for sample in self.samples.iter().skip(self.first) {
            let began = ms(sample.at).saturating_sub(of(self.period));
            if began >= ms(end) {
                break;
            }
            let part = ms(sample.at).min(ms(end)) - began.max(from_ms);
            sum += sample.value * part as f64;
            weight += part;
        }
        if weight > 0 {
            return Some((sum / weight as f64).max(0.0));
        }
        // One that is missing was as the one before, for as long as the loop's own records are taken to hold.
        let before = self.samples.get(self.first.checked_sub(1)?)?;
        (ms(before.at).saturating_add(of(MERGE_GAP)) >= ms(end)).then_some(before.value.max(0.0))
    }
}

/// What served, as the loop saw the group.
pub(super) struct Seen<'a> {
    runs: &'a [CapacityRun],
    tells: Tells,
    boot_ms: i64,
    /// The first run that can still matter: samples come in the order of time.
    first: usize,
}

impl Seen<'_> {
    /// The mean over a period that ends at a time; `None`: nobody has recorded all of it.
    fn mean(&mut self, end: Timestamp, period: Duration) -> Option<f64> {
        let end_ms = end.as_millisecond();
        let from_ms = end_ms - i64::try_from(period.as_millis()).ok()?.max(1);
        let needed = from_ms.saturating_sub(self.boot_ms);
        while let Some(next) = self.runs.get(self.first + 1)
            && next.sample.at.as_millisecond() <= needed
        {
            self.first += 1;
        }
        let (mut sum, mut known) = (0.0, 0_i64);
        for (i, run) in self.runs.iter().enumerate().skip(self.first) {
            let at = run.sample.at.as_millisecond();
            if at >= end_ms {
                break;
            }
            let (mut from, to) = (at.max(from_ms), self.ends(i).min(end_ms));
            while from < to {
                let (units, until) = self.units(i, from);
                let until = until.min(to);
                sum += units * (until - from) as f64;
                known += until - from;
                from = until;
            }
        }
        // The first tick after a start knows only its own end of the period.
        (known * 2 >= end_ms - from_ms).then(|| sum / known as f64)
    }

    /// Until when a run is taken to hold: to the next one, unless nobody looked for longer than the state merges.
    fn ends(&self, i: usize) -> i64 {
        let Some(run) = self.runs.get(i) else {
            return i64::MIN;
        };
        let until = run.until.as_millisecond();
        let patience = i64::try_from(MERGE_GAP.as_millis()).unwrap_or(i64::MAX);
        let next = self
            .runs
            .get(i + 1)
            .map(|next| next.sample.at.as_millisecond());
        next.unwrap_or(i64::MAX).min(until.saturating_add(patience))
    }

    /// What served at a time while a run held, and until when that is so: see `serving`.
    fn units(&self, i: usize, at_ms: i64) -> (f64, i64) {
        let Some(run) = self.runs.get(i) else {
            return (0.0, i64::MAX);
        };
        let sample = &run.sample;
        match self.tells {
            Tells::Load => (1.0, i64::MAX),
            Tells::UtilizationOfLive => (f64::from(sample.units), i64::MAX),
            Tells::Utilization => {
                let (units, until) = serving(self.runs, i, at_ms, self.boot_ms);
                (f64::from(units), until)
            }
            Tells::LoadOfInstance => {
                let (units, until) = serving(self.runs, i, at_ms, self.boot_ms);
                let instances = f64::from(sample.on_demand.saturating_add(sample.spot));
                let each = f64::from(sample.units.max(1));
                (f64::from(units) * instances / each, until)
            }
        }
    }
}

/// The units that served at a time while run `i` held, as far as records tell, and until when that is so.
///
/// Records say what is paid for, what was asked for and what is past its warm-up. An instance serves from its boot on,
/// which is before its warm-up ends; so what serves is what was there a boot ago already, and is not on its way out: the
/// least of `min(units, desired)` since then, and never less than `ready`.
fn serving(runs: &[CapacityRun], i: usize, at_ms: i64, boot_ms: i64) -> (u32, i64) {
    let Some(run) = runs.get(i) else {
        return (0, i64::MAX);
    };
    let kept = |run: &CapacityRun| run.sample.units.min(run.sample.desired);
    let (mut least, mut until) = (kept(run), i64::MAX);
    let earlier = runs.get(..i).unwrap_or_default().iter().rev();
    let later = runs.get(..=i).unwrap_or_default().iter().rev();
    for (earlier, later) in earlier.zip(later) {
        // It held until the later one began, and matters for a boot more.
        let matters = later.sample.at.as_millisecond().saturating_add(boot_ms);
        if matters <= at_ms {
            break;
        }
        least = least.min(kept(earlier));
        until = matters;
    }
    (least.max(run.sample.ready), until)
}
