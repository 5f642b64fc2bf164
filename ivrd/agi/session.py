"""One caller's menu over one FastAGI connection.

Here: what a core menu's outputs are in AGI words, and the contract with the dialplan. Not here:
sockets being accepted, limits and deadlines of the whole session (server.py), what a key means
(core/menu.py).

Contract with the dialplan:

1. The URL is agi://host:port/menu/NAME, and AGIEXITONHANGUP=yes.
2. The dialplan gives us a short TIMEOUT(absolute). Our first command lengthens it to the session's
   limit; that is the proof that ivrd lives, and replaces a hello connection (measured on 22.10.1:
   a running limit of 2 s is really lengthened).
3. Our last command sets IVRD_CHOICE, IVRD_OUTCOME, IVRD_DIGIT, IVRD_TRIES and, as the last,
   IVRD_DONE=1. Without IVRD_DONE the dialplan plays the static menu. AGISTATUS says nothing: it is
   SUCCESS when we die, and FAILURE after a prompt that is missing.
"""

import asyncio
from collections.abc import Mapping
from dataclasses import dataclass, replace
from enum import StrEnum
from typing import Protocol, assert_never

import structlog

from ivrd.agi.codec import (
    AgiAnswer,
    AgiConnection,
    AgiEvent,
    AgiProtocolError,
    AgiRequest,
    HangupNoticed,
    NeedData,
    PeerClosed,
    set_variable,
    set_variables,
    stream_file,
    wait_for_digit,
)
from ivrd.core.ids import MenuName
from ivrd.core.menu import (
    DigitReceived,
    Finished,
    HungUp,
    Menu,
    MenuInput,
    MenuOutcome,
    Play,
    PromptEnded,
    ReportUnexpectedInput,
    SilenceEnded,
    WaitDigit,
    advance,
    begin,
)
from ivrd.errors import IvrdBug, PeerError

READ_BYTES = 4096
"""One read; a whole request and every answer fit."""

SCRIPT_CHARACTERS_LOGGED = 80
"""An unknown path comes from the peer; the log needs only enough to recognise it."""

log: structlog.stdlib.BoundLogger = structlog.get_logger()


class SessionEnd(StrEnum):
    """Why a connection ended; a metric label."""

    COMPLETED = "completed"
    """The menu's result was handed over to the dialplan."""
    HUNG_UP = "hung_up"
    """The caller, or Asterisk, went away in the menu."""
    TOO_LATE = "too_late"
    """Asterisk had left before it took our first command: we were too slow and the static menu has
    the caller, or the caller hung up at once. Either way our menu never began."""
    PROBED = "probed"
    """Opened and closed without a byte."""
    GARBAGE = "garbage"
    """Not FastAGI, or above a limit, before or during the menu."""
    REQUEST_TIMED_OUT = "request_timed_out"
    """No whole request, or no answer to the first command, in time."""
    SESSION_TIMED_OUT = "session_timed_out"
    """The whole session outlived its limit; Asterisk should have ended it before."""
    UNKNOWN_MENU = "unknown_menu"
    COMMAND_REFUSED = "command_refused"
    """Asterisk did not carry out a command (510, 520 or an error result)."""
    OVER_LIMIT = "over_limit"
    """Closed at once because too many sessions were open."""
    SHUT_DOWN = "shut_down"
    """Cancelled by our own shutdown; the caller meets the static menu."""
    CRASHED = "crashed"
    """A bug of ours; the process restarts."""


class MenuReport(Protocol):
    """Where sessions tell what came of them. Synchronous; must neither block nor raise."""

    def menu_finished(
        self, *, menu: MenuName, outcome: MenuOutcome, tries: int, seconds: float
    ) -> None:
        """Count one menu that ran to an outcome; `seconds` from the request to the end."""

    def prompt_missing(self, *, menu: MenuName, prompt: str) -> None:
        """Count a prompt that Asterisk could not play; the menu went on without it."""

    def session_ended(self, *, end: SessionEnd) -> None:
        """Count one connection, exactly once, whatever it was."""


@dataclass(frozen=True, slots=True, kw_only=True)
class SessionLimits:
    """Deadlines of one session."""

    request_s: float
    """From the connection to the answer to our first command."""
    session_s: int
    """What Asterisk is told as TIMEOUT(absolute); counted from our first command."""


class _CommandRefusedError(PeerError):
    """Asterisk understood the connection but did not carry out our command."""


