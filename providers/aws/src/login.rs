//! Why there are no credentials, and what to do: the true cause first.
//!
//! The SDK asks one source of credentials after the other, and says of each why it has none. A person wants to hear of
//! the one that was meant: the profile, the single sign-on, the web identity. No credential gets into a message.

use std::path::{Path, PathBuf};

use aws_credential_types::provider::error::CredentialsError;
use tideform_provider::ProviderError;

use crate::error::{CREDENTIALS, DENIED};

/// The profile that credentials are looked for in, and who says so.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Profile {
    name: String,
    /// `AWS_PROFILE`, or the attribute; `None`: nobody.
    said_by: Option<&'static str>,
}

impl Profile {
    /// - `attribute`: `profile` of the block of a provider or backend, which is stronger than the environment.
    pub(crate) fn meant(attribute: Option<&str>) -> Profile {
        let of_environment = std::env::var("AWS_PROFILE")
            .ok()
            .filter(|name| !name.is_empty());
        match (attribute, of_environment) {
            (Some(name), _) => Profile {
                name: name.to_owned(),
                said_by: Some("`profile` in the files"),
            },
            (None, Some(name)) => Profile {
                name,
                said_by: Some("AWS_PROFILE"),
            },
            (None, None) => Profile {
                name: "default".to_owned(),
                said_by: None,
            },
        }
    }

    /// `` the profile `ci`, which AWS_PROFILE names, ``
    fn shown(&self) -> String {
        match self.said_by {
            Some(by) => format!("the profile `{}`, which {by} names,", self.name),
            None => format!("the profile `{}`", self.name),
        }
    }

    /// ` --profile ci`, for a command of the AWS command line.
    fn flag(&self) -> String {
        match self.said_by {
            Some(_) => format!(" --profile {}", self.name),
            None => String::new(),
        }
    }
}

/// What the SDK's failure to find credentials means. The call was not sent.
///
/// - `text`: the chain of causes, in one line.
pub(crate) fn explain(
    request: &'static str,
    why: &CredentialsError,
    text: &str,
    profile: &Profile,
) -> ProviderError {
    let files = Files::of_environment();
    let token_file = std::env::var_os("AWS_WEB_IDENTITY_TOKEN_FILE").map(PathBuf::from);
    explain_with(request, why, text, profile, &files, token_file.as_deref())
}

