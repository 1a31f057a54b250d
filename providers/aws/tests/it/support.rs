//! An account on the server, and the provider that works in it.

use std::collections::BTreeMap;
use std::error::Error;
use std::future::Future;

use aws_credential_types::Credentials;
use aws_credential_types::provider::SharedCredentialsProvider;
use jiff::Timestamp;
use serde_json::{Value, json};
use tideform_aws::AwsProvider;
use tideform_aws_testserver::{Account, AwsServer};
use tideform_policies::load::LoadInput;
use tideform_policies::model::{Group, InstanceType, Limits, Resource, Share};
use tideform_provider::{
    AttributeChange, GroupChange, GroupRequest, GroupSpec, LiveGroup, LiveMix, Owner, Provider,
    ProviderError,
};

pub(crate) type Done<T = ()> = Result<T, Box<dyn Error>>;

/// What a group is launched from.
const BASE: &str = "
ec2, elb = client('ec2'), client('elbv2')
data = {'ImageId': 'ami-12c6146b', 'InstanceType': 'm5.large'}
ec2.create_launch_template(LaunchTemplateName='web', LaunchTemplateData=data)
ec2.create_launch_template_version(LaunchTemplateName='web', LaunchTemplateData=data)
subnets = sorted(ec2.describe_subnets()['Subnets'], key=lambda s: s['AvailabilityZone'])[:2]
group = elb.create_target_group(Name='web', Protocol='HTTP', Port=80, VpcId=subnets[0]['VpcId'])['TargetGroups'][0]
balancer = elb.create_load_balancer(Name='shop', Subnets=[s['SubnetId'] for s in subnets])['LoadBalancers'][0]
elb.create_listener(LoadBalancerArn=balancer['LoadBalancerArn'], Protocol='HTTP', Port=80,
    DefaultActions=[{'Type': 'forward', 'TargetGroupArn': group['TargetGroupArn']}])
out = {'subnets': sorted(s['SubnetId'] for s in subnets), 'target': group['TargetGroupArn'], 'balancer': balancer['LoadBalancerArn']}
";

/// An account with a provider of its own.
pub(crate) struct Cloud {
    pub(crate) account: Account<'static>,
    pub(crate) provider: AwsProvider,
}

impl Cloud {
    pub(crate) fn new() -> Done<Cloud> {
        Cloud::with_settings(json!({}))
    }

    /// With more settings of `provider "aws"`.
    pub(crate) fn with_settings(more: Value) -> Done<Cloud> {
        let server = AwsServer::shared();
        let account = server.account();
        let mut settings = json!({ "region": "us-east-1", "endpoint_url": server.url() });
        if let (Some(all), Value::Object(more)) = (settings.as_object_mut(), more) {
            all.extend(more);
        }
        let credentials = Credentials::new(account.access_key(), "secret", None, None, "test");
        let provider = AwsProvider::with_credentials(
            settings.as_object().ok_or("no settings")?,
            SharedCredentialsProvider::new(credentials),
        )?;
        Ok(Cloud { account, provider })
    }

    /// With one group, `web-00001`, of these members.
    pub(crate) fn with_group(group: Value) -> Done<Cloud> {
        let cloud = Cloud::new()?;
        cloud.account.seed_groups(json!({
            "count": 1, "prefix": "web", "group": group, "policies": [], "schedules": [],
        }));
        Ok(cloud)
    }

    /// Launch template, subnets and a target group behind a load balancer.
    pub(crate) fn base(&self) -> Value {
        self.account.boto3(BASE)
    }

    pub(crate) async fn live(&self, name: &str) -> Done<LiveGroup> {
        let mut answers = self
            .provider
            .read_groups(&[GroupRequest::whole(asg(name))])
            .await;
        Ok(answers.pop().ok_or("no answer")??.ok_or("no group")?)
    }

    pub(crate) async fn change(&self, name: &str, change: AttributeChange) -> Done {
        let change = GroupChange {
            resource: asg(name),
            changes: vec![change],
        };
        Ok(self.provider.update_group(&change).await?)
    }

    /// What every test ends with: nothing was sent that AWS's own models forbid.
    pub(crate) fn no_violations(&self) -> Done {
        let found = self.account.violations();
        if found.is_empty() {
            return Ok(());
        }
        Err(format!("requests that break the model: {found:#?}").into())
    }
}

pub(crate) fn asg(name: &str) -> Resource {
    Resource {
        kind: "asg".into(),
        name: name.into(),
    }
}

pub(crate) fn owner(group: &str) -> Owner {
    Owner {
        workspace: "shop".to_owned(),
        state: "lineage".to_owned(),
        group: group.to_owned(),
    }
}

/// `web`, 1 to 10, 4 desired, on what [`Cloud::base`] answered.
pub(crate) fn spec(name: &str, base: &Value) -> Done<GroupSpec> {
    Ok(GroupSpec {
        resource: asg(name),
        limits: Limits::new(1.into(), 10.into()).ok_or("limits")?,
        desired: 4,
        owner: owner(&format!("group.{name}")),
        changes: Vec::new(),
        launch: BTreeMap::from([
            ("launch_template".to_owned(), json!("web")),
            ("subnets".to_owned(), base["subnets"].clone()),
            (
                "tags".to_owned(),
                json!({ "team": "shop", "stage": "test" }),
            ),
        ]),
        instance: None,
    })
}

pub(crate) fn mix(spot: f64) -> LiveMix {
    LiveMix {
        on_demand_base: 1,
        spot: Share(spot),
        types: vec![
            InstanceType {
                name: "m5.large".to_owned(),
                weight: None,
            },
            InstanceType {
                name: "m5.xlarge".to_owned(),
                weight: None,
            },
        ],
        allocation: Some("price-capacity-optimized".to_owned()),
        rebalance: Some(true),
    }
}

/// The one group of a configuration: a policy body, in a group on the resource `web-00001`.
pub(crate) fn group(body: &str) -> Done<Group> {
    let folder = tempfile::tempdir()?;
    let text = format!(
        "provider \"aws\" {{}}\n\
         group \"web\" {{\n  provider = provider.aws\n  controller = \"native\"\n\
         resource \"asg\" {{ name = \"web-00001\" }}\n\
         limits {{\n  min = 1\n  max = 20\n}}\n{body}\n}}\n"
    );
    std::fs::write(folder.path().join("a.hcl"), &text)?;
    let (configuration, diagnostics) = tideform_policies::read(&LoadInput {
        directory: folder.path().to_owned(),
        ..LoadInput::default()
    });
    if diagnostics.has_errors() {
        return Err(tideform_policies::render::plain(&diagnostics, &configuration.sources).into());
    }
    Ok(configuration
        .groups
        .into_values()
        .next()
        .ok_or("no group")?)
}

pub(crate) fn at(text: &str) -> Done<Timestamp> {
    Ok(text.parse()?)
}

/// What an answer that had to fail said.
pub(crate) fn failure<T>(answer: Result<T, ProviderError>) -> Done<ProviderError> {
    match answer {
        Err(error) => Ok(error),
        Ok(_) => Err("it was done".into()),
    }
}

/// Runs a test that waits for answers.
pub(crate) fn run(test: impl Future<Output = Done>) -> Done {
    tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()?
        .block_on(test)
}
