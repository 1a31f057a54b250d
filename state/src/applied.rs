//! What was last applied: each group's resolved policy and what was written to the cloud, and the applies themselves.

use std::collections::BTreeMap;

use jiff::Timestamp;
use rusqlite::{OptionalExtension, Row};
use serde::{Deserialize, Serialize};
use serde_json::Value;
use tideform_policies::model::{Group, GroupAddress, ProviderConfiguration};

use crate::error::StateError;
use crate::events::{EventKind, NewEvent};
use crate::intents::{IntentId, Outcome, Settlement};
use crate::json::{JsonText, parse};
use crate::open::State;
use crate::time::{millis, optional, timestamp};
use crate::write::{Transaction, parse_group};

/// The number of an apply.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(transparent)]
pub struct ApplyId(pub i64);

/// How tideform came by a group's resource.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Ownership {
    /// It was there; tideform manages what the files say of it.
    Managed,
    /// Tideform created it, and so may destroy it.
    Created,
    /// It was another state's or had policies that tideform took over.
    Adopted,
}

impl Ownership {
    fn as_str(self) -> &'static str {
        match self {
            Ownership::Managed => "managed",
            Ownership::Created => "created",
            Ownership::Adopted => "adopted",
        }
    }

    fn parse(text: &str) -> Result<Ownership, StateError> {
        match text {
            "managed" => Ok(Ownership::Managed),
            "created" => Ok(Ownership::Created),
            "adopted" => Ok(Ownership::Adopted),
            other => Err(StateError::Corrupt {
                problem: format!("unknown ownership `{other}`"),
            }),
        }
    }
}

/// A group as it was last applied.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct AppliedGroup {
    /// The resolved group: what `reconcile` runs.
    pub group: Group,
    /// The attributes that were written to the cloud, or found there, in the provider's types.
    pub attributes: Value,
    /// Of what a plan can change; computed by the planner.
    pub fingerprint: String,
    /// How tideform came by it.
    pub ownership: Ownership,
    /// What else the planner keeps: names of adopted policies and the like. `null` for nothing.
    pub details: Value,
    /// When.
    pub applied_at: Timestamp,
}

/// An apply that begins.
#[derive(Clone, Debug, PartialEq)]
pub struct NewApply {
    /// Now.
    pub at: Timestamp,
    /// Who: `alice@laptop`.
    pub actor: String,
    /// The configuration's digest.
    pub digest: String,
    /// What the planner keeps of it: counts, the plan file's name. `null` for nothing.
    pub details: Value,
}

/// How an apply came to its end.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum ApplyOutcome {
    /// All changes were made.
    Done,
    /// Some were not.
    Failed {
        /// What is left, and why.
        message: String,
    },
}

/// Where an apply stands.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum RunningOutcome {
    /// It runs, or died and no other began since.
    Running,
    /// It came to its end.
    Finished(ApplyOutcome),
    /// It died: another began without its end having been recorded.
    Interrupted,
}

/// One apply of the past.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct ApplyRecord {
    /// Its number.
    pub id: ApplyId,
    /// The state's serial from its beginning on.
    pub serial: u64,
    /// When it began.
    pub at: Timestamp,
    /// Who.
    pub actor: String,
    /// The configuration's digest.
    pub digest: String,
    /// What the planner kept of it.
    pub details: Value,
    /// When it came to its end.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub finished_at: Option<Timestamp>,
    /// Where it stands.
    pub outcome: RunningOutcome,
}

const GROUP_COLUMNS: &str =
    "SELECT g.address, a.policy, a.attributes, a.fingerprint, a.ownership, a.details, a.applied_at
     FROM applied_groups a JOIN groups g ON g.id = a.group_id";

fn read_group(row: &Row<'_>) -> Result<(GroupAddress, AppliedGroup), StateError> {
    let address = row.get::<_, String>(0)?;
    let what = |part: &str| format!("{part} of {address}");
    let group = AppliedGroup {
        group: parse(
            &what("the policy"),
            row.get_ref(1)?.as_str().unwrap_or_default(),
        )?,
        attributes: parse(&what("the attributes"), &row.get::<_, String>(2)?)?,
        fingerprint: row.get(3)?,
        ownership: Ownership::parse(&row.get::<_, String>(4)?)?,
        details: parse(&what("the details"), &row.get::<_, String>(5)?)?,
        applied_at: timestamp(row.get(6)?)?,
    };
    Ok((parse_group(&address)?, group))
}

