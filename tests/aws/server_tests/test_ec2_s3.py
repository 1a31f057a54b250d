"""EC2's spot prices, and what the shared state needs of S3."""

import concurrent.futures
import datetime
import hashlib

import botocore.exceptions

from .support import AwsTest, client


class SpotPriceTest(AwsTest):
    def prices(self, **filters):
        return [
            (p["InstanceType"], p["AvailabilityZone"], p["SpotPrice"])
            for p in self.ec2.describe_spot_price_history(**filters)["SpotPriceHistory"]
        ]

    def test_prices_are_those_of_the_test(self):
        self.assertEqual(self.prices(), [])
        self.do(
            "spot_prices",
            prices=[
                {"type": "m5.large", "az": "us-east-1a", "price": 0.04, "at": "2026-03-01T00:00:00Z"},
                {"type": "m5.large", "az": "us-east-1a", "price": 0.05, "at": "2026-03-01T06:00:00Z"},
                {"type": "m5.large", "az": "us-east-1b", "price": 0.03, "at": "2026-03-01T02:00:00Z"},
                {"type": "c5.large", "az": "us-east-1a", "price": 0.06, "at": "2026-03-01T03:00:00Z"},
            ],
        )
        self.assertEqual(
            self.prices(InstanceTypes=["m5.large"], AvailabilityZone="us-east-1a"),
            [("m5.large", "us-east-1a", "0.050000"), ("m5.large", "us-east-1a", "0.040000")],
        )
        noon = datetime.datetime(2026, 3, 1, 12, tzinfo=datetime.timezone.utc)
        self.assertEqual(
            sorted(self.prices(StartTime=noon, EndTime=noon, ProductDescriptions=["Linux/UNIX"])),
            [
                ("c5.large", "us-east-1a", "0.060000"),
                ("m5.large", "us-east-1a", "0.050000"),
                ("m5.large", "us-east-1b", "0.030000"),
            ],
        )
        self.assertEqual(
            self.prices(Filters=[{"Name": "availability-zone", "Values": ["us-east-1b"]}]),
            [("m5.large", "us-east-1b", "0.030000")],
        )
        page = self.ec2.describe_spot_price_history(MaxResults=3)
        self.assertEqual(
            (
                len(page["SpotPriceHistory"]),
                len(
                    self.ec2.describe_spot_price_history(MaxResults=3, NextToken=page["NextToken"])["SpotPriceHistory"]
                ),
            ),
            (3, 1),
        )

    def test_spot_instances_say_so(self):
        self.group(MixedInstancesPolicy=self.mixed(OnDemandPercentageAboveBaseCapacity=0), DesiredCapacity=1)
        machine = self.ec2.describe_instances()["Reservations"][0]["Instances"][0]
        self.assertEqual(machine["InstanceLifecycle"], "spot")
        self.do("interrupt", instances=[machine["InstanceId"]])
        self.assertNotEqual(self.see()["Instances"][0]["InstanceId"], machine["InstanceId"])


class MotoTest(AwsTest):
    """What the provider asks of services that are moto's."""

    def test_a_queue_tells_its_depth(self):
        sqs = client("sqs", self.account)
        url = sqs.create_queue(QueueName="jobs")["QueueUrl"]
        for n in range(3):
            sqs.send_message(QueueUrl=url, MessageBody=str(n))
        got = sqs.get_queue_attributes(QueueUrl=url, AttributeNames=["ApproximateNumberOfMessages"])["Attributes"]
        self.assertEqual(got, {"ApproximateNumberOfMessages": "3"})

    def test_a_target_group_tells_its_deregistration_delay(self):
        elb = client("elbv2", self.account)
        vpc = self.ec2.describe_vpcs()["Vpcs"][0]["VpcId"]
        made = elb.create_target_group(Name="t", Protocol="HTTP", Port=80, VpcId=vpc)["TargetGroups"][0]
        attributes = elb.describe_target_group_attributes(TargetGroupArn=made["TargetGroupArn"])["Attributes"]
        self.assertIn({"Key": "deregistration_delay.timeout_seconds", "Value": "300"}, attributes)

    def test_templates_types_and_subnets_are_told(self):
        self.template()
        version = self.ec2.describe_launch_template_versions(LaunchTemplateName="web", Versions=["$Latest"])
        self.assertEqual(version["LaunchTemplateVersions"][0]["LaunchTemplateData"]["InstanceType"], "m5.large")
        kind = self.ec2.describe_instance_types(InstanceTypes=["m5.xlarge"])["InstanceTypes"][0]
        self.assertEqual(kind["VCpuInfo"]["DefaultVCpus"], 4)
        self.assertGreaterEqual(len(self.ec2.describe_subnets()["Subnets"]), 3)


