//! Events: what happened, when, by whom, why, and how it ended. Append only; triggers refuse anything else.

use jiff::Timestamp;
use rusqlite::types::Value as Sql;
use serde::{Deserialize, Serialize};
use serde_json::Value;
use tideform_policies::model::GroupAddress;

use crate::error::StateError;
use crate::intents::{IntentId, Outcome};
use crate::json::parse;
use crate::open::State;
use crate::time::{millis, timestamp};
use crate::write::{Transaction, capacity_option, parse_group_option};

/// The number of an event; later ones have larger numbers.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(transparent)]
pub struct EventId(pub i64);

macro_rules! event_kinds {
    ($($(#[$doc:meta])* $variant:ident = $word:literal,)*) => {
        /// What kind of thing happened. The word in the state and in JSON is the variant's in snake case.
        #[derive(Clone, Debug, PartialEq, Eq, Hash)]
        pub enum EventKind {
            $($(#[$doc])* $variant,)*
            /// A word that this version does not know: written by another one.
            Other(String),
        }

        impl EventKind {
            /// All kinds that this version knows.
            pub const ALL: &[EventKind] = &[$(EventKind::$variant,)*];

            /// The stable word.
            pub fn as_str(&self) -> &str {
                match self {
                    $(EventKind::$variant => $word,)*
                    EventKind::Other(word) => word,
                }
            }

            /// The kind of a word.
            pub fn from_word(word: &str) -> EventKind {
                match word {
                    $($word => EventKind::$variant,)*
                    other => EventKind::Other(other.to_owned()),
                }
            }
        }
    };
}

event_kinds! {
    /// A capacity was asked for: the event of an intent.
    Scaled = "scaled",
    /// An instance was ended: the event of an intent.
    InstanceTerminated = "instance_terminated",
    /// A planned change was carried out: the event of an intent.
    ChangeApplied = "change_applied",
    /// An apply began.
    ApplyStarted = "apply_started",
    /// An apply came to its end.
    ApplyFinished = "apply_finished",
    /// A pin, pause or surge was set.
    OverrideStarted = "override_started",
    /// A pin, pause or surge was taken away or ran out.
    OverrideEnded = "override_ended",
    /// A guard stopped scaling.
    GuardTripped = "guard_tripped",
    /// A guard let go.
    GuardReleased = "guard_released",
    /// A part of the budget is used up.
    BudgetAlert = "budget_alert",
    /// Spot failed; on demand for a while.
    FallbackStarted = "fallback_started",
    /// Back to spot.
    FallbackEnded = "fallback_ended",
    /// The provider takes an instance back.
    Interruption = "interruption",
    /// Instances did not come up.
    LaunchFailed = "launch_failed",
    /// Something was changed outside tideform.
    Drift = "drift",
    /// The provider does not answer or refuses.
    ProviderFailed = "provider_failed",
    /// The provider answers again.
    ProviderRecovered = "provider_recovered",
    /// Metrics have no data.
    DataMissing = "data_missing",
    /// A group was taken out of the state.
    GroupForgotten = "group_forgotten",
    /// A group has another address.
    GroupMoved = "group_moved",
    /// The lease was taken from a holder that died or stalled.
    LeaseTaken = "lease_taken",
    /// Something else, in words.
    Note = "note",
}

impl std::fmt::Display for EventKind {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(self.as_str())
    }
}

impl Serialize for EventKind {
    fn serialize<S: serde::Serializer>(&self, s: S) -> Result<S::Ok, S::Error> {
        s.serialize_str(self.as_str())
    }
}

impl<'de> Deserialize<'de> for EventKind {
    fn deserialize<D: serde::Deserializer<'de>>(d: D) -> Result<EventKind, D::Error> {
        Ok(EventKind::from_word(&String::deserialize(d)?))
    }
}

/// An event to record. [`NewEvent::new`] gives one with everything else empty.
#[derive(Clone, Debug, PartialEq)]
pub struct NewEvent {
    /// When it happened.
    pub at: Timestamp,
    /// Whom it concerns; `None`: the whole state.
    pub group: Option<GroupAddress>,
    /// What kind.
    pub kind: EventKind,
    /// Who: `reconcile`, `alice@laptop`.
    pub actor: String,
    /// The capacity before.
    pub from: Option<u32>,
    /// The capacity after.
    pub to: Option<u32>,
    /// The decision's reasons, as data; `null` for none.
    pub reasons: Value,
    /// How it ended, where that is a question.
    pub outcome: Option<Outcome>,
    /// One sentence for people.
    pub text: String,
}

impl NewEvent {
    /// An event about nothing but itself.
    pub fn new(at: Timestamp, kind: EventKind, actor: &str) -> NewEvent {
        NewEvent {
            at,
            group: None,
            kind,
            actor: actor.to_owned(),
            from: None,
            to: None,
            reasons: Value::Null,
            outcome: None,
            text: String::new(),
        }
    }
}

/// An event as it was recorded.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Event {
    /// Its number.
    pub id: EventId,
    /// When it happened; for an intent's event the time of the intent.
    pub at: Timestamp,
    /// Whom it concerns, under its present address.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub group: Option<GroupAddress>,
    /// What kind.
    pub kind: EventKind,
    /// Who.
    pub actor: String,
    /// The capacity before.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub from: Option<u32>,
    /// The capacity after.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub to: Option<u32>,
    /// The decision's reasons; `null` for none.
    pub reasons: Value,
    /// How it ended.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub outcome: Option<Outcome>,
    /// The intent that it settles.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub intent: Option<IntentId>,
    /// One sentence for people.
    pub text: String,
}

/// Which events. The default: all of them, oldest first.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct EventFilter {
    /// Only of this group.
    pub group: Option<GroupAddress>,
    /// Only at or after this.
    pub since: Option<Timestamp>,
    /// Only at or before this.
    pub until: Option<Timestamp>,
    /// Only of these kinds; empty: of all.
    pub kinds: Vec<EventKind>,
    /// Only with a larger number: for following.
    pub after_id: Option<EventId>,
    /// At most so many.
    pub limit: Option<usize>,
    /// The newest first, and the limit counts from there.
    pub newest_first: bool,
}

