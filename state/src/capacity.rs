//! Capacity samples: what a group had, and what an hour of it cost, from which the cost ledger is integrated.
//!
//! Equal observations that follow each other closely are kept as one run, so that a quiet group costs no space.

use std::time::Duration;

use jiff::Timestamp;
use rusqlite::{OptionalExtension, Row};
use serde::{Deserialize, Serialize};
use tideform_policies::model::GroupAddress;

use crate::error::StateError;
use crate::open::State;
use crate::time::{kept, millis, millis_of, timestamp};
use crate::write::{Transaction, capacity};

/// Equal samples further apart than this are not one run: nobody looked in between.
pub const MERGE_GAP: Duration = Duration::from_secs(5 * 60);

/// What a group had at a moment.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct CapacitySample {
    /// Whose.
    pub group: GroupAddress,
    /// When it was observed.
    pub at: Timestamp,
    /// The capacity asked for, in units.
    pub desired: u32,
    /// Past warm-up, in units.
    pub ready: u32,
    /// Instances that are paid for on demand, from launch to the end of drain.
    pub on_demand: u32,
    /// Instances that are paid for as spot.
    pub spot: u32,
    /// All instances that are paid for, in units.
    pub units: u32,
    /// The mean price of an on-demand instance, where known.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub on_demand_usd_per_hour: Option<f64>,
    /// The mean price of a spot instance, where known.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub spot_usd_per_hour: Option<f64>,
}

/// A run of equal samples.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct CapacityRun {
    /// What was seen, first at `sample.at`.
    pub sample: CapacitySample,
    /// When it was last seen so, without a gap of more than [`MERGE_GAP`]; at or after `sample.at`.
    pub until: Timestamp,
}

const COLUMNS: &str =
    "SELECT at, until, desired, ready, on_demand, spot, units, on_demand_usd_per_hour,
    spot_usd_per_hour FROM capacity_samples";

fn read_run(group: &GroupAddress, row: &Row<'_>) -> Result<CapacityRun, StateError> {
    Ok(CapacityRun {
        sample: CapacitySample {
            group: group.clone(),
            at: timestamp(row.get(0)?)?,
            desired: capacity(row.get(2)?)?,
            ready: capacity(row.get(3)?)?,
            on_demand: capacity(row.get(4)?)?,
            spot: capacity(row.get(5)?)?,
            units: capacity(row.get(6)?)?,
            on_demand_usd_per_hour: row.get(7)?,
            spot_usd_per_hour: row.get(8)?,
        },
        until: timestamp(row.get(1)?)?,
    })
}

