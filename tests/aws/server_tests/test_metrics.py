"""Metric data: exact series, statistics, periods, paging, limits, metric math."""

import datetime
import math

from .support import AwsTest

MINUTE = datetime.timedelta(minutes=1)


class MetricsTest(AwsTest):
    def setUp(self):
        super().setUp()
        self.now = self.stop_clock()

    def feed(self, name, values, namespace="N", step=60, **dimensions):
        """One value a minute, the last one a minute ago; None leaves a hole."""
        end = self.now.timestamp()
        points = [[end - step * (len(values) - i), v] for i, v in enumerate(values) if v is not None]
        self.do("metrics", series=[{"namespace": namespace, "name": name, "dimensions": dimensions, "points": points}])

    def stat(self, name, stat="Average", period=60, id="m", namespace="N", returned=True, **dimensions):
        metric = {
            "Namespace": namespace,
            "MetricName": name,
            "Dimensions": [{"Name": k, "Value": v} for k, v in dimensions.items()],
        }
        return {"Id": id, "MetricStat": {"Metric": metric, "Period": period, "Stat": stat}, "ReturnData": returned}

    def data(self, *queries, minutes=10, **more):
        more = {"ScanBy": "TimestampAscending", "StartTime": self.now - minutes * MINUTE, "EndTime": self.now, **more}
        return self.cw.get_metric_data(MetricDataQueries=list(queries), **more)

    def values(self, *queries, minutes=10):
        return self.data(*queries, minutes=minutes)["MetricDataResults"][-1]["Values"]

    def test_a_series_is_its_exact_namespace_name_and_dimensions(self):
        (
            self.feed("m", [1.0]),
            self.feed("m", [2.0], A="x"),
            self.feed("m", [3.0], A="x", B="y"),
            self.feed("m", [4.0], namespace="O", A="x"),
        )
        self.assertEqual(self.values(self.stat("m")), [1.0])
        self.assertEqual(self.values(self.stat("m", A="x")), [2.0])
        self.assertEqual(self.values(self.stat("m", B="y", A="x")), [3.0])
        self.assertEqual(self.values(self.stat("m", namespace="O", A="x")), [4.0])
        self.assertEqual(self.values(self.stat("m", A="z")), [])

    def test_statistics(self):
        now = self.now - MINUTE
        self.cw.put_metric_data(
            Namespace="N",
            MetricData=[
                {"MetricName": "m", "Timestamp": now, "Values": [1.0, 2.0, 3.0, 4.0], "Counts": [1.0, 1.0, 1.0, 7.0]}
            ],
        )
        for stat, wanted in (
            ("Average", 3.4),
            ("Sum", 34.0),
            ("Minimum", 1.0),
            ("Maximum", 4.0),
            ("SampleCount", 10.0),
            ("p50", 4.0),
            ("p0", 1.0),
            ("p10", 1.9),
            ("p99.9", 4.0),
            ("tm20", 1.5),
        ):
            with self.subTest(stat=stat):
                self.assertAlmostEqual(self.values(self.stat("m", stat))[0], wanted)
        self.refused("ValidationError", self.data, self.stat("m", "median"))

    def test_statistic_sets_have_the_plain_statistics_only(self):
        self.cw.put_metric_data(
            Namespace="N",
            MetricData=[
                {
                    "MetricName": "m",
                    "Timestamp": self.now - MINUTE,
                    "StatisticValues": {"SampleCount": 4, "Sum": 20, "Minimum": 2, "Maximum": 9},
                }
            ],
        )
        self.assertEqual(self.values(self.stat("m", "Average")), [5.0])
        self.assertEqual(self.values(self.stat("m", "p50")), [])

    def test_periods_gather_and_the_order_is_as_asked(self):
        self.feed("m", [float(n) for n in range(10)])
        self.assertEqual(self.values(self.stat("m", "Sum", 300)), [10.0, 35.0])
        got = self.data(self.stat("m", "Sum", 300), ScanBy="TimestampDescending")["MetricDataResults"][0]
        self.assertEqual(
            (got["Values"], got["Timestamps"]), ([35.0, 10.0], [self.now - 5 * MINUTE, self.now - 10 * MINUTE])
        )
        self.assertEqual(
            self.data(self.stat("m"), EndTime=self.now - MINUTE)["MetricDataResults"][0]["Values"][-1], 8.0
        )

    def test_old_data_is_kept_coarsely_only(self):
        self.feed("m", [1.0], step=20 * 86_400)
        self.assertEqual(self.values(self.stat("m", period=60), minutes=30 * 1440), [])
        self.assertEqual(self.values(self.stat("m", period=300), minutes=30 * 1440), [1.0])

    def test_what_aws_refuses_is_refused(self):
        good = self.stat("m")
        for text, queries, more in (
            ("not unique", [good, good], {}),
            ("500", [self.stat("m", id=f"m{n}") for n in range(501)], {}),
            ("Period", [self.stat("m", period=45)], {}),
            ("pattern", [self.stat("m", id="M")], {}),
            ("Exactly one", [{"Id": "e"}], {}),
            ("undefined", [{"Id": "e", "Expression": "x + 1"}], {}),
            ("circular", [{"Id": "a", "Expression": "b"}, {"Id": "b", "Expression": "a"}], {}),
            ("unexpected", [good, {"Id": "e", "Expression": "m +"}], {}),
            ("time series", [good, {"Id": "e", "Expression": "AVG(m)"}], {}),
            ("StartTime", [good], {"EndTime": self.now - 60 * MINUTE}),
            ("at least one", [self.stat("m", returned=False)], {}),
            ("MaxDatapoints", [good], {"MaxDatapoints": 200_000}),
        ):
            with self.subTest(text=text):
                self.feed("m", [1.0])
                with self.assertRaises(Exception) as caught:
                    self.data(*queries, **more)
                self.assertIn(text.lower(), str(caught.exception).lower())
                self.assertIn("ValidationError", str(caught.exception))

    def test_many_points_come_in_pages(self):
        for name in "abc":
            self.feed(name, [float(n) for n in range(10)])
        queries, pages, token = [self.stat(n, id=n) for n in "abc"], [], {}
        while True:
            got = self.data(*queries, MaxDatapoints=12, **token)
            pages.append([(r["Id"], len(r["Values"]), r["StatusCode"]) for r in got["MetricDataResults"]])
            if not got.get("NextToken"):
                break
            token = {"NextToken": got["NextToken"]}
        self.assertEqual(
            pages,
            [
                [("a", 10, "Complete"), ("b", 2, "PartialData"), ("c", 0, "PartialData")],
                [("a", 0, "Complete"), ("b", 8, "Complete"), ("c", 4, "PartialData")],
                [("a", 0, "Complete"), ("b", 0, "Complete"), ("c", 6, "Complete")],
            ],
        )
        self.refused("InvalidNextToken", self.data, *queries, NextToken="nonsense")

    def test_putting_is_checked(self):
        def put(namespace="N", **datum):
            return self.cw.put_metric_data(
                Namespace=namespace, MetricData=[{"MetricName": "m", "Timestamp": self.now, **datum}]
            )

        self.refused("InvalidParameterValue", put, "AWS/EC2", Value=1.0)
        self.refused("InvalidParameterValue", put, Value=1.0, Timestamp=self.now - datetime.timedelta(days=15))
        self.refused("InvalidParameterValue", put, Value=1.0, Timestamp=self.now + datetime.timedelta(hours=3))
        self.refused("InvalidParameterCombination", put, Value=1.0, Values=[1.0])
        self.refused("InvalidParameterValue", put, Value=math.inf)
        self.refused(
            "ValidationError",
            self.cw.put_metric_data,
            Namespace="N",
            MetricData=[{"MetricName": "m", "Value": 1.0}] * 1001,
        )

    def test_metrics_are_listed(self):
        self.feed("a", [1.0], X="1"), self.feed("b", [1.0], X="2"), self.feed("a", [1.0], namespace="O")
        got = self.cw.list_metrics(Namespace="N", Dimensions=[{"Name": "X"}])["Metrics"]
        self.assertEqual(
            [(m["MetricName"], m["Dimensions"]) for m in got],
            [("a", [{"Name": "X", "Value": "1"}]), ("b", [{"Name": "X", "Value": "2"}])],
        )
        self.assertEqual(len(self.cw.list_metrics(MetricName="a")["Metrics"]), 2)

    def test_get_metric_statistics(self):
        self.feed("m", [1.0, 3.0])
        got = self.cw.get_metric_statistics(
            Namespace="N",
            MetricName="m",
            Period=60,
            StartTime=self.now - 5 * MINUTE,
            EndTime=self.now,
            Statistics=["Sum"],
            ExtendedStatistics=["p90"],
        )["Datapoints"]
        self.assertEqual([(p["Sum"], p["ExtendedStatistics"]["p90"]) for p in got], [(1.0, 1.0), (3.0, 3.0)])
        self.refused(
            "InvalidParameterCombination",
            self.cw.get_metric_statistics,
            Namespace="N",
            MetricName="m",
            Period=60,
            StartTime=self.now - 2000 * MINUTE,
            EndTime=self.now,
            Statistics=["Sum"],
        )

    def test_metric_math(self):
        (
            self.feed("a", [1.0, 2.0, None, 4.0]),
            self.feed("b", [10.0, 20.0, 30.0, 40.0]),
            self.feed("z", [0.0, 5.0, 0.0, 5.0]),
        )
        inputs = [self.stat(n, id=n, returned=False) for n in "abz"]
        for text, wanted in (
            ("a + b", [11.0, 22.0, 44.0]),
            ("b / a * 2 - 1", [19.0, 19.0, 19.0]),
            ("-a", [-1.0, -2.0, -4.0]),
            ("2 ^ a", [2.0, 4.0, 16.0]),
            ("b / z", [4.0, 8.0]),
            ("(a + 1) * 2", [4.0, 6.0, 10.0]),
            ("SUM([a, b])", [11.0, 22.0, 30.0, 44.0]),
            ("SUM(METRICS())", [11.0, 27.0, 30.0, 49.0]),
            ("MAX(METRICS())", [10.0, 20.0, 30.0, 40.0]),
            ('MIN(METRICS("z"))', [0.0, 5.0, 0.0, 5.0]),
            ("AVG([a, b])", [5.5, 11.0, 30.0, 22.0]),
            ("FILL(a, 0)", [0.0] * 6 + [1.0, 2.0, 0.0, 4.0]),
            ("FILL(a, REPEAT)", [1.0, 2.0, 2.0, 4.0]),
            ("FILL(a, LINEAR)", [1.0, 2.0, 3.0, 4.0]),
            ("a + FILL(b, 0)", [11.0, 22.0, 44.0]),
            ("IF(a > 1, b)", [20.0, 40.0]),
            ("IF(a > 1 AND z == 5, b, 0)", [0.0, 20.0, 40.0]),
            ("a >= 2", [0.0, 1.0, 1.0]),
            ("b - AVG(b)", [-15.0, -5.0, 5.0, 15.0]),
            ("b / PERIOD(b)", [10 / 60, 20 / 60, 0.5, 40 / 60]),
            ("RATE(b)", [10 / 60] * 3),
            ("CEIL(a / 3)", [1.0, 1.0, 2.0]),
            ("ABS(a - b)", [9.0, 18.0, 36.0]),
            ("RUNNING_SUM(b)", [10.0, 30.0, 60.0, 100.0]),
            ("a != 2 || b > 30", [1.0, 0.0, 1.0]),
            ("TIME_SERIES(3)", [3.0] * 10),
            ("1.5e1 + a * 0", [15.0] * 3),
        ):
            with self.subTest(text=text):
                got = self.values(*inputs, {"Id": "e", "Expression": text})
                self.assertEqual([round(v, 9) for v in got], [round(v, 9) for v in wanted])

    def test_metric_math_over_arrays_gives_several_series(self):
        self.feed("a", [1.0]), self.feed("b", [2.0])
        got = self.data(
            self.stat("a", id="a", returned=False),
            self.stat("b", id="b", returned=False),
            {"Id": "e", "Expression": "METRICS() * 10"},
        )
        self.assertEqual(
            [(r["Id"], r["Label"], r["Values"]) for r in got["MetricDataResults"]],
            [("e", "a", [10.0]), ("e", "b", [20.0])],
        )

    def test_an_expression_may_use_another(self):
        self.feed("a", [3.0])
        got = self.values(
            self.stat("a", id="a", returned=False),
            {"Id": "e", "Expression": "f + 1"},
            {"Id": "f", "Expression": "a * 2", "ReturnData": False},
        )
        self.assertEqual(got, [7.0])

    def test_what_the_server_cannot_say_is_no_number(self):
        self.refused(
            "EmulatorNotImplemented", self.data, self.stat("a"), {"Id": "e", "Expression": "ANOMALY_DETECTION_BAND(m)"}
        )
        self.refused(
            "EmulatorNotImplemented",
            self.data,
            {"Id": "e", "Expression": "SELECT AVG(CPUUtilization) FROM x", "Period": 60},
        )

    def test_many_series_are_read_fast(self):
        points = [[self.now.timestamp() - 60 * n, 1.0] for n in range(1, 61)]
        self.do(
            "metrics",
            series=[
                {
                    "namespace": "AWS/EC2",
                    "name": "CPUUtilization",
                    "dimensions": {"AutoScalingGroupName": f"g{n}"},
                    "points": points,
                }
                for n in range(500)
            ],
        )
        got = self.data(
            *[
                self.stat("CPUUtilization", id=f"m{n}", namespace="AWS/EC2", AutoScalingGroupName=f"g{n}")
                for n in range(500)
            ],
            minutes=60,
        )
        self.assertEqual(sum(len(r["Values"]) for r in got["MetricDataResults"]), 30_000)
        self.assertLess(self.log(op="GetMetricData")[-1]["ms"], 5_000)
