"""Labels that guides press on their telephones: whose code counts, and for which call."""

from collections.abc import Iterable
from dataclasses import replace
from datetime import datetime

import pytest

from ivrd.core import effects as do
from ivrd.core import events as on
from ivrd.core import journal
from ivrd.core.effects import RecordCallAct, ReportUnexpected
from ivrd.core.ids import CallId, QueueName
from ivrd.core.journal import JournalRow
from ivrd.core.labelling import label_pressed
from ivrd.core.tracker import Tracker
from tests.unit.core.story import GUIDES, SYSTEM, at, cid, floor_rules, member, pass_deadlines, read

RULES = replace(floor_rules(), labels={"waste": "technical", "permit": "planning"})

ANSWERED = """
    0    arrived    c1  main
    2    joined     c1  guides
    5    left       c1  guides
    5    connected  c1  guides  anna  leg=a1
"""


def pressed(
    seconds: float,
    label: str = "waste",
    *,
    call: str = "c1",
    leg: str = "a1",
    is_after: bool = False,
    is_half: bool = False,
) -> on.LabelPressed:
    when = at(seconds)
    return on.LabelPressed(
        at=when,
        system=SYSTEM,
        call_id=CallId(cid(call)),
        queue=GUIDES,
        label=label,
        is_half=is_half,
        is_after=is_after,
        pressed_at=when.replace(microsecond=0),
        channel_id=cid(leg),
        channel="PJSIP/anna-00000007",
    )


def play(*parts: str | on.LabelPressed) -> list[do.Effect]:
    """Return the effects of parts of a story, with what comes of them later."""
    tracker = Tracker(system=SYSTEM, rules=RULES)
    tracker.apply(replace(member("guides", "PJSIP/anna"), member_name="anna"))
    events = [each for part in parts for each in (read(part) if isinstance(part, str) else [part])]
    effects = [effect for event in events for effect in tracker.apply(event)]
    return effects + pass_deadlines(tracker)


def acts(effects: Iterable[do.Effect]) -> list[str]:
    return [
        f"{act.call_id.partition('/')[2]} {act.what} {act.value} {act.agent}".replace("  ", " ")
        for act in effects
        if isinstance(act, RecordCallAct)
    ]


def odd(effects: Iterable[do.Effect]) -> list[str]:
    return [effect.state for effect in effects if isinstance(effect, ReportUnexpected)]


def test_a_code_during_the_call_is_kept_at_once() -> None:
    effects = play(ANSWERED, pressed(20))
    assert acts(effects) == ["c1 label waste anna"]
    [act] = [effect for effect in effects if isinstance(effect, RecordCallAct)]
    assert (act.department, act.from_where, act.at) == ("technical", "phone", at(20))


def test_half_helped_is_said_before_the_label() -> None:
    assert acts(play(ANSWERED, pressed(20, is_half=True))) == [
        "c1 half_helped anna",
        "c1 label waste anna",
    ]


def test_the_last_code_counts_and_each_is_an_act_of_its_own() -> None:
    effects = play(ANSWERED, pressed(20), pressed(22, "permit"))
    assert acts(effects) == ["c1 label waste anna", "c1 label permit anna"]
    ids = {effect.act_id for effect in effects if isinstance(effect, RecordCallAct)}
    assert len(ids) == 2


@pytest.mark.parametrize("leg", ["c1", "official"])
def test_a_code_of_anybody_else_is_not_believed(leg: str) -> None:
    effects = play(ANSWERED, pressed(20, leg=leg))
    assert (acts(effects), odd(effects)) == ([], ["not an agent"])


def test_a_code_that_is_no_label_any_more_changes_nothing() -> None:
    effects = play(ANSWERED, pressed(20, "gone"))
    assert (acts(effects), odd(effects)) == ([], ["no such label"])


@pytest.mark.parametrize("seconds", [31, 40])
def test_a_code_after_the_call_counts_also_when_the_call_is_decided(seconds: float) -> None:
    gone = "30 hung_up c1"
    passed = f"{seconds - 1} passed"
    effects = play(ANSWERED, gone, passed, pressed(seconds, is_after=True))
    assert (acts(effects), odd(effects)) == (["c1 label waste anna"], [])


def test_a_code_of_a_call_never_heard_of_is_reported() -> None:
    effects = play(ANSWERED, pressed(40, call="c2", is_after=True))
    assert (acts(effects), odd(effects)) == ([], ["no call"])


ASKED_FIRST = """
    10   joined     x1  guides  linked=c1
    12   left       x1  guides
    12   connected  x1  guides  olle  leg=a2
    14   attended   a1  x1  target=a2
"""


@pytest.mark.parametrize("seconds", [20, 31, 40])
def test_who_was_asked_first_knows_the_call_by_another_name(seconds: float) -> None:
    code = pressed(seconds, call="x1", leg="a2", is_after=seconds > 30)
    before = (code,) if seconds < 30 else ()
    after = (code,) if seconds > 30 else ()
    effects = play(ANSWERED, ASKED_FIRST, *before, "30 hung_up c1", f"{seconds} passed", *after)
    assert [act.split()[0] for act in acts(effects)] == ["c1"]


def row(seconds: float, *data: str, event: str = journal.LABEL) -> JournalRow:
    return JournalRow(
        at=at(seconds),
        system=SYSTEM,
        call_id=CallId(cid("c1")),
        queue=GUIDES if event == journal.LABEL else QueueName("NONE"),
        agent="NONE",
        event=event,
        data=data,
    )


def label_row(seconds: float) -> JournalRow:
    pressed_s = str(int(at(seconds).timestamp()))
    return row(seconds, "waste", "half", "after", pressed_s, "PJSIP/anna-00000007", "a1")


def test_a_row_of_the_journal_is_the_same_act_as_the_event() -> None:
    [told] = label_pressed(label_row(40))
    live = pressed(40.7, is_after=True, is_half=True)
    assert replace(told, at=live.at) == live


@pytest.mark.parametrize("data", [(), ("waste", "half", "after", "soon", "PJSIP/anna-1", "a1")])
def test_a_row_that_is_cut_tells_nothing(data: tuple[str, ...]) -> None:
    assert list(label_pressed(row(40, *data))) == []


def journal_read(when: datetime, *rows: JournalRow) -> on.JournalRead:
    return on.JournalRead(at=when, system=SYSTEM, rows=rows)


def test_a_label_in_a_gap_comes_to_a_call_that_was_decided_before() -> None:
    tracker = Tracker(system=SYSTEM, rules=RULES)
    tracker.remember_finished([CallId(cid("c1"))])
    missed = tracker.catch_up(journal_read(at(60), label_row(40)))
    effects = [effect for event in missed for effect in tracker.apply(event)]
    assert acts(effects) == ["c1 half_helped PJSIP/anna", "c1 label waste PJSIP/anna"]


def test_a_label_during_a_call_in_a_gap_comes_after_its_answer() -> None:
    tracker = Tracker(system=SYSTEM, rules=RULES)
    told = str(int(at(8).timestamp()))
    missed = tracker.catch_up(
        journal_read(
            at(60),
            row(0, "main", "PJSIP/c1", event=journal.ARRIVED),
            replace(row(1, "", "", "1", event="ENTERQUEUE"), queue=GUIDES),
            replace(row(2, "1", "a1", "1", event="CONNECT"), queue=GUIDES, agent="anna"),
            row(8, "waste", "whole", "during", told, "PJSIP/anna-00000007", "a1"),
            row(9, event=journal.END),
        )
    )
    effects = [effect for event in missed for effect in tracker.apply(event)]
    assert acts(effects) == ["c1 label waste anna"]
