"""A thousand groups: made in seconds, read in the fewest calls that the page sizes allow."""

import concurrent.futures
import time

from .support import AwsTest, control


class ScaleTest(AwsTest):
    def all(self, operation, key):
        rows, calls, token = [], 0, {}
        while True:
            got = getattr(self.scaling, operation)(MaxRecords=100, **token)
            rows, calls = rows + got[key], calls + 1
            if not got.get("NextToken"):
                return rows, calls
            token = {"NextToken": got["NextToken"]}

    def test_a_thousand_groups(self):
        start = time.monotonic()
        made = self.do("seed_groups", count=1000, prefix="fleet", tags={"team": "shop"})
        self.assertLess(time.monotonic() - start, 10)
        self.assertEqual((len(made["groups"]), made["groups"][0]), (1000, "fleet-00001"))
        for operation, key, count, calls in (
            ("describe_auto_scaling_groups", "AutoScalingGroups", 1000, 10),
            ("describe_policies", "ScalingPolicies", 2000, 20),
            ("describe_scheduled_actions", "ScheduledUpdateGroupActions", 2000, 20),
            ("describe_tags", "Tags", 1000, 10),
        ):
            rows, needed = self.all(operation, key)
            self.assertEqual((operation, len(rows), needed), (operation, count, calls))
            self.refused("ValidationError", getattr(self.scaling, operation), MaxRecords=101)
        self.assertLess(sum(e["ms"] for e in self.log(service="autoscaling")), 10_000)
        self.assertEqual(control("violations", account=self.account), [])

    def test_parallel_calls_do_not_hurt_each_other(self):
        self.group(MaxSize=20)
        scaling = self.scaling

        def turn(n):
            scaling.set_desired_capacity(AutoScalingGroupName="web", DesiredCapacity=n % 7)
            return scaling.describe_auto_scaling_groups(AutoScalingGroupNames=["web"])["AutoScalingGroups"][0]

        with concurrent.futures.ThreadPoolExecutor(8) as pool:
            for seen in pool.map(turn, range(40)):
                self.assertEqual(len(seen["Instances"]), seen["DesiredCapacity"])
        self.desire(3)
        self.assertEqual(self.states(), ["InService"] * 3)

    def test_seeded_groups_are_as_asked_for(self):
        self.do(
            "seed_groups",
            count=2,
            group={"MinSize": 1, "DesiredCapacity": 2},
            schedules=[],
            policies=[
                {
                    "PolicyName": "queue-{number}",
                    "PolicyType": "TargetTrackingScaling",
                    "TargetTrackingConfiguration": {
                        "TargetValue": 5.0,
                        "CustomizedMetricSpecification": {
                            "Namespace": "N",
                            "MetricName": "m",
                            "Statistic": "Sum",
                            "Dimensions": [{"Name": "G", "Value": "{name}"}],
                        },
                    },
                },
            ],
        )
        self.assertEqual(len(self.see("group-00002")["Instances"]), 2)
        policy = self.scaling.describe_policies(AutoScalingGroupName="group-00002")["ScalingPolicies"][0]
        self.assertEqual(
            (
                policy["PolicyName"],
                policy["TargetTrackingConfiguration"]["CustomizedMetricSpecification"]["Dimensions"][0]["Value"],
            ),
            ("queue-2", "group-00002"),
        )
        self.control_refuses("seed_groups", {"account": self.account, "count": 1, "nonsense": 1})
