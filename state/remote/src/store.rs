//! Objects with conditions: an upload either is known to be there, or is known not to be, or is reported as unknown.
//!
//! Each upload carries a token of its own. An answer that was lost is found out by reading the token back.

use std::sync::Arc;
use std::time::Duration;

use jiff::Timestamp;
use object_store::path::Path;
use object_store::{
    Attribute, AttributeValue, Attributes, Error, GetOptions, ObjectStore, PutMode, PutOptions,
    UpdateVersion,
};
use sha2::{Digest, Sha256};

use crate::error::RemoteError;

/// Times that a request is tried, beside what the store's own client repeats.
const TRIES: u32 = 4;

const TOKEN: &str = "tideform-token";
const DIGEST: &str = "tideform-sha256";

/// A bucket, or its like.
#[derive(Clone, Debug)]
pub(crate) struct Objects {
    store: Arc<dyn ObjectStore>,
    /// `s3://bucket`: for messages.
    place: String,
    pause: Duration,
}

/// An object as it was read.
#[derive(Clone, Debug)]
pub(crate) struct Object {
    pub(crate) bytes: Vec<u8>,
    pub(crate) version: UpdateVersion,
    /// By the store's clock.
    pub(crate) modified: Timestamp,
    token: Option<String>,
    digest: Option<String>,
}

/// What a read found.
#[derive(Debug)]
pub(crate) enum Found {
    Absent,
    /// Still the version that was asked about.
    Same,
    Object(Box<Object>),
}

/// What an upload asks of what is there.
#[derive(Clone, Debug)]
pub(crate) enum Condition {
    Absent,
    Version(UpdateVersion),
    None,
}

/// An upload's outcome where nothing failed.
#[derive(Clone, Debug)]
pub(crate) enum Put {
    Done(UpdateVersion),
    /// The condition does not hold. Nothing was written.
    Refused {
        is_there: bool,
    },
}

impl Objects {
    /// - `pause`: between the first two tries of a request; doubled each time.
    pub(crate) fn new(store: Arc<dyn ObjectStore>, place: String, pause: Duration) -> Objects {
        Objects {
            store,
            place,
            pause,
        }
    }

    pub(crate) fn name(&self, path: &Path) -> String {
        format!("{}/{path}", self.place)
    }

    /// Reads an object; `unless` it still has this version. Bytes that are not what was uploaded are read again.
    pub(crate) async fn get(
        &self,
        path: &Path,
        unless: Option<&UpdateVersion>,
    ) -> Result<Found, RemoteError> {
        let mut tries = 1;
        loop {
            let problem = match self.get_once(path, unless, false).await {
                Ok(Found::Object(object)) => match object.problem() {
                    None => return Ok(Found::Object(object)),
                    Some(problem) => RemoteError::Damaged {
                        object: self.name(path),
                        problem,
                    },
                },
                Ok(found) => return Ok(found),
                Err(error) => {
                    let explained = self.explain("s3:GetObject", path, &error);
                    if !may_pass(&error) {
                        return Err(explained);
                    }
                    explained
                }
            };
            if tries == TRIES {
                return Err(problem);
            }
            self.wait(tries).await;
            tries += 1;
        }
    }

    /// The version that is there, without its bytes.
    pub(crate) async fn version(&self, path: &Path) -> Result<Option<UpdateVersion>, RemoteError> {
        match self.head(path).await {
            Ok(found) => Ok(found.map(|found| found.version)),
            Err(error) => Err(self.explain("s3:GetObject", path, &error)),
        }
    }

    /// The object without its bytes.
    async fn head(&self, path: &Path) -> Result<Option<Object>, Error> {
        match self.get_once(path, None, true).await? {
            Found::Object(object) => Ok(Some(*object)),
            Found::Absent | Found::Same => Ok(None),
        }
    }

