"""Who is right when Asterisk's own database and we say different things of a switch."""

import re
from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ivrd.core.switch_entries import (
    Adopt,
    Held,
    Keep,
    Write,
    act_of,
    decide,
    entries_of,
    value_of,
)
from ivrd.core.switches import Actor, Origin, Setting, Stand, Switch, SwitchKind

NOW = datetime(2026, 11, 21, 14, 0, 0, tzinfo=UTC)
UNTIL = datetime(2026, 11, 21, 18, 0, tzinfo=UTC)
EPOCH = "1795284000"
LINE = Switch(kind=SwitchKind.LINE, name="kommunen")
NOTICE = Switch(kind=SwitchKind.NOTICE, name="driftstorning")
ANNA = Actor(who="anna", origin=Origin.CONTROL)
CLOSED = Setting(
    stand=Stand.CLOSED,
    until=UNTIL,
    reason="Utrymning",
    by=ANNA,
    at=NOW - timedelta(minutes=10),
)
FREE = Setting(
    stand=Stand.FREE, until=None, reason="", by=ANNA, at=CLOSED.at + timedelta(minutes=5)
)
OPEN = replace(CLOSED, stand=Stand.OPEN, at=FREE.at)


def held(setting: Setting, *, now: datetime = NOW) -> Held:
    """Return what a PBX has that got a setting from us."""
    entries = entries_of(LINE, setting, now)
    return Held(value=entries.value, act=entries.act)


BLANK = Held(value="", act="")


def decided(desired: Setting | None, found: Held, *, now: datetime = NOW) -> object:
    return decide(LINE, desired, found, system="pbx1", now=now)


def test_the_value_holds_what_the_dialplan_needs_and_no_more() -> None:
    assert value_of(SwitchKind.LINE, CLOSED.means(NOW)) == f"closed {EPOCH}"
    assert value_of(SwitchKind.NOTICE, replace(CLOSED, stand=Stand.ON).means(NOW)) == EPOCH
    assert value_of(SwitchKind.LINE, FREE.means(NOW)) == ""
    assert value_of(SwitchKind.LINE, CLOSED.means(UNTIL)) == ""


@given(st.text(max_size=300))
def test_whatever_somebody_is_called_is_harmless_in_a_dialplan(who: str) -> None:
    text = act_of(replace(CLOSED, by=Actor(who=who, origin=Origin.API), reason=who))
    assert re.fullmatch(r"[A-Za-z0-9._@/-]{1,120}", text)
    # It can be read again, so the value beside it is not taken for somebody's hand.
    found = Held(value=f"closed {EPOCH}", act=text)
    assert isinstance(decided(None, found), Adopt)
    adopted = decided(None, found)
    assert isinstance(adopted, Adopt)
    assert adopted.setting.by.origin is Origin.API


def test_the_same_on_both_sides_needs_nothing() -> None:
    assert decided(CLOSED, held(CLOSED)) == Keep()
    assert decided(FREE, held(FREE)) == Keep()
    assert decided(None, BLANK) == Keep()


def test_a_pbx_that_was_away_gets_what_was_decided_meanwhile() -> None:
    assert decided(FREE, held(CLOSED)) == entries_of(LINE, FREE, NOW)
    assert decided(CLOSED, BLANK) == entries_of(LINE, CLOSED, NOW)
    assert decided(OPEN, held(CLOSED)) == entries_of(LINE, OPEN, NOW)


def test_what_a_pbx_knows_of_later_is_right_also_when_our_file_is_lost() -> None:
    for desired, later in ((None, CLOSED), (CLOSED, OPEN), (CLOSED, FREE)):
        decision = decided(desired, held(later))
        assert decision == Adopt(setting=replace(later, reason="")), (desired, later)


