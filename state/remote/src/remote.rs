//! One state in an object store: fetch, lock, upload, give back.

use std::path::{Path as FilePath, PathBuf};
use std::sync::{Arc, Mutex as Guarded, PoisonError};
use std::time::Duration;

use async_trait::async_trait;
use jiff::Timestamp;
use object_store::path::Path;
use object_store::{ObjectStore, UpdateVersion};
use tideform_state::{BoxError, Entered, LeaseHolder, Remote, StateError};
use tokio::runtime::Runtime;
use tokio::sync::Mutex;
use tokio::task::JoinHandle;

use crate::error::RemoteError;
use crate::kept::Kept;
use crate::lock::{Held, Lock, LockView, Taken, Watched};
use crate::store::{Condition, Found, Objects, Put};
use crate::time::{SystemTime, Time};
use crate::work::WorkFolder;

/// How long the lock holds without renewal.
pub const LOCK_TIME: Duration = Duration::from_secs(120);
/// Between the first two tries of a request.
const FIRST_PAUSE: Duration = Duration::from_millis(400);
/// Renewals in the time that the lock holds.
const RENEWALS: u32 = 4;

/// Where a state is, and where its working copies go.
#[derive(Clone, Debug)]
pub struct RemoteOptions {
    /// The bucket, or its like.
    pub store: Arc<dyn ObjectStore>,
    /// `s3://bucket`: for messages.
    pub place: String,
    /// The object's name.
    pub key: String,
    /// The folder of the working copies.
    pub work: PathBuf,
    /// A random name: for this process's folder, and in the tokens of its uploads.
    pub id: String,
    /// Where a copy is kept that could not be uploaded: the beginning of the file's name.
    pub keep: PathBuf,
    /// How long the lock holds without renewal; whole seconds.
    pub lease: Duration,
    /// Between the first two tries of a request; doubled each time.
    pub pause: Duration,
    /// The clocks.
    pub time: Arc<dyn Time>,
}

impl RemoteOptions {
    /// With the lock's own time and the system's clocks.
    pub fn new(
        store: Arc<dyn ObjectStore>,
        place: impl Into<String>,
        key: impl Into<String>,
        work: PathBuf,
        id: impl Into<String>,
        keep: PathBuf,
    ) -> RemoteOptions {
        RemoteOptions {
            store,
            place: place.into(),
            key: key.into(),
            work,
            id: id.into(),
            keep,
            lease: LOCK_TIME,
            pause: FIRST_PAUSE,
            time: Arc::new(SystemTime::default()),
        }
    }
}

/// The runtime of a remote's requests.
///
/// # Errors
/// The system gives no threads.
pub fn runtime() -> std::io::Result<Runtime> {
    tokio::runtime::Builder::new_multi_thread()
        .worker_threads(1)
        .thread_name("tideform-remote")
        .enable_all()
        .build()
}

/// A state in an object store.
///
/// Its requests run on a runtime of their own, so that the lock is renewed whatever else the process does.
#[derive(Debug)]
pub struct ObjectRemote {
    objects: Objects,
    key: Path,
    lock: Lock,
    work: WorkFolder,
    id: String,
    keep: PathBuf,
    /// The copy that was kept last: one is enough, the newest.
    kept: Option<PathBuf>,
    time: Arc<dyn Time>,
    /// What the working copy was made from; `None`: there was nothing.
    base: Option<UpdateVersion>,
    watched: Option<Watched>,
    held: Arc<Holding>,
    keeper: Option<JoinHandle<()>>,
    uploads: u64,
    runtime: Option<Runtime>,
}

/// The lock while it is ours, shared with what renews it.
#[derive(Debug, Default)]
struct Holding {
    /// Locked while a renewal is under way, so that giving back comes before or after it.
    held: Mutex<Option<Held>>,
    /// The same, to be read at any time.
    seen: Guarded<Option<Held>>,
}

impl Holding {
    fn show(&self, held: Option<&Held>) {
        *self.seen.lock().unwrap_or_else(PoisonError::into_inner) = held.cloned();
    }
}

