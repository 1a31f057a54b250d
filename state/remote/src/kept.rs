//! A note beside a copy that could not be uploaded: of what it was to become the next version.

use std::path::{Path, PathBuf};

use object_store::UpdateVersion;
use serde::{Deserialize, Serialize};

/// The note.
#[derive(Debug, Serialize, Deserialize)]
pub(crate) struct Kept {
    /// `s3://bucket/key`.
    object: String,
    e_tag: Option<String>,
    version: Option<String>,
}

impl Kept {
    pub(crate) fn write(copy: &Path, object: &str, base: Option<&UpdateVersion>) {
        let note = Kept {
            object: object.to_owned(),
            e_tag: base.and_then(|base| base.e_tag.clone()),
            version: base.and_then(|base| base.version.clone()),
        };
        if let Ok(text) = serde_json::to_string_pretty(&note) {
            let _ = std::fs::write(note_of(copy), text);
        }
    }

    pub(crate) fn read(copy: &Path) -> Option<Kept> {
        serde_json::from_str(&std::fs::read_to_string(note_of(copy)).ok()?).ok()
    }

    /// The version that the copy was made from, where it was one of this object.
    pub(crate) fn version(self, object: &str) -> Option<UpdateVersion> {
        (self.object == object && self.e_tag.is_some()).then_some(UpdateVersion {
            e_tag: self.e_tag,
            version: self.version,
        })
    }

    pub(crate) fn forget(copy: &Path) {
        let _ = std::fs::remove_file(note_of(copy));
    }
}

fn note_of(copy: &Path) -> PathBuf {
    let mut name = copy.as_os_str().to_owned();
    name.push(".json");
    PathBuf::from(name)
}
