//! The lease: one writer per state.
//!
//! It holds until a time, and who holds it makes it longer. On one machine a lock on `<state>.lock` is held with it,
//! which the operating system frees when the process dies: the next one need not wait for the lease of a process
//! that was killed. Where the holder is on another machine, or file locks do not work, only time tells.
//!
//! Whoever waits says so in the state, and is served in the order of asking: a daemon that gives the lease back
//! between its ticks does not get it again before them.

use std::fs::TryLockError;
use std::time::Duration;

use jiff::Timestamp;
use rusqlite::OptionalExtension;
use serde::{Deserialize, Serialize};

use crate::error::StateError;
use crate::events::{EventKind, NewEvent};
use crate::json::{JsonText, parse};
use crate::open::{State, io_error, private_file, with_suffix};
use crate::time::{kept, millis, millis_of, timestamp};
use crate::write::Transaction;

/// Who holds the lease, or waits for it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct LeaseHolder {
    /// Random, drawn by the caller once for each run.
    pub id: String,
    /// The process.
    pub pid: u32,
    /// The machine.
    pub host: String,
    /// `tideform reconcile --interval 30s`.
    pub command: String,
}

impl std::fmt::Display for LeaseHolder {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(
            f,
            "`{}` (process {} on {})",
            self.command, self.pid, self.host
        )
    }
}

/// The lease as it stands.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Lease {
    /// Who holds it.
    pub holder: LeaseHolder,
    /// Rises with each new holder.
    pub generation: u64,
    /// Since when.
    pub acquired_at: Timestamp,
    /// Until when, unless it is renewed. Excluded.
    pub until: Timestamp,
}

/// Somebody who waits for the lease.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct LeaseRequest {
    /// Who.
    pub holder: LeaseHolder,
    /// Since when.
    pub requested_at: Timestamp,
    /// Until when, unless it asks again. Excluded.
    pub until: Timestamp,
}

/// What the lock file tells about a holder on this machine.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Lock {
    /// We have it: no living process of this machine holds the lease.
    Ours,
    /// A living process has it.
    Theirs,
    /// There is no file, or locks do not work there.
    Unknown,
}

impl State {
    /// Takes the lease, or makes it longer where this holder has it. It is taken from another one when that lease
    /// has expired, or its process has died on this machine; an event says so. A request of this holder is gone
    /// with it.
    ///
    /// # Errors
    /// [`StateError::LeaseHeld`] where another holds it, or asked for it before us.
    pub fn acquire_lease(
        &mut self,
        holder: &LeaseHolder,
        now: Timestamp,
        ttl: Duration,
    ) -> Result<Lease, StateError> {
        let until = self.lease_end(now, ttl)?;
        let lock = self.try_lock()?;
        let taken = self.write(|tx| tx.take_lease(holder, now, until, lock));
        if taken.is_err() {
            self.lock = None;
        }
        taken
    }

    /// Makes the lease longer, from `now`.
    ///
    /// # Errors
    /// [`StateError::LeaseLost`]: stop acting at once.
    pub fn renew_lease(
        &mut self,
        lease: &Lease,
        now: Timestamp,
        ttl: Duration,
    ) -> Result<Lease, StateError> {
        let until = self.lease_end(now, ttl)?;
        self.write_soon(|tx| {
            tx.ensure_lease(lease)?;
            tx.sql()
                .execute("UPDATE lease SET until_at = ?1", [millis(until)])?;
            Ok(Lease {
                until,
                ..lease.clone()
            })
        })
    }

    /// When a lease that is taken now ends: not after the lock of a shared state.
    fn lease_end(&self, now: Timestamp, ttl: Duration) -> Result<Timestamp, StateError> {
        let end = expiry(now, ttl);
        match self.lease_limit()? {
            None => Ok(end),
            Some(limit) if limit <= now => Err(StateError::LeaseLost { to: None }),
            Some(limit) => Ok(end.min(limit)),
        }
    }

    /// Gives the lease back; nothing happens where it is lost already.
    ///
    /// # Errors
    /// Only where the file cannot be written.
    pub fn release_lease(&mut self, lease: &Lease) -> Result<(), StateError> {
        let released = self.write(|tx| match tx.ensure_lease(lease) {
            Ok(()) => tx.clear_lease(),
            Err(StateError::LeaseLost { .. }) => Ok(()),
            Err(error) => Err(error),
        });
        self.lock = None;
        released
    }

