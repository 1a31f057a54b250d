//! The clock of a stepped world.

use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use jiff::Timestamp;
use tideform_provider::Clock;

use crate::store::Store;

/// A clock that stands still until it is told to move: waiting moves the world ahead and returns at once.
#[derive(Debug)]
pub struct SteppedClock {
    store: Arc<Store>,
}

impl SteppedClock {
    /// The clock of this world.
    pub fn new(store: Arc<Store>) -> SteppedClock {
        SteppedClock { store }
    }
}

#[async_trait]
impl Clock for SteppedClock {
    fn now(&self) -> Timestamp {
        // A world that cannot be read fails at the call that follows; its last time is the best answer until then.
        self.store
            .read(|world| world.now())
            .unwrap_or_default()
            .timestamp()
    }

    async fn wait(&self, duration: Duration) {
        if self.store.step(duration).is_err() {
            // Without the pause a loop over a world that cannot be written would spin.
            tokio::time::sleep(Duration::from_millis(100)).await;
        }
    }

    fn is_stepped(&self) -> bool {
        true
    }
}
