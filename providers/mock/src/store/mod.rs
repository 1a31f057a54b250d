//! A world in a SQLite file, so that several processes see the same one.
//!
//! Every access is a short transaction. The world is kept in memory too; a generation number in the file says whether
//! another process wrote since, and then only what it changed is read again. Since everything follows from what was
//! asked of the world and when, reads never write: each process lets its copy catch up by itself. A process that is
//! killed leaves the last whole write.

mod birth;

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use jiff::Timestamp;
use rusqlite::{Connection, OptionalExtension, TransactionBehavior, params};
use serde::{Deserialize, Serialize};
use tideform_provider::ProviderError;

use birth::{contradict, prepare, read_birth};

use crate::settings::{ClockKind, MockSettings};
use crate::world::cost::CostTotals;
use crate::world::fault::ScriptedFault;
use crate::world::group::WorldGroup;
use crate::world::{Moment, World, random};

/// The version of the file's schema.
const VERSION: i64 = 1;

/// How long a process waits for another's write.
const BUSY: Duration = Duration::from_secs(10);

/// A world in a file.
#[derive(Debug)]
pub struct Store {
    path: PathBuf,
    id: String,
    clock: ClockKind,
    inner: Mutex<Inner>,
}

#[derive(Debug)]
struct Inner {
    connection: Connection,
    world: World,
    /// What the copy in memory is of; -1: read everything again.
    generation: i64,
    settings: String,
}

/// What is written once a write, beside the groups.
#[derive(Debug, Default, Serialize, Deserialize)]
struct Body {
    script: Vec<ScriptedFault>,
    calls: u64,
    retired: BTreeMap<String, CostTotals>,
}

impl Store {
    /// Opens a world, or makes it. With `settings` that differ from those that it ran by, it runs by these from now
    /// on; a group whose load becomes another loses its past metrics.
    ///
    /// - `directory`: where relative paths begin.
    ///
    /// # Errors
    /// `Configuration`: the file is no world or of a newer version, the settings contradict what the world was made
    /// with, or a trace cannot be read. `Unavailable`: another process holds it for too long.
    pub fn open(settings: &MockSettings, directory: &Path) -> Result<Store, ProviderError> {
        let path = settings.path(directory);
        let settings = settings.anchored(directory);
        if let Some(parent) = path.parent() {
            std::fs::create_dir_all(parent).map_err(|error| {
                configuration(&path, format!("its folder cannot be made: {error}"))
            })?;
        }
        Store::open_file(path, Some(&settings))
    }

    /// Opens a world that exists, with the settings that it has.
    ///
    /// # Errors
    /// As [`Store::open`]; also where there is no such file.
    pub fn open_existing(path: &Path) -> Result<Store, ProviderError> {
        if !path.exists() {
            return Err(configuration(path, "there is no such file".to_owned()));
        }
        Store::open_file(path.to_owned(), None)
    }

    fn open_file(path: PathBuf, settings: Option<&MockSettings>) -> Result<Store, ProviderError> {
        let fault = |error| describe(&path, error);
        let mut connection = Connection::open(&path).map_err(fault)?;
        connection.busy_timeout(BUSY).map_err(fault)?;
        let tx = connection
            .transaction_with_behavior(TransactionBehavior::Immediate)
            .map_err(fault)?;
        prepare(&tx, &path, settings)?;
        tx.commit().map_err(fault)?;
        // After the schema, so that a file that is no world stays as it is.
        write_ahead(&connection).map_err(fault)?;
        connection
            .pragma_update(None, "synchronous", "NORMAL")
            .map_err(fault)?;
        let birth = read_birth(&connection, &path)?;
        if let Some(settings) = settings {
            contradict(&birth, settings, &path)?;
        }
        let world = World::new(crate::world::Rules::new(birth.start, birth.seed));
        let store = Store {
            id: birth.id,
            clock: birth.clock,
            inner: Mutex::new(Inner {
                connection,
                world,
                generation: -1,
                settings: String::new(),
            }),
            path,
        };
        if let Some(settings) = settings {
            store.adopt_settings(settings)?;
        } else {
            store.read(|_| ())?;
        }
        Ok(store)
    }

    /// The world's own id.
    pub fn id(&self) -> &str {
        &self.id
    }

    /// How its time passes.
    pub fn clock(&self) -> ClockKind {
        self.clock
    }

    /// The file.
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// Looks at the world as it is now.
    ///
    /// # Errors
    /// `Unavailable` or `Configuration`, as [`Store::open`].
    pub fn read<T>(&self, look: impl FnOnce(&mut World) -> T) -> Result<T, ProviderError> {
        let mut inner = self.lock();
        let Inner {
            connection,
            world,
            generation,
            settings,
        } = &mut *inner;
        let fault = |error| describe(&self.path, error);
        let written: i64 = connection
            .prepare_cached("SELECT generation FROM world")
            .and_then(|mut query| query.query_row([], |row| row.get(0)))
            .map_err(fault)?;
        if written != *generation {
            let tx = connection.transaction().map_err(fault)?;
            refresh(&tx, world, generation, settings, &self.path)?;
            tx.commit().map_err(fault)?;
        }
        if self.clock == ClockKind::Real {
            world.advance(Timestamp::now().into());
        }
        Ok(look(world))
    }

