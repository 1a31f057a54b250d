"""Scheduled actions: checks, listing, firing."""

import datetime
import sys
import unittest

from .support import ROOT, UTC, AwsTest

sys.path.insert(0, str(ROOT))
from server.autoscaling.cron import Cron  # noqa: E402


def at(text):
    return datetime.datetime.fromisoformat(text).replace(tzinfo=UTC)


class ScheduleTest(AwsTest):
    def put(self, name="s", group="web", **more):
        return self.scaling.put_scheduled_update_group_action(
            AutoScalingGroupName=group, ScheduledActionName=name, **more
        )

    def actions(self, **filters):
        return {
            a["ScheduledActionName"]: a
            for a in self.scaling.describe_scheduled_actions(AutoScalingGroupName="web", **filters)[
                "ScheduledUpdateGroupActions"
            ]
        }

    def test_a_recurring_action_shows_its_next_run_in_its_time_zone(self):
        self.stop_clock("2026-03-27T12:00:00Z")  # a Friday; clocks change on Sunday
        self.group()
        self.put(Recurrence="0 8 * * MON-FRI", TimeZone="Europe/Berlin", MinSize=2, MaxSize=5, DesiredCapacity=3)
        action = self.actions()["s"]
        self.assertEqual(action["StartTime"], at("2026-03-30T06:00"))
        self.assertEqual(
            (action["Recurrence"], action["TimeZone"], action["MinSize"], action["MaxSize"], action["DesiredCapacity"]),
            ("0 8 * * MON-FRI", "Europe/Berlin", 2, 5, 3),
        )
        self.assertRegex(
            action["ScheduledActionARN"],
            r"^arn:aws:autoscaling:us-east-1:\d{12}:scheduledUpdateGroupAction:[0-9a-f-]{36}:autoScalingGroupName/web:scheduledActionName/s$",
        )

    def test_what_aws_refuses_is_refused(self):
        now = self.stop_clock()
        self.group()
        hour = datetime.timedelta(hours=1)
        for code, more in (
            ("ValidationError", {"Recurrence": "0 8 * *", "MinSize": 1}),
            ("ValidationError", {"Recurrence": "61 8 * * *", "MinSize": 1}),
            ("ValidationError", {"Recurrence": "0 8 * * FUN", "MinSize": 1}),
            ("ValidationError", {"Recurrence": "0 8 * * *", "TimeZone": "Mars/Base", "MinSize": 1}),
            ("ValidationError", {"StartTime": now - hour, "MinSize": 1}),
            ("ValidationError", {"StartTime": now + 2 * hour, "EndTime": now + hour, "MinSize": 1}),
            ("ValidationError", {"StartTime": now + hour, "MinSize": 5, "MaxSize": 2}),
            ("ValidationError", {"StartTime": now + hour}),
            ("ValidationError", {"MinSize": 1}),
        ):
            with self.subTest(more=more):
                self.refused(code, self.put, **more)
        self.put("a", StartTime=now + hour, MinSize=1)
        self.refused("AlreadyExists", self.put, "b", StartTime=now + hour, MaxSize=9)

    def test_a_group_has_at_most_125(self):
        now = self.stop_clock()
        self.group()
        for part in range(3):
            batch = [
                {"ScheduledActionName": f"a{n}", "StartTime": now + datetime.timedelta(hours=n + 1), "MinSize": 1}
                for n in range(part * 50, min(125, part * 50 + 50))
            ]
            self.assertEqual(
                self.scaling.batch_put_scheduled_update_group_action(
                    AutoScalingGroupName="web", ScheduledUpdateGroupActions=batch
                )["FailedScheduledUpdateGroupActions"],
                [],
            )
        self.refused("LimitExceeded", self.put, StartTime=now + datetime.timedelta(hours=999), MinSize=1)
        self.assertEqual(len(self.actions(MaxRecords=100)), 100)
        failed = self.scaling.batch_delete_scheduled_action(
            AutoScalingGroupName="web", ScheduledActionNames=["a0", "none"]
        )["FailedScheduledActions"]
        self.assertEqual([f["ScheduledActionName"] for f in failed], ["none"])

    def test_a_batch_reports_each_failure_and_does_the_rest(self):
        self.group()
        failed = self.scaling.batch_put_scheduled_update_group_action(
            AutoScalingGroupName="web",
            ScheduledUpdateGroupActions=[
                {"ScheduledActionName": "good", "Recurrence": "0 8 * * *", "MinSize": 1},
                {"ScheduledActionName": "bad", "Recurrence": "nonsense", "MinSize": 1},
            ],
        )["FailedScheduledUpdateGroupActions"]
        self.assertEqual([f["ScheduledActionName"] for f in failed], ["bad"])
        self.assertEqual(set(self.actions()), {"good"})
        self.refused(
            "ValidationError",
            self.scaling.batch_put_scheduled_update_group_action,
            AutoScalingGroupName="web",
            ScheduledUpdateGroupActions=[
                {"ScheduledActionName": f"x{n}", "Recurrence": "0 8 * * *", "MinSize": 1} for n in range(51)
            ],
        )

    def test_actions_fire_in_the_order_of_time(self):
        now = self.stop_clock()  # Monday noon, UTC
        self.group(DesiredCapacity=1, MinSize=1, MaxSize=4)
        self.put("evening", Recurrence="0 18 * * *", MinSize=0, MaxSize=2)
        self.put("morning", Recurrence="0 8 * * *", MinSize=3, MaxSize=10)
        self.put("once", StartTime=now + datetime.timedelta(hours=21), DesiredCapacity=7)
        fired = self.do("run_schedules", **{"from": "2026-03-02T12:00:00Z", "to": "2026-03-03T10:00:00Z"})
        self.assertEqual(
            [(f["action"], f["min"], f["max"], f["desired"]) for f in fired],
            [("evening", 0, 2, 1), ("morning", 3, 10, 3), ("once", 3, 10, 7)],
        )
        self.assertEqual(len(self.see()["Instances"]), 7)
        self.assertEqual(set(self.actions()), {"evening", "morning"})

    def test_a_recurrence_with_a_start_time_runs_at_it_and_until_its_end(self):
        now = self.stop_clock()
        self.group()
        self.put(
            Recurrence="0 18 * * *",
            MinSize=1,
            StartTime=now + datetime.timedelta(hours=30),
            EndTime=now + datetime.timedelta(days=3),
        )
        self.assertEqual(self.actions()["s"]["StartTime"], at("2026-03-03T18:00"))
        self.put(
            Recurrence="0 18 * * *",
            MinSize=1,
            StartTime=now + datetime.timedelta(hours=25),
            EndTime=now + datetime.timedelta(days=3),
        )
        self.assertEqual(self.actions()["s"]["StartTime"], at("2026-03-03T13:00"))
        fired = self.do("run_schedules", **{"from": "2026-03-02T12:00:00Z", "to": "2026-03-30T12:00:00Z"})
        self.assertEqual([f["at"][:16] for f in fired], ["2026-03-03 13:00", "2026-03-03 18:00", "2026-03-04 18:00"])

    def test_suspended_scheduled_actions_do_not_fire(self):
        self.stop_clock()
        self.group()
        self.put(Recurrence="0 18 * * *", MinSize=3)
        self.scaling.suspend_processes(AutoScalingGroupName="web", ScalingProcesses=["ScheduledActions"])
        fired = self.do("run_schedules", **{"from": "2026-03-02T12:00:00Z", "to": "2026-03-03T12:00:00Z"})
        self.assertEqual([f["fired"] for f in fired], [False])
        self.assertEqual(self.see()["MinSize"], 0)


