//! Where the state of a workspace is.
//!
//! The files name the workspace and the backend. Commands that run from the state must work while the files have
//! errors, or are not there, so `init` and `apply` leave a small pointer, `.tideform/current.json`: which workspace
//! was used last, and where each one's state is. Those commands read the pointer and never the files.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use serde::{Deserialize, Serialize};
use tideform_policies::model::{Backend, Settings};

use super::args::VariableArgs;
use super::context::{Context, DEFAULT_WORKSPACE};
use super::error::CliError;
use crate::backend::Address;

/// The folder beside the files that holds states, pointer and the mock's worlds.
pub(super) const FOLDER: &str = ".tideform";
const POINTER: &str = "current.json";

/// A workspace and where its state is.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct Place {
    /// The workspace.
    pub(super) workspace: String,
    /// Where.
    pub(super) at: Where,
}

/// Where a state is.
#[derive(Clone, Debug, PartialEq)]
pub(super) enum Where {
    /// A file, to be opened from the working directory.
    File(PathBuf),
    /// An object that several machines share.
    Shared(Address),
}

impl Place {
    /// Whether there may be a state: of a shared one only a look tells.
    pub(super) fn may_exist(&self) -> bool {
        match &self.at {
            Where::File(path) => path.exists(),
            Where::Shared(_) => true,
        }
    }
}

impl std::fmt::Display for Where {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Where::File(path) => path.display().fmt(f),
            Where::Shared(address) => address.fmt(f),
        }
    }
}

/// The pointer file.
#[derive(Debug, Serialize, Deserialize)]
struct Pointer {
    format_version: u32,
    /// The workspace that was used last.
    current: String,
    /// The state's path by workspace, relative to the directory unless it is absolute.
    states: BTreeMap<String, PathBuf>,
    /// The backend of those whose state is shared.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    backends: BTreeMap<String, Backend>,
}

impl Pointer {
    /// Where a workspace's state is; `None`: it does not say.
    fn place(&self, directory: &Path, workspace: &str) -> Result<Option<Where>, CliError> {
        if let Some(backend) = self.backends.get(workspace) {
            return Ok(Address::of(backend, workspace)?.map(Where::Shared));
        }
        Ok(self
            .states
            .get(workspace)
            .map(|path| Where::File(directory.join(path))))
    }
}

impl Context {
    /// The place that the files name; `--workspace` and `TIDEFORM_WORKSPACE` are stronger.
    ///
    /// - `state`: `--state FILE`, which takes the place of the backend's.
    ///
    /// # Errors
    /// A workspace name or backend that cannot be used.
    pub(super) fn place_of(
        &self,
        settings: &Settings,
        state: Option<&Path>,
    ) -> Result<Place, CliError> {
        let place = self.place_in_files(settings, state)?;
        if state.is_none()
            && let Ok(Some(old)) = self.recorded_place(&place.workspace)
            && is_another(&old, &place.at)
        {
            return Err(CliError::BackendChanged {
                old: old.to_string(),
                new: place.at.to_string(),
            });
        }
        Ok(place)
    }

    /// The same, whatever place was used before: for `init`, which moves states.
    ///
    /// # Errors
    /// A workspace name or backend that cannot be used.
    pub(super) fn place_in_files(
        &self,
        settings: &Settings,
        state: Option<&Path>,
    ) -> Result<Place, CliError> {
        let workspace = self.workspace(settings.workspace.as_deref())?;
        let at = match state {
            Some(path) => Where::File(path.to_owned()),
            None => match Address::of(&settings.backend, &workspace)? {
                Some(address) => Where::Shared(address),
                None => Where::File(
                    self.directory()
                        .join(relative_path(&settings.backend, &workspace)),
                ),
            },
        };
        Ok(Place { workspace, at })
    }

    /// Where the state of a workspace was when it was last used here; `None`: it never was.
    ///
    /// # Errors
    /// The pointer cannot be read.
    pub(super) fn recorded_place(&self, workspace: &str) -> Result<Option<Where>, CliError> {
        match self.read_pointer()? {
            Some(pointer) => pointer.place(self.directory(), workspace),
            None => Ok(None),
        }
    }

    /// The place that was used last: for commands that run from the state. Where nothing was used yet, as on a runner
    /// with a fresh checkout, it is the shared state that the files name.
    ///
    /// # Errors
    /// Nothing was ever applied here, or the pointer cannot be read.
    pub(super) fn last_place(&self, state: Option<&Path>) -> Result<Place, CliError> {
        self.need_directory()?;
        let pointer = self.read_pointer()?;
        let known = pointer.as_ref().map(|pointer| pointer.current.as_str());
        let workspace = self.workspace(known)?;
        if let Some(path) = state {
            return Ok(Place {
                workspace,
                at: Where::File(path.to_owned()),
            });
        }
        if let Some(pointer) = &pointer
            && let Some(at) = pointer.place(self.directory(), &workspace)?
        {
            return Ok(Place { workspace, at });
        }
        if let Some(place) = self.shared_place_in_files()? {
            return Ok(place);
        }
        let place = Place {
            at: Where::File(self.directory().join(default_path(&workspace))),
            workspace,
        };
        if pointer.is_none() && !place.may_exist() {
            return Err(CliError::NothingApplied(self.directory().to_owned()));
        }
        Ok(place)
    }

