//! What was read of each metric, found by the metric's name or, at once, by its place in the policy.

use std::sync::Arc;

use tideform_policies::model::{MetricReading, Name, Sample};

use super::rules::Rules;
use super::time::age;

/// What was read of each metric. A metric that is not here has no data.
///
/// With [`Readings::of`] each metric of a policy has its slot from the start, in the policy's order: no name is
/// searched for, and a simulation can go on with one value from decision to decision.
#[derive(Clone, Debug, Default)]
pub struct Readings {
    /// Names are unique.
    slots: Vec<Slot>,
}

#[derive(Clone, Debug)]
struct Slot {
    metric: Name,
    reading: Option<MetricReading>,
}

impl Readings {
    /// A slot for each metric of the rules, at its place, still without data.
    pub fn of(rules: &Rules) -> Readings {
        let metrics = &rules.group().policy.metrics;
        Readings {
            slots: metrics
                .iter()
                .map(|metric| Slot {
                    metric: metric.name.clone(),
                    reading: None,
                })
                .collect(),
        }
    }

    /// What was read of a metric.
    pub fn get(&self, metric: &str) -> Option<&MetricReading> {
        let slot = self.slots.iter().find(|slot| &*slot.metric == metric)?;
        slot.reading.as_ref()
    }

    /// The same, to change it.
    pub fn get_mut(&mut self, metric: &str) -> Option<&mut MetricReading> {
        let slot = self.slots.iter_mut().find(|slot| &*slot.metric == metric)?;
        slot.reading.as_mut()
    }

    /// What was read of a metric; if nothing was, no sample of the group, to be filled in.
    pub fn get_or_empty(&mut self, metric: &Name) -> &mut MetricReading {
        let place = self
            .slots
            .iter()
            .position(|slot| slot.metric == *metric)
            .unwrap_or_else(|| {
                self.slots.push(Slot {
                    metric: metric.clone(),
                    reading: None,
                });
                self.slots.len() - 1
            });
        self.slots[place]
            .reading
            .get_or_insert_with(|| MetricReading::Group(Vec::new()))
    }

    /// Whether anything was read of a metric.
    pub fn contains_key(&self, metric: &str) -> bool {
        self.get(metric).is_some()
    }

    /// Puts a reading in the place of the one before, which it gives back.
    pub fn insert(&mut self, metric: Name, reading: MetricReading) -> Option<MetricReading> {
        match self.slots.iter_mut().find(|slot| slot.metric == metric) {
            Some(slot) => slot.reading.replace(reading),
            None => {
                let reading = Some(reading);
                self.slots.push(Slot { metric, reading });
                None
            }
        }
    }

    /// Takes a reading away: the metric has no data.
    pub fn remove(&mut self, metric: &str) -> Option<MetricReading> {
        let slot = self.slots.iter_mut().find(|slot| &*slot.metric == metric)?;
        slot.reading.take()
    }

    /// Adds the newest sample of the group to the metric at a place, and now and then forgets those that no rule
    /// looks at any more. It allocates only until it has held twice as many as rules look at.
    ///
    /// Nothing happens where `self` was not made by [`Readings::of`] these rules.
    pub fn record(&mut self, rules: &Rules, place: usize, sample: Sample) {
        let (Some(slot), Some(metric)) = (self.slots.get_mut(place), rules.metrics.get(place))
        else {
            return;
        };
        match &mut slot.reading {
            Some(MetricReading::Group(samples)) => {
                if samples.len() == samples.capacity() {
                    let is_seen = |old: &Sample| age(sample.at, old.at) <= metric.reach;
                    let outdated = samples.partition_point(|old| !is_seen(old));
                    samples.drain(..outdated);
                    // Room for many more, so that this is rare.
                    samples.reserve_exact(samples.len().max(31) + 1);
                }
                samples.push(sample);
            }
            reading => *reading = Some(MetricReading::Group(vec![sample])),
        }
    }

    /// Makes this the only sample of the metric at a place; `None`: the metric has no data.
    ///
    /// Nothing happens where `self` was not made by [`Readings::of`] the rules that the place is of.
    pub fn replace(&mut self, place: usize, sample: Option<Sample>) {
        let Some(slot) = self.slots.get_mut(place) else {
            return;
        };
        match (&mut slot.reading, sample) {
            (Some(MetricReading::Group(samples)), Some(sample)) => {
                samples.clear();
                samples.push(sample);
            }
            (Some(MetricReading::Group(samples)), None) => samples.clear(),
            (reading, sample) => {
                *reading = sample.map(|sample| MetricReading::Group(vec![sample]));
            }
        }
    }

