//! Makes the calls that were recorded, side by side; repeats one only where that does no harm and there is time.

use std::panic::AssertUnwindSafe;

use futures::{FutureExt, StreamExt};
use jiff::Timestamp;
use tideform_provider::{GroupChange, ProviderError};

use super::group::ActAnswer;
use super::protocol::Call;
use super::settle::{Act, CALL_TAKES_AT_MOST};
use super::shell::Shell;
use crate::observe::chain;

/// Calls that are under way at once.
pub(crate) const CALLS_AT_ONCE: usize = 16;
/// Tries of one call in all.
pub(crate) const TRIES: u32 = 3;

impl Shell<'_> {
    pub(super) async fn act(&self, calls: &[Call], deadline: Timestamp) -> Vec<ActAnswer> {
        futures::stream::iter(calls)
            .map(|call| async move {
                let made = AssertUnwindSafe(self.call(call, deadline))
                    .catch_unwind()
                    .await;
                made.unwrap_or_else(|_| {
                    ActAnswer::Unknown(
                        "the provider panicked; this is a bug in tideform".to_owned(),
                    )
                })
            })
            .buffered(CALLS_AT_ONCE)
            .collect()
            .await
    }

    /// Makes one call. Repeats it only where that does no harm, and not after the deadline.
    pub(super) async fn call(&self, call: &Call, deadline: Timestamp) -> ActAnswer {
        let provider = self
            .compiled
            .group(&call.group)
            .and_then(|group| self.providers.as_ref()?.get(&group.provider));
        let Some(provider) = provider else {
            return ActAnswer::NotStarted(
                "the provider is not among those that were applied".to_owned(),
            );
        };
        let clock = self.clock();
        let mut last = None;
        for attempt in 1..=TRIES {
            if self.options.machine_clock.now() >= deadline {
                let why =
                    "it was too late to begin: the lease or the time of the call was about to end";
                return match last {
                    None => ActAnswer::NotStarted(why.to_owned()),
                    Some(error) => ActAnswer::NotDone(error),
                };
            }
            let made = async {
                match &call.act {
                    Act::SetDesired => provider.set_desired(&call.resource, call.desired).await,
                    Act::Terminate { instance } => {
                        provider.terminate_instance(&call.resource, instance).await
                    }
                    Act::Change(change) => {
                        let change = GroupChange {
                            resource: call.resource.clone(),
                            changes: vec![change.clone()],
                        };
                        provider.update_group(&change).await
                    }
                    Act::Changes { changes, .. } => {
                        let change = GroupChange {
                            resource: call.resource.clone(),
                            changes: changes.clone(),
                        };
                        provider.update_group(&change).await
                    }
                }
            };
            let error = match tokio::time::timeout(CALL_TAKES_AT_MOST, made).await {
                Err(_) => return ActAnswer::Unknown("no answer in time".to_owned()),
                Ok(Ok(())) => return ActAnswer::Done,
                Ok(Err(error)) => error,
            };
            match error {
                ProviderError::OutcomeUnknown { .. } => return ActAnswer::Unknown(chain(&error)),
                ProviderError::Blocked { why, .. } => return ActAnswer::Blocked(why),
                error if !error.is_transient() => return ActAnswer::NotDone(chain(&error)),
                error => {
                    let asked = match &error {
                        ProviderError::Throttled { retry_after, .. } => *retry_after,
                        _ => None,
                    };
                    last = Some(chain(&error));
                    if attempt < TRIES {
                        clock
                            .wait(
                                self.retry
                                    .wait_before(attempt, u64::from(call.desired), asked),
                            )
                            .await;
                    }
                }
            }
        }
        ActAnswer::NotDone(last.unwrap_or_default())
    }
}
