"""Rotating shift lead: whose turn, by which clock, also on the days when clocks are changed."""

from datetime import UTC, date, datetime, timedelta
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ivrd.access.shifts import DayOff, Shift, leads_at, week_of
from ivrd.config.hours import intervals_in, week_in

ZONE = ZoneInfo("Europe/Stockholm")
MONDAY = date(2026, 1, 5)


def a_shift(**more: object) -> Shift:
    settings: dict[str, object] = {
        "name": "kc",
        "people": ("anna", "bo", "cilla"),
        "first_week": MONDAY,
        "week": week_in({"mon-thu": "7.30-16.45", "fri": "7.30-16.15"}),
        **more,
    }
    return Shift(**settings)  # type: ignore[arg-type]


def at(text: str) -> datetime:
    return datetime.fromisoformat(text).replace(tzinfo=ZONE)


def test_turns_follow_each_other_week_by_week() -> None:
    shift = a_shift()
    turns = [shift.turn_of(MONDAY + timedelta(weeks=week)) for week in range(-1, 5)]
    assert turns == [None, "anna", "bo", "cilla", "anna", "bo"]
    assert shift.turn_of(MONDAY + timedelta(days=6)) == "anna"


def test_a_turn_may_last_several_weeks() -> None:
    shift = a_shift(weeks_each=2)
    turns = [shift.turn_of(MONDAY + timedelta(weeks=week)) for week in range(5)]
    assert turns == ["anna", "anna", "bo", "bo", "cilla"]


@pytest.mark.parametrize(
    ("moment", "lead"),
    [
        ("2026-01-05T07:29:59", None),
        ("2026-01-05T07:30:00", "anna"),
        ("2026-01-05T16:44:59", "anna"),
        ("2026-01-05T16:45:00", None),
        ("2026-01-09T16:30:00", None),
        ("2026-01-10T12:00:00", None),
        ("2026-01-12T08:00:00", "bo"),
        ("2026-07-06T07:30:00", "cilla"),
    ],
)
def test_the_lead_is_by_the_wall_clock(moment: str, lead: str | None) -> None:
    shift = a_shift()
    assert shift.lead_at(at(moment), ZONE) == lead
    assert shift.lead_at(at(moment).astimezone(UTC), ZONE) == lead


def test_an_exception_names_somebody_else_or_other_hours_or_none() -> None:
    days = {
        date(2026, 1, 6): DayOff(hours=(), reason="Trettondedag jul"),
        date(2026, 1, 7): DayOff(person="dan"),
        date(2026, 1, 8): DayOff(hours=intervals_in("8.00-12.00")),
    }
    shift = a_shift(exceptions=days)
    assert shift.lead_at(at("2026-01-06T10:00:00"), ZONE) is None
    assert shift.lead_at(at("2026-01-07T10:00:00"), ZONE) == "dan"
    assert shift.lead_at(at("2026-01-08T11:59:59"), ZONE) == "anna"
    assert shift.lead_at(at("2026-01-08T12:00:00"), ZONE) is None
    [_, tuesday, *_] = week_of([shift], MONDAY)
    assert (tuesday.hours, tuesday.reason) == ((), "Trettondedag jul")


def test_a_lead_over_the_repeated_hour_lasts_an_hour_longer_and_over_the_skipped_less() -> None:
    shift = a_shift(week=week_in({"sat-sun": "1.00-4.00"}))
    for sunday, hours in ((date(2026, 3, 29), 2), (date(2026, 10, 25), 4), (date(2026, 5, 3), 3)):
        start = datetime(sunday.year, sunday.month, sunday.day, tzinfo=ZONE).astimezone(UTC)
        minutes = [start + timedelta(minutes=minute) for minute in range(8 * 60)]
        led = sum(shift.lead_at(minute, ZONE) is not None for minute in minutes)
        assert led == hours * 60, sunday


@given(st.datetimes(min_value=datetime(2026, 1, 5), max_value=datetime(2031, 1, 1)))  # noqa: DTZ001
def test_at_most_one_leads_and_within_the_hours(moment: datetime) -> None:
    now = moment.replace(tzinfo=UTC)
    lead = leads_at([a_shift()], now, ZONE).get("kc")
    wall = now.astimezone(ZONE)
    minute = wall.hour * 60 + wall.minute
    end = 16 * 60 + (15 if wall.weekday() == 4 else 45)
    assert (lead is not None) == (wall.weekday() < 5 and 450 <= minute < end)
