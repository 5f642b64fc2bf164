"""Handing over, against receivers that are down, broken, slow, or answer twice; on both databases.

A receiver's own keys and order are looked at, and its signature check is its own.
"""

import asyncio
import json
from collections.abc import Callable, Sequence
from datetime import timedelta
from pathlib import Path

import pytest
from sqlalchemy.ext.asyncio import AsyncEngine

from ivrd.core.case_messages import MessageState
from ivrd.core.switches import Actor, Origin
from ivrd.db.case_message_desk import MessageDesk
from ivrd.db.models import ActRow
from ivrd.handover.sender import AT_ONCE
from ivrd.handover.signing import new_secret
from tests.integration.db.handover_samples import (
    SECRET,
    SHORT,
    SwiftClock,
    a_case_key,
    a_destination,
    a_file_drop,
    a_webhook,
    all_are,
    sending,
    write,
)
from tests.integration.db.samples import Database, an_engine, eventually, rows_in
from tests.lab.case_systems import Receiver
from tests.lab.http_server import HttpServer, Manner, Reply, Request

pytestmark = pytest.mark.asyncio(loop_scope="session")

CASES = range(1, 5)
VERSIONS = (1, 2, 3)
ANNA = Actor(who="anna", origin=Origin.CONTROL)


async def write_cases(
    engine: AsyncEngine, destination: str = "tekniska", *, cases: Sequence[int] = CASES
) -> None:
    """Write three messages of each case, the cases mixed."""
    for version in VERSIONS:
        for case_id in cases:
            await write(engine, case_id, version, destination=destination)


def assert_each_once_and_in_order(receiver: Receiver, *, cases: Sequence[int] = CASES) -> None:
    assert len(receiver.keys) == len(set(receiver.keys)) == len(cases) * len(VERSIONS)
    in_order = [f"{version:010}" for version in VERSIONS]
    assert [receiver.order(a_case_key(case)) for case in cases] == [in_order] * len(cases)
    assert receiver.refused == []


async def test_a_receiver_that_is_down_for_an_hour_gets_each_case_once_and_in_order(
    engine: AsyncEngine, tmp_path: Path
) -> None:
    receiver = Receiver([SECRET])
    clock = SwiftClock(waiters=2)
    began = clock.at
    await write_cases(engine)
    await write_cases(engine, destination="arkiv")
    async with HttpServer.start(receiver) as server:
        await server.stop()
        clock.alarms = [(began + timedelta(hours=1), server.resume)]
        archive = a_destination(a_file_drop(tmp_path / "arkiv"), name="arkiv")
        async with sending(engine, a_destination(a_webhook(server)), archive, clock=clock) as it:
            await eventually(lambda: it.tallies["arkiv"].sent == 12, what="the other one is served")
            assert it.tallies["tekniska"].sent == 0
            sent = await all_are(engine, MessageState.SENT)
            assert it.tallies["tekniska"].trouble is None
    assert_each_once_and_in_order(receiver)
    assert set(receiver.arrivals.values()) == {1}
    ours = [one for one in sent if one.destination == "tekniska"]
    late = [one.sent_at - began for one in ours if one.sent_at is not None]
    assert timedelta(hours=1) <= min(late)
    assert max(late) <= timedelta(hours=1, minutes=6), "a pause lasts at most five minutes"
    assert sum(one.attempts - 1 for one in ours) < 60, "who is away is not hammered at"
    assert {one.external_id for one in ours} == {f"K-{case}" for case in CASES}


async def test_errors_cut_connections_silence_and_double_answers_double_nothing(
    engine: AsyncEngine,
) -> None:
    moods = [
        Reply(status=500),
        None,
        Reply(manner=Manner.CUT),
        Reply(status=503, headers={"retry-after": "7"}),
        Reply(manner=Manner.TWICE),
        Reply(status=500, body={"title": "done all the same"}),
        None,
        Reply(manner=Manner.TWICE, after_s=0.05),
        Reply(status=409),
        Reply(status=429),
        Reply(manner=Manner.CUT),
    ]
    receiver = Receiver(
        [SECRET],
        mood=lambda count: moods[count % len(moods)],
        carries_out=lambda reply: reply.status == 200 or reply.body is not None,
    )
    await write_cases(engine)
    clock = SwiftClock()
    async with (
        HttpServer.start(receiver) as server,
        sending(engine, a_destination(a_webhook(server)), clock=clock),
    ):
        await all_are(engine, MessageState.SENT)
    assert_each_once_and_in_order(receiver)
    assert max(receiver.arrivals.values()) > 1, "the receiver knew repeats by their key"


