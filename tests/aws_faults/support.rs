//! A shop of groups behind a proxy, one for each fault, and what is asked of its state afterwards.

use std::collections::BTreeMap;

use jiff::{SignedDuration, Timestamp};
use serde_json::{Value, json};
use tideform_aws_testserver::{Account, AwsServer, Fault, FaultProxy};
use tideform_state::{Event, EventFilter, OpenMode, State};

use crate::common::{Directory, Ran};

/// What a call that met a fault comes to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Comes {
    /// It is made again at once, or nobody noticed.
    Done,
    /// Nobody answered; a look at the group shows that it was done.
    Seen,
    /// Nobody answered, and it was not done: the next run finds out.
    Open,
    /// Refused, with these words.
    Refused(&'static str),
}

/// A group and what happens to its call.
pub(crate) struct Case {
    /// The group's name in the files; its resource is `web-<name>`.
    pub(crate) name: &'static str,
    /// `None`: it is one of the others, that go on.
    pub(crate) fault: Option<Fault>,
    /// What is to be expected.
    pub(crate) comes: Comes,
}

/// Every fault, and a group without one.
pub(crate) fn cases() -> Vec<Case> {
    let answer = |status, code| Some(Fault::Answer { status, code });
    [
        ("fine", None, Comes::Done),
        ("throttled", answer(400, "Throttling"), Comes::Done),
        ("limited", answer(503, "RequestLimitExceeded"), Comes::Done),
        ("broken", answer(500, "InternalFailure"), Comes::Open),
        ("cutbefore", Some(Fault::CutBefore), Comes::Open),
        ("cutafter", Some(Fault::CutAfter), Comes::Seen),
        ("cutinside", Some(Fault::CutInside), Comes::Seen),
        ("page", Some(Fault::Page), Comes::Seen),
        ("flipped", Some(Fault::Flipped), Comes::Seen),
        ("hangbefore", Some(Fault::HangBefore), Comes::Open),
        ("hangafter", Some(Fault::HangAfter), Comes::Seen),
        ("late", Some(Fault::Late), Comes::Open),
        (
            "denied",
            answer(403, "AccessDenied"),
            Comes::Refused("needs the permission"),
        ),
        (
            "expired",
            answer(403, "ExpiredToken"),
            Comes::Refused("log in again"),
        ),
        (
            "skewed",
            answer(403, "RequestTimeTooSkewed"),
            Comes::Refused("clock is wrong"),
        ),
        (
            "invalid",
            answer(400, "ValidationError"),
            Comes::Refused("(ValidationError)"),
        ),
    ]
    .into_iter()
    .map(|(name, fault, comes)| Case { name, fault, comes })
    .collect()
}

/// A directory of files, the account that they are about, and the proxy between them.
pub(crate) struct Shop {
    pub(crate) account: Account<'static>,
    pub(crate) proxy: FaultProxy,
    pub(crate) directory: Directory,
    subnet: String,
    minutes: i64,
}

impl Shop {
    /// With a launch template `web` and a subnet.
    pub(crate) fn new() -> Shop {
        let server = AwsServer::shared();
        let (account, proxy) = (server.account(), FaultProxy::start(server));
        let subnet = account.boto3(
            r#"
ec2 = client("ec2")
ec2.create_launch_template(LaunchTemplateName="web", LaunchTemplateData={"ImageId": "ami-12c6146b", "InstanceType": "m5.large"})
out = ec2.describe_subnets()["Subnets"][0]["SubnetId"]
"#,
        );
        let mut directory = Directory::empty();
        for (name, value) in account.environment() {
            directory.set(&name, &value);
        }
        directory.set("AWS_ENDPOINT_URL", &proxy.url());
        Shop {
            account,
            proxy,
            directory,
            subnet: subnet.as_str().expect("a subnet").to_owned(),
            minutes: 0,
        }
    }