class InstancesTest(AwsTest):
    def ids(self, **more):
        found = self.ec2.describe_instances(**more)
        return [i["InstanceId"] for r in found["Reservations"] for i in r["Instances"]], found.get("NextToken")

    def test_instances_are_read_in_pages_of_instances(self):
        self.group(DesiredCapacity=7)
        (first, token), wanted = self.ids(MaxResults=5), sorted(i["InstanceId"] for i in self.see()["Instances"])
        second, end = self.ids(MaxResults=5, NextToken=token)
        self.assertEqual((len(first), sorted(first + second), end), (5, wanted, None))

    def test_filters_of_aws_work_and_others_are_refused(self):
        policy = self.mixed(OnDemandBaseCapacity=1, OnDemandPercentageAboveBaseCapacity=0)
        self.group(
            MixedInstancesPolicy=policy,
            DesiredCapacity=3,
            Tags=[{"Key": "team", "Value": "shop", "PropagateAtLaunch": True}],
        )
        self.desire(2)
        for name, value, count in (
            ("instance-lifecycle", "spot", 2),
            ("instance-state-name", "terminated", 1),
            ("tag:team", "sh*", 3),
            ("tag:aws:autoscaling:groupName", "web", 3),
            ("instance-type", "m5.large", 3),
            ("availability-zone", "us-east-1c", 0),
            ("tag-key", "team", 3),
        ):
            with self.subTest(name=name):
                self.assertEqual(len(self.ids(Filters=[{"Name": name, "Values": [value]}])[0]), count)
        self.refused("InvalidParameterValue", self.ids, Filters=[{"Name": "color", "Values": ["red"]}])

    def test_what_aws_refuses_is_refused(self):
        self.group(DesiredCapacity=1)
        one = self.ids()[0]
        self.assertEqual(self.ids(InstanceIds=one)[0], one)
        self.refused("InvalidInstanceID.NotFound", self.ids, InstanceIds=["i-0123456789abcdef0"])
        self.refused("InvalidInstanceID.Malformed", self.ids, InstanceIds=["i-nonsense"])
        self.refused("InvalidParameterCombination", self.ids, InstanceIds=one, MaxResults=5)
        self.refused("DryRunOperation", self.ids, DryRun=True)

    def test_an_instance_tells_when_and_where_it_runs(self):
        self.stop_clock()
        self.group(DesiredCapacity=1)
        machine = self.ec2.describe_instances()["Reservations"][0]["Instances"][0]
        self.assertEqual(machine["LaunchTime"].isoformat(), "2026-03-02T12:00:00+00:00")
        self.assertEqual(
            (machine["Placement"]["AvailabilityZone"], machine["InstanceType"], machine["State"]["Name"]),
            ("us-east-1a", "m5.large", "running"),
        )
        self.assertNotIn("InstanceLifecycle", machine)


