"""Viewers are given something in turns, so that nobody else waits for all of them."""

import asyncio
from collections.abc import AsyncIterator
from datetime import UTC, datetime

import pytest

from ivrd.access import Deed, Grant, Person, Role
from ivrd.web import events
from ivrd.web.events import VIEWERS_PER_TURN, EventStream

VERA = Person(name="vera", grants=(Grant(role=Role.VIEWER),))
AT = datetime(2026, 3, 2, 9, 0, tzinfo=UTC)
VIEWERS = 3 * VIEWERS_PER_TURN + 1


async def present(watched: AsyncIterator[bytes]) -> None:
    """Take all that a viewer gets at first."""
    while b"event: present" not in await anext(watched):
        pass


async def taken_by_turn(watches: list[AsyncIterator[bytes]]) -> list[int]:
    """Return how many viewers were given something in each turn of the loop, until all were."""
    taken = 0

    async def take(watched: AsyncIterator[bytes]) -> None:
        nonlocal taken
        await anext(watched)
        taken += 1

    tasks = [asyncio.create_task(take(watched)) for watched in watches]
    by_turn: list[int] = []
    while not all(task.done() for task in tasks):
        before = taken
        await asyncio.sleep(0)
        if taken > before:
            by_turn.append(taken - before)
    await asyncio.gather(*tasks)
    return by_turn


async def test_news_come_to_some_viewers_in_each_turn_and_to_all_once() -> None:
    stream = EventStream(start="x", now=lambda: AT)
    watches = [stream.watch(lambda: VERA, last_id=None) for _ in range(VIEWERS)]
    for watched in watches:
        await present(watched)
    taking = asyncio.create_task(taken_by_turn(watches))
    for _ in range(10):
        await asyncio.sleep(0)
    for number in range(3):
        stream.publish("queue", "kc", str(number), deed=Deed.SEE_FLOOR, lines=None)
    assert await taking == [VIEWERS_PER_TURN] * 3 + [1]
    assert stream.sent == 3 * VIEWERS


async def test_those_who_come_at_once_get_the_present_in_turns() -> None:
    stream = EventStream(start="x", now=lambda: AT)
    watches = [stream.watch(lambda: VERA, last_id=None) for _ in range(VIEWERS)]
    await asyncio.gather(*(anext(watched) for watched in watches))
    assert await taken_by_turn(watches) == [VIEWERS_PER_TURN] * 3 + [1]


async def test_who_comes_is_told_the_time_before_states_that_may_be_old() -> None:
    stream = EventStream(start="x", now=lambda: AT)
    stream.publish("queue", "kc", "{}", deed=Deed.SEE_FLOOR, lines=None)
    for last_id in (None, "x-0"):
        watched = stream.watch(lambda: VERA, last_id=last_id)
        first = await anext(watched)
        assert first.endswith(b'event: clock\ndata: {"at": "2026-03-02T09:00:00+00:00"}\n\n')


async def test_each_hears_that_the_stream_lives(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(events, "KEEP_ALIVE_S", 0.001)
    stream = EventStream(start="x", now=lambda: AT)
    watched = stream.watch(lambda: VERA, last_id=None)
    await present(watched)
    assert [await anext(watched) for _ in range(3)] == [b"event: heartbeat\ndata: {}\n\n"] * 3


async def test_who_is_in_the_middle_of_the_present_is_let_go_at_the_end() -> None:
    stream = EventStream(start="x", now=lambda: AT)
    watched = stream.watch(lambda: VERA, last_id=None)
    await anext(watched)
    stream.close()
    assert [b"event: present" in part for part in [part async for part in watched]][-1]
    assert stream.viewers == 0
