"""EC2 instances: moto keeps them; listing them and finding one is ours.

moto walks through copies of all reservations to find one instance, and writes out a listing at some milliseconds an
instance: with thousands of instances a test would wait for minutes. Its listing also counts reservations where AWS
counts instances, and crashes on filters that it does not know.

Source: Amazon EC2 API reference of DescribeInstances (filters, paging, errors).
"""

import fnmatch
import re

from moto.ec2 import ec2_backends
from moto.ec2.exceptions import InvalidInstanceIdError
from moto.ec2.models import instances as of_moto
from moto.ec2.models.instance_types import INSTANCE_TYPES

from .registry import UTC, ApiError, operation, page

# ---- faster ways through moto ---------------------------------------------------------------------


def _index(backend):
    """id -> instance; every reservation is looked at once."""
    known, seen = backend.__dict__.setdefault("strict_index", ({}, set()))
    if len(seen) != len(backend.reservations):
        for number, reservation in backend.reservations.items():
            if number not in seen:
                seen.add(number)
                known.update({instance.id: instance for instance in reservation.instances})
    return known


def _get_instance(backend, instance_id):
    found = _index(backend).get(instance_id) or next(
        (i for r in backend.reservations.values() for i in r.instances if i.id == instance_id), None
    )
    if found is None:
        raise InvalidInstanceIdError(instance_id)
    return found


def _get_instance_by_id(backend, instance_id):
    try:
        return _get_instance(backend, instance_id)
    except InvalidInstanceIdError:
        return None


of_moto.InstanceBackend.get_instance = _get_instance
of_moto.InstanceBackend.get_instance_by_id = _get_instance_by_id


def run_instance(context, image, kind, az, subnet, template, tags):
    """One instance by moto's RunInstances. The type is looked up here, not by moto's walk through all offerings."""
    if kind not in INSTANCE_TYPES:
        raise ApiError("InvalidParameterValue", f"Invalid value '{kind}' for InstanceType.")
    offerings, offered = of_moto.INSTANCE_TYPE_OFFERINGS, [{"InstanceType": kind, "Location": context.region}]
    of_moto.INSTANCE_TYPE_OFFERINGS = {place: {"us-east-1": offered} for place in ("availability-zone", "region")}
    try:
        reservation = ec2_backends[context.account][context.region].run_instances(
            image,
            1,
            None,
            [],
            instance_type=kind,
            tags={"instance": tags},
            placement=az,
            launch_template=template and {"LaunchTemplateId": template.id},
            is_instance_type_default=False,
            subnet_id=subnet,
        )
    finally:
        of_moto.INSTANCE_TYPE_OFFERINGS = offerings
    return reservation.instances[0]


# ---- DescribeInstances ------------------------------------------------------------------------------

FILTERS = {
    "instance-id": lambda i: [i.id],
    "instance-state-name": lambda i: [i._state.name],
    "instance-state-code": lambda i: [str(i._state.code)],
    "instance-type": lambda i: [i.instance_type],
    "instance-lifecycle": lambda i: [i.lifecycle] if i.lifecycle else [],
    "availability-zone": lambda i: [_zone(i)],
    "image-id": lambda i: [i.image_id],
    "subnet-id": lambda i: [i.subnet_id] if i.subnet_id else [],
    "vpc-id": lambda i: [i.vpc_id] if i.vpc_id else [],
    "private-ip-address": lambda i: [i.private_ip],
    "tag-key": lambda i: list(_tags(i)),
    "tag-value": lambda i: list(_tags(i).values()),
}


def _tags(instance):
    return instance.ec2_backend.tags.get(instance.id) or {}


def _zone(instance):
    return getattr(instance.placement, "zone", None) or instance.placement.availability_zone


def _fits(instance, name, values):
    if name.startswith("tag:"):
        found = [value for key, value in _tags(instance).items() if key == name[4:]]
    elif name in FILTERS:
        found = FILTERS[name](instance)
    else:
        raise ApiError("InvalidParameterValue", f"The filter '{name}' is invalid")
    return any(fnmatch.fnmatchcase(str(one), value) for one in found for value in values)


@operation("ec2", "DescribeInstances")
def describe_instances(context, p):
    if p.get("DryRun"):
        raise ApiError("DryRunOperation", "Request would have succeeded, but DryRun flag is set.", 412)
    if p.get("InstanceIds") and p.get("MaxResults"):
        raise ApiError(
            "InvalidParameterCombination",
            "The parameter instancesSet cannot be used with the parameter maxResults",
        )
    known = _index(ec2_backends[context.account][context.region])
    wanted = p.get("InstanceIds") or []
    for name in wanted:
        if not re.fullmatch(r"i-([0-9a-f]{8}|[0-9a-f]{17})", name):
            raise ApiError("InvalidInstanceID.Malformed", f'Invalid id: "{name}"')
    missing = [name for name in wanted if name not in known]
    if missing:
        raise ApiError("InvalidInstanceID.NotFound", f"The instance ID '{', '.join(missing)}' does not exist")
    rows = [known[name] for name in dict.fromkeys(wanted)] if wanted else list(known.values())
    for one in p.get("Filters") or []:
        rows = [i for i in rows if _fits(i, one["Name"], one.get("Values") or [])]
    token = None
    if not wanted:
        rows, token = page(rows, p, 1000, 1000, size_name="MaxResults")
    reservations = {}
    for instance in rows:
        number = instance.reservation.id if getattr(instance, "reservation", None) else f"r-{instance.id[2:]}"
        one = {"ReservationId": number, "OwnerId": context.account, "Groups": [], "Instances": []}
        reservations.setdefault(number, one)["Instances"].append(_shown(instance))
    return {"Reservations": list(reservations.values()), "NextToken": token}


def _shown(instance):
    launched = instance.launch_time
    return {
        "InstanceId": instance.id,
        "ImageId": instance.image_id,
        "State": {"Code": instance._state.code, "Name": instance._state.name},
        "InstanceType": instance.instance_type,
        "LaunchTime": launched if launched.tzinfo else launched.replace(tzinfo=UTC),
        "Placement": {"AvailabilityZone": _zone(instance), "Tenancy": "default", "GroupName": ""},
        "Monitoring": {"State": instance.monitoring_state},
        "InstanceLifecycle": instance.lifecycle or None,
        "SubnetId": instance.subnet_id,
        "VpcId": instance.vpc_id,
        "PrivateIpAddress": instance.private_ip,
        "Architecture": instance.architecture or "x86_64",
        "RootDeviceType": "ebs",
        "Hypervisor": "xen",
        "VirtualizationType": "hvm",
        "AmiLaunchIndex": 0,
        "Tags": [{"Key": key, "Value": value} for key, value in _tags(instance).items()],
    }