    /// Who holds the lease; `None`: nobody. It may have expired: compare `until`.
    ///
    /// # Errors
    /// Only where the file cannot be read.
    pub fn lease(&self) -> Result<Option<Lease>, StateError> {
        read_lease(self.connection())
    }

    /// Takes the lease away from whoever holds it, and answers who that was: `state unlock`.
    ///
    /// # Errors
    /// Only where the file cannot be written.
    pub fn break_lease(
        &mut self,
        now: Timestamp,
        actor: &str,
    ) -> Result<Option<Lease>, StateError> {
        self.write(|tx| {
            let lease = read_lease(tx.sql())?;
            if let Some(lease) = &lease {
                tx.clear_lease()?;
                tx.append_event(&NewEvent {
                    text: format!("the lease of {} was broken", lease.holder),
                    ..NewEvent::new(now, EventKind::LeaseTaken, actor)
                })?;
            }
            Ok(lease)
        })
    }

    /// Says that this holder waits for the lease, until `now + ttl`; asking again keeps the place in the queue.
    /// A holder that acts in ticks gives the lease back when [`State::lease_requests`] has somebody.
    ///
    /// # Errors
    /// Only where the file cannot be written.
    pub fn request_lease(
        &mut self,
        holder: &LeaseHolder,
        now: Timestamp,
        ttl: Duration,
    ) -> Result<(), StateError> {
        self.write(|tx| {
            tx.sql().execute(
                "DELETE FROM lease_requests WHERE until_at <= ?1",
                [millis(now)],
            )?;
            tx.sql().execute(
                "INSERT INTO lease_requests (holder_id, holder, position, requested_at, until_at)
                 VALUES (?1, ?2, (SELECT coalesce(max(position), 0) + 1 FROM lease_requests), ?3, ?4)
                 ON CONFLICT (holder_id) DO UPDATE SET until_at = excluded.until_at",
                (
                    &holder.id,
                    JsonText::of(holder)?.as_str(),
                    millis(now),
                    millis(expiry(now, ttl)),
                ),
            )?;
            Ok(())
        })
    }

    /// Takes a request back.
    ///
    /// # Errors
    /// Only where the file cannot be written.
    pub fn withdraw_lease_request(&mut self, holder: &LeaseHolder) -> Result<(), StateError> {
        self.write(|tx| tx.delete_request(&holder.id))
    }

    /// Who waits for the lease, in the order of asking.
    ///
    /// # Errors
    /// Only where the file cannot be read.
    pub fn lease_requests(&self, now: Timestamp) -> Result<Vec<LeaseRequest>, StateError> {
        read_requests(self.connection(), now)
    }

    /// Takes the lock beside the file, where nobody alive has it.
    fn try_lock(&mut self) -> Result<Lock, StateError> {
        if self.lock.is_some() {
            return Ok(Lock::Ours);
        }
        let Some(path) = self.path() else {
            return Ok(Lock::Unknown);
        };
        let path = with_suffix(path, ".lock");
        let file = private_file(&path).map_err(|source| io_error(&path, source))?;
        match file.try_lock() {
            Ok(()) => {
                self.lock = Some(file);
                Ok(Lock::Ours)
            }
            Err(TryLockError::WouldBlock) => Ok(Lock::Theirs),
            Err(TryLockError::Error(_)) => Ok(Lock::Unknown),
        }
    }
}

