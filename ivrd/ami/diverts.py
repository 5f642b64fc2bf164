"""Where callers at each queue's door are to go, as the dialplan is told.

Here: what is wanted, and what one connection has written of it. Not here: when it is written
(session.py), and why (core/overflow.py).

A value is a global variable of the dialplan, believed only beside a fresh heartbeat. What an
earlier ivrd left there would be believed beside ours, so each connection writes all of them before
its first heartbeat.
"""

import asyncio
from collections.abc import Iterable

from ivrd.ami import actions
from ivrd.ami.requests import Request
from ivrd.core.effects import DivertCallers
from ivrd.core.ids import QueueName


class Diverts:
    """What is wanted, over all connections to one PBX."""

    def __init__(self, queues: Iterable[QueueName] = ()) -> None:
        """Begin with everybody let in everywhere."""
        self.wanted: dict[QueueName, str] = dict.fromkeys(queues, "")
        self.news = asyncio.Event()

    def expect(self, queues: Iterable[QueueName]) -> None:
        """Let callers in at those doors of which nothing was said."""
        for queue in queues:
            self.wanted.setdefault(queue, "")
        self.news.set()

    def put(self, divert: DivertCallers) -> None:
        """Note where callers at one door go from now on."""
        value = "" if divert.to_queue is None else f"{divert.to_queue} {divert.reason}"
        self.wanted[divert.queue] = value
        self.news.set()


class DivertWriter:
    """What one connection has written.

    Attributes:
        are_told: What was wanted at first is written.
    """

    def __init__(self, diverts: Diverts, request: Request, *, within_s: float) -> None:
        """Begin with nothing written: what the PBX holds is not ours."""
        self._diverts = diverts
        self._request = request
        self._within_s = within_s
        self._written: dict[QueueName, str] = {}
        self.are_told = asyncio.Event()

    async def run(self) -> None:
        """Write all, and each change, for ever.

        Raises:
            PeerError: A value was not answered in time, or is not fit to be sent.
        """
        while True:
            self._diverts.news.clear()
            for queue, value in list(self._diverts.wanted.items()):
                if self._written.get(queue) != value:
                    self._written[queue] = value
                    await self._request(actions.divert(queue, value), within_s=self._within_s)
            self.are_told.set()
            await self._diverts.news.wait()
