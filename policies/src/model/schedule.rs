//! Time-bound floors and blocks: schedules, surges, freezes.
//!
//! The data only; when a window is open is computed in [`crate::calendar`].

use std::time::Duration;

use jiff::Timestamp;
use jiff::civil::Date;
use serde::{Deserialize, Serialize};

use super::group::Blocks;
use super::units::{Capacity, Name, seconds};

/// A window with a floor and, with `max`, a ceiling.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Schedule {
    /// The label of the block.
    pub name: Name,
    /// When it is open.
    pub when: Window,
    /// The floor while it is open.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub min: Option<Capacity>,
    /// The ceiling while it is open.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub max: Option<Capacity>,
}

/// When a schedule is open.
#[derive(Clone, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Window {
    /// Opens by cron.
    Recurring {
        /// Five fields, checked: it fires.
        cron: String,
        /// An IANA zone, checked.
        timezone: String,
        /// Wall-clock time: on the day of a clock change the window still closes at the usual hour.
        #[serde(rename = "duration_s", with = "seconds")]
        duration: Duration,
        /// Local dates on which it does not open.
        #[serde(default, skip_serializing_if = "Vec::is_empty")]
        except: Vec<Date>,
    },
    /// Opens once. `start < end`.
    Once {
        /// Included.
        start: Timestamp,
        /// Excluded.
        end: Timestamp,
        /// The zone that it was written in, for display.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        timezone: Option<String>,
    },
}

/// A planned surge: a floor from `lead` before its start until `duration` after it. Started by
/// `tideform surge start NAME --at TIME`; without a start it does nothing.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Surge {
    /// The label of the block.
    pub name: Name,
    /// The floor.
    pub min: Capacity,
    /// How long before the start the floor holds.
    #[serde(rename = "lead_s", with = "seconds")]
    pub lead: Duration,
    /// How long after the start the floor holds.
    #[serde(rename = "duration_s", with = "seconds")]
    pub duration: Duration,
}

/// A time in which moves by metrics are blocked.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Freeze {
    /// The label of the block.
    pub name: Name,
    /// Included.
    pub start: Timestamp,
    /// Excluded.
    pub end: Timestamp,
    /// Which moves.
    pub blocks: Blocks,
    /// Why, for people.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub reason: Option<String>,
}
