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

#[cfg(test)]
mod tests {
    use super::*;

    const FIRST: &str = "CREATE TABLE t (x INTEGER) STRICT; INSERT INTO t VALUES (1)";
    const SECOND: &str = "ALTER TABLE t ADD COLUMN y INTEGER; UPDATE t SET y = x + 1";

    fn at_version_one() -> Connection {
        let mut connection = Connection::open_in_memory().expect("opened");
        migrate(&mut connection, &[FIRST], |_, _| Ok(())).expect("migrated");
        connection
    }

    #[test]
    fn an_older_file_gets_only_the_migrations_it_lacks() {
        let mut connection = at_version_one();
        let mut seen = None;
        migrate(&mut connection, &[FIRST, SECOND], |_, found| {
            seen = Some(found);
            Ok(())
        })
        .expect("migrated");
        assert_eq!(seen, Some(1));
        assert_eq!(version(&connection).expect("read"), 2);
        let row: (i64, i64) = connection
            .query_row("SELECT x, y FROM t", [], |row| {
                Ok((row.get(0)?, row.get(1)?))
            })
            .expect("one row");
        assert_eq!(row, (1, 2));
    }

    #[test]
    fn a_migration_that_fails_leaves_the_file_at_the_old_version() {
        let mut connection = at_version_one();
        let broken = [FIRST, SECOND, "INSERT INTO nowhere VALUES (1)"];
        migrate(&mut connection, &broken, |_, _| Ok(())).expect_err("refused");
        assert_eq!(version(&connection).expect("read"), 1);
        connection
            .query_row("SELECT y FROM t", [], |_| Ok(()))
            .expect_err("no second column");
    }

    #[test]
    fn a_newer_file_is_refused() {
        let mut connection = at_version_one();
        let error = migrate(&mut connection, &[], |_, _| Ok(())).expect_err("refused");
        assert!(matches!(
            error,
            StateError::Newer {
                found: 1,
                supported: 0
            }
        ));
    }
}
