"""CloudWatch metrics and alarms, answered by us: moto merges series, has no percentiles and no metric math."""

from . import alarms, metrics

__all__ = ["alarms", "metrics"]
