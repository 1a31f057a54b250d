//! The lock object: made with If-None-Match, and from then on only ever replaced on its own ETag.
//!
//! ```text
//! absent ----------------- take (If-None-Match: *) ---> held
//! free ------------------- take (If-Match) -----------> held --- renew (If-Match) ---> held
//! held, too old ---------- take (If-Match) -----------> held --- give back (If-Match) -> free
//! ```
//!
//! It is never deleted: a deletion that arrives late could take another one's lock away. Whether a lock is too old is
//! told by the store's own clock, the age of the object, never by comparing the clocks of two machines.

use std::time::Duration;

use jiff::{SignedDuration, Timestamp};
use object_store::UpdateVersion;
use object_store::path::Path;
use serde::{Deserialize, Serialize};
use tideform_state::LeaseHolder;

use crate::error::RemoteError;
use crate::store::{Condition, Found, Objects, Put};
use crate::time::Time;

/// The version of the lock's format.
const FORMAT: u32 = 1;
/// Added to a lock's time before it is taken over: the store's times are whole seconds, and clocks run unevenly.
pub(crate) const GRACE: Duration = Duration::from_secs(3);

/// The contents of a lock object.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct LockFile {
    /// The version of this format.
    pub format_version: u32,
    /// Who holds it; `None`: nobody.
    pub holder: Option<LeaseHolder>,
    /// When it was taken or given back, by that machine's clock: for people.
    pub since: Timestamp,
    /// How long it holds after it was last written, in seconds.
    pub lease_s: u64,
    /// Rises with each write, so that no two versions have the same bytes.
    pub writes: u64,
}

/// A lock of another process, as it was seen.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct LockView {
    /// Who holds it.
    pub holder: LeaseHolder,
    /// Since when, by the holder's clock.
    pub since: Timestamp,
    /// Until when unless it is renewed, by our clock.
    pub until: Timestamp,
}

/// The lock while it is ours.
#[derive(Clone, Debug)]
pub(crate) struct Held {
    pub(crate) file: LockFile,
    pub(crate) version: UpdateVersion,
    /// When the request that wrote it last was sent.
    pub(crate) sent: Moment,
}

/// One moment on both clocks.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Moment {
    pub(crate) wall: Timestamp,
    pub(crate) elapsed: Duration,
}

impl Moment {
    pub(crate) fn of(time: &dyn Time) -> Moment {
        Moment {
            wall: time.wall(),
            elapsed: time.elapsed(),
        }
    }
}

impl Held {
    /// Until when nobody takes it over, by the machine's clock; `None`: that is past.
    pub(crate) fn until(&self, time: &dyn Time) -> Option<Timestamp> {
        let lease = Duration::from_secs(self.file.lease_s);
        let left = lease.checked_sub(time.elapsed().saturating_sub(self.sent.elapsed))?;
        let end = add(self.sent.wall, lease);
        // Both clocks: one stands still while a machine sleeps, the other can be set.
        let now = time.wall();
        (now < end && !left.is_zero()).then(|| end.min(add(now, left)))
    }
}

/// What was seen of somebody's lock, so that waiting for its end costs one read each time.
#[derive(Clone, Debug)]
pub(crate) struct Watched {
    tag: Option<String>,
    /// How old it was by the store's clock, and when that was known.
    age: Duration,
    at: Duration,
}

/// An attempt to take the lock.
#[derive(Debug)]
pub(crate) enum Taken {
    Ours {
        held: Box<Held>,
        from: Option<LeaseHolder>,
    },
    Theirs(LockView),
}

/// The lock object of one state.
#[derive(Clone, Debug)]
pub(crate) struct Lock {
    pub(crate) objects: Objects,
    pub(crate) path: Path,
    /// Written to learn the store's time.
    pub(crate) clock: Path,
    pub(crate) lease: Duration,
}

impl Lock {
    /// Takes the lock, in one try.
    pub(crate) async fn take(
        &self,
        holder: &LeaseHolder,
        watched: &mut Option<Watched>,
        time: &dyn Time,
    ) -> Result<Taken, RemoteError> {
        // Lost races are tried again: each means that somebody else got on.
        for attempt in 0..3_u32 {
            let (condition, from, writes) = match self.read().await? {
                None => (Condition::Absent, None, 0),
                Some((file, version, modified)) => match &file.holder {
                    None => (Condition::Version(version), None, file.writes),
                    Some(other) => {
                        let age = self.age(&version, modified, watched, holder, time).await?;
                        let lease = Duration::from_secs(file.lease_s);
                        let left = (lease + GRACE).saturating_sub(age);
                        if !left.is_zero() {
                            return Ok(Taken::Theirs(LockView {
                                holder: other.clone(),
                                since: file.since,
                                until: add(time.wall(), left),
                            }));
                        }
                        let from = Some(other.clone());
                        (Condition::Version(version), from, file.writes)
                    }
                },
            };
            let sent = Moment::of(time);
            let file = LockFile {
                format_version: FORMAT,
                holder: Some(holder.clone()),
                since: sent.wall,
                lease_s: self.lease.as_secs(),
                writes: writes + 1,
            };
            let token = format!("{}-lock-{attempt}-{}", holder.id, file.writes);
            if let Put::Done(version) = self.write(&file, &token, &condition).await? {
                *watched = None;
                let held = Held {
                    file,
                    version,
                    sent,
                };
                return Ok(Taken::Ours {
                    held: Box::new(held),
                    from,
                });
            }
        }
        Err(RemoteError::Moved {
            object: self.objects.name(&self.path),
        })
    }

