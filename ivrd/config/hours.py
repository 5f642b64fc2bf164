"""Sections for opening hours, as a person writes them.

Here: models, and the checks of one table of hours alone. Not here: what they mean (core/hours.py,
reached by schedules.py), which dates are red (red_days.py), what uses hours that stand in the
reference of a line or queue (references.py).
"""

import datetime
import difflib
import itertools
import re
from collections.abc import Collection, Iterator, Mapping
from typing import Annotated, Self

from pydantic import AfterValidator, Field, StringConstraints, field_validator, model_validator

from ivrd.config.base import Name, Section
from ivrd.core.days import SpecialDay
from ivrd.core.hours import Interval, Intervals, MonthDay

WEEKDAYS = ("mon", "tue", "wed", "thu", "fri", "sat", "sun")

CLOSED = "closed"
AS_USUAL = "as_usual"

LEAP_YEAR = 2028
"""Has every date that a year can have."""

_INTERVAL = re.compile(r"([0-9]{1,2})\.([0-9]{2}) ?- ?([0-9]{1,2})\.([0-9]{2})")


def intervals_in(text: str) -> Intervals:
    """Return the intervals of a text, in order; none when it says closed.

    >>> intervals_in("13.00-16.30, 8.00-12.00")[0]
    Interval(opens_minute=480, closes_minute=720)
    >>> intervals_in("closed")
    ()

    Raises:
        ValueError: It cannot be read, or makes no sense.
    """
    if text == CLOSED:
        return ()
    found = sorted(_interval_in(part.strip()) for part in text.split(","))
    for one, following in itertools.pairwise(found):
        if following.opens_minute < one.closes_minute:
            raise ValueError(f"{shown(one)} and {shown(following)} overlap")
    return tuple(found)


def _interval_in(text: str) -> Interval:
    match = _INTERVAL.fullmatch(text)
    if match is None:
        raise ValueError(f"{text!r} is no time to be open; write 8.00-16.30, or closed")
    opens, closes = (
        _minute_in(hour, minute) for hour, minute in (match.group(1, 2), match.group(3, 4))
    )
    if closes < opens:
        raise ValueError(
            f"{text} ends before it starts; over midnight it is two: until 24.00, and from 0.00 on "
            "the next day"
        )
    if closes == opens:
        raise ValueError(f"{text} ends when it starts")
    return Interval(opens_minute=opens, closes_minute=closes)


def _minute_in(hour: str, minute: str) -> int:
    total = int(hour) * 60 + int(minute)
    if int(minute) > 59 or total > 1440:
        raise ValueError(f"{hour}.{minute} is no time of day")
    return total


def shown(interval: Interval) -> str:
    """Return an interval as it is written.

    >>> shown(Interval(opens_minute=480, closes_minute=990))
    '8.00-16.30'
    """
    opens, closes = interval.opens_minute, interval.closes_minute
    return f"{opens // 60}.{opens % 60:02}-{closes // 60}.{closes % 60:02}"


def weekdays_in(text: str) -> tuple[int, ...]:
    """Return the days of a key such as `wed` or `mon-thu`; 0 is Monday.

    >>> weekdays_in("mon-thu")
    (0, 1, 2, 3)

    Raises:
        ValueError: It is no such key.
    """
    ends = text.split("-")
    if len(ends) > 2:
        raise ValueError(f"{text!r} is no day of the week; write wed, or mon-thu")
    for end in ends:
        if end not in WEEKDAYS:
            raise ValueError(f"{end!r} is no day of the week{_suggest(end, WEEKDAYS)}")
    first, last = WEEKDAYS.index(ends[0]), WEEKDAYS.index(ends[-1])
    if last < first:
        raise ValueError(f"{text} ends before it starts; write it as two")
    return tuple(range(first, last + 1))


