"""Alarms: checks, listing, and the verdict by M of N and missing data."""

import datetime
import sys
import unittest

from .support import ROOT, AwsTest

sys.path.insert(0, str(ROOT))
from server.cloudwatch.alarms import verdict  # noqa: E402


class AlarmTest(AwsTest):
    def put(self, name="hot", **more):
        request = {
            "AlarmName": name,
            "Namespace": "N",
            "MetricName": "m",
            "Dimensions": [{"Name": "G", "Value": "web"}],
            "Statistic": "Average",
            "Period": 60,
            "EvaluationPeriods": 3,
            "Threshold": 60.0,
            "ComparisonOperator": "GreaterThanThreshold",
            **more,
        }
        self.cw.put_metric_alarm(**{k: v for k, v in request.items() if v is not None})

    def see(self, name="hot"):
        return self.cw.describe_alarms(AlarmNames=[name])["MetricAlarms"][0]

    def test_an_alarm_round_trips_and_begins_without_data(self):
        self.put(
            DatapointsToAlarm=2,
            TreatMissingData="notBreaching",
            AlarmDescription="d",
            Unit="Percent",
            OKActions=["arn:aws:sns:us-east-1:1:t"],
        )
        got = self.see()
        self.assertEqual(
            (got["StateValue"], got["DatapointsToAlarm"], got["TreatMissingData"], got["Unit"], got["OKActions"]),
            ("INSUFFICIENT_DATA", 2, "notBreaching", "Percent", ["arn:aws:sns:us-east-1:1:t"]),
        )
        self.assertEqual(got["AlarmArn"], f"arn:aws:cloudwatch:us-east-1:{self.account}:alarm:hot")

    def test_a_changed_alarm_keeps_its_state(self):
        self.put()
        self.cw.set_alarm_state(AlarmName="hot", StateValue="OK", StateReason="test")
        self.put(Threshold=70.0)
        self.assertEqual((self.see()["StateValue"], self.see()["Threshold"]), ("OK", 70.0))

    def test_what_aws_refuses_is_refused(self):
        math = [{"Id": "e", "Expression": "1 + 1"}]
        for code, more in (
            ("ValidationError", {"Period": 45}),
            ("ValidationError", {"DatapointsToAlarm": 4}),
            ("ValidationError", {"TreatMissingData": "guess"}),
            ("ValidationError", {"Period": 300, "EvaluationPeriods": 500}),
            ("InvalidParameterCombination", {"Statistic": None}),
            ("InvalidParameterCombination", {"ExtendedStatistic": "p99"}),
            ("InvalidParameterCombination", {"Metrics": math}),
            ("MissingParameter", {"Threshold": None}),
            ("MissingParameter", {"MetricName": None}),
        ):
            with self.subTest(more=more):
                self.refused(code, self.put, **more)

    def test_alarms_are_listed_by_name_prefix_state_and_page(self):
        for n in range(120):
            self.put(f"a{n:03d}")
        self.put("other")
        pages, token = [], {}
        while True:
            got = self.cw.describe_alarms(MaxRecords=100, **token)
            pages.append(len(got["MetricAlarms"]))
            if not got.get("NextToken"):
                break
            token = {"NextToken": got["NextToken"]}
        self.assertEqual(pages, [100, 21])
        self.assertEqual(len(self.cw.describe_alarms()["MetricAlarms"]), 50)
        self.assertEqual(
            [a["AlarmName"] for a in self.cw.describe_alarms(AlarmNamePrefix="oth")["MetricAlarms"]], ["other"]
        )
        self.assertEqual(
            [a["AlarmName"] for a in self.cw.describe_alarms(AlarmNames=["a001", "none", "a003"])["MetricAlarms"]],
            ["a001", "a003"],
        )
        self.assertEqual(self.cw.describe_alarms(StateValue="ALARM")["MetricAlarms"], [])

    def test_deleting_takes_the_right_names_and_reports_the_wrong_ones(self):
        self.put("a"), self.put("b")
        self.refused("ResourceNotFound", self.cw.delete_alarms, AlarmNames=["a", "none"])
        self.assertEqual([a["AlarmName"] for a in self.cw.describe_alarms()["MetricAlarms"]], ["b"])

    def test_tags_of_alarms(self):
        self.put(Tags=[{"Key": "owner", "Value": "x"}])
        self.assertEqual(
            self.cw.list_tags_for_resource(ResourceARN=self.see()["AlarmArn"])["Tags"], [{"Key": "owner", "Value": "x"}]
        )

    def test_evaluation_over_stored_data_and_the_history(self):
        now = self.stop_clock().timestamp()
        self.put()
        self.do(
            "metrics",
            series=[
                {
                    "namespace": "N",
                    "name": "m",
                    "dimensions": {"G": "web"},
                    "points": [[now - 60 * n, 90.0] for n in range(1, 6)],
                }
            ],
        )
        report = self.do("evaluate_alarms")[0]
        self.assertEqual(
            (report["before"], report["after"], report["points"]), ("INSUFFICIENT_DATA", "ALARM", [90.0] * 5)
        )
        self.assertEqual(self.see()["StateValue"], "ALARM")
        self.assertEqual(
            self.cw.describe_alarm_history(AlarmName="hot")["AlarmHistoryItems"][0]["HistorySummary"],
            "Alarm updated from INSUFFICIENT_DATA to ALARM",
        )
        self.do("evaluate_alarms", now=datetime.datetime.fromtimestamp(now + 3600, datetime.timezone.utc).isoformat())
        self.assertEqual(self.see()["StateValue"], "INSUFFICIENT_DATA")

    def test_metric_math_alarms_are_evaluated(self):
        now = self.stop_clock().timestamp()
        self.do(
            "metrics", series=[{"namespace": "N", "name": "m", "points": [[now - 60 * n, 40.0] for n in range(1, 6)]}]
        )
        metric = {
            "Id": "m",
            "MetricStat": {"Metric": {"Namespace": "N", "MetricName": "m"}, "Period": 60, "Stat": "Average"},
            "ReturnData": False,
        }
        self.put(
            Namespace=None,
            MetricName=None,
            Dimensions=None,
            Statistic=None,
            Period=None,
            Metrics=[metric, {"Id": "e", "Expression": "m * 2"}],
        )
        self.assertEqual(self.do("evaluate_alarms")[0]["after"], "ALARM")