    /// All that was read, in the order of the slots.
    pub fn iter(&self) -> impl Iterator<Item = (&Name, &MetricReading)> {
        self.slots
            .iter()
            .filter_map(|slot| Some((&slot.metric, slot.reading.as_ref()?)))
    }

    /// What was read of the metric at a place of the policy.
    #[inline]
    pub(super) fn at(&self, place: usize, metric: &Name) -> Option<&MetricReading> {
        match self.slots.get(place) {
            // The same name, without a look at its letters.
            Some(slot) if Arc::ptr_eq(&slot.metric, metric) => slot.reading.as_ref(),
            Some(_) | None => self.get(metric),
        }
    }
}

/// The order of the slots, and slots without a reading, do not count.
impl PartialEq for Readings {
    fn eq(&self, other: &Readings) -> bool {
        self.iter().count() == other.iter().count()
            && self
                .iter()
                .all(|(metric, reading)| other.get(metric) == Some(reading))
    }
}

impl FromIterator<(Name, MetricReading)> for Readings {
    fn from_iter<T: IntoIterator<Item = (Name, MetricReading)>>(all: T) -> Readings {
        let mut readings = Readings::default();
        for (metric, reading) in all {
            readings.insert(metric, reading);
        }
        readings
    }
}

impl<const N: usize> From<[(Name, MetricReading); N]> for Readings {
    fn from(all: [(Name, MetricReading); N]) -> Readings {
        Readings::from_iter(all)
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;
    use crate::engine::testing::{above, at, cpu_rules, metric, mins};
    use tideform_policies::model::{Adjustment, Breach, Rule};

    #[test]
    fn a_reading_is_found_whatever_the_order_it_came_in() {
        let rules = cpu_rules(|policy| {
            for name in ["queue", "errors"] {
                policy.metrics.push(metric(name, None));
            }
        });
        let reading = |value| MetricReading::Group(vec![Sample { at: at(0.0), value }]);
        let pairs = [("errors", 1.0), ("cpu", 2.0)];
        let searched: Readings = pairs.map(|(name, x)| (name.into(), reading(x))).into();
        let mut placed = Readings::of(&rules);
        for (name, x) in pairs {
            placed.insert(name.into(), reading(x));
        }
        assert_eq!(searched, placed);
        for readings in [&searched, &placed] {
            let found =
                |place: usize| readings.at(place, &rules.group().policy.metrics[place].name);
            assert_eq!(found(0), Some(&reading(2.0)));
            assert_eq!(found(1), None);
            assert_eq!(found(2), Some(&reading(1.0)));
        }
        placed.remove("cpu");
        assert_ne!(searched, placed);
    }

    #[test]
    fn readings_are_equal_where_each_metric_was_read_alike() {
        let reading = |value| MetricReading::Group(vec![Sample { at: at(0.0), value }]);
        let of = |pairs: &[(&str, f64)]| -> Readings {
            let pairs = pairs.iter().map(|(name, x)| ((*name).into(), reading(*x)));
            pairs.collect()
        };
        let two = of(&[("cpu", 1.0), ("queue", 2.0)]);
        assert_eq!(two, of(&[("queue", 2.0), ("cpu", 1.0)]));
        for other in [
            of(&[("cpu", 1.0)]),
            of(&[("cpu", 1.0), ("queue", 3.0)]),
            of(&[("cpu", 1.0), ("errors", 2.0)]),
            of(&[]),
        ] {
            assert_ne!(two, other);
            assert_ne!(other, two);
        }
    }

    #[test]
    fn recorded_samples_are_bounded_and_hold_all_that_the_rules_look_at() {
        let rules = cpu_rules(|policy| {
            let metric = &mut policy.metrics[0];
            metric.breach = Breach::For(mins(30));
            metric.rule = Some(Rule::Steps(vec![above(80.0, None, Adjustment::Add(1))]));
        });
        let mut readings = Readings::of(&rules);
        for minute in 0..5_000 {
            let now = at(f64::from(minute));
            readings.record(
                &rules,
                0,
                Sample {
                    at: now,
                    value: 1.0,
                },
            );
            let Some(MetricReading::Group(samples)) = readings.get("cpu") else {
                panic!("no samples");
            };
            assert!(samples.capacity() <= 128, "{}", samples.capacity());
            let oldest = age(now, samples[0].at);
            assert!(oldest >= mins(30).min(Duration::from_secs(minute as u64 * 60)));
        }
    }
}
