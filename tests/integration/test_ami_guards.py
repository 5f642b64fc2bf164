"""One test per row of ASTERISK.md §D (rows 1 to 10), and for §C: our guard against a scripted AMI.

Row 11 (panoramisk's FastAGI server) is not used, and not tested here.
"""

import asyncio
import contextlib
import dataclasses
import time
from collections import Counter
from collections.abc import AsyncIterator
from datetime import UTC, datetime, timedelta

import pytest
import structlog
from pydantic import SecretStr

from ivrd.ami.actions import AmiAction, Header
from ivrd.ami.client import AmiClient
from ivrd.ami.moves import MOVES_AT_ONCE
from ivrd.ami.surroundings import Deadlines
from ivrd.clock import AsteriskClock
from ivrd.core.effects import MoveCaller, PauseMember
from ivrd.core.events import (
    ChannelHungUp,
    Event,
    MemberChanged,
    MoveRefused,
    PeerLost,
    SnapshotTaken,
)
from ivrd.core.ids import CallId, Interface, QueueName, SystemName
from ivrd.errors import CredentialsRefused, PeerConfused, PeerRefused, PeerTimedOut, RightMissing
from ivrd.retry import Backoff
from tests.integration.scripted_ami import STAMP_S, ScriptedAmi, event, hangup, scripted_ami

AT = datetime.fromtimestamp(STAMP_S, UTC)

LONG_S = 30.0

PATIENT = Deadlines(
    connect_s=LONG_S,
    banner_s=LONG_S,
    login_s=LONG_S,
    booted_s=LONG_S,
    action_s=LONG_S,
    list_s=LONG_S,
    ping_s=LONG_S,
    pulse_s=0.05,
)
"""For tests in which no deadline should pass, however busy the machine is."""


def quick(name: str) -> Deadlines:
    """Return deadlines of which only one passes, so that it is the one that the test meets."""
    return dataclasses.replace(PATIENT, **{name: 0.2})


class Settings:
    name = "pbx1"
    host = "127.0.0.1"
    username = "ivrd"
    secret = SecretStr("right")

    def __init__(self, port: int) -> None:
        self.port = port


class Running:
    """A client under test, and what it handed on."""

    def __init__(self, ami: ScriptedAmi, client: AmiClient, events: list[Event]) -> None:
        self.ami = ami
        self.client = client
        self.events = events

    def of(self, kind: type) -> list[Event]:
        return [each for each in self.events if type(each) is kind]

    async def until_connected(self) -> None:
        await self.ami.until(lambda: self.client.is_connected)


@contextlib.asynccontextmanager
async def running(
    ami: ScriptedAmi,
    *,
    deadlines: Deadlines = PATIENT,
    backoff: Backoff | None = None,
    room: list[int] | None = None,
    **options: object,
) -> AsyncIterator[Running]:
    events: list[Event] = []

    def sink(each: Event) -> None:
        if room is not None and len(events) >= room[0]:
            raise asyncio.QueueFull
        events.append(each)
        ami.changed.set()

    client = AmiClient(
        Settings(ami.port),
        sink,
        AsteriskClock(),
        deadlines=deadlines,
        backoff=backoff or Backoff(lambda: 0.0, first_s=0.01, slowest_s=0.02),
        **options,  # type: ignore[arg-type]
    )
    task = asyncio.create_task(client.run())
    try:
        yield Running(ami, client, events)
        assert not task.done(), task
    finally:
        task.cancel()
        with contextlib.suppress(asyncio.CancelledError):
            await task


def move(**changes: object) -> MoveCaller:
    fields: dict[str, object] = {
        "at": AT,
        "system": SystemName("pbx1"),
        "call_id": CallId("pbx1/1.1"),
        "channel": "PJSIP/trunk-1",
        "from_queue": QueueName("vaxel"),
        "to_queue": QueueName("guides"),
        "reason": "overload",
        "not_after": AT + timedelta(seconds=LONG_S),
    }
    return MoveCaller(**{**fields, **changes})  # type: ignore[arg-type]


