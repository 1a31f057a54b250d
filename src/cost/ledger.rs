//! The ledger: instance-hours and money, integrated from capacity samples.
//!
//! Between two samples the earlier one holds, unless they are further apart than a bound: then nobody knows what ran
//! in between, and the time is counted as unobserved, not invented. Nothing is counted up: whatever is asked is
//! computed from the samples again, so a crash loses at most what was not observed.

use std::time::Duration;

use jiff::Timestamp;
use tideform_state::{CapacityRun, MERGE_GAP};

use super::money::Money;

/// The shortest time that an instance is paid for, where whole lives are known. Samples do not show single
/// instances, so the ledger cannot add it: an instance that lived for less than this between two samples is not seen
/// at all, and one that is seen counts for the whole step.
pub const BILLING_MINIMUM: Duration = Duration::from_secs(60);

/// What an instance is paid for that lived so long: per second, [`BILLING_MINIMUM`] at least.
pub fn billed(life: Duration) -> Duration {
    life.max(BILLING_MINIMUM)
}

/// How samples become time.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct LedgerRules {
    /// Samples further apart than this are a gap. At least [`MERGE_GAP`], below which the state does not tell.
    pub longest_gap: Duration,
}

impl Default for LedgerRules {
    /// 15 minutes.
    fn default() -> LedgerRules {
        LedgerRules {
            longest_gap: 3 * MERGE_GAP,
        }
    }
}

impl LedgerRules {
    /// For a loop that comes by this often: three rounds, at least 15 minutes.
    pub fn for_interval(every: Duration) -> LedgerRules {
        LedgerRules {
            longest_gap: every
                .saturating_mul(3)
                .max(LedgerRules::default().longest_gap),
        }
    }
}

/// What a group had over a time, and what it cost. Adding the parts of a time gives the whole exactly.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Usage {
    /// Time that samples tell about, in milliseconds.
    pub observed_ms: i64,
    /// Time between samples that are too far apart, in milliseconds.
    pub unobserved_ms: i64,
    /// Instance-milliseconds on demand.
    pub on_demand_ms: i64,
    /// Instance-milliseconds as spot.
    pub spot_ms: i64,
    /// Instance-milliseconds without any known price: they cost nothing here.
    pub unpriced_ms: i64,
    /// Instance-milliseconds as spot whose price was not known: they cost what on demand costs.
    pub spot_at_on_demand_price_ms: i64,
    /// What it cost.
    pub cost: Money,
    /// What the same instances would have cost on demand.
    pub all_on_demand: Money,
    /// What one instance on demand would have cost, all the observed time.
    pub one_on_demand: Money,
    /// Most instances at once.
    pub peak: u32,
}

impl Usage {
    /// Instance-milliseconds of both kinds.
    pub fn instance_ms(&self) -> i64 {
        self.on_demand_ms.saturating_add(self.spot_ms)
    }

    /// Instances on average over the observed time; `None` without any.
    pub fn mean_instances(&self) -> Option<f64> {
        (self.observed_ms > 0).then(|| self.instance_ms() as f64 / self.observed_ms as f64)
    }

    /// What a fleet of this many instances on demand would have cost all the observed time.
    pub fn fixed_fleet(&self, instances: u32) -> Money {
        self.one_on_demand * instances
    }

    /// Adds a time that follows or precedes.
    pub fn add(&mut self, other: &Usage) {
        self.observed_ms += other.observed_ms;
        self.unobserved_ms += other.unobserved_ms;
        self.on_demand_ms += other.on_demand_ms;
        self.spot_ms += other.spot_ms;
        self.unpriced_ms += other.unpriced_ms;
        self.spot_at_on_demand_price_ms += other.spot_at_on_demand_price_ms;
        self.cost += other.cost;
        self.all_on_demand += other.all_on_demand;
        self.one_on_demand += other.one_on_demand;
        self.peak = self.peak.max(other.peak);
    }
}

#[derive(Clone, Copy, Debug)]
struct Segment {
    from: i64,
    to: i64,
    /// `None`: nobody looked.
    seen: Option<Seen>,
}

#[derive(Clone, Copy, Debug)]
struct Seen {
    on_demand: u32,
    spot: u32,
    on_demand_price: Option<f64>,
    spot_price: Option<f64>,
}

/// A group's capacity as a step function of time, from its first sample to `now`.
#[derive(Clone, Debug, Default)]
pub struct Timeline {
    segments: Vec<Segment>,
}

impl Timeline {
    /// Puts runs together. `runs` are one group's, oldest first, as the state gives them; `now` is where the last
    /// one ends, if it is close enough.
    pub fn new(runs: &[CapacityRun], now: Timestamp, rules: LedgerRules) -> Timeline {
        let longest_gap =
            i64::try_from(rules.longest_gap.max(MERGE_GAP).as_millis()).unwrap_or(i64::MAX);
        let now = now.as_millisecond();
        let mut segments: Vec<Segment> = Vec::with_capacity(runs.len());
        for (i, run) in runs.iter().enumerate() {
            let from = run.sample.at.as_millisecond();
            let until = run.until.as_millisecond();
            let next = match runs.get(i + 1) {
                Some(next) => next.sample.at.as_millisecond(),
                None => now.max(until),
            };
            let held = if next.saturating_sub(until) <= longest_gap {
                next
            } else {
                until
            };
            let seen = Seen {
                on_demand: run.sample.on_demand,
                spot: run.sample.spot,
                on_demand_price: run.sample.on_demand_usd_per_hour,
                spot_price: run.sample.spot_usd_per_hour,
            };
            for (from, to, seen) in [(from, held, Some(seen)), (held, next, None)] {
                let (from, to) = (from.min(now), to.min(now));
                if from < to {
                    segments.push(Segment { from, to, seen });
                }
            }
        }
        Timeline { segments }
    }