impl State {
    /// All groups that are applied, by address.
    ///
    /// # Errors
    /// [`StateError::Unreadable`] for a group that this version does not understand.
    pub fn applied_groups(&self) -> Result<BTreeMap<GroupAddress, AppliedGroup>, StateError> {
        let mut statement = self.connection().prepare_cached(GROUP_COLUMNS)?;
        let mut rows = statement.query([])?;
        let mut groups = BTreeMap::new();
        while let Some(row) = rows.next()? {
            let (address, group) = read_group(row)?;
            groups.insert(address, group);
        }
        Ok(groups)
    }

    /// One group as it was last applied.
    ///
    /// # Errors
    /// [`StateError::Unreadable`] where this version does not understand it.
    pub fn applied_group(
        &self,
        address: &GroupAddress,
    ) -> Result<Option<AppliedGroup>, StateError> {
        let mut statement = self.connection().prepare_cached(&format!(
            "{GROUP_COLUMNS} WHERE g.address = ?1 AND g.retired = 0"
        ))?;
        let mut rows = statement.query([address.to_string()])?;
        match rows.next()? {
            Some(row) => Ok(Some(read_group(row)?.1)),
            None => Ok(None),
        }
    }

    /// The apply that last recorded a group; `None`: the group is not applied.
    ///
    /// # Errors
    /// Only where the file cannot be read.
    pub fn applied_by(&self, address: &GroupAddress) -> Result<Option<ApplyId>, StateError> {
        let mut statement = self.connection().prepare_cached(
            "SELECT a.apply_id FROM applied_groups a JOIN groups g ON g.id = a.group_id
             WHERE g.address = ?1 AND g.retired = 0",
        )?;
        let mut rows = statement.query([address.to_string()])?;
        match rows.next()? {
            Some(row) => Ok(Some(ApplyId(row.get(0)?))),
            None => Ok(None),
        }
    }

    /// The addresses of the groups that are applied, in order.
    ///
    /// # Errors
    /// Only where the file cannot be read.
    pub fn applied_addresses(&self) -> Result<Vec<GroupAddress>, StateError> {
        let mut statement = self.connection().prepare_cached(
            "SELECT g.address FROM applied_groups a JOIN groups g ON g.id = a.group_id",
        )?;
        let mut rows = statement.query([])?;
        let mut addresses = Vec::new();
        while let Some(row) = rows.next()? {
            addresses.push(parse_group(&row.get::<_, String>(0)?)?);
        }
        addresses.sort();
        Ok(addresses)
    }

    /// The providers as they were last applied, in the order of the files.
    ///
    /// # Errors
    /// [`StateError::Unreadable`] where this version does not understand one.
    pub fn applied_providers(&self) -> Result<Vec<ProviderConfiguration>, StateError> {
        let mut statement = self.connection().prepare_cached(
            "SELECT address, configuration FROM applied_providers ORDER BY position",
        )?;
        let mut rows = statement.query([])?;
        let mut providers = Vec::new();
        while let Some(row) = rows.next()? {
            let address: String = row.get(0)?;
            providers.push(parse(&address, &row.get::<_, String>(1)?)?);
        }
        Ok(providers)
    }

    /// The newest applies, newest first.
    ///
    /// # Errors
    /// Only where the file cannot be read.
    pub fn applies(&self, limit: usize) -> Result<Vec<ApplyRecord>, StateError> {
        let mut statement = self.connection().prepare_cached(
            "SELECT id, serial, at, actor, digest, details, finished_at, outcome, message
             FROM applies ORDER BY id DESC LIMIT ?1",
        )?;
        let mut rows = statement.query([i64::try_from(limit).unwrap_or(i64::MAX)])?;
        let mut applies = Vec::new();
        while let Some(row) = rows.next()? {
            let outcome: String = row.get(7)?;
            let message: Option<String> = row.get(8)?;
            applies.push(ApplyRecord {
                id: ApplyId(row.get(0)?),
                serial: row.get::<_, i64>(1)?.unsigned_abs(),
                at: timestamp(row.get(2)?)?,
                actor: row.get(3)?,
                digest: row.get(4)?,
                details: parse("the details of an apply", &row.get::<_, String>(5)?)?,
                finished_at: optional(row.get(6)?)?,
                outcome: match outcome.as_str() {
                    "running" => RunningOutcome::Running,
                    "done" => RunningOutcome::Finished(ApplyOutcome::Done),
                    "failed" => RunningOutcome::Finished(ApplyOutcome::Failed {
                        message: message.unwrap_or_default(),
                    }),
                    "interrupted" => RunningOutcome::Interrupted,
                    other => {
                        return Err(StateError::Corrupt {
                            problem: format!("unknown outcome `{other}` of an apply"),
                        });
                    }
                },
            });
        }
        Ok(applies)
    }
}

