"""PutMetricData, GetMetricData, GetMetricStatistics, ListMetrics.

Sources: CloudWatch API reference of these operations; CloudWatch User Guide, "Metrics retention", "CloudWatch
service quotas".
"""

import datetime
import math
import re

from dateutil import parser as dateparser

from ..registry import UTC, ApiError, invalid, operation, page
from . import expressions
from .store import STORES, Sample, single, statistic

DAY = 86_400
VALUES = (-(2**360), 2**360)


def wrong(message):
    return ApiError("InvalidParameterValue", message)


# ---- putting ------------------------------------------------------------------------------------


@operation("cloudwatch", "PutMetricData")
def put_metric_data(context, p):
    data = p.get("MetricData") or []
    if not data and not p.get("EntityMetricData"):
        raise ApiError("MissingParameter", "The parameter MetricData is required.")
    if len(data) > 1000:
        raise invalid("The collection MetricData must not have a size greater than 1000.")
    if p["Namespace"].startswith("AWS/"):
        raise wrong(f"The value {p['Namespace']} for parameter Namespace is invalid.")
    now = context.now
    made = [_samples_of(f"MetricData.member.{i + 1}", datum, now) for i, datum in enumerate(data)]
    store = STORES[context.place]
    for datum, (at, samples) in zip(data, made):
        for sample in samples:
            store.add(
                p["Namespace"],
                datum["MetricName"],
                datum.get("Dimensions"),
                at,
                sample,
                datum.get("StorageResolution") or 60,
            )


def _samples_of(at, datum, now):
    time = datum.get("Timestamp") or now
    if not now - datetime.timedelta(days=14) <= time <= now + datetime.timedelta(hours=2):
        raise wrong(
            f"The parameter {at}.Timestamp must specify a time within the past two weeks and the next two hours."
        )
    if datum.get("StorageResolution", 60) not in (1, 60):
        raise wrong(f"The parameter {at}.StorageResolution must be 1 or 60.")
    kinds = [k for k in ("Value", "Values", "StatisticValues") if datum.get(k) is not None]
    if len(kinds) != 1:
        raise ApiError(
            "InvalidParameterCombination", f"At least one and only one of Value, Values or StatisticValues in {at}."
        )
    unit = datum.get("Unit")
    if "StatisticValues" in kinds:
        s = datum["StatisticValues"]
        return time.timestamp(), [Sample(s["SampleCount"], s["Sum"], s["Minimum"], s["Maximum"], unit, None)]
    values = datum["Values"] if "Values" in kinds else [datum["Value"]]
    counts = datum.get("Counts") or [1.0] * len(values)
    if len(values) > 150 or len(values) != len(counts):
        raise wrong(f"The parameters {at}.Values and {at}.Counts must have the same size, at most 150.")
    for value in values:
        if not math.isfinite(value) or not VALUES[0] <= value <= VALUES[1]:
            raise wrong(f"The value {value} for parameter {at}.Value is invalid.")
    return time.timestamp(), [single(v, unit, c) for v, c in zip(values, counts)]


def put_directly(context, series):
    """The test's own way in: any namespace, any age. `points` are [time, value] or [time, value, count]."""
    store, count = STORES[context.place], 0
    for one in series:
        dimensions = [{"Name": k, "Value": v} for k, v in (one.get("dimensions") or {}).items()]
        for point in one["points"]:
            at = point[0] if isinstance(point[0], (int, float)) else dateparser.isoparse(point[0]).timestamp()
            store.add(
                one["namespace"],
                one["name"],
                dimensions,
                at,
                single(float(point[1]), one.get("unit"), float(point[2]) if len(point) > 2 else 1.0),
            )
            count += 1
    return count


# ---- GetMetricData ------------------------------------------------------------------------------


@operation("cloudwatch", "GetMetricData")
def get_metric_data(context, p):
    queries, start, end = p["MetricDataQueries"], _utc(p["StartTime"]), _utc(p["EndTime"])
    if len(queries) > 500:
        raise invalid("The collection MetricDataQueries must not have a size greater than 500.")
    if end <= start:
        raise invalid("The parameter StartTime must be less than the parameter EndTime.")
    limit = p.get("MaxDatapoints") or 100_800
    if limit > 100_800:
        raise invalid("The parameter MaxDatapoints must be less than or equal to 100800.")
    skip = _skipped(p.get("NextToken"))
    results = []
    for query, series in run(context, queries, start, end):
        for points in series:
            times = sorted(points, reverse=p.get("ScanBy", "TimestampDescending") == "TimestampDescending")
            label = points.label if len(series) > 1 or "MetricStat" in query else None
            results.append((query["Id"], query.get("Label") or label or query["Id"], times, points))
    return _paged(results, skip, limit)


