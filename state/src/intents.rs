//! Intents: recorded before a call, settled after it. Each has exactly one event in the end, written in the
//! transaction that settles it; an open one at start-up means "observe first".

use jiff::Timestamp;
use rusqlite::{OptionalExtension, Row};
use serde::{Deserialize, Serialize};
use serde_json::Value;
use tideform_policies::model::{GroupAddress, InstanceId};

use crate::applied::ApplyId;
use crate::error::StateError;
use crate::events::{EventId, EventKind, NewEvent};
use crate::json::{JsonText, parse};
use crate::open::State;
use crate::time::{kept, millis, optional, timestamp};
use crate::write::{Transaction, capacity_option, parse_group_option};

/// The number of an intent.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(transparent)]
pub struct IntentId(pub i64);

/// What is about to be done.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case", tag = "kind")]
pub enum IntentKind {
    /// Ask for the capacity `to`.
    SetDesired,
    /// End one instance.
    Terminate {
        /// Which.
        instance: InstanceId,
    },
    /// Carry out a planned change.
    ApplyChange {
        /// The change, in the planner's words.
        change: Value,
    },
}

impl IntentKind {
    fn event_kind(&self) -> EventKind {
        match self {
            IntentKind::SetDesired => EventKind::Scaled,
            IntentKind::Terminate { .. } => EventKind::InstanceTerminated,
            IntentKind::ApplyChange { .. } => EventKind::ChangeApplied,
        }
    }
}

/// How an intent ended.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case", tag = "outcome")]
pub enum Outcome {
    /// It took effect.
    Done,
    /// It did not take effect.
    NotDone,
    /// Something else took effect.
    Superseded,
    /// It was refused or failed, and did not take effect.
    Failed {
        /// What the provider said.
        message: String,
    },
    /// Nobody can tell any more.
    Unknown,
}

impl Outcome {
    /// The stable word.
    pub fn word(&self) -> &'static str {
        match self {
            Outcome::Done => "done",
            Outcome::NotDone => "not_done",
            Outcome::Superseded => "superseded",
            Outcome::Failed { .. } => "failed",
            Outcome::Unknown => "unknown",
        }
    }

    pub(crate) fn message(&self) -> Option<&str> {
        match self {
            Outcome::Failed { message } => Some(message),
            Outcome::Done | Outcome::NotDone | Outcome::Superseded | Outcome::Unknown => None,
        }
    }

    pub(crate) fn from_columns(
        word: Option<String>,
        message: Option<String>,
    ) -> Result<Option<Outcome>, StateError> {
        Ok(match word.as_deref() {
            None => None,
            Some("done") => Some(Outcome::Done),
            Some("not_done") => Some(Outcome::NotDone),
            Some("superseded") => Some(Outcome::Superseded),
            Some("failed") => Some(Outcome::Failed {
                message: message.unwrap_or_default(),
            }),
            Some("unknown") => Some(Outcome::Unknown),
            Some(other) => {
                return Err(StateError::Corrupt {
                    problem: format!("unknown outcome `{other}`"),
                });
            }
        })
    }
}

/// An intent to record.
#[derive(Clone, Debug, PartialEq)]
pub struct NewIntent {
    /// Whom it concerns; `None` only for planned changes of the whole configuration.
    pub group: Option<GroupAddress>,
    /// The apply that it is part of.
    pub apply: Option<ApplyId>,
    /// What is about to be done.
    pub kind: IntentKind,
    /// Who: `reconcile`, `alice@laptop`.
    pub actor: String,
    /// The capacity before, where it is about capacity.
    pub from: Option<u32>,
    /// The capacity asked for.
    pub to: Option<u32>,
    /// Now: cooldowns and warming run from here.
    pub at: Timestamp,
    /// No call for it starts later: the lease's expiry less the margin.
    pub not_after: Timestamp,
    /// The decision's reasons; `null` for none.
    pub reasons: Value,
}