def release(interface: str) -> PauseMember:
    return PauseMember(
        at=AT,
        system=SystemName("pbx1"),
        queue=QueueName("guides"),
        interface=Interface(interface),
        is_paused=False,
        reason="ivrd: label",
    )


async def test_row_1_a_letter_split_over_two_reads_is_whole() -> None:
    chunks: list[bytes] = []
    quiet = dataclasses.replace(PATIENT, pulse_s=60.0)
    async with scripted_ami() as ami, running(ami, deadlines=quiet, tap=chunks.append) as run:
        await run.until_connected()
        await ami.until(lambda: bool(ami.asked("Setvar")))
        raw = event(
            "QueueMemberAdded",
            Queue="guides",
            Interface="PJSIP/a",
            MemberName="Åsa",
            Status=1,
            Paused=0,
            InCall=0,
        )
        middle = raw.index("Å".encode()) + 1
        ami.send(raw[:middle])
        await ami.until(lambda: chunks[-1].endswith(raw[:middle]))
        ami.send(raw[middle:])
        await ami.until(lambda: bool(run.of(MemberChanged)))
        assert [each.member_name for each in run.of(MemberChanged)] == ["Åsa"]


async def test_row_2_an_unanswered_move_is_not_sent_again_after_a_reconnect() -> None:
    async with scripted_ami() as ami, running(ami) as run:
        ami.replies["QueueWithdrawCaller"] = lambda *_: None
        await run.until_connected()
        run.client.withdraw(move())
        await ami.until(lambda: len(ami.asked("QueueWithdrawCaller")) == 1)
        ami.cut()
        await ami.until(lambda: len(run.of(SnapshotTaken)) == 2)
        await ami.until(lambda: len(ami.asked("Ping")) > 4)
        assert len(ami.asked("QueueWithdrawCaller")) == 1
        assert [(each.reason, each.was_sent) for each in run.of(MoveRefused)] == [
            ("connection_lost", True)
        ]


async def test_row_2_an_unanswered_move_is_given_up_at_its_deadline() -> None:
    # One heartbeat, and behind it: one that is late is as good as a lost connection.
    deadlines = dataclasses.replace(quick("action_s"), pulse_s=LONG_S)
    async with scripted_ami() as ami, running(ami, deadlines=deadlines) as run:
        ami.replies["QueueWithdrawCaller"] = lambda *_: None
        await run.until_connected()
        await ami.until(lambda: bool(ami.asked("Setvar")))
        ami.send(hangup(1))
        await ami.until(lambda: bool(run.of(ChannelHungUp)))
        run.client.withdraw(move())
        await ami.until(lambda: bool(run.of(MoveRefused)))
        assert [each.reason for each in run.of(MoveRefused)] == ["no_answer"]
        assert run.client.is_connected


def crowd(count: int) -> list[MoveCaller]:
    return [
        move(call_id=CallId(f"pbx1/1.{number}"), channel=f"PJSIP/trunk-{number}")
        for number in range(count)
    ]


async def test_a_whole_queue_is_asked_for_in_order_and_nobody_waits_for_an_answer() -> None:
    moves = crowd(1_000)
    held: list[bytes] = []

    def hold(ami: ScriptedAmi, action: dict[str, str]) -> None:
        held.append(ami.response(action, "Success", "Withdraw requested successfully"))

    async with scripted_ami() as ami, running(ami) as run:
        ami.replies["QueueWithdrawCaller"] = hold
        await run.until_connected()
        for each in moves:
            run.client.withdraw(each)
        await ami.until(lambda: len(held) == MOVES_AT_ONCE)
        ami.replies.clear()
        ami.send(b"".join(held))
        await ami.until(lambda: len(ami.asked("QueueWithdrawCaller")) == len(moves), within_s=30.0)
        asked = [each["Caller"] for each in ami.asked("QueueWithdrawCaller")]
        is_in_order = asked == [each.channel for each in moves]
        assert is_in_order
        assert run.of(MoveRefused) == []