impl ObjectRemote {
    /// Makes no request yet.
    ///
    /// # Errors
    /// The folder cannot be made.
    pub fn new(options: RemoteOptions, runtime: Runtime) -> Result<ObjectRemote, RemoteError> {
        let work = WorkFolder::make(&options.work, &options.id)?;
        let objects = Objects::new(options.store, options.place, options.pause);
        let lock = Lock {
            objects: objects.clone(),
            path: Path::from(format!("{}.lock", options.key)),
            clock: Path::from(format!("{}.clock", options.key)),
            lease: options.lease,
        };
        Ok(ObjectRemote {
            objects,
            key: Path::from(options.key),
            lock,
            work,
            id: options.id,
            keep: options.keep,
            kept: None,
            time: options.time,
            base: None,
            watched: None,
            held: Arc::default(),
            keeper: None,
            uploads: 0,
            runtime: Some(runtime),
        })
    }

    /// `s3://bucket/key`.
    pub fn name(&self) -> String {
        self.objects.name(&self.key)
    }

    /// Fetches the newest copy into the work folder; `None`: there is none. Locks nothing.
    ///
    /// # Errors
    /// Any [`RemoteError`] of a read.
    pub async fn fetch(&mut self) -> Result<Option<PathBuf>, RemoteError> {
        self.base = None;
        match self.read(None).await? {
            Found::Absent | Found::Same => Ok(None),
            Found::Object(object) => {
                let path = self.work.next("state");
                WorkFolder::write(&path, &object.bytes)?;
                self.base = Some(object.version);
                Ok(Some(path))
            }
        }
    }

    /// A path in the work folder for a state that is made here first.
    pub fn path_for_new(&mut self) -> PathBuf {
        self.work.next("state")
    }

    /// Proves that the store may be read and written, and that it honors the conditions of uploads.
    ///
    /// # Errors
    /// Any [`RemoteError`]; [`RemoteError::Unconditional`] for a store that cannot be used.
    pub async fn check(&self) -> Result<(), RemoteError> {
        let (objects, probe) = (self.objects.clone(), self.lock.clock.clone());
        let id = self.id.clone();
        self.on_runtime(async move {
            let put = async |token: &str, condition: Condition| {
                let token = format!("{id}-{token}");
                objects
                    .put(&probe, token.as_bytes(), &token, &condition)
                    .await
            };
            let unconditional = |condition| RemoteError::Unconditional {
                object: objects.name(&probe),
                condition,
            };
            let Put::Done(first) = put("first", Condition::None).await? else {
                return Err(RemoteError::Interrupted);
            };
            if let Put::Done(_) = put("again", Condition::Absent).await? {
                return Err(unconditional("If-None-Match"));
            }
            // Refused where somebody else was faster, which makes the first version as old as ours would.
            put("second", Condition::Version(first.clone())).await?;
            match put("stale", Condition::Version(first)).await? {
                Put::Done(_) => Err(unconditional("If-Match")),
                Put::Refused { .. } => Ok(()),
            }
        })
        .await
    }

    /// Who holds the lock now, if anybody.
    ///
    /// # Errors
    /// Any [`RemoteError`] of a read.
    pub async fn holder(&self) -> Result<Option<LockView>, RemoteError> {
        let (lock, time) = (self.lock.clone(), Arc::clone(&self.time));
        self.on_runtime(async move { lock.look(&*time).await })
            .await
    }

    /// Takes the lock away from this holder; false: it does not hold it any more.
    ///
    /// # Errors
    /// Any [`RemoteError`].
    pub async fn unlock(&self, holder: &LeaseHolder) -> Result<bool, RemoteError> {
        let (lock, time) = (self.lock.clone(), Arc::clone(&self.time));
        let (holder, token) = (holder.clone(), format!("{}-unlock", self.id));
        self.on_runtime(async move { lock.break_it(&holder, &token, &*time).await })
            .await
    }

