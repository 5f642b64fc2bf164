"""Days, weeks and months by the clock on the wall, as stretches of real time.

Here: which moments a period of a place holds. Not here: what happened in it.

A day begins at its midnight and ends at the next, so a day on which the clocks change has 23 or 25
hours. A week is Monday to Sunday (ISO 8601).
"""

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, date, datetime, time, timedelta, tzinfo
from enum import StrEnum

_DAY = timedelta(days=1)
USUAL_DAY = timedelta(hours=24)


class Span(StrEnum):
    """How long a period is."""

    DAY = "day"
    WEEK = "week"
    MONTH = "month"


@dataclass(frozen=True, slots=True, kw_only=True)
class Period:
    """Some whole days of one place, both ends inclusive."""

    span: Span
    first: date
    last: date
    zone: tzinfo

    @property
    def since(self) -> datetime:
        """The first moment, in UTC."""
        return _midnight(self.first, self.zone)

    @property
    def until(self) -> datetime:
        """The first moment after it, in UTC."""
        return _midnight(self.last + _DAY, self.zone)

    @property
    def name(self) -> str:
        """A name that sorts: 2026-11-02, 2026-W45 or 2026-11."""
        match self.span:
            case Span.DAY:
                return self.first.isoformat()
            case Span.WEEK:
                year, week, _ = self.first.isocalendar()
                return f"{year}-W{week:02d}"
            case Span.MONTH:
                return f"{self.first:%Y-%m}"

    def days(self) -> Iterator["Period"]:
        """Yield each day as a period of its own, in order."""
        day = self.first
        while day <= self.last:
            yield Period(span=Span.DAY, first=day, last=day, zone=self.zone)
            day += _DAY

    def day_of(self, moment: datetime) -> date:
        """Return the day of the place that a moment is in."""
        return moment.astimezone(self.zone).date()


def period_of(span: Span, day: date, zone: tzinfo) -> Period:
    """Return the day, week or month that a date lies in.

    >>> str(period_of(Span.WEEK, date(2026, 11, 4), UTC).first)
    '2026-11-02'
    >>> str(period_of(Span.MONTH, date(2028, 2, 4), UTC).last)
    '2028-02-29'
    """
    match span:
        case Span.DAY:
            first, last = day, day
        case Span.WEEK:
            first = day - day.weekday() * _DAY
            last = first + 6 * _DAY
        case Span.MONTH:
            first = day.replace(day=1)
            last = (first + 31 * _DAY).replace(day=1) - _DAY
    return Period(span=span, first=first, last=last, zone=zone)


def length_of(day: Period) -> timedelta:
    """Return how long a period really is: 23 or 25 hours on a day when the clocks change."""
    return day.until - day.since


def _midnight(day: date, zone: tzinfo) -> datetime:
    return datetime.combine(day, time(), tzinfo=zone).astimezone(UTC)
