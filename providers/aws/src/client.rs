//! The SDK's clients: credentials, region, time limits and retries. It makes no call but the one that says who we are.

use std::sync::Arc;
use std::time::Duration;

use aws_config::profile::ProfileFileCredentialsProvider;
use aws_config::provider_config::ProviderConfig;
use aws_config::retry::RetryConfig;
use aws_config::timeout::TimeoutConfig;
use aws_config::{BehaviorVersion, Region, SdkConfig};
use aws_credential_types::provider::SharedCredentialsProvider;
use aws_sdk_autoscaling::config::retry::RetryPartition;
use tideform_provider::{Clock, Identity, ProviderError};

use crate::answers::{WholeCbor, WholeXml};
use crate::error::describe_first;
use crate::settings::AwsSettings;

/// Longest time for a connection to be made.
const CONNECT: Duration = Duration::from_secs(3);
/// Attempts of a read. `max_attempts` and `AWS_MAX_ATTEMPTS` are stronger, in this order.
const ATTEMPTS: u32 = 4;

/// The clients of one account and region.
#[derive(Clone)]
pub(crate) struct Clients {
    /// For reads: repeated by the SDK.
    pub(crate) autoscaling: aws_sdk_autoscaling::Client,
    /// For writes: one attempt a call.
    pub(crate) autoscaling_writer: aws_sdk_autoscaling::Client,
    pub(crate) cloudwatch: aws_sdk_cloudwatch::Client,
    /// For alarms: one attempt a call.
    pub(crate) cloudwatch_writer: aws_sdk_cloudwatch::Client,
    pub(crate) ec2: aws_sdk_ec2::Client,
    pub(crate) elb: aws_sdk_elasticloadbalancingv2::Client,
    pub(crate) identity: Identity,
    /// For waits between tries.
    pub(crate) clock: Arc<dyn Clock>,
}

impl Clients {
    /// Finds credentials and region, and asks who we are: the one call that proves the credentials.
    ///
    /// # Errors
    /// `Configuration` without region or credentials, or in an account that is not allowed; else what the call said.
    pub(crate) async fn connect(
        settings: &AwsSettings,
        credentials: Option<&SharedCredentialsProvider>,
        clock: &Arc<dyn Clock>,
    ) -> Result<Clients, ProviderError> {
        let config = configuration(settings, credentials).await?;
        let region = config.region().map(ToString::to_string).ok_or_else(|| {
            ProviderError::Configuration {
                message: "no region is set: write `region` in provider \"aws\", or set AWS_REGION"
                    .to_owned(),
            }
        })?;
        let account = account(&config, settings.profile.as_deref()).await?;
        if !settings.allowed_account_ids.is_empty()
            && !settings.allowed_account_ids.contains(&account)
        {
            return Err(ProviderError::Configuration {
                message: format!(
                    "these credentials belong to account {account}, and allowed_account_ids has only {}: \
                     use another profile, or add the account",
                    settings.allowed_account_ids.join(", ")
                ),
            });
        }
        // AWS counts requests by account and region: whoever is throttled in one slows nobody down in another.
        let partition =
            |service: &str| RetryPartition::new(format!("{service} {account} {region}"));
        let autoscaling = || {
            aws_sdk_autoscaling::config::Builder::from(&config)
                .retry_partition(partition("autoscaling"))
                .interceptor(WholeXml)
        };
        let cloudwatch = || {
            aws_sdk_cloudwatch::config::Builder::from(&config)
                .retry_partition(partition("cloudwatch"))
                .interceptor(WholeCbor)
        };
        Ok(Clients {
            autoscaling: aws_sdk_autoscaling::Client::from_conf(autoscaling().build()),
            autoscaling_writer: aws_sdk_autoscaling::Client::from_conf(
                autoscaling().retry_config(RetryConfig::disabled()).build(),
            ),
            cloudwatch: aws_sdk_cloudwatch::Client::from_conf(cloudwatch().build()),
            cloudwatch_writer: aws_sdk_cloudwatch::Client::from_conf(
                cloudwatch().retry_config(RetryConfig::disabled()).build(),
            ),
            ec2: aws_sdk_ec2::Client::from_conf(
                aws_sdk_ec2::config::Builder::from(&config)
                    .retry_partition(partition("ec2"))
                    .interceptor(WholeXml)
                    .build(),
            ),
            elb: aws_sdk_elasticloadbalancingv2::Client::from_conf(
                aws_sdk_elasticloadbalancingv2::config::Builder::from(&config)
                    .retry_partition(partition("elasticloadbalancing"))
                    .interceptor(WholeXml)
                    .build(),
            ),
            identity: Identity { account, region },
            clock: Arc::clone(clock),
        })
    }
}

