//! Starts the AWS API server of `tests/aws/` and talks to its control endpoints. For tests only.
//!
//! One server serves a whole test binary; every test takes an [`Account`] of its own, so tests neither see nor disturb
//! each other. The server ends with the process that started it, however that ends. Whatever goes wrong here panics
//! with a text that says what to do: a test without its server must fail, not vanish.
//!
//! ```no_run
//! let account = tideform_aws_testserver::AwsServer::shared().account();
//! account.seed_groups(serde_json::json!({ "count": 3 }));
//! std::process::Command::new("tideform").envs(account.environment());
//! assert_eq!(account.count("autoscaling", "SetDesiredCapacity"), 0);
//! assert!(account.violations().is_empty());
//! ```

mod account;
mod http;
mod install;
mod proxy;

use std::io::{BufRead, BufReader};
use std::path::PathBuf;
use std::process::{Child, ChildStdin, Command, Stdio};
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{OnceLock, mpsc};
use std::time::Duration;

use serde_json::Value;

pub use account::Account;
pub use proxy::{Fault, FaultProxy, Passed};

/// Longest time from the start of the process to its first line.
const START: Duration = Duration::from_secs(120);

/// A running server. Dropping it ends it.
#[derive(Debug)]
pub struct AwsServer {
    port: u16,
    child: Child,
    stdin: Option<ChildStdin>,
    accounts: AtomicU64,
}

impl AwsServer {
    /// The server of this test binary, started by the first who asks.
    pub fn shared() -> &'static AwsServer {
        static SERVER: OnceLock<AwsServer> = OnceLock::new();
        SERVER.get_or_init(AwsServer::start)
    }

    /// A server for a test that needs one alone. Installs the Python packages into `target/aws-venv` first where they
    /// are missing.
    ///
    /// # Panics
    ///
    /// Without Python 3.10, without the packages and an index to install them from, or when the server does not start.
    pub fn start() -> AwsServer {
        let mut child = Command::new(install::python())
            .args(["-B", "-m", "server"])
            .current_dir(install::server_directory())
            .envs([("PYTHONUNBUFFERED", "1"), ("NO_PROXY", "127.0.0.1")])
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()
            .unwrap_or_else(|error| {
                panic!("the AWS API server of the tests did not start: {error}")
            });
        let stdout = child.stdout.take();
        let (send, receive) = mpsc::channel();
        std::thread::spawn(move || {
            let mut line = String::new();
            if let Some(stdout) = stdout {
                let _ = BufReader::new(stdout).read_line(&mut line);
            }
            let _ = send.send(line);
        });
        let line = receive.recv_timeout(START).unwrap_or_default();
        let first: Value = serde_json::from_str(&line).unwrap_or_default();
        let Some(port) = first["port"]
            .as_u64()
            .and_then(|port| u16::try_from(port).ok())
        else {
            let _ = child.kill();
            let _ = child.wait();
            panic!(
                "the AWS API server of the tests was not ready within {START:?}; its first line was {line:?}, \
                 what it complained of is above"
            );
        };
        let stdin = child.stdin.take();
        AwsServer {
            port,
            child,
            stdin,
            accounts: AtomicU64::new(100_000_000_000),
        }
    }

    pub(crate) fn port(&self) -> u16 {
        self.port
    }

    /// Where it listens, as `AWS_ENDPOINT_URL` wants it.
    pub fn url(&self) -> String {
        format!("http://127.0.0.1:{}", self.port)
    }

    /// An account that no other test of this server has.
    pub fn account(&self) -> Account<'_> {
        Account::new(
            self,
            self.accounts.fetch_add(1, Ordering::Relaxed).to_string(),
        )
    }

    /// Asks a control endpoint (`tests/aws/README.md` lists them): POST with a body, GET with null.
    ///
    /// # Panics
    ///
    /// When the server refuses, with its reason.
    #[track_caller]
    pub fn control(&self, path: &str, body: &Value) -> Value {
        match http::exchange(self.port, &format!("/_strict/{path}"), body) {
            Ok((200, answer)) => answer,
            Ok((status, answer)) => panic!("/_strict/{path} answered {status}: {answer}"),
            Err(error) => panic!("/_strict/{path}: {error}"),
        }
    }
}

impl Drop for AwsServer {
    fn drop(&mut self) {
        drop(self.stdin.take());
        let _ = self.child.wait();
    }
}

/// The Python with the packages of the tests: boto3 is among them, a client that is not of this project.
///
/// # Panics
///
/// As [`AwsServer::start`].
pub fn python() -> PathBuf {
    install::python()
}

/// The folder `tests/aws` of the repository.
pub fn server_directory() -> PathBuf {
    install::server_directory()
}
