"""Questions on the control socket: which are any, and what the answers say."""

import contextlib
import json
from datetime import UTC, datetime

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ivrd.control import QUESTIONS, act_of, answer_to, parse
from ivrd.control_agents import BadQuestion
from ivrd.core.ids import SystemName
from ivrd.core.switches import (
    Actor,
    ActOutcome,
    LineForced,
    LineReleased,
    NoticeOff,
    NoticeOn,
    Origin,
    RuleReleased,
    RuleSet,
    Setting,
    Stand,
    Switch,
    SwitchKind,
)
from ivrd.switches import ActResult

UNTIL = datetime(2026, 11, 21, 18, 0, tzinfo=UTC)
TEXT = UNTIL.isoformat()
LINE = Switch(kind=SwitchKind.LINE, name="kommunen")
CLOSED = Setting(
    stand=Stand.CLOSED,
    until=UNTIL,
    reason="Utrymning",
    by=Actor(who="anna as root", origin=Origin.CONTROL),
    at=datetime(2026, 11, 21, 14, 0, tzinfo=UTC),
)


def test_each_act_is_what_it_says() -> None:
    forced = {"name": "kommunen", "until": TEXT, "reason": "x"}
    assert act_of({"do": "notice_on", **forced}) == NoticeOn(
        notice="kommunen", until=UNTIL, reason="x"
    )
    assert act_of({"do": "notice_off", "name": "a"}) == NoticeOff(notice="a")
    assert act_of({"do": "line_open", **forced}) == LineForced(
        line="kommunen", state=Stand.OPEN, until=UNTIL, reason="x"
    )
    closed = act_of({"do": "line_close", **forced})
    assert isinstance(closed, LineForced)
    assert closed.state is Stand.CLOSED
    assert act_of({"do": "line_release", "name": "a", "reason": "y"}) == LineReleased(
        line="a", reason="y"
    )


@pytest.mark.parametrize(
    ("line", "told"),
    [
        (b"", "one line of JSON"),
        (b"\xff\xfe\n", "one line of JSON"),
        (b"[" * 5000, "one line of JSON"),
        (b"[]", "JSON object"),
        (b"17", "JSON object"),
        (b"{}", "do: one of notice_on"),
        (b'{"do":["status"]}', "do: one of"),
        (b'{"do":"stop"}', "do: one of"),
        (b'{"do":"status","name":"x"}', "'name' does not belong to status"),
        (b'{"do":"notice_off","name":"x","until":"now"}', "'until' does not belong"),
    ],
)
def test_what_is_no_question_is_told_so(line: bytes, told: str) -> None:
    with pytest.raises(BadQuestion, match=told):
        parse(line)


@pytest.mark.parametrize(
    ("part", "told"),
    [
        ({"name": None}, "name"),
        ({"name": "Kommunen"}, "name"),
        ({"name": "a b"}, "name"),
        ({"name": "a\n"}, "name"),
        ({"name": "../x"}, "name"),
        ({"name": "x" * 65}, "name"),
        ({"until": "tomorrow"}, "until"),
        ({"until": 1795284000}, "until"),
        ({"until": None}, "until"),
        ({"reason": 3}, "reason"),
        ({"reason": None}, "reason"),
    ],
)
def test_a_part_that_is_wrong_is_named(part: dict[str, object], told: str) -> None:
    sound = {"do": "notice_on", "name": "driftstorning", "until": TEXT, "reason": "x"}
    with pytest.raises(BadQuestion, match=f"^{told}"):
        act_of({**sound, **part})


json_values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=20),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=5), inner),
    max_leaves=5,
)


@given(
    st.sampled_from(sorted(QUESTIONS)),
    st.dictionaries(st.sampled_from(["name", "until", "reason", "kind", "x"]), json_values),
)
def test_no_question_is_more_than_an_act_or_bad(word: str, parts: dict[str, object]) -> None:
    with contextlib.suppress(BadQuestion):
        act_of({"do": word, **parts})


@given(st.binary(max_size=200))
def test_no_line_is_more_than_a_question_or_bad(line: bytes) -> None:
    with contextlib.suppress(BadQuestion):
        parse(line)


def test_a_conflict_says_who_did_what_and_when() -> None:
    answer = answer_to(ActResult(outcome=ActOutcome.CONFLICT, switch=LINE, setting=CLOSED))
    assert answer["ok"] is False
    assert answer["error"] == "conflict"
    assert answer["text"] == (
        "line kommunen: anna as root has set it to closed until 2026-11-21T18:00:00+00:00 at "
        "2026-11-21T14:00:00+00:00 (Utrymning)"
    )
    setting = answer["setting"]
    assert isinstance(setting, dict)
    assert setting["version"] == CLOSED.version


def test_an_act_that_waits_for_a_pbx_is_taken_and_says_for_which() -> None:
    result = ActResult(
        outcome=ActOutcome.PENDING,
        switch=LINE,
        setting=CLOSED,
        pending={SystemName("pbx2"): "not connected"},
    )
    answer = answer_to(result)
    assert (answer["ok"], answer["outcome"]) == (True, "pending")
    assert answer["pending"] == {"pbx2": "not connected"}
    assert "error" not in answer


def test_a_rule_is_set_and_released() -> None:
    until = "2026-11-21T18:00:00+01:00"
    question = {"do": "rule_set", "name": "rush", "until": until, "reason": "Prov"}
    parsed = parse(json.dumps({**question, "stand": "dry_run"}).encode())
    assert act_of(parsed) == RuleSet(
        rule="rush",
        state=Stand.DRY_RUN,
        until=datetime.fromisoformat(until),
        reason="Prov",
    )
    assert act_of({"do": "rule_release", "name": "rush"}) == RuleReleased(rule="rush")
    for stand in ("free", "open", None, []):
        with pytest.raises(BadQuestion, match="stand: one of dry_run, forced, off, on"):
            act_of({**question, "stand": stand})
