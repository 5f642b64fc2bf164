"""Pausing members: in order, each once, and a refusal costs nothing but a count."""

import asyncio
from dataclasses import replace
from datetime import UTC, datetime

import pytest
from structlog.testing import capture_logs

from ivrd.ami.actions import LINE_BYTES_MAX, AmiAction
from ivrd.ami.pauses import PAUSES_MAX, Pauses
from ivrd.ami.protocol import AmiCounters
from ivrd.ami.replies import Reply, reply
from ivrd.core.effects import PauseMember
from ivrd.core.ids import Interface, QueueName, SystemName
from ivrd.errors import PeerTimedOut

PAUSE = PauseMember(
    at=datetime(2026, 3, 2, tzinfo=UTC),
    system=SystemName("pbx1"),
    queue=QueueName("kc"),
    interface=Interface("PJSIP/anna"),
    is_paused=True,
    reason="ivrd: label",
)
RELEASE = replace(PAUSE, is_paused=False)

DENIED = b"Response: Error\r\nMessage: Permission denied\r\n\r\n"


class Peer:
    """Takes down what is asked, and answers."""

    def __init__(self, *answers: bytes | Exception) -> None:
        self.asked: list[str] = []
        self.answers = list(answers)

    async def __call__(self, action: AmiAction, *, within_s: float) -> Reply:
        headers = {header.name: header.value for header in action.headers}
        self.asked.append(" ".join([action.name, *headers.values()]))
        answer = self.answers.pop(0) if self.answers else b"Response: Success\r\n\r\n"
        if isinstance(answer, Exception):
            raise answer
        return reply(answer)


async def run(pauses: Pauses, peer: Peer, *effects: PauseMember) -> None:
    task = asyncio.create_task(pauses.run(peer, within_s=1.0), name="pauses")
    for effect in effects:
        pauses.put(effect)
    for _ in range(5 * len(effects) + 5):
        await asyncio.sleep(0)
    task.cancel()
    await asyncio.wait([task])


async def test_a_pause_and_its_end_are_asked_for_in_order() -> None:
    counters, peer = AmiCounters(), Peer()
    await run(Pauses(counters), peer, PAUSE, RELEASE)
    assert peer.asked == [
        "QueuePause kc PJSIP/anna true ivrd: label",
        "QueuePause kc PJSIP/anna false ",
    ]
    assert counters.pauses_refused == 0


@pytest.mark.parametrize("answer", [DENIED, PeerTimedOut("no answer")])
async def test_a_refusal_is_counted_each_time_and_said_once(answer: bytes | Exception) -> None:
    counters, peer = AmiCounters(), Peer(answer, answer)
    with capture_logs() as logs:
        await run(Pauses(counters), peer, PAUSE, RELEASE, PAUSE)
    assert len(peer.asked) == 3, "it goes on"
    assert counters.pauses_refused == 2
    assert [entry["event"] for entry in logs] == ["pause_refused"]


async def test_what_waited_on_a_connection_that_is_gone_is_not_asked_on_the_next() -> None:
    pauses, peer = Pauses(AmiCounters()), Peer()
    pauses.put(PAUSE)
    pauses.forget()
    await run(pauses, peer)
    assert peer.asked == []


def test_a_last_word_lets_go_and_pauses_nobody_any_more() -> None:
    pauses, other = Pauses(AmiCounters()), replace(RELEASE, interface=Interface("PJSIP/olle"))
    for effect in (PAUSE, RELEASE, other):
        pauses.put(effect)
    told = [{each.name: each.value for each in one.headers} for one in pauses.take_releases()]
    assert [(one["Interface"], one["Paused"]) for one in told] == [
        ("PJSIP/anna", "false"),
        ("PJSIP/olle", "false"),
    ]
    assert pauses.take_releases() == []


def test_a_name_that_is_not_fit_costs_the_others_not_their_last_word() -> None:
    counters = AmiCounters()
    pauses = Pauses(counters)
    for name in ("PJSIP/an\x01na", "PJSIP/" + "x" * LINE_BYTES_MAX, "PJSIP/olle"):
        pauses.put(replace(RELEASE, interface=Interface(name)))
    with capture_logs() as logs:
        [told] = pauses.take_releases()
    assert "PJSIP/olle" in [header.value for header in told.headers]
    assert counters.pauses_refused == 2
    assert [line["event"] for line in logs] == ["pause_refused", "pause_refused"]
    assert "control character" in logs[0]["reason"]


async def test_too_many_are_counted_and_dropped() -> None:
    counters = AmiCounters()
    pauses = Pauses(counters)
    for _ in range(PAUSES_MAX + 1):
        pauses.put(PAUSE)
    assert counters.pauses_refused == 1
