"""Tables of hours as people write them: what is read, and what is refused with which words."""

import re
import tomllib
from collections.abc import Mapping
from datetime import date
from pathlib import Path

import pytest
from pydantic import TypeAdapter, ValidationError

from ivrd.config.hours import HoursConfig, intervals_in, shown
from ivrd.core.days import SpecialDay
from ivrd.core.hours import DatedHours, Interval, Schedule
from ivrd.schedules import schedule, schedules

WHOLE = """
name = "kc"
week = { mon-thu = "8.00-16.30", fri = "8.00-12.00, 13.00-16.00" }
public_holidays = "10.00-12.00"
special_days = { midsommarafton = "closed", skartorsdagen = "8.00-12.00" }
bridge_days = "closed"
seasons = [ { name = "jul", first = "12-20", last = "01-06", week = { mon = "9.00-15.00" } } ]
exceptions = [
    { date = 2027-05-07, open = "closed", reason = "Flytt" },
    { first = 2027-09-01, last = 2027-09-03, open = "10.00-14.00", reason = "Utbildning" },
]
meetings = [ { day = "wed", time = "9.00-10.00", reason = "APT" } ]
"""

CLOSED_FOR_X = 'open = "closed", reason = "x"'

SEASON = '{{ name = "{}", first = "{}", last = "{}", week = {{ mon = "closed" }} }}'

PLAIN = 'name = "kc"\nweek = { mon-fri = "8.00-16.30" }\n'


def read(text: str) -> HoursConfig:
    return HoursConfig.model_validate(tomllib.loads(text))


def spans(text: str) -> tuple[tuple[int, int], ...]:
    return tuple((each.opens_minute, each.closes_minute) for each in intervals_in(text))


def faults(text: str) -> Mapping[str, str]:
    """Return what is wrong, by path."""
    with pytest.raises(ValidationError) as caught:
        read(text)
    return {
        ".".join(str(part) for part in fault["loc"]): fault["msg"].removeprefix("Value error, ")
        for fault in caught.value.errors()
    }


def test_a_whole_table_becomes_the_cores_schedule() -> None:
    found = schedule(read(WHOLE))
    day = intervals_in("8.00-16.30")
    assert found.week == (day, day, day, day, intervals_in("8.00-12.00, 13.00-16.00"), (), ())
    assert found.public_holidays == intervals_in("10.00-12.00")
    assert found.special_days == {
        SpecialDay.MIDSOMMARAFTON: (),
        SpecialDay.SKARTORSDAGEN: intervals_in("8.00-12.00"),
    }
    assert found.bridge_days == ()
    (season,) = found.seasons
    assert (season.name, season.first, season.last) == ("jul", (12, 20), (1, 6))
    assert season.week == (intervals_in("9.00-15.00"), (), (), (), (), (), ())
    assert found.exceptions == (
        DatedHours(first=date(2027, 5, 7), last=date(2027, 5, 7), intervals=(), reason="Flytt"),
        DatedHours(
            first=date(2027, 9, 1),
            last=date(2027, 9, 3),
            intervals=intervals_in("10.00-14.00"),
            reason="Utbildning",
        ),
    )
    (meeting,) = found.meetings
    assert (meeting.weekdays, meeting.interval, meeting.reason) == (
        (2,),
        Interval(opens_minute=540, closes_minute=600),
        "APT",
    )


def test_what_is_left_out_is_as_on_other_days_but_red_days_are_closed() -> None:
    found = schedules([read(PLAIN)])["kc"]
    assert found == Schedule(name="kc", week=found.week, special_days={})
    assert (found.public_holidays, found.bridge_days) == ((), None)


def test_red_days_may_be_as_usual() -> None:
    assert schedule(read(PLAIN + 'public_holidays = "as_usual"\n')).public_holidays is None


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("8.00-16.30", ((480, 990),)),
        ("08.00 - 16.30", ((480, 990),)),
        ("0.00-24.00", ((0, 1440),)),
        ("13.00-16.00,8.00-12.00", ((480, 720), (780, 960))),
        ("8.00-12.00, 12.00-16.00", ((480, 720), (720, 960))),
        ("closed", ()),
    ],
)
def test_hours_are_read(text: str, expected: tuple[tuple[int, int], ...]) -> None:
    assert spans(text) == expected


