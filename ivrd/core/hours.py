"""Opening hours as a function of the calendar and a given moment.

Here: whether a line is open, why, and until when. Not here: which dates are red (days.py), and who
may force a line open or closed (that is above all hours, and lives in Asterisk's own database).

Which rule decides a date; the first that speaks of it
    exception        replaces everything, meetings too
    special day      shortens what the date would else have; never opens a closed day
    public holiday   replaces the week's hours, and its meetings
    bridge day       shortens the week's hours
    season           is the week of its time of year
    week

A time is what the clock on the wall shows: a line is open when the wall shows a time from the
opening on, and before the closing. So on the two days when clocks are changed, hours that touch
the skipped or the repeated hour begin and end where the wall says so. Moments are in UTC, because
Python reckons the difference of two moments in one zone by the wall, an hour wrong on those days.
"""

import itertools
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, replace
from datetime import UTC, date, datetime, time, timedelta, tzinfo
from enum import Enum

from ivrd.core.days import DAY, ORDINARY, DayMark, Days, SpecialDay

MINUTES_PER_DAY = 1440
"""By the wall, also on days when clocks are changed."""

SEARCH_DAYS_MAX = 370
"""How far ahead a change is looked for: over the longest season, and the same day next year."""

CLOSING_DAYS = 2
"""A closing is told when it comes today or tomorrow: no caller waits longer. The dialplan looks no
further either, and the two are compared."""


class OpeningState(Enum):
    """What a caller meets."""

    OPEN = "open"
    CLOSED = "closed"
    MEETING = "meeting"
    """Open, but the group is in a meeting: its catch-all takes the calls."""


class Rule(Enum):
    """What decided."""

    EXCEPTION = "exception"
    SPECIAL_DAY = "special_day"
    PUBLIC_HOLIDAY = "public_holiday"
    BRIDGE_DAY = "bridge_day"
    SEASON = "season"
    WEEK = "week"
    MEETING = "meeting"


@dataclass(frozen=True, slots=True, kw_only=True)
class Reason:
    """Why a date's hours are as they are."""

    rule: Rule
    text: str = ""
    """The holiday, eve, season, or the reason that a person wrote; empty for week and bridge."""


@dataclass(frozen=True, slots=True, kw_only=True, order=True)
class Interval:
    """From the opening, inclusive, to the closing, exclusive; minutes after midnight."""

    opens_minute: int
    closes_minute: int
    """At most 1440, which is 24.00."""


Intervals = tuple[Interval, ...]
"""In order, none overlapping another; empty is closed."""

Week = tuple[Intervals, Intervals, Intervals, Intervals, Intervals, Intervals, Intervals]
"""From Monday on."""

MonthDay = tuple[int, int]
"""Month and day of every year."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Season:
    """A week of its own for a part of every year."""

    name: str
    first: MonthDay
    last: MonthDay
    """Inclusive; before `first` when the season spans New Year."""
    week: Week


@dataclass(frozen=True, slots=True, kw_only=True)
class DatedHours:
    """An exception: what holds on these dates, whatever else is said."""

    first: date
    last: date
    """Inclusive."""
    intervals: Intervals
    reason: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Meeting:
    """When a group meets, on these days of the week."""

    weekdays: tuple[int, ...]
    """0 is Monday."""
    interval: Interval
    reason: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Schedule:
    """Everything that decides the hours of one line or queue."""

    name: str
    week: Week
    public_holidays: Intervals | None = ()
    """None: as on any other day."""
    special_days: Mapping[SpecialDay, Intervals]
    """Those left out are like any other day."""
    bridge_days: Intervals | None = None
    """None: as on any other day."""
    seasons: tuple[Season, ...] = ()
    exceptions: tuple[DatedHours, ...] = ()
    meetings: tuple[Meeting, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class DayHours:
    """The hours of one date, by the wall."""

    intervals: Intervals
    meetings: tuple[Meeting, ...]
    """Those of that weekday; they count while it is open."""
    reason: Reason


@dataclass(frozen=True, slots=True, kw_only=True)
class Piece:
    """A part of a date in one state, by the wall; a date's pieces make up all of it."""

    first_minute: int
    end_minute: int
    """Exclusive."""
    state: OpeningState
    reason: Reason


@dataclass(frozen=True, slots=True, kw_only=True)
class Stretch:
    """A piece as it really passed."""

    begins_at: datetime
    ends_at: datetime
    """Exclusive. Both in UTC."""
    state: OpeningState
    reason: Reason


