"""Any schedule, any moment: hours agree with a clock on the wall that is read minute by minute."""

import itertools
from datetime import UTC, date, datetime, timedelta
from zoneinfo import ZoneInfo

from hypothesis import given, settings
from hypothesis import strategies as st

from ivrd.core.days import DayMark, SpecialDay, bridge_days, is_off
from ivrd.core.hours import (
    DatedHours,
    Interval,
    Intervals,
    Meeting,
    OpeningState,
    Schedule,
    Season,
    day_hours,
    meet,
    opening_at,
    pieces_of,
    stretches_of,
    usual_hours,
)

ZONES = st.sampled_from(
    [ZoneInfo("Europe/Stockholm"), ZoneInfo("America/St_Johns"), ZoneInfo("UTC")]
)

EDGES = [0, 60, 119, 120, 150, 180, 181, 480, 720, 990, 1439, 1440]
"""Minutes around midnight, around the change of clocks, and of an ordinary day."""


def _intervals(chosen: int) -> Intervals:
    """Return intervals from edge to edge: those whose bits are set, but for an odd last one."""
    edges = [edge for number, edge in enumerate(EDGES) if chosen >> number & 1]
    edges = edges[: len(edges) // 2 * 2]
    return tuple(
        Interval(opens_minute=first, closes_minute=end)
        for first, end in zip(edges[::2], edges[1::2], strict=True)
    )


def intervals() -> st.SearchStrategy[Intervals]:
    """Draw once: a schedule has up to thirty of these, and a set of draws for each is slow."""
    return st.integers(0, (1 << len(EDGES)) - 1).map(_intervals)


weeks = st.tuples(*[intervals()] * 7)

SPANS = [((6, 1), (8, 31)), ((12, 20), (1, 3)), ((3, 25), (3, 30)), ((10, 30), (11, 2))]

meetings = st.builds(
    Meeting,
    weekdays=st.sets(st.integers(0, 6)).map(lambda days: tuple(sorted(days))),
    interval=intervals().filter(len).map(lambda found: found[0]),
    reason=st.just("APT"),
)

# Around New Year, both changes of clocks in 2027, and the beginning of summer.
dates = st.sampled_from(
    [
        day + timedelta(days=step)
        for day in (
            date(2027, 3, 28),
            date(2027, 10, 31),
            date(2027, 1, 1),
            date(2027, 6, 1),
            date(2027, 3, 14),
        )
        for step in (0, 1, 2, 3, -1, -2, -3)
    ]
)

exceptions = st.builds(
    lambda day, length, hours: DatedHours(
        first=day, last=day + timedelta(days=length), intervals=hours, reason="Byte"
    ),
    dates,
    st.integers(0, 2),
    intervals(),
)

marks = st.builds(
    DayMark,
    public_holiday=st.none() | st.just("Helgdag"),
    special_days=st.sets(st.sampled_from(list(SpecialDay)[:3])).map(
        lambda found: tuple(sorted(found))
    ),
    is_bridge_day=st.booleans(),
)
calendars = st.dictionaries(dates, marks, max_size=6)

schedules = st.builds(
    Schedule,
    name=st.just("kc"),
    week=weeks,
    public_holidays=st.none() | intervals(),
    special_days=st.dictionaries(st.sampled_from(list(SpecialDay)[:3]), intervals()),
    bridge_days=st.none() | intervals(),
    seasons=st.lists(
        st.builds(
            lambda span, week: Season(name="s", first=span[0], last=span[1], week=week),
            st.sampled_from(SPANS),
            weeks,
        ),
        max_size=2,
    ).map(tuple),
    exceptions=st.lists(exceptions, max_size=2).map(tuple),
    meetings=st.lists(meetings, max_size=2).map(tuple),
)


def state_by_the_wall(
    schedule: Schedule, calendar: dict[date, DayMark], moment: datetime, zone: ZoneInfo
) -> OpeningState:
    """Read the clock on the wall, and look the time up."""
    wall = moment.astimezone(zone)
    hours = day_hours(schedule, calendar, wall.date())
    minute = wall.hour * 60 + wall.minute
    if not any(each.opens_minute <= minute < each.closes_minute for each in hours.intervals):
        return OpeningState.CLOSED
    meets = [each.interval for each in hours.meetings]
    if any(each.opens_minute <= minute < each.closes_minute for each in meets):
        return OpeningState.MEETING
    return OpeningState.OPEN


@given(schedule=schedules, calendar=calendars, day=dates, zone=ZONES)
def test_a_date_passes_as_the_wall_says_minute_by_minute(
    schedule: Schedule, calendar: dict[date, DayMark], day: date, zone: ZoneInfo
) -> None:
    stretches = stretches_of(schedule, calendar, day, zone=zone)
    assert stretches[0].begins_at.astimezone(zone).date() == day
    assert (stretches[0].begins_at - timedelta(seconds=1)).astimezone(zone).date() < day
    assert stretches[-1].ends_at.astimezone(zone).date() == day + timedelta(days=1)
    for one, following in itertools.pairwise(stretches):
        assert one.ends_at == following.begins_at
        assert (one.state, one.reason) != (following.state, following.reason)
    for stretch in stretches:
        minutes = int((stretch.ends_at - stretch.begins_at) / timedelta(minutes=1))
        assert minutes >= 1
        for number in range(minutes):
            moment = stretch.begins_at + timedelta(minutes=number)
            assert state_by_the_wall(schedule, calendar, moment, zone) is stretch.state


@settings(deadline=None)
@given(
    schedule=schedules,
    calendar=calendars,
    day=dates,
    second=st.integers(0, 86399),
    zone=ZONES,
)
def test_until_and_closing_are_the_next_minutes_at_which_the_wall_says_otherwise(
    schedule: Schedule, calendar: dict[date, DayMark], day: date, second: int, zone: ZoneInfo
) -> None:
    at = datetime(day.year, day.month, day.day, tzinfo=UTC) + timedelta(seconds=second)
    found = opening_at(schedule, calendar, at=at, zone=zone)
    assert found.state is state_by_the_wall(schedule, calendar, at, zone)
    first = at.replace(second=0) + timedelta(minutes=1)
    horizon = at.astimezone(zone).date() + timedelta(days=2)
    ahead = (first + timedelta(minutes=number) for number in range(3 * 1440))
    seen = [
        (moment, state_by_the_wall(schedule, calendar, moment, zone))
        for moment in ahead
        if moment.astimezone(zone).date() < horizon
    ]
    changes = [moment for moment, state in seen if state is not found.state]
    if changes:
        assert found.until == changes[0]
    else:
        assert found.until is None or found.until > seen[-1][0]
    closings = [moment for moment, state in seen if state is OpeningState.CLOSED]
    if found.state is OpeningState.CLOSED:
        assert found.closes_at is None
    else:
        assert found.closes_at == (closings[0] if closings else None)


@given(schedule=schedules, calendar=calendars, day=dates)
def test_eves_and_bridge_days_only_shorten(
    schedule: Schedule, calendar: dict[date, DayMark], day: date
) -> None:
    hours = day_hours(schedule, calendar, day)
    if hours.reason.rule.value in ("special_day", "bridge_day"):
        mark = calendar[day]
        usual = usual_hours(schedule, day).intervals
        allowed = usual
        if mark.public_holiday is not None and schedule.public_holidays is not None:
            allowed = schedule.public_holidays
        assert meet(hours.intervals, allowed) == hours.intervals


@given(schedule=schedules, calendar=calendars, day=dates)
def test_pieces_make_up_the_whole_date_once(
    schedule: Schedule, calendar: dict[date, DayMark], day: date
) -> None:
    pieces = pieces_of(day_hours(schedule, calendar, day))
    assert [pieces[0].first_minute, pieces[-1].end_minute] == [0, 1440]
    for one, following in itertools.pairwise(pieces):
        assert one.end_minute == following.first_minute


@given(calendar=calendars)
def test_a_bridge_day_is_one_weekday_alone_between_two_days_off(
    calendar: dict[date, DayMark],
) -> None:
    step = timedelta(days=1)
    around = {day + number * step for day in calendar for number in range(-3, 4)}
    expected = [
        day
        for day in sorted(around)
        if not is_off(calendar, day)
        and is_off(calendar, day - step)
        and is_off(calendar, day + step)
    ]
    assert list(bridge_days(calendar)) == expected
