"""Opening hours: the order of the rules, the edges to the second, and the days clocks change."""

from datetime import UTC, date, datetime, timedelta
from zoneinfo import ZoneInfo

import pytest

from ivrd.core.days import DayMark, SpecialDay
from ivrd.core.hours import (
    DatedHours,
    Interval,
    Intervals,
    Meeting,
    Opening,
    OpeningState,
    Rule,
    Schedule,
    Season,
    Week,
    day_hours,
    opening_at,
    pieces_of,
    stretches_of,
)

ZONE = ZoneInfo("Europe/Stockholm")

OPEN, CLOSED, MEETING = OpeningState.OPEN, OpeningState.CLOSED, OpeningState.MEETING

SPRING = date(2027, 3, 28)
"""Clocks go from 2 to 3."""
AUTUMN = date(2027, 10, 31)
"""Clocks go from 3 to 2."""


def hours(text: str) -> Intervals:
    """Read "8.00-12.00, 13.00-16.30"."""
    parts = [part.split("-") for part in text.split(", ")] if text else []
    return tuple(
        Interval(opens_minute=minute(opens), closes_minute=minute(closes))
        for opens, closes in parts
    )


def minute(text: str) -> int:
    hour, rest = text.split(".")
    return int(hour) * 60 + int(rest)


def same(text: str) -> Week:
    """Return a week that is alike from Monday to Friday, and closed at the weekend."""
    day = hours(text)
    return (day, day, day, day, day, (), ())


def every(text: str) -> Week:
    day = hours(text)
    return (day, day, day, day, day, day, day)


def at(text: str) -> datetime:
    """Return a moment by the wall in Sweden."""
    return datetime.fromisoformat(text).replace(tzinfo=ZONE)


def wall(moment: datetime | None) -> str | None:
    return None if moment is None else moment.astimezone(ZONE).strftime("%Y-%m-%d %H:%M:%S")


PLAIN = Schedule(name="kc", week=same("8.00-16.30"), special_days={})

DAYS = {
    date(2027, 3, 25): DayMark(special_days=(SpecialDay.SKARTORSDAGEN,)),
    date(2027, 3, 26): DayMark(public_holiday="Långfredagen"),
    date(2027, 5, 5): DayMark(special_days=(SpecialDay.DAGEN_FORE_KRISTI_HIMMELSFARD,)),
    date(2027, 5, 6): DayMark(public_holiday="Kristi himmelsfärdsdag"),
    date(2027, 5, 7): DayMark(is_bridge_day=True),
    date(2026, 1, 5): DayMark(special_days=(SpecialDay.TRETTONDAGSAFTON,), is_bridge_day=True),
}

FULL = Schedule(
    name="kc",
    week=same("8.00-16.30"),
    public_holidays=(),
    special_days={
        SpecialDay.SKARTORSDAGEN: hours("7.00-12.00"),
        SpecialDay.TRETTONDAGSAFTON: hours("8.00-13.00"),
    },
    bridge_days=hours("10.00-14.00"),
    seasons=(
        Season(name="sommar", first=(6, 1), last=(8, 31), week=same("8.00-16.00")),
        Season(name="jul", first=(12, 20), last=(1, 3), week=same("9.00-15.00")),
    ),
    exceptions=(
        DatedHours(
            first=date(2027, 5, 6),
            last=date(2027, 5, 6),
            intervals=hours("9.00-11.00"),
            reason="Provval",
        ),
        DatedHours(first=date(2027, 9, 1), last=date(2027, 9, 3), intervals=(), reason="Ombyggnad"),
    ),
    meetings=(
        Meeting(
            weekdays=(2,), interval=Interval(opens_minute=540, closes_minute=600), reason="APT"
        ),
    ),
)


def told(schedule: Schedule, day: date) -> str:
    """Return a date's pieces that are not closed, and the rule behind them."""
    found = day_hours(schedule, DAYS, day)
    pieces = " ".join(
        f"{piece.state.value} {piece.first_minute / 60:g}-{piece.end_minute / 60:g}"
        for piece in pieces_of(found)
        if piece.state is not CLOSED
    )
    return f"{found.reason.rule.value} {found.reason.text}: {pieces or 'closed'}"


