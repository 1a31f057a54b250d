"""Tags of groups. Sources: API reference of CreateOrUpdateTags, DeleteTags, DescribeTags and its Filter."""

from ..registry import ApiError, invalid, operation, page
from .groups import plain_tag
from .model import WORLDS, found


def _group(context, tag):
    if tag.get("ResourceType", "auto-scaling-group") != "auto-scaling-group":
        raise invalid(f"Invalid resource type: {tag['ResourceType']}")
    if not tag.get("ResourceId"):
        raise invalid("ResourceId is required")
    return found(context, tag["ResourceId"])


@operation("autoscaling", "CreateOrUpdateTags")
def create_or_update(context, p):
    groups = [_group(context, tag) for tag in p["Tags"]]
    for group, tag in zip(groups, p["Tags"]):
        if tag["Key"].startswith("aws:"):
            raise invalid("aws: prefixed tag key names are not allowed for external use.")
        if len(group.tags) >= 50 and tag["Key"] not in group.tags:
            raise ApiError("LimitExceeded", "An Auto Scaling group can have at most 50 tags.")
        group.tags[tag["Key"]] = plain_tag(tag)


@operation("autoscaling", "DeleteTags")
def delete(context, p):
    for tag in p["Tags"]:
        _group(context, tag).tags.pop(tag["Key"], None)


FILTERS = {
    "auto-scaling-group": lambda tag: tag["ResourceId"],
    "key": lambda tag: tag["Key"],
    "value": lambda tag: tag["Value"],
    "propagate-at-launch": lambda tag: "true" if tag["PropagateAtLaunch"] else "false",
}


@operation("autoscaling", "DescribeTags")
def describe(context, p):
    rows = [g.shown_tag(tag) for g in WORLDS[context.place].groups.values() for tag in g.tags.values()]
    for one in p.get("Filters") or []:
        if one["Name"] not in FILTERS:
            raise invalid(f"Filter type {one['Name']} is not correct. Allowed Filter types are: {', '.join(FILTERS)}")
        rows = [tag for tag in rows if FILTERS[one["Name"]](tag) in (one.get("Values") or [])]
    rows, token = page(rows, p, 50, 100)
    return {"Tags": rows, "NextToken": token}