async def test_what_is_accepted_in_silence_is_sent_again_with_the_same_key(
    engine: AsyncEngine,
) -> None:
    silent = Reply(manner=Manner.SILENT)
    receiver = Receiver([SECRET], mood=lambda count: silent if count <= 2 else None)
    await write(engine, 1)
    async with (
        HttpServer.start(receiver) as server,
        sending(engine, a_destination(a_webhook(server), timeout=SHORT), clock=SwiftClock()),
    ):
        [sent] = await all_are(engine, MessageState.SENT)
    assert receiver.arrivals == {sent.key: sent.attempts}
    assert sent.attempts >= 3
    assert sent.last_error is None


async def test_a_refused_message_is_dead_until_a_person_sends_it_again(
    engine: AsyncEngine,
) -> None:
    """Meanwhile the later ones of its case wait, and the other cases do not."""
    is_mended = False

    def mood(_: int) -> Reply | None:
        body = {"title": "Bad Request", "detail": "no such category for 0701740605"}
        return None if is_mended else Reply(status=400, body=body)

    receiver = Receiver([SECRET], mood=mood)
    clock = SwiftClock()
    await write(engine, 1, 1)
    async with (
        HttpServer.start(receiver) as server,
        sending(engine, a_destination(a_webhook(server)), clock=clock) as sender,
    ):
        [dead] = await all_are(engine, MessageState.DEAD)
        assert dead.last_error is not None
        assert dead.last_error.startswith("HTTP 400; Bad Request; no such category")
        assert "0701740605" not in dead.last_error
        is_mended = True
        await write(engine, 1, 2)
        await write(engine, 2, 1)
        sender.wake()
        await eventually(lambda: sender.tallies["tekniska"].sent == 1, what="the other case")
        assert receiver.order(a_case_key(1)) == []
        assert sender.tallies["tekniska"].died == 1
        assert await MessageDesk(engine).resend([dead.message_id], ANNA, at=clock.now()) == [
            dead.message_id
        ]
        await all_are(engine, MessageState.SENT)
    assert receiver.order(a_case_key(1)) == ["0000000001", "0000000002"]
    assert await rows_in(engine, ActRow) == 1


async def test_a_dropped_message_lets_the_later_ones_of_its_case_go_on(
    engine: AsyncEngine,
) -> None:
    receiver = Receiver([SECRET], mood=lambda count: Reply(status=404) if count == 1 else None)
    clock = SwiftClock()
    await write(engine, 1, 1)
    async with (
        HttpServer.start(receiver) as server,
        sending(engine, a_destination(a_webhook(server)), clock=clock),
    ):
        [dead] = await all_are(engine, MessageState.DEAD)
        await write(engine, 1, 2)
        ids = [dead.message_id]
        assert await MessageDesk(engine).drop(ids, ANNA, at=clock.now(), reason="Dubblett") == ids
        await all_are(engine, MessageState.DROPPED, MessageState.SENT)
        assert await MessageDesk(engine).drop(ids, ANNA, at=clock.now(), reason="Igen") == []
    assert receiver.order(a_case_key(1)) == ["0000000002"]
    [dropped] = await MessageDesk(engine).messages(states=[MessageState.DROPPED])
    assert dropped.settled_why == "Dubblett"


async def test_after_the_last_try_a_message_is_dead(engine: AsyncEngine) -> None:
    receiver = Receiver([SECRET], mood=lambda _: Reply(status=500))
    await write(engine, 1)
    async with (
        HttpServer.start(receiver) as server,
        sending(engine, a_destination(a_webhook(server), attempts_max=4), clock=SwiftClock()),
    ):
        [dead] = await all_are(engine, MessageState.DEAD)
    assert (dead.attempts, receiver.count) == (4, 4)


async def test_a_wrong_secret_buries_nothing_and_is_mended_by_a_second_one(
    engine: AsyncEngine,
) -> None:
    new = new_secret()
    receiver = Receiver([new])
    clock = SwiftClock()
    began = clock.at
    await write(engine, 1)
    async with HttpServer.start(receiver) as server:
        async with sending(engine, a_destination(a_webhook(server)), clock=clock) as sender:
            await eventually(lambda: len(receiver.refused) >= 2, what="refused twice")
            assert clock.at - began >= timedelta(minutes=5), "a person is needed: no hurry"
            assert (sender.tallies["tekniska"].trouble or "").startswith("HTTP 401")
        both = a_destination(a_webhook(server, SECRET, new))
        async with sending(engine, both, clock=clock):
            await all_are(engine, MessageState.SENT)
    assert len(receiver.keys) == 1