def test_hours_are_shown_as_they_are_written() -> None:
    assert [shown(each) for each in intervals_in("8.05-12.00, 13.00-24.00")] == [
        "8.05-12.00",
        "13.00-24.00",
    ]


@pytest.mark.parametrize(
    ("text", "fault"),
    [
        ("16.30-8.00", "16.30-8.00 ends before it starts"),
        ("22.00-6.00", "over midnight it is two"),
        ("8.00-8.00", "8.00-8.00 ends when it starts"),
        ("8:00-16:30", "'8:00-16:30' is no time to be open; write 8.00-16.30, or closed"),
        ("8-16", "'8-16' is no time to be open"),
        ("", "'' is no time to be open"),
        ("stängt", "'stängt' is no time to be open"),
        ("8.00-16.60", "16.60 is no time of day"),
        ("8.00-24.01", "24.01 is no time of day"),
        ("8.00-12.00, 11.30-16.00", "8.00-12.00 and 11.30-16.00 overlap"),
        ("8.00-٣٣.00", "is no time to be open"),
    ],
)
def test_hours_that_make_no_sense_are_refused_in_words(text: str, fault: str) -> None:
    found = faults(f'name = "kc"\nweek = {{ fri = "{text}" }}\n')
    assert list(found) == ["week.fri"]
    assert fault in found["week.fri"]


@pytest.mark.parametrize(
    ("line", "path", "fault"),
    [
        ("week = {}", "week", "at least 1 item"),
        ('week = { mon-fry = "closed" }', "week", "'fry' is no day of the week; did you mean fri?"),
        ('week = { fri-mon = "closed" }', "week", "fri-mon ends before it starts"),
        ('week = { mon-wed-fri = "closed" }', "week", "'mon-wed-fri' is no day of the week"),
        (
            'week = { mon-thu = "closed", wed = "closed" }',
            "week",
            "wed is in mon-thu and in wed",
        ),
        ("week = { mon = 8 }", "week.mon", "valid string"),
    ],
)
def test_weeks_that_make_no_sense_are_refused(line: str, path: str, fault: str) -> None:
    found = faults(f'name = "kc"\n{line}\n')
    assert list(found) == [path]
    assert fault in found[path]


@pytest.mark.parametrize(
    ("lines", "path", "fault"),
    [
        (
            'special_days = { midsomarafton = "closed" }',
            "special_days",
            "'midsomarafton' is no special day; did you mean midsommarafton?",
        ),
        ('special_days = { julafton = "as_usual" }', "special_days.julafton", "is no time"),
        ('public_holidays = "open"', "public_holidays", "'open' is no time to be open"),
        ('bridge_days = "16.00-8.00"', "bridge_days", "ends before it starts"),
        (
            f"seasons = [ {SEASON.format('s', '02-30', '08-31')} ]",
            "seasons.0.first",
            "there is no '02-30' in a year",
        ),
        (
            f"seasons = [ {SEASON.format('s', '6-1', '08-31')} ]",
            "seasons.0.first",
            "match pattern",
        ),
        (
            'exceptions = [ { open = "closed", reason = "x" } ]',
            "exceptions.0",
            "must hold either date, or first and last",
        ),
        (
            'exceptions = [ { first = 2027-05-07, open = "closed", reason = "x" } ]',
            "exceptions.0",
            "must hold either date, or first and last",
        ),
        (
            f"exceptions = [ {{ date = 2027-05-07, last = 2027-05-08, {CLOSED_FOR_X} }} ]",
            "exceptions.0",
            "must hold either date, or first and last",
        ),
        (
            f"exceptions = [ {{ first = 2027-05-07, last = 2027-05-06, {CLOSED_FOR_X} }} ]",
            "exceptions.0",
            "last 2027-05-06 is before first 2027-05-07",
        ),
        (
            'exceptions = [ { date = 2027-05-07, open = "closed", reason = "" } ]',
            "exceptions.0.reason",
            "at least 1 character",
        ),
        (
            r'exceptions = [ { date = 2027-05-07, open = "closed", reason = "a\n[ivrd]" } ]',
            "exceptions.0.reason",
            "one line of printable text",
        ),
        (
            'meetings = [ { day = "wen", time = "9.00-10.00" } ]',
            "meetings.0.day",
            "'wen' is no day of the week; did you mean wed?",
        ),
        (
            'meetings = [ { day = "wed", time = "closed" } ]',
            "meetings.0.time",
            "'closed' is no time of a meeting",
        ),
        ('openings = "closed"', "openings", "Extra inputs"),
    ],
)
def test_a_part_that_makes_no_sense_is_named_by_its_path(lines: str, path: str, fault: str) -> None:
    found = faults(f"{PLAIN}{lines}\n")
    assert list(found) == [path]
    assert fault in found[path]


