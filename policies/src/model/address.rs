//! Addresses: how files, commands and the state name providers and groups.

use std::fmt;
use std::sync::Arc;

use serde::{Deserialize, Serialize};

/// `provider.mock`, `provider.aws`, `provider.aws.us`.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct ProviderAddress {
    /// `mock`, `aws`, `prometheus`.
    pub kind: Arc<str>,
    /// The second label, where there is one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub alias: Option<Arc<str>>,
}

impl fmt::Display for ProviderAddress {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "provider.{}", self.kind)?;
        match &self.alias {
            Some(alias) => write!(f, ".{alias}"),
            None => Ok(()),
        }
    }
}

/// `group.web`, or `group.svc["api"]` where the group has `for_each`.
///
/// The state and the JSON views write it as its text. Keys may hold any character.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct GroupAddress {
    /// The block's label.
    pub name: Arc<str>,
    /// The key of `for_each`.
    pub key: Option<Arc<str>>,
}

impl GroupAddress {
    /// The address of a group without `for_each`.
    pub fn new(name: &str) -> GroupAddress {
        GroupAddress {
            name: name.into(),
            key: None,
        }
    }

    /// The address of one member of a group with `for_each`.
    pub fn keyed(name: &str, key: &str) -> GroupAddress {
        GroupAddress {
            name: name.into(),
            key: Some(key.into()),
        }
    }

    /// The short form for people and for resource names: `web`, `svc.api`.
    pub fn short(&self) -> String {
        match &self.key {
            Some(key) => format!("{}.{key}", self.name),
            None => self.name.to_string(),
        }
    }

    /// Reads `group.web`, `web`, `group.svc["api"]` or `svc.api`; `None` for anything else.
    pub fn parse(text: &str) -> Option<GroupAddress> {
        let text = text.strip_prefix("group.").unwrap_or(text);
        let (name, key) = if let Some((name, rest)) = text.split_once('[') {
            let quoted = rest.strip_suffix(']')?;
            (name, Some(serde_json::from_str::<String>(quoted).ok()?))
        } else if let Some((name, key)) = text.split_once('.') {
            (name, Some(key.to_owned()))
        } else {
            (text, None)
        };
        if name.is_empty() || key.as_deref() == Some("") {
            return None;
        }
        Some(GroupAddress {
            name: name.into(),
            key: key.map(Into::into),
        })
    }
}

impl fmt::Display for GroupAddress {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "group.{}", self.name)?;
        match &self.key {
            Some(key) => write!(f, "[{}]", serde_json::Value::from(&**key)),
            None => Ok(()),
        }
    }
}

impl Serialize for GroupAddress {
    fn serialize<S: serde::Serializer>(&self, s: S) -> Result<S::Ok, S::Error> {
        s.collect_str(self)
    }
}

impl<'de> Deserialize<'de> for GroupAddress {
    fn deserialize<D: serde::Deserializer<'de>>(d: D) -> Result<GroupAddress, D::Error> {
        let text = String::deserialize(d)?;
        GroupAddress::parse(&text)
            .ok_or_else(|| serde::de::Error::custom(format!("`{text}` is no group address")))
    }
}
