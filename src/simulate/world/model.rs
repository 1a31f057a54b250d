//! What a simulated group runs by.

use std::time::Duration;

use tideform_mock::world::{millis, random};
use tideform_policies::model::{Lifecycle, VictimOrder};

/// From launch to serving.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Boot {
    /// Always the same.
    Fixed(Duration),
    /// Evenly between two, drawn for each instance.
    Between(Duration, Duration),
    /// Log-normal, by two of its quantiles, drawn for each instance; most boots are near the median, and some take
    /// much longer.
    Skewed {
        /// Half of the boots are shorter.
        median: Duration,
        /// 95 % of the boots are shorter; not below the median.
        p95: Duration,
    },
}

/// What happens with load that cannot be served at once.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Work {
    /// Requests: what is not served is dropped.
    #[default]
    Requests,
    /// Jobs: what is not served waits.
    Queue,
}

/// What goes wrong.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Faults {
    /// How many times an hour each spot instance is taken back.
    pub interruptions_per_hour: f64,
    /// How long before it is taken back an instance is told; it serves until then.
    pub notice: Duration,
    /// How many times an hour each instance breaks: it serves no more.
    pub breakdowns_per_hour: f64,
    /// How long after it broke an instance is taken away, and replaced.
    pub health_check: Duration,
    /// The share of launches on demand that fail, 0 to 1.
    pub failed_launches: f64,
    /// The share of spot launches that fail, 0 to 1.
    pub failed_spot_launches: f64,
}

impl Default for Faults {
    /// Nothing goes wrong; a notice, and a health check, of two minutes.
    fn default() -> Faults {
        Faults {
            interruptions_per_hour: 0.0,
            notice: Duration::from_secs(120),
            breakdowns_per_hour: 0.0,
            health_check: Duration::from_secs(120),
            failed_launches: 0.0,
            failed_spot_launches: 0.0,
        }
    }
}

/// What a simulated group runs by. All numbers are finite and not negative, throughput and weight above 0.
#[derive(Clone, Debug, PartialEq)]
pub struct Model {
    /// From launch to serving.
    pub boot: Boot,
    /// How long an ending instance finishes its work; it takes no new work, and is paid for.
    pub drain: Duration,
    /// Load per second that one unit carries at 100 % utilization.
    pub throughput: f64,
    /// Seconds that one request or job takes on an idle instance.
    pub latency_s: f64,
    /// The units that one instance counts as.
    pub weight: u32,
    /// Which instances end first.
    pub order: VictimOrder,
    /// An instance that is about to be taken back is replaced ahead.
    pub rebalance: bool,
    /// What happens with load that cannot be served at once.
    pub work: Work,
    /// What goes wrong.
    pub faults: Faults,
    /// Spreads each sample of a metric evenly by so much around its value: `0.1` is 10 % to either side.
    pub noise: f64,
    /// All randomness comes from here.
    pub seed: u64,
}

impl Default for Model {
    /// The mock cloud's own instance: boot of a minute, no drain, 100 per second and unit.
    fn default() -> Model {
        let mock = tideform_mock::launch::InstanceModel::default();
        Model {
            boot: Boot::Fixed(mock.boot),
            drain: mock.drain,
            throughput: mock.throughput,
            latency_s: mock.latency_s,
            weight: 1,
            order: VictimOrder::Default,
            rebalance: false,
            work: Work::Requests,
            faults: Faults::default(),
            noise: 0.0,
            seed: 0,
        }
    }
}

impl Boot {
    /// How long the boot of an instance takes, in milliseconds; the same for the same seed and instance.
    pub(super) fn draw(self, seed: u64, serial: u64) -> i64 {
        let unit = || random::unit(seed, &[random::key("boot"), serial]);
        match self {
            Boot::Fixed(boot) => millis(boot),
            Boot::Between(from, to) => {
                let (from, to) = (millis(from) as f64, millis(to.max(from)) as f64);
                (from + (to - from) * unit()).round() as i64
            }
            Boot::Skewed { median, p95 } => {
                /// The 95 % quantile of the standard normal distribution.
                const Z95: f64 = 1.644_853_626_951_472_2;
                let (median, p95) = (
                    millis(median).max(1) as f64,
                    millis(p95.max(median)).max(1) as f64,
                );
                let deviation = (p95 / median).ln() / Z95;
                (median * (deviation * normal(unit())).exp()).round() as i64
            }
        }
    }

