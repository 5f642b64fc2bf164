"""One caller's connection: which route it takes, and a whole visit to a menu.

Here: what a core menu's outputs are in AGI words. Not here: sockets being accepted, limits and
deadlines of the whole session (server.py), the rules that every route keeps (conversation.py), what
a key means (core/menu.py).

Routes, by the URL agi://host:port/ROUTE/NAME:

- /menu/NAME walks a caller through a menu. The first argument of AGI() is "slow" or empty, the
  second "back" when a menu is behind. Results: IVRD_CHOICE, a label of core/targets.py;
  IVRD_OUTCOME; IVRD_DIGIT, the accepted key; IVRD_TRIES. Prompts are heard in the channel's
  language. Asterisk drops a digit that comes while it has no command of ours (res_agi.c,
  run_agi), so each command follows at once: of 720 typed during a prompt, 40 ms each, none was lost
  (measured on 22.10.1); an ivrd that stands still for longer than that between two loses one.
- /wait/QUEUE tells a caller about the wait (waiting.py).
"""

import asyncio
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass, replace
from enum import StrEnum
from functools import partial
from typing import Protocol, assert_never

import structlog

from ivrd.agi.codec import AgiProtocolError, AgiRequest
from ivrd.agi.conversation import CommandRefusedError, Conversation
from ivrd.agi.waiting import WaitSpeaker, tell_wait
from ivrd.core.ids import MenuName, QueueName
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
from ivrd.errors import IvrdBug

SCRIPT_CHARACTERS_LOGGED = 80
"""An unknown path comes from the peer; the log needs only enough to recognise it."""

log: structlog.stdlib.BoundLogger = structlog.get_logger()


class SessionEnd(StrEnum):
    """Why a connection ended; a metric label."""

    COMPLETED = "completed"
    """The route's result was handed over to the dialplan."""
    HUNG_UP = "hung_up"
    """The caller, or Asterisk, went away on the way."""
    TOO_LATE = "too_late"
    """Asterisk had left before it took our first command: we were too slow and the dialplan has
    the caller, or the caller hung up at once. Either way our route never began."""
    PROBED = "probed"
    """Opened and closed without a byte."""
    GARBAGE = "garbage"
    """Not FastAGI, or above a limit, at any time."""
    REQUEST_TIMED_OUT = "request_timed_out"
    """No whole request, or no answer to the first command, in time."""
    SESSION_TIMED_OUT = "session_timed_out"
    """The whole session outlived its limit; Asterisk should have ended it before."""
    UNKNOWN_MENU = "unknown_menu"
    """The path leads to no menu and to no other route."""
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

    def menu_finished(self, *, menu: MenuName, finished: Finished, seconds: float) -> None:
        """Count one menu that ran to an outcome; `seconds` from the request to the end."""

    def prompt_missing(self, *, place: str, prompt: str) -> None:
        """Count a prompt that Asterisk could not play; the caller went on without it.

        Args:
            place: The menu's name, or "wait:" and the queue's.
            prompt: The sound file.
        """

    def session_ended(self, *, end: SessionEnd) -> None:
        """Count one connection, exactly once, whatever it was."""


@dataclass(frozen=True, slots=True, kw_only=True)
class SessionLimits:
    """Deadlines of one session."""

    request_s: float
    """From the connection to the answer to our first command."""
    session_s: int
    """What Asterisk is told as TIMEOUT(absolute); counted from our first command."""


_Route = Callable[[], Awaitable[bool]]
"""Runs to its end; False when the caller is gone."""


