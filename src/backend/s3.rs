//! S3 and what speaks like it: the client, with credentials from where the SDK finds them.

use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use jiff::{SignedDuration, Timestamp};
use object_store::aws::{AmazonS3Builder, AwsCredential, S3ConditionalPut};
use object_store::{BackoffConfig, ClientOptions, CredentialProvider, RetryConfig};
use serde_json::{Map, Value};
use tideform_aws::{Credentials, Keys};
use tideform_remote::{NO_CREDENTIALS, ObjectRemote, RemoteOptions};
use tokio::sync::Mutex;

use super::{Address, BackendError, Workplace};

/// Longest time for a connection to be made.
const CONNECT: Duration = Duration::from_secs(5);
/// Longest time for one request with its answer: a state of a hundred megabytes needs a while.
const REQUEST: Duration = Duration::from_secs(60);
/// Credentials are asked for anew this long before they expire.
const BEFORE_EXPIRY: SignedDuration = SignedDuration::from_secs(120);

pub(super) fn open(address: &Address, workplace: Workplace) -> Result<ObjectRemote, BackendError> {
    let failed = |source: tideform_provider::BoxError| BackendError::Open { source };
    let runtime = tideform_remote::runtime().map_err(|error| failed(error.into()))?;
    let attributes: Map<String, Value> = address
        .backend
        .attributes
        .iter()
        .filter(|(name, _)| {
            [
                "region",
                "profile",
                "assume_role",
                "external_id",
                "session_name",
            ]
            .contains(&name.as_str())
        })
        .map(|(name, value)| (name.clone(), value.clone()))
        .collect();
    // On the runtime that makes the requests: what is found may keep connections for later.
    let credentials = runtime
        .block_on(Credentials::find(&attributes))
        .map_err(|error| failed(error.into()))?;
    let endpoint = match address.backend.attributes.get("endpoint_url") {
        Some(Value::String(url)) => Some(url.clone()),
        _ => std::env::var("AWS_ENDPOINT_URL_S3")
            .ok()
            .filter(|url| !url.is_empty())
            .or_else(|| credentials.endpoint_url().map(str::to_owned)),
    };
    let Some(region) = credentials.region().map(str::to_owned) else {
        return Err(BackendError::Settings {
            kind: address.kind.clone(),
            why: "no region is set: write `region` in the block, or set AWS_REGION".to_owned(),
        });
    };
    let mut builder = AmazonS3Builder::new()
        .with_bucket_name(&address.bucket)
        .with_region(region)
        .with_credentials(Arc::new(FromSdk {
            credentials,
            known: Mutex::default(),
        }))
        .with_conditional_put(S3ConditionalPut::ETagMatch)
        // Uploads whose outcome is unknown are looked into by the protocol; these are for refused connections and 5xx.
        .with_retry(RetryConfig {
            backoff: BackoffConfig {
                init_backoff: Duration::from_millis(200),
                max_backoff: Duration::from_secs(2),
                base: 2.0,
            },
            max_retries: 2,
            retry_timeout: Duration::from_secs(20),
        })
        .with_client_options(
            ClientOptions::new()
                .with_connect_timeout(CONNECT)
                .with_timeout(REQUEST),
        );
    if let Some(url) = &endpoint {
        // Other stores, and servers on this machine, have no name for each bucket.
        builder = builder
            .with_endpoint(url.trim_end_matches('/'))
            .with_virtual_hosted_style_request(false)
            .with_allow_http(url.starts_with("http://"));
    } else {
        builder = builder.with_virtual_hosted_style_request(!address.bucket.contains('.'));
    }
    let store = builder.build().map_err(|error| failed(error.into()))?;
    let mut options = RemoteOptions::new(
        Arc::new(store),
        format!("s3://{}", address.bucket),
        &address.key,
        workplace.folder,
        workplace.id,
        workplace.keep,
    );
    if let Some(time) = workplace.lock_time {
        options.lease = time;
    }
    Ok(ObjectRemote::new(options, runtime)?)
}

/// Credentials as the SDK finds them, kept until shortly before they expire.
#[derive(Debug)]
struct FromSdk {
    credentials: Credentials,
    known: Mutex<Option<(Arc<AwsCredential>, Option<Timestamp>)>>,
}

#[async_trait]
impl CredentialProvider for FromSdk {
    type Credential = AwsCredential;

    async fn get_credential(&self) -> object_store::Result<Arc<AwsCredential>> {
        let mut known = self.known.lock().await;
        if let Some((credential, expires_at)) = &*known {
            let is_good = expires_at.is_none_or(|at| {
                at.saturating_sub(BEFORE_EXPIRY)
                    .is_ok_and(|at| Timestamp::now() < at)
            });
            if is_good {
                return Ok(Arc::clone(credential));
            }
        }
        let keys = self
            .credentials
            .keys()
            .await
            .map_err(|error| object_store::Error::Generic {
                store: "S3",
                source: format!("{NO_CREDENTIALS}: {error}").into(),
            })?;
        let Keys {
            access_key_id,
            secret_access_key,
            session_token,
            expires_at,
        } = keys;
        let credential = Arc::new(AwsCredential {
            key_id: access_key_id,
            secret_key: secret_access_key,
            token: session_token,
        });
        *known = Some((Arc::clone(&credential), expires_at));
        Ok(credential)
    }
}
