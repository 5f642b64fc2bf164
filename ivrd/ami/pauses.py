"""Asking Asterisk to pause members, and to let them take calls again: in order, each once.

Here: the asking. Not here: who, and why (core/label_hold.py). What is lost with a connection is
not asked again: after the next snapshot the core sees how everybody is, and asks anew; and what was
asked in vain of one that lives, the core asks again by itself.
"""

import asyncio

import structlog

from ivrd.ami import actions
from ivrd.ami.protocol import AmiCounters
from ivrd.ami.requests import Request
from ivrd.core.effects import PauseMember
from ivrd.errors import PeerError, PeerTimedOut, PeerUnreachable

PAUSES_MAX = 1_000
"""Waiting to be asked: a county's guides, several times over."""

log: structlog.stdlib.BoundLogger = structlog.get_logger(__name__)


class Pauses:
    """What is to be asked on the present connection."""

    def __init__(self, counters: AmiCounters) -> None:
        """Begin with nothing to ask."""
        self._waiting: asyncio.Queue[PauseMember] = asyncio.Queue(maxsize=PAUSES_MAX)
        self._counters = counters
        self._complaint = ""

    def put(self, pause: PauseMember) -> None:
        """Ask for a pause, or its end, as soon as may be; count it when there is no room."""
        try:
            self._waiting.put_nowait(pause)
        except asyncio.QueueFull:
            self._refused(pause, "too many wait")

    def forget(self) -> None:
        """Drop what was not asked on a connection that is gone."""
        while not self._waiting.empty():
            self._waiting.get_nowait()

    async def run(self, request: Request, *, within_s: float) -> None:
        """Ask for what comes, for ever."""
        while True:
            pause = await self._waiting.get()
            try:
                answer = await request(actions.pause(pause), within_s=within_s)
            except PeerTimedOut:
                self._refused(pause, "no answer")
            except PeerUnreachable:
                raise
            except PeerError as error:
                self._refused(pause, str(error))
            else:
                if not answer.is_success:
                    self._refused(pause, answer.message)

    def take_releases(self) -> list[actions.AmiAction]:
        """Return the ends of pauses that still wait, for a last word: nobody else ends them."""
        releases = []
        while not self._waiting.empty():
            pause = self._waiting.get_nowait()
            if pause.is_paused:
                continue
            try:
                releases.append(actions.pause(pause))
            except PeerError as error:
                # A name that is not fit to be sent must not cost the others their last word.
                self._refused(pause, str(error))
        return releases

    def _refused(self, pause: PauseMember, reason: str) -> None:
        """Count it, and say each reason once in a row: `agent` may be missing in manager.conf."""
        self._counters.pauses_refused += 1
        if reason != self._complaint:
            self._complaint = reason
            log.error("pause_refused", asterisk=pause.system, queue=pause.queue, reason=reason)
