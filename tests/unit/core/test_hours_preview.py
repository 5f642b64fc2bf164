"""A year of hours at one look: each oddity is planted and found, and a sound year has none."""

import tomllib
from datetime import date, timedelta
from zoneinfo import ZoneInfo

import pytest

from ivrd.config.hours import HoursConfig
from ivrd.core.hours_preview import ConflictKind, Preview, preview
from ivrd.red_days import marks
from ivrd.schedules import schedule

ZONE = ZoneInfo("Europe/Stockholm")
DAYS = marks(2026, 2028)

KC = """
name = "kc"
week = { mon-thu = "8.00-16.30", fri = "8.00-16.00" }
"""
EVES = 'special_days = { midsommarafton = "closed", julafton = "closed", nyarsafton = "closed" }\n'


def year(text: str, number: int = 2027) -> Preview:
    section = HoursConfig.model_validate(tomllib.loads(text))
    return preview(schedule(section), DAYS, year=number, zone=ZONE)


def found(text: str, number: int = 2027) -> dict[tuple[str, str], list[str]]:
    conflicts = year(text, number).conflicts
    assert len({(each.kind, each.what) for each in conflicts}) == len(conflicts)
    return {
        (each.kind.value, each.what): [f"{day:%m-%d}" for day in each.dates] for each in conflicts
    }


def test_a_sound_year_has_no_conflict() -> None:
    assert found(KC + EVES) == {}


EVE = 'midsommarafton = "closed", julafton = "closed", nyarsafton = "closed"'

PLANTED: dict[ConflictKind, tuple[str, str, list[str]]] = {
    ConflictKind.EXCEPTION_CHANGES_NOTHING: (
        EVES + 'exceptions = [ { date = 2027-05-08, open = "closed", reason = "Storm" } ]',
        "Storm",
        ["05-08"],
    ),
    ConflictKind.EXCEPTION_OPENS_RED_DAY: (
        EVES
        + "exceptions = [ { first = 2027-05-05, last = 2027-05-06, "
        + 'open = "9.00-12.00", reason = "Val" } ]',
        "Val",
        ["05-06"],
    ),
    ConflictKind.EXCEPTION_DROPS_MEETING: (
        EVES
        + 'meetings = [ { day = "tue", time = "9.00-10.00", reason = "APT" } ]\n'
        + 'exceptions = [ { date = 2027-05-04, open = "8.00-20.00", reason = "Val" } ]',
        "Val",
        ["05-04"],
    ),
    ConflictKind.SPECIAL_DAY_CHANGES_NOTHING: (
        # A Saturday.
        f'special_days = {{ paskafton = "8.00-12.00", {EVE} }}',
        "Påskafton",
        ["03-27"],
    ),
    ConflictKind.SPECIAL_DAY_CANNOT_LENGTHEN: (
        # A Friday, which closes at 16.
        f'special_days = {{ valborgsmassoafton = "9.00-16.30", {EVE} }}',
        "Valborgsmässoafton",
        ["04-30"],
    ),
    ConflictKind.SPECIAL_DAY_LEFT_OPEN: (
        'special_days = { midsommarafton = "closed", nyarsafton = "closed" }',
        "Julafton",
        ["12-24"],
    ),
    ConflictKind.BRIDGE_DAY_CHANGES_NOTHING: (
        EVES + 'bridge_days = "7.00-17.00"',
        "",
        ["05-07"],
    ),
    ConflictKind.BRIDGE_DAY_CANNOT_LENGTHEN: (
        EVES + 'bridge_days = "9.00-16.30"',
        "",
        ["05-07"],
    ),
    ConflictKind.RED_DAY_OPENS_CLOSED_DAY: (
        EVES + 'public_holidays = "10.00-12.00"',
        "",
        ["03-28", "05-01", "05-16", "06-06", "06-26", "11-06", "12-25", "12-26"],
    ),
    ConflictKind.MEETING_ON_CLOSED_DAY: (
        EVES + 'meetings = [ { day = "thu", time = "9.00-10.00", reason = "APT" } ]',
        "APT",
        ["05-06"],
    ),
    ConflictKind.MEETING_CUT: (
        f'special_days = {{ skartorsdagen = "8.00-12.00", {EVE} }}\n'
        'meetings = [ { day = "thu", time = "11.00-13.00", reason = "APT" } ]',
        "APT",
        ["03-25"],
    ),
    ConflictKind.SEASON_CHANGES_NOTHING: (
        EVES + 'seasons = [ { name = "vår", first = "04-01", last = "04-03", '
        'week = { mon-thu = "8.00-16.30", fri = "8.00-16.00" } } ]',
        "vår",
        ["04-01", "04-02", "04-03"],
    ),
    ConflictKind.EDGE_IN_CHANGED_HOUR: (
        EVES + 'exceptions = [ { date = 2027-10-31, open = "1.00-2.30", reason = "Storm" } ]',
        "",
        ["10-31"],
    ),
}


