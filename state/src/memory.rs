//! Decision memory and past decisions: what `decide` must remember, and what `explain` shows.
//!
//! Both are the callers' own types as JSON. The last decision of each group is always there; of the others only
//! those that changed something, or whose kinds of reasons differ from the one before.

use std::collections::BTreeMap;

use jiff::Timestamp;
use rusqlite::OptionalExtension;
use tideform_policies::model::GroupAddress;

use crate::capacity::CapacitySample;
use crate::error::StateError;
use crate::json::JsonText;
use crate::metrics::MetricSample;
use crate::open::State;
use crate::time::{millis, timestamp};
use crate::write::{Transaction, parse_group};

/// One group's decision at a tick.
#[derive(Clone, Debug, PartialEq)]
pub struct DecisionRecord {
    /// Whose.
    pub group: GroupAddress,
    /// When.
    pub at: Timestamp,
    /// The decision with its reasons.
    pub decision: JsonText,
    /// The stable kinds of its reasons: while this stays the same, decisions that change nothing are not kept.
    pub signature: String,
    /// It changes the capacity.
    pub changed: bool,
    /// It was only recorded (`--dry-run`).
    pub shadow: bool,
    /// What must be remembered; `None`: what is there stays.
    pub memory: Option<JsonText>,
}

/// All that one run has to record, beside its intents.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct TickRecord {
    /// At most one a group.
    pub decisions: Vec<DecisionRecord>,
    /// What the groups have.
    pub capacity: Vec<CapacitySample>,
    /// What was read.
    pub metrics: Vec<MetricSample>,
}

/// A decision of the past.
#[derive(Clone, Debug, PartialEq)]
pub struct StoredDecision {
    /// When it was made.
    pub at: Timestamp,
    /// It changed the capacity.
    pub changed: bool,
    /// It was only recorded.
    pub shadow: bool,
    /// The decision with its reasons.
    pub decision: JsonText,
}

impl State {
    /// What all groups remember.
    ///
    /// # Errors
    /// Only where the file cannot be read.
    pub fn memories(&self) -> Result<BTreeMap<GroupAddress, JsonText>, StateError> {
        let mut statement = self.connection().prepare_cached(
            "SELECT g.address, m.memory FROM memories m JOIN groups g ON g.id = m.group_id
             WHERE g.retired = 0",
        )?;
        let mut rows = statement.query([])?;
        let mut memories = BTreeMap::new();
        while let Some(row) = rows.next()? {
            let group = parse_group(&row.get::<_, String>(0)?)?;
            memories.insert(group, JsonText::from_column(row.get(1)?));
        }
        Ok(memories)
    }

    /// What the loop itself remembers of all groups.
    ///
    /// # Errors
    /// Only where the file cannot be read.
    pub fn progress(&self) -> Result<BTreeMap<GroupAddress, JsonText>, StateError> {
        let mut statement = self.connection().prepare_cached(
            "SELECT g.address, p.progress FROM progress p JOIN groups g ON g.id = p.group_id
             WHERE g.retired = 0",
        )?;
        let mut rows = statement.query([])?;
        let mut progress = BTreeMap::new();
        while let Some(row) = rows.next()? {
            let group = parse_group(&row.get::<_, String>(0)?)?;
            progress.insert(group, JsonText::from_column(row.get(1)?));
        }
        Ok(progress)
    }

    /// What one group remembers; `None`: nothing yet.
    ///
    /// # Errors
    /// Only where the file cannot be read.
    pub fn memory(&self, group: &GroupAddress) -> Result<Option<JsonText>, StateError> {
        let memory: Option<String> = self
            .connection()
            .prepare_cached(
                "SELECT m.memory FROM memories m JOIN groups g ON g.id = m.group_id
                 WHERE g.address = ?1 AND g.retired = 0",
            )?
            .query_row([group.to_string()], |row| row.get(0))
            .optional()?;
        Ok(memory.map(JsonText::from_column))
    }

