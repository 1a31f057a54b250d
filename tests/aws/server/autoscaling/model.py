"""The state of Auto Scaling: groups with their instances, and where they are found. No rules here."""

import collections
import itertools
import uuid

from ..registry import invalid

PROCESSES = (
    "Launch",
    "Terminate",
    "AddToLoadBalancer",
    "AlarmNotification",
    "AZRebalance",
    "HealthCheck",
    "InstanceRefresh",
    "ReplaceUnhealthy",
    "ScheduledActions",
)
#: States in which an instance counts towards the desired capacity.
COUNTED = {"Pending", "Pending:Wait", "Pending:Proceed", "InService"}
ENDING = {"Terminating", "Terminating:Wait", "Terminating:Proceed"}
_serial = itertools.count()


class Instance:
    """A member of a group. `due` is when its state changes by itself; `hooks` are the ones still waited for."""

    def __init__(self, ec2, az, lifecycle, weight, template, protected, now):
        self.ec2, self.az, self.lifecycle, self.weight = ec2, az, lifecycle, weight
        self.template, self.protected = template, protected
        self.state, self.health, self.due, self.hooks, self.token = "Pending", "Healthy", None, [], None
        self.default_result = "ABANDON"
        self.launched, self.in_service_since, self.serial, self.activity = now, None, next(_serial), None

    @property
    def id(self):
        return self.ec2.id

    @property
    def units(self):
        return self.weight or 1

    def shown(self):
        out = {
            "InstanceId": self.id,
            "InstanceType": self.ec2.instance_type,
            "AvailabilityZone": self.az,
            "LifecycleState": self.state,
            "HealthStatus": self.health,
            "ProtectedFromScaleIn": self.protected,
            "LaunchTemplate": self.template.get("LaunchTemplateId") and self.template,
            "LaunchConfigurationName": self.template.get("LaunchConfigurationName"),
        }
        if self.weight:
            out["WeightedCapacity"] = str(self.weight)
        return out


class Group:
    """`settings` has the members of DescribeAutoScalingGroups by their names there."""

    def __init__(self, context, name):
        self.account, self.region, self.name = context.account, context.region, name
        self.arn = f"arn:aws:autoscaling:{context.region}:{context.account}:autoScalingGroup:{uuid.uuid4()}:autoScalingGroupName/{name}"
        self.created, self.settings, self.instances, self.tags = context.now, {}, [], {}
        self.policies, self.schedules, self.hooks, self.refreshes = {}, {}, {}, []
        self.activities, self.suspended, self.enabled_metrics = [], {}, []
        self.target_groups, self.warm_pool = [], None
        self.retry_at, self.last_scaled = None, None

    @property
    def desired(self):
        return self.settings["DesiredCapacity"]

    @property
    def min(self):
        return self.settings["MinSize"]

    @property
    def max(self):
        return self.settings["MaxSize"]

    @property
    def counted(self):
        return [i for i in self.instances if i.state in COUNTED]

    @property
    def warmup_s(self):
        """DefaultInstanceWarmup, or the default cooldown where it is not set (user guide, "default instance warmup")."""
        warmup = self.settings.get("DefaultInstanceWarmup")
        return warmup if warmup is not None and warmup >= 0 else self.settings["DefaultCooldown"]

    def shown(self, with_instances=True):
        out = dict(
            self.settings,
            AutoScalingGroupName=self.name,
            AutoScalingGroupARN=self.arn,
            CreatedTime=self.created,
            Instances=[i.shown() for i in self.instances] if with_instances else None,
            Tags=[self.shown_tag(tag) for tag in self.tags.values()],
            SuspendedProcesses=[{"ProcessName": p, "SuspensionReason": r} for p, r in self.suspended.items()],
            EnabledMetrics=[{"Metric": m, "Granularity": "1Minute"} for m in self.enabled_metrics],
            TargetGroupARNs=self.target_groups,
            LoadBalancerNames=[],
            TrafficSources=[{"Identifier": arn, "Type": "elbv2"} for arn in self.target_groups],
            ServiceLinkedRoleARN=f"arn:aws:iam::{self.account}:role/aws-service-role/autoscaling.amazonaws.com/AWSServiceRoleForAutoScaling",
        )
        if self.warm_pool is not None:
            out["WarmPoolConfiguration"], out["WarmPoolSize"] = self.warm_pool, 0
        return out

    def shown_tag(self, tag):
        return dict(tag, ResourceId=self.name, ResourceType="auto-scaling-group")


class World:
    def __init__(self):
        self.groups, self.launch_configurations, self.deleted = {}, {}, []
        self.by_policy = {}  # PolicyARN -> (group, policy name)


WORLDS = collections.defaultdict(World)


class Settings:
    """What a test says of an account's machines: seconds they take to start and to end, and of a refresh."""

    DEFAULTS = {"boot_s": 0, "terminate_s": 0, "refresh_s": 300, "retry_s": 60}

    def __init__(self):
        self.by_account, self.failures = {}, {}

    def clear(self):
        self.by_account.clear()
        self.failures.clear()

    def of(self, account, name):
        return self.by_account.get(account, {}).get(name, self.DEFAULTS[name])


SETTINGS = Settings()


def found(context, name):
    """The group, or AWS's answer when there is none."""
    group = WORLDS[context.place].groups.get(name)
    if group is None:
        raise invalid("AutoScalingGroup name not found - null")
    return group
