"""Our AMI client against a real Asterisk: rights, filters, snapshot, heartbeat, withdraw."""

import asyncio
import contextlib
import socket
from collections.abc import AsyncIterator, Callable
from datetime import timedelta
from pathlib import Path

import pytest
import pytest_asyncio
from pydantic import SecretStr

from ivrd.ami.client import AmiClient
from ivrd.ami.filters import asterisk_version, event_filter_lines
from ivrd.ami.record import Recorder, read_frames, replay
from ivrd.ami.surroundings import Deadlines
from ivrd.clock import AsteriskClock
from ivrd.core.effects import MoveCaller
from ivrd.core.events import (
    CallArrived,
    CallerJoined,
    ChannelHungUp,
    Event,
    HangupRequested,
    MemberChanged,
    MoveRefused,
    QueueExited,
    SnapshotTaken,
)
from ivrd.core.ids import CallId, QueueName, SystemName
from ivrd.errors import CredentialsRefused, RightMissing
from ivrd.retry import Backoff
from tests.lab.pbx import Pbx, PbxPlan
from tests.lab.processes import POLL_S
from tests.lab.root import Asterisk, find_asterisk

pytestmark = pytest.mark.asyncio(loop_scope="module")

SOON_S = 30.0

DIALPLAN = """[from-citizens]
exten => _X.,1,Answer()
 same => n,UserEvent(IvrdArrived,Line: main)
 same => n,Wait(1)
 same => n,Hangup()

[waiting]
exten => s,1,Set(CALLERID(all)=Åsa <0313900612>)
 same => n,UserEvent(IvrdArrived,Line: main)
 same => n,UserEvent(Other,Line: main)
 same => n,Set(QUEUESTATUS=)
 same => n,Queue(guides,t,,,20)
 same => n,Set(INFO=${QUEUE_WITHDRAW_INFO})
 same => n,UserEvent(IvrdQueueExit,Queue: guides,Status: ${QUEUESTATUS},Info: ${INFO})
 same => n,Hangup()

[dialling]
exten => s,1,Dial(Local/s@answering)

[answering]
exten => s,1,Answer()
 same => n,Wait(1)
"""

QUEUES = """[guides]
strategy = rrmemory
member => Local/s@nowhere,0,Guide One
"""


def _user(name: str, *, read: str, write: str, version: tuple[int, ...] | None) -> str:
    lines = "\n".join(event_filter_lines(version)) if version is not None else ""
    return f"[{name}]\nsecret = sesame\nread = {read}\nwrite = {write}\n{lines}\n\n"


def _users(asterisk: Asterisk) -> str:
    version = asterisk_version(asterisk.version)
    every = "system,call,agent,user"
    return (
        _user("ivrd", read=every, write="call,reporting", version=version)
        + _user("nosystem", read="call,agent,user", write="call,reporting", version=version)
        + _user("nowrite", read=every, write="", version=version)
        + _user("all", read=every, write="call,reporting", version=None)
        + _user("legacy", read=every, write="call,reporting", version=(18, 20))
    )


class Settings:
    name = "pbx1"
    host = "127.0.0.1"

    def __init__(self, port: int, username: str, secret: str) -> None:
        self.port = port
        self.username = username
        self.secret = SecretStr(secret)


class Running:
    def __init__(self, client: AmiClient, events: list[Event]) -> None:
        self.client = client
        self.events = events

    def of(self, kind: type) -> list[Event]:
        return [each for each in self.events if type(each) is kind]


async def until(condition: Callable[[], bool]) -> None:
    async with asyncio.timeout(SOON_S):
        while not condition():  # noqa: ASYNC110 - a condition of many parts, with a deadline.
            await asyncio.sleep(POLL_S)


@contextlib.asynccontextmanager
async def running(
    pbx: Pbx,
    username: str = "ivrd",
    secret: str = "sesame",
    booted_s: float = SOON_S,
    **options: object,
) -> AsyncIterator[Running]:
    events: list[Event] = []
    client = AmiClient(
        Settings(pbx.ami_port, username, secret),
        events.append,
        AsteriskClock(),
        deadlines=Deadlines(booted_s=booted_s, action_s=SOON_S, ping_s=SOON_S, pulse_s=0.2),
        backoff=Backoff(lambda: 0.0, first_s=0.05, slowest_s=0.1),
        **options,  # type: ignore[arg-type]
    )
    task = asyncio.create_task(client.run())
    try:
        yield Running(client, events)
        assert not task.done(), task
    finally:
        task.cancel()
        with contextlib.suppress(asyncio.CancelledError):
            await task


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def pbx() -> AsyncIterator[Pbx]:
    asterisk = await find_asterisk()
    plan = PbxPlan(
        queues_text=QUEUES, dialplan={"test.conf": DIALPLAN}, manager_text=_users(asterisk)
    )
    async with Pbx.start(plan, asterisk=asterisk) as started:
        yield started