async def test_several_daemons_share_the_messages_without_sending_any_twice(
    database: Database, engine: AsyncEngine
) -> None:
    receiver = Receiver([SECRET], mood=lambda _: Reply(after_s=0.01))
    many = range(1, 13)
    await write_cases(engine, cases=many)
    both_are_here = asyncio.Event()

    async def share(request: Request) -> Reply:
        """Keep one waiting until there are more requests than it sends, so the other one's too."""
        reply = await receiver(request)
        if receiver.count > AT_ONCE:
            both_are_here.set()
        await both_are_here.wait()
        return reply

    async with HttpServer.start(share) as server, an_engine(database.config) as other:
        one, two = a_destination(a_webhook(server)), a_destination(a_webhook(server))
        async with sending(engine, one) as first, sending(other, two) as second:
            await all_are(engine, MessageState.SENT)
            shares = [it.tallies["tekniska"].sent for it in (first, second)]
    assert_each_once_and_in_order(receiver, cases=many)
    assert set(receiver.arrivals.values()) == {1}
    assert min(shares) > 0
    assert sum(shares) == 36


@pytest.mark.parametrize("is_carried_out", [True, False])
async def test_a_sender_that_dies_in_the_middle_leaves_its_messages_to_the_next(
    engine: AsyncEngine, is_carried_out: bool
) -> None:
    silent = Reply(manner=Manner.SILENT)
    receiver = Receiver(
        [SECRET],
        mood=lambda count: silent if count == 1 else None,
        carries_out=lambda reply: is_carried_out or reply.manner is not Manner.SILENT,
    )
    clock = SwiftClock()
    began = clock.at
    await write(engine, 1, 1)
    await write(engine, 1, 2)
    async with HttpServer.start(receiver) as server:
        destination = a_destination(a_webhook(server), timeout=timedelta(seconds=20))
        async with sending(engine, destination, clock=clock):
            await eventually(lambda: receiver.count == 1, what="under way")
        async with sending(engine, a_destination(a_webhook(server)), clock=clock):
            sent = await all_are(engine, MessageState.SENT)
    assert receiver.order(a_case_key(1)) == ["0000000001", "0000000002"]
    assert sorted(receiver.arrivals.values()) == ([1, 2] if is_carried_out else [1, 1])
    assert sent[0].attempts == 2
    assert clock.at - began >= timedelta(seconds=20), "the claim had to end first"


async def test_a_redirect_is_refused_and_not_followed(engine: AsyncEngine) -> None:
    async def redirect(_: object) -> Reply:
        return Reply(status=307, headers={"location": elsewhere.url})

    receiver = Receiver([SECRET])
    await write(engine, 1)
    async with HttpServer.start(receiver) as elsewhere, HttpServer.start(redirect) as server:
        async with sending(engine, a_destination(a_webhook(server)), clock=SwiftClock()):
            [dead] = await all_are(engine, MessageState.DEAD)
        assert elsewhere.requests == 0
    assert "a redirect is not followed" in (dead.last_error or "")


async def test_files_appear_whole_once_and_in_order(engine: AsyncEngine, tmp_path: Path) -> None:
    drop_place = tmp_path / "arkiv"
    await write_cases(engine, destination="arkiv")
    clock = SwiftClock()
    archive = a_destination(a_file_drop(drop_place), name="arkiv")
    drop_place.rmdir()
    clock.alarms = [(clock.at + timedelta(minutes=10), make(drop_place))]
    async with sending(engine, archive, clock=clock):
        sent = await all_are(engine, MessageState.SENT)
    files = sorted(drop_place.iterdir())
    assert [file.suffix for file in files] == [".json"] * 12
    events = [json.loads(file.read_text(encoding="utf-8")) for file in files]
    told = [(event["data"]["case"]["case_id"], event["sequence"]) for event in events]
    assert told == [(case, f"{version:010}") for case in CASES for version in VERSIONS]
    # The same once more: what is there stays as it is.
    files[0].write_text("fetched", encoding="utf-8")
    [first] = [one for one in sent if (one.case_id, one.version) == (1, 1)]
    assert await MessageDesk(engine).resend([first.message_id], ANNA, at=clock.now()) == []
    assert files[0].read_text(encoding="utf-8") == "fetched"


def make(directory: Path) -> Callable[[], "asyncio.Future[None]"]:
    def it() -> "asyncio.Future[None]":
        directory.mkdir()
        done: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        done.set_result(None)
        return done

    return it