@pytest.mark.parametrize(
    ("day", "expected"),
    [
        ((2027, 5, 4), "week : open 8-16.5"),
        ((2027, 5, 8), "week : closed"),
        ((2027, 6, 1), "season sommar: open 8-16"),
        ((2027, 5, 31), "week : open 8-16.5"),
        ((2027, 8, 31), "season sommar: open 8-16"),
        # Wednesday has its meeting, in summer too.
        ((2027, 9, 8), "week : open 8-9 meeting 9-10 open 10-16.5"),
        ((2027, 6, 2), "season sommar: open 8-9 meeting 9-10 open 10-16"),
        # A season over New Year.
        ((2027, 12, 20), "season jul: open 9-15"),
        ((2028, 1, 3), "season jul: open 9-15"),
        ((2028, 1, 4), "week : open 8-16.5"),
        # 2027-12-22 is a Wednesday: the meeting is the first thing, and counts while open.
        ((2027, 12, 22), "season jul: meeting 9-10 open 10-15"),
        # An eve shortens, and opens no earlier although its hours would.
        ((2027, 3, 25), "special_day Skärtorsdagen: open 8-12"),
        # An eve without hours of its own is a day like others.
        ((2027, 5, 5), "week : open 8-9 meeting 9-10 open 10-16.5"),
        ((2027, 3, 26), "public_holiday Långfredagen: closed"),
        ((2027, 5, 7), "bridge_day : open 10-14"),
        # Eve and bridge day at once: the eve's hours.
        ((2026, 1, 5), "special_day Trettondagsafton: open 8-13"),
        # An exception opens a red day, and closes a Wednesday with its meeting.
        ((2027, 5, 6), "exception Provval: open 9-11"),
        ((2027, 9, 1), "exception Ombyggnad: closed"),
        ((2027, 9, 4), "week : closed"),
    ],
)
def test_the_first_rule_that_speaks_of_a_date_decides(
    day: tuple[int, int, int], expected: str
) -> None:
    assert told(FULL, date(*day)) == expected


def test_a_red_day_may_have_hours_of_its_own_and_no_meeting() -> None:
    schedule = Schedule(
        name="jour",
        week=same("8.00-16.30"),
        public_holidays=hours("9.00-12.00"),
        special_days={},
        meetings=(Meeting(weekdays=(0, 1, 2, 3, 4), interval=hours("9.00-10.00")[0], reason=""),),
    )
    assert told(schedule, date(2027, 3, 26)) == "public_holiday Långfredagen: open 9-12"


def test_an_eve_never_opens_a_closed_day() -> None:
    eve = DayMark(special_days=(SpecialDay.PINGSTAFTON,), public_holiday="Nationaldagen")
    schedule = Schedule(
        name="kc",
        week=every("8.00-16.30"),
        special_days={SpecialDay.PINGSTAFTON: hours("8.00-12.00")},
    )
    found = day_hours(schedule, {date(2026, 6, 6): eve}, date(2026, 6, 6))
    assert found.intervals == ()
    assert found.reason.rule is Rule.SPECIAL_DAY


def test_two_eves_at_once_leave_what_both_leave() -> None:
    names = (SpecialDay.VALBORGSMASSOAFTON, SpecialDay.DAGEN_FORE_KRISTI_HIMMELSFARD)
    schedule = Schedule(
        name="kc",
        week=same("8.00-16.30"),
        special_days={names[0]: hours("8.00-13.00"), names[1]: hours("10.00-16.00")},
    )
    day = date(2008, 4, 30)
    found = day_hours(schedule, {day: DayMark(special_days=names)}, day)
    assert found.intervals == hours("10.00-13.00")


@pytest.mark.parametrize(
    ("moment", "state", "until", "closes_at"),
    [
        ("2027-05-04T07:59:59", CLOSED, "2027-05-04 08:00:00", None),
        ("2027-05-04T07:59:59.999999", CLOSED, "2027-05-04 08:00:00", None),
        ("2027-05-04T08:00:00", OPEN, "2027-05-04 16:30:00", "2027-05-04 16:30:00"),
        # Who calls one second before closing is served.
        ("2027-05-04T16:29:59", OPEN, "2027-05-04 16:30:00", "2027-05-04 16:30:00"),
        ("2027-05-04T16:30:00", CLOSED, "2027-05-05 08:00:00", None),
        # A meeting is a change, and no closing.
        ("2027-05-05T08:59:59", OPEN, "2027-05-05 09:00:00", "2027-05-05 16:30:00"),
        ("2027-05-05T09:00:00", MEETING, "2027-05-05 10:00:00", "2027-05-05 16:30:00"),
        ("2027-05-05T09:59:59", MEETING, "2027-05-05 10:00:00", "2027-05-05 16:30:00"),
        ("2027-05-05T10:00:00", OPEN, "2027-05-05 16:30:00", "2027-05-05 16:30:00"),
        # From the bridge day's closing over the weekend.
        ("2027-05-07T14:00:00", CLOSED, "2027-05-10 08:00:00", None),
        # From Maundy Thursday over Easter Friday, whose Monday this calendar leaves out.
        ("2027-03-25T12:00:00", CLOSED, "2027-03-29 08:00:00", None),
    ],
)
def test_edges_to_the_second(
    moment: str, state: OpeningState, until: str, closes_at: str | None
) -> None:
    found = opening_at(FULL, DAYS, at=at(moment), zone=ZONE)
    assert (found.state, wall(found.until), wall(found.closes_at)) == (state, until, closes_at)


def test_a_reason_tells_the_rule_and_its_words() -> None:
    closed = opening_at(FULL, DAYS, at=at("2027-03-26T12:00"), zone=ZONE)
    assert (closed.reason.rule, closed.reason.text) == (Rule.PUBLIC_HOLIDAY, "Långfredagen")
    meeting = opening_at(FULL, DAYS, at=at("2027-09-08T09:30"), zone=ZONE)
    assert (meeting.reason.rule, meeting.reason.text) == (Rule.MEETING, "APT")


