//! Saved plans: `plan --out FILE`, `apply FILE`, `show FILE`.
//!
//! A file is one JSON object with the plan and a checksum over every byte of it. It holds everything that apply
//! needs, typed, and nothing that apply would have to decide. It holds no secrets: sensitive values never reach a
//! plan.

use serde::{Deserialize, Serialize};
use serde_json::value::RawValue;
use sha2::{Digest, Sha256};
use thiserror::Error;

use super::fingerprint::hex;
use super::types::Plan;

/// The version of the file.
pub const SAVED_FORMAT_VERSION: u32 = 1;

/// Why a plan cannot be saved.
#[derive(Debug, Error)]
pub enum SaveError {
    /// A configuration with errors changes nothing, so there is nothing to save.
    #[error("the plan has errors")]
    HasErrors,
    /// A value of the plan cannot be written. This is a bug in tideform.
    #[error("the plan cannot be written as JSON; this is a bug in tideform")]
    Unwritable(#[source] serde_json::Error),
}

/// Why a file cannot be used as a plan. Nothing was changed.
#[derive(Debug, Error)]
pub enum SavedPlanError {
    /// Not a plan at all, or cut short.
    #[error("it is not a saved plan of tideform")]
    NotAPlan(#[source] serde_json::Error),
    /// Written by a newer tideform.
    #[error(
        "it has format version {found}, written by tideform {tool_version}; this program knows up to {supported}"
    )]
    Newer {
        /// The version in the file.
        found: u32,
        /// Who wrote it.
        tool_version: String,
        /// The newest that this program knows.
        supported: u32,
    },
    /// A byte of it was changed after it was saved.
    #[error("it was changed after it was saved: its checksum does not match")]
    Changed,
}

#[derive(Serialize, Deserialize)]
struct File<'a> {
    format_version: u32,
    tideform_version: String,
    /// SHA-256 over the versions and the bytes of `plan`, in hex.
    checksum: String,
    #[serde(borrow)]
    plan: &'a RawValue,
}

#[derive(Deserialize)]
struct Versions {
    format_version: u32,
    #[serde(default)]
    tideform_version: String,
}

fn checksum(format_version: u32, tideform_version: &str, plan: &str) -> String {
    let mut digest = Sha256::new();
    digest.update(format!(
        "tideform plan {format_version} {tideform_version}\n"
    ));
    digest.update(plan);
    hex(&digest.finalize())
}

/// The plan as the text of a file.
///
/// # Errors
/// [`SaveError::HasErrors`] for a plan that apply would refuse.
pub fn save(plan: &Plan) -> Result<String, SaveError> {
    if plan.diagnostics.has_errors() {
        return Err(SaveError::HasErrors);
    }
    let plan = serde_json::value::to_raw_value(plan).map_err(SaveError::Unwritable)?;
    let tideform_version = env!("CARGO_PKG_VERSION").to_owned();
    let file = File {
        format_version: SAVED_FORMAT_VERSION,
        checksum: checksum(SAVED_FORMAT_VERSION, &tideform_version, plan.get()),
        tideform_version,
        plan: &plan,
    };
    let mut text = serde_json::to_string(&file).map_err(SaveError::Unwritable)?;
    text.push('\n');
    Ok(text)
}

/// Reads the text of a file. Its diagnostics, which were warnings, are not in it.
///
/// # Errors
/// [`SavedPlanError`].
pub fn read_saved(text: &str) -> Result<Plan, SavedPlanError> {
    let versions: Versions = serde_json::from_str(text).map_err(SavedPlanError::NotAPlan)?;
    if versions.format_version > SAVED_FORMAT_VERSION {
        return Err(SavedPlanError::Newer {
            found: versions.format_version,
            tool_version: versions.tideform_version,
            supported: SAVED_FORMAT_VERSION,
        });
    }
    let file: File<'_> = serde_json::from_str(text).map_err(SavedPlanError::NotAPlan)?;
    let expected = checksum(file.format_version, &file.tideform_version, file.plan.get());
    // Every byte counts: also spaces between the fields, which the checksum does not cover.
    let is_as_saved = serde_json::to_string(&file)
        .is_ok_and(|written| text.strip_suffix('\n') == Some(written.as_str()));
    if file.checksum != expected || !is_as_saved {
        return Err(SavedPlanError::Changed);
    }
    serde_json::from_str(file.plan.get()).map_err(SavedPlanError::NotAPlan)
}