impl Transaction<'_> {
    /// Refuses to go on where the lease is no longer this one: for writes that only its holder may make.
    ///
    /// # Errors
    /// [`StateError::LeaseLost`].
    pub fn ensure_lease(&mut self, lease: &Lease) -> Result<(), StateError> {
        match read_lease(self.sql())? {
            Some(now) if now.generation == lease.generation && now.holder.id == lease.holder.id => {
                Ok(())
            }
            other => Err(StateError::LeaseLost {
                to: other.map(|lease| lease.holder),
            }),
        }
    }

    fn take_lease(
        &mut self,
        holder: &LeaseHolder,
        now: Timestamp,
        until: Timestamp,
        lock: Lock,
    ) -> Result<Lease, StateError> {
        let current = read_lease(self.sql())?;
        if let Some(lease) = &current {
            if lease.holder.id == holder.id {
                self.sql()
                    .execute("UPDATE lease SET until_at = ?1", [millis(until)])?;
                self.delete_request(&holder.id)?;
                return Ok(Lease {
                    until,
                    ..lease.clone()
                });
            }
            // Who took an expired lease while its holder still had the lock file has none to show.
            let died =
                lock == Lock::Ours && lease.holder.host == holder.host && self.holder_locked()?;
            if !died && now < lease.until {
                return Err(StateError::LeaseHeld {
                    holder: lease.holder.clone(),
                    until: lease.until,
                    waiting: false,
                });
            }
        }
        if let Some(first) = read_requests(self.sql(), now)?
            .into_iter()
            .next()
            .filter(|first| first.holder.id != holder.id)
        {
            return Err(StateError::LeaseHeld {
                holder: first.holder,
                until: first.until,
                waiting: true,
            });
        }
        self.delete_request(&holder.id)?;
        let generation: i64 = self.sql().query_row(
            "UPDATE lease SET generation = generation + 1, holder = ?1, holder_id = ?2, acquired_at = ?3,
                until_at = ?4, locked = ?5 RETURNING generation",
            (
                JsonText::of(holder)?.as_str(),
                &holder.id,
                millis(now),
                millis(until),
                lock == Lock::Ours,
            ),
            |row| row.get(0),
        )?;
        if let Some(lease) = current {
            self.append_event(&NewEvent {
                text: format!("the lease was taken from {}", lease.holder),
                ..NewEvent::new(now, EventKind::LeaseTaken, &holder.command)
            })?;
        }
        Ok(Lease {
            holder: holder.clone(),
            generation: generation.unsigned_abs(),
            acquired_at: kept(now),
            until,
        })
    }

    fn holder_locked(&self) -> Result<bool, StateError> {
        Ok(self
            .sql()
            .query_row("SELECT locked FROM lease", [], |row| row.get(0))?)
    }

    fn clear_lease(&mut self) -> Result<(), StateError> {
        self.sql().execute(
            "UPDATE lease SET holder = NULL, holder_id = NULL, acquired_at = NULL, until_at = NULL, locked = 0",
            [],
        )?;
        Ok(())
    }

    fn delete_request(&mut self, holder: &str) -> Result<(), StateError> {
        self.sql()
            .execute("DELETE FROM lease_requests WHERE holder_id = ?1", [holder])?;
        Ok(())
    }
}

fn expiry(now: Timestamp, ttl: Duration) -> Timestamp {
    let end = millis(now).saturating_add(millis_of(ttl));
    Timestamp::from_millisecond(end).unwrap_or(Timestamp::MAX)
}

type LeaseColumns = (i64, Option<String>, Option<i64>, Option<i64>);

fn read_lease(connection: &rusqlite::Connection) -> Result<Option<Lease>, StateError> {
    let columns: Option<LeaseColumns> = connection
        .prepare_cached("SELECT generation, holder, acquired_at, until_at FROM lease")?
        .query_row([], |row| {
            Ok((row.get(0)?, row.get(1)?, row.get(2)?, row.get(3)?))
        })
        .optional()?;
    match columns {
        Some((generation, Some(holder), Some(acquired_at), Some(until))) => Ok(Some(Lease {
            holder: parse("the holder of the lease", &holder)?,
            generation: generation.unsigned_abs(),
            acquired_at: timestamp(acquired_at)?,
            until: timestamp(until)?,
        })),
        _ => Ok(None),
    }
}

fn read_requests(
    connection: &rusqlite::Connection,
    now: Timestamp,
) -> Result<Vec<LeaseRequest>, StateError> {
    let mut statement = connection.prepare_cached(
        "SELECT holder, requested_at, until_at FROM lease_requests WHERE ?1 < until_at ORDER BY position",
    )?;
    let mut rows = statement.query([millis(now)])?;
    let mut requests = Vec::new();
    while let Some(row) = rows.next()? {
        requests.push(LeaseRequest {
            holder: parse("a request for the lease", &row.get::<_, String>(0)?)?,
            requested_at: timestamp(row.get(1)?)?,
            until: timestamp(row.get(2)?)?,
        });
    }
    Ok(requests)
}