/// Adaptive retries within bounded time: a throttled account slows the client down instead of being asked harder.
fn retries(settings: &AwsSettings) -> RetryConfig {
    let attempts = settings.max_attempts.unwrap_or_else(|| {
        std::env::var("AWS_MAX_ATTEMPTS")
            .ok()
            .and_then(|text| text.parse().ok())
            .filter(|attempts| *attempts > 0)
            .unwrap_or(ATTEMPTS)
    });
    RetryConfig::adaptive()
        .with_max_attempts(attempts)
        .with_max_backoff(Duration::from_secs(5))
}

/// - `credentials`: in place of what the SDK's own search would find.
async fn configuration(
    settings: &AwsSettings,
    credentials: Option<&SharedCredentialsProvider>,
) -> Result<SdkConfig, ProviderError> {
    let timeouts = TimeoutConfig::builder()
        .connect_timeout(CONNECT.min(settings.timeout / 2))
        // A write is one attempt, and a read that hangs once is asked again.
        .operation_attempt_timeout(settings.timeout / 2)
        .operation_timeout(settings.timeout)
        .build();
    let mut loader = aws_config::defaults(BehaviorVersion::latest())
        .retry_config(retries(settings))
        .timeout_config(timeouts);
    if let Some(region) = &settings.region {
        loader = loader.region(Region::new(region.clone()));
    }
    if let Some(profile) = &settings.profile {
        loader = loader
            .profile_name(profile)
            .credentials_provider(of_profile(profile, settings));
    }
    if let Some(url) = &settings.endpoint_url {
        loader = loader.endpoint_url(url);
    }
    if let Some(credentials) = credentials {
        loader = loader.credentials_provider(credentials.clone());
    }
    let config = loader.load().await;
    let Some(role) = &settings.assume_role else {
        return Ok(config);
    };
    let provider = taken_on(role, settings, &config).await;
    Ok(config.into_builder().credentials_provider(provider).build())
}

/// The credentials of a profile that the files name. The SDK's own search would take keys of the environment before them,
/// and work in another account than the one that is meant.
pub(crate) fn of_profile(profile: &str, settings: &AwsSettings) -> SharedCredentialsProvider {
    let region = settings.region.clone().map(Region::new);
    let provider = ProfileFileCredentialsProvider::builder()
        .configure(&ProviderConfig::default().with_region(region))
        .profile_name(profile)
        .build();
    SharedCredentialsProvider::new(provider)
}

/// The credentials of a role, taken on with those of `config`.
pub(crate) async fn taken_on(
    role: &str,
    settings: &AwsSettings,
    config: &SdkConfig,
) -> SharedCredentialsProvider {
    let mut provider = aws_config::sts::AssumeRoleProvider::builder(role)
        .session_name(settings.session_name.as_deref().unwrap_or("tideform"))
        .configure(config);
    if let Some(id) = &settings.external_id {
        provider = provider.external_id(id);
    }
    SharedCredentialsProvider::new(provider.build().await)
}

/// - `profile`: what the provider's block names.
async fn account(config: &SdkConfig, profile: Option<&str>) -> Result<String, ProviderError> {
    let config = aws_sdk_sts::config::Builder::from(config)
        .interceptor(WholeXml)
        .build();
    let answer = aws_sdk_sts::Client::from_conf(config)
        .get_caller_identity()
        .send()
        .await
        .map_err(|error| describe_first("sts:GetCallerIdentity", error, profile))?;
    answer.account.ok_or_else(|| ProviderError::Unavailable {
        request: "sts:GetCallerIdentity",
        message: "the answer names no account".to_owned(),
    })
}
