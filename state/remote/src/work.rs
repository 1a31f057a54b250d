//! The folder of a process's working copies: its own, readable by nobody else, and gone with it.

use std::io::Write;
use std::path::{Path, PathBuf};
use std::time::Duration;

use crate::error::RemoteError;

/// Folders that were left by processes that were killed are removed after this long.
const LEFTOVERS_STAY: Duration = Duration::from_secs(2 * 24 * 60 * 60);

/// A folder that is removed with the value.
#[derive(Debug)]
pub(crate) struct WorkFolder {
    path: PathBuf,
    copies: u64,
}

impl WorkFolder {
    /// Makes `parent/name`, and removes what others left in `parent` long ago.
    pub(crate) fn make(parent: &Path, name: &str) -> Result<WorkFolder, RemoteError> {
        let path = parent.join(name);
        let failed = |source| RemoteError::File {
            path: path.clone(),
            source,
        };
        let mut builder = std::fs::DirBuilder::new();
        builder.recursive(true);
        #[cfg(unix)]
        std::os::unix::fs::DirBuilderExt::mode(&mut builder, 0o700);
        builder.create(&path).map_err(failed)?;
        remove_leftovers(parent, &path);
        Ok(WorkFolder { path, copies: 0 })
    }

    /// A name in it that was not given before.
    pub(crate) fn next(&mut self, what: &str) -> PathBuf {
        self.copies += 1;
        self.path.join(format!("{what}-{}.db", self.copies))
    }

    /// Writes a file with mode 0600.
    pub(crate) fn write(path: &Path, bytes: &[u8]) -> Result<(), RemoteError> {
        let mut options = std::fs::OpenOptions::new();
        options.write(true).create_new(true);
        #[cfg(unix)]
        std::os::unix::fs::OpenOptionsExt::mode(&mut options, 0o600);
        options
            .open(path)
            .and_then(|mut file| file.write_all(bytes))
            .map_err(|source| RemoteError::File {
                path: path.to_owned(),
                source,
            })
    }
}

impl Drop for WorkFolder {
    fn drop(&mut self) {
        // What cannot be removed now is removed as a leftover later.
        let _ = std::fs::remove_dir_all(&self.path);
    }
}

fn remove_leftovers(parent: &Path, ours: &Path) {
    let Ok(entries) = std::fs::read_dir(parent) else {
        return;
    };
    for entry in entries.flatten() {
        let path = entry.path();
        // A file that is worked with is younger than its folder; one that is only read is soon done with.
        let newest = std::fs::read_dir(&path)
            .into_iter()
            .flatten()
            .flatten()
            .filter_map(|file| file.metadata().ok()?.modified().ok())
            .chain(entry.metadata().ok().and_then(|data| data.modified().ok()))
            .max();
        let is_old = newest
            .and_then(|newest| newest.elapsed().ok())
            .is_some_and(|age| age > LEFTOVERS_STAY);
        if path != ours && is_old {
            let _ = std::fs::remove_dir_all(&path);
        }
    }
}
