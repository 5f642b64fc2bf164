"""The FastAGI server on a real socket, with a scripted Asterisk on the other side.

One test per row of 'Bad input' and of ASTERISK.md §B. In each of them another caller is in the
middle of a menu and must get the choice as if nothing had happened, and the loop must not stall.
"""

import asyncio
import contextlib
import gc
import time
from collections.abc import AsyncIterator, Awaitable, Callable
from dataclasses import replace

import pytest

from ivrd.agi.server import AgiLimits, AgiServer
from ivrd.agi.session import SessionEnd
from ivrd.core.ids import MenuName
from ivrd.core.menu import Finished, MenuOutcome
from ivrd.errors import IvrdBug
from tests.integration.scripted_agi import (
    HEADERS,
    HOST,
    INVALID,
    LENGTHEN,
    MENU,
    PATIENT,
    WAIT,
    WELCOME,
    WITHIN_S,
    Asterisk,
    Bench,
    Recorder,
    mset,
    running,
)

STALL_S_MAX = 0.25
"""Far above what the loop has to do in a turn, far below a freeze."""


async def measure_stall(stop: asyncio.Event) -> float:
    """Return the longest time that the loop worked before it came to us again, in seconds of CPU.

    On a busy machine the clock on the wall would tell what others take; so would a collection of
    the garbage of all the tests that ran before in this process.
    """
    worst_s = 0.0
    gc.disable()
    try:
        while not stop.is_set():
            before_s = time.thread_time()
            await asyncio.sleep(0.002)
            worst_s = max(worst_s, time.thread_time() - before_s)
    finally:
        gc.enable()
    return worst_s


@contextlib.asynccontextmanager
async def beside_another_caller(limits: AgiLimits | None = None) -> AsyncIterator[Bench]:
    """A server with one caller in the middle of the menu, who must come through untouched."""
    async with running() as bench:
        neighbour = await bench.connect()
        await neighbour.ask_for_menu()
        await neighbour.answer(WELCOME, "200 result=0 endpos=8000")
        if limits is not None:
            bench.server._limits = limits  # For whoever comes now: the neighbour is no subject.
        stop = asyncio.Event()
        stall = asyncio.ensure_future(measure_stall(stop))
        yield bench
        stop.set()
        assert await stall < STALL_S_MAX
        trouble = list(bench.report.ends)
        await neighbour.answer(WAIT, "200 result=49")
        await neighbour.answer(mset("switchboard", "chosen", "1", 0), "200 result=0")
        await bench.report.wait_for(*trouble, SessionEnd.COMPLETED)
        assert bench.report.menus[-1] == ("main", MenuOutcome.CHOSEN, 0)
        assert bench.server.sessions_open == 0


# What a caller does.


async def test_a_key_during_the_prompt_is_handed_over_and_the_stream_ended() -> None:
    async with running() as bench:
        pbx = await bench.connect()
        await pbx.ask_for_menu()
        await pbx.answer(WELCOME, "200 result=49 endpos=800")
        await pbx.expect(mset("switchboard", "chosen", "1", 0))
        await pbx.expect_end()  # Before the answer: Asterisk need not wait for us again.
        assert bench.report.menus == []
        pbx.send("200 result=0\nHANGUP\n")
        await bench.report.wait_for(SessionEnd.COMPLETED)
        assert bench.report.menus == [("main", MenuOutcome.CHOSEN, 0)]


async def test_silence_is_a_choice() -> None:
    async with running() as bench:
        pbx = await bench.connect()
        await pbx.ask_for_menu()
        await pbx.answer(WELCOME, "200 result=0 endpos=8000")
        await pbx.answer(WAIT, "200 result=0")
        await pbx.answer(mset("guides", "stayed", "", 0), "200 result=0")
        await bench.report.wait_for(SessionEnd.COMPLETED)


async def test_wrong_keys_lead_to_the_invalid_prompt_and_then_to_a_guide() -> None:
    async with running() as bench:
        pbx = await bench.connect()
        await pbx.ask_for_menu()
        await pbx.answer(WELCOME, "200 result=42 endpos=800")
        await pbx.answer(INVALID, "200 result=0 endpos=800")
        await pbx.answer(WELCOME, "200 result=0 endpos=8000")
        await pbx.answer(WAIT, "200 result=57")
        await pbx.answer(mset("guides", "gave_up", "", 2), "200 result=0")
        await bench.report.wait_for(SessionEnd.COMPLETED)
        assert bench.report.menus == [("main", MenuOutcome.GAVE_UP, 2)]


