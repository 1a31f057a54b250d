//! The Provider trait: what tideform asks of a cloud, and the types it speaks in.
//!
//! A provider says what it can do, reads groups and metrics in batches, and carries out typed changes. It stays
//! dumb: no policy, no decision, no state of tideform's. Nothing outside a provider knows its SDK.

mod capabilities;
mod change;
mod clock;
pub mod conformance;
mod control;
mod error;
mod find;
mod import;
mod live;
mod metrics;
mod request;

use async_trait::async_trait;
use tideform_policies::model::{Group, InstanceId, Resource};

pub use capabilities::{Capabilities, Kept, MetricHistory};
pub use change::{AttributeChange, GroupChange, GroupSpec};
pub use clock::{Clock, SystemClock};
pub use control::{
    Control, ControlContext, ControlKind, ControlSpec, Settings, Writes, dated_at, dated_block,
    is_ours,
};
pub use error::{BoxError, ProviderError};
pub use find::{GroupFilter, glob};
pub use import::{Imported, ImportedPart, LeftControl};
pub use live::{
    Deregistration, FailedLaunch, Identity, LiveAttributes, LiveGroup, LiveMix, Owner,
    PriceRequest, Prices, SwitchedOff,
};
pub use metrics::{MetricRequest, MetricResponse};
pub use request::{GroupRequest, Needs};

/// The answer for one item of a batch: one group's failure never fails the others.
pub type ItemResult<T> = Result<T, ProviderError>;

/// A cloud, or a source of metrics only.
///
/// Reads are batches, and the answers come in the order of the requests. Writes are one call each, with an absolute
/// value, so that a late or repeated one can be out of date but not out of bounds.
#[async_trait]
pub trait Provider: Send + Sync {
    /// What it can do. Constant over its life.
    fn capabilities(&self) -> Capabilities;

    /// The clock that its world runs by; `None`: the real one.
    fn clock(&self) -> Option<std::sync::Arc<dyn Clock>> {
        None
    }

    /// Who we are there: account and region. Also proves that the credentials work.
    ///
    /// # Errors
    /// Any [`ProviderError`]; nothing was changed.
    async fn identity(&self) -> Result<Identity, ProviderError>;

    /// Checks what the configuration asks of this provider, without a call. Each problem names the path in the
    /// resolved group (`mix.allocation`), what is wrong, and what to do.
    fn check(&self, group: &Group) -> Vec<Unsupported>;

    /// The controls of the cloud's own that the files want of a group with `controller = "native"`, by name; or what
    /// of it cannot be expressed. A provider without such controls wants none.
    ///
    /// # Errors
    /// Everything that the backend cannot say, each with the path that asks for it.
    async fn controls(
        &self,
        group: &Group,
        context: &ControlContext<'_>,
    ) -> Result<Vec<ControlSpec>, Vec<Unsupported>>;

    /// Reads groups as they are now. A group that does not exist is `Ok(None)`, not an error.
    async fn read_groups(&self, requests: &[GroupRequest]) -> Vec<ItemResult<Option<LiveGroup>>>;

    /// All resources there that meet every filter, by name: for taking them over.
    ///
    /// # Errors
    /// Any [`ProviderError`].
    async fn find_groups(&self, filters: &[GroupFilter]) -> Result<Vec<Resource>, ProviderError>;

    /// What the controls of a group say in the words of the language, and what of them it cannot say. A provider
    /// without controls of its own leaves all.
    ///
    /// # Errors
    /// Any [`ProviderError`].
    async fn import_controls(&self, live: &LiveGroup) -> Result<Imported, ProviderError>;

    /// All resources there that carry this workspace's owner tag: for finding what is no longer in the files, and
    /// for refusing an empty state.
    ///
    /// # Errors
    /// Any [`ProviderError`].
    async fn owned_groups(&self, workspace: &str) -> Result<Vec<(Resource, Owner)>, ProviderError>;

    /// Reads metrics. An empty answer is no data, not an error.
    async fn read_metrics(&self, requests: &[MetricRequest]) -> Vec<ItemResult<MetricResponse>>;

    /// Creates the resource of a group that has `launch`.
    ///
    /// # Errors
    /// Any [`ProviderError`]; `OutcomeUnknown`: read before trying again.
    async fn create_group(&self, spec: &GroupSpec) -> Result<(), ProviderError>;

    /// Changes attributes of a group: only the fields that are named.
    ///
    /// # Errors
    /// Any [`ProviderError`]; `OutcomeUnknown`: read before trying again.
    async fn update_group(&self, change: &GroupChange) -> Result<(), ProviderError>;

    /// Deletes a resource that tideform created, with its instances.
    ///
    /// # Errors
    /// Any [`ProviderError`]; `NotFound` counts as done for callers.
    async fn delete_group(&self, resource: &Resource) -> Result<(), ProviderError>;

    /// Asks for a capacity: an absolute number in units.
    ///
    /// # Errors
    /// Any [`ProviderError`]; `OutcomeUnknown`: read before trying again.
    async fn set_desired(&self, resource: &Resource, desired: u32) -> Result<(), ProviderError>;

    /// Ends one instance and lowers the desired capacity by its weight; for a victim that an attribute of the group
    /// cannot say.
    ///
    /// # Errors
    /// Any [`ProviderError`]; `OutcomeUnknown`: read before trying again.
    async fn terminate_instance(
        &self,
        resource: &Resource,
        instance: &InstanceId,
    ) -> Result<(), ProviderError>;

    /// Prices of instance types there, where the provider knows them.
    async fn prices(&self, requests: &[PriceRequest]) -> Vec<ItemResult<Option<Prices>>>;
}

/// Something that the files ask for and this backend cannot express.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Unsupported {
    /// The path in the resolved group: `mix.fallback`, `metric.cpu.track`.
    pub path: String,
    /// What the backend cannot do: a lowercase fragment.
    pub what: String,
    /// What to do instead.
    pub help: String,
}