    /// When it begins; `None`: there is nothing.
    pub fn start(&self) -> Option<Timestamp> {
        let first = self.segments.first()?;
        Timestamp::from_millisecond(first.from).ok()
    }

    /// What there was from `from` up to before `to`. Time outside the timeline counts nowhere.
    pub fn usage(&self, from: Timestamp, to: Timestamp) -> Usage {
        let (from, to) = (from.as_millisecond(), to.as_millisecond());
        let first = self.segments.partition_point(|segment| segment.to <= from);
        let mut usage = Usage::default();
        for segment in self.segments.iter().skip(first) {
            if segment.from >= to {
                break;
            }
            let ms = segment.to.min(to) - segment.from.max(from);
            match segment.seen {
                Some(seen) if ms > 0 => usage.add(&seen.over(ms)),
                None if ms > 0 => usage.unobserved_ms += ms,
                _ => {}
            }
        }
        usage
    }
}

impl Seen {
    fn over(&self, ms: i64) -> Usage {
        let times = |count: u32| i64::from(count).saturating_mul(ms);
        // Where one kind has no price of its own, it is taken to cost what the other does.
        let on_demand = self.on_demand_price.or(self.spot_price);
        let spot = self.spot_price.or(self.on_demand_price);
        let one = |price: Option<f64>| price.map_or(Money::ZERO, |price| Money::of(price, ms));
        let all = self.on_demand.saturating_add(self.spot);
        Usage {
            observed_ms: ms,
            unobserved_ms: 0,
            on_demand_ms: times(self.on_demand),
            spot_ms: times(self.spot),
            unpriced_ms: if on_demand.is_none() { times(all) } else { 0 },
            spot_at_on_demand_price_ms: if self.spot_price.is_none() && on_demand.is_some() {
                times(self.spot)
            } else {
                0
            },
            cost: one(on_demand) * self.on_demand + one(spot) * self.spot,
            all_on_demand: one(on_demand) * all,
            one_on_demand: one(on_demand),
            peak: all,
        }
    }
}

#[cfg(test)]
pub(super) mod tests {
    use super::*;
    use proptest::prelude::*;
    use tideform_policies::model::GroupAddress;
    use tideform_state::CapacitySample;

    /// 2026-11-01T00:00:00Z and so many minutes.
    pub(in crate::cost) fn minute(minute: i64) -> Timestamp {
        Timestamp::from_second(1_793_491_200 + minute * 60).expect("in range")
    }

    /// Seen from a minute until another: on demand, spot.
    pub(in crate::cost) fn run(from: i64, until: i64, on_demand: u32, spot: u32) -> CapacityRun {
        CapacityRun {
            sample: CapacitySample {
                group: GroupAddress::new("web"),
                at: minute(from),
                desired: on_demand + spot,
                ready: on_demand + spot,
                on_demand,
                spot,
                units: on_demand + spot,
                on_demand_usd_per_hour: Some(0.1),
                spot_usd_per_hour: Some(0.04),
            },
            until: minute(until),
        }
    }

    fn usage(runs: &[CapacityRun], now: i64, from: i64, to: i64) -> Usage {
        Timeline::new(runs, minute(now), LedgerRules::default()).usage(minute(from), minute(to))
    }

    const MINUTE: i64 = 60_000;

    #[test]
    fn a_sample_holds_until_the_next() {
        let runs = [run(0, 0, 2, 0), run(10, 50, 2, 3), run(60, 60, 1, 0)];
        let hour = usage(&runs, 60, 0, 60);
        assert_eq!(hour.on_demand_ms, 120 * MINUTE);
        assert_eq!(hour.spot_ms, 150 * MINUTE);
        assert_eq!((hour.observed_ms, hour.unobserved_ms), (60 * MINUTE, 0));
        assert_eq!(hour.peak, 5);
        assert_eq!(hour.cost.usd(), 0.3);
        assert_eq!(hour.all_on_demand.usd(), 0.45);
        assert_eq!(hour.fixed_fleet(5).usd(), 0.5);
        assert_eq!(hour.mean_instances(), Some(4.5));
    }

    #[test]
    fn a_gap_is_counted_as_unobserved_and_costs_nothing() {
        // 10 to 25 is the longest gap that is bridged; 40 to 56 is one minute more.
        let runs = [run(0, 10, 4, 0), run(25, 40, 4, 0), run(56, 60, 4, 0)];
        let all = usage(&runs, 60, 0, 60);
        assert_eq!(all.unobserved_ms, 16 * MINUTE);
        assert_eq!(all.on_demand_ms, 4 * 44 * MINUTE);
        assert_eq!(usage(&runs, 60, 40, 56).on_demand_ms, 0);
    }

