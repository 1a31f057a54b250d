//! The state of a place, opened; and what commands do with it: work under its lock, ask whose turn and what time it is.

use std::path::Path;
use std::sync::Arc;
use std::time::{Duration, Instant};

use jiff::Timestamp;
use sha2::{Digest, Sha256};
use tideform_policies::model::{Controller, GroupAddress};
use tideform_provider::Clock;
use tideform_remote::{LockView, ObjectRemote};
use tideform_state::{LeaseHolder, NewState, OpenMode, State, StateError};

use super::args::nearest;
use super::context::Context;
use super::error::CliError;
use super::place::{FOLDER, Place, Where};
use crate::backend::{self, Address, Workplace};
use crate::registry::Providers;

/// In the folder beside the files, the working copies of shared states.
const WORK_FOLDER: &str = "shared";
/// How long a command that only records something waits for the lock of a shared state.
const PATIENCE: Duration = Duration::from_secs(60);

impl Context {
    /// Opens the state of a place; of a shared one a fresh copy, for reading until [`Context::enter`].
    ///
    /// # Errors
    /// It is not there, is damaged, or belongs to another workspace.
    pub(super) fn open_state(&self, place: &Place, mode: OpenMode) -> Result<State, CliError> {
        match &place.at {
            Where::File(path) => self.ready(State::open(path, mode)?, place),
            Where::Shared(address) => self
                .fetch(address, place)?
                .ok_or_else(|| CliError::NoSharedState(address.to_string())),
        }
    }

    /// The same, where a state that is not there is `None`.
    ///
    /// # Errors
    /// As [`Context::open_state`].
    pub(super) fn open_state_if_any(
        &self,
        place: &Place,
        mode: OpenMode,
    ) -> Result<Option<State>, CliError> {
        if let Where::Shared(address) = &place.at {
            return self.fetch(address, place);
        }
        if !place.may_exist() {
            return Ok(None);
        }
        match self.open_state(place, mode) {
            Err(CliError::State(StateError::NotFound { .. })) => Ok(None),
            other => other.map(Some),
        }
    }

    /// Opens the state of a place, and makes it where there is none. A shared one is there for others with the first
    /// upload.
    ///
    /// # Errors
    /// As [`Context::open_state`], and a file that cannot be made.
    pub(super) fn open_or_create_state(
        &self,
        place: &Place,
        now: Timestamp,
    ) -> Result<State, CliError> {
        let new = NewState {
            workspace: place.workspace.clone(),
            lineage: random_hex(16),
            created_at: now,
        };
        match &place.at {
            Where::File(path) => self.ready(State::open_or_create(path, &new)?, place),
            Where::Shared(address) => {
                let mut remote = self.remote(address, place)?;
                if let Some(state) = self.fetch_with(&mut remote)? {
                    return self.ready(shared(state, remote, false), place);
                }
                let state = State::create(remote.path_for_new(), &new)?;
                self.ready(shared(state, remote, true), place)
            }
        }
    }

    fn ready(&self, mut state: State, place: &Place) -> Result<State, CliError> {
        state.check_workspace(&place.workspace)?;
        watch_commits(&mut state);
        Ok(state)
    }

    fn fetch(&self, address: &Address, place: &Place) -> Result<Option<State>, CliError> {
        let mut remote = self.remote(address, place)?;
        match self.fetch_with(&mut remote)? {
            Some(state) => self.ready(shared(state, remote, false), place).map(Some),
            None => Ok(None),
        }
    }

    fn fetch_with(&self, remote: &mut ObjectRemote) -> Result<Option<State>, CliError> {
        match self.block_on(remote.fetch())?? {
            Some(path) => Ok(Some(State::open(path, OpenMode::ReadWrite)?)),
            None => Ok(None),
        }
    }