@pytest.mark.parametrize("desired", [None, CLOSED, FREE, replace(OPEN, at=NOW)])
def test_a_value_written_by_hand_wins_over_all_that_we_decided(desired: Setting | None) -> None:
    for act in ("", act_of(CLOSED), "garbage"):
        found = Held(value=f"open {int(EPOCH) + 60}", act=act)
        decision = decided(desired, found)
        assert isinstance(decision, Adopt)
        setting = decision.setting
        assert (setting.stand, setting.until) == (Stand.OPEN, UNTIL + timedelta(minutes=1))
        assert setting.by == Actor(who="somebody on pbx1", origin=Origin.HAND)
        assert setting.at >= NOW
        assert desired is None or setting.version > desired.version


def test_a_value_taken_away_by_hand_frees_the_switch() -> None:
    decision = decided(CLOSED, Held(value="", act=act_of(CLOSED)))
    assert isinstance(decision, Adopt)
    assert decision.setting.stand is Stand.FREE
    assert decision.setting.by.origin is Origin.HAND


def test_a_hand_that_wrote_what_we_wanted_only_gets_its_act_entry() -> None:
    decision = decided(CLOSED, Held(value=f"closed {EPOCH}", act=""))
    assert decision == Write(value=f"closed {EPOCH}", act=act_of(CLOSED))


def test_what_has_ended_is_taken_away_and_is_nobodys_hand() -> None:
    assert decided(CLOSED, held(CLOSED), now=UNTIL) == Write(value="", act=act_of(CLOSED))
    by_hand = Held(value=f"open {int(NOW.timestamp())}", act="")
    assert decided(None, by_hand) == Write(value="", act="")
    assert decided(CLOSED, held(CLOSED), now=UNTIL - timedelta(seconds=1)) == Keep()


def test_an_end_on_one_side_only_is_no_difference() -> None:
    ended = replace(FREE, stand=Stand.OPEN, until=NOW - timedelta(seconds=1))
    assert decided(ended, held(FREE)) == Write(value="", act=act_of(ended))


@pytest.mark.parametrize(
    "value", ["closed", "stängt 1795284000", f"closed  {EPOCH}", "1795284000", "open 99999999999"]
)
def test_a_value_that_nobody_can_read_is_replaced_and_told(value: str) -> None:
    found = Held(value=value, act=act_of(CLOSED))
    assert decided(CLOSED, found) == Write(
        value=f"closed {EPOCH}", act=act_of(CLOSED), is_unreadable=True
    )
    assert decided(None, Held(value=value, act="")) == Write(value="", act="", is_unreadable=True)


def test_a_notice_written_by_hand_is_on() -> None:
    decision = decide(NOTICE, None, Held(value=EPOCH, act=""), system="pbx1", now=NOW)
    assert isinstance(decision, Adopt)
    assert (decision.setting.stand, decision.setting.until) == (Stand.ON, UNTIL)


settings = st.one_of(
    st.none(),
    st.builds(
        lambda stand, minutes, age: Setting(
            stand=stand,
            until=None if stand is Stand.FREE else NOW + timedelta(minutes=minutes),
            reason="",
            by=ANNA,
            at=NOW - timedelta(minutes=age),
        ),
        st.sampled_from([Stand.OPEN, Stand.CLOSED, Stand.FREE]),
        st.integers(-5, 5),
        st.integers(0, 5),
    ),
)
values = st.one_of(
    st.just(""),
    st.sampled_from(["x", "closed"]),
    st.builds(
        lambda stand, minutes: f"{stand} {int(NOW.timestamp()) + 60 * minutes}",
        st.sampled_from(["open", "closed"]),
        st.integers(-5, 5),
    ),
)


@given(settings, settings, values)
def test_one_step_makes_both_sides_agree(
    desired: Setting | None, written: Setting | None, value: str
) -> None:
    found = Held(value=value, act="" if written is None else act_of(written))
    decision = decided(desired, found)
    if isinstance(decision, Adopt):
        desired = decision.setting
        decision = entries_of(LINE, desired, NOW)
    if isinstance(decision, Write):
        found = Held(value=decision.value, act=decision.act)
    assert decided(desired, found) == Keep()