fn explain_with(
    request: &'static str,
    why: &CredentialsError,
    text: &str,
    profile: &Profile,
    files: &Files,
    token_file: Option<&Path>,
) -> ProviderError {
    let settings = |message: String| ProviderError::Configuration { message };
    let has = |parts: &[&str]| parts.iter().any(|part| text.contains(part));
    if matches!(why, CredentialsError::CredentialsNotLoaded(_)) {
        return settings(none_found(text, profile, files));
    }
    if text.contains("external process") {
        return settings(format!(
            "there are no credentials: the credential_process of {} failed: {text}",
            profile.shown()
        ));
    }
    // The SDK signs neither of these calls, so that a wrong key has no part in them.
    if has(&["SSO token", "sso/cache", "sso\\cache"]) || (is_sign_on(text) && has(SIGNED_OUT)) {
        return settings(format!(
            "there are no credentials: the single sign-on of {} has no session, or one that has run out. Log in: `aws \
             sso login{}` ({text})",
            profile.shown(),
            profile.flag()
        ));
    }
    let is_missing = has(&["No such file or directory", "cannot find the file"]);
    if is_missing || has(WEB_TOKENS) {
        let file = token_file.map(|path| format!("`{}`", path.display()));
        return settings(match (is_missing, file) {
            (true, Some(file)) => format!(
                "there are no credentials: the web identity's token {file}, which AWS_WEB_IDENTITY_TOKEN_FILE names, is \
                 not there. Whoever runs this job must put it there, as an identity provider does in a CI job or a pod"
            ),
            (true, None) => format!(
                "there are no credentials: a file that {} names for them is not there, such as its \
                 web_identity_token_file ({text})",
                profile.shown()
            ),
            (false, file) => format!(
                "there are no credentials: AWS refuses the web identity's token{}: it has run out, or the role's trust \
                 policy does not name who issued it. Fetch a new one ({text})",
                file.map(|file| format!(" in {file}")).unwrap_or_default()
            ),
        });
    }
    if text.contains("sts:AssumeRole") && has(DENIED) {
        return ProviderError::Denied {
            request: "sts:AssumeRole",
            message: format!(
                "the role may not be taken on: the credentials need the permission sts:AssumeRole for it, and its trust \
                 policy must name them, with `external_id` where it asks for one. AWS says: {text}"
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
    settings(format!(
        "there are no credentials: those of {} cannot be used: {text}",
        profile.shown()
    ))
}

/// What AWS says to the token of a single sign-on that was ended.
const SIGNED_OUT: &[&str] = &["UnauthorizedException", "Session token not found"];

/// What AWS says to the token of a web identity.
const WEB_TOKENS: &[&str] = &[
    "ExpiredTokenException",
    "InvalidIdentityToken",
    "IDPRejectedClaim",
    "AssumeRoleWithWebIdentity",
];

fn is_sign_on(text: &str) -> bool {
    // Of the services that hand out credentials only this one answers so.
    SIGNED_OUT.iter().any(|part| text.contains(part))
}

/// No source of credentials has any.
fn none_found(text: &str, profile: &Profile, files: &Files) -> String {
    // A profile names another one as its source.
    let undefined = text
        .split_once("could not find source profile ")
        .and_then(|(_, rest)| rest.split_whitespace().next())
        .unwrap_or(&profile.name);
    let is_source = undefined != profile.name;
    if profile.said_by.is_none() && !is_source {
        return format!(
            "there are no credentials: none in the environment (AWS_ACCESS_KEY_ID), none in the profile `{}` of {files}, \
             no web identity, and no role of a container or an instance. Set AWS_PROFILE, log in, or give this machine a \
             role",
            profile.name
        );
    }
    if is_source {
        return format!(
            "there are no credentials: {} takes them from the profile `{undefined}`, which is not in {files}. Write it \
             there, or correct `source_profile`",
            profile.shown()
        );
    }
    if files.define(undefined) {
        return format!(
            "there are no credentials: {} has none in {files}: no keys, no single sign-on, no role, no \
             credential_process. Write them there, as `aws configure{}` does, or name another profile",
            profile.shown(),
            profile.flag()
        );
    }
    format!(
        "there are no credentials: {} is not in {files}. Correct the name, or make it: `aws configure{}`",
        profile.shown(),
        profile.flag()
    )
}

/// The files that profiles are in.
#[derive(Clone, Debug, PartialEq, Eq)]
struct Files {
    config: PathBuf,
    credentials: PathBuf,
}

impl Files {
    fn of_environment() -> Files {
        let home = std::env::var_os("HOME")
            .or_else(|| std::env::var_os("USERPROFILE"))
            .map(PathBuf::from)
            .unwrap_or_default();
        let file = |variable: &str, name: &str| {
            std::env::var_os(variable).map_or_else(|| home.join(".aws").join(name), PathBuf::from)
        };
        Files {
            config: file("AWS_CONFIG_FILE", "config"),
            credentials: file("AWS_SHARED_CREDENTIALS_FILE", "credentials"),
        }
    }

    /// Whether one of them has a section for this profile.
    fn define(&self, profile: &str) -> bool {
        [&self.config, &self.credentials]
            .into_iter()
            .filter_map(|path| std::fs::read_to_string(path).ok())
            .any(|text| {
                text.lines()
                    .filter_map(section)
                    .any(|name| name.strip_prefix("profile ").map_or(name, str::trim) == profile)
            })
    }
}

/// The name in brackets, where the line is one.
fn section(line: &str) -> Option<&str> {
    let (name, _) = line.trim_start().strip_prefix('[')?.split_once(']')?;
    Some(name.trim())
}

impl std::fmt::Display for Files {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(
            f,
            "{} or {}",
            self.config.display(),
            self.credentials.display()
        )
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn said(why: &CredentialsError, text: &str, profile: &Profile, token: Option<&str>) -> String {
        let files = Files {
            config: "/none/config".into(),
            credentials: "/none/credentials".into(),
        };
        let call = "sts:GetCallerIdentity";
        explain_with(call, why, text, profile, &files, token.map(Path::new)).to_string()
    }

    #[test]
    fn the_true_cause_comes_first() {
        let meant = Profile {
            name: "ci".to_owned(),
            said_by: Some("AWS_PROFILE"),
        };
        let nobody = Profile {
            name: "default".to_owned(),
            said_by: None,
        };
        let absent = CredentialsError::not_loaded("chain");
        let failed = CredentialsError::provider_error("failed");
        for (why, text, profile, token, words) in [
            (
                &absent,
                "Profile: profile `ci` was not defined: could not find source profile ci referenced from the root",
                &meant,
                None,
                "there are no credentials: the profile `ci`, which AWS_PROFILE names, is not in /none/config",
            ),
            (
                &absent,
                "could not find source profile base referenced from ci",
                &meant,
                None,
                "takes them from the profile `base`, which is not in",
            ),
            (&absent, "chain", &nobody, None, "none in the environment"),
            (
                &failed,
                "failed to load the cached SSO token",
                &meant,
                None,
                "`aws sso login --profile ci`",
            ),
            (
                &failed,
                "UnauthorizedException: Session token not found or invalid",
                &nobody,
                None,
                "`aws sso login`",
            ),
            (
                &failed,
                "No such file or directory (os error 2)",
                &nobody,
                Some("/run/token"),
                "the web identity's token `/run/token`, which AWS_WEB_IDENTITY_TOKEN_FILE names, is not there",
            ),
            (
                &failed,
                "No such file or directory (os error 2)",
                &meant,
                None,
                "a file that the profile `ci`, which AWS_PROFILE names, names for them is not there",
            ),
            (
                &failed,
                "Token expired (ExpiredTokenException)",
                &nobody,
                Some("/run/token"),
                "AWS refuses the web identity's token in `/run/token`: it has run out",
            ),
            (
                &failed,
                "external process exited with code 1",
                &meant,
                None,
                "the credential_process of the profile `ci`",
            ),
        ] {
            let said = said(why, text, profile, token);
            assert!(said.contains(words), "{words}: {said}");
        }
        let later = said(&failed, "HTTP 503", &nobody, None);
        assert!(later.contains("could not be fetched"), "{later}");
    }

    #[test]
    fn a_profile_is_known_by_its_section() {
        for (line, name) in [
            ("[default]", Some("default")),
            (" [profile  ci ]", Some("profile  ci")),
            ("key = [x]", None),
            ("[open", None),
        ] {
            assert_eq!(section(line), name, "{line}");
        }
    }
}