    /// The last decision of each group, shadow ones aside.
    ///
    /// # Errors
    /// Only where the file cannot be read.
    pub fn last_decisions(&self) -> Result<BTreeMap<GroupAddress, StoredDecision>, StateError> {
        let mut statement = self.connection().prepare_cached(
            "SELECT g.address, d.at, d.changed, d.decision FROM last_decisions d
             JOIN groups g ON g.id = d.group_id WHERE d.shadow = 0 AND g.retired = 0",
        )?;
        let mut rows = statement.query([])?;
        let mut decisions = BTreeMap::new();
        while let Some(row) = rows.next()? {
            decisions.insert(
                parse_group(&row.get::<_, String>(0)?)?,
                StoredDecision {
                    at: timestamp(row.get(1)?)?,
                    changed: row.get(2)?,
                    shadow: false,
                    decision: JsonText::from_column(row.get(3)?),
                },
            );
        }
        Ok(decisions)
    }

    /// The newest kept decision of a group at or before `time`, also shadow ones. Where it is older than the tick at
    /// `time`, the ticks between changed nothing and had the same kinds of reasons.
    ///
    /// # Errors
    /// Only where the file cannot be read.
    pub fn decision_at(
        &self,
        group: &GroupAddress,
        time: Timestamp,
    ) -> Result<Option<StoredDecision>, StateError> {
        let Some(id) = self.group_number(group)? else {
            return Ok(None);
        };
        let mut statement = self.connection().prepare_cached(
            "SELECT at, changed, shadow, decision FROM (
                SELECT at, changed, shadow, decision FROM last_decisions WHERE group_id = ?1 AND at <= ?2
                UNION ALL
                SELECT at, changed, shadow, decision FROM decisions WHERE group_id = ?1 AND at <= ?2
             ) ORDER BY at DESC, shadow LIMIT 1",
        )?;
        let mut rows = statement.query((id, millis(time)))?;
        match rows.next()? {
            None => Ok(None),
            Some(row) => Ok(Some(StoredDecision {
                at: timestamp(row.get(0)?)?,
                changed: row.get(1)?,
                shadow: row.get(2)?,
                decision: JsonText::from_column(row.get(3)?),
            })),
        }
    }

    /// As [`State::decision_at`], of the decisions that were carried out alone, or of shadow ones alone.
    ///
    /// # Errors
    /// Only where the file cannot be read.
    pub fn decision_of_at(
        &self,
        group: &GroupAddress,
        time: Timestamp,
        shadow: bool,
    ) -> Result<Option<StoredDecision>, StateError> {
        let Some(id) = self.group_number(group)? else {
            return Ok(None);
        };
        let mut statement = self.connection().prepare_cached(
            "SELECT at, changed, decision FROM (
                SELECT at, changed, decision FROM last_decisions
                WHERE group_id = ?1 AND at <= ?2 AND shadow = ?3
                UNION ALL
                SELECT at, changed, decision FROM decisions
                WHERE group_id = ?1 AND at <= ?2 AND shadow = ?3
             ) ORDER BY at DESC LIMIT 1",
        )?;
        let mut rows = statement.query((id, millis(time), shadow))?;
        match rows.next()? {
            None => Ok(None),
            Some(row) => Ok(Some(StoredDecision {
                at: timestamp(row.get(0)?)?,
                changed: row.get(1)?,
                shadow,
                decision: JsonText::from_column(row.get(2)?),
            })),
        }
    }

    /// When the first kept decision of a group after `time` was made, also shadow ones: it changed something, or its
    /// reasons are of other kinds than those before.
    ///
    /// # Errors
    /// Only where the file cannot be read.
    pub fn next_decision_at(
        &self,
        group: &GroupAddress,
        time: Timestamp,
    ) -> Result<Option<Timestamp>, StateError> {
        let Some(id) = self.group_number(group)? else {
            return Ok(None);
        };
        let at: Option<i64> = self
            .connection()
            .prepare_cached("SELECT min(at) FROM decisions WHERE group_id = ?1 AND at > ?2")?
            .query_row((id, millis(time)), |row| row.get(0))?;
        at.map(timestamp).transpose()
    }

    /// As [`State::next_decision_at`], of the decisions that were carried out alone, or of shadow ones alone.
    ///
    /// # Errors
    /// Only where the file cannot be read.
    pub fn next_decision_of_at(
        &self,
        group: &GroupAddress,
        time: Timestamp,
        shadow: bool,
    ) -> Result<Option<Timestamp>, StateError> {
        let Some(id) = self.group_number(group)? else {
            return Ok(None);
        };
        let at: Option<i64> = self
            .connection()
            .prepare_cached(
                "SELECT min(at) FROM decisions WHERE group_id = ?1 AND at > ?2 AND shadow = ?3",
            )?
            .query_row((id, millis(time), shadow), |row| row.get(0))?;
        at.map(timestamp).transpose()
    }
}