/// An intent as it was recorded.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Intent {
    /// Its number.
    pub id: IntentId,
    /// Whom it concerns, under its present address.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub group: Option<GroupAddress>,
    /// The apply that it is part of.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub apply: Option<ApplyId>,
    /// What was about to be done.
    pub kind: IntentKind,
    /// Who.
    pub actor: String,
    /// The capacity before.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub from: Option<u32>,
    /// The capacity asked for.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub to: Option<u32>,
    /// When it was recorded.
    pub at: Timestamp,
    /// No call for it starts later.
    pub not_after: Timestamp,
    /// The decision's reasons.
    pub reasons: Value,
    /// When it was settled.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub settled_at: Option<Timestamp>,
    /// How it ended; `None`: it is open.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub outcome: Option<Outcome>,
}

/// The end of an intent.
#[derive(Clone, Debug, PartialEq)]
pub struct Settlement {
    /// How it ended.
    pub outcome: Outcome,
    /// Now.
    pub at: Timestamp,
    /// One sentence for people, for its event; empty: one is made.
    pub text: String,
}

const COLUMNS: &str =
    "SELECT i.id, g.address, i.apply_id, i.kind, i.actor, i.from_capacity, i.to_capacity, i.at,
        i.not_after, i.reasons, i.settled_at, i.outcome, i.message
    FROM intents i LEFT JOIN groups g ON g.id = i.group_id";

fn read_intent(row: &Row<'_>) -> Result<Intent, StateError> {
    Ok(Intent {
        id: IntentId(row.get(0)?),
        group: parse_group_option(row.get(1)?)?,
        apply: row.get::<_, Option<i64>>(2)?.map(ApplyId),
        kind: parse("the kind of an intent", &row.get::<_, String>(3)?)?,
        actor: row.get(4)?,
        from: capacity_option(row.get(5)?)?,
        to: capacity_option(row.get(6)?)?,
        at: timestamp(row.get(7)?)?,
        not_after: timestamp(row.get(8)?)?,
        reasons: parse("the reasons of an intent", &row.get::<_, String>(9)?)?,
        settled_at: optional(row.get(10)?)?,
        outcome: Outcome::from_columns(row.get(11)?, row.get(12)?)?,
    })
}

impl State {
    /// The intents of a group that were recorded at a time: what a decision or an apply asked for, in its order.
    ///
    /// # Errors
    /// Only where the file cannot be read.
    pub fn intents_at(
        &self,
        group: &GroupAddress,
        at: Timestamp,
    ) -> Result<Vec<Intent>, StateError> {
        let mut statement = self.connection().prepare_cached(&format!(
            "{COLUMNS} WHERE g.address = ?1 AND i.at = ?2 ORDER BY i.id"
        ))?;
        let mut rows = statement.query((group.to_string(), millis(at)))?;
        let mut intents = Vec::new();
        while let Some(row) = rows.next()? {
            intents.push(read_intent(row)?);
        }
        Ok(intents)
    }

    /// The intents that are not settled, oldest first.
    ///
    /// # Errors
    /// Only where the file cannot be read.
    pub fn open_intents(&self) -> Result<Vec<Intent>, StateError> {
        let mut statement = self
            .connection()
            .prepare_cached(&format!("{COLUMNS} WHERE i.outcome IS NULL ORDER BY i.id"))?;
        let mut rows = statement.query([])?;
        let mut intents = Vec::new();
        while let Some(row) = rows.next()? {
            intents.push(read_intent(row)?);
        }
        Ok(intents)
    }

    /// The intents of an apply that failed, oldest first.
    ///
    /// # Errors
    /// Only where the file cannot be read.
    pub fn failed_intents(&self, apply: ApplyId) -> Result<Vec<Intent>, StateError> {
        let mut statement = self.connection().prepare_cached(&format!(
            "{COLUMNS} WHERE i.apply_id = ?1 AND i.outcome = 'failed' ORDER BY i.id"
        ))?;
        let mut rows = statement.query([apply.0])?;
        let mut intents = Vec::new();
        while let Some(row) = rows.next()? {
            intents.push(read_intent(row)?);
        }
        Ok(intents)
    }

    /// One intent.
    ///
    /// # Errors
    /// Only where the file cannot be read.
    pub fn intent(&self, id: IntentId) -> Result<Option<Intent>, StateError> {
        let mut statement = self
            .connection()
            .prepare_cached(&format!("{COLUMNS} WHERE i.id = ?1"))?;
        let mut rows = statement.query([id.0])?;
        rows.next()?.map(read_intent).transpose()
    }
}

