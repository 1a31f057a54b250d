//! Opens the shared state that a `backend` block names. The protocol is `tideform_remote`'s.

#[cfg(feature = "aws")]
mod s3;

use std::path::PathBuf;
use std::time::Duration;

use serde_json::Value;
use thiserror::Error;
use tideform_policies::model::Backend;
use tideform_provider::BoxError;
use tideform_remote::{ObjectRemote, RemoteError};

/// How long requests for the lock pause while another process has it.
pub const ASK_EVERY: Duration = Duration::from_secs(2);

/// Why a shared state cannot be opened. Nothing was read or written.
#[derive(Debug, Error)]
pub enum BackendError {
    /// There is no such backend in this build.
    #[error("backend \"{kind}\" is not in this build: it was made without the feature `aws`")]
    NotInThisBuild {
        /// Its kind.
        kind: String,
    },
    /// The block cannot be used.
    #[error("backend \"{kind}\" cannot be used: {why}")]
    Settings {
        /// Its kind.
        kind: String,
        /// What is wrong.
        why: String,
    },
    /// Credentials or settings of the cloud cannot be found.
    #[error("the shared state cannot be opened")]
    Open {
        /// Why.
        source: BoxError,
    },
}

/// Where a shared state is, with everything that the files left out filled in.
#[derive(Clone, Debug, PartialEq)]
pub struct Address {
    /// `s3`.
    pub kind: String,
    /// The bucket.
    pub bucket: String,
    /// The object's name.
    pub key: String,
    /// The block.
    pub backend: Backend,
}

impl Address {
    /// The address that a block gives a workspace; `None`: the state is a local file.
    ///
    /// # Errors
    /// [`BackendError::Settings`].
    pub fn of(backend: &Backend, workspace: &str) -> Result<Option<Address>, BackendError> {
        let kind = match backend.kind.as_str() {
            "" | "local" => return Ok(None),
            kind => kind.to_owned(),
        };
        let wrong = |why: &str| BackendError::Settings {
            kind: kind.clone(),
            why: why.to_owned(),
        };
        let text = |name: &str| match backend.attributes.get(name) {
            Some(Value::String(text)) if !text.is_empty() => Some(text.clone()),
            _ => None,
        };
        if kind != "s3" {
            return Err(wrong("there is no such backend"));
        }
        let bucket = text("bucket").ok_or_else(|| wrong("`bucket` is not set"))?;
        let key = match (text("key"), text("prefix")) {
            (Some(_), Some(_)) => {
                return Err(wrong(
                    "`key` names the object, so `prefix` means nothing beside it",
                ));
            }
            (Some(key), None) => key,
            (None, prefix) => {
                let prefix = prefix.unwrap_or_else(|| "tideform".to_owned());
                format!("{}/{workspace}.db", prefix.trim_matches('/'))
            }
        };
        if key.starts_with('/') || key.ends_with('/') || key.contains("//") {
            return Err(wrong("`key` is no object's name: take the extra `/` out"));
        }
        Ok(Some(Address {
            kind,
            bucket,
            key,
            backend: backend.clone(),
        }))
    }

    /// Whether both are the same object.
    pub fn is_same(&self, other: &Address) -> bool {
        let store = |address: &Address| address.backend.attributes.get("endpoint_url").cloned();
        (&self.kind, &self.bucket, &self.key, store(self))
            == (&other.kind, &other.bucket, &other.key, store(other))
    }
}

impl std::fmt::Display for Address {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{}://{}/{}", self.kind, self.bucket, self.key)
    }
}

/// What a process brings to a shared state.
#[derive(Clone, Debug)]
pub struct Workplace {
    /// The folder of the working copies.
    pub folder: PathBuf,
    /// A random name for this process.
    pub id: String,
    /// Where a copy is kept that could not be uploaded: the beginning of the file's name.
    pub keep: PathBuf,
    /// How long the lock holds without renewal; `None`: as always.
    pub lock_time: Option<Duration>,
}

/// Opens a shared state. Makes no request to the bucket; may make some to find credentials and region.
///
/// # Errors
/// [`BackendError`].
pub fn open(address: &Address, workplace: Workplace) -> Result<ObjectRemote, BackendError> {
    #[cfg(feature = "aws")]
    {
        s3::open(address, workplace)
    }
    #[cfg(not(feature = "aws"))]
    {
        let _ = workplace;
        Err(BackendError::NotInThisBuild {
            kind: address.kind.clone(),
        })
    }
}

impl From<RemoteError> for BackendError {
    fn from(error: RemoteError) -> BackendError {
        BackendError::Open {
            source: error.into(),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn backend(attributes: &[(&str, &str)]) -> Backend {
        Backend {
            kind: "s3".to_owned(),
            attributes: attributes
                .iter()
                .map(|(name, value)| ((*name).to_owned(), Value::from(*value)))
                .collect(),
        }
    }

    #[test]
    fn the_object_is_named_by_key_or_by_prefix_and_workspace() {
        type Row<'a> = (&'a [(&'a str, &'a str)], Result<&'a str, &'a str>);
        let rows: [Row<'_>; 6] = [
            (&[("bucket", "b")], Ok("s3://b/tideform/shop.db")),
            (
                &[("bucket", "b"), ("prefix", "a/b/")],
                Ok("s3://b/a/b/shop.db"),
            ),
            (&[("bucket", "b"), ("key", "x.db")], Ok("s3://b/x.db")),
            (
                &[("bucket", "b"), ("key", "x.db"), ("prefix", "a")],
                Err("prefix"),
            ),
            (&[("bucket", "b"), ("key", "/x.db")], Err("`/`")),
            (&[("key", "x.db")], Err("bucket")),
        ];
        for (attributes, expected) in rows {
            let found = Address::of(&backend(attributes), "shop");
            match expected {
                Ok(name) => assert_eq!(found.unwrap().unwrap().to_string(), name),
                Err(word) => {
                    let error = found.unwrap_err().to_string();
                    assert!(error.contains(word), "{error}");
                }
            }
        }
        assert_eq!(Address::of(&Backend::default(), "shop").unwrap(), None);
    }
}