impl State {
    /// A group's runs that reach into `from ..= to`, oldest first, and before them the last one that ended earlier,
    /// so that a step function can be carried in. Runs are whole: the caller cuts them.
    ///
    /// # Errors
    /// Only where the file cannot be read.
    pub fn capacity_runs(
        &self,
        group: &GroupAddress,
        from: Timestamp,
        to: Timestamp,
    ) -> Result<Vec<CapacityRun>, StateError> {
        let Some(id) = self.group_number(group)? else {
            return Ok(Vec::new());
        };
        // The newest run that began at or before `from` either reaches into the range, or is the one before it.
        let mut statement = self.connection().prepare_cached(&format!(
            "{COLUMNS} WHERE group_id = ?1 AND at <= ?3 AND at >= coalesce(
                (SELECT max(at) FROM capacity_samples WHERE group_id = ?1 AND at <= ?2), ?2) ORDER BY at"
        ))?;
        let mut rows = statement.query((id, millis(from), millis(to)))?;
        let mut runs = Vec::new();
        while let Some(row) = rows.next()? {
            runs.push(read_run(group, row)?);
        }
        Ok(runs)
    }

    /// A group's newest run.
    ///
    /// # Errors
    /// Only where the file cannot be read.
    pub fn last_capacity(&self, group: &GroupAddress) -> Result<Option<CapacityRun>, StateError> {
        let Some(id) = self.group_number(group)? else {
            return Ok(None);
        };
        let mut statement = self.connection().prepare_cached(&format!(
            "{COLUMNS} WHERE group_id = ?1 ORDER BY at DESC LIMIT 1"
        ))?;
        let mut rows = statement.query([id])?;
        rows.next()?.map(|row| read_run(group, row)).transpose()
    }

    /// The groups that have capacity samples, in order; also those that are no longer applied.
    ///
    /// # Errors
    /// Only where the file cannot be read.
    pub fn sampled_groups(&self) -> Result<Vec<GroupAddress>, StateError> {
        let mut statement = self.connection().prepare_cached(
            "SELECT address FROM groups g WHERE retired = 0
             AND EXISTS (SELECT 1 FROM capacity_samples c WHERE c.group_id = g.id)",
        )?;
        let mut rows = statement.query([])?;
        let mut groups = Vec::new();
        while let Some(row) = rows.next()? {
            groups.push(crate::write::parse_group(&row.get::<_, String>(0)?)?);
        }
        groups.sort();
        Ok(groups)
    }

    /// The number behind an address.
    pub(crate) fn group_number(&self, group: &GroupAddress) -> Result<Option<i64>, StateError> {
        Ok(self
            .connection()
            .prepare_cached("SELECT id FROM groups WHERE address = ?1 AND retired = 0")?
            .query_row([group.to_string()], |row| row.get(0))
            .optional()?)
    }
}

impl Transaction<'_> {
    /// Records what groups have. A sample that equals the group's newest run, and comes at most [`MERGE_GAP`] after
    /// it, makes that run longer. Samples no newer than what is known are left out, so that recording twice is
    /// recording once.
    ///
    /// # Errors
    /// [`StateError::Unrecordable`] for a price that is negative or not finite.
    pub fn record_capacity(&mut self, samples: &[CapacitySample]) -> Result<(), StateError> {
        for sample in samples {
            for price in [sample.on_demand_usd_per_hour, sample.spot_usd_per_hour]
                .into_iter()
                .flatten()
            {
                if !price.is_finite() || price < 0.0 {
                    return Err(StateError::Unrecordable {
                        what: format!("a price of {}", sample.group),
                        why: format!("{price} is no price"),
                    });
                }
            }
            let id = self.group_id(&sample.group)?;
            let last = {
                let mut statement = self.sql().prepare_cached(&format!(
                    "{COLUMNS} WHERE group_id = ?1 ORDER BY at DESC LIMIT 1"
                ))?;
                let mut rows = statement.query([id])?;
                rows.next()?
                    .map(|row| read_run(&sample.group, row))
                    .transpose()?
            };
            let at = kept(sample.at);
            if let Some(last) = last {
                if at <= last.until {
                    continue;
                }
                let same = CapacitySample {
                    at: last.sample.at,
                    ..sample.clone()
                } == last.sample;
                if same && millis(at) - millis(last.until) <= millis_of(MERGE_GAP) {
                    self.sql()
                        .prepare_cached(
                            "UPDATE capacity_samples SET until = ?3 WHERE group_id = ?1 AND at = ?2",
                        )?
                        .execute((id, millis(last.sample.at), millis(at)))?;
                    continue;
                }
            }
            self.sql()
                .prepare_cached(
                    "INSERT INTO capacity_samples (group_id, at, until, desired, ready, on_demand, spot, units,
                                                   on_demand_usd_per_hour, spot_usd_per_hour)
                     VALUES (?1, ?2, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9)",
                )?
                .execute((
                    id,
                    millis(at),
                    sample.desired,
                    sample.ready,
                    sample.on_demand,
                    sample.spot,
                    sample.units,
                    sample.on_demand_usd_per_hour,
                    sample.spot_usd_per_hour,
                ))?;
        }
        Ok(())
    }
}