    async fn get_once(
        &self,
        path: &Path,
        unless: Option<&UpdateVersion>,
        head: bool,
    ) -> Result<Found, Error> {
        let options = GetOptions {
            if_none_match: unless.and_then(|version| version.e_tag.clone()),
            head,
            ..GetOptions::default()
        };
        let answer = match self.store.get_opts(path, options).await {
            Ok(answer) => answer,
            // A missing bucket is one of these too, with its own code.
            Err(Error::NotFound { source, .. }) if !says_no_bucket(&chain(&*source)) => {
                return Ok(Found::Absent);
            }
            Err(Error::NotModified { .. }) => return Ok(Found::Same),
            Err(error) => return Err(error),
        };
        let text = |name: &'static str| {
            let value = answer.attributes.get(&Attribute::Metadata(name.into()))?;
            Some(value.to_string())
        };
        let (token, digest) = (text(TOKEN), text(DIGEST));
        let version = UpdateVersion {
            e_tag: answer.meta.e_tag.clone(),
            version: answer.meta.version.clone(),
        };
        let modified = Timestamp::from_millisecond(answer.meta.last_modified.timestamp_millis())
            .unwrap_or(Timestamp::UNIX_EPOCH);
        let bytes = match head {
            true => Vec::new(),
            false => answer.bytes().await?.to_vec(),
        };
        Ok(Found::Object(Box::new(Object {
            bytes,
            version,
            modified,
            token,
            digest,
        })))
    }

    /// Uploads an object. Tried again while its outcome is unknown and the condition still holds.
    ///
    /// - `token`: drawn for this upload alone.
    pub(crate) async fn put(
        &self,
        path: &Path,
        bytes: &[u8],
        token: &str,
        condition: &Condition,
    ) -> Result<Put, RemoteError> {
        let mut attributes = Attributes::new();
        let mut set = |name: &'static str, value: String| {
            attributes.insert(
                Attribute::Metadata(name.into()),
                AttributeValue::from(value),
            );
        };
        set(TOKEN, token.to_owned());
        set(DIGEST, digest_of(bytes));
        let options = PutOptions {
            mode: match condition {
                Condition::Absent => PutMode::Create,
                Condition::Version(version) => PutMode::Update(version.clone()),
                Condition::None => PutMode::Overwrite,
            },
            attributes,
            ..PutOptions::default()
        };
        let mut tries = 1;
        loop {
            let payload = bytes.to_vec().into();
            let error = match self.store.put_opts(path, payload, options.clone()).await {
                Ok(result) => {
                    return Ok(Put::Done(UpdateVersion {
                        e_tag: result.e_tag,
                        version: result.version,
                    }));
                }
                Err(error) => error,
            };
            let is_refused = matches!(
                error,
                Error::AlreadyExists { .. } | Error::Precondition { .. }
            );
            if !is_refused && !may_pass(&error) {
                return Err(self.explain("s3:PutObject", path, &error));
            }
            // The answer may be lost and the upload there: a refusal may be our own earlier try's doing.
            match self.head(path).await {
                Ok(Some(found)) if found.token.as_deref() == Some(token) => {
                    return Ok(Put::Done(found.version));
                }
                Ok(found) => {
                    let is_there = found.is_some();
                    let holds = match (condition, &found) {
                        (Condition::None, _) | (Condition::Absent, None) => true,
                        (Condition::Version(wanted), Some(found)) => {
                            wanted.e_tag == found.version.e_tag
                        }
                        (Condition::Absent, Some(_)) | (Condition::Version(_), None) => false,
                    };
                    // Refused, though it now holds: it did not a moment ago, or two came at once. Ours to try again.
                    if !holds {
                        return Ok(Put::Refused { is_there });
                    }
                }
                Err(_) if is_refused => return Ok(Put::Refused { is_there: true }),
                Err(_) => {}
            }
            if tries == TRIES {
                return Err(self.explain("s3:PutObject", path, &error));
            }
            self.wait(tries).await;
            tries += 1;
        }
    }

    /// The store's time: what it writes on an object that is put now.
    pub(crate) async fn now(&self, path: &Path, token: &str) -> Result<Timestamp, RemoteError> {
        self.put(path, b"clock", token, &Condition::None).await?;
        match self.head(path).await {
            Ok(Some(found)) => Ok(found.modified),
            Ok(None) => Err(RemoteError::Gone {
                object: self.name(path),
            }),
            Err(error) => Err(self.explain("s3:GetObject", path, &error)),
        }
    }

    async fn wait(&self, tries: u32) {
        tokio::time::sleep(self.pause * 2_u32.pow(tries - 1)).await;
    }

    fn explain(&self, action: &'static str, path: &Path, error: &Error) -> RemoteError {
        let object = self.name(path);
        let message = chain(error);
        let is_denied = matches!(
            error,
            Error::PermissionDenied { .. } | Error::Unauthenticated { .. }
        ) || [
            "ExpiredToken",
            "InvalidToken",
            "InvalidAccessKeyId",
            "AccessDenied",
        ]
        .iter()
        .any(|code| message.contains(code));
        if says_no_bucket(&message) {
            RemoteError::NoBucket { object }
        } else if is_denied || message.contains(NO_CREDENTIALS) {
            RemoteError::Denied {
                action,
                object,
                message: short(&message),
            }
        } else {
            RemoteError::Unreachable {
                action,
                object,
                message: short(&message),
            }
        }
    }
}

