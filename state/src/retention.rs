//! Retention: what is old is rolled up, then dropped. Events, intents and applies stay for ever.

use std::time::Duration;

use jiff::Timestamp;
use serde::Serialize;

use crate::error::StateError;
use crate::time::{millis, millis_of};
use crate::write::Transaction;

/// The length of a roll-up of metric samples.
pub const ROLLUP_PERIOD: Duration = Duration::from_secs(5 * 60);

const DAY: Duration = Duration::from_secs(24 * 60 * 60);

/// How long what is kept.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Retention {
    /// Metric samples as they were read; then they become the mean of each [`ROLLUP_PERIOD`].
    pub metrics: Duration,
    /// Roll-ups of metric samples.
    pub rollups: Duration,
    /// Capacity samples, and with them the costs of that time.
    pub capacity: Duration,
    /// Decisions; the last of each group always stays.
    pub decisions: Duration,
}

impl Default for Retention {
    /// 14 days of samples, 90 days of roll-ups and decisions, 400 days of capacity.
    fn default() -> Retention {
        Retention {
            metrics: 14 * DAY,
            rollups: 90 * DAY,
            capacity: 400 * DAY,
            decisions: 90 * DAY,
        }
    }
}

/// What was taken out.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize)]
pub struct Pruned {
    /// Metric samples that became roll-ups.
    pub metric_samples: usize,
    /// Roll-ups.
    pub metric_rollups: usize,
    /// Runs of capacity samples.
    pub capacity_samples: usize,
    /// Decisions.
    pub decisions: usize,
}

impl Transaction<'_> {
    /// Rolls up and drops what is older than `retention`.
    ///
    /// # Errors
    /// Only where the file cannot be written.
    pub fn prune(&mut self, now: Timestamp, retention: &Retention) -> Result<Pruned, StateError> {
        let before = |kept: Duration| millis(now).saturating_sub(millis_of(kept));
        let period = millis_of(ROLLUP_PERIOD);
        // At the end of a bucket, so that each is rolled up once.
        let cutoff = before(retention.metrics).div_euclid(period) * period;
        self.sql().execute(
            "INSERT INTO metric_rollups (series_id, at, period, mean, minimum, maximum, samples)
             SELECT series_id, ((at + ?2 - 1) / ?2) * ?2 AS bucket, ?2, avg(value), min(value), max(value), count(*)
             FROM metric_samples WHERE at <= ?1 GROUP BY series_id, bucket
             ON CONFLICT (series_id, at) DO UPDATE SET
                mean = (mean * samples + excluded.mean * excluded.samples) / (samples + excluded.samples),
                minimum = min(minimum, excluded.minimum), maximum = max(maximum, excluded.maximum),
                samples = samples + excluded.samples",
            (cutoff, period),
        )?;
        let metric_samples = self
            .sql()
            .execute("DELETE FROM metric_samples WHERE at <= ?1", [cutoff])?;
        let metric_rollups = self.sql().execute(
            "DELETE FROM metric_rollups WHERE at <= ?1",
            [before(retention.rollups)],
        )?;
        let capacity_samples = self.sql().execute(
            "DELETE FROM capacity_samples WHERE until <= ?1",
            [before(retention.capacity)],
        )?;
        let decisions = self.sql().execute(
            "DELETE FROM decisions WHERE at <= ?1",
            [before(retention.decisions)],
        )?;
        Ok(Pruned {
            metric_samples,
            metric_rollups,
            capacity_samples,
            decisions,
        })
    }
}