impl Transaction<'_> {
    /// Begins an apply: raises the serial, so that every plan saved before is stale, whatever becomes of this one.
    /// An earlier one that never came to its end is marked as interrupted. Writes an event.
    ///
    /// # Errors
    /// Only where the file cannot be written.
    pub fn begin_apply(&mut self, apply: &NewApply) -> Result<ApplyId, StateError> {
        self.sql().execute(
            "UPDATE applies SET outcome = 'interrupted' WHERE outcome = 'running'",
            [],
        )?;
        let serial = self.raise_serial()?;
        self.sql().execute(
            "INSERT INTO applies (serial, at, actor, digest, details, outcome)
             VALUES (?1, ?2, ?3, ?4, ?5, 'running')",
            (
                i64::try_from(serial).unwrap_or(i64::MAX),
                millis(apply.at),
                &apply.actor,
                &apply.digest,
                apply.details.to_string(),
            ),
        )?;
        let id = ApplyId(self.sql().last_insert_rowid());
        self.append_event(&NewEvent {
            text: format!("apply {serial} began"),
            ..NewEvent::new(apply.at, EventKind::ApplyStarted, &apply.actor)
        })?;
        Ok(id)
    }

    /// Records a group as applied by this apply, in place of what was there.
    ///
    /// # Errors
    /// [`StateError::UnknownRecord`] for an apply that never began.
    pub fn record_applied_group(
        &mut self,
        apply: ApplyId,
        applied: &AppliedGroup,
    ) -> Result<(), StateError> {
        self.require_running(apply)?;
        let group = self.group_id(&applied.group.address)?;
        self.sql()
            .prepare_cached(
                "INSERT INTO applied_groups
                    (group_id, apply_id, policy, attributes, fingerprint, ownership, details, applied_at)
                 VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8)
                 ON CONFLICT (group_id) DO UPDATE SET
                    apply_id = excluded.apply_id, policy = excluded.policy, attributes = excluded.attributes,
                    fingerprint = excluded.fingerprint, ownership = excluded.ownership,
                    details = excluded.details, applied_at = excluded.applied_at",
            )?
            .execute((
                group,
                apply.0,
                JsonText::of(&applied.group)?.as_str(),
                applied.attributes.to_string(),
                &applied.fingerprint,
                applied.ownership.as_str(),
                applied.details.to_string(),
                millis(applied.applied_at),
            ))?;
        Ok(())
    }

    /// Records the providers as applied by this apply, in place of those that were there.
    ///
    /// # Errors
    /// [`StateError::UnknownRecord`] for an apply that never began.
    pub fn record_applied_providers(
        &mut self,
        apply: ApplyId,
        providers: &[ProviderConfiguration],
    ) -> Result<(), StateError> {
        self.require_running(apply)?;
        self.sql().execute("DELETE FROM applied_providers", [])?;
        for (position, provider) in providers.iter().enumerate() {
            self.sql().execute(
                "INSERT INTO applied_providers (address, position, configuration) VALUES (?1, ?2, ?3)",
                (
                    provider.address.to_string(),
                    i64::try_from(position).unwrap_or(i64::MAX),
                    JsonText::of(provider)?.as_str(),
                ),
            )?;
        }
        Ok(())
    }

    /// Ends an apply, and writes an event.
    ///
    /// # Errors
    /// [`StateError::UnknownRecord`], [`StateError::AlreadyEnded`].
    pub fn finish_apply(
        &mut self,
        apply: ApplyId,
        outcome: &ApplyOutcome,
        at: Timestamp,
    ) -> Result<(), StateError> {
        self.require_running(apply)?;
        let (word, message) = match outcome {
            ApplyOutcome::Done => ("done", None),
            ApplyOutcome::Failed { message } => ("failed", Some(message)),
        };
        let (actor, serial): (String, i64) = self.sql().query_row(
            "UPDATE applies SET outcome = ?2, message = ?3, finished_at = ?4 WHERE id = ?1
             RETURNING actor, serial",
            (apply.0, word, message, millis(at)),
            |row| Ok((row.get(0)?, row.get(1)?)),
        )?;
        self.append_event(&NewEvent {
            text: match message {
                None => format!("apply {serial} is done"),
                Some(message) => format!("apply {serial} failed: {message}"),
            },
            ..NewEvent::new(at, EventKind::ApplyFinished, &actor)
        })?;
        Ok(())
    }

    /// Forgets a group: what was applied, its memory and its overrides. Its history stays. Raises the serial and
    /// writes an event.
    ///
    /// # Errors
    /// [`StateError::UnknownGroup`] where it is not applied.
    pub fn forget_group(
        &mut self,
        address: &GroupAddress,
        at: Timestamp,
        actor: &str,
    ) -> Result<(), StateError> {
        let unknown = || StateError::UnknownGroup {
            group: address.clone(),
        };
        let id = self.known_group_id(address)?.ok_or_else(unknown)?;
        self.settle_loop_intents(id, at)?;
        let deleted = self
            .sql()
            .execute("DELETE FROM applied_groups WHERE group_id = ?1", [id])?;
        if deleted == 0 {
            return Err(unknown());
        }
        self.sql()
            .execute("DELETE FROM memories WHERE group_id = ?1", [id])?;
        self.sql()
            .execute("DELETE FROM progress WHERE group_id = ?1", [id])?;
        self.sql()
            .execute("DELETE FROM last_decisions WHERE group_id = ?1", [id])?;
        self.sql().execute(
            "UPDATE overrides SET ended_at = ?2, ended_by = ?3 WHERE group_id = ?1 AND ended_at IS NULL",
            (id, millis(at), actor),
        )?;
        self.raise_serial()?;
        self.append_event(&NewEvent {
            group: Some(address.clone()),
            text: format!("{address} was forgotten"),
            ..NewEvent::new(at, EventKind::GroupForgotten, actor)
        })?;
        Ok(())
    }

    /// Settles what the loop left open of a group that nobody will visit any more. The intents of an apply are left to
    /// the next apply.
    fn settle_loop_intents(&mut self, group: i64, at: Timestamp) -> Result<(), StateError> {
        let open: Vec<i64> = {
            let mut statement = self.sql().prepare_cached(
                "SELECT id FROM intents WHERE group_id = ?1 AND outcome IS NULL AND apply_id IS NULL ORDER BY id",
            )?;
            let rows = statement.query_map([group], |row| row.get(0))?;
            rows.collect::<Result<_, _>>()?
        };
        for intent in open {
            self.settle_intent(
                IntentId(intent),
                &Settlement {
                    outcome: Outcome::Unknown,
                    at,
                    text: "the group was forgotten before it could be settled".to_owned(),
                },
            )?;
        }
        Ok(())
    }

    /// Gives a group another address; what was applied, memory, overrides, samples and events follow. Raises the
    /// serial and writes an event.
    ///
    /// # Errors
    /// [`StateError::UnknownGroup`] where `from` is not applied, [`StateError::GroupExists`] where `to` is.
    pub fn move_group(
        &mut self,
        from: &GroupAddress,
        to: &GroupAddress,
        at: Timestamp,
        actor: &str,
    ) -> Result<(), StateError> {
        let policy = match self.known_group_id(from)? {
            Some(id) => self
                .sql()
                .query_row(
                    "SELECT policy FROM applied_groups WHERE group_id = ?1",
                    [id],
                    |row| Ok((id, row.get::<_, String>(0)?)),
                )
                .optional()?,
            None => None,
        };
        let Some((id, policy)) = policy else {
            return Err(StateError::UnknownGroup {
                group: from.clone(),
            });
        };
        if let Some(taken) = self.known_group_id(to)? {
            let applied: i64 = self.sql().query_row(
                "SELECT count(*) FROM applied_groups WHERE group_id = ?1",
                [taken],
                |row| row.get(0),
            )?;
            if applied > 0 || taken == id {
                return Err(StateError::GroupExists { group: to.clone() });
            }
            // A group that was forgotten keeps its history beside the one that takes its address.
            self.sql()
                .execute("UPDATE groups SET retired = 1 WHERE id = ?1", [taken])?;
        }
        let mut group: Group = parse(&format!("the policy of {from}"), &policy)?;
        group.address = to.clone();
        self.sql().execute(
            "UPDATE groups SET address = ?2 WHERE id = ?1",
            (id, to.to_string()),
        )?;
        self.sql().execute(
            "UPDATE applied_groups SET policy = ?2 WHERE group_id = ?1",
            (id, JsonText::of(&group)?.as_str()),
        )?;
        self.forget_numbers();
        self.raise_serial()?;
        self.append_event(&NewEvent {
            group: Some(to.clone()),
            text: format!("{from} became {to}"),
            ..NewEvent::new(at, EventKind::GroupMoved, actor)
        })?;
        Ok(())
    }

    fn require_running(&self, apply: ApplyId) -> Result<(), StateError> {
        let outcome: Option<String> = self
            .sql()
            .prepare_cached("SELECT outcome FROM applies WHERE id = ?1")?
            .query_row([apply.0], |row| row.get(0))
            .optional()?;
        match outcome.as_deref() {
            Some("running") => Ok(()),
            Some(_) => Err(StateError::AlreadyEnded {
                what: "apply",
                id: apply.0,
            }),
            None => Err(StateError::UnknownRecord {
                what: "apply",
                id: apply.0,
            }),
        }
    }
}
