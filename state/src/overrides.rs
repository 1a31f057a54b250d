//! Overrides: pins, pauses and surges set by people. They need no lease; each writes its event in its transaction.

use jiff::Timestamp;
use rusqlite::Row;
use serde::{Deserialize, Serialize};
use tideform_policies::model::{GroupAddress, Name};

use crate::error::StateError;
use crate::events::{EventKind, NewEvent};
use crate::json::{JsonText, parse};
use crate::open::State;
use crate::time::{millis, optional, timestamp};
use crate::write::{Transaction, parse_group};

/// The number of an override.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(transparent)]
pub struct OverrideId(pub i64);

/// What is overridden.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case", tag = "kind")]
pub enum OverrideKind {
    /// The capacity is this number.
    Pin {
        /// In units.
        capacity: u32,
    },
    /// Nothing moves.
    Pause,
    /// A surge of the policy: its floor holds in the override's window.
    Surge {
        /// Its label.
        name: Name,
        /// When the surge itself begins; the floor holds from `lead` before it.
        start: Timestamp,
    },
}

impl OverrideKind {
    /// Two of the same slot exclude each other in a group.
    fn same_slot(&self, other: &OverrideKind) -> bool {
        match (self, other) {
            (OverrideKind::Pin { .. }, OverrideKind::Pin { .. })
            | (OverrideKind::Pause, OverrideKind::Pause) => true,
            (
                OverrideKind::Surge { name, start },
                OverrideKind::Surge {
                    name: other_name,
                    start: other_start,
                },
            ) => name == other_name && start == other_start,
            _ => false,
        }
    }
}

impl std::fmt::Display for OverrideKind {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            OverrideKind::Pin { capacity } => write!(f, "pin at {capacity}"),
            OverrideKind::Pause => f.write_str("pause"),
            OverrideKind::Surge { name, .. } => write!(f, "surge {name}"),
        }
    }
}

/// An override to set.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct NewOverride {
    /// Of which group.
    pub group: GroupAddress,
    /// What.
    pub kind: OverrideKind,
    /// Included.
    pub from: Timestamp,
    /// Excluded; `None`: until it is ended.
    pub until: Option<Timestamp>,
    /// Why, for people.
    pub reason: Option<String>,
    /// Who.
    pub by: String,
    /// Now.
    pub created_at: Timestamp,
}

/// An override as it was set.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Override {
    /// Its number.
    pub id: OverrideId,
    /// Of which group.
    pub group: GroupAddress,
    /// What.
    #[serde(flatten)]
    pub kind: OverrideKind,
    /// Included.
    pub from: Timestamp,
    /// Excluded; `None`: until it is ended.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub until: Option<Timestamp>,
    /// Why.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub reason: Option<String>,
    /// Who.
    pub by: String,
    /// When it was set.
    pub created_at: Timestamp,
    /// When it was ended by somebody, or seen to have run out.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub ended_at: Option<Timestamp>,
    /// By whom.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub ended_by: Option<String>,
}

impl Override {
    /// Whether it holds at this time.
    pub fn is_active(&self, at: Timestamp) -> bool {
        self.from <= at
            && self.until.is_none_or(|until| at < until)
            && self.ended_at.is_none_or(|ended| at < ended)
    }
}

const COLUMNS: &str =
    "SELECT o.id, g.address, o.kind, o.from_at, o.until_at, o.reason, o.by, o.created_at,
        o.ended_at, o.ended_by
    FROM overrides o JOIN groups g ON g.id = o.group_id";

fn read_override(row: &Row<'_>) -> Result<Override, StateError> {
    Ok(Override {
        id: OverrideId(row.get(0)?),
        group: parse_group(&row.get::<_, String>(1)?)?,
        kind: parse("the kind of an override", &row.get::<_, String>(2)?)?,
        from: timestamp(row.get(3)?)?,
        until: optional(row.get(4)?)?,
        reason: row.get(5)?,
        by: row.get(6)?,
        created_at: timestamp(row.get(7)?)?,
        ended_at: optional(row.get(8)?)?,
        ended_by: row.get(9)?,
    })
}

fn query(
    connection: &rusqlite::Connection,
    condition: &str,
    parameters: impl rusqlite::Params,
) -> Result<Vec<Override>, StateError> {
    let mut statement =
        connection.prepare_cached(&format!("{COLUMNS} WHERE {condition} ORDER BY o.id"))?;
    let mut rows = statement.query(parameters)?;
    let mut overrides = Vec::new();
    while let Some(row) = rows.next()? {
        overrides.push(read_override(row)?);
    }
    Ok(overrides)
}

impl State {
    /// The overrides that hold at `at`, in the order in which they were set. `at` may be in the past.
    ///
    /// # Errors
    /// Only where the file cannot be read.
    pub fn active_overrides(&self, at: Timestamp) -> Result<Vec<Override>, StateError> {
        query(
            self.connection(),
            "o.from_at <= ?1 AND (o.until_at IS NULL OR ?1 < o.until_at)
             AND (o.ended_at IS NULL OR ?1 < o.ended_at) AND g.retired = 0",
            [millis(at)],
        )
    }

    /// The overrides that nobody ended and that did not run out by `at`: those that hold, and those to come.
    ///
    /// # Errors
    /// Only where the file cannot be read.
    pub fn open_overrides(&self, at: Timestamp) -> Result<Vec<Override>, StateError> {
        query(
            self.connection(),
            "o.ended_at IS NULL AND (o.until_at IS NULL OR ?1 < o.until_at) AND g.retired = 0",
            [millis(at)],
        )
    }