    /// Changes the world as it is now. What `change` did is kept also where it answers with an error of its own.
    ///
    /// # Errors
    /// `Unavailable` or `Configuration`, as [`Store::open`]; then nothing was changed.
    pub fn write<T>(&self, change: impl FnOnce(&mut World) -> T) -> Result<T, ProviderError> {
        self.write_at(|now| now, change)
    }

    /// Moves a stepped world's time, and answers with the new time.
    ///
    /// # Errors
    /// `Refused`: the world's clock is the real one. Else as [`Store::write`].
    pub fn step(&self, duration: Duration) -> Result<Moment, ProviderError> {
        if self.clock == ClockKind::Real {
            return Err(ProviderError::Refused {
                request: "advance",
                message: "the world's clock is the real one; make a world with clock = \"stepped\""
                    .to_owned(),
            });
        }
        self.write_at(|now| now.after(duration), |world| world.now())
    }

    fn write_at<T>(
        &self,
        time: impl FnOnce(Moment) -> Moment,
        change: impl FnOnce(&mut World) -> T,
    ) -> Result<T, ProviderError> {
        self.change(&mut self.lock(), None, |world| {
            world.advance(time(self.now(world)));
            Ok(change(world))
        })
    }

    fn adopt_settings(&self, new: &MockSettings) -> Result<(), ProviderError> {
        let text = settings_text(new, &self.path)?;
        self.read(|_| ())?;
        let mut inner = self.lock();
        if inner.settings == text {
            return Ok(());
        }
        self.change(&mut inner, Some(text), |world| {
            let rules = new.rules(world.rules.seed, world.rules.start, world.rules.step_ms)?;
            if self.clock == ClockKind::Real {
                world.advance(self.now(world));
            }
            world.change_rules(rules);
            Ok(())
        })
    }

    fn now(&self, world: &World) -> Moment {
        match self.clock {
            ClockKind::Real => Timestamp::now().into(),
            ClockKind::Stepped => world.now(),
        }
    }

    /// Changes the world of the file, as the last writer left it, in one transaction; with `text`, its settings too.
    fn change<T>(
        &self,
        inner: &mut Inner,
        text: Option<String>,
        work: impl FnOnce(&mut World) -> Result<T, ProviderError>,
    ) -> Result<T, ProviderError> {
        let Inner {
            connection,
            world,
            generation,
            settings,
        } = inner;
        let fault = |error| describe(&self.path, error);
        let tx = connection
            .transaction_with_behavior(TransactionBehavior::Immediate)
            .map_err(fault)?;
        refresh(&tx, world, generation, settings, &self.path)?;
        // Whatever fails from here on: what is in memory is read anew before it is used.
        let known = std::mem::replace(generation, -1);
        let answer = work(world)?;
        let has_new_settings = text.is_some();
        let said = text.as_ref().unwrap_or(settings);
        save(&tx, world, known + 1, said, has_new_settings).map_err(fault)?;
        tx.commit().map_err(fault)?;
        *generation = known + 1;
        if let Some(text) = text {
            *settings = text;
        }
        Ok(answer)
    }

    fn lock(&self) -> MutexGuard<'_, Inner> {
        self.inner.lock().unwrap_or_else(|poisoned| {
            // A panic within a change may have left half of it in memory: the file has the truth.
            let mut inner = PoisonError::into_inner(poisoned);
            inner.generation = -1;
            self.inner.clear_poison();
            inner
        })
    }
}

/// The settings with what the traces hold, so that a changed file is a change.
fn settings_text(settings: &MockSettings, path: &Path) -> Result<String, ProviderError> {
    let mut digests = BTreeMap::new();
    for trace in settings.traces() {
        if let Ok(text) = std::fs::read_to_string(trace) {
            digests.insert(trace.to_owned(), format!("{:016x}", random::key(&text)));
        }
    }
    serde_json::to_string(&Stored {
        settings: settings.clone(),
        digests,
    })
    .map_err(|error| configuration(path, error.to_string()))
}

#[derive(Serialize, Deserialize)]
struct Stored {
    settings: MockSettings,
    digests: BTreeMap<String, String>,
}

/// Readers and the writer do not block each other. The mode stays with the file; to set it, nobody else may be at work,
/// and SQLite does not wait for that by itself.
fn write_ahead(connection: &Connection) -> rusqlite::Result<()> {
    let mode = |sql: &str| connection.query_row(sql, [], |row| row.get::<_, String>(0));
    for _ in 0..250 {
        if mode("PRAGMA journal_mode")? == "wal" {
            return Ok(());
        }
        match mode("PRAGMA journal_mode = WAL") {
            Err(error) if error.sqlite_error_code() == Some(rusqlite::ErrorCode::DatabaseBusy) => {
                std::thread::sleep(Duration::from_millis(20));
            }
            answer => return answer.map(|_| ()),
        }
    }
    // The other modes are correct too, only slower.
    Ok(())
}