    /// Groups of these names with this in them; `NAME` and `SUBNET` are replaced.
    pub(crate) fn write<'a>(&self, names: impl IntoIterator<Item = &'a str>, body: &str) {
        let mut text = "tideform {\n  workspace = \"shop\"\n}\n\
             provider \"aws\" {\n  region  = \"us-east-1\"\n  timeout = \"5s\"\n}\n"
            .to_owned();
        for name in names {
            let body = body.replace("NAME", name).replace("SUBNET", &self.subnet);
            text.push_str(&format!(
                "group \"{name}\" {{\n  provider = provider.aws\n  resource \"asg\" {{ name = \"web-{name}\" }}\n{body}\n}}\n"
            ));
        }
        self.directory.write("shop.hcl", &text);
    }

    /// Makes empty groups, as somebody else would: `web-<name>`.
    pub(crate) fn make_groups(&self, cases: &[Case], desired: u32) {
        let names: Vec<&str> = cases.iter().map(|case| case.name).collect();
        self.account.boto3(&format!(
            "
scaling = client('autoscaling')
for name in {names:?}:
    scaling.create_auto_scaling_group(AutoScalingGroupName='web-' + name, MinSize=1, MaxSize=10, DesiredCapacity={desired},
        LaunchTemplate={{'LaunchTemplateName': 'web', 'Version': '$Default'}}, VPCZoneIdentifier='{}')
",
            self.subnet
        ));
    }

    pub(crate) fn apply(&self) -> Ran {
        self.directory.run(&["apply", "--auto-approve"])
    }

    pub(crate) fn state(&self) -> State {
        let path = self.directory.file(".tideform/shop.db");
        State::open(path, OpenMode::ReadOnly).unwrap()
    }

    pub(crate) fn events(&self) -> Vec<Event> {
        self.state().events(&EventFilter::default()).unwrap()
    }

    /// A minute passes, for tideform: all runs from here on are that much later.
    pub(crate) fn a_minute_later(&mut self) {
        self.minutes += 1;
        let now = Timestamp::now() + SignedDuration::from_mins(self.minutes);
        self.directory.set("TIDEFORM_TEST_NOW", &now.to_string());
    }

    /// How often AWS did this since the log was cleared, in requests with this text in their parameters.
    pub(crate) fn done(&self, op: &str, part: &str) -> usize {
        self.account
            .log()
            .iter()
            .filter(|call| call["op"] == op && call["status"] == 200)
            .filter(|call| call["params"].to_string().contains(part))
            .count()
    }

    /// Every intent is settled and has exactly one event, and the state is sound.
    #[track_caller]
    pub(crate) fn assert_settled(&self) {
        let state = self.state();
        assert_eq!(state.open_intents().unwrap(), []);
        assert_eq!(state.check().unwrap(), []);
        let mut of_intents: BTreeMap<_, usize> = BTreeMap::new();
        for event in self.events() {
            if let Some(intent) = event.intent {
                *of_intents.entry(intent).or_default() += 1;
            }
        }
        assert!(of_intents.values().all(|n| *n == 1), "{of_intents:?}");
        // Intents are numbered without gaps: one without an event would be missing here.
        let newest = of_intents.keys().last().map_or(0, |id| id.0);
        assert_eq!(i64::try_from(of_intents.len()).unwrap(), newest);
    }

    /// What every test ends with: nothing left to do, nothing open, and no request that AWS's models forbid.
    #[track_caller]
    pub(crate) fn assert_converged(&self) {
        let plan = self.directory.run(&["plan", "--detailed-exitcode"]);
        assert_eq!(plan.code, Some(0), "{}{}", plan.stdout, plan.stderr);
        self.assert_settled();
        assert_eq!(self.account.violations(), Vec::<Value>::new());
    }
}

/// The sentences of standard error that are about a group: from its address to the next line.
pub(crate) fn said_of<'a>(ran: &'a Ran, group: &str) -> Vec<&'a str> {
    let address = format!("group.{group}:");
    ran.stderr
        .lines()
        .filter(|line| line.trim_start().starts_with(&address))
        .collect()
}

/// Puts the mean CPU of the last minutes of a group.
pub(crate) fn cpu(account: &Account<'_>, group: &str, value: f64) {
    let now = Timestamp::now().as_second();
    let minute = now - now % 60;
    let points: Vec<Value> = (1..=5).map(|n| json!([minute - n * 60, value])).collect();
    account.metrics(json!([{
        "namespace": "AWS/EC2",
        "name": "CPUUtilization",
        "dimensions": { "AutoScalingGroupName": group },
        "unit": "Percent",
        "points": points,
    }]));
}