async def test_a_missing_prompt_does_not_lose_the_caller() -> None:
    async with running() as bench:
        pbx = await bench.connect()
        await pbx.ask_for_menu()
        await pbx.answer(WELCOME, "200 result=-1 endpos=0")
        await pbx.answer(WAIT, "200 result=49")
        await pbx.answer(mset("switchboard", "chosen", "1", 0), "200 result=0")
        await bench.report.wait_for(SessionEnd.COMPLETED)
        assert bench.report.missing == [("main", "ivrd/welcome")]


async def test_a_request_in_single_bytes_is_served() -> None:
    async with running() as bench:
        pbx = await bench.connect()
        for byte in HEADERS.format(script="menu/main").encode():
            pbx.send(bytes([byte]))
            await pbx.writer.drain()
        await pbx.answer(LENGTHEN, "200 result=1")
        await pbx.expect(WELCOME)


# ASTERISK.md §B: hang-ups and ends.


HANGUPS: dict[str, Callable[[Asterisk], Awaitable[None]]] = {}


def hangup(name: str) -> Callable[[Callable[[Asterisk], Awaitable[None]]], None]:
    def register(scenario: Callable[[Asterisk], Awaitable[None]]) -> None:
        HANGUPS[name] = scenario

    return register


@hangup("during the prompt: -1, then HANGUP")
async def _(pbx: Asterisk) -> None:
    await pbx.ask_for_menu()
    await pbx.answer(WELCOME, "200 result=-1 endpos=800\nHANGUP")
    await pbx.expect(WAIT)


@hangup("during the silence: -1, then HANGUP")
async def _(pbx: Asterisk) -> None:
    await pbx.ask_for_menu()
    await pbx.answer(WELCOME, "200 result=0 endpos=800")
    await pbx.answer(WAIT, "200 result=-1\nHANGUP")


@hangup("HANGUP before the answer to a command on a dead channel")
async def _(pbx: Asterisk) -> None:
    await pbx.ask_for_menu()
    await pbx.answer(WELCOME, "HANGUP\n511 Command Not Permitted on a dead channel")


@hangup("511 without HANGUP (AGISIGHUP=no)")
async def _(pbx: Asterisk) -> None:
    await pbx.ask_for_menu()
    await pbx.answer(WELCOME, "511 Command Not Permitted on a dead channel")


@hangup("end of stream during a command")
async def _(pbx: Asterisk) -> None:
    await pbx.ask_for_menu()
    await pbx.expect(WELCOME)
    pbx.close()


@hangup("end of stream in the middle of an answer")
async def _(pbx: Asterisk) -> None:
    await pbx.ask_for_menu()
    await pbx.expect(WELCOME)
    pbx.send("200 resu")
    pbx.close()


@hangup("reset during a command")
async def _(pbx: Asterisk) -> None:
    await pbx.ask_for_menu()
    await pbx.expect(WELCOME)
    pbx.reset()


@hangup("end of stream right behind the key, before the hand-over")
async def _(pbx: Asterisk) -> None:
    await pbx.ask_for_menu()
    await pbx.answer(WELCOME, "200 result=49 endpos=800")
    pbx.close()


@hangup("end of stream instead of the answer to the hand-over")
async def _(pbx: Asterisk) -> None:
    await pbx.ask_for_menu()
    await pbx.answer(WELCOME, "200 result=49 endpos=800")
    await pbx.expect(mset("switchboard", "chosen", "1", 0))
    pbx.close()


@hangup("HANGUP instead of the answer to the hand-over")
async def _(pbx: Asterisk) -> None:
    await pbx.ask_for_menu()
    await pbx.answer(WELCOME, "200 result=49 endpos=800")
    await pbx.answer(mset("switchboard", "chosen", "1", 0), "HANGUP")


@pytest.mark.parametrize("name", HANGUPS)
async def test_a_hang_up_is_an_outcome(name: str) -> None:
    async with beside_another_caller() as bench:
        pbx = await bench.connect()
        await HANGUPS[name](pbx)
        await bench.report.wait_for(SessionEnd.HUNG_UP)
        assert bench.report.menus == [("main", MenuOutcome.HUNG_UP, 0)]
        assert bench.report.missing == []


