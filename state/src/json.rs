//! JSON text: what callers keep in the state in their own types.

use serde::Serialize;
use serde::de::DeserializeOwned;

use crate::error::StateError;

/// A value of the caller's own, written as JSON once and not parsed here.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct JsonText(String);

impl JsonText {
    /// Writes a value.
    ///
    /// # Errors
    /// [`StateError::Unrecordable`] where the type has no JSON: a map with keys that are no strings.
    pub fn of<T: Serialize + ?Sized>(value: &T) -> Result<JsonText, StateError> {
        match serde_json::to_string(value) {
            Ok(text) => Ok(JsonText(text)),
            Err(error) => Err(StateError::Unrecordable {
                what: std::any::type_name::<T>().to_owned(),
                why: error.to_string(),
            }),
        }
    }

    /// Reads it back.
    ///
    /// # Errors
    /// [`StateError::Unreadable`] where it is of another shape.
    pub fn read<T: DeserializeOwned>(&self) -> Result<T, StateError> {
        parse(std::any::type_name::<T>(), &self.0)
    }

    /// The text itself.
    pub fn as_str(&self) -> &str {
        &self.0
    }

    pub(crate) fn from_column(text: String) -> JsonText {
        JsonText(text)
    }
}

/// Reads the JSON of a column; `what` names it for the error.
pub(crate) fn parse<T: DeserializeOwned>(what: &str, text: &str) -> Result<T, StateError> {
    serde_json::from_str(text).map_err(|source| StateError::Unreadable {
        what: what.to_owned(),
        source,
    })
}