@dataclass(frozen=True, slots=True, kw_only=True)
class Opening:
    """What a caller meets at one moment."""

    state: OpeningState
    reason: Reason
    until: datetime | None
    """When the state changes, in UTC; None when it does not for more than a year."""
    closes_at: datetime | None
    """When it closes, in UTC; a meeting is no closing. None when it is closed already, and when
    it does not close today or tomorrow."""


def opening_at(schedule: Schedule, days: Days, *, at: datetime, zone: tzinfo) -> Opening:
    """Return whether it is open at a moment, why, and until when.

    Args:
        days: What the dates are, from the moment's own to more than a year after it.
        at: The moment, with any offset.
        zone: Whose wall clock the hours are told by.
    """
    today = at.astimezone(zone).date()
    ahead = (
        stretch
        for number in range(SEARCH_DAYS_MAX)
        for stretch in stretches_of(schedule, days, today + number * DAY, zone=zone)
        if stretch.ends_at > at
    )
    now = next(ahead)
    return Opening(
        state=now.state,
        reason=now.reason,
        until=next((later.begins_at for later in ahead if later.state is not now.state), None),
        closes_at=None
        if now.state is OpeningState.CLOSED
        else _closing_after(schedule, days, at=at, zone=zone),
    )


def day_hours(schedule: Schedule, days: Days, day: date) -> DayHours:
    """Return the hours of a date, and the rule that decides them."""
    for exception in schedule.exceptions:
        if exception.first <= day <= exception.last:
            reason = Reason(rule=Rule.EXCEPTION, text=exception.reason)
            return DayHours(intervals=exception.intervals, meetings=(), reason=reason)
    mark = days.get(day, ORDINARY)
    special = tuple(name for name in mark.special_days if name in schedule.special_days)
    hours = _red_hours(schedule, mark) or usual_hours(schedule, day)
    for name in special:
        reason = Reason(rule=Rule.SPECIAL_DAY, text=name.title_sv)
        hours = _shortened(hours, schedule.special_days[name], reason)
    is_usual = hours.reason.rule in (Rule.WEEK, Rule.SEASON)
    if is_usual and mark.is_bridge_day and schedule.bridge_days is not None:
        hours = _shortened(hours, schedule.bridge_days, Reason(rule=Rule.BRIDGE_DAY))
    return hours


def usual_hours(schedule: Schedule, day: date) -> DayHours:
    """Return the hours that a date has by season and weekday alone."""
    return weekday_hours(schedule, season_of(schedule, day), day.weekday())


def weekday_hours(schedule: Schedule, season: Season | None, weekday: int) -> DayHours:
    """Return the usual hours of a day of the week, 0 for Monday, in a season or outside all."""
    week = schedule.week if season is None else season.week
    return DayHours(
        intervals=week[weekday],
        meetings=tuple(each for each in schedule.meetings if weekday in each.weekdays),
        reason=Reason(rule=Rule.WEEK)
        if season is None
        else Reason(rule=Rule.SEASON, text=season.name),
    )


def season_of(schedule: Schedule, day: date) -> Season | None:
    """Return the season that a date is in; None outside all of them."""
    today = (day.month, day.day)
    for season in schedule.seasons:
        if season.first <= season.last:
            is_in = season.first <= today <= season.last
        else:
            is_in = today >= season.first or today <= season.last
        if is_in:
            return season
    return None


def pieces_of(hours: DayHours) -> tuple[Piece, ...]:
    """Return a date's hours cut where the state changes, by the wall; closed pieces included."""
    edges = {0, MINUTES_PER_DAY}
    for interval in (*hours.intervals, *(meeting.interval for meeting in hours.meetings)):
        edges |= {interval.opens_minute, interval.closes_minute}
    cuts = sorted(edges)
    pieces = (
        Piece(first_minute=first, end_minute=end, state=state, reason=reason)
        for first, end in itertools.pairwise(cuts)
        for state, reason in [_state_at(hours, first)]
    )
    return tuple(_joined(pieces))


