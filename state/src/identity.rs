//! Whose state it is: workspace, lineage, serial, and the providers' accounts.

use jiff::Timestamp;
use rusqlite::OptionalExtension;
use serde::{Deserialize, Serialize};
use tideform_policies::model::ProviderAddress;

use crate::error::StateError;
use crate::open::State;
use crate::schema;
use crate::time::{millis, timestamp};
use crate::write::Transaction;

/// What a new state is told about itself.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct NewState {
    /// The workspace.
    pub workspace: String,
    /// A random name that no other state has, in hex. Drawn by the caller.
    pub lineage: String,
    /// Now.
    pub created_at: Timestamp,
}

/// Whose state it is.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Meta {
    /// The workspace.
    pub workspace: String,
    /// Names this state among all others, also after it is copied.
    pub lineage: String,
    /// Rises with each begun apply, each move and each removal of a group; not with ticks.
    pub serial: u64,
    /// When the state was made.
    pub created_at: Timestamp,
    /// The schema that the file has.
    pub schema_version: u32,
}

/// Who we are at a provider.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct ProviderIdentity {
    /// Which provider.
    pub provider: ProviderAddress,
    /// The account there.
    pub account: String,
    /// The region there.
    pub region: String,
}

/// Reads what `Display` of an address wrote.
pub(crate) fn parse_provider(text: &str) -> Result<ProviderAddress, StateError> {
    let mut labels = text
        .strip_prefix("provider.")
        .unwrap_or(text)
        .splitn(2, '.');
    match (labels.next(), labels.next()) {
        (Some(kind), alias) if !kind.is_empty() => Ok(ProviderAddress {
            kind: kind.into(),
            alias: alias.map(Into::into),
        }),
        _ => Err(StateError::Corrupt {
            problem: format!("`{text}` is no provider address"),
        }),
    }
}

impl State {
    /// Whose state it is.
    ///
    /// # Errors
    /// Only where the file cannot be read.
    pub fn meta(&self) -> Result<Meta, StateError> {
        let (workspace, lineage, serial, created_at): (String, String, i64, i64) =
            self.connection().query_row(
                "SELECT workspace, lineage, serial, created_at FROM meta",
                [],
                |row| Ok((row.get(0)?, row.get(1)?, row.get(2)?, row.get(3)?)),
            )?;
        Ok(Meta {
            workspace,
            lineage,
            serial: serial.unsigned_abs(),
            created_at: timestamp(created_at)?,
            schema_version: schema::version(self.connection())?,
        })
    }

    /// Refuses a state of another workspace.
    ///
    /// # Errors
    /// [`StateError::WrongWorkspace`].
    pub fn check_workspace(&self, expected: &str) -> Result<(), StateError> {
        let recorded = self.meta()?.workspace;
        if recorded == expected {
            Ok(())
        } else {
            Err(StateError::WrongWorkspace {
                recorded,
                expected: expected.to_owned(),
            })
        }
    }

    /// The accounts that the providers had when they were first used, by address.
    ///
    /// # Errors
    /// Only where the file cannot be read.
    pub fn identities(&self) -> Result<Vec<ProviderIdentity>, StateError> {
        let mut statement = self
            .connection()
            .prepare_cached("SELECT provider, account, region FROM identities ORDER BY provider")?;
        let mut rows = statement.query([])?;
        let mut identities = Vec::new();
        while let Some(row) = rows.next()? {
            identities.push(ProviderIdentity {
                provider: parse_provider(&row.get::<_, String>(0)?)?,
                account: row.get(1)?,
                region: row.get(2)?,
            });
        }
        Ok(identities)
    }

    /// Refuses providers whose account or region differs from the recorded one. Records nothing: for `plan`.
    ///
    /// # Errors
    /// [`StateError::AccountMoved`].
    pub fn verify_identities(&self, found: &[ProviderIdentity]) -> Result<(), StateError> {
        let recorded = self.identities()?;
        for found in found {
            let known = recorded
                .iter()
                .find(|recorded| recorded.provider == found.provider);
            if let Some(known) = known {
                compare(known, found)?;
            }
        }
        Ok(())
    }
}

impl Transaction<'_> {
    /// Records accounts and regions at first sight, and refuses those that differ from the recorded ones.
    ///
    /// # Errors
    /// [`StateError::AccountMoved`].
    pub fn check_identities(
        &mut self,
        found: &[ProviderIdentity],
        at: Timestamp,
    ) -> Result<(), StateError> {
        for found in found {
            let provider = found.provider.to_string();
            let known = self
                .sql()
                .query_row(
                    "SELECT account, region FROM identities WHERE provider = ?1",
                    [&provider],
                    |row| {
                        Ok(ProviderIdentity {
                            provider: found.provider.clone(),
                            account: row.get(0)?,
                            region: row.get(1)?,
                        })
                    },
                )
                .optional()?;
            match known {
                Some(known) => compare(&known, found)?,
                None => {
                    self.sql().execute(
                        "INSERT INTO identities (provider, account, region, first_seen_at) VALUES (?1, ?2, ?3, ?4)",
                        (&provider, &found.account, &found.region, millis(at)),
                    )?;
                }
            }
        }
        Ok(())
    }

    /// Raises the serial, so that plans saved before are refused and loops read again, and answers the new one.
    ///
    /// # Errors
    /// Only where the file cannot be written.
    pub fn raise_serial(&mut self) -> Result<u64, StateError> {
        let serial: i64 = self.sql().query_row(
            "UPDATE meta SET serial = serial + 1 RETURNING serial",
            [],
            |row| row.get(0),
        )?;
        Ok(serial.unsigned_abs())
    }
}

fn compare(recorded: &ProviderIdentity, found: &ProviderIdentity) -> Result<(), StateError> {
    if recorded == found {
        return Ok(());
    }
    Err(StateError::AccountMoved {
        recorded: Box::new(recorded.clone()),
        found: Box::new(found.clone()),
    })
}