    /// The overrides that hold, that are to come, or that were ended or seen to have run out at `since` or later.
    ///
    /// # Errors
    /// Only where the file cannot be read.
    pub fn overrides_since(&self, since: Timestamp) -> Result<Vec<Override>, StateError> {
        query(
            self.connection(),
            "(o.ended_at IS NULL OR ?1 <= o.ended_at) AND g.retired = 0",
            [millis(since)],
        )
    }

    /// All overrides ever set, in the order in which they were set.
    ///
    /// # Errors
    /// Only where the file cannot be read.
    pub fn all_overrides(&self) -> Result<Vec<Override>, StateError> {
        query(self.connection(), "true", [])
    }
}

impl Transaction<'_> {
    /// Sets an override, and writes an event. A pin, a pause or the same surge that is open in the group is ended by
    /// it. The window may lie in the future.
    ///
    /// # Errors
    /// [`StateError::UnknownGroup`] where the group is not applied; [`StateError::Unrecordable`] for an empty window.
    pub fn add_override(&mut self, new: &NewOverride) -> Result<OverrideId, StateError> {
        if new
            .until
            .is_some_and(|until| millis(until) <= millis(new.from))
        {
            return Err(StateError::Unrecordable {
                what: format!("{} of {}", new.kind, new.group),
                why: "it would end before it begins".to_owned(),
            });
        }
        let id = match self.known_group_id(&new.group)? {
            Some(id) if self.is_applied(id)? => id,
            _ => {
                return Err(StateError::UnknownGroup {
                    group: new.group.clone(),
                });
            }
        };
        let open = query(
            self.sql(),
            "o.group_id = ?1 AND o.ended_at IS NULL AND (o.until_at IS NULL OR ?2 < o.until_at)",
            (id, millis(new.created_at)),
        )?;
        for old in open.iter().filter(|old| old.kind.same_slot(&new.kind)) {
            self.end(old, new.created_at, &new.by, "replaced")?;
        }
        self.sql().execute(
            "INSERT INTO overrides (group_id, kind, from_at, until_at, reason, by, created_at)
             VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7)",
            (
                id,
                JsonText::of(&new.kind)?.as_str(),
                millis(new.from),
                new.until.map(millis),
                &new.reason,
                &new.by,
                millis(new.created_at),
            ),
        )?;
        let number = OverrideId(self.sql().last_insert_rowid());
        let mut text = new.kind.to_string();
        if new.from > new.created_at {
            text.push_str(&format!(" from {:.0}", new.from));
        }
        if let Some(until) = new.until {
            text.push_str(&format!(" until {until:.0}"));
        }
        if let Some(reason) = &new.reason {
            text.push_str(&format!(": {reason}"));
        }
        self.append_event(&NewEvent {
            group: Some(new.group.clone()),
            to: match new.kind {
                OverrideKind::Pin { capacity } => Some(capacity),
                OverrideKind::Pause | OverrideKind::Surge { .. } => None,
            },
            text,
            ..NewEvent::new(new.created_at, EventKind::OverrideStarted, &new.by)
        })?;
        Ok(number)
    }

    /// Ends an override now, and writes an event.
    ///
    /// # Errors
    /// [`StateError::UnknownRecord`], [`StateError::AlreadyEnded`].
    pub fn end_override(
        &mut self,
        id: OverrideId,
        at: Timestamp,
        by: &str,
    ) -> Result<(), StateError> {
        let found = query(self.sql(), "o.id = ?1", [id.0])?;
        match found.first() {
            None => Err(StateError::UnknownRecord {
                what: "override",
                id: id.0,
            }),
            Some(old) if old.ended_at.is_some() => Err(StateError::AlreadyEnded {
                what: "override",
                id: id.0,
            }),
            Some(old) => self.end(old, at, by, "ended"),
        }
    }

    /// Marks the overrides that ran out by `at` as ended when they ran out, and writes an event for each. Answers
    /// how many.
    ///
    /// # Errors
    /// Only where the file cannot be written.
    pub fn expire_overrides(&mut self, at: Timestamp, by: &str) -> Result<usize, StateError> {
        let over = query(
            self.sql(),
            "o.ended_at IS NULL AND o.until_at <= ?1",
            [millis(at)],
        )?;
        for old in &over {
            self.end(old, old.until.unwrap_or(at), by, "ran out")?;
        }
        Ok(over.len())
    }

    fn end(
        &mut self,
        old: &Override,
        at: Timestamp,
        by: &str,
        how: &str,
    ) -> Result<(), StateError> {
        self.sql().execute(
            "UPDATE overrides SET ended_at = ?2, ended_by = ?3 WHERE id = ?1",
            (old.id.0, millis(at), by),
        )?;
        self.append_event(&NewEvent {
            group: Some(old.group.clone()),
            text: format!("{} {how}", old.kind),
            ..NewEvent::new(at, EventKind::OverrideEnded, by)
        })?;
        Ok(())
    }

    fn is_applied(&self, group: i64) -> Result<bool, StateError> {
        Ok(self.sql().query_row(
            "SELECT EXISTS (SELECT 1 FROM applied_groups WHERE group_id = ?1)",
            [group],
            |row| row.get(0),
        )?)
    }
}