class AgiSession:
    """Runs one route over one connection; made for each connection, used once."""

    def __init__(
        self,
        *,
        reader: asyncio.StreamReader,
        writer: asyncio.StreamWriter,
        menus: Mapping[MenuName, Menu],
        speaker: WaitSpeaker | None,
        limits: SessionLimits,
        report: MenuReport,
    ) -> None:
        self._menus = menus
        self._speaker = speaker
        self._limits = limits
        self._report = report
        self._place = ""
        self._conversation = Conversation(
            reader=reader, writer=writer, on_missing=self._count_missing
        )

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
        except CommandRefusedError as error:
            log.warning("agi_command_refused", error=str(error))
            return SessionEnd.COMMAND_REFUSED

    async def _run(self) -> SessionEnd:
        try:
            async with asyncio.timeout(self._limits.request_s):
                request = await self._conversation.take_request()
                if request is None:
                    return SessionEnd.PROBED
                route = self._find_route(request)
                if route is None:
                    return SessionEnd.UNKNOWN_MENU
                if not await self._conversation.lengthen_limit(self._limits.session_s):
                    return SessionEnd.TOO_LATE
        except TimeoutError:
            return SessionEnd.REQUEST_TIMED_OUT
        return SessionEnd.COMPLETED if await route() else SessionEnd.HUNG_UP

    def _find_route(self, request: AgiRequest) -> _Route | None:
        folder, _, name = request.script.partition("/")
        menu = self._menus.get(MenuName(name)) if folder == "menu" else None
        if menu is not None:
            self._place = name
            started_s = asyncio.get_running_loop().time()
            return partial(self._visit_menu, _heard_by(menu, request), started_s)
        if folder == "wait" and name and self._speaker is not None:
            self._place = f"wait:{name}"
            return partial(
                tell_wait,
                self._conversation,
                request,
                queue=QueueName(name),
                speaker=self._speaker,
            )
        # The peer's own text: as ASCII, so that it cannot forge a line of the log.
        script = ascii(request.script[:SCRIPT_CHARACTERS_LOGGED])
        log.warning("agi_menu_not_found", script=script)
        return None

    def _count_missing(self, prompt: str) -> None:
        self._report.prompt_missing(place=self._place, prompt=prompt)
        log.debug("agi_prompt_missing", place=self._place, prompt=prompt)

    async def _visit_menu(self, menu: Menu, started_s: float) -> bool:
        finished = await self._walk(menu)
        self._report.menu_finished(
            menu=menu.name,
            finished=finished,
            seconds=asyncio.get_running_loop().time() - started_s,
        )
        return finished.outcome is not MenuOutcome.HUNG_UP

    async def _walk(self, menu: Menu) -> Finished:
        step = begin(menu)
        while not isinstance(step.output, Finished):
            event = await self._carry_out(step.output)
            step = advance(menu, step.state, event)
        finished = step.output
        if finished.outcome is MenuOutcome.HUNG_UP:
            return finished
        result = {
            "IVRD_CHOICE": finished.choice or "",
            "IVRD_OUTCOME": finished.outcome.value,
            "IVRD_DIGIT": finished.digit or "",
            "IVRD_TRIES": str(finished.tries),
        }
        if await self._conversation.hand_over(result):
            return finished
        return replace(finished, outcome=MenuOutcome.HUNG_UP, choice=None, digit=None)

    async def _carry_out(self, output: Play | WaitDigit | ReportUnexpectedInput) -> MenuInput:
        match output:
            case Play():
                heard = await self._conversation.play(output.prompt, output.escape_digits)
                return HungUp() if heard is None else PromptEnded(digit=heard.digit)
            case WaitDigit():
                heard = await self._conversation.wait_digit(output.timeout)
                if heard is None:
                    return HungUp()
                return SilenceEnded() if heard.digit is None else DigitReceived(digit=heard.digit)
            case ReportUnexpectedInput():
                # One command, one answer, one input: an input that does not fit is ours.
                raise IvrdBug(f"menu input {output.input} does not fit state {output.state}")
            case _:
                assert_never(output)


def _heard_by(menu: Menu, request: AgiRequest) -> Menu:
    # Fewer arguments come from a dialplan that an earlier version has rendered.
    slow, back = (*request.args, "", "")[:2]
    return menu.heard_by(is_slow=slow == "slow", has_back=back == "back")
