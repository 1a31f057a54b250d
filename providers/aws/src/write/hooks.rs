//! The lifecycle hook behind `scale_in.drain`: an ending instance waits so long before it is terminated.

use std::time::Duration;

use tideform_policies::model::Resource;
use tideform_provider::ProviderError;

use super::{seconds, unless_gone, write};
use crate::client::Clients;
use crate::error::describe_write;
use crate::read::DRAIN_HOOK;

const PUT: &str = "autoscaling:PutLifecycleHook";
const DELETE: &str = "autoscaling:DeleteLifecycleHook";
/// When an instance ends.
pub(super) const TRANSITION: &str = "autoscaling:EC2_INSTANCE_TERMINATING";

/// Takes it away: instances that wait for it go at once.
pub(super) async fn remove(clients: &Clients, resource: &Resource) -> Result<(), ProviderError> {
    let answer = write(clients, || async {
        clients
            .autoscaling_writer
            .delete_lifecycle_hook()
            .auto_scaling_group_name(&*resource.name)
            .lifecycle_hook_name(DRAIN_HOOK)
            .send()
            .await
            .map_err(|error| describe_write(DELETE, error))
    })
    .await;
    unless_gone(clients, resource, answer).await.map(|_| ())
}

/// Makes or changes it.
pub(super) async fn put(
    clients: &Clients,
    resource: &Resource,
    drain: Duration,
) -> Result<(), ProviderError> {
    write(clients, || async {
        clients
            .autoscaling_writer
            .put_lifecycle_hook()
            .auto_scaling_group_name(&*resource.name)
            .lifecycle_hook_name(DRAIN_HOOK)
            .lifecycle_transition(TRANSITION)
            .heartbeat_timeout(seconds(drain))
            // Nobody completes it: when the time is over, the instance goes.
            .default_result("CONTINUE")
            .send()
            .await
            .map_err(|error| describe_write(PUT, error))
    })
    .await?;
    Ok(())
}
