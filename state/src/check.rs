//! A check of everything: SQLite's own, and what the rows must say about each other.

use serde::Serialize;

use crate::error::StateError;
use crate::open::State;

/// Something that must not be.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Problem {
    /// One sentence.
    pub message: String,
}

/// Each selects what breaks the rule, one text a row.
const RULES: &[(&str, &str)] = &[
    (
        "a settled intent without its event",
        "SELECT 'intent ' || id FROM intents WHERE outcome IS NOT NULL
         AND NOT EXISTS (SELECT 1 FROM events WHERE intent_id = intents.id)",
    ),
    (
        "an open intent with an event",
        "SELECT 'intent ' || id FROM intents WHERE outcome IS NULL
         AND EXISTS (SELECT 1 FROM events WHERE intent_id = intents.id)",
    ),
    (
        "an event that says another outcome than its intent",
        "SELECT 'event ' || e.id FROM events e JOIN intents i ON i.id = e.intent_id
         WHERE e.outcome IS NOT i.outcome OR e.group_id IS NOT i.group_id",
    ),
    (
        "a serial below that of an apply",
        "SELECT 'apply ' || id FROM applies WHERE serial > (SELECT serial FROM meta)",
    ),
    (
        "more than one running apply",
        "SELECT 'apply ' || id FROM applies WHERE outcome = 'running' AND id < (SELECT max(id) FROM applies)",
    ),
    (
        "an applied group under another address",
        "SELECT g.address FROM applied_groups a JOIN groups g ON g.id = a.group_id
         WHERE g.retired = 1 OR json_extract(a.policy, '$.address') IS NOT g.address",
    ),
    (
        "capacity runs that overlap",
        "SELECT 'group ' || group_id || ' at ' || at FROM (
            SELECT group_id, at, lag(until) OVER (PARTITION BY group_id ORDER BY at) AS earlier
            FROM capacity_samples) WHERE earlier >= at",
    ),
    (
        "memory or a decision that is not JSON",
        "SELECT 'group ' || group_id FROM memories WHERE NOT json_valid(memory)
         UNION ALL SELECT 'group ' || group_id FROM progress WHERE NOT json_valid(progress)
         UNION ALL SELECT 'group ' || group_id FROM last_decisions WHERE NOT json_valid(decision)
         UNION ALL SELECT 'group ' || group_id FROM decisions WHERE NOT json_valid(decision)",
    ),
    (
        "no workspace",
        "SELECT 'meta' WHERE NOT EXISTS (SELECT 1 FROM meta)",
    ),
];

impl State {
    /// Checks the whole file. Empty: all is well. Takes as long as reading the file once or twice.
    ///
    /// # Errors
    /// Only where the file cannot be read at all.
    pub fn check(&self) -> Result<Vec<Problem>, StateError> {
        let mut problems = Vec::new();
        let mut statement = self.connection().prepare("PRAGMA integrity_check(100)")?;
        let mut rows = statement.query([])?;
        while let Some(row) = rows.next()? {
            let message: String = row.get(0)?;
            if message != "ok" {
                problems.push(Problem { message });
            }
        }
        let mut statement = self.connection().prepare("PRAGMA foreign_key_check")?;
        let mut rows = statement.query([])?;
        while let Some(row) = rows.next()? {
            let (table, parent): (String, String) = (row.get(0)?, row.get(2)?);
            problems.push(Problem {
                message: format!("a row of {table} refers to a row of {parent} that is not there"),
            });
        }
        for (rule, sql) in RULES {
            let mut statement = self.connection().prepare(sql)?;
            let mut rows = statement.query([])?;
            while let Some(row) = rows.next()? {
                let which: String = row.get(0)?;
                problems.push(Problem {
                    message: format!("{rule}: {which}"),
                });
            }
        }
        Ok(problems)
    }
}
