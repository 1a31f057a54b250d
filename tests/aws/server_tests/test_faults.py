"""Faults, canned answers, permissions."""

import time

import botocore.exceptions

from .support import AwsTest, client, control


class FaultTest(AwsTest):
    def describe(self):
        return self.scaling.describe_auto_scaling_groups()

    def test_throttling_is_given_in_each_services_words_and_spent(self):
        self.faults(
            {"kind": "throttling", "service": "autoscaling", "times": 2}, {"kind": "throttling", "service": "ec2"}
        )
        self.refused("Throttling", self.describe)
        self.refused("Throttling", self.describe)
        self.describe()
        self.refused("RequestLimitExceeded", self.ec2.describe_instances)

    def test_skip_lets_the_first_ones_through(self):
        self.faults({"kind": "internal", "op": "DescribeAutoScalingGroups", "skip": 1})
        self.describe()
        self.refused("InternalFailure", self.describe)

    def test_a_fault_can_be_for_one_group(self):
        self.group("a"), self.group("b")
        self.faults(
            {"kind": "throttling", "op": "SetDesiredCapacity", "match": {"AutoScalingGroupName": "b"}, "times": -1}
        )
        self.desire(1, "a")
        self.refused("Throttling", self.desire, 1, "b")

    def test_a_fault_stays_in_its_account(self):
        self.faults({"kind": "throttling", "times": -1})
        client("autoscaling", "333333333333").describe_auto_scaling_groups()
        self.refused("Throttling", self.describe)

    def test_after_means_done_but_the_answer_is_lost(self):
        self.group()
        self.faults({"kind": "internal", "op": "SetDesiredCapacity", "when": "after"})
        self.refused("InternalFailure", self.desire, 3)
        self.assertEqual(self.see()["DesiredCapacity"], 3)

    def test_before_means_not_done(self):
        self.group()
        self.faults({"kind": "internal", "op": "SetDesiredCapacity"})
        self.refused("InternalFailure", self.desire, 3)
        self.assertEqual(self.see()["DesiredCapacity"], 0)

    def test_expired_token_and_access_denied(self):
        self.group()
        self.faults({"kind": "expired_token", "times": 1})
        response = self.refused(
            "ExpiredToken", self.describe, match="The security token included in the request is expired"
        )
        self.assertEqual(response["ResponseMetadata"]["HTTPStatusCode"], 403)
        self.faults({"kind": "access_denied", "times": 2})
        self.refused(
            "AccessDenied",
            self.describe,
            match="autoscaling:DescribeAutoScalingGroups because no identity-based policy allows",
        )
        self.refused(
            "AccessDenied",
            self.desire,
            1,
            match="is not authorized to perform: autoscaling:SetDesiredCapacity on resource: arn:aws:autoscaling:",
        )

    def test_cut_connections_and_broken_answers(self):
        for kind, error in (
            ("drop", botocore.exceptions.ConnectionClosedError),
            ("truncate", botocore.parsers.ResponseParserError),
            ("garbage", botocore.parsers.ResponseParserError),
            ("html", Exception),
        ):
            with self.subTest(kind=kind):
                self.faults({"kind": kind})
                with self.assertRaises(error):
                    self.describe()
                self.describe()

    def test_after_with_a_refusal_still_loses_the_answer(self):
        self.group()
        self.faults({"kind": "internal", "op": "SetDesiredCapacity", "when": "after"})
        self.refused("InternalFailure", self.desire, 99)
        self.assertEqual(self.see()["DesiredCapacity"], 0)

    def test_a_stale_answer_is_the_one_before(self):
        self.group()
        self.assertEqual(self.see()["DesiredCapacity"], 0)
        self.desire(2)
        self.faults({"kind": "stale", "op": "DescribeAutoScalingGroups"})
        self.assertEqual(self.see()["DesiredCapacity"], 0)
        self.assertEqual(self.see()["DesiredCapacity"], 2)

    def test_a_delay_delays(self):
        self.faults({"kind": "delay", "delay_ms": 150})
        start = time.monotonic()
        self.describe()
        self.assertGreater(time.monotonic() - start, 0.14)

    def test_a_wrong_fault_is_refused(self):
        for fault in ({"kind": "nonsense"}, {"code": None}, {"kind": "drop", "extra": 1}):
            self.control_refuses("faults", [fault])

    def test_faults_can_be_cleared(self):
        self.faults({"kind": "throttling", "times": -1})
        self.do("clear_faults")
        self.describe()

    def test_a_canned_answer_is_given_and_must_fit(self):
        forecast = {
            "LoadForecast": [],
            "CapacityForecast": {"Timestamps": ["2026-01-01T00:00:00Z"], "Values": [3.0]},
            "UpdateTime": "2026-01-01T00:00:00Z",
        }
        control(
            "stubs",
            [
                {
                    "account": self.account,
                    "service": "autoscaling",
                    "op": "GetPredictiveScalingForecast",
                    "result": forecast,
                }
            ],
        )
        got = self.scaling.get_predictive_scaling_forecast(
            AutoScalingGroupName="g", PolicyName="p", StartTime="2026-01-01T00:00:00Z", EndTime="2026-01-02T00:00:00Z"
        )
        self.assertEqual(got["CapacityForecast"]["Values"], [3.0])
        self.control_refuses("stubs", [{"service": "autoscaling", "op": "DescribeTags", "result": {"Tags": "none"}}])


class PermissionTest(AwsTest):
    def test_only_the_allowed_actions_pass(self):
        self.group()
        self.do("allow", actions=["autoscaling:Describe*", "cloudwatch:GetMetricData"])
        self.see()
        self.refused("AccessDenied", self.desire, 1)
        self.refused("AccessDenied", self.cw.describe_alarms, match="cloudwatch:DescribeAlarms")
        self.refused("UnauthorizedOperation", self.ec2.describe_instances)
        client("sts", self.account).get_caller_identity()
        self.do("allow", actions=None)
        self.desire(1)

    def test_s3_operations_are_named_by_their_permission(self):
        s3 = client("s3", self.account)
        s3.create_bucket(Bucket=f"b{self.account}")
        self.do("allow", actions=["s3:GetObject"])
        self.refused("AccessDenied", s3.put_object, Bucket=f"b{self.account}", Key="k", Body=b"x")
        self.assertEqual(self.log(op="PutObject")[-1]["action"], "s3:PutObject")
