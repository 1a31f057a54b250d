//! A store with faults and a clock of its own, and runners that share a state through it.

use std::collections::{HashMap, VecDeque};
use std::path::{Path as FilePath, PathBuf};
use std::sync::{Arc, Mutex};
use std::time::{Duration, UNIX_EPOCH};

use async_trait::async_trait;
use futures::stream::BoxStream;
use jiff::{SignedDuration, Timestamp};
use object_store::memory::InMemory;
use object_store::path::Path;
use object_store::{
    CopyOptions, Error, GetOptions, GetResult, ListResult, MultipartUpload, ObjectMeta,
    ObjectStore, ObjectStoreExt, PutMultipartOptions, PutOptions, PutPayload, PutResult, Result,
};
use tideform_remote::{ObjectRemote, RemoteOptions, Time};
use tideform_state::{
    EventFilter, EventKind, LeaseHolder, NewEvent, NewState, OpenMode, State, StateError,
};

pub(crate) const KEY: &str = "tideform/shop.db";

/// A clock that stands still until it is moved; store and runners share it.
#[derive(Debug, Default)]
pub(crate) struct Clock(Mutex<Duration>);

impl Clock {
    pub(crate) fn advance(&self, seconds: u64) {
        *self.0.lock().unwrap() += Duration::from_secs(seconds);
    }

    fn now(&self) -> Duration {
        Duration::from_secs(1_800_000_000) + *self.0.lock().unwrap()
    }
}

/// A runner's clocks: its date may be wrong by hours.
#[derive(Debug)]
pub(crate) struct Skewed {
    clock: Arc<Clock>,
    by: SignedDuration,
}

impl Time for Skewed {
    fn wall(&self) -> Timestamp {
        let now = SignedDuration::try_from(self.clock.now()).unwrap();
        Timestamp::UNIX_EPOCH + now + self.by
    }

    fn elapsed(&self) -> Duration {
        self.clock.now()
    }
}

/// What goes wrong with a request.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Fault {
    None,
    /// It never arrives.
    Lost,
    /// It is carried out, and its answer is lost.
    AnswerLost,
}

/// The store.
#[derive(Debug)]
pub(crate) struct Store {
    inner: InMemory,
    clock: Arc<Clock>,
    modified: Mutex<HashMap<Path, Duration>>,
    /// Of the next uploads to the database or its lock, in order.
    pub(crate) faults: Mutex<VecDeque<Fault>>,
    /// Every upload fails.
    pub(crate) is_cut: Mutex<bool>,
}

impl std::fmt::Display for Store {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("a store of tests")
    }
}

fn broken() -> Error {
    Error::Generic {
        store: "test",
        source: "connection cut".into(),
    }
}

#[async_trait]
impl ObjectStore for Store {
    async fn put_opts(
        &self,
        location: &Path,
        payload: PutPayload,
        options: PutOptions,
    ) -> Result<PutResult> {
        if *self.is_cut.lock().unwrap() {
            return Err(broken());
        }
        let fault = self.faults.lock().unwrap().pop_front();
        if fault == Some(Fault::Lost) {
            return Err(broken());
        }
        let done = self.inner.put_opts(location, payload, options).await?;
        self.modified
            .lock()
            .unwrap()
            .insert(location.clone(), self.clock.now());
        if fault == Some(Fault::AnswerLost) {
            return Err(broken());
        }
        Ok(done)
    }

    async fn get_opts(&self, location: &Path, options: GetOptions) -> Result<GetResult> {
        let mut found = self.inner.get_opts(location, options).await?;
        if let Some(modified) = self.modified.lock().unwrap().get(location) {
            // Whole seconds, as S3 has them.
            found.meta.last_modified =
                (UNIX_EPOCH + Duration::from_secs(modified.as_secs())).into();
        }
        Ok(found)
    }

    async fn put_multipart_opts(
        &self,
        location: &Path,
        options: PutMultipartOptions,
    ) -> Result<Box<dyn MultipartUpload>> {
        self.inner.put_multipart_opts(location, options).await
    }

    fn delete_stream(
        &self,
        locations: BoxStream<'static, Result<Path>>,
    ) -> BoxStream<'static, Result<Path>> {
        self.inner.delete_stream(locations)
    }

    fn list(&self, prefix: Option<&Path>) -> BoxStream<'static, Result<ObjectMeta>> {
        self.inner.list(prefix)
    }

    async fn list_with_delimiter(&self, prefix: Option<&Path>) -> Result<ListResult> {
        self.inner.list_with_delimiter(prefix).await
    }

    async fn copy_opts(&self, from: &Path, to: &Path, options: CopyOptions) -> Result<()> {
        self.inner.copy_opts(from, to, options).await
    }
}

