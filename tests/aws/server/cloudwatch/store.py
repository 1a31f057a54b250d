"""The data of CloudWatch: series by exact namespace, name and dimensions, one store an account and region."""

import bisect
import collections
import re

from ..registry import ApiError, invalid

#: What one sample says: how often, their sum, least and most; `values` are single values with their counts.
Sample = collections.namedtuple("Sample", "count total least most unit values")


class Series:
    def __init__(self, namespace, name, dimensions):
        self.namespace, self.name, self.dimensions = namespace, name, dimensions
        self.samples, self._times = {}, None

    def add(self, at, sample):
        if at not in self.samples:
            self.samples[at] = []
            self._times = None
        self.samples[at].append(sample)

    def between(self, start, end, unit=None):
        """The samples of [start, end), in seconds since the epoch."""
        if self._times is None:
            self._times = sorted(self.samples)
        first, last = bisect.bisect_left(self._times, start), bisect.bisect_left(self._times, end)
        return [
            (at, sample)
            for at in self._times[first:last]
            for sample in self.samples[at]
            if unit is None or sample.unit == unit
        ]

    def newest(self):
        return max(self.samples, default=0)


class Store:
    def __init__(self):
        self.series = {}

    def series_of(self, namespace, name, dimensions):
        """Exact match: a series with more or fewer dimensions is another series (API reference of GetMetricData)."""
        return self.series.get(key_of(namespace, name, dimensions))

    def add(self, namespace, name, dimensions, at, sample, resolution=60):
        key = key_of(namespace, name, dimensions)
        if key not in self.series:
            self.series[key] = Series(namespace, name, key[2])
        self.series[key].add(int(at) // resolution * resolution, sample)


def key_of(namespace, name, dimensions):
    return namespace, name, tuple(sorted((d["Name"], d["Value"]) for d in dimensions or []))


STORES = collections.defaultdict(Store)


def single(value, unit=None, count=1.0):
    return Sample(count, value * count, value, value, unit, [(value, count)])


def statistic(name, samples):
    """A statistic over samples, or None where it has no value.

    Sources: CloudWatch User Guide, "CloudWatch statistics definitions". Percentiles interpolate linearly between the
    closest ranks; AWS documents no method, and its own answers are approximations.
    """
    if not samples:
        return None
    count = sum(s.count for s in samples)
    if name == "SampleCount":
        return count
    if name == "Sum":
        return sum(s.total for s in samples)
    if name == "Average":
        return sum(s.total for s in samples) / count if count else None
    if name == "Minimum":
        return min(s.least for s in samples)
    if name == "Maximum":
        return max(s.most for s in samples)
    values = sorted(value for s in samples if s.values is not None for value in s.values)
    if not values:  # statistic sets have no percentiles
        return None
    if match := re.fullmatch(r"p(\d{1,2}(?:\.\d{1,10})?|100)", name):
        return percentile(values, float(match.group(1)))
    if match := re.fullmatch(r"tm(\d{1,2}(?:\.\d{1,10})?|100)", name):
        return _mean(values, -float("inf"), percentile(values, float(match.group(1))))
    if name == "IQM":
        return _mean(values, percentile(values, 25), percentile(values, 75))
    if re.fullmatch(r"(tc|ts|wm|p|tm|pr)[\d.]+|(PR|TM|TC|TS|WM)\(.*\)", name):
        raise ApiError("EmulatorNotImplemented", f"statistic {name} is not answered by the test server")
    raise invalid(f"The value {name} for parameter Stat is not a valid statistic.")


def percentile(values, percent):
    """Of sorted (value, count) pairs."""
    total = sum(count for _, count in values)
    rank = (total - 1) * percent / 100
    low, below = None, 0.0
    for value, count in values:
        if low is not None:  # the rank lies between the last value of the run before and this one
            return low + (value - low) * (rank - (below - 1))
        below += count
        if rank <= below - 1:
            return value
        if rank < below:
            low = value
    return values[-1][0]


def _mean(values, least, most):
    kept = [(v, c) for v, c in values if least <= v <= most]
    total = sum(c for _, c in kept)
    return sum(v * c for v, c in kept) / total if total else None