/// Brings the copy in memory to what is written.
fn refresh(
    tx: &Connection,
    world: &mut World,
    generation: &mut i64,
    settings: &mut String,
    path: &Path,
) -> Result<(), ProviderError> {
    let fault = |error| describe(path, error);
    let (written, full, now): (i64, i64, i64) = tx
        .prepare_cached("SELECT generation, full_generation, now_ms FROM world")
        .and_then(|mut query| {
            query.query_row([], |row| Ok((row.get(0)?, row.get(1)?, row.get(2)?)))
        })
        .map_err(fault)?;
    if written == *generation {
        return Ok(());
    }
    let known = std::mem::replace(generation, -1);
    let (stored, body): (String, String) = tx
        .query_row("SELECT settings, body FROM world", [], |row| {
            Ok((row.get(0)?, row.get(1)?))
        })
        .map_err(fault)?;
    let unreadable = |error: serde_json::Error| configuration(path, format!("its data: {error}"));
    let body: Body = serde_json::from_str(&body).map_err(unreadable)?;
    let everything = known < 0 || full > known;
    if everything {
        let birth = read_birth(tx, path)?;
        let rules = if stored == *settings {
            world.rules.clone()
        } else {
            let Stored { settings, .. } = serde_json::from_str(&stored).map_err(unreadable)?;
            settings.rules(birth.seed, birth.start, birth.step_ms)?
        };
        *world = World::assemble(rules, Moment(now), Vec::new());
        *settings = stored;
    }
    // Groups of which the copy ran ahead are read again too: what was written may have changed their course.
    let mut stale = world.take_touched();
    let mut query = tx
        .prepare_cached("SELECT body FROM groups WHERE generation > ?1")
        .map_err(fault)?;
    let mut rows = query
        .query([if everything { -1 } else { known }])
        .map_err(fault)?;
    while let Some(row) = rows.next().map_err(fault)? {
        let text = row.get_ref(0).and_then(|value| Ok(value.as_str()?));
        let group: WorldGroup = serde_json::from_str(text.map_err(fault)?).map_err(unreadable)?;
        stale.remove(&group.name);
        world.restore(group);
    }
    for name in stale {
        let text: Option<String> = tx
            .prepare_cached("SELECT body FROM groups WHERE name = ?1")
            .and_then(|mut query| query.query_row([&*name], |row| row.get(0)).optional())
            .map_err(fault)?;
        if let Some(text) = text {
            world.restore(serde_json::from_str(&text).map_err(unreadable)?);
        }
    }
    world.script = body.script;
    world.calls = body.calls;
    world.retired = body.retired;
    world.advance(Moment(now));
    *generation = written;
    Ok(())
}

/// Writes what changed since the last write.
fn save(
    tx: &Connection,
    world: &mut World,
    generation: i64,
    settings: &str,
    everything_changed: bool,
) -> rusqlite::Result<()> {
    let mut full = everything_changed;
    for name in world.take_touched() {
        match world.group(&name) {
            Some(group) => {
                let body = serde_json::to_string(group)
                    .map_err(|error| rusqlite::Error::ToSqlConversionFailure(error.into()))?;
                tx.prepare_cached(
                    "INSERT INTO groups (name, generation, body) VALUES (?1, ?2, ?3)
                     ON CONFLICT (name) DO UPDATE SET generation = ?2, body = ?3",
                )?
                .execute(params![&*name, generation, body])?;
            }
            None => {
                full = true;
                tx.prepare_cached("DELETE FROM groups WHERE name = ?1")?
                    .execute([&*name])?;
            }
        }
    }
    let body = Body {
        script: world.script.clone(),
        calls: world.calls,
        retired: world.retired.clone(),
    };
    let body = serde_json::to_string(&body)
        .map_err(|error| rusqlite::Error::ToSqlConversionFailure(error.into()))?;
    tx.prepare_cached("UPDATE world SET now_ms = ?1, generation = ?2, body = ?3")?
        .execute(params![world.now().0, generation, body])?;
    if full {
        tx.prepare_cached("UPDATE world SET full_generation = ?1, settings = ?2")?
            .execute(params![generation, settings])?;
    }
    Ok(())
}

fn configuration(path: &Path, what: String) -> ProviderError {
    ProviderError::Configuration {
        message: format!("mock world {}: {what}", path.display()),
    }
}

fn describe(path: &Path, error: rusqlite::Error) -> ProviderError {
    use rusqlite::ErrorCode;
    match error.sqlite_error_code() {
        Some(ErrorCode::DatabaseBusy | ErrorCode::DatabaseLocked) => ProviderError::Unavailable {
            request: "world",
            message: format!("another process holds {} for too long", path.display()),
        },
        Some(ErrorCode::NotADatabase) => configuration(path, "it is no mock world".to_owned()),
        _ => configuration(path, error.to_string()),
    }
}
