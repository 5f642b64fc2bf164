"""The sample configuration keeps the municipality's hours, on every date of 2027.

The table is written by hand from the agreed hours and an almanac; nothing of it is computed by the
code that it is compared with.
"""

import tomllib
from datetime import date, datetime, time, timedelta
from pathlib import Path
from zoneinfo import ZoneInfo

import pytest

from ivrd.config.hours import HoursConfig
from ivrd.core.hours import OpeningState, Schedule, opening_at, stretches_of
from ivrd.red_days import marks
from ivrd.schedules import schedules

SAMPLE = Path(__file__).resolve().parents[2] / "config" / "ivrd.toml"

ZONE = ZoneInfo("Europe/Stockholm")
DAYS = marks(2026, 2028)
DAY = timedelta(days=1)
YEAR = [date(2027, 1, 1) + number * DAY for number in range(365)]

RED = {
    *("01-01", "01-06", "03-26", "03-28", "03-29", "05-01", "05-06", "05-16", "06-06", "06-26"),
    *("11-06", "12-25", "12-26"),
}
CLOSED_EVES = {"06-25", "12-24", "12-31"}
HALF_DAYS = {"01-05", "03-25", "04-30", "11-05"}
"""Twelfth Night, Maundy Thursday, Walpurgis Night, the eve of All Saints'."""

MON_THU, FRI, WEEKEND = (0, 1, 2, 3), 4, (5, 6)
TUE, WED, THU = 1, 2, 3


def closing(day: date, mon_thu: str, fri: str) -> str:
    return fri if day.weekday() == FRI else mon_thu


def is_summer(day: date) -> bool:
    return date(2027, 6, 1) <= day <= date(2027, 8, 31)


def kc(day: date) -> str:
    """Return the contact centre's hours: Mon-Thu to 16.30, Fri to 16; in summer 16 and 15."""
    text = f"{day:%m-%d}"
    if day.weekday() in WEEKEND or text in RED or text in CLOSED_EVES:
        return ""
    if text in HALF_DAYS:
        return "8.00-12.00"
    end = closing(day, "16.00", "15.00") if is_summer(day) else closing(day, "16.30", "16.00")
    if day.weekday() == WED:
        return f"8.00-9.00 (9.00-10.00) 10.00-{end}"
    return f"8.00-{end}"


def waste(day: date) -> str:
    """Return the waste line's hours: Mon-Thu to 16.45, Fri to 16.15, in summer too."""
    text = f"{day:%m-%d}"
    if day.weekday() in WEEKEND or text in RED or text in CLOSED_EVES:
        return ""
    return f"8.00-{closing(day, '16.45', '16.15')}"


def elderly(day: date) -> str:
    """Return Äldre direkt's hours: as KC without its meeting, Tue and Thu to 18, and weekends."""
    text = f"{day:%m-%d}"
    if text in RED or text in CLOSED_EVES:
        return ""
    if text in HALF_DAYS:
        return "8.00-12.00"
    if day.weekday() in WEEKEND:
        return "10.00-14.00"
    if day.weekday() in (TUE, THU):
        return "8.00-18.00"
    end = closing(day, "16.00", "15.00") if is_summer(day) else closing(day, "16.30", "16.00")
    return f"8.00-{end}"


TABLE = {"kc": kc, "avfall": waste, "aldre-direkt": elderly}


def sample() -> dict[str, Schedule]:
    tables = tomllib.loads(SAMPLE.read_text(encoding="utf-8"))["hours"]
    return schedules(HoursConfig.model_validate(table) for table in tables)


def shown(schedule: Schedule, day: date) -> str:
    """Return a date's hours by the wall; meetings in brackets."""
    parts = []
    for stretch in stretches_of(schedule, DAYS, day, zone=ZONE):
        first, end = (at.astimezone(ZONE) for at in (stretch.begins_at, stretch.ends_at))
        text = f"{first.hour}.{first:%M}-{end.hour}.{end:%M}"
        if stretch.state is OpeningState.OPEN:
            parts.append(text)
        elif stretch.state is OpeningState.MEETING:
            parts.append(f"({text})")
    return " ".join(parts)


@pytest.mark.parametrize("name", TABLE)
def test_every_date_of_the_year_has_the_agreed_hours(name: str) -> None:
    schedule = sample()[name]
    found = {f"{day:%m-%d %a}": shown(schedule, day) for day in YEAR}
    assert found == {f"{day:%m-%d %a}": TABLE[name](day) for day in YEAR}


@pytest.mark.parametrize("name", TABLE)
def test_a_call_one_second_before_closing_is_served_on_every_date(name: str) -> None:
    schedule = sample()[name]
    for day in YEAR:
        text = TABLE[name](day)
        if not text:
            noon = datetime.combine(day, time(12), ZONE)
            assert opening_at(schedule, DAYS, at=noon, zone=ZONE).state is OpeningState.CLOSED
            continue
        opens, closes = (wall(day, each) for each in (text.split("-")[0], text.split("-")[-1]))
        second = timedelta(seconds=1)
        states = [
            opening_at(schedule, DAYS, at=at, zone=ZONE).state
            for at in (opens - second, opens, closes - second, closes)
        ]
        expected = [OpeningState.CLOSED, OpeningState.OPEN, OpeningState.OPEN, OpeningState.CLOSED]
        assert states == expected, day


def wall(day: date, text: str) -> datetime:
    hour, minute = text.split(".")
    return datetime.combine(day, time(int(hour), int(minute)), ZONE)


def test_the_days_when_clocks_are_changed_are_open_as_long_as_on_any_sunday() -> None:
    schedule = sample()["aldre-direkt"]
    lengths = {
        day: sum(
            (
                stretch.ends_at - stretch.begins_at
                for stretch in stretches_of(schedule, DAYS, day, zone=ZONE)
                if stretch.state is OpeningState.OPEN
            ),
            timedelta(),
        )
        for day in (date(2027, 10, 24), date(2027, 10, 31), date(2026, 3, 22), date(2026, 3, 29))
    }
    assert set(lengths.values()) == {timedelta(hours=4)}


def test_the_calendar_of_the_table_is_that_of_2027() -> None:
    assert {f"{day:%m-%d}" for day in YEAR if day in DAYS and DAYS[day].public_holiday} == RED
