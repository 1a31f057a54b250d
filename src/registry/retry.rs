//! A provider whose reads come in the batches it takes and are repeated while their failure is transient.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use async_trait::async_trait;
use futures::StreamExt;
use tideform_policies::model::{Group, InstanceId, Resource};
use tideform_provider::{
    Capabilities, Clock, ControlContext, ControlSpec, GroupChange, GroupFilter, GroupRequest,
    GroupSpec, Identity, Imported, ItemResult, LiveGroup, MetricRequest, MetricResponse, Owner,
    PriceRequest, Prices, Provider, ProviderError, Unsupported,
};

/// How reads are repeated.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct RetryPolicy {
    /// Tries in all; at least 1.
    pub attempts: u32,
    /// The longest wait before the first repetition; it doubles with each.
    pub first: Duration,
    /// No wait is longer.
    pub longest: Duration,
    /// Where the jitter begins: the same seed gives the same waits.
    pub seed: u64,
}

impl Default for RetryPolicy {
    /// Five tries, about six seconds in all.
    fn default() -> RetryPolicy {
        RetryPolicy {
            attempts: 5,
            first: Duration::from_millis(400),
            longest: Duration::from_secs(10),
            seed: 0x7469_6465,
        }
    }
}

impl RetryPolicy {
    /// How long to wait before repetition `retry` (from 1): between half and all of `first x 2^(retry-1)`, at most
    /// `longest`, and never less than what the provider asked for (itself cut at `longest`).
    ///
    /// - `draw`: which draw of the jitter; two waiters with different draws do not return together.
    pub fn wait_before(&self, retry: u32, draw: u64, asked: Option<Duration>) -> Duration {
        let doubled = self
            .first
            .saturating_mul(2_u32.saturating_pow(retry.saturating_sub(1)));
        let cap = doubled.min(self.longest);
        let share = unit_interval(self.seed.wrapping_add(draw.wrapping_mul(0x9e37_79b9)));
        let jittered = cap.mul_f64(0.5 + 0.5 * share);
        jittered.max(asked.unwrap_or_default().min(self.longest))
    }
}

/// A number in 0..1 from a seed: one step of SplitMix64.
fn unit_interval(seed: u64) -> f64 {
    let mut z = seed.wrapping_add(0x9e37_79b9_7f4a_7c15);
    z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
    z ^= z >> 31;
    // 53 bits fit a float without rounding.
    (z >> 11) as f64 / (1_u64 << 53) as f64
}

/// How many batches of one read are under way at once.
const BATCHES_AT_ONCE: usize = 4;

/// A provider whose reads are batched and repeated.
pub struct Retrying {
    inner: Arc<dyn Provider>,
    clock: Arc<dyn Clock>,
    policy: RetryPolicy,
    draws: AtomicU64,
}

impl Retrying {
    /// Wraps a provider. Waits go through `clock`.
    pub fn new(inner: Arc<dyn Provider>, clock: Arc<dyn Clock>, policy: RetryPolicy) -> Retrying {
        Retrying {
            inner,
            clock,
            policy,
            draws: AtomicU64::new(0),
        }
    }

    async fn pause(&self, retry: u32, asked: Option<Duration>) {
        let draw = self.draws.fetch_add(1, Ordering::Relaxed);
        self.clock
            .wait(self.policy.wait_before(retry, draw, asked))
            .await;
    }

    /// Asks for all items, then again for those that failed transiently, until none is left or the tries are used up.
    async fn batched<'a, Request, Answer, Call, Future>(
        &'a self,
        requests: &'a [Request],
        most: usize,
        call: Call,
    ) -> Vec<ItemResult<Answer>>
    where
        Request: Clone,
        Call: Fn(&'a dyn Provider, Vec<Request>) -> Future,
        Future: std::future::Future<Output = Vec<ItemResult<Answer>>>,
    {
        let mut answers: Vec<Option<ItemResult<Answer>>> = requests.iter().map(|_| None).collect();
        let mut open: Vec<usize> = (0..requests.len()).collect();
        for attempt in 1..=self.policy.attempts.max(1) {
            let batches: Vec<Vec<usize>> = open.chunks(most.max(1)).map(<[_]>::to_vec).collect();
            let calls = batches.into_iter().map(|batch| {
                let items = batch
                    .iter()
                    .filter_map(|i| requests.get(*i).cloned())
                    .collect();
                let answer = call(&*self.inner, items);
                async move { (batch, answer.await) }
            });
            let done: Vec<_> = futures::stream::iter(calls)
                .buffered(BATCHES_AT_ONCE)
                .collect()
                .await;
            let mut asked = None;
            let mut failed = Vec::new();
            for (batch, results) in done {
                for (i, result) in batch.into_iter().zip(results) {
                    if let Err(error) = &result
                        && error.is_transient()
                    {
                        failed.push(i);
                        asked = asked.max(retry_after(error));
                    }
                    if let Some(slot) = answers.get_mut(i) {
                        *slot = Some(result);
                    }
                }
            }
            open = failed;
            if open.is_empty() || attempt == self.policy.attempts.max(1) {
                break;
            }
            self.pause(attempt, asked).await;
        }
        answers
            .into_iter()
            .map(|answer| {
                answer.unwrap_or_else(|| {
                    Err(ProviderError::Unavailable {
                        request: "read",
                        message: "the provider answered fewer items than were asked for".to_owned(),
                    })
                })
            })
            .collect()
    }
}