    #[test]
    fn the_last_sample_holds_until_now_where_it_is_fresh() {
        let runs = [run(0, 5, 1, 0)];
        assert_eq!(usage(&runs, 20, 0, 99).on_demand_ms, 20 * MINUTE);
        let stale = usage(&runs, 21, 0, 99);
        assert_eq!(
            (stale.on_demand_ms, stale.unobserved_ms),
            (5 * MINUTE, 16 * MINUTE)
        );
    }

    #[test]
    fn what_lies_outside_the_window_or_after_now_counts_nowhere() {
        let runs = [run(0, 30, 1, 0), run(30, 60, 2, 0)];
        assert_eq!(usage(&runs, 60, 10, 20).on_demand_ms, 10 * MINUTE);
        assert_eq!(usage(&runs, 60, -50, -10), Usage::default());
        assert_eq!(usage(&runs, 60, 20, 20), Usage::default());
        assert_eq!(usage(&runs, 45, 0, 99).on_demand_ms, 60 * MINUTE);
        assert_eq!(usage(&[], 45, 0, 99), Usage::default());
    }

    #[test]
    fn an_unknown_price_is_said_and_never_guessed_from_nothing() {
        let with = |on_demand, spot| {
            let mut run = run(0, 60, 2, 2);
            run.sample.on_demand_usd_per_hour = on_demand;
            run.sample.spot_usd_per_hour = spot;
            usage(&[run], 60, 0, 60)
        };
        let none = with(None, None);
        assert_eq!((none.cost, none.unpriced_ms), (Money::ZERO, 240 * MINUTE));
        let no_spot = with(Some(0.1), None);
        assert_eq!(no_spot.cost.usd(), 0.4);
        assert_eq!(
            (no_spot.unpriced_ms, no_spot.spot_at_on_demand_price_ms),
            (0, 120 * MINUTE)
        );
        assert_eq!(with(None, Some(0.04)).cost.usd(), 0.16);
    }

    #[test]
    fn an_empty_group_is_observed_and_costs_nothing() {
        let empty = usage(&[run(0, 60, 0, 0)], 60, 0, 60);
        assert_eq!(
            (empty.observed_ms, empty.cost, empty.peak),
            (60 * MINUTE, Money::ZERO, 0)
        );
        assert_eq!(empty.mean_instances(), Some(0.0));
        assert_eq!(Usage::default().mean_instances(), None);
    }

    #[test]
    fn a_rare_visit_widens_the_gap_that_is_bridged() {
        let hourly = LedgerRules::for_interval(Duration::from_secs(3600));
        let runs = [run(0, 0, 1, 0), run(60, 60, 1, 0)];
        let timeline = Timeline::new(&runs, minute(60), hourly);
        assert_eq!(
            timeline.usage(minute(0), minute(60)).on_demand_ms,
            60 * MINUTE
        );
        let often = LedgerRules::for_interval(Duration::from_secs(30));
        assert_eq!(often, LedgerRules::default());
    }

    #[test]
    fn a_short_life_is_paid_for_a_minute() {
        assert_eq!(billed(Duration::from_secs(1)), BILLING_MINIMUM);
        assert_eq!(billed(Duration::from_secs(61)), Duration::from_secs(61));
    }

    proptest! {
        #[test]
        fn the_parts_of_a_time_add_up_to_the_whole_exactly(
            steps in prop::collection::vec((1i64..40, 0i64..30, 0u32..9, 0u32..9, 0.0f64..3.0, 0u8..4), 1..30),
            cuts in prop::collection::vec(-20i64..3000, 1..6),
        ) {
            let mut runs = Vec::new();
            let mut at = 0;
            for (gap, length, on_demand, spot, price, known) in steps {
                at += gap;
                let mut run = run(at, at + length, on_demand, spot);
                run.sample.on_demand_usd_per_hour = (known & 1 == 0).then_some(price);
                run.sample.spot_usd_per_hour = (known & 2 == 0).then_some(price / 3.0);
                runs.push(run);
                at += length;
            }
            let timeline = Timeline::new(&runs, minute(at), LedgerRules::default());
            let (from, to) = (minute(-20), minute(3000));
            let mut cuts: Vec<_> = cuts.into_iter().map(minute).collect();
            cuts.extend([from, to]);
            cuts.sort();
            let mut sum = Usage::default();
            for pair in cuts.windows(2) {
                sum.add(&timeline.usage(pair[0], pair[1]));
            }
            prop_assert_eq!(sum, timeline.usage(from, to));
            let length = minute(at).as_millisecond() - runs[0].sample.at.as_millisecond();
            prop_assert_eq!(sum.observed_ms + sum.unobserved_ms, length);
            prop_assert!(sum.cost <= sum.fixed_fleet(sum.peak) || sum.unpriced_ms > 0
                || runs.iter().any(|r| r.sample.on_demand_usd_per_hour.is_none()));
        }
    }
}
