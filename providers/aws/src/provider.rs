//! AWS as a provider: the trait's calls, each handed to its module.

use std::sync::Arc;

use async_trait::async_trait;
use aws_credential_types::provider::SharedCredentialsProvider;
use serde_json::{Map, Value};
use tideform_policies::model::{Controller, Group, InstanceId, Resource};
use tideform_provider::{
    Capabilities, Clock, ControlContext, ControlSpec, GroupChange, GroupFilter, GroupRequest,
    GroupSpec, Identity, Imported, ItemResult, LiveGroup, MetricRequest, MetricResponse, Owner,
    PriceRequest, Prices, Provider, ProviderError, SystemClock, Unsupported,
};
use tokio::sync::OnceCell;

use crate::client::Clients;
use crate::metrics::targets::Target;
use crate::settings::AwsSettings;
use crate::{KIND, check, import, metrics, native, prices, read, write};

/// Amazon EC2 Auto Scaling groups, through the SDK.
pub struct AwsProvider {
    settings: AwsSettings,
    clock: Arc<dyn Clock>,
    /// In place of those that the SDK's own search would find.
    credentials: Option<SharedCredentialsProvider>,
    /// Made at the first call: opening a provider makes none.
    clients: OnceCell<Clients>,
}

impl AwsProvider {
    /// Takes the settings of a `provider "aws"` block. No call is made yet.
    ///
    /// # Errors
    /// `Configuration`: settings of the wrong type.
    pub fn open(settings: &Map<String, Value>) -> Result<AwsProvider, ProviderError> {
        Ok(AwsProvider {
            settings: AwsSettings::from_attributes(settings)?,
            clock: Arc::new(SystemClock),
            credentials: None,
            clients: OnceCell::new(),
        })
    }

    /// As [`AwsProvider::open`], for programs that have credentials from elsewhere: the environment and the shared files
    /// are not searched for any. A role to assume is assumed with these.
    ///
    /// # Errors
    /// `Configuration`: settings of the wrong type.
    pub fn with_credentials(
        settings: &Map<String, Value>,
        credentials: SharedCredentialsProvider,
    ) -> Result<AwsProvider, ProviderError> {
        Ok(AwsProvider {
            credentials: Some(credentials),
            ..AwsProvider::open(settings)?
        })
    }

    /// With another clock than the machine's: what is read is of its time, and throttled calls wait by it.
    #[must_use]
    pub fn with_clock(self, clock: Arc<dyn Clock>) -> AwsProvider {
        AwsProvider { clock, ..self }
    }

    /// Where the traffic of a group comes from.
    async fn target(&self, live: Option<&LiveGroup>) -> Result<Option<Target>, ProviderError> {
        let Some(arn) = metrics::targets::arn(live) else {
            return Ok(None);
        };
        let clients = self.clients().await?;
        let mut found = metrics::targets::targets(clients, std::slice::from_ref(&arn)).await?;
        Ok(found.remove(&arn))
    }

    async fn clients(&self) -> Result<&Clients, ProviderError> {
        self.clients
            .get_or_try_init(|| {
                Clients::connect(&self.settings, self.credentials.as_ref(), &self.clock)
            })
            .await
    }
}

impl std::fmt::Debug for AwsProvider {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("AwsProvider")
            .field("settings", &self.settings)
            .finish_non_exhaustive()
    }
}

fn for_each<T>(count: usize, error: &ProviderError) -> Vec<ItemResult<T>> {
    (0..count).map(|_| Err(error.again())).collect()
}

#[async_trait]
impl Provider for AwsProvider {
    fn capabilities(&self) -> Capabilities {
        Capabilities {
            resource_kinds: vec![KIND.to_owned()],
            metric_names: metrics::names::NAMES
                .iter()
                .map(|&name| name.to_owned())
                .collect(),
            per_instance_metrics: false,
            chooses_victims: true,
            has_lifecycles: true,
            native_control: true,
            creates: true,
            // Split here into calls of 100: listing policies pays once for all groups of a read.
            groups_per_read: 10_000,
            metrics_per_read: 10_000,
            metric_history: Some(metrics::history()),
        }
    }

    async fn identity(&self) -> Result<Identity, ProviderError> {
        Ok(self.clients().await?.identity.clone())
    }

    fn check(&self, group: &Group) -> Vec<Unsupported> {
        check::check(group)
    }

    async fn controls(
        &self,
        group: &Group,
        context: &ControlContext<'_>,
    ) -> Result<Vec<ControlSpec>, Vec<Unsupported>> {
        if group.controller != Controller::Native {
            return Ok(Vec::new());
        }
        let failed = |error: ProviderError| {
            vec![Unsupported {
                path: "controller".to_owned(),
                what: format!("the load balancer of the group could not be looked up: {error}"),
                help: "Try again, or give the permission.".to_owned(),
            }]
        };
        let target = if context.only_schedules {
            None
        } else {
            self.target(context.live).await.map_err(failed)?
        };
        native::wanted(group, context, target.as_ref())
    }

    async fn read_groups(&self, requests: &[GroupRequest]) -> Vec<ItemResult<Option<LiveGroup>>> {
        if requests.is_empty() {
            return Vec::new();
        }
        match self.clients().await {
            Ok(clients) => read::groups(clients, requests, self.clock.now()).await,
            Err(error) => for_each(requests.len(), &error),
        }
    }

    async fn find_groups(&self, filters: &[GroupFilter]) -> Result<Vec<Resource>, ProviderError> {
        read::find(self.clients().await?, filters).await
    }

    async fn import_controls(&self, live: &LiveGroup) -> Result<Imported, ProviderError> {
        let target = if import::needs_target(live) {
            self.target(Some(live)).await?
        } else {
            None
        };
        Ok(import::imported(live, target.as_ref()))
    }

    async fn owned_groups(&self, workspace: &str) -> Result<Vec<(Resource, Owner)>, ProviderError> {
        read::owned(self.clients().await?, workspace).await
    }

    async fn read_metrics(&self, requests: &[MetricRequest]) -> Vec<ItemResult<MetricResponse>> {
        if requests.is_empty() {
            return Vec::new();
        }
        match self.clients().await {
            Ok(clients) => metrics::read(clients, requests).await,
            Err(error) => for_each(requests.len(), &error),
        }
    }

    async fn create_group(&self, spec: &GroupSpec) -> Result<(), ProviderError> {
        write::create(self.clients().await?, spec).await
    }

    async fn update_group(&self, change: &GroupChange) -> Result<(), ProviderError> {
        write::update(self.clients().await?, change).await
    }

    async fn delete_group(&self, resource: &Resource) -> Result<(), ProviderError> {
        write::delete(self.clients().await?, resource).await
    }

    async fn set_desired(&self, resource: &Resource, desired: u32) -> Result<(), ProviderError> {
        write::set_desired(self.clients().await?, resource, desired).await
    }

    async fn terminate_instance(
        &self,
        resource: &Resource,
        instance: &InstanceId,
    ) -> Result<(), ProviderError> {
        write::terminate_instance(self.clients().await?, resource, instance).await
    }

    async fn prices(&self, requests: &[PriceRequest]) -> Vec<ItemResult<Option<Prices>>> {
        if !requests.iter().any(|request| request.spot) {
            return requests.iter().map(|_| Ok(None)).collect();
        }
        match self.clients().await {
            Ok(clients) => prices::read(clients, requests, self.clock.now()).await,
            Err(error) => for_each(requests.len(), &error),
        }
    }
}
