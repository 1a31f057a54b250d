"""Requests are checked against the service models; the three protocols answer alike."""

import datetime
import gzip
import http.client
import json
import unittest
import urllib.request

import botocore.parsers
import botocore.serialize
import botocore.session

from .support import UTC, AwsTest, client, control, server_port

AUTH = "AWS4-HMAC-SHA256 Credential=AKIA{}TEST/20260302/us-east-1/{}/aws4_request, SignedHeaders=host, Signature=0"


class WireTest(AwsTest):
    def raw(self, body, path="/", service="autoscaling", **headers):
        connection = http.client.HTTPConnection("127.0.0.1", server_port(), timeout=20)
        headers = {
            "Authorization": AUTH.format(self.account, service),
            "Content-Type": "application/x-www-form-urlencoded",
            **headers,
        }
        connection.request("POST", path, body, headers)
        answer = connection.getresponse()
        out = answer.status, answer.read(), answer.headers
        connection.close()
        return out

    def form_refused(self, body, text):
        status, out, _ = self.raw(body)
        self.assertEqual(status, 400)
        self.assertIn(b"EmulatorRequestInvalid", out)
        self.assertIn(text.encode(), out)

    def test_a_request_that_does_not_fit_the_model_is_refused(self):
        start = "Action=DescribeAutoScalingGroups&Version=2011-01-01"
        for body, text in (
            (start + "&Nonsense=1", "no such member"),
            (start + "&MaxRecords=ten", "is not a integer"),
            (start + "&AutoScalingGroupNames=web", "a value where a list is wanted"),
            (start + "&AutoScalingGroupNames.member.2=web", "are not 1..n"),
            (start + "&AutoScalingGroupNames.item.1=web", "must be named member"),
            ("Action=DescribeAutoScalingGroups&Version=2010-08-01", "the model is 2011-01-01"),
            ("Action=DescribeGroups&Version=2011-01-01", "no such operation"),
            ("Action=SetDesiredCapacity&Version=2011-01-01&DesiredCapacity=1", "AutoScalingGroupName"),
            (
                "Action=CreateAutoScalingGroup&Version=2011-01-01&AutoScalingGroupName="
                + "x" * 256
                + "&MinSize=1&MaxSize=2",
                "at most 255",
            ),
        ):
            with self.subTest(body=body[:90]):
                self.form_refused(body, text)
        self.assertEqual(len(control("violations", account=self.account)), 9)

    def test_an_unsigned_request_is_refused(self):
        status, out, _ = self.raw("Action=DescribeAutoScalingGroups&Version=2011-01-01", Authorization="")
        self.assertEqual(status, 403)
        self.assertIn(b"not signed", out)

    def test_the_log_keeps_decoded_parameters(self):
        self.scaling.describe_auto_scaling_groups(MaxRecords=7, Filters=[{"Name": "tag:team", "Values": ["shop"]}])
        entry = self.log()[-1]
        self.assertEqual(entry["params"], {"MaxRecords": 7, "Filters": [{"Name": "tag:team", "Values": ["shop"]}]})
        self.assertEqual(
            (entry["service"], entry["op"], entry["action"], entry["status"]),
            ("autoscaling", "DescribeAutoScalingGroups", "autoscaling:DescribeAutoScalingGroups", 200),
        )

    def cbor(self, operation, body, compress=False):
        model = botocore.session.get_session().get_service_model("cloudwatch").operation_model(operation)
        data = bytearray()
        botocore.serialize.RpcV2CBORSerializer()._serialize_data_item(data, body, model.input_shape)
        headers = {"Content-Type": "application/cbor", "smithy-protocol": "rpc-v2-cbor"}
        data = bytes(data)
        if compress:
            data, headers["Content-Encoding"] = gzip.compress(data), "gzip"
        status, out, got = self.raw(
            data, f"/service/GraniteServiceVersion20100801/operation/{operation}", "monitoring", **headers
        )
        parser = botocore.parsers.RpcV2CBORParser()
        parsed = parser.parse({"status_code": status, "headers": dict(got.items()), "body": out}, model.output_shape)
        return status, parsed

    def test_cloudwatch_speaks_cbor_as_the_rust_sdk_wants_it(self):
        now = datetime.datetime.now(UTC).replace(microsecond=0)
        datum = {"MetricName": "m", "Value": 4.5, "Timestamp": now - datetime.timedelta(minutes=2)}
        status, _ = self.cbor("PutMetricData", {"Namespace": "N", "MetricData": [datum]}, compress=True)
        self.assertEqual(status, 200)
        query = {
            "Id": "m1",
            "MetricStat": {"Metric": {"Namespace": "N", "MetricName": "m"}, "Period": 60, "Stat": "Sum"},
        }
        status, got = self.cbor(
            "GetMetricData",
            {"MetricDataQueries": [query], "StartTime": now - datetime.timedelta(minutes=10), "EndTime": now},
        )
        self.assertEqual((status, got["MetricDataResults"][0]["Values"]), (200, [4.5]))
        self.assertEqual(got["MetricDataResults"][0]["Timestamps"][0].tzinfo is not None, True)
        self.assertEqual(self.log(op="GetMetricData")[0]["proto"], "cbor")

    def test_a_cbor_error_carries_its_code(self):
        status, got = self.cbor("SetAlarmState", {"AlarmName": "none", "StateValue": "OK", "StateReason": "x"})
        self.assertEqual((status, got["Error"]["Code"]), (404, "ResourceNotFound"))

    def test_json_and_query_give_the_same_errors(self):
        self.refused("ResourceNotFound", self.cw.set_alarm_state, AlarmName="none", StateValue="OK", StateReason="x")
        status, out, _ = self.raw(
            "Action=SetAlarmState&Version=2010-08-01&AlarmName=none&StateValue=OK&StateReason=x", service="monitoring"
        )
        self.assertEqual(status, 404)
        self.assertIn(b"<Code>ResourceNotFound</Code>", out)

    def test_what_is_not_answered_says_so_and_is_not_retried(self):
        response = self.refused(
            "EmulatorNotImplemented",
            self.scaling.get_predictive_scaling_forecast,
            AutoScalingGroupName="g",
            PolicyName="p",
            StartTime=datetime.datetime(2026, 1, 1),
            EndTime=datetime.datetime(2026, 1, 2),
        )
        self.assertEqual(response["ResponseMetadata"]["HTTPStatusCode"], 400)
        self.refused("EmulatorNotImplemented", self.ec2.get_spot_placement_scores, TargetCapacity=1)

    def test_accounts_and_regions_are_apart(self):
        self.group("mine")
        self.assertEqual(client("autoscaling", "123123123123").describe_auto_scaling_groups()["AutoScalingGroups"], [])
        self.assertEqual(
            client("autoscaling", self.account, "eu-west-1").describe_auto_scaling_groups()["AutoScalingGroups"], []
        )
        self.assertEqual(client("sts", self.account).get_caller_identity()["Account"], self.account)

    def test_an_assumed_role_works_in_its_account(self):
        self.group("mine")
        made = client("sts", self.account).assume_role(
            RoleArn=f"arn:aws:iam::{self.account}:role/ops", RoleSessionName="session"
        )
        import boto3

        scaling = boto3.client(
            "autoscaling",
            endpoint_url=f"http://127.0.0.1:{server_port()}",
            region_name="us-east-1",
            aws_access_key_id=made["Credentials"]["AccessKeyId"],
            aws_secret_access_key="x",
            aws_session_token="t",
        )
        self.assertEqual(len(scaling.describe_auto_scaling_groups()["AutoScalingGroups"]), 1)

    def test_connections_are_kept_alive(self):
        connection = http.client.HTTPConnection("127.0.0.1", server_port(), timeout=20)
        for _ in range(3):
            connection.request("GET", "/_strict/clock")
            answer = connection.getresponse()
            self.assertEqual(answer.status, 200)
            answer.read()
            self.assertIsNotNone(connection.sock)
        connection.close()

    def test_an_unknown_endpoint_is_an_error(self):
        with self.assertRaises(urllib.error.HTTPError) as caught:
            control("nonsense")
        self.assertEqual(json.load(caught.exception)["error"], "no such endpoint: nonsense")


if __name__ == "__main__":
    unittest.main()
