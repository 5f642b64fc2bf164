"""One FastAGI connection as a conversation: the request, one command at a time, the hand-over.

Here: what every route shares, and the rules between a route and the dialplan. Not here: which route
a request takes (session.py), what a route says (session.py, waiting.py), framing (codec.py).

Contract with the dialplan, the same for every route:

1. AGIEXITONHANGUP=yes.
2. The dialplan gives us a short TIMEOUT(absolute). Our first command lengthens it to the session's
   limit; that is the proof that ivrd lives, and replaces a hello connection (measured on 22.10.1:
   a running limit of 2 s is really lengthened).
3. Our last command sets the route's variables and, as the last, IVRD_DONE=1. Without IVRD_DONE the
   dialplan goes on by itself. AGISTATUS says nothing: it is SUCCESS when we die, and FAILURE after
   a prompt that is missing.
"""

import asyncio
import contextlib
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import timedelta
from typing import assert_never

from ivrd.agi.codec import (
    AgiAnswer,
    AgiConnection,
    AgiEvent,
    AgiRequest,
    HangupNoticed,
    NeedData,
    PeerClosed,
    set_variable,
    set_variables,
    stream_file,
    wait_for_digit,
)
from ivrd.errors import IvrdBug, PeerError

READ_BYTES = 4096
"""One read; a whole request and every answer fit."""


class CommandRefusedError(PeerError):
    """Asterisk understood the connection but did not carry out our command."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Heard:
    """What came of a prompt or a silence while the caller was there."""

    digit: str | None
    """The key that ended it; None when there was none."""


class Conversation:
    """Speaks with Asterisk over one connection; `None` and `False` mean that the caller is gone.

    Every method but `take_request` may raise `CommandRefusedError`, and all of them
    `AgiProtocolError`: the connection is of no more use then.
    """

    def __init__(
        self,
        *,
        reader: asyncio.StreamReader,
        writer: asyncio.StreamWriter,
        on_missing: Callable[[str], None],
    ) -> None:
        """Take an open connection; `on_missing` is told each prompt that could not be played."""
        self._reader = reader
        self._writer = writer
        self._on_missing = on_missing
        self._connection = AgiConnection()
        self._unplayed_prompt: str | None = None

    async def take_request(self) -> AgiRequest | None:
        """Return what is asked for; None when the peer left without a word."""
        first = await self._next_event()
        return first if isinstance(first, AgiRequest) else None

    async def lengthen_limit(self, limit_s: int) -> bool:
        """Prove that we live; return False when the caller is gone already."""
        return await self._ask(set_variable("TIMEOUT(absolute)", str(limit_s))) is not None

    async def play(self, prompt: str, escape_digits: str) -> Heard | None:
        """Play a prompt until it ends or a key comes; one that is missing ends at once."""
        answer = await self._ask(stream_file(prompt, escape_digits))
        if answer is None:
            return None
        self._tell_unplayed()
        if answer.result == -1:
            # A hang-up or a missing file (codec.stream_file): the next answer tells which.
            self._unplayed_prompt = prompt
            return Heard(digit=None)
        return Heard(digit=_key(answer))

    async def wait_digit(self, silence_max: timedelta) -> Heard | None:
        """Wait in silence for a key; Asterisk ends the wait."""
        answer = await self._ask(wait_for_digit(silence_max))
        if answer is None or answer.result == -1:
            return None
        self._tell_unplayed()
        return Heard(digit=_key(answer))

    async def hand_over(self, result: Mapping[str, str]) -> bool:
        """Give the result to the dialplan; return False when the caller was gone before.

        One MSet and our end of stream leave together: Asterisk reads the line, then the end, and
        goes on in the dialplan without waiting for us a second time.

        Source:
            res_agi.c, `run_agi`: the end is seen only at the next read. Measured on 22.10.1: all
            variables are set and the answer still comes.
        """
        answer = await self._ask(set_variables({**result, "IVRD_DONE": "1"}), is_last=True)
        if answer is None:
            return False
        if answer.result != 0:
            raise CommandRefusedError(f"MSet gave {answer.result}")
        self._tell_unplayed()
        return True

    def _tell_unplayed(self) -> None:
        """Tell a prompt as missing, now that its -1 is known not to have been a hang-up."""
        if self._unplayed_prompt is not None:
            self._on_missing(self._unplayed_prompt)
            self._unplayed_prompt = None

    async def _ask(self, line: bytes, *, is_last: bool = False) -> AgiAnswer | None:
        """Send one command and return its answer, or None when the caller is gone.

        There is no drain: one command of at most 2 KB is open at a time, so nothing can pile up.
        """
        self._writer.write(self._connection.send(line))
        if is_last and self._writer.can_write_eof():
            # Gone already when the caller hung up at this moment: the read below tells.
            with contextlib.suppress(OSError):
                self._writer.write_eof()
        event = await self._next_event()
        match event:
            case AgiAnswer(code=200):
                return event
            case AgiAnswer(code=511) | HangupNoticed() | PeerClosed():
                return None
            case AgiAnswer():
                raise CommandRefusedError(f"{event.code} to {line!r}")
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
        CommandRefusedError: not the code of a printable character.
    """
    if answer.result == 0:
        return None
    if answer.result is None or not 0x20 < answer.result < 0x7F:
        raise CommandRefusedError(f"no key has the code {answer.result}")
    return chr(answer.result)
