//! Asking a loop to stop: from a signal handler, a test, another task.

use tokio::sync::watch;

/// Asks. Clones ask the same loop.
#[derive(Clone, Debug)]
pub struct StopHandle(watch::Sender<bool>);

/// What the loop looks at.
#[derive(Clone, Debug)]
pub struct Stop {
    asked: watch::Receiver<bool>,
    // Without a handle of its own a dropped one would look like a question.
    _kept: watch::Sender<bool>,
}

/// A pair of both.
pub fn stop_pair() -> (StopHandle, Stop) {
    let (sender, receiver) = watch::channel(false);
    (
        StopHandle(sender.clone()),
        Stop {
            asked: receiver,
            _kept: sender,
        },
    )
}

impl StopHandle {
    /// Asks the loop to finish what is in hand and leave. Asking twice is asking once.
    pub fn ask(&self) {
        self.0.send_replace(true);
    }
}

impl Stop {
    /// One that is never asked.
    pub fn never() -> Stop {
        stop_pair().1
    }

    /// Whether it was asked.
    pub fn is_asked(&self) -> bool {
        *self.asked.borrow()
    }

    /// Returns when it is asked.
    pub async fn asked(&mut self) {
        // The sender lives as long as we do, so this ends only with a `true`.
        let _ = self.asked.wait_for(|asked| *asked).await;
    }
}
