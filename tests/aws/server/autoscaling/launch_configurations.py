"""Launch configurations: kept for groups that still have one. Source: API reference of CreateLaunchConfiguration."""

import uuid

from ..registry import ApiError, invalid, operation, page
from .model import WORLDS


@operation("autoscaling", "CreateLaunchConfiguration")
def create(context, p):
    known, name = WORLDS[context.place].launch_configurations, p["LaunchConfigurationName"]
    if name in known:
        raise ApiError("AlreadyExists", "Launch Configuration by this name already exists")
    arn = f"arn:aws:autoscaling:{context.region}:{context.account}:launchConfiguration:{uuid.uuid4()}:launchConfigurationName/{name}"
    known[name] = dict(p, LaunchConfigurationARN=arn, CreatedTime=context.now)


@operation("autoscaling", "DescribeLaunchConfigurations")
def describe(context, p):
    known = WORLDS[context.place].launch_configurations
    names = p.get("LaunchConfigurationNames")
    rows, token = page([c for n, c in known.items() if not names or n in names], p, 50, 100)
    return {"LaunchConfigurations": rows, "NextToken": token}


@operation("autoscaling", "DeleteLaunchConfiguration")
def delete(context, p):
    world, name = WORLDS[context.place], p["LaunchConfigurationName"]
    if name not in world.launch_configurations:
        raise invalid("Launch configuration name not found - null")
    if any(g.settings.get("LaunchConfigurationName") == name for g in world.groups.values()):
        raise ApiError(
            "ResourceInUse", f"Cannot delete launch configuration {name} because it is attached to an AutoScalingGroup"
        )
    del world.launch_configurations[name]