def test_a_moment_may_be_given_with_any_offset() -> None:
    moment = at("2027-05-04T16:29:59")
    by_wall = opening_at(FULL, DAYS, at=moment, zone=ZONE)
    assert opening_at(FULL, DAYS, at=moment.astimezone(UTC), zone=ZONE) == by_wall


def test_hours_may_end_at_midnight_and_go_on_after_it() -> None:
    # Friday until 24, Saturday from 0 to 2.
    week: Week = ((), (), (), (), hours("18.00-24.00"), hours("0.00-2.00"), ())
    schedule = Schedule(name="jour", week=week, special_days={})
    found = opening_at(schedule, {}, at=at("2027-05-07T23:59:59"), zone=ZONE)
    assert (found.state, wall(found.closes_at)) == (OPEN, "2027-05-08 02:00:00")
    assert opening_at(schedule, {}, at=at("2027-05-08T02:00"), zone=ZONE).state is CLOSED


def always() -> Opening:
    schedule = Schedule(name="jour", week=every("0.00-24.00"), special_days={})
    return opening_at(schedule, {}, at=at("2027-05-07T12:00"), zone=ZONE)


def test_what_never_closes_has_no_end() -> None:
    assert (always().state, always().until, always().closes_at) == (OPEN, None, None)


def test_what_never_opens_has_no_end() -> None:
    schedule = Schedule(name="stangt", week=same(""), special_days={})
    found = opening_at(schedule, {}, at=at("2027-05-07T12:00"), zone=ZONE)
    assert (found.state, found.until, found.closes_at) == (CLOSED, None, None)


def test_a_closing_after_tomorrow_is_a_change_but_not_told_as_closing() -> None:
    week: Week = (*every("0.00-24.00")[:6], hours("0.00-24.00"))
    exceptions = (
        DatedHours(first=date(2027, 5, 9), last=date(2027, 5, 9), intervals=(), reason="Byte"),
    )
    schedule = Schedule(name="jour", week=week, special_days={}, exceptions=exceptions)
    friday = opening_at(schedule, {}, at=at("2027-05-07T23:59:59"), zone=ZONE)
    assert (wall(friday.until), friday.closes_at) == ("2027-05-09 00:00:00", None)
    saturday = opening_at(schedule, {}, at=at("2027-05-08T00:00"), zone=ZONE)
    # Midnight at the end of Saturday belongs to Sunday, which is tomorrow.
    assert wall(saturday.closes_at) == "2027-05-09 00:00:00"


# The days when clocks are changed.


@pytest.mark.parametrize(("day", "real_h"), [(SPRING, 23), (AUTUMN, 25), (date(2027, 5, 4), 24)])
def test_a_date_lasts_as_long_as_it_does(day: date, real_h: int) -> None:
    stretches = stretches_of(PLAIN, {}, day, zone=ZONE)
    assert stretches[-1].ends_at - stretches[0].begins_at == timedelta(hours=real_h)
    always_open = Schedule(name="jour", week=every("0.00-24.00"), special_days={})
    (whole,) = stretches_of(always_open, {}, day, zone=ZONE)
    assert whole.ends_at - whole.begins_at == timedelta(hours=real_h)


@pytest.mark.parametrize(
    ("moment", "real_s"), [(f"{SPRING}T00:30", 11.5 * 3600), (f"{AUTUMN}T00:30", 13.5 * 3600)]
)
def test_seconds_until_closing_are_real_ones(moment: str, real_s: float) -> None:
    schedule = Schedule(name="jour", week=every("0.00-13.00"), special_days={})
    asked = at(moment)
    closes_at = opening_at(schedule, {}, at=asked, zone=ZONE).closes_at
    assert closes_at is not None
    assert wall(closes_at) == f"{asked.date()} 13:00:00"
    assert closes_at - asked == timedelta(seconds=real_s)


def on(day: date, text: str) -> list[str]:
    """Return the open stretches of a date by the wall, with the offset."""
    schedule = Schedule(name="natt", week=every(text), special_days={})
    return [
        " ".join(
            moment.astimezone(ZONE).strftime("%H:%M%z")
            for moment in (stretch.begins_at, stretch.ends_at)
        )
        for stretch in stretches_of(schedule, {}, day, zone=ZONE)
        if stretch.state is OPEN
    ]


def test_an_opening_in_the_skipped_hour_is_when_the_wall_has_passed_it() -> None:
    assert on(SPRING, "2.30-6.00") == ["03:00+0200 06:00+0200"]
    assert on(SPRING, "1.00-2.30") == ["01:00+0100 03:00+0200"]
    assert on(SPRING, "2.15-2.45") == []


def test_a_repeated_hour_is_open_and_closed_as_the_wall_says_both_times() -> None:
    assert on(AUTUMN, "1.00-6.00") == ["01:00+0200 06:00+0100"]
    assert on(AUTUMN, "1.00-2.30") == ["01:00+0200 02:30+0200", "02:00+0100 02:30+0100"]
    assert on(AUTUMN, "2.30-6.00") == ["02:30+0200 02:00+0100", "02:30+0100 06:00+0100"]
