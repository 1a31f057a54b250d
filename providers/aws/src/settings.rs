//! The attributes of `provider "aws"`.

use std::time::Duration;

use serde::{Deserialize, Deserializer, de};
use serde_json::{Map, Value};
use tideform_policies::decode::parse_duration;
use tideform_provider::ProviderError;

/// The longest time for a call with all its attempts: a control loop that decides each minute must not wait longer.
const TIMEOUT: Duration = Duration::from_secs(30);

/// The attributes of `provider "aws"`, as evaluated. All may be left out: then the SDK's own search decides.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub(crate) struct AwsSettings {
    /// The region; else `AWS_REGION`, the profile, the instance's own.
    pub(crate) region: Option<String>,
    /// The profile of the shared configuration and credentials files.
    pub(crate) profile: Option<String>,
    /// The ARN of a role to take on with the credentials that were found.
    pub(crate) assume_role: Option<String>,
    /// What the role's trust policy asks for as `sts:ExternalId`.
    pub(crate) external_id: Option<String>,
    /// The name of the role's session, which CloudTrail shows; else `tideform`.
    pub(crate) session_name: Option<String>,
    /// Refuse to work in any other account; empty: any.
    pub(crate) allowed_account_ids: Vec<String>,
    /// Another address of the API, for all services.
    pub(crate) endpoint_url: Option<String>,
    /// The longest time for a call with all its attempts; half of it for each. From 1s to 30s.
    #[serde(deserialize_with = "duration")]
    pub(crate) timeout: Duration,
    /// Attempts of a read; else `AWS_MAX_ATTEMPTS`, else 4. A write is one attempt.
    pub(crate) max_attempts: Option<u32>,
}

impl Default for AwsSettings {
    fn default() -> AwsSettings {
        AwsSettings {
            region: None,
            profile: None,
            assume_role: None,
            external_id: None,
            session_name: None,
            allowed_account_ids: Vec::new(),
            endpoint_url: None,
            timeout: TIMEOUT,
            max_attempts: None,
        }
    }
}

fn duration<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Duration, D::Error> {
    let text = String::deserialize(deserializer)?;
    let problem = |why: &str| de::Error::custom(format!("`timeout` {why}"));
    let duration = parse_duration(&text).map_err(|error| problem(&error.label))?;
    if duration < Duration::from_secs(1) || duration > TIMEOUT {
        return Err(problem("must be between 1s and 30s"));
    }
    Ok(duration)
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
        let wrong = |message: &str| ProviderError::Configuration {
            message: format!("provider \"aws\": {message}"),
        };
        if settings.assume_role.is_none()
            && (settings.external_id.is_some() || settings.session_name.is_some())
        {
            return Err(wrong(
                "external_id and session_name are about a role: write `assume_role` too",
            ));
        }
        if settings.max_attempts == Some(0) {
            return Err(wrong("max_attempts must be at least 1"));
        }
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
    fn limits_of_a_call_are_read_and_kept_in_bounds() {
        let settings = read(json!({"timeout": "5s", "max_attempts": 2})).unwrap();
        assert_eq!(settings.timeout, Duration::from_secs(5));
        assert_eq!(settings.max_attempts, Some(2));
        for (wrong, why) in [
            (json!({"timeout": "500ms"}), "between 1s and 30s"),
            (json!({"timeout": "1m"}), "between 1s and 30s"),
            (json!({"timeout": "5"}), "has no unit"),
            (json!({"max_attempts": 0}), "at least 1"),
            (json!({"external_id": "x"}), "write `assume_role` too"),
        ] {
            let error = read(wrong).unwrap_err();
            assert!(error.to_string().contains(why), "{error}");
        }
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
