//! Credentials that are not there, or are no good, by each way on which the SDK looks for them: the true cause is said
//! first, with what to do.

use std::io::{Read, Write};
use std::net::TcpListener;
use std::path::PathBuf;

use tideform_aws_testserver::{AwsServer, Fault, FaultProxy};

use crate::common::{Directory, Ran};

const CONFIG: &str = r#"
[profile plain]
region = us-east-1

[profile borrowed]
role_arn      = arn:aws:iam::111122223333:role/deploy
source_profile = base

[profile sso]
sso_session    = corp
sso_account_id = 111122223333
sso_role_name  = Dev

[sso-session corp]
sso_region    = us-east-1
sso_start_url = https://corp.awsapps.com/start

[profile old-sso]
sso_region     = us-east-1
sso_start_url  = https://corp.awsapps.com/start
sso_account_id = 111122223333
sso_role_name  = Dev

[profile pod]
role_arn                = arn:aws:iam::111122223333:role/pod
web_identity_token_file = TOKEN

[profile keys]
aws_access_key_id     = AKIA999900001111TEST
aws_secret_access_key = unused

[profile helper]
credential_process = exit 3
"#;

/// SHA-1 of `corp` and of the start URL: how the files of a single sign-on are named.
const SESSIONS: [&str; 2] = [
    "ee0bfd2552fbd840c02cc48b6e823320543c450f",
    "a51746d4aa793ae07b25e90c3a5db96fc7832bd7",
];

/// A directory with files for AWS, and a home with profiles.
struct Machine {
    directory: Directory,
    endpoint: String,
}

impl Machine {
    fn new(endpoint: &str) -> Machine {
        let directory =
            Directory::with(&[("shop.hcl", "provider \"aws\" { region = \"us-east-1\" }\n")]);
        let token = directory.file("home/token").display().to_string();
        directory.write("home/.aws/config", &CONFIG.replace("TOKEN", &token));
        Machine {
            directory,
            endpoint: endpoint.to_owned(),
        }
    }

    fn home(&self) -> PathBuf {
        self.directory.file("home")
    }

    /// Sessions of the single sign-on that end at this time.
    fn log_in(&self, until: &str) {
        for name in SESSIONS {
            let text = format!(
                "{{\"startUrl\": \"https://corp.awsapps.com/start\", \"region\": \"us-east-1\", \
                 \"accessToken\": \"a-secret-token\", \"expiresAt\": \"{until}\"}}"
            );
            let path = format!("home/.aws/sso/cache/{name}.json");
            self.directory.write(&path, &text);
        }
    }

    fn import(&self, environment: &[(&str, &str)], more: &[&str]) -> Ran {
        let mut command = self.directory.command(&["import", "aws"]);
        command
            .args(more)
            .env("HOME", self.home())
            .env("PATH", "/usr/bin:/bin")
            .env("AWS_ENDPOINT_URL", &self.endpoint)
            .env("AWS_EC2_METADATA_DISABLED", "true")
            .env("NO_PROXY", "127.0.0.1")
            .envs(environment.iter().copied());
        let output = command.output().expect("it runs");
        let text = |bytes: Vec<u8>| String::from_utf8(bytes).expect("text");
        Ran {
            code: output.status.code(),
            stdout: text(output.stdout),
            stderr: text(output.stderr),
        }
    }

    /// Fails with these words, the first of them at the beginning of what is said.
    #[track_caller]
    fn fails(&self, environment: &[(&str, &str)], first: &str, others: &[&str]) {
        let ran = self.import(environment, &[]).exits(1);
        let said = &ran.stderr;
        assert!(
            said.contains(&format!("\n  provider.aws: {first}")),
            "{first}\n{said}"
        );
        for words in others {
            assert!(said.contains(words), "{words}\n{said}");
        }
        for noise in [
            "a-secret-token",
            "Attempted",
            "WebIdentityToken:",
            "Error {",
            "try again",
        ] {
            assert!(!said.contains(noise), "{noise}\n{said}");
        }
    }
}

#[test]
fn a_profile_that_is_asked_for_is_stronger_than_keys_of_the_environment() {
    let machine = Machine::new(&AwsServer::shared().url());
    let keys = [
        ("AWS_ACCESS_KEY_ID", "AKIA111122223333TEST"),
        ("AWS_SECRET_ACCESS_KEY", "unused"),
    ];
    let with = |profile: &str| {
        let block = format!(
            "provider \"aws\" {{\n  region  = \"us-east-1\"\n  profile = \"{profile}\"\n}}\n"
        );
        machine.directory.write("shop.hcl", &block);
        let ran = machine.import(&keys, &[]);
        format!("{}{}", ran.stdout, ran.stderr)
    };
    let said = with("nosuch");
    assert!(said.contains("profile `nosuch`"), "{said}");
    let said = with("keys");
    assert!(said.contains("999900001111"), "{said}");
    assert!(!said.contains("111122223333"), "{said}");
}