async def test_every_move_that_was_not_answered_is_refused_when_the_connection_ends() -> None:
    moves = crowd(2 * MOVES_AT_ONCE)
    async with scripted_ami() as ami, running(ami) as run:
        ami.replies["QueueWithdrawCaller"] = lambda *_: None
        await run.until_connected()
        for each in moves:
            run.client.withdraw(each)
        await ami.until(lambda: len(ami.asked("QueueWithdrawCaller")) == MOVES_AT_ONCE)
        ami.cut()
        await ami.until(lambda: len(run.of(SnapshotTaken)) == 2)
        told = Counter(each.call_id for each in run.of(MoveRefused))
        assert told == Counter(each.call_id for each in moves)
        assert len(ami.asked("QueueWithdrawCaller")) == MOVES_AT_ONCE


async def test_row_3_a_wrong_secret_is_a_loud_error_and_slows_down_at_once() -> None:
    backoff = Backoff(lambda: 0.0, first_s=0.001, slowest_s=60.0)
    with structlog.testing.capture_logs() as logs:
        async with scripted_ami(secret="other") as ami, running(ami, backoff=backoff) as run:
            await ami.until(lambda: run.client.failure is not None)
            await ami.until(lambda: ami.open_connections == 0)
            assert isinstance(run.client.failure, CredentialsRefused)
            assert "manager.conf" in str(run.client.failure)
            # The next delay would be the slowest again: it was not the first short one.
            assert next(backoff) == 60.0
            assert ami.connections == 1
    failed = [entry for entry in logs if entry["event"] == "ami_connection_failed"]
    assert [entry["kind"] for entry in failed] == ["CredentialsRefused"]
    assert "right" not in str(logs)


async def test_an_asterisk_that_ends_is_asked_again_soon() -> None:
    """It refuses a right secret too, and may be there again within a second."""
    backoff = Backoff(lambda: 0.0, first_s=0.001, slowest_s=60.0)
    ending = scripted_ami(secret="other", refusal="Asterisk is shutting down")
    async with ending as ami, running(ami, backoff=backoff) as run:
        await ami.until(lambda: ami.connections > 2)
        ami.secret = "right"
        await run.until_connected()


async def test_failures_are_logged_on_their_edges_only() -> None:
    with structlog.testing.capture_logs() as logs:
        async with scripted_ami(secret="other") as ami, running(ami) as run:
            await ami.until(lambda: ami.connections >= 4)
            ami.secret = "right"
            await run.until_connected()
    names = [entry["event"] for entry in logs]
    assert names == ["ami_connection_failed", "ami_connected"]


async def test_row_4_a_frozen_peer_is_noticed_and_left() -> None:
    async with scripted_ami() as ami, running(ami, deadlines=quick("ping_s")) as run:
        await run.until_connected()
        before = run.client.counters.actions_timed_out
        ami.is_silent = True
        await ami.until(lambda: isinstance(run.client.failure, PeerTimedOut), 3 * LONG_S)
        assert run.of(PeerLost)
        # At most one ping waits at a time; none is left over.
        assert run.client.counters.actions_timed_out - before <= 1
        taken = len(run.of(SnapshotTaken))
        ami.is_silent = False
        ami.cut()  # A login that met the silence would be waited for.
        await ami.until(lambda: len(run.of(SnapshotTaken)) > taken)


async def test_row_5_events_keep_their_order() -> None:
    async with scripted_ami() as ami, running(ami) as run:
        await run.until_connected()
        ami.send(b"".join(hangup(number) for number in range(500)))
        await ami.until(lambda: len(run.of(ChannelHungUp)) == 500)
        ids = [each.channel_id for each in run.of(ChannelHungUp)]
        assert ids == [f"pbx1/1.{number}" for number in range(500)]


