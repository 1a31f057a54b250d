//! One test's account on the server: what it is told, and what it has seen.

use std::collections::BTreeSet;
use std::process::Command;

use serde_json::{Value, json};

use crate::AwsServer;
use crate::install;

/// The region of [`Account::environment`].
const REGION: &str = "us-east-1";

/// An AWS account of its own: state, clock, faults, permissions and log are apart from every other account's.
#[derive(Debug)]
pub struct Account<'a> {
    server: &'a AwsServer,
    id: String,
}

impl<'a> Account<'a> {
    pub(crate) fn new(server: &'a AwsServer, id: String) -> Account<'a> {
        Account { server, id }
    }

    /// Its twelve digits.
    pub fn id(&self) -> &str {
        &self.id
    }

    /// The access key that works in this account, with any secret.
    pub fn access_key(&self) -> String {
        format!("AKIA{}TEST", self.id)
    }

    /// What a process needs to work in this account and nowhere else. Give it a cleared environment otherwise, or take
    /// away `AWS_PROFILE` and `AWS_SESSION_TOKEN`.
    pub fn environment(&self) -> Vec<(String, String)> {
        [
            ("AWS_ENDPOINT_URL", self.server.url()),
            ("AWS_ACCESS_KEY_ID", self.access_key()),
            (
                "AWS_SECRET_ACCESS_KEY",
                "test-secret-of-no-account".to_owned(),
            ),
            ("AWS_REGION", REGION.to_owned()),
            ("AWS_DEFAULT_REGION", REGION.to_owned()),
            ("AWS_EC2_METADATA_DISABLED", "true".to_owned()),
            ("AWS_CONFIG_FILE", "/dev/null".to_owned()),
            ("AWS_SHARED_CREDENTIALS_FILE", "/dev/null".to_owned()),
            ("NO_PROXY", "127.0.0.1".to_owned()),
        ]
        .map(|(name, value)| (name.to_owned(), value))
        .into()
    }

    // ---- what was asked --------------------------------------------------------------------------

    /// Every request of this account so far: `service`, `op`, `action`, `params`, `status`, `code`, `fault`, `bad`.
    #[track_caller]
    pub fn log(&self) -> Vec<Value> {
        list(
            self.server
                .control(&format!("log?account={}", self.id), &Value::Null),
        )
    }

    /// How often an operation was asked for; `"*"` for any.
    #[track_caller]
    pub fn count(&self, service: &str, op: &str) -> usize {
        let is =
            |entry: &Value, member: &str, wanted: &str| wanted == "*" || entry[member] == wanted;
        let log = self.log();
        log.iter()
            .filter(|entry| is(entry, "service", service) && is(entry, "op", op))
            .count()
    }

    /// The IAM actions of all requests so far: what a policy must allow.
    #[track_caller]
    pub fn actions(&self) -> BTreeSet<String> {
        let name = |entry: &Value| entry["action"].as_str().unwrap_or_default().to_owned();
        self.log().iter().map(name).collect()
    }

    /// The requests that the service models forbid. None, unless a test means it.
    #[track_caller]
    pub fn violations(&self) -> Vec<Value> {
        list(
            self.server
                .control(&format!("violations?account={}", self.id), &Value::Null),
        )
    }

    /// Forgets the log, so that a test counts from here.
    #[track_caller]
    pub fn clear_log(&self) {
        self.tell("clear_log", json!({}));
    }

    // ---- what goes wrong --------------------------------------------------------------------------

    /// Adds faults of this account: a list of objects with `kind`, `service`, `op`, `match`, `skip`, `times`, `when`,
    /// `delay_ms`, or `code`, `message`, `status`.
    #[track_caller]
    pub fn faults(&self, faults: Value) {
        let mine: Vec<Value> = list(faults)
            .into_iter()
            .map(|fault| self.with_account(fault))
            .collect();
        self.server.control("faults", &Value::Array(mine));
    }

    /// Takes the faults that are left away.
    #[track_caller]
    pub fn clear_faults(&self) {
        self.tell("clear_faults", json!({}));
    }

    /// What an operation answers from now on; null for the server's own answer again.
    #[track_caller]
    pub fn stub(&self, service: &str, op: &str, result: Value) {
        let stub = json!({ "account": self.id, "service": service, "op": op, "result": result });
        self.server.control("stubs", &json!([stub]));
    }

    /// Permits these IAM actions (`autoscaling:Describe*`) and no others; `None` permits all.
    #[track_caller]
    pub fn allow(&self, actions: Option<&[&str]>) {
        self.tell("allow", json!({ "actions": actions }));
    }

    /// The launches that fail from now on: a list of objects with `group`, `lifecycle` (`spot`, `on-demand`), `type`,
    /// `az`, `times`, `reason`, all of them optional. An empty list heals.
    #[track_caller]
    pub fn launch_failures(&self, failures: Value) {
        self.tell("launch_failures", json!({ "failures": failures }));
    }

    /// EC2 takes these instances away, as a spot interruption does.
    #[track_caller]
    pub fn interrupt(&self, instances: &[&str]) {
        self.tell("interrupt", json!({ "instances": instances }));
    }

    // ---- time ------------------------------------------------------------------------------------

    /// Stops the account's clock at an RFC 3339 time.
    #[track_caller]
    pub fn stop_clock(&self, at: &str) {
        self.tell("clock", json!({ "now": at, "stopped": true }));
    }

    /// Lets time pass for the account, and what falls due in it happen: boots, hooks, retries, refreshes.
    #[track_caller]
    pub fn advance(&self, seconds: u64) {
        self.tell("clock", json!({ "advance_s": seconds }));
    }

    /// How long things take: `boot_s`, `terminate_s`, `refresh_s`, `retry_s`.
    #[track_caller]
    pub fn settings(&self, settings: Value) {
        self.tell("settings", settings);
    }

    /// Evaluates all alarms as of the account's time and carries out their scaling actions. Answers a report a alarm.
    #[track_caller]
    pub fn evaluate_alarms(&self) -> Vec<Value> {
        list(self.tell("evaluate_alarms", json!({})))
    }

    /// Fires the scheduled actions that are due after `from` up to `to`, RFC 3339 times.
    #[track_caller]
    pub fn run_schedules(&self, from: &str, to: &str) -> Vec<Value> {
        list(self.tell("run_schedules", json!({ "from": from, "to": to })))
    }

    // ---- data ------------------------------------------------------------------------------------

    /// Puts metric data of any namespace and age: a list of objects with `namespace`, `name`, `dimensions`, `points`,
    /// each point a pair of Unix seconds (or RFC 3339) and value.
    #[track_caller]
    pub fn metrics(&self, series: Value) {
        self.tell("metrics", json!({ "series": series }));
    }

    /// Adds to the spot price history: a list of objects with `type`, `az`, `price`, and perhaps `at`, `product`.
    #[track_caller]
    pub fn spot_prices(&self, prices: Value) {
        self.tell("spot_prices", json!({ "prices": prices }));
    }

    /// Makes many groups at once: an object with `count`, and perhaps `prefix`, `group`, `policies`, `schedules`,
    /// `tags`, `type`. Answers their names and the launch template.
    #[track_caller]
    pub fn seed_groups(&self, what: Value) -> Value {
        self.tell("seed_groups", what)
    }

    /// Runs Python in the account. `client(service)` is a boto3 client; what the script leaves in `out` comes back.
    ///
    /// # Panics
    ///
    /// With the traceback when the script fails.
    #[track_caller]
    pub fn boto3(&self, script: &str) -> Value {
        const BEFORE: &str =
            "import boto3, botocore, datetime, json\nclient = boto3.client\nout = None\n";
        const AFTER: &str = "\nprint(json.dumps(out, default=lambda v: v.isoformat()))\n";
        let run = Command::new(install::python())
            .args(["-B", "-c", &format!("{BEFORE}{script}{AFTER}")])
            .env_remove("AWS_PROFILE")
            .env_remove("AWS_SESSION_TOKEN")
            .envs(self.environment())
            .output()
            .unwrap_or_else(|error| panic!("python did not start: {error}"));
        let stdout = String::from_utf8_lossy(&run.stdout);
        match serde_json::from_str(&stdout) {
            Ok(value) if run.status.success() => value,
            _ => panic!(
                "the boto3 script failed:\n{stdout}{}",
                String::from_utf8_lossy(&run.stderr)
            ),
        }
    }

    /// Any control endpoint that takes an account.
    #[track_caller]
    pub fn tell(&self, path: &str, body: Value) -> Value {
        self.server.control(path, &self.with_account(body))
    }

    fn with_account(&self, mut body: Value) -> Value {
        if let Some(members) = body.as_object_mut() {
            members.insert("account".to_owned(), json!(self.id));
        }
        body
    }
}

#[track_caller]
fn list(value: Value) -> Vec<Value> {
    match value {
        Value::Array(items) => items,
        other => panic!("a list was wanted, not {other}"),
    }
}
