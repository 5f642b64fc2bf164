"""A year of opening hours at one look, and what in them contradicts itself.

Here: which dates differ from their weekday, the sums of each month, the days when clocks are
changed, and conflicts: parts of the hours that have no effect, or another one than meant. Not here:
how it is shown (hours_report.py), and faults that are refused when read (config/hours.py).
"""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass, replace
from datetime import date, timedelta, tzinfo
from enum import Enum

from ivrd.core.days import DAY, EQUAL_TO_SUNDAY, ORDINARY, Days
from ivrd.core.hours import (
    MINUTES_PER_DAY,
    DatedHours,
    DayHours,
    Intervals,
    Meeting,
    OpeningState,
    Rule,
    Schedule,
    begin_of,
    day_hours,
    meet,
    pieces_of,
    season_of,
    stretches_of,
    usual_hours,
)


class ConflictKind(Enum):
    """What is odd about a part of the hours."""

    EXCEPTION_CHANGES_NOTHING = "exception_changes_nothing"
    """The dates are as they would be without it."""
    EXCEPTION_OPENS_RED_DAY = "exception_opens_red_day"
    EXCEPTION_DROPS_MEETING = "exception_drops_meeting"
    """The exception is open at the time of a meeting, which it replaces too."""
    SPECIAL_DAY_CHANGES_NOTHING = "special_day_changes_nothing"
    """Closed anyway, such as at a weekend; or its hours are not shorter than the day's."""
    SPECIAL_DAY_CANNOT_LENGTHEN = "special_day_cannot_lengthen"
    """Its hours reach outside the day's, and are cut."""
    SPECIAL_DAY_LEFT_OPEN = "special_day_left_open"
    """An eve that the law puts on a par with Sundays is not named, and open like any day."""
    BRIDGE_DAY_CHANGES_NOTHING = "bridge_day_changes_nothing"
    BRIDGE_DAY_CANNOT_LENGTHEN = "bridge_day_cannot_lengthen"
    RED_DAY_OPENS_CLOSED_DAY = "red_day_opens_closed_day"
    """The hours of red days open a date that its weekday would leave closed."""
    MEETING_ON_CLOSED_DAY = "meeting_on_closed_day"
    MEETING_CUT = "meeting_cut"
    """Only a part of it is within the open hours."""
    SEASON_CHANGES_NOTHING = "season_changes_nothing"
    """Its week is the usual one."""
    EDGE_IN_CHANGED_HOUR = "edge_in_changed_hour"
    """It opens or closes in the hour that is skipped or repeated when clocks are changed."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Conflict:
    """One oddity, with every date of the year that it concerns."""

    kind: ConflictKind
    what: str
    """The eve's title, the season's name, or the reason that a person wrote; may be empty."""
    dates: tuple[date, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Deviation:
    """A date that differs from its season's or its week's weekday."""

    day: date
    hours: DayHours
    usual: DayHours


@dataclass(frozen=True, slots=True, kw_only=True)
class Month:
    """How much of a month is open, meetings included."""

    month: int
    open_days: int
    open_time: timedelta


@dataclass(frozen=True, slots=True, kw_only=True)
class ClockChange:
    """A day that is shorter or longer than 24 hours."""

    day: date
    length: timedelta
    open_time: timedelta


@dataclass(frozen=True, slots=True, kw_only=True)
class Preview:
    """A year of hours."""

    schedule: Schedule
    year: int
    deviations: tuple[Deviation, ...]
    months: tuple[Month, ...]
    clock_changes: tuple[ClockChange, ...]
    conflicts: tuple[Conflict, ...]


def preview(schedule: Schedule, days: Days, *, year: int, zone: tzinfo) -> Preview:
    """Return a year of hours at one look.

    Args:
        days: What the dates of the year are.
        zone: Whose wall clock the hours are told by.
    """
    dates = _dates(year)
    return Preview(
        schedule=schedule,
        year=year,
        deviations=tuple(_deviations(schedule, days, dates)),
        months=tuple(_month(schedule, days, month, dates, zone) for month in range(1, 13)),
        clock_changes=tuple(_clock_changes(schedule, days, dates, zone)),
        conflicts=tuple(conflicts(schedule, days, year=year, zone=zone)),
    )


def conflicts(schedule: Schedule, days: Days, *, year: int, zone: tzinfo) -> Iterator[Conflict]:
    """Yield what contradicts itself in a year."""
    dates = _dates(year)
    for season in schedule.seasons:
        if season.week == schedule.week:
            within = (day for day in dates if season_of(schedule, day) == season)
            yield _conflict(ConflictKind.SEASON_CHANGES_NOTHING, season.name, within)
    for exception in schedule.exceptions:
        yield from _of_exception(schedule, days, exception, year)
    found: dict[tuple[ConflictKind, str], list[date]] = {}
    for day in dates:
        for kind, what in _of_date(schedule, days, day, zone):
            concerned = found.setdefault((kind, what), [])
            if day not in concerned[-1:]:
                concerned.append(day)
    for (kind, what), concerned in found.items():
        yield _conflict(kind, what, concerned)


def is_open(hours: DayHours) -> bool:
    """Tell whether a date is open at all."""
    return bool(hours.intervals)


def _dates(year: int) -> list[date]:
    first = date(year, 1, 1)
    return [first + number * DAY for number in range((date(year + 1, 1, 1) - first).days)]


def _deviations(schedule: Schedule, days: Days, dates: list[date]) -> Iterator[Deviation]:
    for day in dates:
        hours, usual = day_hours(schedule, days, day), usual_hours(schedule, day)
        if _shape(hours) != _shape(usual):
            yield Deviation(day=day, hours=hours, usual=usual)


def _month(schedule: Schedule, days: Days, month: int, dates: list[date], zone: tzinfo) -> Month:
    times = [_open_time(schedule, days, day, zone) for day in dates if day.month == month]
    return Month(
        month=month,
        open_days=sum(1 for time in times if time),
        open_time=sum(times, timedelta()),
    )


def _clock_changes(
    schedule: Schedule, days: Days, dates: list[date], zone: tzinfo
) -> Iterator[ClockChange]:
    for day in dates:
        length = begin_of(day + DAY, zone) - begin_of(day, zone)
        if length != DAY:
            open_time = _open_time(schedule, days, day, zone)
            yield ClockChange(day=day, length=length, open_time=open_time)


def _open_time(schedule: Schedule, days: Days, day: date, zone: tzinfo) -> timedelta:
    """Return how long a date is really open."""
    return sum(
        (
            stretch.ends_at - stretch.begins_at
            for stretch in stretches_of(schedule, days, day, zone=zone)
            if stretch.state is not OpeningState.CLOSED
        ),
        timedelta(),
    )


# Conflicts.


def _conflict(kind: ConflictKind, what: str, dates: Iterable[date]) -> Conflict:
    return Conflict(kind=kind, what=what, dates=tuple(dates))


def _of_exception(
    schedule: Schedule, days: Days, exception: DatedHours, year: int
) -> Iterator[Conflict]:
    without = replace(schedule, exceptions=())
    length = (exception.last - exception.first).days + 1
    dates = [exception.first + number * DAY for number in range(length)]
    before = {day: day_hours(without, days, day) for day in dates if day.year == year}
    same = [day for day, hours in before.items() if same_time(hours.intervals, exception.intervals)]
    if before and len(same) == len(before):
        yield _conflict(ConflictKind.EXCEPTION_CHANGES_NOTHING, exception.reason, before)
    if not exception.intervals:
        return
    red = [day for day, hours in before.items() if _is_red(hours) and not is_open(hours)]
    if red:
        yield _conflict(ConflictKind.EXCEPTION_OPENS_RED_DAY, exception.reason, red)
    dropped = [
        day
        for day, hours in before.items()
        if any(meet(exception.intervals, (each.interval,)) for each in hours.meetings)
    ]
    if dropped:
        yield _conflict(ConflictKind.EXCEPTION_DROPS_MEETING, exception.reason, dropped)


def _of_date(
    schedule: Schedule, days: Days, day: date, zone: tzinfo
) -> Iterator[tuple[ConflictKind, str]]:
    hours = day_hours(schedule, days, day)
    if hours.reason.rule is not Rule.EXCEPTION:
        yield from _of_special_day(schedule, days, day)
        yield from _of_bridge_day(schedule, days, day)
        usual = usual_hours(schedule, day)
        if _is_red(hours) and is_open(hours) and not is_open(usual):
            yield ConflictKind.RED_DAY_OPENS_CLOSED_DAY, ""
        for meeting in usual.meetings:
            yield from _of_meeting(meeting, hours)
    if _has_edge_in_changed_hour(schedule, days, day, zone):
        yield ConflictKind.EDGE_IN_CHANGED_HOUR, ""


def _of_special_day(
    schedule: Schedule, days: Days, day: date
) -> Iterator[tuple[ConflictKind, str]]:
    for name in days.get(day, ORDINARY).special_days:
        plain = replace(schedule, special_days={}, bridge_days=None, exceptions=())
        usual = day_hours(plain, days, day).intervals
        if name in schedule.special_days:
            limit = schedule.special_days[name]
            kind = _useless(
                limit,
                usual,
                ConflictKind.SPECIAL_DAY_CHANGES_NOTHING,
                ConflictKind.SPECIAL_DAY_CANNOT_LENGTHEN,
            )
            if kind is not None:
                yield kind, name.title_sv
        elif name in EQUAL_TO_SUNDAY and usual:
            yield ConflictKind.SPECIAL_DAY_LEFT_OPEN, name.title_sv


def _of_bridge_day(schedule: Schedule, days: Days, day: date) -> Iterator[tuple[ConflictKind, str]]:
    mark = days.get(day, ORDINARY)
    is_special = any(name in schedule.special_days for name in mark.special_days)
    if not mark.is_bridge_day or is_special or schedule.bridge_days is None:
        return
    kind = _useless(
        schedule.bridge_days,
        usual_hours(schedule, day).intervals,
        ConflictKind.BRIDGE_DAY_CHANGES_NOTHING,
        ConflictKind.BRIDGE_DAY_CANNOT_LENGTHEN,
    )
    if kind is not None:
        yield kind, ""


def _useless(
    limit: Intervals, usual: Intervals, no_effect: ConflictKind, cut: ConflictKind
) -> ConflictKind | None:
    """Return what is odd about hours that should shorten a day; None when they do."""
    left = meet(usual, limit)
    if same_time(left, usual):
        return no_effect
    return None if same_time(left, limit) else cut


def _of_meeting(meeting: Meeting, hours: DayHours) -> Iterator[tuple[ConflictKind, str]]:
    held = () if _is_red(hours) else meet(hours.intervals, (meeting.interval,))
    if not held:
        yield ConflictKind.MEETING_ON_CLOSED_DAY, meeting.reason
    elif not same_time(held, (meeting.interval,)):
        yield ConflictKind.MEETING_CUT, meeting.reason


def _has_edge_in_changed_hour(schedule: Schedule, days: Days, day: date, zone: tzinfo) -> bool:
    """Tell whether the date passes otherwise than its hours say by the wall."""
    length = begin_of(day + DAY, zone) - begin_of(day, zone)
    if length == DAY:
        return False
    said = _shape(day_hours(schedule, days, day))
    really: list[tuple[OpeningState, int]] = []
    for stretch in stretches_of(schedule, days, day, zone=zone):
        end = stretch.ends_at.astimezone(zone)
        if really and really[-1][0] is stretch.state:
            really.pop()
        really.append((stretch.state, end.hour * 60 + end.minute or MINUTES_PER_DAY))
    return really != said


def _is_red(hours: DayHours) -> bool:
    return hours.reason.rule is Rule.PUBLIC_HOLIDAY


def _shape(hours: DayHours) -> list[tuple[OpeningState, int]]:
    """Return a date's states with their ends, whatever the reasons."""
    shape: list[tuple[OpeningState, int]] = []
    for piece in pieces_of(hours):
        if shape and shape[-1][0] is piece.state:
            shape.pop()
        shape.append((piece.state, piece.end_minute))
    return shape


def same_time(one: Intervals, other: Intervals) -> bool:
    """Tell whether two hours are the same time, however they are cut."""
    return _minutes(one) == _minutes(other)


def _minutes(intervals: Intervals) -> set[int]:
    return {minute for each in intervals for minute in range(each.opens_minute, each.closes_minute)}