fn retry_after(error: &ProviderError) -> Option<Duration> {
    match error {
        ProviderError::Throttled { retry_after, .. } => *retry_after,
        _ => None,
    }
}

#[async_trait]
impl Provider for Retrying {
    fn capabilities(&self) -> Capabilities {
        self.inner.capabilities()
    }

    fn clock(&self) -> Option<Arc<dyn Clock>> {
        self.inner.clock()
    }

    async fn identity(&self) -> Result<Identity, ProviderError> {
        let mut attempt = 1;
        loop {
            match self.inner.identity().await {
                Err(error) if error.is_transient() && attempt < self.policy.attempts => {
                    self.pause(attempt, retry_after(&error)).await;
                    attempt += 1;
                }
                answer => return answer,
            }
        }
    }

    fn check(&self, group: &Group) -> Vec<Unsupported> {
        self.inner.check(group)
    }

    async fn controls(
        &self,
        group: &Group,
        context: &ControlContext<'_>,
    ) -> Result<Vec<ControlSpec>, Vec<Unsupported>> {
        self.inner.controls(group, context).await
    }

    async fn read_groups(&self, requests: &[GroupRequest]) -> Vec<ItemResult<Option<LiveGroup>>> {
        let most = self.inner.capabilities().groups_per_read;
        self.batched(requests, most, |inner, batch| async move {
            inner.read_groups(&batch).await
        })
        .await
    }

    async fn find_groups(&self, filters: &[GroupFilter]) -> Result<Vec<Resource>, ProviderError> {
        let mut attempt = 1;
        loop {
            match self.inner.find_groups(filters).await {
                Err(error) if error.is_transient() && attempt < self.policy.attempts => {
                    self.pause(attempt, retry_after(&error)).await;
                    attempt += 1;
                }
                answer => return answer,
            }
        }
    }

    async fn import_controls(&self, live: &LiveGroup) -> Result<Imported, ProviderError> {
        let mut attempt = 1;
        loop {
            match self.inner.import_controls(live).await {
                Err(error) if error.is_transient() && attempt < self.policy.attempts => {
                    self.pause(attempt, retry_after(&error)).await;
                    attempt += 1;
                }
                answer => return answer,
            }
        }
    }

    async fn owned_groups(&self, workspace: &str) -> Result<Vec<(Resource, Owner)>, ProviderError> {
        let mut attempt = 1;
        loop {
            match self.inner.owned_groups(workspace).await {
                Err(error) if error.is_transient() && attempt < self.policy.attempts => {
                    self.pause(attempt, retry_after(&error)).await;
                    attempt += 1;
                }
                answer => return answer,
            }
        }
    }

    async fn read_metrics(&self, requests: &[MetricRequest]) -> Vec<ItemResult<MetricResponse>> {
        let most = self.inner.capabilities().metrics_per_read;
        self.batched(requests, most, |inner, batch| async move {
            inner.read_metrics(&batch).await
        })
        .await
    }

    async fn create_group(&self, spec: &GroupSpec) -> Result<(), ProviderError> {
        self.inner.create_group(spec).await
    }

    async fn update_group(&self, change: &GroupChange) -> Result<(), ProviderError> {
        self.inner.update_group(change).await
    }

    async fn delete_group(&self, resource: &Resource) -> Result<(), ProviderError> {
        self.inner.delete_group(resource).await
    }

    async fn set_desired(&self, resource: &Resource, desired: u32) -> Result<(), ProviderError> {
        self.inner.set_desired(resource, desired).await
    }

    async fn terminate_instance(
        &self,
        resource: &Resource,
        instance: &InstanceId,
    ) -> Result<(), ProviderError> {
        self.inner.terminate_instance(resource, instance).await
    }

    async fn prices(&self, requests: &[PriceRequest]) -> Vec<ItemResult<Option<Prices>>> {
        let most = self.inner.capabilities().groups_per_read;
        self.batched(requests, most, |inner, batch| async move {
            inner.prices(&batch).await
        })
        .await
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn waits_double_with_jitter_and_stay_bounded() {
        let policy = RetryPolicy::default();
        for (retry, low, high) in [
            (1, 200, 400),
            (2, 400, 800),
            (3, 800, 1_600),
            (40, 5_000, 10_000),
        ] {
            for draw in 0..50 {
                let wait = policy.wait_before(retry, draw, None).as_millis();
                assert!((low..=high).contains(&wait), "retry {retry}: {wait}");
            }
        }
    }

    #[test]
    fn the_same_seed_gives_the_same_waits_and_different_draws_differ() {
        let policy = RetryPolicy::default();
        assert_eq!(
            policy.wait_before(3, 7, None),
            policy.wait_before(3, 7, None)
        );
        assert_ne!(
            policy.wait_before(3, 7, None),
            policy.wait_before(3, 8, None)
        );
    }

    #[test]
    fn what_the_provider_asks_for_is_waited_up_to_the_longest() {
        let policy = RetryPolicy::default();
        let asked = |s| Some(Duration::from_secs(s));
        assert_eq!(policy.wait_before(1, 0, asked(3)), Duration::from_secs(3));
        assert_eq!(
            policy.wait_before(1, 0, asked(900)),
            Duration::from_secs(10)
        );
    }
}
