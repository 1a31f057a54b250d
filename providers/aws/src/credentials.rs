//! Credentials for what is reached without the SDK: found where the SDK finds them, so that profiles, single sign-on,
//! web identities and roles work there too.

use aws_config::BehaviorVersion;
use aws_config::Region;
use aws_credential_types::provider::{ProvideCredentials, SharedCredentialsProvider};
use jiff::Timestamp;
use serde_json::{Map, Value};
use tideform_provider::ProviderError;

use crate::client::{of_profile, taken_on};
use crate::error::causes;
use crate::login::{self, Profile};
use crate::settings::AwsSettings;

/// What stands for a call where no call was made yet.
const REQUEST: &str = "credentials";

/// Where credentials come from, and the region and address that go with them.
#[derive(Clone, Debug)]
pub struct Credentials {
    provider: SharedCredentialsProvider,
    profile: Option<String>,
    region: Option<String>,
    endpoint_url: Option<String>,
}

/// Credentials as they are now. `Debug` shows none of them.
#[derive(Clone)]
pub struct Keys {
    /// The access key's id.
    pub access_key_id: String,
    /// The secret key.
    pub secret_access_key: String,
    /// Of temporary credentials.
    pub session_token: Option<String>,
    /// Until when they are good; `None`: not known.
    pub expires_at: Option<Timestamp>,
}

impl std::fmt::Debug for Keys {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Keys").finish_non_exhaustive()
    }
}

impl Credentials {
    /// Finds out where credentials come from. They are asked for with [`Credentials::keys`].
    ///
    /// - `attributes`: `region`, `profile`, `assume_role`, `external_id`, `session_name` as in `provider "aws"`.
    ///
    /// # Errors
    /// `Configuration`: an attribute that cannot be used, or nowhere to find credentials.
    pub async fn find(attributes: &Map<String, Value>) -> Result<Credentials, ProviderError> {
        let settings = AwsSettings::from_attributes(attributes)?;
        let mut loader = aws_config::defaults(BehaviorVersion::latest());
        if let Some(region) = &settings.region {
            loader = loader.region(Region::new(region.clone()));
        }
        if let Some(profile) = &settings.profile {
            loader = loader
                .profile_name(profile)
                .credentials_provider(of_profile(profile, &settings));
        }
        let config = loader.load().await;
        let region = config.region().map(ToString::to_string);
        let endpoint_url = config.endpoint_url().map(str::to_owned);
        let provider = match &settings.assume_role {
            Some(role) => Some(taken_on(role, &settings, &config).await),
            None => config.credentials_provider(),
        };
        Ok(Credentials {
            provider: provider.ok_or_else(|| ProviderError::Configuration {
                message: "there are no credentials: none are configured".to_owned(),
            })?,
            profile: settings.profile,
            region,
            endpoint_url,
        })
    }

    /// The region: the attribute's, else what the SDK's search found.
    pub fn region(&self) -> Option<&str> {
        self.region.as_deref()
    }

    /// The address that the environment or the profile names for all services.
    pub fn endpoint_url(&self) -> Option<&str> {
        self.endpoint_url.as_deref()
    }

    /// Asks for credentials: may call STS, the instance, or a single sign-on. The caller keeps them until they expire.
    ///
    /// # Errors
    /// `Configuration`: there are none. `Denied`, `Unavailable`: they cannot be had, or not now.
    pub async fn keys(&self) -> Result<Keys, ProviderError> {
        let found = self.provider.provide_credentials().await.map_err(|error| {
            let profile = Profile::meant(self.profile.as_deref());
            login::explain(REQUEST, &error, &causes(Some(&error)), &profile)
        })?;
        let expires_at = found
            .expiry()
            .and_then(|expiry| Timestamp::try_from(expiry).ok());
        Ok(Keys {
            access_key_id: found.access_key_id().to_owned(),
            secret_access_key: found.secret_access_key().to_owned(),
            session_token: found.session_token().map(str::to_owned),
            expires_at,
        })
    }
}