impl Transaction<'_> {
    /// Records a run: decisions, memory, capacity and metrics.
    ///
    /// # Errors
    /// As [`Transaction::record_capacity`] and [`Transaction::record_metrics`].
    pub fn record_tick(&mut self, tick: &TickRecord) -> Result<(), StateError> {
        for decision in &tick.decisions {
            self.record_decision(decision)?;
        }
        self.record_capacity(&tick.capacity)?;
        self.record_metrics(&tick.metrics)
    }

    /// Replaces what a group remembers; writes nothing where it is the same.
    ///
    /// # Errors
    /// Only where the file cannot be written.
    pub fn save_memory(
        &mut self,
        group: &GroupAddress,
        at: Timestamp,
        memory: &JsonText,
    ) -> Result<(), StateError> {
        let id = self.group_id(group)?;
        self.sql()
            .prepare_cached(
                "INSERT INTO memories (group_id, at, memory) VALUES (?1, ?2, ?3)
                 ON CONFLICT DO UPDATE SET at = excluded.at, memory = excluded.memory
                 WHERE memory <> excluded.memory",
            )?
            .execute((id, millis(at), memory.as_str()))?;
        Ok(())
    }

    /// What the loop itself remembers of one group; `None`: nothing yet.
    ///
    /// # Errors
    /// Only where the file cannot be read.
    pub fn progress_of(&mut self, group: &GroupAddress) -> Result<Option<JsonText>, StateError> {
        let id = self.group_id(group)?;
        let progress: Option<String> = self
            .sql()
            .prepare_cached("SELECT progress FROM progress WHERE group_id = ?1")?
            .query_row((id,), |row| row.get(0))
            .optional()?;
        Ok(progress.map(JsonText::from_column))
    }

    /// Replaces what the loop itself remembers of a group.
    ///
    /// # Errors
    /// Only where the file cannot be written.
    pub fn save_progress(
        &mut self,
        group: &GroupAddress,
        progress: &JsonText,
    ) -> Result<(), StateError> {
        let id = self.group_id(group)?;
        self.sql()
            .prepare_cached(
                "INSERT INTO progress (group_id, progress) VALUES (?1, ?2)
                 ON CONFLICT DO UPDATE SET progress = excluded.progress
                 WHERE progress <> excluded.progress",
            )?
            .execute((id, progress.as_str()))?;
        Ok(())
    }

    fn record_decision(&mut self, record: &DecisionRecord) -> Result<(), StateError> {
        let id = self.group_id(&record.group)?;
        let last: Option<String> = self
            .sql()
            .prepare_cached(
                "SELECT signature FROM last_decisions WHERE group_id = ?1 AND shadow = ?2",
            )?
            .query_row((id, record.shadow), |row| row.get(0))
            .optional()?;
        if record.changed || last.as_deref() != Some(&*record.signature) {
            self.sql()
                .prepare_cached(
                    "INSERT INTO decisions (group_id, shadow, at, changed, decision)
                     VALUES (?1, ?2, ?3, ?4, ?5)
                     ON CONFLICT DO UPDATE SET changed = excluded.changed, decision = excluded.decision",
                )?
                .execute((
                    id,
                    record.shadow,
                    millis(record.at),
                    record.changed,
                    record.decision.as_str(),
                ))?;
        }
        self.sql()
            .prepare_cached(
                "INSERT INTO last_decisions (group_id, shadow, at, changed, signature, decision)
                 VALUES (?1, ?2, ?3, ?4, ?5, ?6)
                 ON CONFLICT DO UPDATE SET at = excluded.at, changed = excluded.changed,
                    signature = excluded.signature, decision = excluded.decision",
            )?
            .execute((
                id,
                record.shadow,
                millis(record.at),
                record.changed,
                &record.signature,
                record.decision.as_str(),
            ))?;
        if let Some(memory) = &record.memory {
            self.save_memory(&record.group, record.at, memory)?;
        }
        Ok(())
    }
}
