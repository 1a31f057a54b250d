//! The clock of runs whose providers have none of their own.

use std::sync::Arc;

use jiff::Timestamp;
use tideform_provider::{Clock, SystemClock};

/// The machine's clock. For tests `TIDEFORM_TEST_NOW` stands for it; leases run by the machine's all the same.
pub(super) fn machine_clock() -> Arc<dyn Clock> {
    let now = std::env::var("TIDEFORM_TEST_NOW")
        .ok()
        .and_then(|text| text.parse().ok());
    match now {
        Some(now) => Arc::new(FixedClock(now)),
        None => Arc::new(SystemClock),
    }
}

/// A clock that stands still.
struct FixedClock(Timestamp);

#[async_trait::async_trait]
impl Clock for FixedClock {
    fn now(&self) -> Timestamp {
        self.0
    }

    async fn wait(&self, duration: std::time::Duration) {
        SystemClock.wait(duration).await;
    }

    fn is_stepped(&self) -> bool {
        false
    }
}