@pytest.mark.parametrize("line", ["HANGUP\n200 result=1\n", "HANGUP\n", "511 dead channel\n"])
async def test_a_menu_that_never_began_is_no_outcome(line: str) -> None:
    """What a daemon meets that was frozen for longer than the dialplan waits."""
    async with beside_another_caller() as bench:
        pbx = await bench.connect()
        pbx.send(HEADERS.format(script="menu/main"))
        await pbx.expect(LENGTHEN)
        pbx.send(line)
        await bench.report.wait_for(SessionEnd.TOO_LATE)
        assert bench.report.menus == []


async def test_a_hangup_that_waits_behind_the_request_is_no_outcome() -> None:
    async with running() as bench:
        pbx = await bench.connect()
        pbx.send(HEADERS.format(script="menu/main") + "HANGUP\n")
        pbx.close()
        await bench.report.wait_for(SessionEnd.TOO_LATE)


async def test_a_peer_frozen_before_its_first_answer_is_cut() -> None:
    async with beside_another_caller(AgiLimits(request_s=0.1)) as bench:
        pbx = await bench.connect()
        pbx.send(HEADERS.format(script="menu/main"))
        await pbx.expect_end_after(LENGTHEN)
        await bench.report.wait_for(SessionEnd.REQUEST_TIMED_OUT)


async def test_a_peer_frozen_in_the_menu_is_cut_at_the_sessions_end() -> None:
    async with running(replace(PATIENT, session_s=1, grace_s=0)) as bench:
        pbx = await bench.connect()
        pbx.send(HEADERS.format(script="menu/main") + "200 result=1\n")
        await pbx.expect_end_after(LENGTHEN.replace("300", "1"), WELCOME)
        await bench.report.wait_for(SessionEnd.SESSION_TIMED_OUT)
        assert bench.report.menus == []


# Bad input.


@pytest.mark.parametrize(
    "script", ["menu/other", "menu/", "menu", "", "other/main", "menu/main/x", "wait/kc", "wait/"]
)
async def test_an_unknown_path_ends_without_a_result(script: str) -> None:
    async with beside_another_caller() as bench:
        pbx = await bench.connect()
        pbx.send(HEADERS.format(script=script))
        await pbx.expect_end()
        await bench.report.wait_for(SessionEnd.UNKNOWN_MENU)


async def test_port_probes_are_counted_and_harm_nobody() -> None:
    async with beside_another_caller() as bench:
        for index in range(50):
            probe = await bench.connect()
            if index % 2:
                probe.close()
            else:
                probe.reset()
        await bench.report.wait_for(*[SessionEnd.PROBED] * 50)


@pytest.mark.parametrize(
    "garbage",
    [
        b"GET / HTTP/1.1\r\nHost: x\r\n\r\n",
        b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03",
        bytes(range(256)) * 4096,
        b"agi_calleridname: " + b"x" * 1_000_000,
        b"".join(b"agi_h%d: x\n" % index for index in range(10_000)),
        b"agi_network: yes\n\n200 result=1\n",
    ],
    ids=["http", "tls", "binary", "endless line", "10,000 headers", "answers before questions"],
)
async def test_garbage_is_cut_at_once(garbage: bytes) -> None:
    async with beside_another_caller() as bench:
        pbx = await bench.connect()
        pbx.send(garbage)
        await pbx.expect_end()
        [end] = await bench.report.some(1)
        assert end in (SessionEnd.GARBAGE, SessionEnd.UNKNOWN_MENU)


async def test_garbage_for_an_answer_is_cut() -> None:
    async with beside_another_caller() as bench:
        pbx = await bench.connect()
        await pbx.ask_for_menu()
        await pbx.answer(WELCOME, "agi_callingpres: 0")
        await pbx.expect_end()
        await bench.report.wait_for(SessionEnd.GARBAGE)


@pytest.mark.parametrize(
    "reply", ["510 Invalid or unknown command", "200 result=1", "520-U\n520 E"]
)
async def test_a_refused_command_ends_without_a_result(reply: str) -> None:
    async with beside_another_caller() as bench:
        pbx = await bench.connect()
        await pbx.ask_for_menu()
        await pbx.answer(WELCOME, reply)
        await pbx.expect_end()
        await bench.report.wait_for(SessionEnd.COMMAND_REFUSED)


async def test_a_refused_hand_over_is_not_counted_as_a_choice() -> None:
    async with running() as bench:
        pbx = await bench.connect()
        await pbx.ask_for_menu()
        await pbx.answer(WELCOME, "200 result=49 endpos=800")
        await pbx.answer(mset("switchboard", "chosen", "1", 0), "200 result=-2")
        await bench.report.wait_for(SessionEnd.COMMAND_REFUSED)
        assert bench.report.menus == []