@pytest.mark.parametrize("kind", ConflictKind)
def test_each_planted_conflict_is_found_with_its_dates(kind: ConflictKind) -> None:
    lines, what, dates = PLANTED[kind]
    conflicts = found(f"{KC}{lines}\n")
    assert conflicts[kind.value, what] == dates
    allowed = {
        # Ascension Day is a Thursday too.
        ConflictKind.MEETING_CUT: {("meeting_on_closed_day", "APT")},
    }.get(kind, set())
    assert set(conflicts) - {(kind.value, what)} == allowed


def test_an_eve_on_a_weekend_has_no_effect_that_year_only() -> None:
    assert found(KC + EVES, 2028) == {
        ("special_day_changes_nothing", "Julafton"): ["12-24"],
        ("special_day_changes_nothing", "Nyårsafton"): ["12-31"],
    }


def test_an_exception_of_another_year_is_not_spoken_of() -> None:
    lines = 'exceptions = [ { date = 2028-05-06, open = "closed", reason = "Storm" } ]\n'
    assert found(KC + EVES + lines) == {}
    assert ("exception_changes_nothing", "Storm") in found(KC + EVES + lines, 2028)


def test_an_exception_that_changes_one_of_its_dates_changes_something() -> None:
    # Friday to Sunday.
    lines = (
        "exceptions = [ { first = 2027-05-14, last = 2027-05-16, "
        'open = "closed", reason = "Storm" } ]\n'
    )
    assert found(KC + EVES + lines) == {}


def test_deviations_are_dates_that_differ_from_their_weekday() -> None:
    deviations = year(KC + EVES).deviations
    assert [f"{each.day:%m-%d} {each.hours.reason.text}" for each in deviations] == [
        "01-01 Nyårsdagen",
        "01-06 Trettondedag jul",
        "03-26 Långfredagen",
        "03-29 Annandag påsk",
        "05-06 Kristi himmelsfärdsdag",
        "06-25 Midsommarafton",
        "12-24 Julafton",
        "12-31 Nyårsafton",
    ]


def test_months_and_clock_changes_are_summed_in_real_time() -> None:
    always = year(
        'name = "jour"\nweek = { mon-sun = "0.00-24.00" }\npublic_holidays = "as_usual"\n'
    )
    assert always.months[2].open_time == timedelta(days=31) - timedelta(hours=1)
    assert always.months[9].open_time == timedelta(days=31) + timedelta(hours=1)
    assert [(each.day, each.length) for each in always.clock_changes] == [
        (date(2027, 3, 28), timedelta(hours=23)),
        (date(2027, 10, 31), timedelta(hours=25)),
    ]
    (month,) = [each for each in year(KC + EVES).months if each.month == 2]
    # Twenty weekdays, four of them Fridays.
    assert (month.open_days, month.open_time) == (20, timedelta(hours=16 * 8.5 + 4 * 8))
