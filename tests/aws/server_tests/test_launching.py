"""From desired capacity to instances and back; the passing of time; failed launches."""

import collections
import datetime

from .support import AwsTest


class LaunchTest(AwsTest):
    def instances(self):
        return self.see()["Instances"]

    def lifecycles(self):
        alive = [i["InstanceId"] for i in self.instances()]
        if not alive:
            return {}
        found = [i for r in self.ec2.describe_instances(InstanceIds=alive)["Reservations"] for i in r["Instances"]]
        return collections.Counter(i.get("InstanceLifecycle", "on-demand") for i in found)

    def test_desired_capacity_outside_the_limits_is_refused_in_aws_words(self):
        self.group(MinSize=1, MaxSize=4)
        self.refused(
            "ValidationError",
            self.desire,
            5,
            match="New SetDesiredCapacity value 5 is above max value 4 for the AutoScalingGroup.",
        )
        self.refused("ValidationError", self.desire, 0, match="below min value 1")

    def test_cooldown_is_honored_only_when_asked_for(self):
        self.group()
        self.desire(2)
        self.refused("ScalingActivityInProgress", self.desire, 3, HonorCooldown=True)
        self.desire(3)
        self.advance(301)
        self.desire(4, HonorCooldown=True)

    def test_instances_boot_in_their_time(self):
        self.group()
        self.do("settings", boot_s=90)
        self.desire(2)
        self.assertEqual(self.states(), ["Pending"] * 2)
        self.assertEqual(self.activities()[0]["StatusCode"], "InProgress")
        self.advance(89)
        self.assertEqual(self.states(), ["Pending"] * 2)
        self.advance(2)
        self.assertEqual(self.states(), ["InService"] * 2)
        self.assertEqual(self.activities()[0]["StatusCode"], "Successful")

    def test_instances_carry_the_groups_tags_and_the_template_version(self):
        self.group(
            DesiredCapacity=1,
            Tags=[
                {"Key": "team", "Value": "shop", "PropagateAtLaunch": True},
                {"Key": "no", "Value": "x", "PropagateAtLaunch": False},
            ],
        )
        machine = self.ec2.describe_instances(Filters=[{"Name": "tag:aws:autoscaling:groupName", "Values": ["web"]}])[
            "Reservations"
        ][0]["Instances"][0]
        tags = {t["Key"]: t["Value"] for t in machine["Tags"]}
        self.assertEqual((tags["team"], tags.get("no"), tags["aws:ec2launchtemplate:version"]), ("shop", None, "1"))
        self.assertEqual(self.instances()[0]["LaunchTemplate"]["Version"], "1")

    def test_the_zones_are_kept_even(self):
        self.group(DesiredCapacity=4)
        self.assertEqual(
            collections.Counter(i["AvailabilityZone"] for i in self.instances()), {"us-east-1a": 2, "us-east-1b": 2}
        )

    def test_termination_policies_choose_who_ends(self):
        for policy, left in (("OldestInstance", [2, 3]), ("NewestInstance", [0, 1]), ("Default", [2, 3])):
            with self.subTest(policy=policy):
                self.setUp()
                self.group(DesiredCapacity=4, TerminationPolicies=[policy], AvailabilityZones=["us-east-1a"])
                before = [i["InstanceId"] for i in self.instances()]
                self.desire(2)
                self.assertEqual([i["InstanceId"] for i in self.instances()], [before[n] for n in left])

    def test_the_fullest_zone_loses_first(self):
        self.group(DesiredCapacity=4, TerminationPolicies=["NewestInstance"])
        ids = [i["InstanceId"] for i in self.instances()]  # zones a, b, a, b
        self.scaling.terminate_instance_in_auto_scaling_group(InstanceId=ids[1], ShouldDecrementDesiredCapacity=True)
        self.desire(2)
        self.assertEqual([i["InstanceId"] for i in self.instances()], [ids[0], ids[3]])

    def test_old_template_versions_go_first(self):
        self.group(DesiredCapacity=2, AvailabilityZones=["us-east-1a"], TerminationPolicies=["OldestLaunchTemplate"])
        self.ec2.create_launch_template_version(
            LaunchTemplateName="web",
            SourceVersion="1",
            LaunchTemplateData={"ImageId": "ami-12c6146b", "InstanceType": "m5.xlarge"},
        )
        self.desire(4)
        self.desire(2)
        self.assertEqual([i["LaunchTemplate"]["Version"] for i in self.instances()], ["2", "2"])

    def test_protected_instances_stay_and_the_activity_says_so(self):
        self.group(DesiredCapacity=2)
        ids = [i["InstanceId"] for i in self.instances()]
        self.scaling.set_instance_protection(AutoScalingGroupName="web", InstanceIds=ids, ProtectedFromScaleIn=True)
        self.desire(1)
        self.assertEqual(len(self.instances()), 2)
        self.assertIn("protected from scale-in", self.activities()[0]["StatusMessage"])
        self.refused(
            "ValidationError",
            self.scaling.set_instance_protection,
            AutoScalingGroupName="web",
            InstanceIds=["i-0"],
            ProtectedFromScaleIn=True,
        )

    def test_suspended_processes_hold(self):
        self.group(DesiredCapacity=2)
        self.scaling.suspend_processes(AutoScalingGroupName="web", ScalingProcesses=["Launch", "Terminate"])
        self.assertEqual({s["ProcessName"] for s in self.see()["SuspendedProcesses"]}, {"Launch", "Terminate"})
        self.desire(4)
        self.assertEqual(len(self.instances()), 2)
        self.desire(1)
        self.assertEqual(len(self.instances()), 2)
        self.scaling.resume_processes(AutoScalingGroupName="web")
        self.assertEqual(len(self.instances()), 1)
        self.refused(
            "ValidationError", self.scaling.suspend_processes, AutoScalingGroupName="web", ScalingProcesses=["Nonsense"]
        )

    def test_terminating_one_with_and_without_the_decrement(self):
        self.group(MinSize=1, DesiredCapacity=3)
        first, second = (i["InstanceId"] for i in self.instances()[:2])
        activity = self.scaling.terminate_instance_in_auto_scaling_group(
            InstanceId=first, ShouldDecrementDesiredCapacity=True
        )["Activity"]
        self.assertIn(first, activity["Description"])
        self.assertEqual((self.see()["DesiredCapacity"], len(self.instances())), (2, 2))
        self.scaling.terminate_instance_in_auto_scaling_group(InstanceId=second, ShouldDecrementDesiredCapacity=False)
        self.assertEqual((self.see()["DesiredCapacity"], len(self.instances())), (2, 2))
        self.desire(1)
        last = self.instances()[0]["InstanceId"]
        self.refused(
            "ValidationError",
            self.scaling.terminate_instance_in_auto_scaling_group,
            InstanceId=last,
            ShouldDecrementDesiredCapacity=True,
            match="desiredSize equals minSize",
        )
        self.refused(
            "ValidationError",
            self.scaling.terminate_instance_in_auto_scaling_group,
            InstanceId="i-0123456789abcdef0",
            ShouldDecrementDesiredCapacity=False,
        )

    def test_an_instance_that_ec2_ended_is_replaced(self):
        self.group(DesiredCapacity=2)
        gone = self.instances()[0]["InstanceId"]
        self.ec2.terminate_instances(InstanceIds=[gone])
        ids = [i["InstanceId"] for i in self.instances()]
        self.assertEqual(len(ids), 2)
        self.assertNotIn(gone, ids)

    def test_a_failed_launch_is_an_activity_and_is_tried_again(self):
        self.group(
            MixedInstancesPolicy=self.mixed(OnDemandPercentageAboveBaseCapacity=0, OnDemandBaseCapacity=1),
            DefaultCooldown=0,
        )
        self.do("launch_failures", failures=[{"lifecycle": "spot"}])
        self.desire(3)
        self.assertEqual(dict(self.lifecycles()), {"on-demand": 1})
        failed = self.activities()[0]
        self.assertEqual(failed["StatusCode"], "Failed")
        self.assertIn(
            "There is no Spot capacity available that matches your request. Launching EC2 instance failed.",
            failed["StatusMessage"],
        )
        count = len(self.activities())
        self.advance(30)
        self.assertEqual(len(self.activities()), count)
        self.advance(31)
        self.assertEqual(len(self.activities()), count + 1)
        self.do("launch_failures", failures=[])
        self.advance(61)
        self.assertEqual(dict(self.lifecycles()), {"on-demand": 1, "spot": 2})

    def test_a_lack_of_one_type_takes_the_next(self):
        self.group(MixedInstancesPolicy=self.mixed())
        self.do("launch_failures", failures=[{"type": "m5.large"}])
        self.desire(1)
        self.assertEqual(self.instances()[0]["InstanceType"], "c5.large")
        self.do("launch_failures", failures=[{"lifecycle": "on-demand", "group": "web"}])
        self.desire(2)
        self.assertIn(
            "We currently do not have sufficient c5.large capacity in the Availability Zone",
            self.activities()[0]["StatusMessage"],
        )

    def test_the_mix_is_split_as_aws_splits_it_and_kept_on_scale_in(self):
        self.group(MixedInstancesPolicy=self.mixed(OnDemandBaseCapacity=2, OnDemandPercentageAboveBaseCapacity=30))
        for desired, on_demand in ((1, 1), (2, 2), (3, 3), (9, 5), (6, 4), (10, 5), (2, 2)):
            with self.subTest(desired=desired):
                self.desire(desired)
                got = self.lifecycles()
                self.assertEqual((got["on-demand"], got["spot"]), (on_demand, desired - on_demand))

    def test_weights_count_towards_the_desired_capacity(self):
        types = [
            {"InstanceType": "m5.large", "WeightedCapacity": "4"},
            {"InstanceType": "c5.large", "WeightedCapacity": "2"},
        ]
        self.group(MixedInstancesPolicy=self.mixed(types))
        self.desire(10)
        self.assertEqual([i["WeightedCapacity"] for i in self.instances()], ["4"] * 3)
        self.desire(8)
        self.assertEqual(len(self.instances()), 2)

    def test_standby_detach_and_attach(self):
        self.group(DesiredCapacity=3)
        one = self.instances()[0]["InstanceId"]
        self.scaling.enter_standby(AutoScalingGroupName="web", InstanceIds=[one], ShouldDecrementDesiredCapacity=True)
        self.assertEqual((self.states(), self.see()["DesiredCapacity"]), (["InService", "InService", "Standby"], 2))
        self.scaling.exit_standby(AutoScalingGroupName="web", InstanceIds=[one])
        self.assertEqual((self.states(), self.see()["DesiredCapacity"]), (["InService"] * 3, 3))
        self.scaling.detach_instances(
            AutoScalingGroupName="web", InstanceIds=[one], ShouldDecrementDesiredCapacity=True
        )
        self.assertEqual((len(self.instances()), self.see()["DesiredCapacity"]), (2, 2))
        self.scaling.attach_instances(AutoScalingGroupName="web", InstanceIds=[one])
        self.assertEqual((len(self.instances()), self.see()["DesiredCapacity"]), (3, 3))

    def test_instances_are_listed_fifty_a_page(self):
        self.group(MaxSize=60, DesiredCapacity=55)
        page = self.scaling.describe_auto_scaling_instances()
        self.assertEqual(len(page["AutoScalingInstances"]), 50)
        self.assertEqual(
            len(self.scaling.describe_auto_scaling_instances(NextToken=page["NextToken"])["AutoScalingInstances"]), 5
        )
        self.assertEqual(page["AutoScalingInstances"][0]["HealthStatus"], "HEALTHY")
        self.refused("ValidationError", self.scaling.describe_auto_scaling_instances, MaxRecords=51)


