"""Groups: what is stored, what is refused, how it is listed."""

from .support import AwsTest, client


class GroupTest(AwsTest):
    def test_every_setting_of_creation_is_shown(self):
        settings = {
            "MinSize": 1,
            "MaxSize": 5,
            "DesiredCapacity": 2,
            "DefaultCooldown": 0,
            "DefaultInstanceWarmup": 120,
            "HealthCheckType": "ELB",
            "HealthCheckGracePeriod": 30,
            "TerminationPolicies": ["OldestInstance", "Default"],
            "NewInstancesProtectedFromScaleIn": True,
            "CapacityRebalance": True,
            "MaxInstanceLifetime": 604800,
            "InstanceMaintenancePolicy": {"MinHealthyPercentage": 90, "MaxHealthyPercentage": 120},
            "AvailabilityZoneDistribution": {"CapacityDistributionStrategy": "balanced-only"},
            "DesiredCapacityType": "units",
        }
        self.group(**settings)
        seen = self.see()
        self.assertEqual({k: seen[k] for k in settings}, settings)
        self.assertTrue(all(i["ProtectedFromScaleIn"] for i in seen["Instances"]))

    def test_an_update_changes_only_what_it_names(self):
        self.group(
            MixedInstancesPolicy=self.mixed(OnDemandBaseCapacity=1, SpotAllocationStrategy="capacity-optimized"),
            DefaultInstanceWarmup=60,
        )
        before = self.see()
        self.scaling.update_auto_scaling_group(AutoScalingGroupName="web", MaxSize=12)
        after = self.see()
        self.assertEqual(after["MaxSize"], 12)
        self.assertEqual(
            {k: v for k, v in before.items() if k != "MaxSize"}, {k: v for k, v in after.items() if k != "MaxSize"}
        )
        self.scaling.update_auto_scaling_group(
            AutoScalingGroupName="web",
            DefaultCooldown=17,
            DefaultInstanceWarmup=-1,
            CapacityRebalance=True,
            TerminationPolicies=["NewestInstance"],
        )
        after = self.see()
        self.assertEqual(
            (
                after["DefaultCooldown"],
                after["DefaultInstanceWarmup"],
                after["CapacityRebalance"],
                after["TerminationPolicies"],
            ),
            (17, -1, True, ["NewestInstance"]),
        )

    def test_an_instances_distribution_is_updated_by_member(self):
        self.group(
            MixedInstancesPolicy=self.mixed(
                OnDemandBaseCapacity=1,
                OnDemandPercentageAboveBaseCapacity=20,
                SpotAllocationStrategy="capacity-optimized",
            )
        )
        self.scaling.update_auto_scaling_group(
            AutoScalingGroupName="web",
            MixedInstancesPolicy={"InstancesDistribution": {"OnDemandPercentageAboveBaseCapacity": 100}},
        )
        policy = self.see()["MixedInstancesPolicy"]
        self.assertEqual(
            policy["InstancesDistribution"],
            {
                "OnDemandAllocationStrategy": "prioritized",
                "OnDemandBaseCapacity": 1,
                "OnDemandPercentageAboveBaseCapacity": 100,
                "SpotAllocationStrategy": "capacity-optimized",
            },
        )
        self.assertEqual([o["InstanceType"] for o in policy["LaunchTemplate"]["Overrides"]], ["m5.large", "c5.large"])

    def test_new_limits_move_the_desired_capacity(self):
        self.group(DesiredCapacity=4)
        self.scaling.update_auto_scaling_group(AutoScalingGroupName="web", MaxSize=2)
        self.assertEqual((self.see()["DesiredCapacity"], len(self.see()["Instances"])), (2, 2))
        self.scaling.update_auto_scaling_group(AutoScalingGroupName="web", MinSize=3, MaxSize=9)
        self.assertEqual(self.see()["DesiredCapacity"], 3)

    def test_what_aws_refuses_is_refused(self):
        self.group()
        for more, text in (
            ({"MinSize": 4, "MaxSize": 2}, "must be greater than or equal to min bound"),
            ({"DesiredCapacity": 50}, "Desired capacity:50 must be between the specified min size:0 and max size:10"),
            ({"LaunchTemplate": {"LaunchTemplateName": "none"}}, "does not exist"),
            ({"VPCZoneIdentifier": "subnet-0"}, "subnet"),
            ({"AvailabilityZones": ["eu-west-1a"]}, "not a valid Availability Zone"),
            ({"TerminationPolicies": ["Nonsense"]}, "termination policy"),
            ({"MixedInstancesPolicy": self.mixed(SpotAllocationStrategy="cheapest")}, "SpotAllocationStrategy"),
            ({"MixedInstancesPolicy": self.mixed(OnDemandPercentageAboveBaseCapacity=150)}, "between 0 and 100"),
            ({"MixedInstancesPolicy": self.mixed(types=["m5.large", "m99.huge"])}, "m99.huge"),
            (
                {
                    "MixedInstancesPolicy": self.mixed(
                        types=[{"InstanceType": "m5.large", "WeightedCapacity": "2"}, "c5.large"]
                    )
                },
                "weight",
            ),
            ({"InstanceMaintenancePolicy": {"MinHealthyPercentage": 10, "MaxHealthyPercentage": 150}}, "at most 100"),
            ({"MaxInstanceLifetime": 60}, "between 86400"),
        ):
            with self.subTest(more=str(more)[:80]):
                self.refused("ValidationError", self.group, "other", match=text, **more)
        self.refused("AlreadyExists", self.group)
        self.refused("ValidationError", self.scaling.update_auto_scaling_group, AutoScalingGroupName="none", MinSize=1)

    def test_a_group_with_instances_goes_only_by_force(self):
        self.group(DesiredCapacity=2)
        self.refused("ResourceInUse", self.scaling.delete_auto_scaling_group, AutoScalingGroupName="web")
        self.track()
        self.scaling.delete_auto_scaling_group(AutoScalingGroupName="web", ForceDelete=True)
        self.assertEqual(self.scaling.describe_auto_scaling_groups()["AutoScalingGroups"], [])
        self.assertEqual(self.cw.describe_alarms()["MetricAlarms"], [])
        states = {i["State"]["Name"] for r in self.ec2.describe_instances()["Reservations"] for i in r["Instances"]}
        self.assertEqual(states, {"terminated"})

    def test_deletion_protection_holds(self):
        self.group(DeletionProtection="prevent-all-deletion")
        self.refused("ValidationError", self.scaling.delete_auto_scaling_group, AutoScalingGroupName="web")

    def test_groups_are_found_by_name_and_tag(self):
        for name, team in (("a", "shop"), ("b", "shop"), ("c", "mail")):
            self.group(name, Tags=[{"Key": "team", "Value": team, "PropagateAtLaunch": True}])

        def names(**filters):
            return [
                g["AutoScalingGroupName"]
                for g in self.scaling.describe_auto_scaling_groups(**filters)["AutoScalingGroups"]
            ]

        self.assertEqual(names(AutoScalingGroupNames=["c", "none"]), ["c"])
        self.assertEqual(names(Filters=[{"Name": "tag:team", "Values": ["shop"]}]), ["a", "b"])
        self.assertEqual(
            names(Filters=[{"Name": "tag-key", "Values": ["team"]}, {"Name": "tag-value", "Values": ["mail"]}]), ["c"]
        )
        self.refused("ValidationError", names, Filters=[{"Name": "color", "Values": ["x"]}])

    def test_tags_are_made_changed_listed_and_removed(self):
        self.group(Tags=[{"Key": "team", "Value": "shop", "PropagateAtLaunch": True}])
        tag = {
            "ResourceId": "web",
            "ResourceType": "auto-scaling-group",
            "Key": "owner",
            "Value": "x",
            "PropagateAtLaunch": False,
        }
        self.scaling.create_or_update_tags(Tags=[tag, dict(tag, Key="team", Value="mail")])
        got = {t["Key"]: t["Value"] for t in self.see()["Tags"]}
        self.assertEqual(got, {"team": "mail", "owner": "x"})
        found = self.scaling.describe_tags(Filters=[{"Name": "key", "Values": ["owner"]}])["Tags"]
        self.assertEqual(found, [tag])
        self.scaling.delete_tags(Tags=[tag])
        self.assertEqual(len(self.see()["Tags"]), 1)
        self.refused("ValidationError", self.scaling.create_or_update_tags, Tags=[dict(tag, ResourceId="none")])

    def test_from_template_to_mixed_policy_and_back(self):
        self.group()
        self.scaling.update_auto_scaling_group(AutoScalingGroupName="web", MixedInstancesPolicy=self.mixed())
        self.assertNotIn("LaunchTemplate", self.see())
        self.scaling.update_auto_scaling_group(
            AutoScalingGroupName="web", LaunchTemplate={"LaunchTemplateName": "web", "Version": "$Default"}
        )
        self.assertNotIn("MixedInstancesPolicy", self.see())
        self.assertEqual(self.see()["LaunchTemplate"]["Version"], "$Default")

    def test_members_are_in_the_target_groups_while_in_service(self):
        subnet = self.ec2.describe_subnets()["Subnets"][0]
        elb = client("elbv2", self.account)
        arn = elb.create_target_group(Name="t", Protocol="HTTP", Port=80, VpcId=subnet["VpcId"])["TargetGroups"][0][
            "TargetGroupArn"
        ]
        self.group(VPCZoneIdentifier=subnet["SubnetId"], TargetGroupARNs=[arn], DesiredCapacity=3)

        def targets():
            return {
                t["Target"]["Id"] for t in elb.describe_target_health(TargetGroupArn=arn)["TargetHealthDescriptions"]
            }

        self.assertEqual(targets(), {i["InstanceId"] for i in self.see()["Instances"]})
        self.desire(1)
        self.assertEqual(targets(), {i["InstanceId"] for i in self.see()["Instances"]})
        self.refused(
            "ValidationError",
            self.scaling.attach_load_balancer_target_groups,
            AutoScalingGroupName="web",
            TargetGroupARNs=[arn + "x"],
        )

    def test_unknown_groups_are_refused_everywhere(self):
        for call, more in (
            ("set_desired_capacity", {"DesiredCapacity": 1}),
            ("suspend_processes", {}),
            (
                "put_lifecycle_hook",
                {"LifecycleHookName": "h", "LifecycleTransition": "autoscaling:EC2_INSTANCE_TERMINATING"},
            ),
            (
                "put_scheduled_update_group_action",
                {"ScheduledActionName": "s", "MinSize": 1, "Recurrence": "* * * * *"},
            ),
            ("describe_policies", {}),
            ("start_instance_refresh", {}),
            ("describe_scaling_activities", {}),
        ):
            with self.subTest(call=call):
                self.refused(
                    "ValidationError",
                    getattr(self.scaling, call),
                    AutoScalingGroupName="none",
                    match="not found",
                    **more,
                )
