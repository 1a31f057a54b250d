//! How a world's file is made, and what it was made with.

use std::path::Path;
use std::time::Duration;

use jiff::Timestamp;
use rusqlite::{Connection, OptionalExtension, params};
use tideform_provider::ProviderError;

use super::{Body, VERSION, configuration, describe, settings_text};
use crate::settings::{ClockKind, MockSettings};
use crate::world::{Moment, random};

/// What a world was made with, and for ever has.
pub(super) struct Birth {
    pub(super) id: String,
    pub(super) seed: u64,
    pub(super) start: Moment,
    pub(super) step_ms: i64,
    pub(super) clock: ClockKind,
}

/// Makes the schema in an empty file, and the world in an empty schema.
pub(super) fn prepare(
    tx: &Connection,
    path: &Path,
    settings: Option<&MockSettings>,
) -> Result<(), ProviderError> {
    let fault = |error| describe(path, error);
    let version: i64 = tx
        .query_row("PRAGMA user_version", [], |row| row.get(0))
        .map_err(fault)?;
    if version > VERSION {
        return Err(configuration(
            path,
            format!(
                "its version is {version}, and this tideform reads up to {VERSION}: use a newer one"
            ),
        ));
    }
    if version == VERSION {
        return Ok(());
    }
    let tables: i64 = tx
        .query_row("SELECT count(*) FROM sqlite_schema", [], |row| row.get(0))
        .map_err(fault)?;
    let Some(settings) = settings.filter(|_| tables == 0) else {
        return Err(configuration(path, "it is no mock world".to_owned()));
    };
    tx.execute_batch(include_str!("schema.sql"))
        .map_err(fault)?;
    tx.pragma_update(None, "user_version", VERSION)
        .map_err(fault)?;
    let step = settings.step.unwrap_or(Duration::from_secs(60));
    let step_ms = crate::world::millis(step);
    let seed = settings.seed.unwrap_or(1);
    let start = settings.start.unwrap_or_else(Timestamp::now);
    let start = Moment::from(start).0.div_euclid(step_ms) * step_ms;
    let clock = settings.clock.unwrap_or_default();
    let born = Timestamp::now().as_nanosecond() as u64;
    let id = format!(
        "mock-{:012x}",
        random::draw(seed, &[born, u64::from(std::process::id())]) >> 16
    );
    let body = serde_json::to_string(&Body::default()).unwrap_or_default();
    tx.execute(
        "INSERT INTO world (one, id, seed, start_ms, step_ms, clock, now_ms, generation, full_generation, settings, body)
         VALUES (1, ?1, ?2, ?3, ?4, ?5, ?3, 0, 0, ?6, ?7)",
        params![
            id,
            seed as i64,
            start,
            step_ms,
            clock_word(clock),
            settings_text(settings, path)?,
            body
        ],
    )
    .map_err(fault)?;
    Ok(())
}

pub(super) fn read_birth(connection: &Connection, path: &Path) -> Result<Birth, ProviderError> {
    connection
        .query_row(
            "SELECT id, seed, start_ms, step_ms, clock FROM world",
            [],
            |row| {
                Ok(Birth {
                    id: row.get(0)?,
                    seed: row.get::<_, i64>(1)? as u64,
                    start: Moment(row.get(2)?),
                    step_ms: row.get(3)?,
                    clock: match row.get::<_, String>(4)?.as_str() {
                        "stepped" => ClockKind::Stepped,
                        _ => ClockKind::Real,
                    },
                })
            },
        )
        .optional()
        .map_err(|error| describe(path, error))?
        .ok_or_else(|| configuration(path, "it holds no world".to_owned()))
}

/// What a world was made with cannot become something else.
pub(super) fn contradict(
    birth: &Birth,
    settings: &MockSettings,
    path: &Path,
) -> Result<(), ProviderError> {
    let differs = |what: &str, has: String, wants: String| {
        Err(configuration(
            path,
            format!(
                "the world was made with {what} {has}, and the files say {wants}: change it back, delete the file, or \
                 name another one with `world`"
            ),
        ))
    };
    if let Some(clock) = settings.clock
        && clock != birth.clock
    {
        return differs(
            "clock",
            clock_word(birth.clock).to_owned(),
            clock_word(clock).to_owned(),
        );
    }
    if let Some(seed) = settings.seed
        && seed != birth.seed
    {
        return differs("seed", birth.seed.to_string(), seed.to_string());
    }
    if let Some(step) = settings.step
        && crate::world::millis(step) != birth.step_ms
    {
        return differs(
            "step",
            format!("{}s", birth.step_ms / 1000),
            format!("{}s", step.as_secs()),
        );
    }
    if let Some(start) = settings.start {
        let cut = Moment::from(start).0.div_euclid(birth.step_ms) * birth.step_ms;
        if cut != birth.start.0 {
            return differs(
                "start",
                birth.start.timestamp().to_string(),
                start.to_string(),
            );
        }
    }
    Ok(())
}

fn clock_word(clock: ClockKind) -> &'static str {
    match clock {
        ClockKind::Real => "real",
        ClockKind::Stepped => "stepped",
    }
}
