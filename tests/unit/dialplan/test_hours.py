"""Rendered hours: what has an extension of its own, and what a diff of two renderings shows.

That the context answers right is shown on a real Asterisk (tests/e2e/test_hours.py).
"""

import difflib
import re
from dataclasses import replace
from datetime import date
from zoneinfo import ZoneInfo

from ivrd.core.days import DayMark, SpecialDay
from ivrd.core.hours import DatedHours, Interval, Meeting, Schedule, Season, Week
from ivrd.dialplan.hours import render_hours

ZONE = ZoneInfo("Europe/Stockholm")

DAY = (Interval(opens_minute=480, closes_minute=990),)
WEEK: Week = (DAY, DAY, DAY, DAY, DAY, (), ())
ALWAYS = (Interval(opens_minute=0, closes_minute=1440),)

KC = Schedule(name="kc", week=WEEK, special_days={SpecialDay.MIDSOMMARAFTON: ()})

DAYS = {
    date(2027, 5, 6): DayMark(public_holiday="Kristi himmelsfärdsdag"),
    date(2027, 5, 7): DayMark(is_bridge_day=True),
    # A Sunday: closed in any case.
    date(2027, 6, 6): DayMark(public_holiday="Nationaldagen"),
    date(2027, 6, 25): DayMark(special_days=(SpecialDay.MIDSOMMARAFTON,)),
    date(2028, 6, 6): DayMark(public_holiday="Nationaldagen"),
}


def rendered(schedule: Schedule, last: date = date(2027, 12, 31)) -> str:
    return render_hours(schedule, DAYS, first=date(2027, 1, 1), last=last, zone=ZONE)


def dates_in(text: str) -> list[str]:
    return re.findall(r"^exten => (\d{8}),", text, re.M)


def closed_on(day: date, reason: str = "Flytt") -> DatedHours:
    return DatedHours(first=day, last=day, intervals=(), reason=reason)


def test_only_dates_that_differ_from_their_weekday_have_an_extension_and_say_why() -> None:
    text = rendered(KC)
    assert dates_in(text) == ["20270506", "20270625"]
    assert (
        "; 2027-05-06 Thu, public holiday Kristi himmelsfärdsdag: closed.\n"
        "exten => 20270506,1,Goto(closed,1)\n"
    ) in text
    assert "; 2027-06-25 Fri, special day Midsommarafton: closed.\n" in text


def test_the_head_tells_until_when_special_days_are_rendered() -> None:
    assert "Special days are rendered from 2027-01-01 to 2027-12-31." in rendered(KC)
    later = rendered(KC, last=date(2028, 12, 31))
    assert "to 2028-12-31." in later
    assert dates_in(later) == ["20270506", "20270625", "20280606"]


def test_the_same_hours_give_the_same_text() -> None:
    assert rendered(KC) == rendered(replace(KC))


def test_one_exception_more_changes_one_extension() -> None:
    more = replace(KC, exceptions=(closed_on(date(2027, 9, 3)),))
    diff = difflib.ndiff(rendered(KC).splitlines(), rendered(more).splitlines())
    changed = [line for line in diff if line.startswith(("+ ", "- ")) and line[2:].strip()]
    assert changed == [
        "+ ; 2027-09-03 Fri, exception Flytt: closed.",
        "+ exten => 20270903,1,Goto(closed,1)",
    ]


def test_seasons_go_by_month_and_day_also_over_new_year() -> None:
    seasons = (
        Season(name="sommar", first=(6, 1), last=(8, 31), week=WEEK),
        Season(name="jul", first=(12, 20), last=(1, 6), week=WEEK),
    )
    text = rendered(replace(KC, seasons=seasons))
    assert "$[${monthday} >= 601 & ${monthday} <= 831]?season1day" in text
    assert "$[${monthday} >= 1220 | ${monthday} <= 106]?season2day" in text
    assert "monthday" not in rendered(KC)


def test_a_days_edges_are_asked_in_turn() -> None:
    meeting = Meeting(
        weekdays=(2,), interval=Interval(opens_minute=540, closes_minute=600), reason=""
    )
    assert (
        "; Wed: open 8.00-9.00, meeting 9.00-10.00, open 10.00-16.30.\n"
        "exten => day3,1,GotoIf($[${second} < 28800]?closed,1)\n"
        " same => n,GotoIf($[${second} < 32400]?open59400,1)\n"
        " same => n,GotoIf($[${second} < 36000]?meeting59400,1)\n"
        " same => n,GotoIf($[${second} < 59400]?open59400,1)\n"
        " same => n,Goto(closed,1)\n"
    ) in rendered(replace(KC, meetings=(meeting,)))


def test_clocks_matter_only_on_days_that_are_open_before_they_are_changed() -> None:
    sundays = replace(KC, week=(*WEEK[:6], DAY))
    assert "20270328" not in rendered(sundays)
    nights = rendered(replace(KC, week=(*WEEK[:6], ALWAYS)))
    assert {"20270328", "20271031"} < set(dates_in(nights))
    assert "; 2027-03-28 Sun, week; clocks are changed, the day has 23 hours: " in nights
    # The day's end, 2027-03-28T22:00Z, less 24 hours.
    assert "Set(LOCAL(second)=$[${ARG1} - 1806184800])" in nights


def test_every_target_is_there_and_every_extension_is_reached() -> None:
    schedule = replace(
        KC,
        week=(*WEEK[:5], ALWAYS, ALWAYS),
        seasons=(Season(name="sommar", first=(6, 1), last=(8, 31), week=WEEK),),
        meetings=(
            Meeting(weekdays=(6,), interval=Interval(opens_minute=0, closes_minute=60), reason=""),
        ),
    )
    text = rendered(schedule)
    there = re.findall(r"^exten => ([a-z0-9]+),", text, re.M)
    named = re.findall(r"(?:\?|Goto\()([a-z0-9]+),1\)", text)
    by_weekday = re.findall(r"(?:\?|Goto\()([a-z0-9]*day)\$", text)
    reached = {"s", *named, *(f"{name}{day}" for name in by_weekday for day in range(1, 8))}
    assert len(there) == len(set(there))
    assert {name for name in there if not name.isdigit()} == reached


def test_what_a_person_wrote_stays_in_its_comment() -> None:
    bad = "Flytt\n[ivrd-lines]\nexten => 0846500400,1,System(x) ;--\u2028 ;"
    plain = rendered(replace(KC, exceptions=(closed_on(date(2027, 9, 3)),)))
    text = rendered(replace(KC, exceptions=(closed_on(date(2027, 9, 3), bad),)))
    (line,) = [line for line in text.splitlines() if "System" in line]
    assert line.startswith("; 2027-09-03 ")
    assert ";" not in line[1:]
    assert len(text.splitlines()) == len(plain.splitlines())
