//! What the SDK's errors mean to tideform: which may be repeated, which changed nothing, what a person must do.
//!
//! A call is named as its IAM action is (`autoscaling:SetDesiredCapacity`), so that the name in a message is also the
//! permission that is needed. No credential, header or body of a request ever gets into a message.

use aws_credential_types::provider::error::CredentialsError;
use aws_smithy_runtime_api::client::orchestrator::HttpResponse;
use aws_smithy_runtime_api::client::result::SdkError;
use aws_smithy_types::error::display::DisplayErrorContext;
use aws_smithy_types::error::metadata::ProvideErrorMetadata;
use tideform_provider::{BoxError, ProviderError};

/// Codes for "slow down"; nothing was done.
const THROTTLED: &[&str] = &[
    "Throttling",
    "ThrottlingException",
    "ThrottledException",
    "RequestThrottled",
    "RequestThrottledException",
    "RequestLimitExceeded",
    "TooManyRequestsException",
    "PriorRequestNotComplete",
    "BandwidthLimitExceeded",
    "SlowDown",
];

/// Codes for "you may not", and for credentials that are no good.
const DENIED: &[&str] = &[
    "AccessDenied",
    "AccessDeniedException",
    "UnauthorizedOperation",
    "UnauthorizedAccess",
    "NotAuthorized",
    "AuthFailure",
    "OptInRequired",
];

/// Codes for credentials that have run out or were never good.
const CREDENTIALS: &[&str] = &[
    "ExpiredToken",
    "ExpiredTokenException",
    "RequestExpired",
    "TokenRefreshRequired",
    "InvalidClientTokenId",
    "InvalidAccessKeyId",
    "UnrecognizedClientException",
    "MissingAuthenticationToken",
    "SignatureDoesNotMatch",
    "InvalidSignatureException",
    "IncompleteSignature",
];

/// Codes for a request whose time is not AWS's.
const SKEWED: &[&str] = &["RequestTimeTooSkewed", "RequestInTheFuture"];

/// Codes for "somebody else is changing this right now"; nothing was done.
const CONTENDED: &[&str] = &[
    "ResourceContention",
    "ResourceContentionFault",
    "ScalingActivityInProgress",
    "ScalingActivityInProgressFault",
    "ConcurrentModification",
    "ConcurrentModificationException",
];

