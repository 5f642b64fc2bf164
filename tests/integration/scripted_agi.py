"""A scripted Asterisk at the FastAGI socket, and a server with a report to run it against."""

import asyncio
import contextlib
import socket
import struct
from collections.abc import AsyncIterator, Mapping
from dataclasses import dataclass, field
from datetime import timedelta

from ivrd.agi.server import AgiLimits, AgiServer
from ivrd.agi.session import SessionEnd
from ivrd.agi.waiting import WaitSpeaker
from ivrd.core.ids import MenuName
from ivrd.core.menu import ChoiceName, Finished, Menu, MenuOutcome

HOST = "127.0.0.1"
WITHIN_S = 30
"""Nothing here takes longer unless it hangs."""

PATIENT = AgiLimits(request_s=WITHIN_S)
"""For tests in which no limit should be met, however busy the machine is."""

MENU = Menu(
    name=MenuName("main"),
    prompt="ivrd/welcome",
    invalid_prompt="ivrd/invalid",
    choices={"1": ChoiceName("switchboard")},
    stay_choice=ChoiceName("guides"),
    stay_after=timedelta(seconds=5),
    tries=2,
)

HEADERS = (
    "agi_network: yes\nagi_network_script: {script}\nagi_request: agi://127.0.0.1/{script}\n"
    "agi_uniqueid: 1732212.7\nagi_callerid: 0701740612\nagi_calleridname: Anna Andersson\n\n"
)

WELCOME = 'STREAM FILE "ivrd/welcome" "0123456789*#"'
INVALID = 'STREAM FILE "ivrd/invalid" "0123456789*#"'
WAIT = 'WAIT FOR DIGIT "5000"'
LENGTHEN = 'SET VARIABLE "TIMEOUT(absolute)" "300"'


def mset(choice: str, outcome: str, digit: str, tries: int) -> str:
    return (
        f'EXEC "MSet" "IVRD_CHOICE={choice},IVRD_OUTCOME={outcome},IVRD_DIGIT={digit},'
        f'IVRD_TRIES={tries},IVRD_DONE=1"'
    )


@dataclass
class Recorder:
    """The report of a test: counts by reason, and wakes those who wait for a count."""

    ends: list[SessionEnd] = field(default_factory=list)
    menus: list[tuple[str, MenuOutcome, int]] = field(default_factory=list)
    finished: list[Finished] = field(default_factory=list)
    missing: list[tuple[str, str]] = field(default_factory=list)
    changed: asyncio.Event = field(default_factory=asyncio.Event)

    def menu_finished(self, *, menu: MenuName, finished: Finished, seconds: float) -> None:
        assert 0 <= seconds < WITHIN_S
        self.menus.append((menu, finished.outcome, finished.tries))
        self.finished.append(finished)

    def prompt_missing(self, *, place: str, prompt: str) -> None:
        self.missing.append((place, prompt))

    def session_ended(self, *, end: SessionEnd) -> None:
        self.ends.append(end)
        self.changed.set()

    async def wait_for(self, *ends: SessionEnd) -> None:
        """Wait until exactly these sessions have ended, in any order."""
        assert sorted(await self.some(len(ends))) == sorted(ends)

    async def some(self, count: int) -> list[SessionEnd]:
        """Wait until so many sessions have ended, and return how all did."""
        async with asyncio.timeout(WITHIN_S):
            while len(self.ends) < count:
                self.changed.clear()
                await self.changed.wait()
        return list(self.ends)


class Asterisk:
    """The PBX's end of one connection, word by word."""

    def __init__(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.reader = reader
        self.writer = writer

    def send(self, text: str | bytes) -> None:
        self.writer.write(text.encode() if isinstance(text, str) else text)

    async def expect(self, line: str) -> None:
        async with asyncio.timeout(WITHIN_S):
            assert (await self.reader.readline()).decode() == line + "\n"

    async def expect_end(self) -> None:
        async with asyncio.timeout(WITHIN_S):
            with contextlib.suppress(ConnectionError):
                assert await self.reader.read() == b""

    async def expect_end_after(self, *lines: str) -> None:
        """Wait for the end, which the server's own limit may bring before the last of `lines`."""
        async with asyncio.timeout(WITHIN_S):
            with contextlib.suppress(ConnectionError):
                assert "".join(f"{line}\n" for line in lines).startswith(
                    (await self.reader.read()).decode()
                )

    async def answer(self, command: str, reply: str) -> None:
        await self.expect(command)
        self.send(reply + "\n")

    async def ask_for_menu(self, script: str = "menu/main", *args: str) -> None:
        arguments = "".join(f"agi_arg_{index}: {arg}\n" for index, arg in enumerate(args, start=1))
        self.send(HEADERS.format(script=script).removesuffix("\n") + arguments + "\n")
        await self.answer(LENGTHEN, "200 result=1")

    def close(self) -> None:
        self.writer.close()

    def reset(self) -> None:
        """Close with RST instead of FIN, as a killed process with unread bytes does."""
        own_socket = self.writer.get_extra_info("socket")
        own_socket.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        self.writer.transport.abort()


class Bench:
    """A running server with its report, and a way to connect."""

    def __init__(self, server: AgiServer, report: Recorder) -> None:
        self.server = server
        self.report = report
        self.peers: list[Asterisk] = []

    async def connect(self) -> Asterisk:
        async with asyncio.timeout(WITHIN_S):
            peer = Asterisk(*await asyncio.open_connection(HOST, self.server.port))
        self.peers.append(peer)
        return peer


@contextlib.asynccontextmanager
async def running(
    limits: AgiLimits | None = None,
    *,
    menus: Mapping[MenuName, Menu] | None = None,
    speaker: WaitSpeaker | None = None,
) -> AsyncIterator[Bench]:
    report = Recorder()
    server = AgiServer(
        host=HOST,
        port=0,
        menus={MENU.name: MENU} if menus is None else menus,
        limits=limits or PATIENT,
        report=report,
        speaker=speaker,
    )
    await server.bind()
    bench = Bench(server, report)
    async with asyncio.TaskGroup() as tasks:
        serving = tasks.create_task(server.serve(), name="agi-server")
        await server.started.wait()
        try:
            yield bench
        finally:
            for peer in bench.peers:
                peer.close()
            serving.cancel()