    /// A shared state's object, without any request to it yet.
    ///
    /// # Errors
    /// Settings or credentials that cannot be used.
    pub(super) fn remote(
        &self,
        address: &Address,
        place: &Place,
    ) -> Result<ObjectRemote, CliError> {
        let folder = self.directory().join(FOLDER);
        let id = random_hex(8);
        Ok(backend::open(
            address,
            Workplace {
                folder: folder.join(WORK_FOLDER),
                keep: folder.join(format!("{}.unpublished", place.workspace)),
                id,
                lock_time: test_lock_time(),
            },
        )?)
    }

    /// Who works with a shared state now; `None`: nobody, or it is a file.
    ///
    /// # Errors
    /// The store cannot be reached.
    pub(super) fn shared_lock(&self, place: &Place) -> Result<Option<LockView>, CliError> {
        match &place.at {
            Where::File(_) => Ok(None),
            Where::Shared(address) => {
                let remote = self.remote(address, place)?;
                Ok(self.block_on(remote.holder())??)
            }
        }
    }

    /// Takes the lock of a shared state, and brings the working copy up to date; nothing for a file. Waits where another
    /// process has the lock, up to `patience`.
    ///
    /// # Errors
    /// Another process goes on having it; the store cannot be reached.
    pub(super) fn enter(
        &self,
        state: &mut State,
        holder: &LeaseHolder,
        patience: Duration,
    ) -> Result<(), CliError> {
        if !state.is_shared() {
            return Ok(());
        }
        let began = Instant::now();
        let mut spinner = None;
        loop {
            match self.block_on(state.enter(holder))? {
                Err(StateError::LeaseHeld { .. }) if began.elapsed() < patience => {
                    spinner
                        .get_or_insert_with(|| self.output.spinner("Waiting for the shared state"));
                    std::thread::sleep(
                        backend::ASK_EVERY.min(patience.saturating_sub(began.elapsed())),
                    );
                }
                other => return Ok(other?),
            }
        }
    }

    /// Runs `work`, which writes to the state; of a shared one under its lock, and uploads what it wrote.
    ///
    /// # Errors
    /// What `work` answers; as [`Context::enter`]; an upload that failed.
    pub(super) fn writing<T>(
        &self,
        state: &mut State,
        work: impl FnOnce(&mut State) -> Result<T, CliError>,
    ) -> Result<T, CliError> {
        self.enter(state, &lease_holder(), PATIENCE)?;
        let done = work(state);
        let left = self.block_on(state.leave())?;
        let done = done?;
        left?;
        Ok(done)
    }

    /// The state that was used last, its providers' clock and all: what the operators' commands start from.
    ///
    /// # Errors
    /// As [`Context::last_place`] and [`Context::open_state`].
    pub(super) fn last_state(
        &self,
        state: Option<&Path>,
        mode: OpenMode,
    ) -> Result<(Place, State), CliError> {
        let place = self.last_place(state)?;
        let state = self.open_state(&place, mode)?;
        Ok((place, state))
    }

    /// The providers that the state was last applied with.
    ///
    /// # Errors
    /// One cannot be opened.
    pub(super) fn providers_of(&self, state: &State) -> Result<Providers, CliError> {
        let configurations = state.applied_providers()?;
        self.block_on(Providers::open(&configurations, self.directory()))?
            .map_err(CliError::Registry)
    }

    /// The clock of a run: a provider's where there is one, else the machine's.
    pub(super) fn clock_of(&self, providers: &Providers) -> Arc<dyn Clock> {
        providers.clock().clone()
    }

    /// The time for a command that only writes to the state: by the clock of its providers.
    ///
    /// # Errors
    /// A provider cannot be opened, so that nobody knows by which clock the loop runs.
    pub(super) fn now_of(&self, state: &State) -> Result<Timestamp, CliError> {
        Ok(self.clock_of(&self.providers_of(state)?).now())
    }
}

/// A group of the state.
///
/// # Errors
/// It was never applied, or is gone.
pub(super) fn applied_address(
    state: &State,
    wanted: &GroupAddress,
) -> Result<GroupAddress, CliError> {
    let known = state.applied_addresses()?;
    if known.contains(wanted) {
        return Ok(wanted.clone());
    }
    Err(CliError::NoSuchGroup {
        text: wanted.short(),
        nearest: nearest(&wanted.short(), known.iter().map(GroupAddress::short)),
    })
}