class HookTest(AwsTest):
    def hook(self, transition, **more):
        self.scaling.put_lifecycle_hook(
            AutoScalingGroupName="web",
            LifecycleHookName="drain",
            LifecycleTransition=f"autoscaling:EC2_INSTANCE_{transition}",
            **more,
        )

    def test_a_terminating_hook_waits_for_its_time(self):
        self.group(DesiredCapacity=2)
        self.hook("TERMINATING", HeartbeatTimeout=120, DefaultResult="CONTINUE")
        self.desire(1)
        self.assertEqual(self.states(), ["InService", "Terminating:Wait"])
        self.assertEqual(self.activities()[0]["StatusCode"], "MidLifecycleAction")
        self.advance(119)
        self.assertEqual(self.states(), ["InService", "Terminating:Wait"])
        self.advance(2)
        self.assertEqual(self.states(), ["InService"])

    def test_a_hook_ends_when_completed_and_lives_on_by_heartbeats(self):
        self.group(DesiredCapacity=2)
        self.hook("TERMINATING", HeartbeatTimeout=120)
        self.desire(1)
        waiting = next(i["InstanceId"] for i in self.see()["Instances"] if i["LifecycleState"] == "Terminating:Wait")
        self.advance(100)
        self.scaling.record_lifecycle_action_heartbeat(
            AutoScalingGroupName="web", LifecycleHookName="drain", InstanceId=waiting
        )
        self.advance(100)
        self.assertIn("Terminating:Wait", self.states())
        self.scaling.complete_lifecycle_action(
            AutoScalingGroupName="web", LifecycleHookName="drain", InstanceId=waiting, LifecycleActionResult="CONTINUE"
        )
        self.assertEqual(self.states(), ["InService"])
        self.refused(
            "ValidationError",
            self.scaling.complete_lifecycle_action,
            AutoScalingGroupName="web",
            LifecycleHookName="drain",
            InstanceId=waiting,
            LifecycleActionResult="CONTINUE",
        )

    def test_an_abandoned_launch_ends_the_instance(self):
        self.group()
        self.hook("LAUNCHING", HeartbeatTimeout=60)
        self.desire(1)
        self.assertEqual(self.states(), ["Pending:Wait"])
        first = self.see()["Instances"][0]["InstanceId"]
        self.scaling.complete_lifecycle_action(
            AutoScalingGroupName="web", LifecycleHookName="drain", InstanceId=first, LifecycleActionResult="ABANDON"
        )
        self.assertEqual(self.states(), ["Pending:Wait"])
        self.assertNotEqual(self.see()["Instances"][0]["InstanceId"], first)

    def test_hooks_are_shown_whole_and_checked(self):
        self.group()
        self.hook("TERMINATING", HeartbeatTimeout=120, DefaultResult="CONTINUE", NotificationMetadata="m")
        hook = self.scaling.describe_lifecycle_hooks(AutoScalingGroupName="web")["LifecycleHooks"][0]
        self.assertEqual(
            hook,
            {
                "LifecycleHookName": "drain",
                "AutoScalingGroupName": "web",
                "LifecycleTransition": "autoscaling:EC2_INSTANCE_TERMINATING",
                "NotificationMetadata": "m",
                "HeartbeatTimeout": 120,
                "GlobalTimeout": 12000,
                "DefaultResult": "CONTINUE",
            },
        )
        self.refused("ValidationError", self.hook, "TERMINATING", HeartbeatTimeout=10)
        self.scaling.delete_lifecycle_hook(AutoScalingGroupName="web", LifecycleHookName="drain")
        self.refused(
            "ValidationError", self.scaling.delete_lifecycle_hook, AutoScalingGroupName="web", LifecycleHookName="drain"
        )