    /// Writes the lock anew, so that it holds longer; `None`: it was taken away.
    pub(crate) async fn renew(
        &self,
        held: &Held,
        time: &dyn Time,
    ) -> Result<Option<Held>, RemoteError> {
        let sent = Moment::of(time);
        let file = LockFile {
            writes: held.file.writes + 1,
            ..held.file.clone()
        };
        Ok(self.replace(held, file).await?.map(|(file, version)| Held {
            file,
            version,
            sent,
        }))
    }

    /// Gives the lock back; false: it was taken away before.
    pub(crate) async fn give_back(
        &self,
        held: &Held,
        time: &dyn Time,
    ) -> Result<bool, RemoteError> {
        let file = LockFile {
            holder: None,
            since: time.wall(),
            writes: held.file.writes + 1,
            ..held.file.clone()
        };
        Ok(self.replace(held, file).await?.is_some())
    }

    async fn replace(
        &self,
        held: &Held,
        file: LockFile,
    ) -> Result<Option<(LockFile, UpdateVersion)>, RemoteError> {
        let id = held.file.holder.as_ref().map_or("", |holder| &holder.id);
        let token = format!("{id}-lock-{}", file.writes);
        let condition = Condition::Version(held.version.clone());
        match self.write(&file, &token, &condition).await? {
            Put::Done(version) => Ok(Some((file, version))),
            Put::Refused { .. } => Ok(None),
        }
    }

    /// Who holds it, and takes it away where asked to: what `state unlock` does.
    pub(crate) async fn look(&self, time: &dyn Time) -> Result<Option<LockView>, RemoteError> {
        Ok(self.read().await?.and_then(|(file, _, _)| {
            Some(LockView {
                holder: file.holder?,
                since: file.since,
                until: add(time.wall(), Duration::from_secs(file.lease_s)),
            })
        }))
    }

    /// Takes the lock away from this holder; false: somebody else has it by now, or nobody.
    pub(crate) async fn break_it(
        &self,
        holder: &LeaseHolder,
        token: &str,
        time: &dyn Time,
    ) -> Result<bool, RemoteError> {
        for _ in 0..3 {
            let Some((file, version, _)) = self.read().await? else {
                return Ok(false);
            };
            if file.holder.as_ref().map(|holder| &holder.id) != Some(&holder.id) {
                return Ok(false);
            }
            let free = LockFile {
                holder: None,
                since: time.wall(),
                writes: file.writes + 1,
                ..file
            };
            let condition = Condition::Version(version);
            if let Put::Done(_) = self.write(&free, token, &condition).await? {
                return Ok(true);
            }
        }
        Ok(false)
    }

    /// How old a lock is by the store's clock.
    async fn age(
        &self,
        version: &UpdateVersion,
        modified: Timestamp,
        watched: &mut Option<Watched>,
        holder: &LeaseHolder,
        time: &dyn Time,
    ) -> Result<Duration, RemoteError> {
        if let Some(known) = watched.as_ref().filter(|known| known.tag == version.e_tag) {
            return Ok(known.age + time.elapsed().saturating_sub(known.at));
        }
        let at = time.elapsed();
        let token = format!("{}-clock-{}", holder.id, at.as_nanos());
        let now = self.objects.now(&self.clock, &token).await?;
        let age = Duration::try_from(now.duration_since(modified)).unwrap_or_default();
        *watched = Some(Watched {
            tag: version.e_tag.clone(),
            age,
            at,
        });
        Ok(age)
    }

    async fn read(&self) -> Result<Option<(LockFile, UpdateVersion, Timestamp)>, RemoteError> {
        let object = match self.objects.get(&self.path, None).await? {
            Found::Absent | Found::Same => return Ok(None),
            Found::Object(object) => object,
        };
        let damaged = |problem: String| RemoteError::Damaged {
            object: self.objects.name(&self.path),
            problem,
        };
        let file: LockFile = serde_json::from_slice(&object.bytes)
            .map_err(|error| damaged(format!("it is no lock of tideform: {error}")))?;
        if file.format_version > FORMAT {
            return Err(damaged(format!(
                "it has format {}, and this program knows up to {FORMAT}",
                file.format_version
            )));
        }
        Ok(Some((file, object.version, object.modified)))
    }

    async fn write(
        &self,
        file: &LockFile,
        token: &str,
        condition: &Condition,
    ) -> Result<Put, RemoteError> {
        let text = serde_json::to_vec_pretty(file).map_err(|error| RemoteError::Damaged {
            object: self.objects.name(&self.path),
            problem: error.to_string(),
        })?;
        self.objects.put(&self.path, &text, token, condition).await
    }
}

fn add(at: Timestamp, duration: Duration) -> Timestamp {
    let duration = SignedDuration::try_from(duration).unwrap_or(SignedDuration::MAX);
    at.saturating_add(duration).unwrap_or(Timestamp::MAX)
}
