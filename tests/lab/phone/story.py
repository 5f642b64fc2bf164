"""What happened on a call, when, and waiting for it to happen.

A scenario never sleeps: it waits for a condition with a deadline, and a missed deadline tells the
story of the call so far.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime
from enum import Enum, StrEnum


class PhoneError(Exception):
    """Something on the line went otherwise than the scenario wanted."""


class DeadlinePassed(PhoneError):
    """What was waited for did not happen in time."""


class CallOver(PhoneError):
    """The call ended before what was waited for could happen."""


class CallState(Enum):
    """Where a call stands."""

    DIALLING = "dialling"
    RINGING = "ringing"
    UP = "up"
    ENDING = "ending"
    ENDED = "ended"


class EndedBy(StrEnum):
    """Who ended a call."""

    US = "us"
    THEM = "them"
    LOST = "lost"
    """Nobody said so: the other side stopped answering."""


@dataclass(frozen=True, slots=True, kw_only=True)
class End:
    """How a call ended."""

    by: EndedBy
    status: int | None
    """The SIP status that refused or cancelled it; None when it ended after the answer."""
    reason: str
    """The Reason header of the BYE or CANCEL, '' when there was none."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Moment:
    """One thing that happened on a call."""

    at: datetime
    elapsed_s: float
    """Since the call object was made, on the monotonic clock."""
    what: str
    detail: str = ""


class Story:
    """The moments of one call, and those who wait for the next one."""

    def __init__(self, title: str) -> None:
        self.title = title
        self.moments: list[Moment] = []
        self._born_at = time.monotonic()
        self._waiting: set[asyncio.Future[None]] = set()

    def note(self, what: str, detail: str = "") -> None:
        """Add a moment and wake everybody who waits."""
        now = datetime.now(tz=UTC)
        elapsed_s = time.monotonic() - self._born_at
        self.moments.append(Moment(at=now, elapsed_s=elapsed_s, what=what, detail=detail))
        self.wake()

    def wake(self) -> None:
        """Let everybody who waits look at their condition again."""
        for future in self._waiting:
            if not future.done():
                future.set_result(None)

    def first(self, what: str) -> Moment | None:
        """Return the first moment of that kind, None when there was none."""
        return next((moment for moment in self.moments if moment.what == what), None)

    async def until(self, condition: Callable[[], bool], *, timeout_s: float, what: str) -> None:
        """Wait until the condition holds, looking again at each moment of the call."""
        try:
            async with asyncio.timeout(timeout_s):
                while not condition():
                    await self._next_moment()
        except TimeoutError as exc:
            raise DeadlinePassed(f"{what} did not happen within {timeout_s} s: {self}") from exc

    async def _next_moment(self) -> None:
        future: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        self._waiting.add(future)
        try:
            await future
        finally:
            self._waiting.discard(future)

    def __str__(self) -> str:
        told = ", ".join(
            f"{moment.elapsed_s:.3f} {moment.what} {moment.detail}".rstrip()
            for moment in self.moments
        )
        return f"{self.title} [{told}]"
