"""The Swedish calendar, against tables written by hand from almanacs, not from the library."""

from datetime import date, timedelta

import pytest

from ivrd.core.days import DayMark, SpecialDay
from ivrd.red_days import FIXED, MOVABLE, marks, public_holidays

# Good Friday, Easter Sunday, Ascension, Pentecost, Midsummer Day, All Saints' Day, by year.
MOVABLE_FEASTS = {
    2025: ("04-18", "04-20", "05-29", "06-08", "06-21", "11-01"),
    2026: ("04-03", "04-05", "05-14", "05-24", "06-20", "10-31"),
    2027: ("03-26", "03-28", "05-06", "05-16", "06-26", "11-06"),
    2028: ("04-14", "04-16", "05-25", "06-04", "06-24", "11-04"),
}

BRIDGE_DAYS = {
    # Julafton and nyårsafton are on Tuesdays; annandag jul and the two in spring on Thursdays.
    2024: ["05-10", "06-07", "12-23", "12-27", "12-30"],
    2025: ["05-02", "05-30"],
    2026: ["01-02", "01-05", "05-15"],
    2027: ["05-07"],
    2028: ["01-07", "05-26", "06-05"],
}

EVES = {
    2025: {
        "trettondagsafton": "01-05",
        "skartorsdagen": "04-17",
        "paskafton": "04-19",
        "valborgsmassoafton": "04-30",
        "dagen_fore_kristi_himmelsfard": "05-28",
        "pingstafton": "06-07",
        "dagen_fore_nationaldagen": "06-05",
        "dagen_fore_midsommarafton": "06-19",
        "midsommarafton": "06-20",
        "allhelgonaafton": "10-31",
        "dagen_fore_julafton": "12-23",
        "julafton": "12-24",
        "dagen_fore_nyarsafton": "12-30",
        "nyarsafton": "12-31",
    },
    2026: {
        "trettondagsafton": "01-05",
        "skartorsdagen": "04-02",
        "paskafton": "04-04",
        "valborgsmassoafton": "04-30",
        "dagen_fore_kristi_himmelsfard": "05-13",
        "pingstafton": "05-23",
        "dagen_fore_nationaldagen": "06-05",
        "dagen_fore_midsommarafton": "06-18",
        "midsommarafton": "06-19",
        "allhelgonaafton": "10-30",
        "dagen_fore_julafton": "12-23",
        "julafton": "12-24",
        "dagen_fore_nyarsafton": "12-30",
        "nyarsafton": "12-31",
    },
    2027: {
        "trettondagsafton": "01-05",
        "skartorsdagen": "03-25",
        "paskafton": "03-27",
        "valborgsmassoafton": "04-30",
        "dagen_fore_kristi_himmelsfard": "05-05",
        "pingstafton": "05-15",
        "dagen_fore_nationaldagen": "06-05",
        "dagen_fore_midsommarafton": "06-24",
        "midsommarafton": "06-25",
        "allhelgonaafton": "11-05",
        "dagen_fore_julafton": "12-23",
        "julafton": "12-24",
        "dagen_fore_nyarsafton": "12-30",
        "nyarsafton": "12-31",
    },
    2028: {
        "trettondagsafton": "01-05",
        "skartorsdagen": "04-13",
        "paskafton": "04-15",
        "valborgsmassoafton": "04-30",
        "dagen_fore_kristi_himmelsfard": "05-24",
        "pingstafton": "06-03",
        "dagen_fore_nationaldagen": "06-05",
        "dagen_fore_midsommarafton": "06-22",
        "midsommarafton": "06-23",
        "allhelgonaafton": "11-03",
        "dagen_fore_julafton": "12-23",
        "julafton": "12-24",
        "dagen_fore_nyarsafton": "12-30",
        "nyarsafton": "12-31",
    },
}


def red(year: int) -> dict[str, str]:
    good_friday, easter, ascension, pentecost, midsummer, all_saints = MOVABLE_FEASTS[year]
    easter_monday = date.fromisoformat(f"{year}-{easter}") + timedelta(days=1)
    return {
        "01-01": "Nyårsdagen",
        "01-06": "Trettondedag jul",
        good_friday: "Långfredagen",
        easter: "Påskdagen",
        f"{easter_monday:%m-%d}": "Annandag påsk",
        "05-01": "Första maj",
        ascension: "Kristi himmelsfärdsdag",
        pentecost: "Pingstdagen",
        "06-06": "Nationaldagen",
        midsummer: "Midsommardagen",
        all_saints: "Alla helgons dag",
        "12-25": "Juldagen",
        "12-26": "Annandag jul",
    }


@pytest.mark.parametrize("year", MOVABLE_FEASTS)
def test_public_holidays_are_those_of_the_almanac_and_sundays_are_none(year: int) -> None:
    found = {
        f"{day:%m-%d}": mark.public_holiday
        for day, mark in marks(year, year).items()
        if mark.public_holiday is not None
    }
    assert found == red(year)


@pytest.mark.parametrize("year", EVES)
def test_eves_are_those_of_the_almanac(year: int) -> None:
    found = {
        name.value: f"{day:%m-%d}"
        for day, mark in marks(year, year).items()
        for name in mark.special_days
    }
    assert found == EVES[year]


@pytest.mark.parametrize("year", BRIDGE_DAYS)
def test_bridge_days_are_those_that_people_take_off(year: int) -> None:
    found = [f"{day:%m-%d}" for day, mark in marks(year, year).items() if mark.is_bridge_day]
    assert found == BRIDGE_DAYS[year]


def test_a_date_may_be_an_eve_and_a_bridge_day() -> None:
    assert marks(2026, 2026)[date(2026, 1, 5)] == DayMark(
        special_days=(SpecialDay.TRETTONDAGSAFTON,), is_bridge_day=True
    )


def test_two_public_holidays_on_one_date_are_both_named_and_both_have_their_eve() -> None:
    calendar = marks(2008, 2008)
    assert calendar[date(2008, 5, 1)].public_holiday == "Första maj och Kristi himmelsfärdsdag"
    assert calendar[date(2008, 4, 30)].special_days == (
        SpecialDay.VALBORGSMASSOAFTON,
        SpecialDay.DAGEN_FORE_KRISTI_HIMMELSFARD,
    )


def test_a_year_is_the_same_alone_and_among_others() -> None:
    """Bridge days at New Year lean on no year beside."""
    many = marks(2020, 2040)
    for year in range(2020, 2041):
        alone = marks(year, year)
        assert alone == {day: mark for day, mark in many.items() if day.year == year}


def test_every_special_day_has_its_rule_and_falls_once_a_year() -> None:
    ruled = [name for name, *_ in (*FIXED, *MOVABLE)]
    assert sorted(ruled) == sorted(SpecialDay)
    for year in range(2005, 2100):
        found = [name for mark in marks(year, year).values() for name in mark.special_days]
        assert sorted(found) == sorted(SpecialDay)


def test_the_library_knows_the_names_that_our_rules_lean_on() -> None:
    known = {title for titles in public_holidays(range(2027, 2028)).values() for title in titles}
    assert {after for _, after, _ in MOVABLE} <= known