class RefreshTest(AwsTest):
    def refreshes(self):
        return self.scaling.describe_instance_refreshes(AutoScalingGroupName="web")["InstanceRefreshes"]

    def test_a_refresh_takes_its_time_and_replaces_the_instances(self):
        self.group(DesiredCapacity=2)
        old = {i["InstanceId"] for i in self.see()["Instances"]}
        self.scaling.start_instance_refresh(AutoScalingGroupName="web", Preferences={"MinHealthyPercentage": 50})
        self.refused("InstanceRefreshInProgress", self.scaling.start_instance_refresh, AutoScalingGroupName="web")
        self.advance(150)
        self.assertEqual((self.refreshes()[0]["Status"], self.refreshes()[0]["PercentageComplete"]), ("InProgress", 50))
        self.advance(151)
        self.assertEqual(self.refreshes()[0]["Status"], "Successful")
        new = {i["InstanceId"] for i in self.see()["Instances"]}
        self.assertEqual((len(new), new & old), (2, set()))

    def test_a_refresh_can_be_cancelled(self):
        self.group(DesiredCapacity=1)
        self.refused("ActiveInstanceRefreshNotFound", self.scaling.cancel_instance_refresh, AutoScalingGroupName="web")
        self.scaling.start_instance_refresh(AutoScalingGroupName="web")
        self.scaling.cancel_instance_refresh(AutoScalingGroupName="web")
        self.assertEqual(self.refreshes()[0]["Status"], "Cancelled")

    def test_activities_are_listed_by_account_and_time(self):
        noon = self.stop_clock()
        for name in ("g0", "g1", "g2"):
            self.group(name, DesiredCapacity=1)
        self.advance(3600)
        self.desire(2, "g0")
        self.desire(2, "g1")
        since = (noon + datetime.timedelta(minutes=30)).isoformat()

        def listed(*filters, **more):
            asked = [{"Name": name, "Values": [value]} for name, value in filters]
            found = self.scaling.describe_scaling_activities(Filters=asked, **more)["Activities"]
            return sorted(activity["AutoScalingGroupName"] for activity in found)

        self.assertEqual(listed(), ["g0", "g0", "g1", "g1", "g2"])
        self.assertEqual(listed(("StartTimeLowerBound", since)), ["g0", "g1"])
        self.assertEqual(listed(("StartTimeUpperBound", since)), ["g0", "g1", "g2"])
        self.assertEqual(listed(("Status", "Successful"), AutoScalingGroupName="g0"), ["g0", "g0"])
        self.refused("ValidationError", listed, ("Status", "Successful"), match="group name")
        self.refused("ValidationError", listed, ("StartTimeLowerBound", "yesterday"))