    /// The shared state that the files name, whatever else is wrong with them; `None`: they name none.
    fn shared_place_in_files(&self) -> Result<Option<Place>, CliError> {
        let (configuration, _) = self.read(&VariableArgs::default(), None)?;
        let settings = configuration.settings;
        if matches!(settings.backend.kind.as_str(), "" | "local") {
            return Ok(None);
        }
        self.place_in_files(&settings, None).map(Some)
    }

    fn read_pointer(&self) -> Result<Option<Pointer>, CliError> {
        let path = self.directory().join(FOLDER).join(POINTER);
        let text = match std::fs::read_to_string(&path) {
            Ok(text) => text,
            Err(error) if error.kind() == std::io::ErrorKind::NotFound => return Ok(None),
            Err(source) => {
                return Err(CliError::File {
                    verb: "read",
                    path,
                    source,
                });
            }
        };
        match serde_json::from_str::<Pointer>(&text) {
            Ok(pointer) if pointer.format_version == 1 => Ok(Some(pointer)),
            Ok(_) | Err(_) => Err(CliError::BadPointer(path)),
        }
    }

    /// Remembers a place as the one used last. A pointer that cannot be read is written anew.
    ///
    /// # Errors
    /// The file cannot be written.
    pub(super) fn remember_place(
        &self,
        place: &Place,
        settings: &Settings,
    ) -> Result<(), CliError> {
        let (mut states, mut backends) = match self.read_pointer() {
            Ok(Some(pointer)) => (pointer.states, pointer.backends),
            Ok(None) | Err(_) => (BTreeMap::new(), BTreeMap::new()),
        };
        let workspace = place.workspace.clone();
        if Address::of(&settings.backend, &workspace)?.is_some() {
            states.remove(&workspace);
            backends.insert(workspace, settings.backend.clone());
        } else {
            backends.remove(&workspace);
            let path = relative_path(&settings.backend, &workspace);
            states.insert(workspace, path);
        }
        let pointer = Pointer {
            format_version: 1,
            current: place.workspace.clone(),
            states,
            backends,
        };
        let folder = self.directory().join(FOLDER);
        let path = folder.join(POINTER);
        let text = serde_json::to_string_pretty(&pointer).unwrap_or_default() + "\n";
        let is_same = std::fs::read_to_string(&path).is_ok_and(|old| old == text);
        if is_same {
            return Ok(());
        }
        // Written beside and renamed: a reader sees the old pointer or the new one.
        let beside = folder.join(format!("{POINTER}.{}", std::process::id()));
        std::fs::create_dir_all(&folder)
            .and_then(|()| std::fs::write(&beside, text))
            .and_then(|()| std::fs::rename(&beside, &path))
            .map_err(|source| CliError::File {
                verb: "written",
                path,
                source,
            })
    }
}

fn default_path(workspace: &str) -> PathBuf {
    Path::new(FOLDER).join(format!("{workspace}.db"))
}

/// The file of a local state, relative to the directory unless it is absolute.
fn relative_path(backend: &Backend, workspace: &str) -> PathBuf {
    match backend.attributes.get("path") {
        Some(serde_json::Value::String(path)) if !path.is_empty() => PathBuf::from(path),
        _ => {
            debug_assert!(!workspace.is_empty() || workspace == DEFAULT_WORKSPACE);
            default_path(workspace)
        }
    }
}

/// Whether a state that was used here would be left behind by going on with another place. One file in place of another
/// is the operator's own doing; a file that is gone leaves nothing behind.
fn is_another(old: &Where, new: &Where) -> bool {
    match (old, new) {
        (Where::File(_), Where::File(_)) => false,
        (Where::File(path), Where::Shared(_)) => path.exists(),
        (Where::Shared(_), Where::File(_)) => true,
        (Where::Shared(old), Where::Shared(new)) => !old.is_same(new),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_path_of_the_backend_is_taken() {
        let mut backend = Backend::default();
        assert_eq!(
            relative_path(&backend, "shop"),
            Path::new(".tideform/shop.db")
        );
        backend
            .attributes
            .insert("path".to_owned(), "states/x.db".into());
        assert_eq!(relative_path(&backend, "shop"), Path::new("states/x.db"));
    }
}