/// A bucket that several runners work with.
pub(crate) struct Bucket {
    pub(crate) store: Arc<Store>,
    pub(crate) clock: Arc<Clock>,
    folder: tempfile::TempDir,
    runners: u32,
}

/// A machine with its working copy.
pub(crate) struct Runner {
    pub(crate) state: State,
    pub(crate) holder: LeaseHolder,
}

impl Bucket {
    pub(crate) fn new() -> Bucket {
        let clock = Arc::new(Clock::default());
        Bucket {
            store: Arc::new(Store {
                inner: InMemory::new(),
                clock: Arc::clone(&clock),
                modified: Mutex::default(),
                faults: Mutex::default(),
                is_cut: Mutex::default(),
            }),
            clock,
            folder: tempfile::tempdir().unwrap(),
            runners: 0,
        }
    }

    pub(crate) fn folder(&self) -> &FilePath {
        self.folder.path()
    }

    pub(crate) fn remote(&mut self, skew: SignedDuration) -> (ObjectRemote, LeaseHolder) {
        self.runners += 1;
        let id = format!("runner{:06}", self.runners);
        let mut options = RemoteOptions::new(
            Arc::clone(&self.store) as Arc<dyn ObjectStore>,
            "test://bucket",
            KEY,
            self.folder.path().join("work"),
            &id,
            self.folder.path().join("kept"),
        );
        options.pause = Duration::ZERO;
        options.time = Arc::new(Skewed {
            clock: Arc::clone(&self.clock),
            by: skew,
        });
        let remote = ObjectRemote::new(options, tideform_remote::runtime().unwrap()).unwrap();
        let holder = LeaseHolder {
            id,
            pid: self.runners,
            host: format!("host{}", self.runners),
            command: "tideform reconcile --once".to_owned(),
        };
        (remote, holder)
    }

    /// A bare runner that opens what is there, or makes a state.
    pub(crate) async fn runner(&mut self) -> Runner {
        self.runner_with_clock(SignedDuration::ZERO).await
    }

    pub(crate) async fn runner_with_clock(&mut self, skew: SignedDuration) -> Runner {
        let (mut remote, holder) = self.remote(skew);
        let found = remote.fetch().await.unwrap();
        let is_new = found.is_none();
        let mut state = match found {
            Some(path) => State::open(path, OpenMode::ReadWrite).unwrap(),
            None => State::create(
                remote.path_for_new(),
                &NewState {
                    workspace: "shop".to_owned(),
                    lineage: holder.id.clone(),
                    created_at: Timestamp::UNIX_EPOCH,
                },
            )
            .unwrap(),
        };
        state.share(Box::new(remote), is_new);
        Runner { state, holder }
    }

    pub(crate) async fn replace(&self, bytes: &[u8]) {
        let path = Path::from(KEY);
        self.store
            .inner
            .put(&path, bytes.to_vec().into())
            .await
            .unwrap();
    }

    /// What a runner has noted cannot be uploaded, and its lock runs out; the copy that is kept.
    pub(crate) async fn cut_off(&self, runner: &mut Runner) -> PathBuf {
        *self.store.is_cut.lock().unwrap() = true;
        let Err(StateError::NotPublished {
            kept: Some(kept), ..
        }) = runner.state.leave().await
        else {
            panic!("nothing can be uploaded");
        };
        *self.store.is_cut.lock().unwrap() = false;
        self.clock.advance(200);
        kept
    }

    pub(crate) async fn delete(&self) {
        self.store.inner.delete(&Path::from(KEY)).await.unwrap();
    }
}

impl Runner {
    pub(crate) async fn enter(&mut self) -> Result<(), StateError> {
        self.state.enter(&self.holder).await
    }

    /// Records an event.
    pub(crate) fn note(&mut self, text: &str) -> Result<(), StateError> {
        self.state.write(|tx| {
            tx.append_event(&NewEvent {
                text: text.to_owned(),
                ..NewEvent::new(Timestamp::UNIX_EPOCH, EventKind::LeaseTaken, "test")
            })
            .map(|_| ())
        })
    }

    /// A whole run, which records an event.
    pub(crate) async fn writes(&mut self, text: &str) {
        self.enter().await.unwrap();
        self.note(text).unwrap();
        self.state.leave().await.unwrap();
    }

    pub(crate) fn notes(&self) -> Vec<String> {
        let events = self.state.events(&EventFilter::default()).unwrap();
        let mut notes: Vec<String> = events.into_iter().map(|event| event.text).collect();
        notes.sort();
        notes
    }
}
