"""Scaling policies, their alarms, and what they do when called."""

import datetime
import itertools

from .support import AwsTest

CPU = {"namespace": "AWS/EC2", "name": "CPUUtilization", "dimensions": {"AutoScalingGroupName": "web"}}


class PolicyTest(AwsTest):
    def policies(self, **filters):
        return {p["PolicyName"]: p for p in self.scaling.describe_policies(**filters)["ScalingPolicies"]}

    def put(self, kind, **more):
        return self.scaling.put_scaling_policy(AutoScalingGroupName="web", PolicyName="p", PolicyType=kind, **more)

    def test_every_kind_round_trips(self):
        self.group()
        customized = {
            "TargetValue": 10.0,
            "CustomizedMetricSpecification": {
                "Metrics": [
                    {
                        "Id": "q",
                        "MetricStat": {
                            "Metric": {
                                "Namespace": "N",
                                "MetricName": "queue",
                                "Dimensions": [{"Name": "Q", "Value": "jobs"}],
                            },
                            "Stat": "Sum",
                        },
                        "ReturnData": False,
                    },
                    {
                        "Id": "n",
                        "MetricStat": {
                            "Metric": {"Namespace": "AWS/AutoScaling", "MetricName": "GroupInServiceInstances"},
                            "Stat": "Average",
                        },
                        "ReturnData": False,
                    },
                    {"Id": "e", "Expression": "q / n", "ReturnData": True},
                ]
            },
        }
        predictive = {
            "MetricSpecifications": [
                {
                    "TargetValue": 50.0,
                    "PredefinedMetricPairSpecification": {"PredefinedMetricType": "ASGCPUUtilization"},
                }
            ],
            "Mode": "ForecastAndScale",
            "SchedulingBufferTime": 600,
        }
        self.scaling.put_scaling_policy(
            AutoScalingGroupName="web",
            PolicyName="math",
            PolicyType="TargetTrackingScaling",
            TargetTrackingConfiguration=customized,
            EstimatedInstanceWarmup=60,
        )
        self.scaling.put_scaling_policy(
            AutoScalingGroupName="web",
            PolicyName="predict",
            PolicyType="PredictiveScaling",
            PredictiveScalingConfiguration=predictive,
        )
        self.scaling.put_scaling_policy(
            AutoScalingGroupName="web",
            PolicyName="simple",
            AdjustmentType="ChangeInCapacity",
            ScalingAdjustment=-1,
            Cooldown=30,
            Enabled=False,
        )
        self.step(
            name="step",
            steps=((0, 10, 10), (10, None, 20)),
            kind="PercentChangeInCapacity",
            MinAdjustmentMagnitude=2,
            MetricAggregationType="Maximum",
        )
        got = self.policies(AutoScalingGroupName="web")
        self.assertEqual(got["math"]["TargetTrackingConfiguration"], {**customized, "DisableScaleIn": False})
        self.assertEqual(got["math"]["EstimatedInstanceWarmup"], 60)
        self.assertEqual(
            got["predict"]["PredictiveScalingConfiguration"],
            {**predictive, "MaxCapacityBreachBehavior": "HonorMaxCapacity"},
        )
        self.assertEqual(
            (
                got["simple"]["PolicyType"],
                got["simple"]["ScalingAdjustment"],
                got["simple"]["Cooldown"],
                got["simple"]["Enabled"],
            ),
            ("SimpleScaling", -1, 30, False),
        )
        self.assertEqual(
            (
                got["step"]["MinAdjustmentMagnitude"],
                got["step"]["MetricAggregationType"],
                len(got["step"]["StepAdjustments"]),
            ),
            (2, "Maximum", 2),
        )
        self.assertEqual(set(self.policies(PolicyTypes=["StepScaling"])), {"step"})

    def test_what_aws_refuses_is_refused(self):
        self.group()
        predefined = {
            "PredefinedMetricSpecification": {"PredefinedMetricType": "ASGAverageCPUUtilization"},
            "TargetValue": 1.0,
        }
        for kind, more, text in (
            ("Bogus", {}, "Bogus"),
            ("SimpleScaling", {"AdjustmentType": "ChangeInCapacity"}, "ScalingAdjustment"),
            ("StepScaling", {"AdjustmentType": "ChangeInCapacity"}, "StepAdjustment"),
            (
                "StepScaling",
                {"AdjustmentType": "Sideways", "StepAdjustments": [{"ScalingAdjustment": 1}]},
                "AdjustmentType",
            ),
            (
                "StepScaling",
                {"AdjustmentType": "ChangeInCapacity", "Cooldown": 10, "StepAdjustments": [{"ScalingAdjustment": 1}]},
                "Cooldown",
            ),
            (
                "StepScaling",
                {
                    "AdjustmentType": "ChangeInCapacity",
                    "StepAdjustments": [
                        {"MetricIntervalLowerBound": 0, "MetricIntervalUpperBound": 10, "ScalingAdjustment": 1},
                        {"MetricIntervalLowerBound": 5, "ScalingAdjustment": 2},
                    ],
                },
                "overlap",
            ),
            (
                "StepScaling",
                {
                    "AdjustmentType": "ChangeInCapacity",
                    "StepAdjustments": [
                        {"MetricIntervalLowerBound": 0, "MetricIntervalUpperBound": 10, "ScalingAdjustment": 1},
                        {"MetricIntervalLowerBound": 20, "ScalingAdjustment": 2},
                    ],
                },
                "gaps",
            ),
            (
                "StepScaling",
                {
                    "AdjustmentType": "ChangeInCapacity",
                    "MinAdjustmentMagnitude": 2,
                    "StepAdjustments": [{"MetricIntervalLowerBound": 0, "ScalingAdjustment": 1}],
                },
                "MinAdjustmentMagnitude",
            ),
            ("TargetTrackingScaling", {"TargetTrackingConfiguration": {"TargetValue": 5.0}}, "Exactly one"),
            (
                "TargetTrackingScaling",
                {
                    "TargetTrackingConfiguration": {
                        "TargetValue": 5.0,
                        "PredefinedMetricSpecification": {"PredefinedMetricType": "ALBRequestCountPerTarget"},
                    }
                },
                "ResourceLabel",
            ),
            (
                "TargetTrackingScaling",
                {
                    "TargetTrackingConfiguration": predefined,
                    "AdjustmentType": "ChangeInCapacity",
                    "StepAdjustments": [{"ScalingAdjustment": 1}],
                },
                "StepAdjustments",
            ),
            (
                "PredictiveScaling",
                {"PredictiveScalingConfiguration": {"MetricSpecifications": [{"TargetValue": 5.0}]}},
                "load metric",
            ),
        ):
            with self.subTest(kind=kind, text=text):
                self.refused("ValidationError", self.put, kind, match=text, **more)
        self.refused("ValidationError", self.track, "none", match="not found")

    def test_policies_of_one_name_in_two_groups_are_two(self):
        self.group("a"), self.group("b")
        first, second = self.track("a", target=40.0), self.track("b", target=60.0)
        self.assertNotEqual(first["PolicyARN"], second["PolicyARN"])
        self.assertEqual(len(self.scaling.describe_policies()["ScalingPolicies"]), 2)
        self.scaling.delete_policy(AutoScalingGroupName="a", PolicyName="cpu")
        self.assertEqual(
            [p["AutoScalingGroupName"] for p in self.scaling.describe_policies()["ScalingPolicies"]], ["b"]
        )
        self.scaling.delete_policy(PolicyName=second["PolicyARN"])
        self.assertEqual(self.scaling.describe_policies()["ScalingPolicies"], [])
        self.refused("ValidationError", self.scaling.delete_policy, AutoScalingGroupName="a", PolicyName="cpu")

    def test_a_changed_policy_keeps_its_arn(self):
        self.group()
        first = self.track()
        self.assertEqual(self.track(target=70.0)["PolicyARN"], first["PolicyARN"])

    def test_target_tracking_makes_and_owns_two_alarms(self):
        self.group()
        made = self.track()
        high, low = sorted(a["AlarmName"] for a in made["Alarms"])
        self.assertRegex(high, r"^TargetTracking-web-AlarmHigh-[0-9a-f-]{36}$")
        self.assertRegex(low, r"^TargetTracking-web-AlarmLow-[0-9a-f-]{36}$")
        alarms = {a["AlarmName"]: a for a in self.cw.describe_alarms()["MetricAlarms"]}
        self.assertEqual(
            (
                alarms[high]["Threshold"],
                alarms[high]["EvaluationPeriods"],
                alarms[low]["Threshold"],
                alarms[low]["EvaluationPeriods"],
            ),
            (50.0, 3, 45.0, 15),
        )
        self.assertEqual(
            alarms[high]["AlarmDescription"],
            f"DO NOT EDIT OR DELETE. For TargetTrackingScaling policy {made['PolicyARN']}.",
        )
        self.scaling.delete_policy(AutoScalingGroupName="web", PolicyName="cpu")
        self.assertEqual(self.cw.describe_alarms()["MetricAlarms"], [])

    def test_a_step_policy_shows_the_alarms_that_call_it_and_leaves_them_behind(self):
        self.group()
        arn = self.step()["PolicyARN"]
        self.alarm(arn)
        self.assertEqual([a["AlarmName"] for a in self.policies()["out"]["Alarms"]], ["hot"])
        self.scaling.delete_policy(AutoScalingGroupName="web", PolicyName="out")
        left = self.cw.describe_alarms()["MetricAlarms"]
        self.assertEqual([(a["AlarmName"], a["AlarmActions"]) for a in left], [("hot", [])])

    def test_with_its_group_a_policy_takes_the_alarms_that_call_nothing_else(self):
        self.group()
        arn = self.step()["PolicyARN"]
        self.alarm(arn)
        self.alarm(arn, name="told", OKActions=["arn:aws:sns:us-east-1:123456789012:ops"])
        self.scaling.delete_auto_scaling_group(AutoScalingGroupName="web", ForceDelete=True)
        left = self.cw.describe_alarms()["MetricAlarms"]
        self.assertEqual([(a["AlarmName"], a["AlarmActions"]) for a in left], [("told", [])])

    # ---- what they do -----------------------------------------------------------------------------

    def alarm(self, arn, name="hot", comparison="GreaterThanOrEqualToThreshold", threshold=60.0, **more):
        self.cw.put_metric_alarm(
            AlarmName=name,
            Namespace="AWS/EC2",
            MetricName="CPUUtilization",
            Dimensions=[{"Name": "AutoScalingGroupName", "Value": "web"}],
            Statistic="Average",
            **{
                "Period": 60,
                "EvaluationPeriods": 2,
                "Threshold": threshold,
                "ComparisonOperator": comparison,
                "AlarmActions": [arn],
                **more,
            },
        )

    def feed(self, value, minutes=20):
        now = datetime.datetime.fromisoformat(self.do("clock")["now"]).timestamp()
        self.do("metrics", series=[{**CPU, "points": [[now - 60 * m, value] for m in range(1, minutes)]}])

    def evaluate(self):
        return {r["alarm"].split("-Alarm")[-1][:4]: r for r in self.do("evaluate_alarms")}

    def test_steps_by_execute_policy(self):
        for steps, kind, value, start, wanted in (
            (((0, 10, 1), (10, None, 3)), "ChangeInCapacity", 65, 4, 5),
            (((0, 10, 1), (10, None, 3)), "ChangeInCapacity", 70, 4, 7),
            (((0, None, 30),), "PercentChangeInCapacity", 65, 5, 6),
            (((0, None, 1),), "PercentChangeInCapacity", 65, 5, 6),
            (((0, None, 8),), "ExactCapacity", 65, 5, 8),
            (((None, 0, -25),), "PercentChangeInCapacity", 50, 9, 7),
            (((0, None, 50),), "ChangeInCapacity", 65, 4, 10),
        ):
            with self.subTest(steps=steps, value=value):
                self.setUp()
                self.group(DefaultCooldown=0, DesiredCapacity=start)
                self.step(steps=steps, kind=kind)
                self.scaling.execute_policy(
                    AutoScalingGroupName="web", PolicyName="out", MetricValue=value, BreachThreshold=60
                )
                self.assertEqual(self.see()["DesiredCapacity"], wanted)

    def test_target_tracking_scales_out_and_in_by_its_alarms(self):
        self.stop_clock()
        self.group(MinSize=1, DesiredCapacity=4, DefaultInstanceWarmup=60)
        self.track()
        self.advance(3600)
        self.feed(80.0)
        report = self.evaluate()
        self.assertEqual((report["High"]["after"], report["Low-"]["after"]), ("ALARM", "OK"))
        self.assertEqual(self.see()["DesiredCapacity"], 7)
        self.advance(3600)
        self.feed(20.0)
        self.assertEqual(self.evaluate()["Low-"]["after"], "ALARM")
        self.assertEqual(self.see()["DesiredCapacity"], 3)

    def test_disabled_scale_in_suspended_notification_and_disabled_policy_do_nothing(self):
        def setting(more, suspend=False, enabled=True):
            self.setUp()
            self.stop_clock()
            self.group(MinSize=1, DesiredCapacity=4, DefaultInstanceWarmup=0)
            self.track(**more)
            if not enabled:
                self.scaling.put_scaling_policy(
                    AutoScalingGroupName="web",
                    PolicyName="cpu",
                    PolicyType="TargetTrackingScaling",
                    Enabled=False,
                    TargetTrackingConfiguration={
                        "PredefinedMetricSpecification": {"PredefinedMetricType": "ASGAverageCPUUtilization"},
                        "TargetValue": 50.0,
                    },
                )
            if suspend:
                self.scaling.suspend_processes(AutoScalingGroupName="web", ScalingProcesses=["AlarmNotification"])
            self.feed(20.0)
            self.evaluate()
            return self.see()["DesiredCapacity"]

        self.assertEqual(setting({}), 2)
        self.assertEqual(setting({"DisableScaleIn": True}), 4)
        self.assertEqual(setting({}, suspend=True), 4)
        self.assertEqual(setting({}, enabled=False), 4)

    def test_a_step_alarm_acts_at_each_evaluation_but_not_on_what_warms_up(self):
        self.stop_clock()
        self.group(DesiredCapacity=2, DefaultInstanceWarmup=300)
        self.alarm(self.step()["PolicyARN"])
        self.advance(600)
        seen = []
        for _ in range(4):
            self.feed(90.0)
            self.evaluate()
            seen.append(self.see()["DesiredCapacity"])
            self.advance(150)
        self.assertEqual(seen, [4, 4, 6, 6])

    def test_a_step_removes_nothing_while_something_warms_up(self):
        self.stop_clock()
        self.group(DesiredCapacity=4, DefaultInstanceWarmup=300)
        self.step(steps=((None, 0, -1),))
        self.advance(600)
        self.desire(6)

        def call():
            self.scaling.execute_policy(
                AutoScalingGroupName="web", PolicyName="out", MetricValue=10, BreachThreshold=60
            )
            return self.see()["DesiredCapacity"]

        self.assertEqual(call(), 6)
        self.advance(301)
        self.assertEqual(call(), 5)

    def test_the_clock_of_one_account_is_not_that_of_another(self):
        self.stop_clock("2031-03-02T12:00:00Z")
        self.assertEqual(self.do("clock")["now"][:10], "2031-03-02")
        self.setUp()
        self.assertNotEqual(self.do("clock")["now"][:10], "2031-03-02")

    def test_policies_are_listed_a_hundred_a_page(self):
        self.do("seed_groups", count=60)
        page, sizes, token = 0, [], {}
        for page in itertools.count():
            got = self.scaling.describe_policies(MaxRecords=100, **token)
            sizes.append(len(got["ScalingPolicies"]))
            if not got.get("NextToken"):
                break
            token = {"NextToken": got["NextToken"]}
        self.assertEqual(sizes, [100, 20])
        self.assertEqual(len(self.scaling.describe_policies()["ScalingPolicies"]), 50)
        self.refused("ValidationError", self.scaling.describe_policies, MaxRecords=101)
        self.refused("InvalidNextToken", self.scaling.describe_policies, NextToken="nonsense")