/// Whether the cloud's own controls scale the group: then `reconcile` writes an override into its limits.
///
/// # Errors
/// They scale it, and the files say no limits, so that nothing says what to go back to.
pub(super) fn is_native(
    state: &State,
    group: &GroupAddress,
    writes_limits: bool,
) -> Result<bool, CliError> {
    let Some(applied) = state.applied_group(group)? else {
        return Ok(false);
    };
    let is_native = applied.group.controller == Controller::Native;
    if is_native && writes_limits && applied.group.policy.limits.is_none() {
        return Err(CliError::Nothing {
            summary: "Group without limits",
            why: format!(
                "{group} was applied with `controller = \"native\"` and without `limits`: an override moves the cloud's own \
                 limits, and nothing says what to bring back. Nothing was changed."
            ),
            hint: "write `limits { min = ..., max = ... }` in the group, and apply.".to_owned(),
        });
    }
    Ok(is_native)
}

fn shared(mut state: State, remote: ObjectRemote, is_new: bool) -> State {
    state.share(Box::new(remote), is_new);
    state
}

/// For tests: `TIDEFORM_TEST_LOCK_SECONDS` is how long the lock of a shared state holds without renewal.
fn test_lock_time() -> Option<Duration> {
    let text = std::env::var("TIDEFORM_TEST_LOCK_SECONDS").ok()?;
    text.parse().ok().map(Duration::from_secs)
}

/// For tests of crashes: `TIDEFORM_TEST_EXIT_AFTER_COMMIT=n` ends the process, as `kill -9` would, right after the
/// n-th transaction is on the disk; `TIDEFORM_TEST_EXIT_BEFORE_COMMIT=n` right before it would be.
fn watch_commits(state: &mut State) {
    let number = |name: &str| std::env::var(name).ok()?.parse::<u64>().ok();
    if let Some(after) = number("TIDEFORM_TEST_EXIT_AFTER_COMMIT") {
        state.on_commit(move |commits| {
            if commits >= after {
                std::process::abort();
            }
        });
    }
    if let Some(before) = number("TIDEFORM_TEST_EXIT_BEFORE_COMMIT") {
        state.before_commit(move |commits| {
            if commits >= before {
                std::process::abort();
            }
        });
    }
}

/// A name that nobody else has: so many random bytes in hex.
pub(super) fn random_hex(bytes: usize) -> String {
    use std::hash::{BuildHasher, Hasher, RandomState};
    // The standard library seeds its hash maps from the system's randomness; that is enough for a name.
    let mut digest = Sha256::new();
    for _ in 0..4 {
        let mut hasher = RandomState::new().build_hasher();
        hasher.write_u32(std::process::id());
        digest.update(hasher.finish().to_le_bytes());
    }
    digest.update(Timestamp::now().as_nanosecond().to_le_bytes());
    digest
        .finalize()
        .iter()
        .take(bytes)
        .map(|byte| format!("{byte:02x}"))
        .collect()
}

/// This process, as the holder of a lease.
pub(super) fn lease_holder() -> LeaseHolder {
    let mut arguments = std::env::args_os().map(|a| a.to_string_lossy().into_owned());
    let _ = arguments.next();
    // Values of variables may be secrets: they stay out of the state and out of what others are shown.
    let mut command = String::from("tideform");
    let mut skip = false;
    for argument in arguments.take(40) {
        if std::mem::replace(&mut skip, false) {
            continue;
        }
        if argument == "--var" {
            skip = true;
            continue;
        }
        if argument.starts_with("--var=") {
            continue;
        }
        command.push(' ');
        command.push_str(&argument);
    }
    LeaseHolder {
        id: random_hex(8),
        pid: std::process::id(),
        host: super::context::host(),
        command,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn random_names_differ() {
        assert_ne!(random_hex(16), random_hex(16));
        assert_eq!(random_hex(16).len(), 32);
    }
}