def month_day_in(text: str) -> MonthDay:
    """Return month and day of a text such as 06-01.

    Raises:
        ValueError: No year has that date.
    """
    try:
        day = datetime.date.fromisoformat(f"{LEAP_YEAR}-{text}")
    except ValueError:
        raise ValueError(f"there is no {text!r} in a year; write month and day as 06-01") from None
    return day.month, day.day


def _readable_hours(text: str) -> str:
    intervals_in(text)
    return text


def _readable_hours_or_as_usual(text: str) -> str:
    return text if text == AS_USUAL else _readable_hours(text)


def _readable_time(text: str) -> str:
    if len(intervals_in(text)) != 1:
        raise ValueError(f"{text!r} is no time of a meeting; write 9.00-10.00")
    return text


def _readable_weekdays(text: str) -> str:
    weekdays_in(text)
    return text


def _readable_month_day(text: str) -> str:
    month_day_in(text)
    return text


def _is_one_line(text: str) -> str:
    if not text.isprintable():
        raise ValueError("must be one line of printable text")
    return text


HoursText = Annotated[str, AfterValidator(_readable_hours)]
"""`closed`, or intervals such as `8.00-12.00, 13.00-16.30`."""

HoursOrAsUsual = Annotated[str, AfterValidator(_readable_hours_or_as_usual)]

MonthDayText = Annotated[
    str, StringConstraints(pattern=r"^[0-9]{2}-[0-9]{2}$"), AfterValidator(_readable_month_day)
]

ReasonText = Annotated[str, StringConstraints(max_length=80), AfterValidator(_is_one_line)]


def _known_weekdays(week: dict[str, str]) -> dict[str, str]:
    faults = list(_week_faults(week))
    if faults:
        raise ValueError("; ".join(faults))
    return week


def _week_faults(week: Mapping[str, str]) -> Iterator[str]:
    seen: dict[int, str] = {}
    for key in week:
        try:
            days = weekdays_in(key)
        except ValueError as error:
            yield str(error)
            continue
        for day in days:
            if day in seen:
                yield f"{WEEKDAYS[day]} is in {seen[day]} and in {key}"
            seen.setdefault(day, key)


WeekTable = Annotated[dict[str, HoursText], Field(min_length=1), AfterValidator(_known_weekdays)]
"""Hours by day, or first and last day; a day that is not named is closed."""


def week_in(table: Mapping[str, str]) -> dict[int, Intervals]:
    """Return the intervals of each day that a week names; 0 is Monday."""
    return {day: intervals_in(text) for key, text in table.items() for day in weekdays_in(key)}


class SeasonConfig(Section):
    """A week of its own for a part of every year."""

    name: ReasonText = Field(min_length=1, description="As people say it: sommar.")
    first: MonthDayText = Field(description="Month and day, such as 06-01.")
    last: MonthDayText = Field(description="Inclusive; may lie after New Year.")
    week: WeekTable = Field(description="Hours by day, in place of the usual week.")

    @property
    def dates(self) -> frozenset[MonthDay]:
        """Every month and day of the season."""
        first, last = month_day_in(self.first), month_day_in(self.last)
        year = [datetime.date(LEAP_YEAR, 1, 1) + datetime.timedelta(days=n) for n in range(366)]
        dates = [(day.month, day.day) for day in year]
        if first <= last:
            return frozenset(date for date in dates if first <= date <= last)
        return frozenset(date for date in dates if date >= first or date <= last)


class ExceptionConfig(Section):
    """What holds on certain dates, whatever else is said."""

    date: datetime.date | None = Field(default=None, description="One date, or first and last.")
    first: datetime.date | None = Field(default=None)
    last: datetime.date | None = Field(default=None, description="Inclusive.")
    open: HoursText = Field(description="closed, or intervals.")
    reason: ReasonText = Field(min_length=1, description="For people; stands in the dialplan too.")

    @model_validator(mode="after")
    def _check(self) -> Self:
        ends = (self.first, self.last)
        if (self.date is None) == (ends == (None, None)) or (None in ends) != (ends == (None,) * 2):
            raise ValueError("must hold either date, or first and last")
        if self.end < self.begin:
            raise ValueError(f"last {self.end} is before first {self.begin}")
        return self

    @property
    def begin(self) -> datetime.date:
        """The first date."""
        found = self.date or self.first
        assert found is not None, "it was checked"
        return found

    @property
    def end(self) -> datetime.date:
        """The last date."""
        found = self.date or self.last
        assert found is not None, "it was checked"
        return found