def _skipped(token):
    if not token:
        return 0
    if not re.fullmatch(r"data-\d+", token):
        raise ApiError("InvalidNextToken", "The NextToken value is not valid.")
    return int(token[5:])


def _paged(results, skip, limit):
    """The data points from number `skip` on, `limit` at most; a series that goes on is PartialData."""
    out, at, end = [], 0, skip + limit
    total = sum(len(times) for _, _, times, _ in results)
    for name, label, times, points in results:
        part = times[max(0, skip - at) : max(0, end - at)]
        is_whole = at + len(times) <= end
        at += len(times)
        out.append(
            {
                "Id": name,
                "Label": label,
                "StatusCode": "Complete" if is_whole else "PartialData",
                "Timestamps": [datetime.datetime.fromtimestamp(t, UTC) for t in part],
                "Values": [points[t] for t in part],
            }
        )
    return {"MetricDataResults": out, "Messages": [], "NextToken": f"data-{end}" if end < total else None}


def run(context, queries, start, end):
    """Each returned query with its series. `start` and `end`: aware times."""
    by_id = check_queries(queries)
    trees = {q["Id"]: expressions.parse(q["Expression"]) for q in queries if "Expression" in q}
    metrics = [q["Id"] for q in queries if "MetricStat" in q]
    first = _rounded_start(start, context.now)
    values, open_ids = {}, set()
    period = default_period(queries)

    def value(name):
        if name not in values:
            if name in open_ids:
                raise invalid(f"Error in expression '{by_id[name]['Expression']}': circular reference to {name}")
            open_ids.add(name)
            if name in trees:
                values[name] = expression_value(name)
            else:
                values[name] = _points(context, by_id[name], first, end.timestamp())
        return values[name]

    def expression_value(name):
        query = by_id[name]
        tree = trees[name]
        for other in expressions.names(tree) - {"REPEAT", "LINEAR"}:
            if other not in by_id:
                raise invalid(f"Error in expression '{query['Expression']}': undefined metric {other}")
            value(other)
        for other in metrics:
            value(other)
        evaluator = expressions.Evaluator(values, metrics, first, end.timestamp(), query.get("Period") or period)
        result = evaluator.evaluate(tree)
        if not isinstance(result, (expressions.Points, list)) and query.get("ReturnData", True):
            raise invalid(f"Error in expression '{query['Expression']}': the result must be a time series")
        return result

    out = []
    for query in queries:
        if query.get("ReturnData", True):
            result = value(query["Id"])
            out.append((query, result if isinstance(result, list) else [result]))
        else:
            value(query["Id"])
    return out


def check_queries(queries):
    by_id = {}
    for query in queries:
        name = query["Id"]
        if not re.fullmatch(r"[a-z][a-zA-Z0-9_]*", name):
            raise invalid(
                f"The value {name} for parameter MetricDataQueries.member.Id is not matching the expected pattern ^[a-z][a-zA-Z0-9_]*$."
            )
        if name in by_id:
            raise invalid(f"The values for parameter id in MetricDataQueries are not unique: {name}")
        if ("MetricStat" in query) == ("Expression" in query):
            raise invalid(f"Exactly one of MetricStat and Expression must be given for {name}.")
        if "MetricStat" in query:
            stat = query["MetricStat"]
            check_period(stat["Period"])
            statistic(stat["Stat"], [single(1.0)])
            if not stat["Metric"].get("Namespace") or not stat["Metric"].get("MetricName"):
                raise invalid(f"MetricStat of {name} must name a namespace and a metric.")
        by_id[name] = query
    if not any(q.get("ReturnData", True) for q in queries):
        raise invalid("At least one of the queries must return data.")
    return by_id


def check_period(period):
    if period not in (1, 5, 10, 20, 30) and (period <= 0 or period % 60):
        raise invalid(f"The parameter Period must be 1, 5, 10, 20, 30 or a multiple of 60, not {period}.")


