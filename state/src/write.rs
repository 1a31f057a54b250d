//! Transactions: the only way to write.

use std::collections::HashMap;

use rusqlite::{Connection, OptionalExtension, TransactionBehavior};
use tideform_policies::model::GroupAddress;

use crate::error::StateError;
use crate::open::{OpenMode, Parts, State};

/// The numbers behind addresses, remembered while no other process has written.
#[derive(Debug, Default)]
pub(crate) struct Numbers {
    data_version: i64,
    groups: HashMap<GroupAddress, i64>,
    series: HashMap<(i64, String), i64>,
}

impl Numbers {
    fn forget(&mut self) {
        self.groups.clear();
        self.series.clear();
    }
}

/// All writes, inside [`State::write`].
pub struct Transaction<'a> {
    sql: rusqlite::Transaction<'a>,
    numbers: &'a mut Numbers,
}

impl State {
    /// Runs `work` in one transaction. What it wrote is on the disk when this returns; where it answers an error,
    /// nothing was written.
    ///
    /// # Errors
    /// What `work` answers; [`StateError::ReadOnly`], [`StateError::Busy`].
    pub fn write<T>(
        &mut self,
        work: impl FnOnce(&mut Transaction<'_>) -> Result<T, StateError>,
    ) -> Result<T, StateError> {
        self.write_with(Durability::OnDisk, work)
    }

    /// The same for what the next run would find out again: a tick, a longer lease. A crash of the process loses
    /// nothing; a power cut may lose the last of them, each as a whole.
    ///
    /// # Errors
    /// What `work` answers; [`StateError::ReadOnly`], [`StateError::Busy`].
    pub fn write_soon<T>(
        &mut self,
        work: impl FnOnce(&mut Transaction<'_>) -> Result<T, StateError>,
    ) -> Result<T, StateError> {
        self.write_with(Durability::Soon, work)
    }

    fn write_with<T>(
        &mut self,
        durability: Durability,
        work: impl FnOnce(&mut Transaction<'_>) -> Result<T, StateError>,
    ) -> Result<T, StateError> {
        if self.mode() == OpenMode::ReadOnly || self.is_outside() {
            return Err(StateError::ReadOnly);
        }
        let parts = self.parts();
        // Only legal between transactions; it says whether this one's commit waits for the disk.
        parts
            .connection
            .pragma_update(None, "synchronous", durability.pragma())?;
        let answer = transact(parts, work);
        if answer.is_ok() {
            self.committed();
        }
        answer
    }
}

/// Whether a commit waits for the disk.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Durability {
    OnDisk,
    Soon,
}

impl Durability {
    fn pragma(self) -> &'static str {
        match self {
            Durability::OnDisk => "FULL",
            Durability::Soon => "NORMAL",
        }
    }
}

fn transact<T>(
    parts: Parts<'_>,
    work: impl FnOnce(&mut Transaction<'_>) -> Result<T, StateError>,
) -> Result<T, StateError> {
    // A deferred transaction that reads first fails with SQLITE_BUSY_SNAPSHOT, whatever the timeout.
    let sql = parts
        .connection
        .transaction_with_behavior(TransactionBehavior::Immediate)?;
    let data_version = sql.pragma_query_value(None, "data_version", |row| row.get(0))?;
    if data_version != parts.numbers.data_version {
        parts.numbers.forget();
        parts.numbers.data_version = data_version;
    }
    let mut transaction = Transaction {
        sql,
        numbers: parts.numbers,
    };
    let answer = work(&mut transaction);
    if answer.is_ok()
        && let Some(callback) = parts.before_commit
    {
        callback(parts.next_commit);
    }
    let Transaction { sql, numbers } = transaction;
    let committed = answer.and_then(|answer| {
        sql.commit()?;
        Ok(answer)
    });
    if committed.is_err() {
        // Numbers that were drawn in it are gone with it.
        numbers.forget();
    }
    committed
}

impl Transaction<'_> {
    pub(crate) fn sql(&self) -> &Connection {
        &self.sql
    }

    /// The group's number, drawn where it is new.
    pub(crate) fn group_id(&mut self, address: &GroupAddress) -> Result<i64, StateError> {
        if let Some(id) = self.numbers.groups.get(address) {
            return Ok(*id);
        }
        let id = match self.known_group_id(address)? {
            Some(id) => id,
            None => {
                self.sql
                    .prepare_cached("INSERT INTO groups (address) VALUES (?1)")?
                    .execute([address.to_string()])?;
                self.sql.last_insert_rowid()
            }
        };
        self.numbers.groups.insert(address.clone(), id);
        Ok(id)
    }

    /// The group's number, where it has one.
    pub(crate) fn known_group_id(&self, address: &GroupAddress) -> Result<Option<i64>, StateError> {
        Ok(self
            .sql
            .prepare_cached("SELECT id FROM groups WHERE address = ?1 AND retired = 0")?
            .query_row([address.to_string()], |row| row.get(0))
            .optional()?)
    }

    /// The number of a metric's series, drawn where it is new.
    pub(crate) fn series_id(
        &mut self,
        address: &GroupAddress,
        metric: &str,
    ) -> Result<i64, StateError> {
        let group = self.group_id(address)?;
        let key = (group, metric.to_owned());
        if let Some(id) = self.numbers.series.get(&key) {
            return Ok(*id);
        }
        let known = self
            .sql
            .prepare_cached("SELECT id FROM series WHERE group_id = ?1 AND metric = ?2")?
            .query_row((group, metric), |row| row.get(0))
            .optional()?;
        let id = match known {
            Some(id) => id,
            None => {
                self.sql
                    .prepare_cached("INSERT INTO series (group_id, metric) VALUES (?1, ?2)")?
                    .execute((group, metric))?;
                self.sql.last_insert_rowid()
            }
        };
        self.numbers.series.insert(key, id);
        Ok(id)
    }

    /// After addresses changed their meaning.
    pub(crate) fn forget_numbers(&mut self) {
        self.numbers.forget();
    }
}

/// The address of a column.
pub(crate) fn parse_group(text: &str) -> Result<GroupAddress, StateError> {
    GroupAddress::parse(text).ok_or_else(|| StateError::Corrupt {
        problem: format!("`{text}` is no group address"),
    })
}

/// The same for a column that may be absent.
pub(crate) fn parse_group_option(text: Option<String>) -> Result<Option<GroupAddress>, StateError> {
    text.map(|text| parse_group(&text)).transpose()
}

/// A capacity of a column.
pub(crate) fn capacity(number: i64) -> Result<u32, StateError> {
    u32::try_from(number).map_err(|_| StateError::Corrupt {
        problem: format!("{number} is no capacity"),
    })
}

/// The same for a column that may be absent.
pub(crate) fn capacity_option(number: Option<i64>) -> Result<Option<u32>, StateError> {
    number.map(capacity).transpose()
}