/// The error of a read: it changed nothing, whatever it was.
pub(crate) fn describe<E>(request: &'static str, error: SdkError<E, HttpResponse>) -> ProviderError
where
    E: ProvideErrorMetadata + std::error::Error + Send + Sync + 'static,
{
    match describe_write(request, error) {
        ProviderError::OutcomeUnknown { request, source } => ProviderError::Unavailable {
            request,
            message: source.to_string(),
        },
        error => error,
    }
}

/// The error of a write. Whatever may have reached AWS and was not answered is `OutcomeUnknown`.
pub(crate) fn describe_write<E>(
    request: &'static str,
    error: SdkError<E, HttpResponse>,
) -> ProviderError
where
    E: ProvideErrorMetadata + std::error::Error + Send + Sync + 'static,
{
    let status = error
        .raw_response()
        .map(|response| response.status().as_u16());
    let code = error.code().map(str::to_owned);
    if let Some(code) = code {
        let said = error.message().unwrap_or("no further message").to_owned();
        return by_code(request, &code, said, status);
    }
    match &error {
        SdkError::ConstructionFailure(_) => ProviderError::Refused {
            request,
            message: format!("the request could not be made: {}", chain(&error)),
        },
        SdkError::DispatchFailure(failure) if failure.is_user() => ProviderError::Refused {
            request,
            message: chain(&error),
        },
        // Without credentials or a connection nothing was sent.
        SdkError::DispatchFailure(failure) if !failure.is_io() && !failure.is_timeout() => {
            let text = chain(&error);
            match cause(&error) {
                Some(why) => without_credentials(request, why, text),
                None => ProviderError::OutcomeUnknown {
                    request,
                    source: text.into(),
                },
            }
        }
        SdkError::DispatchFailure(_) if is_refused_connection(&error) => {
            ProviderError::Unavailable {
                request,
                message: "the connection was refused".to_owned(),
            }
        }
        _ => ProviderError::OutcomeUnknown {
            request,
            source: match status {
                Some(status) => format!("HTTP {status}: {}", chain(&error)).into(),
                None => BoxError::from(chain(&error)),
            },
        },
    }
}

fn by_code(request: &'static str, code: &str, said: String, status: Option<u16>) -> ProviderError {
    if THROTTLED.contains(&code) {
        return ProviderError::Throttled {
            request,
            retry_after: None,
        };
    }
    if CONTENDED.contains(&code) {
        return ProviderError::Conflict { request };
    }
    // Most services say it as a signature that is of another time.
    let is_skewed = SKEWED.contains(&code)
        || said.starts_with("Signature expired")
        || said.starts_with("Signature not yet current");
    if is_skewed {
        return ProviderError::Denied {
            request,
            message: format!(
                "{said} ({code}): this machine's clock is wrong by more than five minutes; set it"
            ),
        };
    }
    if CREDENTIALS.contains(&code) {
        return ProviderError::Denied {
            request,
            message: format!(
                "{said} ({code}): the credentials have run out or are wrong; log in again"
            ),
        };
    }
    if DENIED.contains(&code) {
        return ProviderError::Denied {
            request,
            message: format!("{said} ({code}): the role needs the permission {request}"),
        };
    }
    match status {
        Some(status) if status >= 500 => ProviderError::OutcomeUnknown {
            request,
            source: format!("HTTP {status} {code}: {said}").into(),
        },
        _ => ProviderError::Refused {
            request,
            message: format!("{said} ({code})"),
        },
    }
}

/// The whole chain of causes, in one line.
fn chain<E>(error: &SdkError<E, HttpResponse>) -> String
where
    E: std::error::Error + 'static,
{
    let mut parts: Vec<String> = Vec::new();
    let mut next: Option<&dyn std::error::Error> = std::error::Error::source(error);
    while let Some(cause) = next {
        let text = cause.to_string();
        // The SDK's own words for its rooms say nothing to a reader.
        let is_room = text == "other" || text.ends_with("interceptor encountered an error");
        if !is_room && parts.last() != Some(&text) {
            parts.push(text);
        }
        next = cause.source();
    }
    if parts.is_empty() {
        parts.push(DisplayErrorContext(error).to_string());
    }
    parts.join(": ")
}

/// There are no credentials to sign the call with, so it was not sent.
fn without_credentials(
    request: &'static str,
    why: &CredentialsError,
    text: String,
) -> ProviderError {
    let has = |codes: &[&str]| codes.iter().any(|code| text.contains(code));
    if text.contains("sts:AssumeRole") && has(DENIED) {
        return ProviderError::Denied {
            request: "sts:AssumeRole",
            message: format!(
                "the role of `assume_role` may not be taken on ({text}): the credentials need the permission \
                 sts:AssumeRole for it, and its trust policy must name them, with `external_id` where it asks for one"
            ),
        };
    }
    let is_passing = match why {
        CredentialsError::ProviderTimedOut(_) => true,
        CredentialsError::ProviderError(_) => !has(DENIED) && !has(CREDENTIALS),
        _ => false,
    };
    if is_passing {
        return ProviderError::Unavailable {
            request,
            message: format!("the credentials could not be fetched: {text}"),
        };
    }
    ProviderError::Denied {
        request,
        message: format!(
            "there are no usable credentials ({text}): set AWS_PROFILE, log in, or give this machine a role"
        ),
    }
}

fn is_refused_connection<E>(error: &SdkError<E, HttpResponse>) -> bool
where
    E: std::error::Error + 'static,
{
    cause(error)
        .is_some_and(|io: &std::io::Error| io.kind() == std::io::ErrorKind::ConnectionRefused)
}

/// The first cause of this type.
fn cause<E, C>(error: &SdkError<E, HttpResponse>) -> Option<&C>
where
    E: std::error::Error + 'static,
    C: std::error::Error + 'static,
{
    let mut next: Option<&dyn std::error::Error> = std::error::Error::source(error);
    while let Some(error) = next {
        if let Some(found) = error.downcast_ref() {
            return Some(found);
        }
        next = error.source();
    }
    None
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_code_says_what_may_be_done_about_it() {
        let of = |code, status| {
            by_code(
                "autoscaling:SetDesiredCapacity",
                code,
                "said".into(),
                Some(status),
            )
        };
        assert!(matches!(
            of("Throttling", 400),
            ProviderError::Throttled { .. }
        ));
        assert!(matches!(
            of("RequestLimitExceeded", 503),
            ProviderError::Throttled { .. }
        ));
        assert!(matches!(
            of("ScalingActivityInProgress", 400),
            ProviderError::Conflict { .. }
        ));
        assert!(matches!(
            of("ValidationError", 400),
            ProviderError::Refused { .. }
        ));
        // A failure inside AWS may have come after the deed.
        assert!(matches!(
            of("InternalFailure", 500),
            ProviderError::OutcomeUnknown { .. }
        ));
        let denied = of("AccessDenied", 403);
        assert!(matches!(denied, ProviderError::Denied { .. }));
        assert!(
            denied
                .to_string()
                .contains("needs the permission autoscaling:SetDesiredCapacity")
        );
        let skewed = of("RequestTimeTooSkewed", 403);
        assert!(skewed.to_string().contains("clock is wrong"), "{skewed}");
        let said = "Signature expired: 20260101T000000Z is now earlier than 20260101T001500Z";
        let skewed = by_code(
            "sts:GetCallerIdentity",
            "SignatureDoesNotMatch",
            said.into(),
            Some(403),
        );
        assert!(skewed.to_string().contains("clock is wrong"), "{skewed}");
        let expired = of("ExpiredToken", 403);
        assert!(expired.to_string().contains("log in again"), "{expired}");
    }
}
