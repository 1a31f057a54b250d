//! The schema's versions, and the way from each to the newest.
//!
//! `PRAGMA user_version` is the number of migrations that a file has seen. They all run in one transaction: a file
//! is at the old version or at the newest, never between.

use rusqlite::{Connection, TransactionBehavior};

use crate::error::StateError;

/// Written to the file's header, so that another program's database is not taken for a state: `TIDE`.
pub(crate) const APPLICATION_ID: i32 = 0x5449_4445;

/// A file a version. Released ones never change.
pub(crate) const MIGRATIONS: &[&str] = &[include_str!("migrations/0001.sql")];

/// The newest schema version that this program knows.
pub const SCHEMA_VERSION: u32 = MIGRATIONS.len() as u32;

/// The version of a file; 0 where it has no schema yet.
pub(crate) fn version(connection: &Connection) -> Result<u32, StateError> {
    let version: i64 = connection.pragma_query_value(None, "user_version", |row| row.get(0))?;
    u32::try_from(version).map_err(|_| StateError::Corrupt {
        problem: format!("schema version {version}"),
    })
}

/// Brings a file to the newest of `migrations`. Calls `after` in the same transaction.
pub(crate) fn migrate(
    connection: &mut Connection,
    migrations: &[&str],
    after: impl FnOnce(&Connection, u32) -> Result<(), StateError>,
) -> Result<(), StateError> {
    let transaction = connection.transaction_with_behavior(TransactionBehavior::Immediate)?;
    let found = version(&transaction)?;
    let newest = u32::try_from(migrations.len()).unwrap_or(u32::MAX);
    if found > newest {
        return Err(StateError::Newer {
            found,
            supported: newest,
        });
    }
    for migration in migrations.iter().skip(found as usize) {
        transaction.execute_batch(migration)?;
    }
    transaction.pragma_update(None, "user_version", newest)?;
    after(&transaction, found)?;
    transaction.commit()?;
    Ok(())
}
