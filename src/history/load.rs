//! From records to the load that there was. Pure.

use std::time::Duration;

use jiff::Timestamp;
use tideform_policies::model::Statistic;

use super::served::Served;
use super::{
    LONGEST_HELD, Load, NoHistory, Recorded, Records, SATURATED_PERCENT, SHORTEST, Tells, Unit,
};
use crate::simulate::trace::Trace;

/// A step of a load is no shorter, and no longer than [`LONGEST_STEP_S`].
const SHORTEST_STEP_S: i64 = 60;
const LONGEST_STEP_S: i64 = 3_600;

impl Records {
    /// The load that they tell: the longest stretch without a gap of more than [`LONGEST_HELD`], the newest of equal ones.
    ///
    /// A step is as long as the samples are usually apart, in whole minutes; several samples in one are averaged. A mean
    /// over instances is multiplied by the mean of what served in its period; samples of a time whose
    /// instances nobody has recorded are left out.
    ///
    /// # Errors
    /// [`NoHistory`].
    pub fn load(&self, unit: Unit) -> Result<Load, NoHistory> {
        let (metric, tells) = (&self.metric, self.tells);
        let divisor = match metric.statistic {
            Statistic::Sum => metric.period.as_secs_f64().max(1.0),
            _ => 1.0,
        };
        let throughput = unit.throughput.unwrap_or(1.0);
        let nothing = || NoHistory::Nothing;
        if self.samples.is_empty() || (tells.needs_capacity() && self.counted.is_empty()) {
            return Err(nothing());
        }
        let step_s = usual_step(&self.samples);
        let mut served = Served::new(&self.counted, unit.boot, tells);
        let mut steps: Vec<Step> = Vec::with_capacity(self.samples.len());
        for sample in &self.samples {
            let length = sample.rolled_up.unwrap_or(metric.period);
            let factor = match tells {
                Tells::Load => Some(1.0),
                Tells::LoadOfInstance => served.mean(sample.at, length),
                Tells::Utilization | Tells::UtilizationOfLive => served
                    .mean(sample.at, length)
                    .map(|units| units * throughput / 100.0),
            };
            let Some(factor) = factor else {
                continue;
            };
            let load = (sample.value / divisor * factor).max(0.0);
            if !load.is_finite() {
                continue;
            }
            // A sample is about the time before it. Only a roll-up is about several steps.
            let index = |second: i64| second.div_euclid(step_s);
            let last = index(sample.at.as_second() - 1);
            let first = match sample.rolled_up {
                Some(length) => index(sample.at.as_second() - length.as_secs() as i64).min(last),
                None => last,
            };
            let is_bound = tells.is_utilization() && sample.value >= SATURATED_PERCENT;
            for index in first..=last {
                match steps.last_mut() {
                    Some(step) if step.index == index => step.add(load, is_bound),
                    // The newer record of a time is the finer one.
                    Some(step) if step.index > index => {}
                    _ => steps.push(Step {
                        index,
                        sum: load,
                        count: 1,
                        is_bound,
                    }),
                }
            }
        }
        let stretch = longest_stretch(&steps, step_s);
        let (Some(first), Some(last)) = (stretch.first(), stretch.last()) else {
            return Err(nothing());
        };
        let length_s = (last.index - first.index + 1) * step_s;
        let found = Duration::from_secs(length_s.unsigned_abs());
        if found < SHORTEST {
            return Err(NoHistory::TooShort {
                of: self.source.clone(),
                found,
            });
        }
        let mut values: Vec<f64> = Vec::with_capacity((last.index - first.index + 1) as usize);
        let mut bounds = Vec::new();
        let mut held = 0;
        for step in stretch {
            let before = values.last().copied().unwrap_or(0.0);
            while first.index + (values.len() as i64) < step.index {
                values.push(before);
                held += 1;
            }
            if step.is_bound {
                bounds.push(values.len() as u32);
            }
            values.push(step.sum / f64::from(step.count));
        }
        let start = Timestamp::from_second(first.index * step_s).unwrap_or(Timestamp::UNIX_EPOCH);
        let step = Duration::from_secs(step_s.unsigned_abs());
        let trace = Trace::new(start, step, values).map_err(|_| nothing())?;
        Ok(Load {
            trace: trace.with_lower_bounds(bounds),
            source: self.source.clone(),
            held,
            is_in_units: tells.is_utilization() && unit.throughput.is_none(),
            notes: Vec::new(),
        })
    }
}

/// The samples of one step.
#[derive(Clone, Copy, Debug)]
struct Step {
    /// Steps since 1970.
    index: i64,
    sum: f64,
    count: u32,
    is_bound: bool,
}

impl Step {
    fn add(&mut self, load: f64, is_bound: bool) {
        self.sum += load;
        self.count += 1;
        self.is_bound |= is_bound;
    }
}

/// How far apart samples usually are, in whole minutes: the median.
fn usual_step(samples: &[Recorded]) -> i64 {
    let mut apart: Vec<i64> = samples
        .iter()
        .zip(samples.iter().skip(1))
        .map(|(a, b)| b.at.as_second() - a.at.as_second())
        .collect();
    let middle = apart.len() / 2;
    if apart.is_empty() {
        return SHORTEST_STEP_S;
    }
    let (_, median, _) = apart.select_nth_unstable(middle);
    let minutes = (*median + SHORTEST_STEP_S / 2) / SHORTEST_STEP_S;
    (minutes * SHORTEST_STEP_S).clamp(SHORTEST_STEP_S, LONGEST_STEP_S)
}

/// The longest run of steps without a long gap between them.
fn longest_stretch(steps: &[Step], step_s: i64) -> &[Step] {
    let longest_held = LONGEST_HELD.as_secs() as i64 / step_s;
    let length = |steps: &[Step]| match (steps.first(), steps.last()) {
        (Some(first), Some(last)) => last.index - first.index + 1,
        _ => 0,
    };
    let stretches = steps.chunk_by(|a, b| b.index - a.index - 1 <= longest_held);
    stretches
        .max_by_key(|steps| length(steps))
        .unwrap_or_default()
}
