"""Lines as callers meet them: hours, force, notices, goals."""

import tomllib
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from ivrd.config import check
from ivrd.core.switches import Actor, Origin, Setting, Stand, Switch, SwitchKind, SwitchState, Track
from ivrd.lines_now import LineBook
from ivrd.web.lines import LineStatus

SAMPLE = Path(__file__).resolve().parents[2] / "config" / "ivrd.toml"

OPEN_AT = datetime(2027, 3, 1, 9, 0, tzinfo=UTC)
"""A Monday, 10.00 in Sweden."""

RED_AT = datetime(2027, 3, 26, 9, 0, tzinfo=UTC)
"""Good Friday."""


def switched(kind: SwitchKind, name: str, stand: Stand, until: datetime) -> SwitchState:
    setting = Setting(
        stand=stand,
        until=until,
        reason="vattenläcka",
        by=Actor(who="anna", origin=Origin.CONTROL),
        at=OPEN_AT - timedelta(hours=1),
    )
    return SwitchState(tracks={Switch(kind=kind, name=name): Track(setting=setting)})


def statuses(at: datetime, state: SwitchState | None = None) -> dict[str, LineStatus]:
    config = check(tomllib.loads(SAMPLE.read_text(encoding="utf-8")))
    book = LineBook(config, switched=lambda: state or SwitchState(), now=lambda: at)
    return {one.line: one for one in book.statuses()}


def test_a_line_follows_its_hours_and_says_until_when() -> None:
    told = statuses(OPEN_AT)["kommunen"]
    assert (told.state, told.reason) == ("open", "week")
    assert told.until == datetime(2027, 3, 1, 15, 30, tzinfo=UTC)


def test_a_red_day_is_named_and_the_next_opening_is_told() -> None:
    told = statuses(RED_AT)["kommunen"]
    assert (told.state, told.reason, told.text) == ("closed", "public_holiday", "Långfredagen")
    # Easter Monday is red too, and the clocks are changed on the day before.
    assert told.until == datetime(2027, 3, 30, 6, 0, tzinfo=UTC)


def test_a_line_without_hours_is_always_open() -> None:
    told = statuses(RED_AT)["internt"]
    assert (told.state, told.reason, told.until, told.is_internal) == ("open", "always", None, True)


@pytest.mark.parametrize(
    ("stand", "at", "state"), [(Stand.CLOSED, OPEN_AT, "closed"), (Stand.OPEN, RED_AT, "open")]
)
def test_force_goes_before_hours_until_its_end(stand: Stand, at: datetime, state: str) -> None:
    until = at + timedelta(hours=2)
    forced = switched(SwitchKind.LINE, "kommunen", stand, until)
    told = statuses(at, forced)["kommunen"]
    assert (told.state, told.reason, told.text) == (state, "forced", "vattenläcka")
    assert told.until == until
    assert statuses(until, forced)["kommunen"].reason != "forced"
    assert statuses(at, forced)["avfall"].reason != "forced"


def test_a_notice_is_heard_on_its_lines_while_it_is_on() -> None:
    until = OPEN_AT + timedelta(hours=2)
    on = switched(SwitchKind.NOTICE, "driftstorning", Stand.ON, until)
    assert statuses(OPEN_AT, on)["avfall"].notices == ["driftstorning"]
    assert statuses(until, on)["avfall"].notices == []


def test_goals_are_shown_of_lines_that_have_one() -> None:
    config = check(tomllib.loads(SAMPLE.read_text(encoding="utf-8")))
    book = LineBook(config, switched=SwitchState, now=lambda: OPEN_AT)
    assert book.goals() == {("kommunen",): 0.85}
    assert book.goal_limits() == {("kommunen",): 60.0}
    assert book.open_lines()["kommunen",] == 1.0