def default_period(queries):
    periods = [q["MetricStat"]["Period"] for q in queries if "MetricStat" in q]
    return max(periods, default=60)


def _rounded_start(start, now):
    """API reference of GetMetricData: rounded down to the minute, older ones to 5 minutes, then to the hour."""
    age = (now - start).total_seconds()
    step = 60 if age < 15 * DAY else 300 if age < 63 * DAY else 3600
    return int(start.timestamp()) // step * step


def _points(context, query, start, end):
    stat = query["MetricStat"]
    metric, period = stat["Metric"], stat["Period"]
    label = f"{metric['MetricName']}"
    points = expressions.Points({}, period, label)
    series = STORES[context.place].series_of(metric["Namespace"], metric["MetricName"], metric.get("Dimensions"))
    if series is None:
        return points
    points.update(aggregate(series, start, end, period, stat["Stat"], stat.get("Unit"), context.now))
    return points


def aggregate(series, start, end, period, name, unit, now):
    """start of each period -> statistic. Data kept too coarsely for the period is not there (metrics retention)."""
    buckets = {}
    for at, sample in series.between(start, end, unit):
        age = now.timestamp() - at
        if (age > 63 * DAY and period % 3600) or (age > 15 * DAY and period % 300) or age > 455 * DAY:
            continue
        buckets.setdefault(start + int((at - start) // period) * period, []).append(sample)
    values = {at: statistic(name, samples) for at, samples in buckets.items()}
    return {at: float(value) for at, value in values.items() if value is not None}


def _utc(time):
    return time if time.tzinfo else time.replace(tzinfo=UTC)


# ---- GetMetricStatistics, ListMetrics -------------------------------------------------------------


@operation("cloudwatch", "GetMetricStatistics")
def get_metric_statistics(context, p):
    start, end, period = _utc(p["StartTime"]), _utc(p["EndTime"]), p["Period"]
    check_period(period)
    if end <= start:
        raise wrong("The parameter StartTime must be less than the parameter EndTime.")
    if (end - start).total_seconds() / period > 1440:
        raise ApiError(
            "InvalidParameterCombination",
            "You have requested more than the allowed 1,440 datapoints. You may reduce the datapoints requested by increasing Period, or decreasing the time range.",
        )
    plain, extended = p.get("Statistics") or [], p.get("ExtendedStatistics") or []
    if not plain and not extended:
        raise ApiError(
            "MissingParameter", "At least one of the parameters Statistics and ExtendedStatistics must be specified."
        )
    series = STORES[context.place].series_of(p["Namespace"], p["MetricName"], p.get("Dimensions"))
    rows = {}
    first = _rounded_start(start, context.now)
    for name in plain + extended if series else []:
        for at, value in aggregate(series, first, end.timestamp(), period, name, p.get("Unit"), context.now).items():
            row = rows.setdefault(
                at, {"Timestamp": datetime.datetime.fromtimestamp(at, UTC), "Unit": p.get("Unit") or "None"}
            )
            if name in extended:
                row.setdefault("ExtendedStatistics", {})[name] = value
            else:
                row[name] = value
    return {"Label": p["MetricName"], "Datapoints": [rows[at] for at in sorted(rows)]}


@operation("cloudwatch", "ListMetrics")
def list_metrics(context, p):
    newest = context.now.timestamp() - (3 * 3600 if p.get("RecentlyActive") else 14 * DAY)
    rows = []
    for series in STORES[context.place].series.values():
        dimensions = dict(series.dimensions)
        wanted = all(
            f["Name"] in dimensions and f.get("Value", dimensions[f["Name"]]) == dimensions[f["Name"]]
            for f in p.get("Dimensions") or []
        )
        if (
            wanted
            and p.get("Namespace", series.namespace) == series.namespace
            and p.get("MetricName", series.name) == series.name
            and series.newest() >= newest
        ):
            rows.append(
                {
                    "Namespace": series.namespace,
                    "MetricName": series.name,
                    "Dimensions": [{"Name": k, "Value": v} for k, v in series.dimensions],
                }
            )
    rows, token = page(rows, p, 500, 500)
    return {"Metrics": rows, "NextToken": token}
