//! Copies and views of a whole state: backup, JSON export, counts.

use std::path::Path;

use serde::Serialize;
use serde_json::{Value, json};

use crate::error::StateError;
use crate::events::EventFilter;
use crate::open::{State, copy_into};

/// The version of the JSON that [`State::export`] gives.
pub const EXPORT_FORMAT_VERSION: u32 = 1;

/// How much there is.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct StateStatistics {
    /// Rows by table, in the order of the tables' names.
    pub rows: Vec<(String, u64)>,
    /// The database without its log, in bytes.
    pub size_bytes: u64,
}

impl State {
    /// Writes a consistent, compact copy beside any writer, with mode 0600.
    ///
    /// # Errors
    /// [`StateError::AlreadyExists`] where something is at `to`; [`StateError::Io`].
    pub fn backup(&self, to: impl AsRef<Path>) -> Result<(), StateError> {
        let to = to.as_ref();
        if to.exists() {
            return Err(StateError::AlreadyExists {
                path: to.to_owned(),
            });
        }
        copy_into(self.connection(), to)
    }

    /// All of it but the samples, as one JSON document, as of one moment.
    ///
    /// # Errors
    /// [`StateError::Unreadable`] for a record that this version does not understand.
    pub fn export(&self) -> Result<Value, StateError> {
        // One read transaction: everything is of the same moment.
        let moment = self.connection().unchecked_transaction()?;
        let memory = self
            .memories()?
            .into_iter()
            .map(|(group, memory)| Ok((group.to_string(), memory.read::<Value>()?)))
            .collect::<Result<serde_json::Map<_, _>, StateError>>()?;
        let groups: Vec<_> = self.applied_groups()?.into_values().collect();
        let document = json!({
            "format_version": EXPORT_FORMAT_VERSION,
            "meta": self.meta()?,
            "identities": self.identities()?,
            "providers": self.applied_providers()?,
            "groups": groups,
            "memory": memory,
            "overrides": self.all_overrides()?,
            "applies": self.applies(usize::MAX)?,
            "open_intents": self.open_intents()?,
            "events": self.events(&EventFilter::default())?,
        });
        moment.finish()?;
        Ok(document)
    }

    /// How much there is.
    ///
    /// # Errors
    /// Only where the file cannot be read.
    pub fn statistics(&self) -> Result<StateStatistics, StateError> {
        let mut statement = self.connection().prepare(
            "SELECT name FROM sqlite_schema WHERE type = 'table' AND name NOT LIKE 'sqlite_%' ORDER BY name",
        )?;
        let names = statement
            .query_map([], |row| row.get::<_, String>(0))?
            .collect::<rusqlite::Result<Vec<_>>>()?;
        let mut rows = Vec::with_capacity(names.len());
        for name in names {
            // The name is one of the schema's own.
            let count: i64 = self.connection().query_row(
                &format!("SELECT count(*) FROM \"{name}\""),
                [],
                |row| row.get(0),
            )?;
            rows.push((name, count.unsigned_abs()));
        }
        let size: i64 = self.connection().query_row(
            "SELECT page_count * page_size FROM pragma_page_count(), pragma_page_size()",
            [],
            |row| row.get(0),
        )?;
        Ok(StateStatistics {
            rows,
            size_bytes: size.unsigned_abs(),
        })
    }
}