@pytest.mark.parametrize(
    ("lines", "fault"),
    [
        (
            [("a", "06-01", "08-31"), ("b", "08-31", "09-30")],
            "seasons[0] a and seasons[1] b overlap on 08-31",
        ),
        (
            [("a", "12-20", "01-06"), ("b", "01-06", "01-06")],
            "seasons[0] a and seasons[1] b overlap on 01-06",
        ),
        (
            [("a", "02-29", "02-29"), ("b", "02-01", "03-01")],
            "seasons[0] a and seasons[1] b overlap on 02-29",
        ),
    ],
)
def test_seasons_that_overlap_are_refused(lines: list[tuple[str, str, str]], fault: str) -> None:
    written = ", ".join(SEASON.format(*line) for line in lines)
    assert faults(f"{PLAIN}seasons = [ {written} ]\n") == {"": fault}


def test_seasons_that_touch_are_well() -> None:
    written = ", ".join(
        SEASON.format(*line) for line in [("a", "06-01", "08-31"), ("b", "09-01", "05-31")]
    )
    assert len(read(f"{PLAIN}seasons = [ {written} ]\n").seasons) == 2


def test_exceptions_that_overlap_are_refused() -> None:
    lines = """exceptions = [
    { first = 2027-05-03, last = 2027-05-07, open = "closed", reason = "x" },
    { date = 2027-05-07, open = "8.00-12.00", reason = "y" },
]"""
    assert faults(f"{PLAIN}{lines}\n") == {
        "": "exceptions[0] and exceptions[1] overlap on 2027-05-07"
    }


@pytest.mark.parametrize(
    "meeting", ['day = "sat", time = "9.00-10.00"', 'day = "mon", time = "16.00-17.00"']
)
def test_a_meeting_outside_the_open_hours_is_refused(meeting: str) -> None:
    (fault,) = faults(f"{PLAIN}meetings = [ {{ {meeting} }} ]\n").values()
    assert fault.startswith("meetings[0] is on ")
    assert fault.endswith("outside the open hours")


def test_a_meeting_may_be_in_a_seasons_hours_alone() -> None:
    text = f"""{PLAIN}
seasons = [ {{ name = "jul", first = "12-01", last = "12-31", week = {{ sat = "8.00-12.00" }} }} ]
meetings = [ {{ day = "sat", time = "9.00-10.00" }} ]
"""
    assert len(read(text).meetings) == 1


def test_several_faults_are_told_at_once() -> None:
    text = f"""{PLAIN}
bridge_days = "open"
meetings = [ {{ day = "wen", time = "9-10" }} ]
"""
    assert set(faults(text)) == {"bridge_days", "meetings.0.day", "meetings.0.time"}


def test_editors_get_a_schema() -> None:
    schema = TypeAdapter(HoursConfig).json_schema()
    assert set(schema["required"]) == {"name", "week"}


PAGE = (Path(__file__).resolve().parents[2] / "docs" / "hours.md").read_text(encoding="utf-8")


def test_the_page_for_owners_shows_hours_that_can_be_read() -> None:
    (block,) = re.findall(r"```toml\n(.*?)```", PAGE, re.S)
    (table,) = tomllib.loads(block)["hours"]
    assert schedule(HoursConfig.model_validate(table)).name == "kc"
    assert set(table) == set(HoursConfig.model_fields)


def test_the_page_for_owners_names_every_special_day_and_no_other() -> None:
    rows = [line for line in PAGE.splitlines() if line.startswith("| `")]
    assert sorted(re.findall(r"`(\w+)`", "".join(rows))) == sorted(SpecialDay)