impl Transaction<'_> {
    /// Records intents, before any of their calls. The numbers come in the order of the intents.
    ///
    /// # Errors
    /// Only where the file cannot be written.
    pub fn record_intents(&mut self, intents: &[NewIntent]) -> Result<Vec<IntentId>, StateError> {
        let mut ids = Vec::with_capacity(intents.len());
        for intent in intents {
            let group = match &intent.group {
                Some(address) => Some(self.group_id(address)?),
                None => None,
            };
            self.sql()
                .prepare_cached(
                    "INSERT INTO intents (group_id, apply_id, kind, actor, from_capacity, to_capacity, at,
                                          not_after, reasons)
                     VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9)",
                )?
                .execute((
                    group,
                    intent.apply.map(|apply| apply.0),
                    JsonText::of(&intent.kind)?.as_str(),
                    &intent.actor,
                    intent.from,
                    intent.to,
                    millis(intent.at),
                    millis(intent.not_after),
                    intent.reasons.to_string(),
                ))?;
            ids.push(IntentId(self.sql().last_insert_rowid()));
        }
        Ok(ids)
    }

    /// Settles an intent and appends its one event.
    ///
    /// # Errors
    /// [`StateError::UnknownRecord`], [`StateError::AlreadyEnded`].
    pub fn settle_intent(
        &mut self,
        id: IntentId,
        settlement: &Settlement,
    ) -> Result<EventId, StateError> {
        let intent = {
            let mut statement = self
                .sql()
                .prepare_cached(&format!("{COLUMNS} WHERE i.id = ?1"))?;
            let mut rows = statement.query([id.0])?;
            rows.next()?.map(read_intent).transpose()?
        };
        let Some(intent) = intent else {
            return Err(StateError::UnknownRecord {
                what: "intent",
                id: id.0,
            });
        };
        if intent.outcome.is_some() {
            return Err(StateError::AlreadyEnded {
                what: "intent",
                id: id.0,
            });
        }
        let outcome = &settlement.outcome;
        self.sql()
            .prepare_cached(
                "UPDATE intents SET settled_at = ?2, outcome = ?3, message = ?4 WHERE id = ?1",
            )?
            .execute((
                id.0,
                millis(settlement.at),
                outcome.word(),
                outcome.message(),
            ))?;
        // By the number, not by the address: the group may have moved.
        let group: Option<i64> = self
            .sql()
            .prepare_cached("SELECT group_id FROM intents WHERE id = ?1")?
            .query_row([id.0], |row| row.get(0))
            .optional()?
            .flatten();
        let text = if settlement.text.is_empty() {
            sentence(&intent, outcome)
        } else {
            settlement.text.clone()
        };
        let event = NewEvent {
            group: intent.group.clone(),
            from: intent.from,
            to: intent.to,
            reasons: intent.reasons,
            outcome: Some(outcome.clone()),
            text,
            ..NewEvent::new(kept(intent.at), intent.kind.event_kind(), &intent.actor)
        };
        self.insert_event(&event, group, Some(id))
    }
}

fn sentence(intent: &Intent, outcome: &Outcome) -> String {
    let what = match (&intent.kind, intent.from, intent.to) {
        (IntentKind::SetDesired, Some(from), Some(to)) => format!("desired {from} -> {to}"),
        (IntentKind::SetDesired, _, Some(to)) => format!("desired {to}"),
        (IntentKind::SetDesired, _, None) => "desired".to_owned(),
        (IntentKind::Terminate { instance }, ..) => format!("terminate {instance}"),
        (IntentKind::ApplyChange { .. }, ..) => "change".to_owned(),
    };
    match outcome {
        Outcome::Done => what,
        Outcome::NotDone => format!("{what}: not done"),
        Outcome::Superseded => format!("{what}: superseded"),
        Outcome::Failed { message } => format!("{what}: failed: {message}"),
        Outcome::Unknown => format!("{what}: outcome unknown"),
    }
}
