//! Short peaks far above what was to be expected.

use jiff::Timestamp;
use serde::Serialize;

use super::hours::Hours;
use super::{DAY_S, Series, numbers};

/// Short peaks.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Spikes {
    /// How many.
    pub count: usize,
    /// How many a week.
    pub per_week: f64,
    /// Half of them reach at least this multiple of the baseline.
    pub median_magnitude: f64,
    /// Half of them take at least so long from the first step to the highest.
    pub median_rise_s: u64,
    /// Half of them last at least so long.
    pub median_length_s: u64,
    /// The highest, by their multiple of the baseline; ten at most.
    pub largest: Vec<Spike>,
    /// A time of day at which they come again and again.
    pub recurring: Option<Recurring>,
}

/// A short peak.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Spike {
    /// Its first step.
    pub from: Timestamp,
    /// Its highest step.
    pub peak_at: Timestamp,
    /// How long it is above.
    pub length_s: u64,
    /// Its highest load.
    pub peak: f64,
    /// What was to be expected then.
    pub baseline: f64,
    /// `peak / baseline`, the baseline taken as at least a tenth of the mean.
    pub magnitude: f64,
}

/// Spikes at the same time of day.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Recurring {
    /// The local time around which they begin, in minutes since midnight.
    pub minute_of_day: u32,
    /// On how many days.
    pub days: usize,
    /// Of how many.
    pub of_days: usize,
}

/// A spike is twice the baseline at least, and this many times the usual spread above it.
const SPREADS: f64 = 4.0;

pub(super) fn of(series: &Series, hours: &Hours, mean: f64) -> Spikes {
    let expected = baseline(hours);
    let baseline: Vec<f64> = hours
        .of_step
        .iter()
        .map(|cell| expected.get(*cell as usize).copied().unwrap_or(mean))
        .collect();
    let values = &series.values;
    let off: Vec<f64> = values.iter().zip(&baseline).map(|(v, b)| v - b).collect();
    let usual = numbers::spread(&off);
    let floor = 0.1 * mean;
    let is_above = |at: usize| {
        let least = baseline[at].max(floor);
        values[at] > 2.0 * least && values[at] - baseline[at] > SPREADS * usual
    };
    // Two that are only two steps or ten minutes apart are one.
    let apart = (600 / series.step_s).max(2) as usize;
    let mut runs: Vec<(usize, usize)> = Vec::new();
    for at in (0..values.len()).filter(|at| is_above(*at)) {
        match runs.last_mut() {
            Some(last) if at <= last.1 + apart => last.1 = at,
            _ => runs.push((at, at)),
        }
    }
    let mut rises = Vec::new();
    let mut all: Vec<Spike> = runs
        .iter()
        .filter_map(|(from, to)| {
            let peak_at = (*from..=*to).max_by(|a, b| values[*a].total_cmp(&values[*b]))?;
            rises.push(((peak_at - from + 1) as u64 * series.step_s) as f64);
            Some(Spike {
                from: series.at(*from),
                peak_at: series.at(peak_at),
                length_s: (to - from + 1) as u64 * series.step_s,
                peak: values[peak_at],
                baseline: baseline[peak_at],
                magnitude: numbers::ratio(values[peak_at], baseline[peak_at].max(floor)),
            })
        })
        .collect();
    let days = (series.step_s * values.len() as u64) as f64 / DAY_S as f64;
    let recurring = recurring(&all, hours, days);
    all.sort_by(|a, b| b.magnitude.total_cmp(&a.magnitude));
    let median =
        |of: &dyn Fn(&Spike) -> f64| numbers::median(&all.iter().map(of).collect::<Vec<f64>>());
    Spikes {
        count: all.len(),
        per_week: all.len() as f64 / days * 7.0,
        median_magnitude: median(&|spike| spike.magnitude),
        median_rise_s: numbers::median(&rises) as u64,
        median_length_s: median(&|spike| spike.length_s as f64) as u64,
        recurring,
        largest: {
            all.truncate(10);
            all
        },
    }
}

/// What is to be expected of each hour: the larger of the median of the hours around it, and that of the same hour on
/// the days around it.
fn baseline(hours: &Hours) -> Vec<f64> {
    const AROUND: usize = 3;
    const DAYS: u32 = 7;
    let cells = &hours.cells;
    let mut by_hour: Vec<Vec<usize>> = vec![Vec::new(); 24];
    for (at, cell) in cells.iter().enumerate() {
        if let Some(alike) = by_hour.get_mut(usize::from(cell.hour)) {
            alike.push(at);
        }
    }
    (0..cells.len())
        .map(|at| {
            let from = at.saturating_sub(AROUND);
            let around: Vec<f64> = cells[from..(at + AROUND + 1).min(cells.len())]
                .iter()
                .map(|cell| cell.median)
                .collect();
            let alike: Vec<f64> = by_hour
                .get(usize::from(cells[at].hour))
                .map(|alike| {
                    let from = alike.partition_point(|i| cells[*i].day + DAYS < cells[at].day);
                    let to = alike.partition_point(|i| cells[*i].day <= cells[at].day + DAYS);
                    alike[from..to]
                        .iter()
                        .filter(|i| **i != at)
                        .map(|i| cells[*i].median)
                        .collect()
                })
                .unwrap_or_default();
            numbers::median(&around).max(numbers::median(&alike))
        })
        .collect()
}

/// The half hour of the day in which most days have a spike begin, if it is at least half of the days.
fn recurring(spikes: &[Spike], hours: &Hours, days: f64) -> Option<Recurring> {
    let begun: Vec<(jiff::civil::Date, u32)> = spikes
        .iter()
        .map(|spike| {
            let date = hours.timezone.to_datetime(spike.from).date();
            (date, hours.minute_of_day(spike.from))
        })
        .collect();
    let around = |middle: u32| {
        let mut dates: Vec<jiff::civil::Date> = begun
            .iter()
            .filter(|(_, minute)| {
                let apart = minute.abs_diff(middle);
                apart.min(1440 - apart) <= 15
            })
            .map(|(date, _)| *date)
            .collect();
        dates.dedup();
        dates.len()
    };
    let (minute_of_day, on) = (0..48)
        .map(|half_hour| (half_hour * 30, around(half_hour * 30)))
        .max_by_key(|(minute, on)| (*on, std::cmp::Reverse(*minute)))?;
    let of_days = days.round() as usize;
    (on >= 3 && 2 * on >= of_days).then_some(Recurring {
        minute_of_day,
        days: on,
        of_days,
    })
}