class MeetingConfig(Section):
    """When the group meets and its catch-all takes the calls."""

    day: Annotated[str, AfterValidator(_readable_weekdays)] = Field(
        description="wed, or mon-thu; on those that are open."
    )
    time: Annotated[str, AfterValidator(_readable_time)] = Field(description="Such as 9.00-10.00.")
    reason: ReasonText = Field(default="", description="For people.")


class HoursConfig(Section):
    """Opening hours that lines and queues may keep."""

    name: Name
    week: WeekTable = Field(
        description="Hours by day: mon-thu = 8.00-16.30; a day not named is closed."
    )
    public_holidays: HoursOrAsUsual = Field(
        default=CLOSED, description="On red days, in place of the week: closed, hours, as_usual."
    )
    special_days: dict[str, HoursText] = Field(
        default_factory=dict, description="Eves and half days by name; may only shorten the day."
    )
    bridge_days: HoursOrAsUsual = Field(
        default=AS_USUAL, description="as_usual, closed, or hours; may only shorten the day."
    )
    seasons: tuple[SeasonConfig, ...] = ()
    exceptions: tuple[ExceptionConfig, ...] = ()
    meetings: tuple[MeetingConfig, ...] = ()

    @field_validator("special_days")
    @classmethod
    def _check_special_days(cls, table: dict[str, str]) -> dict[str, str]:
        known = [day.value for day in SpecialDay]
        unknown = [name for name in table if name not in known]
        if unknown:
            faults = (f"{name!r} is no special day{_suggest(name, known)}" for name in unknown)
            raise ValueError("; ".join(faults))
        return table

    @model_validator(mode="after")
    def _check(self) -> Self:
        faults = [*self._season_faults(), *self._exception_faults(), *self._meeting_faults()]
        if faults:
            raise ValueError("; ".join(faults))
        return self

    def _season_faults(self) -> Iterator[str]:
        for (one, season), (two, other) in itertools.combinations(enumerate(self.seasons), 2):
            common = sorted(season.dates & other.dates)
            if common:
                yield (
                    f"seasons[{one}] {season.name} and seasons[{two}] {other.name} overlap on "
                    f"{common[0][0]:02}-{common[0][1]:02}"
                )

    def _exception_faults(self) -> Iterator[str]:
        pairs = itertools.combinations(enumerate(self.exceptions), 2)
        for (one, exception), (two, other) in pairs:
            if exception.begin <= other.end and other.begin <= exception.end:
                first = max(exception.begin, other.begin)
                yield f"exceptions[{one}] and exceptions[{two}] overlap on {first}"

    def _meeting_faults(self) -> Iterator[str]:
        weeks = [week_in(self.week), *(week_in(season.week) for season in self.seasons)]
        for number, meeting in enumerate(self.meetings):
            (time,) = intervals_in(meeting.time)
            for day in weekdays_in(meeting.day):
                if not any(_covers(week.get(day, ()), time) for week in weeks):
                    yield (
                        f"meetings[{number}] is on {WEEKDAYS[day]} {meeting.time}, which is "
                        "outside the open hours"
                    )


def _covers(intervals: Intervals, time: Interval) -> bool:
    """Tell whether a time lies in one interval wholly."""
    return any(
        each.opens_minute <= time.opens_minute and time.closes_minute <= each.closes_minute
        for each in intervals
    )


def _suggest(name: str, known: Collection[str]) -> str:
    close = difflib.get_close_matches(name, known, n=1, cutoff=0.5)
    return f"; did you mean {close[0]}?" if close else f"; known: {', '.join(known)}"
