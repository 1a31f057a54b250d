//! Instance refreshes: while one is under way, a change of the capacity would fight with it.

use std::collections::BTreeSet;

use aws_sdk_autoscaling::types::InstanceRefreshStatus;
use tideform_provider::ProviderError;

use super::{ByGroup, one_by_one};
use crate::client::Clients;
use crate::error::describe;

const REQUEST: &str = "autoscaling:DescribeInstanceRefreshes";

/// What is under way, group by group: a list of none or one.
pub(super) async fn under_way(clients: &Clients, names: BTreeSet<&str>) -> ByGroup<Vec<String>> {
    one_by_one(names, |name| async move {
        Ok(refresh_under_way(clients, name)
            .await?
            .into_iter()
            .collect())
    })
    .await
}

/// That a refresh of this group is under way, in words that stay the same until it is over.
pub(crate) async fn refresh_under_way(
    clients: &Clients,
    name: &str,
) -> Result<Option<String>, ProviderError> {
    let answer = clients
        .autoscaling
        .describe_instance_refreshes()
        .auto_scaling_group_name(name)
        .max_records(1)
        .send()
        .await
        .map_err(|error| describe(REQUEST, error))?;
    // The newest comes first, and only the newest can be under way.
    let status = answer
        .instance_refreshes()
        .first()
        .and_then(|refresh| refresh.status());
    Ok(status
        .is_some_and(is_under_way)
        .then(|| "an instance refresh is under way".to_owned()))
}

/// Source: Amazon EC2 Auto Scaling API, `InstanceRefresh.Status`.
fn is_under_way(status: &InstanceRefreshStatus) -> bool {
    matches!(
        status,
        InstanceRefreshStatus::Pending
            | InstanceRefreshStatus::InProgress
            | InstanceRefreshStatus::Cancelling
            | InstanceRefreshStatus::RollbackInProgress
            | InstanceRefreshStatus::Baking
    )
}