    /// The mean, for people and for the optimum, which knows no distribution.
    pub fn mean(self) -> Duration {
        match self {
            Boot::Fixed(boot) => boot,
            Boot::Between(from, to) => (from + to.max(from)) / 2,
            Boot::Skewed { median, p95 } => {
                let ratio = p95.max(median).as_secs_f64() / median.as_secs_f64().max(1e-3);
                let deviation = ratio.ln() / 1.644_853_626_951_472_2;
                median.mul_f64((deviation * deviation / 2.0).exp().min(1e6))
            }
        }
    }

    /// The shortest that an instance can take, for the optimum, which is never unlucky. Of a log-normal one: the quantile
    /// as far below the median as the 95 % one is above it, since the shortest has no bound above 0.
    pub fn shortest(self) -> Duration {
        match self {
            Boot::Fixed(boot) => boot,
            Boot::Between(from, _) => from,
            Boot::Skewed { median, p95 } => {
                let ratio = p95.max(median).as_secs_f64() / median.as_secs_f64().max(1e-3);
                median.div_f64(ratio.max(1.0))
            }
        }
    }

    /// Whether each instance has its own.
    pub(super) fn is_drawn(self) -> bool {
        !matches!(self, Boot::Fixed(_))
    }
}

impl Faults {
    /// Whether instances are struck.
    pub fn strike(&self) -> bool {
        self.interruptions_per_hour > 0.0 || self.breakdowns_per_hour > 0.0
    }

    /// The share of launches that fail.
    pub(super) fn failing(&self, lifecycle: Lifecycle) -> f64 {
        match lifecycle {
            Lifecycle::OnDemand => self.failed_launches,
            Lifecycle::Spot => self.failed_spot_launches,
        }
    }
}

/// A draw of the standard normal distribution from an even one: its inverse, to nine digits or so.
///
/// Source: P. Acklam, "An algorithm for computing the inverse normal cumulative distribution function" (2003).
fn normal(unit: f64) -> f64 {
    const A: [f64; 6] = [
        -3.969_683_028_665_376e1,
        2.209_460_984_245_205e2,
        -2.759_285_104_469_687e2,
        1.383_577_518_672_69e2,
        -3.066_479_806_614_716e1,
        2.506_628_277_459_239,
    ];
    const B: [f64; 5] = [
        -5.447_609_879_822_406e1,
        1.615_858_368_580_409e2,
        -1.556_989_798_598_866e2,
        6.680_131_188_771_972e1,
        -1.328_068_155_288_572e1,
    ];
    const C: [f64; 6] = [
        -7.784_894_002_430_293e-3,
        -3.223_964_580_411_365e-1,
        -2.400_758_277_161_838,
        -2.549_732_539_343_734,
        4.374_664_141_464_968,
        2.938_163_982_698_783,
    ];
    const D: [f64; 4] = [
        7.784_695_709_041_462e-3,
        3.224_671_290_700_398e-1,
        2.445_134_137_142_996,
        3.754_408_661_907_416,
    ];
    let p = unit.clamp(1e-12, 1.0 - 1e-12);
    let poly = |c: &[f64], x: f64| c.iter().fold(0.0, |sum, c| sum * x + c);
    let tail = |q: f64| poly(&C, q) / (poly(&D, q) * q + 1.0);
    if p < 0.024_25 {
        tail((-2.0 * p.ln()).sqrt())
    } else if p > 1.0 - 0.024_25 {
        -tail((-2.0 * (1.0 - p).ln()).sqrt())
    } else {
        let q = p - 0.5;
        let r = q * q;
        poly(&A, r) * q / (poly(&B, r) * r + 1.0)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn boots_have_the_quantiles_that_were_asked_for() {
        let seconds = Duration::from_secs;
        let boots = |boot: Boot| {
            let mut all: Vec<i64> = (0..10_000).map(|n| boot.draw(7, n)).collect();
            all.sort_unstable();
            [0.0, 0.5, 0.95, 0.9999].map(|q| all[(q * 10_000.0) as usize])
        };
        assert_eq!(boots(Boot::Fixed(seconds(90))), [90_000; 4]);
        let [least, median, _, most] = boots(Boot::Between(seconds(60), seconds(180)));
        assert!((60_000..60_200).contains(&least) && (179_800..=180_000).contains(&most));
        assert!((118_000..122_000).contains(&median), "{median}");
        let skewed = Boot::Skewed {
            median: seconds(60),
            p95: seconds(150),
        };
        let [_, median, p95, _] = boots(skewed);
        assert!((58_800..61_200).contains(&median), "{median}");
        assert!((146_000..154_000).contains(&p95), "{p95}");
        let mean: i64 = (0..10_000).map(|n| skewed.draw(7, n)).sum::<i64>() / 10_000;
        assert!(
            (mean - millis(skewed.mean())).abs() < 1_000,
            "{mean} {:?}",
            skewed.mean()
        );
    }
}