async def test_half_open_connections_and_slow_requests_are_cut() -> None:
    async with beside_another_caller(AgiLimits(request_s=0.3)) as bench:
        silent = [await bench.connect() for _ in range(20)]
        loris = await bench.connect()
        with contextlib.suppress(ConnectionError):
            for byte in b"agi_calleridname: " + b"x" * 4000:
                loris.send(bytes([byte]))
                await loris.writer.drain()
                await asyncio.sleep(0.001)
                if len(bench.report.ends) == 21:
                    break
        for peer in silent:
            await peer.expect_end()
        await bench.report.wait_for(*[SessionEnd.REQUEST_TIMED_OUT] * 21)


async def test_above_the_limit_a_connection_is_closed_at_once_and_below_it_served_again() -> None:
    async with running(replace(PATIENT, sessions_max=2)) as bench:
        first, second = await bench.connect(), await bench.connect()
        await first.ask_for_menu()
        await second.ask_for_menu()
        for _ in range(3):
            await (await bench.connect()).expect_end()
        await bench.report.wait_for(*[SessionEnd.OVER_LIMIT] * 3)
        second.close()
        await bench.report.wait_for(*[SessionEnd.OVER_LIMIT] * 3, SessionEnd.HUNG_UP)
        await (await bench.connect()).ask_for_menu()
        await first.expect(WELCOME)


async def test_a_caller_name_is_never_logged(capsys: pytest.CaptureFixture[str]) -> None:
    """structlog is not configured here, so it prints every event to standard output."""
    async with running() as bench:
        for script in ("menu/main", "menu/other"):
            pbx = await bench.connect()
            pbx.send(HEADERS.format(script=script))
            pbx.close()
        await bench.report.wait_for(SessionEnd.TOO_LATE, SessionEnd.UNKNOWN_MENU)
    printed = capsys.readouterr().out
    assert "agi_menu_not_found" in printed
    assert "0701740612" not in printed
    assert "Anna" not in printed


# Life and death of the server.


async def test_shutdown_cuts_every_session_at_once_and_frees_the_port() -> None:
    async with running() as bench:
        peers = [await bench.connect() for _ in range(5)]
        for peer in peers:
            await peer.ask_for_menu()
        fresh = await bench.connect()
        port = bench.server.port
    await bench.report.wait_for(*[SessionEnd.SHUT_DOWN] * 6)
    for peer in [*peers, fresh]:
        peer.close()
    with pytest.raises(OSError, match="Connect"):
        await asyncio.open_connection(HOST, port)


async def test_a_port_in_use_is_told_at_once() -> None:
    async with running() as bench:
        other = AgiServer(
            host=HOST,
            port=bench.server.port,
            menus={},
            limits=AgiLimits(),
            report=Recorder(),
        )
        with pytest.raises(OSError, match="in use"):
            await other.bind()


async def test_a_bug_in_a_session_ends_the_server() -> None:
    class BrokenReport(Recorder):
        def menu_finished(self, *, menu: MenuName, finished: Finished, seconds: float) -> None:
            raise IvrdBug("planted")

    report = BrokenReport()
    server = AgiServer(host=HOST, port=0, menus={MENU.name: MENU}, limits=PATIENT, report=report)
    await server.bind()
    serving = asyncio.ensure_future(server.serve())
    await server.started.wait()
    reader, writer = await asyncio.open_connection(HOST, server.port)
    pbx = Asterisk(reader, writer)
    await pbx.ask_for_menu()
    await pbx.expect(WELCOME)
    pbx.close()
    with pytest.raises(ExceptionGroup) as caught:
        async with asyncio.timeout(WITHIN_S):
            await serving
    assert caught.group_contains(IvrdBug, match="planted")
    await report.wait_for(SessionEnd.CRASHED)


async def test_four_hundred_callers_at_once_are_served() -> None:
    """The backlog is smaller than the crowd, so some wait for accept, and nobody is lost."""

    async def call(bench: Bench) -> None:
        pbx = await bench.connect()
        await pbx.ask_for_menu()
        await pbx.answer(WELCOME, "200 result=49 endpos=800")
        await pbx.answer(mset("switchboard", "chosen", "1", 0), "200 result=0")

    async with running() as bench:
        await asyncio.gather(*(call(bench) for _ in range(400)))
        await bench.report.wait_for(*[SessionEnd.COMPLETED] * 400)