    /// Makes `copy` the shared state, under the lock, where that loses nothing: there is none, or it is still the one
    /// that the copy was made from. `force`: whatever is there.
    ///
    /// # Errors
    /// [`RemoteError::Moved`]; any other of an upload.
    pub async fn push(&mut self, copy: &FilePath, force: bool) -> Result<(), RemoteError> {
        let made_from = Kept::read(copy).and_then(|kept| kept.version(&self.name()));
        let (objects, key) = (self.objects.clone(), self.key.clone());
        // Its bytes may be what is to be mended.
        let now = self
            .on_runtime(async move { objects.version(&key).await })
            .await?;
        let tag = |version: &Option<UpdateVersion>| {
            version.as_ref().and_then(|version| version.e_tag.clone())
        };
        if now.is_some() && !force && tag(&now) != tag(&made_from) {
            return Err(RemoteError::Moved {
                object: self.name(),
            });
        }
        self.base = now;
        self.send(copy).await?;
        Kept::forget(copy);
        Ok(())
    }

    async fn read(&self, unless: Option<UpdateVersion>) -> Result<Found, RemoteError> {
        let (objects, key) = (self.objects.clone(), self.key.clone());
        self.on_runtime(async move { objects.get(&key, unless.as_ref()).await })
            .await
    }

    async fn send(&mut self, copy: &FilePath) -> Result<(), RemoteError> {
        if self.held_until().is_none() {
            return Err(RemoteError::LockLost {
                object: self.objects.name(&self.lock.path),
            });
        }
        let bytes = std::fs::read(copy).map_err(|source| RemoteError::File {
            path: copy.to_owned(),
            source,
        })?;
        self.uploads += 1;
        let token = format!("{}-{}", self.id, self.uploads);
        let condition = match &self.base {
            Some(version) => Condition::Version(version.clone()),
            None => Condition::Absent,
        };
        let (objects, key) = (self.objects.clone(), self.key.clone());
        let put = self
            .on_runtime(async move { objects.put(&key, &bytes, &token, &condition).await })
            .await?;
        let object = self.name();
        match put {
            Put::Done(version) => {
                self.base = Some(version);
                if let Some(kept) = self.kept.take() {
                    // It is all in this upload: kept ones are older copies of the same working copy.
                    let _ = std::fs::remove_file(&kept);
                    Kept::forget(&kept);
                }
                Ok(())
            }
            Put::Refused { is_there: true } => Err(RemoteError::Moved { object }),
            Put::Refused { is_there: false } => Err(RemoteError::Gone { object }),
        }
    }

