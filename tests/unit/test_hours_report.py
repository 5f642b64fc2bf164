"""`ivrd hours`: a year of opening hours as people and programs read it."""

import json
import tomllib
from zoneinfo import ZoneInfo

from ivrd.config.hours import HoursConfig
from ivrd.core.hours import Rule
from ivrd.core.hours_preview import ConflictKind, Preview, preview
from ivrd.hours_report import CONFLICTS, RULES, as_json, as_text
from ivrd.red_days import marks
from ivrd.schedules import schedule

TEXT = """
name = "kc"
week = { mon-thu = "8.00-16.30", fri = "8.00-12.00, 13.00-16.00" }
special_days = { midsommarafton = "closed", skartorsdagen = "8.00-12.00", julafton = "closed" }
exceptions = [ { date = 2027-05-08, open = "9.00-12.00", reason = "Öppet hus" } ]
meetings = [ { day = "wed", time = "9.00-10.00", reason = "APT" } ]
[[seasons]]
name = "sommar"
first = "06-01"
last = "08-31"
week = { mon-fri = "8.00-15.00" }
"""


def year() -> Preview:
    section = HoursConfig.model_validate(tomllib.loads(TEXT))
    zone = ZoneInfo("Europe/Stockholm")
    return preview(schedule(section), marks(2027, 2027), year=2027, zone=zone)


def test_the_text_begins_with_the_week_and_ends_with_what_to_look_at() -> None:
    text = as_text(year())
    assert text.startswith(
        "Öppettider / Opening hours: kc, 2027\n"
        "\n"
        "Vecka / Week\n"
        "  mån-tor  8.00-16.30\n"
        "  fre      8.00-12.00, 13.00-16.00\n"
        "  lör-sön  stängt / closed\n"
        "Säsong / Season: sommar, 1 juni till 31 augusti\n"
        "  mån-fre  8.00-15.00\n"
        "  lör-sön  stängt / closed\n"
        "Möte / Meeting: ons 9.00-10.00 APT\n"
        "\n"
        "Dagar som avviker / Days that differ\n"
        "januari: 19 dagar öppet / days open, "
    )
    assert text.endswith(
        "Att se över / Conflicts\n"
        "  Mötet infaller när det är stängt och räknas inte / the meeting falls on closed time and "
        "does not count (APT): 6 jan\n"
        "  Öppet som vanligt på en afton då få arbetar / open as usual on an eve when few people "
        "work (Nyårsafton): 31 dec\n"
    )


def test_a_date_that_differs_says_why_and_what_would_be_else() -> None:
    lines = [line.split() for line in as_text(year()).splitlines()]
    shown = [" ".join(line) for line in lines]
    assert (
        "tor 25 mar 8.00-12.00 Skärtorsdagen, särskild dag / special day (annars / else 8.00-16.30)"
    ) in shown
    assert (
        "lör 8 maj 9.00-12.00 Öppet hus, undantag / exception (annars / else stängt / closed)"
    ) in shown


def test_both_changes_of_clocks_are_shown() -> None:
    text = as_text(year())
    assert "sön 28 mar  dygnet är / the day has 23 h, öppet / open 0 h 00 min" in text
    assert "sön 31 okt  dygnet är / the day has 25 h, öppet / open 0 h 00 min" in text


def test_the_json_says_the_same() -> None:
    found = json.loads(as_json(year()))
    assert (found["hours"], found["year"]) == ("kc", 2027)
    assert found["week"]["fri"] == ["08:00-12:00", "13:00-16:00"]
    assert found["week"]["sun"] == []
    assert found["seasons"][0]["first"] == "06-01"
    assert found["meetings"] == [{"weekdays": [3], "time": "09:00-10:00", "reason": "APT"}]
    assert {
        "date": "2027-05-08",
        "open": ["09:00-12:00"],
        "usually": [],
        "rule": "exception",
        "reason": "Öppet hus",
    } in found["deviations"]
    assert found["clock_changes"][0] == {"date": "2027-03-28", "hours": 23.0, "open_minutes": 0}
    assert found["conflicts"][-1] == {
        "kind": "special_day_left_open",
        "what": "Nyårsafton",
        "dates": ["2027-12-31"],
    }
    assert len(found["months"]) == 12


def test_every_rule_and_conflict_has_words() -> None:
    assert set(RULES) == set(Rule)
    assert set(CONFLICTS) == set(ConflictKind)


def test_many_dates_of_one_conflict_are_cut_short_in_the_text_alone() -> None:
    section = HoursConfig.model_validate(
        tomllib.loads(TEXT.replace("mon-fri = ", "mon-tue = ").replace('"APT"', '"M"'))
    )
    zone = ZoneInfo("Europe/Stockholm")
    found = preview(schedule(section), marks(2027, 2027), year=2027, zone=zone)
    assert "6 jan, 2 jun, 9 jun, 16 jun, 23 jun, 30 jun och 8 till / and 8 more" in as_text(found)
    (dates,) = [
        each["dates"]
        for each in json.loads(as_json(found))["conflicts"]
        if each["kind"] == "meeting_on_closed_day"
    ]
    assert len(dates) == 14
