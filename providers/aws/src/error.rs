//! What the SDK's errors mean to tideform: which may be repeated, which changed nothing, what a person must do.
//!
//! A call is named as its IAM action is (`autoscaling:SetDesiredCapacity`), so that the name in a message is also the
//! permission that is needed. No credential, header or body of a request ever gets into a message.

use aws_smithy_runtime_api::client::orchestrator::HttpResponse;
use aws_smithy_runtime_api::client::result::SdkError;
use aws_smithy_types::error::display::DisplayErrorContext;
use aws_smithy_types::error::metadata::ProvideErrorMetadata;
use tideform_provider::{BoxError, ProviderError};

use crate::login::{self, Profile};

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
pub(crate) const DENIED: &[&str] = &[
    "AccessDenied",
    "AccessDeniedException",
    "UnauthorizedOperation",
    "UnauthorizedAccess",
    "NotAuthorized",
    "AuthFailure",
    "OptInRequired",
];

/// Codes for credentials that have run out or were never good.
pub(crate) const CREDENTIALS: &[&str] = &[
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
    describe_first(request, error, None)
}

/// The error of the call that proves the credentials.
///
/// - `profile`: what the provider's block names.
pub(crate) fn describe_first<E>(
    request: &'static str,
    error: SdkError<E, HttpResponse>,
    profile: Option<&str>,
) -> ProviderError
where
    E: ProvideErrorMetadata + std::error::Error + Send + Sync + 'static,
{
    match of_call(request, error, profile) {
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
    of_call(request, error, None)
}

fn of_call<E>(
    request: &'static str,
    error: SdkError<E, HttpResponse>,
    profile: Option<&str>,
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
                Some(why) => login::explain(request, why, &text, &Profile::meant(profile)),
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
                "this machine's clock is wrong by more than five minutes; set it. AWS says: {said} ({code})"
            ),
        };
    }
    if CREDENTIALS.contains(&code) {
        return ProviderError::Denied {
            request,
            message: format!(
                "the credentials have run out or are wrong; log in again. AWS says: {said} ({code})"
            ),
        };
    }
    if DENIED.contains(&code) {
        return ProviderError::Denied {
            request,
            message: format!(
                "the role needs the permission {request}; AWS says: {} ({code})",
                named(&said)
            ),
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

/// What EC2 says before it says who may not do what.
const NOT_AUTHORIZED: &str = "You are not authorized to perform this operation.";

/// AWS's sentence without what goes before the one that says something.
fn named(said: &str) -> &str {
    match said.strip_prefix(NOT_AUTHORIZED).map(str::trim_start) {
        Some(rest) if !rest.is_empty() => rest,
        _ => said,
    }
}

/// The whole chain of causes, in one line.
fn chain<E>(error: &SdkError<E, HttpResponse>) -> String
where
    E: std::error::Error + 'static,
{
    let text = causes(std::error::Error::source(error));
    if text.is_empty() {
        DisplayErrorContext(error).to_string()
    } else {
        text
    }
}

/// An error and what is behind it, each once, in one line.
pub(crate) fn causes(mut next: Option<&dyn std::error::Error>) -> String {
    /// The SDK's own words for its rooms say nothing to a reader.
    const ROOMS: &[&str] = &[
        "other",
        "service error",
        "an error occurred while loading credentials",
        "an error occurred while loading an access token",
        "the credential provider was not enabled",
    ];
    let mut parts: Vec<String> = Vec::new();
    while let Some(cause) = next {
        next = cause.source();
        let text = plain(&cause.to_string());
        let is_room = ROOMS.contains(&text.as_str())
            || text.ends_with("interceptor encountered an error")
            // What it is comes behind it.
            || (text.starts_with("unhandled error") && next.is_some());
        let is_said = parts.last().is_some_and(|last| last.contains(&text));
        if !is_room && !is_said {
            parts.push(text);
        }
    }
    parts.join(": ")
}

/// One line, and an error that shows its insides as what it says: `Error { code: "X", message: "what", .. }`.
fn plain(text: &str) -> String {
    let part = |name: &str| {
        let (_, rest) = text.split_once(&format!("{name}: \""))?;
        Some(rest.split_once('"')?.0)
    };
    let insides = text
        .starts_with("Error {")
        .then(|| (part("code"), part("message")));
    match insides {
        Some((Some(code), Some(message))) => format!("{message} ({code})"),
        Some((Some(code), None)) => code.to_owned(),
        _ => text.split_whitespace().collect::<Vec<_>>().join(" "),
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
    fn what_aws_says_is_said_once() {
        let text = "You are not authorized to perform this operation. User: me is not authorized to perform: ec2:DescribeInstances";
        let said = by_code(
            "ec2:DescribeInstances",
            "UnauthorizedOperation",
            text.into(),
            Some(403),
        );
        assert_eq!(
            said.to_string(),
            "`ec2:DescribeInstances` is not allowed: the role needs the permission ec2:DescribeInstances; AWS says: User: me \
             is not authorized to perform: ec2:DescribeInstances (UnauthorizedOperation)"
        );
        for (text, wanted) in [
            (
                "Error { code: \"X\", message: \"what\", aws_request_id: \"r\" }",
                "what (X)",
            ),
            ("Error { code: \"X\" }", "X"),
            ("two\n  lines", "two lines"),
        ] {
            assert_eq!(plain(text), wanted, "{text}");
        }
    }

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