class AgiSession:
    """Runs one menu over one connection; made for each connection, used once."""

    def __init__(
        self,
        *,
        reader: asyncio.StreamReader,
        writer: asyncio.StreamWriter,
        menus: Mapping[MenuName, Menu],
        limits: SessionLimits,
        report: MenuReport,
    ) -> None:
        self._reader = reader
        self._writer = writer
        self._menus = menus
        self._limits = limits
        self._report = report
        self._connection = AgiConnection()
        self._unplayed_prompt: str | None = None

    async def run(self) -> SessionEnd:
        """Run to the end and say why it ended; peer trouble never raises.

        Raises:
            IvrdBug: we broke a rule of our own.
        """
        try:
            return await self._run()
        except AgiProtocolError as error:
            log.debug("agi_peer_refused", fault=error.fault.name.lower())
            return SessionEnd.GARBAGE
        except _CommandRefusedError as error:
            log.warning("agi_command_refused", error=str(error))
            return SessionEnd.COMMAND_REFUSED

    async def _run(self) -> SessionEnd:
        try:
            async with asyncio.timeout(self._limits.request_s):
                first = await self._next_event()
                if not isinstance(first, AgiRequest):
                    return SessionEnd.PROBED
                started_s = asyncio.get_running_loop().time()
                menu = self._find_menu(first)
                if menu is None:
                    return SessionEnd.UNKNOWN_MENU
                if not await self._lengthen_limit():
                    return SessionEnd.TOO_LATE
        except TimeoutError:
            return SessionEnd.REQUEST_TIMED_OUT
        finished = await self._walk(menu)
        self._report.menu_finished(
            menu=menu.name,
            outcome=finished.outcome,
            tries=finished.tries,
            seconds=asyncio.get_running_loop().time() - started_s,
        )
        if finished.outcome is MenuOutcome.HUNG_UP:
            return SessionEnd.HUNG_UP
        return SessionEnd.COMPLETED

    def _find_menu(self, request: AgiRequest) -> Menu | None:
        folder, _, name = request.script.partition("/")
        menu = self._menus.get(MenuName(name)) if folder == "menu" else None
        if menu is None:
            # The peer's own text: as ASCII, so that it cannot forge a line of the log.
            script = ascii(request.script[:SCRIPT_CHARACTERS_LOGGED])
            log.warning("agi_menu_not_found", script=script)
        return menu

    async def _lengthen_limit(self) -> bool:
        """Prove that we live; return False when the caller is gone already."""
        limit = set_variable("TIMEOUT(absolute)", str(self._limits.session_s))
        return await self._ask(limit) is not None

    async def _walk(self, menu: Menu) -> Finished:
        step = begin(menu)
        while not isinstance(step.output, Finished):
            event = await self._carry_out(menu, step.output)
            step = advance(menu, step.state, event)
        if step.output.outcome is MenuOutcome.HUNG_UP or await self._hand_over(step.output):
            return step.output
        return replace(step.output, outcome=MenuOutcome.HUNG_UP, choice=None, digit=None)

    async def _carry_out(
        self, menu: Menu, output: Play | WaitDigit | ReportUnexpectedInput
    ) -> MenuInput:
        match output:
            case Play():
                return await self._play(menu, output)
            case WaitDigit():
                return await self._wait(menu, output)
            case ReportUnexpectedInput():
                # One command, one answer, one input: an input that does not fit is ours.
                raise IvrdBug(f"menu input {output.input} does not fit state {output.state}")
            case _:
                assert_never(output)

    async def _play(self, menu: Menu, play: Play) -> MenuInput:
        answer = await self._ask(stream_file(play.prompt, play.escape_digits))
        if answer is None:
            return HungUp()
        self._count_unplayed(menu)
        if answer.result == -1:
            # A hang-up or a missing file (codec.stream_file): the next answer tells which.
            self._unplayed_prompt = play.prompt
            return PromptEnded(digit=None)
        return PromptEnded(digit=_key(answer))

    async def _wait(self, menu: Menu, wait: WaitDigit) -> MenuInput:
        answer = await self._ask(wait_for_digit(wait.timeout))
        if answer is None or answer.result == -1:
            return HungUp()
        self._count_unplayed(menu)
        digit = _key(answer)
        return SilenceEnded() if digit is None else DigitReceived(digit=digit)

    def _count_unplayed(self, menu: Menu) -> None:
        """Count a prompt as missing, now that its -1 is known not to have been a hang-up."""
        if self._unplayed_prompt is not None:
            self._report.prompt_missing(menu=menu.name, prompt=self._unplayed_prompt)
            log.debug("agi_prompt_missing", menu=menu.name, prompt=self._unplayed_prompt)
            self._unplayed_prompt = None

    async def _hand_over(self, finished: Finished) -> bool:
        """Give the result to the dialplan; return False when the caller was gone before.

        One MSet and our end of stream leave together: Asterisk reads the line, then the end, and
        goes on in the dialplan without waiting for us a second time.

        Source:
            res_agi.c, `run_agi`: the end is seen only at the next read. Measured on 22.10.1: all
            five variables are set and the answer still comes.
        """
        result = {
            "IVRD_CHOICE": finished.choice or "",
            "IVRD_OUTCOME": finished.outcome.value,
            "IVRD_DIGIT": finished.digit or "",
            "IVRD_TRIES": str(finished.tries),
            "IVRD_DONE": "1",
        }
        answer = await self._ask(set_variables(result), is_last=True)
        if answer is not None and answer.result != 0:
            raise _CommandRefusedError(f"MSet gave {answer.result}")
        return answer is not None

    async def _ask(self, line: bytes, *, is_last: bool = False) -> AgiAnswer | None:
        """Send one command and return its answer, or None when the caller is gone.

        There is no drain: one command of at most 2 KB is open at a time, so nothing can pile up.
        """
        self._writer.write(self._connection.send(line))
        if is_last and self._writer.can_write_eof():
            self._writer.write_eof()
        event = await self._next_event()
        match event:
            case AgiAnswer(code=200):
                return event
            case AgiAnswer(code=511) | HangupNoticed() | PeerClosed():
                return None
            case AgiAnswer():
                raise _CommandRefusedError(f"{event.code} to {line!r}")
            case AgiRequest():
                raise IvrdBug("a second request on one connection")
            case _:
                assert_never(event)

    async def _next_event(self) -> AgiEvent:
        while isinstance(event := self._connection.next_event(), NeedData):
            self._connection.receive(await self._read())
        return event

    async def _read(self) -> bytes:
        try:
            return await self._reader.read(READ_BYTES)
        except OSError:
            # A reset says the same as an end: the peer is gone.
            return b""


def _key(answer: AgiAnswer) -> str | None:
    """Return the key of an answer to STREAM FILE or WAIT FOR DIGIT; None for 0, no key.

    Raises:
        _CommandRefusedError: not the code of a printable character.
    """
    if answer.result == 0:
        return None
    if answer.result is None or not 0x20 < answer.result < 0x7F:
        raise _CommandRefusedError(f"no key has the code {answer.result}")
    return chr(answer.result)