class CronTest(unittest.TestCase):
    def test_times(self):
        for text, zone, start, wanted in (
            ("0 8 * * MON-FRI", None, "2026-03-06T09:00", "2026-03-09T08:00"),
            ("*/15 * * * *", None, "2026-03-06T09:01", "2026-03-06T09:15"),
            ("0 0 1 JAN *", None, "2026-03-06T09:00", "2027-01-01T00:00"),
            ("0 0 13 * FRI", None, "2026-03-07T00:00", "2026-03-13T00:00"),
            ("0 0 29 2 *", None, "2026-03-01T00:00", "2028-02-29T00:00"),
            ("30 2 * * *", "Europe/Berlin", "2026-03-28T12:00", "2026-03-30T00:30"),
            ("30 2 * * *", "Europe/Berlin", "2026-10-24T12:00", "2026-10-25T00:30"),
            ("0 9 * * 7", None, "2026-03-06T00:00", "2026-03-08T09:00"),
        ):
            with self.subTest(text=text, start=start):
                self.assertEqual(Cron(text, zone).next_after(at(start)), at(wanted))

    def test_what_is_none(self):
        for text in (
            "",
            "* * * *",
            "60 * * * *",
            "* 24 * * *",
            "* * 0 * *",
            "* * * 13 *",
            "* * * * 8",
            "5-1 * * * *",
            "*/0 * * * *",
            "@daily",
            "a * * * *",
        ):
            with self.subTest(text=text), self.assertRaises(ValueError):
                Cron(text)
