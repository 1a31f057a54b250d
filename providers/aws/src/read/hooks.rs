//! The lifecycle hook that lets an ending instance finish its work: `scale_in.drain`.

use std::collections::BTreeSet;
use std::time::Duration;

use super::{ByGroup, one_by_one};
use crate::client::Clients;
use crate::error::describe;

/// The hook that tideform makes. A hook's name has no `/`.
pub(crate) const DRAIN_HOOK: &str = "tideform-drain";
const REQUEST: &str = "autoscaling:DescribeLifecycleHooks";

/// How long our own hook waits, group by group: a list of none or one.
pub(super) async fn drains(clients: &Clients, names: BTreeSet<&str>) -> ByGroup<Vec<Duration>> {
    one_by_one(names, |name| async move {
        let answer = clients
            .autoscaling
            .describe_lifecycle_hooks()
            .auto_scaling_group_name(name)
            .send()
            .await
            .map_err(|error| describe(REQUEST, error))?;
        Ok(answer
            .lifecycle_hooks()
            .iter()
            .filter(|hook| hook.lifecycle_hook_name() == Some(DRAIN_HOOK))
            .filter_map(|hook| u64::try_from(hook.heartbeat_timeout()?).ok())
            .map(Duration::from_secs)
            .take(1)
            .collect())
    })
    .await
}