    /// Runs a request where no other runtime's end can cut it short.
    async fn on_runtime<T: Send + 'static>(
        &self,
        request: impl Future<Output = Result<T, RemoteError>> + Send + 'static,
    ) -> Result<T, RemoteError> {
        let Some(runtime) = &self.runtime else {
            return Err(RemoteError::Interrupted);
        };
        runtime
            .spawn(request)
            .await
            .map_err(|_| RemoteError::Interrupted)?
    }

    /// Renews the lock until it is given back or lost.
    fn keep_lock(&mut self) {
        let (lock, held, time) = (
            self.lock.clone(),
            Arc::clone(&self.held),
            Arc::clone(&self.time),
        );
        let pause = lock.lease / RENEWALS;
        let keeper = async move {
            loop {
                tokio::time::sleep(pause).await;
                let mut current = held.held.lock().await;
                let Some(ours) = current.as_ref() else {
                    return;
                };
                match lock.renew(ours, &*time).await {
                    Ok(Some(renewed)) => *current = Some(renewed),
                    Ok(None) => *current = None,
                    // Tried again while it holds.
                    Err(_) => {}
                }
                held.show(current.as_ref());
            }
        };
        self.keeper = self.runtime.as_ref().map(|runtime| runtime.spawn(keeper));
    }

    /// Takes the lock in one try, and answers from whom it was taken over. [`Remote::leave`] gives it back.
    ///
    /// # Errors
    /// [`RemoteError::Held`]; any other.
    pub async fn lock(&mut self, holder: &LeaseHolder) -> Result<Option<LeaseHolder>, RemoteError> {
        let (lock, time, ours) = (self.lock.clone(), Arc::clone(&self.time), holder.clone());
        let mut watched = self.watched.take();
        let (taken, watched) = self
            .on_runtime(async move {
                let taken = lock.take(&ours, &mut watched, &*time).await?;
                Ok((taken, watched))
            })
            .await?;
        self.watched = watched;
        let (held, from) = match taken {
            Taken::Ours { held, from } => (held, from),
            Taken::Theirs(view) => return Err(RemoteError::Held(Box::new(view))),
        };
        self.held.show(Some(&held));
        *self.held.held.lock().await = Some(*held);
        self.keep_lock();
        Ok(from)
    }

    async fn take(&mut self, holder: &LeaseHolder) -> Result<Entered, RemoteError> {
        let from = self.lock(holder).await?;
        match self.newer().await {
            Ok(newer) => Ok(Entered {
                newer,
                taken_from: from,
                at: Some(self.time.wall()),
            }),
            Err(error) => {
                self.leave().await;
                Err(error)
            }
        }
    }

    fn name_to_keep(&self) -> PathBuf {
        let stamp = self.time.wall().strftime("%Y%m%dT%H%M%SZ");
        let mut name = self.keep.as_os_str().to_owned();
        name.push(format!(".{stamp}-{}.db", self.id.get(..6).unwrap_or("")));
        PathBuf::from(name)
    }

    async fn newer(&mut self) -> Result<Option<PathBuf>, RemoteError> {
        match self.read(self.base.clone()).await? {
            Found::Same => Ok(None),
            Found::Absent if self.base.is_none() => Ok(None),
            Found::Absent => Err(RemoteError::Gone {
                object: self.name(),
            }),
            Found::Object(object) => {
                let path = self.work.next("state");
                WorkFolder::write(&path, &object.bytes)?;
                self.base = Some(object.version);
                // What was kept is in no later copy of ours: it stays for a person.
                self.kept = None;
                Ok(Some(path))
            }
        }
    }
}

#[async_trait]
impl Remote for ObjectRemote {
    async fn enter(&mut self, holder: &LeaseHolder) -> Result<Entered, StateError> {
        match self.take(holder).await {
            Ok(entered) => Ok(entered),
            Err(RemoteError::Held(view)) => Err(StateError::LeaseHeld {
                holder: view.holder,
                until: view.until,
                waiting: false,
            }),
            Err(error) => Err(StateError::Remote {
                source: error.into(),
            }),
        }
    }

    fn held_until(&self) -> Option<Timestamp> {
        let seen = self
            .held
            .seen
            .lock()
            .unwrap_or_else(PoisonError::into_inner);
        seen.as_ref()?.until(&*self.time)
    }

    fn next_copy(&mut self) -> PathBuf {
        self.work.next("upload")
    }

    async fn upload(&mut self, copy: &FilePath) -> Result<(), BoxError> {
        Ok(self.send(copy).await?)
    }

    fn keep(&mut self, copy: &FilePath) -> Option<PathBuf> {
        let path = match &self.kept {
            Some(path) => path.clone(),
            None => self.name_to_keep(),
        };
        std::fs::rename(copy, &path).ok()?;
        self.kept = Some(path.clone());
        // Without it the copy can still be pushed by force.
        Kept::write(&path, &self.name(), self.base.as_ref());
        Some(path)
    }

    async fn leave(&mut self) {
        if let Some(keeper) = self.keeper.take() {
            // Between two renewals: one that is under way comes to its end first.
            let guard = self.held.held.lock().await;
            keeper.abort();
            drop(guard);
        }
        self.held.show(None);
        let Some(held) = self.held.held.lock().await.take() else {
            return;
        };
        if held.until(&*self.time).is_none() {
            return;
        }
        let (lock, time) = (self.lock.clone(), Arc::clone(&self.time));
        // One that cannot be given back runs out by itself.
        let _ = self
            .on_runtime(async move { lock.give_back(&held, &*time).await })
            .await;
    }
}

impl Drop for ObjectRemote {
    fn drop(&mut self) {
        if let Some(runtime) = self.runtime.take() {
            runtime.shutdown_background();
        }
    }
}