async def _until_globals_have(pbx: Pbx, text: str) -> None:
    async with asyncio.timeout(SOON_S):
        while text not in await pbx.cli("dialplan show globals"):  # noqa: ASYNC110
            await asyncio.sleep(POLL_S)


async def _connected(run: Running) -> None:
    await until(lambda: run.client.is_connected)


def _move(channel: str) -> MoveCaller:
    now = AsteriskClock().now()
    return MoveCaller(
        at=now,
        system=SystemName("pbx1"),
        call_id=CallId("pbx1/x"),
        channel=channel,
        from_queue=QueueName("guides"),
        to_queue=QueueName("vaxel"),
        reason="overload",
        not_after=now + timedelta(days=365),
    )


async def test_the_least_privileged_user_gets_a_snapshot_and_can_withdraw(pbx: Pbx) -> None:
    async with running(pbx) as run:
        await _connected(run)
        taken = run.events[0]
        assert isinstance(taken, SnapshotTaken)
        assert taken.can_withdraw
        assert [(queue.queue, len(queue.members)) for queue in taken.queues] == [("guides", 1)]
        assert taken.queues[0].members[0].member_name == "Guide One"
        assert run.client.asterisk_version is not None
        assert run.client.counters.lists_incomplete == 0


async def test_the_heartbeat_is_a_global_variable_and_is_cleared_on_a_clean_stop(pbx: Pbx) -> None:
    async with running(pbx) as run:
        await _connected(run)
        await _until_globals_have(pbx, "IVRD_HEARTBEAT=1")
    await _until_globals_have(pbx, "IVRD_HEARTBEAT=0")


async def test_a_wrong_secret_is_named(pbx: Pbx) -> None:
    async with running(pbx, secret="wrong") as run:
        await until(lambda: isinstance(run.client.failure, CredentialsRefused))


async def test_a_missing_read_class_system_is_named(pbx: Pbx) -> None:
    async with running(pbx, username="nosystem", booted_s=0.5) as run:
        await until(lambda: run.client.failure is not None)
        assert isinstance(run.client.failure, RightMissing)
        assert "read=system" in str(run.client.failure)


async def test_missing_write_classes_are_all_named_at_once(pbx: Pbx) -> None:
    async with running(pbx, username="nowrite") as run:
        await until(lambda: run.client.failure is not None)
        assert "write=call" in str(run.client.failure)
        assert "write=reporting" in str(run.client.failure)


async def test_a_withdraw_of_an_unknown_caller_is_refused(pbx: Pbx) -> None:
    async with running(pbx) as run:
        await _connected(run)
        run.client.withdraw(_move("PJSIP/nobody-00000001"))
        await until(lambda: bool(run.of(MoveRefused)))
        assert [each.reason for each in run.of(MoveRefused)] == ["no_such_caller"]


async def test_the_filter_lets_through_what_is_wanted_and_nothing_else(
    pbx: Pbx, tmp_path: Path
) -> None:
    with Recorder(tmp_path / "x.ami") as recorder:
        async with running(pbx, tap=recorder.tap) as run, running(pbx, username="all") as every:
            await _connected(run)
            await _connected(every)
            await pbx.cli("channel originate Local/s@waiting application Wait 20")
            await until(lambda: bool(run.of(CallerJoined)))
            joined = run.of(CallerJoined)[0]
            assert isinstance(joined, CallerJoined)
            run.client.withdraw(_move(joined.channel))
            await until(lambda: bool(run.of(QueueExited)) and len(run.of(ChannelHungUp)) == 2)
            left = run.of(QueueExited)[0]
            assert isinstance(left, QueueExited)
            assert (left.status, left.info) == ("WITHDRAW", "ivrd-move vaxel overload")
            await until(lambda: len(every.of(ChannelHungUp)) == 2)
            # Both see the same; the filter spares us all that is not wanted, bridges among it.
            assert run.client.counters.frames_dropped == 0
            assert every.client.counters.frames_dropped > 10
            wanted = (CallArrived, CallerJoined, QueueExited, HangupRequested, ChannelHungUp)
            seen = [each for each in run.events if isinstance(each, wanted)]
            assert seen == [each for each in every.events if isinstance(each, wanted)]
            live = list(run.events)
    raw = (tmp_path / "x.ami").read_bytes()
    assert b"0313900612" not in raw
    assert b"sa\r\n" not in raw
    replayed = list(replay(read_frames(tmp_path / "x.ami"), SystemName("pbx1")))
    assert [_unmasked(each) for each in replayed] == [_unmasked(each) for each in live]


