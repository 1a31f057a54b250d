"""EC2: moto's, with prices of spot that a test sets.

Source: Amazon EC2 API reference of DescribeSpotPriceHistory (filters, times, paging; newest first).
"""

import fnmatch

from dateutil import parser as dateparser

from .registry import UTC, invalid, operation, page

#: account -> [{"region", "type", "az", "price", "at", "product"}]
SPOT_PRICES = {}
LINUX = "Linux/UNIX"
_FIELDS = {
    "availability-zone": "AvailabilityZone",
    "instance-type": "InstanceType",
    "product-description": "ProductDescription",
    "spot-price": "SpotPrice",
    "timestamp": "Timestamp",
}


def set_spot_prices(account, region, prices):
    """Adds to the history. Each is {"type", "az", "price"} and perhaps "at" and "product"."""
    rows = SPOT_PRICES.setdefault(account, [])
    for price in prices:
        at = dateparser.isoparse(price["at"]) if price.get("at") else None
        rows.append(
            {
                "region": price.get("region", region),
                "AvailabilityZone": price["az"],
                "InstanceType": price["type"],
                "ProductDescription": price.get("product", LINUX),
                "SpotPrice": f"{float(price['price']):.6f}",
                "Timestamp": at,
            }
        )
    return len(rows)


@operation("ec2", "DescribeSpotPriceHistory")
def describe_spot_price_history(context, p):
    rows = [
        dict(row, Timestamp=row["Timestamp"] or context.now)
        for row in SPOT_PRICES.get(context.account, [])
        if row["region"] == context.region
    ]
    wanted = {"InstanceType": p.get("InstanceTypes"), "ProductDescription": p.get("ProductDescriptions")}
    if p.get("AvailabilityZone"):
        wanted["AvailabilityZone"] = [p["AvailabilityZone"]]
    for one in p.get("Filters") or []:
        if one["Name"] not in _FIELDS:
            raise invalid(f"The filter '{one['Name']}' is invalid")
        rows = [
            r
            for r in rows
            if any(fnmatch.fnmatchcase(str(r[_FIELDS[one["Name"]]]), v) for v in one.get("Values") or [])
        ]
    for name, values in wanted.items():
        if values:
            rows = [r for r in rows if r[name] in values or f"{r[name]} (Amazon VPC)" in values]
    rows.sort(key=lambda r: r["Timestamp"], reverse=True)
    rows = _in_force(rows, _utc(p.get("StartTime")), _utc(p.get("EndTime")))
    rows, token = page(rows, p, 1000, 1000, size_name="MaxResults")
    return {"SpotPriceHistory": rows, "NextToken": token or ""}


def _utc(time):
    return time if time is None or time.tzinfo else time.replace(tzinfo=UTC)


def _in_force(rows, start, end):
    """Of the time range, and of each pool the last price before it: the one in force when it begins."""
    if end:
        rows = [r for r in rows if r["Timestamp"] <= end]
    if not start:
        return rows
    out, seen = [], set()
    for row in rows:
        pool = row["AvailabilityZone"], row["InstanceType"], row["ProductDescription"]
        if row["Timestamp"] > start:
            out.append(row)
        elif pool not in seen:
            seen.add(pool)
            out.append(row)
    return out
