//! What can go wrong at a provider, by what the caller can do about it.

use std::time::Duration;

use thiserror::Error;

/// A cause that is only for people.
pub type BoxError = Box<dyn std::error::Error + Send + Sync>;

/// What can go wrong at a provider.
#[derive(Debug, Error)]
pub enum ProviderError {
    /// Over the request rate. Nothing changed; safe to repeat after `retry_after`.
    #[error("request rate exceeded for `{request}`")]
    Throttled {
        /// The call.
        request: &'static str,
        /// When the provider said.
        retry_after: Option<Duration>,
    },
    /// The provider is not there or failed by itself. Nothing changed; safe to repeat.
    #[error("`{request}` is unavailable: {message}")]
    Unavailable {
        /// The call.
        request: &'static str,
        /// What it said.
        message: String,
    },
    /// No answer: the change may or may not have happened. Observe before trying again.
    #[error("no answer to `{request}`")]
    OutcomeUnknown {
        /// The call.
        request: &'static str,
        /// Why.
        source: BoxError,
    },
    /// The resource is not there. Nothing changed.
    #[error("{kind} `{name}` does not exist")]
    NotFound {
        /// `asg`, `instance`.
        kind: String,
        /// Its name.
        name: String,
    },
    /// The provider refused: it will refuse again. Nothing changed.
    #[error("`{request}` was refused: {message}")]
    Refused {
        /// The call.
        request: &'static str,
        /// What it said.
        message: String,
    },
    /// Something there stands in the way for now: a suspended process, a refresh under way. Nothing changed; worth
    /// trying again later, not at once.
    #[error("`{request}` is held: {why}")]
    Blocked {
        /// The call.
        request: &'static str,
        /// What stands in the way.
        why: String,
    },
    /// We may not do that, or are not who we must be. Nothing changed.
    #[error("`{request}` is not allowed: {message}")]
    Denied {
        /// The call.
        request: &'static str,
        /// What it said: names the permission where the provider does.
        message: String,
    },
    /// It was changed by somebody else between our read and our write. Nothing changed by us.
    #[error("`{request}` met a concurrent change")]
    Conflict {
        /// The call.
        request: &'static str,
    },
    /// The provider's settings are wrong, or its data cannot be read. Nothing changed.
    #[error("{message}")]
    Configuration {
        /// What, where, and what to do.
        message: String,
    },
}

impl ProviderError {
    /// Whether repeating the same call may help, and does no harm.
    pub fn is_transient(&self) -> bool {
        match self {
            ProviderError::Throttled { .. }
            | ProviderError::Unavailable { .. }
            | ProviderError::Conflict { .. } => true,
            ProviderError::OutcomeUnknown { .. }
            | ProviderError::NotFound { .. }
            | ProviderError::Refused { .. }
            | ProviderError::Blocked { .. }
            | ProviderError::Denied { .. }
            | ProviderError::Configuration { .. } => false,
        }
    }

    /// The same once more: one failed call is the answer for each item of its batch.
    #[must_use]
    pub fn again(&self) -> ProviderError {
        match self {
            ProviderError::Throttled {
                request,
                retry_after,
            } => ProviderError::Throttled {
                request,
                retry_after: *retry_after,
            },
            ProviderError::Unavailable { request, message } => ProviderError::Unavailable {
                request,
                message: message.clone(),
            },
            ProviderError::OutcomeUnknown { request, source } => ProviderError::OutcomeUnknown {
                request,
                source: source.to_string().into(),
            },
            ProviderError::NotFound { kind, name } => ProviderError::NotFound {
                kind: kind.clone(),
                name: name.clone(),
            },
            ProviderError::Refused { request, message } => ProviderError::Refused {
                request,
                message: message.clone(),
            },
            ProviderError::Blocked { request, why } => ProviderError::Blocked {
                request,
                why: why.clone(),
            },
            ProviderError::Denied { request, message } => ProviderError::Denied {
                request,
                message: message.clone(),
            },
            ProviderError::Conflict { request } => ProviderError::Conflict { request },
            ProviderError::Configuration { message } => ProviderError::Configuration {
                message: message.clone(),
            },
        }
    }
}