#[test]
fn a_profile_that_is_not_there_or_has_no_credentials_is_named() {
    let machine = Machine::new(&AwsServer::shared().url());
    let config = machine.home().join(".aws/config").display().to_string();
    machine.fails(
        &[],
        "there are no credentials: none in the environment (AWS_ACCESS_KEY_ID), none in the profile `default`",
        &["Set AWS_PROFILE, log in, or give this machine a role"],
    );
    machine.fails(
        &[("AWS_PROFILE", "nope")],
        "there are no credentials: the profile `nope`, which AWS_PROFILE names, is not in ",
        &[&config, "Correct the name"],
    );
    machine.fails(
        &[("AWS_PROFILE", "nope"), ("HOME", "/nonexistent")],
        "there are no credentials: the profile `nope`, which AWS_PROFILE names, is not in /nonexistent/.aws/config",
        &[],
    );
    machine.fails(
        &[("AWS_PROFILE", "plain")],
        "there are no credentials: the profile `plain`, which AWS_PROFILE names, has none in ",
        &["aws configure --profile plain"],
    );
    machine.fails(
        &[("AWS_PROFILE", "borrowed")],
        "there are no credentials: the profile `borrowed`, which AWS_PROFILE names, takes them from the profile `base`, which is not in",
        &["source_profile"],
    );
    machine.fails(
        &[("AWS_PROFILE", "helper")],
        "there are no credentials: the credential_process of the profile `helper`",
        &["code"],
    );
    machine.directory.write(
        "shop.hcl",
        "provider \"aws\" {\n  region  = \"us-east-1\"\n  profile = \"nope\"\n}\n",
    );
    machine.fails(
        &[("AWS_PROFILE", "plain")],
        "there are no credentials: the profile `nope`, which `profile` in the files names, is not in ",
        &[],
    );
}

#[test]
fn a_single_sign_on_without_a_session_says_how_to_log_in() {
    let refusing = refusing_sign_on();
    let machine = Machine::new(&refusing);
    let first = |profile: &str| {
        format!(
            "there are no credentials: the single sign-on of the profile `{profile}`, which AWS_PROFILE names, has no session, or one that has run out. Log in: `aws sso login --profile {profile}`"
        )
    };
    // Nobody logged in; the session has run out; AWS has ended it.
    for until in [
        None,
        Some("2020-01-01T00:00:00Z"),
        Some("2099-01-01T00:00:00Z"),
    ] {
        if let Some(until) = until {
            machine.log_in(until);
        }
        for profile in ["sso", "old-sso"] {
            machine.fails(&[("AWS_PROFILE", profile)], &first(profile), &[]);
        }
    }
}

#[test]
fn a_web_identity_without_a_token_or_with_an_old_one_is_said() {
    let proxy = FaultProxy::start(AwsServer::shared());
    let machine = Machine::new(&proxy.url());
    let token = machine.home().join("token").display().to_string();
    let job = [
        ("AWS_ROLE_ARN", "arn:aws:iam::111122223333:role/ci"),
        ("AWS_WEB_IDENTITY_TOKEN_FILE", token.as_str()),
    ];
    machine.fails(
        &job,
        &format!("there are no credentials: the web identity's token `{token}`, which AWS_WEB_IDENTITY_TOKEN_FILE names, is not there"),
        &[],
    );
    machine.fails(
        &[("AWS_PROFILE", "pod")],
        "there are no credentials: a file that the profile `pod`, which AWS_PROFILE names, names for them is not there",
        &["web_identity_token_file"],
    );
    machine.directory.write("home/token", "a-secret-token");
    for code in ["ExpiredTokenException", "InvalidIdentityToken"] {
        let answer = Fault::Answer { status: 400, code };
        proxy.spoil_some("AssumeRoleWithWebIdentity", "", 0, 99, answer);
        machine.fails(
            &job,
            &format!("there are no credentials: AWS refuses the web identity's token in `{token}`: it has run out, or"),
            &[code, "Fetch a new one"],
        );
        proxy.heal();
    }
}

/// An endpoint that knows no session of a single sign-on; it ends with the test.
fn refusing_sign_on() -> String {
    const BODY: &str = r#"{"message":"Session token not found or invalid"}"#;
    let listener = TcpListener::bind("127.0.0.1:0").expect("a port");
    let url = format!("http://{}", listener.local_addr().expect("an address"));
    std::thread::spawn(move || {
        for stream in listener.incoming() {
            let Ok(mut stream) = stream else { continue };
            let mut head = Vec::new();
            let mut byte = [0];
            while !head.ends_with(b"\r\n\r\n") && matches!(stream.read(&mut byte), Ok(1)) {
                head.push(byte[0]);
            }
            let _ = write!(
                stream,
                "HTTP/1.1 401 Unauthorized\r\nx-amzn-errortype: UnauthorizedException\r\ncontent-type: application/json\r\ncontent-length: {}\r\nconnection: close\r\n\r\n{BODY}",
                BODY.len()
            );
        }
    });
    url
}
