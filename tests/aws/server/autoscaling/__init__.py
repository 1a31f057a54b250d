"""EC2 Auto Scaling, answered by us: moto's own loses settings, checks nothing and lets no time pass.

The instances are moto's EC2 instances and the target groups moto's, so that those services tell the same story.
"""

from . import dynamic, groups, hooks, instances, launch_configurations, policies, processes, refresh, schedules, tags

__all__ = [
    "dynamic",
    "groups",
    "hooks",
    "instances",
    "launch_configurations",
    "policies",
    "processes",
    "refresh",
    "schedules",
    "tags",
]
