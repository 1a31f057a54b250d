"""Cron expressions of scheduled actions: five fields, names of months and days, a time zone.

Source: user guide, "Scheduled scaling", section on recurring schedules (the Linux cron format, with a day matched by
either of day of month and day of week where both are restricted).
"""

import datetime
import re
import zoneinfo

from ..registry import UTC

MONTHS = "JAN FEB MAR APR MAY JUN JUL AUG SEP OCT NOV DEC".split()
DAYS = "SUN MON TUE WED THU FRI SAT".split()
FIELDS = [(0, 59, []), (0, 23, []), (1, 31, []), (1, 12, MONTHS), (0, 7, DAYS)]


class Cron:
    """Raises ValueError for what is not one."""

    def __init__(self, text, zone=None):
        parts = text.split()
        if len(parts) != 5:
            raise ValueError("five fields are wanted")
        self.minutes, self.hours, self.days, self.months, weekdays = (
            _field(part, *limits) for part, limits in zip(parts, FIELDS)
        )
        self.weekdays = {day % 7 for day in weekdays}
        self.any_day, self.any_weekday = parts[2].startswith("*"), parts[4].startswith("*")
        self.zone = zoneinfo.ZoneInfo(zone or "UTC")

    def fits(self, day):
        if day.month not in self.months:
            return False
        by_day, by_weekday = day.day in self.days, day.isoweekday() % 7 in self.weekdays
        if self.any_day or self.any_weekday:
            return by_day and by_weekday
        return by_day or by_weekday

    def between(self, start, end):
        """The times in (start, end], in UTC. A local time that a clock change skips never comes; of two, the first."""
        day, last = start.astimezone(self.zone).date(), end.astimezone(self.zone).date()
        while day <= last:
            if self.fits(day):
                for hour in sorted(self.hours):
                    for minute in sorted(self.minutes):
                        local = datetime.datetime.combine(day, datetime.time(hour, minute), self.zone)
                        at = local.astimezone(UTC)
                        if start < at <= end and at.astimezone(self.zone).replace(tzinfo=None) == local.replace(
                            tzinfo=None
                        ):
                            yield at
            day += datetime.timedelta(days=1)

    def next_after(self, start):
        """The next time, or None within five years."""
        window = datetime.timedelta(days=1)
        end = start + datetime.timedelta(days=1830)
        while start < end:
            for at in self.between(start, start + window):
                return at
            start += window
        return None


def _field(text, least, most, names):
    out = set()
    for part in text.upper().split(","):
        match = re.fullmatch(r"(\*|[A-Z0-9]+)(?:-([A-Z0-9]+))?(?:/(\d+))?", part)
        if not match:
            raise ValueError(f"{part} is not a cron field")
        first, second, step = match.groups()
        low = least if first == "*" else _number(first, names, least)
        high = most if first == "*" or (step and not second) else _number(second, names, least) if second else low
        if not least <= low <= high <= most or step == "0":
            raise ValueError(f"{part} is out of range")
        out.update(range(low, high + 1, int(step or 1)))
    return out


def _number(text, names, least):
    if text in names:
        return names.index(text) + (1 if least == 1 else 0)
    if not text.isdigit():
        raise ValueError(f"{text} is not a number")
    return int(text)