async def test_row_6_a_broken_event_is_dropped_and_the_rest_of_the_read_is_kept() -> None:
    with structlog.testing.capture_logs() as logs:
        async with scripted_ami() as ami, running(ami) as run:
            await run.until_connected()
            broken = event("Hangup", CallerIDNum="0313900612", Uniqueid="1.7", Cause="many")
            unstamped = b"Event: Hangup\r\nUniqueid: 1.8\r\nCause: 16\r\n\r\n"
            ami.send(broken + broken + unstamped + hangup(9))
            await ami.until(lambda: bool(run.of(ChannelHungUp)))
            assert run.client.counters.events_refused == 3
            assert run.client.is_connected
            assert ami.connections == 1
    refused = [entry for entry in logs if entry["event"] == "ami_event_refused"]
    assert [entry["reason"] for entry in refused] == ["bad Cause", "no Timestamp"]
    assert "0313900612" not in str(logs)


async def test_row_6_a_fault_in_our_own_parser_costs_one_event(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    def fail(*_: object) -> None:
        raise ZeroDivisionError

    async with scripted_ami() as ami, running(ami) as run:
        await run.until_connected()
        with monkeypatch.context() as patched:
            patched.setattr("ivrd.ami.session.parse", fail)
            ami.send(hangup(1))
            await ami.until(lambda: run.client.counters.events_failed == 1)
        ami.send(hangup(2))
        await ami.until(lambda: len(run.of(ChannelHungUp)) == 1)


def _endless(ami: ScriptedAmi, action: dict[str, str]) -> bytes:
    return ami.response(action, "Success", "will follow", "EventList: start")


def _refused(ami: ScriptedAmi, action: dict[str, str]) -> bytes:
    return ami.response(action, "Error", "Permission denied")


@pytest.mark.parametrize("answer", [_endless, _refused])
async def test_row_7_a_list_that_never_ends_or_is_refused_is_given_up(answer: object) -> None:
    async with scripted_ami() as ami, running(ami, deadlines=quick("list_s")) as run:
        ami.replies["QueueStatus"] = answer  # type: ignore[assignment]
        await ami.until(lambda: run.client.failure is not None)
        assert not run.of(SnapshotTaken)
        del ami.replies["QueueStatus"]
        await run.until_connected()


async def test_row_7_an_answer_that_looks_like_a_list_is_not_taken_for_one() -> None:
    async with scripted_ami() as ami, running(ami) as run:
        ami.replies["Setvar"] = lambda ami, action: ami.response(
            action, "Success", "Added interface to queue"
        )
        await run.until_connected()
        await ami.until(lambda: len(ami.asked("Setvar")) >= 3)
        assert run.client.counters.actions_timed_out == 0


async def test_row_8_a_missing_read_class_system_is_named() -> None:
    async with scripted_ami(boots=False) as ami, running(ami, deadlines=quick("booted_s")) as run:
        await ami.until(lambda: run.client.failure is not None)
        assert isinstance(run.client.failure, RightMissing)
        assert "read=system" in str(run.client.failure)
        assert not ami.asked("QueueStatus")


@pytest.mark.parametrize(
    ("missing", "said"),
    [
        ("Setvar", "write=call"),
        ("CoreShowChannels", "write=reporting"),
        ("QueueStatus", "app_queue is not loaded"),
    ],
)
async def test_row_8_a_missing_right_is_named_at_login(missing: str, said: str) -> None:
    async with scripted_ami() as ami:
        ami.commands = tuple(name for name in ami.commands if name != missing)
        async with running(ami) as run:
            await ami.until(lambda: run.client.failure is not None)
            assert isinstance(run.client.failure, RightMissing)
            assert said in str(run.client.failure)


@pytest.mark.parametrize("text", ["a\r\nAction: Logoff", "a\nb", "a\rb", "a\x00b", "a\x7fb"])
def test_row_9_control_characters_are_refused_in_every_value(text: str) -> None:
    with pytest.raises(PeerRefused, match="control character"):
        AmiAction(name="Setvar", headers=(Header(name="Value", value=text),))


async def test_row_9_a_move_with_a_control_character_is_refused_and_never_sent() -> None:
    async with scripted_ami() as ami, running(ami) as run:
        await run.until_connected()
        run.client.withdraw(move(channel="PJSIP/x\r\nAction: Logoff"))
        run.client.withdraw(move())
        await ami.until(lambda: bool(ami.asked("QueueWithdrawCaller")))
        assert [each.reason for each in run.of(MoveRefused)] == ["unfit_name"]
        assert not ami.asked("Logoff")


async def test_row_10_a_misspelt_or_missing_header_is_an_error_not_an_empty_text() -> None:
    async with scripted_ami() as ami, running(ami) as run:
        await run.until_connected()
        ami.send(event("QueueCallerLeave", Uniqueid="1.1", Queeue="guides"))
        await ami.until(lambda: run.client.counters.events_refused == 1)


async def test_an_overflow_of_the_raw_queue_says_so_and_takes_a_new_snapshot() -> None:
    room = [10]
    async with scripted_ami() as ami, running(ami, room=room, frames_max=50) as run:
        await run.until_connected()
        ami.send(b"".join(hangup(number) for number in range(1000)))
        await ami.until(lambda: run.client.counters.overflows > 0)
        room[0] = 10_000
        await ami.until(lambda: len(run.of(SnapshotTaken)) == 2)
        kinds = [type(each) for each in run.events]
        lost, again = kinds.index(PeerLost), kinds.index(SnapshotTaken, 1)
        assert lost < again
        assert ChannelHungUp not in kinds[lost:again]
        ami.send(hangup(5000))
        await ami.until(lambda: getattr(run.events[-1], "channel_id", "") == "pbx1/1.5000")
        assert ami.connections == 1


async def test_nothing_from_behind_a_gap_is_handed_on_before_the_loss() -> None:
    room = [1]
    async with scripted_ami() as ami, running(ami, room=room, frames_max=20) as run:
        await run.until_connected()
        ami.send(b"".join(hangup(number) for number in range(15)))
        await ami.until(lambda: run.client.counters.frames >= 15)
        ami.send(b"".join(hangup(number) for number in range(100, 107)))
        await ami.until(lambda: run.client.counters.overflows == 1)
        room[0] = 10_000
        await ami.until(lambda: len(run.of(SnapshotTaken)) == 2)
        kinds = [type(each) for each in run.events]
        assert kinds == [SnapshotTaken, ChannelHungUp, PeerLost, SnapshotTaken]


async def test_a_frame_of_a_megabyte_is_refused_and_the_stream_goes_on() -> None:
    async with scripted_ami() as ami, running(ami) as run:
        await run.until_connected()
        ami.send(b"Event: Hangup\r\nX: " + b"x" * 1_000_000 + b"\r\n\r\n" + hangup(3))
        await ami.until(lambda: run.client.counters.frames_oversized == 1)
        await ami.until(lambda: len(run.of(SnapshotTaken)) == 2)
        ami.send(hangup(4))
        await ami.until(lambda: bool(run.of(ChannelHungUp)))
        assert ami.connections == 1


async def test_garbage_is_counted_and_the_stream_goes_on() -> None:
    async with scripted_ami() as ami, running(ami) as run:
        await run.until_connected()
        ami.send(b"\x00\xff\xfe garbage\r\n\r\n" + hangup(3))
        await ami.until(lambda: bool(run.of(ChannelHungUp)))
        assert run.client.counters.frames_garbage == 1


async def test_a_peer_that_is_not_ami_is_refused_by_what_it_says() -> None:
    async with scripted_ami(banner=b"SSH-2.0-OpenSSH_9.2\r\n") as ami, running(ami) as run:
        await ami.until(lambda: run.client.failure is not None)
        assert isinstance(run.client.failure, PeerConfused)
        assert "SSH-2.0" in str(run.client.failure)


async def test_a_peer_that_never_greets_is_left() -> None:
    async with scripted_ami(banner=b"") as ami, running(ami, deadlines=quick("banner_s")) as run:
        await ami.until(lambda: run.client.failure is not None)
        assert isinstance(run.client.failure, PeerTimedOut)


async def test_a_login_that_is_never_answered_is_given_up() -> None:
    async with scripted_ami(is_silent=True) as ami, running(ami, deadlines=quick("login_s")) as run:
        await ami.until(lambda: run.client.failure is not None)
        assert isinstance(run.client.failure, PeerTimedOut)
        assert "right" not in str(run.client.failure)


async def test_nobody_listening_is_retried_until_somebody_does() -> None:
    async with scripted_ami() as ami:
        port = ami.port
        ami.port = 1
        async with running(ami) as run:
            run.client._settings.port = 1  # type: ignore[misc]
            await ami.until(lambda: run.client.counters.failures >= 2)
            run.client._settings.port = port  # type: ignore[misc]
            await run.until_connected()


async def test_without_withdraw_nobody_is_moved_and_the_log_says_why() -> None:
    with structlog.testing.capture_logs() as logs:
        async with scripted_ami() as ami:
            ami.commands = tuple(name for name in ami.commands if name != "QueueWithdrawCaller")
            async with running(ami) as run:
                await run.until_connected()
                assert not run.client.can_withdraw
                assert [each.can_withdraw for each in run.of(SnapshotTaken)] == [False]
                run.client.withdraw(move())
                await ami.until(lambda: bool(run.of(MoveRefused)))
                assert not ami.asked("QueueWithdrawCaller")
    assert [entry["event"] for entry in logs] == ["ami_connected", "overflow_disabled"]


async def test_a_late_move_is_dropped() -> None:
    async with scripted_ami() as ami, running(ami) as run:
        await run.until_connected()
        run.client.withdraw(move(not_after=AT - timedelta(seconds=1)))
        await ami.until(lambda: bool(run.of(MoveRefused)))
        assert [(each.reason, each.was_sent) for each in run.of(MoveRefused)] == [
            ("too_late", False)
        ]
        assert not ami.asked("QueueWithdrawCaller")


async def test_at_the_end_all_who_are_held_are_let_go_and_nothing_more_is_planned() -> None:
    async with scripted_ami() as ami:
        ami.replies["QueuePause"] = lambda *_: None
        async with running(ami) as run:
            await run.until_connected()
            for number in range(3):
                run.client.pause(release(f"PJSIP/a{number}"))
            await ami.until(lambda: bool(ami.asked("QueuePause")))
        await ami.until(lambda: bool(ami.asked("Logoff")))
        asked = [(each["Interface"], each["Paused"]) for each in ami.asked("QueuePause")]
        assert asked == [(f"PJSIP/a{number}", "false") for number in range(3)]
        assert type(run.events[-1]) is PeerLost, "or each move is refused, and planned again"


async def test_a_move_carries_the_channel_the_queue_and_the_way_on() -> None:
    async with scripted_ami() as ami, running(ami) as run:
        await run.until_connected()
        run.client.withdraw(move())
        await ami.until(lambda: bool(ami.asked("QueueWithdrawCaller")))
        asked = ami.asked("QueueWithdrawCaller")[0]
        assert asked["Queue"] == "vaxel"
        assert asked["Caller"] == "PJSIP/trunk-1"
        assert asked["WithdrawInfo"] == "ivrd-move guides overload"


async def test_a_refused_move_comes_back_as_an_event() -> None:
    async with scripted_ami() as ami, running(ami) as run:
        ami.replies["QueueWithdrawCaller"] = lambda ami, action: ami.response(
            action, "Error", "Unable to request withdraw from queue: No such caller"
        )
        await run.until_connected()
        run.client.withdraw(move())
        await ami.until(lambda: bool(run.of(MoveRefused)))
        assert [each.reason for each in run.of(MoveRefused)] == ["no_such_caller"]


async def test_events_before_the_snapshot_come_after_it_and_time_does_not_run_back() -> None:
    async with scripted_ami(clock_s=STAMP_S + 2.0) as ami:

        def late(ami: ScriptedAmi, action: dict[str, str]) -> bytes:
            early = hangup(1, at_s=STAMP_S + 1.0)
            return early + ami.listed(action, [], "QueueStatusComplete") + hangup(2, STAMP_S + 3.0)

        ami.replies["QueueStatus"] = late
        async with running(ami) as run:
            await ami.until(lambda: len(run.of(ChannelHungUp)) == 2)
            assert [type(each) for each in run.events] == [SnapshotTaken, *[ChannelHungUp] * 2]
            ats = [each.at for each in run.events]
            assert ats == sorted(ats)


async def test_an_event_from_the_future_is_refused_and_replaced_by_a_snapshot() -> None:
    async with scripted_ami() as ami, running(ami) as run:
        await run.until_connected()
        ami.send(hangup(1, at_s=STAMP_S + 3600.0))
        await ami.until(lambda: len(run.of(SnapshotTaken)) == 2)
        assert not run.of(ChannelHungUp)
        assert run.client.counters.events_refused == 1


async def test_a_reload_brings_a_new_snapshot() -> None:
    async with scripted_ami() as ami, running(ami) as run:
        await run.until_connected()
        ami.send(event("Reload", Module="All", Status=0))
        await ami.until(lambda: len(run.of(SnapshotTaken)) == 2)
        assert not run.of(PeerLost)


async def test_a_shutdown_is_a_loss_at_once_and_earlier_events_are_kept() -> None:
    async with scripted_ami() as ami, running(ami) as run:
        await run.until_connected()
        ami.send(hangup(1) + event("Shutdown", Shutdown="Cleanly", Restart="False"))
        await ami.until(lambda: bool(run.of(PeerLost)))
        assert [type(each) for each in run.events[:3]] == [SnapshotTaken, ChannelHungUp, PeerLost]
        await ami.until(lambda: len(run.of(SnapshotTaken)) == 2)


async def test_events_received_before_a_cut_are_handed_on_before_the_loss() -> None:
    async with scripted_ami() as ami, running(ami) as run:
        await run.until_connected()
        ami.send(hangup(1))
        ami.writers[-1].close()
        await ami.until(lambda: bool(run.of(PeerLost)))
        assert [type(each) for each in run.events[:3]] == [SnapshotTaken, ChannelHungUp, PeerLost]


async def test_the_heartbeat_is_asterisks_clock_and_is_cleared_on_a_clean_stop() -> None:
    started_s = time.monotonic()
    async with scripted_ami() as ami:
        async with running(ami) as run:
            await run.until_connected()
            await ami.until(lambda: bool(ami.asked("Setvar")))
            first = ami.asked("Setvar")[0]
            assert first["Variable"] == "IVRD_HEARTBEAT"
            # The scripted clock stands still, and ours runs on from what it said.
            assert -1 <= int(first["Value"]) - STAMP_S <= 1 + time.monotonic() - started_s
        await ami.until(lambda: bool(ami.asked("Logoff")))
        assert ami.asked("Setvar")[-1]["Value"] == "0"


async def test_an_observer_sets_no_heartbeat() -> None:
    async with scripted_ami() as ami:
        async with running(ami, is_observer=True) as run:
            await run.until_connected()
            await ami.until(lambda: len(ami.asked("Ping")) > 3)
        assert not ami.asked("Setvar")


async def test_a_caller_name_cannot_end_a_list_or_answer_an_action() -> None:
    entry = (
        b"Event: QueueEntry\r\nQueue: guides\r\nPosition: 1\r\nChannel: PJSIP/x-1\r\n"
        b"Uniqueid: 1.1\r\nCallerIDNum: 1\r\nCallerIDName: x\r\nActionID: action/1\r\n"
        b"EventList: Complete\r\nUniqueid: 6.6\r\nWait: 999\r\nWait: 7\r\nPriority: 0\r\n\r\n"
    )
    params = b"Event: QueueParams\r\nQueue: guides\r\n\r\n"
    async with scripted_ami(queue_items=[params, entry]) as ami, running(ami) as run:
        await run.until_connected()
        taken = run.of(SnapshotTaken)[0]
        assert isinstance(taken, SnapshotTaken)
        caller = taken.queues[0].callers[0]
        assert (caller.call_id, caller.wait) == ("pbx1/1.1", timedelta(seconds=7))