def stretches_of(schedule: Schedule, days: Days, day: date, *, zone: tzinfo) -> tuple[Stretch, ...]:
    """Return how a date passes, from its first moment to the next date's."""
    pieces = pieces_of(day_hours(schedule, days, day))
    begins, ends = begin_of(day, zone), begin_of(day + DAY, zone)
    midnight = datetime.combine(day, time(), zone)
    edges = [midnight + timedelta(minutes=piece.first_minute) for piece in pieces]
    cuts = {edge.replace(fold=fold).astimezone(UTC) for edge in edges for fold in (0, 1)}
    cuts |= set(_clock_change(begins, ends, zone))
    inner = sorted({begins, ends, *(cut for cut in cuts if begins < cut < ends)})
    stretches: list[Stretch] = []
    for first, end in itertools.pairwise(inner):
        wall = first.astimezone(zone)
        minute = wall.hour * 60 + wall.minute
        piece = next(piece for piece in pieces if piece.end_minute > minute)
        if stretches and (stretches[-1].state, stretches[-1].reason) == (piece.state, piece.reason):
            stretches[-1] = replace(stretches[-1], ends_at=end)
        else:
            stretches.append(
                Stretch(begins_at=first, ends_at=end, state=piece.state, reason=piece.reason)
            )
    return tuple(stretches)


def begin_of(day: date, zone: tzinfo) -> datetime:
    """Return a date's first moment, in UTC."""
    return datetime.combine(day, time(), zone).astimezone(UTC)


def meet(one: Intervals, other: Intervals) -> Intervals:
    """Return the time that is in both.

    >>> morning = Interval(opens_minute=480, closes_minute=720)
    >>> day = Interval(opens_minute=540, closes_minute=990)
    >>> meet((morning,), (day,))
    (Interval(opens_minute=540, closes_minute=720),)
    """
    common = (
        Interval(
            opens_minute=max(a.opens_minute, b.opens_minute),
            closes_minute=min(a.closes_minute, b.closes_minute),
        )
        for a in one
        for b in other
    )
    return tuple(each for each in common if each.opens_minute < each.closes_minute)


def _closing_after(
    schedule: Schedule, days: Days, *, at: datetime, zone: tzinfo
) -> datetime | None:
    """Return the next moment, today or tomorrow, from which it is closed; None without one."""
    today = at.astimezone(zone).date()
    for number in range(CLOSING_DAYS):
        for stretch in stretches_of(schedule, days, today + number * DAY, zone=zone):
            if stretch.begins_at > at and stretch.state is OpeningState.CLOSED:
                return stretch.begins_at
    return None


def _red_hours(schedule: Schedule, mark: DayMark) -> DayHours | None:
    """Return what a public holiday puts in place of the week; None when it changes nothing."""
    if mark.public_holiday is None or schedule.public_holidays is None:
        return None
    reason = Reason(rule=Rule.PUBLIC_HOLIDAY, text=mark.public_holiday)
    return DayHours(intervals=schedule.public_holidays, meetings=(), reason=reason)


def _shortened(hours: DayHours, limit: Intervals, reason: Reason) -> DayHours:
    return replace(hours, intervals=meet(hours.intervals, limit), reason=reason)


def _state_at(hours: DayHours, minute: int) -> tuple[OpeningState, Reason]:
    if not any(_holds(interval, minute) for interval in hours.intervals):
        return OpeningState.CLOSED, hours.reason
    for meeting in hours.meetings:
        if _holds(meeting.interval, minute):
            return OpeningState.MEETING, Reason(rule=Rule.MEETING, text=meeting.reason)
    return OpeningState.OPEN, hours.reason


def _holds(interval: Interval, minute: int) -> bool:
    return interval.opens_minute <= minute < interval.closes_minute


def _joined(pieces: Iterable[Piece]) -> Iterator[Piece]:
    """Yield pieces, with neighbours in the same state made one."""
    last: Piece | None = None
    for piece in pieces:
        if last is not None and (last.state, last.reason) == (piece.state, piece.reason):
            last = replace(last, end_minute=piece.end_minute)
            continue
        if last is not None:
            yield last
        last = piece
    if last is not None:
        yield last


def _clock_change(begins: datetime, ends: datetime, zone: tzinfo) -> Iterator[datetime]:
    """Yield the moment, if any, at which the zone's clocks are changed between two others."""
    before = begins.astimezone(zone).utcoffset()
    if ends.astimezone(zone).utcoffset() == before:
        return
    low, high = 0, int((ends - begins) / timedelta(minutes=1))
    while high - low > 1:
        middle = (low + high) // 2
        at = begins + timedelta(minutes=middle)
        low, high = (middle, high) if at.astimezone(zone).utcoffset() == before else (low, middle)
    yield begins + timedelta(minutes=high)