impl State {
    /// The events that match, by number.
    ///
    /// # Errors
    /// Only where the file cannot be read.
    pub fn events(&self, filter: &EventFilter) -> Result<Vec<Event>, StateError> {
        let mut sql = String::from(
            "SELECT e.id, e.at, g.address, e.kind, e.actor, e.from_capacity, e.to_capacity, e.reasons,
                    e.outcome, e.message, e.intent_id, e.text
             FROM events e LEFT JOIN groups g ON g.id = e.group_id WHERE true",
        );
        let mut values: Vec<Sql> = Vec::new();
        let mut condition = |text: &str, value: Sql| {
            sql.push_str(" AND ");
            sql.push_str(text);
            values.push(value);
        };
        if let Some(group) = &filter.group {
            condition(
                "e.group_id IN (SELECT id FROM groups WHERE address = ?)",
                group.to_string().into(),
            );
        }
        if let Some(since) = filter.since {
            condition("e.at >= ?", millis(since).into());
        }
        if let Some(until) = filter.until {
            condition("e.at <= ?", millis(until).into());
        }
        if let Some(after) = filter.after_id {
            condition("e.id > ?", after.0.into());
        }
        if !filter.kinds.is_empty() {
            sql.push_str(" AND e.kind IN (");
            for (i, kind) in filter.kinds.iter().enumerate() {
                sql.push_str(if i == 0 { "?" } else { ", ?" });
                values.push(kind.as_str().to_owned().into());
            }
            sql.push(')');
        }
        sql.push_str(if filter.newest_first {
            " ORDER BY e.id DESC"
        } else {
            " ORDER BY e.id"
        });
        if let Some(limit) = filter.limit {
            sql.push_str(" LIMIT ?");
            values.push(i64::try_from(limit).unwrap_or(i64::MAX).into());
        }
        let mut statement = self.connection().prepare_cached(&sql)?;
        let mut rows = statement.query(rusqlite::params_from_iter(values))?;
        let mut events = Vec::new();
        while let Some(row) = rows.next()? {
            events.push(Event {
                id: EventId(row.get(0)?),
                at: timestamp(row.get(1)?)?,
                group: parse_group_option(row.get(2)?)?,
                kind: EventKind::from_word(&row.get::<_, String>(3)?),
                actor: row.get(4)?,
                from: capacity_option(row.get(5)?)?,
                to: capacity_option(row.get(6)?)?,
                reasons: parse("the reasons of an event", &row.get::<_, String>(7)?)?,
                outcome: Outcome::from_columns(row.get(8)?, row.get(9)?)?,
                intent: row.get::<_, Option<i64>>(10)?.map(IntentId),
                text: row.get(11)?,
            });
        }
        Ok(events)
    }

    /// The number of the newest event; `None` without any.
    ///
    /// # Errors
    /// Only where the file cannot be read.
    pub fn last_event_id(&self) -> Result<Option<EventId>, StateError> {
        let id: Option<i64> =
            self.connection()
                .query_row("SELECT max(id) FROM events", [], |row| row.get(0))?;
        Ok(id.map(EventId))
    }
}

impl Transaction<'_> {
    /// Appends an event.
    ///
    /// # Errors
    /// Only where the file cannot be written.
    pub fn append_event(&mut self, event: &NewEvent) -> Result<EventId, StateError> {
        let group = match &event.group {
            Some(address) => Some(self.group_id(address)?),
            None => None,
        };
        self.insert_event(event, group, None)
    }

    /// The same with the group's number at hand, and the intent that the event settles.
    pub(crate) fn insert_event(
        &mut self,
        event: &NewEvent,
        group: Option<i64>,
        intent: Option<IntentId>,
    ) -> Result<EventId, StateError> {
        let (outcome, message) = match &event.outcome {
            Some(outcome) => (Some(outcome.word()), outcome.message()),
            None => (None, None),
        };
        self.sql()
            .prepare_cached(
                "INSERT INTO events (at, group_id, kind, actor, from_capacity, to_capacity, reasons,
                                     outcome, message, intent_id, text)
                 VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10, ?11)",
            )?
            .execute((
                millis(event.at),
                group,
                event.kind.as_str(),
                &event.actor,
                event.from,
                event.to,
                event.reasons.to_string(),
                outcome,
                message,
                intent.map(|intent| intent.0),
                &event.text,
            ))?;
        Ok(EventId(self.sql().last_insert_rowid()))
    }
}
