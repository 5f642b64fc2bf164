"""Rotating shift lead: who has the rights of a supervisor at a moment, and who will have them.

Here: whose turn a date is, and its hours. Pure. Not here: what a supervisor may do (rights.py).

Rules
    1. Turns follow each other by weeks, Monday to Sunday, from the first person's first week on;
       before it nobody leads.
    2. An exception names who leads on one date, or other hours, or both; its hours may be none.
    3. The lead begins and ends when the clock on the wall shows it. So on the days when clocks are
       changed it is an hour shorter or longer if it lasts over the change, and never in doubt.
    4. A date is the wall's date: nobody leads over midnight unless the next day's hours say so.
"""

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from datetime import date, datetime, timedelta
from zoneinfo import ZoneInfo

from ivrd.core.hours import Intervals

DAYS_PER_WEEK = 7


@dataclass(frozen=True, slots=True, kw_only=True)
class DayOff:
    """What holds on one date in place of the usual."""

    person: str | None = None
    """None: whose turn it is."""
    hours: Intervals | None = None
    """None: as the week says."""
    reason: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Shift:
    """One rota."""

    name: str
    people: tuple[str, ...]
    first_week: date
    """A Monday."""
    weeks_each: int = 1
    week: Mapping[int, Intervals]
    """By day; 0 is Monday. A day left out has no lead."""
    lines: frozenset[str] = frozenset()
    """Empty: every line."""
    exceptions: Mapping[date, DayOff] = field(default_factory=dict)

    def turn_of(self, day: date) -> str | None:
        """Return whose week a date is in; None before the first. See rules 1 and 2."""
        weeks = (day - self.first_week).days // DAYS_PER_WEEK
        usual = self.people[weeks // self.weeks_each % len(self.people)] if weeks >= 0 else None
        special = self.exceptions.get(day)
        return usual if special is None or special.person is None else special.person

    def hours_of(self, day: date) -> Intervals:
        """Return the hours of a date; none when nobody leads."""
        special = self.exceptions.get(day)
        if special is not None and special.hours is not None:
            return special.hours
        return self.week.get(day.weekday(), ())

    def lead_at(self, now: datetime, zone: ZoneInfo) -> str | None:
        """Return who leads at a moment; None when nobody does. See rule 3."""
        wall = now.astimezone(zone)
        minute = wall.hour * 60 + wall.minute
        if any(
            each.opens_minute <= minute < each.closes_minute for each in self.hours_of(wall.date())
        ):
            return self.turn_of(wall.date())
        return None


@dataclass(frozen=True, slots=True, kw_only=True)
class LeadDay:
    """One date of one rota, as it is shown."""

    day: date
    shift: str
    person: str | None
    hours: Intervals
    reason: str


def leads_at(shifts: Iterable[Shift], now: datetime, zone: ZoneInfo) -> dict[str, str]:
    """Return who leads each rota now, by its name; those without a lead are left out."""
    found = ((shift.name, shift.lead_at(now, zone)) for shift in shifts)
    return {name: person for name, person in found if person is not None}


def week_of(shifts: Iterable[Shift], monday: date) -> Iterator[LeadDay]:
    """Yield the days of a week, rota by rota."""
    for shift in shifts:
        for step in range(DAYS_PER_WEEK):
            day = monday + timedelta(days=step)
            special = shift.exceptions.get(day)
            yield LeadDay(
                day=day,
                shift=shift.name,
                person=shift.turn_of(day),
                hours=shift.hours_of(day),
                reason="" if special is None else special.reason,
            )