def _unmasked(event: Event) -> object:
    if isinstance(event, CallArrived):
        return (event.at, event.call_id, event.channel, event.line)
    return event


@pytest.mark.parametrize("username", ["ivrd", "legacy"])
async def test_both_filter_syntaxes_give_bridges_only_for_swaps(pbx: Pbx, username: str) -> None:
    chunks: list[bytes] = []
    every_chunks: list[bytes] = []
    async with (
        running(pbx, username=username, tap=chunks.append) as run,
        running(pbx, username="all", tap=every_chunks.append) as every,
    ):
        await _connected(run)
        await _connected(every)
        await pbx.cli("channel originate Local/s@dialling application Wait 1")
        await until(lambda: len(run.of(ChannelHungUp)) == 4 == len(every.of(ChannelHungUp)))
        assert run.client.counters.frames_dropped == 0
        kept = [frame for frame in _bridge_enters(every_chunks) if b"\r\nSwapUniqueid: " in frame]
        assert len(kept) < len(_bridge_enters(every_chunks))
        assert _bridge_enters(chunks) == kept
        assert _of_calls(run) == _of_calls(every)


def _of_calls(run: Running) -> list[Event]:
    """Return all but what a queue tells of its member: it may come before one of us was there."""
    return [each for each in run.events[1:] if not isinstance(each, MemberChanged)]


def _bridge_enters(chunks: list[bytes]) -> list[bytes]:
    frames = b"".join(chunks).split(b"\r\n\r\n")
    return [frame for frame in frames if frame.startswith(b"Event: BridgeEnter\r\n")]


async def test_a_pbx_that_restarts_is_met_again_with_a_snapshot(pbx: Pbx) -> None:
    async with running(pbx) as run:
        await _connected(run)
        await pbx.restart()
        await until(lambda: len(run.of(SnapshotTaken)) >= 2)


def _refused(run: Running) -> int:
    return run.client.counters.events_refused


def _invite(pbx: Pbx, user: str, own_port: int) -> bytes:
    sdp = (
        "v=0\r\no=- 1 1 IN IP4 127.0.0.1\r\ns=-\r\nc=IN IP4 127.0.0.1\r\nt=0 0\r\n"
        "m=audio 40000 RTP/AVP 0\r\na=rtpmap:0 PCMU/8000\r\n"
    )
    return (
        f"INVITE sip:8001@127.0.0.1:{pbx.sip_port} SIP/2.0\r\n"
        f"Via: SIP/2.0/UDP 127.0.0.1:{own_port};branch=z9hG4bK{own_port}\r\nMax-Forwards: 70\r\n"
        f'From: "Bad" <sip:{user}@127.0.0.1>;tag=1\r\nTo: <sip:8001@127.0.0.1>\r\n'
        f"Call-ID: {own_port}@127.0.0.1\r\nCSeq: 1 INVITE\r\n"
        f"Contact: <sip:x@127.0.0.1:{own_port}>\r\nContent-Type: application/sdp\r\n"
        f"Content-Length: {len(sdp)}\r\n\r\n{sdp}"
    ).encode()


async def test_a_number_with_line_ends_forges_nothing(pbx: Pbx) -> None:
    """Asterisk does take CR LF from a SIP From: the client must not believe what follows."""
    line_end, colon = "%0d%0a", "%3A%20"
    fake = f"{line_end}Uniqueid{colon}6.6{line_end}Linkedid{colon}6.6"
    users = [f"0701{fake}{line_end}X{colon}", f"0702{fake}{line_end}{line_end}"]
    async with running(pbx) as run:
        await _connected(run)
        with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as sender:
            for number, user in enumerate(users):
                sender.bind(("127.0.0.1", 0)) if number == 0 else None
                port = sender.getsockname()[1]
                sender.sendto(_invite(pbx, user, port + number), ("127.0.0.1", pbx.sip_port))
            # What follows a forged end of a frame is no event; it is counted and not believed.
            await until(
                lambda: (
                    bool(run.of(ChannelHungUp))
                    and _refused(run) >= 3
                    and run.client.counters.frames_garbage >= 3
                )
            )
        assert "6.6" not in str(run.events)
        assert len({each.call_id for each in run.of(CallArrived)}) == 1
        assert run.client.is_connected
