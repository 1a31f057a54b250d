//! Metric samples: what was read from the sources, raw for a while and rolled up after (see `retention`).

use std::time::Duration;

use jiff::Timestamp;
use serde::{Deserialize, Serialize};
use tideform_policies::model::{GroupAddress, Name};

use crate::error::StateError;
use crate::open::State;
use crate::time::{millis, timestamp};
use crate::write::Transaction;

/// A sample to record.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct MetricSample {
    /// Whose.
    pub group: GroupAddress,
    /// Which metric of the group.
    pub metric: Name,
    /// The end of the period that the value is about.
    pub at: Timestamp,
    /// In the metric's own unit; finite.
    pub value: f64,
}

/// A sample as it is kept.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
pub struct StoredSample {
    /// The end of the period that the value is about.
    pub at: Timestamp,
    /// In the metric's own unit; of a roll-up the mean.
    pub value: f64,
    /// The length of a roll-up, in whole milliseconds; `None`: as it was read.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub rolled_up: Option<Duration>,
}

impl State {
    /// A metric's samples at `from ..= to`, oldest first; older ones are roll-ups.
    ///
    /// # Errors
    /// Only where the file cannot be read.
    pub fn metric_samples(
        &self,
        group: &GroupAddress,
        metric: &str,
        from: Timestamp,
        to: Timestamp,
    ) -> Result<Vec<StoredSample>, StateError> {
        let mut statement = self.connection().prepare_cached(
            "WITH wanted AS (SELECT s.id FROM series s JOIN groups g ON g.id = s.group_id
                             WHERE g.address = ?1 AND g.retired = 0 AND s.metric = ?2)
             SELECT at, mean, period FROM metric_rollups
                WHERE series_id = (SELECT id FROM wanted) AND at BETWEEN ?3 AND ?4
             UNION ALL
             SELECT at, value, NULL FROM metric_samples
                WHERE series_id = (SELECT id FROM wanted) AND at BETWEEN ?3 AND ?4
             ORDER BY at",
        )?;
        let mut rows = statement.query((group.to_string(), metric, millis(from), millis(to)))?;
        let mut samples = Vec::new();
        while let Some(row) = rows.next()? {
            let period: Option<i64> = row.get(2)?;
            samples.push(StoredSample {
                at: timestamp(row.get(0)?)?,
                value: row.get(1)?,
                rolled_up: period.map(|period| Duration::from_millis(period.unsigned_abs())),
            });
        }
        Ok(samples)
    }

    /// The names of a group's metrics that have samples, in order.
    ///
    /// # Errors
    /// Only where the file cannot be read.
    pub fn sampled_metrics(&self, group: &GroupAddress) -> Result<Vec<Name>, StateError> {
        let mut statement = self.connection().prepare_cached(
            "SELECT s.metric FROM series s JOIN groups g ON g.id = s.group_id
             WHERE g.address = ?1 AND g.retired = 0 ORDER BY s.metric",
        )?;
        let mut rows = statement.query([group.to_string()])?;
        let mut names = Vec::new();
        while let Some(row) = rows.next()? {
            names.push(row.get::<_, String>(0)?.into());
        }
        Ok(names)
    }
}

impl Transaction<'_> {
    /// Records samples. One that is there already, of the same group, metric and time, gets the newer value: sources
    /// correct themselves.
    ///
    /// # Errors
    /// [`StateError::Unrecordable`] for a value that is not finite.
    pub fn record_metrics(&mut self, samples: &[MetricSample]) -> Result<(), StateError> {
        for sample in samples {
            if !sample.value.is_finite() {
                return Err(StateError::Unrecordable {
                    what: format!("metric {} of {}", sample.metric, sample.group),
                    why: format!("{} is not finite", sample.value),
                });
            }
            let series = self.series_id(&sample.group, &sample.metric)?;
            self.sql()
                .prepare_cached(
                    "INSERT INTO metric_samples (series_id, at, value) VALUES (?1, ?2, ?3)
                     ON CONFLICT DO UPDATE SET value = excluded.value",
                )?
                .execute((series, millis(sample.at), sample.value))?;
        }
        Ok(())
    }
}