class VerdictTest(unittest.TestCase):
    """The tables of the CloudWatch User Guide, "Configuring how CloudWatch alarms treat missing data"."""

    def check(self, needed, rows):
        for points, *wanted in rows:
            marks = [{"0": False, "X": True, "-": None}[c] for c in points.split()]
            got = [
                verdict(marks, 3, needed, treat, "RETAINED")
                for treat in ("missing", "ignore", "breaching", "notBreaching")
            ]
            with self.subTest(points=points):
                self.assertEqual(got, wanted)

    def test_three_of_three(self):
        self.check(
            3,
            [
                ("0 - X - X", "OK", "OK", "OK", "OK"),
                ("0 - - - -", "OK", "OK", "OK", "OK"),
                ("- - - - -", "INSUFFICIENT_DATA", "RETAINED", "ALARM", "OK"),
                ("0 X X - X", "ALARM", "ALARM", "ALARM", "ALARM"),
                ("- - X - -", "ALARM", "RETAINED", "ALARM", "OK"),
            ],
        )

    def test_two_of_three(self):
        self.check(
            2,
            [
                ("0 - X - X", "ALARM", "ALARM", "ALARM", "ALARM"),
                ("0 0 X 0 X", "ALARM", "ALARM", "ALARM", "ALARM"),
                ("0 - X - -", "OK", "OK", "ALARM", "OK"),
                ("- - - - 0", "OK", "OK", "ALARM", "OK"),
                ("- - - X -", "ALARM", "RETAINED", "ALARM", "OK"),
            ],
        )