/// What an error of a credential provider says of itself, so that it is told from a store that fails.
pub const NO_CREDENTIALS: &str = "no credentials";

impl Object {
    /// Where the bytes are not those that were uploaded.
    fn problem(&self) -> Option<String> {
        let digest = self.digest.as_ref()?;
        (*digest != digest_of(&self.bytes))
            .then(|| "what arrived is not what was uploaded: its checksum differs".to_owned())
    }
}

fn digest_of(bytes: &[u8]) -> String {
    Sha256::digest(bytes)
        .iter()
        .map(|byte| format!("{byte:02x}"))
        .collect()
}

/// Whether another try may go better.
fn may_pass(error: &Error) -> bool {
    match error {
        Error::Generic { .. } => {
            let message = chain(error);
            ![
                "ExpiredToken",
                "InvalidToken",
                "InvalidAccessKeyId",
                NO_CREDENTIALS,
            ]
            .iter()
            .any(|code| message.contains(code))
        }
        // Everything else says for itself that it stays so.
        _ => false,
    }
}

fn says_no_bucket(message: &str) -> bool {
    message.contains("NoSuchBucket")
}

/// An error and its causes, each once.
fn chain(error: &(dyn std::error::Error + 'static)) -> String {
    let mut text = error.to_string();
    let mut cause = error.source();
    while let Some(next) = cause {
        let more = next.to_string();
        if !text.contains(&more) {
            text.push_str(": ");
            text.push_str(&more);
        }
        cause = next.source();
    }
    text
}

/// S3 answers in XML: its code and message are enough.
fn short(message: &str) -> String {
    let inside = |tag: &str| {
        let start = message.find(&format!("<{tag}>"))? + tag.len() + 2;
        let end = message.get(start..)?.find(&format!("</{tag}>"))?;
        message.get(start..start + end)
    };
    match (inside("Code"), inside("Message")) {
        (Some(code), Some(text)) => format!("{code}: {text}"),
        (Some(code), None) => code.to_owned(),
        _ => {
            let line: String = message.split_whitespace().collect::<Vec<_>>().join(" ");
            // Of the client's own words; what is behind them says more.
            let line = line
                .trim_start_matches("Generic S3 error: ")
                .trim_start_matches("no credentials: ")
                .to_owned();
            match line.char_indices().nth(300) {
                Some((end, _)) => format!("{}...", line.get(..end).unwrap_or_default()),
                None => line,
            }
        }
    }
}
