"""One server for all tests; each test class works in an account of its own."""

import atexit
import datetime
import functools
import itertools
import json
import os
import pathlib
import subprocess
import sys
import unittest
import urllib.error
import urllib.request

import boto3
import botocore.config
import botocore.credentials
import botocore.exceptions
import botocore.session

UTC = datetime.timezone.utc
ROOT = pathlib.Path(__file__).resolve().parent.parent
ACCOUNTS = itertools.count(200000000000)
IMAGE = "ami-12c6146b"
_server = {}


def server_port():
    if not _server:
        process = subprocess.Popen(
            [sys.executable, "-B", "-m", "server"],
            cwd=ROOT,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            env={k: v for k, v in os.environ.items() if not k.startswith("AWS_")},
        )
        _server.update(process=process, port=json.loads(process.stdout.readline())["port"])
        atexit.register(_stop)
    return _server["port"]


def _stop():
    _server["process"].stdin.close()
    _server["process"].wait(10)
    _server["process"].stdout.close()


def control(path, data=None, **query):
    """One of the server's own endpoints."""
    text = "&".join(f"{k}={v}" for k, v in query.items())
    body = None if data is None else json.dumps(data).encode()
    request = urllib.request.Request(f"http://127.0.0.1:{server_port()}/_strict/{path}?{text}", body)
    with urllib.request.urlopen(request, timeout=60) as answer:
        return json.load(answer)


def client(service, account, region="us-east-1", **config):
    return boto3.client(
        service,
        endpoint_url=f"http://127.0.0.1:{server_port()}",
        region_name=region,
        aws_access_key_id=f"AKIA{account}TEST",
        aws_secret_access_key="x",
        config=botocore.config.Config(retries={"total_max_attempts": 1}, parameter_validation=False, **config),
    )


class OfThisTest(botocore.credentials.Credentials):
    """Those of the running test's account: making clients anew would take longer than all the tests."""

    account = None

    def get_frozen_credentials(self):
        return botocore.credentials.ReadOnlyCredentials(f"AKIA{self.account}TEST", "x", None)


@functools.cache
def shared_client(service):
    session = botocore.session.get_session()
    session._credentials = OfThisTest("unused", "unused")
    return session.create_client(
        service,
        endpoint_url=f"http://127.0.0.1:{server_port()}",
        region_name="us-east-1",
        config=botocore.config.Config(retries={"total_max_attempts": 1}, parameter_validation=False),
    )


class AwsTest(unittest.TestCase):
    """`self.scaling`, `self.ec2`, `self.cw`, `self.s3` in `self.account`, where nothing else happens."""

    def setUp(self):
        self.account = str(next(ACCOUNTS))
        OfThisTest.account = self.account
        self.scaling, self.ec2, self.cw = (shared_client(s) for s in ("autoscaling", "ec2", "cloudwatch"))

    # ---- making -----------------------------------------------------------------------------------

    def template(self, name="web", **data):
        data = {"ImageId": IMAGE, "InstanceType": "m5.large", **data}
        return self.ec2.create_launch_template(LaunchTemplateName=name, LaunchTemplateData=data)["LaunchTemplate"][
            "LaunchTemplateId"
        ]

    def group(self, name="web", **more):
        request = {"MinSize": 0, "MaxSize": 10, "AvailabilityZones": ["us-east-1a", "us-east-1b"], **more}
        if not {"LaunchTemplate", "MixedInstancesPolicy"} & set(request):
            templates = self.ec2.describe_launch_templates()["LaunchTemplates"]
            if not templates:
                self.template()
            request["LaunchTemplate"] = {"LaunchTemplateName": "web", "Version": "$Latest"}
        self.scaling.create_auto_scaling_group(AutoScalingGroupName=name, **request)
        return name

    def mixed(self, types=("m5.large", "c5.large"), **distribution):
        if not self.ec2.describe_launch_templates()["LaunchTemplates"]:
            self.template()
        overrides = [t if isinstance(t, dict) else {"InstanceType": t} for t in types]
        return {
            "LaunchTemplate": {
                "LaunchTemplateSpecification": {"LaunchTemplateName": "web", "Version": "$Latest"},
                "Overrides": overrides,
            },
            "InstancesDistribution": distribution,
        }

    def track(self, group="web", name="cpu", target=50.0, **more):
        configuration = {
            "PredefinedMetricSpecification": {"PredefinedMetricType": "ASGAverageCPUUtilization"},
            "TargetValue": target,
            **more,
        }
        return self.scaling.put_scaling_policy(
            AutoScalingGroupName=group,
            PolicyName=name,
            PolicyType="TargetTrackingScaling",
            TargetTrackingConfiguration=configuration,
        )

    def step(self, group="web", name="out", steps=((0, None, 2),), kind="ChangeInCapacity", **more):
        adjustments = []
        for low, high, change in steps:
            one = {"ScalingAdjustment": change}
            if low is not None:
                one["MetricIntervalLowerBound"] = low
            if high is not None:
                one["MetricIntervalUpperBound"] = high
            adjustments.append(one)
        return self.scaling.put_scaling_policy(
            AutoScalingGroupName=group,
            PolicyName=name,
            PolicyType="StepScaling",
            AdjustmentType=kind,
            StepAdjustments=adjustments,
            **more,
        )

    # ---- looking ----------------------------------------------------------------------------------

    def see(self, name="web"):
        return self.scaling.describe_auto_scaling_groups(AutoScalingGroupNames=[name])["AutoScalingGroups"][0]

    def states(self, name="web"):
        return sorted(i["LifecycleState"] for i in self.see(name)["Instances"])

    def activities(self, name="web"):
        return self.scaling.describe_scaling_activities(AutoScalingGroupName=name)["Activities"]

    def desire(self, count, name="web", **more):
        self.scaling.set_desired_capacity(AutoScalingGroupName=name, DesiredCapacity=count, **more)

    # ---- the server's own endpoints ------------------------------------------------------------------

    def do(self, path, **data):
        return control(path, {"account": self.account, **data})

    def log(self, **query):
        return control("log", account=self.account, **query)

    def faults(self, *faults):
        return control("faults", [{"account": self.account, **f} for f in faults])

    def advance(self, seconds):
        self.do("clock", advance_s=seconds)

    def stop_clock(self, at="2026-03-02T12:00:00Z"):
        self.do("clock", now=at, stopped=True)
        return datetime.datetime.fromisoformat(at.replace("Z", "+00:00"))

    def refused(self, code, function, *arguments, match=None, **parameters):
        with self.assertRaises(botocore.exceptions.ClientError) as caught:
            function(*arguments, **parameters)
        error = caught.exception.response["Error"]
        self.assertEqual(error["Code"], code, error)
        if match:
            self.assertIn(match, error["Message"])
        return caught.exception.response

    def control_refuses(self, path, data):
        with self.assertRaises(urllib.error.HTTPError) as caught:
            control(path, data)
        caught.exception.close()
