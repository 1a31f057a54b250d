//! Files inside the configuration's directory: file, fileexists, and what templatefile reads.

use std::cell::RefCell;
use std::collections::BTreeMap;
use std::path::{Component, Path, PathBuf};
use std::sync::Arc;

use super::{Answer, Call, Fault, Function, Kind, fault, fixed};
use crate::value::Value;

pub(super) const FUNCTIONS: &[Function] = &[
    fixed("file", "file(path)", &[Kind::Text], file),
    fixed("fileexists", "fileexists(path)", &[Kind::Text], |call| {
        Ok(call.files.find(call.text(0)?, 0)?.is_some().into())
    }),
];

/// The largest file that is read.
const MAX_FILE: u64 = 8 << 20;

/// The directory in which functions may read, and what was read so far.
#[derive(Debug, Default)]
pub(crate) struct Files {
    /// Absolute, without links; `None` where nothing may be read.
    root: Option<PathBuf>,
    read: RefCell<BTreeMap<PathBuf, Arc<str>>>,
}

impl Files {
    pub(crate) fn new(directory: &Path) -> Files {
        Files {
            root: directory.canonicalize().ok(),
            read: RefCell::default(),
        }
    }

    /// The files that were read, by their path in the directory: they count for the digest.
    pub(crate) fn read(&self) -> Vec<(String, Arc<str>)> {
        let root = self.root.clone().unwrap_or_default();
        self.read
            .borrow()
            .iter()
            .map(|(path, text)| {
                let name = path.strip_prefix(&root).unwrap_or(path);
                (name.to_string_lossy().into_owned(), text.clone())
            })
            .collect()
    }

    /// The path of a file inside the directory, links followed; `None` where there is none.
    fn find(&self, name: &str, argument: usize) -> Result<Option<PathBuf>, Fault> {
        let outside = "outside of the configuration's directory";
        let Some(root) = &self.root else {
            return fault(argument, "no file can be read here");
        };
        let path = Path::new(name);
        if name.contains('\0') {
            return fault(argument, "holds a NUL byte");
        }
        if !path.is_relative()
            || path
                .components()
                .any(|part| matches!(part, Component::ParentDir | Component::Prefix(_)))
        {
            return fault(argument, outside);
        }
        let Ok(real) = root.join(path).canonicalize() else {
            return Ok(None);
        };
        if !real.starts_with(root) {
            return fault(argument, outside);
        }
        // A pipe or a device would block for ever.
        Ok(real.is_file().then_some(real))
    }

    /// The text of a file inside the directory.
    pub(crate) fn text(&self, name: &str, argument: usize) -> Result<(PathBuf, Arc<str>), Fault> {
        let Some(path) = self.find(name, argument)? else {
            return fault(
                argument,
                "there is no such file in the configuration's directory",
            );
        };
        if let Some(text) = self.read.borrow().get(&path) {
            return Ok((path, text.clone()));
        }
        let size = path.metadata().map_or(0, |metadata| metadata.len());
        if size > MAX_FILE {
            return fault(argument, "the file is larger than 8 MiB");
        }
        let Ok(bytes) = std::fs::read(&path) else {
            return fault(argument, "the file cannot be read");
        };
        let Ok(text) = String::from_utf8(bytes) else {
            return fault(argument, "the file is not UTF-8");
        };
        let text: Arc<str> = text.into();
        self.read.borrow_mut().insert(path.clone(), text.clone());
        Ok((path, text))
    }
}

fn file(call: &Call<'_>) -> Answer {
    let (_, text) = call.files.text(call.text(0)?, 0)?;
    Ok(Value::String(text))
}