class S3Test(AwsTest):
    def setUp(self):
        super().setUp()
        self.s3 = client("s3", self.account, s3={"addressing_style": "path"})
        self.bucket = f"state-{self.account}"
        self.s3.create_bucket(Bucket=self.bucket)

    def put(self, body=b"one", key="k", **conditions):
        return self.s3.put_object(Bucket=self.bucket, Key=key, Body=body, **conditions)["ETag"]

    def get(self, **conditions):
        return self.s3.get_object(Bucket=self.bucket, Key="k", **conditions)

    def test_only_the_first_writer_makes_an_object(self):
        self.put(IfNoneMatch="*")
        response = self.refused("PreconditionFailed", self.put, b"two", IfNoneMatch="*")
        self.assertEqual(response["ResponseMetadata"]["HTTPStatusCode"], 412)
        self.assertEqual(self.get()["Body"].read(), b"one")
        self.s3.delete_object(Bucket=self.bucket, Key="k")
        self.put(b"three", IfNoneMatch="*")

    def test_of_many_at_once_one_makes_it(self):
        def attempt(n):
            try:
                self.put(f"{n}".encode(), IfNoneMatch="*")
                return True
            except botocore.exceptions.ClientError as error:
                self.assertIn(error.response["Error"]["Code"], ("PreconditionFailed", "ConditionalRequestConflict"))
                return False

        with concurrent.futures.ThreadPoolExecutor(8) as pool:
            self.assertEqual(sum(pool.map(attempt, range(24))), 1)

    def test_an_upload_on_the_etag_replaces_only_that_one(self):
        first = self.put(b"one")
        second = self.put(b"two", IfMatch=first)
        self.assertEqual(
            self.refused("PreconditionFailed", self.put, b"three", IfMatch=first)["ResponseMetadata"]["HTTPStatusCode"],
            412,
        )
        self.assertEqual((self.get()["Body"].read(), self.get()["ETag"]), (b"two", second))

    def test_an_upload_on_the_etag_of_a_missing_object_is_not_found(self):
        self.assertEqual(
            self.refused("NoSuchKey", self.put, IfMatch='"0123456789abcdef0123456789abcdef"')["ResponseMetadata"][
                "HTTPStatusCode"
            ],
            404,
        )

    def test_etags_are_the_contents_md5_everywhere(self):
        tag = f'"{hashlib.md5(b"one").hexdigest()}"'
        self.assertEqual(self.put(b"one"), tag)
        self.assertEqual(self.get()["ETag"], tag)
        head = self.s3.head_object(Bucket=self.bucket, Key="k")
        self.assertEqual((head["ETag"], head["ContentLength"]), (tag, 3))
        self.assertEqual(self.s3.list_objects_v2(Bucket=self.bucket)["Contents"][0]["ETag"], tag)

    def test_an_unchanged_object_is_not_sent_again(self):
        tag = self.put()
        self.assertEqual(self.refused("304", self.get, IfNoneMatch=tag)["ResponseMetadata"]["HTTPStatusCode"], 304)
        self.refused("PreconditionFailed", self.get, IfMatch='"00000000000000000000000000000000"')

    def test_deleting_on_the_etag(self):
        tag = self.put()
        self.refused(
            "PreconditionFailed",
            self.s3.delete_object,
            Bucket=self.bucket,
            Key="k",
            IfMatch='"00000000000000000000000000000000"',
        )
        self.s3.delete_object(Bucket=self.bucket, Key="k", IfMatch=tag)
        self.refused("NoSuchKey", self.get)

    def test_a_multipart_upload_is_conditional_too(self):
        self.put()
        made = self.s3.create_multipart_upload(Bucket=self.bucket, Key="k")["UploadId"]
        part = self.s3.upload_part(Bucket=self.bucket, Key="k", UploadId=made, PartNumber=1, Body=b"x" * 100)["ETag"]
        done = {
            "Bucket": self.bucket,
            "Key": "k",
            "UploadId": made,
            "MultipartUpload": {"Parts": [{"ETag": part, "PartNumber": 1}]},
        }
        self.refused("PreconditionFailed", self.s3.complete_multipart_upload, IfNoneMatch="*", **done)
        self.s3.complete_multipart_upload(IfMatch=self.get()["ETag"], **done)
        self.assertEqual(self.get()["ContentLength"], 100)

    def test_a_lost_answer_and_a_conflict_can_be_asked_for(self):
        self.faults(
            {"service": "s3", "op": "PutObject", "kind": "internal", "when": "after"},
            {"service": "s3", "op": "PutObject", "kind": "conflict"},
        )
        self.refused("InternalError", self.put, IfNoneMatch="*")
        self.assertEqual(
            self.refused("ConditionalRequestConflict", self.put, IfNoneMatch="*")["ResponseMetadata"]["HTTPStatusCode"],
            409,
        )
        self.refused("PreconditionFailed", self.put, IfNoneMatch="*")

    def test_the_log_names_operation_key_and_conditions(self):
        self.put(IfNoneMatch="*")
        entry = self.log(op="PutObject")[-1]
        self.assertEqual(
            {k: entry["params"].get(k) for k in ("Bucket", "Key", "If-None-Match")},
            {"Bucket": self.bucket, "Key": "k", "If-None-Match": "*"},
        )
        self.refused("PreconditionFailed", self.put, IfNoneMatch="*")
        self.assertEqual(
            [(e["status"], e["code"]) for e in self.log(op="PutObject")], [(200, None), (412, "PreconditionFailed")]
        )
