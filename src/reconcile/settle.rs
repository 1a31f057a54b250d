//! What became of an intent without an outcome: read from what is live now, never guessed. Pure.

use std::time::Duration;

use jiff::Timestamp;
use serde::{Deserialize, Serialize};
use tideform_policies::model::{Capacity, Change, InstanceId, InstanceState};
use tideform_provider::LiveGroup;

use crate::observe::after;

/// The longest that a call may be under way after it was recorded: its own time limit and that of its retries. An
/// intent this old whose change is not live will not become so by our call.
pub const LONGEST_CALL: Duration = Duration::from_secs(30);

/// What a recorded intent asks of the provider.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case", tag = "kind")]
pub enum Act {
    /// Asks for a capacity.
    SetDesired,
    /// Ends one instance, and lowers the desired capacity by its weight.
    Terminate {
        /// Which.
        instance: InstanceId,
    },
}

/// What became of an intent.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Outcome {
    /// It is live.
    Done,
    /// It is not live and will not be: nothing was changed, and no cooldown runs.
    NotDone,
    /// Something else is live: it may have been done and then changed by somebody else.
    Superseded,
}

impl Outcome {
    /// Whether cooldown and warming run from the intent's time.
    pub fn counts_as_action(self) -> bool {
        match self {
            Outcome::Done | Outcome::Superseded => true,
            Outcome::NotDone => false,
        }
    }
}

/// An intent that has no outcome yet.
#[derive(Clone, Debug, PartialEq)]
pub struct OpenIntent {
    /// The state's number of it.
    pub id: i64,
    /// When it was recorded.
    pub at: Timestamp,
    /// From what to what.
    pub change: Change<Capacity>,
    /// How.
    pub act: Act,
}

/// The answer about one open intent.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Settled {
    /// It is known.
    Known(Outcome),
    /// Not live yet, and the call may still be under way: read again then.
    NotBefore(Timestamp),
}

/// What became of `intent`, by what is live at `now`.
///
/// Live = `to`: done. Live = `from`: not done, once the longest call time has passed. Else: superseded. A group that
/// is no longer there has superseded everything.
pub fn settle(intent: &OpenIntent, live: Option<&LiveGroup>, now: Timestamp) -> Settled {
    let Some(live) = live else {
        return Settled::Known(Outcome::Superseded);
    };
    let gone = match &intent.act {
        Act::SetDesired => None,
        Act::Terminate { instance } => Some(!live.instances.iter().any(|other| {
            other.id == *instance
                && !matches!(other.state, InstanceState::Draining | InstanceState::Ended)
        })),
    };
    let desired = Capacity(live.desired);
    match gone {
        // The id says it better than a number that others move too.
        Some(true) => Settled::Known(Outcome::Done),
        Some(false) => not_done(intent, now),
        None if desired == intent.change.after => Settled::Known(Outcome::Done),
        None if desired == intent.change.before => not_done(intent, now),
        None => Settled::Known(Outcome::Superseded),
    }
}

fn not_done(intent: &OpenIntent, now: Timestamp) -> Settled {
    let known_at = after(intent.at, LONGEST_CALL);
    if now < known_at {
        Settled::NotBefore(known_at)
    } else {
        Settled::Known(Outcome::NotDone)
    }
}
