"""The half hours of a day, by the clock on the wall: the steps of a day's curve.

Here: which moments each holds. Not here: what happened in them (db/day_curve.py).

A day is compared with another by what the clock says, so a curve has 48 places whatever the day's
length: of the hour that comes twice both are in its two places, and those of the hour that a day
lacks are empty.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

from ivrd.core.periods import Period

PLACES = 48

HALF_HOUR = timedelta(minutes=30)


@dataclass(frozen=True, slots=True, kw_only=True)
class HalfHour:
    """Half an hour of real time."""

    place: int
    """By the clock on the wall: 0 begins at midnight, 47 at 23:30."""
    since: datetime
    until: datetime
    """The first moment after it."""


def half_hours(day: Period) -> Sequence[HalfHour]:
    """Return a day's half hours in order: 48, or two more or less when the clocks change.

    >>> from datetime import date
    >>> from zoneinfo import ZoneInfo
    >>> from ivrd.core.periods import Span, period_of
    >>> autumn = period_of(Span.DAY, date(2026, 10, 25), ZoneInfo("Europe/Stockholm"))
    >>> [each.place for each in half_hours(autumn)][3:9]
    [3, 4, 5, 4, 5, 6]
    """
    found = []
    since = day.since
    while since < day.until:
        until = min(since + HALF_HOUR, day.until)
        wall = since.astimezone(day.zone)
        place = wall.hour * 2 + wall.minute // 30
        found.append(HalfHour(place=place, since=since, until=until))
        since = until
    return found


def begin_text(place: int) -> str:
    """Return when a place begins, as a clock shows it.

    >>> begin_text(17)
    '08:30'
    """
    return f"{place // 2:02d}:{place % 2 * 30:02d}"
