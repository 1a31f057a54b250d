//! The attributes of `provider "aws"`.

use serde::Deserialize;
use serde_json::{Map, Value};
use tideform_provider::ProviderError;

/// The attributes of `provider "aws"`, as evaluated. All may be left out: then the SDK's own search decides.
#[derive(Clone, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub(crate) struct AwsSettings {
    /// The region; else `AWS_REGION`, the profile, the instance's own.
    pub(crate) region: Option<String>,
    /// The profile of the shared configuration and credentials files.
    pub(crate) profile: Option<String>,
    /// The ARN of a role to take on with the credentials that were found.
    pub(crate) assume_role: Option<String>,
    /// Refuse to work in any other account; empty: any.
    pub(crate) allowed_account_ids: Vec<String>,
    /// Another address of the API, for all services.
    pub(crate) endpoint_url: Option<String>,
}

impl AwsSettings {
    /// Reads the attributes of the block.
    ///
    /// # Errors
    /// `Configuration`: an attribute of the wrong type, or an account id that is none.
    pub(crate) fn from_attributes(
        attributes: &Map<String, Value>,
    ) -> Result<AwsSettings, ProviderError> {
        let given: Map<String, Value> = attributes
            .iter()
            .filter(|(_, value)| !value.is_null())
            .map(|(name, value)| (name.clone(), value.clone()))
            .collect();
        let settings: AwsSettings =
            serde_json::from_value(Value::Object(given)).map_err(|error| {
                ProviderError::Configuration {
                    message: format!("the settings of provider \"aws\" cannot be read: {error}"),
                }
            })?;
        for account in &settings.allowed_account_ids {
            let is_account = account.len() == 12 && account.bytes().all(|b| b.is_ascii_digit());
            if !is_account {
                return Err(ProviderError::Configuration {
                    message: format!(
                        "`{account}` in allowed_account_ids is no account id: write its 12 digits in quotes"
                    ),
                });
            }
        }
        Ok(settings)
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn read(value: Value) -> Result<AwsSettings, ProviderError> {
        match value {
            Value::Object(map) => AwsSettings::from_attributes(&map),
            _ => panic!("a test gives an object"),
        }
    }

    #[test]
    fn all_settings_may_be_left_out_or_null() {
        assert_eq!(read(json!({})).unwrap(), AwsSettings::default());
        assert_eq!(
            read(json!({"region": null, "allowed_account_ids": null})).unwrap(),
            AwsSettings::default()
        );
    }

    #[test]
    fn an_account_id_has_twelve_digits() {
        assert!(read(json!({"allowed_account_ids": ["123456789012"]})).is_ok());
        for wrong in ["12345678901", "1234567890123", "prod"] {
            let error = read(json!({"allowed_account_ids": [wrong]})).unwrap_err();
            assert!(error.to_string().contains(wrong), "{error}");
        }
    }
}
